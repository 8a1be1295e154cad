"""`doctor`: a line per thing, and what to do about it."""

import sys

from diffusion_lab import data


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
