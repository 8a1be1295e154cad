"""The command line: ``diffusion-lab …`` or ``python -m diffusion_lab …``.

Every command ends with exit code 0 only when the thing was done; bad input ends with one line and exit code
2.
"""

import argparse
import importlib
import json
import os
import platform
import shlex
import signal
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import torch
from tqdm import tqdm

import diffusion_lab as dl
from diffusion_lab import data, evaluation, figures, pretrained
from diffusion_lab.checks import build
from diffusion_lab.files import replacing
from diffusion_lab.grading import report
from diffusion_lab.links import repository
from diffusion_lab.mini_sd import judge as scene_judge
from diffusion_lab.mini_sd import stages
from diffusion_lab.mini_sd.pipeline import GUIDANCE, SAMPLER, MiniSD
from diffusion_lab.sampling import SPACINGS
from diffusion_lab.schedules import CURVES
from diffusion_lab.shapes import check_range

MINUTES_BETWEEN_CHECKPOINTS = 5
CHOSEN = (
    "steps",
    "batch_size",
    "learning_rate",
    "ema",
    "objective",
    "schedule",
    "width",
    "blocks",
    "seed",
    "bfloat16",
)
"""The options that decide what comes out of a training run.

With the data, what must not change when it resumes.
"""
RUN = (*CHOSEN, "data")
RUN_OF_A_STAGE = ("steps", "seed", "bfloat16", "data")
TRAINING = {"bfloat16": False, "seed": 0, "device": "auto", "resume": False}
"""What every training can be told, and what holds otherwise."""
LABELS = "0123456789"
"""What `sample` draws with a model of digits unless told otherwise."""
BEST = {"sampler": "dpmpp_2m", "spacing": "logsnr", "eta": 1.0}
"""What `evaluate` samples with unless told otherwise: the winner of ``benchmarks.sampler_efficiency`` at 20 steps."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"diffusion-lab {options.command}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"diffusion-lab {options.command}: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="diffusion-lab", description="Train, sample and judge the small diffusion models of the course."
    )
    parser.add_argument("--version", action="version", version=f"diffusion-lab {dl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        sub.set_defaults(run=run)
        return sub

    command("doctor", doctor, "Say what is installed and found here, and what to do about the rest.")

    sub = command("train", train, "Train on MNIST: the digits model, or the judge that evaluates it.")
    sub.add_argument("what", nargs="?", choices=["digits", "judge"], default="digits", help="what to train")
    sub.add_argument("--out", type=Path, default=Path("runs"), help="folder for the checkpoint and the model")
    sub.add_argument("--steps", type=int, default=4000, help="optimiser steps (digits)")
    sub.add_argument("--epochs", type=int, default=6, help="passes through the data (judge)")
    sub.add_argument("--batch-size", type=int, default=64, help="images per step (digits)")
    sub.add_argument("--learning-rate", type=float, default=4e-3, help="its peak (digits)")
    sub.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights (digits)")
    sub.add_argument(
        "--objective", choices=["eps", "x0", "v", "flow"], default="v", help="what to predict (digits)"
    )
    sub.add_argument(
        "--schedule",
        choices=sorted(CURVES),
        default="cosine",
        metavar="NAME",
        help="noise schedule, T = 1000: %(choices)s (digits)",
    )
    sub.add_argument("--width", type=int, default=32, help="feature maps of the first level (digits)")
    sub.add_argument("--blocks", type=int, default=1, help="residual blocks per level (digits)")
    _training_options(sub, " (digits)")

    sub = command(
        "train-mini-sd", train_mini_sd, "Train the mini Stable Diffusion, one part after the other."
    )
    sub.add_argument(
        "stage", choices=[*stages.STEPS, "pack"], help="what to train, in this order; pack joins them"
    )
    sub.add_argument("--out", type=Path, default=Path("runs/mini-sd"), help="folder for the parts")
    many = ", ".join(f"{name} {number}" for name, number in stages.STEPS.items())
    sub.add_argument(
        "--steps", type=int, default=argparse.SUPPRESS, help=f"optimiser steps (default: {many})"
    )
    sub.add_argument("--force", action="store_true", help="replace mini-sd.safetensors if it is there (pack)")
    _training_options(sub, only_if_given=True)

    sub = command(
        "sample", sample, "Draw digits, or scenes from words, into a PNG, or their denoising into a GIF."
    )
    _model_options(sub)
    sub.add_argument(
        "--labels",
        default=argparse.SUPPRESS,
        help=f"what a digits model should draw, in order (default: {LABELS})",
    )
    sub.add_argument(
        "--prompt",
        action="append",
        default=argparse.SUPPRESS,
        help='what mini-sd should draw, such as "a big red seven"; may be given again',
    )
    sub.add_argument("--negative", default=argparse.SUPPRESS, help="what mini-sd should lead away from")
    sub.add_argument("--rows", type=int, default=4, help="how many of each")
    sub.add_argument(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        help="file to write, .png or .gif (default: digits.png; scenes.png for mini-sd)",
    )
    sub.add_argument("--force", action="store_true", help="replace the file if it is there")

    sub = command(
        "evaluate", evaluate, "Judge generated digits, or how well generated scenes follow their prompts."
    )
    _model_options(sub)
    sub.add_argument("--num-samples", type=int, default=2000, help="digits, or scenes, to draw")
    sub.add_argument(
        "--held-out", action="store_true", help="prompts with pairs that training never showed (mini-sd)"
    )
    best = ", ".join(f"{name} {value}" for name, value in BEST.items())
    sub.epilog = f"Without --sampler it is what suits the shipped digits best: {best}."

    sub = command("build-exercises", build_exercises, "Make the exercises out of the solutions.")
    unless = {"type": Path, "default": argparse.SUPPRESS}
    unless_text = {"type": str, "default": argparse.SUPPRESS}
    sub.add_argument(
        "--source", **unless, help="folder of the solutions (default: solutions/, here or above)"
    )
    sub.add_argument("--out", **unless, help="folder to write to (default: exercises/, beside the source)")
    sub.add_argument("--check", action="store_true", help="write nothing; name what is stale, and end with 1")

    sub = command(
        "set-repository", set_repository, "Make all badges and install commands lead to your repository."
    )
    sub.add_argument(
        "names",
        nargs="?",
        metavar="OWNER/NAME",
        default=argparse.SUPPRESS,
        help="on GitHub (default: as it is; new notebooks get their links)",
    )
    sub.add_argument("--branch", **unless_text, help="the branch that links lead to (default: as it is)")
    sub.add_argument(
        "--check", action="store_true", help="write nothing; name what disagrees, and end with 1"
    )

    sub = command("grade", grade, "Grade what a class handed in; see docs/instructors.md.")
    sub.add_argument("submissions", type=Path, help="folder or zip; it is only read")
    sub.add_argument("--out", type=Path, default=Path("grades"), help="folder of the gradebook")
    sub.add_argument("--exercise", **unless_text, help="grade this one only, such as 01 (default: all)")
    sub.add_argument("--jobs", type=int, default=_cores(), help="submissions at a time")
    sub.add_argument("--only", **unless_text, help="grade this student only; with --resume, again")
    sub.add_argument(
        "--nonce", type=int, default=argparse.SUPPRESS, help="what the checks draw (default: at random)"
    )
    sub.add_argument("--resume", action="store_true", help="go on with the gradebook in --out")
    sub.add_argument("--pattern", **unless_text, help="regular expression for paths, with the group student")
    sub.add_argument("--shard", **unless_text, help="i/n: grade the i-th of n parts of the class")
    sub.add_argument("--timeout", type=float, default=120.0, help="seconds for one submission")
    sub.add_argument(
        "--box", choices=["auto", "namespaces", "none"], default="auto", help="where kernels run"
    )
    sub.add_argument("--gpu", action="store_true", help="let kernels see the GPU")
    sub.add_argument(
        "--source", **unless, help="folder of the solutions (default: solutions/, here or above)"
    )
    _report_options(sub)

    sub = command("grade-merge", grade_merge, "Make one gradebook of those that grade --shard made.")
    sub.add_argument("parts", type=Path, nargs="+", help="the folders of all shards")
    sub.add_argument("--out", type=Path, default=Path("grades"), help="folder of the gradebook")
    _report_options(sub)

    sub = command("check", check, "Check your own exercise as it will be graded, and print the feedback.")
    sub.add_argument(
        "notebook", type=Path, help="such as exercises/01_forward_noising.ipynb; it is only read"
    )
    sub.add_argument("--timeout", type=float, default=300.0, help="seconds for all of it")
    sub.add_argument(
        "--source", **unless, help="folder of the solutions (default: solutions/, here or above)"
    )
    return parser


def _training_options(sub: argparse.ArgumentParser, where: str = "", only_if_given: bool = False) -> None:
    """Add what `TRAINING` names; with `only_if_given`, an option that was not given is not there."""

    def add(name: str, text: str, **more) -> None:
        default = argparse.SUPPRESS if only_if_given else TRAINING[name]
        said = f" (default: {TRAINING[name]})" if only_if_given and TRAINING[name] is not False else ""
        sub.add_argument(f"--{name}", default=default, help=f"{text}{said}", **more)

    add("bfloat16", f"compute in 16 bits{where}", action="store_true")
    add("seed", "decides everything that is random", type=int)
    sub.add_argument("--threads", type=int, default=0, help="CPU threads; 0 lets torch choose")
    add("device", f"where to train{where}", choices=["auto", "cpu", "cuda", "mps"])
    add("resume", f"go on from the checkpoint in --out{where}", action="store_true")


def _report_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--manual", type=Path, default=argparse.SUPPRESS, help="table of points given by hand")
    sub.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=report.FORMATS,
        default=argparse.SUPPRESS,
        help="a table for this server as well; may be given again",
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _model_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", nargs="?", default="digits", help="a shipped model, or a .safetensors file")
    sub.add_argument("--num-steps", type=int, default=20, help="steps from noise to data")
    sub.add_argument(
        "--sampler",
        choices=sorted(dl.SAMPLERS),
        default=argparse.SUPPRESS,
        help="way from noise to data (default: the model's)",
    )
    sub.add_argument(
        "--spacing",
        choices=sorted(SPACINGS),
        default=argparse.SUPPRESS,
        help="of the times (default: the sampler's)",
    )
    sub.add_argument(
        "--eta", type=float, default=argparse.SUPPRESS, help="share of fresh noise, in ddim and dpmpp_2m"
    )
    sub.add_argument(
        "--guidance-scale",
        type=float,
        default=argparse.SUPPRESS,
        help=f"1 is plain, more exaggerates (default: 1; {GUIDANCE:g} for mini-sd)",
    )
    sub.add_argument("--seed", type=int, default=0, help="same seed, same pictures")


def _sampling(options: argparse.Namespace) -> dict:
    """What `_model_options` says about sampling, as far as it was given."""
    names = ("num_steps", "sampler", "spacing", "eta", "guidance_scale")
    if "eta" in options and (sampler := getattr(options, "sampler", "ddim")) not in ("ddim", "dpmpp_2m"):
        raise ValueError(f"--eta is for ddim and dpmpp_2m, not for {sampler}")
    return {name: getattr(options, name) for name in names if name in options}


def _load(name: str) -> pretrained.Pretrained | MiniSD:
    return dl.load_model(name) if Path(name).suffix == ".safetensors" else dl.load_pretrained(name)


def doctor(_options: argparse.Namespace) -> int:
    """Print one line per thing the course needs: ok, or what to do; exit code 1 if something is missing."""
    checks = [
        _check_python,
        _check_torch,
        *(
            lambda package=package: _check_package(package)
            for package in ("torchvision", "matplotlib", "jupyterlab")
        ),
        _check_widgets,
        _check_data,
        _check_weights,
        *([_check_repository] if _clone() else []),
    ]
    broken = 0
    for check in checks:
        good, text = check()
        broken += not good
        print(f"{'ok ' if good else '-> '} {text}")
    return 1 if broken else 0


def _check_python() -> tuple[bool, str]:
    version = f"Python {platform.python_version()} on {platform.system()}, diffusion_lab {dl.__version__}"
    return sys.version_info >= (3, 10), version


def _check_torch() -> tuple[bool, str]:
    device = _device("auto")
    where = (
        f"{torch.get_num_threads()} CPU threads (all the course needs)"
        if device == "cpu"
        else f"device {device}"
    )
    return True, f"torch {torch.__version__}, {where}"


def _check_package(name: str) -> tuple[bool, str]:
    try:
        importlib.import_module(name)
        return True, f"{name} {metadata.version(name)}"
    except (ImportError, RuntimeError, OSError) as error:
        return False, f'{name} does not import ({error}): run  {sys.executable} -m pip install -e ".[course]"'


def _check_widgets() -> tuple[bool, str]:
    for package in ("anywidget", "ipywidgets"):
        good, text = _check_package(package)
        if not good:
            return False, text
    return True, f"{text}; the sliders of the lessons are drawn by the browser"


def _check_data() -> tuple[bool, str]:
    named = os.environ.get("DIFFUSION_LAB_DATA")
    for name, folder in {
        "the folder that DIFFUSION_LAB_DATA names": named,
        "the cache": data.cache_folder(),
    }.items():
        if folder and data.has_mnist(folder):
            return True, f"MNIST, in {name}"
    return (
        True,
        "MNIST is not here yet: the first use downloads 11 MB, or takes scikit-learn's digits if it cannot",
    )


def _check_weights() -> tuple[bool, str]:
    try:
        begin = time.perf_counter()
        dl.load_judge()
        dl.load_pretrained("digits").sample([7], num_steps=10, progress=False)
        seconds = time.perf_counter() - begin
        for name in pretrained.shipped():
            pretrained.checked_file(name)
    except (ValueError, OSError) as error:
        return False, f"weights: {error}"
    return True, f"weights are whole; a digit in 10 steps took {seconds:.1f} s"


def _clone() -> Path | None:
    """The clone that this package is used from, if it is; no matter where the command is called."""
    folder = Path(dl.__file__).parents[1]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir() else None


def _check_repository() -> tuple[bool, str]:
    found = repository.read(_clone())
    if found.is_set:
        return True, f"links lead to {found.url}, branch {found.branch}"
    return True, "links lead nowhere yet; after forking, run once:  diffusion-lab set-repository OWNER/NAME"


def _device(name: str) -> str:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(name, True):
        raise ValueError(f"--device {name}: torch finds none here; cpu always works")
    if name != "auto":
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def train(options: argparse.Namespace) -> int:
    """Train the digits model or the judge into a folder."""
    check_range("--threads", options.threads, 0)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    return _train_judge(options) if options.what == "judge" else _train_digits(options)


def _train_digits(options: argparse.Namespace) -> int:
    model_file, checkpoint = options.out / "digits.safetensors", options.out / "checkpoint.pt"
    if options.resume and not checkpoint.is_file():
        raise FileNotFoundError(f"--resume: there is no {checkpoint}")
    if not options.resume and (checkpoint.exists() or model_file.exists()):
        raise FileExistsError(
            f"{options.out} holds a run already: add --resume to go on, or choose another --out"
        )
    check_range("--blocks", options.blocks, 1)
    device = _device(options.device)
    digits = data.mnist()
    options.data = digits.source
    note = options.out / "run.json"
    if note.exists():
        _refuse_another_run(options, note, RUN)
    schedule = dl.DiffusionSchedule.named(options.schedule, 1000)
    model = dl.UNet(num_classes=10, width=options.width, blocks=options.blocks).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{parameters / 1e6:.2f} M parameters, {len(digits.images):,} images ({digits.source}), on {device}"
    )
    steps = dl.train(
        model,
        schedule,
        data.loader(
            digits.images,
            digits.labels,
            batch_size=options.batch_size,
            generator=torch.Generator().manual_seed(options.seed),
        ),
        num_steps=options.steps,
        objective=options.objective,
        learning_rate=options.learning_rate,
        ema_decay=options.ema,
        bfloat16=options.bfloat16,
        generator=torch.Generator().manual_seed(options.seed + 1),
        resume=checkpoint if options.resume else None,
    )
    step, stopped = _watch(steps, options, checkpoint, note, RUN)
    card = _card(options, step.index, digits.source, parameters)
    dl.save_model(model_file, step.ema, schedule, options.objective, card)
    step.save(checkpoint)
    print(f"{'stopped' if stopped else 'done'} after {step.index} steps: {model_file}")
    return 130 if stopped else 0


def _watch(steps, options: argparse.Namespace, checkpoint: Path, note: Path, names: tuple[str, ...]) -> tuple:
    """Go through a training with a bar, saving now and then; the last step, and whether Ctrl-C stopped it there.

    The options `names`, which decide what comes out, are kept in `note` with the first step of a new run.
    """
    stop = _StopRequest()
    saved, smooth = time.monotonic(), None
    with stop, tqdm(total=options.steps, unit="step") as bar:
        for step in steps:
            if smooth is None:  # the first step of this run, perhaps not of the training
                bar.initial = bar.n = step.index - 1
                smooth = step.loss
                if not options.resume:
                    with replacing(note) as part:
                        part.write_text(
                            json.dumps({name: getattr(options, name) for name in names}, indent=2)
                        )
            smooth = 0.99 * smooth + 0.01 * step.loss
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            bar.update()
            if stop.asked:
                break
            if time.monotonic() - saved > 60 * MINUTES_BETWEEN_CHECKPOINTS:
                step.save(checkpoint)
                saved = time.monotonic()
    return step, stop.asked


def _refuse_another_run(options: argparse.Namespace, note: Path, names: tuple[str, ...]) -> dict:
    """Compare what decided the run in `note`, which is returned, with what was asked for now."""
    if not options.resume:
        return {}
    try:
        before, now = json.loads(note.read_text()), vars(options)
        changed = [
            f"{k.replace('_', ' ')} was {before[k]}" for k in names if k != "steps" and now[k] != before[k]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{note}, which should say what run --resume goes on with, is damaged: {error!r}"
        ) from error
    if changed:
        raise ValueError(
            f"--resume goes on with the run in {options.out}, which was another: {', '.join(changed)}"
        )
    return before


class _StopRequest:
    """Turns the first Ctrl-C into a wish to stop after the current step; the second one stops at once."""

    def __enter__(self) -> "_StopRequest":
        self.asked = False
        self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, *_args) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_args) -> None:
        signal.signal(signal.SIGINT, self.before)


def _card(options: argparse.Namespace, steps: int, source: str, parameters: int) -> str:
    chosen = {f"--{name.replace('_', '-')}": getattr(options, name) for name in CHOSEN}
    flags = " ".join(k if v is True else f"{k} {v}" for k, v in chosen.items() if v is not False)
    return f"""# digits

