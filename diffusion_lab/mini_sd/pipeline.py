"""All four parts together: words to tokens, noise to a code under guidance, code to pixels.

Source: Rombach et al. 2022, Latent Diffusion, figure 3; the same parts, at another size, are Stable
Diffusion.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from tqdm import tqdm

from diffusion_lab import data
from diffusion_lab.evaluation import Evaluation, describe_sampler
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.guidance import ClassifierFreeGuidance
from diffusion_lab.mini_sd.judge import exam, judge_scenes, load_scene_judge
from diffusion_lab.mini_sd.text import MAX_TOKENS, WORDS, Clip, TextEncoder, check_texts, tokenize
from diffusion_lab.mini_sd.vae import VAE
from diffusion_lab.sampling import State, sample
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Context, Images, check_range
from diffusion_lab.unet import UNet

PARTS: dict[str, Callable[..., nn.Module]] = {"vae": VAE, "clip": Clip, "unet": UNet}
GUIDANCE, SAMPLER = 6.0, "dpmpp_2m"
"""Guidance scale and sampler unless told otherwise."""


class MiniSD(NamedTuple):
    """A VAE, a text encoder (in `clip`) and a U-Net in the latent, with what belongs to them."""

    vae: VAE
    clip: Clip
    unet: UNet
    """All three in evaluation mode, float32, on the CPU."""
    schedule: DiffusionSchedule
    objective: str
    scale: float
    """Codes are multiplied by it before the U-Net sees them, and divided by it before they are decoded."""
    card: str = ""
    """Where it comes from and how good it is, as markdown."""

    condition = "prompts"
    """The argument of `sample` that says what to draw."""
    pictures = "scenes"
    """What it draws."""

    @property
    def text(self) -> TextEncoder:
        """The half of `clip` that reads."""
        return self.clip.text

    @torch.no_grad()
    def encode(self, images: Images) -> Tensor:
        """Code pictures, (B, 3, 64, 64) in [-1, 1], as the U-Net wants them: the mean, scaled, (B, 4, 16, 16)."""
        return self.vae.encode(images)[0] * self.scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Images:
        """Paint scaled codes, (B, 4, h, w), as pictures, (B, 3, 4h, 4w) in [-1, 1]."""
        return self.vae.decode(latents / self.scale).clamp(-1, 1)

    @torch.no_grad()
    def read(self, prompts: list[str]) -> Context:
        """Encode prompts, (B, 24, features); "" is the empty caption. A `ValueError` names unknown words."""
        check_texts("prompts", prompts)
        return self.text(tokenize(prompts))

    def sample(
        self,
        prompts: list[str] | Context,
        *,
        negative: str = "",
        guidance_scale: float = GUIDANCE,
        num_steps: int = 20,
        sampler: str = SAMPLER,
        seed: int = 0,
        generator: Generator | None = None,
        progress: bool = False,
        on_step: Callable[[State], None] | None = None,
        **options,
    ) -> Images:
        """Draw one picture for each prompt, (B, 3, 64, 64) in [-1, 1]; the same seed gives the same pictures.

        Args:
            prompts: captions, or what `read` made of them (mixed, perhaps), (B, 24, features).
            negative: what guidance leads away from; nothing in particular if empty.
            guidance_scale: 1 is plain, more exaggerates the prompt.
            num_steps, sampler, progress, on_step, options: see `sampling.sample`; states hold scaled codes.
            seed, generator: decide the noise.

        A `ValueError` names unknown words, and any argument that is unknown or out of range.
        """
        latents = self.sample_latents(
            prompts,
            negative=negative,
            guidance_scale=guidance_scale,
            num_steps=num_steps,
            sampler=sampler,
            generator=generator or Generator().manual_seed(seed),
            progress=progress,
            on_step=on_step,
            **options,
        )
        return self.decode(latents)

    def sample_latents(
        self, prompts: list[str] | Context, *, negative: str = "", guidance_scale: float = GUIDANCE, **options
    ) -> Tensor:
        """Draw scaled codes, (B, 4, 16, 16); arguments as for `sample`, without a seed."""
        if "context" in options:
            raise ValueError(
                "context is made of the prompts; give what `read` returned as prompts, not as context"
            )
        if not isinstance(negative, str):
            raise ValueError(f"negative must be a string, got {negative!r}")
        context = prompts if isinstance(prompts, Tensor) else self.read(prompts)
        if context.shape[1:] != (MAX_TOKENS, features := self.text.config["features"]):
            wanted = f"a list of strings, or of shape (B, {MAX_TOKENS}, {features})"
            raise ValueError(f"prompts must be {wanted}, got shape {tuple(context.shape)}")
        denoiser = ClassifierFreeGuidance(self.unet, guidance_scale, null={"context": self.read([negative])})
        options = {"objective": self.objective, "clip_x_0": False, "context": context, **options}
        return sample(
            denoiser, self.schedule, (len(context), self.unet.config["in_channels"], 16, 16), **options
        )

    def show(self, state: State) -> Images:
        """Paint a step of sampling, (B, 3, 64, 64): the current guess of x_0, and x_0 itself at the end."""
        return self.decode(state.x_t if state.t == 0 else state.x_0_hat)

    def save(self, path: str | Path) -> None:
        """Write a model file that `load_mini_sd` reads, whole or not at all."""
        save_mini_sd(path, self)

    def evaluate(
        self, num_samples: int = 2000, *, held_out: bool = False, seed: int = 0, **options
    ) -> Evaluation:
        """Judge how often drawn scenes show what their prompts say, by the judge that ships with the course.

        Args:
            num_samples: prompts, one scene each.
            held_out: prompts with pairs of colour and digit that training never showed.
            seed: decides prompts and noise.
            **options: those of `sample`.

        A `ValueError` names the argument that is unknown or out of range.
        """
        check_range("num_samples", num_samples, 1)
        options = {"num_steps": 20, "sampler": SAMPLER, "guidance_scale": GUIDANCE, **options}
        digits, judge = data.mnist(train=False), load_scene_judge()
        asked = exam(num_samples, digits, held_out=held_out, seed=seed)
        generator, begin = Generator().manual_seed(seed), time.process_time()
        batches = [asked.captions[start : start + 50] for start in range(0, num_samples, 50)]
        images = [self.sample(batch, generator=generator, **options) for batch in tqdm(batches, leave=False)]
        seconds = time.process_time() - begin
        how = (
            f"{num_samples} prompts, pairs {'never seen' if held_out else 'seen'} in training, "
            f"{options['num_steps']} steps, {describe_sampler(options['sampler'], options)}, "
            f"guidance scale {options['guidance_scale']:g}"
        )
        report = judge_scenes(judge, asked, torch.cat(images), source=digits.source, held_out=held_out)
        return Evaluation(how, seconds, report)


def save_mini_sd(path: str | Path, model: MiniSD) -> None:
    """Write all parts to one safetensors file as float16, whole or not at all."""
    tensors = {f"{part}.{k}": v for part in PARTS for k, v in getattr(model, part).state_dict().items()}
    metadata = {
        "configs": json.dumps({part: getattr(model, part).config for part in PARTS}),
        "words": " ".join(WORDS),
        "schedule": json.dumps(model.schedule.config),
        "objective": model.objective,
        "scale": repr(model.scale),
        "card": model.card,
    }
    write_tensors(path, tensors, metadata)


def load_mini_sd(path: str | Path) -> MiniSD:
    """Read what `save_mini_sd` wrote.

    `FileNotFoundError`, or a `ValueError` if it is truncated or something else.
    """
    return unpack(path, *read_tensors(path))


def unpack(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> MiniSD:
    """Build the parts out of what a file holds; `path` is for the error only."""
    try:
        if metadata["words"].split(" ") != list(WORDS):
            raise ValueError("its text encoder knows other words")
        configs, built = json.loads(metadata["configs"]), {}
        for part, make in PARTS.items():
            own = {
                k.removeprefix(f"{part}."): v.float() for k, v in tensors.items() if k.startswith(f"{part}.")
            }
            built[part] = make(**configs[part])
            built[part].load_state_dict(own)
            built[part].to(memory_format=torch.channels_last).eval().requires_grad_(False)
        schedule, objective = (
            DiffusionSchedule.from_config(json.loads(metadata["schedule"])),
            metadata["objective"],
        )
        built["unet"].trained_objective = objective
        scale, card = float(metadata["scale"]), metadata["card"]
        return MiniSD(**built, schedule=schedule, objective=objective, scale=scale, card=card)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a mini-sd file of diffusion_lab: {error}") from error
