"""The stages in a folder: they go on where they stopped, and the command line keeps what was made."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import cli, data
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd import stages, train
from diffusion_lab.shipped import FOLDER

pytestmark = pytest.mark.usefixtures("small_stages")


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stopped_training_goes_on_bit_for_bit(stage, digits, folder):
    def run(stop: int, resume: bool):
        trained = stages.stage(folder, stage)
        torch.manual_seed(0)
        steps = trained.start(digits, num_steps=4, resume=resume)
        for step in steps:
            if step.index == stop:
                step.save(trained.checkpoint)
                return step.ema
        raise AssertionError

    whole = weights(run(4, False))
    run(2, False)
    assert torch.equal(weights(run(4, True)), whole)


def test_a_stage_without_its_network_or_its_training_cannot_be_made(tmp_path):
    class Untrained(stages.Stage):
        name = "untrained"

        def network(self):
            return torch.nn.Linear(1, 1)

    with pytest.raises(TypeError, match=r"abstract .*fit"):
        Untrained(tmp_path)
    with pytest.raises(TypeError, match=r"abstract .*network"):
        stages.Stage(tmp_path)


@pytest.mark.parametrize("stage", ["clip", "unet"])
def test_the_seed_decides_more_than_the_first_weights(stage, digits, folder, monkeypatch):
    latents = train.load_latents(stages.UNetStage(folder).codes_file)
    monkeypatch.setattr(stages.UNetStage, "codes", lambda *_arguments: latents)

    def first_loss(seed: int) -> float:
        torch.manual_seed(0)
        return next(stages.stage(folder, stage).start(digits, num_steps=4, seed=seed)).loss

    assert first_loss(0) == first_loss(0) != first_loss(1)


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def no_mnist(monkeypatch):
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))


def trained(out, stage, steps=2, *more) -> int:
    return run("train", "mini-sd", stage, "--out", out, "--steps", steps, "--device", "cpu", *more)


@pytest.fixture
def refused(capsys):
    """Run a command that must end with exit code 2 and one line; returns the line."""

    def refuse(*arguments) -> str:
        capsys.readouterr()
        assert run(*arguments) == 2
        err = capsys.readouterr().err
        lines = [line for line in err.splitlines() if line.startswith("diffusion-lab ")]
        assert err.endswith(lines[-1] + "\n")
        assert len(lines) == 1
        return lines[0]

    return refuse


@pytest.fixture
def folder(parts, tmp_path, no_mnist):
    return Path(shutil.copytree(parts, tmp_path / "parts"))


def noted(path) -> dict:
    return json.loads(read_tensors(path)[1]["notes"])


def test_command_line_from_nothing_to_a_picture(folder, tmp_path):
    out = folder
    assert run("train", "mini-sd", "pack", "--out", out) == 0
    packed = dl.load_model(out / "mini-sd.safetensors")
    assert "`diffusion-lab train mini-sd vae --steps 2 --seed 0` (2 steps done, sklearn)" in packed.card
    assert packed.scale == train.load_latents(stages.UNetStage(out).codes_file).scale != 1
    picture = tmp_path / "scene.png"
    options = ("--prompt", "a big red seven", "--num-steps", 2, "--rows", 2, "--out", picture)
    assert run("sample", out / "mini-sd.safetensors", *options, "--negative", "a blue one") == 0
    assert picture.stat().st_size > 1000
    film = tmp_path / "scene.gif"
    assert (
        run("sample", out / "mini-sd.safetensors", "--prompt", "a red 7", "--num-steps", 2, "--out", film)
        == 0
    )
    fingerprints = {name: stages.stage(out, name).fingerprint() for name in ("vae", "clip")}
    assert len({*fingerprints.values()}) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", value) for value in fingerprints.values())
    notes = {"steps": 2, "of": 2, "seed": 0, "bfloat16": False, "source": "sklearn"}
    assert noted(out / "unet.safetensors") == {**notes, **fingerprints, "scale": packed.scale}
    run_note = json.loads((out / "unet.json").read_text())
    assert run_note == {"steps": 2, "seed": 0, "bfloat16": False, "data": "sklearn", **fingerprints}
    made_from = {"vae": fingerprints["vae"], "source": "sklearn", "seed": 0, "scenes": 96}
    assert train.load_latents(stages.UNetStage(out).codes_file).made_from == made_from


def test_a_stage_needs_those_before_and_does_not_replace_itself(folder, refused, tmp_path):
    assert "run the stage 'clip' first" in refused("train", "mini-sd", "unet", "--out", tmp_path / "new")
    assert "holds vae already: add --resume" in refused("train", "mini-sd", "vae", "--out", folder)
    assert "seed was 0" in refused(
        "train", "mini-sd", "vae", "--out", folder, "--steps", 3, "--resume", "--seed", 1
    )


@pytest.mark.parametrize(("stage", "called"), [("vae", "the VAE in"), ("clip", "the text encoder in")])
def test_a_unet_goes_with_the_parts_it_was_trained_with_only(folder, refused, stage, called):
    before = train.load_latents(stages.UNetStage(folder).codes_file)
    assert trained(folder, stage, 3, "--resume") == 0
    for command in (("pack",), ("unet", "--resume", "--steps", 3)):
        line = refused("train", "mini-sd", *command, "--out", folder)
        assert called in line
        assert (
            "came after the U-Net: train 'unet' into another folder, or remove unet.pt and unet.safetensors"
            in line
        )
    (folder / "unet.pt").unlink()
    (folder / "unet.safetensors").unlink()
    assert trained(folder, "unet") == 0
    assert run("train", "mini-sd", "pack", "--out", folder) == 0
    after = train.load_latents(stages.UNetStage(folder).codes_file)
    assert torch.equal(after.tokens, before.tokens)
    assert torch.equal(after.codes, before.codes) == (stage == "clip")


def test_codes_are_made_anew_only_if_something_that_made_them_is_another(folder, digits, monkeypatch):
    drawn = []
    encode = train.encode_scenes
    monkeypatch.setattr(train, "encode_scenes", lambda *arguments: drawn.append(1) or encode(*arguments))
    vae = stages.VAEStage(folder).load()

    def makes(digits, seed) -> bool:
        drawn.clear()
        stages.UNetStage(folder).codes(vae, digits, seed)
        return bool(drawn)

    assert not makes(digits, 0)
    before = train.load_latents(stages.UNetStage(folder).codes_file)
    assert makes(digits, 1)
    assert not torch.equal(train.load_latents(stages.UNetStage(folder).codes_file).tokens, before.tokens)
    assert not makes(digits, 1)
    assert makes(digits._replace(source="mnist"), 1)
    monkeypatch.setattr(stages, "SCENES", 80)
    assert makes(digits._replace(source="mnist"), 1)
    path = stages.UNetStage(folder).codes_file
    path.write_bytes(path.read_bytes()[:-10])
    assert makes(digits._replace(source="mnist"), 1)
    stages.save_part(path, vae)
    assert makes(digits._replace(source="mnist"), 1)
    assert len(train.load_latents(path).codes) == 80


def test_first_weights_of_the_unet_do_not_depend_on_the_codes_file(folder, digits, monkeypatch):
    begun = []
    monkeypatch.setattr(
        train, "train_unet", lambda unet, *_args, **_options: iter([begun.append(weights(unet))])
    )
    for codes_are_there in (True, False):
        if not codes_are_there:
            stages.UNetStage(folder).codes_file.unlink()
        torch.manual_seed(0)
        stages.UNetStage(folder).start(digits, num_steps=2)
    torch.manual_seed(0)
    text = stages.ClipStage(folder).load().text
    stages.VAEStage(folder).load()
    assert torch.equal(begun[0], begun[1])
    assert torch.equal(begun[0], weights(train.new_unet(text)))


@pytest.mark.parametrize("stage", ["clip", "unet"])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--steps", 0), "--steps must be at least 1, got 0"),
        (("--steps", 0, "--resume"), "--steps must be at least 1, got 0"),
        (("--steps", 1, "--resume"), "--steps must be at least 3, got 1"),
    ],
)
def test_too_few_steps_are_refused_before_anything_is_coded(
    folder, refused, monkeypatch, stage, more, message
):
    monkeypatch.setattr(train, "encode_scenes", None)
    stages.UNetStage(folder).codes_file.unlink()
    if "--resume" not in more:
        (folder / f"{stage}.pt").unlink()
        (folder / f"{stage}.safetensors").unlink()
    assert message in refused("train", "mini-sd", stage, "--out", folder, *more)
    with pytest.raises(ValueError, match=r"^num_steps must be at least"):
        stages.stage(folder, stage).start(data.sklearn_digits(), num_steps=more[1], resume="--resume" in more)


@pytest.mark.parametrize("stage", ["vae", "clip", "unet"])
def test_a_finished_stage_has_nothing_left_to_do(folder, capsys, monkeypatch, stage):
    monkeypatch.setattr(train, "encode_scenes", None)
    before = stages.stage(folder, stage).file.read_bytes()
    assert trained(folder, stage, 2, "--resume") == 0
    out = capsys.readouterr().out
    assert "done after 2 steps" in out
    following = {"vae": "clip", "clip": "unet", "unet": "pack"}[stage]
    assert out.splitlines()[-1] == f"next: diffusion-lab train mini-sd {following} --out {folder}"
    assert (folder / f"{stage}-loss.csv").read_text().startswith("step,loss\n1,")
    assert stages.stage(folder, stage).file.read_bytes() == before


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_lost_part_is_written_again_from_a_finished_checkpoint(folder, capsys, stage):
    path = stages.stage(folder, stage).file
    tensors, metadata = read_tensors(path)
    path.unlink()
    assert trained(folder, stage, 2, "--resume") == 0
    assert f"done after 2 steps: {path}" in capsys.readouterr().out
    again = read_tensors(path)
    assert again[1] == metadata
    assert again[0].keys() == tensors.keys()
    assert all(torch.equal(again[0][name], tensors[name]) for name in tensors)
    assert run("train", "mini-sd", "pack", "--out", folder) == 0


@pytest.mark.parametrize("stage", ["vae", "unet"])
def test_the_part_is_written_before_the_last_checkpoint(folder, monkeypatch, stage):
    before = read_tensors(stages.stage(folder, stage).file)
    monkeypatch.setattr(type(stages.stage(folder, stage)), "keep", lambda *_args, **_notes: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained(folder, stage, 3, "--resume")
    assert stages.stage(folder, stage).read_checkpoint()["index"] == 2
    assert stages.UNetStage(folder).codes_file.is_file()
    assert read_tensors(stages.stage(folder, stage).file)[1] == before[1]


def test_resume_without_the_note_of_the_run_or_with_a_broken_one_is_refused(folder, refused):
    path = folder / "unet.json"
    for content in ("{", "[]", "{}", "7"):
        path.write_text(content)
        line = refused("train", "mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
        assert f"{path}, which should say what run --resume goes on with, is damaged" in line
    path.unlink()
    line = refused("train", "mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
    assert f"--resume: there is no {path}" in line


@pytest.mark.parametrize("kind", ["digits", "vae", "cut", "no metadata", "no notes", "checkpoint"])
def test_parts_that_are_something_else_or_damaged_are_named(folder, refused, kind):
    path = folder / "clip.safetensors"
    if kind == "digits":
        shutil.copy(FOLDER / "digits.safetensors", path)
    if kind == "vae":
        shutil.copy(folder / "vae.safetensors", path)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    if kind == "no metadata":
        write_tensors(path, read_tensors(path)[0], {}, half=False)
    if kind == "no notes":
        tensors, metadata = read_tensors(path)
        write_tensors(path, tensors, {"config": metadata["config"]}, half=False)
    (folder / "unet.pt").unlink()
    if kind == "checkpoint":
        path = folder / "unet.pt"
        shutil.copy(folder / "vae.pt", path)
        line = refused("train", "mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
    else:
        line = refused("train", "mini-sd", "pack", "--out", folder)
        (folder / "unet.safetensors").unlink()
        if kind != "no notes":
            assert str(path) in refused("train", "mini-sd", "unet", "--out", folder)
    assert str(path) in line
    assert len(line) < 1000


def test_pack_replaces_only_by_force_and_takes_no_options_of_training(folder, refused, capsys):
    path = folder / "mini-sd.safetensors"
    path.write_text("old")
    assert f"{path} is there already: add --force" in refused("train", "mini-sd", "pack", "--out", folder)
    assert path.read_text() == "old"
    assert run("train", "mini-sd", "pack", "--out", folder, "--force") == 0
    assert dl.load_model(path).schedule.timesteps == 1000
    for flags in (("--steps", 2), ("--seed", 0), ("--device", "cpu"), ("--resume",), ("--bfloat16",)):
        with pytest.raises(SystemExit, match="2"):
            run("train", "mini-sd", "pack", "--out", folder, "--force", *flags)
        assert f"unrecognized arguments: {flags[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("sample", "digits", "--prompt", "a red one"), "--prompt and --negative are for mini-sd"),
        (("sample", "mini-sd", "--prompt", "a red one", "--labels", 3), "--labels is for models of digits"),
        (("sample", "mini-sd"), "mini-sd needs a --prompt"),
        (("evaluate", "digits", "--held-out"), "--held-out is for mini-sd"),
        (("evaluate", "mini-sd", "--num-samples", 0), "num_samples must be at least 1, got 0"),
        (("train", "mini-sd", "vae", "--resume"), "--resume: there is no"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert named in err
    assert err.count("\n") == 1
