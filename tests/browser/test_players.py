"""Players with several sliders on a page of their own: moved by keys, by hand and by the play button."""

import io
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffusion_lab as dl
from diffusion_lab.widgets import (
    DrawingBoard,
    Explorer,
    FieldExplorer,
    GuidanceExplorer,
    NoiseScrubber,
    PointScrubber,
    PromptBox,
    ScheduleExplorer,
    TrainingScrubber,
    TrajectoryScrubber,
)

pytestmark = pytest.mark.browser

STEPS, ETAS = [2, 5, 10, 20, 50], [0.0, 0.25, 0.5, 0.75, 1.0]
BLOCKS = ["down", "middle", "up"]
MIXTURE = dl.oracle.GaussianMixture(
    [0.4, 0.4, 0.2],
    [[1, 1], [-1.2, 0.5], [0, -1.5]],
    [[[0.05, 0.02], [0.02, 0.1]], [[0.1, 0], [0, 0.1]], [[0.2, 0], [0, 0.05]]],
)
SCHEDULE = dl.DiffusionSchedule.linear(1000)
THEMES = {"light": ("#fff", "#222"), "dark": ("#111", "#ddd")}


def shade(steps, eta):
    """Two pictures; the shade of the first tells the steps, that of the second eta."""
    shades = torch.tensor([STEPS.index(steps) / 4, eta]) * 2 - 1
    return shades[:, None, None, None].expand(2, 1, 8, 8)


@pytest.fixture(scope="module")
def made(digits):
    generator = torch.Generator().manual_seed(0)
    two = Explorer(
        {"steps": STEPS, "eta": ETAS},
        lambda steps, eta: {"drawn": shade(steps, eta), "sum": f"{steps + eta:g}"},
        alt="two greys",
        start={"eta": 0.5},
    )
    names = Explorer(
        {"block": BLOCKS, "time t": [0, 1]},
        lambda block, t: {"maps": torch.full((1 + BLOCKS.index(block), 1, 4, 4), float(t))},
        alt="feature maps",
        columns=2,
    )
    figure, (axes,) = dl.figures.new_figure(width=3.0, height=2.0)
    axes.plot([0, 1], [0, 1])
    line = dl.figures.Picture(figure, "a line")
    plot = Explorer({"k": [0, 1]}, {0: line, 1: torch.zeros(1, 3, 220, 330)}, alt="a line or grey")
    schedules = ScheduleExplorer(digits.images[:1], generator=generator)
    field = FieldExplorer(MIXTURE, SCHEDULE, marked=([1.1, 0.3], [-0.9, -0.2]), generator=generator)
    sheet = DrawingBoard(digits.images[:1], SCHEDULE, generator=generator)
    answered = DrawingBoard(
        digits.images[:1], SCHEDULE, lambda x_0, t: {"turned": x_0.flip(2), "t": t}, times=[0, 500]
    )
    noise = NoiseScrubber(digits.images[:8], SCHEDULE, start=300, generator=generator)
    points = PointScrubber(dl.data.toy("moons", 200, generator=generator), SCHEDULE, generator=generator)
    training = TrainingScrubber({1: flat(0), 5: flat(0.5), 100: flat(1)}, curves={"loss": [0.5, 0.2, 0.1]})
    some = GuidanceExplorer({0: flat(-0.5), 2: flat(0.5)}, draw=flat, scales=[0.5, 1, 1.5])
    parts = {"field": field, "sheet": sheet, "answered": answered, "some": some}
    parts |= {"noise": noise, "points": points, "training": training}
    one = digits.images[:1]
    choices = NoiseScrubber(
        {"as it is": one, "upside down": one.flip(2)}, SCHEDULE, seeds=3, plots=False, generator=generator
    )
    words = PromptBox(
        ["a red seven", "a blue two"], lambda text: flat(len(text) / 20), alt="two greys", shades=256
    )
    trajectory = TrajectoryScrubber(
        *walked(0), timesteps=9, choices={"seed": range(3)}, start={"seed": 0}, sample=walked
    )
    parts |= {"choices": choices, "words": words, "trajectory": trajectory}
    return {"two": two, "names": names, "plot": plot, "schedules": schedules, **parts}


def walked(seed):
    return flat(-1), [dl.State(5, flat(seed / 2), flat(0)), dl.State(0, flat(1), flat(1))]


def flat(value):
    return torch.full((1, 1, 8, 8), float(value))


@pytest.fixture
def shown(made, page, tmp_path, request):
    """The page, with one locator per player; as wide as JupyterLab leaves it, or as a telephone is."""
    theme = (
        request.node.callspec.params.get("theme", "light") if hasattr(request.node, "callspec") else "light"
    )
    back, ink = THEMES[theme]
    page.emulate_media(color_scheme=theme)
    style = f"background: {back}; color: {ink}; max-width: 900px; margin: 16px"
    open_page(page, tmp_path / "page.html", {name: player.to_html() for name, player in made.items()}, style)
    return {name: page.locator(f"#{name} .dl-player") for name in made}


