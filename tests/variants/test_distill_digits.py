"""The tool that distils the shipped digits: it writes a model, replaces none unasked, and says in one line why not."""

import sys
from pathlib import Path

import pytest
import torch

import diffusion_lab as dl

sys.path.append(str(Path(__file__).parent.parent.parent / "tools"))
import distill_digits

FILE = "consistency.safetensors"


@pytest.fixture
def command(monkeypatch, digits, tmp_path):
    """Run the tool on scikit-learn's digits, for one small step."""

    def run(*flags) -> Path:
        usual = ("--out", tmp_path, "--steps", 1, "--batch-size", 4, "--levels", 2)
        monkeypatch.setattr(sys, "argv", ["distill_digits.py", *map(str, (*usual, *flags))])
        with torch.random.fork_rng():
            distill_digits.main()
        return tmp_path / FILE

    monkeypatch.setattr(dl.data, "mnist", lambda: digits)
    return run


def test_it_writes_a_model_and_replaces_it_only_when_told(command, capsys):
    file = command()
    model, before = dl.load_model(file), file.read_bytes()
    assert (model.objective, model.model.config["width"]) == ("v", 32)
    assert "- optimiser steps done: 1 of 1" in model.card
    assert "- data: sklearn" in model.card
    with pytest.raises(SystemExit) as stop:
        command("--seed", 1)
    assert stop.value.code == 1
    assert f"{file} is there already: add --force to replace it" in capsys.readouterr().err
    assert file.read_bytes() == before
    command("--seed", 1, "--force")
    assert file.read_bytes() != before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--student", "mini-sd"), "the student must be one network that draws digits, got mini-sd"),
        (("--student", "digits-flow"), "the student must have the teacher's objective, v"),
        (("--student", "nosuch"), "there is no file nosuch"),
        (("--student", "judge"), "name='judge' is not known"),
        (("--steps", 0), "num_steps must be at least 1, got 0"),
        (("--levels", 0), "levels must lie in 1 … 1000, got 0"),
        (("--batch-size", 100_000), "batch_size=100000 is more than"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said_in_one_line(command, capsys, tmp_path, flags, message):
    with pytest.raises(SystemExit) as stop:
        command(*flags)
    assert stop.value.code == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"distill_digits.py: {message}")
    assert not (tmp_path / FILE).exists()
