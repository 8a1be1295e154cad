"""What an instructor and a student get to see of the grades: tables, pages, and files for the course's server.

All of it is made from rows, statuses and the catalogue of mistakes; logs, and what a notebook printed, never
get here. Text that comes from a student is escaped in pages, and cannot become a formula in a table.
"""

import csv
import dataclasses
import hashlib
import html
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from diffusion_lab.checks.mistakes import CATALOGUE, UNNAMED
from diffusion_lab.files import replacing
from diffusion_lab.grading import similarity

FORMATS = ("canvas", "moodle", "gradescope")
STATUSES = {
    "graded": "graded",
    "UNREADABLE": "the file could not be read as a notebook",
    "TIMEOUT": "it did not end in time, and no single task could be made out as the reason",
    "NO-ANSWERS": "no answer was found in it",
    "GRADER-ERROR": "the grader failed, not the student: a human has to look, or `--resume` tries again",
}
"""What may become of a submission."""
TASKS = {
    "passed": "solved",
    "failed": "not right yet",
    "blank": "not answered",
    "killed": "your answer ended Python, or used too much memory or output",
    "timeout": "your answer did not end in time",
    "held": "to be looked at by your instructor before it counts",
    "unread": "to be read by your instructor",
    "by hand": "graded by your instructor",
    "": "not graded",
}
"""What may become of a task, in words for the student."""
SHOWN = 20  # pairs of students who are alike, on the page
KEPT = 4000  # characters of a sentence that a human reads


@dataclasses.dataclass
class Row:
    """One submission in the gradebook."""

    student: str
    exercise: str  # two digits; "" if no exercise of the course was recognised
    status: str  # one of STATUSES
    max: int | float
    tasks: list[dict]  # number, points, max, status, mistake, note; empty if it was not graded
    seconds: int | float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    asked: str = ""  # the exercise that the file's name or marks told; with `student`, names the submission
    file: str = ""
    sha256: str = ""
    how: dict[str, str] = dataclasses.field(default_factory=dict)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)  # answers that a human reads
    shapes: dict[str, dict[str, int]] = dataclasses.field(
        default_factory=dict
    )  # of the answers, see `similarity`

    @property
    def score(self) -> int | float | None:
        """All points, or None where there is no score: that is never the same as 0."""
        return sum(task["points"] for task in self.tasks) if self.tasks else None

    @property
    def page(self) -> str:
        """The name of its feedback and log, without a suffix."""
        exercise = (self.exercise or "unknown") + ("" if self.asked else "-unnamed")
        return f"{safe(self.student)}__{exercise}"


def safe(name: str) -> str:
    """Make a file name that works everywhere; names that differ stay different."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_-")[:60]
    return plain if plain and plain == name == name.lower() else f"{plain}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def defused(value) -> str:
    """Write a cell so that no spreadsheet takes it for a formula."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return "'" + text if isinstance(value, str) and text[:1] in tuple("=+-@\t\r\n") and text else text


def _table(rows: Iterable[Iterable]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[defused(cell) for cell in row] for row in rows])
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


# points by hand


class Manual:
    """Points given by hand: a table with the columns student, exercise, task, points, and perhaps max.

    Rows with no points are passed over, and so are other columns. `max` says what a task is worth that a
    human reads; without it such points come on top.
    """

    def __init__(self, path: str | Path | None = None):
        """Read the table; a `ValueError` names the line that is not as it must be."""
        self.points: dict[tuple[str, str, str], float] = {}
        self.max: dict[tuple[str, str], float] = {}
        if path is None:
            return
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := {"student", "exercise", "task", "points"} - set(reader.fieldnames or []):
                raise ValueError(
                    f"manual: the columns {', '.join(sorted(missing))} were wanted in {path}, and missing"
                )
            for row in reader:
                self._take(row, f"manual: {path}, line {reader.line_num}")

    def _take(self, row: dict, where: str) -> None:
        if not (row["points"] or "").strip():
            return
        key = row["student"] or "", (row["exercise"] or "").strip().zfill(2)[:2], (row["task"] or "").strip()
        for name, kept, at in (("points", self.points, key), ("max", self.max, key[1:])):
            if not (text := (row.get(name) or "").strip()):
                continue
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{where}: {name} must be a number of at least 0, got {text!r}")
            if kept.setdefault(at, value) != value:
                raise ValueError(
                    f"{where}: {name} of {', '.join(at)} were {kept[at]:g} further up, got {text}"
                )

    def applied(self, rows: Iterable[Row], keys: dict) -> tuple[list[Row], list[str]]:
        """Copy rows with these points in them; gives also what of the table fits no row."""
        left, made = dict(self.points), []
        for row in rows:
            names = {row.student, defused(row.student)}
            mine = {at[2]: at for at in self.points if at[0] in names and at[1] == row.exercise}
            known = keys.get(row.exercise, {}).get("tasks", [])
            tasks = [dict(task) for task in row.tasks]
            if mine and not tasks:
                tasks = [_task(task) for task in known]
            for task in tasks:
                worth = self.max.get((row.exercise, task["number"]))
                task["max"] = task["max"] if worth is None or task["max"] else worth
                if at := mine.get(task["number"]):
                    left.pop(at, None)
                    task |= {"points": self.points[at], "status": "by hand", "note": ""}
            extra = {task["number"]: self.max.get((row.exercise, task["number"]), 0) for task in known}
            extra = sum(extra[task["number"]] for task in known if not task["max"])
            made.append(dataclasses.replace(row, tasks=tasks, max=row.max + extra))
        return made, [f"manual: there is no {', '.join(at)} in the gradebook" for at in left]


