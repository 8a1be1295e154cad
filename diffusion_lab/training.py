"""How a denoiser is trained: its times, its labels and its loss. The loop is that of every training, `fitting.fit`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, Dataset

from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.fitting import Step, fit
from diffusion_lab.monitor import Monitor
from diffusion_lab.process import OBJECTIVES, express
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Data, Labels, Steps, check_scale, check_share, choose, normal_like

TIMES: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform": lambda u: u,
    "logit-normal": lambda u: torch.where(u < 0.2, u / 0.2, torch.special.ndtri((u - 0.2) / 0.8).sigmoid()),
}
"""How training times are spread, as t / T of an even u in [0, 1). "logit-normal" looks more often at the middle, where
the shape of a picture is decided (Esser et al. 2024, SD3, section 3.1); a fifth is even, for the ends."""


def sample_timesteps(
    batch: int, timesteps: int, generator: Generator | None = None, times: str = "uniform"
) -> Steps:
    """Draw training times from 1 … T, both ends included, with the density of `times`, a key of `TIMES`.

    A batch takes one from each of `batch` equally likely stretches, in random order, so its loss varies less
    (after Kingma et al. 2021, VDM, appendix I.1). Shape (batch,), on the generator's device.
    """
    device = None if generator is None else generator.device
    stratum = torch.randperm(batch, generator=generator, device=device)
    uniform = (stratum + torch.rand(batch, generator=generator, device=device, dtype=torch.float64)) / batch
    share = TIMES[choose("times", times, TIMES)](uniform)
    return (share * timesteps).long().clamp(max=timesteps - 1) + 1


def drop_labels(
    labels: Labels, null_label: int, probability: float, generator: Generator | None = None
) -> Labels:
    """Replace labels by the null label, each by its own coin (Ho & Salimans 2022, algorithm 1)."""
    coins = torch.rand(
        len(labels), generator=generator, device=generator.device if generator else labels.device
    )
    return torch.where(coins.to(labels.device) < probability, null_label, labels)


def diffusion_loss(
    model: Callable,
    x_0: Data,
    schedule: DiffusionSchedule,
    objective: str = "v",
    *,
    t: Steps | None = None,
    noise: Data | None = None,
    generator: Generator | None = None,
    **condition: Tensor,
) -> Tensor:
    """Squared error of a denoiser on noised data, shape (B,) (DDPM, algorithm 1 and equation 14).

    Args:
        model, schedule, objective: a denoiser ``f(x_t, t, **condition)``, and what it should predict of what
            process.
        x_0: clean data, shape (B, …).
        t: times 1 … T, shape (B,); drawn with `generator` by `sample_timesteps` if None.
        noise: standard normal, shape of x_0; drawn with `generator` if None.
        **condition: passed to the model, such as ``labels``.
    """
    t = sample_timesteps(len(x_0), schedule.timesteps, generator).to(x_0.device) if t is None else t
    noise = normal_like(x_0, generator) if noise is None else noise
    output = model(schedule.add_noise(x_0, t, noise), t, **condition)
    return (output - express(x_0, noise, t, schedule, objective)).square().flatten(1).mean(dim=1)


def train(
    model: nn.Module,
    schedule: DiffusionSchedule,
    loader: Iterable,
    *,
    num_steps: int,
    objective: str = "v",
    optimizer: str = "muon",
    learning_rate: float = 4e-3,
    warmup: int = 200,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    ema_decay: float = 0.999,
    label_dropout: float = 0.1,
    times: str = "logit-normal",
    bfloat16: bool = False,
    generator: Generator | None = None,
    resume: str | Path | None = None,
) -> Iterator[Step]:
    """Train a denoiser by `diffusion_loss`, yielding after each optimiser step.

    It is a generator: plotting, stopping and saving are the caller's.

    Args:
        model: trained in place, on its device; with a ``null_label`` that is not None it is
            class-conditional.
        schedule, objective: what the network learns to predict (one of `OBJECTIVES`) of which process.
        loader: yields ``(images, labels)``, ``(images,)`` or ``images`` in every pass; images in [-1, 1].
        num_steps: optimiser steps in total, more than were done before a resume.
        optimizer, weight_decay: a key of `OPTIMIZERS`, and the shrinking of the weights per unit of learning
            rate.
        learning_rate, warmup: its peak, and steps up to it (at most a tenth of all); see `learning_rate_at`.
        grad_clip: the largest length of the gradient.
        ema_decay, label_dropout: of the averaged weights, less in the first steps; probability of the null
            label.
        times: how the training times are spread, a key of `TIMES`.
        bfloat16: compute in 16 bits; faster on a GPU and on the few processors that have instructions for it.
        generator, resume: decides times, noise and label dropout; a checkpoint to go on from.

    A `ValueError` says if an argument is out of range, the loader is empty, or images are not in [-1, 1].
    """
    choose("objective", objective, OBJECTIVES)
    choose("times", times, TIMES)
    check_share(label_dropout=label_dropout)
    null_label = getattr(model, "null_label", None)

    def loss(state: TrainingState, x_0: Tensor, *labels: Tensor) -> Tensor:
        if state.index == 0:
            check_scale("images", x_0)
        condition = {}
        if labels and null_label is not None:
            classes = labels[0].to(state.device)
            condition["labels"] = drop_labels(classes, null_label, label_dropout, state.generator)
        t = sample_timesteps(len(x_0), schedule.timesteps, state.generator, times).to(state.device)
        x_0 = x_0.to(state.device)
        return diffusion_loss(
            state.model, x_0, schedule, objective, t=t, generator=state.generator, **condition
        ).mean()

    steps = fit(
        model,
        loss,
        loader,
        num_steps=num_steps,
        optimizer=optimizer,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        grad_clip=grad_clip,
        ema_decay=ema_decay,
        bfloat16=bfloat16,
        generator=generator,
        resume=resume,
        fused=next(model.parameters()).device.type != "mps",  # it is faster, and torch has none for MPS
    )
    for step in steps:
        model.trained_objective = step.ema.trained_objective = objective
        yield step


def train_diffusion(
    model: nn.Module,
    loader: Iterable | Dataset,
    schedule: DiffusionSchedule,
    epochs: int = 10,
    *,
    watch: Callable[..., Iterable[Step]] = Monitor,
    **options,
) -> list[float]:
    """Train and show how far it is, for people who just want a model; returns the loss of every step.

    Ctrl-C, or ■ in a notebook, stops it after the step in progress. Then, at the end, and after any error,
    `model` holds the averaged weights. `loader` is as for `train` and has a length; a dataset of
    ``(image, label)``, such as a `TensorDataset`, is served in shuffled batches of 64. A model with no
    ``null_label`` does not see the labels. ``watch(steps, num_steps=…)`` goes through the training and shows
    it: in a notebook ``dl.train_diffusion`` takes ``dl.widgets.watch``. Options are those of `train`.
    """
    if isinstance(loader, Dataset):
        loader = DataLoader(loader, batch_size=64, shuffle=True, generator=Generator().manual_seed(0))
    losses, num_steps, step = [], epochs * len(loader), None
    try:
        for step in watch(
            train(model, schedule, loader, num_steps=num_steps, **options), num_steps=num_steps
        ):
            losses.append(step.loss)
    finally:
        if step is not None:
            model.load_state_dict(step.ema.state_dict())
    return losses
