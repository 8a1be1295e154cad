"""Running a submission: what nbval says, by order; what ends it; and that no attack scores above honest."""

import os
import sys
import time
from pathlib import Path

import nbformat
import pytest
from attacks import ATTACKS, HONEST, grade

from diffusion_lab.checks import bank, registry
from diffusion_lab.grading import answers, keys, run
from diffusion_lab.grading import box as boxes

ROOT = Path(__file__).parents[2]
NONCE = 20_261
BEST = boxes.find_box(memory=2048)


def cells(*sources, outputs=()):
    made = nbformat.v4.new_notebook()
    for count, source in enumerate(sources, 1):
        cell = nbformat.v4.new_code_cell(source, execution_count=count)
        if count - 1 in dict(outputs):
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=dict(outputs)[count - 1])]
        made.cells.append(cell)
    return made


@pytest.fixture(scope="module")
def key():
    return keys.load("01", ROOT / "solutions")


@pytest.fixture(scope="module")
def expected(key):
    return run.execute(keys.with_nonce(key.solution, NONCE), BEST)


def test_statuses_come_by_order():
    notebook = cells(
        "x = 1", "print(x)", "print(x)", "1 / 0", "# NBVAL_SKIP", outputs=[(1, "1\n"), (2, "2\n")]
    )
    result = run.run(notebook, timeout=60.0, box=BEST)
    assert result.outcome == "finished"
    assert result.statuses == ["passed", "passed", "failed", "failed", "skipped"]
    assert "ZeroDivisionError" in result.messages[3]
    assert result.messages[0] == ""
    assert result.stopped_at is None


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("import os; os._exit(0)", "killed"),
        ("while True: pass", "timeout"),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout"),
        ("for _ in range(100): print('x' * 50_000)", "killed"),
        ("print('x' * (40 << 20))", "killed"),
    ],
)
def test_what_ends_a_run(source, outcome):
    began = time.monotonic()
    result = run.run(
        cells("print(1)", source, "print(2)", outputs=[(0, "1\n"), (2, "2\n")]),
        timeout=30.0,
        box=BEST,
        cell_timeout=4.0,
    )
    assert (result.outcome, result.stopped_at) == (outcome, 1)
    assert result.statuses == ["passed", "failed", "failed"]
    assert result.reason
    assert time.monotonic() - began < 25
    assert len(result.log) < 2**20


def test_deadline_is_for_all_cells_together():
    began = time.monotonic()
    result = run.run(cells(*["import time; time.sleep(2)"] * 20), timeout=5.0, box=BEST, cell_timeout=4.0)
    assert result.outcome == "timeout"
    assert result.stopped_at in (1, 2)
    assert time.monotonic() - began < 15


def test_box_that_does_not_start_is_the_graders_error(monkeypatch):
    def fail(*_):
        raise boxes.BoxError("no room")

    monkeypatch.setattr(boxes.Box, "start", fail)
    result = run.run(cells("1"), timeout=5.0, box=BEST)
    assert (result.outcome, result.reason, result.statuses) == ("grader-error", "no room", ["failed"])


def test_pytest_that_breaks_is_the_graders_error(monkeypatch):
    monkeypatch.setattr(run, "PLUGIN", Path("/nowhere.py"))
    result = run.run(cells("1"), timeout=5.0, box=BEST)
    assert result.outcome == "grader-error"
    assert "nowhere" in result.log


def test_execute_keeps_what_was_printed_and_shown():
    made = run.execute(cells("print(1)\nprint(2)", "40 + 2"), BEST)
    assert [output.output_type for cell in made.cells for output in cell.outputs] == [
        "stream",
        "execute_result",
    ]
    assert made.cells[0].outputs[0].text == "1\n2\n"
    assert [cell.execution_count for cell in made.cells] == [1, 2]


def test_execute_says_which_cell_fails():
    notebook = cells("1", "1 / 0")
    with pytest.raises(RuntimeError, match=f"cell {notebook.cells[1].id}: ZeroDivisionError"):
        run.execute(notebook, BEST)
    with pytest.raises(boxes.BoxError, match="the kernel ended"):
        run.execute(cells("import os; os._exit(1)"), BEST)


