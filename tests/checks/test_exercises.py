"""Every exercise and its solution: current, clean, and under nbval green where solved and red where blank."""

import copy
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import build, registry
from diffusion_lab.checks.bank import run_cell
from diffusion_lab.checks.engine import NotAttempted

ROOT = Path(__file__).parents[2]
MODULES = registry.modules()
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
every_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def read(path: Path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def exercise_of(path: Path) -> Path:
    return ROOT / "exercises" / path.name


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook, tag: str) -> list:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def module_of(path: Path):
    return MODULES[path.stem.split("_", 1)[1]]


def nbval(path: Path, junit: Path) -> list[bool]:
    """Run nbval; tells for each code cell whether it passed."""
    flags = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", f"--junitxml={junit}"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, str(path)]
    environment = os.environ | {"DIFFUSION_LAB_QUICK": "1"}
    subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=False)
    return [len(case) == 0 or case[0].tag.startswith("system") for case in ET.parse(junit).iter("testcase")]


def test_there_is_an_exercise_for_every_module_of_checks():
    assert {path.stem.split("_", 1)[1] for path in SOLUTIONS} == MODULES.keys()


def test_exercises_are_current():
    stale = build.build(ROOT / "solutions", ROOT / "exercises", check=True)
    assert not stale, f"run: diffusion-lab build-exercises  ({', '.join(stale)})"


@every_solution
def test_solution_is_stored_executed_and_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 1_000_000
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not [
        o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"
    ]


@every_solution
def test_exercise_has_the_form_that_is_relied_on(path):
    notebook, exercise = read(exercise_of(path)), module_of(path).exercise
    nbformat.validate(notebook)
    first = code_cells(notebook)[1].source  # behind the cell that is for notebooks on their own
    assert re.search(
        rf"^from diffusion_lab\.checks import {path.stem.split('_', 1)[1]} as check$", first, re.M
    )
    assert first.endswith("\nNONCE = 0\ncheck.begin(NONCE)")
    checks = [cell.source for cell in tagged(notebook, "check")]
    assert checks == [f"check.{task.name}(my_{task.name})" for task in exercise.tasks.values()]
    answers = [build.MARKER.match(cell.source)[1] for cell in tagged(notebook, "answer")]
    assert answers == list(exercise.titles)
    explained = [build.MARKER.match(cell.source)[1] for cell in tagged(notebook, "explain")]
    assert explained == [number for number in exercise.titles if number not in exercise.tasks]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for task in exercise.tasks.values():
        worth = "1 point" if task.points == 1 else f"{task.points} points"
        assert re.search(rf"^## {task.number} .*\({worth}\)$", text, re.M), task.number


@every_solution
def test_links_lead_somewhere(path):
    for cell in read(path).cells:
        for target in re.findall(
            r"\]\((?!https?:)([^)#]+)\)", cell.source if cell.cell_type == "markdown" else ""
        ):
            assert (path.parent / target).is_file(), f"{path.name} links to {target}"


@every_solution
def test_blanks_run_and_are_not_attempted(path, ask):
    names = {"check": module_of(path)}
    for cell in tagged(read(exercise_of(path)), "answer"):
        names |= run_cell(cell.source, **names)
    for task in module_of(path).exercise.tasks.values():
        assert isinstance(ask(task, names[f"my_{task.name}"]), NotAttempted)


@pytest.mark.notebook
@every_solution
def test_solution_is_green_under_nbval(path, tmp_path):
    passed = nbval(path, tmp_path / "junit.xml")
    assert passed == [True] * len(code_cells(read(path)))


@pytest.mark.notebook
@every_solution
def test_blank_exercise_is_red_at_its_checks_and_nowhere_else(path, tmp_path):
    notebook = read(exercise_of(path))
    checks = tagged(notebook, "check")
    assert nbval(exercise_of(path), tmp_path / "junit.xml") == [
        cell not in checks for cell in code_cells(notebook)
    ]


@pytest.mark.notebook
@every_solution
def test_one_solved_task_turns_its_check_green(path, tmp_path):
    notebook, solution = read(exercise_of(path)), {cell.id: cell for cell in read(path).cells}
    half = copy.deepcopy(notebook)
    solved = [cell.id for cell in tagged(half, "answer")][::2]
    for cell in half.cells:
        if cell.id in solved:
            cell.source = solution[cell.id].source
    nbformat.write(half, tmp_path / "half.ipynb")
    numbers = {build.MARKER.match(solution[name].source)[1] for name in solved}
    tasks = module_of(path).exercise.tasks.values()
    green = {f"check.{task.name}(my_{task.name})" for task in tasks if task.number in numbers}
    red = {cell.source for cell in tagged(notebook, "check")} - green
    assert nbval(tmp_path / "half.ipynb", tmp_path / "junit.xml") == [
        c.source not in red for c in code_cells(half)
    ]


@every_solution
def test_a_word_on_where_the_digits_come_from_is_no_difference_to_nbval(path):
    for cell in code_cells(read(path)):
        if "dl.data.mnist(" in cell.source:
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source
