"""What a task of an exercise is, and how an answer to it is checked.

A module per exercise declares an `Exercise` and its tasks. The function under ``@exercise.task(...)`` is the right
answer, and its name becomes the check: ``check.forward_step(my_forward_step)``. Around it stand the inputs to
try (`cases`), what else is right (`also`), what is wrong and how it is called (`wrong`, `probe`), what must
hold (`holds`), and the `numbers` to print on success: the student's own function computes them, on inputs drawn
under a nonce.

Number, title, points, section and hints of a task stand in its decorator and nowhere else: `build` writes them
into the notebooks.
"""

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch

from diffusion_lab import progress
from diffusion_lab.bench import calls
from diffusion_lab.bench.calls import Outcome, Replayed, Unusable
from diffusion_lab.bench.pack import Call
from diffusion_lab.bench.values import Given, given
from diffusion_lab.checks import cards, cells, ends, outcomes, transformations
from diffusion_lab.checks.ends import BATCH_OF_ONE, End
from diffusion_lab.checks.mistakes import CATALOGUE, Mistaken, NotAttempted, Unsolved
from diffusion_lab.checks.outcomes import (
    TOLERANCE,
    Draw,
    aligned,
    describe,
    number_text,
    numbers_text,
    same,
)
from diffusion_lab.checks.replay import Recorded, expect, run

_IGNORED = {
    "t": "ignores-t",
    "labels": "ignores-label",
    "eta": "ignores-eta",
    "mask": "ignores-mask",
    "temperature": "ignores-temperature",
    "probability": "ignores-probability",
}
"""What it is called if an answer does not change with one of these."""


_NETWORKS = ("model", "network", "student", "target", "teacher")
"""What networks are called among the arguments."""


