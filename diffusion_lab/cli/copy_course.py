"""Copy the course into a folder of your own.

Lessons and exercises are copied once, and what you change is never overwritten. Called again, it brings copies
that you have not changed up to date, and lays newer ones beside those that you have.
"""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

import diffusion_lab as dl
from diffusion_lab import progress
from diffusion_lab.cli._commands import Parser
from diffusion_lab.course import copies
from diffusion_lab.course.copies import Copied
from diffusion_lab.links import repository


def add_options(parser: Parser) -> None:
    """Declare where to."""
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"to copy to (default: {copies.FOLDER}, in the clone)"
    )


def run(options: Namespace) -> int:
    """Copy, trust what was copied, and say in a line what was done."""
    clone = find_clone()
    done = copies.copy(clone, clone / copies.FOLDER if options.out is None else options.out)
    came_along = not done.was_there and progress.take_along(done.folder)
    print(f"{short(done.folder)}: {summary(done)}{'; your progress came along' if came_along else ''}")
    fresh = [*done.added, *done.updated, *done.newer.values()]
    if not trust(done.folder / name for name in fresh if name.endswith(".ipynb")):
        print("Jupyter did not trust the copies: players move once their cells were run", file=sys.stderr)
    return 0


def find_clone() -> Path:
    """Find the clone around the working directory, or else the one that this package is used from."""
    try:
        return repository.find_root(Path.cwd())
    except FileNotFoundError:
        return repository.find_root(Path(dl.__file__).parent)


def summary(done: Copied) -> str:
    """Say what was done."""
    if not done.was_there:
        kinds = [
            sum(name.startswith(f"{kind}/") for name in done.added) for kind in ("notebooks", "exercises")
        ]
        return f"copied {kinds[0]} lessons and {kinds[1]} exercises, which are yours to change"
    parts = []
    if done.updated:
        parts.append(f"brought up to date what you had not changed: {few(done.updated)}")
    if done.added:
        parts.append(f"added {few(done.added)}")
    if done.newer:
        parts.append(f"newer ones lie beside what you have changed: {', '.join(done.newer.values())}")
    return "; ".join(parts) or "nothing new"


def few(names: list[str]) -> str:
    """Name files, or count them where they are many."""
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} files"


def short(path: Path) -> str:
    """Write a path as seen from the working directory, if it lies there."""
    path, here = path.resolve(), Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def trust(notebooks: Iterable[Path]) -> bool:
    """Let Jupyter show players before their cells are run; False if it cannot be asked to."""
    paths = [str(path) for path in notebooks]
    command = [sys.executable, "-m", "jupyter", "trust", *paths]
    return not paths or subprocess.run(command, capture_output=True, check=False).returncode == 0
