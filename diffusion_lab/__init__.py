"""diffusion_lab: the package that the diffusion-lab course is written with.

``import diffusion_lab as dl`` brings the parts below; ``dl.figures`` and ``dl.widgets`` load when they are
first used.
"""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from diffusion_lab import (
    data,
    evaluation,
    fitting,
    guidance,
    optimization,
    oracle,
    process,
    sampling,
    schedules,
    training,
    unet,
)
from diffusion_lab.fitting import fit
from diffusion_lab.guidance import ClassifierFreeGuidance
from diffusion_lab.pretrained import load_judge, load_model, load_pretrained, save_judge, save_model
from diffusion_lab.process import convert, express, forward_step, posterior, split
from diffusion_lab.sampling import SAMPLERS, State, sample
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.training import diffusion_loss, train
from diffusion_lab.unet import PlainConvNet, SimpleDiffusion, UNet

try:
    __version__ = version("diffusion-lab")
except PackageNotFoundError:  # used from a folder, not installed
    __version__ = "0"

__all__ = [
    "SAMPLERS",
    "ClassifierFreeGuidance",
    "DiffusionSchedule",
    "PlainConvNet",
    "SimpleDiffusion",
    "State",
    "UNet",
    "convert",
    "course_progress",
    "data",
    "diffusion_loss",
    "evaluation",
    "express",
    "figures",
    "fit",
    "fitting",
    "forward_step",
    "guidance",
    "load_judge",
    "load_model",
    "load_pretrained",
    "optimization",
    "oracle",
    "posterior",
    "process",
    "sample",
    "sampling",
    "save_judge",
    "save_model",
    "schedules",
    "show_source",
    "split",
    "train",
    "train_diffusion",
    "training",
    "unet",
    "unless_quick",
    "variants",
    "widgets",
]


def __getattr__(name: str):
    """Load the modules that need matplotlib or ipywidgets, or that one lesson needs, only when they are asked for."""
    if name in ("variants", "figures", "widgets"):
        return importlib.import_module(f"diffusion_lab.{name}")
    raise AttributeError(f"module 'diffusion_lab' has no attribute {name!r}")


def course_progress() -> Any:
    """Give your progress in the whole course, which a notebook shows as a card and `print` as text.

    It shows which lessons were opened, what was guessed, which tasks are solved, and what is next.
    """
    return importlib.import_module("diffusion_lab.progress_page").progress_page()


def show_source(thing: Callable) -> None:
    """Print the source of a function or class of this package, to read it where it is used."""
    print(inspect.getsource(thing))


@functools.wraps(training.train_diffusion)
def train_diffusion(
    model: Any, loader: Any, schedule: DiffusionSchedule, *epochs: int, **options
) -> list[float]:
    """Call `training.train_diffusion`, in a notebook with the display of `widgets`."""
    if "ipykernel" in sys.modules and "watch" not in options:
        monitor = importlib.import_module("diffusion_lab.widgets.training_monitor")
        if monitor.in_kernel():
            draw = monitor.draw_samples(loader, schedule, options.get("objective", "v"))
            options["watch"] = functools.partial(monitor.watch, draw=draw)
    return training.train_diffusion(model, loader, schedule, *epochs, **options)


def unless_quick(full: Any, quick: Any) -> Any:
    """Give `full`, or `quick` where the environment variable DIFFUSION_LAB_QUICK is set to anything but 0.

    Lessons ask it how long to train, and the tests set the variable: the same notebook then runs in seconds,
    and its networks draw nothing worth looking at.
    """
    return full if os.environ.get("DIFFUSION_LAB_QUICK", "0") in ("", "0") else quick
