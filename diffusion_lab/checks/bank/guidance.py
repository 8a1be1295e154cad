"""Answers to exercise 07 as students write them.

See the docstring of the package for what each table promises.
"""


def drop(expression):
    """A label dropout in one line."""
    return f"""
def my_drop_labels(labels, null_label, probability, coins):
    return {expression}
"""


def module(
    init="self.label = torch.nn.Embedding(num_classes + 1, features)",
    forward="return condition + self.label(labels)",
    none="labels = torch.full((len(condition),), self.num_classes)",
):
    """A module with something changed."""
    return f"""
class Conditioning(torch.nn.Module):
    def __init__(self, num_classes, features):
        super().__init__()
        self.num_classes = num_classes
        {init}

    def forward(self, condition, labels=None):
        if labels is None:
            {none}
        {forward}

my_conditioning = Conditioning
"""


def guided(
    null="torch.full_like(labels, null_label)",
    inside="(low < t) & (t <= high)",
    scale="torch.where(inside, s, 1.0)",
    shape="-1, 1, 1, 1",
    labels="labels",
    out="out_null + scale * (out_cond - out_null)",
    first="pass",
):
    """A guided answer with something changed."""
    return f"""
def my_guided(model, x_t, t, labels, null_label, s, low, high):
    {first}
    out_null = model(x_t, t, labels={null})
    out_cond = model(x_t, t, labels={labels})
    inside = {inside}
    scale = ({scale}).reshape({shape})
    return {out}
"""


def measured(
    s="4.0",
    null="3",
    window="low < t[0] <= high",
    outside="exact(x_t, t, labels=labels)",
    spread="points.var(0).mean().sqrt()",
    early="t > 500",
    late="t <= 500",
    steps=40,
    seed=3,
):
    """A measurement of 7.5 with something changed."""
    return f"""
schedule = dl.DiffusionSchedule.cosine(1000)
angles = torch.tensor([90.0, 210.0, 330.0]).deg2rad()
centres = 0.8 * torch.stack([angles.cos(), angles.sin()], dim=1)
spots = dl.oracle.GaussianMixture([1 / 3] * 3, centres, [(0.25 * torch.eye(2)).tolist()] * 3)
exact = spots.denoiser(schedule)
my_cloud = {{}}
for name, (low, high) in {{"everywhere": (0, 1000), "{early}": (500, 1000), "{late}": (0, 500)}}.items():
    def denoiser(x_t, t, labels, low=low, high=high):
        if {window}:
            a, b = exact(x_t, t, labels=torch.full_like(labels, {null})), exact(x_t, t, labels=labels)
            return a + {s} * (b - a)
        return {outside}
    g = torch.Generator().manual_seed({seed})
    points = dl.sample(denoiser, schedule, (1000, 2), labels=[0] * 1000, objective="x0", num_steps={steps},
                       generator=g, progress=False)
    my_cloud[name + ": height"] = points[:, 1].mean()
    my_cloud[name + ": spread"] = {spread}
"""


