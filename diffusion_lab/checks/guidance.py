"""Checks of exercise 07, guidance: labels that are dropped, a table with a row for none, and the guided answer."""

import torch
from torch import nn

from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, VERY_LARGE, border
from diffusion_lab.checks.engine import Exercise
from diffusion_lab.checks.outcomes import note_changes

exercise = Exercise("07", "Guidance")
begin, hint, progress, show = exercise.begin, exercise.hint, exercise.progress, exercise.show

# 7.1


@exercise.guess(
    "7.1",
    "somebody else's scale",
    1,
    "3. Exaggerate the difference",
    hints=(
        "Where is plain in that paper, and where in this course? The table of section 3 has a line for it.",
        "Plain is at w = 0 there and at s = 1 here, so w = 3 is s = 4.",
        "0.2 + s * (0.5 - 0.2) with that s.",
    ),
)
def guided_number():
    """The guided answer for null 0.2, ordered 0.5 and w = 3 of Ho & Salimans; between these it is right."""
    return 1.38, 1.42


guided_number.wrong(
    "w-for-s", lambda: (1.08, 1.12), sentence="that is for s = 3; in that paper plain is at w = 0"
)
guided_number.wrong("w-for-s", lambda: (0.78, 0.82), sentence="that is for s = 2; s is 1 + w, not w - 1")
guided_number.wrong(
    "w-for-s", lambda: (1.68, 1.72), sentence="that is for s = 5; s is 1 + w, and you added 1 twice"
)
guided_number.wrong("swapped-guidance", lambda: (-0.72, -0.68), lambda: (-0.42, -0.38))
guided_number.wrong("not-guided", lambda: (0.49, 0.51))
guided_number.wrong(
    "difference-only",
    lambda: (1.18, 1.22),
    lambda: (0.88, 0.92),
    sentence="the 0.2 is missing, to which the difference is added",
)
guided_number.wrong(
    "difference-only",
    lambda: (1.98, 2.02),
    lambda: (1.48, 1.52),
    sentence="the answer with the order was multiplied; its *difference* to the other one is what grows",
)


@guided_number.numbers
def _(_guess, draw):
    null, ordered = draw.uniform(-1, 1, 2)
    return {"another pixel, no order": null, "ordered": ordered, "w = 3": null + 4 * (ordered - null)}


# 7.2

ON_THE_BORDER = border(
    "where a coin is exactly `probability`",
    lambda labels, null, probability, coins: (coins == probability).any(),
)
NEVER = border("with probability 0", lambda labels, null_label, probability, coins: probability == 0)
ALWAYS = border("with probability 1", lambda labels, null_label, probability, coins: probability == 1)
FIRST_AND_LAST_CLASS = border(
    "with the first and the last class",
    lambda labels, null_label, *_: bool((labels == 0).any()) and bool((labels == null_label - 1).any()),
)


def _dropped(coin=lambda coins, p: coins < p, null=lambda null_label: null_label):
    return lambda labels, null_label, probability, coins: torch.where(
        coin(coins, probability), null(null_label), labels
    )


@exercise.task(
    "7.2",
    "label dropout",
    2,
    "2. Learning to draw with no order",
    ends=(
        BATCH_OF_ONE,
        ON_THE_BORDER,
        NEVER,
        ALWAYS,
        FIRST_AND_LAST_CLASS,
    ),
    may_change=("labels",),
    hints=(
        (
            "`coins < probability` is a tensor of true and false, one per picture, and true with that"
            " probability."
        ),
        (
            "`torch.where(condition, a, b)` takes a where the condition is true and b elsewhere; a may be a"
            " number."
        ),
        "torch.where(coins < probability, null_label, labels).",
    ),
)
def drop_labels(labels, null_label, probability, coins):
    """Labels, (B,), some of them replaced; coins, (B,), are even in [0, 1)."""
    return _dropped()(labels, null_label, probability, coins)


