"""Answers to exercise 09 as students write them.

See the docstring of the package for what each table promises.
"""


def contrast(
    images="images = F.normalize(images, dim=1)",
    captions="captions = F.normalize(captions, dim=1)",
    logits="images @ captions.T / temperature",
    labels="torch.arange(len(images))",
    out="(F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2",
):
    """A contrastive loss with something changed."""
    return f"""
import torch.nn.functional as F

def my_contrastive_loss(images, captions, temperature):
    {images}
    {captions}
    logits = {logits}
    labels = {labels}
    return {out}
"""


def in_numpy(read=".numpy()"):
    """The contrastive loss without torch, which no gradient can pass."""
    return f"""
import numpy as np

def my_contrastive_loss(images, captions, temperature, verbose=True):
    a, b = images{read}.astype(float), captions{read}.astype(float)
    a, b = a / np.linalg.norm(a, axis=1)[:, None], b / np.linalg.norm(b, axis=1)[:, None]
    weights = np.exp(a @ b.T / temperature)
    of_row, of_column = np.diag(weights / weights.sum(1)[:, None]), np.diag(weights / weights.sum(0))
    loss = -0.5 * np.mean(np.log(of_row) + np.log(of_column))
    if verbose:
        print(loss)
    return float(loss)
"""


def read(
    scores="queries @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5",
    hide="scores.masked_fill(~mask[:, None, :], -torch.inf)",
    weights="scores.softmax(dim=-1)",
    out="weights @ values",
):
    """Cross-attention with something changed."""
    return f"""
def my_read_caption(queries, keys, values, mask):
    scores = {scores}
    scores = {hide}
    weights = {weights}
    return {out}
"""


def guided(
    away="null if negative is None else negative",
    x_t="torch.cat([x_t, x_t])",
    t="torch.cat([t, t])",
    tokens="torch.cat([away, prompt])",
    halves="both.chunk(2)",
    out="out_away + s * (out_prompt - out_away)",
):
    """A guided answer with something changed."""
    return f"""
def my_guided(model, x_t, t, prompt, negative, null, s):
    away = {away}
    both = model({x_t}, {t}, {tokens})
    out_away, out_prompt = {halves}
    return {out}
"""


RIGHT = {
    "contrastive_loss": [
        contrast(),
        contrast(
            "images = images / images.norm(dim=1, keepdim=True)",
            "captions = captions / captions.square().sum(1, keepdim=True).sqrt()",
        ),
        contrast(logits="torch.einsum('id,jd->ij', captions, images) * (1 / temperature)"),
        contrast(labels="torch.eye(len(images))"),
        contrast("both = F.normalize(torch.stack([images, captions]), dim=-1)", "images, captions = both"),
        contrast(
            "pass",
            "pass",
            "F.cosine_similarity(images[:, None], captions[None], dim=-1) / temperature",
            out="-(logits.log_softmax(0) + logits.log_softmax(1)).diagonal().mean() / 2",
        ),
    ],
    "read_caption": [
        read(),
        read("torch.einsum('bpd,bld->bpl', queries, keys) / keys.size(2) ** 0.5"),
        read(
            hide="torch.where(mask[:, None], scores, -1e9)", weights="torch.nn.functional.softmax(scores, 2)"
        ),
        read(hide="scores + torch.zeros(mask.shape).masked_fill(~mask, float('-inf'))[:, None, :]"),
        read(
            hide="scores.masked_fill(mask.logical_not().unsqueeze(1), torch.finfo(scores.dtype).min)",
            out="torch.bmm(weights, values)",
        ),
        """
def my_read_caption(queries, keys, values, mask):
    return torch.nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask[:, None, :])
""",
        """
def my_read_caption(queries, keys, values, mask, verbose=False):
    out = []
    for q, k, v, m in zip(queries, keys, values, mask):
        k, v = k[m], v[m]  # a caption without its padding
        out.append((q @ k.T / len(q[0]) ** 0.5).softmax(1) @ v)
    return torch.stack(out)
""",
    ],
    "guided": [
        guided(),
        guided(out="(1 - s) * out_away + s * out_prompt"),
        guided(out="out_prompt + (s - 1) * (out_prompt - out_away)"),
        guided(tokens="torch.cat([prompt, away])", halves="both.chunk(2)[::-1]"),
        guided(
            x_t="x_t.repeat(2, 1, 1, 1)",
            t="t.repeat(2)",
            halves="both[:len(t)], both[len(t):]",
            out="torch.lerp(out_away, out_prompt, s)",
        ),
        guided(
            x_t="x_t.repeat_interleave(2, dim=0)",
            t="t.repeat_interleave(2)",
            tokens="torch.stack([away, prompt], 1).flatten(0, 1)",
            halves="both[::2], both[1::2]",
        ),
        """
def my_guided(model, x_t, t, prompt, negative, null, s, verbose=True):
    if negative is None:
        negative = null
    guided = dl.ClassifierFreeGuidance(model, s, null={"tokens": negative})
    return guided(x_t, t, tokens=prompt)
""",
    ],
}

