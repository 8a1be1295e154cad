"""A sheet to draw on: a digit by hand, noised by the browser, and whatever Python has to say about it."""

import base64
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from diffusion_lab.figures import labelled_grid, to_uint8
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, normal_like
from diffusion_lab.widgets.drawings import Drawings, by_name
from diffusion_lab.widgets.packing import encoded, tiling
from diffusion_lab.widgets.player import Player, places_of, slider
from diffusion_lab.widgets.scrubbers import abar_table, noise_panel

SIDE = 224  # of the sheet, in the page's pixels


class DrawingBoard(Player):
    """Draw a digit with mouse, pen or finger, drag t, and watch it go under in noise; let Python answer.

    The drawing is moved so that its ink balances in the middle, as in MNIST, before anything is done with it.
    With the
    keyboard: arrow keys move the pen, the space bar puts it down and up.
    """

    def __init__(
        self,
        x_0: Images,
        schedule: DiffusionSchedule,
        answer: Callable[..., Any] | None = None,
        *,
        axes: Mapping[str, Sequence] | None = None,
        times: Sequence[int] | None = None,
        start: Mapping[str, Any] | None = None,
        noise: Images | None = None,
        columns: int = 2,
        shades: int = 16,
        generator: torch.Generator | None = None,
    ):
        """Put an example on the sheet, and answer it for all values of the sliders.

        Args:
            x_0: the example, one grey picture in [-1, 1], (1, 1, H, W).
            schedule: how much noise at which time.
            answer: a function ``answer(x_0, t, *values)`` with one value for each of `axes`. It returns what
                `draw` of an `Explorer` returns, each time with the same shapes, and is called again for each
                drawing, in inference mode and possibly on another thread, while a kernel runs.
            axes: more sliders, such as ``{"label": ["none", "3"]}``.
            times: of the slider of time; 0 … T, or 11 of them if there is an answer to each, if None.
            start: where the sliders begin, such as ``{"time t": 500}``.
            noise: standard normal, shape of x_0; drawn with `generator` if None.
            columns: pictures per row of an answer.
            shades: see `Explorer`.
            generator: decides the noise.
        """
        if x_0.ndim != 4 or x_0.shape[:2] != (1, 1):
            raise ValueError(f"x_0 must be one grey picture, (1, 1, H, W), got {tuple(x_0.shape)}")
        T, sides = schedule.timesteps, x_0.shape[2:]
        if times is None:
            times = range(T + 1) if answer is None else [round(T * k / 10) for k in range(11)]
        self.options = {"time t": list(times)} | {name: list(values) for name, values in (axes or {}).items()}
        self._x_0, self._answer, self._drawings = x_0, answer, Drawings(columns, shades)
        noise = normal_like(x_0, generator) if noise is None else noise
        if answer is not None:
            self.asks = (
                "These are the answers to the example. To have your own drawing answered, run this cell."
            )
            for places in itertools.product(*map(range, map(len, self.options.values()))):
                self._drawings.add(self.place(places), self._drawn(x_0, places))
        begin = places_of(self.options, start or {})
        every, (height, width) = range(len(self.options)), sides
        asked = {"asked": True}
        sheet = {
            "kind": "sheet",
            "caption": "draw a digit here: x_0",
            "x_0": encoded(to_uint8(x_0)),
            "cell": [width, height],
            "size": [SIDE, round(SIDE * height / width)],
            "help": "arrow keys move the pen, space puts it down and up",
        }
        room = (SIDE, SIDE)
        super().__init__(
            f"DrawingBoard({height} × {width}, {', '.join(self.options)}, {schedule!r})",
            {
                "sliders": [slider(*axis, k) for axis, k in zip(self.options.items(), begin, strict=True)],
                "readouts": [readout | asked for readout in self._drawings.readouts(every)],
                "panels": [
                    sheet,
                    noise_panel(
                        None, noise, 1, abar_table(schedule, times), "your digit with noise at time t: x_t"
                    )
                    | tiling(1, height, width, 1, room),
                    *[panel | asked for panel in self._drawings.panels(every, room)],
                ],
            },
            self._strip(schedule, noise),
            "A drawn digit at a few times: it turns into noise.",
        )

    def _drawn(self, x_0: Images, places: Sequence[int]) -> dict[str, Any]:
        values = (values[k] for values, k in zip(self.options.values(), places, strict=True))
        return by_name(self._answer(x_0, *values), "answer")

    def _strip(self, schedule: DiffusionSchedule, noise: Images):
        """The example at five times and, below, the answers."""
        times = self.options["time t"]
        shown = [round(k * (len(times) - 1)) for k in (0, 0.25, 0.5, 0.75, 1)]
        rows = {"x_t": [to_uint8(schedule.add_noise(self._x_0, times[k], noise))[0] for k in shown]}
        others = [0] * (len(self.options) - 1)
        for name, frames in self._drawings.frames.items():
            rows[name] = [frames[self.place([k, *others])] for k in shown]
        return labelled_grid(rows, [f"t = {times[k]}" for k in shown])

    def answer(self, places: tuple[int, ...], sketch: dict) -> dict | None:
        """Answer the drawing; the example was answered before."""
        if self._answer is None or not sketch["pixels"]:
            return None
        pixels = np.frombuffer(base64.b64decode(sketch["pixels"]), np.uint8).reshape(self._x_0.shape)
        drawn = self._drawn(torch.from_numpy(pixels.astype(np.float32)) / 127.5 - 1, places)
        return {"place": self.place(places), **self._drawings.later(drawn, first=2)}
