"""Show your progress in the whole course, and what is next."""

from argparse import Namespace

from diffusion_lab.cli._commands import Parser
from diffusion_lab.progress_page import progress_page


def add_options(parser: Parser) -> None:
    """Declare nothing: there is nothing to choose."""


def run(_options: Namespace) -> int:
    """Print the page."""
    print(progress_page())
    return 0
