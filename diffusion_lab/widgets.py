"""Sliders: pictures that follow a time, drawn by the browser.

A player is one HTML fragment with its data inside (see ``static/player.js``). It moves in JupyterLab, on a static page
and in a saved notebook with no kernel; where scripts are not allowed a still strip is shown in its place.
"""

import base64
import html
import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffusion_lab.figures import cloud_strip, enlarge, grid, to_uint8
from diffusion_lab.sampling import State
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images, normal_like

STATIC = Path(__file__).parent / "static"


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _int16(values: Tensor) -> tuple[str, float]:
    """Pack numbers as 16-bit integers, and the unit to multiply them by."""
    unit = float(values.abs().max()) / 32_000 or 1.0
    return _base64((values / unit).round().detach().cpu().numpy().astype("<i2")), unit


class Player:
    """A slider with panels that follow it; show it by making it the last line of a cell.

    In a notebook it is an HTML player, a PNG strip for places that allow no scripts, and a line of text.
    """

    def __init__(self, text: str, spec: dict, still: Image.Image, alt: str):
        """Put together a player.

        Args:
            text: what ``repr`` says.
            spec: ``label``, ``count``, ``start``, ``panels``, ``readouts`` and what the panels need, for player.js.
            still: the picture where nothing can move.
            alt: that picture in words.
        """
        self.text, self.spec, self.alt = text, spec, alt
        buffer = io.BytesIO()
        still.save(buffer, "PNG")
        self.still = base64.b64encode(buffer.getvalue()).decode()

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


def _pictures(images: Images, columns: int, width: int, caption: str) -> dict:
    count, channels, height, side = images.shape
    shape = {"count": count, "channels": channels, "height": height, "width": side}
    return {**shape, "columns": min(columns, count), "size": [width, 0], "caption": caption}


def _noise_spec(schedule: DiffusionSchedule, start: int, panels: list[dict], what: str) -> dict:
    """What the two scrubbers of the forward process have in common."""
    abar = schedule.alphas_cumprod
    lines = {
        "signal √ᾱ": abar.sqrt(),
        "noise √(1-ᾱ)": (1 - abar).sqrt(),
    }
    thin = torch.linspace(0, schedule.timesteps, min(201, schedule.timesteps + 1)).round().long()
    curves = {name: [round(v, 4) for v in line[thin].tolist()] for name, line in lines.items()}
    snr = ["∞" if s == float("inf") else f"{s:.3g}" for s in schedule.snr().tolist()]
    return {
        "label": "time t",
        "count": schedule.timesteps + 1,
        "start": start,
        "abar": [float(f"{a:.6g}") for a in abar.tolist()],
        "readouts": [
            *({"name": name, "values": [f"{v:.3f}" for v in line.tolist()]} for name, line in lines.items()),
            {"name": "signal-to-noise ratio", "values": snr},
        ],
        "panels": [
            *panels,
            {"kind": "histogram", "size": [220, 130], "caption": f"{what}; line: standard normal"},
            {"kind": "curves", "size": [220, 130], "lines": curves, "caption": "how much of each is in x_t:"},
        ],
    }


def _still_times(timesteps: int) -> list[int]:
    return [round(timesteps * share) for share in (0, 0.1, 0.25, 0.5, 1)]


class NoiseScrubber(Player):
    """Drag t from 0 to T and watch images turn into noise; the browser computes x_t for every t.

    Beside the pictures: the histogram of their values, signal and noise scale, and the signal-to-noise ratio.
    """

    def __init__(
        self, x_0: Images, schedule: DiffusionSchedule, *, noise: Images | None = None, start: int = 0,
        columns: int = 4, generator: torch.Generator | None = None,
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
        eps, unit = _int16(noise.permute(0, 2, 3, 1))
        panel = _pictures(x_0, columns, 260, "x_t") | {"kind": "noise", "eps": eps, "eps_unit": unit}
        panel["x_0"] = _base64(to_uint8(x_0))
        times = _still_times(schedule.timesteps)
        strip = torch.cat([schedule.add_noise(x_0[:1], t, noise[:1]) for t in times])
        super().__init__(
            f"NoiseScrubber({len(x_0)} images, {schedule!r})",
            _noise_spec(schedule, start, [panel], "values of the pixels"),
            enlarge(grid(strip, len(times)), 3),
            f"One picture at t = {', '.join(map(str, times))}: it turns into noise.",
        )


class PointScrubber(Player):
    """Drag t from 0 to T and watch a cloud of points in the plane turn into a round Gaussian one."""

    def __init__(
        self, x_0: Tensor, schedule: DiffusionSchedule, *, noise: Tensor | None = None, start: int = 0,
        limit: float = 3.0, generator: torch.Generator | None = None,
    ):
        """Noise points, (N, 2), shown from -limit to limit; the other arguments are those of `NoiseScrubber`."""
        noise = normal_like(x_0, generator) if noise is None else noise
        (points, x_0_unit), (eps, eps_unit) = _int16(x_0), _int16(noise)
        units = {"x_0_unit": x_0_unit, "eps_unit": eps_unit, "limit": limit, "size": [240, 240]}
        panel = {"kind": "points", "caption": "x_t", "x_0": points, "eps": eps, **units}
        times = _still_times(schedule.timesteps)
        super().__init__(
            f"PointScrubber({len(x_0)} points, {schedule!r})",
            _noise_spec(schedule, start, [panel], "coordinates of the points"),
            cloud_strip([schedule.add_noise(x_0, t, noise) for t in times], limit),
            f"A cloud of points at t = {', '.join(map(str, times))}: its shape dissolves.",
        )


class TrajectoryScrubber(Player):
    """Drag through a sampler's steps: on the left the noisy x_t, on the right the network's guess of x_0."""

    def __init__(self, x_T: Images, states: Sequence[State], *, timesteps: int = 1000, columns: int = 4):
        """Show what a sampler did.

        Args:
            x_T: the noise it began with, (B, C, H, W).
            states: what it yielded, in order.
            timesteps: T, the time of x_T.
            columns: pictures per row.
        """
        noisy = [x_T, *(state.x_t for state in states)]
        guesses = [states[0].x_0_hat, *(state.x_0_hat for state in states)]
        captions = {"x_t: where the sampler is": noisy, "x̂_0: what the network sees in it": guesses}
        panels = [
            _pictures(x_T, columns, 240, caption)
            | {"kind": "frames", "frames": _base64(np.stack([to_uint8(batch) for batch in images]))}
            for caption, images in captions.items()
        ]
        times = [timesteps, *(state.t for state in states)]
        chosen = torch.linspace(0, len(noisy) - 1, 6).round().long().tolist()
        strip = torch.cat([*(noisy[k][:1] for k in chosen), *(guesses[k][:1] for k in chosen)])
        super().__init__(
            f"TrajectoryScrubber({len(x_T)} images, {len(states)} steps)",
            {
                "label": "step",
                "count": len(noisy),
                "start": 0,
                "readouts": [{"name": "time t", "values": times}],
                "panels": panels,
            },
            enlarge(grid(strip, len(chosen)), 3),
            f"Steps {', '.join(map(str, chosen))}: above, noise becomes a picture; below, the guess of x_0.",
        )
