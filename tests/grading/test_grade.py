"""Grading a class: one row per submission whatever it is, and nothing lost or graded twice, whenever it ends."""

import csv
import json
import multiprocessing
import os
import random
import re
import shlex
import signal
import threading
import time
from datetime import datetime
from pathlib import Path

import nbformat
import pytest

from diffusion_lab import cli
from diffusion_lab.grading import answers, grade, keys, report, run, submissions
from diffusion_lab.grading import box as boxes
from diffusion_lab.grading.box import Box
from diffusion_lab.grading.journal import JOURNAL, Journal
from diffusion_lab.grading.plan import shard_of
from diffusion_lab.grading.reporting import FORMATS, Reporting

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "solutions"
BOX = Box("none", "kernels are NOT isolated: this is a test")
KEY = keys.load("01", SOLUTIONS)
NAMES = ["anna", "bob", "chen", "dora", "emil", "fay"]
RIGHT = {
    "1.1": "my_signal_left = 0.39",
    "1.2": "def my_forward_step(x_prev, t, schedule, noise):\n    return 1",
}


class Faked:
    """In the place of kernels: a task is solved that has an answer, unless a word in it says otherwise."""

    def __init__(self, seconds: float = 0.0):
        self.seconds, self.graded, self.during = seconds, [], lambda: None
        self.mended = False

    def execute(self, notebook, box, *, timeout, hearing):
        made = nbformat.from_dict(notebook)
        drawn = next(cell.source for cell in made.cells if "NONCE = " in cell.source)
        for cell in made.cells:
            if cell.id.startswith("check-"):
                cell.outputs = [nbformat.v4.new_output("stream", text=f"{cell.id} {drawn}")]
        return made

    def grade_notebook(self, key, found, nonce, expected, *, box, timeout):
        time.sleep(self.seconds)
        self.graded.append(found)
        self.during()
        text = "".join(found.sources.values())
        if "break the grader" in text and not self.mended:
            raise RuntimeError("a secret of the grader")
        outcome = "timeout" if "never ends" in text else "graded"
        tasks = [
            run.TaskGrade(
                t.number,
                t.points * (t.number in found.sources),
                t.points,
                "unread" if not t.check_cell_id else "passed" if t.number in found.sources else "blank",
            )
            for t in key.tasks
        ]
        return run.Grade(outcome, tasks if outcome == "graded" else [], 0.1, 1, [], ["a log"])


@pytest.fixture
def faked(monkeypatch) -> Faked:
    fake = Faked()
    monkeypatch.setattr(run, "Hearing", lambda *_: None)
    monkeypatch.setattr(run, "execute", fake.execute)
    monkeypatch.setattr(run, "grade_notebook", fake.grade_notebook)
    return fake


def notebook(sources: dict) -> str:
    made = nbformat.from_dict(KEY.blank)
    for number, cell in keys.answer_cells(made).items():
        if number in sources:
            cell.source = f"# ANSWER {number}\n{sources[number]}"
    return nbformat.writes(made)


def hand_in(folder: Path, student: str, text: str, name: str = "01_forward_noising.ipynb") -> Path:
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def school(tmp_path) -> Path:
    """A class of six, of whom each has solved one task more."""
    for k, name in enumerate(NAMES):
        hand_in(tmp_path / "in", name, notebook(dict(list(RIGHT.items())[: k % 3])))
    return tmp_path / "in"


def graded(source: Path, out: Path, **more) -> grade.Graded:
    return grade.grade(source, out, solutions=SOLUTIONS, box=BOX, **more)


def gradebook(out: Path) -> list[dict]:
    """The rows of grades.csv without what takes its time."""
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"]
    return rows