@drop_labels.cases
def _(draw):
    for null_label, probability, few in ((10, 0.3, 0.1), (5, 0.7, 0.6)):
        coins = torch.cat([draw.uniform(0, few, 6), draw.uniform(probability + 0.05, 1, 6)])[
            draw.shuffled(range(12))
        ]
        yield draw.integers(1, null_label - 2, 12), null_label, probability, coins
        yield draw.integers(1, null_label - 2, 12), null_label, probability, coins.flip(0)
    yield draw.integers(1, 8, 6), 10, 0.0, draw.uniform(0.01, 1, 6)
    yield draw.integers(1, 8, 6), 10, 1.0, draw.uniform(0, 0.99, 6)
    yield torch.tensor([3]), 10, 0.5, torch.tensor([0.2])
    yield torch.tensor([4, 2, 6, 5]), 10, 0.25, torch.tensor([0.25, 0.1, 0.7, 0.25])
    yield torch.tensor([0, 9, 4, 0, 9]), 10, 0.5, draw.shuffled((0.0, 0.3, 0.6, 0.8, 0.4))


@drop_labels.numbers
def _(drop, draw):
    labels = drop(draw.integers(0, 9, 2000), 10, 0.2, draw.uniform(0, 1, 2000))
    return {"share of null labels": (labels == 10).double().mean(), "mean label": labels.mean()}


for _coin in (
    lambda coins, p: coins[0] < p,
    lambda coins, p: coins[-1] < p,
    lambda coins, p: coins.mean() < p,
    lambda coins, p: (coins < p).any(),
    lambda coins, p: (coins < p).all(),
):
    drop_labels.wrong("batch-dropout", _dropped(_coin))
drop_labels.wrong("null-is-class-0", _dropped(null=lambda _: 0))
drop_labels.wrong(
    "null-is-class-0",
    _dropped(null=lambda null_label: null_label - 1),
    sentence='"no label" shares its row with the last class; it wants one of its own, null_label',
)
drop_labels.wrong(
    "inverted-coins", _dropped(lambda coins, p: coins > p), _dropped(lambda coins, p: coins >= p)
)
drop_labels.wrong(
    "endpoint-missed",
    _dropped(lambda coins, p: coins <= p),
    sentence="a coin that is exactly `probability` is not below it, and its label stays: <, not <=",
)
drop_labels.wrong(
    "inverted-coins",
    _dropped(lambda coins, p: coins > 1 - p),
    _dropped(lambda coins, p: coins >= 1 - p),
    sentence="the coins above 1 - probability were taken; those below it are wanted",
)
drop_labels.wrong("nothing-dropped", lambda labels, null_label, probability, coins: labels)
for _p in (0.1, 0.5, 0.2):
    drop_labels.wrong("ignores-probability", _dropped(lambda coins, _, p=_p: coins < p))


@drop_labels.probe("random-label")
def _(drop, draw):
    labels = draw.integers(1, 8, 200)
    given = labels, 10, 0.5, draw.uniform(0, 1, 200)
    first, second = drop(*given), drop(*given)
    stays = given[3] >= 0.5
    return bool((first != second).any()) and all(
        bool((out == labels)[stays].all()) for out in (first, second)
    )


@drop_labels.probe(
    "draws-own-noise", "coins of your own were thrown; the ones that your function is given are wanted"
)
def _(drop, draw):
    given = draw.integers(1, 8, 200), 10, 0.5, draw.uniform(0, 1, 200)
    return bool((drop(*given) != drop(*given)).any())


# 7.3

NO_LABELS = border("with labels=None", lambda condition, labels, table: labels is None)
ALL_NULL = border(
    "in a batch where nobody has a label",
    lambda condition, labels, table: labels is not None and (labels == len(table) - 1).all(),
)


def _fill(module, table):
    """Write the table into the parameters, largest first; returns a function that reads its gradient back."""
    rows, features = table.shape
    places, at, shapes = [], 0, [tuple(p.shape) for p in module.parameters()]
    complaint = (
        f"a table of {rows} rows with {features} numbers each was wanted; there are weights of shape {shapes}"
    )
    for parameter in sorted(module.parameters(), key=lambda p: -p.numel()):
        turned = parameter.ndim == 2 and parameter.shape[1] != features
        view = parameter.data.T if turned else parameter.data
        if view.shape[-1] != features:
            raise ValueError(complaint)
        view = view.reshape(-1, features) if view.ndim == 1 else view
        view.zero_()[: rows - at].copy_(table[at : at + len(view)])
        places.append((parameter, turned, min(len(view), rows - at)))
        at += len(view)
    if 0 < at < rows - 1:
        raise ValueError(complaint)

    def gradient():
        parts = []
        for parameter, turned, number in places:
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parts.append((grad.T if turned else grad).reshape(-1, features)[:number])
        parts.append(torch.zeros(rows, features))
        return torch.cat(parts)[:rows]

    return gradient


