"""Checks of exercise 02, noise schedules: the ratio that counts, three curves, and what the number of steps does."""

import math

import torch

from diffusion_lab.bench.noise_schedules import three_curves
from diffusion_lab.checks.ends import BATCH_OF_ONE, FLOAT64, T_IS_LAST, T_IS_ONE, border
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.checks.outcomes import TOLERANCE, same
from diffusion_lab.schedules import DiffusionSchedule, cosine_betas, linear_betas, quadratic_betas

exercise = Exercise("02", "Noise schedules")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show


def _table(draw, steps, low=0.1, high=0.5):
    """Random betas of a schedule so short and steep that an index off by one shows."""
    return torch.cat([torch.zeros(1), draw.uniform(low, high, steps)]).double()


def _bar(betas):
    return (1 - betas).cumprod(0)


# 2.1

HARDLY_NOISED = border("where the ratio is far above 1", lambda t, betas: _ratio(_bar(betas)[t]).max() > 20)
TINY_BETAS = border("where the betas are tiny", lambda t, betas: _ratio(_bar(betas)[t]).max() > 1e4)
NEARLY_NOISE = border("where the ratio is far below 1", lambda t, betas: _ratio(_bar(betas)[t]).max() < 0.05)


@exercise.task(
    "2.1",
    "signal against noise",
    1,
    "2. Signal-to-noise ratio",
    ends=(
        T_IS_ONE,
        T_IS_LAST,
        BATCH_OF_ONE,
        FLOAT64,
        HARDLY_NOISED,
        TINY_BETAS,
        NEARLY_NOISE,
    ),
    hints=(
        (
            "Equation (2) wants alpha bar. Which table do you get when you multiply up 1 - beta, and which"
            " entry is for t?"
        ),
        "`alpha_bar = torch.cumprod(1 - betas, dim=0)[t]` has one number per element of t.",
        "The signal is alpha_bar, the noise 1 - alpha_bar; return alpha_bar / (1 - alpha_bar).",
    ),
)
def snr(t, betas):
    """Signal-to-noise ratio at times t, (B,), from the table of betas, (T+1,)."""
    return _ratio(_bar(betas)[t])


@snr.cases
def _(draw):
    yield draw.shuffled(range(1, 6)), _table(draw, 5)
    yield draw.shuffled((1, 2, 3)), _table(draw, 5)
    yield torch.tensor([4, 2]), _table(draw, 4)
    yield torch.tensor([3]), _table(draw, 5)
    yield torch.tensor([1, 2]), _table(draw, 5, 0.01, 0.02)
    yield torch.tensor([2, 1, 3]), _table(draw, 4, 1e-6, 3e-6)
    yield torch.tensor([8, 6, 7]), _table(draw, 8, 0.5, 0.7)
    yield torch.tensor([3, 1, 2]), _table(draw, 4, 1e-8, 3e-8)
    yield torch.tensor([9, 7, 8]), _table(draw, 9, 0.85, 0.95)


@snr.numbers
def _(snr, draw):
    return {"mean of 200 ratios": snr(draw.integers(1, 5, 200), _table(draw, 5, 0.2, 0.5)).mean()}


@snr.holds
def _(snr, draw):
    ratios = snr(torch.arange(1, 6), _table(draw, 5))
    if bool((ratios.diff() > 0).any()):
        return "a schedule only adds noise, so the ratio must fall with t; yours rises somewhere"


def _ratio(bar):
    return bar / (1 - bar)


def _at(read, form=_ratio):
    """The ratio with another table, or with another form: a function of (t, betas)."""
    return lambda t, betas: form(read(betas, t))


def _right_bar(betas, t):
    return _bar(betas)[t]


snr.wrong("share-for-ratio", _at(_right_bar, lambda bar: bar))
snr.wrong("ratio-upside-down", _at(_right_bar, lambda bar: (1 - bar) / bar))
snr.wrong(
    "variance-as-std",
    _at(_right_bar, lambda bar: _ratio(bar).sqrt()),
    _at(_right_bar, lambda bar: bar.sqrt() / (1 - bar)),
    _at(_right_bar, lambda bar: _ratio(bar.sqrt())),
    _at(_right_bar, lambda bar: bar / (1 - bar).sqrt()),
    sentence=(
        "the ratio is one of variances, alpha bar and 1 - alpha bar; a root was taken of one of them, or of"
        " both"
    ),
)
snr.wrong(
    "variance-as-std",
    _at(_right_bar, lambda bar: _ratio(bar) ** 2),
    sentence="alpha bar is a variance already",
)
for _form in (torch.log, torch.log10, lambda ratio: 10 * ratio.log10()):
    snr.wrong("log-for-ratio", _at(_right_bar, lambda bar, form=_form: form(_ratio(bar))))
