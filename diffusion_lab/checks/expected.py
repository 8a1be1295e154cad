"""What the checks of an exercise print when its tasks are solved, for nbval to compare with.

An exercise ships with no outputs, which would give answers away. The expected lines are worked out by the right
answers that the package declares, under the nonce of the notebook.
"""

import ast
import re
from collections.abc import Mapping

from diffusion_lab.checks import build, cells, registry
from diffusion_lab.checks.engine import Exercise

_NONCE = re.compile(r"^NONCE\s*=\s*(.+?)\s*(?:#.*)?$", re.M)


def check_lines(notebook: Mapping) -> dict[int, str]:
    """Give the line that each check of an exercise must print, by the place of its cell in the notebook.

    The notebook is as nbformat reads it, with texts as they are and not as lists of lines.

    Raises:
        ValueError: if the package has no such exercise.
    """
    number = cells.exercise(notebook)
    exercises = {exercise.number: exercise for exercise in registry.notebooks().values()}
    if number not in exercises:
        raise ValueError(f"one of the exercises {', '.join(exercises)} was wanted, got {number!r}")
    lines = _lines(exercises[number], _nonce(notebook))
    checked = {
        place: _checked_task(cell, exercises[number])
        for place, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code"
    }
    return {place: lines[task] for place, task in checked.items() if task}


def is_solution(notebook: Mapping) -> bool:
    """Whether a notebook holds solutions between their marks."""
    return any(cell["cell_type"] == "code" and build.BEGIN in cell["source"] for cell in notebook["cells"])


def _lines(exercise: Exercise, nonce: int | str) -> dict[str, str]:
    """The line of each task under a nonce; the exercise keeps its own."""
    kept = exercise.nonce
    exercise.nonce = nonce
    try:
        return {number: task.expected_line() for number, task in exercise.tasks.items()}
    finally:
        exercise.nonce = kept


def _nonce(notebook: Mapping) -> int | str:
    """The nonce that a notebook sets; 0, that of an exercise as it ships, if none can be read there."""
    for cell in notebook["cells"]:
        found = _NONCE.search(cell["source"]) if cell["cell_type"] == "code" else None
        if found:
            try:
                return ast.literal_eval(found[1])
            except (ValueError, SyntaxError):
                return 0
    return 0


def _checked_task(cell: Mapping, exercise: Exercise) -> str | None:
    """The task that a cell checks, as its label says, or else its one call; None if it is no check."""
    label = cells.label(cell)
    if label and label.role == cells.CHECK and label.task in exercise.tasks:
        return label.task
    called = build.called_check(cell["source"])
    return next((number for number, task in exercise.tasks.items() if task.name == called), None)
