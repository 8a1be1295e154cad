"""Canvas: a table for Grades, Import, made of the gradebook that a teacher exports there.

The rules are those of Canvas's importer. It finds a student by the column ID, or by the SIS columns, and an assignment
by its title with the id behind it in parentheses; a title without one makes a new assignment. The second line holds the
points that are possible. An empty cell takes a grade away, so only students who have a score are in the table, and one
assignment; ``EX`` is an excused student.
"""

import re

from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.report.tables import table
from diffusion_lab.grading.roster import Entry, Finder, Roster, name_and_id
from diffusion_lab.grading.rows import Row

IDENTITY = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
EXCUSED = "EX"
POSSIBLE = "Points Possible"
_TITLE = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)", re.S)


class Export:
    """The gradebook of a course, as Canvas exports it."""

    def __init__(self, source: Table):
        """Find its columns and its students; a `ValueError` says what is missing."""
        self.source = source
        self.columns = {name: source.column(name) for name in IDENTITY}
        if missing := [name for name in IDENTITY[:2] if self.columns[name] is None]:
            raise ValueError(
                f"{source.name}: the gradebook that Canvas exports was wanted, with the column {missing[0]}; there are"
                f" {', '.join(filter(None, source.header))}"
            )
        self.titles = {
            column: title for column, title in enumerate(source.header) if title and _TITLE.fullmatch(title)
        }
        lines = [cells for _, cells in source.lines()]
        heads = [number for number, cells in enumerate(lines) if cells[0].strip() == POSSIBLE]
        self.possible = lines[heads[0]] if heads else None
        self.students = lines[heads[0] + 1 :] if heads else lines
        self._ids = {self.identity(cells)[1]: cells for cells in self.students}
        self._finder = Finder(self.identity(cells) for cells in self.students)

    def identity(self, cells: list[str]) -> list[str]:
        """What a line says of who it is, in the columns `IDENTITY`."""
        return [("" if column is None else cells[column]).strip() for column in self.columns.values()]

    def find(self, student: str) -> list[str] | None:
        """The line of a student of the gradebook: by the id, or else by any name."""
        if by_id := self._ids.get(name_and_id(student)[1] or None):
            return by_id
        found = self._finder.find(student)
        return None if found is None else self.students[found]

    def assignment(self, exercise: str, title: str | None) -> int:
        """The column of an assignment: the one of this title, or the only one with the exercise's number in it.

        Raises:
            ValueError: says which assignments there are if there is no telling.
        """
        if title is not None:
            found = [
                column
                for column, known in self.titles.items()
                if title in (known, _TITLE.fullmatch(known)[1])
            ]
        else:
            number = re.compile(rf"(?<!\d)0?{int(exercise)}(?!\d)")
            found = [
                column for column, known in self.titles.items() if number.search(_TITLE.fullmatch(known)[1])
            ]
            found = found or (list(self.titles) if len(self.titles) == 1 else [])
        if len(found) != 1:
            wanted = (
                f"assignment: the title of exercise {exercise} in {self.source.name.removeprefix('canvas: ')}"
            )
            raise ValueError(f"{wanted} was wanted, one of {', '.join(self.titles.values())}; got {title!r}")
        return found[0]

    def roster(self) -> Roster:
        """The students of the course; but for the one with whom Canvas tries things out."""
        known = [self.identity(cells) for cells in self.students]
        return Roster(
            Entry(cells[0], tuple(filter(None, cells))) for cells in known if cells[0] != "Student, Test"
        )


def grades(
    rows: list[Row], exercise: str, worth: int | float, export: Export | None = None, title: str | None = None
) -> tuple[str, list[str]]:
    """Make the table of one exercise.

    Args:
        rows: all rows of the exercise.
        exercise: its number.
        worth: the points that are possible, if the export does not say.
        export: the course's gradebook; without it students are known by the id in the file names.
        title: of the assignment; without it, that of the exercise.

    Returns:
        The table, and sentences on students who are not in the export.

    Raises:
        ValueError: if there is no telling which assignment is meant.
    """
    column = None if export is None else export.assignment(exercise, title)
    head = title or f"Exercise {exercise}" if column is None else export.titles[column]
    possible = export.possible[column].strip() if export and export.possible else ""
    lines = [[*IDENTITY, head], [f"    {POSSIBLE}", "", "", "", "", possible or worth]]
    notes = []
    filled: dict[int, str] = {}  # whose grade stands for a line of the export
    for row in rows:
        score = EXCUSED if row.status == "EXCUSED" else row.score
        if score is None:
            continue
        name, number = name_and_id(row.student)
        if export is None:
            lines.append([name, number, "", "" if number else name, "", score])
            continue
        cells = export.find(row.student)
        if cells is None:
            notes.append(f"{export.source.name}: there is no line for {row.student}")
            continue
        if (first := filled.setdefault(id(cells), row.student)) != row.student:
            notes.append(f"{export.source.name}: {first} and {row.student} are one line; the first is taken")
            continue
        is_excused = cells[column].strip().upper() == EXCUSED
        lines.append([*export.identity(cells), EXCUSED if is_excused else score])
    return table(lines), notes
