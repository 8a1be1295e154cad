"""Control groups of Linux, which limit all that a box holds at once; systemd gives a part of them away as a scope."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")
"""Where version 2 of control groups says what it can limit."""
RUNS = Path("/run/systemd/system")
"""What is there if systemd runs this machine."""
BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""The variables by which an ordinary user's systemd is found."""


def no_scope() -> str:
    """Say what is missing for a scope, or nothing."""
    if not CONTROLLERS.exists():
        return "version 2 of control groups is not mounted"
    if missing := {"memory", "pids"}.difference(CONTROLLERS.read_text().split()):
        return f"control groups limit no {' and no '.join(sorted(missing))} here"
    if not RUNS.exists() or not shutil.which("systemd-run"):
        return "systemd does not run here"
    return ""


def in_scope(command: Sequence[str]) -> list[str]:
    """Give the command that runs another in a scope of its own, in which it may make groups; its id stays the same."""
    user = [] if os.geteuid() == 0 else ["--user"]
    options = ["--scope", "--quiet", "--collect", "--no-ask-password", "--property=Delegate=yes"]
    return [shutil.which("systemd-run") or "systemd-run", *user, *options, "--", *command]


def bus() -> dict[str, str]:
    """Give the variables that `in_scope` wants."""
    return {name: os.environ[name] for name in BUS if name in os.environ}
