"""Records: what a check says of one is what it says live; and one that is no record costs no more than its task."""

import base64
import copy
import json
import pickle
import time

import pytest
import safetensors.torch
import torch

from diffusion_lab.bench import calls, harnesses, pack, record
from diffusion_lab.bench.notes import Notes
from diffusion_lab.bench.pack import Call
from diffusion_lab.bench.record import Unreadable
from diffusion_lab.bench.values import Given
from diffusion_lab.checks import bank, judging, registry
from diffusion_lab.checks.judging import Round
from diffusion_lab.checks.replay import MOST, Missing, Recorded, planned
from tools import record_fidelity

MODULES = registry.modules()
TASKS = [
    pytest.param(name, task, id=task.number)
    for name, module in MODULES.items()
    for task in module.exercise.tasks.values()
]
EVERY = 9  # of a task's rows, so many are passed over; tools/record_fidelity.py asks them all


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_check_says_of_a_record_what_it_says_live(name, task):
    nonce = int(task.number.replace(".", "")) + 7
    counts, differences = record_fidelity.compare(name, task, nonce, EVERY)
    assert differences == []
    assert counts["rows"] >= 2


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_plan_holds_nothing_that_is_right(name, task):
    MODULES[name].begin(3)
    plan = judging.plan(task)
    content = pickle.dumps((plan.calls, plan.prepare))
    assert b"diffusion_lab.checks" not in content
    assert b"diffusion_lab.grading" not in content
    assert plan.calls is None or len(content) < 2**20
    assert not plan.prepare or harnesses.named(plan.prepare) is task.prepare


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_right_answer_is_judged_in_a_round(name, task):
    MODULES[name].begin(5)
    answer = bank.run_cell(bank.load(name).RIGHT[task.name][0])[f"my_{task.name}"]
    _, rounds, size = record_fidelity.said_of_record(task, answer, judging.plan(task))
    assert rounds == 1
    assert size < record.MOST_BYTES / 4


@pytest.fixture
def step():
    """The task 1.2, its plan, and the record of a right answer."""
    task = MODULES["forward_noising"].exercise.tasks["1.2"]
    MODULES["forward_noising"].begin(11)
    plan = judging.plan(task)
    source = bank.load("forward_noising").RIGHT["forward_step"][0]
    answer = bank.run_cell(source)["my_forward_step"]
    return task, plan, record.kept(answer, plan.calls, None, ())


def judged(step, text):
    task, plan, _ = step
    return judging.judge(task, [Round(plan.keys, text)])


def changed(step, change) -> str:
    content = json.loads(step[2])
    change(content)
    return json.dumps(content)


def saved(**tensors) -> str:
    return base64.b64encode(safetensors.torch.save(tensors)).decode()


def huge(shape) -> str:
    """A head that promises more numbers than there are."""
    size = 4 * torch.Size(shape).numel()
    head = json.dumps({"0": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    return base64.b64encode(len(head).to_bytes(8, "little") + head).decode()


def test_the_record_of_a_right_answer_is_solved(step):
    assert judged(step, step[2]).line.startswith("1.2 solved, 2 points: ")


HOSTILE = {
    "nothing": lambda content: content.clear(),
    "no calls": lambda content: content.update(calls=[]),
    "too few calls": lambda content: content["calls"].pop(),
    "calls that are none": lambda content: content.update(calls=[1] * len(content["calls"])),
    "10^12 elements": lambda content: content.update(tensors=huge([10**6, 10**6])),
    "more axes than there can be": lambda content: content.update(tensors=huge([1] * 500)),
    "tensors that are no text": lambda content: content.update(tensors=[1, 2]),
    "tensors that are no tensors": lambda content: content.update(tensors="AAAA"),
    "a tensor of another type": lambda content: content.update(tensors=saved(a=torch.zeros(2))),
    "a place that is not there": lambda content: content["calls"][0].update(
        tensors=[{"tensor": 10**9, "wants_gradients": False}]
    ),
    "a place from behind": lambda content: content["calls"][0].update(tensors=[{"tensor": "0"}]),
    "numbers for tensors": lambda content: content["calls"][0].update(tensors=[1.0]),
    "a million results": lambda content: content["calls"][0].update(
        tensors=content["calls"][0]["tensors"] * 10**6
    ),
    "an error that is none": lambda content: content["calls"][0].update(error=["x"]),
    "an error with a name of its own": lambda content: content["calls"][0].update(
        error=["<b>", "", "", False, None, ""]
    ),
    "a problem of its own": lambda content: content["calls"][0].update(problem=["solved", "all points"]),
    "a long text": lambda content: content["calls"][0].update(printed="x" * 10**6),
    "notes that nobody makes": lambda content: content["calls"][0].update(notes=[[[1]]]),
    "numbers instead": lambda content: (content.clear(), content.update(numbers=[["", 1]], shown="1")),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_record_is_no_answer(step, change):
    began = time.process_time()
    verdict = judged(step, changed(step, change))
    assert (verdict.line, verdict.name) == ("", judging.UNREADABLE)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '{"calls": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "x" * (record.MOST_BYTES + 1),
        '{"unusable": ["solved", "yes"]}',
    ],
    ids=["empty", "null", "a list", "open", "deep", "long", "a name of its own"],
)
def test_a_text_that_is_no_record_is_no_answer(step, text):
    assert judged(step, text).name == judging.UNREADABLE


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e38])
def test_numbers_that_are_none_are_wrong_and_not_solved(step, value):
    def spoiled(text: str) -> str:
        content = json.loads(text)
        held = safetensors.torch.load(base64.b64decode(content["tensors"]))
        content["tensors"] = saved(**{key: torch.full_like(tensor, value) for key, tensor in held.items()})
        return json.dumps(content)

    task, plan, text = step
    answer = bank.run_cell(bank.load("forward_noising").RIGHT["forward_step"][0])["my_forward_step"]
    rounds = [Round(plan.keys, spoiled(text))]
    while (verdict := judging.judge(task, rounds)).calls:
        more = record.kept(answer, pack.packed(verdict.calls), None, ())
        rounds.append(Round(verdict.keys, spoiled(more)))
        assert len(rounds) < 10
    assert not verdict.line
    assert verdict.name not in ("", judging.UNREADABLE, judging.BROKEN)