def _task(task: dict) -> dict:
    return {
        "number": task["number"],
        "points": 0,
        "max": task["max"],
        "status": "",
        "mistake": "",
        "note": "",
    }


# everything


def write(
    out: Path, rows: list[Row], run: dict, manual: Manual | None = None, formats: Iterable[str] = ()
) -> list:
    """Write the gradebook, the feedback and the summary into a folder, each file whole or not at all.

    Args:
        out: the folder.
        rows: one per submission.
        run: what is known of the run; ``run["keys"]`` has for each exercise its points, and its tasks with
            their number, title, max, section and hint.
        manual: points given by hand.
        formats: of `FORMATS`; files for a course's server.

    Returns:
        Sentences on what of the points given by hand fits no row.
    """
    keys = run["keys"]
    rows, strangers = (manual or Manual()).applied(rows, keys)
    rows.sort(key=lambda row: (row.student.casefold(), row.student, row.exercise, row.asked))
    _write(out / "grades.csv", grades(rows, keys))
    data = {"rows": [dataclasses.asdict(row) | {"score": row.score} for row in rows]}
    for each in data["rows"]:
        del each["shapes"]
    pairs = similarity.pairs((row.student, row.exercise, row.shapes) for row in rows if row.shapes)
    _write(out / "grades.json", json.dumps(data, indent=1, ensure_ascii=True) + "\n")
    _write(out / "run.json", json.dumps(run, indent=1, ensure_ascii=True) + "\n")
    _write(out / "to_read.csv", to_read(rows, keys))
    _write(out / "alike.csv", alike(pairs))
    for row in rows:
        _write(out / "feedback" / f"{row.page}.html", feedback(row, keys))
    _write(out / "summary.html", summary(rows, run, pairs))
    for name in formats:
        for file, text in _FOR[name](rows, keys).items():
            _write(out / file, text)
    return strangers


def grades(rows: list[Row], keys: dict) -> str:
    """Make the table: a line per submission, a column per task."""
    tasks = [(exercise, task["number"]) for exercise in sorted(keys) for task in keys[exercise]["tasks"]]
    lines = [
        [
            "student",
            "exercise",
            "status",
            "score",
            "max",
            *(number for _, number in tasks),
            "seconds",
            "notes",
        ]
    ]
    for row in rows:
        points = {(row.exercise, t["number"]): t["points"] for t in row.tasks if t["status"] != "unread"}
        cells = [points.get(task) for task in tasks]
        lines.append(
            [
                row.student,
                row.exercise,
                row.status,
                row.score,
                row.max,
                *cells,
                f"{row.seconds:.1f}",
                "; ".join(row.notes),
            ]
        )
    return _table(lines)


def to_read(rows: list[Row], keys: dict) -> str:
    """Make the table of answers that a human reads, and of tasks that are held: fill in points, give it as --manual."""
    lines = [["student", "exercise", "task", "points", "max", "question", "answer"]]
    for row in rows:
        titles = {task["number"]: task["title"] for task in keys.get(row.exercise, {}).get("tasks", [])}
        for task in row.tasks:
            number, by_hand = task["number"], task["status"] == "by hand"
            if task["status"] == "held" or number in row.texts or by_hand:
                text = row.texts.get(number) or task["note"]
                worth = task["max"] or None
                lines.append(
                    [
                        row.student,
                        row.exercise,
                        number,
                        task["points"] if by_hand else None,
                        worth,
                        titles.get(number, ""),
                        text,
                    ]
                )
    return _table(lines)


