"""Running a grafted notebook with pytest and nbval, the kernel in its box, and what that makes of each task.

One pytest per submission, outside the box. What is believed is what nbval says of the check cells, by their
order, and never what the submission's own text says.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.bench.desk import BEFORE, MORE
from diffusion_lab.bench.record import MIME
from diffusion_lab.checks import cells as labels
from diffusion_lab.checks.judging import BROKEN, UNREADABLE, Round
from diffusion_lab.checks.mistakes import CATALOGUE, UNNAMED
from diffusion_lab.grading import answers as grafting
from diffusion_lab.grading import syntax
from diffusion_lab.grading.answers import Answers
from diffusion_lab.grading.box import Box, BoxError, Kernel, new_folder
from diffusion_lab.grading.judge import JudgeError, the_judge
from diffusion_lab.grading.keys import Key, Task, answer_cells
from diffusion_lab.grading.rows import TaskGrade
from diffusion_lab.grading.stage import stage
from diffusion_lab.grading.suspicions import suspicions

PLUGIN = Path(__file__).with_name("nbval_plugin.py")
GRACE = 20.0  # seconds that pytest gets beyond the deadline to write its results
KEPT = 20_000  # characters of a log, and of a message
ERROR = re.compile(r"error: (\w{1,60}): ")  # what a check says of an error
NAMED = CATALOGUE.keys() | UNNAMED.keys()
IMPORT = re.compile(r"^from diffusion_lab\.checks import .*$", re.M)
ROUNDS = 30  # how often a check may want to know more about one answer
LINE = re.compile(r"^in line (\d{1,5}) of (\w{1,60}|<[a-z]{1,20}>):", re.M)
COLOURS = re.compile(r"\x1b\[[0-9;]*m|#x1B\[[0-9;]*m")


class Result(NamedTuple):
    """What came of a run.

    `statuses` are passed, failed, error or skipped, of the code cells by order; failed if a cell was not reached.
    `messages` say why, in nbval's words, and are "" where a cell passed; they hold the student's text, so they
    are not for feedback.
    """

    statuses: list[str]
    messages: list[str]
    seconds: float
    outcome: str  # finished, timeout, killed or grader-error
    log: str
    stopped_at: int | None = None  # the code cell that was running, counted from 0, if it was not finished
    reason: str = ""  # a sentence, if it was not finished


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
    records: dict[str, list[Round]] = dataclasses.field(default_factory=dict)  # by task, of what was judged

    @property
    def points(self) -> int | float:
        """All points."""
        return sum(task.points for task in self.tasks)


class Hearing:
    """What is asked and said of the answers in one notebook: the records of each task, and what the judge says."""

    def __init__(self, exercise: str, nonce: int):
        """Of a notebook of this exercise, run under this nonce."""
        self.exercise, self.nonce, self.stage = exercise, nonce, stage(exercise, nonce)
        self.records: dict[str, list[Round]] = {}
        self.task, self.keys = "", []

    def checks(self, notebook: NotebookNode) -> dict[int, str]:
        """The tasks that are checked, by the places of their cells among the cells of code."""
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        found = {place: labels.label(cell) for place, cell in enumerate(code)}
        return {place: label.task for place, label in found.items() if label and label.role == labels.CHECK}

    def reply(self, question: dict) -> dict:
        """Say what the judge says of a record, or of the next one of the same task; "failed" if it cannot."""
        try:
            if not question.get("more"):
                self.task = question["task"]
                self.keys, self.records[self.task] = self.stage.keys[self.task], []
            rounds = self.records[self.task]
            rounds.append(Round(self.keys, question["record"]))
            if len(rounds) > ROUNDS:
                return {"failed": f"{self.task}: its check wants to know more after {ROUNDS} rounds"}
            reply = the_judge().ask(self.exercise, self.nonce, self.task, rounds)
        except JudgeError as error:
            return {"failed": str(error)}
        except KeyError:
            return {"failed": f"no task {self.task} is declared in exercise {self.exercise}"}
        self.keys = reply.pop("keys", [])
        return reply

    def hear(self, line: socket.socket, settings: dict) -> None:
        """Answer what the plugin asks, until it hangs up; the time that it takes is given back to the run."""
        with line, line.makefile("rw", encoding="utf-8", newline="\n") as file, contextlib.suppress(OSError):
            for question in file:
                began = time.time()
                reply = self.reply(json.loads(question))
                settings["deadline"] += time.time() - began
                file.write(json.dumps(reply) + "\n")
                file.flush()


def run(
    notebook: NotebookNode,
    *,
    timeout: float,
    box: Box,
    cell_timeout: float | None = None,
    output: int = 2,
    hearing: Hearing | None = None,
) -> Result:
    """Run a notebook and compare its outputs with those stored in it.

    Args:
        notebook: grafted, with what the checks must print.
        timeout: seconds for all of it, counted from when the kernel listens; a little more until the results
            are here.
        box: where its kernel runs.
        cell_timeout: seconds for one cell; half of `timeout` if it is not given.
        output: MiB that one cell may put out.
        hearing: where its checks are judged from what they record; without one they are cells like others.

    Never raises for what a submission does; what is wrong with the grader itself is the outcome
    "grader-error".
    """
    began = time.monotonic()
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    if hearing:
        box = dataclasses.replace(box, stage=str(hearing.stage.folder))
    try:
        kernel = box.start()
    except (BoxError, OSError) as error:
        return _result(cells, began, "grader-error", str(error))
    folder = new_folder()
    try:
        with kernel, contextlib.ExitStack() as stack:
            log, report, junit = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            grader, plugin = (stack.enter_context(end) for end in socket.socketpair())
            settings = {
                "judge": plugin.fileno(),
                "record": MIME,
                "more": MORE,
                "checks": hearing.checks(notebook) if hearing else {},
                "before": _before(notebook),
                "connection": str(kernel.connection),
                "alive": kernel.alive_fd,
                "report": report.fileno(),
                "junit": junit.fileno(),
                "deadline": time.time() + timeout,
                "cell_timeout": cell_timeout or timeout / 2,
                "output": output,
                "memory": 4096,
            }
            if hearing:
                threading.Thread(target=hearing.hear, args=(grader.dup(), settings), daemon=True).start()
            code = _pytest(notebook, folder, settings, kernel, log)
            texts = [_text(file) for file in (log, report, junit)]
    except OSError as error:
        return _result(cells, began, "grader-error", str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if code is None:
        reason = f"it took more than {timeout:g} seconds, and pytest did not end"
    else:
        reason = f"pytest ended with {code}"
    return _read(cells, began, code, reason, kernel.killed, *texts)


def _read(
    cells: int, began: float, code: int | None, reason: str, killed: str, log: str, report: str, junit: str
) -> Result:
    """Make out of pytest's exit code, its log, the plugin's report and pytest's results what came of a run."""
    events = [json.loads(line) for line in report.splitlines() if line.startswith("{")]
    try:
        cases = list(ET.fromstring(junit).iter("testcase"))
    except ET.ParseError:
        cases = []
    statuses, messages = [_status(case) for case in cases], [_message(case) for case in cases]
    if events and events[0]["cell"] >= 0:
        outcome = {"timeout": "timeout", "judge": "grader-error"}.get(events[0]["why"], "killed")
        reason = killed or events[0]["sentence"]
        return _result(cells, began, outcome, reason, log, statuses, messages, events[0]["cell"])
    if code is None:
        return _result(cells, began, "timeout", reason, log)
    if code not in (0, 1) or len(cases) != cells:
        reason += f" and {len(cases)} of {cells} results"
        return _result(cells, began, "grader-error", reason, log)
    if events:
        return _result(cells, began, "grader-error", f"before the first cell: {events[0]['sentence']}", log)
    return _result(cells, began, "finished", "", log, statuses, messages)


