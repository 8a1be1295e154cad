"""Options that several commands share, and what they mean."""

import inspect
from argparse import Namespace
from pathlib import Path

import torch

import diffusion_lab as dl
from diffusion_lab.checks import build
from diffusion_lab.cli._commands import Parser, hint
from diffusion_lab.mini_sd.pipeline import GUIDANCE, MiniSD
from diffusion_lab.pretrained import Pretrained
from diffusion_lab.sampling import SPACINGS

SAMPLING = ("num_steps", "sampler", "spacing", "eta", "guidance_scale")
"""Options of `add_model_options` that go to the sampler."""


def add_model_options(parser: Parser) -> None:
    """Declare which model draws, and how."""
    parser.add_argument("model", nargs="?", default="digits", help="a shipped model, or a .safetensors file")
    parser.add_argument("--num-steps", type=int, default=20, metavar="N", help="steps from noise to data")
    parser.add_argument(
        "--sampler", choices=sorted(dl.SAMPLERS), help="way from noise to data (default: the model's)"
    )
    parser.add_argument("--spacing", choices=sorted(SPACINGS), help="of the times (default: the sampler's)")
    parser.add_argument(
        "--eta", type=float, metavar="SHARE", help=f"share of fresh noise, in {' and '.join(_with_eta())}"
    )
    parser.add_argument(
        "--guidance-scale",
        type=float,
        metavar="SCALE",
        help=f"1 is plain, more exaggerates (default: 1; {GUIDANCE:g} for mini-sd)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same pictures")


def _with_eta() -> list[str]:
    return [name for name, steps in dl.SAMPLERS.items() if "eta" in inspect.signature(steps).parameters]


def sampling(options: Namespace) -> dict:
    """Collect the options for the sampler that were given."""
    sampler = options.sampler or "ddim"
    if options.eta is not None and sampler not in _with_eta():
        raise ValueError(f"--eta is for {' and '.join(_with_eta())}, not for {sampler}")
    chosen = {name: getattr(options, name) for name in SAMPLING}
    return {name: value for name, value in chosen.items() if value is not None}


def load(model: str) -> Pretrained | MiniSD:
    """Load a shipped model by its name, or any from its file."""
    return dl.load_model(model) if Path(model).suffix == ".safetensors" else dl.load_pretrained(model)


def add_source_option(parser: Parser) -> None:
    """Declare where the solutions are."""
    parser.add_argument(
        "--source",
        type=Path,
        metavar="FOLDER",
        help="folder of the solutions (default: solutions/, here or above)",
    )


def solutions(options: Namespace, start: Path) -> Path:
    """Find the folder of the solutions: the one that was given, or one in `start` or above it."""
    if options.source is not None:
        return options.source
    with hint(FileNotFoundError, "add --source"):
        return build.find_solutions(start)


def find_device(name: str) -> str:
    """Find the device that ``--device`` asks for; a `ValueError` says if torch has none of that kind."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, is_there in found.items() if is_there)
    if not found[name]:
        raise ValueError(f"--device {name}: torch finds none here; cpu always works")
    return name
