"""Make one gradebook of those that grade --shard made."""

from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._grading import add_report_options, print_outcome, read_reporting


def add_options(parser: Parser) -> None:
    """Declare which gradebooks become which one."""
    parser.add_argument("parts", type=Path, nargs="+", help="the folders of all shards")
    parser.add_argument(
        "--out", type=Path, default=Path("grades"), metavar="FOLDER", help="folder of the gradebook"
    )
    add_report_options(parser)


def run(options: Namespace) -> int:
    """Make one gradebook of several."""
    from diffusion_lab.grading import grade as grading

    try:
        merged = grading.merge(options.parts, options.out, reporting=read_reporting(options))
    except grading.PartUnfinished as error:
        raise ValueError(f"{error}: go on with grade --resume --out {error.folder}") from None
    return print_outcome(merged, options.out)
