"""Mutated notebooks by the thousand: each must give one result, and nothing may be raised or change but the answers.

python tests/grading/fuzz.py --count 1000 --seed 0
"""

import argparse
import collections
import copy
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

from diffusion_lab.grading.answers import extract, graft
from diffusion_lab.grading.keys import Key, answer_cells, explained, load
from diffusion_lab.grading.submissions import Unreadable, read

SOLUTIONS = Path(__file__).parents[2] / "solutions"
SLOW = 5.0  # seconds of one processor for one notebook
JUNK = [
    None,
    True,
    -1,
    1e400,
    float("nan"),
    "",
    "x",
    "\ud800",
    "\0",
    [],
    {},
    [[]],
    [None],
    {"id": {}},
    "# ANSWER 1.2\n",
    ["a", 1, None],
    "answer-1-3",
    "code",
    "a" * 100_000,
    10**30,
    {"id": "answer-1-2"},
]
CODE = [
    "!ls",
    "%%bash\nls",
    "    return 1",
    "def f(:",
    "(" * 3000,
    "# NBVAL_SKIP",
    "# ANSWER 1.3",
    "# ANSWER 9.9",
    "import os",
    "def my_walk(): pass",
    '"""',
    "\\",
    "\x0c# NBVAL_IGNORE_OUTPUT",
    "x = 1\r\ny = 2",
    "-" * 5000,
]


class Result(NamedTuple):
    """What came of one mutated notebook."""

    name: str  # of the kind of mutation
    outcome: str  # unreadable, nothing, some, all
    reason: str
    seconds: float


def _bytes(data: bytes, random: random.Random) -> bytes:
    if not data:
        return bytes(random.randrange(256) for _ in range(20))
    at, length = random.randrange(len(data)), random.choice([1, 4, 50, 2000])
    text = data.decode("utf-8", "replace")
    return random.choice(
        [
            lambda: data[:at],
            lambda: data[at:],
            lambda: data[:at] + data[at + length :],
            lambda: data[:at] + bytes(random.randrange(256) for _ in range(length)) + data[at + length :],
            lambda: data[:at] + data[at : at + length] * 3 + data[at + length :],
            lambda: bytes([data[at] ^ (1 << random.randrange(8))]).join([data[:at], data[at + 1 :]]),
            lambda: data[:at] + b'<<<<<<< HEAD\n"a"\n=======\n"b"\n>>>>>>> theirs\n' + data[at:],
            lambda: text.encode(
                random.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]), "replace"
            ),
            lambda: data.replace(b"\n", b"\r\n"),
            lambda: b"<!DOCTYPE html><html><body>" + data,
            lambda: b"[" * random.choice([10, 100_000]) + data,
            lambda: data.replace(b'"metadata"', b'"metadata": NaN, "metadata"', 1),
            lambda: data + data,
            lambda: b"",
        ]
    )()


def _places(node: object) -> Iterator[tuple]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    for key in keys:
        yield node, key
        yield from _places(node[key])


def _json(data: bytes, random: random.Random) -> bytes:
    notebook = json.loads(data)
    for _ in range(random.choice([1, 1, 3, 20])):
        places = list(_places(notebook))
        if not places:
            break
        node, key = random.choice(places)
        other, other_key = random.choice(places)
        action = random.choice(["junk", "junk", "delete", "copy", "text"])
        if action == "delete":
            del node[key]
        elif action == "text":
            node[key] = json.dumps(node[key])
        else:
            node[key] = (
                copy.deepcopy(random.choice(JUNK))
                if action == "junk"
                else json.loads(json.dumps(other[other_key]))
            )
    deep: object = "x"
    for _ in range(random.choice([0, 0, 0, 300])):
        deep = [deep]
    notebook.setdefault("metadata", deep)
    return json.dumps(notebook).encode("utf-8")


def _structure(data: bytes, random: random.Random) -> bytes:
    notebook = json.loads(data)
    cells = notebook["cells"]
    for _ in range(random.choice([1, 3, 10])):
        answers = [k for k, cell in enumerate(cells) if "ANSWER" in str(cell.get("source"))]
        at = random.choice(random.choice([answers, range(len(cells))]) or [0])
        cell = cells[at] if cells else {"cell_type": "code", "metadata": {}, "source": ""}
        source = "".join(cell["source"])
        lines = source.split("\n")
        cut = random.randrange(len(lines) + 1)
        action = random.randrange(12)
        if action == 0 and cells:
            del cells[at]
        elif action == 1:
            random.shuffle(cells)
        elif action == 2:
            cells.insert(random.randrange(len(cells) + 1), json.loads(json.dumps(cell)))
        elif action == 3:
            cell["source"] = "\n".join(lines[:cut])
            cells.insert(
                at + 1, cell | {"id": f"split-{random.random()}"[:20], "source": "\n".join(lines[cut:])}
            )
        elif action == 4:
            cell["cell_type"] = random.choice(["markdown", "raw", "heading", "code", None, "x", 3])
        elif action == 5:
            cell["id"] = random.choice(["answer-1-2", "check-1-2", "", "a b", None, "x" * 100, 7])
        elif action == 6:
            cell["source"] = "\n".join(lines[1:])
        elif action == 7:
            cell["source"] = "\n".join([*lines[:cut], random.choice(CODE), *lines[cut:]])
        elif action == 8:
            cell["metadata"] = random.choice(
                [{"tags": ["raises-exception", "nbval-skip"]}, {"id": cell.get("id")}, 5]
            )
        elif action == 9:
            stream = {
                "output_type": "stream",
                "name": "stdout",
                "text": ["x\n"] * random.choice([1, 100_000]),
            }
            cell["outputs"] = [stream]
        elif action == 10:
            notebook["nbformat"] = random.choice([2, 3, 5, "4", None])
            if notebook["nbformat"] == 3:
                sheet = [
                    {"cell_type": c.get("cell_type"), "input": c["source"], "outputs": []} for c in cells
                ]
                return json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": sheet}]}).encode()
        else:
            cell.pop(random.choice(["id", "metadata", "source", "cell_type", "outputs"]), None)
            cell.setdefault("source", "")
    return json.dumps(notebook, indent=random.choice([None, 1])).encode("utf-8")


