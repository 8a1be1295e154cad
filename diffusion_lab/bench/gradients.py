"""The harness of answers through which gradients have to pass."""

import functools
import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffusion_lab.bench.calls import clone, note_changes


def with_gradients(number: int, shape: Callable[..., Sequence[int]], also_without: bool = False) -> Callable:
    """Make a `prepare` of a task: the tensor of an answer, and the gradients that it sends to its first arguments.

    `number` says to how many, and ``shape(*args)`` what shape the tensor has to have; anything else is left
    as it is. A list of tensors counts as stacked; a `TypeError` says if it cannot be, for what is added must
    come from here. With `also_without`, the last result is the tensor of a second call, in which no gradients
    are asked for.
    """
    prepared: weakref.WeakSet = weakref.WeakSet()

    def prepare(answer: Callable) -> Callable:
        if answer in prepared:  # a formula of the module of checks
            return answer

        @functools.wraps(answer)
        def call(*args):
            leaves = [value.detach().requires_grad_() for value in args[:number]]
            others = [clone(value) for value in args[number:]]
            with torch.enable_grad():
                copies = [leaf * 1 for leaf in leaves]  # a leaf itself cannot be changed in place
                out = answer(*copies, *args[number:])
                note_changes(copies, [leaf.detach() for leaf in leaves])
                if isinstance(out, list | tuple):
                    try:
                        out = torch.stack(list(out))
                    except (TypeError, RuntimeError):
                        kind = type(out).__name__
                        raise TypeError(f"one tensor was wanted, got a {kind} of {len(out)}") from None
                out = (
                    torch.tensor(out) if isinstance(out, float) else out
                )  # so that the number is looked at as well
                if not isinstance(out, Tensor) or out.shape != tuple(shape(*args)):
                    return out
                if out.requires_grad:
                    (out * torch.arange(1.0, 1 + out.numel()).reshape(out.shape).sin()).sum().backward()
            gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
            if not also_without:
                return out, *gradients
            with torch.no_grad():
                quiet = answer(*(leaf.detach().clone() for leaf in leaves), *others)
            if isinstance(quiet, list | tuple):
                quiet = torch.stack(list(quiet))
            return out, *gradients, quiet

        call.plain = answer
        prepared.add(call)
        return call

    return prepare
