"""Exercises out of solutions: ``solutions/*.ipynb`` -> ``exercises/*.ipynb``.

In an answer cell, whose first line is ``# ANSWER 1.2``, the lines from ``### BEGIN SOLUTION`` to ``### END
SOLUTION``
give way to a blank: what stands behind ``# blank: `` in these lines, or else ``return None  # your code here``. A check
cell keeps its outputs, which are what a student's must print; every other cell loses its own.
"""

import json
import re
from pathlib import Path

from diffusion_lab.files import replacing

BLANK = "return None  # your code here"
MARKER = re.compile(r"# ANSWER (\d+\.\d+)\n")
CHECK = re.compile(r"check\.(?!begin\b|hint\b|progress\b)\w+\(.*\)\s*", re.S)


def find_solutions(start: Path) -> Path:
    """Find the folder ``solutions`` in `start` or above it; a `FileNotFoundError` says if there is none."""
    for folder in [start, *start.parents]:
        if any((folder / "solutions").glob("*.ipynb")):
            return folder / "solutions"
    raise FileNotFoundError(f"there is no folder solutions/ with notebooks in {start} or above it")


def blanked(source: str) -> str:
    """Put the blank in the place of every solution in a cell.

    A `ValueError` says what does not fit together.
    """
    kept: list[str] = []
    solution: list[str] | None = None
    for line in source.split("\n"):
        if line.strip() == "### BEGIN SOLUTION":
            if solution is not None:
                raise ValueError("### BEGIN SOLUTION twice, with no ### END SOLUTION between")
            solution, indent = [], line[: len(line) - len(line.lstrip())]
        elif line.strip() == "### END SOLUTION":
            if solution is None:
                raise ValueError("### END SOLUTION with no ### BEGIN SOLUTION before it")
            blank = re.findall(r"^\s*# blank: (.*)$", "\n".join(solution), re.M) or [BLANK] * bool(indent)
            if not blank:
                raise ValueError(
                    "a solution outside a function must say its blank, such as `# blank: my_guess = None`"
                )
            kept += [indent + each for each in blank]
            solution = None
        else:
            (kept if solution is None else solution).append(line)
    if solution is not None:
        raise ValueError("### BEGIN SOLUTION with no ### END SOLUTION after it")
    return "\n".join(kept)


def exercise(notebook: dict) -> dict:
    """Make the exercise of a solution, both as read from JSON.

    A `ValueError` names the cell that does not fit.
    """
    cells = [_exercise_cell(cell) for cell in notebook["cells"]]
    ids = [cell["id"] for cell in cells]
    if repeated := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"ids must differ, got more than once: {', '.join(sorted(repeated))}")
    return {"cells": cells, "metadata": notebook["metadata"], "nbformat": 4, "nbformat_minor": 5}


def _exercise_cell(cell: dict) -> dict:
    source = "".join(cell["source"])
    if "id" not in cell:
        raise ValueError(f"every cell wants an id, and there is none at {source[:60]!r}")
    made = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": dict(cell["metadata"])}
    tags = list(cell["metadata"].get("tags", []))
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
        try:
            source = blanked(source)
        except ValueError as error:
            raise ValueError(f"cell {cell['id']}: {error}") from None
        if answer := MARKER.match(source):
            tags.append("answer")
        elif "".join(cell["source"]) != source:
            raise ValueError(
                f"cell {cell['id']}: the first line of a cell with a solution must be like # ANSWER 1.2"
            )
        if not answer and CHECK.fullmatch(source):
            tags.append("check")
            outputs = cell["outputs"]
            if not outputs or any(output.get("name") != "stdout" for output in outputs):
                raise ValueError(
                    f"cell {cell['id']}: a check must have printed and nothing else; run the solution first"
                )
            made |= {"execution_count": cell["execution_count"], "outputs": outputs}
    if tags:
        made["metadata"]["tags"] = sorted(set(tags))
    return made | {"source": source.splitlines(keepends=True)}


def build(source: Path, out: Path, check: bool = False) -> list[str]:
    """Build every exercise, or only `check` which are not as they should be; returns the names of those.

    Nothing is written unless every solution could be read; a `ValueError` names the one that could not.
    """
    solutions = sorted(source.glob("*.ipynb"))
    if not solutions:
        raise FileNotFoundError(f"there are no notebooks in {source}")
    texts = {}
    for path in solutions:
        try:
            made = exercise(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: {error!r}" if isinstance(error, KeyError) else f"{path}: {error}"
            ) from error
        texts[path.name] = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def stored(name: str) -> str | None:
        return (out / name).read_text(encoding="utf-8") if (out / name).is_file() else None

    stale = [name for name, text in texts.items() if stored(name) != text]
    if check:
        return stale + sorted(path.name for path in out.glob("*.ipynb") if path.name not in texts)
    for name in stale:
        with replacing(out / name) as part:
            part.write_text(texts[name], encoding="utf-8", newline="\n")
    return stale
