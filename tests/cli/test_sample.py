"""`sample`: the files it writes, and what it refuses."""

import re

import pytest
import torch
from PIL import Image

import diffusion_lab as dl


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
