"""Every lesson in JupyterLab in Chromium: run all cells, move the sliders by key and by hand, look at the pixels.

Skipped with one line where there is no Chromium (Debian: ``apt-get install chromium``).
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
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
    environment = os.environ | {"HOME": str(home), "DIFFUSION_LAB_QUICK": "1"}
    environment |= {name: str(home / folder) for name, folder in folders.items()}
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


def neighbour_correlation(picture) -> float:
    """Near 1 for pictures, near 0 for noise; from inside the first picture, away from the gaps."""
    centred = picture[:28, :28] - picture[:28, :28].mean()
    return float((centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum())


@pytest.fixture(scope="session")
def check_player(pixels, drawn, drag):
    """Moves one player by keys and by dragging, and looks at its panels."""

    def check_slider(player, slider, is_film: bool) -> None:
        slider.focus()
        slider.press("Home")
        at_first, said = drawn(player), slider.get_attribute("aria-valuetext")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != said
        assert not is_film or drawn(player) != at_first
        assert slider.evaluate("slider => document.activeElement === slider")
        slider.press("End")
        at_last, last = drawn(player), int(slider.get_attribute("max"))
        assert at_last != at_first
        drag(slider, 0.99, 0.5)
        assert last == 1 or drawn(player) != at_last
        assert abs(int(slider.input_value()) - last / 2) <= max(1, 0.1 * last)

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

    def check(player) -> None:
        player.scroll_into_view_if_needed()
        sliders, label = player.locator("input[type=range]").all(), player.locator("label").first.inner_text()
        for index, slider in enumerate(sliders):
            check_slider(player, slider, is_film=index == 0)
        for group in player.locator("[role=radiogroup]").all():
            check_buttons(player, group)
        clean_key = {"time t": "Home", "step": "End"}.get(label)
        if clean_key and len(sliders) == 1 and player.locator("canvas").first.get_attribute("class") == "dl-pixels":
            check_ends(player, clean_key)

    return check


def players(page, root: str):
    found = page.locator(f"{root} .dl-player")
    assert found.count() >= 1
    return found.all()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_in_jupyterlab(path, lab, page, check_player):
    notebook = ".jp-NotebookPanel:not(.lm-mod-hidden)"
    place = f"{lab}/lab/workspaces/w{time.time_ns()}/tree/{path.name}?token=test&reset"
    page.goto(place, wait_until="domcontentloaded")
    page.locator(f"{notebook} .jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ran", timeout=240_000)
    assert page.evaluate("() => window.ran.ok") is True
    for player in players(page, notebook):
        check_player(player)
    if folder := os.environ.get("DIFFUSION_LAB_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{path.stem}.png")
    assert page.problems == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_as_a_page_with_no_kernel_and_no_network(path, page, check_player, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    page.context.set_offline(True)
    page.goto((tmp_path / f"{path.stem}.html").as_uri(), wait_until="domcontentloaded")
    for player in players(page, "body"):
        check_player(player)
