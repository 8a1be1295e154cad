"""The forward step, the posterior and the conversions, beside diffusers and beside exact Gaussian algebra."""

import itertools

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch.distributions import Normal

from diffusion_lab.process import OBJECTIVES, convert, express, forward_step, posterior, split
from diffusion_lab.schedules import DiffusionSchedule

BETAS = torch.linspace(0.1, 0.5, 5, dtype=torch.float64)  # steps so large that a neighbouring index shows
SCHEDULE = DiffusionSchedule.from_betas(BETAS)
ABAR = [1.0, *(1 - BETAS).cumprod(0).tolist()]
TIMES = range(1, 6)
JUMPS = [(t, s) for t in TIMES for s in range(t)]
PRECISIONS = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])


def worst(a, b) -> float:
    return float((torch.as_tensor(a) - torch.as_tensor(b)).abs().max())


def pair(generator, shape=(5, 2, 3), dtype=torch.float64):
    return tuple(torch.randn(2, *shape, generator=generator, dtype=dtype))


def peer(prediction_type="sample", dtype=torch.float64):
    scheduler = DDPMScheduler(
        5, trained_betas=BETAS.tolist(), prediction_type=prediction_type, clip_sample=False
    )
    if dtype == torch.float64:
        scheduler.alphas_cumprod = (1 - BETAS).cumprod(0)
    return scheduler


def coefficients(step) -> tuple[float, float]:
    """What an affine step multiplies the data and the noise with."""
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    return step(one, zero).item(), step(zero, one).item()


def composed(times, noise_power=1) -> tuple[float, float]:
    """Mean coefficient and variance after one forward step to each of the times."""
    mean, variance = 1.0, 0.0
    for t in times:
        a, b = coefficients(lambda x, noise, t=t: forward_step(x, t, SCHEDULE, noise))
        mean, variance = a * mean, a**2 * variance + b ** (2 * noise_power)
    return mean, variance


@pytest.mark.parametrize("t", TIMES)
def test_forward_steps_compose_to_add_noise(t):
    alpha, sigma = coefficients(lambda x, noise: SCHEDULE.add_noise(x, t, noise))
    assert composed(range(1, t + 1)) == pytest.approx((alpha, sigma**2), abs=1e-12)
    assert composed(range(2, t + 2) if t < 5 else range(1, 5)) != pytest.approx((alpha, sigma**2), abs=1e-2)
    assert composed(range(1, t + 1), noise_power=2) != pytest.approx((alpha, sigma**2), abs=1e-2)


def test_random_forward_steps_have_the_moments_of_add_noise(generator):
    x = torch.full((100_000, 1), 0.8)
    for t in TIMES:
        x = forward_step(x, t, SCHEDULE, generator=generator)
    assert float(x.mean()) == pytest.approx(0.8 * ABAR[5] ** 0.5, abs=0.015)
    assert float(x.var()) == pytest.approx(1 - ABAR[5], abs=0.02)


def test_forward_step_gives_each_element_its_own_time(generator):
    x, noise = pair(generator)
    batched = forward_step(x, torch.arange(1, 6), SCHEDULE, noise)
    single = [forward_step(x[i : i + 1], i + 1, SCHEDULE, noise[i : i + 1]) for i in range(5)]
    assert torch.equal(batched, torch.cat(single))


@PRECISIONS
@pytest.mark.parametrize("t", TIMES)
def test_posterior_equals_diffusers(t, dtype, tolerance, generator):
    x_0, x_t = pair(generator, dtype=dtype)
    mean, variance = posterior(x_0, x_t, t, SCHEDULE)
    scheduler = peer(dtype=dtype)
    their_variance = scheduler._get_variance(t - 1) if t > 1 else torch.zeros(())
    theirs = scheduler.step(x_0, t - 1, x_t, generator=generator.manual_seed(7)).prev_sample
    their_noise = torch.randn(x_t.shape, generator=generator.manual_seed(7), dtype=dtype)
    assert mean.dtype == variance.dtype == dtype
    assert worst(variance, their_variance) < tolerance
    assert worst(mean, theirs - their_variance.sqrt() * their_noise) < tolerance
    assert worst(variance, BETAS[t - 1]) > 0.01, "beta in place of the posterior variance would pass"
    assert t == 1 or worst(variance, their_variance.sqrt()) > 0.01, "a standard deviation would pass"
    for other in {t - 1, t + 1} & set(TIMES):
        assert worst(posterior(x_0, x_t, other, SCHEDULE)[0], mean) > 0.01, (
            "a time that is off by one would pass"
        )


