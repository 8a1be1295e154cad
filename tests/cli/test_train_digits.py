"""`train digits`: what it leaves in its folder, how it stops and goes on, and what it refuses."""

import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffusion_lab as dl
from diffusion_lab import cli, data
from diffusion_lab.cli.train import digits


def test_train_leaves_checkpoint_model_and_card(trained, model):
    assert sorted(path.name for path in trained.iterdir()) == [
        "checkpoint.pt",
        "digits.safetensors",
        "loss.csv",
        "run.json",
        "samples.png",
    ]
    loaded = dl.load_model(model)
    assert loaded.model.config["width"] == 8
    assert loaded.objective == "v"
    assert loaded.schedule.config["curve"] == "cosine"
    assert "scikit-learn" in loaded.card
    assert "--steps 3 --batch-size 16" in loaded.card
    checkpoint = torch.load(trained / "checkpoint.pt", weights_only=True)
    assert checkpoint["index"] == 3
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, checkpoint["ema"][name].half().float()), name


def losses(folder: Path) -> list[tuple[int, float]]:
    header, *lines = (folder / "loss.csv").read_text().splitlines()
    assert header == "step,loss"
    return [(int(step), float(loss)) for step, loss in (line.split(",") for line in lines)]


def test_train_leaves_the_losses_and_pictures_and_says_a_command_that_works(command, tmp_path, tiny_training):
    code, out, _ = command("train", "digits", *tiny_training, "--steps", 3, "--out", tmp_path / "a run")
    assert code == 0
    assert [step for step, _ in losses(tmp_path / "a run")] == [1, 2, 3]
    assert all(0 < loss < 5 for _, loss in losses(tmp_path / "a run"))
    samples = np.asarray(Image.open(tmp_path / "a run" / "samples.png"))
    assert samples.shape == (4 * (2 * 28 + 2), 4 * (10 * 28 + 9 * 2))
    begin, spelled = out.splitlines()[-1].split(": ")
    assert begin == "next"
    program, *words = shlex.split(spelled)
    assert (program, words[:2]) == (
        "diffusion-lab",
        ["sample", str(tmp_path / "a run" / "digits.safetensors")],
    )
    assert command(*words, "--rows", 1, "--num-steps", 1, "--out", tmp_path / "a.png")[0] == 0


@pytest.mark.parametrize("name", ["loss.csv", "samples.png"])
def test_train_replaces_nothing_that_is_no_run(refused, tmp_path, name, tiny_training):
    (tmp_path / name).write_text("mine")
    line = refused("train digits", *tiny_training, "--steps", 3, "--out", tmp_path)
    assert f"{tmp_path / name} is there already" in line
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_resume_with_broken_losses_is_refused(refused, trained, tmp_path, tiny_training):
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "loss.csv").write_text("step,loss\n1,banana\n")
    line = refused("train digits", *tiny_training, "--steps", 5, "--resume", "--out", tmp_path)
    assert f"{tmp_path / 'loss.csv'}, to which --resume adds, has a line that is no step and loss" in line


def test_defaults_of_train_are_those_of_the_package():
    options = vars(cli.parser().parse_args(["train"]))
    functions = {
        dl.train: ("learning_rate", "objective", "bfloat16", "ema_decay"),
        dl.UNet.__init__: ("width", "blocks"),
        data.loader: ("batch_size",),
    }
    for function, names in functions.items():
        parameters = inspect.signature(function).parameters
        assert [options[name.removesuffix("_decay")] for name in names] == [
            parameters[name].default for name in names
        ]


@pytest.mark.parametrize("flags", [(), ("--bfloat16",)])
def test_card_has_a_command_that_trains_the_same(command, tmp_path, flags, tiny_training):
    arguments = [
        "train",
        *map(str, tiny_training),
        "--steps",
        "1",
        "--ema",
        "0.9",
        "--learning-rate",
        "1e-3",
        *flags,
    ]
    assert command(*arguments, "--out", tmp_path)[0] == 0
    line = re.search(
        r"trained by: `diffusion-lab (.+)`", dl.load_model(tmp_path / "digits.safetensors").card
    )[1]
    again, first = (vars(cli.parser().parse_args(words)) for words in (shlex.split(line), arguments))
    assert {name: again[name] for name in digits.SETTINGS} == {name: first[name] for name in digits.SETTINGS}
    assert json.loads((tmp_path / "run.json").read_text())["bfloat16"] is bool(flags)


