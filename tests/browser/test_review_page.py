"""The page for points by hand, in Chromium: the keyboard is enough, and nothing of a student's runs."""

import asyncio
import csv
import json
import threading
import urllib.error
import urllib.request

import pytest

from diffusion_lab.grading.ledger import Ledger, Mark
from diffusion_lab.grading.reporting import Reporting
from diffusion_lab.grading.review.items import Gradebook
from diffusion_lab.grading.review.server import Server
from diffusion_lab.grading.rows import Row, TaskGrade

pytestmark = pytest.mark.browser

WAYS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
HOSTILE = (
    "</pre><script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">" + "x" * 300
)
TASKS = [
    {"number": "1.4", "title": "A <b>check</b>", "max": 2, "section": "", "hint": ""},
    {"number": "1.5", "title": "Why does it work?", "max": 0, "section": "", "hint": ""},
]
RUN = {
    "keys": {"01": {"sha256": "0", "points": 2, "tasks": TASKS}},
    "isolation": {"level": "none", "reason": "a test"},
}


def row(number: int) -> Row:
    tasks = [TaskGrade("1.4", 2, 2, "passed")._asdict(), TaskGrade("1.5", 0, 0, "unread")._asdict()]
    texts = {"1.5": f"because {number} {HOSTILE}"}
    return Row(f"student {number:02}", "01", "graded", 2, tasks, asked="01", texts=texts)


@pytest.fixture
def server(tmp_path):
    Reporting().write(tmp_path, [row(number) for number in range(20)], RUN)
    made, loop = Server(Gradebook(tmp_path)), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(stop)))
    thread.start()
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_twenty_sentences_by_keyboard_alone(page, server, tmp_path):
    page.goto(server.address)
    for number in range(20):
        page.wait_for_function(
            f"() => document.activeElement.id === 'points' && "
            f"document.getElementById('student').textContent.includes('student {number:02}')"
        )
        page.keyboard.type(str(number % 3))
        page.keyboard.press("Tab")
        page.keyboard.type(f"read {number}")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
    page.get_by_text("20 of 20, 0 without points").wait_for()
    with open(tmp_path / "manual.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["student"], line["points"], line["comment"]) for line in lines] == [
        (f"student {number:02}", str(number % 3), f"read {number}") for number in range(20)
    ]
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 20
    written, _ = Reporting().write(tmp_path, [row(number) for number in range(20)], RUN)
    assert [one.points for one in written] == [2 + number % 3 for number in range(20)]
    assert page.problems == []


@pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)
def test_page_fits_can_be_read_by_all_and_runs_nothing_of_a_student(page, server):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.goto(server.address)
    page.get_by_text("1 of 20").wait_for()
    assert page.title() == "Review"
    assert page.locator("#answer").text_content() == "because 0 " + HOSTILE
    assert page.locator("#answer *").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found] == []
    assert page.problems == []


def test_change_of_another_reviewer_is_shown_and_not_overwritten(page, server, tmp_path):
    page.goto(server.address)
    page.get_by_text("1 of 20").wait_for()
    Ledger(tmp_path).change("student 00", "01", "1.5", Mark(1.0), why="review")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.get_by_text("somebody else has changed this mark").wait_for()
    assert page.locator("#points").input_value() == "1"
    assert Ledger(tmp_path).marks()[("student 00", "01", "1.5")].points == 1


@pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}])
def test_without_the_token_or_under_another_name_nothing_is_shown(server, headers):
    address = server.address if headers else f"http://127.0.0.1:{server.port}/items"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(address, headers=headers))
    assert caught.value.code == 403
    assert b"because" not in caught.value.read()


@pytest.mark.parametrize(
    "change", [{"student": "nobody"}, {"mark": {"points": -1, "max": None, "comment": ""}}, {"before": 3}]
)
def test_what_is_no_mark_changes_nothing(server, tmp_path, change):
    empty = {"points": None, "max": None, "comment": ""}
    sent = {
        "student": "student 00",
        "exercise": "01",
        "task": "1.5",
        "mark": empty | {"points": 1},
        "before": empty,
    }
    headers = {"Content-Type": "application/json", "Cookie": f"{server.cookie}={server.token}"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/mark", json.dumps(sent | change).encode(), headers
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert not (tmp_path / "manual.csv").exists()
