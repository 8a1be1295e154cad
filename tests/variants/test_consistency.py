"""Consistency models on Gaussian data, whose paths are known, and the parts of the distillation one by one."""

import copy

import pytest
import torch
from torch import nn

import diffusion_lab as dl
from diffusion_lab.optimization import OPTIMIZERS
from diffusion_lab.process import OBJECTIVES, convert, express
from diffusion_lab.sampling import ddim, sampling_times
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.variants.consistency import (
    consistency_function,
    distill,
    distillation_loss,
    multistep,
    pseudo_huber,
    teacher_step,
)
from diffusion_lab.variants.edm import preconditioning

SCHEDULE, MEAN, VARIANCE = DiffusionSchedule.cosine(200), 0.7, 0.25
ABAR = SCHEDULE.alphas_cumprod
every_objective = pytest.mark.parametrize("objective", ["v", "flow"])


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def worst(a, b) -> float:
    return float((a - b).abs().max())


def end_of_path(x_t, t):
    """Where the probability flow of data N(MEAN, VARIANCE) ends: mean and standard deviation go along."""
    abar = ABAR[t].to(x_t).reshape(-1, *[1] * (x_t.ndim - 1))
    return MEAN + (x_t - abar.sqrt() * MEAN) * (VARIANCE / (abar * VARIANCE + 1 - abar)) ** 0.5


def denoiser_of(function, objective="v"):
    """A denoiser that says the x_0 of a function of (x_t, t), in the terms of an objective."""

    def denoiser(x_t, t):
        x_0 = function(x_t, t)
        return convert(x_0, x_t, t.clamp(min=1), SCHEDULE, "x0", objective)  # at t = 0 any answer will do

    denoiser.trained_objective = objective
    return denoiser


def mean_denoiser(objective="v"):
    mixture = dl.oracle.GaussianMixture([1.0], [[MEAN]], [[[VARIANCE]]])
    return mixture.denoiser(SCHEDULE, objective)


class Tiny(nn.Module):
    """A network that depends on x, t and the label."""

    null_label = 10

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(1, 16, 3, padding=1)
        self.out = nn.Conv2d(16, 1, 3, padding=1)
        self.label = nn.Embedding(11, 16)

    def forward(self, x_t, t, labels=None):
        labels = torch.full_like(t, 10) if labels is None else labels
        h = self.mix(x_t) + self.label(labels)[:, :, None, None] + torch.sin(t / 30).reshape(-1, 1, 1, 1)
        return self.out(torch.tanh(h))


@pytest.fixture
def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Tiny()


@every_objective
def test_boundary_holds_whatever_the_network_says(objective):
    x_0 = torch.randn(3, 1, 4, 4, generator=seeded())
    assert torch.equal(consistency_function(lambda x, t: 9 + x, x_0, 0, SCHEDULE, objective), x_0)
    later = consistency_function(lambda x, t: 9 + x, x_0, 1, SCHEDULE, objective)
    assert 0 < worst(later, x_0) < 1, "and soon after 0 the answer is still near it"


@pytest.mark.parametrize("objective", sorted(set(OBJECTIVES) - {"v", "flow"}))
def test_objectives_without_the_boundary_are_refused(objective):
    with pytest.raises(ValueError, match=f"objective='{objective}' is not known; choose one of: flow, v"):
        consistency_function(lambda x, t: x, torch.zeros(2, 1), 3, SCHEDULE, objective)


def test_the_scales_are_those_of_edm_and_of_song_with_data_of_variance_one():
    x_t, t = (
        torch.randn(6, 2, generator=seeded(), dtype=torch.float64),
        torch.tensor([1, 20, 80, 150, 190, 200]),
    )
    answer = torch.randn(6, 2, generator=seeded(1), dtype=torch.float64)
    alpha, sigma = SCHEDULE.alpha_sigma(t, x_t)
    c = preconditioning(sigma / alpha)
    found = consistency_function(lambda x, t: answer, x_t, t, SCHEDULE)
    assert worst(found, c.c_skip * x_t / alpha + c.c_out * -answer) < 1e-10
    ratio = (sigma / alpha) ** 2  # Song et al. 2023, appendix C, epsilon 0
    assert worst(c.c_skip, 1 / (ratio + 1)) < 1e-12
    assert worst(c.c_out, (ratio / (1 + ratio)).sqrt()) < 1e-12


