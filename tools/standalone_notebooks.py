"""Run every notebook as somebody meets it who clicks a badge: ``python tools/standalone_notebooks.py colab|binder``.

``colab``: an environment with the versions that Colab ships and no diffusion_lab; each notebook alone in an
empty folder; the repository served to git from this disk, as if it were on GitHub. The cell of set-up must
install the package and say nothing but pip's own note about restarting, and nothing that was there may have another
version afterwards. ``binder``: an environment made from environment.yml's own list, in a clone; there the cell of
set-up must do and say nothing.

Lessons must run without an error, exercises without one outside their (blank) checks. Prints a row per
notebook, and ends with 1 if one failed. Uses the last commit, not what was changed since. An environment
takes 6 GB and minutes, unless ``--environment`` names one from before.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from diffusion_lab.checks import cells
from diffusion_lab.links import repository

ROOT = Path(__file__).parent.parent
COLAB = (
    "torch==2.11.0",
    "torchvision==0.26.0",
    "numpy==2.1.3",
    "matplotlib==3.10.0",
    "ipywidgets==7.7.1",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "anywidget==0.9.21",
    # there in some version
    "scikit-learn",
    "pillow",
    "platformdirs",
    "safetensors",
    "tqdm",
    "pytest",
)
"""What Colab had in August 2026, with Python 3.13, as far as the course can notice it."""
PIP_NOTE = r"(Note: you may need to restart the kernel to use updated packages\.\s*)?"
"""What ``%pip`` says of itself; Colab's own does not."""


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def packages(environment: Path) -> dict[str, str]:
    """What pip sees in an environment, by name."""
    command = [python_of(environment), "-m", "pip", "list", "--format=freeze"]
    return versions(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def versions(lines: str) -> dict[str, str]:
    """Read ``name==version`` lines; names as pip compares them."""
    pairs = (line.split("==", 1) for line in lines.splitlines() if "==" in line)
    return {re.sub(r"[-_.]+", "-", name).lower(): version.strip() for name, version in pairs}


def listed_for_binder() -> tuple[str, list[str]]:
    """The version of Python, and what pip installs, in environment.yml (which has no other form than this one)."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    version, inside = re.search(r"- python=([\d.]+)", text), text.split("- pip:")[1]
    return version[1], [
        word for line in re.findall(r"^ +- (.+)$", inside, re.M) for word in line.split(" ", 1)
    ]


def make_environment(kind: str, environment: Path, clone: Path, python: str, index: bool) -> None:
    """Make an environment.

    `index` says whether the index of PyTorch's CPU builds is asked, where the list names it.
    """
    subprocess.run([python, "-m", "venv", environment], check=True)
    wanted = list(COLAB) if kind == "colab" else listed_for_binder()[1]
    if "--extra-index-url" in wanted and not index:
        del wanted[wanted.index("--extra-index-url") : wanted.index("--extra-index-url") + 2]
    subprocess.run(
        [python_of(environment).absolute(), "-m", "pip", "install", "-q", *wanted], check=True, cwd=clone
    )


def serve(folder: Path) -> dict[str, str]:
    """Put the last commit where git finds it under the address of the repository.

    Gives the variables that say so.
    """
    known, bare = repository.read(ROOT), folder / "served.git"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    subprocess.run(["git", "push", "-q", bare, f"HEAD:refs/heads/{known.branch}"], check=True, cwd=ROOT)
    subprocess.run(["git", "clone", "-q", "-b", known.branch, bare, folder / "clone"], check=True)
    key = f"url.{bare.as_uri()}.insteadOf"
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": known.url}


def run(notebook: nbformat.NotebookNode, folder: Path) -> list[str]:
    """Run a notebook in a folder, in the kernel "standalone"; returns what went wrong."""
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="standalone",
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return [
        f"{cell.id}: {output.ename}: {output.evalue[:200]}"
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_check(cell)
        for output in cell.outputs
        if output.output_type == "error"
    ]


def is_check(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is a check of an exercise, which fails as long as its answer is blank."""
    label = cells.label(cell)
    return label is not None and label.role == cells.CHECK


def said_by_setup(notebook: nbformat.NotebookNode) -> str:
    """What the cell of set-up printed."""
    (cell,) = (cell for cell in notebook.cells if cell.id.endswith("-install"))
    return "".join(output.get("text", str(output)) for output in cell.outputs)


def try_one(kind: str, path: Path, environment: Path, work: Path) -> tuple[float, str, list[str]]:
    """Run one notebook; returns the seconds, what came with the package, and what went wrong."""
    before, notebook = packages(environment), nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    folder = work / "clone" / path.parent.name if kind == "binder" else work / "empty"
    shutil.rmtree(work / "empty", ignore_errors=True)
    (work / "empty").mkdir()
    begin = time.perf_counter()
    wrong = run(notebook, folder)
    seconds, after, printed = time.perf_counter() - begin, packages(environment), said_by_setup(notebook)
    came = sorted(after.keys() - before.keys())
    wrong += [f"{name} {old} -> {after.get(name)}" for name, old in before.items() if after.get(name) != old]
    if kind == "binder" and printed:
        wrong.append(f"the cell of set-up printed {printed!r}")
    if kind == "colab" and not re.fullmatch(PIP_NOTE, printed):
        wrong.append(f"nothing but pip's note about restarting was wanted, got {printed!r}")
    if kind == "colab" and "diffusion-lab" not in came:
        wrong.append("the cell of set-up did not install the package")
    if came:
        subprocess.run([python_of(environment), "-m", "pip", "uninstall", "-q", "-y", *came], check=True)
    return seconds, ", ".join(f"{name} {after[name]}" for name in came) or "nothing", wrong


def main(arguments: list[str]) -> int:
    """Run the notebooks; returns 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["colab", "binder"])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all lessons and exercises")
    parser.add_argument("--environment", type=Path, help="one made before; it is made if it is not there")
    parser.add_argument("--python", help="default: python3.13 for Colab, environment.yml's for Binder")
    parser.add_argument(
        "--pypi-only", action="store_true", help="do without the index of PyTorch's CPU builds"
    )
    options = parser.parse_intermixed_args(arguments)
    known = sorted([*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "exercises").glob("*.ipynb")])
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        variables = serve(work)
        environment = (options.environment or work / "environment").absolute()
        if not python_of(environment).exists():
            version = "3.13" if options.kind == "colab" else listed_for_binder()[0]
            python = options.python or f"python{version}"
            make_environment(options.kind, environment, work / "clone", python, not options.pypi_only)
        elif options.kind == "binder":
            editable = [python_of(environment), "-m", "pip", "install", "-q", "-e", work / "clone"]
            subprocess.run(editable, check=True)
        (work / "kernels" / "standalone").mkdir(parents=True)
        command = [str(python_of(environment)), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "standalone", "language": "python"}
        (work / "kernels" / "standalone" / "kernel.json").write_text(json.dumps(spec))
        os.environ.pop("PYTHONPATH", None)  # it may lead to this clone
        os.environ.update(variables, JUPYTER_PATH=str(work), DIFFUSION_LAB_QUICK="1")
        pinned = ("torch", "torchvision", "numpy", "ipywidgets", "ipython", "ipykernel", "anywidget")
        versions = packages(environment)
        print(f"{options.kind}: " + ", ".join(f"{name} {versions.get(name)}" for name in pinned), flush=True)
        print("| notebook | seconds | packages changed | packages added |\n|---|---:|---|---|", flush=True)
        for path in options.notebooks or known:
            seconds, came, wrong = try_one(options.kind, path, environment, work)
            name = f"{path.parent.name}/{path.stem}"
            print(f"| {name} | {seconds:.0f} | {'; '.join(wrong) or 'none'} | {came} |", flush=True)
            failed += bool(wrong)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