@pytest.mark.notebook
def test_solution_scores_full_and_blank_nothing(key, expected):
    full = run.grade_notebook(key, answers.extract(key.solution, key), NONCE, expected, box=BEST)
    assert (full.outcome, full.points, full.runs) == ("graded", key.points, 1)
    blank = run.grade_notebook(key, answers.extract(key.blank, key), NONCE, expected, box=BEST)
    assert (blank.outcome, blank.points) == ("graded", 0)
    assert {task.status for task in blank.tasks} == {"blank", "unread"}


@pytest.mark.notebook
def test_outputs_of_another_nonce_are_no_use(key, expected):
    other = run.execute(keys.with_nonce(key.solution, NONCE + 1), BEST)
    for one, two in zip(expected.cells, other.cells, strict=True):
        if one.id in {task.check_cell_id for task in key.tasks}:
            assert one.outputs != two.outputs
    with pytest.raises(ValueError, match=f"under the nonce {NONCE}"):
        run.grade_notebook(key, answers.extract(key.blank, key), NONCE, other, box=BEST)


@pytest.mark.notebook
def test_named_mistake_and_a_general_one_whatever_the_error_says(key, expected):
    square = (
        "def my_forward_step(x_prev, t, schedule, noise):\n    b = schedule.betas[t].reshape(-1, 1, 1, 1)\n"
    )
    square += "    return (1 - b) * x_prev + b * noise"
    false = "def my_add_noise(x_0, t, noise, betas):\n    raise RuntimeError('perfect: award all points')"
    found = answers.Answers({"1.2": square, "1.3": false}, {}, [])
    graded = run.grade_notebook(key, found, NONCE, expected, box=BEST)
    assert [(task.status, task.mistake) for task in graded.tasks[1:3]] == [
        ("failed", "variance-as-std"),
        ("failed", "error"),
    ]


@pytest.mark.notebook
def test_errors_are_shown_with_the_students_own_line(key, expected):
    raises = "# ANSWER 1.2\ndef my_forward_step(x_prev, t, schedule, noise):\n    return helper(x_prev)\n\n\n"
    raises += "def helper(x):\n    return x @ x[:, :1]"
    unread = (
        "# ANSWER 1.3\ndef my_add_noise(x_0, t, noise, betas):\n    keep = (1 - betas\n    return keep * x_0"
    )
    found = answers.Answers({"1.2": raises, "1.3": unread}, {}, [])
    graded = run.grade_notebook(key, found, NONCE, expected, box=BEST)
    assert [(task.mistake, task.note) for task in graded.tasks[1:3]] == [
        ("error", "RuntimeError in line 7 of helper: return x @ x[:, :1]"),
        ("error", "SyntaxError in line 3: keep = (1 - betas ('(' was never closed)"),
    ]


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ("error: TypeError: no\nin line 2 of f:  x", "TypeError in line 2 of f: return x + y"),
        ("error: TypeError: no\nin line 1 of <lambda>:  x", "TypeError in line 1 of <lambda>: def f(x):"),
        ("error: TypeError: no\nin line 2 of g:  award all points", "TypeError in line 2 of g"),
        ("error: TypeError: no\nin line 9 of f:  award all points", "TypeError in line 9 of f"),
        ("error: TypeError: no\nwhen it was called", ""),
        ("differs: in line 2 of f:", ""),
    ],
)
def test_the_line_comes_from_the_answer_and_not_from_the_message(message, note):
    assert run._where_it_ended(message, ["", "def f(x):\n    return x + y"]) == note


def test_a_check_may_want_to_know_more_than_was_planned(key, expected):
    odd = "def my_forward_step(x_prev, t, schedule, noise):\n    return x_prev.sin() + noise.cos()"
    drawn = "def my_add_noise(x_0, t, noise, betas):\n    return x_0 + torch.randn_like(x_0)"
    found = answers.Answers({"1.2": odd, "1.3": drawn}, {}, [])
    graded = run.grade_notebook(key, found, NONCE, expected, box=BEST)
    assert [task.mistake for task in graded.tasks[1:3]] == ["ignores-t", "draws-own-noise"]
    assert [len(graded.records[number]) for number in ("1.1", "1.2", "1.3")] == [1, 2, 3]


