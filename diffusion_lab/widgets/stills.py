"""The still of a player, for places that allow no scripts: a picture with a line below it that says where it moves."""

import functools
import io
from base64 import b64decode

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from diffusion_lab.figures import Picture
from diffusion_lab.widgets.packing import opened, to_png

INVITATION = "This moves: open it in JupyterLab or Colab."
SIZE = 13
"""Of its letters, in pixels; they are those of the labels in the figures."""
INK = 90
"""Their shade."""


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), SIZE)


def still_png(still: Image.Image | Picture | bytes) -> str:
    """Pack a still with its invitation below it, as base64 of a PNG, which says in its data that it has one."""
    pixels = opened(still)
    width = pixels.shape[1]
    line = Image.new("L", (width, 2 * SIZE), 255)
    ImageDraw.Draw(line).text((width // 2, SIZE), INVITATION, fill=INK, font=_font(), anchor="mm")
    below = np.array(line)
    if pixels.ndim == 3:
        below = np.repeat(below[..., None], 3, axis=2)
    return to_png(np.concatenate([pixels, below]), comment=INVITATION)


def has_invitation(png: str) -> bool:
    """Whether a still, base64 of a PNG, says where it moves."""
    return Image.open(io.BytesIO(b64decode(png))).info.get("Comment") == INVITATION
