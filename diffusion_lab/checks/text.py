"""Checks of exercise 09, text: pictures and captions in one space, attention to a caption, and what not to draw."""

import torch
import torch.nn.functional as F

from diffusion_lab.bench.notes import Notes
from diffusion_lab.bench.text import Painter, learning
from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, VERY_LARGE, border
from diffusion_lab.checks.engine import Exercise

exercise = Exercise("09", "Text")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

# 9.1

COLD = border("at a temperature next to 0", lambda images, captions, temperature: temperature <= 0.01, True)
SHORT = border("with short embeddings", lambda images, captions, temperature: images.norm(dim=1).max() < 0.5)


def _unit(rows):
    return F.normalize(rows, dim=1)


def _right(logits):
    """The labels: picture i belongs to caption i."""
    return torch.arange(len(logits))


def _rows(logits, labels=_right):
    return F.cross_entropy(logits, labels(logits))


def _both(logits, labels=_right):
    return (_rows(logits, labels) + _rows(logits.T, labels)) / 2


def _contrasted(
    images=_unit, captions=_unit, heat=lambda similar, temperature: similar / temperature, loss=_both
):
    """The loss with something changed: how embeddings are brought to length 1, the temperature, or what is counted."""
    return learning(lambda i, c, temperature: loss(heat(images(i) @ captions(c).T, temperature)))


@exercise.task(
    "9.1",
    "who belongs to whom",
    3,
    "2. Pictures and captions in one space",
    ends=(
        BATCH_OF_ONE,
        COLD,
        SHORT,
        VERY_LARGE,
    ),
    prepare=learning,
    results=("the loss", "the gradient of images", "the gradient of captions"),
    hints=(
        (
            "First every row of both to length 1, with `torch.nn.functional.normalize(x, dim=1)`. Then the"
            " products of all pictures with all captions are one matrix product, shape (B, B)."
        ),
        (
            "logits = images @ captions.T / temperature. Row i is picture i, and its right column is i: the"
            " labels of `torch.nn.functional.cross_entropy` are torch.arange(B)."
        ),
        (
            "Columns are the rows of logits.T. So (cross_entropy(logits, labels) + cross_entropy(logits.T,"
            " labels)) / 2."
        ),
    ),
)
@learning
def contrastive_loss(images, captions, temperature):
    """The symmetric cross-entropy of all pairs, a number in nats, of embeddings (B, D) of any length.

    Radford et al. 2021, figure 3, where the temperature is the inverse of exp(t).
    """
    return _both(_unit(images) @ _unit(captions).T / temperature)


@contrastive_loss.cases
def _(draw):
    for size, features, temperature in ((5, 7, 0.5), (4, 4, 0.2), (3, 8, 1.6), (6, 5, 0.07)):
        lengths = draw.uniform(0.5, 2.5, 2, size, 1)
        images, captions = lengths * draw.normal(2, size, features)
        yield images, captions, temperature
    for size, number, temperature in (
        (1, 1, 0.5),
        (1, 4, 0.01),
        (1, 4, 0.005),
        (0.05, 4, 0.4),
        (100, 4, 0.4),
    ):
        images, captions = size * draw.normal(2, number, 6)
        captions[0] = images[0]  # a pair that is as alike as can be, whose exp is infinite where it is cold
        yield images, captions, temperature


@contrastive_loss.numbers
def _(loss, draw):
    images = draw.normal(12, 16)
    captions, strangers = images + draw.normal(12, 16), draw.normal(12, 16)
    return {"pairs": loss(images, captions, 0.3)[0], "strangers": loss(images, strangers, 0.3)[0]}


@contrastive_loss.holds
def _(loss, draw):
    images, captions = draw.normal(2, 4, 6)
    pairs = (images, captions), (3 * images, captions), (captions, images)
    plain, longer, swapped = (loss(*pair, 0.5)[0] for pair in pairs)
    if bool((plain - longer).abs().max() > 1e-3):
        return "longer embeddings must not change the loss, only their directions count, and yours changes"
    if bool((plain - swapped).abs().max() > 1e-3):
        return "pictures and captions have equal rights, and your loss changes if they change places"


def _bare(rows):
    return rows


def _by_columns(rows):
    return F.normalize(rows, dim=0)


for _pair in ((_bare, _bare), (_unit, _bare), (_bare, _unit)):
    contrastive_loss.wrong("not-normalised", _contrasted(*_pair))
contrastive_loss.wrong(
    "not-normalised",
    _contrasted(_by_columns, _by_columns),
    sentence=(
        "the columns were brought to length 1, over the batch; each row, an embedding, wants length 1: dim=1"
    ),
)
contrastive_loss.wrong(
    "not-normalised",
    _contrasted(*[lambda rows: rows.softmax(1)] * 2),
    _contrasted(*[lambda rows: rows / rows.sum(1, keepdim=True)] * 2),
    _contrasted(*[lambda rows: rows / rows.square().sum(1, keepdim=True)] * 2),
    _contrasted(*[lambda rows: rows / rows.norm()] * 2),
    sentence=(
        "divide each row by its own length, the root of the sum of its squares; something else was done to"
        " them"
    ),
)
for _direction in (_rows, lambda logits: _rows(logits.T)):
    contrastive_loss.wrong("one-direction", _contrasted(loss=_direction))
contrastive_loss.wrong(
    "temperature-multiplied", _contrasted(heat=lambda similar, temperature: similar * temperature)
)
contrastive_loss.wrong("ignores-temperature", _contrasted(heat=lambda similar, _: similar))
contrastive_loss.wrong(
    "ignores-temperature",
    _contrasted(heat=lambda similar, _: similar / 0.07),
    sentence=(
        "the temperature of CLIP's first step, 0.07, was used; the one that your function is given is wanted"
    ),
)
contrastive_loss.wrong(
    "softmax-over-pairs",
    _contrasted(loss=lambda logits: -logits.flatten().log_softmax(0)[:: len(logits) + 1].mean()),
    _contrasted(loss=lambda logits: -logits.flatten().log_softmax(0)[:: len(logits) + 1].sum()),
)
contrastive_loss.wrong(
    "softmax-twice",
    _contrasted(loss=lambda logits: (_rows(logits.softmax(1)) + _rows(logits.T.softmax(1))) / 2),
    _contrasted(loss=lambda logits: (_rows(logits.softmax(1)) + _rows(logits.softmax(0).T)) / 2),
    _contrasted(loss=lambda logits: (_rows(logits.softmax(0)) + _rows(logits.T.softmax(0))) / 2),
    _contrasted(loss=lambda logits: _rows(logits.softmax(1))),
    _contrasted(loss=lambda logits: _both(logits.softmax(1))),
    _contrasted(loss=lambda logits: _both(logits.softmax(0))),
)
contrastive_loss.wrong(
    "log-missing",
    _contrasted(
        loss=lambda logits: -(logits.softmax(1).diagonal() + logits.softmax(0).diagonal()).mean() / 2
    ),
    _contrasted(loss=lambda logits: (logits.softmax(1).diagonal() + logits.softmax(0).diagonal()).mean() / 2),
)
for _cut, _what in (
    ((lambda x: _unit(x.detach()),) * 2, "the embeddings"),
    ((lambda x: _unit(x.detach()), _unit), "images"),
    ((_unit, lambda x: _unit(x.detach())), "captions"),
):
    contrastive_loss.wrong(
        "detached-loss",
        _contrasted(*_cut),
        sentence=(
            f"the number is right, and no gradient reaches {_what}: leave out detach, .data, .item() and"
            " no_grad"
        ),
    )
