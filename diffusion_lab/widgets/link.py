"""The kernel's side of a player: ipywidgets sliders, and a model that ties them to the page without being shown.

The picture stays HTML that the browser draws, so a saved notebook holds no widget that could be missing
later. While a kernel runs, ``static/link.js`` moves the player when a slider moves, and the slider when the
player moves.
"""

import functools
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets
import torch
import traitlets
from IPython.display import display

from diffusion_lab.widgets.packing import text_of
from diffusion_lab.widgets.script import STATIC

SHOWN: dict[str, "Link"] = {}  # by player's id; one that is shown again is tied anew


def controls(axes: Sequence[Mapping], options: Mapping[str, Sequence]) -> dict[str, Any]:
    """Make the ipywidgets of a player's sliders, by label."""
    made = {}
    for axis in axes:
        label, start = axis["label"], axis["start"]
        if "values" not in axis:
            made[label] = ipywidgets.IntSlider(start, 0, axis["count"] - 1, description=label)
            continue
        kind = ipywidgets.ToggleButtons if axis["names"] else ipywidgets.SelectionSlider
        pairs = [(text_of(value), value) for value in options[label]]
        made[label] = kind(options=pairs, value=options[label][start], description=label)
    return made


class Link(anywidget.AnyWidget):
    """Ties the sliders of one player to the page, and answers when the page lacks a picture."""

    _esm = (STATIC / "link.js").read_text(encoding="utf-8")
    player = traitlets.Unicode().tag(sync=True)
    controls = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)
    sketch = traitlets.Dict({"version": 0, "pixels": ""}).tag(sync=True)

    def __init__(self, player: Any):
        """Tie `player`, which is about to be shown."""
        super().__init__(player=player.id, controls=list(player.sliders.values()))
        self.of, self._lock, self._answers = player, threading.Lock(), {}
        if player.asks:
            for control in self.controls:
                control.observe(self._moved, "value")
            self.observe(self._moved, "sketch")
            self._moved()

    def places(self) -> tuple[int, ...]:
        """Where the sliders stand, each as a place in its list of values."""
        return tuple(c.index if hasattr(c, "index") else c.value for c in self.controls)

    def _moved(self, change: Any = None) -> None:
        if (self.places(), self.sketch["version"]) in self._answers:
            self._draw()
            return
        self.send({"working": True})  # until then, the kernel may be busy with a cell
        try:
            self._draw()
        finally:
            self.send({"working": False})

    def _draw(self) -> None:
        # a callback may come on a thread of its own, where gradients are on whatever the lesson said
        with self._lock, torch.inference_mode():
            where = self.places(), self.sketch["version"]
            if where not in self._answers:
                try:
                    self._answers[where] = self.of.answer(where[0], self.sketch)
                except Exception as error:  # shown where the picture would be, and tried again next time
                    message = {"place": self.of.place(where[0]), "version": where[1], "error": told(error)}
                    self.send(message)
                    return
            if self._answers[where] is not None:
                self.send(self._answers[where] | {"version": where[1]})


def told(error: Exception) -> str:
    """Say to the reader of the page what went wrong; a `ValueError` is about what was typed, and says so itself."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


class PlayerView(anywidget.AnyWidget):
    """A player as a widget that can stand in a box; the HTML is that of the player."""

    _esm = (STATIC / "view.js").read_text(encoding="utf-8")
    html = traitlets.Unicode().tag(sync=True)

    def __init__(self, player: Any):
        """Make the widget of `player`."""
        # players give way to each other in a row, and have no width of their own to insist on
        layout = ipywidgets.Layout(flex="1 1 auto", width="auto", min_width="0")
        super().__init__(html=player.to_html(), layout=layout)
        self._text = player.text

    def __repr__(self) -> str:
        """One line, the same every time; it is part of what a box says of itself."""
        return self._text


@functools.cache
def class_with_widget(player_class: type) -> type:
    """Give a class that is both a kind of player and a widget, for whoever asks what a player is."""
    return type(
        player_class.__name__, (player_class, ipywidgets.Widget), {"__module__": player_class.__module__}
    )


def show(player: Any) -> None:
    """Tie a player that is about to be shown; one that is shown again stays tied."""
    last = SHOWN.get(player.id)
    if last is not None and last.of is not player:
        last.close()
    if last is None or last.of is not player:
        SHOWN[player.id] = Link(player)
    # these two make a model only when it is shown; it is shown as nothing
    if "google.colab" in sys.modules or "VSCODE_PID" in os.environ:
        display(SHOWN[player.id])
