"""The contenders: each one a network, its documented recipe for 28 × 28 digits and its own sampler.

All see the same pictures, served by the same loader. What a recipe needs to run here and its source does not
say is in `departures`, and every choice there is in favour of the peer. Packages are imported when a
contender is built, so this module needs none of them.
"""

import abc
import contextlib
import copy
import importlib
import inspect
import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import diffusion_lab as dl
from diffusion_lab.data import Digits
from diffusion_lab.optimization import update_ema
from diffusion_lab.shapes import check_range, choose


class Contender(abc.ABC):
    """A network in training: `step` takes one optimiser step, `draw` makes pictures with what has been learned."""

    name: str
    source: str
    """Where the recipe is documented."""
    recipe: str
    departures: str = "none"
    package: str | None = None
    """What must be installed, as it is imported."""
    conditional = False
    """Whether `draw` makes the digits that it is asked for."""
    decays = False
    """Whether the learning rate falls to zero over `num_steps`, so that every budget is a run of its own."""
    batch_size: int

    def __init__(
        self, digits: Digits, *, seed: int = 0, batch_size: int | None = None, num_steps: int = 10**9
    ):
        """Build a network and its optimiser.

        Args:
            digits: the training set.
            seed: decides the initial weights, the order of the pictures, and what torch draws from now on.
            batch_size: instead of the one in the recipe.
            num_steps: how many steps will be taken, for a recipe that needs to know it.
        """
        if self.package is not None:
            need(self.package)
        self.num_steps = num_steps
        self.batch_size = batch_size or self.batch_size
        check_range("batch_size", self.batch_size, 1)
        self.loader = CountingLoader(digits, self.batch_size, seed)
        torch.manual_seed(seed)
        self.build()

    @abc.abstractmethod
    def build(self) -> None:
        """Make `self.model` and what belongs to it."""

    @abc.abstractmethod
    def step(self) -> None:
        """Take one optimiser step."""

    @abc.abstractmethod
    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Draw one picture for each label, (B, 1, 28, 28) in about [-1, 1], with `num_steps` network evaluations."""

    def settings(self) -> dict:
        """Say what was chosen, for the results."""
        return {"batch_size": self.batch_size}

    @property
    def images(self) -> int:
        """Pictures seen so far."""
        return self.loader.images

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.model.parameters())


def need(package: str) -> None:
    """Raise a `ModuleNotFoundError` that says what to do if `package` does not import."""
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ModuleNotFoundError(
            f'{package} does not import ({error}): pip install -e ".[benchmarks]"'
        ) from error


class CountingLoader:
    """The package's loader, which also counts the pictures that it gave."""

    def __init__(self, digits: Digits, batch_size: int, seed: int):
        """Serve `digits` in an order decided by `seed`."""
        self.generator = torch.Generator().manual_seed(seed)
        self.loader = dl.data.loader(
            digits.images, digits.labels, batch_size=batch_size, generator=self.generator
        )
        self.images = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Make one pass through the data."""
        for images, labels in self.loader:
            self.images += len(images)
            yield images, labels

    def __len__(self) -> int:
        """Batches in a pass."""
        return len(self.loader)

    def for_ever(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pass after pass."""
        while True:
            yield from self


def _default(function, argument: str):
    return inspect.signature(function).parameters[argument].default


