"""The exact denoisers, beside sums over a fine grid, loops over the data, torch.distributions and regression."""

import inspect
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

import diffusion_lab as dl
from diffusion_lab.oracle import GaussianMixture, finite_data_denoiser
from diffusion_lab.process import OBJECTIVES, convert, split

BETAS = torch.linspace(0.01, 0.5, 8, dtype=torch.float64)
SCHEDULE = dl.DiffusionSchedule.from_betas(BETAS)
ABAR = torch.cat([torch.ones(1), (1 - BETAS).cumprod(0)])
ALPHA, SIGMA = ABAR.sqrt().tolist(), (1 - ABAR).sqrt().tolist()
TIMES = (1, 3, 8)
WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.tensor([[1.6, 0.3], [-1.2, 1.0], [-0.6, -1.5]], dtype=torch.float64)
ROOTS = torch.tensor(
    [[[0.5, 0], [0.4, 0.2]], [[0.3, 0], [0, 0.6]], [[0.4, 0], [-0.3, 0.3]]], dtype=torch.float64
)
COVARIANCES = ROOTS @ ROOTS.mT
MIXTURE = GaussianMixture(WEIGHTS, MEANS, COVARIANCES)
X_T = torch.tensor([[0.3, 0.4], [-1.0, -0.2], [1.9, -0.7], [-0.4, 0.1], [0.0, 0.0]], dtype=torch.float64)
PRECISIONS = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 5e-5)])


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def worst(a, b) -> float:
    return float((torch.as_tensor(a) - torch.as_tensor(b)).abs().max())


def say(x_0, x_t, t, objective):
    """What `objective` calls the pair of x_0 and x_t = alpha x_0 + sigma eps."""
    eps = (x_t - ALPHA[t] * x_0) / SIGMA[t]
    v, score = ALPHA[t] * eps - SIGMA[t] * x_0, -eps / SIGMA[t]
    return {"x0": x_0, "eps": eps, "v": v, "score": score, "flow": eps - x_0}[objective]


# A mixture of Gaussians
# -----------------------------------------------------------------------------------------------


def grid(x_t, t):
    """Points of a fine grid, (G, 2), and log of (weight × prior × likelihood × cell) for each: (B, K, G)."""
    axis = torch.linspace(-5, 5, 401, dtype=torch.float64)
    x_0 = torch.cartesian_prod(axis, axis)
    prior = WEIGHTS.log()[:, None] + MultivariateNormal(MEANS[:, None], COVARIANCES[:, None]).log_prob(x_0)
    distance = (x_t[:, None] - ALPHA[t] * x_0).square().sum(-1)
    likelihood = -distance / (2 * SIGMA[t] ** 2) - math.log(2 * math.pi * SIGMA[t] ** 2)
    return x_0, prior + likelihood[:, None] + 2 * math.log(10 / 400)


@pytest.fixture(scope="module", params=TIMES)
def summed(request):
    t = request.param
    return t, *grid(X_T, t)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_mixture_denoiser_is_the_posterior_mean_summed_over_a_grid(summed, objective):
    t, x_0, logs = summed
    shares = logs.logsumexp(1).softmax(1)
    exact = torch.stack([w @ say(x_0, x, t, objective) for w, x in zip(shares, X_T, strict=True)])
    assert worst(MIXTURE.denoiser(SCHEDULE, objective)(X_T, torch.full((5,), t)), exact) < 1e-9
    off_by_one = MIXTURE.denoiser(SCHEDULE, objective)(X_T, torch.full((5,), t - 1))
    assert worst(off_by_one, exact) > 0.01, "the grid cannot tell neighbouring times"


def test_mixture_density_and_modes_are_those_of_the_grid(summed):
    t, _, logs = summed
    assert worst(MIXTURE.log_density(X_T, t, SCHEDULE), logs.flatten(1).logsumexp(1)) < 1e-9
    modes = logs.logsumexp(2).softmax(1)
    assert worst(MIXTURE.mode_probabilities(X_T, t, SCHEDULE), modes) < 1e-9
    assert (modes.max(1).values < 0.99).any(), "every point is certain: the weights would not show"


