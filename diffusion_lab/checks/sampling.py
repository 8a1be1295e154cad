"""Checks of exercise 06, sampling: the step of the ancestral sampler, that of DDIM, and the loop around them."""

from itertools import pairwise

import torch

from diffusion_lab.bench.notes import Notes
from diffusion_lab.bench.sampling import Painter, thawed
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import (
    BATCH_OF_ONE,
    NOT_SQUARE,
    REAL_PICTURES,
    T_IS_LAST,
    T_IS_ONE,
    VERY_LARGE,
    border,
)
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.schedules import DiffusionSchedule

exercise = Exercise("06", "Sampling")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

FIVE = DiffusionSchedule(5, 0.1, 0.5)  # so short and steep that an index off by one shows
EIGHT = DiffusionSchedule(8, 0.05, 0.5)  # long enough to skip steps in
FOUR_LANGUAGES = ("03", "5. Four languages")  # where it says how x_0 is read from v


def _bars(schedule, *times):
    return [schedule.alphas_cumprod[time] for time in times]


def _read(x_t, x_0, abar):
    """The noise that is left of x_t when x_0 is taken out."""
    return (x_t - abar.sqrt() * x_0) / (1 - abar).sqrt()


SHARES = ("x_0_hat", "x_t", "z")


def _fitted(out, *pictures):
    """The numbers by which pictures were added up to others, if they were."""
    columns = torch.stack([picture.double().flatten() for picture in pictures], 1)
    found = torch.linalg.lstsq(columns, out.double().flatten()[:, None]).solution
    is_sum = bool((columns @ found - out.double().flatten()[:, None]).abs().max() < 1e-3)
    return found.flatten().tolist() if is_sum and bool(found.isfinite().all()) else None


class _Parts:
    """What a step from t to s is made of, with the beta of the whole jump unless another one is given."""

    def __init__(self, schedule, t, s, beta=None):
        self.abar_t, self.abar_s = _bars(schedule, t, s)
        self.beta = 1 - self.abar_t / self.abar_s if beta is None else beta
        self.of_x_0 = self.abar_s.sqrt() * self.beta / (1 - self.abar_t)
        self.of_x_t = (1 - self.beta).sqrt() * (1 - self.abar_s) / (1 - self.abar_t)
        self.tilde = self.beta * (1 - self.abar_s) / (1 - self.abar_t)
        self.stopped = self.beta * (self.abar_s < 1)  # the larger variance, and none at the end


# 6.1


@exercise.guess(
    "6.1",
    "two witnesses",
    1,
    "1. The way back, if you knew the end",
    hints=(
        "How sure a witness is, is 1 / variance. What is that for each of the two?",
        "x_0 is sure by 1 / 0.1 = 10, and x_2 by 0.8 / 0.2 = 4.",
        "The two add up, and the variance is 1 over the sum.",
    ),
)
def how_sure():
    """Variance of x_1 given x_0 and x_2, with beta_1 = 0.1 and beta_2 = 0.2; between these it is right."""
    return 0.0693, 0.0735


def _near(*values, by=0.01):
    """Ranges around wrong numbers, by a share of each."""
    return [lambda value=value: (value * (1 - by), value * (1 + by)) for value in values]


how_sure.wrong(
    "wrong-sigma",
    *_near(0.2, 0.25, 0.1),
    sentence="that is what one step or one witness says; two together are surer than either",
    at=("06", "1. The way back, if you knew the end"),
)
how_sure.wrong(
    "wrong-sigma",
    *_near(0.28),
    sentence="that is the variance of x_2, which x_0 alone leaves open; x_1 is asked",
)
how_sure.wrong(
    "factor-missing",
    *_near(1 / 15),
    *_near(15),
    sentence="x_2 is sure by alpha_2 / beta_2 = 4, and not by 1 / beta_2 = 5, since x_1 shrank on its way to x_2",
)
how_sure.wrong(
    "factor-missing",
    *_near(0.1 / 0.28 * 0.25, by=0.007),
    sentence="in the formula for both, beta_2 itself stands after the fraction, not beta_2 / alpha_2",
)
how_sure.wrong(
    "factor-missing",
    *_near(0.1 / 0.28, by=0.007),
    sentence="that is the fraction of 1 - alpha bar at 1 and at 2; beta_2 has to be multiplied to it",
)
how_sure.wrong("precisions-not-added", *_near(0.35, by=0.012), *_near(0.175))
how_sure.wrong(
    "precisions-not-added",
    *_near(0.0875, by=0.006),
    sentence=(
        "that is the variance of a plain mean of both; the surer witness counts more, and 1 / variance adds up"
    ),
)
how_sure.wrong(
    "precisions-not-added",
    *_near(0.025),
    sentence="the variances were multiplied; 1 / variance, how sure a witness is, adds up: 10 and 4",
)
how_sure.wrong(
    "precisions-not-added",
    *_near(1 / 7, 7),
    sentence="10 and 4, how sure the two are, were averaged; they add up",
)
how_sure.wrong("precisions-not-added", *_near(14), sentence="that is 1 / variance of both; turn it round")
how_sure.wrong(
    "precisions-not-added",
    *_near(1 / 0.35, 1 / 0.175),
    sentence="the variances were added before they were turned round; turn each round first: 1 / 0.1 and 1 / 0.25",
)
how_sure.wrong(
    "precisions-not-added",
    *_near(1 / 6),
    sentence="the difference of 10 and 4 was taken; how sure the two are adds up",
)
how_sure.wrong(
    "std-for-variance",
    *_near((0.1**-0.5 + 2) ** -1, (0.1**-0.5 + 2) ** -2),
    sentence="1 / standard deviation was added; how sure a witness is, is 1 / variance",
)
how_sure.wrong(
    "ratio-upside-down",
    *_near(0.56),
    sentence=(
        "(1 - alpha bar) at 1 stands above the line, at 2 below; two together are surer than either alone,"
        " below 0.1"
    ),
)
how_sure.wrong(
    "variance-as-std", *_near(14**-0.5), sentence="that is the standard deviation; its square is asked"
)
how_sure.wrong(
    "swapped-scales",
    *_near(0.15 / (1 / 0.1 + 1 / 0.25), 1 / (0.1 + 4), 1 / (10 + 0.25)),
    sentence="of both witnesses, 1 / variance is to be taken: 10 and 4, which add up",
)


@how_sure.numbers
def _(_guess, draw):
    x_1 = _bars(FIVE, 1)[0].sqrt() + (1 - _bars(FIVE, 1)[0]).sqrt() * draw.normal(40_000)
    x_2 = FIVE.alphas[2].sqrt() * x_1 + FIVE.betas[2].sqrt() * draw.normal(40_000)
    seen = x_1[(x_2 - 0.5).abs() < 0.1]
    return {"measured with walks from 1 that came close to 0.5, variance": seen.var(), "mean": seen.mean()}


# 6.2


@exercise.task(
    "6.2",
    "the ancestral step",
    3,
    "2. Which variance?",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
        REAL_PICTURES,
    ),
    without=("diffusion_lab.process:posterior",),
    hints=(
        (
            "Read alpha bar at t and at t - 1, and alpha and beta at t; all are plain numbers here. Equation"
            " (1) has the rest."
        ),
        (
            "variance = beta * (1 - abar_before) / (1 - abar), and the mean of equation (1) has (1 - abar)"
            " below both shares."
        ),
        (
            "mean = (abar_before.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_before) * x_t) / (1 -"
            " abar), then add variance.sqrt() * z."
        ),
    ),
)
def ancestral_step(x_t, x_0_hat, t, schedule, z):
    """x_{t-1} from x_t and the guess of x_0, (B, C, H, W), at one t for all, with the posterior's variance."""
    parts = _Parts(schedule, t, t - 1)
    return parts.of_x_0 * x_0_hat + parts.of_x_t * x_t + parts.tilde.sqrt() * z


@ancestral_step.also("variance beta")
def _(x_t, x_0_hat, t, schedule, z):
    parts = _Parts(schedule, t, t - 1)
    return parts.of_x_0 * x_0_hat + parts.of_x_t * x_t + parts.stopped.sqrt() * z


