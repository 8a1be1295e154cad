"""Moodle: the grading worksheet that a teacher downloads from an assignment, filled in.

The rules are those of Moodle's importer (`mod/assign/feedback/offline` in its sources). It finds a student by the
number at the end of the column Identifier, and the grade and the date of the last grade by the names of their columns,
in the language of whoever uploads. It passes over an empty grade, one outside the assignment's range, and one that
Moodle has changed more than a minute after the date in the worksheet; but it takes a comment even if that is empty.
So the worksheet keeps its names, its dates and its order, and a cell is changed only where there is a score.
"""

import re
from collections import Counter

from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.report.feedback import SUBMISSION_SENTENCES
from diffusion_lab.grading.report.tables import defused
from diffusion_lab.grading.roster import Entry, Finder, Roster, name_and_id
from diffusion_lab.grading.rows import TASKS, Row, lateness_text

MODIFIED = "Last modified (grade)"
_IDENTIFIER = re.compile(r"(\D*)(\d+)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


class Worksheet:
    """A worksheet of one assignment."""

    def __init__(self, table: Table):
        """Find its columns; a `ValueError` says which there are if one is missing."""
        self.table = table
        self.lines = dict(table.lines())
        self.identifier = self._column(self._find_identifier(), "Identifier")
        self.maximum = self._found(("Maximum Grade",), self._find_maximum())
        before = None if self.maximum in (None, 0) else self.maximum - 1
        self.grade = self._column(self._found(("Grade",), before), "Grade")
        if table.column("Identifier") is not None:  # in English, so the third one has a name that is known
            self._column(table.column(MODIFIED), MODIFIED)
        self.comments = self._found(("Feedback comments",), self._find_comments())
        self.numbers = {
            line: found[2].lstrip("0") or "0"
            for line, cells in self.lines.items()
            if (found := _IDENTIFIER.fullmatch(cells[self.identifier].strip()))
        }

    # columns: by their English names, or else by what stands in them

    def _found(self, names: tuple[str, ...], otherwise: int | None) -> int | None:
        column = self.table.column(*names)
        return otherwise if column is None else column

    def _column(self, column: int | None, name: str) -> int:
        if column is None:
            has = ", ".join(filter(None, self.table.header))
            wanted = f"the grading worksheet that Moodle gives you, with the column {name}, was wanted"
            raise ValueError(f"{self.table.name}: {wanted}; there are {has}")
        return column

    def _cells(self, column: int) -> list[str]:
        return [cells[column].strip() for cells in self.lines.values()]

    def _find_identifier(self) -> int | None:
        """The first column of texts such as "Participant 12345", all with the same word."""
        column = self.table.column("Identifier")
        for candidate in [] if column is not None else range(len(self.table.header)):
            found = [_IDENTIFIER.fullmatch(cell) for cell in self._cells(candidate)]
            if found and all(found) and len({match[1] for match in found}) == 1 and found[0][1]:
                return candidate
        return column

    def _find_maximum(self) -> int | None:
        """The first column in which the same number stands everywhere; Moodle puts the grade before it."""
        for candidate in range(1, len(self.table.header)):
            texts = set(self._cells(candidate))
            before = self._cells(candidate - 1)
            if (
                len(texts) == 1
                and _number(min(texts))
                and all(not cell or _number(cell) is not None for cell in before)
            ):
                return candidate
        return None

    def _find_comments(self) -> int | None:
        """The last column, if it is not the date of the last grade, which is never empty."""
        last = len(self.table.header) - 1
        is_behind = self.maximum is not None and last > self.maximum
        return last if is_behind and not all(self._cells(last)) else None

    # who is in it

    def roster(self, exercise: str) -> Roster:
        """The students of the worksheet, of whom nothing is known but who they are."""
        name = self.table.column("Full name")
        if (
            name is None and self.table.column("Identifier") is None
        ):  # in other languages, it follows the identifier
            name = self.identifier + 1
        entries = []
        for line, cells in self.lines.items():
            identifier = cells[self.identifier].strip()
            is_named = name is not None and name < self.grade  # where marking is blind, there is no name
            shown = cells[name].strip() if is_named else ""
            number = self.numbers.get(line, "")
            known = (
                number and f"{shown}_{number}",
                number,
                identifier,
                *(cells[column].strip() for column in range(self.grade)),
            )
            entries.append(Entry(shown or identifier, tuple(filter(None, known))))
        return Roster(entries, frozenset([exercise]))

    # filling it in

    def filled(self, rows: list[Row]) -> tuple[bytes, list[str]]:
        """Fill in the grades of one exercise.

        Returns:
            The worksheet as it is to be uploaded, and sentences on who is not in it, or not only once.
        """
        numbers = Counter(self.numbers.values())
        lines = {number: line for line, number in self.numbers.items() if numbers[number] == 1}
        order = list(self.lines)
        finder = Finder(self.lines[line][: self.grade] for line in order)
        notes = [
            f"{self.table.name}: Participant {number} stands there {count} times; none of them is filled in"
            for number, count in sorted(numbers.items())
            if count > 1
        ]
        filled: dict[int, str] = {}  # whose grade stands in a line
        for row in rows:
            number = name_and_id(row.student)[1].lstrip("0")
            if row.score is None or numbers[number] > 1:
                continue
            found = None if number in lines else finder.find(row.student)
            line = lines.get(number) if found is None else order[found]
            if line is None:
                problem = f"there is no line for {row.student}"
            elif line in filled:
                problem = f"{filled[line]} and {row.student} are one line; the first is filled in"
            else:
                filled[line] = row.student
                problem = self._fill(line, row)
                problem = problem and f"{row.student}: {problem}"
            if problem:
                notes.append(f"{self.table.name}: {problem}")
        return self.table.data(), notes

    def _fill(self, line: int, row: Row) -> str:
        """Fill in one line, or say why not."""
        limit = None if self.maximum is None else self.lines[line][self.maximum].strip()
        most = None if limit is None else _number(limit)
        if most is None:
            return "the maximum grade cannot be read, so the grade is left as it is"
        if row.score > most:
            return f"{row.score:g} points are above the maximum grade, {limit}; the grade is left as it is"
        text = f"{row.score:.5f}".rstrip("0").rstrip(".")
        self.table.put(line, self.grade, text.replace(".", ",") if self._has_commas else text)
        if self.comments is not None:
            self.table.put(line, self.comments, defused(comments(row)))
        return "" if most == row.max else f"of {row.max:g} points; the worksheet's maximum is {limit}"

    @property
    def _has_commas(self) -> bool:
        """Whether numbers are written with a decimal comma."""
        cells = self._cells(self.grade) + ([] if self.maximum is None else self._cells(self.maximum))
        return any("," in cell for cell in cells)


def comments(row: Row) -> str:
    """What a student reads beside the grade: how each task stands, and what lateness cost."""
    tasks = "; ".join(f"{task['number']}: {TASKS[task['status']]}" for task in row.tasks)
    return "; ".join(filter(None, (tasks or SUBMISSION_SENTENCES[row.status], lateness_text(row))))


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