A class-conditional diffusion model of 28 × 28 handwritten digits, {parameters:,} parameters, stored as float16.

- data: {"the 60,000 training images of MNIST" if source == "mnist" else "scikit-learn's 8×8 digits, enlarged"}
- trained by: `diffusion-lab train digits {flags}`
- optimiser steps done: {steps:,}
- CPU time of the run that finished it: {time.process_time() / 3600:.2f} hours (torch {torch.__version__})
"""


def _train_judge(options: argparse.Namespace) -> int:
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
    for loss in (bar := tqdm(steps, total=options.epochs * (len(digits.images) // 128), unit="step")):
        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    _, predicted = evaluation.describe(classifier, test.images)
    print(f"accuracy on the test images: {(predicted == test.labels).double().mean():.2%}")
    generator.manual_seed(options.seed)
    reference = evaluation.measure_reference(classifier, *test[:2], *digits[:2], generator=generator)
    dl.save_judge(out, pretrained.Judge(classifier, reference))
    print(f"done: {out}")
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw digits into a picture."""
    check_range("--rows", options.rows, 1)
    model, prompts, labels = (
        _load(options.model),
        getattr(options, "prompt", []),
        getattr(options, "labels", LABELS),
    )
    options.out = getattr(options, "out", Path("scenes.png" if isinstance(model, MiniSD) else "digits.png"))
    if options.out.suffix not in (".png", ".gif"):
        raise ValueError(f"--out must end in .png or .gif, got {options.out}")
    if options.out.exists() and not options.force:
        raise FileExistsError(f"{options.out} is there already: add --force to replace it")
    if isinstance(model, MiniSD):
        return _sample_scenes(options, model, prompts)
    if prompts or "negative" in options:
        raise ValueError(f"--prompt and --negative are for mini-sd; {options.model} draws --labels")
    if not labels.isdecimal():
        raise ValueError(f"--labels must be digits, such as {LABELS}, got {labels!r}")
    columns = len(labels)
    frames: list = []

    def keep(state: dl.State) -> None:
        if options.out.suffix == ".gif" or state.t == 0:
            frames.append(figures.grid(state.x_t, columns))

    model.sample(
        [int(digit) for digit in labels] * options.rows,
        seed=options.seed,
        on_step=keep,
        **_sampling(options),
    )
    figures.save_picture(options.out, frames)
    print(f"{options.out}: {columns * options.rows} digits in {options.num_steps} steps")
    return 0


