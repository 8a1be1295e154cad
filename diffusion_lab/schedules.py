"""Noise schedules: how much signal and how much noise is left at every time t.

Time runs ``t = 0 … T``. ``x_0`` is data and ``x_T`` is noise, so every table has ``T + 1`` entries and entry
0 says "nothing has happened yet": ``betas[0] == 0`` and ``alphas_cumprod[0] == 1``. The last sampling step,
to t = 0, is then a step like any other. (diffusers and the original code count ``0 … T-1``; theirs is ours
minus one.)
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffusion_lab.shapes import Data, Steps, Table, check_data, check_range, choose, normal_like

MAX_BETA = 0.999  # larger betas make the last steps singular (Nichol & Dhariwal 2021, section 3.2)


def linear_betas(timesteps: int, beta_start: float = 1e-4, beta_end: float = 0.02) -> Tensor:
    """Evenly spaced betas (Ho et al. 2020, DDPM, section 4)."""
    return torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)


def quadratic_betas(timesteps: int, beta_start: float = 1e-4, beta_end: float = 0.02) -> Tensor:
    """Betas whose square roots are evenly spaced ("scaled_linear" in diffusers; Stable Diffusion v1 uses it)."""
    return torch.linspace(beta_start**0.5, beta_end**0.5, timesteps, dtype=torch.float64) ** 2


def sigmoid_betas(timesteps: int, beta_start: float = 1e-4, beta_end: float = 0.02) -> Tensor:
    """Betas on a logistic curve from -6 to 6 (Xu et al. 2022, GeoDiff; "sigmoid" in diffusers)."""
    return (
        torch.linspace(-6, 6, timesteps, dtype=torch.float64).sigmoid() * (beta_end - beta_start) + beta_start
    )


def cosine_betas(timesteps: int, s: float = 0.008) -> Tensor:
    """Betas that make alphas_cumprod a squared cosine (Nichol & Dhariwal 2021, equation 17)."""
    time = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
    alphas_cumprod = torch.cos((time + s) / (1 + s) * math.pi / 2) ** 2
    return (1 - alphas_cumprod[1:] / alphas_cumprod[:-1]).clamp(max=MAX_BETA)


def straight_betas(timesteps: int) -> Tensor:
    """Betas that make sigma / (alpha + sigma) = t / T, the clock of rectified flow (Liu et al. 2022, equation 1)."""
    s = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
    alphas_cumprod = (1 - s) ** 2 / ((1 - s) ** 2 + s**2)
    return (1 - alphas_cumprod[1:] / alphas_cumprod[:-1]).clamp(max=MAX_BETA)


CURVES: dict[str, Callable[..., Tensor]] = {
    "linear": linear_betas,
    "cosine": cosine_betas,
    "quadratic": quadratic_betas,
    "sigmoid": sigmoid_betas,
    "straight": straight_betas,
}
"""Every named curve, as a function of T that returns T betas.

