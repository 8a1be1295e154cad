"""One Chromium for all browser tests.

They are skipped with one line where there is none (Debian: chromium).
"""

import base64
import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FLAGS += ["--disable-component-update", "--disable-sync"]


BADGES = re.compile(r"/(colab-badge|badge_logo)\.svg$")
"""The only pictures that come from elsewhere; no test asks the network for them."""


def wait_for_pictures(page) -> None:
    page.wait_for_function("() => !document.querySelector('canvas[aria-busy=true]')")


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


def is_problem(text: str) -> bool:
    """Whether something went wrong.

    Not that a loaded machine needed over 2 s to load a module, which works later.
    """
    return "[anywidget] Failed to initialize model" not in text


@pytest.fixture
def page(browser, request):
    """A page that collects what goes wrong in it, in ``page.problems``.

    Parameters go to the browser's context.
    """
    options = {"viewport": {"width": 1280, "height": 1400}} | getattr(request, "param", {})
    page = browser.new_context(**options).new_page()
    page.problems = []
    badge = '<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20"/>'
    page.route(BADGES, lambda route: route.fulfill(content_type="image/svg+xml", body=badge))

    def note(text: str) -> None:
        page.problems.append(text[:300])

    page.on(
        "console", lambda message: message.type == "error" and is_problem(message.text) and note(message.text)
    )
    page.on("pageerror", lambda error: is_problem(str(error)) and note(str(error)))
    yield page
    page.context.close()


@pytest.fixture(scope="session")
def pixels():
    """Reads a canvas: mean of red, green, blue and opacity of each of its pixels, once its pictures are loaded."""

    def read(canvas) -> np.ndarray:
        wait_for_pictures(canvas.page)
        png = canvas.evaluate("canvas => canvas.toDataURL()").partition(",")[
            2
        ]  # a list of numbers takes many seconds
        return np.array(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"), np.float32).mean(
            axis=2
        )

    return read


@pytest.fixture(scope="session")
def drawn():
    """Gives what all panels of a player show, to compare with another time."""

    def read(player) -> list[str]:
        wait_for_pictures(player.page)
        return player.locator("canvas").evaluate_all("all => all.map((canvas) => canvas.toDataURL())")

    return read


@pytest.fixture(scope="session")
def drag():
    """Drags the handle of a slider from one share of its length to another, with the mouse."""

    def move(slider, begin: float, end: float) -> None:
        slider.scroll_into_view_if_needed()
        box, mouse = slider.bounding_box(), slider.page.mouse
        middle = box["y"] + box["height"] / 2
        mouse.move(box["x"] + box["width"] * begin, middle)
        mouse.down()
        mouse.move(box["x"] + box["width"] * end, middle, steps=5)
        mouse.up()

    return move
