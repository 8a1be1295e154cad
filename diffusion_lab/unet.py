"""The networks, from plain to good: `PlainConvNet`, `SimpleDiffusion`, and `UNet`, the one that draws digits.

All are called as ``f(x_t, t)`` and return a tensor of the shape of x_t. What that tensor *means* (noise,
data, velocity) is decided by the training objective, not here.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lab.shapes import Context, Images, Labels, Steps, check_noisy_images, check_range


def sinusoidal_embedding(t: Tensor, features: int, max_period: float = 10_000) -> Tensor:
    """Turn times, (B,), into cosines and sines, (B, features) (Vaswani et al. 2017, section 3.5; DDPM, appendix B).

    Times are in steps, not t / T: the frequencies, from 1 down to nearly 1 / max_period, suit numbers up to a
    thousand.
    """
    frequencies = torch.exp(
        -math.log(max_period) * torch.arange(features // 2, device=t.device) / (features // 2)
    )
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class PlainConvNet(nn.Module):
    """Five convolutions at full resolution, and the time as one more input channel.

    Every pixel sees only an 11 × 11 neighbourhood, so it learns slowly. Lesson 04 starts here and mends it.
    """

    def __init__(self, in_channels: int = 1, width: int = 64, timesteps: int = 1000):
        """Make a network for `in_channels` colours whose times are counted up to `timesteps`."""
        super().__init__()
        self.config = {"in_channels": in_channels, "width": width, "timesteps": timesteps}
        hidden = (
            layer
            for before, after in pairwise([in_channels + 1, width, width, width, width])
            for layer in (nn.Conv2d(before, after, 3, padding=1), nn.SiLU())
        )
        self.layers = nn.Sequential(*hidden, nn.Conv2d(width, in_channels, 3, padding=1))

    def forward(self, x_t: Images, t: Steps) -> Images:
        """Predict from noisy images x_t, (B, C, H, W), and their times t, (B,)."""
        check_noisy_images(x_t, t, self.config["in_channels"], 1)
        time = (t.to(x_t.dtype) / self.config["timesteps"]).reshape(-1, 1, 1, 1).expand(-1, 1, *x_t.shape[2:])
        return self.layers(torch.cat([x_t, time], dim=1))


class SimpleDiffusion(nn.Module):
    """A small first U-Net: three convolutions down, three up, skips across, and the time at the bottom.

    Channels are 64, 128, 256 at full, half and quarter size. ``SimpleDiffusion(**model.config)`` makes it
    again. Its plan is that of Ronneberger et al. 2015 with one convolution per level and no normalisation.
    """

    def __init__(self, channels: int = 1, time_emb_dim: int = 32, timesteps: int = 1000):
        """Make a network for images of `channels` colours.

        Args:
            channels: colours of the image.
            time_emb_dim: how many numbers the time is turned into.
            timesteps: T, up to which times are counted: that of the schedule.
        """
        super().__init__()
        self.config = {"channels": channels, "time_emb_dim": time_emb_dim, "timesteps": timesteps}
        self.time_mlp = nn.Sequential(
            nn.Linear(1, time_emb_dim), nn.GELU(), nn.Linear(time_emb_dim, time_emb_dim)
        )
        self.enc1 = nn.Conv2d(channels, 64, 3, padding=1)
        self.enc2 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.enc3 = nn.Conv2d(128, 256, 3, stride=2, padding=1)
        self.dec3 = nn.ConvTranspose2d(256 + time_emb_dim, 128, 4, stride=2, padding=1)
        self.dec2 = nn.ConvTranspose2d(128 + 128, 64, 4, stride=2, padding=1)
        self.dec1 = nn.Conv2d(64 + 64, channels, 3, padding=1)

    def forward(self, x_t: Images, t: Steps) -> Images:
        """Predict from noisy images x_t, (B, channels, H, W), and their times t, (B,).

        A `ValueError` says if H or W is no multiple of 4, or another shape is wrong.
        """
        check_noisy_images(x_t, t, self.config["channels"], 4)
        e1 = F.relu(self.enc1(x_t))
        e2 = F.relu(self.enc2(e1))
        e3 = F.relu(self.enc3(e2))
        time = self.time_mlp(t.to(x_t.dtype)[:, None] / self.config["timesteps"])
        d3 = F.relu(self.dec3(torch.cat([e3, time[:, :, None, None].expand(-1, -1, *e3.shape[2:])], dim=1)))
        d2 = F.relu(self.dec2(torch.cat([d3, e2], dim=1)))
        return self.dec1(torch.cat([d2, e1], dim=1))


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip (He et al. 2016); a condition scales and shifts the features in between.

    Source of that: adaptive group normalisation, Dhariwal & Nichol 2021, section 3.
    """

    def __init__(self, channels_in: int, channels: int, condition: int):
        """Map `channels_in` to `channels` feature maps, steered by `condition` numbers."""
        super().__init__()
        self.norm_1 = nn.GroupNorm(8, channels_in)
        self.conv_1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.scale_shift = zeroed(nn.Linear(condition, 2 * channels))
        self.norm_2 = nn.GroupNorm(8, channels)
        self.conv_2 = zeroed(nn.Conv2d(channels, channels, 3, padding=1))  # the block starts as its own skip
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """Map (B, channels_in, H, W) and (B, condition) to (B, channels, H, W)."""
        scale, shift = self.scale_shift(condition)[:, :, None, None].chunk(2, dim=1)
        out = self.conv_1(F.silu(self.norm_1(h)))
        out = self.norm_2(out) * (1 + scale) + shift
        return self.skip(h) + self.conv_2(F.silu(out))


