"""The card of progress in Chromium: light and dark, on a phone, with the keyboard, and for axe."""

import pytest

from diffusion_lab import progress
from diffusion_lab.progress_page import progress_page

pytestmark = pytest.mark.browser
WIDTHS = (1000, 390)
THEMES = {"light": ("#ffffff", "#1a1a1a"), "dark": ("#111111", "#e6e6e6")}


@pytest.fixture
def card(monkeypatch, tmp_path) -> str:
    """The card of somebody who has solved a task, erred in another, and guesses at length."""
    monkeypatch.setenv(progress.SWITCH, str(tmp_path / "a folder with a long name" / "progress.json"))
    progress.note_guess(1, "somewhere between two hundred and a thousand")
    progress.note_task("1.1", "solved", 1)
    progress.note_task("1.2", "wrong: variance-as-std", 2)
    return progress_page()._repr_html_()


def show(page, card: str, theme: str, width: int) -> None:
    paper, ink = THEMES[theme]
    page.set_viewport_size({"width": width, "height": 900})
    head = f"<title>card</title><style>body {{ background: {paper}; color: {ink} }} a {{ color: inherit }}</style>"
    page.set_content(
        f'<!doctype html><html lang="en"><head>{head}</head><body><main><h1>A notebook</h1>{card}</main></body></html>'
    )


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(page, card, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    show(page, card, theme, width)
    for summary in page.locator("summary").all():
        summary.click()
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.problems == []


def test_a_row_has_columns_where_there_is_room_and_lines_where_there_is_none(page, card):
    tops = {}
    for width in WIDTHS:
        show(page, card, "light", width)
        row = page.locator(".dl-rows > li").nth(1)
        boxes = [row.locator(part).bounding_box() for part in (".dl-lesson", "details")]
        tops[width] = boxes[1]["y"] - boxes[0]["y"]
    assert abs(tops[1000]) < 5 < 30 < tops[390]


def test_the_tasks_open_with_the_keyboard(page, card):
    show(page, card, "light", 1000)
    task = page.get_by_text("1.2 wrong (variance-as-std): one step, each picture at its own t")
    assert not task.is_visible()
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert task.is_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
