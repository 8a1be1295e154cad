"""Checks of exercise 05, training: the loss, one step, the averaged weights, and a network that was trained."""

import contextlib
import copy
import functools
import io

import torch
from torch import nn

from diffusion_lab import data
from diffusion_lab.bench.pack import Call
from diffusion_lab.bench.training import (
    COSINE,
    OTHER_GRADIENTS,
    Measured,
    Paler,
    Small,
    averaged,
    flat,
    for_a_thousand,
    network,
    played,
    walked_back,
    with_gradient,
)
from diffusion_lab.checks import pictures
from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, REAL_PICTURES, border
from diffusion_lab.checks.engine import Exercise, Task
from diffusion_lab.schedules import DiffusionSchedule

exercise = Exercise("05", "Training")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

FOUR = DiffusionSchedule(4, 0.1, 0.5)  # borders of a fourth are exact numbers
FIVE = DiffusionSchedule(5, 0.1, 0.5)  # so short and steep that a time off by one shows
LIMIT = 0.2
"""Largest loss of a network that counts as trained. 200 steps of 64 digits, width 16, AdamW, rates from 1e-3 to 5e-3,
reach 0.11 to 0.16 from any start, also on scikit-learn's digits. To answer x_t, scaled, leaves more than
0.3."""

# 5.1


@exercise.guess(
    "5.1",
    "the first loss",
    1,
    "1. The loop",
    hints=(
        (
            "The network answers 0. The loss is then the mean of the squared target. What is the mean square"
            " of noise?"
        ),
        (
            "For x_0 it was given: 1/4. For v square the sum: the mixed term is 0 on average, since noise has"
            " mean 0."
        ),
        "That leaves alpha_bar × 1 + (1 - alpha_bar) × 1/4 for v, with alpha_bar = 0.2.",
    ),
)
def first_loss():
    """Mean squares of eps, x_0 and v, for pictures of mean square 1/4 at alpha bar 0.2."""
    return {"eps": (0.97, 1.03), "x0": (0.23, 0.27), "v": (0.37, 0.43)}


def _first(eps=(0.97, 1.03), x0=(0.23, 0.27), v=(0.37, 0.43)):
    return lambda: {"eps": eps, "x0": x0, "v": v}


def _about(value, by=0.02):
    return value - by, value + by


RIGHT_V = (0.37, 0.43)


def _with_v(*vs, **numbers):
    """Answers with other numbers for eps or x0, and for v what follows from those, or the right one."""
    return [_first(v=v, **numbers) for v in (RIGHT_V, *(_about(v) for v in vs))]


first_loss.wrong(
    "swapped-scales", _first(v=(0.82, 0.88)), sentence="v multiplies the *noise* by the root of alpha bar"
)
first_loss.wrong(
    "part-missing",
    _first(v=(0.19, 0.21)),
    sentence=(
        "v has two parts, 0.2 times the 1 of the noise and 0.8 times the 1/4 of x_0; one was left out, or 0.2 and"
        " 0.8 were squared"
    ),
)
first_loss.wrong(
    "variance-as-std",
    _first(v=(0.655, 0.69)),
    _first(v=(0.216, 0.231)),
    sentence="v mixes with the square roots of alpha bar and 1 - alpha bar; the squares of those are wanted",
)
first_loss.wrong(
    "error-not-squared",
    *_with_v(0.6, 0.63, x0=_about(0.5)),
    sentence="a root was taken; the loss is the mean of the squares itself, and 1/4 is one already",
)
first_loss.wrong(
    "variance-as-std",
    _first(v=(0.629, 0.65)),
    sentence="a root was taken of the loss for v; it is the mean of the squares itself",
)
first_loss.wrong(
    "one-step-too-many",
    *_with_v(0.25, x0=_about(0.0625)),
    sentence="1/4 is the mean of the squares already, and was squared once more",
)
first_loss.wrong(
    "other-pictures",
    *_with_v(0.944, x0=_about(0.93)),
    sentence="0.93 is the mean square of MNIST; the pictures here are pale, with 1/4",
)
first_loss.wrong(
    "other-pictures",
    *_with_v(1.0, x0=_about(1.0)),
    sentence="1 would be right for pictures of mean square 1; these have 1/4, for x0 as well as in v",
)
first_loss.wrong(
    "other-pictures",
    _first(v=(0.97, 1.03)),
    sentence="v has a mean square of 1 only if the pictures have; these have 1/4",
)
first_loss.wrong(
    "one-minus",
    *_with_v(0.8, x0=_about(0.75)),
    sentence="the answer is 0, so the loss for x0 is the mean square of x_0 itself, and not 1 minus it",
)
first_loss.wrong(
    "mixed-term-kept",
    _first(v=(0.785, 0.815)),
    sentence=(
        "the mixed term was kept, as if noise and picture went together; it is 0 on average, since the noise"
        " has mean 0"
    ),
)
first_loss.wrong(
    "wrong-sign",
    _first(v=_about(0.0)),
    sentence="the minus sign in v is squared, too: the two parts, 0.2 and 0.2, add up",
)
first_loss.wrong(
    "unweighted-mean",
    _first(v=(0.612, 0.628)),
    sentence="v is no plain mean of the two: the noise counts 0.2, and the picture 0.8",
)
first_loss.wrong(
    "factor-missing",
    _first(v=_about(1.25)),
    sentence="in v, noise and picture are scaled: 0.2 of one mean square and 0.8 of the other add up",
)
first_loss.wrong(
    "factor-missing",
    _first(v=_about(0.25)),
    sentence="for v the noise counts as well: 0.2 times its 1, besides 0.8 times 1/4",
)
first_loss.wrong(
    "wrong-target", _first(eps=(0.23, 0.27), x0=(0.97, 1.03)), sentence="eps and x0 changed places"
)
first_loss.wrong(
    "wrong-target",
    *_with_v(eps=_about(0.8, 0.0015)),
    *_with_v(eps=_about(0.8), x0=_about(0.05)),
    sentence="the noise itself is the target, not the share of it that is mixed into x_t",
)
first_loss.wrong(
    "absolute-error",
    *_with_v(eps=(0.795, 0.8015)),
    sentence="0.8 is the mean of the absolute noise; each number is to be squared first",
)
first_loss.wrong("zero-loss", lambda: dict.fromkeys(("eps", "x0", "v"), _about(0.0)))
first_loss.wrong(
    "zero-loss",
    *_with_v(0.2, eps=_about(0.0)),
    sentence="the noise is 0 on average, but its square is not: the mean of that is 1",
)
first_loss.wrong(
    "zero-loss",
    *_with_v(0.2, x0=_about(0.0)),
    sentence="an answer of 0 misses x_0 by x_0 itself, and the mean of its square is 1/4",
)


