"""What is written of the grades: tables that no spreadsheet runs, pages that no browser runs, points by hand."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from diffusion_lab.checks.mistakes import CATALOGUE
from diffusion_lab.grading import report, run
from diffusion_lab.grading.report import Manual, Row, TaskGrade, feedback_text, pages, tables
from diffusion_lab.grading.report.feedback import SUBMISSION_SENTENCES, TASK_SENTENCES, UNWRITTEN, in_words
from diffusion_lab.grading.rows import ABSENT, safe_name

EVIL = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠SUM(A1)",
]
NASTY = "<script>alert(1)</script>\"'&"
TASKS = [
    {"number": "1.1", "title": "a guess", "max": 1, "section": "4. All steps at once", "hint": "multiply"},
    {"number": "1.2", "title": "one step", "max": 2, "section": "1. One step", "hint": "reshape"},
    {"number": "1.5", "title": "in a sentence", "max": 0, "section": "", "hint": ""},
]
KEYS = {"01": {"sha256": "0", "points": 3, "tasks": TASKS}}
RUN = {"keys": KEYS, "nonce": 7, "isolation": {"level": "namespaces", "reason": "their own"}}


def task(number="1.1", points=0, worth=1, status="failed", mistake="", note=""):
    return TaskGrade(number, points, worth, status, mistake, note)._asdict()


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


class Page(HTMLParser):
    """Every tag and attribute of a page, its text, the cells of its tables, and what is set as code or with stress."""

    EMPTY = ("meta", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = set(), set(), "", []
        self.lines, self.code, self.stressed = [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], "tags that are never closed"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "tr":
            self.lines.append([])
        elif tag in ("td", "th"):
            self.lines[-1].append("")
        for name, found in (("code", self.code), ("em", self.stressed)):
            if tag == name:
                found.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.lines[-1][-1] += data
        for name, found in (("code", self.code), ("em", self.stressed)):
            if name in self.open:
                found[-1] += data


@pytest.mark.parametrize("name", [*EVIL, 'a,b"c', "two\nlines", "Zoë 'O", "x=1", "", "日本"])
def test_names_survive_a_table_and_none_is_a_formula(name):
    text = tables.grades([row(name, notes=[name])], KEYS)
    (line,) = read(text)
    evil = "'" + (name[0] + "'" + name[1:] if name[:1] in ("\t", "\r", "\n") else name)
    assert line["student"] == (evil if name in EVIL else name)
    assert line["notes"] == line["student"]
    assert not re.match(r"[=+\-@＝＋－＠\t\r\n]", line["student"])
    assert (line["score"], line["max"], line["1.1"], line["1.2"], line["1.5"]) == ("1", "3", "1", "0", "")


def test_negative_number_is_no_formula():
    assert [tables.defused(value) for value in (-1, -0.5, 2.0, None, "-1")] == ["-1", "-0.5", "2", "", "'-1"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("\x1b[2J=1", "␛[2J=1"),
        ("\0=1", "␀=1"),
        ("=\x07", "'=␇"),
        ("a\x7f\x9b", "a␡�"),
        ("two\nlines\t", "two\nlines\t"),
    ],
)
def test_control_characters_are_shown_and_do_nothing(name, written):
    (line,) = read(tables.grades([row(name)], KEYS))
    assert line["student"] == written


SPLIT = [
    "fine;=cmd|' /C calc'!A0",
    "fine; ＝1",
    'fine;"=1',
    "fine;\t=1",
    "fine\n@SUM(A1)",
    "fine\t-1",
    ";=1",
    " =1",
    '"=1',
]


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(name, delimiter):
    """Spreadsheets of some countries split at semicolons, whatever stands in quotes further on in the line."""
    text = tables.to_read([row(name, tasks=[task("1.5", 0, 0, "unread")], texts={"1.5": name})], KEYS)
    for how in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=how):
            for cell in line:
                assert not re.match(r"""[\s"]*[=+\-@＝＋－＠]""", cell), cell


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x9b2J", "\u202e", "\u2028", "\0"])
def test_no_terminal_obeys_a_table(sign):
    text = tables.grades([row(f"a{sign}b", notes=[sign])], KEYS)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_no_score_is_not_zero():
    (line,) = read(tables.grades([row(status="GRADER-ERROR", tasks=[])], KEYS))
    assert (line["score"], line["1.1"], line["status"]) == ("", "", "GRADER-ERROR")


