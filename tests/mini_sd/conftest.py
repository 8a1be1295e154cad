"""Small untrained parts, and a folder in which every stage was trained for a few steps."""

from pathlib import Path

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import cli, data
from diffusion_lab.mini_sd import stages, train
from diffusion_lab.mini_sd.judge import SceneJudge
from diffusion_lab.mini_sd.pipeline import MiniSD
from diffusion_lab.mini_sd.text import Clip
from diffusion_lab.mini_sd.vae import VAE


def small_unet(text) -> dl.UNet:
    features = text.config["features"]
    return dl.UNet(
        in_channels=4, context_features=features, width=8, multipliers=(1, 2), attention=(1,), patch=1
    )


@pytest.fixture(scope="session")
def digits() -> data.Digits:
    return data.sklearn_digits()


@pytest.fixture(scope="session")
def small() -> MiniSD:
    """Random weights, none of them zero, so that every part of it does something."""
    torch.manual_seed(0)
    clip = Clip(features=16, layers=1, heads=2, width=8)
    unet = small_unet(clip.text)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    parts = [part.eval().requires_grad_(False) for part in (VAE(width=8), clip, unet)]
    return MiniSD(*parts, schedule=dl.DiffusionSchedule.cosine(100), objective="v", scale=1.5, card="# small")


def make_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "VAE", lambda: VAE(width=8))
    patch.setattr(stages, "Clip", lambda: Clip(features=16, layers=1, heads=2, width=8))
    patch.setattr(stages, "SceneJudge", lambda: SceneJudge(width=8))
    patch.setattr(stages, "SCENES", 96)
    patch.setattr(train, "new_unet", small_unet)


@pytest.fixture
def small_stages(monkeypatch):
    """Make the stages small enough for a test."""
    make_small(monkeypatch)


@pytest.fixture(scope="session")
def parts(tmp_path_factory) -> Path:
    """A folder in which all stages were trained for two steps by the command line; only to be copied."""
    out = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        patch.setattr(data, "mnist", lambda train=True: data.sklearn_digits(train))
        for stage in stages.STAGES:
            assert (
                cli.main(["train", "mini-sd", stage, "--out", str(out), "--steps", "2", "--device", "cpu"])
                == 0
            )
    return out
