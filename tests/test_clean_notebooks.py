"""Cleaning notebooks: what goes, what stays, and that a check changes nothing."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from diffusion_lab.checks import cells
from diffusion_lab.checks.cells import Label
from tools import clean_notebooks
from tools.clean_notebooks import clean, main

ROOT = Path(__file__).parents[1]

KERNEL = {"name": "env", "display_name": "Python (env)", "language": "python"}


@pytest.fixture
def dirty(tmp_path):
    """A notebook as an editor leaves it, with a progress bar in its outputs."""
    outputs = [
        new_output("stream", name="stderr", text="100%"),
        new_output("stream", name="stdout", text="kept"),
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}),
    ]
    cell = new_code_cell("print('kept')", outputs=outputs, execution_count=3)
    cell.metadata = {"tags": ["setup"], "execution": {"iopub.execute_input": "now"}}
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=[cell], metadata={"widgets": {}, "kernelspec": KERNEL}), path)
    return path


def test_what_differs_from_run_to_run_goes_and_the_rest_stays(dirty, capsys):
    assert main([str(dirty)]) == 1
    assert capsys.readouterr().out == f"cleaned {dirty}\n"
    notebook = nbformat.read(dirty, as_version=4)
    (cell,) = notebook.cells
    assert [output.text for output in cell.outputs] == ["kept"]
    assert cell.execution_count == 3
    assert cell.metadata == {"tags": ["setup"]}
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    assert main([str(dirty)]) == 0


def test_a_check_names_the_file_and_changes_nothing(dirty, capsys):
    before = dirty.read_bytes()
    assert main(["--check", str(dirty)]) == 1
    assert str(dirty) in capsys.readouterr().out
    assert dirty.read_bytes() == before
    main([str(dirty)])
    capsys.readouterr()
    assert main(["--check", str(dirty)]) == 0
    assert capsys.readouterr().out == ""


def cleaned(**metadata) -> dict:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", metadata=metadata)])
    clean(notebook)
    return notebook.cells[0].metadata


def test_the_label_of_a_cell_stays():
    label = cells.labelled({}, Label("1.2", cells.STATEMENT, "A title", 2, "1. One step", "Think."))
    assert cleaned(**label, execution={"iopub.status.busy": "now"}) == label
    assert clean_notebooks.LABEL == cells.KEY


@pytest.mark.parametrize("metadata", [{"tags": ["remove-cell"]}, {"cellView": "form"}])
def test_what_folds_or_tags_a_cell_stays(metadata):
    assert cleaned(**metadata, trusted=True, collapsed=False) == metadata


def test_what_is_folded_in_jupyterlab_is_folded_on_the_site_and_the_other_way_round():
    both = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
    assert cleaned(jupyter={"source_hidden": True}) == cleaned(tags=["hide-input"]) == both
    not_on_the_site = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
    assert cleaned(**not_on_the_site) == not_on_the_site


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
    clean(notebook)
    assert set(notebook.metadata) == {"diffusion_lab", "kernelspec", "language_info"}
    assert cells.exercise(notebook) == "01"


@pytest.mark.parametrize("path", sorted((ROOT / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_stored_solution_is_clean(path, tmp_path, capsys):
    copy = shutil.copy(path, tmp_path)
    assert main([str(copy)]) == 0
    assert capsys.readouterr().out == ""
    assert Path(copy).read_bytes() == path.read_bytes()
