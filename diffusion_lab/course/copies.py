"""A student's own copies of lessons and exercises, in a folder that git ignores: ``my-course/`` in the clone.

The copies lie there in the folders that they have in the clone, with the pages that they link to, so that every
link holds. What a student has changed is never overwritten. A file ``.course.json`` notes which version of each file
was copied, by its sha256: by this, copies that nobody has changed are known, and brought up to date.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.files import replacing

FOLDER = "my-course"
"""The folder of the copies, unless another is named."""
MANIFEST = ".course.json"
ABOUT = (
    "What diffusion-lab copied here, by sha256. A copy that is as it was copied is brought up to date; every"
    " other one is yours, and stays as it is."
)
VERSION = 1
"""Of the manifest: it grows when an older diffusion-lab would read a new one wrongly."""
COPIED = ("notebooks/*.ipynb", "exercises/*.ipynb")
LINKED = (".md", ".png", ".gif", ".svg")
"""What comes along where a notebook links to it."""
README = """\
# Your copy of the course

Everything in this folder is yours: change it, break it, run it. Git does not look in here.

- `notebooks/` holds the lessons, `exercises/` the exercises. Begin with lesson 00.
- After a `git pull`, `make lab` (or `diffusion-lab copy-course`) brings what is new in here. A file that you have not
  changed is replaced by the newer one. If you have changed it, yours stays, and the newer one lies beside it, as
  `…-new.ipynb`.
- To begin a lesson afresh, rename or delete your copy, and run that command again.
- `diffusion-lab check exercises/01_forward_noising.ipynb` says how an exercise would be graded.
- `diffusion-lab progress` says how far you are in the whole course. What it knows stands in `progress.json`, here on
  your computer and nowhere else.
"""
"""The page of the folder itself; it stands where the course has a page for those who meet the repository."""
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


class Copied(NamedTuple):
    """What was done to a folder of copies; paths are relative to it, with slashes."""

    folder: Path
    was_there: bool
    """Whether there were copies before."""
    added: list[str]
    """Copied because they were not there."""
    updated: list[str]
    """Replaced by newer ones, for nobody had changed them."""
    newer: dict[str, str]
    """Changed by the student and in the course: where the newer one lies, by the path of the student's."""


def find(start: Path) -> Path | None:
    """Find the folder of the copies: `start`, one above it, or ``my-course`` in one of these.

    None if there is none.
    """
    for above in (start, *start.parents):
        for folder in (above, above / FOLDER):
            if os.path.isfile(folder / MANIFEST):  # unlike Path.is_file, False where one may not look
                return folder
    return None


def copy(root: Path, folder: Path) -> Copied:
    """Copy the course of a clone into a student's folder, or bring the copies there up to date.

    Every file is written whole or not at all. What was done before an error stays, and is known the next time.

    Args:
        root: the clone.
        folder: where to copy; it is made if it is not there.

    Raises:
        FileNotFoundError: if `root` has no lessons.
        ValueError: if the note of what was copied is damaged or was made by a newer version.
        OSError: if something cannot be read or written.
    """
    contents = read_course(root, folder)
    before = _read_manifest(folder)
    versions = dict(before or {})
    done = Copied(folder, before is not None, [], [], {})
    try:
        for name, content in contents.items():
            _copy_file(done, name, content, versions)
    finally:
        if versions != before:
            _write_manifest(folder, versions)
    return done


def read_course(root: Path, folder: Path) -> dict[str, bytes]:
    """Give what a student gets, by the path in the folder: notebooks, what they link to, and a page on the folder.

    What such a page links to in its turn is not copied: the link leads back into the clone.

    Raises:
        FileNotFoundError: if `root` has no lessons.
    """
    root, folder = root.resolve(), folder.resolve()
    notebooks = {path for pattern in COPIED for path in root.glob(pattern)}
    if not notebooks:
        raise FileNotFoundError(f"there are no lessons in {root}: a clone of the course was wanted")
    linked = {path for notebook in notebooks for path in _linked(notebook, root)}
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in notebooks | linked}
    contents["README.md"] = README.encode()
    pages = {
        name: _with_links_home(root, folder, name, content.decode(), contents.keys())
        for name, content in contents.items()
        if name.endswith(".md")
    }
    return dict(sorted((contents | pages).items()))


