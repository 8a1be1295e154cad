"""Pytest with nbval on a kernel that runs already, in its box: a program of its own, for one notebook.

``python -I nbval_plugin.py SETTINGS NOTEBOOK``, where SETTINGS is JSON (see `main`). nbval's own kernel would
start here, waits two thousand seconds for one that is dead, and keeps all that a flood prints; this one does
not. The results go to open files that nobody else can name.
"""

import json
import os
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from queue import Empty

# importing it takes two seconds, for a check of addresses in JSON schemas that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)

import nbval.kernel  # noqa: E402
import nbval.plugin  # noqa: E402
import pytest  # noqa: E402
import zmq  # noqa: E402
from jupyter_client import BlockingKernelClient  # noqa: E402

MIB = 2**20
SLICE = 0.2  # seconds that are waited at a time
RECORDS = 40  # MiB that a check may put out, which is more than a record may have
DUMPABLE = 4  # whether others may read this process's memory, from linux/prctl.h


class Boxed(nbval.kernel.RunningKernel):
    """What nbval takes for the kernel that it started; `settings` and the rest are those of the `Plugin`.

    A check puts out a record of what an answer did. The grader is asked about it, and what the judge says takes the
    place of the output.
    """

    settings: dict
    report = None
    task = None  # gives the task that the current cell checks, or None
    ask = None

    def __init__(self, kernel_name, cwd=None, startup_timeout=60):
        """Connect to the kernel; the arguments are nbval's, and only the last is heeded."""
        self.ended, self.pending, self.size, self.started = "", deque(), 0, False
        self.kc = BlockingKernelClient(connection_file=self.settings["connection"])
        self.kc.load_connection_file()
        self.kc.context.setsockopt(zmq.MAXMSGSIZE, 32 * MIB)  # larger ones are lost
        self.kc.start_channels(stdin=False)
        self.poller = zmq.Poller()
        for channel in (self.kc.shell_channel, self.kc.iopub_channel):
            self.poller.register(channel.socket, zmq.POLLIN)
        self.kc.wait_for_ready(timeout=startup_timeout)
        self._ensure_iopub_up()
        self.started = True

    def is_alive(self) -> bool:
        """Whether it lives and was not given up."""
        return not self.ended and not select.select([self.settings["alive"]], [], [], 0)[0]

    def _end(self, why: str, sentence: str):
        self.ended = why
        self.report(why, sentence)
        raise RuntimeError(sentence)

    def _collect(self, timeout: float) -> None:
        """Move what the kernel published to `pending`, as long as it is not too much.

        Wait for the first of it.
        """
        for count in range(500):
            try:
                message = self.kc.get_iopub_msg(timeout=0 if count else timeout)
            except Empty:
                return
            self.size += 200 + len(repr(message["content"]))
            most = RECORDS if self.task() else self.settings["output"]
            if self.size > most * MIB:
                self._end("flood", f"a cell put out more than {most} MiB")
            self.pending.append(message)

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Send a cell."""
        self.pending.clear()
        self.size = 0
        if self.task():  # whatever an answer has put in the place of this name
            cell_input = f"{self.settings['before']}\n{cell_input}"
        return super().execute_cell_input(cell_input, allow_stdin)

    def await_reply(self, msg_id, timeout=None):
        """Wait for the end of a cell and have it judged; give the kernel up if it dies, floods, or takes too long."""
        until = min(time.time() + (timeout or 60), self.settings["deadline"])
        self._await_end(msg_id, until)
        if self.task() and self.started:
            self._put_verdict(msg_id, until)

    def _put_verdict(self, msg_id, until):
        """Put what the judge says in the place of what a check put out; without a record there is only an error."""
        messages = self._messages(msg_id)
        record = self._record(messages)
        if record is None:
            kinds = ("status", "execute_input", "error")
            self.pending.extend(message for message in messages if message["msg_type"] in kinds)
            return
        reply, seconds = self._asked({"task": self.task(), "record": record})
        while "calls" in reply:
            until += seconds
            code = self.settings["more"].format(calls=reply["calls"])
            more = self.kc.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
            self._await_end(more, until)
            reply, seconds = self._asked({"more": True, "record": self._record(self._messages(more)) or ""})
        if "line" in reply:
            said = {"name": "stdout", "text": reply["line"] + "\n"}
            self.pending.append(_message(msg_id, "stream", said))
        else:
            error = {"ename": "Mistaken", "evalue": reply["lines"][0], "traceback": reply["lines"]}
            self.pending.append(_message(msg_id, "error", error))
        self.pending.append(_message(msg_id, "status", {"execution_state": "idle"}))

    def _asked(self, question):
        """Ask the grader, and say how long that took; the run is given up if the judge fails."""
        began = time.time()
        reply = self.ask(question)
        seconds = time.time() - began  # which are none of the student's
        self.settings["deadline"] += seconds
        if "failed" in reply:
            self._end("judge", reply["failed"])
        return reply, seconds

    def _record(self, messages):
        """The record among the messages of a check, or None."""
        kind = self.settings["record"]
        for message in messages:
            data = message["content"].get("data", {}) if message["msg_type"] == "display_data" else {}
            if isinstance(data, dict) and isinstance(data.get(kind), str):
                return data[kind]
        return None

    def _messages(self, msg_id):
        """All that was published of a cell, up to its end."""
        messages = []
        while True:
            message = self.get_message("iopub")
            if message["parent_header"].get("msg_id") == msg_id:
                messages.append(message)
                if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    return messages

    def _await_end(self, msg_id, until):
        while True:
            ready = dict(self.poller.poll(1000 * SLICE))
            if self.kc.shell_channel.socket in ready:
                if self.kc.get_shell_msg(timeout=1)["parent_header"].get("msg_id") == msg_id:
                    return
                continue
            if ready:
                self._collect(0.01)
            if not self.is_alive():
                self._end("died", "the kernel ended while this cell ran")
            if time.time() > until:
                self._end("timeout", "this cell ran too long")

    def get_message(self, stream, timeout=None):
        """Give the next message; the kernel is given up if none comes in time, for then it was lost."""
        if stream == "shell":
            return self.kc.get_shell_msg(timeout=timeout)
        until = time.time() + (timeout or 5)
        while not self.pending:
            if time.time() > until:
                if not self.started:
                    raise Empty
                self._end("flood", "a cell's output did not come: a single one of more than 32 MiB?")
            self._collect(SLICE)
            if not self.pending and not self.is_alive():
                self._end("died", "the kernel ended before its output came")
        return self.pending.popleft()

    def interrupt(self):
        """Nothing: a cell that ran too long is given up with its kernel."""

    def stop(self):
        """Close the channels; the kernel is ended by who started it."""
        self.kc.stop_channels()
        if not self.ended:
            self.ended = "stopped"


def _message(msg_id, kind, content):
    return {"msg_type": kind, "parent_header": {"msg_id": msg_id}, "content": content}


class Line:
    """Questions to the grader, and its answers, each a line of JSON."""

    def __init__(self, descriptor):
        """Take over an open socket."""
        self.file = socket.socket(fileno=descriptor).makefile("rw", encoding="utf-8", newline="\n")

    def ask(self, question):
        """Ask; if the grader has hung up, that is a failure."""
        self.file.write(json.dumps(question) + "\n")
        self.file.flush()
        reply = self.file.readline()
        return json.loads(reply) if reply else {"failed": "the grader hung up"}


class Plugin:
    """Counts the cells, and writes down at which the kernel was given up and why."""

    def __init__(self, settings: dict, notebook: Path):
        """Keep both; the notebook is deleted once it was read, for it holds what the checks must print."""
        self.settings, self.notebook, self.cell = settings, notebook, -1

    def report(self, why: str, sentence: str) -> None:
        """Write a line."""
        line = json.dumps({"why": why, "sentence": sentence, "cell": self.cell}) + "\n"
        os.write(self.settings["report"], line.encode())

    def pytest_collection_finish(self):
        """Delete the notebook."""
        self.notebook.unlink(missing_ok=True)

    def task(self):
        """The task that the current cell checks, or None."""
        return self.settings["checks"].get(str(self.cell))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self):
        """Count."""
        self.cell += 1


def _guard(settings: dict) -> None:
    """Let nobody read this process's memory, where the system can do that, and let it grow no further than it may."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(DUMPABLE, 0, 0, 0, 0)
    if os.name == "posix":
        import resource

        for which, value in ((resource.RLIMIT_AS, settings["memory"]), (resource.RLIMIT_FSIZE, 64)):
            hard = resource.getrlimit(which)[1]
            if hard == resource.RLIM_INFINITY or hard > value * MIB:
                resource.setrlimit(which, (value * MIB, hard))


