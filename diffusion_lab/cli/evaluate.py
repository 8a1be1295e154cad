"""Judge generated digits, or how well generated scenes follow their prompts."""

import inspect
from argparse import Namespace

from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli._options import add_model_options, load, sampling
from diffusion_lab.evaluation import Evaluation
from diffusion_lab.pretrained import BEST


def add_options(parser: Parser) -> None:
    """Declare the model, and how much it draws."""
    add_model_options(parser)
    parser.add_argument(
        "--num-samples", type=int, default=2000, metavar="N", help="digits, or scenes, to draw"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="prompts with pairs that training never showed (mini-sd)"
    )
    best = ", ".join(f"{name} {value}" for name, value in BEST.items())
    parser.epilog = f"Without --sampler it is what suits the shipped digits best: {best}."


def run(options: Namespace) -> int:
    """Print the judge's report on a model."""
    print(f"{options.model}: {evaluate(options)}")
    return 0


def evaluate(options: Namespace) -> Evaluation:
    """Judge the model that the options name, as they say."""
    model, more = load(options.model), {}
    if options.held_out:
        if "held_out" not in inspect.signature(model.evaluate).parameters:
            raise ValueError(f"--held-out is for mini-sd; {options.model} has no pairs that were held out")
        more = {"held_out": True}
    return model.evaluate(options.num_samples, seed=options.seed, **more, **sampling(options))
