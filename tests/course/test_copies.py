"""A student's copies of the course: complete, brought up to date, and never overwritten where they were changed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lab.course import copies

ROOT = Path(__file__).parents[2]
LESSON, EXERCISE = "notebooks/00_a.ipynb", "exercises/01_b.ipynb"


def notebook(*texts: str) -> str:
    cells = [
        {"cell_type": "markdown", "id": str(k), "metadata": {}, "source": [text]}
        for k, text in enumerate(texts)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def clone(tmp_path) -> Path:
    """A small course: a lesson, an exercise, and the pages that they link to."""
    root = tmp_path / "clone"
    write(
        root / LESSON, notebook("to [words](../docs/words.md) and [there](https://example.org/a.md)", "end")
    )
    write(root / EXERCISE, notebook("back to [the lesson](../notebooks/00_a.ipynb)"))
    write(
        root / "docs/words.md",
        "[map](map.md#here) ![](dot.png) [first](../README.md) [code](../package/a.py)"
        " [not there](gone.md) [outside](../../outside.md) [a](https://example.org/a.md)",
    )
    for name in ("docs/map.md", "docs/dot.png", "package/a.py", "README.md", "../outside.md"):
        write(root / name, name)
    return root


@pytest.fixture
def folder(clone) -> Path:
    """A student's folder in which everything was copied."""
    copies.copy(clone, clone / copies.FOLDER)
    return clone / copies.FOLDER


def test_notebooks_are_copied_with_the_pages_that_they_link_to(clone):
    done = copies.copy(clone, clone / copies.FOLDER)
    assert sorted(done.added) == sorted([LESSON, EXERCISE, "README.md", "docs/words.md"])
    assert (done.was_there, done.updated, done.newer) == (False, [], {})
    for name in (LESSON, EXERCISE):
        assert (done.folder / name).read_bytes() == (clone / name).read_bytes()
    assert "Your copy of the course" in (done.folder / "README.md").read_text("utf-8")


def test_links_of_a_page_lead_back_into_the_clone_unless_their_target_is_copied(clone, tmp_path):
    for folder, way in ((clone / copies.FOLDER, "../.."), (tmp_path / "elsewhere", "../../clone")):
        copies.copy(clone, folder)
        assert (folder / "docs/words.md").read_text() == (
            f"[map]({way}/docs/map.md#here) ![]({way}/docs/dot.png) [first](../README.md) [code]({way}/package/a.py)"
            " [not there](gone.md) [outside](../../outside.md) [a](https://example.org/a.md)"
        )


def test_every_relative_link_of_the_course_leads_somewhere_from_the_copies(tmp_path):
    copies.copy(ROOT, tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if path.name in ("solutions", "diffusion_lab")]
    tried = 0
    for path in [*tmp_path.rglob("*.ipynb"), *tmp_path.rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:href|src)="([^"]+)"', text)
        for link in links:
            if not re.match(r"\w+:|#", link):
                tried += 1
                assert (path.parent / link.split("#")[0]).is_file(), (
                    f"{path.relative_to(tmp_path)} links to {link}"
                )
    assert tried > 60


def test_copying_again_changes_nothing_and_writes_nothing(clone, folder):
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = copies.copy(clone, folder)
    assert (done.was_there, done.added, done.updated, done.newer) == (True, [], [], {})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


def test_a_copy_that_nobody_has_changed_is_brought_up_to_date(clone, folder):
    write(clone / LESSON, "newer")
    done = copies.copy(clone, folder)
    assert (done.updated, done.newer) == ([LESSON], {})
    assert (folder / LESSON).read_text() == "newer"


