"""Reading code that nobody runs."""

import ast
import threading
import warnings

MAX_PARSED = 30_000
"""Characters of code that are parsed; Python 3.10 crashes on many more if they are nested deep."""
_ONE_AT_A_TIME = threading.Lock()  # two threads that parse at once make Python 3.11 raise SystemError


def parse(source: str) -> ast.Module | None:
    """Parse code, in any thread; None if it is none, is longer than `MAX_PARSED`, or is nested too deeply."""
    if len(source) > MAX_PARSED:
        return None
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
