"""Mistakes that can be made in every task: something general done to what goes into the right answer, or comes out.

A task has its own wrong formulas, which are tried first. These here are tried on all tasks, as far as its arguments
allow: what an argument is, its name says, which means the same in all exercises. Each is a function like the right
answer, with the name of its mistake and a sentence.
"""

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

TIMES = ("t", "s")
NOISES = ("noise", "noises", "z", "eps")
ONE_PER_PICTURE = ("t", "s", "tau", "ratio", "labels", "coins", "u", "c", "mask")
PICTURES = ("x_prev", "x_0", "x_t", "x_T", "x_0_hat", "y", "v", "mean", "logvar", "u", "values", "condition")
SIZES = ("eta", "variance", "data_std", "temperature", "tau", "ratio", "decay", "probability")


class Transformation(NamedTuple):
    """A wrong answer that is made of the right one."""

    name: str
    sentence: str
    function: Callable


def of_inputs(right: Callable, names: Sequence[str], given: Sequence) -> Iterator[Transformation]:
    """What a right answer says of inputs that were changed; `given` are those of one case, to see what they are."""
    for name, sentence, place, change in _changes(names, given):
        yield Transformation(name, sentence, _with(right, place, change))
    numbers = {name: value for name, value in zip(names, given, strict=True) if _is_numbers(value)}
    for a, b in itertools.combinations(numbers, 2):
        alike = numbers[a].shape == numbers[b].shape and numbers[a].dtype == numbers[b].dtype
        if alike and numbers[a].ndim:
            sentence = f"`{a}` and `{b}` changed places"
            yield Transformation("arguments-exchanged", sentence, _exchanged(right, names, a, b))


def _is_numbers(value: Any) -> bool:
    return isinstance(value, Tensor)


def _with(right: Callable, place: int, change: Callable) -> Callable:
    return lambda *args: right(*args[:place], change(args[place]), *args[place + 1 :])


def _exchanged(right: Callable, names: Sequence[str], a: str, b: str) -> Callable:
    places = {names.index(a): names.index(b), names.index(b): names.index(a)}
    return lambda *args: right(*(args[places.get(k, k)] for k in range(len(args))))


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, Tensor) and not value.is_floating_point())


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, Tensor) and value.is_floating_point())


def _changes(names: Sequence[str], given: Sequence) -> Iterator[tuple[str, str, int, Callable]]:
    """The name of a mistake, a sentence, and which argument it changes how."""
    for place, (name, value) in enumerate(zip(names, given, strict=True)):
        if name in TIMES and _is_whole(value):
            yield from ((*said, place, change) for *said, change in _times(name))
        if name in NOISES and _is_numbers(value):
            yield from ((*said, place, change) for *said, change in _noises(name))
        if name in ONE_PER_PICTURE and isinstance(value, Tensor) and value.ndim:
            yield from ((*said, place, change) for *said, change in _shared(name))
        if name in PICTURES and _is_numbers(value):
            sentence = f"a sign is wrong: it is as if `{name}` were -{name}"
            yield "wrong-sign", sentence, place, lambda x: -x
        if name in SIZES and _is_fraction(value):
            yield from ((*said, place, change) for *said, change in _sizes(name))
        if name == "betas":
            yield from ((*said, place, change) for *said, change in _tables())
        if name == "schedule":
            yield from ((*said, place, _in_schedule(change)) for *said, change in _cumulative())


def _times(name: str) -> Iterator[tuple[str, str, Callable]]:
    for by, word in ((-1, "early"), (1, "late")):
        sentence = f"`{name}` was taken one step too {word}: it is as if it were {name} {'+-'[by < 0]} 1"
        yield "index-shift", sentence, lambda t, by=by: t + by
        for low in (0, 1):
            yield "index-shift", sentence, lambda t, by=by, low=low: torch.as_tensor(t + by).clamp(min=low)


def _noises(name: str) -> Iterator[tuple[str, str, Callable]]:
    yield "noise-forgotten", f"the noise was left out: `{name}` has no say in your answer", lambda z: 0 * z
    yield "wrong-sign", f"the sign of the noise is wrong: it is as if `{name}` were -{name}", lambda z: -z
    shared = f"the pictures share their noise; each has its own in `{name}`"
    for pick in (lambda z: z[:1], lambda z: z[-1:]):
        if name != "noises":
            yield "shared-noise", shared, lambda z, pick=pick: pick(z).expand_as(z)
        else:
            yield "noise-reused", "", lambda z, pick=pick: pick(z).expand_as(z)
    yield (
        "noise-order",
        f"the noise was used in another order than it stands in `{name}`",
        lambda z: z.flip(0),
    )


def _shared(name: str) -> Iterator[tuple[str, str, Callable]]:
    mistake = {"labels": "shared-label", "coins": "batch-dropout"}.get(name, "shared-t")
    sentence = f"one `{name}` was used for the whole batch; every picture has its own"
    yield mistake, sentence, lambda x: x[:1].expand_as(x)
    yield mistake, sentence, lambda x: x[-1:].expand_as(x)


def _sizes(name: str) -> Iterator[tuple[str, str, Callable]]:
    yield "variance-as-std", f"`{name}` was squared; it is wanted as it is", lambda x: x**2
    yield "variance-as-std", f"the root of `{name}` was taken; it is wanted as it is", lambda x: x**0.5
    yield "ratio-upside-down", f"`{name}` is upside down: it is as if it were 1 / {name}", lambda x: 1 / x
    yield "one-minus", f"1 - {name} stands where `{name}` is wanted", lambda x: 1 - x


