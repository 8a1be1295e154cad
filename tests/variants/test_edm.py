"""EDM's frame: unit variance in and out, by measurement, and beside diffusers."""

import math

import pytest
import torch
from diffusers import EDMEulerScheduler

from diffusion_lab.process import express, split
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.variants.edm import preconditioned, preconditioning

RATIOS = torch.tensor([0.002, 0.1, 0.5, 1.0, 5.0, 80.0], dtype=torch.float64)
SCHEDULE = DiffusionSchedule.from_betas([0.1, 0.2, 0.3, 0.4, 0.5])


def worst(a, b) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("data_std", [0.5, 1.0])
def test_output_and_input_scales_equal_diffusers(data_std):
    peer, c = EDMEulerScheduler(sigma_data=data_std), preconditioning(RATIOS, data_std)
    y, answer = torch.tensor(0.7, dtype=torch.float64), torch.tensor(-1.3, dtype=torch.float64)
    for k, ratio in enumerate(RATIOS):
        expected = peer.precondition_outputs(y, answer, ratio)
        assert worst(c.c_skip[k] * y + c.c_out[k] * answer, expected) < 1e-10
        assert worst(c.c_in[k] * y, peer.precondition_inputs(y, ratio)) < 1e-10
        assert worst(c.c_out[k] * y + c.c_skip[k] * answer, expected) > 1e-3, "swapped scales would pass"


@pytest.mark.parametrize("data_std", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("ratio", [0.1, 0.7, 3.0])
def test_input_and_target_have_variance_one(data_std, ratio, generator):
    x_0, eps = torch.randn(2, 200_000, generator=generator, dtype=torch.float64)
    x_0 = data_std * x_0
    c = preconditioning(torch.tensor(ratio, dtype=torch.float64), data_std)
    y = x_0 + ratio * eps
    target = (x_0 - c.c_skip * y) / c.c_out
    assert float((c.c_in * y).var()) == pytest.approx(1, abs=0.02)
    assert float(target.var()) == pytest.approx(1, abs=0.02)
    assert float(c.weight * c.c_out**2) == pytest.approx(1)
    assert abs(float(torch.stack([target, y]).corrcoef()[0, 1])) < 0.02, (
        "c_skip leaves nothing of y to be copied"
    )
    assert float((x_0 - 0.9 * c.c_skip * y).var() / c.c_out**2) > 1, (
        "another share of y makes the target larger"
    )


def test_skipping_nothing_leaves_pure_noise_and_all_of_clean_data():
    c = preconditioning(torch.tensor([0.0, 1e6], dtype=torch.float64))
    assert c.c_skip.tolist() == pytest.approx([1, 0], abs=1e-9)
    assert c.c_out.tolist() == pytest.approx([0, 1], abs=1e-9)


@pytest.mark.parametrize("t", range(1, 6))
def test_v_is_edm_for_data_of_variance_one(t, generator):
    x_t, answer = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    seen = []

    def network(x, times):
        seen.append((x, times))
        return -answer

    x_0 = preconditioned(network, x_t, t, SCHEDULE)
    assert worst(x_0, split(answer, x_t, t, SCHEDULE, "v")[0]) < 1e-12
    assert worst(seen[0][0], x_t) < 1e-12, "x_t is what the network is shown"
    assert seen[0][1].tolist() == [t] * 4
    assert worst(preconditioned(network, x_t, t, SCHEDULE, data_std=0.5), x_0) > 0.01


def test_the_perfect_network_gives_the_data_back(generator):
    x_0, eps = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    t = torch.arange(1, 6)
    v = express(x_0, eps, t, SCHEDULE, "v")
    assert worst(preconditioned(lambda x, t: -v, SCHEDULE.add_noise(x_0, t, eps), t, SCHEDULE), x_0) < 1e-12


def test_at_time_zero_the_answer_is_the_data(generator):
    x_0 = torch.randn(3, 1, 4, 4, generator=generator)
    assert torch.equal(preconditioned(lambda x, t: torch.full_like(x, 9.0), x_0, 0, SCHEDULE, 0.5), x_0)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: preconditioning(RATIOS, 0.0), "data_std must be finite and more than 0, got 0.0"),
        (lambda: preconditioning(RATIOS, math.nan), "data_std must be finite and more than 0, got nan"),
        (lambda: preconditioning(RATIOS, math.inf), "data_std must be finite and more than 0, got inf"),
        (lambda: preconditioning(-RATIOS), "ratio must be a tensor, finite and not negative, got tensor"),
        (lambda: preconditioning(torch.tensor([1, math.nan])), "ratio must be a tensor, finite"),
        (
            lambda: preconditioning(torch.tensor(math.inf)),
            "ratio must be a tensor, finite and not negative, got inf",
        ),
        (lambda: preconditioning(0.5), "ratio must be a tensor, finite and not negative, got 0.5"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused_by_name(call, match):
    with pytest.raises(ValueError, match=match):
        call()
