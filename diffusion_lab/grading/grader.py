"""Grading one submission, whatever it is: its row in the gradebook, and its log."""

import dataclasses
import hashlib
import time
import traceback
from pathlib import Path

from nbformat import NotebookNode

from diffusion_lab.grading import answers, records, run, similarity
from diffusion_lab.grading.answers import Answers
from diffusion_lab.grading.box import Box
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.plan import Planned
from diffusion_lab.grading.rows import Row, TaskGrade
from diffusion_lab.grading.submissions import Submission, Unreadable

KEPT = 4000  # characters of an answer that a human reads
STATUSES = {"graded": "graded", "timeout": "TIMEOUT", "grader-error": "GRADER-ERROR"}


@dataclasses.dataclass(frozen=True)
class Grader:
    """What the submissions of a class are graded with."""

    known: dict[str, Key]  # by exercise
    expected: dict[str, NotebookNode]  # the solutions of those that are needed, run under the nonce
    nonce: int
    box: Box
    timeout: int | float  # seconds for one submission
    keep_in: Path | None = None  # the gradebook in which the records are kept, if they are

    def grade(self, submission: Submission, planned: Planned) -> tuple[Row, str]:
        """Give the row and the log of one submission; never raises but for a wish to stop."""
        began, log = time.monotonic(), ""
        key = self.known.get(planned.exercise)
        row = Row(
            planned.student,
            planned.exercise,
            "",
            key.points if key else 0,
            [],
            notes=list(planned.notes),
            asked=planned.asked,
            file=planned.file,
            sha256=hashlib.sha256(submission.data).hexdigest(),  # of what is graded, which may have changed
            handed_in=planned.handed_in,
            marked_late=planned.marked_late,
        )
        if planned.excluded:
            row.status = "EXCLUDED"
            return row, log
        try:
            log = self._fill(row, submission.read(), planned, key)
        except Unreadable as error:
            row.status = "UNREADABLE"
            row.notes.insert(0, str(error))
        except Exception as error:
            row.status, row.tasks = "GRADER-ERROR", []
            row.notes.insert(0, f"the grader failed with {type(error).__name__}; see logs/{row.page}.log")
            log = "".join(traceback.format_exception(error))
        row.seconds = round(time.monotonic() - began, 2)
        return row, log

    def _fill(self, row: Row, notebook: NotebookNode, planned: Planned, key: Key | None) -> str:
        """Enter into the row what comes of a notebook; gives the log."""
        row.status = "NO-ANSWERS"
        if key is None:
            row.notes.insert(0, "neither its name nor its cells match any exercise of the course")
            return ""
        if planned.missing:
            row.notes.insert(0, planned.missing)
            row.tasks = _blank(key)
            return ""
        found = answers.extract(notebook, key)
        _enter_answers(row, found, key)
        if not found.sources:
            row.notes.insert(0, self._why_nothing(notebook, key))
            row.tasks = _blank(key)
            return ""
        expected = self.expected[key.exercise]
        grade = run.grade_notebook(key, found, self.nonce, expected, box=self.box, timeout=self.timeout)
        row.status = STATUSES[grade.outcome]
        row.tasks = [task._asdict() for task in grade.tasks] if grade.outcome == "graded" else []
        row.notes += grade.notes
        if self.keep_in:
            kept = records.Kept(key.exercise, self.nonce, row.sha256, grade.records)
            records.write(records.path_of(self.keep_in, row.page), kept)
        return "\n".join(grade.logs)

    def _why_nothing(self, notebook: NotebookNode, key: Key) -> str:
        other = answers.recognise(notebook, self.known.values())
        if other is not None and other.exercise != key.exercise:
            return f"its cells are those of exercise {other.exercise}"
        return "its answers are as they were handed out"


def _enter_answers(row: Row, found: Answers, key: Key) -> None:
    """Enter how answers were found, those that a human reads, and the shapes of the others."""
    row.notes += found.notes
    row.how = found.how
    for task in key.tasks:
        source = found.sources.get(task.number, "")
        if task.check_cell_id is None and source:
            row.texts[task.number] = source[:KEPT]
        if task.points and (shape := similarity.shape(source)):
            row.shapes[task.number] = shape


def _blank(key: Key) -> list[dict]:
    """The tasks of somebody who answered nothing."""
    return [
        TaskGrade(task.number, 0, task.points, "blank" if task.check_cell_id else "unread")._asdict()
        for task in key.tasks
    ]