@pytest.mark.parametrize("t", [0, *TIMES])
def test_the_score_is_the_gradient_of_the_log_density(t):
    x_t = X_T.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(MIXTURE.log_density(x_t, t, SCHEDULE).sum(), x_t)
    assert gradient.abs().max() > 0.1
    assert worst(MIXTURE.denoiser(SCHEDULE, "score")(X_T, t), gradient) < 1e-10
    for axis in torch.eye(2, dtype=torch.float64):  # and, without autograd, of small differences
        up, down = (MIXTURE.log_density(X_T + h * axis, t, SCHEDULE) for h in (1e-5, -1e-5))
        assert worst((up - down) / 2e-5, gradient @ axis) < 1e-6


def test_one_gaussian_is_linear_regression_on_its_draws():
    root = torch.tensor([[0.8, 0, 0], [0.5, 0.4, 0], [-0.3, 0.6, 0.2]], dtype=torch.float64)
    mean = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    gaussian = GaussianMixture([1.0], mean[None], (root @ root.T)[None])
    x_0 = gaussian.draw(100_000, seeded())[0].double()
    noise = torch.randn(x_0.shape, generator=seeded(1), dtype=torch.float64)
    for t in TIMES:
        x_t = ALPHA[t] * x_0 + SIGMA[t] * noise
        design = torch.cat([x_t, torch.ones(len(x_t), 1)], 1)
        fitted = torch.linalg.lstsq(design, x_0).solution
        ours = gaussian.denoiser(SCHEDULE)(x_t, t)
        assert worst(torch.linalg.lstsq(design, ours).solution, fitted) < 0.02
        assert worst(ours, design @ torch.linalg.lstsq(design, ours).solution) < 1e-9, "not linear"
        exact = MultivariateNormal(
            ALPHA[t] * mean, ABAR[t] * root @ root.T + SIGMA[t] ** 2 * torch.eye(3).double()
        )
        assert worst(gaussian.log_density(x_t[:9], t, SCHEDULE), exact.log_prob(x_t[:9])) < 1e-9


def test_at_time_zero_the_mixture_knows_x_0_and_the_score_of_the_data():
    t = torch.zeros(5, dtype=torch.int64)
    answers = {objective: MIXTURE.denoiser(SCHEDULE, objective)(X_T, t) for objective in OBJECTIVES}
    assert worst(answers["x0"], X_T) < 1e-12
    assert not answers["eps"].any()
    assert not answers["v"].any()
    x = X_T.clone().requires_grad_()
    (WEIGHTS.log() + MultivariateNormal(MEANS, COVARIANCES).log_prob(x[:, None])).logsumexp(
        1
    ).sum().backward()
    assert worst(answers["score"], x.grad) < 1e-9


def test_far_from_every_mode_the_mixture_stays_finite():
    far = torch.tensor([[1e3, -1e3], [-1e4, 0.0]])
    for objective in OBJECTIVES:
        assert torch.isfinite(MIXTURE.denoiser(SCHEDULE, objective)(far, torch.tensor([1, 8]))).all()
    assert worst(MIXTURE.mode_probabilities(far, 1, SCHEDULE).sum(1), torch.ones(2)) < 1e-6


@pytest.mark.parametrize("k", range(3))
def test_a_label_keeps_the_mixture_to_one_mode_and_the_null_label_to_none(k):
    alone = GaussianMixture([1.0], MEANS[k : k + 1], COVARIANCES[k : k + 1])
    for objective in OBJECTIVES:
        f, exact = MIXTURE.denoiser(SCHEDULE, objective), alone.denoiser(SCHEDULE, objective)(X_T, 3)
        assert worst(f(X_T, 3, labels=torch.full((5,), k)), exact) < 1e-12
        assert worst(f(X_T, 3), exact) > 0.05
        mixed = f(X_T, 3, labels=torch.tensor([k, 3, k, 3, 3]))
        assert (
            worst(mixed, torch.where(torch.tensor([[1], [0], [1], [0], [0]]).bool(), exact, f(X_T, 3)))
            < 1e-12
        )


