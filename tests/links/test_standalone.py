"""The cell of set-up: silent where the package is; else it installs it, changes nothing else, and says so.

Here pip is a stand-in. ``make standalone`` runs every notebook in the real environments; it takes a quarter of an
hour.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lab.links import repository, standalone

ROOT = Path(__file__).parents[2]
PIP = """\
import os, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1] == "list":
    print((here / "installed.txt").read_text(), end="")
elif (here / "broken").exists():
    sys.exit("no such repository")
else:
    kept = pathlib.Path(sys.argv[sys.argv.index("-c") + 1]).read_text()
    (here / "asked.txt").write_text("|".join(sys.argv[1:]))
    (here / "constraints.txt").write_text(kept)
"""


@pytest.fixture
def pip(tmp_path, monkeypatch) -> Path:
    """A folder with a stand-in for pip that `sys.executable -m pip` runs, and no diffusion_lab to be found."""
    folder = tmp_path / "path" / "pip"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "__main__.py").write_text(PIP)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("PYTHONPATH", f"{folder.parent}{';' if sys.platform == 'win32' else ':'}{ROOT}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    installed = {
        name: version
        for name, version in standalone.installed().items()
        if name not in ("diffusion-lab", "jaxtyping")
    }
    (folder / "installed.txt").write_text(
        "".join(f"{name}=={version}\n" for name, version in installed.items())
    )
    return folder


def setup() -> None:
    exec(repository.read(ROOT).setup(), {})


def test_where_the_package_is_it_does_and_says_nothing(capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "getoutput", None)
    setup()
    assert capsys.readouterr() == ("", "")


def test_on_its_own_it_installs_under_constraints_and_says_so(pip, capsys):
    setup()
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"Installed diffusion-lab \S+, and with it jaxtyping [\d.]+; nothing .* has changed\.", first
    )
    assert "GPU" in second
    asked = (pip / "asked.txt").read_text().split("|")
    assert asked == [
        "install",
        "-qq",
        "-c",
        "kept.txt",
        f"diffusion-lab[lessons] @ {repository.read(ROOT).install}",
    ]
    assert (pip / "constraints.txt").read_text() == (pip / "installed.txt").read_text()
    assert list(Path().iterdir()) == [], "the folder of the notebook stays clean"


def test_a_change_is_not_hidden(pip, capsys):
    text = (pip / "installed.txt").read_text()
    (pip / "installed.txt").write_text(re.sub(r"^torch==.*$", "torch==1.2.3+cu1", text, flags=re.M))
    setup()
    assert re.search(r"CHANGED: torch 1\.2\.3\+cu1 -> \d", capsys.readouterr().out)


def test_what_pip_says_is_shown_where_it_fails(pip, capsys):
    (pip / "broken").touch()
    setup()
    out = capsys.readouterr().out
    assert "no such repository" in out
    assert "Installed" not in out


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            {"a": "1"},
            {"a": "1", "diffusion-lab": "2"},
            "Installed diffusion-lab 2; nothing that was here has changed.",
        ),
        (
            {"a": "1"},
            {"a": "1", "diffusion-lab": "2", "b": "3"},
            "Installed diffusion-lab 2, and with it b 3; nothing that was here has changed.",
        ),
        ({"a": "1"}, {"diffusion-lab": "2"}, "Installed diffusion-lab 2; CHANGED: a 1 -> gone."),
    ],
)
def test_summary(before, after, line):
    assert standalone.summary(before, after) == line


def test_names_are_compared_as_pip_does():
    assert standalone.packages("Jax_Typing==1\nzope.x==2+cu1\n-e something\n") == {
        "jax-typing": "1",
        "zope-x": "2+cu1",
    }


@pytest.mark.parametrize(
    ("colab", "gpu", "line"),
    [
        (False, None, "none is needed"),
        (True, None, "Runtime > Change runtime type"),
        (True, "T4", 'model.to("cuda")'),
    ],
)
def test_the_line_about_the_gpu(monkeypatch, colab, gpu, line):
    import torch

    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    if colab:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: gpu)
    assert line in standalone.device()
    assert ("Runtime" in standalone.device()) == (colab and not gpu)