def _linked(notebook: Path, root: Path) -> set[Path]:
    """Give the pages and pictures of the clone that a notebook links to."""
    links = _LINK.findall(notebook.read_text(encoding="utf-8"))
    targets = {(notebook.parent / link).resolve() for link in links}
    return {
        path for path in targets if path.suffix in LINKED and path.is_relative_to(root) and path.is_file()
    }


def _with_links_home(root: Path, folder: Path, name: str, text: str, copied: Container[str]) -> bytes:
    """Make the links of a page lead into the clone, where they lead to a file there that is not copied."""

    def home(link: re.Match) -> str:
        target = ((root / name).parent / link[1]).resolve()
        if (
            target.is_file()
            and target.is_relative_to(root)
            and target.relative_to(root).as_posix() not in copied
        ):
            with contextlib.suppress(ValueError):  # which says that it is on another drive of Windows
                return f"]({Path(os.path.relpath(target, (folder / name).parent)).as_posix()}"
        return link[0]

    return _LINK.sub(home, text).encode()


def _copy_file(done: Copied, name: str, content: bytes, versions: dict[str, str]) -> None:
    """Copy one file as far as that overwrites nothing of the student's; notes it in `done` and in `versions`."""
    path, newest = done.folder / name, _version(content)
    found = _version_of(path)
    if found == newest:
        pass
    elif found is None:
        _write(path, content)
        done.added.append(name)
    elif found == versions.get(name):
        _write(path, content)
        done.updated.append(name)
    elif (
        versions.get(name) != newest
    ):  # if it is, the student has it already, and has changed it or put it away
        done.newer[name] = _copy_beside(done.folder, name, content, versions)
    versions[name] = newest


def _copy_beside(folder: Path, name: str, content: bytes, versions: dict[str, str]) -> str:
    """Copy a newer version under a name that is free, or that holds an older one that nobody has changed."""
    beside = next(
        free
        for free in _names_beside(name)
        if _version_of(folder / free) in (None, versions.get(free), _version(content))
    )
    _write(folder / beside, content)
    changed = (folder / name).stat().st_mtime
    os.utime(folder / beside, (changed, changed - 2))  # who grades a whole folder takes the newest file
    versions[beside] = _version(content)
    return beside


def _names_beside(name: str) -> Iterator[str]:
    """Give ``01_a-new.ipynb``, ``01_a-new-2.ipynb`` and so on: names that need no quotes in a shell."""
    stem, dot, suffix = name.rpartition(".")
    yield f"{stem}-new{dot}{suffix}"
    for number in itertools.count(2):
        yield f"{stem}-new-{number}{dot}{suffix}"


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _version_of(path: Path) -> str | None:
    """The version of a file; None if there is none."""
    try:
        return _version(path.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:  # which may not say where
        raise OSError(f"could not write {path}: {error.strerror or error}") from error


def _read_manifest(folder: Path) -> dict[str, str] | None:
    """Read which versions were copied, by path; None if nothing was copied yet."""
    path = folder / MANIFEST
    try:
        noted = json.loads(path.read_bytes())
        version, files = noted["version"], noted["files"]
        if not isinstance(version, int) or not all(isinstance(value, str) for value in files.values()):
            raise TypeError("a version and the sha256 of files were wanted")
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): delete it and try again; what you have changed stays as it is"
        ) from error
    if version > VERSION:
        raise ValueError(f"{path} was made by a newer version of the course than this one: git pull")
    return files


def _write_manifest(folder: Path, versions: dict[str, str]) -> None:
    noted = {"about": ABOUT, "version": VERSION, "files": dict(sorted(versions.items()))}
    _write(folder / MANIFEST, f"{json.dumps(noted, indent=1)}\n".encode())
