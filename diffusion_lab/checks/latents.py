"""Checks of exercise 08, latents: the price of a code, a code that is drawn, and the one number for the U-Net."""

import math

import torch
import torch.nn.functional as F

from diffusion_lab.bench.latents import Decoder, Painter, Unchanged, coded, priced
from diffusion_lab.bench.notes import Notes
from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, VERY_LARGE, VERY_SMALL, border
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.checks.mistakes import CATALOGUE

exercise = Exercise("08", "Latents")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show


def _names(result):
    return (
        result,
        "the gradient of mean",
        "the gradient of logvar",
        f"{result} where no gradient is asked for",
    )


_CUT = "leave out detach, .data, .item() and no_grad, or the encoder learns nothing"

# 8.1

WIDE = border("with a variance far above 1", lambda mean, logvar, *_: logvar.min() > 3)
SHARP = border("with a variance next to 0", lambda mean, logvar, *_: logvar.max() < -8)
FREE = border("with bells that are standard normal", lambda mean, logvar: not mean.any() and not logvar.any())

LOWEST, HIGHEST = -30.0, 20.0  # of the logarithms of variances, as 8.1 states
VERY_SHARP = border("with a logvar next to -30", lambda mean, logvar, *_: logvar.max() < LOWEST + 6)
VERY_WIDE = border("with a logvar next to 20", lambda mean, logvar, *_: logvar.min() > HIGHEST - 5)


def _bracket(mean, logvar):
    """Twice what each number of a latent costs, in nats."""
    return mean**2 + logvar.exp() - 1 - logvar


def _price(bracket, total=lambda costs: costs.flatten(1).sum(1), factor=0.5):
    """A price with something changed: what stands in the bracket, how it is summed up, or the factor before it."""
    return priced(lambda mean, logvar: factor * total(bracket(mean, logvar)))


@exercise.task(
    "8.1",
    "the price of a code",
    3,
    "2. The price of a code",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        WIDE,
        SHARP,
        FREE,
        VERY_SHARP,
        VERY_WIDE,
    ),
    prepare=priced,
    results=_names("the price"),
    hints=(
        (
            "The variance is logvar.exp(), and its logarithm is logvar itself. So every number of a latent"
            " has a price of its own, made of its mean and its logvar, by equation (2) of the lesson."
        ),
        (
            "Equation (2), number by number, has the shape of the latents. A picture pays for all its"
            " numbers, and for nobody else's: which axes are summed up, and which one stays?"
        ),
        "(0.5 * (mean**2 + logvar.exp() - 1 - logvar)).flatten(1).sum(dim=1), shape (B,).",
    ),
)
@priced
def price(mean, logvar):
    """KL divergence of N(mean, exp(logvar)) from N(0, 1) in nats, (B,), of latents (B, C, h, w).

    Kingma & Welling 2013, appendix B, with the other sign: there it is a gain, here a cost.
    """
    return 0.5 * _bracket(mean, logvar).flatten(1).sum(1)


