"""Running a grafted notebook with pytest and nbval, the kernel in its box, and what that makes of each task.

One pytest per submission, outside the box. What is believed is what nbval says of the check cells, by their
order, and never what the submission's own text says.
"""

import ast
import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from queue import Empty
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.checks.mistakes import CATALOGUE, UNNAMED
from diffusion_lab.grading import answers as grafting
from diffusion_lab.grading.answers import Answers
from diffusion_lab.grading.box import Box, BoxError, Kernel, new_folder
from diffusion_lab.grading.keys import Key, answer_cells
from diffusion_lab.grading.syntax import MAX_PARSED, parse

PLUGIN = Path(__file__).with_name("nbval_plugin.py")
GRACE = 20.0  # seconds that pytest gets beyond the deadline to write its results
KEPT = 20_000  # characters of a log, and of a message
COLOURS = re.compile(r"\x1b\[[0-9;]*m|#x1B\[[0-9;]*m")
# Where an answer has no business: through these a check can be changed, or made to tell the answer.
CHECKS = ("check", "exercise", "NONCE", "rights", "wrongs", "make_numbers", "make_cases", "CATALOGUE")
SIDE_DOORS = (("modules", "sys"), ("checks", "dl"), ("checks", "diffusion_lab"), ("grading", "diffusion_lab"))
DOORS = (
    "exec",
    "eval",
    "compile",
    "__import__",
    "globals",
    "vars",
    "setattr",
    "delattr",
    "get_ipython",
    "breakpoint",
    "In",
    "Out",
)
MODULES = (
    "gc",
    "inspect",
    "ctypes",
    "importlib",
    "builtins",
    "ipykernel",
    "unittest",
    "linecache",
    "atexit",
    "pickle",
    "marshal",
    "runpy",
)


class Result(NamedTuple):
    """What came of a run."""

    statuses: list[
        str
    ]  # passed, failed, error or skipped, of the code cells by order; failed if it was not reached
    messages: list[
        str
    ]  # why, as nbval says; "" where a cell passed. It holds the student's text: not for feedback
    seconds: float
    outcome: str  # finished, timeout, killed or grader-error
    log: str
    stopped_at: int | None = None  # the code cell that was running, counted from 0, if it was not finished
    reason: str = ""  # a sentence, if it was not finished


class TaskGrade(NamedTuple):
    """What came of a task."""

    number: str
    points: int
    max: int
    status: str  # passed, failed, blank, killed, timeout, held; unread for what a human reads
    mistake: str = ""  # a name of the catalogue, or a general one, if the check gave one
    note: str = ""


@dataclasses.dataclass
class Grade:
    """What came of a submission.

    `outcome` is graded, timeout or grader-error, and only the first is a score.
    """

    outcome: str
    tasks: list[TaskGrade]
    seconds: float
    runs: int
    notes: list[str]
    logs: list[str]

    @property
    def points(self) -> int:
        """All points."""
        return sum(task.points for task in self.tasks)


