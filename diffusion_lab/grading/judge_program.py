"""The program of a judge: questions come in as lines of JSON, and answers go out so; see `judge`.

``python -m diffusion_lab.grading.judge_program MEMORY``, where MEMORY is in MiB.
"""

import base64
import contextlib
import json
import os
import pickle
import sys
from pathlib import Path

import torch

from diffusion_lab.bench import pack
from diffusion_lab.checks import judging, registry
from diffusion_lab.checks.judging import Round
from diffusion_lab.grading.walls import MIB


class Bench:
    """The exercises, each under the nonce that it was asked about last."""

    def __init__(self):
        """Find them."""
        self.modules = {module.exercise.number: (name, module) for name, module in registry.modules().items()}

    def answer(self, question: dict) -> dict:
        """Answer a question."""
        if "plans" in question:
            if question["plans"] not in self.modules:
                return {"unknown": list(self.modules)}
            exercise = self._exercise(question["plans"], question["nonce"])
            plans = [tuple(judging.plan(task)) for task in exercise.tasks.values()]
            name, _ = self.modules[exercise.number]
            return {"name": name, "plans": base64.b64encode(pickle.dumps(plans)).decode()}
        exercise = self._exercise(question["exercise"], question["nonce"])
        rounds = [Round(*one) for one in question["rounds"]]
        verdict = judging.judge(exercise.tasks[question["task"]], rounds)
        if verdict.calls:
            calls = base64.b64encode(pickle.dumps(pack.packed(verdict.calls))).decode()
            return {"calls": calls, "keys": verdict.keys}
        return (
            {"line": verdict.line} if verdict.line else {"name": verdict.name, "lines": list(verdict.lines)}
        )

    def _exercise(self, number: str, nonce: int):
        _, module = self.modules[number]
        exercise = module.exercise
        if exercise.remembered is None or exercise.nonce != nonce:
            exercise.remembered = {}
            exercise.begin(nonce)
        return exercise


def _limit(memory: int) -> None:
    """Take no more memory than some MiB beside what there is already (Linux only)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        status = Path("/proc/self/status").read_text()
        held = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (held * 1024 + memory * MIB,) * 2)


def main(memory: int, asked: int, said: int) -> int:
    """Answer the questions that come from one descriptor on another one, until nobody asks any more."""
    torch.set_num_threads(1)
    questions, replies = os.fdopen(asked), os.fdopen(said, "w")
    bench = Bench()
    _limit(memory)
    for line in questions:
        try:
            reply = bench.answer(json.loads(line))
        except (Exception, RecursionError) as error:
            reply = {"failed": f"{type(error).__name__}: {error}"[:500]}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    return 0


if __name__ == "__main__":
    said = os.dup(1)
    os.dup2(2, 1)  # what a check prints is no reply
    sys.exit(main(int(sys.argv[1]), 0, said))
