"""What stands beside answers to exercise 05."""

import copy
from unittest import mock

import torch
from torch import Tensor, nn

from diffusion_lab.bench.calls import Unusable
from diffusion_lab.bench.notes import Notes
from diffusion_lab.schedules import DiffusionSchedule

COSINE = DiffusionSchedule.cosine(1000)


class Measured(tuple):
    """What was measured of a student's function, so that it is not measured again."""


class Small(nn.Module):
    """A network with three weights that looks at pictures and times.

    `times` are told at which times it is asked, and `modes` in which mode it is then, and at last is left.
    """

    def __init__(self, weights: Tensor):
        """Take the weights, (3,)."""
        super().__init__()
        self.weights, self.times, self.modes = nn.Parameter(weights), Notes(), Notes()

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Answer about x_t, (B, C, H, W), at times t, (B,)."""
        self.times(t)
        self.modes(self.training)
        if x_t.ndim == 1 and t.ndim == 4:  # the other way round: numbers by which to know it
            return 1000 + self.weights.sum() * t
        return (
            self.weights[0] * x_t
            + self.weights[1] * t.reshape(-1, 1, 1, 1) / 5
            + self.weights[2] * x_t.square()
        )


def with_gradient(answer):
    """The loss that an answer returns, and the gradient that reaches the weights from it."""

    def measure(model, x_0, u, noise, schedule):
        try:
            loss = answer(model, x_0, u, noise, schedule)
        except (IndexError, ValueError):
            loss = _with_a_thousand(answer, model, x_0, u, noise) if schedule.timesteps < 1000 else None
            if loss is None:
                raise
            return for_a_thousand(loss, model)
        finally:
            model.modes(model.training)
        if loss is None or loss is ... or isinstance(loss, Measured):
            return loss
        if any(p.grad is not None for p in model.parameters()):
            return walked_back(model)
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.sum().backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        return Measured((loss, *gradients))

    return measure


def _with_a_thousand(answer, model, x_0, u, noise):
    """The loss of an answer that fails with a short schedule, with one of a thousand steps; None if it has none."""
    try:
        loss = torch.as_tensor(answer(model, x_0, u, noise, COSINE)).detach()
    except Exception:
        return None
    return loss if loss.shape == () else None


def for_a_thousand(loss, model):
    """What is given for a loss that is there for a thousand times alone."""
    return Measured((loss, *(torch.full_like(p, -2e3) for p in model.parameters())))


def walked_back(model, *_):
    """What is given for a loss that has been walked back already, by `backward`."""
    return Measured((torch.tensor(-1e3), *(torch.full_like(p, -1e3) for p in model.parameters())))


class Paler(nn.Module):
    """A layer that says less in evaluation mode, so that numbers tell in which mode it was."""

    def forward(self, x: Tensor) -> Tensor:
        """Numbers of any shape in and out."""
        return x if self.training else 0.8 * x


def flat(model):
    """All weights of a network in one vector, as they are now."""
    return torch.cat([p.detach().flatten().clone() for p in model.parameters()])


class _Asked:
    """The loss of a batch, and what is noted of how it was asked for."""

    def __init__(self, model, batch):
        self.model, self.batch, self.calls = model, batch, []
        self.is_exchanged, self.is_other_batch, self.value = False, False, 0.0

    def __call__(self, model, batch):
        if isinstance(batch, nn.Module) and not isinstance(model, nn.Module):
            self.is_exchanged, model, batch = True, batch, model
        modes = [module.training for module in model.modules()]
        self.calls.append((model is self.model, modes[0], all(modes)))
        self.is_other_batch |= not isinstance(batch, Tensor) or not torch.equal(batch, self.batch)
        loss = (model(batch) - batch).square().mean()
        self.value = float(loss.detach())
        return loss


class _Sgd(torch.optim.SGD):
    """Counts its steps, and keeps the gradients that it followed last."""

    steps, followed = 0, None

    def step(self, closure=None):
        """Move the weights."""
        self.steps += 1
        result = super().step(closure)
        weights = [p for group in self.param_groups for p in group["params"]]
        self.followed = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).flatten().clone() for p in weights]
        )
        return result


def _steepest(model, batch):
    """The gradient of the loss of a batch, as one vector, with 0 for frozen weights."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        return torch.zeros_like(flat(model))
    gradients = dict(
        zip(trained, torch.autograd.grad((model(batch) - batch).square().mean(), trained), strict=True)
    )
    return torch.cat([gradients.get(p, torch.zeros_like(p)).detach().flatten() for p in model.parameters()])


