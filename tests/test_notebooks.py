"""Every lesson, top to bottom under nbval, and what is stored in it."""

import ast
import inspect
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import diffusion_lab as dl

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tools"))
from refresh_players import refreshed  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WITH_A_FIRST_SCREEN = [path for path in LESSONS if '-first"' in path.read_text(encoding="utf-8")]
"""Lessons that begin as CONTRIBUTING.md says; the older ones follow."""
CELL_TIMEOUT = 120  # seconds; whole lessons stay far below (00: 60 s, others 120 s on two cores)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def as_python(source):
    """Code of a cell without what only IPython understands, such as ``%pip``."""
    return TransformerManager().transform_cell(source)


def definitions(path):
    """Names of the functions and classes that a notebook defines, with the index of their code cell.

    No methods.
    """
    return {
        node.name: index
        for index, cell in enumerate(code_cells(path))
        for node in ast.parse(as_python(cell.source)).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.notebook
@pytest.mark.parametrize("data", ["as found", "no MNIST"])
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs_top_to_bottom_under_nbval(path, data, tmp_path):
    environment = os.environ | {"DIFFUSION_LAB_QUICK": "1"}
    if data == "no MNIST":
        environment.pop("DIFFUSION_LAB_DATA", None)
        environment["XDG_CACHE_HOME"] = str(tmp_path)
    elif "DIFFUSION_LAB_DATA" not in environment:
        pytest.skip("DIFFUSION_LAB_DATA is not set; the run without MNIST covers this machine")
    junit = tmp_path / "junit.xml"
    flags = [
        "--nbval-lax",
        "--nbval-current-env",
        f"--nbval-cell-timeout={CELL_TIMEOUT}",
        f"--junitxml={junit}",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, str(path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    cases = ET.parse(junit).getroot().findall(".//testcase")
    bad = [case for case in cases if case.find("failure") is not None or case.find("skipped") is not None]
    assert run.returncode == 0, run.stdout[-3000:]
    assert not bad
    assert len(cases) == len(code_cells(path))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_is_stored_executed_clean_and_small(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 1_000_000
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
            html = output.get("data", {}).get("text/html", "")
            assert refreshed(html) == html, "the script of a player is old: python tools/refresh_players.py"
            assert html.count('<div class="dl-player"') == html.count('data-player="')
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt")
                assert alt or '<img alt="' in html, f"a picture without words in {cell.source[:60]}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_cells_folded_on_the_site_are_folded_in_jupyterlab_and_no_others(path):
    for cell in nbformat.read(path, as_version=4).cells:
        folded = {"hide-input", "remove-cell"} & set(cell.metadata.get("tags", []))
        assert cell.metadata.get("jupyter", {}) == ({"source_hidden": True} if folded else {})


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_begins_with_its_question_its_budget_and_a_guess(path):
    notebook = nbformat.read(path, as_version=4)
    assert "The question of this lesson" in notebook.cells[0].source
    if path in WITH_A_FIRST_SCREEN:
        return  # the next test is stricter
    assert "Runs in under" in notebook.cells[0].source
    assert notebook.cells[1].source.startswith("my_guess =")


def is_folded(cell):
    return cell.metadata.get("cellView") == "form" and cell.metadata.get("jupyter", {}).get("source_hidden")


@pytest.mark.parametrize("path", WITH_A_FIRST_SCREEN, ids=lambda path: path.stem)
def test_first_screen_is_the_question_a_player_and_a_guess(path):
    """CONTRIBUTING.md, "A lesson", says what stands there; tools/first_screens.py measures it in a browser."""
    question, setup, player, text, *others = nbformat.read(path, as_version=4).cells
    _, asked = question.source.split("\n\n", 1)
    assert len(asked.split()) <= 60
    assert setup.id.endswith("-install")
    assert is_folded(setup)
    assert is_folded(player)
    assert player.source.startswith("# @title ")
    assert len([line for line in player.source.splitlines() if line]) <= 15
    html = player.outputs[-1].data["text/html"]
    assert html.count('<div class="dl-player"') == html.count('<div class="dl-guess"') == 1
    for part in ("Runs in under", "[![Open in Colab]"):
        assert part in text.source
    answers = [cell for cell in others if ".answer(" in cell.source]
    assert len(answers) == 1
    assert '<div class="dl-answer"' in answers[0].outputs[-1].data["text/html"]
    assert not any("my_guess" in cell.source for cell in others)


def test_no_function_is_defined_in_two_lessons():
    owners = {}
    for path in LESSONS:
        for name in definitions(path):
            assert owners.setdefault(name, path.stem) == path.stem


def package_names():
    """Where the package has each public function and class: {"sample": {"dl.sample", "dl.sampling.sample"}, …}."""
    names = {}
    for name in dir(dl.DiffusionSchedule):
        names.setdefault(name, set()).add(f"schedule.{name}")
    for owner, thing in {"dl": dl, **{f"dl.{name}": getattr(dl, name) for name in dl.__all__}}.items():
        if inspect.ismodule(thing):
            for name, member in vars(thing).items():
                if inspect.isfunction(member) or inspect.isclass(member):
                    names.setdefault(name, set()).add(f"{owner}.{name}")
    return {name: owners for name, owners in names.items() if not name.startswith("_")}


def unchecked(sources, defined):
    """Names in `defined` (with the cell they are in) that the package has too, and that no check compares with it."""
    known = package_names()
    for name, index in defined.items():
        later = "\n".join(sources[index : index + 2])
        if name in known and not ("assert" in later and any(f"{owner}(" in later for owner in known[name])):
            yield name


@pytest.mark.parametrize(
    ("cells", "bad"),
    [
        (["def update_ema(a): pass", "assert dl.optimization.update_ema(1)"], []),
        (["def update_ema(a): pass", "dl.optimization.update_ema(1)"], ["update_ema"]),
        (["def update_ema(a): pass", "x = 1", "assert dl.optimization.update_ema(1)"], ["update_ema"]),
        (["def add_noise(a): pass\nassert schedule.add_noise(1)"], []),
        (["def add_noise(a): pass\nassert add_noise(1)"], ["add_noise"]),
        (["def of_my_own(a): pass"], []),
    ],
)
def test_reader_of_shadows_sees_them(cells, bad):
    defined = {
        node.name: k for k, c in enumerate(cells) for node in ast.parse(c).body if hasattr(node, "name")
    }
    assert list(unchecked(cells, defined)) == bad


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_definition_that_shadows_the_package_is_checked_against_it(path):
    assert list(unchecked([cell.source for cell in code_cells(path)], definitions(path))) == []


def test_links_between_lessons_lead_somewhere():
    import re

    for path in LESSONS:
        for cell in nbformat.read(path, as_version=4).cells:
            for target in re.findall(
                r"\]\((?!https?:)([^)#]+)\)", cell.source if cell.cell_type == "markdown" else ""
            ):
                assert (path.parent / target).is_file(), f"{path.name} links to {target}"
