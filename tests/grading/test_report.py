"""What is written of the grades: tables that no spreadsheet runs, pages that no browser runs, points by hand."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from diffusion_lab.grading import report
from diffusion_lab.grading.report import Manual, Row

EVIL = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
NASTY = "<script>alert(1)</script>\"'&"
TASKS = [
    {"number": "1.1", "title": "a guess", "max": 1, "section": "4. All steps at once", "hint": "multiply"},
    {"number": "1.2", "title": "one step", "max": 2, "section": "1. One step", "hint": "reshape"},
    {"number": "1.5", "title": "in a sentence", "max": 0, "section": "", "hint": ""},
]
KEYS = {"01": {"sha256": "0", "points": 3, "tasks": TASKS}}
RUN = {"keys": KEYS, "nonce": 7, "isolation": {"level": "namespaces", "reason": "their own"}}


def task(number="1.1", points=0, worth=1, status="failed", mistake="", note=""):
    return {
        "number": number,
        "points": points,
        "max": worth,
        "status": status,
        "mistake": mistake,
        "note": note,
    }


def row(student="anna", status="graded", tasks=None, **more):
    tasks = (
        [
            task(points=1, status="passed"),
            task("1.2", 0, 2, mistake="variance-as-std"),
            task("1.5", 0, 0, "unread"),
        ]
        if tasks is None
        else tasks
    )
    return Row(student, "01", status, 3, tasks, asked="01", **more)


def read(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", [*EVIL, 'a,b"c', "two\nlines", "Zoë 'O", "x=1", "", "日本"])
def test_names_survive_a_table_and_none_is_a_formula(name):
    text = report.grades([row(name, notes=[name])], KEYS)
    (line,) = read(text)
    assert line["student"] == ("'" + name if name in EVIL else name)
    assert line["notes"] == line["student"]
    assert not re.match(r"[=+\-@\t\r\n]", line["student"])
    assert (line["score"], line["max"], line["1.1"], line["1.2"], line["1.5"]) == ("1", "3", "1", "0", "")


def test_negative_number_is_no_formula():
    assert [report.defused(value) for value in (-1, -0.5, 2.0, None, "-1")] == ["-1", "-0.5", "2", "", "'-1"]


def test_no_score_is_not_zero():
    (line,) = read(report.grades([row(status="GRADER-ERROR", tasks=[])], KEYS))
    assert (line["score"], line["1.1"], line["status"]) == ("", "", "GRADER-ERROR")


@pytest.mark.parametrize("page", ["feedback", "summary"])
def test_pages_escape_all_and_run_and_load_nothing(page):
    rows = [
        row(NASTY, notes=[NASTY], file=NASTY, texts={"1.5": NASTY}),
        row("held", tasks=[task(status="held")]),
        row(NASTY + "2", "UNREADABLE", [], notes=[NASTY]),
    ]
    text = report.feedback(rows[0], KEYS) if page == "feedback" else report.summary(rows, RUN)
    found = Tags(text)
    assert not found.tags & {"script", "img", "iframe", "link", "a", "object", "form"}
    assert not {name for name in found.attributes if name.startswith("on") or name in ("href", "src")}
    assert NASTY in found.text
    assert "default-src 'none'" in text
    assert "://" not in text


def test_feedback_names_the_mistake_its_lesson_and_a_hint():
    page = Tags(report.feedback(row(), KEYS)).text
    for wanted in ("1 of 3 points", "variance-as-std: a variance stands where", "2. Why the square roots?"):
        assert wanted in page
    assert "multiply" not in page  # the hint of a task that is solved
    assert "reshape" not in page  # that of a mistake with a name, which says more
    page = Tags(report.feedback(row(tasks=[task("1.2", mistake="wrong-shape")]), KEYS)).text
    for wanted in ("wrong-shape: the shape is not the one", "1. One step", "reshape"):
        assert wanted in page


def test_feedback_sends_nobody_to_a_lesson_to_come():
    page = Tags(report.feedback(row(tasks=[task("1.2", mistake="misbroadcast-t")]), KEYS)).text
    assert "misbroadcast-t: " in page
    assert 'lesson 01, section "1. One step"' in page


def test_feedback_text_says_the_same():
    text = report.feedback_text(row(notes=["a note"]), KEYS)
    assert "1.2  one step: 0 of 2, not right yet" in text
    assert "note: a note" in text


def test_name_that_is_not_in_the_catalogue_never_gets_to_the_student():
    page = report.feedback(row(tasks=[task(mistake="full-marks-please")]), KEYS)
    assert "full-marks" not in page
    assert "4. All steps at once" in page


@pytest.mark.parametrize("status", report.STATUSES)
def test_every_status_can_be_shown(status):
    graded = status == "graded"
    shown = row(status=status, tasks=None if graded else [])
    assert ("no score" in report.feedback(shown, KEYS)) != graded
    assert f"1 {status}" in report.summary([shown], RUN)


@pytest.mark.parametrize("status", report.TASKS)
def test_every_task_status_can_be_shown(status):
    assert report.TASKS[status] in Tags(report.feedback(row(tasks=[task(status=status)]), KEYS)).text


def test_file_names_are_safe_and_never_meet():
    names = [
        "anna",
        "Anna",
        "a/b",
        "a_b",
        "a b",
        "../x",
        "..",
        "",
        "con",
        "é",
        "e",
        "x" * 300,
        "a\nb",
        "a_b_",
        "-rf",
    ]
    safe = [report.safe(name) for name in names]
    assert safe[0] == "anna"
    assert len({name.lower() for name in safe}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) for name in safe)
    assert Row("a", "", "graded", 0, []).page != Row("a", "", "graded", 0, [], asked="77").page


def test_summary_counts_the_class():
    other = row("bob", tasks=[task(mistake="index-shift"), task("1.2", 0, 2, mistake="variance-as-std")])
    page = report.summary([row(), other, row("eve", "TIMEOUT", [])], RUN)
    text = Tags(page).text
    assert "2 graded, 1 TIMEOUT" in text
    assert "2 with a score, 1 without. Mean 0.5, median 0.5, of 3 points" in text
    assert "1 of 2 (2 tried)" in text
    assert page.index("1.2 one step") < page.index("1.1 a guess")  # the hardest first
    assert page.index("variance-as-std") < page.index("index-shift")  # twice, once
    assert re.search(r'<td class="n">2</td><td>1.2</td><td>variance-as-std', page)
    assert "Warning" not in page
    assert (
        "Warning: NOT isolated"
        in Tags(report.summary([], RUN | {"isolation": {"level": "none", "reason": "NOT isolated"}})).text
    )


def test_everything_is_written_and_again_the_same(tmp_path):
    rows = [row("bob"), row("anna", texts={"1.5": "because"}), row("eve", "UNREADABLE", [])]
    assert report.write(tmp_path, list(rows), RUN, formats=report.FORMATS) == []
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    names = {path.relative_to(tmp_path).as_posix() for path in first}
    assert names == {
        "grades.csv",
        "grades.json",
        "run.json",
        "to_read.csv",
        "alike.csv",
        "summary.html",
        "feedback/anna__01.html",
        "feedback/bob__01.html",
        "feedback/eve__01.html",
        "grades_canvas.csv",
        "grades_moodle_01.csv",
        "grades_gradescope_01.csv",
    }
    data = json.loads((tmp_path / "grades.json").read_text())
    assert [(each["student"], each["score"]) for each in data["rows"]] == [
        ("anna", 1),
        ("bob", 1),
        ("eve", None),
    ]
    report.write(tmp_path, rows[::-1], RUN, formats=report.FORMATS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


def manual(tmp_path, text: str) -> Manual:
    path = tmp_path / "manual.csv"
    path.write_text(text, encoding="utf-8-sig")
    return Manual(path)


def test_points_by_hand_settle_what_was_held_or_failed(tmp_path):
    text = "student,exercise,task,points,why\nanna,01,1.2,2,held\n'=x,1,1.1,1,\nbob,01,1.2,,not yet\n"
    held = row(tasks=[task(), task("1.2", 0, 2, "held", note="look"), task("1.5", 0, 0, "unread")])
    rows, strangers = manual(tmp_path, text).applied([held, row("=x", "GRADER-ERROR", []), row("bob")], KEYS)
    assert strangers == []
    assert [each.score for each in rows] == [2, 1, 1]
    assert held.score == 0  # what it was made from is as it was
    assert rows[0].tasks[1]["status"] == "by hand"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("student,task,points\n", "the columns exercise were wanted"),
        (
            "student,exercise,task,points\nanna,01,1.5,much\n",
            "line 2: points must be a number of at least 0, got 'much'",
        ),
        ("student,exercise,task,points\nanna,01,1.5,-1\n", "at least 0"),
        ("student,exercise,task,points\nanna,01,1.5,nan\n", "at least 0"),
        (
            "student,exercise,task,points\nanna,01,1.5,1\nanna,1,1.5,2\n",
            "points of anna, 01, 1.5 were 1 further up",
        ),
        (
            "student,exercise,task,points,max\nanna,01,1.5,1,2\nbob,1,1.5,2,3\n",
            "max of 01, 1.5 were 2 further up",
        ),
    ],
)
def test_points_by_hand_that_make_no_sense(tmp_path, text, error):
    with pytest.raises(ValueError, match=error):
        manual(tmp_path, text)


def test_tables_for_servers_know_students_by_their_ids():
    rows = [row("leeanna_12345"), row("bob"), row("eve_7", "TIMEOUT", [])]
    canvas = read(report._canvas(rows, KEYS)["grades_canvas.csv"])
    assert [(each["Student"], each["ID"], each["Exercise 01"]) for each in canvas] == [
        ("    Points Possible", "", "3"),
        ("leeanna", "12345", "1"),
        ("bob", "", "1"),
        ("eve", "7", ""),
    ]
    moodle = read(report._moodle(rows, KEYS)["grades_moodle_01.csv"])
    assert [(each["Identifier"], each["Grade"]) for each in moodle] == [
        ("Participant 12345", "1"),
        ("", "1"),
        ("Participant 7", ""),
    ]
    scope = read(report._gradescope(rows, KEYS)["grades_gradescope_01.csv"])
    assert [(each["SID"], each["Total Score"], each["1.2 one step (2.0 pts)"]) for each in scope] == [
        ("12345", "1", "0"),
        ("", "1", "0"),
        ("7", "", ""),
    ]


def test_who_is_alike_is_told_and_a_formula_is_none(tmp_path):
    shapes = {number: {"a": 9, "b": 9} for number in ("1.1", "1.2", "1.3")}
    rows = [row(f"s{k}", shapes={number: {f"{k}": 9} for number in shapes}) for k in range(30)]
    report.write(tmp_path, [row("=anna", shapes=shapes), row("bob", shapes=shapes), *rows], RUN)
    (line,) = read((tmp_path / "alike.csv").read_text())
    assert (line["student"], line["other"]) == ("'=anna", "bob")
    assert line["alike in"] == line["the same in"] == "1.1, 1.2, 1.3"
    page = Tags((tmp_path / "summary.html").read_text()).text
    assert "=anna and bob" in page
    assert "not a verdict" in page
    assert "shapes" not in (tmp_path / "grades.json").read_text()