for _labels in (
    lambda logits: torch.zeros(len(logits), dtype=torch.long),
    lambda logits: torch.full((len(logits),), len(logits) - 1),
    lambda logits: torch.arange(len(logits)).flip(0),
    lambda logits: torch.arange(len(logits)).roll(1),
    lambda logits: torch.arange(len(logits)).roll(-1),
):
    contrastive_loss.wrong(
        "wrong-labels", _contrasted(loss=lambda logits, labels=_labels: _both(logits, labels))
    )
contrastive_loss.wrong(
    "half-missing",
    _contrasted(loss=lambda logits: 2 * _both(logits)),
    sentence="the two directions were added up; their mean is wanted, so a factor 1/2 is missing",
)
contrastive_loss.wrong(
    "sum-for-mean",
    _contrasted(loss=lambda logits: len(logits) * _both(logits)),
    _contrasted(loss=lambda logits: 2 * len(logits) * _both(logits)),
    sentence="the losses of the batch were added up; their mean is wanted, which does not grow with B",
)
contrastive_loss.wrong(
    "wrong-sign",
    _contrasted(loss=lambda logits: -_both(logits)),
    sentence=(
        "the sign is wrong: a loss falls when pairs get more alike; it is *minus* the logarithm of a"
        " probability"
    ),
)
contrastive_loss.wrong(
    "wrong-sign",
    _contrasted(heat=lambda similar, temperature: -similar / temperature),
    sentence="the sign of the similarities is wrong: a pair is to have the largest one of its row and column",
)

contrastive_loss.wrong(
    "not-normalised",
    _contrasted(*[lambda rows: rows / rows.abs().sum(1, keepdim=True)] * 2),
    _contrasted(*[lambda rows: rows / rows.abs().amax(1, keepdim=True)] * 2),
    _contrasted(*[lambda rows: rows / rows.shape[1] ** 0.5] * 2),
    _contrasted(*[lambda rows: F.layer_norm(rows, rows.shape[1:])] * 2),
    _contrasted(*[lambda rows: rows / rows.std(1, keepdim=True)] * 2),
    _contrasted(*[lambda rows: _unit(rows - rows.mean(1, keepdim=True))] * 2),
    _contrasted(*[lambda rows: _unit(rows - rows.mean(0))] * 2),
    _contrasted(*[torch.tanh] * 2),
    sentence=(
        "each row, as it is, is divided by its length, the root of the sum of its squares; something else was"
        " done to the rows"
    ),
)
for _floor in (1e-4, 1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1):
    contrastive_loss.wrong(
        "floor-added",
        *(
            _contrasted(*[lambda rows, longer=longer, floor=_floor: rows / longer(rows, floor)] * 2)
            for longer in (
                lambda rows, floor: rows.norm(dim=1, keepdim=True) + floor,
                lambda rows, floor: (rows.square().sum(1, keepdim=True) + floor).sqrt(),
            )
        ),
        sentence=(
            "something was added to the lengths, or they were kept above a floor; short embeddings want length"
            " 1 as well"
        ),
    )
    contrastive_loss.wrong(
        "floor-added",
        _contrasted(heat=lambda similar, temperature, floor=_floor: similar / (temperature + floor)),
        sentence="the temperature was kept above a floor, or something was added to it; take it as it comes",
    )
for _floor in (0.1, 0.2, 0.5, 1.0):
    contrastive_loss.wrong(
        "floor-added",
        _contrasted(*[lambda rows, floor=_floor: rows / rows.norm(dim=1, keepdim=True).clamp(min=floor)] * 2),
        sentence="short embeddings were left short; every row is divided by its own length, however short it is",
    )
contrastive_loss.wrong(
    "floor-added",
    *(
        _contrasted(heat=lambda similar, temperature, floor=floor: similar / max(temperature, floor))
        for floor in (0.007, 0.01, 0.02, 0.05, 0.07, 0.1, 0.5)
    ),
    sentence="the temperature was kept above a floor, or something was added to it; take it as it comes",
)
contrastive_loss.wrong(
    "floor-added",
    *(
        _contrasted(heat=lambda similar, temperature, most=most: (similar / temperature).clamp(-most, most))
        for most in (10, 20, 30, 50, 80, 100)
    ),
    *(
        _contrasted(heat=lambda similar, temperature, most=most: similar * min(1 / temperature, most))
        for most in (10, 20, 50, 100)
    ),
    sentence=(
        "the similarities were limited after the division by the temperature; leave them, however cold it is"
    ),
)
contrastive_loss.wrong(
    "another-temperature",
    *(
        _contrasted(heat=heat)
        for heat in (
            lambda similar, temperature: similar / torch.tensor(temperature).exp(),
            lambda similar, temperature: similar * torch.tensor(temperature).exp(),
            lambda similar, temperature: similar / temperature**2,
            lambda similar, temperature: similar / temperature**0.5,
            lambda similar, temperature: similar / (1 + temperature),
            lambda similar, temperature: similar / (2 * temperature),
            lambda similar, temperature: similar / (2 * temperature**2),
        )
    ),
)
contrastive_loss.wrong(
    "another-temperature",
    learning(lambda i, c, temperature: _both(_unit(i) @ _unit(c).T / temperature / i.shape[1] ** 0.5)),
    sentence=(
        "the similarities were divided by sqrt(D) as well, as in attention; unit lengths and the temperature"
        " are all"
    ),
)


def _squares(a, b):
    """The squared distances of all rows of `a` to all of `b`."""
    return (a[:, None] - b).square().sum(-1)


def _compared(similar):
    """The loss with another similarity of the embeddings."""
    return learning(lambda i, c, temperature: _both(similar(i, c) / temperature))


contrastive_loss.wrong(
    "other-similarity",
    _compared(lambda i, c: -_squares(_unit(i), _unit(c))),
    sentence=(
        "minus the squared distance of unit vectors is 2 cosines, and a constant: twice as sharp as the"
        " similarity that is wanted"
    ),
)
contrastive_loss.wrong(
    "other-similarity",
    _compared(lambda i, c: -(_squares(_unit(i), _unit(c)) + 1e-12).sqrt()),
    _compared(lambda i, c: -_squares(i, c)),
    _compared(lambda i, c: -_squares(i, c) / 2),
    _compared(lambda i, c: -(_squares(i, c) + 1e-12).sqrt()),
    _compared(lambda i, c: (_unit(i) @ _unit(c).T).abs()),
    _compared(lambda i, c: (_unit(i) @ _unit(c).T).square()),
    _compared(lambda i, c: (_unit(i) @ _unit(c).T).relu()),
    _compared(lambda i, c: -(_unit(i)[:, None] - _unit(c)).abs().sum(-1)),
)
contrastive_loss.wrong(
    "wrong-axis",
    learning(lambda i, c, temperature: _both(_unit(i).T @ _unit(c) / temperature)),
    learning(lambda i, c, temperature: _both(_by_columns(i).T @ _by_columns(c) / temperature)),
    sentence="features were compared with features; wanted are all pictures against all captions, (B, B)",
)


