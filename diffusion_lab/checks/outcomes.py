"""Inputs to try an answer with, and whether what it did with them is the same as what was wanted."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusion_lab.bench.calls import Outcome, Raised

TOLERANCE = 1000 * torch.finfo(torch.float32).eps
"""How far an answer may be off, as a share of the largest number wanted: room for a thousand float32 roundings."""
EDGE = 0.05  # share of the last printed digit that a number keeps away from where rounding goes up instead of down


class Draw:
    """Random inputs that depend on the key (nonce, task, attempt) and on nothing else.

    Float32, on the CPU.
    """

    def __init__(self, *key):
        """Seed from the key."""
        seed = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], "big")
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers."""
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).float()

    def uniform(self, low: int | float, high: int | float, *shape: int) -> Tensor:
        """Draw evenly from `low` to `high`."""
        return (torch.rand(shape, generator=self.generator, dtype=torch.float64) * (high - low) + low).float()

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Draw whole numbers, both ends included."""
        return torch.randint(low, high + 1, shape, generator=self.generator)

    def shuffled(self, values: Sequence) -> Tensor:
        """Put numbers into a random order."""
        return torch.as_tensor(values)[torch.randperm(len(values), generator=self.generator)]


def stacked(tensors: tuple) -> tuple:
    """Several tensors of one shape as a single one; as they are if their shapes differ."""
    return (torch.stack(tensors),) if len({tensor.shape for tensor in tensors}) == 1 else tensors


def aligned(got: tuple, wanted: tuple) -> tuple:
    """A list of tensors where one tensor is wanted counts as stacked, a single number as a batch of one."""
    if len(got) == len(wanted) == 1 and not got[0].ndim and wanted[0].shape == (1,):
        return (got[0].reshape(1),)
    return stacked(got) if len(wanted) == 1 < len(got) else got


def _off(got: Tensor, wanted: Tensor, tolerance: float) -> Tensor:
    """Where two tensors of one shape differ by more than rounding."""
    finite = wanted[wanted.isfinite()].abs()
    largest = float(finite.max()) if finite.numel() else 0.0
    return ~torch.isclose(got, wanted, rtol=0, atol=tolerance * (largest or 1.0), equal_nan=True)


def differing_rows(got: Tensor, wanted: Tensor, tolerance: float) -> Tensor:
    """Which rows of two tensors of one shape differ by more than rounding, (B,)."""
    return _off(got, wanted, tolerance).flatten(1).any(1) if wanted.ndim > 1 else _off(got, wanted, tolerance)


def same(got: tuple, wanted: tuple, tolerance: float = TOLERANCE) -> bool:
    """Whether two outcomes have the same shapes and, up to rounding, the same numbers."""
    got = aligned(got, wanted)
    pairs = list(zip(got, wanted, strict=False))
    alike = len(got) == len(wanted) and all(a.shape == b.shape for a, b in pairs)
    return alike and not any(bool(_off(a, b, tolerance).any()) for a, b in pairs)


def differs_for_sure(got: tuple, wanted: tuple, tolerance: float) -> bool:
    """Whether finite numbers differ: an answer full of NaN says nothing about how it came to be."""
    got = aligned(got, wanted)
    if [a.shape for a in got] != [b.shape for b in wanted]:
        return any(bool(a.isfinite().any()) for a in got)
    pairs = zip(got, wanted, strict=True)
    return any(bool((_off(a, b, tolerance) & a.isfinite() & b.isfinite()).any()) for a, b in pairs)


def took_one_for_a_number(error: Raised | None) -> bool:
    """Whether numpy read a tensor of one index as a number, so that a table gave a number and no batch of one."""
    words = ("numpy.float64", "scalar variable", "array is 0-dimensional")
    return error is not None and any(word in error.message for word in words)


def lacks_its_axis(outcome: Outcome, wanted: Outcome) -> bool:
    """Whether a number came where a batch of one was wanted."""
    shapes = [[tuple(tensor.shape) for tensor in found.tensors] for found in (outcome, wanted)]
    return shapes == [[()], [(1,)]]


def is_sound(outcome: Outcome, wanted: Outcome) -> bool:
    """Whether an outcome has the shapes that are wanted, and finite numbers wherever those are finite."""
    if outcome.error or outcome.problem or wanted.error:
        return False
    tensors = aligned(outcome.tensors, wanted.tensors)
    return [a.shape for a in tensors] == [b.shape for b in wanted.tensors] and all(
        bool((a.isfinite() | ~b.isfinite()).all()) for a, b in zip(tensors, wanted.tensors, strict=True)
    )


def others(value: Any) -> list:
    """Other values in the place of an argument, of the same kind; none if they could break the others' rules."""
    if isinstance(value, Tensor) and value.ndim and len(value) > 1:
        scale = 0.7 if value.is_floating_point() and value.ndim > 1 else 1
        return [value.flip(0) * scale, value.roll(1, 0) * scale]
    if isinstance(value, Tensor) and value.is_floating_point() and value.ndim > 1:
        return [value * 0.7]
    if hasattr(value, "from_betas"):  # a schedule
        return [type(value).from_betas(0.9 * value.betas[1:].flip(0))]
    return [value * 0.9, value * 0.6] if isinstance(value, float) else []


