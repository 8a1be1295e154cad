"""Data: MNIST, the digits that need no network, and points in the plane.

All of it comes out in [-1, 1]-like units.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from diffusion_lab.shapes import Images, Labels, choose

MNIST_BYTES = {
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}
"""Sizes of the four files in MNIST/raw, header included (LeCun et al. 1998)."""


class Digits(NamedTuple):
    """Handwritten digits."""

    images: Images
    """float32, (N, 1, 28, 28), in [-1, 1]: -1 is paper, 1 is ink."""
    labels: Labels
    """int64, (N,), 0 … 9."""
    source: str
    """"mnist", or "sklearn" for the offline stand-in."""


def mnist(train: bool = True, *, root: str | Path | None = None) -> Digits:
    """Load MNIST, or real but smaller digits where it cannot be had.

    Looks in `root` or the folder that the environment variable ``DIFFUSION_LAB_DATA`` names (each holds
    ``MNIST/raw/``), then in the user's cache, then downloads into that cache through torchvision. Where all
    of that fails it says so in one line and returns scikit-learn's 1,797 digits of 8 × 8 pixels, enlarged.
    With ``DIFFUSION_LAB_OFFLINE=1`` it never downloads.

    Args:
        train: the 60,000 training images, or the 10,000 test images.
        root: a folder to look in first.

    Raises:
        ValueError: if a file is there but truncated or altered in size; names the file and both sizes.
    """
    named = root or os.environ.get("DIFFUSION_LAB_DATA")
    if named and has_mnist(named):
        return _read_mnist(Path(named), train)
    if named:
        _say(
            f"no MNIST in {named} (it should hold MNIST/raw/train-images-idx3-ubyte and three more); looking"
            " further"
        )
    if has_mnist(cache_folder()):
        return _read_mnist(cache_folder(), train)
    reason = "DIFFUSION_LAB_OFFLINE is set"
    if os.environ.get("DIFFUSION_LAB_OFFLINE", "0") in ("", "0"):
        from torchvision.datasets import MNIST  # here, because it takes a second to import

        try:
            MNIST(cache_folder(), download=True)
            return _read_mnist(cache_folder(), train)
        except (OSError, RuntimeError) as error:  # no network, no space, no permission
            reason = f"the download failed: {' '.join(str(error).split()) or type(error).__name__}"
    _say(f"MNIST is not here ({reason}); using scikit-learn's 8×8 digits, enlarged, instead")
    return sklearn_digits(train)


def cache_folder() -> Path:
    """Where downloaded data is kept: the operating system's folder for caches."""
    from platformdirs import user_cache_path

    return user_cache_path("diffusion-lab")


def has_mnist(root: str | Path) -> bool:
    """Whether ``root/MNIST/raw`` holds the four files, whole or not."""
    return all((Path(root) / "MNIST" / "raw" / name).is_file() for name in MNIST_BYTES)


def _read_mnist(root: Path, train: bool) -> Digits:
    from torchvision.datasets import MNIST

    for name, wanted in MNIST_BYTES.items():
        file = root / "MNIST" / "raw" / name
        if file.stat().st_size != wanted:
            raise ValueError(
                f"{file} has {file.stat().st_size:,} bytes instead of {wanted:,}: delete it and try again"
            )
    try:
        dataset = MNIST(root, train=train)
    except Exception as error:  # the sizes are right, but not what is inside
        raise ValueError(f"{root}/MNIST/raw is damaged ({error!r}): delete it and try again") from error
    return Digits(dataset.data[:, None].float() / 127.5 - 1, dataset.targets, "mnist")


def sklearn_digits(train: bool = True) -> Digits:
    """Load scikit-learn's digits as a stand-in for MNIST: 20 × 20 pixels of digit inside 28 × 28.

    Args:
        train: the first 1,500, or the last 297.

    Source: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI 1998.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    part = slice(0, 1500) if train else slice(1500, None)
    images = torch.from_numpy(pixels[part]).float().reshape(-1, 1, 8, 8) / 16
    images = F.interpolate(images, size=(20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    return Digits(F.pad(images, (4, 4, 4, 4)) * 2 - 1, torch.from_numpy(labels[part]).long(), "sklearn")


def loader(*tensors: Tensor, batch_size: int = 64, generator: torch.Generator | None = None) -> DataLoader:
    """Serve shuffled batches of tensors that lie in memory, such as ``loader(digits.images, digits.labels)``.

    The last, smaller batch of a pass is left out. The generator decides the order, and `fitting.fit`
    resumes in the middle of a pass by it.

    Raises:
        ValueError: if there are fewer elements than one batch.
    """
    if len(tensors[0]) < batch_size:
        raise ValueError(f"batch_size={batch_size} is more than the {len(tensors[0])} elements there are")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    dataset = TensorDataset(*tensors)
    batches = BatchSampler(RandomSampler(dataset, generator=generator), batch_size, drop_last=True)
    return DataLoader(dataset, batch_size=None, sampler=batches, generator=generator)


def moons(number: int, generator: torch.Generator | None = None) -> Tensor:
    """Two interlocked half circles."""
    angle = torch.rand(number, generator=generator) * torch.pi
    upper = torch.rand(number, generator=generator) < 0.5
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.25, 0.25 - angle.sin())
    return torch.stack([x, y], dim=1) + 0.06 * torch.randn(number, 2, generator=generator)


def spiral(number: int, generator: torch.Generator | None = None) -> Tensor:
    """One arm that winds one and a half times around the origin."""
    turn = torch.rand(number, generator=generator).sqrt() * 3 * torch.pi
    points = torch.stack([turn * turn.cos(), turn * turn.sin()], dim=1) / (2 * torch.pi)
    return points + 0.04 * torch.randn(number, 2, generator=generator)


def clusters(number: int, generator: torch.Generator | None = None) -> Tensor:
    """Eight small Gaussian spots on a circle."""
    angle = torch.randint(8, (number,), generator=generator) * torch.pi / 4
    centres = torch.stack([angle.cos(), angle.sin()], dim=1) * 1.3
    return centres + 0.1 * torch.randn(number, 2, generator=generator)


TOYS: dict[str, Callable[..., Tensor]] = {"moons": moons, "spiral": spiral, "clusters": clusters}
"""Clouds of points by name; coordinates of order 1."""


def toy(name: str, number: int = 2000, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw `number` points of the cloud called `name` (a key of `TOYS`), shape (number, 2), float32."""
    return TOYS[choose("name", name, TOYS)](number, generator)


def _say(line: str) -> None:
    print(f"diffusion_lab.data: {line}", file=sys.stderr)
