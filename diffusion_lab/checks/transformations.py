"""Mistakes that can be made in every task: something general done to what goes into the right answer, or comes out.

A task has its own wrong formulas, which are tried first. These here are tried on all tasks, as far as its arguments
allow: what an argument is, its name says, which means the same in all exercises. Each is a function like the right
answer, with the name of its mistake and a sentence.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

TIMES = ("t", "s")
NOISES = ("noise", "noises", "z", "eps")
ONE_PER_PICTURE = ("t", "s", "tau", "ratio", "labels", "coins", "u", "c", "mask")
PICTURES = ("x_prev", "x_0", "x_t", "x_T", "x_0_hat", "y", "v", "mean", "logvar", "u", "values", "condition")
SIZES = (
    *("eta", "variance", "data_std", "temperature", "tau", "ratio", "decay", "probability"),
    *("s", "low", "high", "max_period"),
)
COUNTS = ("T", "features", "groups", "patch", "null_label", "low", "high")
TABLES = ("data", "latents", "weight", "bias", "x")
ROWS = ("images", "captions", "queries", "keys", "prompt", "negative", "null")
LEFT_AS_THEY_ARE = {
    "model": "a network: what an answer asks it, and makes of what it says, the task's own formulas tell",
    "network": "likewise",
    "student": "likewise, and that it changed places with another one is tried",
    "target": "likewise, and that it changed places with another one is tried",
    "teacher": "likewise, and that it changed places with another one is tried",
    "unet": "likewise",
    "decode": "likewise",
    "show": "a function that shows a picture",
    "times": "it decides about the shapes of all else: a list that is cut or shifted is a formula of its task",
}
"""Arguments with which nothing general can be done, and why."""


class Transformation(NamedTuple):
    """A wrong answer that is made of the right one."""

    name: str
    sentence: str
    function: Callable


def of_inputs(right: Callable, names: Sequence[str], given: Sequence) -> Iterator[Transformation]:
    """What a right answer says of inputs that were changed; `given` are those of one case, to see what they are."""
    for name, sentence, place, change in _changes(names, given):
        yield Transformation(name, sentence, _with(right, place, change))
    for name, sentence, change in _changes_together(names, given):
        yield Transformation(name, sentence, _with_all(right, names, change))
    for name, sentence, order in _orders(names, given):
        yield Transformation(name, sentence, _in_order(right, names, order))
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


def _with_all(right: Callable, names: Sequence[str], change: Callable) -> Callable:
    """The right answer with arguments that `change` makes of all of them, by name."""

    def changed(*args):
        given = dict(zip(names, args, strict=True))
        return right(*(given | change(given)).values())

    return changed


def _in_order(right: Callable, names: Sequence[str], order: Callable) -> Callable:
    """The rows of the right answer in an order that is made of the arguments."""

    def ordered(*args):
        places = order(dict(zip(names, args, strict=True)))
        return _each(lambda x: x[places], right(*args))

    return ordered


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
        if name in PICTURES and _is_fraction(value):
            sentence = f"a sign is wrong: it is as if `{name}` were -{name}"
            yield "wrong-sign", sentence, place, lambda x: -x
        if name in PICTURES and _is_numbers(value):
            yield from ((*said, place, change) for *said, change in _scaled(name))
        if name in (*TABLES, *ROWS) and _is_fraction(value):
            sentence = f"a sign is wrong: it is as if `{name}` were -{name}"
            yield "wrong-sign", sentence, place, _or_none(lambda x: -x)
            yield from ((*said, place, _or_none(change)) for *said, change in _scaled(name))
        if name in ROWS and _is_fraction(value):
            yield from ((*said, place, _or_none(change)) for *said, change in _reordered(name))
        if name in COUNTS and type(value) is int:
            yield from ((*said, place, change) for *said, change in _counts(name))
        if name in SIZES and _is_fraction(value):
            yield from ((*said, place, change) for *said, change in _sizes(name))
        if name == "betas":
            yield from ((*said, place, change) for *said, change in _tables())
        if name == "schedule":
            yield from ((*said, place, _in_schedule(change)) for *said, change in _cumulative())
            for *said, change in _tables():
                yield (
                    *said,
                    place,
                    _in_schedule(lambda schedule, change=change: change(schedule.betas), "betas"),
                )


def changed_arguments(names: Sequence[str], given: Sequence) -> dict[str, int]:
    """In how many general ways each argument is changed."""
    places = [place for _, _, place, _ in _changes(names, given)]
    return {name: places.count(place) for place, name in enumerate(names)}


def _last(given: dict[str, Any]) -> int:
    return given["schedule"].timesteps if "schedule" in given else len(given["betas"]) - 1


def _changes_together(names: Sequence[str], given: Sequence) -> Iterator[tuple[str, str, Callable]]:
    """The name of a mistake, a sentence, and what makes changed arguments of all of them."""
    kinds = dict(zip(names, given, strict=True))
    table = "schedule" if "schedule" in names else "betas" if "betas" in names else ""
    if not (table and "t" in names and _is_whole(kinds["t"])):
        return
    held = "`t` was held at T - 1; the tables have an entry for t = T, too"
    yield "endpoint-missed", held, lambda now: {"t": torch.as_tensor(now["t"]).clamp(max=_last(now) - 1)}
    wrapped = (
        "`t` was taken modulo T, so that t = T was read as t = 0; the tables have an entry for t = T, too"
    )
    yield "endpoint-missed", wrapped, lambda now: {"t": now["t"] % _last(now)}
    late = "`t` was taken one step too late, and held at T: it is as if it were t + 1"
    yield "index-shift", late, lambda now: {"t": torch.as_tensor(now["t"] + 1).clamp(max=_last(now))}
    yield "index-shift", late, lambda now: {"t": (now["t"] + 1) % (_last(now) + 1)}
    early = "`t` was counted from the end of the table: it is as if it were T - t"
    yield "wrong-order", early, lambda now: {"t": _last(now) - now["t"]}
    yield "wrong-order", early, lambda now: {"t": _last(now) + 1 - now["t"]}
    if kinds["t"] is None or not isinstance(kinds["t"], Tensor) or not kinds["t"].ndim:
        return
    mean = (
        "the mean of the table's entries at all `t` was used for the whole batch; every picture has its own"
    )
    if table == "betas":
        yield (
            "shared-t",
            mean,
            lambda now: {"betas": torch.full_like(now["betas"], now["betas"][now["t"]].mean())},
        )
        return

    def shared(now: dict) -> dict:
        schedule = copy.copy(now["schedule"])
        for name in ("betas", "alphas", "alphas_cumprod"):
            entries = getattr(schedule, name)
            setattr(schedule, name, torch.full_like(entries, entries[now["t"]].mean()))
        return {"schedule": schedule}

    yield "shared-t", mean, shared


def _orders(names: Sequence[str], given: Sequence) -> Iterator[tuple[str, str, Callable]]:
    """Orders of the rows that come of working through a batch by its times, or labels."""
    for name, value in zip(names, given, strict=True):
        if name in ONE_PER_PICTURE and isinstance(value, Tensor) and value.ndim == 1 and len(value) > 1:
            sentence = (
                f"right rows, but they stand in the order of `{name}`, sorted; keep the order of the batch"
            )
            yield "wrong-order", sentence, lambda now, name=name: now[name].argsort(stable=True)
            yield "wrong-order", sentence, lambda now, name=name: now[name].argsort(descending=True)
            yield "wrong-order", sentence, lambda now, name=name: now[name].argsort(stable=True).argsort()
            once = f"a value that comes twice in `{name}` was answered once, in sorted order; every row wants its own"
            yield "wrong-order", once, _first_of_each(name)


def _first_of_each(name: str) -> Callable:
    return lambda now: torch.stack([(now[name] == one).nonzero()[0, 0] for one in now[name].unique()])


def _times(name: str) -> Iterator[tuple[str, str, Callable]]:
    for by, word in ((-1, "early"), (1, "late")):
        sentence = f"`{name}` was taken one step too {word}: it is as if it were {name} {'+-'[by < 0]} 1"
        yield "index-shift", sentence, lambda t, by=by: t + by
        for low in (0, 1):
            yield "index-shift", sentence, lambda t, by=by, low=low: torch.as_tensor(t + by).clamp(min=low)


def _or_none(change: Callable) -> Callable:
    """A change of an argument that is None in some cases."""
    return lambda value: None if value is None else change(value)


def _counts(name: str) -> Iterator[tuple[str, str, Callable]]:
    for by, word in ((-1, "low"), (1, "high")):
        sentence = f"`{name}` was taken one too {word}: it is as if it were {name} {'+-'[by < 0]} 1"
        yield "index-shift", sentence, lambda number, by=by: number + by


def _reordered(name: str) -> Iterator[tuple[str, str, Callable]]:
    """Rows in another order, or one for the whole batch."""
    sentence = f"the rows of `{name}` were put into another order, and no longer fit the others of the batch"
    for change in (lambda x: x.flip(0), lambda x: x.roll(1, 0), lambda x: x.roll(-1, 0)):
        yield "wrong-order", sentence, change
    shared = f"one row of `{name}` was used for the whole batch; every one has its own"
    for change in (lambda x: x[:1].expand_as(x), lambda x: x[-1:].expand_as(x)):
        yield "shared-row", shared, change


def _noises(name: str) -> Iterator[tuple[str, str, Callable]]:
    yield "noise-forgotten", f"the noise was left out: `{name}` has no say in your answer", lambda z: 0 * z
    yield "wrong-sign", f"the sign of the noise is wrong: it is as if `{name}` were -{name}", lambda z: -z
    shared = f"the pictures share their noise; each has its own in `{name}`"
    for pick in (lambda z: z[:1], lambda z: z[-1:]):
        if name != "noises":
            yield "shared-noise", shared, lambda z, pick=pick: pick(z).expand_as(z)
        else:
            yield "noise-reused", "", lambda z, pick=pick: pick(z).expand_as(z)
    order = f"the noise was used in another order than it stands in `{name}`"
    yield "noise-order", order, lambda z: z.flip(0)
    if name == "noises":
        late = "noises[t] was used for step t; the first of them, noises[0], is for step 1"
        yield "index-shift", late, lambda z: z.roll(-1, 0)
        yield "index-shift", late, lambda z: torch.cat([z[1:], z[-1:]])
        early = "the noise of the step before was used: noises[t - 2] for step t"
        yield "index-shift", early, lambda z: z.roll(1, 0)
        yield "index-shift", early, lambda z: torch.cat([z[:1], z[:-1]])
    else:
        yield "noise-order", order, lambda z: z.roll(1, 0)
        yield "noise-order", order, lambda z: z.roll(-1, 0)
    measured = f"`{name}` was rescaled to mean 0 or spread 1 first; it is wanted as it comes"
    for change in _standardised():
        yield "input-rescaled", measured, change


def _shared(name: str) -> Iterator[tuple[str, str, Callable]]:
    mistake = {"labels": "shared-label", "coins": "batch-dropout"}.get(name, "shared-t")
    sentence = f"one `{name}` was used for the whole batch; every picture has its own"
    yield mistake, sentence, lambda x: x[:1].expand_as(x)
    yield mistake, sentence, lambda x: x[-1:].expand_as(x)
    if name == "mask":
        return
    for pick, word in ((torch.amax, "largest"), (torch.amin, "smallest"), (_mean, "mean")):
        shared = f"one `{name}` was used for the whole batch, the {word} of all; every picture has its own"
        yield mistake, shared, lambda x, pick=pick: pick(x, 0).expand_as(x)
    sorted_first = f"`{name}` was sorted or put into another order, and no longer fits the rows of the batch"
    yield "wrong-order", sorted_first, lambda x: x.sort(0).values
    yield "wrong-order", sorted_first, lambda x: x.sort(0, descending=True).values
    yield "wrong-order", sorted_first, lambda x: x.flip(0)
    yield "wrong-order", sorted_first, lambda x: x.roll(1, 0)
    yield "wrong-order", sorted_first, lambda x: x.roll(-1, 0)


def _mean(x: Tensor, dim: int) -> Tensor:
    """The mean, cut to a whole number where the numbers are whole."""
    return x.double().mean(dim).to(x.dtype)


def _standardised() -> Iterator[Callable[[Tensor], Tensor]]:
    """Ways to bring numbers to mean 0, or spread 1, or both: over all of them, or each row by itself."""
    for rows in (False, True):
        for mean, spread in ((True, True), (False, True), (True, False)):
            for unbiased in (True, False):
                if spread or unbiased:
                    yield lambda x, how=(rows, mean, spread, unbiased): _standard(x, *how)


def _standard(x: Tensor, rows: bool, mean: bool, spread: bool, unbiased: bool) -> Tensor:
    axes = tuple(range(1, x.ndim)) if rows and x.ndim > 1 else tuple(range(x.ndim))
    centred = x - x.mean(axes, keepdim=True) if mean else x
    return centred / x.std(axes, unbiased=unbiased, keepdim=True) if spread else centred


def _scaled(name: str) -> Iterator[tuple[str, str, Callable]]:
    clipped = f"`{name}` was clipped to [-1, 1] first; it is wanted as it comes"
    yield "result-clipped", clipped, lambda x: x.clamp(-1, 1)
    yield (
        "result-clipped",
        f"`{name}` was clipped to [0, 1] first; it is wanted as it comes",
        lambda x: x.clamp(0, 1),
    )
    rescaled = f"`{name}` was brought to another range or spread first; it is wanted as it comes"
    yield "input-rescaled", rescaled, lambda x: 2 * x - 1
    yield "input-rescaled", rescaled, lambda x: (x + 1) / 2
    yield "input-rescaled", rescaled, lambda x: x / 255
    for change in _standardised():
        yield "input-rescaled", rescaled, change


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
    exponential = (
        "exp(-beta) is only roughly 1 - beta, and exp(-sum) only roughly their product: take the product"
    )
    yield "cumsum-for-cumprod", exponential, lambda betas: 1 - (-betas).exp()
    reversed_ = "the steps were taken in reverse order: the last beta of the table came first"
    yield "wrong-order", reversed_, lambda betas: torch.cat([betas[:1], betas[1:].flip(0)])


def _cumulative() -> Iterator[tuple[str, str, Callable]]:
    """Changes of alpha bar, as functions of the schedule."""
    root = "alpha bar stands where its root is wanted"
    yield "variance-as-std", root, lambda schedule: schedule.alphas_cumprod**2
    too_many = "the root of alpha bar stands where alpha bar is wanted: a root too many"
    yield "variance-as-std", too_many, lambda schedule: schedule.alphas_cumprod.sqrt()
    yield "swapped-scales", "", lambda schedule: 1 - schedule.alphas_cumprod
    yield "alpha-for-alphabar", "", lambda schedule: schedule.alphas
    exponential = (
        "exp(-sum of the betas) is only roughly alpha bar, the product of 1 - beta: take the product"
    )
    yield "cumsum-for-cumprod", exponential, lambda schedule: (-schedule.betas.cumsum(0)).exp()
    yield "cumsum-for-cumprod", "", lambda schedule: 1 - schedule.betas.cumsum(0)
    yield "beta-for-alpha", "", lambda schedule: schedule.betas.cumprod(0)
    yield "beta-for-alpha", "", lambda s: torch.cat([s.alphas_cumprod[:1], s.betas[1:].cumprod(0)])
    yield "index-shift", "", lambda schedule: schedule.alphas_cumprod.roll(1)
    yield "index-shift", "", lambda schedule: schedule.alphas_cumprod.roll(-1)


def _in_schedule(change: Callable, table: str = "alphas_cumprod") -> Callable:
    def changed(schedule: Any) -> Any:
        other = copy.copy(schedule)
        setattr(other, table, change(schedule))
        return other

    return changed


def of_results(right: Callable) -> Iterator[Transformation]:
    """What is made of the tensor that a right answer gives, or of each of several."""
    for name, sentence, change in _RESULTS:
        yield Transformation(name, sentence, lambda *args, change=change: _each(change, right(*args)))
    yield from _of_several(right)
    for change in _standardised():
        sentence = "right numbers, but then brought to mean 0 or spread 1; leave them as they come"
        yield Transformation(
            "input-rescaled", sentence, lambda *args, change=change: _each(change, right(*args))
        )
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


_PLACES = ("first", "second", "third")


def _of_several(right: Callable) -> Iterator[Transformation]:
    """What can be done to one of several results, or to their order; no result is like the others' where it is one."""

    def reordered(*args, order):
        results = right(*args)
        several = isinstance(results, list | tuple) and len(results) == len(order)
        return tuple(results[k] for k in order) if several else None

    for order in [*itertools.permutations(range(2)), *itertools.permutations(range(3))]:
        if order != tuple(sorted(order)):
            sentence = "right results, but in the wrong order: some of them changed places"
            yield Transformation(
                "results-exchanged", sentence, lambda *args, order=order: reordered(*args, order=order)
            )

    def with_one_changed(*args, place, change):
        results = right(*args)
        several = isinstance(results, list | tuple) and len(results) > place
        return tuple(change(x) if k == place else x for k, x in enumerate(results)) if several else None

    for place, word in enumerate(_PLACES):
        for name, what, change in (
            ("wrong-sign", "has the wrong sign", lambda x: -x),
            ("one-minus", "is 1 minus what is wanted", lambda x: 1 - x),
            ("ratio-upside-down", "is upside down, 1 over what is wanted", lambda x: 1 / x),
            ("one-step-too-many", "was squared at the end", torch.square),
            ("one-step-too-many", "is the root of what is wanted", torch.sqrt),
            ("result-clipped", "was clipped to [-1, 1]", lambda x: x.clamp(-1, 1)),
            ("result-clipped", "was clipped to [0, 1]", lambda x: x.clamp(0, 1)),
            ("wrong-order", "is in reversed order", lambda x: x.flip(0)),
        ):
            yield Transformation(
                name,
                f"the {word} result {what}",
                lambda *args, place=place, change=change: with_one_changed(*args, place=place, change=change),
            )


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
    ("wrong-axis", "right numbers, but with axes of length 1 too many", lambda x: x[..., None, None, None]),
    ("wrong-axis", "right numbers, but axes of length 1 were squeezed away", torch.squeeze),
    ("wrong-axis", "right numbers, but an axis of length 1 was squeezed away", lambda x: x.squeeze(0)),
    ("wrong-axis", "right numbers, but an axis of length 1 was squeezed away", lambda x: x.squeeze(1)),
    ("wrong-axis", "right numbers, but an axis of length 1 was squeezed away", lambda x: x.squeeze(-1)),
    ("wrong-axis", "right numbers, with the first two axes exchanged", lambda x: x.transpose(0, 1)),
    ("wrong-axis", "right numbers, but the first two axes were joined", lambda x: x.flatten(0, 1)),
    *(
        (
            "nearly-right",
            f"right numbers, but rounded to {places} decimals",
            lambda x, k=places: x.round(decimals=k),
        )
        for places in range(4)
    ),
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