_SAFE = "a small number below the line, or a bound, makes the first ratios too small; 1 - alpha bar is never 0 there"
for _bound in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
    snr.wrong(
        "safety-number",
        _at(_right_bar, lambda bar, bound=_bound: bar / (1 - bar).clamp(min=bound)),
        _at(_right_bar, lambda bar, bound=_bound: _ratio(bar.clamp(max=1 - bound))),
        _at(_right_bar, lambda bar, bound=_bound: _ratio(bar.clamp(bound, 1 - bound))),
        sentence=_SAFE,
    )
for _added in (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
    snr.wrong(
        "safety-number",
        _at(_right_bar, lambda bar, added=_added: bar / (1 - bar + added)),
        sentence=_SAFE,
    )
snr.wrong(
    "nearly-right",
    _at(lambda betas, t: _bar(betas.float())[t]),
    _at(lambda betas, t: _bar(betas).float()[t]),
    _at(lambda betas, t: (1 - betas.float()).double().cumprod(0)[t]),
    _at(lambda betas, t: (1 - betas).float().cumprod(0)[t]),
    sentence="1 - alpha bar lost its digits in float32; stay in float64, the type of the table",
)
snr.wrong(
    "ignores-t",
    lambda t, betas: _ratio(_bar(betas)),
    lambda t, betas: _ratio(_bar(betas))[1:],
    sentence="the whole table came back; wanted are its entries at the times `t`",
)
snr.wrong(
    "share-for-ratio",
    _at(_right_bar, lambda bar: 1 - bar),
    sentence="that is the noise alone, 1 - alpha bar; the ratio is wanted",
)
snr.wrong(
    "shared-t",
    _at(lambda betas, t: _bar(betas)[t].mean().expand(len(t))),
    lambda t, betas: _ratio(_bar(betas)[t]).mean().expand(len(t)),
    sentence="the mean over the whole batch came back; every time has a ratio of its own",
)
snr.wrong("alpha-for-alphabar", _at(lambda betas, t: 1 - betas[t]))
snr.wrong("picked-too-early", _at(lambda betas, t: (1 - betas[t]).cumprod(0)))
snr.wrong("beta-for-alpha", _at(lambda betas, t: betas[1:].cumprod(0)[t - 1]))
snr.wrong("cumsum-for-cumprod", _at(lambda betas, t: 1 - betas.cumsum(0)[t]))
snr.wrong("cumsum-for-cumprod", _at(lambda betas, t: (1 - betas.cumsum(0)[t]).clamp(min=0)))
snr.wrong("index-shift", _at(lambda betas, t: _bar(betas)[t - 1]))
snr.wrong("index-shift", _at(lambda betas, t: _bar(betas)[t + 1]))
snr.wrong("index-shift", _at(lambda betas, t: _bar(betas[1:])[t]))

# 2.2


@exercise.guess(
    "2.2",
    "a tenth of the steps",
    1,
    "3. Fewer steps, same betas",
    hints=(
        (
            "Section 1 has a short way: alpha bar at the end is nearly exp(-sum of the betas). How large is"
            " that sum?"
        ),
        "A hundred betas whose average is half way from 0.0001 to 0.02 have the sum 1.005.",
        "exp(-1.005) is 0.37. That is alpha bar; the picture itself is multiplied by its square root.",
    ),
)
def scale_left():
    """Scale of the picture after 100 linear steps from 0.0001 to 0.02; between these it is right."""
    return 0.58, 0.628


scale_left.wrong(
    "variance-as-std",
    lambda: (0.34, 0.39),
    sentence=(
        "either this is alpha bar, and its square root is wanted; or the root was taken, and the sum of the"
        " betas is twice too large, as if every beta were 0.02"
    ),
)
scale_left.wrong(
    "alpha-for-alphabar",
    lambda: (0.128, 0.138),
    sentence="the last beta, 0.02, was used for all 100 steps; the betas rise to it from 0.0001",
)
scale_left.wrong(
    "other-schedule",
    lambda: (0.94, 0.955),
    lambda: (0.89, 0.905),
    sentence="these are the first 100 of the 1000 steps; here 100 steps go all the way up to 0.02",
)
scale_left.wrong(
    "wrong-factor",
    lambda: (0.06, 0.07),
    sentence="that is ten times what 1000 steps leave; but the sum of the betas stands in an exponent",
)
scale_left.wrong(
    "cumsum-for-cumprod",
    lambda: (0.49, 0.505),
    lambda: (-0.01, 0.0),
    sentence="the losses were subtracted; what each step leaves has to be multiplied",
)
scale_left.wrong(
    "betas-stretched",
    lambda: (0.002, 0.02),
    sentence="that is what 1000 steps with these ends leave; a hundred have a tenth of the sum of the betas",
)
scale_left.wrong(
    "half-the-steps",
    lambda: (0.768, 0.789),
    sentence=(
        "either that is what 50 steps leave, as in the lesson, and here there are 100; or a root was taken twice"
    ),
)
scale_left.wrong(
    "swapped-scales", lambda: (0.79, 0.82), sentence="that is the scale of the noise, not of the picture"
)
scale_left.wrong(
    "alpha-for-alphabar", lambda: (0.975, 0.995), sentence="that is the last step alone; there are 100"
)
scale_left.wrong(
    "one-minus",
    lambda: (0.38, 0.42),
    sentence="that is 1 - sqrt(alpha bar), what is lost; what is left is wanted",
)
scale_left.wrong(
    "swapped-scales", lambda: (0.625, 0.645), sentence="that is 1 - alpha bar, the variance of the noise"
)


@scale_left.numbers
def _(_guess, draw):
    x = torch.ones(20_000)
    for beta in DiffusionSchedule(100, 1e-4, 0.02).betas[1:]:
        x = (1 - beta).sqrt() * x + beta.sqrt() * draw.normal(20_000)
    return {"measured with 20,000 numbers that began at 1, mean": x.mean(), "variance": x.var()}


# 2.3

CURVES = ("linear", "quadratic", "cosine")
TWO_STEPS = border("with T = 2", lambda T, low, high: T == 2)
MANY_STEPS = border("with many steps", lambda T, low, high: T >= 100)


def _with_zero(betas):
    return torch.cat([torch.zeros(1, dtype=torch.float64), betas])


@exercise.task(
    "2.3",
    "three curves",
    3,
    "1. Four curves",
    ends=(
        TWO_STEPS,
        MANY_STEPS,
    ),
    prepare=three_curves,
    without=[f"diffusion_lab.schedules:{name}_betas" for name in ("linear", "quadratic", "cosine")],
    hints=(
        (
            "`torch.linspace(a, b, T)` gives T evenly spaced numbers. Of what are they evenly spaced in the"
            " quadratic one?"
        ),
        (
            "For the cosine, compute f at the T+1 times 0 … T first. beta_t = 1 - f(t) / f(t-1): `1 - f[1:] /"
            " f[:-1]`."
        ),
        (
            "Quadratic: `torch.linspace(low**0.5, high**0.5, T) ** 2`. Cap: `.clamp(max=0.999)`. A 0 in"
            " front: `torch.cat`."
        ),
    ),
)
def curves(T, low, high):
    """Linear, quadratic and cosine betas for T steps, three tables of shape (T+1,)."""
    return tuple(
        map(_with_zero, (linear_betas(T, low, high), quadratic_betas(T, low, high), cosine_betas(T)))
    )


RIGHT_CURVES = curves.rights[""]
ENDS = ((5, 0.05, 0.5), (8, 0.02, 0.3), (40, 0.01, 0.3))


@curves.cases
def _(draw):
    yield from ENDS
    yield 30, float(draw.uniform(0.001, 0.01)), float(draw.uniform(0.1, 0.4))
    yield 2, 0.1, 0.4
    yield 100, 1e-4, 0.02


@curves.numbers
def _(curves, draw):
    low, high = float(draw.uniform(0.001, 0.05)), float(draw.uniform(0.2, 0.6))
    T = int(draw.integers(20, 60))
    label = f"with T = {T}, low = {low:.3f}, high = {high:.3f} the betas add up to: linear"
    return dict(zip((label, *CURVES[1:]), [table.sum() for table in curves(T, low, high)], strict=True))


@curves.holds
def _(curves, draw):
    for name, (low, high), table in zip(
        CURVES, [(0.05, 0.5)] * 2 + [(0.05, 0.999)], curves(5, 0.05, 0.5), strict=True
    ):
        if table[0] != 0:
            return f"{name}: entry 0 is for clean data, and must be 0"
        if bool((table[1:] <= 0).any() or (table[1:] >= 1).any()):
            return (
                f"{name}: a beta lies between 0 and 1; yours go from {table[1:].min():.3f} to"
                f" {table.max():.3f}"
            )
        if bool((table.diff() < 0).any()):
            return f"{name}: here the betas rise from step to step; yours fall somewhere"
        if name != "cosine" and (abs(table[1] - low) > 1e-3 or abs(table[-1] - high) > 1e-3):
            return (
                f"{name}: step 1 has {table[1]:.3f} and step T {table[-1]:.3f}; {low} and {high} were wanted"
            )


def _fall(T, s=0.008, power=2, times=None):
    """The falling f of the cosine, at T+1 times or at others."""
    times = torch.arange(T + 1, dtype=torch.float64) / T if times is None else times
    return torch.cos((times + s) / (1 + s) * math.pi / 2) ** power


def _betas_of(f):
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def _cosine_squared(share):
    return torch.cos(share.double() * math.pi / 2) ** 2


def _short(T):
    """The falling f at T times only, from 0 to 1."""
    return _fall(T, times=_even(0, 1, T))


def _geometric(low, high, number):
    return _even(math.log(low), math.log(high), number).exp()


def _even(low, high, number):
    return torch.linspace(low, high, number, dtype=torch.float64)


def _curve(name, which, *formulas, sentence=""):
    """Declare a mistake in one of the three curves, whatever the other two are: a function of (T, low, high)."""
    for formula in formulas:

        def made(curves, _draw, formula=formula):
            pairs = [(curves(*ends)[CURVES.index(which)], formula(*ends)) for ends in ENDS]
            rights = [RIGHT_CURVES(*ends)[CURVES.index(which)] for ends in ENDS]
            is_right = all(
                same((got,), (right,), TOLERANCE) for (got, _), right in zip(pairs, rights, strict=True)
            )
            return not is_right and all(same((got,), (wrong,), TOLERANCE) for got, wrong in pairs)

        curves.probe(name, sentence)(made)


for _bits in range(1, 8):  # some of the three, or all

    def _cut(T, low, high, bits=_bits):
        return tuple(x[1:] if bits >> k & 1 else x for k, x in enumerate(curves.rights[""](T, low, high)))

    curves.wrong("missing-zero-entry", _cut)
_curve("missing-zero-entry", "linear", lambda T, low, high: _even(low, high, T + 1))
_curve("missing-zero-entry", "quadratic", lambda T, low, high: _even(low**0.5, high**0.5, T + 1) ** 2)
_curve("fence-posts", "linear", lambda T, low, high: _with_zero(_even(low, high, T + 1)[1:]))
_curve("fence-posts", "linear", lambda T, low, high: _with_zero(_even(low, high, T + 1)[:-1]))
for _part in (slice(1, None), slice(None, -1)):
    _curve(
        "fence-posts",
        "quadratic",
        lambda T, low, high, part=_part: _with_zero(_even(low**0.5, high**0.5, T + 1)[part] ** 2),
    )
_curve(
    "roots-not-even",
    "quadratic",
    lambda T, low, high: _with_zero(_even(low, high, T) ** 2),
    sentence=(
        "the betas go from low² to high²; it is their roots that go evenly, from sqrt(low) to sqrt(high)"
    ),
)
_curve(
    "roots-not-even",
    "quadratic",
    lambda T, low, high: _with_zero(_even(low**0.5, high**0.5, T)),
    sentence="the roots are evenly spaced, but they are returned; square them, and they are betas",
)
_curve(
    "roots-not-even",
    "quadratic",
    lambda T, low, high: _with_zero(_even(low**2, high**2, T).sqrt()),
    lambda T, low, high: _with_zero(_even(low, high, T).sqrt()),
    lambda T, low, high: _with_zero(low + (high - low) * _even(0, 1, T) ** 2),
    lambda T, low, high: _with_zero(_even(low, high, T)),
)


def _kept_instead(T, low, high):
    return [_with_zero(1 - table[1:]) for table in curves.rights[""](T, low, high)]


curves.wrong(
    "alpha-for-beta",
    _kept_instead,
    sentence="what the steps keep was returned, alpha; beta is what they take away, 1 - alpha",
)
curves.wrong(
    "betas-rescaled",
    *(
        lambda T, low, high, cap=cap: (
            *((table * 1000 / T).clamp(max=cap) for table in curves.rights[""](T, low, high)[:2]),
            curves.rights[""](T, low, high)[2],
        )
        for cap in (1e9, 1, 0.999)
    ),
    lambda T, low, high: [table * 1000 / T for table in curves.rights[""](T, low, high)],
)
_curve("cap-missing", "cosine", lambda T, low, high: _with_zero(1 - _fall(T)[1:] / _fall(T)[:-1]))
_curve("offset-missing", "cosine", lambda T, low, high: _with_zero(_betas_of(_fall(T, s=0))))
_curve(
    "offset-missing",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(_fall(T, s=0, times=_even(0, 1, T + 1) + 0.008))),
    sentence="the offset s was added, but not divided out again: (t/T + s) / (1 + s)",
)
_curve("cosine-not-squared", "cosine", lambda T, low, high: _with_zero(_betas_of(_fall(T, power=1))))
_curve(
    "alpha-for-beta",
    "cosine",
    lambda T, low, high: _with_zero(_fall(T)[1:] / _fall(T)[:-1]),
    lambda T, low, high: torch.cat([torch.ones(1, dtype=torch.float64), _fall(T)[1:] / _fall(T)[:-1]]),
)
_curve(
    "alphabar-for-alpha",
    "cosine",
    lambda T, low, high: 1 - _fall(T) / _fall(T)[0],
    lambda T, low, high: (1 - _fall(T) / _fall(T)[0]).clamp(max=0.999),
    lambda T, low, high: (1 - _fall(T)).clamp(max=0.999),
    sentence=(
        "1 - alpha bar counts all steps up to t; beta_t is of the one step: 1 - alpha bar(t) / alpha bar(t-1)"
    ),
)
_curve(
    "alphabar-for-alpha",
    "cosine",
    lambda T, low, high: _fall(T) / _fall(T)[0],
    lambda T, low, high: _fall(T),
    lambda T, low, high: _with_zero((_fall(T) / _fall(T)[0])[1:]),
    lambda T, low, high: _with_zero(_fall(T)[1:]),
    sentence="alpha bar was returned; what is wanted are the betas that lead there",
)