def joint_covariance(data_variance: float) -> np.ndarray:
    """Covariance of the chain (x_0, …, x_5), built one forward step at a time."""
    paths = np.zeros((6, 6))
    paths[0, 0] = np.sqrt(data_variance)
    for t, beta in enumerate(BETAS.tolist(), start=1):
        paths[t] = np.sqrt(1 - beta) * paths[t - 1]
        paths[t, t] = np.sqrt(beta)
    return paths @ paths.T


def condition(covariance, mean, target, given, values) -> tuple[float, float]:
    """Mean and variance of one entry of a Gaussian vector when others are known."""
    weights = np.linalg.solve(covariance[np.ix_(given, given)], covariance[given, target])
    expected = mean[target] + weights @ (np.asarray(values) - mean[given])
    return expected, covariance[target, target] - weights @ covariance[given, target]


@pytest.mark.parametrize(("t", "s"), JUMPS)
def test_posterior_is_the_conditional_of_the_joint_gaussian(t, s):
    m, v, x_0, x_t = 0.7, 1.3, -0.4, 1.1
    mean, covariance = m * np.sqrt(ABAR), joint_covariance(v)
    exact = condition(covariance, mean, s, [0, t], [x_0, x_t]) if s else (x_0, 0.0)
    tensors = [torch.full((1, 1), x, dtype=torch.float64) for x in (x_0, x_t)]
    ours = tuple(x.item() for x in posterior(*tensors, t, SCHEDULE, s))
    assert ours == pytest.approx(exact, abs=1e-10)
    one_step = tuple(x.item() for x in posterior(*tensors, t, SCHEDULE))
    assert s == t - 1 or one_step != pytest.approx(exact, abs=1e-2), "ignoring s would pass"


@pytest.mark.parametrize(("t", "s"), [jump for jump in JUMPS if jump[1] > 0])
def test_posterior_averaged_over_the_exact_guess_of_x_0_is_the_reverse_step(t, s):
    m, v, x_t = 0.7, 1.3, torch.tensor([[1.1]], dtype=torch.float64)
    mean, covariance = m * np.sqrt(ABAR), joint_covariance(v)
    guess, doubt = condition(covariance, mean, 0, [t], [x_t.item()])
    exact = condition(covariance, mean, s, [t], [x_t.item()])
    centre, spread = posterior(torch.full((1, 1), guess, dtype=torch.float64), x_t, t, SCHEDULE, s)
    slope = posterior(torch.full((1, 1), guess + 1.0, dtype=torch.float64), x_t, t, SCHEDULE, s)[0] - centre
    assert (centre.item(), (spread + slope**2 * doubt).item()) == pytest.approx(exact, abs=1e-10)
    assert abs(spread.item() - exact[1]) > 1e-3, "the doubt about x_0 would not matter"


@pytest.mark.parametrize("as_tensor", [lambda t, s: (t, s), lambda t, s: (t, None)], ids=["jump", "one step"])
def test_posterior_gives_each_element_its_own_times(as_tensor, generator):
    x_0, x_t = pair(generator)
    t, s = as_tensor(torch.tensor([1, 2, 3, 4, 5]), torch.tensor([0, 0, 2, 1, 3]))
    mean, variance = posterior(x_0, x_t, t, SCHEDULE, s)
    for i in range(5):
        row = slice(i, i + 1)
        one = posterior(x_0[row], x_t[row], int(t[i]), SCHEDULE, None if s is None else int(s[i]))
        assert torch.equal(mean[row], one[0])
        assert torch.equal(variance[row], one[1])


@pytest.mark.parametrize("t", TIMES)
def test_posterior_at_time_zero_is_certain(t, generator):
    x_0, x_t = pair(generator)
    mean, variance = posterior(x_0, x_t, t, SCHEDULE, 0)
    assert worst(mean, x_0) < 1e-12
    assert not variance.any()


def test_posterior_is_accurate_in_float32_where_one_minus_alphas_cumprod_cancels(generator):
    schedule, (x_0, x_t) = DiffusionSchedule.cosine(1000), pair(generator)
    for t in (1, 2, 3, 999, 1000):
        exact, rough = posterior(x_0, x_t, t, schedule), posterior(x_0.float(), x_t.float(), t, schedule)
        assert worst(exact[0], rough[0]) < 1e-6
        assert worst(exact[1], rough[1]) <= 1e-6 * exact[1].item()


