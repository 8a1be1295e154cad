"""The kernel's side of a guess: a model that ties the variable in Python to the page, without being shown."""

import contextlib
import os
import sys
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from diffusion_lab.widgets.script import STATIC

SHOWN: dict[str, "GuessLink"] = {}  # by key of the guess; one that is made again is tied anew


class GuessLink(anywidget.AnyWidget):
    """Ties one guess to the page: what is noted there comes here, and the other way round."""

    _esm = (STATIC / "guess_link.js").read_text(encoding="utf-8")
    key = traitlets.Unicode().tag(sync=True)
    value = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(self, guess: Any):
        """Tie `guess`, which is about to be shown."""
        super().__init__(key=guess.key, value=guess.value)
        self.guess = guess
        self.observe(self._noted, "value")

    def _noted(self, change: Any) -> None:
        if change.new is None or change.new == self.guess.value:
            return
        with contextlib.suppress(
            ValueError
        ):  # a guess that the browser kept from another version of the question
            self.guess.value = change.new


def show(guess: Any) -> None:
    """Tie a guess that is about to be shown; one that is shown again stays tied."""
    last = SHOWN.get(guess.key)
    if last is not None and last.guess is not guess:
        last.close()
    if last is None or last.guess is not guess:
        SHOWN[guess.key] = GuessLink(guess)
    # these two make a model only when it is shown; it is shown as nothing
    if "google.colab" in sys.modules or "VSCODE_PID" in os.environ:
        display(SHOWN[guess.key])


def tell(guess: Any) -> None:
    """Let the page know of a value that was set in Python."""
    link = SHOWN.get(guess.key)
    if link is not None and link.guess is guess:
        link.value = guess.value
