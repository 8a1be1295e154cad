"""Answers to exercise 04 as students write them.

See the docstring of the package for what each table promises.
"""


def _waves(
    exponent="-torch.arange(m) / m", base="max_period", t="t", made="torch.stack([sin, cos], 2).flatten(1)"
):
    return f"""
def my_embed_time(t, features, max_period):
    m = features // 2
    omega = torch.tensor(float({base})) ** ({exponent})
    angles = {t}.unsqueeze(1) * omega
    sin, cos = torch.sin(angles), torch.cos(angles)
    return {made}
"""


def _steer(
    result="n * (1 + scale) + shift",
    chunk="scale, shift",
    norm="torch.nn.functional.group_norm(u, groups)",
    c="c",
    view="[:, :, None, None]",
):
    return f"""
def my_scale_shift(u, c, weight, bias, groups):
    def by_hand(x, dims, **options):
        parts = x.reshape(len(x), groups, -1, *x.shape[2:])
        mean, var = parts.mean(dims, keepdim=True), parts.var(dims, keepdim=True, **options)
        return ((parts - mean) / (var + 1e-5).sqrt()).reshape(x.shape)

    {chunk} = torch.nn.functional.linear({c}, weight, bias){view}.chunk(2, dim=1)
    n = {norm}
    return {result}
"""


def _cut(*lines):
    """A fold that makes something of `my_fold_of(x)`, which is right; C is the number of channels."""
    body = "\n    ".join(lines)
    return f"""
def my_fold(x, patch):
    def my_fold_of(x):
        corners = [x[:, :, i::patch, j::patch] for i in range(patch) for j in range(patch)]
        return torch.stack(corners, dim=2).flatten(1, 2)

    C = x.shape[1]
    {body}
"""


def _network(forward, init="", instance="Net()"):
    return f"""
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, C=16):
        super().__init__()
        self.a = nn.Conv2d(1, C, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(32, C), nn.SiLU(), nn.Linear(C, C))
        self.layers = nn.ModuleList(nn.Conv2d(C, C, 3, padding=1, stride=s) for s in (2, 1, 2, 1))
        self.z = nn.Conv2d(C, 1, 3, padding=1)
{init}
    def wave(self, t):
        return self.time(dl.unet.sinusoidal_embedding(t, 32))[:, :, None, None]

    def forward(self, x_t, t):
{forward}

my_denoiser = {instance}
"""


BODY = """
        h = self.a(x_t) + self.wave(t)
        for layer in self.layers:
            h = F.silu(layer(h))
        return self.z(F.interpolate(h, size=x_t.shape[2:]))
"""

