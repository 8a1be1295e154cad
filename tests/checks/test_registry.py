"""A new exercise is a module, a notebook and a bank: everything else finds it by itself."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from diffusion_lab import checks
from diffusion_lab.checks import bank, build, registry
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.grading import answers, keys

MODULE = '''
"""Checks of exercise 77."""

from diffusion_lab.checks.engine import Exercise

exercise = Exercise("77", "Something new")
begin, hint, progress = exercise.begin, exercise.hint, exercise.progress


@exercise.task("77.1", "halve it", 2, "1. A section", hints=("Think.", "Divide.", "x / 2"))
def halve(x):
    """Half of x."""
    return x / 2


@halve.cases
def _(draw):
    yield (draw.normal(3),)


@halve.numbers
def _(halve, draw):
    return {"mean": halve(draw.normal(100) + 3).mean()}


exercise.explain("77.2", "why, in a sentence")
'''
BANK = 'RIGHT = {"halve": ["def my_halve(x):\\n    return 0.5 * x"]}\nWRONG, COMPOUND = {"halve": []}, {}\n'
SETUP = "from diffusion_lab.checks import something_new as check\n\nNONCE = 0\ncheck.begin(NONCE)"
ANSWER = "# ANSWER 77.1\ndef my_halve(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"
WHY = '# ANSWER 77.2\n### BEGIN SOLUTION\n# blank: why = " "\nwhy = "so"\n### END SOLUTION'


@pytest.fixture
def new(tmp_path, monkeypatch) -> Path:
    """A folder that adds an exercise: its module and its bank, found beside those of the package."""
    for package, source in ((checks, MODULE), (bank, BANK)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "something_new.py").write_text(source)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.endswith("something_new"):
            del sys.modules[name]
            package, _, attribute = name.rpartition(".")
            delattr(sys.modules[package], attribute)


def test_the_exercises_come_in_the_order_of_their_numbers():
    modules = registry.modules()
    numbers = [module.exercise.number for module in modules.values()]
    assert numbers == sorted(set(numbers))
    assert modules.keys().isdisjoint({"engine", "cells", "build", "registry", "mistakes", "outcomes", "bank"})
    assert all(isinstance(exercise, Exercise) for exercise in registry.notebooks().values())
    assert "01_forward_noising" in registry.notebooks()


def test_a_new_exercise_costs_a_module_a_notebook_and_a_bank(new, ask):
    assert list(registry.modules())[-1] == "something_new"
    assert list(registry.notebooks())[-1] == "77_something_new"
    check = registry.modules()["something_new"]
    right = bank.run_cell(bank.load("something_new").RIGHT["halve"][0])["my_halve"]
    printed = ask(check.halve, right)

    output = nbformat.v4.new_output("stream", name="stdout", text=printed)
    cells = [
        new_markdown_cell("Two tasks."),
        new_code_cell(SETUP, execution_count=1),
        new_markdown_cell("Give back half of `x`."),
        new_code_cell(ANSWER, execution_count=2),
        new_code_cell("check.halve(my_halve)", execution_count=3, outputs=[output]),
        new_markdown_cell("Why?"),
        new_code_cell(WHY, execution_count=4),
    ]
    solutions = new / "solutions"
    solutions.mkdir()
    (solutions / "77_something_new.ipynb").write_text(json.dumps(new_notebook(cells=cells)))
    build.build(solutions, new / "exercises")
    assert build.build(solutions, new / "exercises", check=True) == []

    key = keys.load("77", solutions)
    assert [task[:3] for task in key.tasks] == [("77.1", "Halve it", 2), ("77.2", "Why, in a sentence", 0)]
    assert answers.extract(key.solution, key).how == {"77.1": "marker", "77.2": "marker"}
    assert answers.extract(key.blank, key).sources == {}
    assert key.blank.cells[2].source == "## 77.1 Halve it (2 points)\n\nGive back half of `x`."
    assert key.blank.cells[0].source == "# Exercise 77 · Something new\n\nTwo tasks."


@pytest.mark.parametrize(
    ("number", "points", "error"), [("1.1", 1, "1.1 is declared twice"), ("1.2", 0, "1 or")]
)
def test_a_task_that_is_declared_wrong_is_refused_at_once(number, points, error):
    exercise = Exercise("01", "Made up")
    exercise.explain("1.1", "why")
    with pytest.raises(ValueError, match=error):
        exercise.task(number, "a task", points, "1. A section")(lambda x: x)
