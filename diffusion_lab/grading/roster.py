"""The list of a class, with which it shows who handed in nothing.

Any table with a header will do: one of your own, or what Moodle, Canvas or an office exports. A student of the
gradebook is looked for in all cells of a line: the whole name, the name without the id behind it, the id. Two columns
mean more: `excused` holds the exercises that a student need not hand in ("all", or "01 03"), and `due` a moment of the
student's own, in place of that of the class.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from diffusion_lab.grading.delimited import Table, same
from diffusion_lab.grading.lateness import moment
from diffusion_lab.grading.rows import Row

NAME = ("student", "name", "full name")
FIRST, LAST = ("first name", "firstname"), ("last name", "lastname", "surname")


def name_and_id(student: str) -> tuple[str, str]:
    """A student as Moodle and Canvas name files: the name, and the id behind it if there is one."""
    found = re.fullmatch(r"(.*)_(\d+)", student, re.S)
    return (found[1], found[2]) if found else (student, "")


class Finder:
    """Finds lines of a table by what stands in their cells."""

    def __init__(self, lines: Iterable[Iterable[str]]):
        """Take the cells of all lines; a line is found by its number, from 0."""
        self._lines: dict[str, set[int]] = {}
        for number, cells in enumerate(lines):
            for cell in cells:
                for key in {same(cell), _squeezed(cell)} - {""}:
                    self._lines.setdefault(key, set()).add(number)

    def find(self, student: str) -> int | None:
        """The one line that a student stands in; None if there is none, or no telling which."""
        name, number = name_and_id(student)
        for text in (student, name, number):  # a number may be that of another list
            for key in (same(text), _squeezed(text)):
                if len(found := self._lines.get(key, set())) == 1:
                    return min(found)
        return None


def _squeezed(text: str) -> str:
    """A name as Canvas writes it in front of a file: "Lee, Anna" is "leeanna"."""
    return re.sub(r"[\W_]+", "", same(text))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A student of the class."""

    name: str
    cells: tuple[str, ...]  # all that is known of the student
    excused: frozenset[str] = frozenset()  # exercises, or "all"
    due: datetime | None = None

    def is_excused(self, exercise: str) -> bool:
        """Whether the student need not hand in an exercise."""
        return bool(self.excused & {exercise, "all"})


class Roster:
    """The students of a class."""

    def __init__(self, entries: Iterable[Entry], exercises: frozenset[str] = frozenset()):
        """Take them; `exercises` are those that the list is of, or none if it is of all."""
        self.entries, self.exercises = list(entries), exercises
        self._finder = Finder(entry.cells for entry in self.entries)

    @classmethod
    def read(cls, table: Table) -> "Roster":
        """Read a table; a `ValueError` names what cannot be read."""
        name_column, first, last = table.column(*NAME), table.column(*FIRST), table.column(*LAST)
        names = (
            [name_column]
            if name_column is not None
            else [column for column in (first, last) if column is not None]
        )
        excused, due = table.column("excused"), table.column("due")
        entries = []
        for number, cells in table.lines():
            name = " ".join(filter(None, (cells[column].strip() for column in names or [0])))
            known = [cell.strip() for column, cell in enumerate(cells) if column not in (excused, due)]
            if first is not None and last is not None:
                known += [f"{cells[first]} {cells[last]}", f"{cells[last]}, {cells[first]}"]
            where = f"{table.name}, line {number + 1}"
            free = frozenset() if excused is None else _excused(cells[excused], where)
            own = None if due is None or not cells[due].strip() else _due(cells[due], where)
            entries.append(Entry(name or known[0], tuple(filter(None, known)), free, own))
        repeated = [name for name, count in Counter(entry.cells for entry in entries).items() if count > 1]
        if repeated:
            raise ValueError(f"{table.name}: a line for each student was wanted, got two of {repeated[0][0]}")
        return cls(entries)

    def find(self, student: str) -> Entry | None:
        """The entry of a student of the gradebook, or None."""
        number = self._finder.find(student)
        return None if number is None else self.entries[number]

    def missing(self, rows: list[Row], keys: dict) -> list[Row]:
        """A row for every exercise that a student of the class handed in nothing of.

        Who handed in a file of no exercise, and nothing else, has a row already.
        """
        made = []
        of_some = {row.student for row in rows if row.exercise}
        for exercise in sorted(keys):
            if self.exercises and exercise not in self.exercises:
                continue
            there = {self._finder.find(row.student) for row in rows if row.exercise == exercise}
            there |= {self._finder.find(row.student) for row in rows if row.student not in of_some}
            for number, entry in enumerate(self.entries):
                if number not in there:
                    status = "EXCUSED" if entry.is_excused(exercise) else "MISSING"
                    worth = keys[exercise]["points"]
                    made.append(Row(entry.name, exercise, status, worth, [], asked=exercise))
        return made

    def strangers(self, rows: Iterable[Row]) -> list[str]:
        """Students of the gradebook who are not on the list, or of whom there is no telling which they are."""
        of_list = [row for row in rows if not self.exercises or row.exercise in self.exercises]
        return sorted({row.student for row in of_list if self.find(row.student) is None})


def _excused(text: str, where: str) -> frozenset[str]:
    words = frozenset(
        word if word == "all" else word.zfill(2) for word in re.split(r"[\s,;]+", same(text)) if word
    )
    if unknown := [word for word in words if word != "all" and not re.fullmatch(r"\d\d", word)]:
        raise ValueError(
            f'{where}: excused: exercises such as "01 03", or "all", were wanted, got {unknown[0]!r}'
        )
    return words


def _due(text: str, where: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
