"""Train the judge of digits, a classifier, and measure what real digits score."""

from argparse import Namespace

import torch
from tqdm import tqdm

import diffusion_lab as dl
from diffusion_lab import data, evaluation
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli.train._runs import add_folder_options, seed_torch
from diffusion_lab.pretrained import Judge


def add_options(parser: Parser) -> None:
    """Declare the training."""
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="passes through the data")
    add_folder_options(parser, out="runs")


def run(options: Namespace) -> int:
    """Train into a folder: judge.safetensors."""
    seed_torch(options)
    out = options.out / "judge.safetensors"
    if out.exists():
        raise FileExistsError(f"{out} is there already: choose another --out")
    digits, test = data.mnist(), data.mnist(train=False)
    if digits.source != "mnist":
        raise ValueError("the judge needs MNIST, and it is not here")
    generator = torch.Generator().manual_seed(options.seed)
    classifier = evaluation.DigitClassifier()
    steps = evaluation.train_classifier(
        classifier, digits.images, digits.labels, epochs=options.epochs, generator=generator
    )
    for step in (bar := tqdm(steps, total=options.epochs * (len(digits.images) // 128), unit="step")):
        bar.set_postfix(loss=f"{step.loss:.3f}", refresh=False)
    _, predicted = evaluation.describe(classifier, test.images)
    print(f"accuracy on the test images: {(predicted == test.labels).double().mean():.2%}")
    generator.manual_seed(options.seed)
    reference = evaluation.measure_reference(classifier, *test[:2], *digits[:2], generator=generator)
    dl.save_judge(out, Judge(classifier, reference))
    print(f"done: {out}")
    return 0
