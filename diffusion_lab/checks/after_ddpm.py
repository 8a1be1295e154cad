"""Checks of exercise 10, after DDPM: the straight path, EDM's preconditioning, and the loss of a consistency model."""

import torch
from torch import nn

from diffusion_lab.bench.after_ddpm import (
    CHANGED_WEIGHTS,
    NETWORKS,
    TURNED_OFF,
    WENT_BACKWARD,
    Constant,
    Echo,
    OneTimeWanted,
    Raw,
    SideEffect,
    takes_weights,
    wide,
    with_gradients,
)
from diffusion_lab.bench.notes import Notes
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, REAL_PICTURES, T_IS_LAST, VERY_LARGE, border
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.schedules import DiffusionSchedule

exercise = Exercise("10", "After DDPM")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

FIVE = DiffusionSchedule(5, 0.1, 0.5)  # so short and steep that a time off by one shows


def _levels_mixed_up(task, make, singular, plural):
    """Two mistakes with numbers, (B,), of which every picture has its own; `make` takes another `wide`."""
    for shape in ((-1,), (-1, 1), (-1, 1, 1)):
        task.wrong(
            "misbroadcast-t",
            make(wide=lambda numbers, _like, shape=shape: numbers.reshape(shape)),
            sentence=f"{plural}, shape (B,), met the wrong axis of the pictures; (B, 1, 1, 1) is wanted",
        )
    task.wrong(
        "shared-t",
        make(wide=lambda numbers, _like: numbers[0]),
        make(wide=lambda numbers, _like: numbers.mean()),
        sentence=f"one {singular} was used for the whole batch; every picture has its own",
    )


# 10.1

AT_THE_DATA = border("at tau = 0", lambda x_0, eps, tau: (tau == 0).any())
AT_THE_NOISE = border("at tau = 1", lambda x_0, eps, tau: (tau == 1).any())


def _straight(
    place=lambda x_0, eps, s: (1 - s) * x_0 + s * eps, target=lambda x_0, eps, s: eps - x_0, wide=wide
):
    """The straight path with something changed."""
    return lambda x_0, eps, s: (
        place(x_0, eps, wide(s, x_0)),
        target(x_0, eps, wide(s, x_0)) + torch.zeros_like(x_0),
    )


@exercise.task(
    "10.1",
    "the straight path and its target",
    3,
    "2. The straight path",
    ends=(
        AT_THE_DATA,
        AT_THE_NOISE,
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
        VERY_LARGE,
    ),
    hints=(
        (
            "Every picture has its own tau. Give it the shape (B, 1, 1, 1), so that it multiplies whole"
            " pictures."
        ),
        (
            "On a line between two ends the place is (1 - tau) times the one plus tau times the other. Which"
            " end is tau = 0?"
        ),
        (
            "z = (1 - tau) * x_0 + tau * eps, and its slope along tau is eps - x_0, the same everywhere on"
            " the line."
        ),
    ),
)
def straight(x_0, eps, tau):
    """The place z on the line from data, tau = 0, to noise, tau = 1, and the velocity there.

    Both (B, C, H, W).
    """
    return _straight()(x_0, eps, tau)


@straight.cases
def _(draw):
    for shape, s in (
        ((4, 1, 4, 4), [0.2, 0.7, 0.45, 0.9]),
        ((3, 2, 3, 5), [0.0, 1.0, 0.35]),
        ((3, 1, 3, 3), [0.6, 0.15, 0.8]),
    ):
        yield draw.normal(*shape), draw.normal(*shape), torch.tensor(s)[draw.shuffled(range(len(s)))]
    yield draw.normal(1, 1, 3, 3), draw.normal(1, 1, 3, 3), torch.tensor([0.3])
    yield 50 * draw.normal(2, 1, 3, 3), 50 * draw.normal(2, 1, 3, 3), torch.tensor([0.4, 0.8])
    yield pictures.digits(3), draw.normal(3, 1, 28, 28), draw.shuffled((0.1, 0.5, 0.9))


@straight.numbers
def _(straight, draw):
    z, u = straight(draw.normal(40, 1, 5, 5) + 1, draw.normal(40, 1, 5, 5), draw.uniform(0.1, 0.9, 40))
    return {"mean of z": z.mean(), "variance of z": z.var(), "mean of u": u.mean()}


@straight.holds
def _(straight, draw):
    x_0, eps = draw.normal(2, 3, 1, 4, 4)
    for s, end, name in ((0.0, x_0, "the data"), (1.0, eps, "the noise")):
        if bool((straight(x_0, eps, torch.full((3,), s))[0] - end).abs().max() > 1e-3):
            return f"at tau = {s:g} the place has to be {name} itself, and yours is not"


def _ends(x_0, eps, s):
    return s * x_0 + (1 - s) * eps


def _circle(x_0, eps, s):
    return (1 - s).sqrt() * x_0 + s.sqrt() * eps


def _quarter(x_0, eps, s):
    return (1 - s**2).sqrt() * x_0 + s * eps


straight.wrong("swapped-ends", _straight(_ends), _straight(_ends, lambda x_0, eps, s: x_0 - eps))
straight.wrong("swapped-results", lambda x_0, eps, s: _straight()(x_0, eps, s)[::-1])
straight.wrong("sign-of-the-velocity", _straight(target=lambda x_0, eps, s: x_0 - eps))
straight.wrong(
    "wrong-target",
    _straight(target=lambda x_0, eps, s: eps),
    sentence=(
        "the noise was returned as the target; it is one end of the line, and the velocity is the way between"
        " both"
    ),
)
straight.wrong(
    "wrong-target",
    _straight(target=lambda x_0, eps, s: x_0),
    sentence=(
        "the data was returned as the target; it is one end of the line, and the velocity is the way between"
        " both"
    ),
)
straight.wrong("velocity-times-time", _straight(target=lambda x_0, eps, s: s * (eps - x_0)))
straight.wrong(
    "velocity-times-time",
    _straight(target=lambda x_0, eps, s: (1 - s) * eps - s * x_0),
    sentence=(
        "this is v with the scales of the line; the velocity of a straight path has no scales, it is eps"
        " - x_0"
    ),
)
straight.wrong(
    "velocity-times-time",
    _straight(target=lambda x_0, eps, s: (1 - s) * (eps - x_0)),
    sentence=(
        "that is the way from z to the noise, eps - z, and gets shorter; the velocity is the way from x_0:"
        " eps - x_0"
    ),
)
for _target in (lambda x_0, eps, s: eps - x_0, lambda x_0, eps, s: (1 - s).sqrt() * eps - s.sqrt() * x_0):
    straight.wrong("not-straight", _straight(_circle, _target))
straight.wrong("not-straight", _straight(_quarter))
for _turn in (torch.pi / 2, 1):
    straight.wrong(
        "not-straight",
        _straight(
            lambda x_0, eps, s, turn=_turn: (turn * s).cos() * x_0 + (turn * s).sin() * eps,
            lambda x_0, eps, s, turn=_turn: turn * ((turn * s).cos() * eps - (turn * s).sin() * x_0),
        ),
        _straight(
            lambda x_0, eps, s, turn=_turn: (turn * s).cos() * x_0 + (turn * s).sin() * eps,
            lambda x_0, eps, s, turn=_turn: (turn * s).cos() * eps - (turn * s).sin() * x_0,
        ),
        _straight(lambda x_0, eps, s, turn=_turn: (turn * s).cos() * x_0 + (turn * s).sin() * eps),
    )
straight.wrong(
    "wrong-sign",
    _straight(target=lambda x_0, eps, s: eps + x_0),
    sentence="the ends were added; the velocity is the way from one to the other, eps - x_0",
)
_levels_mixed_up(straight, _straight, "tau", "the times tau")


