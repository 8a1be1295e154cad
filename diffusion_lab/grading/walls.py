"""The program that makes a box out of Linux's namespaces and starts a kernel in it; `box` is the side of the grader.

``python walls.py SPEC`` makes one box and ends with it. ``python walls.py --template NUMBER`` imports once
what every kernel needs, and then makes a box with a kernel, forked from itself, for each spec that comes on a
socket: that saves the seconds that importing torch takes. Otherwise the standard library is all that is
imported before a box is made.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

MIB = 2**20
INNER = 1000  # the user inside the box
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
LINKS_OR_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
LINKS_OR_FOLDERS += ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")
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
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}  # its system call
LONGEST = 2**17  # bytes of a request to the template


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
        self._try("umount", self.libc.umount2(b".", DETACH))
        os.chdir("/")

    def control(self, option: int, value: int) -> None:
        self._try(f"prctl {option}", self.libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))

    def bound_capabilities(self) -> None:
        """Take all out of the set that a program may gain; the numbers that there are not are refused."""
        for capability in range(64):
            self.libc.prctl(DROP_BOUND_CAPABILITY, ctypes.c_ulong(capability), 0, 0, 0)

    def drop_capabilities(self) -> None:
        header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        self._try("capset", self.libc.capset(header, none))


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
    size = f"size={spec['tmp']}m,nr_inodes=20k,mode=1777"
    for folder in ("/tmp", "/dev/shm"):
        Path(root + folder).mkdir(parents=True)
        system.mount("tmpfs", root + folder, "tmpfs", NOSUID | NODEV, size)
    for path in [*LINKS_OR_FOLDERS, *spec["visible"]]:
        _show(system, root, path)
    gpus = [str(path) for path in Path("/dev").glob("nvidia*")] if spec["gpu"] else []
    for new, old in spec["covers"]:  # what no answer may read gives way to what stands in its place
        if os.path.isdir(root + old):
            system.mount(new, root + old, flags=BIND | REC)
            system.read_only(root + old)
    for path in [*DEVICES, *gpus, spec["run"]]:
        _show(system, root, path, writable=True)
    Path(root, "proc").mkdir()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path(root, "dev", name).symlink_to(f"/proc/self/fd/{number}")
    with contextlib.suppress(OSError):  # terminals, which `!ls` in a cell wants
        Path(root, "dev/pts").mkdir()
        options = "newinstance,ptmxmode=0666,mode=0620,max=8"
        system.mount("devpts", f"{root}/dev/pts", "devpts", NOSUID, options)
        Path(root, "dev/ptmx").symlink_to("pts/ptmx")
    Path(root, "dev/fd").symlink_to("/proc/self/fd")
    Path(root, "etc/passwd").write_text(f"student:x:{INNER}:{INNER}::/tmp:/bin/sh\n")


def _show(system: _System, root: str, path: str, writable: bool = False) -> None:
    """Let a file or folder, or a copy of a link, be seen in the box under the path that it has outside."""
    if not os.path.lexists(path):
        return
    target = Path(root + path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_symlink():
        target.symlink_to(os.readlink(path))
        return
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    system.mount(path, str(target), flags=BIND | REC)
    if not writable:
        system.read_only(str(target))


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
    if spec["level"] == "namespaces":  # elsewhere the limit would count every process of the grader's user
        at_most(resource.RLIMIT_NPROC, spec["processes"])
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _first_process(system: _System, spec: dict) -> None:
    """Become the kernel: process 1 of the box, with whose end all the others end."""
    if spec.get("status") is not None:
        os.set_inheritable(spec["status"], False)  # so that it is closed when the maker ends
    if spec["level"] == "namespaces":
        _enter(system, spec)
    else:
        _limit(spec)
    if sys.platform.startswith("linux"):
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
    system.read_only("/")
    _limit(spec)
    system.bound_capabilities()
    os.setresgid(INNER, INNER, INNER)
    if spec["as_root"]:
        os.setgroups([])
    os.setresuid(INNER, INNER, INNER)
    system.drop_capabilities()
    system.control(NO_NEW_PRIVILEGES, 1)


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


def _serve(descriptor: int) -> int:
    """Be the template: fork a maker of a box for every spec that comes, until the grader hangs up."""
    sys.path.insert(0, os.environ["PYTHONPATH"])
    import ipykernel.kernelapp
    import ipykernel.zmqshell  # noqa: F401
    import torch  # noqa: F401

    import diffusion_lab.bench.desk  # noqa: F401

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
            spec |= {"status": descriptors[0], "grader": os.getpid(), "forked": True}
            pid = os.fork()
            if pid == 0:
                grader.close()
                os.setsid()
                os._exit(_main(spec))
            os.close(descriptors[0])
            grader.send(str(pid).encode())


if __name__ == "__main__":
    sys.exit(_serve(int(sys.argv[2])) if sys.argv[1] == "--template" else _main(json.loads(sys.argv[1])))
