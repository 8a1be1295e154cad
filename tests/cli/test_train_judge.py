"""`train judge`: the classifier, and what real digits score."""

import os
import re
import signal
import sys

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import data, evaluation


@pytest.fixture
def few_digits(monkeypatch):
    """256 digits that pass for MNIST: two steps an epoch."""
    digits = data.Digits(*(part[:256] for part in data.sklearn_digits()[:2]), "mnist")
    monkeypatch.setattr(data, "mnist", lambda train=True: digits)
    return digits


def lines_of_losses(folder) -> list[str]:
    return (folder / "judge-loss.csv").read_text().splitlines()


def test_train_judge(command, refused, monkeypatch, tmp_path, few_digits):
    code, out, _ = command("train", "judge", "--epochs", 1, "--out", tmp_path)
    assert code == 0
    assert re.search(r"accuracy on the test images: \d+\.\d\d%", out)
    assert out.endswith(f"done after 2 of 2 steps: {tmp_path / 'judge.safetensors'}\n")
    reference = dl.load_judge(tmp_path / "judge.safetensors").reference
    assert torch.equal(reference.class_counts, few_digits.labels.bincount())
    header, *losses = lines_of_losses(tmp_path)
    assert header == "step,loss"
    assert [line.partition(",")[0] for line in losses] == ["1", "2"]
    assert "is there already" in refused("train judge", "--out", tmp_path)
    (tmp_path / "judge.safetensors").unlink()
    assert f"{tmp_path / 'judge-loss.csv'} is there already" in refused("train judge", "--out", tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: few_digits._replace(source="sklearn"))
    assert "the judge needs MNIST" in refused("train judge", "--out", tmp_path / "other")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to oneself")
@pytest.mark.usefixtures("few_digits")
def test_ctrl_c_keeps_what_the_judge_has_learned(command, monkeypatch, tmp_path):
    whole_training = evaluation.train_classifier

    def interrupted(*arguments, **options):
        for step in whole_training(*arguments, **options):
            if step.index == 3:
                os.kill(os.getpid(), signal.SIGINT)
            yield step

    monkeypatch.setattr(evaluation, "train_classifier", interrupted)
    code, out, err = command("train", "judge", "--epochs", 50, "--out", tmp_path)
    assert code == 130
    assert "Traceback" not in err
    assert out.endswith(f"stopped after 3 of 100 steps: {tmp_path / 'judge.safetensors'}\n")
    assert len(lines_of_losses(tmp_path)) == 1 + 3
    assert dl.load_judge(tmp_path / "judge.safetensors").reference.class_counts.sum() == 256


def test_no_epochs_are_refused_before_anything_is_read(refused, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "mnist", lambda train=True: pytest.fail("the data were read"))
    assert "--epochs" in refused("train judge", "--epochs", 0, "--out", tmp_path)
    assert not list(tmp_path.iterdir())