def _again_at_one_strength(x_0, eps, s):
    return ((1 - s) * x_0 + s * eps) / ((1 - s) ** 2 + s**2).sqrt()


straight.wrong(
    "not-straight",
    _straight(_again_at_one_strength),
    _straight(
        _again_at_one_strength,
        lambda x_0, eps, s: (eps - x_0) / ((1 - s) ** 2 + s**2).sqrt(),
    ),
    _straight(target=lambda x_0, eps, s: (eps - x_0) / ((1 - s) ** 2 + s**2).sqrt()),
    _straight(_again_at_one_strength, lambda x_0, eps, s: eps - _again_at_one_strength(x_0, eps, s)),
    sentence=(
        "z was brought back to one strength, as on the paths before; on the line it is weak half-way, and stays so"
    ),
)
for _target in (
    lambda x_0, eps, s: eps,
    lambda x_0, eps, s: eps - x_0,
    lambda x_0, eps, s: x_0,
):
    straight.wrong(
        "no-shrinking",
        _straight(lambda x_0, eps, s: x_0 + s * eps, _target),
        sentence="the data kept its full strength; on the line it fades as the noise grows, by 1 - tau",
    )
straight.wrong(
    "no-shrinking",
    *(
        _straight(lambda x_0, eps, s: (1 - s) * x_0 + eps, target)
        for target in (lambda x_0, eps, s: eps - x_0, lambda x_0, eps, s: -x_0)
    ),
    *(
        _straight(lambda x_0, eps, s: (1 - s) * x_0 + s.sqrt() * eps, target)
        for target in (lambda x_0, eps, s: eps - x_0,)
    ),
    sentence="the noise has another scale; on the line it is tau, and that of the data 1 - tau",
)
for _unit in (1000, 100, 999):
    straight.wrong(
        "scaled-time",
        *(
            _straight(lambda x_0, eps, s, change=change: (1 - change(s)) * x_0 + change(s) * eps, target)
            for change in (lambda s, unit=_unit: s / unit, lambda s, unit=_unit: s * unit)
            for target in (lambda x_0, eps, s: eps - x_0, lambda x_0, eps, s: x_0 - eps)
        ),
        sentence="tau was counted in steps; it runs from 0 to 1 already",
    )
for _bent, _slope in (
    (lambda s: s**2, lambda s: 2 * s),
    (lambda s: s.sqrt(), lambda s: 0.5 / s.sqrt()),
    (lambda s: (torch.pi / 2 * s).sin() ** 2, lambda s: torch.pi / 2 * (torch.pi * s).sin()),
    (lambda s: 3 * s**2 - 2 * s**3, lambda s: 6 * s - 6 * s**2),
):
    straight.wrong(
        "scaled-time",
        *(
            _straight(lambda x_0, eps, s, bent=_bent: (1 - bent(s)) * x_0 + bent(s) * eps, target)
            for target in (
                lambda x_0, eps, s: eps - x_0,
                lambda x_0, eps, s, slope=_slope: slope(s) * (eps - x_0),
            )
        ),
        sentence="tau was bent before it was used; it says itself how far along the line a picture is",
    )
straight.wrong(
    "wrong-target",
    _straight(target=lambda x_0, eps, s: (1 - s) * x_0 + s * eps),
    sentence="the place was returned twice; the target is the velocity, the way from the data to the noise",
)
straight.wrong(
    "wrong-target",
    _straight(target=lambda x_0, eps, s: (1 - s).sqrt() * eps - s.sqrt() * x_0),
    _straight(target=lambda x_0, eps, s: (torch.pi / 2 * s).cos() * eps - (torch.pi / 2 * s).sin() * x_0),
    _straight(target=lambda x_0, eps, s: (1 - s**2).sqrt() * eps - s * x_0),
    sentence="that is the v of the paths before, with their scales; on a straight line the velocity is eps - x_0",
)
straight.wrong(
    "wrong-target",
    _straight(target=lambda x_0, eps, s: -eps),
    _straight(target=lambda x_0, eps, s: -x_0),
    sentence="one end of the line was returned as the target, with a minus; the velocity is eps - x_0",
)
for _times in (
    lambda x_0, eps, s: -s * (eps - x_0),
    lambda x_0, eps, s: (s - 1) * (eps - x_0),
    lambda x_0, eps, s: (1 - s) * eps + s * x_0,
    lambda x_0, eps, s: s * eps - (1 - s) * x_0,
    lambda x_0, eps, s: s * eps - x_0,
    lambda x_0, eps, s: eps - (1 - s) * x_0,
    lambda x_0, eps, s: eps - s * x_0,
    lambda x_0, eps, s: (1 - s) * eps - x_0,
):
    straight.wrong("velocity-times-time", _straight(target=_times))
straight.wrong(
    "one-step-too-many",
    *(
        _straight(target=lambda x_0, eps, s, size=size: (eps - x_0) / size(eps - x_0))
        for size in (
            lambda u: u.norm(),
            lambda u: u.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1),
            lambda u: u.norm(dim=1, keepdim=True),
            lambda u: u.norm(dim=-1, keepdim=True),
            lambda u: u.std(),
            lambda u: u.std((1, 2, 3), keepdim=True),
            lambda u: u.square().mean((1, 2, 3), keepdim=True).sqrt(),
            lambda u: u.abs(),
        )
    ),
    sentence="the velocity was brought to one size; how far it is from the data to the noise counts as well",
)
straight.wrong(
    "wrong-factor",
    *(
        _straight(target=lambda x_0, eps, s, c=c: c * (eps - x_0))
        for c in (0.5, 2, 2**-0.5, 2**0.5, 1000, 0.001)
    ),
    sentence="the velocity was multiplied or divided by a number; it is eps - x_0 as it is",
)
straight.wrong(
    "result-clipped",
    *(
        _straight(place, target)
        for low in (-1, 0)
        for place, target in (
            (
                lambda x_0, eps, s, low=low: ((1 - s) * x_0 + s * eps).clamp(low, 1),
                lambda x_0, eps, s: eps - x_0,
            ),
            (
                lambda x_0, eps, s: (1 - s) * x_0 + s * eps,
                lambda x_0, eps, s, low=low: (eps - x_0).clamp(low, 1),
            ),
        )
    ),
    _straight(target=lambda x_0, eps, s: (eps - x_0).clamp(-2, 2)),
    sentence="a result was clipped; noise reaches beyond [-1, 1], and so do z and u: leave them as they come",
)
for _floor in (1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1):
    straight.wrong(
        "floor-added",
        *(
            _straight(lambda x_0, eps, s, f=_floor, kept=kept: (1 - kept(s, f)) * x_0 + kept(s, f) * eps)
            for kept in (
                lambda s, f: s.clamp(f, 1 - f),
                lambda s, f: s.clamp(min=f),
                lambda s, f: s.clamp(max=1 - f),
                lambda s, f: f + (1 - 2 * f) * s,
                lambda s, f: f + (1 - f) * s,
                lambda s, f: (1 - f) * s,
            )
        ),
        sentence="tau was kept away from its ends; at 0 the place is the data itself, and at 1 the noise itself",
    )
    straight.wrong(
        "floor-added",
        *(
            _straight(lambda x_0, eps, s, f=_floor: (1 - (1 - f) * s) * x_0 + s * eps, target)
            for target in (
                lambda x_0, eps, s: eps - x_0,
                lambda x_0, eps, s, f=_floor: eps - (1 - f) * x_0,
            )
        ),
        *(
            _straight(lambda x_0, eps, s, f=_floor: (1 - s) * x_0 + (f + (1 - f) * s) * eps, target)
            for target in (
                lambda x_0, eps, s: eps - x_0,
                lambda x_0, eps, s, f=_floor: (1 - f) * eps - x_0,
            )
        ),
        sentence="one end of the line keeps a rest of the other, as in some papers; here it is 0 at tau = 1, and at 0",
    )


