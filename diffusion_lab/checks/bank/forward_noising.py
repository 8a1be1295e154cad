"""Answers to exercise 01 as students write them.

See the docstring of the package for what each table promises.
"""

RIGHT = {
    "signal_left": [
        "my_signal_left = 0.39",
        "my_signal_left = (0.9 * 0.8 * 0.7 * 0.6 * 0.5) ** 0.5",
        "my_signal_left = torch.tensor(0.36)",
        "import numpy as np\nmy_signal_left = np.sqrt(np.prod(1 - np.linspace(0.1, 0.5, 5)))",
    ],
    "forward_step": [
        """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.lookup(schedule.betas, t, x_prev)
    return torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise
""",
        """
def my_forward_step(x_prev, t, schedule, noise, verbose=True):
    out = torch.empty_like(x_prev)
    for i in range(x_prev.shape[0]):
        b = schedule.betas[t[i]].item()
        out[i] = (1 - b) ** 0.5 * x_prev[i] + b ** 0.5 * noise[i]
        if verbose:
            print("picture", i, "beta", b)
    return out
""",
        """
import numpy as np

def my_forward_step(x_prev, t, schedule, noise):
    b = schedule.betas.numpy()[t.numpy()].reshape(-1, 1, 1, 1)
    return np.sqrt(1 - b) * x_prev.numpy() + np.sqrt(b) * noise.numpy()
""",
        """
my_forward_step = lambda x, t, s, n: torch.einsum("b,bchw->bchw", s.alphas[t].sqrt().float(), x) + torch.einsum(
    "b,bchw->bchw", s.betas[t].sqrt().float(), n
)
""",
        "my_forward_step = dl.forward_step",
    ],
    "add_noise": [
        """
def my_add_noise(x_0, t, noise, betas):
    alphas_cumprod = torch.cumprod(1 - betas, dim=0)
    signal = alphas_cumprod[t].sqrt().view(-1, 1, 1, 1)
    sigma = (1 - alphas_cumprod[t]).sqrt().view(-1, 1, 1, 1)
    return (signal * x_0 + sigma * noise).to(x_0.dtype)
""",
        """
def my_add_noise(x_0, t, noise, betas):
    result = []
    for picture, time, eps in zip(x_0, t, noise):
        bar = 1.0
        for k in range(1, int(time) + 1):
            bar = bar * (1 - float(betas[k]))
        result.append(bar ** 0.5 * picture + (1 - bar) ** 0.5 * eps)
    return torch.stack(result)
""",
        """
def my_add_noise(x_0, t, noise, betas):
    log_bar = torch.log1p(-betas.float()).cumsum(0)[t]
    log_bar = log_bar.expand(x_0[0].numel(), -1).T.reshape(x_0.shape)
    return torch.lerp(torch.zeros_like(x_0), x_0, torch.exp(log_bar / 2)) + torch.sqrt(-torch.expm1(log_bar)) * noise
""",
        """
import numpy as np

def my_add_noise(x_0, t, noise, betas):
    bar = np.concatenate([[1.0], np.cumprod(1 - betas[1:].numpy())])
    bar = torch.from_numpy(bar)[t].float()
    while bar.ndim < x_0.ndim:
        bar = bar.unsqueeze(-1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
    ],
    "walk": [
        """
def my_walk(x_0, noises, betas):
    path = torch.empty(len(noises) + 1, *x_0.shape)
    path[0] = x_0
    for t, noise in enumerate(noises, start=1):
        path[t] = (1 - betas[t]) ** 0.5 * path[t - 1] + betas[t] ** 0.5 * noise
    return path
""",
        """
def my_walk(x_0, noises, betas):
    schedule = dl.DiffusionSchedule.from_betas(betas[1:])
    def go(x, t):
        if t > schedule.timesteps:
            return []
        nxt = dl.forward_step(x, t, schedule, noises[t - 1])
        return [nxt] + go(nxt, t + 1)
    return torch.cat([x_0[None]] + [x[None] for x in go(x_0, 1)]).double()
""",
        """
from itertools import accumulate

def my_walk(x_0, noises, betas):
    steps = list(zip(betas[1:].tolist(), noises.numpy()))
    return torch.tensor([x.tolist() for x in accumulate(
        steps, lambda x, s: (1 - s[0]) ** 0.5 * x + s[0] ** 0.5 * s[1], initial=x_0.numpy())])
""",
    ],
    "scrubber": [
        """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def show_at(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(show_at, t=(0, schedule.timesteps))
""",
        """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider = ipywidgets.IntSlider(value=schedule.timesteps, min=0, max=schedule.timesteps, description="time t")
    out = ipywidgets.interactive_output(lambda t: show(schedule.add_noise(x_0, t, noise)), {"t": slider})
    return ipywidgets.VBox([slider, ipywidgets.HBox([out])])
""",
        """
from IPython.display import clear_output
from ipywidgets import HTML, IntSlider, Output, VBox

def my_scrubber(x_0, noise, schedule, show):
    slider, label, out = IntSlider(max=schedule.timesteps), HTML(), Output()

    def draw(change=None):
        label.value = f"<b>t = {slider.value}</b>"
        with out:
            clear_output(wait=True)
            show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, names="value")
    draw()
    return VBox([slider, label, out])
""",
        """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    @ipywidgets.interact(t=ipywidgets.IntSlider(min=0, max=schedule.timesteps, continuous_update=False))
    def scrub(t):
        t = torch.full((len(x_0),), t)
        show(schedule.add_noise(x_0, t, noise))

    return scrub
""",
        """
import ipywidgets

out = ipywidgets.Output()

@out.capture(clear_output=True, wait=True)
def draw(x_0, noise, schedule, show, t):
    bar = schedule.alphas_cumprod[t]
    show((bar.sqrt() * x_0 + (1 - bar).sqrt() * noise).float())

def my_scrubber(x_0, noise, schedule, show):
    slider = ipywidgets.SelectionSlider(options=range(schedule.timesteps + 1), description="t")
    slider.observe(lambda change: draw(x_0, noise, schedule, show, change["new"]), "value")
    draw(x_0, noise, schedule, show, slider.value)
    return ipywidgets.Accordion([ipywidgets.VBox([slider, out])])
""",
        """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    path = [schedule.add_noise(x_0, t, noise) for t in range(len(schedule.betas))]
    return ipywidgets.interactive(lambda t: show(path[t]), t=(0, len(path) - 1, 1))
""",
    ],
}

WRONG = {
    "signal_left": [
        ("cumsum-for-cumprod", "import math\nmy_signal_left = math.exp(-(0.1 + 0.2 + 0.3 + 0.4 + 0.5) / 2)"),
        ("cumsum-for-cumprod", "my_signal_left = 1 - 0.1 - 0.2 - 0.3 - 0.4 - 0.5"),
        ("beta-for-alpha", "my_signal_left = (0.1 * 0.2 * 0.3 * 0.4 * 0.5) ** 0.5"),
        (
            "one-minus-root",
            "import math\nmy_signal_left = math.prod(1 - (k / 10) ** 0.5 for k in range(1, 6))",
        ),
        ("not-iterated", "my_signal_left = (1 - 0.3) ** 0.5"),
        ("in-percent", "my_signal_left = 38.9"),
        ("wrong-type", "my_signal_left = '0.39'"),
        ("variance-as-std", "my_signal_left = 0.9 * 0.8 * 0.7 * 0.6 * 0.5"),
        ("alpha-for-alphabar", "my_signal_left = 0.5 ** 0.5"),
        ("index-shift", "my_signal_left = 0.55"),
        ("no-shrinking", "my_signal_left = 1"),
        ("noise-only", "my_signal_left = 0"),
        ("swapped-scales", "my_signal_left = (1 - 0.9 * 0.8 * 0.7 * 0.6 * 0.5) ** 0.5"),
        ("differs", "my_signal_left = 0.3"),
        ("differs", "my_signal_left = float('nan')"),
        ("wrong-type", "my_signal_left = 'a third'"),
        ("wrong-type", "my_signal_left = [0.39, 0.4]"),
    ],
    "forward_step": [
        (
            "one-minus-root",
            """
def my_forward_step(x_prev, t, schedule, noise):
    root = schedule.betas[t].sqrt()[:, None, None, None]
    return x_prev * (1 - root) + noise * root
""",
        ),
        (
            "noise-shrunk-too",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t][:, None, None, None]
    return (x_prev + beta.sqrt() * noise) * (1 - beta).sqrt()
""",
        ),
        (
            "noise-forgotten",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas.long()[t].view(-1, 1, 1, 1)
    return (1 - beta) ** 0.5 * x_prev + beta ** 0.5 * noise
""",
        ),
        (
            "noise-reused",
            """
def my_forward_step(x_prev, t, schedule, noise):
    rows = []
    for x, time, z in zip(x_prev, t.tolist(), noise):
        for k in range(1, time + 1):
            x = (1 - schedule.betas[k]).sqrt() * x + schedule.betas[k].sqrt() * z
        rows.append(x)
    return torch.stack(rows)
""",
        ),
        (
            "endpoint-missed",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[torch.clamp(t, max=schedule.timesteps - 1)].view(-1, 1, 1, 1)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise
""",
        ),
        (
            "shared-t",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t.max()]
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise
""",
        ),
        (
            "wrong-share",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return (1 - beta).sqrt() * x_prev + 0.7 * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return torch.sqrt(1 - beta) * x_prev + beta * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1).float()
    return x_prev - beta * x_prev + beta * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_forward_step(x_prev, t, schedule, noise):
    alpha = schedule.alphas[t][:, None, None, None]
    return alpha * x_prev + (1 - alpha).sqrt() * noise
""",
        ),
        (
            "index-shift",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t - 1].view(-1, 1, 1, 1)
    return torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise
