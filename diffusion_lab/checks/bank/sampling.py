"""Answers to exercise 06 as students write them.

See the docstring of the package for what each table promises.
"""


def step(
    mean="(abar_b.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)",
    variance="beta * (1 - abar_b) / (1 - abar)",
    noise="var.sqrt() * z",
    before="t - 1",
):
    """An ancestral step with something changed."""
    return f"""
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    alpha, beta = schedule.alphas[t], schedule.betas[t]
    abar, abar_b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[{before}]
    mean = {mean}
    var = {variance}
    return mean + {noise}
"""


def ddim(
    eps="(x_t - a_t.sqrt() * x_0_hat) / (1 - a_t).sqrt()",
    sigma="eta * torch.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))",
    last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps + sigma * z",
    read="schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]",
):
    """A DDIM step with something changed."""
    return f"""
def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    a_t, a_s = {read}
    eps = {eps}
    sigma = {sigma}
    return {last}
"""


def loop(
    before="model.eval()",
    no_grad="@torch.no_grad()",
    ask="t",
    x_0="a_t.sqrt() * x - (1 - a_t).sqrt() * v",
    beta="1 - a_t / a_s",
    variance="beta * (1 - a_s) / (1 - a_t)",
    noise="var.sqrt() * noises[k]",
    mean="(a_s.sqrt() * beta * x_0 + (1 - beta).sqrt() * (1 - a_s) * x) / (1 - a_t)",
    start="x = x_T",
    pairs="zip(times[:-1], times[1:])",
    first="",
    after="",
):
    """A sampler with something changed."""
    return f"""
{no_grad}
def my_sampler(model, schedule, times, x_T, noises):
    {start}
    {before}
    for k, (t, s) in enumerate({pairs}):
        {first}
        a_t, a_s = schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]
        v = model(x, torch.full((x.shape[0],), {ask}))
        x_0 = {x_0}
        beta = {beta}
        var = {variance}
        x = {mean} + {noise}
        {after}
    return x
"""


def shares(*values):
    """The four numbers of 6.5."""
    names = ("t = 300, eta = 0", "t = 300, eta = 1", "t = 700, eta = 0", "t = 700, eta = 1")
    return f"my_kept = {dict(zip(names, values, strict=True))}"


def measured(
    start="a * walkers + s * e",
    schedule="dl.DiffusionSchedule.from_betas(cosine.betas[1 : t + 1])",
    eta="eta",
    steps=20,
    seed=5,
):
    """A measurement of 6.5 with something changed."""
    return f"""
cosine = dl.DiffusionSchedule.cosine(1000)
bells = dl.oracle.GaussianMixture([0.3, 0.5, 0.2], [[-1.2], [0.2], [1.3]], [[[0.03]], [[0.05]], [[0.02]]])
exact = bells.denoiser(cosine)
walkers = torch.full((2000, 1), 1.3)
g = torch.Generator().manual_seed({seed})
my_kept = {{}}
for t in (300, 700):
    for eta in (0.0, 1.0):
        a, s = cosine.alpha_sigma(t, walkers)
        e = torch.randn(2000, 1, generator=g)
        options = dict(num_steps={steps}, eta={eta}, objective="x0", generator=g)
        for state in dl.SAMPLERS["ddim"](exact, {schedule}, {start}, **options):
            pass
        my_kept[f"t = {{t}}, eta = {{eta:g}}"] = (state.x_t > 0.75).double().mean()
"""


