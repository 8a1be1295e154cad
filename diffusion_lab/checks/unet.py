"""Checks of exercise 04, the U-Net: what a network sees, how it is told the time, how it folds.

And a whole one.
"""

import itertools
import math

import torch
from torch.nn import functional as F

from diffusion_lab.bench.unet import OnTape, batches, diagnosis, examined, places
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import (
    BATCH_OF_ONE,
    NOT_SQUARE,
    REAL_PICTURES,
    T_IS_ONE,
    VERY_LARGE,
    VERY_SMALL,
    border,
)
from diffusion_lab.checks.engine import Exercise

exercise = Exercise("04", "The U-Net")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

# 4.1


@exercise.guess(
    "4.1",
    "how far it sees, and what it weighs",
    1,
    "1. The first network one writes",
    hints=(
        (
            "From the output backwards: how many pixels of the input of the last layer does one of its"
            " outputs see?"
        ),
        (
            "The first two layers reach 1 pixel to each side. For the last, a step to the side is 2 pixels of"
            " the picture."
        ),
        (
            "Across: 1 + 2 × (1 + 1 + 2). Weights: each of 32 maps has 3 × 3 numbers for each of 16 maps, and"
            " one bias."
        ),
    ),
)
def sees_and_weighs():
    """Pixels across that one output number depends on, and the weights of the second layer."""
    return {"across": (8.9, 9.1), "weights": (4639.5, 4640.5)}


def _guess(across=(8.9, 9.1), weights=(4639.5, 4640.5)):
    return lambda: {"across": across, "weights": weights}


def _across_is(name, *numbers, sentence=""):
    """Declare wrong widths, whatever the weights are."""
    formulas = [_guess((number - 0.1, number + 0.1), (0, math.inf)) for number in numbers]
    for formula, number in zip(formulas, numbers, strict=True):
        formula.middle = {"across": number, "weights": 4640.0}
    sees_and_weighs.wrong(name, *formulas, sentence=sentence)


def _weights_are(name, *numbers, sentence=""):
    sees_and_weighs.wrong(
        name,
        *(_guess(weights=(number - 0.5, number + 0.5)) for number in numbers),
        sentence=sentence,
    )


_across_is("stride-ignored", 7)
_across_is("half-the-field", 4, 3)
_across_is(
    "half-the-field",
    5,
    sentence=(
        "either only one side was counted, and the field reaches as far to the left as to the right; or pixels of the"
        " small maps were counted, and a step there is 2 pixels of the picture"
    ),
)
_across_is(
    "area-for-width",
    81,
    49,
    sentence="that is the area; counted across, only one side of the square is wanted",
)
_across_is(
    "stride-too-early",
    11,
    13,
    sentence=(
        "the stride of layer 2 makes the steps of the layers *after* it two pixels wide; its own kernel still lies on"
        " neighbours"
    ),
)
_across_is(
    "field-doubled",
    14,
    18,
    10,
    sentence="the stride does not double the whole width; it doubles what the layer after it adds to each side",
)
_across_is(
    "fields-multiplied",
    27,
    sentence="widths are not multiplied; every layer *adds* the reach of its kernel to each side",
)
_across_is(
    "middle-left-out", 8, sentence="the pixel in the middle counts, too: 1 + twice the reach to one side"
)
_across_is(
    "centres-counted",
    6,
    15,
    sentence=(
        "the widths of the kernels do not add up: the first sees 3, and each one more adds its reach to each side, 1"
        " step"
    ),
)
_weights_are("bias-forgotten", 4608)
_weights_are("one-kernel-per-map", 320, 288)
_weights_are(
    "too-many-biases",
    5120,
    sentence="every map that comes out has one bias: 32, and not one for each of the 16 × 32 kernels",
)
_weights_are(
    "too-many-biases",
    4656,
    sentence="only the maps that come out have a bias: 32, and none for the 16 that go in",
)
_weights_are(
    "biases-of-the-wrong-maps",
    4624,
    sentence="the biases belong to the maps that come out, 32, not to the 16 that go in",
)
_weights_are(
    "biases-of-the-wrong-maps",
    4609,
    sentence="a layer has a bias for each map that comes out, 32, and not a single one",
)
_weights_are(
    "another-layer",
    14_048,
    13_968,
    sentence="these are the weights of all three layers; layer 2 alone is asked for",
)
_weights_are(
    "another-layer",
    160,
    144,
    9248,
    9216,
    sentence="these are the weights of another layer; layer 2 makes 32 maps of 16",
)
_weights_are(
    "stride-halves-weights",
    2336,
    2320,
    2304,
    1160,
    1184,
    sentence="a stride makes the maps smaller, not the kernels: the number of weights does not change with it",
)
_weights_are(
    "kernel-not-squared",
    1568,
    1536,
    544,
    512,
    sentence="a kernel of 3 × 3 has nine numbers, and each of them is a weight",
)
_weights_are(
    "maps-for-weights",
    6272,
    196,
    sentence="that is how many numbers the maps have; weights are those of the kernels and biases",
)