def _listed(names: Sequence[str], word: str = "and") -> str:
    """Names as code, with a word before the last one."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} {word} {last}" if others else last


def _tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class Task:
    """A task that is answered by a function; see the module's docstring for what its methods declare."""

    meaning = (
        "Your function computed these numbers from inputs that were drawn for this check. Every right answer gives"
        " the same ones."
    )
    """What the numbers are that are shown when it is solved."""

    def __init__(
        self,
        exercise: "Exercise",
        number: str,
        title: str,
        points: int,
        section: str,
        right: Callable,
        hints: Sequence[str] = (),
        prepare: Callable | None = None,
        tolerance: float = TOLERANCE,
        results: Sequence[str] = (),
        without: Sequence[str] = (),
        may_change: Sequence[str] = (),
        ends: Sequence[End] = (),
        inputs_are_shown: bool = True,
        conclude: Callable | None = None,
    ):
        """Keep all; `prepare` turns an answer into a function like the right one, or a guess's numbers into others.

        Where it adds to the one tensor of an answer, such as gradients, `results` are the names of all. `without`
        are helpers that the statement forbids, such as "diffusion_lab.process:split", and `may_change` the
        arguments that an answer is free to change; all others it has to leave as they are. `ends` are those of
        what the statement allows, and each of them occurs in the cases. `inputs_are_shown` is false where a
        `prepare` calls the answer with others than those of the cases.

        A `prepare` runs beside the answer, so it stands in `bench` and knows nothing that is right. `conclude` makes
        of what it gives, as a function, what is compared; see `_called` for how that function ends.
        """
        self.exercise, self.number, self.title, self.points = exercise, number, title, points
        self.section, self.hints, self.prepare, self.tolerance = section, hints, prepare, tolerance
        self.results, self.without, self.may_change, self.ends = results, without, may_change, ends
        self.inputs_are_shown, self.conclude = inputs_are_shown, conclude
        self.__doc__, self.name = right.__doc__, right.__name__
        self.rights: dict[str, Callable] = {"": right}
        self.wrongs: list[tuple[str, str, Any]] = []
        self.probes: list[tuple[str, str, Callable, bool]] = []
        self.properties: list[Callable] = []
        self.places: dict[str, tuple[str, str]] = {}  # lesson and section of sentences that have their own
        self.make_cases, self.make_numbers = None, None

    def cases(self, make: Callable) -> None:
        """Declare the inputs: a generator function of a `Draw` that yields tuples of arguments."""
        self.make_cases = make

    def numbers(self, make: Callable) -> None:
        """Declare what to print: a function (answer, draw) -> {label: number}, the same for every right answer."""
        self.make_numbers = make

    def also(self, name: str) -> Callable:
        """Declare another right answer; `progress` says which was used."""
        return lambda right: self.rights.setdefault(name, right)

    def wrong(
        self, name: str, *formulas: Callable, sentence: str = "", at: tuple[str, str] | None = None
    ) -> None:
        """Declare the wrong formulas that a mistake of the catalogue comes down to, and another sentence.

        `at` is the lesson and section that treat *that sentence*, where neither the mistake's nor the task's
        does.
        """
        sentence = sentence or CATALOGUE[name].sentence
        self.places |= {sentence: at} if at else {}
        self.wrongs += [(name, sentence, formula) for formula in formulas]

    def probe(
        self, name: str, sentence: str = "", always: bool = False, at: tuple[str, str] | None = None
    ) -> Callable:
        """Declare (answer, draw) -> bool, true if it makes the mistake; `at` is as for `wrong`.

        `always`: even where its numbers are right.
        """
        sentence = sentence or CATALOGUE[name].sentence
        self.places |= {sentence: at} if at else {}
        return lambda probe: self.probes.append((name, sentence, probe, always))

    def holds(self, find: Callable) -> None:
        """Declare (answer, draw) -> a sentence on what does not hold of the answer, or None."""
        self.properties.append(find)

    def __call__(self, answer: Any) -> None:
        """Check an answer: show one line, or its card, if it is right; else raise `NotAttempted` or `Mistaken`."""
        try:
            with calls.torch_as_before(), calls.dice_as_before():
                used, numbers = self._check(answer)
        except Unsolved as unsolved:
            blank = isinstance(unsolved, NotAttempted)
            self.exercise.states[self.number] = "not attempted" if blank else f"wrong: {unsolved.name}"
            if not blank:
                progress.note_task(self.number, self.exercise.states[self.number], self.points)
            raise unsolved from None
        self.exercise.states[self.number] = "solved" + (f" ({used})" if used else "")
        progress.note_task(self.number, "solved", self.points)
        shown = {label: number_text(value) for label, value in numbers.items()}
        cards.show(cards.solved(self.number, self.points, shown, self.meaning), self._solved_line(numbers))

    def line(self, answer: Any) -> str:
        """Give the line of a right answer, which may be one that a record tells of; else raise as a check does."""
        return self._solved_line(self._check(answer)[1])

    def expected_line(self) -> str:
        """Give the line that every right answer prints under the nonce of the exercise."""
        return self._solved_line(self._steady_numbers()[1])

    def _solved_line(self, numbers: dict[str, float]) -> str:
        return cells.solved(self.number, self.points) + numbers_text(numbers)

    def _draw(self, *key) -> Draw:
        return Draw(self.exercise.nonce, self.number, *key)

    def _blank(self, text: str) -> NotAttempted:
        return NotAttempted(
            f"{self.number} not attempted yet",
            text,
            f'For a hint: check.hint("{self.number}")',
            card=functools.partial(cards.blank, self.number, text, self.hints),
        )

    def _mistaken(self, name: str, text: str, *details: str, printed: str = "") -> Mistaken:
        lesson, title = section = self._where_to_read(name, text)
        pointer = f'Read again: lesson {lesson}, section "{title}". For a hint: check.hint("{self.number}")'
        output = [f"Your code printed: {printed.strip()[:500]}"] if printed.strip() else []
        lines = [*filter(None, details), *output]
        card = functools.partial(cards.wrong, self.number, name, text, lines, section, self.hints)
        return Mistaken(name, text, *lines, pointer, card=card)

    def _where_to_read(self, name: str, text: str) -> tuple[str, str]:
        """The lesson and section of a sentence, else of its mistake, else of this task.

        A lesson that is still to come is never named, nor an earlier one for a sentence of this task's own.
        """
        if text in self.places:
            return self.places[text]
        mistake, lesson = CATALOGUE.get(name), self.exercise.number
        if (
            mistake
            and mistake.lesson
            and (mistake.lesson == lesson or (mistake.lesson < lesson and text == mistake.sentence))
        ):
            return mistake.lesson, mistake.section
        return lesson, self.section

    @property
    def arguments(self) -> list[str]:
        """The names of what an answer is given."""
        return list(inspect.signature(self.rights[""]).parameters)

    def ends_of(self, args: Sequence) -> list[End]:
        """Which of the ends that the task declares a case has."""
        given = dict(zip(self.arguments, args, strict=True))
        return [end for end in self.ends if end.is_in(given)]

    def _error(self, outcome: Outcome, args: Sequence) -> Mistaken:
        error, names = outcome.error, self.arguments
        if error.helper:
            text = f"`{error.helper}` was called, which this task wants you to do without: write it yourself"
            return self._mistaken("used-the-package", text, printed=outcome.printed)
        text = f"{error.kind}: {error.message[:300]}"
        called = f"when it was called with ({', '.join(names)})" if self.inputs_are_shown else ""
        where = error.where or called
        return self._mistaken("error", text, where, self._given(args), printed=outcome.printed)

    def _given(self, args: Sequence) -> str:
        """Say what an answer was given; "" if that is not what the statement speaks of."""
        given = [f"{name} = {describe(value)}" for name, value in zip(self.arguments, args, strict=False)]
        return f"It was given {', '.join(given)}" if self.inputs_are_shown else ""

    def _student(
        self, answer: Callable | Recorded, without: Sequence[str] = (), same_dice: bool = False
    ) -> Callable:
        """The answer as the numbers, probes and properties may call it: clones in, float64 tensors out."""

        def call(*args):
            outcome = run(answer, args, without, same_dice=same_dice)
            if outcome.error:
                raise self._error(outcome, args)
            if outcome.problem:
                raise self._mistaken(*outcome.problem, printed=outcome.printed)
            tensors = outcome.tensors
            if len(tensors) > 1 and self._wants_one_tensor:
                tensors = outcomes.stacked(tensors)
            return tensors[0] if len(tensors) == 1 else tensors

        call.answer, call.without = answer, without
        return call

    def _called(self, answer: Callable | Recorded, without: Sequence[str]) -> Callable:
        """An answer for `conclude` to call: one tensor or several, or None; its own errors come as `Replayed`."""

        def call(*args):
            outcome = run(answer, args, without)
            print(outcome.printed, end="")
            if outcome.error:
                raise Replayed(outcome.error)
            if outcome.problem:
                raise TypeError(outcome.problem[1])
            if outcome.left_gradients_off:
                torch.set_grad_enabled(False)
            if outcome.is_empty:
                return None
            return outcome.tensors[0] if len(outcome.tensors) == 1 else outcome.tensors

        return call

    def _function(self, answer: Any) -> tuple[Callable | Recorded, Sequence[str]]:
        """What stands for an answer, live or recorded, and the helpers that it is not to use; raises if it is none."""
        if isinstance(answer, Unusable):
            raise self._mistaken(answer.name, answer.text or CATALOGUE[answer.name].sentence)
        if not isinstance(answer, Recorded) and callable(answer) and self._is_declared(answer):
            return answer, ()
        function, without = answer, ()
        if not isinstance(answer, Recorded):
            without = self.without
            try:
                function = calls.taken(answer, self.prepare)
            except Unusable as unusable:
                return self._function(unusable)
        if function is None:
            raise self._blank("write your answer into the cell above, run it, and then this one")
        return (self.conclude(self._called(function, without)), ()) if self.conclude else (function, without)

    def planned(self) -> list[Call]:
        """The calls that a check makes, of a right answer and, as far as one can know, of any other."""
        made: list[Call] = []

        def watched(*args):
            made.append(Call(tuple(map(calls.clone, args))))
            return self.rights[""](*args)

        made += [Call(args) for args in self.make_cases(self._draw())]
        student = self._student(watched)
        for name, _, probe, _ in self.probes:
            probe(student, self._draw("probe", name))
        self._printable(student)
        for find in self.properties:
            find(student, self._draw("property"))
        return made

    @functools.cached_property
    def _wants_one_tensor(self) -> bool:
        return len(run(self.rights[""], next(iter(self.make_cases(self._draw())))).tensors) == 1

    def _check(self, answer: Any) -> tuple[str, dict[str, float]]:
        answer, without = self._function(answer)
        cases = list(self.make_cases(self._draw()))
        expect(answer, map(Call, cases))
        got = [run(answer, args, without) for args in cases]
        for outcome in got:
            if outcome.error and outcome.error.helper:
                raise self._error(outcome, ())
        is_blank = any(outcome.error and outcome.error.is_blank for outcome in got)
        if is_blank or all(outcome.is_empty for outcome in got):
            raise self._blank("your function returns nothing. If you have written it, is a `return` missing?")
        wanted = {
            name: [self._of_formula(right, args, k) for k, args in enumerate(cases)]
            for name, right in self.rights.items()
        }
        for k, (outcome, right) in enumerate(zip(got, wanted[""], strict=True)):
            if outcomes.took_one_for_a_number(outcome.error) and BATCH_OF_ONE in self.ends_of(cases[k]):
                got[k] = right  # a slip of numpy's, and not worth a point
            elif outcomes.lacks_its_axis(outcome, right) and not self._reads_one_as_a_number(
                answer, cases[k], outcome
            ):
                got[k] = outcome._replace(problem=("wrong-shape", "shape (1,) was wanted, got ()"))
        student = self._student(answer, without)
        used = next((name for name, ideal in wanted.items() if all(map(self._equal, got, ideal))), None)
        if used is None:
            raise self._diagnosis(student, cases, got, wanted)
        self._refuse_changes(got)
        self._try_probes(student, [probe for probe in self.probes if probe[-1]])
        if any(outcome.left_gradients_off for outcome in got):
            raise self._mistaken("gradients-left-off", CATALOGUE["gradients-left-off"].sentence)
        numbers = self._printable(student)
        self._refuse_fractions(got, wanted[""])
        return used, numbers

    def _reads_one_as_a_number(self, answer: Callable | Recorded, args: Sequence, outcome: Outcome) -> bool:
        """Whether a batch of one came back as a number for no other reason than numpy's reading of one index.

        It does not if numpy is kept from reading a tensor of one element as a number.
        """
        if not outcome.is_array:
            return True  # a number of Python, or a list
        again = run(answer, args, strict=True)
        return bool(again.error) or any(tensor.ndim for tensor in again.tensors)

    def _of_formula(self, formula: Callable, args: Sequence, k: int) -> Outcome:
        """What a formula of this task does in case k; worked out once where that is remembered.

        Cases that are drawn once more are counted down from -1.
        """
        remembered = self.exercise.remembered
        if remembered is None:
            return run(formula, args)
        if (self.number, formula, k) not in remembered:
            remembered[self.number, formula, k] = run(formula, args)
        return remembered[self.number, formula, k]

    def _refuse_fractions(self, got: Iterable[Outcome], wanted: Iterable[Outcome]) -> None:
        """Raise if whole numbers are wanted, such as labels, and others came, right as they are."""
        for outcome, right in zip(got, wanted, strict=True):
            is_whole = right.dtype.startswith("torch.") and "float" not in right.dtype
            if is_whole and ("float" in outcome.dtype or "bool" in outcome.dtype):
                raise self._mistaken(
                    "wrong-dtype", f"whole numbers were wanted, such as {right.dtype}; got {outcome.dtype}"
                )

    def _refuse_changes(self, got: Iterable[Outcome]) -> None:
        """Raise if an answer, right in all else, has changed what it was given."""
        if which := self._changed_arguments(got):
            instead = (
                "leave its weights as they are, and `requires_grad` of each of them"
                if any(f"`{name}`" in which for name in _NETWORKS)
                else "make new tensors, or change a `.clone()`"
            )
            raise self._mistaken(
                "changed-its-input",
                f"the numbers are right, but {which} changed; whoever calls the function still needs what it hands"
                f" over: {instead}",
            )

    def _aside(self, got: Iterable[Outcome]) -> str:
        """What is told beside the name of a mistake that a changed input may have brought about."""
        which = self._changed_arguments(got)
        return (
            f"By the way, {which} changed by your function, which may be why; use a `.clone()`"
            if which
            else ""
        )

    def _changed_arguments(self, got: Iterable[Outcome]) -> str:
        """The arguments that an answer has changed and may not, such as "`x` was"; "" if there are none."""
        places = {place for outcome in got for place in outcome.changed}
        names = [name for k, name in enumerate(self.arguments) if k in places and name not in self.may_change]
        return f"{_listed(names)} {'were' if len(names) > 1 else 'was'}" if names else ""

    def _is_declared(self, answer: Callable) -> bool:
        """Whether an answer is a formula of this package, which may use the rest of it."""
        formulas = [*self.rights.values(), *(formula for _, _, formula in self.wrongs)]
        return any(answer is formula for formula in formulas)

    def _equal(self, got: Outcome, wanted: Outcome) -> bool:
        return not got.error and not got.problem and same(got.tensors, wanted.tensors, self.tolerance)

    def _printable(self, answer: Any) -> dict[str, float]:
        """The numbers of an answer, which have to be those of the right answers."""
        attempt, expected = self._steady_numbers()
        numbers = self._measured(answer, attempt)
        if numbers_text(numbers) != numbers_text(expected):
            raise self._mistaken(
                "differs", "right on the first inputs, but not on others that were drawn like them"
            )
        return numbers

    def _steady_numbers(self) -> tuple[int, dict[str, float]]:
        """The first inputs for which the numbers of the right answers do not tip over, and those numbers."""
        for attempt in range(1000):
            expected = [self._measured(right, attempt) for right in self._references()]
            if all(map(outcomes.steady, expected)):
                break
        return attempt, expected[0]

    def _measured(self, answer: Any, attempt: int) -> dict[str, float]:
        values = self.make_numbers(answer, self._draw("numbers", attempt))
        return {label: float(value) for label, value in values.items()}

    def _references(self) -> list:
        return [self._student(right) for right in self.rights.values()]

    def _try_probes(self, student: Callable, probes: Iterable) -> None:
        for name, sentence, probe, _ in probes:
            if probe(student, self._draw("probe", name)):
                same_dice = self._student(student.answer, student.without, same_dice=True)
                if name == "draws-own-noise" and probe(same_dice, self._draw("probe", name)):
                    text = f"{CATALOGUE['not-repeatable'].sentence}: something is kept from call to call"
                    raise self._mistaken("not-repeatable", f"{text}, or drawn with dice of its own")
                raise self._mistaken(name, sentence)

    def _diagnosis(self, student: Callable, cases: list, got: list[Outcome], wanted: dict) -> Mistaken:
        """Name the mistake if it is certain; a probe raises it.

        Else say what was raised, or what is wrong with the form or numbers.
        """
        printed = next((outcome.printed for outcome in got if outcome.printed), "")
        changed = self._aside(got)
        if explained := self._explained(self.wrongs, cases, got, wanted, student):
            return self._mistaken(*explained, changed, printed=printed)
        for args, outcome in zip(cases, got, strict=True):
            if outcome.error:
                explained = self._explained_in_general(cases, got, wanted, student)
                return self._mistaken(*explained) if explained else self._error(outcome, args)
        first = max(
            wanted.values(), key=lambda ideal: sum(map(self._equal, got, ideal))
        )  # the right way it is nearest
        for outcome, right in self._ordinary_first(cases, got, first):
            if problem := outcome.problem or outcomes.form(outcome, right, self.results):
                explained = self._explained_in_general(cases, got, wanted, student)
                if explained and (problem[0], explained[0]) != ("wrong-dtype", "nearly-right"):
                    return self._mistaken(*explained, printed=printed)
                if problem[0] == "not-finite":
                    self._try_probes(student, [probe for probe in self.probes if probe[-1]])
                return self._mistaken(*problem, self._where_it_departs(cases, got, first), printed=printed)
        self._try_probes(student, self.probes)
        if explained := self._explained_in_general(cases, got, wanted, student):
            return self._mistaken(*explained, changed, printed=printed)
        expect(student.answer, [Call(cases[0])] * 2 + [Call(args) for args in self._variations(cases)])
        if not same(*(run(student, cases[0]).tensors for _ in range(2)), tolerance=0.0):
            sentence = CATALOGUE["not-repeatable"].sentence
            text = f"{sentence}: something is drawn in it, or kept from call to call"
            return self._mistaken("not-repeatable", text, printed=printed)
        if ignored := self._without_a_say(student, cases):
            causes = [
                name for name in ignored if name != "schedule"
            ] or ignored  # it is read at t, and only there
            name = _IGNORED.get(causes[0], "") if len(causes) == 1 else ""
            sentence = f"the answer does not change with {_listed(ignored, 'or')}"
            return self._mistaken(name or "ignores-argument", sentence, printed=printed)
        if explained := self._shares_of_parts(cases, got, first) or self._gradient_alone(got, first):
            return self._mistaken(*explained, printed=printed)
        if which := self._changed_arguments(got):
            text = f"{which} changed on the way, and the numbers are wrong, perhaps because of that; use a `.clone()`"
            return self._mistaken("changed-its-input", text, printed=printed)
        found = [text for find in self.properties if (text := find(student, self._draw("property")))]
        at = next(k for k, outcome in enumerate(got) if not self._equal(outcome, first[k]))
        text = found[0] if found else "the numbers are not those that are wanted"
        pair = aligned(got[at].tensors, first[at].tensors), first[at].tensors
        where = outcomes.where(*pair, self.tolerance, self.results, self.inputs_are_shown)
        departs = self._where_it_departs(cases, got, first)
        return self._mistaken("differs", text, departs, where, self._given(cases[at]), printed=printed)

    def _ordinary_first(self, cases: list, got: list[Outcome], wanted: Sequence[Outcome]) -> list[tuple]:
        """What came and what was wanted, ordinary cases first; without extreme ones if an ordinary one is wrong."""
        extreme = [any(end.is_extreme for end in self.ends_of(args)) for args in cases]
        rows = list(zip(extreme, got, wanted, strict=True))
        ordinary = [(outcome, right) for is_extreme, outcome, right in rows if not is_extreme]
        if any(not self._equal(*pair) for pair in ordinary):
            return ordinary
        return ordinary + [(outcome, right) for is_extreme, outcome, right in rows if is_extreme]

    def _shares_of_parts(
        self, cases: list, got: Sequence[Outcome], wanted: Sequence[Outcome]
    ) -> tuple[str, str] | None:
        """Which of the arguments that are added up counts too much or too little, if that is what is wrong."""
        right_share: dict[str, bool] = {}
        example: dict[str, str] = {}
        for args, outcome, right in zip(cases, got, wanted, strict=True):
            given = dict(zip(self.arguments, args, strict=True))
            if not (len(outcome.tensors) == len(right.tensors) == 1 and right.tensors[0].ndim >= 2):
                return None
            x, y = outcome.tensors[0], right.tensors[0]
            parts = {
                name: value
                for name, value in given.items()
                if isinstance(value, torch.Tensor) and value.is_floating_point() and value.shape == y.shape
            }
            if len(parts) < 2 or x.shape != y.shape or not bool(x.isfinite().all()):
                return None
            found, ideal = (transformations.shares(z, parts, self.tolerance) for z in (x, y))
            if found is None or ideal is None:
                return None
            for name in parts:
                off = (found[name] - ideal[name]).abs()
                right_share[name] = right_share.get(name, True) and bool(off.max() < 0.002)
                row = int(off.argmax())
                t = given.get("t")
                at = f"at t = {int(t[row])} " if isinstance(t, torch.Tensor) and t.ndim == 1 else ""
                if off[row] >= 0.002:
                    text = f"{at}it counts {found[name][row]:.3f} times, and {ideal[name][row]:.3f} is wanted"
                    example.setdefault(name, text)
        wrong = [name for name, is_right in right_share.items() if not is_right]
        if not wrong:
            return None
        fine = [name for name, is_right in right_share.items() if is_right]
        if not fine:  # more than one mistake, or one of another kind
            return None
        rest = f"; the share of {_listed(fine)} is right"
        also = f"; that of {_listed(wrong[1:])} is wrong, too" if wrong[1:] else ""
        return "wrong-share", f"the share of `{wrong[0]}` is wrong: {example[wrong[0]]}{also}{rest}"

    def _gradient_alone(self, got: Sequence[Outcome], wanted: Sequence[Outcome]) -> tuple[str, str] | None:
        """Whether the first result is right everywhere, and what is wrong is a gradient that was added to it."""
        if not any("gradient" in name for name in self.results[1:]):
            return None
        firsts = [(a.tensors[:1], b.tensors[:1]) for a, b in zip(got, wanted, strict=True)]
        if not all(same(a, b, self.tolerance) for a, b in firsts):
            return None
        name = next(
            name
            for k, name in enumerate(self.results[1:], 1)
            for a, b in zip(got, wanted, strict=True)
            if not same(a.tensors[k : k + 1], b.tensors[k : k + 1], self.tolerance)
        )
        return (
            "gradient-lost",
            f"the value is right, but not {name}: was something on the way detached or cut, or changed in another way?",
        )

    def _explained(
        self, formulas: Iterable, cases: list, got: list[Outcome], wanted: dict, student: Callable
    ) -> tuple[str, str] | None:
        """The name and the sentence of the formula that an answer is like; of the first two if their names differ.

        What fits has to fit once more, with inputs that are drawn anew.
        """
        fitting: dict[str, str] = {}
        for name, sentence, wrong in formulas:
            if (
                name not in fitting
                and self._is(wrong, cases, got, wanted)
                and self._is(wrong, *self._once_more(student), is_certain=True)
            ):
                fitting[name] = sentence or CATALOGUE[name].sentence
        if not fitting:
            return None
        (name, first), *others = fitting.items()
        return name, f"either {first}; or {others[0][1]}" if others else first

    def _once_more(self, student: Callable) -> tuple[list, list[Outcome], dict[str, list[Outcome]]]:
        """Cases that are drawn anew, what an answer did with them, and what was wanted by every right way."""
        if not hasattr(student, "once_more"):
            cases = list(self.make_cases(self._draw("once more")))
            expect(student.answer, [Call(args) for args in cases])
            wanted = {
                name: [self._of_formula(right, args, -1 - k) for k, args in enumerate(cases)]
                for name, right in self.rights.items()
            }
            student.once_more = cases, [run(student.answer, args, student.without) for args in cases], wanted
        return student.once_more

    def transformations(self) -> Iterable[transformations.Transformation]:
        """The general mistakes that make sense in this task."""
        if not self.inputs_are_shown:
            return
        given = next(iter(self.make_cases(self._draw())))
        for right in self.rights.values():
            plain = getattr(right, "plain", right)
            prepare = (plain is not right and self.prepare) or (lambda function: function)
            inputs = transformations.of_inputs(plain, self.arguments, given)
            for found in itertools.chain(inputs, transformations.of_results(plain)):
                yield found._replace(function=prepare(found.function))

    def _remembered_transformations(self) -> Iterable:
        """The same, worked out once where that is remembered."""
        remembered = self.exercise.remembered
        if remembered is None:
            return self.transformations()
        if (self.number, "transformations") not in remembered:
            remembered[self.number, "transformations"] = list(self.transformations())
        return remembered[self.number, "transformations"]

    def _explained_in_general(
        self, cases: list, got: list[Outcome], wanted: dict, student: Callable
    ) -> tuple[str, str] | None:
        """The same for the mistakes that are made anywhere; else what was done to the right numbers."""
        if explained := self._explained(self._remembered_transformations(), cases, got, wanted, student):
            return explained
        explained = self._made_of_the_right_numbers(cases, got, wanted)
        if explained and explained[0] != "nearly-right":
            again = self._made_of_the_right_numbers(*self._once_more(student))
            return explained if again and again[0] == explained[0] else None
        return explained

    def _made_of_the_right_numbers(
        self, cases: list, got: list[Outcome], wanted: dict
    ) -> tuple[str, str] | None:
        """What was done to the right numbers, if it is the same in all cases."""
        pairs = [
            (aligned(a.tensors, b.tensors), b.tensors)
            for args, a, b in zip(cases, got, wanted[""], strict=True)
            if outcomes.is_sound(a, b) or not any(end.is_extreme for end in self.ends_of(args))
        ]
        if all(same(*pair, self.tolerance) for pair in pairs):
            return None
        if self.inputs_are_shown and pairs and all(len(a) == len(b) == 1 for a, b in pairs):
            numbers = ([a[0] for a, _ in pairs], [b[0] for _, b in pairs])
            return transformations.made_of_the_right_numbers(*numbers, self.tolerance)
        return None

    def _without_a_say(self, student: Callable, cases: Sequence) -> list[str]:
        """The arguments that change the right answer, in some case, and never this one, not by a single bit."""
        if not self.inputs_are_shown:
            return []
        right, ignored = self._student(self.rights[""]), []
        for place, name in enumerate(self.arguments):
            says = [False, False]
            for args, other in self._varied(cases, place):
                for k, (answer, tolerance) in enumerate(((student, 0.0), (right, self.tolerance))):
                    pair = [run(answer, values) for values in (args, other)]
                    failed = [bool(outcome.error or outcome.problem) for outcome in pair]
                    says[k] |= any(failed) or not same(*(outcome.tensors for outcome in pair), tolerance)
            if says == [False, True]:
                ignored.append(name)
        return ignored

    def _varied(self, cases: Sequence, place: int) -> list[tuple[Sequence, tuple]]:
        """Cases, each with its twin that has another value at one place."""
        pairs = [(args, value) for args in cases for value in outcomes.others(args[place])]
        return [(args, (*args[:place], value, *args[place + 1 :])) for args, value in pairs]

    def _variations(self, cases: Sequence) -> list[Sequence]:
        """All that is called to see which argument has no say."""
        places = range(len(self.arguments) if self.inputs_are_shown else 0)
        return [args for place in places for pair in self._varied(cases, place) for args in pair]

    def _where_it_departs(self, cases: Sequence, got: Sequence[Outcome], wanted: Sequence[Outcome]) -> str:
        """Say where an answer is wrong that is right elsewhere: with what all wrong cases have, and no right one.

        Where a batch is answered row by row, this is asked of the rows first. "" if nothing explains it, or if
        nearly everything is wrong.
        """
        pairs = list(zip(got, wanted, strict=True))
        is_wrong = [not self._equal(*pair) for pair in pairs]
        if sum(is_wrong) > 2 * is_wrong.count(False):
            return ""
        named = self._times_that_are_wrong(cases, pairs)
        if not named:
            given = [dict(zip(self.arguments, args, strict=True)) for args in cases]
            properties = {
                end.name: [bool(end.is_in(one)) for one in given] for end in (*self.ends, *ends.ORDINARY)
            }
            named = ends.explaining(properties, is_wrong)
        return f"Right elsewhere, and wrong {' or '.join(named)}" if named else ""

    def _times_that_are_wrong(self, cases: Sequence, pairs: Sequence[tuple[Outcome, Outcome]]) -> list[str]:
        """The ends whose elements of the batches are all wrong, while all others are right."""
        properties: dict[str, list[bool]] = {end.name: [] for end in self.ends if end.time}
        is_wrong: list[bool] = []
        for args, (outcome, right) in zip(cases, pairs, strict=True):
            given = dict(zip(self.arguments, args, strict=True))
            rows = {end.name: ends.rows_with(end, given) for end in self.ends if end.time}
            tensors = aligned(outcome.tensors, right.tensors)
            if not rows or any(mask is None for mask in rows.values()) or len(tensors) != len(right.tensors):
                return []
            number = len(next(iter(rows.values())))
            wrong = torch.zeros(number, dtype=torch.bool)
            for a, b in zip(tensors, right.tensors, strict=True):
                if a.shape != b.shape or not b.ndim or len(b) != number:
                    return []
                wrong |= outcomes.differing_rows(a, b, self.tolerance)
            is_wrong += wrong.tolist()
            for name, mask in rows.items():
                properties[name] += mask.tolist()
        return ends.explaining(properties, is_wrong) if any(is_wrong) else []

    def _is(
        self, wrong: Callable, cases: list, got: list[Outcome], wanted: dict, is_certain: bool = False
    ) -> bool:
        """Whether an answer does in every case what a wrong formula does, and in one that is surely not right.

        With `is_certain` this last is known already.
        """
        certain = is_certain
        for k, (args, outcome) in enumerate(zip(cases, got, strict=True)):
            mistaken = self._of_formula(wrong, args, -1 - k if is_certain else k)
            if any(end.is_extreme for end in self.ends_of(args)) and not (
                outcomes.is_sound(outcome, wanted[""][k]) and outcomes.is_sound(mistaken, wanted[""][k])
            ):
                continue
            if outcome.error or mistaken.error:
                if not (outcome.error and mistaken.error) or outcome.error.kind != mistaken.error.kind:
                    return False
                sign = mistaken.error.sign  # of an error that says what is wrong
                if sign is not None and sign not in outcome.error.message:
                    return False
                certain |= sign is not None
                continue
            if outcome.problem or not same(outcome.tensors, mistaken.tensors, self.tolerance):
                return False
            rights = [ideal[k].tensors for ideal in wanted.values()]
            certain |= all(
                outcomes.differs_for_sure(mistaken.tensors, right, self.tolerance) for right in rights
            )
        return certain