RIGHT = {
    "how_sure": [
        "my_how_sure = 0.07",
        "my_how_sure = 1 / (1 / 0.1 + 0.8 / 0.2)",
        (
            "s = dl.DiffusionSchedule.from_betas([0.1, 0.2])\n"
            "my_how_sure = dl.posterior(torch.ones(1), torch.ones(1), 2, s)[1]"
        ),
        "import numpy as np\nmy_how_sure = np.float32(0.1 * 0.2 / 0.28)",
    ],
    "ancestral_step": [
        step(),
        step(variance="beta if t > 1 else torch.zeros(())"),
        step(variance="(beta * (1 - abar_b) / (1 - abar)).clamp(min=1e-20)"),
        """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z, eta=1.0):
    s = t - 1
    eps = (x_t - schedule.alphas_cumprod[t] ** 0.5 * x_0_hat) / (1 - schedule.alphas_cumprod[t]) ** 0.5
    a, b = float(schedule.alphas_cumprod[t]), float(schedule.alphas_cumprod[s])
    sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
    return b ** 0.5 * x_0_hat + (1 - b - sigma ** 2) ** 0.5 * eps + sigma * z
""",
        """
import numpy as np

def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    betas = schedule.betas.numpy()
    bar = np.cumprod(1 - betas)
    x_t, x_0_hat, z = x_t.numpy(), x_0_hat.numpy(), z.numpy()
    eps = (x_t - np.sqrt(bar[t]) * x_0_hat) / np.sqrt(1 - bar[t])
    mean = (x_t - betas[t] / np.sqrt(1 - bar[t]) * eps) / np.sqrt(1 - betas[t])
    return mean + (np.sqrt(betas[t]) * z if t > 1 else 0)
""",
    ],
    "ddim_step": [
        ddim(),
        """
def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    a_t, s_t = schedule.alpha_sigma(t, x_t)
    a_s, s_s = schedule.alpha_sigma(s, x_t)
    eps = (x_t - a_t * x_0_hat) / s_t
    var = eta ** 2 * s_s ** 2 / s_t ** 2 * (1 - a_t ** 2 / a_s ** 2)
    return a_s * x_0_hat + torch.sqrt(torch.relu(s_s ** 2 - var)) * eps + torch.sqrt(var) * z
""",
        """
import math

def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z, verbose=False):
    bar = schedule.alphas_cumprod.tolist()
    sigma = eta * math.sqrt((1 - bar[s]) * (1 - bar[t] / bar[s]) / (1 - bar[t]))
    out = []
    for x, x_0, noise in zip(x_t, x_0_hat, z):
        eps = (x - math.sqrt(bar[t]) * x_0) / math.sqrt(1 - bar[t])
        out.append(math.sqrt(bar[s]) * x_0 + math.sqrt(max(1 - bar[s] - sigma ** 2, 0)) * eps + sigma * noise)
    return torch.stack(out)
""",
        """
def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    bar = torch.cumprod(1 - schedule.betas, 0)
    x, x_0 = x_t.double(), x_0_hat.double()
    _, eps = dl.process.split(x_0, x, t, schedule, "x0")
    sigma = eta * dl.posterior(x_0, x, t, schedule, s)[1].sqrt()
    x = bar[s].sqrt() * x_0
    x += (1 - bar[s] - sigma.square()).clamp(min=0).sqrt() * eps
    return x + (sigma * z if eta > 0 else 0)
""",
        """
import numpy as np

def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    at, as_ = (schedule.alphas_cumprod.numpy()[k] for k in (t, s))
    eps = (x_t.numpy() - np.sqrt(at) * x_0_hat.numpy()) / np.sqrt(1 - at)
    var = (1 - as_) / (1 - at) * (1 - at / as_) * eta * eta
    return np.sqrt(as_) * x_0_hat.numpy() + np.sqrt(1 - as_ - var) * eps + np.sqrt(var) * z.numpy()
""",
    ],
    "sampler": [
        loop(),
        loop(variance="beta if s > 0 else 0 * beta"),
        loop(mean="dl.posterior(x_0, x, t, schedule, s)[0]", no_grad="@torch.inference_mode()"),
        """
def my_sampler(model, schedule, times, x_T, noises, clip=True):
    model = model.eval().requires_grad_(False)
    x = x_T.clone()
    for k in range(len(times) - 1):
        t, s = times[k], times[k + 1]
        x_0, eps = dl.sampling.guess(model, x, t, schedule)
        mean, var = dl.posterior(x_0, x, t, schedule, s)
        x = mean
        if s != 0:
            x += var ** 0.5 * noises[k]
        print("now at", s)
    return x
""",
        """
import math

def my_sampler(model, schedule, times, x_T, noises):
    bar = schedule.alphas_cumprod.tolist()
    model.train(False)
    def go(x, steps):
        if not steps:
            return x
        k, t, s = steps[0]
        a, b = math.sqrt(bar[t]), math.sqrt(1 - bar[t])
        with torch.no_grad():
            v = model(x, t * torch.ones(len(x), dtype=torch.long))
        x_0, eps = a * x - b * v, b * x + a * v
        sigma = math.sqrt((1 - bar[s]) / (1 - bar[t]) * (1 - bar[t] / bar[s]))
        x = math.sqrt(bar[s]) * x_0 + math.sqrt(1 - bar[s] - sigma ** 2) * eps + sigma * noises[k]
        return go(x, steps[1:])
    return go(x_T, [(k, times[k], times[k + 1]) for k in range(len(noises))])
""",
        """
def my_sampler(model, schedule, times, x_T, noises):
    model.eval()
    x, left = x_T, list(noises)
    with torch.no_grad():
        while len(times) > 1:
            t, *times = times
            abar, abar_s = schedule.alphas_cumprod[[t, times[0]]]
            v = model(x, torch.tensor([t] * x.size(0)))
            eps = (1 - abar).sqrt() * x + abar.sqrt() * v
            alpha = abar / abar_s
            z = left.pop(0)
            x = (x - (1 - alpha) / (1 - abar).sqrt() * eps) / alpha.sqrt()
            if times[0] > 0:
                x = x + (1 - alpha).sqrt() * z
    return x.double()
""",
    ],
    "kept": [
        measured(),
        measured(steps=100, seed=8),
        measured(steps=10, seed=3),
        shares(0.77, 0.66, 0.40, 0.27),
    ],
}

