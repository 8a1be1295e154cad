"""The filter of system calls: the files are what the tool writes, and refuse what they must on both architectures."""

import errno
import struct

import pytest

from diffusion_lab.grading import filters
from tools import seccomp_filter

ALLOW, KILL = 0x7FFF0000, 0x80000000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # the numbers of architectures, from linux/audit.h
NUMBERS = {
    "x86_64": {
        **{
            "read": 0,
            "write": 1,
            "mmap": 9,
            "ioctl": 16,
            "socket": 41,
            "clone": 56,
            "kill": 62,
            "execve": 59,
        },
        **{
            "openat": 257,
            "futex": 202,
            "shmget": 29,
            "msgget": 68,
            "semget": 64,
            "ptrace": 101,
            "mount": 165,
        },
        **{
            "personality": 135,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "unshare": 272,
            "setns": 308,
        },
        **{"perf_event_open": 298, "kcmp": 312, "memfd_create": 319, "bpf": 321, "userfaultfd": 323},
        **{"process_vm_readv": 310, "chroot": 161, "open_by_handle_at": 304, "memfd_secret": 447},
    },
    "aarch64": {
        **{"read": 63, "write": 64, "mmap": 222, "ioctl": 29, "socket": 198, "clone": 220, "kill": 129},
        **{
            "execve": 221,
            "openat": 56,
            "futex": 98,
            "shmget": 194,
            "msgget": 186,
            "semget": 190,
            "ptrace": 117,
        },
        **{"mount": 40, "personality": 92, "add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97},
        **{"setns": 268, "perf_event_open": 241, "kcmp": 272, "memfd_create": 279, "bpf": 280},
        **{"userfaultfd": 282, "process_vm_readv": 270, "chroot": 51, "open_by_handle_at": 265},
        **{"memfd_secret": 447},
    },
}
EVERYWHERE = {"io_uring_setup": 425, "io_uring_enter": 426, "clone3": 435, "pidfd_getfd": 438, "mseal": 462}
HONEST = ("read", "write", "mmap", "ioctl", "socket", "clone", "kill", "execve", "openat", "futex", "mseal")


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a program as the kernel does on one call: only the instructions that libseccomp writes are known."""
    values = [value & (2**64 - 1) for value in (*arguments, *[0] * (6 - len(arguments)))]
    seen = struct.pack("<IIQ6Q", number, architecture, 0, *values)
    code, place, held = list(struct.iter_unpack("<HBBI", program)), 0, 0
    while True:
        operation, if_so, if_not, value = code[place]
        place += 1
        if operation == 0x20:
            (held,) = struct.unpack_from("<I", seen, value)
        elif operation == 0x54:
            held &= value
        elif operation == 0x06:
            return value
        elif operation == 0x05:
            place += value
        else:
            holds = {0x15: held == value, 0x25: held > value, 0x35: held >= value}[operation]
            place += if_so if holds else if_not


@pytest.fixture(params=sorted(AUDIT))
def ask(request):
    """Ask the program of an architecture about a call by its name, or by its number."""
    program = (filters.FOLDER / f"{request.param}.bpf").read_bytes()
    numbers = NUMBERS[request.param] | EVERYWHERE

    def answer(call: str | int, *arguments: int) -> int:
        number = numbers[call] if isinstance(call, str) else call
        return verdict(program, AUDIT[request.param], number, *arguments)

    return answer


@pytest.mark.parametrize("architecture", sorted(AUDIT))
def test_committed_programs_are_what_the_tool_writes(architecture):
    pytest.importorskip(
        "pyseccomp", reason="pyseccomp compiles them; it is not installed", exc_type=ImportError
    )
    assert (filters.FOLDER / f"{architecture}.bpf").read_bytes() == seccomp_filter.compiled(architecture)


def test_what_is_no_use_to_a_notebook_is_refused(ask):
    named = {name for names in seccomp_filter.DENIED.values() for name in names}
    tried = [name for name in {*NUMBERS["x86_64"], *EVERYWHERE} if name in named]
    assert len(tried) > 20
    assert {name: ask(name) for name in tried} == dict.fromkeys(tried, 0x50000 | errno.EPERM)


def test_honest_calls_pass(ask):
    assert {name: ask(name) for name in HONEST} == dict.fromkeys(HONEST, ALLOW)


def test_what_is_new_is_missing(ask):
    calls = ("clone3", 457, 458, 463, 600, 2**29)
    assert {call: ask(call) for call in calls} == dict.fromkeys(calls, 0x50000 | errno.ENOSYS)
    assert ask(456) == ALLOW


@pytest.mark.parametrize(
    ("call", "arguments", "error"),
    [
        ("clone", (0x10000000 | 17,), errno.EPERM),
        ("clone", (0x20000 | 0x80000000,), errno.EPERM),
        ("clone", (0x7D0F00,), 0),  # a thread
        ("clone", (0x1200011,), 0),  # a fork
        ("kill", (-1, 9), errno.EPERM),
        ("kill", (0xFFFFFFFF, 9), errno.EPERM),
        ("kill", (0x5FFFFFFFF, 9), errno.EPERM),
        ("kill", (4242, 9), 0),
        ("kill", (-4242, 9), 0),
        ("ioctl", (0, 0x5412), errno.EPERM),
        ("ioctl", (0, 0x100005412), errno.EPERM),
        ("ioctl", (0, 0x5413), 0),
        ("mmap", (0, 4096, 3, 0x40022), errno.EPERM),
        ("mmap", (0, 4096, 3, 0x21), 0),
        ("socket", (1, 1), 0),
        ("socket", (16, 3), 0),
        ("socket", (17, 3), errno.EAFNOSUPPORT),
        ("socket", (40, 1), errno.EAFNOSUPPORT),
    ],
)
def test_arguments_decide(ask, call, arguments, error):
    assert ask(call, *arguments) == (0x50000 | error if error else ALLOW)


def test_calls_of_another_architecture_end_the_process():
    program = (filters.FOLDER / "x86_64.bpf").read_bytes()
    assert verdict(program, 0x40000003, 20) in (KILL, 0)  # of 32 bits, by `int 0x80`
    assert verdict(program, AUDIT["x86_64"], 0x40000000 | 1) in (KILL, 0)  # x32


def test_a_machine_without_a_program_says_so(monkeypatch):
    monkeypatch.setattr(filters.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(filters.sys, "platform", "linux")
    assert filters.call_filter() == (b"", "there is one for aarch64, x86_64, and none for riscv64")
    monkeypatch.setattr(filters.sys, "platform", "darwin")
    assert filters.call_filter() == (b"", "darwin has no seccomp")
