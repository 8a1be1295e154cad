"""The command line: exit codes, files, and one line for what is wrong."""

import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import diffusion_lab as dl
from diffusion_lab import cli, data, pretrained, sampling

TINY = ("--width", 8, "--batch-size", 16, "--device", "cpu")
COMMANDS = (
    "doctor",
    "train",
    "train-mini-sd",
    "sample",
    "evaluate",
    "build-exercises",
    "set-repository",
    "grade",
    "grade-merge",
    "check",
)


@pytest.fixture(scope="module", autouse=True)
def only_the_digits_of_sklearn(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIFFUSION_LAB_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
        patch.setattr(data, "cache_folder", lambda: tmp_path_factory.mktemp("empty"))
        yield


def call(*arguments) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


@pytest.fixture
def command(capsys):
    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        return call(*arguments), *capsys.readouterr()

    return run


@pytest.fixture
def refused(command):
    """Run a command that must end with exit code 2 and one line; returns the line."""

    def run(name: str, *arguments) -> str:
        code, _, err = command(name, *arguments)
        assert code == 2
        assert err.count("\n") == 1, err
        assert err.startswith(f"diffusion-lab {name}: ")
        return err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a run of three steps; only to be read."""
    out = tmp_path_factory.mktemp("trained")
    assert call("train", "digits", *TINY, "--steps", 3, "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def model(trained) -> Path:
    return trained / "digits.safetensors"


@pytest.mark.parametrize("name", [(), *((name,) for name in COMMANDS)])
def test_help_fits_a_screen(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command(*name, "--help")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: {' '.join(('diffusion-lab', *name))}")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert all(each in out for each in (COMMANDS if not name else ()))


@pytest.mark.parametrize("arguments", [(), ("banana",), ("sample", "--banana")])
def test_unknown_command_or_option_is_refused(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "usage: diffusion-lab" in err


def test_version_of_the_module():
    process = subprocess.run(
        [sys.executable, "-m", "diffusion_lab", "--version"],
        cwd=Path(dl.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert process.stdout == f"diffusion-lab {dl.__version__}\n"


# doctor


def test_doctor_prints_one_line_per_check(command):
    code, out, err = command("doctor")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert [line[:4] for line in lines] == ["ok  "] * 9
    for line, text in zip(
        lines,
        [
            "Python 3.",
            "torch 2",
            "torchvision ",
            "matplotlib ",
            "jupyterlab ",
            "ipywidgets ",
            "MNIST ",
            "weights ",
            "links ",
        ],
        strict=True,
    ):
        assert line[4:].startswith(text)


def test_doctor_finds_mnist(command, monkeypatch, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in data.MNIST_BYTES:
        (raw / name).touch()
    monkeypatch.setenv("DIFFUSION_LAB_DATA", str(tmp_path))
    assert "MNIST, in the folder that DIFFUSION_LAB_DATA names" in command("doctor")[1]


def test_doctor_says_what_is_broken(command, monkeypatch, tmp_path):
    monkeypatch.setattr("diffusion_lab.shipped.FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    code, out, _ = command("doctor")
    broken = [line for line in out.splitlines() if line.startswith("->")]
    assert code == 1
    assert len(broken) == 2
    assert "jupyterlab does not import" in broken[0]
    assert 'pip install -e ".[course]"' in broken[0]
    assert str(tmp_path) in broken[1]


# train


def test_train_leaves_checkpoint_model_and_card(trained, model):
    assert sorted(path.name for path in trained.iterdir()) == [
        "checkpoint.pt",
        "digits.safetensors",
        "run.json",
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


def test_defaults_of_train_are_those_of_the_package():
    options = vars(cli._parser().parse_args(["train"]))
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
def test_card_has_a_command_that_trains_the_same(command, tmp_path, flags):
    arguments = ["train", *map(str, TINY), "--steps", "1", "--ema", "0.9", "--learning-rate", "1e-3", *flags]
    assert command(*arguments, "--out", tmp_path)[0] == 0
    line = re.search(
        r"trained by: `diffusion-lab (.+)`", dl.load_model(tmp_path / "digits.safetensors").card
    )[1]
    again, first = (vars(cli._parser().parse_args(words)) for words in (shlex.split(line), arguments))
    assert {name: again[name] for name in cli.CHOSEN} == {name: first[name] for name in cli.CHOSEN}
    assert json.loads((tmp_path / "run.json").read_text())["bfloat16"] is bool(flags)


def test_a_flow_is_trained_saved_and_sampled(command, tmp_path):
    options = ("--steps", 1, "--objective", "flow", "--schedule", "straight")
    assert command("train", "digits", *TINY, *options, "--out", tmp_path)[0] == 0
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


def test_train_options_reach_the_model(command, monkeypatch, tmp_path):
    passed, train = {}, dl.train

    def spy(*arguments, **options):
        passed.update(options)
        return train(*arguments, **options)

    monkeypatch.setattr(dl, "train", spy)
    options = ("--steps", 1, "--objective", "eps", "--schedule", "linear", "--blocks", 2, "--ema", 0.5)
    options += ("--learning-rate", 0.01, "--bfloat16")
    code, out, _ = command("train", "digits", *TINY, *options, "--out", tmp_path / "new")
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


def test_train_repeats_with_the_seed(command, trained, tmp_path):
    def weights(folder: Path) -> torch.Tensor:
        return torch.cat(
            [p.flatten() for p in dl.load_model(folder / "digits.safetensors").model.parameters()]
        )

    for seed in (0, 1):
        assert command("train", *TINY, "--steps", 3, "--seed", seed, "--out", tmp_path / str(seed))[0] == 0
    assert torch.equal(weights(tmp_path / "0"), weights(trained))
    assert not torch.equal(weights(tmp_path / "1"), weights(trained))


def test_train_does_not_overwrite_a_run(refused, trained):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    line = refused("train", *TINY, "--steps", 3, "--out", trained)
    assert f"{trained} holds a run already: add --resume" in line
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


def test_resume_goes_on_and_then_has_nothing_to_do(command, tmp_path):
    arguments = ("train", *TINY, "--out", tmp_path)
    assert "done after 2 steps" in command(*arguments, "--steps", 2)[1]
    code, out, _ = command(*arguments, "--steps", 4, "--resume")
    assert code == 0
    assert "done after 4 steps" in out
    code, _, err = command(*arguments, "--steps", 4, "--resume")
    assert code == 2
    assert "num_steps must be at least 5, got 4" in err


@pytest.mark.parametrize(
    ("option", "was"), [(("--objective", "eps"), "objective was v"), (("--bfloat16",), "bfloat16 was False")]
)
def test_resume_with_other_options_is_refused(command, tmp_path, option, was):
    assert command("train", *TINY, "--steps", 1, "--out", tmp_path)[0] == 0
    code, _, err = command("train", *TINY, "--steps", 2, "--resume", *option, "--out", tmp_path)
    assert code == 2
    assert f"which was another: {was}\n" in err


def test_resume_with_a_broken_note_of_the_run_is_refused(command, trained, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((trained / "checkpoint.pt").read_bytes())
    (tmp_path / "run.json").write_text("{")
    code, _, err = command("train", *TINY, "--steps", 5, "--resume", "--out", tmp_path)
    assert code == 2
    assert f"{tmp_path / 'run.json'}, which should say what run --resume goes on with, is damaged" in err


def test_resume_without_a_checkpoint_is_refused(refused, tmp_path):
    assert f"there is no {tmp_path / 'checkpoint.pt'}" in refused(
        "train", *TINY, "--resume", "--out", tmp_path
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--steps", 0), "num_steps must be at least 1, got 0"),
        (("--ema", 2), "ema_decay"),
        (("--batch-size", 2000), "batch_size=2000 is more than the 1500"),
        (("--batch-size", 0), "batch_size"),
        (("--device", "banana"), "banana"),
        (("--threads", -1), "thread"),
    ],
)
def test_train_names_bad_options(command, tmp_path, options, named):
    code, _, err = command("train", *TINY, "--steps", 1, *options, "--out", tmp_path)
    assert code == 2
    assert err.splitlines()[-1].startswith("diffusion-lab train: ")
    assert named in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "another width"])
def test_resume_from_a_bad_checkpoint_is_refused(command, trained, tmp_path, damage):
    content = (trained / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[:-1000] if damage == "truncated" else content)
    width = ("--width", 16) if damage == "another width" else ()
    code, _, err = command("train", *TINY, *width, "--steps", 5, "--resume", "--out", tmp_path)
    assert code == 2
    line = err.splitlines()[-1]
    assert f"{tmp_path / 'checkpoint.pt'} is not a whole checkpoint of this training" in line
    assert len(line) < 600
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a subprocess")
def test_ctrl_c_keeps_everything_and_resume_finishes(command, tmp_path):
    arguments = ["train", "digits", *map(str, TINY), "--out", str(tmp_path)]
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
    assert f"stopped after {index} steps: {tmp_path / 'digits.safetensors'}" in out.decode()
    assert f"optimiser steps done: {index:,}" in dl.load_model(tmp_path / "digits.safetensors").card
    code, out, _ = command(*arguments, "--resume", "--steps", index + 2)
    assert code == 0
    assert f"done after {index + 2} steps" in out


def test_train_judge(command, refused, monkeypatch, tmp_path):
    few = data.Digits(*(part[:256] for part in data.sklearn_digits()[:2]), "mnist")
    monkeypatch.setattr(data, "mnist", lambda train=True: few)
    code, out, _ = command("train", "judge", "--epochs", 1, "--out", tmp_path)
    assert code == 0
    assert re.search(r"accuracy on the test images: \d+\.\d\d%", out)
    reference = dl.load_judge(tmp_path / "judge.safetensors").reference
    assert torch.equal(reference.class_counts, few.labels.bincount())
    assert "is there already" in refused("train", "judge", "--out", tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: few._replace(source="sklearn"))
    assert "the judge needs MNIST" in refused("train", "judge", "--out", tmp_path / "other")


# sample


@pytest.mark.parametrize("sampler", dl.SAMPLERS)
def test_sample_writes_a_png(command, model, tmp_path, sampler):
    path = tmp_path / "new" / "picture.png"
    options = ("--labels", "3141", "--rows", 2, "--num-steps", 2, "--sampler", sampler, "--guidance-scale", 2)
    code, out, _ = command("sample", model, *options, "--out", path)
    assert (code, out) == (0, f"{path}: 8 digits in 2 steps\n")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (4 * (4 * 30 - 2), 4 * (2 * 30 - 2))


def test_sample_writes_a_gif_with_a_frame_per_step(command, model, tmp_path):
    path = tmp_path / "picture.gif"
    assert command("sample", model, "--labels", 7, "--rows", 1, "--num-steps", 3, "--out", path)[0] == 0
    with Image.open(path) as picture:
        assert (picture.format, picture.n_frames, picture.size) == ("GIF", 3, (112, 112))


def test_sample_repeats_with_the_seed(command, model, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        options = ("--labels", 7, "--num-steps", 1, "--seed", seed)
        assert command("sample", model, *options, "--out", tmp_path / f"{name}.png")[0] == 0
    first, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_sample_of_the_shipped_model(command, tmp_path):
    assert command("sample", "--rows", 1, "--num-steps", 1, "--out", tmp_path / "digits.png")[0] == 0
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.size == (4 * (10 * 30 - 2), 4 * 28)


def test_sample_replaces_a_file_only_by_force(command, refused, model, tmp_path):
    path = tmp_path / "old.png"
    path.write_text("old")
    options = ("sample", model, "--labels", 1, "--rows", 1, "--num-steps", 1, "--out", path)
    assert f"{path} is there already: add --force" in refused(*options)
    assert path.read_text() == "old"
    assert command(*options, "--force")[0] == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--out", "digits.jpg"), r"--out must end in .png or .gif, got digits\.jpg"),
        (("--labels", "12a"), "--labels must be digits, .* '12a'"),
        (("--labels", ""), "--labels must be digits, .* ''"),
        (("--labels", "1,2"), "--labels must be digits, .* '1,2'"),
        (("--rows", 0), "--rows must be at least 1, got 0"),
        (("--num-steps", 0), "num_steps must lie in 1 … 1000.* got 0"),
        (("--num-steps", 1001), "num_steps must lie in 1 … 1000.* got 1001"),
        (("letters",), "name='letters' is not known; choose one of: digits"),
        (("none.safetensors",), r"no file none\.safetensors"),
    ],
)
def test_sample_names_what_is_wrong(refused, monkeypatch, tmp_path, options, named):
    monkeypatch.chdir(tmp_path)
    assert re.search(named, refused("sample", *options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("option", "valid"), [("--sampler", dl.SAMPLERS), ("--spacing", sampling.SPACINGS)])
@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_unknown_sampler_or_spacing_lists_the_valid_ones(command, name, option, valid):
    code, _, err = command(name, option, "euler")
    assert code == 2
    assert "euler" in err
    assert all(each in err for each in valid)


@pytest.mark.parametrize("name", ["sample", "evaluate"])
@pytest.mark.parametrize("spacing", [None, *sampling.SPACINGS])
def test_spacing_reaches_the_sampler_or_is_left_to_it(command, monkeypatch, model, tmp_path, name, spacing):
    passed, sample = [], dl.sample

    def spy(*arguments, **options):
        passed.append(options)
        return sample(*arguments, **options)

    monkeypatch.setattr(pretrained, "sample", spy)
    more = {"sample": ("--rows", 1, "--out", tmp_path / "picture.png"), "evaluate": ("--num-samples", 200)}[
        name
    ]
    flags = ("--spacing", spacing) if spacing else ()
    options = ("--sampler", "dpmpp_2m", "--num-steps", 2, "--guidance-scale", 1.5, "--seed", 3)
    code, out, _ = command(name, model, *options, *flags, *more)
    assert code == 0
    assert len(passed) == 1
    expected = {"sampler": "dpmpp_2m", "num_steps": 2, "guidance_scale": 1.5}
    assert {key: passed[0][key] for key in expected} == expected
    assert passed[0].get("spacing") == spacing
    assert ("spacing" in passed[0]) == bool(spacing)
    if name == "evaluate":
        assert f"200 samples, dpmpp_2m{f', spacing {spacing}' if spacing else ''}, 4 network" in out


def test_spacing_changes_the_picture(command, model, tmp_path):
    """The sampler's own is "karras" for Heun's method, and "trailing" for the others."""
    for sampler, own in (("ddim", "trailing"), ("heun", "karras")):
        pictures = {}
        for spacing in (None, "trailing", "karras"):
            path = tmp_path / f"{sampler} {spacing}.png"
            flags = ("--spacing", spacing) if spacing else ()
            options = ("--labels", 7, "--rows", 1, "--num-steps", 3, "--sampler", sampler)
            assert command("sample", model, *options, *flags, "--out", path)[0] == 0
            pictures[spacing] = path.read_bytes()
        assert pictures[None] == pictures[own]
        assert pictures["trailing"] != pictures["karras"]


def test_sample_of_a_loaded_model_passes_further_options_on(model):
    loaded = dl.load_model(model)
    options = {"sampler": "ddim", "spacing": "quadratic", "eta": 0.5, "num_steps": 4, "progress": False}
    own = loaded.sample([3, 1], guidance_scale=2.0, seed=5, **options)
    generator = torch.Generator().manual_seed(5)
    options |= {
        "labels": [3, 1],
        "guidance_scale": 2.0,
        "objective": loaded.objective,
        "generator": generator,
    }
    assert torch.equal(own, dl.sample(loaded.model, loaded.schedule, (2, 1, 28, 28), **options))
    for name in ("spacing", "eta"):
        less = {k: v for k, v in options.items() if k not in (name, "labels", "objective", "generator")}
        assert not torch.equal(own, loaded.sample([3, 1], seed=5, **less))


# evaluate


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


# weights that cannot be used


@pytest.mark.parametrize("name", ["sample", "evaluate"])
@pytest.mark.parametrize("kind", ["truncated", "altered", "text", "without classes", "shipped"])
def test_unusable_weights_are_one_line(refused, monkeypatch, model, tmp_path, name, kind):
    path = tmp_path / "digits.safetensors"
    content = model.read_bytes()
    if kind == "without classes":
        dl.save_model(path, dl.SimpleDiffusion(width=4), dl.DiffusionSchedule(10), "v")
    else:
        altered = content[:10] + bytes([content[10] ^ 1]) + content[11:]
        path.write_bytes({"truncated": content[:-1], "text": b"digits" * 99}.get(kind, altered))
    options = ("--num-samples", 200) if name == "evaluate" else ("--out", tmp_path / "picture.png")
    if kind == "shipped":
        (tmp_path / "manifest.json").write_text('{"digits": {"file": "digits.safetensors", "sha256": "0"}}')
        monkeypatch.setattr("diffusion_lab.shipped.FOLDER", tmp_path)
    line = refused(name, "digits" if kind == "shipped" else path, "--num-steps", 1, *options)
    assert ("labels" if kind == "without classes" else str(path)) in line
    assert not (tmp_path / "picture.png").exists()


def test_ctrl_c_elsewhere_is_one_line(command, monkeypatch):
    def stop(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(dl, "load_pretrained", stop)
    assert command("sample", "--out", "never.png") == (130, "", "diffusion-lab sample: stopped\n")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "dpmpp_2m, spacing logsnr, eta 1.0, 2 network"),
        (("--eta", 0.5), "dpmpp_2m, spacing logsnr, eta 0.5, 2 network"),
        (("--spacing", "karras"), "dpmpp_2m, spacing karras, eta 1.0, 2 network"),
        (("--sampler", "ddim"), "ddim, 2 network"),
        (("--sampler", "ddim", "--eta", 1), "ddim, eta 1.0, 2 network"),
    ],
)
def test_evaluate_takes_the_best_sampler_unless_one_is_named(command, monkeypatch, model, flags, said):
    passed, sample = [], dl.sample

    def spy(*arguments, **options):
        passed.append(options)
        return sample(*arguments, **options)

    monkeypatch.setattr(pretrained, "sample", spy)
    code, out, _ = command("evaluate", model, "--num-steps", 2, "--num-samples", 200, *flags)
    assert code == 0
    assert f"200 samples, {said}" in out
    words = said.replace(", 2 network", "").split(", ")
    chosen = {"sampler": words[0]} | dict(word.split() for word in words[1:])
    assert {k: str(v) for k, v in passed[0].items() if k in ("sampler", "spacing", "eta")} == chosen


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_eta_is_refused_where_it_has_no_meaning(command, model, tmp_path, name):
    more = ("--out", tmp_path / "picture.png") if name == "sample" else ("--num-samples", 200)
    code, _, err = command(name, model, "--sampler", "ddpm", "--eta", 1, *more)
    assert code == 2
    assert "--eta is for ddim and dpmpp_2m, not for ddpm" in err
