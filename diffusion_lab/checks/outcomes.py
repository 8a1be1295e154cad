"""What an answer did with one set of inputs, and whether that is the same as what was wanted.

Inputs come from a `Draw`; `run` calls a function with clones of them and keeps its numbers, or what went
wrong.
"""

import contextlib
import copy
import functools
import hashlib
import io
import math
import random
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_lab.checks import forbidden

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


class Outcome(NamedTuple):
    """What a function did with one set of inputs: its tensors, or an error, or a problem (name, text) with the form."""

    value: Any = None
    tensors: tuple = ()
    error: BaseException | None = None
    problem: tuple[str, str] | None = None
    printed: str = ""
    changed: frozenset[int] = frozenset()  # the places of the inputs that are not what they were
    left_gradients_off: bool = False


def _clone(value: Any) -> Any:
    if isinstance(value, torch.Generator):
        copied = torch.Generator(value.device)
        copied.set_state(value.get_state())
        return copied
    return value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def _tensors(value: Any) -> tuple:
    """Read a tensor, an array, a number, or a sequence of such, as float64.

    A `TypeError` says if it is none.
    """
    if isinstance(value, list | tuple):
        return tuple(tensor for part in value for tensor in _tensors(part))
    if not isinstance(value, Tensor | np.ndarray | np.generic | int | float):
        raise TypeError(f"a tensor or a number was wanted, got {type(value).__name__}")
    tensor = torch.as_tensor(value).detach()
    if tensor.is_complex() or tensor.device.type != "cpu":
        raise TypeError(
            f"real numbers on the CPU, as the inputs are, were wanted; got {tensor.dtype} on {tensor.device}"
        )
    return (tensor.double(),)


