"""The contracts of pyproject.toml on who may import whom: the sources keep them, and each of them can be broken."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CONTRACTS = re.findall(
    r'\[\[tool\.importlinter\.contracts\]\]\nid = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8")
)
BREAKS = [
    # contract, file, what is written at its end, who then imports whom
    ("floors", "diffusion_lab/shapes.py", "from diffusion_lab import sampling", "shapes -> .*sampling"),
    (
        "floors",
        "diffusion_lab/files.py",
        "def f():\n    from diffusion_lab.unet import UNet",
        "files -> .*unet",
    ),
    (
        "floors",
        "diffusion_lab/links/repository.py",
        "import diffusion_lab.widgets",
        "repository -> .*widgets",
    ),
    ("floors", "diffusion_lab/mini_sd/new.py", "from diffusion_lab import pretrained", "new -> .*pretrained"),
    ("circles", "diffusion_lab/widgets/packing.py", "from .explorer import Explorer", "packing -> .explorer"),
    ("circles", "benchmarks/common.py", "from benchmarks import peers, ablation", "common -> .ablation"),
    ("front-door", "diffusion_lab/figures.py", "import diffusion_lab as dl", "figures -> diffusion_lab"),
    ("front-door", "diffusion_lab/checks/new.py", "from diffusion_lab import sample", "new -> diffusion_lab"),
    ("light", "diffusion_lab/__init__.py", "from diffusion_lab import figures", "diffusion_lab -> .*figures"),
    ("light", "diffusion_lab/files.py", "def f():\n    import nbformat", "files -> nbformat"),
    ("drawing", "diffusion_lab/data.py", "def f():\n    from matplotlib import pyplot", "data -> matplotlib"),
    ("drawing", "diffusion_lab/grading/new.py", "import ipywidgets.widgets", "new -> ipywidgets"),
    ("truth", "diffusion_lab/checks/sampling.py", "from ..sampling import ddim", "sampling -> .*sampling"),
    ("truth", "diffusion_lab/grading/run.py", "from diffusion_lab import pretrained", "run -> .*pretrained"),
    ("exercises", "diffusion_lab/checks/unet.py", "from . import training", "unet -> .*checks.training"),
    (
        "exercises",
        "diffusion_lab/checks/new.py",
        "from diffusion_lab.checks.text import CODE",
        "new -> .*text",
    ),
    ("bank", "diffusion_lab/checks/engine.py", "from .bank import new", "engine -> .*bank.new"),
    ("bank", "diffusion_lab/grading/run.py", "from diffusion_lab.checks import bank", "run -> .*bank"),
    ("mini-sd", "diffusion_lab/mini_sd/pipeline.py", "from . import train", "pipeline -> .*train"),
    (
        "grading",
        "diffusion_lab/grading/walls.py",
        "from diffusion_lab.grading import keys",
        "walls -> .*keys",
    ),
    ("clone", "diffusion_lab/data.py", "from benchmarks.common import table", "data -> benchmarks"),
    ("clone", "tools/run_lessons.py", "from benchmarks import common", "run_lessons -> benchmarks"),
    ("tests", "benchmarks/common.py", "from tests.grading import attacks", "common -> tests"),
    ("tests", "tools/run_lessons.py", "import tests.conftest", "run_lessons -> tests"),
]


@pytest.fixture
def copy(tmp_path) -> Path:
    """The sources and their contracts, to be spoilt."""
    sources = [
        path for folder in ("diffusion_lab", "benchmarks", "tools") for path in (ROOT / folder).rglob("*.py")
    ]
    for path in [*sources, ROOT / "pyproject.toml"]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    append(tmp_path / "diffusion_lab/checks/bank/new.py", "import diffusion_lab as dl")
    return tmp_path


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Run lint-imports in a folder; its lines are as wide as they like."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "--no-cache", *options],
        cwd=folder,
        env=os.environ | {"COLUMNS": "1000"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def append(file: Path, line: str) -> None:
    """Write a line at the end of a module; a module that is not there is made, and its package with it."""
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    with file.open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")


def test_sources_keep_every_contract():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken" in done.stdout


def test_every_contract_is_broken_once_below():
    assert len(CONTRACTS) == len(set(CONTRACTS)) >= 10
    assert set(CONTRACTS) == {contract for contract, *_ in BREAKS}


@pytest.mark.parametrize(("contract", "file", "line", "told"), BREAKS, ids=lambda value: value.split("\n")[0])
def test_contract_can_be_broken(copy, contract, file, line, told):
    append(copy / file, line)
    done = lint(copy, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Contracts: 0 kept, 1 broken" in done.stdout
    assert re.search(rf"\b{told}\b", done.stdout), done.stdout


def test_a_new_module_needs_no_entry(copy):
    """In every room something that its neighbours may import, too; and a room that is new."""
    append(copy / "diffusion_lab/mini_sd/new.py", "from diffusion_lab import sampling, training, unet")
    append(copy / "diffusion_lab/checks/new.py", "from diffusion_lab.checks import engine, outcomes")
    append(copy / "diffusion_lab/checks/new.py", "from diffusion_lab import process, schedules")
    append(copy / "diffusion_lab/widgets/new.py", "import ipywidgets, matplotlib")
    append(copy / "diffusion_lab/widgets/new.py", "from diffusion_lab import pretrained, sampling")
    append(copy / "diffusion_lab/cli/new.py", "import diffusion_lab as dl")
    append(copy / "diffusion_lab/grading/new.py", "from diffusion_lab.grading import keys, run")
    append(copy / "diffusion_lab/flows.py", "from diffusion_lab import process, sampling")
    append(copy / "diffusion_lab/variants/new.py", "from diffusion_lab import flows, training")
    append(copy / "benchmarks/new.py", "import diffusion_lab as dl")
    (copy / "diffusion_lab/cli.py").unlink(missing_ok=True)  # a folder is in its place
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