def _conditioned(answer):
    """Make the student's module, give it the table, and call it; also the gradients of the table and the condition.

    A function that makes a module will do for its class.
    """
    if getattr(answer, "takes_table", False):  # a formula of this module
        return answer

    def call(condition, labels, table):
        if isinstance(answer, nn.Module):
            raise TypeError("the class itself was wanted, with no brackets behind its name")
        module = answer(len(table) - 1, table.shape[1])
        if module is None:
            return None
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"a subclass of torch.nn.Module was wanted; yours makes a {type(module).__name__}"
            )
        gradient = _fill(module, table)
        leaf = condition.detach().requires_grad_()
        handed_on, condition = condition, leaf * 1
        try:
            out = module(condition) if labels is None else module(condition, labels)
        except IndexError:
            if labels is not None or sum(p.numel() for p in module.parameters()) != table[:-1].numel():
                raise
            return _no_such_row(handed_on, table, labels)  # K rows, so there is none for the label K
        note_changes([condition], [leaf.detach()])
        if out is None:
            return None
        if not list(module.parameters()):
            return _no_parameters(handed_on, labels, table)
        if isinstance(out, torch.Tensor) and out.requires_grad:
            out.sum().backward()
        return out, gradient(), torch.zeros_like(leaf) if leaf.grad is None else leaf.grad

    return call


def _table(join):
    """What a module does that joins condition, table and labels in this way."""

    @_takes_table
    def call(condition, labels, table):
        leaves = [value.detach().clone().requires_grad_() for value in (condition, table)]
        with torch.enable_grad():
            out = join(*leaves, labels)
            if out.requires_grad:
                out.sum().backward()
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        return out, gradients[1], gradients[0]

    return call


def _takes_table(function):
    function.takes_table = True
    return function


def _row(table, labels, null=-1):
    return table[null] if labels is None else table[labels]


def _no_such_row(condition, table, labels):
    """What stands for the answer of a module that asked a table of K rows for row K."""
    return torch.full_like(condition, -987.0), torch.zeros_like(table), torch.zeros_like(condition)


@_takes_table
def _no_parameters(condition, labels, table):
    """What stands for the answer of a module that has no parameters."""
    return torch.full_like(condition, -986.0), torch.zeros_like(table), torch.zeros_like(condition)


@_takes_table
def _k_rows(condition, labels, table):
    if labels is None:
        return _no_such_row(condition, table, labels)
    return _table(lambda c, rows, labels: c + _row(rows[:-1], labels))(condition, labels, table)


def _unlearned(condition, table, labels):
    null = labels is None or labels[:, None] == len(table) - 1
    row = _row(table, labels)
    return condition + torch.where(torch.as_tensor(null), row.detach(), row)


@exercise.task(
    "7.3",
    "a table with a row for no label",
    3,
    "1. How the order gets in",
    ends=(
        BATCH_OF_ONE,
        NO_LABELS,
        ALL_NULL,
    ),
    prepare=_conditioned,
    results=("the numbers that come back", "the gradient of the table", "the gradient of `condition`"),
    inputs_are_shown=False,
    hints=(
        (
            "`torch.nn.Embedding(rows, features)` is a table that is learned, and calling it with labels,"
            " (B,), reads rows. How many rows are there with the null label?"
        ),
        (
            "num_classes + 1 rows; the null label is num_classes, the last. What labels does a batch have"
            " that came without?"
        ),
        (
            "if labels is None: labels = torch.full((len(condition),), num_classes); then condition +"
            " self.label(labels)."
        ),
    ),
)
@_takes_table
def conditioning(condition, labels, table):
    """The numbers of the time, (B, F), and the rows of the labels, (B,) or None, added.

    The table is (K + 1, F).
    """
    return _table(lambda condition, table, labels: condition + _row(table, labels))(condition, labels, table)


