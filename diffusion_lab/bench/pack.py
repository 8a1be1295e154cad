"""Calls and their arguments as bytes: what a plan is made of, and how two calls are known to be the same.

Arguments are pickled, and only a plan of the grader's own is ever unpickled, in the box. What comes out of the box is a
`record`, which is none.
"""

import hashlib
import io
import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_lab.bench.notes import Notes


class Call(NamedTuple):
    """The arguments of a call, whether it is a strict one, and one with the same dice; see `calls.run`."""

    args: tuple
    strict: bool = False
    same_dice: bool = False


def _tensor(content: bytes, dtype: str, shape: tuple, wants_gradients: bool) -> Tensor:
    numbers = torch.from_numpy(np.frombuffer(bytearray(content), dtype).reshape(shape))
    return numbers.requires_grad_(wants_gradients)


def _parameter(tensor: Tensor, wants_gradients: bool) -> nn.Parameter:
    return nn.Parameter(tensor, wants_gradients)


def _generator(state: Tensor) -> torch.Generator:
    made = torch.Generator()
    made.set_state(state)
    return made


class _Pickler(pickle.Pickler):
    """Writes tensors as their numbers, and the `notes` of stand-ins, in their order, as nothing but their places."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, protocol=4)
        self.notes: list[Notes] = []

    def persistent_id(self, value: Any) -> int | None:
        """The place of notes."""
        if not isinstance(value, Notes):
            return None
        places = [k for k, known in enumerate(self.notes) if known is value]
        if not places:
            self.notes.append(value)
        return places[0] if places else len(self.notes) - 1

    def reducer_override(self, value: Any) -> Any:
        """How tensors and generators are written."""
        if type(value) is nn.Parameter:
            return _parameter, (value.detach(), value.requires_grad)
        if type(value) is Tensor:
            content = value.detach().contiguous().numpy()
            return _tensor, (content.tobytes(), content.dtype.str, content.shape, value.requires_grad)
        if isinstance(value, torch.Generator):
            return _generator, (value.get_state(),)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content))
        self.notes: dict[int, Notes] = {}

    def persistent_load(self, place: int) -> Notes:
        return self.notes.setdefault(place, Notes())


def packed(calls: Sequence[Call]) -> list[bytes]:
    """Write calls, each for itself."""
    return [_written(tuple(call))[0] for call in calls]


def unpacked(content: bytes) -> tuple[Call, list[Notes]]:
    """Read a call, and the notes that its stand-ins will make."""
    unpickler = _Unpickler(content)
    call = Call(*unpickler.load())
    return call, [unpickler.notes[place] for place in sorted(unpickler.notes)]


def identified(call: Call) -> tuple[str, list[Notes]]:
    """What tells a call from others with other arguments, and the notes of its stand-ins."""
    content, notes = _written(tuple(call), fast=True)
    return hashlib.sha256(content).hexdigest(), notes


def _written(call: tuple, fast: bool = False) -> tuple[bytes, list[Notes]]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.fast = fast  # then the same content is written in the same way, whatever is shared in it
    pickler.dump(call)
    return file.getvalue(), pickler.notes