@pytest.mark.parametrize(("source", "target"), list(itertools.product(OBJECTIVES, repeat=2)))
def test_every_conversion_agrees_with_the_known_pair_and_returns(source, target, generator):
    x_0, eps = pair(generator)
    t = torch.arange(1, 6)
    x_t = SCHEDULE.add_noise(x_0, t, eps)
    output = express(x_0, eps, t, SCHEDULE, source)
    assert worst(split(output, x_t, t, SCHEDULE, source)[0], x_0) < 1e-12
    assert worst(split(output, x_t, t, SCHEDULE, source)[1], eps) < 1e-12
    converted = convert(output, x_t, t, SCHEDULE, source, target)
    assert worst(converted, express(x_0, eps, t, SCHEDULE, target)) < 1e-12
    assert worst(convert(converted, x_t, t, SCHEDULE, target, source), output) < 1e-12
    off_by_one = convert(output, x_t, t.clamp(max=4) + (t < 5), SCHEDULE, source, target)
    assert source == target or worst(off_by_one[:4], converted[:4]) > 0.01


@pytest.mark.parametrize("source", OBJECTIVES)
@pytest.mark.parametrize("t", TIMES)
def test_split_reads_an_int_time_like_a_batch_of_times(source, t, generator):
    output, x_t = pair(generator)
    for a, b in zip(
        split(output, x_t, t, SCHEDULE, source),
        split(output, x_t, torch.full((5,), t), SCHEDULE, source),
        strict=True,
    ):
        assert torch.equal(a, b)
    x_0, eps = split(output, x_t, t, SCHEDULE, source)
    assert worst(ABAR[t] ** 0.5 * x_0 + (1 - ABAR[t]) ** 0.5 * eps, x_t) < 1e-12


@PRECISIONS
def test_velocity_equals_diffusers(dtype, tolerance, generator):
    x_0, eps = pair(generator, dtype=dtype)
    t = torch.arange(1, 6)
    v, scheduler = express(x_0, eps, t, SCHEDULE, "v"), peer(dtype=dtype)
    assert worst(v, scheduler.get_velocity(x_0, eps, t - 1)) < tolerance
    assert worst(v, scheduler.get_velocity(x_0, eps, (t - 2).clamp(min=0))) > 0.01, "off by one would pass"
    assert worst(v, -scheduler.get_velocity(x_0, eps, t - 1)) > 0.01, "the opposite sign would pass"


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("t", TIMES)
def test_guess_of_x_0_equals_diffusers(prediction_type, t, generator):
    output, x_t = pair(generator)
    objective = {"epsilon": "eps", "v_prediction": "v"}[prediction_type]
    theirs = peer(prediction_type).step(output, t - 1, x_t, generator=generator).pred_original_sample
    assert worst(split(output, x_t, t, SCHEDULE, objective)[0], theirs) < 1e-10


def test_velocity_at_time_zero_is_the_noise(generator):
    x_0, eps = pair(generator)
    v = express(x_0, eps, 0, SCHEDULE, "v")
    assert torch.equal(v, eps)
    assert all(torch.equal(a, b) for a, b in zip(split(v, x_0, 0, SCHEDULE, "v"), (x_0, eps), strict=True))


def test_flow_at_time_zero_leaves_the_data(generator):
    x_0, eps = pair(generator)
    flow = express(x_0, eps, 0, SCHEDULE, "flow")
    assert torch.equal(flow, eps - x_0)
    assert torch.equal(split(flow, x_0, 0, SCHEDULE, "flow")[0], x_0)
    assert worst(split(flow, x_0, 0, SCHEDULE, "flow")[1], eps) < 1e-12


@pytest.mark.parametrize(
    "schedule", [SCHEDULE, DiffusionSchedule.straight(5), DiffusionSchedule.cosine(5)], ids=repr
)
def test_flow_is_the_velocity_of_the_rescaled_sample_on_every_schedule(schedule, generator):
    """x_t / (alpha + sigma) is (1 - s) x_0 + s eps with s = sigma / (alpha + sigma): a line, only the clock differs."""
    x_0, eps = pair(generator)
    abar = (1 - schedule.betas).cumprod(0)
    scale = abar.sqrt() + (1 - abar).sqrt()
    clock = (1 - abar).sqrt() / scale
    places = [schedule.add_noise(x_0, t, eps) / scale[t] for t in range(6)]
    for t, s in JUMPS:
        velocity = (places[t] - places[s]) / (clock[t] - clock[s])
        assert worst(velocity, express(x_0, eps, t, schedule, "flow")) < 1e-12
        assert worst(velocity, express(x_0, eps, t, schedule, "v")) > 0.05
    unscaled = [schedule.add_noise(x_0, t, eps) for t in range(6)]
    assert worst((unscaled[3] - unscaled[0]) / clock[3], eps - x_0) > 0.05, (
        "without the scale it would not be straight"
    )