_curve(
    "result-clipped",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(_fall(T)).clamp(max=high)),
    lambda T, low, high: _with_zero(_betas_of(_fall(T)).clamp(low, high)),
    lambda T, low, high: _with_zero(_betas_of(_fall(T)).clamp(min=low)),
    sentence="the cosine was kept between `low` and `high`, or one of them; it does not use them",
)
_curve(
    "cap-missing",
    "cosine",
    *(
        lambda T, low, high, cap=cap: _with_zero(_betas_of(_fall(T)).clamp(max=cap))
        for cap in (0.5, 0.9, 0.95, 0.99, 0.995, 0.998)
    ),
    *(
        lambda T, low, high, cap=cap: _with_zero((1 - _fall(T)[1:] / _fall(T)[:-1]).clamp(max=cap))
        for cap in (0.9999, 0.99999, 0.9995)
    ),
    sentence="the cosine has another cap; no beta above 0.999 is wanted",
)
for _floor in (1e-2, 1e-3, 1e-4, 1e-5):
    _curve(
        "safety-number",
        "cosine",
        lambda T, low, high, floor=_floor: _with_zero(_betas_of((_fall(T) / _fall(T)[0]).clamp(min=floor))),
        lambda T, low, high, floor=_floor: _with_zero(_betas_of(_fall(T).clamp(min=floor))),
        sentence="alpha bar was kept away from 0; it is the betas that are capped, at 0.999",
    )