def test_one_row_per_submission_whatever_it_is(faked, tmp_path):
    source = tmp_path / "in"
    hand_in(source, "anna", notebook(RIGHT))
    hand_in(source, "blank", notebook({}))
    hand_in(source, "breaks", notebook({"1.1": "'break the grader'"}))
    hand_in(source, "empty", "")
    hand_in(source, "hangs", notebook({"1.1": "'never ends'"}))
    hand_in(source, "other", '{"cells": []}', "77_unheard.ipynb")
    hand_in(source, "page", "<!doctype html><html>")
    (source / "pdf").mkdir()
    (source / "pdf" / "essay.pdf").write_bytes(b"%PDF")
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    result = graded(source, tmp_path / "out", jobs=2)
    rows = {row["student"]: row for row in gradebook(tmp_path / "out")}
    assert {student: (row["status"], row["score"]) for student, row in rows.items()} == {
        "anna": ("graded", "3"),
        "blank": ("NO-ANSWERS", "0"),
        "breaks": ("GRADER-ERROR", ""),
        "empty": ("UNREADABLE", ""),
        "hangs": ("TIMEOUT", ""),
        "other": ("NO-ANSWERS", ""),
        "page": ("UNREADABLE", ""),
        "pdf": ("UNREADABLE", ""),
    }
    assert len(result.rows) == len(rows) == 8
    assert "web page" in rows["page"]["notes"]
    assert (rows["anna"]["1.1"], rows["anna"]["1.3"], rows["empty"]["1.1"]) == ("1", "0", "")
    assert {path.name for path in (tmp_path / "out/feedback").iterdir()} == {
        f"{row.page}.html" for row in result.rows
    }
    assert "a secret" in (tmp_path / "out/logs/breaks__01.log").read_text()
    assert "a secret" not in (tmp_path / "out/feedback/breaks__01.html").read_text()
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["isolation"]["level"] == "none"
    assert record["keys"]["01"]["points"] == 11
    assert record["nonce"] > 0
    assert "python" in record["versions"]


def test_same_nonce_gives_the_same_gradebook_and_a_second_run_needs_resume(faked, school, tmp_path):
    graded(school, tmp_path / "one", nonce=7)
    graded(school, tmp_path / "two", nonce=7, jobs=3)
    assert gradebook(tmp_path / "one") == gradebook(tmp_path / "two")
    with pytest.raises(grade.GradebookExists, match=r"one holds a gradebook already$") as refused:
        graded(school, tmp_path / "one", nonce=7)
    assert isinstance(refused.value, FileExistsError)
    assert refused.value.folder == tmp_path / "one"
    with pytest.raises(grade.ResumeMismatch, match=r"nonce: .* was begun with 7, got 8$") as refused:
        graded(school, tmp_path / "one", nonce=8, resume=True)
    facts = refused.value
    assert isinstance(facts, ValueError)
    assert (facts.folder, facts.argument, facts.begun_with, facts.got) == (tmp_path / "one", "nonce", 7, 8)
    faked.graded.clear()
    before = (tmp_path / "one/grades.json").read_bytes()
    graded(school, tmp_path / "one", resume=True)
    assert faked.graded == []
    assert (tmp_path / "one/grades.json").read_bytes() == before


def test_resume_grades_what_is_new_changed_or_failed(faked, school, tmp_path):
    hand_in(school, "anna", notebook(RIGHT | {"1.1": "'break the grader'"}))
    assert graded(school, tmp_path / "out").rows[0].status == "GRADER-ERROR"
    faked.graded.clear()
    faked.mended = True
    hand_in(school, "bob", notebook(RIGHT))
    hand_in(school, "zoe", notebook(RIGHT))
    graded(school, tmp_path / "out", resume=True)
    assert len(faked.graded) == 3
    assert {row["student"]: row["score"] for row in gradebook(tmp_path / "out")} == {
        "anna": "3",
        "bob": "3",
        "chen": "3",
        "dora": "0",
        "emil": "1",
        "fay": "3",
        "zoe": "3",
    }


def rows_on_disk(journal: Path) -> int:
    return journal.read_bytes().count(b'{"row"') if journal.exists() else 0


def test_kill_at_any_moment_and_resume_give_the_same_gradebook(faked, school, tmp_path):
    graded(school, tmp_path / "whole", nonce=5)
    faked.seconds = 0.02
    fork, dice, had = multiprocessing.get_context("fork"), random.Random(0), set()
    for k in range(10):
        out = tmp_path / f"killed{k}"
        journal = out / JOURNAL
        child = fork.Process(target=graded, args=(school, out), kwargs={"nonce": 5})
        child.start()
        until = time.monotonic() + 60
        while rows_on_disk(journal) < k % 5 and child.is_alive() and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.03 if k % 5 else 0.3))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        kept = rows_on_disk(journal)
        had.add(kept)
        if kept:
            journal.write_bytes(journal.read_bytes() + b'{"row": {"student": "half')
        faked.graded.clear()
        graded(school, out, nonce=5, resume=True)
        assert gradebook(out) == gradebook(tmp_path / "whole")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        assert sum("row" in line for line in lines) == len(NAMES)
    assert len(had) > 2  # they were killed at different moments


