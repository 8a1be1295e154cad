"""`sample` and `evaluate` with the miniature: what reaches the model, and what is shown of it."""

import re

import pytest
import torch
from PIL import Image

import diffusion_lab as dl
from diffusion_lab import cli, data, figures
from diffusion_lab.mini_sd import judge
from diffusion_lab.mini_sd.pipeline import MiniSD, save_mini_sd


@pytest.fixture
def mini(small, tmp_path, monkeypatch):
    """A small model in a file, in the folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    save_mini_sd("mini.safetensors", small)
    return "mini.safetensors"


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_files_have_a_name_by_what_they_show(mini, tmp_path):
    dl.save_model(
        "digits.safetensors", dl.UNet(width=8, num_classes=10), dl.DiffusionSchedule.cosine(10), "v"
    )
    assert run("sample", mini, "--prompt", "a red 7", "--num-steps", 1, "--rows", 1) == 0
    assert run("sample", "digits.safetensors", "--num-steps", 1, "--rows", 1) == 0
    sizes = {path.name: Image.open(path).size for path in tmp_path.glob("*.png")}
    assert sizes == {"scenes.png": (256, 256), "digits.png": (4 * (10 * 30 - 2), 4 * 28)}
    assert run("sample", mini, "--prompt", "a red 7", "--num-steps", 1) == 2


def test_seed_and_negative_decide_the_picture(mini, tmp_path):
    pictures = {}
    for flags in ((), ("--seed", 1), ("--negative", "a blue one"), ("--seed", 0)):
        out = tmp_path / "picture.png"
        command = (
            "sample",
            mini,
            "--prompt",
            "a red 7",
            "--num-steps",
            2,
            "--rows",
            1,
            "--force",
            "--out",
            out,
        )
        assert run(*command, *flags) == 0
        pictures[flags] = out.read_bytes()
    assert pictures[()] == pictures["--seed", 0]
    assert len(set(pictures.values())) == 3


def test_a_film_shows_the_guesses_of_x_0_and_ends_with_the_picture(mini, tmp_path, monkeypatch):
    states, frames, sample = [], [], MiniSD.sample

    def spy(model, prompts, *, on_step, **options):
        return sample(model, prompts, on_step=lambda state: (states.append(state), on_step(state)), **options)

    monkeypatch.setattr(MiniSD, "sample", spy)
    monkeypatch.setattr(figures, "save_picture", lambda _path, pictures: frames.extend(pictures))
    assert (
        run("sample", mini, "--prompt", "a red 7", "--num-steps", 3, "--rows", 2, "--out", tmp_path / "a.gif")
        == 0
    )
    model = dl.load_model(mini)
    wanted = [*(state.x_0_hat for state in states[:-1]), states[-1].x_t]
    assert len(frames) == 3
    for frame, latents in zip(frames, wanted, strict=True):
        assert (frame == figures.grid(model.decode(latents), 2)).all()


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(
    ("flags", "how", "passed"),
    [
        (
            (),
            "20 steps, dpmpp_2m, guidance scale 6,",
            {"num_steps": 20, "sampler": "dpmpp_2m", "guidance_scale": 6},
        ),
        (
            (
                "--num-steps",
                3,
                "--sampler",
                "ddim",
                "--eta",
                0.5,
                "--guidance-scale",
                2.5,
                "--spacing",
                "quadratic",
            ),
            "3 steps, ddim, spacing quadratic, eta 0.5, guidance scale 2.5,",
            {"num_steps": 3, "sampler": "ddim", "eta": 0.5, "guidance_scale": 2.5, "spacing": "quadratic"},
        ),
    ],
)
def test_evaluation_compares_what_was_drawn_from_fresh_noise(
    mini, monkeypatch, capsys, flags, how, passed, held_out
):
    calls = []

    def spy(_model, prompts, *, generator, **options):
        calls.append((prompts, torch.randn(3, generator=generator).tolist(), options))
        return -torch.ones(len(prompts), 3, 64, 64)

    monkeypatch.setattr(MiniSD, "sample", spy)
    assert run("evaluate", mini, "--num-samples", 60, "--seed", 3, *flags, *["--held-out"] * held_out) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    asked = judge.exam(60, data.sklearn_digits(train=False), held_out=held_out, seed=3)
    noise = torch.Generator().manual_seed(3)
    assert [call[0] for call in calls] == [asked.captions[:50], asked.captions[50:]]
    assert [call[1] for call in calls] == [torch.randn(3, generator=noise).tolist() for _ in range(2)]
    assert all(call[2] == passed for call in calls)
    pairs = "never seen" if held_out else "seen"
    assert re.fullmatch(rf"{mini}: 60 prompts, pairs {pairs} in training, {how} \d+ CPU-seconds", first)
    examiner = judge.load_scene_judge()
    for name, images in {"generated": -torch.ones(60, 3, 64, 64), "real (sklearn)": asked.images}.items():
        verdict = judge.compare(asked.layout, asked.captions, examiner.look(images))
        assert lines.pop(0) == f"{name}: {verdict.line()}"
        if held_out:
            verdict = judge.compare(asked.layout, asked.captions, examiner.look(images), first_only=True)
            assert verdict.asked["digit"] == 60
            assert lines.pop(0) == f"  of the digit that is such a pair: {verdict.line()}"
    assert not lines