def _sample_scenes(options: argparse.Namespace, model: MiniSD, prompts: list[str]) -> int:
    """Draw each prompt in a row of its own; a film shows what the VAE makes of every guess of x_0."""
    if "labels" in options:
        raise ValueError(f"--labels is for models of digits; {options.model} draws what each --prompt says")
    if not prompts:
        raise ValueError(
            f'{options.model} needs a --prompt, such as "a big red seven left of a small blue three"'
        )
    frames: list = []

    def keep(state: dl.State) -> None:
        if options.out.suffix == ".gif" or state.t == 0:
            shown = state.x_t if state.t == 0 else state.x_0_hat
            frames.append(figures.grid(model.decode(shown), options.rows))

    wanted = [prompt for prompt in prompts for _ in range(options.rows)]
    model.sample(
        wanted,
        negative=getattr(options, "negative", ""),
        seed=options.seed,
        progress=True,
        on_step=keep,
        **_sampling(options),
    )
    figures.save_picture(options.out, frames)
    print(f"{options.out}: {len(wanted)} pictures of {len(prompts)} prompts in {options.num_steps} steps")
    return 0


def train_mini_sd(options: argparse.Namespace) -> int:
    """Train one stage into a folder, or join what all of them left there."""
    out, stage = options.out, options.stage
    if stage == "pack":
        if given := [f"--{name}" for name in ("steps", *TRAINING) if name in options]:
            raise ValueError(f"pack joins what was trained, and takes no {' and no '.join(given)}")
        print(f"done: {stages.pack(out, options.force)}")
        return 0
    if options.force:
        raise ValueError(f"--force is for pack, not for {stage}: choose another --out")
    vars(options).update({"steps": stages.STEPS[stage], **TRAINING, **vars(options)})
    check_range("--steps", options.steps, 1)
    check_range("--threads", options.threads, 0)
    if options.threads:
        torch.set_num_threads(options.threads)
    file, state, note = stages.part_file(out, stage), stages.checkpoint(out, stage), out / f"{stage}.json"
    if not options.resume and (file.exists() or state.exists()):
        raise FileExistsError(f"{out} holds {stage} already: add --resume to go on, or choose another --out")
    done = stages.read_checkpoint(out, stage)["index"] if options.resume else 0
    if options.resume and not note.is_file():
        raise FileNotFoundError(f"--resume: there is no {note}, which says what the run was")
    torch.manual_seed(options.seed)
    parents, device = stages.parents(out, stage), _device(options.device)
    digits = data.mnist()
    options.data = digits.source
    before = _refuse_another_run(options, note, RUN_OF_A_STAGE)
    if options.resume and stage == "unet":
        stages.refuse_other_parents(out, before)
    vars(options).update(parents)
    notes = {"of": options.steps, "seed": options.seed, "bfloat16": options.bfloat16, "source": digits.source}
    notes |= parents
    if done == options.steps:  # nothing is left to do, but the part may be lost
        print(f"done after {done} steps: {file if file.exists() else stages.keep_again(stage, out, **notes)}")
        return 0
    training = stages.start(
        stage,
        out,
        digits,
        num_steps=options.steps,
        seed=options.seed,
        device=device,
        bfloat16=options.bfloat16,
        resume=options.resume,
    )
    step, stopped = _watch(training, options, state, note, (*RUN_OF_A_STAGE, *parents))
    stages.keep(stage, out, step.ema, steps=step.index, **notes)
    step.save(state)
    print(f"{'stopped' if stopped else 'done'} after {step.index} steps: {file}")
    return 130 if stopped else 0


