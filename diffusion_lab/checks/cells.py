"""What the cells of an exercise are for: labels in a notebook's metadata, and marks in its answers.

``diffusion-lab build-exercises`` writes the labels from what the module of an exercise declares, and the grader
reads them. The key is our own; nbgrader keeps what it knows of a cell in the same way, under ``nbgrader``. ::

    notebook.metadata["diffusion_lab"]   {"exercise": "01"}
    cell.metadata["diffusion_lab"]       {"task": "1.2", "role": "statement", "title": …, "points": 2, …}
                                         {"task": "1.2", "role": "answer"}
                                         {"task": "1.2", "role": "check"}

An editor may lose metadata, so an answer also carries its number in a line ``# ANSWER 1.2``, the mark.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

KEY = "diffusion_lab"
STATEMENT, ANSWER, CHECK = ROLES = ("statement", "answer", "check")

_NUMBER = r"\d{1,4}\.\d{1,4}"
_MARK = rf"#[ \t]*ANSWER[ \t]*(?::[ \t]*)?({_NUMBER})(?![\d.]*\d)"
_LINE = re.compile(rf"^[ \t]*#*{_MARK}", re.M)
_ANYWHERE = re.compile(_MARK)
_TASK = re.compile(_NUMBER)
_EXERCISE = re.compile(r"\d\d")


class Label(NamedTuple):
    """What a cell is to a task. What is said of the task itself stands with its statement only."""

    task: str  # its number, such as "1.2"
    role: str  # one of ROLES
    title: str = ""  # without formulas
    points: int = 0  # 0 if a human reads the answer, and there is no check
    section: str = ""  # of the lesson, to read again
    hint: str = ""  # the first one


class Mark(NamedTuple):
    """A line ``# ANSWER 1.2``."""

    task: str
    start: int  # of the line, in characters from the start of the cell


def label(cell: Mapping) -> Label | None:
    """Read the label of a cell, as read from JSON or by nbformat.

    None if it has none, or one that `build-exercises` has not written: who hands in a notebook may write anything.
    """
    entry = _entry(cell)
    task, role = entry.get("task"), entry.get("role")
    if not (isinstance(task, str) and _TASK.fullmatch(task) and isinstance(role, str) and role in ROLES):
        return None
    texts = {name: entry.get(name, "") for name in ("title", "section", "hint")}
    points = entry.get("points", 0)
    if not all(isinstance(text, str) for text in texts.values()) or type(points) is not int:
        return None
    return Label(task, role, points=points, **texts)


def exercise(notebook: Mapping) -> str | None:
    """Read from its metadata which exercise a notebook is, two digits; None if they do not say."""
    number = _entry(notebook).get("exercise")
    return number if isinstance(number, str) and _EXERCISE.fullmatch(number) else None


def _entry(holder: Mapping) -> Mapping:
    metadata = holder.get("metadata")
    entry = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return entry if isinstance(entry, Mapping) else {}


def labelled(metadata: Mapping, written: Label | None) -> dict[str, Any]:
    """Copy the metadata of a cell with another label, or with none."""
    kept = {name: value for name, value in metadata.items() if name != KEY}
    if written is None:
        return kept
    entry = {name: value for name, value in written._asdict().items() if value != ""}
    if written.role != STATEMENT:
        del entry["points"]
    return kept | {KEY: entry}


def marks(source: str) -> list[Mark]:
    """Find the marks in a cell: ``# ANSWER 1.2`` at the start of a line, also as somebody types it again."""
    return [Mark(found[1], found.start()) for found in _LINE.finditer(source)]


def marked_task(source: str) -> str | None:
    """Tell the task of a cell that begins with a mark."""
    first = _LINE.match(source)
    return first[1] if first else None


def marks_anywhere(text: str) -> list[str]:
    """Find the tasks of all marks in the text of a file, which may be no notebook at all."""
    return _ANYWHERE.findall(text)


def without_marks(source: str) -> str:
    """Take the marks out of a cell; what stands behind them stays."""
    return _LINE.sub("", source)


def worth(points: int) -> str:
    """Say what a task is worth: "1 point", "2 points"."""
    return "1 point" if points == 1 else f"{points} points"


def solved(task: str, points: int) -> str:
    """Begin the line that a check prints; the numbers follow."""
    return f"{task} solved, {worth(points)}: "


def plain(title: str) -> str:
    r"""Write a title without the marks of its formulas: "one step, each at its own $t$", "with $\eta$"."""
    return title.replace("$", "").replace("\\", "")
