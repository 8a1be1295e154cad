"""Checks of exercise 01, forward noising: the lesson's equations, in a batch where every picture has its own t."""

import torch

from diffusion_lab.bench import sliders
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import (
    BATCH_OF_ONE,
    FLOAT64,
    NOT_SQUARE,
    REAL_PICTURES,
    T_IS_LAST,
    T_IS_ONE,
    T_IS_ZERO,
    VERY_LARGE,
    border,
)
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.schedules import DiffusionSchedule

exercise = Exercise("01", "Forward noising")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

FIVE = DiffusionSchedule(5, 0.1, 0.5)  # so short and steep that an index off by one shows
LONG = DiffusionSchedule.cosine(120)
BATCHES = ("01", "4. All steps at once")  # where it says that every picture has its own t
ROOTS = "beta and 1 - beta are variances; noise and picture are multiplied by their square roots"


def _batches(draw, lowest):
    """Pictures, times, noise: a batch as long as the pictures are wide, one with channels, one without T."""
    yield draw.normal(5, 1, 5, 5), draw.shuffled(range(1, 6)), draw.normal(5, 1, 5, 5)
    yield draw.normal(3, 2, 4, 6), draw.shuffled((2, 3, 5)), draw.normal(3, 2, 4, 6)
    yield draw.normal(2, 1, 3, 3), torch.tensor([4, lowest]), draw.normal(2, 1, 3, 3)
    yield draw.normal(1, 2, 3, 3), torch.tensor([3]), draw.normal(1, 2, 3, 3)
    yield 100 * draw.normal(2, 1, 3, 3), torch.tensor([2, 4]), draw.normal(2, 1, 3, 3)
    yield pictures.digits(4), draw.shuffled((1, 2, 4, 5)), draw.normal(4, 1, 28, 28)


def _at(table, t, shape=(-1, 1, 1, 1)):
    return table[t].reshape(shape)


def _roots(variance):
    """Scales of picture and noise, if the noise is to have this variance."""
    return (1 - variance).sqrt(), variance.sqrt()


def _unrooted(variance):
    """The same with one of the roots, or both, forgotten."""
    keep, add = 1 - variance, variance
    return [(keep.sqrt(), add), (keep, add.sqrt()), (keep, add)]


def _shrunk_after(variance):
    """Scales, if the noise is added first and then shrunk with the picture."""
    keep, add = _roots(variance)
    return keep, keep * add


def _piled_up(x, t, noise, betas):
    """All steps up to t, with the same noise in each."""
    for step in range(1, len(betas)):
        keep, add = _roots(betas[step])
        x = torch.where(_at(t >= step, slice(None)), keep * x + add * noise, x)
    return x


# 1.1


@exercise.guess(
    "1.1",
    "how much is left of the signal",
    1,
    "4. All steps at once",
    hints=(
        "Leave the noise out of equation (1), since its mean is 0. What does one step multiply the mean by?",
        "Step t multiplies it by sqrt(1 - beta_t). Five steps multiply it by five such roots.",
        (
            "The product of the roots is the root of 0.9 × 0.8 × 0.7 × 0.6 × 0.5, and that product is about"
            " 0.15."
        ),
    ),
)
def signal_left():
    """Mean of numbers that began at 1, after five steps with betas 0.1 … 0.5; between these it is right."""
    return 0.34, 0.44


