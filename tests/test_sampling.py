"""The samplers, step by step beside diffusers, on data whose exact denoiser is known, and behind `sample`."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from diffusers.schedulers import scheduling_dpmsolver_multistep
from torch import nn

import diffusion_lab as dl
from diffusion_lab.process import convert
from diffusion_lab.sampling import (
    SAMPLERS,
    SPACINGS,
    ddim,
    ddpm,
    dpmpp_2m,
    guess,
    heun,
    sample,
    sampling_times,
)
from diffusion_lab.schedules import DiffusionSchedule

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # diffusers with numpy 2
PREDICTION_TYPES = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
VARIANCES = {"posterior": "fixed_small", "beta": "fixed_large"}
BETAS = torch.linspace(0.005, 0.1, 50, dtype=torch.float64)
SCHEDULE = DiffusionSchedule.from_betas(BETAS)
PRECISIONS = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stub(x_t, t):
    """A denoiser that depends on x and on t."""
    return 0.5 * torch.sin(2 * x_t + t.to(x_t).reshape(-1, *[1] * (x_t.ndim - 1)))


def start(dtype=torch.float64, shape=(3, 2, 4, 4)):
    return torch.randn(shape, generator=seeded(0), dtype=dtype)


def worst(a, b) -> float:
    return float((a - b).abs().max())


def trajectory(states, field="x_t"):
    return torch.stack([getattr(state, field) for state in states])


def peer(kind, schedule, objective, times, **options):
    """A scheduler of diffusers for our tables, at our times if it has not chosen the same.

    Its own are float32.
    """
    options |= {"trained_betas": schedule.betas[1:].tolist(), "prediction_type": PREDICTION_TYPES[objective]}
    scheduler = kind(schedule.timesteps, timestep_spacing="trailing", **options)
    scheduler.alphas_cumprod = (1 - schedule.betas[1:]).cumprod(0)
    if times == sampling_times(schedule, len(times) - 1):
        scheduler.set_timesteps(len(times) - 1)
    else:
        scheduler.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    abar = torch.cat([torch.ones(1), scheduler.alphas_cumprod])[times]
    return scheduler, (1 / abar - 1).sqrt()


def ask(x_t, their_t, late):
    """Ask the stub at their time in our counting; `late` is an error in it."""
    return stub(x_t, torch.full((len(x_t),), int(their_t) + 1 + late))


def ancestral_peer(kind, step_options, schedule, objective, times, x_t, *, clip=False, late=0):
    """Every sample and every guess of x_0 of diffusers' DDPM or DDIM."""
    scheduler, _ = peer(kind, schedule, objective, times, clip_sample=clip)
    consistent = {"use_clipped_model_output": clip} if kind is DDIMScheduler else {}
    generator, samples, guesses = seeded(), [], []
    for their_t in scheduler.timesteps.tolist():
        output = ask(x_t, their_t, late)
        step = scheduler.step(output, their_t, x_t, generator=generator, **consistent, **step_options)
        x_t = step.prev_sample
        if kind is not DDIMScheduler and their_t == scheduler.timesteps[-1]:
            x_t = (
                step.pred_original_sample
            )  # their DDPM asks `t > 0`, so it adds noise on a last step from t = 4
        samples.append(x_t)
        guesses.append(step.pred_original_sample)
    return torch.stack(samples), torch.stack(guesses)


class DoubleTorch:
    """torch for a module that says float32 where it works, so that it can be compared in float64."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def dpm_peer(algorithm, schedule, objective, times, x_t, *, clip=False, late=0):
    """The same of DPM-Solver++(2M). Its dynamic thresholding up to 1 is clipping."""
    with pytest.MonkeyPatch.context() as patch:
        if x_t.dtype == torch.float64:
            patch.setattr(scheduling_dpmsolver_multistep, "torch", DoubleTorch())
        options = {"algorithm_type": algorithm, "thresholding": clip, "sample_max_value": 1.0}
        scheduler, sigmas = peer(DPMSolverMultistepScheduler, schedule, objective, times, **options)
        scheduler.sigmas = sigmas
        generator, samples, guesses = seeded(), [], []
        for their_t in scheduler.timesteps:
            x_t = scheduler.step(ask(x_t, their_t, late), their_t, x_t, generator=generator).prev_sample
            samples.append(x_t)
            guesses.append(scheduler.model_outputs[-1])
    return torch.stack(samples), torch.stack(guesses)


def heun_peer(schedule, objective, times, x_t, *, clip=False, late=0):
    """The same of Heun's method, which keeps x / alpha and calls each half of a step a step."""
    scheduler, sigmas = peer(HeunDiscreteScheduler, schedule, objective, times, clip_sample=clip)
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
    x, samples, guesses = x_t * (sigmas[0] ** 2 + 1).sqrt(), [], []
    for index, their_t in enumerate(scheduler.timesteps):
        x_t = scheduler.scale_model_input(x, their_t)
        step = scheduler.step(ask(x_t, their_t, late), their_t, x)
        x = step.prev_sample
        if index % 2 == 0:
            guesses.append(step.pred_original_sample)
        if index % 2 == 1 or index == len(scheduler.timesteps) - 1:
            samples.append(x / (scheduler.sigmas[scheduler.step_index] ** 2 + 1).sqrt())
    return torch.stack(samples), torch.stack(guesses)