@conditioning.cases
def _(draw):
    yield draw.normal(6, 5), torch.tensor([2, 0, 1, 2, 1, 0]), draw.normal(4, 5)
    yield draw.normal(5, 8), torch.tensor([3, 4, 0, 2, 1]), draw.normal(6, 8)
    yield draw.normal(3, 8), None, draw.normal(6, 8)
    yield draw.normal(6, 5), torch.cat([torch.tensor([3, 0]), draw.shuffled((1, 2, 3, 3))]), draw.normal(4, 5)
    yield draw.normal(1, 5), torch.tensor([2]), draw.normal(4, 5)
    yield draw.normal(3, 5), torch.tensor([3, 3, 3]), draw.normal(4, 5)


@conditioning.numbers
def _(conditioning, draw):
    condition, table = draw.normal(20, 8) + 1, draw.normal(11, 8)
    (labelled, *_), (unlabelled, *_) = (
        conditioning(condition, labels, table) for labels in (draw.integers(0, 9, 20), None)
    )
    return {"with labels, mean": labelled.mean(), "without": unlabelled.mean()}


conditioning.wrong("null-is-class-0", _table(lambda c, table, labels: c + _row(table, labels, 0)))
conditioning.wrong("null-is-class-0", _table(lambda c, table, labels: c + _row(table[:-1], labels, 0)))
conditioning.wrong(
    "null-is-class-0",
    _table(lambda c, table, labels: c + (table[0] if labels is None else table[labels % (len(table) - 1)])),
)
conditioning.wrong(
    "null-is-class-0",
    _table(lambda c, table, labels: c + _row(table[:-1], labels)),
    _table(
        lambda c, table, labels: (
            c + _row(table[:-1], None if labels is None else labels.clamp(max=len(table) - 2))
        )
    ),
    _table(lambda c, table, labels: c + _row(table, labels, -2)),
    sentence='"no label" shares its row with the last class; it wants one of its own, one past the last',
)
for _without in (
    lambda c, table, labels: c if labels is None else c + table[labels],
    lambda c, table, labels: c if labels is None else c + table[:-1][labels],
    lambda c, table, labels: (
        c if labels is None else c + torch.cat([table[:-1], 0 * table[:1].detach()])[labels]
    ),
):
    conditioning.wrong(
        "null-without-row",
        _table(_without),
        sentence=(
            'without a label nothing of the table was added; "no label" has a row, num_classes, whatever num_classes is'
        ),
    )
conditioning.wrong(
    "null-without-row",
    _k_rows,
    sentence='the table has K rows, and label K, "no label", has none: num_classes + 1 rows are wanted',
)
conditioning.wrong("not-a-parameter", _no_parameters)
conditioning.wrong(
    "detached-loss",
    _table(lambda c, table, labels: c.detach() + _row(table, labels)),
    sentence="no gradient reaches `condition`, so the layers that make it learn nothing: leave out detach and .data",
)
conditioning.wrong("null-not-learned", _table(_unlearned))
conditioning.wrong(
    "ignores-label", _table(lambda c, table, labels: c + table[-1]), _table(lambda c, _t, _l: c)
)
conditioning.wrong(
    "shared-label", _table(lambda c, table, labels: c + (table[-1] if labels is None else table[labels[0]]))
)
conditioning.wrong(
    "ignores-t",
    _table(lambda c, table, labels: _row(table, labels).expand(len(c), -1)),
    sentence="the numbers of the time are gone; the row of the label is added to them",
)
conditioning.wrong(
    "detached-loss",
    _table(lambda c, table, labels: c + _row(table.detach(), labels)),
    sentence=(
        "the table is cut off, and no gradient reaches it: read it as it is, with no .data, detach or no_grad"
    ),
)


# 7.4

AT_LOW = border("at t = low", lambda model, x_t, t, labels, null_label, s, low, high: (t == low).any())
AT_HIGH = border("at t = high", lambda model, x_t, t, labels, null_label, s, low, high: (t == high).any())


