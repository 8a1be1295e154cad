"""What does it save to diffuse in the latent? U-Nets for scenes, in the latent and in pixels, by the same recipe.

Every network reads the captions by cross-attention, is trained by `dl.train` on the same scenes, and draws
for the same prompts. Only training steps count against a budget: not the training of the VAE and of the text
encoder, of which the model card of the miniature has the steps and the time of all parts together. What
coding a scene costs is measured. Contenders train in turn, a slice each.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

import diffusion_lab as dl
from benchmarks import common
from benchmarks.common import Row
from benchmarks.quality_per_budget import Run, planned_steps, race, training_rate
from diffusion_lab import evaluation
from diffusion_lab.data import Digits
from diffusion_lab.mini_sd import judge as scene_judge
from diffusion_lab.mini_sd.pipeline import MiniSD
from diffusion_lab.mini_sd.scenes import compose
from diffusion_lab.mini_sd.text import tokenize
from diffusion_lab.mini_sd.train import Captioned
from diffusion_lab.shapes import check_range, choose

NAME = "latent_vs_pixel"
QUESTION = (
    "Scenes by captions: what do U-Nets in the latent and in pixels cost, and how good are they for it?"
)
NETWORKS: dict[str, dict[str, Any]] = {
    "latent": {"in_channels": 4, "patch": 1, "multipliers": (1, 2, 2), "attention": (1, 2)},
    "pixels-4": {"in_channels": 3, "patch": 4, "multipliers": (1, 2, 2), "attention": (1, 2)},
    "pixels-2": {"in_channels": 3, "patch": 2, "multipliers": (1, 1, 2, 2), "attention": (2, 3)},
    "pixels-1": {"in_channels": 3, "patch": 1, "multipliers": (1, 1, 1, 2, 2), "attention": (3, 4)},
}
"""Arguments of `dl.UNet` beside width and context. "latent" has the shape of the shipped one, `train.new_unet`;
"pixels-4" folds 4 × 4 pixels and is the same but for its ends; "pixels-2" and "pixels-1" begin at 32 × 32 and
64 × 64 places and have one and two levels more in front. All attend at 8 × 8 and 4 × 4."""
QUICK = {
    "runs": ["latent:0.4", "pixels-4:0.4"],
    "slice": 0.4,
    "rate_for": 0.1,
    "scenes": 200,
    "num_samples": 8,
    "reference": 40,
    "num_steps": 2,
    "width": 8,
}
COLUMNS = {
    "contender": "",
    "budget": "g",
    "runs": "",
    "training_ms": ".1f",
    "drawing_ms": ".0f",
    "images": ",.0f",
    "frechet_distance": ".1f",
    "floor": ".1f",
    "digit": ".1%",
    "colour": ".1%",
    "size": ".1%",
    "position": ".1%",
    "parameters": ",",
}
MEDIANS = tuple(key for key in COLUMNS if key not in ("contender", "budget", "runs", "parameters"))


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(__doc__)
    made.add_argument(
        "--runs",
        nargs="+",
        metavar="NAME:SECONDS",
        help=f"contenders, of {', '.join(NETWORKS)}, with their budgets",
        default=["latent:120", "pixels-2:120", "pixels-2:480", "pixels-4:480"],
    )
    made.add_argument(
        "--slice", type=float, default=20, help="CPU-seconds that a contender trains before the next one"
    )
    made.add_argument(
        "--rate-for", type=float, default=3, help="CPU-seconds in which the training rate is measured"
    )
    made.add_argument("--width", type=int, default=32, help="of every network")
    made.add_argument("--batch-size", type=int, default=32, help="scenes per step")
    made.add_argument("--scenes", type=int, default=12_000, help="to train on")
    made.add_argument("--num-samples", type=int, default=300, help="pictures that judge a run")
    made.add_argument("--reference", type=int, default=2000, help="real scenes that they are compared with")
    made.add_argument(
        "--num-steps", type=int, default=15, help="sampling steps, of two network evaluations each"
    )
    made.add_argument("--guidance-scale", type=float, default=2.0, help="when drawing")
    made.set_defaults(repeats=3, seeds=[0])
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        vars(options).update(QUICK, seeds=options.seeds[:1])
    try:
        for text in options.runs:
            read_run(text)
        for name in ("width", "batch_size", "scenes", "num_samples", "reference", "num_steps"):
            check_range(f"--{name.replace('_', '-')}", getattr(options, name), 1)
        digits = dl.data.mnist()
        if digits.source != "mnist" and not options.quick:
            raise ValueError("this benchmark needs MNIST, and it is not here (--quick does without)")
    except ValueError as error:
        made.error(str(error))
    models, rows = (dl.load_pretrained("mini-sd"), scene_judge.load_scene_judge()), []
    costs = coding_costs(models[0], options.repeats)
    for row in measure(options, digits, *models):
        rows.append(row)
        result = (
            f"{row['contender']} after {row['budget']:g} CPU-seconds: Fréchet distance"
            f" {row['frechet_distance']:.1f}"
        )
        print(f"seed {row['seed']}: {result}", file=sys.stderr)
        common.write(options, NAME, QUESTION, rows, medians=medians(rows), coding=costs)
    common.finish(options, NAME, QUESTION, rows, medians=medians(rows), columns=COLUMNS, coding=costs)
    return 0


def read_run(text: str) -> tuple[str, float]:
    """Read "latent:120" as a contender and its budget in CPU-seconds; a `ValueError` says what is wrong."""
    name, _, seconds = text.partition(":")
    choose("--runs", name, NETWORKS)
    if not seconds.replace(".", "", 1).isdigit() or float(seconds) <= 0:
        raise ValueError(f"--runs wants NAME:SECONDS with seconds above 0, got {text!r}")
    return name, float(seconds)


class Batches:
    """Scenes, or their codes, with the numbers of their captions, in an order that a seed decides, without end."""

    def __init__(self, pictures: Tensor, batch_size: int, seed: int):
        """Serve `pictures`, as bytes or as numbers, (N, C, H, W)."""
        self.pictures, self.batch_size, self.generator = pictures, batch_size, Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Give pictures in [-1, 1], or codes, and numbers; one pass."""
        for chosen in torch.randperm(len(self.pictures), generator=self.generator).split(self.batch_size):
            part = self.pictures[chosen]
            yield (part.float() / 127.5 - 1 if part.dtype == torch.uint8 else part), chosen


