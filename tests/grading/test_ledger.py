"""Points by hand stay with their gradebook, and every change of points has its line."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from diffusion_lab.grading.ledger import Conflict, Ledger, Mark, cell_name
from diffusion_lab.grading.reporting import Reporting
from diffusion_lab.grading.rows import Row, TaskGrade

TASKS = [{"number": "1.1", "title": "a guess", "max": 10, "section": "", "hint": ""}]
RUN = {
    "keys": {"01": {"sha256": "0", "points": 10, "tasks": TASKS}},
    "isolation": {"level": "none", "reason": "a test"},
}


def row(student: str, points: int = 8) -> Row:
    tasks = [TaskGrade("1.1", points, 10, "failed")._asdict()]
    return Row(student, "01", "graded", 10, tasks, asked="01")


def audit(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def test_points_by_hand_stay_without_naming_the_table_again(tmp_path):
    table, out = tmp_path / "points.csv", tmp_path / "out"
    table.write_text("student,exercise,task,points\n=bo,01,1.1,9\n")
    Reporting.read(manual=table).write(out, [row("=bo"), row("anna")], RUN)
    table.unlink()
    written, notes = Reporting.read().write(out, [row("=bo", 3), row("anna")], RUN)
    assert [(one.student, one.points) for one in written] == [("=bo", 9), ("anna", 8)]
    assert notes == []


def test_every_change_of_points_has_a_line(tmp_path):
    Reporting().write(tmp_path, [row("anna"), row("bo")], RUN)
    Reporting().write(tmp_path, [row("anna", 4), row("bo")], RUN)
    Ledger(tmp_path).change("bo", "01", "1.1", Mark(2.0, comment="see 1.2"), why="review")
    Reporting().write(tmp_path, [row("anna", 4), row("bo")], RUN)
    lines = [(line["student"], line["before"], line["after"], line["why"]) for line in audit(tmp_path)]
    assert lines == [("anna", 8, 4, "graded again"), ("bo", None, 2.0, "review")]
    assert all(line["who"] and line["time"] for line in audit(tmp_path))


def test_comment_reaches_the_student_as_text(tmp_path):
    Ledger(tmp_path).change("anna", "01", "1.1", Mark(2.0, comment="<b>why</b> not t?"), why="review")
    Reporting().write(tmp_path, [row("anna")], RUN)
    page = (tmp_path / "feedback/anna__01.html").read_text()
    assert "The comment: &lt;b&gt;why&lt;/b&gt; not t?" in page


def test_two_reviewers_lose_nothing(tmp_path):
    def give(number: int) -> None:
        Ledger(tmp_path).change(f"s{number}", "01", "1.1", Mark(float(number)), why="review")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(give, range(24)))
    assert {key[0]: mark.points for key, mark in Ledger(tmp_path).marks().items()} == {
        f"s{number}": number for number in range(24)
    }
    assert len(audit(tmp_path)) == 24


def test_a_mark_that_somebody_else_changed_is_not_overwritten(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.change("anna", "01", "1.1", Mark(1.0), why="review")
    with pytest.raises(Conflict) as caught:
        ledger.change("anna", "01", "1.1", Mark(2.0), before=Mark(), why="review")
    assert caught.value.mark == Mark(1.0)
    assert ledger.marks()[("anna", "01", "1.1")].points == 1


@pytest.mark.parametrize("points", [-1.0, float("nan"), float("inf")])
def test_points_are_finite_and_not_negative(tmp_path, points):
    with pytest.raises(ValueError, match="points must be a number"):
        Ledger(tmp_path).change("anna", "01", "1.1", Mark(points), why="review")
    assert not Ledger(tmp_path).path.exists()


@pytest.mark.parametrize("name", ["=x", "anna", "'=x", "O'Neil", "＝x", "a;=b"])
def test_a_name_in_the_table_is_written_the_same_again(name):
    assert cell_name(cell_name(name)) == cell_name(name)
