"""How does the time grow with batch, width, image size and number of steps?

A training step of `dl.UNet` and sampling with it are timed along four lines through one middle point, all
points in turn. For each line a power law is fitted by least squares to the logarithms: ``time ~ value **
exponent``. The exponent of the floating-point operations stands beside it: where that of the time is smaller,
larger sizes use the machine better; where it is larger, something other than arithmetic grows.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

import diffusion_lab as dl
from benchmarks import common
from benchmarks.common import Row
from benchmarks.throughput import default_of, flops_of, in_turn, work
from diffusion_lab.shapes import check_range

NAME = "scaling"
QUESTION = "How does the time grow with batch, width, image size and number of steps?"
LINES = {"batch": (16, 32, 64, 128, 256), "width": (16, 32, 64, 96, 128), "size": (12, 20, 28, 40, 56)}
STEPS = (5, 10, 20, 50)
QUICK = {
    "batch": [2, 4],
    "width": [8, 16],
    "size": [8, 16],
    "steps": [1, 2],
    "middle": [4, 8, 8],
    "repeats": 1,
}
EVALUATIONS = 5
"""Network evaluations of a timed sampling, which is divided by them except along the number of steps."""
POINTS = {
    "line": "",
    "value": "",
    "training_ms": ".2f",
    "sampling_ms": ".2f",
    "training_gflops_per_second": ".1f",
}
FITS = {
    "line": "",
    "of": "",
    "exponent": ".2f",
    "r_squared": ".4f",
    "worst_off_by": ".1%",
    "exponent_of_flop": ".2f",
}


class Point(NamedTuple):
    """A point on a line, and what is timed there."""

    line: str
    value: int
    evaluations: int
    """What the time of sampling is divided by."""
    jobs: dict[str, Callable[[], Any]]
    """By name, "training" and "sampling" or the latter alone."""


def points(options: argparse.Namespace, device: torch.device) -> list[Point]:
    """Make every point of every line; along the number of steps only sampling is timed."""
    batch, width, size = options.middle
    middle = {"batch": batch, "width": width, "size": size}
    made = []
    for line in LINES:
        for value in getattr(options, line):
            at = middle | {line: value}
            job = work(dl.UNet(num_classes=10, width=at["width"]), at["batch"], at["size"], device)
            jobs = {"training": job.train, "sampling": lambda job=job: job.draw(EVALUATIONS)}
            made.append(Point(line, value, EVALUATIONS, jobs))
    job = work(dl.UNet(num_classes=10, width=width), batch, size, device)
    made += [
        Point("steps", value, 1, {"sampling": lambda value=value: job.draw(value)}) for value in options.steps
    ]
    return made


def flops(point: Point, of: str) -> float:
    """Floating-point operations of a job.

    A `ValueError` names the option if the network cannot take its value.
    """
    try:
        return flops_of(point.jobs[of]).total()
    except ValueError as error:
        raise ValueError(f"--{point.line} {point.value} does not fit the network: {error}") from error


def fit(values: Sequence[float], times: Sequence[float]) -> tuple[float, float, float]:
    """Fit ``times ~ values ** exponent`` to the logarithms: the exponent, R², and how far off the worst point is."""
    x, y = np.log(values), np.log(times)
    exponent, level = np.polyfit(x, y, 1)
    off, spread = y - exponent * x - level, y - y.mean()
    return float(exponent), float(1 - (off @ off) / (spread @ spread)), float(np.expm1(np.abs(off).max()))


def fits(summary: Sequence[Row]) -> list[Row]:
    """Fit a law to the times and to the operations of each line."""
    rows = []
    for line in dict.fromkeys(row["line"] for row in summary):
        for of in ("training", "sampling"):
            here = [row for row in summary if row["line"] == line and f"{of}_ms" in row]
            if here:
                values = [row["value"] for row in here]
                exponent, r_squared, worst = fit(values, [row[f"{of}_ms"] for row in here])
                flop = fit(values, [row[f"{of}_gflop"] for row in here])[0]
                rows.append(dict(zip(FITS, (line, of, exponent, r_squared, worst, flop), strict=True)))
    return rows


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(f"{QUESTION} Times, and the exponents of power laws fitted to them.")
    for line, values in {**LINES, "steps": STEPS}.items():
        made.add_argument(f"--{line}", type=int, nargs="+", default=values, help="values to try, two or more")
    middle = (32, default_of(dl.UNet, "width"), 28)
    names = ("BATCH", "WIDTH", "SIZE")
    made.add_argument(
        "--middle", type=int, nargs=3, default=middle, metavar=names, help="where the lines meet"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit, print and write; returns the exit code."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        vars(options).update(QUICK)
    try:
        for name in (*LINES, "steps", "middle"):
            check_range(f"--{name}", torch.tensor(getattr(options, name)), 1)
        for name in (*LINES, "steps"):
            check_range(f"the number of different values of --{name}", len(set(getattr(options, name))), 2)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(options.seeds[0])
        planned = points(options, device)
        jobs = {(i, of): job for i, point in enumerate(planned) for of, job in point.jobs.items()}
        operations = {(i, of): flops(planned[i], of) for i, of in jobs}
    except ValueError as error:
        made.error(str(error))
    times = in_turn(jobs, options.repeats, device, least=0.0 if options.quick else 0.02)

    rows: list[Row] = []
    summary: list[Row] = [{"line": point.line, "value": point.value} for point in planned]
    for (i, of), taken in times.items():
        parts = planned[i].evaluations if of == "sampling" else 1
        where = {"line": planned[i].line, "value": planned[i].value}
        rows += [{**where, "of": of, "repeat": k, "seconds": t / parts} for k, t in enumerate(taken)]
        seconds, gflop = statistics.median(taken) / parts, operations[i, of] / parts / 1e9
        done = {f"{of}_ms": seconds * 1000, f"{of}_gflop": gflop, f"{of}_gflops_per_second": gflop / seconds}
        summary[i] = summary[i] | done
    laws = fits(summary)
    clock = "ms between CUDA events" if device.type == "cuda" else "CPU-milliseconds"
    batch, width, size = options.middle
    question = f"{QUESTION} (the lines meet at batch {batch}, width {width}, size {size}; {clock})"
    common.finish(options, NAME, question, rows, medians=summary, columns=POINTS, fits=laws, clock=clock)
    print(
        "\nSampling is one evaluation of the network; along steps, all of them. Fitted, time ~ value **"
        " exponent:\n"
    )
    print(common.table(laws, FITS))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
