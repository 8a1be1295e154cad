"""What the commands for instructors and for their students share."""

import sys
from collections import Counter
from pathlib import Path

from diffusion_lab.cli._commands import Parser


def add_report_options(parser: Parser) -> None:
    """Declare what goes into a gradebook beside the grades."""
    from diffusion_lab.grading import report

    parser.add_argument("--manual", type=Path, metavar="FILE", help="table of points given by hand")
    parser.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=report.FORMATS,
        help="a table for this server as well; may be given again",
    )


def find_box(level: str | None, **limits):
    """Find the box that kernels run in; a `ValueError` says if there is none here."""
    from diffusion_lab.grading import box as boxes

    try:
        return boxes.find_box(level, **limits)
    except boxes.BoxError as error:
        raise ValueError(f"--box: {error}") from None


def print_outcome(graded, out: Path) -> int:
    """Print what came of grading, and give the exit code: 1 if the grader failed on a submission."""
    from diffusion_lab.grading import report

    for warning in graded.warnings:
        print(warning, file=sys.stderr)
    counts = Counter(row.status for row in graded.rows)
    print(
        f"{out}: " + ", ".join(f"{counts[status]} {status}" for status in report.STATUSES if counts[status])
    )
    for row in graded.rows:
        if row.status == "GRADER-ERROR":
            print(f"{row.student}: {'; '.join(row.notes)[:200]}", file=sys.stderr)
    if graded.stopped:
        print(f"stopped; go on with --resume --out {out}", file=sys.stderr)
        return 130
    return 1 if counts["GRADER-ERROR"] else 0
