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

from diffusion_lab.grading.filters import call_filter
from diffusion_lab.grading.scopes import bus, in_scope, no_scope
from diffusion_lab.grading.walls import LONGEST, NEW, PORTS, landlock_version

WALLS = str(Path(__file__).with_name("walls.py"))
PREFIX = "dlbox"  # of the names of scratch folders
UNUSED_USERS = (61184, 65500)  # a range of ids of users that systems leave free
OLD = 600.0  # seconds since when nothing was changed in a folder that nobody wants


class BoxError(RuntimeError):
    """The box, or the kernel in it, did not start; says why."""


@dataclasses.dataclass(frozen=True)
class Box:
    """How kernels are kept: `level` is "namespaces" or "none", and `reason` a sentence on why.

    Sizes are in MiB, `cpu` in seconds; `memory` and `cpu` hold for each process and for all of them together,
    and `tmp` for all files in memory. `filtered` says whether system calls are filtered,
    and `grouped` whether control groups hold its memory and processes, too.
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
    filtered: bool = False
    grouped: bool = False
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
    unfiltered = _no_filter("none" if level == "none" or problem else "namespaces")
    calls = f"NO filter of system calls ({unfiltered})" if unfiltered else "a filter of system calls"
    limits["filtered"] = not unfiltered
    if level == "none" or problem:
        reason = (
            f"kernels are NOT isolated: {problem or 'it was asked for'}. {_left_open()}; they have {calls}"
        )
        return Box("none", reason, **limits)
    ungrouped = _no_groups()
    limits["grouped"] = not ungrouped
    groups = f"memory is watched, not held by control groups ({ungrouped})" if ungrouped else "control groups"
    reason = f"kernels have their own {', '.join(NEW)} namespaces, and {calls}; {groups}"
    return Box("namespaces", reason, **limits)


def _left_open() -> str:
    """Say what a kernel without namespaces can do, by what the system's Landlock keeps from it."""
    version = landlock_version()
    if not version:
        return "They can read and change this user's files, end this user's programs, and use the network"
    network = "UDP and the sockets of this machine's programs" if version >= 4 else "the network"
    ends = "" if version >= 6 else ", and end this user's programs"
    return f"They cannot open files beside Python and the course (Landlock), but they can use {network}{ends}"


@functools.cache
def _no_namespaces() -> str | None:
    """Say what is missing, or None if a process could be started in a box."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has none; use Linux, WSL or a container"
    return _problem(Box("namespaces", ""))


@functools.cache
def _no_filter(level: str) -> str | None:
    """Say why system calls cannot be filtered, or None if they can."""
    reason = call_filter()[1]
    return reason or _problem(Box(level, "", filtered=True))


@functools.cache
def _no_groups() -> str | None:
    """Say why there can be no control groups for boxes, or None if there can."""
    return no_scope() or _problem(Box("namespaces", "", grouped=True))


def _problem(box: Box) -> str | None:
    """Start a process that does nothing in a box; say why that cannot be done, or None if it can."""
    scratch = new_folder()
    try:
        spec = _spec(box, scratch, "probe", [sys.executable, "-I", "-c", "pass"])
        done = subprocess.run(_maker(spec), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return None
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _maker(spec: dict) -> list[str]:
    """The command that makes a box."""
    command = [sys.executable, "-I", "-S", WALLS, json.dumps(spec)]
    return in_scope(command) if spec["grouped"] else command


def new_folder() -> Path:
    """Make a scratch folder that bears this process's number.

    Short, for a socket's path has at most 107 bytes; and without links, for the box has a /tmp of its own.
    """
    return Path(
        tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=os.path.realpath(tempfile.gettempdir()))
    )


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


def _visible() -> tuple[list[str], list[str]]:
    """Give the paths of Python, of the installed packages, of this package and of the data; nothing else of the disk.

    Returns:
        (paths, holders): paths by name, whatever links they lead through; and the folders of packages and of data,
        from which some installers link to packages that lie elsewhere.
    """
    package = str(Path(__file__).resolve().parents[1])
    holders = {*site.getsitepackages(), *sysconfig.get_paths().values()}
    if data := os.environ.get("DIFFUSION_LAB_DATA"):
        holders.add(os.path.abspath(data))
    paths = {sys.prefix, sys.base_prefix, sys.executable, package, *holders}
    if not Path(sys.executable).is_relative_to(sys.prefix):
        paths.add(str(Path(sys.executable).resolve().parents[1]))
    return sorted(filter(os.path.exists, paths)), sorted(filter(os.path.isdir, holders))


def _opened(paths: list[str], hidden: list[str]) -> tuple[list[str], list[str]]:
    """Leave out of paths what is hidden, giving what else lies in the folders on the way to it.

    Returns:
        (opened, paths): the folders that gave way to what lies in them, and what is left.
    """
    opened, left = [], []
    for path in paths:
        if path in hidden:
            continue
        if not any(Path(place).is_relative_to(os.path.realpath(path)) for place in hidden):
            left.append(path)
            continue
        inside = [os.path.realpath(entry.path) for entry in os.scandir(path)]
        further, rest = _opened(inside, hidden)
        opened += [path, *further]
        left += rest
    return opened, left


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


@functools.cache
def _others_can_run_python() -> bool:
    """Whether root may become a user of no name here, and that user could run a kernel."""
    code = (
        "import os, ipykernel.kernelapp, diffusion_lab; os.listdir(os.environ.get('DIFFUSION_LAB_DATA', '/'))"
    )
    environment = _environment(Box("none", ""), "/", "probe")
    user = UNUSED_USERS[0]
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd="/",
            env=environment,
            user=user,
            group=user,
            extra_groups=[],
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _spec(box: Box, scratch: Path, name: str, command: list[str]) -> dict:
    """Write down all that the box's maker must know; it makes the folders that the box needs."""
    for folder in ("root", "run", "home"):
        (scratch / folder).mkdir(exist_ok=True)
    inside = box.level == "namespaces"
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    as_root = inside and is_root
    if as_root or (is_root and _others_can_run_python()):
        # an id that nobody has, so that no two kernels share a user
        outer = random.SystemRandom().randrange(*UNUSED_USERS)
        for folder in ("run", "home"):
            os.chown(scratch / folder, outer, outer)
        if not inside:
            scratch.chmod(0o711)
    else:
        outer = os.getuid() if hasattr(os, "getuid") else 0
    home = "/tmp" if inside else str(scratch / "home")
    visible, holders = _visible()
    covers = _covers(box)
    hidden = [] if inside else [old for _, old in covers]
    opened, visible = _opened(sorted({*visible, *holders}) if hidden else visible, hidden)
    holders = [holder for holder in holders if holder not in opened]
    return dataclasses.asdict(box) | {
        "root": str(scratch / "root"),
        "run": str(scratch / "run"),
        "home": home,
        "outer": outer,
        "as_root": as_root,
        "is_other_user": is_root and outer != 0,
        "visible": [*visible, box.stage] if hidden else visible,
        "holders": holders,
        "listed": opened,
        "covers": covers if inside else [],
        "filter": call_filter()[0].hex() if box.filtered else "",
        "name": name,
        "command": command,
        "environment": _environment(box, home, name),
    }


