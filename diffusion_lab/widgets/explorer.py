"""Sliders over anything that can be drawn beforehand."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffusion_lab.figures import Picture, grid, labelled_grid, to_uint8
from diffusion_lab.widgets.packing import opened, packed, tiling, to_png
from diffusion_lab.widgets.player import Player, places_of, slider, table, text_of

WIDTH, HEIGHT, SPACE = 760, 360, 17  # room for all panels of a player, and between two, in the page's pixels
MAX_KB = 700  # one player; a whole lesson must stay below 1000


class Explorer(Player):
    """Sliders over anything that can be drawn beforehand: every combination is drawn now and kept in the notebook.

    An axis of numbers is a slider, an axis of names a row of buttons; the first one can be played. Pictures that are
    the same are kept once.
    """

    def __init__(
        self, axes: Mapping[str, Sequence], draw: Callable[..., Any] | Mapping[Any, Any], *, alt: str,
        start: Mapping[str, Any] | None = None, still: Sequence | None = None, columns: int = 8, caption: str = "",
        shades: int = 64,
    ):  # fmt: skip
        """Draw every combination.

        Args:
            axes: the values of each slider, such as ``{"steps": [2, 5, 10], "eta": [0, 0.5, 1]}``.
            draw: a function of one value per axis, ``draw(steps, eta)``, or what it would return, by tuples of values,
                ``{(2, 0): …}`` (by values alone if there is one axis). It returns images in [-1, 1], (B, C, H, W), or
                one picture: a ``figures.Picture``, a PIL image, bytes of a PNG, or pixels, (H, W) or (H, W, 3) in
                uint8. Or a dict of several, by caption, side by side; text and numbers in it become read-outs.
            alt: what there is to see, in words.
            start: where the sliders begin, such as ``{"eta": 0.5}``; the first value of each axis it does not name.
            still: tuples of values to show where nothing can move; some of the first axis if None.
            columns: pictures per row, for images.
            caption: below a picture that has none.
            shades: levels of grey, or of each colour, in images, 2 … 256; fewer make the notebook smaller.

        Raises:
            ValueError: if a combination is missing or cannot be drawn, or all of them together are over 700 kB.
        """
        axes = {name: list(values) for name, values in axes.items()}
        if not axes or not all(axes.values()):
            raise ValueError(f"axes must name at least one slider, each with at least one value, got {axes}")
        if not 2 <= shades <= 256:
            raise ValueError(f"shades must lie in 2 … 256, got {shades}")
        self._axes, self._size = axes, " × ".join(axes) + ": " + " × ".join(str(len(v)) for v in axes.values())
        begin = places_of(axes, start or {})
        if still is not None:
            still = [values if isinstance(values, tuple) else (values,) for values in still]
        frames: dict[str, _Frames] = {}
        said: dict[str, list[str]] = {}
        combinations = list(itertools.product(*axes.values()))
        if wrong := [values for values in still or () if values not in combinations]:
            raise ValueError(f"still has {wrong[0]}, which is no combination of {self._size}")
        for done, values in enumerate(combinations):
            drawn = self._drawn(draw, values, caption)
            for name, content in drawn.items():
                if isinstance(content, str | int | float):
                    said.setdefault(name, []).append(text_of(content, 3))
                else:
                    frames.setdefault(name, _Frames(columns, shades)).add(content)
            if uneven := [name for name, column in (frames | said).items() if len(column) != done + 1]:
                raise ValueError(f"draw must return the same names for every combination; {uneven} at {values}")
            self._check_size(sum(f.bytes for f in frames.values()), done + 1, len(combinations))
        if not frames:
            raise ValueError(f"draw must return at least one picture, got only text: {', '.join(said)}")
        room = _room(frames.values())
        every = range(len(axes))
        shown = still or _some_of_the_first(list(axes.values()), begin, 3 if _are_wide(frames.values()) else 5)
        places = [combinations.index(values) for values in shown]
        super().__init__(
            f"{type(self).__name__}({self._size})",
            {
                "sliders": [slider(name, axes[name], k) for name, k in zip(axes, begin, strict=True)],
                "readouts": [{"name": name, **table(column, *every)} for name, column in said.items()],
                "panels": [column.panel(name, room) | {"over": [*every]} for name, column in frames.items()],
            },
            self._still({name: [column[k] for k in places] for name, column in frames.items()}, shown),
            alt,
        )

    def _drawn(self, draw: Callable[..., Any] | Mapping[Any, Any], values: tuple, caption: str) -> dict:
        if callable(draw):
            drawn = draw(*values)
        else:
            key = values[0] if len(values) == 1 and values[0] in draw else values
            if key not in draw:
                raise ValueError(f"draw has no entry for {dict(zip(self._axes, values, strict=True))}")
            drawn = draw[key]
        drawn = drawn if isinstance(drawn, Mapping) else {caption: drawn}
        scalar = {name: isinstance(one, Tensor | np.ndarray) and one.ndim == 0 for name, one in drawn.items()}
        return {name: one.item() if scalar[name] else one for name, one in drawn.items()}

    def _check_size(self, size: int, done: int, total: int) -> None:
        if size > MAX_KB * 1000:
            raise ValueError(
                f"the pictures would put about {size * total // done // 1000:,} kB into the notebook, and {MAX_KB} kB "
                f"is the most: {total} combinations ({self._size}) of about {size // done / 1000:.1f} kB each. Reduce "
                "the values of an axis, the number or size of the images, or `shades`; or the size of the figure"
            )

    def _still(self, rows: dict[str, list[np.ndarray]], shown: Sequence[tuple]) -> Picture:
        def say(values: Iterable[tuple[str, Any]]) -> list[str]:
            return [value if isinstance(value, str) else f"{name} = {text_of(value)}" for name, value in values]

        different = [len(set(column)) > 1 for column in zip(*shown, strict=True)]
        named = [list(zip(self._axes, values, strict=True)) for values in shown]
        names = ["\n".join(say(itertools.compress(one, different))) for one in named]
        title = ", ".join(say(itertools.compress(named[0], [not one for one in different])))
        return labelled_grid(rows, names, title=title)


def _some_of_the_first(axes: list[list], begin: list[int], count: int) -> list[tuple]:
    """Choose combinations to show where nothing can move."""
    some = torch.linspace(0, len(axes[0]) - 1, min(count, len(axes[0]))).round().long().tolist()
    rest = [values[k] for values, k in zip(axes[1:], begin[1:], strict=True)]
    return [(axes[0][k], *rest) for k in some]


class _Frames:
    """What one panel of an `Explorer` shows: a PNG for each combination, the same ones kept once."""

    def __init__(self, columns: int, shades: int):
        self.columns, self.shades = columns, shades
        self.index: list[int] = []  # of the picture, for each combination
        self.pictures: dict[str, tuple[int, int, int]] = {}  # PNG: how many in it, height and width of one
        self.whole: list[np.ndarray] = []  # for each picture, as it looks on white
        self.smooth = False

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, combination: int) -> np.ndarray:
        return self.whole[self.index[combination]]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.pictures))

    def add(self, content: Any) -> None:
        if isinstance(content, Tensor):
            pixels, whole = to_uint8(content), grid(content, self.columns)
            png, shape = to_png(packed(pixels, min(self.columns, len(pixels))), self.shades), pixels.shape[:3]
        elif isinstance(content, np.ndarray) and content.dtype == np.uint8 and content.ndim in (2, 3):
            png, shape, whole = to_png(content, self.shades), (1, *content.shape[:2]), content
        elif isinstance(content, Picture | Image.Image | bytes):
            self.smooth, whole = True, opened(content)
            png, shape = to_png(whole), (1, *whole.shape[:2])
        else:
            raise ValueError(
                "draw must return images (B, C, H, W) in [-1, 1], a figures.Picture, a PIL image, a PNG, pixels in "
                f"uint8, or a dict of these, got {type(content).__name__}"
            )
        if png not in self.pictures:
            self.pictures[png] = shape
            self.whole.append(whole)
        self.index.append(list(self.pictures).index(png))

    def panel(self, caption: str, room: tuple) -> dict:
        counts, heights, widths = zip(*self.pictures.values(), strict=True)
        if self.smooth:  # letters are never enlarged
            room = (0, 0)
        tiles = tiling(max(counts), max(heights), max(widths), self.columns, room)
        where = {"counts": counts, "index": self.index, "smooth": self.smooth}
        return {"kind": "frames", "caption": caption, **tiles, **where, "frames": list(self.pictures)}


def _room(frames: Iterable[_Frames]) -> tuple:
    """Width and height for each panel of pixels: what figures, which keep their size, leave in a row."""
    figures = [max(whole.shape[1] for whole in one.whole) for one in frames if one.smooth]
    others = sum(not one.smooth for one in frames) or 1
    left = (WIDTH - sum(figures) - SPACE * (len(figures) + others - 1)) / others
    return (left if left >= 120 else (WIDTH - SPACE * (others - 1)) / others), HEIGHT


def _are_wide(frames: Iterable[_Frames]) -> bool:
    return any(whole.shape[1] > 1.6 * whole.shape[0] for one in frames for whole in one.whole)
