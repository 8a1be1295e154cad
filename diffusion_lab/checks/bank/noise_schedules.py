"""Answers to exercise 02 as students write them.

See the docstring of the package for what each table promises.
"""

RIGHT = {
    "snr": [
        """
def my_snr(t, betas):
    bar = (1 - betas).cumprod(dim=0)
    return (bar / (1 - bar))[t]
""",
        """
def my_snr(t, betas, eps=0.0):
    out = []
    for time in t.tolist():
        bar = 1.0
        for k in range(1, time + 1):
            bar *= 1 - betas[k].item()
        out.append(bar / (1 - bar + eps))
    print(out)
    return torch.tensor(out)
""",
        """
import numpy as np
my_snr = lambda t, betas: 1 / (1 / np.cumprod(1 - betas.numpy())[t.numpy()] - 1)
""",
        """
def my_snr(t, betas):
    betas[0] = 0
    log_bar = torch.log1p(-betas.float()).cumsum(0).gather(0, t)
    return log_bar.exp() / -torch.expm1(log_bar)
""",
        "my_snr = lambda t, betas: dl.DiffusionSchedule.from_betas(betas[1:]).snr()[t]",
    ],
    "scale_left": [
        "my_scale_left = 0.6",
        "import math\nmy_scale_left = math.exp(-0.5)",
        "my_scale_left = dl.DiffusionSchedule(100, 1e-4, 0.02).alphas_cumprod[-1] ** 0.5",
        "import numpy as np\nmy_scale_left = np.sqrt(np.prod(1 - np.linspace(1e-4, 0.02, 100)))",
    ],
    "curves": [
        """
import math

def my_curves(T, low, high):
    linear, quadratic, cosine = [0.0], [0.0], [0.0]
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    for t in range(1, T + 1):
        u = (t - 1) / (T - 1)
        linear.append(low + u * (high - low))
        quadratic.append((math.sqrt(low) + u * (math.sqrt(high) - math.sqrt(low))) ** 2)
        cosine.append(min(1 - f(t) / f(t - 1), 0.999))
    return torch.tensor(linear), torch.tensor(quadratic), torch.tensor(cosine)
""",
        """
import numpy as np

def my_curves(T, low, high, s=0.008, cap=0.999):
    tables = np.zeros((3, T + 1))
    tables[0, 1:] = np.linspace(low, high, T)
    tables[1, 1:] = np.square(np.linspace(np.sqrt(low), np.sqrt(high), T))
    abar = np.cos((np.linspace(0, 1, T + 1) + s) / (1 + s) * np.pi / 2) ** 2
    abar /= abar[0]
    tables[2, 1:] = np.minimum(1 - abar[1:] / abar[:-1], cap)
    return tables
""",
        """
from torch.nn import functional as F

def my_curves(T, low, high):
    linear = torch.linspace(low, high, T)
    quadratic = torch.linspace(low ** 0.5, high ** 0.5, T)
    quadratic *= quadratic
    x = (torch.arange(0, T + 1) / T + 0.008) / 1.008 * torch.pi
    abar = (1 + torch.cos(x.double())) / 2
    cosine = ((abar[:-1] - abar[1:]) / abar[:-1]).clip(0, 0.999)
    return [F.pad(x, (1, 0)) for x in (linear, quadratic, cosine)]
""",
    ],
    "fewer_steps": [
        """
def my_fewer_steps(betas, times):
    new = [0.0]
    for s, t in zip(times[:-1], times[1:]):
        new.append(1 - torch.prod(1 - betas[s + 1 : t + 1]).item())
    return torch.tensor(new)
""",
        """
def my_fewer_steps(betas, times):
    bar = (1 - betas).cumprod(0)[times]
    before = torch.cat([torch.ones(1), bar[:-1]])
    return 1 - bar / before
""",
        """
import numpy as np

def my_fewer_steps(betas, times, check=False):
    logs = np.cumsum(np.log1p(-betas.numpy()))[times.numpy()]
    return -np.expm1(np.diff(logs, prepend=logs[0]))
""",
        """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas.float(), 0)
    bar = bar[times]
    bar[1:] = 1 - bar[1:] / bar[:-1].clone()
    bar[0] = 0
    return bar.float()
""",
    ],
    "useful_steps": [
        'my_useful_steps = {"linear": 392, "quadratic": 489, "cosine": 615}',
        """
my_useful_steps = {}
for name in ("linear", "quadratic", "cosine"):
    r = dl.DiffusionSchedule.named(name, 1000).snr()
    my_useful_steps[name] = ((r >= 0.1) & (r <= 10)).sum()
""",
        """
import numpy as np
my_useful_steps = dict(cosine=0, linear=0, quadratic=0)
for name in my_useful_steps:
    for r in dl.DiffusionSchedule.named(name).snr()[1:].numpy():
        if abs(np.log10(r)) < 1:
            my_useful_steps[name] += 1
""",
    ],
}