@sees_and_weighs.numbers
def _(_guess, draw):
    x = torch.zeros(1, 1, 25, 25, requires_grad=True)
    kernels = [draw.uniform(0.1, 1, *shape) for shape in ((16, 1, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3))]
    h = x
    for kernel, stride in zip(kernels, (1, 2, 1), strict=True):
        h = F.conv2d(h, kernel, stride=stride, padding=1)
    (gradient,) = torch.autograd.grad(h[0, 0, 6, 6], x)
    across = (gradient[0, 0] > 0).any(dim=0).sum()
    return {
        "measured across": across,
        "share of the middle pixel": 100 * gradient[0, 0, 12, 12] / gradient.sum(),
    }


# 4.2

ONE_WAVE = border("with two features", lambda t, features, max_period: features == 2)
MANY_FEATURES = border("with many features", lambda t, features, max_period: features >= 32)


def _waves(frequencies=lambda k, m, period: period ** (-k / m), order="interleaved", time=lambda t: t):
    """Waves of the time with something changed."""

    def embed(t, features, max_period):
        k, m = torch.arange(features // 2, dtype=torch.float64), features // 2
        angles = time(t)[:, None] * frequencies(k, m, torch.tensor(float(max_period), dtype=torch.float64))
        sin, cos = angles.sin(), angles.cos()
        if order == "interleaved":
            return torch.stack([sin, cos], dim=2).flatten(1)
        return (
            torch.stack([cos, sin], dim=2).flatten(1)
            if order == "swapped"
            else torch.cat(order(sin, cos), dim=1)
        )

    return embed


@exercise.task(
    "4.2",
    "waves in another order",
    2,
    "4. The time: waves, not a number",
    ends=(
        T_IS_ONE,
        BATCH_OF_ONE,
        ONE_WAVE,
        MANY_FEATURES,
    ),
    hints=(
        "With m = features // 2: k = torch.arange(m), frequencies = max_period ** (-k / m), shape (m,).",
        (
            "t has shape (B,), the frequencies (m,). `t[:, None] * frequencies` multiplies each with each:"
            " (B, m)."
        ),
        (
            "To alternate: torch.stack([angles.sin(), angles.cos()], dim=2) is (B, m, 2); .flatten(1) makes"
            " (B, 2 m) of it."
        ),
    ),
)
def embed_time(t, features, max_period):
    """Sine and cosine of t in turns, (B, features), from the fastest wave to the slowest."""
    return _waves()(t, features, max_period)


@embed_time.cases
def _(draw):
    yield draw.integers(1, 12, 4), 6, 50.0  # small numbers: a cosine of 10,000 cannot be told in float32
    yield draw.integers(1, 12, 5), 8, 100.0
    yield draw.integers(1, 60, 3), 2, 10_000.0
    yield torch.tensor([1, 7]), 6, 20.0
    yield draw.integers(2, 12, 1), 4, 50.0
    yield draw.integers(1, 8, 3), 32, 8.0


@embed_time.numbers
def _(embed, draw):
    waves = embed(draw.integers(1, 60, 200), 8, 100.0)
    return {"mean of the slowest sine": waves[:, 6].mean(), "and cosine": waves[:, 7].mean()}


@embed_time.holds
def _(embed, draw):
    squares = embed(draw.integers(1, 60, 20), 8, 100.0).square().sum(dim=1)
    if (squares - 4).abs().max() > 1e-3:
        return "squares of a sine and its cosine add up to 1, so all of a row to features / 2; yours do not"


embed_time.wrong("sin-cos-swapped", _waves(order="swapped"))
embed_time.wrong(
    "not-interleaved", _waves(order=lambda sin, cos: [sin, cos]), _waves(order=lambda sin, cos: [cos, sin])
)
embed_time.wrong("scaled-time", _waves(time=lambda t: t / 1000))
embed_time.wrong(
    "scaled-time",
    _waves(time=lambda t: t * 2 * torch.pi),
    sentence="the angles were multiplied by 2 pi; they are omega_k t as they stand",
)
embed_time.wrong(
    "scaled-time",
    lambda t, features, max_period: _waves(time=lambda t: t / max_period)(t, features, max_period),
    sentence="the time was divided by max_period; that stands in the frequencies only, and t counts steps",
)
embed_time.wrong(
    "scaled-time",
    _waves(time=lambda t: t * torch.pi / 180),
    _waves(time=lambda t: t * 180 / torch.pi),
    sentence="the angles came in degrees, or were turned into them; they are wanted in radians, omega_k t as it stands",
)
embed_time.wrong(
    "scaled-time",
    _waves(time=lambda t: t * 1000.0),
    _waves(time=lambda t: t * torch.pi),
    sentence="the time was multiplied by something; it counts steps, as it is",
)
TIMES_MIXED = (
    "the times were scaled by those of the others in the batch; a picture's waves go by its own time alone"
)
for _times_of in (
    lambda t: t / t.max(),
    lambda t: 1000 * t / t.max(),
    lambda t: t / t.sum(),
    lambda t: t - t.double().mean(),
    lambda t: t - t.min(),
):
    embed_time.wrong("times-mixed", _waves(time=_times_of), sentence=TIMES_MIXED)
embed_time.wrong(
    "times-mixed",
    lambda t, features, max_period: _waves()(max_period * t / t.max(), features, max_period),
    lambda t, features, max_period: _waves()(t / t.max() * max_period, features, max_period),
    sentence=TIMES_MIXED,
)
embed_time.wrong(
    "index-shift",
    _waves(lambda k, m, period: period ** (-(k + 1) / m)),
    sentence="k was counted from 1; the first wave has k = 0 and frequency 1",
)
embed_time.wrong(
    "wrong-frequencies",
    _waves(lambda k, m, period: period ** (k / m)),
    sentence="the frequencies grow; a minus is missing in the exponent, and they should fall from 1",
)
embed_time.wrong(
    "wrong-frequencies",
    _waves(lambda k, m, period: period ** (-k / max(m - 1, 1))),
    _waves(lambda k, m, period: period ** (-k / (2 * m))),
    _waves(lambda k, m, period: period ** (-2 * k / m)),
    _waves(lambda k, m, period: period ** (-k / (m + 1))),
    _waves(lambda k, m, period: period ** (-1.0 * k)),
    sentence="the exponent is -k / m with m = features // 2; it was divided by another number",
)
embed_time.wrong(
    "wrong-frequencies",
    *(_waves(lambda k, m, period, base=base: base ** (-period.log() * k / m)) for base in (10.0, 2.0)),
    *(
        _waves(lambda k, m, period, log=log: (-log(period) * k / m).exp())
        for log in (torch.log10, torch.log2)
    ),
    _waves(lambda k, m, period: (-k / m).exp()),
    sentence="exp wants the natural logarithm of max_period: max_period ** (-k / m) = exp(-ln(max_period) k / m)",
)
embed_time.wrong(
    "wrong-frequencies",
    _waves(lambda k, m, period: period * (-k / m)),
    _waves(lambda k, m, period: -k / m * period),
    _waves(lambda k, m, period: k / m / period),
    sentence="max_period is *raised to the power* -k / m, not multiplied or divided by it",
)
embed_time.wrong(
    "cut-to-whole-numbers",
    _waves(lambda k, m, period: period ** -(k // m)),
    _waves(lambda k, m, period: (period ** (-k / m)).floor()),
    _waves(lambda k, m, period: 1 + 0 * k),
    sentence="the exponent or the frequencies were cut to whole numbers (by `//`, or a tensor of whole numbers)",
)
for _cut in (torch.trunc, torch.floor, torch.round):
    embed_time.wrong(
        "cut-to-whole-numbers",
        lambda t, features, max_period, cut=_cut: cut(_waves()(t, features, max_period)),
        sentence="the waves were cut to whole numbers: a tensor of the type of `t` holds no fractions",
    )
embed_time.wrong(
    "wrong-order",
    _waves(lambda k, m, period: period ** (-(m - 1 - k) / m)),
    sentence="the slowest wave came first; omega_0 = 1, the fastest, is the first",
)


def _own_frequencies(exponent):
    """Waves where each of the 2 m numbers has a frequency of its own: a function of its place and 2 m."""

    def embed(t, features, max_period):
        places = torch.arange(features, dtype=torch.float64)
        angles = t[:, None] * max_period ** exponent(places, features)
        return torch.where(places % 2 == 0, angles.sin(), angles.cos())

    return embed


embed_time.wrong(
    "pair-split",
    _own_frequencies(lambda k, n: -k / n),
    _own_frequencies(lambda k, n: -2 * k / n),
    _own_frequencies(lambda k, n: -k / max(n - 1, 1)),
)
embed_time.wrong(
    "features-for-m",
    lambda t, features, max_period: _waves()(t, 2 * features, max_period),
    lambda t, features, max_period: torch.cat(
        [_waves()(t, 2 * features, max_period)[:, k::2] for k in range(2)], dim=1
    ),
    lambda t, features, max_period: torch.cat(
        [_waves()(t, 2 * features, max_period)[:, k::2] for k in (1, 0)], dim=1
    ),
)
embed_time.wrong(
    "one-wave-twice",
    lambda t, features, max_period: _waves()(t, features, max_period)[:, ::2].repeat_interleave(2, 1),
    lambda t, features, max_period: _waves()(t, features, max_period)[:, 1::2].repeat_interleave(2, 1),
)
embed_time.wrong(
    "half-of-the-waves",
    lambda t, features, max_period: _waves()(t, features, max_period)[:, ::2],
    lambda t, features, max_period: _waves()(t, features, max_period)[:, 1::2],
)
embed_time.wrong(
    "wrong-frequencies",
    _waves(lambda k, m, period: 1 + k * (1 / period - 1) / max(m - 1, 1)),
    _waves(lambda k, m, period: 1 / (k + 1)),
    sentence="the frequencies must fall by the same *factor* from wave to wave: max_period ** (-k / m)",
)
embed_time.wrong("fixed-period", _waves(lambda k, m, period: 10_000 ** (-k / m)))

# 4.3

ALONE = border("with as many groups as channels", lambda u, c, weight, bias, groups: groups == u.shape[1])


def _normalised(u, groups, dims=None, correction=0, power=0.5, floors=(1e-5, 0)):
    """Groups of channels at mean 0 and variance 1; small numbers are added to the variance, and to its root."""
    parts = u.reshape(len(u), groups, -1, *u.shape[2:])
    dims = dims or (2, 3, 4)
    mean, variance = (
        parts.mean(dim=dims, keepdim=True),
        parts.var(dim=dims, keepdim=True, correction=correction),
    )
    return ((parts - mean) / ((variance + floors[0]) ** power + floors[1])).reshape(u.shape)


def _by_parts(u, groups, form):
    """Groups of channels by a form of the numbers, their mean, and the mean of their squares."""
    parts = u.reshape(len(u), groups, -1)
    mean, square = parts.mean(2, keepdim=True), parts.square().mean(2, keepdim=True)
    return form(parts, mean, square).reshape(u.shape)


def _steered(
    normal=_normalised,
    combine=lambda n, scale, shift: n * (1 + scale) + shift,
    halves=lambda a, b: (a, b),
    condition=lambda c: c,
    view=(-1, -2, 1, 1),
    layer=lambda c, weight, bias: c @ weight.T + bias,
    join=lambda row: row.chunk(2, dim=1),
):
    """Scale and shift with something changed."""

    def steer(u, c, weight, bias, groups):
        parts = halves(*join(layer(condition(c), weight, bias).expand(len(u), -1)))
        shape = [{-1: len(u), -2: u.shape[1]}.get(n, n) for n in view]
        scale, shift = (part.reshape(shape) for part in parts)
        return combine(normal(u, groups), scale, shift)

    return steer


@exercise.task(
    "4.3",
    "the condition scales and shifts",
    3,
    "5. The residual block",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
        VERY_SMALL,
        ALONE,
    ),
    hints=(
        "c @ weight.T + bias has shape (B, 2 C). `.chunk(2, dim=1)` makes two of (B, C): scale, then shift.",
        "They need the shape (B, C, 1, 1) to meet the channels of u, which `[:, :, None, None]` gives them.",
        (
            "F.group_norm(u, groups) * (1 + scale) + shift, or the normalisation by hand over (C / groups,"
            " H, W)."
        ),
    ),
)
def scale_shift(u, c, weight, bias, groups):
    """Normalised maps, (B, C, H, W), scaled and shifted by what a layer makes of the condition c, (B, D)."""
    return _steered()(u, c, weight, bias, groups)


@scale_shift.cases
def _(draw):
    for B, C, H, W, groups in ((4, 4, 4, 4, 2), (2, 6, 3, 5, 3), (3, 2, 2, 3, 1)):
        u = draw.normal(B, C, H, W) * draw.uniform(0.5, 3, 1, C, 1, 1) + draw.normal(1, C, 1, 1)
        yield u, draw.normal(B, 5), draw.normal(2 * C, 5) / 2, draw.normal(2 * C), groups
    for size, (B, C, groups) in ((1, (1, 4, 2)), (0.003, (2, 4, 2)), (100, (2, 4, 2)), (1, (2, 3, 3))):
        u = size * draw.normal(B, C, 4, 4)
        yield u, draw.normal(B, 3), draw.normal(2 * C, 3) / 2, draw.normal(2 * C), groups


@scale_shift.numbers
def _(steer, draw):
    u, c = draw.normal(10, 4, 5, 5) * 2 + 1, draw.normal(10, 6)
    result = steer(u, c, draw.normal(8, 6) / 3, draw.normal(8) + 1, 2)
    return {"mean": result.mean(), "standard deviation": result.std()}


@scale_shift.holds
def _(steer, draw):
    u = draw.normal(3, 4, 5, 5) * 3 + 2
    result = steer(u, torch.zeros(3, 5), draw.normal(8, 5), torch.zeros(8), 2)
    if (result - _normalised(u.double(), 2)).abs().max() > 1e-2:
        return "with scale and shift 0 just the normalised maps should come out; of yours something else does"


scale_shift.wrong("one-plus-missing", _steered(combine=lambda n, scale, shift: n * scale + shift))
scale_shift.wrong("swapped-halves", _steered(halves=lambda a, b: (b, a)))
scale_shift.wrong(
    "one-plus-missing",
    _steered(combine=lambda n, scale, shift: n * scale.exp() + shift),
    sentence="exp(scale) was taken, which is 1 + scale only for small ones; 1 + scale is wanted",
)
scale_shift.wrong(
    "one-plus-missing",
    _steered(combine=lambda n, scale, shift: n * (1 + scale) + (1 + shift)),
    _steered(combine=lambda n, scale, shift: n * scale + (1 + shift)),
    _steered(combine=lambda n, scale, shift: 1 + n * scale + shift),
    sentence="1 is added to the scale, and to nothing else: norm(u) (1 + scale) + shift",
)
scale_shift.wrong(
    "shift-scaled",
    _steered(combine=lambda n, scale, shift: (n + shift) * (1 + scale)),
    _steered(combine=lambda n, scale, shift: (n + shift) * scale),
    _steered(combine=lambda n, scale, shift: n * (1 + scale + shift)),
    _steered(combine=lambda n, scale, shift: n * (1 + scale) * shift),
    _steered(combine=lambda n, scale, shift: n * scale * shift),
)
scale_shift.wrong(
    "wrong-sign",
    _steered(combine=lambda n, scale, shift: n * (1 - scale) + shift),
    _steered(combine=lambda n, scale, shift: n * (1 + scale) - shift),
    _steered(combine=lambda n, scale, shift: n * (1 - scale) - shift),
    _steered(combine=lambda n, scale, shift: n * (scale - 1) + shift),
    sentence="a sign is wrong: norm(u) (1 + scale) + shift",
)
scale_shift.wrong(
    "ratio-upside-down",
    _steered(combine=lambda n, scale, shift: n / (1 + scale) + shift),
    _steered(combine=lambda n, scale, shift: (n - shift) / (1 + scale)),
    sentence="the maps are multiplied by 1 + scale, not divided",
)
scale_shift.wrong(
    "maps-added-again",
    lambda u, c, weight, bias, groups: u + _steered()(u, c, weight, bias, groups),
    _steered(combine=lambda n, scale, shift: n + n * (1 + scale) + shift),
)
for _bend in (F.silu, F.relu, F.gelu, torch.tanh, torch.sigmoid):
    scale_shift.wrong(
        "activation-added",
        _steered(condition=_bend),
        _steered(layer=lambda c, weight, bias, bend=_bend: bend(c @ weight.T + bias)),
        _steered(combine=lambda n, scale, shift, bend=_bend: bend(n * (1 + scale) + shift)),
        _steered(combine=lambda n, scale, shift, bend=_bend: bend(n) * (1 + scale) + shift),
        _steered(combine=lambda n, scale, shift, bend=_bend: n * (1 + bend(scale)) + shift),
        _steered(combine=lambda n, scale, shift, bend=_bend: n * bend(scale) + shift),
    )
scale_shift.wrong(
    "reshape-for-transpose",
    _steered(layer=lambda c, weight, bias: c @ weight.reshape(weight.shape[::-1]) + bias),
)
scale_shift.wrong(
    "bias-forgotten",
    _steered(
        layer=lambda c, weight, bias: (
            c @ weight.T + torch.cat([bias[: len(bias) // 2], 0 * bias[len(bias) // 2 :]])
        )
    ),
    _steered(
        layer=lambda c, weight, bias: (
            c @ weight.T + torch.cat([0 * bias[: len(bias) // 2], bias[len(bias) // 2 :]])
        )
    ),
    sentence="the bias was added to one half only, scale or shift; it belongs to all 2 C numbers",
)
scale_shift.wrong(
    "swapped-halves",
    _steered(join=lambda row: (row[:, ::2], row[:, 1::2])),
    _steered(join=lambda row: (row[:, 1::2], row[:, ::2])),
    sentence="scale and shift were read in turns; the first C numbers are scale, the other C shift",
)
scale_shift.wrong(
    "bias-forgotten",
    _steered(layer=lambda c, weight, bias: c @ weight.T),
    sentence="the bias of the layer was left out: c W^T + b is wanted",
)
scale_shift.wrong(
    "wrong-groups",
    lambda u, c, weight, bias, groups: _steered()(u, c, weight, bias, u.shape[1] // groups),
    sentence="the number of groups was taken for the number of channels in each, or the reverse",
)
scale_shift.wrong(
    "norm-last",
    lambda u, c, weight, bias, groups: _normalised(
        _steered(normal=lambda u, _g: u)(u, c, weight, bias, groups), groups
    ),
)
scale_shift.wrong("norm-missing", _steered(normal=lambda u, _g: u))
scale_shift.wrong(
    "wrong-groups",
    _steered(normal=lambda u, _g: _normalised(u, 1)),
    _steered(normal=lambda u, _g: _normalised(u, u.shape[1])),
    sentence=(
        "mean and variance are of each group of C / groups channels, not of every channel, and not of all"
    ),
)
scale_shift.wrong(
    "wrong-groups",
    _steered(normal=lambda u, g: _normalised(u, g, (0, 2, 3, 4))),
    _steered(normal=lambda u, _g: _normalised(u, u.shape[1], (0, 2, 3, 4))),
    _steered(normal=lambda u, _g: _normalised(u, 1, (0, 2, 3, 4))),
    sentence="mean and variance were taken over the batch too; every picture has its own",
)


def _far_apart(u, groups):
    """Groups of channels that lie apart: channel k belongs to group k mod groups."""
    parts = u.reshape(len(u), -1, groups, *u.shape[2:]).transpose(1, 2)
    normal = _normalised(parts.reshape(u.shape), groups).reshape(parts.shape)
    return normal.transpose(1, 2).reshape(u.shape)


scale_shift.wrong(
    "wrong-groups",
    _steered(normal=_far_apart),
    sentence="a group is one of *neighbours*, channels 0 … C / groups - 1 first; yours takes channels that lie apart",
)
scale_shift.wrong(
    "wrong-groups",
    _steered(normal=lambda u, g: _normalised(u, g, (2,))),
    _steered(normal=lambda u, _g: _normalised(u, 1, (2,))),
    sentence="every pixel was normalised by itself; mean and variance run over height and width, too",
)
scale_shift.wrong(
    "wrong-groups",
    *(
        _steered(normal=lambda u, g, dims=dims: _normalised(u, g, dims))
        for dims in ((3,), (4,), (2, 3), (2, 4))
    ),
    sentence="mean and variance run over all of height and width and the channels of a group; one axis was left out",
)
scale_shift.wrong(
    "mean-kept",
    _steered(normal=lambda u, g: _by_parts(u, g, lambda x, mean, square: x / (square + 1e-5) ** 0.5)),
    _steered(
        normal=lambda u, g: _by_parts(u, g, lambda x, mean, square: x / (square - mean**2 + 1e-5) ** 0.5)
    ),
)
scale_shift.wrong(
    "variance-kept",
    _steered(normal=lambda u, g: _by_parts(u, g, lambda x, mean, square: x - mean)),
)
scale_shift.wrong(
    "floor-misplaced",
    _steered(normal=lambda u, g: _normalised(u, g, floors=(0, 0))),
    _steered(normal=lambda u, g: _normalised(u, g, floors=(0, 1e-5))),
)
scale_shift.wrong(
    "floor-misplaced",
    *(
        _steered(normal=lambda u, g, floors=floors: _normalised(u, g, floors=floors))
        for small in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8)
        for floors in ((small, 0), (0, small))
    ),
    _steered(
        normal=lambda u, g: _by_parts(u, g, lambda x, m, q: (x - m) / (q - m**2).clamp(min=1e-5) ** 0.5)
    ),
    sentence="1e-5 is what is added to the variance, under the root; here it was another number, or a floor",
)
scale_shift.wrong("unbiased-variance", _steered(normal=lambda u, g: _normalised(u, g, correction=1)))
scale_shift.wrong(
    "variance-as-std",
    _steered(normal=lambda u, g: _normalised(u, g, power=1)),
    sentence="divided by the variance; to bring it to 1, divide by its square root",
)
scale_shift.wrong(
    "ignores-t",
    _steered(combine=lambda n, _scale, _shift: n),
    _steered(condition=lambda c: 0 * c),
    sentence="the answer does not change with the condition c, and so not with t",
    at=("04", "5. The residual block"),
)
scale_shift.wrong("shift-missing", _steered(combine=lambda n, scale, _shift: n * (1 + scale)))
scale_shift.wrong("scale-missing", _steered(combine=lambda n, _scale, shift: n + shift))
scale_shift.wrong(
    "shared-t",
    _steered(condition=lambda c: c[:1]),
    sentence="the condition of the first picture was used for all; every picture has its own",
)
scale_shift.wrong(
    "shared-t",
    _steered(condition=lambda c: c.mean(0, keepdim=True)),
    _steered(condition=lambda c: c[-1:]),
    sentence="one condition was used for all pictures, the mean of the batch or one of them; every picture has its own",
)
scale_shift.wrong(
    "misbroadcast-t",
    _steered(view=(-1, -2)),
    _steered(view=(-1, -2, 1)),
    _steered(view=(-1, 1, 1, -2)),
    _steered(view=(-1, 1, -2, 1)),
    sentence="scale and shift, (B, C), met height and width of the maps; (B, C, 1, 1) is wanted",
)

# 4.4

PATCH_OF_ONE = border("with squares of one pixel", lambda x, patch: patch == 1)
WHOLE_PICTURE = border(
    "with one square for the whole picture", lambda x, patch: x.shape[2:] == (patch, patch)
)


@exercise.task(
    "4.4",
    "fold pixels into channels",
    2,
    "3. Fold: four pixels become four channels",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
        PATCH_OF_ONE,
        WHOLE_PICTURE,
    ),
    without=("torch.nn.functional:pixel_unshuffle",),
    hints=(
        "The channel for row i and column j inside the squares is x[:, :, i::patch, j::patch].",
        (
            "For each channel c of the picture come all i, j of it, i slowest: (0, 0), (0, 1), … of c = 0,"
            " then of c = 1."
        ),
        (
            "x.reshape(B, C, H // p, p, W // p, p).permute(0, 1, 3, 5, 2, 4).reshape(B, C * p * p, H // p, W"
            " // p)."
        ),
    ),
)
def fold(x, patch):
    """Squares of patch × patch pixels as channels: (B, C, H, W) to (B, C patch², H / patch, W / patch)."""
    return F.pixel_unshuffle(x, patch)


@fold.cases
def _(draw):
    yield draw.normal(2, 1, 4, 6), 2
    yield draw.normal(2, 3, 6, 6), 3
    yield draw.normal(3, 2, 8, 4), 2
    yield draw.normal(1, 2, 6, 6), 2
    yield draw.normal(2, 2, 3, 3), 1
    yield draw.normal(2, 2, 4, 4), 4
    yield pictures.digits(2), 4


@fold.numbers
def _(fold, draw):
    x = fold(draw.normal(5, 2, 12, 12) + 1, 2)
    return {"mean of channel 1": x[:, 1].mean(), "of channel 6": x[:, 6].mean()}


@fold.holds
def _(fold, draw):
    x = draw.normal(2, 1, 6, 6)
    moved = fold(torch.roll(x, 2, dims=3), 2)
    if moved.shape == (2, 4, 3, 3) and (moved - torch.roll(fold(x, 2), 1, dims=3)).abs().max() > 1e-3:
        return "if the picture moves by a square, the maps must move by a pixel, and yours do something else"


def _permuted(*order, split=("h", "p", "w", "q")):
    """A fold that puts the axes b c h p w q into another order, or cuts the picture into quarters."""

    def fold(x, p):
        B, C, H, W = x.shape
        sizes = {"h": H // p, "p": p, "w": W // p, "q": p}
        parts = x.reshape(B, C, *(sizes[name] for name in split))
        axes = {"b": 0, "c": 1} | {name: 2 + k for k, name in enumerate(split)}
        return parts.permute(*(axes[name] for name in order)).reshape(B, C * p * p, H // p, W // p)

    return fold


def _folded(form):
    """Made of a right fold: a form of it, of the picture, and of the patch."""
    return lambda x, p: form(F.pixel_unshuffle(x, p), x, p)


def _side(p):
    """A fold with squares of side p, whatever the patch is; and the same, brought to the wanted shape."""
    return (
        lambda x, _patch: F.pixel_unshuffle(x, p),
        lambda x, patch: F.pixel_unshuffle(x, p).reshape(
            len(x), -1, x.shape[2] // patch, x.shape[3] // patch
        ),
    )


fold.wrong("reshape-only", lambda x, p: x.reshape(len(x), -1, x.shape[2] // p, x.shape[3] // p))
fold.wrong("rows-for-columns", _permuted(*"bcqphw"), _permuted(*"bqpchw"))
fold.wrong("channel-order", _permuted(*"bpqchw"), _permuted(*"bpcqhw"))
fold.wrong("quarters-for-squares", _permuted(*"bcpqhw", split=("p", "h", "q", "w")))

fold.wrong(
    "square-backwards",
    *(
        _folded(lambda y, x, p, axes=axes: y.unflatten(1, (-1, p, p)).flip(axes).flatten(1, 3))
        for axes in ((2, 3), (2,), (3,))
    ),
)
fold.wrong("fixed-patch", *_side(2))
fold.wrong(
    "first-channel-only",
    lambda x, p: F.pixel_unshuffle(x[:, :1], p),
    lambda x, p: F.pixel_unshuffle(x[:, :1], p).repeat(1, x.shape[1], 1, 1),
)
fold.wrong(
    "channels-averaged",
    lambda x, p: F.pixel_unshuffle(x.mean(1, keepdim=True), p),
    lambda x, p: F.pixel_unshuffle(x.sum(1, keepdim=True), p),
    lambda x, p: F.pixel_unshuffle(x.mean(1, keepdim=True), p).repeat(1, x.shape[1], 1, 1),
)


def _pooled(pool):
    """Squares of which one number is left, as it is, and repeated for all channels that are wanted."""
    return (
        pool,
        lambda x, p: pool(x, p).repeat_interleave(p * p, dim=1),
        lambda x, p: pool(x, p).repeat(1, p * p, 1, 1),
    )


for _pool, _what in (
    (F.avg_pool2d, "of every square only the mean is left"),
    (F.max_pool2d, "of every square only the largest number is left"),
    (lambda x, p: p * p * F.avg_pool2d(x, p), "of every square only the sum is left"),
    (lambda x, p: x[:, :, ::p, ::p], "of every square only the first pixel is left"),
):
    fold.wrong("pixels-lost", *_pooled(_pool), sentence=f"{_what}; each pixel goes into a channel of its own")
fold.wrong(
    "pixels-lost",
    _folded(lambda y, x, p: torch.cat([x[:, :, k::p, k::p] for k in range(p)], dim=1)),
    sentence="only the pixels on the diagonal of a square are left; every pair of i and j has a channel",
)
fold.wrong(
    "pictures-mixed",
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).transpose(0, 1).reshape(y.shape)),
    _folded(lambda y, x, p: y.transpose(0, 1).reshape(y.shape)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(2, 0, 1, 3, 4).reshape(y.shape)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(2, 1, 0, 3, 4).reshape(y.shape)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(1, 2, 0, 3, 4).reshape(y.shape)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(1, 0, 2, 3, 4).reshape(y.shape)),
    lambda x, p: (
        F.pixel_unshuffle(x.reshape(x.shape[1], x.shape[0], *x.shape[2:]), p)
        .reshape(x.shape[1], len(x), p * p, x.shape[2] // p, x.shape[3] // p)
        .transpose(0, 1)
        .flatten(1, 2)
    ),
    sentence="pictures of the batch were mixed: batch and channels changed places in a `reshape`",
)
fold.wrong(
    "squares-in-the-batch",
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(2, 0, 1, 3, 4).flatten(0, 1)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).permute(0, 2, 1, 3, 4).flatten(0, 1)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p, p)).permute(0, 4, 5, 1, 2, 3).flatten(0, 2)),
)
fold.wrong(
    "wrong-axis",
    _folded(lambda y, x, p: y.permute(0, 2, 3, 1)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).transpose(1, 2).flatten(1, 2).permute(0, 2, 3, 1)),
    _folded(lambda y, x, p: y.flatten(2).mT),
    sentence="the channels came last; they belong on the second axis: (B, C p², H / p, W / p)",
)
fold.wrong(
    "wrong-axis",
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p))),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p * p)).transpose(1, 2)),
    _folded(lambda y, x, p: y.unflatten(1, (-1, p, p))),
    sentence="the places inside a square still have axes of their own; join them with the channels",
)
fold.wrong(
    "wrong-axis",
    _folded(lambda y, x, p: y.flatten(2)),
    _folded(lambda y, x, p: y.flatten(1)),
    sentence="axes were joined that belong apart: (B, C p², H / p, W / p)",
)
fold.wrong(
    "square-pictures-only",
    _folded(lambda y, x, p: y[..., : y.shape[2]]),
    _folded(lambda y, x, p: y[..., : y.shape[3], :]),
)