def _others(logits):
    """The log of the sum of exp over all but the right ones, row by row."""
    return logits.masked_fill(torch.eye(len(logits)).bool(), -torch.inf).logsumexp(1)


def _against_others(logits):
    return (_others(logits) - logits.diagonal()).mean()


contrastive_loss.wrong(
    "right-one-left-out",
    _contrasted(loss=lambda logits: (_against_others(logits) + _against_others(logits.T)) / 2),
    _contrasted(loss=lambda logits: _against_others(logits) + _against_others(logits.T)),
    _contrasted(loss=_against_others),
)


def _yes_or_no(logits, **options):
    return F.binary_cross_entropy_with_logits(logits, torch.eye(len(logits)), **options)


contrastive_loss.wrong(
    "yes-or-no",
    *(
        _contrasted(loss=loss)
        for loss in (
            _yes_or_no,
            lambda logits: _yes_or_no(logits, reduction="sum") / len(logits),
            lambda logits: _yes_or_no(logits, reduction="sum"),
            lambda logits: 2 * _yes_or_no(logits),
            lambda logits: _yes_or_no(logits) / 2,
            lambda logits: -F.logsigmoid(logits.diagonal()).mean(),
            lambda logits: F.binary_cross_entropy(logits.softmax(1), torch.eye(len(logits))),
        )
    ),
)
contrastive_loss.wrong(
    "mean-inside-log",
    *(
        _contrasted(loss=loss)
        for loss in (
            lambda logits: (
                -(logits.softmax(1).diagonal().mean().log() + logits.softmax(0).diagonal().mean().log()) / 2
            ),
            lambda logits: -((logits.softmax(1) + logits.softmax(0)).diagonal() / 2).mean().log(),
            lambda logits: -((logits.softmax(1) + logits.softmax(0)).diagonal() / 2).log().mean(),
            lambda logits: -logits.softmax(1).diagonal().mean().log(),
        )
    ),
)
contrastive_loss.wrong(
    "logits-averaged",
    _contrasted(loss=lambda logits: _rows((logits + logits.T) / 2)),
    _contrasted(loss=lambda logits: _rows(logits + logits.T)),
    _contrasted(loss=lambda logits: _rows(torch.cat([logits, logits.T], 1))),
)
contrastive_loss.wrong(
    "wrong-pairs-left-out",
    _contrasted(loss=lambda logits: -logits.diagonal().mean()),
    _contrasted(loss=lambda logits: -logits.diagonal().sum()),
    learning(lambda i, c, temperature: 1 - F.cosine_similarity(i, c).mean()),
    learning(lambda i, c, temperature: (1 - F.cosine_similarity(i, c).mean()) / temperature),
    learning(lambda i, c, temperature: F.mse_loss(_unit(i), _unit(c))),
    learning(lambda i, c, temperature: F.mse_loss(i, c)),
    learning(lambda i, c, temperature: (_unit(i) - _unit(c)).square().sum(1).mean()),
)
contrastive_loss.wrong(
    "wrong-pairs-left-out",
    _contrasted(loss=lambda logits: F.mse_loss(logits, torch.eye(len(logits)))),
    learning(lambda i, c, temperature: F.mse_loss(_unit(i) @ _unit(c).T, torch.eye(len(i)))),
    sentence=(
        "the similarities were pulled to 1 and 0 by squares; wanted is a cross-entropy: which of the B is right?"
    ),
)
contrastive_loss.wrong(
    "wrong-factor",
    _contrasted(loss=lambda logits: _both(logits) / 2),
    sentence="half of the loss came back: one factor 1/2 too many, or one direction counted and halved",
)
contrastive_loss.wrong(
    "one-direction",
    _contrasted(loss=lambda logits: _rows(logits) / 2),
    _contrasted(loss=lambda logits: _rows(logits.T) / 2),
    sentence="only one direction was counted, and halved; the other half is that of the other direction",
)
contrastive_loss.wrong(
    "wrong-factor",
    _contrasted(loss=lambda logits: _both(logits) / torch.tensor(2.0).log()),
    sentence="the loss came in bits, with the logarithm to base 2; wanted are nats, the natural logarithm",
)
contrastive_loss.wrong(
    "wrong-factor",
    _contrasted(loss=lambda logits: _both(logits) / len(logits)),
    _contrasted(loss=lambda logits: _both(logits) / len(logits) ** 2),
    _contrasted(loss=lambda logits: _both(logits) / torch.tensor(float(len(logits))).log()),
    sentence=(
        "the loss was divided by something that depends on B; `cross_entropy` takes the mean over the batch"
        " already"
    ),
)
contrastive_loss.wrong(
    "wrong-factor",
    learning(lambda i, c, temperature: temperature * _both(_unit(i) @ _unit(c).T / temperature)),
    learning(lambda i, c, temperature: 2 * temperature * _both(_unit(i) @ _unit(c).T / temperature)),
    learning(lambda i, c, temperature: _both(_unit(i) @ _unit(c).T / temperature) / temperature),
    sentence="the loss was multiplied or divided by the temperature; only the similarities are divided by it",
)


def _singly(logits):
    return F.cross_entropy(logits, _right(logits), reduction="none")


contrastive_loss.wrong(
    "wrong-axis",
    *(
        _contrasted(loss=loss)
        for loss in (
            lambda logits: (_singly(logits) + _singly(logits.T)) / 2,
            lambda logits: _singly(logits) + _singly(logits.T),
            _singly,
            lambda logits: torch.cat([_singly(logits), _singly(logits.T)]),
            lambda logits: torch.stack([_rows(logits), _rows(logits.T)]),
        )
    ),
    sentence="several losses came back; wanted is one number, the mean over the batch and both directions",
)


@contrastive_loss.probe(
    "detached-loss",
    (
        "the number is right, and a part of its gradient is missing: on the way to it nothing may be detached,"
        " under no_grad, or changed through .data"
    ),
)
def _(loss, draw):
    for temperature in (0.5, 0.2):
        images, captions = draw.normal(2, 4, 6) * draw.uniform(0.5, 2.5, 2, 4, 1)
        got, right = (f(images, captions, temperature) for f in (loss, contrastive_loss.rights[""]))
        if len(got) != 3 or bool((got[0] - right[0]).abs().max() > 1e-3):
            return False
        if all(bool((a - b).abs().max() < 1e-3) for a, b in zip(got[1:], right[1:], strict=True)):
            return False
    return True


