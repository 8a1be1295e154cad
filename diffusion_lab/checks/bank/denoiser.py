"""Answers to exercise 03 as students write them.

See the docstring of the package for what each table promises.
"""

_GUESS = """
def my_best_guess(x_t, t, mean, variance, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
    S = bar * variance + 1 - bar
    return %s
"""
_TRANSLATED = """
def my_translate(v, x_t, t, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
    x_0 = alpha * x_t - sigma * v
    eps = sigma * x_t + alpha * v
    score = -eps / sigma
    %s
    return x_0, eps, score
"""
_MEAN = """
def my_mean_of_the_data(x_t, t, data, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    x, d = x_t.flatten(1), data.flatten(1)
    squares = torch.stack([((row - bar[i].sqrt() * d) ** 2).sum(1) for i, row in enumerate(x)])
    weights = torch.softmax(-squares / (2 * (1 - bar)), dim=1)
    %s
    return (weights.float() @ d).reshape(x_t.shape)
"""
_FACTORS = """
schedule = dl.DiffusionSchedule(1000)
a = float(schedule.alphas_cumprod[200] ** 0.5)
s = float((1 - schedule.alphas_cumprod[200]) ** 0.5)
my_error_factors = dict(%s)
"""

_LINE = "mean + alpha * variance / S * (x_t - alpha * mean)"


def _translated(*lines):
    return _TRANSLATED % "\n    ".join(lines)


def _mean(*lines):
    return _MEAN % "\n    ".join(lines)


def _table(source, line, table="alphas_cumprod[t]"):
    assert table in source
    return source.replace(table, line)