@pytest.mark.parametrize("page", ["feedback", "summary"])
def test_pages_escape_all_and_run_and_load_nothing(page):
    rows = [
        row(NASTY, notes=[NASTY], file=NASTY, texts={"1.5": NASTY}),
        row(NASTY + "2", "UNREADABLE", [], notes=[NASTY]),
    ]
    text = pages.feedback(rows[0], KEYS) if page == "feedback" else pages.summary(rows, RUN)
    found = Page(text)
    assert not found.tags & {"script", "img", "iframe", "link", "a", "object", "form"}
    assert not {name for name in found.attributes if name.startswith("on") or name in ("href", "src")}
    assert NASTY in found.text
    assert "default-src 'none'" in text
    assert "://" not in text


def test_feedback_names_the_mistake_its_lesson_and_a_hint():
    page = Page(pages.feedback(row(), KEYS)).text
    for wanted in (
        "You have 1 of 3 points.",
        "variance-as-std: a variance stands where",
        "2. Why the square roots?",
    ):
        assert wanted in page
    assert "multiply" not in page  # the hint of a task that is solved
    assert "reshape" not in page  # that of a mistake with a name, which says more
    page = Page(pages.feedback(row(tasks=[task("1.2", mistake="wrong-shape")]), KEYS)).text
    for wanted in ("wrong-shape: the shape is not the one", "1. One step", "reshape"):
        assert wanted in page


def test_feedback_sends_nobody_to_a_lesson_to_come():
    page = Page(pages.feedback(row(tasks=[task("1.2", mistake="misbroadcast-t")]), KEYS)).text
    assert "misbroadcast-t: " in page
    assert "lesson 01, section “4. All steps at once”" in page


def test_feedback_text_says_the_same():
    text = feedback_text(row(notes=["a note"]), KEYS)
    assert "exercise 01: 1 of 3 points" in text
    assert "1.2  one step: 0 of 2, not right yet" in text
    assert 'Read again: lesson 01, section "2. Why the square roots?".' in text
    assert "note: a note" in text


def test_feedback_speaks_to_the_student():
    wrong = [task("1.1", 0, 1, "failed"), task("1.2", 0, 2, "blank"), task("1.5", 0, 0, "unread")]
    page = Page(pages.feedback(row(tasks=wrong, texts={"1.5": "because"}), KEYS)).text
    assert "You have 0 of 3 points." in page
    assert "Your instructor still has to look at 1.5." in page
    assert "Below you can see what to try next." in page
    assert "You have not answered 1.2 yet." in page
    solved = [task("1.1", 1, 1, "passed"), task("1.2", 2, 2, "passed"), task("1.5", 0, 0, "unread")]
    page = Page(pages.feedback(row(tasks=solved), KEYS)).text
    assert "You have 3 of 3 points. Well done!" in " ".join(page.split())
    assert "There is no answer to 1.5 in your notebook yet." in page
    assert "instructor" not in page  # there is nothing to wait for
    assert "try next" not in page


def test_page_on_a_failure_of_the_grader_says_nothing_of_its_insides():
    note = "the grader failed with KeyError; see logs/anna__01.log"
    shown = row(status="GRADER-ERROR", tasks=[], notes=[note])
    for text in (Page(pages.feedback(shown, KEYS)).text, feedback_text(shown, KEYS)):
        assert "not your fault" in text
        assert "KeyError" not in text
        assert "log" not in text
    assert note in Page(pages.summary([shown], RUN)).text