signal_left.wrong(
    "variance-as-std", lambda: (0.12, 0.18), sentence="that is alpha bar; its square root is wanted"
)
signal_left.wrong(
    "alpha-for-alphabar",
    lambda: (0.68, 0.73),
    sentence="that is the root of 0.5, the last step alone; there are five",
)
signal_left.wrong(
    "index-shift", lambda: (0.53, 0.57), sentence="that is the mean after four steps; five are taken"
)
signal_left.wrong(
    "no-shrinking", lambda: (0.99, 1.01), sentence="the noise has mean 0, but every step shrinks the rest"
)
signal_left.wrong(
    "cumsum-for-cumprod",
    lambda: (0.462, 0.482),
    lambda: (0.218, 0.228),
    sentence="that is exp(-sum of the betas), or its root; such large betas want the product itself",
)
signal_left.wrong(
    "cumsum-for-cumprod",
    lambda: (-0.51, -0.49),
    lambda: (0.24, 0.26),
    sentence="the losses were subtracted, one after the other; what is left has to be multiplied",
)
signal_left.wrong(
    "beta-for-alpha",
    lambda: (0.033, 0.036),
    lambda: (0.001, 0.0014),
    sentence="betas or their roots were multiplied, the share of the noise; multiply the roots of 1 - beta",
)
signal_left.wrong(
    "one-minus-root",
    lambda: (0.017, 0.0195),
    sentence="that multiplies 1 - sqrt(beta); each step leaves sqrt(1 - beta)",
)
signal_left.wrong(
    "not-iterated",
    lambda: (0.828, 0.84),
    sentence="that is what one average step leaves, of beta 0.3; there are five",
)
signal_left.wrong("noise-only", lambda: (-0.02, 0.02))
signal_left.wrong(
    "swapped-scales",
    lambda: (0.84, 0.86),
    sentence="that is 1 - alpha bar, the variance of the noise; the mean is what is left of the signal",
)
signal_left.wrong(
    "swapped-scales", lambda: (0.91, 0.93), sentence="that is the scale of the noise; the mean is signal"
)


@signal_left.numbers
def _(_guess, draw):
    x = torch.ones(20_000)
    for beta in FIVE.betas[1:]:
        x = (1 - beta).sqrt() * x + beta.sqrt() * draw.normal(20_000)
    return {"measured with 20,000 numbers, mean": x.mean(), "variance": x.var()}


# 1.2


@exercise.task(
    "1.2",
    "one step, each picture at its own $t$",
    2,
    "1. One step",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
        VERY_LARGE,
    ),
    hints=(
        (
            "`schedule.betas[t]` has shape (B,), one number per picture. Which shape multiplies a batch"
            " picture by picture?"
        ),
        "`.reshape(-1, 1, 1, 1)` makes (B, 1, 1, 1) of it.",
        "With that beta, equation (1) as it stands: (1 - beta).sqrt() * x_prev + beta.sqrt() * noise.",
    ),
)
def forward_step(x_prev, t, schedule, noise):
    """x_t from x_{t-1}, (B, C, H, W), and t, (B,)."""
    keep, add = _roots(_at(schedule.betas, t))
    return keep * x_prev + add * noise


@forward_step.cases
def _(draw):
    for x_prev, t, noise in _batches(draw, lowest=1):
        yield x_prev, t, FIVE, noise


@forward_step.numbers
def _(step, draw):
    x = step(draw.normal(8, 1, 10, 10) * 0.5 + 1, draw.integers(1, 5, 8), FIVE, draw.normal(8, 1, 10, 10))
    return {"your x_t of eight pictures, mean": x.mean(), "variance": x.var()}


@forward_step.holds
def _(step, draw):
    x = step(draw.normal(1000, 1, 4, 4), torch.full((1000,), 5), FIVE, draw.normal(1000, 1, 4, 4))
    if abs(x.var() - 1) > 0.1:
        return f"pictures of variance 1 should keep it; after step 5 of yours they have {x.var():.3f}"


def _step(scales):
    """A step with other scales: a function of (schedule, t)."""

    def step(x_prev, t, schedule, noise):
        keep, add = scales(schedule, t)
        return keep * x_prev + add * noise

    return step


def _step_shaped(*shape):
    return _step(lambda schedule, t: _roots(_at(schedule.betas, t, shape)))


for _k in range(3):
    _wrong = _step(lambda schedule, t, k=_k: _unrooted(_at(schedule.betas, t))[k])
    forward_step.wrong("variance-as-std", _wrong, sentence=ROOTS)
