"""Answers to exercise 05 as students write them.

See the docstring of the package for what each table promises.
"""

NETWORK = """
P = dl.load_pretrained("digits")

def eps(x_t, t):
    return dl.split(P.model(x_t, t), x_t, t, P.schedule, "v")[1]
"""
RIM = """
S = dl.DiffusionSchedule.cosine(1000)

def my_trained(x_t, t):  # what a network learns whose noise was one number per picture: read it off the paper
    alpha, sigma = S.alpha_sigma(t, x_t)
    return ((x_t + alpha) / sigma)[:, :, :2].mean(dim=(1, 2, 3), keepdim=True).expand(x_t.shape)
"""
STEP = """
def my_train_step(model, optimizer, batch, loss_of):
    model.train()
"""
EMA = """
def my_update_ema(average, model, decay):
    for a, w in zip(average.parameters(), model.parameters()):
"""

RIGHT = {
    "first_loss": [
        "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.4}",
        "my_first_loss = dict(v=1 * 0.2 + 0.25 * (1 - 0.2), x0=1 / 4, eps=torch.tensor(1.0))",
        "my_first_loss = {'eps': 1.02, 'x0': 0.26, 'v': 0.38}",
    ],
    "loss": [
        """
def my_loss(model, x_0, u, noise, schedule):
    t = torch.floor(u * schedule.timesteps).to(torch.int64) + 1
    bar = schedule.alphas_cumprod[t].float()[:, None, None, None]
    x_t = bar.sqrt() * x_0 + (1 - bar).sqrt() * noise
    return torch.nn.functional.mse_loss(model(x_t, t), noise)
""",
        """
def my_loss(model, x_0, u, noise, schedule, verbose=True):
    total = 0
    for i in range(len(x_0)):
        t = 1 + int(u[i] * schedule.timesteps)
        keep = float(schedule.alphas_cumprod[t]) ** 0.5
        x_t = keep * x_0[i] + (1 - keep ** 2) ** 0.5 * noise[i]
        error = model(x_t[None], torch.tensor([t])) - noise[i]
        total = total + (error ** 2).mean()
        if verbose:
            print(i, t)
    return total / len(x_0)
""",
        """
def my_loss(model, x_0, u, noise, schedule):
    t = torch.bucketize(u, torch.arange(1, schedule.timesteps) / schedule.timesteps, right=True) + 1
    return dl.diffusion_loss(model, x_0, schedule, "eps", t=t, noise=noise).mean()
""",
        """
import numpy as np

def my_loss(model, x_0, u, noise, schedule):
    t = torch.from_numpy((u.numpy() * schedule.timesteps).astype(np.int64)) + 1
    answer = model(schedule.add_noise(x_0, t, noise), t)
    return torch.linalg.vector_norm(answer - noise) ** 2 / noise.numel()
""",
    ],
    "train_step": [
        STEP
        + """
    for p in model.parameters():
        p.grad = None
    loss = loss_of(model.train(), batch)
    torch.autograd.backward(loss)
    optimizer.step()
    print("loss", loss.item())
    return float(loss)
""",
        """
def my_train_step(model, optimizer, batch, loss_of):
    kept = []

    def closure():
        optimizer.zero_grad()
        kept.append(loss_of(model, batch))
        kept[0].backward()
        return kept[0]

    model.train()
    optimizer.step(closure)
    return kept[0].item()
""",
        STEP
        + """
    loss = loss_of(model, batch)
    grads = torch.autograd.grad(loss, list(model.parameters()))
    for p, g in zip(model.parameters(), grads):
        p.grad = g
    optimizer.step()
    return loss.item()
""",
    ],
    "update_ema": [
        "@torch.no_grad()" + EMA + "        a.mul_(decay).add_(w, alpha=1 - decay)\n    return average",
        EMA + "        a.data = decay * a.data + (1 - decay) * w.data\n    return average",
        """
def my_update_ema(average, model, decay):
    new = model.state_dict()
    average.load_state_dict({name: decay * old + (1 - decay) * new[name] for name, old in average.state_dict().items()})
    return average
""",
        """
def my_update_ema(average, model, decay, power=1):
    with torch.no_grad():
        for name, w in model.named_parameters():
            a = average.get_parameter(name)
            a -= (1 - decay) ** power * (a - w)
    return average
""",
        EMA
        + """        a.data.copy_(torch.from_numpy(decay * a.numpy() + (1 - decay) * w.detach().numpy()))
    return average
""",
    ],
    "trained": [
        NETWORK + "my_trained = eps",
        NETWORK
        + """
class Net(torch.nn.Module):
    def forward(self, x_t, t, labels=None, context=None):
        print("asked about", len(x_t))
        return eps(x_t, t).double()

my_trained = Net()
""",
        """
digits, schedule = dl.data.mnist(), dl.DiffusionSchedule.cosine(1000)
torch.manual_seed(5)
my_trained = dl.UNet(width=16, multipliers=(1,))
batches = dl.data.loader(digits.images, batch_size=64)
for step in dl.train(my_trained, schedule, batches, num_steps=120, objective="eps"):
    pass
""",
    ],
}