def _close(a, b):
    return a.shape == b.shape and bool((a - b).abs().max() < 1e-3)  # false also for NaN


for _end in (0.0, 1.0):

    @straight.probe(
        "zero-over-zero",
        (
            f"right elsewhere, and at tau = {_end:g} the velocity comes to 0 / 0, of a way and a time that are"
            " both 0; eps - x_0 needs no division"
        ),
        always=True,
    )
    def _(straight, draw, end=_end):
        x_0, eps = draw.normal(2, 2, 1, 3, 3)
        inside, at_the_end = (straight(x_0, eps, torch.full((2,), tau)) for tau in (0.3 + 0.4 * end, end))
        if len(inside) != 2 or len(at_the_end) != 2:
            return False
        return _close(inside[1], (eps - x_0).double()) and not _close(at_the_end[1], (eps - x_0).double())


@straight.probe(
    "draws-own-noise", "fresh noise was drawn; the noise that is given is wanted, or nobody can check it"
)
def _(straight, draw):
    x_0, eps = draw.normal(2, 3, 1, 4, 4)
    return bool(
        (straight(x_0, eps, torch.full((3,), 0.5))[0] != straight(x_0, eps, torch.full((3,), 0.5))[0]).any()
    )


# 10.2

NO_NOISE = border("at ratio 0", lambda network, y, ratio, data_std: (ratio == 0).any(), True)
MUCH_NOISE = border("at a ratio of 20 or more", lambda network, y, ratio, data_std: (ratio >= 20).any())


def _frame(
    skip=lambda r, d: d**2 / (r**2 + d**2),
    out=lambda r, d: r * d / (r**2 + d**2).sqrt(),
    shown=lambda r, d: (r**2 + d**2).rsqrt(),
    wide=wide,
    told=lambda ratio: ratio,
):
    """A denoiser in EDM's frame with something changed."""

    def denoise(network, y, ratio, data_std):
        r, d = wide(ratio, y), torch.tensor(data_std)
        return skip(r, d) * y + out(r, d) * network(shown(r, d) * y, told(ratio))

    return denoise


@exercise.task(
    "10.2",
    "what stands around the network",
    4,
    "3. What stands around the network",
    ends=(
        NO_NOISE,
        MUCH_NOISE,
        BATCH_OF_ONE,
        NOT_SQUARE,
    ),
    hints=(
        (
            "Everything is made of one sum: the variance of y is ratio² + data_std², as data and noise are"
            " independent."
        ),
        "c_in is 1 over the root of that sum. c_skip is the data's share of it, data_std² / sum.",
        (
            "c_out = ratio * data_std / sum.sqrt(), and the answer is c_skip * y + c_out * network(c_in * y,"
            " ratio)."
        ),
    ),
)
def denoise(network, y, ratio, data_std):
    """The guess of x_0, (B, C, H, W), from y = x_0 + ratio eps by a raw network; ratio is (B,)."""
    return _frame()(network, y, ratio, data_std)


@denoise.cases
def _(draw):
    for shape, ratios, data_std in (
        ((4, 1, 4, 4), [0.3, 1.5, 4.0, 0.8], 0.5),
        ((3, 2, 3, 5), [0.0, 2.5, 0.6], 1.5),
        ((3, 1, 3, 3), [1.2, 0.4, 3.0], 0.7),
    ):
        yield Raw(), draw.normal(*shape), torch.tensor(ratios)[draw.shuffled(range(len(ratios)))], data_std
    yield Raw(), draw.normal(1, 1, 3, 3), torch.tensor([0.9]), 0.6
    ratio = torch.tensor([20.0, 80.0])
    yield Raw(), ratio.reshape(-1, 1, 1, 1) * draw.normal(2, 1, 3, 3), ratio, 0.5


@denoise.numbers
def _(denoise, draw):
    out = denoise(Raw(), draw.normal(40, 1, 5, 5) + 1, draw.uniform(0.3, 3, 40), 0.6)
    return {"mean": out.mean(), "variance": out.var()}


@denoise.holds
def _(denoise, draw):
    y = draw.normal(3, 1, 4, 4)
    if bool((denoise(Raw(), y, torch.zeros(3), 0.5) - y).abs().max() > 1e-3):
        return "with ratio 0 there is no noise in y, and the guess has to be y itself; yours is not"


_roots = {  # a standard deviation where a variance belongs, or the reverse
    "skip": (
        lambda r, d: d / (r + d),
        lambda r, d: d / (r**2 + d**2).sqrt(),
        lambda r, d: d**2 / (r**2 + d**2).sqrt(),
        lambda r, d: d**2 / (r + d**2),
    ),
    "out": (
        lambda r, d: r * d / (r**2 + d**2),
        lambda r, d: r * d / (r + d).sqrt(),
        lambda r, d: r * d / (r + d),
        lambda r, d: r**2 * d**2 / (r**2 + d**2),
    ),
    "shown": (lambda r, d: 1 / (r**2 + d**2), lambda r, d: (r + d).rsqrt()),
}
for _which, _formulas in _roots.items():
    denoise.wrong(
        "variance-as-std",
        *(_frame(**{_which: formula}) for formula in _formulas),
        sentence=(
            f"c_{_which if _which != 'shown' else 'in'} has a root too many or too few: ratio and data_std"
            " are standard deviations"
        ),
    )
denoise.wrong(
    "variance-as-std",
    _frame(shown=lambda r, d: 1 / (r + d)),
    sentence="in c_in ratio and data_std were added up; their squares add up, and c_in is 1 over the root of the sum",
)
for _sum in (lambda r, d: r + d, lambda r, d: (r + d) ** 2):
    denoise.wrong(
        "variance-as-std",
        *(
            _frame(
                skip=lambda r, d, data=data, total=_sum: d**data / total(r, d),
                out=lambda r, d, total=_sum: r * d / total(r, d).sqrt(),
                shown=lambda r, d, total=_sum: total(r, d).rsqrt(),
            )
            for data in (1, 2)
        ),
        sentence="ratio and data_std were added up; variances add up, so it is the sum of their squares",
    )
