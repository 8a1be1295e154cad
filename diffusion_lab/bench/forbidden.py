"""Helpers that a task wants the student to write: while an answer runs they raise, under whatever name.

A function of Python is guarded by what it does, its code, so an alias that was made before is guarded as well. A
function of torch that is written in C++ has no such code; torch tells a mode of every call instead.
"""

import contextlib
import functools
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType

from torch.overrides import TorchFunctionMode


class Used(Exception):
    """A helper that the task forbids was called; `name` is the one that the statement uses."""

    def __init__(self, name: str):
        """Keep the name."""
        super().__init__(f"{name} is not to be used here")
        self.name = name


_used: list[str] = []  # the names that were called, also where the answer caught the error


def refuse(name: str) -> None:
    """Note that a helper was called, and raise `Used`."""
    _used.append(name)
    raise Used(name)


class _Watch(TorchFunctionMode):
    """Refuses functions of torch, by name."""

    def __init__(self, names: dict[Callable, str]):
        super().__init__()
        self.names = names

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.names:
            refuse(self.names[function])
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def without(helpers: Sequence[str]) -> Iterator[list[str]]:
    """Make helpers raise, and give the names of those that were called all the same.

    Args:
        helpers: where they are, such as "diffusion_lab.process:posterior"; of a class, what it defines is meant.
    """
    _used.clear()
    functions, of_torch = _resolved(tuple(helpers))
    kept = {function: function.__code__ for function in functions}
    try:
        for function, name in functions.items():
            function.__code__ = _guard(name, len(kept[function].co_freevars))
        with _Watch(of_torch) if of_torch else contextlib.nullcontext():
            yield _used
    finally:
        for function, code in kept.items():
            function.__code__ = code


@functools.cache
def _resolved(helpers: tuple[str, ...]) -> tuple[dict[FunctionType, str], dict[Callable, str]]:
    """The functions of Python that are meant, and those of torch in C++, each with its name."""
    functions, of_torch = {}, {}
    for place in helpers:
        found, name = pkgutil.resolve_name(place), place.rpartition(":")[2]
        parts = vars(found).values() if isinstance(found, type) else [found]
        for part in parts:
            if isinstance(found, type) or isinstance(part, FunctionType):
                functions |= dict.fromkeys(_layers(part), name)
            else:
                of_torch[part] = name
    return functions, of_torch


def _layers(function: object) -> Iterator[FunctionType]:
    """A function, and what it wraps."""
    function = getattr(function, "__func__", function)  # of a class or static method
    while isinstance(function, FunctionType):
        yield function
        function = getattr(function, "__wrapped__", None)


@functools.cache
def _guard(name: str, cells: int) -> CodeType:
    """Code that refuses, for a function that holds on to so many names of the function around it."""
    names = "".join(f"name_{k:03d}, " for k in range(cells))
    source = (
        f"def around({names}):\n"
        "    def guard(*_args, **_options):\n"
        f"        ({names})\n"
        "        from diffusion_lab.bench import forbidden\n"
        f"        forbidden.refuse({name!r})\n"
    )
    code = compile(source, __file__, "exec")
    for _ in range(2):  # from the module to `around`, and on to `guard`
        code = next(part for part in code.co_consts if isinstance(part, CodeType))
    return code
