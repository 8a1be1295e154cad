"""The tool that ships weights: the file, its card with what was measured, and its fingerprint."""

import hashlib
import json
import sys

import pytest

import diffusion_lab as dl
from diffusion_lab.shipped import FOLDER as SHIPPED

sys.path.append(str(SHIPPED.parents[1] / "tools"))
import ship_weights


@pytest.fixture
def ship(monkeypatch, tmp_path):
    """Run the tool; returns the folder that stands for the package's."""
    (tmp_path / "weights").mkdir()

    def run(*words):
        monkeypatch.setattr(ship_weights, "FOLDER", tmp_path / "weights")
        monkeypatch.setattr(sys, "argv", ["ship_weights.py", *map(str, words)])
        ship_weights.main()
        return tmp_path / "weights"

    return run


def test_a_model_gets_a_card_with_what_was_measured(ship, tmp_path):
    file = tmp_path / "trained.safetensors"
    model = dl.UNet(width=8, num_classes=10)
    dl.save_model(file, model, dl.DiffusionSchedule.cosine(10), "v", "# digits\n\nFive lines.\n")
    flags = "--num-samples 200 --sampler ddim --num-steps 2"
    folder = ship(file, "--name", "digits-tiny", "--measure", flags, "--note", "trained in a hurry")
    card = (folder / "digits-tiny.md").read_text(encoding="utf-8")
    assert dl.load_model(folder / "digits-tiny.safetensors").card == card
    assert card.startswith("# digits-tiny\n\nFive lines.\n- trained in a hurry\n\n## Measured\n\n```\n")
    command, settings, *report = card.split("```\n")[1].splitlines()
    assert command == f"$ diffusion-lab evaluate digits-tiny {flags}"
    assert settings.startswith(
        "digits-tiny: 200 samples, ddim, 2 network evaluations each, guidance scale 1, "
    )
    assert [line.split("  ")[0] for line in report[:2]] == ["class accuracy", "Fréchet distance"]
    content = (folder / "digits-tiny.safetensors").read_bytes()
    entry = {"file": "digits-tiny.safetensors", "sha256": hashlib.sha256(content).hexdigest()}
    assert json.loads((folder / "manifest.json").read_text()) == {"digits-tiny": entry}


def test_a_judge_is_copied(ship, tmp_path):
    file = tmp_path / "judge.safetensors"
    file.write_bytes((SHIPPED / "judge.safetensors").read_bytes())
    folder = ship(file)
    assert sorted(path.name for path in folder.iterdir()) == ["judge.safetensors", "manifest.json"]
    assert (folder / "judge.safetensors").read_bytes() == file.read_bytes()
