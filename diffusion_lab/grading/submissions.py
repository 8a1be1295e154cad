"""Finding the notebooks of a class, and reading each without trusting it.

`find` takes a folder or a zip and tells the student and the exercise by the path inside it. The first of
these patterns that matches is used (that of Google Classroom only if it matches every notebook and tells more
students than there are folders); an instructor may give another (`find`):

====================  ==================================================================  ==============
from                  path                                                                student
====================  ==================================================================  ==============
Moodle                ``Anna Lee_12345_assignsubmission_file_/01_forward_noising.ipynb``  Anna Lee_12345
Canvas                ``leeanna_LATE_12345_67890_01_forward_noising-2.ipynb``             leeanna_12345
Google Classroom      ``Exercise 1/Anna Lee - 01_forward_noising.ipynb``                  Anna Lee
a folder per student  ``anna/anything/01_forward_noising.ipynb``                          anna
a flat folder         ``anna_01_forward_noising.ipynb`` or ``anna.ipynb``                 anna
====================  ==================================================================  ==============

Where the last would make one student of several, as of ``homework_01_anna.ipynb`` and
``homework_01_bo.ipynb``, the whole name is the student's. The exercise is the two digits before an underscore
in the file's name; where there are none, that of the marks ``# ANSWER 1.2`` inside. One folder around
everything in a zip is passed over, and so are hidden files and folders.

When it was handed in is the date of the file, which Moodle and Canvas write into their zips; who unpacks one must keep
the dates. ``_LATE`` in a name of Canvas is kept as well.

Nothing is written, no link is followed, and a zip is never unpacked to disk.
"""

import errno
import gc
import itertools
import json
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.checks import cells

MAX_BYTES = 300_000_000
"""Bytes of one notebook; a larger one is refused."""
MAX_UNPACKED = 20_000_000_000
"""Bytes that the notebooks of one zip may unpack to; what comes after is refused."""
MAX_FILES = 100_000
"""Files in a folder or zip."""
MAX_NAME = 1_000
"""Characters of a path in a zip."""
MAX_DEPTH = 20
"""Folders within folders that are looked into."""
MAX_JSON = 10_000_000
"""Characters of a notebook without its outputs, where these are laid out as editors do; else with them."""
MAX_CODE = 300_000
"""Characters in the code cells of one notebook."""
MAX_CELLS = 5_000
"""Cells of one notebook."""
FIRST_YEAR = 1980
"""What a zip has for a date where nobody gave one; no older file is believed."""

PATTERNS = tuple(
    re.compile(pattern, re.S)
    for pattern in (
        r"(?:.*/)?(?P<student>[^/]+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?:/.*|[^/]*)",
        r"(?:.*/)?(?P<student>[^/_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d{3,}_[^/]*",
        r"(?:.*/)?(?P<student>[^/]+?) - [^/]*\.ipynb[^/]*",
        r"(?P<student>[^/]+)/.*",
        r"(?P<student>[^/]+?)(?:[-_ .]+(?P<exercise>\d\d)_[^/]*)?(?:\.ipynb[^/]*)?",
    )
)
"""Where the student stands in a path: in the group ``student``, with ``_`` and the group ``id`` if there is one."""
_MOODLE, _CANVAS, _CLASSROOM, _FOLDERS, _FLAT = PATTERNS
_WHOLE = re.compile(r"(?P<student>[^/]+?)(?:\.ipynb[^/]*)?", re.S)
_COPY = re.compile(r"(?:[ _-]*(?:\(\d+\)|\d+|copy)|-new)+$")
_NEWER = re.compile(r"-new(?:-\d+)?\.ipynb")  # what `course.copies` lays beside an answered exercise
_LESSON = re.compile(r"(?:.*/)?notebooks/[^/]+", re.S)
_LINK = "this is a link, and links are not followed"

_EXERCISE = re.compile(r"(?<!\d)(\d\d)_[A-Za-z]")


class Unreadable(Exception):
    """What is no notebook; the text says why, in words for a human."""