class Painter:
    """A stand-in for a network of three classes, with a null label: says v, depends on x_t, t and the label."""

    null_label = 3

    def __init__(self, note=lambda labels: None):
        """`note` is told the labels of every call."""
        self.note = note

    def __call__(self, x_t, t, labels=None):
        """Say v, (B, C, H, W), of x_t at times t, (B,), for labels, (B,).

        For the null label if there are none.
        """
        labels = torch.full((len(x_t),), self.null_label) if labels is None else labels
        if t.shape != (len(x_t),) or labels.shape != (len(x_t),):
            shapes = f"x_t {tuple(x_t.shape)}, t {tuple(t.shape)}, labels {tuple(labels.shape)}"
            raise ValueError(f"a network wants one time and one label per picture, got {shapes}")
        self.note(labels)
        strength = torch.tensor([1.0, -0.5, 2.0, 0.3])[labels].reshape(-1, 1, 1, 1)
        return (strength * x_t).tanh() + 0.5 * strength * (t / 10).cos().reshape(-1, 1, 1, 1)


def _guided(
    scale=lambda s, inside: torch.where(inside, s, 1.0),
    within=lambda t, low, high: (low < t) & (t <= high),
    shape=(-1, 1, 1, 1),
    null=lambda null_label: null_label,
    order=lambda labels, null_label: labels,
    join=lambda out_null, out, s: out_null + s * (out - out_null),
):
    """The guided answer with something changed; see 7.4 for its arguments."""

    def guided(model, x_t, t, labels, null_label, s, low, high):
        out_null = model(x_t, t, labels=torch.full_like(labels, null(null_label)))
        out = model(x_t, t, labels=order(labels, null_label))
        return join(out_null, out, scale(s, within(t, low, high)).reshape(shape))

    return guided


@exercise.task(
    "7.4",
    "the guided answer, in a window of times",
    4,
    "9. One thing to vary: when to guide",
    ends=(
        AT_LOW,
        AT_HIGH,
        BATCH_OF_ONE,
        NOT_SQUARE,
        VERY_LARGE,
    ),
    hints=(
        (
            "First equation (1) with one scale: two calls, with labels and with torch.full_like(labels,"
            " null_label)."
        ),
        (
            "Outside the window the answer is the plain one, and plain is equation (1) with scale 1. Only the"
            " scale changes: torch.where((low < t) & (t <= high), s, 1.0), shape (B,)."
        ),
        (
            "Give that the shape (B, 1, 1, 1) with .reshape(-1, 1, 1, 1), then out_null + scale * (out_cond -"
            " out_null)."
        ),
    ),
)
def guided(model, x_t, t, labels, null_label, s, low, high):
    """Guided where low < t <= high and plain elsewhere, (B, C, H, W); t, labels and s are (B,)."""
    return _guided()(model, x_t, t, labels, null_label, s, low, high)


@guided.cases
def _(draw):
    scales = torch.tensor([0.0, 1.0, 2.5, 4.0, -1.0])
    times = torch.tensor([20, 4, 12, 9, 16])
    for size, low, high in ((5, 5, 18), (5, 8, 12)):
        order = draw.shuffled(range(5))
        x_t = draw.normal(5, 5, size, size) if low == 5 else draw.normal(5, 1, size, size)
        yield (
            Painter(),
            x_t,
            times[order],
            draw.integers(1, 2, 5),
            3,
            scales[draw.shuffled(range(5))] + 0.25,
            low,
            high,
        )
    t, labels = torch.tensor([10, 15, 20, 12]), torch.tensor([2, 1, 0, 2])
    for low, high in ((10, 20), (5, 25), (20, 30)):  # one outside, all inside, none inside
        yield Painter(), draw.normal(4, 2, 3, 4), t, labels, 3, torch.tensor([3.0, 2.0, 1.5, 0.5]), low, high
    for size in (1, 50):
        given = size * draw.normal(1, 1, 3, 3), torch.tensor([12]), torch.tensor([1])
        yield Painter(), *given, 3, torch.tensor([2.0]), 5, 15


@guided.numbers
def _(guided, draw):
    given = Painter(), draw.normal(40, 1, 6, 6) + 1, draw.integers(1, 20, 40), draw.integers(0, 2, 40), 3
    out = guided(*given, draw.uniform(1, 4, 40), 6, 14)
    return {"mean": out.mean(), "variance": out.var()}