To add one: write it above and enter it here.
"""


class DiffusionSchedule:
    """The tables of a diffusion process with T steps (Ho et al. 2020, DDPM, section 2).

    ``DiffusionSchedule(timesteps, beta_start, beta_end)`` takes the two ends of a linear schedule literally.
    The named forms ``.linear(T)``, ``.quadratic(T)`` and ``.sigmoid(T)`` multiply their betas by ``1000 /
    T``, so that x_T is noise for small T too; ``.cosine(T)`` and ``.straight(T)`` need no such help;
    ``.from_betas`` takes any table.

    Attributes:
        timesteps: T, the number of steps.
        betas: variance added by step t, shape (T+1,), float64, ``betas[0] == 0``.
        alphas: ``1 - betas``.
        alphas_cumprod: the running product of alphas ("alpha bar"), ``alphas_cumprod[0] == 1``.
        sqrt_alphas_cumprod, sqrt_one_minus_alphas_cumprod: scale of the signal and of the noise in x_t.
        config: a dict from which ``DiffusionSchedule.from_config`` makes the same schedule again.
    """

    def __init__(self, timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02):
        """Make a linear schedule; a `ValueError` says if T < 1 or a beta is not inside (0, 1)."""
        check_range("timesteps", timesteps, 1)
        self._set_betas(linear_betas(timesteps, beta_start, beta_end))
        ends = {"beta_start": beta_start, "beta_end": beta_end}
        self.config = {"curve": "linear", "timesteps": timesteps, "rescale": False, **ends}

    def _set_betas(self, betas: Tensor) -> None:
        if betas.ndim != 1 or len(betas) < 1:
            raise ValueError(f"betas must be one row of T >= 1 numbers, got shape {tuple(betas.shape)}")
        if not bool(((betas > 0) & (betas < 1)).all()):
            raise ValueError(
                f"betas must lie inside (0, 1), got {float(betas.min()):g} … {float(betas.max()):g}"
            )
        self.timesteps = len(betas)
        self.betas: Table = torch.cat([torch.zeros(1, dtype=torch.float64), betas])
        self.alphas: Table = 1 - self.betas
        self.alphas_cumprod: Table = self.alphas.cumprod(0)

    @classmethod
    def from_betas(cls, betas: Tensor | Sequence[float]) -> "DiffusionSchedule":
        """Make a schedule from a table of T betas for t = 1 … T, each inside (0, 1)."""
        schedule = cls.__new__(cls)
        schedule._set_betas(torch.as_tensor(betas, dtype=torch.float64).detach().cpu())
        schedule.config = {"curve": "table", "betas": schedule.betas[1:].tolist()}
        return schedule

    @classmethod
    def named(
        cls, curve: str, timesteps: int = 1000, rescale: bool = True, **params: float
    ) -> "DiffusionSchedule":
        """Make the schedule called `curve`, a key of `CURVES`, with the curve's own `params`, such as ``beta_end``.

        Most curves were made for T = 1000: `rescale` multiplies the betas (not of cosine and straight) by
        ``1000 / T``. A `ValueError` says if the curve is unknown, T is below 1 or a beta is not inside (0,
        1).
        """
        choose("curve", curve, CURVES)
        check_range("timesteps", timesteps, 1)
        schedule = cls.from_betas(CURVES[curve](timesteps, **params))
        if rescale and curve not in ("cosine", "straight"):
            schedule._set_betas((schedule.betas[1:] * 1000 / timesteps).clamp(max=MAX_BETA))
        schedule.config = {"curve": curve, "timesteps": timesteps, "rescale": rescale, **params}
        return schedule

    @classmethod
    def from_config(cls, config: dict) -> "DiffusionSchedule":
        """Make again the schedule whose ``.config`` this is."""
        return cls.from_betas(config["betas"]) if config["curve"] == "table" else cls.named(**config)

    @classmethod
    def linear(cls, timesteps: int = 1000, **params) -> "DiffusionSchedule":
        """Make the linear schedule, rescaled by 1000 / T; see `linear_betas`."""
        return cls.named("linear", timesteps, **params)

    @classmethod
    def cosine(cls, timesteps: int = 1000, **params) -> "DiffusionSchedule":
        """Make the cosine schedule; see `cosine_betas`."""
        return cls.named("cosine", timesteps, **params)

    @classmethod
    def quadratic(cls, timesteps: int = 1000, **params) -> "DiffusionSchedule":
        """Make the quadratic schedule, rescaled by 1000 / T; see `quadratic_betas`."""
        return cls.named("quadratic", timesteps, **params)

    @classmethod
    def sigmoid(cls, timesteps: int = 1000, **params) -> "DiffusionSchedule":
        """Make the sigmoid schedule, rescaled by 1000 / T; see `sigmoid_betas`."""
        return cls.named("sigmoid", timesteps, **params)

    @classmethod
    def straight(cls, timesteps: int = 1000) -> "DiffusionSchedule":
        """Make the schedule of the straight path, for the objective "flow"; see `straight_betas`."""
        return cls.named("straight", timesteps)

    def lookup(self, table: Table, t: int | Steps, like: Data) -> Tensor:
        """Read ``table[t]``, (T+1,), so that it multiplies `like`, (B, …): same dtype and device, shape (B or 1, 1, …).

        t is one time for the whole batch, or a time per element, (B,). A `ValueError` says if it is not
        whole, not in 0 … T, or has not one entry per element.
        """
        check_range("t", t, 0, self.timesteps)
        t = torch.as_tensor(t).cpu().long()
        if t.shape not in ((), (1,), (len(like),)):
            raise ValueError(
                f"t must be one time, or one per element of the batch of {len(like)}: {tuple(t.shape)}"
            )
        return table[t].to(like.dtype).to(like.device).reshape(-1, *[1] * (like.ndim - 1))

    @property
    def sqrt_alphas_cumprod(self) -> Table:
        """Scale of the signal in x_t, sqrt(alphas_cumprod), for t = 0 … T: (T+1,), float64, 1 at t = 0."""
        return self.alphas_cumprod.sqrt()

    @property
    def sqrt_one_minus_alphas_cumprod(self) -> Table:
        """Scale of the noise in x_t, sqrt(1 - alphas_cumprod), for t = 0 … T: (T+1,), float64, 0 at t = 0."""
        return (1 - self.alphas_cumprod).sqrt()

    def alpha_sigma(self, t: int | Steps, like: Data) -> tuple[Tensor, Tensor]:
        """Scale of the signal, sqrt(alphas_cumprod[t]), and of the noise, sqrt(1 - alphas_cumprod[t]).

        See `lookup`.
        """
        return (
            self.lookup(self.sqrt_alphas_cumprod, t, like),
            self.lookup(self.sqrt_one_minus_alphas_cumprod, t, like),
        )

    def snr(self) -> Table:
        """Signal-to-noise ratio alphas_cumprod / (1 - alphas_cumprod) for t = 0 … T; infinite at t = 0."""
        return self.alphas_cumprod / (1 - self.alphas_cumprod)

    def add_noise(
        self,
        x_0: Data,
        t: int | Steps,
        noise: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Data:
        """Jump from x_0 to x_t at once: draw from q(x_t | x_0).

        x_t = sqrt(alphas_cumprod[t]) x_0 + sqrt(1 - alphas_cumprod[t]) noise   (DDPM, equation 4)

        Args:
            x_0: clean data, shape (B, …), floating point.
            t: times 0 … T, an int or shape (B,).
            noise: standard normal, shape of x_0; drawn with `generator` if it is None.

        A `ValueError` says if x_0 is not floating point, shapes differ, or t is out of range.
        """
        check_data(x_0=x_0, noise=x_0 if noise is None else noise)
        noise = normal_like(x_0, generator) if noise is None else noise
        alpha, sigma = self.alpha_sigma(t, x_0)
        return alpha * x_0 + sigma * noise

    def __repr__(self) -> str:
        """Curve and length, such as ``DiffusionSchedule('cosine', timesteps=1000)``."""
        return f"DiffusionSchedule({self.config['curve']!r}, timesteps={self.timesteps})"