class Submission(NamedTuple):
    """One notebook of one student."""

    student: str
    exercise: str | None  # two digits, such as "01"; None if neither the name nor the inside tells
    name: str  # the path inside the folder or zip
    data: bytes
    notes: tuple[str, ...]
    problem: str = ""  # why there is no data, if there is none
    handed_in: str = (
        ""  # the file's date in ISO 8601, as the clock stood where it was written; "" if there is none
    )
    marked_late: bool = False  # whether Canvas wrote LATE into its name

    def read(self) -> NotebookNode:
        """Read the notebook, as `read` does; `Unreadable` says why it cannot be."""
        if self.problem:
            raise Unreadable(self.problem)
        return read(self.data)


class _File(NamedTuple):
    """A file that was found and not yet opened."""

    path: str
    time: Any
    problem: str
    load: Callable[[], bytes]


class _Refused(Exception):
    """Why a file is not opened."""


# finding


def find(source: str | Path, pattern: str | None = None) -> Iterator[Submission]:
    """Find what every student handed in, in a folder or zip, one submission per student and exercise.

    Of two notebooks of one student for one exercise the newer is taken (of two equally old ones the last by
    name, where "file-10" comes after "file-9", and "file-new" before "file") and the others are named in its
    notes. A lesson in a folder ``notebooks`` does not count where its exercise is there as well. Links, paths
    with ``..``, absolute paths, encrypted or damaged entries, and what exceeds the limits of this module are
    refused: the submission has no data then, and its `problem` says why. So does that of a student who handed
    in files, but no notebook.
    A notebook whose exercise neither its name nor its inside tells is a submission of its own, for the
    exercise None.

    Args:
        source: the folder or zip.
        pattern: a regular expression for the path inside it, with ``/`` between folders, in place of
            `PATTERNS`: the group ``student``, and optionally ``id`` and ``exercise``. What it does not match
            counts as a student of its own, named as the file.

    Yields:
        Submissions in the order of students and exercises; each is read from disk when its turn comes.

    Raises:
        FileNotFoundError: if `source` does not exist.
        ValueError: if `source` is neither a folder nor a zip, holds too many files, or if `pattern` does not
            work.
    """
    source = Path(source)
    patterns = (_compiled(pattern),) if pattern is not None else PATTERNS
    if source.is_dir():
        files = _in_folder(source)
    elif not source.exists():
        raise FileNotFoundError(
            f"source: a folder or a zip of submissions was wanted, and there is no {source}"
        )
    elif zipfile.is_zipfile(source):
        files = _in_zip(source)
    else:
        raise ValueError(f"source: a folder or a zip of submissions was wanted, and {source} is neither")
    return _submissions(files, patterns)


def _compiled(pattern: str) -> re.Pattern:
    try:
        compiled = re.compile(pattern, re.S)
    except re.error as error:
        raise ValueError(f"pattern: a regular expression was wanted, got {pattern!r}: {error}") from None
    if "student" not in compiled.groupindex:
        raise ValueError(f"pattern: a group (?P<student>…) was wanted, and there is none in {pattern!r}")
    return compiled


def _in_folder(folder: Path) -> list[_File]:
    files: list[_File] = []

    def look(path: Path, inside: str, depth: int) -> None:
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            files.append(_refused(inside, f"the folder could not be read: {error.strerror}"))
            return
        for entry in entries:
            name = inside + entry.name
            if _hidden(entry.name):
                continue
            if len(files) >= MAX_FILES:
                raise ValueError(f"source: up to {MAX_FILES:,} files were wanted, and {folder} holds more")
            try:
                if entry.is_symlink():
                    files.append(_refused(name, _LINK))
                elif entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                    look(Path(entry.path), name + "/", depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    time = entry.stat(follow_symlinks=False).st_mtime
                    files.append(_File(name, time, "", lambda path=entry.path: _file(path)))
                else:
                    files.append(_refused(name, "this is neither a file nor a folder that can be read"))
            except OSError as error:
                files.append(_refused(name, f"it could not be read: {error.strerror}"))

    look(folder, "", 0)
    return files


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) and name not in (".", "..", ".ipynb")