class Guess(Task):
    """A task answered by a number, or a dict of numbers.

    The right answer gives a range (low, high) for each.
    """

    meaning = (
        "The check worked these numbers out, for you to compare with your answer. They are the same for every"
        " answer that is close enough."
    )

    def _ranges(self, function: Callable) -> dict[str, tuple]:
        ranges = function()
        return ranges if isinstance(ranges, dict) else {"": ranges}

    def middle(self, function: Callable) -> float | dict[str, float]:
        """Give the middles of the ranges of a right or wrong answer."""
        middles = {label: (low + high) / 2 for label, (low, high) in self._ranges(function).items()}
        return middles.get("", middles)

    def _references(self) -> list:
        return [self.middle(self.rights[""])]

    def _check(self, answer: Any) -> tuple[str, dict[str, float]]:
        ranges = self._ranges(self.rights[""])
        answer = answer if isinstance(answer, Given) else given(answer)
        blank = [label for label, value in answer.numbers.items() if value is None]
        if blank:
            told = "write your answer into the cell above, run it, and then this one"
            if len(blank) < len(answer.numbers):
                names = ", ".join(f'"{label}"' for label in blank)
                told = f"still missing, of {len(answer.numbers)} numbers: {names}"
            raise self._blank(told)
        if set(answer.numbers) != set(ranges):
            wanted = "a number" if "" in ranges else f"a dict of {', '.join(ranges)}"
            raise self._mistaken("wrong-type", f"{wanted} was wanted, got {answer.shown}")
        if any(isinstance(value, str) for value in answer.numbers.values()):
            raise self._mistaken("wrong-type", f"a number was wanted, such as 0.25; got {answer.shown}")
        numbers = (self.prepare or dict)(answer.numbers)

        def within(function: Callable) -> bool:
            return all(low <= numbers[label] <= high for label, (low, high) in self._ranges(function).items())

        if not any(map(within, self.rights.values())):
            fitting = {name: sentence for name, sentence, wrong in reversed(self.wrongs) if within(wrong)}
            if fitting:
                *others, (name, first) = fitting.items()
                raise self._mistaken(name, f"either {first}; or {others[-1][1]}" if others else first)
            off = [label for label, (low, high) in ranges.items() if not low <= numbers[label] <= high]
            raise self._mistaken(
                *self._general_slip(numbers, off) or ("differs", self._way_off(numbers, off))
            )
        return "", self._printable(self._references()[0])  # all accepted answers print the same

    def _way_off(self, numbers: dict[str, float], off: Sequence[str]) -> str:
        """Say of the first number that is off in which direction; and that the others are right, if so."""
        label, ranges = off[0], self._ranges(self.rights[""])
        if not math.isfinite(numbers[label]):
            way = "is no finite number"
        else:
            way = f"is too {'low' if numbers[label] < ranges[label][0] else 'high'}"
        rest = len(ranges) - len(off)
        others = f"; {rest} of the {len(ranges)} numbers {'is' if rest == 1 else 'are'} right" if rest else ""
        return f"{f'{label}: ' if label else ''}{numbers[label]:g} {way}{others}"

    def _general_slip(self, numbers: dict[str, float], off: Sequence[str]) -> tuple[str, str] | None:
        """What was done to the right numbers, if the same was done to all that are off, and only then.

        A number has to come so close to the middle of its range that it is no accident.
        """
        ranges = self._ranges(self.rights[""])

        def is_close(label: str, value: float) -> bool:
            low, high = ranges[label]
            return math.isfinite(value) and abs(value - (low + high) / 2) <= (high - low) / 5

        found = {}
        is_in_part = len(off) == 1 and len(ranges) > 2  # whoever squares one of many numbers squares them all
        for name, sentence, undo in SLIPS:
            if is_in_part and name in SAME_FOR_ALL:
                continue
            if all(is_close(label, undo(numbers[label])) for label in off):
                found.setdefault(name, sentence)
        if len(off) > 1:
            for moved in itertools.permutations(off):
                if moved != tuple(off) and all(map(is_close, off, (numbers[label] for label in moved))):
                    found.setdefault(
                        "results-exchanged", f"the numbers for {' and '.join(off)} changed places"
                    )
        if off != [""] and not found:
            neighbours = [next((b for b in ranges if is_close(b, numbers[label])), "") for label in off]
            if all(neighbours):
                text = "; ".join(f"{a} has the number for {b}" for a, b in zip(off, neighbours, strict=True))
                return "results-exchanged", text
        middles = [sum(ranges[label]) / 2 or math.nan for label in off]
        ratios = [numbers[label] / middle for label, middle in zip(off, middles, strict=True)]
        if not found and all(abs(ratio - 1) < 0.03 for ratio in ratios):
            text = f"{off[0]}: " if off[0] else ""
            return "nearly-right", f"{text}{numbers[off[0]]:g} is nearly right, but not close enough"
        (name, first), *others = found.items() or [("", "")]
        which = f"{', '.join(off)}: " if off != [""] and len(off) < len(ranges) else ""
        return (name, which + (f"either {first}; or {others[0][1]}" if others else first)) if name else None


