"""Training stage by stage in a folder: what each stage needs, how it starts or goes on, and what it leaves there."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Generator, nn

from diffusion_lab.data import Digits
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd import train
from diffusion_lab.mini_sd.judge import SceneJudge, save_scene_judge
from diffusion_lab.mini_sd.pipeline import PARTS, MiniSD, save_mini_sd
from diffusion_lab.mini_sd.text import Clip, tokenize
from diffusion_lab.mini_sd.vae import VAE
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import check_range, choose

SCENES = 60_000  # that the U-Net is trained on
SCHEDULE, OBJECTIVE = DiffusionSchedule.cosine(1000), "v"


class Stage(ABC):
    """One network of the miniature, trained in a folder.

    A subclass says what the network is, how it is trained, and which stages must come before.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """What the network is called in a sentence."""
    steps: ClassVar[int]
    """Optimiser steps unless told otherwise."""
    parents: ClassVar[tuple[str, ...]] = ()
    """The stages whose networks this one is trained with."""
    noted: ClassVar[tuple[str, ...]] = ("steps", "of", "seed", "bfloat16", "source")
    """What is noted about every network, with the fingerprints of its parents."""

    def __init__(self, out: Path):
        """Say where; nothing is read or written yet."""
        self.out = out
        self.file = out / f"{self.name}.safetensors"
        """What the stage leaves: its averaged weights, without what is needed in training only."""
        self.checkpoint = out / f"{self.name}.pt"
        """What it needs to go on."""

    @abstractmethod
    def network(self) -> nn.Module:
        """Make what is trained, with fresh weights."""

    @abstractmethod
    def fit(self, digits: Digits, device: str, seed: int, **options) -> Iterator:
        """Train a fresh network; options are those of `fitting.fit`."""

    def start(
        self,
        digits: Digits,
        *,
        num_steps: int,
        seed: int = 0,
        device: str = "cpu",
        bfloat16: bool = False,
        resume: bool = False,
    ) -> Iterator:
        """Begin, or go on; yields what the training of the network yields after each step.

        Args:
            digits: the handwriting.
            num_steps: optimiser steps in total.
            seed: decides everything but the first weights, which come from torch's own random numbers.
            device: where to compute.
            bfloat16: compute in 16 bits.
            resume: go on from the checkpoint in the folder.

        Raises:
            FileNotFoundError: if an earlier stage, or the checkpoint, is missing.
            ValueError: if nothing is left to do, or a file is damaged.
        """
        check_range("num_steps", num_steps, 1 + (self.read_checkpoint()["index"] if resume else 0))
        return self.fit(
            digits,
            device,
            seed,
            num_steps=num_steps,
            bfloat16=bfloat16,
            generator=Generator().manual_seed(seed + 1),
            resume=self.checkpoint if resume else None,
        )

    def read_checkpoint(self) -> dict:
        """Read ``index``, the steps done, and ``ema``, the averaged weights, from the checkpoint."""
        if not self.checkpoint.is_file():
            raise FileNotFoundError(f"there is no {self.checkpoint}")
        try:
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            return {"index": int(saved["index"]), "ema": saved["ema"]}
        except Exception as error:  # torch has many kinds for a damaged file
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"{self.checkpoint} is not a whole checkpoint of this training: {reason}"
            ) from error

    def keep(self, ema: nn.Module, **notes) -> Path:
        """Write the averaged network; notes are those of `noted`, and the fingerprints of the parents."""
        save_part(self.file, ema, **notes)
        return self.file

    def restore(self, **notes) -> Path:
        """Write a lost file again, from the checkpoint of its training."""
        saved, ema = self.read_checkpoint(), self.network()
        try:
            ema.load_state_dict(saved["ema"])
        except RuntimeError as error:
            raise ValueError(
                f"{self.checkpoint} is of another network than the stage {self.name!r}"
            ) from error
        return self.keep(ema, steps=saved["index"], **notes)

    def trained_file(self) -> Path:
        """Give the file that the stage left; a `FileNotFoundError` says to run the stage first."""
        if not self.file.is_file():
            raise FileNotFoundError(f"there is no {self.file}: run the stage {self.name!r} first")
        return self.file

    def load(self) -> nn.Module:
        """Read the trained network.

        Raises:
            FileNotFoundError: says which stage must come first.
            ValueError: if the file is damaged, or something else.
        """
        tensors, metadata = read_tensors(self.trained_file())
        try:
            part = PARTS[self.name](**json.loads(metadata["config"]))
            part.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{self.file} is not what the stage {self.name!r} writes: {reason}") from error
        return part.eval().requires_grad_(False)

    def notes(self) -> dict:
        """Read what `keep` noted; a `ValueError` says if the file has no such notes."""
        try:
            notes = json.loads(read_tensors(self.trained_file())[1]["notes"])
            missing = {*self.noted, *self.parents} - notes.keys()
        except (KeyError, AttributeError, json.JSONDecodeError):
            missing = {"notes"}
        if missing:
            raise ValueError(
                f"{self.file} does not say how it was trained: {', '.join(sorted(missing))} missing"
            )
        return notes

    def fingerprint(self) -> str:
        """Tell one trained network from another: the beginning of the sha256 of its weights."""
        found = hashlib.sha256()
        for name, tensor in sorted(read_tensors(self.trained_file())[0].items()):
            found.update(name.encode())
            found.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
        return found.hexdigest()[:16]

    def parent_fingerprints(self) -> dict[str, str]:
        """Fingerprints of the parents as they lie in the folder now, by name."""
        return {name: stage(self.out, name).fingerprint() for name in self.parents}

    def refuse_other_parents(self, noted: dict) -> None:
        """Raise a `ValueError` if the training that noted its parents had others than lie in the folder now."""
        others = [
            STAGES[name].title for name, now in self.parent_fingerprints().items() if noted.get(name) != now
        ]
        if others:
            raise ValueError(
                f"the {' and the '.join(others)} in {self.out} came after the {self.title}: "
                f"train {self.name!r} into another folder, or remove {self.checkpoint.name} and "
                f"{self.file.name} and run the stage {self.name!r} again"
            )