def open_page(page, file, fragments, style=""):
    """A page with a section for each fragment, opened with the network off."""
    body = "".join(f'<section id="{name}">{fragment}</section>' for name, fragment in fragments.items())
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>players</title>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    file.write_text(f'{head}<body style="{style}"><main><h1>players</h1>{body}', encoding="utf-8")
    page.context.set_offline(True)
    page.goto(file.as_uri())


def sliders(player):
    return player.locator("input[type=range]").all()


def bold(player):
    return player.locator(".dl-readouts b").all_inner_texts()


def greys(picture):
    """The shades of two pictures of 8 by 8, side by side, 2 apart; opacity counts as a fourth colour."""
    assert picture.shape == (8, 18)
    assert picture[4, 8] == 0  # the gap is clear
    return [(4 * float(picture[4, x]) - 255) / 3 for x in (4, 14)]


def check(player, pixels, steps, eta):
    assert player.get_attribute("data-value") == f"{STEPS[steps]}, {ETAS[eta]:g}"
    wanted = [steps / 4 * 255, ETAS[eta] * 255]
    assert greys(pixels(player.locator("canvas"))) == pytest.approx(wanted, abs=3)
    assert bold(player) == [f"{STEPS[steps] + ETAS[eta]:g}"]
    assert player.locator(".dl-value").all_inner_texts() == [str(STEPS[steps]), f"{ETAS[eta]:g}"]


def test_two_sliders_by_key_and_by_drag(shown, page, pixels, drag):
    player = shown["two"]
    first, second = sliders(player)
    check(player, pixels, 0, 2)
    assert player.locator("img").count() == 0
    first.press("ArrowRight")
    check(player, pixels, 1, 2)
    second.press("End")
    check(player, pixels, 1, 4)
    first.press("End")
    check(player, pixels, 4, 4)
    drag(second, 0.99, 0.25)
    check(player, pixels, 4, 1)
    drag(first, 0.99, 0.5)
    check(player, pixels, 2, 1)
    assert first.get_attribute("aria-valuetext") == "steps 10, sum 10.25"
    assert second.get_attribute("aria-valuetext") == "eta 0.25, sum 10.25"
    assert "steps 10, eta 0.25" in player.locator("canvas").get_attribute("aria-label")
    assert page.problems == []


def test_every_control_has_a_name_and_keeps_its_keys_in_jupyterlab(shown, page):
    for player in shown.values():
        for control in player.locator("input, button").all():
            assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
        for name in player.locator(".dl-bar > label, .dl-bar > span[id]").all_inner_texts():
            found = player.get_by_label(name, exact=True)
            assert found.count() == 1
    assert page.problems == []


def test_play_moves_the_first_slider_only_and_stops_at_the_end(shown, page, pixels):
    player = shown["two"]
    play, steps = player.locator("button.dl-play"), []
    assert play.get_attribute("aria-label") == "play"
    play.click()
    assert play.get_attribute("aria-label") == "pause"
    until = time.monotonic() + 20
    while play.get_attribute("aria-label") == "pause" and time.monotonic() < until:
        steps.append(player.get_attribute("data-value"))
        page.wait_for_timeout(50)
    seen = list(dict.fromkeys([*steps, player.get_attribute("data-value")]))
    assert seen == [f"{n}, 0.5" for n in STEPS]
    check(player, pixels, 4, 2)
    play.click()  # again from the beginning
    check(player, pixels, 0, 2)
    play.click()
    assert play.get_attribute("aria-label") == "play"
    assert page.problems == []


def test_names_are_buttons(shown, page, pixels):
    player = shown["names"]
    canvas, buttons = player.locator("canvas"), player.locator("input[type=radio]").all()
    assert player.get_by_role("radiogroup", name="block").count() == 1
    assert [b.evaluate("b => b.parentNode.textContent") for b in buttons] == BLOCKS

    def count():  # of pictures on the canvas, two in a row
        picture = pixels(canvas)
        assert picture.shape == (10, 10)
        return sum(picture[y, x] > 0 for y in (1, 7) for x in (1, 7))

    assert count() == 1
    player.get_by_role("radio", name="up").click()
    assert (count(), player.get_attribute("data-value")) == (3, "up, 0")
    buttons[2].press("ArrowLeft")
    assert (count(), player.get_attribute("data-value")) == (2, "middle, 0")
    before = pixels(canvas)
    sliders(player)[0].press("ArrowRight")
    assert np.abs(pixels(canvas) - before).max() > 50
    player.locator("button.dl-play").click()
    page.wait_for_function("() => document.querySelector('#names .dl-player').dataset.value === 'up, 1'")
    assert buttons[2].is_checked()
    assert page.problems == []


