"""Checks of exercise 03, the denoiser: the mean of all that is possible, in two cases, and the languages for it."""

import itertools

import torch

from diffusion_lab.bench.denoiser import three_translations
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import (
    BATCH_OF_ONE,
    NOT_SQUARE,
    REAL_PICTURES,
    T_IS_LAST,
    T_IS_ONE,
    VERY_LARGE,
    VERY_SMALL,
    border,
)
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.checks.outcomes import TOLERANCE, same
from diffusion_lab.process import convert, split
from diffusion_lab.schedules import DiffusionSchedule

exercise = Exercise("03", "The denoiser")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

FIVE = DiffusionSchedule(5, 0.1, 0.5)  # so short and steep that an index off by one shows


def _scales(schedule, t, like):
    """Scales of signal and noise, each element at its own t, in the shape that multiplies `like`."""
    return _reshaped(schedule, t, [-1] + [1] * (like.ndim - 1))


def _reshaped(schedule, t, shape):
    bar = schedule.alphas_cumprod[t].reshape(shape)
    return bar.sqrt(), (1 - bar).sqrt()


WRONG_SCALES = [  # (name, scales): functions of (schedule, t, like) that stand in the place of `_scales`
    ("index-shift", lambda schedule, t, like: _scales(schedule, t - 1, like)),
    ("index-shift", lambda schedule, t, like: _scales(schedule, t + 1, like)),
    ("variance-as-std", lambda schedule, t, like: tuple(x**2 for x in _scales(schedule, t, like))),
    ("swapped-scales", lambda schedule, t, like: _scales(schedule, t, like)[::-1]),
    ("shared-t", lambda schedule, t, like: _scales(schedule, t[:1], like)),
]


def _of_the_step(schedule, t, like):
    """The scales of the one step t in the place of those of all steps up to t."""
    beta = schedule.betas[t].reshape([-1] + [1] * (like.ndim - 1))
    return (1 - beta).sqrt(), beta.sqrt()


SAFETY = "the divisor was kept away from 0, by a small number that was added or by a floor; none is needed:"


def _is_kept_away(found):
    """Whether divisors, in pairs with the right ones, are too large by one small number, or held at a floor."""
    off = [got - right for got, right in found]
    added, floor = sum(off) / len(off), max((got for got, right in found if got > 1.001 * right), default=0)
    is_added = 0 < added < 0.2 and all(abs(one - added) < 0.02 * added + 1e-6 for one in off)
    is_held = 0 < floor < 0.5 and all(abs(got - max(right, floor)) < 1e-3 * got for got, right in found)
    return is_added or is_held


# 3.1

CHANCES = torch.tensor([0.6, 0.3, 0.1])  # so that mistakes give different numbers
ANY = (-4, 6)
MEAN = (-0.515, -0.485)
COUNTED_AS_DATA = (
    "that is the variance with n - 1, for three measured numbers; with known chances no n is needed"
)


@exercise.guess(
    "3.1",
    "the guess that costs least",
    1,
    "2. Why the mean?",
    hints=(
        "Section 2 names the guess with the least squared error. Which value, made of all three, is it?",
        "The mean: multiply each value with its chance, and add up: 0.6 × (-1) + 0.3 × 0 + 0.1 × 1.",
        "The error of the guess g is 0.6 (-1 - g)² + 0.3 (0 - g)² + 0.1 (1 - g)², with g = -0.5.",
    ),
)
def least_error():
    """The best guess of a pixel that is black, grey or white with known chances, and its mean squared error."""
    return {"guess": MEAN, "error": (0.435, 0.465)}


least_error.wrong("mode-for-mean", lambda: {"guess": (-1.02, -0.98), "error": ANY})
least_error.wrong("unweighted-mean", lambda: {"guess": (-0.02, 0.02), "error": ANY})
least_error.wrong(
    "unweighted-mean",
    lambda: {"guess": (-0.02, 0.02), "error": (0.69, 0.71)},
    lambda: {"guess": (-0.02, 0.02), "error": (0.435, 0.465)},
    sentence=(
        "either all candidates were counted alike, and the likelier ones have to count more; or the mean was rounded to"
        " a value that can be, and the best guess need not be one"
    ),
)
least_error.wrong("no-floor", lambda: {"guess": MEAN, "error": (-0.01, 0.01)})
least_error.wrong("absolute-error", lambda: {"guess": MEAN, "error": (0.59, 0.61)})
least_error.wrong("mean-not-subtracted", lambda: {"guess": MEAN, "error": (0.69, 0.71)})
least_error.wrong(
    "variance-as-std",
    lambda: {"guess": MEAN, "error": (0.6686, 0.6735)},
    sentence="the mean of the squared errors is wanted, and no root of it",
)
least_error.wrong(
    "unbiased-variance", lambda: {"guess": MEAN, "error": (0.6735, 0.6855)}, sentence=COUNTED_AS_DATA
)
least_error.wrong(
    "wrong-sign",
    lambda: {"guess": (0.485, 0.515), "error": ANY},
    sentence="black is -1 and white is +1, and black is the likelier one: the mean is below 0",
    at=("03", "1. One number"),
)


def _error(name, *errors, sentence=""):
    least_error.wrong(
        name,
        *(lambda error=error: {"guess": MEAN, "error": (error - 0.004, error + 0.004)} for error in errors),
        sentence=sentence,
    )


_error(
    "square-of-the-mean",
    0.25,
    sentence="that is the square of the guess; wanted is the mean of the squared errors, (x_0 - guess)²",
)
_error(
    "unweighted-mean",
    2.75,
    2.75 / 3,
    sentence="the squared errors were counted alike; each is multiplied by the chance of its value first",
)
_error(
    "mean-not-subtracted",
    0.2,
    sentence="the mean itself was taken off the mean of x_0²; it is the *square* of the mean that is taken off",
)
_error(
    "wrong-sign",
    0.95,
    1.2,
    sentence="the mean was added where it is to be subtracted: the error is the mean of (x_0 - guess)²",
)
_error(
    "share-of-misses",
    0.4,
    1.0,
    sentence="that is how often a guess is wrong; the squared error asks how far off it is, too",
)
least_error.wrong(
    "wrong-factor",
    lambda: {"guess": (-0.175, -0.16), "error": ANY},
    sentence="the chances add up to 1 already: do not divide by the number of values as well",
)
least_error.wrong(
    "candidate-left-out",
    lambda: {"guess": (-0.61, -0.59), "error": ANY},
    lambda: {"guess": (-0.72, -0.705), "error": ANY},
    sentence="one of the three values was left out; white pulls the mean up, and grey counts as 0",
)


@least_error.numbers
def _(_guess, draw):
    drawn = (draw.uniform(0, 1, 20_000)[:, None] > CHANCES.cumsum(0)[:2]).sum(1) - 1.0
    return {"measured with 20,000 pixels, guess": drawn.mean(), "error": drawn.var()}


# 3.2


def _line(scales=_scales, form=None):
    """The best guess with other scales, or with another form: a function of (alpha, sigma, mean, variance, x_t)."""
    form = form or _line_form

    def best(x_t, t, mean, variance, schedule):
        return form(*scales(schedule, t, x_t), mean, variance, x_t)

    return best


def _line_form(alpha, sigma, mean, variance, x_t):
    return mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x_t - alpha * mean)


