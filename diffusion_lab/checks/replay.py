"""An answer that ran elsewhere, as a record tells of it, in the place of one that can be called."""

from collections.abc import Callable, Iterable, Sequence

from diffusion_lab.bench import calls, pack
from diffusion_lab.bench.calls import Outcome
from diffusion_lab.bench.pack import Call
from diffusion_lab.bench.record import Unreadable

MOST = 2
"""Of calls with the same arguments no more are made: two tell whether an answer repeats itself."""


class Missing(BaseException):
    """A check wants to know of calls of which a record says nothing; no `Exception`, so that no check catches it."""

    def __init__(self, wanted: Sequence[Call]):
        """Keep them."""
        super().__init__(f"{len(wanted)} calls are not in the record")
        self.calls = list(wanted)


class Recorded:
    """An answer that ran elsewhere: it gives what a record says of a call, and raises `Missing` if that is nothing."""

    def __init__(self):
        """Begin with nothing."""
        self.outcomes: dict[str, list[tuple[Outcome, list[list[tuple]]]]] = {}
        self.turns: dict[str, int] = {}

    def add(self, key: str, outcome: Outcome, notes: list[list[tuple]]) -> None:
        """Add what came of the call with this key, and what each stand-in in its arguments was told."""
        self.outcomes.setdefault(key, []).append((outcome, notes))

    def missing(self, wanted: Iterable[Call]) -> list[Call]:
        """The calls that are not in the record, as often as they are wanted."""
        counts: dict[str, int] = {}
        found = []
        for call in wanted:
            key, _ = pack.identified(call)
            counts[key] = counts.get(key, 0) + 1
            if len(self.outcomes.get(key, ())) < min(counts[key], MOST):
                found.append(call)
        return found

    def outcome(self, args: Sequence, strict: bool = False, same_dice: bool = False) -> Outcome:
        """Give what came of a call, and tell the stand-ins in its arguments what they were told then."""
        call = Call(tuple(args), strict, same_dice)
        key, notes = pack.identified(call)
        turn = self.turns.get(key, 0)
        known = self.outcomes.get(key, [])
        if len(known) < min(turn + 1, MOST):
            raise Missing([call])
        self.turns[key] = turn + 1
        outcome, told = known[turn % len(known)]
        if len(told) != len(notes):
            raise Unreadable("there are notes that no stand-in makes")
        for entries, stand_in in zip(told, notes, strict=True):
            stand_in.entries.extend(entries)
        return outcome


def run(
    function: Callable | Recorded,
    args: Sequence,
    without: Sequence[str] = (),
    strict: bool = False,
    same_dice: bool = False,
) -> Outcome:
    """Call a function as `calls.run` does, or look up what came of it when it was called elsewhere."""
    if isinstance(function, Recorded):
        return function.outcome(args, strict, same_dice)
    return calls.run(function, args, without, strict, same_dice)


def expect(function: Callable | Recorded | None, wanted: Iterable[Call]) -> None:
    """Say which calls are coming, so that a record lacks all of them at once and not one after the other."""
    if isinstance(function, Recorded) and (missing := function.missing(wanted)):
        raise Missing(missing)


def planned(wanted: Iterable[Call]) -> list[Call]:
    """The calls that have to be made."""
    counts: dict[str, int] = {}
    kept = []
    for call in wanted:
        key, _ = pack.identified(call)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST:
            kept.append(call)
    return kept