@ancestral_step.cases
def _(draw):
    for t, shape in ((4, (3, 1, 4, 4)), (2, (2, 3, 4, 5)), (1, (2, 1, 4, 4)), (3, (2, 1, 3, 3))):
        yield draw.normal(*shape), draw.normal(*shape), t, FIVE, draw.normal(*shape)
    yield draw.normal(1, 1, 3, 3), draw.normal(1, 1, 3, 3), 4, FIVE, draw.normal(1, 1, 3, 3)
    yield 50 * draw.normal(2, 1, 3, 3), 50 * draw.normal(2, 1, 3, 3), 3, FIVE, draw.normal(2, 1, 3, 3)
    x_0 = pictures.digits(2)
    yield FIVE.add_noise(x_0, 5, draw.normal(*x_0.shape)), x_0, 5, FIVE, draw.normal(*x_0.shape)


@ancestral_step.numbers
def _(step, draw):
    x_t, x_0_hat, still = (
        draw.normal(8, 1, 10, 10) + 1,
        draw.normal(8, 1, 10, 10) + 2,
        torch.zeros(8, 1, 10, 10),
    )
    return {f"mean at t = {t - 1}, with z = 0": step(x_t, x_0_hat, t, FIVE, still).mean() for t in (5, 3)}


def _step_shares(step, draw):
    """The shares of x_0_hat, x_t and z in steps from 3, 4 and 5, with the right ones; None if a step is no such sum."""
    rows = []
    for t in (3, 4, 5):
        x_t, x_0_hat, z = draw.normal(3, 3, 1, 5, 5)
        found = _fitted(step(x_t, x_0_hat, t, FIVE, z), x_0_hat, x_t, z)
        if found is None:
            return None
        parts = _Parts(FIVE, t, t - 1)
        rows.append((found, [float(parts.of_x_0), float(parts.of_x_t), float(parts.tilde.sqrt())], parts))
    return rows


def _wrong_shares(rows):
    """Which of the three shares are wrong in all steps, and have the right sign in each."""
    wrong = set()
    for found, wanted, parts in rows:
        for k in range(3):
            sizes = [wanted[k], float(parts.stopped.sqrt())] if k == 2 else [wanted[k]]
            if min(abs(found[k] - size) for size in sizes) > 1e-3 and found[k] > 1e-3:
                wrong.add(k)
    return wrong


for _share, _name, _what in (
    (
        0,
        "wrong-share",
        "x_t and z come with the right sizes, but the share of x_0_hat is not that of equation (1)",
    ),
    (
        1,
        "wrong-share",
        "x_0_hat and z come with the right sizes, but the share of x_t is not that of equation (1)",
    ),
    (2, "wrong-sigma", "the mean is right, but the noise has the root of neither variance for its size"),
):

    @ancestral_step.probe(_name, _what, at=("06", "2. Which variance?"))
    def _(step, draw, share=_share):
        rows = _step_shares(step, draw)
        signs = rows and all(value > 1e-3 for found, *_ in rows for value in found)
        return bool(signs) and _wrong_shares(rows) == {share}


@ancestral_step.holds
def _(step, draw):
    rows = _step_shares(step, draw)
    if rows and any(
        abs(a - b) > 1e-3 for found, wanted, _ in rows[:1] for a, b in zip(found, wanted, strict=True)
    ):
        told = ", ".join(f"{value:.3f} {name}" for value, name in zip(rows[0][0], SHARES, strict=True))
        ideal = ", ".join(f"{value:.3f} {name}" for value, name in zip(rows[0][1], SHARES, strict=True))
        return f"at t = 3 your step is {told}; with the first variance it is {ideal}"


@ancestral_step.holds
def _(step, draw):
    x_t, x_0_hat, z = draw.normal(3, 2, 1, 4, 4)
    if bool((step(x_t, x_0_hat, 1, FIVE, z) - x_0_hat).abs().max() > 1e-3):
        return "the step from t = 1 to t = 0 has to end at x_0_hat itself, and yours does not"


def _ancestral(shares=lambda p, _s, _t: (p.of_x_0, p.of_x_t), sigmas=None, shift=(0, -1)):
    """Steps with other shares of x_0 and x_t, or another size of the noise.

    One for each of the two variances.
    """
    sigmas = sigmas or (lambda p: p.tilde.sqrt(), lambda p: p.stopped.sqrt())

    def step(sigma):
        def step(x_t, x_0_hat, t, schedule, z):
            parts = _Parts(schedule, t + shift[0], t + shift[1], schedule.betas[t + shift[0]])
            a, b = shares(parts, schedule, t)
            return a * x_0_hat + b * x_t + sigma(parts) * z

        return step

    return [step(sigma) for sigma in sigmas]


def _noise_again(x_t, x_0_hat, t, schedule, sigma):
    parts = _Parts(schedule, t, t - 1)
    return parts.of_x_0 * x_0_hat + parts.of_x_t * x_t + sigma(parts) * _read(x_t, x_0_hat, parts.abar_t)


def _with_sigma_of(k, x_t, x_0_hat, t, schedule, z):
    """A step from t with the variance of the step from k."""
    parts = _Parts(schedule, t, t - 1)
    return parts.of_x_0 * x_0_hat + parts.of_x_t * x_t + _Parts(schedule, k, k - 1).tilde.sqrt() * z


def _renoised(x_t, x_0_hat, t, schedule, noise):
    (abar,) = _bars(schedule, t - 1)
    return abar.sqrt() * x_0_hat + (1 - abar).sqrt() * noise


ancestral_step.wrong("noise-at-end", *_ancestral(sigmas=[lambda p: p.beta.sqrt()]))
ancestral_step.wrong("no-noise-midway", *_ancestral(sigmas=[lambda p: 0]))
ancestral_step.wrong(
    "no-noise-midway",
    lambda x_t, x_0_hat, t, schedule, z: _renoised(
        x_t, x_0_hat, t, schedule, _read(x_t, x_0_hat, schedule.alphas_cumprod[t])
    ),
    sentence="that is the step of DDIM with eta = 0; the ancestral step throws dice",
)
ancestral_step.wrong(
    "variance-as-std",
    *_ancestral(sigmas=[lambda p: p.tilde, lambda p: p.beta, lambda p: p.stopped]),
    at=("06", "2. Which variance?"),
)
for _roots in (
    lambda p, _s, _t: (p.of_x_0 * p.abar_s.sqrt(), p.of_x_t),
    lambda p, _s, _t: (p.of_x_0, p.of_x_t * (1 - p.beta).sqrt()),
    lambda p, _s, _t: (p.of_x_0 * p.abar_s.sqrt(), p.of_x_t * (1 - p.beta).sqrt()),
    lambda p, _s, _t: (p.of_x_0, p.of_x_t / (1 - p.beta).sqrt()),
):
    ancestral_step.wrong(
        "variance-as-std",
        *_ancestral(_roots),
        sentence="in the mean, x_0 comes with sqrt(alpha bar) and x_t with sqrt(alpha): a root is missing",
    )
ancestral_step.wrong(
    "swapped-scales",
    *_ancestral(lambda p, _s, _t: (p.of_x_t, p.of_x_0)),
    sentence="the shares of x_0 and x_t in the mean changed places",
    at=("06", "1. The way back, if you knew the end"),
)
for _slice in (lambda z: z[:1], lambda z: z[-1:]):
    ancestral_step.wrong(
        "shared-noise",
        *(
            lambda x_t, x_0_hat, t, schedule, z, step=step, pick=_slice: step(
                x_t, x_0_hat, t, schedule, pick(z).expand_as(z)
            )
            for step in _ancestral()
        ),
    )
ancestral_step.wrong(
    "alphabar-for-alpha",
    *_ancestral(lambda p, _s, _t: (p.of_x_0, p.of_x_t * (p.abar_t / (1 - p.beta)).sqrt())),
    sentence="alpha bar was used in the share of x_t; alpha of the one step t is wanted there",
)
ancestral_step.wrong(
    "alpha-for-alphabar",
    *_ancestral(lambda p, s, t: (p.of_x_0 * (s.alphas[t] / p.abar_s).sqrt(), p.of_x_t)),
    *_ancestral(lambda p, s, t: (p.of_x_0 * (s.alphas[t - 1] / p.abar_s).sqrt(), p.of_x_t)),
    sentence="alpha of one step was used in the share of x_0; alpha bar at t - 1 is wanted there",
)
ancestral_step.wrong(
    "index-shift", *_ancestral(lambda p, _s, _t: (p.of_x_0 * (p.abar_t / p.abar_s).sqrt(), p.of_x_t))
)
ancestral_step.wrong(
    "index-shift",
    *_ancestral(lambda p, _s, _t: (p.abar_t.sqrt() * p.beta / (1 - p.abar_t), (1 - p.beta).sqrt())),
)