@first_loss.numbers
def _(_guess, draw):
    x_0, noise = draw.uniform(-1, 1, 200_000) * 0.75**0.5, draw.normal(200_000)
    v = 0.2**0.5 * noise - 0.8**0.5 * x_0
    return {f"measured, {name}": x.square().mean() for name, x in (("eps", noise), ("x0", x_0), ("v", v))}


# 5.2

U_IS_ZERO = border("at u = 0", lambda model, x_0, u, *_: (u == 0).any())
U_NEAR_ONE = border("with u just below 1", lambda model, x_0, u, *_: (u > 0.999).any())
ON_A_BORDER = border(
    "with u on a border between two times",
    lambda model, x_0, u, noise, schedule: ((u > 0) & (u * schedule.timesteps % 1 == 0)).any(),
)


def _times(u, timesteps):
    return (u * timesteps).long() + 1


def _scales(schedule, t):
    return _roots(1 - schedule.alphas_cumprod[t])


def _roots(variance):
    return [x.float().reshape(-1, 1, 1, 1) for x in ((1 - variance).sqrt(), variance.sqrt())]


def _eps(_x_0, noise, _x_t, _scales):
    return noise


def _seen(_x_0, x_t, t, _u, _timesteps):
    return x_t, t


def _mean_square(error):
    return error.square().mean()


def _loss(times=_times, scales=_scales, target=_eps, seen=_seen, reduce=_mean_square):
    """A loss with something changed: the times, the mixing, the target, what the network sees, or the mean."""

    def loss(model, x_0, u, noise, schedule):
        t = times(u, schedule.timesteps)
        keep, add = scales(schedule, t)
        x_t = keep * x_0 + add * noise
        answer = model(*seen(x_0, x_t, t, u, schedule.timesteps))
        return reduce(answer - target(x_0, noise, x_t, (keep, add)))

    return with_gradient(loss)


@exercise.task(
    "5.2",
    "the loss, with its times",
    3,
    "1. The loop",
    ends=(
        U_IS_ZERO,
        U_NEAR_ONE,
        ON_A_BORDER,
        BATCH_OF_ONE,
        NOT_SQUARE,
        REAL_PICTURES,
    ),
    prepare=with_gradient,
    hints=(
        (
            "u * T lies between 0 and T. `.long()` cuts off what is after the point: 0 … T-1. What is"
            " missing to 1 … T?"
        ),
        (
            "t = (u * T).long() + 1. Then x_t as in exercise 01, from `schedule.alphas_cumprod[t]` in shape"
            " (B, 1, 1, 1)."
        ),
        "Ask model(x_t, t). The network should say what the noise is: (answer - noise).square().mean().",
    ),
)
def loss(model, x_0, u, noise, schedule):
    """The squared error of the noise, one number, for x_0, (B, C, H, W), and even numbers u in [0, 1), (B,)."""
    return _loss()(model, x_0, u, noise, schedule)


def _small(draw):
    return Small(draw.uniform(0.3, 0.9, 3))


def _even(draw, places, strata=5):
    """Numbers in fifths of [0, 1), one in each of the places, and where rounding goes to another time than cutting."""
    place = draw.shuffled(places)
    low, high = draw.uniform(0.1, 0.3, len(places)), draw.uniform(0.7, 0.9, len(places))
    return (place + torch.where(place % 2 == 0, high, low)) / strata


@loss.cases
def _(draw):
    yield _small(draw), draw.normal(5, 1, 5, 5), _even(draw, range(5)), draw.normal(5, 1, 5, 5), FIVE
    yield _small(draw), draw.normal(3, 2, 4, 6), _even(draw, (1, 2, 3)), draw.normal(3, 2, 4, 6), FIVE
    yield _small(draw), draw.normal(4, 1, 3, 3), _even(draw, (0, 1, 2, 3)), draw.normal(4, 1, 3, 3), FIVE
    yield (
        _small(draw),
        draw.normal(4, 1, 3, 3),
        draw.shuffled((0, 1, 2.4, 3)) / 4,
        draw.normal(4, 1, 3, 3),
        FOUR,
    )
    yield _small(draw), draw.normal(1, 1, 3, 3), torch.tensor([0.5]), draw.normal(1, 1, 3, 3), FIVE
    yield _small(draw), draw.normal(2, 1, 3, 3), torch.tensor([0.9995, 0.3]), draw.normal(2, 1, 3, 3), FIVE
    yield _small(draw), pictures.digits(3), _even(draw, (4, 0, 2)), draw.normal(3, 1, 28, 28), FIVE


@loss.numbers
def _(loss, draw):
    value, gradient = loss(
        _small(draw), draw.normal(20, 1, 5, 5), draw.uniform(0, 0.999, 20), draw.normal(20, 1, 5, 5), FIVE
    )
    return {"loss": value, "first gradient": gradient[0]}


def _bar_scales(change):
    return lambda schedule, t: _roots(1 - change(schedule)[t])


def _powers(signal, noise):
    """Scales that are other powers of alpha bar and 1 - alpha bar than the root."""

    def scales(schedule, t):
        bar = schedule.alphas_cumprod[t].float().reshape(-1, 1, 1, 1)
        return bar**signal, (1 - bar) ** noise

    return scales


def _reshaped(*shape):
    return lambda schedule, t: [x.reshape(shape) for x in _scales(schedule, t)]


def _detached(model, x_0, u, noise, schedule):
    return Measured(
        (_loss()(model, x_0, u, noise, schedule)[0].detach(), *map(torch.zeros_like, model.parameters()))
    )


loss.wrong(
    "endpoint-missed",
    _loss(lambda u, T: (u * T).long()),
    _loss(lambda u, T: (u * (T - 1)).long() + 1),
    _loss(lambda u, T: (u * T).long().clamp(min=1)),
    _loss(lambda u, T: (u * (T - 1)).long()),
    sentence="one end of the times is missing: t must run from 1 to T, both included, and never be 0",
)
loss.wrong(
    "endpoint-missed",
    _loss(lambda u, T: (u * (T + 1)).long()),
    sentence="there are T + 1 times in your answer, 0 among them; t must run from 1 to T",
)
loss.wrong(
    "endpoint-missed",
    _loss(lambda u, T: (u * (T + 1)).long().clamp(min=1)),
    _loss(lambda u, T: (u * (T + 1)).long().clamp(max=T)),
    _loss(lambda u, T: ((u * (T + 1)).long() + 1).clamp(max=T)),
    _loss(lambda u, T: ((u * T).long() + 2).clamp(max=T)),
    sentence="one time comes up more often than the others: cut [0, 1) into T pieces of one length",
)
loss.wrong(
    "endpoint-missed",
    _loss(lambda u, T: (u * T).ceil().long()),
    sentence=(
        "rounding up makes t = 0 of u = 0; t must run from 1 to T (cut off what is after the point, and"
        " add 1)"
    ),
)
loss.wrong(
    "endpoint-missed",
    _loss(lambda u, T: (u * T).ceil().long().clamp(min=1)),
    sentence="rounding up gives a u on a border to the time below; for T = 5, u = 0.2 becomes 2",
)
loss.wrong(
    "uneven-times",
    _loss(lambda u, T: (u * (T - 1)).round().long() + 1),
    _loss(lambda u, T: (u * T).round().long()),
    _loss(lambda u, T: (u * T).round().long().clamp(min=1)),
    _loss(lambda u, T: ((u * T).round().long() + 1).clamp(max=T)),
    _loss(lambda u, T: (u * (T + 1)).round().long().clamp(1, T)),
    _loss(lambda u, T: (u * T + 0.5).long() + 1),
)
for _one in (
    lambda u: u[:1],
    lambda u: u[-1:],
    lambda u: u.mean(0, keepdim=True),
    lambda u: u.max().reshape(1),
    lambda u: u.min().reshape(1),
):
    loss.wrong("shared-t", _loss(lambda u, T, one=_one: _times(one(u), T).expand(len(u))))
loss.wrong(
    "wrong-order",
    _loss(lambda u, T: _times(u.sort().values, T)),
    _loss(lambda u, T: _times(u.sort(descending=True).values, T)),
    _loss(lambda u, T: _times(u.flip(0), T)),
    _loss(lambda u, T: _times(u.roll(1), T)),
    sentence="the numbers `u` were put into another order; the time of picture i is made of u[i]",
)
loss.wrong(
    "wrong-order",
    _loss(lambda u, T: T - (u * T).long()),
    _loss(lambda u, T: _times(1 - u, T).clamp(max=T)),
    sentence="the times run backwards: u near 0 becomes 1, and u near 1 becomes T",
)
loss.wrong(
    "uneven-times",
    _loss(lambda u, T: _times(u.square(), T)),
    _loss(lambda u, T: _times(u.sqrt(), T)),
    sentence="`u` was bent, so that some times come up more often; all T are to be equally likely",
)


def _right_for_a_thousand(model, x_0, u, noise, _schedule):
    """The right loss, whatever schedule is given, with one of a thousand steps."""
    return for_a_thousand(_loss()(model, x_0, u, noise, COSINE)[0].detach(), model)


loss.wrong("fixed-steps", _right_for_a_thousand)
loss.wrong(
    "arguments-exchanged",
    _loss(seen=lambda _x, x_t, t, _u, _T: (t, x_t)),
    sentence="the network is called as `model(x_t, t)`: pictures first, then the times",
)
loss.wrong(
    "scaled-time",
    _loss(seen=lambda _x, x_t, t, _u, T: (x_t, t / T)),
    _loss(seen=lambda _x, x_t, _t, u, _T: (x_t, u)),
)
loss.wrong(
    "index-shift",
    _loss(seen=lambda _x, x_t, t, _u, _T: (x_t, t - 1)),
    _loss(seen=lambda _x, x_t, t, _u, _T: (x_t, t + 1)),
    sentence="the network was told another time than that of x_t, one step off",
)
loss.wrong(
    "wrong-sign",
    _loss(target=lambda _x, noise, *_: -noise),
    sentence="a sign is wrong: the noise was added to the answer; their difference is wanted",
)
loss.wrong(
    "wrong-sign",
    _loss(reduce=lambda error: -error.square().mean()),
    sentence="the sign of the loss is wrong: it is to fall when the answer gets better",
)
loss.wrong(
    "wrong-sign",
    _loss(scales=lambda s, t: (_scales(s, t)[0], -_scales(s, t)[1])),
    sentence="a sign is wrong: the noise was taken off the picture; it is added",
)
loss.wrong("clean-input", _loss(seen=lambda x_0, _x, t, _u, _T: (x_0, t)))
loss.wrong(
    "wrong-target",
    _loss(target=lambda x_0, *_: x_0),
    sentence="the answer is compared with x_0, not the noise",
)
loss.wrong(
    "wrong-target", _loss(target=lambda _x, _n, x_t, _s: x_t), sentence="compared with x_t, not the noise"
)
loss.wrong(
    "wrong-target",
    _loss(target=lambda x_0, noise, _x, scales: scales[0] * noise - scales[1] * x_0),
    sentence="the answer is compared with v, as in the lesson; here the network says what the noise is",
)
loss.wrong(
    "wrong-target",
    _loss(target=lambda _x, noise, _x_t, scales: scales[1] * noise),
    sentence="compared with the noise as it was mixed in, scaled; wanted is the noise itself, of variance 1",
)
loss.wrong(
    "wrong-target",
    _loss(target=lambda x_0, _n, x_t, _s: x_t - x_0),
    _loss(target=lambda x_0, noise, *_: noise - x_0),
    sentence="the answer is compared with a difference of pictures; wanted is the noise itself",
)
loss.wrong(
    "wrong-target",
    _loss(target=lambda *_: 0.0),
    sentence="the answer is compared with 0, or with nothing; wanted is the noise",
)
loss.wrong(
    "index-shift", _loss(scales=lambda s, t: _scales(s, t - 1)), _loss(scales=lambda s, t: _scales(s, t + 1))
)
loss.wrong("alpha-for-alphabar", _loss(scales=_bar_scales(lambda s: s.alphas)))
loss.wrong(
    "variance-as-std",
    _loss(scales=_powers(1, 1)),
    _loss(scales=_powers(1, 0.5)),
    _loss(scales=_powers(0.5, 1)),
)
loss.wrong("swapped-scales", _loss(scales=lambda s, t: _scales(s, t)[::-1]))
loss.wrong("one-minus-root", _loss(scales=lambda s, t: (_scales(s, t)[0], 1 - _scales(s, t)[0])))
loss.wrong("no-shrinking", _loss(scales=lambda s, t: (1, _scales(s, t)[1])))
loss.wrong(
    "misbroadcast-t",
    _loss(scales=_reshaped(-1)),
    _loss(scales=_reshaped(-1, 1)),
    _loss(scales=_reshaped(-1, 1, 1)),
)
loss.wrong(
    "sum-for-mean",
    _loss(reduce=lambda error: error.square().sum()),
    _loss(reduce=lambda error: error.square().sum() / len(error)),
)
loss.wrong(
    "mean-not-taken",
    _loss(reduce=lambda error: error.square().flatten(1).mean(1)),
    _loss(reduce=lambda error: error.square().flatten(1).sum(1)),
    _loss(reduce=lambda error: error.square().mean((0, 2, 3))),
    _loss(reduce=torch.square),
)
loss.wrong(
    "error-not-squared",
    _loss(reduce=lambda error: error.mean().square()),
    _loss(reduce=lambda error: error.flatten(1).mean(1).square().mean()),
    sentence="errors were averaged first and then squared, so that those of opposite sign cancel; square them first",
)
loss.wrong(
    "error-not-squared",
    *(
        _loss(reduce=lambda error, norm=norm: norm(error, torch.zeros_like(error)))
        for norm in (nn.functional.smooth_l1_loss, nn.functional.huber_loss)
    ),
    _loss(reduce=lambda error: ((1 + error.square()).sqrt() - 1).mean()),
    _loss(reduce=lambda error: error.cosh().log().mean()),
    sentence="large errors count less here than their square (a Huber loss?); wanted is the mean of the plain squares",
)
loss.wrong(
    "error-not-squared",
    _loss(reduce=lambda error: error.square().flatten(1).mean(1).sqrt().mean()),
    _loss(reduce=lambda error: torch.linalg.vector_norm(error)),
    _loss(reduce=lambda error: error.flatten(1).norm(dim=1).mean()),
    _loss(reduce=lambda error: error.square().mean().log()),
    sentence="a root or a logarithm was taken of the mean of the squares; that mean itself is wanted",
)
loss.wrong(
    "error-not-squared",
    _loss(reduce=lambda error: error.abs().mean()),
    _loss(reduce=lambda error: error.mean()),
    _loss(reduce=lambda error: error.square().mean().sqrt()),
)
loss.wrong("detached-loss", _detached)
loss.wrong("backward-inside", walked_back)