_COUNT = """
my_useful_steps = {}
for name in ("linear", "quadratic", "cosine"):
    bar = dl.DiffusionSchedule.named(name, 1000).alphas_cumprod[1:]
    r = bar / (1 - bar)
    my_useful_steps[name] = int((%s).sum())
"""
_CURVES = """
import math

def my_curves(T, low, high):
    zero = torch.zeros(1)
    linear = torch.linspace(low, high, T)
    quadratic = torch.linspace(low**0.5, high**0.5, T) ** 2
    f = torch.cos((torch.arange(T + 1) / T + 0.008) / 1.008 * math.pi / 2).double() ** 2
    cosine = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    %s
    return torch.cat([zero, linear]), torch.cat([zero, quadratic]), torch.cat([zero, cosine])
"""


def _but(*lines):
    return _CURVES % "\n    ".join(lines)


WRONG = {
    "snr": [
        (
            "ignores-t",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)
    return (bar / (1 - bar))[1:]
""",
        ),
        (
            "nearly-right",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0).to(torch.float32)[t]
    return bar / (1 - bar)
""",
        ),
        (
            "safety-number",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar / (1 - bar + 1e-8)
""",
        ),
        (
            "safety-number",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar / torch.clamp(1 - bar, min=1e-4)
""",
        ),
        (
            "safety-number",
            """
def my_snr(t, betas):
    bar = (1 - betas).cumprod(0)[t].clip(1e-6, 0.999999)
    return bar / (1 - bar)
""",
        ),
        (
            "shared-t",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t].mean()
    return (bar / (1 - bar)).repeat(len(t))
""",
        ),
        (
            "wrong-shape",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return (bar / (1 - bar)).squeeze()
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_snr(t, betas):
    bar = torch.exp(-torch.cumsum(betas, 0))[t]
    return bar / (1 - bar)
""",
        ),
        (
            "picked-too-early",
            """
def my_snr(t, betas):
    a = torch.cumprod(1 - betas[t], dim=0)
    return a / (1 - a)
""",
        ),
        ("share-for-ratio", "my_snr = lambda t, betas: torch.cumprod(1 - betas, 0)[t]"),
        (
            "ratio-upside-down",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return (1 - bar) / bar
""",
        ),
        (
            "variance-as-std",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar.sqrt() / (1 - bar).sqrt()
""",
        ),
        (
            "variance-as-std",
            """
def my_snr(t, betas):
    signal = torch.cumprod((1 - betas).sqrt(), 0)[t]
    return signal / (1 - signal)
""",
        ),
        (
            "variance-as-std",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar.sqrt() / (1 - bar)
""",
        ),
        (
            "variance-as-std",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar**2 / (1 - bar) ** 2
""",
        ),
        (
            "log-for-ratio",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return torch.log(bar) - torch.log(1 - bar)
""",
        ),
        (
            "log-for-ratio",
            """
import numpy as np
def my_snr(t, betas):
    bar = np.cumprod(1 - betas.numpy())[t]
    return 10 * np.log10(bar / (1 - bar))
""",
        ),
        (
            "alpha-for-alphabar",
            """
def my_snr(t, betas):
    alpha = 1 - betas[t]
    return alpha / (1 - alpha)
""",
        ),
        (
            "beta-for-alpha",
            """
def my_snr(t, betas):
    bar = torch.cumprod(betas[1:], 0)[t - 1]
    return bar / (1 - bar)
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_snr(t, betas):
    bar = 1 - torch.cumsum(betas, 0)[t]
    return bar / (1 - bar)
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_snr(t, betas):
    bar = torch.clamp(1 - torch.cumsum(betas, 0), 0)[t]
    return bar / (1 - bar)
""",
        ),
        (
            "index-shift",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t - 1]
    return bar / (1 - bar)
""",
        ),
        (
            "index-shift",
            """
def my_snr(t, betas):
    bar = torch.stack([torch.prod(1 - betas[:k]) for k in t])
    return bar / (1 - bar)
""",
        ),
        (
            "index-shift",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas[1:], 0)[t]
    return bar / (1 - bar)