_curve(
    "difference-for-ratio",
    "cosine",
    lambda T, low, high: _with_zero(-_fall(T).diff()),
    lambda T, low, high: _with_zero(-(_fall(T) / _fall(T)[0]).diff()),
    lambda T, low, high: _with_zero(-(_fall(T) / _fall(T)[0]).diff().clamp(max=0.999)),
)
_curve(
    "offset-missing",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(_cosine_squared((_even(0, T, T + 1) + 0.008) / (T + 0.008)))),
    lambda T, low, high: _with_zero(_betas_of(_cosine_squared(_even(0, 1, T + 1) + 0.008))),
    lambda T, low, high: _with_zero(_betas_of(_cosine_squared(_even(0, 1, T + 1) + 2 * 0.008))),
    lambda T, low, high: _with_zero(_betas_of(_cosine_squared((_even(0, 1, T + 1)) / 1.008 + 0.008))),
    lambda T, low, high: _with_zero(_betas_of(_cosine_squared(_even(0, 1, T + 1) / 1.008))),
    sentence="the offset s is not where it belongs: (t/T + s) / (1 + s), with both brackets",
)
_curve(
    "offset-missing",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(_fall(T, s=0.08))),
    lambda T, low, high: _with_zero(_betas_of(_fall(T, s=0.0008))),
    lambda T, low, high: _with_zero(_betas_of(_fall(T, s=0.8))),
    sentence="the offset s is another one; 0.008 is wanted",
)
_curve(
    "endpoint-missed",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(torch.cat([torch.ones(1, dtype=torch.float64), _fall(T)[1:]]))),
    sentence="beta_1 is 1 - f(1) / f(0), and f(0) is a little below 1; here 1 stood in its place",
)
_curve(
    "fence-posts",
    "cosine",
    lambda T, low, high: torch.cat([1 - _short(T)[:1], _betas_of(_short(T))]).clamp(max=0.999),
    lambda T, low, high: _with_zero(torch.cat([1 - _short(T)[:1], _betas_of(_short(T))]).clamp(max=0.999)),
    lambda T, low, high: _with_zero(_betas_of(_fall(T, times=_even(0, 1, T)))),
    sentence="the cosine wants f at T + 1 times, t/T for t = 0 … T, which have T gaps between them",
)
_curve(
    "ignores-argument",
    "cosine",
    lambda T, low, high: _with_zero(_betas_of(_fall(T, times=_even(0, T / 1000, T + 1)))),
    sentence="T = 1000 is written into the cosine; T is given",
)
_curve(
    "nearly-right",
    "cosine",
    *(
        lambda T, low, high, pi=pi: _with_zero(
            _betas_of(torch.cos((_even(0, 1, T + 1) + 0.008) / 1.008 * pi / 2) ** 2)
        )
        for pi in (3.14, 3.1416, 3.14159)
    ),
    sentence="the number for pi is rounded; where the cosine meets 0 that shows. Take `math.pi`",
)
_curve(
    "other-schedule",
    "linear",
    lambda T, low, high: _with_zero(_geometric(low, high, T)),
    lambda T, low, high: _with_zero(_even(low**0.5, high**0.5, T) ** 2),
    lambda T, low, high: _with_zero(low + (high - low) * torch.sigmoid(_even(-6, 6, T))),
    sentence="linear: the betas themselves go up by the same amount in every step; here they do not",
)
_curve(
    "other-schedule",
    "quadratic",
    lambda T, low, high: _with_zero(_geometric(low, high, T)),
    sentence="quadratic: here the betas grow by the same factor in every step; it is their roots that go evenly",
)