@every_objective
def test_a_step_of_the_teacher_is_a_step_of_ddim_with_a_time_per_element(objective):
    teacher = mean_denoiser(objective)
    x = torch.randn(4, 1, generator=seeded(), dtype=torch.float64)
    times = sampling_times(SCHEDULE, 10)
    t, s = torch.tensor(times[2:6]), torch.tensor(times[3:7])
    reached = teacher_step(teacher, x, t, s, SCHEDULE, objective)
    for k in range(4):
        x_0, eps = dl.split(teacher(x, t[k].expand(4)), x, int(t[k]), SCHEDULE, objective)
        assert worst(reached[k], dl.sampling.rejoin(x_0, eps, int(t[k]), int(s[k]), SCHEDULE)[k]) < 1e-12
    assert worst(reached, teacher_step(teacher, x, t, t - 1, SCHEDULE, objective)) > 0.01


@pytest.mark.parametrize(("shape", "clip"), [((4, 1, 2, 2), True), ((4, 2), False)])
@pytest.mark.parametrize("t", [20, 150])
def test_the_teacher_of_images_is_kept_in_range_and_no_other(shape, clip, t):
    x = 3 * torch.randn(shape, generator=seeded())
    reached = teacher_step(
        lambda x, t: -9 * x, x, torch.full((4,), t), torch.zeros(4, dtype=torch.int64), SCHEDULE
    )
    assert (reached.abs().max() <= 1) == clip


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("t", "s", "match"),
    [
        ([20, 30], [10, 30], r"s must be earlier than t, element by element, got s=\[10, 30\], t=\[20, 30\]"),
        ([20, 30], [21, 10], "s must be earlier"),
        ([20, 30], [10, -1], "s must be at least 0, got -1 … 10"),
        ([20, 30], [10], "s must be earlier"),
        ([20, 201], [10, 10], "t must lie in 0 … 200"),
        ([20, 30, 40], [10, 10, 10], "t must be one time, or one per element of the batch of 2"),
    ],
)
def test_times_of_the_teacher_are_checked(t, s, match):
    with pytest.raises(ValueError, match=match):
        teacher_step(lambda x, t: x, torch.zeros(2, 1), torch.tensor(t), torch.tensor(s), SCHEDULE)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("t", [-1, 201, torch.tensor([3, 4, 5]), torch.tensor([[3], [4]])])
def test_times_of_a_consistency_function_are_checked_before_the_model_is_asked(t):
    with pytest.raises(ValueError, match="t must"):
        consistency_function(None, torch.zeros(2, 1), t, SCHEDULE)


def test_an_objective_that_is_not_the_models_is_refused(tiny):
    flow, t = mean_denoiser("flow"), torch.tensor([3, 4])
    with pytest.raises(ValueError, match="objective='v', but this model was trained with objective='flow'"):
        consistency_function(flow, torch.zeros(2, 1), t, SCHEDULE)
    with pytest.raises(ValueError, match="trained with objective='flow'"):
        teacher_step(flow, torch.zeros(2, 1), t, t - 1, SCHEDULE)
    with pytest.raises(ValueError, match="trained with objective='flow'"):
        next(distill(tiny, flow, SCHEDULE, [], num_steps=1))
    assert not hasattr(tiny, "trained_objective")
    tiny.trained_objective = "flow"
    with pytest.raises(ValueError, match="trained with objective='flow'"):
        next(distill(tiny, mean_denoiser("v"), SCHEDULE, [], num_steps=1))


def test_pseudo_huber_is_round_at_zero_and_a_length_far_away():
    d = torch.zeros(3, 1, 28, 28, requires_grad=True)
    loss = pseudo_huber(d)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    assert not d.grad.any(), "a length itself has no gradient at 0"
    far = torch.full((2, 1, 28, 28), 0.5)
    assert pseudo_huber(far).tolist() == pytest.approx([14 - 28 * 0.00054] * 2, abs=1e-4)
    mixed = pseudo_huber(torch.stack([far[0], 2 * far[0]]))
    assert mixed[1] / mixed[0] == pytest.approx(2, rel=0.01), "a square would give 4"