def _is_as_before(value: Any, before: Any) -> bool:
    """Whether an input still holds the numbers that it held; of what is no container of numbers nothing is asked."""
    if isinstance(before, Tensor):
        alike = isinstance(value, Tensor) and value.shape == before.shape
        return alike and bool(torch.isclose(value.detach(), before, rtol=0, atol=0, equal_nan=True).all())
    if isinstance(before, nn.Module):
        wanting = [[p.requires_grad for p in network.parameters()] for network in (value, before)]
        return wanting[0] == wanting[1] and _is_as_before(dict(value.state_dict()), dict(before.state_dict()))
    if isinstance(before, dict):
        return value.keys() == before.keys() and all(_is_as_before(value[key], before[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(value) == len(before) and all(map(_is_as_before, value, before))
    if hasattr(before, "alphas_cumprod"):  # a schedule
        return _is_as_before(vars(value), vars(before))
    return not isinstance(before, int | float | str) or value == before


@contextlib.contextmanager
def torch_as_before() -> Iterator[None]:
    """Put back what an answer may have set for the whole program, so that it does not spoil what comes next.

    These are whether gradients are computed, the dtype that new tensors get, and whether only deterministic
    algorithms may run.
    """
    with_gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    algorithms = _algorithms()
    try:
        yield
    finally:
        torch.set_grad_enabled(with_gradients)
        torch.set_default_dtype(dtype)
        if _algorithms() != algorithms:
            torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])


def _algorithms() -> tuple[bool, bool]:
    """Whether only deterministic algorithms may run, and whether others only warn."""
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def dice() -> tuple:
    """Give the state of the random numbers of torch on the CPU, of numpy and of Python, for `set_dice`."""
    of_numpy = np.random.get_state()  # noqa: NPY002 -- the generator that an answer may use
    return torch.random.get_rng_state(), of_numpy, random.getstate()


def set_dice(state: tuple) -> None:
    """Put random numbers back to where they were."""
    of_torch, of_numpy, of_python = state
    torch.random.set_rng_state(of_torch)
    np.random.set_state(of_numpy)  # noqa: NPY002
    random.setstate(of_python)


@contextlib.contextmanager
def dice_as_before() -> Iterator[None]:
    """Put random numbers back behind a whole check.

    Not behind each call: an answer that draws its own noise is found out because two calls of it differ.
    """
    state = dice()
    try:
        yield
    finally:
        set_dice(state)


_changed: set[int] = set()  # the places of inputs that a `prepare` saw change in the copies that it handed on


def note_changes(values: Sequence, before: Sequence) -> None:
    """Compare what a `prepare` has handed on to an answer with what it was before, for `run` to tell."""
    pairs = enumerate(zip(values, before, strict=True))
    _changed.update(k for k, (value, kept) in pairs if not _is_as_before(value, kept))


def run(function: Callable, args: Sequence, without: Sequence[str] = ()) -> Outcome:
    """Call with clones of the inputs, and catch what is raised, printed and warned.

    The helpers of `without` raise meanwhile; see `forbidden`. What an answer sets for the whole program is put back.
    """
    printed, given, with_gradients = io.StringIO(), [_clone(value) for value in args], torch.is_grad_enabled()
    _changed.clear()
    try:
        with (
            torch_as_before(),
            forbidden.without(without) as used,
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            value = function(*given)
            is_off = with_gradients and not torch.is_grad_enabled()
    except (Exception, SystemExit) as error:
        return Outcome(error=forbidden.Used(used[0]) if used else error, printed=printed.getvalue())
    if used:
        return Outcome(error=forbidden.Used(used[0]), printed=printed.getvalue())
    pairs = zip(given, args, strict=True)
    changed = _changed | {k for k, pair in enumerate(pairs) if not _is_as_before(*pair)}
    outcome = Outcome(
        value, printed=printed.getvalue(), changed=frozenset(changed), left_gradients_off=is_off
    )
    try:
        return outcome._replace(tensors=_tensors(value))
    except TypeError as error:
        return outcome._replace(problem=("wrong-type", str(error)))


def with_gradients(number: int, shape: Callable[..., Sequence[int]], also_without: bool = False) -> Callable:
    """Make a `prepare` of a task: the tensor of an answer, and the gradients that it sends to its first arguments.

    `number` says to how many, and ``shape(*args)`` what shape the tensor has to have; anything else is left
    as it is. A list of tensors counts as stacked; a `TypeError` says if it cannot be, for what is added must
    come from here. With `also_without`, the last result is the tensor of a second call, in which no gradients
    are asked for.
    """
    prepared: weakref.WeakSet = weakref.WeakSet()

    def prepare(answer: Callable) -> Callable:
        if answer in prepared:  # a formula of the module of checks
            return answer

        @functools.wraps(answer)
        def call(*args):
            leaves = [value.detach().requires_grad_() for value in args[:number]]
            others = [_clone(value) for value in args[number:]]
            with torch.enable_grad():
                copies = [leaf * 1 for leaf in leaves]  # a leaf itself cannot be changed in place
                out = answer(*copies, *args[number:])
                note_changes(copies, [leaf.detach() for leaf in leaves])
                if isinstance(out, list | tuple):
                    try:
                        out = torch.stack(list(out))
                    except (TypeError, RuntimeError):
                        kind = type(out).__name__
                        raise TypeError(f"one tensor was wanted, got a {kind} of {len(out)}") from None
                out = (
                    torch.tensor(out) if isinstance(out, float) else out
                )  # so that the number is looked at as well
                if not isinstance(out, Tensor) or out.shape != tuple(shape(*args)):
                    return out
                if out.requires_grad:
                    (out * torch.arange(1.0, 1 + out.numel()).reshape(out.shape).sin()).sum().backward()
            gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
            if not also_without:
                return out, *gradients
            with torch.no_grad():
                quiet = answer(*(leaf.detach().clone() for leaf in leaves), *others)
            if isinstance(quiet, list | tuple):
                quiet = torch.stack(list(quiet))
            return out, *gradients, quiet

        call.plain = answer
        prepared.add(call)
        return call

    return prepare


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


def took_one_for_a_number(error: BaseException | None) -> bool:
    """Whether numpy read a tensor of one index as a number, so that a table gave a number and no batch of one."""
    words = ("numpy.float64", "scalar variable", "array is 0-dimensional")
    return error is not None and any(word in str(error) for word in words)


def lacks_its_axis(outcome: Outcome, wanted: Outcome) -> bool:
    """Whether a number came where a batch of one was wanted."""
    shapes = [[tuple(tensor.shape) for tensor in found.tensors] for found in (outcome, wanted)]
    return shapes == [[()], [(1,)]]


def reads_one_as_a_number(function: Callable, args: Sequence, outcome: Outcome) -> bool:
    """Whether a batch of one came back as a number for no other reason than numpy's reading of one index.

    It does not if numpy is kept from reading a tensor of one element as a number.
    """

    def refuse(_tensor: Tensor) -> int:
        raise TypeError("only an array of indices is wanted here")

    if not isinstance(outcome.value, Tensor | np.ndarray | np.generic) or outcome.value.ndim:
        return True  # a number of Python, or a list
    with mock.patch.object(Tensor, "__index__", refuse):
        again = run(function, args)
    return bool(again.error) or any(tensor.ndim for tensor in again.tensors)


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


def says_not_implemented(error: BaseException | None) -> bool:
    """Whether an error is the ``raise NotImplementedError`` of a function that is still to be written, not torch's."""
    if not isinstance(error, NotImplementedError):
        return False
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    return not str(error) or line.startswith("raise")


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
        return "wrong-type", f"a tensor that gradients can pass was wanted, got {type(got.value).__name__}"
    dtype = getattr(got.value, "dtype", None)
    if isinstance(dtype, torch.dtype) and dtype not in (torch.float32, torch.float64):
        whole = all(bool((b == b.round()).all()) for b in ideal)
        return None if whole else ("wrong-dtype", f"float32 or float64 was wanted, got {dtype}")
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
