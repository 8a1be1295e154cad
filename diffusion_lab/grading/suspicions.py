"""What an answer's code speaks of that no task asks for: a note for a human, which costs no points."""

import re

WORDS = (
    "diffusion_lab.bench",
    "dl.bench",
    "desk.",
    "vnd.diffusion-lab",
    "sys.modules",
    "__globals__",
    "__code__",
    "__subclasses__",
    "_getframe",
    "gc.get_",
    "ctypes",
    "input_transformers",
)
"""Ways to what runs beside an answer, and to the inside of Python."""
_ANY = re.compile("|".join(map(re.escape, WORDS)))


def suspicions(source: str) -> str:
    """Say in a few words what of `WORDS` an answer has, "" if nothing."""
    found = dict.fromkeys(_ANY.findall(source))
    return f"its code speaks of {', '.join(found)}; read it if you like" if found else ""
