"""What the commands for instructors and for their students share."""

import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

from diffusion_lab.cli._commands import Parser


def add_report_options(parser: Parser) -> None:
    """Declare what goes into a gradebook beside the grades."""
    from diffusion_lab.grading import reporting

    parser.add_argument("--manual", type=Path, metavar="FILE", help="table of points given by hand")
    parser.add_argument("--roster", type=Path, metavar="FILE", help="class list, shows who handed in nothing")
    parser.add_argument(
        "--due",
        action="append",
        metavar="MOMENT",
        help='such as "2026-11-30 23:59", or 01=2026-11-30; repeatable',
    )
    parser.add_argument(
        "--late",
        metavar="POLICY",
        help='what lateness costs, such as "-10%%/day,max 3"',
    )
    parser.add_argument(
        "--worksheet",
        dest="worksheets",
        action="append",
        metavar="FILE",
        help="from Moodle, to fill in; or 01=FILE, repeatable",
    )
    parser.add_argument("--canvas", type=Path, metavar="FILE", help="gradebook exported from Canvas")
    parser.add_argument(
        "--assignment",
        dest="titles",
        action="append",
        metavar="TITLE",
        help="of Canvas's assignment; or 01=TITLE, repeatable",
    )
    parser.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=reporting.FORMATS,
        help="a table for it, without a file of its own",
    )


def read_reporting(options: Namespace):
    """Read the files and policies that `add_report_options` has declared."""
    from diffusion_lab.grading.reporting import Reporting

    return Reporting.read(
        manual=options.manual,
        roster=options.roster,
        due=options.due or (),
        late=options.late,
        worksheets=options.worksheets or (),
        export=options.canvas,
        titles=options.titles or (),
        formats=options.formats or (),
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
    from diffusion_lab.grading.report.tables import printable

    for warning in graded.warnings:
        print(printable(warning), file=sys.stderr)
    counts = Counter(row.status for row in graded.rows)
    print(
        f"{out}: " + ", ".join(f"{counts[status]} {status}" for status in report.STATUSES if counts[status])
    )
    for row in graded.rows:
        if row.status == "GRADER-ERROR":
            print(printable(f"{row.student}: {'; '.join(row.notes)[:200]}"), file=sys.stderr)
    if graded.stopped:
        print(f"stopped; go on with --resume --out {out}", file=sys.stderr)
        return 130
    return 1 if counts["GRADER-ERROR"] else 0