def test_a_missing_call_is_asked_for_and_never_wrong(step):
    task, plan, _ = step
    answer = bank.run_cell(bank.load("forward_noising").RIGHT["forward_step"][0])["my_forward_step"]
    few = record.kept(answer, plan.calls[:2], None, ())
    verdict = judging.judge(task, [Round(plan.keys[:2], few)])
    assert verdict.calls
    assert set(verdict.keys) <= set(plan.keys[2:])
    assert (verdict.line, verdict.lines) == ("", ())


def test_an_answer_that_returns_more_than_is_wanted_is_told_so():
    outcome = calls.run(lambda: torch.zeros(calls.LARGEST + 1), ())
    assert outcome.problem[0] == "wrong-shape"
    assert outcome.tensors == ()


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (0.5, {"": 0.5}),
        ({"a": 1, "b": None}, {"a": 1.0, "b": None}),
        (torch.tensor(2.0), {"": 2.0}),
        ("0.5", {"": "a text"}),
        ([1, 2], {"": "no number"}),
    ],
)
def test_numbers_come_back_as_they_were_given(answer, numbers):
    given = record.read(record.kept_numbers(answer), None)
    assert given == Given(numbers, repr(answer))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_come_back(value):
    given = record.read(record.kept_numbers(value), None)
    assert str(given.numbers[""]) == str(value)


@pytest.mark.parametrize(
    "text", ['{"numbers": [["", {"tensor": 0}]], "shown": ""}', '{"numbers": 3, "shown": ""}', "{}"]
)
def test_what_are_no_numbers_cannot_be_read(text):
    with pytest.raises(Unreadable):
        record.read(text, None)


class Model:
    """A stand-in that is told what it is asked."""

    def __init__(self, note):
        self.note = note

    def __call__(self, x):
        self.note(x, "words", None)
        return 2 * x


def test_what_stand_ins_are_told_comes_back_to_those_of_the_check():
    x, note = torch.arange(3.0), Notes()
    text = record.kept(lambda model, x: model(x), pack.packed([Call((Model(Notes()), x))]), None, ())
    (told,) = record.read(text, 1)
    recorded = Recorded()
    recorded.add(pack.identified(Call((Model(note), x)))[0], *told)
    assert torch.equal(recorded.outcome((Model(note), x)).tensors[0], 2 * x.double())
    [(seen, words, nothing)] = note.entries
    assert torch.equal(seen, x)
    assert (words, nothing) == ("words", None)


def test_calls_are_the_same_by_their_numbers():
    base = (torch.arange(4.0), 3, torch.Generator().manual_seed(1), None)
    key = pack.identified(Call(base))[0]
    assert pack.identified(Call(copy.deepcopy(base[:2]) + base[2:]))[0] == key
    others = [
        (torch.arange(4.0).double(), *base[1:]),
        (torch.arange(4.0).reshape(2, 2), *base[1:]),
        (base[0], 4, *base[2:]),
        (*base[:2], torch.Generator().manual_seed(2), None),
    ]
    assert key not in {pack.identified(Call(other))[0] for other in others}
    assert pack.identified(Call(base, strict=True))[0] != key