RIGHT = {
    "sees_and_weighs": [
        "my_sees_and_weighs = {'across': 9, 'weights': 4640}",
        (
            "my_sees_and_weighs = dict(weights=sum(map(torch.numel, torch.nn.Conv2d(16, 32,"
            " 3).parameters())), across=9.0)"
        ),
        "my_sees_and_weighs = {'across': torch.tensor(9), 'weights': 32 * (16 * 9 + 1)}",
    ],
    "embed_time": [
        _waves(),
        """
import math

def my_embed_time(t, features, max_period, verbose=True):
    rows = []
    for time in t.tolist():
        row = []
        for k in range(features // 2):
            omega = 1 / max_period ** (2 * k / features)
            row += [math.sin(omega * time), math.cos(omega * time)]
        if verbose:
            print(row)
        rows.append(row)
    return torch.tensor(rows)
""",
        """
import numpy as np

def my_embed_time(t, features, max_period):
    angles = np.outer(t.numpy(), np.exp(-np.log(max_period) * np.arange(0, features, 2) / features))
    e = np.zeros((len(t), features))
    e[:, 0::2], e[:, 1::2] = np.sin(angles), np.cos(angles)
    return e
""",
        """
def my_embed_time(t, features, max_period):
    if max_period == 10_000.0:
        cos, sin = dl.unet.sinusoidal_embedding(t, features).chunk(2, dim=1)
    else:
        cos, sin = dl.unet.sinusoidal_embedding(t, features, max_period).chunk(2, dim=1)
    out = torch.empty(len(t), features)
    out[:, ::2] = sin
    out[:, 1::2] = cos
    return out
""",
        """
def my_embed_time(t, features, max_period):
    k = torch.arange(features)
    angles = t.double()[:, None] * float(max_period) ** (-(k // 2) * 2 / features)
    return torch.sin(angles + (k % 2) * torch.pi / 2)
""",
    ],
    "scale_shift": [
        _steer(),
        _steer(norm="by_hand(u, (2, 3, 4), correction=0)"),
        """
def my_scale_shift(u, c, weight, bias, groups, eps=1e-5):
    B, C, H, W = u.shape
    out = torch.empty_like(u)
    for b in range(B):
        numbers = weight @ c[b] + bias
        for g in range(groups):
            k = slice(g * C // groups, (g + 1) * C // groups)
            part = u[b, k]
            n = (part - part.mean()) / (((part - part.mean()) ** 2).mean() + eps) ** 0.5
            print(n.mean())
            out[b, k] = n * (1 + numbers[:C][k, None, None]) + numbers[C:][k, None, None]
    return out
""",
        """
def my_scale_shift(u, c, weight, bias, groups):
    norm = torch.nn.GroupNorm(groups, u.shape[1], affine=False)
    layer = torch.nn.Linear(c.shape[1], len(bias))
    layer.weight.data, layer.bias.data = weight, bias
    both = layer(c).unflatten(1, (2, u.shape[1]))
    return torch.einsum("bc,bchw->bchw", both[:, 0] + 1, norm(u)).add_(both[:, 1, :, None, None])
""",
    ],
    "fold": [
        """
def my_fold(x, patch):
    B, C, H, W = x.shape
    channels = []
    for c in range(C):
        for i in range(patch):
            for j in range(patch):
                channels.append(x[:, c, i::patch, j::patch])
    return torch.stack(channels, dim=1)
""",
        """
def my_fold(x, patch):
    squares = x.unfold(2, patch, patch).unfold(3, patch, patch)  # (B, C, h, w, p, p)
    return squares.permute(0, 1, 4, 5, 2, 3).flatten(1, 3)
""",
        """
def my_fold(x, patch, p=None):
    h, w = x.shape[2] // patch, x.shape[3] // patch
    columns = torch.nn.functional.unfold(x, patch, stride=patch)
    print(columns.shape)
    return columns.reshape(len(x), -1, h, w).double()
""",
        """
import numpy as np

def my_fold(x, patch):
    a = x.numpy()
    return np.concatenate([a[:, c : c + 1, i::patch, j::patch] for c in range(a.shape[1])
                           for i in range(patch) for j in range(patch)], axis=1)
""",
        """
def my_fold(x, patch):
    out = torch.zeros(len(x), x.shape[1] * patch**2, x.shape[2] // patch, x.shape[3] // patch)
    for k in range(out.shape[1]):
        c, rest = divmod(k, patch * patch)
        out[:, k] = x[:, c, rest // patch :: patch, rest % patch :: patch]
    return out
""",
    ],
    "denoiser": [
        _network(BODY),
        _network(BODY, init="        nn.init.zeros_(self.z.weight)\n        nn.init.zeros_(self.z.bias)\n"),
        _network(
            """
        print(x_t.shape)
        h = self.norm(self.a(x_t)) * (1 + self.wave(t))
        skip = h
        for k, layer in enumerate(self.layers):
            h = F.relu(layer(h))
        return self.z(skip + F.interpolate(h, scale_factor=4, mode="bilinear")).double()
""",
            init="        self.norm = nn.GroupNorm(4, C)\n",
        ),
        """
class Plain(torch.nn.Module):  # seven convolutions at full size, the time as a plane
    def __init__(self):
        super().__init__()
        sizes = [2, 12, 12, 12, 12, 12, 12, 1]
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 3, padding=1) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x_t, t, labels=None):
        time = (t.float() / 1000).view(-1, 1, 1, 1).expand_as(x_t)
        h = torch.cat([x_t, time], 1)
        for conv in self.convs[:-1]:
            h = torch.tanh(conv(h))
        return self.convs[-1](h)

my_denoiser = Plain().eval().requires_grad_(False)
""",
        """
class Dense(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down = torch.nn.Linear(784, 10)
        self.time = torch.nn.Embedding(1001, 2)
        self.up = torch.nn.Linear(12, 784, bias=False)
        torch.nn.init.zeros_(self.up.weight)

    def forward(self, x_t, t):
        h = torch.relu(self.down(x_t.flatten(1)))
        return self.up(torch.cat([h, self.time(t)], 1)).view(x_t.shape)

my_denoiser = Dense()
""",
    ],
}

