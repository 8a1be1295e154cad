"""Exercises out of solutions: what is declared is written, what is taken out, kept and refused, and the command."""

import copy
import json
from pathlib import Path

import nbformat
import pytest

from diffusion_lab import cli
from diffusion_lab.checks import build, cells, registry
from diffusion_lab.checks.engine import Exercise

ANSWER = """# ANSWER 1.2
def f(x):
    y = 2 * x
    ### BEGIN SOLUTION
    z = y + 1
    return z
    ### END SOLUTION"""
WHY = '# ANSWER 1.3\n### BEGIN SOLUTION\n# blank: why = ""\nwhy = "so"\n### END SOLUTION'
PRINTED = {"output_type": "stream", "name": "stdout", "text": ["1.2 solved, 2 points: mean 1.000\n"]}


def code(name: str, source: str, outputs=(), **metadata) -> dict:
    source = source.splitlines(keepends=True)
    cell = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
    return cell | {"outputs": list(outputs), "execution_count": 3}


def text(name: str, source: str) -> dict:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": lines}


def notebook(*cells) -> dict:
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def exercise() -> Exercise:
    """A task in code, and a question."""
    made = Exercise("01", "Made up")

    @made.task("1.2", r"add, with $\eta$", 2, "1. One step", hints=("Think.", "Add.", "z = y + 1"))
    def f(x):
        return 2 * x + 1

    made.explain("1.3", "why, in a sentence")
    return made


@pytest.fixture
def solution() -> dict:
    """A solution as somebody writes it, with no label and no heading but one that is old."""
    return notebook(
        text("intro", "α and\nβ"),
        text("old", "## 1.1 An old title (1 point)\n\nAdd one."),
        code("data", "x = 1", [PRINTED]),
        code("answer", ANSWER, [PRINTED]),
        code("check", "check.f(my_f)", [PRINTED]),
        text("why-text", "Why?"),
        code("why", WHY, tags=["mine"]),
        code("last", "check.progress()", [PRINTED]),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch, exercise, solution) -> Path:
    """A folder with one solution, of the only exercise that there is."""
    monkeypatch.setattr(registry, "notebooks", lambda: {"01_a": exercise})
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "01_a.ipynb").write_text(json.dumps(solution), encoding="utf-8")
    return tmp_path


