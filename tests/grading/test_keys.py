"""Keys: what a task is worth and who reads it, as the solution says, and what is no key."""

import json
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import cells, registry
from diffusion_lab.grading import keys

SOLUTIONS = Path(__file__).parents[2] / "solutions"
EXERCISES = SOLUTIONS.parent / "exercises"
FORWARD = registry.notebooks()["01_forward_noising"]


@pytest.fixture(scope="module")
def key() -> keys.Key:
    return keys.load("01", SOLUTIONS)


def test_every_solution_is_a_key_that_is_worth_what_it_says():
    found = keys.load_all(SOLUTIONS)
    assert list(found) == [path.name[:2] for path in sorted(EXERCISES.glob("*.ipynb"))]
    for number, key in found.items():
        assert key == keys.load(number, SOLUTIONS)
        assert f"{key.exercise} " in str(key.solution)
        assert f"{key.points} of {key.points} points" in str(key.solution)
        for notebook in (key.solution, key.blank):
            nbformat.validate(notebook)


@pytest.mark.parametrize("name", registry.notebooks())
def test_tasks_are_those_that_the_checks_declare(name):
    exercise, key = registry.notebooks()[name], keys.load(name, SOLUTIONS)
    assert [task.number for task in key.tasks] == list(exercise.declared)
    sources = {cell.id: cell.source for cell in key.solution.cells}
    for task, declared in zip(key.tasks, exercise.declared.values(), strict=True):
        assert task.points == declared.points
        assert task.title.lower() == cells.plain(declared.title).lower()
        assert (task.section, task.hint) == (declared.section, declared.hints[0] if declared.hints else "")
        check = f"check.{declared.name}(my_{declared.name})" if declared.points else None
        assert sources.get(task.check_cell_id) == check
    assert key.points == sum(task.points for task in exercise.tasks.values())
    assert keys.explained(key.blank) == exercise.declared.keys() - exercise.tasks.keys()


def test_a_task_says_what_a_report_wants_to_know(key):
    assert key.tasks[1] == (
        "1.2",
        "One step, each picture at its own t",
        2,
        "check-1-2",
        "1. One step",
        FORWARD.tasks["1.2"].hints[0],
    )
    assert key.tasks[-2] == ("1.5", "Why the square roots, in a sentence", 0, None, "", "")
    assert key.tasks[-1][:4] == ("1.6", "Build a scrubber", 2, "check-1-6")
    assert key.points == 11


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
    assert keys.found(tmp_path) == {}
    assert keys.load_all(tmp_path) == {}
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
    change(notebook, {cell["id"]: cell for cell in notebook["cells"]})
    (tmp_path / "01_a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


def relabelled(name: str, **changes):
    """A change of the label of a cell."""
    return lambda _notebook, cells: cells[name]["metadata"]["diffusion_lab"].update(changes)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda nb, cells: cells["check-1-2"].update(outputs=[]), "check-1-2: a check must have printed"),
        (
            lambda nb, cells: cells["check-1-2"]["outputs"][0].update(text=["fine"]),
            "check-1-2: '1.2 solved, 2 points: …' was wanted as its output, got 'fine'",
        ),
        (
            lambda nb, cells: cells["check-1-2"].update(outputs=cells["check-1-3"]["outputs"]),
            "check-1-2: '1.2 solved, 2 points: …' was wanted",
        ),
        (relabelled("ex01-1-2", points=3), "check-1-2: '1.2 solved, 3 points: …' was wanted"),
        (
            lambda nb, cells: nb["cells"].remove(cells["check-1-2"]),
            "answer-1-2: a check for its 2 points was wanted",
        ),
        (
            lambda nb, cells: cells["answer-1-5"]["metadata"].clear(),
            "answer-1-5: a cell with a solution .* build-exercises writes it",
        ),
        (relabelled("ex01-1-5", points=2), "answer-1-5: a check for its 2 points was wanted"),
        (
            lambda nb, cells: (
                relabelled("ex01-1-2", points=0)(nb, cells),
                cells["check-1-2"]["outputs"][0].update(text=["1.2 solved, 0 points: x 1.000"]),
            ),
            "answer-1-2: no check, as it is worth 0 points, was wanted",
        ),
        (relabelled("check-1-2", task="1.5"), "check-1-2: '1.5 solved, 0 points: …' was wanted"),
        (lambda nb, cells: nb["cells"].remove(cells["answer-1-2"]), "no answer cell for 1.2"),
        (lambda nb, cells: nb["cells"].remove(cells["ex01-1-2"]), "check-1-2: '1.2 solved, 0 points"),
        (lambda nb, cells: nb["cells"].remove(cells["ex01-1-5"]), "answer-1-5: no cell states the task 1.5"),
        (
            lambda nb, cells: nb["cells"].append(cells["answer-1-2"] | {"id": "b"}),
            "cell b: the task 1.2 has a cell for its answer already",
        ),
        (lambda nb, cells: cells["ex01-setup"].update(source=["import torch"]), "one line `NONCE = 0`"),
        (
            lambda nb, cells: cells["ex01-setup"]["source"].append("\nNONCE = 0"),
            "one line `NONCE = 0`",
        ),
        (lambda nb, cells: cells["answer-1-2"].update(id="answer-1-3"), "ids must differ"),
        (lambda nb, cells: cells["answer-1-2"].pop("id"), "every cell wants an id"),
        (lambda nb, cells: cells["answer-1-2"].pop("source"), "KeyError"),
        (lambda nb, cells: nb.pop("cells"), "KeyError"),
        (lambda nb, cells: nb.clear(), "it does not say which exercise it is; diffusion-lab build-exercises"),
        (lambda nb, cells: nb["metadata"].pop("diffusion_lab"), "it does not say which exercise it is"),
    ],
)
def test_a_solution_that_is_no_key_is_refused_by_name(tmp_path, change, error):
    with pytest.raises(ValueError, match=rf"01_a\.ipynb: .*{error}"):
        keys.load("01", changed(tmp_path, change))


@pytest.mark.parametrize("text", ["", "<html>", "[]"])
def test_a_solution_that_is_no_notebook_is_refused_by_name(tmp_path, text):
    (tmp_path / "01_a.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"01_a\.ipynb: "):
        keys.load("01", tmp_path)


def test_an_exercise_is_known_by_what_the_notebook_says_and_not_by_its_name(tmp_path):
    solution = (SOLUTIONS / "02_noise_schedules.ipynb").read_bytes()
    (tmp_path / "week_three.ipynb").write_bytes(solution)
    assert list(keys.found(tmp_path)) == ["02"]
    assert keys.load("2", tmp_path) == keys.load("02", SOLUTIONS)


def test_two_solutions_of_one_exercise(tmp_path):
    for name in ("01_a", "01_b"):
        (tmp_path / f"{name}.ipynb").write_bytes((SOLUTIONS / "01_forward_noising.ipynb").read_bytes())
    with pytest.raises(ValueError, match="several of 01"):
        keys.load("02", tmp_path)
