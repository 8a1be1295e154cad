"""Grading a class: every submission gets one row, which is on disk before the next one is begun.

The rows stand in a journal, ``rows.jsonl``, one line each; the gradebook is made from it (`report.write`). So
a kill at any moment loses nothing but what was just running, and ``--resume`` goes on from there.
"""

import contextlib
import ctypes
import dataclasses
import hashlib
import json
import os
import platform
import re
import secrets
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from diffusion_lab.grading import answers, keys, report, run, similarity, submissions
from diffusion_lab.grading.box import Box, BoxError, sweep
from diffusion_lab.grading.keys import Key
from diffusion_lab.grading.report import Manual, Row
from diffusion_lab.grading.submissions import Submission, Unreadable

JOURNAL = "rows.jsonl"
STACK = 256 * 2**20  # bytes for the stack of a worker, of which it touches what it needs
PACKAGES = ("diffusion-lab", "torch", "numpy", "nbval", "pytest", "ipykernel", "nbformat")


class Graded(NamedTuple):
    """What came of grading a class."""

    rows: list[Row]
    stopped: bool  # whether it was stopped before the end
    warnings: list[str]


class Journal:
    """A file of lines, each of which is on disk when `add` returns; a line that was cut off is dropped.

    Raises:
        BlockingIOError: if another grader writes to it.
    """

    def __init__(self, folder: Path):
        """Open it, or begin it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / JOURNAL, "ab+")  # noqa: SIM115
        try:
            _lock(self.file, folder)
            self.file.seek(0)
            data = self.file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                self.file.truncate(whole)
            self.entries = [entry for line in data[:whole].splitlines() if (entry := _entry(line))]
        except BaseException:
            self.file.close()
            raise

    def add(self, kind: str, content: dict) -> None:
        """Append a line."""
        self.entries.append((kind, content))
        self.file.write(json.dumps({kind: content}).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def of(self, kind: str) -> list[dict]:
        """All lines of a kind, the oldest first."""
        return [content for each, content in self.entries if each == kind]

    @property
    def is_finished(self) -> bool:
        """Whether nothing was begun since all was done."""
        return bool(self.entries) and self.entries[-1][0] == "finished"

    def rows(self) -> dict[tuple[str, str], Row]:
        """The rows by student and by the exercise that the file told; the last one of each counts."""
        rows = (Row(**content) for content in self.of("row"))
        return {(row.student, row.asked): row for row in rows}

    def close(self) -> None:
        """Let another grader write to it."""
        self.file.close()


def _lock(file, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two graders at once are not noticed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(f"{folder}: another grader is writing there") from None


def _entry(line: bytes) -> tuple[str, dict] | None:
    try:
        [(kind, content)] = json.loads(line).items()
        return (kind, content) if isinstance(content, dict) else None
    except (ValueError, AttributeError):
        return None  # then its submission is graded again


# the key


def check_key(key: Key, nonce: int, box: Box, timeout: int | float) -> NotebookNode:
    """Hold a key to what it must do, before anybody is graded with it: the solution scores full and the blank 0.

    Returns:
        The solution, run under the nonce.

    Raises:
        ValueError: says what the key does wrong, or that what a check prints does not depend on the nonce.
    """

    def graded(notebook: NotebookNode, name: str) -> int:
        grade = run.grade_notebook(
            key, answers.extract(notebook, key), nonce, expected, box=box, timeout=timeout
        )
        if grade.outcome != "graded":
            raise ValueError(f"key {key.exercise}: the {name} could not be graded: {'; '.join(grade.notes)}")
        return grade.points

    expected = run_key(key, nonce, box, timeout)
    other = run_key(key, nonce + 1, box, timeout)
    checks = {task.check_cell_id: task.number for task in key.tasks if task.check_cell_id}
    for one, two in zip(expected.cells, other.cells, strict=True):
        if one.id in checks and one.outputs == two.outputs:
            raise ValueError(
                f"key {key.exercise}: the check of {checks[one.id]} prints the same under two nonces"
            )
    if (points := graded(key.solution, "solution")) != key.points:
        raise ValueError(f"key {key.exercise}: the solution scores {points:g} of {key.points:g} points")
    if points := graded(key.blank, "blank"):
        raise ValueError(f"key {key.exercise}: the blank scores {points:g} points, and 0 were wanted")
    return expected


def run_key(key: Key, nonce: int, box: Box, timeout: int | float) -> NotebookNode:
    """Run the solution under a nonce; a `ValueError` says what it fails of."""
    try:
        return run.execute(keys.with_nonce(key.solution, nonce), box, timeout=max(timeout, 300.0))
    except (RuntimeError, BoxError) as error:
        raise ValueError(f"key {key.exercise}: the solution does not run: {error}") from error


def described(key: Key) -> dict:
    """What the journal and the reports want to know of a key."""
    tasks = [
        {
            "number": task.number,
            "title": task.title,
            "max": task.points,
            "section": task.section,
            "hint": task.hint,
        }
        for task in key.tasks
    ]
    text = nbformat.writes(key.solution)
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "points": key.points, "tasks": tasks}


# what is to be graded


@dataclasses.dataclass
class _Planned:
    student: str
    asked: str
    file: str
    sha256: str
    exercise: str  # "" if it is none of the course
    notes: list[str]
    missing: str = ""  # why there can be no answers in it


class _Plan:
    """Who is graded, in what: a first look at all submissions."""

    def __init__(
        self,
        source: Path,
        pattern: str | None,
        known: dict[str, Key],
        exercise: str | None,
        only: str | None,
        shard: tuple[int, int] | None,
    ):
        self.known, self.exercise = known, exercise
        self.planned: dict[tuple[str, str], _Planned] = {}
        students = []
        for student, group in groupby(submissions.find(source, pattern), key=lambda each: each.student):
            students.append(student)
            wanted = only in (None, student) and (shard is None or in_shard(student, *shard))
            for planned in self._of_student([self._look(each) for each in group]) if wanted else ():
                self.planned[planned.student, planned.asked] = planned
        if not students:
            raise ValueError(f"source: there are no submissions in {source}")
        if only is not None and only not in students:
            near = [each for each in students if only.casefold() in each.casefold()] or students
            raise ValueError(f"only: one of {', '.join(near[:10])} was wanted, got {only!r}")

    def _look(self, submission: Submission) -> _Planned:
        asked = submission.exercise or ""
        digest = hashlib.sha256(submission.data).hexdigest()
        planned = _Planned(submission.student, asked, submission.name, digest, asked, list(submission.notes))
        if asked not in self.known:
            planned.exercise = ""
            with contextlib.suppress(Unreadable):
                found = answers.recognise(submission.read(), self.known.values())
                planned.exercise = found.exercise if found else ""
        return planned

    def _of_student(self, all_of_them: list[_Planned]) -> list[_Planned]:
        """Of one student what is of the exercise that is graded, or one row that says that there is nothing."""
        if self.exercise is None:
            return all_of_them
        mine = [each for each in all_of_them if each.exercise == self.exercise]
        unknown = [each for each in all_of_them if not each.exercise]
        if not mine and not unknown:
            best = all_of_them[-1]
            best.missing = f"only a notebook of exercise {best.exercise} was handed in"
            mine = [best]
        elif mine:
            for each in unknown:
                mine[-1].notes.append(f"{each.file}: of no exercise of the course; not graded")
        mine = mine or unknown[-1:]
        for each in mine:
            each.exercise = self.exercise
        return mine


def in_shard(student: str, index: int, count: int) -> bool:
    """Whether a student falls to shard `index` of 1 … `count`, whoever else there is."""
    digest = hashlib.sha256(student.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8], "big") % count == index - 1


def shard_of(text: str) -> tuple[int, int]:
    """Read "2/8"; a `ValueError` says if it is no shard."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"shard: i/n with i from 1 to n was wanted, such as 2/8, got {text!r}")
    return int(found[1]), int(found[2])


