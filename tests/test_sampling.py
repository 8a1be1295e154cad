"""The samplers, step by step beside diffusers, on data whose exact denoiser is known, and behind `sample`."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import nn

import diffusion_lab as dl
from diffusion_lab.process import convert
from diffusion_lab.sampling import SAMPLERS, ddim, ddpm, guess, sample, sampling_times
from diffusion_lab.schedules import DiffusionSchedule

PREDICTION_TYPES = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
VARIANCES = {"posterior": "fixed_small", "beta": "fixed_large"}
BETAS = torch.linspace(0.005, 0.1, 50, dtype=torch.float64)
SCHEDULE = DiffusionSchedule.from_betas(BETAS)
METHODS = {
    "ddpm-posterior": (partial(ddpm, variance="posterior"), partial(DDPMScheduler, variance_type="fixed_small"), {}),
    "ddpm-beta": (partial(ddpm, variance="beta"), partial(DDPMScheduler, variance_type="fixed_large"), {}),
    **{f"ddim-{eta}": (partial(ddim, eta=eta), DDIMScheduler, {"eta": eta}) for eta in (0.0, 0.5, 1.0)},
}
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


def peer_trajectory(peer_class, objective, num_steps, x_t, *, clip=False, late=0, **step_options):
    """Every sample and every guess of x_0 of a diffusers scheduler; `late` is an error in the model's time."""
    kind = {"prediction_type": PREDICTION_TYPES[objective], "clip_sample": clip, "timestep_spacing": "trailing"}
    scheduler = peer_class(len(BETAS), trained_betas=BETAS.tolist(), **kind)
    scheduler.alphas_cumprod = (1 - BETAS).cumprod(0)
    scheduler.set_timesteps(num_steps)
    generator, samples, guesses = seeded(), [], []
    for their_t in scheduler.timesteps.tolist():
        output = stub(x_t, torch.full((len(x_t),), their_t + 1 + late))
        step = scheduler.step(output, their_t, x_t, generator=generator, **step_options)
        x_t = step.prev_sample
        if peer_class is not DDIMScheduler and their_t == scheduler.timesteps[-1]:
            x_t = step.pred_original_sample  # their DDPM asks `t > 0`, so it adds noise on a last step from t = 4
        samples.append(x_t)
        guesses.append(step.pred_original_sample)
    return torch.stack(samples), torch.stack(guesses)


