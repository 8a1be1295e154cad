"""What all trainings share: their options, and a folder in which a training can stop and go on."""

import csv
import json
import shlex
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from diffusion_lab import figures
from diffusion_lab.cli._commands import Parser
from diffusion_lab.files import replacing
from diffusion_lab.monitor import Monitor
from diffusion_lab.shapes import Images, check_range

MINUTES_BETWEEN_CHECKPOINTS = 5


def add_folder_options(parser: Parser, out: str) -> None:
    """Declare what every training takes: a folder, a seed, and threads."""
    parser.add_argument("--out", type=Path, default=Path(out), metavar="FOLDER", help="folder to train into")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides everything that is random")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads; 0 lets torch choose"
    )


def add_run_options(parser: Parser, out: str, steps: int) -> None:
    """Declare what a training takes that can stop and go on."""
    parser.add_argument("--steps", type=int, default=steps, metavar="N", help="optimiser steps")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    add_folder_options(parser, out)
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="where to train"
    )
    parser.add_argument("--bfloat16", action="store_true", help="compute in 16 bits")


def seed_torch(options: Namespace) -> None:
    """Do what ``--seed`` and ``--threads`` say."""
    check_range("--threads", options.threads, 0)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)


def say_next(*words: object) -> None:
    """Print the command that comes next, as a shell takes it."""
    print("next:", shlex.join(["diffusion-lab", *map(str, words)]))


def write_losses(path: Path, losses: dict[int, float]) -> None:
    """Write the loss of every step as CSV, whole or not at all."""
    with replacing(path) as part, part.open("w", newline="") as file:
        csv.writer(file).writerows([("step", "loss"), *losses.items()])


class Run:
    """A training in a folder.

    It has what it makes, a checkpoint to go on from, a note of what decided it, and, to look at, the loss of
    every step in ``loss.csv`` and perhaps pictures in ``samples.png``.
    """

    def __init__(
        self, name: str, file: Path, checkpoint: Path, note: Path, *, resume: bool, prefix: str = ""
    ):
        """Begin, or go on; `prefix` keeps apart what several trainings of one folder leave to look at.

        Raises:
            FileExistsError: if there is something already and it should not go on.
            FileNotFoundError: if it should go on, and there is no checkpoint.
            ValueError: if it should go on, and the losses so far cannot be read.
        """
        self.file, self.checkpoint, self.note, self.resume = file, checkpoint, note, resume
        self.loss_file = file.parent / f"{prefix}loss.csv"
        self.samples_file = file.parent / f"{prefix}samples.png"
        if resume and not checkpoint.is_file():
            raise FileNotFoundError(f"--resume: there is no {checkpoint}")
        if not resume and (file.exists() or checkpoint.exists()):
            advice = "add --resume to go on, or choose another --out"
            raise FileExistsError(f"{file.parent} holds {name} already: {advice}")
        for path in (self.loss_file, self.samples_file):
            # with a note beside it, it was left by a training whose network has been removed to train it again
            if not resume and path.exists() and not note.exists():
                raise FileExistsError(f"{path} is there already: choose another --out")
        self.earlier_losses = self._read_losses() if resume else {}

    def refuse_other_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Compare the settings with the note of how the training began, and return the note.

        Only the number of steps may change. A `ValueError` names what did, or says that the note is damaged.
        """
        try:
            noted = json.loads(self.note.read_text())
            changed = [
                f"{name.replace('_', ' ')} was {noted[name]}"
                for name, value in settings.items()
                if name != "steps" and noted[name] != value
            ]
        except (KeyError, TypeError, ValueError) as error:
            wanted = "which should say what run --resume goes on with"
            raise ValueError(f"{self.note}, {wanted}, is damaged: {error!r}") from error
        if changed:
            run = f"the run in {self.note.parent}, which was another"
            raise ValueError(f"--resume goes on with {run}: {', '.join(changed)}")
        return noted

    def train(
        self,
        steps: Iterable,
        num_steps: int,
        settings: dict[str, Any],
        keep: Callable[[Any], None],
        draw: Callable[[], Images] | None = None,
    ) -> int:
        """Go through a training with a bar, until its end or Ctrl-C; returns the exit code.

        Args:
            steps: what the training yields, each with ``index``, ``loss`` and ``save``.
            num_steps: how many there will be.
            settings: what decides the result; noted with the first step of a new training.
            keep: called with the last step, to write what was trained.
            draw: draws with what was written, twenty images in two rows.
        """
        monitor, saved = Monitor(steps, num_steps=num_steps, quiet=True), time.monotonic()
        for step in monitor:
            if step.index == 1:
                with replacing(self.note) as part:
                    part.write_text(json.dumps(settings, indent=2))
            if time.monotonic() - saved > 60 * MINUTES_BETWEEN_CHECKPOINTS:
                self._save(step, monitor.losses)
                saved = time.monotonic()
        keep(step)
        self._save(step, monitor.losses)
        print(f"{'stopped' if monitor.stopped else 'done'} after {step.index} steps: {self.file}")
        if monitor.stopped:
            print("to go on, give the same command with --resume")
        if draw is not None:
            figures.save_picture(self.samples_file, [figures.grid(draw(), 10)])
            print(f"what it draws: {self.samples_file}")
        return 130 if monitor.stopped else 0

    def _save(self, step: Any, losses: dict[int, float]) -> None:
        step.save(self.checkpoint)
        first = next(iter(losses))
        losses = {index: loss for index, loss in self.earlier_losses.items() if index < first} | losses
        write_losses(self.loss_file, losses)

    def _read_losses(self) -> dict[int, float]:
        if not self.loss_file.exists():
            return {}
        try:
            with self.loss_file.open(newline="") as file:
                return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.loss_file}, to which --resume adds, has a line that is no step and loss: remove it"
            ) from error
