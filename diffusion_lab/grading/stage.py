"""What stands in the box in the place of the checks: a folder with the plan of an exercise, and nothing right in it."""

import atexit
import functools
import pickle
import shutil
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.bench.desk import SUFFIX
from diffusion_lab.grading.box import new_folder
from diffusion_lab.grading.judge import the_judge

CHECKS, GRADING = COVERED = ("checks", "grading")
"""The parts of the package of which nothing is to be seen in the box; of the first, the stage is seen instead."""
_MODULE = '''"""Stands for the checks of an exercise; see diffusion_lab.bench.desk."""

from diffusion_lab.bench import desk

globals().update(desk.names(__file__))
'''


class Stage(NamedTuple):
    """What there is of an exercise under a nonce."""

    folder: Path
    keys: dict[str, list[str]]  # of the planned calls, by task


@functools.cache
def stage(exercise: str, nonce: int) -> Stage:
    """Give the stage of an exercise under a nonce, made when it is first wanted and removed when the grader ends."""
    name, plans = the_judge().plans(exercise, nonce)
    folder = new_folder()
    atexit.register(shutil.rmtree, folder, True)
    for part in COVERED:
        (folder / part).mkdir()
        (folder / part / "__init__.py").write_text("")
    (folder / CHECKS / f"{name}.py").write_text(_MODULE)
    tasks = {plan.name: (plan.prepare, list(plan.without), plan.calls) for plan in plans.values()}
    (folder / CHECKS / name).with_suffix(SUFFIX).write_bytes(pickle.dumps(tasks))
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return Stage(folder, {number: list(plan.keys) for number, plan in plans.items()})
