"""Grading a class: every submission gets one row, which is on disk before the next one is begun.

A run that was stopped or killed can be resumed: the rows stand in a `Journal`, and the gradebook is made from
it (`Reporting.write`).
"""

import contextlib
import ctypes
import dataclasses
import hashlib
import platform
import re
import secrets
import signal
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from diffusion_lab.grading import answers, keys, submissions
from diffusion_lab.grading.box import Box, sweep
from diffusion_lab.grading.grader import Grader
from diffusion_lab.grading.journal import JOURNAL, Journal
from diffusion_lab.grading.key_check import check_key, run_key
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.plan import Planned, plan
from diffusion_lab.grading.reporting import Reporting
from diffusion_lab.grading.rows import Row
from diffusion_lab.grading.submissions import Submission, Unreadable
from diffusion_lab.interrupts import StopRequest

STACK = 256 * 2**20  # bytes for the stack of a worker, of which it touches what it needs
PACKAGES = ("diffusion-lab", "torch", "numpy", "nbval", "pytest", "ipykernel", "nbformat")
WHOLE = (1, 1)  # the shard that is the whole class


class GradebookExists(FileExistsError):
    """There is a gradebook in `folder` already, and nobody asked to resume it."""

    def __init__(self, folder: Path):
        """Keep the folder."""
        super().__init__(f"{folder} holds a gradebook already")
        self.folder = folder


class JournalDamaged(ValueError):
    """The journal at `path` has rows, but no record that can be read of the run that they came from."""

    def __init__(self, path: Path):
        """Keep the path."""
        super().__init__(f"{path}: it holds rows, but the line that says how it was begun cannot be read")
        self.path = path


class ResumeMismatch(ValueError):
    """The gradebook in `folder` was begun with another value of `argument` than the one it is resumed with."""

    def __init__(self, folder: Path, argument: str, begun_with: object, got: object):
        """Keep the facts."""
        super().__init__(f"{argument}: {folder} was begun with {begun_with}, got {got}")
        self.folder, self.argument, self.begun_with, self.got = folder, argument, begun_with, got


class SolutionChanged(ValueError):
    """One gradebook would hold grades by two different solutions of `exercise`."""

    def __init__(self, exercise: str):
        """Keep the number of the exercise."""
        super().__init__(
            f"the solution of exercise {exercise} has changed, and one gradebook cannot hold both"
        )
        self.exercise = exercise


class PartUnfinished(ValueError):
    """The part of a class in `folder` has not been graded to its end."""

    def __init__(self, folder: Path):
        """Keep the folder."""
        super().__init__(f"parts: {folder} is not finished")
        self.folder = folder


class Graded(NamedTuple):
    """What came of grading a class."""

    rows: list[Row]
    stopped: bool  # whether it was stopped before the end
    warnings: list[str]


