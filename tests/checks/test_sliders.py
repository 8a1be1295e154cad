"""Moving a student's slider: what is noted of it, and that nothing of it is left over."""

import itertools
import json
import subprocess
import sys

import ipywidgets
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from diffusion_lab.bench import sliders
from diffusion_lab.schedules import DiffusionSchedule

FIVE = DiffusionSchedule(5, 0.1, 0.5)
GENERATOR = torch.Generator().manual_seed(0)
X_0, NOISE = torch.randn(2, 1, 1, 4, 4, generator=GENERATOR)


def play(answer) -> tuple[sliders.Report, torch.Tensor] | None:
    played = sliders.played(answer)(X_0, NOISE, FIVE, None)
    return played and (sliders.Report.unpack(played[0]), played[1])


def interactive_scrubber(x_0, noise, schedule, show):
    return ipywidgets.interactive(
        lambda t: show(schedule.add_noise(x_0, t, noise)), t=(0, schedule.timesteps)
    )


def test_it_gives_the_picture_at_every_time_in_order():
    report, pictures = play(interactive_scrubber)
    assert report == sliders.right_report(FIVE) == (0, 5, 1, True, True, True)
    wanted = FIVE.add_noise(X_0.expand(6, -1, -1, -1), torch.arange(6), NOISE.expand(6, -1, -1, -1))
    assert torch.equal(pictures, wanted)


@pytest.mark.parametrize("timesteps", [1, 2, 3, 4, 5, 6, 7])
def test_every_place_is_visited_once_and_no_neighbours_one_after_the_other(timesteps):
    order = sliders.order_of_moves(timesteps)
    assert sorted(order) == list(range(timesteps + 1))
    if timesteps >= 4:
        assert all(abs(place - before) > 1 for before, place in itertools.pairwise(order))


def selection(values):
    return ipywidgets.SelectionSlider(options=values)


@pytest.mark.parametrize(
    ("slider", "reach"),
    [
        (ipywidgets.IntSlider(min=1, max=5), (1, 5, 1)),
        (ipywidgets.IntSlider(max=5, step=5), (0, 5, 5)),
        (ipywidgets.FloatSlider(max=5.0), (0, 5, 0.1)),
        (selection([0, 1, 2, 3, 5]), (0, 5, 0)),
        (selection([(f"t = {t}", t) for t in range(5)]), (0, 4, 1)),
    ],
)
def test_where_a_slider_reaches_other_times_it_is_not_moved(slider, reach):
    before = slider.value
    report, pictures = play(lambda x_0, noise, schedule, show: ipywidgets.VBox([slider]))
    assert report[:3] == reach
    assert slider.value == before
    assert not pictures.any()


def test_what_returns_nothing_gives_nothing():
    assert play(lambda x_0, noise, schedule, show: None) is None


@pytest.mark.parametrize(
    ("built", "error", "text"),
    [
        (3, TypeError, r"a widget was wanted, such as interactive\(…\) or VBox\(…\), got int"),
        (ipywidgets.Output(), ValueError, "there is no slider in the Output that was returned"),
        (ipywidgets.VBox([ipywidgets.IntText()]), ValueError, "there is no slider in the VBox"),
    ],
)
def test_what_is_no_scrubber_is_refused(built, error, text):
    with pytest.raises(error, match=text):
        play(lambda x_0, noise, schedule, show: built)


@pytest.mark.parametrize(
    ("drawn", "came"), [(lambda x: x[0], r"\(1, 4, 4\)"), (lambda x: x.tolist(), "list")]
)
def test_what_is_no_picture_is_refused_by_show(drawn, came):
    with pytest.raises(ValueError, match=rf"show: x_t of shape \(1, 1, 4, 4\) was wanted, got {came}"):
        play(lambda x_0, noise, schedule, show: show(drawn(x_0)))


def test_an_error_that_an_output_catches_comes_through():
    def scrubber(x_0, noise, schedule, show):
        return ipywidgets.interactive(lambda t: show(1 / (t - t)), t=(0, schedule.timesteps))

    with pytest.raises(ZeroDivisionError):
        play(scrubber)


def test_outputs_are_as_before_even_after_an_error():
    before = ipywidgets.Output.__enter__, ipywidgets.Output.__exit__
    with pytest.raises(RuntimeError, match="mine"):
        play(lambda x_0, noise, schedule, show: (_ for _ in ()).throw(RuntimeError("mine")))
    assert (ipywidgets.Output.__enter__, ipywidgets.Output.__exit__) == before


def test_in_a_notebook_nothing_of_it_is_displayed(monkeypatch):
    shell = InteractiveShell.instance()
    try:
        published = []
        monkeypatch.setattr(shell.display_pub, "publish", lambda *data, **more: published.append(data))

        def scrubber(x_0, noise, schedule, show):
            @ipywidgets.interact(t=(0, schedule.timesteps))
            def scrub(t):
                show(schedule.add_noise(x_0, t, noise))
                return "shown"

            return scrub

        report, _ = play(scrubber)
        assert report == sliders.right_report(FIVE)
        assert published == []
        ipywidgets.interact(lambda t: None, t=(0, 5))
        assert published, "outside of the check it would be"
    finally:
        InteractiveShell.clear_instance()


def test_declaring_the_task_loads_no_widgets():
    code = (
        "import json, sys; from diffusion_lab.checks import forward_noising\n"
        "print(json.dumps([name for name in ('ipywidgets', 'IPython') if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []
