"""The box that a submission's kernel runs in, and how a kernel is started in it.

In Linux's namespaces a kernel sees no network, no other process and no file but Python, the package and its
data, all read-only. Where there are no namespaces it still has limits and dies with its children, but it can
read the disk.

The box is made by a program of its own, `walls`, which is also the template that warm kernels are forked
from.
"""

import atexit
import contextlib
import dataclasses
import functools
import json
import os
import random
import secrets
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

from diffusion_lab.grading.walls import LONGEST, MIB, NEW, PORTS

WALLS = str(Path(__file__).with_name("walls.py"))
PREFIX = "dlbox"  # of the names of scratch folders
OLD = 600.0  # seconds since when nothing was changed in a folder that nobody wants


class BoxError(RuntimeError):
    """The box, or the kernel in it, did not start; says why."""


@dataclasses.dataclass(frozen=True)
class Box:
    """How kernels are kept: `level` is "namespaces" or "none", and `reason` a sentence on why.

    Sizes are in MiB, `cpu` in seconds of one process; `memory` holds for each process and for all of them
    together.
    """

    level: str
    reason: str
    memory: int = 4096
    address: int = 32768  # what a process may map, of which torch with CUDA maps much and touches little
    cpu: int = 300
    processes: int = 64
    file_size: int = 64
    tmp: int = 256
    gpu: bool = False
    stage: str = ""  # a folder with what stands in the place of the checks; without one they are there
    warm: bool = True  # forked from a template, where there are namespaces, rather than started from nothing

    def start(self, wait: float = 60.0) -> "Kernel":
        """Start a kernel and wait until it listens, `wait` seconds at most.

        A `BoxError` says why it does not.
        """
        return Kernel(self, wait)


def find_box(level: str | None = None, **limits) -> Box:
    """Give the best box that this machine has, or one of a level that is asked for.

    Raises:
        ValueError: if the level is unknown.
        BoxError: if this machine cannot do what was asked for.
    """
    if level not in (None, "namespaces", "none"):
        raise ValueError(f"level must be 'namespaces' or 'none', got {level!r}")
    problem = None if level == "none" else _no_namespaces()
    if level == "namespaces" and problem:
        raise BoxError(f"there are no namespaces here: {problem}")
    if level == "none" or problem:
        reason = problem or "it was asked for"
        return Box(
            "none", f"kernels are NOT isolated: {reason}. They can read this disk and the network", **limits
        )
    return Box("namespaces", f"kernels have their own {', '.join(NEW)} namespaces", **limits)


@functools.cache
def _no_namespaces() -> str | None:
    """Say what is missing, or None if a process could be started in a box."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has none; use Linux, WSL or a container"
    scratch = new_folder()
    try:
        spec = _spec(Box("namespaces", ""), scratch, "probe", [sys.executable, "-I", "-c", "pass"])
        command = [sys.executable, "-I", "-S", WALLS, json.dumps(spec)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return None
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def new_folder() -> Path:
    """Make a scratch folder that bears this process's number.

    Short, for a socket's path has at most 107 bytes.
    """
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


def sweep() -> None:
    """Remove the scratch folders that graders left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                if time.time() - folder.stat().st_mtime > OLD:
                    shutil.rmtree(folder, ignore_errors=True)


def _visible() -> list[str]:
    """Give the folders of Python, of the installed packages and of this package; nothing else of the disk."""
    package = str(Path(__file__).resolve().parents[1])
    folders = {sys.prefix, sys.base_prefix, *site.getsitepackages(), *sysconfig.get_paths().values(), package}
    if not Path(sys.executable).is_relative_to(sys.prefix):
        folders.add(str(Path(sys.executable).resolve().parents[1]))
    if data := os.environ.get("DIFFUSION_LAB_DATA"):
        folders.add(str(Path(data).resolve()))
    paths = sorted(Path(folder) for folder in folders if Path(folder).is_dir())
    covered = {*paths, Path("/usr")}
    return [str(path) for path in paths if covered.isdisjoint(path.parents)]


def _covers(box: Box) -> list[tuple[str, str]]:
    """What is put over what: the parts of the stage over those of every copy of the package that can be seen."""
    if not box.stage:
        return []
    places = [
        Path(__file__).parents[2],
        *map(Path, (*site.getsitepackages(), *sysconfig.get_paths().values())),
    ]
    copies = {(place / "diffusion_lab").resolve() for place in places} | {Path(__file__).resolve().parents[1]}
    return [
        (str(part), str(copy / part.name))
        for part in sorted(Path(box.stage).iterdir())
        for copy in sorted(copies)
        if (copy / part.name).is_dir()
    ]


