"""What does a network evaluation buy? Fréchet distance against evaluations, for our samplers and diffusers' schedulers.

All of them drive the same network from the same noise. Evaluations are counted at the network, not taken from
the number of steps. Where a sampler can keep its guesses of x_0 in [-1, 1] it does (ours do for images; their
schedulers by ``clip_sample`` or ``thresholding``), and those called "unclipped" show what that is worth.
Pictures are clamped to [-1, 1] before they are judged, as they would be on their way into a file.

diffusers counts times from 0 to T - 1: theirs is ours minus one. Its Heun and Euler walk in sigma / alpha,
which our cosine schedule begins at 20,000; notes in the table say where a scheduler does not survive that.
"""

import argparse
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

import diffusion_lab as dl
from benchmarks import common
from benchmarks.common import Row
from diffusion_lab import evaluation, pretrained
from diffusion_lab.shapes import check_range, normal_like
from diffusion_lab.shipped import FOLDER, shipped

NAME = "sampler_efficiency"
QUESTION = "What does a network evaluation buy?"
QUICK = {"evaluations": [3], "num_samples": 200, "batch_size": 200}
QUICK_SAMPLERS = ("ddim", "heun", "diffusers-ddim")
COLUMNS = {
    "sampler": "",
    "evaluations": "g",
    "samples": ",",
    "runs": "",
    "frechet_distance": ".3f",
    "times_floor": ".2f",
    "class_accuracy": ".2%",
    "diversity": ".2f",
    "cpu_ms_per_image": ".2f",
    "note": "",
}
MEDIANS = (
    "evaluations",
    "frechet_distance",
    "times_floor",
    "class_accuracy",
    "diversity",
    "cpu_ms_per_image",
)


class Counted(nn.Module):
    """A network that counts the pictures it is asked about."""

    def __init__(self, model: nn.Module):
        """Wrap a network; whatever it knows about itself stays readable."""
        super().__init__()
        self.model, self.asked = model, 0
        self.null_label, self.trained_objective = model.null_label, model.trained_objective

    def forward(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        """Predict, and count."""
        self.asked += len(x_t)
        return self.model(x_t, t, **condition)


class Sampler(NamedTuple):
    """A way to draw."""

    draw: Callable[..., Tensor]
    """Called as ``draw(model, trained, labels, num_steps, generator)``.

    `trained` knows schedule and objective.
    """
    per_step: int = 1
    """Network evaluations of a step; with two, the last step takes one (there is nothing to ask at t = 0)."""
    note: str = ""
    """What a reader of its numbers should know."""

    def steps(self, evaluations: int) -> int:
        """Most steps for so many evaluations."""
        return evaluations if self.per_step == 1 else (evaluations + 1) // 2


def draw_ours(model, trained, labels: Tensor, num_steps: int, generator: Generator, **options) -> Tensor:
    """Draw a batch with `dl.sample`."""
    shape, schedule = (len(labels), trained.model.config["in_channels"], 28, 28), trained.schedule
    options |= {
        "labels": labels,
        "num_steps": num_steps,
        "objective": trained.objective,
        "generator": generator,
    }
    return dl.sample(model, schedule, shape, progress=False, **options)


@torch.no_grad()
def draw_theirs(
    model,
    trained,
    labels: Tensor,
    num_steps: int,
    generator: Generator,
    *,
    make: Callable,
    above: float | None = None,
) -> Tensor:
    """Draw a batch with a scheduler of diffusers, which ``make(betas, …)`` makes.

    `above` leaves out the times with more sigma / alpha than that, and starts with noise at the first of the
    others.
    """
    schedule, device = trained.schedule, labels.device
    betas = schedule.betas[1:]
    if above is not None:
        betas = betas[schedule.snr()[1:].rsqrt() <= above]
    prediction = {"v": "v_prediction", "eps": "epsilon", "x0": "sample"}[trained.objective]
    scheduler = make(trained_betas=betas.tolist(), num_train_timesteps=len(betas), prediction_type=prediction)
    scheduler.set_timesteps(num_steps, device=device)
    shape = (len(labels), trained.model.config["in_channels"], 28, 28)
    x = normal_like(torch.empty(shape, device=device), generator) * scheduler.init_noise_sigma
    random = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for t in scheduler.timesteps:
        ours = float(t) + 1  # Heun with Karras' spacing asks for times between two steps
        times = torch.full((len(x),), int(ours) if ours.is_integer() else ours, device=device)
        output = model(scheduler.scale_model_input(x, t), times, labels=labels)
        x = scheduler.step(output, t, x, **random).prev_sample
    return x


def our_samplers() -> dict[str, Sampler]:
    """List the samplers of the package: each as it is by default, and its variants that are worth a look."""
    variants: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "ddim": [("eta0.5", {"eta": 0.5}), ("quadratic", {"spacing": "quadratic"})],
        "dpmpp_2m": [
            *((name, {"spacing": name}) for name in dl.sampling.SPACINGS),
            ("eta1", {"eta": 1.0}),
            ("eta1-logsnr", {"eta": 1.0, "spacing": "logsnr"}),
            ("unclipped", {"clip_x_0": False}),
        ],
        "heun": [(name, {"spacing": name}) for name in dl.sampling.SPACINGS],
    }
    found = {}
    for name, sampler in dl.SAMPLERS.items():
        per_step = 2 if name == "heun" else 1
        found[name] = Sampler(partial(draw_ours, sampler=name), per_step)
        defaults = {key: p.default for key, p in inspect.signature(sampler).parameters.items()}
        for suffix, options in variants.get(name, []):
            if any(defaults.get(key) != value for key, value in options.items()):
                found[f"{name}-{suffix}"] = Sampler(partial(draw_ours, sampler=name, **options), per_step)
    return found