def grade(
    source: Path,
    out: Path,
    *,
    solutions: Path,
    box: Box,
    exercise: str | None = None,
    jobs: int = 1,
    only: str | None = None,
    exclude: Sequence[str] = (),
    nonce: int | None = None,
    resume: bool = False,
    pattern: str | None = None,
    shard: tuple[int, int] | None = None,
    reporting: Reporting | None = None,
    timeout: int | float = 120.0,
    command: str = "",
) -> Graded:
    """Grade all submissions in a folder or zip into a gradebook.

    Args:
        source: the submissions, as `submissions.find` takes them; they are only read.
        out: folder of the gradebook.
        solutions: folder of the keys.
        box: where kernels run.
        exercise: its number, if only one is to be graded; then a student who handed in none of it gets a row
            as well.
        jobs: submissions at a time.
        only: the one student to grade; with `resume` again, if there is a row already.
        exclude: students of whom nothing is run; each gets a row that says so, until a run without it.
        nonce: decides what the checks draw; drawn if it is not given. The same nonce gives the same grades.
        resume: go on with the gradebook that is in `out`: who has a row there is passed over, unless the file
            has changed since, or the grader failed.
        pattern: for the students' names, see `submissions.find`.
        shard: (i, n), to grade the i-th of n parts of the class.
        reporting: what is added to the grades, and where they go beside the gradebook.
        timeout: seconds for one submission.
        command: what was typed, for the record.

    Raises:
        GradebookExists: if there is a gradebook in `out` and `resume` was not given.
        ResumeMismatch: if it was begun with another nonce or shard.
        SolutionChanged: if it was begun with another solution.
        JournalDamaged: if there is no telling what it was begun with.
        BlockingIOError: if another grader writes to it.
        ValueError: if an argument or a key is not as it must be.
    """
    reporting = reporting or Reporting()
    _refuse_inside(source, out)
    sweep()
    known = keys.load_all(solutions)
    if exercise is not None:
        exercise = keys.load(exercise, solutions).exercise
    planned = plan(source, pattern, known, exercise, only, shard, exclude)
    needed = {entry.exercise for entry in planned.values() if entry.exercise}
    needed = {number: key for number, key in known.items() if number in needed}
    about = {number: described(key) for number, key in needed.items()}
    reporting.check(about, is_whole_class=shard in (None, WHOLE))
    with contextlib.closing(Journal(out)) as journal:
        nonce = _begun_nonce(journal, out, resume, nonce, shard or WHOLE, about)
        ends_whole = journal.is_finished or not only
        expected = _run_keys(journal, needed, about, nonce, box, timeout, jobs)
        record = {
            "nonce": nonce,
            "keys": about,
            "isolation": {"level": box.level, "reason": box.reason},
            "shard": list(shard or WHOLE),
            "command": command,
            "versions": _versions(),
            "jobs": jobs,
            "timeout": timeout,
            "source": str(source),
        }
        journal.add("run", record)
        to_do = planned if only else _not_done(planned, journal.rows())
        grader = Grader(known, expected, nonce, box, timeout, keep_in=out)
        stopped = _grade_all(
            _work(source, pattern, to_do, grader), len(to_do), len(planned), jobs, journal, out
        )
        if not stopped and ends_whole:
            journal.add("finished", {"rows": len(journal.rows())})
        journal.mend()
        is_complete = journal.is_finished
        rows, warnings = reporting.write(
            out, journal.rows().values(), run_record(journal.of("run")), is_complete
        )
        if journal.was_changed:
            warnings.append(
                f"{out / JOURNAL} was changed by another program meanwhile; its rows were written anew as they were"
            )
    return Graded(rows, stopped, warnings)


def _refuse_inside(source: Path, out: Path) -> None:
    if source.is_dir() and (out.resolve() == source.resolve() or source.resolve() in out.resolve().parents):
        raise ValueError(f"out: a folder outside the submissions was wanted, got {out}")


# resuming a gradebook


def _begun_nonce(
    journal: Journal, out: Path, resume: bool, nonce: int | None, shard: tuple[int, int], about: dict
) -> int:
    """The nonce of a gradebook, which must not change while it grows; neither may its keys or its shard."""
    begun = journal.of("run")
    if begun and not resume:
        raise GradebookExists(out)
    if not begun and journal.of("row"):
        raise JournalDamaged(out / JOURNAL)
    if not begun:
        return secrets.randbelow(10**9) + 1 if nonce is None else nonce
    first = begun[0]
    if nonce not in (None, first["nonce"]):
        raise ResumeMismatch(out, "nonce", first["nonce"], nonce)
    if first["shard"] != list(shard):
        raise ResumeMismatch(out, "shard", "{}/{}".format(*first["shard"]), "{}/{}".format(*shard))
    _joined_keys([*begun, {"keys": about}])
    return first["nonce"]


def _not_done(
    planned: dict[tuple[str, str], Planned], rows: dict[tuple[str, str], Row]
) -> dict[tuple[str, str], Planned]:
    """What has no row yet, or one that does not hold any more, or one that the grader failed on."""

    def is_done(entry: Planned, row: Row | None) -> bool:
        if row is None or row.status == "GRADER-ERROR":
            return False
        if row.status == "EXCLUDED" and not entry.excluded:
            return False
        return row.sha256 == entry.sha256 and row.exercise == entry.exercise

    return {name: entry for name, entry in planned.items() if not is_done(entry, rows.get(name))}


