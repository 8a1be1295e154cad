"""Keys: what a task is worth and who reads it, as the solution says, and what is no key."""

import json
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import forward_noising
from diffusion_lab.grading import keys

SOLUTIONS = Path(__file__).parents[2] / "solutions"
EXERCISES = SOLUTIONS.parent / "exercises"


@pytest.fixture(scope="module")
def key() -> keys.Key:
    return keys.load("01", SOLUTIONS)


def test_every_solution_is_a_key_that_is_worth_what_it_says():
    numbers = keys.found(SOLUTIONS)
    assert numbers == [path.name[:2] for path in sorted(EXERCISES.glob("*.ipynb"))]
    for number in numbers:
        key = keys.load(number, SOLUTIONS)
        assert f"{key.exercise} " in str(key.solution)
        assert f"{key.points} of {key.points} points" in str(key.solution)
        for notebook in (key.solution, key.blank):
            nbformat.validate(notebook)


def test_tasks_are_those_of_the_checks(key):
    wanted = [(task.number, task.points) for task in forward_noising.exercise.tasks.values()]
    assert [task[::2] for task in key.tasks if task.check_cell_id] == wanted
    assert [task.number for task in key.tasks] == list(forward_noising.exercise.titles)
    cells = {cell.id: cell.source for cell in key.solution.cells}
    for task in key.tasks[:-1]:
        assert (
            cells[task.check_cell_id]
            == f"check.{forward_noising.exercise.tasks[task.number].name}"
            + f"(my_{forward_noising.exercise.tasks[task.number].name})"
        )
    assert key.tasks[-1] == ("1.5", "In a sentence", 0, None)
    assert key.tasks[1].title == "One step, each picture at its own $t$"
    assert key.points == 9


def test_the_blank_is_what_students_got(key):
    assert key.blank == nbformat.read(EXERCISES / "01_forward_noising.ipynb", 4)
    assert "BEGIN SOLUTION" in str(key.solution)
    assert "BEGIN SOLUTION" not in str(key.blank)


@pytest.mark.parametrize("name", ["1", "01", "01_forward_noising", "01_forward_noising.ipynb"])
def test_an_exercise_by_number_or_name(key, name):
    assert keys.load(name, SOLUTIONS) == key


@pytest.mark.parametrize("name", ["", "77", "forward", "001", "011", "-1"])
def test_an_exercise_that_is_not_there(name):
    with pytest.raises(ValueError, match=r"exercise: one of 01.* was wanted, got"):
        keys.load(name, SOLUTIONS)


def test_a_folder_without_solutions(tmp_path):
    assert keys.found(tmp_path) == []
    with pytest.raises(ValueError, match="and there is none"):
        keys.load("01", tmp_path)


def test_a_nonce_changes_one_line_of_a_copy(key):
    made = keys.with_nonce(key.solution, 12345)
    old, new = (str(notebook.cells) for notebook in (key.solution, made))
    assert old.count("NONCE = 0") == 1
    assert new == old.replace("NONCE = 0", "NONCE = 12345")
    with pytest.raises(ValueError, match="one line `NONCE = 0`"):
        keys.with_nonce(made, 1)


def changed(tmp_path: Path, change) -> Path:
    """A folder of one solution of which one cell was changed; or its list of cells."""
    notebook = json.loads((SOLUTIONS / "01_forward_noising.ipynb").read_text(encoding="utf-8"))
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    change(notebook, cells)
    (tmp_path / "01_a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda nb, cells: cells["check-1-2"].update(outputs=[]), "check-1-2: a check must have printed"),
        (lambda nb, cells: cells["check-1-2"]["outputs"][0].update(text=["fine"]), "check-1-2: 'N solved"),
        (
            lambda nb, cells: cells["check-1-2"].update(outputs=cells["check-1-3"]["outputs"]),
            "check-1-3: 'N solved",
        ),
        (lambda nb, cells: nb["cells"].remove(cells["check-1-2"]), "answer-1-2: either a check or the tag"),
        (lambda nb, cells: cells["answer-1-5"]["metadata"].clear(), "answer-1-5: either a check or the tag"),
        (
            lambda nb, cells: cells["answer-1-2"]["metadata"].update(tags=["explain"]),
            "answer-1-2: either a check",
        ),
        (lambda nb, cells: nb["cells"].remove(cells["answer-1-2"]), "no answer cell for 1.2"),
        (
            lambda nb, cells: nb["cells"].append(cells["answer-1-2"] | {"id": "b"}),
            "1.2 has an answer cell already",
        ),
        (lambda nb, cells: cells["ex01-setup"].update(source=["import torch"]), "one line `NONCE = 0`"),
        (lambda nb, cells: cells["answer-1-2"].update(id="answer-1-3"), "ids must differ"),
        (lambda nb, cells: cells["answer-1-2"].pop("source"), "KeyError"),
        (lambda nb, cells: nb.clear(), "KeyError"),
    ],
)
def test_a_solution_that_is_no_key_is_refused_by_name(tmp_path, change, error):
    with pytest.raises(ValueError, match=rf"01_a\.ipynb: .*{error}"):
        keys.load("01", changed(tmp_path, change))


def test_two_solutions_of_one_exercise(tmp_path):
    for name in ("01_a", "01_b", "02_c"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    with pytest.raises(ValueError, match="several of 01"):
        keys.load("02", tmp_path)