@exercise.task(
    "3.2",
    "one bell curve",
    2,
    "4. The same in the plane",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        VERY_LARGE,
        VERY_SMALL,
    ),
    hints=(
        (
            "The formula of section 4 for one bell curve, with numbers for the matrices: C is the variance,"
            " and S is one too."
        ),
        (
            "S = alpha_bar * variance + 1 - alpha_bar. Give alpha_bar the shape (B, 1), and every row has its"
            " own t."
        ),
        "mean + alpha_bar.sqrt() * variance / S * (x_t - alpha_bar.sqrt() * mean).",
    ),
)
def best_guess(x_t, t, mean, variance, schedule):
    """E[x_0 | x_t], (B, D), at t, (B,), of numbers from a normal distribution with this mean and variance."""
    return _line()(x_t, t, mean, variance, schedule)


def _rows(draw, *times):
    t = draw.shuffled(times)
    return (
        draw.normal(len(t), len(t)) * 1.5 + 1,
        t,
        float(draw.uniform(1, 2)),
        float(draw.uniform(1.5, 3)),
        FIVE,
    )


@best_guess.cases
def _(draw):
    yield _rows(draw, 1, 2, 3, 4, 5)
    yield _rows(draw, 2, 3, 4)
    _, *rest = _rows(draw, 4, 1)
    yield draw.normal(2, 6), *rest
    yield draw.normal(1, 4), torch.tensor([3]), -1.5, 0.5, FIVE
    yield 100 * draw.normal(2, 3), torch.tensor([2, 5]), 0.0, 4.0, FIVE
    yield draw.normal(2, 3), torch.tensor([2, 4]), 0.5, 0.01, FIVE


@best_guess.numbers
def _(best_guess, draw):
    guess = best_guess(draw.normal(50, 4) + 1, draw.integers(1, 5, 50), 1.5, float(draw.uniform(1, 3)), FIVE)
    return {"mean of 200 guesses": guess.mean(), "variance": guess.var()}


@best_guess.holds
def _(best_guess, draw):
    x_0, t = 1 + 2**0.5 * draw.normal(5000, 1), torch.full((5000,), 3)
    x_t = FIVE.add_noise(x_0, t, draw.normal(5000, 1))
    right, yours = (f(x_t, t, 1.0, 2.0, FIVE).double() for f in (best_guess_right, best_guess))
    if yours.shape == right.shape:
        floor, error = ((x_0 - guess).square().mean() for guess in (right, yours))
        if error > floor + 0.01:
            return f"at t = 3 your guess has a mean squared error of {error:.3f}; {floor:.3f} is possible"


best_guess_right = best_guess.rights[""]


@best_guess.probe("safety-term", sentence=f"{SAFETY} S is above 0 from t = 1 on")
def _(best_guess, draw):
    found = []
    for mean, variance in ((0.5, 2.0), (-1.0, 0.1), (1.0, 0.003)):
        x_t, t = 4 + draw.normal(5, 4), torch.tensor([1, 2, 3, 4, 5])
        alpha, sigma = (scale.flatten() for scale in _scales(FIVE, t, x_t))
        moved = best_guess(x_t, t, mean, variance, FIVE).double() - mean
        if moved.shape != x_t.shape:
            return False
        away = x_t.double() - alpha[:, None] * mean
        divisors = alpha * variance * away.square().sum(1) / (moved * away).sum(1)
        found += zip(divisors.tolist(), (alpha**2 * variance + sigma**2).tolist(), strict=True)
    return _is_kept_away(found)


for _name, _wrong in WRONG_SCALES:
    best_guess.wrong(_name, _line(_wrong))
best_guess.wrong("alpha-for-alphabar", _line(_of_the_step))
best_guess.wrong("misbroadcast-t", _line(lambda schedule, t, like: _reshaped(schedule, t, (-1,))))


def _forms(name, *forms, sentence=""):
    best_guess.wrong(name, *[_line(form=form) for form in forms], sentence=sentence)


_forms(
    "variance-as-std",
    lambda a, s, m, v, x: _line_form(a**2, s, m, v, x),
    lambda a, s, m, v, x: _line_form(a**2, s**2, m, v, x),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) * (x - a**2 * m),
    sentence="alpha bar stands where its root is wanted: a number is multiplied by the root, its variance by alpha bar",
)
_forms(
    "mean-not-added",
    lambda a, s, m, v, x: a * v / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: a * v / (a**2 * v + s**2) * x,
)
_forms(
    "mean-not-added",
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) * x,
    sentence="the mean was added, but sqrt(alpha bar) times it has to be taken off x_t first",
)
_MEASURED = [
    {"correction": correction} | axis
    for axis in ({}, {"dim": 1, "keepdim": True}, {"dim": 0, "keepdim": True})
    for correction in (1, 0)
]
_forms(
    "variance-measured",
    *(
        lambda a, s, m, v, x, options=options: m + a * v / x.var(**options) * (x - a * m)
        for options in _MEASURED
    ),
    *(
        lambda a, s, m, v, x, options=options: m + a * v / (a**2 * x.var(**options) + s**2) * (x - a * m)
        for options in _MEASURED
    ),
    *(
        lambda a, s, m, v, x, options=options: _line_form(a, s, m, x.var(**options), x)
        for options in _MEASURED
    ),
    *(
        lambda a, s, m, v, x, options=options: m + a * v / (x - a * m).square().mean(**options) * (x - a * m)
        for options in ({}, {"dim": 1, "keepdim": True}, {"dim": 0, "keepdim": True})
    ),
)
_forms(
    "variance-measured",
    *(
        lambda a, s, m, v, x, options=options, front=front, inner=inner: (
            (m if front else x.mean(**options))
            + a * v / (a**2 * v + s**2) * (x - inner(a) * x.mean(**options))
        )
        for options in ({}, {"dim": 1, "keepdim": True}, {"dim": 0, "keepdim": True})
        for front in (True, False)
        for inner in (lambda a: a, lambda a: 1)
    ),
    sentence="the mean was measured on the batch; the mean of the data is given",
)
_forms("mean-unscaled", lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) * (x - m))
_forms(
    "mean-not-added",
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) * x - a * m,
    sentence="brackets are missing: the slope multiplies the whole difference x_t - sqrt(alpha bar) mean",
)
_forms(
    "mean-squared-too",
    lambda a, s, m, v, x: m + a * v / (a**2 * (v + m * m) + s**2) * (x - a * m),
    sentence="S is a variance, and the mean has no say in it; the mean of x_t² is another number",
)
_forms("noise-unheard", lambda a, s, m, v, x: x / a, lambda a, s, m, v, x: m + (x - a * m) / a)
_forms(
    "shrunk-guess",
    lambda a, s, m, v, x: a * _line_form(a, s, m, v, x),
    lambda a, s, m, v, x: a * m + a * a * v / (a**2 * v + s**2) * (x - m),
)
_forms(
    "slope-unscaled",
    lambda a, s, m, v, x: m + v / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * a * v / (a**2 * v + s**2) * (x - a * m),
)
_forms(
    "variance-as-std",
    lambda a, s, m, v, x: m + a * v / (a * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a * v + s) * (x - a * m),
    lambda a, s, m, v, x: m + a**2 * v / (a**2 * v + s**2) * (x - a**2 * m),
    sentence=(
        "alpha bar stands where its root is wanted, or the reverse: means take the root, variances do not"
    ),
)
_forms(
    "variance-as-std",
    lambda a, s, m, v, x: _line_form(a, s, m, v**2, x),
    lambda a, s, m, v, x: _line_form(a, s, m, v**0.5, x),
    sentence="the variance that is given was squared, or its root was taken; it is wanted as it is",
)
_forms(
    "variance-not-noised",
    lambda a, s, m, v, x: m + a * v / (v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / v * (x - a * m),
    lambda a, s, m, v, x: m + a * v / s**2 * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + 1) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (v + 1) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (v + a**2) * (x - a * m),
)
_forms(
    "unit-variance",
    lambda a, s, m, v, x: m + a * v * (x - a * m),
)
_forms(
    "swapped-scales",
    lambda a, s, m, v, x: m + a * v / (s**2 * v + a**2) * (x - a * m),
    sentence="in S, alpha bar belongs to the variance of the data and 1 - alpha bar to the noise",
)
_forms(
    "variance-as-std",
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) ** 0.5 * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) ** 2 * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a * v**0.5 + s) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a * v**0.5 + s) ** 2 * (x - a * m),
    sentence="the variance S is wanted below the line: no root of it, no square, and no sum of roots",
)
_forms(
    "variance-as-std",
    lambda a, s, m, v, x: m + a * v**0.5 / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v**2 + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v**0.5 + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v**2 / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**4) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**4 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**4 * v + s**4) * (x - a * m),
    sentence="one of the variances was squared, or its root was taken; all of them are wanted as they are",
)
_forms(
    "wrong-sign",
    lambda a, s, m, v, x: m - a * v / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v + s**2) * (x + a * m),
    lambda a, s, m, v, x: -m + a * v / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (a**2 * v - s**2) * (x - a * m),
    lambda a, s, m, v, x: m + a * v / (s**2 - a**2 * v) * (x - a * m),
)
_forms(
    "shrunk-guess",
    lambda a, s, m, v, x: a * m + a * v / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: a * m + a * v / (a**2 * v + s**2) * (x - m),
    sentence="the mean that is added in front is that of x_0, not shrunk; shrink the one that x_t is compared with",
)
_forms("shrinking-forgotten", lambda a, s, m, v, x: _line_form(1, s, m, v, x))
_forms(
    "trust-upside-down",
    lambda a, s, m, v, x: m + s**2 / (a**2 * v + s**2) * (x / a - m),
    lambda a, s, m, v, x: m + s**2 / (a**2 * v + s**2) * (x - a * m),
    lambda a, s, m, v, x: x / a + a * v / (a**2 * v + s**2) * (m - x / a),
    lambda a, s, m, v, x: m + (a**2 * v + s**2) / (a * v) * (x - a * m),
)
_forms(
    "arguments-exchanged",
    lambda a, s, m, v, x: _line_form(a, s, v, m, x),
    sentence="`mean` and `variance` changed places",
)
_forms(
    "wrong-target",
    lambda a, s, m, v, x: (x - a * _line_form(a, s, m, v, x)) / s,
    sentence="that is the best guess of the noise, eps; x_0 is wanted",
)
_forms(
    "wrong-target",
    lambda a, s, m, v, x: -(x - a * m) / (a**2 * v + s**2),
    sentence="that is the score; the best guess of x_0 is wanted",
)
_forms(
    "wrong-target",
    lambda a, s, m, v, x: (s**2 * v / (a**2 * v + s**2)).expand_as(x) + 0 * x,
    sentence="that is the variance that is left of x_0; its mean is wanted",
)
_forms(
    "two-values-only",
    lambda a, s, m, v, x: (a * x / s**2).tanh(),
    lambda a, s, m, v, x: (a * (x - a * m) / s**2).tanh(),
)

