"""Grade what a class handed in; see docs/instructors.md."""

import os
import shlex
import sys
from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._grading import add_report_options, find_box, print_outcome, read_reporting
from diffusion_lab.cli._options import add_source_option, solutions
from diffusion_lab.shapes import check_range


def add_options(parser: Parser) -> None:
    """Declare who is graded, how, and into what."""
    parser.add_argument("submissions", type=Path, nargs="?", help="folder or zip; it is only read")
    parser.add_argument(
        "--out", type=Path, default=Path("grades"), metavar="FOLDER", help="folder of the gradebook"
    )
    parser.add_argument("--exercise", metavar="NUMBER", help="grade this one only, such as 01 (default: all)")
    parser.add_argument("--jobs", type=int, default=cores(), metavar="N", help="submissions at a time")
    parser.add_argument("--only", metavar="STUDENT", help="grade this student only; with --resume, again")
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="STUDENT",
        help="run nothing of this student; repeatable",
    )
    parser.add_argument("--nonce", type=int, metavar="N", help="what the checks draw (default: at random)")
    parser.add_argument("--resume", action="store_true", help="go on with the gradebook in --out")
    parser.add_argument("--judge-again", action="store_true", help="judge --out anew by its records")
    parser.add_argument(
        "--pattern", metavar="REGEX", help="regular expression for paths, with the group student"
    )
    parser.add_argument("--shard", metavar="I/N", help="grade the i-th of n parts of the class")
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="seconds for one submission"
    )
    parser.add_argument(
        "--box",
        choices=["auto", "namespaces", "none"],
        default="auto",
        metavar="LEVEL",
        help="of the kernels: auto, namespaces or none",
    )
    parser.add_argument("--gpu", action="store_true", help="let kernels see the GPU")
    add_source_option(parser)
    add_report_options(parser)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(options: Namespace) -> int:
    """Grade a class into a folder; exit code 1 if a submission is left that the grader failed on."""
    from diffusion_lab.grading import grade as grading
    from diffusion_lab.grading.plan import shard_of

    check_range("--jobs", options.jobs, 1)
    if not options.timeout > 0:
        raise ValueError(f"--timeout must be more than 0, got {options.timeout:g}")
    reporting = read_reporting(options)
    if options.judge_again:
        return _judge_again(options, reporting)
    if options.submissions is None:
        raise ValueError("submissions: a folder or zip was wanted")
    box = find_box(None if options.box == "auto" else options.box, gpu=options.gpu)
    shard = None if options.shard is None else shard_of(options.shard)
    keys = solutions(options, Path.cwd())
    if box.level == "none" and options.box == "auto":
        raise ValueError(
            f"--box: there is no box on this machine. {box.reason}. Grade on Linux, in WSL or in a container that"
            " allows user namespaces; or, where nothing on the machine is worth protecting, type --box none. What"
            ' then remains at risk stands in docs/instructors.md, "What is defended"'
        )
    print(f"box: {box.level}; {box.reason}", file=sys.stderr)
    if box.level == "none":
        print(
            "WARNING: run this in a container or a virtual machine; see docs/instructors.md", file=sys.stderr
        )
    try:
        graded = grading.grade(
            options.submissions,
            options.out,
            solutions=keys,
            box=box,
            exercise=options.exercise,
            jobs=options.jobs,
            only=options.only,
            exclude=options.exclude,
            nonce=options.nonce,
            resume=options.resume,
            pattern=options.pattern,
            shard=shard,
            reporting=reporting,
            timeout=options.timeout,
            command=shlex.join(sys.argv),
        )
    except grading.GradebookExists as error:
        raise ValueError(f"{error}: add --resume to go on, or choose another --out") from None
    except grading.ResumeMismatch as error:
        same = f"go on with --{error.argument} {error.begun_with}"
        raise ValueError(f"{error}: {same}, or choose another --out") from None
    except (grading.JournalDamaged, grading.SolutionChanged) as error:
        raise ValueError(f"{error}: choose another --out") from None
    return print_outcome(graded, options.out)


def _judge_again(options: Namespace, reporting) -> int:
    """Judge a gradebook anew and print who has changed; exit code 1 if somebody could not be judged."""
    from diffusion_lab.grading import keys, rejudge
    from diffusion_lab.grading.report.tables import printable

    if options.submissions is not None:
        raise ValueError("--judge-again: no submissions were wanted; answers are judged by their records")
    known = keys.load_all(solutions(options, Path.cwd()))
    again = rejudge.judge_again(options.out, known, reporting=reporting)
    for change in again.changes:
        points = f"{change.points_before:g} -> {change.points:g} points"
        text = f"{change.student}, {change.task}: {points}, {change.before} -> {change.now}"
        print(printable(text))
    for reason in again.left:
        print(printable(f"not judged: {reason}"), file=sys.stderr)
    print(f"{len(again.changes)} tasks changed; they stand in {options.out / rejudge.TABLE}")
    return print_outcome(again.graded, options.out) or int(bool(again.left))
