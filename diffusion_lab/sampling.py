"""From noise to data: one generator per sampler, each yielding after every step, and one table of their names.

A sampler walks down a list of times from T to 0: at each it asks for a guess of x_0, and goes only to the next time.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from tqdm import tqdm

from diffusion_lab.guidance import ClassifierFreeGuidance
from diffusion_lab.process import posterior, split
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import check_range, choose, normal_like


class State(NamedTuple):
    """What a sampler yields after each step: the time reached, the sample there, and the guess that led to it."""

    t: int
    x_t: Tensor
    x_0_hat: Tensor


def sampling_times(timesteps: int, num_steps: int | None = None) -> list[int]:
    """Times to visit, num_steps + 1 of them (or all), from T down to 0, evenly spaced ("trailing" in diffusers)."""
    num_steps = timesteps if num_steps is None else num_steps
    check_range("num_steps", num_steps, 1, timesteps)
    return torch.linspace(timesteps, 0, num_steps + 1, dtype=torch.float64).round().long().tolist()


@torch.no_grad()
def guess(
    model: Callable, x_t: Tensor, t: int, schedule: DiffusionSchedule, objective: str = "v",
    clip_x_0: bool | None = None, **condition: Tensor,
) -> tuple[Tensor, Tensor]:
    """Ask a denoiser ``f(x_t, t, **condition)`` about x_t, (B, …), at time t; read its answer as a pair (x_0, eps).

    `objective` says what the model predicts. `clip_x_0` keeps x_0 in [-1, 1], and eps consistent with it; None means
    "for images", that is if x_t has four dimensions.
    """
    if (trained := getattr(model, "trained_objective", objective)) != objective:
        raise ValueError(f"objective={objective!r}, but this model was trained with objective={trained!r}")
    output = model(x_t, torch.full((len(x_t),), t, device=x_t.device), **condition)
    x_0, eps = split(output, x_t, t, schedule, objective)
    if clip_x_0 or (clip_x_0 is None and x_t.ndim == 4):
        return split(x_0.clamp(-1, 1), x_t, t, schedule, "x0")
    return x_0, eps


def ddpm(
    model: Callable, schedule: DiffusionSchedule, x_T: Tensor, *, num_steps: int | None = None,
    variance: str = "posterior", generator: Generator | None = None, **options,
) -> Iterator[State]:
    """Ancestral sampling: draw x_s from the posterior that the guess of x_0 gives (DDPM, algorithm 2).

    Args:
        model, schedule, x_T: a denoiser ``f(x_t, t, **condition)``, its schedule, and noise to begin with, (B, …).
        num_steps: steps, 1 … T; all T if None.
        variance: of the noise that is added: "posterior" (DDPM's tilde beta) or the larger "beta". Both are right in
            a limit (DDPM, section 3.2); the step to t = 0 adds none in either case.
        generator: source of that noise.
        **options: passed to `guess`: ``objective``, ``clip_x_0`` and the condition.
    """
    choose("variance", variance, ("posterior", "beta"))
    x_t = x_T
    for t, s in pairwise(sampling_times(schedule.timesteps, num_steps)):
        x_0, _ = guess(model, x_t, t, schedule, **options)
        mean, spread = posterior(x_0, x_t, t, schedule, s)
        if variance == "beta":
            abar_t, abar_s = schedule.alphas_cumprod[[t, s]].tolist()
            spread = torch.full_like(spread, 1 - abar_t / abar_s) * (abar_s < 1)
        x_t = mean + spread.sqrt() * normal_like(x_t, generator)
        yield State(s, x_t, x_0)


def ddim(
    model: Callable, schedule: DiffusionSchedule, x_T: Tensor, *, num_steps: int | None = 50,
    eta: float = 0.0, generator: Generator | None = None, **options,
) -> Iterator[State]:
    """Implicit sampling: take x_t apart into x_0 and eps, and put them together again at an earlier time.

    x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - sigma²) eps + sigma noise   (Song et al. 2021, DDIM, equation 12)

    Args:
        model, schedule, x_T, num_steps, generator, **options: as for `ddpm`.
        eta: share of fresh noise, in [0, 1]: 0 is deterministic, 1 is the step of `ddpm` (DDIM, equation 16).
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in [0, 1], got {eta}")
    x_t = x_T
    for t, s in pairwise(sampling_times(schedule.timesteps, num_steps)):
        x_0, eps = guess(model, x_t, t, schedule, **options)
        variance = eta**2 * posterior(x_0, x_t, t, schedule, s)[1]
        alpha, sigma = schedule.alpha_sigma(s, x_t)
        fresh = normal_like(x_t, generator) if eta > 0 else 0
        x_t = alpha * x_0 + (sigma**2 - variance).clamp(min=0).sqrt() * eps + variance.sqrt() * fresh
        yield State(s, x_t, x_0)


SAMPLERS: dict[str, Callable[..., Iterator[State]]] = {"ddpm": ddpm, "ddim": ddim}
"""Every sampler by name. To add one: write it as a generator above and enter it here."""


def sample(
    model: Callable, schedule: DiffusionSchedule, shape: tuple[int, ...], *, sampler: str = "ddim",
    num_steps: int | None = 50, labels: Tensor | list[int] | None = None, guidance_scale: float = 1.0,
    objective: str = "v", generator: Generator | None = None, progress: bool = True,
    on_step: Callable[[State], None] | None = None, **options,
) -> Tensor:
    """Draw samples of the given shape, from pure noise to t = 0, on the model's device; images in [-1, 1].

    Args:
        model: a denoiser ``f(x_t, t, **condition)``; a module is put into evaluation mode meanwhile.
        schedule, objective: those that the model was trained with.
        shape: of the result, (B, …).
        sampler, num_steps: a key of `SAMPLERS`, and evaluations per sample (with guidance, of a doubled batch).
        labels: classes, (B,), for a class-conditional model.
        guidance_scale: 0 ignores the labels, 1 is plain, more than 1 exaggerates them.
        generator: decides everything that is random.
        progress: show a bar if it takes more than two seconds.
        on_step: called with the `State` after each step, to watch or to keep.
        **options: passed to the sampler and to `guess`, such as ``eta``.

    Raises:
        ValueError: names the argument that is unknown, out of range or of the wrong length.
    """
    choose("sampler", sampler, SAMPLERS)
    module = model if isinstance(model, nn.Module) else nn.Module()
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    denoiser, null_label = model, getattr(model, "null_label", None)
    if labels is not None and guidance_scale != 0:
        labels = torch.as_tensor(labels, device=device)
        if labels.shape != tuple(shape[:1]):
            raise ValueError(f"labels must have shape ({shape[0]},), one per sample, got {tuple(labels.shape)}")
        check_range("labels", labels, 0, None if null_label is None else null_label - 1)
        options["labels"] = labels
    if guidance_scale not in (0, 1):
        if null_label is None:
            raise ValueError(f"guidance_scale={guidance_scale} needs a class-conditional model (with a null_label)")
        denoiser = ClassifierFreeGuidance(model, guidance_scale, null={"labels": null_label})
    x_T = normal_like(torch.empty(shape, device=device), generator)
    options |= {"num_steps": num_steps, "generator": generator, "objective": objective}
    steps = SAMPLERS[sampler](denoiser, schedule, x_T, **options)
    total = num_steps or schedule.timesteps
    were_training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        for state in tqdm(steps, total=total, unit="step", delay=2, leave=False, disable=not progress):
            if on_step is not None:
                on_step(state)
    finally:
        for part in were_training:
            part.training = True
    return state.x_t
