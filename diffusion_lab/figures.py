"""Still pictures: grids, strips, curves and histograms.

The only place where images in [-1, 1] become bytes.
"""

import base64
import io
import textwrap
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
    """Turn images in [-1, 1], (B, C, H, W), into bytes, (B, H, W) if grey, else (B, H, W, 3).

    Values are clipped.
    """
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


def _enlarged(images: Images, zoom: int) -> Tensor:
    return images.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)


def mark_pixel(images: Images, row: int, column: int, zoom: int = 8) -> Tensor:
    """Enlarge grey images and put a frame around one pixel of each.

    Args:
        images: (B, 1, H, W).
        row, column: which pixel, counted from 0.
        zoom: each pixel becomes a square of so many.

    Returns:
        Colour images, (B, 3, zoom * H, zoom * W).
    """
    large = _enlarged(images, zoom).repeat(1, 3, 1, 1)
    top, left, thick = zoom * row, zoom * column, max(1, zoom // 3)
    inside = large[:, :, top : top + zoom, left : left + zoom].clone()
    orange = torch.tensor([*bytes.fromhex(COLOURS[1][1:])]) / 127.5 - 1
    down, across = (slice(max(0, start - thick), start + zoom + thick) for start in (top, left))
    large[:, :, down, across] = orange[:, None, None].to(large)
    large[:, :, top : top + zoom, left : left + zoom] = inside
    return large


def with_thumbnails(large: Images, thumbnails: Sequence[Tensor], zoom: int = 4, gap: int = 4) -> Tensor:
    """Enlarge a picture and put others in a column to its left, small, on white.

    Args:
        large: one picture, (1, C, H, W).
        thumbnails: pictures, (1, C or 1, h, w), which share its height as far as whole pixels allow.
        zoom: each pixel of `large` becomes a square of so many.
        gap: white pixels between them.

    Returns:
        One picture, (1, C, zoom * H or a little more, …).
    """
    share = zoom * large.shape[2] // len(thumbnails)
    small = [_enlarged(one, max(1, share // one.shape[2])) for one in thumbnails]
    width, channels = max(one.shape[3] for one in small), large.shape[1]
    height = max(sum(one.shape[2] + gap for one in small) - gap, zoom * large.shape[2])
    whole = torch.ones(1, channels, height, width + gap + zoom * large.shape[3])
    whole[:, :, : zoom * large.shape[2], width + gap :] = _enlarged(large, zoom)
    top = 0
    for one in small:
        whole[:, :, top : top + one.shape[2], : one.shape[3]] = one
        top += one.shape[2] + gap
    return whole


def save_picture(
    path: str | Path, frames: Sequence[np.ndarray], *, scale: int = 4, frame_ms: int = 80
) -> None:
    """Write one frame as PNG, or several as an animated GIF that rests on the last; whole or not at all."""
    pictures = [enlarge(frame, scale) for frame in frames]
    if len(pictures) > 1:  # noise does not compress: 16 shades make a film four times smaller
        pictures = [picture.quantize(16) for picture in pictures]
    durations = [frame_ms] * (len(pictures) - 1) + [2000]
    animation = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
    with replacing(path) as part:
        pictures[0].save(part, **(animation if len(pictures) > 1 else {}))


def with_few_colours(png: bytes, colours: int = 256) -> bytes:
    """Pack a PNG with a palette: a third of the size, and the same to the eye; exact if it has up to 256 colours.

    The palette covers all colours there are, so that the few pixels of a thin yellow stroke stay yellow.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    number, moved = (
        (256, 0) if picture.getcolors(256) else (colours, 1)
    )  # towards the middle of what each stands for
    few = picture.quantize(number, method=Image.Quantize.MAXCOVERAGE, kmeans=moved, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


class Picture:
    """A finished figure: a PNG where it is the last line of a cell, with words for those who cannot see it."""

    def __init__(self, figure, alt: str):
        """Render a matplotlib figure; `alt` says in words what it shows."""
        self.figure, self.alt = figure, alt
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        self.png = with_few_colours(buffer.getvalue())

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}

    def save(self, path: str | Path) -> None:
        """Write the PNG, whole or not at all."""
        with replacing(path) as part:
            part.write_bytes(self.png)


def new_figure(panels: int = 1, *, width: float = 8, height: float = 2.8, share: bool = False):
    """Begin a figure of `panels` panels side by side, sizes in inches; returns (figure, array of axes)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = figure.subplots(1, panels, sharex=share, sharey=share, squeeze=False)[0]
    for one in axes:
        one.set_prop_cycle(color=COLOURS)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def show_images(
    images: Images,
    *,
    columns: int = 8,
    scale: float = 0.55,
    title: str = "",
    labels: Sequence[str] = (),
    alt: str = "",
) -> Picture:
    """Show images in [-1, 1], (B, C, H, W), as one grid.

    Args:
        images: the pictures, row by row.
        columns: pictures per row.
        scale: inches per picture.
        title: line above.
        labels: one short text under each column.
        alt: what there is to see, in words; the title if empty.
    """
    picture = grid(images, columns)
    columns = min(columns, len(images))
    height = scale * columns * picture.shape[0] / picture.shape[1]
    figure, (axes,) = new_figure(
        width=scale * columns, height=height + 0.35 * bool(title) + 0.3 * bool(labels)
    )
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    step = picture.shape[1] / columns
    axes.set_xticks([step * (i + 0.5) - 1 for i in range(len(labels))], labels, fontsize=9)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Picture(figure, alt or title or f"{len(images)} pictures")


def show_histograms(
    columns: dict[str, Tensor], *, limit: float = 4.0, title: str = "", alt: str = ""
) -> Picture:
    """Show one histogram per entry on one scale (bars taller than 1 are cut), beside the standard normal density."""
    figure, axes = new_figure(len(columns), width=max(4.0, 1.9 * len(columns)), height=2.2, share=True)
    line = np.linspace(-limit, limit, 200)
    for one, (name, values) in zip(axes, columns.items(), strict=True):
        one.hist(values.flatten().numpy(), bins=60, range=(-limit, limit), density=True, color=COLOURS[5])
        one.plot(line, np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi), color=COLOURS[1], linewidth=1.5)
        one.set_title(name, fontsize=10)
        one.set(yticks=[], ylim=(0, 1))
    figure.suptitle(title, fontsize=10)
    return Picture(figure, alt or title)


def show_points(clouds: dict[str, Tensor], *, limit: float = 3.0, title: str = "", alt: str = "") -> Picture:
    """Show clouds of points, each (N, 2), side by side on one scale."""
    figure, axes = new_figure(len(clouds), width=max(4.0, 1.9 * len(clouds)), height=2.4, share=True)
    for one, (name, points) in zip(axes, clouds.items(), strict=True):
        one.plot(*points.T.numpy(), ".", markersize=1.5, alpha=0.5, color=COLOURS[0])
        one.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        one.spines[:].set_visible(True)
        one.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=10)
    return Picture(figure, alt or title)


def show_curves(
    x: Sequence | Tensor,
    curves: dict[str, Sequence | Tensor],
    *,
    x_label: str,
    y_label: str,
    log=False,
    alt: str = "",
) -> Picture:
    """Show several curves over one axis, told apart by colour and by dashes."""
    figure, (axes,) = new_figure(width=6.0, height=3.0)
    for index, (name, y) in enumerate(curves.items()):
        axes.plot(x, y, label=name, linestyle=("-", "--", "-.", ":")[index % 4], linewidth=2)
    axes.set(xlabel=x_label, ylabel=y_label, yscale="log" if log else "linear")
    axes.legend(frameon=False)
    return Picture(figure, alt or f"{y_label} over {x_label}: {', '.join(curves)}")


def labelled_grid(
    rows: dict[str, Sequence[np.ndarray]],
    columns: Sequence[str],
    *,
    title: str = "",
    width: float = 8,
    alt: str = "",
) -> Picture:
    """Show pictures of bytes, (H, W) or (H, W, 3), in rows and columns with a name each.

    `width` in inches.
    """
    from matplotlib.figure import Figure

    column_width = width / len(columns)
    tall = [max(picture.shape[0] / picture.shape[1] for picture in row) for row in rows.values()]
    lines = max(name.count("\n") + 1 for name in columns) + bool(title) + sum(map(bool, rows))
    figure = Figure(
        figsize=(width, column_width * sum(tall) + 0.2 * lines + 0.1), layout="constrained", dpi=110
    )
    grid_of_axes = figure.subplots(len(rows), len(columns), squeeze=False, height_ratios=tall)
    for line, (name, row) in zip(grid_of_axes, rows.items(), strict=True):
        for axes, picture in zip(line, row, strict=True):
            small = picture.shape[1] < column_width * figure.dpi
            axes.imshow(
                picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if small else "antialiased"
            )
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_xlabel(name, fontsize=9, loc="left")
    for axes, name in zip(grid_of_axes[0], columns, strict=True):
        axes.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return Picture(figure, alt or title)


def cloud_strip(clouds: Sequence[Tensor], limit: float, side: int = 120) -> Image.Image:
    """Draw clouds of points, each (N, 2), as squares of `side` pixels side by side, from -limit to limit."""
    canvas = np.full((side, len(clouds) * (side + 4) - 4), 255, np.uint8)
    for index, points in enumerate(clouds):
        column, row = ((points * torch.tensor([1, -1]) / limit + 1) / 2 * side).long().T
        inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
        canvas[row[inside].numpy(), column[inside].numpy() + index * (side + 4)] = 60
    return enlarge(canvas, 1)


def component_map(
    lines: dict[str, dict[str, str]],
    *,
    prompt: str = "a big red seven",
    image: Images | None = None,
    alt: str = "",
) -> Picture:
    """Draw the machine that every text-to-image model here is, and under its boxes what each model has there.

    Args:
        lines: model → box → a few words in two lines, as `component_map.in_picture` gives them; four boxes.
        prompt: what goes in.
        image: what comes out, (1, C, H, W) in [-1, 1].
        alt: what there is to see, in words.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    boxes, row, middle, half = list(next(iter(lines.values()))), 0.42, -1.0, 0.62
    centres, width, height = (2.0, 3.75, 5.4, 7.05), 8.6, 1.75 + row * len(lines)  # inches
    figure = Figure(figsize=(width, height), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0))
    axes.set_axis_off()
    grey = "#444444"

    def write(x: float, y: float, words: str, size: float = 8.0, **options) -> None:
        axes.text(x, y, words, fontsize=size, va="center", **{"ha": "center", "color": "black"} | options)

    def arrow(start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
        style = {"arrowstyle": "-|>", "color": grey, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style | {"connectionstyle": f"arc3,rad={bend}"})

    for name, x, colour in zip(boxes, centres, COLOURS[4:6] + COLOURS[2:4], strict=True):
        shape = {
            "boxstyle": "round,pad=0,rounding_size=0.08",
            "facecolor": colour + "40",
            "edgecolor": colour,
        }
        axes.add_patch(FancyBboxPatch((x - half, middle - 0.27), 2 * half, 0.54, linewidth=1.3, **shape))
        write(x, middle, name.replace(", ", ",\n"), 9.5, weight="bold")
    text, denoiser, scheduler, decoder = centres
    write(0.65, middle, textwrap.fill(f"“{prompt}”", 14), 9.0, style="italic")
    for start, end, words in (
        (1.2, text - half, ""),
        (text + half, denoiser - half, "tokens"),
        (scheduler + half, decoder - half, "$x_0$"),
        (decoder + half, width - 0.75, ""),
    ):
        arrow((start, middle), (end, middle))
        write((start + end) / 2, middle + 0.1, words, color=grey)
    between = (denoiser + scheduler) / 2
    arrow((denoiser + 0.3, middle + 0.27), (scheduler - 0.3, middle + 0.27), -0.35)
    arrow((scheduler - 0.3, middle - 0.27), (denoiser + 0.3, middle - 0.27), -0.35)
    write(between, middle + 0.55, "its guess", color=grey)
    write(between, middle - 0.56, "$x_t$, a little less noisy", color=grey)
    write(scheduler, -0.12, "noise $x_T$", color=grey)
    arrow((scheduler + 0.3, -0.2), (scheduler + 0.3, middle + 0.27))
    if image is None:
        write(width - 0.38, middle, "picture", 9.0, style="italic")
    else:
        inset = axes.inset_axes((width - 0.72, middle - 0.33, 0.66, 0.66), transform=axes.transData)
        inset.imshow(to_uint8(image)[0], cmap="gray", vmin=0, vmax=255)
        inset.set(xticks=[], yticks=[])
    for index, (model, answers) in enumerate(lines.items()):
        y = -1.75 - row * (index + 0.5)
        if index % 2 == 0:
            axes.axhspan(y - row / 2, y + row / 2, color="#f3f3f3", zorder=0)
        write(0.1, y, model, 9.0, ha="left", weight="bold")
        for box, x in zip(boxes, centres, strict=True):
            write(x, y, answers[box], linespacing=1.3)
    return Picture(
        figure, alt or f"prompt, {', then '.join(boxes)}, picture: what each is in {', '.join(lines)}"
    )
