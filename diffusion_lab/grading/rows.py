"""What is known of a student: one row per submission, and what became of each of its tasks."""

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

STATUSES = {
    "graded": "graded",
    "UNREADABLE": "the file could not be read as a notebook",
    "TIMEOUT": "it did not end in time, and no single task could be made out as the reason",
    "NO-ANSWERS": "no answer was found in it",
    "GRADER-ERROR": "the grader failed, not the student: its log says why, and grading again tries it once more",
    "EXCLUDED": "nothing of it was run, for the student was excluded: look at it by hand",
    "MISSING": "a student of the class handed in nothing",
    "EXCUSED": "a student of the class handed in nothing, and need not",
}
"""What may become of a submission, in words for the instructor."""
ABSENT = ("MISSING", "EXCUSED")
"""The statuses of students who handed in nothing."""
TASKS = {
    "passed": "solved",
    "failed": "not right yet",
    "blank": "not answered",
    "killed": "your answer ended Python, or used too much memory or output",
    "timeout": "your answer did not end in time",
    "unread": "to be read by your instructor",
    "by hand": "graded by your instructor",
    "": "not graded",
}
"""What may become of a task, in a few words for the student."""


class TaskGrade(NamedTuple):
    """What became of a task. Rows hold it as a dict, for that is how it is stored."""

    number: str
    points: int | float
    max: int | float
    status: str  # one of TASKS
    mistake: str = ""  # a name of the catalogue, or a general one, if the check gave one
    note: str = ""


@dataclasses.dataclass
class Row:
    """One submission in the gradebook."""

    student: str
    exercise: str  # two digits; "" if no exercise of the course was recognised
    status: str  # one of STATUSES
    max: int | float
    tasks: list[dict]  # the fields of a `TaskGrade` each; empty if it was not graded
    seconds: int | float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    asked: str = ""  # the exercise that the file's name or marks told; with `student`, names the submission
    file: str = ""
    sha256: str = ""
    how: dict[str, str] = dataclasses.field(default_factory=dict)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)  # answers that a human reads
    shapes: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # see `similarity`
    handed_in: str = ""  # when, in ISO 8601 and the time of the machine that packed it; "" if nothing tells
    marked_late: bool = False  # whether the server wrote so into the file's name
    late: str = ""  # by how much, in words; "" if it was in time
    penalty: int | float = 0  # points that this costs

    @property
    def points(self) -> int | float | None:
        """The points of all tasks, or None where there is no score: that is never the same as 0."""
        return sum(task["points"] for task in self.tasks) if self.tasks else None

    @property
    def score(self) -> int | float | None:
        """The points, less what lateness costs."""
        return (
            self.points if not self.penalty or self.points is None else round(self.points - self.penalty, 2)
        )

    @property
    def page(self) -> str:
        """The name of its feedback and log, without a suffix."""
        exercise = (self.exercise or "unknown") + ("" if self.asked else "-unnamed")
        return f"{safe_name(self.student)}__{exercise}"


def safe_name(name: str) -> str:
    """Make a file name that works everywhere; names that differ stay different."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_-")[:60]
    if plain and plain == name == name.lower():
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def status_counts(rows: Iterable[Row]) -> str:
    """Say how many submissions have which status, such as "27 graded, 1 TIMEOUT"."""
    counts = Counter(row.status for row in rows)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])


def score_text(row: Row) -> str:
    """Write "7 of 9 points", or "no score"."""
    return "no score" if row.score is None else f"{row.score:g} of {row.max:g} points"


def lateness_text(row: Row) -> str:
    """Write "2 days late: -1.8 points", "2 days late", or "" for what came in time."""
    if not row.late:
        return "late, says its name" if row.marked_late else ""
    return f"{row.late} late" + (f": -{row.penalty:g} points" if row.penalty else "")


def points_text(task: dict) -> str:
    """Write "1 of 2", or a dash for a task that is worth nothing."""
    return f"{task['points']:g} of {task['max']:g}" if task["max"] or task["points"] else "–"