def _strided(places, crop):
    """Every pixel that is so many rows and columns further as there are squares, from each of the first places."""

    def fold(x, p):
        h, w = x.shape[2] // p, x.shape[3] // p
        high, wide = (p, p) if places == "pixels" else (h, w)
        parts = [x[:, c, i::h, j::w] for c in range(x.shape[1]) for i in range(high) for j in range(wide)]
        return torch.stack([part[:, :h, :w] if crop else part for part in parts], dim=1)

    return fold


fold.wrong(
    "steps-of-squares",
    *(_strided(places, crop) for places in ("pixels", "squares") for crop in (False, True)),
)
for _split in ("hpwq", "hwpq", "phqw", "pqhw"):
    for _order in itertools.permutations("hpwq"):
        named_above = {"pqhw", "qphw"} if _split == "hpwq" else {"pqhw"} if _split == "phqw" else set()
        if "".join(_order) not in {_split, *named_above}:
            fold.wrong("axes-mixed", _permuted("b", "c", *_order, split=_split))

# 4.5

exercise.explain("4.5", "what the last layer's zeros are good for, in a sentence")

# 4.6

AT_THE_LAST_TIME = border("at t = 1000", lambda x_t, t, other_x, other_t, numbers: (other_t == 1000).any())


def _verdict(name):
    def verdict(_x_t, _t, _other_x, _other_t, _numbers):
        return places(name)

    return verdict


