"""Run a zip of ``diffusion-lab autograder`` here as its server would, in a bare root with the server's layout.

    python -m tools.try_autograder gradescope x.zip submissions/*.ipynb

Each notebook is handed in on its own. As root on Linux the script of the server runs in a root that holds nothing but
the system, this Python and the server's folder, without a network; elsewhere in a temporary folder that is laid out the
same. What comes out is the results file, and what it took: seconds, CPU-seconds, and the memory of all processes at the
peak (PSS, and the anonymous part of it, which no machine can give back).
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.grading.servers.hosts import HOSTS

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
MOUNTED = """set -e
mount --make-rprivate /
cd "$1"; shift
for folder in "$@"; do
    mkdir -p ".$folder"
    mount --rbind "$folder" ".$folder"
    mount -o remount,bind,ro ".$folder"
done
mkdir -p proc dev tmp
mount -t proc proc proc
mount --rbind /dev dev
exec chroot . /bin/bash -c "$COMMAND"
"""
CLASSROOM50 = {
    "CLASSROOM": "diffusion",
    "ASSIGNMENT": "exercise-01",
    "SUBMISSION_TAG": "submit/2026-11-30T12-00-00Z-0123abc",
    "COMMIT_URL": "https://github.com/o/r/commit/0123abc",
    "RELEASE_URL": "https://github.com/o/r/releases/tag/0123abc",
    "REVIEW_URL": "https://github.com/o/r/compare/a...b",
    "USERNAME": "anna",
}


class Attempt(NamedTuple):
    """What came of handing in one notebook."""

    results: dict | None  # None if the script left none
    code: int
    seconds: float
    cpu_seconds: float
    pss: float  # MiB, of all processes at the peak
    anonymous: float  # MiB, at its own peak
    log: str


class Layout(NamedTuple):
    """A server's folder, and what runs in it."""

    top: Path  # becomes the root
    home: str  # the server's folder in it, such as "/autograder"
    results: Path
    script: str
    workplace: str
    variables: dict[str, str]


def lay_out(
    host: str, archive: Path, top: Path, notebook: Path | None, metadata: dict | None = None
) -> Layout:
    """Unpack a zip as the server does, and hand in a notebook, or nothing.

    Raises:
        ValueError: if the server is unknown.
    """
    if host not in HOSTS:
        raise ValueError(f"host must be one of {', '.join(HOSTS)}, got {host!r}")
    variables: dict[str, str] = {}
    if host == "gradescope":
        home, bundle = top / "autograder", top / "autograder/source"
        _unpack(archive, bundle)
        shutil.copy2(bundle / "run_autograder", home / "run_autograder")
        (home / "results").mkdir()
        if metadata is not None:
            (home / "submission_metadata.json").write_text(json.dumps(metadata))
        script = workplace = "/autograder"
        script = "/autograder/run_autograder"
    elif host == "prairielearn":
        home = top / "grade"
        _unpack(archive, top / "course")
        info = json.loads(next((top / "course/questions").glob("*/info.json")).read_text())
        shutil.move(top / "course/serverFilesCourse", home / "serverFilesCourse")
        script, workplace = info["externalGradingOptions"]["entrypoint"], "/"
    else:
        home = top / "checkout"
        _unpack(archive, top / "bundle")
        script, workplace = f"{shlex.quote(sys.executable)} /bundle/autograder.py", "/checkout"
        variables = CLASSROOM50
    handed_in = home / HOSTS[host].submission
    handed_in.mkdir(parents=True, exist_ok=True)
    if notebook is not None:
        shutil.copy2(notebook, handed_in / notebook.name)
    return Layout(top, f"/{home.name}", home / HOSTS[host].results, script, workplace, variables)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip with the permissions in it."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = Path(opened.extract(entry, folder))
            path.chmod((entry.external_attr >> 16) & 0o777 or 0o644)


def can_be_bare() -> bool:
    """Whether this user may make a root of its own."""
    probe = ["unshare", "--mount", "--pid", "--fork", "--net", "true"]
    try:
        is_root = os.geteuid() == 0
        return is_root and subprocess.run(probe, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, AttributeError, subprocess.TimeoutExpired):
        return False


def run(layout: Layout, timeout: float = 600.0) -> Attempt:
    """Run the server's script; `timeout` is in seconds."""
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",
        "DIFFUSION_LAB_PYTHON": sys.executable,
        "OMP_NUM_THREADS": "1",
        **layout.variables,
    }
    if can_be_bare():
        folders = dict.fromkeys([*SYSTEM, sys.prefix, sys.base_prefix])
        visible = [folder for folder in folders if Path(folder).is_dir()]
        environment["COMMAND"] = f"cd {layout.workplace} && {layout.script}"
        command = ["unshare", "--mount", "--pid", "--fork", "--net", "bash", "-c", MOUNTED, "bash"]
        command += [str(layout.top), *visible]
        where = "/"
    else:
        command = [
            "bash",
            "-c",
            re.sub(r"(?<![\w/])(/(?:autograder|grade|bundle)/)", f"{layout.top}\\1", layout.script),
        ]
        where = str(layout.top) + layout.workplace
    began, usage = time.monotonic(), os.times()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            pss, anonymous = watch.stop()
        seconds, after = time.monotonic() - began, os.times()
        log.seek(0)
        text = log.read().decode("utf-8", "replace")
    cpu = after.children_user + after.children_system - usage.children_user - usage.children_system
    results = json.loads(layout.results.read_text()) if layout.results.is_file() else None
    return Attempt(results, code, seconds, cpu, pss, anonymous, text)


class _Watch:
    """Measures a process and all that came from it, five times a second."""

    def __init__(self, pid: int):
        self.pid, self.pss, self.anonymous, self.done = pid, 0.0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._measure, daemon=True)
        self.thread.start()

    def stop(self) -> tuple[float, float]:
        """End it; gives the peaks in MiB."""
        self.done.set()
        self.thread.join()
        return self.pss, self.anonymous

    def _measure(self) -> None:
        while not self.done.wait(0.2):
            pss = anonymous = 0.0
            for pid in _descendants(self.pid):
                try:
                    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                except OSError:
                    continue
                pss += _size(text, "Pss")
                anonymous += _size(text, "Pss_Anon")
            self.pss, self.anonymous = max(self.pss, pss), max(self.anonymous, anonymous)


def _descendants(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += [pid for pid, parent in parents.items() if parent == found[-1]]
    return found


def _size(text: str, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.M)
    return int(found[1]) / 1024 if found else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Hand in every notebook, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("host", choices=sorted(HOSTS))
    parser.add_argument("archive", type=Path, metavar="zip")
    parser.add_argument("notebooks", type=Path, nargs="+")
    parser.add_argument("--log", action="store_true", help="print what the script printed")
    options = parser.parse_args(arguments)
    for notebook in options.notebooks:
        with tempfile.TemporaryDirectory(prefix="autograder") as folder:
            attempt = run(lay_out(options.host, options.archive, Path(folder), notebook))
        score = None if attempt.results is None else attempt.results.get("score")
        took = f"{attempt.seconds:.0f} s, {attempt.cpu_seconds:.0f} CPU-seconds"
        print(
            f"{notebook.name}: score {score}, {took}, {attempt.pss:.0f} MiB ({attempt.anonymous:.0f} anonymous)"
        )
        if options.log or attempt.results is None:
            print(attempt.log)
    return 0


if __name__ == "__main__":
    sys.exit(main())
