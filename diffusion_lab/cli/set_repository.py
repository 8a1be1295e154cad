"""Make all badges and install commands lead to your repository."""

from argparse import Namespace
from pathlib import Path

from diffusion_lab.cli._commands import Parser
from diffusion_lab.links import repository


def add_options(parser: Parser) -> None:
    """Declare whose repository it is."""
    parser.add_argument(
        "names",
        nargs="?",
        metavar="OWNER/NAME",
        help="on GitHub (default: as it is; new notebooks get their links)",
    )
    parser.add_argument("--branch", metavar="NAME", help="the branch that links lead to (default: as it is)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what disagrees, and end with 1"
    )


def run(options: Namespace) -> int:
    """Write owner, name and branch into all links, or only name the files that disagree."""
    root = repository.find_root(Path.cwd())
    old = repository.read(root)
    names = f"{old.owner}/{old.name}" if options.names is None else options.names
    new = repository.parse(names, old.branch if options.branch is None else options.branch)
    paths = list(repository.changes(root, new)) if options.check else repository.change(root, new)
    for path in paths:
        print(f"{path.relative_to(root)}: {'disagrees' if options.check else 'written'}")
    print(
        f"{len(paths)} files {'disagree with' if options.check else 'changed; all links lead to'} {new.url}"
    )
    return 1 if paths and options.check else 0