@pytest.mark.parametrize("softness", [0, -0.1, float("nan"), float("inf")])
@pytest.mark.usefixtures("unchecked")
def test_softness_is_more_than_zero(softness):
    with pytest.raises(ValueError, match=f"softness must be finite and more than 0, got {softness}"):
        pseudo_huber(torch.zeros(2, 3), softness)


@every_objective
def test_the_true_end_of_the_path_has_almost_no_loss_and_the_mean_guess_has(objective):
    """Teacher: the exact denoiser. The end of its path is consistent, up to the error of one step of DDIM."""
    x_0 = MEAN + VARIANCE**0.5 * torch.randn(4000, 1, generator=seeded(), dtype=torch.float64)
    t = torch.full((4000,), 150)
    options = {"objective": objective, "generator": seeded(1)}

    def loss(function, s=140):
        answer = denoiser_of(function, objective)
        return distillation_loss(
            answer, answer, mean_denoiser(objective), x_0, t, torch.full((4000,), s), SCHEDULE, **options
        ).mean()

    assert loss(end_of_path) < 0.02
    assert loss(end_of_path, 149) < 0.2 * loss(end_of_path, 130), (
        "smaller steps of the teacher, smaller error"
    )
    mean_guess = mean_denoiser("x0")
    assert loss(lambda x, t: mean_guess(x, t.clamp(min=1))) > 3 * loss(end_of_path)
    assert loss(lambda x, t: end_of_path(x, (t - 20).clamp(min=1))) > 1.5 * loss(end_of_path), (
        "a wrong time would pass"
    )


def test_no_gradient_goes_through_the_target_or_the_teacher(tiny):
    target, teacher = copy.deepcopy(tiny), copy.deepcopy(tiny)
    x_0, t = torch.rand(3, 1, 4, 4, generator=seeded()) * 2 - 1, torch.tensor([200, 100, 50])
    labels = torch.tensor([1, 2, 3])
    distillation_loss(
        tiny, target, teacher, x_0, t, t - 50, SCHEDULE, generator=seeded(), labels=labels
    ).mean().backward()
    assert all(p.grad is not None for p in tiny.parameters())
    assert all(p.grad is None for net in (target, teacher) for p in net.parameters())


def test_at_the_end_the_target_is_what_the_teacher_reached(tiny):
    x_0, noise = torch.rand(2, 3, 1, 4, 4, generator=seeded()) * 2 - 1
    t, s = torch.full((3,), 40), torch.zeros(3, dtype=torch.int64)
    x_t = SCHEDULE.add_noise(x_0, t, noise)
    wanted = teacher_step(tiny, x_t, t, s, SCHEDULE)
    by_hand = pseudo_huber(consistency_function(tiny, x_t, t, SCHEDULE) - wanted)
    for target in (tiny, lambda x, t: 9 + x):
        found = distillation_loss(tiny, target, tiny, x_0, t, s, SCHEDULE, noise=noise)
        torch.testing.assert_close(found, by_hand)