METHODS = {
    **{
        f"ddpm-{ours}": (
            partial(ddpm, variance=ours),
            partial(ancestral_peer, partial(DDPMScheduler, variance_type=theirs), {}),
        )
        for ours, theirs in VARIANCES.items()
    },
    **{
        f"ddim-{eta}": (partial(ddim, eta=eta), partial(ancestral_peer, DDIMScheduler, {"eta": eta}))
        for eta in (0.0, 0.5, 1.0)
    },
    "dpmpp_2m-0.0": (partial(dpmpp_2m, eta=0.0), partial(dpm_peer, "dpmsolver++")),
    "dpmpp_2m-1.0": (partial(dpmpp_2m, eta=1.0), partial(dpm_peer, "sde-dpmsolver++")),
    "heun": (partial(heun, spacing="trailing"), heun_peer),
}
SOLVERS = [name for name in METHODS if name.startswith(("dpmpp", "heun"))]
DETERMINISTIC = ["ddim-0.0", "dpmpp_2m-0.0", "heun"]


@PRECISIONS
@pytest.mark.parametrize("num_steps", [10, 50])
@pytest.mark.parametrize("objective", PREDICTION_TYPES)
@pytest.mark.parametrize("method", METHODS)
def test_every_step_equals_diffusers(method, objective, num_steps, dtype, tolerance):
    sampler, peer_of = METHODS[method]
    x_T, times = start(dtype), [50 - 50 // num_steps * i for i in range(num_steps + 1)]
    options = {"num_steps": num_steps, "objective": objective, "clip_x_0": False}
    states = list(sampler(stub, SCHEDULE, x_T, generator=seeded(), **options))
    samples, guesses = peer_of(SCHEDULE, objective, times, x_T)
    assert [state.t for state in states] == times[1:]
    assert trajectory(states).dtype == dtype
    assert worst(trajectory(states), samples) < tolerance * samples.abs().max()
    assert worst(trajectory(states, "x_0_hat"), guesses) < tolerance * guesses.abs().max()
    off_by_one, _ = peer_of(SCHEDULE, objective, times, x_T, late=-1)
    assert worst(trajectory(states), off_by_one) > 0.01, "a time that is off by one would pass"


@PRECISIONS
@pytest.mark.parametrize("spacing", ["karras", "logsnr", "quadratic"])
@pytest.mark.parametrize("objective", PREDICTION_TYPES)
@pytest.mark.parametrize("method", SOLVERS)
def test_every_step_of_a_solver_equals_diffusers_at_uneven_times(
    method, objective, spacing, dtype, tolerance
):
    sampler, peer_of = METHODS[method]
    x_T, times = start(dtype), sampling_times(SCHEDULE, 8, spacing)
    options = {"num_steps": 8, "objective": objective, "clip_x_0": False, "spacing": spacing}
    states = list(sampler(stub, SCHEDULE, x_T, generator=seeded(), **options))
    samples, guesses = peer_of(SCHEDULE, objective, times, x_T)
    assert [state.t for state in states] == times[1:]
    assert worst(trajectory(states), samples) < tolerance * samples.abs().max()
    assert worst(trajectory(states, "x_0_hat"), guesses) < tolerance * guesses.abs().max()
    even, _ = peer_of(SCHEDULE, objective, sampling_times(SCHEDULE, 8), x_T)
    assert worst(trajectory(states), even) > 0.01, "the spacing would not matter"


@pytest.mark.parametrize("method", SOLVERS)
def test_solvers_equal_diffusers_out_of_the_noise_of_the_linear_schedule(method):
    schedule = DiffusionSchedule(1000)
    sampler, peer_of = METHODS[method]
    assert 1e-5 < schedule.snr()[-1] < 5e-5
    states = sampler(
        stub, schedule, start(), num_steps=10, generator=seeded(), objective="eps", clip_x_0=False
    )
    samples, _ = peer_of(schedule, "eps", sampling_times(schedule, 10), start())
    assert worst(trajectory(states), samples) < 1e-10 * samples.abs().max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", PREDICTION_TYPES)
def test_clipped_steps_equal_diffusers(method, objective):
    sampler, peer_of = METHODS[method]
    x_T, times = 3 * start(), sampling_times(SCHEDULE, 10)
    states = list(
        sampler(stub, SCHEDULE, x_T, num_steps=10, generator=seeded(), objective=objective, clip_x_0=True)
    )
    samples, guesses = peer_of(SCHEDULE, objective, times, x_T, clip=True)
    assert worst(trajectory(states), samples) < 1e-10
    assert worst(trajectory(states, "x_0_hat"), guesses) < 1e-10
    unclipped, _ = peer_of(SCHEDULE, objective, times, x_T)
    assert objective == "x0" or worst(trajectory(states), unclipped) > 0.1, "no clipping would pass"


def test_methods_differ_by_more_than_any_tolerance():
    runs = {
        name: trajectory(sampler(stub, SCHEDULE, start(), num_steps=10, generator=seeded()))
        for name, (sampler, _) in METHODS.items()
    }
    close = {(a, b) for a, x in runs.items() for b, y in runs.items() if a < b and worst(x, y) < 1e-3}
    assert close == {("ddim-1.0", "ddpm-posterior")}


# Times
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("T", "num_steps"), [(T, n) for T in (1, 5, 50, 1000) for n in (1, 5, 10, 50, 1000) if n <= T]
)
def test_times_are_the_trailing_ones_of_diffusers_and_then_zero(T, num_steps):
    scheduler = DDIMScheduler(T, timestep_spacing="trailing")
    scheduler.set_timesteps(num_steps)
    assert sampling_times(DiffusionSchedule.cosine(T), num_steps) == [*(scheduler.timesteps + 1).tolist(), 0]


@pytest.mark.parametrize("num_steps", range(1, 51))
def test_trailing_times_fall_strictly_from_T_to_zero_and_are_even(num_steps):
    times = sampling_times(SCHEDULE, num_steps)
    gaps = [a - b for a, b in pairwise(times)]
    assert (times[0], times[-1], len(gaps)) == (50, 0, num_steps)
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_all_times_are_visited_by_default():
    assert sampling_times(DiffusionSchedule.linear(5)) == [5, 4, 3, 2, 1, 0]
    assert [state.t for state in ddpm(stub, SCHEDULE, start())] == list(range(49, -1, -1))
    assert sampling_times(DiffusionSchedule.linear(10), 3) == [10, 7, 3, 0]


