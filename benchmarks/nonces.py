"""Does a right answer ever lose a point by the luck of the draw?

The inputs of a check are drawn under a nonce. Every right answer that the repository has, those of the banks in
``diffusion_lab/checks/bank`` and those of the solutions, is checked under many nonces, and has to print what the key
prints. An answer whose check is slow is checked under fewer: ``--minutes`` of CPU time are spent on each task, and the
table says how many nonces that was.
"""

import argparse
import contextlib
import io
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import nbformat

from benchmarks import common
from benchmarks.common import Row
from diffusion_lab.checks import bank, cells, registry
from diffusion_lab.checks.engine import Guess, Task, Unsolved
from diffusion_lab.grading import keys
from diffusion_lab.shapes import check_range

NAME = "nonces"
QUESTION = "Does a right answer ever lose a point by the luck of the draw?"
ROOT = Path(__file__).parents[1]
LEAST = 3
"""Nonces that every task is checked under, however long that takes."""
COLUMNS = {
    "task": "",
    "title": "",
    "right_answers": "",
    "nonces": "",
    "checks": "",
    "rejected": "",
    "cpu_minutes": ".2f",
}


class Answer(NamedTuple):
    """A right answer, and where it is from: "solution", or its place in the bank."""

    origin: str
    value: Any