_FACTORS = {
    1 / math.log(2): ", which is 1 / ln 2: are these bits?",
    math.log(2): ", which is ln 2: are these bits?",
    1 / math.log(10): ", which is 1 / ln 10: a logarithm to the base 10?",
    2 * math.pi: ", which is 2 pi",
    math.pi: ", which is pi",
    math.pi / 180: ", which turns degrees into radians",
    0.5: ": a factor 2 is missing, or a half is too many",
    2.0: ": a half is missing, or a factor 2 is too many",
}


def made_of_the_right_numbers(
    got: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float
) -> tuple[str, str] | None:
    """What was done to the right numbers, the same in all cases, as the name of a mistake and a sentence.

    Looked for are one factor, one number that was added, bounds, another order of the rows, a factor for each row,
    and rounding.
    """
    if [a.shape for a in got] != [b.shape for b in wanted]:
        return None
    a, b = (torch.cat([x.flatten() for x in tensors]).double() for tensors in (got, wanted))
    if not bool(a.isfinite().all() & b.isfinite().all()) or len(a) < 3:
        return None
    if number := factor(got, wanted, tolerance):
        known = next((text for value, text in _FACTORS.items() if abs(number / value - 1) < 1e-3), "")
        return "wrong-factor", f"all numbers are {number:.4g} times what is wanted{known}"

    def fits(made: Callable[[Tensor], Tensor]) -> bool:
        pairs = zip(got, wanted, strict=True)
        return all(
            _is_close(x, made(y), float(y.abs().max()) if y.numel() else 0.0, tolerance) for x, y in pairs
        )

    added = float((a - b).median())
    if abs(added) > 1e-3 * float(b.abs().max()) and fits(lambda y: y + added):
        return "wrong-constant", f"all numbers are {abs(added):.4g} too {'large' if added > 0 else 'small'}"
    low, high = float(a.min()), float(a.max())
    if low < high and fits(lambda y: y.clamp(low, high)):
        inside = float(((b > low) & (b < high)).double().mean())
        said = [f"above {high:.4g}"] * bool((b > high + 1e-3 * abs(high)).any())
        said += [f"below {low:.4g}"] * bool((b < low - 1e-3 * abs(low)).any())
        if inside > 0.3 and said:
            text = f"right numbers, but none comes out {' or '.join(said)}; leave them as they come"
            return "result-clipped", text
    if _rows_are_reordered(got, wanted, tolerance):
        return "wrong-order", "right rows, but in another order than that of the batch"
    largest = [float(y.abs().max()) for y in wanted]
    if all(
        float((x - y).abs().max()) <= 5e-3 * size for x, y, size in zip(got, wanted, largest, strict=True)
    ):
        off = max(
            float((x - y).abs().max()) / size for x, y, size in zip(got, wanted, largest, strict=True) if size
        )
        return "nearly-right", (
            f"nearly right, off by up to {100 * off:.2g} %: was something rounded, computed in half precision, or a"
            " small number added?"
        )
    if _rows_have_factors(got, wanted, tolerance):
        return (
            "wrong-factor",
            "every row of the batch is right but for a factor, and that is another one in each",
        )
    return None


