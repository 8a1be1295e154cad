"""Tables for the instructor, as CSV: the gradebook, what a human has to read, and whose answers are alike."""

import re
from collections.abc import Iterable

from diffusion_lab.grading.delimited import quoted
from diffusion_lab.grading.rows import Row
from diffusion_lab.grading.similarity import Pair

_FORMULA = re.compile(r"""^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[\s"']*[=+\-@＝＋－＠])""")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Write a text so that no terminal takes it for a command.

    Of control characters only tabs and line breaks stay; the others become the signs that stand for them.
    """
    return _CONTROL.sub(lambda found: _picture(ord(found[0])), text)


def defused(value) -> str:
    """Write a cell so that no spreadsheet takes it for a formula, and no terminal for a command.

    A text that begins like a formula gets an apostrophe before it. So does what would begin like one if the table was
    split at semicolons, tabs or line ends, as spreadsheets of some countries do.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return _FORMULA.sub("'", printable(value))


def _picture(code: int) -> str:
    """The sign for a control character: "␛" for escape, "␡" for delete, "�" for one that has none."""
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"


def table(lines: Iterable[Iterable]) -> str:
    """Write lines of cells as CSV, every cell defused."""
    return "".join(",".join(quoted(defused(cell)) for cell in line) + "\r\n" for line in lines)


def task_points(row: Row) -> dict[str, int | float]:
    """The points of a row by task, without those that a human has yet to give."""
    return {task["number"]: task["points"] for task in row.tasks if task["status"] != "unread"}


def grades(rows: list[Row], keys: dict) -> str:
    """Make the gradebook: a line per submission, a column per task."""
    tasks = [(exercise, task["number"]) for exercise in sorted(keys) for task in keys[exercise]["tasks"]]
    numbers = [number for _, number in tasks]
    heads = ["student", "exercise", "status", "score", "max", *numbers]
    lines = [[*heads, "handed in", "late", "penalty", "seconds", "notes"]]
    for row in rows:
        points = task_points(row)
        own = [points.get(number) if exercise == row.exercise else None for exercise, number in tasks]
        grade = [row.student, row.exercise, row.status, row.score, row.max, *own]
        when = [
            row.handed_in.replace("T", " "),
            row.late or ("yes" if row.marked_late else ""),
            row.penalty or None,
        ]
        lines.append([*grade, *when, f"{row.seconds:.1f}", "; ".join(row.notes)])
    return table(lines)


def to_read(rows: list[Row], keys: dict) -> str:
    """Make the table of answers that a human reads.

    With its column points filled in, it is what `Manual` reads.
    """
    lines = [["student", "exercise", "task", "points", "max", "question", "answer"]]
    for row in rows:
        titles = {task["number"]: task["title"] for task in keys.get(row.exercise, {}).get("tasks", [])}
        for task in row.tasks:
            number, by_hand = task["number"], task["status"] == "by hand"
            if number in row.texts or by_hand:
                points = task["points"] if by_hand else None
                text = row.texts.get(number) or task["note"]
                question = titles.get(number, "")
                lines.append([row.student, row.exercise, number, points, task["max"] or None, question, text])
    return table(lines)


def alike(pairs: list[Pair]) -> str:
    """Make the table of students whose answers are alike."""
    heading = ["exercise", "student", "other", "alike in", "the same in"]
    lines = [[*heading, "such pairs to be expected by chance"]]
    for pair in pairs:
        tasks, same = ", ".join(pair.tasks), ", ".join(pair.same)
        lines.append([pair.exercise, *pair.students, tasks, same, f"{pair.chance:.2g}"])
    return table(lines)
