"""Noise schedules of several lengths side by side, over the share t / T of the way to noise."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from diffusion_lab.figures import Picture, labelled_grid, to_uint8
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, check_range, normal_like
from diffusion_lab.widgets.packing import thinned
from diffusion_lab.widgets.player import Player, places_of, slider, table
from diffusion_lab.widgets.scrubbers import noise_panel, ratio_text

TIME, CURVE, LENGTH = range(3)  # the sliders


class ScheduleExplorer(Player):
    """Choose a noise schedule and its length T, drag through time, and watch a picture go under in noise.

    Beside the pictures: alphas_cumprod over time, and how much of the signal is left at the very end, t = T.
    """

    def __init__(
        self,
        x_0: Images,
        *,
        curves: Sequence[str] = ("linear", "cosine", "quadratic", "sigmoid"),
        timesteps: Sequence[int] = (10, 50, 200, 1000),
        rescale: bool = False,
        noise: Images | None = None,
        start: Mapping[str, Any] | None = None,
        columns: int = 2,
        positions: int = 51,
        generator: torch.Generator | None = None,
    ):
        """Compare schedules on a few images.

        Args:
            x_0: in [-1, 1], (B, C, H, W); one to four are easiest to watch.
            curves: names of schedules.
            timesteps: lengths T.
            rescale: multiply the betas by 1000 / T, as the named schedules do unless told otherwise; if
                False, every T gets the same range of betas.
            noise: standard normal, shape of x_0; drawn with `generator` if None.
            start: where sliders begin, such as ``{"schedule": "cosine", "T": 200}``; t = 0 of the longest T
                if None.
            columns: pictures per row.
            positions: of the slider of time, from t = 0 to t = T; a position between two times shows the
                nearest.
        """
        check_range("positions", positions, 2)
        noise = normal_like(x_0, generator) if noise is None else noise
        axes = {
            "time t / T": [f"{k / (positions - 1):.2f}" for k in range(positions)],
            "schedule": list(curves),
            "T": list(timesteps),
        }
        tables = _Tables(curves, timesteps, positions, rescale)
        begin = places_of(axes, {"T": max(timesteps), **(start or {})})
        super().__init__(
            f"ScheduleExplorer({len(x_0)} images, {' '.join(curves)}, T = {' '.join(map(str, timesteps))})",
            {
                "sliders": [
                    slider(name, values, k, names=name == "schedule")
                    for (name, values), k in zip(axes.items(), begin, strict=True)
                ],
                "readouts": [{"name": name, **texts} for name, texts in tables.readouts().items()],
                "panels": [
                    noise_panel(
                        x_0, noise, columns, tables.abar(), "the picture with noise at time t: x_t", 260
                    ),
                    tables.curves_panel(),
                    tables.terminal_panel(),
                ],
            },
            _strip(x_0[:1], noise[:1], tables.schedules, len(timesteps)),
            f"One picture at t = T. Rows: {', '.join(curves)}. Columns: T ="
            f" {', '.join(map(str, timesteps))}.",
        )


class _Tables:
    """What the panels and read-outs look up, for each schedule of each length and each position of the time slider."""

    def __init__(self, curves: Sequence[str], timesteps: Sequence[int], positions: int, rescale: bool):
        self.curves, self.timesteps = curves, timesteps
        self.schedules = [
            DiffusionSchedule.named(curve, T, rescale=rescale)
            for curve, T in itertools.product(curves, timesteps)
        ]
        self.times = [[round(T * k / (positions - 1)) for k in range(positions)] for T in timesteps]

    def _by_length(self, entry: Callable[[int, int], Any]) -> dict:
        """A table of what `entry` gives for T and t."""
        pairs = zip(self.timesteps, self.times, strict=True)
        return table([entry(T, t) for T, row in pairs for t in row], LENGTH, TIME)

    def _by_schedule(self, entry: Callable[[float], Any]) -> dict:
        """A table of what `entry` gives for alphas_cumprod."""
        rows = zip(self.schedules, itertools.cycle(self.times))
        values = [abar for schedule, row in rows for abar in schedule.alphas_cumprod[row].tolist()]
        return table(map(entry, values), CURVE, LENGTH, TIME)

    def abar(self) -> dict:
        """The table of alphas_cumprod that pictures are noised by."""
        return self._by_schedule(lambda abar: float(f"{abar:.6g}"))

    def readouts(self) -> dict[str, dict]:
        """Tables of texts, by the name of the read-out."""
        return {
            "t": self._by_length(lambda T, t: f"{t} of {T}"),
            "ᾱ_t": self._by_schedule(lambda abar: f"{abar:.4f}"),
            "signal-to-noise ratio ᾱ_t/(1-ᾱ_t)": self._by_schedule(
                lambda abar: ratio_text(abar / (1 - abar) if abar < 1 else float("inf"))
            ),
        }

    def curves_panel(self) -> dict:
        """Describe a line for each schedule, alphas_cumprod over time."""
        lines: dict[str, list] = {curve: [] for curve in self.curves}
        for schedule in self.schedules:
            lines[schedule.config["curve"]].append(thinned(schedule.alphas_cumprod, 101))
        return {
            "kind": "curves",
            "size": [246, 190],
            "lines": {curve: table(values, LENGTH) for curve, values in lines.items()},
            "at": self._by_length(lambda T, t: t / T),
            "chosen": CURVE,
            "y": {"name": "ᾱ_t"},
            "caption": "ᾱ_t, the share of the clean picture in the variance of x_t:",
        }

    def terminal_panel(self) -> dict:
        """Describe the scale of what is left of the picture at the end."""
        return {
            "kind": "meter",
            "size": [220, 150],
            "low": -9,
            "high": 2,
            **table([float(schedule.snr()[-1]) for schedule in self.schedules], CURVE, LENGTH),
            "caption": "signal-to-noise ratio at the end, t\u00a0=\u00a0T: how much of the picture is left",
        }


def _strip(x_0: Images, noise: Images, schedules: list[DiffusionSchedule], columns: int) -> Picture:
    ends = [to_uint8(schedule.add_noise(x_0, schedule.timesteps, noise))[0] for schedule in schedules]
    rows = {schedules[k].config["curve"]: ends[k : k + columns] for k in range(0, len(ends), columns)}
    names = [f"T = {schedule.timesteps}" for schedule in schedules[:columns]]
    return labelled_grid(rows, names, title="the last step, t = T", width=4.0)