def their_samplers() -> dict[str, Sampler]:
    """List diffusers' schedulers, by names that begin with "diffusers-"; imports diffusers."""
    import diffusers

    clip, trailing = {"thresholding": True, "sample_max_value": 1.0}, {"timestep_spacing": "trailing"}
    multistep, heun = diffusers.DPMSolverMultistepScheduler, diffusers.HeunDiscreteScheduler
    sde, karras = {"algorithm_type": "sde-dpmsolver++"}, {"use_karras_sigmas": True}
    makers = {
        "ddim": partial(diffusers.DDIMScheduler, clip_sample=True, **trailing),
        "ddpm": partial(diffusers.DDPMScheduler, clip_sample=True, **trailing),
        "dpmpp_2m": partial(multistep, **trailing, **clip),
        "dpmpp_2m-unclipped": partial(multistep, **trailing),
        "dpmpp_2m-sde": partial(multistep, **trailing, **clip, **sde),
        "unipc": partial(diffusers.UniPCMultistepScheduler, **trailing, **clip),
        "euler_ancestral": partial(diffusers.EulerAncestralDiscreteScheduler, **trailing),
        "heun": partial(heun, clip_sample=True, **trailing),
    }
    found = {
        name: Sampler(partial(draw_theirs, make=make), 1 + (name == "heun")) for name, make in makers.items()
    }
    late = {"above": 80.0}  # where Karras et al. 2022 begin
    found["dpmpp_2m-karras80"] = Sampler(
        partial(draw_theirs, make=partial(multistep, **clip, **karras), **late)
    )
    found["heun"] = found["heun"]._replace(note="takes a mean of slopes over its first step, from pure noise")
    found["heun-karras80"] = Sampler(
        partial(draw_theirs, make=partial(heun, clip_sample=True, **karras), **late), 2
    )
    return {f"diffusers-{name}": sampler for name, sampler in found.items()}


