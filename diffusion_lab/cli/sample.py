"""Draw digits, or scenes from words, into a PNG, or their denoising into a GIF."""

from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from diffusion_lab import figures
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import add_model_options, load, sampling
from diffusion_lab.sampling import State
from diffusion_lab.shapes import check_range

LABELS = "0123456789"
"""What a model of digits draws unless told otherwise."""
PROMPT = "a big red seven left of a small blue three"
"""An example."""


def add_options(parser: Parser) -> None:
    """Declare which model draws what into which file."""
    add_model_options(parser)
    parser.add_argument(
        "--labels", metavar="DIGITS", help=f"what a model of digits draws, in order (default: {LABELS})"
    )
    parser.add_argument(
        "--prompt",
        action="append",
        metavar="TEXT",
        help='what mini-sd draws, such as "a big red seven"; may be given again',
    )
    parser.add_argument("--negative", metavar="TEXT", help="what mini-sd should avoid")
    parser.add_argument("--rows", type=int, default=4, metavar="N", help="how many of each")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="to write, .png or .gif (default: digits.png; scenes.png for mini-sd)",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def run(options: Namespace) -> int:
    """Draw pictures into a file."""
    check_range("--rows", options.rows, 1)
    model = load(options.model)
    out = options.out or Path(f"{model.pictures}.png")
    if out.suffix not in (".png", ".gif"):
        raise ValueError(f"--out must end in .png or .gif, got {out}")
    if out.exists() and not options.force:
        raise FileExistsError(f"{out} is there already: add --force to replace it")
    request = REQUESTS[model.condition](options)
    frames: list = []

    def keep(state: State) -> None:
        if out.suffix == ".gif" or state.t == 0:
            frames.append(figures.grid(model.show(state), request.columns))

    model.sample(
        request.conditions,
        seed=options.seed,
        progress=True,
        on_step=keep,
        **request.options,
        **sampling(options),
    )
    figures.save_picture(out, frames)
    print(f"{out}: {request.pictures} in {options.num_steps} steps")
    return 0


class Request(NamedTuple):
    """What to draw, and how to lay it out."""

    conditions: list
    """One for each picture."""
    columns: int
    pictures: str
    """What they are, for the report."""
    options: dict
    """Of the model's `sample`."""


def labels_in_columns(options: Namespace) -> Request:
    """Read ``--labels``: each label gets a column of its own."""
    if options.prompt or options.negative is not None:
        raise ValueError(f"--prompt and --negative are for mini-sd; {options.model} draws --labels")
    labels = LABELS if options.labels is None else options.labels
    if not labels.isdecimal():
        raise ValueError(f"--labels must be digits, such as {LABELS}, got {labels!r}")
    conditions = [int(digit) for digit in labels] * options.rows
    return Request(conditions, len(labels), f"{len(conditions)} digits", {})


def prompts_in_rows(options: Namespace) -> Request:
    """Read every ``--prompt``: each gets a row of its own."""
    if options.labels is not None:
        raise ValueError(f"--labels is for models of digits; {options.model} draws what each --prompt says")
    if not options.prompt:
        raise ValueError(f'{options.model} needs a --prompt, such as "{PROMPT}"')
    conditions = [prompt for prompt in options.prompt for _ in range(options.rows)]
    pictures = f"{len(conditions)} pictures of {len(options.prompt)} prompts"
    return Request(conditions, options.rows, pictures, {"negative": options.negative or ""})


REQUESTS = {"labels": labels_in_columns, "prompts": prompts_in_rows}
"""How to read what to draw from the options, by the argument in which a model takes it."""