def _tables() -> Iterator[tuple[str, str, Callable]]:
    yield "index-shift", "", lambda betas: betas.roll(1)
    yield "index-shift", "", lambda betas: betas.roll(-1)
    yield "variance-as-std", "the betas were squared; they are wanted as they are", lambda betas: betas**2
    yield "variance-as-std", "the roots of the betas were taken; they are wanted as they are", torch.sqrt


def _cumulative() -> Iterator[tuple[str, str, Callable]]:
    """Changes of alpha bar, as functions of the schedule."""
    root = "alpha bar stands where its root is wanted"
    yield "variance-as-std", root, lambda schedule: schedule.alphas_cumprod**2
    too_many = "the root of alpha bar stands where alpha bar is wanted: a root too many"
    yield "variance-as-std", too_many, lambda schedule: schedule.alphas_cumprod.sqrt()
    yield "swapped-scales", "", lambda schedule: 1 - schedule.alphas_cumprod
    yield "alpha-for-alphabar", "", lambda schedule: schedule.alphas
    yield "index-shift", "", lambda schedule: schedule.alphas_cumprod.roll(1)
    yield "index-shift", "", lambda schedule: schedule.alphas_cumprod.roll(-1)


def _in_schedule(change: Callable) -> Callable:
    def changed(schedule: Any) -> Any:
        other = copy.copy(schedule)
        other.alphas_cumprod = change(schedule)
        return other

    return changed


def of_results(right: Callable) -> Iterator[Transformation]:
    """What is made of the tensor that a right answer gives, or of each of several."""
    for name, sentence, change in _RESULTS:
        yield Transformation(name, sentence, lambda *args, change=change: _each(change, right(*args)))
    for dim in range(4):
        for word, reduce in (("mean", torch.mean), ("sum", torch.sum)):
            sentence = f"right numbers, but their {word} was taken over {_AXES[dim]}"
            yield Transformation(
                "wrong-axis",
                sentence,
                lambda *args, reduce=reduce, dim=dim: _each(lambda x: reduce(x, dim=dim), right(*args)),
            )
    for word, reduce in (("mean", torch.mean), ("sum", torch.sum)):
        sentence = f"right numbers, but one number came of all, their {word}"
        yield Transformation("wrong-axis", sentence, lambda *args, reduce=reduce: _each(reduce, right(*args)))


_AXES = ("the batch, the first axis", "the second axis", "the third axis", "the last axis")
_TOO_MUCH = "right numbers at first, and then {} of them was taken"
_RESULTS: tuple[tuple[str, str, Callable[[Tensor], Tensor]], ...] = (
    ("wrong-sign", "right numbers with the wrong sign: a minus is missing, or one too many", lambda x: -x),
    ("one-minus", "1 minus the right numbers came back; what is wanted is the other share", lambda x: 1 - x),
    ("ratio-upside-down", "the result is upside down: 1 over the right numbers", lambda x: 1 / x),
    ("in-percent", "right numbers in percent; the shares themselves are wanted", lambda x: 100 * x),
    ("one-step-too-many", _TOO_MUCH.format("the square"), torch.square),
    ("one-step-too-many", _TOO_MUCH.format("the root"), torch.sqrt),
    ("one-step-too-many", _TOO_MUCH.format("the absolute value"), torch.abs),
    ("one-step-too-many", _TOO_MUCH.format("the logarithm"), torch.log),
    ("one-step-too-many", _TOO_MUCH.format("the exponential"), torch.exp),
    (
        "result-clipped",
        "right numbers, but clipped to [-1, 1]; leave them as they come",
        lambda x: x.clamp(-1, 1),
    ),
    (
        "result-clipped",
        "right numbers, but clipped to [0, 1]; leave them as they come",
        lambda x: x.clamp(0, 1),
    ),
    (
        "result-clipped",
        "right numbers, but negative ones became 0; leave them as they come",
        lambda x: x.clamp(min=0),
    ),
    ("wrong-order", "right numbers, in reversed order along the first axis", lambda x: x.flip(0)),
    ("wrong-order", "right numbers, one place too far along the first axis", lambda x: x.roll(1, 0)),
    ("wrong-order", "right numbers, one place too far back along the first axis", lambda x: x.roll(-1, 0)),
    ("wrong-axis", "right numbers, with the last two axes exchanged", lambda x: x.mT),
    ("wrong-axis", "right numbers, but there is an axis of length 1 too many", lambda x: x[..., None]),
    ("wrong-axis", "right numbers, but there is an axis of length 1 too many", lambda x: x[None]),
    (
        "wrong-axis",
        "right numbers, but axes were joined; keep the shape that is wanted",
        lambda x: x.flatten(1),
    ),
    ("wrong-axis", "right numbers, but axes were joined; keep the shape that is wanted", torch.flatten),
)


def _each(change: Callable, results: Any) -> Any:
    if isinstance(results, list | tuple):
        return tuple(change(result) for result in results)
    return change(torch.as_tensor(results))


def factor(got: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float) -> float | None:
    """The one number by which all numbers of an answer are too large; None if there is none."""
    a, b = (torch.cat([x.flatten() for x in tensors]).double() for tensors in (got, wanted))
    if a.shape != b.shape or not bool(a.isfinite().all() & b.isfinite().all()) or len(a) < 3:
        return None
    size = float(b.square().sum())
    found = float((a * b).sum()) / size if size else 0.0
    largest = float(b.abs().max()) * abs(found)
    alike = found and bool(torch.isclose(a, found * b, rtol=0, atol=3 * tolerance * largest).all())
    return found if alike and abs(found - 1) > 1e-3 else None