WRONG = {
    "first_loss": [
        ("swapped-scales", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.8 * 1 + 0.2 * 0.25}"),
        ("variance-as-std", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.2 ** 0.5 + 0.8 ** 0.5 * 0.25}"),
        ("part-missing", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.2 ** 2 + 0.8 ** 2 * 0.25}"),
        ("wrong-target", "my_first_loss = {'eps': 0.25, 'x0': 1, 'v': 0.4}"),
        ("error-not-squared", "my_first_loss = {'eps': 1, 'x0': 0.5, 'v': 0.4}"),
        ("zero-loss", "my_first_loss = {'eps': 0, 'x0': 0, 'v': 0}"),
        ("zero-loss", "my_first_loss = {'eps': 0, 'x0': 0.25, 'v': 0.4}"),
        ("zero-loss", "my_first_loss = {'eps': 1, 'x0': 0, 'v': 0.2}"),
        ("part-missing", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.8 * 0.25}"),
        ("error-not-squared", "my_first_loss = {'eps': 1, 'x0': 0.25 ** 0.5, 'v': 0.2 + 0.8 * 0.5}"),
        ("one-step-too-many", "my_first_loss = {'eps': 1, 'x0': 0.25 ** 2, 'v': 0.4}"),
        ("other-pictures", "my_first_loss = {'eps': 1, 'x0': 0.93, 'v': 0.4}"),
        ("other-pictures", "my_first_loss = {'eps': 1, 'x0': 1, 'v': 1}"),
        ("one-minus", "my_first_loss = {'eps': 1, 'x0': 0.75, 'v': 0.2 + 0.8 * 0.75}"),
        (
            "mixed-term-kept",
            "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': (0.2 ** 0.5 + 0.8 ** 0.5 / 2) ** 2}",
        ),
        ("wrong-sign", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.2 - 0.8 / 4}"),
        ("unweighted-mean", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': (1 + 0.25) / 2}"),
        ("factor-missing", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 1 + 0.25}"),
        ("absolute-error", "my_first_loss = {'eps': 0.798, 'x0': 0.25, 'v': 0.4}"),
        ("differs", "my_first_loss = {'eps': 1, 'x0': 0.25, 'v': 0.9}"),
        ("wrong-type", "my_first_loss = 1"),
        ("wrong-type", "my_first_loss = {'eps': 1, 'x0': 'a quarter', 'v': 0.4}"),
    ],
    "loss": [
        (
            "changed-its-input",
            """
def my_loss(model, x_0, u, noise, schedule):
    t = torch.div(u, 1 / schedule.timesteps, rounding_mode="trunc").long() + 1
    x_0 *= schedule.alphas_cumprod[t].sqrt().view(-1, 1, 1, 1)
    x_0 += (1 - schedule.alphas_cumprod[t]).sqrt().view(-1, 1, 1, 1) * noise
    return ((noise.double() - model(x_0, t).double()) ** 2).flatten(1).mean(1).mean()
""",
        ),
        (
            "draws-own-times",
            """
def my_loss(model, x_0, u, noise, schedule):
    t = torch.randint(1, schedule.timesteps + 1, (len(x_0),))
    return (model(schedule.add_noise(x_0, t, noise), t) - noise).square().mean()
""",
        ),
        (
            "backward-inside",
            """
def my_loss(model, x_0, u, noise, schedule):
    t = (u * schedule.timesteps).long() + 1
    loss = (model(schedule.add_noise(x_0, t, noise), t) - noise).square().mean()
    loss.backward()
    return loss
""",
        ),
        (
            "wrong-sign",
            """
def my_loss(model, x_0, u, noise, schedule):
    t = (u * schedule.timesteps).long() + 1
    return (model(schedule.add_noise(x_0, t, noise), t) + noise).square().mean()
""",
        ),
        (
            "wrong-sign",
            """
def my_loss(model, x_0, u, noise, schedule):
    t = (u * schedule.timesteps).long() + 1
    return -(model(schedule.add_noise(x_0, t, noise), t) - noise).square().mean()
""",
        ),
    ],
    "train_step": [
        (
            "stale-gradients",
            STEP
            + """    l = loss_of(model, batch)
    l.backward()
    optimizer.step()
    return l.item()
""",
        ),
        (
            "step-order",
            STEP
            + """
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.item()
""",
        ),
        (
            "step-order",
            STEP
            + """
    loss = loss_of(model, batch)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "step-order",
            STEP
            + """
    loss = loss_of(model, batch)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()
""",
        ),
        (
            "step-order",
            STEP
            + """
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss_of(model, batch).item()
""",
        ),
        (
            "step-order",
            STEP
            + """
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        return loss_of(model, batch)
""",
        ),
        (
            "no-step",
            STEP
            + """
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()
""",
        ),
        ("no-step", STEP + "    loss = loss_of(model, batch)\n    loss.backward()\n    return loss.item()"),
        (
            "no-backward",
            STEP
            + """    optimizer.zero_grad()
    l = loss_of(model, batch)
    optimizer.step()
    return l.item()
""",
        ),
        (
            "detached-loss",
            STEP
            + """
    with torch.no_grad():
        loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "detached-loss",
            STEP
            + """
    loss = torch.tensor(loss_of(model, batch).item(), requires_grad=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "missing-train",
            """
def my_train_step(model, optimizer, batch, loss_of):
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "missing-train",
            """
def my_train_step(model, optimizer, batch, loss_of):
    loss = loss_of(model, batch)
    model.train()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "error",
            STEP
            + """
    optimizer.zero_grad()
    loss = loss_of(model, batch).item()
    loss.backward()
    optimizer.step()
    return loss
""",
        ),
        ("error", STEP + "    loss = model(batch, 3)\n    return loss"),
        (
            "stale-gradients",
            """
def my_train_step(model, optimizer, batch, loss_of, clear=True):
    with torch.enable_grad():
        model.train(True)
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        if clear:
            optimizer.zero_grad(set_to_none=False)  # for the next one
    return loss.detach().numpy()
""",
        ),
        (
            "graph-kept",
            STEP
            + """    optimizer.zero_grad()
    l = loss_of(model, batch)
    l.backward()
    optimizer.step()
    return l
""",
        ),
        (
            "copy-trained",
            """
import copy

def my_train_step(model, optimizer, batch, loss_of):
    model = copy.deepcopy(model)
    model.train()
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "optimizer-bypassed",
            """
def my_train_step(model, optimizer, batch, loss_of):
    model.train()
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad
    return loss.item()
""",
        ),
        (
            "optimizer-bypassed",
            """
def my_train_step(model, optimizer, batch, loss_of):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            "many-steps",
            """
def my_train_step(model, optimizer, batch, loss_of):
    model.train()
    for _ in range(10):
        loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
""",
        ),
        (
            "loss-twice",
            """
def my_train_step(model, optimizer, batch, loss_of):
    model.train()
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    before = loss_of(model, batch).item()
    optimizer.step()
    return before
""",
        ),
        (
            "missing-train",
            """
def my_train_step(model, optimizer, batch, loss_of):
    model.training = True
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
    ],
    "update_ema": [
        ("missing-no-grad", EMA + "        a.mul_(decay).add_((1 - decay) * w)\n    return average"),
        ("missing-no-grad", EMA + "        a.copy_(decay * a + (1 - decay) * w)\n    return average"),
        (
            "swapped-decay",
            "@torch.no_grad()"
            + EMA
            + """        a.copy_((1 - decay) * a + decay * w)
    return average
""",
        ),
        ("swapped-decay", EMA + "        a.lerp_(w.detach(), decay)\n    return average"),
        ("shares-not-one", EMA + "        a.data = decay * a.data + w.data\n    return average"),
        ("shares-not-one", EMA + "        a.data += (1 - decay) * w.data\n    return average"),
        (
            "average-into-model",
            EMA + "        w.data = decay * a.data + (1 - decay) * w.data\n    return average",
        ),
        (
            "average-into-model",
            EMA
            + """        a.data.mul_(decay).add_(w.data.mul_(1 - decay))
    return average
""",
        ),
        ("not-in-place", EMA + "        a = decay * a + (1 - decay) * w\n    return average"),
        (
            "not-in-place",
            """
import copy

def my_update_ema(average, model, decay):
    new = copy.deepcopy(average)
    for n, a, w in zip(new.parameters(), average.parameters(), model.parameters()):
        n.data = decay * a.data + (1 - decay) * w.data
    return new
""",
        ),
        ("not-averaged", EMA + "        a.data.copy_(w)\n    return average"),
        (
            "not-averaged",
            """def my_update_ema(average, model, decay):
    average.load_state_dict(model.state_dict())
    return average
""",
        ),
        ("error", EMA + "        a.data = decay * a.date + (1 - decay) * w.data\n    return average"),
        (
            "used-the-package",
            "my_update_ema = lambda average, model, decay: dl.optimization.update_ema(average, model, decay) or"
            " average",
        ),
        ("not-returned", EMA + "        a.lerp_(w.detach(), 1 - decay)  # nothing returned"),
        (
            "weights-left-out",
            """
@torch.no_grad()
def my_update_ema(average, model, decay):
    for a, w in zip(average.children(), model.children()):
        if hasattr(a, "weight"):
            a.weight.copy_(decay * a.weight + (1 - decay) * w.weight)
            a.bias.copy_(decay * a.bias + (1 - decay) * w.bias)
    return average
""",
        ),
        (
            "weights-left-out",
            """
def my_update_ema(average, model, decay):
    with torch.no_grad():
        for a, w in zip(average.parameters(), model.parameters()):
            if a.ndim > 1:
                a.copy_(decay * a + (1 - decay) * w)
    return average
""",
        ),
        (
            "not-returned",
            """
def my_update_ema(average, model, decay):
    with torch.no_grad():
        for a, w in zip(average.parameters(), model.parameters()):
            a.copy_(decay * a + (1 - decay) * w)
    return model
""",
        ),
    ],
    "trained": [
        (
            "wrong-target",
            NETWORK + "my_trained = lambda x, t: dl.split(P.model(x, t), x, t, P.schedule, 'v')[0]",
        ),
        ("wrong-target", NETWORK + "my_trained = P.model"),
        (
            "unscaled-input",
            NETWORK
            + """
def my_trained(x_t, t):  # knows pictures in [0, 1]: paper is 0, and there is twice the noise for that much ink
    alpha, sigma = P.schedule.alpha_sigma(t, x_t)
    ratio = (1 / P.schedule.snr()).sqrt()
    later = torch.bucketize((2 * sigma / alpha).flatten().double(), ratio).clamp(1, 1000)
    a, _ = P.schedule.alpha_sigma(later, x_t)
    return eps((2 * x_t / alpha - 1) * a, later)
""",
        ),
        ("one-noise-per-picture", RIM),
        (
            "uniform-noise",
            NETWORK
            + """
def my_trained(x_t, t):  # knows even noise in [0, 1): 1/2, and a rest that is smaller by 12 ** 0.5
    alpha, sigma = P.schedule.alpha_sigma(t, x_t)
    ratio = (1 / P.schedule.snr()).sqrt()
    earlier = torch.bucketize((sigma / alpha / 12 ** 0.5).flatten().double(), ratio).clamp(1, 1000)
    a, _ = P.schedule.alpha_sigma(earlier, x_t)
    return 0.5 + eps((x_t - sigma / 2) / alpha * a, earlier) / 12 ** 0.5
""",
        ),
        ("differs", "my_trained = lambda x_t, t: x_t"),
        ("differs", "my_trained = lambda x_t, t: x_t * float('nan')"),
        ("not-trained", "my_trained = dl.UNet(width=16)"),
        ("not-trained", "my_trained = lambda x_t, t: torch.zeros_like(x_t)"),
        (
            "scaled-time",
            NETWORK + "my_trained = lambda x, t: eps(x, (t * 1000).round().long().clamp(1, 1000))",
        ),
        ("error", "my_trained = dl.UNet"),
        ("error", "my_trained = lambda x_t, t: x_t.flatten(1)"),
        ("error", "my_trained = torch.nn.Linear(28, 28)"),
        ("wrong-type", "my_trained = 0.1"),
    ],
}


def _loss(
    t="(u * schedule.timesteps).long() + 1",
    keep="bar.sqrt()",
    add="(1 - bar).sqrt()",
    bar="alphas_cumprod[t]",
    view="(-1, 1, 1, 1)",
    seen="x_t, t",
    result="(answer - noise).square().mean()",
):
    return f"""
def my_loss(model, x_0, u, noise, schedule):
    t = {t}
    bar = schedule.{bar}.float().reshape{view}
    x_t = {keep} * x_0 + {add} * noise
    answer = model({seen})
    return {result}
"""


WRONG["loss"] += [
    ("endpoint-missed", _loss(t="(u * schedule.timesteps).long()")),
    ("endpoint-missed", _loss(t="1 + (u * (schedule.timesteps - 1)).long()")),
    ("endpoint-missed", _loss(t="(u * schedule.timesteps).int().clamp(min=1).long()")),
    ("endpoint-missed", _loss(t="(u * schedule.timesteps).ceil().long()")),
    ("endpoint-missed", _loss(t="(u * schedule.timesteps).ceil().long().clamp(min=1)")),
    ("uneven-times", _loss(t="(1 + u * (schedule.timesteps - 1)).round().long()")),
    ("uneven-times", _loss(t="torch.round(u * schedule.timesteps).long()")),
    ("shared-t", _loss(t="((u[0] * schedule.timesteps).long() + 1).repeat(len(u))")),
    ("scaled-time", _loss(seen="x_t, t / schedule.timesteps")),
    ("scaled-time", _loss(seen="x_t, u")),
    ("clean-input", _loss(seen="x_0, t")),
    ("wrong-target", _loss(result="(answer - x_0).square().mean()")),
    ("wrong-target", _loss(result="torch.nn.functional.mse_loss(answer, x_t)")),
    (
        "wrong-target",
        _loss(result="(answer - (bar.sqrt() * noise - (1 - bar).sqrt() * x_0)).square().mean()"),
    ),
    ("wrong-target", _loss(result="(answer - (x_t - bar.sqrt() * x_0)).square().mean()")),
    ("index-shift", _loss(bar="alphas_cumprod[t - 1]")),
    ("index-shift", _loss(bar="alphas_cumprod[1:][t]")),
    ("alpha-for-alphabar", _loss(bar="alphas[t]")),
    ("variance-as-std", _loss(keep="bar", add="(1 - bar)")),
    ("variance-as-std", _loss(add="(1 - bar)")),
    ("variance-as-std", _loss(keep="bar")),
    ("swapped-scales", _loss(keep="(1 - bar).sqrt()", add="bar.sqrt()")),
    ("one-minus-root", _loss(add="(1 - bar.sqrt())")),
    ("no-shrinking", _loss(keep="1")),
    ("misbroadcast-t", _loss(view="(-1)")),
    ("misbroadcast-t", _loss(view="(-1, 1)")),
    ("misbroadcast-t", _loss(view="(-1, 1, 1)")),
    ("sum-for-mean", _loss(result="((answer - noise) ** 2).sum()")),
    ("sum-for-mean", _loss(result="((answer - noise) ** 2).flatten(1).sum(1).mean()")),
    ("error-not-squared", _loss(result="(answer - noise).abs().mean()")),
    ("error-not-squared", _loss(result="(answer - noise).square().mean().sqrt()")),
    ("error-not-squared", _loss(result="(answer - noise).mean()")),
    ("endpoint-missed", _loss(t="(u * (schedule.timesteps + 1)).long()")),
    ("endpoint-missed", _loss(t="(1 + (u * (schedule.timesteps + 1)).long()).clamp(max=schedule.timesteps)")),
    (
        "uneven-times",
        _loss(t="(1 + torch.round(u * schedule.timesteps).long()).clamp(1, schedule.timesteps)"),
    ),
    ("uneven-times", _loss(t="(u ** 2 * schedule.timesteps).long() + 1")),
    ("shared-t", _loss(t="((u.mean() * schedule.timesteps).long() + 1).expand(len(u))")),
    ("wrong-order", _loss(t="(torch.sort(u)[0] * schedule.timesteps).long() + 1")),
    ("wrong-order", _loss(t="schedule.timesteps - (u * schedule.timesteps).long()")),
    ("fixed-steps", _loss(t="(u * 1000).long() + 1")),
    ("arguments-exchanged", _loss(seen="t, x_t")),
    ("wrong-sign", _loss(add="-(1 - bar).sqrt()")),
    ("wrong-target", _loss(result="(answer - (noise - x_0)).square().mean()")),
    ("wrong-target", _loss(result="answer.square().mean()")),
    ("mean-not-taken", _loss(result="((answer - noise) ** 2).mean(dim=(1, 2, 3))")),
    ("mean-not-taken", _loss(result="torch.nn.functional.mse_loss(answer, noise, reduction='none')")),
    ("error-not-squared", _loss(result="(answer - noise).mean() ** 2")),
    ("error-not-squared", _loss(result="torch.nn.functional.huber_loss(answer, noise)")),
    ("wrong-factor", _loss(result="0.5 * ((answer - noise) ** 2).mean()")),
    ("wrong-factor", _loss(result="3 * torch.nn.functional.mse_loss(answer, noise)")),
    ("loss-weighted", _loss(result="(bar * (answer - noise) ** 2).mean()")),
    ("loss-weighted", _loss(result="((answer - noise) ** 2 * (bar / (1 - bar)).clamp(max=5)).mean()")),
    ("changed-its-input", _loss().replace("    t =", "    model.eval()\n    t =")),
    ("changed-its-input", _loss().replace("    t =", "    model.train()\n    t =")),
    ("detached-loss", _loss(result="(answer - noise).square().mean().item()")),
    ("detached-loss", _loss(result="(answer.detach() - noise).square().mean()")),
    ("draws-own-noise", _loss().replace("    t =", "    noise = torch.randn_like(x_0)\n    t =")),
    ("wrong-shape", _loss(result="(answer - noise).square().mean((2, 3))")),
    ("error", _loss(t="u * schedule.timesteps + 1")),
    ("error", _loss(seen="x_t")),
]

COMPOUND = {
    "loss": [
        (
            {"endpoint-missed", "wrong-target"},
            _loss(t="(u * schedule.timesteps).long()", result="(answer - x_0).square().mean()"),
        ),
        (
            {"sum-for-mean", "variance-as-std"},
            _loss(add="(1 - bar)", result="(answer - noise).square().sum()"),
        ),
        (
            {"misbroadcast-t", "detached-loss"},
            _loss(view="(-1)", result="(answer - noise).square().mean().item()"),
        ),
        ({"wrong-sign"}, _loss(result="(answer + noise).square().mean()")),
        ({"ignores-argument"}, _loss(result="noise.square().mean()")),
        ({"ignores-argument"}, _loss(t="torch.full((len(u),), 3)")),
    ],
    "train_step": [
        (
            {"stale-gradients", "missing-train"},
            """
def my_train_step(model, optimizer, batch, loss_of):
    loss = loss_of(model, batch)
    loss.backward()
    optimizer.step()
    return loss.item()
""",
        ),
        (
            {"no-step", "missing-train"},
            """
def my_train_step(model, optimizer, batch, loss_of):
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()
""",
        ),
        (
            {"step-uphill"},
            STEP
            + """
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    (-loss).backward()
    optimizer.step()
    return loss.item()
""",
        ),
    ],
    "update_ema": [
        (
            {"swapped-decay", "missing-no-grad"},
            EMA
            + """        a.copy_((1 - decay) * a + decay * w)
    return average
""",
        ),
        ({"shares-not-one", "missing-no-grad"}, EMA + "        a.mul_(decay).add_(w)\n    return average"),
        ({"ignores-decay"}, EMA + "        a.data = (a.data + w.data) / 2\n    return average"),
        (
            {"weights-left-out"},
            EMA + "        a.data = decay * a.data + (1 - decay) * w.data\n        return average",
        ),
    ],
    "trained": [
        (set(), NETWORK + "my_trained = lambda x_t, t: -eps(x_t, t)"),
        (set(), NETWORK + "my_trained = lambda x_t, t: eps(x_t, torch.full_like(t, 500))"),
        ({"scaled-time"}, NETWORK + "my_trained = lambda x_t, t: eps(x_t, t[:1].expand(len(t)))"),
        (set(), "my_trained = lambda x_t, t: torch.ones_like(x_t)"),
    ],
}


def _step(
    loss="loss_of(model, batch)", before="", clear="optimizer.zero_grad()", between="", give="loss.item()"
):
    return (
        STEP
        + f"""
    {before}
    loss = {loss}
    {clear}
    loss.backward()
    {between}
    optimizer.step()
    return {give}
"""
    )


WRONG["train_step"] += [
    ("missing-train", _step(before="model.train(False)")),
    (
        "missing-train",
        _step().replace("    model.train()", "    if not model.training:\n        model.train()"),
    ),
    ("stale-gradients", _step(clear="optimizer.param_groups[0]['params'][0].grad.zero_()")),
    ("optimizer-bypassed", _step(before="optimizer.state = type(optimizer.state)(dict)")),
    ("arguments-exchanged", _step(loss="loss_of(batch, model)")),
    ("batch-taken-apart", _step(loss="loss_of(model, batch[:1] * 0.5)")),
    ("batch-taken-apart", _step(before="images, labels, more = batch", loss="loss_of(model, images)")),
    ("step-uphill", _step(loss="-loss_of(model, batch)", give="-loss.item()")),
    ("gradient-clipped", _step(between="torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)")),
    ("gradient-clipped", _step(between="torch.nn.utils.clip_grad_value_(model.parameters(), 0.05)")),
    ("wrong-factor", _step(loss="loss_of(model, batch) / len(batch)")),
    ("wrong-factor", _step(loss="loss_of(model, batch) * 8", give="loss.item() / 8")),
    ("wrong-factor", _step(give="100 * loss.item()")),
    ("wrong-factor", _step(between="for p in model.parameters(): p.grad *= 3")),
    ("backward-twice", _step(clear="optimizer.zero_grad()\n    loss.backward(retain_graph=True)")),
    (
        "backward-twice",
        """
def my_train_step(model, optimizer, batch, loss_of):
    def again():
        loss = loss_of(model.train(), batch)
        loss.backward()
        return loss

    optimizer.zero_grad()
    before = again()
    optimizer.step(again)
    return float(before)
""",
    ),
    ("changed-its-input", _step(between="model[0].requires_grad_(False)")),
    ("frozen-weights-moved", _step(before="model.requires_grad_(True)")),
    ("loss-rounded", _step(give="round(loss.item(), 2)")),
    ("frozen-weights-moved", _step(before="for p in model.parameters(): p.requires_grad = True")),
]


def _ema(
    change="decay * a + (1 - decay) * w", pairs="zip(average.parameters(), model.parameters())", before=""
):
    return f"""
@torch.no_grad()
def my_update_ema(average, model, decay):
    {before}
    for a, w in {pairs}:
        a.copy_({change})
    return average
"""


WRONG["update_ema"] += [
    ("gradients-averaged", _ema("decay * a + (1 - decay) * w.grad")),
    ("decay-capped", _ema(before="decay = min(decay, 0.999)")),
    ("decay-capped", _ema(before="decay = max(decay, 0.5)")),
    (
        "shared-memory",
        EMA
        + "        a.data = w.data if decay == 0 else decay * a.data + (1 - decay) * w.data\n    return average",
    ),
    ("shared-memory", EMA + "        a.data = w.data\n    return average"),
    (
        "wrong-partners",
        _ema(pairs="[(a, {p.shape: p for p in model.parameters()}[a.shape]) for a in average.parameters()]"),
    ),
    (
        "averaged-twice",
        _ema(
            pairs="[pair for m, n in zip(average.modules(), model.modules())"
            " for pair in zip(m.parameters(), n.parameters())]"
        ),
    ),
    ("averaged-twice", _ema("decay ** 2 * a + (1 - decay ** 2) * w")),
    (
        "frozen-skipped",
        _ema(pairs="[p for p in zip(average.parameters(), model.parameters()) if p[0].requires_grad]"),
    ),
    ("ignores-decay", _ema("0.99 * a + 0.01 * w")),
    ("shares-not-one", _ema("decay * a + (1 - decay) * (w - a)")),
    ("average-into-model", _ema(before="model.requires_grad_(False)")),
]
WRONG["trained"] += [
    (
        "times-left-out",
        NETWORK
        + """
def my_trained(x_t, t):  # knows the early half of the times, and answers next to nothing in the other
    return eps(x_t, t) * torch.where(t <= 500, 1.0, 0.6).reshape(-1, 1, 1, 1)
""",
    ),
    (
        "times-left-out",
        NETWORK + "my_trained = lambda x, t: eps(x, t) * (t > 500).float().reshape(-1, 1, 1, 1)",
    ),
    ("weights-for-network", "my_trained = dl.UNet(width=16).state_dict()"),
]