class VAEStage(Stage):
    """The VAE: it codes scenes of 64 × 64 pixels as 16 × 16 places, and paints them again."""

    name, title, steps = "vae", "VAE", 2000

    def network(self) -> nn.Module:
        """Make an untrained VAE."""
        return VAE()

    def fit(self, digits: Digits, device: str, seed: int, **options) -> Iterator:
        """See `train.train_vae`."""
        return train.train_vae(self.network().to(device), digits, **options)


class ClipStage(Stage):
    """The text encoder, beside an image encoder, so that captions find their scenes (CLIP)."""

    name, title, steps = "clip", "text encoder", 4500

    def network(self) -> nn.Module:
        """Make both untrained encoders."""
        return Clip()

    def fit(self, digits: Digits, device: str, seed: int, **options) -> Iterator:
        """See `train.train_clip`."""
        return train.train_clip(self.network().to(device), digits, **options)


class UNetStage(Stage):
    """The U-Net that denoises codes and reads captions; the VAE and the text encoder must be there."""

    name, title, steps = "unet", "U-Net", 8000
    parents = ("clip", "vae")
    noted = (*Stage.noted, "scale")

    def __init__(self, out: Path):
        """Say where."""
        super().__init__(out)
        self.codes_file = out / "latents.safetensors"
        """The scenes that it is trained on, in the code of this folder's VAE."""

    def network(self) -> nn.Module:
        """Make an untrained U-Net for this folder's text encoder, with no captions."""
        text = stage(self.out, "clip").load().text
        return train.Captioned(train.new_unet(text), text, tokenize([]))

    def fit(self, digits: Digits, device: str, seed: int, **options) -> Iterator:
        """See `train.train_unet`."""
        # Always both, and in this order: building them uses up some of torch's own random numbers, and the
        # first weights of the U-Net come from the next ones.
        text, vae = stage(self.out, "clip").load().text, stage(self.out, "vae").load()
        latents = self.codes(vae.to(device), digits, seed)
        unet = train.new_unet(text).to(device)
        return train.train_unet(unet, text.to(device), latents, SCHEDULE, objective=OBJECTIVE, **options)

    def codes(self, vae: nn.Module, digits: Digits, seed: int) -> train.Latents:
        """Read the codes of this folder's VAE.

        Make them if there are none, or if they were made from anything else.
        """
        made_from = {
            "vae": stage(self.out, "vae").fingerprint(),
            "source": digits.source,
            "seed": seed,
            "scenes": SCENES,
        }
        try:
            latents = train.load_latents(self.codes_file)
        except (FileNotFoundError, ValueError):
            latents = None
        if latents is None or latents.made_from != made_from:
            latents = train.encode_scenes(vae, digits, SCENES, Generator().manual_seed(seed + 2))
            train.save_latents(self.codes_file, latents._replace(made_from=made_from))
            latents = train.load_latents(self.codes_file)  # as they are after a resume: rounded
        return latents

    def keep(self, ema: nn.Module, **notes) -> Path:
        """Write the averaged U-Net, and the scale of the codes that it was trained on."""
        latents = train.load_latents(self.codes_file)
        return super().keep(
            ema.unet, **{**notes, "vae": latents.made_from.get("vae"), "scale": latents.scale}
        )


