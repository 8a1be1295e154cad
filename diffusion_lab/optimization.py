"""How a gradient moves the weights: the optimisers, the learning rate over a run, and the average of the weights."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Bring the singular values of a matrix, (m, n), near 1 (0.68 … 1.21), by matrix products only.

    Each step applies the odd polynomial a x + b x³ + c x⁵ to the singular values, a Newton-Schulz iteration
    with the coefficients of Jordan et al. 2024, `Muon <https://kellerjordan.github.io/posts/muon/>`_. Below a
    600th of the matrix's norm they only grow, up to a⁵ = 485 times.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if len(matrix) <= matrix.shape[1] else x.T


class Muon(AdamW):
    """Steps of one length in every direction for matrices; AdamW for biases, norms, and whatever is thin.

    A gradient is mostly a few strong directions. Muon makes the momentum of a matrix orthogonal, so that the
    weak ones count as much. A convolution is a matrix with a row for each output channel. Source: Jordan et
    al. 2024; the factor 0.2 sqrt(max(m, n)), by which one learning rate suits both halves, is from Liu et al.
    2025 (arXiv 2502.16982, 2.2).
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, thin: int = 16, **options
    ):
        """Take tensors with at least `thin` rows and columns as matrices; `options` are those of AdamW."""
        params = list(params)
        self.matrices = [p for p in params if p.ndim >= 2 and min(len(p), p[0].numel()) >= thin]
        self.momentum = momentum
        super().__init__(params, lr, **options)

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Tensor | float | None:
        """Move every parameter that has a gradient, and forget the gradients of the matrices."""
        loss, settings = None, self.param_groups[0]
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for p in self.matrices:
            if p.grad is None:
                continue
            state = self.state[p]
            state["step"] = state.get("step", torch.zeros(())) + 1  # AdamW wants one when it loads a state
            momentum = state.setdefault("momentum", torch.zeros_like(p)).lerp_(p.grad, 1 - self.momentum)
            update = orthogonalize(p.grad.lerp(momentum, self.momentum).flatten(1)).reshape(p.shape)
            p.mul_(1 - settings["lr"] * settings["weight_decay"])
            p.sub_(update, alpha=settings["lr"] * 0.2 * max(len(p), p[0].numel()) ** 0.5)
            p.grad = None  # so that AdamW passes it by
        super().step()
        return loss


OPTIMIZERS: dict[str, type[AdamW]] = {"adamw": AdamW, "muon": Muon}
"""Every optimiser by name, called with ``(params, lr=, betas=, weight_decay=, fused=)``."""


def learning_rate_at(index: int, num_steps: int, peak: float, warmup: int) -> float:
    """Learning rate of step `index` = 0 … num_steps - 1: a linear warm-up, then half a cosine down to zero."""
    warmup = min(warmup, num_steps // 10)
    if index < warmup:
        return peak * (index + 1) / (warmup + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (index - warmup) / max(1, num_steps - warmup)))


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights a little towards the current ones: ema = decay · ema + (1 - decay) · model."""
    for average, current in zip(ema.parameters(), model.parameters(), strict=True):
        average.lerp_(current, 1 - decay)
    for average, current in zip(ema.buffers(), model.buffers(), strict=True):
        average.copy_(current)
