"""One engine for every training: what differs is the loss, and the data that it is given.

To train something new, write its loss: a function of the state of the training and of a batch. This one
teaches a network to remove noise::

    def loss(state: TrainingState, images: Tensor) -> Tensor:
        noise = normal_like(images, state.generator)
        return (state.model(images + noise) - images).square().mean()


    for step in fit(model, loss, loader, num_steps=300):
        print(step.index, step.loss)

Averaged weights, checkpoints and all the rest come with the engine. The trainings of the package are losses
of this kind: `training.train`, `variants.consistency.distill`, those of `mini_sd.train`, and both judges.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.optimization import OPTIMIZERS, learning_rate_at, update_ema
from diffusion_lab.shapes import check_range, check_share, choose


class Step(NamedTuple):
    """What a training yields: steps done (from 1), loss before the step, gradient length before clipping."""

    index: int
    loss: float
    learning_rate: float
    grad_norm: float
    ema: nn.Module  # the network with averaged weights, the one to use
    state: TrainingState

    def save(self, path: str | Path) -> None:
        """Write a checkpoint from which the same training, with ``resume=path``, goes on bit for bit."""
        self.state.save(path)


def fit(
    model: nn.Module,
    loss: Callable[..., Tensor],
    loader: Iterable | None = None,
    *,
    num_steps: int,
    optimizer: str | Optimizer = "muon",
    learning_rate: float = 2e-3,
    warmup: int = 100,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    ema_decay: float = 0.998,
    bfloat16: bool = False,
    memory_format: torch.memory_format = torch.channels_last,
    generator: Generator | None = None,
    resume: str | Path | None = None,
    **options,
) -> Iterator[Step]:
    """Make ``loss(state, *batch)`` small, yielding after each optimiser step.

    Args:
        model: trained in place, on its device.
        loss: gives one number. It finds ``model``, ``ema``, ``device``, ``generator`` and ``index`` in the
            `TrainingState`, and draws whatever is random with that generator.
        loader: yields batches in every pass, each a tensor or several; without one the loss draws its own.
        num_steps: optimiser steps in total, more than were done before a resume.
        optimizer: a key of `OPTIMIZERS`; or one of the caller's own, whose settings stay as they are, and
            may be changed between steps, as torch's schedulers do.
        learning_rate, warmup: peak, and steps up to it (at most a tenth of all); see `learning_rate_at`.
        weight_decay: shrinking of the weights per unit of learning rate.
        grad_clip: the largest length of the gradient.
        ema_decay: of the averaged weights, less in the first steps.
        bfloat16: compute in 16 bits; faster on a GPU and on the few processors that have instructions for it.
        memory_format: how the weights lie in memory; most convolutions are faster with the channels last.
        generator, resume: what the loss draws with, by default seeded as torch is; a checkpoint to go on from.
        **options: more of an optimiser by name, such as ``betas`` and ``fused``.

    A `ValueError` says if an argument is out of range, the loader is empty, or the checkpoint is of another
    training.
    """
    check_share(ema_decay=ema_decay)
    model.to(memory_format=memory_format).train()
    by_name = isinstance(optimizer, str)
    if by_name:
        make = OPTIMIZERS[choose("optimizer", optimizer, OPTIMIZERS)]
        options = {"betas": (0.9, 0.99), "weight_decay": weight_decay, **options}
        optimizer = make(model.parameters(), learning_rate, **options)
    ema = copy.deepcopy(model).requires_grad_(False).eval()
    generator = Generator().manual_seed(torch.initial_seed() % 2**63) if generator is None else generator
    state = TrainingState(model, ema, optimizer, generator)
    if resume is not None:
        state.load(resume)
    check_range("num_steps", num_steps, state.index + 1)
    batches = repeat(()) if loader is None else state.batches(loader)
    settings = optimizer.param_groups[0]
    while state.index < num_steps:
        batch = next(batches)
        if by_name:
            settings["lr"] = learning_rate_at(state.index, num_steps, learning_rate, warmup)
        optimizer.zero_grad()
        with torch.autocast(state.device.type, torch.bfloat16) if bfloat16 else nullcontext():
            value = loss(state, *((batch,) if isinstance(batch, Tensor) else batch))
        value.backward()
        grad_norm = nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
        optimizer.step()
        state.index += 1
        update_ema(ema, model, min(ema_decay, state.index / (state.index + 10)))
        yield Step(state.index, value.item(), settings["lr"], grad_norm.item(), ema, state)
