"""Say what is installed and found here, and what to do about the rest."""

import importlib
import os
import platform
import sys
import time
from argparse import Namespace
from functools import partial
from importlib import metadata
from pathlib import Path

import torch

import diffusion_lab as dl
from diffusion_lab import data
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import find_device
from diffusion_lab.links import repository
from diffusion_lab.shipped import checked_file, shipped

PACKAGES = ("torchvision", "matplotlib", "jupyterlab")
"""What the course needs beside torch and the widgets."""


def add_options(parser: Parser) -> None:
    """Declare nothing: there is nothing to choose."""


def run(_options: Namespace) -> int:
    """Print one line per thing the course needs: ok, or what to do; exit code 1 if something is missing."""
    checks = [check_python, check_torch, *(partial(check_package, package) for package in PACKAGES)]
    checks += [check_widgets, check_data, check_weights, *([check_repository] if clone() else [])]
    missing = 0
    for check in checks:
        is_fine, text = check()
        missing += not is_fine
        print(f"{'ok ' if is_fine else '-> '} {text}")
    return 1 if missing else 0


def check_python() -> tuple[bool, str]:
    """Whether Python is new enough."""
    version = f"Python {platform.python_version()} on {platform.system()}, diffusion_lab {dl.__version__}"
    return sys.version_info >= (3, 10), version


def check_torch() -> tuple[bool, str]:
    """Where torch computes."""
    device = find_device("auto")
    threads = f"{torch.get_num_threads()} CPU threads (all the course needs)"
    return True, f"torch {torch.__version__}, {threads if device == 'cpu' else f'device {device}'}"


def check_package(name: str) -> tuple[bool, str]:
    """Whether a package can be imported."""
    try:
        importlib.import_module(name)
        return True, f"{name} {metadata.version(name)}"
    except (ImportError, RuntimeError, OSError) as error:
        return False, f'{name} does not import ({error}): run  {sys.executable} -m pip install -e ".[course]"'


def check_widgets() -> tuple[bool, str]:
    """Whether the sliders of the lessons can be shown."""
    for package in ("anywidget", "ipywidgets"):
        is_fine, text = check_package(package)
        if not is_fine:
            return False, text
    return True, f"{text}; the sliders of the lessons are drawn by the browser"


def check_data() -> tuple[bool, str]:
    """Whether MNIST is here; if not, the first use takes care of it."""
    named = os.environ.get("DIFFUSION_LAB_DATA")
    places = {"the folder that DIFFUSION_LAB_DATA names": named, "the cache": data.cache_folder()}
    for name, folder in places.items():
        if folder and data.has_mnist(folder):
            return True, f"MNIST, in {name}"
    alternatives = "the first use downloads 11 MB, or takes scikit-learn's digits if it cannot"
    return True, f"MNIST is not here yet: {alternatives}"


def check_weights() -> tuple[bool, str]:
    """Whether the shipped weights are whole, and how fast they draw."""
    try:
        begin = time.perf_counter()
        dl.load_judge()
        dl.load_pretrained("digits").sample([7], num_steps=10, progress=False)
        seconds = time.perf_counter() - begin
        for name in shipped():
            checked_file(name)
    except (ValueError, OSError) as error:
        return False, f"weights: {error}"
    return True, f"weights are whole; a digit in 10 steps took {seconds:.1f} s"


def clone() -> Path | None:
    """Give the clone that this package is used from, if it is; no matter where the command is called."""
    folder = Path(dl.__file__).parents[1]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir() else None


def check_repository() -> tuple[bool, str]:
    """Where the links of the clone lead, and whether that is the repository that it came from."""
    found = repository.read(clone())
    remote = repository.find_remote(clone(), found.branch)
    if remote and not found.leads_to(remote):
        start = remote.colab("notebooks/00_start_here.ipynb")
        place = f"to {found.url}" if found.is_set else "nowhere yet"
        command = f"diffusion-lab set-repository {remote.owner}/{remote.name}"
        return (
            True,
            f"links lead {place}, but this clone is of {remote.url}; to make them {start}:  {command}",
        )
    if found.is_set:
        return True, f"links lead to {found.url}, branch {found.branch}"
    return (
        True,
        "links lead nowhere yet, fine unless you publish a copy:  diffusion-lab set-repository OWNER/NAME",
    )
