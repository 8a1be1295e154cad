"""Training stage by stage in a folder: what each stage needs, how it starts or goes on, and what it leaves there.

``diffusion-lab train-mini-sd`` runs these.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Generator, nn

from diffusion_lab.data import Digits
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.fitting import Step
from diffusion_lab.mini_sd import train
from diffusion_lab.mini_sd.judge import SceneJudge, save_scene_judge, train_judge
from diffusion_lab.mini_sd.pipeline import PARTS, MiniSD, save_mini_sd
from diffusion_lab.mini_sd.scenes import HELD_OUT, NUMBERS
from diffusion_lab.mini_sd.text import VOCABULARY, Clip, tokenize
from diffusion_lab.mini_sd.vae import VAE
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import check_range, choose

STEPS = {"vae": 2000, "clip": 4500, "unet": 8000, "judge": 1500}
"""Every stage that trains, in the order in which they need one another, with its optimiser steps."""
SCENES = 60_000  # that the U-Net is trained on
SCHEDULE, OBJECTIVE = DiffusionSchedule.cosine(1000), "v"
PARENTS = {"clip": "text encoder", "vae": "VAE"}
"""The stages whose parts the U-Net is trained with, and what is said of them."""
NOTED = ("steps", "of", "seed", "bfloat16", "source")
"""What is noted about every part.