def _refused(path: str, problem: str) -> _File:
    return _File(path, 0, problem, bytes)


def _file(path: str) -> bytes:
    """Read an ordinary file; what became something else since it was found is refused."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _Refused("this is not an ordinary file")
            return _limited(file.read(MAX_BYTES + 1), status.st_size)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _Refused(_LINK) from None
        raise _Refused(f"it could not be read: {error.strerror}") from None


def _limited(data: bytes, size: int = 0) -> bytes:
    if len(data) > MAX_BYTES:
        size = max(size, len(data))
        raise _Refused(
            f"it has {size / 1e6:,.0f} MB, and up to {MAX_BYTES / 1e6:,.0f} MB are read: clear its outputs"
        )
    return data


def _in_zip(source: Path) -> list[_File]:
    unpacked = [0]
    try:
        archive = zipfile.ZipFile(source)
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"source: {source} is a damaged zip: {error}") from None
    if len(entries) > MAX_FILES:
        raise ValueError(
            f"source: up to {MAX_FILES:,} files were wanted, and {source} holds {len(entries):,}"
        )
    files = []
    for entry in entries:
        path = entry.filename.replace("\\", "/")
        parts = path.split("/")
        if path.endswith("/") or any(map(_hidden, parts)):
            continue
        problem = ""
        if len(path) > MAX_NAME:
            problem, parts = (
                f"its path has {len(path):,} characters, and up to {MAX_NAME} are read",
                [path[:100]],
            )
        elif path.startswith("/") or re.match("[A-Za-z]:", path):
            problem = "its path in the zip is absolute"
        elif ".." in parts:
            problem = "its path in the zip leads out of it (..)"
        elif stat.S_ISLNK(entry.external_attr >> 16):
            problem = _LINK
        elif entry.flag_bits & 1:
            problem = "it is encrypted in the zip"
        elif entry.file_size > MAX_BYTES:
            limit = f"up to {MAX_BYTES / 1e6:,.0f} MB are read"
            problem = f"it has {entry.file_size / 1e6:,.0f} MB unpacked, and {limit}"
        inside = "/".join(part for part in parts if part not in ("", ".", ".."))
        files.append(
            _File(inside, entry.date_time, problem, lambda entry=entry: _member(archive, entry, unpacked))
        )
    return _without_wrapper(files)


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, unpacked: list[int]) -> bytes:
    """Unpack one entry in memory, and stop at the limits whatever size it claims to have."""
    try:
        with archive.open(entry) as file:
            data = file.read(MAX_BYTES + 1)
    except Exception as error:  # zlib, lzma, bz2, struct and zipfile each have their own way to say so
        raise _Refused(f"it is damaged in the zip: {str(error)[:100] or type(error).__name__}") from None
    unpacked[0] += len(data)
    if unpacked[0] > MAX_UNPACKED:
        raise _Refused(
            f"the zip unpacks to more than {MAX_UNPACKED / 1e9:,.0f} GB: unpack it yourself if you trust it"
        )
    return _limited(data)


def _without_wrapper(files: list[_File]) -> list[_File]:
    """Pass over a folder that is around everything, unless it may be the folder of the only student."""
    paths = [file.path.split("/") for file in files]
    wrapped = len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths)
    if wrapped and len({path[1] for path in paths}) > 1:
        return [file._replace(path=file.path.partition("/")[2]) for file in files]
    return files


class _Candidate(NamedTuple):
    file: _File
    student: str
    exercise: str | None
    notes: tuple[str, ...]
    marked_late: bool = False

    @property
    def is_lesson(self) -> bool:
        """Whether it is a lesson, called like its exercise, of somebody who handed in the whole course."""
        return bool(_LESSON.fullmatch(self.file.path)) and _marked(self.file) is None

    @property
    def rank(self) -> tuple:
        numbered = re.split(r"(\d+)", self.file.path.removesuffix(".ipynb"))
        natural = [(int(part) if k % 2 else 0, part) for k, part in enumerate(numbered) if len(part) < 1000]
        return not self.file.problem, self.file.time, not _NEWER.search(self.file.path), natural


def _submissions(files: list[_File], patterns: tuple[re.Pattern, ...]) -> Iterator[Submission]:
    files = [file._replace(path=_text(file.path)) for file in files]
    notebooks = [file for file in files if _is_notebook(file)]
    flat = any("/" not in file.path and not file.problem for file in notebooks)
    named = [match["student"] for file in notebooks if (match := _CLASSROOM.fullmatch(file.path))]
    folders = {file.path.rpartition("/")[0] for file in notebooks}
    if len(named) < len(notebooks) or len(set(named)) <= len(folders):
        patterns = tuple(pattern for pattern in patterns if pattern is not _CLASSROOM)
    if _merged([file.path for file in notebooks]):
        patterns = tuple(_WHOLE if pattern is _FLAT else pattern for pattern in patterns)
    groups: dict[tuple, list[_Candidate]] = {}

    def keep(candidate: _Candidate) -> None:
        groups.setdefault((candidate.student, candidate.exercise), []).append(candidate)

    for file in notebooks:
        candidate, _ = _candidate(file, patterns)
        keep(candidate._replace(exercise=candidate.exercise or (None if file.problem else _marked(file))))
    students = {student for student, _ in groups}
    for file in files:  # somebody who handed in something else gets a row as well
        candidate, pattern = _candidate(file, patterns)
        by_layout = pattern not in (None, _FLAT, _WHOLE) and not (flat and pattern is _FOLDERS)
        is_named = file.problem or by_layout
        if is_named and candidate.student not in students and not _is_notebook(file):
            suffix = Path(file.path).suffix[:20] or "without a suffix"
            problem = file.problem or f"this file is {suffix}, and a notebook (.ipynb) was wanted"
            keep(candidate._replace(file=file._replace(problem=problem), exercise=None))
    for key in sorted(groups, key=lambda key: (key[0].casefold(), key[0], key[1] or "")):
        yield _chosen(groups[key])


def _merged(paths: list[str]) -> bool:
    """Whether `_FLAT` would make one student of several, as of ``week_01_anna.ipynb`` and ``week_01_bo.ipynb``."""
    titles: dict[tuple, set[str]] = {}
    for path in paths:
        match = _FLAT.fullmatch(path)
        if match and match["exercise"]:
            title = _COPY.sub("", path[match.end("exercise") :].lower().partition(".ipynb")[0])
            titles.setdefault((match["student"], match["exercise"]), set()).add(title)
    return any(len(several) > 1 for several in titles.values())


def _is_notebook(file: _File) -> bool:
    """Whether a file counts as a notebook: by its name, whatever follows the suffix, or as a link to who knows what."""
    return ".ipynb" in file.path.rpartition("/")[2].lower() or file.problem == _LINK


def _candidate(file: _File, patterns: tuple[re.Pattern, ...]) -> tuple[_Candidate, re.Pattern | None]:
    """Who handed a file in, and the pattern that says so."""
    match = next(filter(None, (_matched(pattern, file.path) for pattern in patterns)), None)
    groups = match.groupdict() if match else {}
    student, notes = (groups.get("student") or "").strip(), ()
    if student:
        student = "_".join([student, *filter(None, [groups.get("id")])])
    else:
        student, notes = file.path.removesuffix(".ipynb"), ("the pattern does not match this path",)
    named = re.search(r"\d+", groups.get("exercise") or "")
    begin = match.end("id") if groups.get("id") else 0  # a Moodle id of two digits looks like an exercise
    inside = _EXERCISE.search(file.path[begin:].rpartition("/")[2])
    exercise = named[0].zfill(2) if named else inside[1] if inside else None
    candidate = _Candidate(file, student, exercise, notes, bool(groups.get("late")))
    return candidate, match.re if match else None


def _matched(pattern: re.Pattern, path: str) -> re.Match | None:
    return pattern.fullmatch(path) if pattern in (*PATTERNS, _WHOLE) else pattern.search(path)


def _text(name: str) -> str:
    """A file name as text that can be written anywhere, the same however its accents were typed."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode("utf-8"))


