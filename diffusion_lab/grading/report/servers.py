"""Tables for a course's server, as CSV: Canvas, Moodle, Gradescope."""

import re

from diffusion_lab.grading.report.feedback import SUBMISSION_SENTENCES
from diffusion_lab.grading.report.tables import table, task_points
from diffusion_lab.grading.rows import TASKS, Row


def _name_and_id(student: str) -> tuple[str, str]:
    """A student as the exports of Moodle and Canvas name them: the name, and the id behind it if there is one."""
    found = re.fullmatch(r"(.*)_(\d+)", student, re.S)
    return (found[1], found[2]) if found else (student, "")


def canvas(rows: list[Row], keys: dict) -> dict[str, str]:
    """Canvas: Grades, Import. Students are found by their Canvas id; an empty cell changes nothing."""
    exercises = sorted(keys)
    graded = {(row.student, row.exercise): row for row in rows if row.score is not None}
    worth = [
        max([row.max for row in graded.values() if row.exercise == exercise] or [keys[exercise]["points"]])
        for exercise in exercises
    ]
    titles = [f"Exercise {exercise}" for exercise in exercises]
    lines = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles],
        ["    Points Possible", "", "", "", "", *worth],
    ]
    for student in dict.fromkeys(row.student for row in rows):
        name, number = _name_and_id(student)
        found = [graded.get((student, exercise)) for exercise in exercises]
        lines.append([name, number, "", "" if number else name, "", *(row and row.score for row in found)])
    return {"grades_canvas.csv": table(lines)}


def moodle(rows: list[Row], keys: dict) -> dict[str, str]:
    """Moodle: the assignment's grading worksheet, one file per exercise.

    Students are found by their participant id.
    """
    files = {}
    for exercise in sorted(keys):
        lines = [["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]]
        for row in rows:
            if row.exercise == exercise:
                name, number = _name_and_id(row.student)
                comments = "; ".join(f"{task['number']}: {TASKS[task['status']]}" for task in row.tasks)
                comments = comments or SUBMISSION_SENTENCES[row.status]
                identifier = f"Participant {number}" if number else ""
                lines.append([identifier, name, row.score, row.max, comments])
        files[f"grades_moodle_{exercise}.csv"] = table(lines)
    return files


def gradescope(rows: list[Row], keys: dict) -> dict[str, str]:
    """Gradescope: the columns of its own table of scores, one file per exercise."""
    files = {}
    for exercise in sorted(keys):
        tasks = keys[exercise]["tasks"]
        titles = [f"{task['number']} {task['title']} ({task['max']:.1f} pts)" for task in tasks]
        lines = [["Name", "SID", "Email", "Total Score", "Max Points", "Status", *titles]]
        for row in rows:
            if row.exercise == exercise:
                name, number = _name_and_id(row.student)
                email = name if "@" in name else ""
                points = task_points(row)
                status = "Graded" if row.score is not None else "Ungraded"
                own = [points.get(task["number"]) for task in tasks]
                lines.append([name, number, email, row.score, row.max, status, *own])
        files[f"grades_gradescope_{exercise}.csv"] = table(lines)
    return files


SERVERS = {"canvas": canvas, "moodle": moodle, "gradescope": gradescope}
FORMATS = tuple(SERVERS)
"""The servers that there are tables for."""
