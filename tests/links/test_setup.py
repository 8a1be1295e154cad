"""The cell of set-up: silent where the package is, else one call of pip, in the interpreter of the kernel.

``make standalone`` runs every notebook in the real environments; it takes a quarter of an hour. Here pip itself runs
what the cell asks for, with no network: on empty packages that have the names and versions of the real ones.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from diffusion_lab.links import repository
from tools.standalone_notebooks import COLAB, packages, python_of, versions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
KNOWN = repository.read(ROOT)


@pytest.fixture
def run(monkeypatch):
    """Runs the cell of set-up as a notebook does, with a stand-in for pip; gives what pip was asked to do."""
    shell = InteractiveShell()
    asked = []
    shell.register_magic_function(asked.append, magic_name="pip")

    def run() -> list[str]:
        shell.run_cell(KNOWN.setup()).raise_error()
        return asked

    return run


def test_where_the_package_is_it_does_and_says_nothing(run, capsys):
    assert run() == []
    assert capsys.readouterr() == ("", "")


def test_on_its_own_it_installs_the_course_and_asks_for_nothing_newer(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (line,) = run()
    assert line == f'install -q "diffusion-lab[lessons] @ {KNOWN.install}"'
    assert not any(option in line for option in ("-U", "--upgrade", "--force", "eager"))


def empty_package(folder: Path, name: str, version: str, needs: dict[str, list[str]] | None = None) -> Path:
    """Write a wheel with nothing in it; `needs` are its requirements, by extra ("" for those without one)."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    for extra, requirements in (needs or {}).items():
        lines += [f"Provides-Extra: {extra}"] if extra else []
        for requirement in requirements:
            wanted, _, marker = map(str.strip, requirement.partition(";"))
            markers = [part for part in (marker, f'extra == "{extra}"' if extra else "") if part]
            lines.append(f"Requires-Dist: {wanted}{'; ' if markers else ''}{' and '.join(markers)}")
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    about = f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


def test_pip_changes_nothing_that_is_there_although_there_is_newer(run, monkeypatch, tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = {"": project["dependencies"], "lessons": project["optional-dependencies"]["lessons"]}
    lowest = dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in [*needs[""], *needs["lessons"]])
    on_colab = {name: version for name, version in versions("\n".join(COLAB)).items() if name in lowest}
    assert {"torch", "numpy", "matplotlib", "ipywidgets"} <= on_colab.keys()
    installed = lowest | on_colab
    missing = {"jaxtyping"}  # of which Colab has none
    for name, version in installed.items():
        empty_package(tmp_path, name, "999.0")
        if name not in missing:
            empty_package(tmp_path, name, version)
    course = empty_package(tmp_path, "diffusion-lab", "1.0", needs)
    venv.create(tmp_path / "environment", with_pip=True)
    offline = os.environ | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
    }
    offline = {name: value for name, value in offline.items() if name not in ("PYTHONPATH", "PIP_INDEX_URL")}

    def pip(*arguments: str) -> None:
        command = [python_of(tmp_path / "environment"), "-m", "pip", *arguments]
        done = subprocess.run(command, env=offline, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    pip("install", *(f"{name}=={version}" for name, version in installed.items() if name not in missing))
    before = packages(tmp_path / "environment")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (line,) = run()
    assert KNOWN.install in line
    pip(*shlex.split(line.replace(KNOWN.install, course.as_uri())))
    after = packages(tmp_path / "environment")
    assert {name: after[name] for name in before} == before
    new = {name: after[name] for name in after.keys() - before.keys()}
    assert new.keys() == {"diffusion-lab", *missing}
    assert new["jaxtyping"] == "999.0"


def test_it_is_three_lines_below_its_title():
    title, *lines = [line for line in KNOWN.setup().splitlines() if line]
    assert title.startswith("# @title ")
    assert len(lines) <= 3
    assert max(map(len, lines)) <= 120


def test_names_are_compared_as_pip_does():
    assert versions("Jax_Typing==1\nzope.x==2+cu1\n-e something\n") == {"jax-typing": "1", "zope-x": "2+cu1"}