def _or_nan(undo: Callable[[float], float]) -> Callable[[float], float]:
    def undone(value: float) -> float:
        try:
            return undo(value)
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan

    return undone


SLIPS = tuple(
    (name, sentence, _or_nan(undo))
    for name, sentence, undo in (
        ("in-percent", "that is in percent; the number itself is wanted", lambda value: value / 100),
        ("wrong-sign", "right but for the sign", lambda value: -value),
        ("ratio-upside-down", "that is 1 over the number that is wanted", lambda value: 1 / value),
        ("one-minus", "that is 1 minus the number that is wanted", lambda value: 1 - value),
        ("wrong-factor", "that is twice the number that is wanted", lambda value: value / 2),
        ("wrong-factor", "that is half the number that is wanted", lambda value: value * 2),
        ("wrong-factor", "that is a thousandth of the number that is wanted", lambda value: value * 1000),
        ("wrong-factor", "that is a thousand times the number that is wanted", lambda value: value / 1000),
        ("wrong-factor", "that is a hundredth of the number that is wanted", lambda value: value * 100),
        ("log-for-ratio", "that is the natural logarithm of the number that is wanted", math.exp),
        (
            "log-for-ratio",
            "that is the logarithm to the base 10 of the wanted number",
            lambda value: 10**value,
        ),
        ("variance-as-std", "that is the square of the number that is wanted", math.sqrt),
        ("variance-as-std", "that is the root of the number that is wanted", lambda value: value**2),
    )
)
"""What is done to a right guess, by the name of the mistake, with what takes it back."""
SAME_FOR_ALL = ("variance-as-std", "log-for-ratio", "wrong-factor")
"""The slips that are an accident where only one of several numbers looks like it."""


