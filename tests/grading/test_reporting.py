"""What an instructor adds to the grades: from the class list to the server's file, in one gradebook."""

import csv
from pathlib import Path

import pytest

from diffusion_lab.grading.reporting import Reporting, by_exercise
from diffusion_lab.grading.rows import Row, TaskGrade

TASKS = [{"number": "1.1", "title": "a guess", "max": 10, "section": "", "hint": ""}]
RUN = {"keys": {"01": {"sha256": "0", "points": 10, "tasks": TASKS}}}
TWO = {"keys": RUN["keys"] | {"02": {"sha256": "1", "points": 5, "tasks": []}}}
SHEET = """Identifier,Full name,Grade,Maximum Grade,Last modified (grade)
Participant 1,Anna Lee,,10.00,-
Participant 2,Bo Lin,,10.00,-
Participant 3,Cem Oz,,10.00,-
"""
EXPORT = """Student,ID,SIS User ID,SIS Login ID,Section,Exercise 01 (67890)
    Points Possible,,,,,10
"Lee, Anna",1,,,,
"Lin, Bo",2,,,,
"""


def row(student: str, points: int = 8, handed_in: str = "") -> Row:
    tasks = [TaskGrade("1.1", points, 10, "failed")._asdict()]
    return Row(student, "01", "graded", 10, tasks, asked="01", handed_in=handed_in)


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def gradebook(out: Path, name: str = "grades.csv") -> dict[str, dict]:
    with open(out / name, encoding="utf-8", newline="") as file:
        return {line[next(iter(line))]: line for line in csv.DictReader(file)}


def test_class_list_lateness_and_worksheet_in_one_gradebook(tmp_path):
    roster = put(
        tmp_path, "class.csv", "name;excused;due\nAnna Lee;;\nBo Lin;;2026-12-03\nCem Oz;01;\nDora Fox;;\n"
    )
    manual = put(tmp_path, "manual.csv", "student,exercise,task,points\nBo Lin_2,01,1.1,9\n")
    reporting = Reporting.read(
        manual=manual,
        roster=roster,
        due=["2026-11-30"],
        late="-10%/day",
        worksheets=[str(put(tmp_path, "moodle.csv", SHEET))],
    )
    rows = [
        row("Anna Lee_1", handed_in="2026-12-02T12:00:00"),
        row("Bo Lin_2", handed_in="2026-12-02T12:00:00"),
        row("Zed_9"),
    ]
    written, notes = reporting.write(tmp_path / "out", rows, RUN)
    lines = gradebook(tmp_path / "out")
    assert {name: (line["status"], line["score"], line["late"]) for name, line in lines.items()} == {
        "Anna Lee_1": ("graded", "6", "2 days"),
        "Bo Lin_2": ("graded", "9", ""),
        "Cem Oz": ("EXCUSED", "", ""),
        "Dora Fox": ("MISSING", "", ""),
        "Zed_9": ("graded", "8", ""),
    }
    assert [row.student for row in written] == list(lines)
    grades = {
        name: line["Grade"] for name, line in gradebook(tmp_path / "out", "grades_moodle_01.csv").items()
    }
    assert grades == {"Participant 1": "6", "Participant 2": "9", "Participant 3": ""}
    assert [note.rpartition("/")[2] for note in notes] == [
        "roster: Zed_9 is not on the list",
        "moodle.csv: there is no line for Zed_9",
        "1 of the class handed in nothing of some exercise: Dora Fox",
    ]
    summary = (tmp_path / "out/summary.html").read_text(encoding="utf-8")
    assert all(
        text in summary for text in ("Handed in nothing", "Dora Fox", "Excused", "Cem Oz", "Handed in late")
    )
    assert len(list((tmp_path / "out/feedback").iterdir())) == 3
    assert rows[0].penalty == 0  # what it was made from is as it was


def test_without_a_list_the_servers_file_is_the_class(tmp_path):
    reporting = Reporting.read(worksheets=[str(put(tmp_path, "moodle.csv", SHEET))])
    reporting.write(tmp_path / "out", [row("Anna Lee_1")], RUN)
    assert {line["status"] for name, line in gradebook(tmp_path / "out").items() if name != "Anna Lee_1"} == {
        "MISSING"
    }
    reporting = Reporting.read(export=put(tmp_path, "export.csv", EXPORT))
    reporting.check(RUN["keys"])
    reporting.write(tmp_path / "canvas", [row("leeanna_1")], RUN)
    assert gradebook(tmp_path / "canvas")["Lin, Bo"]["status"] == "MISSING"
    assert list(gradebook(tmp_path / "canvas", "grades_canvas_01.csv")) == [
        "    Points Possible",
        "Lee, Anna",
    ]


def test_nobody_is_missing_before_all_are_graded(tmp_path):
    reporting = Reporting.read(worksheets=[str(put(tmp_path, "moodle.csv", SHEET))])
    reporting.write(tmp_path / "out", [row("Anna Lee_1")], RUN, is_complete=False)
    assert list(gradebook(tmp_path / "out")) == ["Anna Lee_1"]


def test_one_worksheet_does_not_get_the_grades_of_two_exercises(tmp_path):
    """A gradebook may hold more exercises than this run was of."""
    reporting = Reporting.read(worksheets=[str(put(tmp_path, "moodle.csv", SHEET))])
    with pytest.raises(ValueError, match=r"worksheet: the exercise that it is for"):
        reporting.write(tmp_path / "out", [row("Anna Lee_1")], TWO)
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_said_before_anybody_is_graded(tmp_path):
    sheet, export = str(put(tmp_path, "moodle.csv", SHEET)), put(tmp_path, "export.csv", EXPORT)
    with pytest.raises(ValueError, match=r"formats must be of canvas, got 'blackboard'"):
        Reporting.read(formats=["canvas", "blackboard"])
    with pytest.raises(
        ValueError, match=r"worksheet: the exercise that it is for, such as 01=…, was wanted, for 01, 02"
    ):
        Reporting.read(worksheets=[sheet]).check(TWO["keys"])
    with pytest.raises(ValueError, match=r"worksheet: exercise 03 is not graded here, but 01"):
        Reporting.read(worksheets=[f"3={sheet}"]).check(RUN["keys"])
    with pytest.raises(ValueError, match=r"worksheet: one for each exercise was wanted"):
        Reporting.read(worksheets=[f"1={sheet}", f"01={sheet}"])
    with pytest.raises(
        ValueError, match=r"assignment: the title of exercise 01 in .*export.csv was wanted, one of"
    ):
        Reporting.read(export=export, titles=["Noise"]).check(RUN["keys"])
    with pytest.raises(ValueError, match=r"are for the whole class, not for a shard"):
        Reporting.read(export=export).check(RUN["keys"], is_whole_class=False)
    with pytest.raises(FileNotFoundError):
        Reporting.read(roster=tmp_path / "none.csv")
    Reporting.read(
        worksheets=[f"01={sheet}", f"02={sheet}"], export=export, titles=["01=Exercise 01", "02=Exercise 01"]
    ).check(TWO["keys"])


def test_texts_for_one_exercise_or_the_only_one():
    assert by_exercise(["1=a.csv", "02=b=c.csv"], "x") == {"01": "a.csv", "02": "b=c.csv"}
    assert by_exercise(["name=x.csv"], "x") == {"": "name=x.csv"}