def test_figures_are_shown_as_they_are(shown, page, pixels):
    player = shown["plot"]
    line = pixels(player.locator("canvas"))
    assert line.shape == (220, 330)
    assert line[3, 320] == 255
    assert line.min() < 130
    sliders(player)[0].press("End")
    assert np.ptp(pixels(player.locator("canvas"))) < 3
    assert page.problems == []


def noised(digits, curve, T, t, generator):
    noise = torch.randn(1, 1, 28, 28, generator=generator)
    return dl.DiffusionSchedule.named(curve, T, rescale=False).add_noise(digits.images[:1], t, noise)[0, 0]


@pytest.mark.parametrize("theme", list(THEMES))
def test_schedule_explorer(theme, shown, page, pixels, drag, digits, generator):
    player = shown["schedules"]
    position, length = sliders(player)
    picture, curves, meter = player.locator("canvas").all()

    def check_picture(curve, T, t):
        generator.manual_seed(0)
        x_t = noised(digits, curve, T, t, generator).clamp(-1, 1).numpy()
        got = (4 * pixels(picture) - 255) / 3 / 127.5 - 1
        assert np.abs(got - x_t).max() < 0.02
        snr = dl.DiffusionSchedule.named(curve, T, rescale=False).snr()
        assert bold(player)[0] == f"{t} of {T}"
        assert float(bold(player)[2].replace("∞", "inf")) == pytest.approx(snr[t].item(), rel=0.01)

    check_picture("linear", 1000, 0)
    position.press("End")
    check_picture("linear", 1000, 1000)
    full, line = pixels(meter), pixels(curves)
    drag(length, 0.99, 0.01)
    check_picture("linear", 10, 10)
    assert np.abs(pixels(meter) - full).max() > 20
    assert np.abs(pixels(curves) - line).max() > 20
    drag(position, 0.99, 0.5)
    player.get_by_role("radio", name="cosine").click()
    at = int(position.input_value())
    assert abs(at - 25) <= 1
    check_picture("cosine", 10, round(at / 50 * 10))
    length.press("ArrowRight")
    check_picture("cosine", 50, at)
    assert player.locator(".dl-chosen").all_inner_texts()[0].endswith("cosine")
    player.locator("button.dl-play").click()
    page.wait_for_function(
        "() => document.querySelector('#schedules .dl-player').dataset.value === '1.00, cosine, 50'"
    )
    check_picture("cosine", 50, 50)
    if folder := os.environ.get("DIFFUSION_LAB_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"players_{theme}.png", full_page=True)
    assert page.problems == []


@pytest.mark.parametrize("theme", list(THEMES))
def test_axe_finds_nothing(theme, shown, page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.wait_for_function("() => !document.querySelector('canvas[aria-busy=true]')")
    found = axe.Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:150]) for violation in found] == []
    page.locator(
        "#answered button", has_text="clear"
    ).click()  # the line that says what a page alone cannot do
    found = axe.Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:150]) for violation in found] == []


def test_axe_would_find_a_slider_without_a_name(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><input type="range"></main>')
    assert [violation["id"] for violation in axe.Axe().run(page).response["violations"]] == ["label"]


FACTS = """player => {
    const { marked, best, facts } = player.dlPlayer.shared;
    return [marked, best, facts.chances]; }"""


@pytest.mark.parametrize("t", [1, 50, 500, 1000])
def test_the_field_is_that_of_the_exact_denoiser(t, shown, page):
    player = shown["field"]
    sliders(player)[0].fill(str(t))
    marked, best, chances = player.evaluate(FACTS)
    x_t = SCHEDULE.add_noise(torch.tensor([[1.1, 0.3]]), t, torch.tensor([[-0.9, -0.2]]))
    assert marked == pytest.approx(x_t[0].tolist(), abs=1e-3)
    x_t = torch.tensor([marked], dtype=torch.float64)
    assert best == pytest.approx(MIXTURE.denoiser(SCHEDULE)(x_t, t)[0].tolist(), abs=2e-3)
    wanted = MIXTURE.mode_probabilities(x_t, t, SCHEDULE)[0]
    shares = [float(share.strip(" %")) / 100 for share in chances.split(",")]
    assert shares == pytest.approx(wanted.tolist(), abs=0.006)
    assert bold(player) == [chances]


def test_the_marked_point_follows_the_hand_and_the_arrow_keys(shown, page, pixels):
    player = shown["field"]
    field, candidates = player.locator("canvas").all()
    before = pixels(field), pixels(candidates)
    box = (
        field.bounding_box()
    )  # the plane stands 26 pixels from the left and 7 from above, 7 and 19 from the other sides
    side = box["width"] - 26 - 7
    assert side == pytest.approx(box["height"] - 7 - 19, abs=1)
    field.click(position={"x": 26 + side / 4, "y": 7 + side * 3 / 4})
    marked, _, _ = player.evaluate(FACTS)
    assert marked == pytest.approx([-1.5, -1.5], abs=0.05)
    assert np.abs(pixels(field) - before[0]).max() > 50
    assert np.abs(pixels(candidates) - before[1]).max() > 50
    sliders(player)[0].press("ArrowRight")
    assert player.evaluate(FACTS)[0] == marked  # it stays where it was put
    field.press("ArrowRight")
    field.press("ArrowUp")
    right, up = player.evaluate(FACTS)[0]
    assert right > marked[0]
    assert up > marked[1]
    assert page.problems == []


def test_a_drawing_is_noised_with_no_kernel_and_its_answer_is_missed(shown, page, pixels):
    player = shown["answered"]
    sheet, noised, answer = player.locator("canvas").all()
    first, answered = pixels(noised), pixels(answer)
    assert np.abs(answered[::-1] - first).max() <= 16
    status = player.locator(".dl-status")
    assert status.inner_text() == ""
    player.get_by_role("button", name="clear").click()
    assert np.ptp(pixels(noised)) == 0
    assert "run this cell" in status.inner_text()
    assert bold(player) == ["…"]
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 180, steps=5)
    page.mouse.up()
    stroke = pixels(noised)
    assert (stroke > 200).sum() >= 15
    player.get_by_role("button", name="example").click()
    assert np.abs(pixels(noised) - first).max() == 0
    assert np.abs(pixels(answer) - answered).max() == 0
    assert bold(player) == ["0"]
    sliders(player)[0].press("End")
    assert bold(player) == ["500"]
    assert np.abs(pixels(noised) - first).max() > 50
    assert page.problems == []


