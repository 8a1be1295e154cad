"""What a student has done in the course so far, noted in a file that stays on the student's computer.

Lessons note that they were opened and what was guessed, checks note which tasks were solved and which mistakes
were made. The file ``progress.json`` lies in the student's folder of copies (`course.copies`), or else in the
user's data folder. Nothing is noted while a notebook is tested or graded: under pytest, in the grading box, and
where the environment variable ``CI`` is set. ``DIFFUSION_LAB_PROGRESS=off`` turns it off, and
``DIFFUSION_LAB_PROGRESS=FILE`` notes into that file, whatever else is so.

A note that cannot be written costs one line and nothing else: no lesson stops for it.
"""

import dataclasses
import functools
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_data_path

from diffusion_lab.course import copies
from diffusion_lab.files import replacing

FILE = "progress.json"
SWITCH = "DIFFUSION_LAB_PROGRESS"
OFF = ("0", "false", "no", "off")
ABOUT = (
    "How far you are in the diffusion-lab course. This file stays on your computer, and is sent nowhere. Delete it,"
    " and you begin afresh."
)
VERSION = 1
NOT_A_STUDENT = ("CI", "DIFFUSION_LAB_BOX", "PYTEST_CURRENT_TEST", "PYTEST_VERSION")
"""Environment variables that are set where notebooks are tested or graded. pytest sets the last only since 8.2."""
PATIENCE = 2.0
"""Seconds to wait for another notebook that is noting something."""
SOLVED, WRONG = "solved", "wrong: "
"""How a state begins."""


@dataclass
class LessonNotes:
    """What was done in a lesson; times are local, such as ``"2026-11-30T16:48+01:00"``."""

    opened: str | None = None
    """When it was opened first."""
    guess: Any = None
    """The last guess at its question, as JSON has it; None before the first."""
    guessed: str | None = None
    """When that was."""


@dataclass
class TaskNotes:
    """What was done about a task of an exercise."""

    state: str
    """How the last check ended: "solved" or "wrong: name-of-the-mistake"."""
    checked: str
    """When that was."""
    solved: str | None = None
    """When it was solved first; a wrong answer afterwards takes nothing away."""
    points: int = 0
    """What that was worth."""


@dataclass
class Progress:
    """All that is noted: lessons by their numbers, such as "01", and tasks by theirs, such as "1.2"."""

    lessons: dict[str, LessonNotes] = field(default_factory=dict)
    tasks: dict[str, TaskNotes] = field(default_factory=dict)


def note_opened(lesson: int | str) -> None:
    """Note that a lesson was opened, the first time that it is.

    Args:
        lesson: its number, such as 1 or "01".

    Raises:
        ValueError: if that is no number of a lesson.
    """
    label = label_of(lesson)

    def change(progress: Progress) -> None:
        notes = progress.lessons.setdefault(label, LessonNotes())
        notes.opened = notes.opened or _now()

    _note(change)


def note_guess(lesson: int | str, value: Any) -> None:
    """Note the guess at the question of a lesson, in the place of an earlier one; the lesson counts as opened.

    Args:
        lesson: its number, such as 1 or "01".
        value: a number, a text, or a list or dict of them.

    Raises:
        ValueError: if `lesson` is no number of a lesson.
        TypeError: if `value` is something else.
    """
    label = label_of(lesson)
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise TypeError(
            f"value: a number, a text, or a list or dict of them was wanted, got {kind}"
        ) from error

    def change(progress: Progress) -> None:
        notes, now = progress.lessons.setdefault(label, LessonNotes()), _now()
        notes.opened, notes.guess, notes.guessed = notes.opened or now, value, now

    _note(change)


def note_task(number: str, state: str, points: int) -> None:
    """Note how the check of a task ended.

    Args:
        number: of the task, such as "1.2".
        state: "solved", or "wrong: " and the name of the mistake.
        points: what the task is worth when it is solved.

    Raises:
        ValueError: if `number` or `state` is of another form.
    """
    if not re.fullmatch(r"\d+\.\d+", number):
        raise ValueError(f'number: a task was wanted, such as "1.2", got {number!r}')
    if not re.fullmatch(rf"{SOLVED}|{WRONG}.+", state):
        raise ValueError(f'state: "{SOLVED}" or "{WRONG}name-of-the-mistake" was wanted, got {state!r}')

    def change(progress: Progress) -> None:
        notes = progress.tasks.setdefault(number, TaskNotes(state, _now()))
        notes.state, notes.checked = state, _now()
        if state == SOLVED:
            notes.solved, notes.points = notes.solved or notes.checked, points

    _note(change)