RIGHT = {
    "least_error": [
        'my_least_error = {"guess": -0.5, "error": 0.45}',
        "my_least_error = dict(error=0.7 - 0.25, guess=0.1 - 0.6)",
        """
import numpy as np
values, chances = np.array([-1, 0, 1]), np.array([0.6, 0.3, 0.1])
g = (values * chances).sum()
my_least_error = {"guess": g, "error": (chances * (values - g) ** 2).sum()}
""",
        """
guesses = torch.linspace(-1, 1, 201)
errors = 0.6 * (-1 - guesses) ** 2 + 0.3 * guesses**2 + 0.1 * (1 - guesses) ** 2
my_least_error = {"guess": guesses[errors.argmin()], "error": errors.min()}
""",
    ],
    "best_guess": [
        _GUESS % "mean + alpha * variance / S * (x_t - alpha * mean)",
        """
def my_best_guess(x_t, t, mean, variance, schedule):
    alpha, sigma = schedule.alpha_sigma(t, x_t)
    trust = 1 / variance + alpha**2 / sigma**2  # how sure: of the bell curve, of x_t
    return (mean / variance + alpha * x_t / sigma**2) / trust
""",
        """
import numpy as np

def my_best_guess(x_t, t, mean, variance, schedule, show=True):
    out = np.zeros(tuple(x_t.shape))
    for i in range(len(x_t)):
        a = float(schedule.alphas_cumprod[t[i]])
        for j in range(x_t.shape[1]):
            out[i, j] = mean + np.sqrt(a) * variance * (x_t[i, j].item() - np.sqrt(a) * mean) / (a * variance + 1 - a)
    if show:
        print(out.mean())
    return out
""",
        """
def my_best_guess(x_t, t, mean, variance, schedule):
    D = x_t.shape[1]
    cloud = dl.oracle.GaussianMixture([1.0], [[mean] * D], [(variance * torch.eye(D)).tolist()])
    return cloud.denoiser(schedule)(x_t, t)
""",
    ],
    "translate": [
        _translated(),
        """
import numpy as np

def my_translate(v, x_t, t, schedule):
    x_0, eps, score = [], [], []
    for answer, x, time in zip(v.numpy(), x_t.numpy(), t):
        bar = schedule.alphas_cumprod[time].item()
        x_0.append(np.sqrt(bar) * x - np.sqrt(1 - bar) * answer)
        eps.append((x - np.sqrt(bar) * x_0[-1]) / np.sqrt(1 - bar))
        score.append((np.sqrt(bar) * x_0[-1] - x) / (1 - bar))
    return np.stack(x_0), np.stack(eps), np.stack(score)
""",
        """
def my_translate(v, x_t, t, schedule, eps_first=False):
    alpha, sigma = schedule.alpha_sigma(t, x_t.double())
    turn = torch.stack([torch.cat([alpha, -sigma], 1), torch.cat([sigma, alpha], 1)], 1)[..., 0, 0]
    both = torch.einsum("bij,bj...->ib...", turn, torch.stack([x_t, v], 1).double())
    return torch.stack([both[0], both[1], -both[1] / sigma])
""",
    ],
    "mean_of_the_data": [
        _mean(),
        """
def my_mean_of_the_data(x_t, t, data, schedule):
    out = torch.zeros_like(x_t)
    for i in range(len(x_t)):
        bar = float(schedule.alphas_cumprod[t[i]])
        logs = torch.tensor([-float(((x_t[i] - bar**0.5 * x) ** 2).sum()) / (2 * (1 - bar)) for x in data])
        logs -= logs.max()
        w = logs.exp() / logs.exp().sum()
        for weight, x in zip(w, data):
            out[i] += weight * x
    return out
""",
        """
import numpy as np

def my_mean_of_the_data(x_t, t, data, schedule, chunk=None):
    x, d = x_t.numpy().astype(float), data.numpy().astype(float)
    bar = schedule.alphas_cumprod.numpy()[t.numpy()][:, None]
    inner = np.einsum("bchw,nchw->bn", x, d)
    logits = (np.sqrt(bar) * inner - bar * (d**2).sum((1, 2, 3)) / 2) / (1 - bar)
    logits = logits - logits.max(1, keepdims=True)
    w = np.exp(logits)
    return np.einsum("bn,nchw->bchw", w / w.sum(1, keepdims=True), d)
""",
        """
def my_mean_of_the_data(x_t, t, data, schedule):
    alpha, sigma = schedule.alpha_sigma(t, x_t.flatten(1))
    # |x - alpha d|² = alpha² |x / alpha - d|²
    distances = torch.cdist(x_t.flatten(1) / alpha, data.flatten(1))
    weights = torch.softmax(-0.5 * (alpha * distances / sigma) ** 2, -1)
    return (weights[:, :, None, None, None] * data).sum(1)
""",
    ],
    "error_factors": [
        'my_error_factors = {"eps": 0.72, "x0": 1.0, "v": 0.585, "score": 0.42}',
        _FACTORS % "eps=s / a, x0=1, v=s, score=s**2 / a",
        _FACTORS % "eps=-s / a, x0=1, v=-s, score=s**2 / a",
        """
schedule, my_error_factors = dl.DiffusionSchedule(), {}
x_t = torch.ones(3, 2)
for language in dl.process.OBJECTIVES[:4]:
    first, second = (dl.split(torch.full((3, 2), e), x_t, 200, schedule, language)[0] for e in (0.2, 0.3))
    my_error_factors[language] = ((second - first).abs().mean() / 0.1).numpy()
""",
    ],
}