def _is_close(a: Tensor, b: Tensor, largest: float, tolerance: float) -> bool:
    return bool(torch.isclose(a, b, rtol=0, atol=2 * tolerance * (largest or 1.0)).all())


def _rows_are_reordered(got: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float) -> bool:
    """Whether the rows of every case are those that are wanted, each once, in another order in some case."""
    moved = False
    for x, y in zip(got, wanted, strict=True):
        if not x.ndim or len(x) < 2:
            continue
        size, rest = float(y.abs().max()), list(range(len(y)))
        for k, row in enumerate(x):
            place = next((place for place in rest if _is_close(row, y[place], size, tolerance)), None)
            if place is None:
                return False
            moved |= place != k and not _is_close(row, y[k], size, tolerance)
            rest.remove(place)
    return moved


def _rows_have_factors(got: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float) -> bool:
    """Whether every row is a multiple of the one that is wanted, and rows are long enough for that to mean anything."""
    for x, y in zip(got, wanted, strict=True):
        if x.ndim < 2 or x[0].numel() < 4:
            return False
        a, b = x.flatten(1), y.flatten(1)
        share = (a * b).sum(1, keepdim=True) / b.square().sum(1, keepdim=True).clamp(min=1e-12)
        if not _is_close(a, share * b, float(a.abs().max()), tolerance) or bool((share.abs() < 1e-6).any()):
            return False
    return True


def shares(result: Tensor, parts: dict[str, Tensor], tolerance: float) -> dict[str, Tensor] | None:
    """By how much each part is multiplied in every row of a result, (B,); None if it is not a sum of these parts.

    Args:
        result: (B, ...), float64.
        parts: tensors of the same shape.
        tolerance: how far the sum may be off, as a share of the largest number.
    """
    rows = torch.stack([part.double().flatten(1) for part in parts.values()], dim=2)  # (B, numbers, parts)
    if rows.shape[1] <= rows.shape[2]:
        return None
    wanted = result.flatten(1)[..., None]
    found = torch.linalg.lstsq(rows, wanted).solution
    size = float(result.abs().max()) or 1.0
    if not bool(((rows @ found - wanted).abs() <= 3 * tolerance * size).all()):
        return None
    return dict(zip(parts, found[..., 0].T, strict=True))