denoise.wrong(
    "wrong-sign",
    _frame(out=lambda r, d: -r * d / (r**2 + d**2).sqrt()),
    sentence=(
        "the network's answer was taken off; F is added. (With d = 1 it is -v, and only v would be taken off)"
    ),
)
denoise.wrong(
    "scaled-time",
    *(
        _frame(told=told)
        for told in (
            lambda r: r.log() / 4,
            torch.log,
            lambda r: r**2,
            lambda r: r / 4,
            lambda r: r.clamp(min=1e-8).log() / 4,
        )
    ),
    lambda network, y, ratio, data_std: _frame(told=lambda r: r / data_std)(network, y, ratio, data_std),
    sentence="the network was told something else than `ratio`; it wants that as it came",
)
denoise.wrong(
    "data-counts-one",
    _frame(out=lambda r, d: r * (r**2 + d**2).rsqrt()),
    sentence="c_out lacks the factor data_std: ratio * data_std / sqrt(ratio² + data_std²)",
)
denoise.wrong("skip-left-out", _frame(skip=lambda r, d: torch.ones_like(r)))
denoise.wrong("input-not-scaled", _frame(shown=lambda r, d: torch.ones_like(r)))
denoise.wrong(
    "input-not-scaled",
    _frame(shown=lambda r, d: torch.ones_like(r) / d),
    sentence=(
        "the input was divided by the spread of the data alone; the noise in it counts too, more and more as"
        " ratio grows"
    ),
)
denoise.wrong(
    "boundary-missed",
    _frame(out=lambda r, d: torch.ones_like(r)),
    sentence=(
        "the network's answer was added as it is; times c_out, which is 0 without noise, the guess of clean"
        " data is itself"
    ),
)
denoise.wrong(
    "boundary-missed",
    _frame(out=lambda r, d: d * torch.ones_like(r)),
    sentence=(
        "c_out is the same at every noise level; where there is no noise it must be 0, so that clean data"
        " stays as it is"
    ),
)
denoise.wrong(
    "boundary-missed",
    _frame(skip=lambda r, d: torch.zeros_like(r)),
    sentence="nothing of y goes past the network; without noise, where c_out is 0, the guess would be empty",
)
denoise.wrong(
    "data-counts-one",
    _frame(
        skip=lambda r, d: 1 / (r**2 + 1),
        out=lambda r, d: r * (r**2 + 1).rsqrt(),
        shown=lambda r, d: (r**2 + 1).rsqrt(),
    ),
)
denoise.wrong(
    "swapped-scales",
    _frame(skip=lambda r, d: r * d / (r**2 + d**2).sqrt(), out=lambda r, d: d**2 / (r**2 + d**2)),
    sentence="c_skip and c_out changed places",
)
denoise.wrong(
    "swapped-scales",
    _frame(skip=lambda r, d: r**2 / (r**2 + d**2)),
    sentence="c_skip is the share of the noise; the share of the data, data_std², belongs above the line",
)
denoise.wrong(
    "eps-for-data",
    _frame(
        skip=lambda r, d: torch.ones_like(r), out=lambda r, d: -r, shown=lambda r, d: (r**2 + d**2).rsqrt()
    ),
)
_levels_mixed_up(denoise, _frame, "ratio", "the ratios")


def _whole(total, data, noise):
    """A frame that is right but for what stands for the three variances."""
    return _frame(
        skip=lambda r, d: data(d) / total(r, d),
        out=lambda r, d: (noise(r) * data(d) / total(r, d)).sqrt(),
        shown=lambda r, d: total(r, d).rsqrt(),
    )


def _itself(x):
    return x


for _data, _noise in ((_itself, _itself), (_itself, torch.square), (torch.square, _itself)):
    denoise.wrong(
        "variance-as-std",
        _whole(lambda r, d, data=_data, noise=_noise: noise(r) + data(d), _data, _noise),
        _frame(
            skip=lambda r, d, data=_data, noise=_noise: data(d) / (noise(r) + data(d)),
            out=lambda r, d, data=_data, noise=_noise: r * d / (noise(r) + data(d)).sqrt(),
            shown=lambda r, d, data=_data, noise=_noise: (noise(r) + data(d)).rsqrt(),
        ),
        sentence="ratio and data_std were taken for variances; both are standard deviations, and want squares",
    )
for _size in (0.5, 0.25, 2.0):
    denoise.wrong(
        "data-counts-one",
        lambda network, y, ratio, data_std, size=_size: _frame()(network, y, ratio, size),
        sentence="a fixed size of the data was used, as the 0.5 of EDM's paper; that of this data is `data_std`",
    )
for _measure in (
    lambda y, r: y.std(),
    lambda y, r: y.square().mean().sqrt(),
    lambda y, r: y.std((1, 2, 3), keepdim=True),
    lambda y, r: (y.square().mean((1, 2, 3), keepdim=True) - r**2).clamp(min=0).sqrt(),
    lambda y, r: (y.var((1, 2, 3), keepdim=True) - r**2).clamp(min=0).sqrt(),
    lambda y, r: (y.square().mean() - r**2).clamp(min=0).sqrt(),
):

    def _measured(network, y, ratio, data_std, measure=_measure):
        r = wide(ratio, y)
        d = measure(y, r)
        total = r**2 + d**2
        return d**2 / total * y + r * d / total.sqrt() * network(y / total.sqrt(), ratio)

    denoise.wrong(
        "variance-measured",
        _measured,
        sentence="the size of the data was measured on y; it is given, `data_std`, and the same for every picture",
    )


def _shown_as(show):
    """A frame in which the network is shown y in another form."""

    def denoise(network, y, ratio, data_std):
        r = wide(ratio, y)
        total = r**2 + data_std**2
        return data_std**2 / total * y + r * data_std / total.sqrt() * network(show(y), ratio)

    return denoise


denoise.wrong(
    "variance-measured",
    *map(
        _shown_as,
        (
            lambda y: y / y.square().mean((1, 2, 3), keepdim=True).sqrt(),
            lambda y: y / y.std((1, 2, 3), keepdim=True),
            lambda y: (y - y.mean((1, 2, 3), keepdim=True)) / y.std((1, 2, 3), keepdim=True),
            lambda y: y / y.std(),
            lambda y: y / y.square().mean().sqrt(),
            lambda y: y / y.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1),
            lambda y: y / y.abs().amax((1, 2, 3), keepdim=True),
        ),
    ),
    sentence="the input was scaled by what was measured on y; c_in comes from ratio and data_std alone",
)
denoise.wrong(
    "result-clipped",
    *map(_shown_as, (lambda y: y.clamp(-1, 1), lambda y: y.clamp(-3, 3))),
    sentence="the input was clipped; c_in y is shown as it is",
)


def _root(r, d):
    return (r**2 + d**2).sqrt()


denoise.wrong(
    "skip-of-the-shown",
    _frame(skip=lambda r, d: d**2 / (r**2 + d**2) / _root(r, d)),
)
denoise.wrong(
    "boundary-missed",
    _frame(skip=lambda r, d: torch.zeros_like(r), out=lambda r, d: torch.ones_like(r)),
    _frame(
        skip=lambda r, d: torch.zeros_like(r),
        out=lambda r, d: torch.ones_like(r),
        shown=lambda r, d: torch.ones_like(r),
    ),
    sentence="what the network says came back as the guess; it is scaled by c_out, and c_skip y is added",
)
denoise.wrong(
    "boundary-missed",
    _frame(out=lambda r, d: torch.zeros_like(r)),
    lambda network, y, ratio, data_std: y,
    sentence="the network has no say in the guess; c_out times its answer is to be added",
)
for _least in (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1):
    denoise.wrong(
        "boundary-missed",
        _frame(
            skip=lambda r, d, least=_least: d**2 / ((r - least) ** 2 + d**2),
            out=lambda r, d, least=_least: d * (r - least) / _root(r, d),
        ),
        _frame(
            skip=lambda r, d, least=_least: d**2 / ((r - least) ** 2 + d**2),
            out=lambda r, d, least=_least: d * (r - least) / (r**2 + d**2).sqrt(),
            shown=lambda r, d, least=_least: ((r - least) ** 2 + d**2).rsqrt(),
        ),
        sentence="that is the frame of a consistency model, which ends at a smallest ratio; this one ends at 0",
    )
    denoise.wrong(
        "floor-added",
        *(
            lambda network, y, ratio, data_std, kept=kept, least=_least, told=told: _frame(
                wide=lambda r, like: wide(kept(r, least), like),
                told=(lambda r: kept(r, least)) if told else _itself,
            )(network, y, ratio, data_std)
            for kept in (lambda r, least: r.clamp(min=least), lambda r, least: r + least)
            for told in (False, True)
        ),
        _frame(
            skip=lambda r, d, least=_least: d**2 / (r**2 + d**2 + least),
            out=lambda r, d, least=_least: r * d / (r**2 + d**2 + least).sqrt(),
            shown=lambda r, d, least=_least: (r**2 + d**2 + least).rsqrt(),
        ),
        sentence="a floor was put under ratio, or something added to it; it can be 0, and then the guess is y",
    )
