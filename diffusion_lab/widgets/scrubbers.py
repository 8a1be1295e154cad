"""Players of the forward process: the browser computes x_t from x_0, the noise and alphas_cumprod, for every t."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusion_lab.figures import Picture, cloud_strip, labelled_grid, to_uint8
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, check_range, normal_like
from diffusion_lab.widgets.packing import encoded, int16, thinned, tiling
from diffusion_lab.widgets.player import Player, places_of, slider, table

ROOM, ROOM_ON_FIRST_SCREEN = 360, 240
"""Width and height that there is for pictures, in the page's pixels; each of theirs takes a whole number of them."""
PLOT = [230, 170]
"""Width and height of a plot beside pictures, in the page's pixels; it gives way where there is less room."""


def noise_panel(
    x_0: Images | None,
    noise: Images,
    columns: int,
    abar: dict,
    caption: str = "the pictures with noise at time t: x_t",
    width: int = ROOM,
) -> dict:
    """Describe pictures that the browser noises, by the table `abar` of alphas_cumprod.

    `noise` is (B, C, H, W). `x_0` is as many pictures, or the sheet if None.
    """
    count, channels, *sides = noise.shape
    eps, unit = int16(noise.permute(0, 2, 3, 1))
    data = {"channels": channels, "eps": eps, "eps_unit": unit, "abar": abar}
    if x_0 is not None:
        data["x_0"] = encoded(to_uint8(x_0))
    return {"kind": "noise", "caption": caption, **tiling(count, *sides, columns, (width, width)), **data}


def point_data(x_0: Tensor, noise: Tensor, limit: float) -> dict:
    """Pack points of the plane, (N, 2), and their noise for a panel that shows it from -limit to limit."""
    (points, x_0_unit), (eps, eps_unit) = int16(x_0), int16(noise)
    return {"limit": limit, "x_0": points, "x_0_unit": x_0_unit, "eps": eps, "eps_unit": eps_unit}


def abar_table(schedule: DiffusionSchedule, times: Sequence[int] | None = None) -> dict:
    """Give alphas_cumprod at the times of the first slider, 0 … T if None."""
    chosen = schedule.alphas_cumprod if times is None else schedule.alphas_cumprod[list(times)]
    return table([float(f"{a:.6g}") for a in chosen.tolist()], 0)


def ratio_text(value: float) -> str:
    """Say a signal-to-noise ratio."""
    return "∞" if value == float("inf") else f"{value:.3g}"


def still_times(timesteps: int) -> list[int]:
    """Some times that tell the story where nothing can move."""
    return [round(timesteps * share) for share in (0, 0.1, 0.25, 0.5, 1)]


def still_of_pictures(x_0: Images, schedule: DiffusionSchedule, noise: Images) -> Picture:
    """One picture at a few times."""
    times = still_times(schedule.timesteps)
    pictures = [to_uint8(schedule.add_noise(x_0, t, noise))[0] for t in times]
    return labelled_grid({"": pictures}, [f"t = {t}" for t in times])


def still_of_points(x_0: Tensor, schedule: DiffusionSchedule, noise: Tensor, limit: float) -> Picture:
    """A cloud of points at a few times."""
    times = still_times(schedule.timesteps)
    clouds = [np.array(cloud_strip([schedule.add_noise(x_0, t, noise)], limit)) for t in times]
    return labelled_grid({"": clouds}, [f"t = {t}" for t in times])


def _noise_spec(schedule: DiffusionSchedule, start: int, panel: dict, what: str) -> dict:
    """What the two scrubbers of the forward process have in common; `what` are the values that change."""
    abar = schedule.alphas_cumprod
    lines = {
        "signal √ᾱ": abar.sqrt(),
        "noise √(1-ᾱ)": (1 - abar).sqrt(),
    }
    texts = {name: [f"{value:.3f}" for value in line.tolist()] for name, line in lines.items()}
    texts["signal-to-noise ratio"] = [ratio_text(value) for value in schedule.snr().tolist()]
    histogram = {
        "kind": "histogram",
        "size": PLOT,
        "x": what,
        "caption": f"how often each {what} occurs; line: the standard normal density",
    }
    curves = {
        "kind": "curves",
        "size": PLOT,
        "lines": {name: table([thinned(line, 201)]) for name, line in lines.items()},
        "y": {"name": "factor"},
        "caption": "what the clean picture and the noise are multiplied by before they are added:",
    }
    return {
        "sliders": [slider("time t", range(schedule.timesteps + 1), start)],
        "readouts": [{"name": name, **table(values, 0)} for name, values in texts.items()],
        "panels": [panel, histogram, curves],
    }


