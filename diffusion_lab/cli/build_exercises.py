"""Make the exercises out of the solutions."""

from argparse import Namespace
from pathlib import Path

from diffusion_lab.checks import build
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import add_source_option, solutions


def add_options(parser: Parser) -> None:
    """Declare from where to where."""
    add_source_option(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="to write to (default: exercises/, beside the source)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what is stale, and end with 1"
    )


def run(options: Namespace) -> int:
    """Write the exercises that are not as their solutions make them, or only name them."""
    source = solutions(options, Path.cwd())
    out = options.out or source.resolve().parent / "exercises"
    stale = build.build(source, out, options.check)
    for path in stale:
        print(f"{path}: {'stale' if options.check else 'written'}")
    print(
        f"{out}: {f'{len(stale)} to be built again' if stale and options.check else 'as the solutions say'}"
    )
    return 1 if stale and options.check else 0
