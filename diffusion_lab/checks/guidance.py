"""Checks of exercise 07, guidance: labels that are dropped, a table with a row for none, and the guided answer."""

import itertools

import torch
from torch import nn

from diffusion_lab.bench.guidance import (
    Painter,
    conditioned,
    label_as_number,
    no_parameters,
    no_such_row,
    table_changed,
    takes_table,
)
from diffusion_lab.bench.notes import Notes
from diffusion_lab.checks.ends import BATCH_OF_ONE, NOT_SQUARE, VERY_LARGE, border
from diffusion_lab.checks.engine import Exercise

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
    "w-for-s",
    lambda: (1.68, 1.72),
    sentence=(
        "that is for s = 5: the 1 of s = 1 + w was added twice, or the 0.5 was scaled and not the difference"
    ),
)
guided_number.wrong(
    "w-for-s",
    lambda: (0.69, 0.71),
    sentence=(
        "w and 1 + w changed places: the answer with the order counts 1 + w times, and the other one is taken off w"
        " times"
    ),
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


guided_number.wrong(
    "difference-only",
    lambda: (2.18, 2.22),
    lambda: (1.78, 1.82),
    lambda: (1.28, 1.32),
    sentence="s belongs before the whole difference, s (0.5 - 0.2), and not before one of the two",
)
guided_number.wrong(
    "difference-only",
    lambda: (0.29, 0.31),
    sentence="that is the difference alone; it is made s times as large and added to 0.2",
)
guided_number.wrong(
    "scale-for-answer",
    lambda: (3.95, 4.05),
    lambda: (2.98, 3.02),
    sentence="that is the scale; what the guided network says at this pixel is wanted",
)
guided_number.wrong(
    "result-clipped",
    lambda: (0.99, 1.01),
    sentence="the answer was cut back to 1; a guided answer may well leave the range of the two, leave it as it comes",
)
guided_number.wrong(
    "wrong-sign",
    lambda: (2.58, 2.62),
    lambda: (1.88, 1.92),
    lambda: (2.28, 2.32),
    lambda: (3.28, 3.32),
    sentence="the answer without an order is taken away, (1 + w) · 0.5 - w · 0.2, and was added here",
)
guided_number.wrong(
    "not-guided", lambda: (0.19, 0.21), sentence="that is the answer without an order, as with s = 0"
)
guided_number.wrong("guided-halfway", lambda: (0.22, 0.48))


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
    never = torch.tensor([0.0, 0.02, 0.07, 0.15, 0.4, 0.45])[draw.shuffled(range(6))]
    yield draw.integers(1, 8, 6), 10, 0.0, never
    yield draw.integers(1, 8, 5), 10, 0.35, draw.uniform(0.4, 1, 5)
    first_only = torch.tensor([0.1, 0.6, 0.3, 0.9, 0.2, 0.7])
    yield torch.tensor([1, 2, 3, 4, 5, 6]), 8, 0.35, first_only
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


drop_labels.wrong(
    "ignores-probability",
    *(_dropped(lambda coins, p, other=other: coins < (p or other)) for other in (0.1, 0.2, 0.5)),
    sentence="a probability of 0 was read as none given; with 0 no label is dropped",
)
drop_labels.wrong("ignores-probability", _dropped(lambda coins, p: coins.round() < p))
drop_labels.wrong(
    "in-percent",
    _dropped(lambda coins, p: coins < 100 * p),
    sentence="every label was dropped: the probability was read in percent, or the coins were rounded down to 0",
)
drop_labels.wrong(
    "in-percent",
    _dropped(lambda coins, p: coins < p / 100),
    sentence="the probability was read in percent; it is a number from 0 to 1, like the coins",
)
drop_labels.wrong(
    "batch-dropout",
    _dropped(lambda coins, p: (coins < p).cumsum(0) > 0),
    sentence="once one label was dropped, so were all after it; every one has a coin of its own",
)
drop_labels.wrong(
    "batch-dropout",
    _dropped(lambda coins, p: ((coins < p).cumsum(0) == 1) & (coins < p)),
    sentence="only the first was dropped; every label with its coin below `probability` is",
)
for _count in (round, int, lambda number: -int(-number // 1)):
    drop_labels.wrong(
        "share-for-probability",
        _dropped(lambda coins, p, n=_count: coins.argsort().argsort() < n(p * len(coins))),
        _dropped(lambda coins, p, n=_count: torch.arange(len(coins)) < n(p * len(coins))),
    )
drop_labels.wrong("share-for-probability", _dropped(lambda coins, p: coins < coins.quantile(p)))
drop_labels.wrong(
    "wrong-order",
    *(
        _dropped(lambda coins, p, f=f: f(coins) < p)
        for f in (
            lambda coins: coins.flip(0),
            lambda coins: coins.roll(1),
            lambda coins: coins.roll(-1),
            lambda coins: coins.sort().values,
        )
    ),
    sentence="the coins were read in another order; coin i decides about label i",
)
drop_labels.wrong(
    "pictures-left-out",
    lambda labels, null_label, probability, coins: labels[coins >= probability],
    lambda labels, null_label, probability, coins: labels[coins < probability],
    sentence="labels were taken out of the batch; each keeps its place, and a dropped one becomes `null_label`",
)
drop_labels.wrong(
    "mask-returned",
    lambda labels, null_label, probability, coins: coins < probability,
    lambda labels, null_label, probability, coins: coins >= probability,
    lambda labels, null_label, probability, coins: (coins < probability) * null_label,
    lambda labels, null_label, probability, coins: torch.where(coins < probability)[0],
)
drop_labels.wrong(
    "null-is-class-0",
    lambda labels, null_label, probability, coins: (labels + 1) * (coins >= probability),
    sentence="all labels moved up to make 0 the null label; classes keep their numbers, and `null_label` is given",
)
drop_labels.wrong(
    "null-added",
    lambda labels, null_label, probability, coins: labels + null_label * (coins < probability),
)


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


@drop_labels.probe("other-null-label")
def _(drop, draw):
    for null_label, top in ((7, 5), (12, 8)):
        labels, coins = draw.integers(1, top, 200), draw.uniform(0, 1, 200)
        out = drop(labels, null_label, 0.4, coins)
        dropped = coins < 0.4
        if out.shape != labels.shape or not bool((out == labels)[~dropped].all()):
            return False
        if bool((out == labels)[dropped].any()) or bool((out == null_label)[dropped].any()):
            return False
    return True


def _lowest_that_stays(drop, draw, probability):
    """The highest coin that drops a label and the lowest that does not; None if another rule decides."""
    labels, coins = draw.integers(1, 8, 400), draw.uniform(0, 1, 400)
    out = drop(labels, 10, probability, coins)
    dropped = out != labels
    if out.shape != labels.shape or bool((out != 10)[dropped].any()) or not dropped.any() or dropped.all():
        return None
    ends = float(coins[dropped].max()), float(coins[~dropped].min())
    return ends if ends[0] < ends[1] else None


def _due_and_dropped(drop, draw):
    """Which labels have to go and which went; None if anything else happened to the labels."""
    labels, coins = draw.integers(0, 39, 60), draw.uniform(0, 1, 60)
    out = drop(labels, 40, 0.3, coins)
    is_known = out.shape == labels.shape and bool(((out == labels) | (out == 40)).all())
    return (coins < 0.3, out == 40) if is_known else None


@drop_labels.probe("ignores-probability")
def _(drop, draw):
    low, high = (_lowest_that_stays(drop, draw, p) for p in (0.3, 0.7))
    return low is not None and high is not None and max(low[0], high[0]) < min(low[1], high[1])


@drop_labels.probe("other-threshold")
def _(drop, draw):
    found = {p: _lowest_that_stays(drop, draw, p) for p in (0.3, 0.7)}
    return all(found.values()) and any(not low < p <= high for p, (low, high) in found.items())


@drop_labels.probe("too-many-dropped")
def _(drop, draw):
    due, dropped = _due_and_dropped(drop, draw) or (None, None)
    return due is not None and bool(dropped[due].all() and dropped[~due].any() and not dropped.all())


@drop_labels.probe("too-few-dropped")
def _(drop, draw):
    due, dropped = _due_and_dropped(drop, draw) or (None, None)
    return due is not None and bool(not dropped[~due].any() and dropped.any() and not dropped[due].all())


# 7.3

NO_LABELS = border("with labels=None", lambda condition, labels, table: labels is None)
ALL_NULL = border(
    "in a batch where nobody has a label",
    lambda condition, labels, table: labels is not None and (labels == len(table) - 1).all(),
)


def _table(join):
    """What a module does that joins condition, table and labels in this way."""

    @takes_table
    def call(condition, labels, table):
        leaves = [value.detach().clone().requires_grad_() for value in (condition, table)]
        with torch.enable_grad():
            out = join(*leaves, labels)
            if out.requires_grad:
                out.sum().backward()
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        return out, gradients[1], gradients[0]

    return call


def _row(table, labels, null=-1):
    return table[null] if labels is None else table[labels]


def _with_null(table, labels, null):
    """The rows of the labels, with other numbers in the place of the null label's."""
    if labels is None:
        return null
    return torch.where((labels == len(table) - 1)[:, None], null, table[labels])


@takes_table
def _none_without_row(condition, labels, table):
    """Rows by label, and with no labels one that is not in the table."""
    if labels is None:
        return no_such_row(condition, table, labels)
    return _table(lambda c, rows, labels: c + rows[labels])(condition, labels, table)


@takes_table
def _k_rows(condition, labels, table):
    if labels is None:
        return no_such_row(condition, table, labels)
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
    prepare=conditioned,
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
@takes_table
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
    yield draw.normal(3, 5), torch.tensor([0, 0, 0]), draw.normal(4, 5)


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
conditioning.wrong(
    "null-without-row",
    _none_without_row,
    sentence='without labels a row was asked for that the table does not have; "no label" is row num_classes',
)
for _average in (
    lambda table: table[:-1].mean(0),
    lambda table: table.mean(0),
    lambda table: table[:-1].sum(0),
):
    conditioning.wrong(
        "null-without-row",
        _table(lambda c, table, labels, f=_average: c + (f(table) if labels is None else table[labels])),
        _table(lambda c, table, labels, f=_average: c + _with_null(table, labels, f(table))),
        sentence='all classes together stand for "no label"; it has a row of its own, which is learned',
    )
for _without in (
    lambda c, table, labels: c if labels is None else c + table[labels.clamp(max=len(table) - 2)],
    lambda c, table, labels: c if labels is None else c + table[labels % (len(table) - 1)],
    lambda c, table, labels: (
        c if labels is None or bool((labels == len(table) - 1).any()) else c + table[labels]
    ),
):
    conditioning.wrong(
        "null-without-row",
        _table(_without),
        sentence='"no label" has no row of its own here, not even if labels is None; it is row num_classes',
    )
conditioning.wrong(
    "null-without-row",
    _table(lambda c, table, labels: c + _with_null(table, labels, 1.0 + 0 * table[0])),
    sentence='a fixed number stands for "no label"; it has a row of its own, which is learned',
)
conditioning.wrong(
    "zero-for-none",
    *(
        _table(
            lambda c, table, labels, f=f: (
                f(c, table) if labels is None or not labels.any() else c + table[labels]
            )
        )
        for f in (lambda c, table: c + table[-1], lambda c, table: c)
    ),
)
conditioning.wrong(
    "row-multiplied",
    _table(lambda c, table, labels: c * _row(table, labels)),
    _table(lambda c, table, labels: c * (1 + _row(table, labels))),
    _table(lambda c, table, labels: c * _row(table, labels).sigmoid()),
)
conditioning.wrong(
    "row-appended",
    _table(lambda c, table, labels: torch.cat([c, _row(table, labels).expand_as(c)], 1)),
    _table(lambda c, table, labels: torch.cat([_row(table, labels).expand_as(c), c], 1)),
    _table(lambda c, table, labels: torch.cat([c, _row(table, labels).expand_as(c)], 0)),
    _table(lambda c, table, labels: torch.stack([c, _row(table, labels).expand_as(c)])),
    _table(lambda c, table, labels: torch.stack([c, _row(table, labels).expand_as(c)], 1)),
)
conditioning.wrong(
    "wrong-sign",
    _table(lambda c, table, labels: c - _row(table, labels)),
    sentence="the row was taken away from the numbers of the time; it is added",
)
conditioning.wrong(
    "wrong-sign",
    _table(lambda c, table, labels: _row(table, labels) - c),
    sentence="the numbers of the time were taken away from the row; both are added",
)
for _k in ("half", "root 2", "root F", "1 / root F"):
    _factor = {
        "half": lambda c, row: (c + row) / 2,
        "root 2": lambda c, row: (c + row) / 2**0.5,
        "root F": lambda c, row: c + row * row.shape[-1] ** 0.5,
        "1 / root F": lambda c, row: c + row / row.shape[-1] ** 0.5,
    }[_k]
    conditioning.wrong(
        "wrong-factor",
        _table(lambda c, table, labels, f=_factor: f(c, _row(table, labels))),
        sentence="something was multiplied; the numbers of the time and the row are added as they are",
    )
conditioning.wrong(
    "one-step-too-many",
    *(
        _table(lambda c, table, labels, f=f: f(c + _row(table, labels)))
        for f in (torch.relu, torch.tanh, nn.functional.silu, nn.functional.gelu, torch.sigmoid)
    ),
    *(
        _table(lambda c, table, labels, f=f: c + f(_row(table, labels)))
        for f in (torch.relu, torch.tanh, nn.functional.silu, nn.functional.gelu, torch.sigmoid)
    ),
    *(
        _table(lambda c, table, labels, f=f: f(c + _row(table, labels).expand_as(c)))
        for f in (
            lambda x: nn.functional.layer_norm(x, x.shape[1:]),
            lambda x: nn.functional.normalize(x, dim=1),
        )
    ),
    _table(lambda c, table, labels: c + nn.functional.normalize(_row(table, labels), dim=-1)),
    sentence="right at first, and then a function was taken of it; the sum is wanted as it is",
)
conditioning.wrong("table-changed", table_changed)
conditioning.wrong("label-as-number", label_as_number)
conditioning.wrong(
    "shared-label",
    _table(
        lambda c, table, labels: (
            c + (table[-1] if labels is None or (labels == len(table) - 1).any() else table[labels])
        )
    ),
    sentence="one picture without a label, and the whole batch was counted as without; each is for itself",
)
conditioning.wrong(
    "shared-label",
    _table(lambda c, table, labels: c + _row(table, labels).reshape(-1, c.shape[1]).mean(0)),
    sentence="the rows of the batch were averaged; every picture has the row of its own label",
)
conditioning.wrong("not-a-parameter", no_parameters)
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


@conditioning.probe("changes-from-call-to-call", always=True)
def _(conditioning, draw):
    condition, labels, table = draw.normal(600, 5), draw.integers(0, 2, 600), draw.normal(4, 5)
    first, second = ([conditioning(condition, order, table)[0] for order in (labels, None)] for _ in range(2))
    return any(a.shape != b.shape or bool((a != b).any()) for a, b in zip(first, second, strict=True))


# 7.4

AT_LOW = border("at t = low", lambda model, x_t, t, labels, null_label, s, low, high: (t == low).any())
AT_HIGH = border("at t = high", lambda model, x_t, t, labels, null_label, s, low, high: (t == high).any())


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
    s = torch.tensor([0.0, 1.0, 3.0, 2.0])
    yield Painter(null_label=10), draw.normal(4, 2, 3, 4), t, torch.tensor([2, 9, 0, 4]), 10, s, 10, 20
    yield Painter(), draw.normal(4, 1, 3, 4), torch.tensor([3, 2, 1, 4]), labels, 3, s + 0.5, 1, 3
    yield Painter(), draw.normal(4, 1, 3, 4), t, labels, 3, s / 4, 5, 25
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
guided.wrong(
    "other-null-label",
    *(_guided(null=f) for f in (lambda _: -1, lambda null_label: null_label + 1, lambda _: 10, lambda _: 3)),
    sentence="guided away from another label than `null_label`, which is given",
)


def _inside(t, low, high):
    return ((low < t) & (t <= high)).reshape(-1, 1, 1, 1)


def _only_inside(join, outside=lambda out_null, out, x_t: out):
    """Something else is said inside the window, and the plain answer outside of it, or also something else."""

    def guided(model, x_t, t, labels, null_label, s, low, high):
        out_null = model(x_t, t, labels=torch.full_like(labels, null_label))
        out = model(x_t, t, labels=labels)
        inside = join(out_null, out, s.reshape(-1, 1, 1, 1))
        return torch.where(_inside(t, low, high), inside, outside(out_null, out, x_t))

    return guided


def _everywhere_or_inside(join):
    return _guided(join=join), _only_inside(join)


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
    *(
        _guided(within=lambda t, low, high, by=by, to=to: (low + by < t) & (t <= high + to))
        for by in (-1, 0, 1)
        for to in (-1, 0, 1)
        if by != to
        and (by, to) not in ((0, -1), (-1, 0))  # these stand above, and both alike are a shift of t
    ),
    sentence="a border of the window is on the wrong side: guided is where low < t <= high",
)
guided.wrong(
    "ignores-label",
    _guided(order=lambda labels, null_label: torch.full_like(labels, null_label)),
    _guided(order=lambda labels, null_label: torch.zeros_like(labels)),
)
guided.wrong("difference-only", *_everywhere_or_inside(lambda out_null, out, s: s * (out - out_null)))
for _join in (
    lambda out_null, out, s: s * out,
    lambda out_null, out, s: out_null + s * out,
    lambda out_null, out, s: s * out - out_null,
    lambda out_null, out, s: (1 + s) * out - out_null,
    lambda out_null, out, s: out - s * out_null,
):
    guided.wrong(
        "difference-only",
        *_everywhere_or_inside(_join),
        sentence="one of the two answers was scaled; what grows is their difference, s (with label - without)",
    )
for _join in (
    lambda out_null, out, s: s * out + (s - 1) * out_null,
    lambda out_null, out, s: (1 + s) * out + s * out_null,
    lambda out_null, out, s: out_null + s * (out + out_null),
    lambda out_null, out, s: out + s * (out + out_null),
    lambda out_null, out, s: s * (out - out_null) - out_null,
):
    guided.wrong(
        "wrong-sign",
        *_everywhere_or_inside(_join),
        sentence="a sign is wrong: out_null + s (out_cond - out_null), one minus and no more",
    )
for _join in (
    lambda out_null, out, s: (out_null + s * out) / (1 + s),
    lambda out_null, out, s: (out_null + out) / 2,
    lambda out_null, out, s: out_null + (out - out_null) / s,
):
    guided.wrong("guided-halfway", *_everywhere_or_inside(_join))
guided.wrong(
    "w-for-s",
    *(_only_inside(lambda out_null, out, s, by=by: out_null + (s + by) * (out - out_null)) for by in (1, -1)),
)
guided.wrong(
    "result-clipped",
    *(
        _only_inside(lambda out_null, out, s, to=to: (out_null + s * (out - out_null)).clamp(-to, to))
        for to in (1, 2, 3)
    ),
    sentence="the guided answer was clipped; it is v and no picture, and may be as large as it likes",
)


def _rescaled(size):
    """The guided answer, as large as the plain one."""

    def join(out_null, out, s):
        said = out_null + s * (out - out_null)
        return said * size(out) / size(said)

    return join


guided.wrong(
    "guided-rescaled",
    *(
        formula
        for size in (
            lambda v: v.std(dim=(1, 2, 3), keepdim=True),
            lambda v: v.square().mean(dim=(1, 2, 3), keepdim=True).sqrt(),
            lambda v: v.std(dim=(2, 3), keepdim=True),
            lambda v: v.norm(dim=1, keepdim=True),
            torch.std,
            torch.norm,
            lambda v: v.abs().amax(dim=(1, 2, 3), keepdim=True),
        )
        for formula in _everywhere_or_inside(_rescaled(size))
    ),
)
guided.wrong(
    "scale-clipped",
    *(
        _guided(lambda s, inside, f=f: torch.where(inside, f(s), 1.0))
        for f in (
            lambda s: s.clamp(min=1),
            lambda s: s.clamp(min=0),
            torch.abs,
            lambda s: s.clamp(0, 1),
            lambda s: s.clamp(max=1),
        )
    ),
)
guided.wrong(
    "variance-as-std",
    _guided(lambda s, inside: torch.where(inside, s**2, 1.0)),
    _guided(lambda s, inside: torch.where(inside, s.abs().sqrt(), 1.0)),
    sentence="a square or a root of `s` was taken; it is wanted as it is",
)
for _one in (torch.mean, torch.max, torch.min, torch.median, lambda s: s[0], lambda s: s[-1]):
    guided.wrong("shared-scale", _guided(lambda s, inside, f=_one: torch.where(inside, f(s), 1.0)))
guided.wrong(
    "shared-scale",
    _guided(lambda s, inside: torch.where(inside & ~(s == 1).any(), s, 1.0)),
    _guided(lambda s, inside: torch.where(inside & ~(s == 0).any(), s, 1.0)),
    sentence="one scale decided for the whole batch; every picture has its own",
)
guided.wrong(
    "shared-label",
    *(_guided(order=lambda labels, _, at=at: labels[at].expand_as(labels)) for at in (0, -1)),
)
guided.wrong(
    "wrong-window",
    lambda model, x_t, t, labels, null_label, s, low, high: _guided(
        lambda scales, _inside: torch.where((low < scales) & (scales <= high), scales, 1.0)
    )(model, x_t, t, labels, null_label, s, low, high),
    sentence="the scales were compared with `low` and `high`; the window is one of times, low < t <= high",
)
guided.wrong(
    "index-shift",
    _guided(within=lambda t, low, high: (low < t - 1) & (t - 1 <= high)),
    sentence="the window is a step too late: guided is where low < t <= high",
)
guided.wrong(
    "null-outside",
    *(
        _only_inside(lambda out_null, out, s: out_null + s * (out - out_null), outside)
        for outside in (
            lambda out_null, out, x_t: x_t,
            lambda out_null, out, x_t: 0 * x_t,
            lambda out_null, out, x_t: (out_null + out) / 2,
        )
    ),
    sentence="outside the window something else came back; the plain answer, with the label, is wanted there",
)


def _half_shaped(of_window, of_scale):
    """The window in one shape and the scales in another."""

    def guided(model, x_t, t, labels, null_label, s, low, high):
        out_null = model(x_t, t, labels=torch.full_like(labels, null_label))
        out = model(x_t, t, labels=labels)
        inside = ((low < t) & (t <= high)).reshape(of_window)
        return torch.where(inside, out_null + s.reshape(of_scale) * (out - out_null), out)

    return guided


_ONE_EACH = (-1, 1, 1, 1)
for _shape in ((-1,), (-1, 1), (-1, 1, 1)):
    guided.wrong(
        "misbroadcast-t",
        _half_shaped(_ONE_EACH, _shape),
        sentence="the scales, shape (B,), met the wrong axis of the pictures; (B, 1, 1, 1) is wanted",
        at=("05", "9. What goes wrong: a loss too good to be true"),
    )
    guided.wrong(
        "misbroadcast-t",
        _half_shaped(_shape, _ONE_EACH),
        _half_shaped(_shape, _shape),
        sentence="the window, shape (B,), met the wrong axis of the pictures; (B, 1, 1, 1) is wanted",
        at=("05", "9. What goes wrong: a loss too good to be true"),
    )


def _sorted_by_window(first):
    """The pictures inside the window behind one another, and then those outside, or the other way round."""

    def sorted_ones(model, x_t, t, labels, null_label, s, low, high):
        out, inside = (
            guided.rights[""](model, x_t, t, labels, null_label, s, low, high),
            (low < t) & (t <= high),
        )
        return torch.cat([out[inside == first], out[inside != first]])

    return sorted_ones


guided.wrong(
    "wrong-order",
    _sorted_by_window(True),
    _sorted_by_window(False),
    sentence="the pictures changed places when guided and plain ones were put together; keep their order",
)


def _part(of_inside):
    def part(model, x_t, t, labels, null_label, s, low, high):
        out = guided.rights[""](model, x_t, t, labels, null_label, s, low, high)
        return out[((low < t) & (t <= high)) == of_inside]

    return part


guided.wrong("pictures-left-out", _part(True), _part(False))


def _doubled(arrange_x, arrange_t, arrange_labels, split, null_first):
    """One call with a doubled batch, whose pictures, times, labels and answers are each in an order of their own."""

    def guided(model, x_t, t, labels, null_label, s, low, high):
        nulls = torch.full_like(labels, null_label)
        both = (nulls, labels) if null_first else (labels, nulls)
        out = model(arrange_x(x_t, x_t), arrange_t(t, t), labels=arrange_labels(*both))
        first, second = split(out)
        out_null, out = (first, second) if null_first else (second, first)
        scale = torch.where((low < t) & (t <= high), s, 1.0).reshape(-1, 1, 1, 1)
        return out_null + scale * (out - out_null)

    return guided


def _blocks(a, b):
    return torch.cat([a, b])


def _twins(a, b):
    return torch.stack([a, b], 1).flatten(0, 1)


def _halves(out):
    return out.chunk(2)


def _every_other(out):
    return out[::2], out[1::2]


guided.wrong(
    "halves-mixed",
    *(
        _doubled(x, time, label, split, null_first)
        for x, time, label in itertools.product((_blocks, _twins), repeat=3)
        for split in (_halves, _every_other)
        for null_first in (True, False)
        if {x, time, label} != {_blocks if split is _halves else _twins}
    ),
    sentence="the halves of the doubled batch do not fit together: pictures, times, labels and answers go by one order",
)


def _is_null(labels):
    return labels == 3


def _is_order(labels):
    return labels != 3


@guided.probe("dropout-at-sampling", always=True)
def _(guided, draw):
    asked = Notes()
    model, number = Painter(asked), 400
    given = draw.normal(number, 1, 2, 2), torch.full((number,), 10), draw.integers(0, 2, number)
    guided(model, *given, 3, torch.full((number,), 2.0), 0, 20)
    nulls, orders = (
        sum(int(is_so(labels).sum()) for (labels,) in asked.entries) for is_so in (_is_null, _is_order)
    )
    return nulls > number and orders % number != 0  # some pictures were asked about without their label


def _found_scales(guided, draw):
    """The scale that each picture was given, and s, and who is inside; None if it is no question of scales."""
    number = 60
    x_t, t = draw.normal(number, 1, 3, 3), draw.integers(1, 20, number)
    labels, s = draw.integers(0, 2, number), draw.uniform(-1, 5, number)
    model = Painter()
    out_null, out = model(x_t, t).double(), model(x_t, t, labels).double()
    answer, apart = guided(model, x_t, t, labels, 3, s, 6, 14), out - out_null
    if answer.shape != out.shape:
        return None
    scales = ((answer - out_null) * apart).sum((1, 2, 3)) / apart.square().sum((1, 2, 3))
    is_mix = (out_null + scales[:, None, None, None] * apart - answer).abs().max() < 1e-3
    return (scales, s.double(), (t > 6) & (t <= 14)) if is_mix else None


def _are_close(a, b):
    return bool((a - b).abs().max() < 1e-3)


@guided.probe("another-scale")
def _(guided, draw):
    scales, s, inside = _found_scales(guided, draw) or (None, None, None)
    return (
        scales is not None and _are_close(scales[~inside], 1.0) and not _are_close(scales[inside], s[inside])
    )


@guided.probe("plain-is-one")
def _(guided, draw):
    scales, s, inside = _found_scales(guided, draw) or (None, None, None)
    return (
        scales is not None and _are_close(scales[inside], s[inside]) and not _are_close(scales[~inside], 1.0)
    )


@guided.probe("another-null-answer")
def _(guided, draw):
    x_t, t, labels = draw.normal(8, 1, 3, 3), draw.integers(7, 14, 8), draw.integers(0, 2, 8)
    model = Painter()

    def answer(s):
        return guided(model, x_t, t, labels, 3, torch.full((8,), float(s)), 6, 14)

    out_null, out = model(x_t, t).double(), model(x_t, t, labels).double()
    none, plain, strong = answer(0), answer(1), answer(3)
    is_guided = plain.shape == none.shape == out.shape and _are_close(plain, out)
    if not is_guided or _are_close(none, plain) or _found_scales(guided, draw):
        return False
    return _are_close(strong, none + 3 * (plain - none)) and not _are_close(none, out_null)


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
    """Height and spread of guided points, s = 4, with DDIM (eta = 0) and 50 steps, or 20 to 100."""
    return _measured(*_RIGHT, off=(0.06, 0.03))


_RIGHT = (1.655, 1.55, 1.19, 0.326, 0.374, 0.318)
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


_spreads = _RIGHT[3:]
cloud.wrong(
    "summed-not-averaged",
    lambda: _measured(*_RIGHT[:3], *(2**0.5 * spread for spread in _spreads)),
    lambda: _measured(*_RIGHT[:3], *(2 * spread**2 for spread in _spreads), off=(0.06, 0.015)),
    sentence="the two variances were added up; the spread is the root of their mean",
)
cloud.wrong(
    "half-the-spread",
    lambda: _measured(*_RIGHT[:3], 0.282, 0.349, 0.267, off=(0.06, 0.015)),
    sentence="that is the spread of the second coordinate alone, or of fewer than 50 steps; both coordinates count",
)
cloud.wrong(
    "half-the-spread",
    lambda: _measured(*_RIGHT[:3], 0.37, 0.397, 0.366, off=(0.06, 0.018)),
    sentence="that is the spread of the first coordinate alone; both count, by the mean of their variances",
)
cloud.wrong(
    "mean-not-subtracted",
    lambda: _measured(*_RIGHT[:3], 1.215, 1.158, 0.899),
    sentence="that is how far the points are from 0; a spread is measured from their own mean",
)
cloud.wrong(
    "wrong-axis",
    lambda: _measured(0, 0, 0, *_spreads),
    lambda: _measured(0, 0, 0, *_plain[3:]),
    sentence="the height is the mean of the *second* coordinate, points[:, 1]; that is the first",
)
cloud.wrong(
    "wrong-axis",
    lambda: _measured(0.83, 0.777, 0.6, *_spreads),
    sentence="the height is the mean of the second coordinate; that is the mean of both",
)
cloud.wrong(
    "mean-subtracted",
    lambda: _measured(*(height - 0.8 for height in _RIGHT[:3]), *_spreads),
    sentence="the class's own height, 0.8, was taken off; the mean itself is wanted",
)
cloud.wrong("dice-thrown", lambda: _measured(1.305, 1.085, 1.199, 0.383, 0.452, 0.362))
cloud.wrong("dice-thrown", lambda: _measured(1.532, 1.395, 1.206, 0.363, 0.417, 0.338, off=(0.05, 0.025)))
cloud.wrong(
    "other-steps",
    lambda: _measured(1.622, 1.56, 1.242, 0.236, 0.264, 0.19),
)
cloud.wrong(
    "other-null-label",
    lambda: _measured(4.393, 2.344, 2.842, 0.498, 0.498, 0.498, off=(0.25, 0.05)),
    sentence="guided away from another spot; the null label is 3",
)
cloud.wrong(
    "other-class",
    lambda: _measured(-0.839, -0.786, -0.608, *_spreads),
    sentence="that is the cloud of spot 1 or 2; spot 0 was ordered, the one at the top",
)
cloud.wrong("swapped-guidance", lambda: _measured(-3.5, -0.825, -1.077, 1.572, 0.735, 1.39, off=(0.3, 0.15)))
cloud.wrong("difference-only", lambda: _measured(0.016, 1.402, 0.016, 0.0, 0.307, 0.0))
cloud.wrong("guided-halfway", lambda: _measured(0.671, 0.728, 0.741, 0.541, 0.51, 0.529, off=(0.04, 0.025)))
cloud.wrong(
    "w-for-s", lambda: _measured(1.206, 1.089, 0.986, 0.386, 0.449, 0.399), sentence="these are for s = 2"
)


def _untouched(*kept):
    """What somebody expects who has not measured: spreads that guidance left as they were, and no others."""
    ranges = {f"{name}: height": (0.7, 2.1) for name in NAMES}
    return ranges | {f"{name}: spread": (0.47, 0.53) if name in kept else (0.2, 0.43) for name in NAMES}


cloud.wrong(
    "not-measured",
    lambda: _untouched("t <= 500"),
    lambda: _untouched("t > 500"),
    sentence="guidance in one half only was taken to cost no spread; both halves cost some, measure them",
)
cloud.wrong(
    "not-measured",
    lambda: _measured(1.04, 0.8, 1.04, 0.42, 0.5, 0.42),
    lambda: _measured(1.04, 1.04, 0.8, 0.42, 0.42, 0.5),
    lambda: _measured(1.04, 1.04, 1.04, 0.42, 0.42, 0.42),
    sentence="that is what a sharpened density would give; where the sampler ends is another cloud, measure it",
)
cloud.wrong(
    "not-measured",
    lambda: {
        label: (3.0, 3.4) if label == "everywhere: height" else (0.0, 4.0) for label in _measured(*_RIGHT)
    },
    sentence="s = 4 does not make the height four times as large; draw the cloud and measure it",
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
