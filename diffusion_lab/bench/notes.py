"""What stand-ins are told while an answer runs."""

from typing import Any

import torch
from torch import Tensor


class Notes:
    """A list of what one stand-in was told, call by call; all copies of a stand-in write into the same one."""

    def __init__(self):
        """Begin with nothing."""
        self.entries: list[tuple] = []

    def __call__(self, *values: Any) -> None:
        """Write down values, tensors as they are now."""
        self.entries.append(tuple(map(_kept, values)))

    def __deepcopy__(self, _memo: dict) -> "Notes":
        """Give itself."""
        return self


def _kept(value: Any) -> Any:
    if isinstance(value, Tensor):
        with torch.no_grad():
            copied = value.detach().clone()
        return copied.requires_grad_() if value.requires_grad and value.is_floating_point() else copied
    return value