def test_row_is_on_disk_before_the_next_one_begins(faked, school, tmp_path):
    seen = []
    journal = tmp_path / "out" / JOURNAL
    faked.during = lambda: seen.append(journal.read_text().count('{"row"'))
    graded(school, tmp_path / "out", jobs=1)
    assert seen[1:] == sorted(seen[1:])  # the first is of the solution
    assert seen[-1] >= len(NAMES) - 2


def test_two_graders_do_not_write_to_one_gradebook(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(BlockingIOError, match="another grader"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_ctrl_c_keeps_what_is_done(faked, school, tmp_path):
    calls = []

    def interrupt():
        calls.append(1)
        if len(calls) == 3:  # the first is of the solution
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    before = signal.getsignal(signal.SIGINT)
    faked.during = interrupt
    result = graded(school, tmp_path / "out", nonce=5)
    assert result.stopped
    assert 0 < len(gradebook(tmp_path / "out")) < len(NAMES)
    assert signal.getsignal(signal.SIGINT) is before
    assert not graded(school, tmp_path / "out", resume=True).stopped
    graded(school, tmp_path / "whole", nonce=5)
    assert gradebook(tmp_path / "out") == gradebook(tmp_path / "whole")


def test_second_ctrl_c_drops_what_is_running(faked, school, tmp_path):
    cleaned = []

    def hang():
        if threading.current_thread().name.startswith("ThreadPoolExecutor") and len(faked.graded) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
            try:
                for _ in range(200):
                    time.sleep(0.05)
            finally:
                cleaned.append(1)

    faked.during = hang
    began = time.monotonic()
    result = graded(school, tmp_path / "out")
    assert time.monotonic() - began < 8
    assert result.stopped
    assert cleaned == [1]
    assert len(gradebook(tmp_path / "out")) < len(NAMES)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            lambda faked: setattr(
                faked, "grade_notebook", lambda *_, **__: run.Grade("graded", [], 0.1, 1, [], [])
            ),
            "the solution scores 0 of 11 points",
        ),
        (
            lambda faked: setattr(faked, "execute", lambda notebook, box, timeout, hearing: notebook),
            "the same under two nonces",
        ),
        (
            lambda faked: setattr(
                faked, "grade_notebook", lambda *_, **__: run.Grade("timeout", [], 0.1, 1, ["slow"], [])
            ),
            "could not be graded: slow",
        ),
    ],
)
def test_key_that_is_not_fit_stops_everything(faked, school, tmp_path, monkeypatch, change, error):
    change(faked)
    monkeypatch.setattr(run, "execute", faked.execute)
    monkeypatch.setattr(run, "grade_notebook", faked.grade_notebook)
    with pytest.raises(ValueError, match=f"key 01: .*{error}"):
        graded(school, tmp_path / "out")
    assert not (tmp_path / "out/grades.csv").exists()


def test_blank_that_scores_stops_everything(faked, school, tmp_path, monkeypatch):
    everything = [run.TaskGrade(t.number, t.points, t.points, "passed") for t in KEY.tasks]
    monkeypatch.setattr(
        run, "grade_notebook", lambda *_, **__: run.Grade("graded", everything, 0.1, 1, [], [])
    )
    with pytest.raises(ValueError, match="the blank scores 11 of 11 points, and 0 were wanted"):
        graded(school, tmp_path / "out")


def test_shards_make_the_same_gradebook(faked, school, tmp_path):
    for k in range(20):
        hand_in(school, f"student{k}", notebook(RIGHT))
    graded(school, tmp_path / "whole")
    parts = [tmp_path / f"part{k}" for k in (1, 2, 3)]
    for k, part in enumerate(parts, 1):
        graded(school, part, shard=(k, 3))
    assert all(0 < len(gradebook(part)) < 26 for part in parts)
    grade.merge(parts, tmp_path / "merged")
    assert gradebook(tmp_path / "merged") == gradebook(tmp_path / "whole")
    grade.merge(parts, tmp_path / "merged")
    assert gradebook(tmp_path / "merged") == gradebook(tmp_path / "whole")
    with pytest.raises(ValueError, match="shard 2 of 3 is missing"):
        grade.merge([parts[0], parts[2]], tmp_path / "no")
    with pytest.raises(ValueError, match="one of each of 3 shards"):
        grade.merge([parts[0], tmp_path / "whole"], tmp_path / "no")
    journal = parts[1] / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(grade.PartUnfinished, match=r"parts: .*part2 is not finished$") as refused:
        grade.merge(parts, tmp_path / "no")
    assert refused.value.folder == parts[1]
    with pytest.raises(grade.ResumeMismatch, match=r"shard: .* was begun with 1/3, got 2/3$"):
        graded(school, parts[0], shard=(2, 3), resume=True)
    with pytest.raises(ValueError, match="parts: the folder of at least one shard was wanted"):
        grade.merge([], tmp_path / "no")