WRONG = {
    "how_sure": [
        ("wrong-sigma", "my_how_sure = 0.2"),
        ("wrong-sigma", "my_how_sure = 0.25"),
        ("wrong-sigma", "my_how_sure = 0.1"),
        ("precisions-not-added", "my_how_sure = 0.1 + 0.25"),
        ("precisions-not-added", "my_how_sure = (0.1 + 0.25) / 2"),
        ("precisions-not-added", "my_how_sure = 14"),
        ("variance-as-std", "my_how_sure = (1 / 14) ** 0.5"),
        ("ratio-upside-down", "my_how_sure = 0.28 / 0.1 * 0.2"),
        ("differs", "my_how_sure = 0.05"),
        ("wrong-type", "my_how_sure = '1/14'"),
    ],
    "ancestral_step": [
        ("noise-at-end", step(variance="beta")),
        (
            "used-the-package",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    mean, _ = dl.posterior(x_0_hat, x_t, t, schedule)
    return mean + schedule.betas[t].sqrt() * z
""",
        ),
        ("no-noise-midway", step(noise="0")),
        (
            "no-noise-midway",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    eps = (x_t - schedule.alphas_cumprod[t].sqrt() * x_0_hat) / (1 - schedule.alphas_cumprod[t]).sqrt()
    return schedule.add_noise(x_0_hat, t - 1, eps)
""",
        ),
        ("variance-as-std", step(noise="var * z")),
        ("variance-as-std", step(variance="beta", noise="var * z")),
        ("variance-as-std", step(variance="beta * (t > 1)", noise="var * z")),
        (
            "variance-as-std",
            step("(abar_b * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)"),
        ),
        (
            "variance-as-std",
            step("(abar_b.sqrt() * beta * x_0_hat + alpha * (1 - abar_b) * x_t) / (1 - abar)"),
        ),
        (
            "variance-as-std",
            step("(abar_b * beta * x_0_hat + alpha * (1 - abar_b) * x_t) / (1 - abar)", "beta * (t > 1)"),
        ),
        (
            "swapped-scales",
            step("(abar_b.sqrt() * beta * x_t + alpha.sqrt() * (1 - abar_b) * x_0_hat) / (1 - abar)"),
        ),
        (
            "alphabar-for-alpha",
            step("(abar_b.sqrt() * beta * x_0_hat + abar.sqrt() * (1 - abar_b) * x_t) / (1 - abar)"),
        ),
        (
            "alpha-for-alphabar",
            step("(alpha.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)"),
        ),
        (
            "index-shift",
            step("(abar.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)"),
        ),
        ("index-shift", step(before="t")),
        ("index-shift", step(variance="beta * (t > 1)", before="t")),
        (
            "index-shift",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    abar = schedule.alphas_cumprod[1:]
    before = torch.cat([torch.ones(1), abar[:-1]])
    beta = schedule.betas[1:]
    of_x_0 = before[t].sqrt() * beta[t] / (1 - abar[t])
    of_x_t = (1 - beta[t]).sqrt() * (1 - before[t]) / (1 - abar[t])
    return of_x_0 * x_0_hat + of_x_t * x_t + (beta[t] * (1 - before[t]) / (1 - abar[t])).sqrt() * z
""",
        ),
        ("wrong-sigma", step(variance="1 - abar")),
        ("wrong-sigma", step(variance="1 - abar_b")),
        ("wrong-sigma", step(noise="z")),
        ("wrong-sigma", step(variance="beta / alpha")),
        ("noise-reused", step(noise="var.sqrt() * (x_t - abar.sqrt() * x_0_hat) / (1 - abar).sqrt()")),
        (
            "noise-reused",
            step(variance="beta", noise="var.sqrt() * (x_t - abar.sqrt() * x_0_hat) / (1 - abar).sqrt()"),
        ),
        (
            "noised-anew",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    return schedule.add_noise(x_0_hat, t - 1, z)
""",
        ),
        ("draws-own-noise", step(noise="var.sqrt() * torch.randn_like(x_t)")),
        ("error", step(noise="var.sqrt() * noise")),
        (
            "wrong-axis",
            step(noise="var.sqrt() * z").replace(
                "return mean + var.sqrt() * z", "return (mean + var.sqrt() * z).flatten(1)"
            ),
        ),
        ("not-finite", step(variance="-beta")),
        (
            "changed-its-input",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    print("step", t)
    abar = schedule.alphas_cumprod[t - 1].double()
    if t == 1:
        return x_0_hat
    sure = [schedule.alphas[t] / schedule.betas[t], 1 / (1 - abar)]
    var = 1 / sum(sure)
    x_t *= sure[0] / schedule.alphas[t].sqrt()
    x_t += sure[1] * abar.sqrt() * x_0_hat
    x_t *= var
    return x_t.add_(var.sqrt() * z)
""",
        ),
        ("used-the-package", step(mean="dl.posterior(x_0_hat, x_t, t, schedule)[0]")),
        (
            "shared-noise",
            """
def my_ancestral_step(x_t, x_0_hat, t, schedule, z):
    alpha, beta = schedule.alphas[t], schedule.betas[t]
    abar, abar_b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[t - 1]
    mean = (abar_b.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)
    return mean + (beta * (1 - abar_b) / (1 - abar)).sqrt() * z[0]
""",
        ),
    ],
    "ddim_step": [
        ("stride-beta", ddim(sigma="eta * ((1 - a_s) / (1 - a_t) * schedule.betas[t]).sqrt()")),
        ("stride-beta", ddim(sigma="eta * schedule.betas[t].sqrt()")),
        ("stride-beta", ddim(read="schedule.alphas_cumprod[t], schedule.alphas_cumprod[t - 1]")),
        ("variance-as-std", ddim(sigma="eta * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)")),
        ("variance-as-std", ddim(sigma="eta**2 * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)")),
        ("variance-as-std", ddim(sigma="(eta * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()")),
        ("variance-as-std", ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2) * eps + sigma * z")),
        ("variance-as-std", ddim(last="a_s.sqrt() * x_0_hat + ((1 - a_s).sqrt() - sigma) * eps + sigma * z")),
        ("variance-as-std", ddim(eps="(x_t - a_t * x_0_hat) / (1 - a_t).sqrt()")),
        ("variance-as-std", ddim(eps="(x_t - a_t.sqrt() * x_0_hat) / (1 - a_t)")),
        ("wrong-target", ddim(eps="x_t - a_t.sqrt() * x_0_hat")),
        ("wrong-target", ddim(eps="x_t / (1 - a_t).sqrt()")),
        ("no-shrinking", ddim(eps="(x_t - x_0_hat) / (1 - a_t) ** 0.5")),
        ("wrong-sign", ddim(eps="(a_t.sqrt() * x_0_hat + x_t) / (1 - a_t).sqrt()")),
        ("wrong-share", ddim(eps="(x_t - a_t.sqrt() * x_0_hat) / (1.2 - a_t).sqrt()")),
        ("wrong-share", ddim(eps="(x_t - 0.5 * x_0_hat) / (1 - a_t).sqrt()")),
        ("wrong-target", ddim(eps="x_t - x_0_hat")),
        ("wrong-target", ddim(eps="x_t")),
        ("noise-on-top", ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s).sqrt() * eps + sigma * z")),
        ("no-noise-midway", ddim(sigma="torch.zeros(())")),
        ("no-noise-midway", ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).sqrt() * eps")),
        ("ignores-eta", ddim(sigma="((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()")),
        ("wrong-sigma", ddim(sigma="eta * (1 - a_t / a_s).sqrt()")),
        ("wrong-sigma", ddim(sigma="eta * (1 - a_s).sqrt()")),
        ("wrong-sigma", ddim(sigma="torch.tensor(eta)")),
        ("index-shift", ddim(read="schedule.alphas_cumprod[t], schedule.alphas_cumprod[s + 1]")),
        ("index-shift", ddim(read="schedule.alphas_cumprod[t - 1], schedule.alphas_cumprod[s]")),
        ("index-shift", ddim(read="schedule.alphas_cumprod[[t - 1, s - 1]]")),
        ("swapped-scales", ddim(eps="(x_t - (1 - a_t).sqrt() * x_0_hat) / a_t.sqrt()")),
        ("noise-reused", ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).sqrt() * eps + sigma * eps")),
        ("noised-anew", ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s).sqrt() * z")),
        (
            "draws-own-noise",
            ddim(
                last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).sqrt() * eps + sigma * torch.randn(z.shape)"
            ),
        ),
        ("error", ddim(sigma="eta * schedule.sigma[t]")),
        (
            "wrong-shape",
            ddim(
                eps="((x_t - a_t.sqrt() * x_0_hat) / (1 - a_t).sqrt())[:1, :1]",
                last="(a_s.sqrt() * x_0_hat)[:1] + (1 - a_s - sigma**2).sqrt() * eps + sigma * z[:1]",
            ),
        ),
        (
            "no-shrinking",
            """
def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    a, b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]
    eps = (x_t - a.sqrt() * x_0_hat) / (1 - a).sqrt()
    sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)).sqrt()
    return x_0_hat + (1 - b - sigma**2).clamp(min=0).sqrt() * eps + sigma * z