def _result(
    cells: int,
    began: float,
    outcome: str,
    reason: str,
    log: str = "",
    statuses: list[str] | None = None,
    messages: list[str] | None = None,
    stopped_at: int | None = None,
) -> Result:
    """Make a result, in which the cells that were not reached have failed."""
    statuses, messages = (statuses or [])[:cells], (messages or [])[:cells]
    statuses += ["failed"] * (cells - len(statuses))
    messages += [reason] * (cells - len(messages))
    return Result(statuses, messages, time.monotonic() - began, outcome, log, stopped_at, reason)


def _pytest(notebook: NotebookNode, folder: Path, settings: dict, kernel: Kernel, log) -> int | None:
    """Run pytest; gives its exit code, or None if it had to be killed."""
    path = folder / "graded.ipynb"
    (folder / "pytest.ini").write_text("[pytest]\n")
    nbformat.write(notebook, path)
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
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
        pass_fds=[settings[name] for name in ("alive", "report", "junit", "judge")],
    )
    watched_at = time.monotonic()
    try:
        while process.poll() is None:
            if time.time() > settings["deadline"] + GRACE:
                return None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            if time.monotonic() - watched_at > 0.5:
                kernel.watch()
                watched_at = time.monotonic()
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
    for tag, status in (("error", "error"), ("failure", "failed"), ("skipped", "skipped")):
        if tag in tags:
            return status
    return "passed"


