"""Ask every row of the banks live and through its record: is what a check says of it the same?

``python -m tools.record_fidelity --nonces 3`` prints a line for every task, and ends with 1 if anything differs.
"""

import argparse
import collections
import contextlib
import io
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from diffusion_lab.bench import harnesses, pack, record
from diffusion_lab.checks import bank, judging, registry
from diffusion_lab.checks.engine import Task
from diffusion_lab.checks.judging import Plan, Round, Verdict
from diffusion_lab.checks.mistakes import Unsolved

ROUNDS = 30
"""How often a check may want to know more about one answer."""


class Difference(NamedTuple):
    """What a check says live, and what it says of the record."""

    source: str
    live: str
    recorded: str


def rows(name: str, task: Task) -> Iterator[str]:
    """All answers to a task that its bank has."""
    answers = bank.load(name)
    yield from answers.RIGHT[task.name]
    for table in ("WRONG", "COMPOUND"):
        yield from (source for _, source in getattr(answers, table).get(task.name, []))


def said_live(task: Task, answer) -> str:
    """What a check says of an answer that it calls itself."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return task.line(answer)
    except Unsolved as unsolved:
        return str(unsolved)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def said_of_record(task: Task, answer, plan: Plan) -> tuple[str, int, int]:
    """What it says of the record of an answer; how many rounds that took, and how many bytes there are."""
    prepare = harnesses.named(plan.prepare) if plan.prepare else None
    if plan.calls is None:
        rounds = [Round([], record.kept_numbers(answer))]
    else:
        rounds = [Round(plan.keys, record.kept(answer, plan.calls, prepare, plan.without))]
    while True:
        verdict = judging.judge(task, rounds)
        if not verdict.calls:
            size = sum(len(one.record) for one in rounds)
            return _text(verdict), len(rounds), size
        if len(rounds) == ROUNDS:
            return f"it wants to know more after {ROUNDS} rounds", len(rounds), 0
        made = pack.packed(verdict.calls)
        rounds.append(Round(verdict.keys, record.kept(answer, made, prepare, plan.without)))


def _text(verdict: Verdict) -> str:
    return verdict.line or "\n".join(verdict.lines)


def compare(
    name: str, task: Task, nonce: int | str, every: int = 1
) -> tuple[collections.Counter, list[Difference]]:
    """Compare all rows of a task, or every so many, under a nonce."""
    task.exercise.begin(nonce)
    task.exercise.remembered = {}
    counts, differences = collections.Counter(), []
    try:
        began = time.process_time()
        plan = judging.plan(task)
        counts["plan ms"] = round(1000 * (time.process_time() - began))
        counts["calls"], counts["plan kB"] = len(plan.calls or ()), sum(map(len, plan.calls or ())) // 1000
        for source in list(rows(name, task))[::every]:
            answers = [bank.run_cell(source)[f"my_{task.name}"] for _ in range(2)]
            live = said_live(task, answers[0])
            said, rounds, size = said_of_record(task, answers[1], plan)
            counts["rows"] += 1
            counts["more than one round"] += rounds > 1
            counts["rounds"] = max(counts["rounds"], rounds)
            counts["record kB"] = max(counts["record kB"], size // 1000)
            if live != said:
                differences.append(Difference(source, live, said))
    finally:
        task.exercise.remembered = None
    return counts, differences


def main() -> int:
    """Print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exercises", nargs="*", help="such as forward_noising; all if none is named")
    parser.add_argument("--nonces", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="of each task, only every so many rows")
    parser.add_argument("--show", type=int, default=2, help="differences of a task that are shown")
    options = parser.parse_args()
    torch.set_num_threads(1)
    total = collections.Counter()
    for name, module in registry.modules().items():
        if options.exercises and name not in options.exercises:
            continue
        for task in module.exercise.tasks.values():
            for nonce in range(1, 1 + options.nonces):
                counts, differences = compare(name, task, nonce, options.every)
                total.update(rows=counts["rows"], different=len(differences))
                facts = ", ".join(f"{what} {number}" for what, number in counts.items())
                print(
                    f"{task.number:5} {task.name:20} nonce {nonce}: {facts}; differ {len(differences)}",
                    flush=True,
                )
                for difference in differences[: options.show]:
                    print(*(text[:400] for text in difference), sep="\n   -- ")
    print(dict(total))
    return int(total["different"] > 0)


if __name__ == "__main__":
    sys.exit(main())
