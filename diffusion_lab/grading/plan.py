"""Who is graded, in what: a first look at all submissions."""

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from diffusion_lab.grading import answers, submissions
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.submissions import Submission, Unreadable


@dataclasses.dataclass
class Planned:
    """A submission that is to be graded; `student` and `asked` name it."""

    student: str
    asked: str  # the exercise that the file's name or marks told
    file: str
    sha256: str
    exercise: str  # "" if it is none of the course
    notes: list[str]
    missing: str = ""  # why there can be no answers in it
    handed_in: str = ""
    marked_late: bool = False
    excluded: bool = False  # nothing of it is run


def plan(
    source: Path,
    pattern: str | None,
    known: dict[str, Key],
    exercise: str | None = None,
    only: str | None = None,
    shard: tuple[int, int] | None = None,
    exclude: Sequence[str] = (),
) -> dict[tuple[str, str], Planned]:
    """Look at all submissions, and say which are to be graded, by student and by the exercise asked for.

    Args:
        source, pattern: as `submissions.find` takes them.
        known: the keys, by exercise.
        exercise: the one that is graded, or all.
        only: the one student who is graded, or all.
        shard: (i, n), for the i-th of n parts of the class.
        exclude: the students of whom nothing is run.

    Raises:
        ValueError: if there are no submissions, or none of a student who is named.
    """
    planned: dict[tuple[str, str], Planned] = {}
    students = []
    for student, group in groupby(submissions.find(source, pattern), key=lambda found: found.student):
        students.append(student)
        if only in (None, student) and (shard is None or in_shard(student, *shard)):
            entries = [_first_look(submission, known) for submission in group]
            entries = entries if exercise is None else _of_exercise(entries, exercise)
            planned |= {(entry.student, entry.asked): entry for entry in entries}
    if not students:
        raise ValueError(f"source: there are no submissions in {source}")
    for argument, name in (("only", only), *(("exclude", name) for name in exclude)):
        _check_student(argument, name, students)
    for entry in planned.values():
        entry.excluded = entry.student in exclude
    return planned


def _check_student(argument: str, name: str | None, students: list[str]) -> None:
    if name is not None and name not in students:
        similar = [student for student in students if name.casefold() in student.casefold()] or students
        raise ValueError(f"{argument}: one of {', '.join(similar[:10])} was wanted, got {name!r}")


def _first_look(submission: Submission, known: dict[str, Key]) -> Planned:
    asked = submission.exercise or ""
    digest = hashlib.sha256(submission.data).hexdigest()
    entry = Planned(
        submission.student,
        asked,
        submission.name,
        digest,
        asked,
        list(submission.notes),
        handed_in=submission.handed_in,
        marked_late=submission.marked_late,
    )
    if asked not in known:
        entry.exercise = ""
        with contextlib.suppress(Unreadable):
            key = answers.recognise(submission.read(), known.values())
            entry.exercise = key.exercise if key else ""
    return entry


def _of_exercise(entries: list[Planned], exercise: str) -> list[Planned]:
    """Of one student's files those of an exercise, or one that says that there are none."""
    wanted = [entry for entry in entries if entry.exercise == exercise]
    unknown = [entry for entry in entries if not entry.exercise]
    if wanted:
        wanted[-1].notes += [f"{entry.file}: of no exercise of the course; not graded" for entry in unknown]
    elif unknown:
        wanted = unknown[-1:]
    else:
        wanted = entries[-1:]
        wanted[0].missing = f"only a notebook of exercise {wanted[0].exercise} was handed in"
    for entry in wanted:
        entry.exercise = exercise
    return wanted


def in_shard(student: str, index: int, count: int) -> bool:
    """Whether a student falls to shard `index` of 1 … `count`, whoever else there is."""
    digest = hashlib.sha256(student.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8], "big") % count == index - 1


def shard_of(text: str) -> tuple[int, int]:
    """Read "2/8"; a `ValueError` says if it is no shard."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"shard: i/n with i from 1 to n was wanted, such as 2/8, got {text!r}")
    return int(found[1]), int(found[2])
