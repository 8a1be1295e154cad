"""The command line: ``diffusion-lab …`` or ``python -m diffusion_lab …``.

Every module in this folder is a command, except those that begin with an underscore: they hold what several
commands share. `_commands` says what makes a command. The exit code is 0 only when the thing was done, 2 with
one line for bad input, and 130 after Ctrl-C.
"""

import sys

import diffusion_lab as dl
from diffusion_lab.cli._commands import Parser, add_commands, discover


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["train-mini-sd"]:  # as the cards of older weights spell it
        words[:1] = ["train", "mini-sd"]
    options = parser().parse_args(words)
    try:
        return options.run(options)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"diffusion-lab {options.command}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"diffusion-lab {options.command}: stopped", file=sys.stderr)
        return 130


def parser() -> Parser:
    """Make the parser of all commands."""
    root = Parser(
        prog="diffusion-lab", description="Train, sample and judge the small diffusion models of the course."
    )
    root.add_argument("--version", action="version", version=f"diffusion-lab {dl.__version__}")
    add_commands(root, discover(__path__, __name__))
    return root
