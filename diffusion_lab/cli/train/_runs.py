"""What all trainings share: their options, and a folder in which a training can be stopped and go on."""

import json
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from diffusion_lab.cli._commands import Parser
from diffusion_lab.files import replacing
from diffusion_lab.interrupts import StopRequest
from diffusion_lab.shapes import check_range

MINUTES_BETWEEN_CHECKPOINTS = 5


def add_folder_options(parser: Parser, out: str) -> None:
    """Declare what every training takes: where to, by which chance, and on how many threads."""
    parser.add_argument("--out", type=Path, default=Path(out), metavar="FOLDER", help="folder to train into")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides everything that is random")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads; 0 lets torch choose"
    )


def add_run_options(parser: Parser, out: str, steps: int) -> None:
    """Declare what every training takes that can be stopped and go on."""
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


class Run:
    """A training in a folder: what it makes, a checkpoint to go on from, and a note of what decided it."""

    def __init__(self, name: str, file: Path, checkpoint: Path, note: Path, *, resume: bool):
        """Begin, or go on.

        Raises:
            FileExistsError: if there is something already and it should not go on.
            FileNotFoundError: if it should go on, and there is no checkpoint.
        """
        self.file, self.checkpoint, self.note, self.resume = file, checkpoint, note, resume
        if resume and not checkpoint.is_file():
            raise FileNotFoundError(f"--resume: there is no {checkpoint}")
        if not resume and (file.exists() or checkpoint.exists()):
            advice = "add --resume to go on, or choose another --out"
            raise FileExistsError(f"{file.parent} holds {name} already: {advice}")

    def refuse_other_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Compare what decides the training with the note of how it began, which is returned.

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
        self, steps: Iterable, num_steps: int, settings: dict[str, Any], keep: Callable[[Any], None]
    ) -> int:
        """Go through a training with a bar, until its end or Ctrl-C; returns the exit code.

        Args:
            steps: what the training yields, each with ``index``, ``loss`` and ``save``.
            num_steps: how many there will be.
            settings: what decides the training, noted with the first step of a new one.
            keep: called with the last step, to write what was trained.
        """
        saved, smooth = time.monotonic(), None
        with StopRequest() as stop, tqdm(total=num_steps, unit="step") as bar:
            for step in steps:
                if smooth is None:  # the first step of this run, perhaps not of the training
                    bar.initial = bar.n = step.index - 1
                    smooth = step.loss
                    if not self.resume:
                        with replacing(self.note) as part:
                            part.write_text(json.dumps(settings, indent=2))
                smooth = 0.99 * smooth + 0.01 * step.loss
                bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
                bar.update()
                if stop.asked:
                    break
                if time.monotonic() - saved > 60 * MINUTES_BETWEEN_CHECKPOINTS:
                    step.save(self.checkpoint)
                    saved = time.monotonic()
        keep(step)
        step.save(self.checkpoint)
        print(f"{'stopped' if stop.asked else 'done'} after {step.index} steps: {self.file}")
        return 130 if stop.asked else 0
