"""`train judge`: the classifier, and what real digits score."""

import re

import torch

import diffusion_lab as dl
from diffusion_lab import data


def test_train_judge(command, refused, monkeypatch, tmp_path):
    few = data.Digits(*(part[:256] for part in data.sklearn_digits()[:2]), "mnist")
    monkeypatch.setattr(data, "mnist", lambda train=True: few)
    code, out, _ = command("train", "judge", "--epochs", 1, "--out", tmp_path)
    assert code == 0
    assert re.search(r"accuracy on the test images: \d+\.\d\d%", out)
    reference = dl.load_judge(tmp_path / "judge.safetensors").reference
    assert torch.equal(reference.class_counts, few.labels.bincount())
    assert "is there already" in refused("train judge", "--out", tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: few._replace(source="sklearn"))
    assert "the judge needs MNIST" in refused("train judge", "--out", tmp_path / "other")