""",
        ),
        (
            "index-shift",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[1:][t].view(-1, 1, 1, 1)
    return torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise
""",
        ),
        (
            "alphabar-for-alpha",
            """
def my_forward_step(x_prev, t, schedule, noise):
    a, s = schedule.alpha_sigma(t, x_prev)
    return a * x_prev + s * noise
""",
        ),
        (
            "swapped-scales",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return beta ** 0.5 * x_prev + (1 - beta) ** 0.5 * noise
""",
        ),
        (
            "no-shrinking",
            """
def my_forward_step(x_prev, t, schedule, noise):
    return x_prev + schedule.betas[t].view(-1, 1, 1, 1).sqrt() * noise
""",
        ),
        (
            "misbroadcast-t",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].to(x_prev.dtype)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise
""",
        ),
        (
            "misbroadcast-t",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].unsqueeze(-1)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise
""",
        ),
        (
            "misbroadcast-t",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t][:, None, None]
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * noise
""",
        ),
        (
            "shared-t",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[int(t[0])].item()
    return (1 - beta) ** 0.5 * x_prev + beta ** 0.5 * noise
""",
        ),
        (
            "draws-own-noise",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(x_prev)
    return torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise
""",
        ),
        (
            "error",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.beta[t]
    return x_prev
""",
        ),
        (
            "error",
            """
def my_forward_step(x_prev, t):
    return x_prev
""",
        ),
        (
            "error",
            """
def my_forward_step(x_prev, t, schedule, noise):
    exit()
""",
        ),
        (
            "wrong-axis",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return (torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise).flatten(1)
""",
        ),
        (
            "wrong-type",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    yield torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise
""",
        ),
        ("wrong-type", "my_forward_step = torch.zeros(3)"),
        (
            "wrong-dtype",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return (torch.sqrt(1 - beta) * x_prev + torch.sqrt(beta) * noise).half()
""",
        ),
        (
            "not-finite",
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return torch.sqrt(beta - 1) * x_prev + torch.sqrt(beta) * noise
""",
        ),
        (
            "changed-its-input",
            """
def my_forward_step(x_prev, t, schedule, noise):
    b = schedule.betas[t][:, None, None, None]  # float64 all the way
    x_prev *= (1 - b).sqrt()
    noise *= b.sqrt()
    return x_prev.double().add_(noise)
""",
        ),
    ],
    "add_noise": [
        (
            "beta-for-alpha",
            """
def my_add_noise(x_0, t, noise, betas):
    products = torch.cat([torch.ones(1), betas[1:].cumprod(0)])
    bar = products[t].view(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "endpoint-missed",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (1 - betas).cumprod(0)[torch.where(t == 0, 1, t)].view(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "noise-reused",
            """
def my_add_noise(x_0, t, noise, betas):
    rows = []
    for x, time, z in zip(x_0, t.tolist(), noise):
        for beta in betas[1 : time + 1]:
            x = (1 - beta).sqrt() * x + beta.sqrt() * z
        rows.append(x)
    return torch.stack(rows)
""",
        ),
        (
            "noise-shrunk-too",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (1 - betas).cumprod(0)[t].view(-1, 1, 1, 1)
    return bar.sqrt() * (x_0 + (1 - bar).sqrt() * noise)
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (-betas.cumsum(0)).exp()[t].view(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "one-minus-root",
            """
def my_add_noise(x_0, t, noise, betas):
    signal = torch.cumprod(1 - betas, dim=0)[t].sqrt().view(-1, 1, 1, 1)
    sigma = (1 - signal).sqrt()
    return (signal * x_0 + sigma * noise).to(x_0.dtype)
""",
        ),
        (
            "picked-too-early",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas[t], dim=0).view(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar) * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "variance-as-std",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return torch.lerp(noise.double(), x_0.double(), bar)
""",
        ),
        (
            "one-minus-root",
            """
def my_add_noise(x_0, t, noise, betas):
    signal = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1).sqrt()
    return signal * x_0 + (1 - signal) * noise
""",
        ),
        (
            "swapped-scales",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return (1 - bar).sqrt() * x_0 + bar.sqrt() * noise
""",
        ),
        (
            "no-shrinking",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "alpha-for-alphabar",
            """
def my_add_noise(x_0, t, noise, betas):
    alpha = (1 - betas)[t].reshape(-1, 1, 1, 1)
    return alpha.sqrt() * x_0 + (1 - alpha).sqrt() * noise
""",
        ),
        (
            "alpha-for-alphabar",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + betas[t].reshape(-1, 1, 1, 1).sqrt() * noise
""",
        ),
        (
            "alpha-for-alphabar",
            """
def my_add_noise(x_0, t, noise, betas):
    alphas = 1 - betas.reshape(-1, 1, 1, 1)
    return alphas[t].sqrt() * x_0 + (1 - alphas.cumprod(0)[t]).sqrt() * noise
""",
        ),
        (
            "beta-for-alpha",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_add_noise(x_0, t, noise, betas):
    total = torch.cumsum(betas, 0)[t].reshape(-1, 1, 1, 1)
    return (1 - total).sqrt() * x_0 + total.sqrt() * noise
""",
        ),
        (
            "cumsum-for-cumprod",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (1 - torch.cumsum(betas, 0)).clamp(min=0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "index-shift",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t - 1].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "index-shift",
            """
def my_add_noise(x_0, t, noise, betas):
    bars = [torch.prod(1 - betas[:k]) for k in t.tolist()]
    bar = torch.stack(bars).reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "index-shift",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas[1:], 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "index-shift",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas[1:], 0)[t - 1].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "shared-t",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t[0]]
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "misbroadcast-t",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t]
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "misbroadcast-t",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].view(len(t), 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            "draws-own-noise",
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * torch.randn(x_0.shape)
""",
        ),
        (
            "used-the-package",
            """
def my_add_noise(x_0, t, noise, betas):
    return [dl.DiffusionSchedule.from_betas(betas[1:]).add_noise(x, int(k), n) for x, k, n in zip(x_0, t, noise)]
""",
        ),
    ],
    "walk": [
        (
            "noise-shrunk-too",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for z, beta in zip(noises, betas[1:]):
        path.append((path[-1] + z * beta.sqrt()) * (1 - beta).sqrt())
    return torch.stack(path)
""",
        ),
        (
            "one-minus-root",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for z, beta in zip(noises, betas[1:]):
        path.append(path[-1] * (1 - beta.sqrt()) + z * beta.sqrt())
    return torch.stack(path)
""",
        ),
        (
            "noises-alike",
            """
def my_walk(x_0, noises, betas):
    bar, path, total = (1 - betas).cumprod(0), [x_0], 0
    for t, z in enumerate(noises, 1):
        total = total + z
        path.append(bar[t].sqrt() * x_0 + (1 - bar[t]).sqrt() * total)
    return torch.stack(path)
""",
        ),
        (
            "result-clipped",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for z, beta in zip(noises, betas[1:]):
        x = path[-1] * (1 - beta).sqrt() + z * beta.sqrt()
        path.append(x.clip(-1, 1))
    return torch.stack(path)
""",
        ),
        (
            "index-shift",
            """
def my_walk(x_0, noises, betas):
    path, T = [x_0], len(noises)
    for t in range(1, T + 1):
        path.append(path[-1] * (1 - betas[t]).sqrt() + noises[t % T] * betas[t].sqrt())
    return torch.stack(path)
""",
        ),
        (
            "variance-as-std",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for t in range(1, len(noises) + 1):
        path.append((1 - betas[t]).sqrt() * path[-1] + betas[t] * noises[t - 1])
    return torch.stack(path)
""",
        ),
        (
            "variance-as-std",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for beta, noise in zip(betas[1:], noises):
        path.append((1 - beta) * path[-1] + beta * noise)
    return torch.stack(path)
""",
        ),
        (
            "swapped-scales",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for beta, noise in zip(betas[1:], noises):
        path.append(beta.sqrt() * path[-1] + (1 - beta).sqrt() * noise)
    return torch.stack(path)
""",
        ),
        (
            "no-shrinking",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for beta, noise in zip(betas[1:], noises):
        path.append(path[-1] + beta.sqrt() * noise)
    return torch.stack(path)
""",
        ),
        (
            "index-shift",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for beta, noise in zip(betas, noises):
        path.append((1 - beta).sqrt() * path[-1] + beta.sqrt() * noise)
    return torch.stack(path)
""",
        ),
        (
            "alphabar-for-alpha",
            """
def my_walk(x_0, noises, betas):
    bar = torch.cumprod(1 - betas, 0)
    x, path = x_0, [x_0]
    for t in range(1, len(betas)):
        x = bar[t].sqrt() * x + (1 - bar[t]).sqrt() * noises[t - 1]
        path.append(x)
    return torch.stack(path)
""",
        ),
        (
            "noise-reused",
            """
def my_walk(x_0, noises, betas):
    noise = noises[0]
    path = [x_0]
    for beta in betas[1:]:
        path.append((1 - beta).sqrt() * path[-1] + beta.sqrt() * noise)
    return torch.stack(path)
""",
        ),
        (
            "endpoint-missed",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for t in range(1, len(noises)):
        path.append((1 - betas[t]).sqrt() * path[-1] + betas[t].sqrt() * noises[t - 1])
    return torch.stack(path)
""",
        ),
        (
            "endpoint-missed",
            """
def my_walk(x_0, noises, betas):
    x, path = x_0, []
    for t in range(1, len(noises) + 1):
        x = (1 - betas[t]).sqrt() * x + betas[t].sqrt() * noises[t - 1]
        path.append(x)
    return torch.stack(path)
""",
        ),
        (
            "not-iterated",
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for t in range(1, len(noises) + 1):
        path.append((1 - betas[t]).sqrt() * x_0 + betas[t].sqrt() * noises[t - 1])
    return torch.stack(path)
""",
        ),
        (
            "not-iterated",
            """
def my_walk(x_0, noises, betas):
    schedule = dl.DiffusionSchedule.from_betas(betas[1:])
    return torch.stack([x_0] + [schedule.add_noise(x_0, t + 1, noise) for t, noise in enumerate(noises)])
""",
        ),
        (
            "aliased-states",
            """
def my_walk(x_0, noises, betas):
    x, path = x_0, [x_0]
    for beta, noise in zip(betas[1:], noises):
        x.mul_((1 - beta).sqrt()).add_(beta.sqrt() * noise)
        path.append(x)
    return torch.stack(path)
""",
        ),
        (
            "aliased-states",
            """
def my_walk(x_0, noises, betas):
    path, x = [x_0], x_0.clone()
    for beta, noise in zip(betas[1:], noises):
        x *= (1 - beta).sqrt()
        x += beta.sqrt() * noise
        path.append(x)
    return torch.stack(path)
""",
        ),
        (
            "changed-its-input",
            """
def my_walk(x_0, noises, betas):
    x = x_0
    path = [x_0.clone()]
    for beta, noise in zip(betas[1:], noises):
        x *= (1 - beta).sqrt()
        x += beta.sqrt() * noise
        path.append(x.clone())
    return path
""",
        ),
    ],
    "scrubber": [
        (
            "wrong-range",
            """
import ipywidgets


def my_scrubber(x_0, noise, schedule, show):
    def picture(t):
        show(schedule.add_noise(x_0, t, noise))

    few = max(1, schedule.timesteps // 10)
    return ipywidgets.interactive(picture, t=(0, schedule.timesteps, few))
""",
        ),
        (
            "swapped-scales",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(noise, t, x_0))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "noise-not-added",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(x_0)

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "noise-not-added",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        schedule.add_noise(x_0, slider.value, noise)
        with out:
            show(x_0)

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "index-shift",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, max(0, t - 1), noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "index-shift",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, min(t + 1, schedule.timesteps), noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "index-shift",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        keep, add = schedule.sqrt_alphas_cumprod.float(), schedule.sqrt_one_minus_alphas_cumprod.float()
        show(keep[t - 1] * x_0 + add[t - 1] * noise)

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=(0, 1000))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=(1, schedule.timesteps))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps - 1))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t + 1, noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps - 1))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps, 10))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=schedule.timesteps)
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise))

    return ipywidgets.interactive(draw, t=ipywidgets.SelectionSlider(options=[0, 1, schedule.timesteps]))
