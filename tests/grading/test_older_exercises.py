"""What was made of an exercise that was handed out before the cells had labels is graded like any other."""

import copy
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import cells
from diffusion_lab.grading import answers, keys, run, submissions
from diffusion_lab.grading import box as boxes

SOLUTIONS = Path(__file__).parents[2] / "solutions"
NONCE = 20_262


def older(key: keys.Key, solved: list[str]) -> bytes:
    """The exercise as it was handed out then, with tags in place of labels and other headings; some tasks solved."""
    notebook, solutions = copy.deepcopy(key.blank), keys.answer_cells(key.solution)
    del notebook.metadata["diffusion_lab"]
    for cell in notebook.cells:
        label = cells.label(cell)
        cell.metadata.pop("diffusion_lab", None)
        if label and label.role == cells.STATEMENT:
            _, rest = cell.source.split("\n", 1)
            cell.source = f"## {label.task} Guess first (1 point)\n{rest}"
        elif label:
            cell.metadata.tags = [label.role]
            if label.role == cells.ANSWER and label.task in solved:
                cell.source = solutions[label.task].source
    assert "diffusion_lab" not in str([cell.metadata for cell in notebook.cells])
    return nbformat.writes(notebook).encode()


@pytest.mark.parametrize("key", keys.load_all(SOLUTIONS).values(), ids=lambda key: key.exercise)
@pytest.mark.parametrize("mark", [True, False])
def test_its_answers_are_found(key, mark):
    numbers = [task.number for task in key.tasks]
    data = older(key, numbers)
    if not mark:
        data = data.replace(b"# ANSWER", b"# my answer to")
    notebook = submissions.read(data)
    found = answers.extract(notebook, key)
    assert list(found.sources) == numbers
    assert set(found.how.values()) == ({"marker"} if mark else {"id"})
    assert answers.recognise(notebook, keys.load_all(SOLUTIONS).values()) == key


def test_it_is_graded():
    box, key = boxes.find_box(), keys.load("01", SOLUTIONS)
    expected = run.execute(keys.with_nonce(key.solution, NONCE), box)
    found = answers.extract(submissions.read(older(key, ["1.1", "1.3", "1.5"])), key)
    grade = run.grade_notebook(key, found, NONCE, expected, box=box)
    assert {task.number: (task.points, task.status) for task in grade.tasks} == {
        "1.1": (1, "passed"),
        "1.2": (0, "blank"),
        "1.3": (3, "passed"),
        "1.4": (0, "blank"),
        "1.5": (0, "unread"),
        "1.6": (0, "blank"),
    }
    assert found.sources["1.5"].startswith("The variance of the last picture.")