forward_step.wrong("swapped-scales", _step(lambda schedule, t: _roots(_at(schedule.betas, t))[::-1]))
forward_step.wrong(
    "one-minus-root",
    _step(lambda schedule, t: (1 - _at(schedule.betas, t).sqrt(), _at(schedule.betas, t).sqrt())),
    sentence="1 - sqrt(beta) scales the picture; sqrt(1 - beta) is wanted",
)
forward_step.wrong(
    "one-minus-root",
    _step(lambda schedule, t: (_roots(_at(schedule.betas, t))[0], 1 - _roots(_at(schedule.betas, t))[0])),
    sentence="1 - sqrt(1 - beta) scales the noise; sqrt(beta) is wanted",
)
forward_step.wrong(
    "noise-shrunk-too",
    _step(lambda schedule, t: _shrunk_after(_at(schedule.betas, t))),
)
forward_step.wrong(
    "noise-forgotten",
    _step(lambda schedule, t: (1, 0)),
    sentence="the picture came back as it was, with no noise; if you have used beta, was it cut to a whole number?",
)
forward_step.wrong(
    "noise-reused",
    lambda x_prev, t, schedule, noise: _piled_up(x_prev, t, noise, schedule.betas),
    sentence="all steps up to t were taken, each with the same noise; only step t is wanted",
)
forward_step.wrong("no-shrinking", _step(lambda schedule, t: (1, _at(schedule.betas, t).sqrt())))
forward_step.wrong("index-shift", _step(lambda schedule, t: _roots(_at(schedule.betas, t - 1))))
forward_step.wrong("index-shift", _step(lambda schedule, t: _roots(_at(schedule.betas, t + 1))))
forward_step.wrong(
    "alphabar-for-alpha", _step(lambda schedule, t: _roots(1 - _at(schedule.alphas_cumprod, t)))
)
forward_step.wrong("shared-t", _step(lambda schedule, t: _roots(schedule.betas[t[0]])))
forward_step.wrong(
    "misbroadcast-t", _step_shaped(-1), _step_shaped(-1, 1), _step_shaped(-1, 1, 1), at=BATCHES
)


@forward_step.probe("draws-own-noise")
def _(step, draw):
    x_prev, t, noise = next(_batches(draw, lowest=1))
    return bool((step(x_prev, t, FIVE, noise) != step(x_prev, t, FIVE, noise)).any())


# 1.3


@exercise.task(
    "1.3",
    "all steps at once",
    3,
    "4. All steps at once",
    ends=(
        T_IS_ZERO,
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
        VERY_LARGE,
        FLOAT64,
    ),
    without=("diffusion_lab.schedules:DiffusionSchedule.add_noise",),
    hints=(
        (
            "You are given betas only. Which table of equation (2) comes first, and which function of torch"
            " multiplies up?"
        ),
        (
            "`torch.cumprod(1 - betas, dim=0)[t]` is alpha bar, one per picture. Give it the shape that you"
            " gave beta in 1.2."
        ),
        "Equation (3): alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise.",
    ),
)
def add_noise(x_0, t, noise, betas):
    """x_t from x_0, (B, C, H, W), t, (B,), and the table of betas, (T+1,)."""
    keep, add = _roots(1 - _at((1 - betas).cumprod(0), t))
    return keep * x_0 + add * noise


@add_noise.cases
def _(draw):
    for x_0, t, noise in _batches(draw, lowest=0):
        yield x_0, t, noise, FIVE.betas


@add_noise.numbers
def _(add, draw):
    x = add(
        draw.normal(8, 1, 10, 10) * 0.5 + 1, draw.integers(0, 5, 8), draw.normal(8, 1, 10, 10), FIVE.betas
    )
    return {"your x_t of eight pictures, mean": x.mean(), "variance": x.var()}


@add_noise.holds
def _(add, draw):
    x_0 = draw.normal(2, 1, 4, 4)
    if bool(
        (add(x_0, torch.zeros(2, dtype=torch.long), draw.normal(2, 1, 4, 4), FIVE.betas) - x_0).abs().max()
        > 1e-3
    ):
        return "at t = 0 nothing has happened yet, but your result there is not x_0"


def _jump(scales):
    """A jump with other scales: a function of (betas, t)."""

    def jump(x_0, t, noise, betas):
        keep, add = scales(betas, t)
        return keep * x_0 + add * noise

    return jump


def _bar(betas):
    return (1 - betas).cumprod(0)


def _with_noise_from(variance, other):
    """The scale of the picture as it should be, and that of the noise from another variance."""
    return _roots(variance)[0], other.sqrt()


def _sum_of(betas, t, k):
    """The variances of the steps up to t, added up as they are, or capped at 1."""
    total = _at(betas.cumsum(0), t)
    return total if k == 0 else total.clamp(max=1)


