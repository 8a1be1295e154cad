"""Every lesson in JupyterLab in Chromium: run all cells, move the sliders by key and by hand, look at the pixels.

Skipped with one line where there is no Chromium (Debian: ``apt-get install chromium``).
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

ROOT = Path(__file__).parent.parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"autoStartDefaultKernel": True, "windowingMode": "none"},
}
KERNEL_IS_IDLE = """async () => {
  const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  if (!widget || !widget.context) return false;
  await widget.context.ready; await widget.sessionContext.ready;
  const kernel = widget.sessionContext.session && widget.sessionContext.session.kernel;
  return !!kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle'; }"""
RUN_ALL = """() => { window.ran = null; window.jupyterapp.commands.execute('notebook:run-all-cells')
  .then(ok => window.ran = {ok}, error => window.ran = {ok: false, error: String(error)}) }"""
PIXELS = """canvas => { const c = canvas.getContext('2d'), w = canvas.width, h = canvas.height;
  return [h, w, Array.from(c.getImageData(0, 0, w, h).data)]; }"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own, with clean copies of the lessons; gives its address."""
    home = tmp_path_factory.mktemp("lab")
    for path in LESSONS:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, home / path.name)
    for name, settings in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "spaces", "IPYTHONDIR": "ipython"}
    environment = os.environ | {"HOME": str(home)} | {name: str(home / folder) for name, folder in folders.items()}
    flags = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=test"]
    with (home / "lab.log").open("w") as log:
        command = [sys.executable, "-m", "jupyterlab", *flags, "--LabApp.expose_app_in_browser=True"]
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=test", timeout=1)
                break
            except OSError:
                assert server.poll() is None, (home / "lab.log").read_text()
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(15)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page that collects what goes wrong in it, in ``page.problems``."""
    page = browser.new_context(viewport={"width": 1280, "height": 1400}, offline=False).new_page()
    page.problems = []
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text[:300]))
    page.on("pageerror", lambda error: page.problems.append(str(error)[:300]))
    yield page
    page.context.close()


def pixels(canvas) -> np.ndarray:
    height, width, data = canvas.evaluate(PIXELS)
    return np.array(data, np.float32).reshape(height, width, 4).mean(axis=2)


def neighbour_correlation(canvas) -> float:
    """Near 1 for pictures, near 0 for noise; from inside the first picture, away from the gaps."""
    picture = pixels(canvas)[:28, :28]
    centred = picture - picture.mean()
    return float((centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum())


def check_player(player, clean_key: str) -> None:
    """Move one player by keys and by dragging, and look at its first panel."""
    player.scroll_into_view_if_needed()
    slider, canvas = player.locator("input[type=range]"), player.locator("canvas").first
    noisy_key = {"Home": "End", "End": "Home"}[clean_key]
    slider.focus()
    slider.press(clean_key)
    clean = pixels(canvas)
    is_picture = canvas.evaluate("canvas => canvas.classList.contains('dl-pixels')")
    if is_picture:
        assert neighbour_correlation(canvas) > 0.7
    slider.press("ArrowRight" if clean_key == "Home" else "ArrowLeft")
    assert np.abs(pixels(canvas) - clean).max() > 0
    assert slider.evaluate("slider => document.activeElement === slider")
    said = slider.get_attribute("aria-valuetext")
    slider.press(noisy_key)
    assert slider.get_attribute("aria-valuetext") != said
    if is_picture:
        assert abs(neighbour_correlation(canvas)) < 0.15
    at_end, box = pixels(canvas), slider.bounding_box()
    mouse, middle = slider.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * (0.01 if noisy_key == "Home" else 0.99), middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    mouse.up()
    assert np.abs(pixels(canvas) - at_end).max() > 20
    assert 0.4 < float(slider.input_value()) / float(slider.get_attribute("max")) < 0.6


def check_players(page, root: str) -> None:
    players = page.locator(f"{root} .dl-player")
    assert players.count() >= 1
    for index in range(players.count()):
        player = players.nth(index)
        label = player.locator("label").inner_text()
        check_player(player, {"time t": "Home", "step": "End"}[label])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_in_jupyterlab(path, lab, page):
    notebook = ".jp-NotebookPanel:not(.lm-mod-hidden)"
    place = f"{lab}/lab/workspaces/w{time.time_ns()}/tree/{path.name}?token=test&reset"
    page.goto(place, wait_until="domcontentloaded")
    page.locator(f"{notebook} .jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ran", timeout=240_000)
    assert page.evaluate("() => window.ran.ok") is True
    check_players(page, notebook)
    if folder := os.environ.get("DIFFUSION_LAB_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{path.stem}.png")
    assert page.problems == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_as_a_page_with_no_kernel_and_no_network(path, browser, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    context = browser.new_context(viewport={"width": 1000, "height": 1400}, offline=True)
    page = context.new_page()
    page.goto((tmp_path / f"{path.stem}.html").as_uri(), wait_until="domcontentloaded")
    check_players(page, "body")
    context.close()