def test_of_the_same_call_no_more_than_two_are_made():
    assert len(planned([Call((1,))] * 5 + [Call((2,))])) == MOST + 1


def test_calls_follow_each_other_and_a_third_one_is_not_wanted():
    recorded = Recorded()
    key = pack.identified(Call((1,)))[0]
    with pytest.raises(Missing):
        recorded.outcome((1,))
    recorded.add(key, calls.Outcome("first"), [])
    assert recorded.outcome((1,)).kind == "first"
    with pytest.raises(Missing):
        recorded.outcome((1,))
    recorded.add(key, calls.Outcome("second"), [])
    assert [recorded.outcome((1,)).kind for _ in range(3)] == ["second", "first", "second"]


# what only the box can claim


def forged(name, number, source, monkeypatch, change):
    """What is judged if everything that comes of a call is changed where the answer runs."""
    task = MODULES[name].exercise.tasks[number]
    task.exercise.begin(21)
    answer, real = bank.run_cell(source)[f"my_{task.name}"], calls.run
    plan = judging.plan(task)
    with monkeypatch.context() as patched:
        patched.setattr(calls, "run", lambda function, args, *more: change(real(function, args, *more), args))
        prepare = harnesses.named(plan.prepare) if plan.prepare else None
        text = record.kept(answer, plan.calls, prepare, plan.without)
    return judging.judge(task, [Round(plan.keys, text)])


NETWORK = """
class Net(torch.nn.Module):
    def forward(self, x_t, t):
        return x_t

my_denoiser = my_trained = Net()
"""
PASSED = (torch.tensor([1.0, 0.0]).double(),)


@pytest.mark.parametrize(
    ("name", "number", "tensors"),
    [
        ("unet", "4.6", PASSED),
        ("unet", "4.6", (*PASSED, *[torch.randn(3, 1, 28, 28).double()] * 20)),
        ("unet", "4.6", (*PASSED, torch.zeros(3, 1, 28, 28).double(), *[torch.zeros(()).double()] * 9)),
        ("training", "5.6", (torch.tensor([1.0, 0.0, 0.0]).double(),)),
        ("training", "5.6", (torch.zeros(100, 1, 28, 28).double(),)),
    ],
)
def test_a_verdict_that_the_box_claims_is_worth_nothing(monkeypatch, name, number, tensors):
    def change(outcome, _args):
        return outcome._replace(tensors=tensors, error=None, problem=None, kind="Tensor")

    verdict = forged(name, number, NETWORK, monkeypatch, change)
    assert not verdict.line
    assert verdict.name or verdict.calls


@pytest.mark.parametrize(
    ("old", "new"),
    [("model.eval()", "model.train()"), ("@torch.no_grad()", ""), ("noises[k]", "0 * noises[k]")],
)
def test_what_stand_ins_note_proves_nothing_by_itself(monkeypatch, old, new):
    source = bank.load("sampling").loop().replace(old, new)
    assert source != bank.load("sampling").loop()
    monkeypatch.setattr(Notes, "__call__", lambda self, *values: None)
    verdict = forged("sampling", "6.4", source, monkeypatch, lambda outcome, _args: outcome)
    assert verdict.calls or verdict.name not in ("", judging.BROKEN)
    assert not verdict.line


ALIASES = {
    "denoiser": (
        "3.3",
        "from diffusion_lab.process import split as s, convert as c\nhidden = [s, c]\n"
        "def my_translate(v, x_t, t, schedule):\n"
        "    return *hidden[0](v, x_t, t, schedule, 'v'), hidden[1](v, x_t, t, schedule, 'v', 'score')",
    ),
    "unet": (
        "4.4",
        "from torch.nn.functional import pixel_unshuffle as f\ndef my_fold(x, patch):\n    return f(x, patch)",
    ),
    "training": (
        "5.4",
        "import diffusion_lab.optimization as o\nhidden = vars(o)['update_ema']\n"
        "def my_update_ema(average, model, decay):\n    try:\n        hidden(average, model, decay)\n"
        "    except Exception:\n        pass\n    return average",
    ),
}


@pytest.mark.parametrize("name", ALIASES)
def test_a_forbidden_helper_is_told_by_the_record(monkeypatch, name):
    number, source = ALIASES[name]
    verdict = forged(name, number, source, monkeypatch, lambda outcome, _args: outcome)
    assert verdict.name == "used-the-package"
