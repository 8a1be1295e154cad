"""Write the programs that tell Linux which calls a graded kernel may not make: ``python tools/seccomp_filter.py``.

They are for seccomp, in its language BPF, one for each architecture; `libseccomp` compiles them, by way of
`pyseccomp`, which is wanted here only: grading reads the files. The list begins where Docker's does, with what
is no use to a notebook and has let programs out of their containers. Added are the calls that take memory
which no count of a process shows. With ``--check`` the files are compared with what would be written.
"""

import argparse
import errno
import struct
import sys
import tempfile

from diffusion_lab.files import replacing
from diffusion_lab.grading.filters import FOLDER

DENIED = {
    "keys of the kernel": ("add_key", "keyctl", "request_key"),
    "large interfaces to the kernel": (
        *("io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "bpf", "perf_event_open"),
        *("fanotify_init", "personality", "modify_ldt", "vmsplice", "lookup_dcookie", "nfsservctl", "uselib"),
    ),
    "other processes": ("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    "files by number, not by path": ("name_to_handle_at", "open_by_handle_at"),
    "mounts and namespaces": (
        *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "move_mount", "open_tree"),
        *("fsopen", "fsmount", "fsconfig", "fspick", "mount_setattr"),
    ),
    "memory that no process is seen to hold": (
        *("memfd_create", "memfd_secret", "shmget", "msgget", "semget"),
    ),
    "the machine": (
        *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module"),
        *(
            "get_kernel_syms",
            "query_module",
            "swapon",
            "swapoff",
            "acct",
            "quotactl",
            "quotactl_fd",
            "reboot",
        ),
        *("syslog", "settimeofday", "clock_settime", "iopl", "ioperm", "vhangup"),
    ),
}
"""System calls that are refused whatever their arguments, as forbidden."""
MISSING = ("clone3",)
"""Those that are said not to exist: its flags cannot be read, and glibc then takes `clone`."""
LATER, MSEAL, OTHER_INTERFACE = 457, 462, 0x40000000
"""From which number on all calls but `mseal` are said not to exist, up to the bit of x86's second interface.

They came, or will come, after Linux 6.7. No version of libseccomp knows those that will come.
"""
NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""The flags of `clone` that ask for new namespaces, from linux/sched.h."""
HUGE_PAGES = 0x40000
"""The flag of `mmap` for huge pages, which no count of a process shows."""
TYPED = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: an `ioctl` that types into a terminal."""
NETLINK = 16
"""The last family of sockets that is allowed; behind it are those of hardware, of virtual machines and the like."""
INT = 0xFFFFFFFF
"""The bits of an argument that the kernel reads as an int."""


def compiled(architecture: str) -> bytes:
    """Compile the program for an architecture.

    Raises:
        ImportError: if pyseccomp is not installed.
        RuntimeError: if it finds no libseccomp.
    """
    import pyseccomp as seccomp

    program = seccomp.SyscallFilter(seccomp.ALLOW)
    wanted = getattr(seccomp.Arch, architecture.upper())
    if not program.exist_arch(wanted):
        program.add_arch(wanted)
        program.remove_arch(seccomp.Arch.NATIVE)
    forbidden, missing = seccomp.ERRNO(errno.EPERM), seccomp.ERRNO(errno.ENOSYS)

    def exists(name: str) -> bool:
        return seccomp.resolve_syscall(wanted, name) >= 0

    for name in filter(exists, (name for names in DENIED.values() for name in names)):
        program.add_rule(forbidden, name)
    for name in MISSING:
        program.add_rule(missing, name)
    for flag in NAMESPACES:
        program.add_rule(forbidden, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    program.add_rule(forbidden, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, HUGE_PAGES, HUGE_PAGES))
    for request in TYPED:
        program.add_rule(forbidden, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, INT, request))
    # everybody at once: where there are no namespaces, this would be the grader, too
    program.add_rule(forbidden, "kill", seccomp.Arg(0, seccomp.MASKED_EQ, INT, INT))
    program.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.GT, NETLINK))
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0)
        return _without_later() + file.read()


def _without_later() -> bytes:
    """The instructions at the beginning that refuse what is later than what libseccomp knows."""
    load, at_least, equal, give = 0x20, 0x35, 0x15, 0x06
    instructions = (
        (load, 0, 0, 0),  # the number of the call
        (at_least, 0, 3, LATER),  # jumps count from the next instruction: if it holds, and else
        (at_least, 2, 0, OTHER_INTERFACE),
        (equal, 1, 0, MSEAL),
        (give, 0, 0, 0x50000 | errno.ENOSYS),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def main() -> int:
    """Write the files, or compare them; exit code 1 if one is not as it would be written."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--check", action="store_true", help="compare the files, write nothing")
    check, differ = parser.parse_args().check, 0
    for architecture in ("x86_64", "aarch64"):
        path, program = FOLDER / f"{architecture}.bpf", compiled(architecture)
        same = path.exists() and path.read_bytes() == program
        if check:
            differ += not same
        elif not same:
            with replacing(path) as part:
                part.write_bytes(program)
        print(
            f"{path}: {len(program) // 8} instructions" + (", not as written" if check and not same else "")
        )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
