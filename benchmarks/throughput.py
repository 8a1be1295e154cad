"""How much of this machine does training use?

In one run, in turn: a training step of `dl.UNet` (whatever `dl.train` does in one, loading of data left out),
sampling
with it, and what the machine can do at best, the ceiling: the fastest of some large matrix products and some
3 × 3 convolutions, forward and backward. Then two accounts of the step: by kind of operation (a profile of
whole steps), and by layer (each convolution and linear layer alone, forward and backward, on the input that
it has in training). A *gap* is the time that would be saved if that part ran at the ceiling.

Times are CPU-seconds; on a machine with a GPU they are CUDA events on the GPU, and diffusers' `UNet2DModel`
of the same width is measured in turn (on a CPU too with ``--peer``). The GPU's path runs only where there is
one.
"""

import argparse
import inspect
import math
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

os.environ.setdefault(
    "KINETO_LOG_LEVEL", "9"
)  # the profiler would say on every machine without a GPU that it has none

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

import diffusion_lab as dl
from benchmarks import common
from benchmarks.common import Row, cpu_seconds, table
from diffusion_lab.shapes import check_range

NAME = "throughput"
QUESTION = "How much of this machine does training use?"
SAMPLING_STEPS = 50  # evaluations per picture that "pictures" are counted in


def default_of(function: Callable, argument: str) -> Any:
    """Give the default of an argument, so that what is measured is what a student gets."""
    return inspect.signature(function).parameters[argument].default


def seconds(fn: Callable[[], Any], device: torch.device, calls: int = 1) -> float:
    """Seconds of one call of ``fn()``, as the mean over `calls`: CPU-seconds, or on a GPU the time between events."""
    if device.type != "cuda":
        begin = cpu_seconds()
        for _ in range(calls):
            fn()
        return (cpu_seconds() - begin) / calls
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(calls):
        fn()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000 / calls


def in_turn(
    jobs: dict[str, Callable[[], Any]], repeats: int, device: torch.device, least: float
) -> dict[str, list]:
    """Time every job once per round, so that all of them meet the same weather; a list of seconds for each.

    Each is called once to warm up, and then, for a timing, so often that it takes about `least` seconds.
    """
    calls, times = {}, {name: [] for name in jobs}
    for name, job in jobs.items():
        job()
        calls[name] = max(1, math.ceil(least / max(seconds(job, device), 1e-7))) if least else 1
    for _ in range(repeats):
        for name, job in jobs.items():
            times[name].append(seconds(job, device, calls[name]))
    return times


def flops_of(fn: Callable[[], Any], inside: str = "Global") -> Counter:
    """Floating-point operations of ``fn()`` by operator (a multiplication and an addition are two).

    `inside` counts only those of one module and their backward pass, such as "UNet", and leaves out the
    optimiser's.
    """
    with FlopCounterMode(display=False) as counter:
        fn()
    return Counter(
        {str(name).removeprefix("aten."): n for name, n in counter.get_flop_counts()[inside].items()}
    )


class Work(NamedTuple):
    """A network at work on batches of one size."""

    model: nn.Module
    train: Callable[[], Any]
    """One training step, everything included but the loading of data."""
    draw: Callable[[int], Tensor]
    """A batch of pictures in so many evaluations of the network."""


def work(model: nn.Module, batch_size: int, image_size: int, device: torch.device) -> Work:
    """Put a network to work as `dl.train` and `dl.sample` do, on pictures of noise: time does not depend on them."""
    schedule = dl.DiffusionSchedule.cosine(1000)
    images = (
        torch.rand(batch_size, model.config["in_channels"], image_size, image_size, device=device) * 2 - 1
    )
    batch = (images, torch.arange(batch_size, device=device) % 10)
    generator = torch.Generator().manual_seed(0)
    steps = dl.train(model.to(device), schedule, [batch], num_steps=10**6, generator=generator)
    labels = batch[1] if getattr(model, "null_label", None) is not None else None

    def draw(num_steps: int) -> Tensor:
        options = {"labels": labels, "num_steps": num_steps, "generator": generator, "progress": False}
        return dl.sample(model, schedule, images.shape, **options)

    return Work(model, lambda: next(steps), draw)


class Peer(nn.Module):
    """diffusers' `UNet2DModel` with our width, levels, blocks and attention, called as our networks are."""

    def __init__(self, width: int, image_size: int):
        """Make it for grey pictures; imports diffusers."""
        super().__init__()
        from diffusers import UNet2DModel

        self.config = {"in_channels": 1}
        self.network = UNet2DModel(
            sample_size=image_size,
            in_channels=1,
            out_channels=1,
            block_out_channels=(width, 2 * width),
            layers_per_block=1,
            norm_num_groups=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        )

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Predict from noisy pictures, (B, 1, H, W), and times, (B,)."""
        return self.network(x_t, t).sample


def ceilings(device: torch.device, quick: bool) -> dict[str, tuple[Callable[[], Any], float]]:
    """What the machine can do at best: by name a job and its floating-point operations.

    float32 with torch's own settings, as training has it (on a GPU they let convolutions, not matrices, use
    TF32).
    """
    gpu = device.type == "cuda"
    sides = (256,) if quick else (4096, 8192) if gpu else (512, 1024, 2048)
    channels, batch = ((32,) if quick else (64, 128, 256)), (512 if gpu else 16 if quick else 32)
    jobs: dict[str, tuple[Callable[[], Any], float]] = {}
    for side in sides:
        a, b = torch.randn(2, side, side, device=device)
        jobs[f"matmul {side} × {side}"] = (lambda a=a, b=b: a @ b, 2 * side**3)
    for size in channels:
        layer = nn.Conv2d(size, size, 3, padding=1, bias=False).to(device, memory_format=torch.channels_last)
        x = (
            torch.randn(batch, size, 14, 14, device=device)
            .to(memory_format=torch.channels_last)
            .requires_grad_()
        )
        job = forward_backward(layer, x)
        jobs[f"conv 3×3, {size} channels, batch {batch} at 14×14, forward and backward"] = (
            job,
            flops_of(job).total(),
        )
    return jobs


def forward_backward(layer: nn.Module, x: Tensor) -> Callable[[], Any]:
    """Give a job that runs one layer forward and back again, to its weights and, if `x` needs it, to its input."""
    slope = torch.randn_like(layer(x))

    def job() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(slope)

    return job


class Call(NamedTuple):
    """A layer and an input that it had in a training step."""

    name: str
    layer: nn.Module
    x: Tensor


def calls_of(model: nn.Module, step: Callable[[], Any]) -> list[Call]:
    """Watch one training step: every call of a convolution or a linear layer, with a copy of its input."""
    calls: list[Call] = []

    def watch(name: str, layer: nn.Module) -> Any:
        def note(layer: nn.Module, args: tuple, out: Tensor) -> None:
            if torch.is_grad_enabled():
                calls.append(
                    Call(name, layer, args[0].detach().clone().requires_grad_(args[0].requires_grad))
                )

        return layer.register_forward_hook(note)

    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    hooks = [watch(name, layer) for name, layer in layers.items()]
    try:
        step()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def describe(call: Call) -> str:
    """Say what a layer is, such as ``conv 3×3, 64 → 128, at 14×14``."""
    layer = call.layer
    if isinstance(layer, nn.Linear):
        return (
            f"linear, {layer.in_features} → {layer.out_features}, {call.x.numel() // layer.in_features:,}"
            " rows"
        )
    kernel, place = ("×".join(map(str, sides)) for sides in (layer.kernel_size, call.x.shape[2:]))
    stride = f" stride {layer.stride[0]}" if layer.stride[0] > 1 else ""
    return f"conv {kernel}{stride}, {layer.in_channels} → {layer.out_channels}, at {place}"


def by_layer(
    model: nn.Module,
    step: Callable[[], Any],
    step_seconds: float,
    ceiling: float,
    repeats: int,
    device: torch.device,
) -> list[Row]:
    """Time every layer that has weights alone, forward and backward; rows with the largest gap first."""
    jobs = {
        f"{i}": (call, forward_backward(call.layer, call.x)) for i, call in enumerate(calls_of(model, step))
    }
    times = in_turn({name: job for name, (_, job) in jobs.items()}, repeats, device, least=0.01)
    rows = []
    for name, (call, job) in jobs.items():
        taken, flops = statistics.median(times[name]), flops_of(job).total()
        rows.append(
            {"layer": call.name, "what": describe(call), **account(flops, taken, step_seconds, ceiling)}
        )
    return sorted(rows, key=lambda row: -row["gap_ms"])


def account(flops: float, taken: float, step_seconds: float, ceiling: float) -> Row:
    """Give the numbers of one line of an account: time, share, GFLOP/s, and what the ceiling would save."""
    return {
        "ms": taken * 1000,
        "share_of_step": taken / step_seconds,
        "gflop": flops / 1e9,
        "gflops_per_second": flops / taken / 1e9 if flops else None,
        "share_of_ceiling": flops / taken / ceiling if flops else None,
        "gap_ms": (taken - flops / ceiling) * 1000,
    }


KINDS = {
    "optimiser": ("Optimizer.", "_foreach_norm", "linalg_vector_norm", "_foreach_mul", "clip_grad"),
    "EMA": ("lerp",),
    "convolution backward": ("ConvolutionBackward", "convolution_backward"),
    "convolution forward": ("aten::conv",),
    "attention": ("scaled_dot_product", "ScaledDotProduct"),
    "group norm": ("group_norm", "GroupNorm"),
    "SiLU": ("silu", "Silu"),
    "matmul, linear": (
        "aten::addmm",
        "aten::mm",
        "aten::bmm",
        "aten::linear",
        "aten::matmul",
        "AddmmB",
        "MmB",
    ),
}
"""Kinds of operation, and what stands in the name of one or of an operation that called it.