def evaluate(options: argparse.Namespace) -> int:
    """Print the judge's report on a model."""
    model = _load(options.model)
    if isinstance(model, MiniSD):
        return _evaluate_scenes(options, model)
    if options.held_out:
        raise ValueError(f"--held-out is for mini-sd; {options.model} has no pairs that were held out")
    given = {"guidance_scale": 1.0, **vars(options)}
    vars(options).update(given if "sampler" in options else {**BEST, **given})
    generator = torch.Generator().manual_seed(options.seed)
    begin, evaluated = time.process_time(), []
    model.model.register_forward_pre_hook(lambda _network, args: evaluated.append(len(args[0])))
    report = evaluation.evaluate(
        lambda labels: model.sample(labels, generator=generator, progress=False, **_sampling(options)),
        *dl.load_judge(),
        num_samples=options.num_samples,
    )
    how = ", ".join(f"{name} {vars(options)[name]}" for name in BEST if name in options).removeprefix(
        "sampler "
    )
    print(
        f"{options.model}: {options.num_samples:,} samples, {how}, "
        f"{sum(evaluated) / options.num_samples:g} network evaluations each, "
        f"guidance scale {options.guidance_scale:g}, {time.process_time() - begin:.0f} CPU-seconds"
    )
    print(report)
    return 0


