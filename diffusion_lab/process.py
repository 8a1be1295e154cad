"""The forward process one step at a time, its posterior, and the five ways to say what a network predicts.

At time t a noisy sample is ``x_t = alpha x_0 + sigma eps`` with ``alpha = sqrt(alphas_cumprod[t])`` and
``sigma = sqrt(1 - alphas_cumprod[t])``. Knowing x_t and any one of eps, x_0, v, flow or score is knowing them
all.
"""

import torch
from torch import Tensor

from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Data, Steps, check_data, check_range, choose, normal_like

OBJECTIVES = (
    "eps",
    "x0",
    "v",
    "score",
    "flow",
)  # noise, data, velocity, gradient of the log-density, eps - x_0


def forward_step(
    x_prev: Data, t: int | Steps, schedule: DiffusionSchedule, noise: Data | None = None, *, generator=None
) -> Data:
    """Take one step of the forward process, from time t-1 to time t.

    x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) noise   (DDPM, equation 2)

    x_prev is x_{t-1}, (B, …), and t the time to arrive at, an int or (B,); a `ValueError` says if it is not
    in 1 … T. `noise` is standard normal, of the shape of x_prev; if None, it is drawn with `generator`, a
    `torch.Generator`.
    """
    check_range("t", t, 1, schedule.timesteps)
    check_data(x_prev=x_prev, noise=x_prev if noise is None else noise)
    beta = schedule.lookup(schedule.betas, t, x_prev)
    noise = normal_like(x_prev, generator) if noise is None else noise
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise


def posterior(
    x_0: Data, x_t: Data, t: int | Steps, schedule: DiffusionSchedule, s: int | Steps | None = None
) -> tuple[Tensor, Tensor]:
    """Where x_s was, given where it came from and where it went: the Gaussian q(x_s | x_t, x_0) for s < t.

    With s = t - 1 this is DDPM, equations 6 and 7. Any earlier s is the same formula with the beta of the
    whole jump, 1 - alphas_cumprod[t] / alphas_cumprod[s], which is what sampling in fewer steps needs.

    Args:
        x_0, x_t: clean data (or a guess of it) and noisy data, shape (B, …).
        t, schedule: time of x_t, 1 … T, and what gives the tables.
        s: the earlier time, 0 … t-1; t - 1 if None.

    Returns the mean, (B, …), and the variance, which broadcasts to it; a `ValueError` says if not 0 <= s < t
    <= T.
    """
    check_data(x_0=x_0, x_t=x_t)
    check_range("t", t, 1, schedule.timesteps)
    s = t - 1 if s is None else s
    check_range("s", s, 0, schedule.timesteps - 1)
    if bool((torch.as_tensor(s) >= torch.as_tensor(t)).any()):
        raise ValueError(f"s must be earlier than t, got s={s}, t={t}")
    wide = torch.empty(
        len(x_t), *[1] * (x_t.ndim - 1), dtype=torch.float64
    )  # in float32 the differences cancel
    abar_t, abar_s = (schedule.lookup(schedule.alphas_cumprod, time, wide) for time in (t, s))
    beta = 1 - abar_t / abar_s
    shares = (abar_s.sqrt() * beta, (1 - beta).sqrt() * (1 - abar_s), beta * (1 - abar_s))
    of_x_0, of_x_t, variance = ((share / (1 - abar_t)).to(x_t.dtype).to(x_t.device) for share in shares)
    return of_x_0 * x_0 + of_x_t * x_t, variance


def express(x_0: Data, eps: Data, t: int | Steps, schedule: DiffusionSchedule, objective: str) -> Data:
    """Say a known pair (x_0, eps) in the terms of `objective`: the regression target of training.

    v = alpha eps - sigma x_0 (Salimans & Ho 2022, section 4); score = -eps / sigma (Dhariwal & Nichol 2021,
    equation 11); flow = eps - x_0, the velocity of x_t / (alpha + sigma), which goes straight from data to
    noise (Liu et al. 2022, equation 1, with time running our way). A `ValueError` says if the objective is
    unknown, or t is 0 for score.
    """
    choose("objective", objective, OBJECTIVES)
    check_data(x_0=x_0, eps=eps)
    if objective in ("eps", "x0", "flow"):
        return {"eps": eps, "x0": x_0, "flow": eps - x_0}[objective]
    alpha, sigma = schedule.alpha_sigma(t, x_0)
    if objective == "v":
        return alpha * eps - sigma * x_0
    check_range("t", t, 1, schedule.timesteps)
    return -eps / sigma


def split(
    output: Data, x_t: Data, t: int | Steps, schedule: DiffusionSchedule, objective: str
) -> tuple[Data, Data]:
    """Read what a network said about x_t as a pair (x_0, eps) with x_t = alpha x_0 + sigma eps.

    `output` and x_t are (B, …), t is the time of x_t, 1 … T (for "v" and "flow" also 0), an int or (B,). A
    `ValueError` says if `objective`, the meaning of the output, is none of `OBJECTIVES`, the shapes differ,
    or t is out of range.
    """
    choose("objective", objective, OBJECTIVES)
    check_data(x_t=x_t, prediction=output)
    check_range("t", t, 0 if objective in ("v", "flow") else 1, schedule.timesteps)
    alpha, sigma = schedule.alpha_sigma(t, x_t)
    if objective == "v":
        return alpha * x_t - sigma * output, sigma * x_t + alpha * output
    if objective == "flow":
        return (x_t - sigma * output) / (alpha + sigma), (x_t + alpha * output) / (alpha + sigma)
    if objective == "x0":
        return output, (x_t - alpha * output) / sigma
    eps = output if objective == "eps" else -sigma * output
    return (x_t - sigma * eps) / alpha, eps


def convert(
    output: Data, x_t: Data, t: int | Steps, schedule: DiffusionSchedule, source: str, target: str
) -> Data:
    """Translate a prediction from one objective into another, such as "v" into "score".

    See `split` and `express`.
    """
    return express(*split(output, x_t, t, schedule, source), t, schedule, target)
