"""The first Ctrl-C asks, the second insists, and whoever listened before listens again afterwards."""

import os
import signal
import sys
import threading

import pytest

from diffusion_lab.interrupts import StopRequest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to oneself")


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_asks_and_the_second_stops_at_once():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.asked
        press_ctrl_c()
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_signals_a_notice_and_another_way_to_insist(capfd):
    insisted, before = [], signal.getsignal(signal.SIGTERM)
    with StopRequest(
        signals=(signal.SIGINT, signal.SIGTERM),
        notice="stopping soon",
        insist=lambda number, _frame: insisted.append(number),
    ) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
        assert not insisted
        press_ctrl_c()
        os.kill(os.getpid(), signal.SIGTERM)
    assert insisted == [signal.SIGINT, signal.SIGTERM]
    assert capfd.readouterr().err == "\nstopping soon\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_somebody_is_told_once_and_in_another_thread():
    told = []
    with StopRequest(when_asked=lambda: told.append(threading.current_thread()), insist=lambda *_: None):
        press_ctrl_c()
        press_ctrl_c()
    assert len(told) == 1
    assert told[0] is not threading.main_thread()
    with StopRequest(when_asked=lambda: told.append(None)):
        pass
    assert len(told) == 1


def test_in_another_thread_nothing_is_changed():
    before, asked = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with StopRequest() as stop:
            asked.append((stop.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [(False, before)]
