"""What a server that runs a grader of ours has to be told, and what it is told of each task."""

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.grading.lateness import Deduction, moment
from diffusion_lab.grading.report.feedback import SUBMISSION_SENTENCES, advice, greeting, notes
from diffusion_lab.grading.report.tables import printable
from diffusion_lab.grading.rows import Row

SETTINGS, FAILED, COURSE, SOLUTIONS = "settings.json", "failed.json", "course", "solutions"
"""Names in a bundle: what was chosen, what is handed over if all else fails, the package, the key."""
VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
LONGEST = 4_000
"""Characters of a text for a student."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What an instructor chose when the bundle was made."""

    exercise: str  # two digits
    title: str
    notebook: str  # the name of the file that students hand in
    points: int | float
    timeout: int | float = 240.0  # seconds for one run of a submission
    attempts: int = 0  # that are graded; 0 is any number
    late: str = ""  # a deduction, see `lateness`
    visibility: str = VISIBILITIES[0]
    leaderboard: bool = False
    image: str = ""  # the container's, where a server wants one

    @classmethod
    def read(cls, bundle: Path) -> "Settings":
        """Read those of an unpacked bundle."""
        return cls(**json.loads((bundle / SETTINGS).read_text(encoding="utf-8")))

    @property
    def deduction(self) -> Deduction | None:
        """What lateness costs."""
        return Deduction.read(self.late) if self.late else None


class Visit(NamedTuple):
    """What a server says of a submission; what it does not say is as it stands here."""

    student: str = "you"
    handed_in: str = ""  # ISO 8601, in this machine's time
    due: datetime | None = None
    earlier: tuple[float, ...] = ()  # scores of the attempts before this one

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return len(self.earlier) + 1

    def is_beyond(self, settings: Settings) -> bool:
        """Whether more attempts were made than are graded."""
        return bool(settings.attempts) and self.attempt > settings.attempts


class Host(NamedTuple):
    """A server: where things stand below the root that it gives us, what form its results have, and what it runs."""

    name: str
    submission: str  # folder of what a student handed in
    results: str  # file
    visit: Callable[[Path], Visit]  # what the server says of a submission, given the root
    graded: Callable[
        [Row, dict, Settings, Visit], dict
    ]  # the results of a row, with the keys of its exercise
    refused: Callable[
        [str, Settings, Visit], dict
    ]  # the results where there is no row, and the sentence that says why
    files: Callable[[Settings], dict[str, str]]  # files of the zip beside the bundle; scripts begin with "#!"
    inside: Callable[
        [Settings], str
    ]  # the zip's folder that the bundle stands in, or "" if that is all of it
    knows_dates: bool = False  # whether it says when a submission came, when it was due, and what came before
    needs_image: bool = False  # whether it starts a container that an instructor has made


class TaskText(NamedTuple):
    """A task, as a student reads of it."""

    number: str
    title: str
    points: int | float
    max: int | float
    is_solved: bool
    text: str


def task_texts(row: Row, keys: dict) -> list[TaskText]:
    """Say of each task what its student reads."""
    return [
        TaskText(
            part.task["number"],
            part.title,
            part.task["points"],
            part.task["max"],
            bool(part.task["max"]) and part.task["points"] >= part.task["max"],
            clipped("\n".join([part.sentence, *part.lines])),
        )
        for part in advice(row, keys)
    ]


def opening(row: Row, settings: Settings, visit: Visit) -> str:
    """The first sentences to a student: points, lateness, attempts, and what the grader noticed."""
    sentences = greeting(row)
    if settings.attempts:
        sentences.append(f"This was attempt {visit.attempt} of {settings.attempts}.")
    return clipped("\n".join([" ".join(sentences), *notes(row)]))


def clipped(text: str) -> str:
    """A text that is safe to show, and not too long."""
    text = printable(text)
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


def grader_failed() -> str:
    """What a student reads where the grader failed."""
    return SUBMISSION_SENTENCES["GRADER-ERROR"]


def local_time(text: object) -> datetime | None:
    """A moment of a server in this machine's time; None if it is none."""
    try:
        return moment(text) if isinstance(text, str) else None
    except ValueError:
        return None


def script(name: str) -> str:
    """A script that goes into a bundle."""
    return (Path(__file__).with_name("scripts") / name).read_text(encoding="utf-8")
