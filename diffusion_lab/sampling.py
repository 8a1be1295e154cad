"""From noise to data: one generator per sampler, each yielding after every step, and one table of their names.

A sampler walks down a list of times to 0 (see `SPACINGS`): at each it guesses x_0, and goes only to the next
time.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from tqdm import tqdm

from diffusion_lab.guidance import ClassifierFreeGuidance
from diffusion_lab.process import posterior, split
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Steps, check_objective, check_range, check_share, choose, normal_like


class State(NamedTuple):
    """What a sampler yields after each step: the time reached, the sample there, and the guess that led to it."""

    t: int
    x_t: Tensor
    x_0_hat: Tensor


def even_noise(schedule: DiffusionSchedule, num_steps: int, warp: Callable, unwarp: Callable) -> Tensor:
    """Times at which a warped sigma / alpha is evenly spaced, from at most 80 down to at least 0.002.

    Then t = 0.
    """
    ratio = schedule.snr().rsqrt()  # sigma / alpha, which is 0 at t = 0
    levels = unwarp(torch.linspace(*warp(ratio[[-1, 1]].clamp(0.002, 80)), num_steps, dtype=torch.float64))
    borders = (ratio[1:-1] * ratio[2:]).sqrt()  # between neighbouring times, halfway in the logarithm
    return torch.cat([torch.bucketize(levels, borders) + 1, torch.zeros(1)])


SPACINGS: dict[str, Callable[[DiffusionSchedule, int], Tensor]] = {
    "trailing": lambda schedule, n: torch.linspace(schedule.timesteps, 0, n + 1, dtype=torch.float64),
    "quadratic": lambda schedule, n: (
        torch.linspace(schedule.timesteps**0.5, 0, n + 1, dtype=torch.float64) ** 2
    ),
    "logsnr": lambda schedule, n: even_noise(schedule, n, torch.log, torch.exp),
    "karras": lambda schedule, n: even_noise(
        schedule, n, lambda ratio: ratio ** (1 / 7), lambda root: root**7
    ),
}
"""What is evenly spaced: time (diffusers' name); its root (DDIM, appendix D.2); lambda = log(alpha / sigma) (Lu et al.
2022, DPM-Solver, section 3.3); the seventh root of sigma / alpha (Karras et al. 2022, EDM, equation 5). The
last two begin where sigma / alpha is 80, if it is more at T, and x_T is taken for x there (as in EDM, table
1)."""


def sampling_times(
    schedule: DiffusionSchedule, num_steps: int | None = None, spacing: str = "trailing"
) -> list[int]:
    """Times to visit, num_steps + 1 of them (or all), falling to 0, with a spacing of `SPACINGS`."""
    num_steps = schedule.timesteps if num_steps is None else num_steps
    check_range("num_steps", num_steps, 1, schedule.timesteps)
    steps, wanted = (
        torch.arange(num_steps + 1),
        SPACINGS[choose("spacing", spacing, SPACINGS)](schedule, num_steps),
    )
    falling = (wanted.round().long() + steps).cummin(0).values - steps  # each earlier than the one before
    return falling.maximum(num_steps - steps).tolist()  # and with room for the steps that are left


@torch.no_grad()
def guess(
    model: Callable,
    x_t: Tensor,
    t: int | Steps,
    schedule: DiffusionSchedule,
    objective: str = "v",
    clip_x_0: bool | None = None,
    **condition: Tensor,
) -> tuple[Tensor, Tensor]:
    """Ask a denoiser ``f(x_t, t, **condition)`` about x_t, (B, …), at t, an int or (B,); read a pair (x_0, eps).

    `objective` says what the model predicts. `clip_x_0` keeps x_0 in [-1, 1], and eps consistent with it;
    None means "for images", that is if x_t has four dimensions. What is unknown here is a condition, and must
    be a tensor.
    """
    if unknown := [f"{k}={v!r}" for k, v in condition.items() if not isinstance(v, Tensor | None)]:
        raise ValueError(
            f"unknown argument {', '.join(unknown)} (a condition of the model would be a tensor)"
        )
    check_objective(model, objective)
    output = model(x_t, torch.as_tensor(t, device=x_t.device).expand(len(x_t)), **condition)
    x_0, eps = split(output, x_t, t, schedule, objective)
    if clip_x_0 or (clip_x_0 is None and x_t.ndim == 4):
        return split(x_0.clamp(-1, 1), x_t, t, schedule, "x0")
    return x_0, eps


def ddpm(
    model: Callable,
    schedule: DiffusionSchedule,
    x_T: Tensor,
    *,
    num_steps: int | None = None,
    spacing: str = "trailing",
    variance: str = "posterior",
    generator: Generator | None = None,
    **options,
) -> Iterator[State]:
    """Ancestral sampling: draw x_s from the posterior that the guess of x_0 gives (DDPM, algorithm 2).

    Args:
        model, schedule, x_T: a denoiser ``f(x_t, t, **condition)``, its schedule, and noise to begin with,
            (B, …).
        num_steps, spacing: steps, 1 … T (all if None), and a key of `SPACINGS`.
        variance, generator: of the noise that is added, "posterior" (DDPM's tilde beta) or the larger "beta",
            and its source. Both are right in a limit (DDPM, section 3.2); the step to t = 0 adds none in
            either case.
        **options: passed to `guess`: ``objective``, ``clip_x_0`` and the condition.
    """
    choose("variance", variance, ("posterior", "beta"))
    x_t = x_T
    for t, s in pairwise(sampling_times(schedule, num_steps, spacing)):
        x_0, _ = guess(model, x_t, t, schedule, **options)
        mean, spread = posterior(x_0, x_t, t, schedule, s)
        if variance == "beta":
            abar_t, abar_s = schedule.alphas_cumprod[[t, s]].tolist()
            spread = torch.full_like(spread, 1 - abar_t / abar_s) * (abar_s < 1)
        x_t = mean + spread.sqrt() * normal_like(x_t, generator)
        yield State(s, x_t, x_0)


def rejoin(
    x_0: Tensor, eps: Tensor, t: int, s: int, schedule: DiffusionSchedule, eta=0.0, generator=None
) -> Tensor:
    """Put x_0 and eps, parts of x_t, together again at an earlier time s: the step of every sampler below.

    x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - sigma²) eps + sigma noise   (Song et al. 2021, DDIM, equation 12)
    with `eta` times the posterior's sigma (equation 16): eta = 0 is deterministic, 1 is the step of `ddpm`.
    """
    check_share(eta=eta)
    variance = eta**2 * posterior(x_0, x_0, t, schedule, s)[1]  # which depends on the times only
    alpha, sigma = schedule.alpha_sigma(s, x_0)
    fresh = normal_like(x_0, generator) if eta > 0 else 0
    return alpha * x_0 + (sigma**2 - variance).clamp(min=0).sqrt() * eps + variance.sqrt() * fresh


def ddim(
    model: Callable,
    schedule: DiffusionSchedule,
    x_T: Tensor,
    *,
    num_steps: int | None = 50,
    spacing: str = "trailing",
    eta: float = 0.0,
    generator: Generator | None = None,
    **options,
) -> Iterator[State]:
    """Implicit sampling: guess x_0 and eps, and `rejoin` them at an earlier time.

    Arguments as for these and `ddpm`.
    """
    x_t = x_T
    for t, s in pairwise(sampling_times(schedule, num_steps, spacing)):
        x_0, eps = guess(model, x_t, t, schedule, **options)
        x_t = rejoin(x_0, eps, t, s, schedule, eta, generator)
        yield State(s, x_t, x_0)


def dpmpp_2m(
    model: Callable,
    schedule: DiffusionSchedule,
    x_T: Tensor,
    *,
    num_steps: int | None = 20,
    spacing: str = "trailing",
    eta: float = 0.0,
    generator: Generator | None = None,
    **options,
) -> Iterator[State]:
    """DPM-Solver++(2M): `ddim`, but with x_0 carried on to the middle of the step, along the line through two guesses.

    D = x_0 + h / (2 h_last) (x_0 - x_0_last), h = step of lambda = log(alpha / sigma)   (Lu et al. 2022, DPM-Solver++,
    algorithm 2). Second order for the price of first; with `eta` = 1 it is the paper's SDE-DPM-Solver++(2M).
    """
    x_t, x_0_last, h_last = x_T, 0, torch.inf  # before the second step no slope is known: it counts for 0
    lambdas = (0.5 * schedule.snr().log()).tolist()
    for t, s in pairwise(sampling_times(schedule, num_steps, spacing)):
        x_0, _ = guess(model, x_t, t, schedule, **options)
        h = lambdas[s] - lambdas[t]
        D = x_0 + (h / (2 * h_last) if h < torch.inf else 0) * (x_0 - x_0_last)  # lambda is infinite at t = 0
        x_t = rejoin(*split(D, x_t, t, schedule, "x0"), t, s, schedule, eta, generator)
        x_0_last, h_last = x_0, h
        yield State(s, x_t, x_0)


def heun(
    model: Callable,
    schedule: DiffusionSchedule,
    x_T: Tensor,
    *,
    num_steps: int | None = 20,
    spacing: str = "karras",
    generator: Generator | None = None,
    **options,
) -> Iterator[State]:
    """Heun's method: go to s as `ddim` does, ask again there, and take the whole step with the mean of both eps.

    eps is the slope of x / alpha against sigma / alpha (Karras et al. 2022, EDM, algorithm 1 without churn).
    Second order for 2 num_steps - 1 evaluations: t = 0 is not asked about. Nothing is random; `generator` is
    not used.
    """
    x_t, snr = x_T, schedule.snr().tolist()
    for t, s in pairwise(sampling_times(schedule, num_steps, spacing)):
        x_0, eps = guess(model, x_t, t, schedule, **options)
        x_s = rejoin(x_0, eps, t, s, schedule)
        if (
            1e-5 < snr[t] < snr[s] < torch.inf
        ):  # in pure noise sigma / alpha is huge, and an error of eps times it too
            _, eps_s = guess(model, x_s, s, schedule, **options)
            x_s = rejoin(*split((eps + eps_s) / 2, x_t, t, schedule, "eps"), t, s, schedule)
        x_t = x_s
        yield State(s, x_t, x_0)


SAMPLERS: dict[str, Callable[..., Iterator[State]]] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpmpp_2m": dpmpp_2m,
    "heun": heun,
}
"""Every sampler by name. To add one: write it as a generator above and enter it here."""


def sample(
    model: Callable,
    schedule: DiffusionSchedule,
    shape: tuple[int, ...],
    device: str | torch.device | None = None,
    *,
    sampler: str = "ddim",
    num_steps: int | None = 50,
    labels: Tensor | list[int] | None = None,
    guidance_scale: float = 1.0,
    objective: str = "v",
    generator: Generator | None = None,
    progress: bool = True,
    on_step: Callable[[State], None] | None = None,
    **options,
) -> Tensor:
    """Draw samples of the given shape, from pure noise to t = 0; images in [-1, 1].

    Args:
        model: a denoiser ``f(x_t, t, **condition)``; a module is put into evaluation mode meanwhile.
        schedule, objective: those that the model was trained with.
        shape: of the result, (B, …).
        device: where to draw, the model's own if it is None; the model is not moved. A function with no
            parameters draws there, or on torch's default device.
        sampler, num_steps: a key of `SAMPLERS`, and steps: one evaluation each, "heun" two (with guidance,
            doubled).
        labels, guidance_scale: classes, (B,), for a class-conditional model; 0 ignores them, more than 1
            exaggerates.
        generator: decides everything that is random.
        progress, on_step: show a bar if it takes over two seconds; a function of the `State` after each step.
        **options: passed to the sampler and to `guess`, such as ``spacing`` or ``eta``.

    A `ValueError` names the argument that is unknown, out of range, of the wrong length or on another device.
    """
    choose("sampler", sampler, SAMPLERS)
    module = model if isinstance(model, nn.Module) else nn.Module()
    home = next((p.device for p in module.parameters()), torch.empty(0, device=device).device)
    if torch.empty(0, device=device or home).device != home:  # an empty tensor turns "cuda" into "cuda:0"
        raise ValueError(f"device='{device}', but the model is on '{home}': call model.to('{device}') first")
    denoiser, null_label = model, getattr(model, "null_label", None)
    if labels is not None and guidance_scale != 0:
        labels = torch.as_tensor(labels, device=home)
        if labels.shape != tuple(shape[:1]):
            raise ValueError(
                f"labels must have shape ({shape[0]},), one per sample, got {tuple(labels.shape)}"
            )
        check_range("labels", labels, 0, None if null_label is None else null_label - 1)
        options["labels"] = labels
    if guidance_scale not in (0, 1):
        if null_label is None:
            raise ValueError(
                f"guidance_scale={guidance_scale} needs a class-conditional model (with a null_label)"
            )
        denoiser = ClassifierFreeGuidance(model, guidance_scale, null={"labels": null_label})
    x_T = normal_like(torch.empty(shape, device=home), generator)
    options |= {"num_steps": num_steps, "generator": generator, "objective": objective}
    were_training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        for state in tqdm(
            SAMPLERS[sampler](denoiser, schedule, x_T, **options),
            total=num_steps or schedule.timesteps,
            unit="step",
            delay=2,
            leave=False,
            disable=not progress,
        ):
            if on_step is not None:
                on_step(state)
    finally:
        for part in were_training:
            part.training = True
    return state.x_t
