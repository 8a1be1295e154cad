"""Calling an answer with copies of its inputs, and what came of that, as plain data that can be sent and kept."""

import contextlib
import copy
import io
import linecache
import random
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_lab.bench import forbidden

LARGEST = 2**18
"""How many numbers one call may return; the largest of a right answer are some 80,000."""
LONGEST = 2000  # characters of a message, and of what is printed
NOT_THE_STUDENT = (
    str(Path(__file__).parents[1]),
    str(Path(torch.__file__).parents[1]),
    sysconfig.get_path("stdlib"),
)


class Raised(NamedTuple):
    """An error as plain data."""

    kind: str  # the name of its type
    message: str
    where: str = ""  # the student's own line, "" if none was on the way
    is_blank: bool = False  # the ``raise NotImplementedError`` of a function that is still to be written
    sign: str | None = (
        None  # what errors of answers that make the same mistake have in their message, if it says so
    )
    helper: str = ""  # the forbidden helper that was called, if that is what it is about

    @classmethod
    def of(cls, error: BaseException) -> "Raised":
        """Say what was raised, and where."""
        if isinstance(error, Replayed):
            return error.raised
        sign = getattr(error, "sign", None)
        return cls(
            type(error).__name__,
            str(error)[:LONGEST],
            _students_line(error),
            _says_not_implemented(error),
            sign if isinstance(sign, str) else None,
            error.name if isinstance(error, forbidden.Used) else "",
        )


class Replayed(Exception):
    """An error that was raised before, elsewhere."""

    def __init__(self, raised: Raised):
        """Keep it."""
        super().__init__(raised.message)
        self.raised = raised


class Outcome(NamedTuple):
    """What a function did with one set of inputs: its tensors, or an error, or a problem (name, text) with the form."""

    kind: str = ""  # the name of the type of what was returned
    dtype: str = ""  # such as "torch.float32", or numpy's "float64"
    is_array: bool = False  # whether that is a tensor, or numpy's
    tensors: tuple = ()  # float64
    error: Raised | None = None
    problem: tuple[str, str] | None = None
    printed: str = ""
    changed: frozenset[int] = frozenset()  # the places of the inputs that are not what they were
    left_gradients_off: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was returned."""
        return self.error is None and self.kind in ("NoneType", "ellipsis")


class Unusable(Exception):
    """What a harness says of an answer that it cannot take at all; the arguments are those of a mistake."""

    def __init__(self, name: str, text: str):
        """Keep the name of what is wrong, and a sentence."""
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


def _students_line(error: BaseException) -> str:
    """The last line of the student's on the way to an error; "" if there is none."""
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(NOT_THE_STUDENT)
    ]
    if not frames:
        return ""
    code, number = frames[-1]
    return f"in line {number} of {code.co_name}:  {linecache.getline(code.co_filename, number).strip()}"[:500]


def _says_not_implemented(error: BaseException) -> bool:
    """Whether an error is the ``raise NotImplementedError`` of a function that is still to be written, not torch's."""
    if not isinstance(error, NotImplementedError):
        return False
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    return not str(error) or line.startswith("raise")


def clone(value: Any) -> Any:
    """Copy an input, so that an answer may do with it what it likes."""
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
    """Put random numbers back after a block of code."""
    state = dice()
    try:
        yield
    finally:
        set_dice(state)


def _throw_the_same() -> None:
    """Let all random numbers begin at one place, the same every time."""
    of_numpy = np.random.RandomState(0).get_state()
    set_dice((torch.Generator().manual_seed(0).get_state(), of_numpy, random.Random(0).getstate()))


_changed: set[int] = set()  # the places of inputs that a harness saw change in the copies that it handed on


def note_changes(values: Sequence, before: Sequence) -> None:
    """Compare what a harness has handed on to an answer with what it was before, for `run` to tell."""
    pairs = enumerate(zip(values, before, strict=True))
    _changed.update(k for k, (value, kept) in pairs if not _is_as_before(value, kept))


def _refuse_to_be_an_index(_tensor: Tensor) -> int:
    raise TypeError("only an array of indices is wanted here")


def run(
    function: Callable,
    args: Sequence,
    without: Sequence[str] = (),
    strict: bool = False,
    same_dice: bool = False,
) -> Outcome:
    """Call with clones of the inputs, and catch what is raised, printed and warned.

    The helpers of `without` raise meanwhile; see `forbidden`. If it is `strict`, numpy is kept from reading a tensor
    of one element as an index. With `same_dice`, all random numbers begin at the same place in every such call.
    What an answer sets for the whole program is put back.
    """
    printed, given, with_gradients = io.StringIO(), [clone(value) for value in args], torch.is_grad_enabled()
    _changed.clear()
    indices = mock.patch.object(Tensor, "__index__", _refuse_to_be_an_index) if strict else None
    try:
        with (
            torch_as_before(),
            dice_as_before() if same_dice else contextlib.nullcontext(),
            forbidden.without(without) as used,
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
            indices or contextlib.nullcontext(),
        ):
            warnings.simplefilter("ignore")
            if same_dice:
                _throw_the_same()
            value = function(*given)
            is_off = with_gradients and not torch.is_grad_enabled()
    except (Exception, SystemExit) as error:
        return _failed(forbidden.Used(used[0]) if used else error, printed)
    if used:
        return _failed(forbidden.Used(used[0]), printed)
    pairs = zip(given, args, strict=True)
    changed = _changed | {k for k, pair in enumerate(pairs) if not _is_as_before(*pair)}
    outcome = Outcome(
        type(value).__name__,
        str(value.dtype) if hasattr(value, "dtype") else "",
        isinstance(value, Tensor | np.ndarray | np.generic),
        printed=printed.getvalue()[:LONGEST],
        changed=frozenset(changed),
        left_gradients_off=is_off,
    )
    try:
        tensors = _tensors(value)
    except TypeError as error:
        return outcome._replace(problem=("wrong-type", str(error)))
    if (number := sum(tensor.numel() for tensor in tensors)) > LARGEST:
        text = f"{number:,} numbers came back; never more than {LARGEST:,} are wanted"
        return outcome._replace(problem=("wrong-shape", text))
    return outcome._replace(tensors=tensors)


def _failed(error: BaseException, printed: io.StringIO) -> Outcome:
    return Outcome(error=Raised.of(error), printed=printed.getvalue()[:LONGEST])


def taken(answer: Any, prepare: Callable | None) -> Callable | None:
    """Make of an answer the function that is called; None if it is still blank.

    An `Unusable` says if it can be none.
    """
    if answer is None or answer is ...:
        return None
    if prepare and getattr(prepare, "takes_anything", False):
        return prepare(answer)
    if not callable(answer):
        raise Unusable("wrong-type", f"hand over the function, not called; got {type(answer).__name__}")
    return prepare(answer) if prepare else answer
