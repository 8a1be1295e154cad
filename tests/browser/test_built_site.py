"""The built site in Chromium with no network: sliders move, in both themes, on a telephone and on a desk."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.browser

LESSONS = sorted((Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
PAGES = [
    "index",
    "README",
    "docs/setup",
    "docs/course_map",
    "docs/notation",
    "docs/instructors",
    "benchmarks/README",
    "search",
]
PAGES += [f"notebooks/{lesson.stem}" for lesson in LESSONS]
WAYS = {
    f"{scheme}-{name}": {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme in ("light", "dark")
    for name, width in (("narrow", 390), ("wide", 1280))
}
in_every_way = pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)


@pytest.fixture
def visit(page, site):
    """Opens a page of the site with the network off, once its formulas are set.

    Notes what it asks of others.
    """
    page.context.set_offline(True)
    asked = []
    page.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:", "blob:")) or asked.append(request.url),
    )

    def go(name: str, query: str = ""):
        page.goto((site / f"{name}.html").as_uri() + query)
        page.evaluate("() => window.MathJax?.startup?.promise")
        assert asked == []
        return page

    return go


def findings(page, inside_code: bool = False) -> list[str]:
    """Serious findings of axe.

    The colours of code are alike on all pages, and looking at each word takes a minute.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = None if inside_code else {"exclude": [[".highlight pre > span"], ["mjx-container > *"]]}
    found = axe.run(page, context=context, options={"resultTypes": ["violations"], "preload": False}).response
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in serious]


def lightness(page, selector: str, what: str) -> float:
    colour = page.locator(selector).first.evaluate("(node, what) => getComputedStyle(node)[what]", what)
    return sum(float(part) for part in colour.strip("rgba()").split(",")[:3]) / 3


@in_every_way
def test_a_slider_moves_the_picture(visit, pixels):
    page = visit("notebooks/01_forward_noising")
    player = page.locator(".dl-player").first
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


def check(page, inside_code: bool = False) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (
        "the page scrolls sideways"
    )
    assert (page.locator("mjx-container").count() > 0) == (page.locator(".math").count() > 0)
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert page.locator(".dl-player:not([data-ready])").count() == 0
    assert page.problems == []
    assert findings(page, inside_code) == []


@pytest.mark.parametrize("page", [WAYS["dark-narrow"]], ids=["dark-narrow"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_can_be_read_by_all(visit, name):
    check(visit(name), inside_code=name.endswith("00_start_here"))


@pytest.mark.parametrize("page", [WAYS["light-wide"]], ids=["light-wide"], indirect=True)
@pytest.mark.parametrize("name", ["index", "docs/notation", "notebooks/00_start_here"])
def test_pages_in_the_other_theme_and_width(visit, name):
    check(visit(name), inside_code=name.endswith("00_start_here"))


def test_findings_are_found(visit):
    page = visit("index")
    page.get_by_text("no GPU is needed").evaluate("node => node.style.color = '#eee'")
    assert any("color-contrast" in found for found in findings(page))


@pytest.mark.parametrize("page", [WAYS["light-wide"]], ids=["light"], indirect=True)
def test_a_player_follows_the_button_for_the_theme(visit, drawn):
    page = visit("notebooks/01_forward_noising")
    player, button = (
        page.locator(".dl-player").nth(1),  # with plots, which have colours of the page
        page.locator("button.theme-switch-button:visible").first,
    )
    by_theme = {}
    for wanted in ("dark", "light"):
        button.click()  # opens a menu or, in older versions of the theme, goes on to the next one
        item = page.locator(f"button[data-mode={wanted}]:visible")
        if item.count():
            assert findings(page) == []
            item.click()
        elif page.locator("html").get_attribute("data-theme") != wanted:
            button.click()
        page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=wanted)
        page.wait_for_function(
            "theme => document.querySelector('.dl-player').style.colorScheme === theme", arg=wanted
        )
        by_theme[wanted] = drawn(player)
        dark = wanted == "dark"
        assert (lightness(page, ".dl-player figcaption", "color") > 128) == dark
        assert (lightness(page, "body", "backgroundColor") < 128) == dark
    assert by_theme["light"] != by_theme["dark"]
    assert page.problems == []


def test_search_finds_a_word(visit):
    page = visit("search", "?q=cosine")
    page.wait_for_function("() => document.querySelectorAll('#search-results li').length > 1")
    results = page.locator("#search-results li").all_inner_texts()
    assert any("Noise schedules" in one for one in results)
    page = visit("search", "?q=xylophone")
    page.wait_for_function(
        "() => /did not match/.test(document.querySelector('#search-results').textContent)"
    )