CURVES_AND_LENGTHS = [(curve, T) for curve in ("linear", "cosine") for T in (1, 2, 3, 10, 50, 1000)]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("curve", "T"), CURVES_AND_LENGTHS)
def test_times_of_every_spacing_fall_strictly_to_zero(curve, T, spacing):
    schedule = DiffusionSchedule.named(curve, T)
    for num_steps in {1, 2, 3, 7, 20, T // 2, T - 1, T} & set(range(1, T + 1)):
        times = sampling_times(schedule, num_steps, spacing)
        assert len(times) == num_steps + 1
        assert all(isinstance(t, int) for t in times)
        assert all(a > b for a, b in pairwise(times))
        assert times[0] <= T
        assert times[-1] == 0
        assert times[0] == T or spacing in ("karras", "logsnr")
    assert (
        sampling_times(schedule, T, spacing)
        == sampling_times(schedule, None, spacing)
        == list(range(T, -1, -1))
    )


def test_quadratic_times_are_squares():
    schedule = DiffusionSchedule.linear(100)
    assert sampling_times(schedule, 10, "quadratic") == [100, 81, 64, 49, 36, 25, 16, 9, 4, 1, 0]
    assert sampling_times(schedule, 5, "quadratic") == [100, 64, 36, 16, 4, 0]
    assert sampling_times(DiffusionSchedule.cosine(1000), 4, "quadratic") == [1000, 562, 250, 62, 0]


def test_times_that_collide_are_moved_apart_and_no_others():
    schedule = DiffusionSchedule.linear(20)
    wanted = [round(20 * (1 - i / 16) ** 2) for i in range(17)]
    assert wanted == [20, 18, 15, 13, 11, 9, 8, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0]
    mended = [20, 18, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert sampling_times(schedule, 16, "quadratic") == mended
    cliff = DiffusionSchedule.from_betas([0.01] * 10 + [0.9] + [0.01] * 9)
    high, low = cliff.snr().rsqrt()[[20, 1]].tolist()
    wanted = nearest(cliff, [high ** (1 - i / 7) * low ** (i / 7) for i in range(8)])
    assert wanted == [20, 11, 11, 10, 10, 7, 3, 1]
    assert sampling_times(cliff, 8, "logsnr") == [20, 11, 10, 9, 8, 7, 3, 1, 0]
    assert sampling_times(cliff, 4, "logsnr") == [
        20,
        11,
        10,
        1,
        0,
    ], "nearest in sigma / alpha itself would be 10"


def nearest(schedule, levels):
    """The times, from 1 on, whose sigma / alpha is nearest to each level in the logarithm, one by one."""
    ratios = [((1 - a) / a) ** 0.5 for a in (1 - schedule.betas[1:]).cumprod(0).tolist()]
    return [min(range(len(ratios)), key=lambda t: abs(math.log(ratios[t] / level))) + 1 for level in levels]


SMALL_BETAS = DiffusionSchedule.from_betas(torch.logspace(-8, -1, 400, dtype=torch.float64))
ENDS = {  # largest and smallest sigma / alpha that are visited
    "inside": (DiffusionSchedule(1000, 1e-4, 0.01), 12.56, 0.01),
    "noise above 80": (DiffusionSchedule.cosine(1000), 80, 0.006423),
    "noise below 0.002": (SMALL_BETAS, 3.518, 0.002),
}


@pytest.mark.parametrize("num_steps", [2, 5, 12])
@pytest.mark.parametrize("name", ENDS)
def test_karras_and_logsnr_times_by_hand(name, num_steps):
    schedule, high, low = ENDS[name]
    table = schedule.snr().rsqrt()
    assert min(80, float(table[-1])) == pytest.approx(high, rel=1e-3)
    assert max(0.002, float(table[1])) == pytest.approx(low, rel=1e-3)
    high, low = min(80, float(table[-1])), max(0.002, float(table[1]))
    shares = [i / (num_steps - 1) for i in range(num_steps)]
    karras = [(high ** (1 / 7) + share * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for share in shares]
    logsnr = [high ** (1 - share) * low**share for share in shares]
    assert sampling_times(schedule, num_steps, "karras") == [*nearest(schedule, karras), 0]
    assert sampling_times(schedule, num_steps, "logsnr") == [*nearest(schedule, logsnr), 0]
    assert num_steps == 2 or nearest(schedule, karras) != nearest(schedule, logsnr)


@pytest.mark.parametrize("num_steps", [5, 10, 20])
@pytest.mark.parametrize(
    ("spacing", "theirs"), [("karras", "use_karras_sigmas"), ("logsnr", "use_lu_lambdas")]
)
def test_uneven_noise_is_that_of_diffusers_up_to_rounding(spacing, theirs, num_steps):
    schedule = ENDS["inside"][0]
    scheduler = DPMSolverMultistepScheduler(1000, trained_betas=schedule.betas[1:].tolist(), **{theirs: True})
    scheduler.set_timesteps(num_steps)
    times = sampling_times(schedule, num_steps, spacing)
    assert times == [*(scheduler.timesteps + 1).tolist(), 0]
    table = schedule.snr().rsqrt()
    for t, sigma in zip(times[1:-2], scheduler.sigmas[1:-2].tolist(), strict=True):
        assert table[t - 1] * table[t] < sigma**2 < table[t] * table[t + 1]


DEFAULT_SPACINGS = {"ddpm": "trailing", "ddim": "trailing", "dpmpp_2m": "trailing", "heun": "karras"}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_every_spacing(name):
    for spacing in SPACINGS:
        states = SAMPLERS[name](stub, SCHEDULE, start(), num_steps=9, spacing=spacing)
        assert [state.t for state in states] == sampling_times(SCHEDULE, 9, spacing)[1:]
    states = SAMPLERS[name](stub, SCHEDULE, start(), num_steps=9)
    assert [state.t for state in states] == sampling_times(
        SCHEDULE, 9, DEFAULT_SPACINGS.get(name, "trailing")
    )[1:]


# Steps
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", [7, 50])
def test_ddim_with_eta_one_is_ddpm(num_steps):
    for seed in (1, 2):
        choices = (ddpm, {}), (ddim, {"eta": 1.0}), (ddim, {"eta": 0.9}), (ddpm, {"variance": "beta"})
        runs = [
            trajectory(
                sampler(stub, SCHEDULE, start(), num_steps=num_steps, generator=seeded(seed), **options)
            )
            for sampler, options in choices
        ]
        assert worst(runs[0], runs[1]) < 1e-10
        assert min(worst(runs[0], runs[2]), worst(runs[0], runs[3])) > 1e-3


@pytest.mark.parametrize("variance", VARIANCES)
def test_a_strided_step_of_ddpm_uses_the_beta_of_the_jump(variance):
    schedule = DiffusionSchedule.from_betas([0.1, 0.2, 0.3, 0.4, 0.5])
    abar_5, abar_2, x_T = 0.1512, 0.72, start(shape=(4, 3))
    states = ddpm(stub, schedule, x_T, num_steps=2, variance=variance, generator=seeded(), objective="x0")
    first = next(states)
    noise = torch.randn(x_T.shape, generator=seeded(), dtype=x_T.dtype)

    def by_hand(beta):
        mean = abar_2**0.5 * beta * first.x_0_hat + (1 - beta) ** 0.5 * (1 - abar_2) * x_T
        spread = beta if variance == "beta" else beta * (1 - abar_2) / (1 - abar_5)
        return mean / (1 - abar_5) + spread**0.5 * noise

    assert first.t == 2
    assert worst(first.x_t, by_hand(1 - abar_5 / abar_2)) < 1e-12
    assert worst(first.x_t, by_hand(0.5)) > 0.1, "betas[t] in place of the jump's beta would pass"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_steps", [1, 5, 50])
def test_the_step_to_zero_adds_no_noise_and_lands_on_the_guess(method, num_steps):
    def finish(reseed_before):
        generator = seeded()
        states = METHODS[method][0](stub, SCHEDULE, start(), num_steps=num_steps, generator=generator)
        for index in range(num_steps):
            if index == reseed_before:
                generator.manual_seed(99)
            state = next(states)
        assert state.t == 0
        assert worst(state.x_t, state.x_0_hat) < 1e-12
        return state.x_t

    assert torch.equal(finish(None), finish(num_steps - 1))
    if num_steps > 1:
        matters = worst(finish(None), finish(num_steps - 2)) > 1e-3
        assert matters == (method not in DETERMINISTIC), "noise would matter on no step, or on every one"


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_first_and_last_step_of_dpmpp_2m_are_those_of_ddim(num_steps, eta):
    ours, theirs = (
        trajectory(sampler(stub, SCHEDULE, start(), num_steps=num_steps, eta=eta, generator=seeded()))
        for sampler in (dpmpp_2m, ddim)
    )
    assert worst(ours[0], theirs[0]) < 1e-12
    assert (worst(ours[-1], theirs[-1]) < 1e-12) == (num_steps < 3)


def times_asked(sampler, schedule, **options):
    asked = []

    def model(x_t, t):
        asked.append(int(t[0]))
        return stub(x_t, t)

    states = list(sampler(model, schedule, start(), **options))
    return asked, [state.t for state in states]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_cost_of_every_sampler(name, num_steps):
    asked, reached = times_asked(SAMPLERS[name], SCHEDULE, num_steps=num_steps, spacing="trailing")
    visited = [50, *reached]
    assert len(reached) == num_steps
    twice = sorted(visited[:-1] + visited[1:-1], reverse=True)
    assert asked == (twice if name == "heun" else visited[:-1])
    assert len(asked) == (2 * num_steps - 1 if name == "heun" else num_steps)


# Exact denoisers
# ------------------------------------------------------------------------------------------------------


def gaussian_oracle(schedule, m, v):
    """E[x_0 | x_t] for data N(m, v), from the schedule's betas alone."""
    abar = (1 - schedule.betas).cumprod(0)

    def denoiser(x_t, t):
        a = abar[t].to(x_t).reshape(-1, 1)
        return m + a.sqrt() * v / (a * v + 1 - a) * (x_t - a.sqrt() * m)

    return denoiser


def test_ddim_converges_to_the_probability_flow_of_gaussian_data():
    schedule, m, v = DiffusionSchedule.cosine(400), 0.7, 0.5**2
    x_T = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    exact = gaussian_flow(schedule, m, v, x_T, 0)
    errors = []
    for num_steps in (25, 100, 400):
        *_, last = ddim(gaussian_oracle(schedule, m, v), schedule, x_T, num_steps=num_steps, objective="x0")
        errors.append(worst(last.x_t, exact))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.02
    *_, last = ddim(gaussian_oracle(schedule, m, v**0.5), schedule, x_T, num_steps=400, objective="x0")
    assert worst(last.x_t, exact) > 0.2, "a standard deviation in place of the variance would pass"


def gaussian_flow(schedule, m, v, x_T, t):
    """Where the probability flow of data N(m, v) takes x_T: its mean and its standard deviation go along."""
    abar = (1 - schedule.betas).cumprod(0)
    a_T, a = abar[-1], abar[t]
    return a.sqrt() * m + (x_T - a_T.sqrt() * m) * ((a * v + 1 - a) / (a_T * v + 1 - a_T)).sqrt()


FLOWS = pytest.mark.parametrize(
    "schedule", [DiffusionSchedule.straight(50), DiffusionSchedule.cosine(50), SCHEDULE], ids=repr
)


def scale_and_clock(schedule):
    """What to divide x_t by so that it lies on the straight path, and the share of noise there."""
    abar = (1 - schedule.betas).cumprod(0)
    scale = abar.sqrt() + (1 - abar).sqrt()
    return scale, (1 - abar).sqrt() / scale


@FLOWS
def test_ddim_of_a_flow_is_plain_euler_on_every_schedule(schedule):
    scale, clock = scale_and_clock(schedule)
    times, x_T = sampling_times(schedule, 10), start()
    z, path = x_T / scale[-1], []
    for t, s in pairwise(times):
        z = z + (clock[s] - clock[t]) * stub(z * scale[t], torch.full((3,), t))
        path.append(z * scale[s])
    states = list(ddim(stub, schedule, x_T, num_steps=10, objective="flow", clip_x_0=False))
    assert worst(trajectory(states), torch.stack(path)) < 1e-10
    unscaled = x_T + (clock[times[1]] - clock[times[0]]) * stub(x_T, torch.full((3,), times[0]))
    assert worst(states[0].x_t, unscaled) > 0.01, "Euler on x_t itself would pass"


@FLOWS
def test_ddim_of_a_flow_equals_the_flow_matching_of_diffusers(schedule):
    scale, clock = scale_and_clock(schedule)
    times, x_T = sampling_times(schedule, 10), start(torch.float32)
    peer = FlowMatchEulerDiscreteScheduler(50)
    peer.set_timesteps(sigmas=clock[times[:-1]].tolist())
    z, path = x_T / scale[-1], []
    for their_t, (t, s) in zip(peer.timesteps, pairwise(times), strict=True):
        x_t = (z * scale[t]).float()
        z = peer.step(stub(x_t, torch.full((3,), t)), their_t, z.float()).prev_sample
        path.append(z * scale[s])
    states = list(ddim(stub, schedule, x_T, num_steps=10, objective="flow", clip_x_0=False))
    assert worst(trajectory(states), torch.stack(path)) < 1e-5
    late = list(
        ddim(lambda x, t: stub(x, t - 1), schedule, x_T, num_steps=10, objective="flow", clip_x_0=False)
    )
    assert worst(trajectory(late), torch.stack(path)) > 0.01, "an index that is off by one would pass"


def test_the_clock_of_the_straight_schedule_is_even():
    _, clock = scale_and_clock(DiffusionSchedule.straight(50))
    even = torch.linspace(0, 1, 51, dtype=torch.float64)
    assert worst(clock[:-1], even[:-1]) < 1e-12
    assert 0 < 1 - clock[-1] < 1e-3, "the last beta is 0.999, not 1"
    assert worst(scale_and_clock(DiffusionSchedule.cosine(50))[1], even) > 0.05


def test_heun_does_not_correct_out_of_pure_noise():
    """For cosine sigma / alpha falls from 2e4 to 13 in the first of 20 steps.

    The correction would miss by 1.8.
    """
    schedule, m, v = DiffusionSchedule.cosine(1000), 0.7, 0.5**2
    asked, reached = times_asked(heun, schedule, num_steps=20, spacing="trailing")
    assert asked == [1000, 950, *sorted(2 * reached[1:-1], reverse=True)]
    x_T = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    *_, last = heun(
        gaussian_oracle(schedule, m, v), schedule, x_T, num_steps=20, spacing="trailing", objective="x0"
    )
    assert worst(last.x_t, gaussian_flow(schedule, m, v, x_T, 0)) < 0.02


@pytest.mark.parametrize("data", ["gaussian", "mixture"])
@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (dpmpp_2m, 2), (heun, 2)])
def test_order_of_convergence(sampler, order, data):
    """Twice the steps, half the error, or a quarter: at a time that all visit, before the last step, of first order."""
    schedule, stop = DiffusionSchedule.linear(1024), 128
    if data == "gaussian":
        x_T = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
        oracle, exact = gaussian_oracle(schedule, 0.7, 0.25), gaussian_flow(schedule, 0.7, 0.25, x_T, stop)
    else:
        x_T = torch.randn(32, 2, generator=seeded(), dtype=torch.float64)
        oracle = mixture_oracle((1 - schedule.betas).cumprod(0))

    def reach(sampler, num_steps):
        options = {"num_steps": num_steps, "objective": "x0", "spacing": "trailing"}
        return next(state.x_t for state in sampler(oracle, schedule, x_T, **options) if state.t == stop)

    if data == "mixture":
        exact = reach(dpmpp_2m if sampler is heun else heun, 1024)  # never itself
    numbers = [64, 128, 256]
    errors = [float((reach(sampler, n) - exact).square().mean().sqrt()) for n in numbers]
    x, y = (torch.tensor(values, dtype=torch.float64).log() for values in (numbers, errors))
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    assert abs(-slope - order) < 0.2, errors


@pytest.mark.parametrize("num_steps", [6, 20])
@pytest.mark.parametrize(("variance", "v"), [("posterior", 0.0), ("beta", 1.0)])
def test_ddpm_is_exact_in_the_two_limits_of_its_variances(variance, v, num_steps):
    """DDPM, section 3.2: one variance is exact for data at a point, the other for data N(m, 1), at any stride."""
    schedule, m, n = DiffusionSchedule.cosine(20), 0.7, 40_000

    def worst_variance(used):
        x_T = torch.randn(n, 1, generator=seeded(), dtype=torch.float64)
        states = ddpm(
            gaussian_oracle(schedule, m, v),
            schedule,
            x_T,
            num_steps=num_steps,
            variance=used,
            objective="x0",
            generator=seeded(1),
        )
        errors = [0.0]
        for state in states:
            abar = float(schedule.alphas_cumprod[state.t])
            assert abs(float(state.x_t.mean()) - abar**0.5 * m) < 0.025
            if state.t > 0:
                errors.append(abs(float(state.x_t.var()) / (abar * v + 1 - abar) - 1))
        return max(errors)

    assert worst_variance(variance) < 5 * math.sqrt(2 / n)
    assert worst_variance("beta" if variance == "posterior" else "posterior") > 0.1


@pytest.mark.parametrize("variance", VARIANCES)
def test_ddpm_in_many_steps_reproduces_mean_and_variance(variance):
    schedule, m, v, n = DiffusionSchedule.cosine(300), 0.7, 0.5**2, 20_000
    options = {"objective": "x0", "variance": variance, "generator": seeded(1)}
    x_T = torch.randn(n, 1, generator=seeded())
    *_, last = ddpm(gaussian_oracle(schedule, m, v), schedule, x_T, **options)
    assert abs(float(last.x_t.mean()) - m) < 0.02
    assert abs(float(last.x_t.var()) / v - 1) < 0.06


WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.tensor([[2.0, 0.0], [-1.5, 1.5], [-1.0, -2.0]], dtype=torch.float64)
ROOTS = torch.tensor(
    [[[0.4, 0], [0.2, 0.2]], [[0.2, 0], [0, 0.5]], [[0.3, 0], [-0.2, 0.3]]], dtype=torch.float64
)
COVARIANCES = ROOTS @ ROOTS.mT


def mixture_oracle(abar, root=1.0):
    """E[x_0 | x_t] for the mixture: each mode's linear regression, weighted by its responsibility for x_t."""

    def denoiser(x_t, t):
        a = abar[int(t[0])]
        spread = a * COVARIANCES + (1 - a) ** root * torch.eye(2, dtype=torch.float64)
        offset = x_t[None] - a.sqrt() * MEANS[:, None]
        solved = torch.linalg.solve(spread, offset.mT).mT
        log_density = WEIGHTS.log()[:, None] - 0.5 * ((offset * solved).sum(-1) + spread.logdet()[:, None])
        expected = MEANS[:, None] + a.sqrt() * solved @ COVARIANCES
        return (log_density.softmax(0)[..., None] * expected).sum(0)

    return denoiser


def mixture_errors(x) -> tuple[float, float, float]:
    """Largest errors of the weights, the means and the covariances of the modes."""
    mode = torch.cdist(x, MEANS).argmin(1)
    parts = [x[mode == k] for k in range(3)]
    if min(map(len, parts)) < 2:
        return math.inf, math.inf, math.inf
    shares = torch.tensor([len(part) / len(x) for part in parts])
    means = torch.stack([part.mean(0) for part in parts])
    covariances = torch.stack([part.T.cov() for part in parts])
    return worst(shares, WEIGHTS), worst(means, MEANS), worst(covariances, COVARIANCES)


MIXTURE_RUNS = [
    ("ddpm", 200, {}),
    ("ddpm", 200, {"variance": "beta"}),
    ("ddim", 100, {}),
    ("ddim", 200, {"eta": 0.5}),
    ("dpmpp_2m", 40, {}),
    ("dpmpp_2m", 60, {"eta": 1.0}),
    ("heun", 40, {}),
]


@pytest.mark.parametrize(("name", "num_steps", "options"), MIXTURE_RUNS)
@pytest.mark.parametrize("objective", ["x0", "v", "flow"])
def test_samplers_draw_a_gaussian_mixture_with_its_weights_means_and_covariances(
    name, num_steps, options, objective
):
    schedule = DiffusionSchedule.cosine(200)
    x_T = torch.randn(4000, 2, generator=seeded(), dtype=torch.float64)
    abar = (1 - schedule.betas).cumprod(0)

    def errors(oracle):
        def model(x_t, t):
            return convert(oracle(x_t, t), x_t, t, schedule, "x0", objective)

        states = SAMPLERS[name](
            model, schedule, x_T, num_steps=num_steps, objective=objective, generator=seeded(1), **options
        )
        *_, last = states
        return mixture_errors(last.x_t)

    limits = (0.03, 0.05, 0.03)
    assert all(error < limit for error, limit in zip(errors(mixture_oracle(abar)), limits, strict=True))
    if objective == "x0":
        wrong = {
            "std for variance": mixture_oracle(abar, root=0.5),
            "abar for its root": mixture_oracle(abar**2),
        }
        for mistake, oracle in wrong.items():
            assert any(e > limit for e, limit in zip(errors(oracle), limits, strict=True)), (
                f"{mistake} would pass"
            )


# Clipping
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["eps", "x0", "v", "flow"])
@pytest.mark.parametrize(
    ("shape", "clip_x_0", "clips"),
    [
        ((3, 1, 4, 4), None, True),
        ((3, 1, 4, 4), True, True),
        ((3, 1, 4, 4), False, False),
        ((9, 2), None, False),
        ((9, 2), True, True),
    ],
)
def test_the_guess_is_clipped_for_images_and_stays_consistent(shape, clip_x_0, clips, objective):
    x_t = 4 * start(shape=shape)
    x_0, eps = guess(lambda x, t: 2 * stub(x, t), x_t, 30, SCHEDULE, objective, clip_x_0)
    plain, _ = guess(lambda x, t: 2 * stub(x, t), x_t, 30, SCHEDULE, objective, False)
    assert plain.abs().max() > 1 or objective == "x0"
    assert torch.equal(x_0, plain.clamp(-1, 1) if clips else plain)
    assert worst(SCHEDULE.add_noise(x_0, 30, eps), x_t) < 1e-12


