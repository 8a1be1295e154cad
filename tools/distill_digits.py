"""Distil the digits model into one that draws in one to four steps: ``python tools/distill_digits.py --out runs``.

The teacher is the shipped ``digits``; the student begins as a denoiser of the same objective and schedule,
shipped or from a model file (``diffusion-lab train digits`` writes one). With ``--student digits`` it begins
as its teacher. Every 500 steps and at the end it writes ``consistency.safetensors``; one that is there
already is left alone.
"""

import argparse
import time
from pathlib import Path

import torch
from tqdm import tqdm

import diffusion_lab as dl
from diffusion_lab.pretrained import Pretrained
from diffusion_lab.variants.consistency import distill


def main() -> None:
    """Distil, and write ``consistency.safetensors``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--student", default="digits-small", help="what to begin with: a shipped name, or a model file"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for the model")
    parser.add_argument("--steps", type=int, default=2000, help="optimiser steps")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step")
    parser.add_argument("--levels", type=int, default=12, help="steps into which a path is divided")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="its peak")
    parser.add_argument("--bfloat16", action="store_true", help="compute in 16 bits")
    parser.add_argument("--seed", type=int, default=0, help="decides everything that is random")
    parser.add_argument("--force", action="store_true", help="replace the model if it is there")
    options = parser.parse_args()
    try:
        run(options)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def run(options: argparse.Namespace) -> None:
    """Do what the options say; a `ValueError` or an `OSError` says in one line why not."""
    file = options.out / "consistency.safetensors"
    if file.exists() and not options.force:
        raise FileExistsError(f"{file} is there already: add --force to replace it")
    torch.manual_seed(options.seed)
    teacher, digits = dl.load_pretrained("digits"), dl.data.mnist()
    shipped = options.student in dl.pretrained.shipped()
    begin = dl.load_pretrained(options.student) if shipped else dl.load_model(options.student)
    if not isinstance(begin, Pretrained):
        raise ValueError(f"the student must be one network that draws digits, got {options.student}")
    if (begin.objective, begin.schedule.config) != (teacher.objective, teacher.schedule.config):
        raise ValueError(
            f"the student must have the teacher's objective, {teacher.objective}, and {teacher.schedule}"
        )
    student = begin.model.requires_grad_(True)
    seeds = (torch.Generator().manual_seed(options.seed + k) for k in (0, 1))
    batches = dl.data.loader(
        digits.images, digits.labels, batch_size=options.batch_size, generator=next(seeds)
    )
    settings = {name: getattr(options, name) for name in ("levels", "learning_rate", "bfloat16")}
    steps = distill(
        student,
        teacher.model,
        teacher.schedule,
        batches,
        objective=teacher.objective,
        num_steps=options.steps,
        generator=next(seeds),
        **settings,
    )
    began, smooth = time.process_time(), None
    with tqdm(total=options.steps, unit="step") as bar:
        for step in steps:
            smooth = step.loss if smooth is None else 0.99 * smooth + 0.01 * step.loss
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            bar.update()
            if step.index % 500 == 0 or step.index == options.steps:
                card = _card(options, step.index, begin, time.process_time() - began, digits.source)
                dl.save_model(file, step.ema, teacher.schedule, teacher.objective, card)
    print(f"done after {step.index} steps: {file}")


def _card(options: argparse.Namespace, done: int, begin, seconds: float, source: str) -> str:
    settings = (
        f"--{name.replace('_', '-')} {getattr(options, name)}"
        for name in ("student", "steps", "batch_size", "levels", "learning_rate", "seed")
    )
    flags = " ".join(settings) + (" --bfloat16" if options.bfloat16 else "")
    parameters = sum(p.numel() for p in begin.model.parameters())
    known = "\n".join(line for line in begin.card.splitlines() if line.startswith("- "))
    data = "the 60,000 training images of MNIST" if source == "mnist" else source
    return f"""# digits

A consistency model of 28 × 28 handwritten digits, {parameters:,} parameters, stored as float16: it draws in one to four
evaluations (`variants.consistency.multistep`, or `ddim`). Source of the method: Song et al. 2023, Consistency Models.

- teacher: the shipped `digits`, {options.levels} steps of DDIM
- data: {data}
- trained by: `python tools/distill_digits.py {flags}`
- optimiser steps done: {done:,} of {options.steps:,}
- CPU time: {seconds / 60:.1f} minutes (torch {torch.__version__})

The student began as this denoiser:

{known}
"""


if __name__ == "__main__":
    main()
