"""The variational autoencoder: 64 × 64 pixels to a code of 16 × 16 × 4 numbers and back.

Source: Kingma & Welling 2013, Auto-Encoding Variational Bayes; as the first stage of a diffusion model,
Rombach et al. 2022, Latent Diffusion, section 3.1.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from diffusion_lab.shapes import Images, check_data, check_images, check_range, check_scale, normal_like


class Block(nn.Module):
    """Two convolutions beside a skip (He et al. 2016)."""

    def __init__(self, channels: int):
        """Keep `channels` feature maps, a multiple of 8."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        return h + self.layers(h)


class VAE(nn.Module):
    """Encoder to the mean and log-variance of a code, decoder back to pixels; ``VAE(**vae.config)`` makes it again.

    The code has a quarter of the side of the picture. Its first layer and its last fold 2 × 2 pixels into
    channels, as `UNet` does, so that nothing is computed at full resolution.
    """

    def __init__(self, in_channels: int = 3, latent_channels: int = 4, width: int = 32):
        """Build both halves.

        Args:
            in_channels: colours of the picture.
            latent_channels: numbers per place of the code.
            width: feature maps at half resolution, a multiple of 8; twice as many at a quarter.

        A `ValueError` says if one of them is less than 1, or width no multiple of 8.
        """
        super().__init__()
        for name, value in {
            "in_channels": in_channels,
            "latent_channels": latent_channels,
            "width": width,
        }.items():
            check_range(name, value, 1)
        if width % 8:
            raise ValueError(f"width must be a multiple of 8, got {width}")
        self.config = {"in_channels": in_channels, "latent_channels": latent_channels, "width": width}
        folded, wide = 4 * in_channels, 2 * width
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(folded, width, 3, padding=1),
            Block(width),
            nn.Conv2d(width, wide, 3, stride=2, padding=1),
            Block(wide),
            Block(wide),
            nn.GroupNorm(8, wide),
            nn.SiLU(),
            nn.Conv2d(wide, 2 * latent_channels, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, wide, 3, padding=1),
            Block(wide),
            Block(wide),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(wide, width, 3, padding=1),
            Block(width),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, folded, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, images: Images) -> tuple[Tensor, Tensor]:
        """Say where the code of each picture lies, and how surely.

        Args:
            images: (B, in_channels, H, W) in [-1, 1], H and W multiples of 4.

        Returns the mean and the log-variance of q(z | x), each (B, latent_channels, H/4, W/4). A `ValueError`
        says if images have another shape, dtype or range.
        """
        check_images("images", images, self.config["in_channels"], 4)
        check_scale("images", images)
        if images.dtype != (wanted := next(self.parameters()).dtype):
            raise ValueError(f"images must be {wanted}, as this VAE is, got {images.dtype}")
        mean, logvar = self.encoder(images).chunk(2, dim=1)
        return mean, logvar.clamp(-20, 10)

    def decode(self, z: Tensor) -> Images:
        """Paint codes, (B, latent_channels, h, w), as pictures, (B, in_channels, 4h, 4w), near [-1, 1]."""
        check_images("z", z, self.config["latent_channels"], 1)
        return self.decoder(z)


def draw_code(mean: Tensor, logvar: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw z from N(mean, exp(logvar)) so that gradients reach both (Kingma & Welling 2013, section 2.4).

    `mean`, `logvar` and the result have one shape, (B, c, h, w) or any other; a `ValueError` says if they
    have not.
    """
    check_data(mean=mean, logvar=logvar)
    return mean + (0.5 * logvar).exp() * normal_like(mean, generator)


def kl_from_standard(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, 1)) of each picture in nats, summed over its code, (B,) (ibid., appendix B).

    KL = 1/2 sum(mean² + variance - log variance - 1), from `mean` and `logvar`, both (B, c, h, w) or (B, …).
    A `ValueError` says if their shapes differ.
    """
    check_data(mean=mean, logvar=logvar)
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).flatten(1).sum(dim=1)


def vae_loss(
    vae: VAE, images: Images, beta: float, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Squared error per number of the picture, and beta times the KL divergence per number; their sum is the loss.

    With beta = 2 s² this is the negative variational bound, up to a factor and a constant, of a decoder that
    is sure of every number to a standard deviation s (ibid., equation 7). Returns both parts, each (B,).
    """
    mean, logvar = vae.encode(images)
    error = (vae.decode(draw_code(mean, logvar, generator)) - images).square().flatten(1).mean(dim=1)
    return error, beta * kl_from_standard(mean, logvar) / images[0].numel()


@torch.no_grad()
def measure_scale(vae: VAE, images: Images) -> float:
    """The one number that brings codes to unit standard deviation, 1 / std(mean) (Rombach et al. 2022, appendix G).

    Measured over all numbers of the codes of `images`, (B, in_channels, H, W) in [-1, 1]; errors as for
    `VAE.encode`. Stable Diffusion's 0.18215 is this number for its own VAE.
    """
    return 1 / float(vae.encode(images)[0].std())


@torch.no_grad()
def psnr(reconstruction: Images, images: Images) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(4 / mean squared error) for pictures in [-1, 1].

    One number for all pictures, (B, C, H, W), where the reconstruction is cut to [-1, 1] first; infinite if
    there is no error. A `ValueError` says if the shapes differ.
    """
    check_data(images=images, reconstruction=reconstruction)
    return float(10 * torch.log10(4 / F.mse_loss(reconstruction.clamp(-1, 1), images)))