@PRECISIONS
@pytest.mark.parametrize("num_steps", [10, 50])
@pytest.mark.parametrize("objective", PREDICTION_TYPES)
@pytest.mark.parametrize("method", METHODS)
def test_every_step_equals_diffusers(method, objective, num_steps, dtype, tolerance):
    sampler, peer_class, step_options = METHODS[method]
    x_T = start(dtype)
    options = {"num_steps": num_steps, "objective": objective, "clip_x_0": False}
    states = list(sampler(stub, SCHEDULE, x_T, generator=seeded(), **options))
    samples, guesses = peer_trajectory(peer_class, objective, num_steps, x_T, **step_options)
    assert [state.t for state in states] == [50 - 50 // num_steps * i for i in range(1, num_steps + 1)]
    assert trajectory(states).dtype == dtype
    assert worst(trajectory(states), samples) < tolerance * samples.abs().max()
    assert worst(trajectory(states, "x_0_hat"), guesses) < tolerance * guesses.abs().max()
    off_by_one, _ = peer_trajectory(peer_class, objective, num_steps, x_T, late=-1, **step_options)
    assert worst(trajectory(states), off_by_one) > 0.01, "a time that is off by one would pass"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", PREDICTION_TYPES)
def test_clipped_steps_equal_diffusers(method, objective):
    sampler, peer_class, step_options = METHODS[method]
    x_T = 3 * start()
    states = list(sampler(stub, SCHEDULE, x_T, num_steps=10, generator=seeded(), objective=objective, clip_x_0=True))
    consistent = {"use_clipped_model_output": True} if peer_class is DDIMScheduler else {}
    samples, guesses = peer_trajectory(peer_class, objective, 10, x_T, clip=True, **consistent, **step_options)
    assert worst(trajectory(states), samples) < 1e-10
    assert worst(trajectory(states, "x_0_hat"), guesses) < 1e-10
    unclipped, _ = peer_trajectory(peer_class, objective, 10, x_T, **step_options)
    assert objective == "x0" or worst(trajectory(states), unclipped) > 0.1, "no clipping would pass"


def test_methods_differ_by_more_than_any_tolerance():
    runs = {
        name: trajectory(sampler(stub, SCHEDULE, start(), num_steps=10, generator=seeded()))
        for name, (sampler, _, _) in METHODS.items()
    }
    close = {(a, b) for a, x in runs.items() for b, y in runs.items() if a < b and worst(x, y) < 1e-3}
    assert close == {("ddim-1.0", "ddpm-posterior")}


@pytest.mark.parametrize(("T", "num_steps"), [(T, n) for T in (1, 5, 50, 1000) for n in (1, 5, 10, 50, 1000) if n <= T])
def test_times_are_the_trailing_ones_of_diffusers_and_then_zero(T, num_steps):
    scheduler = DDIMScheduler(T, timestep_spacing="trailing")
    scheduler.set_timesteps(num_steps)
    assert sampling_times(T, num_steps) == [*(scheduler.timesteps + 1).tolist(), 0]


@pytest.mark.parametrize("num_steps", range(1, 51))
def test_times_fall_strictly_from_T_to_zero_and_are_even(num_steps):
    times = sampling_times(50, num_steps)
    gaps = [a - b for a, b in pairwise(times)]
    assert (times[0], times[-1], len(gaps)) == (50, 0, num_steps)
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_all_times_are_visited_by_default():
    assert sampling_times(5) == [5, 4, 3, 2, 1, 0]
    assert [state.t for state in ddpm(stub, SCHEDULE, start())] == list(range(49, -1, -1))
    assert sampling_times(10, 3) == [10, 7, 3, 0]


@pytest.mark.parametrize("num_steps", [7, 50])
def test_ddim_with_eta_one_is_ddpm(num_steps):
    for seed in (1, 2):
        choices = (ddpm, {}), (ddim, {"eta": 1.0}), (ddim, {"eta": 0.9}), (ddpm, {"variance": "beta"})
        runs = [
            trajectory(sampler(stub, SCHEDULE, start(), num_steps=num_steps, generator=seeded(seed), **options))
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
    if num_steps > 1 and method != "ddim-0.0":
        assert worst(finish(None), finish(num_steps - 2)) > 1e-3, "noise would not matter on any step"


# Exact denoisers ------------------------------------------------------------------------------------------------------


def gaussian_oracle(schedule, m, v):
    """E[x_0 | x_t] for data N(m, v), from the schedule's betas alone."""
    abar = (1 - schedule.betas).cumprod(0)

    def denoiser(x_t, t):
        a = abar[t].to(x_t).reshape(-1, 1)
        return m + a.sqrt() * v / (a * v + 1 - a) * (x_t - a.sqrt() * m)

    return denoiser


def test_ddim_converges_to_the_probability_flow_of_gaussian_data():
    schedule, m, v = DiffusionSchedule.cosine(400), 0.7, 0.5**2
    x_T, abar_T = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None], schedule.alphas_cumprod[-1]
    exact = m + (x_T - abar_T.sqrt() * m) * (v / (abar_T * v + 1 - abar_T)).sqrt()
    errors = []
    for num_steps in (25, 100, 400):
        *_, last = ddim(gaussian_oracle(schedule, m, v), schedule, x_T, num_steps=num_steps, objective="x0")
        errors.append(worst(last.x_t, exact))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.02
    *_, last = ddim(gaussian_oracle(schedule, m, v**0.5), schedule, x_T, num_steps=400, objective="x0")
    assert worst(last.x_t, exact) > 0.2, "a standard deviation in place of the variance would pass"


@pytest.mark.parametrize("num_steps", [6, 20])
@pytest.mark.parametrize(("variance", "v"), [("posterior", 0.0), ("beta", 1.0)])
def test_ddpm_is_exact_in_the_two_limits_of_its_variances(variance, v, num_steps):
    """DDPM, section 3.2: one variance is exact for data at a point, the other for data N(m, 1), at any stride."""
    schedule, m, n = DiffusionSchedule.cosine(20), 0.7, 40_000

    def worst_variance(used):
        x_T = torch.randn(n, 1, generator=seeded(), dtype=torch.float64)
        states = ddpm(
            gaussian_oracle(schedule, m, v), schedule, x_T,
            num_steps=num_steps, variance=used, objective="x0", generator=seeded(1),
        )  # fmt: skip
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
ROOTS = torch.tensor([[[0.4, 0], [0.2, 0.2]], [[0.2, 0], [0, 0.5]], [[0.3, 0], [-0.2, 0.3]]], dtype=torch.float64)
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
    ("ddpm", 200, {}), ("ddpm", 200, {"variance": "beta"}), ("ddim", 100, {}), ("ddim", 200, {"eta": 0.5})
]  # fmt: skip


