"""Moodle's worksheet, filled in, and uploaded to an importer that follows the rules of Moodle's own."""

import csv
import io
from datetime import datetime

import pytest

from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.rows import Row, TaskGrade
from diffusion_lab.grading.servers.moodle import Worksheet

ENGLISH = """Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",\
"Last modified (submission)","Last modified (grade)","Feedback comments"
"Participant 101","Anna Lee",anna@uni.edu,"Submitted for grading",,9.00,Yes,"Monday, 2 November 2026, 11:04 AM",-,
"Participant 102","Bo Müller",bo@uni.edu,"No submission",,9.00,Yes,-,-,
"Participant 103","Cem, ""the"" Öz",cem@uni.edu,"Submitted for grading",4.00,9.00,Yes,-,\
"Monday, 2 November 2026, 11:04 AM","old, but mine"
"""
GERMAN = """ID;Vollständiger Name;Status;Bewertung;Bestwertung;Bewertung kann geändert werden;\
Zuletzt geändert (Abgabe);Zuletzt geändert (Bewertung);Feedback als Kommentar
Teilnehmer/in 101;Anna Lee;Zur Bewertung abgegeben;;9,00;Ja;Montag, 2. November 2026, 11:04;-;
Teilnehmer/in 102;Bo Müller;Keine Abgabe;;9,00;Ja;-;-;
Teilnehmer/in 103;Cem Öz;Zur Bewertung abgegeben;4,00;9,00;Ja;-;Montag, 2. November 2026, 11:04;alt
"""
WORDS = {
    "en": ("Identifier", "Participant ", "Grade", "Last modified (grade)", "Feedback comments", "."),
    "de": (
        "ID",
        "Teilnehmer/in ",
        "Bewertung",
        "Zuletzt geändert (Bewertung)",
        "Feedback als Kommentar",
        ",",
    ),
}
GRADED_AT = datetime(2026, 11, 2, 11, 4, 30).timestamp()  # of 103; the worksheet says the minute only


class Refused(Exception):
    """Moodle's "invalid grade import"."""


class Moodle:
    """An assignment, and how `mod/assign/feedback/offline` imports grades into it."""

    def __init__(
        self, language: str = "en", maximum: float = 9, users: tuple[str, ...] = ("101", "102", "103")
    ):
        self.words, self.maximum, self.users = WORDS[language], maximum, users
        self.grades = {"103": (4.0, GRADED_AT)}
        self.comments = {"103": "old, but mine"}

    def upload(
        self, data: bytes, separator: str = ",", encoding: str = "utf-8", ignore_modified: bool = False
    ) -> set[str]:
        """Import a worksheet; gives whose grades have changed."""
        lines = list(csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=separator))
        head = [name.removeprefix("\ufeff") for name in lines[0]]
        identifier, prefix, grade, modified, comment, decimal = self.words
        if not {identifier, grade, modified} <= set(head):
            raise Refused(head)
        changed = set()
        for line in filter(None, lines[1:]):
            cells = dict(zip(head, line, strict=False))
            user = cells[identifier][len(prefix) :]
            if user not in self.users:
                continue
            old, when = self.grades.get(user, (None, 0))
            is_stale = old is not None and when > self._time(cells[modified]) + 60
            text = cells[grade].replace(" ", "").replace(decimal, ".")
            value = float(text) if text else None
            in_range = value is not None and 0 <= value <= self.maximum
            if in_range and value != old and (ignore_modified or not is_stale):
                self.grades[user] = (value, GRADED_AT + 1e6)
                changed.add(user)
            if comment in cells and (ignore_modified or not is_stale):
                self.comments[user] = cells[comment]  # even if it is nothing
        return changed

    @staticmethod
    def _time(text: str) -> float:
        try:
            return datetime.strptime(text, "%A, %d %B %Y, %I:%M %p").timestamp()
        except ValueError:
            return 0  # what PHP's strtotime makes of "-" and of other languages


def row(student: str, points: float | None = 7, worth: float = 9, **more) -> Row:
    tasks = [] if points is None else [TaskGrade("1.1", points, worth, "passed")._asdict()]
    return Row(student, "01", "graded" if tasks else "UNREADABLE", worth, tasks, **more)


def sheet(text: str = ENGLISH, encoding: str = "utf-8") -> Worksheet:
    return Worksheet(Table(text.encode(encoding), "worksheet: moodle.csv"))


ROWS = [row("Anna Lee_101", 7.5), row("Cem Öz_103", 9)]


def test_moodle_takes_the_worksheet_and_nothing_else_changes():
    data, notes = sheet().filled(ROWS)
    assert notes == []
    moodle = Moodle()
    assert moodle.upload(data) == {"101", "103"}
    assert {user: grade for user, (grade, _) in moodle.grades.items()} == {"101": 7.5, "103": 9.0}
    assert moodle.comments["101"] == "1.1: solved"
    lines, before = data.decode().splitlines(), ENGLISH.splitlines()
    assert (lines[0], lines[2]) == (before[0], before[2])  # names and order; who handed in nothing
    assert lines[1] == before[1].replace(",,9.00", ",7.5,9.00") + "1.1: solved"
    assert lines[3] == before[3].replace("4.00", "9").replace("old, but mine", "1.1: solved")


def test_importer_of_the_tests_skips_as_moodle_does():
    data, _ = sheet().filled(ROWS)
    newer = Moodle()
    newer.grades["103"] = (5.0, GRADED_AT + 90)
    assert newer.upload(data) == {"101"}  # changed since, by more than a minute
    assert newer.comments["103"] == "old, but mine"
    assert newer.upload(data, ignore_modified=True) == {"103"}
    assert Moodle(maximum=8).upload(data) == {"101"}  # 9 is out of range
    assert Moodle(users=("101",)).upload(data) == {"101"}
    with pytest.raises(Refused):
        Moodle("de").upload(data)