def test_gradebook_holds_grades_by_one_solution_only(faked, school, tmp_path):
    changed = tmp_path / "solutions"
    changed.mkdir()
    text = (SOLUTIONS / "01_forward_noising.ipynb").read_text(encoding="utf-8")
    assert "A hundred thousand numbers" in text
    text = text.replace("A hundred thousand numbers", "Very many numbers")
    (changed / "01_forward_noising.ipynb").write_text(text, encoding="utf-8")
    graded(school, tmp_path / "one", shard=(1, 2))
    before = (tmp_path / "one/grades.json").read_bytes()
    with pytest.raises(grade.SolutionChanged, match="the solution of exercise 01 has changed") as refused:
        grade.grade(school, tmp_path / "one", solutions=changed, box=BOX, shard=(1, 2), resume=True)
    assert refused.value.exercise == "01"
    assert (tmp_path / "one/grades.json").read_bytes() == before
    grade.grade(school, tmp_path / "two", solutions=changed, box=BOX, shard=(2, 2))
    with pytest.raises(grade.SolutionChanged, match="exercise 01"):
        grade.merge([tmp_path / "one", tmp_path / "two"], tmp_path / "merged")


def test_journal_with_rows_and_no_run_is_refused(faked, school, tmp_path):
    graded(school, tmp_path / "out")
    path = tmp_path / "out" / JOURNAL
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith('{"run"')))
    with pytest.raises(grade.JournalDamaged, match=r"how it was begun cannot be read$") as refused:
        graded(school, tmp_path / "out", resume=True)
    assert refused.value.path == path


def test_command_says_which_option_helps(faked, school, tmp_path, capsys):
    def refused(command: str, *arguments) -> str:
        capsys.readouterr()
        assert cli.main([command, *map(str, arguments)]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    one, two = tmp_path / "one", tmp_path / "two"
    same = (school, "--source", SOLUTIONS, "--box", "none", "--jobs", 1, "--out", one)
    assert cli.main(["grade", *map(str, same), "--nonce", "7", "--shard", "1/2"]) == 0
    line = refused("grade", *same)
    assert line == (
        f"diffusion-lab grade: {one} holds a gradebook already: add --resume to go on, or choose another --out"
    )
    line = refused("grade", *same, "--resume", "--nonce", 8, "--shard", "1/2")
    assert line.endswith("was begun with 7, got 8: go on with --nonce 7, or choose another --out")
    line = refused("grade", *same, "--resume", "--shard", "2/2")
    assert line.endswith("was begun with 1/2, got 2/2: go on with --shard 1/2, or choose another --out")
    journal = one / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    line = refused("grade-merge", one, two)
    assert line.endswith(f"parts: {one} is not finished: go on with grade --resume --out {one}")
    journal.write_text(journal.read_text().replace('{"run"', '{"ran"'))
    line = refused("grade", *same, "--resume", "--shard", "1/2")
    assert line.endswith("cannot be read: choose another --out")


def test_library_knows_no_option_of_the_command(capsys):
    options = set()
    for command in ("grade", "grade-merge", "check"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        options |= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {"--resume", "--out", "--manual", "--shard"} <= options
    folder = Path(grade.__file__).parent
    programs = (
        "walls",
        "nbval_plugin",
        "box",
    )  # with options of their own, or that they give to other programs
    paths = [path for path in folder.rglob("*.py") if path.stem not in programs]
    for path in [*paths, *folder.rglob("*.j2")]:
        known = set(re.findall(r"(?<![\w-])--[a-z-]+", path.read_text(encoding="utf-8")))
        assert not known & options, path


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("One $t$", "One t"),
        (r"with $\eta$", "with η"),
        (r"$\bar\alpha$", r"\barα"),
        ("a plain one", "a plain one"),
    ],
)
def test_titles_are_plain_text(title, plain):
    assert grade.plain_title(title) == plain


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "a/b", "-1/3"])
def test_shard_that_is_none(text):
    with pytest.raises(ValueError, match="shard: i/n"):
        shard_of(text)
    assert shard_of("2/3") == (2, 3)