@pytest.mark.parametrize("source", ["eps", "x0", "v", "flow"])
@pytest.mark.parametrize("t", TIMES)
def test_score_of_gaussian_data_is_the_gradient_of_its_log_density(source, t):
    m, variance, abar = 0.7, 0.6**2, ABAR[t]
    x_t = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None].requires_grad_()
    marginal = abar * variance + 1 - abar
    Normal(*torch.tensor([m * abar**0.5, marginal**0.5], dtype=torch.float64)).log_prob(x_t).sum().backward()
    x_0 = (m + abar**0.5 * variance / marginal * (x_t - m * abar**0.5)).detach()
    eps = (x_t.detach() - abar**0.5 * x_0) / (1 - abar) ** 0.5
    known = {"eps": eps, "x0": x_0, "v": abar**0.5 * eps - (1 - abar) ** 0.5 * x_0, "flow": eps - x_0}
    assert worst(convert(known[source], x_t.detach(), t, SCHEDULE, source, "score"), x_t.grad) < 1e-12
    assert worst(-eps / (1 - abar), x_t.grad) > 0.01, "sigma squared in place of sigma would pass"


X, T_3 = torch.zeros(3, 2), torch.tensor([1, 2, 3])
BAD_CALLS = {
    "step to 0": (lambda: forward_step(X, 0, SCHEDULE, X), r"\bt must"),
    "step past T": (lambda: forward_step(X, 6, SCHEDULE, X), r"\bt must"),
    "step with a fractional time": (lambda: forward_step(X, 1.5, SCHEDULE, X), r"\bt must"),
    "step with too few times": (lambda: forward_step(X, T_3[:2], SCHEDULE, X), r"\bt must"),
    "step with noise that would broadcast": (lambda: forward_step(X, 1, SCHEDULE, X[:1]), "noise"),
    "step from whole numbers": (lambda: forward_step(X.int(), 1, SCHEDULE, X), "x_prev"),
    "posterior at 0": (lambda: posterior(X, X, 0, SCHEDULE), r"\bt must"),
    "posterior past T": (lambda: posterior(X, X, 6, SCHEDULE), r"\bt must"),
    "s equal to t": (lambda: posterior(X, X, 3, SCHEDULE, 3), r"\bs must"),
    "s after t": (lambda: posterior(X, X, 3, SCHEDULE, 4), r"\bs must"),
    "s after t in a batch": (lambda: posterior(X, X, T_3, SCHEDULE, torch.tensor([0, 1, 3])), r"\bs must"),
    "s below 0": (lambda: posterior(X, X, 3, SCHEDULE, -1), r"\bs must"),
    "posterior with x_0 that would broadcast": (lambda: posterior(X[:1], X, 3, SCHEDULE), "x_0"),
    "express as a banana": (
        lambda: express(X, X, 1, SCHEDULE, "banana"),
        "'banana'.*eps, flow, score, v, x0",
    ),
    "split a banana": (
        lambda: split(X, X, 1, SCHEDULE, "banana"),
        "objective='banana'.*eps, flow, score, v, x0",
    ),
    "convert from a banana": (lambda: convert(X, X, 1, SCHEDULE, "banana", "v"), "objective='banana'"),
    "convert to a banana": (lambda: convert(X, X, 1, SCHEDULE, "v", "banana"), "objective='banana'"),
    "split with an output that would broadcast": (lambda: split(X[:1], X, 1, SCHEDULE, "v"), "x_t"),
    "express with noise that would broadcast": (lambda: express(X, X[:1], 1, SCHEDULE, "v"), "eps"),
    "score at 0": (lambda: express(X, X, 0, SCHEDULE, "score"), r"\bt must"),
    "score at 0 in a batch": (lambda: express(X, X, T_3 - 1, SCHEDULE, "score"), r"\bt must"),
    **{
        f"split {o} at 0": (lambda o=o: split(X, X, 0, SCHEDULE, o), r"\bt must")
        for o in ("eps", "x0", "score")
    },
    "split v before 0": (lambda: split(X, X, -1, SCHEDULE, "v"), r"\bt must"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "match"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_input_is_refused_by_name(call, match):
    with pytest.raises(ValueError, match=match):
        call()
