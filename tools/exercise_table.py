"""Count what the checks make of the answers in the banks: ``python tools/exercise_table.py [nonce]``.

For each task: right answers accepted, wrong ones caught, and wrong ones called by the name of their mistake in the
catalogue. (Rows of a bank that want "differs", "error" and the like are caught, but have no name.) A compound is
wrong in more than one way: it must be caught, and not be given a name that is not there.

And what a task declares: right ways, the mistakes it knows, the general ones that are tried on it, the arguments that
no general one changes (and why not: `transformations.LEFT_AS_THEY_ARE`), and the ends of its statement that its cases
have. General ones of a guess are slips, such as percent. A task whose `prepare` calls the answer with other arguments
than those of the cases has none.
"""

import contextlib
import io
import sys
from types import ModuleType
from typing import NamedTuple

from diffusion_lab.checks import bank, cells, mistakes, registry, transformations
from diffusion_lab.checks.engine import SLIPS, Guess, Mistaken, Task

COLUMNS = (
    "task",
    "right accepted",
    "wrong caught",
    "named",
    "mistakes told apart",
    "compounds not misnamed",
    "right ways",
    "mistakes known",
    "general ones tried",
    "arguments left as they are",
    "ends",
)


class Share(NamedTuple):
    """How many answers were treated as their bank says, of how many."""

    good: int
    all: int

    @classmethod
    def of(cls, outcomes: list[bool]) -> "Share":
        """Count what is true."""
        return cls(sum(outcomes), len(outcomes))


def verdict(task: Task, source: str) -> str | None:
    """What the check calls an answer; None if it accepts it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            task(bank.run_cell(source)[f"my_{task.name}"])
    except Mistaken as mistaken:
        return mistaken.name
    return None


def shares(task: Task, answers: ModuleType) -> tuple[list[Share], int]:
    """Try all answers to a task: the shares of the table's columns, and how many mistakes were to be told apart."""
    wrong = [(verdict(task, source), expected) for expected, source in answers.WRONG[task.name]]
    compound = [(verdict(task, source), allowed) for allowed, source in answers.COMPOUND.get(task.name, [])]
    named = [(name, expected) for name, expected in wrong if expected in mistakes.CATALOGUE]
    columns = [
        Share.of([verdict(task, source) is None for source in answers.RIGHT[task.name]]),
        Share.of([name is not None for name, _ in wrong]),
        Share.of([name == expected for name, expected in named]),
        Share.of(
            [
                name is not None and (name in allowed or name not in mistakes.CATALOGUE)
                for name, allowed in compound
            ]
        ),
    ]
    return columns, len({expected for _, expected in named})


def declared(task: Task) -> list[int]:
    """How many right ways, mistakes, general mistakes and ends a task has."""
    known = {name for name, *_ in [*task.wrongs, *task.probes]}
    general = SLIPS if isinstance(task, Guess) else list(task.transformations())
    return [len(task.rights), len(known), len(general), len(task.ends)]


def left_as_they_are(task: Task) -> str:
    """The arguments of a task that no general mistake changes."""
    if isinstance(task, Guess):
        return "–"
    if not task.inputs_are_shown:
        return "all"
    given = next(iter(task.make_cases(task._draw())))
    changed = transformations.changed_arguments(task.arguments, given)
    return ", ".join(name for name, number in changed.items() if not number) or "none"


def line(title: str, columns: list[Share], apart: int, counts: list[int], left: str) -> str:
    """One row of the table."""
    numbers = [*counts[:-1], left, counts[-1]]
    right, caught, named, fair = (f"{share.good} of {share.all}" for share in columns)
    return f"| {title} | {right} | {caught} | {named} | {apart} | {fair} | {' | '.join(map(str, numbers))} |"


def main(nonce: str = "0") -> int:
    """Print the table; returns 1 if a row was not treated as its bank says."""
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    total, sums = [Share(0, 0)] * 4, [0] * 4
    for name, module in registry.modules().items():
        module.begin(nonce)
        for task in module.exercise.tasks.values():
            columns, apart = shares(task, bank.load(name))
            total = [Share(a.good + b.good, a.all + b.all) for a, b in zip(total, columns, strict=True)]
            counts = declared(task)
            sums = [a + b for a, b in zip(sums, counts, strict=True)]
            print(
                line(
                    f"{task.number} {cells.plain(task.title)}", columns, apart, counts, left_as_they_are(task)
                )
            )
    print(line("**all**", total, len(mistakes.CATALOGUE), sums, ""))
    return int(any(share.good < share.all for share in total))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