def _shares_of_right(answer, draw, times):
    """How many times too large the losses of single pictures are, each with its gradient; three for each time."""
    shares = []
    for t in times:
        for _ in range(3):
            given = (
                _small(draw),
                draw.normal(1, 1, 3, 3),
                torch.tensor([(t - 0.5) / 5]),
                draw.normal(1, 1, 3, 3),
            )
            got, wanted = (
                torch.cat(
                    [torch.as_tensor(part).detach().double().flatten() for part in measure(*given, FIVE)]
                )
                for measure in (answer, loss.rights[""])
            )
            share = float(got @ wanted / (wanted @ wanted)) if got.shape == wanted.shape else 0.0
            if not share or not torch.allclose(got, share * wanted, rtol=0, atol=1e-3 * abs(share)):
                return None
            shares.append(share)
    return torch.tensor(shares).reshape(-1, 3)


@loss.probe(
    "wrong-factor",
    "right, but all of it times one number; wanted is the mean of the squares and nothing more",
)
def _(loss, draw):
    shares = _shares_of_right(loss, draw, range(1, 6))
    return shares is not None and bool((shares - shares[0, 0]).abs().max() < 1e-3 < abs(shares[0, 0] - 1))


@loss.probe("loss-weighted")
def _(loss, draw):
    shares = _shares_of_right(loss, draw, range(1, 6))
    if shares is None:
        return False
    spread = (shares - shares.mean(1, keepdim=True)).abs().max()
    return bool(spread < 1e-3 * shares.abs().max() and (shares.mean(1) - 1).abs().max() > 1e-2)


@loss.probe(
    "changed-its-input",
    "`model` was put into another mode; leave that to whoever trains it",
    always=True,
)
def _(loss, draw):
    model, *rest = next(iter(_cases(loss, draw)))
    examined = _small(draw)
    loss(model.train(), *rest)
    loss(examined.eval(), *rest)
    modes = [[is_training for (is_training,) in one.modes.entries] for one in (model, examined)]
    return not all(modes[0]) or any(modes[1])


@loss.probe("draws-own-times")
def _(loss, draw):
    model, *rest = next(iter(_cases(loss, draw)))
    for _ in range(3):
        loss(model, *rest)
    times = [t for (t,) in model.times.entries]
    return len(times) > 2 and any(not torch.equal(times[0], t) for t in times[1:])


@loss.probe("draws-own-noise")
def _(loss, draw):
    args = next(iter(_cases(loss, draw)))
    return bool((loss(*args)[0] != loss(*args)[0]).any())


def _cases(_loss, draw):
    yield _small(draw), draw.normal(5, 1, 5, 5), _even(draw, range(5)), draw.normal(5, 1, 5, 5), FIVE


# 5.3

ONE_PICTURE = border("with one picture in a batch", lambda model, batches, rate: batches.shape[1] == 1)
PARTS = border(
    "with modules inside modules", lambda model, *_: any(len(list(part.children())) for part in model)
)
WITH_BIASES = border("with biases", lambda model, *_: any(p.ndim == 1 for p in model.parameters()))


PLAYED = (
    "the weights after each step",
    "the losses that you return",
    "the modes in which the loss was computed",
    "the number of losses and steps",
    "what happened to the gradients",
    "what was asked for, and what came of it",
)