def test_a_finger_draws(shown, page, pixels):
    player = shown["sheet"]
    sheet, noised = player.locator("canvas").all()
    player.get_by_role("button", name="clear").click()
    touch = {"pointerId": 5, "pointerType": "touch", "bubbles": True, "isPrimary": True}
    box = sheet.bounding_box()
    sheet.evaluate("sheet => { sheet.setPointerCapture = () => {}; }")  # a made-up pointer cannot be captured
    for kind, share in (("pointerdown", 0.2), ("pointermove", 0.8), ("pointerup", 0.8)):
        sheet.dispatch_event(
            kind, touch | {"clientX": box["x"] + share * box["width"], "clientY": box["y"] + 100}
        )
    assert (pixels(noised) > 200).sum() >= 15
    assert sheet.evaluate("sheet => getComputedStyle(sheet).touchAction") == "none"


def test_with_no_kernel_the_slider_goes_to_what_was_drawn_ahead(shown, page, pixels, drag):
    player = shown["some"]
    (slider,), canvas = sliders(player), player.locator("canvas")
    assert "Run the cell" in player.locator(".dl-status").inner_text()
    slider.press("ArrowRight")
    assert (player.get_attribute("data-value"), slider.input_value()) == ("2", "4")
    assert (4 * pixels(canvas)[2, 2] - 255) / 3 == pytest.approx(191, abs=3)
    slider.press("ArrowLeft")
    assert player.get_attribute("data-value") == "0"
    drag(slider, 0.01, 0.4)
    assert player.get_attribute("data-value") == "0"
    drag(slider, 0.01, 0.7)
    assert player.get_attribute("data-value") == "2"
    slider.press("Home")
    player.locator("button.dl-play").click()
    page.wait_for_function("() => document.querySelector('#some .dl-player').dataset.value === '2'")
    assert page.problems == []


# ---- buttons and keys ----


def press(player, name):
    player.get_by_role("button", name=name, exact=True).click()


def test_steps_reset_and_their_keys(shown, page, pixels):
    player = shown["two"]
    _, second = sliders(player)
    press(player, "one step on")
    press(player, "one step on")
    check(player, pixels, 2, 2)
    press(player, "one step back")
    check(player, pixels, 1, 2)
    second.press("End")
    press(player, "back to the start")
    check(player, pixels, 0, 2)
    press(player, "one step back")
    check(player, pixels, 0, 2)
    for key in (".", ".", ".", ","):
        second.press(key)  # keys move the first slider, whatever has the focus
    check(player, pixels, 2, 2)
    player.get_by_role("button", name="play", exact=True).press("R")
    check(player, pixels, 0, 2)
    shown["some"].get_by_role("button", name="one step on").click()  # to the next that was drawn beforehand
    assert shown["some"].get_attribute("data-value") == "2"
    assert page.problems == []


def test_reset_takes_the_marked_point_back(shown, page):
    player = shown["field"]
    before = player.evaluate(FACTS)
    player.locator("canvas").first.click(position={"x": 60, "y": 60})
    assert player.evaluate(FACTS)[0] != before[0]
    press(player, "back to the start")
    assert player.evaluate(FACTS) == before


