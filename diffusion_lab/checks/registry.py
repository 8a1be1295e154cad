"""The exercises that there are: every module of this folder that declares an `Exercise` named ``exercise``."""

import importlib
import pkgutil
from types import ModuleType

from diffusion_lab import checks
from diffusion_lab.checks.engine import Exercise


def modules() -> dict[str, ModuleType]:
    """Find the modules of the exercises by name, such as "forward_noising", in the order of their numbers."""
    names = [found.name for found in pkgutil.iter_modules(checks.__path__) if not found.ispkg]
    imported = {name: importlib.import_module(f"{checks.__name__}.{name}") for name in names}
    declared = {
        name: module
        for name, module in imported.items()
        if isinstance(getattr(module, "exercise", None), Exercise)
    }
    return dict(sorted(declared.items(), key=lambda item: item[1].exercise.number))


def notebooks() -> dict[str, Exercise]:
    """Give the exercises by the name of their notebooks, such as "01_forward_noising"."""
    return {f"{module.exercise.number}_{name}": module.exercise for name, module in modules().items()}