WRONG = {
    "least_error": [
        ("mode-for-mean", 'my_least_error = {"guess": -1, "error": 0.7}'),
        ("mode-for-mean", 'my_least_error = {"guess": -1, "error": 0}'),
        ("unweighted-mean", 'my_least_error = {"guess": 0, "error": 0.7}'),
        ("unweighted-mean", 'my_least_error = {"guess": (-1 + 0 + 1) / 3, "error": 2 / 3}'),
        ("unweighted-mean", 'my_least_error = {"guess": round(-0.5), "error": 0.45}'),
        ("no-floor", 'my_least_error = {"guess": -0.5, "error": 0}'),
        ("absolute-error", 'my_least_error = {"guess": -0.5, "error": 0.6 * 0.5 + 0.3 * 0.5 + 0.1 * 1.5}'),
        ("mean-not-subtracted", 'my_least_error = {"guess": 0.1 - 0.6, "error": 0.6 + 0.1}'),
        ("variance-as-std", 'my_least_error = {"guess": -0.5, "error": 0.45 ** 0.5}'),
        ("wrong-sign", 'my_least_error = {"guess": 0.5, "error": 0.45}'),
        ("differs", 'my_least_error = {"guess": -0.7, "error": 0.9}'),
        ("wrong-type", "my_least_error = -0.5"),
        ("wrong-type", 'my_least_error = {"guess": "black", "error": 0.45}'),
        ("unbiased-variance", 'my_least_error = {"guess": -0.5, "error": 0.45 * 3 / 2}'),
        ("square-of-the-mean", 'my_least_error = {"guess": -0.5, "error": (-0.5) ** 2}'),
        ("unweighted-mean", 'my_least_error = {"guess": -0.5, "error": 0.5**2 + 0.5**2 + 1.5**2}'),
        ("mean-not-subtracted", 'my_least_error = {"guess": -0.5, "error": 0.7 - 0.5}'),
        ("wrong-sign", 'my_least_error = {"guess": -0.5, "error": 0.7 + 0.25}'),
        ("share-of-misses", 'my_least_error = {"guess": -0.5, "error": 1 - 0.6}'),
        ("wrong-factor", 'my_least_error = {"guess": (0.1 - 0.6) / 3, "error": 0.5}'),
        ("candidate-left-out", 'my_least_error = {"guess": -0.6, "error": 0.46}'),
    ],
    "best_guess": [
        (
            "index-shift",
            _table(_GUESS, "alphas_cumprod[t - 1]") % "mean + alpha * variance / S * (x_t - alpha * mean)",
        ),
        (
            "index-shift",
            _table(_GUESS, "alphas_cumprod[1:][t]") % "mean + alpha * variance / S * (x_t - alpha * mean)",
        ),
        (
            "variance-as-std",
            _GUESS % "mean + bar * variance / (bar**2 * variance + (1 - bar)**2) * (x_t - bar * mean)",
        ),
        (
            "variance-as-std",
            _GUESS % "mean + alpha * variance / (alpha * variance + 1 - bar) * (x_t - alpha * mean)",
        ),
        (
            "variance-as-std",
            _GUESS % "mean + alpha * variance / (bar * variance + sigma) * (x_t - alpha * mean)",
        ),
        (
            "variance-as-std",
            _GUESS % "mean + alpha * variance / (alpha * variance + sigma) * (x_t - alpha * mean)",
        ),
        ("variance-as-std", _GUESS % "mean + bar * variance / S * (x_t - bar * mean)"),
        (
            "variance-as-std",
            _GUESS % "mean + alpha * variance**2 / (bar * variance**2 + 1 - bar) * (x_t - alpha * mean)",
        ),
        (
            "swapped-scales",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    sigma, alpha = schedule.alpha_sigma(t, x_t)
    return mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x_t - alpha * mean)
""",
        ),
        (
            "shared-t",
            _table(_GUESS, "alphas_cumprod[t[0]]") % "mean + alpha * variance / S * (x_t - alpha * mean)",
        ),
        (
            "alpha-for-alphabar",
            _table(_GUESS, "alphas[t]") % "mean + alpha * variance / S * (x_t - alpha * mean)",
        ),
        (
            "misbroadcast-t",
            _table(_GUESS, "alphas_cumprod[t]", "alphas_cumprod[t].reshape(-1, 1)")
            % "mean + alpha * variance / S * (x_t - alpha * mean)",
        ),
        ("mean-unscaled", _GUESS % "mean + alpha * variance / S * (x_t - mean)"),
        ("noise-unheard", _GUESS % "x_t / alpha"),
        ("shrunk-guess", _GUESS % "alpha * (mean + alpha * variance / S * (x_t - alpha * mean))"),
        ("slope-unscaled", _GUESS % "mean + variance / S * (x_t - alpha * mean)"),
        ("slope-unscaled", _GUESS % "mean + bar * variance / S * (x_t - alpha * mean)"),
        (
            "variance-not-noised",
            _GUESS % "mean + alpha * variance / (variance + 1 - bar) * (x_t - alpha * mean)",
        ),
        ("variance-not-noised", _GUESS % "mean + alpha * (x_t - alpha * mean)"),
        (
            "ignores-t",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    return mean + variance / (variance + 1) * (x_t - mean)
""",
        ),
        (
            "error",
            _table(_GUESS, "alphas_cumprod[t]", "alphas_cumprod[t].reshape(-1, 1)") % "x_t.reshape(mean)",
        ),
        ("wrong-axis", _GUESS % "(mean + alpha * variance / S * (x_t - alpha * mean)).mean(1)"),
        (
            "changed-its-input",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    bar = schedule.alphas_cumprod[t].float().unsqueeze(1)
    slope = bar.sqrt() * variance
    slope /= bar * variance + (1 - bar)
    x_t -= bar.sqrt() * mean
    x_t *= slope
    x_t += mean
    return x_t
""",
        ),
        (
            "mean-not-added",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    S = bar * variance + 1 - bar
    return bar.sqrt() * variance / S * (x_t - bar.sqrt() * mean)
""",
        ),
        (
            "variance-measured",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    S = x_t.var()
    return mean + bar.sqrt() * variance / S * (x_t - bar.sqrt() * mean)
""",
        ),
        (
            "variance-as-std",
            """
def my_best_guess(x_t, t, mean, variance, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    S = bar * variance + 1 - bar
    return mean + bar.sqrt() * variance / S * (x_t - bar * mean)
""",
        ),
        ("arguments-exchanged", _GUESS.replace("t, mean, variance,", "t, variance, mean,") % _LINE),
        ("mean-squared-too", _GUESS % "mean + alpha * variance / (S + bar * mean**2) * (x_t - alpha * mean)"),
        ("safety-term", _GUESS % "mean + alpha * variance / (S + 0.005) * (x_t - alpha * mean)"),
        ("safety-term", _GUESS % "mean + alpha * variance / S.clamp(min=0.3) * (x_t - alpha * mean)"),
        ("shrinking-forgotten", _GUESS % "mean + variance / (variance + 1 - bar) * (x_t - mean)"),
        ("trust-upside-down", _GUESS % "mean + (1 - bar) / S * (x_t / alpha - mean)"),
        ("two-values-only", _GUESS % "torch.tanh(alpha * x_t / (1 - bar))"),
        ("unit-variance", _GUESS % "mean + alpha * variance * (x_t - alpha * mean)"),
        ("variance-measured", _GUESS % "mean + alpha * variance / S * (x_t - alpha * x_t.mean())"),
        ("variance-as-std", _GUESS % "mean + alpha * variance / S.sqrt() * (x_t - alpha * mean)"),
        ("shrunk-guess", _GUESS % "alpha * mean + alpha * variance / S * (x_t - alpha * mean)"),
        ("mean-not-added", _GUESS % "mean + alpha * variance / S * x_t - alpha * mean"),
        ("wrong-sign", _GUESS % "mean - alpha * variance / S * (x_t - alpha * mean)"),
        (
            "wrong-target",
            _GUESS % "(x_t - alpha * (mean + alpha * variance / S * (x_t - alpha * mean))) / sigma",
        ),
        ("wrong-target", _GUESS % "-(x_t - alpha * mean) / S"),
    ],
    "translate": [
        ("index-shift", _table(_TRANSLATED, "alphas_cumprod[t - 1]") % "pass"),
        ("index-shift", _table(_TRANSLATED, "alphas_cumprod[1:][t]") % "pass"),
        (
            "variance-as-std",
            _table(_TRANSLATED, "alpha, sigma = bar, 1 - bar", "alpha, sigma = bar.sqrt(), (1 - bar).sqrt()")
            % "pass",
        ),
        ("swapped-scales", _table(_TRANSLATED, "sigma, alpha =", "alpha, sigma =") % "pass"),
        ("swapped-scales", _translated("x_0 = sigma * x_t - alpha * v")),
        ("swapped-scales", _translated("eps = alpha * x_t + sigma * v")),
        ("shared-t", _table(_TRANSLATED, "alphas_cumprod[t[0]]") % "pass"),
        ("alpha-for-alphabar", _table(_TRANSLATED, "alphas[t]") % "pass"),
        ("misbroadcast-t", _table(_TRANSLATED, "[t]", "[t].reshape(-1, 1, 1, 1)") % "pass"),
        ("misbroadcast-t", _table(_TRANSLATED, "reshape(-1, 1)", "reshape(-1, 1, 1, 1)") % "pass"),
        ("misbroadcast-t", _table(_TRANSLATED, "reshape(-1, 1, 1)", "reshape(-1, 1, 1, 1)") % "pass"),
        ("wrong-target", _translated("return eps, x_0, score")),
        ("wrong-target", _translated("eps, score = score, eps")),
        ("wrong-target", _translated("x_0 = (x_t - sigma * v) / alpha")),
        ("wrong-target", _translated("eps = v")),
        ("wrong-target", _translated("x_0, eps = (x_t - sigma * v) / alpha, v", "score = -eps / sigma")),
        ("factor-missing", _translated("eps = (x_t - x_0) / sigma", "score = -eps / sigma")),
        ("factor-missing", _translated("eps = (x_t - x_0) / sigma")),
        ("factor-missing", _translated("eps = x_t - alpha * x_0")),
        ("factor-missing", _translated("x_0 = x_t - sigma * eps")),
        ("wrong-sign", _translated("x_0 = alpha * x_t + sigma * v")),
        ("wrong-sign", _translated("eps = sigma * x_t - alpha * v", "score = -eps / sigma")),
        ("wrong-sign", _translated("score = eps / sigma")),
        ("score-unscaled", _translated("score = -eps")),
        ("score-unscaled", _translated("score = -eps / (1 - bar)")),
        ("score-unscaled", _translated("score = -eps * sigma")),
        ("wrong-shape", _translated("return x_0, eps")),
        ("wrong-type", _translated("return {'x_0': x_0, 'eps': eps, 'score': score}")),
        ("error", _translated("score = -epsilon / sigma")),
        (
            "used-the-package",
            """
def my_translate(v, x_t, t, schedule):
    said = [dl.convert(v, x_t, t, schedule, "v", language) for language in ("x0", "eps", "score")]
    return said
""",
        ),
        ("aliased-states", _translated("score = eps.div_(-sigma)")),
        ("noise-unheard", _translated("x_0 = x_t / alpha")),
        ("result-clipped", _translated("x_0 = x_0.clip(-1, 1)")),
        (
            "result-clipped",
            _translated("x_0 = x_0.clip(-1, 1)", "eps = (x_t - alpha * x_0) / sigma", "score = -eps / sigma"),
        ),
        ("safety-term", _translated("score = -eps / torch.maximum(sigma, torch.tensor(0.08))")),
        ("safety-term", _translated("score = -eps / (sigma + 1e-3)")),
        ("factor-missing", _translated("score = (x_0 - x_t) / sigma**2")),
        (
            "wrong-target",
            _translated("x_0 = (x_t - sigma * v) / (alpha + sigma)", "eps = x_0 + v", "score = -eps / sigma"),
        ),
        ("wrong-target", _translated("return score, x_0, eps")),
    ],
    "mean_of_the_data": [
        ("index-shift", _table(_MEAN, "alphas_cumprod[t - 1]") % "pass"),
        ("index-shift", _table(_MEAN, "alphas_cumprod[1:][t]") % "pass"),
        ("variance-as-std", _mean("weights = torch.softmax(-squares / (2 * (1 - bar).sqrt()), dim=1)")),
        ("variance-as-std", _mean("weights = torch.softmax(-squares / (2 * (1 - bar) ** 2), dim=1)")),
        ("variance-as-std", _table(_MEAN, "bar[i] * d", "bar[i].sqrt() * d") % "pass"),
        ("swapped-scales", _table(_MEAN, "alphas_cumprod[t]").replace("bar =", "bar = 1 -") % "pass"),
        ("shared-t", _table(_MEAN, "alphas_cumprod[t[:1].repeat(len(t))]") % "pass"),
        ("alpha-for-alphabar", _table(_MEAN, "alphas[t]") % "pass"),
        (
            "misbroadcast-t",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    bar = schedule.alphas_cumprod[t]
    gaps = x_t[:, None] - bar.sqrt().reshape(-1, 1, 1, 1, 1) * data[None]
    weights = (-gaps.pow(2).sum((2, 3, 4)) / (2 * (1 - bar))).softmax(1)
    return torch.einsum("bn,nchw->bchw", weights, data.double())
""",
        ),
        ("bell-without-half", _mean("weights = torch.softmax(-squares / (1 - bar), dim=1)")),
        ("distance-not-squared", _mean("weights = torch.softmax(-squares.sqrt() / (2 * (1 - bar)), dim=1)")),
        (
            "distance-not-squared",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    alpha, sigma = schedule.alpha_sigma(t, x_t[:, None])
    distances = (x_t[:, None] - alpha * data).abs().sum((2, 3, 4))
    weights = (-distances / (2 * sigma.reshape(-1, 1) ** 2)).softmax(1)
    return (weights @ data.flatten(1)).reshape(x_t.shape)
""",
        ),
        ("sigma-missing", _mean("weights = torch.softmax(-squares, dim=1)")),
        ("sigma-missing", _mean("weights = torch.softmax(-squares / 2, dim=1)")),
        ("mean-for-sum", _mean("weights = torch.softmax(-squares / (2 * x.shape[1] * (1 - bar)), dim=1)")),
        ("candidates-unscaled", _table(_MEAN, "row - d", "row - bar[i].sqrt() * d") % "pass"),
        ("softmax-over-batch", _mean("weights = torch.softmax(-squares / (2 * (1 - bar)), dim=0)")),
        ("far-for-near", _mean("weights = torch.softmax(squares / (2 * (1 - bar)), dim=1)")),
        ("nearest-for-mean", _mean("return data[squares.argmin(1)]")),
        ("unweighted-mean", _mean("return data.mean(0, keepdim=True).expand(x_t.shape)")),
        (
            "shrunk-guess",
            _mean("return (weights.float() @ d).reshape(x_t.shape) * bar.sqrt().reshape(-1, 1, 1, 1)"),
        ),
        (
            "exp-underflow",
            _mean(
                "weights = torch.exp(-squares / (2 * (1 - bar)))",
                "weights = weights / weights.sum(1, keepdim=True)",
            ),
        ),
        (
            "ignores-t",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    weights = (-torch.cdist(x_t.flatten(1), data.flatten(1)) ** 2 / 3).softmax(1)
    return (weights @ data.flatten(1)).reshape(x_t.shape)
""",
        ),
        ("wrong-axis", _mean("return weights.float() @ d")),
        ("error", _mean("weights = torch.softmax(-squares / (2 * (1 - bar)), dim=2)")),
        (
            "used-the-package",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    return dl.oracle.finite_data_denoiser(data, schedule)(x_t, t)
""",
        ),
        (
            "weights-not-one",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    bar = schedule.alphas_cumprod[t].reshape(-1, 1)
    gaps = x_t.flatten(1)[:, None] - bar.sqrt()[:, None] * data.flatten(1)
    weights = (-gaps.square().sum(2) / (2 * (1 - bar))).exp()
    return (weights @ data.flatten(1).double()).reshape(x_t.shape)
""",
        ),
        ("bell-missing", _mean("weights = 1 / squares", "weights = weights / weights.sum(1, keepdim=True)")),
        ("noise-not-rescaled", _mean("weights = torch.softmax(-squares / bar / (2 * (1 - bar)), dim=1)")),
        (
            "square-left-out",
            _mean("weights = torch.softmax(bar.sqrt() * (x.double() @ d.T.double()) / (1 - bar), dim=1)"),
        ),
        (
            "exp-underflow",
            _mean(
                "weights = torch.exp(-squares / (2 * (1 - bar)))",
                "weights = weights / (weights.sum(1, keepdim=True) + 1e-20)",
            ),
        ),
        ("exp-underflow", _mean("weights = torch.softmax((-squares / (2 * (1 - bar))).clip(-60), dim=1)")),
        (
            "exp-underflow",
            _mean(
                "logits = -squares / (2 * (1 - bar))",
                "weights = torch.exp(logits - logits.amax())",
                "weights = weights / weights.sum(1, keepdim=True)",
            ),
        ),
        (
            "nearest-for-mean",
            _mean(
                "near = squares.argsort(1)[:, :3]",
                "weights = torch.softmax(-squares.gather(1, near) / (2 * (1 - bar)), dim=1) if len(d) > 2 else weights",
                "few = weights[..., None].float() * d[near] if len(d) > 2 else d.repeat(len(x), 1)[:, None]",
                "return few.sum(1).reshape(x_t.shape)",
            ),
        ),
        (
            "weights-per-part",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    alpha, sigma = (scale[:, None] for scale in schedule.alpha_sigma(t, x_t))
    gaps = (x_t.unsqueeze(1) - alpha * data) / sigma
    return (torch.softmax(-(gaps**2) / 2, dim=1) * data).sum(dim=1)
""",
        ),
        (
            "weights-per-part",
            """
def my_mean_of_the_data(x_t, t, data, schedule):
    alpha, sigma = (scale[:, None] for scale in schedule.alpha_sigma(t, x_t))
    gaps = (x_t.unsqueeze(1) - alpha * data) / sigma
    return (torch.softmax(-(gaps**2).sum(dim=(3, 4), keepdim=True) / 2, dim=1) * data).sum(dim=1)
""",
        ),
        (
            "wrong-target",
            _mean(
                "guess = (weights.float() @ d).reshape(x_t.shape)",
                "a = bar[..., None, None]",
                "return (x_t - a.sqrt() * guess) / (1 - a).sqrt()",
            ),
        ),
    ],
    "error_factors": [
        ("wrong-target", _FACTORS % "eps=1, x0=a / s, v=a, score=s"),
        ("wrong-target", _FACTORS % "eps=s / a, x0=1, v=a, score=s**2 / a"),
        ("other-schedule", "my_error_factors = {'eps': 0.34, 'x0': 1.0, 'v': 0.32, 'score': 0.11}"),
        (
            "other-schedule",
            _table(_FACTORS, "dl.DiffusionSchedule.cosine(1000)", "dl.DiffusionSchedule(1000)")
            % "eps=-s / a, x0=1, v=-s, score=s**2 / a",
        ),
        ("swapped-scales", _FACTORS % "eps=a / s, x0=1, v=a, score=a**2 / s"),
        ("variance-as-std", _FACTORS % "eps=(s / a) ** 2, x0=1, v=s**2, score=(s**2 / a) ** 2"),
        ("score-unscaled", _FACTORS % "eps=s / a, x0=1, v=s, score=s / a"),
        ("score-unscaled", _FACTORS % "eps=s / a, x0=1, v=s, score=1 / a"),
        ("ratio-upside-down", _FACTORS % "eps=a / s, x0=1, v=1 / s, score=a / s**2"),
        ("wrong-target", _FACTORS % "eps=1, x0=1, v=1, score=1"),
        ("differs", _FACTORS % "eps=2, x0=2, v=2, score=3"),
        ("wrong-type", _FACTORS % "eps=s / a, x_0=1, v=s, score=s**2 / a"),
        ("factor-missing", _FACTORS % "eps=s, x0=1, v=s, score=s**2"),
        ("factor-missing", _FACTORS % "eps=1 / a, x0=1, v=s, score=s**2 / a"),
        ("error-for-nothing", _FACTORS % "eps=s / a, x0=0, v=s, score=s**2 / a"),
        ("error-not-divided", _FACTORS % "eps=0.01 * s / a, x0=0.01, v=0.01 * s, score=0.01 * s**2 / a"),
        ("rounded-too-far", 'my_error_factors = {"eps": 0.7, "x0": 1, "v": 0.6, "score": 0.4}'),
        (
            "alpha-for-alphabar",
            _table(
                _table(_FACTORS, "alphas[200]", "alphas_cumprod[200]"),
                "1 - schedule.alphas[200]",
                "1 - schedule.alphas[200]",
            )
            % "eps=s / a, x0=1, v=s, score=s**2 / a",
        ),
    ],
}

COMPOUND = {
    "best_guess": [
        ({"mean-unscaled", "slope-unscaled"}, _GUESS % "mean + variance / S * (x_t - mean)"),
        (
            {"index-shift", "mean-unscaled"},
            _table(_GUESS, "alphas_cumprod[t - 1]") % "mean + alpha * variance / S * (x_t - mean)",
        ),
        ({"slope-unscaled", "shrunk-guess", "mean-not-added"}, _GUESS % "alpha * variance / S * x_t"),
        ({"ignores-argument", "ignores-t"}, _GUESS % "torch.zeros_like(x_t)"),
        ({"wrong-sign", "mean-unscaled"}, _GUESS % "mean - alpha * variance / S * (x_t - mean)"),
        ({"mean-not-added"}, _GUESS % "mean + alpha * variance / S * x_t"),
    ],
    "translate": [
        ({"wrong-sign", "score-unscaled"}, _translated("x_0 = alpha * x_t + sigma * v", "score = -eps")),
        ({"wrong-sign", "index-shift"}, _table(_TRANSLATED, "alphas_cumprod[t - 1]") % "score = -score"),
        ({"wrong-target", "wrong-sign"}, _translated("x_0, eps = x_t / alpha, v", "score = -v / sigma")),
        ({"noise-unheard", "wrong-sign"}, _translated("x_0, eps = x_t / alpha, -eps")),
        ({"ignores-argument"}, _translated("x_0 = eps = score = torch.zeros_like(x_t)")),
    ],
    "mean_of_the_data": [
        (
            {"candidates-unscaled", "sigma-missing", "ignores-t"},
            _table(_MEAN, "row - d", "row - bar[i].sqrt() * d")
            % "weights = torch.softmax(-squares / 2, dim=1)",
        ),
        (
            {"bell-without-half", "index-shift"},
            _table(_MEAN, "alphas_cumprod[t - 1]") % "weights = torch.softmax(-squares / (1 - bar), dim=1)",
        ),
        (
            {"exp-underflow", "bell-without-half"},
            _mean(
                "weights = torch.exp(-squares / (1 - bar))",
                "weights = weights / weights.sum(1, keepdim=True)",
            ),
        ),
        ({"ignores-argument", "ignores-t"}, _mean("return x_t")),
        ({"weights-not-one"}, _mean("weights = torch.exp(-squares / (2 * (1 - bar)))")),
        (
            {"bell-missing"},
            _mean("weights = 1 / squares**2", "weights = weights / weights.sum(1, keepdim=True)"),
        ),
    ],
}