def _concluded(examine):
    """What is found of a network from its answers, whatever was found where it was asked."""

    def conclude(x_t, t, other_x, other_t, numbers):
        found = examine(x_t, t, other_x, other_t, numbers)
        if not isinstance(found, tuple):
            if found is not None and found[0] == 1:
                raise ValueError("a network that passes has answers to show")
            return found
        tape = found[1:]
        plain = OnTape(tape)
        for batch in batches(x_t, t, other_x, other_t):
            if not plain(*batch).isfinite().all():
                return places("not-finite")
        return places(diagnosis(OnTape(tape[3:]), x_t, t, other_x, other_t))

    return conclude


@exercise.task(
    "4.6",
    "a small denoiser",
    4,
    "2. The U",
    prepare=examined,
    conclude=_concluded,
    ends=(T_IS_ONE, AT_THE_LAST_TIME),
    inputs_are_shown=False,
    without=[f"diffusion_lab.unet:{name}" for name in ("UNet", "Level", "ResidualBlock", "Attention")],
    hints=(
        (
            "Begin with convolutions only (padding=1); see that the shape is right; then shrink (stride=2)"
            " and grow."
        ),
        (
            "The time: my_embed_time(t, 32, 10_000), then an nn.Linear to 2 C numbers, which scale and shift"
            " a normalised map."
        ),
        (
            "A conv at 28, one with stride 2, two at 14, nn.Upsample(scale_factor=2), torch.cat with the maps"
            " before, a conv."
        ),
    ),
)
def denoiser(x_t, t, other_x, other_t, numbers):
    """1, 0 if all is well with a network that is called as f(x_t, t)."""
    return _verdict("passed")(x_t, t, other_x, other_t, numbers)