def _message(case: ET.Element) -> str:
    texts = [
        (child.text or "") or child.get("message", "") for child in case if not child.tag.startswith("system")
    ]
    return COLOURS.sub("", "\n".join(texts))[:KEPT]


def _before(notebook: NotebookNode) -> str:
    """What is run before a check: its import, whatever an answer did to the name, and that a record is wanted."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    imported = next((found[0] for source in sources if (found := IMPORT.search(source))), "")
    return f"{imported}\n{BEFORE}"


def execute(
    notebook: NotebookNode, box: Box, *, timeout: float = 300.0, hearing: Hearing | None = None
) -> NotebookNode:
    """Run a notebook that is trusted, such as the key, in a box; gives a copy with its outputs.

    Args:
        notebook: with labels, if its checks are judged.
        box: where its kernel runs.
        timeout: seconds for one cell.
        hearing: where its checks are judged from what they record; without one they are cells like others.

    Raises:
        BoxError: if no kernel starts, or it ends.
        RuntimeError: if a cell raises, takes too long, or is judged to be wrong; names the cell.
    """
    from jupyter_client import BlockingKernelClient

    made = nbformat.from_dict(notebook)
    checks = hearing.checks(made) if hearing else {}
    if hearing:
        box = dataclasses.replace(box, stage=str(hearing.stage.folder))
    with box.start() as kernel:
        client = BlockingKernelClient(connection_file=str(kernel.connection))
        client.load_connection_file()
        client.start_channels(stdin=False)
        try:
            client.wait_for_ready(timeout=60)
            for place, cell in enumerate(cell for cell in made.cells if cell.cell_type == "code"):
                until = time.monotonic() + timeout

                def outputs(source: str, cell=cell, until=until) -> list[NotebookNode]:
                    return _outputs(client, kernel, cell, source, until)

                before = f"{_before(made)}\n" if place in checks else ""
                cell.outputs = outputs(before + cell.source)
                cell.execution_count = place + 1
                if place in checks:
                    cell.outputs = [_verdict(hearing, checks[place], cell, outputs)]
        finally:
            client.stop_channels()
    return made


def _verdict(hearing: Hearing, task: str, cell: NotebookNode, outputs: Callable) -> NotebookNode:
    """The output of a check, as the judge says it of what its cell recorded; a `RuntimeError` if it is not solved."""

    def record(found: list[NotebookNode]) -> str:
        return next((output.data[MIME] for output in found if MIME in output.get("data", {})), "")

    reply = hearing.reply({"task": task, "record": record(cell.outputs)})
    while "calls" in reply:
        reply = hearing.reply({"more": True, "record": record(outputs(MORE.format(calls=reply["calls"])))})
    if "line" not in reply:
        raise RuntimeError(f"cell {cell.get('id')}: {reply.get('failed') or ' '.join(reply['lines'])}")
    return nbformat.v4.new_output("stream", name="stdout", text=reply["line"] + "\n")


def _outputs(client, kernel: Kernel, cell: NotebookNode, source: str, until: float) -> list[NotebookNode]:
    outputs: list[NotebookNode] = []
    sent = client.execute(source, store_history=False, allow_stdin=False)
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
    again with it blank. Answers run where there is no check, and the judge says what came of them.

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
    try:
        hearing = Hearing(key.exercise, nonce)
    except JudgeError as error:
        return Grade("grader-error", [], 0.0, 0, [str(error)], [])
    answered, fatal, notes, logs = dict(answers.sources), {}, [], []
    owners, seconds, may_retry = _owners(key), 0.0, True
    while True:
        grafted = grafting.graft(expected, Answers(answered, answers.how, []))
        hearing.records.clear()
        result = run(
            grafted, timeout=timeout, box=box, cell_timeout=cell_timeout, output=output, hearing=hearing
        )
        logs.append(result.log[-KEPT:])
        seconds += result.seconds
        if result.outcome == "finished":
            break
        culprit = _culprit(owners, answered, result)
        if culprit is not None and result.outcome != "grader-error":
            del answered[culprit]
            fatal[culprit] = result.outcome
            notes.append(f"{culprit}: {result.reason}; the rest was run again without it")
        elif may_retry:
            may_retry = False
        else:
            notes.append(result.reason)
            outcome = "timeout" if result.outcome == "timeout" else "grader-error"
            return Grade(outcome, [], seconds, len(logs), notes, logs)
    notes += [f"{number}: {why}" for number, source in answered.items() if (why := suspicions(source))]
    order = [cell.id for cell in grafted.cells if cell.cell_type == "code"]
    tasks = [_task(task, result, order, fatal, answered) for task in key.tasks]
    notes += [f"{task.number}: {task.note}" for task in tasks if task.note.startswith((UNREADABLE, BROKEN))]
    return Grade("graded", tasks, seconds, len(logs), notes, logs, dict(hearing.records))


def _culprit(owners: list, answered: dict, result: Result) -> str | None:
    """Give the task to run without next: the one whose cell ran, or the last answered one before it."""
    if result.stopped_at is None or result.stopped_at >= len(owners):
        return None
    suspects = [owner for owner in owners[: result.stopped_at + 1] if owner in answered]
    return suspects[-1] if suspects else None


def _task(task: Task, result: Result, order: list[str], fatal: dict, answered: dict) -> TaskGrade:
    if task.check_cell_id is None:
        return TaskGrade(task.number, 0, task.points, "unread")
    if task.number in fatal:
        return TaskGrade(task.number, 0, task.points, fatal[task.number])
    cell = order.index(task.check_cell_id)
    if result.statuses[cell] == "passed":
        return TaskGrade(task.number, task.points, task.points, "passed")
    if task.number not in answered:
        return TaskGrade(task.number, 0, task.points, "blank")
    return unsolved(task, result.messages[cell].partition("Traceback:\n")[2].strip(), answered)


def unsolved(task: Task, message: str, answered: dict[str, str]) -> TaskGrade:
    """Give the grade of a task that its check finds blank or wrong, by what it says.

    `answered` has the answers by their tasks, from which lines are shown; where they are not at hand it may be empty.
    """
    if message.startswith(f"{task.number} not attempted yet:"):
        return TaskGrade(task.number, 0, task.points, "blank")
    name = re.match(r"([a-z0-9-]+): ", message)
    if name and name[1] in (UNREADABLE, BROKEN):
        return TaskGrade(task.number, 0, task.points, "failed", "", message[:300])
    known = name and name[1] in NAMED
    source = answered.get(task.number, "")
    if not known and (found := syntax.error(source)):
        line = f"SyntaxError in line {found[0]}: {syntax.line_of(source, found[0])}"
        return TaskGrade(task.number, 0, task.points, "failed", "error", f"{line} ({found[1]})")
    sources = [source, *answered.values()]
    note = _where_it_ended(message, sources) if known and name[1] == "error" else ""
    return TaskGrade(task.number, 0, task.points, "failed", name[1] if known else "", note)


def _where_it_ended(message: str, sources: Sequence[str]) -> str:
    """Tell of an answer's error its kind, its line and the function; "" if unknown.

    What the message says of the line are words and a number; the line itself is read from the answers.
    """
    kind, line = ERROR.match(message), LINE.search(message)
    if not (kind and line):
        return ""
    texts = (syntax.line_in(source, int(line[1]), line[2]) for source in sources)
    text = next(filter(None, texts), "")
    return f"{kind[1]} in line {line[1]} of {line[2]}" + (f": {text}" if text else "")