def test_one_exercise_only_and_one_student_only(faked, school, tmp_path):
    hand_in(school, "anna", notebook(RIGHT), "77_other.ipynb")
    (school / "bob" / "01_forward_noising.ipynb").unlink()
    hand_in(school, "bob", '{"cells": []}', "notes.ipynb")
    rows = {row.student: row for row in graded(school, tmp_path / "out", exercise="1").rows}
    assert len(rows) == 6
    assert {row.exercise for row in rows.values()} == {"01"}
    assert rows["bob"].status == "NO-ANSWERS"
    (row,) = graded(school, tmp_path / "chen", only="chen").rows
    assert (row.student, row.score) == ("chen", 3)
    with pytest.raises(ValueError, match=r"only: one of chen was wanted, got 'CHE'"):
        graded(school, tmp_path / "no", only="CHE")
    with pytest.raises(ValueError, match="out: a folder outside"):
        graded(school, school / "out")


def test_nothing_of_an_excluded_student_is_run_until_he_is_excluded_no_more(faked, school, tmp_path):
    out = tmp_path / "out"
    hand_in(school, "fay", notebook({"1.1": "'end the grader'"}))

    def status(**more):
        return {row.student: row.status for row in graded(school, out, resume=out.exists(), **more).rows}[
            "fay"
        ]

    assert status(exclude=["fay"]) == "EXCLUDED"
    assert not [found for found in faked.graded if "end the grader" in str(found.sources)]
    assert {row["student"]: row["score"] for row in gradebook(out)}["fay"] == ""
    count = len(faked.graded)
    assert status(exclude=["fay"]) == "EXCLUDED"
    assert len(faked.graded) == count
    assert status() == "graded"
    assert status(exclude=["fay"]) == "graded"  # there is nothing left to run
    with pytest.raises(ValueError, match=r"exclude: one of fay was wanted, got 'FA'"):
        graded(school, tmp_path / "no", exclude=["anna", "FA"])


