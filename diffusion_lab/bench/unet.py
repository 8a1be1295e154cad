"""What stands beside answers to exercise 04: the examination of a network.

What is found is found from the answers of the network and a few facts about its weights. Both are kept on a tape, so
that the same examination can be held again elsewhere, without the network.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diffusion_lab.bench.calls import Unusable

AT_MOST, AT_LEAST = 20_000, 15
NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
FOUND = (
    "passed",
    "random",
    "hidden",
    "ignores-t",
    "ignores-x",
    "pictures-mixed",
    "shared-t",
    "mixed-t",
    "cut-t",
    "cut",
    "small-field",
    "dead",
    "heavy",
    "changed",
    "exchanged",
    "misbroadcast",
    "no-last",
    "size",
    "not-finite",
)
"""What is found of a network."""


def places(name: str) -> Tensor:
    """Write what was found as numbers: 1 if all is well, and the place in `FOUND`."""
    return torch.tensor([float(name == "passed"), float(FOUND.index(name))])


def _trembling(network: nn.Module, numbers: Tensor) -> nn.Module:
    """A copy with random weights in all layers, since some may begin at zero.

    The numbers are used over and over.
    """
    network, used = copy.deepcopy(network), 0
    for p in network.parameters():
        fan = p[0].numel() if p.ndim > 1 else 16
        values = numbers[torch.arange(used, used + p.numel()) % len(numbers)].reshape(p.shape)
        p.data, used = 1.5 * values / fan**0.5 + (0.5 if p.ndim == 1 else 0), used + p.numel()
        p.requires_grad_(True)
    return network


class Asked:
    """A network that is there: asked with copies, its answers and all facts about it kept on a tape."""

    def __init__(self, network: nn.Module):
        """Ask this network."""
        self.network, self.has_changed, self.first = network, False, None
        self.tape: list[Tensor] = []

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Give its answer."""
        given = x_t.clone(), t.clone()
        out = self.network(*given)
        self.has_changed |= not (torch.equal(given[0], x_t) and torch.equal(given[1], t))
        self.first = out if self.first is None else self.first
        self.tape.append(out.detach())
        return out

    def fact(self, name: str, x_t: Tensor, t: Tensor) -> float:
        """Say what is so about its weights, or how it was answered first: one of `_FACTS`."""
        value = float(_FACTS[name](self, x_t, t))
        self.tape.append(torch.tensor(value))
        return value

    def _is_hidden(self, _x_t: Tensor, _t: Tensor) -> bool:
        """Whether the answer depends on weights that torch does not find in the network, as in a plain list."""
        known, seen, ahead = {id(p) for p in self.network.parameters()}, set(), [self.first.grad_fn]
        while ahead:
            step = ahead.pop()
            if step is None or step in seen:
                continue
            seen.add(step)
            weight = getattr(step, "variable", None)
            if weight is not None and id(weight) not in known:
                return True
            ahead += [before for before, _ in step.next_functions]
        return False

    def _across(self, x_t: Tensor, t: Tensor) -> int:
        """Pixels across that the middle pixel's answer depends on, with normalisations taken out."""
        network = copy.deepcopy(self.network)
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, NORMS):
                    setattr(module, name, nn.Identity())
        x_t = x_t.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network(x_t * 1, t.clone())[:, :, 14, 14].sum(), x_t)
        seen = gradient[:, 0].abs().amax(dim=0) > 0
        return int(min(seen.any(dim=0).sum(), seen.any(dim=1).sum()))

    def _is_dead(self, _x_t: Tensor, _t: Tensor) -> bool:
        """Whether a weight gets no gradient from the answer."""
        self.first.square().sum().backward()
        return any(p.grad is None or not p.grad.any() for p in self.network.parameters())


_FACTS = {
    "hidden": Asked._is_hidden,
    "changed": lambda asked, _x_t, _t: asked.has_changed,
    "cut": lambda asked, _x_t, _t: not asked.first.requires_grad,
    "across": Asked._across,
    "dead": Asked._is_dead,
    "weights": lambda asked, _x_t, _t: sum(p.numel() for p in asked.network.parameters()),
}


class OnTape:
    """A network that was asked before: gives its answers and the facts in their order."""

    def __init__(self, tape: Sequence[Tensor]):
        """Begin at the start of a tape."""
        self.tape = iter(tape)

    def __call__(self, x_t: Tensor, _t: Tensor) -> Tensor:
        """Give its answer; a `ValueError` says if there is none of this shape."""
        out = next(self.tape, None)
        if out is None or out.shape != x_t.shape:
            raise ValueError("the answers of the network are not all there")
        return out

    def fact(self, _name: str, _x_t: Tensor, _t: Tensor) -> float:
        """Say what was so; a `ValueError` says if that is not there."""
        value = next(self.tape, None)
        if value is None or value.ndim:
            raise ValueError("the facts about the network are not all there")
        return float(value)