denoise.wrong(
    "shared-t",
    lambda network, y, ratio, data_std: (
        y if bool((ratio == 0).any()) else _frame()(network, y, ratio, data_std)
    ),
    sentence="where one picture has no noise, the whole batch came back as it was; every picture has its own ratio",
)


def _told_wide(shape):
    return _frame(told=lambda ratio: ratio.reshape(shape))


denoise.wrong(
    "misbroadcast-t",
    *map(_told_wide, ((-1, 1, 1, 1), (-1, 1))),
    _frame(told=lambda ratio: ratio[0]),
    sentence="the network wants `ratio` as it came, shape (B,), and was told it in another shape",
)
denoise.wrong(
    "swapped-scales",
    _frame(skip=lambda r, d: 1 / _root(r, d), shown=lambda r, d: d**2 / (r**2 + d**2)),
    _frame(out=lambda r, d: 1 / _root(r, d), shown=lambda r, d: r * d / _root(r, d)),
    sentence="c_in changed places with another of the three scales",
)
denoise.wrong(
    "eps-for-data",
    *(
        _frame(skip=lambda r, d: torch.ones_like(r), out=lambda r, d: -r, shown=shown)
        for shown in (
            lambda r, d: torch.ones_like(r),
            lambda r, d: (1 + r**2).rsqrt(),
        )
    ),
)


def _scales(denoise, draw):
    """The c_skip, c_out and c_in of an answer, each (K,), and what they ought to be; None if it is no frame."""
    ratio, y, d = torch.tensor([0.3, 0.9, 2.0, 5.0]), torch.full((4, 1, 2, 2), 0.7), 0.6

    def of(network):
        return denoise(network, y, ratio, d)[:, 0, 0, 0].double()

    skip = of(Constant(0.0)) / 0.7
    out = of(Constant(1.0)) - 0.7 * skip
    shown = (of(Echo()) - 0.7 * skip) / out / 0.7
    r = ratio.double()
    total = r**2 + d**2
    right = d**2 / total, r * d / total.sqrt(), total.rsqrt()
    return [bool((a - b).abs().max() < 1e-3) for a, b in zip((skip, out, shown), right, strict=True)]


for _k, (_which, _formula) in enumerate(
    (
        ("c_skip", "data_std² / (ratio² + data_std²)"),
        ("c_out", "ratio data_std / sqrt(ratio² + data_std²)"),
        ("c_in", "1 / sqrt(ratio² + data_std²)"),
    )
):

    @denoise.probe("wrong-scale", f"two of the three scales are right, and {_which} is not: it is {_formula}")
    def _(denoise, draw, k=_k):
        found = _scales(denoise, draw)
        return found == [place != k for place in range(3)]


@denoise.probe(
    "scaled-time", "the network was told something else than `ratio`; it wants that as it came", always=True
)
def _(denoise, draw):
    told = Notes()
    ratio = torch.tensor([0.4, 2.0, 1.1])
    denoise(Constant(0.0, told), draw.normal(3, 1, 2, 2), ratio, 0.6)
    return any(
        one.shape == ratio.shape and not _close(one.double(), ratio.double()) for (one,) in told.entries
    )


@denoise.probe(
    "zero-over-zero",
    "right elsewhere, and 0 / 0 at ratio 0: none of the three scales of equation (4) is divided by ratio alone",
    always=True,
)
def _(answer, draw):
    y = draw.normal(3, 1, 3, 3)
    given = [(Raw(), y, torch.full((3,), ratio), 0.6) for ratio in (1.1, 0.0)]
    inside = [f(*given[0]) for f in (answer, denoise.rights[""])]
    return _close(*(x.double() for x in inside)) and not bool(answer(*given[1]).isfinite().all())


# 10.3

TO_CLEAN = border("at s = 0", lambda student, target, teacher, x_t, t, s, schedule: (s == 0).any())
ONE_STEP = border("at s = t - 1", lambda student, target, teacher, x_t, t, s, schedule: (t - s == 1).all())


def _end(x, v, alpha, sigma):
    """The end of a path, of the v that a network says at x."""
    return alpha * x - sigma * v


def _consistency(
    asked=lambda student, target, teacher: target,
    stop=(True, True),
    at=lambda x_t, x_s: x_s,
    times=lambda t, s: (t, s, s),
    told=lambda t, s, time: time,
    old=lambda x_t, eps, x_0: eps,
    clean=False,
    read=(None, None, None),
    noise=lambda x, v, alpha, sigma: sigma * x + alpha * v,
    step=lambda x_0, eps, alpha, sigma: alpha * x_0 + sigma * eps,
    clip=(lambda x: x, lambda x: x, lambda x: x, lambda x: x),
    learns=lambda student, target: student,
    scales=lambda schedule, time, x: schedule.alpha_sigma(time, x),
    join=lambda d: d.square().flatten(1).mean(1),
    answers=lambda f, x_t: f,
    weigh=lambda t, s: 1,
    steps_with=lambda student, target, teacher: teacher,
    sign=-1,
):
    """The loss of 10.3 with something changed."""

    def loss(student, target, teacher, x_t, t, s, schedule):
        t_from, t_to, t_asked = times(t, s)

        def ends(network, x, time, as_read, time_told):
            alpha, sigma = scales(schedule, time, x)
            return (as_read or _end)(x, network(x, time_told), alpha, sigma)

        alpha, sigma = scales(schedule, t_from, x_t)
        v = steps_with(student, target, teacher)(x_t, t_from)
        x_0, eps = (read[1] or _end)(x_t, v, alpha, sigma), noise(x_t, v, alpha, sigma)
        x_0 = clip[1](x_0)
        alpha, sigma = scales(schedule, t_to, x_t)
        x_s = clip[2](step(x_0, old(x_t, eps, x_0), alpha, sigma))
        x_s = x_s.detach() if stop[0] else x_s
        if clean:
            wanted = x_0.detach()
        else:
            who = asked(student, target, teacher)
            wanted = clip[3](ends(who, at(x_t, x_s), t_asked, read[2], told(t, s, t_asked)))
        wanted = wanted.detach() if stop[1] else wanted
        answer = clip[0](ends(learns(student, target), x_t, t_from, read[0], t_from))
        return weigh(t, s) * join(answers(answer, x_t) + sign * wanted)

    return with_gradients(loss)


@exercise.task(
    "10.3",
    "the loss of a consistency model",
    4,
    "4. One answer for the whole path",
    ends=(
        T_IS_LAST,
        TO_CLEAN,
        ONE_STEP,
        BATCH_OF_ONE,
        NOT_SQUARE,
    ),
    prepare=with_gradients,
    results=("the loss", *(f"the gradient of {network}" for network in NETWORKS)),
    hints=(
        (
            "alpha, sigma = schedule.alpha_sigma(t, x_t) has the shape to multiply pictures. The end of the"
            " path through (x, t) is alpha * x - sigma * network(x, t)."
        ),
        (
            "First the teacher's step: x_0 = alpha_t x_t - sigma_t v and eps = sigma_t x_t + alpha_t v,"
            " joined again at s. Then the end that `target` gives for (x_s, s). Both with torch.no_grad()."
        ),
        "loss = (end of the student at (x_t, t) - end of target at (x_s, s)).square().flatten(1).mean(1).",
    ),
)
@takes_weights
def consistency_loss(student, target, teacher, x_t, t, s, schedule):
    """Squared difference of two answers on one path of the teacher, a mean for each picture, (B,)."""
    return _consistency()(student, target, teacher, x_t, t, s, schedule)