def moments(x, modes):
    parts = [x[modes == k].double() for k in range(3)]
    shares = torch.tensor([len(part) / len(x) for part in parts])
    return (
        shares,
        torch.stack([part.mean(0) for part in parts]),
        torch.stack([part.T.cov() for part in parts]),
    )


def test_draws_have_the_weights_means_and_covariances():
    points, modes = MIXTURE.draw(40_000, seeded())
    assert (points.shape, points.dtype, modes.shape) == ((40_000, 2), torch.float32, (40_000,))
    for ours, exact in zip(moments(points, modes), (WEIGHTS, MEANS, COVARIANCES), strict=True):
        assert worst(ours, exact) < 0.02
    again, other = MIXTURE.draw(40_000, seeded())[0], MIXTURE.draw(40_000, seeded(6))[0]
    assert torch.equal(points, again)
    assert worst(points, other) > 0.1


RUNS = [("ddim", "v"), ("ddpm", "eps"), ("ddpm", "score"), ("ddim", "flow")]


@pytest.mark.parametrize(("sampler", "objective"), RUNS)
def test_samplers_reproduce_the_mixture(sampler, objective):
    schedule = dl.DiffusionSchedule.cosine(150)
    x = dl.sample(
        MIXTURE.denoiser(schedule, objective),
        schedule,
        (5000, 2),
        sampler=sampler,
        num_steps=150,
        objective=objective,
        generator=seeded(),
        progress=False,
    )
    mean = WEIGHTS @ MEANS
    squares = torch.einsum("k,kde->de", WEIGHTS, COVARIANCES + MEANS[:, :, None] * MEANS[:, None])
    spread = squares - torch.outer(mean, mean)
    assert worst(x.mean(0), mean) < 0.07
    assert worst(x.T.cov(), spread) < 0.07
    shares = MIXTURE.mode_probabilities(x, 0, schedule).mean(0)
    assert worst(shares, WEIGHTS) < 0.03


def test_the_mixture_can_be_guided_and_objectives_cannot_be_confused():
    schedule = dl.DiffusionSchedule.cosine(50)

    def draw(**options):
        options = {"objective": "v", "labels": [1] * 400, "generator": seeded(), "progress": False, **options}
        return dl.sample(MIXTURE.denoiser(schedule, "v"), schedule, (400, 2), **options)

    plain, guided = draw(), draw(guidance_scale=3.0)
    assert worst(plain.mean(0), MEANS[1]) < 0.1
    assert float((guided.mean(0) - MEANS[1]).norm()) > 0.2, "guidance moves away from the other modes"
    with pytest.raises(ValueError, match="trained with objective='v'"):
        draw(objective="eps")


# A finite data set
# ----------------------------------------------------------------------------------------------------

DATA = torch.rand(11, 2, 2, 3, generator=seeded(2), dtype=torch.float64) * 2 - 1
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0])
NOISY = torch.randn(7, 2, 2, 3, generator=seeded(3), dtype=torch.float64)
LATE = torch.tensor([1, 2, 3, 5, 8, 1, 4])


def loop(data, x_t, t, objective="x0"):
    """The definition, one number at a time: each example counts by the density of the noise it would have needed."""
    flat, x = data.flatten(1).tolist(), x_t.flatten().tolist()
    logs = [
        -sum((a - ALPHA[t] * b) ** 2 for a, b in zip(x, row, strict=True)) / (2 * SIGMA[t] ** 2)
        for row in flat
    ]
    shares = [math.exp(log - max(logs)) for log in logs]
    total = sum(shares)
    x_0 = [sum(w * row[d] for w, row in zip(shares, flat, strict=True)) / total for d in range(len(x))]
    return say(torch.tensor(x_0, dtype=torch.float64).reshape(x_t.shape), x_t, t, objective)


def loops(data, x_t, t, objective="x0"):
    return torch.stack([loop(data, x, int(time), objective) for x, time in zip(x_t, t, strict=True)])


