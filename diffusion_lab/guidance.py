"""Classifier-free guidance: ask the network with and without the condition, and exaggerate the difference."""

from collections.abc import Callable

import torch
from torch import Tensor


class ClassifierFreeGuidance:
    """A denoiser made of a denoiser: ``out_null + guidance_scale * (out_cond - out_null)``.

    The paper's ``w`` is ``guidance_scale - 1`` (Ho & Salimans 2022, equation 6). Because eps, x_0, v and flow
    are affine in one another at a fixed x_t, the formula is the same for all of them.
    """

    def __init__(self, model: Callable, guidance_scale: float, null: dict[str, int | Tensor]):
        """Wrap ``f(x_t, t, **condition)``.

        Scale 0 is unconditional, 1 plain, more than 1 guided. `null` holds the "nothing" of each condition
        that is guided, such as ``{"labels": 10}``; broadcast over the batch. A `ValueError` says if a scale
        is not finite.
        """
        if not abs(guidance_scale) < torch.inf:
            raise ValueError(f"guidance_scale must be a finite number, got {guidance_scale}")
        self.model, self.guidance_scale, self.null = model, guidance_scale, null
        self.trained_objective = getattr(model, "trained_objective", None)

    def __call__(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        """Predict by one evaluation of a doubled batch (plain at scale 1).

        A `ValueError` says if no condition came.
        """
        if self.guidance_scale == 1:
            return self.model(x_t, t, **condition)
        if missing := [name for name in self.null if condition.get(name) is None]:
            raise ValueError(
                f"guidance_scale={self.guidance_scale} needs {', '.join(missing)}; 1 works without"
            )
        nothing = {k: torch.as_tensor(self.null.get(k, v)).to(v).expand_as(v) for k, v in condition.items()}
        both = {name: torch.cat([nothing[name], value]) for name, value in condition.items()}
        out_null, out_cond = self.model(torch.cat([x_t, x_t]), torch.cat([t, t]), **both).chunk(2)
        return out_null + self.guidance_scale * (out_cond - out_null)
