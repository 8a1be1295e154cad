"""The judge and the stage: what fails there costs no student, and nothing right can be read where answers run."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import diffusion_lab
from diffusion_lab.bench import record
from diffusion_lab.checks import bank
from diffusion_lab.checks.judging import Round
from diffusion_lab.grading import box as boxes
from diffusion_lab.grading import judge as judges
from diffusion_lab.grading import run
from diffusion_lab.grading.judge import Judge, JudgeError
from diffusion_lab.grading.stage import stage
from diffusion_lab.grading.suspicions import suspicions
from diffusion_lab.grading.walls import landlock_version

ROOT = Path(diffusion_lab.__file__).parents[1]
BEST = boxes.find_box(memory=2048)
NONCE = 4_711
in_a_box = pytest.mark.skipif(BEST.level == "none", reason=BEST.reason)


@pytest.fixture(scope="module")
def judge():
    judge = Judge()
    yield judge
    judge.close()


@pytest.fixture(scope="module")
def rounds(judge):
    """The record of a right answer to 1.2."""
    plan = judge.plans("01", NONCE)[1]["1.2"]
    source = bank.load("forward_noising").RIGHT["forward_step"][0]
    answer = bank.run_cell(source)["my_forward_step"]
    return [Round(plan.keys, record.kept(answer, plan.calls, None, plan.without))]


def test_a_judge_says_the_line_and_asks_for_what_is_missing(judge, rounds):
    assert judge.ask("01", NONCE, "1.2", rounds)["line"].startswith("1.2 solved, 2 points: ")
    reply = judge.ask("01", NONCE, "1.2", [])
    assert len(reply["keys"]) > 3
    assert reply["calls"]
    assert judge.ask("01", NONCE + 1, "1.2", rounds)["keys"]  # under another nonce these are other calls


def test_an_exercise_that_there_is_not_is_named(judge):
    with pytest.raises(ValueError, match="'99'"):
        judge.plans("99", 1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_judge_that_dies_or_hangs_fails_once_and_is_replaced(rounds, how):
    judge = Judge(patience=30.0)
    judge.ask("01", NONCE, "1.2", rounds)
    judge.patience = 1.0 if how == signal.SIGSTOP else 30.0
    os.kill(judge.process.pid, how)
    time.sleep(0.2)
    if how == signal.SIGSTOP:
        with pytest.raises(JudgeError, match="said nothing"):
            judge.ask("01", NONCE, "1.2", rounds)
    judge.patience = 60.0
    assert "line" in judge.ask("01", NONCE, "1.2", rounds)
    judge.close()


def test_a_judge_has_limits_of_memory(judge, rounds):
    judge.ask("01", NONCE, "1.2", rounds)
    limits = Path(f"/proc/{judge.process.pid}/limits")
    if not limits.exists():
        pytest.skip("there is no /proc here")
    line = next(line for line in limits.read_text().splitlines() if line.startswith("Max data size"))
    assert 0 < int(line.split()[3]) < 2 * judges.MEMORY * 2**20


def test_a_question_that_makes_the_judge_fail_is_the_graders_error(judge, rounds):
    with pytest.raises(JudgeError, match="KeyError"):
        judge.ask("01", NONCE, "no such task", rounds)
    assert "line" in judge.ask("01", NONCE, "1.2", rounds)


def test_a_run_without_a_judge_is_the_graders_error_and_no_zero(monkeypatch):
    class Fails:
        def ask(self, *_):
            raise JudgeError("the judge failed: it ended")

    monkeypatch.setattr(run, "the_judge", Fails)
    hearing = run.Hearing("01", NONCE)
    notebook = nbformat.v4.new_notebook()
    for source in (
        "from diffusion_lab.checks import forward_noising as check",
        "def my_forward_step(*_): pass",
        "check.forward_step(my_forward_step)",
    ):
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    notebook.cells[2].metadata["diffusion_lab"] = {"task": "1.2", "role": "check"}
    result = run.run(notebook, timeout=60.0, box=BEST, hearing=hearing)
    assert (result.outcome, result.reason) == ("grader-error", "the judge failed: it ended")


# what can be read in the box

LOOK = """
import hashlib, itertools, json, os, sys
sizes = set(SIZES)
found = []
walks = map(os.walk, ["/", *TOPS])  # where there is no box, "/" itself may not be listed
for folder, inner, files in itertools.chain.from_iterable(walks):
    if folder == "/":
        inner[:] = [name for name in inner if name not in ("proc", "sys", "dev")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if not os.path.islink(path) and os.path.getsize(path) in sizes:
                found.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
        except OSError:
            pass
import diffusion_lab, torch
from diffusion_lab.checks import forward_noising as check
modules = [name for name in sys.modules if name.startswith(("diffusion_lab.checks.", "diffusion_lab.grading"))]
print(json.dumps([sorted(set(found)), modules, len(found), diffusion_lab.__file__]))
"""
DRIVE = """
import json, sys
from pathlib import Path
import nbformat
from diffusion_lab.grading import box as boxes, run
import diffusion_lab
copies = {copies}
if copies:
    usual = boxes.site.getsitepackages()
    boxes.site.getsitepackages = lambda: [*copies, *usual]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(Path({look!r}).read_text())])
