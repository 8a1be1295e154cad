"""Answers as students write them, right and wrong: what the checks are tested and measured with.

There is one module per exercise, named like the module of its checks. It holds three tables by the name of the
check:

- ``RIGHT``: sources that must be accepted, at least three per task;
- ``WRONG``: (name, source) pairs that must be given that name; every mistake a task knows has one;
- ``COMPOUND``: (names, source) pairs that are wrong in more than one way, or in a way that has no name. They must
  be given one of the names, or none.

No check imports a bank: only tests, tools and benchmarks do.
"""

import importlib
import linecache
from types import ModuleType
from typing import Any

SETUP = "import torch\n\nimport diffusion_lab as dl"
"""What every exercise imports in its first cell."""


def load(name: str) -> ModuleType:
    """Load the bank of an exercise by the name of its checks, such as "forward_noising"."""
    return importlib.import_module(f"{__name__}.{name}")


def run_cell(source: str, **names: Any) -> dict[str, Any]:
    """Run source as a cell of a student's notebook would, and return all the names that are defined then.

    It runs after `SETUP`; `names` are further names that earlier cells have defined. Its lines are known to
    tracebacks, as they are in Jupyter.
    """
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    defined: dict[str, Any] = {}
    exec(SETUP, defined)
    defined |= names
    exec(compile(source, file, "exec"), defined)
    return defined