class Ours(Contender):
    """This package with whatever its defaults are."""

    name = "ours"
    source = "docs/quality.md of this repository"
    recipe = (
        "UNet, train and data.loader with their defaults, cosine schedule of 1000 steps, averaged weights,"
        " DDIM"
    )
    conditional = True
    decays = True
    batch_size = _default(dl.data.loader, "batch_size")
    curve = "cosine"
    network_options: Mapping = MappingProxyType({})
    """Where the network differs from the default, for `VARIATIONS`."""
    train_options: Mapping = MappingProxyType({})
    """Where the training does."""

    def network(self) -> nn.Module:
        """Make the network."""
        return dl.UNet(num_classes=10, **self.network_options)

    def build(self) -> None:
        """Start the generator `train`."""
        self.model, self.schedule = self.network(), dl.DiffusionSchedule.named(self.curve, 1000)
        options = {
            "num_steps": self.num_steps,
            "generator": torch.Generator().manual_seed(torch.initial_seed() + 1),
        }
        self.steps = dl.train(self.model, self.schedule, self.loader, **options, **self.train_options)

    def step(self) -> None:
        """Let `train` take a step."""
        self.ema = next(self.steps).ema

    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Sample by DDIM from the averaged weights, without guidance."""
        objective = getattr(self.ema, "trained_objective", _default(dl.train, "objective"))
        options = {"sampler": "ddim", "num_steps": num_steps, "objective": objective, "progress": False}
        return dl.sample(self.ema, self.schedule, (len(labels), 1, 28, 28), labels=labels, **options)

    def settings(self) -> dict:
        """Give every default that took part."""
        arguments = inspect.signature(dl.train).parameters.values()
        defaults = {a.name: a.default for a in arguments if a.default is not a.empty}
        train = {
            k: getattr(v, "__name__", v) for k, v in defaults.items() if k not in ("generator", "resume")
        }
        train |= self.train_options
        network = getattr(self.model, "config", None)
        return super().settings() | {"network": network, "train": train, "curve": self.curve}


def _variation(name: str, **changes) -> type[Ours]:
    """Make `Ours` with one thing changed: class attributes such as ``train_options={"optimizer": "adamw"}``."""
    recipe = f"the recipe of `ours`, but {name.removeprefix('ours-')}: {changes}"
    return type(name.title().replace("-", ""), (Ours,), {"name": name, "recipe": recipe, **changes})


VARIATIONS = [
    _variation("ours-width-24", network_options={"width": 24}),
    _variation("ours-width-48", network_options={"width": 48}),
    _variation("ours-attention", network_options={"attention": (1,)}),
    _variation("ours-no-folding", network_options={"patch": 1}),
    _variation("ours-adamw", train_options={"optimizer": "adamw"}),
    _variation("ours-adamw-2e-3", train_options={"optimizer": "adamw", "learning_rate": 2e-3}),
    _variation("ours-uniform-times", train_options={"times": "uniform"}),
    _variation("ours-predicts-eps", train_options={"objective": "eps"}),
    _variation("ours-predicts-x0", train_options={"objective": "x0"}),
    _variation("ours-linear-schedule", curve="linear"),
    _variation("ours-no-average", train_options={"ema_decay": 0.0}),
    _variation("ours-no-label-dropout", train_options={"label_dropout": 0.0}),
    _variation("ours-batch-32", batch_size=32),
    _variation("ours-batch-128", batch_size=128),
    _variation("ours-bfloat16", train_options={"bfloat16": True}),
]
"""The recipe with one thing changed at a time, for the benchmark `ablation`."""


class Diffusers(Contender):
    """UNet2DModel as in the Hugging Face diffusion course."""

    name = "diffusers"
    package = "diffusers"
    source = "https://github.com/huggingface/diffusion-models-class/blob/main/units/en/unit2/3.mdx"
    recipe = (
        "UNet2DModel (32, 64, 64), 2 layers per block, attention at 14 × 14 and 7 × 7, the class as 4 more"
        " input channels; squaredcos_cap_v2 of 1000 steps, eps, Adam 1e-3, batch 128, no averaged weights"
    )
    departures = (
        "sampled by DDIMScheduler, not by 1000 steps of DDPMScheduler; pictures in memory, not a DataLoader"
    )
    conditional = True
    batch_size = 128

    def build(self) -> None:
        """Make network, schedulers and optimiser."""
        from diffusers import DDIMScheduler, DDPMScheduler

        self.model = ClassConditionedUNet2D(10)
        schedule = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"}
        self.noising, self.sampling = DDPMScheduler(**schedule), DDIMScheduler(**schedule)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.batches = self.loader.for_ever()

    def step(self) -> None:
        """Take the step of the course's training loop; it draws times below 999, as here."""
        images, labels = next(self.batches)
        noise, times = torch.randn_like(images), torch.randint(0, 999, (len(images),))
        predicted = self.model(self.noising.add_noise(images, noise, times), times, labels)
        loss = F.mse_loss(predicted, noise)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @torch.no_grad()
    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Walk down the times of diffusers' DDIMScheduler."""
        self.model.eval()
        self.sampling.set_timesteps(num_steps)
        x = torch.randn(len(labels), 1, 28, 28)
        for t in self.sampling.timesteps:
            x = self.sampling.step(self.model(x, t.expand(len(x)), labels), t, x).prev_sample
        self.model.train()
        return x


