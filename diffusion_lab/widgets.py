"""Sliders: pictures that follow a time, a scale or a choice, drawn by the browser.

A player is one HTML fragment with its data inside (see ``static/player.js``). It moves in JupyterLab, on a static page
and in a saved notebook with no kernel; where scripts are not allowed a still strip is shown in its place.

Everything that depends on the sliders is a *table*: ``over`` names some sliders by their place in the list, ``values``
holds one entry per combination of where they stand, the last one running fastest.
"""

import base64
import html
import io
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffusion_lab.figures import Picture, cloud_strip, enlarge, grid, labelled_grid, to_uint8
from diffusion_lab.sampling import State
from diffusion_lab.schedules import CURVES, DiffusionSchedule
from diffusion_lab.shapes import Images, check_range, normal_like

STATIC = Path(__file__).parent / "static"
WIDTH, HEIGHT, SPACE = 760, 360, 17  # room for all panels of a player, and between two, in the page's pixels
MAX_KB = 700  # one player; a whole lesson must stay below 1000


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _int16(values: Tensor) -> tuple[str, float]:
    """Pack numbers as 16-bit integers, and the unit to multiply them by."""
    unit = float(values.abs().max()) / 32_000 or 1.0
    return _base64((values / unit).round().detach().cpu().numpy().astype("<i2")), unit


