"""Give points by hand on a local page; see docs/instructors.md."""

import asyncio
import contextlib
import sys
import webbrowser
from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import add_source_option, solutions


def add_options(parser: Parser) -> None:
    """Declare which gradebook is reviewed, and where the page is."""
    parser.add_argument("grades", type=Path, help="folder of the gradebook")
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="port on this machine (0: a free one)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    add_source_option(parser)


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from diffusion_lab.grading.report.tables import printable
    from diffusion_lab.grading.review.items import Gradebook
    from diffusion_lab.grading.review.server import Server

    if not 0 <= options.port <= 65535:
        raise ValueError(f"--port must be from 0 to 65535, got {options.port}")
    gradebook = Gradebook(options.grades, solutions(options, Path.cwd()))
    if gradebook.warning:
        print(printable(gradebook.warning), file=sys.stderr)
    server = Server(gradebook, options.port)
    print(f"{server.address}\nCtrl-C ends it; every change is saved at once", flush=True)
    if not options.no_browser:
        webbrowser.open(server.address)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())
    return 0