def test_a_loop_begins_again_until_it_is_paused(shown, page):
    player = shown["two"]
    loop, play = player.get_by_role("button", name="play again at the end"), player.locator("button.dl-play")
    assert loop.get_attribute("aria-pressed") == "false"
    sliders(player)[0].press("l")
    assert loop.get_attribute("aria-pressed") == "true"
    press(player, "speed 1 ×")
    press(player, "speed 2 ×")
    sliders(player)[0].press("End")
    play.click()
    page.wait_for_function("() => document.querySelector('#two .dl-player').dataset.value === '50, 0.5'")
    page.wait_for_function("() => document.querySelector('#two .dl-player').dataset.value === '2, 0.5'")
    assert play.get_attribute("aria-label") == "pause"
    sliders(player)[1].press(" ")  # the space bar, wherever it is not needed
    assert play.get_attribute("aria-label") == "play"
    assert page.problems == []


def test_the_speed_is_how_fast_it_plays(shown, page):
    player, seconds = shown["two"], {}
    for speed in (1, 2, 4):
        if speed != 2:
            player.locator("button.dl-play").click()
            begin = time.monotonic()
            page.wait_for_function("() => document.querySelector('#two .dl-play').ariaLabel === 'play'")
            seconds[speed] = time.monotonic() - begin
        press(player, f"speed {speed} ×")
    assert seconds[1] > 2.5 * seconds[4]
    assert player.get_by_role("button", name="speed 0.5 ×").count() == 1
    assert shown["names"].get_by_role("button", name="speed 1 ×").count() == 1  # each player has its own


def test_a_question_mark_shows_the_keys_and_escape_hides_them(shown, page):
    player = shown["field"]
    keys, button = player.locator(".dl-help"), player.get_by_role("button", name="keys", exact=True)
    assert not keys.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    sliders(player)[0].press("?")
    assert keys.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    assert button.get_attribute("aria-controls") == keys.get_attribute("id")
    for text in ("play and pause", "one step back", "save what is shown", "arrow keys move the large dot"):
        assert text in keys.inner_text()
    sliders(player)[0].press("Escape")
    assert not keys.is_visible()
    button.click()
    assert keys.is_visible()
    assert not shown["two"].locator(".dl-help").is_visible()
    assert page.problems == []


def test_keys_that_are_typed_or_drawn_with_are_left_alone(shown, page):
    page.evaluate("() => { window.heard = []; addEventListener('keydown', (e) => heard.push(e.key)) }")
    slider = sliders(shown["noise"])[0]
    slider.press("Control+s")
    slider.press("x")
    slider.press("s")  # saves
    assert page.evaluate("() => heard.filter((key) => key.length === 1)") == ["s", "x"]
    sheet = shown["sheet"].locator("canvas").first
    sheet.focus()
    sheet.press(" ")  # puts the pen down
    assert shown["sheet"].locator("button.dl-play").get_attribute("aria-label") == "play"


def test_what_is_shown_is_saved_as_a_png(shown, page, pixels):
    player = shown["noise"]
    with page.expect_download() as download:
        press(player, "save as PNG")
    assert download.value.suggested_filename == "time-t-300.png"
    saved = Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("RGB")
    row = player.locator(".dl-panels").bounding_box()
    assert saved.width == pytest.approx(2 * (row["width"] + 24), abs=4)
    grey = np.array(saved.convert("L"), np.float32)
    assert grey[:20].min() > 250  # a margin, in the page's white
    assert grey[20:100].min() < 100  # two lines of text: where the slider stands, and the read-outs
    # then the digits: a pixel of theirs is three of the page's, and six here
    digits = pixels(player.locator("canvas").first)
    height, width = digits.shape
    found = grey[104 : 104 + 6 * height, 24 : 24 + 6 * width][3::6, 3::6]
    opaque = digits >= 63  # not the gaps; opacity counts as a fourth colour
    assert np.abs(found - (4 * digits - 255) / 3)[opaque].max() <= 2
    assert player.locator(".dl-news").inner_text() == "saved as time-t-300.png"
    assert page.problems == []


# ---- to compare ----


def test_what_is_pinned_stays_beside_what_moves_with_its_words(shown, page, pixels):
    player = shown["two"]
    live = player.locator("figure:not(.dl-pinned) canvas")
    before = pixels(live)
    press(player, "pin, to compare")
    sliders(player)[0].press("End")
    pinned = player.locator(".dl-pinned")
    assert pinned.locator("figcaption").inner_text() == "pinned: steps 2, eta 0.5; sum 2.5"
    assert pinned.locator("canvas").get_attribute("aria-label") == "pinned: steps 2, eta 0.5; sum 2.5"
    np.testing.assert_array_equal(pixels(pinned.locator("canvas")), before)
    assert greys(pixels(live)) == pytest.approx([255, 127.5], abs=3)
    assert player.get_by_role("button", name="unpin").get_attribute("aria-pressed") == "true"
    sliders(player)[0].press("p")
    assert pinned.count() == 0
    assert player.get_by_role("button", name="pin, to compare").get_attribute("aria-pressed") == "false"
    assert page.problems == []