def read(path: Path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


# what is declared stands in the notebook


def test_headings_and_labels_are_written_as_declared(folder):
    build.build(folder / "solutions", folder / "exercises")
    for name in ("solutions", "exercises"):
        made = read(folder / name / "01_a.ipynb")
        nbformat.validate(made)
        assert made.metadata["diffusion_lab"] == {"exercise": "01"}
        assert made.metadata.kernelspec.name == "python3"
        of = {cell.id: cell for cell in made.cells}
        assert of["intro"].source == "# Exercise 01 · Made up\n\nα and\nβ"
        assert of["old"].source == "## 1.2 Add, with $\\eta$ (2 points)\n\nAdd one."
        assert of["why-text"].source == "## 1.3 Why, in a sentence (your instructor reads it)\n\nWhy?"
        assert cells.label(of["old"]) == ("1.2", "statement", "Add, with eta", 2, "1. One step", "Think.")
        assert cells.label(of["why-text"]) == ("1.3", "statement", "Why, in a sentence", 0, "", "")
        assert {name: cells.label(cell)[:2] for name, cell in of.items() if cells.label(cell)} == {
            "old": ("1.2", "statement"),
            "answer": ("1.2", "answer"),
            "check": ("1.2", "check"),
            "why-text": ("1.3", "statement"),
            "why": ("1.3", "answer"),
        }
        assert of["why"].metadata.tags == ["mine"]


def test_what_a_solution_computes_stays_as_it_is(folder, solution):
    build.build(folder / "solutions", folder / "exercises")
    made = json.loads((folder / "solutions" / "01_a.ipynb").read_text(encoding="utf-8"))
    for cell, old in zip(made["cells"], solution["cells"], strict=True):
        if cell["cell_type"] == "code":
            assert cell | {"metadata": 0} == old | {"metadata": 0}


def test_a_stale_title_points_or_label_is_found_and_written_anew(folder, exercise):
    build.build(folder / "solutions", folder / "exercises")
    places = [folder / name / "01_a.ipynb" for name in ("solutions", "exercises")]
    good = [path.read_text(encoding="utf-8") for path in places]

    def stale() -> list[Path]:
        return build.build(folder / "solutions", folder / "exercises", check=True)

    assert stale() == []
    exercise.declared["1.2"].title = "subtract"
    assert stale() == places
    exercise.declared["1.2"].title = r"add, with $\eta$"
    for old, new in (
        ("(2 points)", "(3 points)"),
        ('"points": 2', '"points": 3'),
        ('"role": "check"', '"x": 1'),
    ):
        changed = good[0].replace(old, new)
        assert changed != good[0]
        places[0].write_text(changed, encoding="utf-8")
        assert stale() == places[:1]
        assert build.build(folder / "solutions", folder / "exercises") == places[:1]
        assert [path.read_text(encoding="utf-8") for path in places] == good


def test_a_solution_whose_checks_have_printed_other_points_must_be_run_again(folder, exercise):
    exercise.declared["1.2"].points = 3
    with pytest.raises(ValueError, match=r"check: '1\.2 solved, 3 points: …' was wanted .* run the solution"):
        build.build(folder / "solutions", folder / "exercises")
    assert not (folder / "exercises").exists()


def test_a_heading_of_the_text_itself_is_not_overwritten(exercise, solution):
    solution["cells"][1]["source"] = ["### Background\n", "\n", "x"]
    solution["cells"][0]["source"] = ["# Exercise 07 · Old\n", "\n", "x"]
    made = build.labelled(solution, exercise)["cells"]
    assert "".join(made[1]["source"]) == "## 1.2 Add, with $\\eta$ (2 points)\n\n### Background\n\nx"
    assert "".join(made[0]["source"]) == "# Exercise 01 · Made up\n\nx"


def test_a_label_that_is_not_wanted_goes(exercise, solution):
    good = build.labelled(solution, exercise)
    solution["cells"][2]["metadata"] = {"diffusion_lab": {"task": "1.2", "role": "check"}, "tags": ["a"]}
    made = build.labelled(solution, exercise)
    assert made["cells"][2]["metadata"] == {"tags": ["a"]}
    assert made["cells"][3:] == good["cells"][3:]
    assert build.labelled(good, exercise) == good


def moved(name: str, to: int):
    def change(cells: list) -> None:
        cell = next(cell for cell in cells if cell["id"] == name)
        cells.remove(cell)
        cells.insert(to, cell)

    return change


def removed(*names: str):
    def change(cells: list) -> None:
        cells[:] = [cell for cell in cells if cell["id"] not in names]

    return change


def rewritten(name: str, **parts):
    def change(cells: list) -> None:
        next(cell for cell in cells if cell["id"] == name).update(parts)

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (removed("why"), r"one answer cell each, in this order, was wanted for 1\.2, 1\.3; got 1\.2$"),
        (removed("check"), r"one check cell each, in this order, was wanted for 1\.2; got none"),
        (lambda cells: cells.append(cells[3] | {"id": "b"}), "cell b: a cell of text above it was wanted"),
        (moved("check", 8), None),
        (lambda cells: cells.append(cells[4] | {"id": "b"}), r"one check cell .* 1\.2; got 1\.2, 1\.2"),
        (
            lambda cells: cells.extend([text("more", "x"), cells[3] | {"id": "b"}]),
            r"one answer cell .* got 1\.2, 1\.3, 1\.2",
        ),
        (removed("why-text"), "cell why: a cell of text above it was wanted"),
        (removed("intro", "old"), "cell answer: a cell of text above it was wanted"),
        (removed("old"), "cell answer: a cell of text above it was wanted"),
        (moved("data", 0), "a cell of text with the heading was wanted as the first one"),
        (rewritten("answer", source=["# ANSWER 1.7\n", "x"]), r"cell answer: no task 1\.7 is declared"),
        (rewritten("check", source=["check.g(my_g)"]), r"cell check: one of f was wanted, got check\.g"),
        (rewritten("why", source=["x = 1"]), r"one answer cell .* got 1\.2$"),
    ],
)
def test_a_solution_that_is_not_as_declared_is_refused(exercise, solution, change, error):
    change(solution["cells"])
    if error is None:
        build.labelled(solution, exercise)
    else:
        with pytest.raises(ValueError, match=error):
            build.labelled(solution, exercise)