""",
        ),
        (
            "wrong-sign",
            """
def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):
    a, b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]
    eps = (x_t - a.sqrt() * x_0_hat) / (1 - a).sqrt()
    sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)).sqrt()
    return b.sqrt() * x_0_hat - (1 - b - sigma**2).clamp(min=0).sqrt() * eps + sigma * z
""",
        ),
    ],
    "sampler": [
        ("stride-beta", loop(beta="schedule.betas[t]")),
        ("stride-beta", loop(beta="schedule.betas[t]", variance="beta * (s > 0)")),
        (
            "stride-beta",
            loop(
                mean="dl.posterior(x_0, x, t, schedule)[0]", variance="dl.posterior(x_0, x, t, schedule)[1]"
            ),
        ),
        (
            "stride-beta",
            loop(
                mean="dl.posterior(x_0, x, t, schedule, s)[0]",
                variance="schedule.betas[t] * (1 - a_s) / (1 - a_t)",
            ),
        ),
        ("noise-at-end", loop(variance="beta")),
        ("no-noise-midway", loop(noise="0")),
        (
            "no-noise-midway",
            loop(
                mean="a_s.sqrt() * x_0", noise="(1 - a_s).sqrt() * (x - a_t.sqrt() * x_0) / (1 - a_t).sqrt()"
            ),
        ),
        ("noise-reused", loop(noise="var.sqrt() * noises[0]")),
        ("noise-reused", loop(variance="beta * (s > 0)", noise="var.sqrt() * noises[-1]")),
        ("noise-reused", loop(noise="var.sqrt() * ((1 - a_t).sqrt() * x + a_t.sqrt() * v)")),
        ("index-shift", loop(ask="s")),
        ("index-shift", loop(ask="k")),
        ("index-shift", loop(ask="t - 1")),
        ("endpoint-missed", loop(pairs="zip(times[:-2], times[1:-1])")),
        ("endpoint-missed", loop(pairs="zip(times[1:-1], times[2:])")),
        ("endpoint-missed", loop(first="if s == 0: break")),
        ("wrong-target", loop(x_0="v")),
        ("wrong-target", loop(x_0="(x - (1 - a_t).sqrt() * v) / a_t.sqrt()")),
        ("swapped-scales", loop(x_0="(1 - a_t).sqrt() * x - a_t.sqrt() * v")),
        ("variance-as-std", loop(x_0="a_t * x - (1 - a_t) * v")),
        ("variance-as-std", loop(noise="var * noises[k]")),
        ("variance-as-std", loop(noise="beta * noises[k]")),
        ("not-iterated", loop(first="x = x_T")),
        ("wrong-sigma", loop(variance="1 - a_s")),
        ("wrong-sigma", loop(noise="noises[k]")),
        ("noised-anew", loop(mean="a_s.sqrt() * x_0", variance="1 - a_s")),
        (
            "noise-on-top",
            loop(mean="a_s.sqrt() * x_0 + (1 - a_s).sqrt() * (x - a_t.sqrt() * x_0) / (1 - a_t).sqrt()"),
        ),
        ("missing-eval", loop(before="pass")),
        ("missing-eval", loop(before="model.train()")),
        ("missing-eval", loop(after="model.train()")),
        ("missing-no-grad", loop(no_grad="")),
        ("changed-its-input", loop(after="[p.mul_(0.9) for p in model.parameters()] if s == 0 else None")),
        ("missing-no-grad", loop(no_grad="", variance="beta * (s > 0)", before="model = model.eval()")),
        ("draws-own-noise", loop(noise="var.sqrt() * torch.randn_like(x)")),
        ("error", loop(ask="t").replace("torch.full((x.shape[0],), t)", "times")),
        ("one-time-for-all", loop(ask="t").replace("torch.full((x.shape[0],), t)", "torch.tensor(t)")),
        ("wrong-shape", loop(after="if s == 0: return x[0]")),
        ("wrong-type", loop(no_grad="").replace("    return x", "    yield x")),
        (
            "wrong-sign",
            """