@pytest.mark.parametrize(("name", "is_beside"), [("choices", True), ("two", False)])
def test_what_is_pinned_stands_beside_the_picture_or_below_one_that_fills_the_row(name, is_beside, shown):
    press(shown[name], "pin, to compare")
    live, pinned = (figure.bounding_box() for figure in shown[name].locator("figure").all())
    assert pinned["width"] == live["width"]
    if is_beside:
        assert pinned["y"] == live["y"]
        assert pinned["x"] >= live["x"] + live["width"]
    else:
        assert pinned["y"] >= live["y"] + live["height"]


def test_pictures_are_pinned_and_plots_are_not_and_both_are_saved(shown, page):
    player = shown["noise"]
    with page.expect_download() as alone:
        press(player, "save as PNG")
    sliders(player)[0].press("p")
    assert player.locator(".dl-pinned").count() == 1  # of three panels
    with page.expect_download() as both:
        press(player, "save as PNG")
    sizes = [Image.open(Path(download.value.path())).size for download in (alone, both)]
    assert sizes[1][0] > sizes[0][0] or sizes[1][1] > sizes[0][1]
    sheet = shown["sheet"]
    press(sheet, "pin, to compare")
    assert sheet.locator(".dl-pinned").count() == 1  # of what was drawn, not of the sheet
    assert page.problems == []


@pytest.mark.parametrize("theme", list(THEMES))
def test_axe_finds_nothing_in_what_is_pinned(theme, shown, page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for name in ("two", "field", "schedules"):
        press(shown[name], "pin, to compare")
    found = axe.Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:150]) for violation in found] == []


def test_digit_and_seed_are_chosen(shown, page, pixels):
    player = shown["choices"]
    canvas, (t, seed) = player.locator("canvas"), sliders(player)
    upright = pixels(canvas)
    player.get_by_role("radio", name="upside down").click()
    np.testing.assert_array_equal(pixels(canvas), upright[::-1])
    t.press("End")
    first = pixels(canvas)
    seed.press("ArrowRight")
    second = pixels(canvas)
    assert np.abs(first - second).mean() > 20
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(1, 1, 28, 28, generator=generator)[0, 0].clamp(-1, 1).numpy()
    assert np.abs((4 * second - 255) / 3 / 127.5 - 1 - noise).mean() < 0.05  # at t = T there is little else
    seed.press("ArrowLeft")
    np.testing.assert_array_equal(pixels(canvas), first)
    assert player.get_attribute("data-value") == "1000, upside down, 0"
    assert page.problems == []


def test_a_choice_that_only_a_kernel_has_is_not_offered_without_one(shown, page):
    player = shown["trajectory"]
    assert player.locator(".dl-bar > label").all_inner_texts() == ["step"]
    assert "Run the cell" in player.locator(".dl-status").inner_text()
    for _ in range(3):
        press(player, "one step on")
    assert player.get_attribute("data-value") == "2, 0"
    assert page.problems == []


# ---- words and links ----


def test_words_that_are_not_drawn_find_the_example_that_is_meant(shown, page, pixels):
    player = shown["words"]
    field, status, canvas = (
        player.get_by_label("your own prompt"),
        player.locator(".dl-status"),
        player.locator("canvas"),
    )
    assert field.input_value() == "a red seven"
    before = pixels(canvas)
    field.fill("a blu too")
    field.press("Enter")
    assert "“a blu too” is not drawn on this page. Did you mean “a blue two”?" in status.inner_text()
    assert player.get_attribute("data-value") == "a red seven"
    assert field.input_value() == "a blu too"
    field.fill(" a blue two ")
    player.get_by_role("button", name="draw").click()
    assert player.get_attribute("data-value") == "a blue two"
    assert player.get_by_role("radio", name="a blue two").is_checked()
    assert "Did you mean" not in status.inner_text()
    assert np.abs(pixels(canvas) - before).max() > 5
    field.press("r")  # a letter, and no command
    assert player.get_attribute("data-value") == "a blue two"
    assert page.problems == []


def test_a_link_leads_to_a_state_of_the_page(made, shown, page, pixels):
    address, player = page.url, shown["two"]
    page.goto(f"{address}#steps=10&eta=0.75")
    page.reload()
    check(player, pixels, 2, 3)
    page.goto(f"{address}#steps=50")  # the page stays
    check(player, pixels, 4, 3)
    page.goto(f"{address}#player={list(made).index('noise') + 1}&t=700")
    assert shown["noise"].get_attribute("data-value") == "700"
    assert page.problems == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("steps=NaN", "The link asks for steps = NaN, but steps goes from 2 to 50."),
        ("steps=5000", "steps = 5000, but steps goes from 2 to 50."),
        ("steps=-1", "steps = -1, but steps goes from 2 to 50."),
        ("t=300&seed=4", "t = 300, but what can be moved here is: steps, eta."),
        ("player=99&t=3", "The link asks for player 99, but this page has"),
        ("player=NaN&t=3", "The link asks for player NaN, but this page has"),
    ],
)
def test_a_link_to_nowhere_is_answered_in_words(link, words, shown, page, pixels):
    page.goto(f"{page.url}#{link}")
    page.reload()
    player = shown["two"]
    player.locator(".dl-news.dl-seen", has_text=words).wait_for(timeout=5_000)
    check(player, pixels, 0, 2)
    sliders(player)[0].press("ArrowRight")
    check(player, pixels, 1, 2)
    assert player.locator(".dl-news").inner_text() == ""
    assert page.problems == []