def _from_table(entry, guard=False):
    """Steps whose alpha and beta are those of another entry of the table than t."""

    def shares(p, s, t):
        beta = s.betas[entry(t)]
        return p.abar_s.sqrt() * beta / (1 - p.abar_t), (1 - beta).sqrt() * (1 - p.abar_s) / (1 - p.abar_t)

    def step(of_both):
        def step(x_t, x_0_hat, t, schedule, z):
            parts, beta = _Parts(schedule, t, t - 1), schedule.betas[entry(t)]
            a, b = shares(parts, schedule, t)
            variance = beta * ((1 - parts.abar_s) / (1 - parts.abar_t) if of_both else (parts.abar_s < 1))
            return a * x_0_hat + b * x_t + variance.sqrt() * z

        return step

    return [step(True), step(False), *_ancestral(shares)]


ancestral_step.wrong(
    "index-shift",
    *_from_table(lambda t: t - 1),
    *_from_table(lambda t: min(t + 1, 5)),
    sentence="alpha and beta were read one entry off; entry t of all tables is for step t",
)
for _low, _high in ((-1, 1), (0, 1)):
    ancestral_step.wrong(
        "result-clipped",
        *(
            lambda x_t, x_0_hat, t, schedule, z, step=step, low=_low, high=_high: step(
                x_t, x_0_hat.clamp(low, high), t, schedule, z
            )
            for step in _ancestral()
        ),
        sentence="the guess x_0_hat was clipped; take it as it is",
    )
ancestral_step.wrong(
    "ratio-upside-down",
    *_ancestral(sigmas=[lambda p: (p.beta * (1 - p.abar_t) / (1 - p.abar_s)).sqrt() if p.abar_s < 1 else 0]),
    sentence=(
        "the fraction in the variance is upside down: 1 - alpha bar at t - 1 belongs above the line, at t below"
    ),
)
ancestral_step.wrong(
    "noise-at-end",
    lambda x_t, x_0_hat, t, schedule, z: _with_sigma_of(max(t, 2), x_t, x_0_hat, t, schedule, z),
    sentence=(
        "at t = 1 the variance of another step was used, to keep a logarithm finite; it is 0, and nothing is added"
    ),
)
ancestral_step.wrong(
    "no-noise-midway",
    *(
        lambda x_t, x_0_hat, t, schedule, z, step=step: step(
            x_t, x_0_hat, t, schedule, z * (t < schedule.timesteps)
        )
        for step in _ancestral(
            sigmas=[lambda p: p.tilde.sqrt(), lambda p: p.stopped.sqrt(), lambda p: p.beta.sqrt()]
        )
    ),
    sentence="the step from t = T, the first one, got no noise; the only step without is that from t = 1",
)
ancestral_step.wrong(
    "factor-missing",
    *_ancestral(lambda p, _s, _t: (p.of_x_0 * (1 - p.beta).sqrt(), p.of_x_t * (1 - p.beta).sqrt())),
    sentence="the whole mean lacks the division by sqrt(alpha_t), with which x_t is brought back to the size before",
)
for _missing in (
    lambda p, _s, _t: (p.of_x_0 / p.beta, p.of_x_t),
    lambda p, _s, _t: (p.of_x_0, (1 - p.beta).sqrt() / (1 - p.abar_t)),
    lambda p, _s, _t: (p.of_x_0 / p.beta, (1 - p.beta).sqrt() / (1 - p.abar_t)),
    lambda p, _s, _t: (p.of_x_0 * (1 - p.abar_t), p.of_x_t * (1 - p.abar_t)),
    lambda p, _s, _t: (p.of_x_0, p.of_x_t * (1 - p.abar_t)),
    lambda p, _s, _t: (p.of_x_0 * (1 - p.abar_t), p.of_x_t),
    lambda p, _s, _t: (p.of_x_0 / p.abar_s.sqrt(), p.of_x_t / (1 - p.beta).sqrt()),
    lambda p, _s, _t: (p.of_x_0 / p.abar_s.sqrt(), p.of_x_t),
):
    ancestral_step.wrong(
        "factor-missing",
        *_ancestral(_missing),
        sentence="a factor is missing in the mean; equation (1) has three in each of its two shares",
        at=("06", "1. The way back, if you knew the end"),
    )
ancestral_step.wrong(
    "wrong-target",
    *_ancestral(
        lambda p, _s, _t: (
            -p.beta / (1 - p.abar_t).sqrt() / (1 - p.beta).sqrt(),
            1 / (1 - p.beta).sqrt(),
        ),
        sigmas=[lambda p: p.tilde.sqrt(), lambda p: p.stopped.sqrt(), lambda p: p.beta.sqrt()],
    ),
    sentence="x_0_hat was read as a guess of the noise; it is one of the clean pictures",
)


def _of_witnesses(variance_of_x_t, variance=lambda p, joint: joint):
    """Steps that weigh what x_t and x_0_hat say by how sure they are, x_t with a variance of its own."""

    def step(x_t, x_0_hat, t, schedule, z):
        if t == 1:
            return x_0_hat
        p = _Parts(schedule, t, t - 1)
        sure_t, sure_0 = 1 / variance_of_x_t(p), 1 / (1 - p.abar_s)
        joint = 1 / (sure_t + sure_0)
        mean = joint * (sure_t * x_t / (1 - p.beta).sqrt() + sure_0 * p.abar_s.sqrt() * x_0_hat)
        return mean + variance(p, joint).sqrt() * z

    return step


ancestral_step.wrong(
    "factor-missing",
    _of_witnesses(lambda p: p.beta),
    _of_witnesses(lambda p: p.beta, lambda p, joint: p.beta),
    sentence="what x_t says has the variance beta / alpha, since dividing by sqrt(alpha) stretches its noise as well",
    at=("06", "1. The way back, if you knew the end"),
)


def _beta_in_mean(x_t, x_0_hat, t, schedule, z):
    """Puts beta in the place of the variance of the posterior, in the mean as well."""
    if t == 1:
        return x_0_hat
    p = _Parts(schedule, t, t - 1)
    return (1 - p.beta).sqrt() * x_t + p.beta * p.abar_s.sqrt() / (1 - p.abar_s) * x_0_hat + p.beta.sqrt() * z


ancestral_step.wrong(
    "wrong-sigma",
    _beta_in_mean,
    sentence="beta took the place of the other variance in the mean as well; it may only be the size of the noise",
)
ancestral_step.wrong("index-shift", *_ancestral(shift=(0, 0)), *_ancestral(shift=(1, 0)))
ancestral_step.wrong("index-shift", *_ancestral(shift=(-1, -2)))
ancestral_step.wrong(
    "wrong-sigma",
    *_ancestral(
        sigmas=[
            lambda p: (1 - p.abar_t).sqrt(),
            lambda p: (1 - p.abar_s).sqrt(),
            lambda p: (p.beta / (1 - p.beta)).sqrt(),
            lambda p: 1,
            lambda p: ((1 - p.abar_s) / (1 - p.abar_t)).sqrt(),
            lambda p: (1 - p.beta).sqrt(),
            lambda p: (p.beta / (1 - p.beta)).sqrt() * (p.abar_s < 1),
            lambda p: (1 - p.abar_t).sqrt() * (p.abar_s < 1),
            lambda p: 1.0 * (p.abar_s < 1),
        ]
    ),
)
ancestral_step.wrong(
    "wrong-sigma",
    *_ancestral(sigmas=[lambda p: (p.tilde * p.beta) ** 0.25, lambda p: ((p.tilde + p.stopped) / 2).sqrt()]),
    sentence="a variance between the two was taken; either of them is right, and nothing in between",
)
for _k in (lambda p: p.tilde.sqrt(), lambda p: p.stopped.sqrt(), lambda p: p.beta.sqrt()):
    ancestral_step.wrong(
        "noise-reused",
        lambda x_t, x_0_hat, t, schedule, z, sigma=_k: _noise_again(x_t, x_0_hat, t, schedule, sigma),
        sentence="the noise that x_t has already was added once more; z, which is fresh, is wanted",
    )
ancestral_step.wrong("noised-anew", _renoised)


@ancestral_step.probe("draws-own-noise", at=("06", "2. Which variance?"))
def _(step, draw):
    x_t, x_0_hat, z = draw.normal(3, 2, 1, 4, 4)
    return bool((step(x_t, x_0_hat, 3, FIVE, z) != step(x_t, x_0_hat, 3, FIVE, z)).any())


# 6.3

