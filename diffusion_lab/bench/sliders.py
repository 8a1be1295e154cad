"""Moving the slider of a student's widget from place to place, and noting what it shows there; needs no front end.

An answer gets a function ``show``, and draws with it. Here it notes the picture, and where it would appear.
"""

import contextlib
import functools
import io
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Images


class Report(NamedTuple):
    """What a slider did; see `pack` and `unpack` for how it travels with the pictures."""

    low: float
    high: float
    step: float
    at_first: bool = True
    """Whether a picture is there before the slider is moved."""
    inside: bool = True
    """Whether all pictures appear inside the widget."""
    follows: bool = True
    """Whether every move shows something."""

    def pack(self) -> Tensor:
        """Write it as numbers, (6,)."""
        return torch.tensor(self, dtype=torch.float64)

    @classmethod
    def unpack(cls, numbers: Tensor) -> "Report":
        """Read what `pack` wrote."""
        return cls(*numbers[:3].tolist(), *(numbers[3:] == 1).tolist())


def right_report(schedule: DiffusionSchedule) -> Report:
    """Give the report on a slider that does everything right: it reaches all t = 0 … T, one by one."""
    return Report(0, schedule.timesteps, 1)


def order_of_moves(timesteps: int) -> list[int]:
    """Give all places 0 … T in the order in which they are visited: from T = 4 on, never to a neighbour."""
    return [*range(timesteps, -1, -2), *range(timesteps - 1, -1, -2)]


class _Notes:
    """The pictures that were shown, each with the Outputs that were open then, and the errors caught by Outputs."""

    def __init__(self, shape: torch.Size):
        self.shape, self.shown, self.open, self.errors = shape, [], [], []

    def show(self, picture: Any) -> None:
        """Stand in for the function that draws; a `ValueError` says if it is given no picture."""
        if not isinstance(picture, Tensor) or picture.shape != self.shape:
            came = tuple(picture.shape) if isinstance(picture, Tensor) else type(picture).__name__
            raise ValueError(f"show: x_t of shape {tuple(self.shape)} was wanted, got {came}")
        self.shown.append((picture.detach().clone(), tuple(self.open)))

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note which Outputs of ipywidgets are open and what they catch, and let nothing be displayed."""
        import ipywidgets
        from IPython.utils.capture import capture_output

        notes = self

        def enter(output):
            notes.open.append(output)

        def leave(output, kind, error, trace) -> bool:
            notes.open.remove(output)
            if isinstance(error, Exception):
                notes.errors.append(error)  # a front end would show it in the Output
            return isinstance(error, Exception)

        with (
            mock.patch.multiple(ipywidgets.Output, __enter__=enter, __exit__=leave),
            capture_output(stdout=False, stderr=False),
        ):
            yield


def _widgets(widget: Any) -> Iterator[Any]:
    """Give a widget and all widgets inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _widgets(child)


def _find_slider(built: Any) -> tuple[Any, Any]:
    """Find what was built, and its first slider; a `TypeError` says what is no widget, a `ValueError` what has none."""
    import ipywidgets

    widget = getattr(built, "widget", built)  # `interact` gives back the function, which has the widget
    if not isinstance(widget, ipywidgets.Widget):
        raise TypeError(
            f"a widget was wanted, such as interactive(…) or VBox(…), got {type(widget).__name__}"
        )
    kinds = (ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.SelectionSlider)
    sliders = [inside for inside in _widgets(widget) if isinstance(inside, kinds)]
    if not sliders:
        raise ValueError(f"there is no slider in the {type(widget).__name__} that was returned")
    return widget, sliders[0]


def _display(widget: Any) -> None:
    """Tell a widget that it is displayed, which ipywidgets 7 waits for before `interactive` calls its function."""
    if hasattr(widget, "_ipython_display_"):  # not since ipywidgets 8
        with contextlib.redirect_stdout(io.StringIO()):
            widget._ipython_display_()


def _reach(slider: Any) -> Report:
    """From where to where a slider goes, and by how much at a time; 0 where that differs."""
    if hasattr(slider, "min"):
        return Report(slider.min, slider.max, slider.step or 1)
    values = [option[1] if isinstance(option, tuple) else option for option in slider.options]
    steps = {high - low for low, high in itertools.pairwise(values)}
    return Report(values[0], values[-1], steps.pop() if len(steps) == 1 else 0)


def _play(
    build: Callable, x_0: Images, noise: Images, schedule: DiffusionSchedule
) -> tuple[Tensor, Tensor] | None:
    """Build a widget and visit every t: the packed report, and what is there at t = 0 … T, (T+1, C, H, W).

    Where the slider does not reach these t, it is not moved, and the pictures are zeros.
    """
    notes = _Notes(x_0.shape)
    pictures = torch.zeros(schedule.timesteps + 1, *x_0.shape[1:])
    with notes.listening():
        built = build(x_0, noise, schedule, notes.show)
        if built is None or built is ...:
            return None
        widget, slider = _find_slider(built)
        report = _reach(slider)
        if report != right_report(schedule):
            return report.pack(), pictures
        _display(widget)
        at_first, follows = bool(notes.shown), True
        for t in order_of_moves(schedule.timesteps):
            count, moved = len(notes.shown), slider.value != t
            slider.value = t
            follows &= len(notes.shown) > count or not moved
            if notes.errors:
                raise notes.errors[0]
            if notes.shown:
                pictures[t] = notes.shown[-1][0][0]
    own = set(map(id, _widgets(widget)))
    inside = all(outputs and own.issuperset(map(id, outputs)) for _, outputs in notes.shown)
    return report._replace(at_first=at_first, inside=inside, follows=follows).pack(), pictures


_formulas: weakref.WeakSet = weakref.WeakSet()


def formula(function: Callable) -> Callable:
    """Mark a function that gives the report and the pictures itself, and builds no widget."""
    _formulas.add(function)
    return function


def played(answer: Callable) -> Callable:
    """Make of an answer, (x_0, noise, schedule, show) -> widget, a function that gives its report and its pictures.

    It gives None where the answer returns nothing; errors of the answer come through. A `formula` stays as it is.
    """
    if answer in _formulas:
        return answer

    @functools.wraps(answer)
    def call(x_0, noise, schedule, _show):
        return _play(answer, x_0, noise, schedule)

    return formula(call)


def draw_nothing(_x_t: Tensor) -> None:
    """Stand in for the `show` of the cases; the one that an answer gets notes what it is given."""
