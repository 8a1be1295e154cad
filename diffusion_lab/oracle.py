"""Exact denoisers: the best possible guess of x_0, for data that can be written down.

A network trained with a squared error tends to the mean E[x_0 | x_t], which is known for a mixture of
Gaussians and for a finite data set. Here it is as an ordinary denoiser ``f(x_t, t, labels=None)``, for every
sampler and for guidance: a label, (B,), keeps to one class, and ``f.null_label``, one past the last class,
allows all.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffusion_lab.process import OBJECTIVES, convert, express
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Data, Labels, Steps, check_data, check_range, choose


def check_shape(argument: str, tensor: Tensor, wanted: Sequence[int]) -> None:
    """Accept exactly the shape `wanted`; a `ValueError` names the argument, what came and what was wanted."""
    if tuple(tensor.shape) != tuple(wanted):
        raise ValueError(f"{argument} must have shape {tuple(wanted)}, got {tuple(tensor.shape)}")


def admitted(x_t: Tensor, labels: Tensor | None, classes: Tensor | None) -> Tensor:
    """Whether a row's label, (B,), admits a column's class, (N,): shape (B, N).

    Without labels all True, (B, 1).
    """
    if labels is None:
        return torch.ones(len(x_t), 1, dtype=torch.bool, device=x_t.device)
    if classes is None:
        raise ValueError(
            "labels were given, but the data has none; wanted finite_data_denoiser(..., labels=...)"
        )
    check_shape("labels", labels, x_t.shape[:1])
    known, wanted = classes.to(labels.device), labels[:, None]
    mask = (wanted == known) | (wanted == known.max() + 1)
    if not bool(mask.any(1).all()):
        raise ValueError(
            f"labels must be in {known.unique().tolist()} or the null label, got {labels.tolist()}"
        )
    return mask


class GaussianMixture:
    """Points in D dimensions, x_0 ~ sum_k weights[k] N(means[k], covariances[k]), of shapes (K,), (K, D), (K, D, D).

    Noise turns a mode N(m, C) into N(alpha m, S), S = alpha² C + sigma² I, so all about x_t is known as well.
    """

    def __init__(self, weights: Tensor | Sequence, means: Tensor | Sequence, covariances: Tensor | Sequence):
        """Keep all in float64.

        A `ValueError` says if a shape is wrong or this is no mixture of proper Gaussians.
        """
        given = (torch.as_tensor(x, dtype=torch.float64) for x in (weights, means, covariances))
        self.weights, self.means, self.covariances = given
        K, D = self.weights.numel(), self.means.shape[-1]
        for name, shape in {"weights": (K,), "means": (K, D), "covariances": (K, D, D)}.items():
            check_shape(name, getattr(self, name), shape)
        if not bool((self.weights > 0).all()) or abs(float(self.weights.sum()) - 1) > 1e-6:
            raise ValueError(f"weights must be positive with sum 1, got {self.weights.tolist()}")
        symmetric = torch.allclose(self.covariances, self.covariances.mT)
        if not symmetric or bool(torch.linalg.cholesky_ex(self.covariances).info.any()):
            raise ValueError(
                f"covariances must be symmetric, positive definite, got {self.covariances.tolist()}"
            )
        self.variances, self.axes = torch.linalg.eigh(self.covariances)  # C = axes diag(variances) axes^T

    def draw(self, number: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw points, (number, D), float32, and tell the mode that each is from, (number,); on the CPU."""
        modes = torch.multinomial(self.weights, number, replacement=True, generator=generator)
        noise = torch.randn(number, self.means.shape[1], generator=generator, dtype=torch.float64)
        offsets = torch.einsum("nde,ne->nd", self.axes[modes], self.variances[modes].sqrt() * noise)
        return (self.means[modes] + offsets).float(), modes

    def _modes(self, x_t: Data, t: int | Steps, schedule: DiffusionSchedule) -> tuple[Tensor, Tensor, Tensor]:
        """For each mode: log(weight × density), (B, K).

        Its score, (B, K, D), and its E[x_0 | x_t], (B, K, D).
        """
        check_data(x_t=x_t)
        check_shape("x_t", x_t, (len(x_t), self.means.shape[1]))
        parts = (self.weights, self.means, self.covariances, self.variances, self.axes)
        weights, means, covariances, variances, axes = (part.to(x_t.dtype).to(x_t.device) for part in parts)
        alpha, sigma = schedule.alpha_sigma(t, x_t[:, None])
        spread = alpha**2 * variances + sigma**2  # of S, along the axes of C
        offset = torch.einsum("bkd,kde->bke", x_t[:, None] - alpha * means, axes)
        logs = weights.log() - 0.5 * (offset**2 / spread + (2 * torch.pi * spread).log()).sum(-1)
        scores = -torch.einsum("bke,kde->bkd", offset / spread, axes)  # -S^-1 (x_t - alpha m)
        return logs, scores, means - alpha * torch.einsum("kde,bke->bkd", covariances, scores)

    def log_density(self, x_t: Data, t: int | Steps, schedule: DiffusionSchedule) -> Tensor:
        """Log of the density of x_t, (B, D), at times 0 … T: shape (B,). Its gradient is the score."""
        return self._modes(x_t, t, schedule)[0].logsumexp(1)

    def mode_probabilities(self, x_t: Data, t: int | Steps, schedule: DiffusionSchedule) -> Tensor:
        """How probable each mode is as the source of x_t, (B, D): shape (B, K), rows with sum 1."""
        return self._modes(x_t, t, schedule)[0].softmax(1)

    def denoiser(self, schedule: DiffusionSchedule, objective: str = "x0") -> Callable[..., Tensor]:
        """Make the exact f(x_t, t, labels=None), (B, D) -> (B, D), in the terms of `objective`; a label is a mode.

        E[x_0 | x_t, mode] = m + alpha C S^-1 (x_t - alpha m) (Bishop 2006, section 2.3.3) and the modes'
        scores are averaged with `mode_probabilities`; eps = -sigma score (Tweedie's formula: Efron 2011). A
        `ValueError`, here or from f, says if the objective is unknown, a shape is wrong, or t or a label out
        of range.
        """
        choose("objective", objective, OBJECTIVES)

        def denoiser(x_t: Data, t: int | Steps, labels: Labels | None = None) -> Tensor:
            logs, scores, guesses = self._modes(x_t, t, schedule)
            mask = admitted(x_t, labels, torch.arange(len(self.weights)))
            shares = logs.where(mask, -torch.inf).softmax(1)[..., None]
            score, x_0 = (shares * scores).sum(1), (shares * guesses).sum(1)
            eps = -schedule.alpha_sigma(t, x_t)[1] * score
            return score if objective == "score" else express(x_0, eps, t, schedule, objective)

        denoiser.trained_objective, denoiser.null_label = objective, len(self.weights)
        return denoiser


