"""What Python draws for the places of a player's sliders: a PNG for each, the same ones kept once, and read-outs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from diffusion_lab.figures import Picture, grid, to_uint8
from diffusion_lab.widgets.packing import opened, packed, text_of, tiling, to_png

WIDTH, HEIGHT, SPACE = 760, 360, 17  # room for all panels of a player, and between two, in the page's pixels


def by_name(drawn: Any, caption: str) -> dict[str, Any]:
    """Give what a `draw` returned as a dict of pictures, text and numbers, by caption."""
    drawn = drawn if isinstance(drawn, Mapping) else {caption: drawn}
    return {name: content.item() if _is_scalar(content) else content for name, content in drawn.items()}


def _is_scalar(content: Any) -> bool:
    return isinstance(content, Tensor | np.ndarray) and content.ndim == 0


def is_text(content: Any) -> bool:
    """Whether it is a read-out, not a picture."""
    return isinstance(content, str | int | float)


class Drawings:
    """All that was drawn, by place (see `Player.place`)."""

    def __init__(self, columns: int, shades: int):
        """Begin with nothing; `columns` pictures per row in so many `shades`."""
        self._columns, self._shades = columns, shades
        self.frames: dict[str, Frames] = {}
        self.texts: dict[str, dict[int, str]] = {}

    def add(self, place: int, drawn: Mapping[str, Any]) -> None:
        """Enter what was drawn for one place.

        A `ValueError` says if its names differ from those of the others.
        """
        for name, content in drawn.items():
            if is_text(content):
                self.texts.setdefault(name, {})[place] = text_of(content, 3)
            else:
                self.frames.setdefault(name, Frames(self._columns, self._shades)).add(place, content)

    def names(self) -> set[str]:
        """Of all panels and read-outs."""
        return {*self.frames, *self.texts}

    @property
    def bytes(self) -> int:
        """Of all pictures together."""
        return sum(frames.bytes for frames in self.frames.values())

    def panels(self, over: Sequence[int], room: tuple | None = None) -> list[dict]:
        """Describe the panels for player.js."""
        room = room or _room(self.frames.values())
        return [frames.panel(name, room) | {"over": [*over]} for name, frames in self.frames.items()]

    def readouts(self, over: Sequence[int]) -> list[dict]:
        """Describe the read-outs for player.js."""
        return [
            {"name": name, "over": [*over], "values": _listed(texts)} for name, texts in self.texts.items()
        ]

    def later(self, drawn: Mapping[str, Any], first: int) -> dict:
        """Pack what was drawn now for a page that is already there.

        Its first panel of these is number `first`.
        """
        if set(drawn) != self.names():
            raise ValueError(f"draw returned {sorted(drawn)}, and before {sorted(self.names())}")
        pictures = {}
        for n, (name, frames) in enumerate(self.frames.items()):
            png, shape, _ = frames.pack(drawn[name])
            if shape not in frames.pictures.values():
                raise ValueError(f"draw returned {shape} pictures, height, width for {name!r}: not as before")
            pictures[first + n] = {"png": png, "count": shape[0]}
        return {
            "panels": pictures,
            "readouts": {n: text_of(drawn[name], 3) for n, name in enumerate(self.texts)},
        }


class Frames:
    """What one panel shows: a PNG for each place, the same ones kept once."""

    def __init__(self, columns: int, shades: int):
        """Begin with nothing."""
        self.columns, self.shades = columns, shades
        self.index: dict[int, int] = {}  # of the picture, by place
        self.pictures: dict[str, tuple[int, int, int]] = {}  # PNG: how many in it, height and width of one
        self.whole: list[np.ndarray] = []  # for each picture, as it looks on white
        self.smooth = False

    def __len__(self) -> int:
        """How many places have a picture."""
        return len(self.index)

    def __getitem__(self, place: int) -> np.ndarray:
        """Give the pixels for one place."""
        return self.whole[self.index[place]]

    @property
    def bytes(self) -> int:
        """Of all pictures together."""
        return sum(map(len, self.pictures))

    def pack(self, content: Any) -> tuple[str, tuple[int, int, int], np.ndarray]:
        """Give a PNG, how many pictures are in it with height and width of one, and the pixels of all on white."""
        if isinstance(content, Tensor):
            pixels = to_uint8(content)
            png = to_png(packed(pixels, min(self.columns, len(pixels))), self.shades)
            return png, pixels.shape[:3], grid(content, self.columns)
        if isinstance(content, np.ndarray) and content.dtype == np.uint8 and content.ndim in (2, 3):
            return to_png(content, self.shades), (1, *content.shape[:2]), content
        if isinstance(content, Picture | Image.Image | bytes):
            self.smooth, whole = True, opened(content)
            return to_png(whole), (1, *whole.shape[:2]), whole
        raise ValueError(
            "draw must return images (B, C, H, W) in [-1, 1], a figures.Picture, a PIL image, a PNG, pixels"
            f" in uint8, or a dict of these, got {type(content).__name__}"
        )

    def add(self, place: int, content: Any) -> None:
        """Enter the picture for one place."""
        png, shape, whole = self.pack(content)
        if png not in self.pictures:
            self.pictures[png] = shape
            self.whole.append(whole)
        self.index[place] = list(self.pictures).index(png)

    def panel(self, caption: str, room: tuple) -> dict:
        """Describe the panel for player.js."""
        counts, heights, widths = zip(*self.pictures.values(), strict=True)
        if self.smooth:  # letters are never enlarged
            room = (0, 0)
        tiles = tiling(max(counts), max(heights), max(widths), self.columns, room)
        where = {"counts": counts, "index": _listed(self.index), "smooth": self.smooth}
        return {"kind": "frames", "caption": caption, **tiles, **where, "frames": list(self.pictures)}


def _listed(entries: dict[int, Any]) -> list | dict[int, Any]:
    """Give entries by place as a list, where none is missing."""
    return list(entries.values()) if list(entries) == list(range(len(entries))) else entries


def _room(frames: Iterable[Frames]) -> tuple:
    """Width and height for each panel of pixels: what figures, which keep their size, leave in a row."""
    figures = [max(pixels.shape[1] for pixels in panel.whole) for panel in frames if panel.smooth]
    others = sum(not panel.smooth for panel in frames) or 1
    left = (WIDTH - sum(figures) - SPACE * (len(figures) + others - 1)) / others
    return (left if left >= 120 else (WIDTH - SPACE * (others - 1)) / others), HEIGHT


def are_wide(frames: Iterable[Frames]) -> bool:
    """Whether some picture is much wider than high."""
    return any(pixels.shape[1] > 1.6 * pixels.shape[0] for panel in frames for pixels in panel.whole)
