"""Finding what a class handed in, and reading files that are hardly notebooks."""

import json
import os
import stat
import time
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.grading import submissions
from diffusion_lab.grading.submissions import Submission, Unreadable, find, read

ROOT = Path(__file__).parents[2]
BLANK = (ROOT / "exercises" / "01_forward_noising.ipynb").read_bytes()
FORWARD = "01_forward_noising.ipynb"


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files, each a second newer than the one before."""
    for age, (name, data) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1e9 + age, 1e9 + age))
    return folder


def pack(path: Path, files: dict[str, bytes], **attributes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, attributes.get("date", (2026, 1, 1, 0, 0, 0)))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = attributes.get("mode", stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return path


def told(found) -> list[tuple]:
    return [(submission.student, submission.exercise) for submission in found]


def problems(found) -> dict[str, str]:
    return {submission.student: submission.problem for submission in found}


# who and which exercise

LAYOUTS = {
    "Moodle, with folders": (
        [
            "Anna Lee_12_assignsubmission_file_/01_forward_noising.ipynb",
            "Bo_O'N_3_assignsubmission_file_/a.ipynb",
        ],
        [("Anna Lee_12", "01"), ("Bo_O'N_3", "01")],
    ),
    "Moodle, without folders": (
        ["Anna Lee_12_assignsubmission_file_02_noise_schedules.ipynb", "Bo_3_assignsubmission_file_x.ipynb"],
        [("Anna Lee_12", "02"), ("Bo_3", "01")],
    ),
    "Canvas": (
        ["leeanna_12345_67890_01_forward_noising.ipynb", "zedd_LATE_2_67891_02_noise_schedules-1.ipynb"],
        [("leeanna_12345", "01"), ("zedd_2", "02")],
    ),
    "Google Classroom": (
        ["Exercise 1/Anna Lee - 01_forward_noising.ipynb", "Exercise 1/Bo - Copy of x.ipynb"],
        [("Anna Lee", "01"), ("Bo", "01")],
    ),
    "Google Classroom, two exercises": (
        [
            "Exercise 1/Anna - x.ipynb",
            "Exercise 1/Bo - x.ipynb",
            "Exercise 1/Cy - x.ipynb",
            "Exercise 2/Bo - 02_x.ipynb",
        ],
        [("Anna", "01"), ("Bo", "01"), ("Bo", "02"), ("Cy", "01")],
    ),
    "a folder per student": (
        ["anna/deep/er/01_forward_noising.ipynb", "anna/02_noise_schedules.ipynb", "bo/A - B.ipynb"],
        [("anna", "01"), ("anna", "02"), ("bo", "01")],
    ),
    "a flat folder": (
        ["anna_01_forward_noising.ipynb", "bo.ipynb", "Zoë Å-02_noise_schedules.ipynb", "notes.txt"],
        [("anna", "01"), ("bo", "01"), ("Zoë Å", "02")],
    ),
    "a prefix that is no student": (
        ["hw_01_anna.ipynb", "hw_01_bo.ipynb"],
        [("hw_01_anna", "01"), ("hw_01_bo", "01")],
    ),
    "a dash that is no mark of Classroom": (
        ["Homework - anna.ipynb", "Homework - bo.ipynb"],
        [("Homework - anna", "01"), ("Homework - bo", "01")],
    ),
    "names that hurt": (
        ["=cmd()|'C calc'!A0.ipynb", 'a, "b"\nc.ipynb', "01_forward_noising (2).ipynb"],
        [("01_forward_noising (2)", "01"), ("=cmd()|'C calc'!A0", "01"), ('a, "b"\nc', "01")],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_students_and_exercises_are_told_by_the_path(tmp_path, layout, packed):
    names, expected = LAYOUTS[layout]
    files = dict.fromkeys(names, BLANK)
    found = list(find(pack(tmp_path / "a.zip", files) if packed else put(tmp_path / "class", files)))
    assert told(found) == expected
    assert all(
        submission.data == BLANK and not submission.problem and not submission.notes for submission in found
    )


def test_an_accent_is_the_same_however_it_was_typed(tmp_path):
    found = list(find(put(tmp_path, {"Jose\u0301_01_a.ipynb": BLANK, "Jos\u00e9_02_b.ipynb": BLANK})))
    assert told(found) == [("Jos\u00e9", "01"), ("Jos\u00e9", "02")]


def test_a_pattern_of_the_instructor(tmp_path):
    put(tmp_path, {"week3/s123-anna.ipynb": BLANK, "week3/s124-bo.ipynb": BLANK, "week3/lost.ipynb": BLANK})
    found = list(find(tmp_path, r"week(?P<exercise>\d)/(?P<id>s\d+)-(?P<student>\w+)"))
    assert told(found) == [("anna_s123", "03"), ("bo_s124", "03"), ("week3/lost", "01")]
    assert "does not match" in found[2].notes[0]
    assert not found[0].notes


@pytest.mark.parametrize(
    ("pattern", "error"), [("(", "pattern: a regular expression"), ("(.*)", r"group \(\?P<student>")]
)
def test_a_pattern_that_does_not_work_is_refused_at_once(tmp_path, pattern, error):
    with pytest.raises(ValueError, match=error):
        find(tmp_path, pattern)


def test_a_source_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source: .* there is no"):
        find(tmp_path / "nowhere")
    (tmp_path / "class.rar").write_bytes(b"Rar!")
    with pytest.raises(ValueError, match=r"source: .*class\.rar is neither"):
        find(tmp_path / "class.rar")
    (tmp_path / "cut.zip").write_bytes(b"PK\x01\x02" + b"\xff" * 50 + b"PK\x05\x06" + b"\xff" * 16 + b"\0\0")
    with pytest.raises(ValueError, match=r"cut\.zip"):
        find(tmp_path / "cut.zip")
    assert list(find(put(tmp_path / "empty", {".DS_Store": b""}))) == []


def test_hidden_files_are_passed_over_and_a_wrapper_of_a_zip_is(tmp_path):
    names = [
        "sub/anna/01_a.ipynb",
        "sub/bo/01_a.ipynb",
        "__MACOSX/sub/anna/._01_a.ipynb",
        "sub/anna/.ipynb_checkpoints/01_a-checkpoint.ipynb",
    ]
    found = list(find(pack(tmp_path / "a.zip", dict.fromkeys(names, BLANK))))
    assert told(found) == [("anna", "01"), ("bo", "01")]
    assert not any(submission.notes for submission in found)
    alone = pack(tmp_path / "b.zip", {"anna/01_a.ipynb": BLANK})
    assert told(find(alone)) == [("anna", "01")]


# one submission per student and exercise


def test_the_newer_of_two_is_graded_and_the_other_named(tmp_path):
    put(tmp_path, {"anna/b/01_a.ipynb": b"old", "anna/a/01_a.ipynb": b"new", "bo/01_a.ipynb": b"bo"})
    found = list(find(tmp_path))
    assert [(submission.student, submission.data) for submission in found] == [
        ("anna", b"new"),
        ("bo", b"bo"),
    ]
    assert found[0].name == "anna/a/01_a.ipynb"
    assert "anna/b/01_a.ipynb" in found[0].notes[0]
    assert "older" in found[0].notes[0]


def test_of_two_equally_old_the_last_by_number(tmp_path):
    names = ["lee_1_555_01_a-10.ipynb", "lee_1_555_01_a-9.ipynb", "lee_1_555_01_a.ipynb"]
    (found,) = find(pack(tmp_path / "a.zip", {name: name.encode() for name in names}))
    assert found.data == b"lee_1_555_01_a-10.ipynb"
    assert len(found.notes) == 2


def test_copies_in_a_flat_folder_are_of_one_student(tmp_path):
    names = ["anna_01_a.ipynb", "anna_01_a (1).ipynb", "anna_01_a-copy.ipynb", "bo_01_b.ipynb"]
    anna, bo = find(put(tmp_path, {name: name.encode() for name in names}))
    assert (anna.student, anna.data, len(anna.notes)) == ("anna", b"anna_01_a-copy.ipynb", 2)
    assert bo.student == "bo"


def test_of_a_whole_course_the_exercise_is_taken_and_not_its_lesson_or_a_newer_copy(tmp_path):
    answered, lesson = b"# ANSWER 1.1\\nmy_guess = 1", b"the lesson"
    files = {
        "anna/my-course/exercises/01_a.ipynb": answered,
        "anna/my-course/exercises/01_a-new.ipynb": b"# ANSWER 1.1\\nmy_guess = None",
        "anna/my-course/notebooks/01_a.ipynb": lesson,
        "bo/notebooks/01_a.ipynb": lesson,
        "cy/notebooks/01_a.ipynb": answered,
        "cy/exercises/x/01_a.ipynb": b"cy's older",
    }
    put(tmp_path, files)
    for name in files:
        os.utime(tmp_path / name, (1e9, 1e9))
    os.utime(tmp_path / "cy/notebooks/01_a.ipynb", (2e9, 2e9))
    anna, bo, cy = find(tmp_path)
    assert anna.data == answered
    assert anna.notes == (
        "anna/my-course/exercises/01_a-new.ipynb: an older file of the same student; not graded",
    )
    assert bo.data == lesson, "all that there is"
    assert cy.data == answered, "answers are taken from wherever they are"


def test_a_newer_copy_in_a_flat_folder_is_of_the_same_student(tmp_path):
    files = {name: name.encode() for name in ("anna_01_a-new.ipynb", "anna_01_a.ipynb", "bo_01_a.ipynb")}
    anna, bo = find(put(tmp_path, files))
    assert (anna.student, anna.data, bo.student) == ("anna", b"anna_01_a.ipynb", "bo")


def test_a_name_without_end_is_refused(tmp_path):
    name = "a_1" * 20_000 + "/b.ipynb"
    begin = time.process_time()
    refused, bo = find(pack(tmp_path / "a.zip", {name: BLANK, "bo_01_x.ipynb": BLANK}))
    assert time.process_time() - begin < 2
    assert "its path has 60,008 characters" in refused.problem
    assert not bo.problem


def test_a_notebook_of_no_exercise_stands_for_itself(tmp_path):
    put(tmp_path, {"anna/01_a.ipynb": BLANK, "anna/scratch.ipynb": b"{}"})
    assert told(find(tmp_path)) == [("anna", None), ("anna", "01")]


def test_marks_inside_tell_the_exercise_in_any_encoding(tmp_path):
    text = BLANK.decode("utf-8").replace("ANSWER 1.", "ANSWER 3.")
    put(tmp_path, {"a.ipynb": text.encode("utf-16"), "b.ipynb": text.encode("utf-8"), "c.ipynb": b""})
    assert told(find(tmp_path)) == [("a", "03"), ("b", "03"), ("c", None)]


def test_marks_tell_the_exercise_of_a_file_that_is_broken(tmp_path):
    put(tmp_path, {"a.ipynb": BLANK[: len(BLANK) // 2], "b.ipynb": b"<<<<<<< HEAD\n" + BLANK})
    assert told(find(tmp_path)) == [("a", "01"), ("b", "01")]


def test_who_handed_in_no_notebook_gets_a_row_and_who_added_files_does_not(tmp_path):
    put(
        tmp_path,
        {"anna/01_a.ipynb": BLANK, "anna/plot.png": b"", "bo/homework.pdf": b"", "zoe/a.ipynb.txt": BLANK},
    )
    found = list(find(tmp_path))
    assert told(found) == [("anna", "01"), ("bo", None), ("zoe", "01")]
    with pytest.raises(Unreadable, match=r"this file is \.pdf, and a notebook"):
        found[1].read()
    assert found[2].read().cells


def test_many_files_of_one_student_make_a_short_note(tmp_path):
    (found,) = find(put(tmp_path, {f"anna/{k}/01_a.ipynb": b"" for k in range(50)}))
    assert len(found.notes) == 21
    assert "29 more files" in found.notes[-1]


# what is refused


def test_links_are_refused_and_nothing_is_changed(tmp_path):
    put(tmp_path / "secret", {"key.ipynb": BLANK})
    folder = put(tmp_path / "class", {"bo.ipynb": BLANK})
    (folder / "anna.ipynb").symlink_to(tmp_path / "secret" / "key.ipynb")
    (folder / "carl").symlink_to(tmp_path / "secret")
    (folder / "bo_01_x.ipynb").symlink_to(tmp_path / "secret" / "key.ipynb")
    before = {path: path.lstat() for path in folder.iterdir()}
    found = list(find(folder))
    assert problems(found) == {"anna": submissions._LINK, "bo": "", "carl": submissions._LINK}
    bo = next(submission for submission in found if submission.student == "bo")
    assert "bo_01_x.ipynb: this is a link" in bo.notes[0]
    assert all(not submission.data for submission in found if submission.problem)
    for path, status in before.items():
        after = path.lstat()
        assert (after.st_mtime_ns, after.st_mode, after.st_size) == (
            status.st_mtime_ns,
            status.st_mode,
            status.st_size,
        )


def test_what_becomes_a_link_or_a_pipe_after_it_was_found_is_refused(tmp_path):
    put(tmp_path, {"a_01_x.ipynb": BLANK, "b_01_x.ipynb": BLANK, "c_01_x.ipynb": BLANK})
    found = find(tmp_path)
    for name in "abc":
        (tmp_path / f"{name}_01_x.ipynb").unlink()
    (tmp_path / "a_01_x.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "b_01_x.ipynb")
    a, b, c = found
    assert (a.problem, b.problem) == (submissions._LINK, "this is not an ordinary file")
    assert "No such file" in c.problem


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a_01_x.ipynb")
    (found,) = find(tmp_path)
    assert "neither a file" in found.problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../anna_01_x.ipynb", "leads out of it"),
        ("/etc/anna_01_x.ipynb", "absolute"),
        ("C:\\anna_01_x.ipynb", "absolute"),
        ("..\\anna_01_x.ipynb", "leads out of it"),
        ("a/../../anna_01_x.ipynb", "leads out of it"),
    ],
)
def test_paths_that_lead_out_of_a_zip_are_refused(tmp_path, name, problem):
    found = list(find(pack(tmp_path / "a.zip", {name: BLANK, "bo_01_x.ipynb": BLANK})))
    assert len(found) == 2
    (refused,) = (submission for submission in found if submission.problem)
    assert problem in refused.problem
    assert not refused.data


def test_a_link_in_a_zip_is_refused(tmp_path):
    (found,) = find(pack(tmp_path / "a.zip", {"anna_01_x.ipynb": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777))
    assert found.problem == submissions._LINK


def test_a_bomb_is_refused_by_what_it_claims_and_by_what_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_BYTES", 1_000_000)
    path = pack(tmp_path / "a.zip", {"anna_01_x.ipynb": bytes(10_000_000), "bo_01_x.ipynb": BLANK})
    found = list(find(path))
    assert "10 MB unpacked" in found[0].problem
    assert not found[1].problem
    lying = path.read_bytes().replace((10_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    (tmp_path / "b.zip").write_bytes(lying)
    anna, bo = find(tmp_path / "b.zip")
    assert anna.problem
    assert not anna.data
    assert bo.data == BLANK


def test_a_zip_may_not_unpack_to_more_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_UNPACKED", 2.5 * len(BLANK))
    found = list(find(pack(tmp_path / "a.zip", {f"{name}_01_x.ipynb": BLANK for name in "abc"})))
    assert [bool(submission.problem) for submission in found] == [False, False, True]
    assert "unpacks to more than" in found[2].problem


def test_too_many_files_and_files_too_large(tmp_path, monkeypatch):
    put(tmp_path / "class", {"a_01_x.ipynb": BLANK, "b_01_x.ipynb": b"1"})
    monkeypatch.setattr(submissions, "MAX_BYTES", 1000)
    assert "up to 0 MB are read" in problems(find(tmp_path / "class"))["a"]
    assert not problems(find(tmp_path / "class"))["b"]
    monkeypatch.setattr(submissions, "MAX_FILES", 1)
    with pytest.raises(ValueError, match="up to 1 files"):
        find(tmp_path / "class")
    with pytest.raises(ValueError, match="up to 1 files"):
        find(pack(tmp_path / "a.zip", {"a.ipynb": b"", "b.ipynb": b""}))


def test_damage_in_a_zip_costs_that_entry_only(tmp_path):
    path = pack(tmp_path / "a.zip", {"a_01_x.ipynb": bytes(range(256)) * 50, "b_01_x.ipynb": BLANK})
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    a, b = find(path)
    assert "damaged" in a.problem
    assert b.data == BLANK


def test_a_folder_that_may_not_be_read_is_said(tmp_path, monkeypatch):
    put(tmp_path, {"anna/01_x.ipynb": BLANK, "bo_01_x.ipynb": BLANK})
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "anna":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert problems(find(tmp_path)) == {"anna": "the folder could not be read: Permission denied", "bo": ""}


# reading


def notebook(*cells, **more) -> dict:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more


def code(source="x = 1", **more) -> dict:
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": 1,
    } | more


def of(*cells, **more) -> nbformat.NotebookNode:
    """Read a notebook of these cells, which must come out valid."""
    made = read(json.dumps(notebook(*cells, **more)).encode())
    nbformat.validate(made)
    return made


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_usual_encoding_and_line_end(encoding, ends):
    source = f"# für x{ends}y = 1{ends}".split("|")
    text = json.dumps(notebook(code(source)), ensure_ascii=False, indent=1).replace("\n", ends)
    made = read(text.encode(encoding))
    assert made.cells[0].source == "# für x\ny = 1\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b" \n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\0" * 100, "empty"),
        (b"<!DOCTYPE html>\n<html>", "this is a web page, not a notebook"),
        (b"\n <HTML><body>", "web page"),
        (b"<?xml version='1.0'?><a/>", "HTML or XML"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n", "a picture"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs"),
        (b"import torch\nx = 1\n", "not valid JSON .line 1"),
        (b"[1, 2]", "an object was wanted, got list"),
        (b'"text"', "got str"),
        (b"null", "got NoneType"),
        (b"{}", "no cells"),
        (b'{"cells": {}}', "no cells"),
        (b'{"worksheets": [1, {"cells": 2}]}', "no cells"),
        (BLANK[:5000], "cut off|not valid JSON"),
        (b'{"cells": [', "cut off"),
        (b"<<<<<<< HEAD\n{}\n=======\n[]\n>>>>>>> theirs\n", "merge markers"),
        (BLANK.replace(b' "cells"', b'<<<<<<< HEAD\n "cells"\n=======\n>>>>>>> b'), "merge markers"),
        (b"[" * 1_000_000, "nested too deep"),
        (b'{"cells":' * 100_000, "nested too deep"),
        (b"\xff\xfe", "empty"),
        (b"1" * 10_000, "JSON"),
    ],
)
def test_what_is_no_notebook_is_said_in_words(data, reason):
    with pytest.raises(Unreadable, match=reason) as raised:
        read(data)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_JSON", "MAX_CODE", "MAX_CELLS"])
def test_limits(monkeypatch, limit):
    assert len(read(BLANK).cells) == len(json.loads(BLANK)["cells"])
    monkeypatch.setattr(submissions, limit, 20)
    with pytest.raises(Unreadable, match=r"up to|MB of text"):
        read(BLANK)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_outputs_of_200_mb_are_dropped_in_time(ends):
    lines = [f"line {number}, printed without end\n" for number in range(4_500_000)]
    flood = {"output_type": "stream", "name": "stdout", "text": lines}
    cells = [code("x = 1"), code("y = 2", outputs=[flood], id="b"), code("z = 3", id="c")]
    data = json.dumps(notebook(*cells), indent=1).replace("\n", ends).encode()
    assert len(data) > 200_000_000
    begin = time.process_time()
    made = read(data)
    assert time.process_time() - begin < 5
    assert [cell.source for cell in made.cells] == ["x = 1", "y = 2", "z = 3"]
    assert made.cells[1].outputs == []


def test_outputs_without_end_do_not_take_quadratic_time():
    for line in (b'\n "outputs": [\n', b'"outputs": [', b'\n"outputs": [\n]'):
        begin = time.process_time()
        with pytest.raises(Unreadable):
            read(line * (60_000_000 // len(line)))
        assert time.process_time() - begin < 5


@pytest.mark.parametrize("kind", [b"{},", b"[],", b"1,", b'"a",', b"[1,"])
def test_the_worst_json_that_is_parsed_takes_a_few_seconds(kind):
    data = b'{"cells":[' + kind * ((submissions.MAX_JSON - 30) // len(kind))
    for end in (b"", b"1]}"):
        begin = time.process_time()
        with pytest.raises(Unreadable):
            read(data + end)
        assert time.process_time() - begin < 5


def test_five_thousand_cells_without_ids_take_a_moment():
    begin = time.process_time()
    assert len({cell.id for cell in of(*[code(id=None)] * 5000).cells}) == 5000
    assert time.process_time() - begin < 5


def test_nothing_but_type_id_label_and_source_survives():
    tags = {"tags": ["raises-exception", "nbval-skip"], "id": "colab", "x": float("nan")}
    made = of(code(metadata=tags, outputs=[1]), metadata={"kernelspec": {"name": "R"}, "widgets": {}})
    assert made.metadata == {}
    assert made.cells[0].metadata == {"id": "colab"}
    assert (made.cells[0].outputs, made.cells[0].execution_count) == ([], None)


def test_a_label_survives_without_what_it_says_of_the_task():
    label = {"task": "1.2", "role": "statement", "title": "\ud800", "points": 10**9, "x": [1]}
    made = of(
        code(metadata={"diffusion_lab": label}),
        code(metadata={"diffusion_lab": {"task": "1.2", "role": "grader"}}),
        metadata={"diffusion_lab": {"exercise": "01", "points": 100}, "x": 1},
    )
    assert made.metadata == {"diffusion_lab": {"exercise": "01"}}
    assert made.cells[0].metadata == {"diffusion_lab": {"task": "1.2", "role": "statement"}}
    assert "diffusion_lab" not in made.cells[1].metadata


@pytest.mark.parametrize("entry", [None, [], "01", {"exercise": 1}, {"exercise": "1"}, {"exercise": ["01"]}])
def test_what_a_notebook_says_of_its_exercise_is_taken_only_if_we_have_written_it(entry):
    assert of(code("x"), metadata={"diffusion_lab": entry}).metadata == {}


@pytest.mark.parametrize("nbformat_number", [4, 5, 99, "4", None])
def test_formats_from_4_on_are_read_alike(nbformat_number):
    assert of(code("x"), nbformat=nbformat_number).cells[0].source == "x"


def test_format_3_has_its_cells_elsewhere():
    cells = [
        {"cell_type": "code", "input": ["a = 1\n", "b = 2"], "outputs": []},
        {"cell_type": "heading", "source": "T"},
    ]
    made = read(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}, {"cells": cells[:1]}]}).encode())
    nbformat.validate(made)
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [
        ("code", "a = 1\nb = 2"),
        ("markdown", "T"),
        ("code", "a = 1\nb = 2"),
    ]


@pytest.mark.parametrize(
    ("cell", "kind", "source"),
    [
        ({}, "raw", ""),
        ({"cell_type": 5}, "raw", ""),
        ({"outputs": []}, "code", ""),
        ({"cell_type": []}, "raw", ""),
        ({"cell_type": "code", "source": None}, "code", ""),
        ({"cell_type": "code", "source": ["a", 1, "b"]}, "code", "ab"),
        ({"cell_type": "code", "source": {"a": 1}}, "code", ""),
        ({"cell_type": "code", "metadata": []}, "code", ""),
        ({"cell_type": "markdown", "source": "\ud800x"}, "markdown", "?x"),
        ({"cell_type": "x", "source": "x"}, "raw", "x"),
    ],
)
def test_cells_of_any_form(cell, kind, source):
    made = of(cell, 1, None, "cell", ["cell"])
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [(kind, source)]


def test_missing_invalid_and_repeated_ids_are_replaced():
    ids = [None, "", "a b", "x" * 65, 7, "ok", "ok", "cell-0", "ok"]
    made = of(*(code(id=name) for name in ids))
    names = [cell.id for cell in made.cells]
    assert len(set(names)) == len(ids)
    assert names[5] == "ok"
    assert [cell.metadata.get("id") for cell in made.cells][5:] == [None, "ok", "cell-0", "ok"]


def test_a_submission_reads_itself_or_says_why_not():
    assert len(Submission("a", "01", "a", BLANK, ()).read().cells) == len(json.loads(BLANK)["cells"])
    with pytest.raises(Unreadable, match="so it is"):
        Submission("a", "01", "a", b"", (), "so it is").read()


def test_dates_of_files_are_when_they_were_handed_in(tmp_path):
    path = put(tmp_path, {"anna/01_forward_noising.ipynb": b"{}"}) / "anna/01_forward_noising.ipynb"
    os.utime(path, (datetime(2026, 11, 30, 23, 59, 10).timestamp(),) * 2)
    (found,) = find(tmp_path)
    assert (found.handed_in, found.marked_late) == ("2026-11-30T23:59:10", False)
    os.utime(path, (0, 0))
    assert next(find(tmp_path)).handed_in == ""


@pytest.mark.parametrize(
    ("date", "handed_in"),
    [
        ((2026, 12, 1, 8, 30, 2), "2026-12-01T08:30:02"),
        ((1980, 1, 1, 0, 0, 0), ""),  # what there is where nobody gave a date
        ((2026, 13, 1, 0, 0, 0), ""),
    ],
)
def test_dates_in_a_zip_and_the_mark_of_canvas_are_kept(tmp_path, date, handed_in):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in (
            "leeanna_LATE_12345_67890_01_forward_noising.ipynb",
            "linbo_2_67891_01_forward_noising.ipynb",
        ):
            archive.writestr(zipfile.ZipInfo(name, date), "{}")
    anna, bo = find(tmp_path / "in.zip")
    assert (anna.student, anna.marked_late, bo.marked_late) == ("leeanna_12345", True, False)
    assert anna.handed_in == bo.handed_in == handed_in
