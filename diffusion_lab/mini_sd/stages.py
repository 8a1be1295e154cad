"""Training stage by stage in a folder: what each stage needs, how it starts or goes on, and what it leaves there.

``diffusion-lab train-mini-sd`` runs these.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from torch import Generator, nn

from diffusion_lab.data import Digits
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd import train
from diffusion_lab.mini_sd.judge import SceneJudge, save_scene_judge, train_judge
from diffusion_lab.mini_sd.pipeline import PARTS, MiniSD, save_mini_sd
from diffusion_lab.mini_sd.scenes import HELD_OUT, NUMBERS
from diffusion_lab.mini_sd.text import VOCABULARY, Clip
from diffusion_lab.mini_sd.vae import VAE
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import choose

STEPS = {"vae": 2000, "clip": 4500, "unet": 8000, "judge": 1500}
"""Every stage that trains, in the order in which they need one another, with its optimiser steps."""
SCENES = 60_000  # that the U-Net is trained on
SCHEDULE, OBJECTIVE = DiffusionSchedule.cosine(1000), "v"


def part_file(out: Path, stage: str) -> Path:
    """Where a stage leaves what it trained."""
    return out / ("mini-sd-judge.safetensors" if stage == "judge" else f"{stage}.safetensors")


def checkpoint(out: Path, stage: str) -> Path:
    """Where a stage keeps what it needs to go on."""
    return out / f"{stage}.pt"


def codes_file(out: Path) -> Path:
    """Where the U-Net's stage keeps the scenes that it is trained on, in the code of this folder's VAE."""
    return out / "latents.safetensors"


def save_part(path: Path, part: nn.Module, **notes) -> None:
    """Write one trained part with its configuration."""
    write_tensors(path, part.state_dict(), {"config": json.dumps(part.config), "notes": json.dumps(notes)}, half=False)


def load_part(out: Path, stage: str) -> nn.Module:
    """Read one trained part; a `FileNotFoundError` says which stage must come first."""
    path = part_file(out, stage)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: run the stage {stage!r} first")
    tensors, metadata = read_tensors(path)
    part = PARTS[stage](**json.loads(metadata["config"]))
    part.load_state_dict(tensors)
    return part.eval().requires_grad_(False)


def start(
    stage: str, out: Path, digits: Digits, *, num_steps: int, seed: int = 0, device: str = "cpu",
    bfloat16: bool = False, resume: bool = False,
) -> Iterator:
    """Begin a stage of `STEPS`, or go on with it; yields what `train.fit` or `training.train` yield.

    Args:
        stage, out: which, and the folder where earlier stages left their parts.
        digits: the handwriting.
        num_steps, bfloat16: as for `train.fit`.
        seed: decides everything but the first weights, which come from torch's own random numbers.
        device: where to compute.
        resume: go on from the checkpoint in the folder.

    Raises:
        FileNotFoundError: if an earlier stage, or the checkpoint, is missing.
    """
    choose("stage", stage, STEPS)
    if resume and not checkpoint(out, stage).is_file():
        raise FileNotFoundError(f"--resume: there is no {checkpoint(out, stage)}")
    generator = Generator().manual_seed(seed + 1)
    options = {"num_steps": num_steps, "bfloat16": bfloat16, "generator": generator}
    options["resume"] = checkpoint(out, stage) if resume else None
    if stage == "vae":
        return train.train_vae(VAE().to(device), digits, **options)
    if stage == "clip":
        return train.train_clip(Clip().to(device), digits, **options)
    if stage == "judge":
        return train_judge(SceneJudge().to(device), digits, **options)
    latents_file, text = codes_file(out), load_part(out, "clip").text
    if not latents_file.is_file():
        codes = train.encode_scenes(load_part(out, "vae").to(device), digits, SCENES, Generator().manual_seed(seed + 2))
        train.save_latents(latents_file, codes)
    latents = train.load_latents(latents_file)
    unet = train.new_unet(text).to(device)
    return train.train_unet(unet, text.to(device), latents, SCHEDULE, objective=OBJECTIVE, **options)


def keep(stage: str, out: Path, ema: nn.Module, **notes) -> Path:
    """Write what a stage trained: its averaged weights, without what is needed in training only."""
    path = part_file(out, stage)
    if stage == "unet":
        notes["reads"] = _fingerprint(part_file(out, "clip"))
    if stage == "vae":
        codes_file(out).unlink(missing_ok=True)  # those of the VAE before; the U-Net's stage makes them again
    if stage == "judge":
        save_scene_judge(path, ema)
    else:
        save_part(path, ema.unet if stage == "unet" else ema, **notes)
    return path


def pack(out: Path) -> Path:
    """Put the parts of all stages into one file, mini-sd.safetensors.

    A `FileNotFoundError` says which stage is missing, or that the U-Net learned with another VAE or text encoder.
    """
    parts = {name: load_part(out, name) for name in PARTS}
    newer = [] if codes_file(out).is_file() else ["VAE"]
    newer += ["text encoder"] if notes_of(out)["unet"]["reads"] != _fingerprint(part_file(out, "clip")) else []
    if newer:
        raise FileNotFoundError(f"the {' and the '.join(newer)} in {out} came after the U-Net: run the stage 'unet' "
                                "again, with --resume and more --steps")  # fmt: skip
    scale = train.load_latents(codes_file(out)).scale
    path = out / "mini-sd.safetensors"
    save_mini_sd(path, MiniSD(**parts, schedule=SCHEDULE, objective=OBJECTIVE, scale=scale, card=card_of(out)))
    return path


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def notes_of(out: Path) -> dict[str, dict]:
    """What `keep` noted about each part that is there."""
    paths = {name: part_file(out, name) for name in PARTS}
    return {name: json.loads(read_tensors(path)[1]["notes"]) for name, path in paths.items() if path.is_file()}


def card_of(out: Path) -> str:
    """Say what the packed model is and by which commands its parts came to be."""

    def line(stage: str, note: dict) -> str:
        flags = f"--steps {note['of']} --seed {note['seed']}{' --bfloat16' * note['bfloat16']}"
        return f"- `diffusion-lab train-mini-sd {stage} {flags}` ({note['steps']:,} steps done, {note['source']})"

    held_out = ", ".join(f"{colour} {NUMBERS[digit]}" for colour, digit in HELD_OUT.items())
    how = "\n".join(line(stage, note) for stage, note in notes_of(out).items())
    return f"""# mini-sd

A Stable Diffusion in miniature: a VAE, a text encoder trained beside an image encoder (CLIP), and a U-Net in the
latent that reads captions by cross-attention. It draws 64 × 64 scenes of one to three handwritten digits in six colours
and two sizes, and knows {len(VOCABULARY)} words. Stored as float16.

Trained by, in this order:

{how}
- `diffusion-lab train-mini-sd pack`

It never saw these pairs of colour and digit together: {held_out}.
"""