def _marked(file: _File) -> str | None:
    """The exercise that most marks of a file are of, whether it can be read as a notebook or not."""
    try:
        text = file.load().decode("latin-1").replace("\0", "")
    except _Refused:
        return None
    numbers = Counter(task.partition(".")[0] for task in cells.marks_anywhere(text)).most_common(1)
    return numbers[0][0].zfill(2) if numbers else None


def _chosen(candidates: list[_Candidate]) -> Submission:
    if len(candidates) > 1:
        candidates = [candidate for candidate in candidates if not candidate.is_lesson] or candidates
    *older, best = sorted(candidates, key=lambda candidate: candidate.rank)
    notes, problem, data = list(best.notes), best.file.problem, b""
    if not problem:
        try:
            data = best.file.load()
        except _Refused as refused:
            problem = str(refused)
    for other in reversed(older[-20:]):
        notes.append(
            f"{other.file.path}: {other.file.problem or 'an older file of the same student'}; not graded"
        )
    if len(older) > 20:
        notes.append(f"{len(older) - 20} more files of the same student; not graded")
    return Submission(
        best.student,
        best.exercise,
        best.file.path,
        data,
        tuple(notes),
        problem,
        _date(best.file.time),
        best.marked_late,
    )


def _date(when: Any) -> str:
    """The date of a file in a folder (seconds since 1970) or zip (year to second), or "" if it has none."""
    try:
        found = datetime(*when) if isinstance(when, tuple) else datetime.fromtimestamp(when)
        return "" if found.year <= FIRST_YEAR else found.isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