def test_backticks_become_code_and_asterisks_stress():
    hint = 'call `f(a * b, "<c>")`, *not* ``g`h``; a * b * c, 2 ** 3, `open'
    keys = {"01": KEYS["01"] | {"tasks": [TASKS[0] | {"hint": hint}]}}
    page = Page(pages.feedback(row(tasks=[task()], notes=["`see` here"]), keys))
    assert page.code == ['f(a * b, "<c>")', "g`h", "see"]
    assert page.stressed == ["not"]
    assert 'Hint: call f(a * b, "<c>"), not g`h; a * b * c, 2 ** 3, `open' in page.text
    assert feedback_text(row(tasks=[task()]), keys).count(hint) == 1  # a terminal shows it as it is


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_mistake_is_shown_with_no_mark_left(name):
    page = Page(pages.feedback(row(tasks=[task("1.2", mistake=name)]), KEYS))
    assert f"{name}: " in page.text
    assert not re.search(r"`|\*\w|\w\*", page.text)


def test_of_an_error_its_kind_and_line_are_told():
    shown = row(tasks=[task("1.2", mistake="error") | {"note": "NameError in line 3 of my_forward_step"}])
    for text in (Page(pages.feedback(shown, KEYS)).text, feedback_text(shown, KEYS)):
        assert "error: your answer ended with an error: NameError in line 3 of my_forward_step" in text


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ("error: NameError: name 'x'\nin line 3 of my_step:  return x", "NameError in line 3 of my_step"),
        ("error: NameError: name 'x'\nwhen it was called with (x)", ""),
        ("error: <b>full marks</b>: please\nin line 3 of my_step:  return x", ""),
        ("differs: in line 3 of\nin line 3 of my_step:  return x", ""),
    ],
)
def test_of_what_a_check_says_of_an_error_only_words_and_a_number_are_kept(message, note):
    assert run._where_it_ended(message, []) == note