@price.cases
def _(draw):
    yield (
        draw.normal(3, 2, 4, 5),
        draw.uniform(0.2, 1.8, 3, 2, 4, 5),
    )  # a logvar above 0 has a root and a logarithm
    yield draw.normal(2, 4, 3, 3) * 2, draw.normal(2, 4, 3, 3)
    yield draw.normal(5, 1, 2, 2), draw.uniform(-4, -1, 5, 1, 2, 2)
    yield draw.normal(1, 3, 4, 4), draw.normal(1, 3, 4, 4) * 0.5
    yield draw.normal(2, 1, 3, 3), draw.uniform(3.5, 5, 2, 1, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(-12, -9, 2, 1, 3, 3)
    yield torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(LOWEST, LOWEST + 5, 2, 1, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(HIGHEST - 4, HIGHEST, 2, 1, 3, 3)


@price.numbers
def _(price, draw):
    prices, *_ = price(draw.normal(20, 2, 3, 3), draw.normal(20, 2, 3, 3) - 1)
    return {"mean of 20 pictures": prices.mean(), "the dearest": prices.max()}


@price.holds
def _(price, draw):
    free, *_ = price(torch.zeros(3, 2, 4, 4), torch.zeros(3, 2, 4, 4))
    if bool(free.abs().max() > 1e-4):
        return f"a code that is standard normal itself costs nothing, and yours costs {free.flatten()[0]:.3f}"
    prices, *_ = price(draw.normal(50, 1, 2, 2), draw.normal(50, 1, 2, 2))
    if bool((prices < 0).any()):
        return "a price is never below 0, and yours is"


price.wrong(
    "logvar-as-variance",
    *(_price(lambda m, v, log=log: m**2 + v - 1 - log(v)) for log in (torch.log, lambda v: v.abs().log())),
    _price(lambda m, v: m**2 + v - 1 - v),
)
price.wrong(
    "logvar-as-std",
    *(
        _price(lambda m, v, log=log: m**2 + v**2 - 1 - 2 * log(v))
        for log in (torch.log, lambda v: v.abs().log())
    ),
    _price(lambda m, v: m**2 + v**2 - 1 - (v**2).log()),
    _price(lambda m, v: m**2 + v**2 - 1 - v),
)
price.wrong(
    "variance-as-std",
    _price(lambda m, v: m**2 + (2 * v).exp() - 1 - 2 * v),
    _price(lambda m, v: m**2 + (2 * v).exp() - 1 - v),
    sentence="exp(logvar) was squared; it is the variance already, and logvar the logarithm of the variance",
)
price.wrong(
    "variance-as-std",
    _price(lambda m, v: m**2 + (v / 2).exp() - 1 - v),
    _price(lambda m, v: m**2 + (v / 2).exp() - 1 - v / 2),
    sentence="the standard deviation, exp(logvar / 2), stands where the variance, exp(logvar), is wanted",
)
price.wrong(
    "wrong-sign",
    _price(_bracket, factor=-0.5),
    sentence=(
        "the sign of the whole is wrong: that is what a code gains (so Kingma & Welling put it); its price is"
        " the opposite"
    ),
)
for _signed in (
    lambda m, v: m**2 + v.exp() - 1 + v,
    lambda m, v: m**2 - v.exp() - 1 - v,
    lambda m, v: m**2 + v.exp() + 1 - v,
    lambda m, v: m**2 - v.exp() + 1 + v,
    lambda m, v: v.exp() - 1 - v - m**2,
    lambda m, v: m**2 - v.exp() + 1 - v,
    lambda m, v: m**2 + (-v).exp() - 1 - v,
    lambda m, v: (m**2 + v.exp() - 1 + v).abs(),
    lambda m, v: (m**2 - v.exp() - 1 - v).abs(),
    lambda m, v: (m**2 - v.exp() + 1 - v).abs(),
    lambda m, v: (v.exp() - 1 - v - m**2).abs(),
    lambda m, v: m**2 + v.exp() + 1 + v,
):
    price.wrong(
        "wrong-sign",
        _price(_signed),
        sentence="a sign in the bracket is wrong: mean² and exp(logvar) have a plus, 1 and logvar a minus",
    )
price.wrong("half-missing", _price(_bracket, factor=1))
price.wrong(
    "log-to-the-base-2",
    _price(_bracket, factor=0.5 / torch.tensor(2.0).log().item()),
    _price(lambda m, v: m**2 + v.exp() - 1 - v / torch.tensor(2.0).log()),
)
price.wrong(
    "half-missing",
    _price(lambda m, v: m**2 + 2 * (v.exp() - 1 - v)),
    sentence="the factor 1/2 stands before mean² only; it belongs before the whole bracket",
)
price.wrong(
    "half-missing",
    _price(lambda m, v: 2 * m**2 + v.exp() - 1 - v),
    sentence="the factor 1/2 stands before exp(logvar) - 1 - logvar only; mean² wants it too",
)
price.wrong(
    "mean-not-squared", *(_price(lambda m, v, f=f: f(m) + v.exp() - 1 - v) for f in (torch.abs, lambda m: m))
)
price.wrong(
    "mean-for-sum",
    _price(_bracket, lambda costs: costs.flatten(1).mean(1)),
    sentence=(
        "the mean over the numbers of a latent was returned; a picture pays for all of them, so it is the sum"
    ),
)
price.wrong(
    "mean-for-sum",
    _price(_bracket, torch.mean),
    sentence="everything was averaged; sum up the numbers of a latent, and leave the batch alone: shape (B,)",
)
price.wrong("one-for-the-batch", _price(_bracket, torch.sum))
price.wrong(
    "one-for-the-batch",
    _price(_bracket, lambda costs: costs.flatten(1).sum(1).mean()),
    sentence="the mean over the batch was returned; every picture wants a price of its own, shape (B,)",
)
price.wrong(
    "one-for-the-batch",
    *(_price(_bracket, lambda costs, dim=dim: costs.sum(dim)) for dim in (0, (0, 2, 3))),
    sentence="the pictures of the batch were added up; add up the numbers of each picture, shape (B,)",
)
for _cut, _what in (
    (lambda m, v: (m.detach(), v.detach()), "mean and logvar"),
    (lambda m, v: (m, v.detach()), "logvar"),
    (lambda m, v: (m.detach(), v), "mean"),
):
    price.wrong(
        "detached-loss",
        _price(lambda m, v, cut=_cut: _bracket(*cut(m, v))),
        sentence=f"the numbers are right, and no gradient reaches {_what}: {_CUT} to be cheap",
    )
for _what, _terms in {
    "the 1 is missing from the bracket, so that a standard normal code is not free": (
        lambda m, v: m**2 + v.exp() - v,
    ),
    "logvar is missing from the bracket: mean² + exp(logvar) - 1 - logvar": (
        lambda m, v: m**2 + v.exp() - 1 + 0 * v,
        lambda m, v: m**2 + v.exp(),
        lambda m, v: m**2 + v.exp() + torch.tensor(2 * torch.pi).log(),
    ),
    "exp(logvar) is missing from the bracket: mean² + exp(logvar) - 1 - logvar": (
        lambda m, v: m**2 - 1 - v,
        lambda m, v: m**2 - v,
    ),
    "only the width of a bell was paid for; how far its mean is from 0 costs too, mean²": (
        lambda m, v: v.exp() - 1 - v + 0 * m,
    ),
    "only the mean was paid for; how sharp a bell is costs too, exp(logvar) - 1 - logvar": (
        lambda m, v: m**2 + 0 * v,
    ),
}.items():
    price.wrong("term-missing", *map(_price, _terms), sentence=_what)
for _cut in (
    lambda m, v: m**2 + v.exp().detach() - 1 - v,
    lambda m, v: m**2 + v.exp() - 1 - v.detach(),
    lambda m, v: m * m.detach() + v.exp() - 1 - v,
):
    price.wrong(
        "detached-loss",
        _price(_cut),
        sentence=f"the price is right, and one of its terms was cut off, so that gradients are wrong: {_CUT}",
    )
price.wrong(
    "not-summed",
    *(
        _price(_bracket, total)
        for total in (
            lambda costs: costs,
            lambda costs: costs.sum(1),
            lambda costs: costs.sum((2, 3)),
            lambda costs: costs.sum(-1),
            lambda costs: costs.sum(2),
            lambda costs: costs.sum((1, 2)),
            lambda costs: costs.sum((1, 3)),
            lambda costs: costs.flatten(1),
            lambda costs: costs.mean(1),
            lambda costs: costs.mean((2, 3)),
        )
    ),
)
price.wrong(
    "mean-for-sum",
    *(
        _price(_bracket, total)
        for total in (
            lambda costs: costs.sum(1).mean((1, 2)),
            lambda costs: costs.mean(1).sum((1, 2)),
            lambda costs: costs.sum((1, 2)).mean(1),
            lambda costs: costs.mean(2).sum((1, 2)),
        )
    ),
    sentence="the mean was taken over some of the axes; a picture pays for all its numbers, so it is the sum",
)
price.wrong(
    "mean-for-sum",
    _price(_bracket, lambda costs: costs.flatten(1).sum(1) / len(costs)),
    sentence="the prices were divided by the number of pictures; each pays its own in full",
)
price.wrong(
    "one-for-the-batch",
    _price(_bracket, lambda costs: costs.sum().expand(len(costs))),
    _price(_bracket, lambda costs: costs.flatten(1).sum(1).mean().expand(len(costs))),
    sentence="all pictures got the same price, that of the batch; every one pays for its own numbers",
)


def _one_bell(average, number=lambda mean: mean[0].numel(), spread=torch.exp, back=torch.log):
    """The price of the one bell that is made of all those of a latent."""

    @priced
    def price(mean, logvar):
        one, variance = average(mean), average(spread(logvar))
        variance = back(variance).exp()
        return 0.5 * number(mean) * (one**2 + variance - 1 - variance.log())

    return price


price.wrong(
    "one-bell-for-all",
    *(
        _one_bell(lambda x: x.flatten(1).mean(1), number, *spread)
        for number in (lambda mean: mean[0].numel(), lambda mean: 1)
        for spread in ((torch.exp, torch.log), (lambda v: v, lambda v: v))
    ),
    sentence="one bell was made of the whole latent; every number has a bell of its own, and its own price",
)
price.wrong(
    "mean-subtracted",
    *(
        _price(lambda m, v, dim=dim: _bracket(m - m.mean(dim, keepdim=True), v))
        for dim in (0, 1, (1, 2, 3), (2, 3), (0, 2, 3), (0, 1, 2, 3))
    ),
    sentence="a mean was taken off the means first; what costs is how far a mean is from 0 itself",
)
price.wrong(
    "other-base",
    *(_price(lambda m, v, base=base: m**2 + base**v - 1 - v) for base in (2, 10)),
    _price(lambda m, v: m**2 + 2**v - 1 - v * torch.tensor(2.0).log()),
    _price(lambda m, v: m**2 + 10**v - 1 - v * torch.tensor(10.0).log()),
    _price(lambda m, v: m**2 + v.exp() - 1 - v / torch.tensor(10.0).log()),
    _price(_bracket, factor=0.5 / torch.tensor(10.0).log().item()),
)
price.wrong(
    "softplus-for-exp",
    _price(lambda m, v: m**2 + F.softplus(v) - 1 - F.softplus(v).log()),
    _price(lambda m, v: m**2 + F.softplus(v) - 1 - v),
    _price(lambda m, v: m**2 + F.softplus(v) ** 2 - 1 - 2 * F.softplus(v).log()),
)
price.wrong(
    "wrong-sign",
    _price(lambda m, v: _bracket(m, -v)),
    sentence="it is as if logvar were -logvar: a sharp bell, with a low logvar, costs much",
)
price.wrong("price-for-training-only", priced(lambda m, v: _training_only(m, v)))


def _training_only(mean, logvar):
    costs = 0.5 * _bracket(mean, logvar).flatten(1).sum(1)
    return costs if mean.requires_grad else torch.zeros_like(costs)


def _is_like(got, wanted, tolerance=1e-3):
    """Whether numbers have the shape that is wanted and are off by no more than a small share of the largest."""
    return got.shape == wanted.shape and bool(
        (got - wanted).abs().max() <= tolerance * max(float(wanted.abs().max()), 1e-6)
    )


@price.probe("draws-own-noise", "the price changes from call to call; it is a formula and has no dice in it")
def _(price, draw):
    given = draw.normal(3, 2, 4, 4), draw.normal(3, 2, 4, 4)
    return bool((price(*given)[0] != price(*given)[0]).any())


def _flat(mean, logvar):
    """What a picture of one number costs."""
    return 0.5 * _bracket(mean, logvar).flatten(1).sum(1)


def _is_right_between(function, draw, right, *more):
    """Whether an answer is right where no logvar is near one of its ends."""
    shape = 4, 1, 2, 2
    mean, between = draw.normal(*shape), draw.uniform(-1.5, 1.5, *shape)
    return _is_like(function(mean, between, *more)[0], right(mean, between, *more).double())


def _ends_are_flat(function, draw, right, *more):
    """Whether an answer is right in between, and takes no notice of logvar near one of its ends."""
    if not _is_right_between(function, draw, right, *more):
        return False
    shape, mean = (4, 1, 2, 2), draw.normal(4, 1, 2, 2)
    pairs = ((LOWEST, LOWEST + 2), (HIGHEST - 2, HIGHEST))
    told = [[function(mean, torch.full(shape, end), *more)[0] for end in pair] for pair in pairs]
    return any(bool((a == b).all()) for a, b in told)


def _is_multiple(got, wanted):
    """Whether numbers are those that are wanted, times one factor that is not 1."""
    factor = float((got * wanted).sum() / wanted.square().sum())
    return abs(factor) > 1e-6 and abs(factor - 1) > 1e-2 and _is_like(got / factor, wanted)


def _logarithm_at(price, logvar):
    """The logarithm of the variance that a price is made with, where `logvar` is far below 0."""
    mean, numbers = torch.full((1, 1, 2, 2), 3.0), 4
    cost = float(price(mean, torch.full_like(mean, logvar))[0])
    return 9 - 1 - 2 * cost / numbers


_ADDED = (
    "a small number was added to the variance before its logarithm was taken, so that sharp bells cost too little;"
    " logvar is that logarithm already"
)
price.wrong(
    "safety-number",
    *(
        _price(lambda m, v, tiny=tiny, also=also: m**2 + v.exp() + also * tiny - 1 - (v.exp() + tiny).log())
        for tiny in (0.1, 1e-2, 1e-3)
        for also in (0, 1)
    ),
    sentence=_ADDED,
)


@price.probe("safety-number", _ADDED)
def _(price, draw):
    lowest, next_to_it = (
        _logarithm_at(price, LOWEST + by) for by in (0, 2)
    )  # of what was added, or the bound
    is_flat = lowest > LOWEST + 3 and abs(next_to_it - lowest) < 0.01
    twice = is_flat and abs(_logarithm_at(price, lowest) - lowest - math.log(2)) < 0.05
    return bool(twice) and _is_right_between(price, draw, _flat)


@price.probe(
    "logvar-clipped", "logvar, or the variance, was clipped; logvar is wanted as it is, from -30 to 20"
)
def _(price, draw):
    return _ends_are_flat(price, draw, _flat)


@price.probe("price-floored")
def _(price, draw):
    free, _, _, _ = price(torch.zeros(3, 1, 2, 2), torch.zeros(3, 1, 2, 2))
    dear = draw.uniform(3, 4, 3, 1, 2, 2), draw.uniform(-4, -3, 3, 1, 2, 2)
    return bool((free > 1e-4).all()) and _is_like(price(*dear)[0], _flat(*dear).double())


@price.probe(
    "wrong-factor",
    "every price is right but for a factor: 1/2 stands before the sum over all numbers, and nothing else",
)
def _(price, draw):
    given = draw.normal(6, 2, 3, 3), draw.normal(6, 2, 3, 3)
    costs, right = price(*given)[0], _flat(*given).double()
    return costs.shape == right.shape and _is_multiple(costs, right)


price.wrong("kl-reversed", _price(lambda m, v: (1 + m**2) / v.exp() - 1 + v))

# 8.2


def _drawn(size=lambda logvar: (logvar / 2).exp(), centre=lambda mean: mean, shake=lambda noise: noise):
    """A drawn code with something changed: the size of the noise, its centre, or the noise."""
    return coded(lambda mean, logvar, noise: centre(mean) + size(logvar) * shake(noise))


@exercise.task(
    "8.2",
    "a code that is drawn",
    2,
    "2. The price of a code",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        WIDE,
        SHARP,
        VERY_SHARP,
        VERY_WIDE,
    ),
    prepare=coded,
    results=_names("the latent"),
    hints=(
        (
            "Multiply noise of variance 1 by a number: what comes out has the square of that number as its"
            " variance."
        ),
        (
            "So multiply by the standard deviation. The variance is exp(logvar), and a root halves what"
            " stands in an exp."
        ),
        "mean + (logvar / 2).exp() * noise, all three as they come.",
    ),
)
@coded
def draw_code(mean, logvar, noise):
    """A latent z ~ N(mean, exp(logvar)), (B, C, h, w), made of standard normal noise of the same shape.

    Kingma & Welling 2013, section 2.4; mean and logvar get gradients through it.
    """
    return mean + (logvar / 2).exp() * noise


@draw_code.cases
def _(draw):
    shape = 3, 2, 4, 5
    yield draw.normal(*shape), draw.uniform(0.3, 2, *shape), draw.normal(*shape)
    noise = draw.normal(4, 1, 4, 4)
    noise[0, 0, 0, 0], noise[2, 0, 1, 3] = 3.6, -3.4  # rare, but standard normal all the same
    yield draw.normal(4, 1, 4, 4), draw.normal(4, 1, 4, 4), noise
    yield draw.normal(2, 4, 3, 3), draw.uniform(-3, -1, 2, 4, 3, 3), draw.normal(2, 4, 3, 3)
    yield draw.normal(1, 2, 3, 3), draw.normal(1, 2, 3, 3), draw.normal(1, 2, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(3.5, 5, 2, 1, 3, 3), draw.normal(2, 1, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(-12, -9, 2, 1, 3, 3), draw.normal(2, 1, 3, 3)
    yield torch.zeros(2, 1, 3, 3), draw.uniform(LOWEST, LOWEST + 5, 2, 1, 3, 3), draw.normal(2, 1, 3, 3)
    yield draw.normal(2, 1, 3, 3), draw.uniform(HIGHEST - 4, HIGHEST, 2, 1, 3, 3), draw.normal(2, 1, 3, 3)


@draw_code.numbers
def _(drawn, draw):
    z, _, from_logvar, _ = drawn(
        draw.normal(20, 4, 4, 4) + 1, draw.normal(20, 4, 4, 4) - 1, draw.normal(20, 4, 4, 4)
    )
    return {"mean": z.mean(), "variance": z.var(), "a gradient": from_logvar.flatten()[0]}


@draw_code.holds
def _(drawn, draw):
    mean = draw.normal(2, 2, 3, 3)
    if bool((drawn(mean, torch.zeros(2, 2, 3, 3), torch.zeros(2, 2, 3, 3))[0] - mean).abs().max() > 1e-4):
        return "with noise 0 the latent has to be mean, and yours is not"


@draw_code.probe(
    "draws-own-noise", "fresh noise was drawn; the noise that is given is wanted, or nobody can check it"
)
def _(drawn, draw):
    given = draw.normal(3, 2, 1, 4, 4)
    return bool((drawn(*given)[0] != drawn(*given)[0]).any())


draw_code.wrong(
    "variance-as-std",
    _drawn(torch.exp),
    _drawn(lambda logvar: (2 * logvar).exp()),
    sentence=(
        "the noise was multiplied by the variance, exp(logvar), or by its square; exp(logvar / 2) is its root"
    ),
)
draw_code.wrong(
    "variance-as-std",
    _drawn(lambda logvar: (logvar / 4).exp()),
    sentence="a root too many: exp(logvar / 2) is the standard deviation already",
)
draw_code.wrong(
    "variance-as-std",
    _drawn(lambda logvar: logvar.exp() / 2),
    sentence=(
        "half the variance, exp(logvar) / 2, stands before the noise; the half belongs into the exponent:"
        " exp(logvar / 2)"
    ),
)
draw_code.wrong(
    "wrong-sign",
    _drawn(lambda logvar: -(logvar / 2).exp()),
    sentence="the noise was taken off the mean; equation (1) of the lesson adds it",
)
draw_code.wrong(
    "wrong-sign",
    _drawn(lambda logvar: (-logvar / 2).exp()),
    sentence=(
        "the sign in the exponent is wrong: where the encoder is sure, logvar is low and the noise small:"
        " exp(logvar / 2)"
    ),
)
draw_code.wrong(
    "swapped-scales",
    coded(lambda mean, logvar, noise: noise + (logvar / 2).exp() * mean),
    sentence="mean and noise changed places: the noise is what the standard deviation multiplies",
)
draw_code.wrong(
    "logvar-as-std",
    _drawn(lambda logvar: 1 + 0 * logvar),
    coded(lambda mean, logvar, noise: mean + noise),
    sentence="the noise was added as it is; times exp(logvar / 2) it has the variance that is wanted",
)
draw_code.wrong("logvar-as-std", _drawn(lambda logvar: logvar), _drawn(torch.abs))
draw_code.wrong(
    "logvar-as-std",
    _drawn(lambda logvar: logvar / 2),
    sentence="logvar / 2 is the *logarithm* of the standard deviation; the exp is missing",
)
draw_code.wrong("logvar-as-variance", _drawn(torch.sqrt), _drawn(lambda logvar: logvar.abs().sqrt()))
for _slice in (
    lambda noise: noise[:1],
    lambda noise: noise[-1:],
    lambda noise: noise.mean(0, keepdim=True),
):
    draw_code.wrong("shared-noise", _drawn(shake=_slice))
for _slice in (
    lambda noise: noise[:, :1, :1, :1],
    lambda noise: noise.mean(dim=(1, 2, 3), keepdim=True),
):
    draw_code.wrong(
        "one-noise-per-picture",
        _drawn(shake=_slice),
        sentence="the noise is one number per picture; every number of a latent has its own",
    )
draw_code.wrong(
    "detached-loss",
    _drawn(lambda logvar: (logvar.detach() / 2).exp(), torch.detach),
    sentence=f"no gradient reaches mean and logvar: {_CUT}",
)
draw_code.wrong(
    "detached-loss",
    _drawn(lambda logvar: (logvar.detach() / 2).exp()),
    sentence=(
        "no gradient reaches logvar, so the encoder cannot learn how sure to be: leave out detach, .data and"
        " no_grad"
    ),
)
draw_code.wrong(
    "detached-loss",
    _drawn(centre=torch.detach),
    sentence=(
        "no gradient reaches mean, so the encoder cannot learn where to put a picture: leave out detach,"
        " .data and no_grad"
    ),
)
draw_code.wrong(
    "mean-scaled",
    coded(lambda mean, logvar, noise: (mean + noise) * (logvar / 2).exp()),
    coded(lambda mean, logvar, noise: (mean + noise) * logvar.exp()),
    coded(lambda mean, logvar, noise: (mean - noise) * (logvar / 2).exp()),
)
draw_code.wrong(
    "mean-scaled",
    *(
        coded(lambda mean, logvar, noise, f=f: f(logvar) * mean + (logvar / 2).exp() * noise)
        for f in (
            lambda v: (1 - v.exp()).clamp(min=0).sqrt(),
            lambda v: (1 - v.exp()).abs().sqrt(),
            lambda v: (1 - v.exp()).sqrt(),
            lambda v: 1 - (v / 2).exp(),
            lambda v: 1 - v.exp(),
            lambda v: (-v / 2).exp(),
        )
    ),
    sentence="the mean was shrunk, as in the forward process; here it stays whole, and the noise is added",
)


def _standardised(dim, unbiased, divide):
    def standard(noise):
        centred = noise - noise.mean(dim, keepdim=True)
        return centred / noise.std(dim, keepdim=True, unbiased=unbiased) if divide else centred

    return standard


draw_code.wrong(
    "noise-standardised",
    *(
        _drawn(shake=_standardised(dim, unbiased, divide))
        for dim in ((0, 1, 2, 3), (1, 2, 3), (2, 3), (0, 2, 3), 0, 1)
        for unbiased, divide in ((True, True), (False, True), (True, False))
    ),
    _drawn(shake=lambda noise: noise / noise.std()),
    _drawn(shake=lambda noise: noise / noise.std(dim=(1, 2, 3), keepdim=True)),
    _drawn(shake=lambda noise: noise / noise.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)),
    _drawn(shake=lambda noise: noise / noise.norm()),
)
draw_code.wrong(
    "noise-clipped",
    *(_drawn(shake=lambda noise, to=to: noise.clamp(-to, to)) for to in (1, 2, 3)),
    _drawn(shake=torch.tanh),
)
draw_code.wrong(
    "other-base",
    *(_drawn(lambda logvar, base=base: base ** (logvar / 2)) for base in (10, 2)),
    *(_drawn(lambda logvar, base=base: base**logvar) for base in (10, 2)),
)
for _dim in ((1, 2, 3), (0, 1, 2, 3), (2, 3), 1, 0):
    draw_code.wrong(
        "one-bell-for-all",
        *(
            _drawn(lambda logvar, dim=_dim, f=f: f(logvar, dim))
            for f in (
                lambda v, dim: (v.mean(dim, keepdim=True) / 2).exp(),
                lambda v, dim: (v / 2).exp().mean(dim, keepdim=True),
                lambda v, dim: v.exp().mean(dim, keepdim=True).sqrt(),
            )
        ),
        sentence="one standard deviation was used for many numbers; each has its own, exp(logvar / 2)",
    )
draw_code.wrong(
    "one-bell-for-all",
    *(
        _drawn(centre=lambda mean, dim=dim: mean.mean(dim, keepdim=True).expand_as(mean))
        for dim in ((1, 2, 3), (2, 3), (0, 1, 2, 3), 0)
    ),
    _drawn(lambda logvar: (logvar[:1] / 2).exp()),
    _drawn(lambda logvar: (logvar[:, :1, :1, :1] / 2).exp()),
    _drawn(centre=lambda mean: mean[:1]),
    sentence="many numbers share a mean or a standard deviation; each has its own bell",
)
draw_code.wrong(
    "softplus-for-exp",
    *(
        _drawn(f)
        for f in (
            lambda v: F.softplus(v).sqrt(),
            F.softplus,
            lambda v: F.softplus(v / 2),
            torch.sigmoid,
            lambda v: (1 + v).clamp(min=0),
        )
    ),
)
draw_code.wrong(
    "one-step-too-many",
    *(
        coded(lambda mean, logvar, noise, f=f: f(mean + (logvar / 2).exp() * noise))
        for f in (torch.tanh, torch.sigmoid, lambda z: (z - z.mean()) / z.std(), F.relu)
    ),
    sentence="right at first, and then a function was taken of the latent; leave it as it comes",
)
draw_code.wrong(
    "noise-left-out",
    coded(lambda mean, logvar, noise: mean + (logvar / 2).exp() * noise if mean.requires_grad else mean),
    sentence="where no gradient is asked for, the mean came back alone; a latent is drawn there too",
)


def _one_latent(mean, logvar, noise):
    return mean + (logvar / 2).exp() * noise


def _size_at(drawn, logvar):
    """What the noise is multiplied by, by an answer, for bells that all have one logvar."""
    noise = torch.ones(1, 1, 2, 2)
    return float(drawn(0 * noise, torch.full_like(noise, logvar), noise)[0].flatten()[0])


@draw_code.probe("spread-with-floor")
def _(drawn, draw):
    lowest = _size_at(drawn, LOWEST)  # of the number that was added, or the bound itself
    if not math.exp(LOWEST / 2 + 2) < lowest < 0.2:
        return False
    return _size_at(drawn, 2 * math.log(lowest)) > 1.2 * lowest and _is_like(
        torch.tensor([_size_at(drawn, 6.0)]), torch.tensor([math.exp(3)])
    )


@draw_code.probe("logvar-clipped")
def _(drawn, draw):
    return _ends_are_flat(
        lambda mean, *more: drawn(0 * mean, *more), draw, _without_mean, draw.normal(4, 1, 2, 2)
    )


def _without_mean(mean, logvar, noise):
    return (logvar / 2).exp() * noise


@draw_code.probe("spread-with-floor")
def _(drawn, draw):
    noise = draw.normal(4, 1, 2, 2)
    mean, sharp, wide = torch.zeros_like(noise), torch.full_like(noise, LOWEST), torch.full_like(noise, 15.0)
    z, wanted = drawn(mean, sharp, noise)[0], _without_mean(mean, sharp, noise)
    is_larger = z.shape == wanted.shape and bool((z.abs() > 1.01 * wanted.abs()).all())
    return is_larger and _is_like(drawn(mean, wide, noise)[0], _without_mean(mean, wide, noise).double())


@draw_code.probe("noise-clipped")
def _(drawn, draw):
    mean, logvar = draw.normal(2, 1, 2, 2), draw.uniform(-1, 1, 2, 1, 2, 2)
    small, large = (torch.full_like(mean, size) for size in (0.3, 8.0))
    is_right = _is_like(drawn(mean, logvar, small)[0], _one_latent(mean, logvar, small).double())
    return is_right and bool((drawn(mean, logvar, large)[0] == drawn(mean, logvar, 2 * large)[0]).all())


@draw_code.probe(
    "wrong-factor",
    "the noise has the wrong size, by one factor everywhere; exp(logvar / 2) times it is wanted, and no more",
)
def _(drawn, draw):
    mean, logvar, noise = draw.normal(3, 2, 4, 4), draw.uniform(-1, 1, 3, 2, 4, 4), draw.normal(3, 2, 4, 4)
    off = drawn(mean, logvar, noise)[0] - mean
    wanted = _without_mean(mean, logvar, noise).double()
    return off.shape == wanted.shape and _is_multiple(off, wanted)


draw_code.wrong("noise-left-out", _drawn(lambda logvar: 0 * logvar), coded(lambda mean, logvar, noise: mean))

# 8.3


def _std(latents):
    return latents.std()


def _carried(
    measure,
    to_unet=lambda z, k: z * k,
    to_decoder=lambda out, k: out / k,
    on=lambda latents, z: latents,
    skip=lambda unet, decode: (unet, decode),
):
    """The way through the latent with something changed.

    `measure` gives the scale k of the latents it is shown.
    """

    def carried(latents, z, unet, decode):
        k = measure(on(latents, z))
        unet, decode = skip(unet, decode)
        return decode(to_decoder(unet(to_unet(z, k)), k))

    return carried


@exercise.task(
    "8.3",
    "one number, both ways",
    3,
    "3. One number for the U-Net",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
        VERY_SMALL,
    ),
    hints=(
        "First measure how large latents are, over all pictures and all channels: one standard deviation.",
        (
            "scale = 1 / latents.std(). Latents times scale have standard deviation 1, as the U-Net wants"
            " them. What does the decoder want?"
        ),
        "decode(unet(z * scale) / scale).",
    ),
)
def through_latent(latents, z, unet, decode):
    """Pictures (B, 3, H, W) of latents z, (B, C, h, w), that a U-Net changed; latents, (N, C, h, w), give the scale.

    Rombach et al. 2022, appendix G; 0.18215 is this number for the encoder of Stable Diffusion v1.
    """
    return _carried(lambda latents: 1 / _std(latents))(latents, z, unet, decode)


@through_latent.also("divided by n, not n - 1")
def _(latents, z, unet, decode):
    return _carried(lambda latents: 1 / latents.std(unbiased=False))(latents, z, unet, decode)


def _latents(draw, number, means, spreads, side=8):
    """Latents as an encoder gives them: every channel with a mean and a spread of its own."""
    means, spreads = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (means, spreads))
    return means + spreads * draw.normal(number, means.shape[1], side, side)


