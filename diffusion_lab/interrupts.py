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
        when_asked: Callable[[], None] | None = None,
        insist: Callable = signal.default_int_handler,
    ):
        """Choose the signals, and what they do.

        Args:
            signals: numbers of the signals that ask.
            notice: a line for standard error at the first signal.
            when_asked: called once at the first signal, in a thread of its own, since hardly anything is safe
                inside a handler; leaving the block waits for it.
            insist: the handler of every later signal; by default it raises `KeyboardInterrupt`.
        """
        self.asked = False
        self.signals, self.notice, self.insist = tuple(signals), notice, insist
        self.when_asked, self._wake, self._thread = when_asked, threading.Event(), None
        self._handlers: dict = {}

    def __enter__(self) -> "StopRequest":
        """Install the handler."""
        if threading.current_thread() is threading.main_thread():
            if self.when_asked is not None:
                self._thread = threading.Thread(target=self._wait_to_be_asked, daemon=True)
                self._thread.start()
            self._handlers = {number: signal.signal(number, self._ask) for number in self.signals}
        return self

    def __exit__(self, *_error) -> None:
        """Restore the handlers from before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._thread is not None:
            self._wake.set()
            self._thread.join()

    def _wait_to_be_asked(self) -> None:
        self._wake.wait()
        if self.asked:
            self.when_asked()

    def _ask(self, number: int, frame) -> None:
        if self.asked:
            self.insist(number, frame)
            return
        self.asked = True
        if self.notice:
            os.write(2, f"\n{self.notice}\n".encode())  # printing is not safe inside a handler
        self._wake.set()