def test_a_changed_copy_stays_and_the_newer_one_lies_beside_it(clone, folder):
    write(folder / LESSON, "the student's")
    assert copies.copy(clone, folder).newer == {}, "the course has nothing new"
    write(clone / LESSON, "newer")
    assert copies.copy(clone, folder).newer == {LESSON: "notebooks/00_a-new.ipynb"}
    assert (folder / LESSON).read_text() == "the student's"
    newer = folder / "notebooks/00_a-new.ipynb"
    assert newer.read_text() == "newer"
    assert newer.stat().st_mtime < (folder / LESSON).stat().st_mtime, (
        "what was worked on last is the student's"
    )
    assert copies.copy(clone, folder).newer == {}, "said once"
    (folder / "notebooks/00_a-new.ipynb").unlink()
    assert copies.copy(clone, folder).newer == {}, "put away, and not brought again"


def test_what_lies_beside_is_the_students_too(clone, folder):
    write(folder / LESSON, "the student's")
    for text, changed, wanted in [
        ("second", None, "notebooks/00_a-new.ipynb"),
        ("third", None, "notebooks/00_a-new.ipynb"),
        ("fourth", "notebooks/00_a-new.ipynb", "notebooks/00_a-new-2.ipynb"),
        ("fifth", "notebooks/00_a-new-2.ipynb", "notebooks/00_a-new-3.ipynb"),
    ]:
        if changed:
            write(folder / changed, f"changed before {text}")
        write(clone / LESSON, text)
        assert copies.copy(clone, folder).newer == {LESSON: wanted}
        assert (folder / wanted).read_text() == text
    assert (folder / LESSON).read_text() == "the student's"
    assert (folder / "notebooks/00_a-new.ipynb").read_text() == "changed before fourth"
    assert (folder / "notebooks/00_a-new-2.ipynb").read_text() == "changed before fifth"


def test_a_student_who_takes_the_newer_one_over_is_up_to_date(clone, folder):
    write(folder / LESSON, "the student's")
    write(clone / LESSON, "newer")
    copies.copy(clone, folder)
    (folder / "notebooks/00_a-new.ipynb").replace(folder / LESSON)
    write(clone / LESSON, "newest")
    assert copies.copy(clone, folder).updated == [LESSON]


def test_a_copy_that_was_deleted_comes_back(clone, folder):
    (folder / LESSON).unlink()
    assert copies.copy(clone, folder).added == [LESSON]
    assert (folder / LESSON).read_bytes() == (clone / LESSON).read_bytes()


def test_what_the_course_has_no_more_stays(clone, folder):
    (clone / EXERCISE).unlink()
    done = copies.copy(clone, folder)
    assert (done.added, done.updated, done.newer) == ([], [], {})
    assert (folder / EXERCISE).is_file()


def test_files_of_the_student_that_were_there_before_stay(clone):
    folder = clone / copies.FOLDER
    write(folder / LESSON, "the student's")
    done = copies.copy(clone, folder)
    assert done.newer == {LESSON: "notebooks/00_a-new.ipynb"}
    assert (folder / LESSON).read_text() == "the student's"


def test_without_its_manifest_nothing_is_overwritten(clone, folder):
    write(folder / LESSON, "the student's")
    (folder / copies.MANIFEST).unlink()
    write(clone / EXERCISE, "newer")
    before = contents(folder)
    assert copies.copy(clone, folder).newer == {
        LESSON: "notebooks/00_a-new.ipynb",
        EXERCISE: "exercises/01_b-new.ipynb",
    }
    assert before.items() <= contents(folder).items()


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"about": "half',
        "[]",
        "null",
        "{}",
        '{"version": 1, "files": []}',
        '{"version": 1, "files": {"a": 1}}',
        '{"version": "1", "files": {}}',
        "\xff\xfe",
    ],
)
def test_a_damaged_manifest_is_one_line_and_nothing_is_touched(clone, folder, text):
    (folder / copies.MANIFEST).write_bytes(text.encode("latin-1"))
    write(clone / LESSON, "newer")
    before = contents(folder)
    with pytest.raises(ValueError, match="delete it and try again; what you have changed stays") as refused:
        copies.copy(clone, folder)
    assert str(folder / copies.MANIFEST) in str(refused.value)
    assert contents(folder) == before


