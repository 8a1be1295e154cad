"""A training to watch: the loss as it falls, pictures drawn from the same noise on the way, and the time left.

It is one picture that is replaced in place while the training runs. At the end a plain PNG stays, so that a
saved notebook holds nothing that needs a kernel. Drawing takes about a twentieth of the time: whatever it
costs here, the next drawing waits twenty times as long.
"""

import base64
import io
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import torch
from IPython.display import display
from torch import Generator, Tensor

from diffusion_lab.figures import COLOURS, Picture, grid, new_figure
from diffusion_lab.fitting import Step
from diffusion_lab.monitor import Monitor
from diffusion_lab.sampling import sample
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images

ALT_LOSS = "The loss of a training after each step, as dots, and its running mean, as a line."
ALT_SAMPLES = " Beside it, pictures that the network draws, always from the same noise."
FIGURE_SHARE, SAMPLES_SHARE = 0.03, 0.02
"""How much of the time may go into rendering the figure, after the first time, and into drawing samples."""
MOST_POINTS = 1000
"""Of a curve, while it is live."""


def watch(steps: Iterable[Step], *, num_steps: int, draw: Callable[[Any], Images] | None = None) -> Monitor:
    """Watch a training while it runs, and let ■ stop it after the step in progress.

    In a notebook one display shows the loss, pictures, and the time left; elsewhere there is a progress bar and
    no picture. ``training = watch(train(…), num_steps=1200)`` and, in a cell of its own, ``for step in training:``
    stops at ■ with one line, and goes on when that cell is run again. See `Monitor`.

    Args:
        steps: what `fit`, `train`, `distill` or another training yields.
        num_steps: the index of the last step.
        draw: a function of the network with averaged weights that gives images in [-1, 1], (B, C, H, W). It
            should draw from the same noise every time. The training draws the same random numbers with it and
            without it, if it does not use the training's generator.
    """
    if in_kernel():
        return TrainingMonitor(steps, num_steps=num_steps, draw=draw)
    return Monitor(steps, num_steps=num_steps)


def in_kernel() -> bool:
    """Whether this is a notebook's kernel, which can replace what it has shown."""
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


def draw_samples(
    loader: Any, schedule: DiffusionSchedule, objective: str = "v", number: int = 10
) -> Callable[[Any], Images] | None:
    """Make a function for `watch` that draws `number` pictures like those of a loader, always from the same noise.

    A network with classes draws them in turn. None if the loader has neither a ``dataset`` nor a first batch to
    look at, or holds no pictures.
    """
    examples = getattr(loader, "dataset", loader)
    try:
        with torch.random.fork_rng(devices=[]):
            example = examples[0]
    except (LookupError, NotImplementedError, TypeError):
        return None
    example = example[0] if isinstance(example, list | tuple) else example
    if not isinstance(example, Tensor) or example.ndim < 3 or example.shape[-3] not in (1, 3):
        return None
    shape = (number, *example.shape[-3:])

    def draw(model: Any) -> Images:
        classes = getattr(model, "null_label", None)
        return sample(
            model,
            schedule,
            shape,
            num_steps=10,
            labels=None if classes is None else [k % classes for k in range(number)],
            objective=objective,
            generator=Generator().manual_seed(0),
            progress=False,
        )

    return draw


