"""Stopping by Ctrl-C with nothing left half done: the first one asks, the next one insists."""

import os
import signal
import threading
from collections.abc import Callable, Iterable


class StopRequest:
    """A block in which the first Ctrl-C only sets `asked`; the code inside checks it wherever it can stop safely.

    Only the main thread receives signals: in any other, `asked` stays False.
    """

    def __init__(
        self,
        *,
        signals: Iterable[int] = (signal.SIGINT,),
        notice: str = "",
        insist: Callable = signal.default_int_handler,
    ):
        """Choose the signals, and what they do.

        Args:
            signals: numbers of the signals that ask.
            notice: a line for standard error at the first signal.
            insist: the handler of every later signal; by default it raises `KeyboardInterrupt`.
        """
        self.asked = False
        self.signals, self.notice, self.insist = tuple(signals), notice, insist
        self._handlers: dict = {}

    def __enter__(self) -> "StopRequest":
        """Install the handler."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._ask) for number in self.signals}
        return self

    def __exit__(self, *_error) -> None:
        """Restore the handlers from before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame) -> None:
        if self.asked:
            self.insist(number, frame)
        elif self.notice:
            os.write(2, f"\n{self.notice}\n".encode())  # printing is not safe inside a handler
        self.asked = True
