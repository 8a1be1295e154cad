"""Train the mini Stable Diffusion, one part after the other, and pack the parts into one model."""

import inspect
from argparse import Namespace
from functools import partial
from pathlib import Path

from diffusion_lab import data
from diffusion_lab.cli._commands import Command, Parser, add_commands, hint
from diffusion_lab.cli._options import find_device
from diffusion_lab.cli.train._cards import card, command_line
from diffusion_lab.cli.train._runs import Run, add_run_options, say_next, seed_torch
from diffusion_lab.mini_sd import stages
from diffusion_lab.mini_sd.pipeline import PARTS
from diffusion_lab.mini_sd.scenes import HELD_OUT, NUMBERS
from diffusion_lab.mini_sd.text import VOCABULARY
from diffusion_lab.shapes import check_range

OUT = "runs/mini-sd"


def add_options(parser: Parser) -> None:
    """Declare a command for every stage, and one that packs."""
    trainings = []
    for name, stage in stages.STAGES.items():
        text = inspect.getdoc(stage) or "The network."
        options = partial(add_run_options, out=OUT, steps=stage.steps)
        trainings.append(
            Command(name, f"Train {text[0].lower()}{text[1:]}", options, partial(train_stage, name))
        )
    text = "Join the VAE, the text encoder and the U-Net into one file, mini-sd.safetensors."
    add_commands(parser, [*trainings, Command("pack", text, add_pack_options, pack)])


def train_stage(name: str, options: Namespace) -> int:
    """Train one stage into a folder: its network, a checkpoint, and a note of its settings."""
    check_range("--steps", options.steps, 1)
    seed_torch(options)
    stage = stages.stage(options.out, name)
    note = options.out / f"{name}.json"
    training = Run(name, stage.file, stage.checkpoint, note, resume=options.resume, prefix=f"{name}-")
    done = stage.read_checkpoint()["index"] if options.resume else 0
    if options.resume and not note.is_file():
        raise FileNotFoundError(f"--resume: there is no {note}, which says what the run was")
    parents, device = stage.parent_fingerprints(), find_device(options.device)
    digits = data.mnist()
    chosen = {"seed": options.seed, "bfloat16": options.bfloat16}
    settings = {"steps": options.steps, **chosen, "data": digits.source}
    if options.resume:
        stage.refuse_other_parents(training.refuse_other_settings(settings))
    notes = {"of": options.steps, **chosen, "source": digits.source, **parents}
    if done == options.steps:  # nothing is left to do, but the file may be lost
        print(f"done after {done} steps: {stage.file if stage.file.exists() else stage.restore(**notes)}")
        say_next_stage(name, options.out)
        return 0
    check_range("--steps", options.steps, 1 + done)
    steps = stage.start(digits, num_steps=options.steps, device=device, resume=options.resume, **chosen)

    def keep(step) -> None:
        stage.keep(step.ema, steps=step.index, **notes)

    code = training.train(steps, options.steps, {**settings, **parents}, keep)
    if code == 0:
        say_next_stage(name, options.out)
    return code


def say_next_stage(name: str, out: Path) -> None:
    """Print which command comes after a stage; none after the judge, which is no part of the model."""
    order = [*(stage for stage in stages.STAGES if stage in PARTS), "pack"]
    if name in order:
        say_next("train", "mini-sd", order[order.index(name) + 1], "--out", out)


def add_pack_options(parser: Parser) -> None:
    """Declare where the parts are."""
    parser.add_argument("--out", type=Path, default=Path(OUT), metavar="FOLDER", help="of the parts")
    parser.add_argument("--force", action="store_true", help="replace mini-sd.safetensors if it is there")


def pack(options: Namespace) -> int:
    """Join what all stages left in a folder."""
    with hint(FileExistsError, "add --force to replace it"):
        path = stages.pack(options.out, card=packed_card, force=options.force)
    print(f"done: {path}")
    say_next("sample", path, "--prompt", "a big red seven")
    return 0


def packed_card(notes: dict[str, dict]) -> str:
    """Write the card of the packed model, with the commands that were noted for its parts."""
    text = f"""\
A Stable Diffusion in miniature: a VAE, a text encoder trained beside an image encoder (CLIP), and a U-Net in the
latent that reads captions by cross-attention. It draws 64 × 64 scenes of one to three handwritten digits in six colours
and two sizes, and knows {len(VOCABULARY)} words. Stored as float16.

Trained by, in this order:"""
    commands = []
    for name, note in notes.items():
        chosen = {"steps": note["of"], "seed": note["seed"], "bfloat16": note["bfloat16"]}
        done = f"{note['steps']:,} steps done, {note['source']}"
        commands.append(f"{command_line(f'train mini-sd {name}', chosen)} ({done})")
    commands.append(command_line("train mini-sd pack", {}))
    held_out = ", ".join(f"{colour} {NUMBERS[digit]}" for colour, digit in HELD_OUT.items())
    unseen = f"It never saw these pairs of colour and digit together: {held_out}."
    return f"{card('mini-sd', text, commands)}\n{unseen}\n"