def test_a_flow_is_trained_saved_and_sampled(command, tmp_path, tiny_training):
    options = ("--steps", 1, "--objective", "flow", "--schedule", "straight")
    assert command("train", "digits", *tiny_training, *options, "--out", tmp_path)[0] == 0
    loaded = dl.load_model(tmp_path / "digits.safetensors")
    assert (loaded.objective, loaded.model.trained_objective, loaded.schedule.config["curve"]) == (
        "flow",
        "flow",
        "straight",
    )
    images = [loaded.sample([3, 1], num_steps=2, sampler=name, progress=False) for name in dl.SAMPLERS]
    assert all(torch.isfinite(drawn).all() and drawn.abs().max() <= 1 for drawn in images)
    assert (
        command("sample", tmp_path / "digits.safetensors", "--num-steps", 2, "--out", tmp_path / "a.png")[0]
        == 0
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_train_options_reach_the_model(command, monkeypatch, tmp_path, tiny_training):
    passed, train = {}, dl.train

    def spy(*arguments, **options):
        passed.update(options)
        return train(*arguments, **options)

    monkeypatch.setattr(dl, "train", spy)
    options = ("--steps", 1, "--objective", "eps", "--schedule", "linear", "--blocks", 2, "--ema", 0.5)
    options += ("--learning-rate", 0.01, "--bfloat16")
    code, out, _ = command("train", "digits", *tiny_training, *options, "--out", tmp_path / "new")
    loaded = dl.load_model(tmp_path / "new" / "digits.safetensors")
    assert code == 0
    assert "done after 1 steps" in out
    assert (loaded.objective, loaded.schedule.config["curve"], loaded.model.config["blocks"]) == (
        "eps",
        "linear",
        2,
    )
    assert [passed[name] for name in ("objective", "learning_rate", "ema_decay", "num_steps")] == [
        "eps",
        0.01,
        0.5,
        1,
    ]
    assert passed["bfloat16"] is True


def test_train_repeats_with_the_seed(command, trained, tmp_path, tiny_training):
    def weights(folder: Path) -> torch.Tensor:
        return torch.cat(
            [p.flatten() for p in dl.load_model(folder / "digits.safetensors").model.parameters()]
        )

    for seed in (0, 1):
        assert (
            command("train", *tiny_training, "--steps", 3, "--seed", seed, "--out", tmp_path / str(seed))[0]
            == 0
        )
    assert torch.equal(weights(tmp_path / "0"), weights(trained))
    assert not torch.equal(weights(tmp_path / "1"), weights(trained))


def test_train_does_not_overwrite_a_run(refused, trained, tiny_training):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    line = refused("train digits", *tiny_training, "--steps", 3, "--out", trained)
    assert f"{trained} holds a run already: add --resume" in line
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


def test_resume_goes_on_and_then_has_nothing_to_do(command, tmp_path, tiny_training):
    arguments = ("train", *tiny_training, "--out", tmp_path)
    assert "done after 2 steps" in command(*arguments, "--steps", 2)[1]
    code, out, _ = command(*arguments, "--steps", 4, "--resume")
    assert code == 0
    assert "done after 4 steps" in out
    code, _, err = command(*arguments, "--steps", 4, "--resume")
    assert code == 2
    assert "num_steps must be at least 5, got 4" in err
    assert "step/s" not in err


@pytest.mark.parametrize(
    ("option", "was"), [(("--objective", "eps"), "objective was v"), (("--bfloat16",), "bfloat16 was False")]
)
def test_resume_with_other_options_is_refused(command, tmp_path, option, was, tiny_training):
    assert command("train", *tiny_training, "--steps", 1, "--out", tmp_path)[0] == 0
    code, _, err = command("train", *tiny_training, "--steps", 2, "--resume", *option, "--out", tmp_path)
    assert code == 2
    assert f"which was another: {was}\n" in err


def test_resume_with_a_broken_note_of_the_run_is_refused(command, trained, tmp_path, tiny_training):
    (tmp_path / "checkpoint.pt").write_bytes((trained / "checkpoint.pt").read_bytes())
    (tmp_path / "run.json").write_text("{")
    code, _, err = command("train", *tiny_training, "--steps", 5, "--resume", "--out", tmp_path)
    assert code == 2
    assert f"{tmp_path / 'run.json'}, which should say what run --resume goes on with, is damaged" in err


def test_resume_without_a_checkpoint_is_refused(refused, tmp_path, tiny_training):
    assert f"there is no {tmp_path / 'checkpoint.pt'}" in refused(
        "train digits", *tiny_training, "--resume", "--out", tmp_path
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--steps", -3), "--steps must be at least 1, got -3"),
        (("--ema", 2), "ema_decay"),
        (("--batch-size", 2000), "batch_size=2000 is more than the 1500"),
        (("--batch-size", 0), "batch_size"),
        (("--device", "banana"), "banana"),
        (("--threads", -1), "thread"),
    ],
)
def test_train_names_bad_options(command, tmp_path, options, named, tiny_training):
    code, _, err = command("train", *tiny_training, "--steps", 1, *options, "--out", tmp_path)
    assert code == 2
    assert err.splitlines()[-1].startswith("diffusion-lab train digits: ")
    assert named in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "another width"])
def test_resume_from_a_bad_checkpoint_is_refused(command, trained, tmp_path, damage, tiny_training):
    content = (trained / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[:-1000] if damage == "truncated" else content)
    width = ("--width", 16) if damage == "another width" else ()
    code, _, err = command("train", *tiny_training, *width, "--steps", 5, "--resume", "--out", tmp_path)
    assert code == 2
    line = err.splitlines()[-1]
    assert f"{tmp_path / 'checkpoint.pt'} is not a whole checkpoint of this training" in line
    assert len(line) < 600
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a subprocess")
def test_ctrl_c_keeps_everything_and_resume_finishes(command, tmp_path, tiny_training):
    arguments = ["train", "digits", *map(str, tiny_training), "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "diffusion_lab", *arguments, "--steps", "100000"],
        cwd=Path(dl.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        seen = b""
        while not re.search(rb"[1-9]\d*/100000", seen):
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, seen
            seen += piece
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    index = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["index"]
    lines = out.decode().splitlines()
    assert f"stopped after {index} steps: {tmp_path / 'digits.safetensors'}" in lines
    assert "to go on, give the same command with --resume" in lines
    assert [step for step, _ in losses(tmp_path)] == list(range(1, index + 1))
    assert f"optimiser steps done: {index:,}" in dl.load_model(tmp_path / "digits.safetensors").card
    code, out, _ = command(*arguments, "--resume", "--steps", index + 2)
    assert code == 0
    assert f"done after {index + 2} steps" in out
    assert [step for step, _ in losses(tmp_path)] == list(range(1, index + 3))