@denoiser.cases
def _(draw):
    x_t, other_x = draw.normal(3, 1, 28, 28), draw.normal(3, 1, 28, 28)
    yield x_t, torch.tensor([1, 700, 400]), other_x, torch.tensor([800, 50, 1000]), draw.normal(29_989)


@denoiser.numbers
def _(network, draw):
    x, other = draw.normal(3, 1, 28, 28) + 1, draw.normal(3, 1, 28, 28)
    passed = network(x, draw.integers(100, 400, 3), other, draw.integers(500, 900, 3), draw.normal(29_989))[0]
    return {"asked about pictures of mean": x.mean() * passed, "all is well (1: yes)": passed}


denoiser.wrong(
    "draws-own-noise",
    _verdict("random"),
    sentence=(
        "asked the same twice, the network gave two answers: noise, dropout, or a layer that is made anew in `forward`"
    ),
)
denoiser.wrong("weights-hidden", _verdict("hidden"))
denoiser.wrong("times-mixed", _verdict("mixed-t"))
denoiser.wrong(
    "ignores-t",
    _verdict("cut-t"),
    sentence=(
        "the answer is the same at t = 1, 400 and 700, or the times of a batch may change places: was the time cut to a"
        " whole number (`t // 1000`), or one made of all?"
    ),
)
denoiser.wrong(
    "dead-weights",
    _verdict("cut"),
    sentence="no gradient reaches any weight: `no_grad`, `detach` or `.data` cuts the answer off from the network",
)
denoiser.wrong(
    "arguments-exchanged",
    _verdict("exchanged"),
    sentence="`forward` takes the time first; it is called as f(x_t, t): the picture, then the time",
)
denoiser.wrong(
    "misbroadcast-t",
    _verdict("misbroadcast"),
    sentence="the numbers for t met the width of the pictures, 28; t wants shape (B, 1, 1, 1) beside (B, C, H, W)",
)
denoiser.wrong(
    "endpoint-missed",
    _verdict("no-last"),
    sentence="t = 1000 is a time, too: a table of the times needs 1001 rows, 0 to 1000",
)
denoiser.wrong("size-not-kept", _verdict("size"))
denoiser.wrong("not-finite-alone", _verdict("not-finite"))
denoiser.wrong("ignores-t", _verdict("ignores-t"))
denoiser.wrong("ignores-input", _verdict("ignores-x"))
denoiser.wrong("pictures-mixed", _verdict("pictures-mixed"))
denoiser.wrong("shared-t", _verdict("shared-t"))
denoiser.wrong("small-field", _verdict("small-field"))
denoiser.wrong("dead-weights", _verdict("dead"))
denoiser.wrong("too-many-weights", _verdict("heavy"))
denoiser.wrong(
    "changed-its-input",
    _verdict("changed"),
    sentence="the network changes `x_t` or `t`; whoever asks it still needs them: make new tensors, or a `.clone()`",
)
