"""What every player is: sliders, read-outs and panels in one HTML fragment, a still strip and a line of text."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from diffusion_lab.figures import Picture
from diffusion_lab.widgets.packing import opened, to_png

STATIC = Path(__file__).parent.parent / "static"


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def text_of(value: Any, figures: int = 6) -> str:
    """Say a value of a slider or a read-out."""
    return f"{value:.{figures}g}" if isinstance(value, float) else str(value)


def slider(label: str, values: Sequence, start: int = 0) -> dict:
    """One slider, or a row of buttons where the values are names; `start` is a place in `values`."""
    if list(values) == list(range(len(values))):
        return {"label": label, "count": len(values), "start": start}
    names = all(isinstance(value, str) for value in values)
    return {"label": label, "values": [text_of(value) for value in values], "start": start, "names": names}


def table(values: Iterable, *over: int) -> dict:
    """One entry per combination of where the sliders `over` stand."""
    return {"over": over, "values": list(values)}


def places_of(axes: Mapping[str, Sequence], start: Mapping[str, Any]) -> list[int]:
    """Places of the values in `start`, the first where it says nothing."""
    for name, value in start.items():
        if name not in axes:
            raise ValueError(f"start has {name!r}, which is no axis; the axes are: {', '.join(axes)}")
        if value not in axes[name]:
            raise ValueError(f"start has {name} = {value!r}; choose one of: {', '.join(map(text_of, axes[name]))}")
    return [list(values).index(start[name]) if name in start else 0 for name, values in axes.items()]


class Player:
    """Sliders with panels that follow them; show it by making it the last line of a cell.

    In a notebook it is an HTML player, a PNG strip for places that allow no scripts, and a line of text.
    """

    def __init__(self, text: str, spec: dict, still: Image.Image | Picture, alt: str):
        """Put together a player.

        Args:
            text: what ``repr`` says.
            spec: ``sliders`` (the first one has the play button), ``readouts``, ``panels`` and what the panels need,
                for player.js.
            still: the picture where nothing can move.
            alt: that picture in words.
        """
        self.text, self.spec, self.still, self.alt = text, spec, to_png(opened(still)), alt

    def __repr__(self) -> str:
        """One line, the same every time."""
        return self.text

    def to_html(self) -> str:
        """Give the self-contained fragment; it needs no kernel and no network."""
        spec = json.dumps(self.spec, separators=(",", ":")).replace("</", "<\\/")
        return (
            f'<style>{_static("player.css")}</style><div class="dl-player">'
            f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{self.still}">'
            f'<script type="application/json">{spec}</script><script>{_static("player.js")}</script></div>'
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.to_html(), "image/png": self.still, "text/plain": self.text}