""",
        ),
        (
            "wrong-range",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "nothing-shown",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        schedule.add_noise(x_0, t, noise)

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "nothing-shown",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            schedule.add_noise(x_0, slider.value, noise)

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "slider-ignored",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, slider.value, noise))


    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "slider-ignored",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "max")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "slider-ignored",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()
    with out:
        show(schedule.add_noise(x_0, slider.value, noise))
    return ipywidgets.HBox([slider, out])
""",
        ),
        (
            "nothing-at-first",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "value")

    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "shown-elsewhere",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "shown-elsewhere",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider])
""",
        ),
        (
            "value-read-once",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(value=1, max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(x_t)

    slider.observe(draw, "value")
    x_t = schedule.add_noise(x_0, slider.value, noise)
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "value-read-once",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider = ipywidgets.IntSlider(value=2, min=0, max=schedule.timesteps)
    t = slider.value
    out = ipywidgets.interactive_output(lambda _t: show(schedule.add_noise(x_0, t, noise)), {"_t": slider})
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "old-for-new",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        with out:
            show(schedule.add_noise(x_0, change["old"] if change else slider.value, noise))

    slider.observe(draw, "value")
    draw(None)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            "draws-own-noise",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "draws-own-noise",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    eps = torch.randn_like(x_0)
    def draw(t):
        show(schedule.add_noise(x_0, t, eps))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "error",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t - 1, noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "error",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0[0], t, noise))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "error",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, t, noise)[0])

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            "error",
            """
