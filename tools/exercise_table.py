"""Count what the checks make of the answers in the banks: ``python tools/exercise_table.py [nonce]``.

For each task: right answers accepted, wrong ones caught, and wrong ones called by the name of their mistake
in the catalogue. (Rows of a bank that want "differs", "error" and the like are caught, but have no name.) A
compound is wrong
in more than one way: it must be caught, and not be given a name that is not there.
"""

import contextlib
import io
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests" / "checks"))
from answers import student
from test_banks import MODULES, tables

from diffusion_lab.checks import mistakes
from diffusion_lab.checks.engine import Mistaken


def asked(task, source: str) -> str | None:
    """What the check calls an answer; None if it accepts it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            task(student(source)[f"my_{task.name}"])
    except Mistaken as mistaken:
        return mistaken.name
    return None


def main(nonce: str = "0") -> int:
    """Print the table; returns 1 if a row was not treated as its bank says."""
    columns = (
        "task",
        "right accepted",
        "wrong caught",
        "named",
        "mistakes told apart",
        "compounds not misnamed",
    )
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    sums, wrong = [0] * 8, 0
    for name, module in sorted(MODULES.items(), key=lambda item: item[1].exercise.number):
        bank = tables(name)
        module.begin(nonce)
        for task in module.exercise.tasks.values():
            right = [asked(task, source) is None for source in bank.RIGHT[task.name]]
            said = [(asked(task, source), expected) for expected, source in bank.WRONG[task.name]]
            named = [got == expected for got, expected in said if expected in mistakes.CATALOGUE]
            both = [(asked(task, source), allowed) for allowed, source in bank.COMPOUND.get(task.name, [])]
            fair = [
                got is not None and (got in allowed or got not in mistakes.CATALOGUE) for got, allowed in both
            ]
            caught = [got is not None for got, _ in said]
            apart = len({expected for _, expected in said if expected in mistakes.CATALOGUE})
            counts = [
                sum(right),
                len(right),
                sum(caught),
                len(caught),
                sum(named),
                len(named),
                sum(fair),
                len(fair),
            ]
            sums = [a + b for a, b in zip(sums, counts, strict=True)]
            wrong += counts[::2] != counts[1::2]
            print(line(f"{task.number} {task.title}", counts, apart))
    print(line("**all**", sums, len(mistakes.CATALOGUE)))
    return int(wrong > 0)


def line(title: str, counts: list[int], apart: int) -> str:
    """One row of the table."""
    right, caught, named, fair = (f"{got} of {of}" for got, of in zip(counts[::2], counts[1::2], strict=True))
    return f"| {title} | {right} | {caught} | {named} | {apart} | {fair} |"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
