"""The journal of a gradebook: a file of lines, each of which is on disk before the next submission is begun.

The gradebook is made from it. So a kill at any moment loses nothing but what was just running.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from diffusion_lab.files import replacing
from diffusion_lab.grading.rows import Row

JOURNAL = "rows.jsonl"


class Journal:
    """A file of lines of several kinds. A line is on disk when `add` returns; one that was cut off is dropped.

    What another program writes to it meanwhile, such as a submission without a box, does not count: the file is written
    anew, and `was_changed` says so.

    Raises:
        BlockingIOError: if another grader writes to it.
    """

    def __init__(self, folder: Path):
        """Open it, or begin it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.was_changed = folder / JOURNAL, False
        self.file = open(folder / JOURNAL, "ab+")  # noqa: SIM115
        try:
            _lock(self.file, folder)
            self.file.seek(0)
            data = self.file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                self.file.truncate(whole)
            self.digest = hashlib.sha256(data[:whole])  # of what this wrote, or found
            self.entries = [entry for line in data[:whole].splitlines() if (entry := _entry(line))]
            self.state = self._state()
        except BaseException:
            self.file.close()
            raise

    def add(self, kind: str, content: dict) -> None:
        """Append a line."""
        self.mend()
        self.entries.append((kind, content))
        line = _line(kind, content)
        self.digest.update(line)
        self.file.write(line)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.state = self._state()

    def mend(self) -> None:
        """Write the file anew if it is not as it was left."""
        if self._state() == self.state:
            return
        with contextlib.suppress(OSError):
            if (
                hashlib.sha256(self.path.read_bytes()).digest() == self.digest.digest()
                and self._is_in_place()
            ):
                self.state = self._state()  # it was only touched, as by a program that makes backups
                return
        self.was_changed = True
        lines = b"".join(_line(kind, content) for kind, content in self.entries)
        with replacing(self.path) as part:
            part.write_bytes(lines)
        self.file.close()
        self.file = open(self.path, "ab+")  # noqa: SIM115
        _lock(self.file, self.path.parent)
        self.digest, self.state = hashlib.sha256(lines), self._state()

    def _state(self) -> tuple:
        """What shows a change of the file: nobody can set the time at which its record was changed."""
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_ctime_ns, self._is_in_place()

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), self.path.stat())
        except OSError:
            return False

    def of(self, kind: str) -> list[dict]:
        """All lines of a kind, the oldest first."""
        return [content for entry_kind, content in self.entries if entry_kind == kind]

    @property
    def is_finished(self) -> bool:
        """Whether nothing was begun since all was done."""
        return bool(self.entries) and self.entries[-1][0] == "finished"

    def rows(self) -> dict[tuple[str, str], Row]:
        """The rows by student and by the exercise that the file told; the last one of each counts."""
        rows = (Row(**content) for content in self.of("row"))
        return {(row.student, row.asked): row for row in rows}

    def close(self) -> None:
        """Let another grader write to it."""
        self.file.close()


def _line(kind: str, content: dict) -> bytes:
    return json.dumps({kind: content}).encode() + b"\n"


def attempts(folder: Path) -> list[Row]:
    """All rows that were ever written, the oldest first; a grader may be writing meanwhile.

    Of the rows of one student and exercise the last one counts.
    """
    path = folder / JOURNAL
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [Row(**entry[1]) for line in lines if (entry := _entry(line)) and entry[0] == "row"]


def _lock(file, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two graders at once are not noticed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(f"{folder}: another grader is writing there") from None


def _entry(line: bytes) -> tuple[str, dict] | None:
    try:
        [(kind, content)] = json.loads(line).items()
        return (kind, content) if isinstance(content, dict) else None
    except (ValueError, AttributeError):
        return None  # then its submission is graded again
