"""copy-course: what it says, what it trusts, where it copies to, and how it refuses."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from diffusion_lab import progress
from diffusion_lab.cli import copy_course
from diffusion_lab.course import copies
from diffusion_lab.course.copies import Copied

ROOT = Path(__file__).parents[2]
LESSON = "notebooks/00_start_here.ipynb"


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """A clone with one lesson and one exercise, in which commands are called; nobody's Jupyter, nobody's notes."""
    root = tmp_path / "clone"
    for name in ("pyproject.toml", LESSON, "exercises/01_forward_noising.ipynb"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    monkeypatch.chdir(root)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setattr(progress, "user_data_path", lambda name: tmp_path / "data" / name)
    return root


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """What Jupyter was asked to trust, in the place of asking it."""
    names: list[str] = []
    monkeypatch.setattr(
        copy_course, "trust", lambda paths: [names.append(path.name) for path in paths] or True
    )
    return names


def change(path: Path, text: str) -> None:
    page = nbformat.read(path, as_version=4)
    page.cells[0].source = text
    nbformat.write(page, path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_in_one_line_what_it_did(clone, command, asked):
    code, out, err = command("copy-course")
    assert (code, err) == (0, "")
    assert out == "my-course: copied 1 lessons and 1 exercises, which are yours to change\n"
    assert asked == ["01_forward_noising.ipynb", "00_start_here.ipynb"]
    asked.clear()
    assert command("copy-course") == (0, "my-course: nothing new\n", "")
    assert asked == []
    change(clone / LESSON, "newer")
    _, out, _ = command("copy-course")
    assert out == f"my-course: brought up to date what you had not changed: {LESSON}\n"
    change(clone / copies.FOLDER / LESSON, "the student's")
    change(clone / LESSON, "newest")
    (clone / copies.FOLDER / "exercises/01_forward_noising.ipynb").unlink()
    asked.clear()
    _, out, _ = command("copy-course")
    assert out.count("\n") == 1
    assert "added exercises/01_forward_noising.ipynb" in out
    assert "newer ones lie beside what you have changed: notebooks/00_start_here-new.ipynb" in out
    assert asked == ["01_forward_noising.ipynb", "00_start_here-new.ipynb"]


def test_jupyter_trusts_the_copies_and_not_what_was_changed(clone, command, tmp_path):
    assert command("copy-course")[0] == 0
    notary = NotebookNotary(data_dir=str(tmp_path / "jupyter"))
    copy = clone / copies.FOLDER / LESSON
    assert notary.check_signature(nbformat.read(copy, as_version=4))
    change(copy, "the student's")
    assert command("copy-course")[0] == 0
    assert not notary.check_signature(nbformat.read(copy, as_version=4))
    notary.store.close()


def test_without_jupyter_the_copies_are_made_and_a_line_says_what_is_missing(clone, command, monkeypatch):
    monkeypatch.setattr(copy_course.sys, "executable", shutil.which("false"))
    code, out, err = command("copy-course")
    assert code == 0
    assert "copied 1 lessons" in out
    assert err.count("\n") == 1
    assert "did not trust" in err


def test_it_is_called_from_anywhere_in_the_clone_and_from_the_copies(clone, command, asked, monkeypatch):
    for folder in ("notebooks", f"{copies.FOLDER}/exercises", copies.FOLDER):
        monkeypatch.chdir(clone / folder)
        assert command("copy-course")[0] == 0
    assert [path.parent for path in clone.rglob(copies.MANIFEST)] == [clone / copies.FOLDER]


def test_outside_of_a_clone_it_takes_the_one_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert copy_course.find_clone() == ROOT


def test_another_folder_can_be_named(clone, command, asked, tmp_path):
    code, out, _ = command("copy-course", "--out", tmp_path / "mine")
    assert code == 0
    assert out.startswith(f"{tmp_path / 'mine'}: copied")
    assert (tmp_path / "mine" / LESSON).is_file()
    assert not (clone / copies.FOLDER).exists()


def test_what_was_noted_before_comes_along(clone, command, asked, tmp_path):
    old = tmp_path / "data" / "diffusion-lab" / "progress.json"
    old.parent.mkdir(parents=True)
    old.write_text("notes")
    _, out, _ = command("copy-course")
    assert out.endswith("which are yours to change; your progress came along\n")
    assert (clone / copies.FOLDER / "progress.json").read_text() == "notes"


def test_trouble_is_one_line_and_exit_code_2_and_nothing_is_lost(clone, command, asked, refused):
    command("copy-course")
    folder = clone / copies.FOLDER
    change(folder / LESSON, "the student's")
    change(clone / LESSON, "newer")
    manifest = (folder / copies.MANIFEST).read_text()
    for text, words in [
        (manifest[:100], "is damaged"),
        (json.dumps(json.loads(manifest) | {"version": 99}), "newer version of the course"),
    ]:
        (folder / copies.MANIFEST).write_text(text)
        before = contents(folder)
        assert words in refused("copy-course")
        assert contents(folder) == before
    assert "a_file" in refused("copy-course", "--out", clone / LESSON / "a_file")


def test_a_clone_without_lessons_is_refused(clone, refused):
    shutil.rmtree(clone / "notebooks")
    shutil.rmtree(clone / "exercises")
    assert "no lessons" in refused("copy-course")


def test_a_full_disk_is_one_line_and_exit_code_2(clone):
    resource = pytest.importorskip("resource", reason="no limits on the size of files here")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    done = subprocess.run(
        [sys.executable, "-m", "diffusion_lab", "copy-course"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=no_room,
    )
    assert done.returncode == 2
    assert re.fullmatch(
        r"diffusion-lab copy-course: could not write .*\.ipynb: File too large\n", done.stderr
    )
    assert not list(clone.rglob("*.part*"))


def test_only_what_was_done_is_said_and_long_lists_are_counted():
    assert copy_course.summary(Copied(Path("x"), True, [], [], {})) == "nothing new"
    both = copy_course.summary(Copied(Path("x"), True, ["a"], ["b", "c"], {}))
    assert both == "brought up to date what you had not changed: b, c; added a"
    assert copy_course.summary(Copied(Path("x"), True, list("abcd"), [], {})) == "added 4 files"
