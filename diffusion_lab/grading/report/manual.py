"""Points that an instructor gives by hand, read from a table and put into rows."""

import csv
import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

from diffusion_lab.grading.report.tables import defused
from diffusion_lab.grading.rows import Row, TaskGrade

COLUMNS = ("student", "exercise", "task", "points")


class Manual:
    """Points given by hand: a table with the columns student, exercise, task, points, and perhaps max and comment.

    Rows with no points are passed over, and so are other columns. `max` says what a task is worth that a
    human reads; without it such points come on top.
    """

    def __init__(self, path: str | Path | None = None):
        """Read the table; a `ValueError` names the line that is not as it must be."""
        self.points: dict[tuple[str, str, str], float] = {}  # by student, exercise, task
        self.max: dict[tuple[str, str], float] = {}  # by exercise, task
        self.comments: dict[tuple[str, str, str], str] = {}  # to the student; by student, exercise, task
        if path is None:
            return
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
                raise ValueError(
                    f"manual: {path} must have the columns {', '.join(COLUMNS)}; it lacks {', '.join(missing)}"
                )
            for line in reader:
                self._read(line, f"manual: {path}, line {reader.line_num}")

    def _read(self, line: dict, where: str) -> None:
        if not (line["points"] or "").strip():
            return
        exercise = (line["exercise"] or "").strip().zfill(2)[:2]
        task = (line["task"] or "").strip()
        _enter(self.points, (line["student"] or "", exercise, task), "points", line, where)
        _enter(self.max, (exercise, task), "max", line, where)
        if comment := (line.get("comment") or "").strip():
            self.comments[line["student"] or "", exercise, task] = comment

    def applied(self, rows: Iterable[Row], keys: dict) -> tuple[list[Row], list[str]]:
        """Copy rows with these points in them; gives also what of the table fits no row."""
        unused, graded = dict(self.points), []
        for row in rows:
            known = keys.get(row.exercise, {}).get("tasks", [])
            own = self._of_student(row)
            tasks = [dict(task) for task in row.tasks]
            if own and not tasks:
                tasks = [TaskGrade(task["number"], 0, task["max"], "")._asdict() for task in known]
            for task in tasks:
                task["max"] = task["max"] or self.max.get((row.exercise, task["number"]), 0)
                if task["number"] in own:
                    unused.pop(own[task["number"]], None)
                    points = self.points[own[task["number"]]]
                    comment = self.comments.get(own[task["number"]], "")
                    task |= {"points": points, "status": "by hand", "note": comment}
            extra = sum(self.max.get((row.exercise, task["number"]), 0) for task in known if not task["max"])
            graded.append(dataclasses.replace(row, tasks=tasks, max=row.max + extra))
        return graded, [f"manual: there is no {', '.join(key)} in the gradebook" for key in unused]

    def _of_student(self, row: Row) -> dict[str, tuple[str, str, str]]:
        """The keys of a row's points by task; tables hold names that were defused as well."""
        names = {row.student, defused(row.student)}
        return {key[2]: key for key in self.points if key[0] in names and key[1] == row.exercise}


def _enter(table: dict, key: tuple, column: str, line: dict, where: str) -> None:
    """Take a number of a line into a table in which it may stand already, if it is the same."""
    text = (line.get(column) or "").strip()
    if not text:
        return
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{where}: {column} must be a number of at least 0, got {text!r}")
    if table.setdefault(key, value) != value:
        raise ValueError(f"{where}: {column} of {', '.join(key)} were {table[key]:g} further up, got {text}")
