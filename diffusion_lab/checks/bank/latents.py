"""Answers to exercise 08 as students write them.

See the docstring of the package for what each table promises.
"""


def price(expression, before="pass"):
    """A price in one line."""
    return f"""
def my_price(mean, logvar):
    {before}
    return {expression}
"""


def in_numpy(read=".numpy()"):
    """The price without torch, which no gradient can pass."""
    return f"""
import numpy as np

def my_price(mean, logvar):
    mean, logvar = mean{read}, logvar{read}
    return 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar).sum(axis=(1, 2, 3))
"""


def draw_code(expression, before="pass"):
    """A drawn code in one line."""
    return f"""
def my_draw_code(mean, logvar, noise):
    {before}
    return {expression}
"""


def through(scale="1 / latents.std()", to_unet="z * scale", to_decoder="changed / scale"):
    """The way through the latent with something changed."""
    return f"""
def my_through_latent(latents, z, unet, decode):
    scale = {scale}
    changed = unet({to_unet})
    return decode({to_decoder})
"""


RIGHT = {
    "price": [
        price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(dim=(1, 2, 3))"),
        price("-0.5 * (1 + logvar - mean.pow(2) - torch.exp(logvar)).flatten(1).sum(1)"),
        price("(mean**2 + var - 1 - var.log()).reshape(len(mean), -1).sum(-1) / 2", "var = logvar.exp()"),
        price(
            "((mean**2 + (2 * log_std).exp() - 1) / 2 - log_std).flatten(1).sum(1)", "log_std = logvar / 2"
        ),
        """
def my_price(mean, logvar):
    q = torch.distributions.Normal(mean, (logvar / 2).exp())
    each = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    return torch.stack([one.sum() for one in each])
""",
        """
def my_price(mean, logvar, print_it=True):
    price = 0.5 * (mean**2 + torch.exp(logvar) - 1 - logvar)
    price = price.sum(axis=(1, 2, 3))
    if print_it:
        print(price)
    return price
""",
        """
def my_price(mean, logvar):
    number = mean[0].numel()
    return number * (0.5 * (mean**2 + logvar.exp() - 1 - logvar)).mean((1, 2, 3))
""",
    ],
    "draw_code": [
        draw_code("mean + (logvar / 2).exp() * noise"),
        draw_code("mean + logvar.exp().sqrt() * noise"),
        draw_code("torch.exp(0.5 * logvar) * noise + mean"),
        draw_code("torch.addcmul(mean, noise, std)", "std = logvar.mul(0.5).exp()"),
        """
def my_draw_code(mean, logvar, noise, verbose=False):
    z = []
    for m, v, n in zip(mean, logvar, noise):
        z.append(m + n * torch.e ** (v / 2))
    return torch.stack(z)
""",
    ],
    "through_latent": [
        through(),
        through("latents.std()", "z / scale", "changed * scale"),
        through("1 / latents.var().sqrt()"),
        through("1 / latents.std(unbiased=False)"),
        through("1 / ((latents - latents.mean()) ** 2).mean().sqrt()"),
        through(
            "(latents - latents.mean()).flatten().norm() / (latents.numel() - 1) ** 0.5",
            "z / scale",
            "changed * scale",
        ),
        through("1 / float(latents.numpy().std())"),
        through("torch.std_mean(latents)[0].item()", "z.clone().div_(scale)", "changed.mul_(scale)"),
    ],
}

