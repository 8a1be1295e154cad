"""The journal of a gradebook: a file of lines, each of which is on disk before the next submission is begun.

The gradebook is made from it. So a kill at any moment loses nothing but what was just running.
"""

import json
import os
from pathlib import Path

from diffusion_lab.grading.rows import Row

JOURNAL = "rows.jsonl"


class Journal:
    """A file of lines of several kinds. A line is on disk when `add` returns; one that was cut off is dropped.

    Raises:
        BlockingIOError: if another grader writes to it.
    """

    def __init__(self, folder: Path):
        """Open it, or begin it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / JOURNAL, "ab+")  # noqa: SIM115
        try:
            _lock(self.file, folder)
            self.file.seek(0)
            data = self.file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                self.file.truncate(whole)
            self.entries = [entry for line in data[:whole].splitlines() if (entry := _entry(line))]
        except BaseException:
            self.file.close()
            raise

    def add(self, kind: str, content: dict) -> None:
        """Append a line."""
        self.entries.append((kind, content))
        self.file.write(json.dumps({kind: content}).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

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