@curves.probe(
    "ratio-upside-down",
    "the ratio is upside down: beta_t is 1 - alpha bar(t) / alpha bar(t - 1)",
    at=("02", "1. Four curves"),
)
def _(curves, _draw):
    wrong = _with_zero(1 - _fall(5)[:-1] / _fall(5)[1:])[:-1]  # the last is astronomical, and not compared
    return same((curves(*ENDS[0])[2][:-1],), (wrong,), TOLERANCE)


# 2.4

ONE_JUMP = border("with one jump for all steps", lambda betas, times: len(times) == 2)
EVERY_STEP = border("where every step is visited", lambda betas, times: (times.diff() == 1).all())
LITTLE_LEFT = border("where a jump leaves next to nothing", lambda betas, times: _bar(betas)[times][1] < 1e-3)
STOPPED_EARLY = border("where the last time is below T", lambda betas, times: times[-1] < len(betas) - 1)


def _jumps(jump):
    """One number for each jump from s to t, after a 0: a function of (betas, times)."""

    def fewer(betas, times):
        pairs = zip(times[:-1].tolist(), times[1:].tolist(), strict=True)
        return _with_zero(torch.stack([jump(betas, s, t) for s, t in pairs]))

    return fewer


def _kept(betas, s, t):
    """The product of alphas over the steps s+1 … t."""
    return (1 - betas[s + 1 : t + 1]).prod()