@contrastive_loss.probe(
    "floor-added",
    (
        "where it is cold, the temperature no longer matters: it, or the scores, are kept within bounds; take them as"
        " they come"
    ),
)
def _(loss, draw):
    pairs = draw.normal(2, 4, 6)
    cold, colder = (loss(*pairs, temperature)[0] for temperature in (0.006, 0.003))
    warm = [f(*pairs, 0.5)[0] for f in (loss, contrastive_loss.rights[""])]
    return bool((warm[0] - warm[1]).abs().max() < 1e-3) and bool((cold - colder).abs().max() < 1e-3)


def _overflows(task, answer, ordinary, extreme):
    """Whether an answer is right on ordinary inputs and not finite on extreme ones."""
    numbers = [torch.as_tensor(f(*ordinary)[0]).double() for f in (answer, task.rights[""])]
    alike = numbers[0].shape == numbers[1].shape and bool((numbers[0] - numbers[1]).abs().max() < 1e-3)
    return alike and not bool(answer(*extreme)[0].isfinite().all())


@contrastive_loss.probe("exp-overflow", always=True)
def _(loss, draw):
    embeddings = draw.normal(2, 4, 6)
    embeddings[1, 0] = embeddings[0, 0]
    return _overflows(contrastive_loss, loss, (*embeddings, 0.5), (*embeddings, 0.01))


# 9.2

ONE_PIXEL = border("with a single pixel", lambda queries, keys, values, mask: queries.shape[1] == 1)
ONE_TOKEN = border(
    "with a caption of one token", lambda queries, keys, values, mask: (mask.sum(1) == 1).any()
)
HOLES = border(
    "with padding between and before the tokens",
    lambda queries, keys, values, mask: (mask[:, 1:] & ~mask[:, :-1]).any(),
)
LOW_SCORES = border(
    "where the scores of the tokens are far below those of the padding",
    lambda queries, keys, values, mask: (queries @ keys.mT).min() < -1000 and queries.min() > 0,
    True,
)
NO_PADDING = border("with no padding", lambda queries, keys, values, mask: mask.all())


def _fill(value):
    """Give the scores of padding this value; the mask says true where there is a token."""
    return lambda scores, mask: scores.masked_fill(~mask, value)


def _seen(scores, mask):
    return scores


_unseen = _fill(-torch.inf)


def _attended(
    ask=lambda q, k: q @ k.mT,
    divide=lambda q, k, v: q.shape[-1] ** 0.5,
    hide=_unseen,
    dim=-1,
    at=lambda mask: mask[:, None, :],
    reweigh=lambda weights, mask: weights,
):
    """Cross-attention with something changed; see 9.2 for its arguments."""

    def attended(queries, keys, values, mask):
        scores = ask(queries, keys) / divide(queries, keys, values)
        weights = reweigh(hide(scores, at(mask)).softmax(dim), at(mask))
        return weights @ values

    return attended


def _weighed(queries, keys, values, mask, weigh):
    """What is read with weights that are made of the scores in another way than by softmax."""
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    return torch.stack(
        [
            torch.zeros(len(one), len(said)).index_add_(1, where.nonzero()[:, 0], weigh(one[:, where])) @ said
            for one, said, where in zip(scores, values, mask, strict=True)
        ]
    )


@exercise.task(
    "9.2",
    "every pixel reads",
    4,
    "4. Every pixel reads the caption",
    ends=(
        BATCH_OF_ONE,
        ONE_PIXEL,
        ONE_TOKEN,
        NO_PADDING,
        HOLES,
        LOW_SCORES,
        VERY_LARGE,
    ),
    hints=(
        (
            "The scores of all pixels for all tokens are one matrix product, queries @ keys.transpose(1, 2),"
            " shape (B, P, L). Divide by the root of D, the number of features of a query."
        ),
        (
            "A weight of 0 after the softmax needs a score of minus infinity before it: "
            "scores.masked_fill(~mask[:, None, :], -torch.inf). Which of the three axes has to add up to 1?"
        ),
        "scores.softmax(dim=-1) @ values, with the mask put on before.",
    ),
)
def read_caption(queries, keys, values, mask):
    """What each pixel reads, (B, P, E): queries (B, P, D), keys (B, L, D), values (B, L, E), mask (B, L), true = token.

    Vaswani et al. 2017, equation 1, and Rombach et al. 2022, section 3.3; one head.
    """
    return _attended()(queries, keys, values, mask)


@read_caption.cases
def _(draw):
    for batch, pixels, tokens, features, wide, lengths in (
        (3, 9, 5, 16, 4, (2, 5, 3)),
        (
            2,
            6,
            6,
            8,
            8,
            (4, 3),
        ),  # as many pixels as tokens, and all features alike: nothing shows by its shape
        (2, 5, 5, 9, 9, (5, 5)),  # no padding
        (2, 4, 7, 4, 6, (1, 6)),
    ):
        mask = torch.arange(tokens) < torch.tensor(lengths)[:, None]
        queries, keys = draw.normal(batch, pixels, features), draw.normal(batch, tokens, features)
        yield 1.5 * queries, keys, draw.normal(batch, tokens, wide), mask
    holes = torch.tensor([[False, True, True, False, True], [False, False, True, True, True]])
    yield 1.5 * draw.normal(2, 4, 8), draw.normal(2, 5, 8), draw.normal(2, 5, 3), holes
    yield draw.normal(2, 2, 6), draw.normal(2, 4, 6), draw.normal(2, 4, 6), holes[:, 1:]  # P = B
    # whole numbers again, and all scores of the tokens so low that little is lower
    keys = torch.where(holes[..., None], -draw.integers(40, 60, 2, 5, 4), draw.integers(0, 2, 2, 5, 4))
    yield draw.integers(12, 16, 2, 3, 4).float(), keys.float(), draw.normal(2, 5, 3), holes
    mask = torch.arange(5) < 3
    yield draw.normal(1, 4, 6), draw.normal(1, 5, 6), draw.normal(1, 5, 3), mask[None]
    yield draw.normal(2, 1, 6), draw.normal(2, 5, 6), draw.normal(2, 5, 3), mask.expand(2, 5)
    # whole numbers, so that products are exact however they are added up, and exp of a score is infinite in float32
    queries, keys = draw.integers(-60, 60, 2, 4, 4).float(), draw.integers(-6, 6, 2, 5, 4).float()
    yield queries, keys, draw.normal(2, 5, 3), mask.expand(2, 5)


@read_caption.numbers
def _(read, draw):
    mask = torch.arange(8) < torch.tensor([3, 8, 5, 1])[:, None]
    out = read(draw.normal(4, 30, 16), draw.normal(4, 8, 16), draw.normal(4, 8, 6) + 1, mask)
    return {"mean": out.mean(), "variance": out.var()}


