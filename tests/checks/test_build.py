"""Exercises out of solutions: what is taken out, what is kept, what is refused, and the command."""

import json
from pathlib import Path

import nbformat
import pytest

from diffusion_lab import cli
from diffusion_lab.checks import build

ANSWER = """# ANSWER 1.2
def f(x):
    y = 2 * x
    ### BEGIN SOLUTION
    z = y + 1
    return z
    ### END SOLUTION"""
PRINTED = {"output_type": "stream", "name": "stdout", "text": ["1.2 solved\n"]}


def code(name: str, source: str, outputs=(), **metadata) -> dict:
    source = source.splitlines(keepends=True)
    cell = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
    return cell | {"outputs": list(outputs), "execution_count": 3}


def notebook(*cells) -> dict:
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with one solution."""
    text = {"cell_type": "markdown", "id": "text", "metadata": {}, "source": ["α and\n", "β"]}
    check = code("check", "check.f(my_f)", [PRINTED])
    made = notebook(
        text, code("answer", ANSWER, [PRINTED]), check, code("last", "check.progress()", [PRINTED])
    )
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "01_a.ipynb").write_text(json.dumps(made), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "blank"),
    [
        ("x = 1", "x = 1"),
        (ANSWER, "# ANSWER 1.2\ndef f(x):\n    y = 2 * x\n    return None  # your code here"),
        ("### BEGIN SOLUTION\n# blank: x = None\nx = 1\n### END SOLUTION\ny = 2", "x = None\ny = 2"),
        (
            "### BEGIN SOLUTION\n# blank: x = None\n# blank: y = ...\nx = y = 1\n### END SOLUTION",
            "x = None\ny = ...",
        ),
        (
            "for k in x:\n    ### BEGIN SOLUTION\n    # blank: pass\n    k()\n    ### END SOLUTION",
            "for k in x:\n    pass",
        ),
        (
            "class A:\n    def f():\n        ### BEGIN SOLUTION\n        pass\n        ### END SOLUTION",
            "class A:\n    def f():\n        return None  # your code here",
        ),
    ],
)
def test_solutions_give_way_to_blanks_that_run(source, blank):
    assert build.blanked(source) == blank
    compile(blank, "blank", "exec")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("### BEGIN SOLUTION\nx = 1", "no ### END SOLUTION after"),
        ("x = 1\n### END SOLUTION", "no ### BEGIN SOLUTION before"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "twice"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "must say its blank"),
    ],
)
def test_markers_that_do_not_fit_are_refused(source, error):
    with pytest.raises(ValueError, match=error):
        build.blanked(source)


def test_an_exercise_keeps_ids_and_tags_and_the_outputs_of_checks_only(folder):
    build.build(folder / "solutions", folder / "exercises")
    made = nbformat.read(folder / "exercises" / "01_a.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(made)
    text, answer, check, last = made.cells
    assert [cell.id for cell in made.cells] == ["text", "answer", "check", "last"]
    assert (made.nbformat, made.nbformat_minor) == (4, 5)
    assert text.source == "α and\nβ"
    assert answer.metadata.tags == ["answer"]
    assert check.metadata.tags == ["check"]
    assert (check.execution_count, check.outputs[0].text) == (3, "1.2 solved\n")
    assert "tags" not in last.metadata
    for cell in (answer, last):
        assert (cell.execution_count, cell.outputs) == (None, [])
    assert "SOLUTION" not in str(made)


def test_tags_of_the_author_stay():
    made = build.exercise(notebook(code("why", "# ANSWER 1.5\nx = ''", tags=["explain"])))
    assert made["cells"][0]["metadata"]["tags"] == ["answer", "explain"]


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        ([code("a", "x = 1"), code("a", "x = 2")], "ids must differ.*: a"),
        ([{"cell_type": "markdown", "metadata": {}, "source": "one"}], "wants an id.*'one'"),
        ([code("a", ANSWER.replace("# ANSWER 1.2\n", ""))], "cell a: the first line .* # ANSWER 1.2"),
        ([code("a", "# ANSWER 1.2\n### BEGIN SOLUTION\n1")], "cell a: .*END SOLUTION"),
        ([code("a", "check.f(my_f)")], "cell a: .*run the solution first"),
        ([code("a", "check.f(my_f)", [PRINTED, PRINTED | {"name": "stderr"}])], "cell a: .*nothing else"),
    ],
)
def test_solutions_that_do_not_fit_are_refused_by_cell(cells, error):
    with pytest.raises(ValueError, match=error):
        build.exercise(notebook(*cells))


@pytest.mark.parametrize(
    ("source", "tagged"),
    [
        ("check.f(my_f)", True),
        ("check.f(my_f, my_g)\n", True),
        ("check.progress()", False),
        ('check.hint("1.2")', False),
        ("check.begin(NONCE)", False),
        ("x = check.f(my_f)", False),
        ("check = f(x)", False),
    ],
)
def test_check_cells_are_told_from_others(source, tagged):
    assert bool(build.CHECK.fullmatch(source)) == tagged


# the command


def test_the_command_finds_the_folder_writes_once_and_then_has_nothing_to_do(folder, monkeypatch, capsys):
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    assert cli.main(["build-exercises", "--check"]) == 1
    assert "01_a.ipynb: stale" in capsys.readouterr().out
    assert not (folder / "exercises").exists()
    assert cli.main(["build-exercises"]) == 0
    assert "01_a.ipynb: written" in capsys.readouterr().out
    assert cli.main(["build-exercises", "--check"]) == 0
    assert cli.main(["build-exercises"]) == 0
    assert "written" not in capsys.readouterr().out


def test_the_command_takes_an_instructors_own_folders(folder, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    out = tmp_path / "handed out"
    arguments = ["build-exercises", "--source", str(folder / "solutions"), "--out", str(out)]
    assert cli.main(arguments) == 0
    assert (out / "01_a.ipynb").is_file()
    (out / "01_a.ipynb").write_text("edited by hand")
    assert cli.main([*arguments, "--check"]) == 1


def test_an_exercise_with_no_solution_is_stale(folder, capsys):
    build.build(folder / "solutions", folder / "exercises")
    (folder / "exercises" / "02_b.ipynb").write_text("{}")
    assert build.build(folder / "solutions", folder / "exercises", check=True) == ["02_b.ipynb"]


@pytest.mark.parametrize(
    "broken", ["", "<html>", "{}", "[]", json.dumps(notebook(code("a", "x"), code("a", "x")))]
)
@pytest.mark.usefixtures("unchecked")
def test_one_broken_solution_and_nothing_is_written(folder, capsys, broken):
    (folder / "solutions" / "02_b.ipynb").write_text(broken)
    assert cli.main(["build-exercises", "--source", str(folder / "solutions")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "02_b.ipynb: " in err
    assert not (folder / "exercises").exists()


def test_no_solutions_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["build-exercises"]) == 2
    assert "add --source" in capsys.readouterr().err
    assert cli.main(["build-exercises", "--source", "nowhere"]) == 2
    assert "no notebooks in nowhere" in capsys.readouterr().err
