"""Cleaning notebooks: what goes, what stays, and that a check changes nothing."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.clean_notebooks import main

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
