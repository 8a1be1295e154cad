"""A box for words: type a prompt, and whatever Python draws from it appears.

A few prompts are drawn beforehand.
"""

import base64
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diffusion_lab.figures import labelled_grid
from diffusion_lab.widgets.drawings import Drawings, by_name
from diffusion_lab.widgets.player import Player, places_of, slider


class PromptBox(Player):
    """Type a prompt and press Enter; the buttons are prompts that were drawn beforehand.

    On a page with no kernel there are only the buttons, with their pictures. While a kernel runs there is a
    field to type into as well; what `draw` raises, such as an unknown word, is said below the pictures.
    """

    field = "your own prompt"

    def __init__(
        self,
        prompts: Sequence[str],
        draw: Callable[..., Any],
        *,
        alt: str,
        axes: Mapping[str, Sequence] | None = None,
        start: Mapping[str, Any] | None = None,
        columns: int = 4,
        shades: int = 64,
    ):
        """Draw the examples, for all values of the sliders.

        Args:
            prompts: the examples, a list of at least two texts, all different.
            draw: a function ``draw(prompt, *values)`` with one value for each of `axes`. It returns what
                `draw` of an `Explorer` returns, each time with the same shapes, and is called again for each
                prompt that is typed, in inference mode and possibly on another thread, while a kernel runs.
            alt: what there is to see, in words.
            axes: more sliders, such as ``{"guidance scale": [1, 3, 6]}``; none of them is called "prompt".
            start: where sliders begin, such as ``{"guidance scale": 3}``; the first value of each it does not
                name.
            columns: pictures per row, at least 1.
            shades: see `Explorer`.

        A `ValueError` says if prompts are not different texts, an axis has no values or is called "prompt",
        `start` has what is in no axis, `columns` is less than 1, or what `draw` returned is no picture.
        """
        texts = [] if isinstance(prompts, str) else [prompt for prompt in prompts if isinstance(prompt, str)]
        if len(texts) < len(prompts) or len(texts) < 2 or len(set(texts)) < len(texts):
            raise ValueError(f"prompts must be a list of two different texts or more, got {prompts!r}")
        prompts, axes = texts, {name: list(values) for name, values in (axes or {}).items()}
        if "prompt" in axes or not all(axes.values()):
            raise ValueError(f'axes must each have a value, and another name than "prompt", got {axes}')
        if columns < 1:
            raise ValueError(f"columns must be at least 1, got {columns}")
        self.options = {"prompt": prompts} | axes
        self.asks = "Only these prompts are drawn on this page. Run the cell to type your own."
        self._draw, self._drawings = draw, Drawings(columns, shades)
        for place, values in enumerate(itertools.product(*self.options.values())):
            self._drawings.add(place, by_name(draw(*values), ""))
        every, begin = range(len(self.options)), places_of(self.options, start or {})
        sliders = [slider(*axis, k) for axis, k in zip(self.options.items(), begin, strict=True)]
        for axis, values in zip(sliders, self.options.values(), strict=True):
            axis["kept"] = [*range(len(values))]  # of a typed prompt a page with no kernel has nothing
        super().__init__(
            f"PromptBox({len(prompts)}"
            f" prompts{''.join(f', {name}' for name in self.options if name != 'prompt')})",
            {
                "sliders": sliders,
                "readouts": [readout | {"asked": True} for readout in self._drawings.readouts(every)],
                "panels": [panel | {"asked": True} for panel in self._drawings.panels(every)],
            },
            self._strip(prompts, begin[1:]),
            alt,
        )

    def _strip(self, prompts: Sequence[str], others: Sequence[int]):
        """Show every example, with the other sliders where they begin."""
        rows = {
            name: [frames[self.place([k, *others])] for k in range(len(prompts))]
            for name, frames in self._drawings.frames.items()
        }
        return labelled_grid(rows, [textwrap.fill(prompt, 22) for prompt in prompts])

    def answer(self, places: tuple[int, ...], sketch: dict) -> dict | None:
        """Draw the prompt that was typed (UTF-8 in ``pixels``); the examples were drawn before."""
        if not sketch["pixels"]:
            return None
        prompt = base64.b64decode(sketch["pixels"]).decode().strip()
        values = [values[k] for values, k in zip(self.options.values(), places, strict=True)][1:]
        drawn = by_name(self._draw(prompt, *values), "")
        return {"place": self.place(places), **self._drawings.later(drawn, first=0)}