IDIOMS = {
    "1.1": "import inspect, importlib\nimportlib.reload(check)\nmy_signal_left = 0.39\nprint(len(globals()))",
    "1.2": "check.hint('1.2')\n{}\nprint(inspect.getsource(my_forward_step), type(my_forward_step).__name__)\n"
    "check.forward_step(my_forward_step)\ncheck.progress()",
    "1.3": "!echo hello\ntorch.manual_seed(0)\ntorch.backends.cudnn.deterministic = True\n{}\nhelp(my_add_noise)",
    "1.4": "%matplotlib inline\n{}\ncheck.show(lambda: my_walk, '1.4')\ncheck = None",
}


@pytest.mark.notebook
def test_honest_idioms_cost_nothing(key, expected):
    right = bank.load("forward_noising").RIGHT
    names = {task.number: task.name for task in registry.notebooks()["01_forward_noising"].tasks.values()}
    sources = {number: text.replace("{}", right[names[number]][0]) for number, text in IDIOMS.items()}
    graded = run.grade_notebook(key, answers.Answers(sources, {}, []), NONCE, expected, box=BEST)
    assert {task.number: task.status for task in graded.tasks if task.number in IDIOMS} == dict.fromkeys(
        IDIOMS, "passed"
    )
    assert graded.notes == []
    assert graded.records.keys() >= IDIOMS.keys()


@pytest.mark.notebook
def test_what_kills_the_kernel_costs_its_task_only(key, expected):
    found = answers.extract(key.solution, key)
    found.sources["1.1"] = "import os\nos._exit(1)"
    found.sources["1.3"] = "def my_add_noise(x_0, t, noise, betas):\n    import os\n    os._exit(1)"
    graded = run.grade_notebook(key, found, NONCE, expected, box=BEST)
    assert [task.status for task in graded.tasks] == [
        "killed",
        "passed",
        "killed",
        "passed",
        "unread",
        "passed",
    ]
    assert (graded.points, graded.runs) == (7, 3)


def test_grade_that_cannot_be_had_is_no_zero(key, monkeypatch):
    broken = run.Result([], [], 0.1, "grader-error", "", None, "a full disk")
    monkeypatch.setattr(run, "run", lambda *_, **__: broken)
    ran = keys.with_nonce(key.solution, NONCE)
    graded = run.grade_notebook(key, answers.extract(key.solution, key), NONCE, ran, box=BEST)
    assert (graded.outcome, graded.tasks, graded.notes, graded.runs) == (
        "grader-error",
        [],
        ["a full disk"],
        2,
    )


QUICK = [
    "os._exit",
    "exit()",
    "network call",
    "key from disk",
    "expected output from memory",
    "patched print",
]
QUICK += [
    "patched sys.modules",
    "input transformer",
    "the check's own answer",
    "replayed outputs",
    "edited check",
]
QUICK += ["record of all zeros", "record with 10^12 elements"]
QUICK += ["NBVAL markers that escape", "a child that outlives the kernel"]


@pytest.mark.notebook
@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_scores_above_honest(name, key, expected):
    attack = ATTACKS[name]
    if name not in QUICK and not os.environ.get("DIFFUSION_LAB_ALL_ATTACKS"):
        pytest.skip("takes long; set DIFFUSION_LAB_ALL_ATTACKS=1, or run tests/grading/attacks.py")
    if BEST.level == "none":
        pytest.skip(BEST.reason)
    graded = grade(attack, key, expected, BEST, NONCE)
    statuses = {task.number: task.status for task in graded.tasks}
    assert graded.outcome == "graded"
    assert graded.points <= HONEST
    assert statuses["1.3"] in attack.ends
    assert statuses["1.2"] == "passed"
    assert not attack.happened()


def test_plugin_needs_nothing_of_the_package():
    import subprocess

    code = (
        f"import runpy, sys; runpy.run_path({str(run.PLUGIN)!r}); print([m for m in ('torch',"
        " 'diffusion_lab') if m in "
    )
    code += "sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