@pytest.mark.parametrize(("name", "num_steps", "options"), MIXTURE_RUNS)
@pytest.mark.parametrize("objective", ["x0", "v"])
def test_samplers_draw_a_gaussian_mixture_with_its_weights_means_and_covariances(name, num_steps, options, objective):
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
        wrong = {"std for variance": mixture_oracle(abar, root=0.5), "abar for its root": mixture_oracle(abar**2)}
        for mistake, oracle in wrong.items():
            assert any(e > limit for e, limit in zip(errors(oracle), limits, strict=True)), f"{mistake} would pass"


# Clipping -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["eps", "x0", "v"])
@pytest.mark.parametrize(("shape", "clip_x_0", "clips"), [
    ((3, 1, 4, 4), None, True), ((3, 1, 4, 4), True, True), ((3, 1, 4, 4), False, False),
    ((9, 2), None, False), ((9, 2), True, True),
])  # fmt: skip
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


# sample() -------------------------------------------------------------------------------------------------------------

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
    assert worst(draw(tiny, guidance_scale=2.0), by_hand(3.0)) > 1e-3, "the paper's w in place of s would pass"


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
    assert [state.t for state in states] == sampling_times(20, num_steps)[1:]
    assert states[-1].t == 0
    assert torch.equal(states[-1].x_t, result)


@pytest.mark.parametrize("options", [{"sampler": "ddpm"}, {"eta": 1.0}, {"eta": 0.0}])
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
    return list(SAMPLERS[sampler](stub, SHORT, torch.zeros(2, 2), **options))


BAD_CALLS = {
    "unknown sampler": (lambda m: draw(m, sampler="banana"), "sampler='banana'.*ddim, ddpm"),
    "unknown objective": (lambda m: draw(m, objective="banana"), "objective='banana'.*eps, score, v, x0"),
    "unknown variance": (lambda m: run("ddpm", variance="banana"), "variance='banana'.*beta, posterior"),
    "no steps": (lambda m: draw(m, num_steps=0), "num_steps"),
    "negative steps": (lambda m: sampling_times(20, -1), "num_steps"),
    "more steps than T": (lambda m: draw(m, num_steps=21), "num_steps"),
    "eta above one": (lambda m: draw(m, eta=1.5), "eta"),
    "eta below zero": (lambda m: run("ddim", eta=-0.1), "eta"),
    "too few labels": (lambda m: draw(m, labels=[1, 2]), "labels"),
    "one label for all": (lambda m: draw(m, labels=torch.tensor(1)), "labels"),
    "label past the last class": (lambda m: draw(m, labels=[1, 2, 3, 10]), "labels"),
    "negative label": (lambda m: draw(m, labels=[1, 2, 3, -1]), "labels"),
    "fractional label": (lambda m: draw(m, labels=[1.0, 2.0, 3.0, 4.5]), "labels"),
    "guidance without classes": (lambda m: draw(Unconditional(), labels=None, guidance_scale=2.0), "guidance_scale=2"),
    "guidance without labels": (lambda m: draw(m, labels=None, guidance_scale=2.0), "guidance_scale=2.*labels"),
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
    with pytest.raises(TypeError, match="etaa"):
        draw(tiny, etaa=0.5)


def test_names_at_the_top_of_the_package():
    assert dl.SAMPLERS is SAMPLERS
    assert dl.sample is sample
    assert {"ddpm", "ddim"} <= set(SAMPLERS)
