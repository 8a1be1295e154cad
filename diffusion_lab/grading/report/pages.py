"""Pages for a browser, from Jinja2 templates: the student's feedback, and the class at a glance.

They run nothing and load nothing, and what stands in them is escaped. `templates` holds what they look like.
"""

import functools
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from diffusion_lab.checks.mistakes import CATALOGUE, Mistake
from diffusion_lab.grading import rows as rows_of_students
from diffusion_lab.grading.report.feedback import advice, greeting, notes
from diffusion_lab.grading.rows import ABSENT, STATUSES, Row, lateness_text
from diffusion_lab.grading.similarity import Pair

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parents[1] / "templates"
SHOWN = 20  # pairs of students who are alike, on the page
BINS = 10  # of the distribution of scores
REASONS = {status: text for status, text in STATUSES.items() if status not in ("graded", *ABSENT)}
"""Why an instructor has to look at a submission."""
_SPANS = re.compile(r"(?P<tick>`+)(?P<code>.+?)(?P=tick)|(?<![\w*])\*(?P<stress>\w(?:[^*`]*\w)?)\*(?![\w*])")


@functools.cache
def _environment() -> "Environment":
    import jinja2  # here, for most commands make no page

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"prose": prose, "points": rows_of_students.points_text}
    return environment


def prose(text: str) -> "Markup":
    """Escape a message, and set what stands in backticks as code and what stands in asterisks with stress."""
    from markupsafe import Markup, escape

    made, end = Markup(), 0
    for found in _SPANS.finditer(text):
        tag = "code" if found["code"] else "em"
        inner = found["code"] or found["stress"]
        made += escape(text[end : found.start()]) + Markup(f"<{tag}>{{}}</{tag}>").format(inner)
        end = found.end()
    return made + escape(text[end:])


def feedback(row: Row, keys: dict) -> str:
    """Make the page that a student gets."""
    return (
        _environment()
        .get_template("feedback.html.j2")
        .render(row=row, greeting=greeting(row), advice=advice(row, keys), notes=notes(row))
    )


class ExerciseView(NamedTuple):
    """What the summary shows of one exercise."""

    number: str
    scored: int  # students with a score
    unscored: int
    mean: float
    median: float
    max: int | float
    bins: list[int]  # how many students reached which tenth of the points
    tasks: list[tuple[dict, int, int]]  # a task, how many solved it, how many tried it; the hardest first
    mistakes: list[tuple[int, str, Mistake]]  # how often, in which task; the most frequent first


def exercise_view(exercise: str, key: dict, rows: list[Row]) -> ExerciseView:
    """Count what the summary shows of an exercise, from the rows of its students."""
    scored = [row for row in rows if row.score is not None]
    scores = [row.score for row in scored]
    shares = Counter(min(int(row.score / row.max * BINS), BINS - 1) if row.max else 0 for row in scored)
    solved, tried, mistakes = Counter(), Counter(), Counter()
    for task in (task for row in scored for task in row.tasks):
        tried[task["number"]] += task["status"] not in ("blank", "unread")
        solved[task["number"]] += bool(task["max"]) and task["points"] >= task["max"]
        if task["mistake"] in CATALOGUE:
            mistakes[task["mistake"], task["number"]] += 1
    counted = [(task, solved[task["number"]], tried[task["number"]]) for task in key["tasks"] if task["max"]]
    frequent = sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))
    return ExerciseView(
        exercise,
        len(scored),
        len(rows) - len(scored),
        statistics.fmean(scores) if scores else 0.0,
        float(statistics.median(scores)) if scores else 0.0,
        max((row.max for row in scored), default=0),
        [shares[index] for index in range(BINS)],
        sorted(counted, key=lambda item: (item[1], item[0]["number"])),
        [(count, number, CATALOGUE[name]) for (name, number), count in frequent],
    )


def summary(rows: list[Row], run: dict, pairs: list[Pair] | tuple[Pair, ...] = ()) -> str:
    """Make the page that shows the class at a glance; of `pairs` who are alike it shows the first."""
    isolation = run.get("isolation", {})
    absent = {status: [row for row in rows if row.status == status] for status in ABSENT}
    late = [(row, lateness_text(row)) for row in rows if lateness_text(row)]
    rows = [row for row in rows if row.status not in ABSENT]
    to_look_at = [(row, _why(row)) for row in rows if _why(row)]
    views = [
        exercise_view(exercise, key, [row for row in rows if row.exercise == exercise])
        for exercise, key in sorted(run["keys"].items())
    ]
    return (
        _environment()
        .get_template("summary.html.j2")
        .render(
            bins=BINS,
            submissions=len(rows),
            counts=rows_of_students.status_counts(rows),
            warning=isolation.get("reason", "") if isolation.get("level") == "none" else "",
            exercises=views,
            missing=absent["MISSING"],
            excused=absent["EXCUSED"],
            late=late,
            to_look_at=to_look_at,
            reasons={why: text for why, text in REASONS.items() if why in {why for _, why in to_look_at}},
            pairs=list(pairs[:SHOWN]),
            more_pairs=max(len(pairs) - SHOWN, 0),
        )
    )


def _why(row: Row) -> str:
    """Why an instructor has to look at a submission, in a word, or "" if there is no need."""
    return "" if row.status == "graded" else row.status