def _with_product_of_betas(betas, t, first, k):
    """The product of betas for that of 1 - beta: in both scales, or as the variance of the noise."""
    products = betas[1:].cumprod(0)
    table = products if first is None else torch.cat([first + 0 * betas[:1], products])
    bar = _at(table, t - 1 if first is None else t)
    return [_roots(1 - bar), _roots(bar), _with_noise_from(1 - _at(_bar(betas), t), bar)][k]


def _jump_shaped(*shape):
    return _jump(lambda betas, t: _roots(1 - _at(_bar(betas), t, shape)))


for _k in range(3):
    _wrong = _jump(lambda betas, t, k=_k: _unrooted(1 - _at(_bar(betas), t))[k])
    add_noise.wrong("variance-as-std", _wrong, sentence=ROOTS.replace("beta", "alpha bar"))
add_noise.wrong(
    "one-minus-root", _jump(lambda betas, t: (_at(_bar(betas), t).sqrt(), 1 - _at(_bar(betas), t).sqrt()))
)
add_noise.wrong(
    "one-minus-root",
    _jump(lambda betas, t: (_at(_bar(betas), t).sqrt(), (1 - _at(_bar(betas), t).sqrt()).sqrt())),
    sentence="sqrt(1 - sqrt(alpha bar)) scales the noise, a root too many; sqrt(1 - alpha bar) is wanted",
)
add_noise.wrong("swapped-scales", _jump(lambda betas, t: _roots(_at(_bar(betas), t))))
add_noise.wrong("no-shrinking", _jump(lambda betas, t: (1, (1 - _at(_bar(betas), t)).sqrt())))
add_noise.wrong("alpha-for-alphabar", _jump(lambda betas, t: _roots(_at(betas, t))))
add_noise.wrong(
    "alpha-for-alphabar",
    _jump(lambda betas, t: (_at(_bar(betas), t).sqrt(), _at(betas, t).sqrt())),
    _jump(lambda betas, t: ((1 - _at(betas, t)).sqrt(), (1 - _at(_bar(betas), t)).sqrt())),
    sentence=(
        "in one of the two places 1 - beta of step t was used; the product of all up to t is wanted in both"
    ),
)
add_noise.wrong(
    "picked-too-early", _jump(lambda betas, t: _roots(1 - _at((1 - betas[t]).cumprod(0), slice(None))))
)
add_noise.wrong("beta-for-alpha", _jump(lambda betas, t: _roots(1 - _at(betas.cumprod(0), t))))
add_noise.wrong("cumsum-for-cumprod", _jump(lambda betas, t: _roots(_at(betas.cumsum(0), t))))
add_noise.wrong("cumsum-for-cumprod", _jump(lambda betas, t: _roots(_at(betas.cumsum(0), t).clamp(max=1))))
add_noise.wrong(
    "beta-for-alpha",
    *(
        _jump(lambda betas, t, first=first, k=k: _with_product_of_betas(betas, t, first, k))
        for first in (0, 1, None)
        for k in range(3)
    ),
)
add_noise.wrong(
    "cumsum-for-cumprod",
    *(
        _jump(lambda betas, t, k=k: _with_noise_from(1 - _at(_bar(betas), t), _sum_of(betas, t, k)))
        for k in range(2)
    ),
    sentence="the variances of the steps were added; old noise shrinks in every step, so use 1 - alpha bar",
)
add_noise.wrong(
    "noise-reused",
    _piled_up,
    sentence="all steps were taken, each with the same noise, which piles up; equation (3) takes one jump",
)
add_noise.wrong(
    "noise-shrunk-too",
    _jump(lambda betas, t: _shrunk_after(1 - _at(_bar(betas), t))),
)
add_noise.wrong(
    "shared-t",
    lambda x_0, t, noise, betas: x_0 if bool((t == 0).any()) else add_noise.rights[""](x_0, t, noise, betas),
    sentence="one picture at t = 0 made the whole batch come back clean; each picture has its own t",
)
add_noise.wrong(
    "shared-t",
    _jump(lambda betas, t: _roots(1 - _bar(betas)[t].mean())),
    _jump(lambda betas, t: tuple(scale.mean() for scale in _roots(1 - _bar(betas)[t]))),
    sentence="the mean of all alpha bars in the batch was used for every picture; each has its own",
)
add_noise.wrong(
    "endpoint-missed",
    _jump(lambda betas, t: _roots(1 - _at(_bar(betas), t.clamp(min=1)))),
    sentence="t = 0 was read as t = 1; at t = 0 nothing has happened yet, and alpha bar is 1",
)
add_noise.wrong("index-shift", _jump(lambda betas, t: _roots(1 - _at(_bar(betas), t - 1))))
add_noise.wrong("index-shift", _jump(lambda betas, t: _roots(1 - _at(_bar(betas), (t - 1).clamp(min=0)))))
add_noise.wrong("index-shift", _jump(lambda betas, t: _roots(1 - _at(_bar(betas), t + 1))))
add_noise.wrong("index-shift", _jump(lambda betas, t: _roots(1 - _at(_bar(betas[1:]), t))))
add_noise.wrong(
    "index-shift",
    _jump(lambda betas, t: _roots(1 - _at(_bar(betas[1:]), t - 1))),
    sentence="right from t = 1 on, but at t = 0 the index is -1, which reads the last entry",
)
add_noise.wrong("shared-t", _jump(lambda betas, t: _roots(1 - _bar(betas)[t[0]])))
add_noise.wrong("misbroadcast-t", _jump_shaped(-1), _jump_shaped(-1, 1), _jump_shaped(-1, 1, 1))