def test_the_denoiser_is_asked_at_t_and_with_the_condition():
    seen = []

    def model(x_t, t, **condition):
        seen.append((t.tolist(), t.dtype, condition))
        return stub(x_t, t)

    labels = torch.tensor([3, 1, 4])
    list(ddim(model, SCHEDULE, start(), num_steps=2, labels=labels))
    assert seen == [([t] * 3, torch.int64, {"labels": labels}) for t in (50, 25)]


# sample()
# -------------------------------------------------------------------------------------------------------------

SHORT = DiffusionSchedule.cosine(20)
SHAPE = (4, 1, 6, 6)


def draw(model, seed=3, **options):
    options = {"num_steps": 5, "labels": [3, 1, 4, 1], "generator": seeded(seed), **options}
    return sample(model, SHORT, SHAPE, **options)


@pytest.mark.parametrize("name", SAMPLERS)
def test_sample_is_the_sampler_from_noise_of_the_same_generator(name, tiny):
    generator, labels = seeded(3), torch.tensor([3, 1, 4, 1])
    x_T = torch.randn(SHAPE, generator=generator)
    *_, last = SAMPLERS[name](tiny, SHORT, x_T, num_steps=5, labels=labels, generator=generator)
    result = draw(tiny, sampler=name)
    assert torch.equal(result, last.x_t)
    assert result.abs().max() <= 1
    assert not torch.equal(result, draw(tiny, sampler=name, num_steps=6))
    generator = seeded(3)
    torch.randn(SHAPE, generator=generator)
    *_, last = SAMPLERS[name](
        tiny, SHORT, x_T, num_steps=5, labels=labels, spacing="quadratic", generator=generator
    )
    assert torch.equal(draw(tiny, sampler=name, spacing="quadratic"), last.x_t)
    assert not torch.equal(result, last.x_t)


