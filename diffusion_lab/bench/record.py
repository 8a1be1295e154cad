"""The record of an answer: what the bench tells of it, as a text of JSON with safetensors inside.

`kept` writes one, beside the answer. `read` reads one, where the checks are; whoever handed in the answer may have
written it, so it is held to sizes, shapes and types, and whatever it says makes no code run.
"""

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from diffusion_lab.bench import calls, pack
from diffusion_lab.bench.calls import LARGEST, LONGEST, Outcome, Raised, Unusable
from diffusion_lab.bench.values import MOST, Given, given

MIME = "application/vnd.diffusion-lab.record+json"
MOST_BYTES = 16 * 2**20
"""How long a record may be; the longest of a right answer have 3 MiB."""
MOST_NOTES = 10_000
PROBLEMS = ("wrong-type", "wrong-shape")
UNUSABLE = ("wrong-type", "weights-for-network")
_DTYPES = (torch.float32, torch.float64, torch.int64, torch.bool)
_NAME = re.compile(r"\w{1,100}")
_DTYPE = re.compile(r"[\w.]{0,40}")


class Unreadable(ValueError):
    """A record is none that a bench writes."""


class Told(NamedTuple):
    """What came of one call: the outcome, and what each stand-in was told."""

    outcome: Outcome
    notes: list[list[tuple]]


# beside the answer


def kept(answer: Any, plan: Iterable[bytes], prepare: Callable | None, without: Sequence[str]) -> str:
    """Make the calls of a plan and keep what comes of them."""
    try:
        function = calls.taken(answer, prepare)
    except Unusable as unusable:
        return json.dumps({"unusable": [unusable.name, unusable.text[:LONGEST]]})
    if function is None:
        return json.dumps({"blank": True})
    tensors: list[Tensor] = []
    made = [_told(function, content, without, tensors) for content in plan]
    return json.dumps({"calls": made, "tensors": _saved(tensors)})


def kept_numbers(answer: Any) -> str:
    """Keep an answer in numbers."""
    numbers, shown = given(answer)
    return json.dumps(
        {"numbers": [[label, _plain(value)] for label, value in numbers.items()], "shown": shown}
    )


def _told(function: Callable, content: bytes, without: Sequence[str], tensors: list[Tensor]) -> dict:
    call, notes = pack.unpacked(content)
    outcome = calls.run(function, call.args, without, call.strict, call.same_dice)
    entries = [stand_in.entries[:MOST_NOTES] for stand_in in notes]
    return {
        "kind": outcome.kind[:100],
        "dtype": outcome.dtype[:40],
        "is_array": outcome.is_array,
        "tensors": [_packed(_narrow(tensor), tensors) for tensor in outcome.tensors],
        "error": list(outcome.error) if outcome.error else None,
        "problem": outcome.problem,
        "printed": outcome.printed,
        "changed": sorted(outcome.changed),
        "left_gradients_off": outcome.left_gradients_off,
        "notes": [[[_packed(value, tensors) for value in entry] for entry in told] for told in entries],
    }


def _narrow(tensor: Tensor) -> Tensor:
    """The same numbers in half the space, where that is possible."""
    small = tensor.float()
    return small if bool(((small.double() == tensor) | tensor.isnan()).all()) else tensor


def _packed(value: Any, tensors: list[Tensor]) -> Any:
    """A value as JSON, its tensor put into a list; what is neither is told by the name of its type."""
    if isinstance(value, Tensor) and value.dtype in _DTYPES and value.numel() <= LARGEST:
        tensors.append(value.detach().clone(memory_format=torch.contiguous_format))
        return {"tensor": len(tensors) - 1, "wants_gradients": value.requires_grad}
    if value is None or isinstance(value, bool | int | float | str):
        return _plain(value)
    return {"other": type(value).__name__[:100]}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, int) and abs(value) > 2**60:
        return {"other": "int"}
    return value[:LONGEST] if isinstance(value, str) else value


def _saved(tensors: list[Tensor]) -> str:
    return base64.b64encode(
        safetensors.torch.save({str(k): tensor for k, tensor in enumerate(tensors)})
    ).decode()


# where the checks are


