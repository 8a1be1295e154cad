"""Everything that must be kept for a stopped training to go on, and the file that keeps it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from diffusion_lab.files import replacing


@dataclass
class TrainingState:
    """Everything that must be kept to go on as if nothing had happened."""

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    generator: Generator
    index: int = 0  # optimiser steps done
    batches_done: int = 0  # batches used of the current pass through the data
    epoch_start: Tensor | None = None  # state of the loader's generator when this pass began

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.model.parameters()).device

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, whole or not at all: an older one survives until the new one is complete."""
        content = {name: getattr(self, name).state_dict() for name in ("model", "ema", "optimizer")}
        content |= {name: getattr(self, name) for name in ("index", "batches_done", "epoch_start")}
        with replacing(path) as new:
            torch.save(
                {**content, "kind": type(self.optimizer).__name__, "generator": self.generator.get_state()},
                new,
            )

    def load(self, path: str | Path) -> None:
        """Read a checkpoint; a `ValueError` says if it is incomplete, or of another network or optimiser."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            if saved["kind"] != type(self.optimizer).__name__:
                raise ValueError(f"it was trained by {saved['kind']}, not by {type(self.optimizer).__name__}")
            for name in ("model", "ema", "optimizer"):
                getattr(self, name).load_state_dict(saved[name])
            self.generator.set_state(saved["generator"])
            self.index, self.batches_done = saved["index"], saved["batches_done"]
            self.epoch_start = saved["epoch_start"]
        except FileNotFoundError:
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0]  # torch names every weight, each in a line of its own
            raise ValueError(f"{path} is not a whole checkpoint of this training: {reason}") from error

    def batches(self, loader: Iterable) -> Iterator:
        """Yield batches for ever, from where this state stands; exact if the loader has a ``generator``."""
        loader_generator = getattr(loader, "generator", None)
        while True:
            generator_state = self.generator.get_state()
            if loader_generator is not None and self.batches_done:  # in the middle of a pass
                loader_generator.set_state(self.epoch_start)
            elif loader_generator is not None:
                self.epoch_start = loader_generator.get_state()
            batches = iter(loader)
            if self.batches_done:  # skip what was used, then go on from the saved state
                for _ in range(self.batches_done):
                    next(batches, None)
                self.generator.set_state(generator_state)  # the loader may share our generator
            for batch in batches:
                self.batches_done += 1
                yield batch
            if self.batches_done == 0:
                raise ValueError("loader is empty: it gave no batch")
            self.batches_done = 0
