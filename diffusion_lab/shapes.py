"""Names for the tensors of the course, and the checks that the modules share.

The aliases are `jaxtyping <https://docs.kidger.site/jaxtyping/>`_ annotations: readable as documentation, and
checked at run time by the test suite. ``batch`` in two arguments of one function means the same number.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
"""Pictures in [-1, 1]."""
Data = Float[Tensor, "batch *dims"]
"""Anything that can be noised: images, latents, points in the plane."""
Steps = Int[Tensor, "batch"]
"""One time t per element of the batch, 0 … T."""
Labels = Int[Tensor, "batch"]
"""One class per element of the batch."""
Context = Float[Tensor, "batch tokens features"]
"""A sequence to attend to, such as an encoded caption."""
Table = Float64[Tensor, "times"]
"""A number for every time t = 0 … T."""


def choose(argument: str, value: str, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`.

    Raises:
        ValueError: names the argument, what came, and lists every valid option.
    """
    options = sorted(options)
    if value not in options:
        raise ValueError(f"{argument}={value!r} is not known; choose one of: {', '.join(options)}")
    return value


def check_objective(model: Callable, objective: str) -> None:
    """Refuse, by a `ValueError`, another objective than the one that a model, if it knows it, was trained with."""
    if (trained := getattr(model, "trained_objective", None) or objective) != objective:
        raise ValueError(f"objective={objective!r}, but this model was trained with objective={trained!r}")


def check_range(argument: str, value: int | Tensor, low: int, high: int | None = None) -> None:
    """Accept whole numbers from `low` to `high`, both included; any number from `low` on if `high` is None.

    Args:
        argument: the name to put into the error.
        value: an int, or an integer tensor of any shape.
        low: smallest valid value.
        high: largest valid value, or None.

    Raises:
        ValueError: names the argument, what came and what was wanted.
    """
    wanted = f"be at least {low}" if high is None else f"lie in {low} … {high}"
    values = value if isinstance(value, Tensor) else torch.as_tensor(value)
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{argument} must {wanted} and be whole, got dtype {values.dtype}")
    if values.numel() and (int(values.min()) < low or (high is not None and int(values.max()) > high)):
        got = f"{int(values.min())} … {int(values.max())}" if values.ndim else int(values)
        raise ValueError(f"{argument} must {wanted}, got {got}")


def check_share(**numbers: float) -> None:
    """Accept numbers in [0, 1]; a `ValueError` names the argument, what came and what was wanted."""
    for argument, value in numbers.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{argument} must lie in [0, 1], got {value}")


def normal_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise with the shape, dtype and device of `x`.

    The numbers are drawn on the generator's device and then moved, so one CPU generator gives the same noise
    on every machine.
    """
    device = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, device=device, dtype=x.dtype).to(x.device)


def check_data(**tensors: Tensor) -> None:
    """Accept floating-point tensors that all have the shape of the first, and are not merely broadcastable to it.

    Raises:
        ValueError: names the arguments, what came and what was wanted.
    """
    (first, model), *others = tensors.items()
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(
                f"{name} must be floating point, got {tensor.dtype}; convert images in `data` first"
            )
    for name, tensor in others:
        if tensor.shape != model.shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {tuple(model.shape)}, got {tuple(tensor.shape)}"
            )


def check_scale(argument: str, images: Tensor) -> None:
    """Refuse a batch of images, (B, C, H, W), that was not brought to [-1, 1]; other shapes are let through.

    Raises:
        ValueError: if the numbers look like 0 … 255 or like [0, 1].
    """
    if images.ndim != 4:
        return
    low, high = float(images.min()), float(images.max())
    if not images.is_floating_point() or high > 64:
        raise ValueError(
            f"{argument} must be floating point in [-1, 1], got {images.dtype} in [{low:g}, {high:g}]"
        )
    if low >= 0:
        raise ValueError(
            f"{argument} must be in [-1, 1], got [{low:g}, {high:g}]: multiply by 2 and subtract 1"
        )


def check_images(argument: str, images: Tensor, channels: int, multiple: int) -> None:
    """Accept shape (B, channels, H, W) with H and W multiples of `multiple`.

    Raises:
        ValueError: names the argument, what came and what was wanted.
    """
    if images.ndim != 4 or images.shape[1] != channels or any(side % multiple for side in images.shape[2:]):
        wanted = f"(B, {channels}, H, W) with H and W multiples of {multiple}"
        raise ValueError(f"{argument} must have shape {wanted}, got {tuple(images.shape)}")


def check_noisy_images(x_t: Tensor, t: Tensor, channels: int, multiple: int) -> None:
    """Accept what every denoiser of images takes: x_t as in `check_images`, and t of shape (B,).

    Raises:
        ValueError: names the argument, what came and what was wanted.
    """
    check_images("x_t", x_t, channels, multiple)
    if t.shape != x_t.shape[:1]:
        raise ValueError(f"t must have shape ({len(x_t)},), one time per image, got {tuple(t.shape)}")
