"""The explorers of the lessons: what a sampler, a training, a block or a guidance scale makes of the same noise."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diffusion_lab.sampling import State
from diffusion_lab.shapes import Images
from diffusion_lab.widgets.explorer import Explorer
from diffusion_lab.widgets.packing import text_of
from diffusion_lab.widgets.player import places_of, table


class TrajectoryScrubber(Explorer):
    """Drag through a sampler's steps: on the left the noisy x_t, on the right the network's guess of x_0.

    Beside the steps there may be choices, such as the digit and the seed; what was not drawn for the page is drawn
    while a kernel runs.
    """

    def __init__(
        self,
        x_T: Images,
        states: Sequence[State],
        *,
        timesteps: int = 1000,
        columns: int = 4,
        choices: Mapping[str, Sequence] | None = None,
        start: Mapping[str, Any] | None = None,
        sample: Callable[..., tuple[Images, Sequence[State]]] | None = None,
    ):
        """Show what a sampler did.

        Args:
            x_T: the noise it began with, (B, C, H, W).
            states: what it yielded, in order.
            timesteps: T, the time of x_T.
            columns: pictures per row.
            choices: values of more sliders, such as ``{"digit": range(10), "seed": range(5)}``.
            start: which of them x_T and the states belong to; the first value of each that it does not name.
            sample: a function of one value for each choice that gives x_T and as many states for them. It is called
                in inference mode, possibly on another thread.

        A `ValueError` says if there are choices and no function, or the other way round, or `start` is no choice.
        """
        if bool(choices) != (sample is not None):
            raise ValueError(
                "choices and sample belong together: which values there are, and what draws them"
            )
        choices = {name: list(values) for name, values in (choices or {}).items()}
        here = {
            name: values[k]
            for (name, values), k in zip(choices.items(), places_of(choices, start or {}), strict=True)
        }

        @functools.lru_cache(maxsize=4)
        def film(*values: Any) -> list[dict[str, Any]]:
            first = (x_T, states) if values == tuple(here.values()) else sample(*values)
            return _film(*first, timesteps)

        super().__init__(
            {"step": range(len(states) + 1)} | choices,
            lambda step, *values: film(*values)[step],
            ahead={name: [value] for name, value in here.items()},
            start=here,
            columns=columns,
            alt="Some of the steps: above, noise becomes a picture; below, the guess of x_0.",
        )
        self.text = f"TrajectoryScrubber({len(x_T)} images, {len(states)} steps)"


def _film(x_T: Images, states: Sequence[State], timesteps: int) -> list[dict[str, Any]]:
    """What a trajectory shows at each step, the first before any was taken."""
    noisy = [x_T, *(state.x_t for state in states)]
    guesses = [states[0].x_0_hat, *(state.x_0_hat for state in states)]
    times = [timesteps, *(state.t for state in states)]
    captions = ("x_t: where the sampler is", "x̂_0: what the network sees in it", "time t")
    return [dict(zip(captions, step, strict=True)) for step in zip(noisy, guesses, times, strict=True)]


class StepsExplorer(Explorer):
    """Choose how many steps a sampler takes and how much fresh noise it adds (eta), always from the same noise."""

    def __init__(
        self,
        draw: Mapping[tuple[int, int | float], Any] | Callable[..., Any],
        *,
        steps: Sequence[int],
        etas: Sequence[int | float],
        ahead: Mapping[str, Sequence] | None = None,
        columns: int = 5,
        shades: int = 24,
        start: Mapping[str, Any] | None = None,
    ):
        """Show what was drawn with each number of steps and each eta.

        Args:
            draw: by ``(steps, eta)``, or a function of both: what `draw` of an `Explorer` returns.
            steps: numbers of steps.
            etas: 0 adds no fresh noise (DDIM), 1 as much as DDPM.
            ahead: which ``"steps"`` and ``"eta"`` to draw now; see `Explorer`.
            columns, shades, start: see `Explorer`.
        """
        alt = "The same noise drawn in more and more steps, without fresh noise."
        axes = {"steps": steps, "eta": etas}
        super().__init__(axes, draw, ahead=ahead, columns=columns, shades=shades, start=start, alt=alt)


class FeatureMaps(Explorer):
    """Choose a block of a network and a time, and see what the block makes of x_t."""

    def __init__(
        self,
        draw: Mapping[tuple[str, int], Any] | Callable[..., Any],
        *,
        blocks: Sequence[str],
        times: Sequence[int],
        columns: int = 4,
        shades: int = 16,
        start: Mapping[str, Any] | None = None,
    ):
        """Show the maps of each block at each time.

        Args:
            draw: by ``(block, t)``, or a function of both: what `draw` of an `Explorer` returns.
            blocks: names, in the order in which a picture passes them.
            times: of x_t.
            columns, shades, start: see `Explorer`.
        """
        at = text_of((start or {}).get("time t", times[0]))
        alt = (
            f"Feature maps of some blocks at t = {at}: outlines of the picture, coarser in the middle of"
            " the U."
        )
        axes = {"block": blocks, "time t": times}
        super().__init__(axes, draw, columns=columns, shades=shades, start=start, alt=alt)


class TrainingScrubber(Explorer):
    """Drag through a training: what the network draws from the same noise at each checkpoint."""

    def __init__(
        self,
        checkpoints: Mapping[int, Any],
        *,
        curves: Mapping[str, Sequence[int | float]] | None = None,
        columns: int = 5,
        shades: int = 64,
    ):
        """Show the checkpoints.

        Args:
            checkpoints: by the steps that had been trained: what `draw` of an `Explorer` returns.
            curves: a number per checkpoint, by name, such as the loss; drawn as a line from its least to its
                largest.
            columns, shades: see `Explorer`.
        """
        alt = "The same noise, drawn at several points of the training: noise, then blots, then pictures."
        super().__init__(
            {"after step": list(checkpoints)}, checkpoints, columns=columns, shades=shades, alt=alt
        )
        if curves:
            self.spec["panels"].append(_curves_panel(curves, len(checkpoints)))


def _curves_panel(curves: Mapping[str, Sequence[int | float]], count: int) -> dict:
    """Describe a line for each name, stretched from its least value to its largest."""
    lines, ranges = {}, {}
    for name, values in curves.items():
        if len(values) != count:
            raise ValueError(
                f"curves[{name!r}] must have a number for each of {count} checkpoints, got {len(values)}"
            )
        least, most = min(values), max(values)
        stretched = [round((value - least) / ((most - least) or 1), 4) for value in values]
        lines[name], ranges[name] = table([stretched]), [least, most]
    panel = {"kind": "curves", "size": [340, 190], "lines": lines}
    if len(ranges) == 1:
        ((name, (low, high)),) = ranges.items()
        return panel | {"y": {"low": low, "high": high, "name": name}, "caption": "over the training:"}
    texts = {name: [text_of(float(end), 3) for end in ends] for name, ends in ranges.items()}
    words = {"words": ["least", "most"]}
    return panel | {"y": words, "ranges": texts, "caption": "each from its least to its largest value:"}


class GuidanceExplorer(Explorer):
    """Drag the guidance scale and watch the same noise become other pictures."""

    def __init__(
        self,
        images: Mapping[int | float, Images],
        *,
        readouts: Mapping[str, Mapping] | None = None,
        draw: Callable[[int | float], Images] | None = None,
        scales: Sequence[int | float] = (),
        start: int | float | None = None,
        columns: int = 10,
        shades: int = 64,
        alt: str = "",
    ):
        """Show what was drawn at each scale.

        Args:
            images: by guidance scale, each (B, C, H, W); from the same noise, so that only the scale differs.
            readouts: numbers or text by name and scale, such as ``{"accuracy": {0: "11 %", 1: "97 %"}}``.
            draw: a function that draws the same at another scale, when the slider gets there; see `Explorer`.
            scales: those scales.
            start: scale to begin at, the first if None.
            columns: pictures per row, such as one column per class.
            shades: see `Explorer`.
            alt: what there is to see, in words.
        """
        if scales and draw is None:
            raise ValueError("scales need a function to draw them: draw=...")

        def draw_with_readouts(s):
            texts = {name: by_scale.get(s, "not measured") for name, by_scale in (readouts or {}).items()}
            return {"drawn from the same noise": images[s] if s in images else draw(s), **texts}

        super().__init__(
            {"guidance scale": sorted({*images, *scales}) if scales else list(images)},
            draw_with_readouts,
            ahead={"guidance scale": list(images)} if scales else None,
            start=None if start is None else {"guidance scale": start},
            columns=columns,
            shades=shades,
            alt=alt or f"The same noise drawn with guidance scales {', '.join(map(text_of, images))}.",
        )