@read_caption.holds
def _(read, draw):
    queries, keys, values, mask = (
        draw.normal(1, 4, 8),
        draw.normal(1, 5, 8),
        draw.normal(1, 5, 3),
        torch.arange(5) < 3,
    )
    out = read(queries, keys, values, mask[None])
    louder = read(queries, keys, torch.where(mask[:, None], values, 1000.0), mask[None])
    if bool((out - louder).abs().max() > 1e-3):
        return "what stands in the padding must not matter, and it changes your answer"
    mean = values[:, :3].mean(1, keepdim=True).expand(1, 4, 3)
    even = read(queries, torch.zeros_like(keys), values, mask[None])
    if even.shape == mean.shape and bool((even - mean).abs().max() > 1e-3):
        return (
            "where all keys are alike, a pixel has to read the mean of the caption's values, and yours"
            " does not"
        )


_LOW = (-torch.inf, -1e9)  # what people write for minus infinity; it shows only where all of a softmax has it
for _low in _LOW:
    read_caption.wrong("softmax-over-pixels", _attended(hide=_fill(_low), dim=1))
    read_caption.wrong(
        "softmax-over-batch",
        _attended(hide=_fill(_low), dim=0),
        sentence="the weights of each pixel must add up to 1 over the tokens, not over the batch: dim=-1",
    )
    read_caption.wrong("inverted-mask", _attended(hide=_fill(_low), at=lambda mask: ~mask[:, None, :]))
    for _at in (lambda mask: mask[:, None, :], lambda mask: mask[:, :, None]):
        for _dim in (-1, 1):
            read_caption.wrong(
                "swapped-queries", _attended(lambda q, k: k @ q.mT, hide=_fill(_low), at=_at, dim=_dim)
            )
read_caption.wrong("inverted-mask", lambda q, k, v, mask: _attended()(q, k, v, ~mask).nan_to_num(0))
for _divide, _sentence in (
    (lambda q, k, v: 1, ""),
    (lambda q, k, v: q.shape[-1], "the scores were divided by D; its root, sqrt(D), is wanted"),
    (lambda q, k, v: q.shape[-1] ** -0.5, "the scores were multiplied by sqrt(D); they are divided by it"),
    (
        lambda q, k, v: k.shape[1] ** 0.5,
        "the scores were divided by the root of L; D, the features, is wanted",
    ),
    (
        lambda q, k, v: q.shape[1] ** 0.5,
        "the scores were divided by the root of P; D, the features, is wanted",
    ),
    (
        lambda q, k, v: v.shape[-1] ** 0.5,
        "the scores were divided by the root of E; D, the features, is wanted",
    ),
):
    read_caption.wrong("root-d-missing", _attended(divide=_divide), sentence=_sentence)

read_caption.wrong("ignores-mask", _attended(hide=_seen))
read_caption.wrong(
    "ignores-mask",
    _attended(at=lambda mask: mask[:1, None, :]),
    sentence="the mask of the first caption was used for the whole batch; every caption has its own",
)
read_caption.wrong("masked-by-zero", _attended(hide=lambda scores, mask: scores * mask))
read_caption.wrong(
    "masked-by-zero",
    lambda q, k, v, mask: _attended(hide=_seen)(q, k * mask[..., None], v, mask),
    lambda q, k, v, mask: _attended(hide=_seen)(q, k * mask[..., None], v * mask[..., None], mask),
    sentence=(
        "the keys of padding were set to 0, so its score is 0 and its weight exp(0); minus infinity is wanted"
    ),
)
read_caption.wrong(
    "masked-by-zero",
    _attended(hide=lambda scores, mask: scores + mask),
    sentence="the mask was added, as 0 and 1; it has to be 0 for a token and minus infinity for padding",
)
read_caption.wrong("mask-after-softmax", _attended(hide=_seen, reweigh=lambda weights, mask: weights * mask))

read_caption.wrong(
    "softmax-over-pixels",
    *(
        _attended(hide=hide, dim=1, reweigh=reweigh)
        for hide in (_unseen, _seen)
        for reweigh in (
            lambda weights, mask: weights.nan_to_num(0),
            lambda weights, mask: weights.nan_to_num(0) * mask,
            lambda weights, mask: (weights * mask) / (weights * mask).sum(-1, keepdim=True),
        )
    ),
)
read_caption.wrong(
    "softmax-over-pixels",
    *(_attended(reweigh=lambda weights, mask, dim=dim: weights.softmax(dim)) for dim in (-1, 1)),
    lambda q, k, v, mask: (
        (
            (q @ k.mT / q.shape[-1] ** 0.5)
            .masked_fill(~mask[:, None], -1e9)
            .flatten(1)
            .softmax(1)
            .reshape(len(q), q.shape[1], k.shape[1])
        )
        @ v
    ),
    sentence="one softmax is enough, over the tokens, the last axis: each pixel shares out a weight of 1",
)
for _low in (-2, -5, -10, -20, -30, -50, -100, -200, -500, -1000):
    read_caption.wrong(
        "mask-too-weak",
        _attended(hide=_fill(_low)),
        _attended(hide=lambda scores, mask, low=_low: scores + low * ~mask),
    )
read_caption.wrong(
    "mask-as-length",
    lambda q, k, v, mask: _attended()(q, k, v, torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True)),
)
read_caption.wrong(
    "mask-as-length",
    lambda q, k, v, mask: _attended()(
        q, k, v, torch.arange(mask.shape[1]) <= (torch.arange(mask.shape[1]) * mask).amax(1, keepdim=True)
    ),
    sentence="all up to the last token was read; padding can stand before it and between tokens as well",
)
read_caption.wrong(
    "ignores-mask",
    *(
        lambda q, k, v, mask, pick=pick: _attended(hide=_seen)(
            q, k[:, : pick(mask.sum(1))], v[:, : pick(mask.sum(1))], mask
        )
        for pick in (max, min)
    ),
    *(
        lambda q, k, v, mask, which=which: _attended()(q, k, v, which(mask).expand_as(mask))
        for which in (lambda mask: mask.any(0), lambda mask: mask.all(0), lambda mask: mask[-1])
    ),
    sentence="all captions were cut alike; each has a mask of its own, so use the whole of `mask`",
)
for _low in (*_LOW, 0):
    read_caption.wrong(
        "wrong-axis",
        _attended(hide=_fill(_low), at=lambda mask: mask[:, :, None]),
        _attended(
            hide=_fill(_low),
            at=lambda mask: mask[:, :, None],
            reweigh=lambda weights, mask: weights.nan_to_num(0),
        ),
        _attended(hide=_fill(_low), at=lambda mask: mask),
        sentence="the mask lies along the pixels; it belongs along the tokens, the last axis: mask[:, None, :]",
    )