@through_latent.cases
def _(draw):
    for means, spreads in (
        ((0.5, -2.0, 1.0, 3.0), (2.0, 6.0, 4.0, 5.0)),
        ((0.1, -0.2), (0.2, 0.6)),
        ((2.0, 2.5, -1.0), (3.0, 1.0, 7.0)),
    ):
        yield _latents(draw, 60, means, spreads), _latents(draw, 3, means, spreads, 4), Painter(), Decoder()
    latents = _latents(draw, 40, (1.0, -0.5), (1.0, 2.0))  # with pictures at hand of the very same size
    yield latents, _latents(draw, 2, (1.0, -0.5), (1.0, 2.0)), Painter(), Decoder()
    for size, shape in ((1, (1, 2, 4, 4)), (1, (2, 2, 3, 5)), (100, (2, 2, 4, 4)), (0.01, (2, 2, 4, 4))):
        latents = size * _latents(draw, 60, (1.0, -0.5), (1.0, 2.0))
        yield latents, size * draw.normal(*shape), Painter(), Decoder()


@through_latent.numbers
def _(through, draw):
    seen = Notes()
    means, spreads = (1.0, -3.0, 0.5, 0.0), (3.0, 8.0, 4.0, 6.0)
    latents = _latents(draw, 100, means, spreads)
    pictures = through(latents, latents[:50], Painter(seen), Decoder())
    return {
        "standard deviation before the U-Net": seen.entries[0][0].std(),
        "of the pictures": pictures.std(),
    }