The first that fits.
"""
OPERATORS = {
    "convolution forward": ("convolution",),
    "convolution backward": ("convolution_backward",),
    "matmul, linear": ("addmm", "mm", "bmm"),
    "attention": ("_scaled_dot_product",),
}
"""The operators of `flops_of` that belong to a kind."""


def kind_of(names: Sequence[str]) -> str:
    """Tell the kind of an operation from its name and those of its callers, from the inside out."""
    for kind, marks in KINDS.items():
        if any(mark in name for name in names for mark in marks):
            return kind
    if names[0] in ("network", "step"):
        return "Python between operations"
    if any(name == "network" or name.startswith("autograd::") for name in names):
        return "elementwise, copies"
    return "noise, loss, the rest"


def by_kind(
    model: nn.Module,
    step: Callable[[], Any],
    step_seconds: float,
    ceiling: float,
    repeats: int,
    device: torch.device,
) -> list[Row]:
    """Profile whole training steps; rows with the largest gap first.

    The profile says which share each kind has, and the step's own time, measured without it, what that is in
    milliseconds: the profiler makes short operations look longer, and it reads a clock on the wall, so that a
    machine with other work blurs the shares. On a GPU the time is that of the kernels, and of waiting for the
    next one.
    """
    regions = []

    def enter(*_: Any) -> None:
        regions.append(record_function("network"))
        regions[-1].__enter__()

    def leave(*_: Any) -> None:
        regions.pop().__exit__(None, None, None)

    hooks = [model.register_forward_pre_hook(enter), model.register_forward_hook(leave)]
    gpu = device.type == "cuda"
    try:
        step()
        with profile(
            activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
        ) as profiled:
            for _ in range(repeats):
                with record_function("step"):
                    step()
            if gpu:
                torch.cuda.synchronize()
    finally:
        for hook in hooks:
            hook.remove()
    spent: Counter = Counter()
    for event in profiled.events():
        if event.device_type == DeviceType.CPU:  # an operation, with the time of the kernels that it started
            time = event.self_device_time_total if gpu else event.self_cpu_time_total
            spent[kind_of(list(callers(event)))] += time
    if gpu:
        spent["the GPU waits"] = max(0.0, step_seconds * repeats * 1e6 - spent.total())
    by_operator, rows = flops_of(step, type(model).__name__), []
    of_the_optimiser = flops_of(step).total() - by_operator.total()
    for kind, time in spent.items():
        flops = sum(n for name, n in by_operator.items() if belongs(name, OPERATORS.get(kind, ())))
        flops += of_the_optimiser * (kind == "optimiser")
        rows.append(
            {"kind": kind, **account(flops, step_seconds * time / spent.total(), step_seconds, ceiling)}
        )
    return sorted((row for row in rows if row["ms"]), key=lambda row: -row["gap_ms"])


def belongs(operator: str, marks: Sequence[str]) -> bool:
    """Whether an operator of the FLOP counter is one of `marks`; every kind of fused attention is one."""
    return operator in marks or any(mark[0] == "_" and operator.startswith(mark) for mark in marks)


def callers(event: Any) -> Iterator[str]:
    """Names of an event of the profiler and of the events around it, from the inside out."""
    while event is not None:
        yield event.name
        event = event.cpu_parent


def rates(
    name: str, job: Work, times: dict[str, list], evaluations: int, batch: int, ceiling: float
) -> list[Row]:
    """Sum up the timings of one network: images per second, and FLOP/s beside the ceiling."""
    training, sampling = (statistics.median(times[f"{name}/{what}"]) for what in ("training", "sampling"))
    evaluation, picture = sampling / evaluations, sampling / evaluations * SAMPLING_STEPS
    flops_training = flops_of(job.train, type(job.model).__name__).total()
    flops_each = flops_of(lambda: job.draw(1)).total()
    lines = {
        "training": (training, flops_training),
        "sampling, per evaluation": (evaluation, flops_each),
        f"sampling, {SAMPLING_STEPS} evaluations": (picture, flops_each * SAMPLING_STEPS),
    }
    return [
        {
            "network": name,
            "work": work,
            "images_per_second": batch / taken,
            "gflop_per_image": flops / batch / 1e9,
            "gflops_per_second": flops / taken / 1e9,
            "share_of_ceiling": flops / taken / ceiling,
        }
        for work, (taken, flops) in lines.items()
    ]


NUMBERS = {
    "ms": ".2f",
    "share_of_step": ".1%",
    "gflop": ".3f",
    "gflops_per_second": ".1f",
    "share_of_ceiling": ".1%",
    "gap_ms": ".2f",
}
"""Columns of both accounts, and their formats."""


def print_accounts(machine: list[Row], kinds: list[Row], layers: list[Row], step: float, show: int) -> None:
    """Print the ceiling and both accounts of a step of so many seconds.

    Of the layers only those with large gaps.
    """
    ceiling = max(row["gflops_per_second"] for row in machine) * 1e9
    print(
        "\nThe ceiling is the fastest of"
        f" these:\n\n{table(machine, {'operation': '', 'gflops_per_second': '.1f'})}"
    )
    print(f"\nA training step of dl.UNet, {step * 1000:.1f} ms, by kind of operation, largest gap first:\n")
    print(table(kinds, {"kind": "", **NUMBERS}))

    def together(name: str, group: list[Row]) -> Row:
        taken, flops = (sum(row[key] for row in group) for key in ("ms", "gflop"))
        return {"layer": name, "what": "together", **account(flops * 1e9, taken / 1000, step, ceiling)}

    others, everything = layers[show:], together(f"all {len(layers)}", layers)
    ends = [*([together(f"the other {len(others)}", others)] if others else []), everything]
    print("\nThe same step by layer, each layer alone, forward and backward, largest gap first:\n")
    print(table(layers[:show] + ends, {"layer": "", "what": "", **NUMBERS}))
    rest = step - everything["ms"] / 1000
    print(f"\nOutside these layers the step spends {rest * 1000:.2f} ms, {rest / step:.1%} of its time.")


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(
        f"{QUESTION} Images and FLOP per second of training and sampling, beside the best it can do."
    )
    made.add_argument(
        "--width", type=int, default=default_of(dl.UNet, "width"), help="feature maps of dl.UNet"
    )
    made.add_argument(
        "--batch-size", type=int, default=default_of(dl.data.loader, "batch_size"), help="of pictures"
    )
    made.add_argument("--image-size", type=int, default=28, help="side of the pictures")
    made.add_argument(
        "--peer", action="store_true", help="measure diffusers' UNet too; on a GPU it always is"
    )
    made.add_argument("--layers", type=int, default=12, help="lines of the account by layer to print")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print four tables, write the JSON file; returns the exit code."""
    made = parser()
    options = common.parse(made, arguments)
    try:
        for name in ("width", "batch_size", "image_size", "layers"):
            check_range(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    except ValueError as error:
        made.error(str(error))
    if options.quick:
        options.width, options.batch_size, options.repeats = 16, 16, 1
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(options.seeds[0])
    networks: dict[str, nn.Module] = {"dl.UNet": dl.UNet(num_classes=10, width=options.width)}
    if options.peer or device.type == "cuda":
        try:
            networks["diffusers UNet2DModel"] = Peer(options.width, options.image_size)
        except ImportError as error:
            print(f"diffusers' UNet2DModel is left out: {error}")
    works = {
        name: work(net, options.batch_size, options.image_size, device) for name, net in networks.items()
    }
    try:
        for job in works.values():
            job.draw(1)
    except ValueError as error:
        made.error(f"--image-size {options.image_size} does not fit the network: {error}")
    best, evaluations = ceilings(device, options.quick), 2 if options.quick else 5
    jobs = {name: job for name, (job, _) in best.items()}
    for name, (_, train, draw) in works.items():
        jobs |= {f"{name}/training": train, f"{name}/sampling": lambda draw=draw: draw(evaluations)}
    times = in_turn(jobs, options.repeats, device, least=0.0)

    machine = [
        {"operation": name, "gflops_per_second": flops / statistics.median(times[name]) / 1e9}
        for name, (_, flops) in best.items()
    ]
    ceiling = max(row["gflops_per_second"] for row in machine) * 1e9
    summary = [
        row for n, w in works.items() for row in rates(n, w, times, evaluations, options.batch_size, ceiling)
    ]
    model, train, _ = works["dl.UNet"]
    step = statistics.median(times["dl.UNet/training"])
    kinds = by_kind(model, train, step, ceiling, options.repeats, device)
    layers = by_layer(model, train, step, ceiling, options.repeats, device)

    clock = "seconds between CUDA events" if device.type == "cuda" else "CPU-seconds"
    place = f"batch {options.batch_size} at {options.image_size}×{options.image_size}, in {clock}"
    columns = {"network": "", "work": "", "images_per_second": ",.1f", "gflop_per_image": ".3f"}
    columns |= {"gflops_per_second": ".1f", "share_of_ceiling": ".1%"}
    rows = [
        {"job": name, "repeat": i, "seconds": t} for name, taken in times.items() for i, t in enumerate(taken)
    ]
    accounts = {"ceiling": machine, "kinds": kinds, "layers": layers, "clock": clock, "step_seconds": step}
    common.finish(options, NAME, f"{QUESTION} ({place})", rows, medians=summary, columns=columns, **accounts)
    print_accounts(machine, kinds, layers, step, options.layers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