RIGHT = {
    "guided_number": [
        "my_guided_number = 1.4",
        "my_guided_number = (1 + 3) * 0.5 - 3 * 0.2",
        "my_guided_number = torch.lerp(torch.tensor(0.2), torch.tensor(0.5), 4.0)",
    ],
    "drop_labels": [
        drop("torch.where(coins < probability, null_label, labels)"),
        drop("torch.where(coins >= probability, labels, torch.full_like(labels, null_label))"),
        drop("[null_label if coin < probability else int(label) for label, coin in zip(labels, coins)]")
        .replace("return [", "return torch.tensor([")
        .replace("coins)]", "coins)])"),
        """
def my_drop_labels(labels, null_label, probability, coins, verbose=True):
    drop = coins < probability
    labels[drop] = null_label
    if verbose:
        print(drop.sum(), "dropped")
    return labels
""",
        """
import numpy as np

def my_drop_labels(labels, null_label, probability, coins):
    drop = (coins.numpy() < probability).astype(int)
    return drop * null_label + (1 - drop) * labels.numpy()
""",
    ],
    "conditioning": [
        module(),
        module(none="return condition + self.label.weight[-1]"),
        module(none="return self(condition, torch.tensor([self.num_classes] * condition.shape[0]))"),
        module(
            "self.rows = torch.nn.Linear(num_classes + 1, features, bias=False)",
            "hot = torch.nn.functional.one_hot(labels, self.num_classes + 1).float()\n"
            "        return self.rows(hot) + condition",
        ),
        module(
            "self.label, self.null = torch.nn.Embedding(num_classes, features), "
            "torch.nn.Parameter(torch.zeros(features))",
            "rows = self.label(labels.clamp(max=self.num_classes - 1))\n"
            "        return condition + torch.where((labels == self.num_classes)[:, None], self.null, rows)",
            "return condition + self.null",
        ),
        """
class my_conditioning(torch.nn.Module):
    def __init__(self, num_classes, features, scale=1.0):
        super().__init__()
        self.label = torch.nn.Embedding(num_classes + 1, features)
        torch.nn.init.zeros_(self.label.weight)
        self.scale = scale

    def forward(self, condition, labels=None):
        out = []
        for i, c in enumerate(condition):
            k = self.label.num_embeddings - 1 if labels is None else int(labels[i])
            out.append(c + self.scale * self.label.weight[k])
        return torch.stack(out)
""",
    ],
    "guided": [
        guided(),
        guided(out="(1 - scale) * out_null + scale * out_cond"),
        guided(
            out="out_cond + (scale - 1) * (out_cond - out_null)", scale="torch.where(inside, s.double(), 1.0)"
        ),
        guided(shape="(len(s), *[1] * (x_t.ndim - 1))", out="torch.lerp(out_null, out_cond, scale)"),
        """
def my_guided(model, x_t, t, labels, null_label, s, low, high):
    nulls = torch.zeros_like(labels) + null_label
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), labels=torch.cat([nulls, labels]))
    null, cond = both.chunk(2)
    inside = torch.logical_and(t > low, t <= high).view(-1, 1, 1, 1)
    return torch.where(inside, null + s.view(-1, 1, 1, 1) * (cond - null), cond)
""",
        """
def my_guided(model, x_t, t, labels, null_label, s, low, high):
    out = model(x_t, t, labels=labels)
    for i in range(len(t)):
        if low < t[i] <= high:
            one = slice(i, i + 1)
            null = model(x_t[one], t[one], labels=torch.tensor([null_label]))
            out[i] = (null + s[i].item() * (out[one] - null))[0]
    return out
""",
        """
import numpy as np

def my_guided(model, x_t, t, labels, null_label, s, low, high, verbose=False):
    null = model(x_t, t).numpy()
    cond = model(x_t, t, labels).numpy()
    scale = np.where((t.numpy() > low) & (t.numpy() < high + 1), s.numpy(), 1)[:, None, None, None]
    return cond * scale + null * (1 - scale)
""",
        """
def my_guided(model, x_t, t, labels, null_label, s, low, high):
    denoisers = [dl.ClassifierFreeGuidance(model, float(k) if low < n <= high else 1.0, {"labels": null_label})
                 for k, n in zip(s, t)]
    return torch.cat([f(x[None], n[None], labels=k[None]) for f, x, n, k in zip(denoisers, x_t, t, labels)])
""",
    ],
    "cloud": [
        measured(),
        measured(steps=100, seed=8),
        measured(steps=20, seed=1),
        measured(spread="(((points - points.mean(0)) ** 2).sum(1).mean() / 2) ** 0.5"),
    ],
}

