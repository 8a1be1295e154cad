"""Judging a class again: who changes and why, and that nobody's code runs for it."""

import base64
import csv
import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from diffusion_lab import cli
from diffusion_lab.bench import record
from diffusion_lab.checks import bank
from diffusion_lab.checks.judging import Round
from diffusion_lab.grading import keys, records, rejudge
from diffusion_lab.grading.grade import described
from diffusion_lab.grading.journal import Journal
from diffusion_lab.grading.judge import JudgeError, the_judge
from diffusion_lab.grading.records import Kept
from diffusion_lab.grading.rows import Row, TaskGrade

SOLUTIONS = Path(__file__).parents[2] / "solutions"
KEY = keys.load("01", SOLUTIONS)
NONCE = 815


@pytest.fixture(scope="module")
def plans():
    return the_judge().plans("01", NONCE)[1]


def rounds(plan, source: str) -> list[Round]:
    answer = bank.run_cell(source)[f"my_{plan.name}"]
    text = record.kept_numbers(answer) if plan.calls is None else record.kept(answer, plan.calls, None, ())
    made = [Round(plan.keys, text)]
    while "calls" in (reply := the_judge().ask("01", NONCE, plan.number, made)):
        calls = pickle.loads(base64.b64decode(reply["calls"]))
        made.append(Round(reply["keys"], record.kept(answer, calls, None, ())))
    return made


RIGHT = bank.load("forward_noising").RIGHT["forward_step"][0]
WRONG_NAME, WRONG = bank.load("forward_noising").WRONG["forward_step"][0]


@pytest.fixture
def gradebook(tmp_path, plans) -> Path:
    """A class whose check of 1.2 was wrong: it took no right answer, and every wrong one."""
    sources = {"anna": RIGHT, "=bob": WRONG, "chen": RIGHT, "dora": RIGHT, "emil": RIGHT}
    about = {"01": described(KEY)}
    book = Journal(tmp_path)
    book.add(
        "run",
        {
            "nonce": NONCE,
            "keys": about,
            "isolation": {"level": "none", "reason": ""},
            "shard": [1, 1],
            "command": "",
        },
    )
    for student, source in sources.items():
        grades = {task.number: TaskGrade(task.number, 0, task.points, "blank") for task in KEY.tasks}
        wrongly = ("passed", 2, "") if student == "=bob" else ("failed", 0, "differs")
        status, points, mistake = wrongly if student != "chen" else ("killed", 0, "")
        grades["1.2"] = TaskGrade("1.2", points, 2, status, mistake)
        tasks = [task._asdict() for task in grades.values()]
        row = Row(student, "01", "graded", KEY.points, tasks, asked="01", file="x.ipynb", sha256=student)
        kept = Kept("01", NONCE, student, {"1.2": rounds(plans["1.2"], source)})
        if student == "emil":
            kept = kept._replace(sha256="of another file")
        if student != "dora":
            records.write(records.path_of(tmp_path, row.page), kept)
        book.add("row", dataclasses.asdict(row))
    book.add("finished", {"rows": len(sources)})
    book.close()
    return tmp_path


def test_who_changes_is_told_with_the_reason(gradebook):
    again = rejudge.judge_again(gradebook, {"01": KEY})
    assert [tuple(change) for change in again.changes] == [
        ("anna", "01", "1.2", 0, 2, "failed (differs)", "passed"),
        ("=bob", "01", "1.2", 2, 0, "passed", f"failed ({WRONG_NAME})"),
    ]
    assert again.left == [
        "dora, exercise 01: there are no records of it; grade it again",
        "emil, exercise 01: there are no records of it; grade it again",
    ]
    scores = {row.student: row.score for row in again.graded.rows}
    assert scores == {"anna": 2, "=bob": 0, "chen": 0, "dora": 0, "emil": 0}
    with open(gradebook / "grades.csv", encoding="utf-8", newline="") as file:
        assert {row["student"]: row["1.2"] for row in csv.DictReader(file)}["anna"] == "2"
    with open(gradebook / rejudge.TABLE, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == list(rejudge.Change._fields)
    assert [line[0] for line in lines[1:]] == ["anna", "'=bob"]


def test_a_second_time_nothing_changes(gradebook):
    rejudge.judge_again(gradebook, {"01": KEY})
    again = rejudge.judge_again(gradebook, {"01": KEY})
    assert again.changes == []
    book = Journal(gradebook)
    assert book.is_finished
    book.close()


def test_calls_that_were_not_made_are_for_another_run(gradebook, plans):
    path = records.path_of(gradebook, "anna__01")
    kept = records.read(path)
    few = Round(plans["1.2"].keys[:1], json.dumps(json.loads(kept.tasks["1.2"][0].record)))
    answer = bank.run_cell(RIGHT)["my_forward_step"]
    few = few._replace(record=record.kept(answer, plans["1.2"].calls[:1], None, ()))
    records.write(path, kept._replace(tasks={"1.2": [few]}))
    again = rejudge.judge_again(gradebook, {"01": KEY})
    assert any(reason.startswith("anna") and "calls that were not made" in reason for reason in again.left)
    assert [row.score for row in again.graded.rows if row.student == "anna"] == [0]


def test_a_judge_that_fails_changes_nobody(gradebook, monkeypatch):
    class Fails:
        def ask(self, *_):
            raise JudgeError("the judge failed: it ended")

    monkeypatch.setattr(rejudge, "the_judge", Fails)
    again = rejudge.judge_again(gradebook, {"01": KEY})
    assert again.changes == []
    assert len(again.left) == 5 - 1  # chen's answer ended the kernel, so there is nothing to judge


def test_the_command_prints_the_table_and_takes_no_submissions(gradebook, capsys):
    code = cli.main(["grade", "--judge-again", "--out", str(gradebook), "--source", str(SOLUTIONS)])
    out = capsys.readouterr().out
    assert code == 1  # not all could be judged
    assert "anna, 1.2: 0 -> 2 points, failed (differs) -> passed" in out
    assert "2 tasks changed" in out
    assert cli.main(["grade", "x", "--judge-again", "--out", str(gradebook)]) == 2
    assert cli.main(["grade", "--out", str(gradebook)]) == 2


def test_where_there_is_no_gradebook_there_is_nothing_to_judge(tmp_path):
    with pytest.raises(ValueError, match="there is none"):
        rejudge.judge_again(tmp_path, {"01": KEY})


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_records_that_are_not_whole_are_none(tmp_path, content):
    path = tmp_path / "x.json.gz"
    path.write_bytes(content)
    assert records.read(path) is None
