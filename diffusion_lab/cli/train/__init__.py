"""Train a model on MNIST, or what judges one.

Without a command it trains digits: "train --steps 50" means "train digits --steps 50".
"""

from diffusion_lab.cli._commands import Parser, add_commands, discover


def add_options(parser: Parser) -> None:
    """Declare the commands of this folder."""
    add_commands(parser, discover(__path__, __name__), default="digits")
