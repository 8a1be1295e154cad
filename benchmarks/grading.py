"""How long does grading a class take, how much memory, and does the same class always get the same scores?

A class is made up of answers to an exercise that students would give, right and wrong, from the banks in
``diffusion_lab/checks/bank``, and graded by ``diffusion-lab grade`` as an instructor would, in a process of its own.
"""

import argparse
import contextlib
import csv
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat

from benchmarks import common
from benchmarks.common import Row
from diffusion_lab.checks import bank, registry
from diffusion_lab.grading import keys
from diffusion_lab.shapes import check_range

NAME = "grading"
QUESTION = "How long does it take to grade a class, and does the same class always get the same scores?"
ROOT = Path(__file__).parents[1]
COLUMNS = {
    "students": "",
    "jobs": "",
    "graded": "",
    "seconds": ".0f",
    "cpu_seconds": ".0f",
    "seconds_each": ".2f",
    "peak_mib_per_job": ".0f",
    "mean_score": ".2f",
    "same_scores": "",
}


def answers_of(exercise: str) -> dict[str, list[str]]:
    """Answers to each task of an exercise, right ones and wrong ones, and "" for a blank."""
    name, module = next(
        (name, module) for name, module in registry.modules().items() if module.exercise.number == exercise
    )
    answers = bank.load(name)
    return {
        task.number: [*answers.RIGHT[task.name], *(source for _, source in answers.WRONG[task.name]), ""]
        for task in module.exercise.tasks.values()
    }


def make_class(folder: Path, students: int, exercise: str, seed: int) -> None:
    """Write a notebook for each student, whose answers are drawn from the bank.

    Half of them are the key's own.
    """
    solutions, draw = ROOT / "solutions", random.Random(seed)
    key, answers = keys.load(exercise, solutions), answers_of(exercise)
    own = {number: cell.source for number, cell in keys.answer_cells(key.solution).items()}
    name = keys.found(solutions)[exercise].name
    for student in range(students):
        notebook = nbformat.from_dict(key.blank)
        for number, cell in keys.answer_cells(notebook).items():
            choice = draw.choice(answers.get(number, [""]))
            if draw.random() < 0.5:
                cell.source = own[number]
            elif choice:
                cell.source = f"# ANSWER {number}\n{choice.strip()}"
        place = folder / f"student_{student:03}" / name
        place.parent.mkdir(parents=True)
        nbformat.write(notebook, place)


def _tree(root: int) -> list[int]:
    """The processes that come from one, itself included."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += [pid for pid, parent in parents.items() if parent == found[-1]]
    return found


def memory_mib(root: int) -> float:
    """Memory of a process and all that come from it, MiB.

    What several share is counted once (Linux; 0 elsewhere).
    """
    total = 0
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def grade(submissions: Path, out: Path, exercise: str, jobs: int) -> Row:
    """Grade a class, and measure: wall and CPU seconds of everything that was started, and the peak of memory."""
    command = [
        sys.executable,
        "-m",
        "diffusion_lab",
        "grade",
        str(submissions),
        "--out",
        str(out),
        "--exercise",
        exercise,
        "--jobs",
        str(jobs),
    ]
    before, began = os.times(), time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            peak[0] = max(peak[0], memory_mib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        printed = process.communicate()[1]
    finally:
        over.set()
        watcher.join()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"grade ended with {process.returncode}: {printed[-2000:]}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    rows = list(csv.DictReader((out / "grades.csv").open(encoding="utf-8", newline="")))
    seconds = time.monotonic() - began
    return {
        "jobs": jobs,
        "students": len(rows),
        "graded": sum(row["status"] == "graded" for row in rows),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "seconds_each": seconds / max(1, len(rows)),
        "peak_mib_per_job": peak[0] / jobs,
        "mean_score": sum(float(row["score"] or 0) for row in rows) / len(rows),
        "scores": {row["student"]: [row["status"], row["score"]] for row in rows},
    }


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(QUESTION)
    made.add_argument("--students", type=int, nargs="+", default=[30], help="sizes of the class")
    made.add_argument("--jobs", type=int, nargs="+", default=[2], help="submissions at a time")
    made.add_argument("--exercise", default="01", help="its number")
    made.set_defaults(repeats=1)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns 1 if the same class got other scores in another run."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        options.students, options.jobs, options.repeats = [2], [1], 1
    try:
        check_range("--students", min(options.students), 1)
        check_range("--jobs", min(options.jobs), 1)
    except ValueError as error:
        made.error(str(error))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="class") as folder:
        for size in options.students:
            place = Path(folder, f"of_{size}")
            make_class(place, size, options.exercise, options.seeds[0])
            for jobs in options.jobs:
                for _ in range(options.repeats):
                    row = grade(place, Path(folder, f"grades_{len(rows)}"), options.exercise, jobs)
                    first = next((other for other in rows if other["students"] == size), row)
                    row["same_scores"] = "yes" if row["scores"] == first["scores"] else "NO"
                    rows.append(row)
                    print(common.table([row], COLUMNS).splitlines()[-1], file=sys.stderr, flush=True)
    for row in rows[1:]:
        if row["same_scores"] == "yes":
            row["scores"] = "as in the first run of this class"
    common.finish(options, NAME, QUESTION, rows, columns=COLUMNS)
    return 0 if all(row["same_scores"] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
