"""Guesses on a page of their own, with no kernel and no network: noted, asked again, kept, and compared at the end."""

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab.widgets import Guess, NoiseScrubber

pytestmark = pytest.mark.browser

SIZES = {
    f"{scheme}-{width}": {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme, width in (("light", 1280), ("light", 640), ("dark", 390))
}


@pytest.fixture(scope="module")
def html(digits):
    player = NoiseScrubber(digits.images[:1], dl.DiffusionSchedule.linear(1000), plots=False)
    with_plots = NoiseScrubber(digits.images[:1], dl.DiffusionSchedule.linear(1000))
    time = Guess("01", "When is it lost?", player=player, button="I lose it here", words="t = {}")
    number = Guess("02", "How many?", low=0, high=1000)
    choice = Guess("03", "Which one?", options=["ddpm", "ddim"], player=with_plots)
    parts = {
        "time": time,
        "time-answer": time.answer(675, "It is lost before that."),
        "number": number,
        "choice": choice,
        "choice-answer": choice.answer("ddim"),
    }
    body = "".join(f'<section id="{name}">{part.to_html()}</section>' for name, part in parts.items())
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>guesses</title>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    style = "@media (prefers-color-scheme: dark) {body {background: #111; color: #ddd}}"
    return f"{head}<style>{style}</style><body><main><h1>guesses</h1>{body}"


@pytest.fixture
def shown(page, html, tmp_path):
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page.context.set_offline(True)
    page.goto((tmp_path / "page.html").as_uri())
    return page


def status(page, name):
    return page.locator(f"#{name} .dl-guess .dl-status").inner_text()


def yours(page, name):
    return page.locator(f"#{name} .dl-yours").inner_text()


def test_the_place_of_the_slider_is_noted_and_kept(shown):
    slider = shown.locator("#time input[type=range]")
    button = shown.locator("#time").get_by_role("button", name="I lose it here")
    assert (status(shown, "time"), yours(shown, "time-answer")[:8]) == ("", "none yet")
    slider.fill("430")
    assert status(shown, "time") == "", "nothing is noted before the button is pressed"
    button.click()
    assert (status(shown, "time"), yours(shown, "time-answer")) == ("Noted: t = 430", "t = 430")
    slider.fill("500")
    assert status(shown, "time") == "Noted: t = 430"
    button.press("Enter")
    assert yours(shown, "time-answer") == "t = 500"
    shown.reload()
    assert (status(shown, "time"), yours(shown, "time-answer")) == ("Noted: t = 500", "t = 500")
    assert shown.problems == []


def test_what_is_no_number_is_asked_again(shown):
    field, button = shown.locator("#number .dl-words"), shown.locator("#number .dl-note")
    field.fill("many")
    button.click()
    assert status(shown, "number") == "“many” is no number. Type a whole number from 0 to 1000."
    assert field.get_attribute("aria-invalid") == "true"
    assert field.evaluate("field => document.activeElement === field")
    field.fill("2000")
    field.press("Enter")
    assert "out of range" in status(shown, "number")
    field.fill("700")
    assert shown.locator("#number input[type=range]").input_value() == "700"
    field.press("Enter")
    assert (status(shown, "number"), field.get_attribute("aria-invalid")) == ("Noted: 700", "false")
    shown.locator("#number input[type=range]").press("ArrowRight")
    assert field.input_value() == "701"


def test_one_of_a_few_is_chosen(shown):
    button = shown.locator("#choice .dl-note")
    button.click()
    assert status(shown, "choice") == "Choose one first."
    shown.get_by_role("radio", name="ddim").check()
    button.click()
    assert (status(shown, "choice"), yours(shown, "choice-answer")) == ("Noted: ddim", "ddim")
    shown.reload()
    assert shown.get_by_role("radio", name="ddim").is_checked()


def test_where_nothing_may_be_kept_it_lives_as_long_as_the_page(shown):
    shown.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})")
    shown.reload()
    shown.locator("#time .dl-note").click()
    assert yours(shown, "time-answer") == "t = 0"
    assert shown.problems == []


def test_broken_data_are_told_where_the_question_would_be(page, html, tmp_path):
    broken = html.replace('{"key":"02"', '{"key"').replace('"kind":"player"', '"kind":"unheard of"')
    assert broken.count('"unheard of"') == 1
    (tmp_path / "page.html").write_text(broken, encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    assert "its data are missing or damaged" in page.locator("#number .dl-broken").inner_text()
    assert page.locator("#time .dl-broken").count() == 1
    assert page.locator("#choice .dl-note").is_visible()
    assert page.problems == []


@pytest.mark.parametrize("page", SIZES.values(), ids=SIZES, indirect=True)
def test_it_stands_beside_the_only_picture_or_below_and_can_be_read_by_all(shown):
    box = {
        name: shown.locator(selector).bounding_box()
        for name, selector in {
            "picture": "#time canvas",
            "guess": "#time .dl-guess",
            "buttons": "#time .dl-toolbar",
            "plots": "#choice .dl-panels",
            "below": "#choice .dl-guess",
        }.items()
    }
    assert box["picture"]["width"] >= 220
    beside = box["guess"]["x"] >= box["picture"]["x"] + box["picture"]["width"]
    assert beside == (shown.viewport_size["width"] >= 640)
    assert (box["buttons"]["x"] >= box["guess"]["x"] > 100) == beside, "the buttons of a small picture, too"
    assert box["below"]["y"] >= box["plots"]["y"] + box["plots"]["height"]
    assert shown.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    shown.locator("#number .dl-words").fill("many")
    shown.locator("#number .dl-note").click()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(shown, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:100]}" for one in found] == []


@pytest.mark.parametrize(("height", "side"), [(900, 336), (700, 224)])
def test_in_a_low_window_the_picture_of_a_first_screen_is_smaller(page, tmp_path, height, side):
    player = dl.widgets.Explorer({"t": [0, 1]}, lambda t: torch.full((1, 1, 28, 28), 0.5 * t), alt="grey")
    first = Guess("02", "How many?", options=["one", "two", "three"], player=player)
    (tmp_path / "page.html").write_text(f"<!doctype html>{first.to_html()}", encoding="utf-8")
    page.set_viewport_size({"width": 600, "height": height})
    page.goto((tmp_path / "page.html").as_uri())
    box = page.locator("canvas").bounding_box()
    assert (box["width"], box["height"]) == (side, side)


def test_an_answer_keeps_names_above_values_where_a_page_puts_them_beside(shown):
    shown.add_style_tag(content="main dl dt {float: left; width: 20%} main dl dd {float: left; width: 80%}")
    name, value = (shown.locator(f"#choice-answer {tag}").first.bounding_box() for tag in ("dt", "dd"))
    assert value["y"] >= name["y"] + name["height"] - 1
    assert abs(value["x"] - name["x"]) < 1