TO_CLEAN = border("at s = 0", lambda x_t, x_0_hat, t, s, *_: not s)
ONE_STEP = border("at s = t - 1", lambda x_t, x_0_hat, t, s, *_: t - s == 1)
NO_DICE = border("with eta = 0", lambda x_t, x_0_hat, t, s, schedule, eta, z: eta == 0)
ALL_DICE = border("with eta = 1", lambda x_t, x_0_hat, t, s, schedule, eta, z: eta == 1)


def _ddim(
    sigma=lambda p, eta: eta * p.tilde.sqrt(),
    old=lambda p, sigma: (1 - p.abar_s - sigma**2).clamp(min=0).sqrt(),
    read=_read,
    times=lambda t, s: (t, s),
    z_of=lambda z, eps: z,
    keep=lambda p: p.abar_s.sqrt(),
):
    """A DDIM step with something changed: the fresh noise, the old noise, how it is read, the times, or the signal."""

    def step(x_t, x_0_hat, t, s, schedule, eta, z):
        t, s = times(t, s)
        parts = _Parts(schedule, t, s)
        parts.dense = schedule.betas[t] * (1 - parts.abar_s) / (1 - parts.abar_t)
        parts.dense_beta = schedule.betas[t]
        parts.before = _Parts(schedule, t, t - 1)
        parts.summed, parts.too_long = (
            schedule.betas[s + 1 : t + 1].sum(),
            1 - schedule.alphas[s : t + 1].prod(),
        )
        eps, fresh = read(x_t, x_0_hat, parts.abar_t), sigma(parts, eta)
        return keep(parts) * x_0_hat + old(parts, fresh) * eps + fresh * z_of(z, eps)

    return step


@exercise.task(
    "6.3",
    r"a step of any length, with $\eta$",
    3,
    "3. The same step, rearranged",
    ends=(
        T_IS_LAST,
        TO_CLEAN,
        ONE_STEP,
        NO_DICE,
        ALL_DICE,
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
    ),
    hints=(
        (
            "First the noise that x_t has already: take the signal out of x_t and divide by the size of the"
            " noise."
        ),
        (
            "Then sigma² by equation (3), eta squared included, and sigma, its root. All tables are read at t"
            " and s only."
        ),
        "abar_s.sqrt() * x_0_hat + (1 - abar_s - sigma**2).sqrt() * eps + sigma * z.",
    ),
)
def ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    """x_s from x_t and the guess of x_0, (B, C, H, W), for any s < t."""
    return _ddim()(x_t, x_0_hat, t, s, schedule, eta, z)


@ddim_step.cases
def _(draw):
    for t, s, eta, shape in (
        (5, 2, 0.6, (3, 1, 4, 4)),
        (7, 3, 1.0, (2, 3, 4, 5)),
        (4, 0, 0.5, (2, 1, 4, 4)),
        (5, 4, 0.8, (2, 1, 3, 3)),
        (6, 1, 0.0, (2, 1, 3, 3)),
    ):
        yield draw.normal(*shape), draw.normal(*shape), t, s, EIGHT, eta, draw.normal(*shape)
    yield draw.normal(1, 1, 3, 3), draw.normal(1, 1, 3, 3), 8, 3, EIGHT, 0.7, draw.normal(1, 1, 3, 3)
    yield (
        50 * draw.normal(2, 1, 3, 3),
        50 * draw.normal(2, 1, 3, 3),
        6,
        2,
        EIGHT,
        0.5,
        draw.normal(2, 1, 3, 3),
    )


@ddim_step.numbers
def _(step, draw):
    x_t, x_0_hat = draw.normal(8, 1, 10, 10) + 1, draw.normal(8, 1, 10, 10) + 2
    x_s = step(x_t, x_0_hat, 6, 2, EIGHT, 0.5, draw.normal(8, 1, 10, 10))
    return {"mean": x_s.mean(), "variance": x_s.var()}


def _ddim_parts(step, draw):
    """Sizes of signal, old noise and fresh noise in some steps, with the right ones; None if it is no such sum."""
    rows = []
    for t, s, eta in ((6, 2, 0.5), (7, 3, 0.8), (5, 1, 0.3)):
        x_t, x_0_hat, z = draw.normal(3, 3, 1, 5, 5)
        found = _fitted(step(x_t, x_0_hat, t, s, EIGHT, eta, z), x_0_hat, x_t, z)
        if found is None:
            return None
        parts = _Parts(EIGHT, t, s)
        abar_t, abar_s, sigma = float(parts.abar_t), float(parts.abar_s), eta * float(parts.tilde.sqrt())
        signal, old = found[0] + found[1] * abar_t**0.5, found[1] * (1 - abar_t) ** 0.5
        rows.append(
            ([signal, old, found[2]], [abar_s**0.5, (1 - abar_s - sigma**2) ** 0.5, sigma], 1 - abar_s)
        )
    return rows


def _is_off(rows, *places):
    """Whether these sizes are wrong in all steps and the others right, and none is 0 or below."""
    return bool(rows) and all(
        all((abs(a - b) > 1e-3) == (k in places) for k, (a, b) in enumerate(zip(found, wanted, strict=True)))
        and min(found) > 1e-3
        for found, wanted, _ in rows
    )


@ddim_step.probe(
    "wrong-sigma",
    "all fits together, but sigma is not that of equation (3), so old and fresh noise have other shares",
    at=("06", "3. The same step, rearranged"),
)
def _(step, draw):
    rows = _ddim_parts(step, draw)
    is_whole = rows and all(abs(old**2 + fresh**2 - room) < 1e-3 for (_, old, fresh), _, room in rows)
    return bool(is_whole) and _is_off(rows, 1, 2)


for _place, _what in enumerate(
    (
        (
            "x_t and z come with the right sizes, but x_0_hat does not: either where it is added, times sqrt(alpha"
            " bar(s)), or where it is taken out of x_t, times sqrt(alpha bar(t))"
        ),
        (
            "x_0_hat and z come with the right sizes, but the old noise does not: either where it is added, times"
            " sqrt(1 - alpha bar(s) - sigma²), or where it is read out of x_t, divided by sqrt(1 - alpha bar(t))"
        ),
        "x_0_hat and the old noise come with the right sizes, but z does not: its size is sigma",
    )
):

    @ddim_step.probe("wrong-share", _what, at=("06", "3. The same step, rearranged"))
    def _(step, draw, place=_place):
        return _is_off(_ddim_parts(step, draw), place)


@ddim_step.holds
def _(step, draw):
    rows = _ddim_parts(step, draw)
    if rows and any(abs(a - b) > 1e-3 for a, b in zip(*rows[0][:2], strict=True)):
        told, ideal = (", ".join(f"{size:.3f}" for size in sizes) for sizes in rows[0][:2])
        return (
            f"with t = 6, s = 2 and eta = 0.5, the sizes of x_0_hat, the old noise and z in your step are {told};"
            f" {ideal} are wanted"
        )


@ddim_step.holds
def _(step, draw):
    x_0, eps, z = draw.normal(3, 2000, 1, 2, 2)
    abar_t, abar_s = _bars(EIGHT, 6, 2)
    for eta in (0.0, 1.0):
        x_s = step((abar_t.sqrt() * x_0 + (1 - abar_t).sqrt() * eps).float(), x_0, 6, 2, EIGHT, eta, z)
        noise = (x_s - abar_s.sqrt() * x_0).var()
        if abs(noise - (1 - abar_s)) > 0.1 * (1 - abar_s):
            return (
                f"at s = 2 noise of variance {1 - abar_s:.3f} belongs, and with eta = {eta:g} yours has"
                f" {noise:.3f}"
            )


ddim_step.wrong(
    "stride-beta", _ddim(lambda p, eta: eta * p.dense.sqrt()), _ddim(lambda p, eta: eta * p.dense_beta.sqrt())
)
ddim_step.wrong(
    "stride-beta",
    _ddim(lambda p, eta: eta * p.before.tilde.sqrt()),
    _ddim(lambda p, eta: eta * (p.before.beta * (1 - p.abar_s) / (1 - p.abar_t)).sqrt()),
    sentence="in sigma stands a table at t - 1; the step goes to s, and everything there is read at t and s",
)
ddim_step.wrong(
    "stride-beta",
    *(
        _ddim(
            lambda p, eta, cap=cap: eta * (p.summed.clamp(max=cap) * (1 - p.abar_s) / (1 - p.abar_t)).sqrt()
        )
        for cap in (0.999, 1, 100)
    ),
    sentence="the betas of the steps were added up; the beta of the jump is 1 - alpha bar(t) / alpha bar(s)",
)
ddim_step.wrong(
    "index-shift",
    _ddim(lambda p, eta: eta * (p.too_long * (1 - p.abar_s) / (1 - p.abar_t)).sqrt()),
    sentence="the product of the alphas began at s; the first step of the jump is s + 1",
)