class Question(NamedTuple):
    """A task that is answered in a sentence, which no check but the instructor reads."""

    number: str
    title: str
    points: int = 0
    section: str = ""
    hints: Sequence[str] = ()


class Exercise:
    """The tasks of one exercise, in order, and how far the student has come; kept in memory only."""

    def __init__(self, number: str, title: str):
        """Number as the lesson's, such as "01"; the title is the heading of the notebook."""
        self.number, self.title, self.nonce = number, title, 0
        self.remembered: dict | None = None  # what formulas do under this nonce, where many are checked
        self.declared: dict[str, Task | Question] = {}
        self.begin()

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks that have a check."""
        return {number: task for number, task in self.declared.items() if isinstance(task, Task)}

    def begin(self, nonce: int | str = 0) -> None:
        """Start afresh; the nonce decides all random inputs."""
        self.nonce, self.states, self.shown = nonce, {}, {}
        self.remembered = None if self.remembered is None else {}

    def task(
        self, number: str, title: str, points: int, section: str, kind: type[Task] = Task, **options
    ) -> Callable:
        """Declare a task answered by a function; the decorated one is a right answer.

        Args:
            number: such as "1.2"; tasks are declared in order.
            title: in lower case, as `progress` prints it; a formula stands between dollars.
            points: 1 or more.
            section: the title of the lesson's section that it is about.
            kind: `Guess` for an answer in numbers.
            options: `hints`, and what else `Task` takes.

        Raises:
            ValueError: if it is worth nothing, or its number is taken.
        """
        if points < 1:
            raise ValueError(f"points: 1 or more were wanted for the task {number}, got {points}")

        def declare(right: Callable) -> Task:
            task = kind(self, number, title, points, section, right, **options)
            self._add(task)
            return task

        return declare

    def _add(self, task: Task | Question) -> None:
        if task.number in self.declared:
            raise ValueError(f"number: {task.number} is declared twice in exercise {self.number}")
        self.declared[task.number] = task

    def guess(self, *args, **options) -> Callable:
        """Declare a task answered by numbers; the decorated function gives the ranges to accept."""
        return self.task(*args, kind=Guess, **options)

    def explain(self, number: str, title: str) -> None:
        """Declare a question to answer in a sentence, which nobody checks but the instructor."""
        self._add(Question(number, title))

    def hint(self, number: str | float) -> None:
        """Print the next hint of a task; a `ValueError` says if there is no such task."""
        number = str(number)
        if number not in self.tasks:
            raise ValueError(f"there are hints for {', '.join(self.tasks)}, not for {number!r}")
        hints = self.tasks[number].hints
        shown = self.shown[number] = min(self.shown.get(number, 0) + 1, len(hints))
        print(f"{number}, hint {shown} of {len(hints)}: {hints[shown - 1]}")

    def show(self, make: Callable[[], Any], *tasks: str) -> Any:
        """Show what comes of the student's answers, such as a picture; one line says so if it does not work yet.

        Args:
            make: makes it, and is called with no arguments. It is given back, for Jupyter to show.
            tasks: the numbers of the tasks whose answers it uses.
        """
        try:
            return make()
        except Exception as error:
            print(self._why_nothing_is_shown(error, tasks))

    def _why_nothing_is_shown(self, error: Exception, tasks: Sequence[str]) -> str:
        waiting = [number for number in tasks if not self.states.get(number, "").startswith("solved")]
        named = waiting or tasks
        *others, last = named
        answers = (
            f"your answer to {last}" if not others else f"your answers to {', '.join(others)} and {last}"
        )
        verbs = ("is", "returns") if len(named) == 1 else ("are", "return")
        if isinstance(error, NameError):
            return f"Nothing to show yet: run the cell with {answers} first ({error})."
        if any(self.states.get(number) == "not attempted" for number in waiting) or "NoneType" in str(error):
            return f"Nothing to show yet: {answers} {verbs[0]} still blank, or {verbs[1]} nothing."
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return f"Nothing to show yet: with {answers} this cell ended with {reason}"

    def progress(self) -> None:
        """Print a table of the tasks, and what is next."""
        tasks = self.tasks
        solved = [task for k, task in tasks.items() if self.states.get(k, "").startswith("solved")]
        reached, points = (sum(task.points for task in some) for some in (solved, tasks.values()))
        print(f"{self.number} {self.title}: {reached} of {points} points")
        titles = {k: cells.plain(task.title) for k, task in self.declared.items()}
        for k, title in titles.items():
            worth, state = "–", "for your instructor to read"
            if k in tasks:
                worth, state = tasks[k].points, self.states.get(k, "not checked")
            print(f"  {k}  {title:{max(map(len, titles.values()))}}  {worth:>2}  {state}")
        rest = [task for task in tasks.values() if task not in solved]
        print(f"Next: {rest[0].number}, {titles[rest[0].number]}" if rest else "All solved.")