@pytest.mark.parametrize(
    ("source", "called"),
    [
        ("check.f(my_f)", "f"),
        ("check.f(my_f, my_g)\n", "f"),
        ("check.progress()", "progress"),
        ('check.show(film, "1.2")', "show"),
        ("x = check.f(my_f)", ""),
        ("check = f(x)", ""),
        ("check.f(my_f)\ncheck.f(my_g)", ""),
        ("check.f", ""),
        ("other.f(my_f)", ""),
        ("!check.f(my_f)", ""),
        ("", ""),
    ],
)
def test_check_cells_are_told_from_others(source, called):
    assert build.called_check(source) == called


def test_a_notebook_of_no_exercise_that_is_declared_is_refused(folder):
    (folder / "solutions" / "02_b.ipynb").write_text(json.dumps(notebook()), encoding="utf-8")
    with pytest.raises(ValueError, match=r"02_b\.ipynb: one of 01_a was wanted as its name"):
        build.build(folder / "solutions", folder / "exercises")


# what gives way to a blank


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


def test_an_exercise_keeps_ids_and_no_outputs(folder):
    build.build(folder / "solutions", folder / "exercises")
    made = read(folder / "exercises" / "01_a.ipynb")
    of = {cell.id: cell for cell in made.cells}
    assert list(of) == ["intro", "old", "data", "answer", "check", "why-text", "why", "last"]
    assert (made.nbformat, made.nbformat_minor) == (4, 5)
    for name in ("data", "answer", "check", "why", "last"):
        assert (of[name].execution_count, of[name].outputs) == (None, [])
    assert "SOLUTION" not in str(made)
    assert of["why"].source == '# ANSWER 1.3\nwhy = ""'


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (rewritten("data", id="answer"), "ids must differ.*: answer"),
        (lambda cells: cells[0].pop("id"), "wants an id.*'# Exercise 01"),
        (rewritten("answer", metadata={}), "cell answer: a cell with a solution .* # ANSWER 1.2, and have a"),
        (rewritten("data", source=["### BEGIN SOLUTION\n", "1"]), "cell data: .*END SOLUTION"),
        (rewritten("check", outputs=[]), "cell check: .*run the solution first"),
        (rewritten("check", outputs=[PRINTED, PRINTED | {"name": "stderr"}]), "cell check: .*nothing else"),
        (rewritten("check", outputs=[PRINTED | {"text": "1.2 solved"}]), "cell check: '1.2 solved, 2 points"),
    ],
)
def test_solutions_that_do_not_fit_are_refused_by_cell(exercise, solution, change, error):
    made = copy.deepcopy(build.labelled(solution, exercise))
    change(made["cells"])
    with pytest.raises(ValueError, match=error):
        build.exercise(made)


# the command


def test_the_command_finds_the_folder_writes_once_and_then_has_nothing_to_do(folder, monkeypatch, capsys):
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    before = (folder / "solutions" / "01_a.ipynb").read_bytes()
    assert cli.main(["build-exercises", "--check"]) == 1
    out = capsys.readouterr().out
    for name in ("solutions", "exercises"):
        assert f"{folder / name / '01_a.ipynb'}: stale" in out
    assert not (folder / "exercises").exists()
    assert (folder / "solutions" / "01_a.ipynb").read_bytes() == before
    assert cli.main(["build-exercises"]) == 0
    out = capsys.readouterr().out
    for name in ("solutions", "exercises"):
        assert f"{folder / name / '01_a.ipynb'}: written" in out
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
    stale = build.build(folder / "solutions", folder / "exercises", check=True)
    assert stale == [folder / "exercises" / "02_b.ipynb"]


@pytest.mark.parametrize(
    "broken", ["", "<html>", "{}", "[]", json.dumps(notebook(code("a", "x"), code("a", "x")))]
)
@pytest.mark.usefixtures("unchecked")
def test_one_broken_solution_and_nothing_is_written(folder, exercise, monkeypatch, capsys, broken):
    monkeypatch.setattr(registry, "notebooks", lambda: {"01_a": exercise, "02_b": exercise})
    before = (folder / "solutions" / "01_a.ipynb").read_bytes()
    (folder / "solutions" / "02_b.ipynb").write_text(broken)
    assert cli.main(["build-exercises", "--source", str(folder / "solutions")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "02_b.ipynb: " in err
    assert not (folder / "exercises").exists()
    assert (folder / "solutions" / "01_a.ipynb").read_bytes() == before


def test_no_solutions_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["build-exercises"]) == 2
    assert "add --source" in capsys.readouterr().err
    assert cli.main(["build-exercises", "--source", "nowhere"]) == 2
    assert "no notebooks in nowhere" in capsys.readouterr().err