def _small_steps_with_all_dice(x_t, x_0_hat, t, s, schedule, eta, z):
    """With eta = 1 a step to t - 1, wherever it should go."""
    return _ddim()(x_t, x_0_hat, t, t - 1 if eta == 1 else s, schedule, eta, z)


ddim_step.wrong(
    "stride-beta",
    _small_steps_with_all_dice,
    sentence="with eta = 1 the step went from t to t - 1; it goes to s, whatever eta is",
)
ddim_step.wrong(
    "variance-as-std",
    _ddim(lambda p, eta: eta**2 * p.tilde),
    at=("06", "3. The same step, rearranged"),
)
ddim_step.wrong("variance-as-std", _ddim(lambda p, eta: eta * p.tilde))
ddim_step.wrong(
    "variance-as-std",
    _ddim(lambda p, eta: eta**0.5 * p.tilde.sqrt()),
    sentence="eta multiplies sigma; in sigma² it stands squared",
)
ddim_step.wrong(
    "variance-as-std",
    _ddim(old=lambda p, sigma: (1 - p.abar_s - sigma).clamp(min=0).sqrt()),
    _ddim(old=lambda p, sigma: 1 - p.abar_s - sigma**2),
    _ddim(old=lambda p, sigma: (1 - p.abar_s).sqrt() - sigma),
    sentence="variances are subtracted: sqrt(1 - alpha bar(s) - sigma²) is wanted for the old noise",
)
ddim_step.wrong(
    "variance-as-std",
    _ddim(read=lambda x_t, x_0, abar: (x_t - abar * x_0) / (1 - abar).sqrt()),
    _ddim(read=lambda x_t, x_0, abar: (x_t - abar.sqrt() * x_0) / (1 - abar)),
    _ddim(read=lambda x_t, x_0, abar: (x_t - abar * x_0) / (1 - abar)),
    sentence="reading the noise out of x_t, a root of alpha bar or of 1 - alpha bar was forgotten",
)
ddim_step.wrong(
    "wrong-target",
    _ddim(read=lambda x_t, x_0, abar: x_t - abar.sqrt() * x_0),
    _ddim(read=lambda x_t, x_0, abar: x_t - x_0),
    _ddim(read=lambda x_t, x_0, abar: x_t),
    _ddim(read=lambda x_t, x_0, abar: x_t / (1 - abar).sqrt()),
    sentence="the old noise was not read right: it is x_t without the signal, divided by its size",
)
ddim_step.wrong(
    "no-shrinking",
    _ddim(read=lambda x_t, x_0, abar: (x_t - x_0) / (1 - abar).sqrt()),
    sentence="x_0_hat was taken off x_t whole; in x_t it has shrunk to sqrt(alpha bar(t)) of it",
)
ddim_step.wrong(
    "wrong-sign",
    _ddim(read=lambda x_t, x_0, abar: (x_t + abar.sqrt() * x_0) / (1 - abar).sqrt()),
    sentence="the signal was added to x_t, where it is to be taken out of it to leave the noise",
)
ddim_step.wrong(
    "variance-as-std",
    _ddim(keep=lambda p: p.abar_s),
    sentence="x_0_hat comes with sqrt(alpha bar(s)); the root is missing",
)
ddim_step.wrong(
    "index-shift",
    _ddim(keep=lambda p: p.abar_t.sqrt()),
    sentence="x_0_hat came with the scale of t; at s it is sqrt(alpha bar(s))",
)
ddim_step.wrong(
    "no-shrinking",
    _ddim(keep=lambda p: 1),
    sentence="x_0_hat came whole; at s it has shrunk to sqrt(alpha bar(s)) of it",
)
ddim_step.wrong(
    "wrong-sign",
    _ddim(old=lambda p, sigma: -(1 - p.abar_s - sigma**2).clamp(min=0).sqrt()),
    sentence="the old noise was taken off; it is added, as it is in x_t",
)
ddim_step.wrong(
    "wrong-sign",
    _ddim(old=lambda p, sigma: (1 - p.abar_s + sigma**2).sqrt()),
    sentence="under the root sigma² was added; it makes room for fresh noise, and is taken off",
)
ddim_step.wrong("noise-on-top", _ddim(old=lambda p, sigma: (1 - p.abar_s).sqrt()))
ddim_step.wrong("no-noise-midway", _ddim(lambda p, eta: 0 * p.tilde))
ddim_step.wrong(
    "no-noise-midway",
    lambda *args: _ddim(z_of=lambda z, eps: 0)(*args),
    sentence="room was made for fresh noise, and none was added",
    at=("06", "3. The same step, rearranged"),
)
ddim_step.wrong("ignores-eta", _ddim(lambda p, eta: p.tilde.sqrt()))
ddim_step.wrong(
    "ignores-eta",
    _ddim(lambda p, eta: (eta > 0) * p.tilde.sqrt()),
    _ddim(lambda p, eta: (eta == 1) * p.tilde.sqrt()),
    _ddim(lambda p, eta: (eta > 0.5) * p.tilde.sqrt()),
    sentence="eta was used as a switch, all dice or none; in between it makes sigma larger in proportion",
)
ddim_step.wrong(
    "one-minus",
    _ddim(lambda p, eta: (1 - eta) * p.tilde.sqrt()),
    sentence="eta was read the wrong way round: 0 is no dice, and 1 is all of them",
)
ddim_step.wrong(
    "variance-as-std",
    _ddim(lambda p, eta: eta**2 * p.tilde.sqrt()),
    sentence="eta was squared once too often: sigma² has eta², so sigma has eta",
)
ddim_step.wrong(
    "variance-as-std",
    lambda x_t, x_0_hat, t, s, schedule, eta, z: _ddim(
        z_of=lambda z, eps: eta * _Parts(schedule, t, s).tilde.sqrt() * z
    )(x_t, x_0_hat, t, s, schedule, eta, z),
    sentence="the fresh noise was multiplied by sigma²; its size is sigma, the root",
)


def _all_room(x_t, x_0_hat, t, s, schedule, eta, z):
    """The old noise makes room for all dice, whatever eta is."""
    return _ddim(old=lambda p, sigma: (1 - p.abar_s - p.tilde).clamp(min=0).sqrt())(
        x_t, x_0_hat, t, s, schedule, eta, z
    )


def _blended(x_t, x_0_hat, t, s, schedule, eta, z):
    """A mixture of a step without dice and one with all of them."""
    calm, wild = (_ddim()(x_t, x_0_hat, t, s, schedule, some, z) for some in (0.0, 1.0))
    return (1 - eta) * calm + eta * wild


ddim_step.wrong(
    "noise-too-small",
    _all_room,
    sentence="the old noise made room for all the dice, and only the share eta of them was thrown; take sigma² off",
)
ddim_step.wrong(
    "noise-too-small",
    _blended,
    sentence="two finished steps were mixed; eta belongs into sigma, so that the variances add up to 1 - alpha bar(s)",
)
for _clip in (lambda x: x.clamp(-1, 1), lambda x: x.clamp(0, 1)):
    ddim_step.wrong(
        "result-clipped",
        lambda x_t, x_0_hat, t, s, schedule, eta, z, clip=_clip: _ddim()(
            x_t, clip(x_0_hat), t, s, schedule, eta, z
        ),
        lambda x_t, x_0_hat, t, s, schedule, eta, z, clip=_clip: _ddim(
            read=lambda x_t, x_0, abar: _read(x_t, x_0_hat, abar)
        )(x_t, clip(x_0_hat), t, s, schedule, eta, z),
        lambda x_t, x_0_hat, t, s, schedule, eta, z, clip=_clip: _ddim(
            read=lambda x_t, x_0, abar: _read(x_t, clip(x_0), abar)
        )(x_t, x_0_hat, t, s, schedule, eta, z),
        sentence="the guess x_0_hat was clipped; take it as it is",
    )
