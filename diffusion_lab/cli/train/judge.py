"""Train the judge of digits, a classifier, and measure what real digits score."""

from argparse import Namespace

import torch

import diffusion_lab as dl
from diffusion_lab import data, evaluation
from diffusion_lab.cli._commands import Parser
from diffusion_lab.cli.train._runs import add_folder_options, seed_torch, write_losses
from diffusion_lab.monitor import Monitor
from diffusion_lab.pretrained import Judge
from diffusion_lab.shapes import check_range


def add_options(parser: Parser) -> None:
    """Declare the training."""
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="passes through the data")
    add_folder_options(parser, out="runs")


def run(options: Namespace) -> int:
    """Train into a folder: judge.safetensors and judge-loss.csv. Ctrl-C stops, and what was learned is kept."""
    check_range("--epochs", options.epochs, 1)
    seed_torch(options)
    out, loss_file = options.out / "judge.safetensors", options.out / "judge-loss.csv"
    for path in (out, loss_file):
        if path.exists():
            raise FileExistsError(f"{path} is there already: choose another --out")
    digits, test = data.mnist(), data.mnist(train=False)
    if digits.source != "mnist":
        raise ValueError("the judge needs MNIST, and it is not here")
    generator = torch.Generator().manual_seed(options.seed)
    classifier = evaluation.DigitClassifier()
    steps = evaluation.train_classifier(
        classifier, digits.images, digits.labels, epochs=options.epochs, generator=generator
    )
    num_steps = options.epochs * evaluation.steps_per_epoch(digits.images)
    monitor = Monitor(steps, num_steps=num_steps, quiet=True)
    for _step in monitor:
        pass  # the monitor shows how far it is, and notes the losses
    _, predicted = evaluation.describe(classifier, test.images)
    print(f"accuracy on the test images: {(predicted == test.labels).double().mean():.2%}")
    generator.manual_seed(options.seed)
    reference = evaluation.measure_reference(classifier, *test[:2], *digits[:2], generator=generator)
    dl.save_judge(out, Judge(classifier, reference))
    write_losses(loss_file, monitor.losses)
    print(f"{'stopped' if monitor.stopped else 'done'} after {monitor.index:,} of {num_steps:,} steps: {out}")
    return 130 if monitor.stopped else 0