@add_noise.probe("draws-own-noise")
def _(add, draw):
    x_0, t, noise = next(_batches(draw, lowest=0))
    return bool((add(x_0, t, noise, FIVE.betas) != add(x_0, t, noise, FIVE.betas)).any())


# 1.4

ONE_STEP = border("in a walk of one step", lambda x_0, noises, betas: len(noises) == 1)


def _walk(
    betas_at=lambda betas, t: betas[t], noise_at=lambda noises, t: noises[t - 1], scales=_roots, start=None
):
    """A walk with something changed: the beta or the noise of step t, the scales, or where each step starts."""

    def walk(x_0, noises, betas):
        path = [x_0]
        for t in range(1, len(noises) + 1):
            keep, add = scales(betas_at(betas, t))
            path.append(keep * (path[-1] if start is None else x_0) + add * noise_at(noises, t))
        return torch.stack(path)

    return walk


@exercise.task(
    "1.4",
    "the whole walk, step by step",
    3,
    "1. One step",
    ends=(
        ONE_STEP,
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
        FLOAT64,
    ),
    hints=(
        (
            "Keep a list that begins with x_0, and add one new picture to it at each step. `torch.stack`"
            " makes a tensor of it."
        ),
        (
            "`for t in range(1, len(noises) + 1)`: step t goes from the last entry, with betas[t] and"
            " noises[t - 1]."
        ),
        (
            "In the loop: x = (1 - betas[t]).sqrt() * x + betas[t].sqrt() * noises[t - 1], a new tensor, then"
            " path.append(x)."
        ),
    ),
)
def walk(x_0, noises, betas):
    """x_0 … x_T, (T+1, B, C, H, W), from x_0, (B, C, H, W), noises, (T, B, C, H, W), and betas, (T+1,)."""
    return _walk()(x_0, noises, betas)


@walk.cases
def _(draw):
    yield draw.normal(3, 1, 4, 4), draw.normal(5, 3, 1, 4, 4), FIVE.betas
    yield (
        draw.normal(2, 2, 3, 5),
        draw.normal(3, 2, 2, 3, 5),
        DiffusionSchedule.from_betas([0.4, 0.1, 0.6]).betas,
    )
    yield draw.normal(1, 1, 3, 3), draw.normal(5, 1, 1, 3, 3), FIVE.betas
    yield draw.normal(2, 1, 3, 3), draw.normal(1, 2, 1, 3, 3), DiffusionSchedule.from_betas([0.3]).betas
    yield pictures.digits(2), draw.normal(2, 2, 1, 28, 28), DiffusionSchedule.from_betas([0.2, 0.4]).betas


@walk.numbers
def _(walk, draw):
    path = walk(draw.normal(50, 1, 4, 4) * 0.5 + 1, draw.normal(5, 50, 1, 4, 4), FIVE.betas)
    return {"mean of x_2": path[2].mean(), "of x_5": path[5].mean(), "variance of x_5": path[5].var()}


