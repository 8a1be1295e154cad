"""Notes of what a student has done: what is kept, where, when nothing is, and that no trouble with them costs any."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from diffusion_lab import progress
from diffusion_lab.checks import forward_noising
from diffusion_lab.checks.engine import Mistaken, NotAttempted
from diffusion_lab.course import copies
from diffusion_lab.progress import LessonNotes, Progress

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    """A home and a working directory without anybody's notes, and lines that were not printed yet."""
    monkeypatch.setattr(progress, "user_data_path", lambda name: tmp_path / "data" / name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    progress._say.cache_clear()


@pytest.fixture
def file(monkeypatch, tmp_path) -> Path:
    """The file that is named to be noted into."""
    path = tmp_path / "notes" / "progress.json"
    monkeypatch.setenv(progress.SWITCH, str(path))
    return path


@pytest.fixture
def clock(monkeypatch):
    """Times that a test can set."""
    times = ["2026-11-30T16:48+01:00"]
    monkeypatch.setattr(progress, "_now", lambda: times[-1])
    return times


def student_environment(monkeypatch) -> None:
    for name in progress.NOT_A_STUDENT:
        monkeypatch.delenv(name, raising=False)


def test_the_file_says_first_that_it_stays_here_and_holds_what_was_noted(file, clock):
    progress.note_opened(0)
    progress.note_guess("01", 900)
    progress.note_task("1.2", "solved", 2)
    noted = json.loads(file.read_text("utf-8"))
    assert next(iter(noted)) == "about"
    assert "stays on your computer" in noted["about"]
    at = clock[0]
    assert noted["version"] == 1
    assert noted["lessons"] == {
        "00": {"opened": at, "guess": None, "guessed": None},
        "01": {"opened": at, "guess": 900, "guessed": at},
    }
    assert noted["tasks"] == {"1.2": {"state": "solved", "checked": at, "solved": at, "points": 2}}


@pytest.mark.parametrize("guess", [900, 0.5, "à peu près 3", [3, 1, 4], {"a": 0.5}, True])
def test_what_was_noted_is_read_again(file, clock, guess):
    progress.note_guess(7, guess)
    progress.note_task("10.3", "wrong: variance-as-std", 3)
    noted = progress.read()
    assert noted.lessons == {"07": LessonNotes(opened=clock[0], guess=guess, guessed=clock[0])}
    assert noted.tasks["10.3"].state == "wrong: variance-as-std"
    assert (noted.tasks["10.3"].solved, noted.tasks["10.3"].points) == (None, 0)


def test_a_lesson_is_opened_once_and_guessed_again_and_again(file, clock):
    progress.note_opened(1)
    clock.append("2026-12-01T09:00+01:00")
    progress.note_opened(1)
    progress.note_guess(1, 100)
    progress.note_guess(1, 200)
    assert progress.read().lessons["01"] == LessonNotes(clock[0], 200, clock[1])


def test_a_solved_task_stays_solved(file, clock):
    progress.note_task("1.2", "wrong: index-shift", 2)
    progress.note_task("1.2", "solved", 2)
    clock.append("2026-12-01T09:00+01:00")
    progress.note_task("1.2", "wrong: shared-t", 2)
    notes = progress.read().tasks["1.2"]
    assert (notes.solved, notes.points) == (clock[0], 2)
    assert (notes.state, notes.checked) == ("wrong: shared-t", clock[1])


def test_times_are_local_and_have_their_zone(file):
    progress.note_opened(1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d", progress.read().lessons["01"].opened)


@pytest.mark.parametrize("lesson", ["", "one", -1, 1.5, "001", True, None, "../1"])
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_lesson_is_refused(file, lesson):
    for note in (progress.note_opened, lambda number: progress.note_guess(number, 1)):
        with pytest.raises(ValueError, match=r'lesson: .* such as 1 or "01", got ' + re.escape(repr(lesson))):
            note(lesson)
    assert not file.exists()


@pytest.mark.parametrize(
    ("number", "state", "complaint"),
    [
        ("1", "solved", 'number: a task was wanted, such as "1.2", got '),
        ("1.2.3", "solved", "number: "),
        ("1.2", "done", 'state: "solved" or .* got '),
        ("1.2", "wrong: ", "state: "),
    ],
)
def test_what_is_no_task_or_state_is_refused(file, number, state, complaint):
    with pytest.raises(ValueError, match=complaint):
        progress.note_task(number, state, 1)
    assert not file.exists()


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j])
def test_a_guess_that_is_no_json_is_refused(file, value):
    with pytest.raises(TypeError, match=r"value: a number, a text, .* was wanted, got "):
        progress.note_guess(1, value)
    assert not file.exists()


