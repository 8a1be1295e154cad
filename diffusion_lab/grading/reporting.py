"""What an instructor adds to the grades, and where they go: points by hand, the class list, lateness, server files.

All of it is read before anybody is graded, so what cannot be read costs no grading. It changes nothing in the journal:
with another policy or list the gradebook is made anew.
"""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from diffusion_lab.files import replacing
from diffusion_lab.grading import report
from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.lateness import Policy
from diffusion_lab.grading.ledger import Ledger
from diffusion_lab.grading.report import Manual
from diffusion_lab.grading.roster import Roster
from diffusion_lab.grading.rows import ABSENT, Row
from diffusion_lab.grading.servers import canvas
from diffusion_lab.grading.servers.canvas import Export
from diffusion_lab.grading.servers.moodle import Worksheet

FORMATS = ("canvas",)
"""Servers that there are tables for without a file of theirs."""


@dataclasses.dataclass(frozen=True)
class Reporting:
    """What is done with rows once they are there."""

    manual: Path | None = None  # a table that is merged into the gradebook's own, see `ledger`
    roster: Roster | None = None
    policy: Policy | None = None
    worksheets: dict[str, Worksheet] = dataclasses.field(
        default_factory=dict
    )  # by exercise; "" if it is the only one
    export: Export | None = None
    titles: dict[str, str] = dataclasses.field(
        default_factory=dict
    )  # of assignments, by exercise, "" as above
    formats: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        *,
        manual: Path | None = None,
        roster: Path | None = None,
        due: Iterable[str] = (),
        late: str | None = None,
        worksheets: Iterable[str] = (),
        export: Path | None = None,
        titles: Iterable[str] = (),
        formats: Iterable[str] = (),
    ) -> "Reporting":
        """Read all that an instructor gives.

        Args:
            manual: a table of points given by hand, see `report.Manual`.
            roster: the list of the class, see `roster`.
            due, late: see `lateness.Policy.read`.
            worksheets: files from Moodle, as "moodle.csv" or, where there are several, "01=moodle.csv".
            export: the gradebook that Canvas exports.
            titles: of assignments of Canvas, as "Exercise 01 (67890)" or "01=Exercise 01 (67890)".
            formats: of `FORMATS`.

        Raises:
            OSError: if a file cannot be read.
            ValueError: names what cannot be understood.
        """
        formats = tuple(formats)
        if unknown := [name for name in formats if name not in FORMATS]:
            raise ValueError(f"formats must be of {', '.join(FORMATS)}, got {unknown[0]!r}")
        sheets = by_exercise(worksheets, "worksheet")
        return cls(
            _readable(manual),
            None if roster is None else Roster.read(Table.read(roster, "roster")),
            Policy.read(due, late),
            {exercise: Worksheet(Table.read(path, "worksheet")) for exercise, path in sheets.items()},
            None if export is None else Export(Table.read(export, "canvas")),
            by_exercise(titles, "assignment"),
            formats,
        )

    def check(self, exercises: Iterable[str], is_whole_class: bool = True) -> None:
        """See that it fits the exercises that are graded; a `ValueError` says what does not."""
        exercises = sorted(exercises)
        for argument, given in (("worksheet", self.worksheets), ("assignment", self.titles)):
            if "" in given and len(exercises) > 1:
                wanted = f"the exercise that it is for, such as {exercises[0]}=…, was wanted"
                raise ValueError(f"{argument}: {wanted}, for {', '.join(exercises)} are graded")
            if unknown := given.keys() - {"", *exercises}:
                raise ValueError(
                    f"{argument}: exercise {min(unknown)} is not graded here, but {', '.join(exercises)}"
                )
        for exercise in exercises if self.export else ():
            self.export.assignment(exercise, self._title(exercise))
        if not is_whole_class and (self.roster or self.worksheets or self.export):
            raise ValueError(
                "roster, worksheet and canvas are for the whole class, not for a shard: merge first"
            )

    def write(
        self, out: Path, rows: Iterable[Row], run: dict, is_complete: bool = True
    ) -> tuple[list[Row], list[str]]:
        """Write the gradebook, and the files for the class's server beside it.

        Args:
            out: folder of the gradebook.
            rows: one for each submission, as they were graded.
            run: what is known of the run, see `report.write`.
            is_complete: whether all submissions are graded, so that who has no row has handed in nothing.

        Returns:
            The rows as they stand in the gradebook, and sentences on what does not fit.

        Raises:
            ValueError: if it does not fit the exercises of the gradebook, see `check`.
            OSError: if a file cannot be written.
        """
        keys = run["keys"]
        self.check(keys)
        ledger = Ledger(out)
        if self.manual:
            ledger.take_in(self.manual)
        rows, notes = Manual(ledger.path if ledger.path.exists() else None).applied(rows, keys)
        if self.policy:
            rows = [self._judged_by_clock(row) for row in rows]
        if self.roster:
            notes += [f"roster: {name} is not on the list" for name in self.roster.strangers(rows)]
        for roster in self._rosters(keys) if is_complete else ():
            rows += roster.missing(rows, keys)
        rows.sort(key=lambda row: (row.student.casefold(), row.student, row.exercise, row.asked))
        ledger.record_changes(_rows_before(out), rows)
        report.write(out, rows, run)
        for exercise in sorted(keys):
            notes += self._write_servers(
                out, exercise, [row for row in rows if row.exercise == exercise], keys
            )
        absent = sorted({row.student for row in rows if row.status == "MISSING"}, key=str.casefold)
        if absent:
            notes.append(
                f"{len(absent)} of the class handed in nothing of some exercise: {', '.join(absent)}"
            )
        return rows, notes

    def _rosters(self, keys: dict) -> list[Roster]:
        """The list of the class, or in its place those of the class's server."""
        if self.roster:
            return [self.roster]
        if self.worksheets:
            return [
                sheet.roster(exercise or next(iter(keys)))
                for exercise, sheet in self.worksheets.items()
                if keys
            ]
        return [self.export.roster()] if self.export else []

    def _judged_by_clock(self, row: Row) -> Row:
        """Copy a row with how late it is, unless its student need not have handed it in."""
        entry = self.roster.find(row.student) if self.roster else None
        if entry and entry.is_excused(row.exercise):
            return row
        return self.policy.applied(row, entry.due if entry else None)

    def _title(self, exercise: str) -> str | None:
        return self.titles.get(exercise, self.titles.get(""))

    def _write_servers(self, out: Path, exercise: str, rows: list[Row], keys: dict) -> list[str]:
        notes = []
        if sheet := self.worksheets.get(exercise, self.worksheets.get("")):
            data, notes = sheet.filled(rows)
            _write(out / f"grades_moodle_{exercise}.csv", data)
        if self.export or "canvas" in self.formats:
            worth = max([row.max for row in rows if row.status not in ABSENT] or [keys[exercise]["points"]])
            text, strangers = canvas.grades(rows, exercise, worth, self.export, self._title(exercise))
            notes = notes + strangers
            _write(out / f"grades_canvas_{exercise}.csv", text.encode())
        return notes


def _readable(manual: Path | None) -> Path | None:
    """See that a table of points by hand can be read, before anybody is graded."""
    Manual(manual)
    return manual


def _rows_before(out: Path) -> list[dict]:
    """The rows of the gradebook as the last report left them; none if there is no such report."""
    try:
        return json.loads((out / "grades.json").read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError):
        return []


def by_exercise(texts: Iterable[str], argument: str) -> dict[str, str]:
    """Read "01=this" and "that" as what is said of exercise 01, and of the only one, ""."""
    found: dict[str, str] = {}
    for text in texts:
        head, equals, rest = str(text).partition("=")
        is_of_one = equals and head.isdigit() and len(head) <= 2
        exercise, value = (head.zfill(2), rest) if is_of_one else ("", str(text))
        if exercise in found:
            raise ValueError(
                f"{argument}: one for each exercise was wanted, got {found[exercise]} and {value}"
            )
        found[exercise] = value
    return found


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(data)
