"""Answers to exercise 10 as students write them.

See the docstring of the package for what each table promises.
"""


def straight(place="(1 - s) * x_0 + s * eps", target="eps - x_0", shape="-1, 1, 1, 1", first="pass"):
    """A straight path with something changed."""
    return f"""
def my_straight(x_0, eps, s):
    {first}
    s = s.reshape({shape})
    return {place}, {target}
"""


def denoise(
    skip="data_std**2 / total",
    out="r * data_std / total.sqrt()",
    shown="1 / total.sqrt()",
    total="r**2 + data_std**2",
    shape="-1, 1, 1, 1",
    last="c_skip * y + c_out * network(c_in * y, ratio)",
):
    """A denoiser in EDM's frame with something changed."""
    return f"""
def my_denoise(network, y, ratio, data_std):
    r = ratio.reshape({shape})
    total = {total}
    c_skip, c_out, c_in = {skip}, {out}, {shown}
    return {last}
"""


def loss(
    asked="target(x_s, s)",
    at="a_s * x_s - b_s * said",
    said_at="x_s",
    eps="b_t * x_t + a_t * v",
    guard="with torch.no_grad():",
    v="teacher(x_t, t)",
    to="s",
    last="difference.square().flatten(1).mean(1)",
    student="student(x_t, t)",
):
    """A consistency loss with something changed."""
    return f"""
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a_t, b_t = schedule.alpha_sigma(t, x_t)
    a_s, b_s = schedule.alpha_sigma({to}, x_t)
    {guard}
        v = {v}
        x_0, eps = a_t * x_t - b_t * v, {eps}
        x_s = a_s * x_0 + b_s * eps
        said = {asked}
        wanted = {at}
    difference = a_t * x_t - b_t * {student} - wanted
    return {last}
"""


RIGHT = {
    "straight": [
        straight(),
        straight("torch.lerp(x_0, eps, s)", "-(x_0 - eps)"),
        straight("x_0 + s * (eps - x_0)"),
        """
import numpy as np

def my_straight(x_0, eps, s, verbose=False):
    x_0, eps, s = x_0.numpy(), eps.numpy(), s.numpy()
    z = np.stack([(1 - a) * x + a * e for x, e, a in zip(x_0, eps, s)])
    return [z, eps - x_0]
""",
        """
def my_straight(x_0, eps, s):
    u = eps.double() - x_0
    return x_0 + s[:, None, None, None] * u, u
""",
    ],
    "denoise": [
        denoise(),
        denoise("1 - r**2 / total", "r * data_std * total**-0.5", "total**-0.5"),
        """
from diffusion_lab.variants.edm import preconditioning

def my_denoise(network, y, ratio, data_std):
    c = preconditioning(ratio, data_std)
    skip, out, shown = (x[:, None, None, None] for x in c[:3])
    return skip * y + out * network(shown * y, ratio)
""",
        """
import math

def my_denoise(network, y, ratio, data_std, verbose=True):
    print("levels", ratio)
    totals = [math.hypot(r, data_std) for r in ratio.tolist()]
    shown = torch.stack([one / total for one, total in zip(y, totals)])
    said = network(shown, ratio)
    out = []
    for one, raw, total, r in zip(y, said, totals, ratio.tolist()):
        out.append((data_std / total) ** 2 * one + r * data_std / total * raw)
    return torch.stack(out)
""",
    ],
    "consistency_loss": [
        loss(),
        loss(guard="if True:", v="teacher(x_t, t).detach()", at="(a_s * x_s - b_s * said).detach()"),
        """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    def end(network, x, time):
        return dl.split(network(x, time), x, time, schedule, "v")[0]

    with torch.no_grad():
        x_0, eps = dl.split(teacher(x_t, t), x_t, t, schedule, "v")
        wanted = end(target, schedule.add_noise(x_0, s, eps), s)
    return ((end(student, x_t, t) - wanted) ** 2).mean(dim=(1, 2, 3))
""",
        """
@torch.enable_grad()
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    frozen = [p for network in (target, teacher) for p in network.parameters()]
    for p in frozen:
        p.requires_grad_(False)
    abar = schedule.alphas_cumprod.float()
    a, b = torch.stack([abar[t], abar[s]])[:, :, None, None, None].sqrt()
    a_n, b_n = (1 - a**2).sqrt(), (1 - b**2).sqrt()
    v = teacher(x_t, t)
    x_s = b * (a * x_t - a_n * v) + b_n * (a_n * x_t + a * v)
    wanted = b * x_s - b_n * target(x_s, s)
    got = a * x_t - a_n * student(x_t, t)
    for p in frozen:
        p.requires_grad_(True)
    return torch.nn.functional.mse_loss(got, wanted, reduction="none").mean((1, 2, 3))
""",
    ],
}

