"""Sliders over anything that can be drawn, beforehand or when they get there."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from diffusion_lab.figures import Picture, labelled_grid
from diffusion_lab.widgets.drawings import Drawings, are_wide, by_name
from diffusion_lab.widgets.packing import text_of
from diffusion_lab.widgets.player import Player, places_of, slider

MAX_KB = 700  # one player; a whole lesson must stay below 1000


class Explorer(Player):
    """Sliders over anything that can be drawn: every combination is drawn now and kept in the notebook.

    An axis of numbers is a slider, an axis of names a row of buttons; the first one can be played. Pictures
    that are the same are kept once. With `ahead`, only some are drawn now, and the others when a slider gets
    there, while a kernel runs; with none, the sliders go from one drawn place to the next.
    """

    def __init__(
        self,
        axes: Mapping[str, Sequence],
        draw: Callable[..., Any] | Mapping[Any, Any],
        *,
        alt: str,
        start: Mapping[str, Any] | None = None,
        still: Sequence | None = None,
        columns: int = 8,
        caption: str = "",
        shades: int = 64,
        ahead: Mapping[str, Sequence] | None = None,
    ):
        """Draw every combination.

        Args:
            axes: the values of each slider, such as ``{"steps": [2, 5, 10], "eta": [0, 0.5, 1]}``.
            draw: a function of one value per axis, ``draw(steps, eta)``, or what it would return, by tuples
                of values, ``{(2, 0): …}`` (by values alone if there is one axis). It returns images in [-1,
                1], (B, C, H, W), or
                one picture: a ``figures.Picture``, a PIL image, bytes of a PNG, or pixels, (H, W) or (H, W,
                3) in uint8. Or a dict of several, by caption, side by side; text and numbers in it become
                read-outs.
            alt: what there is to see, in words.
            start: where the sliders begin, such as ``{"eta": 0.5}``; the first value of each axis it does not
                name.
            still: tuples of values to show where nothing can move; some of the first axis if None.
            columns: pictures per row, for images.
            caption: below a picture that has none.
            shades: levels of grey, or of each colour, in images, 2 … 256; fewer make the notebook smaller.
            ahead: the values of each axis to draw now, such as ``{"eta": [0, 1]}``; all of the axes it does
                not name. Then `draw` must be a function. It is called in inference mode, possibly on another
                thread: it must not use pyplot.

        Raises:
            ValueError: if a combination is missing or cannot be drawn, or all of them together are over 700
                kB.
        """
        axes = {name: list(values) for name, values in axes.items()}
        if not axes or not all(axes.values()):
            raise ValueError(f"axes must name at least one slider, each with at least one value, got {axes}")
        if not 2 <= shades <= 256:
            raise ValueError(f"shades must lie in 2 … 256, got {shades}")
        self.options, self._size = (
            axes,
            " × ".join(axes) + ": " + " × ".join(str(len(v)) for v in axes.values()),
        )
        self._draw, self._caption = draw, caption
        kept = _kept(axes, ahead or {})
        if ahead:
            self.asks = "Only some values are drawn on this page. Run the cell to have the others drawn."
            if not callable(draw):
                raise ValueError(
                    f"ahead needs a function to draw what is not drawn ahead, got {type(draw).__name__}"
                )
        begin = places_of(axes, start or {name: values[kept[name][0]] for name, values in axes.items()})
        if still is not None:
            still = [values if isinstance(values, tuple) else (values,) for values in still]
        now = [[values[k] for k in kept[name]] for name, values in axes.items()]
        combinations = list(itertools.product(*now))
        if wrong := [values for values in still or () if values not in combinations]:
            raise ValueError(f"still has {wrong[0]}, which is no combination of {self._size}")
        if (
            first := tuple(values[k] for values, k in zip(axes.values(), begin, strict=True))
        ) not in combinations:
            raise ValueError(f"start has {first}, which is not drawn ahead")
        self._drawings = drawings = Drawings(columns, shades)
        for done, places in enumerate(itertools.product(*kept.values())):
            drawings.add(self.place(places), drawn := self._drawn(combinations[done]))
            if uneven := drawings.names() ^ set(drawn):
                raise ValueError(
                    f"draw must return the same names for every combination; {sorted(uneven)} at"
                    f" {combinations[done]}"
                )
            self._check_size(drawings.bytes, done + 1, len(combinations))
        if not drawings.frames:
            raise ValueError(
                f"draw must return at least one picture, got only text: {', '.join(drawings.texts)}"
            )
        every = range(len(axes))
        shown = still or _some_of_the_first(now, list(first), 3 if are_wide(drawings.frames.values()) else 5)
        where = [
            self.place([axes[n].index(v) for n, v in zip(axes, values, strict=True)]) for values in shown
        ]
        sliders = [slider(name, axes[name], k) for name, k in zip(axes, begin, strict=True)]
        for axis in sliders if ahead else ():
            axis["kept"] = kept[axis["label"]]
        super().__init__(
            f"{type(self).__name__}({self._size})",
            {"sliders": sliders, "readouts": drawings.readouts(every), "panels": drawings.panels(every)},
            self._still(
                {name: [frames[k] for k in where] for name, frames in drawings.frames.items()}, shown
            ),
            alt,
        )

    def answer(self, places: tuple[int, ...], sketch: dict) -> dict | None:
        """Draw what was not drawn ahead; see `Player.answer`."""
        if (place := self.place(places)) in next(iter(self._drawings.frames.values())).index:
            return None
        drawn = self._drawn(tuple(values[k] for values, k in zip(self.options.values(), places, strict=True)))
        return {"place": place, **self._drawings.later(drawn, first=0)}

    def _drawn(self, values: tuple) -> dict:
        draw = self._draw
        if callable(draw):
            return by_name(draw(*values), self._caption)
        key = values[0] if len(values) == 1 and values[0] in draw else values
        if key not in draw:
            raise ValueError(f"draw has no entry for {dict(zip(self.options, values, strict=True))}")
        return by_name(draw[key], self._caption)

    def _check_size(self, size: int, done: int, total: int) -> None:
        if size > MAX_KB * 1000:
            raise ValueError(
                f"the pictures would put about {size * total // done // 1000:,} kB into the notebook, and"
                f" {MAX_KB} kB is the most: {total} combinations ({self._size}) of about"
                f" {size // done / 1000:.1f} kB each. Reduce the values of an axis, the number or size of the"
                " images, or `shades`; or the size of the figure"
            )

    def _still(self, rows: dict[str, list[np.ndarray]], shown: Sequence[tuple]) -> Picture:
        def say(values: Iterable[tuple[str, Any]]) -> list[str]:
            return [
                value if isinstance(value, str) else f"{name} = {text_of(value)}" for name, value in values
            ]

        different = [len(set(column)) > 1 for column in zip(*shown, strict=True)]
        named = [list(zip(self.options, values, strict=True)) for values in shown]
        names = ["\n".join(say(itertools.compress(values, different))) for values in named]
        same = [not differs for differs in different]
        title = ", ".join(say(itertools.compress(named[0], same)))
        return labelled_grid(rows, names, title=title)


def _kept(axes: Mapping[str, list], ahead: Mapping[str, Sequence]) -> dict[str, list[int]]:
    """Places of the values of each axis that are drawn ahead."""
    for name, values in ahead.items():
        if (
            wrong := [value for value in values if value not in axes.get(name, ())]
            or ["nothing"][len(values) :]
        ):
            raise ValueError(f"ahead has {name} = {wrong[0]}; the axes are: {', '.join(axes)}")
    return {
        name: sorted(map(values.index, ahead[name])) if name in ahead else list(range(len(values)))
        for name, values in axes.items()
    }


def _some_of_the_first(axes: list[list], first: list, count: int) -> list[tuple]:
    """Choose combinations to show where nothing can move."""
    some = torch.linspace(0, len(axes[0]) - 1, min(count, len(axes[0]))).round().long().tolist()
    return [(axes[0][k], *first[1:]) for k in some]