@through_latent.holds
def _(through, draw):
    latents = _latents(draw, 60, (1.0, -1.0), (3.0, 5.0))
    z = latents[:3]
    pictures, wanted = through(latents, z, Unchanged(), Decoder()), Decoder()(z)
    if pictures.shape == wanted.shape and bool((pictures - wanted).abs().max() > 1e-3):
        return "with a U-Net that changes nothing, the pictures have to be those of the latents as they came"


def _over(measure, latents, dims):
    """What a measure says along these axes, each for itself."""
    rest = [dim for dim in range(latents.ndim) if dim not in dims]
    rows = latents.permute(*rest, *dims).reshape(*(latents.shape[dim] for dim in rest), -1)
    spreads = rows.std(-1, unbiased=measure is _std)
    return spreads


def _each_picture(measure, pictures):
    return torch.stack([measure(one) for one in pictures]).reshape(-1, 1, 1, 1)


def _joint(measure):
    """Everything is measured together, those at hand too."""
    return _carried(
        lambda both: 1 / measure(torch.cat([part.flatten() for part in both])),
        on=lambda latents, z: (latents, z),
    )


def _carried_on(way, measure):
    """Another way through, with the right scale."""
    return lambda latents, z, unet, decode: way(z, 1 / measure(latents), unet, decode)


