"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file to write to; put it in the place of `path` only when the block ends well.

    A kill, a full disk or an error at any moment leaves the old file as it was. The temporary file keeps the suffix of
    `path`, so that libraries which look at it write the right format.

    Raises:
        OSError: if the folder cannot be made or written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=f".part{path.suffix}", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        try:
            yield part
        except (RuntimeError, SafetensorError) as error:  # how torch and safetensors say "disk full"
            raise OSError(f"could not write {path}: {error}") from error
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        part.chmod(mode & 0o777)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
