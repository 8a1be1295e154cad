"""Trained networks as files: safetensors with everything needed to use them, and the ones that ship with the course.

A model file holds the weights (as float16), the network's configuration, the schedule, the objective and a
model card. Nothing is unpickled.
"""

import json
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion_lab import evaluation
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd import pipeline as mini_sd
from diffusion_lab.sampling import State, sample
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, choose
from diffusion_lab.shipped import checked_file, shipped
from diffusion_lab.unet import PlainConvNet, SimpleDiffusion, UNet

BEST = {"sampler": "dpmpp_2m", "spacing": "logsnr", "eta": 1.0}
"""What a model of digits is evaluated with unless told otherwise: the winner of ``benchmarks.sampler_efficiency`` at 20
steps."""
OTHER_FILES = ("judge", "training-film")
"""What the names of shipped files end with that are no models."""
NETWORKS = {network.__name__: network for network in (UNet, SimpleDiffusion, PlainConvNet)}


class Pretrained(NamedTuple):
    """A trained denoiser and what belongs to it."""

    model: nn.Module
    """In evaluation mode, float32, on the CPU."""
    schedule: DiffusionSchedule
    objective: str
    card: str
    """Where it comes from and how good it is, as markdown."""

    condition = "labels"
    """The argument of `sample` that says what to draw."""
    pictures = "digits"
    """What it draws."""

    def sample(
        self,
        labels: list[int] | Tensor,
        *,
        guidance_scale: float = 1.0,
        num_steps: int = 20,
        sampler: str = "ddim",
        seed: int = 0,
        size: int = 28,
        **options,
    ) -> Images:
        """Draw one picture for each label, (B, C, size, size) in [-1, 1]; the same seed gives the same pictures.

        See `sampling.sample` for the arguments and errors; a model without classes raises a `ValueError`.
        """
        if getattr(self.model, "null_label", None) is None:
            raise ValueError(
                "this model has no classes, so labels say nothing to it: use dl.sample(...) with a shape"
            )
        generator = options.pop("generator", None) or torch.Generator().manual_seed(seed)
        shape = (len(labels), self.model.config["in_channels"], size, size)
        options |= {
            "sampler": sampler,
            "num_steps": num_steps,
            "labels": labels,
            "guidance_scale": guidance_scale,
        }
        return sample(
            self.model, self.schedule, shape, objective=self.objective, generator=generator, **options
        )

    def show(self, state: State) -> Images:
        """Give the pictures at a step of sampling, (B, C, H, W): x_t as it is."""
        return state.x_t

    def save(self, path: str | Path) -> None:
        """Write a model file that `load_model` reads, whole or not at all."""
        save_model(path, self.model, self.schedule, self.objective, self.card)

    def evaluate(self, num_samples: int = 2000, *, seed: int = 0, **options) -> evaluation.Evaluation:
        """Judge drawn digits by the judge that ships with the course; see `evaluation.evaluate`.

        Args:
            num_samples: how many to draw, at least 200.
            seed: decides the noise.
            **options: those of `sample`; without a ``sampler`` it is `BEST`.

        A `ValueError` names the argument that is unknown or out of range.
        """
        options = {"guidance_scale": 1.0, **({} if "sampler" in options else BEST), **options}
        generator, begin = torch.Generator().manual_seed(seed), time.process_time()
        batch_sizes: list[int] = []
        counter = self.model.register_forward_pre_hook(
            lambda _network, args: batch_sizes.append(len(args[0]))
        )
        try:
            report = evaluation.evaluate(
                lambda labels: self.sample(labels, generator=generator, progress=False, **options),
                *load_judge(),
                num_samples=num_samples,
            )
        finally:
            counter.remove()
        how = (
            f"{num_samples:,} samples, {evaluation.describe_sampler(options['sampler'], options)}, "
            f"{sum(batch_sizes) / num_samples:g} network evaluations each, "
            f"guidance scale {options['guidance_scale']:g}"
        )
        return evaluation.Evaluation(how, time.process_time() - begin, report)


