"""The scripts in examples/, run as a reader runs them, on the digits that need no network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import diffusion_lab as dl

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(script: str, *arguments, folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    environment.pop("DIFFUSION_LAB_DATA", None)
    command = [sys.executable, ROOT / "examples" / script, *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def first_model(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which examples/first_model.py ran for one pass over the small digits, and what it printed."""
    folder = tmp_path_factory.mktemp("first_model")
    done = run("first_model.py", "--epochs", 1, "--out", "digits.png", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_first_model_learns_and_says_where_its_files_are(first_model):
    _, printed = first_model
    match = re.fullmatch(
        r"mean loss of the last (\d+) steps (\S+); see digits.png and digits.safetensors\n", printed
    )
    assert int(match[1]) == 24  # 1,500 digits in batches of 64
    assert 0 < float(match[2]) < 0.9, "answering 0 everywhere scores about 1"


def test_first_model_draws_sixteen_digits(first_model):
    folder, _ = first_model
    pixels = np.asarray(Image.open(folder / "digits.png"))
    assert pixels.shape == ((2 * 30 - 2) * 4, (8 * 30 - 2) * 4)
    pictures = {pixels[0:112, left : left + 112].tobytes() for left in range(0, 8 * 120, 120)}
    assert len(pictures) == 8, "the pictures of the first row differ"


def test_first_model_keeps_a_network_that_loads_and_draws(first_model):
    folder, _ = first_model
    loaded = dl.load_model(folder / "digits.safetensors")
    assert isinstance(loaded.model, dl.SimpleDiffusion)
    assert loaded.model.config == {"channels": 1, "time_emb_dim": 32, "timesteps": 1000}
    assert loaded.schedule.config == dl.DiffusionSchedule(1000, 1e-4, 0.02).config
    images = dl.sample(loaded.model, loaded.schedule, (2, 1, 28, 28), num_steps=2, objective=loaded.objective)
    assert images.isfinite().all()


def test_first_model_overwrites_nothing(first_model):
    folder, _ = first_model
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done = run("first_model.py", "--epochs", 1, "--out", "digits.png", folder=folder)
    assert done.returncode == 2
    assert "digits.png and digits.safetensors would be overwritten" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_says_what_it_does(path, tmp_path):
    done = run(path.name, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert path.read_text(encoding="utf-8").partition("\n")[0].strip('"') in " ".join(done.stdout.split())
