"""`evaluate`: its report, and how it draws."""

import re

import pytest

import diffusion_lab as dl
from diffusion_lab import pretrained


def test_evaluate_prints_the_report(command, model):
    code, out, _ = command("evaluate", model, "--num-samples", 200, "--num-steps", 2, "--guidance-scale", 3)
    lines = out.splitlines()
    assert code == 0
    how = "dpmpp_2m, spacing logsnr, eta 1.0, 4 network evaluations each, guidance scale 3, "
    assert lines[0].startswith(f"{model}: 200 samples, {how}")
    assert [line.split("  ")[0] for line in lines[1:3]] == ["class accuracy", "Fréchet distance"]
    assert float(re.search(r"Fréchet distance +([\d.]+)", out)[1]) > 100, (
        "three steps of training cannot be good"
    )


@pytest.mark.parametrize(
    ("options", "evaluations"),
    [
        (("--sampler", "ddim", "--num-steps", 3), 3),
        (("--num-steps", 3, "--guidance-scale", 0), 3),
        (("--num-steps", 3, "--guidance-scale", 0.5), 6),
        (("--sampler", "heun", "--num-steps", 1), 1),
        (("--sampler", "heun", "--num-steps", 3), 5),
        (("--sampler", "heun", "--num-steps", 3, "--guidance-scale", 2), 10),
        (("--sampler", "heun", "--num-steps", 3, "--spacing", "trailing"), 4),
    ],
)
def test_evaluate_counts_what_the_network_really_did(command, model, options, evaluations):
    """Heun's method asks twice per step, but not about t = 0, nor about the end of a step that begins in pure noise."""
    code, out, _ = command("evaluate", model, "--num-samples", 300, *options)
    assert code == 0
    assert f", {evaluations} network evaluations each, " in out


def test_evaluate_wants_enough_samples(refused, model):
    line = refused("evaluate", model, "--num-samples", 20, "--num-steps", 1)
    assert "num_samples must be at least 200, got 20" in line


@pytest.mark.parametrize(
    ("flags", "wording"),
    [
        ((), "dpmpp_2m, spacing logsnr, eta 1.0, 2 network"),
        (("--eta", 0.5), "dpmpp_2m, spacing logsnr, eta 0.5, 2 network"),
        (("--spacing", "karras"), "dpmpp_2m, spacing karras, eta 1.0, 2 network"),
        (("--sampler", "ddim"), "ddim, 2 network"),
        (("--sampler", "ddim", "--eta", 1), "ddim, eta 1.0, 2 network"),
    ],
)
def test_evaluate_takes_the_best_sampler_unless_one_is_named(command, monkeypatch, model, flags, wording):
    passed, sample = [], dl.sample

    def spy(*arguments, **options):
        passed.append(options)
        return sample(*arguments, **options)

    monkeypatch.setattr(pretrained, "sample", spy)
    code, out, _ = command("evaluate", model, "--num-steps", 2, "--num-samples", 200, *flags)
    assert code == 0
    assert f"200 samples, {wording}" in out
    words = wording.replace(", 2 network", "").split(", ")
    chosen = {"sampler": words[0]} | dict(word.split() for word in words[1:])
    assert {k: str(v) for k, v in passed[0].items() if k in ("sampler", "spacing", "eta")} == chosen


def test_a_model_evaluates_itself_and_gives_numbers(model):
    loaded = dl.load_model(model)
    first, again = (loaded.evaluate(300, seed=5, num_steps=1, sampler="ddim") for _ in range(2))
    assert first.report == again.report
    assert (first.report.num_samples, first.how) == (300, again.how)
    assert first.how == "300 samples, ddim, 1 network evaluations each, guidance scale 1"
    assert first.report != loaded.evaluate(300, seed=6, num_steps=1, sampler="ddim").report
    assert str(first) == f"{first.how}, {first.seconds:.0f} CPU-seconds\n{first.report}"
    assert not loaded.model._forward_pre_hooks