# 3.3

LONG = DiffusionSchedule(1000)
LITTLE_NOISE = border("with little noise", lambda v, x_t, t, schedule: schedule.timesteps > 500)
LANGUAGES = ("x_0", "eps", "score")
SCALES = "alpha bar and 1 - alpha bar were taken as the two scales; alpha and sigma are their square roots"


def _translated(scales=_scales):
    """The translations with other scales."""

    def translate(v, x_t, t, schedule):
        alpha, sigma = scales(schedule, t, x_t)
        eps = sigma * x_t + alpha * v
        return alpha * x_t - sigma * v, eps, -eps / sigma

    return translate


@exercise.task(
    "3.3",
    "one answer, three translations",
    3,
    "5. Four languages",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
        LITTLE_NOISE,
    ),
    prepare=three_translations,
    without=("diffusion_lab.process:split", "diffusion_lab.process:convert"),
    hints=(
        (
            "You know two things: x_t = alpha x_0 + sigma eps and v = alpha eps - sigma x_0. Solve for x_0"
            " and eps."
        ),
        (
            "alpha times the first minus sigma times the second leaves x_0, because alpha² + sigma² = 1. And"
            " for eps?"
        ),
        (
            "x_0 = alpha x_t - sigma v, eps = sigma x_t + alpha v, score = -eps / sigma; scales of shape (B,"
            " 1, 1, 1)."
        ),
    ),
)
def translate(v, x_t, t, schedule):
    """x_0, eps and score, each (B, C, H, W), that an answer v about x_t at t, (B,), amounts to."""
    return *split(v, x_t, t, schedule, "v"), convert(v, x_t, t, schedule, "v", "score")


def _answers(draw):
    yield draw.normal(5, 1, 5, 5) + 0.5, draw.normal(5, 1, 5, 5), draw.shuffled(range(1, 6)), FIVE
    yield draw.normal(3, 2, 4, 6) + 0.5, draw.normal(3, 2, 4, 6), draw.shuffled((2, 3, 4)), FIVE
    yield draw.normal(2, 3, 3, 3) + 0.5, draw.normal(2, 3, 3, 3), torch.tensor([4, 1]), FIVE
    yield draw.normal(1, 1, 3, 3) + 0.5, draw.normal(1, 1, 3, 3), torch.tensor([3]), FIVE
    yield 50 * draw.normal(2, 1, 3, 3), 50 * draw.normal(2, 1, 3, 3), torch.tensor([2, 4]), FIVE
    yield draw.normal(3, 1, 3, 3), draw.normal(3, 1, 3, 3), torch.tensor([12, 500, 10]), LONG


def _little_noise(draw):
    return draw.normal(4, 1, 3, 3), draw.normal(4, 1, 3, 3), torch.tensor([1, 3, 6, 40]), LONG


translate.cases(_answers)


@translate.numbers
def _(translate, draw):
    parts = translate(
        draw.normal(8, 1, 10, 10) + 1, draw.normal(8, 1, 10, 10) + 2, draw.integers(2, 5, 8), FIVE
    )
    return {f"mean of {name}": part.mean() for name, part in zip(LANGUAGES, parts, strict=True)}


@translate.holds
def _(translate, draw):
    v, x_t, t, _ = next(_answers(draw))
    x_0, eps, _ = translate(v, x_t, t, FIVE)
    alpha, sigma = _scales(FIVE, t, x_t)
    if float((alpha * x_0 + sigma * eps - x_t).abs().max()) > 1e-3:
        return "your x_0 and eps do not give x_t back: alpha x_0 + sigma eps is something else"
    if float((alpha * eps - sigma * x_0 - v).abs().max()) > 1e-3:
        return "your x_0 and eps give x_t back, but alpha eps - sigma x_0 is not the v that was said"


for _name, _wrong in WRONG_SCALES:
    translate.wrong(_name, _translated(_wrong), sentence=SCALES if _name == "variance-as-std" else "")
translate.wrong("alpha-for-alphabar", _translated(_of_the_step))
for _shape in ((-1,), (-1, 1), (-1, 1, 1)):
    translate.wrong(
        "misbroadcast-t", _translated(lambda schedule, t, like, shape=_shape: _reshaped(schedule, t, shape))
    )
