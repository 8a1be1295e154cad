"""Check your own exercise as it will be graded, and print the feedback."""

from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._grading import find_box
from diffusion_lab.cli._options import add_source_option, solutions


def add_options(parser: Parser) -> None:
    """Declare which notebook is checked."""
    parser.add_argument(
        "notebook", type=Path, help="such as exercises/01_forward_noising.ipynb; it is only read"
    )
    parser.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS", help="seconds for all of it"
    )
    add_source_option(parser)


def run(options: Namespace) -> int:
    """Print the feedback on one notebook; exit code 0 only if all tasks are solved."""
    from diffusion_lab.grading import grade as grading
    from diffusion_lab.grading import report

    row, keys = grading.check(
        options.notebook,
        solutions=solutions(options, options.notebook.resolve().parent),
        box=find_box(None),
        timeout=options.timeout,
    )
    print(report.feedback_text(row, keys))
    tasks = [task for task in row.tasks if task["max"]]
    return 0 if row.status == "graded" and all(task["status"] == "passed" for task in tasks) else 1
