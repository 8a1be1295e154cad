"""Codespaces, VS Code and Binder open a student's copies, and never the originals."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lab import cli
from diffusion_lab.course import copies, declaration
from diffusion_lab.links import repository

ROOT = Path(__file__).parents[1]
CONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
FIRST = declaration.read().lessons[0].file


def test_the_container_copies_the_course_and_opens_the_copy():
    set_up, command = CONTAINER["postCreateCommand"].split(" && ")
    assert set_up.startswith("make .venv/.course ")
    program, *arguments = command.split()
    assert program == ".venv/bin/diffusion-lab"
    assert cli.parser().parse_args(arguments).command == "copy-course"
    (opened,) = CONTAINER["customizations"]["codespaces"]["openFiles"]
    assert opened == f"{copies.FOLDER}/notebooks/{FIRST}"
    assert opened.removeprefix(f"{copies.FOLDER}/") in copies.read_course(ROOT, ROOT / copies.FOLDER)


@pytest.mark.skipif(sys.platform == "win32", reason="Binder runs it on Linux")
def test_binder_copies_the_course_and_its_badges_open_the_copies(tmp_path):
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    for name in ("pyproject.toml", f"notebooks/{FIRST}", "exercises/01_forward_noising.ipynb"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((ROOT / name).read_bytes())
    programs.mkdir()
    for name, line in {
        "diffusion-lab": f'exec "{sys.executable}" -m diffusion_lab "$@"',
        "python": 'echo "$@"',  # would download MNIST
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    variables = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    done = subprocess.run(
        ["bash", ROOT / "postBuild"],
        cwd=clone,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "data.mnist()" in done.stdout
    for name in (f"notebooks/{FIRST}", "exercises/01_forward_noising.ipynb"):
        link = repository.read(clone).binder(name)
        opened = re.fullmatch(r".*\?urlpath=lab%2Ftree%2F(.*)", link)[1].replace("%2F", "/")
        assert (clone / opened).read_bytes() == (clone / name).read_bytes()
        assert opened.startswith(f"{copies.FOLDER}/")
