"""Training of the parts: it learns, it goes on where it stopped, and the command line keeps what was made."""

import json

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import cli, data
from diffusion_lab.files import read_tensors
from diffusion_lab.mini_sd import scenes, stages, text, train
from diffusion_lab.mini_sd.vae import VAE

pytestmark = pytest.mark.usefixtures("small_stages")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def last(steps):
    *_, end = steps
    return end


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_fit_finds_the_answer_and_averages():
    model = torch.nn.Linear(2, 1)
    x = torch.randn(64, 2, generator=seeded())
    y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    options = {"num_steps": 300, "learning_rate": 0.1, "generator": seeded()}
    end = last(train.fit(model, lambda m, _generator: (m(x) - y).square().mean(), **options))
    assert end.index == 300
    assert torch.allclose(end.ema.weight, torch.tensor([[2.0, -1.0]]), atol=0.05)


@pytest.mark.parametrize("stage", ["vae", "clip", "judge"])
def test_a_stopped_training_goes_on_bit_for_bit(stage, digits, tmp_path):
    def run(stop: int, resume: bool):
        torch.manual_seed(0)
        steps = stages.start(stage, tmp_path, digits, num_steps=4, resume=resume)
        for step in steps:
            if step.index == stop:
                step.save(stages.checkpoint(tmp_path, stage))
                return step.ema
        raise AssertionError

    whole = weights(run(4, False))
    run(2, False)
    assert torch.equal(weights(run(4, True)), whole)


def test_vae_learns(digits):
    torch.manual_seed(0)
    losses = [step.loss for step in train.train_vae(VAE(width=8), digits, num_steps=60, generator=seeded())]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_codes_are_scaled_means_with_their_captions(digits, small):
    latents = train.encode_scenes(small.vae, digits, 40, seeded())
    assert latents.codes.shape == (40, 4, 16, 16)
    assert abs(float(latents.codes.std()) - 1) < 0.05
    again = scenes.compose(40, digits, generator=seeded())
    assert torch.equal(latents.tokens, text.tokenize(again.captions))
    assert torch.allclose(latents.codes, small.vae.encode(again.images)[0] * latents.scale, atol=1e-5)


def test_labels_stand_for_captions_and_the_null_label_for_the_empty_one(small):
    tokens = text.tokenize(["a red one", "a blue two"])
    model = train.Captioned(small.unet, small.text, tokens)
    assert model.null_label == 2
    x, t = torch.randn(3, 4, 16, 16, generator=seeded()), torch.tensor([5, 50, 90])
    wanted = small.unet(x, t, context=small.read(["a blue two", "", "a red one"]))
    assert torch.allclose(model(x, t, torch.tensor([1, 2, 0])), wanted, atol=1e-6)
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"unet"}  # the text encoder stays frozen


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_command_line_from_nothing_to_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    out = tmp_path / "parts"
    assert run("train-mini-sd", "unet", "--out", out, "--steps", 2) == 2
    assert "run the stage 'clip' first" in capsys.readouterr().err
    for stage in stages.STEPS:
        assert run("train-mini-sd", stage, "--out", out, "--steps", 2, "--device", "cpu") == 0
    assert run("train-mini-sd", "vae", "--out", out, "--steps", 2) == 2
    assert "--resume" in capsys.readouterr().err
    assert run("train-mini-sd", "vae", "--out", out, "--steps", 3, "--resume", "--device", "cpu") == 0
    assert run("train-mini-sd", "pack", "--out", out) == 2
    assert "the VAE in" in capsys.readouterr().err
    assert run("train-mini-sd", "unet", "--out", out, "--steps", 3, "--resume", "--device", "cpu") == 0
    assert run("train-mini-sd", "pack", "--out", out) == 0
    card = dl.load_model(out / "mini-sd.safetensors").card
    assert "`diffusion-lab train-mini-sd vae --steps 3 --seed 0` (3 steps done, sklearn)" in card
    picture = tmp_path / "scene.png"
    options = ("--prompt", "a big red seven", "--num-steps", 2, "--rows", 2, "--out", picture)
    assert run("sample", out / "mini-sd.safetensors", *options, "--negative", "a blue one") == 0
    assert picture.stat().st_size > 1000
    film = tmp_path / "scene.gif"
    assert run("sample", out / "mini-sd.safetensors", "--prompt", "a red 7", "--num-steps", 2, "--out", film) == 0
    notes = json.loads(read_tensors(out / "unet.safetensors")[1]["notes"])
    assert len(notes.pop("reads")) == 16
    assert notes == {"steps": 3, "of": 3, "seed": 0, "bfloat16": False, "source": "sklearn"}


def test_another_run_is_not_resumed_and_codes_of_another_vae_are_not_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    for stage in ("vae", "clip", "unet"):
        assert run("train-mini-sd", stage, "--out", tmp_path, "--steps", 2, "--device", "cpu") == 0
    assert run("train-mini-sd", "vae", "--out", tmp_path, "--steps", 3, "--resume", "--seed", 1) == 2
    assert "seed was 0" in capsys.readouterr().err
    before = train.load_latents(stages.codes_file(tmp_path))
    assert run("train-mini-sd", "vae", "--out", tmp_path, "--steps", 3, "--resume", "--device", "cpu") == 0
    assert not stages.codes_file(tmp_path).exists()
    assert run("train-mini-sd", "unet", "--out", tmp_path, "--steps", 3, "--resume", "--device", "cpu") == 0
    after = train.load_latents(stages.codes_file(tmp_path))
    assert torch.equal(after.tokens, before.tokens)
    assert not torch.equal(after.codes, before.codes)
    assert run("train-mini-sd", "pack", "--out", tmp_path) == 0
    assert run("train-mini-sd", "clip", "--out", tmp_path, "--steps", 3, "--resume", "--device", "cpu") == 0
    capsys.readouterr()
    assert run("train-mini-sd", "pack", "--out", tmp_path) == 2
    assert "text encoder" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "named"), [
    (("sample", "digits", "--prompt", "a red one"), "--prompt and --negative are for mini-sd"),
    (("evaluate", "digits", "--held-out"), "--held-out is for mini-sd"),
    (("train-mini-sd", "vae", "--resume"), "--resume: there is no"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert named in err
    assert err.count("\n") == 1
