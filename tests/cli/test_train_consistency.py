"""`train consistency`: it writes a model, goes on where it stopped, replaces none, and says in one line why not."""

import json

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import data

TINY = ("--batch-size", 4, "--levels", 2, "--device", "cpu")


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    """The folder of a distillation of two steps; only to be read."""
    from diffusion_lab import cli

    out = tmp_path_factory.mktemp("distilled")
    words = ["train", "consistency", *map(str, TINY), "--steps", "2", "--out", str(out)]
    assert cli.main(words) == 0
    return out


def weights(folder) -> torch.Tensor:
    model = dl.load_model(folder / "consistency.safetensors").model
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


def test_it_leaves_a_model_with_a_card_a_checkpoint_and_a_note(distilled):
    names = ["consistency-loss.csv", "consistency-samples.png"]
    names += ["consistency.json", "consistency.pt", "consistency.safetensors"]
    assert sorted(path.name for path in distilled.iterdir()) == names
    model = dl.load_model(distilled / "consistency.safetensors")
    assert (model.objective, model.model.config["width"]) == ("v", 32)
    spelled = "train consistency --student digits-small --steps 2 --batch-size 4 --levels 2"
    assert f"- trained by: `diffusion-lab {spelled} --learning-rate 0.001 --seed 0`\n" in model.card
    assert "- optimiser steps done: 2\n" in model.card
    assert "- data: scikit-learn's 8×8 digits" in model.card
    assert "- teacher: the shipped `digits`, 2 steps of DDIM\n" in model.card
    begun_as = model.card.split("The student began as this denoiser:\n\n")[1]
    assert begun_as.startswith(
        "- data: the 60,000 training images of MNIST\n- trained by: `diffusion-lab train digits"
    )
    note = json.loads((distilled / "consistency.json").read_text())
    assert (note["student"], note["levels"], note["data"]) == ("digits-small", 2, "sklearn")


def test_it_replaces_nothing(distilled, refused):
    before = {path.name: path.read_bytes() for path in distilled.iterdir()}
    line = refused("train consistency", *TINY, "--steps", 2, "--out", distilled)
    assert f"{distilled} holds consistency already: add --resume to go on" in line
    assert {path.name: path.read_bytes() for path in distilled.iterdir()} == before


def test_it_goes_on_bit_for_bit_and_with_the_same_settings_only(command, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = ("train", "consistency", *TINY, "--out")
    assert command(*words, whole, "--steps", 11)[0] == 0
    steps = iter(range(1, 100))
    interrupted = dl.variants.consistency.distill

    def stop_after_five(*arguments, **options):
        for step in interrupted(*arguments, **options):
            yield step
            if next(steps) == 5:
                return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diffusion_lab.cli.train.consistency.distill", stop_after_five)
        assert "done after 5 steps" in command(*words, parts, "--steps", 11)[1]
    assert not torch.equal(weights(whole), weights(parts))
    code, _, err = command(*words, parts, "--steps", 11, "--resume", "--levels", 3)
    assert code == 2
    assert f"--resume goes on with the run in {parts}, which was another: levels was 2\n" in err
    code, out, _ = command(*words, parts, "--steps", 11, "--resume")
    assert code == 0
    assert "done after 11 steps" in out
    assert torch.equal(weights(whole), weights(parts))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--student", "mini-sd"), "the student must be one network that draws digits, got mini-sd"),
        (("--student", "digits-flow"), "the student must have the teacher's objective, v"),
        (("--student", "nosuch.safetensors"), "there is no file nosuch.safetensors"),
        (("--student", "judge"), "name='judge' is not known"),
        (("--steps", 0), "--steps must be at least 1, got 0"),
        (("--levels", 0), "levels must lie in 1 … 1000, got 0"),
        (("--batch-size", 100_000), "batch_size=100000 is more than"),
        (("--resume",), "--resume: there is no "),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said_in_one_line(command, monkeypatch, tmp_path, flags, reason):
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    code, _, err = command("train", "consistency", *TINY, "--steps", 1, *flags, "--out", tmp_path)
    assert code == 2
    assert err.splitlines()[-1].startswith(f"diffusion-lab train consistency: {reason}")
    assert not list(tmp_path.iterdir())