@consistency_loss.cases
def _(draw):
    for shape, t, s in (
        ((4, 1, 4, 4), [5, 4, 3, 5], [3, 2, 1, 1]),
        ((3, 2, 3, 5), [2, 5, 4], [0, 4, 0]),
        ((3, 1, 3, 3), [4, 3, 5], [3, 1, 2]),
        ((1, 1, 3, 3), [4], [2]),
        ((2, 1, 3, 3), [3, 5], [2, 4]),
    ):
        weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
        yield *weights, draw.normal(*shape), torch.tensor(t), torch.tensor(s), FIVE
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    yield *weights, 10 * draw.normal(2, 1, 3, 3), torch.tensor([4, 5]), torch.tensor([1, 3]), FIVE


@consistency_loss.numbers
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    t = draw.integers(3, 5, 30)
    losses, *gradients = loss(*weights, draw.normal(30, 1, 4, 4), t, t - draw.integers(1, 2, 30), FIVE)
    return {"mean loss": losses.mean(), "gradient of the student": gradients[0].sum() / 30}


consistency_loss.wrong(
    "gradient-through-target", _consistency(stop=(True, False)), _consistency(stop=(False, False))
)
consistency_loss.wrong(
    "gradient-through-target",
    _consistency(asked=lambda student, target, teacher: student, stop=(True, False)),
    _consistency(asked=lambda student, target, teacher: student, stop=(False, False)),
)
consistency_loss.wrong("target-not-averaged", _consistency(asked=lambda student, target, teacher: student))
consistency_loss.wrong("no-teacher-step", _consistency(at=lambda x_t, x_s: x_t))
consistency_loss.wrong(
    "no-teacher-step",
    _consistency(at=lambda x_t, x_s: x_t, times=lambda t, s: (t, s, t)),
    sentence=(
        "student and target were asked about the same point; the teacher has to take one step, from t to s"
    ),
)
consistency_loss.wrong("mean-for-end", _consistency(clean=True))
consistency_loss.wrong(
    "index-shift",
    _consistency(times=lambda t, s: (t, s, t)),
    sentence="the target was asked about x_s at the time t; x_s belongs to s",
)
consistency_loss.wrong(
    "stride-beta",
    _consistency(times=lambda t, s: (t, t - 1, t - 1)),
    _consistency(times=lambda t, s: (t, t - 1, s)),
    sentence="the teacher went from t to t - 1; s may be much earlier",
)
consistency_loss.wrong(
    "noise-not-kept",
    _consistency(old=lambda x_t, eps, x_0: 0 * eps),
    _consistency(old=lambda x_t, eps, x_0: x_t),
)
consistency_loss.wrong(
    "teacher-not-asked",
    *(
        _consistency(steps_with=who, stop=(stop, True))
        for who in (lambda student, target, teacher: student, lambda student, target, teacher: target)
        for stop in (True, False)
    ),
)
consistency_loss.wrong(
    "one-step-too-many",
    _consistency(join=lambda d: d.square().flatten(1).mean(1).sqrt()),
    _consistency(join=lambda d: d.square().flatten(1).sum(1).sqrt()),
    sentence="the difference is right, but a root was taken of its mean square; that itself is wanted",
)
consistency_loss.wrong(
    "another-norm",
    *(
        _consistency(
            join=lambda d, c=c, mean=mean: (
                (mean(d.square().flatten(1), 1) + (c * d[0].numel() ** 0.5) ** 2).sqrt()
                - c * d[0].numel() ** 0.5
            )
        )
        for c in (0.00054, 0.03)
        for mean in (torch.mean, torch.sum)
    ),
    *(
        _consistency(join=lambda d, c=c: (d.square().flatten(1).mean(1) + c**2).sqrt() - c)
        for c in (0.00054, 0.01, 1.0)
    ),
    *(
        _consistency(join=lambda d, c=c: ((d.square() + c**2).sqrt() - c).flatten(1).mean(1))
        for c in (0.00054, 0.01, 0.03, 1.0)
    ),
    _consistency(join=lambda d: nn.functional.smooth_l1_loss(d, 0 * d, reduction="none").flatten(1).mean(1)),
    _consistency(join=lambda d: d.cosh().log().flatten(1).mean(1)),
    _consistency(join=lambda d: d.pow(4).flatten(1).mean(1)),
    _consistency(join=lambda d: d.square().flatten(1).amax(1)),
)
consistency_loss.wrong(
    "wrong-factor",
    *(
        _consistency(weigh=weigh)
        for weigh in (
            lambda t, s: 0.5,
            lambda t, s: 2,
            lambda t, s: 1 / (t - s),
            lambda t, s: 1 / (t - s) ** 2,
            lambda t, s: t - s,
            lambda t, s: t,
            lambda t, s: 1 / t,
        )
    ),
    sentence="the mean square is right, but it was multiplied or divided by something; it is wanted as it is",
)
consistency_loss.wrong(
    "wrong-sign", _consistency(sign=1), sentence="the two ends were added; their difference is wanted"
)
consistency_loss.wrong("summed-not-averaged", _consistency(join=lambda d: d.square().flatten(1).sum(1)))
consistency_loss.wrong(
    "square-missing",
    _consistency(join=lambda d: d.abs().flatten(1).mean(1)),
    _consistency(join=lambda d: d.flatten(1).mean(1)),
)


for _sign, _name, _sentence in (
    (
        CHANGED_WEIGHTS,
        "changed-its-input",
        "the weights of a network were changed; a loss only measures, and whoever trains moves student and target",
    ),
    (
        WENT_BACKWARD,
        "backward-inside",
        "`backward` was called inside the function; whoever trains does that, and the gradients would pile up",
    ),
    (
        TURNED_OFF,
        "detached-loss",
        "gradients were turned off for the rest of the program; `with torch.no_grad():` turns them on again",
    ),
):

    @takes_weights
    def _with_side_effect(*args, sign=_sign):
        raise SideEffect(sign)

    consistency_loss.wrong(_name, _with_side_effect, sentence=_sentence)
consistency_loss.wrong(
    "index-shift",
    _consistency(told=lambda t, s, time: t),
    sentence="target was told the time t with x_s; x_s belongs to s",
)
consistency_loss.wrong(
    "index-shift",
    _consistency(times=lambda t, s: (t, s, t), told=lambda t, s, time: s),
    sentence="what target says of x_s was read with the scales of t; x_s belongs to s",
)
consistency_loss.wrong(
    "index-shift",
    *(
        _consistency(times=lambda t, s, by=by: (t, s, (s + by).clamp(0, 5)), told=told)
        for by in (-1, 1)
        for told in (lambda t, s, time: time, lambda t, s, time: s)
    ),
    _consistency(times=lambda t, s: (s, s, s)),
    _consistency(times=lambda t, s: (s, t, t)),
    _consistency(times=lambda t, s: (s, t, s)),
    sentence="times were mixed up: x_t belongs to t, x_s to s, and each is told and read with its own",
)
consistency_loss.wrong(
    "endpoint-missed",
    _consistency(weigh=lambda t, s: (s > 0).float()),
    _consistency(weigh=lambda t, s: (s != 0) * 1.0),
    sentence="where s is 0, the loss was left out; there x_s itself is the end, and counts like any other",
)
consistency_loss.wrong(
    "floor-added",
    _consistency(times=lambda t, s: (t, s.clamp(min=1), s.clamp(min=1))),
    _consistency(times=lambda t, s: (t, s, s.clamp(min=1))),
    _consistency(times=lambda t, s: (t, s.clamp(min=1), s)),
    sentence="s was moved up to 1; it can be 0, and the scales there are 1 and 0",
)
consistency_loss.wrong(
    "wrong-sign",
    _consistency(noise=lambda x, v, alpha, sigma: sigma * x - alpha * v),
    sentence="a sign is wrong in the noise that the teacher reads out: eps = sigma_t x_t + alpha_t v",
)


