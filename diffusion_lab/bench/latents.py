"""What stands beside answers to exercise 08."""

import torch
import torch.nn.functional as F

from diffusion_lab.bench.gradients import with_gradients
from diffusion_lab.bench.notes import Notes

priced = with_gradients(2, lambda mean, _logvar: mean.shape[:1], also_without=True)
coded = with_gradients(2, lambda mean, *_: mean.shape, also_without=True)


class Painter:
    """A stand-in for the U-Net of a latent: keeps what is small and squeezes what is large, so it feels the scale."""

    def __init__(self, note: Notes | None = None):
        """`note` is told what comes in."""
        self.note = note or Notes()

    def __call__(self, scaled):
        """Latents (B, C, h, w) in and out."""
        self.note(scaled)
        return scaled + 0.5 * (2 * scaled).sin()


class Decoder:
    """A stand-in for the decoder: four pixels of three colours for each place of a latent.

    Feels the scale too.
    """

    def __call__(self, z):
        """Pictures (B, 3, 2h, 2w) of latents (B, C, h, w)."""
        if z.ndim != 4:
            raise ValueError(f"a decoder wants latents of shape (B, C, h, w), got {tuple(z.shape)}")
        weights = torch.arange(1.0, 1 + 3 * z.shape[1]).sin().reshape(3, -1)
        mixed = torch.einsum("kc,bchw->bkhw", weights, (z / 4).sin())
        return F.interpolate(mixed, scale_factor=2)


class Unchanged:
    """A stand-in for a U-Net that changes nothing."""

    def __call__(self, scaled):
        """Latents in and out."""
        return scaled