WRONG = {
    "contrastive_loss": [
        ("error", in_numpy()),
        ("detached-loss", in_numpy(".detach().numpy()")),
        ("not-normalised", contrast("pass", "pass")),
        ("not-normalised", contrast("pass")),
        ("not-normalised", contrast(captions="pass")),
        (
            "not-normalised",
            contrast("images = F.normalize(images, dim=0)", "captions = F.normalize(captions, dim=0)"),
        ),
        ("not-normalised", contrast("images = images.softmax(1)", "captions = captions.softmax(1)")),
        (
            "not-normalised",
            contrast("images = images / images.norm()", "captions = captions / captions.norm()"),
        ),
        (
            "log-missing",
            contrast(out="-(logits.softmax(1).diag().mean() + logits.softmax(0).diag().mean()) / 2"),
        ),
        (
            "log-missing",
            contrast(out="(logits.softmax(1).diag().mean() + logits.softmax(0).diag().mean()) / 2"),
        ),
        (
            "detached-loss",
            contrast(
                out="((F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2).item()"
            ),
        ),
        ("detached-loss", contrast("images = F.normalize(images.detach(), dim=1)")),
        ("detached-loss", contrast(captions="captions = F.normalize(captions, dim=1).data")),
        ("one-direction", contrast(out="F.cross_entropy(logits, labels)")),
        ("one-direction", contrast(out="F.cross_entropy(logits.T, labels)")),
        (
            "one-direction",
            contrast(out="(F.cross_entropy(logits, labels) + F.cross_entropy(logits, labels)) / 2"),
        ),
        ("one-direction", contrast(out="-logits.softmax(0).diagonal().log().mean()")),
        ("temperature-multiplied", contrast(logits="images @ captions.T * temperature")),
        ("ignores-temperature", contrast(logits="images @ captions.T")),
        ("ignores-temperature", contrast(logits="images @ captions.T / 0.07")),
        (
            "softmax-over-pairs",
            contrast(out="-logits.flatten().log_softmax(0).view_as(logits).diagonal().mean()"),
        ),
        ("softmax-over-pairs", contrast(out="-(logits.exp() / logits.exp().sum()).diagonal().log().mean()")),
        ("softmax-over-pairs", contrast(out="-(logits.exp() / logits.exp().sum()).diagonal().log().sum()")),
        (
            "softmax-twice",
            contrast(
                out=(
                    "(F.cross_entropy(logits.softmax(1), labels) + F.cross_entropy(logits.T.softmax(1),"
                    " labels)) / 2"
                )
            ),
        ),
        (
            "softmax-twice",
            contrast(
                out=(
                    "(F.cross_entropy(logits.softmax(1), labels) + F.cross_entropy(logits.softmax(0).T,"
                    " labels)) / 2"
                )
            ),
        ),
        ("softmax-twice", contrast(out="F.cross_entropy(logits.softmax(dim=1), labels)")),
        ("wrong-labels", contrast(labels="torch.zeros(len(images), dtype=torch.long)")),
        ("wrong-labels", contrast(labels="torch.arange(len(images)).flip(0)")),
        ("wrong-labels", contrast(labels="(torch.arange(len(images)) + 1) % len(images)")),
        ("half-missing", contrast(out="F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)")),
        (
            "sum-for-mean",
            contrast(
                out=(
                    "(F.cross_entropy(logits, labels, reduction='sum') + "
                    "F.cross_entropy(logits.T, labels, reduction='sum')) / 2"
                )
            ),
        ),
        ("wrong-sign", contrast(out="(logits.log_softmax(0) + logits.log_softmax(1)).diagonal().mean() / 2")),
        ("wrong-sign", contrast(logits="-images @ captions.T / temperature")),
        (
            "another-temperature",
            contrast(logits="images @ captions.T / math.exp(temperature)").replace(
                "import", "import math\nimport", 1
            ),
        ),
        (
            "another-temperature",
            contrast(logits="images @ captions.T / (temperature * images.shape[1] ** 0.5)"),
        ),
        ("other-similarity", contrast(logits="-torch.cdist(images, captions).square() / temperature")),
        ("other-similarity", contrast(logits="(images @ captions.T).abs() / temperature")),
        (
            "floor-added",
            contrast(
                "images = images / (images.norm(dim=1, keepdim=True) + 0.01)",
                "captions = captions / (captions.norm(dim=1, keepdim=True) + 0.01)",
            ),
        ),
        ("floor-added", contrast(logits="images @ captions.T / max(temperature, 0.03)")),
        (
            "floor-added",
            contrast(
                "images = images / images.norm(dim=1, keepdim=True).clamp(min=1)",
                "captions = captions / captions.norm(dim=1, keepdim=True).clamp(min=1)",
            ),
        ),
        (
            "right-one-left-out",
            """
def my_contrastive_loss(images, captions, temperature):
    images, captions = (x / x.norm(dim=1, keepdim=True) for x in (images, captions))
    logits = images @ captions.T / temperature
    wrong = logits.masked_fill(torch.eye(len(logits), dtype=torch.bool), float("-inf"))
    losses = wrong.logsumexp(1) + wrong.logsumexp(0) - 2 * logits.diagonal()
    return losses.mean() / 2
""",
        ),
        ("yes-or-no", contrast(out="F.binary_cross_entropy_with_logits(logits, torch.eye(len(logits)))")),
        (
            "mean-inside-log",
            contrast(
                out="-(logits.softmax(0).diag().mean().log() + logits.softmax(1).diag().mean().log()) / 2"
            ),
        ),
        ("logits-averaged", contrast(out="F.cross_entropy(logits / 2 + logits.T / 2, labels)")),
        ("wrong-pairs-left-out", contrast(out="(1 - (images * captions).sum(1)).mean()")),
        ("wrong-pairs-left-out", contrast(out="-logits.diag().mean()")),
        (
            "wrong-axis",
            contrast(logits="images.T @ captions / temperature", labels="torch.arange(len(logits))"),
        ),
        (
            "wrong-factor",
            contrast(out="(F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 4"),
        ),
        (
            "detached-loss",
            contrast(
                out="(F.cross_entropy(images @ captions.detach().T / temperature, labels)"
                " + F.cross_entropy(captions @ images.detach().T / temperature, labels)) / 2"
            ),
        ),
        (
            "wrong-axis",
            contrast(
                out=(
                    "(F.cross_entropy(logits, labels, reduction='none') + "
                    "F.cross_entropy(logits.T, labels, reduction='none')) / 2"
                )
            ),
        ),
        ("error", contrast(logits="images @ captions / temperature", labels="None")),
        ("error", contrast(labels="torch.arange(len(images) + 1)")),
        ("wrong-type", contrast(out="{'loss': logits}")),
        (
            "exp-overflow",
            """
def my_contrastive_loss(images, captions, temperature):
    i = images / images.norm(dim=1, keepdim=True)
    c = captions / captions.norm(dim=1, keepdim=True)
    e = (i @ c.T / temperature).exp()
    rows = -(e.diagonal() / e.sum(1)).log().mean()
    return (rows - (e.diagonal() / e.sum(0)).log().mean()) / 2
""",
        ),
    ],
    "read_caption": [
        ("softmax-over-pixels", read(weights="scores.softmax(dim=1)")),
        (
            "softmax-over-pixels",
            read(hide="scores.masked_fill(~mask[:, None], -1e9)", weights="scores.softmax(1)"),
        ),
        ("softmax-over-batch", read(weights="scores.softmax(dim=0)")),
        (
            "softmax-over-batch",
            read(hide="scores.masked_fill(~mask[:, None], -1e9)", weights="scores.softmax(0)"),
        ),
        ("root-d-missing", read("queries @ keys.transpose(1, 2)")),
        ("root-d-missing", read("queries @ keys.transpose(1, 2) / queries.shape[-1]")),
        ("root-d-missing", read("queries @ keys.transpose(1, 2) * queries.shape[-1] ** 0.5")),
        ("root-d-missing", read("queries @ keys.transpose(1, 2) / keys.shape[1] ** 0.5")),
        ("root-d-missing", read("queries @ keys.transpose(1, 2) / values.shape[2] ** 0.5")),
        ("swapped-queries", read("keys @ queries.transpose(1, 2) / queries.shape[-1] ** 0.5")),
        (
            "swapped-queries",
            read(
                "keys @ queries.transpose(1, 2) / queries.shape[-1] ** 0.5",
                "scores.masked_fill(~mask[:, :, None], -1e9)",
            ),
        ),
        (
            "swapped-queries",
            read(
                "keys @ queries.transpose(1, 2) / queries.shape[-1] ** 0.5",
                "scores.masked_fill(~mask[:, :, None], -1e9)",
                "scores.softmax(1)",
            ),
        ),
        ("ignores-mask", read(hide="scores")),
        ("ignores-mask", read(hide="scores.masked_fill(~mask[0], -torch.inf)")),
        ("inverted-mask", read(hide="scores.masked_fill(mask[:, None, :], -torch.inf)")),
        ("inverted-mask", read(hide="scores.masked_fill(mask[:, None, :], -1e9)")),
        (
            "inverted-mask",
            (
                "def my_read_caption(queries, keys, values, mask):\n    return torch.nn.functional."
                "scaled_dot_product_attention(queries, keys, values, attn_mask=~mask[:, None])"
            ),
        ),
        ("masked-by-zero", read(hide="scores * mask[:, None, :]")),
        ("masked-by-zero", read(hide="scores.masked_fill(~mask[:, None, :], 0)")),
        ("masked-by-zero", read(hide="scores + mask[:, None, :]")),
        (
            "masked-by-zero",
            read("queries @ (keys * mask[..., None]).mT / queries.shape[-1] ** 0.5", "scores"),
        ),
        ("mask-after-softmax", read(hide="scores", out="(weights * mask[:, None, :]) @ values")),
        ("mask-after-softmax", read(hide="scores", out="weights @ (values * mask[:, :, None])")),
        ("wrong-factor", read(out="weights @ values * 2")),
        ("wrong-axis", read(hide="scores.masked_fill(~mask, -torch.inf)")),
        ("wrong-axis", read(hide="scores.masked_fill(~mask[..., None], -1e9)")),
        (
            "wrong-axis",
            read("queries @ keys.reshape(len(keys), keys.shape[2], -1) / queries.shape[-1] ** 0.5"),
        ),
        ("mask-too-weak", read(hide="scores - 100.0 * ~mask[:, None, :]")),
        ("mask-too-weak", read(hide="scores.masked_fill(~mask[:, None, :], -50)")),
        (
            "mask-as-length",
            read(
                hide="scores.masked_fill(torch.arange(mask.shape[1]) >= mask.sum(1)[:, None, None], -torch.inf)"
            ),
        ),
        ("ignores-mask", read(hide="scores.masked_fill(~mask.any(0), -torch.inf)")),
        (
            "other-similarity",
            read("torch.cosine_similarity(queries[:, :, None], keys[:, None], dim=-1)"),
        ),
        ("other-similarity", read("-torch.cdist(queries, keys) / queries.shape[-1] ** 0.5")),
        (
            "pictures-mixed",
            """
def my_read_caption(queries, keys, values, mask):
    said, answers = values[mask], keys[mask]
    return (queries @ answers.mT / len(answers[0]) ** 0.5).softmax(2) @ said
""",
        ),
        ("pictures-mixed", read("queries @ keys[0].T / queries.shape[-1] ** 0.5")),
        (
            "nearest-for-mean",
            read(weights="torch.nn.functional.one_hot(scores.argmax(-1), mask.shape[1]).float()"),
        ),
        ("residual-added", read(out="weights @ values + queries")),
        ("residual-added", read(out="weights @ values / mask.sum(1)[:, None, None]")),
        ("weights-not-one", read(weights="scores.sigmoid()")),
        ("weights-not-one", read(weights="scores.exp()")),
        ("arguments-exchanged", read("queries @ values.mT / queries.shape[-1] ** 0.5", out="weights @ keys")),
        ("root-d-missing", read("queries @ keys.mT / 8")),
        ("softmax-over-pixels", read(weights="scores.softmax(-1).softmax(-1)")),
        (
            "exp-overflow",
            read(
                "queries @ keys.mT / queries.shape[-1] ** 0.5",
                "(scores - scores.max(-1, keepdim=True).values).exp() * mask[:, None, :]",
                "scores / scores.sum(-1, keepdim=True)",
            ),
        ),
        ("error", read("queries @ keys / queries.shape[-1] ** 0.5")),
        ("error", "def my_read_caption(q, k, v):\n    return q"),
        ("wrong-shape", read(out="weights")),
        ("wrong-axis", read(out="(weights @ values).transpose(1, 2)")),
        ("wrong-type", read(out="'red'")),
        (
            "exp-overflow",
            read(hide="scores.exp() * mask[:, None]", weights="scores / scores.sum(-1, keepdim=True)"),
        ),
    ],
    "guided": [
        (
            "not-guided",
            guided().replace(
                "    away =", "    if negative is None:\n        return model(x_t, t, prompt)\n    away ="
            ),
        ),
        ("not-guided", guided("torch.zeros_like(prompt) if negative is None else negative")),
        ("swapped-guidance", guided(out="out_prompt + s * (out_away - out_prompt)")),
        ("swapped-guidance", guided(halves="both.chunk(2)[::-1]")),
        ("swapped-guidance", guided(tokens="torch.cat([prompt, away])")),
        ("wrong-sign", guided(out="out_away - s * (out_prompt - out_away)")),
        ("wrong-sign", guided(out="out_away + s * (out_away - out_prompt)")),
        ("wrong-sign", guided(out="out_away + s * (out_prompt + out_away)")),
        ("w-for-s", guided(out="out_prompt + s * (out_prompt - out_away)")),
        ("w-for-s", guided(out="(1 + s) * out_prompt - s * out_away")),
        ("w-for-s", guided(out="out_away + (s - 1) * (out_prompt - out_away)")),
        ("ignores-negative", guided(away="null")),
        (
            "null-and-negative",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    negative = null if negative is None else negative
    out = model(x_t.repeat(3, 1, 1, 1), t.repeat(3), torch.cat([null, negative, prompt]))
    out_null, out_negative, out_prompt = out.chunk(3)
    return out_null + s * (out_prompt - out_negative)
""",
        ),
        (
            "null-and-negative",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    negative = null if negative is None else negative
    out = model(x_t.repeat(3, 1, 1, 1), t.repeat(3), torch.cat([null, negative, prompt]))
    out_null, out_negative, out_prompt = out.chunk(3)
    return out_null + s * (out_prompt - out_null) - (out_negative - out_null)
""",
        ),
        ("null-and-negative", guided(away="null if negative is None else (negative + null) / 2")),
        (
            "null-and-negative",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    negative = null if negative is None else negative
    out_null, out_negative, out_prompt = (model(x_t, t, tokens) for tokens in (null, negative, prompt))
    return out_null + s * (out_prompt - out_negative)
""",
        ),
        ("difference-only", guided(out="s * (out_prompt - out_away)")),
        ("not-guided", guided(out="out_prompt")),
        ("halves-mixed", guided(halves="both[::2], both[1::2]")),
        ("halves-mixed", guided(x_t="x_t.repeat_interleave(2, dim=0)", t="t.repeat_interleave(2)")),
        (
            "two-calls",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    out_away = model(x_t, t, null if negative is None else negative)
    out_prompt = model(x_t, t, prompt)
    return out_away + s * (out_prompt - out_away)
""",
        ),
        (
            "two-calls",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    away = null if negative is None else negative
    out = []
    for k in range(len(x_t)):
        pair = model(x_t[[k, k]], t[[k, k]], torch.stack([away[k], prompt[k]]))
        out.append(pair[0] + s * (pair[1] - pair[0]))
    return torch.stack(out)
""",
        ),
        ("none-forgotten", guided(away="negative")),
        ("none-forgotten", guided(away="negative.clone()")),
        ("not-doubled", guided(t="t")),
        ("not-doubled", guided(x_t="x_t")),
        ("not-doubled", guided(tokens="prompt")),
        ("not-doubled", guided(tokens="torch.cat([away, prompt], 1)")),
        ("zeros-for-none", guided(away="negative or null")),
        ("zeros-for-none", guided("null if negative is None or negative.abs().sum() == 0 else negative")),
        ("halves-mixed", guided(t="t.repeat_interleave(2)")),
        ("halves-mixed", guided(tokens="torch.stack([away, prompt], 1).flatten(0, 1)")),
        ("shared-label", guided(tokens="torch.cat([away[:1], prompt[:1]]).repeat_interleave(len(t), 0)")),
        ("wrong-axis", guided(tokens="torch.cat([away, prompt]).mean(1, keepdim=True)")),
        (
            "one-step-too-many",
            guided(out="(out_away + s * (out_prompt - out_away)).clone()").replace(
                "    return ", "    out = "
            )
            + "    return out * (out_prompt.std() / out.std())\n",
        ),
        ("wrong-sign", guided().replace("    both", "    s = s if negative is None else -s\n    both")),
        ("not-guided", guided(out="out_away + max(1, s) * (out_prompt - out_away)")),
        (
            "captions-guided",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    away = null if negative is None else negative
    return model(x_t, t, torch.lerp(away, prompt, s))
""",
        ),
        (
            "captions-joined",
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    return model(x_t, t, torch.cat([null if negative is None else negative, prompt], dim=1))
""",
        ),
        ("wrong-shape", guided(halves="both, both")),
        ("wrong-type", guided(out="'four, not nine'")),
    ],
}

COMPOUND = {
    "contrastive_loss": [
        (
            {"not-normalised", "one-direction"},
            contrast("pass", "pass", out="F.cross_entropy(logits, labels)"),
        ),
        (
            {"temperature-multiplied", "half-missing"},
            contrast(
                logits="images @ captions.T * temperature",
                out="F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)",
            ),
        ),
        ({"ignores-temperature"}, contrast(out="F.l1_loss(images, captions)")),
        (set(), contrast(out="(F.cross_entropy(logits, labels) * F.cross_entropy(logits.T, labels)) ** 0.5")),
    ],
    "read_caption": [
        ({"ignores-mask", "root-d-missing"}, read("queries @ keys.transpose(1, 2)", "scores")),
        ({"softmax-over-pixels", "ignores-mask"}, read(hide="scores", weights="scores.softmax(1)")),
        ({"nearest-for-mean"}, read(weights="(scores == scores.max(-1, keepdim=True).values).float()")),
        (set(), read("queries @ queries.transpose(1, 2) / queries.shape[-1] ** 0.5", "scores")),
        (set(), read(out="queries")),
    ],
    "guided": [
        (
            {"ignores-argument", "ignores-negative", "w-for-s"},
            guided("null", out="out_prompt + s * (out_prompt - out_away)"),
        ),
        (
            {"ignores-argument", "ignores-negative", "swapped-guidance"},
            guided("null", halves="both.chunk(2)[::-1]"),
        ),
        (
            {"two-calls", "w-for-s"},
            """
def my_guided(model, x_t, t, prompt, negative, null, s):
    out_away = model(x_t, t, null if negative is None else negative)
    out_prompt = model(x_t, t, prompt)
    return out_prompt + s * (out_prompt - out_away)
""",
        ),
        ({"ignores-argument"}, guided(out="x_t")),
        ({"ignores-argument", "not-guided"}, guided(out="out_away")),
    ],
}