# one submission


def grade_one(
    submission: Submission,
    planned: _Planned,
    key: Key | None,
    expected: NotebookNode | None,
    nonce: int,
    box: Box,
    timeout: int | float,
    known: Iterable[Key] = (),
) -> tuple[Row, str]:
    """Grade one submission, whatever it is.

    Never raises but for a wish to stop. Gives its row and its log.
    """
    began = time.monotonic()
    row = Row(
        planned.student,
        planned.exercise,
        "",
        key.points if key else 0,
        [],
        notes=list(planned.notes),
        asked=planned.asked,
        file=planned.file,
        sha256=planned.sha256,
    )
    log = ""
    try:
        log = _graded(row, submission, planned, key, expected, nonce, box, timeout, known)
    except Unreadable as error:
        row.status = "UNREADABLE"
        row.notes.insert(0, str(error))
    except Exception as error:
        row.status, row.tasks = "GRADER-ERROR", []
        row.notes.insert(0, f"the grader failed with {type(error).__name__}; see logs/{row.page}.log")
        log = "".join(traceback.format_exception(error))
    row.seconds = round(time.monotonic() - began, 2)
    return row, log


def _graded(
    row: Row,
    submission: Submission,
    planned: _Planned,
    key: Key | None,
    expected,
    nonce,
    box,
    timeout,
    known: Iterable[Key],
) -> str:
    notebook = submission.read()
    row.status = "NO-ANSWERS"
    if key is None:
        row.notes.insert(
            0, "neither its name nor its cells are those of an exercise that there is a solution of"
        )
        return ""
    if planned.missing:
        row.notes.insert(0, planned.missing)
        row.tasks = [_blank(task) for task in key.tasks]
        return ""
    found = answers.extract(notebook, key)
    row.notes += found.notes
    row.how = found.how
    row.texts = {
        task.number: found.sources[task.number][: report.KEPT]
        for task in key.tasks
        if task.check_cell_id is None and task.number in found.sources
    }
    shapes = {
        task.number: similarity.shape(found.sources.get(task.number, "")) for task in key.tasks if task.points
    }
    row.shapes = {number: each for number, each in shapes.items() if each}
    if not found.sources:
        other = answers.recognise(notebook, known)
        if other is not None and other.exercise != key.exercise:
            row.notes.insert(0, f"its cells are those of exercise {other.exercise}")
        else:
            row.notes.insert(0, "its answers are as they were handed out")
        row.tasks = [_blank(task) for task in key.tasks]
        return ""
    grade = run.grade_notebook(key, found, nonce, expected, box=box, timeout=timeout)
    row.status = {"graded": "graded", "timeout": "TIMEOUT"}.get(grade.outcome, "GRADER-ERROR")
    row.tasks = [task._asdict() for task in grade.tasks] if grade.outcome == "graded" else []
    row.notes += grade.notes
    return "\n".join(grade.logs)