class Trial:
    """The right answers to one task, checked under one nonce after the other."""

    def __init__(self, task: Task, answers: Sequence[Answer], tell: Callable[[str], None] = print):
        """Keep all; `tell` is told of every answer that is rejected."""
        self.task, self.answers, self.tell = task, answers, tell
        self.nonces, self.rejected = 0, 0

    def line(self, answer: Any) -> str:
        """What the check prints of an answer, or why it refuses it."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                self.task(answer)
        except Unsolved as unsolved:
            return f"refused: {unsolved}"
        except Exception as error:  # of the check itself, which is no better than refusing
            return f"refused: {type(error).__name__}: {error}"
        wanted = cells.solved(self.task.number, self.task.points)
        return "\n".join(line for line in printed.getvalue().splitlines() if line.startswith(wanted))

    def try_nonce(self, nonce: int) -> None:
        """Check all answers under a nonce, against what the key prints under it."""
        self.task.exercise.begin(nonce)
        right = self.task.rights[""]
        key = self.line(self.task.middle(right) if isinstance(self.task, Guess) else right)
        for origin, answer in self.answers:
            line = self.line(answer)
            if line != key or line.startswith("refused"):
                self.rejected += 1
                self.tell(f"{self.task.number}, {origin}, nonce {nonce}: {line!r}; the key: {key!r}")
        self.nonces += 1

    def run(self, nonces: Sequence[int], minutes: float) -> Row:
        """Try nonces, until the minutes of CPU time are spent; gives the row of the table."""
        began = common.cpu_seconds()
        for nonce in nonces:
            if self.nonces >= LEAST and common.cpu_seconds() - began > 60 * minutes:
                break
            self.try_nonce(nonce)
        return {
            "task": self.task.number,
            "title": cells.plain(self.task.title),
            "right_answers": len(self.answers),
            "nonces": self.nonces,
            "checks": self.nonces * len(self.answers),
            "rejected": self.rejected,
            "cpu_minutes": (common.cpu_seconds() - began) / 60,
        }


def solved(number: str) -> dict[str, Any]:
    """Run a solution without its checks, and give all names that are defined then."""
    notebook = nbformat.read(keys.found(ROOT / "solutions")[number], as_version=4)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        label = cells.label(cell)
        is_part = cell.cell_type == "code" and "%" not in cell.source[:1] and "%pip" not in cell.source
        is_shown = "check.show" in cell.source or "check.progress" in cell.source
        if is_part and not is_shown and not (label and label.role == cells.CHECK):
            with contextlib.redirect_stdout(io.StringIO()):
                names = bank.run_cell(cell.source, **names)
    return names


def right_answers(name: str, module: ModuleType) -> Iterator[tuple[Task, list[Answer]]]:
    """The tasks of an exercise with the answers of its solution and its bank."""
    own, answers = solved(module.exercise.number), bank.load(name)
    for task in module.exercise.tasks.values():
        found = [Answer("solution", own[f"my_{task.name}"])]
        for place, source in enumerate(answers.RIGHT[task.name]):
            with contextlib.redirect_stdout(io.StringIO()):
                found.append(Answer(f"bank, row {place}", bank.run_cell(source)[f"my_{task.name}"]))
        yield task, found


def known(options: argparse.Namespace) -> list[Row]:
    """The rows of the run that ``--resume`` goes on with; a `ValueError` says if there are none to go on with."""
    if not options.resume:
        return []
    if options.out is None:
        raise ValueError("--resume needs --out, the file to go on with")
    if not options.out.exists():
        return []
    stored = json.loads(options.out.read_text("utf-8"))
    if stored.get("benchmark") != NAME:
        raise ValueError(f"--resume: {options.out} is no result of {NAME}")
    for name in ("nonces", "minutes", "seeds"):
        if stored["options"][name] != getattr(options, name):
            raise ValueError(
                f"--resume: {options.out} has --{name} {stored['options'][name]}, not {getattr(options, name)}"
            )
    return stored["rows"]


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(QUESTION)
    made.add_argument("--nonces", type=int, default=500, help="nonces for each task")
    made.add_argument(
        "--minutes", type=float, default=10.0, help="of CPU time for each task; a slow one takes fewer nonces"
    )
    made.add_argument("--exercises", nargs="+", help="their numbers, such as 01; all if not given")
    made.add_argument("--resume", action="store_true", help="keep the tasks that stand in --out")
    made.set_defaults(seeds=[0])
    return made


def modules(numbers: Sequence[str] | None) -> Mapping[str, ModuleType]:
    """The modules of checks of these exercises, by name; a `ValueError` says which number there is not."""
    found = registry.modules()
    known_numbers = [module.exercise.number for module in found.values()]
    if unknown := set(numbers or []) - set(known_numbers):
        raise ValueError(
            f"--exercises: some of {', '.join(known_numbers)} were wanted, got {', '.join(sorted(unknown))}"
        )
    return {
        name: module for name, module in found.items() if not numbers or module.exercise.number in numbers
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print and write; returns 1 if a right answer was ever rejected."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        options.nonces, options.exercises = 1, options.exercises or ["08"]
    try:
        check_range("--nonces", options.nonces, 1)
        if not options.minutes > 0:
            raise ValueError(f"--minutes must be above 0, got {options.minutes}")
        chosen, rows = modules(options.exercises), known(options)
    except ValueError as error:
        made.error(str(error))
    done = {row["task"] for row in rows}
    for name, module in chosen.items():
        if done >= module.exercise.tasks.keys():
            continue
        for task, answers in right_answers(name, module):
            if task.number in done:
                continue
            draw = random.Random(f"{options.seeds[0]} {task.number}")
            trial = Trial(task, answers, lambda text: print(text, file=sys.stderr, flush=True))
            rows.append(trial.run([draw.randrange(10**9) for _ in range(options.nonces)], options.minutes))
            print(common.table(rows[-1:], COLUMNS).splitlines()[-1], file=sys.stderr, flush=True)
            common.write(options, NAME, QUESTION, rows)
    total = {"task": "all", "title": f"{len(rows)} tasks", "nonces": None}
    for key in ("right_answers", "checks", "rejected", "cpu_minutes"):
        total[key] = sum(row[key] for row in rows)
    common.finish(options, NAME, QUESTION, rows, medians=[*rows, total], columns=COLUMNS)
    fewer = [row["task"] for row in rows if row["nonces"] < options.nonces]
    if fewer:
        print(f"\nunder fewer than {options.nonces} nonces, since their checks are slow: {', '.join(fewer)}")
    return int(total["rejected"] > 0)


if __name__ == "__main__":
    sys.exit(main())