def my_sampler(model, schedule, times, x_T, noises):
    x = x_T
    model.eval()
    with torch.no_grad():
        for k, (t, s) in enumerate(zip(times[:-1], times[1:])):
            a, b = schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]
            v = model(x, torch.full((len(x),), t))
            x_0 = a.sqrt() * x + (1 - a).sqrt() * v
            beta = 1 - a / b
            mean = (b.sqrt() * beta * x_0 + (1 - beta).sqrt() * (1 - b) * x) / (1 - a)
            x = mean + (beta * (1 - b) / (1 - a)).sqrt() * noises[k]
    return x
""",
        ),
    ],
    "kept": [
        ("wrong-clock", measured(schedule="cosine", steps=50)),
        ("no-shrinking", measured("walkers + s * e")),
        ("variance-as-std", measured("a**2 * walkers + s**2 * e")),
        ("variance-as-std", measured("a * walkers + s**2 * e")),
        ("swapped-scales", measured("s * walkers + a * e")),
        ("no-way-up", measured("walkers", steps=50)),
        ("no-way-up", measured("a * walkers", steps=50)),
        ("ignores-eta", measured(eta="1.0", steps=50)),
        ("ignores-eta", measured(eta="0.0")),
        ("ignores-eta", measured(eta="1 - eta")),
        ("differs", shares(0.9, 0.9, 0.9, 0.9)),
        ("wrong-type", "my_kept = 0.7"),
        ("wrong-type", "my_kept = {'t = 300': 0.7}"),
        (
            "in-percent",
            'my_kept = {"t = 300, eta = 0": 76.9, "t = 300, eta = 1": 66.3,'
            ' "t = 700, eta = 0": 39.8, "t = 700, eta = 1": 26.7}',
        ),
        (
            "in-percent",
            'my_kept = {"t = 300, eta = 0": 1540, "t = 300, eta = 1": 1325,'
            ' "t = 700, eta = 0": 800, "t = 700, eta = 1": 530}',
        ),
        (
            "one-minus",
            'my_kept = {"t = 300, eta = 0": 0.23, "t = 300, eta = 1": 0.34,'
            ' "t = 700, eta = 0": 0.6, "t = 700, eta = 1": 0.73}',
        ),
        (
            "results-exchanged",
            'my_kept = {"t = 300, eta = 0": 0.4, "t = 300, eta = 1": 0.27,'
            ' "t = 700, eta = 0": 0.77, "t = 700, eta = 1": 0.66}',
        ),
        (
            "noise-only",
            'my_kept = {"t = 300, eta = 0": 0.2, "t = 300, eta = 1": 0.19,'
            ' "t = 700, eta = 0": 0.21, "t = 700, eta = 1": 0.2}',
        ),
    ],
}

COMPOUND = {
    "ancestral_step": [
        ({"variance-as-std", "noise-at-end"}, step(variance="beta", noise="beta * z")),
        ({"ignores-argument", "index-shift", "no-noise-midway"}, step(before="t", noise="0")),
        ({"wrong-sign"}, step(noise="-var.sqrt() * z")),
        ({"ignores-argument"}, "def my_ancestral_step(x_t, x_0_hat, t, schedule, z):\n    return x_t"),
        ({"ignores-argument"}, "def my_ancestral_step(x_t, x_0_hat, t, schedule, z):\n    return x_0_hat"),
    ],
    "ddim_step": [
        (
            {"noise-on-top", "variance-as-std"},
            ddim(
                sigma="eta * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)",
                last="a_s.sqrt() * x_0_hat + (1 - a_s).sqrt() * eps + sigma * z",
            ),
        ),
        ({"stride-beta", "index-shift", "wrong-sigma"}, ddim(sigma="eta * schedule.betas[t - 1].sqrt()")),
        ({"ignores-argument"}, "def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):\n    return x_0_hat"),
        ({"ignores-argument"}, "def my_ddim_step(x_t, x_0_hat, t, s, schedule, eta, z):\n    return x_t + z"),
    ],
    "sampler": [
        ({"missing-eval", "missing-no-grad"}, loop(before="pass", no_grad="")),
        ({"missing-eval", "stride-beta"}, loop(before="pass", beta="schedule.betas[t]")),
        ({"missing-no-grad", "noise-at-end"}, loop(no_grad="", variance="beta")),
        ({"ignores-argument", "index-shift", "no-noise-midway"}, loop(noise="0", ask="s")),
        ({"noise-order"}, loop(noise="var.sqrt() * noises[-1 - k]")),
        ({"ignores-argument"}, "def my_sampler(model, schedule, times, x_T, noises):\n    return x_T"),
    ],
}

WRONG["how_sure"] += [
    ("factor-missing", "my_how_sure = 1 / (1 / 0.1 + 1 / 0.2)"),
    ("factor-missing", "my_how_sure = 0.1 / 0.28 * 0.25"),
    ("factor-missing", "my_how_sure = 0.1 / 0.28"),
    ("precisions-not-added", "my_how_sure = 0.1 * 0.25"),
    ("precisions-not-added", "my_how_sure = 2 / (10 + 4)"),
    ("precisions-not-added", "my_how_sure = (0.1 + 0.25) / 4"),
    ("std-for-variance", "my_how_sure = 1 / (0.1 ** -0.5 + 0.25 ** -0.5)"),
    ("swapped-scales", "my_how_sure = 1 / (1 / 0.1 + 0.25)"),
]
WRONG["ancestral_step"] += [
    ("result-clipped", step(before="t - 1]; x_0_hat = x_0_hat.clip(-1, 1); [0")),
    ("ratio-upside-down", step(variance="beta * (1 - abar) / (1 - abar_b) if t > 1 else 0 * beta")),
    ("factor-missing", step("x_t - beta / (1 - abar) * (x_t - abar.sqrt() * x_0_hat)")),
    ("factor-missing", step("(abar_b.sqrt() * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)")),
    ("wrong-target", step("(x_t - beta / (1 - abar).sqrt() * x_0_hat) / alpha.sqrt()")),
    (
        "wrong-share",
        step("(abar_b.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t * 1.2) / (1 - abar)"),
    ),
    (
        "wrong-share",
        step("(0.5 * abar_b.sqrt() * beta * x_0_hat + alpha.sqrt() * (1 - abar_b) * x_t) / (1 - abar)"),
    ),
    ("wrong-sigma", step(variance="1.7 * beta * (1 - abar_b) / (1 - abar)")),
    ("wrong-sigma", step(variance="((1 - abar_b) / (1 - abar)) ** 0.5 * beta")),
    (
        "noise-at-end",
        step(
            variance="schedule.betas[max(t, 2)] * (1 - schedule.alphas_cumprod[max(t, 2) - 1])"
            " / (1 - schedule.alphas_cumprod[max(t, 2)])"
        ),
    ),
    ("no-noise-midway", step(noise="(var.sqrt() * z if t < schedule.timesteps else 0)")),
    (
        "index-shift",
        step().replace(
            "schedule.alphas[t], schedule.betas[t]", "schedule.alphas[t - 1], schedule.betas[t - 1]"
        ),
    ),
]
WRONG["ddim_step"] += [
    ("one-minus", ddim(sigma="(1 - eta) * torch.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))")),
    ("ignores-eta", ddim(sigma="float(eta > 0) * torch.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))")),
    (
        "noise-too-small",
        ddim(
            sigma="torch.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))",
            last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps + eta * sigma * z",
        ),
    ),
    ("result-clipped", ddim().replace("    eps =", "    x_0_hat = x_0_hat.clip(-1, 1)\n    eps =")),
    ("noise-rescaled", ddim(eps="(x_t - a_t.sqrt() * x_0_hat) / (x_t - a_t.sqrt() * x_0_hat).std()")),
    ("endpoint-missed", ddim().replace("    eps =", "    if s < 2:\n        return 1 * x_0_hat\n    eps =")),
    (
        "wrong-share",
        ddim(last="1.1 * a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps + sigma * z"),
    ),
    ("wrong-sigma", ddim(sigma="eta * 0.9 * torch.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))")),
    (
        "stride-beta",
        ddim(sigma="eta * torch.sqrt((1 - a_s) / (1 - a_t) * schedule.betas[s + 1 : t + 1].sum())"),
    ),
    (
        "variance-as-std",
        ddim(last="a_s.sqrt() * x_0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps + sigma**2 * z"),
    ),
]
WRONG["sampler"] += [
    (
        "times-ignored",
        loop(pairs="pairwise(dl.sampling.sampling_times(schedule, len(noises)))").replace(
            "\n@torch", "\nfrom itertools import pairwise\n\n\n@torch"
        ),
    ),
    ("times-ignored", loop(pairs="[(t, max(t - times[0] + times[1], 0)) for t in times[:-1]]")),
    ("shared-noise", loop(noise="var.sqrt() * noises[k][0]")),
    ("result-rescaled", loop().replace("return x", "return (x + 1) / 2")),
    ("gradients-left-off", loop(before="model.eval(); torch.set_grad_enabled(False)", no_grad="")),
    ("one-time-for-all", loop().replace("torch.full((x.shape[0],), t)", "torch.tensor([t])")),
    ("one-time-for-all", loop().replace("torch.full((x.shape[0],), t)", "t")),
    ("scaled-time", loop(ask="t / schedule.timesteps")),
    ("wrong-dtype", loop(ask="float(t)")),
    ("no-noise-midway", loop(noise="(k + 2 < len(noises)) * var.sqrt() * noises[k]")),
    ("index-shift", loop(noise="var.sqrt() * noises[k - 1]")),
    ("endpoint-missed", loop(pairs="zip(times[1:-1], times[2:])", noise="var.sqrt() * noises[k + 1]")),
]
WRONG["kept"] += [
    ("noise-only", shares(0.77, 0.66, 0.4, 0.2)),
    ("no-way-up", shares(1, 0.66, 1, 0.27)),
    ("shared-noise", shares(1, 0.8, 0, 0.1)),
    ("other-count", measured(steps=50).replace("> 0.75", "> 0")),
    (
        "other-count",
        measured(steps=50).replace("(state.x_t > 0.75)", "((state.x_t - 1.3).abs() < 0.02**0.5)"),
    ),
    ("other-schedule", measured(schedule="dl.DiffusionSchedule.cosine(t)", steps=50)),
    (
        "wrong-target",
        measured(steps=50).replace("(exact,", "((lambda x, t: exact(x, t)),").replace('"x0"', '"v"'),
    ),
]