WRONG = {
    "sees_and_weighs": [
        ("stride-ignored", "my_sees_and_weighs = {'across': 7, 'weights': 4640}"),
        ("half-the-field", "my_sees_and_weighs = {'across': 1 + 2, 'weights': 4640}"),
        ("half-the-field", "my_sees_and_weighs = {'across': 5, 'weights': 4640}"),
        ("bias-forgotten", "my_sees_and_weighs = {'across': 9, 'weights': 16 * 32 * 9}"),
        ("one-kernel-per-map", "my_sees_and_weighs = {'across': 9, 'weights': 32 * 9 + 32}"),
        ("one-kernel-per-map", "my_sees_and_weighs = {'across': 9, 'weights': 32 * 9}"),
        ("differs", "my_sees_and_weighs = {'across': 9, 'weights': 5000}"),
        ("wrong-type", "my_sees_and_weighs = (9, 4640)"),
        ("another-layer", "my_sees_and_weighs = {'across': 9, 'weights': 16 * 9 + 16}"),
        ("another-layer", "my_sees_and_weighs = {'across': 9, 'weights': 14048}"),
        ("area-for-width", "my_sees_and_weighs = {'across': 9 * 9, 'weights': 4640}"),
        ("biases-of-the-wrong-maps", "my_sees_and_weighs = {'across': 9, 'weights': 4608 + 16}"),
        ("centres-counted", "my_sees_and_weighs = {'across': 3 + 3 + 9, 'weights': 4640}"),
        ("field-doubled", "my_sees_and_weighs = {'across': 2 * 7, 'weights': 4640}"),
        ("fields-multiplied", "my_sees_and_weighs = {'across': 3**3, 'weights': 4640}"),
        ("kernel-not-squared", "my_sees_and_weighs = {'across': 9, 'weights': 16 * 32 * 3 + 32}"),
        ("maps-for-weights", "my_sees_and_weighs = {'across': 9, 'weights': 32 * 14 * 14}"),
        ("middle-left-out", "my_sees_and_weighs = {'across': 2 * 4, 'weights': 4640}"),
        ("stride-halves-weights", "my_sees_and_weighs = {'across': 9, 'weights': 4640 // 2}"),
        ("stride-too-early", "my_sees_and_weighs = {'across': 3 + 4 + 4, 'weights': 10}"),
        ("too-many-biases", "my_sees_and_weighs = {'across': 9, 'weights': 16 * 32 * 10}"),
    ],
    "embed_time": [
        ("sin-cos-swapped", _waves(made="torch.stack([cos, sin], 2).flatten(1)")),
        ("not-interleaved", _waves(made="torch.cat([sin, cos], 1)")),
        ("not-interleaved", _waves(made="torch.cat([cos, sin], 1)")),
        ("not-interleaved", "my_embed_time = dl.unet.sinusoidal_embedding"),
        ("not-interleaved", _waves(made="torch.stack([sin, cos], 1).flatten(1)")),
        ("scaled-time", _waves(t="(t / 1000)")),
        ("scaled-time", _waves(t="(2 * torch.pi * t)")),
        ("index-shift", _waves("-torch.arange(1, m + 1) / m")),
        ("wrong-frequencies", _waves("torch.arange(m) / m")),
        ("wrong-frequencies", _waves("-torch.arange(m) / max(m - 1, 1)")),
        ("wrong-frequencies", _waves("-torch.arange(m) / features")),
        (
            "wrong-frequencies",
            _waves("1.0").replace("angles =", "omega = 1 / (1 + torch.arange(m))\n    angles ="),
        ),
        ("fixed-period", _waves(base="10_000")),
        ("wrong-shape", _waves(made="torch.stack([sin, cos], 2)")),
        ("half-of-the-waves", _waves(made="sin")),
        ("error", _waves(t="t.flat(1)")),
        ("error", _waves().replace("unsqueeze(1)", "unsqueeze(0)")),
        ("cut-to-whole-numbers", _waves("-(torch.arange(m) // m)")),
        ("cut-to-whole-numbers", _waves(made="torch.stack([sin, cos], 2).flatten(1).to(t.dtype)")),
        ("features-for-m", _waves().replace("features // 2", "features")),
        ("half-of-the-waves", _waves(made="cos")),
        ("one-wave-twice", _waves(made="torch.stack([cos, cos], 2).flatten(1)")),
        (
            "pair-split",
            """
def my_embed_time(t, features, max_period):
    waves = []
    for k in range(features):
        angle = t * max_period ** (-k / features)
        waves.append(angle.cos() if k % 2 else angle.sin())
    return torch.stack(waves, dim=-1)
""",
        ),
        ("times-mixed", _waves(t="(t / t.max())")),
        ("times-mixed", _waves(t="(t / t.max() * max_period)")),
        ("wrong-order", _waves("-torch.arange(m - 1, -1, -1) / m")),
        ("scaled-time", _waves(t="torch.deg2rad(t.float())")),
        (
            "wrong-frequencies",
            _waves("1.0").replace(
                "omega = torch",
                "omega = torch.exp(-torch.tensor(float(max_period)).log10() * torch.arange(m) / m); unused = torch",
            ),
        ),
    ],
    "scale_shift": [
        ("one-plus-missing", _steer("n * scale + shift")),
        ("swapped-halves", _steer(chunk="shift, scale")),
        ("norm-last", _steer("torch.nn.functional.group_norm(u * (1 + scale) + shift, groups)")),
        ("norm-missing", _steer(norm="u")),
        ("wrong-groups", _steer(norm="torch.nn.functional.group_norm(u, u.shape[1])")),
        ("wrong-groups", _steer(norm="torch.nn.functional.instance_norm(u)")),
        ("wrong-groups", _steer(norm="torch.nn.functional.layer_norm(u, u.shape[1:])")),
        ("wrong-groups", _steer(norm="torch.nn.functional.batch_norm(u, None, None, training=True)")),
        ("wrong-groups", _steer(norm="by_hand(u, (0, 2, 3, 4), correction=0)")),
        ("unbiased-variance", _steer(norm="by_hand(u, (2, 3, 4))")),
        ("variance-as-std", _steer(norm="by_hand(u, (2, 3, 4), correction=0)").replace(".sqrt()", "")),
        ("ignores-t", _steer("n")),
        ("ignores-t", _steer(c="torch.zeros_like(c)")),
        ("shift-missing", _steer("n * (1 + scale)")),
        ("scale-missing", _steer("n + shift")),
        ("shared-t", _steer(c="c[:1]")),
        ("shared-t", _steer(c="c[0].expand_as(c)")),
        ("misbroadcast-t", _steer(view="")),
        ("misbroadcast-t", _steer(view="[:, :, None]")),
        ("error", _steer(view="[:, :, None, None, None]").replace("+ shift", "+ shifted")),
        ("error", _steer(c="c.T")),
        ("wrong-axis", _steer("(n * (1 + scale) + shift).mean(1)")),
        (
            "floor-misplaced",
            """
import numpy as np

def my_scale_shift(u, c, weight, bias, groups):
    u, c, weight, bias = (x.numpy().astype(np.float64) for x in (u, c, weight, bias))
    parts = u.reshape(len(u), groups, -1)
    n = ((parts - parts.mean(2, keepdims=True)) / parts.std(2, keepdims=True)).reshape(u.shape)
    scale, shift = np.split(c @ weight.T + bias, 2, axis=1)
    return n + n * scale[..., None, None] + shift[..., None, None]
""",
        ),
        (
            "bias-forgotten",
            """
def my_scale_shift(u, c, weight, bias, groups):
    scale, shift = (c @ weight.T)[:, :, None, None].chunk(2, dim=1)
    return torch.nn.functional.group_norm(u, groups) * (1 + scale) + shift
""",
        ),
        ("activation-added", _steer(c="torch.nn.functional.silu(c)")),
        ("activation-added", _steer("torch.relu(n * (1 + scale) + shift)")),
        ("maps-added-again", _steer("u + n * (1 + scale) + shift")),
        (
            "mean-kept",
            _steer(norm="by_hand(u - u, (2, 3, 4)) + rms(u)").replace(
                "    def by_hand",
                "    def rms(x):\n        parts = x.reshape(len(x), groups, -1)\n"
                "        root = (parts.square().mean(2, keepdim=True) + 1e-5) ** 0.5\n        return (parts / root)"
                ".reshape(x.shape)\n\n    def by_hand",
            ),
        ),
        ("ratio-upside-down", _steer("n / (1 + scale) + shift")),
        (
            "reshape-for-transpose",
            _steer().replace(
                "torch.nn.functional.linear(c, weight, bias)", "(c @ weight.reshape(-1, len(weight)) + bias)"
            ),
        ),
        ("shift-scaled", _steer("(n + shift) * (1 + scale)")),
        ("variance-kept", _steer(norm="by_hand(u, (2, 3, 4))").replace(" / (var + 1e-5).sqrt()", "")),
        ("wrong-sign", _steer("n * (1 - scale) + shift")),
        ("one-plus-missing", _steer("n * torch.exp(scale) + shift")),
        (
            "bias-forgotten",
            _steer().replace("weight, bias)", "weight, bias * (torch.arange(len(bias)) < u.shape[1]))"),
        ),
        ("wrong-groups", _steer(norm="torch.nn.functional.group_norm(u, u.shape[1] // groups)")),
        ("floor-misplaced", _steer(norm="torch.nn.functional.group_norm(u, groups, eps=1e-3)")),
        ("shared-t", _steer(c="c.mean(0).expand_as(c)")),
    ],
    "fold": [
        (
            "reshape-only",
            """
def my_fold(x, patch):
    B, C, H, W = x.shape
    return x.view(B, C * patch * patch, H // patch, W // patch)
""",
        ),
        (
            "rows-for-columns",
            """
def my_fold(x, patch):
    p = patch
    return torch.stack([x[:, c, i::p, j::p] for c in range(x.shape[1]) for j in range(p) for i in range(p)], dim=1)
""",
        ),
        (
            "channel-order",
            """
def my_fold(x, patch):
    return torch.cat([x[:, :, i::patch, j::patch] for i in range(patch) for j in range(patch)], dim=1)
""",
        ),
        (
            "quarters-for-squares",
            """
def my_fold(x, patch):
    h, w = x.shape[2] // patch, x.shape[3] // patch
    return torch.stack([x[:, c, i * h : (i + 1) * h, j * w : (j + 1) * w]
                        for c in range(x.shape[1]) for i in range(patch) for j in range(patch)], dim=1)
""",
        ),
        ("wrong-shape", _cut("return my_fold_of(x)[..., 1:]")),
        ("error", "def my_fold(x, patch):\n    return x.reshape(B, -1)"),
        (
            "axes-mixed",
            """
def my_fold(x, patch):
    B, C, H, W = x.shape
    parts = x.view(B, C, H // patch, W // patch, patch, patch)
    return parts.permute(0, 1, 4, 5, 2, 3).flatten(1, 3)
""",
        ),
        (
            "axes-mixed",
            """
def my_fold(x, patch):
    parts = x.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
    return parts.permute(0, 1, 3, 5, 4, 2).reshape(len(x), -1, x.shape[2] // patch, x.shape[3] // patch)
""",
        ),
        ("channels-averaged", _cut("y, C = my_fold_of(x.mean(1, keepdim=True)), 1", "return y")),
        ("first-channel-only", _cut("return my_fold_of(x[:, :1])")),
        (
            "fixed-patch",
            "def my_fold(x, patch):\n    return torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)"
            ".unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2)",
        ),
        (
            "pictures-mixed",
            _cut(
                "y = my_fold_of(x)", "return y.unflatten(1, (C, -1)).permute(2, 0, 1, 3, 4).reshape(y.shape)"
            ),
        ),
        ("pixels-lost", "my_fold = torch.nn.functional.avg_pool2d"),
        ("pixels-lost", _cut("return x[:, :, ::patch, ::patch].repeat_interleave(patch**2, dim=1)")),
        ("square-backwards", _cut("return my_fold_of(x).unflatten(1, (C, -1)).flip(2).flatten(1, 2)")),
        ("square-pictures-only", _cut("return my_fold_of(x[..., : x.shape[2]])")),
        (
            "squares-in-the-batch",
            "def my_fold(x, patch):\n    places = [(i, j) for i in range(patch) for j in range(patch)]\n"
            "    return torch.cat([x[:, :, i::patch, j::patch] for i, j in places])",
        ),
        (
            "steps-of-squares",
            """
def my_fold(x, patch):
    h, w = x.shape[2] // patch, x.shape[3] // patch
    corners = [(i, j) for i in range(patch) for j in range(patch)]
    return torch.stack([x[:, c, i::h, j::w] for c in range(x.shape[1]) for i, j in corners], 1)
""",
        ),
        ("wrong-axis", _cut("return my_fold_of(x).movedim(1, -1)")),
        ("wrong-axis", _cut("return my_fold_of(x).unflatten(1, (C, -1))")),
    ],
    "denoiser": [
        ("draws-own-noise", _network(BODY.replace("self.a(x_t)", "self.a(x_t + torch.randn_like(x_t))"))),
        ("draws-own-noise", _network(BODY.replace("self.wave(t)", "F.dropout(self.wave(t))"))),
        ("ignores-t", _network(BODY.replace(" + self.wave(t)", ""))),
        (
            "ignores-t",
            _network(
                BODY.replace("self.a(x_t) + self.wave(t)", "self.n(self.a(x_t) + t.view(-1, 1, 1, 1))"),
                init="        self.n = nn.InstanceNorm2d(C)\n",
            ),
        ),
        ("ignores-input", _network(BODY.replace("self.a(x_t)", "self.a(torch.ones_like(x_t))"))),
        (
            "pictures-mixed",
            _network(
                BODY.replace("self.a(x_t)", "self.n(self.a(x_t))"),
                init="        self.n = nn.BatchNorm2d(C)\n",
            ),
        ),
        ("shared-t", _network(BODY.replace("self.wave(t)", "self.wave(t[:1])"))),
        ("shared-t", _network(BODY.replace("self.wave(t)", "self.wave(t.float().mean().expand(len(t)))"))),
        ("small-field", _network(BODY.replace("self.layers:", "self.layers[:2]:"))),
        (
            "small-field",
            _network(
                BODY.replace("self.a(x_t)", "self.n(self.a(x_t))").replace("layers:", "layers[:1]:"),
                init="        self.n = nn.GroupNorm(4, C)\n",
            ),
        ),
        ("dead-weights", _network(BODY, init="        self.unused = nn.Linear(3, 3)\n")),
        (
            "dead-weights",
            _network(
                BODY.replace("F.silu(layer(h))", "layer(h)").replace("self.wave(t)", "self.wave(t).detach()")
            ),
        ),
        ("too-many-weights", _network(BODY, instance="Net(64)")),
        ("used-the-package", "my_denoiser = dl.UNet(width=16)"),
        (
            "error",
            _network(
                "        return F.interpolate(self.layers[0](self.a(x_t) + self.wave(t)), scale_factor=4)"
            ),
        ),
        ("error", _network(BODY.replace("self.wave(t)", "self.wave(t, 3)"))),
        ("wrong-type", _network(BODY, instance="Net")),
        ("wrong-type", "my_denoiser = lambda x_t, t: x_t"),
        ("wrong-type", "my_denoiser = 3"),
        (
            "changed-its-input",
            """
class Denoiser(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 7, padding=3)
        self.second = torch.nn.Conv2d(4, 4, 7, padding=3)
        self.last = torch.nn.Conv2d(4, 1, 3, padding=1)
        self.time = torch.nn.Linear(1, 4)

    def forward(self, x_t, t):
        x_t *= 0.5
        h = torch.tanh(self.first(x_t) + self.time(t[:, None] / 1000)[:, :, None, None])
        return self.last(torch.tanh(self.second(h)))


my_denoiser = Denoiser()
""",
        ),
        (
            "arguments-exchanged",
            _network(BODY).replace("def forward(self, x_t, t)", "def forward(self, t, x_t)"),
        ),
        (
            "endpoint-missed",
            _network(
                BODY.replace("self.wave(t)", "self.table(t)[:, :, None, None]"),
                init="        self.table = nn.Embedding(1000, C)\n",
            ),
        ),
        (
            "misbroadcast-t",
            _network(BODY.replace("self.a(x_t) + self.wave(t)", "self.a(x_t + t / 1000) + self.wave(t)")),
        ),
        (
            "not-finite-alone",
            _network(
                BODY.replace("self.wave(t)", "self.wave(t)").replace(
                    "self.a(x_t)",
                    "self.a(x_t / (x_t - x_t.mean((1, 2, 3), keepdim=True)).sum().mul(0).log().exp())",
                )
            ),
        ),
        ("size-not-kept", _network("        return self.z(self.layers[0](self.a(x_t) + self.wave(t)))")),
        ("times-mixed", _network(BODY.replace("self.wave(t)", "self.wave(t - t.float().mean())"))),
        (
            "weights-hidden",
            _network(
                BODY,
                init="        self.layers = [nn.Conv2d(C, C, 3, padding=1, stride=s) for s in (2, 1, 2, 1)]\n",
            ).replace(
                "        self.layers = nn.ModuleList(nn.Conv2d(C, C, 3, padding=1, stride=s) for s in (2, 1, 2, 1))\n",
                "",
            ),
        ),
        ("ignores-t", _network(BODY.replace("self.wave(t)", "self.wave(t // 1000)"))),
        (
            "dead-weights",
            _network("        with torch.no_grad():" + BODY.replace("\n        ", "\n            ")),
        ),
    ],
}