translate.wrong(
    "wrong-target",
    *(
        lambda v, x_t, t, schedule, order=order: [_translated()(v, x_t, t, schedule)[k] for k in order]
        for order in itertools.permutations(range(3))
        if order != (0, 1, 2)
    ),
    sentence="right numbers in the wrong order: x_0 comes first, then eps, then the score",
)
translate.wrong(
    "wrong-target",
    lambda v, x_t, t, schedule: (
        *split(v, x_t, t, schedule, "eps"),
        convert(v, x_t, t, schedule, "eps", "score"),
    ),
    lambda v, x_t, t, schedule: (
        *split(v, x_t, t, schedule, "x0"),
        convert(v, x_t, t, schedule, "x0", "score"),
    ),
    sentence="v was read as another language, eps or x_0; here it is the velocity",
)


def _of_both(form):
    """The three, from a wrong reading of v: a form of (alpha, sigma, x_t, v) that gives x_0 and eps."""

    def translate(v, x_t, t, schedule):
        alpha, sigma = _scales(schedule, t, x_t)
        x_0, eps = form(alpha, sigma, x_t, v)
        return x_0, eps, -eps / sigma

    return translate


translate.wrong(
    "wrong-target",
    _of_both(lambda a, s, x, v: ((x - s * v) / (a + s), (x + a * v) / (a + s))),
    _of_both(lambda a, s, x, v: ((x + s * v) / (a + s), (x - a * v) / (a + s))),
    sentence="v was read as the velocity of a straight line, eps - x_0; here it is alpha eps - sigma x_0",
)
translate.wrong(
    "wrong-target",
    _of_both(lambda a, s, x, v: ((x + v) / (2 * a), (x - v) / (2 * s))),
    _of_both(lambda a, s, x, v: ((x - v) / (2 * a), (x + v) / (2 * s))),
    sentence="in v the scales have changed places: alpha stands before eps there, and sigma before x_0",
)
translate.wrong(
    "wrong-target",
    lambda v, x_t, t, schedule: (
        *split(v, x_t, t, schedule, "score"),
        convert(v, x_t, t, schedule, "score", "score"),
    ),
    sentence="v was read as the score; here it is the velocity",
)


def translate_right(v, x_t, t, schedule):
    """The right three, in float64."""
    return tuple(part.double() for part in translate.rights[""](v, x_t, t, schedule))


def _part(name, which, *forms, sentence=""):
    """Declare a mistake in one of the three, whatever the others are: forms of (alpha, sigma, x_t, v)."""
    for form in forms:

        def made(translate, draw, form=form):
            pairs = []
            for v, x_t, t, schedule in _answers(draw):
                got = translate(v, x_t, t, schedule)
                right = translate_right(v, x_t, t, schedule)
                if which == "score" and not same(got[:2], right[:2], TOLERANCE):
                    return False  # it was made of an eps that is wrong already
                pairs.append((got[LANGUAGES.index(which)], form(*_scales(schedule, t, x_t), x_t, v).double()))
            return all(same((got,), (wrong,), TOLERANCE) for got, wrong in pairs)

        translate.probe(name, sentence)(made)


@translate.probe("safety-term", sentence=f"for the score, {SAFETY} sigma is above 0 from t = 1 on")
def _(translate, draw):
    found = []
    for v, x_t, t, schedule in (*_answers(draw), _little_noise(draw)):
        got = translate(v, x_t, t, schedule)
        right = translate_right(v, x_t, t, schedule)
        if not same(got[:2], right[:2], TOLERANCE):
            return False
        divisors = -(right[1] * got[2]).sum((1, 2, 3)).reciprocal() * right[1].square().sum((1, 2, 3))
        found += zip(divisors.tolist(), _scales(schedule, t, x_t)[1].flatten().tolist(), strict=True)
    return _is_kept_away(found)


@translate.probe(
    "aliased-states",
    sentence="two of your results are one tensor: a later line changed in place what was kept for an earlier one",
)
def _(translate, draw):
    v, x_t, t, schedule = next(_answers(draw))
    got, right = translate(v, x_t, t, schedule), translate_right(v, x_t, t, schedule)
    alike = [(a, b) for a, b in itertools.combinations(range(3), 2) if same((got[a],), (got[b],), TOLERANCE)]
    return any(
        same((got[a],), (right[a],), TOLERANCE) or same((got[b],), (right[b],), TOLERANCE) for a, b in alike
    )


_part(
    "result-clipped",
    "x_0",
    lambda a, s, x, v: (a * x - s * v).clamp(-1, 1),
    lambda a, s, x, v: (a * x - s * v).clamp(0, 1),
    sentence="x_0 was clipped; wanted is what the answer amounts to, also outside of the range of pixels",
)
_part(
    "result-clipped",
    "eps",
    *(lambda a, s, x, v, by=by: (s * x + a * v).clamp(-by, by) for by in (1, 2, 3)),
    sentence="eps was clipped; leave it as it comes",
)
_part("wrong-sign", "x_0", lambda a, s, x, v: a * x + s * v, lambda a, s, x, v: s * v - a * x)
_part(
    "wrong-sign", "x_0", lambda a, s, x, v: -a * x - s * v, lambda a, s, x, v: (x + s * (s * x + a * v)) / a
)
_part(
    "wrong-sign", "eps", lambda a, s, x, v: -s * x - a * v, lambda a, s, x, v: (v - s * (a * x - s * v)) / a
)
_part("wrong-sign", "eps", lambda a, s, x, v: s * x - a * v, lambda a, s, x, v: a * v - s * x)
_part("swapped-scales", "x_0", lambda a, s, x, v: s * x - a * v)
for _which, _forms_of in (
    (
        "x_0",
        (
            lambda a, s, x, v: a**2 * x - s * v,
            lambda a, s, x, v: a * x - s**2 * v,
            lambda a, s, x, v: a**2 * x - s**2 * v,
        ),
    ),
    (
        "eps",
        (
            lambda a, s, x, v: s**2 * x + a * v,
            lambda a, s, x, v: s * x + a**2 * v,
            lambda a, s, x, v: s**2 * x + a**2 * v,
            lambda a, s, x, v: (s * x + a * v) / s,
        ),
    ),
):
    _part(
        "variance-as-std",
        _which,
        *_forms_of,
        sentence=f"for {_which}, a square or a root of alpha or sigma is too many",
    )
