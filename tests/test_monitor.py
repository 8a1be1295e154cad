"""A training with a bar: it yields what the training yields, stops after the step in progress, and goes on."""

import os
import signal
import sys

import pytest
import torch

from diffusion_lab.fitting import fit
from diffusion_lab.monitor import Monitor

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to oneself")


def fitting(num_steps: int):
    """A training of one weight towards 3."""
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1, bias=False)

    def loss(state):
        return (state.model(torch.ones(1, 1)) - 3).square().mean()

    return fit(model, loss, num_steps=num_steps, optimizer="adamw", memory_format=torch.contiguous_format)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_yields_the_steps_of_the_training_and_notes_their_losses(capfd):
    monitor = Monitor(fitting(30), num_steps=30)
    losses = [step.loss for step in monitor]
    assert losses == [step.loss for step in fitting(30)] == list(monitor.losses.values())
    assert (list(monitor.losses), monitor.index, monitor.stopped) == (list(range(1, 31)), 30, False)
    assert monitor.smoothed[1] == pytest.approx(losses[0])
    decay = 1 - 1 / 10
    weights = [decay**k for k in range(30)]
    mean = sum(w * v for w, v in zip(weights, reversed(losses), strict=True)) / sum(weights)
    assert monitor.smoothed[30] == pytest.approx(mean)
    assert capfd.readouterr().out == ""


@needs_signals
def test_ctrl_c_ends_it_after_the_step_in_progress_and_a_second_loop_goes_on(capsys):
    before, monitor, seen = signal.getsignal(signal.SIGINT), Monitor(fitting(20), num_steps=20), []
    for step in monitor:
        if step.index == 7:
            press_ctrl_c()
        seen.append(step.loss)  # the body is finished, too
    assert (len(seen), monitor.index, monitor.stopped) == (7, 7, True)
    assert capsys.readouterr().out == "stopped after 7 of 20 steps; the network keeps what it has learned\n"
    assert signal.getsignal(signal.SIGINT) is before
    seen += [step.loss for step in monitor]
    assert seen == [step.loss for step in fitting(20)]
    assert (monitor.index, monitor.stopped) == (20, False)
    assert capsys.readouterr().out == ""
    assert list(monitor) == []
    assert capsys.readouterr().out == "there is no step left: 20 of 20 steps are done\n"


@needs_signals
def test_a_request_in_the_last_step_stops_nothing(capsys):
    monitor = Monitor(fitting(3), num_steps=3)
    for step in monitor:
        if step.index == 3:
            press_ctrl_c()
    assert not monitor.stopped
    assert capsys.readouterr().out == ""


@needs_signals
def test_a_second_ctrl_c_breaks_off_at_once():
    before, monitor = signal.getsignal(signal.SIGINT), Monitor(fitting(20), num_steps=20)

    def work() -> None:
        for step in monitor:
            if step.index == 2:
                press_ctrl_c()
                press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert monitor.index == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_a_break_leaves_it_ready_to_go_on(capsys):
    before, monitor = signal.getsignal(signal.SIGINT), Monitor(fitting(5), num_steps=5)
    for step in monitor:
        if step.index == 2:
            break
    assert signal.getsignal(signal.SIGINT) is before
    assert [step.index for step in monitor] == [3, 4, 5]
    assert capsys.readouterr().out == ""


def test_a_training_that_is_refused_shows_nothing(capfd):
    with pytest.raises(ValueError, match="num_steps must be at least 1, got -3"):
        list(Monitor(fitting(-3), num_steps=-3))
    assert capfd.readouterr() == ("", "")


@needs_signals
def test_a_quiet_one_says_nothing(capsys):
    monitor = Monitor(fitting(5), num_steps=5, quiet=True)
    for _ in monitor:
        press_ctrl_c()
    assert monitor.stopped
    assert capsys.readouterr().out == ""