WRONG = {
    "straight": [
        ("no-shrinking", straight("x_0 + s * eps")),
        ("no-shrinking", straight("x_0 + s * eps", "eps")),
        ("not-straight", straight("((1 - s) * x_0 + s * eps) / (1 - 2 * s + 2 * s**2).sqrt()")),
        ("scaled-time", straight(first="s = s / 1000")),
        ("scaled-time", straight(first="s = s**2")),
        ("velocity-times-time", straight(target="s * eps - x_0")),
        (
            "one-step-too-many",
            straight(target="(eps - x_0) / (eps - x_0).flatten(1).norm(dim=1)[:, None, None, None]"),
        ),
        ("wrong-factor", straight(target="(eps - x_0) / 2")),
        ("result-clipped", straight("((1 - s) * x_0 + s * eps).clamp(-1, 1)")),
        ("floor-added", straight(first="s = s.clamp(0.01, 0.99)")),
        ("floor-added", straight("(1 - s + 0.001 * s) * x_0 + s * eps", "eps - 0.999 * x_0")),
        ("zero-over-zero", straight(target="((1 - s) * x_0 + s * eps - x_0) / s")),
        ("zero-over-zero", straight(target="(eps - (1 - s) * x_0 - s * eps) / (1 - s).clamp(min=1e-9)")),
        ("swapped-ends", straight("s * x_0 + (1 - s) * eps")),
        ("swapped-ends", straight("s * x_0 + (1 - s) * eps", "x_0 - eps")),
        ("swapped-ends", straight("torch.lerp(eps, x_0, s)", "x_0 - eps")),
        ("swapped-results", straight("eps - x_0", "(1 - s) * x_0 + s * eps")),
        ("sign-of-the-velocity", straight(target="x_0 - eps")),
        ("velocity-times-time", straight(target="eps - ((1 - s) * x_0 + s * eps)")),
        ("wrong-target", straight(target="eps")),
        ("wrong-target", straight(target="x_0")),
        ("velocity-times-time", straight(target="s * (eps - x_0)")),
        ("velocity-times-time", straight(target="(1 - s) * eps - s * x_0")),
        ("not-straight", straight("(1 - s).sqrt() * x_0 + s.sqrt() * eps")),
        ("not-straight", straight("(1 - s**2).sqrt() * x_0 + s * eps")),
        (
            "not-straight",
            straight("(1 - s).sqrt() * x_0 + s.sqrt() * eps", "(1 - s).sqrt() * eps - s.sqrt() * x_0"),
        ),
        ("misbroadcast-t", straight(shape="-1, 1")),
        ("misbroadcast-t", straight(shape="-1")),
        ("shared-t", straight("(1 - s[0]) * x_0 + s[0] * eps")),
        ("shared-t", straight("(1 - s.mean()) * x_0 + s.mean() * eps")),
        ("draws-own-noise", straight(first="eps = torch.randn_like(x_0)")),
        ("error", straight(target="noise - x_0")),
        ("wrong-shape", straight(target="(eps - x_0).flatten(1)")),
        ("wrong-shape", straight().replace("return ", "return sum((").replace(", eps - x_0", ",))")),
        (
            "wrong-sign",
            """
def my_straight(x_0, eps, tau):
    tau = tau.reshape(-1, 1, 1, 1)
    return (1 - tau) * x_0 + tau * eps, eps + x_0
""",
        ),
    ],
    "denoise": [
        ("variance-measured", denoise(shown="1 / y.std()")),
        ("variance-measured", denoise().replace("    total", "    data_std = y.std()\n    total")),
        ("result-clipped", denoise(last="c_skip * y + c_out * network(y.clamp(-3, 3), ratio)")),
        ("skip-of-the-shown", denoise(last="c_skip * (c_in * y) + c_out * network(c_in * y, ratio)")),
        ("wrong-scale", denoise(skip="data_std**3 / total")),
        ("wrong-scale", denoise(out="r * data_std / (1 + total).sqrt()")),
        ("floor-added", denoise().replace("r = ratio.re", "r = ratio.clamp(min=0.002).re")),
        ("boundary-missed", denoise(last="c_out * network(c_in * y, ratio)")),
        ("boundary-missed", denoise(last="network(c_in * y, ratio)")),
        ("boundary-missed", denoise(last="c_skip * y")),
        ("data-counts-one", denoise().replace("    total", "    data_std = 0.5\n    total")),
        ("misbroadcast-t", denoise(last="c_skip * y + c_out * network(c_in * y, r)")),
        (
            "zero-over-zero",
            denoise(out="1 / (1 / r**2 + 1 / data_std**2).sqrt()", skip="(total - r**2) / r * r / total"),
        ),
        (
            "variance-as-std",
            denoise("data_std / total", "(r * data_std / total).sqrt()", total="r + data_std"),
        ),
        ("variance-as-std", denoise("data_std / total.sqrt()")),
        ("variance-as-std", denoise("data_std**2 / total.sqrt()")),
        ("variance-as-std", denoise(out="r * data_std / total")),
        ("variance-as-std", denoise(shown="1 / total")),
        ("variance-as-std", denoise(shown="1 / (r + data_std)")),
        ("variance-as-std", denoise(total="r + data_std")),
        ("variance-as-std", denoise(total="(r + data_std) ** 2")),
        ("variance-as-std", denoise("data_std / total", total="r + data_std")),
        ("wrong-sign", denoise(last="c_skip * y - c_out * network(c_in * y, ratio)")),
        ("skip-left-out", denoise(last="y + c_out * network(c_in * y, ratio)")),
        ("input-not-scaled", denoise(shown="1")),
        ("input-not-scaled", denoise(shown="1 / data_std")),
        ("boundary-missed", denoise(out="1")),
        ("boundary-missed", denoise(out="data_std")),
        ("boundary-missed", denoise(skip="0")),
        ("data-counts-one", denoise(total="r**2 + 1", skip="1 / total", out="r / total.sqrt()")),
        ("swapped-scales", denoise(last="c_out * y + c_skip * network(c_in * y, ratio)")),
        ("swapped-scales", denoise(skip="r**2 / total")),
        ("eps-for-data", denoise(last="y - r * network(c_in * y, ratio)")),
        ("misbroadcast-t", denoise(shape="-1")),
        ("misbroadcast-t", denoise(shape="-1, 1")),
        ("shared-t", denoise().replace("r = ratio", "r = ratio[0]")),
        ("shared-t", denoise().replace("r = ratio", "r = ratio.mean()")),
        ("error", denoise(total="r**2 + sigma_data**2")),
        ("wrong-axis", denoise(last="(c_skip * y + c_out * network(c_in * y, ratio)).mean(1)")),
        (
            "scaled-time",
            """
def my_denoise(network, y, ratio, data_std):
    r = ratio.reshape(-1, 1, 1, 1)
    total = r**2 + data_std**2
    c_skip, c_out, c_in = data_std**2 / total, r * data_std / total.sqrt(), 1 / total.sqrt()
    return c_skip * y + c_out * network(c_in * y, ratio.log() / 4)
""",
        ),
    ],
    "consistency_loss": [
        ("gradient-through-target", loss(guard="if True:")),
        ("gradient-through-target", loss(guard="if True:", v="teacher(x_t, t).detach()")),
        (
            "gradient-through-target",
            loss(guard="if True:", v="teacher(x_t, t).detach()", asked="student(x_s, s)"),
        ),
        ("gradient-through-target", loss(guard="if True:", asked="target(x_s, s).detach()")),
        ("target-not-averaged", loss(asked="student(x_s, s)")),
        ("no-teacher-step", loss(asked="target(x_t, s)", at="a_s * x_t - b_s * said")),
        ("no-teacher-step", loss(asked="target(x_t, t)", at="a_t * x_t - b_t * said")),
        ("mean-for-end", loss(at="x_0")),
        ("index-shift", loss(asked="target(x_s, t)", at="a_t * x_s - b_t * said")),
        ("stride-beta", loss(to="t - 1", asked="target(x_s, t - 1)")),
        ("noise-not-kept", loss(eps="0")),
        ("noise-not-kept", loss(eps="x_t")),
        ("summed-not-averaged", loss(last="difference.square().flatten(1).sum(1)")),
        ("square-missing", loss(last="difference.abs().flatten(1).mean(1)")),
        ("square-missing", loss(last="difference.flatten(1).mean(1)")),
        ("detached-loss", loss(last="difference.square().flatten(1).mean(1).detach()")),
        ("detached-loss", "@torch.no_grad()" + loss()),
        ("error", loss(v="teacher(x_t)")),
        ("misbroadcast-t", loss(asked="target(x_s, int(s[0]))")),
        ("one-for-the-batch", loss(last="difference.square().mean()")),
        ("wrong-axis", loss(last="difference.square().mean((2, 3))")),
        ("mean-not-squared", loss(last="difference.flatten(1).mean(1) ** 2")),
        ("target-not-asked", loss(at="x_s")),
        ("target-not-asked", loss(asked="teacher(x_s, s)")),
        (
            "roles-exchanged",
            loss(
                student="target(x_t, t)",
                guard="if True:",
                v="teacher(x_t, t).detach()",
                asked="student(x_s, s)",
            ),
        ),
        ("floor-added", loss().replace("    a_t, b_t", "    s = s.clamp(min=1)\n    a_t, b_t")),
        ("endpoint-missed", loss(last="(s > 0) * difference.square().flatten(1).mean(1)")),
        ("wrong-sign", loss(eps="b_t * x_t - a_t * v")),
        ("wrong-target", loss(eps="v")),
        ("wrong-target", loss(at="said").replace("a_t * x_t - b_t * student", "student")),
        ("noise-not-kept", loss().replace("x_s = a_s * x_0", "x_s = x_0")),
        ("draws-own-noise", loss(eps="torch.randn_like(x_t)")),
        ("result-clipped", loss(at="(a_s * x_s - b_s * said).clamp(-1, 1)")),
        ("result-clipped", loss(at="(a_s * x_s - b_s * said).clamp(-3, 3)")),
        (
            "shared-t",
            loss()
            .replace("alpha_sigma(t,", "alpha_sigma(int(t[0]),")
            .replace("alpha_sigma(s,", "alpha_sigma(int(s[0]),"),
        ),
        ("pictures-mixed", loss(last="difference.square().flatten(1).mean(1).flip(0)")),
        (
            "variance-as-std",
            loss().replace("    with", "    a_t, b_t, a_s, b_s = a_t**2, b_t**2, a_s**2, b_s**2\n    with"),
        ),
        ("swapped-scales", loss().replace("a_t, b_t =", "b_t, a_t =").replace("a_s, b_s =", "b_s, a_s =")),
        ("index-shift", loss(asked="target(x_s, t)")),
        ("zero-over-zero", loss(at="(x_s - b_s * ((x_s - a_s * (a_s * x_s - b_s * said)) / b_s)) / a_s")),
        (
            "backward-inside",
            loss(last="difference.square().flatten(1).mean(1)").replace("    return ", "    out = ")
            + "    out.mean().backward(retain_graph=True)\n    return out\n",
        ),
        (
            "changed-its-input",
            loss().replace(
                "    a_t, b_t =",
                "    target.weights.data.lerp_(student.weights.data, 0.1)\n    a_t, b_t =",
            ),
        ),
        (
            "changed-its-input",
            loss().replace(
                "    a_t, b_t =",
                "    for p in teacher.parameters():\n        p.requires_grad = False\n    a_t, b_t =",
            ),
        ),
        (
            "changed-its-input",
            loss(guard="target.requires_grad_(False), teacher.requires_grad_(False)\n    if True:"),
        ),
        ("detached-loss", loss(guard="if not torch.set_grad_enabled(False).prev or True:")),
        (
            "teacher-not-asked",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = student(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return difference.square().flatten(1).mean(1)
""",
        ),
        (
            "wrong-sign",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) + wanted
    return difference.square().flatten(1).mean(1)
""",
        ),
        (
            "one-step-too-many",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return difference.square().flatten(1).mean(1).sqrt()
""",
        ),
        (
            "wrong-factor",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return 0.5 * difference.square().flatten(1).mean(1)
""",
        ),
        (
            "wrong-factor",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return difference.square().flatten(1).mean(1) / (t - s)
""",
        ),
        (
            "another-norm",
            """
def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return difference.cosh().log().flatten(1).mean(1)
""",
        ),
        (
            "another-norm",
            """
from diffusion_lab.variants.consistency import pseudo_huber

def my_consistency_loss(student, target, teacher, x_t, t, s, schedule):
    a, b = schedule.alpha_sigma(t, x_t)
    c, d = schedule.alpha_sigma(s, x_t)
    with torch.no_grad():
        v = teacher(x_t, t)
        x_s = c * (a * x_t - b * v) + d * (b * x_t + a * v)
        wanted = c * x_s - d * target(x_s, s)
    difference = a * x_t - b * student(x_t, t) - wanted
    return pseudo_huber(difference)
""",
        ),
    ],
}

COMPOUND = {
    "straight": [
        ({"swapped-ends", "sign-of-the-velocity"}, straight("s * x_0 + (1 - s) * eps", "x_0 + eps")),
        ({"wrong-factor"}, straight("2 * x_0 + 3 * s * eps")),
        ({"wrong-target"}, straight("(1 - s) * x_0 + s * eps", "(1 - s) * x_0 + s * eps")),
    ],
    "denoise": [
        ({"variance-as-std", "boundary-missed"}, denoise("data_std / total.sqrt()", "1")),
        (set(), denoise(last="c_skip * y - y")),
        ({"input-not-scaled", "variance-as-std"}, denoise("data_std / total.sqrt()", shown="1")),
    ],
    "consistency_loss": [
        ({"ignores-argument", "target-not-asked"}, loss(at="x_s + 1")),
        ({"detached-loss"}, loss(student="teacher(x_t, t)")),
        (
            {"ignores-argument", "mean-for-end", "summed-not-averaged"},
            loss(at="x_0", last="difference.square().flatten(1).sum(1)"),
        ),
    ],
}