_part("swapped-scales", "eps", lambda a, s, x, v: a * x + s * v)
_part(
    "wrong-target",
    "x_0",
    lambda a, s, x, v: (x - s * v) / a,
    sentence="for x_0, v was read as if it were eps",
)
_part(
    "wrong-target",
    "eps",
    lambda a, s, x, v: (x - a * v) / s,
    sentence="for eps, v was read as if it were x_0",
)
_part("wrong-target", "eps", lambda a, s, x, v: v, sentence="v itself was returned for eps")
_part(
    "factor-missing",
    "x_0",
    lambda a, s, x, v: x - s * (s * x + a * v),
    sentence="for x_0, sigma eps was subtracted from x_t, but the rest is alpha x_0, to be divided by alpha",
)
_part(
    "factor-missing",
    "eps",
    lambda a, s, x, v: (x - (a * x - s * v)) / s,
    sentence="for eps, x_0 was subtracted from x_t as it is; x_t has only alpha x_0 in it",
)
_part(
    "factor-missing",
    "eps",
    lambda a, s, x, v: x - a * (a * x - s * v),
    sentence="for eps, alpha x_0 was subtracted from x_t, but the rest is sigma eps, to be divided by sigma",
)
_part(
    "factor-missing",
    "x_0",
    lambda a, s, x, v: x - s * v,
    lambda a, s, x, v: a * x - v,
    lambda a, s, x, v: x - v,
    lambda a, s, x, v: (x - v) / a,
    lambda a, s, x, v: (x - (s * x + a * v)) / a,
    lambda a, s, x, v: (x - v) / s,
    lambda a, s, x, v: ((s * x + a * v) - v) / s,
    lambda a, s, x, v: a * (s * x + a * v) - v,
    sentence="for x_0, one of the factors alpha and sigma is missing",
)
_part(
    "factor-missing",
    "x_0",
    lambda a, s, x, v: (a * x - s * v) / a,
    lambda a, s, x, v: (a * x - s * v) / s,
    lambda a, s, x, v: a * (a * x - s * v),
    lambda a, s, x, v: s * (a * x - s * v),
    sentence="x_0 was multiplied or divided by one of the scales once too often",
)
_part(
    "factor-missing",
    "eps",
    lambda a, s, x, v: x + a * v,
    lambda a, s, x, v: s * x + v,
    lambda a, s, x, v: x + v,
    lambda a, s, x, v: v + s * (a * x - s * v),
    lambda a, s, x, v: v + (a * x - s * v),
    lambda a, s, x, v: (v + (a * x - s * v)) / a,
    lambda a, s, x, v: x - (a * x - s * v),
    sentence="for eps, one of the factors alpha and sigma is missing",
)
_part(
    "factor-missing",
    "eps",
    lambda a, s, x, v: (s * x + a * v) / a,
    lambda a, s, x, v: a * (s * x + a * v),
    lambda a, s, x, v: s * (s * x + a * v),
    sentence="eps was multiplied or divided by one of the scales once too often",
)
_part("wrong-target", "x_0", lambda a, s, x, v: v, sentence="v itself was returned for x_0")
_part(
    "noise-unheard",
    "x_0",
    lambda a, s, x, v: x / a,
    sentence="for x_0, x_t was only scaled back; what v says is missing",
)
_part(
    "wrong-sign",
    "score",
    lambda a, s, x, v: (s * x + a * v) / s,
    sentence="the score points away from the noise: it is *minus* eps divided by sqrt(1 - alpha bar)",
)
for _form in (lambda s: 1, lambda s: s**2, lambda s: 1 / s, lambda s: s**0.5, lambda s: s**3, lambda s: -1):
    _part("score-unscaled", "score", lambda a, s, x, v, by=_form: -(s * x + a * v) / by(s))
_part(
    "score-unscaled",
    "score",
    lambda a, s, x, v: -(s * x + a * v) / a,
    lambda a, s, x, v: -(s * x + a * v) / a**2,
)
_part(
    "score-unscaled",
    "score",
    lambda a, s, x, v: (s * x + a * v) / s**2,
    lambda a, s, x, v: (s * x + a * v) / a,
    lambda a, s, x, v: (s * x + a * v) * s,
    sentence="the score is -eps / sigma; here both the minus and the divisor are others",
)
_part(
    "factor-missing",
    "score",
    lambda a, s, x, v: ((a * x - s * v) - x) / s**2,
    lambda a, s, x, v: ((a * x - s * v) - x) / s,
    lambda a, s, x, v: (a * x - s * v) - x,
    lambda a, s, x, v: (x - (a * x - s * v)) / s**2,
    sentence="the score points from x_t to the *shrunk* picture: (alpha x_0 - x_t) / sigma²",
)
_part(
    "score-unscaled",
    "score",
    lambda a, s, x, v: (a * (a * x - s * v) - x) / s,
    lambda a, s, x, v: a * (a * x - s * v) - x,
    sentence="the way from x_t to alpha x_0 is divided by the *variance* of the noise: by sigma²",
)
_part(
    "wrong-target",
    "score",
    lambda a, s, x, v: -v / s,
    lambda a, s, x, v: -v,
    lambda a, s, x, v: v,
    lambda a, s, x, v: -v / s**2,
    sentence="the score was made of v; it is made of eps, as -eps / sigma",
)
_part(
    "wrong-target",
    "score",
    lambda a, s, x, v: -x,
    lambda a, s, x, v: -x / s,
    lambda a, s, x, v: -x / s**2,
    sentence="the score was made of x_t, as for data that are noise only; it is made of eps, as -eps / sigma",
)
_part(
    "wrong-target",
    "score",
    lambda a, s, x, v: -(a * x - s * v) / s,
    lambda a, s, x, v: (a * x - s * v) / s,
    lambda a, s, x, v: -(a * x - s * v) / a,
    lambda a, s, x, v: (a * x - s * v) / s**2,
    sentence="the score was made of x_0; it is made of eps, as -eps / sigma",
)

# 3.4

SEVERAL_CHANNELS = border("with several channels", lambda x_t, t, data, schedule: data.shape[1] > 1)
MANY_CANDIDATES = border("with more candidates", lambda x_t, t, data, schedule: len(data) > 8)
ONE_CANDIDATE = border("with one candidate only", lambda x_t, t, data, schedule: len(data) == 1, True)


def _mean(scales=_scales, weigh=None, squares=None, shrink=True, give=None):
    """The mean of the data with something changed.

    Weights, (B, N), of the squared distances and sigma; the distances; whether candidates shrink; what is
    returned.
    """
    weigh = weigh or (lambda squares, sigma: (-squares / (2 * sigma**2)).softmax(1))

    def mean(x_t, t, data, schedule):
        alpha, sigma = scales(schedule, t, torch.empty(len(x_t), 1))
        shrunk = alpha[..., None] * data.flatten(1) if shrink else data.flatten(1)[None]
        squared = (x_t.flatten(1)[:, None] - shrunk).square()
        weights = weigh((squares or (lambda squared: squared.sum(-1)))(squared), sigma)
        guess = weights @ data.flatten(1).to(weights.dtype)
        return ((give or (lambda alpha, guess: guess))(alpha, guess)).reshape(x_t.shape)

    return mean


@exercise.task(
    "3.4",
    "the mean of a set of pictures",
    3,
    "3. All the digits at once",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        ONE_CANDIDATE,
        MANY_CANDIDATES,
        SEVERAL_CHANNELS,
        NOT_SQUARE,
        REAL_PICTURES,
    ),
    without=("diffusion_lab.oracle:finite_data_denoiser", "diffusion_lab.oracle:GaussianMixture"),
    hints=(
        "Equation (1) in three parts: squared distances of shape (B, N), weights of shape (B, N), the mean.",
        (
            "`x_t.flatten(1)[:, None] - alpha.reshape(-1, 1, 1) * data.flatten(1)` has shape (B, N, pixels)."
            " Square, sum."
        ),
        (
            "weights = (-squares / (2 * sigma**2)).softmax(dim=1), sigma (B, 1); weights @ data.flatten(1);"
            " reshape."
        ),
    ),
)
def mean_of_the_data(x_t, t, data, schedule):
    """E[x_0 | x_t], (B, C, H, W), at t, (B,), if x_0 is one of the data, (N, C, H, W), all equally likely."""
    return _mean()(x_t.double(), t, data.double(), schedule)


def _noised(draw, number, shape, times, schedule=FIVE):
    data, t = draw.normal(number, *shape) * 0.6 + 0.5, torch.as_tensor(times)
    picked = data[draw.integers(0, number - 1, len(t))]
    return schedule.add_noise(picked, t, draw.normal(len(t), *shape)), t, data, schedule


