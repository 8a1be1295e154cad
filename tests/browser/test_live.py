"""Players with a kernel behind them: Python moves the slider, the slider moves Python, and what is missing is drawn."""

import copy
import time

import nbformat
import numpy as np
import pytest

from tools.in_jupyterlab import KERNEL_IS_IDLE, NOTEBOOK, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser

CELLS = {
    "setup": (
        """
import time, torch, diffusion_lab as dl
from diffusion_lab.widgets import DrawingBoard, GuidanceExplorer, NoiseScrubber, PromptBox, ScheduleExplorer, Explorer
generator = torch.Generator().manual_seed(0)
schedule = dl.DiffusionSchedule.linear(1000)
x_0 = torch.full((1, 1, 28, 28), -1.0)
x_0[..., 4:24, 12:16] = 1
heard = []
"""
    ),
    "noise": (
        """
noise = NoiseScrubber(x_0, schedule, generator=generator)
noise.sliders["time t"].observe(lambda change: heard.append(change.new), "value")
noise"""
    ),
    "schedules": "schedules = ScheduleExplorer(x_0, generator=generator)\nschedules",
    "live": (
        """
calls = []
def draw(s):
    calls.append(s)
    time.sleep(0.3)
    assert not torch.is_grad_enabled() and s != 1.5, "no grey at 1.5"
    return torch.full((2, 1, 8, 8), s / 2 - 0.5)
ends = {0: torch.full((2, 1, 8, 8), -0.5), 2: torch.full((2, 1, 8, 8), 0.5)}
live = GuidanceExplorer(ends, draw=draw, scales=[0.25, 0.5, 1.0, 1.5], shades=256)
live"""
    ),
    "board": (
        """
def answer(x_0, t):
    return {"upside down": x_0.flip(2), "ink": f"{float((x_0 > 0).sum()):g}"}
board = DrawingBoard(x_0, schedule, answer, generator=generator)
board"""
    ),
    "prompt": (
        """
prompts = []
def letters(prompt, times):
    prompts.append(prompt)
    if not prompt.isalpha():
        raise ValueError(f"only letters, got {prompt!r}")
    return {"": torch.full((1, 1, 8, 8), len(prompt) * times / 10 - 1), "letters": len(prompt)}
prompt = PromptBox(["two", "three"], letters, axes={"times": [1, 2]}, alt="squares", shades=256)
prompt"""
    ),
    "linked": (
        """
import ipywidgets
left, right = (NoiseScrubber(x_0, schedule, start=start, plots=False, generator=generator) for start in (0, 500))
ipywidgets.jslink((left.sliders["time t"], "value"), (right.sliders["time t"], "value"))
ipywidgets.VBox([left.widget(), right])"""
    ),
    "guess": (
        """
asked = NoiseScrubber(x_0, schedule, plots=False, generator=generator)
guess = dl.widgets.Guess("01", "When is it lost?", player=asked, button="here", words="t = {}")
guess"""
    ),
    "answer": "guess.answer(675)",
    "tell": (
        """
print(noise.value, heard[-1:], [slider.value for slider in schedules.sliders.values()], calls, board.value)"""
    ),
    "move": (
        """
noise.value = 300
schedules.sliders["schedule"].value = "cosine"
live.value = 0.25"""
    ),
}
ORDER = list(CELLS)


@pytest.fixture(scope="module")
def notebook():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    return nbformat.v4.new_notebook(cells=cells[:-1])  # the last one is typed in later


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory, notebook):
    plain = copy.deepcopy(notebook)
    plain.cells[0].source = f"import sys\nsys.modules['ipywidgets'] = None\n{plain.cells[0].source}"
    for cell in plain.cells[1:]:  # what asks for a slider by name needs ipywidgets
        lines = cell.source.splitlines()
        words = (".observe", "print", "ipywidgets")
        cell.source = "\n".join(line for line in lines if not any(word in line for word in words))
    with jupyterlab(
        tmp_path_factory.mktemp("live"), {"live.ipynb": notebook, "plain.ipynb": plain}
    ) as address:
        yield address


RUN_LONG = """([n, code]) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.widgets[n].model.sharedModel.setSource(code);
    content.activeCellIndex = n;
    content.deselectAll();
    window.jupyterapp.commands.execute('notebook:run-cell'); }"""
"""Runs a cell and does not wait for it."""


WITHOUT_SUBSHELLS = """() => {
    window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = 'disabled'; }"""
"""Lets the kernel answer widgets as older kernels and other front ends do: after the cell that runs."""