@exercise.task(
    "2.4",
    "the same noise in fewer steps",
    3,
    "3. Fewer steps, same betas",
    ends=(
        ONE_JUMP,
        EVERY_STEP,
        STOPPED_EARLY,
        LITTLE_LEFT,
        FLOAT64,
    ),
    hints=(
        (
            "After your K steps, alpha bar must be what it was at times[0], times[1], … Which K+1 numbers are"
            " these?"
        ),
        (
            "`bar = torch.cumprod(1 - betas, dim=0)[times]`. Now you know alpha bar and look for betas:"
            " equation (1), right."
        ),
        "Each new beta is 1 - bar[k] / bar[k - 1], for k = 1 … K, and entry 0 is 0.",
    ),
)
def fewer_steps(betas, times):
    """Betas, (K+1,), of a schedule that visits only `times`, (K+1,), of the one with `betas`, (T+1,)."""
    return _jumps(lambda betas, s, t: 1 - _kept(betas, s, t))(betas, times)


@fewer_steps.cases
def _(draw):
    yield _table(draw, 8), torch.tensor([0, 2, 3, 6, 8])
    yield _table(draw, 6, 0.05, 0.3), torch.tensor([0, 3, 5, 6])
    yield _table(draw, 9, 0.05, 0.3), torch.tensor([0, 4, 7])
    yield _table(draw, 6), torch.tensor([0, 6])
    yield _table(draw, 4), torch.arange(5)
    yield _table(draw, 9, 0.7, 0.9), torch.tensor([0, 7, 9])


@fewer_steps.numbers
def _(fewer_steps, draw):
    made = fewer_steps(_table(draw, 20, 0.02, 0.3), torch.arange(0, 21, 2))
    return {"sum of 10 new betas": made.sum(), "largest": made.max()}


@fewer_steps.holds
def _(fewer_steps, draw):
    betas, times = _table(draw, 8), torch.tensor([0, 2, 3, 6, 8])
    wanted, made = _bar(betas)[-1], _bar(fewer_steps(betas, times))[-1]
    if not abs(made - wanted) < 1e-4:
        return (
            f"after the last step alpha bar must be what it was, {wanted:.4f}; with your betas it is"
            f" {made:.4f}"
        )


fewer_steps.wrong("missing-zero-entry", lambda betas, times: fewer_steps.rights[""](betas, times)[1:])
fewer_steps.wrong(
    "missing-zero-entry",
    lambda betas, times: torch.cat([1 + 0 * betas[:1], fewer_steps.rights[""](betas, times)[1:]]),
    sentence="entry 0 is 1; it is for clean data, which no step has touched, and must be 0",
)
for _cap in (0.9, 0.99, 0.999):
    fewer_steps.wrong(
        "safety-number",
        lambda betas, times, cap=_cap: fewer_steps.rights[""](betas, times).clamp(max=cap),
        sentence="the betas were capped, and after a long jump alpha bar is no longer what it was",
    )
