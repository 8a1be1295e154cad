"""The players: what they put into a notebook, and that the browser is given the right numbers."""

import base64
import json
import re

import numpy as np
import pytest
import torch

import diffusion_lab as dl
from diffusion_lab.widgets import STATIC, NoiseScrubber, PointScrubber, TrajectoryScrubber


@pytest.fixture
def schedule():
    return dl.DiffusionSchedule.linear(1000)


def players(schedule, digits):
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randn(2, 1, 28, 28, generator=generator)
    states = [dl.State(t, x_T * t / 10, x_T * 0.1) for t in (6, 3, 0)]
    return {
        "noise": NoiseScrubber(digits.images[:3], schedule, generator=generator),
        "points": PointScrubber(dl.data.toy("moons", 50, generator=generator), schedule, generator=generator),
        "trajectory": TrajectoryScrubber(x_T, states, timesteps=10),
    }


def unpack(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


@pytest.mark.parametrize("name", ["noise", "points", "trajectory"])
def test_bundle_is_self_contained_and_the_same_every_time(name, schedule, digits):
    first, second = (players(schedule, digits)[name]._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert set(first) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert not re.search(r"https?://|src=\"(?!data:)", first["text/html"])
    assert first["text/html"].count("</script") == 2
    assert 'alt="' in first["text/html"]
    spec = json.loads(re.search(r'application/json">(.*?)</script', first["text/html"], re.S)[1])
    assert all(len(readout["values"]) == spec["count"] for readout in spec["readouts"])


def test_the_script_can_stand_inside_a_page():
    assert "</script" not in (STATIC / "player.js").read_text()


@pytest.mark.parametrize("t", [0, 1, 400, 1000])
def test_what_the_browser_computes_is_add_noise(t, schedule, digits):
    x_0, noise = digits.images[:3], torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    spec = NoiseScrubber(x_0, schedule, noise=noise).spec
    panel = spec["panels"][0]
    clean = unpack(panel["x_0"], np.uint8) / 127.5 - 1
    eps = unpack(panel["eps"], "<i2") * panel["eps_unit"]
    x_t = np.sqrt(spec["abar"][t]) * clean + np.sqrt(1 - spec["abar"][t]) * eps
    wanted = schedule.add_noise(x_0, t, noise).flatten().numpy()
    assert np.abs(x_t - wanted).max() < 0.005
    wrong = schedule.add_noise(x_0, t + 40 if t < 900 else t - 400, noise).flatten().numpy()
    assert np.abs(x_t - wrong).max() > 0.005


def test_readouts_give_signal_noise_and_their_ratio(schedule, digits):
    signal, noise, snr = (r["values"] for r in NoiseScrubber(digits.images[:1], schedule).spec["readouts"])
    assert (signal[0], noise[0], snr[0]) == ("1.000", "0.000", "∞")
    assert float(signal[300]) == pytest.approx(schedule.alphas_cumprod[300].sqrt().item(), abs=1e-3)
    assert float(snr[300]) == pytest.approx(schedule.snr()[300].item(), rel=1e-2)


def test_trajectory_shows_every_state_in_order():
    x_T = torch.full((1, 1, 2, 2), -1.0)
    states = [dl.State(t, torch.full((1, 1, 2, 2), v), torch.full((1, 1, 2, 2), -v)) for t, v in ((5, 0.0), (0, 1.0))]
    spec = TrajectoryScrubber(x_T, states, timesteps=9).spec
    noisy, guesses = (unpack(panel["frames"], np.uint8).reshape(3, 4)[:, 0].tolist() for panel in spec["panels"])
    assert noisy == [0, 128, 255]
    assert guesses == [128, 128, 0]
    assert spec["readouts"][0]["values"] == [9, 5, 0]
