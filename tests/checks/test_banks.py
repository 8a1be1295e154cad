"""Answers as students write them: every right one accepted, every wrong one called by its name."""

import pkgutil
import subprocess
import sys

import pytest

from diffusion_lab.checks import bank, mistakes, registry
from diffusion_lab.checks.engine import Guess, Mistaken, Unsolved

MODULES = registry.modules()


def tasks(name: str) -> dict:
    return {task.name: task for task in MODULES[name].exercise.tasks.values()}


def rows(table: str):
    for name in MODULES:
        for check, answers in getattr(bank.load(name), table).items():
            for k, row in enumerate(answers):
                label = row[0] if table == "WRONG" else ""
                yield pytest.param(name, check, row, id=f"{check}-{k}-{label}".strip("-"))


@pytest.fixture(autouse=True)
def fresh():
    for module in MODULES.values():
        module.begin(0)


def test_there_is_a_bank_for_every_exercise():
    banks = {found.name for found in pkgutil.iter_modules(bank.__path__)}
    assert banks == MODULES.keys()
    assert len(banks) >= 10


def test_nobody_who_does_an_exercise_imports_a_bank():
    code = (
        "import sys; import diffusion_lab; from diffusion_lab import cli\n"
        "from diffusion_lab.checks import forward_noising as check; check.begin(0)\n"
        "print([name for name in sys.modules if name.startswith('diffusion_lab.checks.bank')], check.__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[] diffusion_lab.checks.forward_noising\n"


def answer(check: str, source: str):
    return bank.run_cell(source)[f"my_{check}"]


@pytest.mark.parametrize("name", MODULES)
def test_every_task_has_its_rows(name):
    answers = bank.load(name)
    for check, task in tasks(name).items():
        assert getattr(MODULES[name], check) is task
        assert len(answers.RIGHT[check]) >= 3
        known = {row[0] for row in [*task.wrongs, *task.probes]}
        named = {row[0] for row in answers.WRONG[check]}
        assert known <= named, f"{check}: no row for {known - named}"
        assert isinstance(task, Guess) or answers.COMPOUND[check]
        assert len(task.hints) == 3
        assert set(answers.RIGHT) == set(answers.WRONG) == set(tasks(name))


@pytest.mark.parametrize(("name", "check", "source"), list(rows("RIGHT")))
def test_right_answers_are_accepted_and_print_what_the_key_prints(ask, name, check, source):
    task, printed = tasks(name)[check], set()
    for nonce in (0, 1, 2, "a word"):
        MODULES[name].begin(nonce)
        outcome = ask(task, answer(check, source))
        assert not isinstance(outcome, Unsolved), outcome
        key = task.middle(task.rights[""]) if isinstance(task, Guess) else task.rights[""]
        assert outcome == ask(task, key)
        printed.add(outcome)
    assert len(printed) == 4, "the numbers do not depend on the nonce"


@pytest.mark.parametrize(("name", "check", "row"), list(rows("WRONG")))
def test_wrong_answers_are_named(ask, name, check, row):
    expected, source = row
    for nonce in (0, 1, 2):
        MODULES[name].begin(nonce)
        outcome = ask(tasks(name)[check], answer(check, source))
        assert isinstance(outcome, Mistaken), outcome
        assert outcome.name == expected, outcome
        assert str(outcome).startswith(f"{expected}: ")


@pytest.mark.parametrize(("name", "check", "row"), list(rows("COMPOUND")))
def test_a_mistake_that_is_not_there_is_not_named(ask, name, check, row):
    allowed, source = row
    for nonce in (0, 1, 2):
        MODULES[name].begin(nonce)
        outcome = ask(tasks(name)[check], answer(check, source))
        assert isinstance(outcome, Mistaken), outcome
        assert outcome.name in allowed or outcome.name not in mistakes.CATALOGUE, outcome


@pytest.mark.parametrize("name", MODULES)
def test_every_wrong_formula_is_told_from_the_others(ask, name):
    for task in tasks(name).values():
        for mistake, _, formula in task.wrongs:
            outcome = ask(task, task.middle(formula) if isinstance(task, Guess) else formula)
            assert isinstance(outcome, Mistaken), (task.name, mistake, outcome)
            assert outcome.name == mistake, (task.name, mistake, outcome)