def test_lists_read_as_in_a_sentence():
    assert [in_words(["a", "b", "c"][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_name_that_is_not_in_the_catalogue_never_gets_to_the_student():
    page = pages.feedback(row(tasks=[task(mistake="full-marks-please")]), KEYS)
    assert "full-marks" not in page
    assert "4. All steps at once" in page


@pytest.mark.parametrize("status", report.STATUSES)
def test_every_status_can_be_shown(status):
    graded = status == "graded"
    shown = row(status=status, tasks=None if graded else [])
    if status in ABSENT:
        page = Page(pages.summary([shown], RUN))
        assert "holds 0 submissions." in page.text
        assert ["anna", "01"] in page.lines
        return
    page = Page(pages.feedback(shown, KEYS)).text
    assert ("You have no score yet." in page) != graded
    assert SUBMISSION_SENTENCES[status] in page
    assert f"holds 1 submission: 1 {status}." in Page(pages.summary([shown], RUN)).text


@pytest.mark.parametrize("status", report.TASKS)
def test_every_task_status_can_be_shown(status):
    shown, sentence = row(tasks=[task(status=status)], texts={"1.1": "because"}), TASK_SENTENCES[status]
    assert sentence.format(number="1.1") in Page(pages.feedback(shown, KEYS)).text
    assert report.TASKS[status] in feedback_text(shown, KEYS)
    shown = Page(pages.feedback(row(tasks=[task(status=status)]), KEYS)).text
    assert (UNWRITTEN.format(number="1.1") in shown) == (status == "unread")


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
    safe = [safe_name(name) for name in names]
    assert safe[0] == "anna"
    assert len({name.lower() for name in safe}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) for name in safe)
    assert Row("a", "", "graded", 0, []).page != Row("a", "", "graded", 0, [], asked="77").page


def test_summary_counts_the_class():
    other = row("bob", tasks=[task(mistake="index-shift"), task("1.2", 0, 2, mistake="variance-as-std")])
    page = Page(pages.summary([row(), other, row("eve", "TIMEOUT", [], notes=["slow"])], RUN))
    text = page.text
    assert "holds 3 submissions: 2 graded, 1 TIMEOUT." in text
    assert "2 with a score, 1 without. Mean 0.5, median 0.5, of 3 points" in text
    assert "1 of 2 (2 tried)" in text
    heads = ["How often", "Task", "Mistake, and the section that treats it"]
    assert page.lines[:3] == [
        ["Task", "Solved by", "Students"],
        ["1.2 one step", "", "0 of 2 (2 tried)"],  # the hardest first
        ["1.1 a guess", "", "1 of 2 (2 tried)"],
    ]
    assert page.lines[3] == heads
    assert [line[:2] for line in page.lines[4:6]] == [["2", "1.2"], ["1", "1.1"]]
    assert [line[2].partition(":")[0] for line in page.lines[4:6]] == ["variance-as-std", "index-shift"]
    assert page.lines[6:] == [["Student", "Exercise", "Why", "Notes"], ["eve", "01", "TIMEOUT", "slow"]]
    bins = re.findall(r"(\d+–\d+ %)(\d*)", text)
    assert [count for _, count in bins] == ["1", "", "", "1", "", "", "", "", "", ""]  # 0 of 3 and 1 of 3
    assert "Warning" not in text
    assert (
        "Warning: NOT isolated"
        in Page(pages.summary([], RUN | {"isolation": {"level": "none", "reason": "NOT isolated"}})).text
    )


def test_everything_is_written_and_again_the_same(tmp_path):
    rows = [row("bob"), row("anna", texts={"1.5": "because"}), row("eve", "UNREADABLE", [])]
    report.write(tmp_path, list(rows), RUN)
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
    }
    data = json.loads((tmp_path / "grades.json").read_text())
    assert [(entry["student"], entry["score"]) for entry in data["rows"]] == [
        ("anna", 1),
        ("bob", 1),
        ("eve", None),
    ]
    report.write(tmp_path, rows[::-1], RUN)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


def manual(tmp_path, text: str) -> Manual:
    path = tmp_path / "manual.csv"
    path.write_text(text, encoding="utf-8-sig")
    return Manual(path)


def test_points_by_hand_settle_what_failed(tmp_path):
    text = (
        "student,exercise,task,points,why\nanna,01,1.2,2,right after all\n'=x,1,1.1,1,\nbob,01,1.2,,not yet\n"
    )
    failed = row(tasks=[task(), task("1.2", 0, 2, "failed", note="look"), task("1.5", 0, 0, "unread")])
    rows, strangers = manual(tmp_path, text).applied(
        [failed, row("=x", "GRADER-ERROR", []), row("bob")], KEYS
    )
    assert strangers == []
    assert [graded.score for graded in rows] == [2, 1, 1]
    assert failed.score == 0  # what it was made from is as it was
    assert rows[0].tasks[1]["status"] == "by hand"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("student,task,points\n", "must have the columns student, exercise, task, points; it lacks exercise"),
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


def test_lateness_is_shown_to_everybody_it_concerns():
    late = row(handed_in="2026-12-02T10:00:00", late="2 days", penalty=0.6)
    (line,) = read(tables.grades([late], KEYS))
    assert [line[name] for name in ("score", "handed in", "late", "penalty")] == [
        "0.4",
        "2026-12-02 10:00:00",
        "2 days",
        "0.6",
    ]
    assert "You handed it in 2 days late, which costs 0.6 points." in Page(pages.feedback(late, KEYS)).text
    assert "2 days late: -0.6 points" in feedback_text(late, KEYS)
    assert ["anna", "01", "2026-12-02 10:00:00", "2 days late: -0.6 points"] in Page(
        pages.summary([late], RUN)
    ).lines
    assert "late" not in Page(pages.feedback(row(), KEYS)).text
    (line,) = read(tables.grades([row(marked_late=True)], KEYS))
    assert (line["late"], line["penalty"], line["score"]) == ("yes", "", "1")


def test_who_is_alike_is_told_and_a_formula_is_none(tmp_path):
    shapes = {number: {"a": 9, "b": 9} for number in ("1.1", "1.2", "1.3")}
    rows = [row(f"s{k}", shapes={number: {f"{k}": 9} for number in shapes}) for k in range(30)]
    report.write(tmp_path, [row("=anna", shapes=shapes), row("bob", shapes=shapes), *rows], RUN)
    (line,) = read((tmp_path / "alike.csv").read_text())
    assert (line["student"], line["other"]) == ("'=anna", "bob")
    assert line["alike in"] == line["the same in"] == "1.1, 1.2, 1.3"
    page = Page((tmp_path / "summary.html").read_text()).text
    assert "=anna and bob" in page
    assert "not a verdict" in page
    assert "shapes" not in (tmp_path / "grades.json").read_text()