def _differ(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() > 1e-4 * (1 + a.abs().max()))


def diagnosis(asked: Asked | OnTape, x_t: Tensor, t: Tensor, other_x: Tensor, other_t: Tensor) -> str:
    """What is wrong with a network, by its name in `FOUND`."""
    found = _diagnoses(asked, x_t, t, other_x, other_t)
    return next((name for name, is_so in found if is_so), "passed")


def _diagnoses(
    asked: Asked | OnTape, x_t: Tensor, t: Tensor, other_x: Tensor, other_t: Tensor
) -> Iterator[tuple[str, bool]]:
    out = asked(x_t, t)
    first_x, first_t = (torch.cat([b[:1], a[1:]]) for a, b in ((x_t, other_x), (t, other_t)))
    yield "random", _differ(out, asked(x_t, t))
    yield "hidden", asked.fact("hidden", x_t, t) != 0
    yield "ignores-t", not _differ(out, asked(x_t, other_t))
    yield "ignores-x", not _differ(out, asked(other_x, t))
    yield "pictures-mixed", _differ(out[1:], asked(first_x, t)[1:])
    goes_round = asked(x_t, t.roll(1))
    if _differ(out[1:], asked(x_t, first_t)[1:]):
        alone = asked(x_t, torch.cat([t[:1], other_t[1:]]))
        has_own = _differ(out, goes_round) and _differ(out[1:], alone[1:])
        yield ("mixed-t" if has_own else "shared-t"), True
    yield "cut-t", not _differ(out, goes_round)
    yield "changed", asked.fact("changed", x_t, t) != 0
    yield "cut", asked.fact("cut", x_t, t) != 0
    yield "small-field", asked.fact("across", x_t, t) < AT_LEAST
    yield "dead", asked.fact("dead", x_t, t) != 0
    yield "heavy", asked.fact("weights", x_t, t) > AT_MOST


def _why_it_fails(network: nn.Module, x_t: Tensor, t: Tensor, shape: Sequence[int] | None) -> str | None:
    """Why a network ends with an error, or answers in another shape; None if it is nothing that has a name."""
    asked = {
        "exchanged": (t, x_t),
        "no-last": (x_t, t.clamp(max=999)),
        "misbroadcast": (x_t[:1].expand(28, -1, -1, -1), t[:1].expand(28)),
    }
    if shape is None:
        for name, batch in asked.items():
            try:
                out = network(*(part.clone() for part in batch))
            except Exception:
                continue
            if getattr(out, "shape", None) == (len(batch[0]), 1, 28, 28):
                return name
    elif len(shape) == 4 and shape[:2] == x_t.shape[:2]:
        return "size"
    return None


def batches(x_t: Tensor, t: Tensor, other_x: Tensor, other_t: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The pictures and times about which a network is asked as it is: all, the first one, and another one."""
    return [(x_t, t), (x_t[:1], t[:1]), (other_x[-1:], other_t[-1:])]


def examined(network: Any) -> Callable:
    """A function that examines a network: what it found, as `places`, and the tape if the network answers at all.

    An `Unusable` says if it is no network.
    """
    if not isinstance(network, nn.Module):
        if not callable(network):
            text = f"hand over the function, not called; got {type(network).__name__}"
            raise Unusable("wrong-type", text)
        raise Unusable("wrong-type", "hand over a network: an instance of a torch.nn.Module")

    def examine(x_t, t, other_x, other_t, numbers):
        tape = []
        with torch.no_grad():
            for batch in batches(x_t, t, other_x, other_t):
                try:
                    out = network(*(part.clone() for part in batch))
                except Exception:
                    if why := _why_it_fails(network, *batch, None):
                        return places(why)
                    raise
                if out is None:
                    return None
                if why := _why_it_fails(network, *batch, out.shape) if out.shape != batch[0].shape else None:
                    return places(why)
                if out.shape != batch[0].shape:
                    wanted = tuple(batch[0].shape)
                    raise ValueError(f"for x_t of shape {wanted} the answer has {tuple(out.shape)}")
                if not out.isfinite().all():
                    return places("not-finite")
                tape.append(out)
        asked = Asked(_trembling(network, numbers))
        return places(diagnosis(asked, x_t, t, other_x, other_t)), *tape, *asked.tape

    return examine


examined.takes_anything = True
