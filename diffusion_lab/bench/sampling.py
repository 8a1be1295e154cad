"""What stands beside answers to exercise 06."""

import functools

import torch
from torch import nn

from diffusion_lab.bench.notes import Notes


def thawed(answer):
    """The answer; it may freeze the network, whose weights want gradients again after it."""

    @functools.wraps(answer, updated=())
    def call(*args):
        wanting = [(p, p.requires_grad) for p in getattr(args[0], "parameters", list)()]
        try:
            return answer(*args)
        finally:
            for p, wants in wanting:
                p.requires_grad_(wants)

    return call


class Painter(nn.Module):
    """A stand-in for a network: says v, and depends on x_t and t.

    It draws paler in training mode, and where a graph is kept, so that numbers tell how it was asked.
    """

    def __init__(self, schedule, note: Notes | None = None):
        """Know the schedule.

        `note` is told the mode of every call, whether x_t wants gradients, t, and the number of pictures.
        """
        super().__init__()
        self.schedule, self.note = schedule, note or Notes()
        self.weight = nn.Parameter(torch.tensor(0.8))

    def forward(self, x_t, t):
        """Say v, (B, C, H, W), of x_t at times t, (B,)."""
        self.note(self.training, x_t.requires_grad, t, len(x_t))
        t = torch.as_tensor(t)
        if t.numel() not in (1, len(x_t)):
            wanted = f"({len(x_t)},)"
            raise TypeError(
                f"a network wants t as a tensor of shape {wanted}, one time per picture, got {t!r}"[:300]
            )
        if t.is_floating_point():  # what is wrong with it, `note` tells
            t = (t * (self.schedule.timesteps if bool((t <= 1).all()) else 1)).round().long()
        t = t.flatten().expand(len(x_t))
        alpha, sigma = self.schedule.alpha_sigma(t, x_t)
        paler = 0.8 if x_t.requires_grad else 1
        x_0 = (
            paler
            * 0.9
            * (self.weight * x_t + 0.3 * t.reshape(-1, 1, 1, 1).cos()).tanh()
            * (0.6 if self.training else 1)
        )
        return (alpha * x_t - x_0) / sigma.clamp(
            min=0.1
        )  # sigma is 0 at t = 0, which nobody should ask about
