"""Holding a key to what it must do, before anybody is graded with it."""

from nbformat import NotebookNode

from diffusion_lab.grading import answers, keys, run
from diffusion_lab.grading.box import Box, BoxError
from diffusion_lab.grading.keys import Key

LEAST = 300.0  # seconds that a solution gets at least, however short the time for a submission is


def run_key(key: Key, nonce: int, box: Box, timeout: int | float) -> NotebookNode:
    """Run the solution under a nonce; a `ValueError` says why it does not run."""
    try:
        notebook, hearing = keys.with_nonce(key.solution, nonce), run.Hearing(key.exercise, nonce)
        return run.execute(notebook, box, timeout=max(timeout, LEAST), hearing=hearing)
    except (RuntimeError, BoxError) as error:
        raise ValueError(f"key {key.exercise}: the solution does not run: {error}") from error


def check_key(key: Key, nonce: int, box: Box, timeout: int | float) -> NotebookNode:
    """See that the solution scores full, that the blank scores 0, and that every check depends on the nonce.

    Returns:
        The solution, run under the nonce.

    Raises:
        ValueError: says what the key does wrong.
    """
    expected = run_key(key, nonce, box, timeout)
    other = run_key(key, nonce + 1, box, timeout)
    checks = {task.check_cell_id: task.number for task in key.tasks if task.check_cell_id}
    for cell, other_cell in zip(expected.cells, other.cells, strict=True):
        if cell.id in checks and cell.outputs == other_cell.outputs:
            raise ValueError(
                f"key {key.exercise}: the check of {checks[cell.id]} prints the same under two nonces"
            )
    for name, notebook, wanted in (("solution", key.solution, key.points), ("blank", key.blank, 0)):
        found = answers.extract(notebook, key)
        grade = run.grade_notebook(key, found, nonce, expected, box=box, timeout=timeout)
        if grade.outcome != "graded":
            raise ValueError(f"key {key.exercise}: the {name} could not be graded: {'; '.join(grade.notes)}")
        if grade.points != wanted:
            raise ValueError(
                f"key {key.exercise}: the {name} scores {grade.points:g} of {key.points:g} points, and"
                f" {wanted:g} were wanted"
            )
    return expected