def run(
    notebook: NotebookNode, *, timeout: float, box: Box, cell_timeout: float | None = None, output: int = 2
) -> Result:
    """Run a notebook and compare its outputs with those stored in it.

    Args:
        notebook: grafted, with what the checks must print.
        timeout: seconds for all of it, counted from when the kernel listens; a little more until the results
            are here.
        box: where its kernel runs.
        cell_timeout: seconds for one cell; half of `timeout` if it is not given.
        output: MiB that one cell may put out.

    Never raises for what a submission does; what is wrong with the grader itself is the outcome
    "grader-error".
    """
    began = time.monotonic()
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)

    def result(
        outcome: str, reason: str = "", log: str = "", statuses=None, messages=None, at=None
    ) -> Result:
        statuses = (statuses or []) + ["failed"] * (cells - len(statuses or []))
        messages = (messages or []) + [reason] * (cells - len(messages or []))
        return Result(statuses, messages, time.monotonic() - began, outcome, log, at, reason)

    try:
        kernel = box.start()
    except (BoxError, OSError) as error:
        return result("grader-error", str(error))
    folder = new_folder()
    try:
        with kernel, contextlib.ExitStack() as stack:
            log, report, junit = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            deadline = time.time() + timeout
            settings = {
                "connection": str(kernel.connection),
                "alive": kernel.alive_fd,
                "report": report.fileno(),
                "junit": junit.fileno(),
                "deadline": deadline,
                "cell_timeout": cell_timeout or timeout / 2,
                "output": output,
                "memory": 4096,
            }
            code = _pytest(notebook, folder, settings, kernel, log)
            texts = [_text(file) for file in (log, report, junit)]
            reason = kernel.killed
    except OSError as error:
        return result("grader-error", str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    log, events = texts[0], [json.loads(line) for line in texts[1].splitlines() if line.startswith("{")]
    try:
        cases = list(ET.fromstring(texts[2]).iter("testcase"))
    except ET.ParseError:
        cases = []
    statuses, messages = [_status(case) for case in cases], [_message(case) for case in cases]
    at = events[0]["cell"] if events else None
    if at is not None and at >= 0:
        outcome = "timeout" if events[0]["why"] == "timeout" else "killed"
        return result(outcome, reason or events[0]["sentence"], log, statuses[:cells], messages[:cells], at)
    if code is None:
        return result("timeout", f"it took more than {timeout:g} seconds, and pytest did not end", log)
    if code not in (0, 1) or len(cases) != cells:
        return result("grader-error", f"pytest ended with {code} and {len(cases)} of {cells} results", log)
    if at is not None:
        return result("grader-error", f"before the first cell: {events[0]['sentence']}", log)
    return result("finished", "", log, statuses, messages)


def _pytest(notebook: NotebookNode, folder: Path, settings: dict, kernel: Kernel, log) -> int | None:
    """Run pytest; gives its exit code, or None if it had to be killed."""
    path = folder / "graded.ipynb"
    (folder / "pytest.ini").write_text("[pytest]\n")
    nbformat.write(notebook, path)
    environment = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT") if k in os.environ}
    environment |= {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-I", str(PLUGIN), json.dumps(settings), str(path)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[settings[name] for name in ("alive", "report", "junit")],
    )
    looked = time.monotonic()
    try:
        while process.poll() is None:
            if time.time() > settings["deadline"] + GRACE:
                return None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            if time.monotonic() - looked > 0.5:
                kernel.watch()
                looked = time.monotonic()
        return process.returncode
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(file) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return file.read(min(size, 32 * 2**20)).decode("utf-8", "replace")


def _status(case: ET.Element) -> str:
    tags = {child.tag for child in case}
    return next(
        (s for tag, s in (("error", "error"), ("failure", "failed"), ("skipped", "skipped")) if tag in tags),
        "passed",
    )


def _message(case: ET.Element) -> str:
    texts = [
        (child.text or "") or child.get("message", "") for child in case if not child.tag.startswith("system")
    ]
    return COLOURS.sub("", "\n".join(texts))[:KEPT]


def execute(notebook: NotebookNode, box: Box, *, timeout: float = 300.0) -> NotebookNode:
    """Run a notebook that is trusted, such as the key, in a box; gives a copy with its outputs.

    Raises:
        BoxError: if no kernel starts, or it ends.
        RuntimeError: if a cell raises or takes too long; names the cell.
    """
    from jupyter_client import BlockingKernelClient

    made = nbformat.from_dict(notebook)
    with box.start() as kernel:
        client = BlockingKernelClient(connection_file=str(kernel.connection))
        client.load_connection_file()
        client.start_channels(stdin=False)
        try:
            client.wait_for_ready(timeout=60)
            for count, cell in enumerate((cell for cell in made.cells if cell.cell_type == "code"), 1):
                cell.outputs, cell.execution_count = (
                    _outputs(client, kernel, cell, time.monotonic() + timeout),
                    count,
                )
        finally:
            client.stop_channels()
    return made


def _outputs(client, kernel: Kernel, cell: NotebookNode, until: float) -> list[NotebookNode]:
    outputs: list[NotebookNode] = []
    sent = client.execute(cell.source, store_history=False, allow_stdin=False)
    while True:
        try:
            message = client.get_iopub_msg(timeout=0.5)
        except Empty:
            if not kernel.is_alive():
                raise BoxError(f"cell {cell.get('id')}: the kernel ended") from None
            if time.monotonic() > until:
                raise RuntimeError(f"cell {cell.get('id')}: it ran too long") from None
            continue
        if message["parent_header"].get("msg_id") != sent:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return outputs
        if kind == "error":
            raise RuntimeError(f"cell {cell.get('id')}: {content['ename']}: {content['evalue'][:300]}")
        if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
            outputs[-1].text += content["text"]
        elif kind in ("stream", "display_data", "execute_result"):
            outputs.append(nbformat.v4.output_from_msg(message))


def reaches(source: str) -> str:
    """Say in a sentence where an answer reaches for the checks rather than answering, or "" if it does not.

    It reads and runs nothing, and can be deceived; no answer that only computes is caught by it.
    """
    code = _without_magics(source)
    if len(code) > MAX_PARSED:
        return f"it has {len(code):,} characters, and up to {MAX_PARSED:,} are looked into"
    tree = parse(code)
    if tree is None:
        return ""  # it will not run
    imported = {"torch", "dl", "np", "numpy", "diffusion_lab"}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            for alias in node.names:
                if alias.name.split(".")[0] in MODULES or alias.name.startswith("diffusion_lab.checks"):
                    return f"it imports {alias.name}"
        if isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if name.split(".")[0] in MODULES or name.startswith("diffusion_lab.checks"):
                return f"it imports from {name}"
            if name == "diffusion_lab" and any(alias.name in ("checks", "grading") for alias in node.names):
                return "it imports the checks"
            imported |= {alias.asname or alias.name for alias in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in CHECKS + DOORS and node.id not in stored - {"check"}:
            return f"it uses {node.id}"
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and node.name in (
            "check",
            "print",
        ):
            return f"it defines {node.name}"
        if (
            isinstance(node, ast.Name)
            and node.id in ("check", "print")
            and not isinstance(node.ctx, ast.Load)
        ):
            return f"it puts something else in the place of {node.id}"
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "getattr"
            and not _constant(node.args[1:2])
        ):
            return "it computes the name of an attribute"
        if isinstance(node, ast.Attribute):
            if node.attr in CHECKS[3:] or (node.attr, _root(node)) in SIDE_DOORS or node.attr == "_getframe":
                return f"it uses .{node.attr}"
            if (
                node.attr.startswith("__")
                and node.attr.endswith("__")
                and node.attr not in ("__init__", "__call__")
            ):
                return f"it uses .{node.attr}"
            if not isinstance(node.ctx, ast.Load) and _root(node) in imported - stored:
                return f"it changes {ast.unparse(node)}"
    return ""


def _constant(nodes: list) -> bool:
    return bool(nodes) and all(isinstance(node, ast.Constant) for node in nodes)


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _without_magics(source: str) -> str:
    return "\n".join("" if re.match(r"\s*[%!?]", line) else line for line in source.splitlines())


def _owners(key: Key) -> list[str | None]:
    """Give the task that each code cell of the key belongs to: that of the last answer cell up to it."""
    places = {cell.id: number for number, cell in answer_cells(key.blank).items()}
    owners, current = [], None
    for cell in key.blank.cells:
        if cell.cell_type == "code":
            current = places.get(cell.id, current)
            owners.append(current)
    return owners


def grade_notebook(
    key: Key,
    answers: Answers,
    nonce: int,
    expected: NotebookNode,
    *,
    box: Box,
    timeout: float = 120.0,
    cell_timeout: float | None = None,
    output: int = 2,
) -> Grade:
    """Grade the answers of a submission.

    A task whose answer ends the kernel, or makes it hang or flood, costs that task only: the rest is run
    again with it blank. A task is held, with no points until a human has looked, if it passed and an answer
    reaches for the checks.

    Args:
        key: of the exercise.
        answers: of the submission.
        nonce: what `expected` was run under; it must stand there.
        expected: the solution, run under the nonce: `execute(with_nonce(key.solution, nonce), box)`.
        box, timeout, cell_timeout, output: as for `run`.

    Raises:
        ValueError: if `expected` was not run, or not under this nonce.
    """
    if not any(
        f"NONCE = {nonce}\n" in cell.source + "\n" for cell in expected.cells if cell.cell_type == "code"
    ):
        raise ValueError(f"expected must be run under the nonce {nonce}, which is not in it")
    left, fatal, notes, logs = dict(answers.sources), {}, [], []
    owners, seconds, again = _owners(key), 0.0, True
    while True:
        grafted = grafting.graft(expected, Answers(left, answers.how, []))
        result = run(grafted, timeout=timeout, box=box, cell_timeout=cell_timeout, output=output)
        logs.append(result.log[-KEPT:])
        seconds += result.seconds
        if result.outcome == "finished":
            break
        culprit = _culprit(owners, left, result)
        if culprit is not None and result.outcome != "grader-error":
            del left[culprit]
            fatal[culprit] = result.outcome
            notes.append(f"{culprit}: {result.reason}; the rest was run again without it")
        elif again:
            again = False
        else:
            notes.append(result.reason)
            outcome = "timeout" if result.outcome == "timeout" else "grader-error"
            return Grade(outcome, [], seconds, len(logs), notes, logs)
    reached = {
        number: why for number, source in left.items() if (why := reaches(source))
    }  # of those that ran
    notes += [f"{number}: {why}" for number, why in reached.items()]
    order = [cell.id for cell in grafted.cells if cell.cell_type == "code"]
    tasks = [_task(task, result, order, fatal, left, reached) for task in key.tasks]
    return Grade("graded", tasks, seconds, len(logs), notes, logs)


def _culprit(owners: list, left: dict, result: Result) -> str | None:
    """Give the task to run without next: the one whose cell ran, or the last answered one before it."""
    if result.stopped_at is None or result.stopped_at >= len(owners):
        return None
    before = dict.fromkeys(owner for owner in owners[: result.stopped_at + 1] if owner in left)
    return list(before)[-1] if before else None


def _task(task, result: Result, order: list[str], fatal: dict, left: dict, reached: dict) -> TaskGrade:
    if task.check_cell_id is None:
        return TaskGrade(task.number, 0, task.points, "unread")
    if task.number in fatal:
        return TaskGrade(task.number, 0, task.points, fatal[task.number])
    at = order.index(task.check_cell_id)
    if result.statuses[at] == "passed":
        if reached:
            why = "; ".join(f"{number}: {why}" for number, why in reached.items())
            return TaskGrade(
                task.number, 0, task.points, "held", note=f"passed, but look at the answers: {why}"
            )
        return TaskGrade(task.number, task.points, task.points, "passed")
    said = result.messages[at].partition("Traceback:\n")[2].strip()
    if said.startswith(f"{task.number} not attempted yet:") or task.number not in left:
        return TaskGrade(task.number, 0, task.points, "blank")
    name = re.match(r"([a-z0-9-]+): ", said)
    known = name and (name[1] in CATALOGUE or name[1] in UNNAMED)
    return TaskGrade(task.number, 0, task.points, "failed", name[1] if known else "")
