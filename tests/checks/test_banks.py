"""Answers as students write them: every right one accepted, every wrong one called by its name.

A bank, ``bank/<exercise>.py``, has three tables by the name of the check:

- RIGHT: sources to be accepted, at least three a task;
- WRONG: (name, source), to be given that name; every mistake that the task knows has one;
- COMPOUND: (names, source), wrong in more than one way or in a way with no name: to be given one of the
names, or none.
"""

import importlib
from pathlib import Path

import pytest
from answers import student

import diffusion_lab.checks
from diffusion_lab.checks import mistakes
from diffusion_lab.checks.engine import Guess, Mistaken, Unsolved

BANKS = {path.stem: path for path in sorted((Path(__file__).parent / "bank").glob("*.py"))}
MODULES = {
    path.stem: importlib.import_module(f"diffusion_lab.checks.{path.stem}")
    for path in sorted(Path(diffusion_lab.checks.__file__).parent.glob("*.py"))
    if "exercise = Exercise(" in path.read_text(encoding="utf-8")
}


def tables(name: str):
    specification = importlib.util.spec_from_file_location(f"bank_{name}", BANKS[name])
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def tasks(name: str) -> dict:
    return {task.name: task for task in MODULES[name].exercise.tasks.values()}


def rows(table: str):
    for name in BANKS:
        if name in MODULES:
            for check, answers in getattr(tables(name), table).items():
                for k, row in enumerate(answers):
                    label = row[0] if table == "WRONG" else ""
                    yield pytest.param(name, check, row, id=f"{check}-{k}-{label}".strip("-"))


@pytest.fixture(autouse=True)
def fresh():
    for module in MODULES.values():
        module.begin(0)


def answer(check: str, source: str):
    return student(source)[f"my_{check}"]


@pytest.mark.parametrize("name", MODULES)
def test_every_task_has_its_rows(name):
    bank = tables(name)
    for check, task in tasks(name).items():
        assert getattr(MODULES[name], check) is task
        assert len(bank.RIGHT[check]) >= 3
        known = {row[0] for row in [*task.wrongs, *task.probes]}
        named = {row[0] for row in bank.WRONG[check]}
        assert known <= named, f"{check}: no row for {known - named}"
        assert isinstance(task, Guess) or bank.COMPOUND[check]
        assert len(task.hints) == 3
        assert set(bank.RIGHT) == set(bank.WRONG) == set(tasks(name))


@pytest.mark.parametrize(("name", "check", "source"), list(rows("RIGHT")))
def test_right_answers_are_accepted_and_print_what_the_key_prints(ask, name, check, source):
    task, printed = tasks(name)[check], set()
    for nonce in (0, 1, 2, "a word"):
        MODULES[name].begin(nonce)
        said = ask(task, answer(check, source))
        assert not isinstance(said, Unsolved), said
        key = task.middle(task.rights[""]) if isinstance(task, Guess) else task.rights[""]
        assert said == ask(task, key)
        printed.add(said)
    assert len(printed) == 4, "the numbers do not depend on the nonce"


@pytest.mark.parametrize(("name", "check", "row"), list(rows("WRONG")))
def test_wrong_answers_are_named(ask, name, check, row):
    expected, source = row
    for nonce in (0, 1, 2):
        MODULES[name].begin(nonce)
        said = ask(tasks(name)[check], answer(check, source))
        assert isinstance(said, Mistaken), said
        assert said.name == expected, said
        assert str(said).startswith(f"{expected}: ")


@pytest.mark.parametrize(("name", "check", "row"), list(rows("COMPOUND")))
def test_a_mistake_that_is_not_there_is_not_named(ask, name, check, row):
    allowed, source = row
    for nonce in (0, 1, 2):
        MODULES[name].begin(nonce)
        said = ask(tasks(name)[check], answer(check, source))
        assert isinstance(said, Mistaken), said
        assert said.name in allowed or said.name not in mistakes.CATALOGUE, said


@pytest.mark.parametrize("name", MODULES)
def test_every_wrong_formula_is_told_from_the_others(ask, name):
    for task in tasks(name).values():
        for mistake, _, formula in task.wrongs:
            said = ask(task, task.middle(formula) if isinstance(task, Guess) else formula)
            assert isinstance(said, Mistaken), (task.name, mistake, said)
            assert said.name == mistake, (task.name, mistake, said)