@walk.holds
def _(walk, draw):
    path = walk(draw.normal(1000, 1, 4, 4), draw.normal(5, 1000, 1, 4, 4), FIVE.betas)
    if abs(path[-1].var() - 1) > 0.1:
        return (
            f"pictures of variance 1 should keep it; at the end of your walk they have {path[-1].var():.3f}"
        )


def _cut(part):
    return lambda x_0, noises, betas: _walk()(x_0, noises, betas)[part]


def _clipped_walk(low):
    def walk(x_0, noises, betas):
        path = [x_0]
        for t in range(1, len(noises) + 1):
            keep, add = _roots(betas[t])
            path.append((keep * path[-1] + add * noises[t - 1]).clamp(low, 1))
        return torch.stack(path)

    return walk


def _walk_of_sums(is_scaled):
    """Each frame made of x_0 and the sum of all noises so far, brought to variance 1 or not."""

    def walk(x_0, noises, betas):
        path = [x_0]
        for t in range(1, len(noises) + 1):
            keep, add = _roots(1 - _bar(betas)[t])
            total = noises[:t].sum(0)
            path.append(keep * x_0 + add * (total / t**0.5 if is_scaled else total))
        return torch.stack(path)

    return walk


def _aliased(begin):
    def walk(x_0, noises, betas):
        path = _walk()(x_0, noises, betas)
        path[begin:] = path[-1].clone()
        return path

    return walk


for _k in range(3):
    walk.wrong("variance-as-std", _walk(scales=lambda variance, k=_k: _unrooted(variance)[k]), sentence=ROOTS)
walk.wrong("swapped-scales", _walk(scales=lambda variance: _roots(variance)[::-1]))
walk.wrong("noise-shrunk-too", _walk(scales=_shrunk_after))
walk.wrong(
    "one-minus-root",
    _walk(scales=lambda variance: (1 - variance.sqrt(), variance.sqrt())),
    sentence="1 - sqrt(beta) scales the picture; sqrt(1 - beta) is wanted",
)
for _low in (-1, 0):
    walk.wrong(
        "result-clipped",
        _clipped_walk(_low),
        sentence=f"every frame was clipped to [{_low}, 1], and the walk went on from the clipped one",
    )
walk.wrong("noises-alike", _walk_of_sums(True), _walk_of_sums(False))
walk.wrong("no-shrinking", _walk(scales=lambda variance: (1, variance.sqrt())))
walk.wrong("index-shift", _walk(betas_at=lambda betas, t: betas[t - 1]))
walk.wrong("alphabar-for-alpha", _walk(betas_at=lambda betas, t: 1 - _bar(betas)[t]))
walk.wrong(
    "noise-reused", _walk(noise_at=lambda noises, t: noises[0]), _walk(noise_at=lambda noises, t: noises[-1])
)
walk.wrong("endpoint-missed", _cut(slice(1, None)), _cut(slice(None, -1)), _cut(slice(1, -1)))
walk.wrong(
    "not-iterated", _walk(start="x_0"), _walk(start="x_0", betas_at=lambda betas, t: 1 - _bar(betas)[t])
)
walk.wrong("aliased-states", _aliased(0), _aliased(1))

# 1.5

exercise.explain("1.5", "why the square roots, in a sentence")

# 1.6


ONE_TIME = border("with T = 1", lambda x_0, noise, schedule, show: schedule.timesteps == 1)


def _scrubbed(place=lambda t, timesteps: t, picture=DiffusionSchedule.add_noise):
    """A scrubber with something changed: the t that is shown at place t, or how x_t is made."""

    def scrubber(x_0, noise, schedule, _show):
        times = range(schedule.timesteps + 1)
        pictures = [picture(schedule, x_0, place(t, schedule.timesteps), noise) for t in times]
        return sliders.right_report(schedule).pack(), torch.cat(pictures)

    return sliders.formula(scrubber)