@mean_of_the_data.cases
def _(draw):
    yield _noised(draw, 5, (1, 3, 3), draw.shuffled((1, 2, 3, 4, 5)))
    yield _noised(draw, 4, (1, 2, 3), draw.shuffled((2, 3, 4)))
    yield _noised(draw, 4, (2, 3, 3), draw.shuffled((2, 3, 4)))
    yield _noised(draw, 9, (1, 2, 2), draw.shuffled((3, 4, 5)))
    yield _noised(draw, 3, (1, 2, 2), (4, 1, 3, 4))
    yield _noised(draw, 4, (1, 3, 3), (3,))
    yield _noised(draw, 1, (1, 3, 3), (2, 4))
    yield _noised_digits(draw)


def _noised_digits(draw):
    """Real pictures that are told apart for sure; one has hardly any noise, the others more than their share."""
    data, t, sizes = pictures.digits(6), torch.tensor([1, 2, 2, 1]), torch.tensor([1.6, 1.5, 1.7, 0.05])
    noise = sizes.reshape(-1, 1, 1, 1) * draw.normal(4, 1, 28, 28)
    return FIVE.add_noise(data[[0, 3, 5, 2]], t, noise), t, data, FIVE


@mean_of_the_data.numbers
def _(mean_of_the_data, draw):
    guess = mean_of_the_data(*_noised(draw, 6, (1, 3, 3), draw.integers(2, 5, 30)))
    return {"mean of 30 guesses": guess.mean(), "variance": guess.var()}


@mean_of_the_data.probe("exp-underflow", always=True)
def _(mean_of_the_data, draw):
    return not bool(mean_of_the_data(*_noised(draw, 4, (4, 28, 28), (5, 3))).isfinite().all())


def _of_digits(mean_of_the_data, draw):
    x_t, t, data, schedule = _noised_digits(draw)
    return mean_of_the_data(x_t, t, data, schedule).reshape(len(x_t), -1).float(), data.flatten(1)


@mean_of_the_data.probe(
    "exp-underflow",
    sentence=(
        "with real pictures some of your means are NaN: every exp(-distance) of theirs is 0; take the largest exponent"
        " of *each row* off first, as `softmax` does"
    ),
    always=True,
)
def _(mean_of_the_data, draw):
    few = mean_of_the_data(*_noised(draw, 5, (1, 3, 3), (1, 2, 3, 4, 5)))
    return bool(few.isfinite().all()) and not bool(_of_digits(mean_of_the_data, draw)[0].isfinite().all())


@mean_of_the_data.probe(
    "exp-underflow",
    sentence=(
        "with real pictures some of your means are 0 everywhere: every exp(-distance) of theirs is 0, and a small"
        " number below the line hides it; `softmax` avoids it"
    ),
)
def _(mean_of_the_data, draw):
    return bool((_of_digits(mean_of_the_data, draw)[0].abs().amax(1) < 0.01).any())


@mean_of_the_data.probe(
    "exp-underflow",
    sentence=(
        "with real pictures all candidates count alike, near or far: their exponents were cut off, or every weight"
        " became 0 with the same small number added; `softmax` needs neither"
    ),
)
def _(mean_of_the_data, draw):
    means, data = _of_digits(mean_of_the_data, draw)
    return bool(((means - data.mean(0)).abs().amax(1) < 0.01).any()) and not bool(
        ((means - data.mean(0)).abs().amax(1) < 0.01).all()
    )


@mean_of_the_data.holds
def _(mean_of_the_data, draw):
    x_t, t, data, schedule = _noised(draw, 5, (1, 3, 3), (1, 2, 3, 4, 5))
    one = mean_of_the_data(x_t, t, data[:1], schedule)
    if float((one - data[:1]).abs().max()) > 1e-3:
        return "if the data are one picture only, that is the answer, whatever x_t is; yours is another"
    moved = data + 1  # all candidates and x_t with them: so must the mean
    alpha = _scales(schedule, t, x_t)[0]
    change = mean_of_the_data(x_t + alpha.float(), t, moved, schedule) - mean_of_the_data(
        x_t, t, data, schedule
    )
    if float((change - 1).abs().max()) > 1e-2:
        return (
            "if all pictures get brighter by 1, and x_t by sqrt(alpha bar), the mean must get brighter by 1"
        )


for _name, _wrong in WRONG_SCALES:
    mean_of_the_data.wrong(_name, _mean(_wrong))
mean_of_the_data.wrong("alpha-for-alphabar", _mean(_of_the_step))
mean_of_the_data.wrong(
    "variance-as-std",
    _mean(weigh=lambda squares, sigma: (-squares / (2 * sigma)).softmax(1)),
    _mean(weigh=lambda squares, sigma: (-squares / (2 * sigma**4)).softmax(1)),
    _mean(lambda schedule, t, like: (_scales(schedule, t, like)[0] ** 2, _scales(schedule, t, like)[1])),
)


