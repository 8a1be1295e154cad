"""Does a right answer ever lose a point by the luck of the draw? ``python tools/nonce_trial.py [COUNT] [EXERCISE …]``.

Every right answer of the banks is checked under so many nonces, drawn at random, and has to print what the key
prints. It prints a line per task, and ends with 1 if an answer ever printed anything else or was refused.
"""

import contextlib
import io
import random
import sys
import time
from typing import Any

import torch

from diffusion_lab.checks import bank, cells, registry
from diffusion_lab.checks.engine import Guess, Task, Unsolved


def printed(task: Task, answer: Any) -> str:
    """What the check prints, or why it refuses."""
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            task(answer)
    except Unsolved as unsolved:
        return f"refused: {unsolved}"
    return "\n".join(
        line for line in text.getvalue().splitlines() if line.startswith(f"{task.number} solved")
    )


def lost_points(task: Task, sources: list[str], nonce: int) -> int:
    """How many right answers print anything else than the key under a nonce; each is shown on stderr."""
    task.exercise.begin(nonce)
    right, lost = task.rights[""], 0
    key = printed(task, task.middle(right) if isinstance(task, Guess) else right)
    for source in sources:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = bank.run_cell(source)[f"my_{task.name}"]
        line = printed(task, answer)
        if line != key or not key:
            lost += 1
            print(
                f"{task.number}, nonce {nonce}: {line!r} is not {key!r}\n{source}",
                file=sys.stderr,
                flush=True,
            )
    return lost


def main(arguments: list[str]) -> int:
    """Try, and print."""
    torch.set_num_threads(1)
    count, numbers = int((arguments or ["500"])[0]), arguments[1:]
    draw, total_lost, total = random.Random(time.time()), 0, 0
    print(
        "| task | right answers | nonces | checks | printed other than the key |\n| --- | --- | --- | --- |"
        " --- |",
        flush=True,
    )
    for name, module in registry.modules().items():
        if numbers and module.exercise.number not in numbers:
            continue
        for task in module.exercise.tasks.values():
            sources = bank.load(name).RIGHT[task.name]
            lost = sum(lost_points(task, sources, draw.randrange(10**9)) for _ in range(count))
            checks = count * len(sources)
            print(
                f"| {task.number} {cells.plain(task.title)} | {len(sources)} | {count} | {checks} | {lost} |",
                flush=True,
            )
            total_lost, total = total_lost + lost, total + checks
    print(f"| **all** | | | {total} | {total_lost} |")
    return int(total_lost > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
