"""Checks of exercise 04, the U-Net: what a network sees, how it is told the time, how it folds.

And a whole one.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F

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


sees_and_weighs.wrong("stride-ignored", _guess(across=(6.9, 7.1)), _guess((6.9, 7.1), (4607, 4609)))
sees_and_weighs.wrong("half-the-field", _guess(across=(4.9, 5.1)), _guess(across=(3.9, 4.1)))
sees_and_weighs.wrong("bias-forgotten", _guess(weights=(4607.5, 4608.5)))
sees_and_weighs.wrong("one-kernel-per-map", _guess(weights=(319.5, 320.5)), _guess(weights=(287.5, 288.5)))


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
        angles = time(t)[:, None] * frequencies(k, m, float(max_period))
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
    sentence="the exponent is -k / m with m = features // 2; it was divided by another number",
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
    sentence="mean and variance were taken over the batch too; every picture has its own",
)
scale_shift.wrong(
    "floor-misplaced",
    _steered(normal=lambda u, g: _normalised(u, g, floors=(0, 0))),
    _steered(normal=lambda u, g: _normalised(u, g, floors=(0, 1e-5))),
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
    "misbroadcast-t",
    _steered(view=(-1, -2)),
    _steered(view=(-1, -2, 1)),
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


fold.wrong("reshape-only", lambda x, p: x.reshape(len(x), -1, x.shape[2] // p, x.shape[3] // p))
fold.wrong("rows-for-columns", _permuted(*"bcqphw"), _permuted(*"bqpchw"))
fold.wrong("channel-order", _permuted(*"bpqchw"))
fold.wrong("quarters-for-squares", _permuted(*"bcpqhw", split=("p", "h", "q", "w")))

# 4.5

exercise.explain("4.5", "what the last layer's zeros are good for, in a sentence")

# 4.6

AT_THE_LAST_TIME = border("at t = 1000", lambda x_t, t, other_x, other_t, numbers: (other_t == 1000).any())
AT_MOST, AT_LEAST = 20_000, 15
NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
FOUND = (
    "passed",
    "random",
    "ignores-t",
    "ignores-x",
    "pictures-mixed",
    "shared-t",
    "small-field",
    "dead",
    "heavy",
    "changed",
)


def _trembling(network, numbers):
    """A copy with random weights in all layers, since some may begin at zero.

    The numbers are used over and over.
    """
    network, used = copy.deepcopy(network), 0
    for p in network.parameters():
        fan = p[0].numel() if p.ndim > 1 else 16
        values = numbers[torch.arange(used, used + p.numel()) % len(numbers)].reshape(p.shape)
        p.data, used = 1.5 * values / fan**0.5 + (0.5 if p.ndim == 1 else 0), used + p.numel()
        p.requires_grad_(True)
    return network


def _across(network, x_t, t):
    """Pixels across that the middle pixel's answer depends on, with normalisations taken out."""
    network = copy.deepcopy(network.network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, NORMS):
                setattr(module, name, nn.Identity())
    x_t = x_t.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x_t * 1, t.clone())[:, :, 14, 14].sum(), x_t)
    seen = gradient[:, 0].abs().amax(dim=0) > 0
    return int(min(seen.any(dim=0).sum(), seen.any(dim=1).sum()))


def _differ(a, b):
    return bool((a - b).abs().max() > 1e-4 * (1 + a.abs().max()))


class _Asked:
    """Asks a network with copies, and notes whether it changes them."""

    def __init__(self, network):
        self.network, self.has_changed = network, False

    def __call__(self, x_t, t):
        given = x_t.clone(), t.clone()
        out = self.network(*given)
        self.has_changed |= not (torch.equal(given[0], x_t) and torch.equal(given[1], t))
        return out


def _diagnoses(network, x_t, t, other_x, other_t):
    """What is wrong with a network, by its name in `FOUND`."""
    out = network(x_t, t)
    first_x, first_t = (torch.cat([b[:1], a[1:]]) for a, b in ((x_t, other_x), (t, other_t)))
    yield "random", _differ(out, network(x_t, t))
    yield "ignores-t", not _differ(out, network(x_t, other_t))
    yield "ignores-x", not _differ(out, network(other_x, t))
    yield "pictures-mixed", _differ(out[1:], network(first_x, t)[1:])
    yield "shared-t", _differ(out[1:], network(x_t, first_t)[1:])
    yield "small-field", _across(network, x_t, t) < AT_LEAST
    out.square().sum().backward()
    parameters = list(network.network.parameters())
    yield "dead", any(p.grad is None or not p.grad.any() for p in parameters)
    yield "heavy", sum(p.numel() for p in parameters) > AT_MOST
    yield "changed", network.has_changed


def _examined(network):
    """A function that says in two numbers what is wrong with a network: 1 if nothing is, and the place in `FOUND`."""
    if getattr(network, "examined", False):
        return network
    if not isinstance(network, nn.Module):
        raise exercise.tasks["4.6"]._mistaken(
            "wrong-type", "hand over a network: an instance of a torch.nn.Module"
        )

    def examine(x_t, t, other_x, other_t, numbers):
        with torch.no_grad():
            for batch in ((x_t, t), (x_t[:1], t[:1]), (other_x[-1:], other_t[-1:])):
                out = network(*(part.clone() for part in batch))
                if out is None:
                    return None
                if out.shape != batch[0].shape:
                    wanted = tuple(batch[0].shape)
                    raise ValueError(f"for x_t of shape {wanted} the answer has {tuple(out.shape)}")
        found = _diagnoses(_Asked(_trembling(network, numbers)), x_t, t, other_x, other_t)
        return _places(next((name for name, is_so in found if is_so), "passed"))

    return examine


def _places(name):
    return torch.tensor([float(name == "passed"), float(FOUND.index(name))])


def _verdict(name):
    def verdict(_x_t, _t, _other_x, _other_t, _numbers):
        return _places(name)

    verdict.examined = True
    return verdict


@exercise.task(
    "4.6",
    "a small denoiser",
    4,
    "2. The U",
    prepare=_examined,
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


denoiser.rights[""].examined = True


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
    "draws-own-noise", _verdict("random"), sentence="asked the same twice, the network gave two answers"
)
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