""",
        ),
        (
            "index-shift",
            """
def my_snr(t, betas):
    return dl.DiffusionSchedule.from_betas(betas[1:]).snr()[t + 1]
""",
        ),
        (
            "wrong-axis",
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return (bar / (1 - bar)).reshape(-1, 1, 1, 1)
""",
        ),
        ("error", "def my_snr(t, betas):\n    return betas.cumprod()[t]"),
    ],
    "scale_left": [
        ("cumsum-for-cumprod", "my_scale_left = 1 - 1.005 / 2"),
        ("half-the-steps", "my_scale_left = 0.366 ** 0.25"),
        (
            "other-schedule",
            "my_scale_left = dl.DiffusionSchedule(1000, 1e-4, 0.02).alphas_cumprod[100] ** 0.5",
        ),
        (
            "wrong-factor",
            "my_scale_left = 10 * dl.DiffusionSchedule(1000, 1e-4, 0.02).alphas_cumprod[1000] ** 0.5",
        ),
        ("alpha-for-alphabar", "my_scale_left = 0.98**100"),
        ("variance-as-std", "my_scale_left = 0.37"),
        ("betas-stretched", "my_scale_left = dl.DiffusionSchedule.linear(100).alphas_cumprod[-1] ** 0.5"),
        ("betas-stretched", "my_scale_left = 0.006"),
        ("half-the-steps", "my_scale_left = 0.78"),
        ("half-the-steps", "my_scale_left = dl.DiffusionSchedule(50, 1e-4, 0.02).alphas_cumprod[-1] ** 0.5"),
        ("swapped-scales", "my_scale_left = (1 - 0.366) ** 0.5"),
        ("swapped-scales", "my_scale_left = 0.8"),
        ("alpha-for-alphabar", "my_scale_left = 0.98 ** 0.5"),
        ("differs", "my_scale_left = 0.1"),
        ("one-minus", "my_scale_left = 0.395"),
        ("swapped-scales", "my_scale_left = 1 - 2.718 ** -1.005"),
    ],
    "curves": [
        (
            "difference-for-ratio",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    cosine = torch.tensor([f(t - 1) - f(t) for t in range(1, T + 1)])
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "endpoint-missed",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    cosine[0] = 1 - f(1)
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "ignores-argument",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    pass
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "nearly-right",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * 3.14 / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    pass
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "other-schedule",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    linear = low * (high / low) ** torch.linspace(0, 1, T)
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "result-clipped",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    cosine = cosine.clip(max=high)
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "safety-number",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    cosine = torch.tensor([1 - max(f(t), 1e-3) / max(f(t - 1), 1e-3) for t in range(1, T + 1)])
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "offset-missing",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    pass
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "results-exchanged",
            """
import math

def my_curves(T, low, high):
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    linear, roots = torch.linspace(low, high, T), torch.linspace(low**0.5, high**0.5, T)
    cosine = torch.tensor([min(0.999, 1 - f(t) / f(t - 1)) for t in range(1, T + 1)])
    roots, cosine = cosine**0.5, roots**2
    return [torch.cat([torch.zeros(1), table]) for table in (linear, roots**2, cosine)]
""",
        ),
        (
            "used-the-package",
            """
def my_curves(T, low, high):
    return (dl.schedules.linear_betas(T, low, high), dl.schedules.quadratic_betas(T, low, high),
            dl.schedules.cosine_betas(T))
""",
        ),
        (
            "missing-zero-entry",
            """
def cosine_betas(T):
    f = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * torch.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def my_curves(T, low, high):
    pad = torch.zeros(1)
    return (torch.cat([pad, torch.linspace(low, high, T)]), torch.linspace(low**0.5, high**0.5, T) ** 2,
            torch.cat([pad, cosine_betas(T)]))
""",
        ),
        (
            "missing-zero-entry",
            """
def cosine_betas(T):
    f = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * torch.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def my_curves(T, low, high):
    cosine = torch.cat([torch.zeros(1), cosine_betas(T)])
    return torch.linspace(low, high, T + 1), torch.linspace(low**0.5, high**0.5, T + 1) ** 2, cosine
""",
        ),
        ("fence-posts", _but("linear = torch.tensor([low + (high - low) * t / T for t in range(1, T + 1)])")),
        ("fence-posts", _but("linear = low + (high - low) * torch.arange(T) / T")),
        ("fence-posts", _but("quadratic = torch.linspace(low**0.5, high**0.5, T + 1)[1:] ** 2")),
        ("roots-not-even", _but("quadratic = linear ** 2")),
        ("roots-not-even", _but("quadratic = linear ** 0.5")),
        ("roots-not-even", _but("quadratic = torch.linspace(low**0.5, high**0.5, T)")),
        ("roots-not-even", _but("quadratic = torch.linspace(low**2, high**2, T) ** 0.5")),
        ("roots-not-even", _but("quadratic = low + (high - low) * torch.linspace(0, 1, T) ** 2")),
        ("cap-missing", _but("cosine = 1 - f[1:] / f[:-1]")),
        (
            "offset-missing",
            _but(
                "f = torch.cos(torch.arange(T + 1, dtype=torch.float64) / T * math.pi / 2) ** 2",
                "cosine = (1 - f[1:] / f[:-1]).clamp(max=0.999)",
            ),
        ),
        (
            "offset-missing",
            _but(
                "f = torch.cos((torch.arange(T + 1) / T + 0.008) * math.pi / 2) ** 2",
                "cosine = (1 - f[1:] / f[:-1]).clamp(max=0.999)",
            ),
        ),
        ("cosine-not-squared", _but("f = f.sqrt()", "cosine = (1 - f[1:] / f[:-1]).clamp(max=0.999)")),
        ("alpha-for-beta", _but("cosine = f[1:] / f[:-1]")),
        ("alphabar-for-alpha", _but("cosine = (1 - f[1:] / f[0]).clamp(max=0.999)")),
        ("alphabar-for-alpha", _but("cosine = (f / f[0])[1:]")),
        ("ratio-upside-down", _but("cosine = (1 - f[:-1] / f[1:]).clamp(max=0.999)")),
        ("wrong-shape", "def my_curves(T, low, high):\n    return torch.zeros(T + 1), torch.zeros(T + 1)"),
        ("error", "def my_curves(T):\n    return torch.zeros(3, T + 1)"),
        (
            "used-the-package",
            """
def my_curves(T, low, high):
    schedules = [dl.DiffusionSchedule.named(name, T, rescale=False, beta_start=low, beta_end=high)
                 for name in ("linear", "quadratic")] + [dl.DiffusionSchedule.cosine(T)]
    return torch.stack([schedule.betas for schedule in schedules])
""",
        ),
        (
            "betas-rescaled",
            """
def my_curves(T, low, high):
    zero = torch.zeros(1)
    linear = torch.linspace(low, high, T) * 1000 / T
    quadratic = torch.linspace(low**0.5, high**0.5, T) ** 2 * 1000 / T
    f = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * torch.pi / 2) ** 2
    cosine = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cat([zero, linear]), torch.cat([zero, quadratic]), torch.cat([zero, cosine])
""",
        ),
        (
            "alpha-for-beta",
            """
def my_curves(T, low, high):
    one = torch.ones(1)
    linear = 1 - torch.linspace(low, high, T)
    quadratic = 1 - torch.linspace(low**0.5, high**0.5, T) ** 2
    f = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * torch.pi / 2) ** 2
    cosine = (f[1:] / f[:-1]).clamp(min=0.001)
    return [torch.cat([0 * one, kept]) for kept in (linear, quadratic, cosine)]
""",
        ),
    ],
    "fewer_steps": [
        (
            "difference-for-ratio",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return torch.cat([bar[:1] * 0, bar[:-1] - bar[1:]])
""",
        ),
        (
            "endpoint-missed",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)
    kept = bar[times].clone()
    kept[-1] = bar[-1]
    return torch.cat([bar[:1] * 0, 1 - kept[1:] / kept[:-1]])
""",
        ),
        (
            "safety-number",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return torch.cat([bar[:1] * 0, (1 - bar[1:] / bar[:-1]).clip(max=0.999)])
""",
        ),
        (
            "other-schedule",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[torch.linspace(0, len(betas) - 1, len(times)).long()]
    return torch.cat([bar[:1] * 0, 1 - bar[1:] / bar[:-1]])
""",
        ),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    pairs = zip(times.tolist(), times[1:].tolist())
    return torch.tensor([0.0] + [float(betas[s + 1 : t + 1].mean()) for s, t in pairs])
""",
        ),
        (
            "missing-zero-entry",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return 1 - bar[1:] / bar[:-1]
""",
        ),
        ("stride-beta", "my_fewer_steps = lambda betas, times: betas[times]"),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    new = torch.zeros(len(times))
    for k in range(1, len(times)):
        new[k] = betas[times[k]] * (times[k] - times[k - 1])
    return new