About the U-Net also the fingerprints of `PARENTS`, and the scale of its codes.
"""


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
    write_tensors(
        path, part.state_dict(), {"config": json.dumps(part.config), "notes": json.dumps(notes)}, half=False
    )


def load_part(out: Path, stage: str) -> nn.Module:
    """Read one trained part.

    Raises:
        FileNotFoundError: says which stage must come first.
        ValueError: if the file is damaged, or something else.
    """
    tensors, metadata = read_tensors(path := _there(out, stage))
    try:
        part = PARTS[stage](**json.loads(metadata["config"]))
        part.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is not what the stage {stage!r} writes: {reason}") from error
    return part.eval().requires_grad_(False)


def _there(out: Path, stage: str) -> Path:
    path = part_file(out, stage)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: run the stage {stage!r} first")
    return path


def fingerprint(out: Path, stage: str) -> str:
    """Tell one trained part from another: the beginning of the sha256 of its weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(read_tensors(_there(out, stage))[0].items()):
        found.update(name.encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def parents(out: Path, stage: str) -> dict[str, str]:
    """Fingerprints of the parts that a stage is trained with: two for the U-Net, none for the others."""
    return {name: fingerprint(out, name) for name in PARENTS} if stage == "unet" else {}


def refuse_other_parents(out: Path, noted: dict) -> None:
    """Raise a `ValueError` if the U-Net that noted its `parents` was trained with others than those in the folder."""
    now = parents(out, "unet")
    if other := [called for name, called in PARENTS.items() if noted.get(name) != now[name]]:
        raise ValueError(
            f"the {' and the '.join(other)} in {out} came after the U-Net: train 'unet' into another folder, "
            "or remove unet.pt and unet.safetensors and run the stage 'unet' again"
        )


def read_checkpoint(out: Path, stage: str) -> dict:
    """Read of a checkpoint the ``index``, steps done, and ``ema``, the averaged weights."""
    path = checkpoint(out, stage)
    if not path.is_file():
        raise FileNotFoundError(f"--resume: there is no {path}")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return {"index": int(saved["index"]), "ema": saved["ema"]}
    except Exception as error:  # torch has many kinds for a damaged file
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is not a whole checkpoint of this training: {reason}") from error


def start(
    stage: str,
    out: Path,
    digits: Digits,
    *,
    num_steps: int,
    seed: int = 0,
    device: str = "cpu",
    bfloat16: bool = False,
    resume: bool = False,
) -> Iterator[Step]:
    """Begin a stage of `STEPS`, or go on with it; yields the `Step` of `fitting.fit`.

    Args:
        stage, out: which, and the folder where earlier stages left their parts.
        digits: the handwriting.
        num_steps: optimiser steps in total, ``--steps``.
        bfloat16: as for `fitting.fit`.
        seed: decides everything but the first weights, which come from torch's own random numbers.
        device: where to compute.
        resume: go on from the checkpoint in the folder.

    Raises:
        FileNotFoundError: if an earlier stage, or the checkpoint, is missing.
        ValueError: if nothing is left to do, or a file is damaged.
    """
    choose("stage", stage, STEPS)
    check_range("--steps", num_steps, 1 + (read_checkpoint(out, stage)["index"] if resume else 0))
    generator = Generator().manual_seed(seed + 1)
    options = {"num_steps": num_steps, "bfloat16": bfloat16, "generator": generator}
    options["resume"] = checkpoint(out, stage) if resume else None
    if stage == "vae":
        return train.train_vae(VAE().to(device), digits, **options)
    if stage == "clip":
        return train.train_clip(Clip().to(device), digits, **options)
    if stage == "judge":
        return train_judge(SceneJudge().to(device), digits, **options)
    # Always both, and in this order: building them uses up some of torch's own random numbers, and the first
    # weights of the U-Net come from the next ones.
    text, vae = load_part(out, "clip").text, load_part(out, "vae")
    latents = codes(out, vae.to(device), digits, seed)
    unet = train.new_unet(text).to(device)
    return train.train_unet(unet, text.to(device), latents, SCHEDULE, objective=OBJECTIVE, **options)


def codes(out: Path, vae: nn.Module, digits: Digits, seed: int) -> train.Latents:
    """Read the codes of this folder's VAE.

    Make them if there are none, or if they were made from anything else.
    """
    path, made_from = codes_file(out), {"vae": fingerprint(out, "vae"), "source": digits.source, "seed": seed}
    made_from["scenes"] = SCENES
    try:
        latents = train.load_latents(path)
    except (FileNotFoundError, ValueError):
        latents = None
    if latents is None or latents.made_from != made_from:
        latents = train.encode_scenes(vae, digits, SCENES, Generator().manual_seed(seed + 2))
        train.save_latents(path, latents._replace(made_from=made_from))
        latents = train.load_latents(path)  # as they are after a resume: rounded
    return latents


def keep(stage: str, out: Path, ema: nn.Module, **notes) -> Path:
    """Write what a stage trained: its averaged weights, without what is needed in training only.

    Notes are those of `NOTED`, and of the U-Net its `parents`.
    """
    path = part_file(out, stage)
    if stage == "unet":
        latents = train.load_latents(codes_file(out))
        notes |= {"vae": latents.made_from.get("vae"), "scale": latents.scale}
    if stage == "judge":
        save_scene_judge(path, ema)
    else:
        save_part(path, ema.unet if stage == "unet" else ema, **notes)
    return path


def keep_again(stage: str, out: Path, **notes) -> Path:
    """Write a part that is lost, out of the checkpoint of its training."""
    if stage == "unet":
        text = load_part(out, "clip").text
        ema: nn.Module = train.Captioned(train.new_unet(text), text, tokenize([]))
    else:
        ema = {"vae": VAE, "clip": Clip, "judge": SceneJudge}[stage]()
    saved = read_checkpoint(out, stage)
    try:
        ema.load_state_dict(saved["ema"])
    except RuntimeError as error:
        raise ValueError(
            f"{checkpoint(out, stage)} is of another network than the stage {stage!r}"
        ) from error
    return keep(stage, out, ema, steps=saved["index"], **notes)


def pack(out: Path, force: bool = False) -> Path:
    """Put the parts of all stages into one file, mini-sd.safetensors.

    Raises:
        FileNotFoundError: says which stage is missing.
        FileExistsError: if the file is there, without `force`.
        ValueError: if the U-Net was trained with another VAE or text encoder, or a part is damaged.
    """
    path = out / "mini-sd.safetensors"
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already: add --force to replace it")
    parts, noted = {name: load_part(out, name) for name in PARTS}, notes_of(out)["unet"]
    refuse_other_parents(out, noted)
    model = MiniSD(**parts, schedule=SCHEDULE, objective=OBJECTIVE, scale=noted["scale"], card=card_of(out))
    save_mini_sd(path, model)
    return path


def notes_of(out: Path) -> dict[str, dict]:
    """What `keep` noted about each part that is there; a `ValueError` names a file that has no such notes."""
    found = {}
    for name in PARTS:
        if (path := part_file(out, name)).is_file():
            try:
                found[name] = json.loads(read_tensors(path)[1]["notes"])
                missing = {*NOTED, *(() if name != "unet" else (*PARENTS, "scale"))} - found[name].keys()
            except (KeyError, AttributeError, json.JSONDecodeError):
                missing = {"notes"}
            if missing:
                raise ValueError(
                    f"{path} does not say how it was trained: {', '.join(sorted(missing))} missing"
                )
    return found


def card_of(out: Path) -> str:
    """Say what the packed model is and by which commands its parts came to be."""

    def line(stage: str, note: dict) -> str:
        flags = f"--steps {note['of']} --seed {note['seed']}{' --bfloat16' * note['bfloat16']}"
        return (
            f"- `diffusion-lab train-mini-sd {stage} {flags}` ({note['steps']:,} steps done,"
            f" {note['source']})"
        )

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
