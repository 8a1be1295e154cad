"""How the parts of the mini Stable Diffusion are trained, one after the other, each into its own file of a folder.

First the VAE, so that there are codes; then the text encoder, beside an image encoder that is thrown away;
then, with both frozen, the U-Net, by the same `training.train` as every other denoiser of the course. The
judge of scenes needs none of them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from tqdm import tqdm

from diffusion_lab import training
from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.data import Digits, loader
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.fitting import Step, fit
from diffusion_lab.mini_sd.judge import SceneJudge, judge_loss
from diffusion_lab.mini_sd.scenes import compose
from diffusion_lab.mini_sd.text import Clip, TextEncoder, contrastive_loss, near_miss, tokenize
from diffusion_lab.mini_sd.vae import VAE, measure_scale, vae_loss
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import normal_like
from diffusion_lab.unet import UNet

BETA = 0.004  # weight of the KL divergence: a decoder that is sure of its pixels to 0.045, in a range of 2


def train_vae(
    vae: VAE, digits: Digits, *, batch_size: int = 32, beta: float = BETA, **options
) -> Iterator[Step]:
    """Train a VAE on scenes that are drawn as it goes; options are those of `fit`."""

    def loss(state: TrainingState) -> Tensor:
        images = compose(batch_size, digits, generator=state.generator).images.to(state.device)
        error, divergence = vae_loss(state.model, images, beta, state.generator)
        return (error + divergence).mean()

    return fit(vae, loss, **options)


def train_clip(
    clip: Clip, digits: Digits, *, batch_size: int = 64, misses: int = 2, **options
) -> Iterator[Step]:
    """Train both encoders so that a picture finds its caption among those of the batch and `misses` near misses.

    Options are those of `fit`.
    """

    def loss(state: TrainingState) -> Tensor:
        scenes = compose(batch_size, digits, generator=state.generator)
        near_misses = [near_miss(text, state.generator) for text in scenes.captions * misses]
        images, tokens = scenes.images, tokenize(scenes.captions + near_misses)
        return contrastive_loss(state.model(images.to(state.device), tokens.to(state.device)).float())

    return fit(clip, loss, **options)


def train_judge(judge: SceneJudge, digits: Digits, *, batch_size: int = 64, **options) -> Iterator[Step]:
    """Train a judge on scenes that are drawn as it goes, of all pairs of colour and digit, with a little noise on top.

    Options are those of `fit`.
    """

    def loss(state: TrainingState) -> Tensor:
        held_out = bool(torch.rand((), generator=state.generator) < 0.2)
        scenes = compose(batch_size, digits, generator=state.generator, held_out=held_out)
        strength = 0.05 * torch.rand((), generator=state.generator)
        images = scenes.images + strength * normal_like(scenes.images, state.generator)
        return judge_loss(state.model(images.to(state.device)), scenes.layout)

    return fit(judge, loss, **options)


class Latents(NamedTuple):
    """Scenes as the U-Net sees them: codes of unit standard deviation, and the words of their captions."""

    codes: Tensor
    """(N, 4, 16, 16)."""
    tokens: Tensor
    """(N, 24), int64."""
    scale: float
    """What codes were multiplied by."""
    made_from: dict = {}  # noqa: RUF012 (nobody writes into it)
    """What decided them, such as the fingerprint of the VAE and the seed."""


@torch.no_grad()
def encode_scenes(vae: VAE, digits: Digits, number: int, generator: Generator) -> Latents:
    """Draw scenes, code them once and for all, and measure the scale on the first of them.

    A code is the mean of q(z | x), without the noise that the VAE was trained with: that noise carries
    nothing, and the U-Net would have to learn it.
    """
    device, codes, tokens = next(vae.parameters()).device, [], []
    for start in tqdm(range(0, number, 500), "coding scenes", leave=False, delay=1):
        scenes = compose(min(500, number - start), digits, generator=generator)
        codes.append(vae.encode(scenes.images.to(device))[0].cpu())
        tokens.append(tokenize(scenes.captions))
        if start == 0:
            scale = measure_scale(vae, scenes.images.to(device))
    return Latents(torch.cat(codes) * scale, torch.cat(tokens), scale)


def save_latents(path: str | Path, latents: Latents) -> None:
    """Write latents, codes as float16."""
    tensors = {"codes": latents.codes, "tokens": latents.tokens.to(torch.uint8)}
    write_tensors(path, tensors, {"scale": repr(latents.scale), "made_from": json.dumps(latents.made_from)})


def load_latents(path: str | Path) -> Latents:
    """Read what `save_latents` wrote.

    `FileNotFoundError`, or a `ValueError` if it is damaged or something else.
    """
    tensors, metadata = read_tensors(path)
    try:
        made_from = json.loads(metadata["made_from"])
        return Latents(
            tensors["codes"].float(), tensors["tokens"].long(), float(metadata["scale"]), made_from
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a file of codes: {error}") from error


class Captioned(nn.Module):
    """A U-Net with context as one with labels, for `training.train`: label i stands for the i-th caption.

    The null label, which `training.train` puts in the place of a tenth of the labels, is the empty caption.
    The text encoder is frozen and is no part of what is trained.
    """

    def __init__(self, unet: UNet, text: TextEncoder, tokens: Tensor):
        """Join a U-Net with the frozen encoder of the captions `tokens`, (N, 24)."""
        super().__init__()
        self.unet, self.null_label = unet, len(tokens)
        tokens = torch.cat([tokens, tokenize([""])]).to(next(text.parameters()).device)
        self.read = lambda labels: text(
            tokens[labels]
        )  # in a function, so that it is not registered as a part

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """Predict from noisy codes and the numbers of their captions, (B,)."""
        with torch.no_grad():
            context = self.read(labels)
        return self.unet(x_t, t, context=context)


def new_unet(text: TextEncoder) -> UNet:
    """Make the untrained U-Net of the latent: 16 × 16, 8 × 8 and 4 × 4 places, attention at the two smaller."""
    return UNet(
        in_channels=4,
        context_features=text.config["features"],
        width=48,
        multipliers=(1, 2, 2),
        blocks=1,
        attention=(1, 2),
        patch=1,
    )


def train_unet(
    unet: UNet,
    text: TextEncoder,
    latents: Latents,
    schedule: DiffusionSchedule,
    *,
    batch_size: int = 64,
    generator: Generator,
    **options,
) -> Iterator[Step]:
    """Train the U-Net on codes with captions by `training.train`; the yielded ``ema.unet`` is the one to keep.

    Args:
        unet: trained in place, such as that of `new_unet`: for codes, (B, 4, 16, 16), and context, (B, 24,
            features).
        text: the encoder of the captions, which is frozen.
        latents, schedule: codes, (N, 4, 16, 16), with their captions, and the process that noises them.
        batch_size, generator: codes per step, at most N; decides order, times, noise and which captions are
            left out.
        **options: those of `training.train`, such as ``num_steps`` and ``objective``; errors are its own as
            well.
    """
    model = Captioned(unet, text.eval().requires_grad_(False), latents.tokens)
    order = Generator().manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    batches = loader(latents.codes, torch.arange(len(latents.codes)), batch_size=batch_size, generator=order)
    return training.train(model, schedule, batches, generator=generator, **options)