def test_grading_without_a_box_is_refused_unless_it_is_typed(faked, school, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(boxes, "_no_namespaces", lambda: "this is only a test")
    arguments = ["grade", str(school), "--out", str(tmp_path / "out"), "--source", str(SOLUTIONS)]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert "there is no box on this machine" in error
    assert "this is only a test" in error
    assert "--box none" in error
    assert not (tmp_path / "out").exists()
    assert cli.main([*arguments, "--box", "none", "--exclude", "anna", "--exclude", "bob"]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("box: none; kernels are NOT isolated: it was asked for")
    assert "2 EXCLUDED" in told.out


@pytest.mark.parametrize("way", ["written to", "cut", "replaced", "removed", "made unreadable"])
def test_rows_that_a_submission_changes_are_as_they_were(faked, school, tmp_path, way):
    path = tmp_path / "out" / JOURNAL

    def attack():
        if len(faked.graded) != 4:
            return
        text = path.read_text().replace('"points": 0', '"points": 9')
        if way == "removed":
            path.unlink()
        elif way == "replaced":
            path.with_name("other").write_text(text)
            path.with_name("other").replace(path)
        elif way == "made unreadable":
            path.chmod(0)
        else:
            path.write_text(text if way == "written to" else "")

    result = graded(school, tmp_path / "honest")
    scores = {row.student: row.score for row in result.rows}
    assert result.warnings == []
    faked.graded, faked.during = [], attack
    result = graded(school, tmp_path / "out")
    assert {row.student: row.score for row in result.rows} == scores
    if way == "made unreadable":
        path.chmod(0o600)
    else:
        assert "was changed by another program meanwhile" in " ".join(result.warnings)
    faked.during = lambda: None
    again = graded(school, tmp_path / "out", resume=True)
    assert {row.student: row.score for row in again.rows} == scores
    assert len(faked.graded) == 6  # and none of them was graded twice


def test_points_by_hand_are_merged_again_and_again(faked, school, tmp_path):
    out = tmp_path / "out"
    hand_in(school, "chen", notebook(RIGHT | {"1.5": 'my_reason = """=SUM(1)"""'}))
    graded(school, out)
    with open(out / "to_read.csv", encoding="utf-8", newline="") as file:
        (asked,) = list(csv.DictReader(file))
    assert (asked["student"], asked["task"], asked["points"], asked["answer"]) == (
        "chen",
        "1.5",
        "",
        "'=SUM(1)",
    )
    manual = tmp_path / "manual.csv"
    manual.write_text("student,exercise,task,points,max\nchen,1,1.5,2,3\nnobody,01,1.5,1,\n")
    for _ in range(2):
        result = graded(school, out, resume=True, reporting=Reporting.read(manual=manual))
        rows = {row["student"]: row for row in gradebook(out)}
        assert (rows["chen"]["score"], rows["chen"]["max"], rows["chen"]["1.5"]) == ("5", "14", "2")
        assert (rows["anna"]["score"], rows["anna"]["max"]) == ("0", "14")
        assert result.warnings == ["manual: there is no nobody, 01, 1.5 in the gradebook"]
    # the points belong to the gradebook now
    graded(school, out, resume=True, only="anna")
    assert {row["student"]: row["score"] for row in gradebook(out)}["chen"] == "5"


def test_class_list_late_work_and_worksheet_from_the_command_line(faked, school, tmp_path, capsys):
    for name in NAMES:
        path = school / name / "01_forward_noising.ipynb"
        os.utime(path, (datetime(2026, 12, 2 if name == "chen" else 1, 12).timestamp(),) * 2)
    (tmp_path / "class.csv").write_text("name\n" + "\n".join([*NAMES, "zoe"]))
    head = "Identifier,Full name,Grade,Maximum Grade,Last modified (grade)\n"
    lines = [f"Participant {k},{name},,9.00,-\n" for k, name in enumerate(NAMES)]
    (tmp_path / "moodle.csv").write_text(head + "".join(lines))
    arguments = [school, "--out", tmp_path / "out", "--source", SOLUTIONS, "--box", "none", "--jobs", 1]
    arguments += ["--roster", tmp_path / "class.csv", "--worksheet", tmp_path / "moodle.csv"]
    assert cli.main(["grade", *map(str, arguments), "--due", "2026-12-01", "--late", "-10%/day"]) == 0
    said = capsys.readouterr()
    assert "6 graded" in said.out or "MISSING" in said.out
    assert "1 of the class handed in nothing of some exercise: zoe" in said.err
    rows = {row["student"]: row for row in gradebook(tmp_path / "out")}
    assert (rows["zoe"]["status"], rows["zoe"]["score"]) == ("MISSING", "")
    assert (rows["chen"]["score"], rows["chen"]["late"], rows["chen"]["penalty"]) == (
        "1.9",
        "12 hours",
        "1.1",
    )
    assert (rows["fay"]["score"], rows["fay"]["late"]) == ("3", "")
    with open(tmp_path / "out/grades_moodle_01.csv", encoding="utf-8", newline="") as file:
        grades = {line["Full name"]: line["Grade"] for line in csv.DictReader(file)}
    assert (grades["chen"], grades["fay"]) == ("1.9", "3")
    faked.graded.clear()
    assert (
        cli.main(["grade", *map(str, arguments), "--resume"]) == 0
    )  # with no policy, and nobody is graded again
    assert faked.graded == []
    assert {row["student"]: row["score"] for row in gradebook(tmp_path / "out")}["chen"] == "3"


def test_file_that_changed_while_others_were_graded_is_graded_again(faked, school, tmp_path):
    """What was graded is what is noted, so --resume knows that a file is another one by now."""

    def damage():
        faked.during = lambda: None
        hand_in(school, "fay", "not a notebook any more")

    faked.during = damage
    result = graded(school, tmp_path / "out")
    assert {row.student: row.status for row in result.rows}["fay"] == "UNREADABLE"
    hand_in(school, "fay", notebook(RIGHT))
    result = graded(school, tmp_path / "out", resume=True)
    assert {row.student: row.score for row in result.rows}["fay"] == 3


@pytest.mark.notebook
def test_grade_and_check_with_kernels(tmp_path, capsys):
    """The whole way, of one student who takes variances for standard deviations."""
    wrong = (
        "def my_forward_step(x_prev, t, schedule, noise):\n    b = schedule.betas[t].reshape(-1, 1, 1, 1)\n"
    )
    wrong += "    return (1 - b) * x_prev + b * noise"
    path = hand_in(tmp_path / "in", "anna", notebook({"1.1": "my_signal_left = 0.39", "1.2": wrong}))
    arguments = [
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
        "--source",
        str(SOLUTIONS),
        "--jobs",
        "1",
    ]
    assert cli.main(["grade", *arguments]) == 0
    assert "1 graded" in capsys.readouterr().out
    (row,) = gradebook(tmp_path / "out")
    assert (row["student"], row["score"], row["1.1"], row["1.2"]) == ("anna", "1", "1", "0")
    page = (tmp_path / "out/feedback/anna__01.html").read_text()
    assert "variance-as-std" in page
    assert "2. Why the square roots?" in page
    assert "betas[t]` has shape (B,)" not in page  # the task's first hint is for who has no name to go by
    assert cli.main(["check", str(path), "--source", str(SOLUTIONS)]) == 1
    text = capsys.readouterr().out
    assert "exercise 01: 1 of 11 points" in text
    assert "variance-as-std" in text


def test_check_needs_every_task(faked, tmp_path, capsys):
    everything = {number: cell.source for number, cell in keys.answer_cells(KEY.solution).items()}
    path = hand_in(tmp_path, "me", notebook(everything))
    assert answers.extract(KEY.solution, KEY).sources.keys() == everything.keys()
    assert cli.main(["check", str(path), "--source", str(SOLUTIONS)]) == 0
    assert "11 of 11 points" in capsys.readouterr().out
    path.write_text(notebook({}))
    assert cli.main(["check", str(path), "--source", str(SOLUTIONS)]) == 1
    path.write_text("<html>")
    assert cli.main(["check", str(path), "--source", str(SOLUTIONS)]) == 1
    assert "UNREADABLE" in capsys.readouterr().out
    other = path.rename(tmp_path / "notes.ipynb")
    assert cli.main(["check", str(other), "--source", str(SOLUTIONS)]) == 2
    assert "a notebook of one of the exercises 01" in capsys.readouterr().err


PAGE = (ROOT / "docs/instructors.md").read_text(encoding="utf-8")
WORKFLOWS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs/workflows").iterdir())]


def commands() -> list[str]:
    texts = [PAGE.replace("\\\n", " "), *(text.replace("\\\n", " ") for text in WORKFLOWS)]
    found = [
        line
        for text in texts
        for line in re.findall(r"diffusion-lab ((?:grade|check)\S* [^\n`\"]*\S.*)", text)
    ]
    return [re.sub(r"[`\"]?\s*&?$", "", line) if line.count('"') % 2 else line.rstrip(" &") for line in found]


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_page_and_the_workflows_parse(line):
    options = cli.parser().parse_args(shlex.split(line))
    assert options.command == line.split()[0]


def test_page_says_what_the_grader_does():
    assert len(commands()) >= 10
    for status in report.STATUSES:
        assert f"| {status} |" in PAGE
    for name in FORMATS:
        assert f"`--format {name}`" in PAGE
    box = Box("", "")
    for fact in (
        f"{box.processes} processes",
        f"{box.memory // 1024} GiB, children",
        f"{box.file_size} MiB |",
        f"{box.tmp} MiB in memory",
        f"{box.cpu} seconds of CPU",
        f"{submissions.MAX_BYTES // 10**6} MB",
        f"{submissions.MAX_CELLS:,} cells",
        f"{submissions.MAX_CODE:,} characters",
        f"{submissions.MAX_UNPACKED // 10**9} GB",
    ):
        assert fact in PAGE


def test_names_in_the_page_are_read_as_it_says(tmp_path):
    for k, (path, student) in enumerate(re.findall(r"^\| (?:.*) \| `([^`]*)`.* \| ([\w ]+) \|$", PAGE, re.M)):
        file = tmp_path / str(k) / path
        file.parent.mkdir(parents=True)
        file.write_text("{}")
        if " - " in file.name:  # told from a folder per student by there being more of them
            file.with_name(file.name.replace(student, "Zoe")).write_text("{}")
        found, *_ = submissions.find(tmp_path / str(k))
        assert (found.student, found.exercise) == (student, None if path == "anna.ipynb" else "01")
    assert k == 4
