"""Execute the lessons in place and keep their outputs: ``python tools/run_lessons.py [notebooks/01_….ipynb …]``.

The real MNIST must be there (``DIFFUSION_LAB_DATA``), and nothing may be quick: the prose speaks of these
numbers. Each notebook is run from top to bottom in its own kernel, cleaned of everything that differs from
run to run, and written whole or not at all. Prints the seconds that each took, by the clock and of the
processor.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from clean_notebooks import clean  # beside this file
from nbclient import NotebookClient

import diffusion_lab as dl
from diffusion_lab import data
from diffusion_lab.checks import cards
from diffusion_lab.files import replacing

ROOT = Path(__file__).parent.parent


def kernel_seconds() -> float:
    """CPU-seconds of the kernels that have ended; 0 on Windows, which does not tell."""
    times = os.times()
    return times.children_user + times.children_system


def run(path: Path) -> None:
    """Execute one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    begin, computed = time.perf_counter(), kernel_seconds()
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    clean(notebook)
    with replacing(path) as part:
        nbformat.write(notebook, part)
    seconds = f"{time.perf_counter() - begin:.0f} s, {kernel_seconds() - computed:.0f} CPU-seconds"
    print(f"{path.name}: {seconds}, {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    if data.mnist(train=False).source != "mnist" or dl.unless_quick(False, True):
        sys.exit("set DIFFUSION_LAB_DATA to a folder that holds MNIST/raw/, and unset DIFFUSION_LAB_QUICK")
    os.environ["DIFFUSION_LAB_PROGRESS"] = "off"  # nobody has learned anything by this
    os.environ[cards.SWITCH] = "off"  # a solution stores the plain lines of its checks
    for path in (
        map(Path, sys.argv[1:]) if len(sys.argv) > 1 else sorted((ROOT / "notebooks").glob("*.ipynb"))
    ):
        run(path)