def _joined_keys(runs: list[dict]) -> dict:
    """The keys of all runs of a gradebook, by exercise."""
    joined: dict[str, dict] = {}
    for exercise, key in (item for run in runs for item in run["keys"].items()):
        if joined.setdefault(exercise, key)["sha256"] != key["sha256"]:
            raise SolutionChanged(exercise)
    return joined


def run_record(runs: list[dict]) -> dict:
    """Make what stands in run.json: the last run, with the keys and commands of all."""
    return runs[-1] | {
        "keys": _joined_keys(runs),
        "commands": [run["command"] for run in runs],
        "isolation_levels": sorted({run["isolation"]["level"] for run in runs}),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


# keys


def described(key: Key) -> dict:
    """What the journal and the reports want to know of a key."""
    tasks = [
        {
            "number": task.number,
            "title": plain_title(task.title),
            "max": task.points,
            "section": task.section,
            "hint": task.hint,
        }
        for task in key.tasks
    ]
    text = nbformat.writes(key.solution)
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "points": key.points, "tasks": tasks}


def plain_title(title: str) -> str:
    r"""Write the formulas of a title as text: "with $\eta$" is "with η"."""

    def letter(found: re.Match) -> str:
        try:
            return unicodedata.lookup(f"GREEK SMALL LETTER {found[1]}")
        except KeyError:
            return found[0]

    return re.sub(r"\\([a-z]+)", letter, title.replace("$", ""))


def _run_keys(
    journal: Journal,
    needed: dict[str, Key],
    about: dict,
    nonce: int,
    box: Box,
    timeout: int | float,
    jobs: int,
) -> dict[str, NotebookNode]:
    """Run every key that is needed; those that this gradebook has not yet been begun with are checked."""
    checked = {content["sha256"] for content in journal.of("key")}
    new = {exercise: about[exercise]["sha256"] for exercise in needed}
    new = {exercise: digest for exercise, digest in new.items() if digest not in checked}
    with futures.ThreadPoolExecutor(jobs) as pool, tqdm(total=len(needed), unit="key", leave=False) as bar:
        running = {
            exercise: pool.submit(check_key if exercise in new else run_key, key, nonce, box, timeout)
            for exercise, key in needed.items()
        }
        try:
            for future in futures.as_completed(running.values()):
                future.result()
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for exercise, digest in new.items():
        journal.add("key", {"exercise": exercise, "sha256": digest})
    return {exercise: future.result() for exercise, future in running.items()}


# all submissions


def _work(source: Path, pattern: str | None, to_do: dict, grader: Grader) -> Iterator[Callable]:
    """What is to be done, one function per submission; a submission is read from disk when its turn comes."""
    left = dict(to_do)
    for submission in submissions.find(source, pattern):
        if planned := left.pop((submission.student, submission.exercise or ""), None):
            yield partial(grader.grade, submission, planned)
    for planned in left.values():
        gone = Submission(planned.student, None, planned.file, b"", (), "it is not there any more")
        yield partial(grader.grade, gone, planned)


def _grade_all(
    work: Iterator[Callable], count: int, planned: int, jobs: int, journal: Journal, out: Path
) -> bool:
    """Do all of `work`, each row on disk as soon as it is there; gives whether it was stopped."""
    stack_before = threading.stack_size(STACK)
    bar = tqdm(total=planned, initial=planned - count, unit="submission")
    try:
        asking = StopRequest(
            signals=(signal.SIGINT, signal.SIGTERM),
            notice="stopping when the running submissions are done; press again to drop them",
            insist=_drop_running,
        )
        with asking as stop, futures.ThreadPoolExecutor(jobs) as pool, bar:
            threading.stack_size(STACK)
            running: set[futures.Future] = set()
            while True:
                while len(running) < jobs and not stop.asked and (task := next(work, None)):
                    running.add(pool.submit(task))
                if not running:
                    return stop.asked and bar.n < planned
                done, running = futures.wait(running, 0.5, futures.FIRST_COMPLETED)
                for future in done:
                    # one that was dropped in the middle has no row
                    with contextlib.suppress(KeyboardInterrupt):
                        row, log = future.result()
                        _keep(row, log, journal, out)
                        bar.update()
    finally:
        threading.stack_size(stack_before)


