"""The list of a class: whoever is on it is found by any name, and who handed in nothing has a row."""

import pytest

from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.lateness import moment
from diffusion_lab.grading.roster import Roster
from diffusion_lab.grading.rows import Row

KEYS = {"01": {"points": 9, "tasks": []}, "02": {"points": 5, "tasks": []}}
LIST = """First name;Last name;ID number;Email;excused;due
Anna;Lee;100;anna@uni.edu;;
Bo;Müller;200;bo@uni.edu;all;
Cem;Öz;300;cem@uni.edu;2;2026-12-24 12:00
Anna;Lee;400;lee2@uni.edu;;
Dora;Fox;500;;;
"""


def roster(text: str = LIST) -> Roster:
    return Roster.read(Table(text.encode(), "roster: class.csv"))


def row(student: str, exercise: str = "01") -> Row:
    return Row(student, exercise, "graded", 9, [])


@pytest.mark.parametrize(
    ("student", "number"),
    [
        ("Bo Mu\u0308ller_77", "200"),  # Moodle, with its own id; accents typed differently
        ("Müller, Bo", "200"),
        ("müllerbo_9", "200"),  # Canvas
        ("cem@uni.edu", "300"),
        ("x_300", "300"),
        ("500", "500"),
        ("Anna Lee", None),  # there are two
        ("Anna Lee_400", "400"),
        ("Zed", None),
        ("", None),
    ],
)
def test_students_are_found_by_any_name(student, number):
    found = roster().find(student)
    assert (found and found.cells[2]) == number


def test_a_number_of_another_list_does_not_win_over_a_name():
    assert roster().find("Dora Fox_100").name == "Dora Fox"


def test_who_handed_in_nothing_has_a_row():
    rows = [row("Bo Müller_1"), row("cem@uni.edu"), row("Dora Fox"), row("stranger")]
    made = [(absent.student, absent.exercise, absent.status) for absent in roster().missing(rows, KEYS)]
    assert made == [
        ("Anna Lee", "01", "MISSING"),
        ("Anna Lee", "01", "MISSING"),
        ("Anna Lee", "02", "MISSING"),
        ("Bo Müller", "02", "EXCUSED"),
        ("Cem Öz", "02", "EXCUSED"),
        ("Anna Lee", "02", "MISSING"),
        ("Dora Fox", "02", "MISSING"),
    ]
    assert roster().strangers(rows) == ["stranger"]
    assert all(absent.score is None for absent in roster().missing(rows, KEYS))


def test_file_of_no_exercise_is_not_nothing():
    made = roster("name\nanna\nbo\ncem\n").missing([row("anna", ""), row("bo", ""), row("bo", "02")], KEYS)
    assert [(absent.student, absent.exercise) for absent in made] == [
        ("bo", "01"),
        ("cem", "01"),
        ("cem", "02"),
    ]


def test_extension_is_read():
    assert roster().find("Cem Öz").due == moment("2026-12-24 12:00")
    assert roster().find("Bo Müller").due is None


def test_simple_list_of_names_is_enough():
    made = roster("anything\nanna\n\nbo\n").missing([row("bo")], {"01": KEYS["01"]})
    assert [absent.student for absent in made] == ["anna"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "name,excused\nanna,perhaps\n",
            'class.csv, line 2: excused: exercises such as "01 03", or "all", were wanted',
        ),
        ("name,due\nanna,soon\n", "class.csv, line 2: due: a moment such as"),
        (
            "name,email\nanna,a@b\nanna,a@b\n",
            "class.csv: a line for each student was wanted, got two of anna",
        ),
    ],
)
def test_list_that_cannot_be_read_is_one_line(text, error):
    with pytest.raises(ValueError, match=error) as refused:
        roster(text)
    assert "\n" not in str(refused.value)
