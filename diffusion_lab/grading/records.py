"""The records of a class, kept beside its gradebook, so that answers can be judged again without being run again."""

import gzip
import json
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.checks.judging import Round
from diffusion_lab.files import replacing

FOLDER = "records"
MOST_BYTES = 2**29
"""How much one file may unpack to."""


class Kept(NamedTuple):
    """The records of one submission."""

    exercise: str
    nonce: int
    sha256: str  # of the file that was handed in
    tasks: dict[str, list[Round]]


def path_of(out: Path, page: str) -> Path:
    """Where the records of the submission with this page lie in a gradebook."""
    return out / FOLDER / f"{page}.json.gz"


def write(path: Path, kept: Kept) -> None:
    """Write the records of a submission, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(kept._asdict()).encode()
    with replacing(path) as part:
        part.write_bytes(gzip.compress(content, 1, mtime=0))


def read(path: Path) -> Kept | None:
    """Read them; None if there are none, or the file is not whole."""
    try:
        with gzip.open(path) as file:
            content = json.loads(file.read(MOST_BYTES))
        tasks = {task: [Round(*one) for one in rounds] for task, rounds in content["tasks"].items()}
        return Kept(content["exercise"], content["nonce"], content["sha256"], tasks)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None