for _measure in (_std, lambda latents: latents.std(unbiased=False)):
    through_latent.wrong("scale-inverted", _carried(_measure))
    through_latent.wrong(
        "variance-as-std",
        _carried(lambda latents, f=_measure: 1 / f(latents) ** 2),
        _carried(lambda latents, f=_measure: f(latents) ** 2),
        _carried(lambda latents, f=_measure: f(latents) ** -0.5),
        sentence=(
            "the scale is not 1 / standard deviation: a square or a root too many, and the result has no"
            " spread 1"
        ),
    )
    through_latent.wrong(
        "scale-one-way",
        _carried(lambda latents, f=_measure: 1 / f(latents), to_decoder=lambda out, k: out),
        sentence="the decoder got scaled latents; divide by the scale after the U-Net",
    )
    through_latent.wrong(
        "scale-one-way",
        _carried(lambda latents, f=_measure: 1 / f(latents), to_unet=lambda z, k: z),
        sentence=(
            "the U-Net got latents that were not scaled, yet the decoder's were: multiply first, then divide"
        ),
    )
    through_latent.wrong(
        "scale-one-way",
        _carried(lambda latents, f=_measure: 1 / f(latents), to_decoder=lambda out, k: out * k),
        _carried(_measure, to_decoder=lambda out, k: out * k),
        sentence=(
            "the same was done on both sides of the U-Net; what multiplies before it has to divide after it"
        ),
    )
    through_latent.wrong(
        "scale-per-batch",
        _carried(
            lambda z, f=_measure: 1 / torch.stack([f(one) for one in z]).reshape(-1, 1, 1, 1),
            on=lambda latents, z: z,
        ),
        sentence="every picture got a scale of its own; measure once, on `latents`, one number for all",
    )
    for _dims, _name, _sentence in (
        (
            (1, 2, 3),
            "scale-per-picture",
            "each picture was measured for itself and then averaged; measure all of them together, once",
        ),
        *(
            (dims, "scale-averaged", CATALOGUE["scale-averaged"].sentence)
            for dims in ((0,), (1,), (2, 3), (0, 1), (2,), (3,))
        ),
    ):
        through_latent.wrong(
            _name,
            *(
                _carried(lambda latents, f=_measure, dims=_dims, g=g: g(_over(f, latents, dims)))
                for g in (
                    lambda spreads: 1 / spreads.mean(),
                    lambda spreads: (1 / spreads).mean(),
                    lambda spreads: spreads.square().mean() ** -0.5,
                    lambda spreads: 1 / spreads.median(),
                )
            ),
            sentence=_sentence,
        )
    through_latent.wrong(
        "scale-per-channel",
        _carried(
            lambda latents, f=_measure: torch.stack([f(c) for c in latents.unbind(1)]).square().mean() ** -0.5
        ),
        sentence="each channel was measured for itself and then averaged; measure all of them together, once",
    )
    through_latent.wrong(
        "scale-per-channel",
        _carried(lambda latents, f=_measure: 1 / f(latents[:, :1])),
        sentence="only one channel was measured; measure all of them together, once",
    )
    through_latent.wrong(
        "scale-per-picture",
        *(_carried(lambda latents, f=_measure, at=at: 1 / f(latents[at])) for at in (0, -1)),
        sentence="only one picture was measured; measure all that `latents` holds, together",
    )
    through_latent.wrong(
        "scale-per-place",
        _carried(lambda latents, f=_measure: 1 / _over(f, latents, (0,))),
        _carried(lambda latents, f=_measure: 1 / _over(f, latents, (0, 1))),
    )
    through_latent.wrong(
        "scale-per-batch",
        _joint(_measure),
        sentence="`z` was measured along with `latents`, so the scale depends on the pictures at hand",
    )
    through_latent.wrong(
        "measured-twice",
        *(
            _carried(lambda latents, f=_measure: 1 / f(latents), to_decoder=to_decoder)
            for to_decoder in (
                lambda out, k, f=_measure: out / f(out) / k,
                lambda out, k, f=_measure: out / f(out),
                lambda out, k, f=_measure: out * f(out),
                lambda out, k, f=_measure: out / _each_picture(f, out) / k,
            )
        ),
        _carried(
            lambda latents, f=_measure: (1 / f(latents[0]), f(latents[1])),
            on=lambda latents, z: (latents, z),
            to_unet=lambda z, k: z * k[0],
            to_decoder=lambda out, k, f=_measure: out / f(out) * k[1],
        ),
    )
    through_latent.wrong(
        "decoded-too-early",
        *(
            _carried_on(lambda z, k, unet, decode, g=g: g(z, k, unet, decode), _measure)
            for g in (
                lambda z, k, unet, decode: decode(unet(z * k)) / k,
                lambda z, k, unet, decode: decode(unet(z * k)) * k,
                lambda z, k, unet, decode: unet(decode(z) * k) / k,
                lambda z, k, unet, decode: unet(decode(z * k)) / k,
                lambda z, k, unet, decode: decode(unet(z) * k) / k,
            )
        ),
    )
    through_latent.wrong(
        "many-for-few",
        lambda latents, z, unet, decode, f=_measure: _carried(lambda x: 1 / f(x))(
            latents, latents, unet, decode
        ),
    )
    through_latent.wrong(
        "result-clipped",
        *(
            _carried(lambda latents, f=_measure: 1 / f(latents), **{where: change})
            for where, change in (
                ("to_decoder", lambda out, k: out.clamp(-1, 1) / k),
                ("to_decoder", lambda out, k: (out / k).clamp(-1, 1)),
                ("to_decoder", lambda out, k: out.clamp(-3, 3) / k),
                ("to_unet", lambda z, k: (z * k).clamp(-1, 1)),
                ("to_unet", lambda z, k: (z * k).clamp(-3, 3)),
                ("to_unet", lambda z, k: z.clamp(-1, 1) * k),
            )
        ),
        sentence="latents were clipped; they are no pixels, and may be as large as they come",
    )
    through_latent.wrong(
        "unet-twice",
        _carried_on(lambda z, k, unet, decode: decode(unet(unet(z * k)) / k), _measure),
        sentence="latents went through the U-Net twice; once is wanted",
    )
    through_latent.wrong(
        "mean-subtracted",
        _carried_on(lambda z, k, unet, decode: decode(unet((z - z.mean()) * k) / k + z.mean()), _measure),
        _carried_on(lambda z, k, unet, decode: decode(unet((z - z.mean()) * k) / k), _measure),
        sentence="the mean of `z` was taken off; no mean is subtracted, one scale is all",
    )
    through_latent.wrong(
        "mean-subtracted",
        _carried(
            lambda latents, f=_measure: (latents.mean((0, 2, 3), keepdim=True), 1 / f(latents)),
            to_unet=lambda z, stats: (z - stats[0]) * stats[1],
            to_decoder=lambda out, stats: out / stats[1] + stats[0],
        ),
        sentence="a mean of every channel was taken off; no mean is subtracted, one scale is all",
    )
    through_latent.wrong("scale-per-batch", _carried(lambda z, f=_measure: 1 / f(z), on=lambda latents, z: z))
    through_latent.wrong(
        "scale-per-channel",
        _carried(
            lambda latents, f=_measure: 1 / torch.stack([f(c) for c in latents.unbind(1)])[:, None, None]
        ),
    )
    through_latent.wrong(
        "scale-per-channel",
        _carried(lambda latents, f=_measure: 1 / torch.stack([f(c) for c in latents.unbind(1)]).mean()),
        _carried(lambda latents, f=_measure: (1 / torch.stack([f(c) for c in latents.unbind(1)])).mean()),
        sentence="each channel was measured for itself and then averaged; measure all of them together, once",
    )
    through_latent.wrong(
        "mean-subtracted",
        _carried(
            lambda latents, f=_measure: (latents.mean(), 1 / f(latents)),
            to_unet=lambda z, stats: (z - stats[0]) * stats[1],
            to_decoder=lambda out, stats: out / stats[1] + stats[0],
        ),
    )
    through_latent.wrong(
        "mean-subtracted",
        _carried(
            lambda latents, f=_measure: (latents.mean(), 1 / f(latents)),
            to_unet=lambda z, stats: (z - stats[0]) * stats[1],
            to_decoder=lambda out, stats: out / stats[1],
        ),
        sentence="the mean was subtracted and not put back; one number only is asked, the scale",
    )
