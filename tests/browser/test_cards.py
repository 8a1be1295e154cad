"""What checks show in JupyterLab: a blank, a mistake, a solved task, and hints by the keyboard, light and dark."""

import copy
import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tools.in_jupyterlab import KERNEL_IS_IDLE, NOTEBOOK, jupyterlab, open_notebook

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
NAME = "01_forward_noising.ipynb"
WRONG = """# ANSWER 1.2
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].reshape(-1, 1, 1, 1)
    return (1 - beta) * x_prev + beta * noise"""
RUN = """id => { window.ran = null; const { content } = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.findIndex(cell => cell.model.id === id); content.deselectAll();
  window.jupyterapp.commands.execute('notebook:run-cell')
    .then(() => window.ran = true, () => window.ran = true) }"""
FRAGMENT = "fragment => window.jupyterapp.shell.currentWidget.setFragment(fragment)"


@pytest.fixture(scope="module")
def exercise() -> nbformat.NotebookNode:
    """Exercise 01 with a right answer to 1.1, a wrong one to 1.2, and 1.4 blank."""
    made = nbformat.read(ROOT / "exercises" / NAME, as_version=4)
    cells = {cell.id: cell for cell in made.cells}
    cells["answer-1-1"].source = "# ANSWER 1.1\nmy_signal_left = 0.39"
    cells["answer-1-2"].source = WRONG
    return made


@pytest.fixture(params=["Light", "Dark"])
def notebook(request, exercise, page, tmp_path):
    """The exercise in JupyterLab, its first cells and checks run; gives a function that finds a cell by its id."""
    for folder in ("exercises", "notebooks", "settings/@jupyterlab/apputils-extension"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / NAME, tmp_path / "notebooks")
    theme = {"theme": f"JupyterLab {request.param}"}
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    settings.write_text(json.dumps(theme))
    with jupyterlab(tmp_path, {f"exercises/{NAME}": copy.deepcopy(exercise)}) as address:
        open_notebook(page, address, f"exercises/{NAME}")
        page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
        for cell in exercise.cells:
            task = cell.id.rpartition("answer-")[2] if cell.id.startswith("answer-") else cell.id
            if cell.cell_type == "code" and not task.endswith(("1-3", "1-5")):
                page.evaluate(RUN, cell.id)
                page.wait_for_function("() => window.ran", timeout=120_000)
        places = [cell.id for cell in exercise.cells]
        yield lambda name: page.locator(f"{NOTEBOOK} .jp-Notebook .jp-Cell").nth(places.index(name))


def test_cards(notebook, page):
    solved, wrong, blank = (notebook(f"check-1-{task}") for task in (1, 2, 4))
    assert "✓ 1.1 solved: 1 point" in solved.locator(".dl-solved").inner_text()
    assert "1.1 solved, 1 point" not in solved.inner_text()  # the card stands for the line
    assert "✗ 1.2 is not right yet: variance-as-std" in wrong.locator(".dl-wrong").inner_text()
    assert "○ 1.4 is still blank" in blank.locator(".dl-blank").inner_text()
    for cell, line in ((wrong, "variance-as-std"), (blank, "1.4 not attempted yet")):
        assert cell.locator(".dl-card").count() == 1
        errors = cell.locator("[data-mime-type='application/vnd.jupyter.stderr']")
        assert [text.strip() for text in errors.all_inner_texts()] == [line]  # no traceback
    (film,) = page.get_by_text("Nothing to show yet: your answer to 1.4 is still blank").all()
    assert film.is_visible()

    hints = wrong.locator("summary")
    assert [hint.is_visible() for hint in hints.all()] == [True, False, False]
    hints.nth(0).press("Enter")
    hints.nth(1).press("Space")
    assert [hint.is_visible() for hint in hints.all()] == [True, True, True]
    assert ".reshape(-1, 1, 1, 1)" in wrong.locator("details details > p").first.inner_text()
    assert not wrong.get_by_text("With that beta, equation (1)").is_visible()

    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, context=".dl-card", options={"resultTypes": ["violations"]}).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:150]) for violation in found] == []

    link = wrong.get_by_role("link", name='lesson 01, section "2. Why the square roots?"')
    anchor = link.evaluate("link => link.hash")
    link.click()
    heading = page.locator(f"{NOTEBOOK} h2", has_text="2. Why the square roots?")
    heading.wait_for(timeout=60_000)
    assert page.evaluate("window.jupyterapp.shell.currentWidget.context.path") == f"notebooks/{NAME}"
    # JupyterLab goes to a section only of a lesson that is open already: here, the second time
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    page.evaluate(FRAGMENT, anchor)
    page.wait_for_timeout(500)
    assert 0 < heading.bounding_box()["y"] < 400