class Page:
    """The notebook in JupyterLab: its cells by name."""

    def __init__(self, page, lab, name="live.ipynb"):
        self.page = page
        open_notebook(page, lab, name)

    def cell(self, name):
        return self.page.locator(f"{NOTEBOOK} .jp-Notebook .jp-Cell").nth(ORDER.index(name))

    def player(self, name):
        return self.cell(name).locator(".dl-player")

    def slider(self, name, n=0):
        return self.player(name).locator("input[type=range]").nth(n)

    def run(self, name, code=None):
        """Run one cell again, with other code if it is given."""
        self.page.evaluate(
            """async ([n, code]) => {
                const { content } = window.jupyterapp.shell.currentWidget;
                if (code !== null) content.widgets[n].model.sharedModel.setSource(code);
                content.activeCellIndex = n;
                content.deselectAll();
                await window.jupyterapp.commands.execute('notebook:run-cell'); }""",
            [ORDER.index(name), code],
        )

    def tell(self, code="None"):
        """Give what Python says of the sliders, and of some code."""
        self.run("tell", f"{CELLS['tell'].strip()}; print({code})")
        return self.cell("tell").locator(".jp-OutputArea-output").first.inner_text()

    def places(self, name):
        """Where every player in the output of a cell stands."""
        return [player.get_attribute("data-value") for player in self.player(name).all()]

    def told(self, text, code="None"):
        """Wait until Python, which hears of a slider a moment later, says this."""
        until = time.monotonic() + 10
        while text not in (output := self.tell(code)):
            assert time.monotonic() < until, output
        return True

    def wait(self, name, value):
        self.page.wait_for_function(
            "([place, value]) => document.querySelectorAll(place)[0].dataset.value === value",
            arg=[f".jp-Cell:nth-child({ORDER.index(name) + 1}) .dl-player", value],
        )

    def status(self, name, text):
        self.player(name).locator(".dl-status", has_text=text).wait_for(timeout=10_000)


@pytest.fixture
def shown(page, lab):
    shown = Page(page, lab)
    run_all(page)
    for name in ("noise", "schedules", "live", "board", "prompt"):
        shown.player(name).and_(page.locator("[data-live=yes]")).wait_for()
    return shown


def grey(pixels, canvas):
    """The shade of the first pixels, -1 … 1; opacity counts as a fourth colour."""
    return (4 * float(pixels(canvas)[2, 2]) - 255) / 3 / 127.5 - 1


def test_the_slider_moves_python_and_python_the_slider(shown, page, drag):
    shown.slider("noise").focus()
    shown.slider("noise").press("End")
    assert shown.told("1000 [1000] ")
    drag(shown.slider("noise"), 0.99, 0.5)
    value = int(shown.slider("noise").input_value())
    assert 450 < value < 550
    assert shown.told(f"{value} [{value}] ")
    shown.slider("schedules").press("End")
    shown.player("schedules").get_by_role("radio", name="sigmoid").click()
    shown.slider("schedules", 1).press("Home")
    assert shown.told("['1.00', 'sigmoid', 10]")
    shown.run("tell", CELLS["move"])
    shown.wait("noise", "300")
    shown.wait("schedules", "1.00, cosine, 10")
    assert shown.slider("noise").get_attribute("aria-valuetext").startswith("time t 300")
    assert page.problems == []


def test_buttons_and_keys_move_python_and_are_no_commands_to_the_notebook(shown, page):
    kinds = "() => window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.type)"
    before, slider = page.evaluate(kinds), shown.slider("noise")
    slider.press("Home")
    shown.player("noise").get_by_role("button", name="one step on").click()
    for key in (".", ".", ",", "?", "l", "l"):
        slider.press(key)
    assert shown.told("2 [2] ")
    shown.player("noise").get_by_role("button", name="one step back").press(
        "r"
    )  # makes a raw cell of one elsewhere
    assert shown.told("0 [0] ")
    shown.slider("schedules").press("End")
    shown.player("schedules").get_by_role("radio", name="sigmoid").click()
    shown.player("schedules").get_by_role("radio", name="sigmoid").press("r")
    assert shown.told("['0.00', 'linear', 1000]")
    assert page.evaluate(kinds) == before == ["code"] * len(before)
    assert page.problems == []


def test_two_players_in_a_box_move_together(shown, page, drag, drawn):
    players = shown.player("linked")
    players.and_(page.locator("[data-live=yes]")).nth(1).wait_for()
    assert players.count() == 2
    for player in players.all():
        assert player.bounding_box()["width"] > 300
    assert shown.places("linked") == ["0", "0"], "jslink brings the second to the first"
    cell = f".jp-Cell:nth-child({ORDER.index('linked') + 1})"
    for mover, other in ((0, 1), (1, 0)):
        before, (last, _) = drawn(players.nth(other)), shown.places("linked")
        drag(players.nth(mover).locator("input[type=range]"), 0.3, 0.4 + 0.2 * mover)
        page.wait_for_function(
            """([selector, last]) => {
                const [left, right] = [...document.querySelectorAll(selector)].map((part) => part.dataset.value);
                return left === right && left !== last; }""",
            arg=[f"{cell} .dl-player", last],
        )
        assert drawn(players.nth(other)) != before
        place, _ = shown.places("linked")
        assert 300 < int(place) < 700
        assert shown.told(f"{place} {place}", "left.value, right.value")
    assert page.problems == []


