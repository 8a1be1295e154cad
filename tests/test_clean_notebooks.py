"""What is taken out of a notebook before it is stored, and what stays."""

import runpy
import shutil
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import cells
from diffusion_lab.checks.cells import Label

ROOT = Path(__file__).parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "clean_notebooks.py"))


def cleaned(**metadata) -> dict:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", metadata=metadata)])
    TOOL["clean"](notebook)
    return notebook.cells[0].metadata


def test_the_label_of_a_cell_stays():
    label = cells.labelled({}, Label("1.2", cells.STATEMENT, "A title", 2, "1. One step", "Think."))
    assert cleaned(**label, execution={"iopub.status.busy": "now"}) == label
    assert TOOL["LABEL"] == cells.KEY


@pytest.mark.parametrize(
    "metadata", [{"tags": ["remove-cell"]}, {"cellView": "form"}, {"jupyter": {"source_hidden": True}}]
)
def test_what_folds_or_tags_a_cell_stays(metadata):
    assert cleaned(**metadata, trusted=True, collapsed=False) == metadata


def test_what_an_editor_writes_goes():
    written = {
        "jupyter": {"outputs_hidden": True, "source_hidden": False},
        "scrolled": True,
        "vscode": {"languageId": "python"},
        "execution": {},
        "id": "x",
    }
    assert cleaned(**written) == {}


def test_which_exercise_it_is_stays_and_the_rest_of_a_notebook_goes():
    notebook = nbformat.v4.new_notebook(
        metadata={"diffusion_lab": {"exercise": "01"}, "widgets": {}, "colab": 1}
    )
    TOOL["clean"](notebook)
    assert set(notebook.metadata) == {"diffusion_lab", "kernelspec", "language_info"}
    assert cells.exercise(notebook) == "01"


@pytest.mark.parametrize("path", sorted((ROOT / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_stored_solution_is_clean(path, tmp_path, capsys):
    copy = shutil.copy(path, tmp_path)
    assert TOOL["main"]([str(copy)]) == 0
    assert capsys.readouterr().out == ""
    assert Path(copy).read_bytes() == path.read_bytes()