fewer_steps.wrong(
    "other-schedule",
    lambda betas, times: fewer_steps.rights[""](betas, _even(0, len(betas) - 1, len(times)).long()),
    lambda betas, times: fewer_steps.rights[""](betas, _even(0, len(betas) - 1, len(times)).round().long()),
    lambda betas, times: fewer_steps.rights[""](
        betas, torch.arange(0, len(betas), int(times[1]))[: len(times)]
    ),
    lambda betas, times: fewer_steps.rights[""](betas, torch.arange(0, len(betas), int(times[1]))),
    sentence="the times were taken as evenly spaced; they are where `times` says",
)
fewer_steps.wrong(
    "difference-for-ratio",
    lambda betas, times: _with_zero(-_bar(betas)[times].diff()),
    lambda betas, times: _with_zero(_bar(betas)[times].diff()),
)
fewer_steps.wrong(
    "endpoint-missed",
    lambda betas, times: fewer_steps.rights[""](
        betas, torch.cat([times[:-1], 0 * times[-1:] + len(betas) - 1])
    ),
    sentence="the last visit was moved to T; it is at times[-1], wherever that is",
)
fewer_steps.wrong(
    "betas-stretched",
    _jumps(lambda betas, s, t: betas[s + 1 : t + 1].mean()),
    _jumps(lambda betas, s, t: betas[s + 1 : t + 1].max()),
    _jumps(lambda betas, s, t: (t - s) * betas[s + 1 : t + 1].max()),
    sentence="a mean or the largest beta stands for a whole jump; multiply up 1 - beta over its steps instead",
)
fewer_steps.wrong(
    "index-shift",
    lambda betas, times: _with_zero(1 - _bar(betas[1:])[times][1:] / _bar(betas[1:])[times][:-1]),
    sentence="entry 0 of the table was cut off, so that every time is read one step too late",
)
fewer_steps.wrong(
    "stride-beta",
    lambda betas, times: _with_zero(betas[times[:-1] + 1]),
    sentence="the beta of the first step of each jump was used; a jump takes all of its steps together",
)
fewer_steps.wrong("stride-beta", lambda betas, times: betas[times], at=("02", "1. Four curves"))
fewer_steps.wrong("betas-stretched", lambda betas, times: _with_zero(betas[times][1:] * times.diff()))
for _cap in (9, 0.999):
    fewer_steps.wrong(
        "betas-stretched",
        lambda betas, times, cap=_cap: (betas[times] * (int(times[-1]) / (len(times) - 1))).clamp(max=cap),
        lambda betas, times, cap=_cap: (betas[times] * ((len(betas) - 1) / (len(times) - 1))).clamp(max=cap),
        sentence=(
            "betas were multiplied by T/K, as in the lesson; that is only roughly right, and fits tiny betas"
            " only"
        ),
    )
fewer_steps.wrong("cumsum-for-cumprod", _jumps(lambda betas, s, t: betas[s + 1 : t + 1].sum()))
fewer_steps.wrong(
    "ratio-upside-down",
    _jumps(lambda betas, s, t: 1 - 1 / _kept(betas, s, t)),
    sentence="the ratio is upside down: a new beta is 1 - alpha bar(later) / alpha bar(earlier)",
    at=("02", "1. Four curves"),
)
fewer_steps.wrong(
    "alpha-for-beta", _jumps(_kept), lambda betas, times: 1 - fewer_steps.rights[""](betas, times)
)
fewer_steps.wrong(
    "alphabar-for-alpha",
    lambda betas, times: 1 - _bar(betas)[times],
    sentence="1 - alpha bar counts all steps from the beginning; only those of the one jump are wanted",
)
fewer_steps.wrong(
    "alphabar-for-alpha",
    lambda betas, times: _bar(betas)[times],
    lambda betas, times: _with_zero(_bar(betas)[times][1:]),
    sentence="alpha bar was returned; what is wanted are the betas that lead there",
)
fewer_steps.wrong("beta-for-alpha", _jumps(lambda betas, s, t: betas[s + 1 : t + 1].prod()))
fewer_steps.wrong(
    "variance-as-std",
    _jumps(lambda betas, s, t: 1 - _kept(betas, s, t).sqrt()),
    _jumps(lambda betas, s, t: (1 - _kept(betas, s, t)).sqrt()),
    sentence="a root was taken; alpha bar and beta are variances, and no root is between them",
)
fewer_steps.wrong(
    "index-shift",
    _jumps(lambda betas, s, t: 1 - (1 - betas[s:t]).prod()),
    _jumps(lambda betas, s, t: 1 - (1 - betas[s : t + 1]).prod()),
    sentence="a jump from s to t takes the steps s+1 … t, not s … t-1 and not s … t",
)

# 2.5


def _within(count, margin=0.5):
    """Ranges around counted steps."""
    return {name: (number - margin, number + margin) for name, number in count.items()}