def alike(pairs: list[similarity.Pair]) -> str:
    """Make the table of students whose answers are alike."""
    lines = [
        ["exercise", "student", "other", "alike in", "the same in", "such pairs to be expected by chance"]
    ]
    lines += [
        [pair.exercise, *pair.students, ", ".join(pair.tasks), ", ".join(pair.same), f"{pair.chance:.2g}"]
        for pair in pairs
    ]
    return _table(lines)


# the student's page


def advice(row: Row, keys: dict) -> list[tuple[dict, str, list[str]]]:
    """Say for each task of a row: the task, its title, and lines for the student."""
    known = {task["number"]: task for task in keys.get(row.exercise, {}).get("tasks", [])}
    said = []
    for task in row.tasks:
        about = known.get(task["number"], {})
        lines = []
        if task["status"] in ("failed", "blank", "killed", "timeout"):
            lesson, section = row.exercise, about.get("section", "")
            if mistake := CATALOGUE.get(task["mistake"]):
                lines.append(f"{mistake.name}: {mistake.sentence}")
                if mistake.lesson <= row.exercise:  # no lesson to come
                    lesson, section = mistake.lesson, mistake.section
            elif task["mistake"] in UNNAMED:
                lines.append(f"{task['mistake']}: {UNNAMED[task['mistake']]}")
            if section:
                lines.append(f'Read again: lesson {lesson}, section "{section}".')
            if about.get("hint") and not mistake:
                lines.append(f"Hint: {about['hint']}")
        said.append((task, about.get("title", ""), lines))
    return said


def _points(task: dict) -> str:
    return f"{task['points']:g} of {task['max']:g}" if task["max"] or task["points"] else "–"


def _of(row: Row) -> str:
    return "no score" if row.score is None else f"{row.score:g} of {row.max:g} points"


def feedback_text(row: Row, keys: dict) -> str:
    """Say on a terminal what `feedback` says in a browser."""
    lines = [f"exercise {row.exercise or '?'}: {_of(row)}"]
    if row.status != "graded":
        lines.append(f"{row.status}: {STATUSES[row.status]}")
    for task, title, more in advice(row, keys):
        state = TASKS[task["status"]]
        lines.append(f"  {task['number']}  {title}: {_points(task)}, {state}")
        lines += [f"       {line}" for line in more]
    return "\n".join(lines + [f"note: {note}" for note in row.notes])


STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.4rem;text-align:left;
vertical-align:top}.n{text-align:right;white-space:nowrap}.passed{color:#176b2c}.failed,.killed,.timeout{color:#a02020}
.blank,.unread,small{color:#666}p.more{margin:.2rem 0}svg{max-width:100%}pre{white-space:pre-wrap}"""


def _page(title: str, body: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def feedback(row: Row, keys: dict) -> str:
    """Make the page that a student gets."""
    e = html.escape
    title = f"Exercise {row.exercise or '?'}, {row.student}"
    body = [f"<h1>{e(title)}</h1>", f"<p><strong>{e(_of(row))}</strong></p>"]
    if row.status != "graded":
        body.append(f"<p><strong>{e(row.status)}</strong>: {e(STATUSES[row.status])}.</p>")
    if row.tasks:
        body.append('<table><tr><th>task</th><th></th><th class="n">points</th></tr>')
        for task, name, more in advice(row, keys):
            lines = "".join(f'<p class="more">{e(line)}</p>' for line in more)
            state, kind = TASKS[task["status"]], task["status"].replace(" ", "-")
            body.append(
                f'<tr><td>{e(task["number"])} {e(name)}</td><td class="{e(kind)}">{e(state)}{lines}</td>'
                f'<td class="n">{e(_points(task))}</td></tr>'
            )
        body.append("</table>")
    if row.notes:
        body.append("<h2>Notes</h2><ul>" + "".join(f"<li>{e(note)}</li>" for note in row.notes) + "</ul>")
    body.append(f"<p><small>graded from {e(row.file)}</small></p>")
    return _page(title, "\n".join(body))


# the class at a glance


def _bars(bars: list[tuple[str, int | float, str]], width: int = 640) -> str:
    """Draw horizontal bars: a label, a share from 0 to 1, and a text behind the bar."""
    left, right, step = 250, 110, 24
    parts = [f'<svg role="img" width="{width}" height="{step * len(bars)}" font-size="13">']
    for k, (label, share, text) in enumerate(bars):
        size, y = (width - left - right) * max(0.0, min(1.0, share)), k * step
        short = label if len(label) <= 36 else label[:35] + "…"
        parts.append(
            f'<text x="0" y="{y + 16}">{html.escape(short)}<title>{html.escape(label)}</title></text>'
            f'<rect x="{left}" y="{y + 4}" width="{max(size, 1):.1f}" height="{step - 8}" fill="#4477aa"/>'
            f'<text x="{left + size + 6:.1f}" y="{y + 16}">{html.escape(text)}</text>'
        )
    return "".join(parts) + "</svg>"


def _distribution(scores: list) -> str:
    """Draw how many reached which tenth of the points."""
    counts = Counter(min(int(score * 10), 9) for score in scores)
    top = max(counts.values(), default=1)
    parts = ['<svg role="img" width="640" height="170" font-size="12">']
    for k in range(10):
        size = 120 * counts[k] / top
        parts.append(
            f'<rect x="{k * 64 + 4}" y="{140 - size:.1f}" width="56" height="{max(size, 1):.1f}"'
            f' fill="#4477aa"/><text x="{k * 64 + 32}" y="{134 - size:.1f}"'
            f' text-anchor="middle">{counts[k] or ""}</text><text x="{k * 64 + 32}" y="158"'
            f' text-anchor="middle">{k * 10}–{k * 10 + 10} %</text>'
        )
    return "".join(parts) + "</svg>"


def summary(rows: list[Row], run: dict, pairs: list[similarity.Pair] = ()) -> str:
    """Make the page that shows the class at a glance; of `pairs` who are alike it shows the first."""
    e = html.escape
    counts = Counter(row.status for row in rows)
    body = ["<h1>The class at a glance</h1>"]
    body.append(
        "<p>" + ", ".join(f"{counts[status]} {e(status)}" for status in STATUSES if counts[status]) + ".</p>"
    )
    isolation = run.get("isolation", {})
    if isolation.get("level") == "none":
        body.append(f"<p><strong>Warning: {e(isolation.get('reason', ''))}.</strong></p>")
    for exercise, key in sorted(run["keys"].items()):
        mine = [row for row in rows if row.exercise == exercise]
        body.append(_of_exercise(exercise, key, mine))
    if others := [
        row for row in rows if row.status != "graded" or any(t["status"] == "held" for t in row.tasks)
    ]:
        body.append("<h2>To look at</h2><table><tr><th>student</th><th></th><th>status</th><th>why</th></tr>")
        for row in others:
            status = row.status if row.status != "graded" else "held"
            cells = (row.student, row.exercise, status, "; ".join(row.notes))
            body.append("<tr>" + "".join(f"<td>{e(cell)}</td>" for cell in cells) + "</tr>")
        body.append("</table>")
    if pairs:
        body.append(
            "<h2>Alike</h2><p>Answers that are alike but for names and layout, and unlike those of most"
            " others: a hint where to look, not a verdict: who works together, or reads the same page, writes"
            ' alike.</p><table><tr><th>students</th><th></th><th>alike in</th><th class="n">by'
            " chance</th></tr>"
        )
        for pair in pairs[:SHOWN]:
            cells = (" and ".join(pair.students), pair.exercise, ", ".join(pair.tasks))
            columns = "".join(f"<td>{e(cell)}</td>" for cell in cells)
            body.append(f'<tr>{columns}<td class="n">{pair.chance:.2g}</td></tr>')
        body.append(
            "</table><p><small>By chance: how many pairs so alike were to be expected, had everybody drawn an"
            " answer from those of the class. The whole list is in alike.csv.</small></p>"
        )
    return _page("The class at a glance", "\n".join(body))


def _of_exercise(exercise: str, key: dict, rows: list[Row]) -> str:
    e = html.escape
    scored = [row for row in rows if row.score is not None]
    body = [f"<h2>Exercise {e(exercise)}</h2>"]
    if not scored:
        return body[0] + "<p>Nobody has a score.</p>"
    scores = sorted(row.score for row in scored)
    half = len(scores) // 2
    median = scores[half] if len(scores) % 2 else (scores[half - 1] + scores[half]) / 2
    mean = sum(scores) / len(scores)
    body.append(
        f"<p>{len(scores)} with a score, {len(rows) - len(scores)} without. "
        f"Mean {mean:.1f}, median {median:g}, of {max(row.max for row in scored):g} points.</p>"
    )
    body.append(_distribution([row.score / row.max if row.max else 0.0 for row in scored]))
    solved, tried = Counter(), Counter()
    for row in scored:
        for task in row.tasks:
            tried[task["number"]] += task["status"] not in ("blank", "unread")
            solved[task["number"]] += bool(task["max"]) and task["points"] >= task["max"]
    tasks = [task for task in key["tasks"] if task["max"]]
    tasks.sort(key=lambda task: (solved[task["number"]], task["number"]))
    body.append("<h3>Tasks, the hardest first</h3>")
    body.append(
        _bars(
            [
                (
                    f"{task['number']} {task['title']}",
                    solved[task["number"]] / len(scored),
                    f"{solved[task['number']]} of {len(scored)} ({tried[task['number']]} tried)",
                )
                for task in tasks
            ]
        )
    )
    made = Counter(
        (task["mistake"], task["number"])
        for row in scored
        for task in row.tasks
        if task["mistake"] in CATALOGUE
    )
    if made:
        body.append("<h3>Mistakes, the most frequent first</h3><table>")
        body.append('<tr><th class="n">how often</th><th>task</th><th>mistake</th><th>lesson</th></tr>')
        for (name, number), count in sorted(made.items(), key=lambda item: (-item[1], item[0])):
            known = CATALOGUE[name]
            body.append(
                f'<tr><td class="n">{count}</td><td>{e(number)}</td><td>{e(name)}: {e(known.sentence)}</td>'
                f"<td>{e(known.lesson)}, {e(known.section)}</td></tr>"
            )
        body.append("</table>")
    return "\n".join(body)


# files for a course's server


def _split(student: str) -> tuple[str, str]:
    """A student as the exports of Moodle and Canvas name them: the name, and the id behind it if there is one."""
    found = re.fullmatch(r"(.*)_(\d+)", student, re.S)
    return (found[1], found[2]) if found else (student, "")


def _canvas(rows: list[Row], keys: dict) -> dict[str, str]:
    """Canvas: Grades, Import. Students are found by their Canvas id; an empty cell changes nothing."""
    columns = [f"Exercise {exercise}" for exercise in sorted(keys)]
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *columns]]
    best = {(row.student, row.exercise): row for row in rows if row.score is not None}
    worth = [
        max([row.max for row in best.values() if row.exercise == each] or [keys[each]["points"]])
        for each in sorted(keys)
    ]
    lines.append(["    Points Possible", "", "", "", "", *worth])
    for student in dict.fromkeys(row.student for row in rows):
        name, number = _split(student)
        found = [best.get((student, exercise)) for exercise in sorted(keys)]
        lines.append([name, number, "", "" if number else name, "", *(row and row.score for row in found)])
    return {"grades_canvas.csv": _table(lines)}


def _moodle(rows: list[Row], keys: dict) -> dict[str, str]:
    """Moodle: the assignment's grading worksheet, one file per exercise.

    Students are found by their participant id.
    """
    files = {}
    for exercise in sorted(keys):
        lines = [["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]]
        for row in rows:
            if row.exercise == exercise:
                name, number = _split(row.student)
                said = (
                    "; ".join(f"{t['number']}: {TASKS[t['status']]}" for t in row.tasks)
                    or STATUSES[row.status]
                )
                lines.append([f"Participant {number}" if number else "", name, row.score, row.max, said])
        files[f"grades_moodle_{exercise}.csv"] = _table(lines)
    return files


def _gradescope(rows: list[Row], keys: dict) -> dict[str, str]:
    """Gradescope: the columns of its own table of scores, one file per exercise."""
    files = {}
    for exercise in sorted(keys):
        tasks = keys[exercise]["tasks"]
        names = [f"{task['number']} {task['title']} ({task['max']:.1f} pts)" for task in tasks]
        lines = [["Name", "SID", "Email", "Total Score", "Max Points", "Status", *names]]
        for row in rows:
            if row.exercise == exercise:
                name, number = _split(row.student)
                email = name if "@" in name else ""
                points = {task["number"]: task["points"] for task in row.tasks if task["status"] != "unread"}
                status = "Graded" if row.score is not None else "Ungraded"
                cells = [points.get(task["number"]) for task in tasks]
                lines.append([name, number, email, row.score, row.max, status, *cells])
        files[f"grades_gradescope_{exercise}.csv"] = _table(lines)
    return files


_FOR = {"canvas": _canvas, "moodle": _moodle, "gradescope": _gradescope}
