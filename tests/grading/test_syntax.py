"""Reading code in several threads, as the grader does."""

import ast
import gc
import threading
import time

import pytest

from diffusion_lab.grading import syntax

CODE = "def f(a):\n    return [x + (1 + (2 + a)) for x in a]\n" * 30


class Garbage:
    """Lets another thread on while it is collected, in the middle of whatever this thread does."""

    def __init__(self):
        self.me = self

    def __del__(self):
        time.sleep(1e-5)


def raised_by(parse) -> list[BaseException]:
    """What parsing in four threads at once raises, while garbage is collected all the time."""
    raised = []

    def work():
        try:
            for _ in range(15):
                Garbage()
                parse(CODE)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = gc.get_threshold()
    gc.set_threshold(20)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
    return raised


def test_threads_do_not_disturb_each_other():
    assert raised_by(syntax.parse) == []


@pytest.mark.parametrize(
    "source", ["def f(:", "\0", "x = " + "(" * 300 + ")" * 300, "x = 1\n" * syntax.MAX_PARSED]
)
def test_what_is_no_code_is_none(source):
    assert syntax.parse(source) is None


def test_code_is_read_and_its_warnings_are_not_told(recwarn):
    assert isinstance(syntax.parse(r"x = '\d' is 1"), ast.Module)
    assert not recwarn.list
