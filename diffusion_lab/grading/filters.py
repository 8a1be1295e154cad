"""The programs that tell Linux which calls a graded kernel may not make; ``tools/seccomp_filter.py`` makes them."""

import platform
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("seccomp")
"""Where they lie, one file for each architecture."""


def call_filter() -> tuple[bytes, str]:
    """Give the program for this machine, or nothing, and a sentence on why there is none.

    Returns:
        (program, reason): the program is 8 bytes per instruction, as seccomp takes it; one of the two is empty.
    """
    if not sys.platform.startswith("linux"):
        return b"", f"{sys.platform} has no seccomp"
    path = FOLDER / f"{platform.machine()}.bpf"
    try:
        return path.read_bytes(), ""
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.bpf")))
        return b"", f"there is one for {known}, and none for {platform.machine()}"
