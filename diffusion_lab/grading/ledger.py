"""Points by hand that belong to a gradebook, and the record of every change of points.

`manual.csv` in the gradebook's folder holds the points, and each report puts them in. `audit.jsonl` gets a line for
each change, by hand or by grading again. Several people may write at once: each change reads the table anew under a
lock.
"""

import csv
import getpass
import json
import math
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from diffusion_lab.files import replacing
from diffusion_lab.grading.delimited import quoted
from diffusion_lab.grading.report.manual import Manual
from diffusion_lab.grading.report.tables import defused
from diffusion_lab.grading.rows import Row

MANUAL, AUDIT, LOCK = "manual.csv", "audit.jsonl", ".manual.lock"
HEAD = ("student", "exercise", "task", "points", "max", "comment")
_ADDED = re.compile(
    r"""^'(?=[\t\r\n])|'(?=[\s"']*[=+\-@＝＋－＠])"""
)  # apostrophes that `defused` has put in
WAIT = 10.0  # seconds for another writer to finish


class Mark(NamedTuple):
    """What a human gave a task; None and "" where nothing was given."""

    points: float | None = None
    max: float | None = None
    comment: str = ""


class Conflict(Exception):
    """Somebody else changed a mark since it was read; `mark` is what stands there now."""

    def __init__(self, mark: Mark):
        """Keep the mark as it is now."""
        super().__init__("somebody else has changed this mark: look at it again")
        self.mark = mark


def cell_name(student: str) -> str:
    """A student's name as it stands in the table, where no name is a formula."""
    is_cell = defused(_ADDED.sub("", student)) == student
    return student if is_cell else defused(student)


class Ledger:
    """The points by hand in one folder."""

    def __init__(self, folder: Path):
        """Take the folder of the gradebook; nothing is read or made yet."""
        self.folder, self.path = folder, folder / MANUAL

    def marks(self) -> dict[tuple[str, str, str], Mark]:
        """All marks, by the student's name as `cell_name` writes it, the exercise and the task."""
        if not self.path.exists():
            return {}
        Manual(self.path)  # names the line that is not as it must be
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            return {
                (
                    cell_name(line["student"] or ""),
                    (line["exercise"] or "").strip().zfill(2)[:2],
                    (line["task"] or "").strip(),
                ): Mark(
                    _number(line["points"]), _number(line.get("max")), (line.get("comment") or "").strip()
                )
                for line in csv.DictReader(file)
            }

    def change(
        self, student: str, exercise: str, task: str, mark: Mark, *, before: Mark | None = None, why: str
    ) -> None:
        """Write one mark; those of other tasks and students stay as anybody has left them.

        Args:
            student, exercise, task: whose mark.
            mark: the new one.
            before: the one that was shown to whoever changes it, or None to write in any case.
            why: for the record.

        Raises:
            Conflict: if `before` is not what stands in the table.
            ValueError: if a number is negative or not finite.
            OSError: if the table cannot be written, or somebody else holds it for too long.
        """
        for name, value in (("points", mark.points), ("max", mark.max)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a number of at least 0, got {value}")
        key = (cell_name(student), exercise, task)
        with self._locked():
            marks = self.marks()
            old = marks.get(key, Mark())
            if before is not None and before != old:
                raise Conflict(old)
            if mark != old:
                self._write(marks | {key: mark})
                self._record(key, old.points, mark.points, why, mark.comment)

    def take_in(self, path: Path) -> None:
        """Merge a table that `report.Manual` reads: its lines with points replace those of the same tasks."""
        if self.path.exists() and path.resolve() == self.path.resolve():
            return
        given = Manual(path)
        with self._locked():
            marks = self.marks()
            for (student, exercise, task), points in given.points.items():
                key = (cell_name(student), exercise, task)
                old = marks.get(key, Mark())
                worth = given.max.get((exercise, task), old.max)
                comment = given.comments.get((student, exercise, task), old.comment)
                marks[key] = Mark(points, worth, comment)
                if points != old.points:
                    self._record(key, old.points, points, f"from {path.name}")
            if marks:
                self._write(marks)

    def record_changes(self, old_rows: list[dict], rows: list[Row]) -> None:
        """Record what grading changed: points of tasks that nobody gave by hand."""
        points = {
            (row["student"], row["exercise"], task["number"]): task
            for row in old_rows
            for task in row["tasks"]
        }
        for row in rows:
            for task in row.tasks:
                key = (row.student, row.exercise, task["number"])
                old = points.get(key)
                if (
                    old
                    and old["points"] != task["points"]
                    and "by hand" not in (old["status"], task["status"])
                ):
                    self._record(key, old["points"], task["points"], "graded again")

    def _locked(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return _Lock(self.folder / LOCK, timeout=WAIT)

    def _write(self, marks: dict[tuple[str, str, str], Mark]) -> None:
        lines = [HEAD]
        for (student, exercise, task), mark in sorted(marks.items()):
            numbers = ["" if value is None else f"{value:g}" for value in (mark.points, mark.max)]
            comment = cell_name(mark.comment)
            lines.append((student, exercise, task, *numbers, comment))
        text = "".join(",".join(quoted(cell) for cell in line) + "\r\n" for line in lines)
        with replacing(self.path) as part:
            part.write_text(text, encoding="utf-8", newline="")

    def _record(self, key: tuple[str, str, str], before, after, why: str, comment: str = "") -> None:
        student, exercise, task = key
        entry = {
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "who": _user(),
            "student": student,
            "exercise": exercise,
            "task": task,
            "before": before,
            "after": after,
            "why": why,
        } | ({"comment": comment} if comment else {})
        with open(self.folder / AUDIT, "ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class _Lock(FileLock):
    """A lock that says in words what it waited for."""

    def __enter__(self):
        try:
            return super().__enter__()
        except Timeout:
            folder = Path(self.lock_file).parent
            raise BlockingIOError(f"{folder}: somebody else is writing points there") from None


def _number(text: str | None) -> float | None:
    return float(text) if (text or "").strip() else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
