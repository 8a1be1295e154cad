"""The program that makes a box out of Linux's namespaces and starts a kernel in it; `box` is the side of the grader.

``python walls.py SPEC`` makes one box and ends with it. ``python walls.py --template NUMBER [--grouped]`` imports once
what every kernel needs, and then makes a box with a kernel, forked from itself, for each spec that comes on a
socket: that saves the seconds that importing torch takes. Otherwise the standard library is all that is
imported before a box is made.
"""

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path

MIB = 2**20
INNER = 1000  # the user inside the box
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
LINKS_OR_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
LINKS_OR_FOLDERS += ("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
NEW = {
    "user": 0x10000000,
    "mount": 0x20000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "ipc": 0x8000000,
    "host name": 0x4000000,
}
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE, DETACH = 1, 2, 4, 32, 4096, 16384, 1 << 18, 2
# what a process may set for itself, from linux/prctl.h
DIE_WITH_PARENT, DUMPABLE, DROP_BOUND_CAPABILITY, ADOPT_ORPHANS, NO_NEW_PRIVILEGES = 1, 4, 24, 36, 38
SECCOMP, FILTER = 22, 2
# system calls that libc has no name for; those of Landlock have the same number everywhere
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
JOIN_SESSION_KEYRING = 1
NEW_RULES, ADD_RULE, OBEY_RULES = 444, 445, 446
GROUPS = "/sys/fs/cgroup"
LONGEST = 2**17  # bytes of a request to the template
MOST_LINKS = 40  # that a path may lead through, as for the kernel
PROC_SHOWN = ("cpuinfo", "meminfo", "stat", "vmstat", "loadavg", "uptime", "version", "filesystems", "sys")
"""What is left of /proc beside the processes and links: what numerical libraries and `psutil` read."""


class _System:
    """The calls to Linux that Python 3.10 has no names for; an `OSError` says which failed."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def _try(self, what: str, result: int) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    def unshare(self, flags: int) -> None:
        self._try("new namespaces", self.libc.unshare(flags))

    def mount(self, source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
        texts = [text.encode() or None for text in (source, target, kind, options)]
        result = self.libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3])
        self._try(f"mount {target}", result)

    def read_only(self, target: str) -> None:
        try:
            self.mount("", target, flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV)
        except OSError:  # a flag set outside may not be dropped: keep noexec, relatime and the like
            flags = os.statvfs(target).f_flag & ~RDONLY
            self.mount("", target, flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV | flags)

    def pivot(self, root: str) -> None:
        os.chdir(root)
        self._try("pivot_root", self.libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."))
        self.detach(".")
        os.chdir("/")

    def detach(self, target: str) -> None:
        self._try(f"umount {target}", self.libc.umount2(target.encode(), DETACH))

    def name_host(self, name: bytes) -> None:
        self._try("host name", self.libc.sethostname(name, ctypes.c_size_t(len(name))))

    def control(self, option: int, value: int) -> None:
        self._try(f"prctl {option}", self.libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))

    def bound_capabilities(self) -> None:
        """Take all out of the set that a program may gain; the numbers that there are not are refused."""
        for capability in range(64):
            self.libc.prctl(DROP_BOUND_CAPABILITY, ctypes.c_ulong(capability), 0, 0, 0)

    def drop_capabilities(self) -> None:
        header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        self._try("capset", self.libc.capset(header, none))

    def own_keyring(self) -> None:
        """Leave the grader's session keyring for an empty one, where there are keyrings that may be used."""
        call = KEYCTL.get(os.uname().machine)
        if call is not None and self.libc.syscall(call, JOIN_SESSION_KEYRING, None) < 0:
            number = ctypes.get_errno()
            if number not in (errno.ENOSYS, errno.EPERM):
                raise OSError(number, f"keyring: {os.strerror(number)}")

    def filter_calls(self, program: bytes) -> None:
        """Have the system refuse calls from now on, as a program in BPF says, to this process and its children."""

        class Program(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

        given = Program(len(program) // 8, program)
        self._try("seccomp", self.libc.prctl(SECCOMP, FILTER, ctypes.byref(given), 0, 0))

    def landlock(self) -> int:
        """Give the version of Landlock that the system has, 0 if there is none."""
        return max(0, self.libc.syscall(NEW_RULES, None, ctypes.c_size_t(0), 1))

    def fence(self, listed: list[str], readable: list[str], writable: list[str]) -> None:
        """Let this process and its children use these files only, as far as the system's Landlock goes.

        Of folders that are `listed` the names can be read, and those of the folders in them.
        """
        version = self.landlock()
        if not version:
            return
        # rights from linux/landlock.h, of which each version knows more
        execute, write, read, list_folder, truncate, use_device = 1, 2, 4, 8, 1 << 14, 1 << 15
        make_device = 1 << 6 | 1 << 11
        rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
        of_file = (execute | write | read | truncate | use_device) & rights
        # no server and no connection by TCP; no signal and no abstract socket to a process outside
        parts = [rights, *([3] if version >= 4 else []), *([3] if version >= 6 else [])]
        asked = struct.pack(f"={len(parts)}Q", *parts)
        rules = self.libc.syscall(NEW_RULES, asked, ctypes.c_size_t(len(asked)), 0)
        if rules < 0:
            self._try("landlock", -1)
        for paths, allowed in (
            (listed, list_folder),
            (readable, execute | read | list_folder),
            (writable, rights & ~make_device),
        ):
            for path in filter(os.path.exists, paths):
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
                allowed_here = allowed if os.path.isdir(path) else allowed & of_file
                rule = struct.pack("=Qi", allowed_here, opened)
                self._try(f"landlock {path}", self.libc.syscall(ADD_RULE, rules, 1, rule, 0))
                os.close(opened)
        self._try("landlock", self.libc.syscall(OBEY_RULES, rules, 0))
        os.close(rules)


def landlock_version() -> int:
    """Give the version of Linux's Landlock, which keeps files from a process without namespaces; 0 without it."""
    return _System().landlock() if sys.platform.startswith("linux") else 0


def _map_users(spec: dict, pid: int) -> None:
    """Say who is who in a user namespace: from outside it, and as root, which may give the box a user of its own."""
    outer = spec["outer"]
    if spec["as_root"]:
        users = f"0 {os.geteuid()} 1\n{INNER} {outer} 1\n"
        groups = f"0 {os.getegid()} 1\n{INNER} {outer} 1\n"
    else:
        Path(f"/proc/{pid}/setgroups").write_text("deny")
        users, groups = f"{INNER} {outer} 1\n", f"{INNER} {os.getegid()} 1\n"
    Path(f"/proc/{pid}/uid_map").write_text(users)
    Path(f"/proc/{pid}/gid_map").write_text(groups)


def _new_namespaces(system: _System, spec: dict) -> None:
    pid, (reading, writing) = os.getpid(), os.pipe()
    helper = os.fork()
    if helper == 0:
        try:
            os.close(writing)
            os.read(reading, 1)
            _map_users(spec, pid)
            os._exit(0)
        except OSError as error:
            print(f"users: {error}", file=sys.stderr)
            os._exit(1)
    system.unshare(sum(NEW.values()))
    os.close(writing)
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("the users of the box could not be set")


def _build(system: _System, spec: dict) -> None:
    """Build the file system of the box in an empty folder."""
    root = spec["root"]
    system.mount("none", "/", flags=REC | PRIVATE)
    system.mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "size=16m,mode=755")
    _give_files_in_memory(system, root, spec["tmp"])
    _show_all(system, root, _readable(spec))
    gpus = [str(path) for path in Path("/dev").glob("nvidia*")] if spec["gpu"] else []
    for new, old in spec["covers"]:  # what no answer may read gives way to what stands in its place
        if os.path.isdir(root + old):
            system.mount(new, root + old, flags=BIND | REC)
            system.read_only(root + old)
    for path in [*DEVICES, *gpus, spec["run"]]:
        if os.path.exists(path):
            _bind(system, root, path, writable=True)
    for folder in ("proc", "var/empty"):
        Path(root, folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path(root, "dev", name).symlink_to(f"/proc/self/fd/{number}")
    with contextlib.suppress(OSError):  # terminals, which `!ls` in a cell wants
        Path(root, "dev/pts").mkdir()
        options = "newinstance,ptmxmode=0666,mode=0620,max=8"
        system.mount("devpts", f"{root}/dev/pts", "devpts", NOSUID, options)
        Path(root, "dev/ptmx").symlink_to("pts/ptmx")
    Path(root, "dev/fd").symlink_to("/proc/self/fd")
    Path(root, "etc").mkdir(exist_ok=True)
    Path(root, "etc/passwd").write_text(f"student:x:{INNER}:{INNER}::/tmp:/bin/sh\n")


def _give_files_in_memory(system: _System, root: str, size: int) -> None:
    """Make the folders that can be written to; `size` MiB hold for both of them together."""
    whole = Path(root, "memory")
    whole.mkdir()
    system.mount("tmpfs", str(whole), "tmpfs", NOSUID | NODEV, f"size={size}m,nr_inodes=20k")
    for name, target in (("tmp", root + "/tmp"), ("shm", root + "/dev/shm")):
        (whole / name).mkdir()
        (whole / name).chmod(0o1777)
        Path(target).mkdir(parents=True)
        system.mount(str(whole / name), target, flags=BIND)
    system.detach(str(whole))
    whole.rmdir()


def _readable(spec: dict) -> list[str]:
    """Give the paths that a kernel can read, those among them that lie in a folder of packages or data as a link."""
    entries = (entry for holder in spec["holders"] for entry in os.scandir(holder))
    linked = [entry.path for entry in entries if entry.is_symlink()]
    return [*LINKS_OR_FOLDERS, *spec["visible"], *linked]


def _trace(path: str) -> tuple[list[tuple[str, str]], str]:
    """Follow a path as the kernel does.

    Returns:
        (links, real): the symbolic links on the way, where each really lies and what stands in it, and the
        path of what is at the end of them.
    """
    links: list[tuple[str, str]] = []
    real, parts = "/", [part for part in path.split("/") if part]
    while parts:
        part = parts.pop(0)
        if part in (".", ".."):
            real = os.path.dirname(real) if part == ".." else real
            continue
        here = os.path.join(real, part)
        if os.path.islink(here) and len(links) < MOST_LINKS:
            text = os.readlink(here)
            links.append((here, text))
            real = "/" if text.startswith("/") else real
            parts = [part for part in text.split("/") if part] + parts
        else:
            real = here
    return links, real


def _show_all(system: _System, root: str, paths: list[str]) -> None:
    """Let files and folders be seen in the box, read-only, under the paths and through the links of outside."""
    traced = [_trace(path) for path in paths if os.path.exists(path)]
    shown: list[str] = []
    for real in sorted({real for _, real in traced}):
        if not any(real == above or real.startswith(above + "/") for above in shown):
            _bind(system, root, real)
            shown.append(real)
    for place, text in (link for links, _ in traced for link in links):
        inside = Path(root + place)
        if not os.path.lexists(inside):  # else it lies in a folder that is shown
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.symlink_to(text)


def _bind(system: _System, root: str, path: str, writable: bool = False) -> None:
    """Let a file or folder be seen in the box under the path that it has outside, which leads through no link."""
    target = Path(root + path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    system.mount(path, str(target), flags=BIND | REC)
    if not writable:
        system.read_only(str(target))


def _mask_proc(system: _System, gpu: bool) -> None:
    """Leave of /proc the processes of the box, and the little of the machine that honest programs read."""
    shown = (*PROC_SHOWN, "driver", "devices") if gpu else PROC_SHOWN
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() or entry.name in shown or entry.is_symlink():
            continue
        cover = "/var/empty" if entry.is_dir() else "/dev/null"
        with contextlib.suppress(FileNotFoundError):
            system.mount(cover, entry.path, flags=BIND)
    system.mount("/proc/sys", "/proc/sys", flags=BIND | REC)
    system.read_only("/proc/sys")


def _limit(spec: dict) -> None:
    import resource

    def at_most(which: int, value: int) -> None:
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))

    at_most(resource.RLIMIT_AS, spec["address"] * MIB)
    at_most(resource.RLIMIT_DATA, spec["memory"] * MIB)
    at_most(resource.RLIMIT_CPU, spec["cpu"])
    at_most(resource.RLIMIT_FSIZE, spec["file_size"] * MIB)
    at_most(resource.RLIMIT_CORE, 0)
    at_most(resource.RLIMIT_NOFILE, 1024)
    if (
        spec["is_other_user"] or spec["level"] == "namespaces"
    ):  # elsewhere the limit would count every process of the grader's user
        at_most(resource.RLIMIT_NPROC, spec["processes"])
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _own_groups() -> str:
    """Make of the control group that systemd gave one that groups of boxes can lie in; gives its folder."""
    line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    folder = Path(GROUPS + line.removeprefix("0::"))
    makers = folder / "makers"  # for a group with groups in it may hold no process itself
    makers.mkdir()
    (makers / "cgroup.procs").write_text("0")
    (folder / "cgroup.subtree_control").write_text("+memory +pids")
    return str(folder)


def _join_group(spec: dict) -> None:
    """Put this process into a control group of its own, with the limits of the box."""
    folder = Path(spec["groups"], spec["name"])
    folder.mkdir()
    limits = {
        "memory.max": (spec["memory"] + spec["tmp"]) * MIB,  # files in memory count here, too
        "memory.oom.group": 1,
        "pids.max": spec["processes"],
        "cgroup.procs": 0,
    }
    with contextlib.suppress(OSError):  # where swap is not counted
        (folder / "memory.swap.max").write_text("0")
    for name, value in limits.items():
        (folder / name).write_text(str(value))


def _first_process(system: _System, spec: dict) -> None:
    """Become the kernel: process 1 of the box, with whose end all the others end."""
    if spec.get("status") is not None:
        os.set_inheritable(spec["status"], False)  # so that it is closed when the maker ends
    if spec["grouped"]:
        _join_group(spec)
    if spec["level"] == "namespaces":
        _enter(system, spec)
    else:
        _limit(spec)
        if sys.platform.startswith("linux"):
            _fence(system, spec)
    if sys.platform.startswith("linux"):
        system.control(NO_NEW_PRIVILEGES, 1)
        system.own_keyring()
        if spec["filter"]:
            system.filter_calls(bytes.fromhex(spec["filter"]))
        system.control(DIE_WITH_PARENT, signal.SIGKILL)
    os.chdir(spec["home"])
    if spec.get("forked"):
        _turn_into_kernel(system, spec)
    os.execve(spec["command"][0], spec["command"], spec["environment"])


def _enter(system: _System, spec: dict) -> None:
    """Leave the outside behind: its files, its limits, and all rights."""
    # while the old /proc is there, for a new one is not granted once it is gone
    system.mount("proc", spec["root"] + "/proc", "proc", NOSUID | NODEV)
    system.pivot(spec["root"])
    for kind in ("user", "mnt", "net", "pid"):
        # a box in the box would bring rights that this one took away
        with contextlib.suppress(OSError):
            Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")
    _limit(spec)
    _mask_proc(system, spec["gpu"])
    system.name_host(b"box")
    system.read_only("/")
    system.bound_capabilities()
    _become(INNER, groups=spec["as_root"])
    system.drop_capabilities()


def _become(user: int, groups: bool) -> None:
    """Become a user and its group; `groups` says whether there are others to leave."""
    os.setresgid(user, user, user)
    if groups:
        os.setgroups([])
    os.setresuid(user, user, user)


def _fence(system: _System, spec: dict) -> None:
    """Keep away from the rest of the disk and from other processes what has no box, as well as the system can."""
    system.control(NO_NEW_PRIVILEGES, 1)
    gpus = [str(path) for path in Path("/dev").glob("nvidia*")] if spec["gpu"] else []
    own = [spec["home"], spec["run"], "/dev/shm", *DEVICES, *gpus]
    # an import wants to list the folder that it searches
    system.fence([spec["environment"]["PYTHONPATH"], *spec["listed"]], [*_readable(spec), "/proc"], own)
    if os.geteuid() == 0:
        system.bound_capabilities()
        if spec["is_other_user"]:
            _become(spec["outer"], groups=True)
        system.drop_capabilities()


def _turn_into_kernel(system: _System, spec: dict) -> None:
    """Become a kernel without a new program, as a child of the template, which has imported what a kernel needs."""
    os.closerange(3, 1024)  # nothing open may come along: not the template's socket, nor the maker's pipe
    os.environ.clear()
    os.environ.update(spec["environment"])
    system.control(DUMPABLE, 1)  # it may read its own /proc, as a program that was just started may
    import numpy
    from ipykernel.kernelapp import IPKernelApp

    # numpy's numbers begin anew, or all kernels would draw what the template would; `random` does so by itself
    numpy.random.seed()  # noqa: NPY002
    sys.argv = ["ipykernel_launcher", *spec["command"][3:]]
    IPKernelApp.launch_instance()
    os._exit(0)


def _main(spec: dict) -> int:
    """Make a box and stay until its kernel ends; what becomes of it goes to the pipe `status`, or is printed."""
    status, system = spec.get("status"), _System()

    def say(word: str) -> None:
        if status is None:
            print(word, file=sys.stderr)
        else:
            os.write(status, f"{word}\n".encode())

    try:
        if spec["grouped"] and "groups" not in spec:
            spec["groups"] = _own_groups()
        if spec["level"] == "namespaces":
            _new_namespaces(system, spec)
            if spec["as_root"]:
                os.setresgid(0, 0, 0)
                os.setresuid(0, 0, 0)
            _build(system, spec)
        elif sys.platform.startswith("linux"):
            system.control(ADOPT_ORPHANS, 1)  # they become children of this process, which can then be found
        pid = os.fork()
        if pid == 0:
            try:
                _first_process(system, spec)
            except BaseException as error:
                say(f"the first process: {error}")
            os._exit(1)
        if sys.platform.startswith("linux") and status is not None:
            system.control(DIE_WITH_PARENT, signal.SIGKILL)  # with the grader, and the kernel with this
            if os.getppid() != spec["grader"]:  # it died before this line
                return 1
        if status is not None:
            if not _is_listening(pid, spec):
                say("the kernel ended at once")
                return 1
            if spec["level"] == "namespaces":
                system.read_only(spec["run"])  # the one place from which the disk could be filled
            say("ready")
        return _wait_for(pid)
    except OSError as error:
        say(str(error))
        return 1


def _is_listening(pid: int, spec: dict) -> bool:
    """Wait until the kernel has made all of its sockets; gives False if it ends before."""
    sockets = [Path(spec["run"], f"k-{number}") for number in range(1, 1 + len(PORTS))]
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if all(path.exists() for path in sockets):
            return True
        time.sleep(0.02)
    return False


def _wait_for(pid: int) -> int:
    """Wait for the end of the kernel, and of orphans, which come here without namespaces; gives an exit code."""
    while True:
        ended, result = os.wait()
        if ended == pid:
            return 0 if os.waitstatus_to_exitcode(result) == 0 else 1


def _serve(descriptor: int, grouped: bool) -> int:
    """Be the template: fork a maker of a box for every spec that comes, until the grader hangs up."""
    sys.path.insert(0, os.environ["PYTHONPATH"])
    import ipykernel.kernelapp
    import ipykernel.zmqshell  # noqa: F401
    import torch  # noqa: F401

    import diffusion_lab.bench.desk  # noqa: F401

    groups = _own_groups() if grouped else ""
    with socket.socket(fileno=descriptor) as grader:
        grader.send(b"ready")
        while True:
            request, descriptors, _, _ = socket.recv_fds(grader, LONGEST, 1)
            if not request:
                return 0
            spec = json.loads(request)
            if "ended" in spec:  # until now its number stayed its own
                os.waitpid(spec["ended"], 0)
                continue
            spec |= {"status": descriptors[0], "grader": os.getpid(), "groups": groups, "forked": True}
            pid = os.fork()
            if pid == 0:
                grader.close()
                os.setsid()
                os._exit(_main(spec))
            os.close(descriptors[0])
            grader.send(str(pid).encode())


if __name__ == "__main__":
    if sys.argv[1] == "--template":
        sys.exit(_serve(int(sys.argv[2]), grouped=sys.argv[3:] == ["--grouped"]))
    sys.exit(_main(json.loads(sys.argv[1])))