def _png(pixels: np.ndarray, shades: int = 16) -> str:
    """Pack bytes, (H, W) or (H, W, 3), with so many shades of each colour: the fewer, the smaller."""
    unit = 255 / (shades - 1)
    pixels = (np.round(pixels / unit) * unit).round().astype(np.uint8)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    picture = Image.fromarray(pixels)
    if pixels.ndim == 3:
        code, which = np.unique(pixels.astype(np.int32) @ (1 << 16, 1 << 8, 1), return_inverse=True)
        if len(code) <= 256:
            picture = Image.fromarray(which.reshape(pixels.shape[:2]).astype(np.uint8), "P")
            picture.putpalette(np.stack([code >> 16, code >> 8 & 255, code & 255], 1).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _opened(picture: Picture | Image.Image | bytes) -> np.ndarray:
    """Give the pixels of a finished picture, (H, W) or (H, W, 3)."""
    data = picture.png if isinstance(picture, Picture) else picture
    opened = Image.open(io.BytesIO(data)) if isinstance(data, bytes) else data
    return np.array(opened if opened.mode == "L" else opened.convert("RGB"))


def _text(value: Any, figures: int = 6) -> str:
    return f"{value:.{figures}g}" if isinstance(value, float) else str(value)


def _slider(label: str, values: Sequence, start: int = 0) -> dict:
    """One slider, or a row of buttons where the values are names; `start` is a place in `values`."""
    if list(values) == list(range(len(values))):
        return {"label": label, "count": len(values), "start": start}
    names = all(isinstance(value, str) for value in values)
    return {"label": label, "values": [_text(value) for value in values], "start": start, "names": names}


def _table(values: Iterable, *over: int) -> dict:
    return {"over": over, "values": list(values)}


class Player:
    """Sliders with panels that follow them; show it by making it the last line of a cell.

    In a notebook it is an HTML player, a PNG strip for places that allow no scripts, and a line of text.
    """

    def __init__(self, text: str, spec: dict, still: Image.Image | Picture, alt: str):
        """Put together a player.

        Args:
            text: what ``repr`` says.
            spec: ``sliders`` (the first one has the play button), ``readouts``, ``panels`` and what the panels need,
                for player.js.
            still: the picture where nothing can move.
            alt: that picture in words.
        """
        self.text, self.spec, self.still, self.alt = text, spec, _png(_opened(still)), alt

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


def _tiles(count: int, height: int, width: int, columns: int, room: tuple) -> dict:
    """Where pictures stand in rows, and how large: each pixel becomes a square of a whole number of the page's."""
    columns = min(columns, count)
    gap = 2 if count > 1 else 0
    whole = (columns * (width + gap) - gap, -(-count // columns) * (height + gap) - gap)
    zoom = max(1, int(min(space / side for space, side in zip(room, whole, strict=True))))
    size = [zoom * side for side in whole]
    return {"count": count, "cell": [width, height], "columns": columns, "gap": gap, "size": size}


def _noise_panel(x_0: Images, noise: Images, columns: int, abar: dict, width: int = 260) -> dict:
    """Pictures that the browser noises itself, from the table `abar` of alphas_cumprod."""
    count, channels, *sides = x_0.shape
    eps, unit = _int16(noise.permute(0, 2, 3, 1))
    data = {"channels": channels, "x_0": _base64(to_uint8(x_0)), "eps": eps, "eps_unit": unit, "abar": abar}
    return {"kind": "noise", "caption": "x_t", **_tiles(count, *sides, columns, (width, width)), **data}


def _abar_table(schedule: DiffusionSchedule) -> dict:
    return _table([float(f"{a:.6g}") for a in schedule.alphas_cumprod.tolist()], 0)


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
    curves = {name: _table([_thinned(line, 201)]) for name, line in lines.items()}
    said = {name: [f"{value:.3f}" for value in line.tolist()] for name, line in lines.items()}
    said["signal-to-noise ratio"] = [_ratio(value) for value in schedule.snr().tolist()]
    return {
        "sliders": [_slider("time t", range(schedule.timesteps + 1), start)],
        "readouts": [{"name": name, **_table(values, 0)} for name, values in said.items()],
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
        panel = _noise_panel(x_0, noise, columns, _abar_table(schedule))
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
        self, x_0: Tensor, schedule: DiffusionSchedule, *, noise: Tensor | None = None, start: int = 0,
        limit: float = 3.0, generator: torch.Generator | None = None,
    ):
        """Noise points, (N, 2), shown from -limit to limit; the other arguments are those of `NoiseScrubber`."""
        noise = normal_like(x_0, generator) if noise is None else noise
        (points, x_0_unit), (eps, eps_unit) = _int16(x_0), _int16(noise)
        units = {"x_0_unit": x_0_unit, "eps_unit": eps_unit, "limit": limit, "size": [240, 240]}
        panel = {"kind": "points", "caption": "x_t", "abar": _abar_table(schedule), "x_0": points, "eps": eps, **units}
        times = _still_times(schedule.timesteps)
        super().__init__(
            f"PointScrubber({len(x_0)} points, {schedule!r})",
            _noise_spec(schedule, start, panel, "coordinates of the points"),
            cloud_strip([schedule.add_noise(x_0, t, noise) for t in times], limit),
            f"A cloud of points at t = {', '.join(map(str, times))}: its shape dissolves.",
        )


class ScheduleExplorer(Player):
    """Choose a noise schedule and its length T, drag through time, and watch a picture go under in noise.

    Beside the pictures: alphas_cumprod over time, and how much of the signal is left at the very end, t = T.
    """

    def __init__(
        self, x_0: Images, *, curves: Sequence[str] = tuple(CURVES), timesteps: Sequence[int] = (10, 50, 200, 1000),
        rescale: bool = False, noise: Images | None = None, start: Mapping[str, Any] | None = None, columns: int = 2,
        positions: int = 51, generator: torch.Generator | None = None,
    ):
        """Compare schedules on a few images.

        Args:
            x_0: in [-1, 1], (B, C, H, W); one to four are easiest to watch.
            curves: names of schedules.
            timesteps: lengths T.
            rescale: multiply the betas by 1000 / T, as the named schedules do unless told otherwise; if False, every T
                gets the same range of betas.
            noise: standard normal, shape of x_0; drawn with `generator` if None.
            start: where sliders begin, such as ``{"schedule": "cosine", "T": 200}``; t = 0 of the longest T if None.
            columns: pictures per row.
            positions: of the slider of time, from t = 0 to t = T; a position between two times shows the nearest.
        """
        check_range("positions", positions, 2)
        noise = normal_like(x_0, generator) if noise is None else noise
        shares = [k / (positions - 1) for k in range(positions)]
        axes = {"time t / T": [f"{share:.2f}" for share in shares], "schedule": list(curves), "T": list(timesteps)}
        TIME, CURVE, LENGTH = range(3)
        schedules = [DiffusionSchedule.named(c, T, rescale=rescale) for c, T in itertools.product(curves, timesteps)]
        times = [[round(share * T) for share in shares] for T in timesteps]
        abar = [s.alphas_cumprod[times[k % len(times)]].tolist() for k, s in enumerate(schedules)]
        terminal = [float(s.snr()[-1]) for s in schedules]
        lines = {
            curve: _table([_thinned(s.alphas_cumprod, 101) for s in schedules if s.config["curve"] == curve], LENGTH)
            for curve in curves
        }
        marks = _table([t / T for T, row in zip(timesteps, times, strict=True) for t in row], LENGTH, TIME)
        now = _table([float(f"{a:.6g}") for row in abar for a in row], CURVE, LENGTH, TIME)
        said = {
            "t": _table([f"{t} of {T}" for T, row in zip(timesteps, times, strict=True) for t in row], LENGTH, TIME),
            "ᾱ_t": _table([f"{a:.4f}" for row in abar for a in row], CURVE, LENGTH, TIME),
            "signal-to-noise ratio ᾱ_t/(1-ᾱ_t)": _table(
                [_ratio(a / (1 - a) if a < 1 else float("inf")) for row in abar for a in row], CURVE, LENGTH, TIME
            ),
        }
        begin = _begin(axes, {"T": max(timesteps), **(start or {})})
        super().__init__(
            f"ScheduleExplorer({len(x_0)} images, {' '.join(curves)}, T = {' '.join(map(str, timesteps))})",
            {
                "sliders": [
                    _slider(name, values, k) | {"names": name == "schedule"}
                    for (name, values), k in zip(axes.items(), begin, strict=True)
                ],
                "readouts": [{"name": name, **table} for name, table in said.items()],
                "panels": [
                    _noise_panel(x_0, noise, columns, now),
                    {"kind": "curves", "size": [240, 150], "lines": lines, "at": marks, "chosen": CURVE,
                     "caption": "ᾱ_t, from 0 to 1: the signal's share of the variance"},
                    {"kind": "meter", "size": [220, 150], "low": -9, "high": 2, **_table(terminal, CURVE, LENGTH),
                     "caption": "terminal signal-to-noise ratio: what is left of the picture at t\u00a0=\u00a0T"},
                ],
            },
            _strip_of_schedules(x_0[:1], noise[:1], schedules, len(timesteps)),
            f"One picture at t = T. Rows: {', '.join(curves)}. Columns: T = {', '.join(map(str, timesteps))}.",
        )


def _strip_of_schedules(x_0: Images, noise: Images, schedules: list[DiffusionSchedule], columns: int) -> Picture:
    ends = [to_uint8(schedule.add_noise(x_0, schedule.timesteps, noise))[0] for schedule in schedules]
    rows = {schedules[k].config["curve"]: ends[k : k + columns] for k in range(0, len(ends), columns)}
    names = [f"T = {schedule.timesteps}" for schedule in schedules[:columns]]
    return labelled_grid(rows, names, title="the last step, t = T", width=4.0)


def _begin(axes: Mapping[str, Sequence], start: Mapping[str, Any]) -> list[int]:
    """Places of the values in `start`, the first where it says nothing."""
    for name, value in start.items():
        if name not in axes:
            raise ValueError(f"start has {name!r}, which is no axis; the axes are: {', '.join(axes)}")
        if value not in axes[name]:
            raise ValueError(f"start has {name} = {value!r}; choose one of: {', '.join(map(_text, axes[name]))}")
    return [list(values).index(start[name]) if name in start else 0 for name, values in axes.items()]


def _pack(pixels: np.ndarray, columns: int) -> np.ndarray:
    """Put pictures, (B, H, W) or (B, H, W, 3), into one, in rows with no space between them."""
    count, height, width, *rest = pixels.shape
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width, *rest), np.uint8)
    full[:count] = pixels
    packed = full.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return packed.reshape(rows * height, columns * width, *rest)


class Explorer(Player):
    """Sliders over anything that can be drawn beforehand: every combination is drawn now and kept in the notebook.

    An axis of numbers is a slider, an axis of names a row of buttons; the first one can be played. Pictures that are
    the same are kept once.
    """

    def __init__(
        self, axes: Mapping[str, Sequence], draw: Callable[..., Any] | Mapping[Any, Any], *, alt: str,
        start: Mapping[str, Any] | None = None, still: Sequence | None = None, columns: int = 8, caption: str = "",
        shades: int = 64,
    ):  # fmt: skip
        """Draw every combination.

        Args:
            axes: the values of each slider, such as ``{"steps": [2, 5, 10], "eta": [0, 0.5, 1]}``.
            draw: a function of one value per axis, ``draw(steps, eta)``, or what it would return, by tuples of values,
                ``{(2, 0): …}`` (by values alone if there is one axis). It returns images in [-1, 1], (B, C, H, W), or
                one picture: a ``figures.Picture``, a PIL image, bytes of a PNG, or pixels, (H, W) or (H, W, 3) in
                uint8. Or a dict of several, by caption, side by side; text and numbers in it become read-outs.
            alt: what there is to see, in words.
            start: where the sliders begin, such as ``{"eta": 0.5}``; the first value of each axis it does not name.
            still: tuples of values to show where nothing can move; some of the first axis if None.
            columns: pictures per row, for images.
            caption: below a picture that has none.
            shades: levels of grey, or of each colour, in images, 2 … 256; fewer make the notebook smaller.

        Raises:
            ValueError: if a combination is missing or cannot be drawn, or all of them together are over 700 kB.
        """
        axes = {name: list(values) for name, values in axes.items()}
        if not axes or not all(axes.values()):
            raise ValueError(f"axes must name at least one slider, each with at least one value, got {axes}")
        if not 2 <= shades <= 256:
            raise ValueError(f"shades must lie in 2 … 256, got {shades}")
        self._axes, self._size = axes, " × ".join(axes) + ": " + " × ".join(str(len(v)) for v in axes.values())
        begin = _begin(axes, start or {})
        if still is not None:
            still = [values if isinstance(values, tuple) else (values,) for values in still]
        frames: dict[str, _Frames] = {}
        said: dict[str, list[str]] = {}
        combinations = list(itertools.product(*axes.values()))
        if wrong := [values for values in still or () if values not in combinations]:
            raise ValueError(f"still has {wrong[0]}, which is no combination of {self._size}")
        for done, values in enumerate(combinations):
            drawn = self._drawn(draw, values, caption)
            for name, content in drawn.items():
                if isinstance(content, str | int | float):
                    said.setdefault(name, []).append(_text(content, 3))
                else:
                    frames.setdefault(name, _Frames(columns, shades)).add(content)
            if uneven := [name for name, column in (frames | said).items() if len(column) != done + 1]:
                raise ValueError(f"draw must return the same names for every combination; {uneven} at {values}")
            self._check_size(sum(f.bytes for f in frames.values()), done + 1, len(combinations))
        if not frames:
            raise ValueError(f"draw must return at least one picture, got only text: {', '.join(said)}")
        room = _room(frames.values())
        every = range(len(axes))
        shown = still or _some_of_the_first(list(axes.values()), begin, 3 if _are_wide(frames.values()) else 5)
        places = [combinations.index(values) for values in shown]
        super().__init__(
            f"{type(self).__name__}({self._size})",
            {
                "sliders": [_slider(name, axes[name], k) for name, k in zip(axes, begin, strict=True)],
                "readouts": [{"name": name, **_table(column, *every)} for name, column in said.items()],
                "panels": [column.panel(name, room) | {"over": [*every]} for name, column in frames.items()],
            },
            self._still({name: [column[k] for k in places] for name, column in frames.items()}, shown),
            alt,
        )

    def _drawn(self, draw: Callable[..., Any] | Mapping[Any, Any], values: tuple, caption: str) -> dict:
        if callable(draw):
            drawn = draw(*values)
        else:
            key = values[0] if len(values) == 1 and values[0] in draw else values
            if key not in draw:
                raise ValueError(f"draw has no entry for {dict(zip(self._axes, values, strict=True))}")
            drawn = draw[key]
        drawn = drawn if isinstance(drawn, Mapping) else {caption: drawn}
        scalar = {name: isinstance(one, Tensor | np.ndarray) and one.ndim == 0 for name, one in drawn.items()}
        return {name: one.item() if scalar[name] else one for name, one in drawn.items()}

    def _check_size(self, size: int, done: int, total: int) -> None:
        if size > MAX_KB * 1000:
            raise ValueError(
                f"the pictures would put about {size * total // done // 1000:,} kB into the notebook, and {MAX_KB} kB "
                f"is the most: {total} combinations ({self._size}) of about {size // done / 1000:.1f} kB each. Reduce "
                "the values of an axis, the number or size of the images, or `shades`; or the size of the figure"
            )

    def _still(self, rows: dict[str, list[np.ndarray]], shown: Sequence[tuple]) -> Picture:
        def say(values: Iterable[tuple[str, Any]]) -> list[str]:
            return [value if isinstance(value, str) else f"{name} = {_text(value)}" for name, value in values]

        different = [len(set(column)) > 1 for column in zip(*shown, strict=True)]
        named = [list(zip(self._axes, values, strict=True)) for values in shown]
        names = ["\n".join(say(itertools.compress(one, different))) for one in named]
        title = ", ".join(say(itertools.compress(named[0], [not one for one in different])))
        return labelled_grid(rows, names, title=title)


def _some_of_the_first(axes: list[list], begin: list[int], count: int) -> list[tuple]:
    """Choose combinations to show where nothing can move."""
    some = torch.linspace(0, len(axes[0]) - 1, min(count, len(axes[0]))).round().long().tolist()
    rest = [values[k] for values, k in zip(axes[1:], begin[1:], strict=True)]
    return [(axes[0][k], *rest) for k in some]


class _Frames:
    """What one panel of an `Explorer` shows: a PNG for each combination, the same ones kept once."""

    def __init__(self, columns: int, shades: int):
        self.columns, self.shades = columns, shades
        self.index: list[int] = []  # of the picture, for each combination
        self.pictures: dict[str, tuple[int, int, int]] = {}  # PNG: how many in it, height and width of one
        self.whole: list[np.ndarray] = []  # for each picture, as it looks on white
        self.smooth = False

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, combination: int) -> np.ndarray:
        return self.whole[self.index[combination]]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.pictures))

    def add(self, content: Any) -> None:
        if isinstance(content, Tensor):
            pixels, whole = to_uint8(content), grid(content, self.columns)
            png, shape = _png(_pack(pixels, min(self.columns, len(pixels))), self.shades), pixels.shape[:3]
        elif isinstance(content, np.ndarray) and content.dtype == np.uint8 and content.ndim in (2, 3):
            png, shape, whole = _png(content, self.shades), (1, *content.shape[:2]), content
        elif isinstance(content, Picture | Image.Image | bytes):
            self.smooth, whole = True, _opened(content)
            png, shape = _png(whole), (1, *whole.shape[:2])
        else:
            raise ValueError(
                "draw must return images (B, C, H, W) in [-1, 1], a figures.Picture, a PIL image, a PNG, pixels in "
                f"uint8, or a dict of these, got {type(content).__name__}"
            )
        if png not in self.pictures:
            self.pictures[png] = shape
            self.whole.append(whole)
        self.index.append(list(self.pictures).index(png))

    def panel(self, caption: str, room: tuple) -> dict:
        counts, heights, widths = zip(*self.pictures.values(), strict=True)
        if self.smooth:  # letters are never enlarged
            room = (0, 0)
        tiles = _tiles(max(counts), max(heights), max(widths), self.columns, room)
        where = {"counts": counts, "index": self.index, "smooth": self.smooth}
        return {"kind": "frames", "caption": caption, **tiles, **where, "frames": list(self.pictures)}


