"""Reading code that nobody runs."""

import ast
import re
import threading
import warnings

MAX_PARSED = 30_000
"""Characters of code that are parsed; Python 3.10 crashes on many more if they are nested deep."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ONE_AT_A_TIME = threading.Lock()  # two threads that parse at once make Python 3.11 raise SystemError


KEPT = 90
"""Characters of a line that are shown."""


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


def without_magics(source: str) -> str:
    """Put ``pass`` in the place of lines that only IPython reads; a block may hold nothing else."""
    return "\n".join(re.sub(r"^(\s*)[%!?].*", r"\1pass", line) for line in source.splitlines())


def error(source: str) -> tuple[int, str] | None:
    """Give the line in which code is no Python, from 1, and why, in Python's words; None if it is Python."""
    code = without_magics(source)
    if len(code) > MAX_PARSED:
        return None
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as found:
        return found.lineno or 1, _shown(str(found.msg))
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def line_of(source: str, number: int) -> str:
    """Give the text of a line, from 1, as it may be shown: printable, and not too long; "" if there is none."""
    lines = source.splitlines()
    return _shown(lines[number - 1]) if 0 < number <= len(lines) else ""


def line_in(source: str, number: int, function: str) -> str:
    """Give the text of a line if it belongs to a function of that name, such as "<lambda>"; "" if it does not."""
    tree = parse(without_magics(source))
    for node in ast.walk(tree) if tree else ():
        is_such = node.name == function if isinstance(node, _FUNCTIONS) else not function.isidentifier()
        if is_such and hasattr(node, "lineno") and node.lineno <= number <= node.end_lineno:
            return line_of(source, number)
    return ""


def _shown(text: str) -> str:
    printable = "".join(letter for letter in text.strip() if letter.isprintable())
    return printable if len(printable) <= KEPT else f"{printable[:KEPT]}…"
