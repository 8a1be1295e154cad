"""What a human should look at in a gradebook: sentences, and tasks in doubt."""

import csv
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.checks.mistakes import CATALOGUE, UNNAMED
from diffusion_lab.grading import answers, keys, submissions
from diffusion_lab.grading.journal import attempts
from diffusion_lab.grading.ledger import Ledger, Mark, cell_name
from diffusion_lab.grading.report.tables import defused
from diffusion_lab.grading.rows import ABSENT


class Item(NamedTuple):
    """One task of one student."""

    student: str
    exercise: str
    task: str
    title: str
    max: float
    status: str
    reasons: list[str]  # why it is shown
    result: list[str]  # what the check found
    answer: str
    is_code: bool
    attempts: list[dict]  # time, hash, points, whether it counts; the oldest first


class Gradebook:
    """The items of a gradebook, and the marks that they have."""

    def __init__(self, folder: Path, solutions: Path | None = None):
        """Read the last report.

        Args:
            folder: of the gradebook.
            solutions: folder of the keys, with which the code of students is found; without it only sentences are
                shown.

        Raises:
            ValueError: if there is no gradebook in the folder.
        """
        try:
            self._rows = json.loads((folder / "grades.json").read_text(encoding="utf-8"))["rows"]
            self._run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"grades: a folder that diffusion-lab grade has made was wanted, got {folder}"
            ) from None
        self.ledger = Ledger(folder)
        self._history = attempts(folder)
        self._alike = _alike(folder)
        self.warning = ""  # why there is no code, if there is none
        self._code: dict[tuple[str, str], dict[str, str]] = {}
        if solutions is not None:
            try:
                self._code = self._sources(solutions)
            except (OSError, ValueError) as error:
                self.warning = f"the code of students is not shown: {error}"

    def items(self) -> list[Item]:
        """All items: exercise by exercise, task by task, over all students."""
        found = [item for row in self._rows if row["status"] not in ABSENT for item in self._of_row(row)]
        return sorted(found, key=lambda item: (item.exercise, _natural(item.task), item.student.casefold()))

    def marked(self) -> list[tuple[Item, Mark]]:
        """All items in the order of `items`, each with the mark that it has now."""
        marks = self.ledger.marks()
        return [
            (item, marks.get((cell_name(item.student), item.exercise, item.task), Mark()))
            for item in self.items()
        ]

    def _of_row(self, row: dict) -> list[Item]:
        known = self._run["keys"].get(row["exercise"], {}).get("tasks", [])
        graded = {task["number"]: task for task in row["tasks"]}
        items = []
        for about in known:
            number = about["number"]
            task = graded.get(number, {"status": "", "max": about["max"], "mistake": "", "note": ""})
            if reasons := self._reasons(row, number, task):
                text = row["texts"].get(number, "")
                code = self._code.get((row["student"], row["exercise"]), {}).get(number, "")
                items.append(
                    Item(
                        row["student"],
                        row["exercise"],
                        number,
                        about["title"],
                        task["max"],
                        task["status"],
                        reasons,
                        _result(row, number, task),
                        text or code,
                        not text,
                        self._attempts(row),
                    )
                )
        return items

    def _reasons(self, row: dict, number: str, task: dict) -> list[str]:
        checks = {
            "an answer in words": number in row["texts"],
            "graded by hand before": task["status"] == "by hand",
            "a note for you": bool(task["note"]) and task["status"] not in ("failed", "by hand"),
            "it ended with an error": task["mistake"] == "error",
            "it was stopped": task["status"] in ("killed", "timeout"),
            "found by its names only": row["how"].get(number) == "names",
            "like another student's": (defused(row["student"]), row["exercise"], number) in self._alike,
            f"the submission: {row['status']}": row["status"] in ("GRADER-ERROR", "TIMEOUT"),
        }
        return [reason for reason, holds in checks.items() if holds]

    def _attempts(self, row: dict) -> list[dict]:
        own = [past for past in self._history if (past.student, past.asked) == (row["student"], row["asked"])]
        return [
            {
                "time": past.handed_in,
                "hash": past.sha256[:12],
                "points": past.points,
                "counts": past is own[-1],
            }
            for past in own
        ]

    def _sources(self, solutions: Path) -> dict[tuple[str, str], dict[str, str]]:
        """The code of all answers, from the files that were graded; a file that has changed since is left out."""
        known = keys.load_all(solutions)
        graded = {(row["student"], row["sha256"]): row["exercise"] for row in self._rows}
        found: dict[tuple[str, str], dict[str, str]] = {}
        for submission in submissions.find(self._run["source"]):
            digest = hashlib.sha256(submission.data).hexdigest()
            exercise = graded.get((submission.student, digest))
            if exercise in known:
                try:
                    notebook = submission.read()
                except submissions.Unreadable:
                    continue
                found[submission.student, exercise] = answers.extract(notebook, known[exercise]).sources
        return found


def _result(row: dict, number: str, task: dict) -> list[str]:
    mistake = CATALOGUE.get(task["mistake"])
    sentence = mistake.sentence if mistake else UNNAMED.get(task["mistake"], "")
    about = [f"{task['mistake']}: {sentence}"] if task["mistake"] else []
    return [*about, *filter(None, [task["note"]]), *row["notes"]]


def _natural(number: str) -> list[int]:
    return [int(part) for part in number.split(".") if part.isdigit()]


def _alike(folder: Path) -> set[tuple[str, str, str]]:
    """Students, exercises and tasks in `alike.csv`, by their names as that table writes them."""
    path = folder / "alike.csv"
    if not path.exists():
        return set()
    with open(path, encoding="utf-8", newline="") as file:
        return {
            (line[column], line["exercise"], task)
            for line in csv.DictReader(file)
            for column in ("student", "other")
            for task in line["alike in"].split(", ")
        }
