"""Numbers and pictures as text, small enough for a notebook, and where pictures stand on the page."""

import io
from base64 import b64encode
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from diffusion_lab.figures import Picture


def text_of(value: Any, figures: int = 6) -> str:
    """Say a value of a slider or a read-out."""
    return f"{value:.{figures}g}" if isinstance(value, float) else str(value)


def encoded(array: np.ndarray) -> str:
    """Pack the bytes of an array as base64."""
    return b64encode(np.ascontiguousarray(array).tobytes()).decode()


def int16(values: Tensor) -> tuple[str, float]:
    """Pack numbers as 16-bit integers, and the unit to multiply them by."""
    unit = float(values.abs().max()) / 32_000 or 1.0
    return encoded((values / unit).round().detach().cpu().numpy().astype("<i2")), unit


def thinned(line: Tensor, points: int) -> list[float]:
    """Give a line over t = 0 … T at no more than `points` evenly spaced times, to four decimals."""
    chosen = torch.linspace(0, len(line) - 1, min(points, len(line))).round().long()
    return [round(value, 4) for value in line[chosen].tolist()]


def to_png(pixels: np.ndarray, shades: int = 16, comment: str = "") -> str:
    """Pack bytes, (H, W) or (H, W, 3), with so many shades of each colour: the fewer, the smaller.

    A `comment` is kept in the file beside the pixels.
    """
    unit = 255 / (shades - 1)
    pixels = (np.round(pixels / unit) * unit).round().astype(np.uint8)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    picture = Image.fromarray(pixels)
    if pixels.ndim == 3:
        code, which = np.unique(pixels.astype(np.int32) @ (1 << 16, 1 << 8, 1), return_inverse=True)
        if len(code) <= 256:
            picture = Image.fromarray(which.reshape(pixels.shape[:2]).astype(np.uint8), "P")
            picture.putpalette(
                np.stack([code >> 16, code >> 8 & 255, code & 255], 1).astype(np.uint8).tobytes()
            )
    buffer = io.BytesIO()
    more = PngImagePlugin.PngInfo()
    if comment:
        more.add_text("Comment", comment)
    picture.save(buffer, "PNG", optimize=True, pnginfo=more)
    return b64encode(buffer.getvalue()).decode()


def opened(picture: Picture | Image.Image | bytes) -> np.ndarray:
    """Give the pixels of a finished picture, (H, W) or (H, W, 3)."""
    data = picture.png if isinstance(picture, Picture) else picture
    opened = Image.open(io.BytesIO(data)) if isinstance(data, bytes) else data
    return np.array(opened if opened.mode == "L" else opened.convert("RGB"))


def packed(pixels: np.ndarray, columns: int) -> np.ndarray:
    """Put pictures, (B, H, W) or (B, H, W, 3), into one, in rows with no space between them."""
    count, height, width, *rest = pixels.shape
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width, *rest), np.uint8)
    full[:count] = pixels
    packed = full.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return packed.reshape(rows * height, columns * width, *rest)


def tiling(count: int, height: int, width: int, columns: int, room: tuple) -> dict:
    """Where pictures stand in rows, and how large: each pixel becomes a square of a whole number of the page's."""
    columns = min(columns, count)
    gap = 2 if count > 1 else 0
    whole = (columns * (width + gap) - gap, -(-count // columns) * (height + gap) - gap)
    zoom = max(1, int(min(space / side for space, side in zip(room, whole, strict=True))))
    size = [zoom * side for side in whole]
    return {"count": count, "cell": [width, height], "columns": columns, "gap": gap, "size": size}