read_caption.wrong(
    "wrong-axis",
    _attended(lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1])),
    sentence="`reshape` does not turn the keys round, it mixes their numbers up; use transpose(1, 2)",
)
for _divided in (lambda q, k, v: 1, lambda q, k, v: q.shape[-1] ** 0.5):
    read_caption.wrong(
        "other-similarity",
        _attended(lambda q, k: F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT, _divided),
        _attended(lambda q, k: F.normalize(q, dim=-1) @ k.mT, _divided),
        _attended(lambda q, k: q @ F.normalize(k, dim=-1).mT, _divided),
        sentence="queries or keys were brought to length 1, as in 9.1; here their products are taken as they are",
    )
    read_caption.wrong(
        "other-similarity",
        _attended(lambda q, k: -(q[:, :, None] - k[:, None]).square().sum(-1), _divided),
        _attended(lambda q, k: -(q[:, :, None] - k[:, None]).square().sum(-1) / 2, _divided),
        _attended(lambda q, k: -torch.cdist(q, k), _divided),
        sentence="scores were made of distances; wanted is the scalar product of query and key",
    )
read_caption.wrong(
    "pictures-mixed",
    lambda q, k, v, mask: (q @ k[mask].T / q.shape[-1] ** 0.5).softmax(-1) @ v[mask],
    lambda q, k, v, mask: (
        (q @ k.flatten(0, 1).T / q.shape[-1] ** 0.5).masked_fill(~mask.flatten(), -torch.inf).softmax(-1)
        @ v.flatten(0, 1)
    ),
    lambda q, k, v, mask: (q @ k.flatten(0, 1).T / q.shape[-1] ** 0.5).softmax(-1) @ v.flatten(0, 1),
    sentence="the captions of the whole batch were made one; the pixels of a picture read their own caption only",
)
read_caption.wrong(
    "pictures-mixed",
    *(
        lambda q, k, v, mask, place=place: _attended()(
            *(x[:1].expand_as(x) if n in place else x for n, x in enumerate((q, k, v, mask)))
        )
        for place in ((1,), (2,), (1, 2), (1, 2, 3))
    ),
    sentence="the first caption was read by the whole batch; every picture has its own",
)
read_caption.wrong(
    "nearest-for-mean",
    _attended(reweigh=lambda w, mask: F.one_hot(w.argmax(-1), w.shape[-1]).float()),
    sentence="each pixel took what the best token says; it takes from all tokens, as much as their weights say",
)
read_caption.wrong(
    "residual-added",
    lambda q, k, v, mask: q + _attended()(q, k, v, mask),
)
read_caption.wrong(
    "residual-added",
    lambda q, k, v, mask: _attended()(q, k, v, mask) / q.shape[1],
    lambda q, k, v, mask: _attended()(q, k, v, mask) / k.shape[1],
    lambda q, k, v, mask: _attended()(q, k, v, mask) / mask.sum(1)[:, None, None],
    sentence="what was read was divided once more; the weights of a pixel add up to 1, and that is all",
)
read_caption.wrong(
    "weights-not-one",
    *(
        lambda q, k, v, mask, weigh=weigh: _weighed(q, k, v, mask, weigh)
        for weigh in (
            torch.sigmoid,
            torch.exp,
            torch.relu,
            lambda x: x,
            lambda x: x / x.sum(-1, keepdim=True),
            lambda x: x.relu() / x.relu().sum(-1, keepdim=True),
            lambda x: x.sigmoid() / x.sigmoid().sum(-1, keepdim=True),
            lambda x: x.log_softmax(-1),
            lambda x: F.normalize(x, dim=-1),
            lambda x: F.normalize(x, dim=-1, p=1),
        )
    ),
    sentence="the weights of a pixel are no softmax of its scores over the tokens of the caption",
)
read_caption.wrong(
    "arguments-exchanged",
    lambda q, k, v, mask: _attended()(q, v, k, mask),
    lambda q, k, v, mask: _attended()(q, k, k, mask),
    lambda q, k, v, mask: _attended()(q, v, v, mask),
    sentence="keys and values are not in their places: the scores are made with keys, and values are what is read",
)


@read_caption.probe(
    "root-d-missing",
    "the scores were multiplied or divided by something else; divide them by sqrt(D), and by nothing more",
)
def _(read, draw):
    """Two tokens, of which one says (1, 0) and one (0, 1): what was read are the weights, and tell their scores."""
    off = []
    for features in (4, 9, 16):
        queries, keys = draw.normal(2, 6, features), draw.normal(2, 2, features)
        out = read(queries, keys, torch.eye(2).expand(2, 2, 2), torch.ones(2, 2).bool())
        if out.shape != (2, 6, 2) or bool((out <= 0).any()) or bool((out.sum(-1) - 1).abs().max() > 1e-3):
            return False
        scores = (queries @ keys.mT / features**0.5).double()
        factor = out.log().diff(dim=-1) / scores.diff(dim=-1)
        if bool((factor / factor.median() - 1).abs().max() > 0.02) or factor.median() <= 0:
            return False
        off.append(abs(float(factor.median()) - 1) > 0.02)
    return any(off)


@read_caption.probe(
    "exp-overflow",
    (
        "the largest score of all was taken off, padding included, and where that one is far above those of the"
        " tokens 0 / 0 is left: mask first, then `softmax`"
    ),
    always=True,
    at=("09", "4. Every pixel reads the caption"),
)
def _(read, draw):
    queries, keys, values = draw.normal(1, 3, 4).abs() + 1, draw.normal(1, 5, 4), draw.normal(1, 5, 3)
    mask = torch.tensor([[False, True, True, False, True]])
    low = torch.where(mask[..., None], -200 - keys.abs(), keys)
    return _overflows(read_caption, read, (queries, keys, values, mask), (queries, low, values, mask))


@read_caption.probe(
    "exp-overflow",
    "with large scores your result is NaN: exp of them is infinite; `softmax` avoids it",
    always=True,
    at=("09", "4. Every pixel reads the caption"),
)
def _(read, draw):
    queries, *rest = draw.normal(2, 3, 4), draw.normal(2, 5, 4), draw.normal(2, 5, 3), torch.ones(2, 5).bool()
    return _overflows(read_caption, read, (queries, *rest), (1000 * queries, *rest))


# 9.3

NO_NEGATIVE = border("with no negative caption", lambda model, x_t, t, prompt, negative, *_: negative is None)
ZERO_NEGATIVE = border(
    "with a negative caption of zeros",
    lambda model, x_t, t, prompt, negative, *_: negative is not None and not negative.any(),
)
SCALE_ZERO = border("at s = 0", lambda model, x_t, t, prompt, negative, null, s: s == 0)
SCALE_ONE = border("at s = 1", lambda model, x_t, t, prompt, negative, null, s: s == 1)


def _guided(
    join=lambda low, high, s: low + s * (high - low),
    away=lambda negative, null: negative,
    double=lambda x: torch.cat([x, x]),
    halves=lambda out: out.chunk(2),
    double_t=None,
    both=lambda low, high: torch.cat([low, high]),
):
    """The guided answer with something changed; see 9.3 for its arguments."""

    def guided(model, x_t, t, prompt, negative, null, s):
        below = null if negative is None else away(negative, null)
        low, high = halves(model(double(x_t), (double_t or double)(t), both(below, prompt)))
        return join(low, high, s)

    return guided


