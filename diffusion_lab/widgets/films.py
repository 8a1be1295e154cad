"""The explorers of the lessons: what a sampler, a training or a guidance scale makes of the same noise."""

from collections.abc import Mapping, Sequence

from diffusion_lab.sampling import State
from diffusion_lab.shapes import Images
from diffusion_lab.widgets.explorer import Explorer
from diffusion_lab.widgets.player import text_of


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
            alt=alt or f"The same noise drawn with guidance scales {', '.join(map(text_of, images))}.",
        )  # fmt: skip
