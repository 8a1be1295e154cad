"""The lessons as docs/course.toml declares them, and how they depend on one another."""

import sys
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DECLARATION = "docs/course.toml"
"""Where the course is declared, in a clone."""
_INSTALLED = Path(__file__).parent / "course.toml"
"""Where pyproject.toml puts it in an installed package, which has no clone around it."""


@dataclass(frozen=True)
class Lesson:
    """One lesson; docs/course.toml says what the fields mean."""

    number: int
    name: str
    title: str
    question: str
    outcome: str
    needs: tuple[int, ...]
    minutes: int
    budget_seconds: int
    exercise: bool

    @property
    def label(self) -> str:
        """The number as it is printed: ``"01"``."""
        return f"{self.number:02}"

    @property
    def file(self) -> str:
        """The name of its notebook, its exercise and its solution, each in a folder of its own."""
        return f"{self.label}_{self.name}.ipynb"

    @property
    def heading(self) -> str:
        """Number and title as they are printed: ``"01 · Forward noising"``."""
        return f"{self.label} · {self.title}"

    @property
    def budget(self) -> str:
        """The time that it runs in, in words: ``"2 minutes"``."""
        minutes, seconds = divmod(self.budget_seconds, 60)
        if seconds:
            return f"{self.budget_seconds} seconds"
        return f"{minutes} minute{'s' if minutes > 1 else ''}"


@dataclass(frozen=True)
class Course:
    """All lessons in the order of reading, and what a reader must know before the first."""

    prerequisites: str
    lessons: tuple[Lesson, ...]

    @cached_property
    def by_number(self) -> dict[int, Lesson]:
        """The lessons by their numbers."""
        return {lesson.number: lesson for lesson in self.lessons}

    def neighbours(self, lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
        """The lessons before and after this one; None before the first and after the last."""
        padded = (None, *self.lessons, None)
        place = padded.index(lesson)
        return padded[place - 1], padded[place + 1]

    def all_needs(self, lesson: Lesson) -> set[int]:
        """Numbers of all lessons that this one builds on, directly or through others."""
        return set(lesson.needs).union(*(self.all_needs(self.by_number[number]) for number in lesson.needs))

    def direct_needs(self, lesson: Lesson) -> set[int]:
        """The needs that do not follow from another need (the transitive reduction)."""
        through_others = (self.all_needs(self.by_number[number]) for number in lesson.needs)
        return set(lesson.needs).difference(*through_others)


def read(path: Path | None = None) -> Course:
    """Read and check the declaration.

    Args:
        path: the file; where none is named, the one that came with this package.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no TOML, or says something that makes no course. The message names the file, the
            lesson, what came and what was wanted.
    """
    if path is None:
        path = _INSTALLED if _INSTALLED.is_file() else Path(__file__).parents[2] / DECLARATION
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        return _course(declared)
    except ValueError as error:  # a tomllib.TOMLDecodeError is one
        raise ValueError(f"{path}: {error}") from error


def _course(declared: dict[str, Any]) -> Course:
    _check_keys("the file", declared, {"prerequisites": str, "lesson": list})
    course = Course(declared["prerequisites"], tuple(map(_lesson, declared["lesson"])))
    numbers = [lesson.number for lesson in course.lessons]
    if not numbers or numbers != sorted(set(numbers)):
        raise ValueError(f"lessons with rising numbers were wanted, got {numbers}")
    for place, lesson in enumerate(course.lessons):
        earlier = [number for number in numbers[:place] if number in lesson.needs]
        if list(lesson.needs) != earlier:
            raise ValueError(
                f"lesson {lesson.number}: needs is a rising list out of {numbers[:place]}, the lessons before it;"
                f" got {list(lesson.needs)}"
            )
    return course


def _lesson(entry: Any) -> Lesson:
    if not isinstance(entry, dict):
        raise ValueError(f"a lesson is a table under [[lesson]], got {entry!r}")
    types = {field.name: field.type for field in fields(Lesson)} | {"needs": list}
    where = f"lesson {entry.get('number', '?')}"
    _check_keys(where, entry, types)
    for key in ("name", "title", "question", "outcome"):
        if not entry[key].strip() or {"|", "\n"} & set(entry[key]):
            raise ValueError(f"{where}: {key} is one line of text without |, got {entry[key]!r}")
    for key in ("minutes", "budget_seconds"):
        if entry[key] <= 0:
            raise ValueError(f"{where}: {key} is above 0, got {entry[key]}")
    if not entry["name"].isidentifier():
        raise ValueError(f"{where}: name is like forward_noising, got {entry['name']!r}")
    if wrong := [number for number in entry["needs"] if type(number) is not int]:
        raise ValueError(f"{where}: needs holds numbers of lessons, got {wrong}")
    return Lesson(**entry | {"needs": tuple(entry["needs"])})


def _check_keys(where: str, table: dict[str, Any], types: dict[str, type]) -> None:
    """Raise a `ValueError` unless a table has just these keys, with values of these types."""
    if missing := types.keys() - table.keys():
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    if unknown := table.keys() - types.keys():
        raise ValueError(
            f"{where}: {', '.join(sorted(unknown))} is unknown; known are {', '.join(sorted(types))}"
        )
    for key, wanted in types.items():
        if type(table[key]) is not wanted:
            raise ValueError(f"{where}: {key} is {wanted.__name__}, got {table[key]!r}")
