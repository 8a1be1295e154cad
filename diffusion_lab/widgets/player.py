"""What every player is: sliders, read-outs and panels in one HTML fragment, a still strip and a line of text."""

import hashlib
import html
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

from diffusion_lab.figures import Picture
from diffusion_lab.widgets.packing import text_of
from diffusion_lab.widgets.script import player_script, player_style
from diffusion_lab.widgets.stills import still_png


def fragment(player: str, still: str, spec: str) -> str:
    """Put the HTML of a player together: its id, the still as a tag, its data as JSON."""
    kinds = frozenset(panel["kind"] for panel in json.loads(spec)["panels"])
    return (
        f'<style>{player_style()}</style><div class="dl-player" data-player="{player}">{still}'
        f'<script type="application/json">{spec}</script><script>{player_script(kinds)}</script></div>'
    )


def slider(label: str, values: Sequence, start: int = 0, names: bool | None = None) -> dict:
    """One slider, or a row of buttons where the values are names; `start` is a place in `values`."""
    axis = {"label": label, "start": start, "options": values}
    if list(values) == list(range(len(values))):
        return axis | {"count": len(values)}
    names = all(isinstance(value, str) for value in values) if names is None else names
    return axis | {"values": [text_of(value) for value in values], "names": names}


def table(values: Iterable, *over: int) -> dict:
    """One entry per combination of where the sliders `over` stand."""
    return {"over": over, "values": list(values)}


def places_of(axes: Mapping[str, Sequence], start: Mapping[str, Any]) -> list[int]:
    """Places of the values in `start`, the first where it says nothing."""
    for name, value in start.items():
        if name not in axes:
            raise ValueError(f"start has {name!r}, which is no axis; the axes are: {', '.join(axes)}")
        if value not in axes[name]:
            raise ValueError(
                f"start has {name} = {value!r}; choose one of: {', '.join(map(text_of, axes[name]))}"
            )
    return [list(values).index(start[name]) if name in start else 0 for name, values in axes.items()]


class Player:
    """Sliders with panels that follow them; show it by making it the last line of a cell.

    In a notebook it is an HTML player, a PNG strip for places that allow no scripts, and a line of text.
    Where a kernel runs and ipywidgets is installed, `sliders` are tied to it, both ways.
    """

    asks: str | None = None
    """What to say on a page with no kernel where something is missing that only Python can draw, if that can happen."""

    def __init__(self, text: str, spec: dict, still: Image.Image | Picture, alt: str):
        """Put together a player.

        Args:
            text: what ``repr`` says.
            spec: ``sliders`` (the first one has the play button), ``readouts``, ``panels`` and what the
                panels need, for ``static/player.js``.
            still: the picture where nothing can move.
            alt: that picture in words.
        """
        self.options = {axis["label"]: list(axis.pop("options")) for axis in spec["sliders"]}
        self.text, self.spec, self.still, self.alt = text, spec, still_png(still), alt
        if self.asks:
            spec["asks"] = self.asks

    def __repr__(self) -> str:
        """One line, the same every time."""
        return self.text

    @cached_property
    def id(self) -> str:
        """A name that says which data a player on a page has: the same for the same data."""
        return hashlib.sha256(self._json().encode()).hexdigest()[:12]

    @cached_property
    def sliders(self) -> dict[str, Any]:
        """The ipywidgets behind the sliders, by label: to read, to set, to ``observe``, to link to others.

        An ``IntSlider`` for t = 0 … T, a ``SelectionSlider`` for other numbers, ``ToggleButtons`` for names.
        Raises an `ImportError` without ipywidgets.
        """
        from diffusion_lab.widgets.link import controls

        return controls(self.spec["sliders"], self.options)

    def widget(self) -> Any:
        """Give an ipywidgets widget of this player, to stand in a ``VBox``, ``HBox`` or ``Tab``; the same each time.

        Raises an `ImportError` without ipywidgets or anywidget.
        """
        if "_view" in vars(self) and has_kernel():
            self._tie()
        return self._view

    @property
    def __class__(self) -> type:
        """Its class, and to ipywidgets a widget's: a box takes a player just as it is, as if `widget` stood there.

        A box asks ``isinstance(child, Widget)``, which asks for ``__class__`` where the type alone says no.
        """
        if sys.modules.get("ipywidgets") is None or not has_widgets():
            return type(self)
        from diffusion_lab.widgets.link import class_with_widget

        return class_with_widget(type(self))

    @property
    def model_id(self) -> str:
        """How a box names its `widget` to the browser."""
        return (
            self._view.model_id
        )  # asked for again whenever a page is opened again: that must tie nothing anew

    @property
    def layout(self) -> Any:
        """The layout of its `widget`."""
        return self._view.layout

    def _handle_displayed(self, **kwargs: Any) -> None:
        """A box of ipywidgets 7 calls this when it is shown."""

    @cached_property
    def _view(self) -> Any:
        from diffusion_lab.widgets.link import PlayerView

        if has_kernel():
            self._tie()
        return PlayerView(self)

    def _tie(self) -> None:
        from diffusion_lab.widgets.link import show

        show(self)

    @property
    def value(self) -> Any:
        """Where the first slider stands; set it to move the slider, in Python and in the browser."""
        return next(iter(self.sliders.values())).value

    @value.setter
    def value(self, value: Any) -> None:
        label, control = next(iter(self.sliders.items()))
        if value not in self.options[label]:
            first, last = (text_of(end) for end in (self.options[label][0], self.options[label][-1]))
            raise ValueError(
                f"{label} must be one of its {len(self.options[label])} values {first} … {last}: {value}"
            )
        control.value = value

    def place(self, places: Sequence[int]) -> int:
        """Where a combination stands in a table over all sliders; `places` are those of its values."""
        return int(np.ravel_multi_index(tuple(places), [len(values) for values in self.options.values()]))

    def answer(self, places: tuple[int, ...], sketch: dict) -> dict | None:
        """Draw what the browser lacks where the sliders stand at `places`, for a sketch; None if it lacks nothing.

        The sketch has ``pixels``, bytes in base64, empty for the example that the page came with; of words
        that were typed it has UTF-8 in their place.
        """

    def _json(self) -> str:
        return json.dumps(self.spec, separators=(",", ":")).replace("</", "<\\/")

    def to_html(self) -> str:
        """Give the self-contained fragment; it needs no kernel and no network."""
        still = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{self.still}">'
        return fragment(self.id, still, self._json())

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        if has_widgets() and has_kernel():
            self._tie()
        return {"text/html": self.to_html(), "image/png": self.still, "text/plain": self.text}


def has_kernel() -> bool:
    """Whether this is a notebook's kernel; elsewhere no browser is there to be tied to."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def has_widgets() -> bool:
    """Whether ipywidgets and anywidget are installed; without them a player is an HTML player."""
    return all(find_spec(name) for name in ("ipywidgets", "anywidget"))