def load_pretrained(name: str) -> Pretrained | mini_sd.MiniSD:
    """Load a model that ships with the course, one of `shipped()`; ``"mini-sd"`` draws from words.

    Judges and films of a training ship, too, and have functions of their own.

    A `ValueError` says if there is none of that name, or its file is damaged.
    """
    choose("name", name, (n for n in shipped() if not n.endswith(OTHER_FILES)))
    return load_model(checked_file(name))


def load_model(path: str | Path) -> Pretrained | mini_sd.MiniSD:
    """Load a model file written by `save_model` or by ``diffusion-lab train``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated, or is no model file of this course.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path)
    if "configs" in metadata:
        return mini_sd.unpack(path, tensors, metadata)
    try:
        network = NETWORKS[metadata["network"]](**json.loads(metadata["config"]))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        schedule = DiffusionSchedule.from_config(json.loads(metadata["schedule"]))
        network.trained_objective, card = metadata["objective"], metadata["card"]
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a model file of diffusion_lab: {error}") from error
    network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return Pretrained(network, schedule, metadata["objective"], card)


def save_model(
    path: str | Path, model: nn.Module, schedule: DiffusionSchedule, objective: str, card: str = ""
) -> None:
    """Write a model file, whole or not at all."""
    metadata = {
        "network": choose("network", type(model).__name__, NETWORKS),
        "config": json.dumps(model.config),
        "schedule": json.dumps(schedule.config),
        "objective": objective,
        "card": card,
    }
    write_tensors(path, model.state_dict(), metadata)


class Judge(NamedTuple):
    """The digit classifier, and what real digits look like to it."""

    classifier: evaluation.DigitClassifier
    reference: evaluation.Reference


def load_judge(path: str | Path | None = None) -> Judge:
    """Load the judge of `evaluation` that ships with the course, or one from a file."""
    path = Path(path) if path else checked_file("judge")
    tensors, metadata = read_tensors(path)
    classifier = evaluation.DigitClassifier()
    try:
        classifier.load_state_dict(
            {name: t for name, t in tensors.items() if not name.startswith("reference.")}
        )
        floors = {int(number): floor for number, floor in json.loads(metadata["floors"]).items()}
        gaussian = evaluation.Gaussian(tensors["reference.mean"], tensors["reference.covariance"])
        reference = evaluation.Reference(
            gaussian, tensors["reference.class_counts"], float(metadata["spread"]), floors
        )
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a judge of diffusion_lab: {error}") from error
    return Judge(classifier.eval().requires_grad_(False), reference)


def save_judge(path: str | Path, judge: Judge) -> None:
    """Write a judge, whole or not at all."""
    reference = judge.reference
    tensors = {
        **judge.classifier.state_dict(),
        "reference.mean": reference.gaussian.mean,
        "reference.covariance": reference.gaussian.covariance,
        "reference.class_counts": reference.class_counts,
    }
    write_tensors(
        path, tensors, {"floors": json.dumps(reference.floors), "spread": repr(reference.spread)}, half=False
    )


class TrainingFilm(NamedTuple):
    """What a network drew, again and again from the same noise, while it was trained."""

    steps: list[int]
    """How many optimiser steps were done at each time, from 0 on."""
    pictures: Images
    """What was drawn at each time, (times, pictures, C, H, W) in [-1, 1]."""
    about: str
    """How it was trained and drawn, in a sentence."""


def load_training_film(path: str | Path | None = None) -> TrainingFilm:
    """Load the film of a training that ships with the course, ten digits at each time, or one from a file."""
    path = Path(path) if path else checked_file("digits-training-film")
    tensors, metadata = read_tensors(path)
    try:
        pictures = tensors["pictures"].float() / 127.5 - 1
        return TrainingFilm(tensors["steps"].tolist(), pictures, metadata["about"])
    except KeyError as error:
        raise ValueError(f"{path} is not a film of a training: it has no {error}") from error


def save_training_film(path: str | Path, film: TrainingFilm) -> None:
    """Write a film of a training, whole or not at all; of each pixel 256 shades are kept."""
    pictures = ((film.pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    write_tensors(path, {"steps": torch.tensor(film.steps), "pictures": pictures}, {"about": film.about})
