"""What a student is told: how each task stands, what the mistake was, where to read again, a hint."""

from typing import NamedTuple

from diffusion_lab.checks.mistakes import CATALOGUE, UNNAMED
from diffusion_lab.grading.rows import TASKS, Row, lateness_text, points_text, score_text

SUBMISSION_SENTENCES = {
    "graded": "",
    "UNREADABLE": "Your file could not be read as a notebook. Please save it again in Jupyter and hand in the"
    " .ipynb file.",
    "TIMEOUT": "Your notebook did not finish in time. Is there a loop in it that never ends?",
    "NO-ANSWERS": "There is no answer of yours in this file. Did you hand in the right one?",
    "GRADER-ERROR": "The grader failed. That is not your fault, and your work is not lost: your instructor will"
    " look at it.",
    "EXCLUDED": "Your answers were not run. Your instructor will look at them.",
    "MISSING": "We found no hand-in of yours.",
    "EXCUSED": "You are excused from this exercise.",
}
"""What became of a submission, said to the student."""
TASK_SENTENCES = {
    "passed": "Your answer to {number} is right.",
    "failed": "Your answer to {number} is not right yet.",
    "blank": "You have not answered {number} yet.",
    "killed": "Your answer to {number} ended Python, used too much memory, or printed too much.",
    "timeout": "Your answer to {number} did not finish in time. Is there a loop in it that never ends?",
    "unread": "Your instructor will read your answer to {number}.",
    "by hand": "Your instructor has graded your answer to {number}.",
    "": "{number} has not been graded.",
}
"""What became of a task, said to the student."""
UNWRITTEN = "There is no answer to {number} in your notebook yet."
TO_DO = ("failed", "blank", "killed", "timeout")


class Advice(NamedTuple):
    """What a student is told of one task; what there is nothing to say of is empty."""

    task: dict  # as in a row
    title: str
    state: str  # its status, but "blank" if there is nothing to read for a human
    sentence: str  # that says so
    mistake: str = ""  # a name of the catalogue, or a general one
    explanation: str = ""  # what was done and what was wanted
    lesson: str = ""
    section: str = ""  # of the lesson, to read again
    hint: str = ""

    @property
    def lines(self) -> list[str]:
        """The advice as plain text."""
        mistake = f"{self.mistake}: {self.explanation}" if self.mistake else ""
        section = f'Read again: lesson {self.lesson}, section "{self.section}".' if self.section else ""
        hint = f"Hint: {self.hint}" if self.hint else ""
        return [line for line in (mistake, section, hint) if line]


def advice(row: Row, keys: dict) -> list[Advice]:
    """Say for each task of a row what its student should know."""
    known = {task["number"]: task for task in keys.get(row.exercise, {}).get("tasks", [])}
    return [_advice(row, task, known.get(task["number"], {})) for task in row.tasks]


def _advice(row: Row, task: dict, about: dict) -> Advice:
    state, sentence = task["status"], TASK_SENTENCES[task["status"]]
    if state == "unread" and task["number"] not in row.texts:
        state, sentence = "blank", UNWRITTEN
    sentence = sentence.format(number=task["number"])
    if state == "by hand" and task.get("note"):
        sentence += f" The comment: {task['note']}"
    found = Advice(task, about.get("title", ""), state, sentence)
    if task["status"] not in TO_DO:
        return found
    found = found._replace(lesson=row.exercise, section=about.get("section", ""))
    mistake = CATALOGUE.get(task["mistake"])
    if mistake is None:
        if task["mistake"] in UNNAMED:
            where = f": {task['note']}" if task.get("note") else ""
            found = found._replace(mistake=task["mistake"], explanation=UNNAMED[task["mistake"]] + where)
        return found._replace(hint=about.get("hint", ""))
    found = found._replace(mistake=mistake.name, explanation=mistake.sentence)
    if mistake.lesson and mistake.lesson <= row.exercise:  # nobody is sent to a lesson that is yet to come
        found = found._replace(lesson=mistake.lesson, section=mistake.section)
    return found


def greeting(row: Row) -> list[str]:
    """The first sentences to a student: the points, and what is to be done or waited for."""
    if row.score is None:
        sentences = ["You have no score yet."]
    else:
        sentences = [f"You have {score_text(row)}."]
        if row.max and row.score >= row.max:
            sentences.append("Well done!")
    if row.late:
        cost = f", which costs {row.penalty:g} points" if row.penalty else ""
        sentences.append(f"You handed it in {row.late} late{cost}.")
    if row.status != "graded":
        sentences.append(SUBMISSION_SENTENCES[row.status])
    waiting = [
        task["number"] for task in row.tasks if task["status"] == "unread" and task["number"] in row.texts
    ]
    if waiting:
        sentences.append(f"Your instructor still has to look at {in_words(waiting)}.")
    if row.status == "graded" and any(task["status"] in TO_DO for task in row.tasks):
        sentences.append("Below you can see what to try next.")
    return sentences


def in_words(names: list[str]) -> str:
    """Write a list as a sentence does: "1.1, 1.2 and 1.3"."""
    return " and ".join(", ".join(part) for part in (names[:-1], names[-1:]) if part)


def notes(row: Row) -> list[str]:
    """The notes that help a student; those on a failure of the grader are for the instructor."""
    return [] if row.status == "GRADER-ERROR" else row.notes


def feedback_text(row: Row, keys: dict) -> str:
    """Say on a terminal what `pages.feedback` says in a browser."""
    lines = [f"exercise {row.exercise or '?'}: {score_text(row)}"]
    if row.late:
        lines.append(lateness_text(row))
    if row.status != "graded":
        lines.append(f"{row.status}: {SUBMISSION_SENTENCES[row.status]}")
    for part in advice(row, keys):
        task = part.task
        lines.append(f"  {task['number']}  {part.title}: {points_text(task)}, {TASKS[task['status']]}")
        lines += [f"       {line}" for line in part.lines]
    return "\n".join(lines + [f"note: {note}" for note in notes(row)])