def _evaluate_scenes(options: argparse.Namespace, model: MiniSD) -> int:
    """Print how often generated scenes show what their prompts say, beside real scenes of the same prompts."""
    check_range("--num-samples", options.num_samples, 1)
    digits, judge = data.mnist(train=False), scene_judge.load_scene_judge()
    asked = scene_judge.exam(options.num_samples, digits, held_out=options.held_out, seed=options.seed)
    generator, begin = torch.Generator().manual_seed(options.seed), time.process_time()
    parts = [asked.captions[start : start + 50] for start in range(0, len(asked.captions), 50)]
    how = {"sampler": SAMPLER, "guidance_scale": GUIDANCE, **_sampling(options)}
    drawn = [model.sample(part, generator=generator, **how) for part in tqdm(parts, leave=False)]
    kind = "pairs never seen in training" if options.held_out else "pairs seen in training"
    way = ", ".join([how["sampler"], *(f"{name} {how[name]}" for name in ("spacing", "eta") if name in how)])
    print(
        f"{options.model}: {len(asked.captions)} prompts, {kind}, {options.num_steps} steps, {way}, "
        f"guidance scale {how['guidance_scale']:g}, {time.process_time() - begin:.0f} CPU-seconds"
    )
    for name, images in {"generated": torch.cat(drawn), f"real ({digits.source})": asked.images}.items():
        seen = judge.look(images)
        print(f"{name}: {scene_judge.compare(asked.layout, asked.captions, seen).line()}")
        if options.held_out:
            alone = scene_judge.compare(asked.layout, asked.captions, seen, first_only=True)
            print(f"  of the digit that is such a pair: {alone.line()}")
    return 0