def _right_step(model, optimizer, batch, loss_of):
    model.train()
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@exercise.task(
    "5.3",
    "one step of training",
    2,
    "1. The loop",
    prepare=played,
    results=PLAYED,
    ends=(ONE_PICTURE, PARTS, WITH_BIASES),
    inputs_are_shown=False,
    may_change=("model",),
    hints=(
        (
            "Five lines besides the return: mode, loss, clear, gradient, move. Lesson 05 has four of them in"
            " `train_by_hand`."
        ),
        (
            "model.train(), then loss = loss_of(model, batch). Clear with optimizer.zero_grad(), before new"
            " gradients come."
        ),
        "Then loss.backward(), optimizer.step(), and return loss.item().",
    ),
)
def train_step(model, batches, rate):
    """Three steps, of a network of linear layers, on `batches`, (3, B, 4), at a learning rate."""
    return played(_right_step)(model, batches, rate)


train_step.rights[""].played = True


def _nested(draw):
    """Layers inside layers, with biases and a part that has a mode and no weights."""
    inner = nn.Sequential(Paler(), nn.Linear(3, 4))
    model = nn.Sequential(nn.Linear(4, 3), inner)
    for p in model.parameters():
        p.data = draw.normal(*p.shape) / 2
    return model


@train_step.cases
def _(draw):
    yield _nested(draw), draw.normal(3, 6, 4), 0.2
    yield _nested(draw), draw.normal(3, 5, 4), 0.4
    yield _nested(draw), draw.normal(3, 1, 4), 0.1


@train_step.numbers
def _(train_step, draw):
    _path, losses, *_ = train_step(_nested(draw), draw.normal(3, 30, 4), 0.2)
    return {"loss in the first step": losses[0], "in the second": losses[1], "in the third": losses[2]}


def _step(*order, mode=lambda model: model.train(), cut=None, give=lambda loss: loss.item()):
    """A step that does these things in this order."""

    def step(model, optimizer, batch, loss_of):
        mode(model)
        loss = loss_of(model, batch)
        loss = cut(loss) if cut else loss
        for name in order:
            {"zero": optimizer.zero_grad, "backward": lambda: loss.backward(), "step": optimizer.step}[name]()
        return give(loss)

    return played(step)


def _lagging(model, optimizer, batch, loss_of):
    """Uses the gradients of the step before."""
    model.train()
    optimizer.step()
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


train_step.wrong("stale-gradients", _step("backward", "step"))
train_step.wrong(
    "stale-gradients",
    _step("backward", "step", "zero"),
    sentence="gradients were cleared after the step; those that another batch has left were still there before it",
)
train_step.wrong(
    "step-order",
    _step("zero", "step", "backward"),
    _step("backward", "zero", "step"),
    _step("step", "zero", "backward"),
    played(_lagging),
)
train_step.wrong(
    "no-step", _step("zero", "backward"), sentence="nothing moved: `optimizer.step()` is missing"
)
train_step.wrong(
    "detached-loss",
    _step("zero", "backward", "step", cut=lambda loss: loss.detach()),
    _step("zero", "backward", "step", cut=lambda loss: loss.detach().requires_grad_()),
)
train_step.wrong("no-backward", _step("zero", "step"))
train_step.wrong(
    "missing-train",
    _step("zero", "backward", "step", mode=lambda model: None),
    _step("zero", "backward", "step", mode=lambda model: model.eval()),
    _step("zero", "backward", "step", mode=lambda model: model.train(model.training)),
    sentence="the loss was computed in evaluation mode; `model.train()` is wanted before it",
)
train_step.wrong(
    "missing-train",
    _step("zero", "backward", "step", mode=lambda model: model.training or model.train()),
    sentence=(
        "`model.training` speaks of the outermost module alone, and parts of it may be in evaluation mode; call"
        " `model.train()` in any case"
    ),
)
train_step.wrong(
    "missing-train",
    _step("zero", "backward", "step", mode=lambda model: setattr(model, "training", True)),
    sentence="only the outermost module is in training mode; `model.train()` reaches all its parts",
)
for _give in (lambda loss: loss, lambda loss: loss * 1):
    train_step.wrong("graph-kept", _step("zero", "backward", "step", give=_give))
    train_step.wrong("graph-kept", _step("backward", "step", "zero", give=_give))


def _new_optimizer(model, optimizer, batch, loss_of):
    """Forgets what the optimiser remembers."""
    model.train()
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"]).step()
    return loss.item()


def _of_a_copy(model, optimizer, batch, loss_of):
    """Trains a copy, with an optimiser of its own."""
    trained = copy.deepcopy(model).train()
    loss = loss_of(trained, batch)
    loss.backward()
    torch.optim.SGD(trained.parameters(), lr=0.1).step()
    return loss.item()