""",
        ),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    T, K = times[-1], len(times) - 1
    return (betas[times] * T / K).clamp(max=0.999)
""",
        ),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    return betas[times] * times[-1] / (len(times) - 1)
""",
        ),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    T, K = len(betas) - 1, len(times) - 1
    return betas[times] * T / K
""",
        ),
        (
            "betas-stretched",
            """
def my_fewer_steps(betas, times):
    new = betas[times] * (len(betas) - 1) / (len(times) - 1)
    return new.clip(max=0.999)
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_fewer_steps(betas, times):
    total = betas.cumsum(0)[times]
    return torch.cat([torch.zeros(1), total.diff()])
""",
        ),
        (
            "ratio-upside-down",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return torch.cat([torch.zeros(1), 1 - bar[:-1] / bar[1:]])
""",
        ),
        (
            "alpha-for-beta",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return torch.cat([torch.zeros(1), bar[1:] / bar[:-1]])
""",
        ),
        (
            "alpha-for-beta",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return torch.cat([torch.ones(1), bar[1:] / bar[:-1]])
""",
        ),
        (
            "alphabar-for-alpha",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return 1 - bar
""",
        ),
        ("alphabar-for-alpha", "my_fewer_steps = lambda betas, times: torch.cumprod(1 - betas, 0)[times]"),
        (
            "beta-for-alpha",
            """
def my_fewer_steps(betas, times):
    new = [0.0]
    for s, t in zip(times[:-1], times[1:]):
        new.append(torch.prod(betas[s + 1 : t + 1]))
    return torch.tensor(new)
""",
        ),
        (
            "variance-as-std",
            """
def my_fewer_steps(betas, times):
    scale = torch.cumprod((1 - betas).sqrt(), 0)[times]
    return torch.cat([torch.zeros(1), 1 - scale[1:] / scale[:-1]])
""",
        ),
        (
            "index-shift",
            """
def my_fewer_steps(betas, times):
    new = [0.0]
    for s, t in zip(times[:-1], times[1:]):
        new.append(1 - torch.prod(1 - betas[s:t]))
    return torch.tensor(new)
""",
        ),
        (
            "index-shift",
            """
def my_fewer_steps(betas, times):
    new = [0.0]
    for s, t in zip(times[:-1], times[1:]):
        new.append(1 - torch.prod(1 - betas[s : t + 1]))
    return torch.tensor(new)
""",
        ),
        (
            "error",
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)
    return torch.tensor([1 - bar[t] / bar[t - s] for s, t in times])