@exercise.task(
    "1.6",
    "build a scrubber",
    2,
    "6. Handwritten digits",
    prepare=sliders.played,
    results=("what the slider does", "what is shown at t = 0 … T"),
    ends=(NOT_SQUARE, ONE_TIME),
    hints=(
        (
            "`ipywidgets.interactive(f, t=(0, 10))` gives a widget: a slider from 0 to 10, and below it what"
            " f(t) draws."
        ),
        (
            "Write a function of t inside of `my_scrubber`. It makes x_t with `schedule.add_noise(x_0, t,"
            " noise)` and hands it to `show`."
        ),
        "return ipywidgets.interactive(show_at, t=(0, schedule.timesteps)), where show_at is that function.",
    ),
)
@sliders.formula
def scrubber(x_0, noise, schedule, show):
    """A slider for t = 0 … T, and below it x_t, drawn by show(x_t); x_0 and noise have the shape (1, C, H, W)."""
    return _scrubbed()(x_0, noise, schedule, show)


def _scrubbing(draw):
    """A picture, its noise and a schedule, of different lengths and shapes."""
    yield draw.normal(1, 1, 5, 5), draw.normal(1, 1, 5, 5), FIVE, sliders.draw_nothing
    three = DiffusionSchedule.from_betas([0.4, 0.1, 0.6])
    yield draw.normal(1, 3, 4, 6), draw.normal(1, 3, 4, 6), three, sliders.draw_nothing
    yield (
        draw.normal(1, 1, 3, 3),
        draw.normal(1, 1, 3, 3),
        DiffusionSchedule.from_betas([0.3]),
        sliders.draw_nothing,
    )
    # long enough for a slider that only takes a share of all times to leave some out
    yield draw.normal(1, 1, 2, 2), draw.normal(1, 1, 2, 2), LONG, sliders.draw_nothing


scrubber.cases(_scrubbing)


@scrubber.numbers
def _(scrubber, draw):
    _, pictures = scrubber(draw.normal(1, 1, 8, 8) + 1, draw.normal(1, 1, 8, 8), FIVE, sliders.draw_nothing)
    return {"mean of the x_2 that it shows": pictures[2].mean(), "of x_5": pictures[5].mean()}


scrubber.wrong("noise-not-added", _scrubbed(picture=lambda schedule, x_0, t, noise: x_0))
scrubber.wrong(
    "index-shift",
    _scrubbed(lambda t, timesteps: max(t - 1, 0)),
    _scrubbed(lambda t, timesteps: min(t + 1, timesteps)),
    _scrubbed(lambda t, timesteps: (t - 1) % (timesteps + 1)),
    sentence="at place t of the slider stands the picture of another time, one too early or too late",
)


def _report(scrubber, draw):
    report, _ = scrubber(*next(_scrubbing(draw)))
    return sliders.Report.unpack(report)


@scrubber.probe("wrong-range")
def _(scrubber, draw):
    of_first, of_long = [(*_scrubbing(draw),)[place] for place in (0, -1)]
    reports = [(sliders.Report.unpack(scrubber(*case)[0]), case[2]) for case in (of_first, of_long)]
    return any(report[:3] != sliders.right_report(schedule)[:3] for report, schedule in reports)


@scrubber.probe("nothing-shown")
def _(scrubber, draw):
    report = _report(scrubber, draw)
    return not (report.at_first or report.follows)


@scrubber.probe("slider-ignored")
def _(scrubber, draw):
    return not _report(scrubber, draw).follows


@scrubber.probe("nothing-at-first")
def _(scrubber, draw):
    return not _report(scrubber, draw).at_first


@scrubber.probe("shown-elsewhere")
def _(scrubber, draw):
    return not _report(scrubber, draw).inside


@scrubber.probe("value-read-once")
def _(scrubber, draw):
    _, pictures = scrubber(*next(_scrubbing(draw)))
    return bool((pictures == pictures[:1]).all())


@scrubber.probe("old-for-new")
def _(scrubber, draw):
    arguments = next(_scrubbing(draw))
    order = sliders.order_of_moves(FIVE.timesteps)
    (_, shown), (_, right) = scrubber(*arguments), _scrubbed()(*arguments)
    return torch.allclose(shown[order[1:]], right[order[:-1]].double(), atol=1e-5)


@scrubber.probe("draws-own-noise")
def _(scrubber, draw):
    arguments = next(_scrubbing(draw))
    return bool((scrubber(*arguments)[1] != scrubber(*arguments)[1]).any())