class Data(NamedTuple):
    """The same scenes for all."""

    pixels: Tensor
    """Bytes, (N, 3, 64, 64)."""
    codes: Tensor
    """Scaled, (N, 4, 16, 16)."""
    tokens: Tensor
    """Their captions, (N, 24)."""


def draw_scenes(mini: MiniSD, digits: Digits, number: int, seed: int) -> Data:
    """Compose the scenes to train on, and code them."""
    parts, generator = [], Generator().manual_seed(seed)
    for start in range(0, number, 500):
        scenes = compose(min(500, number - start), digits, generator=generator)
        pixels = ((scenes.images + 1) * 127.5).round().to(torch.uint8)
        parts.append((pixels, mini.encode(scenes.images), tokenize(scenes.captions)))
    return Data(*map(torch.cat, zip(*parts, strict=True)))


class Contender:
    """A U-Net in training; what `quality_per_budget.Run` needs to know of it."""

    decays = True

    def __init__(
        self,
        name: str,
        mini: MiniSD,
        data: Data,
        options: argparse.Namespace,
        seed: int,
        num_steps: int = 10**6,
    ):
        """Begin `num_steps` of training with the network that `NETWORKS` has under this name."""
        self.name, self.mini, self.images = name, mini, 0
        self.batch_size, self.num_steps = options.batch_size, num_steps
        features = mini.text.config["features"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.unet = dl.UNet(context_features=features, width=options.width, **NETWORKS[name])
        pictures = data.codes if name == "latent" else data.pixels
        self.shape, self.parameters = pictures.shape[1:], sum(p.numel() for p in self.unet.parameters())
        model, generator = Captioned(self.unet, mini.text, data.tokens), Generator().manual_seed(seed)
        batches = Batches(pictures, options.batch_size, seed)
        self.training = dl.train(model, mini.schedule, batches, num_steps=num_steps, generator=generator)
        self.ema = self.unet

    def step(self) -> None:
        """Take one optimiser step."""
        self.ema = next(self.training).ema.unet
        self.images += self.batch_size

    def draw(self, prompts: list[str], options: argparse.Namespace, seed: int) -> Tensor:
        """Draw a scene for each prompt, (B, 3, 64, 64) in [-1, 1]."""
        guided = dl.ClassifierFreeGuidance(
            self.ema, options.guidance_scale, null={"context": self.mini.read([""])}
        )
        generator, parts, latent = Generator().manual_seed(seed), [], self.name == "latent"
        for start in range(0, len(prompts), 50):
            context = self.mini.read(prompts[start : start + 50])
            out = dl.sample(
                guided,
                self.mini.schedule,
                (len(context), *self.shape),
                num_steps=options.num_steps,
                objective="v",
                sampler="dpmpp_2m",
                context=context,
                generator=generator,
                clip_x_0=not latent,
                progress=False,
            )
            parts.append(self.mini.decode(out) if latent else out.clamp(-1, 1))
        return torch.cat(parts)


@torch.no_grad()
def features(judge: scene_judge.SceneJudge, images: Tensor) -> evaluation.Gaussian:
    """Mean and covariance of what the judge's last layer sees in scenes, (N, 3, 64, 64): 512 numbers each."""
    return evaluation.fit_gaussian(torch.cat([judge.trunk(part) for part in images.split(250)]).double())


def coding_costs(mini: MiniSD, repeats: int) -> dict[str, float]:
    """CPU-milliseconds of coding and of decoding one scene."""
    images = -torch.ones(32, 3, 64, 64)  # dark; what is in it costs nothing
    codes = mini.encode(images)
    work = {"encoding_ms": lambda: mini.encode(images), "decoding_ms": lambda: mini.decode(codes)}
    return {name: 1000 * common.measure(job, repeats) / len(images) for name, job in work.items()}


def measure(
    options: argparse.Namespace, digits: Digits, mini: MiniSD, judge: scene_judge.SceneJudge
) -> Iterator[Row]:
    """Train and judge everything that was asked for; yields each row as it comes."""
    test = dl.data.mnist(train=False)
    real = features(judge, scene_judge.exam(options.reference, test, seed=1000).images)
    for seed in options.seeds:
        exam = scene_judge.exam(options.num_samples, digits, seed=seed)  # prompts, and real scenes: the floor
        floor = evaluation.frechet_distance(features(judge, exam.images), real)
        data, runs = draw_scenes(mini, digits, options.scenes, seed), []
        for name, budget in map(read_run, options.runs):
            trial = Run(name, Contender(name, mini, data, options, seed), [])
            steps = planned_steps(budget, training_rate(trial, options.rate_for), options.batch_size)
            runs.append(Run(name, Contender(name, mini, data, options, seed, steps), [budget]))
        for run, budget in race(runs, options.slice):
            begin = common.cpu_seconds()
            drawn = run.contender.draw(exam.captions, options, seed)
            drawing = common.cpu_seconds() - begin
            verdict = scene_judge.compare(exam.layout, exam.captions, judge.look(drawn))
            yield {
                "contender": run.name,
                "seed": seed,
                "budget": budget,
                "cpu_seconds": run.cpu_seconds,
                "steps": run.steps,
                "planned_steps": run.contender.num_steps,
                "images": run.contender.images,
                "training_ms": 1000 * run.cpu_seconds / run.contender.images,
                "drawing_ms": 1000 * drawing / len(drawn),
                "parameters": run.contender.parameters,
                "samples": len(drawn),
                "frechet_distance": evaluation.frechet_distance(features(judge, drawn), real),
                "floor": floor,
                **{name: verdict.share(name) for name in scene_judge.ATTRIBUTES},
                "commit": common.versions()["commit"],
            }


def medians(rows: Sequence[Row]) -> list[Row]:
    """Sum up the seeds, from the best to the worst."""
    summed = common.medians(rows, by=("contender", "budget", "parameters"), of=MEDIANS)
    return sorted(summed, key=lambda row: row["frechet_distance"])


if __name__ == "__main__":
    sys.exit(main())