def test_sample_takes_labels_as_list_or_tensor(tiny):
    assert torch.equal(draw(tiny), draw(tiny, labels=torch.tensor([3, 1, 4, 1])))
    changed = (draw(tiny) - draw(tiny, labels=[3, 1, 4, 2])).flatten(1).abs().amax(1) > 1e-4
    assert changed.tolist() == [False, False, False, True]


def test_guidance_scale_zero_ignores_the_labels_and_one_is_plain(tiny):
    assert worst(draw(tiny, guidance_scale=0.0), draw(tiny, labels=None)) < 1e-5
    assert torch.equal(draw(tiny, guidance_scale=1.0), draw(tiny))
    assert worst(draw(tiny, guidance_scale=0.0), draw(tiny)) > 1e-3


def test_guidance_scale_two_extrapolates_at_every_step(tiny):
    def by_hand(scale):
        def model(x_t, t):
            null, plain = tiny(x_t, t), tiny(x_t, t, torch.tensor([3, 1, 4, 1]))
            return null + scale * (plain - null)

        return draw(model, labels=None)

    assert worst(draw(tiny, guidance_scale=2.0), by_hand(2.0)) < 1e-5
    assert worst(draw(tiny, guidance_scale=2.0), by_hand(3.0)) > 1e-3, (
        "the paper's w in place of s would pass"
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_sample_evaluates_and_then_restores_the_mode(tiny, training, fails):
    seen = []
    tiny.train(training)

    def watch(state):
        seen.append(tiny.training)
        if fails and len(seen) == 2:
            raise RuntimeError("stop")

    if fails:
        with pytest.raises(RuntimeError, match="stop"):
            draw(tiny, on_step=watch)
    else:
        draw(tiny, on_step=watch)
    assert seen == [False] * (2 if fails else 5)
    assert tiny.training == training
    assert tiny.mix.training == training


def test_sample_leaves_a_frozen_part_of_a_training_model_frozen(tiny):
    tiny.train()
    tiny.label.eval()
    draw(tiny)
    assert (tiny.training, tiny.label.training) == (True, False)


@pytest.mark.parametrize("name", SAMPLERS)
def test_sampling_records_no_gradients_and_leaves_them_on_for_the_caller(tiny, name):
    state = next(SAMPLERS[name](tiny, SHORT, torch.randn(SHAPE, generator=seeded()), num_steps=5))
    assert torch.is_grad_enabled()
    assert not state.x_t.requires_grad
    assert not draw(tiny, sampler=name).requires_grad


@pytest.mark.parametrize("num_steps", [1, 5, None])
def test_on_step_sees_every_state_down_to_zero(tiny, num_steps):
    states = []
    result = draw(tiny, num_steps=num_steps, sampler="ddpm", on_step=states.append)
    assert [state.t for state in states] == sampling_times(SHORT, num_steps)[1:]
    assert states[-1].t == 0
    assert torch.equal(states[-1].x_t, result)


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": "ddpm"},
        {"eta": 1.0},
        {"eta": 0.0},
        {"sampler": "dpmpp_2m", "eta": 1.0},
        {"sampler": "heun"},
    ],
)
def test_the_generator_decides_everything(tiny, options):
    before = torch.get_rng_state()
    assert torch.equal(draw(tiny, **options), draw(tiny, **options))
    assert worst(draw(tiny, **options), draw(tiny, seed=4, **options)) > 1e-3
    assert torch.equal(before, torch.get_rng_state())


