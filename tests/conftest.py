"""Set up every test: one thread, no network, and shapes checked at run time by jaxtyping and beartype."""

import os
import subprocess
import sys
from pathlib import Path

os.environ["DIFFUSION_LAB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jaxtyping
import pytest
import torch

torch.set_num_threads(1)
jaxtyping.install_import_hook("diffusion_lab", "beartype.beartype")

import diffusion_lab as dl  # noqa: E402  (after the hook, which must see it being imported)


@pytest.fixture
def unchecked():
    """Switch the run-time shape checks off, as they are for users, to see the package's own errors."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class TinyDenoiser(torch.nn.Module):
    """A stand-in network whose answer depends on x, on t and on the labels, and that trains in milliseconds."""

    def __init__(self, num_classes: int | None = None):
        super().__init__()
        self.null_label = num_classes
        self.mix = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.rate = torch.nn.Parameter(torch.tensor(0.7))
        self.label = torch.nn.Embedding((num_classes or 0) + 1, 1)

    def forward(self, x_t, t, labels=None):
        labels = torch.full_like(t, self.null_label or 0) if labels is None else labels
        shift = torch.sin(self.rate * t / 100) + self.label(labels)[:, 0]
        return self.mix(x_t) + shift[:, None, None, None]


@pytest.fixture
def tiny() -> TinyDenoiser:
    torch.manual_seed(0)
    return TinyDenoiser(num_classes=10)


@pytest.fixture(scope="session")
def digits() -> dl.data.Digits:
    """Real handwritten digits that need no network."""
    return dl.data.sklearn_digits()


@pytest.fixture
def batches(digits) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Four batches of 16 digits with their labels: a loader whose passes are all alike."""
    return list(zip(digits.images[:64].split(16), digits.labels[:64].split(16), strict=True))


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the built site; skips where the extra `site` is not installed."""
    for module in ("sphinx", "myst_nb", "sphinx_book_theme"):
        pytest.importorskip(module, reason="the extra 'site' is not installed")
    out = tmp_path_factory.mktemp("site")
    script = Path(__file__).parent.parent / "tools" / "build_site.py"
    done = subprocess.run([sys.executable, script, "--out", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return out / "html"