def _of_a_copy_with_the_optimizer(model, optimizer, batch, loss_of):
    """Trains a copy, of whose weights the optimiser knows nothing."""
    loss = loss_of(copy.deepcopy(model).train(), batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _twice(model, optimizer, batch, loss_of):
    """Computes the loss once for the step and once to return it."""
    model.train()
    optimizer.zero_grad()
    value = loss_of(model, batch).item()
    loss_of(model, batch).backward()
    optimizer.step()
    return value


def _two_steps(model, optimizer, batch, loss_of):
    """Takes a second step on the same batch."""
    value = _right_step(model, optimizer, batch, loss_of)
    _right_step(model, optimizer, batch, loss_of)
    return value


def _forgetful(model, optimizer, batch, loss_of):
    """Clears what the optimiser remembers along with the gradients."""
    optimizer.state.clear()
    return _right_step(model, optimizer, batch, loss_of)


train_step.wrong("optimizer-bypassed", played(_new_optimizer))
train_step.wrong(
    "optimizer-bypassed",
    played(_forgetful),
    sentence="what the optimiser remembers, its momentum, was cleared; only gradients are to be cleared",
)


def _first_group(model, optimizer, batch, loss_of):
    """Clears the gradients of the first group of weights only."""
    model.train()
    loss = loss_of(model, batch)
    for p in optimizer.param_groups[0]["params"]:
        p.grad = None
    loss.backward()
    optimizer.step()
    return loss.item()


train_step.wrong(
    "stale-gradients",
    played(_first_group),
    sentence="only the gradients of some weights were cleared; an optimiser may have several groups of weights",
)
train_step.wrong("copy-trained", played(_of_a_copy), played(_of_a_copy_with_the_optimizer))
train_step.wrong("loss-twice", played(_twice))


@train_step.probe("many-steps")
def _(train_step, draw):
    *_, numbers, _reasons, _kinds = train_step(_nested(draw), draw.normal(3, 6, 4), 0.2)
    return bool((numbers[:, 1] > 1).all())


def _kinds(train_step, draw):
    """What the last result of `played` says: of arguments, the batch, gradients, losses, flags and `backward`."""
    return [int(kind) for kind in train_step(_nested(draw), draw.normal(3, 6, 4), 0.2)[-1]]


@train_step.probe(
    "arguments-exchanged", "`loss_of(model, batch)` wants the network first, and then the batch"
)
def _(train_step, draw):
    return _kinds(train_step, draw)[0] == 1


@train_step.probe("batch-taken-apart")
def _(train_step, draw):
    return _kinds(train_step, draw)[1] == 1


@train_step.probe(
    "wrong-factor",
    "the loss was multiplied or divided by a number, such as that of the batch; take it as `loss_of` gives it",
)
def _(train_step, draw):
    return _kinds(train_step, draw)[2:4] in ([2, 1], [3, 1], [0, 1])


@train_step.probe("backward-twice")
def _(train_step, draw):
    kinds = _kinds(train_step, draw)
    return OTHER_GRADIENTS[kinds[2] - 1] == "wrong-factor" and kinds[5] == 1


for _number, _name in enumerate(OTHER_GRADIENTS, start=1):
    _sentence = (
        "the gradient that was followed is too large: the loss was multiplied by a number before"
        " `backward`, or the gradients after it"
    )
    train_step.probe(_name, _sentence if _name == "wrong-factor" else "")(
        lambda train_step, draw, number=_number: _kinds(train_step, draw)[2] == number
    )


@train_step.probe("loss-rounded")
def _(train_step, draw):
    return _kinds(train_step, draw)[3] == 2


@train_step.probe("frozen-weights-moved", always=True)
def _(train_step, draw):
    model = _nested(draw)
    frozen = nn.Linear(4, 4).requires_grad_(False)
    frozen.weight.data, frozen.bias.data = draw.normal(4, 4), draw.normal(4)
    path, *_ = train_step(model.append(frozen), draw.normal(3, 6, 4), 0.2)
    return bool((path[-1, -20:] != path[0, -20:]).any() or (path[0, -20:] != flat(frozen)).any())


@train_step.probe(
    "changed-its-input",
    "`requires_grad` of some weights is not what it was; which weights are trained is not for a step to decide",
    always=True,
)
def _(train_step, draw):
    model = _nested(draw)
    model[1].requires_grad_(False)
    return any(
        train_step(network, draw.normal(3, 6, 4), 0.2)[-1][4] == 1 for network in (_nested(draw), model)
    )


def _asked_again(mode):
    """Returns the loss after the step, computed in training mode or not."""

    def step(model, optimizer, batch, loss_of):
        _right_step(model, optimizer, batch, loss_of)
        return loss_of(model.train(mode), batch).item()

    return played(step)


train_step.wrong(
    "step-order",
    _asked_again(True),
    _asked_again(False),
    sentence=(
        "the loss *before* the step is wanted, the one you have already; yours was computed again after the"
        " step"
    ),
)

# 5.4

DECAY_ZERO = border("with decay 0", lambda average, model, moves, decay: decay == 0)
DECAY_ONE = border("with a decay next to 1", lambda average, model, moves, decay: decay > 0.99)

AVERAGED = (
    "the weights of average and model",
    "whether a graph grew",
    "what came back",
    "whether it wants gradients",
    "whether average and model share their numbers",
    "whether the model still wants gradients",
    "which weights were skipped",
)


def _all_weights(model):
    return list(model.parameters())


def _ema(change, graph=False, into_model=False, weights=_all_weights, give=lambda average, model: average):
    """An update with a change: from an averaged weight, a current one and the decay to the new average."""

    def update(average, model, decay):
        with torch.set_grad_enabled(graph):
            for a, w in zip(weights(average), weights(model), strict=False):
                (w if into_model else a).copy_(change(a, w, decay))
        return give(average, model)

    return averaged(update)


def _mix(a, w, decay):
    return decay * a + (1 - decay) * w


@exercise.task(
    "5.4",
    "averaged weights, in place",
    2,
    "4. Averaged weights",
    prepare=averaged,
    results=AVERAGED,
    ends=(PARTS, WITH_BIASES, DECAY_ZERO, DECAY_ONE),
    inputs_are_shown=False,
    without=("diffusion_lab.optimization:update_ema",),
    may_change=("average", "model"),
    hints=(
        "`zip(average.parameters(), model.parameters())` gives the weights of both, layer by layer.",
        (
            "`a = …` only gives a new tensor a name. What writes into the old one ends in _, as in a.copy_(…)"
            " and a.mul_(…)."
        ),
        (
            "Under `with torch.no_grad():`, for each pair a.copy_(decay * a + (1 - decay) * w); then return"
            " average."
        ),
    ),
)
def update_ema(average, model, moves, decay):
    """The average after each of the `moves` of the network's weights."""
    return _ema(_mix)(average, model, moves, decay)


update_ema.rights[""].averaged = True


@update_ema.cases
def _(draw):
    for steps, decay in ((3, 0.7), (4, 0.9), (2, 0.0), (3, 0.999), (9, 0.9999)):
        yield _twins(draw), _twins(draw), draw.normal(steps, WEIGHTS), decay


def _twins(draw):
    """Layers inside layers, two of them of one shape."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Dropout(0.0), nn.Linear(3, 4), nn.Linear(4, 3)))
    for p in model.parameters():
        p.data = draw.normal(*p.shape) / 2
    return model


WEIGHTS = 46
"""How many weights `_twins` has."""


@update_ema.numbers
def _(update_ema, draw):
    path, *_ = update_ema(_twins(draw), _twins(draw), draw.normal(20, WEIGHTS), 0.8)
    return {f"weight {k} of the average after 20 steps": path[-1, 0, k] for k in (0, 7)}


update_ema.wrong(
    "missing-no-grad",
    _ema(_mix, graph=True),
    sentence=(
        "the average drags a graph for gradients along, longer with every step; `with torch.no_grad():` is"
        " wanted"
    ),
)
update_ema.wrong("swapped-decay", _ema(lambda a, w, d: (1 - d) * a + d * w))
update_ema.wrong("shares-not-one", _ema(lambda a, w, d: d * a + w), _ema(lambda a, w, d: a + (1 - d) * w))
update_ema.wrong(
    "shares-not-one",
    _ema(lambda a, w, d: d * a + (1 - d) * (w - d * a)),
    _ema(lambda a, w, d: d * a + (1 - d) * (w - a)),
    _ema(lambda a, w, d: a + (1 - d) * (w - (a + (1 - d) * w))),
    sentence=(
        "the old average counts twice: it was multiplied by the decay, and taken off again in the difference; one of"
        " the two is enough"
    ),
)
update_ema.wrong("average-into-model", _ema(_mix, into_model=True))
update_ema.wrong("gradients-averaged", _ema(lambda a, w, d: d * a + (1 - d) * w.grad))
update_ema.wrong(
    "decay-capped",
    *(_ema(lambda a, w, d, cap=cap: _mix(a, w, min(d, cap))) for cap in (0.9, 0.99, 0.995, 0.999)),
)
update_ema.wrong(
    "decay-capped",
    *(_ema(lambda a, w, d, floor=floor: _mix(a, w, max(d, floor))) for floor in (0.1, 0.5, 0.9)),
)


def _aliased(when):
    """Gives the averaged network the tensors of the other one, for some decays."""

    def update(average, model, decay):
        for a, w in zip(average.parameters(), model.parameters(), strict=True):
            a.data = w.data if when(decay) else _mix(a.data, w.data, decay)
        return average

    return averaged(update)


update_ema.wrong("shared-memory", _aliased(lambda decay: True), _aliased(lambda decay: not decay))


def _paired(find):
    """Finds the partner of each weight in its own way."""

    def update(average, model, decay):
        with torch.no_grad():
            for a in average.parameters():
                a.copy_(_mix(a, find(model, a), decay))
        return average

    return averaged(update)


update_ema.wrong(
    "wrong-partners",
    _paired(lambda model, a: {w.shape: w for w in model.parameters()}[a.shape]),
    _paired(lambda model, a: next(w for w in model.parameters() if w.shape == a.shape)),
    _paired(lambda model, a: next(w for w in reversed(list(model.parameters())) if w.shape == a.shape)),
)


def _again_and_again(average, model, decay):
    """Goes through all modules and all that is inside each, so that inner weights are averaged several times."""
    with torch.no_grad():
        for part, other in zip(average.modules(), model.modules(), strict=True):
            for a, w in zip(part.parameters(), other.parameters(), strict=True):
                a.copy_(_mix(a, w, decay))
    return average


update_ema.wrong("averaged-twice", averaged(_again_and_again))
update_ema.wrong(
    "averaged-twice",
    _ema(lambda a, w, d: _mix(_mix(a, w, d), w, d)),
    sentence="the average was moved twice in one call; once is wanted",
)
update_ema.wrong(
    "frozen-skipped", _ema(_mix, weights=lambda model: [p for p in model.parameters() if p.requires_grad])
)
update_ema.wrong(
    "not-in-place",
    _ema(lambda a, _w, _d: a),
    _ema(lambda a, _w, _d: a, give=lambda average, model: copy.deepcopy(average)),
)
update_ema.wrong("not-averaged", _ema(lambda _a, w, _d: w))
for _some, _sentence in (
    (
        lambda model: [p for p in model.parameters() if p.ndim > 1],
        "the biases were left out; the average is one of all weights, and `parameters()` gives them all",
    ),
    (
        lambda model: [p for part in model.children() for p in part._parameters.values()],
        "only the outermost layers were averaged; `parameters()` gives the weights inside nested modules, too",
    ),
    (
        lambda model: list(model.parameters())[:1],
        "only the first weights were averaged: is `return` inside the loop?",
    ),
):
    update_ema.wrong("weights-left-out", _ema(_mix, weights=_some), sentence=_sentence)
for _give in (
    lambda average, model: None,
    lambda average, model: model,
    lambda average, model: average.state_dict(),
):
    update_ema.wrong("not-returned", _ema(_mix, give=_give))
update_ema.wrong(
    "missing-no-grad",
    _ema(_mix, give=lambda average, model: average.requires_grad_(True)),
    sentence="the averaged weights want gradients now; nobody trains them, so leave `requires_grad` as it was",
)


update_ema.wrong(
    "average-into-model",
    _ema(_mix, give=lambda average, model: (model.requires_grad_(False), average)[1]),
    sentence="`model` wants no gradients any more and cannot go on training; leave it as it is",
)


@update_ema.probe("ignores-decay")
def _(update_ema, draw):
    average, model, moves = _twins(draw), _twins(draw), draw.normal(3, WEIGHTS)
    paths = [update_ema(average, model, moves, decay)[0] for decay in (0.7, 0.3)]
    return bool(torch.equal(*paths) and (paths[0][0, 0] != flat(average)).any())


@update_ema.holds
def _(update_ema, draw):
    average, moves = _twins(draw), draw.normal(1, WEIGHTS)
    found = update_ema(average, _twins(draw), moves, 0.7)[0][0, 0]
    parts = torch.stack([flat(average), moves[0]], 1).double()
    shares = torch.linalg.lstsq(parts, found[:, None]).solution
    if (parts @ shares - found[:, None]).abs().max() < 1e-4:
        old, new = shares.flatten().tolist()
        return (
            f"with decay 0.7 your new average is {old:.3g} times the old one and {new:.3g} times the current"
            " weights; 0.7 and 0.3 are wanted"
        )


@update_ema.probe(
    "average-into-model", "`model` was changed too; it goes on training, so leave its weights as they are"
)
def _(update_ema, draw):
    moves = draw.normal(3, WEIGHTS)
    path, *_ = update_ema(_twins(draw), _twins(draw), moves, 0.7)
    return bool((path[:, 1] - moves).abs().max() > 1e-6)


# 5.5

exercise.explain("5.5", "why not the last weights, in a sentence")

# 5.6


@functools.cache
def _held_out():
    with contextlib.redirect_stderr(
        io.StringIO()
    ):  # where digits come from was said when the training ones were read
        return data.mnist(train=False).images


def _error(network, x_0, t, noise, target="eps", time=lambda t: t):
    """Mean squared error on noisy pictures, infinite if the network cannot be asked this."""
    alpha, sigma = COSINE.alpha_sigma(t, x_0)
    x_t = alpha * x_0 + sigma * noise
    wanted = {"eps": noise, "x0": x_0, "v": alpha * noise - sigma * x_0}[target]
    with torch.no_grad():
        answer = network(x_t, time(t))
    if answer is None:
        return None
    answer = answer.float()
    if answer.shape != x_0.shape:
        raise ValueError(f"the network's answer has shape {tuple(answer.shape)}, x_t has {tuple(x_0.shape)}")
    return float((answer - wanted).square().mean())


def _stretches(t):
    """Middle times, and late ones."""
    return (t > 300) & (t <= 500), t > 700


def _asked_of_trained(x_0, t, noise):
    """What a network is asked that has learned to say the noise."""
    for when in (torch.ones_like(t, dtype=torch.bool), *_stretches(t)):
        alpha, sigma = COSINE.alpha_sigma(t[when], x_0[when])
        yield alpha * x_0[when] + sigma * noise[when], t[when]


def _suspicions(network, x_0, t, noise, loss):
    """What a network with too large a loss may have learned instead, by its number in `SUSPECTED`."""
    alike = noise.mean(dim=(1, 2, 3), keepdim=True) * noise[0].numel() ** 0.5
    yield 1, _error(network, x_0, t, noise, "x0") < min(0.5, loss / 2)
    yield 2, _error(network, x_0, t, noise, "v") < min(0.5, loss / 2)
    yield 3, _error(network, (x_0 + 1) / 2, t, noise) < LIMIT
    yield 4, _error(network, x_0, t, alike.expand_as(noise)) < LIMIT
    yield 5, abs(loss - float(noise.square().mean())) < 1e-6
    yield (
        7,
        _error(network, x_0, t, torch.special.ndtr(noise)) < LIMIT / 3,
    )  # even in [0, 1); to answer 1/2: 0.083
    half = t <= 500
    early, late = (_error(network, x_0[when], t[when], noise[when]) for when in (half, ~half))
    yield 8, (late < LIMIT / 2 and early > 3 * LIMIT) or early < 1.5 * LIMIT < late
    with contextlib.suppress(Exception):  # a network may insist on whole numbers
        yield 6, _error(network, x_0, t, noise, time=lambda t: t / 1000) < LIMIT


def _examined(network):
    """Three numbers: 1 if the loss is small enough.

    Else what is suspected, or else how large the loss is, 1 to 4.
    """

    def examine(x_0, t, noise):
        loss = _error(network, x_0, t, noise)
        if loss is None:
            return None
        if loss < LIMIT:
            middle, late = (_error(network, x_0[when], t[when], noise[when]) for when in _stretches(t))
            left_out = late > max(
                1.3 * middle, LIMIT / 2
            )  # of a trained network the late times are the easy ones
            return torch.tensor([0.0, 8.0, 0.0] if left_out else [1.0, 0.0, 0.0])
        found = next((number for number, is_so in _suspicions(network, x_0, t, noise, loss) if is_so), 0)
        size = next((k for k, bound in ((1, 0.3), (2, 0.7), (3, float("inf"))) if loss < bound), 4)
        return torch.tensor([0.0, found, 0.0 if found else size])

    return examine


def _verdict(*numbers):
    def verdict(_x_0, _t, _noise):
        return torch.tensor([float(number) for number in numbers])

    return verdict


class _Network(Task):
    """A task that is answered by a network, which is asked about noisy pictures."""

    def planned(self):
        """All times, and those from which a trained network is told from one that knows only some."""
        made: list[Call] = []

        def watched(x_0, t, noise):
            made.extend(Call(asked) for asked in _asked_of_trained(x_0, t, noise))
            return self.rights[""](x_0, t, noise)

        for args in self.make_cases(self._draw()):
            watched(*args)
        self._printable(self._student(watched))
        return made


@exercise.task(
    "5.6",
    "train, and watch the noise go",
    4,
    "5. Train your network",
    kind=_Network,
    prepare=network,
    conclude=_examined,
    ends=(REAL_PICTURES,),
    inputs_are_shown=False,
    hints=(
        (
            "network = dl.UNet(width=16), average = copy.deepcopy(network), an optimiser, and a loop over"
            " dl.data.loader(…)."
        ),
        (
            "In the loop: loss_of(model, x_0) draws u and noise and calls my_loss. Then my_train_step, then"
            " my_update_ema."
        ),
        "AdamW with lr=3e-3, 200 steps of 64, and decay min(0.98, n / (n + 10)) after n steps: about 0.12.",
    ),
)
def trained(x_0, t, noise):
    """1, 0, 0: the loss of the network on pictures that it has not seen is below the limit."""
    return _verdict(1, 0, 0)(x_0, t, noise)


def _unseen(draw, number):
    """Digits that were kept apart, a time in each stretch of 1 … 1000, and noise."""
    x_0 = _held_out()[draw.integers(0, len(_held_out()) - 1, number)]
    width = 1000 // number
    return x_0, torch.arange(number) * width + draw.integers(1, width, number), draw.normal(*x_0.shape)


@trained.cases
def _(draw):
    yield _unseen(draw, 100)


@trained.numbers
def _(network, draw):
    x_0, t, noise = _unseen(draw, 50)
    passed = network(x_0, t, noise)[0]
    return {
        "a network that answers 0 has a loss of": noise.square().mean(),
        f"yours is below {LIMIT} (1: yes)": passed,
    }


trained.wrong("wrong-target", _verdict(0, 1, 0), sentence="the network says what x_0 is; the noise is wanted")
trained.wrong(
    "wrong-target", _verdict(0, 2, 0), sentence="the network says what v is; here the noise is wanted"
)
trained.wrong("unscaled-input", _verdict(0, 3, 0))
trained.wrong("one-noise-per-picture", _verdict(0, 4, 0))
trained.wrong("not-trained", _verdict(0, 5, 0))
trained.wrong("scaled-time", _verdict(0, 6, 0))
trained.wrong("uniform-noise", _verdict(0, 7, 0))
trained.wrong("times-left-out", _verdict(0, 8, 0))
for _size, _loss_is in enumerate(
    (
        "between 0.2 and 0.3; below 0.2 is wanted: nearly there, train for longer",
        (
            "between 0.3 and 0.7; below 0.2 is wanted: too few steps, always the same batch, or an average that"
            " still remembers the first weights?"
        ),
        (
            "0.7 or more, as if hardly trained: does the average forget the first weights, and is it"
            " `my_loss` that falls?"
        ),
        "not a finite number: is the learning rate too high?",
    ),
    start=1,
):
    trained.wrong(
        "differs", _verdict(0, 0, _size), sentence=f"the loss on digits that were kept apart is {_loss_is}"
    )