def test_sample_without_a_generator_draws_new_noise(tiny):
    assert worst(draw(tiny, generator=None), draw(tiny, generator=None)) > 1e-3


def test_sample_takes_a_plain_function_and_points(capsys):
    points = sample(lambda x_t, t: stub(x_t, t), SHORT, (7, 2), num_steps=5, generator=seeded())
    assert points.shape == (7, 2)
    assert capsys.readouterr().err == "", "a short run shows no progress bar"


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
def test_sample_takes_the_device_of_the_model_by_place_or_by_name(tiny, device):
    options = {"num_steps": 5, "labels": [3, 1, 4, 1]}
    expected = draw(tiny)
    assert torch.equal(sample(tiny, SHORT, SHAPE, device, generator=seeded(3), **options), expected)
    assert torch.equal(sample(tiny, SHORT, SHAPE, device=device, generator=seeded(3), **options), expected)


def test_noise_and_labels_go_where_the_model_is(monkeypatch):
    """On the device "meta", whose tensors have shapes but no numbers, so their range cannot be checked."""
    monkeypatch.setattr(dl.sampling, "check_range", lambda *_: None)
    seen = []

    def answer(x_t, t, labels):
        seen.append((x_t.device.type, t.device.type, labels.device.type))
        return torch.zeros_like(x_t)

    module = nn.Linear(1, 1, device="meta")
    module.forward = answer
    for device in (None, "meta"):
        images = sample(module, SHORT, SHAPE, device=device, num_steps=1, labels=torch.tensor([3, 1, 4, 1]))
        assert images.device.type == "meta"
    assert seen == [("meta", "meta", "meta")] * 2


