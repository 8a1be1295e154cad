"""Digits with and without MNIST, loaders and clouds of points."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from diffusion_lab import data

needs_mnist = pytest.mark.skipif(
    not os.environ.get("DIFFUSION_LAB_DATA"),
    reason="needs the real MNIST: set DIFFUSION_LAB_DATA to its folder",
)
WITHOUT_NETWORK = """
import json, socket

def refuse(*arguments, **options):
    raise OSError("there is no network in this test")

socket.socket.connect = socket.getaddrinfo = refuse
from diffusion_lab import data

digits = data.mnist()
low, high = digits.images.min().item(), digits.images.max().item()
print(json.dumps([digits.source, list(digits.images.shape), len(digits.labels), low, high]))
"""


@pytest.fixture
def no_mnist(monkeypatch, tmp_path) -> Path:
    """No MNIST anywhere; returns the empty folder that serves as the cache."""
    monkeypatch.delenv("DIFFUSION_LAB_DATA", raising=False)
    monkeypatch.setattr(data, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def fake_mnist(root: Path) -> Path:
    """Four sparse files with true headers: the first image counts 0 … 255, the first label is 7, all else is 0."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, size in data.MNIST_BYTES.items():
        if "images" in name:
            begin = struct.pack(">IIII", 2051, (size - 16) // 784, 28, 28) + bytes(range(256))
        else:
            begin = struct.pack(">II", 2049, size - 8) + bytes([7])
        (raw / name).write_bytes(begin)
        os.truncate(raw / name, size)
    return root


def test_without_a_network_the_digits_of_sklearn_are_used(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DIFFUSION_LAB")}
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK],
        env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
        cwd=Path(data.__file__).parents[1],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("\n") == 1, process.stderr
    assert "the download failed" in process.stderr
    assert "scikit-learn" in process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == ["sklearn", [1500, 1, 28, 28], 1500, -1, 1]


@pytest.mark.parametrize(("train", "number"), [(True, 1500), (False, 297)])
def test_offline_never_downloads(monkeypatch, capsys, no_mnist, train, number):
    def download(*_args, **_options):
        raise AssertionError("tried to download")

    monkeypatch.setenv("DIFFUSION_LAB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(MNIST=download))
    digits = data.mnist(train)
    line = capsys.readouterr().err
    assert (digits.source, len(digits.images)) == ("sklearn", number)
    assert line.count("\n") == 1
    assert "DIFFUSION_LAB_OFFLINE is set" in line


@pytest.mark.parametrize("offline", ["", "0"])
@pytest.mark.parametrize("error", [PermissionError("no permission"), RuntimeError("no permission\nmore")])
def test_failed_download_is_one_line_with_its_reason(monkeypatch, capsys, no_mnist, offline, error):
    def download(*_args, **_options):
        raise error

    monkeypatch.setenv("DIFFUSION_LAB_OFFLINE", offline)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(MNIST=download))
    assert data.mnist().source == "sklearn"
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"the download failed: {' '.join(str(error).split())})" in line


def test_sklearn_digits_look_like_mnist(digits):
    assert (digits.images.shape, digits.images.dtype) == ((1500, 1, 28, 28), torch.float32)
    assert (digits.labels.shape, digits.labels.dtype) == ((1500,), torch.int64)
    assert (float(digits.images.min()), float(digits.images.max())) == (-1, 1)
    assert digits.labels.bincount().min() > 100
    border = torch.ones(28, 28, dtype=torch.bool)
    border[4:24, 4:24] = False
    assert (digits.images[:, 0, border] == -1).all(), "MNIST has four pixels of paper around each digit"
    assert digits.images[:, 0, 4:24, 4:24].mean() > -0.6


def test_sklearn_parts_are_disjoint(digits):
    held_out = data.sklearn_digits(train=False)
    known = {image.numpy().tobytes() for image in digits.images}
    assert len(held_out.images) == len(held_out.labels) == 297
    assert not any(image.numpy().tobytes() in known for image in held_out.images)


@pytest.mark.parametrize("where", ["root", "variable", "cache"])
def test_files_are_found_and_scaled(monkeypatch, no_mnist, tmp_path, where):
    fake_mnist(no_mnist if where == "cache" else tmp_path / "data")
    if where == "variable":
        monkeypatch.setenv("DIFFUSION_LAB_DATA", str(tmp_path / "data"))
    found = data.mnist(train=False, root=tmp_path / "data" if where == "root" else None)
    assert found.source == "mnist"
    assert (found.images.shape, found.images.dtype) == ((10_000, 1, 28, 28), torch.float32)
    torch.testing.assert_close(found.images.flatten()[:256], torch.linspace(-1, 1, 256))
    assert (found.images[1:] == -1).all()
    assert found.labels[:2].tolist() == [7, 0]


def test_folder_without_mnist_is_named_once(capsys, no_mnist, tmp_path):
    assert data.mnist(root=tmp_path / "nowhere").source == "sklearn"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert str(tmp_path / "nowhere") in lines[0]


@pytest.mark.parametrize("change", [-1, 1, -40_000_000])
@pytest.mark.parametrize("name", data.MNIST_BYTES)
def test_file_of_the_wrong_size_is_named_with_both_sizes(tmp_path, name, change):
    file = fake_mnist(tmp_path) / "MNIST" / "raw" / name
    size = max(0, data.MNIST_BYTES[name] + change)
    os.truncate(file, size)
    with pytest.raises(ValueError, match=f"{name} has {size:,} bytes instead of {data.MNIST_BYTES[name]:,}"):
        data.mnist(root=tmp_path)


def test_has_mnist_wants_all_four_files(tmp_path):
    assert not data.has_mnist(tmp_path)
    assert data.has_mnist(fake_mnist(tmp_path))
    for name in data.MNIST_BYTES:
        (tmp_path / "MNIST" / "raw" / name).rename(tmp_path / name)
        assert not data.has_mnist(tmp_path)
        (tmp_path / name).rename(tmp_path / "MNIST" / "raw" / name)


@needs_mnist
@pytest.mark.parametrize(("train", "number", "first"), [(True, 60_000, 5), (False, 10_000, 7)])
def test_real_mnist(train, number, first):
    digits = data.mnist(train)
    assert digits.source == "mnist"
    assert digits.images.shape == (number, 1, 28, 28)
    assert (float(digits.images.min()), float(digits.images.max())) == (-1, 1)
    assert digits.labels.unique().tolist() == list(range(10))
    assert int(digits.labels[0]) == first
    assert digits.images.mean() == pytest.approx(-0.74, abs=0.02)


def numbers(loader) -> list[list[int]]:
    return [batch.tolist() for (batch,) in loader]


def test_loader_serves_every_element_once_and_leaves_the_small_batch_out():
    batches = numbers(data.loader(torch.arange(50), batch_size=16))
    assert [len(batch) for batch in batches] == [16, 16, 16]
    assert len({number for batch in batches for number in batch}) == 48


def test_loader_keeps_rows_together():
    rows = torch.arange(20)
    for first, second in data.loader(rows, rows * 10, batch_size=5):
        assert torch.equal(first * 10, second)


def test_loader_order_is_that_of_its_generator():
    def passes(seed: int) -> list[list[list[int]]]:
        loader = data.loader(torch.arange(50), batch_size=16, generator=torch.Generator().manual_seed(seed))
        return [numbers(loader) for _ in range(2)]

    first = passes(0)
    assert first[0] != first[1], "every pass has its own order"
    assert first == passes(0)
    assert first != passes(1)


def test_loader_repeats_a_pass_from_the_state_of_its_generator(generator):
    loader = data.loader(torch.arange(50), batch_size=16, generator=generator)
    assert loader.generator is generator
    numbers(loader)
    state = generator.get_state()
    second = numbers(loader)
    generator.set_state(state)
    assert numbers(loader) == second


def test_loader_refuses_a_batch_larger_than_the_data():
    with pytest.raises(ValueError, match="batch_size=8 is more than the 7 elements"):
        data.loader(torch.arange(7), batch_size=8)
    assert len(data.loader(torch.arange(7), batch_size=7)) == 1


@pytest.mark.parametrize("name", data.TOYS)
def test_toys_are_of_order_one(name, generator):
    points = data.toy(name, 4000, generator=generator)
    assert (points.shape, points.dtype) == ((4000, 2), torch.float32)
    assert points.mean(dim=0).abs().max() < 0.3
    assert 0.4 < float(points.square().mean().sqrt()) < 1.2
    assert points.abs().max() < 2.5
    again = data.toy(name, 4000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(points, again)


@pytest.mark.parametrize(
    ("name", "centres", "radius", "furthest"),
    [("moons", [[-0.5, -0.25], [0.5, 0.25]], 1, 0.3), ("clusters", [[0.0, 0.0]], 1.3, 0.5)],
)
def test_toys_lie_on_their_circles(name, centres, radius, furthest, generator):
    distances = torch.cdist(data.toy(name, 1000, generator=generator), torch.tensor(centres))
    assert (distances - radius).abs().amin(dim=1).max() < furthest


def test_unknown_toy_lists_the_valid_ones():
    with pytest.raises(
        ValueError, match="name='swiss roll' is not known; choose one of: clusters, moons, spiral"
    ):
        data.toy("swiss roll")
