"""The ends of what a statement allows, where answers go wrong that are right on ordinary inputs.

A task declares which ends its statement allows, and its cases have to contain them: `Task.ends_of` tells for a case
which of them it has. A message uses the same words: "right on ordinary inputs, and wrong in a batch of one".
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

LARGE, SMALL = 30.0, 0.05
"""From where on numbers count as very large, and up to where as very small."""
_TABLES = ("betas", "data", "latents", "weight", "bias", "table", "moves", "numbers")
_NO_BATCHES = (*_TABLES, "student", "target", "teacher")


class End(NamedTuple):
    """One end: how a message calls it, and whether a case, its arguments by name, has it.

    At an extreme one, numbers may overflow and shapes collapse, so that two formulas that are the same elsewhere
    differ there; an answer that breaks there is no evidence of which mistake it makes.
    """

    name: str
    is_in: Callable[[Mapping[str, Any]], bool]
    is_extreme: bool = False
    time: str = ""  # "first", "one" or "last", if it is about single elements of a batch, by their time


def border(name: str, is_in: Callable[..., bool], is_extreme: bool = False) -> End:
    """Make an end of one task; `is_in` takes the arguments of a case in their order."""
    return End(name, lambda given: bool(is_in(*given.values())), is_extreme)


def _tensors(given: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in given.items() if isinstance(value, Tensor)}


def _floats(given: Mapping[str, Any]) -> list[Tensor]:
    """The floating numbers of a case that are no table."""
    numbers = [
        value for name, value in given.items() if isinstance(value, Tensor | float) and name != "betas"
    ]
    tensors = [torch.as_tensor(value) for value in numbers]
    return [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]


def _has_time(given: Mapping[str, Any], time: int) -> bool:
    return "t" in given and bool((torch.as_tensor(given["t"]) == time).any())


def _last(given: Mapping[str, Any]) -> int:
    schedule = given.get("schedule")
    return schedule.timesteps if schedule is not None else len(given["betas"]) - 1


def _is_batch_of_one(given: Mapping[str, Any]) -> bool:
    batches = [value for name, value in _tensors(given).items() if value.ndim and name not in _NO_BATCHES]
    return bool(batches) and len(batches[0]) == 1


def _is_not_square(given: Mapping[str, Any]) -> bool:
    return any(value.ndim >= 4 and value.shape[-1] != value.shape[-2] for value in _tensors(given).values())


def _has_real_pictures(given: Mapping[str, Any]) -> bool:
    real = [value for value in _floats(given) if value.shape[-2:] == (28, 28)]
    return any(bool(((value == -1).float().mean() > 0.1) & (value.abs() <= 1).all()) for value in real)


def _has_different_times(given: Mapping[str, Any]) -> bool:
    t = given.get("t")
    return isinstance(t, Tensor) and t.numel() > 1 and bool((t != t.flatten()[0]).any())


def _has_several_channels(given: Mapping[str, Any]) -> bool:
    return any(value.ndim == 4 and value.shape[1] > 1 for value in _tensors(given).values())


def rows_with(end: End, given: Mapping[str, Any]) -> Tensor | None:
    """Which elements of a batch have the time that an end is about, (B,); None if it is about none."""
    t = given.get("t")
    if not end.time or not isinstance(t, Tensor) or t.ndim != 1:
        return None
    return t == {"first": 0, "one": 1, "last": _last(given) if end.time == "last" else 0}[end.time]


def explaining(properties: Mapping[str, Sequence[bool]], wrong: Sequence[bool]) -> list[str]:
    """The property that all wrong cases have, and no right one; else the two that only the wrong ones have, and all.

    Where more than two explain it alike, none does.
    """
    single = [name for name, has in properties.items() if list(has) == list(wrong)]
    if single:
        return single if len(single) <= 2 else []
    useful = {name: has for name, has in properties.items() if any(has)}
    pairs = [
        [a, b]
        for a, b in itertools.combinations(useful, 2)
        if [x or y for x, y in zip(useful[a], useful[b], strict=True)] == list(wrong)
    ]
    return pairs[0] if len(pairs) == 1 else []


T_IS_ZERO = End("at t = 0", lambda given: _has_time(given, 0), time="first")
T_IS_ONE = End("at t = 1", lambda given: _has_time(given, 1), time="one")
T_IS_LAST = End("at t = T", lambda given: _has_time(given, _last(given)), time="last")
BATCH_OF_ONE = End("in a batch of one", _is_batch_of_one, is_extreme=True)
NOT_SQUARE = End("with pictures that are not square", _is_not_square)
REAL_PICTURES = End("with real pictures", _has_real_pictures)
VERY_LARGE = End(
    "with very large numbers", lambda given: any(bool(x.abs().max() > LARGE) for x in _floats(given)), True
)
VERY_SMALL = End(
    "with very small numbers",
    lambda given: any(bool(0 < x.abs().max() < SMALL) for x in _floats(given)),
    True,
)
FLOAT64 = End(
    "with a table in float64", lambda given: any(x.dtype == torch.float64 for x in _tensors(given).values())
)

DIFFERENT_TIMES = End("where the elements of a batch have different times", _has_different_times)
SEVERAL_CHANNELS = End("with pictures of several channels", _has_several_channels)
ORDINARY = (DIFFERENT_TIMES, SEVERAL_CHANNELS)
"""What is no end, and explains all the same where an answer goes wrong."""