def _plus(x, v, alpha, sigma):
    return alpha * x + sigma * v


_SOME = [
    (one, two, three) for one in (0, 1) for two in (0, 1) for three in (0, 1) if one or two or three
]  # whose v is read wrongly: the student's, the teacher's, target's
consistency_loss.wrong(
    "wrong-sign",
    *(_consistency(read=tuple(_plus if wrongly else None for wrongly in some)) for some in _SOME),
    _consistency(read=(None, _plus, None), noise=lambda x, v, alpha, sigma: sigma * x - alpha * v),
    _consistency(read=(_plus,) * 3, noise=lambda x, v, alpha, sigma: sigma * x - alpha * v),
    sentence="a sign is wrong where v is read as the end of the path: alpha x - sigma v, with x and v of one time",
)
consistency_loss.wrong(
    "wrong-target",
    _consistency(read=(lambda x, v, alpha, sigma: v, None, lambda x, v, alpha, sigma: v)),
    sentence="what the two networks say, v, was compared; the ends of the path that it means are to be",
)
consistency_loss.wrong(
    "wrong-target",
    *(
        _consistency(read=tuple(reader if wrongly else None for wrongly in some), noise=noise)
        for reader, noises in (
            (lambda x, v, alpha, sigma: (x - sigma * v) / alpha, lambda x, v, alpha, sigma: v),
            (lambda x, v, alpha, sigma: v, lambda x, v, alpha, sigma: (x - alpha * v) / sigma),
            (
                lambda x, v, alpha, sigma: sigma * x + alpha * v,
                lambda x, v, alpha, sigma: alpha * x - sigma * v,
            ),
            (
                lambda x, v, alpha, sigma: sigma * x - alpha * v,
                lambda x, v, alpha, sigma: alpha * x + sigma * v,
            ),
            (lambda x, v, alpha, sigma: x - v, lambda x, v, alpha, sigma: v),
            (lambda x, v, alpha, sigma: x - sigma * v, lambda x, v, alpha, sigma: v),
        )
        for some in _SOME
        for noise in (noises, lambda x, v, alpha, sigma: sigma * x + alpha * v)
        if some[1] or noise is not noises
    ),
    _consistency(noise=lambda x, v, alpha, sigma: v),
    _consistency(noise=lambda x, v, alpha, sigma: alpha * x - sigma * v),
    _consistency(noise=lambda x, v, alpha, sigma: alpha * x + sigma * v),
    _consistency(noise=lambda x, v, alpha, sigma: x - (alpha * x - sigma * v)),
    sentence="the networks say v: the end is alpha x - sigma v, and the noise in x is sigma x + alpha v",
)
consistency_loss.wrong(
    "target-not-asked",
    _consistency(read=(None, None, lambda x, v, alpha, sigma: x)),
    sentence="the student's end was compared with x_s, a place on the way; target says where the path from it ends",
)
consistency_loss.wrong(
    "target-not-asked",
    *(
        _consistency(asked=lambda student, target, teacher: teacher, stop=(stop, last))
        for stop in (True, False)
        for last in (True, False)
    ),
)
consistency_loss.wrong(
    "target-not-asked",
    _consistency(read=(None, None, lambda x, v, alpha, sigma: x), at=lambda x_t, x_s: x_t),
    sentence="the student's end was compared with x_t itself; wanted is what target says of x_s",
)
consistency_loss.wrong(
    "noise-not-kept",
    _consistency(step=lambda x_0, eps, alpha, sigma: x_0),
    _consistency(step=lambda x_0, eps, alpha, sigma: x_0 + sigma * eps),
    _consistency(step=lambda x_0, eps, alpha, sigma: alpha * x_0 + eps),
    _consistency(step=lambda x_0, eps, alpha, sigma: alpha**2 * x_0 + sigma**2 * eps),
    _consistency(step=lambda x_0, eps, alpha, sigma: alpha * x_0 - sigma * eps),
    sentence="the teacher's step joins its x_0 and its noise at the scales of s: alpha_s x_0 + sigma_s eps",
)
consistency_loss.wrong(
    "roles-exchanged",
    _consistency(
        asked=lambda student, target, teacher: student,
        learns=lambda student, target: target,
        stop=(True, False),
    ),
    _consistency(
        asked=lambda student, target, teacher: student,
        learns=lambda student, target: target,
        stop=(True, True),
    ),
)
consistency_loss.wrong(
    "mean-not-squared",
    *(
        _consistency(join=lambda d, mean=mean, last=last: last(mean(d)))
        for mean, last in (
            (lambda d: d.flatten(1).mean(1), torch.square),
            (lambda d: d.flatten(1).sum(1), torch.square),
            (lambda d: d.flatten(1).mean(1), torch.abs),
            (lambda d: d.flatten(1).abs().mean(1), torch.square),
            (lambda d: d.mean((2, 3)), lambda m: m.square().mean(1)),
            (lambda d: d.mean(1), lambda m: m.square().flatten(1).mean(1)),
        )
    ),
    sentence="first came the mean of the differences, and then the square, so that plus and minus cancel; square first",
)
consistency_loss.wrong(
    "another-norm",
    _consistency(join=lambda d: d.flatten(1).var(1)),
    _consistency(join=lambda d: d.flatten(1).std(1)),
    _consistency(join=lambda d: d.flatten(1).abs().amax(1)),
    _consistency(join=lambda d: d.square().flatten(1).median(1).values),
    _consistency(join=lambda d: d.abs().flatten(1).sum(1)),
    _consistency(join=lambda d: d.square().flatten(1).mean(1).log()),
)
consistency_loss.wrong(
    "one-for-the-batch",
    *(
        _consistency(join=join)
        for join in (
            lambda d: d.square().mean(),
            lambda d: d.square().sum(),
            lambda d: d.square().flatten(1).sum(1).mean(),
            lambda d: d.square().mean().sqrt(),
            lambda d: d.abs().mean(),
            lambda d: d.square().mean(0, keepdim=True).mean((1, 2, 3)),
            lambda d: d.square().mean().expand(len(d)),
        )
    ),
    sentence="one loss came for the whole batch; every picture has its own, the mean over its pixels: shape (B,)",
)
consistency_loss.wrong(
    "wrong-axis",
    *(
        _consistency(join=join)
        for join in (
            lambda d: d.square().mean(0),
            lambda d: d.square().sum(0),
            lambda d: d.square(),
            lambda d: d.square().mean(1),
            lambda d: d.square().mean(-1),
            lambda d: d.square().mean((2, 3)),
            lambda d: d.square().sum((2, 3)),
            lambda d: d.square().mean((1, 2, 3), keepdim=True),
            lambda d: d.square().flatten(1).mean(1, keepdim=True),
            lambda d: d.square().flatten(1),
        )
    ),
    sentence="the mean runs over other axes; all but the first are those of a picture: flatten(1).mean(1)",
)


def _cut(x):
    return x.clamp(-1, 1)


def _as_it_is(x):
    return x


for _places in range(1, 16):
    consistency_loss.wrong(
        "result-clipped",
        _consistency(clip=tuple(_cut if _places >> k & 1 else _as_it_is for k in range(4))),
        sentence="an end of the path, or a place on it, was clipped to [-1, 1]; leave all of them as they come",
    )
