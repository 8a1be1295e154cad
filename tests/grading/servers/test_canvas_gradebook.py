"""A table that Canvas imports, and an importer that follows Canvas's rules."""

import csv
import io

import pytest

from diffusion_lab.grading.delimited import Table
from diffusion_lab.grading.rows import Row, TaskGrade
from diffusion_lab.grading.servers.canvas import Export, grades

EXPORT = '''Student,ID,SIS User ID,SIS Login ID,Section,Reading (111),Exercise 1 (67890),Exercise 11 (222),Final Score
,,,,,Manual Posting,,,
    Points Possible,,,,,5,9,9,(read only)
"Lee, Anna",12345,u1,alee,Section 1,4,2,,50
"Müller, Bo",12346,u2,bmueller,Section 1,,EX,,
"Öz, Cem",12347,u3,coez,"Section ""2""",,3,,
"Student, Test",99,,x,Section 1,,,,
'''


def export(text: str = EXPORT) -> Export:
    return Export(Table(text.encode(), "canvas: export.csv"))


def row(student: str, points: float | None = 7, status: str = "") -> Row:
    tasks = [] if points is None else [TaskGrade("1.1", points, 9, "passed")._asdict()]
    return Row(student, "01", status or ("graded" if tasks else "TIMEOUT"), 9, tasks)


class Canvas:
    """A course, and how Canvas imports grades into it."""

    def __init__(self):
        self.grades = {("12345", "67890"): "2", ("12346", "67890"): "EX", ("12347", "67890"): "3"}
        self.new = []

    def upload(self, text: str) -> None:
        head, possible, *lines = csv.reader(io.StringIO(text, newline=""))
        assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        assert possible[0] == "    Points Possible"
        for column, title in enumerate(head[5:], 5):
            if not title.endswith(")"):
                self.new.append(title)
                continue
            assignment = title.rpartition("(")[2][:-1]
            for cells in lines:
                self.grades[cells[1], assignment] = cells[column]  # an empty cell takes the grade away


def test_grades_arrive_and_no_other_is_touched():
    rows = [row("leeanna_12345"), row("oezcem_12347", None), row("müllerbo_12346")]
    text, notes = grades(rows, "01", 9, export())
    assert notes == []
    canvas = Canvas()
    canvas.upload(text)
    assert canvas.grades == {("12345", "67890"): "7", ("12346", "67890"): "EX", ("12347", "67890"): "3"}
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[1][5:] == ["9"]
    assert lines[2] == ["Lee, Anna", "12345", "u1", "alee", "Section 1", "7"]
    assert len(lines) == 4


def test_excused_student_is_excused_there():
    text, _ = grades([row("Öz, Cem", None, "EXCUSED"), row("Lee, Anna", None, "MISSING")], "01", 9, export())
    canvas = Canvas()
    canvas.upload(text)
    assert (canvas.grades["12347", "67890"], canvas.grades["12345", "67890"]) == ("EX", "2")


def test_students_are_known_by_id_login_or_name_and_strangers_are_told():
    rows = [row("x_12345", 1), row("coez", 2), row("Müller, Bo", 3), row("Zed_7", 4)]
    text, notes = grades(rows, "01", 9, export())
    assert [cells[1] for cells in csv.reader(io.StringIO(text))][2:] == ["12345", "12347", "12346"]
    assert notes == ["canvas: export.csv: there is no line for Zed_7"]


def test_two_submissions_of_one_line_are_told():
    text, notes = grades([row("x_12345", 1), row("Lee, Anna", 2)], "01", 9, export())
    assert notes == ["canvas: export.csv: x_12345 and Lee, Anna are one line; the first is taken"]
    assert [cells[5] for cells in csv.reader(io.StringIO(text))][2:] == ["1"]


def test_without_an_export_the_id_in_the_name_is_enough():
    text, notes = grades([row("leeanna_12345"), row("bob"), row("eve_7", None)], "01", 9)
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["    Points Possible", "", "", "", "", "9"],
        ["leeanna", "12345", "", "", "", "7"],
        ["bob", "", "", "bob", "", "7"],
    ]
    assert notes == []
    canvas = Canvas()
    canvas.upload(text)
    assert canvas.new == ["Exercise 01"]
    text, _ = grades([row("leeanna_12345")], "01", 9, title="Noise (67890)")
    canvas.upload(text)
    assert canvas.grades["12345", "67890"] == "7"


def test_assignment_is_told_by_number_or_title():
    assert export().assignment("01", None) == 6
    assert export().assignment("11", None) == 7
    assert export().assignment("01", "Reading") == export().assignment("01", "Reading (111)") == 5
    with pytest.raises(
        ValueError, match=r"assignment: the title of exercise 03 in export.csv was wanted, one of Reading"
    ):
        export().assignment("03", None)
    only = (
        EXPORT.replace("Reading (111)", "Reading")
        .replace("Exercise 11 (222)", "More")
        .replace("Exercise 1 ", "Noise ")
    )
    assert export(only).assignment("03", None) == 6


def test_course_is_the_class_but_for_the_test_student():
    missing = export().roster().missing([row("leeanna_12345")], {"01": {"points": 9}})
    assert [absent.student for absent in missing] == ["Müller, Bo", "Öz, Cem"]


def test_file_that_is_no_gradebook_is_refused_in_a_line():
    with pytest.raises(
        ValueError,
        match=r"canvas: export.csv: the gradebook that Canvas exports .* column Student; there are a, b",
    ):
        export("a,b\n1,2\n")