def test_a_guess_is_a_variable_in_python_and_both_know_of_a_new_one(shown, page):
    button = shown.cell("guess").get_by_role("button", name="here")
    assert shown.told("None", "guess.value")
    shown.slider("guess").fill("430")
    button.click()
    assert shown.told("430 <class 'int'>", "guess.value, type(guess.value)")
    assert shown.cell("answer").locator(".dl-yours").inner_text() == "t = 430"
    shown.run("tell", "guess.value = 250")
    shown.cell("guess").locator(".dl-status", has_text="Noted: t = 250").wait_for()
    shown.run("guess")  # a new guess, in the place of the old one: the page has kept what was noted
    assert shown.told("250", "guess.value")
    assert page.problems == []


def test_a_cell_that_is_run_again_stays_tied(shown, page):
    for _ in range(2):  # the same player each time, and the removed ones still hear of it
        shown.run("live")
        shown.player("live").and_(page.locator("[data-live=yes]")).wait_for()
    shown.slider("live").focus()
    shown.slider("live").press("End")
    assert shown.told("at 2", "'at', live.value")
    assert page.problems == []


def test_what_is_missing_is_drawn_once_and_errors_are_shown(shown, page, pixels):
    canvas, slider = shown.player("live").locator("canvas"), shown.slider("live")
    assert grey(pixels, canvas) == pytest.approx(-0.5, abs=0.01)
    slider.focus()
    slider.press("ArrowRight")
    shown.status("live", "computing")
    assert grey(pixels, canvas) == pytest.approx(-0.375, abs=0.01)  # waits until it is drawn
    slider.press("ArrowRight")
    assert grey(pixels, canvas) == pytest.approx(-0.25, abs=0.01)
    slider.press("ArrowLeft")
    assert canvas.get_attribute("aria-busy") == "false"  # at once
    assert grey(pixels, canvas) == pytest.approx(-0.375, abs=0.01)
    slider.press("End")
    slider.press("ArrowLeft")
    shown.status("live", "AssertionError: no grey at 1.5")
    slider.press("End")
    shown.player("live").locator(".dl-status:empty").wait_for(state="attached")
    assert grey(pixels, canvas) == pytest.approx(0.5, abs=0.01)
    assert shown.told("[0.25, 0.5, 1.5]")
    assert page.problems == []


def test_play_goes_over_what_is_drawn_and_a_busy_kernel_is_called_busy(page, lab, pixels):
    shown = Page(page, lab)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    page.evaluate(WITHOUT_SUBSHELLS)  # before there is a widget
    run_all(page)
    shown.player("live").and_(page.locator("[data-live=yes]")).wait_for()
    player, slider = shown.player("live"), shown.slider("live")
    slider.press("ArrowRight")  # to 0.25, which is drawn now
    assert grey(pixels, player.locator("canvas")) == pytest.approx(-0.375, abs=0.01)
    slider.press("Home")
    player.evaluate(
        """player => {
            window.seen = [];
            const look = () => seen.push([player.dataset.value, player.querySelector('.dl-status').textContent]);
            new MutationObserver(look).observe(player, { attributes: true }); }"""
    )
    player.locator("button.dl-play").click()
    page.wait_for_function("() => seen.some(([value]) => value === '2')")
    assert page.evaluate("() => [...new Set(seen.map(([value]) => value))]") == ["0", "0.25", "2"]
    assert page.evaluate("() => seen.every(([, words]) => words === '')")
    assert shown.told("calls [0.25]", "'calls', calls")
    page.evaluate(RUN_LONG, [ORDER.index("tell"), "import time; time.sleep(8)"])
    slider.press("ArrowLeft")  # to 1.5, which is not drawn
    slider.press("ArrowLeft")  # to 1
    shown.status("live", "The kernel is busy with another cell.")
    player.locator("canvas:not(.dl-waits)").wait_for(
        timeout=30_000
    )  # it is drawn; the words go a moment earlier
    assert player.locator(".dl-status").inner_text() == ""
    assert grey(pixels, player.locator("canvas")) == pytest.approx(0, abs=0.01)
    assert page.problems == []


def test_a_drag_asks_for_few_pictures_and_ends_on_the_right_one(shown, page, pixels, drag):
    drag(shown.slider("live"), 0.01, 0.6)
    assert shown.slider("live").input_value() == "3"
    assert grey(pixels, shown.player("live").locator("canvas")) == pytest.approx(0, abs=0.01)
    assert shown.told("True 1.0", "len(calls) <= 3, calls[-1]")


