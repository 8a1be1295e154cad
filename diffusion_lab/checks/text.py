"""Checks of exercise 09, text: pictures and captions in one space, attention to a caption, and what not to draw."""

import torch
import torch.nn.functional as F

from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, VERY_LARGE, border
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.checks.outcomes import with_gradients

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


_learning = with_gradients(2, lambda *_: ())


def _contrasted(
    images=_unit, captions=_unit, heat=lambda similar, temperature: similar / temperature, loss=_both
):
    """The loss with something changed: how embeddings are brought to length 1, the temperature, or what is counted."""
    return _learning(lambda i, c, temperature: loss(heat(images(i) @ captions(c).T, temperature)))


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
    prepare=_learning,
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
@_learning
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
    for size, number, temperature in ((1, 1, 0.5), (1, 4, 0.01), (0.05, 4, 0.4), (100, 4, 0.4)):
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
        VERY_LARGE,
    ),
    hints=(
        (
            "The scores of all pixels for all tokens are one matrix product, queries @ keys.transpose(1, 2),"
            " shape (B, P, L). Divide by the root of D, the number of features of a query."
        ),
        (
            "A weight of 0 behind the softmax needs a score of minus infinity before it: "
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
SCALE_ZERO = border("at s = 0", lambda model, x_t, t, prompt, negative, null, s: s == 0)
SCALE_ONE = border("at s = 1", lambda model, x_t, t, prompt, negative, null, s: s == 1)


class Painter:
    """A stand-in for a network that reads captions: says v, depends on x_t, t and the tokens, picture by picture."""

    def __init__(self, note=lambda tokens: None):
        """`note` is told the tokens of every call."""
        self.note = note

    def __call__(self, x_t, t, tokens):
        """Say v, (B, C, H, W), of x_t at times t, (B,), for tokens (B, L, D)."""
        if t.shape != (len(x_t),) or tokens.ndim != 3 or len(tokens) != len(x_t):
            shapes = f"x_t {tuple(x_t.shape)}, t {tuple(t.shape)}, tokens {tuple(tokens.shape)}"
            raise ValueError(f"a network wants one time and one caption per picture, got {shapes}")
        self.note(tokens)
        order = torch.arange(1.0, 1 + tokens.shape[1]).cos()[:, None]  # which token comes first is heard, too
        strength = (tokens * order).sum((1, 2)).reshape(-1, 1, 1, 1)
        return (0.5 * strength * x_t).tanh() + 0.5 * strength.sin() * (t / 10).cos().reshape(-1, 1, 1, 1)


def _guided(
    join=lambda low, high, s: low + s * (high - low),
    away=lambda negative, null: negative,
    double=lambda x: torch.cat([x, x]),
    halves=lambda out: out.chunk(2),
):
    """The guided answer with something changed; see 9.3 for its arguments."""

    def guided(model, x_t, t, prompt, negative, null, s):
        below = null if negative is None else away(negative, null)
        low, high = halves(model(double(x_t), double(t), torch.cat([below, prompt])))
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
    ):
        prompt, negative, null = draw.normal(3, 4, 5, 3)
        x_t = draw.normal(4, 2, size, size)
        yield Painter(), x_t, times, prompt, negative if has_negative else None, null, s
    prompt, negative, null = draw.normal(3, 1, 5, 3)
    yield Painter(), draw.normal(1, 2, 3, 3), times[:1], prompt, negative, null, 3.0
    prompt, negative, null = draw.normal(3, 2, 4, 3)
    yield Painter(), draw.normal(2, 1, 3, 5), times[1:3], prompt, negative, null, 2.0


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
    asked = []
    x_t, t, (prompt, negative, null) = (
        draw.normal(3, 1, 4, 4),
        torch.tensor([3, 8, 5]),
        draw.normal(3, 3, 5, 3),
    )
    guided(Painter(asked.append), x_t, t, prompt, negative, null, 2.0)
    return len(asked) != 1


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
guided.wrong("halves-mixed", _guided(halves=lambda out: (out[::2], out[1::2])))
guided.wrong(
    "halves-mixed",
    _guided(double=lambda x: x.repeat_interleave(2, dim=0)),
    sentence=(
        "pictures and captions were doubled in different orders, so a picture met another's caption: use cat"
        " for all three"
    ),
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

# 9.4

exercise.explain("9.4", "who left of whom, in a sentence")