class ClassConditionedUNet2D(nn.Module):
    """UNet2DModel with the class as further input channels, as in unit 2 of the course."""

    def __init__(self, num_labels: int, embedding: int = 4):
        """Make a network for labels 0 … num_labels - 1."""
        super().__init__()
        from diffusers import UNet2DModel

        self.class_emb = nn.Embedding(num_labels, embedding)
        self.model = UNet2DModel(
            sample_size=28,
            in_channels=1 + embedding,
            out_channels=1,
            layers_per_block=2,
            block_out_channels=(32, 64, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """Predict from noisy images, (B, 1, 28, 28), times and labels, (B,)."""
        channels = self.class_emb(labels)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.model(torch.cat([x, channels], dim=1), t).sample


class DiffusersOurRecipe(Ours):
    """The network of `Diffusers` in our training loop: tells the recipe from the network."""

    name = "diffusers-our-recipe"
    package = "diffusers"
    source = "no document: the network of `diffusers`, the training of `ours`"
    recipe = "the UNet2DModel of `diffusers`, trained and sampled by this package"

    def network(self) -> nn.Module:
        """Make the network, with an eleventh label for "no class"."""
        model = ClassConditionedUNet2D(11)
        model.null_label = 10
        return model


class DenoisingDiffusionPytorch(Contender):
    """Unet and GaussianDiffusion of denoising-diffusion-pytorch."""

    name = "denoising-diffusion-pytorch"
    package = "denoising_diffusion_pytorch"
    source = "https://github.com/lucidrains/denoising-diffusion-pytorch/blob/main/README.md (and its Trainer)"
    recipe = (
        "Unet dim 64, GaussianDiffusion with its defaults (v, sigmoid schedule of 1000 steps), Adam 8e-5"
        " (0.9, 0.99), batch 32 accumulated twice, gradients clipped at 1, averaged weights 0.995 every 10"
        " steps, its DDIM"
    )
    departures = (
        "dim_mults (1, 2, 4), as 28 is not a multiple of 8; one channel; no mirrored pictures, which its"
        " Trainer makes by default; one batch of 64 for two of 32; 32-bit"
    )
    batch_size = 64

    def build(self) -> None:
        """Make network, process, optimiser and averaged weights as the package's Trainer does."""
        from denoising_diffusion_pytorch import GaussianDiffusion, Unet
        from ema_pytorch import EMA

        network = Unet(dim=64, dim_mults=(1, 2, 4), channels=1, flash_attn=True)
        self.model = GaussianDiffusion(network, image_size=28, timesteps=1000, sampling_timesteps=250)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=8e-5, betas=(0.9, 0.99))
        self.ema = EMA(self.model, beta=0.995, update_every=10)
        self.batches = self.loader.for_ever()

    def step(self) -> None:
        """Take the step of its Trainer."""
        images, _ = next(self.batches)
        self.model((images + 1) / 2).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()

    @torch.inference_mode()
    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Let it sample by DDIM from the averaged weights."""
        sampler = self.ema.ema_model.eval()
        sampler.sampling_timesteps, sampler.is_ddim_sampling = num_steps, num_steps < sampler.num_timesteps
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            return sampler.sample(batch_size=len(labels)).clone() * 2 - 1


class Smalldiffusion(Contender):
    """Unet of smalldiffusion as in its FashionMNIST example."""

    name = "smalldiffusion"
    package = "smalldiffusion"
    source = "https://github.com/yuanchenyang/smalldiffusion/blob/main/examples/fashion_mnist_unet.py"
    recipe = (
        "Scaled(Unet) ch 64, ch_mult (1, 1, 2), attention at 14 × 14, log-linear sigmas 0.01 … 20 (800), eps,"
        " AdamW 7e-4, averaged weights 0.999, its sampler with gam 1.6"
    )
    departures = (
        "batch 128: the example's 1024 gives a handful of steps in these budgets (`smalldiffusion:1024` has"
        " it); no mirrored pictures, which would spoil digits"
    )
    batch_size = 128

    def build(self) -> None:
        """Make network, schedule and optimiser."""
        from accelerate import Accelerator
        from smalldiffusion import Scaled, ScheduleLogLinear, Unet

        self.accelerator = Accelerator(cpu=True)
        self.schedule = ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
        self.model = Scaled(Unet)(28, 1, 1, ch=64, ch_mult=(1, 1, 2), attn_resolutions=(14,))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=7e-4)
        self.ema, self.updates = copy.deepcopy(self.model).requires_grad_(False), 0
        self.batches = self.loader.for_ever()

    def step(self) -> None:
        """Take the step of its training_loop; weights are averaged as torch_ema does."""
        from smalldiffusion import generate_train_sample

        images, _ = next(self.batches)
        self.optimizer.zero_grad()
        x_0, sigma, eps, cond = generate_train_sample(images, self.schedule)
        self.model.get_loss(x_0, sigma, eps, cond=cond).backward()
        self.optimizer.step()
        self.updates += 1
        update_ema(self.ema, self.model, min(0.999, (1 + self.updates) / (10 + self.updates)))

    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Let it sample from the averaged weights."""
        from smalldiffusion import samples

        options = {"gam": 1.6, "batchsize": len(labels), "accelerator": self.accelerator}
        *_, x_0 = samples(self.ema, self.schedule.sample_sigmas(num_steps), **options)
        return x_0


class Classic(Contender):
    """The first example that most courses show, with the first network of this one."""

    name = "classic"
    source = "Ho et al. 2020 (DDPM), algorithm 1 and section 4; the network of lesson 04"
    recipe = (
        "PlainConvNet with its defaults, eps, linear schedule of 1000 steps, Adam 1e-4, batch 128, no"
        " averaging"
    )
    departures = "sampled by DDIM, not by 1000 ancestral steps"
    batch_size = 128

    def build(self) -> None:
        """Make network, schedule and optimiser."""
        self.model, self.schedule = dl.PlainConvNet(), dl.DiffusionSchedule.linear(1000)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.batches = self.loader.for_ever()

    def step(self) -> None:
        """Take the step of algorithm 1, with times drawn one by one."""
        images, _ = next(self.batches)
        times = torch.randint(1, 1001, (len(images),))
        loss = dl.diffusion_loss(self.model, images, self.schedule, "eps", t=times).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def draw(self, labels: Tensor, num_steps: int) -> Tensor:
        """Sample by DDIM."""
        options = {"sampler": "ddim", "num_steps": num_steps, "objective": "eps", "progress": False}
        return dl.sample(self.model, self.schedule, (len(labels), 1, 28, 28), **options)

    def settings(self) -> dict:
        """Give the network's configuration too."""
        return super().settings() | {"network": self.model.config}


PEERS = (Diffusers, DenoisingDiffusionPytorch, Smalldiffusion, Classic)
CONTENDERS: dict[str, type[Contender]] = {c.name: c for c in (Ours, *PEERS, DiffusersOurRecipe, *VARIATIONS)}
"""Every contender by name. To add one: write it as a class above and enter it here."""
DEFAULT = tuple(c.name for c in (Ours, *PEERS))


def find(name: str) -> tuple[type[Contender], int | None]:
    """Read ``"diffusers"``, or ``"diffusers:32"`` for its recipe with batches of 32: a contender and a batch size.

    Raises:
        ValueError: if there is none of that name, or the number is none.
    """
    known, colon, number = name.partition(":")
    choose("contender", known, CONTENDERS)
    if colon and not (number.isdecimal() and int(number) > 0):
        raise ValueError(f"the batch size in contender {name!r} must be a whole number above 0")
    return CONTENDERS[known], int(number) if colon else None