def finite_data_denoiser(
    data: Data,
    schedule: DiffusionSchedule,
    objective: str = "x0",
    *,
    labels: Labels | None = None,
    chunk: int = 64,
) -> Callable[..., Tensor]:
    """Make the exact f(x_t, t, labels=None), (B, …) -> (B, …), for x_0 drawn evenly from data, (N, …).

    E[x_0 | x_t] = sum_i w_i data[i], w = softmax(-|x_t - alpha data[i]|² / (2 sigma²))   (Karras et al. 2022, EDM,
    equation 57). At t = 0, where only "x0" has a meaning, it is the nearest example. `labels`, (N,), are the classes of
    the data, if f is to take labels. f compares `chunk` elements of a batch at once with all of the data, in memory for
    a few times chunk × N numbers. A `ValueError`, here or from f, says if the objective is unknown, there is no data, a
    shape or a dtype is wrong, or t or a label is out of range.
    """
    choose("objective", objective, OBJECTIVES)
    check_data(data=data)
    check_range("len(data)", len(data), 1)
    check_range("chunk", chunk, 1)
    if (classes := labels) is not None:
        check_shape("labels", classes, data.shape[:1])
    half_squares = torch.cat(
        [part.cpu().double().square().sum(1) / 2 for part in data.flatten(1).split(4096)]
    )

    def denoiser(x_t: Data, t: int | Steps, labels: Labels | None = None) -> Tensor:
        check_data(x_t=x_t)
        check_shape("x_t", x_t, (len(x_t), *data.shape[1:]))
        x, mask = x_t.flatten(1), admitted(x_t, labels, classes)
        examples, halves = (part.to(x.dtype).to(x.device) for part in (data.flatten(1), half_squares))
        alpha, sigma = (scale.expand(len(x), 1) for scale in schedule.alpha_sigma(t, x))
        guesses = []
        for rows in torch.arange(len(x)).split(chunk):
            logits = alpha[rows] * (
                x[rows] @ examples.T - alpha[rows] * halves
            )  # without |x_t|², the same for all
            logits = (logits / sigma[rows].square().clamp(min=1e-20)).where(mask[rows], -torch.inf)
            guesses.append(logits.softmax(1) @ examples)
        x_0 = torch.cat(guesses).reshape(x_t.shape)
        return x_0 if objective == "x0" else convert(x_0, x_t, t, schedule, "x0", objective)

    denoiser.trained_objective = objective
    denoiser.null_label = None if classes is None else int(classes.max()) + 1
    return denoiser