consistency_loss.wrong(
    "shared-t",
    *(
        _consistency(scales=lambda schedule, time, x, pick=pick: schedule.alpha_sigma(pick(time), x))
        for pick in (
            lambda time: time[:1].expand_as(time),
            lambda time: time[-1:].expand_as(time),
            lambda time: int(time[0]),
        )
    ),
    *(
        _consistency(times=lambda t, s, pick=pick: (pick(t), pick(s), pick(s)))
        for pick in (lambda time: time[:1].expand_as(time), lambda time: time[-1:].expand_as(time))
    ),
    _consistency(times=lambda t, s: (t, s[:1].expand_as(s), s[:1].expand_as(s))),
    sentence="the time of one picture was used for the whole batch; every picture has its own t and s",
)
consistency_loss.wrong(
    "variance-as-std",
    _consistency(scales=lambda schedule, time, x: tuple(c**2 for c in schedule.alpha_sigma(time, x))),
    _consistency(scales=lambda schedule, time, x: tuple(c**0.5 for c in schedule.alpha_sigma(time, x))),
    sentence="roots were left out or taken twice: `alpha_sigma` gives the scales, roots and all",
)
consistency_loss.wrong(
    "swapped-scales",
    _consistency(scales=lambda schedule, time, x: schedule.alpha_sigma(time, x)[::-1]),
    sentence="`alpha_sigma` gives the scale of the signal first, and then that of the noise; they changed places",
)


@takes_weights
def _told_badly(*args):
    raise OneTimeWanted


consistency_loss.wrong(
    "misbroadcast-t",
    _told_badly,
    sentence="a network wants one time per picture, shape (B,): t with x_t, and s with x_s, as they came",
)


@consistency_loss.probe(
    "draws-own-noise",
    "fresh noise was drawn for x_s; the step of DDIM keeps the noise that the teacher reads out of x_t",
)
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    given = *weights, draw.normal(3, 1, 4, 4), torch.tensor([5, 4, 3]), torch.tensor([2, 1, 1]), FIVE
    return not torch.equal(loss(*given)[0], loss(*given)[0])


@consistency_loss.probe(
    "zero-over-zero",
    "right elsewhere, and 0 / 0 at s = 0, where there is no noise: alpha_s x_s - sigma_s v needs no division",
    always=True,
)
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    x_t, t = draw.normal(3, 1, 4, 4), torch.tensor([5, 4, 3])
    inside = [
        f(*weights, x_t, t, torch.tensor([2, 1, 1]), FIVE)[0] for f in (loss, consistency_loss.rights[""])
    ]
    at_the_end = loss(*weights, x_t, t, torch.tensor([0, 0, 0]), FIVE)[0]
    return _close(*(x.double() for x in inside)) and not bool(at_the_end.isfinite().all())


@consistency_loss.probe(
    "pictures-mixed",
    "right for a picture by itself, and wrong in a batch: every picture has a loss, a t and an s of its own",
)
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    x_t, t, s = draw.normal(3, 1, 4, 4), torch.tensor([5, 4, 3]), torch.tensor([2, 1, 2])
    right = consistency_loss.rights[""](*weights, x_t, t, s, FIVE)[0]
    alone = [loss(*weights, x_t[k : k + 1], t[k : k + 1], s[k : k + 1], FIVE)[0] for k in range(3)]
    if any(one.numel() != 1 for one in alone):
        return False
    together = loss(*weights, x_t, t, s, FIVE)[0]
    is_right = _close(torch.stack([one.reshape(()) for one in alone]).double(), right.double())
    return is_right and not _close(together.double(), right.double())


@consistency_loss.probe(
    "result-clipped",
    (
        "right as long as all numbers are small, and wrong where they are large: either something was clipped, or large"
        " differences count less than their square"
    ),
)
def _(loss, draw):
    weights = [torch.zeros(2)] * 3
    x_t, t, s = draw.normal(3, 1, 4, 4), torch.tensor([5, 4, 3]), torch.tensor([2, 1, 2])

    def is_right(size):
        got, right = (f(*weights, size * x_t, t, s, FIVE)[0] for f in (loss, consistency_loss.rights[""]))
        return got.shape == right.shape and bool(((got - right).abs() <= 1e-3 * right.abs().max()).all())

    return is_right(0.2) and not is_right(20.0)


@consistency_loss.holds
def _(loss, draw):
    """Where the difference lies: networks that say v = 0 are silent, and only one of them speaks at a time."""
    x_t, weights, silent = draw.normal(3, 1, 4, 4), draw.uniform(0.5, 1.5, 2), torch.zeros(2)
    t, s, start = torch.tensor([5, 4, 3]), torch.tensor([3, 2, 1]), torch.tensor([0, 0, 0])

    def off(networks, s):
        given = *networks, x_t, t, s, FIVE
        return bool((loss(*given)[0] - consistency_loss.rights[""](*given)[0]).abs().max() > 1e-4)

    pixel = x_t[:, :, :1, :1]
    of_one = [f(weights, weights, weights, pixel, t, s, FIVE)[0] for f in (loss, consistency_loss.rights[""])]
    if _close(*(x.double() for x in of_one)) and off([weights] * 3, s):
        return (
            "right for pictures of one pixel, and wrong for larger ones: each pixel has its square, and the loss"
            " is their mean"
        )
    if off([silent] * 3, s):
        return (
            "wrong even if all three networks say v = 0, when only scales are left: the student's answer is"
            " alpha_t x_t then, x_s is (alpha_s alpha_t + sigma_s sigma_t) x_t, and target's answer"
            " alpha_s x_s"
        )
    if off([weights, silent, silent], s):
        return (
            "right as long as the student says v = 0, and wrong if it speaks: its end is alpha_t x_t -"
            " sigma_t v"
        )
    if off([silent, silent, weights], start):
        return (
            "wrong at s = 0, where the teacher's step has to end at its guess of x_0, alpha_t x_t - sigma_t v"
        )
    if off([silent, silent, weights], s):
        return (
            "wrong if the teacher says anything but v = 0: its step is x_s = alpha_s x_0 + sigma_s eps, with "
            "x_0 = alpha_t x_t - sigma_t v and eps = sigma_t x_t + alpha_t v, both from the teacher's v"
        )
    if off([silent, weights, silent], start):
        return "wrong at s = 0, where x_s itself is the end of the path, and what target says must not matter"
    if off([silent, weights, silent], s):
        return (
            "right as long as target says v = 0, and wrong if it speaks: its end is alpha_s x_s - sigma_s v,"
            " at s"
        )
    return "every network by itself is treated well, and all together are not: who is asked about what?"


@consistency_loss.probe(
    "detached-loss", "no gradient reaches the student: only the target's side may be cut off"
)
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    t, s = torch.tensor([5, 4, 3]), torch.tensor([2, 1, 1])
    _losses, gradient, *_ = loss(*weights, draw.normal(3, 1, 4, 4), t, s, FIVE)
    return not bool(gradient.any())


@consistency_loss.probe(
    "gradient-through-target", "a gradient reaches the teacher: its step, too, is to be cut off"
)
def _(loss, draw):
    weights = [draw.uniform(0.5, 1.5, 2) for _ in range(3)]
    t, s = torch.tensor([5, 4, 3]), torch.tensor([2, 1, 1])
    return bool(loss(*weights, draw.normal(3, 1, 4, 4), t, s, FIVE)[3].any())


# 10.4

exercise.explain("10.4", "why straight lines do not make one step enough, in a sentence")