def test_a_function_draws_where_device_says():
    seen = []

    def answer(x_t, t):
        seen.append((x_t.device.type, t.device.type))
        return torch.zeros_like(x_t)

    for device in ("meta", "cpu", None):
        assert sample(answer, SHORT, SHAPE, device, num_steps=1).device.type == (device or "cpu")
    assert seen == [("meta", "meta"), ("cpu", "cpu"), ("cpu", "cpu")]


@pytest.mark.parametrize(("asked", "home"), [("meta", "cpu"), ("cpu", "meta")])
def test_another_device_than_the_models_is_refused(tiny, asked, home, unchecked):
    tiny.to(home)
    with pytest.raises(ValueError, match=f"device='{asked}', but the model is on '{home}'.*model.to"):
        sample(tiny, SHORT, SHAPE, device=asked, num_steps=1)
    assert tiny.training


def test_the_objective_changes_the_result_and_must_be_the_trained_one(tiny, unchecked):
    assert worst(draw(tiny, objective="eps"), draw(tiny, objective="v")) > 1e-3
    tiny.trained_objective = "eps"
    assert torch.isfinite(draw(tiny, objective="eps")).all()
    with pytest.raises(ValueError, match=r"objective='v'.*trained with objective='eps'"):
        draw(tiny)


class Unconditional(nn.Module):
    def forward(self, x_t, t):
        return stub(x_t, t)


