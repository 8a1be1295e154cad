"""The progress of the whole course on one page: as text, and as a card in a notebook.

The lessons are those of `course.declaration`, tasks and points those of the exercises, and what was done is in
`progress`. The card is HTML without a script: it takes the colours of the page around it, light or dark.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import NamedTuple

from diffusion_lab import progress
from diffusion_lab.checks import cells, registry
from diffusion_lab.checks.engine import Task
from diffusion_lab.course import copies, declaration
from diffusion_lab.course.declaration import Lesson
from diffusion_lab.progress import LessonNotes, TaskNotes

NEVER = datetime.min.replace(tzinfo=timezone.utc)
STYLE = """
.dl-progress { max-width: 760px; container-type: inline-size; font: 14px / 1.45 system-ui, sans-serif; }
.dl-progress p { margin: 0.3em 0; }
.dl-progress .dl-sum { font-size: 16px; font-weight: 600; }
section.dl-progress ol.dl-rows, section.dl-progress ul.dl-tasks { list-style: none; margin: 0; padding: 0; }
section.dl-progress ol.dl-rows {
  margin: 0.6em 0; border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent);
}
.dl-progress .dl-rows > li {
  display: grid; grid-template-columns: 13em 1fr 18em; gap: 0 1em; margin: 0; padding: 0.4em 0;
  border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent);
}
.dl-progress .dl-lesson { font-weight: 600; }
.dl-progress summary { cursor: pointer; }
.dl-progress summary:focus-visible, .dl-progress a:focus-visible { outline: 2px solid #d55e00; outline-offset: 2px; }
.dl-progress .dl-points { display: inline-block; min-width: 7.5em; }
.dl-progress .dl-bar {
  display: inline-block; width: 6em; height: 0.6em; border-radius: 0.3em; overflow: hidden;
  background: color-mix(in srgb, currentColor 20%, transparent);
}
.dl-progress .dl-bar span { display: block; height: 100%; background: #0072b2; }
.dl-progress .dl-tasks li { margin: 0; padding: 0.1em 0 0.1em 1.2em; }
.dl-progress .dl-kept { font-size: 12px; overflow-wrap: anywhere; }
@container (max-width: 600px) { .dl-progress .dl-rows > li { grid-template-columns: 1fr; } }
"""


class Row(NamedTuple):
    """A lesson, the tasks of its exercise, and what was done of both."""

    lesson: Lesson
    notes: LessonNotes
    tasks: list[tuple[Task, TaskNotes | None]]

    @property
    def is_begun(self) -> bool:
        """Whether anything was done."""
        return bool(self.notes.opened or any(notes for _, notes in self.tasks))

    @property
    def points(self) -> int:
        """What the solved tasks are worth."""
        return sum(task.points for task, notes in self.tasks if notes and notes.solved)

    @property
    def all_points(self) -> int:
        """What all tasks are worth."""
        return sum(task.points for task, _ in self.tasks)

    @property
    def unsolved(self) -> Task | None:
        """The first task that is not solved."""
        return next((task for task, notes in self.tasks if not (notes and notes.solved)), None)

    @property
    def last_done(self) -> datetime:
        """When something was done last; `NEVER` if nothing was."""
        times = [self.notes.opened, self.notes.guessed, *(notes.checked for _, notes in self.tasks if notes)]
        return max((datetime.fromisoformat(time) for time in times if time), default=NEVER)


class Step(NamedTuple):
    """What to do next: a sentence, and the notebook to do it in, such as ``exercises/01_….ipynb``."""

    text: str
    notebook: str


@dataclass(frozen=True)
class ProgressPage:
    """The page; print it, or let a notebook show it as the last line of a cell."""

    rows: list[Row]
    file: Path
    """Where the notes are kept."""
    folder: Path | None
    """Where the lessons are that links lead to; None if there are none here."""

    @property
    def next_step(self) -> Step | None:
        """What to do next: what is left of the lesson that was busied with last, or of those behind it, or before it.

        None if nothing is left.
        """
        latest = max(range(len(self.rows)), key=lambda place: self.rows[place].last_done)
        for row in self.rows[latest:] + self.rows[:latest]:
            if not row.is_begun:
                return Step(f"lesson {row.lesson.heading}", f"notebooks/{row.lesson.file}")
            if task := row.unsolved:
                text = f"exercise {row.lesson.label}, task {task.number}: {cells.plain(task.title)}"
                return Step(text, f"exercises/{row.lesson.file}")
        return None

    @property
    def summary(self) -> str:
        """Points and lessons in numbers."""
        points, all_points = sum(row.points for row in self.rows), sum(row.all_points for row in self.rows)
        begun = sum(row.is_begun for row in self.rows)
        return f"{points} of {all_points} points, {begun} of {len(self.rows)} lessons begun"

    def __str__(self) -> str:
        """The page as plain text."""
        cells = [
            (row.lesson.heading, _done(row.notes), _points(row) if row.tasks else "") for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for row, line in zip(self.rows, cells, strict=True):
            lines.append(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            )
            if any(notes for _, notes in row.tasks):
                lines.append(
                    "     " + ", ".join(f"{task.number} {_state(notes)}" for task, notes in row.tasks)
                )
        step = self.next_step
        lines += ["", f"{self.summary}.", f"Next: {step.text}" if step else "All of it is done."]
        if step and self.folder:
            lines.append(f"      {self._way_to(step.notebook)}")
        return "\n".join([*lines, f"Kept in {self.file}, on this computer only."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The page as a card, which Jupyter shows."""
        step = self.next_step
        rows = "".join(map(self._item, self.rows))
        next_line = f"Next: {self._link(step.text, step.notebook)}" if step else "All of it is done."
        return (
            f'<section class="dl-progress" aria-label="Your progress in the course"><style>{STYLE}</style>'
            f'<p class="dl-sum">{self.summary}</p><p>{next_line}</p>'
            f'<ol class="dl-rows">{rows}</ol>'
            f'<p class="dl-kept">Kept in {escape(str(self.file))}, on this computer only.</p></section>'
        )

    def _item(self, row: Row) -> str:
        lesson = self._link(row.lesson.heading, f"notebooks/{row.lesson.file}")
        parts = [f'<span class="dl-lesson">{lesson}</span><span>{escape(_done(row.notes))}</span>']
        if row.tasks:
            share = 100 * row.points / row.all_points
            bar = f'<span class="dl-bar" aria-hidden="true"><span style="width: {share:.0f}%"></span></span>'
            summary = f'<summary><span class="dl-points">{_points(row)}</span>{bar}</summary>'
            lines = [self._link(f"exercise {row.lesson.label}", f"exercises/{row.lesson.file}")]
            lines += [
                escape(f"{task.number} {_state(notes)}: {cells.plain(task.title)}")
                for task, notes in row.tasks
            ]
            tasks = "".join(f"<li>{line}</li>" for line in lines)
            parts.append(f'<details>{summary}<ul class="dl-tasks">{tasks}</ul></details>')
        return f"<li>{''.join(parts)}</li>"

    def _link(self, text: str, notebook: str) -> str:
        text = escape(text)
        return f'<a href="{escape(self._way_to(notebook))}">{text}</a>' if self.folder else text

    def _way_to(self, notebook: str) -> str:
        """From the working directory, which for a notebook is its own folder."""
        return Path(os.path.relpath(self.folder / notebook)).as_posix()


def progress_page() -> ProgressPage:
    """Read what is noted, and lay it out beside all lessons and tasks."""
    noted = progress.read()
    exercises = {exercise.number: exercise.tasks.values() for exercise in registry.notebooks().values()}
    rows = [
        Row(
            lesson,
            noted.lessons.get(lesson.label, LessonNotes()),
            [(task, noted.tasks.get(task.number)) for task in exercises.get(lesson.label, ())],
        )
        for lesson in declaration.read().lessons
    ]
    return ProgressPage(rows, progress.path(), _find_lessons(rows[0].lesson.file))


def _find_lessons(first: str) -> Path | None:
    """The folder of the student's copies, or a clone, here or above; None if neither is there."""
    above = (Path.cwd(), *Path.cwd().parents)
    clones = (folder for folder in above if os.path.isfile(folder / "notebooks" / first))
    return copies.find(Path.cwd()) or next(clones, None)


def _done(notes: LessonNotes) -> str:
    if not notes.opened:
        return "not opened yet"
    guess = f", guess: {str(notes.guess)[:40]}" if notes.guessed else ""
    return f"opened {notes.opened[:10]}{guess}"


def _state(notes: TaskNotes | None) -> str:
    if notes is None:
        return "open"
    if notes.solved:
        return progress.SOLVED
    return f"wrong ({notes.state.removeprefix(progress.WRONG)})"


def _points(row: Row) -> str:
    return f"{row.points} of {row.all_points} points"