def choose_samplers(patterns: Sequence[str] | None) -> dict[str, Sampler]:
    """Give the samplers whose names fit a pattern, or all.

    A `ValueError` names the pattern that fits none.
    """
    found = our_samplers()
    try:
        found |= their_samplers()
    except ImportError as error:
        print(f"diffusers' schedulers are left out: {error}", file=sys.stderr)
    for pattern in patterns or ():
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ValueError(f"--samplers: {pattern!r} fits none of {', '.join(found)}")
    chosen = patterns or found
    return {name: sampler for name, sampler in found.items() if any(fnmatchcase(name, p) for p in chosen)}


def measure(
    sampler: Sampler, trained, judge, evaluations: int, seed: int, options: argparse.Namespace
) -> Row:
    """Draw with one sampler and judge the pictures.

    The same seed gives every sampler the same noise to begin with.
    """
    device = next(trained.model.parameters()).device
    model, labels, pictures = Counted(trained.model), judge.reference.labels(options.num_samples), []
    begin = common.cpu_seconds()
    for index, batch in enumerate(labels.split(options.batch_size)):
        generator = Generator().manual_seed(1000 * seed + index)
        steps = sampler.steps(evaluations)
        pictures.append(sampler.draw(model, trained, batch.to(device), steps, generator).cpu())
    spent = common.cpu_seconds() - begin
    images = torch.cat(pictures)
    row: Row = {
        "evaluations": model.asked / len(labels),
        "cpu_ms_per_image": spent / len(labels) * 1000,
        "frechet_distance": None,
        "times_floor": None,
        "class_accuracy": None,
        "diversity": None,
        "note": sampler.note,
    }
    if not bool(images.isfinite().all()):
        lost = 1 - float(images.isfinite().float().mean())
        return row | {"note": f"broken: {lost:.0%} of the pixels are not finite"}
    if (beyond := float((images.abs() > 2).float().mean())) > 0.01:
        row["note"] = f"broken: {beyond:.0%} of the pixels lie beyond ±2"
    report = evaluation.judge(judge.classifier, judge.reference, images.clamp(-1, 1), labels)
    return row | {
        "frechet_distance": report.frechet_distance,
        "times_floor": report.frechet_distance / report.floor,
        "class_accuracy": report.class_accuracy,
        "diversity": report.diversity,
    }