def build_exercises(options: argparse.Namespace) -> int:
    """Write the exercises that are not as their solutions make them, or only name them."""
    source = options.source if "source" in options else build.find_solutions(Path.cwd())
    out = options.out if "out" in options else source.resolve().parent / "exercises"
    stale = build.build(source, out, options.check)
    for path in stale:
        print(f"{path}: {'stale' if options.check else 'written'}")
    print(
        f"{out}: {f'{len(stale)} to be built again' if stale and options.check else 'as the solutions say'}"
    )
    return 1 if stale and options.check else 0


def set_repository(options: argparse.Namespace) -> int:
    """Write owner, name and branch into all links, or only name the files that disagree."""
    root = repository.find_root(Path.cwd())
    old = repository.read(root)
    new = repository.parse(
        options.names if "names" in options else f"{old.owner}/{old.name}",
        options.branch if "branch" in options else old.branch,
    )
    paths = list(repository.changes(root, new)) if options.check else repository.change(root, new)
    for path in paths:
        print(f"{path.relative_to(root)}: {'disagrees' if options.check else 'written'}")
    print(
        f"{len(paths)} files {'disagree with' if options.check else 'changed; all links lead to'} {new.url}"
    )
    return 1 if paths and options.check else 0


def grade(options: argparse.Namespace) -> int:
    """Grade a class into a folder; exit code 1 if a submission is left that the grader failed on."""
    from diffusion_lab.grading import grade as grading

    check_range("--jobs", options.jobs, 1)
    if not options.timeout > 0:
        raise ValueError(f"--timeout must be more than 0, got {options.timeout:g}")
    box = _box(None if options.box == "auto" else options.box, gpu=options.gpu)
    names = ("exercise", "jobs", "only", "nonce", "resume", "pattern", "manual", "formats", "timeout")
    more = {name: getattr(options, name) for name in names if name in options}
    if "shard" in options:
        more["shard"] = grading.shard_of(options.shard)
    solutions = options.source if "source" in options else build.find_solutions(Path.cwd())
    print(f"box: {box.level}; {box.reason}", file=sys.stderr)
    if box.level == "none":
        print(
            "WARNING: run this in a container or a virtual machine; see docs/instructors.md", file=sys.stderr
        )
    graded = grading.grade(
        options.submissions,
        options.out,
        solutions=solutions,
        box=box,
        command=shlex.join(sys.argv),
        **more,
    )
    return _said(graded, options.out)


