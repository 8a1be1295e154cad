"""The tables of a schedule and the jump from x_0 to x_t, beside diffusers and beside the formulas in numpy."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler

from diffusion_lab.schedules import CURVES, DiffusionSchedule

PEER_NAMES = {
    "linear": "linear",
    "cosine": "squaredcos_cap_v2",
    "quadratic": "scaled_linear",
    "sigmoid": "sigmoid",
}
RESCALED = ("linear", "quadratic", "sigmoid")
UNSCALED = ("cosine", "straight")
SMALL_BETAS = [0.1, 0.2, 0.3, 0.4, 0.5]
SMALL = DiffusionSchedule.from_betas(SMALL_BETAS)

SCHEDULES = {
    **{f"{c}-{T}": lambda c=c, T=T: DiffusionSchedule.named(c, T) for c in CURVES for T in (5, 1000)},
    "linear-wide": lambda: DiffusionSchedule.linear(40, beta_start=1e-3, beta_end=0.03),
    "linear-unscaled": lambda: DiffusionSchedule.named("linear", 40, rescale=False),
    "cosine-s": lambda: DiffusionSchedule.cosine(40, s=0.02),
    "literal": lambda: DiffusionSchedule(timesteps=50, beta_start=1e-3, beta_end=0.1),
    "table": lambda: DiffusionSchedule.from_betas(SMALL_BETAS),
    "one-step": lambda: DiffusionSchedule.from_betas([0.3]),
}
every_schedule = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES.keys())


def worst(ours, theirs) -> float:
    return float(np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)).max())


def of_products(bar: list[float]) -> np.ndarray:
    """The betas of a list of alphas_cumprod, t = 0 … T."""
    return np.array([min(1 - after / before, 0.999) for before, after in itertools.pairwise(bar)])


REFERENCES = {
    "linear": lambda T: np.linspace(1e-4, 0.02, T),
    "quadratic": lambda T: np.linspace(math.sqrt(1e-4), math.sqrt(0.02), T) ** 2,
    "sigmoid": lambda T: 1 / (1 + np.exp(-np.linspace(-6, 6, T))) * (0.02 - 1e-4) + 1e-4,
    "cosine": lambda T: of_products(
        [math.cos((i / T + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(T + 1)]
    ),
    "straight": lambda T: of_products([(T - i) ** 2 / ((T - i) ** 2 + i**2) for i in range(T + 1)]),
}
"""The formulas of diffusers and of the papers, without rescaling, written again in float64; one for every curve."""


PEER_CASES = [
    (c, p) for c in PEER_NAMES for p in (DDPMScheduler, DDIMScheduler) if (c, p) != ("sigmoid", DDIMScheduler)
]


@pytest.mark.parametrize(("curve", "peer_class"), PEER_CASES)
def test_tables_at_1000_steps_are_those_of_diffusers_one_entry_later(curve, peer_class):
    ours, theirs = DiffusionSchedule.named(curve), peer_class(beta_schedule=PEER_NAMES[curve])
    assert worst(ours.betas[1:], theirs.betas) < 1e-6
    assert worst(ours.alphas_cumprod[1:], theirs.alphas_cumprod) < 2e-6
    assert worst(ours.alphas_cumprod[:-1], theirs.alphas_cumprod) > 1e-4, (
        "an index that is off by one would pass"
    )


@pytest.mark.parametrize("T", [5, 50, 1000])
@pytest.mark.parametrize("curve", CURVES)
def test_tables_are_the_published_formulas_in_float64(curve, T):
    scale = 1 if curve in UNSCALED else 1000 / T
    betas = np.minimum(REFERENCES[curve](T) * scale, 0.999)
    ours = DiffusionSchedule.named(curve, T)
    assert worst(ours.betas[1:], betas) < 1e-12
    assert worst(ours.alphas_cumprod[1:], np.cumprod(1 - betas)) < 1e-12
    in_float32 = np.cumprod((1 - betas).astype(np.float32))
    assert T < 1000 or worst(ours.alphas_cumprod[1:], in_float32) > 1e-10, "float32 tables would pass"


def test_straight_is_the_path_of_flow_matching_in_diffusers(generator):
    """Rescaled so that signal and noise add up to 1, x_t is theirs, which goes straight from data to noise."""
    x_0, noise = torch.randn(2, 1000, 3, generator=generator)
    t, schedule, peer = (
        torch.arange(1, 1001),
        DiffusionSchedule.straight(1000),
        FlowMatchEulerDiscreteScheduler(1000),
    )
    theirs = peer.scale_noise(x_0, peer.timesteps.flip(0), noise)  # theirs fall

    def ours(t):
        alpha, sigma = schedule.alpha_sigma(t, x_0)
        return schedule.add_noise(x_0, t, noise) / (alpha + sigma)

    assert worst(ours(t)[:-1], theirs[:-1]) < 1e-5
    assert worst(ours(t), theirs) < 3e-4, "the last beta is 0.999, not 1: a trace of the data is left"
    assert worst(ours(t - 1), theirs) > 2e-3, "an index that is off by one would pass"
    assert worst(schedule.add_noise(x_0, t, noise), theirs) > 0.5, (
        "without the scale it is not the straight path"
    )


def test_every_pair_of_curves_differs():
    tables = [DiffusionSchedule.named(curve).alphas_cumprod for curve in CURVES]
    assert all(worst(a, b) > 1e-2 for i, a in enumerate(tables) for b in tables[:i])


@every_schedule
def test_tables_start_at_pure_data_and_only_lose_signal(make):
    schedule = make()
    T = schedule.timesteps
    for table in (schedule.betas, schedule.alphas, schedule.alphas_cumprod):
        assert table.shape == (T + 1,)
        assert table.dtype == torch.float64
    assert schedule.betas[0] == 0
    assert schedule.alphas_cumprod[0] == 1
    assert (schedule.betas.diff() >= 0).all()
    assert (schedule.alphas_cumprod.diff() < 0).all()
    assert schedule.alphas_cumprod[-1] > 0
    assert torch.equal(schedule.alphas, 1 - schedule.betas)
    assert (
        worst(schedule.alphas_cumprod, [math.prod(schedule.alphas[: t + 1].tolist()) for t in range(T + 1)])
        < 1e-12
    )


@pytest.mark.parametrize(("T", "literal_end"), [(50, 0.60), (200, 0.13)])
def test_rescaling_makes_x_T_noise_where_the_literal_betas_leave_signal(T, literal_end):
    assert float(DiffusionSchedule(timesteps=T).alphas_cumprod[T]) == pytest.approx(literal_end, abs=0.006)
    for curve in RESCALED:
        named, unscaled = DiffusionSchedule.named(curve, T), DiffusionSchedule.named(curve, T, rescale=False)
        assert named.alphas_cumprod[T] < 1e-3
        assert unscaled.alphas_cumprod[T] > 0.1
        assert worst(named.betas, unscaled.betas * 1000 / T) < 1e-15
    assert max(DiffusionSchedule.named(curve, T).alphas_cumprod[T] for curve in UNSCALED) < 1e-3


def test_literal_constructor_is_linear_at_1000_steps_and_differs_elsewhere():
    assert worst(DiffusionSchedule().betas, DiffusionSchedule.linear(1000).betas) < 1e-15
    assert worst(DiffusionSchedule(50).betas, DiffusionSchedule.linear(50).betas) > 0.1
    ends = DiffusionSchedule(timesteps=7, beta_start=0.01, beta_end=0.3).betas
    assert ends[[1, 7]].tolist() == [0.01, 0.3]


@pytest.mark.parametrize("curve", UNSCALED)
def test_what_is_made_for_every_length_ignores_rescale(curve):
    as_it_is = DiffusionSchedule.named(curve, 50, rescale=False)
    assert torch.equal(DiffusionSchedule.named(curve, 50).betas, as_it_is.betas)


@pytest.mark.parametrize("curve", ["linear", "cosine", "quadratic", "sigmoid", "straight"])
def test_short_form_is_the_named_form(curve):
    short, named = getattr(DiffusionSchedule, curve)(30), DiffusionSchedule.named(curve, 30)
    assert torch.equal(short.betas, named.betas)
    assert short.config == named.config


@pytest.mark.parametrize(
    "betas", [SMALL_BETAS, tuple(SMALL_BETAS), torch.tensor(SMALL_BETAS, dtype=torch.float64)]
)
def test_from_betas_keeps_the_table(betas):
    schedule = DiffusionSchedule.from_betas(betas)
    assert schedule.timesteps == 5
    assert schedule.betas.tolist() == [0.0, *SMALL_BETAS]
    assert worst(schedule.alphas_cumprod, [1, 0.9, 0.72, 0.504, 0.3024, 0.1512]) < 1e-15


@every_schedule
def test_config_survives_json_and_makes_the_same_schedule(make):
    schedule = make()
    again = DiffusionSchedule.from_config(json.loads(json.dumps(schedule.config)))
    assert torch.equal(again.betas, schedule.betas)
    assert torch.equal(again.alphas_cumprod, schedule.alphas_cumprod)
    assert again.config == schedule.config
    assert repr(again) == repr(schedule)


def test_repr_names_curve_and_length():
    assert repr(DiffusionSchedule.cosine(1000)) == "DiffusionSchedule('cosine', timesteps=1000)"
    assert repr(SMALL) == "DiffusionSchedule('table', timesteps=5)"


@every_schedule
def test_named_scales_are_the_roots_that_add_noise_uses(make):
    """By plain Python from the table, and by what add_noise does with a one."""
    schedule = make()
    T, one = schedule.timesteps, torch.ones(schedule.timesteps + 1, 1, dtype=torch.float64)
    signal, noise = schedule.sqrt_alphas_cumprod, schedule.sqrt_one_minus_alphas_cumprod
    for table in (signal, noise):
        assert table.shape == (T + 1,)
        assert table.dtype == torch.float64
    assert (signal[0], noise[0]) == (1, 0)
    bar = schedule.alphas_cumprod.tolist()
    assert worst(signal, [math.sqrt(a) for a in bar]) < 1e-15
    assert worst(noise, [math.sqrt(1 - a) for a in bar]) < 1e-15
    times, zero = torch.arange(T + 1), torch.zeros_like(one)
    assert torch.equal(schedule.add_noise(one, times, zero)[:, 0], signal)
    assert torch.equal(schedule.add_noise(zero, times, one)[:, 0], noise)


@pytest.mark.parametrize("name", ["sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"])
def test_named_scales_cannot_be_set_apart_from_the_table(name):
    with pytest.raises(AttributeError):
        setattr(DiffusionSchedule(10), name, torch.zeros(11))


def test_snr_is_signal_variance_over_noise_variance():
    snr = SMALL.snr()
    assert snr[0] == math.inf
    assert worst(snr[1:], [0.9 / 0.1, 0.72 / 0.28, 0.504 / 0.496, 0.3024 / 0.6976, 0.1512 / 0.8488]) < 1e-12
    alpha, sigma = SMALL.alpha_sigma(torch.arange(1, 6), torch.zeros(5, 1, dtype=torch.float64))
    assert worst(snr[1:], (alpha / sigma).flatten() ** 2) < 1e-12


def peer_add_noise(betas, x_0, noise, their_t, dtype):
    peer = DDPMScheduler(num_train_timesteps=len(betas), trained_betas=betas.tolist())
    peer.alphas_cumprod = (1 - betas).cumprod(0).to(dtype)
    return peer.add_noise(x_0, noise, their_t)


@pytest.mark.parametrize(
    "schedule", [SMALL, DiffusionSchedule.linear(), DiffusionSchedule.cosine()], ids=repr
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_add_noise_equals_diffusers(schedule, dtype, tolerance, generator):
    T = schedule.timesteps
    t = torch.tensor([1, T, *torch.randint(1, T + 1, (6,), generator=generator).tolist()])
    x_0, noise = torch.randn(2, 8, 3, 5, 5, generator=generator, dtype=dtype)
    betas = schedule.betas[1:]
    x_t = schedule.add_noise(x_0, t, noise)
    assert worst(x_t, peer_add_noise(betas, x_0, noise, t - 1, dtype)) < tolerance
    assert worst(x_t, peer_add_noise(betas, x_0, noise, (t - 2).clamp(min=0), dtype)) > 100 * tolerance, (
        "off by one"
    )
    alpha, sigma = schedule.alpha_sigma(t, x_0)
    assert worst(x_t, alpha * x_0 + sigma**2 * noise) > 100 * tolerance, (
        "a variance in place of its root would pass"
    )


@pytest.mark.parametrize("shape", [(6, 2), (1, 1, 28, 28), (3, 4, 5, 7), (28, 1, 28, 28), (28, 28)])
def test_add_noise_gives_each_element_its_own_time(shape, generator):
    x_0, noise = torch.randn(2, *shape, generator=generator)
    t = torch.randint(0, 6, shape[:1], generator=generator)
    x_t = SMALL.add_noise(x_0, t, noise)
    one_by_one = [SMALL.add_noise(x_0[i : i + 1], int(t[i]), noise[i : i + 1]) for i in range(len(t))]
    assert torch.equal(x_t, torch.cat(one_by_one))


def test_times_that_broadcast_along_the_width_are_wrong_where_batch_equals_width(generator):
    x_0, noise = torch.randn(2, 28, 1, 28, 28, generator=generator)
    t = torch.arange(28) % 6
    alpha = SMALL.alphas_cumprod[t].float().sqrt()
    along_width = alpha * x_0 + (1 - alpha**2).sqrt() * noise
    assert worst(SMALL.add_noise(x_0, t, noise), along_width) > 1


@pytest.mark.parametrize("t", range(6))
def test_int_time_is_the_same_time_for_all(t, generator):
    x_0, noise = torch.randn(2, 3, 2, 4, 4, generator=generator)
    assert torch.equal(SMALL.add_noise(x_0, t, noise), SMALL.add_noise(x_0, torch.full((3,), t), noise))


def test_time_zero_is_clean_data(generator):
    x_0 = torch.randn(3, 1, 4, 4, generator=generator)
    assert torch.equal(SMALL.add_noise(x_0, 0, generator=generator), x_0)
    assert worst(SMALL.add_noise(x_0, 1, generator=generator), x_0) > 0.1


@pytest.mark.parametrize("t", [1, 3, 5])
def test_add_noise_has_the_moments_of_equation_4(t, generator):
    n, abar = 200_000, [1, 0.9, 0.72, 0.504, 0.3024, 0.1512][t]
    x_t = SMALL.add_noise(torch.full((n, 1), 0.8), t, generator=generator).double()
    mean, variance = float(x_t.mean()), float(x_t.var())
    five_errors = 5 * math.sqrt((1 - abar) / n), 5 * (1 - abar) * math.sqrt(2 / n)
    assert abs(mean - 0.8 * math.sqrt(abar)) < five_errors[0]
    assert abs(variance - (1 - abar)) < five_errors[1]
    assert abs(variance - (1 - abar) ** 2) > 5 * five_errors[1], "a variance in place of its root would pass"
    assert abs(mean - 0.8 * abar) > 5 * five_errors[0], "alphas_cumprod without its root would pass"


def test_noise_comes_from_the_generator_alone():
    x_0, before = torch.zeros(4, 3), torch.get_rng_state()
    first, again, other = (
        SMALL.add_noise(x_0, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    by_hand = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, SMALL.add_noise(x_0, 4, by_hand))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("t", [3, torch.tensor([0, 5])])
def test_add_noise_keeps_the_dtype(dtype, t, generator):
    assert SMALL.add_noise(torch.ones(2, 3, dtype=dtype), t, generator=generator).dtype == dtype


X = torch.zeros(3, 2)
BAD_CALLS = {
    "no steps": (lambda: DiffusionSchedule(0), "timesteps"),
    "half a step": (lambda: DiffusionSchedule(10.5), "timesteps"),
    "no steps, named": (lambda: DiffusionSchedule.cosine(0), "timesteps"),
    "beta of one": (lambda: DiffusionSchedule(10, beta_end=1.0), "betas"),
    "beta of zero": (lambda: DiffusionSchedule(10, beta_start=0.0), "betas"),
    "negative beta": (lambda: DiffusionSchedule.from_betas([0.1, -0.1]), "betas"),
    "nan beta": (lambda: DiffusionSchedule.from_betas([0.1, math.nan]), "betas"),
    "empty table": (lambda: DiffusionSchedule.from_betas([]), "betas"),
    "square table": (lambda: DiffusionSchedule.from_betas(torch.full((2, 2), 0.1)), "betas"),
    "unknown curve": (
        lambda: DiffusionSchedule.named("banana"),
        f"curve='banana'.*{', '.join(sorted(CURVES))}",
    ),
    "unknown curve in a config": (
        lambda: DiffusionSchedule.from_config({"curve": "banana", "timesteps": 9}),
        "curve",
    ),
    "early t": (lambda: SMALL.add_noise(X, -1, X), r"\bt must"),
    "late t": (lambda: SMALL.add_noise(X, 6, X), r"\bt must"),
    "late t in a batch": (lambda: SMALL.add_noise(X, torch.tensor([1, 2, 6]), X), r"\bt must"),
    "fractional t": (lambda: SMALL.add_noise(X, 0.5, X), r"\bt must"),
    "float t": (lambda: SMALL.add_noise(X, torch.tensor([1.0, 2.0, 3.0]), X), r"\bt must"),
    "wrong number of t": (lambda: SMALL.add_noise(X, torch.tensor([1, 2]), X), r"\bt must"),
    "two-dimensional t": (lambda: SMALL.add_noise(X, torch.ones(3, 1).long(), X), r"\bt must"),
    "bytes": (lambda: SMALL.add_noise(X.byte(), 1, X), "x_0"),
    "noise that would broadcast": (lambda: SMALL.add_noise(X, 1, X[:1]), "noise"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "match"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_input_is_refused_by_name(call, match):
    with pytest.raises(ValueError, match=match):
        call()