def _environment(box: Box, home: str, name: str) -> dict[str, str]:
    """Give the variables of a kernel: none of the grader's own but where the data lie."""
    names = ("DIFFUSION_LAB_DATA", "DIFFUSION_LAB_QUICK", "SYSTEMROOT")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "USER": "student",
        "IPYTHONDIR": f"{home}/ipython",
        "MPLCONFIGDIR": f"{home}/mpl",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "DIFFUSION_LAB_OFFLINE": "1",
        "DIFFUSION_LAB_BOX": name,
    }
    if "DIFFUSION_LAB_DATA" in kept:
        kept["DIFFUSION_LAB_DATA"] = str(Path(kept["DIFFUSION_LAB_DATA"]).resolve())
    return kept | threads | own | ({} if box.gpu else {"CUDA_VISIBLE_DEVICES": ""})


def _spec(box: Box, scratch: Path, name: str, command: list[str]) -> dict:
    """Write down all that the box's maker must know; it makes the folders that the box needs."""
    for folder in ("root", "run", "home"):
        (scratch / folder).mkdir(exist_ok=True)
    inside = box.level == "namespaces"
    as_root = inside and os.geteuid() == 0
    if as_root:  # an id that nobody has, so that no two kernels share a user
        outer = random.SystemRandom().randrange(61184, 65500)
        os.chown(scratch / "run", outer, outer)
    else:
        outer = os.getuid() if hasattr(os, "getuid") else 0
    home = "/tmp" if inside else str(scratch / "home")
    return dataclasses.asdict(box) | {
        "root": str(scratch / "root"),
        "run": str(scratch / "run"),
        "home": home,
        "outer": outer,
        "as_root": as_root,
        "visible": _visible() if inside else [],
        "covers": _covers(box) if inside else [],
        "command": command,
        "environment": _environment(box, home, name),
    }


