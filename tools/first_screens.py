"""Measure what a student sees first: ``python -m tools.first_screens [notebooks/01_….ipynb …]``.

Opens each lesson, stored as it is, in a JupyterLab (its cells are not run; trusted, as `copy-course` leaves it) and on
the built site, in Chromium, and prints a row for each lesson and way: the pixels from the top of the window to the
first player and to the end of its block, how many there are without scrolling, the words before it, and the seconds
from opening the page to the first picture that moved. ``--screenshots FOLDER`` keeps what it saw, ``--dark`` looks at
it in the dark theme. Needs Playwright and Chromium, and the extra ``site``.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from playwright.sync_api import Browser, Page, sync_playwright

from tools import build_site
from tools.in_jupyterlab import NOTEBOOK, jupyterlab, open_notebook

ROOT = Path(__file__).resolve().parent.parent
WAYS = {
    "JupyterLab 1440×900": (1440, 900),
    "JupyterLab 1024×700": (1024, 700),
    "site 1440×900": (1440, 900),
    "site 390×844": (390, 844),
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MOST_WORDS = 80
IS_STILL = """(player) => new Promise((done) => {
  let last = null, same = 0;
  const look = () => {
    const { top } = player.getBoundingClientRect();
    same = top === last ? same + 1 : 0;
    last = top;
    if (same > 10) done(true); else setTimeout(look, 50);
  };
  look(); })"""
"""Waits until formulas and fonts no longer move what stands below them, half a second."""
WHERE = """(player) => {
  const block = player.closest('.dl-first') ?? player;
  const scroller = player.closest('.jp-WindowedPanel-outer');
  const view = scroller?.getBoundingClientRect().bottom ?? innerHeight;
  const scrolled = scroller?.scrollTop ?? scrollY; // a key that was pressed may have scrolled
  const pictures = [...player.querySelectorAll('canvas')].map((canvas) => canvas.getBoundingClientRect().width);
  const [{ top }, { bottom }] = [player.getBoundingClientRect(), block.getBoundingClientRect()];
  return { top: top + scrolled, end: bottom + scrolled, view, picture: Math.max(...pictures) }; }"""
LOOK = "(player) => [...player.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join()"


class Screen(NamedTuple):
    """What was measured of one lesson, in one way."""

    top: float
    """Pixels from the top of the window to the player."""
    end: float
    """To the end of the player and its guess."""
    view: float
    """To the end of what is seen without scrolling."""
    picture: float
    """Width of its largest picture."""
    seconds: float
    """From opening to the first picture that moved."""

    @property
    def fits(self) -> bool:
        """Whether all of it is seen without scrolling."""
        return self.end <= self.view


def words_before_player(notebook: nbformat.NotebookNode) -> int:
    """Count the words of text above the first player; comments and badges are none."""
    words = 0
    for cell in notebook.cells:
        if any(
            "dl-player" in output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])
        ):
            return words
        if cell.cell_type == "markdown":
            text = re.sub(r"<!--.*?-->|\[!\[.*?\]\(.*?\)\]\(.*?\)|\]\(.*?\)", " ", cell.source, flags=re.S)
            words += len(re.findall(r"\w[\w'’.,-]*", text))
    return words


def measure(page: Page, started: float, inside: str) -> Screen:
    """Wait for the first player inside an element of an opened page, look where it is, and move it."""
    player = page.locator(f"{inside} .dl-player[data-ready]").first
    player.locator("canvas").first.wait_for(timeout=120_000)
    before = player.evaluate(LOOK)
    control = player.locator("input[type=range], input[type=radio]").first
    control.press("End" if control.get_attribute("type") == "range" else "ArrowRight")
    page.wait_for_function(
        f"([player, before]) => ({LOOK})(player) !== before", arg=[player.element_handle(), before]
    )
    seconds = time.perf_counter() - started
    control.press("Home" if control.get_attribute("type") == "range" else "ArrowLeft")
    player.evaluate(IS_STILL)
    control.evaluate("(control) => control.blur()")
    return Screen(**player.evaluate(WHERE), seconds=seconds)


def opened(browser: Browser, size: tuple[int, int], dark: bool) -> Page:
    """Give a page of its own."""
    scheme = "dark" if dark else "light"
    viewport = {"width": size[0], "height": size[1]}
    page = browser.new_context(viewport=viewport, color_scheme=scheme).new_page()
    page.route(re.compile(r"/(colab-badge|badge_logo)\.svg$"), lambda route: route.abort())
    return page


def row(path: Path, way: str, words: int, screen: Screen) -> str:
    """Write a row of the table."""
    numbers = [f"{value:.0f}" for value in (screen.top, screen.end, screen.view, screen.picture)]
    numbers += [f"{words}{'' if words <= MOST_WORDS else ' (!)'}", f"{screen.seconds:.1f}"]
    return f"| {path.stem} | {way} | {' | '.join(numbers)} | {'yes' if screen.fits else 'no'} |"


def main(arguments: list[str] | None = None) -> int:
    """Measure the lessons, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", type=Path, help="default: all")
    parser.add_argument(
        "--screenshots", type=Path, metavar="FOLDER", help="keep a picture of every first screen"
    )
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    parser.add_argument("--only", choices=["JupyterLab", "site"], help="one of the two")
    options = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("no Chromium on this machine (Debian: apt-get install chromium)")
    paths = options.lessons or sorted((ROOT / "notebooks").glob("*.ipynb"))
    notebooks = {path.name: nbformat.read(path, as_version=4) for path in paths}
    ways = {way: size for way, size in WAYS.items() if way.startswith(options.only or "")}
    print("| lesson | where | player at | ends at | seen to | picture | words before | seconds | fits |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---|", flush=True)
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=FLAGS)
        stack.callback(browser.close)
        site, lab = temporary / "site", ""
        if any(way.startswith("site") for way in ways):
            build_site.gather(site / "source")
            if code := build_site.build(site / "source", site / "html"):
                return code
        if any(way.startswith("JupyterLab") for way in ways):
            (temporary / "lab").mkdir()
            lab = stack.enter_context(jupyterlab(temporary / "lab", notebooks, trusted=True))
        for path in paths:
            for way, size in ways.items():
                screen = look(browser, way, size, path, lab, site, options)
                print(row(path, way, words_before_player(notebooks[path.name]), screen), flush=True)
    return 0


def look(
    browser: Browser, way: str, size: tuple[int, int], path: Path, lab: str, site: Path, options: Any
) -> Screen:
    """Open a lesson in one way, measure it, and keep a picture of it."""
    page, started = opened(browser, size, options.dark), time.perf_counter()
    if way.startswith("site"):
        page.goto((site / "html" / "notebooks" / f"{path.stem}.html").as_uri(), wait_until="commit")
        screen = measure(page, started, "body")
    else:
        open_notebook(page, lab, path.name)
        if options.dark:
            page.evaluate(
                "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
            )
        screen = measure(page, started, NOTEBOOK)
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "_", f"{path.stem} {way}{' dark' if options.dark else ''}")
        page.screenshot(path=options.screenshots / f"{name}.png")
    page.context.close()
    return screen


if __name__ == "__main__":
    sys.exit(main())
