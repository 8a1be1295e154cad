"""The built site in Chromium with no network: sliders move, in both themes, on a telephone and on a desk."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.browser

LESSONS = sorted((Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
PAGES = ["index", "README", "docs/course_map", "docs/notation", "docs/instructors", "benchmarks/README", "search"]
PAGES += [f"notebooks/{lesson.stem}" for lesson in LESSONS]
WAYS = {
    f"{scheme}-{name}": {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme in ("light", "dark")
    for name, width in (("narrow", 390), ("wide", 1280))
}
in_every_way = pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)


@pytest.fixture
def visit(page, site):
    """Opens a page of the site with the network off, once its formulas are set; notes what it asks of others."""
    page.context.set_offline(True)
    asked = []
    page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or asked.append(request.url))

    def go(name: str, query: str = ""):
        page.goto((site / f"{name}.html").as_uri() + query)
        page.evaluate("() => window.MathJax?.startup?.promise")
        assert asked == []
        return page

    return go


def findings(page) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        f"{found['id']}: {found['nodes'][0]['html'][:120]}"
        for found in axe.run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def lightness(page, selector: str, what: str) -> float:
    colour = page.locator(selector).first.evaluate("(node, what) => getComputedStyle(node)[what]", what)
    return sum(float(part) for part in colour.strip("rgba()").split(",")[:3]) / 3


@in_every_way
def test_a_slider_moves_the_picture(visit, pixels):
    page = visit("notebooks/01_forward_noising")
    player = page.locator(".dl-player").nth(1)
    slider, canvas = player.locator("input[type=range]").first, player.locator("canvas").first
    slider.press("Home")
    clean = pixels(canvas)
    assert player.get_attribute("data-value") == "0"
    slider.press("End")
    assert player.get_attribute("data-value") == "1000"
    assert np.abs(pixels(canvas) - clean).mean() > 10
    slider.press("Home")
    np.testing.assert_array_equal(pixels(canvas), clean)
    assert page.problems == []


@pytest.mark.parametrize("page", [WAYS["light-narrow"], WAYS["dark-wide"]], ids=["narrow", "dark"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_can_be_read_by_all(visit, name):
    page = visit(name)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    formulas = page.locator("mjx-container").count()
    assert (formulas > 0) == (page.locator(".math").count() > 0)
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert page.locator(".dl-player:not([data-ready])").count() == 0
    assert page.problems == []
    assert findings(page) == []


@pytest.mark.parametrize("page", [WAYS["light-wide"]], ids=["light"], indirect=True)
def test_a_player_follows_the_button_for_the_theme(visit, drawn):
    page = visit("notebooks/01_forward_noising")
    player, button = page.locator(".dl-player").first, page.locator("button.theme-switch-button:visible").first
    by_theme = {}
    for _ in range(3):  # automatic, light, dark, in the order of the theme
        button.click()
        theme = page.evaluate("() => document.documentElement.dataset.theme")
        page.wait_for_timeout(100)
        by_theme[theme] = drawn(player)
        dark = theme == "dark"
        assert (lightness(page, ".dl-player figcaption", "color") > 128) == dark
        assert (lightness(page, "body", "backgroundColor") < 128) == dark
        assert player.evaluate("node => node.style.colorScheme") == theme
        assert findings(page) == []
    assert by_theme["light"] != by_theme["dark"]


def test_search_finds_a_word(visit):
    page = visit("search", "?q=cosine")
    page.wait_for_function("() => document.querySelectorAll('#search-results li').length > 1")
    results = page.locator("#search-results li").all_inner_texts()
    assert any("Noise schedules" in one for one in results)
    page = visit("search", "?q=xylophone")
    page.wait_for_function("() => /did not match/.test(document.querySelector('#search-results').textContent)")