def grade_merge(options: argparse.Namespace) -> int:
    """Make one gradebook of several."""
    from diffusion_lab.grading import grade as grading

    more = {name: getattr(options, name) for name in ("manual", "formats") if name in options}
    return _said(grading.merge(options.parts, options.out, **more), options.out)


def check(options: argparse.Namespace) -> int:
    """Print the feedback on one notebook; exit code 0 only if all tasks are solved."""
    from diffusion_lab.grading import grade as grading

    solutions = (
        options.source if "source" in options else build.find_solutions(options.notebook.resolve().parent)
    )
    row, keys = grading.check(options.notebook, solutions=solutions, box=_box(None), timeout=options.timeout)
    print(report.feedback_text(row, keys))
    tasks = [task for task in row.tasks if task["max"]]
    return 0 if row.status == "graded" and all(task["status"] == "passed" for task in tasks) else 1


def _box(level: str | None, **limits):
    from diffusion_lab.grading import box as boxes

    try:
        return boxes.find_box(level, **limits)
    except boxes.BoxError as error:
        raise ValueError(f"--box: {error}") from None


def _said(graded, out: Path) -> int:
    """Say what came of grading, and give the exit code."""
    for warning in graded.warnings:
        print(warning, file=sys.stderr)
    counts = Counter(row.status for row in graded.rows)
    print(
        f"{out}: " + ", ".join(f"{counts[status]} {status}" for status in report.STATUSES if counts[status])
    )
    for row in graded.rows:
        if row.status == "GRADER-ERROR":
            print(f"{row.student}: {'; '.join(row.notes)[:200]}", file=sys.stderr)
    if graded.stopped:
        print(f"stopped; go on with --resume --out {out}", file=sys.stderr)
        return 130
    return 1 if counts["GRADER-ERROR"] else 0
