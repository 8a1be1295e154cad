"""Judging an answer from the record of what it did, with the checks that a student's own notebook has.

A `Plan` says which calls are to be made, and `judge` what a check says of the rounds of calls that were made. A check
may want to know more than could be planned, such as whether an answer repeats itself; then its verdict says what.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from diffusion_lab.bench import harnesses, pack, record
from diffusion_lab.bench.pack import Call
from diffusion_lab.bench.record import Unreadable
from diffusion_lab.checks.engine import Guess, Task
from diffusion_lab.checks.mistakes import Unsolved
from diffusion_lab.checks.replay import Missing, Recorded, planned

UNREADABLE, BROKEN = "no-record", "check-failed"
"""How it is called if the record of an answer cannot be read, and if the check itself ends with an error."""


class Plan(NamedTuple):
    """What is to be done with an answer to a task; `calls` is None if it is an answer in numbers."""

    number: str
    name: str
    prepare: str  # the harness, by its name in `bench`; "" if there is none
    without: Sequence[str]
    calls: list[bytes] | None
    keys: list[str]


class Round(NamedTuple):
    """Calls that were made, by their keys, and the record of them."""

    keys: Sequence[str]
    record: str


class Verdict(NamedTuple):
    """What a check says: the line of a solved task; else why it is not solved, or which calls it has to see first."""

    line: str = ""
    name: str = ""
    lines: Sequence[str] = ()
    calls: Sequence[Call] = ()

    @property
    def keys(self) -> list[str]:
        """The keys of the calls that are missing."""
        return [pack.identified(call)[0] for call in self.calls]


def plan(task: Task) -> Plan:
    """Plan the calls of a task under the nonce of its exercise."""
    if isinstance(task, Guess):
        return Plan(task.number, task.name, "", (), None, [])
    calls = planned(task.planned())
    keys = [pack.identified(call)[0] for call in calls]
    prepare = harnesses.name_of(task.prepare) if task.prepare else ""
    return Plan(task.number, task.name, prepare, tuple(task.without), pack.packed(calls), keys)


def judge(task: Task, rounds: Iterable[Round]) -> Verdict:
    """Say what the check of a task says of what an answer did.

    Never raises for what stands in a record. A check that ends with an error is at fault itself, and wants a human.
    """
    try:
        return Verdict(task.line(_answer(task, rounds)))
    except Unreadable as error:
        text = f"{UNREADABLE}: what was written down of the answer cannot be read: {error}"
        return Verdict(name=UNREADABLE, lines=[text])
    except Unsolved as unsolved:
        return Verdict(name=unsolved.name, lines=str(unsolved).split("\n"))
    except Missing as missing:
        return Verdict(calls=missing.calls)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Verdict(name=BROKEN, lines=[f"{BROKEN}: the check itself ended with {text}"])


def _answer(task: Task, rounds: Iterable[Round]):
    """What stands for the answer in the check."""
    recorded = Recorded()
    for one in rounds:
        told = record.read(one.record, None if isinstance(task, Guess) else len(one.keys))
        if not isinstance(told, list):
            return told
        for key, (outcome, notes) in zip(one.keys, told, strict=True):
            recorded.add(key, outcome, notes)
    return recorded