# reading

_KINDS = {
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"version https://git-lfs": "a pointer of git-lfs",
}
_MERGE = re.compile(r"^(<{7} |>{7} |={7}$)", re.M)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read(data: bytes) -> NotebookNode:
    r"""Read a notebook from whatever was handed in, in any nbformat from 2 on and any usual encoding.

    What is kept of a cell is its type, its id, ``metadata.id``, its source, with ``\n`` at line ends, and what
    task it says that it belongs to; of the notebook, which exercise it says that it is. Outputs, tags and all
    other metadata are dropped. Missing, invalid and repeated ids are replaced; a repeated id is kept as
    ``metadata.id``.

    Returns:
        A valid notebook of format 4.5.

    Raises:
        Unreadable: if it is none; never anything else.
    """
    if not data.strip(b" \t\r\n\0"):
        raise Unreadable("the file is empty" + (f" ({len(data):,} blank bytes)" if data else " (0 bytes)"))
    if len(data) > MAX_BYTES:
        raise Unreadable(f"it has {len(data) / 1e6:,.0f} MB, and up to {MAX_BYTES / 1e6:,.0f} MB are read")
    for start, kind in _KINDS.items():
        if data.startswith(start):
            raise Unreadable(f"this is {kind}, not a notebook")
    text = _decoded(data)
    try:
        return _notebook(_parsed(text))
    except (RecursionError, MemoryError):
        raise Unreadable("its JSON is nested too deep or too large") from None


def _decoded(data: bytes) -> str:
    for mark, encoding in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    head = data[:1000]
    for zeros, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
        if len(zeros) > 1 and zeros.count(0) > len(zeros) / 2:
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _parsed(text: str) -> Any:
    start = text[:2000].lstrip().lower()
    if not start and not text.strip():
        raise Unreadable("the file is empty")
    if start.startswith("<") and not start.startswith("<<<<<<<"):
        page = "<html" in start or "<!doctype" in start
        raise Unreadable(f"this is {'a web page' if page else 'HTML or XML'}, not a notebook")
    short = _without_outputs(text) if len(text) > MAX_JSON / 10 else text
    if len(short) > MAX_JSON:
        raise Unreadable(f"it is {len(short) / 1e6:,.0f} MB of text: clear its outputs and save it again")
    collecting = gc.isenabled()
    gc.disable()  # it would look through millions of brackets again and again
    try:
        return json.loads(short)
    except ValueError as error:
        if _MERGE.search(short):
            raise Unreadable(
                "merge markers of git stand in it (<<<<<<<): the conflict was not resolved"
            ) from None
        where = (
            f"line {error.lineno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else str(error)[:100]
        )
        cut = isinstance(error, json.JSONDecodeError) and error.pos >= len(short.rstrip())
        raise Unreadable(
            "it is cut off in the middle" if cut else f"it is not valid JSON ({where})"
        ) from None
    finally:
        if collecting:
            gc.enable()