class JudgeStage(Stage):
    """The judge that says what a scene shows; it is no part of the model."""

    name, title, steps = "judge", "judge", 1500

    def __init__(self, out: Path):
        """Say where."""
        super().__init__(out)
        self.file = out / "mini-sd-judge.safetensors"

    def network(self) -> nn.Module:
        """Make an untrained judge."""
        return SceneJudge()

    def fit(self, digits: Digits, device: str, seed: int, **options) -> Iterator:
        """See `train.train_judge`."""
        return train.train_judge(self.network().to(device), digits, **options)

    def keep(self, ema: nn.Module, **notes) -> Path:
        """Write the averaged judge; it needs no notes."""
        save_scene_judge(self.file, ema)
        return self.file


STAGES: dict[str, type[Stage]] = {
    trained.name: trained for trained in (VAEStage, ClipStage, UNetStage, JudgeStage)
}
"""Every stage, in the order in which they need one another."""


def stage(out: Path, name: str) -> Stage:
    """Give the stage of `STAGES` with that name, in a folder."""
    return STAGES[choose("stage", name, STAGES)](out)


def save_part(path: Path, part: nn.Module, **notes) -> None:
    """Write one trained network with its configuration."""
    metadata = {"config": json.dumps(part.config), "notes": json.dumps(notes)}
    write_tensors(path, part.state_dict(), metadata, half=False)


def pack(
    out: Path, *, card: Callable[[dict[str, dict]], str] = lambda notes: "", force: bool = False
) -> Path:
    """Put the parts of all stages into one file, mini-sd.safetensors.

    Args:
        out: folder of the parts.
        card: makes the model card of what was noted about each part, by the name of its stage.
        force: replace the file if it is there.

    Raises:
        FileNotFoundError: says which stage is missing.
        FileExistsError: if the file is there, without `force`.
        ValueError: if the U-Net was trained with another VAE or text encoder, or a part is damaged.
    """
    path = out / "mini-sd.safetensors"
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already")
    parts = {name: stage(out, name).load() for name in PARTS}
    notes = {name: stage(out, name).notes() for name in PARTS}
    stage(out, "unet").refuse_other_parents(notes["unet"])
    model = MiniSD(
        **parts,
        schedule=SCHEDULE,
        objective=OBJECTIVE,
        scale=notes["unet"]["scale"],
        card=card(notes),
    )
    save_mini_sd(path, model)
    return path
