"""EDM: what stands around a network so that its input and its target have variance 1 at every time.

Karras et al. 2022 write the noisy data as ``y = x_0 + ratio · eps``, without shrinking the signal. That is
our x_t divided by alpha: ``ratio = sigma / alpha``. Their table 1, last column, is `preconditioning`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Data, Steps, check_data


class Preconditioning(NamedTuple):
    """Four numbers per noise level, each of the shape of the levels."""

    c_skip: Tensor
    """Share of the noisy data that goes past the network."""
    c_out: Tensor
    """Scale of what the network says."""
    c_in: Tensor
    """Scale of what the network is shown."""
    weight: Tensor
    """Of the squared error of x_0 in the loss, 1 / c_out²: then every noise level counts the same."""


def preconditioning(ratio: Tensor, data_std: float = 1.0) -> Preconditioning:
    """Make D(y) = c_skip y + c_out F(c_in y) (Karras et al. 2022, EDM, equation 7 and table 1).

    Args:
        ratio: standard deviation of the noise beside a signal of scale 1, sigma / alpha; a tensor of any
            shape, finite, not negative.
        data_std: standard deviation of the data, finite, more than 0. With 1, and our x_t, F is -v.

    A `ValueError` says if one of them is out of range, or ratio is no tensor.
    """
    if not 0 < data_std < torch.inf:
        raise ValueError(f"data_std must be finite and more than 0, got {data_std}")
    if not isinstance(ratio, Tensor) or not bool(((ratio >= 0) & (ratio < torch.inf)).all()):
        raise ValueError(f"ratio must be a tensor, finite and not negative, got {ratio}")
    total = ratio**2 + data_std**2  # the variance of y
    c_out = ratio * data_std / total.sqrt()
    return Preconditioning(data_std**2 / total, c_out, total.rsqrt(), c_out**-2)


def preconditioned(
    network: Callable,
    x_t: Data,
    t: int | Steps,
    schedule: DiffusionSchedule,
    data_std: float = 1.0,
    **condition: Tensor,
) -> Data:
    """Guess x_0 from x_t, (B, …), by a raw network ``F(input, t, **condition)`` in the frame of `preconditioning`.

    Equation 7 of EDM, with y = x_t / alpha; t is an int or (B,), the result has the shape of x_t. At t = 0,
    where c_out is 0, it is x_t itself, whatever the network says. A `ValueError` says if t or `data_std` is
    out of range.
    """
    check_data(x_t=x_t)
    alpha, sigma = schedule.alpha_sigma(t, x_t)
    c = preconditioning(sigma / alpha, data_std)
    y = x_t / alpha
    t = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
    return c.c_skip * y + c.c_out * network(c.c_in * y, t, **condition)