@exercise.guess(
    "2.5",
    "where each curve spends its steps",
    2,
    "5. An answer to the question",
    hints=(
        (
            "Make the tables with my_curves(1000, 1e-4, 0.02), and give each to my_snr with t ="
            " torch.arange(1, 1001)."
        ),
        (
            "A comparison gives True or False per step: (ratio > 0.1) & (ratio < 10). How do you count the"
            " True ones?"
        ),
        "`int(((ratio > 0.1) & (ratio < 10)).sum())`, once for each of the three tables.",
    ),
)
def useful_steps():
    """How many of 1000 steps have an SNR between 0.1 and 10; within these it is right."""
    return COUNTS


def _count(inside):
    tables = {name: DiffusionSchedule.named(name, 1000).alphas_cumprod[1:] for name in CURVES}
    return _within({name: int(inside(bar).sum()) for name, bar in tables.items()})


def _count_of_steps(inside):
    tables = {name: DiffusionSchedule.named(name, 1000).alphas[1:] for name in CURVES}
    return _within({name: int(inside(alpha).sum()) for name, alpha in tables.items()})


COUNTS = _count(lambda bar: (_ratio(bar) > 0.1) & (_ratio(bar) < 10))
useful_steps.wrong("share-for-ratio", lambda: _count(lambda bar: (bar > 0.1) & (bar < 10)))
useful_steps.wrong(
    "share-for-ratio",
    lambda: _count(lambda bar: (bar > 0.1) & (bar < 0.9)),
    sentence="these are the steps with alpha bar between 0.1 and 0.9; the *ratio* to the noise is wanted",
)
useful_steps.wrong(
    "log-for-ratio",
    lambda: _count(lambda bar: _ratio(bar).log().abs() < 1),
    sentence="this is the natural logarithm between -1 and 1; 0.1 and 10 are powers of ten",
)
useful_steps.wrong(
    "alpha-for-alphabar",
    lambda: _count_of_steps(lambda alpha: (_ratio(alpha) > 0.1) & (_ratio(alpha) < 10)),
    sentence="these are the ratios of single steps, (1 - beta) / beta; alpha bar belongs in their place",
)
useful_steps.wrong(
    "half-the-window",
    lambda: _count(lambda bar: (_ratio(bar) > 0.1) & (_ratio(bar) < 1)),
    lambda: _count(lambda bar: (_ratio(bar) > 1) & (_ratio(bar) < 10)),
    sentence="that is the one side of SNR 1 only; both are wanted, from 0.1 to 10",
)
useful_steps.wrong(
    "in-percent",
    lambda: _within({name: sum(pair) / 20 for name, pair in COUNTS.items()}, 0.05),
    sentence="that is in percent of the thousand steps; the counts themselves are wanted",
)
useful_steps.wrong(
    "in-percent",
    lambda: _within({name: sum(pair) / 2000 for name, pair in COUNTS.items()}, 0.0005),
    sentence="these are shares of the thousand steps; the counts themselves are wanted",
)
for _more in (-1, 1):
    useful_steps.wrong(
        "fence-posts",
        lambda more=_more: _within({name: sum(pair) / 2 + more for name, pair in COUNTS.items()}),
        sentence="one off in each: the last time minus the first leaves out one of both ends",
    )
useful_steps.wrong(
    "variance-as-std",
    lambda: _count(lambda bar: (_ratio(bar).sqrt() > 0.1) & (_ratio(bar).sqrt() < 10)),
    sentence="these are the steps with a ratio of *scales* in this range; that of variances is wanted",
)
useful_steps.wrong(
    "half-the-window",
    lambda: _count(lambda bar: _ratio(bar) > 0.1),
    lambda: _count(lambda bar: _ratio(bar) < 10),
    lambda: _count(lambda bar: (_ratio(bar) <= 0.1) | (_ratio(bar) >= 10)),
)


useful_steps.wrong(
    "roots-not-even",
    lambda: COUNTS | _within({"quadratic": int((_ratio(_bar(_even(1e-4, 0.02, 1000) ** 2)) < 10).sum())}),
    sentence="quadratic: these are the steps of betas from low² to high²; take the roots of both ends first",
)


@useful_steps.numbers
def _(_guess, draw):
    t = int(draw.integers(100, 900))
    ratios = [_ratio(DiffusionSchedule.named(name, 1000).alphas_cumprod[t]) for name in CURVES]
    counts = ", ".join(f"{name} {round(sum(COUNTS[name]) / 2)}" for name in CURVES)
    return {
        f"steps between, {counts}; at t = {t} the SNR is ten to the power of, linear": ratios[0].log10()
    } | {name: ratio.log10() for name, ratio in zip(CURVES[1:], ratios[1:], strict=True)}


# 2.6

exercise.explain("2.6", "too much ink, in a sentence")
