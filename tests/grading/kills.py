"""Kill the grader at random moments, with real kernels: ``python tests/grading/kills.py [KILLS] [STUDENTS]``.

A class is graded once in peace. Then the same class is graded under the same nonce, killed after a random
time, gone on with `--resume`, killed again, and so on, and at last let through. The two gradebooks must be
the same but for seconds, each submission must have been graded to the end once, and nothing may be left
running.
"""

import csv
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.grading import make_class  # noqa: E402


def command(source: Path, out: Path, *more: str) -> list[str]:
    """What an instructor types."""
    return [
        sys.executable,
        "-m",
        "diffusion_lab",
        "grade",
        str(source),
        "--out",
        str(out),
        "--exercise",
        "01",
        "--jobs",
        "2",
        "--nonce",
        "4711",
        *more,
    ]


def gradebook(out: Path) -> list[dict]:
    """The table, without seconds."""
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)
        ]


def main(kills: int = 10, students: int = 8) -> int:
    """Try, and print; returns 1 if the gradebooks differ."""
    draw = random.Random()
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        source, peace = Path(folder, "class"), Path(folder, "peace")
        make_class(source, students, "01", 3)
        began = time.monotonic()
        subprocess.run(command(source, peace), cwd=ROOT, check=True, capture_output=True)
        whole = time.monotonic() - began
        done, good = 0, True
        war = Path(folder, "war0")
        while True:
            journal = war / "rows.jsonl"
            resume = ["--resume"] if journal.exists() and journal.stat().st_size else []
            process = subprocess.Popen(
                command(source, war, *resume),
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                process.wait(None if done == kills else draw.uniform(0, whole))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
                rows = journal.read_text().count('{"row"') if journal.exists() else 0
                print(f"kill {done}: {rows} of {students} rows on disk", flush=True)
                continue
            lines = [json.loads(line) for line in journal.read_text().splitlines()]
            graded = [line["row"]["student"] for line in lines if "row" in line]
            same, once = gradebook(peace) == gradebook(war), len(graded) == len(set(graded)) == students
            print(f"it was let through: same gradebook: {same}; each graded once: {once}", flush=True)
            good &= same and once
            if done == kills:
                break
            war = Path(folder, f"war{done}-{time.monotonic()}")  # the next class
        time.sleep(3)
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        left = [line for line in listed.splitlines() if folder in line]
        print(f"left running: {len(left)}")
        return 0 if good and not left else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