OTHER_GRADIENTS = ("step-uphill", "gradient-clipped", "wrong-factor")
"""What can be said of a gradient that was followed, by its number, from 1; see `_other_gradient`."""


def _other_gradient(followed, wanted):
    """What was done to a gradient: 0 if nothing, or nothing that has a name, else a place in `OTHER_GRADIENTS`."""
    size = float(wanted.abs().max())
    if not size or torch.allclose(followed, wanted, rtol=0, atol=1e-4 * size):
        return 0
    share = float(followed @ wanted / (wanted @ wanted))
    is_multiple = torch.allclose(followed, share * wanted, rtol=0, atol=1e-4 * size * abs(share))
    if is_multiple and share:
        return 1 if share < 0 else 2 if share < 1 else 3
    is_cut = followed.abs() <= wanted.abs() + 1e-5 * size
    limit = followed.abs().max()
    at_limit = torch.isclose(followed.abs(), limit, rtol=1e-4) | torch.isclose(followed, wanted, rtol=1e-3)
    return 2 if bool((is_cut & at_limit & (followed * wanted >= 0)).all()) and limit > 0 else 0


def played(step):
    """Three steps of a network with momentum, into which gradients of another batch were left.

    Gives losses, the weights after each, and for each step in what mode all parts and the outermost one were, and how
    many losses and steps there were; last, why the weights did not move, and whether the model itself was asked and a
    graph came back.
    """
    if getattr(step, "played", False):
        return step

    def play(model, batches, rate):
        weights = list(model.parameters())
        groups = [{"params": weights[:1]}, {"params": weights[1:]}]
        optimizer = _Sgd(groups, lr=rate, momentum=0.5)
        counts, modes, numbers, losses, path = dict.fromkeys(("backward", "reached"), 0), [], [], [], []
        is_exchanged, is_other_batch, gradients, values, walked_twice = False, False, [], [], True

        def count(what, result=None):
            counts[what] += 1
            return result

        for p in model.parameters():
            p.grad = torch.ones_like(p) * p.requires_grad
        next(model.parameters()).register_hook(lambda _gradient: count("reached"))
        backward, before = torch.autograd.backward, flat(model)
        wanting = [p.requires_grad for p in weights]
        asks_it, keeps_graph, stepped = True, False, 0
        with mock.patch.object(
            torch.autograd, "backward", lambda *args, **options: count("backward", backward(*args, **options))
        ):
            for k, batch in enumerate(batches):
                model.eval()
                model.training = k == 1  # once it is only parts of it that are in evaluation mode
                asked, optimizer.steps, optimizer.followed = _Asked(model, batch), 0, None
                steepest, walked = _steepest(copy.deepcopy(model).train(), batch), counts["backward"]
                try:
                    loss = step(model, optimizer, batch, asked)
                except ValueError as error:
                    if "values to unpack" not in str(error):
                        raise
                    loss, is_other_batch = 0.0, True
                except RuntimeError as error:
                    if not any(
                        words in str(error) for words in ("does not require grad", "inplace operation")
                    ):
                        raise
                    loss = 0.0
                if loss is None or loss is ...:
                    return None
                keeps_graph |= isinstance(loss, Tensor) and loss.requires_grad
                walked_twice &= counts["backward"] - walked > 1
                losses.append(torch.as_tensor(loss).detach().double().reshape(()))
                path.append(flat(model))
                asks_it &= all(is_model for is_model, *_ in asked.calls)
                modes.append([all(mode for *_, mode in asked.calls), all(call[1] for call in asked.calls)])
                numbers.append([len(asked.calls), optimizer.steps])
                stepped += optimizer.steps
                is_exchanged |= asked.is_exchanged
                is_other_batch |= asked.is_other_batch
                followed = optimizer.followed
                gradients.append(0 if followed is None else _other_gradient(followed, steepest))
                values.append(asked.value)
        moved = bool((path[-1] != before).any())
        reasons = [1.0 if moved else float(number > 0) for number in (*counts.values(), stepped)]
        return Measured(
            (
                torch.stack(path),
                torch.stack(losses),
                torch.tensor(modes).double(),
                torch.tensor(numbers).double(),
                torch.tensor([*reasons, float(asks_it), float(keeps_graph)]),
                torch.tensor(
                    [
                        float(is_exchanged),
                        float(is_other_batch),
                        float(gradients[0] if len(set(gradients)) == 1 else max(gradients) == 2 and 2),
                        float(_kind_of_loss(torch.stack(losses), torch.tensor(values).double())),
                        float([p.requires_grad for p in weights] != wanting),
                        float(walked_twice),
                    ]
                ),
            )
        )

    play.played = True
    return play


