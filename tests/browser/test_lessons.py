"""Every lesson in JupyterLab in Chromium: run all cells, move the sliders by key and by hand, look at the pixels.

Skipped with one line where there is no Chromium (Debian: ``apt-get install chromium``).
"""

import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter

from tools.in_jupyterlab import NOTEBOOK, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOT_THE_GUESS = ":not(.dl-guess *)"  # a guess in its player has controls of its own: see test_guesses.py


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A JupyterLab with clean copies of the lessons; gives its address."""
    notebooks = {path.name: nbformat.read(path, as_version=4) for path in LESSONS}
    for notebook in notebooks.values():
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
    with jupyterlab(tmp_path_factory.mktemp("lab"), notebooks) as address:
        yield address


def neighbour_correlation(picture) -> float:
    """Near 1 for pictures, near 0 for noise; from inside the first picture, away from the gaps.

    Where a picture is enlarged, its own pixels count and not their copies.
    """
    corner = picture[:28, :28]
    scale = int(np.gcd.reduce(np.flatnonzero(np.diff(corner, axis=1).any(axis=0)) + 1)) or 1
    corner = picture[: 28 * scale : scale, : 28 * scale : scale]
    centred = corner - corner.mean()
    return float((centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum())


@pytest.fixture(scope="session")
def check_player(pixels, drawn, drag):
    """Moves one player by keys and by dragging, and looks at its panels."""

    def check_slider(player, slider, is_film: bool) -> None:
        slider.focus()
        slider.press("Home")
        at_first, text = drawn(player), slider.get_attribute("aria-valuetext")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != text
        assert not is_film or drawn(player) != at_first
        assert slider.evaluate("slider => document.activeElement === slider")
        slider.press("End")
        at_last, last = drawn(player), int(slider.get_attribute("max"))
        assert at_last != at_first
        drag(slider, 0.99, 0.5)
        assert last == 1 or drawn(player) != at_last
        only_some = any(
            player.locator(".dl-status").all_inner_texts()
        )  # places, as there is no kernel to draw others
        assert only_some or abs(int(slider.input_value()) - last / 2) <= max(1, 0.1 * last)

    def check_buttons(player, group) -> None:
        buttons = group.locator("input[type=radio]").all()
        buttons[0].check()
        at_first, where = drawn(player), player.get_attribute("data-value")
        buttons[0].press("ArrowRight")
        assert buttons[1].is_checked()
        assert player.get_attribute("data-value") != where
        buttons[-1].check()
        assert drawn(player) != at_first

    def check_ends(player, clean_key: str) -> None:
        """The film goes from pictures to noise or back: pixels hang together at one end only."""
        slider, canvas = player.locator("input[type=range]").first, player.locator("canvas").first
        slider.press(clean_key)
        assert neighbour_correlation(pixels(canvas)) > 0.7
        slider.press({"Home": "End", "End": "Home"}[clean_key])
        assert abs(neighbour_correlation(pixels(canvas))) < 0.15

    def check_canvas(player, canvas) -> None:
        """One that follows the hand: a sheet, or a plane with a point in it."""
        before = drawn(player)
        canvas.click(position={"x": 60, "y": 70})
        assert drawn(player) != before

    def check(player) -> None:
        player.scroll_into_view_if_needed()
        sliders = player.locator(f"input[type=range]{NOT_THE_GUESS}").all()
        label = player.locator("label").first.inner_text()
        for index, slider in enumerate(sliders):
            check_slider(player, slider, is_film=index == 0)
        for group in player.locator(f"[role=radiogroup]{NOT_THE_GUESS}").all():
            check_buttons(player, group)
        for canvas in player.locator("canvas.dl-grab").all():
            check_canvas(player, canvas)
        clean_key = {"time t": "Home", "step": "End"}.get(label)
        if (
            clean_key
            and len(sliders) == 1
            and player.locator("canvas").first.get_attribute("class") == "dl-pixels"
        ):
            check_ends(player, clean_key)

    return check


def players(page, root: str):
    found = page.locator(f"{root} .dl-player")
    assert found.count() >= 1
    return found.all()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_in_jupyterlab(path, lab, page, check_player):
    open_notebook(page, lab, path.name)
    run_all(page)
    for player in players(page, NOTEBOOK):
        check_player(player)
    if folder := os.environ.get("DIFFUSION_LAB_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{path.stem}.png")
    assert page.problems == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_as_a_page_with_no_kernel_and_no_network(path, page, check_player, tmp_path):
    html, _ = HTMLExporter().from_filename(str(path))
    (tmp_path / f"{path.stem}.html").write_text(html, encoding="utf-8")
    page.context.set_offline(True)
    page.goto((tmp_path / f"{path.stem}.html").as_uri(), wait_until="domcontentloaded")
    for player in players(page, "body"):
        check_player(player)
