"""The cell of set-up: silent where the package is, else one call of pip, in the interpreter of the kernel.

``make standalone`` runs every notebook in the real environments; it takes a quarter of an hour.
"""

import importlib.util
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from diffusion_lab.links import repository
from tools.standalone_notebooks import versions

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


def test_it_is_three_lines_below_its_title():
    title, *lines = [line for line in KNOWN.setup().splitlines() if line]
    assert title.startswith("# @title ")
    assert len(lines) <= 3
    assert max(map(len, lines)) <= 120


def test_names_are_compared_as_pip_does():
    assert versions("Jax_Typing==1\nzope.x==2+cu1\n-e something\n") == {"jax-typing": "1", "zope-x": "2+cu1"}
