"""Training of the parts: it learns, it goes on where it stopped, and the command line keeps what was made."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import cli, data, pretrained
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd import scenes, stages, text, train
from diffusion_lab.mini_sd.vae import VAE, measure_scale
from diffusion_lab.optimization import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("small_stages")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("stage", stages.STEPS)
def test_a_stopped_training_goes_on_bit_for_bit(stage, digits, folder):
    def run(stop: int, resume: bool):
        torch.manual_seed(0)
        steps = stages.start(stage, folder, digits, num_steps=4, resume=resume)
        for step in steps:
            if step.index == stop:
                step.save(stages.checkpoint(folder, stage))
                return step.ema
        raise AssertionError

    whole = weights(run(4, False))
    run(2, False)
    assert torch.equal(weights(run(4, True)), whole)


@pytest.mark.parametrize("stage", ["clip", "unet"])
def test_the_seed_decides_more_than_the_first_weights(stage, digits, folder, monkeypatch):
    latents = train.load_latents(stages.codes_file(folder))
    monkeypatch.setattr(stages, "codes", lambda *_arguments: latents)

    def first_loss(seed: int) -> float:
        torch.manual_seed(0)
        return next(stages.start(stage, folder, digits, num_steps=4, seed=seed)).loss

    assert first_loss(0) == first_loss(0) != first_loss(1)


def test_every_code_goes_with_its_own_caption(small, monkeypatch):
    monkeypatch.setattr(train.training, "train", lambda _model, _schedule, batches, **_options: iter(batches))
    codes = torch.randn(130, 4, 16, 16, generator=seeded())
    latents = train.Latents(codes, text.tokenize(["a red one"] * 130), 1.0)
    seen = []
    for batch, labels in train.train_unet(
        small.unet, small.text, latents, small.schedule, generator=seeded()
    ):
        assert torch.equal(batch, codes[labels])
        seen += labels.tolist()
    assert len(set(seen)) == 128


def test_vae_learns(digits):
    torch.manual_seed(0)
    losses = [step.loss for step in train.train_vae(VAE(width=8), digits, num_steps=60, generator=seeded())]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize(("options", "expected"), [({}, "muon"), ({"optimizer": "adamw"}, "adamw")])
def test_the_optimizer_is_the_one_that_was_asked_for(digits, options, expected):
    step = next(train.train_vae(VAE(width=8), digits, batch_size=2, num_steps=1, **options))
    assert type(step.state.optimizer) is OPTIMIZERS[expected]


def test_codes_are_scaled_means_with_their_captions(digits, small):
    latents = train.encode_scenes(small.vae, digits, 40, seeded())
    assert latents.codes.shape == (40, 4, 16, 16)
    assert abs(float(latents.codes.std()) - 1) < 0.05
    again = scenes.compose(40, digits, generator=seeded())
    assert torch.equal(latents.tokens, text.tokenize(again.captions))
    assert torch.allclose(latents.codes, small.vae.encode(again.images)[0] * latents.scale, atol=1e-5)


def test_the_scale_is_that_of_the_first_500_scenes_and_the_same_for_all(digits, small):
    latents = train.encode_scenes(small.vae, digits, 503, seeded())
    generator = seeded()
    many, few = (scenes.compose(number, digits, generator=generator).images for number in (500, 3))
    assert latents.scale == measure_scale(small.vae, many) != measure_scale(small.vae, few)
    assert torch.allclose(latents.codes[:3], small.vae.encode(many[:3])[0] * latents.scale, atol=1e-5)
    assert torch.allclose(latents.codes[500:], small.vae.encode(few)[0] * latents.scale, atol=1e-5)


def test_labels_stand_for_captions_and_the_null_label_for_the_empty_one(small):
    tokens = text.tokenize(["a red one", "a blue two"])
    model = train.Captioned(small.unet, small.text, tokens)
    assert model.null_label == 2
    x, t = torch.randn(3, 4, 16, 16, generator=seeded()), torch.tensor([5, 50, 90])
    wanted = small.unet(x, t, context=small.read(["a blue two", "", "a red one"]))
    assert torch.allclose(model(x, t, torch.tensor([1, 2, 0])), wanted, atol=1e-6)
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        "unet"
    }  # the text encoder stays frozen


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def no_mnist(monkeypatch):
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))


def trained(out, stage, steps=2, *more) -> int:
    return run("train-mini-sd", stage, "--out", out, "--steps", steps, "--device", "cpu", *more)


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
    assert run("train-mini-sd", "pack", "--out", out) == 0
    packed = dl.load_model(out / "mini-sd.safetensors")
    assert "`diffusion-lab train-mini-sd vae --steps 2 --seed 0` (2 steps done, sklearn)" in packed.card
    assert packed.scale == train.load_latents(stages.codes_file(out)).scale != 1
    picture = tmp_path / "scene.png"
    options = ("--prompt", "a big red seven", "--num-steps", 2, "--rows", 2, "--out", picture)
    assert run("sample", out / "mini-sd.safetensors", *options, "--negative", "a blue one") == 0
    assert picture.stat().st_size > 1000
    film = tmp_path / "scene.gif"
    assert (
        run("sample", out / "mini-sd.safetensors", "--prompt", "a red 7", "--num-steps", 2, "--out", film)
        == 0
    )
    fingerprints = {name: stages.fingerprint(out, name) for name in ("vae", "clip")}
    assert len({*fingerprints.values()}) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in fingerprints.values())
    notes = {"steps": 2, "of": 2, "seed": 0, "bfloat16": False, "source": "sklearn"}
    assert noted(out / "unet.safetensors") == {**notes, **fingerprints, "scale": packed.scale}
    run_note = json.loads((out / "unet.json").read_text())
    assert run_note == {"steps": 2, "seed": 0, "bfloat16": False, "data": "sklearn", **fingerprints}
    made_from = {"vae": fingerprints["vae"], "source": "sklearn", "seed": 0, "scenes": 96}
    assert train.load_latents(stages.codes_file(out)).made_from == made_from


def test_a_stage_needs_those_before_and_does_not_replace_itself(folder, refused, tmp_path):
    assert "run the stage 'clip' first" in refused("train-mini-sd", "unet", "--out", tmp_path / "new")
    assert "holds vae already: add --resume" in refused("train-mini-sd", "vae", "--out", folder)
    assert "seed was 0" in refused(
        "train-mini-sd", "vae", "--out", folder, "--steps", 3, "--resume", "--seed", 1
    )


@pytest.mark.parametrize(("stage", "called"), [("vae", "the VAE in"), ("clip", "the text encoder in")])
def test_a_unet_goes_with_the_parts_it_was_trained_with_only(folder, refused, stage, called):
    before = train.load_latents(stages.codes_file(folder))
    assert trained(folder, stage, 3, "--resume") == 0
    for command in (("pack",), ("unet", "--resume", "--steps", 3)):
        line = refused("train-mini-sd", *command, "--out", folder)
        assert called in line
        assert (
            "came after the U-Net: train 'unet' into another folder, or remove unet.pt and unet.safetensors"
            in line
        )
    (folder / "unet.pt").unlink()
    (folder / "unet.safetensors").unlink()
    assert trained(folder, "unet") == 0
    assert run("train-mini-sd", "pack", "--out", folder) == 0
    after = train.load_latents(stages.codes_file(folder))
    assert torch.equal(after.tokens, before.tokens)
    assert torch.equal(after.codes, before.codes) == (stage == "clip")


def test_codes_are_made_anew_only_if_something_that_made_them_is_another(folder, digits, monkeypatch):
    drawn = []
    encode = train.encode_scenes
    monkeypatch.setattr(train, "encode_scenes", lambda *arguments: drawn.append(1) or encode(*arguments))
    vae = stages.load_part(folder, "vae")

    def makes(digits, seed) -> bool:
        drawn.clear()
        stages.codes(folder, vae, digits, seed)
        return bool(drawn)

    assert not makes(digits, 0)
    before = train.load_latents(stages.codes_file(folder))
    assert makes(digits, 1)
    assert not torch.equal(train.load_latents(stages.codes_file(folder)).tokens, before.tokens)
    assert not makes(digits, 1)
    assert makes(digits._replace(source="mnist"), 1)
    monkeypatch.setattr(stages, "SCENES", 80)
    assert makes(digits._replace(source="mnist"), 1)
    path = stages.codes_file(folder)
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
            stages.codes_file(folder).unlink()
        torch.manual_seed(0)
        stages.start("unet", folder, digits, num_steps=2)
    torch.manual_seed(0)
    text = stages.load_part(folder, "clip").text
    stages.load_part(folder, "vae")
    assert torch.equal(begun[0], begun[1])
    assert torch.equal(begun[0], weights(train.new_unet(text)))


@pytest.mark.parametrize("stage", ["clip", "unet"])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--steps", 0), "--steps must be at least 1, got 0"),
        (("--steps", 0, "--resume"), "--steps must be at least 1, got 0"),
        (("--steps", 1, "--resume"), "--steps must be at least 3, got 1"),
    ],
)
def test_too_few_steps_are_refused_before_anything_is_coded(folder, refused, monkeypatch, stage, more, said):
    monkeypatch.setattr(train, "encode_scenes", None)
    stages.codes_file(folder).unlink()
    if "--resume" not in more:
        (folder / f"{stage}.pt").unlink()
        (folder / f"{stage}.safetensors").unlink()
    assert said in refused("train-mini-sd", stage, "--out", folder, *more)
    with pytest.raises(ValueError, match="--steps must be at least"):
        stages.start(stage, folder, data.sklearn_digits(), num_steps=more[1], resume="--resume" in more)


@pytest.mark.parametrize("stage", ["vae", "clip", "unet"])
def test_a_finished_stage_has_nothing_left_to_do(folder, capsys, monkeypatch, stage):
    monkeypatch.setattr(train, "encode_scenes", None)
    before = stages.part_file(folder, stage).read_bytes()
    assert trained(folder, stage, 2, "--resume") == 0
    assert "done after 2 steps" in capsys.readouterr().out
    assert stages.part_file(folder, stage).read_bytes() == before


def test_coding_scenes_shows_a_bar(small, digits, monkeypatch):
    shown = []
    monkeypatch.setattr(
        train, "tqdm", lambda steps, *args, **_options: shown.append((list(steps), args)) or steps
    )
    train.encode_scenes(small.vae, digits, 3, seeded())
    assert shown == [([0], ("coding scenes",))]


@pytest.mark.parametrize("stage", stages.STEPS)
def test_a_lost_part_is_written_again_from_a_finished_checkpoint(folder, capsys, stage):
    path = stages.part_file(folder, stage)
    tensors, metadata = read_tensors(path)
    path.unlink()
    assert trained(folder, stage, 2, "--resume") == 0
    assert f"done after 2 steps: {path}" in capsys.readouterr().out
    again = read_tensors(path)
    assert again[1] == metadata
    assert again[0].keys() == tensors.keys()
    assert all(torch.equal(again[0][name], tensors[name]) for name in tensors)
    assert run("train-mini-sd", "pack", "--out", folder) == 0


@pytest.mark.parametrize("stage", ["vae", "unet"])
def test_the_part_is_written_before_the_last_checkpoint(folder, monkeypatch, stage):
    before = read_tensors(stages.part_file(folder, stage))
    monkeypatch.setattr(stages, "keep", lambda *_args, **_notes: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained(folder, stage, 3, "--resume")
    assert stages.read_checkpoint(folder, stage)["index"] == 2
    assert stages.codes_file(folder).is_file()
    assert read_tensors(stages.part_file(folder, stage))[1] == before[1]


def test_resume_without_the_note_of_the_run_or_with_a_broken_one_is_refused(folder, refused):
    path = folder / "unet.json"
    for content in ("{", "[]", "{}", "7"):
        path.write_text(content)
        line = refused("train-mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
        assert f"{path}, which should say what run --resume goes on with, is damaged" in line
    path.unlink()
    line = refused("train-mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
    assert f"--resume: there is no {path}" in line


@pytest.mark.parametrize("kind", ["digits", "vae", "cut", "no metadata", "no notes", "checkpoint"])
def test_parts_that_are_something_else_or_damaged_are_named(folder, refused, kind):
    path = folder / "clip.safetensors"
    if kind == "digits":
        shutil.copy(pretrained.FOLDER / "digits.safetensors", path)
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
        line = refused("train-mini-sd", "unet", "--out", folder, "--steps", 3, "--resume")
    else:
        line = refused("train-mini-sd", "pack", "--out", folder)
        (folder / "unet.safetensors").unlink()
        if kind != "no notes":
            assert str(path) in refused("train-mini-sd", "unet", "--out", folder)
    assert str(path) in line
    assert len(line) < 1000


def test_pack_replaces_only_by_force_and_takes_no_options_of_training(folder, refused):
    path = folder / "mini-sd.safetensors"
    path.write_text("old")
    assert f"{path} is there already: add --force" in refused("train-mini-sd", "pack", "--out", folder)
    assert path.read_text() == "old"
    assert run("train-mini-sd", "pack", "--out", folder, "--force") == 0
    assert dl.load_model(path).schedule.timesteps == 1000
    for flags in (("--steps", 2), ("--seed", 0), ("--device", "cpu"), ("--resume",), ("--bfloat16",)):
        assert f"takes no {flags[0]}" in refused("train-mini-sd", "pack", "--out", folder, "--force", *flags)
    assert "--force is for pack" in refused("train-mini-sd", "vae", "--out", folder, "--force")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("sample", "digits", "--prompt", "a red one"), "--prompt and --negative are for mini-sd"),
        (("sample", "mini-sd", "--prompt", "a red one", "--labels", 3), "--labels is for models of digits"),
        (("sample", "mini-sd"), "mini-sd needs a --prompt"),
        (("evaluate", "digits", "--held-out"), "--held-out is for mini-sd"),
        (("evaluate", "mini-sd", "--num-samples", 0), "--num-samples must be at least 1, got 0"),
        (("train-mini-sd", "vae", "--resume"), "--resume: there is no"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert named in err
    assert err.count("\n") == 1