ddim_step.wrong(
    "noise-rescaled",
    *(
        _ddim(read=lambda x_t, x_0, abar, change=change: change(x_t - abar.sqrt() * x_0))
        for change in (
            lambda eps: eps / eps.std(),
            lambda eps: (eps - eps.mean()) / eps.std(),
            lambda eps: eps / eps.square().mean().sqrt(),
            lambda eps: eps / eps.std(dim=(1, 2, 3), keepdim=True),
            lambda eps: eps / eps.flatten(1).std(dim=1).reshape(-1, 1, 1, 1),
        )
    ),
)
for _when, _sentence in (
    (
        lambda t, s, eta: s <= 1,
        "at s = 1 the guess came back as it is; there is still noise at t = 1, and none only at s = 0",
    ),
    (
        lambda t, s, eta: eta == 0,
        "with eta = 0 the guess came back; without dice the old noise stays, at the size of s",
    ),
    (lambda t, s, eta: t == 8, "from t = T the guess came back; a step from there is like any other"),
):
    ddim_step.wrong(
        "endpoint-missed",
        lambda x_t, x_0_hat, t, s, schedule, eta, z, when=_when: (
            x_0_hat if when(t, s, eta) else _ddim()(x_t, x_0_hat, t, s, schedule, eta, z)
        ),
        sentence=_sentence,
    )
ddim_step.wrong(
    "wrong-sigma",
    _ddim(lambda p, eta: eta * p.beta.sqrt() * (1 - p.abar_s).sqrt()),
    _ddim(lambda p, eta: eta * p.beta.sqrt()),
    _ddim(lambda p, eta: eta * (1 - p.abar_s).sqrt()),
    _ddim(lambda p, eta: eta * ((1 - p.abar_s) / (1 - p.abar_t)).sqrt()),
    _ddim(lambda p, eta: torch.as_tensor(eta)),
    _ddim(lambda p, eta: eta * p.beta.sqrt() * (p.abar_s < 1)),
    _ddim(
        lambda p, eta: (
            eta * (p.beta * (1 - p.abar_t) / (1 - p.abar_s)).sqrt() if p.abar_s < 1 else 0 * p.tilde
        )
    ),
    _ddim(lambda p, eta: eta * ((1 - p.abar_t) / (1 - p.abar_s)).sqrt() if p.abar_s < 1 else 0 * p.tilde),
    _ddim(lambda p, eta: eta * (p.beta / (1 - p.abar_t)).sqrt()),
    _ddim(lambda p, eta: eta * (1 - p.abar_t).sqrt()),
    _ddim(lambda p, eta: eta * (1 - p.abar_t / p.abar_s) * ((1 - p.abar_s) / (1 - p.abar_t)).sqrt()),
    _ddim(lambda p, eta: eta * ((1 - p.abar_s) / (1 - p.abar_t)) * (1 - p.abar_t / p.abar_s).sqrt()),
    sentence="sigma is not that of equation (3): two factors, of which the second is the beta of the jump",
    at=("06", "3. The same step, rearranged"),
)
ddim_step.wrong("index-shift", _ddim(times=lambda t, s: (t, s + 1)))
ddim_step.wrong("index-shift", _ddim(times=lambda t, s: (t - 1, s)), _ddim(times=lambda t, s: (t + 1, s)))
ddim_step.wrong("index-shift", _ddim(times=lambda t, s: (t - 1, s - 1)), _ddim(times=lambda t, s: (t, s - 1)))
ddim_step.wrong(
    "stride-beta",
    _ddim(times=lambda t, s: (t, t - 1)),
    sentence="the step went from t to t - 1; s may be much earlier",
)
ddim_step.wrong(
    "swapped-scales",
    _ddim(read=lambda x_t, x_0, abar: (x_t - (1 - abar).sqrt() * x_0) / abar.sqrt()),
)
ddim_step.wrong("noise-reused", _ddim(z_of=lambda z, eps: eps))
ddim_step.wrong("noised-anew", _ddim(lambda p, eta: (1 - p.abar_s).sqrt()))


@ddim_step.probe("draws-own-noise", at=("06", "3. The same step, rearranged"))
def _(step, draw):
    x_t, x_0_hat, z = draw.normal(3, 2, 1, 4, 4)
    return bool((step(x_t, x_0_hat, 6, 2, EIGHT, 1.0, z) != step(x_t, x_0_hat, 6, 2, EIGHT, 1.0, z)).any())


# 6.4

ALL_AT_ONCE = border("with one step from start to end", lambda model, schedule, times, *_: len(times) == 2)
EVERY_TIME = border(
    "where every time is visited", lambda model, schedule, times, *_: len(times) == times[0] + 1
)
BELOW_THE_LAST = border(
    "where the first time is below T", lambda model, schedule, times, *_: times[0] < schedule.timesteps
)


def _tilde(p):
    return p.tilde.sqrt()


def _stopped(p):
    return p.stopped.sqrt()


def _loop(
    sigma=_tilde,
    ask=lambda t, s, k: t,
    read=lambda out, x, abar: abar.sqrt() * x - (1 - abar).sqrt() * out,
    parts_of=lambda schedule, t, s: _Parts(schedule, t, s),
    z_of=lambda noises, k, eps: noises[k],
    steps=lambda pairs: pairs,
    join=lambda p, x_0, x: p.of_x_0 * x_0 + p.of_x_t * x,
    always_x_T=False,
    asks_once=False,
):
    """The loop with something changed; see 6.4 for its arguments."""

    @torch.no_grad()
    def sampler(model, schedule, times, x_T, noises):
        x, out = x_T, None
        model.eval()
        for k, (t, s) in enumerate(steps(list(pairwise(times)))):
            x = x_T if always_x_T else x
            out = out if asks_once and k else model(x, torch.full((len(x),), ask(t, s, k)))
            abar_t = schedule.alphas_cumprod[t].float()
            x_0, p = read(out, x, abar_t), parts_of(schedule, t, s)
            x = join(p, x_0, x) + sigma(p) * z_of(noises, k, _read(x, x_0, abar_t))
        return x

    return sampler


@exercise.task(
    "6.4",
    "the whole sampler, with skipped steps",
    4,
    "3. The same step, rearranged",
    prepare=thawed,
    ends=(
        ALL_AT_ONCE,
        EVERY_TIME,
        BELOW_THE_LAST,
        BATCH_OF_ONE,
        NOT_SQUARE,
    ),
    hints=(
        "`for k, (t, s) in enumerate(pairwise(times))` has everything that changes: step k goes from t to s.",
        (
            "In the loop: v = model(x, torch.full((len(x),), t)), x_0 = abar_t.sqrt() * x - (1 -"
            " abar_t).sqrt() * v, then a step from t to s with beta = 1 - abar_t / abar_s. Yours of 6.3 with"
            " eta = 1 is one."
        ),
        (
            "Before the loop model.eval(), and around it `with torch.no_grad():`. The last step, to s = 0,"
            " must add nothing; with the variance of the posterior that happens by itself."
        ),
    ),
)
def sampler(model, schedule, times, x_T, noises):
    """Ancestral sampling from x_T, (B, C, H, W), down the list of times, with noises, (steps, B, C, H, W)."""
    return _loop()(model, schedule, times, x_T, noises)


sampler.also("variance of the jump")(_loop(_stopped))


@sampler.cases
def _(draw):
    for times, shape in (
        ([8, 5, 3, 0], (3, 1, 4, 4)),
        ([8, 6, 4, 2, 0], (2, 2, 3, 4)),
        ([7, 4, 1, 0], (2, 1, 4, 4)),
        ([8, 4, 2, 0], (1, 1, 3, 3)),
        ([8, 0], (2, 1, 3, 3)),
        ([4, 3, 2, 1, 0], (2, 1, 3, 3)),
    ):
        yield (
            Painter(EIGHT),
            EIGHT,
            times,
            draw.normal(*shape),
            draw.normal(len(times) - 1, *shape),
        )


@sampler.numbers
def _(sampler, draw):
    x_T, no_noise = draw.normal(8, 1, 10, 10) + 1, torch.zeros(4, 8, 1, 10, 10)
    x = sampler(Painter(EIGHT), EIGHT, [8, 6, 5, 2, 0], x_T, no_noise)
    return {"with no noise, mean": x.mean(), "variance": x.var()}


@sampler.probe("missing-eval", always=True)
def _(sampler, draw):
    told = Notes()
    sampler(Painter(EIGHT, told), EIGHT, [8, 4, 0], draw.normal(2, 1, 3, 3), draw.normal(2, 2, 1, 3, 3))
    return any(is_training for is_training, *_ in told.entries)


@sampler.probe("missing-no-grad", always=True)
def _(sampler, draw):
    told = Notes()
    with torch.enable_grad():
        sampler(Painter(EIGHT, told), EIGHT, [8, 4, 0], draw.normal(2, 1, 3, 3), draw.normal(2, 2, 1, 3, 3))
    return any(wants_gradients for _, wants_gradients, *_ in told.entries)


