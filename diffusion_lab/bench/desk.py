"""What a notebook has in the place of the checks where it is graded: it makes the calls of a plan, and records them.

It knows nothing of what is right. A plan lies beside the module that stands for the checks of an exercise: it was made
outside, with the calls of all tasks; see `grading.stage`.
"""

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.display import display

from diffusion_lab.bench import harnesses, record

SUFFIX = ".plan"
"""Of the file with the plan of an exercise, beside its module."""
BEFORE = "from diffusion_lab.bench import desk as _desk; _desk.expect()"
"""What is run before a check, as only then a record is wanted: a student may call a check in an answer as well."""
MORE = "from diffusion_lab.bench import desk as _desk; _desk.more({calls!r})"
"""What is run after a check that wants to see more calls, formatted with them; see `more`."""
_is_expected: list[bool] = []
_last: list[tuple["Desk", Any]] = []
"""The task that was asked for last, and its answer, for those who want to know more of it."""


class Desk:
    """One task: called with an answer, it displays the record of it."""

    def __init__(self, prepare: str, without: list[str], calls: list[bytes] | None):
        """Keep the plan; see `checks.judging.Plan`."""
        self.prepare, self.without, self.calls = prepare, without, calls

    def __call__(self, answer: Any = None) -> None:
        """Try an answer, where a record is wanted."""
        if not _is_expected:
            return
        _is_expected.clear()
        _last[:] = [(self, answer)]
        self._show(record.kept_numbers(answer) if self.calls is None else self._kept(answer, self.calls))

    def _kept(self, answer: Any, calls: list[bytes]) -> str:
        harness = harnesses.named(self.prepare) if self.prepare else None
        return record.kept(answer, calls, harness, self.without)

    def more(self, answer: Any, calls: list[bytes]) -> None:
        """Make more calls of the same answer."""
        self._show(self._kept(answer, calls))

    def _show(self, text: str) -> None:
        display({record.MIME: text}, raw=True)


def expect() -> None:
    """Want a record of the next answer that is tried."""
    _is_expected[:] = [True]


def more(calls: str) -> None:
    """Make more calls of the answer that was tried last; they are packed, pickled and written in base64."""
    desk, answer = _last[0]
    desk.more(answer, pickle.loads(base64.b64decode(calls)))


def _nothing(*_args: Any, **_options: Any) -> None:
    """Do nothing: hints, pictures and progress are for the notebook of a student."""


def names(module: str) -> dict[str, Callable]:
    """What stands in a module in the place of the checks, given the path of that module."""
    tasks = pickle.loads(Path(module).with_suffix(SUFFIX).read_bytes())
    desks = {name: Desk(*plan) for name, plan in tasks.items()}
    return dict.fromkeys(("begin", "hint", "progress", "show"), _nothing) | desks