def test_a_folder_of_a_newer_version_is_left_alone(clone, folder):
    noted = json.loads((folder / copies.MANIFEST).read_bytes())
    write(folder / copies.MANIFEST, json.dumps(noted | {"version": copies.VERSION + 1}))
    write(clone / LESSON, "newer")
    before = contents(folder)
    with pytest.raises(ValueError, match="newer version of the course than this one: git pull"):
        copies.copy(clone, folder)
    assert contents(folder) == before


def test_what_was_copied_before_an_error_is_known_afterwards(clone, monkeypatch):
    folder, write_file = clone / copies.FOLDER, copies._write

    def fail_at_the_lesson(path: Path, content: bytes) -> None:
        if path.name == Path(LESSON).name:
            raise OSError("No space left on device")
        write_file(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(copies, "_write", fail_at_the_lesson)
        with pytest.raises(OSError, match="No space left"):
            copies.copy(clone, folder)
    copied = contents(folder)
    assert EXERCISE in copied
    assert LESSON not in copied
    write(clone / EXERCISE, "newer")
    done = copies.copy(clone, folder)
    assert done.updated == [EXERCISE], "known as a copy that nobody has changed"
    assert LESSON in done.added


LIMITED = """
import resource, sys
from pathlib import Path
from diffusion_lab.course import copies
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    copies.copy(Path(sys.argv[1]), Path(sys.argv[2]))
except OSError as error:
    sys.exit(f"OSError: {error}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files there")
def test_a_file_that_the_disk_has_no_room_for_is_written_whole_or_not_at_all(clone, folder):
    write(folder / EXERCISE, "the student's")
    write(clone / LESSON, "long " * 2000)
    before = contents(folder)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, clone, folder], capture_output=True, text=True, check=False
    )
    assert "OSError" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder) == before
    assert copies.copy(clone, folder).updated == [LESSON]


def test_a_file_in_the_way_of_the_folder_is_an_oserror_and_stays(clone):
    write(clone / copies.FOLDER, "a file")
    with pytest.raises(OSError, match=copies.FOLDER):
        copies.copy(clone, clone / copies.FOLDER)
    assert (clone / copies.FOLDER).read_text() == "a file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_is_an_oserror(clone):
    (clone / copies.FOLDER).mkdir(mode=0o500)
    with pytest.raises(OSError, match=f"could not write .*{copies.FOLDER}.*Permission denied"):
        copies.copy(clone, clone / copies.FOLDER)


def test_a_folder_without_lessons_is_no_course(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no lessons in .*: a clone of the course was wanted"):
        copies.copy(tmp_path, tmp_path / "copies")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_found_from_inside_and_from_the_clone(clone, folder, tmp_path):
    for start in (folder, folder / "notebooks", clone, clone / "exercises"):
        assert copies.find(start) == folder
    assert copies.find(tmp_path) is None
    other = tmp_path / "elsewhere"
    copies.copy(clone, other)
    assert copies.find(other / "exercises") == other


@pytest.mark.notebook
def test_nothing_that_a_student_does_in_the_copies_shows_in_git(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    for name in (".gitignore", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("notebooks", "exercises", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".*"))
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "the course")
    copies.copy(tmp_path, tmp_path / copies.FOLDER)
    for name in ("notebooks/00_start_here.ipynb", "exercises/01_forward_noising.ipynb"):
        path = tmp_path / copies.FOLDER / name
        page, stored = nbformat.read(path, as_version=4), path.read_bytes()
        client = nbclient.NotebookClient(page, timeout=120, allow_errors=True, kernel_name="python3")
        client.execute(cwd=str(path.parent), env=os.environ | {"DIFFUSION_LAB_QUICK": "1"})
        nbformat.write(page, path)
        assert path.read_bytes() != stored, "saved with what it printed now"
    assert git("status", "--porcelain", "--untracked-files=all") == ""
