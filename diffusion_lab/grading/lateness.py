"""When a submission was due, how late it came, and what that costs.

A policy is a line such as ``-10%/day,max 3``: for every day that has begun, ten percent of what the exercise is worth,
for three days at most. ``,then 0`` behind it takes all points of what comes later than that.
"""

import dataclasses
import math
import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import NamedTuple

from diffusion_lab.grading.rows import Row

UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_POLICY = re.compile(
    r"-(?P<rate>\d+(?:\.\d+)?)\s*(?P<percent>%?)\s*/\s*(?P<unit>hour|day|week)s?"
    r"(?:\s*,\s*max\s+(?P<most>\d+))?(?P<then>\s*,\s*then\s+0)?"
)
_EXERCISE = re.compile(r"(\d{1,2})=(.*)", re.S)


class Deduction(NamedTuple):
    """What a started unit of lateness costs."""

    rate: int | float  # percent of what the exercise is worth, or points
    is_percent: bool
    unit: str  # of UNITS
    most: int | None  # units that are counted
    ends: bool  # whether later than `most` there are no points at all

    @classmethod
    def read(cls, text: str) -> "Deduction":
        """Read a policy such as ``-10%/day,max 3,then 0``; a `ValueError` says what cannot be read."""
        found = _POLICY.fullmatch(text.strip())
        most = found and found["most"] and int(found["most"])
        if not found or most == 0 or (found["then"] and not most):
            wanted = "a deduction such as -10%/day, -10%/day,max 3 or -1/hour,max 5,then 0 was wanted"
            raise ValueError(f"late: {wanted}, got {text!r}")
        return cls(
            float(found["rate"]), bool(found["percent"]), found["unit"], most or None, bool(found["then"])
        )

    def points(self, late: timedelta, points: int | float, worth: int | float) -> int | float:
        """The points that a submission loses.

        Args:
            late: how late it came.
            points: what it has without the deduction; it never loses more.
            worth: what the exercise is worth, of which the percentage is taken.
        """
        units = math.ceil(late / UNITS[self.unit])
        if self.ends and units > self.most:
            return points
        units = min(units, self.most or units)
        loss = units * self.rate * (worth / 100 if self.is_percent else 1)
        return round(min(loss, points), 2)


@dataclasses.dataclass(frozen=True)
class Policy:
    """When exercises are due, and what a late submission loses."""

    due: dict[str, datetime]  # by exercise; that of "" is for all others
    deduction: Deduction | None = None

    @classmethod
    def read(cls, due: Iterable[str], late: str | None) -> "Policy | None":
        """Read what was asked for; None if nothing was.

        Args:
            due: moments such as "2026-11-30 23:59" or "01=2026-11-30", see `moment`.
            late: a deduction, see `Deduction.read`.

        Raises:
            ValueError: names what cannot be read.
        """
        moments: dict[str, datetime] = {}
        for text in due:
            found = _EXERCISE.fullmatch(text)
            exercise, text = (found[1].zfill(2), found[2]) if found else ("", text)
            if moments.setdefault(exercise, moment(text)) != moment(text):
                raise ValueError(f"due: one moment for exercise {exercise or 'any'} was wanted, got several")
        deduction = None if late is None else Deduction.read(late)
        if deduction and not moments:
            raise ValueError(
                "late: it says what a late submission loses, and nothing says when it is late: due"
            )
        return cls(moments, deduction) if moments else None

    def applied(self, row: Row, own_due: datetime | None = None) -> Row:
        """Copy a row with how late it is, and what that costs; `own_due` is a moment of this student's own."""
        due = own_due or self.due.get(row.exercise) or self.due.get("")
        if due is None or not (row.handed_in or row.marked_late):
            return row
        late = datetime.fromisoformat(row.handed_in) - due if row.handed_in else timedelta()
        notes = list(row.notes)
        if late <= timedelta() and row.marked_late and own_due is None:
            late = timedelta(seconds=1)
            notes.append("its name says that it is late, and its date does not; counted as just late")
        if late <= timedelta():
            return row
        penalty: int | float = 0
        if self.deduction and row.points is not None:
            penalty = self.deduction.points(late, row.points, row.max)
        return dataclasses.replace(row, late=in_words(late), penalty=penalty, notes=notes)


def moment(text: str) -> datetime:
    """Read a moment in this machine's time, such as "2026-11-30 23:59" or "2026-11-30T23:59+01:00".

    A day counts to its end, and so does a minute. A `ValueError` says if it is none.
    """
    text = text.strip()
    try:
        found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        wanted = "a moment such as 2026-11-30 or 2026-11-30 23:59 was wanted"
        raise ValueError(f"due: {wanted}, got {text!r}") from None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return datetime.combine(found, time.max)
    if found.tzinfo:
        found = found.astimezone().replace(tzinfo=None)
    return found if found.second else found.replace(second=59, microsecond=999_999)


def in_words(late: timedelta) -> str:
    """Say how late: "2 days" for what has begun, and less than that rounded to hours or minutes."""
    if late > UNITS["day"]:
        count, unit = math.ceil(late / UNITS["day"]), "day"
    elif late > UNITS["hour"]:
        count, unit = round(late / UNITS["hour"]), "hour"
    else:
        count, unit = max(round(late / timedelta(minutes=1)), 1), "minute"
    return f"{count} {unit}{'' if count == 1 else 's'}"
