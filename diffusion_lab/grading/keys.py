"""The key of an exercise: its solution, its blank, and what each task is worth, all read from ``solutions/``."""

import copy
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.checks import build

_HEADING = re.compile(r"^#+ (\d+\.\d+) (.*?)(?: \([^()]*\))?$", re.M)
_SOLVED = re.compile(r"(\d+\.\d+) solved, (\d+) points?:")
_NONCE = re.compile(r"^NONCE = 0$", re.M)


class Task(NamedTuple):
    """A task; `points` is 0 and there is no check where a human reads the answer."""

    number: str  # such as "1.2"
    title: str
    points: int
    check_cell_id: str | None


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


def found(folder: str | Path) -> list[str]:
    """List the exercises in a folder of solutions by number, such as "01".

    A `ValueError` says if two share one.
    """
    numbers = [path.name[:2] for path in _solutions(folder)]
    if repeated := {number for number in numbers if numbers.count(number) > 1}:
        raise ValueError(
            f"one solution per exercise was wanted in {folder}, got several of {', '.join(repeated)}"
        )
    return numbers


def _solutions(folder: str | Path) -> list[Path]:
    return sorted(path for path in Path(folder).glob("*.ipynb") if re.match(r"\d\d_", path.name))


def load(exercise: str, folder: str | Path) -> Key:
    """Load a key from a folder of solutions.

    Args:
        exercise: its number, or the name of its notebook: "1", "01" or "01_forward_noising".
        folder: where the solutions are.

    Raises:
        ValueError: if there is no such exercise there, which names those that are; or if its solution is not
            one: a task has neither a check nor the tag `explain`, a check has not printed that its task is
            solved, `NONCE = 0` is missing or the ids are not all different.
    """
    known = found(folder)
    digits = re.match(r"\d{1,2}(?!\d)", exercise)
    number = digits[0].zfill(2) if digits else ""
    if number not in known:
        choice = f"one of {', '.join(known)}" if known else "and there is none"
        raise ValueError(f"exercise: {choice} in {folder} was wanted, got {exercise!r}")
    path = next(path for path in _solutions(folder) if path.name.startswith(number))
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
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


def answer_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells of a solution or exercise that hold the answers, by task.

    A `ValueError` says if one has two.
    """
    cells: dict[str, NotebookNode] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and (marker := build.MARKER.match(cell.source)):
            if marker[1] in cells:
                raise ValueError(f"cell {cell.id}: the task {marker[1]} has an answer cell already")
            cells[marker[1]] = cell
    return cells


def is_explained(cell: NotebookNode) -> bool:
    """Whether an answer cell holds a sentence that a human reads."""
    return "explain" in cell.metadata.get("tags", [])


def _tasks(blank: NotebookNode) -> list[Task]:
    titles = {number: title for cell in blank.cells for number, title in _HEADING.findall(cell.source)}
    checks: dict[str, tuple[int, str]] = {}
    for cell in blank.cells:
        if "check" in cell.metadata.get("tags", []):
            solved = _SOLVED.match("".join(output.text for output in cell.outputs))
            if not solved or solved[1] in checks:
                raise ValueError(
                    f"cell {cell.id}: 'N solved, P points: …' was wanted as its output, once for each task"
                )
            checks[solved[1]] = int(solved[2]), cell.id
    answers = answer_cells(blank)
    for number, cell in answers.items():
        if (number in checks) == is_explained(cell):
            raise ValueError(
                f"cell {cell.id}: either a check or the tag explain was wanted for the task {number}"
            )
    if strangers := checks.keys() - answers.keys():
        raise ValueError(f"there is a check but no answer cell for {', '.join(sorted(strangers))}")
    return [Task(number, titles.get(number, number), *checks.get(number, (0, None))) for number in answers]


def with_nonce(notebook: NotebookNode, nonce: int) -> NotebookNode:
    """Copy a notebook with another nonce in its line ``NONCE = 0``.

    A `ValueError` says if that is not there once.
    """
    made = copy.deepcopy(notebook)
    places = [cell for cell in made.cells if cell.cell_type == "code" and _NONCE.search(cell.source)]
    if len(places) != 1 or len(_NONCE.findall(places[0].source)) != 1:
        raise ValueError("one line `NONCE = 0` was wanted in the notebook, got none or several")
    places[0].source = _NONCE.sub(f"NONCE = {nonce:d}", places[0].source)
    return made