@guided.holds
def _(guided, draw):
    model, x_t, t, labels = (
        Painter(),
        draw.normal(4, 1, 3, 3),
        torch.full((4,), 10),
        torch.tensor([0, 1, 2, 1]),
    )
    for scale, wanted, name in (
        (0.0, model(x_t, t), "that without an order"),
        (1.0, model(x_t, t, labels), "the plain one, with the order"),
    ):
        out = guided(model, x_t, t, labels, 3, torch.full((4,), scale), 0, 20)
        if out.shape == wanted.shape and bool((out - wanted).abs().max() > 1e-3):
            return f"inside the window, at s = {scale:g}, the answer has to be {name}, and yours is not"


guided.wrong(
    "w-for-s",
    _guided(lambda s, inside: torch.where(inside, s + 1, 1.0)),
    _guided(lambda s, inside: torch.where(inside, s + 1, 2.0)),
    _guided(lambda s, inside: torch.where(inside, s - 1, 1.0)),
    _guided(lambda s, inside: torch.where(inside, s - 1, 0.0)),
)
guided.wrong("swapped-guidance", _guided(join=lambda out_null, out, s: out + s * (out_null - out)))
guided.wrong(
    "swapped-guidance",
    _guided(lambda s, inside: torch.where(inside, 1 - s, 1.0)),
    _guided(join=lambda out_null, out, s: out_null + s * (out_null - out)),
    _guided(lambda s, inside: torch.where(inside, -s, 1.0)),
)
guided.wrong("null-is-class-0", _guided(null=lambda _: 0))
guided.wrong(
    "null-is-class-0",
    _guided(null=lambda null_label: null_label - 1),
    sentence="guided away from the last class; null_label, one past it, is wanted",
    at=("07", "7. What goes wrong: three lines, four mistakes"),
)
for _shape in ((-1,), (-1, 1), (-1, 1, 1)):
    guided.wrong(
        "misbroadcast-t",
        _guided(shape=_shape),
        sentence="the scales, shape (B,), met the wrong axis of the pictures; (B, 1, 1, 1) is wanted",
        at=("01", "4. All steps at once"),
    )
guided.wrong(
    "shared-t",
    _guided(within=lambda t, low, high: ((low < t) & (t <= high))[0].expand(len(t))),
    _guided(within=lambda t, low, high: ((low < t) & (t <= high)).any().expand(len(t))),
    _guided(within=lambda t, low, high: ((low < t) & (t <= high)).all().expand(len(t))),
    sentence="one time decided for the whole batch; every picture has its own, inside the window or outside",
)
guided.wrong(
    "shared-t",
    _guided(lambda s, inside: torch.where(inside, s[0], 1.0)),
    sentence="one scale was used for the whole batch; every picture has its own",
)
guided.wrong("null-outside", _guided(lambda s, inside: torch.where(inside, s, 0.0)))
guided.wrong("ignores-window", _guided(lambda s, inside: s))
guided.wrong("not-guided", _guided(lambda s, inside: torch.ones_like(s)))
guided.wrong("wrong-window", _guided(lambda s, inside: torch.where(inside, 1.0, s)))
guided.wrong(
    "wrong-window",
    _guided(within=lambda t, low, high: t <= high),
    _guided(within=lambda t, low, high: t > low),
    sentence="only one border of the window was looked at; guided is where low < t <= high",
)
guided.wrong(
    "endpoint-missed",
    _guided(within=lambda t, low, high: (low <= t) & (t < high)),
    _guided(within=lambda t, low, high: (low <= t) & (t <= high)),
    _guided(within=lambda t, low, high: (low < t) & (t < high)),
    sentence="a border of the window is on the wrong side: guided is where low < t <= high",
)
guided.wrong(
    "ignores-label",
    _guided(order=lambda labels, null_label: torch.full_like(labels, null_label)),
    _guided(order=lambda labels, null_label: torch.zeros_like(labels)),
)
guided.wrong("difference-only", _guided(join=lambda out_null, out, s: s * (out - out_null)))


@guided.probe("dropout-at-sampling", always=True)
def _(guided, draw):
    asked = []
    model, number = Painter(lambda labels: asked.append(labels)), 400
    given = draw.normal(number, 1, 2, 2), torch.full((number,), 10), draw.integers(0, 2, number)
    guided(model, *given, 3, torch.full((number,), 2.0), 0, 20)
    return (
        sum(int((labels == 3).sum()) for labels in asked) > number
    )  # one null label per picture is asked about, no more