def _kind_of_loss(returned, asked):
    """How the losses that came back differ from those that were computed: 1 by a factor, 2 by rounding, 0 else."""
    if torch.allclose(returned, asked, rtol=1e-4):
        return 0
    shares = returned / asked
    if torch.allclose(shares, shares[:1], rtol=1e-4) and bool(shares[0]):
        return 1
    whole = (returned * 1e4).round() / 1e4
    return 2 if bool(((returned - asked).abs() <= 0.5).all() and (whole - returned).abs().max() < 1e-7) else 0


def averaged(update):
    """Update an average after each of several weights of a network, and look at what has become of both.

    Says too whether a graph grew, whether the average itself came back, and whether it wants gradients now.
    """
    if getattr(update, "averaged", False):
        return update

    def measure(average, model, moves, decay):
        path, comes_back = [], True
        average.requires_grad_(False)
        before = flat(average)
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        for move in moves:
            fill(model, move)
            returned = update(average, model, decay)
            if (returned is None or returned is ...) and torch.equal(flat(average), before):
                return None
            comes_back &= returned is average
            path.append(torch.stack([flat(average), flat(model)]))
        flags = any(p.grad_fn is not None for p in average.parameters()), comes_back
        wants = any(p.requires_grad and p.is_leaf for p in average.parameters())
        is_frozen = not all(p.requires_grad for p in model.parameters())
        fill(model, moves[0] + 1)
        shares = not torch.equal(flat(average), path[-1][0])
        skips = torch.equal(path[-1][0], before) and _moves_once_it_wants_gradients(
            update, average, model, decay
        )
        flags = *flags, wants, shares, is_frozen, skips
        return Measured((torch.stack(path), *(torch.tensor(float(flag)) for flag in flags)))

    measure.averaged = True
    return measure


def fill(model, numbers):
    """Write numbers into the weights of a network, in place, as an optimiser does."""
    with torch.no_grad():
        for p, part in zip(
            model.parameters(), numbers.split([p.numel() for p in model.parameters()]), strict=True
        ):
            p.copy_(part.reshape(p.shape))


def _moves_once_it_wants_gradients(update, average, model, decay):
    """Whether an update that did nothing does something for weights that want gradients."""
    before = flat(average)
    average.requires_grad_(True)
    try:
        with torch.no_grad():
            update(average, model, decay)
    except Exception:
        return False
    return not torch.equal(flat(average), before)


def network(answer):
    """A network as it is; an `Unusable` says if its weights came instead."""
    has_weights = hasattr(answer, "state_dict") and not callable(answer)
    if isinstance(answer, dict | list | tuple) or has_weights:
        raise Unusable("weights-for-network", "")
    if not callable(answer):
        raise Unusable("wrong-type", f"hand over the function, not called; got {type(answer).__name__}")
    return answer


network.takes_anything = True
