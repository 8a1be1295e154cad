"""What the page for points by hand shows, and why."""

import dataclasses
import hashlib
from contextlib import closing
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.grading import grade, keys
from diffusion_lab.grading.journal import Journal
from diffusion_lab.grading.reporting import Reporting
from diffusion_lab.grading.review.items import Gradebook
from diffusion_lab.grading.rows import Row, TaskGrade

SOLUTIONS = Path(__file__).parents[2] / "solutions"
CODE = "def my_forward_step(x_prev, t, schedule, noise):\n    return missing_name"


@pytest.fixture
def graded(tmp_path):
    """A gradebook of two attempts of one student, whose answer to 1.2 ended with an error."""
    key = keys.load("01", SOLUTIONS)
    made = nbformat.from_dict(key.blank)
    keys.answer_cells(made)["1.2"].source = f"# ANSWER 1.2\n{CODE}"
    path = tmp_path / "in/anna/01_forward_noising.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(made), encoding="utf-8")
    tasks = [TaskGrade(task.number, 0, task.points, "blank")._asdict() for task in key.tasks]
    first = Row("anna", "01", "graded", key.points, tasks, asked="01", sha256="0" * 64)
    failed = {"status": "failed", "mistake": "error", "note": "NameError in line 2 of my_forward_step"}
    tasks = [task | failed if task["number"] == "1.2" else task for task in tasks]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    last = dataclasses.replace(first, tasks=tasks, sha256=digest)
    out = tmp_path / "out"
    with closing(Journal(out)) as journal:
        for row in (first, last):
            journal.add("row", dataclasses.asdict(row))
    run = {
        "keys": {"01": grade.described(key)},
        "source": str(tmp_path / "in"),
        "isolation": {"level": "none", "reason": "a test"},
    }
    Reporting().write(out, [last], run)
    return out, path


def test_task_that_ended_with_an_error_is_shown_with_its_code_and_all_attempts(graded):
    [item] = Gradebook(graded[0], SOLUTIONS).items()
    assert (item.student, item.task, item.reasons) == ("anna", "1.2", ["it ended with an error"])
    assert CODE in item.answer
    assert item.is_code
    assert "NameError in line 2 of my_forward_step" in item.result
    assert item.attempts[0]["hash"] == "0" * 12
    assert [past["counts"] for past in item.attempts] == [False, True]


def test_code_of_a_file_that_changed_since_is_not_shown(graded):
    out, path = graded
    path.write_text(path.read_text().replace("missing_name", "x_prev"))
    [item] = Gradebook(out, SOLUTIONS).items()
    assert item.answer == ""


def test_without_the_submissions_the_rest_is_shown(graded):
    out, path = graded
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()
    gradebook = Gradebook(out, SOLUTIONS)
    assert "the code of students is not shown" in gradebook.warning
    assert [item.answer for item in gradebook.items()] == [""]


def test_folder_that_is_no_gradebook_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a folder that diffusion-lab grade has made was wanted"):
        Gradebook(tmp_path)
