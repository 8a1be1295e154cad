"""What stands beside answers to exercise 10."""

import torch
from torch import nn

from diffusion_lab.bench.calls import note_changes
from diffusion_lab.bench.notes import Notes


def wide(numbers, like):
    """Numbers, (B,), in the shape in which they multiply `like`, (B, …)."""
    return torch.as_tensor(numbers, dtype=like.dtype).reshape(-1, *[1] * (like.ndim - 1))


class RatioReshaped(ValueError):
    """The network was told the ratios in another shape; whoever ends with this did that."""

    sign = ""


class Raw:
    """A stand-in for a raw network: depends on its input and on the noise level, and wants one level per picture."""

    def __call__(self, shown, ratio):
        """Say F, (B, C, H, W)."""
        if ratio.shape != (len(shown),):
            raise RatioReshaped(
                f"a network wants one ratio per picture, ({len(shown)},), got {tuple(ratio.shape)}"
            )
        return torch.sin(1.5 * shown) + 0.3 * torch.cos(3 * wide(ratio, shown))


class Constant:
    """A stand-in for a raw network that says one number everywhere, and is told the ratios."""

    def __init__(self, value: float, note: Notes | None = None):
        """Say `value`; `note` is told the ratios of every call."""
        self.value, self.note = value, note or Notes()

    def __call__(self, shown, ratio):
        """Say F, (B, C, H, W)."""
        self.note(ratio)
        return torch.full_like(shown, self.value)


class Echo:
    """A stand-in for a raw network that says what it is shown."""

    def __call__(self, shown, _ratio):
        """Say F, (B, C, H, W)."""
        return shown


class OneTimeWanted(ValueError):
    """A network was not told one time per picture; whoever ends with this did that."""

    sign = ""


class SideEffect(RuntimeError):
    """An answer did something that outlasts it; whoever ends with the same words did that."""

    def __init__(self, sign):
        """Take the words."""
        super().__init__(sign)
        self.sign = sign


CHANGED_WEIGHTS = "the weights of a network were changed"
WENT_BACKWARD = "backward was called already"
TURNED_OFF = "gradients were turned off for good"


class Painter(nn.Module):
    """A stand-in for a network: says v, and depends on x_t, on t and on two weights."""

    def __init__(self, weights):
        """Take the weights, (2,), as they are."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x_t, t):
        """Say v, (B, C, H, W), of x_t at times t, (B,)."""
        if not isinstance(t, torch.Tensor) or t.shape != (len(x_t),):
            got = f"shape {tuple(t.shape)}" if isinstance(t, torch.Tensor) else repr(t)[:60]
            raise OneTimeWanted(f"a network wants one time per picture, ({len(x_t)},), got {got}")
        return torch.tanh(self.weights[0] * x_t) + self.weights[1] * torch.cos(2 * wide(t, x_t))


NETWORKS = "student", "target", "teacher"


def takes_weights(function):
    """Mark a formula that takes weights, and needs no networks to be made of them."""
    function.takes_weights = True
    return function


def with_gradients(answer):
    """Make networks of the weights, call the answer, and add what its loss does to the weights of all three."""
    if getattr(answer, "takes_weights", False):  # a formula of this module
        return answer

    @takes_weights
    def call(student, target, teacher, x_t, t, s, schedule):
        networks = [Painter(weights.clone()) for weights in (student, target, teacher)]
        with torch.enable_grad():
            loss = answer(*networks, x_t, t, s, schedule)
            note_changes(networks, [Painter(weights.clone()) for weights in (student, target, teacher)])
            before = student, target, teacher
            if not all(
                torch.equal(n.weights.detach(), weights) for n, weights in zip(networks, before, strict=True)
            ):
                raise SideEffect(CHANGED_WEIGHTS)
            if any(n.weights.grad is not None for n in networks):
                raise SideEffect(WENT_BACKWARD)
            if not torch.is_grad_enabled():
                raise SideEffect(TURNED_OFF)
            if not isinstance(loss, torch.Tensor) or loss.shape != (len(x_t),):
                return loss
            if loss.requires_grad:
                loss.sum().backward()
        grads = [torch.zeros(2) if n.weights.grad is None else n.weights.grad for n in networks]
        return loss, *grads

    return call