class _Template:
    """A process that has imported what a kernel needs, and forks the makers of boxes."""

    def __init__(self, box: Box, wait: float = 60.0):
        self.lock = threading.Lock()
        self.line, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            self.process = subprocess.Popen(
                [sys.executable, "-I", WALLS, "--template", str(its_end.fileno())],
                cwd="/",
                pass_fds=[its_end.fileno()],
                env=_environment(box, "/tmp", "template"),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.line.settimeout(wait)
        self.works = self._hear() == b"ready"

    def _hear(self) -> bytes:
        try:
            return self.line.recv(100)
        except OSError:
            return b""

    def start(self, spec: dict, status: int, reading: int) -> "_Forked | None":
        """Have a box made that tells `status` what becomes of it; None if the template cannot."""
        request = json.dumps(spec).encode()
        with self.lock:
            if not self.works or len(request) > LONGEST:
                return None
            try:
                socket.send_fds(self.line, [request], [status])
                reply = self._hear()
            except OSError:
                reply = b""
            self.works = reply.isdigit()
        return _Forked(self, int(reply), reading) if reply.isdigit() else None

    def forget(self, pid: int) -> None:
        """Let the system give the number of a maker that has ended to another process."""
        with self.lock, contextlib.suppress(OSError):
            self.line.send(json.dumps({"ended": pid}).encode())

    def close(self) -> None:
        """End it, and all that came from it."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class _Forked:
    """The maker of a box that a template forked, with what is used here of a `subprocess.Popen`."""

    def __init__(self, template: _Template, pid: int, reading: int):
        self.template, self.pid, self.reading, self.has_ended = template, pid, reading, False

    def poll(self) -> int | None:
        """Give a number if it has ended; only its maker holds the other end of the pipe."""
        return self.wait(0) if self.has_ended or select.select([self.reading], [], [], 0)[0] else None

    def wait(self, timeout: int | float) -> int:
        """Wait for its end."""
        if not self.has_ended:
            if not select.select([self.reading], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("the maker of a box", timeout)
            self.has_ended = True
            self.template.forget(self.pid)
        return 0


_TEMPLATES: dict[tuple, _Template] = {}
_MAKING = threading.Lock()


def _template(box: Box) -> _Template:
    """Give the template of this process for kernels of this environment, made when it is first wanted."""
    with _MAKING:
        key = os.getpid(), *sorted(_environment(box, "/tmp", "template").items())
        if key not in _TEMPLATES:
            _TEMPLATES[key] = _Template(box)
            atexit.register(_TEMPLATES[key].close)
        return _TEMPLATES[key]


class Kernel:
    """A running kernel; end it with `kill`, or use it in a ``with`` block.

    `connection` is the path of its connection file, and `alive_fd` a file descriptor that is at its end when
    the kernel is dead. `killed` says why it was killed, if it was for want of memory.
    """

    def __init__(self, box: Box, wait: float = 60.0):
        """See `Box.start`."""
        self.box, self.killed = box, ""
        self.name = secrets.token_hex(8)
        self.scratch = new_folder()
        self.connection = self.scratch / "run" / "k.json"
        self.process = self.alive_fd = None
        try:
            self._start(wait)
        except BaseException:
            self.kill()
            raise

    def _start(self, wait: float) -> None:
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", str(self.connection)]
        launch += ["--HistoryManager.enabled=False"]
        if (
            self.box.stage and self.box.level == "none"
        ):  # where nothing can be covered, at least nothing is imported
            first = f"import diffusion_lab; diffusion_lab.__path__.insert(0, {self.box.stage!r})"
            launch += [f"--IPKernelApp.exec_lines={first}"]
        spec = _spec(self.box, self.scratch, self.name, launch)
        self._write_connection(spec["outer"] if spec["as_root"] else None)
        reading, writing = os.pipe()
        self.alive_fd = reading
        try:
            template = _template(self.box) if self.box.warm and self.box.level == "namespaces" else None
            self.process = template and template.start(spec, writing, reading)
            if self.process is None:
                spec |= {"status": writing, "grader": os.getpid()}
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", WALLS, json.dumps(spec)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[writing],
                    start_new_session=True,
                    cwd=self.scratch,
                )
        finally:
            os.close(writing)
        word = self._word(time.monotonic() + wait)
        if word != "ready":
            raise BoxError(f"no kernel started in the box ({self.box.level}): {word}")

    def _write_connection(self, owner: int | None) -> None:
        content = {
            "transport": "ipc",
            "ip": str(self.scratch / "run" / "k"),
            "key": secrets.token_hex(32),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }
        content |= {port: number for number, port in enumerate(PORTS, 1)}
        with open(os.open(self.connection, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(content, file)
        if owner is not None:
            os.chown(self.connection, owner, owner)

    def _word(self, until: float) -> str:
        """Read what the box's maker has to say, a line."""
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self.alive_fd], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return "it took too long"
            piece = os.read(self.alive_fd, 4096)
            if not piece:
                return text.decode(errors="replace") or "it ended without a word"
            text += piece
        return text.decode(errors="replace").strip()

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.alive_fd is not None and not select.select([self.alive_fd], [], [], 0)[0]

    def members(self) -> list[int]:
        """Give the ids of the processes in the box, the maker's included (Linux only)."""
        if self.process is None:
            return []
        parents, named = {}, []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if f"DIFFUSION_LAB_BOX={self.name}".encode() in (entry / "environ").read_bytes():
                    named.append(int(entry.name))
        found, waiting = [], [self.process.pid] * (self.process.poll() is None) + named
        while waiting:
            found.append(waiting.pop())
            waiting += [pid for pid, parent in parents.items() if parent == found[-1] and pid not in found]
        return sorted(set(found))

    def memory(self) -> float:
        """Give the memory that the processes in the box hold, in MiB.

        Shared pages count in each (Linux only).
        """
        page, pages = os.sysconf("SC_PAGE_SIZE"), 0
        for pid in self.members():
            with contextlib.suppress(OSError, IndexError):
                fields = Path(f"/proc/{pid}/statm").read_text().split()
                pages += int(fields[1]) - int(fields[2])
        return pages * page / MIB

    def watch(self) -> None:
        """Kill it if all of its processes together hold more memory than they may."""
        if not self.killed and self.memory() > self.box.memory:
            self.killed = f"its processes held more than {self.box.memory} MiB of memory"
            self._end()

    def _end(self) -> None:
        for _ in range(20):  # again and again, for a process may be born while the others are killed
            members = self.members()
            for pid in members:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if self.process is not None:
                with contextlib.suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
            if not members:
                break
            time.sleep(0.02)

    def kill(self) -> None:
        """End the kernel and all that it started, and remove its files."""
        self._end()
        if self.alive_fd is not None:
            os.close(self.alive_fd)
            self.alive_fd = None
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> "Kernel":
        """Give itself."""
        return self

    def __exit__(self, *_) -> None:
        """End it."""
        self.kill()