def read() -> Progress:
    """Read what is noted; where nothing is, an empty `Progress`.

    A file that is damaged, or that diffusion-lab did not write, is put aside under another name, and a line says so.
    """
    try:
        place = path()
        try:
            return _read(place)
        except ValueError:
            with _locked(place):
                return _read_or_put_aside(place)
    except OSError as error:
        _say(f"your progress could not be read: {error}")
        return Progress()


def path() -> Path:
    """Where the notes are: in the copies of the course, if there are any here or above, else with the user's data."""
    named = os.environ.get(SWITCH, "")
    if named and named.lower() not in OFF:
        return Path(named)
    return (copies.find(Path.cwd()) or user_data_path("diffusion-lab")) / FILE


def take_along(folder: Path) -> bool:
    """Copy notes that were made before there was a folder of copies into it; False if there was nothing to copy."""
    before, after = user_data_path("diffusion-lab") / FILE, folder / FILE
    if after.exists() or not before.is_file():
        return False
    with replacing(after) as part:
        part.write_bytes(before.read_bytes())
    return True


def is_noting() -> bool:
    """Whether anything is noted here; see the module's docstring."""
    named = os.environ.get(SWITCH, "")
    if named:
        return named.lower() not in OFF
    return not is_tested()


def is_tested() -> bool:
    """Whether notebooks are tested or graded here, and nobody looks at them."""
    return any(os.environ.get(name, "").lower() not in ("", *OFF) for name in NOT_A_STUDENT)


def _note(change: Callable[[Progress], None]) -> None:
    """Change what is noted, if anything is to be noted here; an error is one line."""
    if not is_noting():
        return
    try:
        place = path()
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place):
            progress = _read_or_put_aside(place)
            before = dataclasses.asdict(progress)
            change(progress)
            after = dataclasses.asdict(progress)
            if after != before:
                text = json.dumps({"about": ABOUT, "version": VERSION} | after, indent=1, ensure_ascii=False)
                with replacing(place) as part:
                    part.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        _say(f"your progress could not be noted: {error}")


def _locked(place: Path) -> FileLock:
    """A lock on the notes: a lesson and its exercise may be open at the same time."""
    return FileLock(place.with_name(f".{place.stem}.lock"), timeout=PATIENCE)


def _read(place: Path) -> Progress:
    """Read the file of notes; a `ValueError` says what is wrong with it."""
    try:
        noted = json.loads(place.read_bytes())
        if noted["version"] != VERSION:
            raise ValueError(f"version {VERSION} was wanted, got {noted['version']!r}")
        lessons = {label: LessonNotes(**notes) for label, notes in noted["lessons"].items()}
        tasks = {number: TaskNotes(**notes) for number, notes in noted["tasks"].items()}
    except FileNotFoundError:
        return Progress()
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    times = [time for notes in lessons.values() for time in (notes.opened, notes.guessed)]
    times += [time for notes in tasks.values() for time in (notes.checked, notes.solved)]
    for time in times:
        if time is not None and (not isinstance(time, str) or datetime.fromisoformat(time).tzinfo is None):
            raise ValueError(f"a time with its zone was wanted, got {time!r}")
    for notes in tasks.values():
        if not (isinstance(notes.state, str) and notes.checked and type(notes.points) is int):
            raise ValueError("a task was wanted with its state, a time and whole points")
    return Progress(lessons, tasks)


def _read_or_put_aside(place: Path) -> Progress:
    """Read the file of notes; where it cannot be read, keep it under another name, say so, and begin afresh."""
    try:
        return _read(place)
    except ValueError as error:
        names = (
            f"{place.stem}.damaged{mark}{place.suffix}" for mark in ["", *map("-{}".format, range(2, 1000))]
        )
        aside = next(free for name in names if not (free := place.with_name(name)).exists())
        place.rename(aside)
        reason = " ".join(str(error).split())
        _say(f"{place} is not what diffusion-lab wrote ({reason}); it is kept as {aside.name}")
        return Progress()


def label_of(lesson: int | str) -> str:
    """The number of a lesson as two digits, such as "01".

    Raises:
        ValueError: if that is no number of a lesson.
    """
    if not re.fullmatch(r"\d\d?", str(lesson)):
        raise ValueError(f'lesson: the number of a lesson was wanted, such as 1 or "01", got {lesson!r}')
    return f"{int(lesson):02}"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="minutes")


@functools.cache
def _say(line: str) -> None:
    """Print a line, once."""
    print(f"diffusion_lab.progress: {line}", file=sys.stderr)