def _without_outputs(text: str) -> str:
    """Cut the outputs out of a large notebook, as every editor indents it.

    Parsing them would take memory and time.
    """
    start, kept, done = '"outputs": [', [], 0
    for _ in range(MAX_CELLS):
        at = text.find(start, done)
        if at < 0:
            break
        opened, line = at + len(start), text.rfind("\n", done, at)
        kept.append(text[done:opened])
        done = opened
        indent = text[line + 1 : at] if line >= 0 and at - line < 100 else "?"
        if not indent.strip(" \t") and text.startswith(("\n", "\r\n"), opened):
            done = text.find(f"\n{indent}]", opened)
            if done < 0:  # then it is no JSON either
                return text
    return "".join([*kept, text[done:]])


def _notebook(parsed: Any) -> NotebookNode:
    if not isinstance(parsed, dict):
        kind = type(parsed).__name__
        raise Unreadable(f"it is JSON, but not a notebook: an object was wanted, got {kind}")
    found = parsed.get("cells")
    if not isinstance(found, list):
        sheets = parsed.get("worksheets")
        sheets = (
            [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
            if isinstance(sheets, list)
            else []
        )
        sheets = [sheet for sheet in sheets if isinstance(sheet, list)]
        if not sheets:
            raise Unreadable("it is JSON, but not a notebook: there are no cells in it")
        found = [cell for sheet in sheets for cell in sheet]
    if len(found) > MAX_CELLS:
        raise Unreadable(f"it has {len(found):,} cells, and up to {MAX_CELLS:,} are read")
    taken: set[str] = set()
    made = [_cell(cell, number, taken) for number, cell in enumerate(found) if isinstance(cell, dict)]
    code = sum(len(cell["source"]) for cell in made if cell["cell_type"] == "code")
    if code > MAX_CODE:
        raise Unreadable(f"there are {code:,} characters in its code cells, and up to {MAX_CODE:,} are read")
    exercise = cells.exercise(parsed)
    metadata = {cells.KEY: {"exercise": exercise}} if exercise else {}
    return nbformat.from_dict({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _cell(cell: dict, number: int, taken: set[str]) -> dict:
    kind = cell.get("cell_type")
    if not isinstance(kind, str) or kind not in ("code", "markdown", "raw"):
        kind = "code" if kind is None and "outputs" in cell else "markdown" if kind == "heading" else "raw"
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    source = _clean(source) if isinstance(source, str) else ""
    metadata = cell.get("metadata")
    second_id = metadata.get("id") if isinstance(metadata, dict) else None
    second_id = _clean(second_id)[:64] if isinstance(second_id, str) else None
    cell_id = cell.get("id")
    if not isinstance(cell_id, str) or not _ID.fullmatch(cell_id):
        cell_id = ""
    if cell_id in taken:
        second_id, cell_id = cell_id, ""
    new_ids = itertools.chain([f"cell-{number}"], (f"cell-{number}-{k}" for k in itertools.count(2)))
    cell_id = cell_id or next(new_id for new_id in new_ids if new_id not in taken)
    taken.add(cell_id)
    kept = {"id": second_id} if second_id else {}
    if label := cells.label(cell):
        kept[cells.KEY] = {"task": label.task, "role": label.role}
    made = {"cell_type": kind, "id": cell_id, "metadata": kept, "source": source}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _clean(text: str) -> str:
    r"""Text that can be encoded, with ``\n`` at its line ends."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
