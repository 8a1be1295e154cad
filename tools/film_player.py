"""Film the first player of lesson 01 for the README: ``python -m tools.film_player`` writes docs/slider.gif.

The player is the one that the lesson stores. In Chromium a pointer drags its slider from picture to noise and back to
where the 7 gets lost, and presses the button beside it; every stop is a frame. Needs Playwright and Chromium.
"""

import argparse
import io
import math
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from diffusion_lab.files import replacing

ROOT = Path(__file__).resolve().parent.parent
LESSON, CELL = ROOT / "notebooks" / "01_forward_noising.ipynb", "01-first"
FILM = ROOT / "docs" / "slider.gif"
WIDTH, HEIGHT = 640, 330
"""Of the film, in pixels."""
ROUTE = ((0, 0), (620, 24), (620, 3), (280, 16), (280, 4))
"""Where the slider is dragged: a time t, and in how many frames it gets there."""
FRAMES_TO_BUTTON = 8
COLOURS = 48
FRAME_MS, LAST_MS = 90, 2200
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
POINTER = """() => {
  const pointer = document.createElement('div');
  pointer.innerHTML = '<svg width="22" height="30" viewBox="0 0 22 30"><path d="M2 2v21l5-4 4 9 4-2-4-9h7z"'
    + ' fill="#fff" stroke="#000" stroke-width="1.6"/></svg>';
  pointer.style.cssText = 'position:fixed;left:-50px;top:0;pointer-events:none;z-index:9';
  document.body.append(pointer);
  addEventListener('mousemove', (event) => {
    pointer.style.left = `${event.clientX}px`; pointer.style.top = `${event.clientY}px`; }); }"""
READY = "() => document.querySelector('canvas') && !document.querySelector('canvas[aria-busy=true]')"
PLACE = """([slider, t]) => {
  const thumb = 16, { left, width, top, height } = slider.getBoundingClientRect();
  const share = (t - slider.min) / (slider.max - slider.min);
  return { x: left + thumb / 2 + share * (width - thumb), y: top + height / 2 }; }"""
"""Where the middle of the thumb is when the slider stands at t."""


def stored_player(lesson: Path = LESSON, cell_id: str = CELL) -> str:
    """Give the HTML that a cell of a lesson stores; a `ValueError` says if there is none."""
    for cell in nbformat.read(lesson, as_version=4).cells:
        if cell.id == cell_id:
            for output in cell.get("outputs", []):
                if "text/html" in output.get("data", {}):
                    return output.data["text/html"]
    raise ValueError(f"{lesson} stores no player in a cell {cell_id}")


def eased(route: Iterable[tuple[int, int]]) -> Iterator[float]:
    """Give the times of all frames of a route; each way begins and ends slowly."""
    place = 0
    for target, frames in route:
        for frame in range(1, frames + 1):
            yield place + (target - place) * (1 - math.cos(math.pi * frame / frames)) / 2
        place = target


def record(page: Page, route: Iterable[tuple[int, int]] = ROUTE) -> Iterator[Image.Image]:
    """Drag the slider of a page along a route, press the button at its end, and give a picture of every stop."""

    def look() -> Image.Image:
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        shot = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        return Image.open(io.BytesIO(shot)).convert("RGB")

    slider = page.locator("input[type=range]").first.element_handle()
    page.mouse.move(**page.evaluate(PLACE, [slider, 0]))
    page.mouse.down()
    yield look()
    for t in eased(route):
        page.mouse.move(**page.evaluate(PLACE, [slider, t]))
        yield look()
    page.mouse.up()
    start = page.evaluate(PLACE, [slider, t])
    box = page.locator(".dl-note").bounding_box()
    button = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    for frame in range(1, FRAMES_TO_BUTTON + 1):
        share = frame / FRAMES_TO_BUTTON
        page.mouse.move(*(start[axis] + share * (button[axis] - start[axis]) for axis in "xy"))
        yield look()
    page.mouse.down()
    page.mouse.up()
    yield look()


def write_film(path: Path, frames: list[Image.Image]) -> None:
    """Write an endless GIF in few colours, whole or not at all."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT * 3))
    for row, frame in enumerate((frames[0], frames[len(frames) // 2], frames[-1])):
        sheet.paste(frame, (0, row * HEIGHT))
    palette = sheet.quantize(COLOURS, dither=Image.Dither.NONE)
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    with replacing(path) as part:
        reduced[0].save(
            part, "GIF", save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=True
        )


def film(browser: Browser, html: str, route: Iterable[tuple[int, int]] = ROUTE) -> list[Image.Image]:
    """Show a stored player in a page of its own, and film it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "player.html"
        place.write_text(f"<!doctype html><meta charset=utf-8><body style='margin:10px'>{html}", "utf-8")
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        try:
            page.goto(place.as_uri())
            page.wait_for_function(READY)
            page.evaluate(POINTER)
            return list(record(page, route))
        finally:
            page.close()


def main(arguments: list[str] | None = None) -> int:
    """Film it and write the file; returns 1, and says why, if that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=FILM, metavar="FILE", help="the GIF (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no Chromium here (Debian: apt install chromium)")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            write_film(options.out, film(browser, stored_player()))
        except (OSError, ValueError) as error:
            print(error)
            return 1
        finally:
            browser.close()
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
