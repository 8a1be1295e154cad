"""What nbval compares an exercise with: lines from the package, and nothing that a file says of itself."""

import copy
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import entry_points
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import cells, expected, registry

ROOT = Path(__file__).parents[2]


def read(folder: str, name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / folder / f"{name}.ipynb", as_version=4)


@pytest.fixture
def exercise() -> nbformat.NotebookNode:
    return read("exercises", "01_forward_noising")


@pytest.mark.parametrize("name", registry.notebooks())
def test_the_lines_are_those_that_the_solution_has_printed(name):
    solution, exercise = read("solutions", name), read("exercises", name)
    lines = expected.check_lines(exercise)
    assert lines == expected.check_lines(solution)
    assert {place: f"{line}\n" for place, line in lines.items()} == {
        place: cell.outputs[0].text
        for place, cell in enumerate(solution.cells)
        if (label := cells.label(cell)) and label.role == cells.CHECK
    }
    assert expected.is_solution(solution)
    assert not expected.is_solution(exercise)


@pytest.mark.parametrize("line", ["NONCE = 7", "NONCE = 'spring'", "NONCE=7  # ours"])
def test_the_lines_follow_the_nonce_of_the_notebook(exercise, line):
    shipped = expected.check_lines(exercise)
    (cell,) = [cell for cell in exercise.cells if "NONCE = 0" in cell.source]
    cell.source = cell.source.replace("NONCE = 0", line)
    lines = expected.check_lines(exercise)
    assert lines.keys() == shipped.keys()
    assert not set(lines.values()) & set(shipped.values())
    assert registry.notebooks()["01_forward_noising"].nonce == 0


@pytest.mark.parametrize("line", ["NONCE = 3 * 4", "# NONCE = 7", "x = 1"])
def test_a_nonce_that_cannot_be_read_is_that_of_an_exercise_as_it_ships(exercise, line):
    shipped = expected.check_lines(exercise)
    (cell,) = [cell for cell in exercise.cells if "NONCE = 0" in cell.source]
    cell.source = cell.source.replace("NONCE = 0", line)
    assert expected.check_lines(exercise) == shipped


def test_a_check_that_has_lost_its_label_is_known_by_its_call(exercise):
    shipped = expected.check_lines(exercise)
    for cell in exercise.cells:
        cell.metadata.pop("diffusion_lab", None)
    assert expected.check_lines(exercise) == shipped


def test_an_exercise_that_the_package_does_not_have(exercise):
    exercise.metadata.diffusion_lab.exercise = "77"
    with pytest.raises(ValueError, match=r"one of the exercises 01, .* was wanted, got '77'"):
        expected.check_lines(exercise)


# the plugin


def test_pytest_finds_the_plugin():
    found = [point for point in entry_points(group="pytest11") if point.value == "pytest_diffusion_lab"]
    assert found, "install the package again, which now has a plugin: pip install -e ."


def test_the_plugin_costs_nothing_at_the_start():
    slow = "{'torch', 'nbval', 'nbformat', 'diffusion_lab'}"
    code = f"import sys, pytest, pytest_diffusion_lab; print(sorted({slow} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def nbval(folder: Path) -> dict[str, str]:
    """Run nbval over a folder; gives a letter for every code cell of each file: passed, failed or skipped."""
    flags = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", f"--junitxml={folder / 'junit.xml'}"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *flags, "."], cwd=folder, capture_output=True)
    letters: dict[str, str] = {}
    for case in ET.parse(folder / "junit.xml").iter("testcase"):
        tags = {child.tag for child in case}
        letter = "s" if "skipped" in tags else "F" if tags & {"failure", "error"} else "."
        name = case.get("classname").removesuffix(".ipynb").split(".")[-1]
        letters[name] = letters.get(name, "") + letter
    return letters


@pytest.mark.notebook
def test_what_a_file_has_stored_is_of_no_use(exercise, tmp_path):
    """One with forged outputs and marks; one whose checks do not check; a notebook of somebody else."""
    lines = expected.check_lines(exercise)
    kept = [cell for cell in exercise.cells if cell.cell_type == "code"][1:10]  # to the check of 1.4
    forged = copy.deepcopy(exercise)
    forged.cells = copy.deepcopy(kept)
    for cell in forged.cells:
        label = cells.label(cell)
        cell.execution_count, cell.outputs = 1, [nbformat.v4.new_output("stream", text="forged")]
        if label and label.role == cells.CHECK:
            cell.metadata.tags = ["raises-exception", "nbval-skip", "nbval-ignore-output"]
            cell.source = f"# NBVAL_SKIP\n{cell.source}"
    nbformat.write(forged, tmp_path / "forged.ipynb")

    printing = copy.deepcopy(forged)
    for cell in printing.cells[2::2]:
        cell.source = "print('1.1 solved, 1 point')"
        cell.outputs = [nbformat.v4.new_output("stream", text="1.1 solved, 1 point\n")]
    nbformat.write(printing, tmp_path / "printing.ipynb")

    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    other.cells[0].execution_count = 1
    other.cells[0].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    nbformat.write(other, tmp_path / "other.ipynb")

    assert len(lines) == 5
    assert nbval(tmp_path) == {"forged": "..F.F.F.F", "printing": "..F.F.F.F", "other": "F"}
