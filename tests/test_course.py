"""docs/course.toml: what it may say, what is made of it, and that every page and notebook agrees with it."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from diffusion_lab.course.declaration import DECLARATION, Course, read
from diffusion_lab.links import repository

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tools"))
import course as course_tool  # noqa: E402

COURSE = read()
KNOWN = repository.read(ROOT)
ENTRY = """
[[lesson]]
number = {number}
name = "{name}"
title = "{title}"
question = "What is it?"
outcome = "say what it is"
needs = {needs}
minutes = 30
budget_seconds = 90
exercise = false
"""


def declaration(*entries: dict) -> str:
    default = {"name": "a_name", "title": "A title", "needs": []}
    return 'prerequisites = "Python"\n' + "".join(ENTRY.format(**default | entry) for entry in entries)


def read_text(text: str, folder: Path) -> Course:
    path = folder / "course.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


@pytest.fixture
def clone(tmp_path) -> Path:
    """A copy of the pages and notebooks of the repository, all up to date."""
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("notebooks", "exercises", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert course_tool.main([], tmp_path) == 0
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def text_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_a_declaration_is_read_as_it_is_written(tmp_path):
    course = read_text(declaration({"number": 0}, {"number": 7, "name": "b", "needs": [0]}), tmp_path)
    first, second = course.lessons
    assert (second.label, second.file, second.heading) == ("07", "07_b.ipynb", "07 · A title")
    assert (second.needs, second.minutes, second.exercise) == ((0,), 30, False)
    assert course.prerequisites == "Python"
    assert course.neighbours(first) == (None, second)
    assert course.neighbours(second) == (first, None)


@pytest.mark.parametrize(
    ("seconds", "words"), [(60, "1 minute"), (360, "6 minutes"), (90, "90 seconds"), (30, "30 seconds")]
)
def test_a_budget_in_words(tmp_path, seconds, words):
    text = declaration({"number": 0}).replace("budget_seconds = 90", f"budget_seconds = {seconds}")
    assert read_text(text, tmp_path).lessons[0].budget == words


ONE = declaration({"number": 0})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the file lacks lesson, prerequisites"),
        ("lesson = []\nprerequisites = ''", r"rising numbers were wanted, got \[\]"),
        ("lesson = [1]\nprerequisites = ''", r"a table under \[\[lesson\]\], got 1"),
        (ONE.replace('"Python"', "Python"), "line 1"),
        (ONE + "price = 3\n", "lesson 0: price is unknown; known are budget_seconds, "),
        (ONE.replace("minutes = 30\n", ""), "lesson 0 lacks minutes"),
        (ONE.replace("minutes = 30", "minutes = 0"), "lesson 0: minutes is above 0, got 0"),
        (ONE.replace("minutes = 30", 'minutes = "30"'), "lesson 0: minutes is int, got '30'"),
        (ONE.replace("minutes = 30", "minutes = true"), "lesson 0: minutes is int, got True"),
        (ONE.replace("budget_seconds = 90", "budget_seconds = -1"), "budget_seconds is above 0, got -1"),
        (ONE.replace("exercise = false", 'exercise = "no"'), "lesson 0: exercise is bool, got 'no'"),
        (ONE.replace("What is it?", " "), "question is one line of text"),
        (ONE.replace("What is it?", "a | b"), "question is one line of text without |, got 'a | b'"),
        (ONE.replace("a_name", "00_a_name"), "name is like forward_noising, got '00_a_name'"),
        (ONE.replace("a_name", "../a"), "name is like forward_noising"),
        (declaration({"number": 0, "needs": ["one"]}), "needs holds numbers of lessons, got"),
        (declaration({"number": 1}, {"number": 0}), r"rising numbers were wanted, got \[1, 0\]"),
        (declaration({"number": 1}, {"number": 1}), r"rising numbers were wanted, got \[1, 1\]"),
        (declaration({"number": 0, "needs": [0]}), r"lesson 0: needs is .* out of \[\]"),
        (declaration({"number": 0}, {"number": 2, "needs": [1]}), r"lesson 2: .* out of \[0\], .* got \[1\]"),
        (
            declaration({"number": 0}, {"number": 1}, {"number": 2, "needs": [1, 0]}),
            r"lesson 2: .* got \[1, 0\]",
        ),
        (
            declaration({"number": 0}, {"number": 1}, {"number": 2, "needs": [1, 1]}),
            r"lesson 2: .* got \[1, 1\]",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_in_words(tmp_path, text, complaint):
    with pytest.raises(ValueError, match=complaint) as refused:
        read_text(text, tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "course.toml"))


def test_needs_that_follow_from_others_are_not_direct(tmp_path):
    entries = [{"number": 0}, {"number": 1, "needs": [0]}, {"number": 2, "needs": [0]}]
    entries += [{"number": 3, "needs": [0, 1]}, {"number": 4, "needs": [0, 2, 3]}]
    course = read_text(declaration(*entries), tmp_path)
    assert [course.direct_needs(lesson) for lesson in course.lessons] == [set(), {0}, {0}, {1}, {2, 3}]
    assert course.all_needs(course.by_number[4]) == {0, 1, 2, 3}


def test_drawing_marks_crossings_ends_and_lessons(tmp_path):
    needs = [[], [0], [0], [1, 2], [1], [], [2, 4]]
    entries = [{"number": number, "needs": few, "title": "x"} for number, few in enumerate(needs)]
    assert course_tool.drawing(read_text(declaration(*entries), tmp_path)).splitlines() == [
        "```text",
        "● 00 x",
        "○─● 01 x",
        "○─┼─● 02 x",
        "  ○─○─● 03 x",
        "  ○─┼───● 04 x",
        "    │   │ ● 05 x",
        "    ○───○───● 06 x",
        "```",
    ]


def test_drawing_of_the_course_says_what_the_lessons_need():
    rows = course_tool.drawing(COURSE).splitlines()[1:-1]
    for place, (row, lesson) in enumerate(zip(rows, COURSE.lessons, strict=True)):
        assert row[2 * place :] == f"● {lesson.label} {lesson.title}"
        marked = {COURSE.lessons[column].number for column in range(place) if row[2 * column] == "○"}
        assert marked == COURSE.direct_needs(lesson)


PAGE = "by hand\n<!-- docs/course.toml: a -->\nold\n<!-- end of a -->\nby hand too\n"


def test_a_place_is_filled_and_all_around_it_stays():
    page = course_tool.filled(PAGE, {"a": "new"})
    assert page == PAGE.replace("old", "\nnew\n")
    assert course_tool.filled(page, {"a": "new"}) == page


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("by hand\n", r"places for \['a'\] were wanted here, found \[\]"),
        (PAGE + PAGE, r"found \['a', 'a'\]"),
        (PAGE.replace("toml: a", "toml: b"), r"found \['b'\]"),
        (PAGE + PAGE.replace(": a", ": b"), r"found \['a', 'b'\]"),
        (PAGE.replace("end of a", "end of b"), "has no <!-- end of a --> behind it"),
        ("<!-- end of a --> <!-- docs/course.toml: a -->", "has no <!-- end of a --> behind it"),
    ],
)
def test_a_page_without_its_places_is_refused(page, complaint):
    with pytest.raises(ValueError, match=complaint):
        course_tool.filled(page, {"a": "new"})


def test_one_place_inside_another_is_refused():
    page = "<!-- docs/course.toml: a --> <!-- docs/course.toml: b --> <!-- end of b --> <!-- end of a -->"
    with pytest.raises(ValueError, match="has no <!-- end of a --> behind it"):
        course_tool.filled(page, {"a": "new", "b": "new"})


def notebook(*cells: tuple[str, str]) -> str:
    made = [
        {"cell_type": kind, "id": str(k), "metadata": {}, "source": source.splitlines(keepends=True)}
        | ({"execution_count": 1, "outputs": [{"text": ["1\n"]}]} if kind == "code" else {})
        for k, (kind, source) in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


MADE = {"time": "2 minutes", "next": "go on"}


def test_a_notebook_without_places_gets_them_at_its_ends():
    page = notebook(("markdown", "# 01 · A\n"), ("code", "<!-- docs/course.toml: x -->"), ("markdown", "End"))
    made = course_tool.filled_notebook(page, MADE)
    first, code, last = json.loads(made)["cells"]
    assert "".join(first["source"]) == f"# 01 · A\n\n{course_tool.between_markers('time', '2 minutes')}"
    assert "".join(last["source"]) == f"End\n\n{course_tool.between_markers('next', 'go on')}"
    assert code == json.loads(page)["cells"][1], "code and outputs are nobody's place"
    assert course_tool.filled_notebook(made, MADE) == made


def test_places_of_a_notebook_stay_where_they_are():
    place = course_tool.between_markers("next", "old")
    page = notebook(
        ("markdown", "# 01 · A"), ("markdown", f"Before\n\n{place}\n\nAfter"), ("markdown", "End")
    )
    cells = json.loads(course_tool.filled_notebook(page, MADE))["cells"]
    assert "".join(cells[1]["source"]) == f"Before\n\n{place.replace('old', 'go on')}\n\nAfter"
    assert cells[2]["source"] == ["End"]


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("code", "1"), ("markdown", "End")], "first cell is no text, so time has no place"),
        ([("markdown", "# A"), ("code", "1")], "last cell is no text, so next has no place"),
        ([("code", "1")], "first cell is no text"),
        ([("markdown", PAGE), ("markdown", "End")], "found .'a', 'time'."),
        ([("markdown", course_tool.between_markers("time", "")) for _ in range(2)], r"found \['time'\]"),
    ],
)
def test_a_notebook_with_wrong_places_is_refused(cells, complaint):
    with pytest.raises(ValueError, match=complaint):
        course_tool.filled_notebook(notebook(*cells), MADE)


def test_a_table_has_to_have_a_place_of_its_own():
    page = notebook(("markdown", "# 00 · A"), ("markdown", "End"))
    with pytest.raises(ValueError, match="no text cell has a place for lessons"):
        course_tool.filled_notebook(page, MADE | {"lessons": "table"})


@pytest.mark.parametrize("name", course_tool.made_texts(COURSE, KNOWN))
def test_page_is_up_to_date(name):
    assert ROOT / name not in course_tool.stale(COURSE, ROOT), f"{name} is stale: python tools/course.py"


def test_notebooks_and_exercises_are_those_of_the_course():
    assert course_tool.disagreements(COURSE, ROOT) == []


def test_every_lesson_stands_in_every_table():
    made = course_tool.made_texts(COURSE, KNOWN)
    start = f"notebooks/{COURSE.lessons[0].file}"
    for page in ("README.md", "docs/course_map.md", "docs/site/index.md", start):
        rows = made[page]["lessons"].splitlines()[2:]
        for row, lesson in zip(rows, COURSE.lessons, strict=True):
            assert lesson.heading in row
            assert lesson.question in row
            assert str(lesson.minutes) in row
            assert (lesson.file in row) != (page == start == f"notebooks/{lesson.file}")
    for page in ("docs/course_map.md", "docs/site/index.md"):
        assert all(lesson.outcome in made[page]["lessons"] for lesson in COURSE.lessons)


def test_a_fork_gets_the_tables_that_its_links_make():
    fork = repository.Repository("ada", "noise.course", "v1.0")
    ours, theirs = (course_tool.made_texts(COURSE, links) for links in (KNOWN, fork))
    assert ours["README.md"] != theirs["README.md"]
    for page, made in ours.items():
        assert {name: repository.follow(text, KNOWN, fork) for name, text in made.items()} == theirs[page]


def test_a_new_lesson_costs_one_notebook_and_one_entry(clone, capsys):
    before, last = contents(clone), COURSE.lessons[-1]
    number = last.number + 1
    new = clone / "notebooks" / f"{number}_extra.ipynb"
    cells = [("markdown", f"# {number} · One more\n\nWhy?"), ("code", "1"), ("markdown", "Because.")]
    new.write_text(notebook(*cells), encoding="utf-8")
    path = clone / DECLARATION
    entry = ENTRY.format(number=number, name="extra", title="One more", needs=[last.number])
    path.write_text(path.read_text(encoding="utf-8") + entry, encoding="utf-8")
    capsys.readouterr()
    assert course_tool.main([], clone) == 0
    start = f"notebooks/{COURSE.lessons[0].file}"
    tables = {"README.md", "docs/course_map.md", "docs/site/index.md", start}
    wanted = {*tables, f"notebooks/{last.file}", f"notebooks/{new.name}"}
    assert set(capsys.readouterr().out.splitlines()) == {f"written: {name}" for name in wanted}
    changed = {path for path, data in contents(clone).items() if before.get(path) != data}
    assert changed == {clone / name for name in wanted} | {path}
    for name in tables - {start}:
        assert new.name in (clone / name).read_text(encoding="utf-8")
    assert f"[{number} · One more]({new.name})" in text_of(clone / start)
    assert f"**Next:** [{number} · One more]({new.name}). *What is it?*" in text_of(
        clone / "notebooks" / last.file
    )
    assert "Takes about 30 minutes to read. Runs in under 90 seconds" in text_of(new)
    assert f"**Back:** [{last.heading}]({last.file})." in text_of(new)
    assert "Practise" not in text_of(new)
    assert course_tool.main(["--check"], clone) == 0


def test_check_names_what_is_stale_and_writes_nothing(clone, capsys):
    path = clone / DECLARATION
    text = path.read_text(encoding="utf-8")
    changed = text.replace("budget_seconds = 360", "budget_seconds = 300")
    changed = changed.replace('question = "Can a computer', 'question = "Could a computer')
    path.write_text(changed, encoding="utf-8")
    before = contents(clone)
    capsys.readouterr()
    assert course_tool.main(["--check"], clone) == 1
    assert capsys.readouterr().out.splitlines() == [
        "stale: README.md",
        "stale: docs/course_map.md",
        "stale: docs/site/index.md",
        "stale: notebooks/00_start_here.ipynb",
        "stale: notebooks/05_training.ipynb",
    ]
    assert contents(clone) == before
    assert course_tool.main([], clone) == 0
    assert "Runs in under 5 minutes on two CPU cores." in text_of(clone / "notebooks" / "05_training.ipynb")


@pytest.mark.parametrize("page", ["README.md", "docs/course_map.md", "docs/site/index.md"])
def test_text_that_was_edited_by_hand_is_found_and_mended(clone, capsys, page):
    path = clone / page
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("How do you ask for a 3?", "How do you ask for a 4?"), encoding="utf-8")
    capsys.readouterr()
    assert course_tool.main(["--check"], clone) == 1
    assert capsys.readouterr().out == f"stale: {page}\n"
    assert course_tool.main([], clone) == 0
    assert path.read_text(encoding="utf-8") == good


def rename(clone: Path, folder: str) -> str:
    (clone / folder / "07_guidance.ipynb").rename(clone / folder / "07_else.ipynb")
    return f"{folder}/07_else.ipynb: docs/course.toml has no entry for it"


def other_heading(clone: Path, folder: str) -> str:
    path = clone / folder / "07_guidance.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("07 · Guidance\\n", "07 · Guided\\n", 1), encoding="utf-8")
    return f"{folder}/07_guidance.ipynb: its heading is "


def no_json(clone: Path, folder: str) -> str:
    (clone / folder / "07_guidance.ipynb").write_text("{", encoding="utf-8")
    return str(clone / folder / "07_guidance.ipynb")


@pytest.mark.parametrize("folder", ["notebooks", "exercises"])
@pytest.mark.parametrize("harm", [rename, other_heading, no_json])
@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_notebook_that_disagrees_is_named_and_nothing_is_written(clone, capsys, harm, folder, arguments):
    wanted = harm(clone, folder)
    (clone / "README.md").write_text((clone / "README.md").read_text(encoding="utf-8").replace("Guid", "G"))
    before = contents(clone)
    capsys.readouterr()
    assert course_tool.main(arguments, clone) == 1
    assert capsys.readouterr().out.startswith(wanted)
    assert contents(clone) == before


def test_a_page_without_its_places_is_named(clone, capsys):
    (clone / "README.md").write_text("no places\n")
    capsys.readouterr()
    assert course_tool.main(["--check"], clone) == 1
    assert capsys.readouterr().out.startswith("README.md: places for ['lessons'] were wanted here, found []")


def test_no_declaration_is_one_line(clone, capsys):
    (clone / DECLARATION).unlink()
    capsys.readouterr()
    assert course_tool.main(["--check"], clone) == 1
    assert DECLARATION in capsys.readouterr().out
