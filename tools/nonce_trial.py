"""Does a right answer ever lose a point by the luck of the draw? ``python tools/nonce_trial.py [COUNT] [EXERCISE …]``.

Every right answer of the banks is checked under so many nonces, drawn at random, and has to print what the
key prints. It prints a line per task, and ends with 1 if an answer ever printed anything else or was refused.
"""

import contextlib
import io
import random
import sys
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parent.parent / "tests" / "checks"))
from answers import student
from test_banks import MODULES, tables

from diffusion_lab.checks.engine import Guess, Unsolved


def said(task, answer) -> str:
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


def main(arguments: list[str]) -> int:
    """Try, and print."""
    torch.set_num_threads(1)
    count, wanted = int((arguments or ["500"])[0]), arguments[1:]
    draw, bad, all_of_them = random.Random(time.time()), 0, 0
    print(
        "| task | right answers | nonces | checks | printed other than the key |\n| --- | --- | --- | --- |"
        " --- |",
        flush=True,
    )
    for name, module in sorted(MODULES.items(), key=lambda item: item[1].exercise.number):
        if wanted and str(module.exercise.number).zfill(2) not in wanted:
            continue
        bank = tables(name)
        for task in module.exercise.tasks.values():
            lost = 0
            for _ in range(count):
                nonce = draw.randrange(10**9)
                module.begin(nonce)
                key = said(task, task.middle(task.rights[""]) if isinstance(task, Guess) else task.rights[""])
                for source in bank.RIGHT[task.name]:
                    with contextlib.redirect_stdout(io.StringIO()):
                        answer = student(source)[f"my_{task.name}"]
                    if (got := said(task, answer)) != key or not key:
                        lost += 1
                        print(
                            f"{task.number}, nonce {nonce}: {got!r} is not {key!r}\n{source}",
                            file=sys.stderr,
                            flush=True,
                        )
            checks = count * len(bank.RIGHT[task.name])
            print(
                f"| {task.number} {task.title} | {len(bank.RIGHT[task.name])} | {count} | {checks} |"
                f" {lost} |",
                flush=True,
            )
            bad, all_of_them = bad + lost, all_of_them + checks
    print(f"| **all** | | | {all_of_them} | {bad} |")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