class NoiseScrubber(Player):
    """Drag t from 0 to T and watch images turn into noise; the browser computes x_t for every t.

    Beside the pictures: the histogram of their values, signal and noise scale, and the signal-to-noise ratio. Above
    them there may be a choice of digit, and of the seed of the noise.
    """

    def __init__(
        self,
        x_0: Images | Mapping[str, Images],
        schedule: DiffusionSchedule,
        *,
        noise: Images | None = None,
        seeds: int = 1,
        start: int | Mapping[str, Any] = 0,
        columns: int = 4,
        plots: bool = True,
        generator: torch.Generator | None = None,
    ):
        """Noise a few images.

        Args:
            x_0: in [-1, 1], (B, C, H, W); up to 16 keep the notebook small. Or such images by name, all of one
                shape: then buttons choose the "digit".
            schedule: how much noise at which time.
            noise: standard normal, shape of x_0; drawn with `generator` if None. It is that of seed 0.
            seeds: draws of the noise; more than one are chosen by a slider. That of seed k > 0 comes from
                ``torch.Generator().manual_seed(k)``.
            start: time to begin at, 0 … T, or where the sliders begin, such as ``{"time t": 300, "digit": "7"}``.
            columns: pictures per row.
            plots: whether histogram, scales and read-outs stand beside the pictures; without them there is room for
                a `Guess`, and the pictures leave some of the first screen to it.
            generator: draws the noise of seed 0.

        A `ValueError` says if images by name are none or differ in shape, `seeds` is below 1, or `start` is nowhere.
        """
        check_range("seeds", seeds, 1)
        choices = x_0 if isinstance(x_0, Mapping) else {"": x_0}
        shapes = {tuple(images.shape) for images in choices.values()}
        if len(shapes) != 1:
            raise ValueError(f"x_0 must hold images of one shape, got {sorted(shapes) or 'none'}")
        axes = {"time t": range(schedule.timesteps + 1)}
        axes |= {"digit": list(choices)} if isinstance(x_0, Mapping) else {}
        axes |= {"seed": range(seeds)} if seeds > 1 else {}
        begin = places_of(axes, start if isinstance(start, Mapping) else {"time t": start})
        where = dict(zip(axes, begin, strict=True))
        shown = list(choices.values())[where.get("digit", 0)]
        noise = normal_like(shown, generator) if noise is None else noise
        draws = [noise]
        draws += [normal_like(shown, torch.Generator().manual_seed(seed)) for seed in range(1, seeds)]
        panel = noise_panel(
            shown, noise, columns, abar_table(schedule), width=ROOM if plots else ROOM_ON_FIRST_SCREEN
        )
        if "digit" in axes:
            panel |= {
                "x_0": encoded(to_uint8(torch.cat(list(choices.values())))),
                "choice": list(axes).index("digit"),
            }
        if "seed" in axes:
            eps, unit = int16(torch.cat(draws).permute(0, 2, 3, 1))
            panel |= {"eps": eps, "eps_unit": unit, "seed": list(axes).index("seed")}
        spec = _noise_spec(schedule, begin[0], panel, "pixel value")
        spec["sliders"] = [slider(*axis, k) for axis, k in zip(axes.items(), begin, strict=True)]
        if not plots:
            spec |= {"panels": [panel], "readouts": []}
        times = ", ".join(map(str, still_times(schedule.timesteps)))
        super().__init__(
            f"NoiseScrubber({len(shown)} images, {schedule!r})",
            spec,
            still_of_pictures(shown[:1], schedule, draws[where.get("seed", 0)][:1]),
            f"One picture at t = {times}: it turns into noise.",
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
        panel = {
            "kind": "points",
            "caption": "the points with noise at time t: x_t",
            "size": [260, 254],
            "abar": abar_table(schedule),
            **point_data(x_0, noise, limit),
        }
        times = ", ".join(map(str, still_times(schedule.timesteps)))
        super().__init__(
            f"PointScrubber({len(x_0)} points, {schedule!r})",
            _noise_spec(schedule, start, panel, "coordinate"),
            still_of_points(x_0, schedule, noise, limit),
            f"A cloud of points at t = {times}: its shape dissolves.",
        )
