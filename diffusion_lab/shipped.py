"""The files of weights that ship with the package: their names, and a check that they are whole."""

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "weights"


def shipped() -> dict[str, dict[str, str]]:
    """Names of the files that ship with the package, each with its ``file`` and ``sha256``."""
    return json.loads((FOLDER / "manifest.json").read_text())


def checked_file(name: str) -> Path:
    """Find a shipped file by its name in the manifest.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is damaged: its sha256 is not the one of the manifest.
    """
    entry = shipped()[name]
    path = FOLDER / entry["file"]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; install the package again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry["sha256"]:
        raise ValueError(f"{path} is damaged (its sha256 is {found[:12]}…): install the package again")
    return path