class Attention(nn.Module):
    """Every pixel asks all pixels (self-attention), or all tokens of a context (cross-attention).

    Source: Vaswani et al. 2017, section 3.2; cross-attention as in Rombach et al. 2022, section 3.3.
    """

    def __init__(self, channels: int, context_features: int | None = None, heads: int = 4):
        """Attend to the pixels, or to tokens of `context_features` numbers."""
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(context_features or channels, 2 * channels)
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, h: Tensor, context: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W), and for cross-attention (B, tokens, context_features), to (B, C, H, W)."""
        pixels = self.norm(h).flatten(2).transpose(1, 2)
        key, value = self.key_value(pixels if context is None else context).chunk(2, dim=-1)
        by_head = [
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.query(pixels), key, value)
        ]
        mixed = F.scaled_dot_product_attention(*by_head).transpose(1, 2).flatten(2)
        return h + self.out(mixed).transpose(1, 2).reshape(h.shape)


class Level(nn.Module):
    """A residual block and, where it pays (`attend`), attention to the pixels and to the context."""

    def __init__(
        self, channels_in: int, channels: int, condition: int, attend: bool, context_features: int | None
    ):
        """Map `channels_in` to `channels` feature maps."""
        super().__init__()
        self.block = ResidualBlock(channels_in, channels, condition)
        self.self_attention = Attention(channels) if attend else None
        self.cross_attention = Attention(channels, context_features) if attend and context_features else None

    def forward(self, h: Tensor, condition: Tensor, context: Tensor | None) -> Tensor:
        """Map (B, channels_in, H, W) to (B, channels, H, W)."""
        h = self.block(h, condition)
        h = self.self_attention(h) if self.self_attention else h
        return self.cross_attention(h, context) if self.cross_attention else h


class UNet(nn.Module):
    """A U-Net that folds squares of pixels into channels first, so that its work happens at half resolution.

    Source: Ronneberger et al. 2015; Ho et al. 2020, appendix B; folding as in Shi et al. 2016 (pixel
        shuffle).

    ``UNet(**unet.config)`` makes it again; ``null_label`` means "no class" (None if there are no classes at
    all).
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int | None = None,
        context_features: int | None = None,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2),
        blocks: int = 1,
        attention: Sequence[int] = (),
        patch: int = 2,
    ):
        """Build the U.

        Args:
            in_channels, num_classes: colours of the image, and number of classes, None for a network without
                labels.
            context_features: length of a token of the context (a caption), or None for none; `attention`
                reads it.
            width, multipliers: feature maps are ``width * m`` on the level of each m (a multiple of 8); every
                further level has half the resolution.
            blocks: residual blocks per level on the way down, and again on the way up.
            attention: the levels that attend, from 0.
            patch: side of the square of pixels that is folded into channels; 1 for none.
        """
        super().__init__()
        self.config = {k: v for k, v in locals().items() if k in UNet.__init__.__annotations__}
        self.null_label = num_classes
        check_range("attention", torch.tensor([*attention], dtype=torch.int64), 0, len(multipliers) - 1)
        if context_features and not len(attention):
            raise ValueError(
                f"context_features={context_features} needs a level that attends, such as attention=(1,)"
            )
        condition, sizes = 4 * width, [width * m for m in multipliers]

        def level(index: int, channels_in: int) -> Level:
            return Level(channels_in, sizes[index], condition, index in attention, context_features)

        self.time = nn.Sequential(nn.Linear(width, condition), nn.SiLU(), nn.Linear(condition, condition))
        self.label = nn.Embedding(num_classes + 1, condition) if num_classes else None
        self.fold = nn.Sequential(
            nn.PixelUnshuffle(patch), nn.Conv2d(in_channels * patch**2, width, 3, padding=1)
        )
        self.down, self.shrink, self.up, self.grow = (nn.ModuleList() for _ in range(4))
        for i, (before, size) in enumerate(pairwise([width, *sizes])):
            self.down.append(nn.ModuleList(level(i, size if k else before) for k in range(blocks)))
            self.shrink.append(
                nn.Conv2d(size, size, 3, stride=2, padding=1) if i < len(sizes) - 1 else nn.Identity()
            )
        self.middle = level(len(sizes) - 1, sizes[-1])
        for i, size in reversed(list(enumerate(sizes))):
            self.up.append(nn.ModuleList(level(i, 2 * size) for _ in range(blocks)))
            grow = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(size, sizes[i - 1], 3, padding=1))
            self.grow.append(grow if i else nn.Identity())
        self.unfold = nn.Sequential(
            nn.GroupNorm(8, sizes[0]),
            nn.SiLU(),
            zeroed(nn.Conv2d(sizes[0], in_channels * patch**2, 3, padding=1)),
            nn.PixelShuffle(patch),
        )

    def forward(
        self, x_t: Images, t: Steps, labels: Labels | None = None, context: Context | None = None
    ) -> Images:
        """Predict from noisy images.

        Args:
            x_t: noisy images, (B, C, H, W); H and W multiples of ``patch * 2 ** (levels - 1)``.
            t: times in steps, (B,).
            labels: classes 0 … num_classes - 1, or ``null_label``, (B,); None means the null label
                everywhere.
            context: tokens to attend to, (B, tokens, context_features), for a network built with them.
        """
        self._check(x_t, t, labels, context)
        condition = self.time(sinusoidal_embedding(t, self.config["width"]))
        if self.label is not None:
            condition = condition + self.label(
                torch.full_like(t, self.null_label) if labels is None else labels
            )
        condition, h, skips = F.silu(condition), self.fold(x_t), []
        for levels, shrink in zip(self.down, self.shrink, strict=True):
            for level in levels:
                h = level(h, condition, context)
                skips.append(h)
            h = shrink(h)
        h = self.middle(h, condition, context)
        for levels, grow in zip(self.up, self.grow, strict=True):
            for level in levels:
                h = level(torch.cat([h, skips.pop()], dim=1), condition, context)
            h = grow(h)
        return self.unfold(h)

    def _check(self, x_t: Tensor, t: Tensor, labels: Tensor | None, context: Tensor | None) -> None:
        check_noisy_images(
            x_t, t, self.config["in_channels"], self.config["patch"] * 2 ** (len(self.down) - 1)
        )
        if labels is not None and self.label is None:
            raise ValueError("labels were given, but this UNet was built without num_classes")
        if labels is not None and labels.shape != t.shape:
            raise ValueError(
                f"labels must have shape ({len(x_t)},), one per image, got {tuple(labels.shape)}"
            )
        check_range("labels", t.new_empty(0) if labels is None else labels, 0, self.null_label or 0)
        wanted, got = self.config["context_features"], None if context is None else context.shape
        if (got is None) != (wanted is None) or (
            got and (len(got), got[0], got[-1]) != (3, len(x_t), wanted)
        ):
            raise ValueError(
                f"context must be ({len(x_t)}, tokens, {wanted}), or None without features, got {got}"
            )


def zeroed(module: nn.Module) -> nn.Module:
    """Set all parameters to zero, so that the module adds nothing until it has learned something."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