WRONG = {
    "guided_number": [
        ("w-for-s", "my_guided_number = 0.2 + 3 * (0.5 - 0.2)"),
        ("w-for-s", "my_guided_number = 0.2 + 2 * (0.5 - 0.2)"),
        ("w-for-s", "my_guided_number = 0.5 + 4 * (0.5 - 0.2)"),
        ("w-for-s", "w = 3\nmy_guided_number = w * 0.5 - (1 + w) * 0.2"),
        ("swapped-guidance", "my_guided_number = 0.5 + 4 * (0.2 - 0.5)"),
        ("swapped-guidance", "my_guided_number = 0.5 + 3 * (0.2 - 0.5)"),
        ("not-guided", "my_guided_number = 0.5"),
        ("difference-only", "my_guided_number = 0.9"),
        ("wrong-type", "my_guided_number = [1.4]"),
        ("difference-only", "my_guided_number = 0.2 + 4 * 0.5"),
        ("difference-only", "my_guided_number = 0.5 - 0.2"),
        ("scale-for-answer", "my_guided_number = 1 + 3"),
        ("result-clipped", "my_guided_number = min(1.0, 0.2 + 4 * (0.5 - 0.2))"),
        ("wrong-sign", "my_guided_number = (1 + 3) * 0.5 + 3 * 0.2"),
        ("wrong-sign", "my_guided_number = 0.2 + 3 * (0.5 + 0.2)"),
        ("not-guided", "my_guided_number = 0.2"),
        ("guided-halfway", "my_guided_number = (0.2 + 4 * 0.5) / 5"),
        ("difference-only", "my_guided_number = 4 * (0.5 - 0.2)"),
    ],
    "drop_labels": [
        ("batch-dropout", drop("torch.where(coins[0] < probability, null_label, labels)")),
        ("batch-dropout", drop("torch.full_like(labels, null_label) if coins[0] < probability else labels")),
        ("batch-dropout", drop("torch.where(coins.mean() < probability, null_label, labels)")),
        (
            "batch-dropout",
            drop("torch.full_like(labels, null_label) if (coins < probability).any() else labels"),
        ),
        ("null-is-class-0", drop("torch.where(coins < probability, 0, labels)")),
        ("null-is-class-0", drop("labels * (coins >= probability)")),
        ("null-is-class-0", drop("torch.where(coins < probability, null_label - 1, labels)")),
        ("inverted-coins", drop("torch.where(coins > probability, null_label, labels)")),
        ("inverted-coins", drop("torch.where(coins < probability, labels, null_label)")),
        ("inverted-coins", drop("torch.where(coins > 1 - probability, null_label, labels)")),
        ("ignores-probability", drop("torch.where(coins < 0.1, null_label, labels)")),
        ("ignores-probability", drop("torch.where(coins.round() == 0, null_label, labels)")),
        ("draws-own-noise", drop("torch.where(torch.rand(len(labels)) < probability, null_label, labels)")),
        ("draws-own-noise", drop("dl.training.drop_labels(labels, null_label, probability)")),
        ("error", drop("null_label if coins < probability else labels")),
        ("pictures-left-out", drop("labels[coins >= probability]")),
        ("other-null-label", drop("torch.where(coins < probability, -1, labels)")),
        ("other-null-label", drop("torch.where(coins < probability, labels.max() + 1, labels)")),
        ("in-percent", drop("torch.where(coins < probability / 100, null_label, labels)")),
        (
            "too-many-dropped",
            drop("torch.where((coins < probability) | (labels % 3 == 0), null_label, labels)"),
        ),
        (
            "too-few-dropped",
            drop("torch.where((coins < probability) & (labels % 3 > 0), null_label, labels)"),
        ),
        ("in-percent", drop("torch.where(coins / 100 < probability, null_label, labels)")),
        ("mask-returned", drop("coins < probability")),
        ("mask-returned", drop("null_label * (coins < probability)")),
        ("null-added", drop("labels + null_label * (coins < probability)")),
        ("other-threshold", drop("torch.where(coins < probability**2, null_label, labels)")),
        ("other-threshold", drop("torch.where(coins < probability / 2, null_label, labels)")),
        ("ignores-probability", drop("torch.where(coins < 0.33, null_label, labels)")),
        ("ignores-probability", drop("torch.where(coins < (probability or 0.1), null_label, labels)")),
        (
            "share-for-probability",
            drop("torch.where(coins < coins.quantile(probability), null_label, labels)"),
        ),
        (
            "share-for-probability",
            """
def my_drop_labels(labels, null_label, probability, coins):
    out = labels.clone()
    out[: int(probability * len(out))] = null_label
    return out
""",
        ),
        ("wrong-order", drop("torch.where(coins.sort().values < probability, null_label, labels)")),
        ("batch-dropout", drop("torch.where((coins < probability).cumsum(0) > 0, null_label, labels)")),
        ("wrong-type", drop("None if coins[0] < probability else 'no'")),
        ("endpoint-missed", drop("labels.masked_fill(coins <= probability, null_label)")),
        (
            "nothing-dropped",
            """
def my_drop_labels(labels, null_label, probability, coins):
    return labels.clone()
""",
        ),
        (
            "random-label",
            """
def my_drop_labels(labels, null_label, probability, coins):
    return torch.where(coins < probability, torch.randint(0, null_label, labels.shape), labels)
""",
        ),
    ],
    "conditioning": [
        ("null-is-class-0", module(none="labels = torch.zeros(len(condition), dtype=torch.long)")),
        (
            "null-is-class-0",
            module(
                "self.label = torch.nn.Embedding(num_classes, features)",
                none="labels = torch.zeros(len(condition), dtype=torch.long)",
            ),
        ),
        (
            "null-is-class-0",
            module(
                "self.label = torch.nn.Embedding(num_classes, features)",
                "return condition + self.label(labels % self.num_classes)",
            ),
        ),
        (
            "null-is-class-0",
            module(
                "self.label = torch.nn.Embedding(num_classes, features)",
                "return condition + self.label(labels.clamp(max=self.num_classes - 1))",
            ),
        ),
        (
            "null-is-class-0",
            module(
                "self.label = torch.nn.Embedding(num_classes, features)",
                none="return condition + self.label.weight[-1]",
            ),
        ),
        ("null-is-class-0", module(none="labels = torch.full((len(condition),), self.num_classes - 1)")),
        ("null-without-row", module(none="return condition")),
        (
            "null-without-row",
            module("self.label = torch.nn.Embedding(num_classes, features)", none="return condition"),
        ),
        (
            "null-without-row",
            module(
                "self.label = torch.nn.Embedding(num_classes, features)",
                "rows = self.label(labels.clamp(max=self.num_classes - 1))\n"
                "        return condition + rows * (labels < self.num_classes)[:, None]",
                "return condition",
            ),
        ),
        (
            "null-not-learned",
            module("self.label = torch.nn.Embedding(num_classes + 1, features, padding_idx=num_classes)"),
        ),
        ("ignores-label", module(forward="return condition + self.label.weight[-1]")),
        ("ignores-label", module(none="pass", forward="return condition + 0 * self.label.weight[0]")),
        ("shared-label", module(forward="return condition + self.label(labels[:1])")),
        ("ignores-t", module(forward="return self.label(labels)")),
        ("detached-loss", module(forward="return condition + self.label.weight.data[labels]")),
        ("null-without-row", module("self.label = torch.nn.Embedding(num_classes, features)")),
        (
            "null-without-row",
            module(
                "self.table = torch.nn.Parameter(torch.zeros(num_classes, features))",
                "return condition + self.table[labels]",
            ),
        ),
        (
            "label-as-number",
            module(
                "self.label = torch.nn.Linear(1, features)",
                "return condition + self.label(labels[:, None].float())",
            ),
        ),
        ("error", module() + "my_conditioning = Conditioning(10, 16)"),
        ("row-appended", module(forward="return torch.cat([condition, self.label(labels)], dim=1)")),
        ("row-multiplied", module(forward="return condition * (1 + self.label(labels))")),
        ("row-multiplied", module(forward="return condition * self.label(labels)")),
        ("wrong-sign", module(forward="return condition - self.label(labels)")),
        ("wrong-factor", module(forward="return (condition + self.label(labels)) / 2")),
        ("one-step-too-many", module(forward="return torch.relu(condition + self.label(labels))")),
        ("table-changed", module("self.label = torch.nn.Embedding(num_classes + 1, features, max_norm=0.5)")),
        (
            "zero-for-none",
            module(
                forward=(
                    "labels = labels if labels.sum() else torch.full_like(labels, self.num_classes)\n"
                    "        return condition + self.label(labels)"
                )
            ),
        ),
        (
            "changes-from-call-to-call",
            module(forward="return condition + torch.nn.functional.dropout(self.label(labels), 0.1)"),
        ),
        (
            "null-without-row",
            module(none="labels = torch.full((len(condition),), self.num_classes + 1)"),
        ),
        ("null-without-row", module(none="return condition + self.label.weight[:-1].mean(dim=0)")),
        (
            "shared-label",
            module(
                forward=(
                    "if (labels == self.num_classes).any():\n"
                    "            labels = torch.full_like(labels, self.num_classes)\n"
                    "        return condition + self.label(labels)"
                )
            ),
        ),
        (
            "error",
            module(
                "self.label = torch.randn(num_classes + 1, features)",
                "return condition + self.labels[labels]",
                "return condition + self.labels[-1]",
            ),
        ),
        (
            "changed-its-input",
            module(
                "self.table = torch.nn.Parameter(torch.randn(num_classes + 1, features))",
                "return condition.add_(self.table[labels])",
            ),
        ),
        (
            "not-a-parameter",
            """
class Conditioning(torch.nn.Module):
    def __init__(self, num_classes, features):
        super().__init__()
        self.num_classes = num_classes
        self.label = torch.randn(num_classes + 1, features)

    def forward(self, condition, labels=None):
        if labels is None:
            labels = torch.full((len(condition),), self.num_classes)
        return condition + self.label[labels]


my_conditioning = Conditioning
""",
        ),
        (
            "detached-loss",
            """
class Conditioning(torch.nn.Module):
    def __init__(self, num_classes, features):
        super().__init__()
        self.num_classes = num_classes
        self.label = torch.nn.Embedding(num_classes + 1, features)

    def forward(self, condition, labels=None):
        if labels is None:
            labels = torch.full((len(condition),), self.num_classes)
        return condition.detach() + self.label(labels)


my_conditioning = Conditioning
""",
        ),
        (
            "null-without-row",
            """
class Conditioning(torch.nn.Module):
    def __init__(self, num_classes, features):
        super().__init__()
        self.label = torch.nn.Embedding(11, features)

    def forward(self, condition, labels=None):
        if labels is None:
            labels = torch.full((len(condition),), 10)
        return condition + self.label(labels)


my_conditioning = Conditioning
""",
        ),
    ],
    "guided": [
        (
            "endpoint-missed",
            guided(
                scale="torch.where((t > low) & (t <= high + 1), s, 1.0)",
            ),
        ),
        ("w-for-s", guided(out="out_cond + scale * (out_cond - out_null)")),
        (
            "w-for-s",
            guided(
                out=(
                    "torch.where(inside.reshape(-1, 1, 1, 1), out_cond + scale * (out_cond - out_null), "
                    "out_cond)"
                )
            ),
        ),
        ("w-for-s", guided(scale="torch.where(inside, 1 + s, 1.0)")),
        ("w-for-s", guided(scale="torch.where(inside, s - 1, 1.0)")),
        ("swapped-guidance", guided(out="out_cond + scale * (out_null - out_cond)")),
        ("swapped-guidance", guided(out="out_null + scale * (out_null - out_cond)")),
        ("null-is-class-0", guided(null="torch.zeros_like(labels)")),
        ("null-is-class-0", guided(null="0 * labels + null_label - 1")),
        ("misbroadcast-t", guided(shape="-1")),
        ("misbroadcast-t", guided(shape="-1, 1")),
        ("misbroadcast-t", guided(shape="-1, 1, 1")),
        ("shared-t", guided(inside="(low < t[0]) & (t[0] <= high)")),
        (
            "shared-t",
            guided(inside="((low < t) & (t <= high)).any()", scale="s if inside else torch.ones_like(s)"),
        ),
        (
            "shared-t",
            guided(inside="((low < t) & (t <= high)).all()", scale="s if inside else torch.ones_like(s)"),
        ),
        ("shared-scale", guided(scale="torch.where(inside, s[0], 1.0)")),
        ("shared-scale", guided(scale="torch.where(inside, s.mean(), 1.0)")),
        ("shared-label", guided(labels="labels[:1].repeat(len(labels))")),
        ("other-null-label", guided(null="torch.full_like(labels, -1)")),
        ("other-null-label", guided(null="torch.full_like(labels, 10)")),
        ("scale-clipped", guided(scale="torch.where(inside, s.clamp(min=1), 1.0)")),
        ("variance-as-std", guided(scale="torch.where(inside, s * s, 1.0)")),
        ("result-clipped", guided(out="(out_null + scale * (out_cond - out_null)).clamp(-1, 1)")),
        (
            "guided-rescaled",
            guided(
                out="both * out_cond.std((1, 2, 3), keepdim=True) / both.std((1, 2, 3), keepdim=True)"
            ).replace(
                "    return both", "    both = out_null + scale * (out_cond - out_null)\n    return both"
            ),
        ),
        ("guided-halfway", guided(out="(out_null + scale * out_cond) / (1 + scale)")),
        ("wrong-sign", guided(out="scale * out_cond + (scale - 1) * out_null")),
        ("difference-only", guided(out="out_null + scale * out_cond")),
        ("another-scale", guided(scale="torch.where(inside, s / 2 + 0.1, 1.0)")),
        ("another-scale", guided(scale="torch.where(inside, s.clamp(max=1.5), 1.0)")),
        ("plain-is-one", guided(scale="torch.where(inside, s, 0.3)")),
        (
            "another-null-answer",
            guided().replace("model(x_t, t, labels=torch.full", "model(x_t, t * 0, labels=torch.full"),
        ),
        ("index-shift", guided(inside="(low < t - 1) & (t - 1 <= high)")),
        ("wrong-window", guided(inside="(low < s) & (s <= high)")),
        (
            "misbroadcast-t",
            guided(
                out="torch.where(inside[:, None, None, None], out_null + s * (out_cond - out_null), out_cond)"
            ),
        ),
        (
            "pictures-left-out",
            guided(out="(out_null + scale * (out_cond - out_null))[inside]"),
        ),
        (
            "wrong-order",
            guided(out="torch.cat([(out_null + scale * (out_cond - out_null))[inside], out_cond[~inside]])"),
        ),
        (
            "halves-mixed",
            """
def my_guided(model, x_t, t, labels, null_label, s, low, high):
    nothing = torch.full_like(labels, null_label)
    both = model(x_t.repeat(2, 1, 1, 1), t.repeat(2), labels=torch.stack([nothing, labels], 1).flatten())
    null, cond = both[: len(t)], both[len(t) :]
    scale = torch.where((low < t) & (t <= high), s, 1.0)
    return null + scale[:, None, None, None] * (cond - null)
""",
        ),
        ("null-outside", guided(scale="s * inside")),
        (
            "null-outside",
            guided(
                out=(
                    "torch.where(inside.reshape(-1, 1, 1, 1), out_null + scale * "
                    "(out_cond - out_null), out_null)"
                )
            ),
        ),
        ("ignores-window", guided(scale="s")),
        ("ignores-window", guided(inside="t <= 1000")),
        ("not-guided", guided(out="out_cond")),
        ("not-guided", guided(null="labels")),
        ("wrong-window", guided(scale="torch.where(inside, 1.0, s)")),
        ("wrong-window", guided(inside="t <= high")),
        ("wrong-window", guided(inside="low < t")),
        ("endpoint-missed", guided(inside="(low <= t) & (t < high)")),
        ("endpoint-missed", guided(inside="(low <= t) & (t <= high)")),
        ("endpoint-missed", guided(inside="(low < t) & (t < high)")),
        ("ignores-label", guided(labels="None")),
        ("ignores-label", guided(labels="torch.full_like(labels, null_label)")),
        ("difference-only", guided(out="scale * (out_cond - out_null)")),
        ("dropout-at-sampling", guided(first="labels = dl.training.drop_labels(labels, null_label, 0.1)")),
        (
            "dropout-at-sampling",
            guided(first="labels = torch.where(torch.rand(len(labels)) < 0.2, null_label, labels)"),
        ),
        ("error", guided(null="null_label")),
        ("error", guided(null="torch.tensor([null_label])")),
        ("wrong-axis", guided(out="(out_null + scale * (out_cond - out_null)).flatten(1)")),
        (
            "wrong-type",
            guided(out="(out_null + scale * (out_cond - out_null)).tolist()[0][0][0][0] > 0, 'a'"),
        ),
    ],
    "cloud": [
        ("w-for-s", measured(s="5.0", steps=50)),
        ("w-for-s", measured(s="3.0", steps=50)),
        ("wrong-window", measured(early="t <= 500", late="t > 500", steps=50)),
        ("null-outside", measured(outside="exact(x_t, t)", steps=50)),
        ("ignores-window", measured(window="low >= 0", steps=50)),
        ("not-guided", measured(s="1.0", steps=50)),
        ("not-guided", measured(null="0", steps=50)),
        ("variance-as-std", measured(spread="points.var(0).mean()", steps=50)),
        ("mean-not-subtracted", measured(spread="points.std()", steps=50)),
        ("w-for-s", measured(s="2.0", steps=50)),
        ("differs", measured(s="7.0")),
        ("summed-not-averaged", measured(spread="points.var(0).sum().sqrt()", steps=50)),
        ("half-the-spread", measured(spread="points[:, 1].std()", steps=50)),
        ("half-the-spread", measured(spread="points[:, 0].std()", steps=50)),
        ("other-steps", measured(steps=5)),
        ("other-null-label", measured(null="2", steps=50)),
        ("wrong-axis", measured(steps=50).replace("points[:, 1]", "points[:, 0]")),
        ("mean-subtracted", measured(steps=50).replace("points[:, 1].mean()", "(points[:, 1] - 0.8).mean()")),
        ("dice-thrown", measured(steps=50).replace("generator=g", "eta=1.0, generator=g")),
        ("other-class", measured(steps=50).replace("labels=[0]", "labels=[1]")),
        (
            "swapped-guidance",
            measured(steps=50).replace("a + 4.0 * (b - a)", "b + 4.0 * (a - b)"),
        ),
        ("difference-only", measured(steps=50).replace("a + 4.0", "4.0")),
        ("guided-halfway", measured(steps=50).replace("a + 4.0 * (b - a)", "(a + 4.0 * b) / 5")),
        (
            "not-measured",
            """
my_cloud = {
    "everywhere: height": 1.7, "everywhere: spread": 0.3,
    "t > 500: height": 1.6, "t > 500: spread": 0.3,
    "t <= 500: height": 0.9, "t <= 500: spread": 0.5,
}
""",
        ),
        ("wrong-type", "my_cloud = 0.33"),
        (
            "results-exchanged",
            """
my_cloud = {
    "everywhere: height": 0.32, "everywhere: spread": 1.655,
    "t > 500: height": 0.368, "t > 500: spread": 1.545,
    "t <= 500: height": 0.31, "t <= 500: spread": 1.19,
}
""",
        ),
        (
            "swapped-guidance",
            """
my_cloud = {
    "everywhere: height": -3.5, "everywhere: spread": 1.55,
    "t > 500: height": -0.8, "t > 500: spread": 0.74,
    "t <= 500: height": -1.1, "t <= 500: spread": 1.35,
}
""",
        ),
        (
            "dice-thrown",
            """
my_cloud = {
    "everywhere: height": 1.3, "everywhere: spread": 0.38,
    "t > 500: height": 1.1, "t > 500: spread": 0.45,
    "t <= 500: height": 1.2, "t <= 500: spread": 0.36,
}
""",
        ),
    ],
}