def _room(frames: Iterable[_Frames]) -> tuple:
    """Width and height for each panel of pixels: what figures, which keep their size, leave in a row."""
    figures = [max(whole.shape[1] for whole in one.whole) for one in frames if one.smooth]
    others = sum(not one.smooth for one in frames) or 1
    left = (WIDTH - sum(figures) - SPACE * (len(figures) + others - 1)) / others
    return (left if left >= 120 else (WIDTH - SPACE * (others - 1)) / others), HEIGHT


def _are_wide(frames: Iterable[_Frames]) -> bool:
    return any(whole.shape[1] > 1.6 * whole.shape[0] for one in frames for whole in one.whole)


class TrajectoryScrubber(Explorer):
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
        times = [timesteps, *(state.t for state in states)]
        captions = ("x_t: where the sampler is", "x̂_0: what the network sees in it", "time t")
        film = [dict(zip(captions, step, strict=True)) for step in zip(noisy, guesses, times, strict=True)]
        alt = "Some of the steps: above, noise becomes a picture; below, the guess of x_0."
        super().__init__({"step": range(len(film))}, film.__getitem__, columns=columns, alt=alt)
        self.text = f"TrajectoryScrubber({len(x_T)} images, {len(states)} steps)"


class GuidanceExplorer(Explorer):
    """Drag the guidance scale and watch the same noise become other pictures."""

    def __init__(
        self, images: Mapping[int | float, Images], *, readouts: Mapping[str, Mapping] | None = None,
        start: int | float | None = None, columns: int = 10, shades: int = 64, alt: str = "",
    ):  # fmt: skip
        """Show what was drawn at each scale.

        Args:
            images: by guidance scale, each (B, C, H, W); from the same noise, so that only the scale differs.
            readouts: numbers or text by name and scale, such as ``{"accuracy": {0: "11 %", 1: "97 %"}}``.
            start: scale to begin at, the first if None.
            columns: pictures per row, such as one column per class.
            shades: see `Explorer`.
            alt: what there is to see, in words.
        """
        super().__init__(
            {"guidance scale": list(images)},
            lambda s: {"drawn from the same noise": images[s], **{n: r[s] for n, r in (readouts or {}).items()}},
            start=None if start is None else {"guidance scale": start}, columns=columns, shades=shades,
            alt=alt or f"The same noise drawn with guidance scales {', '.join(map(_text, images))}.",
        )  # fmt: skip