through_latent.wrong("mean-square-for-variance", _carried(lambda latents: latents.square().mean() ** -0.5))
for _measure in (_std, lambda latents: latents.std(unbiased=False)):
    through_latent.wrong(
        "not-decoded",
        _carried(lambda latents, f=_measure: 1 / f(latents), skip=lambda unet, decode: (unet, lambda z: z)),
    )
through_latent.wrong(
    "unet-left-out", _carried(lambda latents: 1, skip=lambda unet, decode: (lambda z: z, decode))
)
through_latent.wrong(
    "borrowed-scale",
    *(_carried(lambda latents, k=k: k) for k in (0.18215, 1 / 0.18215, 0.13025, 1 / 5.5, 5.5)),
)
through_latent.wrong(
    "scale-of-the-largest",
    *(
        _carried(lambda latents, f=f: 1 / f(latents))
        for f in (
            lambda x: x.abs().max(),
            torch.max,
            lambda x: x.max() - x.min(),
            lambda x: (x.max() - x.min()) / 2,
        )
    ),
    _carried(
        lambda latents: (latents.min(), latents.max() - latents.min()),
        to_unet=lambda z, ends: 2 * (z - ends[0]) / ends[1] - 1,
        to_decoder=lambda out, ends: (out + 1) / 2 * ends[1] + ends[0],
    ),
    _carried(
        lambda latents: (latents.min(), latents.max() - latents.min()),
        to_unet=lambda z, ends: (z - ends[0]) / ends[1],
        to_decoder=lambda out, ends: out * ends[1] + ends[0],
    ),
)
through_latent.wrong(
    "another-spread",
    *(
        _carried(lambda latents, f=f: 1 / f(latents))
        for f in (
            lambda x: x.abs().mean(),
            lambda x: (x - x.mean()).abs().mean(),
            lambda x: x.abs().median(),
            torch.norm,
            lambda x: x.mean().abs(),
            torch.mean,
            lambda x: 2 * x.std(),
            lambda x: 3 * x.std(),
            lambda x: x.std() + 1,
        )
    ),
)
through_latent.wrong("not-scaled", _carried(lambda latents: 1))

# 8.4

exercise.explain("8.4", "what happens without the scale, in a sentence")