def test_a_link_is_copied_or_stands_in_the_address_bar(shown, page):
    player = shown["noise"]
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; } }")
    sliders(player)[0].press("End")
    press(player, "copy a link to this")
    player.locator(".dl-news", has_text="The link is copied.").wait_for()
    copied = page.evaluate("() => window.copied")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    sliders(player)[0].press("c")
    player.locator(".dl-news", has_text="The link stands in the address bar.").wait_for()
    assert page.url == copied
    page.reload()
    assert player.get_attribute("data-value") == "1000"
    assert page.problems == []


# ---- the room that there is ----

WIDTHS = {"jupyterlab-1024": 640, "desk": 900}


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": w, "height": 900}} for w in WIDTHS.values()], ids=WIDTHS, indirect=True
)
@pytest.mark.parametrize("name", ["noise", "points", "schedules", "answered"])
def test_panels_stand_side_by_side(name, shown, page):
    boxes = [figure.bounding_box() for figure in shown[name].locator("figure").all()]
    assert len(boxes) == 3
    assert len({round(box["y"]) for box in boxes}) == 1
    right = max(box["x"] + box["width"] for box in boxes)
    assert right <= page.viewport_size["width"]
    assert all(box["width"] >= 110 for box in boxes)
    for canvas in shown[name].locator("canvas").all():
        inner, outer = canvas.bounding_box(), canvas.locator("..").bounding_box()
        assert inner["width"] == pytest.approx(outer["width"], abs=1)


def test_a_plot_below_pictures_that_fill_the_row(made, page, tmp_path, digits):
    wide = TrainingScrubber({k: digits.images[:10] for k in (1, 2)}, curves={"loss": [0.5, 0.1]})
    open_page(page, tmp_path / "wide.html", {"wide": wide.to_html()})
    pictures, plot = [figure.bounding_box() for figure in page.locator("#wide figure").all()]
    assert plot["y"] >= pictures["y"] + pictures["height"]
    assert plot["width"] > 300


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_on_a_phone_everything_fits_and_can_be_touched(shown, page):
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for player in shown.values():
        press(player, "keys")
        for control in player.locator("button, input[type=range], .dl-choice label").all():
            box = control.bounding_box()
            assert box["height"] >= 44
            assert box["width"] >= 44
        for canvas in player.locator("canvas").all():
            assert canvas.bounding_box()["width"] > 140
    shown["two"].locator("button.dl-play").tap()
    assert shown["two"].locator("button.dl-play").get_attribute("aria-label") == "pause"
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    shown["two"].locator("button.dl-play").tap()
    found = axe.Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:150]) for violation in found] == []
    assert page.problems == []


def test_a_plot_is_drawn_for_the_width_that_it_has(shown, page):
    plot = shown["noise"].locator("canvas").nth(1)
    before = plot.evaluate("canvas => [canvas.width, canvas.clientWidth]")
    assert before[0] == 2 * before[1]
    page.set_viewport_size({"width": 560, "height": 900})
    page.wait_for_function(
        "before => document.querySelectorAll('#noise canvas')[1].width < before", arg=before[0]
    )
    after = plot.evaluate("canvas => [canvas.width, canvas.clientWidth]")
    assert after[0] == 2 * after[1] < before[0]


@pytest.mark.parametrize("theme", list(THEMES))
def test_the_focus_can_be_seen(theme, shown, page):
    player = shown["noise"]
    for control in (sliders(player)[0], player.get_by_role("button", name="one step on")):
        control.focus()
        page.keyboard.press("Shift")  # as one who uses the keyboard
        outline = control.evaluate(
            "node => { const s = getComputedStyle(node); return [s.outlineStyle, s.outlineWidth] }"
        )
        assert outline == ["solid", "2px"]


# ---- axes ----


LISTEN = """
window.written = new Set();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.written.add(String(text));
    return write.call(this, text, ...rest);
};"""
LABELS = {
    "noise": "0 0.5 1 500 1000 −4 4 0.4,time t,factor,pixel value,density",
    "points": "−3 −1 0 1 3 0.4 0.5 1000,time t,factor,coordinate,density",
    "field": "−3 −1 0 1 3",
    "schedules": "0 0.2 1 10⁻⁶,time t / T,ᾱ_t,only noise,still a picture",
    "training": "1 5 100 0.1 0.5,after step,loss",
}