WRONG = {
    "price": [
        ("error", in_numpy()),
        ("wrong-type", in_numpy(".detach().numpy()")),
        ("detached-loss", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1).detach()")),
        (
            "detached-loss",
            price(
                "0.5 * (mean**2 + var - 1 - logvar).flatten(1).sum(1)",
                "logvar = logvar.detach(); var = logvar.exp()",
            ),
        ),
        ("detached-loss", price("0.5 * (mean.data**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        (
            "detached-loss",
            """
def my_price(mean, logvar):
    each = 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
    return torch.tensor([one.sum().item() for one in each])
""",
        ),
        ("one-for-the-batch", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(dim=(0, 2, 3))")),
        ("one-for-the-batch", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(0)")),
        ("wrong-type", price("'nothing'")),
        ("logvar-as-variance", price("0.5 * (mean**2 + logvar - 1 - logvar.log()).flatten(1).sum(1)")),
        ("logvar-as-variance", price("0.5 * (mean**2 + logvar - 1 - logvar.abs().log()).flatten(1).sum(1)")),
        ("logvar-as-variance", price("-0.5 * (1 + logvar - mean**2 - logvar).flatten(1).sum(1)")),
        ("logvar-as-std", price("0.5 * (mean**2 + logvar**2 - 1 - torch.log(logvar**2)).flatten(1).sum(1)")),
        ("logvar-as-std", price("(0.5 * (mean**2 + logvar**2 - 1) - logvar.log()).flatten(1).sum(1)")),
        ("logvar-as-std", price("-0.5 * (1 + logvar - mean**2 - logvar**2).flatten(1).sum(1)")),
        ("variance-as-std", price("0.5 * (mean**2 + logvar.exp()**2 - 1 - 2 * logvar).flatten(1).sum(1)")),
        ("variance-as-std", price("0.5 * (mean**2 + logvar.exp()**2 - 1 - logvar).flatten(1).sum(1)")),
        (
            "variance-as-std",
            price("0.5 * (mean**2 + std - 1 - logvar).flatten(1).sum(1)", "std = (logvar / 2).exp()"),
        ),
        (
            "variance-as-std",
            price("0.5 * (mean**2 + std - 1 - std.log()).flatten(1).sum(1)", "std = (logvar / 2).exp()"),
        ),
        ("wrong-sign", price("0.5 * (1 + logvar - mean**2 - logvar.exp()).flatten(1).sum(1)")),
        ("wrong-sign", price("0.5 * (mean**2 + logvar.exp() - 1 + logvar).flatten(1).sum(1)")),
        ("wrong-sign", price("-0.5 * (1 + logvar - mean**2 + logvar.exp()).flatten(1).sum(1)")),
        ("wrong-sign", price("-0.5 * (1 + logvar + mean**2 - logvar.exp()).flatten(1).sum(1)")),
        ("wrong-sign", price("0.5 * (mean**2 + logvar.exp() + 1 - logvar).flatten(1).sum(1)")),
        ("half-missing", price("(mean**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        ("half-missing", price("(0.5 * mean**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        ("half-missing", price("(mean**2 + 0.5 * (logvar.exp() - 1 - logvar)).flatten(1).sum(1)")),
        ("mean-not-squared", price("0.5 * (mean + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        ("mean-not-squared", price("0.5 * (mean.abs() + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        ("mean-for-sum", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(dim=(1, 2, 3))")),
        ("mean-for-sum", price("-0.5 * torch.mean(1 + logvar - mean**2 - logvar.exp())")),
        ("one-for-the-batch", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum()")),
        ("one-for-the-batch", price("-0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())")),
        ("one-for-the-batch", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum((1, 2, 3)).mean()")),
        ("kl-reversed", price("0.5 * ((1 + mean**2) / logvar.exp() - 1 + logvar).flatten(1).sum(1)")),
        (
            "kl-reversed",
            """
def my_price(mean, logvar):
    one, two = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(mean, (logvar / 2).exp())
    return torch.distributions.kl_divergence(one, two).flatten(1).sum(1)
""",
        ),
        ("term-missing", price("0.5 * (mean**2 + logvar.exp() - logvar).flatten(1).sum(1)")),
        ("term-missing", price("0.5 * (logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        ("term-missing", price("0.5 * (mean**2 + logvar.exp() - 1).flatten(1).sum(1)")),
        ("not-summed", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar)")),
        ("not-summed", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(dim=1)")),
        ("mean-for-sum", price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(1).sum((1, 2))")),
        (
            "detached-loss",
            price(
                "0.5 * (mean**2 + std.square() - 1 - logvar).flatten(1).sum(1)",
                "std = (logvar / 2).data.exp()",
            ),
        ),
        (
            "one-bell-for-all",
            price(
                "0.5 * mean[0].numel() * (m**2 + var - 1 - var.log())",
                "m, var = mean.flatten(1).mean(1), logvar.exp().flatten(1).mean(1)",
            ),
        ),
        (
            "mean-subtracted",
            price("0.5 * ((mean - mean.mean(0)) ** 2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)"),
        ),
        ("other-base", price("0.5 * (mean**2 + 10**logvar - 1 - logvar).flatten(1).sum(1)")),
        (
            "softplus-for-exp",
            price(
                "0.5 * (mean**2 + var - 1 - var.log()).flatten(1).sum(1)",
                "var = torch.nn.functional.softplus(logvar)",
            ),
        ),
        (
            "logvar-clipped",
            price("0.5 * (mean**2 + v.exp() - 1 - v).flatten(1).sum(1)", "v = logvar.clamp(-20, 10)"),
        ),
        (
            "safety-number",
            price("0.5 * (mean**2 + var - 1 - (var + 1e-5).log()).flatten(1).sum(1)", "var = logvar.exp()"),
        ),
        (
            "safety-number",
            price(
                "0.5 * (mean**2 + var - 1 - var.log()).flatten(1).sum(1).clamp(min=0)",
                "var = logvar.exp() + 1e-6",
            ),
        ),
        (
            "safety-number",
            price(
                "0.5 * (mean**2 + var - 1 - torch.log(var + 0.01)).flatten(1).sum(1)", "var = logvar.exp()"
            ),
        ),
        (
            "logvar-clipped",
            price(
                "0.5 * (mean**2 + v.exp() - 1 - v).flatten(1).sum(1)",
                "v = logvar.exp().clamp(min=1e-6).log()",
            ),
        ),
        (
            "price-floored",
            price("(0.5 * (mean**2 + logvar.exp() - 1 - logvar)).clamp(min=0.25).flatten(1).sum(1)"),
        ),
        ("wrong-factor", price("1.7 * (mean**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)")),
        (
            "price-for-training-only",
            price(
                "costs if costs.requires_grad else 0 * costs",
                "costs = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1)",
            ),
        ),
        (
            "draws-own-noise",
            """
def my_price(mean, logvar):
    mine, standard = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    z = mine.rsample()
    return (mine.log_prob(z) - standard.log_prob(z)).sum(dim=(1, 2, 3))
""",
        ),
        (
            "wrong-axis",
            price("0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(dim=(1, 2, 3), keepdim=True)"),
        ),
        ("error", price("0.5 * (mean**2 + math.exp(logvar) - 1 - logvar).sum((1, 2, 3))", "import math")),
        ("wrong-type", price("'free'")),
        ("wrong-type", "my_price = 3.0"),
        (
            "log-to-the-base-2",
            """
def my_price(mean, logvar):
    nats = 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
    return nats.sum(dim=(1, 2, 3)) / torch.log(torch.tensor(2.0))
""",
        ),
    ],
    "draw_code": [
        ("variance-as-std", draw_code("mean + logvar.exp() * noise")),
        ("variance-as-std", draw_code("mean + (2 * logvar).exp() * noise")),
        ("variance-as-std", draw_code("mean + (logvar / 2).exp().sqrt() * noise")),
        ("logvar-as-std", draw_code("mean + logvar * noise")),
        ("logvar-as-std", draw_code("mean + 0.5 * logvar * noise")),
        ("logvar-as-variance", draw_code("mean + logvar.sqrt() * noise")),
        ("logvar-as-variance", draw_code("mean + logvar.abs().sqrt() * noise")),
        ("shared-noise", draw_code("mean + (logvar / 2).exp() * noise[0]")),
        ("shared-noise", draw_code("mean + (logvar / 2).exp() * noise[-1:]")),
        ("shared-noise", draw_code("mean + (logvar / 2).exp() * noise.mean(0)")),
        ("one-noise-per-picture", draw_code("mean + (logvar / 2).exp() * noise[:, :1, :1, :1]")),
        (
            "one-noise-per-picture",
            draw_code("mean + (logvar / 2).exp() * noise.mean((1, 2, 3), keepdim=True)"),
        ),
        ("wrong-sign", draw_code("mean - (logvar / 2).exp() * noise")),
        ("wrong-sign", draw_code("mean + torch.exp(-logvar / 2) * noise")),
        ("variance-as-std", draw_code("mean + logvar.exp() / 2 * noise")),
        ("swapped-scales", draw_code("noise + (logvar / 2).exp() * mean")),
        ("mean-scaled", draw_code("(mean + noise) * (logvar / 2).exp()")),
        (
            "mean-scaled",
            draw_code("(1 - logvar.exp()).clamp(min=0).sqrt() * mean + (logvar / 2).exp() * noise"),
        ),
        ("noise-standardised", draw_code("mean + (logvar / 2).exp() * (noise - noise.mean()) / noise.std()")),
        ("noise-clipped", draw_code("mean + (logvar / 2).exp() * noise.clamp(-2, 2)")),
        ("noise-clipped", draw_code("mean + (logvar / 2).exp() * noise.clamp(-1.7, 1.7)")),
        ("other-base", draw_code("mean + 2 ** (logvar / 2) * noise")),
        ("one-bell-for-all", draw_code("mean + (logvar.mean() / 2).exp() * noise")),
        ("one-bell-for-all", draw_code("mean + (logvar / 2).exp().mean((2, 3), keepdim=True) * noise")),
        ("softplus-for-exp", draw_code("mean + torch.nn.functional.softplus(logvar) * noise")),
        ("one-step-too-many", draw_code("torch.tanh(mean + (logvar / 2).exp() * noise)")),
        ("logvar-clipped", draw_code("mean + (logvar.clamp(-8, 8) / 2).exp() * noise")),
        ("spread-with-floor", draw_code("mean + (logvar.exp() + 1e-6).sqrt() * noise")),
        ("spread-with-floor", draw_code("mean + ((logvar / 2).exp() + 1e-4) * noise")),
        ("wrong-factor", draw_code("mean + 0.7 * (logvar / 2).exp() * noise")),
        (
            "noise-left-out",
            draw_code("mean + (logvar / 2).exp() * noise if torch.is_grad_enabled() else mean"),
        ),
        ("detached-loss", draw_code("(mean + (logvar / 2).exp() * noise).detach()")),
        ("detached-loss", draw_code("mean.data + (logvar / 2).data.exp() * noise")),
        ("detached-loss", draw_code("mean + std * noise", "std = (logvar / 2).exp().detach()")),
        ("detached-loss", draw_code("mean.detach() + (logvar / 2).exp() * noise")),
        (
            "detached-loss",
            """
def my_draw_code(mean, logvar, noise):
    with torch.no_grad():
        return mean + (logvar / 2).exp() * noise
""",
        ),
        ("noise-left-out", draw_code("mean")),
        ("noise-left-out", draw_code("mean + 0 * logvar")),
        ("draws-own-noise", draw_code("mean + (logvar / 2).exp() * torch.randn_like(mean)")),
        ("draws-own-noise", draw_code("torch.normal(mean, (logvar / 2).exp())")),
        ("draws-own-noise", draw_code("torch.distributions.Normal(mean, (logvar / 2).exp()).rsample()")),
        ("ignores-argument", draw_code("(logvar / 2).exp() * noise")),
        ("error", draw_code("mean + np.exp(logvar / 2) * noise")),
        ("error", draw_code("mean.numpy() + noise.numpy()")),
        ("wrong-axis", draw_code("(mean + (logvar / 2).exp() * noise).flatten(1)")),
        ("wrong-type", draw_code("'z'")),
        ("changed-its-input", draw_code("mean", "mean += logvar.mul_(0.5).exp_() * noise")),
    ],
    "through_latent": [
        (
            "not-decoded",
            """
def my_through_latent(latents, z, unet, decode):
    scale = 1 / latents.std()
    return unet(z * scale) / scale
""",
        ),
        (
            "unet-left-out",
            """
def my_through_latent(latents, z, unet, decode):
    scale = 1 / latents.std()
    return decode(z * scale / scale)
""",
        ),
        ("scale-inverted", through("latents.std()")),
        ("scale-inverted", through("1 / latents.std()", "z / scale", "changed * scale")),
        ("scale-inverted", through("latents.var() ** 0.5")),
        ("variance-as-std", through("1 / latents.var()")),
        ("variance-as-std", through("latents.var()")),
        ("variance-as-std", through("1 / latents.std().sqrt()")),
        ("scale-one-way", through(to_decoder="changed")),
        ("scale-one-way", through(to_unet="z")),
        ("scale-one-way", through(to_decoder="changed * scale")),
        ("scale-one-way", through("latents.std()", to_decoder="changed * scale")),
        ("scale-per-channel", through("1 / latents.std(dim=(0, 2, 3), keepdim=True)")),
        ("scale-per-channel", through("1 / latents.std(dim=(0, 2, 3))[:, None, None]")),
        ("scale-per-channel", through("1 / latents.std(dim=(0, 2, 3)).mean()")),
        ("scale-per-channel", through("(1 / latents.std(dim=(0, 2, 3))).mean()")),
        ("scale-per-batch", through("1 / z.std()")),
        ("scale-per-batch", through("1 / torch.cat([latents.flatten(), z.flatten()]).std()")),
        ("scale-per-picture", through("1 / latents.flatten(1).std(dim=1).mean()")),
        ("scale-per-picture", through("1 / latents[0].std()")),
        ("scale-averaged", through("1 / latents.std(dim=(2, 3)).mean()")),
        ("scale-averaged", through("1 / latents.std(dim=0).mean()")),
        ("scale-per-place", through("1 / latents.std(dim=0)")),
        ("scale-of-the-largest", through("1 / latents.abs().max()")),
        ("scale-of-the-largest", through("2 / (latents.max() - latents.min())")),
        ("another-spread", through("1 / latents.abs().mean()")),
        ("another-spread", through("1 / latents.norm()")),
        ("measured-twice", through(to_decoder="changed / changed.std() / scale")),
        (
            "decoded-too-early",
            "def my_through_latent(latents, z, unet, decode):\n"
            "    return decode(unet(z / latents.std())) * latents.std()",
        ),
        ("many-for-few", through(to_unet="latents * scale")),
        ("result-clipped", through(to_decoder="changed.clamp(-1, 1) / scale")),
        ("unet-twice", through(to_decoder="unet(changed) / scale")),
        (
            "mean-subtracted",
            through(to_unet="(z - latents.mean()) * scale", to_decoder="changed / scale + latents.mean()"),
        ),
        ("mean-subtracted", through(to_unet="(z - latents.mean()) * scale")),
        ("mean-square-for-variance", through("1 / latents.square().mean().sqrt()")),
        ("mean-square-for-variance", through("1 / latents.norm() * latents.numel() ** 0.5")),
        ("borrowed-scale", through("0.18215")),
        ("not-scaled", through("1")),
        ("not-scaled", "def my_through_latent(latents, z, unet, decode):\n    return decode(unet(z))"),
        (
            "wrong-shape",
            "def my_through_latent(latents, z, unet, decode):\n    return unet(z / latents.std())",
        ),
        ("error", through("1 / latents.std(dim=(0, 2, 3))")),
        ("error", through("1 / latents.std(dim=2)")),
        ("error", through(to_decoder="(changed / scale).flatten(1)")),
        ("wrong-type", "my_through_latent = 0.18215"),
    ],
}

COMPOUND = {
    "price": [
        (
            {"half-missing", "mean-for-sum", "wrong-factor"},
            price("(mean**2 + logvar.exp() - 1 - logvar).mean((1, 2, 3))"),
        ),
        (
            {"wrong-sign", "half-missing", "wrong-factor"},
            price("(1 + logvar - mean**2 - logvar.exp()).flatten(1).sum(1)"),
        ),
        (
            {"logvar-as-variance", "one-for-the-batch"},
            price("0.5 * (mean**2 + logvar - 1 - logvar.log()).sum()"),
        ),
        ({"ignores-argument"}, price("mean.flatten(1).sum(1)")),
        ({"ignores-argument", "term-missing"}, price("0.5 * (mean**2).flatten(1).sum(1)")),
        ({"ignores-argument"}, price("torch.zeros(len(mean))")),
    ],
    "draw_code": [
        ({"variance-as-std", "shared-noise"}, draw_code("mean + logvar.exp() * noise[0]")),
        ({"variance-as-std", "detached-loss"}, draw_code("(mean + logvar.exp() * noise).detach()")),
        (
            {"shared-noise", "draws-own-noise"},
            draw_code("mean + (logvar / 2).exp() * torch.randn_like(mean[0])"),
        ),
        ({"ignores-argument"}, draw_code("noise")),
        ({"ignores-argument"}, draw_code("mean * noise")),
    ],
    "through_latent": [
        ({"scale-inverted", "scale-one-way"}, through("latents.std()", to_decoder="changed")),
        ({"ignores-argument", "scale-per-batch", "variance-as-std"}, through("1 / z.var()")),
        (
            {"ignores-argument", "scale-per-batch", "scale-per-channel"},
            through("1 / z.std(dim=(0, 2, 3), keepdim=True)"),
        ),
        (set(), through("1 / latents.abs().mean() ** 2")),
        (set(), through("1 / latents.abs().quantile(0.8)")),
    ],
}