@PRECISIONS
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("dims", [(2, 2, 3), (12,)])
def test_finite_denoiser_is_the_loop_over_the_data(objective, dims, dtype, tolerance):
    data, x_t = DATA.reshape(-1, *dims), NOISY.reshape(-1, *dims)
    f = finite_data_denoiser(data.to(dtype), SCHEDULE, objective)
    answer, exact = f(x_t.to(dtype), LATE), loops(data, x_t, LATE, objective)
    assert (answer.dtype, answer.shape) == (dtype, x_t.shape)
    assert worst(answer, exact) < tolerance * max(1, float(exact.abs().max()))
    assert worst(f(x_t.to(dtype), LATE % 8 + 1), exact) > 0.01, "another time would pass"


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_chunks_do_not_show(chunk):
    f = finite_data_denoiser(DATA, SCHEDULE, labels=CLASSES, chunk=chunk)
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    whole = finite_data_denoiser(DATA, SCHEDULE, labels=CLASSES)
    assert worst(f(NOISY, LATE), loops(DATA, NOISY, LATE)) < 1e-12
    assert worst(f(NOISY, LATE, labels=labels), whole(NOISY, LATE, labels=labels)) < 1e-12
    assert f(NOISY[:0], LATE[:0]).shape == (0, 2, 2, 3)