class TrainingMonitor(Monitor):
    """The display of `watch` in a notebook."""

    def __init__(
        self,
        steps: Iterable[Step],
        *,
        num_steps: int,
        draw: Callable[[Any], Images] | None = None,
        quiet: bool = False,
    ):
        """See `watch` and `Monitor`."""
        super().__init__(steps, num_steps=num_steps, quiet=quiet)
        self.draw = draw
        self.seconds = {"figure": 0.0, "samples": 0.0}
        """What drawing has taken since the loop began."""
        self._handle, self._png, self._lock = None, "", threading.Lock()
        self._begin, self._first = 0.0, 0
        self._samples, self._samples_step = None, 0
        self._figure = None

    # the hooks of Monitor

    def _is_open(self) -> bool:
        return self._handle is not None

    def _open(self, step: Step) -> None:
        self._begin, self._first = time.perf_counter(), step.index
        self.seconds = dict.fromkeys(self.seconds, 0.0)
        self._draw_samples(step)
        self._handle = display(self._live(), raw=True, display_id=True)
        self.seconds["figure"] = 0.0  # the first takes many times as long as the others

    def _show(self, step: Step) -> None:
        if step.index == self._first:  # it was shown when the display was opened
            return
        elapsed = time.perf_counter() - self._begin
        if self.draw and self.seconds["samples"] <= SAMPLES_SHARE * elapsed:
            self._draw_samples(step)
        if self.seconds["figure"] <= FIGURE_SHARE * elapsed:
            self._handle.update(self._live(), raw=True)

    def _say_stopping(self) -> None:
        with self._lock:  # the end may have come first
            if self._handle is not None:
                image = f'<img src="data:image/png;base64,{self._png}" alt="{escape(self._alt())}">'
                html = f"{image}<div>stopping after the step in progress …</div>"
                self._handle.update({"text/html": html, "text/plain": self._alt()}, raw=True)

    def _close(self, step: Step | None) -> None:
        if not self.losses:
            return
        if step is not None and step.index != self._samples_step:
            self._draw_samples(step)
        self._set_figure(f"step {self.index:,} of {self.num_steps:,}", list(self.losses))
        self._figure.set_layout_engine("constrained")
        still = Picture(self._figure, self._alt())
        with self._lock:
            if self._handle is None:  # there was no step left
                display(still)
            else:
                self._handle.update(still)
            self._handle = self._figure = None

    # drawing

    def _alt(self) -> str:
        return ALT_LOSS + (ALT_SAMPLES if self.draw else "")

    def _draw_samples(self, step: Step) -> None:
        if not self.draw:
            return
        begin = time.perf_counter()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            self._samples, self._samples_step = self.draw(step.ema), step.index
        self.seconds["samples"] += time.perf_counter() - begin

    def _live(self) -> dict[str, str]:
        """Render what is known now; the text beside it never changes, so that a stored output compares."""
        begin = time.perf_counter()
        left = self._time_left(begin)
        indices = list(self.losses)
        title = f"step {self.index:,} of {self.num_steps:,}"
        self._set_figure(
            title + (f" · {left} left" if left else ""), indices[:: 1 + len(indices) // MOST_POINTS]
        )
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
        self._figure.set_layout_engine("none")  # laid out once, which takes longer than all the rest
        self.seconds["figure"] += time.perf_counter() - begin
        self._png = base64.b64encode(buffer.getvalue()).decode()
        return {"image/png": self._png, "text/plain": self._alt()}

    def _time_left(self, now: float) -> str:
        """In words, by the mean speed of this loop; nothing before there is one."""
        done = self.index - self._first
        if done == 0:
            return ""
        seconds = (now - self._begin) / done * (self.num_steps - self.index)
        if seconds < 90:
            return f"about {math.ceil(seconds / 5) * 5} s"
        return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"

    def _set_figure(self, title: str, indices: list[int]) -> None:
        if self._figure is None:
            self._make_figure()
        losses = [self.losses[index] for index in indices]
        means = [self.smoothed[index] for index in indices]
        self._dots.set_data(indices, losses)
        self._line.set_data(indices, means)
        finite = [value for value in losses if math.isfinite(value)]
        top = max((value for value in means if math.isfinite(value)), default=1.0)
        low = min(0.0, min(finite, default=0.0))
        self._curve.set(xlim=(0, self.num_steps), ylim=(1.05 * low, max(1.05 * top, low + 1e-6)))
        self._curve.set_title(title, fontsize=10)
        if self._samples is not None:
            columns = math.ceil(math.sqrt(2 * len(self._samples)))
            pixels = grid(self._samples, columns)
            if self._pixels is None:
                self._pixels = self._board.imshow(
                    pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest"
                )
            self._pixels.set_data(pixels)
            self._board.set_title(f"drawn after step {self._samples_step:,}", fontsize=10)

    def _make_figure(self) -> None:
        panels = 2 if self.draw else 1
        self._figure, axes = new_figure(panels, width=8.5 if self.draw else 5.5, height=2.7)
        self._curve, self._board = axes[0], axes[-1]
        (self._dots,) = self._curve.plot(
            [], [], ".", markersize=2, alpha=0.35, color=COLOURS[5], label="each step"
        )
        (self._line,) = self._curve.plot([], [], linewidth=2, color=COLOURS[0], label="running mean")
        self._curve.set(xlabel="step", ylabel="training loss")
        self._pixels = None
        if self.draw:
            self._board.set(xticks=[], yticks=[])
            self._board.spines[:].set_visible(False)
        self._curve.legend(frameon=False, fontsize=8, loc="upper right")