def my_scrubber(x_0, noise, schedule):
    return None
""",
        ),
        (
            "error",
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    return ipywidgets.Output()
""",
        ),
        (
            "error",
            """
def my_scrubber(x_0, noise, schedule, show):
    return lambda t: show(schedule.add_noise(x_0, t, noise))
""",
        ),
        (
            "wrong-type",
            """
import ipywidgets

my_scrubber = ipywidgets.IntSlider(max=1000)
""",
        ),
    ],
}

COMPOUND = {
    "forward_step": [
        (
            {"variance-as-std", "index-shift"},
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t - 1].view(-1, 1, 1, 1)
    return torch.sqrt(1 - beta) * x_prev + beta * noise
""",
        ),
        (
            {"variance-as-std", "misbroadcast-t"},
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t]
    return (1 - beta) * x_prev + beta * noise
""",
        ),
        (
            {"no-shrinking", "draws-own-noise"},
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return x_prev + torch.sqrt(beta) * torch.randn_like(noise)
""",
        ),
        (
            {"wrong-sign"},
            """
def my_forward_step(x_prev, t, schedule, noise):
    beta = schedule.betas[t].view(-1, 1, 1, 1)
    return torch.sqrt(1 - beta) * x_prev - torch.sqrt(beta) * noise
""",
        ),
        (
            {"ignores-argument", "noise-forgotten"},
            "def my_forward_step(x_prev, t, schedule, noise):\n    return x_prev",
        ),
        (
            {"ignores-argument"},
            "def my_forward_step(x_prev, t, schedule, noise):\n    return torch.zeros_like(x_prev)",
        ),
        (set(), "def my_forward_step(x_prev, t, schedule, noise):\n    return x_prev * float('nan')"),
    ],
    "add_noise": [
        (
            {"one-minus-root", "cumsum-for-cumprod"},
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (1 - betas.cumsum(0)).clamp(min=0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar.sqrt()) * noise
""",
        ),
        (
            {"alpha-for-alphabar", "index-shift"},
            """
def my_add_noise(x_0, t, noise, betas):
    bar = (1 - betas)[t - 1].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        (
            {"cumsum-for-cumprod"},
            """
def my_add_noise(x_0, t, noise, betas):
    bar = torch.cumsum(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
""",
        ),
        ({"ignores-argument"}, "def my_add_noise(x_0, t, noise, betas):\n    return x_0 + noise"),
    ],
    "walk": [
        (
            {"index-shift", "variance-as-std"},
            """
def my_walk(x_0, noises, betas):
    path = [x_0]
    for beta, noise in zip(betas, noises):
        path.append((1 - beta).sqrt() * path[-1] + beta * noise)
    return torch.stack(path)
""",
        ),
        (
            {"endpoint-missed", "noise-reused"},
            """
def my_walk(x_0, noises, betas):
    path = []
    for beta in betas[1:]:
        x_0 = (1 - beta).sqrt() * x_0 + beta.sqrt() * noises[0]
        path.append(x_0)
    return torch.stack(path)
""",
        ),
        ({"ignores-argument"}, "def my_walk(x_0, noises, betas):\n    return torch.cat([x_0[None], noises])"),
        (
            {"ignores-argument"},
            "def my_walk(x_0, noises, betas):\n    return torch.stack([x_0] * (len(noises) + 1))",
        ),
    ],
    "scrubber": [
        (
            {"nothing-at-first", "shown-elsewhere"},
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        show(schedule.add_noise(x_0, slider.value, noise))

    slider.observe(draw, "value")

    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            {"noise-not-added", "slider-ignored", "value-read-once"},
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    slider, out = ipywidgets.IntSlider(max=schedule.timesteps), ipywidgets.Output()

    def draw(change):
        pass

    slider.observe(draw, "value")
    with out:
        show(x_0)
    return ipywidgets.VBox([slider, out])
""",
        ),
        (
            {"draws-own-noise", "index-shift"},
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(schedule.add_noise(x_0, max(0, t - 1)))

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
        (
            {"ignores-argument"},
            """
import ipywidgets

def my_scrubber(x_0, noise, schedule, show):
    def draw(t):
        show(x_0 + t * noise)

    return ipywidgets.interactive(draw, t=(0, schedule.timesteps))
""",
        ),
    ],
}
