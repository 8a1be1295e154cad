"""A box for words: type a prompt, and whatever Python draws from it appears.

A few prompts are drawn beforehand. A prompt can also be a number, whose digits appear from noise.
"""

import base64
import functools
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from diffusion_lab.figures import Picture, labelled_grid
from diffusion_lab.widgets.drawings import Drawings, by_name
from diffusion_lab.widgets.player import Player, places_of, slider

LONGEST_NUMBER = 10
"""Digits of the longest number that a `NumberBox` draws."""


class PromptBox(Player):
    """Type a prompt and press Enter; the buttons are prompts that were drawn beforehand.

    On a page with no kernel there are only the buttons, with their pictures, and the field finds the one that is
    meant. While a kernel runs it draws what is typed; what `draw` raises, such as an unknown word, is said below the
    pictures.
    """

    asks = "Only these prompts are drawn on this page. Run the cell to type your own."
    label = "prompt"
    """What stands beside the examples; no slider has the same label."""

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
        sliders_first: bool = False,
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
            sliders_first: whether `axes` stand above the examples; what stands first is what ▶ plays.

        A `ValueError` says if prompts are not different texts, an axis has no values or is called "prompt",
        `start` has what is in no axis, `columns` is less than 1, or what `draw` returned is no picture.
        """
        texts = [] if isinstance(prompts, str) else [prompt for prompt in prompts if isinstance(prompt, str)]
        if len(texts) < len(prompts) or len(texts) < 2 or len(set(texts)) < len(texts):
            raise ValueError(f"prompts must be a list of two different texts or more, got {prompts!r}")
        prompts, axes = texts, {name: list(values) for name, values in (axes or {}).items()}
        if self.label in axes or not all(axes.values()):
            raise ValueError(f'axes must each have a value, and another name than "{self.label}", got {axes}')
        if columns < 1:
            raise ValueError(f"columns must be at least 1, got {columns}")
        examples = {self.label: prompts}
        self.options = axes | examples if sliders_first else examples | axes
        self._draw, self._drawings = draw, Drawings(columns, shades)
        for place, values in enumerate(itertools.product(*self.options.values())):
            self._drawings.add(place, self._drawn(dict(zip(self.options, values, strict=True))))
        every, begin = range(len(self.options)), places_of(self.options, start or {})
        sliders = [slider(*axis, k) for axis, k in zip(self.options.items(), begin, strict=True)]
        for axis, values in zip(sliders, self.options.values(), strict=True):
            axis["kept"] = [*range(len(values))]  # of a typed prompt a page with no kernel has nothing
            if axis["label"] == self.label:
                axis["examples"] = True  # other words can be typed in their place
        super().__init__(
            f"{type(self).__name__}({len(prompts)} {self.label}s{''.join(f', {name}' for name in axes)})",
            {
                "sliders": sliders,
                "readouts": [readout | {"asked": True} for readout in self._drawings.readouts(every)],
                "panels": [panel | {"asked": True} for panel in self._drawings.panels(every)],
            },
            self._strip(begin),
            alt,
        )

    def _drawn(self, values: dict[str, Any]) -> dict[str, Any]:
        others = [value for name, value in values.items() if name != self.label]
        return by_name(self._draw(values[self.label], *others), "")

    def _strip(self, begin: Sequence[int]) -> Picture:
        """Show every example, with the other sliders where they begin."""
        return self._strip_along(self.label, begin, [*range(len(self.options[self.label]))])

    def _strip_along(self, along: str, begin: Sequence[int], shown: Sequence[int]) -> Picture:
        """Show some values of one slider, with the others where they begin."""
        where = [
            self.place([k if name == along else at for name, at in zip(self.options, begin, strict=True)])
            for k in shown
        ]
        rows = {name: [frames[place] for place in where] for name, frames in self._drawings.frames.items()}
        names = [self.options[along][k] for k in shown]
        names = [name if isinstance(name, str) else f"{along} = {name}" for name in names]
        return labelled_grid(rows, [textwrap.fill(name, 22) for name in names])

    def answer(self, places: tuple[int, ...], sketch: dict) -> dict | None:
        """Draw the prompt that was typed (UTF-8 in ``pixels``); the examples were drawn before."""
        if not sketch["pixels"]:
            return None
        prompt = base64.b64decode(sketch["pixels"]).decode().strip()
        values = {name: self.options[name][k] for name, k in zip(self.options, places, strict=True)}
        drawn = self._drawn(values | {self.label: prompt})
        return {"place": self.place(places), **self._drawings.later(drawn, first=0)}


class NumberBox(PromptBox):
    """Type a number and press Enter, then press ▶: its digits appear from noise, step by step.

    The buttons are numbers that were drawn beforehand; without a kernel there are only these.
    """

    asks = "Only these numbers are drawn on this page. Run the cell to type your own."
    label = "number"

    def __init__(self, numbers: Sequence[str], sample: Callable[..., Any], *, num_steps: int = 15, **options):
        """Draw the examples.

        Args:
            numbers: at least two different texts of 1 to 10 digits each.
            sample: draws pictures as `Pretrained.sample` does: it takes labels, `num_steps`, `seed` and `on_step`,
                which it calls with each state.
            num_steps: of the sampler.
            options: more arguments for `sample`, such as `guidance_scale`.

        A `ValueError` says if a number is something else.
        """

        @functools.lru_cache(maxsize=8)
        def film(number: str) -> list[Tensor]:
            if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
                raise ValueError(
                    f"a number of up to {LONGEST_NUMBER} digits was wanted, such as 2026, got {number!r}"
                )
            states = []
            settings = {"num_steps": num_steps, "seed": 0, "progress": False, **options}
            sample([int(digit) for digit in number], on_step=states.append, **settings)
            pictures = [state.x_t for state in states]
            seeded = torch.Generator().manual_seed(settings["seed"])
            noise = torch.randn(pictures[0].shape, generator=seeded)  # what the sampler began with
            rest = -torch.ones(LONGEST_NUMBER - len(number), *noise.shape[1:])
            return [torch.cat([x_t, rest]) for x_t in (noise, *pictures)]

        super().__init__(
            numbers,
            lambda number, step: {"x_t: digits that appear from noise": film(number)[step]},
            alt="Ten digits appear from noise, in five of the steps.",
            axes={"step": range(num_steps + 1)},
            start={"step": num_steps // 3},  # there is something to see, and not yet what
            columns=5,
            shades=24,
            sliders_first=True,
        )

    def _strip(self, begin: Sequence[int]) -> Picture:
        last = len(self.options["step"]) - 1
        return self._strip_along("step", begin, [round(last * share / 4) for share in range(5)])