class _Template:
    """A process that has imported what a kernel needs, and forks the makers of boxes."""

    def __init__(self, box: Box, wait: float = 60.0):
        self.lock = threading.Lock()
        self.line, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            command = [sys.executable, "-I", WALLS, "--template", str(its_end.fileno())]
            self.process = subprocess.Popen(
                in_scope([*command, "--grouped"]) if box.grouped else command,
                cwd="/",
                pass_fds=[its_end.fileno()],
                env=_environment(box, "/tmp", "template") | (bus() if box.grouped else {}),
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


def _most_memory(pid: int) -> int:
    """Give the KiB that a process holds at most: all of what it shares with others counts as its own."""
    return _sizes(pid, "status", ("RssAnon", "RssShmem", "VmSwap")) or 0


def _memory_of(pid: int) -> int:
    """Give the KiB that a process holds: its own pages, its part of those that it shares, and what was swapped out.

    A process can hide this from an ordinary user, and then the most that it can be counts. It takes the system
    a few milliseconds.
    """
    part = _sizes(pid, "smaps_rollup", ("Pss_Anon", "Pss_Shmem", "SwapPss"))
    return _most_memory(pid) if part is None else part


def _sizes(pid: int, name: str, fields: tuple[str, ...]) -> int | None:
    """Add some fields of a process's file in /proc; gives None if they cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
        sizes = dict(line.split(":", 1) for line in lines if ":" in line)
        if fields[0] in sizes:
            return sum(int(sizes[field].split()[0]) for field in fields if field in sizes)
    return None


_TEMPLATES: dict[tuple, _Template] = {}
_MAKING = threading.Lock()


def _template(box: Box) -> _Template:
    """Give the template of this process for kernels of this environment, made when it is first wanted."""
    with _MAKING:
        key = os.getpid(), box.grouped, *sorted(_environment(box, "/tmp", "template").items())
        if key not in _TEMPLATES:
            _TEMPLATES[key] = _Template(box)
            atexit.register(_TEMPLATES[key].close)
        return _TEMPLATES[key]


class Kernel:
    """A running kernel; end it with `kill`, or use it in a ``with`` block.

    `connection` is the path of its connection file, and `alive_fd` a file descriptor that is at its end when
    the kernel is dead. `killed` says why it was killed, if it took too much memory or CPU time.
    """

    def __init__(self, box: Box, wait: float = 60.0):
        """See `Box.start`."""
        self.box, self.killed = box, ""
        self.seen: dict[tuple[int, str], float] = {}  # CPU-seconds by process
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
        self._write_connection(spec["outer"] if spec["is_other_user"] else None)
        reading, writing = os.pipe()
        self.alive_fd = reading
        try:
            template = _template(self.box) if self.box.warm and self.box.level == "namespaces" else None
            self.process = template and template.start(spec, writing, reading)
            if self.process is None:
                spec |= {"status": writing, "grader": os.getpid()}
                self.process = subprocess.Popen(
                    _maker(spec),
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
        """Give the memory that the processes in the box hold, in MiB (Linux only).

        What they share with each other counts once, and pages of files, such as libraries, do not count.
        """
        return sum(map(_memory_of, self.members())) / 1024

    def _cpu_time(self, members: list[int]) -> float:
        """Give the CPU-seconds of all processes that were ever seen in the box."""
        ticks = os.sysconf("SC_CLK_TCK")
        for pid in members:
            with contextlib.suppress(OSError, IndexError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                began = fields[19]  # with its id, this names a process for good
                self.seen[pid, began] = (int(fields[11]) + int(fields[12])) / ticks
        return sum(self.seen.values())

    def watch(self) -> None:
        """Kill it if all of its processes together hold more memory, or took more CPU-seconds, than they may."""
        if self.killed:
            return
        members, most = self.members(), self.box.memory * 1024
        if sum(map(_most_memory, members)) > most and sum(map(_memory_of, members)) > most:
            self.killed = f"its processes held more than {self.box.memory} MiB of memory"
        elif self._cpu_time(members) > self.box.cpu:
            self.killed = f"its processes took more than {self.box.cpu} CPU-seconds"
        if self.killed:
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