def _of_the_nearest(squares, sigma, number):
    logits = -squares / (2 * sigma**2)
    last = logits.topk(min(number, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < last, -torch.inf).softmax(1)


def _across(squares, sigma):
    return (-squares / (2 * sigma.reshape(-1) ** 2)).softmax(1)


mean_of_the_data.wrong(
    "misbroadcast-t",
    _mean(weigh=_across),
    sentence=(
        "the numbers for t, shape (B,), met the candidates; (B, 1) beside weights of shape (B, N) is wanted"
    ),
)
mean_of_the_data.wrong(
    "bell-without-half", _mean(weigh=lambda squares, sigma: (-squares / sigma**2).softmax(1))
)
mean_of_the_data.wrong(
    "distance-not-squared",
    _mean(weigh=lambda squares, sigma: (-squares.sqrt() / (2 * sigma**2)).softmax(1)),
    _mean(weigh=lambda squares, sigma: (-squares.sqrt() / (2 * sigma)).softmax(1)),
    _mean(weigh=lambda squares, sigma: (-squares.sqrt()).softmax(1)),
    _mean(squares=lambda squared: squared.sqrt().sum(-1)),
)
mean_of_the_data.wrong(
    "sigma-missing",
    _mean(weigh=lambda squares, sigma: (-squares).softmax(1)),
    _mean(weigh=lambda squares, sigma: (-squares / 2).softmax(1)),
)
mean_of_the_data.wrong("mean-for-sum", _mean(squares=lambda squared: squared.mean(-1)))
mean_of_the_data.wrong("candidates-unscaled", _mean(shrink=False))
mean_of_the_data.wrong(
    "candidates-unscaled",
    _mean(lambda schedule, t, like: (1 / _scales(schedule, t, like)[0], _scales(schedule, t, like)[1])),
    sentence="the candidates were divided by sqrt(alpha bar); they are multiplied by it on their way to x_t",
)


def _full_strength(power):
    """Compare x_t / alpha with the candidates; the noise's scale is divided by a power of alpha."""

    def scales(schedule, t, like):
        alpha, sigma = _scales(schedule, t, like)
        return alpha, sigma * alpha ** (1 - power)

    return scales


mean_of_the_data.wrong("noise-not-rescaled", _mean(_full_strength(0)))
mean_of_the_data.wrong(
    "variance-as-std",
    _mean(_full_strength(0.5)),
    _mean(_full_strength(2)),
    sentence="of x_t / sqrt(alpha bar) the noise has the variance (1 - alpha bar) / alpha bar; a root is amiss",
)
mean_of_the_data.wrong(
    "swapped-scales",
    _mean(lambda schedule, t, like: (_scales(schedule, t, like)[0], _scales(schedule, t, like)[0])),
    sentence="the distances are divided by 2 (1 - alpha bar), the variance of the noise, not by 2 alpha bar",
)
mean_of_the_data.wrong(
    "alpha-for-alphabar",
    _mean(lambda schedule, t, like: (_scales(schedule, t, like)[0], _of_the_step(schedule, t, like)[1])),
    sentence="beta of the one step t was used for the noise; x_t has all noise so far in it, 1 - alpha bar",
)
mean_of_the_data.wrong(
    "softmax-over-batch", _mean(weigh=lambda squares, sigma: (-squares / (2 * sigma**2)).softmax(0))
)
mean_of_the_data.wrong(
    "far-for-near", _mean(weigh=lambda squares, sigma: (squares / (2 * sigma**2)).softmax(1))
)
mean_of_the_data.wrong(
    "nearest-for-mean",
    _mean(weigh=lambda squares, sigma: (squares == squares.min(1, keepdim=True).values) * 1.0),
)
mean_of_the_data.wrong(
    "nearest-for-mean",
    *(_mean(weigh=lambda squares, sigma, k=k: _of_the_nearest(squares, sigma, k)) for k in range(2, 9)),
    sentence="only the nearest few candidates were counted; all of them are possible, each with its weight",
)
mean_of_the_data.wrong(
    "unweighted-mean", _mean(weigh=lambda squares, sigma: 0 * squares + 1 / squares.shape[1])
)
mean_of_the_data.wrong(
    "weights-not-one",
    *(
        _mean(weigh=lambda squares, sigma, top=top: (-squares / (2 * sigma**2) - top(squares, sigma)).exp())
        for top in (
            lambda squares, sigma: 0,
            lambda squares, sigma: (-squares / (2 * sigma**2)).amax(1, keepdim=True),
            lambda squares, sigma: (-squares / (2 * sigma**2)).max(),
        )
    ),
    _mean(weigh=lambda squares, sigma: (-squares / (2 * sigma**2)).softmax(1) / squares.shape[1]),
)
mean_of_the_data.wrong("shrunk-guess", _mean(give=lambda alpha, guess: alpha * guess))
mean_of_the_data.wrong(
    "bell-missing",
    _mean(weigh=lambda squares, sigma: 1 / squares / (1 / squares).sum(1, keepdim=True)),
    _mean(weigh=lambda squares, sigma: squares**-0.5 / (squares**-0.5).sum(1, keepdim=True)),
    _mean(weigh=lambda squares, sigma: 1 / (1 + squares) / (1 / (1 + squares)).sum(1, keepdim=True)),
)
mean_of_the_data.wrong(
    "far-for-near",
    _mean(weigh=lambda squares, sigma: squares / squares.sum(1, keepdim=True)),
    sentence="far candidates have the large weights; the weight is exp of *minus* the squared distance",
)


def _weighed_apart(*dims):
    """The mean with weights of its own for each part of a picture: squares are summed over `dims` only."""

    def mean(x_t, t, data, schedule):
        alpha, sigma = _scales(schedule, t, torch.empty(len(x_t), 1, 1, 1, 1))
        squares = (x_t[:, None] - alpha * data).square()
        squares = squares.sum(dims, keepdim=True) if dims else squares
        return ((-squares / (2 * sigma**2)).softmax(1) * data).sum(1)

    return mean


APART = "the squared distance is summed over channels, rows and columns: a candidate is weighed as a whole"
mean_of_the_data.wrong(
    "weights-per-part",
    _weighed_apart(),
    _weighed_apart(2),
    sentence=f"every pixel got weights of its own; {APART}",
)
mean_of_the_data.wrong(
    "weights-per-part",
    _weighed_apart(3, 4),
    sentence=f"every channel got weights of its own; {APART}",
)
mean_of_the_data.wrong(
    "weights-per-part",
    _weighed_apart(3),
    _weighed_apart(4),
    _weighed_apart(2, 3),
    _weighed_apart(2, 4),
    sentence=f"every row or column got weights of its own; {APART}",
)


def _multiplied_out(logits):
    """The mean with other exponents: a form of alpha, sigma, the products of x_t with the data, and their squares."""

    def mean(x_t, t, data, schedule):
        alpha, sigma = _scales(schedule, t, torch.empty(len(x_t), 1))
        x, d = x_t.flatten(1).double(), data.flatten(1).double()
        weights = logits(alpha, sigma, x @ d.T, d.square().sum(1)).softmax(1)
        return (weights @ d).reshape(x_t.shape)

    return mean


mean_of_the_data.wrong(
    "square-left-out",
    _multiplied_out(lambda a, s, products, squares: a * products / s**2),
    _multiplied_out(lambda a, s, products, squares: products / s**2),
    _multiplied_out(lambda a, s, products, squares: products),
    _multiplied_out(lambda a, s, products, squares: (a * products - squares / 2) / s**2),
    _multiplied_out(lambda a, s, products, squares: (a * products - a**2 * squares) / s**2),
    _multiplied_out(lambda a, s, products, squares: (2 * a * products - a**2 * squares) / s**2 / 4),
    _multiplied_out(lambda a, s, products, squares: (a * products + a**2 * squares / 2) / s**2),
)


def _times_along_candidates(*shape):
    """The mean where the times meet the candidates at the scales of signal; `shape` is that of the noise's scales."""

    def mean(x_t, t, data, schedule):
        alpha = _reshaped(schedule, t, (-1, 1))[0]
        squares = (x_t.flatten(1)[:, None] - (alpha * data.flatten(1))[None]).square().sum(2)
        weights = (-squares / (2 * _reshaped(schedule, t, shape)[1] ** 2)).softmax(1)
        return (weights.to(data.dtype) @ data.flatten(1)).reshape(x_t.shape)

    return mean


mean_of_the_data.wrong(
    "misbroadcast-t",
    _times_along_candidates(-1, 1),
    _times_along_candidates(-1),
    sentence=(
        "the scales of signal, one for each x_t, met the candidates; (B, 1, 1) beside data of shape (N, pixels) is"
        " wanted"
    ),
)


def _noise_of_the_mean(x_t, t, data, schedule):
    alpha, sigma = _scales(schedule, t, x_t)
    return (x_t - alpha * _mean()(x_t.double(), t, data.double(), schedule)) / sigma


mean_of_the_data.wrong(
    "wrong-target", _noise_of_the_mean, sentence="that is the best guess of the noise, eps; x_0 is wanted"
)

# 3.5


def _unsigned(factors):
    return {name: abs(factor) for name, factor in factors.items()}


def _near(factors):
    return {name: (factor - 0.02, factor + 0.02) for name, factor in factors.items()}


def _factors(form, schedule=None):
    bar = (schedule or DiffusionSchedule(1000, 1e-4, 0.02)).alphas_cumprod[200]
    return _near({name: float(factor) for name, factor in form(bar.sqrt(), (1 - bar).sqrt()).items()})


HIGH_NOISE = "7. What goes wrong: reading eps as x_0 in high noise"


@exercise.guess(
    "3.5",
    "what an error costs in each language",
    1,
    HIGH_NOISE,
    prepare=_unsigned,
    hints=(
        (
            "Read answer + 0.01 as x_0, and answer as x_0. Divide the difference by 0.01. Then the next"
            " language."
        ),
        (
            "On paper: in x_0 = alpha x_t - sigma v, x_0 changes by sigma when v changes by 1. The sign does"
            " not matter here."
        ),
        (
            "eps: sigma / alpha. x0: 1. v: sigma. score: sigma² / alpha. With the scales of"
            " dl.DiffusionSchedule(1000) at 200."
        ),
    ),
)
def error_factors():
    """By how much an error of the answer is multiplied in x_0, at t = 200 of the linear schedule."""
    return _factors(lambda a, s: {"eps": s / a, "x0": 1, "v": s, "score": s * s / a})


error_factors.wrong(
    "wrong-target",
    lambda: _factors(lambda a, s: {"eps": 1, "x0": a / s, "v": a, "score": s}),
    sentence="these are the factors of an error in eps; that of x_0 is asked for",
    at=("03", "7. What goes wrong: reading eps as x_0 in high noise"),
)
error_factors.wrong(
    "wrong-target",
    lambda: _factors(lambda a, s: {"eps": s / a, "x0": 1, "v": a, "score": s * s / a}),
    sentence="v: alpha is its factor in eps = sigma x_t + alpha v; in x_0 it has another one",
    at=("03", "7. What goes wrong: reading eps as x_0 in high noise"),
)
error_factors.wrong(
    "other-schedule",
    lambda: _factors(
        lambda a, s: {"eps": s / a, "x0": 1, "v": s, "score": s * s / a}, DiffusionSchedule.cosine(1000)
    ),
    sentence=(
        "right for the cosine schedule of the lesson; the linear one, `dl.DiffusionSchedule(1000)`, was"
        " asked for"
    ),
)
error_factors.wrong(
    "swapped-scales", lambda: _factors(lambda a, s: {"eps": a / s, "x0": 1, "v": a, "score": a * a / s})
)
error_factors.wrong(
    "variance-as-std",
    lambda: _factors(lambda a, s: {"eps": (s / a) ** 2, "x0": 1, "v": s**2, "score": (s * s / a) ** 2}),
    sentence="these are the factors of *squared* errors, or alpha bar stands where its root is wanted",
)
error_factors.wrong(
    "score-unscaled", lambda: _factors(lambda a, s: {"eps": s / a, "x0": 1, "v": s, "score": s / a})
)
error_factors.wrong(
    "score-unscaled",
    lambda: _factors(lambda a, s: {"eps": s / a, "x0": 1, "v": s, "score": 1 / a}),
    sentence="score: eps is -sigma times the score; here it was divided by sigma, where one multiplies",
)
error_factors.wrong(
    "ratio-upside-down", lambda: _factors(lambda a, s: {"eps": a / s, "x0": 1, "v": 1 / s, "score": a / s**2})
)


def _wrong_factors(name, form, sentence="", width=0.02):
    def wrong():
        bar = DiffusionSchedule(1000, 1e-4, 0.02).alphas_cumprod[200]
        factors = {"eps": None, "x0": None, "v": None, "score": None} | form(bar.sqrt(), (1 - bar).sqrt())
        return {key: (float(factor) - width, float(factor) + width) for key, factor in factors.items()}

    error_factors.wrong(name, wrong, sentence=sentence)


def _right_factors(a, s):
    return {"eps": s / a, "x0": 1, "v": s, "score": s * s / a}


for _changed, _division in (
    ({"eps"}, "eps: x_0 = (x_t - sigma eps) / alpha; the division by alpha is missing"),
    ({"score"}, "score: x_0 = (x_t + sigma² score) / alpha; the division by alpha is missing"),
    (
        {"eps", "score"},
        "eps and score: whoever reads them as x_0 divides by alpha in the end; that is missing",
    ),
):
    _wrong_factors(
        "factor-missing",
        lambda a, s, changed=_changed: (
            _right_factors(a, s)
            | {key: value for key, value in {"eps": s, "score": s * s}.items() if key in changed}
        ),
        _division,
    )
_wrong_factors(
    "factor-missing",
    lambda a, s: _right_factors(a, s) | {"eps": 1 / a},
    "eps: it is multiplied by sigma before all is divided by alpha; sigma is missing",
)
_wrong_factors(
    "factor-missing",
    lambda a, s: _right_factors(a, s) | {"eps": 1 / a, "score": 1 / a},
    "eps and score: x_t is divided by alpha, but the answer is multiplied by a scale first; that one is missing",
)
_wrong_factors(
    "factor-missing",
    lambda a, s: _right_factors(a, s) | {"score": s * s * s / a},
    "score: eps = -sigma score, and x_0 has sigma eps / alpha in it: that makes sigma twice, not three times",
)
_wrong_factors(
    "score-unscaled",
    lambda a, s: _right_factors(a, s) | {"score": 1 / s},
    "score: that is the factor from eps to the score; wanted is the way from the score to x_0",
)
_wrong_factors(
    "score-unscaled",
    lambda a, s: _right_factors(a, s) | {"score": s},
    "score: that is the factor of its error in eps; x_0 has sigma eps / alpha in it",
)
_wrong_factors(
    "score-unscaled",
    lambda a, s: _right_factors(a, s) | {"score": 1 / s**2},
    "score: sigma² is a factor here, not a divisor: x_0 = (x_t + sigma² score) / alpha",
)
_wrong_factors(
    "wrong-target",
    lambda a, s: _right_factors(a, s) | {"v": 1},
    "v: it was read as if it were x_0; x_0 = alpha x_t - sigma v",
)
_wrong_factors(
    "wrong-target",
    lambda a, s: _right_factors(a, s) | {"v": s / a},
    "v: it was read as if it were eps; x_0 = alpha x_t - sigma v, with no division",
)
_wrong_factors(
    "wrong-target",
    lambda a, s: dict.fromkeys(("eps", "x0", "v", "score"), 1),
    "all four answers were taken as they come; each language is turned into x_0 first, with factors of its own",
)
for _changed in ({"v": 0}, {"score": 0}, {"eps": 0}):
    _wrong_factors(
        "error-for-nothing",
        lambda a, s, changed=_changed: _right_factors(a, s) | changed,
        f"{next(iter(_changed))}: an error of the answer has its part in x_0, so the factor is not 0",
    )
_wrong_factors(
    "error-for-nothing",
    lambda a, s: _right_factors(a, s) | {"x0": 0},
    "x0: an answer that is x_0 already is taken as it is, with its error: the factor is 1, not 0",
)
_wrong_factors(
    "error-not-divided",
    lambda a, s: {key: value / 100 for key, value in _right_factors(a, s).items()},
    width=0.0006,
)
_wrong_factors(
    "rounded-too-far",
    lambda a, s: {key: round(float(value), 1) for key, value in _right_factors(a, s).items()},
    width=0.001,
)
_wrong_factors(
    "rounded-too-far",
    lambda a, s: {key: round(float(value)) for key, value in _right_factors(a, s).items()},
    width=0.001,
)


def _factors_of_the_step(width=0.004):
    beta = DiffusionSchedule(1000, 1e-4, 0.02).betas[200]
    factors = _right_factors((1 - beta) ** 0.5, beta**0.5)
    return {key: (float(factor) - width, float(factor) + width) for key, factor in factors.items()}


error_factors.wrong(
    "alpha-for-alphabar",
    _factors_of_the_step,
    sentence="beta of the one step 200 was used; x_t has the noise of all 200 steps in it, 1 - alpha bar",
)


@error_factors.numbers
def _(_guess, draw):
    schedule, t = DiffusionSchedule(1000, 1e-4, 0.02), int(draw.integers(100, 600))
    alpha, sigma = (float(x) for x in _reshaped(schedule, torch.tensor(t), ()))
    return {f"at t = {t} the factor is for eps": sigma / alpha, "v": sigma, "score": sigma**2 / alpha}


# 3.6

exercise.explain("3.6", "grey is no failure, in a sentence")