class Other:
    """What was told of a value that cannot be sent: that it was none of those that can."""


def read(text: str, number: int | None) -> list[Told] | Given | Unusable | None:
    """Read a record of so many calls, or of an answer in numbers if `number` is None.

    Returns:
        What came of the calls, or the numbers; an `Unusable` if the answer cannot be called, None if it is blank.

    Raises:
        Unreadable: if it is no record, or one of something else.
    """
    if not isinstance(text, str) or len(text) > MOST_BYTES:
        raise Unreadable(f"a record of at most {MOST_BYTES:,} bytes was wanted")
    try:
        content = json.loads(text)
        if number is None:
            return _numbers(content)
        if content.get("blank") is True:
            return None
        if "unusable" in content:
            name, sentence = content["unusable"]
            return Unusable(_one_of(name, UNUSABLE), _text(sentence))
        if len(content["calls"]) != number:
            raise Unreadable(f"{number} calls were wanted")
        tensors = _loaded(content["tensors"])
        return [_outcome(told, tensors) for told in content["calls"]]
    except Unreadable:
        raise
    except (Exception, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:300]) from None


def _numbers(content: dict) -> Given:
    numbers = {_text(label): _value(value, []) for label, value in content["numbers"][:MOST]}
    if not all(value is None or isinstance(value, int | float | str) for value in numbers.values()):
        raise Unreadable("numbers were wanted")
    return Given(
        {k: float(v) if isinstance(v, int) else v for k, v in numbers.items()}, _text(content["shown"])
    )


def _loaded(text: str) -> list[Tensor]:
    held = safetensors.torch.load(base64.b64decode(text, validate=True))
    tensors = [held[str(k)] for k in range(len(held))]
    if any(tensor.dtype not in _DTYPES or tensor.numel() > LARGEST or tensor.ndim > 16 for tensor in tensors):
        raise Unreadable("a tensor is larger than any that is wanted, or of another type")
    return tensors


def _outcome(told: dict, tensors: list[Tensor]) -> Told:
    error, problem = told["error"], told["problem"]
    results = [_value(value, tensors) for value in told["tensors"]]
    if not all(isinstance(result, Tensor) for result in results) or len(results) > 1000:
        raise Unreadable("the results of a call are tensors")
    if sum(result.numel() for result in results) > LARGEST:
        raise Unreadable("a call gave more numbers than are wanted")
    if sum(map(len, told["notes"])) > MOST_NOTES * 10:
        raise Unreadable("more notes than any stand-in makes")
    outcome = Outcome(
        _matching(_NAME, told["kind"]) if told["kind"] else "",
        _matching(_DTYPE, told["dtype"]),
        told["is_array"] is True,
        tuple(result.double() for result in results),
        _raised(*error) if error else None,
        (_one_of(problem[0], PROBLEMS), _text(problem[1])) if problem else None,
        _text(told["printed"]),
        frozenset(place for place in told["changed"] if isinstance(place, int)),
        told["left_gradients_off"] is True,
    )
    notes = [
        [tuple(_value(value, tensors) for value in entry) for entry in entries] for entries in told["notes"]
    ]
    return Told(outcome, notes)


def _raised(kind: Any, message: Any, where: Any, is_blank: Any, sign: Any, helper: Any) -> Raised:
    sign = None if sign is None else _text(sign)
    return Raised(_matching(_NAME, kind), _text(message), _text(where), is_blank is True, sign, _text(helper))


def _value(value: Any, tensors: Sequence[Tensor]) -> Any:
    if isinstance(value, dict):
        if "float" in value:
            return float(value["float"])
        if "other" in value:
            return Other()
        tensor, wants_gradients = tensors[value["tensor"]], value["wants_gradients"] is True
        return tensor.clone().requires_grad_(wants_gradients and tensor.is_floating_point())
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise Unreadable("a text is longer than any that is written, or none")
    return value


def _matching(pattern: re.Pattern, value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable(f"{value!r:.60} is no name")
    return value


def _one_of(value: Any, values: Sequence[str]) -> str:
    if value not in values:
        raise Unreadable(f"{value!r:.60} is none of {', '.join(values)}")
    return value
