"""The harnesses of the exercises, by name: what a plan says of the function that stands around an answer."""

import pkgutil
import sys
from collections.abc import Callable

from diffusion_lab import bench


def name_of(harness: Callable) -> str:
    """Give the name of a harness, such as "training:played"; a `ValueError` says if it is none of this package."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(f"{bench.__name__}."):
            for name, value in vars(module).items():
                if value is harness:
                    return f"{module_name.removeprefix(bench.__name__)[1:]}:{name}"
    raise ValueError(f"harness: one that stands in {bench.__name__} was wanted, got {harness!r}")


def named(name: str) -> Callable:
    """Give the harness of a name."""
    return pkgutil.resolve_name(f"{bench.__name__}.{name}")
