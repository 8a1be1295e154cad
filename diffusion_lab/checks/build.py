"""Exercises out of solutions: ``solutions/*.ipynb`` -> ``exercises/*.ipynb``.

The module of an exercise declares its tasks; its solution holds the cells. Building brings the two together. In the
solution, the headings of the notebook and of every task are written as declared, and each cell of a task gets its
label (see `cells`). In the exercise, the lines from ``### BEGIN SOLUTION`` to ``### END SOLUTION`` of an answer give
way to a blank: what stands behind ``# blank: `` in these lines, or else ``return None  # your code here``. No cell
keeps its outputs: they would give answers away. What a check must print, `expected` works out.

Which cell is which: an answer begins with the line ``# ANSWER 1.2``. Its statement is the last cell of text above it.
A check is one call of the check, ``check.forward_step(my_forward_step)``.
"""

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path

from diffusion_lab.checks import cells, registry
from diffusion_lab.checks.cells import ANSWER, CHECK, STATEMENT, Label
from diffusion_lab.checks.engine import Exercise, Question, Task
from diffusion_lab.files import replacing

BLANK = "return None  # your code here"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
NO_CHECKS = ("begin", "hint", "progress", "show")
"""What the module of an exercise has beside its checks."""


def find_solutions(start: Path) -> Path:
    """Find the folder ``solutions`` in `start` or above it; a `FileNotFoundError` says if there is none."""
    for folder in [start, *start.parents]:
        if any((folder / "solutions").glob("*.ipynb")):
            return folder / "solutions"
    raise FileNotFoundError(f"there is no folder solutions/ with notebooks in {start} or above it")


# the solution, as its exercise is declared


def labelled(notebook: Mapping, exercise: Exercise) -> dict:
    """Copy a solution, as read from JSON, with headings and labels as its exercise declares them.

    Raises:
        ValueError: names the cell that does not fit, or says which cells are missing.
    """
    labels = _labels(notebook["cells"], exercise)
    made = [
        {**cell, "metadata": cells.labelled(cell["metadata"], labels.get(index))}
        for index, cell in enumerate(notebook["cells"])
    ]
    for index, label in labels.items():
        if label.role == STATEMENT:
            heading = task_heading(exercise.declared[label.task])
            made[index]["source"] = _headed(made[index]["source"], heading, _is_task_heading)
    if not made or made[0]["cell_type"] != "markdown":
        raise ValueError("a cell of text with the heading was wanted as the first one")
    title = f"# Exercise {exercise.number} · {exercise.title}"
    made[0]["source"] = _headed(made[0]["source"], title, lambda line: line.startswith("# "))
    metadata = {**notebook["metadata"], cells.KEY: {"exercise": exercise.number}}
    return {**notebook, "cells": made, "metadata": metadata}


def task_heading(task: Task | Question) -> str:
    """Write the heading over the statement of a task."""
    worth = cells.worth(task.points) if task.points else "your instructor reads it"
    return f"## {task.number} {task.title[:1].upper()}{task.title[1:]} ({worth})"


def _labels(notebook_cells: list[Mapping], exercise: Exercise) -> dict[int, Label]:
    """What each cell is for, by its place."""
    checks = {task.name: task.number for task in exercise.tasks.values()}
    labels: dict[int, Label] = {}
    text = None  # the place of the last cell of text that no answer has claimed
    for index, cell in enumerate(notebook_cells):
        name = _id(cell)
        if cell["cell_type"] == "markdown" and index:
            text = index
        if cell["cell_type"] != "code":
            continue
        if number := cells.marked_task(_source(cell)):
            if number not in exercise.declared:
                raise ValueError(f"cell {name}: no task {number} is declared")
            if text is None:
                raise ValueError(f"cell {name}: a cell of text above it was wanted, with what is asked")
            labels[text] = _statement(exercise.declared[number])
            labels[index], text = Label(number, ANSWER), None
        elif called := called_check(_source(cell)):
            if called in checks:
                labels[index] = Label(checks[called], CHECK)
            elif called not in NO_CHECKS:
                raise ValueError(f"cell {name}: one of {', '.join(checks)} was wanted, got check.{called}")
    for role, wanted in ((ANSWER, exercise.declared), (CHECK, exercise.tasks)):
        found = [label.task for label in labels.values() if label.role == role]
        if found != list(wanted):
            raise ValueError(
                f"one {role} cell each, in this order, was wanted for {', '.join(wanted)};"
                f" got {', '.join(found) or 'none'}"
            )
    return labels


def _statement(task: Task | Question) -> Label:
    title = cells.plain(task.title)
    return Label(
        task.number,
        STATEMENT,
        title[:1].upper() + title[1:],
        task.points,
        task.section,
        next(iter(task.hints), ""),
    )


def _source(cell: Mapping) -> str:
    return "".join(cell["source"])


def _id(cell: Mapping) -> str:
    if "id" not in cell:
        raise ValueError(f"every cell wants an id, and there is none at {_source(cell)[:60]!r}")
    return cell["id"]


