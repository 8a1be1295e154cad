"""Every exercise and its solution: current, clean, and under nbval green where solved and red where blank."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import build, cells, registry
from diffusion_lab.checks.bank import run_cell
from diffusion_lab.checks.engine import Guess, Mistaken, NotAttempted

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


def of_role(notebook, role: str) -> dict:
    """The cells of a role, by task."""
    labels = [(cells.label(cell), cell) for cell in notebook.cells]
    return {label.task: cell for label, cell in labels if label and label.role == role}


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
    assert [path.stem for path in SOLUTIONS] == list(registry.notebooks())
    assert list(MODULES) == [stem.split("_", 1)[1] for stem in registry.notebooks()]
    assert [module.exercise.number for module in MODULES.values()] == sorted(
        {module.exercise.number for module in MODULES.values()}
    )


def test_exercises_are_current():
    stale = build.build(ROOT / "solutions", ROOT / "exercises", check=True)
    assert not stale, f"run: diffusion-lab build-exercises  ({', '.join(map(str, stale))})"


@every_solution
def test_solution_is_stored_executed_and_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    code = code_cells(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert path.stat().st_size < 1_000_000
    assert set(notebook.metadata) == {"kernelspec", "language_info", "diffusion_lab"}
    assert not [
        o for cell in code for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"
    ]


@every_solution
def test_an_exercise_ships_with_no_outputs(path):
    assert all(
        (cell.execution_count, cell.outputs) == (None, []) for cell in code_cells(read(exercise_of(path)))
    )


NUMBER = re.compile(r"\d+(?:\.\d+)?")


@every_solution
def test_no_number_of_an_exercise_solves_a_guess(path):
    """Every number of the file, with either sign, is tried for every number that is asked for."""
    text = exercise_of(path).read_text(encoding="utf-8")
    numbers = {sign * float(number) for number in NUMBER.findall(text) for sign in (1, -1)}
    assert len(numbers) > 20
    for task in module_of(path).exercise.tasks.values():
        if isinstance(task, Guess):
            right = task.middle(task.rights[""])
            right = right if isinstance(right, dict) else {"": right}
            assert all(accepts(task, label, number) for label, number in right.items())
            found = {label: [number for number in numbers if accepts(task, label, number)] for label in right}
            assert not all(found.values()), f"{task.number} is solved by {found}"


def accepts(task: Guess, label: str, number: float) -> bool:
    """Whether a number is right in its place, when the numbers in the other places are."""
    right = task.middle(task.rights[""])
    try:
        task._check({**right, label: number} if label else number)
    except Mistaken:
        return False
    return True


@every_solution
def test_exercise_has_the_form_that_is_relied_on(path):
    notebook, exercise = read(exercise_of(path)), module_of(path).exercise
    nbformat.validate(notebook)
    first = code_cells(notebook)[1].source  # behind the cell that is for notebooks on their own
    assert re.search(
        rf"^from diffusion_lab\.checks import {path.stem.split('_', 1)[1]} as check$", first, re.M
    )
    assert first.endswith("\nNONCE = 0\ncheck.begin(NONCE)")
    checks = {task: cell.source for task, cell in of_role(notebook, "check").items()}
    assert checks == {number: f"check.{task.name}(my_{task.name})" for number, task in exercise.tasks.items()}
    answers, statements = of_role(notebook, "answer"), of_role(notebook, "statement")
    assert list(answers) == list(statements) == list(exercise.declared)
    assert all(cell.source.startswith(f"# ANSWER {task}\n") for task, cell in answers.items())
    for number, task in exercise.declared.items():
        worth = {0: "your instructor reads it", 1: "1 point"}.get(task.points, f"{task.points} points")
        heading = statements[number].source.partition("\n")[0]
        assert heading.lower() == f"## {number} {task.title} ({worth})".lower()
        assert not task.title[0].isupper()
    assert notebook.cells[0].source.startswith(f"# Exercise {exercise.number} · {exercise.title}\n")


NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@every_solution
def test_the_first_cell_counts_what_is_declared(path):
    tasks = module_of(path).exercise.tasks.values()
    count, points = (NUMBERS.split()[k] for k in (len(tasks), sum(task.points for task in tasks)))
    assert f"{count.capitalize()} tasks, {points} points, and a sentence" in read(path).cells[0].source


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
    for cell in of_role(read(exercise_of(path)), "answer").values():
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
    checks = list(of_role(notebook, "check").values())
    assert nbval(exercise_of(path), tmp_path / "junit.xml") == [
        cell not in checks for cell in code_cells(notebook)
    ]


@pytest.mark.notebook
@every_solution
def test_one_solved_task_turns_its_check_green(path, tmp_path):
    notebook, half = read(exercise_of(path)), read(exercise_of(path))
    solved = list(of_role(half, "answer"))[::2]
    for task in solved:
        of_role(half, "answer")[task].source = of_role(read(path), "answer")[task].source
    nbformat.write(half, tmp_path / "half.ipynb")
    red = [cell for task, cell in of_role(notebook, "check").items() if task not in solved]
    assert red
    assert nbval(tmp_path / "half.ipynb", tmp_path / "junit.xml") == [
        cell not in red for cell in code_cells(notebook)
    ]


@every_solution
def test_a_word_on_where_the_digits_come_from_is_no_difference_to_nbval(path):
    for cell in code_cells(read(path)):
        if "dl.data.mnist(" in cell.source:
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source
