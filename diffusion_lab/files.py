"""Writing files whole or not at all, and reading and writing named tensors that way."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file to write to; put it in the place of `path` only when the block ends well.

    A kill, a full disk or an error at any moment leaves the old file as it was. The temporary file keeps the
    suffix of `path`, so that libraries which look at it write the right format.

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


def write_tensors(
    path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str], half: bool = True
) -> None:
    """Write a safetensors file, whole or not at all; with `half`, float32 is stored as float16."""
    shrink = {torch.float32: torch.float16} if half else {}
    tensors = {name: t.to("cpu", shrink.get(t.dtype, t.dtype)).contiguous() for name, t in tensors.items()}
    with replacing(path) as part:
        save_file(tensors, part, metadata)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file and its metadata; `FileNotFoundError`, or a `ValueError` if it is truncated."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is truncated or not a safetensors file: {error}") from error