COMPOUND = {
    "drop_labels": [
        (
            {"batch-dropout", "null-is-class-0", "ignores-probability"},
            drop("torch.where(coins[0] < probability, 0, labels)"),
        ),
        ({"inverted-coins", "null-is-class-0"}, drop("labels * (coins < probability)")),
        ({"nothing-dropped"}, drop("labels")),
        (set(), drop("torch.where(coins < probability, -1, labels + 1)")),
        ({"ignores-argument"}, drop("torch.full_like(labels, null_label)")),
    ],
    "conditioning": [
        (
            {"ignores-argument", "ignores-t", "null-is-class-0"},
            module(
                none="labels = torch.zeros(len(condition), dtype=torch.long)",
                forward="return self.label(labels)",
            ),
        ),
        (set(), module(forward="return condition * self.label(labels).exp()")),
    ],
    "guided": [
        (
            {"w-for-s", "null-is-class-0"},
            guided(null="torch.zeros_like(labels)", out="out_cond + scale * (out_cond - out_null)"),
        ),
        ({"ignores-window", "misbroadcast-t"}, guided(scale="s", shape="-1")),
        (
            {"dropout-at-sampling", "w-for-s"},
            guided(
                scale="torch.where(inside, 1 + s, 1.0)",
                first="labels = dl.training.drop_labels(labels, null_label, 0.1)",
            ),
        ),
        ({"ignores-label"}, guided(out="out_null")),
        (
            {"ignores-argument"},
            "def my_guided(model, x_t, t, labels, null_label, s, low, high):\n    return x_t",
        ),
    ],
}
