"""Distil the digits model into one that draws in one to four steps."""

from argparse import Namespace

import torch

import diffusion_lab as dl
from diffusion_lab import data
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import find_device, load
from diffusion_lab.cli.train._cards import card, command_line, training_facts
from diffusion_lab.cli.train._runs import Run, add_run_options, say_next, seed_torch
from diffusion_lab.shapes import Images, check_range
from diffusion_lab.variants.consistency import distill

SETTINGS = ("student", "steps", "batch_size", "levels", "learning_rate", "seed", "bfloat16")
"""The options that decide the result, with the data; only the steps may change on ``--resume``."""

EVALUATIONS = 4
"""In how many steps the student is shown."""


def add_options(parser: Parser) -> None:
    """Declare the student and its training."""
    add_run_options(parser, out="runs", steps=2000)
    parser.add_argument(
        "--student",
        default="digits-small",
        metavar="MODEL",
        help="what to begin with: a shipped model, or a .safetensors file",
    )
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="images per step")
    parser.add_argument(
        "--levels", type=int, default=12, metavar="N", help="steps into which a path is divided"
    )
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="RATE", help="its peak")
    parser.epilog = (
        "The teacher is the shipped digits; with --student digits the student begins as its teacher."
    )


def run(options: Namespace) -> int:
    """Distil into a folder: consistency.safetensors, and beside it what `Run` leaves, all named after it."""
    check_range("--steps", options.steps, 1)
    seed_torch(options)
    file = options.out / "consistency.safetensors"
    checkpoint, note = file.with_suffix(".pt"), file.with_suffix(".json")
    training = Run(file.stem, file, checkpoint, note, resume=options.resume, prefix=f"{file.stem}-")
    device = find_device(options.device)
    teacher, begin, digits = dl.load_pretrained("digits"), load(options.student), data.mnist()
    if begin.pictures != teacher.pictures:
        raise ValueError(f"the student must be one network that draws digits, got {options.student}")
    if (begin.objective, begin.schedule.config) != (teacher.objective, teacher.schedule.config):
        raise ValueError(
            f"the student must have the teacher's objective, {teacher.objective}, and {teacher.schedule}"
        )
    settings = {name: getattr(options, name) for name in SETTINGS}
    noted = {**settings, "data": digits.source}
    if options.resume:
        training.refuse_other_settings(noted)
    steps = distill(
        begin.model.requires_grad_(True).to(device),
        teacher.model.to(device),
        teacher.schedule,
        data.loader(
            digits.images,
            digits.labels,
            batch_size=options.batch_size,
            generator=torch.Generator().manual_seed(options.seed),
        ),
        num_steps=options.steps,
        objective=teacher.objective,
        levels=options.levels,
        learning_rate=options.learning_rate,
        bfloat16=options.bfloat16,
        generator=torch.Generator().manual_seed(options.seed + 1),
        resume=training.checkpoint if options.resume else None,
    )
    parameters = sum(p.numel() for p in begin.model.parameters())

    def keep(step) -> None:
        text = f"""\
A consistency model of 28 × 28 handwritten digits, {parameters:,} parameters, stored as float16: it draws in one to four
evaluations (`variants.consistency.multistep`, or `ddim`). Source of the method: Song et al. 2023, Consistency
Models."""
        taught = f"teacher: the shipped `digits`, {options.levels} steps of DDIM"
        facts = training_facts(digits.source, command_line("train consistency", settings), step.index)
        known = "".join(f"{line}\n" for line in begin.card.splitlines() if line.startswith("- "))
        about = f"{card('digits', text, [taught, *facts])}\nThe student began as this denoiser:\n\n{known}"
        dl.save_model(training.file, step.ema, teacher.schedule, teacher.objective, about)

    def draw() -> Images:
        student = dl.load_model(training.file)
        return student.sample([*range(10)] * 2, num_steps=EVALUATIONS, seed=options.seed, progress=False)

    code = training.train(steps, options.steps, noted, keep, draw)
    say_next("sample", training.file, "--num-steps", EVALUATIONS, "--labels", "2026")
    return code
