"""What `sample` and `evaluate` share: the options of a sampler, and weights that cannot be used."""

import pytest

import diffusion_lab as dl
from diffusion_lab import pretrained, sampling


@pytest.mark.parametrize(("option", "valid"), [("--sampler", dl.SAMPLERS), ("--spacing", sampling.SPACINGS)])
@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_unknown_sampler_or_spacing_lists_the_valid_ones(command, name, option, valid):
    code, _, err = command(name, option, "no-such-name")
    assert code == 2
    assert "no-such-name" in err
    assert all(known in err for known in valid)


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


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_eta_is_refused_where_it_has_no_meaning(command, model, tmp_path, name):
    more = ("--out", tmp_path / "picture.png") if name == "sample" else ("--num-samples", 200)
    code, _, err = command(name, model, "--sampler", "ddpm", "--eta", 1, *more)
    assert code == 2
    assert "--eta is for ddim and dpmpp_2m, not for ddpm" in err


@pytest.mark.parametrize("name", ["sample", "evaluate"])
@pytest.mark.parametrize("kind", ["truncated", "altered", "text", "without classes", "shipped"])
def test_unusable_weights_are_one_line(refused, monkeypatch, model, tmp_path, name, kind):
    path = tmp_path / "digits.safetensors"
    content = model.read_bytes()
    if kind == "without classes":
        dl.save_model(path, dl.PlainConvNet(width=4), dl.DiffusionSchedule(10), "v")
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