def _blank(task: keys.Task) -> dict:
    status = "blank" if task.check_cell_id else "unread"
    return {
        "number": task.number,
        "points": 0,
        "max": task.points,
        "status": status,
        "mistake": "",
        "note": "",
    }


# a class


def grade(
    source: Path,
    out: Path,
    *,
    solutions: Path,
    box: Box,
    exercise: str | None = None,
    jobs: int = 1,
    only: str | None = None,
    nonce: int | None = None,
    resume: bool = False,
    pattern: str | None = None,
    shard: tuple[int, int] | None = None,
    manual: Path | None = None,
    formats: Iterable[str] = (),
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
        nonce: decides what the checks draw; drawn if it is not given. The same nonce gives the same grades.
        resume: go on with the gradebook that is in `out`: who has a row there is passed over, unless the file
            has changed since, or the grader failed.
        pattern: for the students' names, see `submissions.find`.
        shard: (i, n), to grade the i-th of n parts of the class.
        manual: a table of points given by hand, see `report.Manual`.
        formats: of `report.FORMATS`.
        timeout: seconds for one submission.
        command: what was typed, for the record.

    Raises:
        ValueError: if an argument or a key is not as it must be.
        FileExistsError: if there is a gradebook in `out` and `resume` was not given.
    """
    by_hand = Manual(manual)
    _apart(source, out)
    sweep()
    known = keys.load_all(solutions)
    if exercise is not None:
        exercise = keys.load(exercise, solutions).exercise
    plan = _Plan(source, pattern, known, exercise, only, shard)
    needed = sorted({each.exercise for each in plan.planned.values() if each.exercise})
    with contextlib.closing(Journal(out)) as journal:
        before = journal.of("run")
        if before and not resume:
            raise FileExistsError(
                f"{out} holds a gradebook already: add --resume to go on, or choose another --out"
            )
        if not before and journal.of("row"):
            raise ValueError(f"{out / JOURNAL}: how it was begun cannot be read; choose another --out")
        whole = journal.is_finished or not only
        about = {each: described(known[each]) for each in needed}
        nonce = _nonce(nonce, before, about, out, shard)
        record = {
            "nonce": nonce,
            "keys": about,
            "isolation": {"level": box.level, "reason": box.reason},
            "shard": list(shard or (1, 1)),
            "command": command,
            "versions": _versions(),
            "jobs": jobs,
            "timeout": timeout,
            "source": str(source),
        }
        expected = _keys_run(
            journal, {each: known[each] for each in needed}, about, nonce, box, timeout, jobs
        )
        journal.add("run", record)
        done = {} if only else journal.rows()
        todo = {
            at: each
            for at, each in plan.planned.items()
            if at not in done
            or done[at].sha256 != each.sha256
            or done[at].status == "GRADER-ERROR"
            or done[at].exercise != each.exercise
        }
        work = _work(source, pattern, todo, known, expected, nonce, box, timeout)
        stopped = _all(work, len(todo), len(plan.planned), jobs, journal, out)
        if not stopped and whole:
            journal.add("finished", {"rows": len(journal.rows())})
        rows = list(journal.rows().values())
        strangers = report.write(out, rows, _record(journal), by_hand, formats)
    return Graded(rows, stopped, strangers)


def _apart(source: Path, out: Path) -> None:
    if source.is_dir() and (out.resolve() == source.resolve() or source.resolve() in out.resolve().parents):
        raise ValueError(f"out: a folder outside the submissions was wanted, got {out}")


def _nonce(
    nonce: int | None, before: list[dict], about: dict, out: Path, shard: tuple[int, int] | None
) -> int:
    """The nonce of a gradebook, which must not change while it grows; neither may its keys or its shard."""
    if not before:
        return secrets.randbelow(10**9) + 1 if nonce is None else nonce
    if nonce not in (None, before[0]["nonce"]):
        raise ValueError(f"nonce: {out} was begun under {before[0]['nonce']}, got {nonce}")
    if before[0]["shard"] != list(shard or (1, 1)):
        raise ValueError(
            f"shard: {out} was begun as {'/'.join(map(str, before[0]['shard']))}; go on with the same"
        )
    _merged_keys([*before, {"keys": about}])
    return before[0]["nonce"]


def _merged_keys(runs: list[dict]) -> dict:
    merged: dict[str, dict] = {}
    for each in runs:
        for exercise, key in each["keys"].items():
            if merged.setdefault(exercise, key)["sha256"] != key["sha256"]:
                raise ValueError(
                    f"the solution of exercise {exercise} is another than before: choose another --out"
                )
    return merged


def _record(journal: Journal) -> dict:
    """What stands in run.json: the last run, with the keys and commands of all."""
    runs = journal.of("run")
    commands = [each["command"] for each in runs]
    levels = sorted({each["isolation"]["level"] for each in runs})
    return runs[-1] | {"keys": _merged_keys(runs), "commands": commands, "isolation_levels": levels}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _keys_run(
    journal: Journal,
    needed: dict[str, Key],
    about: dict,
    nonce: int,
    box: Box,
    timeout: int | float,
    jobs: int,
) -> dict[str, NotebookNode]:
    """Run every key that is needed; those that this gradebook has not yet been begun with are checked."""
    good = {each["sha256"] for each in journal.of("key")}

    def one(exercise: str) -> NotebookNode:
        how = run_key if about[exercise]["sha256"] in good else check_key
        return how(needed[exercise], nonce, box, timeout)

    with futures.ThreadPoolExecutor(jobs) as pool, tqdm(total=len(needed), unit="key", leave=False) as bar:
        running = {pool.submit(one, exercise): exercise for exercise in needed}
        try:
            for each in futures.as_completed(running):
                each.result()
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for exercise in needed:
        if about[exercise]["sha256"] not in good:
            journal.add("key", {"exercise": exercise, "sha256": about[exercise]["sha256"]})
    return {exercise: each.result() for each, exercise in running.items()}


def _work(source, pattern, todo: dict, known, expected, nonce, box, timeout) -> Iterator[Callable]:
    """What is to be done, one function per submission; a submission is read from disk when its turn comes."""
    left = dict(todo)
    for submission in submissions.find(source, pattern):
        if planned := left.pop((submission.student, submission.exercise or ""), None):
            key, ran = known.get(planned.exercise), expected.get(planned.exercise)
            args = (submission, planned, key, ran, nonce, box, timeout, known.values())
            yield lambda args=args: grade_one(*args)
    for planned in left.values():
        gone = Submission(planned.student, None, planned.file, b"", (), "it is not there any more")
        yield lambda args=(gone, planned, None, None, nonce, box, timeout): grade_one(*args)


def _all(work: Iterator[Callable], count: int, planned: int, jobs: int, journal: Journal, out: Path) -> bool:
    """Do it all, each row on disk as soon as it is there; gives whether it was stopped."""
    before = threading.stack_size(STACK)
    bar = tqdm(total=planned, initial=planned - count, unit="submission")
    try:
        with _Stop() as stop, futures.ThreadPoolExecutor(jobs) as pool, bar:
            threading.stack_size(STACK)
            running: set[futures.Future] = set()
            while True:
                while len(running) < jobs and not stop.asked and (task := next(work, None)):
                    running.add(pool.submit(task))
                if not running:
                    return stop.asked and bar.n < planned
                done, running = futures.wait(running, 0.5, futures.FIRST_COMPLETED)
                for each in done:
                    with contextlib.suppress(
                        KeyboardInterrupt
                    ):  # it was dropped in the middle, and has no row
                        row, log = each.result()
                        _keep(row, log, journal, out)
                        bar.update()
    finally:
        threading.stack_size(before)


def _keep(row: Row, log: str, journal: Journal, out: Path) -> None:
    if log:
        path = out / "logs" / f"{row.page}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(log, encoding="utf-8", errors="replace")
    journal.add("row", dataclasses.asdict(row))


class _Stop:
    """Turns the first Ctrl-C into a wish to begin no more; the second one drops what is running."""

    def __enter__(self) -> "_Stop":
        self.asked, self.before = False, {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, *_args) -> None:
        if self.asked:
            for thread in threading.enumerate():
                if thread.name.startswith(
                    "ThreadPoolExecutor"
                ):  # its kernel is ended as the exception goes up
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
                    )
        else:
            os.write(2, b"\nstopping when those that are running are done; again to drop them\n")
        self.asked = True

    def __exit__(self, *_args) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


# parts of a class


def merge(parts: list[Path], out: Path, *, manual: Path | None = None, formats: Iterable[str] = ()) -> Graded:
    """Make one gradebook of those of all shards.

    Raises:
        ValueError: if a part is missing, unfinished or of another class or key, or if two have the same
            student.
    """
    by_hand = Manual(manual)
    shards: dict[int, Path] = {}
    rows: dict[tuple[str, str], Row] = {}
    runs: list[dict] = []
    for part in parts:
        if out.resolve() == part.resolve():
            raise ValueError(f"out: a folder of its own was wanted, got that of a shard, {out}")
        if not (part / JOURNAL).is_file():
            raise ValueError(f"parts: there is no gradebook in {part}")
        with contextlib.closing(Journal(part)) as journal:
            if not journal.is_finished:
                raise ValueError(f"parts: {part} is not finished; go on with grade --resume")
            runs += (mine := journal.of("run"))
            index, count = mine[0]["shard"]
            if count != runs[0]["shard"][1] or shards.setdefault(index, part) != part:
                raise ValueError(
                    f"parts: one of each of {runs[0]['shard'][1]} shards was wanted, got {index}/{count}"
                )
            for at, row in journal.rows().items():
                if at in rows:
                    raise ValueError(f"parts: {row.student} is in two of them")
                rows[at] = row
    if missing := set(range(1, runs[0]["shard"][1] + 1)) - shards.keys():
        raise ValueError(
            f"parts: shard {', '.join(map(str, sorted(missing)))} of {runs[0]['shard'][1]} is missing"
        )
    record = runs[-1] | {
        "nonce": sorted({each["nonce"] for each in runs}),
        "keys": _merged_keys(runs),
        "shard": [1, 1],
        "commands": [each["command"] for each in runs],
        "merged": [str(part) for part in parts],
        "isolation": max((each["isolation"] for each in runs), key=lambda each: each["level"] == "none"),
        "isolation_levels": sorted({each["isolation"]["level"] for each in runs}),
    }
    strangers = report.write(out, list(rows.values()), record, by_hand, formats)
    return Graded(list(rows.values()), False, strangers)


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
    planned = _Planned("you", key.exercise, path.name, "", key.exercise, [])
    row, log = grade_one(submission, planned, key, key.solution, 0, box, timeout, known.values())
    if row.status == "GRADER-ERROR":
        raise ValueError(f"{path}: it could not be checked: {'; '.join(row.notes)}\n{log[-2000:]}")
    return row, {key.exercise: described(key)}
