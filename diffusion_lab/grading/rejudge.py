"""Judging a class again, from the records of what its answers did, after a check was mended."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from diffusion_lab.files import replacing
from diffusion_lab.grading import records, run
from diffusion_lab.grading.grade import Graded, run_record
from diffusion_lab.grading.journal import JOURNAL, Journal
from diffusion_lab.grading.judge import JudgeError, the_judge
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.report import tables
from diffusion_lab.grading.reporting import Reporting
from diffusion_lab.grading.rows import Row, TaskGrade

TABLE = "judged_again.csv"
JUDGED = ("passed", "failed", "blank")
"""What becomes of a task by what the judge says; all else is decided while an answer runs, or by a human."""


class Change(NamedTuple):
    """What has changed for a student in one task, and why."""

    student: str
    exercise: str
    task: str
    points_before: int | float
    points: int | float
    before: str
    now: str


class JudgedAgain(NamedTuple):
    """The gradebook as it is now, who has changed, and who could not be judged, each with the reason."""

    graded: Graded
    changes: list[Change]
    left: list[str]


def judge_again(out: Path, known: dict[str, Key], *, reporting: Reporting | None = None) -> JudgedAgain:
    """Judge all rows of a gradebook anew; rows, tables and pages are written again, and no answer runs.

    Args:
        out: folder of the gradebook.
        known: the keys, by exercise.
        reporting: what is added to the grades, as for `grade.grade`.

    Raises:
        ValueError: if there is no gradebook.
        BlockingIOError: if a grader writes to it.
    """
    if not (out / JOURNAL).is_file():
        raise ValueError(f"out: a gradebook was wanted, and there is none in {out}")
    reporting = reporting or Reporting()
    changes: list[Change] = []
    left: list[str] = []
    with contextlib.closing(Journal(out)) as journal:
        runs, was_finished = journal.of("run"), journal.is_finished
        reporting.check(run_record(runs)["keys"], is_whole_class=runs[-1]["shard"] == [1, 1])
        for row in tqdm(list(journal.rows().values()), unit="submission", leave=False):
            if row.status != "graded":
                continue
            try:
                judged = list(_judged(row, known, out))
            except (JudgeError, NotRecorded) as error:
                left.append(f"{row.student}, exercise {row.exercise}: {error}")
                continue
            found = _changes(row, judged)
            changes += found
            if found:
                journal.add("row", dataclasses.asdict(row) | {"tasks": judged})
        if was_finished:
            journal.add("finished", {"rows": len(journal.rows())})
        written, warnings = reporting.write(
            out, journal.rows().values(), run_record(runs), journal.is_finished
        )
    _write(out / TABLE, changes)
    return JudgedAgain(Graded(written, False, warnings), changes, left)


class NotRecorded(ValueError):
    """What a check wants to know stands in no record; only running the answer again tells it."""


def _judged(row: Row, known: dict[str, Key], out: Path) -> Iterator[dict]:
    """The tasks of a row as the judge sees them now."""
    kept = records.read(records.path_of(out, row.page))
    if kept is None or kept.sha256 != row.sha256 or row.exercise not in known:
        raise NotRecorded("there are no records of it; grade it again")
    by_number = {task.number: task for task in known[row.exercise].tasks}
    for task in row.tasks:
        rounds, number = kept.tasks.get(task["number"]), task["number"]
        if task["status"] not in JUDGED or not rounds or number not in by_number:
            yield task
            continue
        reply = the_judge().ask(kept.exercise, kept.nonce, number, rounds)
        if "calls" in reply:
            raise NotRecorded(
                f"the check of {number} wants to know of calls that were not made; grade it again"
            )
        yield _graded(by_number[number], reply, task)._asdict()


def _graded(task, reply: dict, before: dict) -> TaskGrade:
    if "line" in reply:
        return TaskGrade(task.number, task.points, task.points, "passed")
    if before["status"] == "blank" and reply["name"] not in run.NAMED:
        return TaskGrade(**before)
    return run.unsolved(task, "\n".join(reply["lines"]), {})


def _changes(row: Row, judged: list[dict]) -> list[Change]:
    pairs = zip(row.tasks, judged, strict=True)
    return [
        Change(
            row.student,
            row.exercise,
            now["number"],
            before["points"],
            now["points"],
            _words(before),
            _words(now),
        )
        for before, now in pairs
        if before != now
    ]


def _words(task: dict) -> str:
    mistake = f" ({task['mistake']})" if task["mistake"] else ""
    return f"{task['status']}{mistake}"


def _write(path: Path, changes: list[Change]) -> None:
    with replacing(path) as part:
        part.write_text(tables.table([Change._fields, *changes]), encoding="utf-8", newline="")
