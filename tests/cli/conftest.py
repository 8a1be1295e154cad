"""Commands are called as in a shell, on scikit-learn's digits; one tiny model is trained for all of them."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from diffusion_lab import cli, data

TINY = ("--width", 8, "--batch-size", 16, "--device", "cpu")


@contextmanager
def no_mnist(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIFFUSION_LAB_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
        patch.setattr(data, "cache_folder", lambda: tmp_path_factory.mktemp("empty"))
        yield


@pytest.fixture(scope="module", autouse=True)
def only_the_digits_of_sklearn(tmp_path_factory):
    with no_mnist(tmp_path_factory):
        yield


def call(*arguments) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


@pytest.fixture
def command(capsys):
    """Run a command; returns its exit code, what it printed, and its errors."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        return call(*arguments), *capsys.readouterr()

    return run


@pytest.fixture
def refused(command):
    """Run a command that must end with exit code 2 and one line; returns the line."""

    def run(name: str, *arguments) -> str:
        code, _, err = command(*name.split(), *arguments)
        assert code == 2
        assert err.count("\n") == 1, err
        assert err.startswith(f"diffusion-lab {name}: ")
        return err

    return run


@pytest.fixture(scope="session")
def tiny_training() -> tuple:
    """Options with which a training of digits takes a second."""
    return TINY


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """The folder of a run of three steps; only to be read."""
    out = tmp_path_factory.mktemp("trained")
    with no_mnist(tmp_path_factory):
        assert call("train", "digits", *TINY, "--steps", 3, "--out", out) == 0
    return out


@pytest.fixture(scope="session")
def model(trained) -> Path:
    return trained / "digits.safetensors"