@exercise.task(
    "9.3",
    "what not to draw",
    3,
    "5. Guidance on text",
    ends=(
        BATCH_OF_ONE,
        NOT_SQUARE,
        NO_NEGATIVE,
        ZERO_NEGATIVE,
        SCALE_ZERO,
        SCALE_ONE,
    ),
    hints=(
        (
            "First the caption to move away from: null if negative is None, else negative. The rest is the"
            " same for both."
        ),
        (
            "One call: model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([away, prompt])). The first"
            " half of the answer belongs to away, the second to prompt: `.chunk(2)`."
        ),
        "out_away + s * (out_prompt - out_away).",
    ),
)
def guided(model, x_t, t, prompt, negative, null, s):
    """Guided v, (B, C, H, W), for captions of rows (B, L, D), away from the negative ones, or the empty if None.

    Ho & Salimans 2022, equation 6, with s = 1 + w and the negative caption in the place of the empty one.
    """
    return _guided()(model, x_t, t, prompt, negative, null, s)


@guided.cases
def _(draw):
    times = torch.tensor([20, 4, 12, 9])
    for size, s, has_negative in (
        (4, 2.5, True),
        (3, 7.5, True),
        (5, 1.75, False),
        (4, 0.0, True),
        (4, 1.0, True),
        (4, 0.6, True),
    ):
        prompt, negative, null = draw.normal(3, 4, 5, 3)
        x_t = draw.normal(4, 2, size, size)
        yield Painter(), x_t, times, prompt, negative if has_negative else None, null, s
    prompt, negative, null = draw.normal(3, 1, 5, 3)
    yield Painter(), draw.normal(1, 2, 3, 3), times[:1], prompt, negative, null, 3.0
    prompt, negative, null = draw.normal(3, 2, 4, 3)
    yield Painter(), draw.normal(2, 1, 3, 5), times[1:3], prompt, negative, null, 2.0
    yield Painter(), draw.normal(2, 1, 3, 3), times[1:3], prompt, torch.zeros_like(negative), null, 2.0


@guided.numbers
def _(guided, draw):
    x_t, t, (prompt, negative, null) = (
        draw.normal(40, 1, 6, 6),
        draw.integers(1, 20, 40),
        draw.normal(3, 40, 5, 3),
    )
    given = Painter(), x_t, t, prompt
    with_negative, without = guided(*given, negative, null, 3.0), guided(*given, None, null, 3.0)
    return {"with negative captions: variance": with_negative.var(), "without": without.var()}


@guided.holds
def _(guided, draw):
    model, x_t, t = Painter(), draw.normal(4, 1, 3, 3), torch.full((4,), 10)
    prompt, negative, null = draw.normal(3, 4, 5, 3)
    for s, tokens, name in (
        (0.0, negative, "that for the negative caption"),
        (1.0, prompt, "that for the prompt"),
    ):
        out, wanted = guided(model, x_t, t, prompt, negative, null, s), model(x_t, t, tokens)
        if out.shape == wanted.shape and bool((out - wanted).abs().max() > 1e-3):
            return f"at s = {s:g} the answer has to be {name}, and yours is not"


@guided.probe("two-calls", always=True)
def _(guided, draw):
    asked = Notes()
    x_t, t, (prompt, negative, null) = (
        draw.normal(3, 1, 4, 4),
        torch.tensor([3, 8, 5]),
        draw.normal(3, 3, 5, 3),
    )
    guided(Painter(asked), x_t, t, prompt, negative, null, 2.0)
    return len(asked.entries) != 1


guided.wrong(
    "swapped-guidance",
    _guided(lambda low, high, s: high + s * (low - high)),
    sentence="the two answers changed places: begin at the one to move away from, and go towards the prompt",
)
guided.wrong(
    "wrong-sign",
    _guided(lambda low, high, s: low - s * (high - low)),
    sentence=(
        "a sign is wrong, and the prompt is what you move away from: out + s (out_prompt - out), with out the"
        " other answer"
    ),
)
guided.wrong(
    "wrong-sign",
    _guided(lambda low, high, s: low + s * (high + low)),
    sentence="the answers were added inside the bracket; their difference is wanted",
)
guided.wrong(
    "w-for-s",
    _guided(lambda low, high, s: high + s * (high - low)),
    _guided(lambda low, high, s: low + (s - 1) * (high - low)),
    sentence=(
        "the scale is off by one: s = 0 is the answer to move away from, s = 1 that for the prompt; s = 1 + w"
    ),
)
guided.wrong("ignores-negative", _guided(away=lambda negative, null: null))
guided.wrong(
    "difference-only",
    _guided(lambda low, high, s: s * (high - low)),
    sentence="s times the difference alone; it is added to the answer to move away from",
)
guided.wrong(
    "not-guided",
    _guided(lambda low, high, s: high),
    sentence="the answer for the prompt was returned as it is, and s has no say in it",
)


def _without_a_negative(model, x_t, t, prompt, negative, null, s):
    return (
        _guided()(model, x_t, t, prompt, negative, null, s) if negative is not None else model(x_t, t, prompt)
    )


guided.wrong(
    "not-guided",
    _without_a_negative,
    sentence=(
        "without a negative caption nothing was guided; then null, the empty caption, is what to move away"
        " from"
    ),
)
guided.wrong(
    "not-guided",
    lambda model, x_t, t, prompt, negative, null, s: _guided()(model, x_t, t, prompt, negative, 0 * null, s),
    sentence="without a negative caption zeros were used; null, the empty caption, is what to move away from",
)


def _blocks(x, y):
    return torch.cat([x, y])


def _twins(x, y):
    return torch.stack([x, y], 1).flatten(0, 1)


def _every_other(out):
    return out[::2], out[1::2]


_SPLITS = (lambda out: out.chunk(2)), _every_other
for _pictures in (0, 1):
    for _times in (0, 1):
        for _captions in (0, 1):
            for _answers in (0, 1):
                if _pictures == _times == _captions == _answers:
                    continue
                _joins = _blocks, _twins
                guided.wrong(
                    "halves-mixed",
                    _guided(
                        double=lambda x, join=_joins[_pictures]: join(x, x),
                        double_t=lambda x, join=_joins[_times]: join(x, x),
                        both=_joins[_captions],
                        halves=_SPLITS[_answers],
                    ),
                )
guided.wrong(
    "halves-mixed",
    _guided(halves=lambda out: (out[:1], out[1:2])),
    _guided(halves=lambda out: (out[0], out[1])),
    _guided(halves=lambda out: (out[:1], out[-1:])),
    sentence=(
        "only two rows of the answer were used; its first half, B rows, belongs to the one caption, its second"
        " half to the other: `.chunk(2)`"
    ),
)
guided.wrong(
    "not-doubled",
    _guided(double_t=lambda t: t),
    sentence="pictures and captions were doubled, and the times were not: torch.cat([t, t])",
)
guided.wrong(
    "not-doubled",
    _guided(double=lambda x: x, double_t=lambda t: torch.cat([t, t])),
    sentence="times and captions were doubled, and the pictures were not: torch.cat([x_t, x_t])",
)
guided.wrong(
    "not-doubled",
    _guided(both=lambda low, high: high),
    sentence=(
        "there is not one caption per picture: the doubled batch has 2 B pictures, 2 B times and, by"
        " torch.cat([away, prompt]), 2 B captions"
    ),
)