def number_text(value: float) -> str:
    """Print a number with 3 decimals, and -0.0 as 0."""
    return f"{round(value, 3) + 0.0:.3f}"


def numbers_text(values: dict[str, float]) -> str:
    """Print numbers with what they are, in a line."""
    return ", ".join(f"{label} {number_text(value)}" for label, value in values.items())


def steady(values: dict[str, float]) -> bool:
    """Whether rounding to 3 decimals cannot tip over."""
    return all(math.isfinite(v) and abs(abs(v) * 1000 % 1 - 0.5) > EDGE for v in values.values())


def describe(value: Any) -> str:
    """Say in short what an input was."""
    if isinstance(value, Tensor):
        few = value.numel() <= 8 and value.ndim <= 1
        return (
            str([round(v, 4) for v in value.flatten().tolist()])
            if few
            else f"{tuple(value.shape)} {value.dtype}"
        )
    return "a function" if callable(value) else repr(value)[:80]


def form(got: Outcome, wanted: Outcome, names: Sequence[str] = ()) -> tuple[str, str] | None:
    """What is wrong with the number of results, their shape or dtype, or with numbers that are none.

    With `names`, all results but the first were made from it, which needs the first to have the right form.
    """
    ideal = wanted.tensors[:1] if names and len(got.tensors) != len(wanted.tensors) else wanted.tensors
    tensors = got.tensors if names else aligned(got.tensors, ideal)
    if len(tensors) != len(ideal):
        number = "one result was" if len(ideal) == 1 else f"{len(ideal)} results were"
        return "wrong-shape", f"{number} wanted, got {len(tensors)}"
    for a, b in zip(tensors, ideal, strict=True):
        if a.shape != b.shape:
            return "wrong-shape", f"shape {tuple(b.shape)} was wanted, got {tuple(a.shape)}"
        if bool((~a.isfinite() & b.isfinite()).any()):
            number = int((~a.isfinite() & b.isfinite()).sum())
            return (
                "not-finite",
                f"{number} of {a.numel()} numbers are NaN or infinite: a root below 0, or x / 0?",
            )
    if names and len(got.tensors) != len(wanted.tensors):
        return "wrong-type", f"a tensor that gradients can pass was wanted, got {got.kind}"
    if got.dtype.startswith("torch.") and got.dtype not in ("torch.float32", "torch.float64"):
        whole = all(bool((b == b.round()).all()) for b in ideal)
        return None if whole else ("wrong-dtype", f"float32 or float64 was wanted, got {got.dtype}")
    return None


def where(
    got: tuple, wanted: tuple, tolerance: float, names: Sequence[str] = (), has_places: bool = True
) -> str:
    """Where two outcomes of the same form differ, and by how much; `names` are those of several results.

    `has_places` is false where their axes are ours, and would tell nobody anything.
    """
    pairs = enumerate(zip(got, wanted, strict=True), 1)
    k, (a, b) = next(pair for pair in pairs if bool(_off(*pair[1], tolerance).any()))
    ordinals = ("the first result", "the second result", "the third result")
    result = (
        names[k - 1]
        if names
        else "the result"
        if len(got) == 1
        else [*ordinals, f"result {k}"][min(k - 1, 3)]
    )
    if not has_places:
        return f"What differs: {result}"
    if not a.ndim:
        return f"{result} differs: got {a.item():.4f}, wanted {b.item():.4f}"
    place = int((a - b).abs().nan_to_num(0).argmax())
    index = [int(i) for i in np.unravel_index(place, a.shape)]
    share = (
        f"{int(_off(a, b, tolerance).sum())} of {a.numel()} numbers of {result}, shape {tuple(a.shape)},"
        " differ"
    )
    return f"{share}; the most at {index}: got {a.flatten()[place]:.4f}, wanted {b.flatten()[place]:.4f}"
