"""How good are the digits after so many CPU-seconds of training? Ours beside four peers, each by its own recipe.

Contenders train in turn, a slice each (A B C A B C …), so that a slow moment of the machine hits all alike.
Only
training steps count against a budget: building, sampling and judging do not.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence

import torch

import diffusion_lab as dl
from benchmarks import common, peers
from diffusion_lab import evaluation
from diffusion_lab.data import Digits
from diffusion_lab.shapes import check_range

NAME = "quality_per_budget"
QUESTION = "How good are the digits after so many CPU-seconds of training?"
QUICK = {
    "budgets": [0.5, 1.0],
    "slice": 0.5,
    "num_samples": 200,
    "peer_samples": 200,
    "num_steps": 2,
    "rate_for": 0.2,
}
COLUMNS = {
    "contender": "",
    "budget": "g",
    "runs": "",
    "samples": ",",
    "frechet_distance": ".2f",
    "times_floor": ".1f",
    "class_accuracy": ".1%",
    "images_per_cpu_second": ",.0f",
    "steps": ",.0f",
    "parameters": ",",
}
MEDIANS = (
    "frechet_distance",
    "times_floor",
    "class_accuracy",
    "images_per_cpu_second",
    "steps",
    "cpu_seconds",
)


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(__doc__)
    made.add_argument(
        "--contenders",
        nargs="+",
        default=list(peers.DEFAULT),
        metavar="NAME",
        help=f"of {', '.join(peers.CONTENDERS)}; NAME:32 has batches of 32 instead of its recipe's",
    )
    made.add_argument(
        "--budgets", type=float, nargs="+", default=[60, 150, 300, 600], help="CPU-seconds of training"
    )
    made.add_argument(
        "--slice", type=float, default=30, help="CPU-seconds that a contender trains before the next one"
    )
    made.add_argument("--num-samples", type=int, default=2000, help="pictures that judge a run of ours")
    made.add_argument("--peer-samples", type=int, help="the same for a peer; as many as ours if left out")
    made.add_argument("--num-steps", type=int, default=50, help="network evaluations per picture")
    made.add_argument(
        "--rate-for", type=float, default=4, help="CPU-seconds in which the training rate is measured"
    )
    made.add_argument(
        "--resume", action="store_true", help="keep the rows that stand in --out and add what is missing"
    )
    made.set_defaults(repeats=1)
    return made


def main(
    arguments: Sequence[str] | None = None,
    made: argparse.ArgumentParser | None = None,
    name=NAME,
    question=QUESTION,
) -> int:
    """Measure, print and write; returns the exit code. `ablation` asks another question by another parser."""
    made = made or parser()
    options = common.parse(made, arguments)
    if options.quick:
        vars(options).update(QUICK, seeds=options.seeds[:1])
    options.peer_samples = options.peer_samples or options.num_samples
    try:
        check(options)
        digits = dl.data.mnist()
        if digits.source != "mnist" and not options.quick:
            raise ValueError("this benchmark needs MNIST, and it is not here (--quick does without)")
        rows, facts = earlier(options)
        describe(options, digits, facts)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        made.error(str(error))
    for _ in measure(options, digits, rows):
        common.write(options, name, question, rows, medians=medians(rows), contenders=facts)
    common.finish(options, name, question, rows, medians=medians(rows), columns=COLUMNS, contenders=facts)
    return 0


def check(options: argparse.Namespace) -> None:
    """Raise a `ValueError` that names the option which is out of range."""
    for contender in options.contenders:
        peers.find(contender)
    check_range("--num-samples", options.num_samples, 200)
    check_range("--peer-samples", options.peer_samples, 200)
    check_range("--num-steps", options.num_steps, 1, 1000)
    for name in ("budgets", "slice", "rate_for"):
        if not torch.as_tensor(getattr(options, name)).gt(0).all():
            raise ValueError(f"--{name.replace('_', '-')} must be above 0, got {getattr(options, name)}")
    if options.resume and options.out is None:
        raise ValueError("--resume needs --out, the file to go on with")


def earlier(options: argparse.Namespace) -> tuple[list[common.Row], dict]:
    """Read the rows and the contenders' settings of the run that ``--resume`` goes on with, if there are any."""
    if not options.resume or not options.out.exists():
        return [], {}
    try:
        content = json.loads(options.out.read_text("utf-8"))
        rows, facts = content["rows"], content["contenders"]
        before = [content["machine"]["cpu"], content["machine"]["threads"], content["versions"]["torch"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"--resume: {options.out} is no result of this benchmark: {error!r}") from error
    now = [common.machine()["cpu"], common.machine()["threads"], common.versions()["torch"]]
    if now != before:
        raise ValueError(
            f"--resume: {options.out} was measured on {before} (CPU, threads, torch), and this is {now}"
        )
    return rows, facts


def planned_steps(budget: float, rate: float, batch_size: int) -> int:
    """Optimiser steps that fit into `budget` CPU-seconds at `rate` images per CPU-second; at least one."""
    return max(1, int(budget * rate / batch_size))


def describe(options: argparse.Namespace, digits: Digits, facts: dict) -> None:
    """Put into `facts` what each contender is; a `ValueError` says if the file's rows had other settings."""
    for name in options.contenders:
        kind, batch_size = peers.find(name)
        contender = kind(digits, batch_size=batch_size)
        settings = json.loads(json.dumps(contender.settings()))
        before = facts.get(name, {}).get("settings", settings)
        if before != settings:
            raise ValueError(
                f"--resume: the rows of {name} in --out were measured with {before}, not {settings}"
            )
        about = {
            key: getattr(contender, key)
            for key in ("source", "recipe", "departures", "package", "parameters")
        }
        facts[name] = about | {"settings": settings}


class Run:
    """A contender in training, with the CPU-seconds that its steps took and the budgets at which it is judged."""

    def __init__(self, name: str, contender: peers.Contender, budgets: Iterable[float]):
        """Start at no CPU-seconds."""
        self.name, self.contender, self.budgets = name, contender, sorted(budgets)
        self.cpu_seconds, self.steps = 0.0, 0

    def train(self, until: float) -> None:
        """Take steps up to `until` CPU-seconds in all (the step that crosses it is the last), or up to the last."""
        while self.cpu_seconds < until and self.steps < self.contender.num_steps:
            begin = common.cpu_seconds()
            self.contender.step()
            self.cpu_seconds += common.cpu_seconds() - begin
            self.steps += 1


def race(runs: Sequence[Run], slice_: float) -> Iterator[tuple[Run, float]]:
    """Train all runs in turn, `slice_` CPU-seconds each.

    Yields a run whenever it has reached one of its budgets.
    """
    waiting = list(runs)
    while waiting:
        for run in waiting:
            end = run.cpu_seconds + slice_
            while run.budgets:
                run.train(min(end, run.budgets[0]))
                if run.cpu_seconds < run.budgets[0] and run.steps < run.contender.num_steps:
                    break  # the slice is over
                yield run, run.budgets.pop(0)
        waiting = [run for run in waiting if run.budgets]


def measure(options: argparse.Namespace, digits: Digits, rows: list[common.Row]) -> Iterator[common.Row]:
    """Train and judge what is missing in `rows`; adds each row there and yields it as it comes."""
    judge = dl.load_judge()
    for seed in options.seeds:
        for run, budget in race(list(start(options, digits, seed, rows)), options.slice):
            row = {"contender": run.name, "seed": seed, "budget": budget}
            row |= (
                progress(run) | verdict(options, run, seed, judge) | {"commit": common.versions()["commit"]}
            )
            rows.append(row)
            note = f"{run.name} after {budget:g} CPU-seconds: Fréchet distance {row['frechet_distance']:.2f}"
            print(f"seed {seed}: {note}", file=sys.stderr)
            yield row


def start(
    options: argparse.Namespace, digits: Digits, seed: int, rows: Sequence[common.Row]
) -> Iterator[Run]:
    """Make the runs of one seed that are still to be done.

    A contender whose learning rate falls to zero gets a run for each budget, as long as its measured rate
    allows. Others get one run, judged on its way.
    """
    for name in options.contenders:
        same = {
            "contender": name,
            "seed": seed,
            "samples": samples_of(options, name),
            "evaluations": options.num_steps,
        }
        done = {row["budget"] for row in rows if same.items() <= row.items()}
        budgets = [budget for budget in options.budgets if budget not in done]
        if not budgets:
            continue
        kind, batch_size = peers.find(name)
        trial = Run(name, kind(digits, seed=seed, batch_size=batch_size), [])
        rate = training_rate(trial, options.rate_for)
        for chosen in [[budget] for budget in budgets] if kind.decays else [budgets]:
            limit = (
                {"num_steps": planned_steps(chosen[0], rate, trial.contender.batch_size)}
                if kind.decays
                else {}
            )
            yield Run(name, kind(digits, seed=seed, batch_size=batch_size, **limit), chosen)


def training_rate(run: Run, seconds: float) -> float:
    """Images per CPU-second of a run in its first `seconds`, after a step to warm up (the imports of an optimiser)."""
    run.train(until=1e-9)
    images, begin = run.contender.images, run.cpu_seconds
    run.train(until=begin + seconds)
    return (run.contender.images - images) / (run.cpu_seconds - begin)


def samples_of(options: argparse.Namespace, name: str) -> int:
    """How many pictures judge a run of this contender."""
    return options.num_samples if issubclass(peers.find(name)[0], peers.Ours) else options.peer_samples


def progress(run: Run) -> common.Row:
    """Say how far a run has come."""
    return {
        "cpu_seconds": run.cpu_seconds,
        "steps": run.steps,
        "planned_steps": run.contender.num_steps if run.contender.decays else None,
        "images": run.contender.images,
        "images_per_cpu_second": run.contender.images / run.cpu_seconds,
        "parameters": run.contender.parameters,
    }


def verdict(options: argparse.Namespace, run: Run, seed: int, judge: dl.pretrained.Judge) -> common.Row:
    """Draw pictures and judge them; without classes there is no class accuracy, as nothing was asked for."""
    contender, number = run.contender, samples_of(options, run.name)

    def draw(labels: torch.Tensor) -> torch.Tensor:
        images = contender.draw(labels, options.num_steps)
        return images.nan_to_num(0, 1, -1).clamp(-1, 1)

    begin = common.cpu_seconds()
    with torch.random.fork_rng(devices=[]):  # training goes on as if nobody had looked
        torch.manual_seed(seed)
        report = evaluation.evaluate(draw, *judge, num_samples=number)
    taken = common.cpu_seconds() - begin
    return {
        "samples": number,
        "evaluations": options.num_steps,
        "frechet_distance": report.frechet_distance,
        "floor": report.floor,
        "times_floor": report.frechet_distance / report.floor,
        "class_accuracy": report.class_accuracy if contender.conditional else None,
        "diversity": report.diversity if contender.conditional else None,
        "drawn_per_cpu_second": number / taken,
    }


def medians(rows: Sequence[common.Row]) -> list[common.Row]:
    """Sum up the seeds, for each budget from the best to the worst."""
    summed = common.medians(
        rows, by=("contender", "budget", "samples", "evaluations", "parameters"), of=MEDIANS
    )
    return sorted(summed, key=lambda row: (row["budget"], row["frechet_distance"]))


if __name__ == "__main__":
    sys.exit(main())