# where, and when not


def test_notes_lie_in_the_copies_if_there_are_any_and_else_with_the_users_data(monkeypatch, tmp_path):
    monkeypatch.delenv(progress.SWITCH, raising=False)
    assert progress.path() == tmp_path / "data" / "diffusion-lab" / "progress.json"
    folder = tmp_path / "work" / copies.FOLDER
    (folder / "notebooks").mkdir(parents=True)
    (folder / copies.MANIFEST).write_text("{}")
    assert progress.path() == folder / "progress.json"
    monkeypatch.chdir(folder / "notebooks")
    assert progress.path() == folder / "progress.json"


def test_notes_from_before_there_were_copies_are_taken_along_once(monkeypatch, tmp_path):
    student_environment(monkeypatch)
    monkeypatch.delenv(progress.SWITCH, raising=False)
    folder = tmp_path / "work" / copies.FOLDER
    assert progress.take_along(folder) is False
    progress.note_guess(1, 900)
    old = tmp_path / "data" / "diffusion-lab" / "progress.json"
    assert progress.take_along(folder) is True
    assert (folder / "progress.json").read_bytes() == old.read_bytes()
    (folder / "progress.json").write_text("the student's")
    assert progress.take_along(folder) is False
    assert (folder / "progress.json").read_text() == "the student's"