""",
        ),
        ("wrong-type", "my_fewer_steps = lambda betas, times: {'betas': betas[times]}"),
    ],
    "useful_steps": [
        ("log-for-ratio", _COUNT % "r.log().abs() < 1"),
        ("alpha-for-alphabar", "my_useful_steps = {'linear': 0, 'quadratic': 0, 'cosine': 20}"),
        ("fence-posts", "my_useful_steps = {'linear': 391, 'quadratic': 488, 'cosine': 614}"),
        ("in-percent", "my_useful_steps = {'linear': 39.2, 'quadratic': 48.9, 'cosine': 61.5}"),
        ("in-percent", "my_useful_steps = {'linear': 0.392, 'quadratic': 0.489, 'cosine': 0.615}"),
        ("results-exchanged", "my_useful_steps = {'linear': 392, 'quadratic': 615, 'cosine': 489}"),
        ("share-for-ratio", _COUNT % "(bar > 0.1) & (bar < 10)"),
        ("variance-as-std", _COUNT % "(r.sqrt() > 0.1) & (r.sqrt() < 10)"),
        ("roots-not-even", "my_useful_steps = {'linear': 392, 'quadratic': 109, 'cosine': 615}"),
        ("half-the-window", _COUNT % "r > 0.1"),
        ("half-the-window", _COUNT % "r < 10"),
        ("half-the-window", _COUNT % "(r < 0.1) | (r > 10)"),
        ("differs", _COUNT % "(r > 0.4) & (r < 3)"),
        ("wrong-type", "my_useful_steps = 392"),
        ("wrong-type", "my_useful_steps = {'linear': 392, 'quadratic': 489}"),
    ],
}

COMPOUND = {
    "snr": [
        (
            {"variance-as-std", "alpha-for-alphabar"},
            """
