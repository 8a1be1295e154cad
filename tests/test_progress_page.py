"""The page of progress: what it says for what was noted, what is next, and its form as text and as HTML."""

import html.parser
import re
from collections import Counter
from pathlib import Path

import pytest

import diffusion_lab as dl
from diffusion_lab import progress
from diffusion_lab.checks import registry
from diffusion_lab.course import copies, declaration
from diffusion_lab.progress_page import progress_page

ROOT = Path(__file__).parents[1]
LESSONS = declaration.read().lessons
EXERCISES = {exercise.number: exercise for exercise in registry.notebooks().values()}
POINTS = sum(task.points for exercise in EXERCISES.values() for task in exercise.tasks.values())


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path) -> Path:
    """The file that is noted into; the working directory is empty, with neither copies nor a clone above."""
    path = tmp_path / "progress.json"
    monkeypatch.setenv(progress.SWITCH, str(path))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def at(monkeypatch):
    """Sets the day of what is noted."""
    return lambda day: monkeypatch.setattr(progress, "_now", lambda: f"2026-11-{day:02}T12:00+00:00")


def solve(number: str, *tasks: str) -> None:
    exercise = EXERCISES[number]
    for task in tasks or exercise.tasks:
        progress.note_task(task, "solved", exercise.tasks[task].points)


def next_step() -> str:
    step = progress_page().next_step
    return step and step.notebook


class Reader(html.parser.HTMLParser):
    """Collects tags, links and text of a page; fails where tags are not closed in order."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.links, self.text, self.open = Counter(), [], "", []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.open.append(tag)
        self.links += [value for name, value in attributes if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.text += f" {data}"


def test_every_lesson_and_all_points_are_on_the_page():
    page = progress_page()
    for text in (str(page), Reader(page._repr_html_()).text):
        for lesson in LESSONS:
            assert lesson.heading in text
        assert f"0 of {POINTS} points, 0 of {len(LESSONS)} lessons begun" in text
        assert text.count("not opened yet") == len(LESSONS)
    assert {lesson.label for lesson in LESSONS if lesson.exercise} == EXERCISES.keys()


def test_what_was_done_is_said_in_text_and_on_the_card(at, file):
    at(28)
    progress.note_opened(0)
    progress.note_guess(1, 900)
    solve("01", "1.1")
    progress.note_task("1.2", "wrong: variance-as-std", 2)
    page = progress_page()
    text = str(page)
    assert re.search(r"^00 · .* opened 2026-11-28$", text, re.M)
    assert re.search(r"^01 · .* opened 2026-11-28, guess: 900 +1 of 11 points$", text, re.M)
    assert "     1.1 solved, 1.2 wrong (variance-as-std), 1.3 open, 1.4 open, 1.6 open\n" in text
    assert f"Kept in {file}, on this computer only." in text
    card = Reader(page._repr_html_()).text
    assert "opened 2026-11-28, guess: 900" in card
    assert "1.2 wrong (variance-as-std): one step, each picture at its own t" in card
    assert "1 of 11 points" in card
    assert f"Kept in {file}, on this computer only." in card
    assert repr(page) == text


def test_a_task_that_was_solved_once_counts_whatever_came_after():
    solve("01")
    progress.note_task("1.2", "wrong: shared-t", 2)
    (row,) = [row for row in progress_page().rows if row.lesson.label == "01"]
    assert row.points == row.all_points
    assert row.unsolved is None


def test_tasks_that_the_course_does_not_have_do_no_harm():
    progress.note_task("99.1", "solved", 50)
    progress.note_opened(98)
    assert f"0 of {POINTS} points, 0 of {len(LESSONS)} lessons begun" in str(progress_page())


def test_next_is_the_first_lesson_then_what_is_left_of_the_last_one(at):
    first, second, third = LESSONS[:3]
    assert next_step() == f"notebooks/{first.file}"
    at(1)
    progress.note_opened(0)
    assert next_step() == f"notebooks/{second.file}"
    at(2)
    progress.note_opened(1)
    assert progress_page().next_step.text.startswith("exercise 01, task 1.1: ")
    solve("01", "1.1", "1.3")
    assert next_step() == f"exercises/{second.file}"
    assert progress_page().next_step.text.startswith("exercise 01, task 1.2: ")
    solve("01")
    assert next_step() == f"notebooks/{third.file}"


def test_next_goes_on_where_somebody_was_last_and_comes_back_for_the_rest(at):
    at(1)
    progress.note_opened(1)
    at(2)
    progress.note_opened(5)
    assert next_step() == f"exercises/{LESSONS[5].file}"
    solve("05")
    assert next_step() == f"notebooks/{LESSONS[6].file}"
    at(3)
    for lesson in LESSONS[5:]:
        progress.note_opened(lesson.number)
        solve(lesson.label)
    assert next_step() == f"notebooks/{LESSONS[0].file}"


def test_when_all_is_done_it_says_so():
    for lesson in LESSONS:
        progress.note_opened(lesson.number)
        if lesson.exercise:
            solve(lesson.label)
    page = progress_page()
    assert page.next_step is None
    for text in (str(page), page._repr_html_()):
        assert "All of it is done." in text
        assert "Next" not in text


def test_links_lead_from_the_working_directory_into_the_copies(monkeypatch, tmp_path):
    copies.copy(ROOT, tmp_path / copies.FOLDER)
    for start in (tmp_path, tmp_path / copies.FOLDER, tmp_path / copies.FOLDER / "exercises"):
        monkeypatch.chdir(start)
        links = Reader(progress_page()._repr_html_()).links
        assert len(links) == 1 + len(LESSONS) + len(EXERCISES)
        for link in links:
            assert (start / link).resolve().is_relative_to(tmp_path / copies.FOLDER)
            assert (start / link).is_file()
        way = re.search(r"^Next: .*\n +(\S+)$", str(progress_page()), re.M)[1]
        assert (start / way).is_file()


def test_without_copies_links_lead_into_the_clone_and_without_a_clone_there_are_none(monkeypatch):
    assert Reader(progress_page()._repr_html_()).links == []
    monkeypatch.chdir(ROOT / "exercises")
    monkeypatch.setattr(copies, "find", lambda start: None)
    assert f"../notebooks/{LESSONS[0].file}" in Reader(progress_page()._repr_html_()).links


def test_a_guess_is_shown_as_text_and_not_at_any_length(capsys):
    progress.note_guess(0, "<img src=x onerror=alert(1)>&")
    progress.note_guess(1, "long " * 100)
    page = Reader(progress_page()._repr_html_())
    assert page.tags["img"] == 0
    assert "<img src=x onerror=alert(1)>&" in page.text
    assert max(map(len, str(progress_page()).splitlines())) < 120


def test_the_card_needs_no_script_and_can_be_read_with_the_keyboard():
    page = Reader(progress_page()._repr_html_())
    assert page.tags["script"] == page.tags["button"] == page.tags["img"] == 0
    assert page.tags["details"] == page.tags["summary"] == len(EXERCISES)
    assert page.tags["section"] == page.tags["ol"] == 1


def test_the_package_gives_the_page_and_stays_light():
    assert str(dl.course_progress()) == str(progress_page())
