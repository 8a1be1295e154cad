"""Players of the forward process: the browser computes x_t from x_0, the noise and alphas_cumprod, for every t."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from diffusion_lab.figures import Picture, cloud_strip, enlarge, grid, labelled_grid, to_uint8
from diffusion_lab.oracle import GaussianMixture
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, check_range, normal_like
from diffusion_lab.widgets.packing import encoded, int16, tiling
from diffusion_lab.widgets.player import Player, places_of, slider, table


def noise_panel(x_0: Images | None, noise: Images, columns: int, abar: dict, width: int = 260) -> dict:
    """Describe pictures that the browser noises, by the table `abar` of alphas_cumprod.

    The sheet, if x_0 is None.
    """
    count, channels, *sides = noise.shape
    eps, unit = int16(noise.permute(0, 2, 3, 1))
    data = {"channels": channels, "eps": eps, "eps_unit": unit, "abar": abar}
    if x_0 is not None:
        data["x_0"] = encoded(to_uint8(x_0))
    return {"kind": "noise", "caption": "x_t", **tiling(count, *sides, columns, (width, width)), **data}


def abar_table(schedule: DiffusionSchedule, times: Sequence[int] | None = None) -> dict:
    """Give alphas_cumprod at the times of the first slider, 0 … T if None."""
    chosen = schedule.alphas_cumprod if times is None else schedule.alphas_cumprod[list(times)]
    return table([float(f"{a:.6g}") for a in chosen.tolist()], 0)


def _thinned(line: Tensor, points: int) -> list[float]:
    """Give a line over t = 0 … T at no more than `points` evenly spaced times."""
    chosen = torch.linspace(0, len(line) - 1, min(points, len(line))).round().long()
    return [round(value, 4) for value in line[chosen].tolist()]


def _noise_spec(schedule: DiffusionSchedule, start: int, panel: dict, what: str) -> dict:
    """What the two scrubbers of the forward process have in common."""
    abar = schedule.alphas_cumprod
    lines = {
        "signal √ᾱ": abar.sqrt(),
        "noise √(1-ᾱ)": (1 - abar).sqrt(),
    }
    curves = {name: table([_thinned(line, 201)]) for name, line in lines.items()}
    texts = {name: [f"{value:.3f}" for value in line.tolist()] for name, line in lines.items()}
    texts["signal-to-noise ratio"] = [_ratio(value) for value in schedule.snr().tolist()]
    return {
        "sliders": [slider("time t", range(schedule.timesteps + 1), start)],
        "readouts": [{"name": name, **table(values, 0)} for name, values in texts.items()],
        "panels": [
            panel,
            {"kind": "histogram", "size": [220, 130], "caption": f"{what}; line: standard normal"},
            {"kind": "curves", "size": [220, 130], "lines": curves, "caption": "how much of each is in x_t:"},
        ],
    }


def _ratio(value: float) -> str:
    return "∞" if value == float("inf") else f"{value:.3g}"


def _still_times(timesteps: int) -> list[int]:
    return [round(timesteps * share) for share in (0, 0.1, 0.25, 0.5, 1)]


class NoiseScrubber(Player):
    """Drag t from 0 to T and watch images turn into noise; the browser computes x_t for every t.

    Beside the pictures: the histogram of their values, signal and noise scale, and the signal-to-noise ratio.
    """

    def __init__(
        self,
        x_0: Images,
        schedule: DiffusionSchedule,
        *,
        noise: Images | None = None,
        start: int = 0,
        columns: int = 4,
        generator: torch.Generator | None = None,
    ):
        """Noise a few images.

        Args:
            x_0: in [-1, 1], (B, C, H, W); up to 16 keep the notebook small.
            schedule: how much noise at which time.
            noise: standard normal, shape of x_0; drawn with `generator` if None.
            start: time to begin at, 0 … T.
            columns: pictures per row.
        """
        noise = normal_like(x_0, generator) if noise is None else noise
        panel = noise_panel(x_0, noise, columns, abar_table(schedule))
        times = _still_times(schedule.timesteps)
        strip = torch.cat([schedule.add_noise(x_0[:1], t, noise[:1]) for t in times])
        super().__init__(
            f"NoiseScrubber({len(x_0)} images, {schedule!r})",
            _noise_spec(schedule, start, panel, "values of the pixels"),
            enlarge(grid(strip, len(times)), 3),
            f"One picture at t = {', '.join(map(str, times))}: it turns into noise.",
        )


class PointScrubber(Player):
    """Drag t from 0 to T and watch a cloud of points in the plane turn into a round Gaussian one."""

    def __init__(
        self,
        x_0: Tensor,
        schedule: DiffusionSchedule,
        *,
        noise: Tensor | None = None,
        start: int = 0,
        limit: float = 3.0,
        generator: torch.Generator | None = None,
    ):
        """Noise points, (N, 2), shown from -limit to limit.

        The other arguments are those of `NoiseScrubber`.
        """
        noise = normal_like(x_0, generator) if noise is None else noise
        (points, x_0_unit), (eps, eps_unit) = int16(x_0), int16(noise)
        units = {"x_0_unit": x_0_unit, "eps_unit": eps_unit, "limit": limit, "size": [240, 240]}
        panel = {
            "kind": "points",
            "caption": "x_t",
            "abar": abar_table(schedule),
            "x_0": points,
            "eps": eps,
            **units,
        }
        times = _still_times(schedule.timesteps)
        super().__init__(
            f"PointScrubber({len(x_0)} points, {schedule!r})",
            _noise_spec(schedule, start, panel, "coordinates of the points"),
            cloud_strip([schedule.add_noise(x_0, t, noise) for t in times], limit),
            f"A cloud of points at t = {', '.join(map(str, times))}: its shape dissolves.",
        )


class FieldExplorer(Player):
    """Drag t, and see where each x_t of the plane is best guessed to come from; move one x_t by hand.

    Left, noised points, and arrows from all places a quarter of the way to E[x_0 | x_t]. Right, the clean
    points: the likelier they are to have become the marked x_t, the stronger; the cross is their mean, the
    best guess. The browser computes both, exactly and for every t.
    """

    def __init__(
        self,
        mixture: GaussianMixture,
        schedule: DiffusionSchedule,
        *,
        number: int = 350,
        marked: tuple[Sequence[float], Sequence[float]] | None = None,
        names: Sequence[str] | None = None,
        start: int | None = None,
        limit: float = 3.0,
        cells: int = 12,
        generator: torch.Generator | None = None,
    ):
        """Draw points from a mixture.

        Args:
            mixture: of Gaussians in the plane.
            schedule: how much noise at which time.
            number: of points.
            marked: x_0 and noise, two numbers each, of the point that is marked; one of the others if None.
            names: of the modes, for the read-out of their probabilities; numbers if None.
            start: time to begin at, 0 … T; the middle if None.
            limit: the plane is shown from -limit to limit.
            cells: arrows along each side.
            generator: decides points and noise.
        """
        if mixture.means.shape[1] != 2:
            raise ValueError(
                f"mixture must lie in the plane, with means of 2 numbers, got {mixture.means.shape[1]}"
            )
        x_0 = mixture.draw(number, generator)[0]
        noise = normal_like(x_0, generator)
        if marked is not None:
            x_0, noise = (
                torch.cat([torch.tensor([m]), part]) for m, part in zip(marked, (x_0, noise), strict=True)
            )
        (points, x_0_unit), (eps, eps_unit) = int16(x_0), int16(noise)
        names = [str(k + 1) for k in range(len(mixture.weights))] if names is None else names
        gaussians = {
            name: getattr(mixture, name).float().tolist()
            for name in ("weights", "means", "variances", "axes")
        }
        plane = {"size": [300, 300], "limit": limit, "x_0": points, "x_0_unit": x_0_unit}
        T = schedule.timesteps
        super().__init__(
            f"FieldExplorer({len(x_0)} points, {len(mixture.weights)} modes, {schedule!r})",
            {
                "sliders": [slider("time t", range(T + 1), T // 2 if start is None else start)],
                "readouts": [{"name": f"chances of {', '.join(names)}", "fact": "chances"}],
                "panels": [
                    {
                        "kind": "field",
                        "caption": "x_t, arrows to the best guess; move the large dot",
                        "help": "arrow keys move the marked point",
                        "eps": eps,
                        "eps_unit": eps_unit,
                        "cells": cells,
                        "abar": abar_table(schedule),
                        "mixture": gaussians,
                        **plane,
                    },
                    {
                        "kind": "candidates",
                        "caption": "x_0 that fit the marked x_t; cross: the best guess",
                        **plane,
                    },
                ],
            },
            cloud_strip([schedule.add_noise(x_0, t, noise) for t in _still_times(T)], limit),
            f"Points of a mixture at t = {', '.join(map(str, _still_times(T)))}: spots become one cloud.",
        )


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
        shares = [k / (positions - 1) for k in range(positions)]
        axes = {
            "time t / T": [f"{share:.2f}" for share in shares],
            "schedule": list(curves),
            "T": list(timesteps),
        }
        TIME, CURVE, LENGTH = range(3)
        schedules = [
            DiffusionSchedule.named(c, T, rescale=rescale) for c, T in itertools.product(curves, timesteps)
        ]
        times = [[round(share * T) for share in shares] for T in timesteps]
        abar = [s.alphas_cumprod[times[k % len(times)]].tolist() for k, s in enumerate(schedules)]
        terminal = [float(s.snr()[-1]) for s in schedules]
        lines = {
            curve: table(
                [_thinned(s.alphas_cumprod, 101) for s in schedules if s.config["curve"] == curve], LENGTH
            )
            for curve in curves
        }
        marks = table([t / T for T, row in zip(timesteps, times, strict=True) for t in row], LENGTH, TIME)
        now = table([float(f"{a:.6g}") for row in abar for a in row], CURVE, LENGTH, TIME)
        texts = {
            "t": table(
                [f"{t} of {T}" for T, row in zip(timesteps, times, strict=True) for t in row], LENGTH, TIME
            ),
            "ᾱ_t": table([f"{a:.4f}" for row in abar for a in row], CURVE, LENGTH, TIME),
            "signal-to-noise ratio ᾱ_t/(1-ᾱ_t)": table(
                [_ratio(a / (1 - a) if a < 1 else float("inf")) for row in abar for a in row],
                CURVE,
                LENGTH,
                TIME,
            ),
        }
        begin = places_of(axes, {"T": max(timesteps), **(start or {})})
        super().__init__(
            f"ScheduleExplorer({len(x_0)} images, {' '.join(curves)}, T = {' '.join(map(str, timesteps))})",
            {
                "sliders": [
                    slider(name, values, k, names=name == "schedule")
                    for (name, values), k in zip(axes.items(), begin, strict=True)
                ],
                "readouts": [{"name": name, **by_place} for name, by_place in texts.items()],
                "panels": [
                    noise_panel(x_0, noise, columns, now),
                    {
                        "kind": "curves",
                        "size": [240, 150],
                        "lines": lines,
                        "at": marks,
                        "chosen": CURVE,
                        "caption": "ᾱ_t, from 0 to 1: the signal's share of the variance",
                    },
                    {
                        "kind": "meter",
                        "size": [220, 150],
                        "low": -9,
                        "high": 2,
                        **table(terminal, CURVE, LENGTH),
                        "caption": (
                            "terminal signal-to-noise ratio: what is left of the picture at t\u00a0=\u00a0T"
                        ),
                    },
                ],
            },
            _strip_of_schedules(x_0[:1], noise[:1], schedules, len(timesteps)),
            f"One picture at t = T. Rows: {', '.join(curves)}. Columns: T ="
            f" {', '.join(map(str, timesteps))}.",
        )


def _strip_of_schedules(
    x_0: Images, noise: Images, schedules: list[DiffusionSchedule], columns: int
) -> Picture:
    ends = [to_uint8(schedule.add_noise(x_0, schedule.timesteps, noise))[0] for schedule in schedules]
    rows = {schedules[k].config["curve"]: ends[k : k + columns] for k in range(0, len(ends), columns)}
    names = [f"T = {schedule.timesteps}" for schedule in schedules[:columns]]
    return labelled_grid(rows, names, title="the last step, t = T", width=4.0)
