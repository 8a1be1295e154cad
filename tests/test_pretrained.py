"""Networks as files: the shipped ones, the ones a student saves, and damaged ones."""

import hashlib
import json
import pickle
import re
import shutil

import pytest
import torch
from safetensors.torch import save_file

import diffusion_lab as dl
from diffusion_lab import evaluation, files, pretrained
from diffusion_lab.shipped import FOLDER
from diffusion_lab.shipped import shipped as manifest

SCHEDULES = [
    dl.DiffusionSchedule.cosine(1000),
    dl.DiffusionSchedule(50),
    dl.DiffusionSchedule.from_betas([0.1, 0.2]),
]


@pytest.fixture(scope="module")
def shipped() -> pretrained.Pretrained:
    return dl.load_pretrained("digits")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the shipped weights, to be damaged."""
    copy = shutil.copytree(FOLDER, tmp_path / "weights")
    monkeypatch.setattr("diffusion_lab.shipped.FOLDER", copy)
    return copy


@pytest.fixture
def unet() -> dl.UNet:
    torch.manual_seed(0)
    network = dl.UNet(num_classes=10, width=8, multipliers=(1, 2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


# what ships


@pytest.mark.parametrize("name", ["digits", "judge"])
def test_manifest_matches_the_files(name):
    entry = manifest()[name]
    content = (FOLDER / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) <= 6e6


def test_manifest_names_every_weights_file():
    files = {path.name for path in FOLDER.glob("*.safetensors")}
    assert {entry["file"] for entry in manifest().values()} == files


def test_digits_model_is_ready_to_use(shipped):
    assert isinstance(shipped.model, dl.UNet)
    assert shipped.model.null_label == 10
    assert shipped.schedule.timesteps == 1000
    assert shipped.card.startswith("# digits")
    assert not shipped.model.training
    assert {(p.dtype, p.requires_grad) for p in shipped.model.parameters()} == {(torch.float32, False)}


def test_samples_repeat_with_the_seed_and_follow_the_size(shipped):
    first, again, other = (
        shipped.sample([3, 1], num_steps=2, seed=seed, progress=False) for seed in (0, 0, 1)
    )
    assert (first.shape, first.dtype) == ((2, 1, 28, 28), torch.float32)
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.1)
    assert shipped.sample([3], num_steps=1, size=32, progress=False).shape == (1, 1, 32, 32)
    assert first.abs().max() <= 1


def test_sample_takes_a_generator_in_place_of_the_seed(shipped, generator):
    options = {"num_steps": 1, "progress": False}
    drawn = shipped.sample(torch.tensor([3]), generator=generator, **options)
    assert torch.equal(drawn, shipped.sample([3], seed=0, **options))
    assert not torch.equal(drawn, shipped.sample([3], generator=generator, **options))


def test_sample_is_the_sampling_of_the_package(shipped):
    options = {"sampler": "ddpm", "num_steps": 2, "guidance_scale": 3.0, "progress": False}
    drawn = dl.sample(
        shipped.model,
        shipped.schedule,
        (2, 1, 28, 28),
        labels=[3, 1],
        objective=shipped.objective,
        generator=torch.Generator().manual_seed(7),
        **options,
    )
    assert torch.equal(shipped.sample([3, 1], seed=7, **options), drawn)


def test_digits_are_those_that_were_asked_for(shipped):
    labels = torch.arange(10)
    images = shipped.sample(labels, guidance_scale=2.0, num_steps=10, progress=False)
    _, predicted = evaluation.describe(dl.load_judge().classifier, images)
    assert (predicted == labels).sum() >= 9, predicted.tolist()


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_an_unknown_argument_is_named(shipped, unchecked, scale):
    with pytest.raises(ValueError, match="unknown argument banana=1 "):
        shipped.sample([1], guidance_scale=scale, banana=1)


@pytest.mark.parametrize("labels", [[10], [3, -1], [100], torch.tensor([2.5]), torch.tensor([[1], [2]])])
def test_bad_labels_are_named(shipped, unchecked, labels):
    with pytest.raises(ValueError, match="labels must"):
        shipped.sample(labels, num_steps=1)


@pytest.mark.parametrize("labels", [[1], [1, 2, 3]])
def test_wrong_number_of_labels_is_named(shipped, labels):
    with pytest.raises(
        ValueError, match=rf"labels must have shape \(2,\), one per sample, got \({len(labels)},\)"
    ):
        dl.sample(shipped.model, shipped.schedule, (2, 1, 28, 28), num_steps=1, labels=labels)


@pytest.mark.parametrize("name", ["Digits", "judge", "digits-training-film", "", "../digits"])
def test_unknown_name_lists_the_valid_ones(name):
    with pytest.raises(
        ValueError, match=f"name={re.escape(repr(name))} is not known; choose one of: digits, "
    ):
        dl.load_pretrained(name)


def test_the_film_of_a_training_goes_from_noise_to_digits():
    film = pretrained.load_training_film()
    assert (film.steps[0], film.steps[-1]) == (0, 1200)
    assert film.steps == sorted(set(film.steps))
    assert film.pictures.shape == (len(film.steps), 10, 1, 28, 28)
    assert (film.pictures.min(), film.pictures.max()) == (-1, 1)
    noise, *_, digits = film.pictures
    classifier = dl.load_judge().classifier
    read = [int((evaluation.describe(classifier, p)[1] == torch.arange(10)).sum()) for p in (noise, digits)]
    assert read[0] <= 3
    assert read[1] >= 8
    assert "1200 steps" in film.about


def test_a_film_of_a_training_comes_back_from_its_file(tmp_path):
    pictures = torch.linspace(-1, 1, 2 * 3 * 16).reshape(2, 3, 1, 4, 4)
    pretrained.save_training_film(
        tmp_path / "film.safetensors", pretrained.TrainingFilm([0, 5], pictures, "so")
    )
    film = pretrained.load_training_film(tmp_path / "film.safetensors")
    assert (film.steps, film.about) == ([0, 5], "so")
    assert (film.pictures - pictures).abs().max() <= 1 / 255 + 1e-6


def test_what_is_no_film_of_a_training_is_named():
    with pytest.raises(ValueError, match="is not a film of a training"):
        pretrained.load_training_film(FOLDER / "judge.safetensors")


def test_nothing_is_unpickled(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("unpickled a file")

    monkeypatch.setattr(torch, "load", refuse)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert dl.load_pretrained("digits").model.null_label == 10
    assert dl.load_judge().reference.floor(500) > 0


# what is damaged


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("name", ["digits", "judge"])
@pytest.mark.parametrize("damage", [flip_a_byte, truncate, empty])
def test_damaged_shipped_file_is_named(folder, name, damage):
    path = folder / f"{name}.safetensors"
    damage(path)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        dl.load_judge() if name == "judge" else dl.load_pretrained(name)


@pytest.mark.parametrize("name", ["digits", "judge"])
def test_missing_shipped_file_is_named(folder, name):
    path = folder / f"{name}.safetensors"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        dl.load_judge() if name == "judge" else dl.load_pretrained(name)


@pytest.mark.parametrize("load", [dl.load_model, dl.load_judge])
@pytest.mark.parametrize("damage", [truncate, empty, lambda path: path.write_text("# a text\n" * 100)])
def test_file_that_is_not_whole_is_named(folder, load, damage):
    path = folder / ("judge.safetensors" if load is dl.load_judge else "digits.safetensors")
    damage(path)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} is truncated or not a safetensors file"):
        load(path)


@pytest.mark.parametrize("load", [dl.load_model, dl.load_judge])
@pytest.mark.parametrize("name", ["none.safetensors", "."])
def test_missing_file_is_named(tmp_path, load, name):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / name))):
        load(tmp_path / name)


@pytest.mark.parametrize("load", [dl.load_model, dl.load_judge])
def test_safetensors_of_something_else_is_named(tmp_path, load):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"network": "ResNet"},
        {"config": '{"width": 16}'},
        {"config": '{"banana": 1}'},
        {"config": "not json"},
        {"schedule": "{}"},
        {"schedule": '{"curve": "banana", "timesteps": 10}'},
    ],
)
def test_model_file_with_wrong_metadata_is_named(tmp_path, unet, change):
    path = tmp_path / "changed.safetensors"
    schedule = json.dumps(SCHEDULES[0].config)
    metadata = {"network": "UNet", "config": json.dumps(unet.config), "schedule": schedule, "objective": "v"}
    save_file(unet.state_dict(), path, metadata | change)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        dl.load_model(path)


# what is saved


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("kind", ["unet", "simple", "plain"])
def test_model_round_trip(tmp_path, unet, schedule, kind):
    makers = {
        "unet": lambda: unet,
        "simple": lambda: dl.SimpleDiffusion(time_emb_dim=4, timesteps=50),
        "plain": lambda: dl.PlainConvNet(width=4, timesteps=50),
    }
    model = makers[kind]()
    dl.save_model(tmp_path / "new" / "m.safetensors", model, schedule, "x0", "# a card: ε → x₀\n")
    loaded = dl.load_model(tmp_path / "new" / "m.safetensors")
    assert type(loaded.model) is type(model)
    assert json.dumps(loaded.model.config) == json.dumps(model.config)
    assert (loaded.objective, loaded.model.trained_objective, loaded.card) == (
        "x0",
        "x0",
        "# a card: ε → x₀\n",
    )
    assert loaded.schedule.config == schedule.config
    assert torch.equal(loaded.schedule.alphas_cumprod, schedule.alphas_cumprod)
    assert model.state_dict().keys() == loaded.model.state_dict().keys()
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].half().float()), name
    x_t, t = torch.randn(2, 1, 28, 28), torch.tensor([1, 2])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(x_t, t), model(x_t, t), rtol=0.02, atol=0.01)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["m.safetensors"]


def test_network_of_another_kind_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="network='Linear' is not known; choose one of: PlainConvNet, SimpleDiffusion, UNet"
    ):
        dl.save_model(tmp_path / "m.safetensors", torch.nn.Linear(1, 1), SCHEDULES[0], "v")
    assert list(tmp_path.iterdir()) == []


def test_model_without_classes_says_that_it_takes_no_labels(tmp_path):
    for model in (dl.UNet(width=8), dl.SimpleDiffusion(), dl.PlainConvNet(width=4)):
        dl.save_model(tmp_path / "m.safetensors", model, SCHEDULES[0], "v")
        with pytest.raises(ValueError, match="labels"):
            dl.load_model(tmp_path / "m.safetensors").sample([1, 2], num_steps=1)


def test_model_saved_without_a_card_has_no_card(tmp_path, unet):
    dl.save_model(tmp_path / "m.safetensors", unet, SCHEDULES[0], "v", "# the first model")
    dl.save_model(tmp_path / "m.safetensors", dl.PlainConvNet(width=4), SCHEDULES[0], "v")
    assert dl.load_model(tmp_path / "m.safetensors").card == ""


def fail_half_way(_tensors, path, _metadata):
    path.write_bytes(b"half of a fi")
    raise OSError(28, "No space left on device")


def test_failing_save_keeps_the_old_files(tmp_path, monkeypatch, unet):
    path = tmp_path / "m.safetensors"
    dl.save_model(path, unet, SCHEDULES[0], "v", "# old")
    old = path.read_bytes()
    monkeypatch.setattr(files, "save_file", fail_half_way)
    with pytest.raises(OSError, match="No space left"):
        dl.save_model(path, dl.PlainConvNet(width=4), SCHEDULES[0], "v", "# new")
    assert path.read_bytes() == old
    assert dl.load_model(path).card == "# old"
    assert list(tmp_path.iterdir()) == [path]


def test_judge_round_trip(tmp_path):
    judge = dl.load_judge()
    dl.save_judge(tmp_path / "judge.safetensors", judge)
    again = dl.load_judge(tmp_path / "judge.safetensors")
    assert again.reference.floors == judge.reference.floors
    assert again.reference.spread == judge.reference.spread
    assert again.reference.gaussian.covariance.dtype == torch.float64
    for name in ("mean", "covariance"):
        assert torch.equal(getattr(again.reference.gaussian, name), getattr(judge.reference.gaussian, name))
    assert torch.equal(again.reference.class_counts, judge.reference.class_counts)
    for name, tensor in again.classifier.state_dict().items():
        assert torch.equal(tensor, judge.classifier.state_dict()[name]), name
    assert not again.classifier.training
    assert not any(p.requires_grad for p in again.classifier.parameters())


def test_shipped_reference_is_that_of_the_whole_test_set():
    reference = dl.load_judge().reference
    assert reference.class_counts.sum() == 10_000
    floors = [reference.floors[number] for number in sorted(reference.floors)]
    assert floors == sorted(floors, reverse=True)
    assert torch.linalg.eigvalsh(reference.gaussian.covariance).min() > 0


@pytest.mark.parametrize(
    ("name", "objective", "curve"),
    [
        ("digits-small", "v", "cosine"),
        ("digits-flow", "flow", "straight"),
        ("digits-consistency", "v", "cosine"),
    ],
)
def test_the_small_networks_of_lesson_10_draw_digits(name, objective, curve):
    small, labels = dl.load_pretrained(name), torch.arange(10).repeat(3)
    assert (small.objective, small.schedule.config["curve"]) == (objective, curve)
    assert small.card.startswith(f"# {name}\n")
    assert sum(p.numel() for p in small.model.parameters()) < 0.45e6
    images = small.sample(labels, num_steps=1 if name == "digits-consistency" else 8, progress=False)
    _, predicted = evaluation.describe(dl.load_judge().classifier, images)
    assert (predicted == labels).double().mean() > 0.8
    sharp = (images.abs() > 0.5).double().mean() > 0.85
    assert sharp, "one step of a denoiser would be grey: a mean of many digits"
    assert (
        name != "digits-consistency"
        or (dl.load_pretrained("digits").sample(labels, num_steps=1, progress=False).abs() > 0.5)
        .double()
        .mean()
        < 0.85
    )
