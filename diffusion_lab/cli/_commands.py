"""How modules become commands.

A command is a module with a docstring and two functions. The first line of the docstring stands in the list of
commands, all of it at the top of the command's own help. ``add_options(parser)`` declares the options;
``run(options)`` does the work and returns the exit code. The command is called like the module, with hyphens. One
that only groups others calls `add_commands` in its ``add_options`` and needs no ``run``.

For bad input ``run`` raises a `ValueError` or an `OSError`, one line that names the option. Libraries know nothing of
options: where one of their errors has a remedy on the command line, `hint` adds it.

To add a command, write its module, here or in the folder of a group. Nothing else has to know about it.
"""

import argparse
import importlib
import inspect
import pkgutil
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple


class Command(NamedTuple):
    """One command: its name, what it does, its options, and the function that does it."""

    name: str
    text: str
    add_options: Callable[["Parser"], None]
    run: Callable[[Namespace], int] | None = None

    @classmethod
    def of(cls, module: ModuleType) -> "Command":
        """Read a module as a command."""
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        return cls(name, inspect.getdoc(module) or "", module.add_options, getattr(module, "run", None))


class Parser(argparse.ArgumentParser):
    """A parser that declares its options when it is first used, and refuses unknown ones under its own name."""

    def __init__(self, **settings):
        """Make a parser without options; settings are those of `argparse.ArgumentParser`."""
        super().__init__(formatter_class=_Help, **settings)
        self.default_command: str | None = None
        """The command to run where none is named."""
        self.add_options: Callable[[Parser], None] = lambda parser: None

    def parse_known_args(self, args=None, namespace=None):
        """Parse as `argparse.ArgumentParser` does, but leave nothing to the parser above."""
        add_options, self.add_options = self.add_options, lambda parser: None
        add_options(self)
        words = _joined(sys.argv[1:] if args is None else args)
        names_a_command = bool(words) and not words[0].startswith("-")
        if self.default_command and not names_a_command and words[:1] not in (["-h"], ["--help"]):
            words.insert(0, self.default_command)
        options, unknown = super().parse_known_args(words, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown


def _joined(words: Iterable[str]) -> list[str]:
    """Join an option and a value that begins like a negative number, which argparse would take for an option."""
    joined: list[str] = []
    for word in words:
        follows_option = bool(joined) and joined[-1].startswith("--") and "=" not in joined[-1]
        if follows_option and len(joined[-1]) > 2 and re.match(r"-\d", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default only where there is one, and begins the text of a command on the line of its name."""

    def __init__(self, prog: str, **settings):
        super().__init__(prog, **settings)
        self._action_max_length = 19  # argparse forgets how far the commands below are indented

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default is not None and action.default is not False
        return super()._get_help_string(action) if shown else action.help


def discover(folder: Iterable[str], package: str) -> list[Command]:
    """Read the commands of a package, given its ``__path__`` and ``__name__``."""
    names = (found.name for found in pkgutil.iter_modules(folder) if not found.name.startswith("_"))
    return [Command.of(importlib.import_module(f"{package}.{name}")) for name in names]


def add_commands(parser: Parser, commands: Iterable[Command], default: str | None = None) -> None:
    """Put commands below a parser; `default` is the one to run where none is named."""
    parser.default_command = default
    below = parser.add_subparsers(title="commands", required=True, metavar="command")
    for command in commands:
        sub = below.add_parser(command.name, help=command.text.partition("\n")[0], description=command.text)
        sub.add_options = command.add_options
        sub.set_defaults(run=command.run, command=sub.prog.partition(" ")[2])


@contextmanager
def hint(kind: type[Exception], advice: str) -> Iterator[None]:
    """Add to errors of one kind what to do about them on the command line."""
    try:
        yield
    except kind as error:
        raise ValueError(f"{error}: {advice}") from error