def run(sampler, **options):
    return list(SAMPLERS[sampler](stub, SHORT, torch.zeros(2, 2), **{"num_steps": 5, **options}))


BAD_CALLS = {
    "unknown sampler": (
        lambda m: draw(m, sampler="banana"),
        f"sampler='banana'.*{', '.join(sorted(SAMPLERS))}",
    ),
    "unknown objective": (
        lambda m: draw(m, objective="banana"),
        "objective='banana'.*eps, flow, score, v, x0",
    ),
    "unknown variance": (lambda m: run("ddpm", variance="banana"), "variance='banana'.*beta, posterior"),
    **{
        f"unknown spacing of {name}": (
            lambda m, name=name: run(name, spacing="banana"),
            "spacing='banana' is not known; choose one of: karras, logsnr, quadratic, trailing",
        )
        for name in SAMPLERS
    },
    "no steps": (lambda m: draw(m, num_steps=0), "num_steps"),
    "negative steps": (lambda m: sampling_times(SHORT, -1), "num_steps"),
    "more steps than T": (lambda m: draw(m, num_steps=21), "num_steps"),
    "eta above one": (lambda m: draw(m, eta=1.5), "eta"),
    "eta below zero": (lambda m: run("ddim", eta=-0.1), "eta"),
    "eta of dpmpp_2m above one": (lambda m: run("dpmpp_2m", eta=1.5), r"eta must lie in \[0, 1\], got 1.5"),
    "eta of dpmpp_2m below zero": (
        lambda m: run("dpmpp_2m", eta=-0.1),
        r"eta must lie in \[0, 1\], got -0.1",
    ),
    "too few labels": (lambda m: draw(m, labels=[1, 2]), "labels"),
    "one label for all": (lambda m: draw(m, labels=torch.tensor(1)), "labels"),
    "label past the last class": (lambda m: draw(m, labels=[1, 2, 3, 10]), "labels"),
    "negative label": (lambda m: draw(m, labels=[1, 2, 3, -1]), "labels"),
    "fractional label": (lambda m: draw(m, labels=[1.0, 2.0, 3.0, 4.5]), "labels"),
    "guidance without classes": (
        lambda m: draw(Unconditional(), labels=None, guidance_scale=2.0),
        "guidance_scale=2",
    ),
    "guidance without labels": (
        lambda m: draw(m, labels=None, guidance_scale=2.0),
        "guidance_scale=2.*labels",
    ),
    "answer of another shape": (lambda m: draw(lambda x, t: x[:1], labels=None), "prediction"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "match"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_input_is_refused_by_name(call, match, tiny):
    tiny.train()
    with pytest.raises(ValueError, match=match):
        call(tiny)
    assert tiny.training


@pytest.mark.usefixtures("unchecked")
def test_a_misspelt_option_is_not_swallowed(tiny):
    for scale in (1.0, 2.0):
        with pytest.raises(ValueError, match="unknown argument etaa="):
            draw(tiny, etaa=0.5, guidance_scale=scale)
        with pytest.raises(ValueError, match="unknown argument eta="):
            draw(tiny, sampler="heun", eta=0.5, guidance_scale=scale)
    with pytest.raises(TypeError, match="label"):
        draw(tiny, label=torch.tensor([1, 2, 3, 4]))


def test_names_at_the_top_of_the_package():
    assert dl.SAMPLERS is SAMPLERS
    assert dl.sample is sample
    taught = {"ddpm": ddpm, "ddim": ddim, "dpmpp_2m": dpmpp_2m, "heun": heun}
    assert taught == {name: SAMPLERS[name] for name in taught}