def test_grades_and_comments_of_others_are_not_blanked():
    data, _ = sheet().filled([row("Anna Lee_101"), row("Cem Öz_103", None)])
    moodle = Moodle()
    assert moodle.upload(data) == {"101"}
    assert (moodle.grades["103"][0], moodle.comments["103"]) == (4.0, "old, but mine")


def test_worksheet_in_another_language_is_filled_in_its_own_way():
    data, notes = sheet(GERMAN).filled([row("Anna Lee_101", 7.5), row("Cem Öz_103", 9)])
    assert notes == []
    lines, before = data.decode().splitlines(), GERMAN.splitlines()
    assert lines[1] == before[1].replace(";;9,00", ";7,5;9,00") + '"1.1: solved"'.strip('"')
    assert (lines[0], lines[2]) == (before[0], before[2])
    moodle = Moodle("de")
    assert moodle.upload(data, ";") == {"101"}  # a date that PHP cannot read counts as old
    assert moodle.upload(data, ";", ignore_modified=True) == {"103"}


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8-sig")]
)
def test_what_a_spreadsheet_made_of_it_is_kept(delimiter, encoding):
    lines = csv.reader(io.StringIO(ENGLISH))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    data, notes = sheet(text.getvalue(), encoding).filled(ROWS)
    assert notes == []
    assert data[:2] == text.getvalue().encode(encoding)[:2]
    assert data.count("\r\n".encode(encoding.removesuffix("-sig"))[-2:]) >= 4
    assert Moodle().upload(data, delimiter, encoding) == {"101", "103"}


def test_who_does_not_fit_is_told_by_name():
    twice = ENGLISH + ENGLISH.splitlines()[2].replace("Müller", "Möller") + "\n"
    rows = [*ROWS, row("Bo Müller_102"), row("Zed_104"), row("Anna Lee", 3)]
    data, notes = sheet(twice).filled(rows[:-1])
    assert notes == [
        "worksheet: moodle.csv: Participant 102 stands there 2 times; none of them is filled in",
        "worksheet: moodle.csv: there is no line for Zed_104",
    ]
    assert Moodle().upload(data) == {"101", "103"}
    _, notes = sheet().filled([row("Anna Lee_101", 12, 12), row("Cem Öz_103", 5, 10)])
    assert notes == [
        "worksheet: moodle.csv: Anna Lee_101: 12 points are above the maximum grade, 9.00; the grade is left as it is",
        "worksheet: moodle.csv: Cem Öz_103: of 10 points; the worksheet's maximum is 9.00",
    ]
    data, notes = sheet().filled([row("bo@uni.edu"), row("Anna Lee", 3)])  # of folders with other names
    assert notes == []
    assert Moodle().upload(data) == {"101", "102"}


def test_two_submissions_of_one_line_are_told():
    data, notes = sheet().filled([row("Anna Lee_101", 7), row("anna@uni.edu", 3)])
    assert notes == [
        "worksheet: moodle.csv: Anna Lee_101 and anna@uni.edu are one line; the first is filled in"
    ]
    moodle = Moodle()
    moodle.upload(data)
    assert moodle.grades["101"][0] == 7


def test_scale_in_place_of_points_is_left_alone():
    text = ENGLISH.replace("9.00", "Good").replace("4.00", "Fair")
    data, notes = sheet(text).filled(ROWS)
    assert data == text.encode()
    assert [note.rpartition(": ")[2] for note in notes] == [
        "the maximum grade cannot be read, so the grade is left as it is"
    ] * 2


def test_comments_say_what_lateness_cost_and_are_no_formula():
    late = row("Anna Lee_101", 9, late="2 days", penalty=1.8)
    data, _ = sheet().filled([late])
    assert b",7.2,9.00" in data
    assert b"1.1: solved; 2 days late: -1.8 points" in data
    no_comments = "\n".join(line.rpartition(",")[0] for line in ENGLISH.splitlines()[:3])
    data, _ = sheet(no_comments).filled([late])
    assert data.decode() == no_comments.replace(",,9.00", ",7.2,9.00", 1)


def test_students_of_the_worksheet_are_the_class():
    missing = sheet().roster("01").missing(ROWS, {"01": {"points": 9}, "02": {"points": 5}})
    assert [(absent.student, absent.exercise) for absent in missing] == [("Bo Müller", "01")]
    blind = "\n".join(
        ",".join([line.split(",")[0], *line.split(",")[3:]]) for line in ENGLISH.splitlines()[:3]
    )
    missing = sheet(blind).roster("01").missing([row("Participant_101")], {"01": {"points": 9}})
    assert [absent.student for absent in missing] == ["Participant 102"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("student,score\nanna,3\n", "with the column Identifier, was wanted; there are student, score"),
        (
            ENGLISH.replace(",Grade,", ",Points,").replace('"Maximum Grade"', "Top"),
            "with the column Grade, was wanted",
        ),
        (
            ENGLISH.replace("Last modified (grade)", "When"),
            r"with the column Last modified .grade., was wanted",
        ),
    ],
)
def test_file_that_is_no_worksheet_is_refused_in_a_line(text, error):
    with pytest.raises(ValueError, match=error) as refused:
        sheet(text.replace("9.00", "") if "Points" in text else text)
    assert "\n" not in str(refused.value)