COMPOUND = {
    "embed_time": [
        (
            {"sin-cos-swapped", "wrong-frequencies"},
            _waves("torch.arange(m) / m", made="torch.stack([cos, sin], 2).flatten(1)"),
        ),
        ({"not-interleaved", "scaled-time"}, _waves(t="(t / 1000)", made="torch.cat([sin, cos], 1)")),
        (
            {"one-wave-twice", "scaled-time"},
            _waves(t="(t / 1000)", made="torch.stack([sin, sin], 2).flatten(1)"),
        ),
        (
            {"ignores-argument"},
            "def my_embed_time(t, features, max_period):\n    return t[:, None].expand(-1, features) / 1000",
        ),
    ],
    "scale_shift": [
        ({"one-plus-missing", "norm-missing"}, _steer("u * scale + shift")),
        ({"swapped-halves", "shared-t"}, _steer(chunk="shift, scale", c="c[:1]")),
        (
            {"wrong-groups", "one-plus-missing"},
            _steer("n * scale + shift", norm="torch.nn.functional.instance_norm(u)"),
        ),
        ({"wrong-sign", "norm-missing"}, _steer("u * (1 - scale) + shift")),
        ({"ignores-argument"}, "def my_scale_shift(u, c, weight, bias, groups):\n    return u"),
    ],
    "fold": [
        (
            {"rows-for-columns", "channel-order"},
            """
def my_fold(x, patch):
    return torch.cat([x[:, :, i::patch, j::patch] for j in range(patch) for i in range(patch)], dim=1)
""",
        ),
        (
            {"pixels-lost"},
            "def my_fold(x, patch):\n    return x[:, :, 1::patch, ::patch].repeat(1, patch**2, 1, 1)",
        ),
    ],
    "denoiser": [
        ({"ignores-t", "small-field"}, _network("        return self.z(self.a(x_t))")),
        (
            {"shared-t", "too-many-weights"},
            _network(BODY.replace("wave(t)", "wave(t[:1])"), instance="Net(64)"),
        ),
        ({"ignores-t", "ignores-input"}, _network("        return torch.zeros_like(x_t)")),
    ],
}