def called_check(source: str) -> str:
    """Give the name behind ``check.`` of a cell that is one such call; empty if it is not."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return ""
    match body:
        case [ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="check"), attr=name)))]:
            return name
    return ""


def _headed(source: str | list[str], heading: str, is_old) -> list[str]:
    """A text with its heading in the first line: in the place of the old one, if there is one."""
    text = "".join(source)
    first, newline, rest = text.partition("\n")
    text = f"{heading}{newline}{rest}" if is_old(first) else f"{heading}\n\n{text}"
    return text.splitlines(keepends=True)


def _is_task_heading(line: str) -> bool:
    """Whether a line is the heading of a task, whatever its number was."""
    hashes, *words = line.split() or [""]
    return (
        bool(words) and hashes.strip("#") == "" and "." in words[0] and words[0].replace(".", "").isdecimal()
    )


# the exercise


def blanked(source: str) -> str:
    """Put the blank in the place of every solution in a cell.

    A `ValueError` says what does not fit together.
    """
    kept: list[str] = []
    solution: list[str] | None = None
    for line in source.split("\n"):
        if line.strip() == BEGIN:
            if solution is not None:
                raise ValueError(f"{BEGIN} twice, with no {END} between")
            solution, indent = [], line[: len(line) - len(line.lstrip())]
        elif line.strip() == END:
            if solution is None:
                raise ValueError(f"{END} with no {BEGIN} before it")
            blank = re.findall(r"^\s*# blank: (.*)$", "\n".join(solution), re.M) or [BLANK] * bool(indent)
            if not blank:
                raise ValueError(
                    "a solution outside a function must say its blank, such as `# blank: my_guess = None`"
                )
            kept += [indent + blank_line for blank_line in blank]
            solution = None
        else:
            (kept if solution is None else solution).append(line)
    if solution is not None:
        raise ValueError(f"{BEGIN} with no {END} after it")
    return "\n".join(kept)


def exercise(notebook: Mapping) -> dict:
    """Make the exercise of a solution whose cells are labelled, both as read from JSON.

    The solution must have been run, with all tasks solved. A `ValueError` names the cell that does not fit.
    """
    statements = [cells.label(cell) for cell in notebook["cells"]]
    points = {label.task: label.points for label in statements if label and label.role == STATEMENT}
    made = [_exercise_cell(cell, points) for cell in notebook["cells"]]
    ids = [cell["id"] for cell in made]
    if repeated := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"ids must differ, got more than once: {', '.join(sorted(repeated))}")
    return {"cells": made, "metadata": notebook["metadata"], "nbformat": 4, "nbformat_minor": 5}


def _exercise_cell(cell: Mapping, points: Mapping[str, int]) -> dict:
    made = {"cell_type": cell["cell_type"], "id": _id(cell), "metadata": dict(cell["metadata"])}
    source, label = _source(cell), cells.label(cell)
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
        try:
            source = blanked(source)
        except ValueError as error:
            raise ValueError(f"cell {cell['id']}: {error}") from None
        if source != _source(cell) and (label is None or label.role != ANSWER):
            raise ValueError(
                f"cell {cell['id']}: a cell with a solution must begin with a line like # ANSWER 1.2, and have a"
                " label; diffusion-lab build-exercises writes it"
            )
        if label and label.role == CHECK:
            _require_printed(cell, label.task, points.get(label.task, 0))
    return made | {"source": source.splitlines(keepends=True)}


def _require_printed(cell: Mapping, task: str, points: int) -> None:
    """Hold a check to having printed that its task is solved, and nothing else than printed."""
    outputs = cell["outputs"]
    if not outputs or any(output.get("name") != "stdout" for output in outputs):
        raise ValueError(
            f"cell {cell['id']}: a check must have printed and nothing else; run the solution first"
        )
    printed, wanted = "".join(outputs[0]["text"]), cells.solved(task, points)
    if not printed.startswith(wanted):
        raise ValueError(
            f"cell {cell['id']}: '{wanted}…' was wanted as its output, got {printed[:60]!r}; run the solution"
            " first"
        )


# both, in their folders


def build(
    source: Path, out: Path, check: bool = False, exercises: Mapping[str, Exercise] | None = None
) -> list[Path]:
    """Bring all solutions up to date and build their exercises, or only `check` which are not as they should be.

    Args:
        source: folder of the solutions. A heading or label that is not as declared is written anew.
        out: folder of the exercises.
        check: write nothing.
        exercises: what is declared, by the name of the notebook; that of the `registry` if it is not given.

    Returns:
        The files that were, or would be, written; with `check` also exercises that have no solution.

    Raises:
        FileNotFoundError: if there are no solutions.
        ValueError: names the solution that could not be read, or is of no exercise that is declared. Nothing is
            written then.
    """
    solutions = sorted(source.glob("*.ipynb"))
    if not solutions:
        raise FileNotFoundError(f"there are no notebooks in {source}")
    exercises = registry.notebooks() if exercises is None else exercises
    texts: dict[Path, str] = {}
    for path in solutions:
        try:
            if path.stem not in exercises:
                raise ValueError(
                    f"one of {', '.join(exercises)} was wanted as its name, as they are declared"
                )
            solution = labelled(json.loads(path.read_text(encoding="utf-8")), exercises[path.stem])
            texts |= {path: _text(solution), out / path.name: _text(exercise(solution))}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: {error!r}" if isinstance(error, KeyError) else f"{path}: {error}"
            ) from error
    stale = [path for path, text in texts.items() if _stored(path) != text]
    if check:
        return stale + sorted(path for path in out.glob("*.ipynb") if path not in texts)
    for path in stale:
        with replacing(path) as part:
            part.write_text(texts[path], encoding="utf-8", newline="\n")
    return stale


def _text(notebook: Mapping) -> str:
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _stored(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
