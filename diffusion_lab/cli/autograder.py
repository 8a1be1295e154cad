"""Make the zip with which Gradescope, Classroom 50 or PrairieLearn grades an exercise; see docs/instructors.md."""

from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._grading import find_box
from diffusion_lab.cli._options import add_source_option, solutions
from diffusion_lab.shapes import check_range


def add_options(parser: Parser) -> None:
    """Declare for which server, which exercise, and how."""
    from diffusion_lab.grading.servers.host import VISIBILITIES, Settings
    from diffusion_lab.grading.servers.hosts import HOSTS

    parser.add_argument("host", choices=sorted(HOSTS), help="the server that grades")
    parser.add_argument("--exercise", required=True, metavar="NUMBER", help="such as 01")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="zip; nothing is overwritten")
    parser.add_argument(
        "--timeout", type=float, default=Settings.timeout, metavar="SECONDS", help="seconds for one run"
    )
    parser.add_argument("--attempts", type=int, metavar="N", help="grade so many only (default: any number)")
    parser.add_argument("--late", metavar="POLICY", help='what lateness costs, such as "-10%%/day,max 3"')
    parser.add_argument(
        "--visibility",
        choices=VISIBILITIES,
        default=VISIBILITIES[0],
        metavar="WHEN",
        help=f"when students see their results: {', '.join(VISIBILITIES)}",
    )
    parser.add_argument("--leaderboard", action="store_true", help="show points and attempts to the class")
    parser.add_argument("--image", metavar="NAME", help="of the container that PrairieLearn starts")
    add_source_option(parser)


def run(options: Namespace) -> int:
    """Try the solution here, as it will be tried there, and write the zip."""
    from diffusion_lab.grading import bundle, key_check, keys
    from diffusion_lab.grading.lateness import Deduction
    from diffusion_lab.grading.servers.hosts import HOSTS

    host = HOSTS[options.host]
    _check(options, host)
    if options.late is not None:
        Deduction.read(options.late)
    folder = solutions(options, Path.cwd())
    key = keys.load(options.exercise, folder)
    solution = keys.found(folder)[key.exercise]
    chosen = bundle.settings(
        key,
        solution.name,
        timeout=options.timeout,
        attempts=options.attempts or 0,
        late=options.late or "",
        visibility=options.visibility,
        leaderboard=options.leaderboard,
        image=options.image or "",
    )
    key_check.check_key(key, 1, find_box(None), options.timeout)
    size = bundle.write(options.out, host, chosen, solution)
    print(f"{options.out}: exercise {key.exercise} for {host.name}, {key.points} points, {size / 1e6:.1f} MB")
    return 0


def _check(options: Namespace, host) -> None:
    """See that the server can do what is asked for."""
    if options.attempts is not None:
        check_range("--attempts", options.attempts, 1)
    if not 0 < options.timeout <= 500:
        raise ValueError(f"--timeout must be more than 0 and at most 500, got {options.timeout:g}")
    if options.out.exists():
        raise FileExistsError(f"--out: {options.out} is there already")
    only_there = {
        "--late": options.late,
        "--attempts": options.attempts,
        "--leaderboard": options.leaderboard,
        "--visibility": options.visibility != "visible",
    }
    if given := [name for name, value in only_there.items() if value and not host.knows_dates]:
        raise ValueError(f"{given[0]} is for gradescope only; {host.name} has settings of its own for that")
    if host.needs_image != bool(options.image):
        wanted = f"the name of an image, such as you/diffusion-lab, was wanted for {host.name}"
        raise ValueError(f"--image: {wanted if host.needs_image else f'{host.name} starts none of ours'}")