def test_a_drawing_is_answered(shown, page, pixels):
    sheet, noised, answer = shown.player("board").locator("canvas").all()
    example = pixels(answer)
    shown.player("board").get_by_role("button", name="clear").click()
    sheet.scroll_into_view_if_needed()
    box, mouse = sheet.bounding_box(), page.mouse
    mouse.move(box["x"] + 30, box["y"] + 30)
    mouse.down()
    mouse.move(box["x"] + 190, box["y"] + 30, steps=8)
    mouse.move(box["x"] + 190, box["y"] + 120, steps=8)
    mouse.up()
    shown.player("board").locator(".dl-readouts b", has_text="…").wait_for(state="detached")
    drawn, turned = pixels(noised), pixels(answer)
    assert np.abs(turned - example).max() > 50
    assert np.abs(turned[::-1] - drawn).max() <= 16  # of 16 shades; the slider stands at t = 0
    ink = drawn - drawn.min()
    x, y = (ink.sum(axis=axis) @ (np.arange(28) + 0.5) / ink.sum() for axis in (0, 1))
    assert abs(x - 14) <= 0.6
    assert abs(y - 14) <= 0.6
    sheet.focus()
    for key in [" ", *["ArrowDown"] * 9, " "]:
        sheet.press(key)
    page.wait_for_function("() => !document.querySelector('canvas[aria-busy=true]')")
    assert np.abs(pixels(answer) - turned).max() > 50
    shown.player("board").get_by_role("button", name="example").click()
    assert np.abs(pixels(answer) - example).max() == 0
    assert page.problems == []


def test_a_prompt_is_typed_and_drawn_and_a_wrong_one_is_told(shown, page, pixels):
    player, canvas = shown.player("prompt"), shown.player("prompt").locator("canvas")
    field, told = player.get_by_label("your own prompt"), player.locator(".dl-readouts b")
    field.wait_for()
    assert field.input_value() == "two"
    assert grey(pixels, canvas) == pytest.approx(-0.7, abs=0.01)

    def type_in(text):
        field.fill(text)
        field.press("Enter")

    type_in("sevenths")
    told.filter(has_text="8").wait_for()
    assert grey(pixels, canvas) == pytest.approx(-0.2, abs=0.01)
    shown.slider("prompt").press("ArrowRight")  # another slider: the same words once more
    page.wait_for_function("() => !document.querySelector('canvas[aria-busy=true]')")
    assert grey(pixels, canvas) == pytest.approx(0.6, abs=0.01)
    type_in("a dog!")
    shown.status("prompt", "only letters, got 'a dog!'")
    assert player.locator(".dl-choice input:checked").count() == 0, "what was typed is no example"
    assert player.get_attribute("data-value") == "a dog!, 2"
    player.get_by_role("radio", name="three").click()
    told.filter(has_text="5").wait_for()
    assert field.input_value() == "three"
    assert player.locator(".dl-status").inner_text() == ""
    assert grey(pixels, canvas) == pytest.approx(0, abs=0.01)
    type_in("  one ")
    told.filter(has_text="3").wait_for()
    type_in("three")
    told.filter(has_text="5").wait_for()
    once = (  # and each example twice, for both values of `times`
        "['two', 'three', 'sevenths', 'a dog!', 'one'] 2 2"
    )
    assert shown.told(once, "list(dict.fromkeys(prompts)), prompts.count('two'), prompts.count('three')")
    assert page.problems == []


def test_a_saved_notebook_moves_again_without_its_kernel(shown, page, lab, pixels, notebook):
    shown.run("linked", "None")  # a box is ipywidgets' own, and is nothing without its kernel
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    saved = page.evaluate(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.context.model.toJSON())"
    )
    assert "widget-view" not in saved
    assert "application/vnd.jupyter.widget-state" not in saved
    again = Page(page, lab)
    for name in ("noise", "schedules", "live", "board", "prompt"):
        again.player(name).locator("canvas").first.wait_for()
    assert "model not found" not in page.content()
    again.slider("noise").press("End")
    again.wait("noise", "1000")
    again.slider("live").press("ArrowRight")  # with no kernel it goes to the next one that was drawn
    again.wait("live", "0.25" if again.player("live").get_attribute("data-live") == "yes" else "2")


def test_without_ipywidgets_it_is_the_player_of_a_page(page, lab, pixels):
    plain = Page(page, lab, "plain.ipynb")
    run_all(page)
    for name in ("noise", "schedules", "live", "board", "prompt"):
        plain.player(name).locator("canvas").first.wait_for()
        assert plain.player(name).get_attribute("data-live") is None
    plain.slider("noise").press("End")
    plain.wait("noise", "1000")
    plain.slider("live").press("ArrowRight")
    plain.wait("live", "2")
    assert grey(pixels, plain.player("live").locator("canvas")) == pytest.approx(0.5, abs=0.01)
    assert page.problems == []
