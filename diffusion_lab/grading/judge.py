"""The judge: a process of its own that has the right answers, and says of a record what a check says.

No answer runs in it. A record may have been written by whoever handed in the answer, so the judge has limits of memory
and time; one that fails, hangs or dies is replaced, and only the submission that it was asked about has no grade.
"""

import atexit
import base64
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from diffusion_lab.checks.judging import Plan, Round
from diffusion_lab.grading.walls import MIB

PROGRAM = "diffusion_lab.grading.judge_program"
MEMORY = 2048  # MiB that it may take beside what it has when it begins
PATIENCE = 60.0  # seconds for one question
START = 300.0  # seconds for the first one
LONGEST = 64 * MIB  # bytes of an answer


class JudgeError(RuntimeError):
    """The judge failed, and not the student; says how."""


class Judge:
    """A process that judges; asked from any thread, one question at a time."""

    def __init__(self, patience: float = PATIENCE, forks: bool = False):
        """Start it when it is first asked.

        If it `forks`, it is a copy of this process and shares its memory, which only a process without threads may do.
        """
        self.forks = forks
        self.lock, self.process, self.patience = threading.Lock(), None, patience
        self.has_answered = False

    def plans(self, exercise: str, nonce: int) -> tuple[str, dict[str, Plan]]:
        """The name of the module of an exercise, and the plans of its tasks by number.

        Raises:
            ValueError: if there is no such exercise.
            JudgeError: if it fails.
        """
        reply = self._ask({"plans": exercise, "nonce": nonce})
        if "unknown" in reply:
            raise ValueError(f"exercise: one of {', '.join(reply['unknown'])} was wanted, got {exercise!r}")
        plans = [Plan(*plan) for plan in pickle.loads(base64.b64decode(reply["plans"]))]
        return reply["name"], {plan.number: plan for plan in plans}

    def ask(self, exercise: str, nonce: int, task: str, rounds: Sequence[Round]) -> dict:
        """Ask what the check of a task says of what an answer did.

        Returns:
            A dict of "line" if it is solved, of "name" and "lines" if it is not, or of "calls" and "keys" if there are
            calls that the check has to see first.

        Raises:
            JudgeError: if it fails.
        """
        return self._ask({"task": task, "exercise": exercise, "nonce": nonce, "rounds": rounds})

    def _ask(self, question: dict) -> dict:
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self._start()
            try:
                reply = json.loads(self._said(json.dumps(question).encode() + b"\n"))
            except (OSError, ValueError, JudgeError) as error:
                self.close()
                raise JudgeError(f"the judge failed: {error}") from None
            except BaseException:  # somebody who does not wait for the answer
                self.close()
                raise
        if "failed" in reply:
            raise JudgeError(f"the judge failed: {reply['failed']}")
        return reply

    def _start(self) -> None:
        self.has_answered = False
        atexit.register(self.close)
        if self.forks:
            self.process = _Forked()
            return
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        own = {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | threads | own,
            start_new_session=True,
        )

    def _said(self, question: bytes) -> bytes:
        """Write a question and read its answer, a line; a `JudgeError` says if none comes in time."""
        sender = threading.Thread(target=self._send, args=(self.process, question), daemon=True)
        sender.start()
        said, output = bytearray(), self.process.stdout
        patience = self.patience if self.has_answered else max(self.patience, START)
        while not said.endswith(b"\n"):
            if not select.select([output], [], [], patience)[0]:
                raise JudgeError(f"it said nothing for {patience:g} seconds")
            piece = os.read(output.fileno(), MIB)
            said += piece
            if not piece or len(said) > LONGEST:
                raise JudgeError("it ended" if not piece else "it said too much")
        self.has_answered = True
        return bytes(said)

    @staticmethod
    def _send(process: subprocess.Popen, question: bytes) -> None:
        try:
            process.stdin.write(question)
            process.stdin.flush()
        except (OSError, ValueError):
            pass  # it ended, which the reader sees

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


class _Forked:
    """A copy of this process that judges, with what is used here of a `subprocess.Popen`."""

    def __init__(self):
        from diffusion_lab.grading import judge_program

        (asked, question), (answer, said) = os.pipe(), os.pipe()
        self.pid, self.code = os.fork(), None
        if self.pid == 0:
            try:
                os.setsid()
                os.close(question)
                os.close(answer)
                judge_program.main(MEMORY, asked, said)
            finally:
                os._exit(1)
        os.close(asked)
        os.close(said)
        self.stdin, self.stdout = os.fdopen(question, "wb"), os.fdopen(answer, "rb", buffering=0)

    def poll(self) -> int | None:
        """Give a number if it has ended."""
        if self.code is None and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.code = 1
        return self.code

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for its end."""
        if self.code is None:
            os.waitpid(self.pid, 0)
            self.code = 1


_JUDGES: dict[int, Judge] = {}


def the_judge() -> Judge:
    """Give the one judge of this process."""
    return _JUDGES.setdefault(os.getpid(), Judge())


def share_memory() -> None:
    """Let the judge be a copy of this process, unless it has threads: with those a copy may hang."""
    _JUDGES[os.getpid()] = Judge(forks=hasattr(os, "fork") and threading.active_count() == 1)
