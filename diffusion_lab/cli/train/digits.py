"""Train a network that draws digits."""

from argparse import Namespace

import torch

import diffusion_lab as dl
from diffusion_lab import data
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import find_device
from diffusion_lab.cli.train._cards import card, command_line, training_facts
from diffusion_lab.cli.train._runs import Run, add_run_options, say_next, seed_torch
from diffusion_lab.schedules import CURVES
from diffusion_lab.shapes import Images, check_range

SETTINGS = (
    "steps",
    "batch_size",
    "learning_rate",
    "ema",
    "objective",
    "schedule",
    "width",
    "blocks",
    "seed",
    "bfloat16",
)
"""The options that decide the result, with the data; only the steps may change on ``--resume``."""


def add_options(parser: Parser) -> None:
    """Declare the network and its training."""
    add_run_options(parser, out="runs", steps=4000)
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="images per step")
    parser.add_argument("--learning-rate", type=float, default=4e-3, metavar="RATE", help="its peak")
    parser.add_argument(
        "--ema", type=float, default=0.999, metavar="DECAY", help="decay of the averaged weights"
    )
    parser.add_argument(
        "--objective", choices=["eps", "x0", "v", "flow"], default="v", help="what to predict"
    )
    parser.add_argument(
        "--schedule",
        choices=sorted(CURVES),
        default="cosine",
        metavar="NAME",
        help="noise schedule, T = 1000: %(choices)s",
    )
    parser.add_argument("--width", type=int, default=32, metavar="N", help="feature maps of the first level")
    parser.add_argument("--blocks", type=int, default=1, metavar="N", help="residual blocks per level")


def run(options: Namespace) -> int:
    """Train into a folder: digits.safetensors, samples.png, loss.csv, checkpoint.pt, and run.json."""
    check_range("--steps", options.steps, 1)
    seed_torch(options)
    out = options.out
    training = Run(
        "a run", out / "digits.safetensors", out / "checkpoint.pt", out / "run.json", resume=options.resume
    )
    check_range("--blocks", options.blocks, 1)
    device = find_device(options.device)
    digits = data.mnist()
    settings = {name: getattr(options, name) for name in SETTINGS}
    noted = {**settings, "data": digits.source}
    if options.resume and training.note.exists():
        training.refuse_other_settings(noted)
    schedule = dl.DiffusionSchedule.named(options.schedule, 1000)
    model = dl.UNet(num_classes=10, width=options.width, blocks=options.blocks).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    size = f"{parameters / 1e6:.2f} M parameters, {len(digits.images):,} images"
    print(f"{size} ({digits.source}), on {device}")
    steps = dl.train(
        model,
        schedule,
        data.loader(
            digits.images,
            digits.labels,
            batch_size=options.batch_size,
            generator=torch.Generator().manual_seed(options.seed),
        ),
        num_steps=options.steps,
        objective=options.objective,
        learning_rate=options.learning_rate,
        ema_decay=options.ema,
        bfloat16=options.bfloat16,
        generator=torch.Generator().manual_seed(options.seed + 1),
        resume=training.checkpoint if options.resume else None,
    )

    def keep(step) -> None:
        text = (
            "A class-conditional diffusion model of 28 × 28 handwritten digits, "
            f"{parameters:,} parameters, stored as float16."
        )
        facts = training_facts(digits.source, command_line("train digits", settings), step.index)
        dl.save_model(training.file, step.ema, schedule, options.objective, card("digits", text, facts))

    def draw() -> Images:
        return dl.load_model(training.file).sample([*range(10)] * 2, seed=options.seed, progress=False)

    code = training.train(steps, options.steps, noted, keep, draw)
    say_next("sample", training.file, "--labels", "2026")
    return code