class Affine(nn.Module):
    """Says v = a(t) x + b(t), with a table of a and b: enough for Gaussian data."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(SCHEDULE.timesteps + 1, 2))

    def forward(self, x_t, t, labels=None):
        a, b = self.table[t].T.reshape(2, -1, *[1] * (x_t.ndim - 1))
        return a * x_t + b


def test_distillation_learns_the_end_of_the_path_and_not_the_mean():
    """A student that begins as the exact denoiser ends near the exact flow, and far from where it began."""

    def as_v(function):
        net = Affine()
        one, zero = torch.ones(201, 1, dtype=torch.float64), torch.zeros(201, 1, dtype=torch.float64)
        t = torch.arange(201)
        answers = [
            convert(function(x, t.clamp(min=1)), x, t.clamp(min=1), SCHEDULE, "x0", "v") for x in (zero, one)
        ]
        net.table.data.copy_(torch.cat([answers[1] - answers[0], answers[0]], dim=1))
        return net

    exact = mean_denoiser("x0")
    teacher, ideal = as_v(exact), as_v(end_of_path)
    student = copy.deepcopy(teacher)
    x_0 = MEAN + VARIANCE**0.5 * torch.randn(4096, 1, generator=seeded())
    batches = dl.data.loader(x_0, torch.zeros(4096, dtype=torch.int64), batch_size=256)
    options = {"num_steps": 600, "levels": 10, "learning_rate": 0.05, "generator": seeded(1)}
    *_, last = distill(student, teacher, SCHEDULE, batches, **options)
    assert last.index == 600
    x, x_T = torch.linspace(-2, 2, 9)[:, None], torch.randn(4000, 1, generator=seeded())
    with torch.no_grad():
        for t in sampling_times(SCHEDULE, 10)[:6]:
            wanted, before, learned = (
                consistency_function(net, x, t, SCHEDULE) for net in (ideal, teacher, last.ema)
            )
            assert worst(learned, wanted) < 0.35 * worst(before, wanted), t
    *_, drawn = multistep(last.ema, SCHEDULE, x_T)
    *_, path = ddim(teacher, SCHEDULE, x_T, num_steps=10)
    *_, blurred = multistep(teacher, SCHEDULE, x_T)
    assert float(drawn.x_t.var()) == pytest.approx(float(path.x_t.var()), rel=0.1)
    assert float(blurred.x_t.var()) < 0.02 * VARIANCE, "one step of the teacher gives the mean to all"


def test_distill_repeats_leaves_the_teacher_and_averages(tiny):
    images = torch.rand(32, 1, 4, 4, generator=seeded()) * 2 - 1
    labels = torch.arange(32) % 10

    def run(seed):
        student, teacher = copy.deepcopy(tiny), copy.deepcopy(tiny)
        batches = dl.data.loader(images, labels, batch_size=8)
        steps = list(distill(student, teacher, SCHEDULE, batches, num_steps=6, generator=seeded(seed)))
        assert [step.index for step in steps] == [1, 2, 3, 4, 5, 6], "over the end of a pass through the data"
        assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), tiny.parameters(), strict=True))
        assert not any(p.requires_grad for p in steps[-1].ema.parameters())
        assert student.trained_objective == steps[-1].ema.trained_objective == "v"
        return student.mix.weight, steps[-1].ema.mix.weight, [step.loss for step in steps]

    first, again, other = run(1), run(1), run(2)
    assert torch.equal(first[0], again[0])
    assert first[2] == again[2]
    assert not torch.equal(first[0], other[0])
    assert 0 < worst(first[0], first[1]) < worst(first[0], tiny.mix.weight), "the average lags behind"


@pytest.mark.parametrize("stop", [2, 4, 5])
@pytest.mark.parametrize("options", [{}, {"optimizer": "adamw"}, {"bfloat16": True}], ids=str)
def test_a_distillation_resumes_bit_for_bit(tiny, tmp_path, options, stop):
    """Four batches make a pass: it stops within one, at its end, and within the next."""
    images = torch.rand(32, 1, 4, 4, generator=seeded()) * 2 - 1
    teacher = copy.deepcopy(tiny)

    def start(seed, **more):
        batches = dl.data.loader(images, torch.arange(32) % 10, batch_size=8, generator=seeded(seed + 100))
        student = copy.deepcopy(tiny)
        return distill(
            student, teacher, SCHEDULE, batches, num_steps=7, generator=seeded(seed), **options, **more
        )

    losses = []
    for step in start(1):
        losses.append(step.loss)
        if step.index == stop:
            step.save(tmp_path / "checkpoint.pt")
    resumed = []
    for again in start(2, resume=tmp_path / "checkpoint.pt"):
        resumed.append(again.loss)
    assert resumed == losses[stop:]
    for network in ("model", "ema"):
        whole, in_two = (getattr(end.state, network).parameters() for end in (step, again))
        assert all(map(torch.equal, whole, in_two))
    *_, other = start(2)
    assert other.loss != again.loss, "a seed that does nothing would pass"


@pytest.mark.parametrize(("options", "expected"), [({}, "muon"), ({"optimizer": "adamw"}, "adamw")])
def test_the_optimizer_of_a_distillation_is_the_one_that_was_asked_for(tiny, options, expected):
    batches = [(torch.zeros(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64))]
    step = next(distill(tiny, copy.deepcopy(tiny), SCHEDULE, batches, num_steps=1, **options))
    assert type(step.state.optimizer) is OPTIMIZERS[expected]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_steps": 0}, "num_steps"),
        ({"levels": 0}, "levels must lie in 1 … 200, got 0"),
        ({"levels": 201}, "levels"),
        ({"ema_decay": 1.5}, "ema_decay"),
        ({"objective": "eps"}, "objective='eps'"),
    ],
)
def test_bad_input_is_refused_by_name(tiny, options, match):
    batches = dl.data.loader(torch.zeros(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64), batch_size=8)
    with pytest.raises(ValueError, match=match):
        next(distill(tiny, tiny, SCHEDULE, batches, **{"num_steps": 2, "generator": seeded(), **options}))


@pytest.mark.parametrize("passes", [0, 1])
def test_an_empty_or_used_up_loader_is_refused_and_not_waited_for(tiny, passes):
    batches = iter([(torch.zeros(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64))] * passes)
    steps = distill(tiny, copy.deepcopy(tiny), SCHEDULE, batches, num_steps=3)
    assert [next(steps).index for _ in range(passes)] == [1] * passes
    with pytest.raises(ValueError, match="loader is empty: it gave no batch"):
        next(steps)


def test_the_average_follows_closely_at_first(tiny):
    """After one step from w_0 to w_1 it is (w_0 + 10 w_1) / 11, however slow `ema_decay` is."""
    batches = dl.data.loader(torch.zeros(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64), batch_size=8)
    teacher, before = copy.deepcopy(tiny), tiny.out.weight.detach().clone()
    step = next(distill(tiny, teacher, SCHEDULE, batches, num_steps=1, ema_decay=0.999, generator=seeded()))
    moved = tiny.out.weight.detach()
    assert worst(moved, before) > 1e-5
    torch.testing.assert_close(step.ema.out.weight - before, 10 / 11 * (moved - before), rtol=1e-2, atol=1e-7)


def test_multistep_noises_the_answer_anew():
    answer = denoiser_of(end_of_path)
    x_T = torch.randn(5, 1, generator=seeded(), dtype=torch.float64)
    states = list(multistep(answer, SCHEDULE, x_T, num_steps=4, generator=seeded(1)))
    assert [state.t for state in states] == sampling_times(SCHEDULE, 4)[1:]
    x, dice = x_T, seeded(1)
    for t, state in zip(sampling_times(SCHEDULE, 4), states, strict=False):
        x_0 = end_of_path(x, torch.full((5,), t))
        assert worst(state.x_0_hat, x_0) < 1e-10
        x = SCHEDULE.add_noise(x_0, state.t, generator=dice)
        assert worst(state.x_t, x) < 1e-10
    assert torch.equal(states[-1].x_t, states[-1].x_0_hat)


@pytest.mark.parametrize("num_steps", [1, 2, 4])
def test_an_exact_consistency_function_draws_the_data_in_any_number_of_steps(num_steps):
    x_T = torch.randn(40_000, 1, generator=seeded(), dtype=torch.float64)
    *_, state = multistep(denoiser_of(end_of_path), SCHEDULE, x_T, num_steps=num_steps, generator=seeded(1))
    assert float(state.x_t.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(state.x_t.var()) == pytest.approx(VARIANCE, abs=0.02)
    *_, plain = ddim(mean_denoiser(), SCHEDULE, x_T, num_steps=num_steps)
    assert float(plain.x_t.var()) < 0.8 * VARIANCE, (
        "a denoiser, which gives the mean, draws too little variety"
    )


def test_express_of_the_boundary_is_used_by_both_objectives():
    """c_skip and c_out of flow are those of v for another network: the same x_0 must come out of the same pair."""
    x_0, eps = torch.randn(2, 5, 2, generator=seeded(), dtype=torch.float64)
    t = torch.tensor([10, 60, 110, 160, 200])
    x_t = SCHEDULE.add_noise(x_0, t, eps)
    for objective in ("v", "flow"):
        answer = express(x_0, eps, t, SCHEDULE, objective)
        assert (
            worst(consistency_function(lambda x, t, answer=answer: answer, x_t, t, SCHEDULE, objective), x_0)
            < 1e-10
        )