def _keep(row: Row, log: str, journal: Journal, out: Path) -> None:
    if log:
        path = out / "logs" / f"{row.page}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(log, encoding="utf-8", errors="replace")
    journal.add("row", dataclasses.asdict(row))


def _drop_running(*_args) -> None:
    """End every grading that is running; its kernel is ended as the exception goes up."""
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
            )


# parts of a class


def merge(parts: list[Path], out: Path, *, reporting: Reporting | None = None) -> Graded:
    """Make one gradebook of those of all shards.

    Raises:
        PartUnfinished: if a part has not been graded to its end.
        SolutionChanged: if two parts were graded with different solutions.
        ValueError: if a part is missing or of another class, or if two have the same student.
    """
    if not parts:
        raise ValueError("parts: the folder of at least one shard was wanted, got none")
    reporting = reporting or Reporting()
    rows: dict[tuple[str, str], Row] = {}
    runs: list[dict] = []
    folders: dict[int, Path] = {}  # by the number of the shard
    for part in parts:
        if out.resolve() == part.resolve():
            raise ValueError(f"out: a folder of its own was wanted, got that of a shard, {out}")
        own_runs, own_rows = _read_part(part)
        index, count = own_runs[0]["shard"]
        runs += own_runs
        shards = runs[0]["shard"][1]
        if count != shards or folders.setdefault(index, part) != part:
            raise ValueError(f"parts: one of each of {shards} shards was wanted, got {index}/{count}")
        if twice := rows.keys() & own_rows.keys():
            raise ValueError(f"parts: {min(twice)[0]} is in two of them")
        rows |= own_rows
    if missing := set(range(1, shards + 1)) - folders.keys():
        raise ValueError(f"parts: shard {', '.join(map(str, sorted(missing)))} of {shards} is missing")
    record = run_record(runs) | {
        "nonce": sorted({run["nonce"] for run in runs}),
        "shard": list(WHOLE),
        "merged": [str(part) for part in parts],
        "isolation": max((run["isolation"] for run in runs), key=lambda kind: kind["level"] == "none"),
    }
    reporting.check(record["keys"])
    written, warnings = reporting.write(out, rows.values(), record)
    return Graded(written, False, warnings)


def _read_part(part: Path) -> tuple[list[dict], dict[tuple[str, str], Row]]:
    """The runs and the rows of a part that is finished."""
    if not (part / JOURNAL).is_file():
        raise ValueError(f"parts: there is no gradebook in {part}")
    with contextlib.closing(Journal(part)) as journal:
        if not journal.is_finished:
            raise PartUnfinished(part)
        return journal.of("run"), journal.rows()


# the student's side


def check(path: Path, *, solutions: Path, box: Box, timeout: int | float = 300.0) -> tuple[Row, dict]:
    """Grade one notebook as the grader would, but under the nonce 0, which everybody knows.

    Returns:
        The row, and what `report.feedback_text` wants to know of the keys.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of no exercise that there is a solution of.
    """
    data = path.read_bytes()
    known = keys.load_all(solutions)
    submission = Submission("you", None, path.name, data, ())
    digits = re.match(r"\d\d(?=_)", path.name)
    key = known.get(digits[0]) if digits else None
    if key is None:
        with contextlib.suppress(Unreadable):
            key = answers.recognise(submission.read(), known.values())
    if key is None:
        raise ValueError(f"{path}: a notebook of one of the exercises {', '.join(known)} was wanted")
    planned = Planned("you", key.exercise, path.name, "", key.exercise, [])
    row, log = Grader(known, {key.exercise: key.solution}, 0, box, timeout).grade(submission, planned)
    if row.status == "GRADER-ERROR":
        raise ValueError(f"{path}: it could not be checked: {'; '.join(row.notes)}\n{log[-2000:]}")
    return row, {key.exercise: described(key)}