MUTATIONS = {"bytes": _bytes, "json": _json, "structure": _structure}


def mutants(key: Key, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutated notebooks with the name of the kind of mutation, the same for the same seed."""
    solved = nbformat.writes(key.solution).encode("utf-8")
    for number in range(count):
        dice = random.Random(f"{seed}/{number}")
        name = dice.choice(list(MUTATIONS))
        yield name, MUTATIONS[name](solved, dice)


def examine(name: str, data: bytes, key: Key) -> Result:
    """Read, extract and graft one notebook; an `AssertionError` says what is not as it must be."""
    begin = time.process_time()
    try:
        notebook = read(data)
    except Unreadable as unreadable:
        reason = str(unreadable)
        assert reason
        assert "\n" not in reason
        assert len(reason) < 200
        return Result(name, "unreadable", reason, time.process_time() - begin)
    answers = extract(notebook, key)
    grafted = graft(key.solution, answers)
    seconds = time.process_time() - begin
    nbformat.validate(notebook)
    nbformat.validate(grafted)
    nbformat.writes(grafted).encode("utf-8")
    assert answers.how.keys() == answer_cells(key.blank).keys()
    assert answers.sources.keys() == {
        task for task, how in answers.how.items() if how not in ("blank", "missing")
    }
    assert all(isinstance(note, str) for note in answers.notes)
    pristine = graft(key.solution, answers._replace(sources={}))
    changed = {cell.id for cell, old in zip(grafted.cells, pristine.cells, strict=True) if cell != old}
    read_by_human = explained(pristine)
    runs = {cell.id for task, cell in answer_cells(pristine).items() if task not in read_by_human}
    assert changed <= runs
    for cell, old in zip(grafted.cells, pristine.cells, strict=True):
        assert "NBVAL_" not in cell.source
        assert cell | {"source": ""} == old | {"source": ""}
    found = len(answers.sources)
    outcome = "nothing" if not found else "all" if found == len(key.tasks) else "some"
    return Result(name, outcome, "", seconds)


def grade(count: int, seed: int) -> int:
    """Grade so many mutants as a class, kernels and all, and count the rows.

    1 if one is lost, double or an error.
    """
    key = load("01", SOLUTIONS)
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        source, out = Path(folder, "class"), Path(folder, "grades")
        source.mkdir()
        for number, (_, data) in enumerate(mutants(key, seed, count)):
            place = source / f"student{number:04}"
            place.mkdir()
            (place / "01_forward_noising.ipynb").write_bytes(data)
        command = [
            sys.executable,
            "-m",
            "diffusion_lab",
            "grade",
            str(source),
            "--out",
            str(out),
            "--exercise",
            "01",
        ]
        done = subprocess.run(command, cwd=SOLUTIONS.parent, capture_output=True, text=True, check=False)
        with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    statuses = collections.Counter(row["status"] for row in rows)
    students = collections.Counter(row["student"] for row in rows)
    twice = [student for student, times in students.items() if times > 1]
    print(f"exit code {done.returncode}; {len(rows)} rows of {count}, {len(twice)} double; {dict(statuses)}")
    return int(done.returncode != 0 or len(rows) != count or bool(twice) or "GRADER-ERROR" in statuses)


def main() -> int:
    """Run it and print what came out; 1 if something was raised, lost or slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--grade", action="store_true", help="grade them as a class, with kernels; takes long"
    )
    arguments = parser.parse_args()
    if arguments.grade:
        return grade(arguments.count, arguments.seed)
    key = load("01", SOLUTIONS)
    outcomes, reasons, slowest, failed = collections.Counter(), collections.Counter(), 0.0, 0
    for number, (name, data) in enumerate(mutants(key, arguments.seed, arguments.count)):
        try:
            result = examine(name, data, key)
        except Exception as error:
            failed += 1
            print(f"number {number} ({name}): {type(error).__name__}: {str(error)[:200]}")
            continue
        outcomes[result.name, result.outcome] += 1
        reasons[result.reason.split("(")[0]] += bool(result.reason)
        slowest = max(slowest, result.seconds)
    for (name, outcome), times in sorted(outcomes.items()):
        print(f"{name:10} {outcome:11} {times}")
    print(*(f"{times:4} {reason}" for reason, times in reasons.most_common() if times), sep="\n")
    print(
        f"{sum(outcomes.values())} results of {arguments.count}, {failed} failed, the slowest took"
        f" {slowest:.2f} s"
    )
    return int(failed > 0 or slowest > SLOW or sum(outcomes.values()) != arguments.count)


if __name__ == "__main__":
    raise SystemExit(main())
