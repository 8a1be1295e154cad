"""A plugin of pytest: what the checks of the course's exercises must print, for ``pytest --nbval`` to compare with.

Exercises ship with no outputs. When nbval has collected one, the lines that its checks print when the tasks are
solved are worked out by the package, and take the place of whatever the file holds. Other notebooks are left alone.

It stands outside the package, for pytest loads it at every start, and ``import diffusion_lab`` imports torch.
"""

import pytest

KEY = "diffusion_lab"  # as in diffusion_lab.checks.cells


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the expected lines into the exercises that nbval has collected."""
    if not (config.getoption("nbval", False) or config.getoption("nbval_lax", False)):
        return
    checks = {}  # by the file: the cells of its checks
    for item in items:
        notebook = getattr(item.parent, "nb", None)
        if notebook is not None and item.parent not in checks:
            checks[item.parent] = _prepare(item.parent) if _is_exercise(notebook) else []
        if any(item.cell is cell for cell in checks.get(item.parent, ())):
            # a mark in the notebook does not switch its check off
            item.options.update(check=True, skip=False, check_exception=False)


def _is_exercise(notebook) -> bool:
    entry = notebook.metadata.get(KEY)
    return isinstance(entry, dict) and "exercise" in entry


def _prepare(file: pytest.File) -> list:
    """Replace what the checks of an exercise have stored by what they must print; gives their cells.

    Nothing else is compared there: what other cells have stored goes. In a solution it stays.
    """
    from nbformat.v4 import new_output

    from diffusion_lab.checks import expected

    notebook, checks = file.nb, []
    try:
        lines = expected.check_lines(notebook)
    except ValueError as error:
        raise pytest.UsageError(f"{file.path}: {error}") from error
    is_solution = expected.is_solution(notebook)
    for place, cell in enumerate(notebook.cells):
        if place in lines:
            # nbval never compares a cell that seems not to have been run
            cell.execution_count = 1
            cell.outputs = [new_output("stream", name="stdout", text=f"{lines[place]}\n")]
            checks.append(cell)
        elif cell.cell_type == "code" and not is_solution:
            cell.execution_count, cell.outputs = None, []
    return checks