@pytest.mark.parametrize("name", list(LABELS))
def test_plots_and_planes_have_numbers_and_names(name, made, page, tmp_path):
    page.add_init_script(LISTEN)
    open_page(page, tmp_path / "one.html", {name: made[name].to_html()})
    numbers, *names = LABELS[name].split(",")
    assert {*numbers.split(), *names} - set(page.evaluate("() => [...written]")) == set()


# ---- broken data ----


def change(html, edit):
    """The same player with other data: `edit` changes them, or gives the text that stands in their place."""
    found = re.search(r'(?<=application/json">).*?(?=</script)', html, re.S)
    spec = json.loads(found[0])
    text = edit(spec)
    return html[: found.start()] + (text or json.dumps(spec)) + html[found.end() :]


def without(*path):
    def edit(spec):
        for step in path[:-1]:
            spec = spec[step]
        del spec[path[-1]]

    return edit


def put(value, *path):
    def edit(spec):
        for step in path[:-1]:
            spec = spec[step]
        spec[path[-1]] = value

    return edit


BROKEN = {
    "no-noise": ("noise", without("panels", 0, "eps"), "This picture cannot be shown: the noise is missing."),
    "bad-noise": ("noise", put("%%%", "panels", 0, "eps"), "the noise is damaged: it is not base64"),
    "short-noise": (
        "noise",
        put("AAAAAA==", "panels", 0, "eps"),
        "the noise is incomplete: 6272 numbers wanted, 2 came",
    ),
    "no-picture": ("noise", put("", "panels", 0, "x_0"), "the picture is missing"),
    "short-table": (
        "noise",
        put([1.0] * 10, "panels", 0, "abar", "values"),
        "the noise level for time t 300 is missing",
    ),
    "no-lines": ("noise", without("panels", 2, "lines"), "its lines are missing"),
    "new-kind": ("noise", put("cube", "panels", 2, "kind"), "no panel is called cube"),
    "no-size": ("noise", without("panels", 2, "size"), "its size is missing"),
    "bad-png": ("two", put("AAAA", "panels", 0, "frames", 2), "its data are damaged"),
    "no-png": ("two", put([], "panels", 0, "frames"), "its data are damaged"),
    "no-place": ("two", put({}, "panels", 0, "index"), "there is none for these values"),
    "no-points": ("field", without("panels", 0, "x_0"), "the cloud of points is missing"),
}


def test_a_picture_with_broken_data_says_what_is_missing(made, page, tmp_path):
    fragments = {case: change(made[name].to_html(), edit) for case, (name, edit, _) in BROKEN.items()}
    open_page(page, tmp_path / "broken.html", fragments)
    for case, (_, _, words) in BROKEN.items():
        player = page.locator(f"#{case} .dl-player")
        trouble = player.locator(".dl-broken:visible", has_text=words)
        trouble.wait_for(timeout=5_000)
        assert "Running the cell again makes it anew." in trouble.inner_text()
        assert not trouble.locator("..").locator("canvas").is_visible()
        before = player.get_attribute("data-value")
        sliders(player)[0].press("ArrowRight")  # the rest goes on
        assert player.get_attribute("data-value") != before
    assert page.problems == []


def test_only_the_broken_picture_of_several_is_missing(made, page, tmp_path, pixels):
    html = change(made["two"].to_html(), BROKEN["bad-png"][1])
    open_page(page, tmp_path / "broken.html", {"broken": html})
    player = page.locator("#broken .dl-player")
    player.locator(".dl-broken:visible").wait_for()  # it begins there
    sliders(player)[1].press("End")
    player.locator(".dl-broken").wait_for(state="hidden")
    check(player, pixels, 0, 4)
    assert page.problems == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda spec: json.dumps(spec)[:-300], "its data are cut short or damaged"),
        (lambda spec: " ", "its data are missing"),
        (without("sliders"), "its sliders are missing"),
        (without("panels"), "its pictures are missing"),
        (without("sliders", 0, "count"), "the values of its slider time t are missing"),
    ],
)
def test_a_player_with_broken_data_keeps_its_still_and_says_so(edit, words, made, page, tmp_path):
    open_page(
        page,
        tmp_path / "broken.html",
        {"broken": change(made["noise"].to_html(), edit), "whole": made["two"].to_html()},
    )
    player = page.locator("#broken .dl-player")
    assert player.locator(".dl-broken").inner_text() == (
        f"This player cannot be shown: {words}. Running the cell again makes it anew."
    )
    assert player.locator("img").is_visible()
    assert page.locator("#whole canvas").count() == 1  # others are not touched
    assert page.problems == []


# ---- what people ask of their system ----


@pytest.mark.parametrize("page", [{"reduced_motion": "reduce"}], indirect=True)
def test_reduced_motion_plays_slowly(shown, page):
    player = shown["sheet"]
    player.locator("button.dl-play").click()
    page.wait_for_timeout(1000)
    assert 1 <= int(player.get_attribute("data-value")) / 100 <= 2
