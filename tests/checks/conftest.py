"""Asking a check about an answer."""

import pytest

from diffusion_lab.checks.engine import Unsolved


@pytest.fixture
def ask(capsys):
    """Ask a check: what it prints if it accepts the answer, or what it raises."""

    def ask(task, answer) -> str | Unsolved:
        capsys.readouterr()
        try:
            task(answer)
        except Unsolved as unsolved:
            return unsolved
        return capsys.readouterr().out

    return ask