def summary_of(rows: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """Take medians over the seeds, sorted by sampler, number of samples and evaluations asked for."""
    place = {name: i for i, name in enumerate(dict.fromkeys([*order, *(row["sampler"] for row in rows)]))}
    ordered = sorted(rows, key=lambda row: (place[row["sampler"]], row["samples"], row["asked"]))
    key = ("sampler", "samples", "asked")
    summary = common.medians(ordered, by=key, of=MEDIANS)
    for row in summary:
        notes = [other["note"] for other in ordered if all(other[k] == row[k] for k in key) and other["note"]]
        row["note"] = notes[0] if notes else ""
    return summary


def overview_of(summary: Sequence[Row]) -> list[Row]:
    """Lay the Fréchet distances out, a line per sampler.

    The last number is that of 10 evaluations over that of 100.
    """
    lines: dict[tuple, Row] = {}
    for row in summary:
        head = {key: row[key] for key in ("sampler", "samples")}
        line = lines.setdefault(tuple(head.values()), head)
        line[str(row["asked"])] = row["frechet_distance"]
    for line in lines.values():
        few, many = line.get("10"), line.get("100")
        line["10_over_100"] = few / many if few and many else None
    return list(lines.values())


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(f"{QUESTION} Fréchet distance and class accuracy against network evaluations.")
    made.add_argument(
        "--model", default="digits", help="a network that ships with the course, or a .safetensors file"
    )
    made.add_argument(
        "--samplers", nargs="+", metavar="NAME", help="all if left out; 'diffusers-*' is a pattern"
    )
    made.add_argument(
        "--evaluations", type=int, nargs="+", default=[5, 10, 20, 50, 100], help="per picture, at most"
    )
    made.add_argument("--num-samples", type=int, default=2000, help="pictures of each run")
    made.add_argument("--batch-size", type=int, default=250, help="pictures at a time")
    made.add_argument(
        "--resume", action="store_true", help="keep the rows that stand in --out and add what is missing"
    )
    return made


def check(options: argparse.Namespace) -> None:
    """Raise a `ValueError` that names the option which is out of range."""
    check_range("--evaluations", torch.tensor(options.evaluations), 1, 1000)
    check_range("--num-samples", options.num_samples, 200)
    check_range("--batch-size", options.batch_size, 1)
    if options.resume and options.out is None:
        raise ValueError("--resume needs --out, the file to go on with")


def load(name: str) -> tuple[pretrained.Pretrained, dict[str, str]]:
    """Load the network, and say which it is: its name and the start of its file's sha256.

    Raises:
        ValueError: if there is none, or it has no classes.
    """
    ships = name in shipped()
    try:
        trained = dl.load_pretrained(name) if ships else dl.load_model(name)
    except (ValueError, OSError) as error:
        raise ValueError(f"--model {name}: {error}") from error
    file = FOLDER / shipped()[name]["file"] if ships else Path(name)
    if getattr(trained.model, "null_label", None) is None:
        raise ValueError(f"--model {name} has no classes; the judge wants digits by their labels")
    return trained, {"name": file.stem, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()[:16]}


def earlier(options: argparse.Namespace, model: dict[str, str]) -> list[Row]:
    """Read the rows of the run that ``--resume`` goes on with.

    A `ValueError` says if they are of another network.
    """
    if not options.resume or not options.out.exists():
        return []
    try:
        content = json.loads(options.out.read_text("utf-8"))
        rows, before = content["rows"], content["model"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"--resume: {options.out} is no result of {NAME}: {error!r}") from error
    if before != model:
        raise ValueError(f"--resume: the rows in --out are of the network {before}, not of {model}")
    return rows


def plan(options: argparse.Namespace, samplers: Sequence[str]) -> Iterator[Row]:
    """List what is to be measured: a seed after the other, and few evaluations first, so that a part is of use."""
    for seed in options.seeds:
        for asked in sorted(options.evaluations):
            for name in samplers:
                yield {"sampler": name, "asked": asked, "samples": options.num_samples, "seed": seed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        vars(options).update(QUICK, seeds=options.seeds[:1], samplers=options.samplers or QUICK_SAMPLERS)
    try:
        check(options)
        samplers = choose_samplers(options.samplers)
        trained, model = load(options.model)
        judge = dl.load_judge()
        rows = earlier(options, model)
    except (ValueError, OSError) as error:
        made.error(str(error))
    options.samplers, options.model = list(samplers), model["name"]
    trained.model.to("cuda" if torch.cuda.is_available() else "cpu")
    done = [{key: row[key] for key in ("sampler", "asked", "samples", "seed")} for row in rows]
    commit = {"commit": common.versions()["commit"]}  # a file that is gone on with may hold rows of several
    for run in plan(options, list(samplers)):
        if run not in done:
            result = measure(samplers[run["sampler"]], trained, judge, run["asked"], run["seed"], options)
            rows.append(run | result | commit)
            common.write(options, NAME, QUESTION, rows, model=model)
    summary = summary_of(rows, list(samplers))
    overview = overview_of(summary)
    common.finish(
        options, NAME, QUESTION, rows, medians=summary, columns=COLUMNS, overview=overview, model=model
    )
    asked = map(str, sorted({row["asked"] for row in summary}))
    formats = {"sampler": "", "samples": ",", **dict.fromkeys(asked, ".3f"), "10_over_100": ".2f"}
    print("\nFréchet distance by evaluations asked for, and that of 10 over that of 100:\n")
    print(common.table(overview, formats))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
