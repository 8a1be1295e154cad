"""Making the zip that a server grades an exercise with.

Beside the files of the server it holds what `autograder` needs there: the package with those of its weights that the
exercise loads, the solution of the one exercise, what to install, what was chosen, and the results to hand over if all
else fails.
"""

import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from diffusion_lab.files import replacing
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.servers.host import (
    COURSE,
    FAILED,
    SETTINGS,
    SOLUTIONS,
    Host,
    Settings,
    Visit,
    grader_failed,
)
from diffusion_lab.shipped import FOLDER, shipped

PACKAGE = Path(__file__).parents[1]
LEFT_OUT = ("checks/bank", "component_map", "__pycache__")
"""Folders of the package that grading has no use for."""
NEEDED = ("ipykernel", "jinja2", "nbval", "pytest")
"""What grading needs of the extra ``course``."""
OWN_INDEX = ("torch", "torchvision")
"""What the scripts install without CUDA, from PyTorch's own index, before all else."""


def settings(key: Key, notebook: str, **chosen) -> Settings:
    """What a bundle is told of its exercise, and what was chosen, see `Settings`."""
    heading = key.solution.cells[0].source.partition("\n")[0]  # "# Exercise 01 · Forward noising"
    return Settings(key.exercise, heading.rpartition(" · ")[2].strip("# "), notebook, key.points, **chosen)


def write(out: Path, host: Host, chosen: Settings, solution: Path) -> int:
    """Write a bundle, whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        FileExistsError: if `out` is there already.
        OSError: if it cannot be written.
    """
    if out.exists():
        raise FileExistsError(f"out: {out} is there already")
    data = made(host, chosen, solution)
    with replacing(out) as part:
        part.write_bytes(data)
    return len(data)


def made(host: Host, chosen: Settings, solution: Path) -> bytes:
    """Make the zip. The same choices give the same bytes."""
    inside = host.inside(chosen)
    files = {name: text.encode() for name, text in host.files(chosen).items()}
    for name, content in _bundle(host, chosen, solution):
        files[f"{inside}/{name}" if inside else name] = content
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if content.startswith(b"#!") else 0o100644) << 16
            archive.writestr(entry, content)
    return written.getvalue()


def _bundle(host: Host, chosen: Settings, solution: Path) -> Iterator[tuple[str, bytes]]:
    failed = host.refused(grader_failed(), chosen, Visit())
    yield SETTINGS, json.dumps(dataclasses.asdict(chosen), indent=1).encode()
    yield FAILED, json.dumps(failed).encode()
    yield "requirements.txt", "".join(f"{line}\n" for line in requirements()).encode()
    yield f"{SOLUTIONS}/{chosen.notebook}", solution.read_bytes()
    weights = {"manifest.json", *loaded(solution)}
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and not any(f"/{folder}/" in f"/{name}" for folder in LEFT_OUT):
            if path.parent == FOLDER and path.name not in weights:
                continue
            yield f"{COURSE}/{PACKAGE.name}/{name}", path.read_bytes()


def loaded(solution: Path) -> set[str]:
    """The files of weights that a solution loads: those that it names in quotes, and the judge by its function."""
    cells = json.loads(solution.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    named = {name for name in shipped() if re.search(rf"""["']{re.escape(name)}["']""", code)}
    named |= {"judge"} if "load_judge" in code else set()
    return {shipped()[name]["file"] for name in named}


def requirements() -> list[str]:
    """What has to be installed where a bundle runs, as the package declares it, without torch.

    Raises:
        ValueError: if the package is not installed here, so that nobody knows.
    """
    try:
        declared = [Requirement(text) for text in metadata.requires("diffusion-lab") or []]
    except metadata.PackageNotFoundError:
        raise ValueError(
            "diffusion-lab is not installed here, so there is no telling what it needs"
        ) from None
    base = [entry for entry in declared if "extra" not in str(entry.marker or "")]
    extra = [entry for entry in declared if entry.name in NEEDED and entry not in base]
    lines = {entry.name: f"{entry.name}{entry.specifier}" for entry in [*base, *extra]}
    for entry in base:
        if entry.marker:  # for some versions of Python only
            lines[entry.name] += f"; {entry.marker}"
    return [line for name, line in sorted(lines.items()) if name not in OWN_INDEX]