made = run.execute(notebook, boxes.find_box({level!r}, memory=2048, warm={warm}), hearing=run.Hearing("01", 5))
print(made.cells[0].outputs[0].text)
"""


def secrets() -> dict[str, tuple[int, Path]]:
    """All files that nobody who answers may read, by their content."""
    folders = (ROOT / "diffusion_lab/checks", ROOT / "diffusion_lab/grading", ROOT / "solutions")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    contents = {path: path.read_bytes() for path in paths}
    return {
        hashlib.sha256(content).hexdigest(): (len(content), path)
        for path, content in contents.items()
        if content.strip() and path.suffix in (".py", ".pyc", ".ipynb", ".j2")
    }


@pytest.mark.notebook
@pytest.mark.skipif(
    not landlock_version(), reason="Linux's Landlock is not here, which hides files without a box"
)
def test_nothing_that_is_right_can_be_read_without_a_box(tmp_path):
    found, modules, number, _ = look_around(tmp_path, "none", ROOT, [], warm=False)
    hidden = secrets()
    assert number > 10, "it looked at nothing"
    assert [hidden[digest][1].name for digest in found if digest in hidden] == []
    assert modules == ["diffusion_lab.checks.forward_noising"]


def look_around(tmp_path: Path, level: str, package: Path, copies: list[str], *, warm: bool) -> list:
    """What `LOOK` finds in a kernel of this level: hashes of files, modules, how many files, and the package's file."""
    look = tmp_path / "look.py"
    sizes = sorted({size for size, _ in secrets().values()})
    tops = [] if level == "namespaces" else [str(ROOT), sys.prefix]
    look.write_text(LOOK.replace("SIZES", repr(sizes)).replace("TOPS", repr(tops)))
    done = subprocess.run(
        [sys.executable, "-c", DRIVE.format(copies=copies, look=str(look), warm=warm, level=level)],
        env=os.environ | {"PYTHONPATH": str(package)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@in_a_box
@pytest.mark.notebook
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("kind", ["clone", "wheel", "clone and an older wheel"])
def test_nothing_that_is_right_can_be_read_where_answers_run(tmp_path, kind, warm):
    if warm and kind != "clone":
        pytest.skip("a template makes no difference to what is covered")
    hidden = secrets()
    assert len(hidden) > 60
    package, copies = ROOT, []
    if kind != "clone":  # as pip leaves it: the package among others in a folder of installed ones
        installed = tmp_path / "site-packages"
        shutil.copytree(ROOT / "diffusion_lab", installed / "diffusion_lab", symlinks=True)
        copies = [str(installed)]
        package = installed if kind == "wheel" else ROOT
    found, modules, number, file = look_around(tmp_path, "namespaces", package, copies, warm=warm)
    assert Path(file).is_relative_to(package)
    assert number > 100, "it looked at nothing"
    assert [hidden[digest][1].name for digest in found if digest in hidden] == []
    assert modules == ["diffusion_lab.checks.forward_noising"]


def test_a_stage_holds_a_plan_and_nothing_else():
    folder = stage("01", NONCE).folder
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == [
        "checks/__init__.py",
        "checks/forward_noising.plan",
        "checks/forward_noising.py",
        "grading/__init__.py",
    ]
    assert stage("01", NONCE).folder == folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no copies of processes here")
def test_a_judge_may_be_a_copy_of_its_process():
    code = """
import os, signal
from diffusion_lab.grading import judge
judge.share_memory()
one = judge.the_judge()
first = len(one.ask("01", 5, "1.2", [])["keys"])
pid = one.process.pid
os.kill(pid, signal.SIGKILL)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(first == len(one.ask("01", 5, "1.2", [])["keys"]) > 3, one.process.pid not in (pid, os.getpid()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "True True\n", done.stderr


def test_without_a_box_a_stage_is_imported_all_the_same():
    source = (
        "from diffusion_lab.checks import forward_noising as check\nimport sys\n"
        "print(type(check.forward_step).__module__, 'diffusion_lab.checks.engine' in sys.modules)\n"
        "check.begin(3), check.hint('1.2'), check.progress()"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    made = run.execute(notebook, boxes.find_box("none", memory=2048), hearing=run.Hearing("01", NONCE))
    assert made.cells[0].outputs[0].text == "diffusion_lab.bench.desk False\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import diffusion_lab.bench.calls as c", "diffusion_lab.bench"),
        ("import sys\nsys.modules['x'] = f.__globals__", "sys.modules, __globals__"),
        ("import inspect, importlib\nprint(type(f).__name__, globals())", ""),
    ],
)
def test_what_code_speaks_of_is_a_note_and_no_more(source, words):
    assert suspicions(source) == (f"its code speaks of {words}; read it if you like" if words else "")
