"""Still pictures: grids, strips, curves and histograms. The only place where images in [-1, 1] become bytes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffusion_lab.files import replacing
from diffusion_lab.shapes import Images

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito's palette, told apart by colour-blind readers too."""


def to_uint8(images: Images) -> np.ndarray:
    """Turn images in [-1, 1], (B, C, H, W), into bytes, (B, H, W) if grey, else (B, H, W, 3); values are clipped."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must have shape (B, 1, H, W) or (B, 3, H, W), got {tuple(images.shape)}")
    pixels = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return pixels[:, 0] if pixels.shape[1] == 1 else pixels.transpose(0, 2, 3, 1)


def grid(images: Images, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Paste images into one picture of bytes, row by row, on white."""
    pixels = to_uint8(images)
    height, width = pixels.shape[1:3]
    rows = -(-len(pixels) // columns)
    columns = min(columns, len(pixels))
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *pixels.shape[3:])
    canvas = np.full(shape, 255, np.uint8)
    for index, picture in enumerate(pixels):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def enlarge(pixels: np.ndarray, scale: int) -> Image.Image:
    """Make a picture whose pixels are squares of `scale`."""
    return Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1))


def save_picture(path: str | Path, frames: Sequence[np.ndarray], *, scale: int = 4, frame_ms: int = 80) -> None:
    """Write one frame as PNG, or several as an animated GIF that rests on the last; whole or not at all."""
    pictures = [enlarge(frame, scale) for frame in frames]
    durations = [frame_ms] * (len(pictures) - 1) + [2000]
    animation = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
    with replacing(path) as part:
        pictures[0].save(part, **(animation if len(pictures) > 1 else {}))


def show_images(
    images: Images, *, columns: int = 8, scale: float = 0.55, title: str = "", labels: Sequence[str] = ()
) -> "matplotlib.figure.Figure":
    """Show images in [-1, 1] as one grid.

    Args:
        images: (B, C, H, W).
        columns: pictures per row.
        scale: inches per picture.
        title: line above.
        labels: one short text under each column.
    """
    picture = grid(images, columns)
    columns = min(columns, len(images))
    height = scale * columns * picture.shape[0] / picture.shape[1]
    figure, axes = new_figure(width=scale * columns, height=height + 0.35 * bool(title) + 0.3 * bool(labels))
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    step = picture.shape[1] / columns
    axes.set_xticks([step * (i + 0.5) - 1 for i in range(len(labels))], labels, fontsize=9)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return finish(figure)


def new_figure(panels: int = 1, *, width: float = 8, height: float = 2.8, share: bool = False):
    """Begin a figure of `panels` panels side by side; returns (figure, axes)."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, panels, figsize=(width, height), layout="constrained", sharex=share, sharey=share, dpi=110
    )
    for one in np.atleast_1d(axes):
        one.set_prop_cycle(color=COLOURS)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def finish(figure):
    """Close a figure so that a notebook shows it once, where it is returned, and memory is freed."""
    from matplotlib import pyplot

    pyplot.close(figure)
    return figure


def show_histograms(columns: dict[str, Tensor], *, limit: float = 4.0, title: str = "", normal: bool = True):
    """Show one histogram per entry, side by side on one scale, with the standard normal density as a thin line."""
    figure, axes = new_figure(len(columns), width=max(4, 2 * len(columns)), height=2.2, share=True)
    line = np.linspace(-limit, limit, 200)
    for one, (name, values) in zip(np.atleast_1d(axes), columns.items(), strict=True):
        one.hist(values.flatten().numpy(), bins=60, range=(-limit, limit), density=True, color=COLOURS[0])
        if normal:
            one.plot(line, np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi), color=COLOURS[1], linewidth=1.5)
        one.set_title(name, fontsize=10)
        one.set_yticks([])
    figure.suptitle(title, fontsize=10)
    return finish(figure)


def show_points(clouds: dict[str, Tensor], *, limit: float = 3.0, title: str = ""):
    """Show clouds of points, each (N, 2), side by side on one scale."""
    figure, axes = new_figure(len(clouds), width=max(4, 2 * len(clouds)), height=2.3, share=True)
    for one, (name, points) in zip(np.atleast_1d(axes), clouds.items(), strict=True):
        one.plot(*points.T.numpy(), ".", markersize=1.5, alpha=0.5, color=COLOURS[0])
        one.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        one.spines[:].set_visible(True)
        one.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=10)
    return finish(figure)


def show_curves(x: Tensor, curves: dict[str, Tensor], *, x_label: str, y_label: str, log: bool = False):
    """Show several curves over one axis, told apart by colour and by dashes."""
    figure, axes = new_figure(width=6, height=3)
    for index, (name, y) in enumerate(curves.items()):
        axes.plot(x, y, label=name, linestyle=("-", "--", "-.", ":")[index % 4], linewidth=2)
    axes.set(xlabel=x_label, ylabel=y_label, yscale="log" if log else "linear")
    axes.legend(frameon=False)
    return finish(figure)