def my_snr(t, betas):
    alpha = (1 - betas[t]).sqrt()
    return alpha / (1 - alpha)
""",
        ),
        (
            {"ratio-upside-down", "index-shift"},
            """
def my_snr(t, betas):
    bar = torch.cumprod(1 - betas, 0)[t - 1]
    return (1 - bar) / bar
""",
        ),
        ({"ignores-argument"}, "my_snr = lambda t, betas: torch.zeros(len(t))"),
        ({"ignores-argument"}, "my_snr = lambda t, betas: t.float()"),
    ],
    "curves": [
        ({"roots-not-even", "cap-missing"}, _but("quadratic = linear ** 2", "cosine = 1 - f[1:] / f[:-1]")),
        ({"cosine-not-squared", "cap-missing"}, _but("f = f.sqrt()", "cosine = 1 - f[1:] / f[:-1]")),
        (
            {"fence-posts", "missing-zero-entry"},
            """
def cosine_betas(T):
    f = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * torch.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def my_curves(T, low, high):
    cosine = cosine_betas(T)
    return torch.linspace(low, high, T + 1)[1:], torch.linspace(low**0.5, high**0.5, T + 1)[1:] ** 2, cosine
""",
        ),
        ({"other-schedule"}, _but("linear, quadratic = quadratic, linear * 2")),
        (set(), _but("linear = linear * 1000 / T")),
        (set(), _but("cosine = cosine.flip(0)")),
        ({"ignores-argument"}, "def my_curves(T, low, high):\n    return torch.zeros(3, T + 1)"),
    ],
    "fewer_steps": [
        (
            {"missing-zero-entry", "ratio-upside-down"},
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times]
    return 1 - bar[:-1] / bar[1:]
""",
        ),
        (
            {"variance-as-std", "alpha-for-beta"},
            """
def my_fewer_steps(betas, times):
    bar = torch.cumprod(1 - betas, 0)[times].sqrt()
    return torch.cat([torch.zeros(1), bar[1:] / bar[:-1]])
""",
        ),
        ({"ignores-argument"}, "my_fewer_steps = lambda betas, times: betas[: len(times)]"),
        ({"ignores-argument"}, "my_fewer_steps = lambda betas, times: torch.zeros(len(times))"),
    ],
}
