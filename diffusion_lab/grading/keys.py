"""The key of an exercise: its solution, its blank, and what each task is worth, all read from ``solutions/``.

What a cell is for, and what a task is worth, the labels say that `checks.build` has written into the notebook's
metadata.
"""

import copy
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.checks import build, cells
from diffusion_lab.checks.cells import ANSWER, CHECK, STATEMENT, Label

NONCE = "NONCE = 0"
"""The line of a solution in which another nonce is put."""


class Task(NamedTuple):
    """A task; `points` is 0 and there is no check where a human reads the answer."""

    number: str  # such as "1.2"
    title: str
    points: int
    check_cell_id: str | None
    section: str = ""  # of the lesson, to read again
    hint: str = ""  # the first one


class Key(NamedTuple):
    """What submissions of one exercise are graded with."""

    exercise: str  # two digits, such as "01"
    solution: NotebookNode
    blank: NotebookNode
    tasks: list[Task]

    @property
    def points(self) -> int:
        """What a full solution is worth."""
        return sum(task.points for task in self.tasks)


def found(folder: str | Path) -> dict[str, Path]:
    """Find the solutions in a folder by the number of their exercise, such as "01".

    Raises:
        ValueError: if two are of the same exercise, or a notebook does not say which one it is.
    """
    solutions: dict[str, Path] = {}
    for path in sorted(Path(folder).glob("*.ipynb")):
        number = cells.exercise(_read(path))
        if number is None:
            raise ValueError(
                f"{path}: it does not say which exercise it is; diffusion-lab build-exercises writes that"
            )
        if number in solutions:
            raise ValueError(f"one solution per exercise was wanted in {folder}, got several of {number}")
        solutions[number] = path
    return dict(sorted(solutions.items()))


def load_all(folder: str | Path) -> dict[str, Key]:
    """Load all keys of a folder of solutions, by number; a `ValueError` says which solution is none."""
    return {number: _key(number, path) for number, path in found(folder).items()}


def load(exercise: str, folder: str | Path) -> Key:
    """Load a key from a folder of solutions.

    Args:
        exercise: its number, or the name of its notebook: "1", "01" or "01_forward_noising".
        folder: where the solutions are.

    Raises:
        ValueError: if there is no such exercise there, which names those that are; or if its solution is not
            one: a task is worth something and has no check, or the reverse, a check has not printed that its task
            is solved, `NONCE = 0` is missing or the ids are not all different.
    """
    solutions = found(folder)
    digits = re.match(r"\d{1,2}(?!\d)", exercise)
    number = digits[0].zfill(2) if digits else ""
    if number not in solutions:
        choice = f"one of {', '.join(solutions)} in {folder} was wanted"
        if not solutions:
            choice = f"one that has a solution in {folder} was wanted, and there is none"
        raise ValueError(f"exercise: {choice}, got {exercise!r}")
    return _key(number, solutions[number])


def _read(path: Path) -> dict:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(notebook, dict):
        raise ValueError(f"{path}: a notebook was wanted, got {type(notebook).__name__}")
    return notebook


def _key(number: str, path: Path) -> Key:
    raw = _read(path)
    try:
        solution, blank = nbformat.from_dict(_joined(raw)), nbformat.from_dict(_joined(build.exercise(raw)))
        tasks = _tasks(blank)
        with_nonce(solution, 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error if isinstance(error, ValueError) else repr(error)}") from error
    return Key(number, solution, blank, tasks)


def _joined(notebook: dict) -> dict:
    """A notebook with texts in place of lists of lines, as nbformat has them in memory."""
    joined = copy.deepcopy(notebook)
    for cell in joined["cells"]:
        cell["source"] = "".join(cell["source"])
        for output in cell.get("outputs", []):
            if isinstance(output.get("text"), list):
                output["text"] = "".join(output["text"])
    return joined


def _by_task(notebook: NotebookNode, role: str) -> dict[str, tuple[NotebookNode, Label]]:
    """The cells of a role, with their labels, by task; a `ValueError` says if a task has two."""
    cells_of: dict[str, tuple[NotebookNode, Label]] = {}
    for cell in notebook.cells:
        label = cells.label(cell)
        if label and label.role == role:
            if label.task in cells_of:
                raise ValueError(f"cell {cell.id}: the task {label.task} has a cell for its {role} already")
            cells_of[label.task] = cell, label
    return cells_of


def answer_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells of a solution or exercise that hold the answers, by task.

    A `ValueError` says if one has two.
    """
    return {task: cell for task, (cell, _) in _by_task(notebook, ANSWER).items()}


def explained(notebook: NotebookNode) -> set[str]:
    """The tasks of a solution or exercise that a human reads: they have an answer, and no check."""
    return _by_task(notebook, ANSWER).keys() - _by_task(notebook, CHECK).keys()


def _tasks(blank: NotebookNode) -> list[Task]:
    statements, checks = _by_task(blank, STATEMENT), _by_task(blank, CHECK)
    tasks = []
    for number, cell in answer_cells(blank).items():
        if number not in statements:
            raise ValueError(f"cell {cell.id}: no cell states the task {number}")
        _, stated = statements[number]
        check = checks[number][0].id if number in checks else None
        if (check is None) != (stated.points == 0):
            wanted = (
                "no check, as it is worth 0 points," if check else f"a check for its {stated.points} points"
            )
            raise ValueError(f"cell {cell.id}: {wanted} was wanted for the task {number}")
        tasks.append(Task(number, stated.title, stated.points, check, stated.section, stated.hint))
    if without := (statements.keys() | checks.keys()) - {task.number for task in tasks}:
        raise ValueError(f"there is no answer cell for {', '.join(sorted(without))}")
    return tasks


def with_nonce(notebook: NotebookNode, nonce: int) -> NotebookNode:
    """Copy a notebook with another nonce in its line ``NONCE = 0``.

    A `ValueError` says if that is not there once.
    """
    made = copy.deepcopy(notebook)
    places = [cell for cell in made.cells if cell.cell_type == "code" and NONCE in cell.source.split("\n")]
    lines = places[0].source.split("\n") if len(places) == 1 else []
    if lines.count(NONCE) != 1:
        raise ValueError(f"one line `{NONCE}` was wanted in the notebook, got none or several")
    places[0].source = "\n".join(f"NONCE = {nonce:d}" if line == NONCE else line for line in lines)
    return made