@pytest.mark.parametrize("variable", progress.NOT_A_STUDENT)
def test_nothing_is_noted_where_notebooks_are_tested_or_graded(monkeypatch, tmp_path, variable):
    student_environment(monkeypatch)
    monkeypatch.delenv(progress.SWITCH, raising=False)
    assert progress.is_noting()
    monkeypatch.setenv(variable, "true")
    assert not progress.is_noting()
    progress.note_opened(1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("off", ["off", "OFF", "0", "no", "false"])
def test_a_student_can_turn_it_off(monkeypatch, tmp_path, off):
    student_environment(monkeypatch)
    monkeypatch.setenv(progress.SWITCH, off)
    progress.note_opened(1)
    assert not (tmp_path / "data").exists()
    assert progress.read() == Progress()


def test_a_variable_ci_that_says_no_is_no_ci(monkeypatch):
    student_environment(monkeypatch)
    monkeypatch.delenv(progress.SWITCH, raising=False)
    monkeypatch.setenv("CI", "false")
    assert progress.is_noting()


def test_pytest_tells_its_kernels_that_it_is_there():
    """What `is_noting` relies on: nbval starts kernels while a test is being set up, and they inherit this."""
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert not progress.is_noting() or progress.SWITCH in os.environ


def test_the_box_of_the_grader_tells_its_kernels_that_it_is_there():
    from diffusion_lab.grading import box

    assert "DIFFUSION_LAB_BOX" in box._environment(box.Box("none", ""), "/tmp", "name")


# trouble


DAMAGED = [
    "",
    '{"about": "half',
    "[1]",
    "null",
    "{}",
    '{"version": 2, "lessons": {}, "tasks": {}}',
    '{"version": 1, "lessons": []}',
    '{"version": 1, "lessons": {"01": 3}, "tasks": {}}',
    '{"version": 1, "lessons": {"01": {"mood": "good"}}, "tasks": {}}',
    '{"version": 1, "lessons": {"01": {"opened": "yesterday"}}, "tasks": {}}',
    '{"version": 1, "lessons": {"01": {"opened": "2026-11-30"}}, "tasks": {}}',
    '{"version": 1, "lessons": {"01": {"opened": 5}}, "tasks": {}}',
    '{"version": 1, "lessons": {}, "tasks": {"1.1": {"state": "solved"}}}',
    '{"version": 1, "lessons": {}, "tasks": {"1.1": {"state": "solved", "checked": null}}}',
    "\xff\xfe\x00",
]


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("act", [progress.read, lambda: progress.note_opened(2)], ids=["read", "note"])
@pytest.mark.usefixtures("unchecked")
def test_a_file_that_is_not_ours_is_kept_aside_and_a_line_says_so(file, capsys, text, act):
    file.parent.mkdir()
    file.write_bytes(text.encode("latin-1"))
    act()
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "it is kept as progress.damaged.json" in line
    assert file.with_name("progress.damaged.json").read_bytes() == text.encode("latin-1")
    progress.note_opened(3)
    assert "03" in progress.read().lessons
    assert capsys.readouterr().err == ""


def test_a_second_damaged_file_is_kept_beside_the_first(file):
    file.parent.mkdir()
    for text in ("one", "two", "three"):
        file.write_text(text)
        assert progress.read() == Progress()
    kept = [path.read_text() for path in sorted(file.parent.glob("*.damaged*.json"))]
    assert sorted(kept) == ["one", "three", "two"]


def test_a_place_that_cannot_be_written_costs_one_line(monkeypatch, tmp_path, capsys):
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv(progress.SWITCH, str(tmp_path / "a file" / "progress.json"))
    progress.note_opened(1)
    progress.note_opened(2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "your progress could not be noted: " in error
    assert progress.read() == Progress()


def test_a_folder_in_the_place_of_the_file_costs_one_line_and_stays(file, capsys):
    file.mkdir(parents=True)
    assert progress.read() == Progress()
    assert capsys.readouterr().err.count("\n") == 1
    progress.note_opened(1)
    assert capsys.readouterr().err.count("\n") == 1
    assert list(file.iterdir()) == []


LIMITED = """
import resource
from diffusion_lab import progress
progress.note_guess(1, "kept")
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
for lesson in range(2, 9):
    progress.note_guess(lesson, "long " * 100)
print(*progress.read().lessons)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files there")
def test_a_full_disk_costs_one_line_and_none_of_the_old_notes(file):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "01\n"
    assert done.stderr.count("\n") == 1
    assert "could not be noted" in done.stderr
    assert "01" in progress.read().lessons
    assert [path.name for path in file.parent.iterdir() if ".part" in path.name] == []


def test_who_notes_waits_for_another_and_gives_up_with_one_line(file, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    progress.note_opened(1)
    with FileLock(file.with_name(".progress.lock")):
        progress.note_opened(2)
    assert capsys.readouterr().err.count("\n") == 1
    progress.note_opened(3)
    assert sorted(progress.read().lessons) == ["01", "03"]


MANY = """
import sys
from diffusion_lab import progress
for task in range(20):
    progress.note_task(f"{sys.argv[1]}.{task}", "solved", 1)
"""


def test_notebooks_that_note_at_the_same_time_lose_nothing(file):
    running = [subprocess.Popen([sys.executable, "-c", MANY, str(number)], cwd=ROOT) for number in (1, 2, 3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(progress.read().tasks) == 60


# who notes


def test_a_check_notes_solved_and_wrong_by_name_and_no_blank(file, capsys):
    forward_noising.begin()
    with pytest.raises(NotAttempted):
        forward_noising.signal_left(None)
    assert not file.exists()
    with pytest.raises(Mistaken):
        forward_noising.signal_left(0.15)
    assert progress.read().tasks["1.1"].state == "wrong: variance-as-std"
    forward_noising.signal_left(0.39)
    assert progress.read().tasks["1.1"].state == "solved"
    assert progress.read().tasks["1.1"].points == forward_noising.exercise.tasks["1.1"].points
    assert "1.1 solved" in capsys.readouterr().out


def test_a_check_goes_on_where_nothing_can_be_noted(monkeypatch, tmp_path, capsys):
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv(progress.SWITCH, str(tmp_path / "a file" / "progress.json"))
    forward_noising.begin()
    forward_noising.signal_left(0.39)
    printed = capsys.readouterr()
    assert "1.1 solved" in printed.out
    assert printed.err.count("\n") == 1