def test_many_examples_are_all_counted():
    data = torch.randn(9000, 1, generator=seeded(), dtype=torch.float64)
    x_t = torch.tensor([[0.5], [-2.5], [1.0]], dtype=torch.float64)
    for t in TIMES:
        w = torch.exp(-((x_t.T - ALPHA[t] * data) ** 2) / (2 * SIGMA[t] ** 2))
        assert (
            worst(finite_data_denoiser(data, SCHEDULE)(x_t, t), ((w * data).sum(0) / w.sum(0))[:, None])
            < 1e-10
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_time_zero_it_is_the_nearest_example(dtype):
    data, x = DATA.to(dtype), NOISY.to(dtype)
    nearest = ((x[:, None] - data) ** 2).flatten(2).sum(2).argmin(1)
    f = finite_data_denoiser(data, SCHEDULE)
    assert torch.equal(f(x, 0), data[nearest])
    assert torch.equal(f(data, 0), data)
    assert worst(data[nearest], x) > 0.1
    mixed = f(x, torch.tensor([0, 8, 0, 8, 0, 8, 0]))
    assert torch.equal(mixed[::2], data[nearest][::2])
    assert worst(mixed[1::2], data[nearest][1::2]) > 0.1
    between = torch.tensor([[0.0]], dtype=dtype)
    twins = torch.tensor([[-1.0], [1.0], [5.0]], dtype=dtype)
    assert finite_data_denoiser(twins, SCHEDULE)(between, 0).tolist() == [[0.0]]


def test_almost_no_noise_is_safe_and_close_to_time_zero():
    data, schedule = DATA.float() * 30, dl.DiffusionSchedule.from_betas([1e-9, 0.5])
    x_t = data[:7] + 0.1 * NOISY.float()
    f = finite_data_denoiser(data, schedule)
    assert torch.equal(f(x_t, 1), data[:7])
    assert torch.equal(f(x_t, 0), data[:7])
    assert torch.isfinite(f(1e4 * x_t, 1)).all()


def test_pure_noise_tells_only_the_mean():
    schedule = dl.DiffusionSchedule.from_betas([0.999] * 5)
    assert worst(finite_data_denoiser(DATA, schedule)(NOISY, 5), DATA.mean(0).expand(7, 2, 2, 3)) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_image_is_the_answer_to_everything(dtype):
    image = DATA[:1].to(dtype)
    for t in (0, *TIMES):
        assert torch.equal(
            finite_data_denoiser(image, SCHEDULE)(NOISY.to(dtype), t), image.expand(7, 2, 2, 3)
        )


def test_it_answers_in_the_precision_of_x_t():
    coarse = finite_data_denoiser(DATA, SCHEDULE)(NOISY.float(), LATE)
    assert coarse.dtype == torch.float32
    assert worst(coarse, loops(DATA, NOISY, LATE)) < 5e-5
    fine = finite_data_denoiser(DATA.float(), SCHEDULE)(NOISY, LATE)
    assert fine.dtype == torch.float64
    assert worst(fine, loops(DATA.float(), NOISY, LATE)) < 1e-12


@PRECISIONS
def test_neighbours_are_told_apart_by_little_noise(dtype, tolerance):
    """Two examples that differ by the width of the noise, at the first of a thousand steps."""
    schedule, pair = (
        dl.DiffusionSchedule.linear(1000),
        torch.tensor([[0.9, -0.4], [0.91, -0.4]], dtype=torch.float64),
    )
    x_t = torch.tensor([[0.906, -0.4]], dtype=torch.float64)
    w = torch.exp(-(x_t - (1 - 1e-4) ** 0.5 * pair).square().sum(1) / 2e-4)
    assert w.min() / w.max() > 0.5
    ours = finite_data_denoiser(pair.to(dtype), schedule)(x_t.to(dtype), 1)
    assert worst(ours, w @ pair / w.sum()) < tolerance


def test_labels_keep_to_the_class_and_the_null_label_to_all():
    f = finite_data_denoiser(DATA, SCHEDULE, "v", labels=CLASSES)
    plain = finite_data_denoiser(DATA, SCHEDULE, "v")(NOISY, LATE)
    assert (f.null_label, f.trained_objective) == (3, "v")
    for k in range(3):
        exact = loops(DATA[k == CLASSES], NOISY, LATE, "v")
        assert worst(f(NOISY, LATE, labels=torch.full((7,), k)), exact) < 1e-12
        assert worst(plain, exact) > 0.1
    assert torch.equal(f(NOISY, LATE), plain)
    assert torch.equal(f(NOISY, LATE, labels=torch.full((7,), 3)), plain)


def test_narrow_modes_are_a_finite_data_set():
    points = MEANS + 0.2
    narrow = GaussianMixture([1 / 3] * 3, points, 1e-12 * torch.eye(2, dtype=torch.float64).expand(3, 2, 2))
    for objective in OBJECTIVES:
        ours, theirs = narrow.denoiser(SCHEDULE, objective), finite_data_denoiser(points, SCHEDULE, objective)
        assert worst(ours(X_T, 3), theirs(X_T, 3)) < 1e-8
        labels = torch.tensor([0, 1, 2, 3, 0])
        labelled = finite_data_denoiser(points, SCHEDULE, objective, labels=torch.arange(3))
        assert worst(ours(X_T, 3, labels=labels), labelled(X_T, 3, labels=labels)) < 1e-8


def test_the_jacobian_is_the_doubt_about_x_0():
    """d E[x_0 | x_t] / d x_t = alpha / sigma² Cov[x_0 | x_t], so gradients must pass through."""
    data, x_t, t = DATA.flatten(1), 0.3 * NOISY.flatten(1)[:1], 5
    ours = torch.autograd.functional.jacobian(lambda x: finite_data_denoiser(data, SCHEDULE)(x, t), x_t)[
        0, :, 0
    ]
    w = (-(x_t - ALPHA[t] * data).square().sum(1) / (2 * SIGMA[t] ** 2)).softmax(0)
    centred = data - w @ data
    assert worst(ours, ALPHA[t] / SIGMA[t] ** 2 * (w[:, None] * centred).T @ centred) < 1e-10
    assert ours.abs().max() > 0.05


def test_sampling_from_a_finite_data_set_returns_examples_of_the_class(digits):
    images, labels = digits.images[:60], digits.labels[:60]
    schedule = dl.DiffusionSchedule.cosine(100)
    f = finite_data_denoiser(images, schedule, "v", labels=labels)
    wanted = [0, 1, 2, 3, 4, 5, 6, 7]
    x = dl.sample(f, schedule, (8, *images.shape[1:]), labels=wanted, generator=seeded(), progress=False)
    distance, nearest = torch.cdist(x.flatten(1), images.flatten(1)).min(1)
    assert distance.max() < 0.1
    assert labels[nearest].tolist() == wanted
    free = dl.sample(f, schedule, (8, *images.shape[1:]), generator=seeded(), progress=False)
    _, nearest = torch.cdist(free.flatten(1), images.flatten(1)).min(1)
    assert labels[nearest].tolist() != wanted


# Both
# -----------------------------------------------------------------------------------------------------------------

KINDS = {
    "mixture": (lambda objective: MIXTURE.denoiser(SCHEDULE, objective), X_T),
    "finite": (lambda objective: finite_data_denoiser(DATA, SCHEDULE, objective, labels=CLASSES), NOISY[:5]),
}
both = pytest.mark.parametrize(("make", "x_t"), KINDS.values(), ids=KINDS)


@both
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_says_the_same(make, x_t, objective):
    t = torch.tensor([1, 2, 4, 6, 8])
    x_0, f = make("x0")(x_t, t), make(objective)
    assert (f.trained_objective, f.null_label) == (objective, 3)
    assert worst(f(x_t, t), convert(x_0, x_t, t, SCHEDULE, "x0", objective)) < 1e-9
    assert worst(split(f(x_t, t), x_t, t, SCHEDULE, objective)[0], x_0) < 1e-9
    for other in set(OBJECTIVES) - {objective}:
        assert worst(f(x_t, t), make(other)(x_t, t)) > 0.1


@both
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_element_has_its_own_time(make, x_t, objective):
    t, f = torch.tensor([8, 1, 4, 2, 6]), make(objective)
    rows = [f(x_t[i : i + 1], int(t[i])) for i in range(5)]
    assert worst(f(x_t, t), torch.cat(rows)) < 1e-12
    assert worst(f(x_t, t), f(x_t, 4)) > 0.01
    assert worst(f(x_t, torch.full((5,), 4)), f(x_t, 4)) < 1e-12


def test_density_and_modes_take_a_time_per_element():
    t = torch.tensor([8, 1, 4, 0, 6])
    for ask in (MIXTURE.log_density, MIXTURE.mode_probabilities):
        rows = [ask(X_T[i : i + 1], int(t[i]), SCHEDULE) for i in range(5)]
        assert worst(ask(X_T, t, SCHEDULE), torch.cat(rows)) < 1e-12
        assert worst(ask(X_T, t, SCHEDULE), ask(X_T, 4, SCHEDULE)) > 0.01


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_mixture_in_float32_is_close_to_float64(objective):
    schedule, t = dl.DiffusionSchedule.cosine(1000), torch.tensor([1, 10, 500, 999, 1000])
    f = MIXTURE.denoiser(schedule, objective)
    answer, exact = f(X_T.float(), t), f(X_T.float().double(), t)
    assert answer.dtype == torch.float32
    assert worst(answer, exact) < 2e-5 * max(1, float(exact.abs().max()))


def test_the_data_and_the_points_are_left_as_they_were():
    before = DATA.clone(), NOISY.clone(), X_T.clone()
    for make, x_t in KINDS.values():
        make("v")(x_t, 3)
    assert all(torch.equal(a, b) for a, b in zip(before, (DATA, NOISY, X_T), strict=True))


I2 = torch.eye(2)


def mixture(weights=(0.5, 0.5), means=((0.0, 0.0), (1.0, 1.0)), covariances=((I2, I2))):
    return GaussianMixture(list(weights), list(means), torch.stack(list(covariances)))


def ask(x_t=NOISY, t=LATE, objective="x0", classes=CLASSES, labels=None):
    return finite_data_denoiser(DATA, SCHEDULE, objective, labels=classes)(x_t, t, labels=labels)


def ask_mixture(x_t=X_T, t=3, labels=None):
    return MIXTURE.denoiser(SCHEDULE)(x_t, t, labels=labels)


LOPSIDED = torch.tensor([[1.0, 0.9], [0.1, 1.0]])
BAD_CALLS = {
    "weights that miss 1": (
        lambda: mixture(weights=(0.5, 0.6)),
        r"weights must be positive with sum 1, got \[0.5",
    ),
    "weights that fall short": (
        lambda: mixture(weights=(0.5, 0.4)),
        r"weights must be positive with sum 1, got \[0.5",
    ),
    "a negative weight": (lambda: mixture(weights=(1.5, -0.5)), "weights must be positive"),
    "weights that are nan": (lambda: mixture(weights=(math.nan, 0.5)), "weights must be positive"),
    "three weights for two": (
        lambda: mixture(weights=(0.5, 0.25, 0.25)),
        r"means must have shape \(3, 2\), got \(2",
    ),
    "weights in a column": (
        lambda: GaussianMixture([[1.0]], [[0.0]], [[[1.0]]]),
        r"weights must have shape \(1,\)",
    ),
    "one covariance for two": (
        lambda: mixture(covariances=(I2,)),
        r"covariances must have shape \(2, 2, 2\), got \(1",
    ),
    "asymmetric": (lambda: mixture(covariances=(I2, LOPSIDED)), "covariances must be symmetric"),
    "flat": (
        lambda: mixture(covariances=(I2, torch.ones(2, 2))),
        "covariances must be symmetric, positive definite",
    ),
    "covariances nan": (lambda: mixture(covariances=(I2, math.nan * I2)), "covariances must be symmetric"),
    "objective": (
        lambda: MIXTURE.denoiser(SCHEDULE, "banana"),
        "objective='banana'.*eps, flow, score, v, x0",
    ),
    "dimensions": (lambda: ask_mixture(X_T[:, :1]), r"x_t must have shape \(5, 2\), got \(5, 1\)"),
    "whole numbers": (lambda: ask_mixture(X_T.long()), "x_t must be floating point"),
    "t past T": (lambda: ask_mixture(t=9), r"t must lie in 0 … 8, got 9"),
    "one t too few": (lambda: ask_mixture(t=torch.ones(4).long()), "t must be one time, or one per element"),
    "a mode too many": (lambda: ask_mixture(labels=torch.full((5,), 4)), r"labels must be in \[0, 1, 2\] or"),
    "labels too few": (
        lambda: ask_mixture(labels=torch.tensor([1])),
        r"labels must have shape \(5,\), got \(1,\)",
    ),
    "density of others": (lambda: MIXTURE.log_density(NOISY, 1, SCHEDULE), r"x_t must have shape \(7, 2\)"),
    "finite objective": (lambda: ask(objective="banana"), "objective='banana'.*eps, flow, score, v, x0"),
    "no data": (lambda: finite_data_denoiser(DATA[:0], SCHEDULE), r"len\(data\) must be at least 1, got 0"),
    "data of bytes": (lambda: finite_data_denoiser(DATA.byte(), SCHEDULE), "data must be floating point"),
    "no chunk": (lambda: finite_data_denoiser(DATA, SCHEDULE, chunk=0), "chunk must be at least 1, got 0"),
    "classes": (lambda: ask(classes=CLASSES[:3]), r"labels must have shape \(11,\), got \(3,\)"),
    "other images": (lambda: ask(NOISY[:, :1]), r"x_t must have shape \(7, 2, 2, 3\), got \(7, 1, 2, 3\)"),
    "bytes": (lambda: ask(NOISY.byte()), "x_t must be floating point"),
    "finite t": (lambda: ask(t=9), "t must lie in 0 … 8, got 9"),
    "finite labels": (lambda: ask(labels=torch.tensor([0])), r"labels must have shape \(7,\)"),
    "labels too many": (
        lambda: ask(labels=torch.zeros(8).long()),
        r"labels must have shape \(7,\), got \(8,\)",
    ),
    "unknown class": (
        lambda: ask(labels=torch.full((7,), 4)),
        r"labels must be in \[0, 1, 2\] or .*, got \[4, 4",
    ),
    "absent class": (lambda: ask(classes=2 * CLASSES, labels=LATE), r"labels must be in \[0, 2, 4\] or"),
    "without classes": (
        lambda: ask(classes=None, labels=torch.zeros(7).long()),
        "labels were given, but the data has",
    ),
    **{
        f"{objective} at time 0": (lambda o=objective: ask(t=0, objective=o), "t must lie in 1 … 8, got 0")
        for objective in ("eps", "v", "score", "flow")
    },
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "match"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_input_is_refused_by_name(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_without_classes_there_is_no_null_label():
    assert finite_data_denoiser(DATA, SCHEDULE).null_label is None


def test_it_is_part_of_the_package():
    assert dl.oracle.GaussianMixture is GaussianMixture
    assert all(inspect.getdoc(thing) for thing in (dl.oracle, GaussianMixture, finite_data_denoiser))