def _told_times(sampler, draw):
    """What the network is told as times, by a sampler that goes from 8 to 4 and to 0 with three pictures."""
    told = Notes()
    sampler(Painter(EIGHT, told), EIGHT, [8, 4, 0], draw.normal(3, 1, 3, 3), draw.normal(2, 3, 1, 3, 3))
    return [(t, number) for *_, t, number in told.entries]


@sampler.probe("one-time-for-all", always=True)
def _(sampler, draw):
    told = _told_times(sampler, draw)
    return any(not isinstance(t, torch.Tensor) or t.shape != (number,) for t, number in told)


@sampler.probe(
    "scaled-time",
    "the network was told the time as a share of T; it wants the number of the step itself, t",
    always=True,
)
def _(sampler, draw):
    told = _told_times(sampler, draw)
    return any(torch.as_tensor(t).is_floating_point() and bool((t <= 1).all()) for t, _ in told)


@sampler.probe(
    "wrong-dtype",
    "the network was told times with a decimal point; it wants whole numbers, as `torch.full` gives them for an int",
    always=True,
)
def _(sampler, draw):
    return any(torch.as_tensor(t).is_floating_point() for t, _ in _told_times(sampler, draw))


@sampler.probe("draws-own-noise", at=("06", "2. Which variance?"))
def _(sampler, draw):
    given = [Painter(EIGHT), EIGHT, [8, 4, 0], draw.normal(2, 1, 3, 3), draw.normal(2, 2, 1, 3, 3)]
    return bool((sampler(*given) != sampler(*given)).any())


def _dense(schedule, t, s):
    return _Parts(schedule, t, t - 1)


def _dense_but_last(schedule, t, s):
    parts = _Parts(schedule, t, t - 1)
    parts.tilde, parts.stopped = parts.tilde * (s > 0), parts.stopped * (s > 0)
    return parts


def _half_dense(schedule, t, s):
    return _Parts(schedule, t, s, schedule.betas[t])


def _dense_spread(schedule, t, s):
    parts, dense = _Parts(schedule, t, s), _half_dense(schedule, t, s)
    parts.tilde, parts.stopped, parts.beta = dense.tilde, dense.stopped, dense.beta
    return parts


def _ddim_join(p, x_0, x):
    return p.abar_s.sqrt() * x_0 + (1 - p.abar_s).sqrt() * _read(x, x_0, p.abar_t)


def _strided(t, stride, steps):
    """Pairs of times from t down, all as far apart."""
    times = [max(t - k * stride, 0) for k in range(steps + 1)]
    return [(t, s) for t, s in pairwise(times) if t > 0]


def _first_picture(noises, k, eps):
    return noises[k][:1]


def _last_picture(noises, k, eps):
    return noises[k][-1:]