# 7.5

NAMES = ("everywhere", "t > 500", "t <= 500")


def _measured(*heights_and_spreads, off=(0.06, 0.04)):
    """Ranges around three heights and three spreads, in the order of NAMES."""
    ranges = {}
    for k, value in enumerate(heights_and_spreads):
        what, by = ("height", off[0]) if k < 3 else ("spread", off[1])
        ranges[f"{NAMES[k % 3]}: {what}"] = (value - by, value + by)
    return ranges


@exercise.guess(
    "7.5",
    "what guidance costs, and when",
    2,
    "4. What it does to a cloud",
    hints=(
        (
            "Write a function denoiser(x_t, t, labels) that calls the guided denoiser or the plain one, as in"
            " section 9 of the lesson; all pictures are at one time here, int(t[0])."
        ),
        (
            "guided = dl.ClassifierFreeGuidance(exact, 4.0, null={'labels': 3}), and points ="
            " dl.sample(denoiser, cosine, (1000, 2), labels=[0] * 1000, objective='x0', num_steps=50,"
            " generator=...). Leave guidance_scale at 1 there."
        ),
        "Height: points[:, 1].mean(). Spread: points.var(dim=0).mean().sqrt().",
    ),
)
def cloud():
    """Height and spread of guided points, s = 4, with DDIM (eta = 0) and 20 to 100 steps."""
    return _measured(*_RIGHT, off=(0.06, 0.045))


_RIGHT = (1.655, 1.545, 1.19, 0.32, 0.368, 0.31)
cloud.wrong(
    "results-exchanged",
    lambda: _measured(*_RIGHT[3:], *_RIGHT[:3]),
    sentence="height and spread changed places",
)
_plain = (0.806, 0.806, 0.806, 0.495, 0.495, 0.495)
cloud.wrong(
    "w-for-s", lambda: _measured(1.838, 1.751, 1.27, 0.318, 0.356, 0.304), sentence="these are for s = 5"
)
cloud.wrong(
    "w-for-s", lambda: _measured(1.476, 1.359, 1.119, 0.348, 0.407, 0.351), sentence="these are for s = 3"
)
cloud.wrong(
    "wrong-window",
    lambda: _measured(1.663, 1.201, 1.558, 0.327, 0.317, 0.374),
    sentence="the two halves changed places; t > 500 is the noisy one, where drawing begins",
)
cloud.wrong("null-outside", lambda: _measured(1.672, 1.518, 1.049, 0.33, 0.411, 0.313))
cloud.wrong("ignores-window", lambda: _measured(1.663, 1.663, 1.663, 0.327, 0.327, 0.327))
cloud.wrong(
    "swapped-guidance", lambda: _measured(-3.524, -0.825, -1.103, 1.564, 0.722, 1.369, off=(0.15, 0.15))
)
cloud.wrong(
    "dice-thrown",
    lambda: _measured(1.31, 1.086, 1.203, 0.382, 0.455, 0.36),
    sentence="these come with dice, eta = 1; with `ddim` as it stands, eta is 0",
    at=("06", "3. The same step, rearranged"),
)
cloud.wrong("not-guided", lambda: _measured(*_plain))
cloud.wrong(
    "mean-not-subtracted",
    lambda: _measured(1.663, 1.558, 1.201, 0.893, 0.864, 0.679),
    sentence="one spread of all numbers has the height in it; take each coordinate for itself",
)
cloud.wrong(
    "variance-as-std",
    lambda: _measured(1.663, 1.558, 1.201, 0.107, 0.14, 0.1),
    sentence="the spread is a standard deviation, the root of the mean variance",
)


@cloud.numbers
def _(_guess, draw):
    points = draw.normal(4000, 2) * 0.5 + torch.tensor([0.0, 0.8])
    return {
        "4000 points of the class itself: height": points[:, 1].mean(),
        "spread": points.var(0).mean().sqrt(),
    }


# 7.6

exercise.explain("7.6", "what a smaller spread is worth, in a sentence")