def _mixed_before(mix):
    """The answer for a caption that was mixed before the network was asked, once."""

    def guided(model, x_t, t, prompt, negative, null, s):
        return model(x_t, t, mix(null if negative is None else negative, prompt, s))

    return guided


guided.wrong(
    "captions-guided",
    *map(
        _mixed_before,
        (
            lambda low, high, s: low + s * (high - low),
            lambda low, high, s: high + s * (high - low),
            lambda low, high, s: s * (high - low),
            lambda low, high, s: high - low,
            lambda low, high, s: high - s * low,
            lambda low, high, s: s * high,
            lambda low, high, s: s * high - low,
            lambda low, high, s: (low + high) / 2,
        ),
    ),
)
guided.wrong(
    "captions-joined",
    *map(
        _mixed_before,
        (lambda low, high, s: torch.cat([low, high], 1), lambda low, high, s: torch.cat([high, low], 1)),
    ),
)


def _with_none(error, sign, is_bad):
    """An answer that ends with an error in the one case or the other, and is right in the rest."""

    def guided(model, x_t, t, prompt, negative, null, s):
        if is_bad(negative):
            raised = error(sign)
            raised.sign = sign
            raise raised
        return _guided()(model, x_t, t, prompt, negative, null, s)

    return guided


guided.wrong(
    "zeros-for-none",
    _with_none(RuntimeError, "Boolean value of Tensor", lambda negative: negative is not None),
    sentence=(
        "`or`, `not` and `if negative` ask for the truth of a tensor, which has none; ask whether it `is None`"
    ),
)
guided.wrong(
    "none-forgotten",
    *(_with_none(error, "None", lambda negative: negative is None) for error in (TypeError, AttributeError)),
)
guided.wrong("zeros-for-none", _guided(away=lambda negative, null: negative if negative.any() else null))
guided.wrong(
    "shared-label",
    *(
        lambda model, x_t, t, prompt, negative, null, s, pick=pick, places=places: _guided()(
            model,
            x_t,
            t,
            *(
                pick(rows) if rows is not None and place in places else rows
                for place, rows in enumerate((prompt, negative, null))
            ),
            s,
        )
        for pick in (lambda rows: rows[:1].expand_as(rows), lambda rows: rows[-1:].expand_as(rows))
        for places in ((0, 1, 2), (0,), (1, 2), (1,), (2,))
    ),
    sentence="one caption was used for the whole batch; every picture has its own rows",
)
guided.wrong(
    "wrong-axis",
    *(
        lambda model, x_t, t, prompt, negative, null, s, pick=pick: _guided()(
            model, x_t, t, pick(prompt), negative if negative is None else pick(negative), pick(null), s
        )
        for pick in (
            lambda rows: rows.mean(1, keepdim=True),
            lambda rows: rows.mean(1, keepdim=True).expand_as(rows),
            lambda rows: rows[:, :1],
            lambda rows: rows[:, -1:],
            lambda rows: rows.flip(1),
        )
    ),
    sentence="the network wants all rows of a caption, one per token, as they came",
)


def _three(join):
    """Three answers in one call, joined."""

    def guided(model, x_t, t, prompt, negative, null, s):
        away = null if negative is None else negative
        out = model(torch.cat([x_t] * 3), torch.cat([t] * 3), torch.cat([null, away, prompt]))
        return join(*out.chunk(3), s)

    return guided


guided.wrong(
    "null-and-negative",
    _three(lambda null, low, high, s: null + s * (high - low)),
    _three(lambda null, low, high, s: null + s * (high - null) - (low - null)),
    _guided(away=lambda negative, null: (negative + null) / 2),
)

guided.wrong(
    "null-and-negative",
    *map(
        _three,
        (
            lambda null, low, high, s: low + s * (high - null),
            lambda null, low, high, s: null + s * (high - null) - s * (low - null),
            lambda null, low, high, s: null + s * (high - null) + s * (null - low),
            lambda null, low, high, s: null + (high - null) - s * (low - null),
            lambda null, low, high, s: high + s * (high - low) + s * (high - null),
            lambda null, low, high, s: high + s * (null - low),
            lambda null, low, high, s: high - s * (low - null),
            lambda null, low, high, s: null + s * (high - null) - low,
            lambda null, low, high, s: (null + low) / 2 + s * (high - (null + low) / 2),
            lambda null, low, high, s: null + s * (high - null) + low - null,
            lambda null, low, high, s: null + s * (high + low - 2 * null),
            lambda null, low, high, s: null + s * (high - null - low),
        ),
    ),
    _guided(away=lambda negative, null: negative + null),
    _guided(away=lambda negative, null: null - negative),
    _guided(away=lambda negative, null: negative - null),
)
guided.wrong(
    "wrong-sign",
    lambda model, x_t, t, prompt, negative, null, s: _guided()(
        model, x_t, t, prompt, negative, null, s if negative is None else -s
    ),
    sentence=(
        "the scale changed its sign with a negative caption; that takes the empty one's place, and nothing else"
        " changes"
    ),
)
guided.wrong(
    "wrong-sign",
    _guided(away=lambda negative, null: -negative),
    sentence="the rows of the negative caption changed their sign; they are handed over as they are",
)
guided.wrong(
    "not-guided",
    _guided(lambda low, high, s: low + s * (high - low) if s > 1 else high),
    _guided(lambda low, high, s: low + max(s, 1) * (high - low)),
    _guided(lambda low, high, s: low + s * (high - low) if s > 0 else high),
    _guided(lambda low, high, s: low + min(s, 1) * (high - low)),
    sentence="not every s was used as it came: at 0 the answer is that to move away from, and between lies between",
)
guided.wrong("not-guided", _guided(lambda low, high, s: low), sentence="the prompt has no say in the answer")
guided.wrong(
    "difference-only",
    _guided(lambda low, high, s: s * high),
    _guided(lambda low, high, s: s * high - low),
    _guided(lambda low, high, s: high - s * low),
    _guided(lambda low, high, s: s * high + low),
    _guided(lambda low, high, s: high - low),
    sentence="the shares of the two answers do not add up to 1; out_away + s (out_prompt - out_away) is wanted",
)
guided.wrong(
    "one-step-too-many",
    *(
        _guided(
            lambda low, high, s, part=part: (
                (low + s * (high - low)) * part(high) / part(low + s * (high - low))
            )
        )
        for part in (
            lambda x: x.std((1, 2, 3), keepdim=True),
            lambda x: x.std(),
            lambda x: x.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1),
        )
    ),
    sentence="the guided answer was brought back to the strength of the plain one; leave it as it is",
)

# 9.4

exercise.explain("9.4", "who left of whom, in a sentence")