def main(settings: dict, notebook: Path) -> int:
    """Run, and give pytest's exit code.

    Of the settings, connection is a path; alive, report, junit and judge are file descriptors; deadline is in
    seconds since 1970, cell_timeout in seconds, output and memory in MiB; checks are tasks by the places of their
    cells; before is what is run before a check, more what makes it see more calls, and record the kind of output that
    is a record.
    """
    import _pytest.junitxml

    _guard(settings)
    plugin = Plugin(settings, notebook)
    Boxed.settings, Boxed.report, Boxed.task = (
        settings,
        staticmethod(plugin.report),
        staticmethod(plugin.task),
    )
    if settings["checks"]:
        Boxed.ask = staticmethod(Line(settings["judge"]).ask)
    nbval.plugin.RunningKernel = Boxed
    _pytest.junitxml.open = lambda *_, **__: os.fdopen(settings["junit"], "w", encoding="utf-8")
    arguments = ["-c", str(notebook.with_name("pytest.ini")), "--rootdir", str(notebook.parent)]
    arguments += ["--noconftest", "-p", "no:cacheprovider", "-p", "nbval.plugin"]
    arguments += ["--color=no", "-q", "--tb=short", "--junitxml=results.xml", "-o", "junit_logging=no"]
    arguments += ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={settings['cell_timeout']}"]
    arguments.append(str(notebook))
    return int(pytest.main(arguments, plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), Path(sys.argv[2])))