for _sigma in (_tilde, _stopped):
    sampler.wrong(
        "stride-beta",
        *(_loop(_sigma, parts_of=parts) for parts in (_dense, _dense_but_last, _half_dense, _dense_spread)),
    )
    for _pairs in (
        lambda pairs: [(t, max(t - pairs[0][0] + pairs[0][1], 0)) for t, _ in pairs],
        lambda pairs: _strided(pairs[0][0], pairs[0][0] - pairs[0][1], len(pairs)),
        lambda pairs: list(pairwise(torch.linspace(8, 0, len(pairs) + 1).round().int().tolist())),
        lambda pairs: _strided(pairs[0][0], max(pairs[0][0] // len(pairs), 1), len(pairs)),
    ):
        sampler.wrong("times-ignored", _loop(_sigma, steps=_pairs))
    sampler.wrong(
        "times-ignored",
        _loop(_sigma, steps=lambda pairs: [(8, pairs[0][1]), *pairs[1:]]),
        sentence="the first step began at T; it begins at `times[0]`, which may be earlier",
    )
    sampler.wrong(
        "endpoint-missed",
        _loop(
            _sigma,
            steps=lambda pairs: pairs[1:],
            z_of=lambda noises, k, eps: noises[min(k + 1, len(noises) - 1)],
        ),
        sentence="the first step, from times[0] to times[1], is missing",
    )
    sampler.wrong(
        "no-noise-midway",
        _loop(_sigma, z_of=lambda noises, k, eps: noises[k] * (k + 2 < len(noises))),
        _loop(_sigma, z_of=lambda noises, k, eps: noises[k] * (k > 0)),
        sentence="one step too many got no noise; only the last one, to t = 0, adds nothing",
    )
    sampler.wrong(
        "index-shift",
        _loop(_sigma, z_of=lambda noises, k, eps: noises[k - 1]),
        _loop(_sigma, z_of=lambda noises, k, eps: noises[(k + 1) % len(noises)]),
        _loop(_sigma, z_of=lambda noises, k, eps: noises[min(k + 1, len(noises) - 1)]),
        sentence="the noises were read one place off; step k adds noises[k]",
    )
    sampler.wrong("shared-noise", *(_loop(_sigma, z_of=pick) for pick in (_first_picture, _last_picture)))
    for _change, _sentence in (
        (lambda x: (x + 1) / 2, "the pictures were brought to [0, 1] in the end; leave them in [-1, 1]"),
        (lambda x: (x + 1) * 127.5, "the pictures were brought to 0 … 255 in the end; leave them in [-1, 1]"),
        (
            lambda x: ((x + 1) / 2).clamp(0, 1),
            "the pictures were brought to [0, 1] in the end; leave them in [-1, 1]",
        ),
    ):
        sampler.wrong(
            "result-rescaled",
            lambda *args, sigma=_sigma, change=_change: change(_loop(sigma)(*args)),
            sentence=_sentence,
        )
    sampler.wrong(
        "not-iterated",
        _loop(_sigma, asks_once=True),
        sentence="the network was asked once, before the loop; it is asked in every step about the x_t of that step",
        at=("06", "2. Which variance?"),
    )
    sampler.wrong(
        "noise-reused", *(_loop(_sigma, z_of=lambda noises, k, eps, j=j: noises[j]) for j in (0, -1))
    )
    sampler.wrong(
        "noise-reused",
        _loop(_sigma, z_of=lambda noises, k, eps: eps),
        sentence="the noise that x_t has already was added once more; noises[k], which is fresh, is wanted",
    )
    sampler.wrong(
        "index-shift",
        _loop(_sigma, ask=lambda t, s, k: s),
        _loop(_sigma, ask=lambda t, s, k: t - 1),
        sentence="the network was asked about x_t with a time that is too early; it wants t, the time of x_t",
        at=("04", "4. The time: waves, not a number"),
    )
    sampler.wrong(
        "index-shift",
        _loop(_sigma, ask=lambda t, s, k: k),
        _loop(_sigma, ask=lambda t, s, k: k + 1),
        sentence="the network was told the number of the step; it wants t, the time of x_t",
        at=("04", "4. The time: waves, not a number"),
    )
    sampler.wrong(
        "wrong-sign",
        _loop(_sigma, read=lambda out, x, abar: abar.sqrt() * x + (1 - abar).sqrt() * out),
        sentence="a sign is wrong in x_0 = alpha x_t - sigma v",
        at=FOUR_LANGUAGES,
    )
    sampler.wrong("endpoint-missed", _loop(_sigma, steps=lambda pairs: pairs[:-1]))
    sampler.wrong("endpoint-missed", _loop(_sigma, steps=lambda pairs: pairs[1:]))
    sampler.wrong(
        "wrong-target",
        _loop(_sigma, read=lambda out, x, abar: out),
        _loop(_sigma, read=lambda out, x, abar: (x - (1 - abar).sqrt() * out) / abar.sqrt()),
        _loop(_sigma, read=lambda out, x, abar: x - out),
        sentence=(
            "what the network said was read as another quantity; it says v, and x_0 is alpha x_t - sigma v"
        ),
        at=FOUR_LANGUAGES,
    )
    sampler.wrong(
        "swapped-scales",
        _loop(_sigma, read=lambda out, x, abar: (1 - abar).sqrt() * x - abar.sqrt() * out),
        sentence="x_0 is alpha x_t - sigma v; alpha and sigma changed places",
        at=FOUR_LANGUAGES,
    )
    sampler.wrong(
        "variance-as-std",
        _loop(_sigma, read=lambda out, x, abar: abar * x - (1 - abar) * out),
        sentence=(
            "x_0 is alpha x_t - sigma v, with roots: alpha = sqrt(alpha bar), sigma = sqrt(1 - alpha bar)"
        ),
        at=FOUR_LANGUAGES,
    )
    sampler.wrong(
        "not-iterated",
        _loop(_sigma, always_x_T=True),
        sentence="every step began at x_T; a step begins where the one before it ended",
        at=("06", "2. Which variance?"),
    )
sampler.wrong(
    "noise-at-end", _loop(lambda p: p.beta.sqrt()), _loop(lambda p: p.beta.sqrt(), parts_of=_dense_spread)
)
sampler.wrong("no-noise-midway", _loop(lambda p: 0), _loop(lambda p: 0, join=_ddim_join))
sampler.wrong(
    "variance-as-std",
    _loop(lambda p: p.tilde),
    _loop(lambda p: p.stopped),
    _loop(lambda p: p.beta),
    at=("06", "2. Which variance?"),
)
sampler.wrong(
    "wrong-sigma",
    _loop(lambda p: (1 - p.abar_s).sqrt()),
    _loop(lambda p: (1 - p.abar_t).sqrt()),
    _loop(lambda p: 1),
)
sampler.wrong(
    "noised-anew", _loop(lambda p: (1 - p.abar_s).sqrt(), join=lambda p, x_0, x: p.abar_s.sqrt() * x_0)
)
sampler.wrong(
    "noise-on-top",
    _loop(join=_ddim_join),
    _loop(_stopped, join=_ddim_join),
)

# 6.5


def _shares(low, high):
    """A range for each of the four numbers, from two rows: t = 300 and t = 700, without dice and with them."""
    names = ("t = 300, eta = 0", "t = 300, eta = 1", "t = 700, eta = 0", "t = 700, eta = 1")
    return dict(zip(names, zip(low, high, strict=True), strict=True))


def _about(*values):
    return lambda: _shares([value - 0.045 for value in values], [value + 0.045 for value in values])


def _about_all(change, by):
    """Ranges around something that was done to the right shares."""
    changed = [change(share) for share in (0.769, 0.663, 0.398, 0.267)]
    return lambda: _shares([value - by for value in changed], [value + by for value in changed])


@exercise.guess(
    "6.5",
    "half of the way",
    2,
    "9. Between two noises",
    hints=(
        (
            "x_t by equation (3) of lesson 01, which is cosine.add_noise, for 2000 walkers that all begin at"
            " 1.3."
        ),
        (
            "The first t betas are a schedule of their own: part ="
            " dl.DiffusionSchedule.from_betas(cosine.betas[1 : t + 1])."
        ),
        (
            "*_, state = dl.SAMPLERS['ddim'](exact, part, x_t, num_steps=50, eta=eta, objective='x0',"
            " generator=generator), then (state.x_t > 0.75).float().mean()."
        ),
    ),
)
def kept():
    """Share of walkers that come back to the bell they were taken from; exact denoiser, 10 to 200 steps."""
    return _shares((0.72, 0.61, 0.35, 0.205), (0.82, 0.72, 0.45, 0.32))


kept.wrong(
    "noise-only",
    lambda: _shares((0.72, 0.1995, 0.35, 0.1995), (0.82, 0.2005, 0.45, 0.2005)),
    lambda: _shares((0.72, 0.61, 0.35, 0.1995), (0.82, 0.72, 0.45, 0.2005)),
    lambda: _shares((0.72, 0.61, 0.1995, 0.1995), (0.82, 0.72, 0.2005, 0.2005)),
    sentence=(
        "0.2 is the weight of the third bell, the share from pure noise, t = T; from t = 700 a little is kept even"
        " with dice"
    ),
)
kept.wrong("wrong-clock", _about(0.748, 0.193, 0.386, 0.193))
kept.wrong(
    "no-shrinking", _about(0.85, 0.727, 0.708, 0.37), sentence="x_t needs the shrunk 1.3, not 1.3 itself"
)
kept.wrong("variance-as-std", _about(0.832, 0.6, 0.238, 0.221), _about(0.943, 0.705, 0.382, 0.264))
kept.wrong("swapped-scales", _about(0.408, 0.38, 0.772, 0.342))
kept.wrong("no-way-up", _about(1, 0.837, 1, 0.366), _about(1, 0.735, 0, 0.247))
kept.wrong("ignores-eta", _about(0.769, 0.769, 0.398, 0.398), _about(0.663, 0.663, 0.267, 0.267))
kept.wrong(
    "ignores-eta", _about(0.663, 0.769, 0.267, 0.398), sentence="the numbers of the two etas changed places"
)


kept.wrong(
    "in-percent",
    _about_all(lambda share: 100 * share, 4.5),
    sentence="these are percent; shares from 0 to 1 are wanted",
)
kept.wrong(
    "in-percent",
    _about_all(lambda share: 2000 * share, 90),
    sentence="these are counts; divide by the 2000 walkers",
)
kept.wrong(
    "one-minus",
    _about_all(lambda share: 1 - share, 0.045),
    sentence="that is the share *below* 0.75; above is wanted",
)
kept.wrong(
    "results-exchanged",
    _about(0.398, 0.267, 0.769, 0.663),
    sentence="the numbers of t = 300 and t = 700 changed places",
)
kept.wrong(
    "noise-only",
    _about(0.2, 0.2, 0.2, 0.2),
    sentence="as from pure noise, which leads to the third bell in a fifth of the cases; begin with noised 1.3",
)
kept.wrong(
    "no-way-up",
    lambda: _shares((0.9995, 0.61, 0.9995, 0.205), (1.0005, 0.72, 1.0005, 0.32)),
    sentence=(
        "without dice the way down does not undo the way up: the noise of the way up can carry a walker into another"
        " bell"
    ),
)
kept.wrong(
    "shared-noise",
    *(
        lambda first=first, second=second: _shares(
            (first - 0.005, 0, second - 0.005, 0), (first + 0.005, 1, second + 0.005, 1)
        )
        for first, second in ((0, 0), (0, 1), (1, 0))
    ),
    sentence="the walkers share one noise, so that without dice all of them end in one place; each has its own",
)
kept.wrong(
    "other-count",
    _about(0.997, 0.975, 0.839, 0.72),
    _about(0.98, 0.896, 0.691, 0.548),
    lambda: _shares((0.825, 0.7, 0.43, 0.285), (0.86, 0.76, 0.49, 0.35)),
    _about(0.461, 0.353, 0.237, 0.148),
    sentence="the walkers beyond another border were counted; those above 0.75 are asked",
)
kept.wrong(
    "other-count",
    _about(0.534, 0.466, 0.262, 0.187),
    _about(0.409, 0.371, 0.199, 0.15),
    _about(0.228, 0.187, 0.102, 0.08),
    sentence="only the walkers that end close to 1.3 were counted; all above 0.75 are asked",
)
kept.wrong(
    "other-count",
    lambda: _shares((0.72, 0.61, 0.47, 0.43), (0.82, 0.72, 0.54, 0.5)),
    sentence="walkers below -0.75 were counted as well, in the first bell; only those above 0.75 are asked",
)
kept.wrong(
    "wrong-target",
    _about(0.44, 0.14, 0.086, 0.024),
    _about(0.545, 0.242, 0.319, 0.169),
    sentence='what `exact` says was read as v or as noise; it says x_0, so the sampler wants objective="x0"',
)
kept.wrong(
    "other-schedule",
    _about(0.906, 0.3, 0.51, 0.265),
    sentence=(
        "the sampler walked down another schedule than the noise came up; it wants the first t betas of `cosine`"
    ),
)


@kept.numbers
def _(_guess, draw):
    schedule = DiffusionSchedule.cosine(1000)
    found = {}
    for t in (300, 700):
        abar = schedule.alphas_cumprod[t]
        x_t = abar.sqrt() * 1.3 + (1 - abar).sqrt() * draw.normal(20_000)
        bells = [(0.3, -1.2, 0.03), (0.5, 0.2, 0.05), (0.2, 1.3, 0.02)]
        spreads = [abar * variance + 1 - abar for _, _, variance in bells]
        logs = [
            torch.log(weight / spread.sqrt()) - (x_t - abar.sqrt() * centre) ** 2 / (2 * spread)
            for (weight, centre, _), spread in zip(bells, spreads, strict=True)
        ]
        found[f"by Bayes' rule, eta = 1 and no sampler: t = {t}"] = torch.stack(logs).softmax(0)[2].mean()
    return found


# 6.6

exercise.explain("6.6", "where the variety comes from, in a sentence")
