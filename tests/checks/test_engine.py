"""What a check says, and in which order it looks, on an exercise made up for the purpose."""

import random
import re

import numpy as np
import pytest
import torch

from diffusion_lab.bench import calls
from diffusion_lab.bench.gradients import with_gradients
from diffusion_lab.checks import engine, outcomes
from diffusion_lab.checks.bank import run_cell
from diffusion_lab.checks.engine import Exercise, Mistaken, NotAttempted
from diffusion_lab.schedules import DiffusionSchedule

HINTS = ("one", "two", "three")


@pytest.fixture
def exercise() -> Exercise:
    """Two code tasks, a guess, two measured numbers and a question."""
    exercise = Exercise("01", "Made up")

    @exercise.task("1.1", "halve", 2, "1. One step", hints=HINTS)
    def halve(x, k):
        return x / 2

    @halve.cases
    def _(draw):
        yield draw.normal(3, 2), 1
        yield draw.normal(4), 2

    @halve.numbers
    def _(halve, draw):
        return {"mean": halve(draw.normal(100) + 3, 1).mean()}

    @halve.holds
    def _(halve, draw):
        if halve(torch.zeros(2), 1).abs().sum() > 0:
            return "half of nothing is nothing"

    halve.also("by shifting")(lambda x, k: x * 0.5)
    halve.also("with a minus")(lambda x, k: -x / 2)
    halve.wrong("variance-as-std", lambda x, k: x / 4)
    halve.wrong("index-shift", lambda x, k: x / (k + 2))
    halve.wrong("wrong-target", lambda x, k: x / 4)
    halve.probe("ignores-t")(lambda halve, draw: bool((halve(torch.ones(1), 1) == 7).all()))

    @exercise.guess("1.2", "guess", 1, "1. One step", hints=HINTS)
    def guess():
        return 2.0, 3.0

    guess.wrong("no-shrinking", lambda: (10, 11))
    guess.numbers(lambda guess, draw: {"number": guess + draw.normal(1)})

    @exercise.guess("1.3", "measure", 3, "1. One step", hints=HINTS)
    def measured():
        return {"mean": (0, 1), "variance": (5, 6)}

    measured.numbers(lambda values, draw: values)
    exercise.explain("1.4", "why")
    return exercise


@pytest.fixture
def halve(exercise):
    return exercise.tasks["1.1"]


# blank, right


@pytest.mark.parametrize("blank", [None, ..., lambda x, k: None, lambda x, k: ...])
def test_a_blank_answer_is_not_attempted(ask, exercise, halve, blank):
    said = ask(halve, blank)
    assert isinstance(said, NotAttempted)
    assert str(said).splitlines()[0].startswith("1.1 not attempted yet: ")
    assert 'check.hint("1.1")' in str(said)
    assert exercise.states == {"1.1": "not attempted"}


def test_not_implemented_is_a_blank_too(ask, halve):
    answer = run_cell("def f(x, k):\n    raise NotImplementedError")["f"]
    assert isinstance(ask(halve, answer), NotAttempted)


@pytest.mark.parametrize(
    "line",
    [
        "return x.masked_fill(1 - (x > 0), 0)",  # torch raises a NotImplementedError here
        "return x.no_such_method()",
    ],
)
def test_an_error_of_torch_is_no_blank(ask, halve, line):
    said = ask(halve, run_cell(f"def f(x, k):\n    {line}")["f"])
    assert isinstance(said, Mistaken)
    assert said.name == "error"
    assert line in str(said)


def test_a_blank_may_say_what_is_to_be_done(ask, halve):
    answer = run_cell("def f(x, k):\n    raise NotImplementedError('halve x')")["f"]
    assert isinstance(ask(halve, answer), NotAttempted)


def noisy(x, k):
    print("debugging")
    torch.tensor(x)  # warns
    return x / 2


@pytest.mark.parametrize(
    "right",
    [
        lambda x, k: x / 2,
        lambda x, k: x.double() * 0.5,
        lambda x, k, more=1: x / 2 * more,
        lambda x, k: np.asarray(x) / 2,
        lambda x, k: [row / 2 for row in x],
        lambda x, k: (x.requires_grad_() * 1e4) / 2e4,
        noisy,
    ],
)
def test_right_answers_in_other_forms_print_one_line(ask, halve, right):
    assert re.fullmatch(r"1\.1 solved, 2 points: mean \d\.\d{3}\n", ask(halve, right))


def test_the_check_does_not_believe_an_answer_that_spoils_its_inputs(ask, halve):
    assert isinstance(ask(halve, lambda x, k: x.zero_()), Mistaken)


@pytest.mark.parametrize("change", [lambda x: x.zero_(), lambda x: x.resize_(1)])
def test_what_an_answer_is_given_has_to_stay_as_it_is(ask, halve, change):
    def answer(x, k):
        half = x / 2
        change(x)
        return half

    outcome = ask(halve, answer)
    assert outcome.name == "changed-its-input"
    assert "the numbers are right, but `x` was changed" in str(outcome)


def test_a_change_of_what_is_given_is_told_only_if_all_else_is_right(ask, halve):
    assert ask(halve, lambda x, k: x.div_(4)).name == "variance-as-std"


def test_a_task_may_let_its_arguments_be_changed(ask, halve):
    halve.may_change = ("x",)
    assert "solved" in ask(halve, lambda x, k: x.div_(2))


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ([torch.ones(2)], lambda parts: parts[0].zero_()),
        ([1, 2], lambda parts: parts.pop()),
        ({"a": torch.ones(2)}, lambda parts: parts["a"].zero_()),
        (torch.nn.BatchNorm1d(2), lambda module: module(torch.randn(3, 2))),
        (DiffusionSchedule(3), lambda schedule: schedule.betas.zero_()),
        (torch.nn.Linear(2, 2), lambda module: module.requires_grad_(False)),
        (torch.nn.Sequential(torch.nn.Linear(2, 2)), lambda module: module[0].bias.requires_grad_(False)),
    ],
)
def test_changes_are_seen_inside_what_is_given(given, change):
    assert calls.run(lambda value: (change(value), 1)[1], (given,)).changed == {0}
    assert calls.run(lambda value: 1, (given,)).changed == set()


def test_a_network_that_came_back_changed_is_told_so(ask, exercise):
    @exercise.task("1.6", "ask", 2, "1. One step", hints=HINTS)
    def ask_it(model, x):
        return model(x)

    @ask_it.cases
    def _(draw):
        yield torch.nn.Linear(2, 3), draw.normal(4, 2)

    ask_it.numbers(lambda answer, draw: {"one": 1.0})
    assert "solved" in ask(ask_it, lambda model, x: model(x))
    outcome = ask(ask_it, lambda model, x: model.requires_grad_(False)(x))
    assert outcome.name == "changed-its-input"
    assert "`model` was changed" in str(outcome)
    assert "and `requires_grad` of each of them" in str(outcome)


def test_whole_numbers_have_to_be_whole(ask, exercise):
    @exercise.task("1.6", "one more", 2, "1. One step", hints=HINTS)
    def one_more(labels):
        return labels + 1

    one_more.cases(lambda draw: [(draw.integers(0, 5, 4),)])
    one_more.numbers(lambda one_more, draw: {"sum": one_more(draw.integers(0, 5, 4)).sum()})
    assert ask(one_more, lambda labels: labels + 1.0).name == "wrong-dtype"
    for right in (
        lambda labels: labels + 1,
        lambda labels: labels.int() + 1,
        lambda labels: labels.numpy() + 1,
    ):
        assert "solved" in ask(one_more, right)


# in which order


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f(x, k): return x / 4", "variance-as-std"),  # the first of two names that fit
        ("def f(x, k): return x / (k + 2)", "index-shift"),
        ("def f(x, k): return x / 4 if k == 1 else x / 2", "differs"),  # not in every case
        ("def f(x, k): return x / 4 if k == 1 else x / 4 + 1", "differs"),
        ("def f(x, k): return x * 0 + 7", "ignores-t"),
        ("def f(x, k): return x[0] / 0", "wrong-shape"),
        ("def f(x, k): return x / 2, x / 2, x", "wrong-shape"),
        ("def f(x, k): return x * float('nan')", "not-finite"),
        ("def f(x, k): return (x / 2).bfloat16()", "wrong-dtype"),
        ("def f(x, k): return (x / 2).long()", "wrong-dtype"),
        ("def f(x, k): return x.to(torch.complex64)", "wrong-type"),
        ("def f(x, k): return x.to('meta')", "wrong-type"),
        ("def f(x, k): return 'half of it'", "wrong-type"),
        ("def f(x, k): return {'half': x / 2}", "wrong-type"),
        ("def f(x, k): return x / 2 if k == 1 else None", "wrong-type"),
        ("f = torch.zeros(3)", "wrong-type"),
        ("def f(x, k): return x / [1]", "error"),
        ("def f(x): return x / 2", "error"),
        ("def f(x, k): return f(x, k)", "error"),
        ("def f(x, k): exit()", "error"),
        ("def f(x, k): return x", "wrong-factor"),
        ("def f(x, k): return x / 2 + k", "differs"),
    ],
)
def test_what_is_wrong_has_a_name(ask, exercise, halve, source, name):
    said = ask(halve, run_cell(source)["f"])
    assert isinstance(said, Mistaken)
    assert (said.name, exercise.states["1.1"]) == (name, f"wrong: {name}")
    lines = str(said).splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert lines[-1].startswith("Read again: lesson 0")
    assert lines[-1].endswith('For a hint: check.hint("1.1")')


def test_an_error_is_shown_with_the_line_and_the_inputs(ask, halve):
    source = (
        "def helper(x):\n    return x @ torch.zeros(7)\n\ndef f(x, k):\n    print('here')\n    return"
        " helper(x)"
    )
    said = str(ask(halve, run_cell(source)["f"]))
    assert "RuntimeError" in said
    assert "in line 2 of helper:  return x @ torch.zeros(7)" in said
    assert "It was given x = (3, 2) torch.float32, k = 1" in said
    assert "Your code printed: here" in said


def test_a_difference_is_shown_where_it_is(ask, halve):
    def answer(x, k):
        half = x / 2
        half.view(-1)[-1] += 1
        return half

    said = str(ask(halve, answer))
    assert "half of nothing is nothing" in said  # what does not hold comes before the numbers
    assert "1 of 6 numbers of the result, shape (3, 2), differ; the most at [2, 1]: got " in said


def test_of_several_results_the_one_that_differs_is_named(ask, exercise):
    @exercise.task("1.9", "halve two", 2, "1. One step", hints=HINTS)
    def both(x):
        return x / 2, x / 2

    both.cases(lambda draw: [(draw.normal(3),)])
    assert "3 of 3 numbers of the second result, shape (3,), differ" in str(ask(both, lambda x: (x / 2, x)))


@pytest.fixture
def learn(exercise):
    """A task whose answer has to let gradients through."""
    prepare = with_gradients(1, lambda x, k: x.shape)

    @exercise.task(
        "1.8", "learn", 2, "1. One step", prepare=prepare, results=("half", "its gradient"), hints=HINTS
    )
    @prepare
    def learn(x, k):
        return x / k

    learn.cases(lambda draw: [(draw.normal(3), 2), (draw.normal(2), 4)])
    learn.numbers(lambda learn, draw: {"first": learn(draw.normal(3), 2)[0][0]})
    return learn


@pytest.mark.parametrize(
    "right", [lambda x, k: x / k, lambda x, k: x.clone().div_(k), lambda x, k: [row / k for row in x]]
)
def test_an_answer_through_which_gradients_pass_is_right(ask, learn, right):
    assert ask(learn, right).startswith("1.8 solved, 2 points: first ")


def test_a_change_is_seen_where_gradients_are_asked_for(ask, learn):
    assert ask(learn, lambda x, k: x.div_(k)).name == "changed-its-input"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x, k: x.detach() / k, "the value is right, but not its gradient"),
        (lambda x, k: x / k + 1, "3 of 3 numbers of half, shape (3,), differ"),
        (lambda x, k: (x / k).mean(), "right numbers, but their mean was taken over"),
        (lambda x, k: (x / k).mean() + 1, "shape (3,) was wanted, got ()"),
        (lambda x, k: float(x.mean()), "shape (3,) was wanted, got ()"),
        (
            lambda x, k: ((x / k).detach(), torch.arange(1.0, 1 + len(x)).sin() / k),
            "shape (3,) was wanted, got (2, 3)",
        ),
        (lambda x, k: (x / k, x[0]), "one tensor was wanted, got a tuple of 2"),
        (lambda x, k: (x / k).detach().numpy(), "a tensor that gradients can pass was wanted, got ndarray"),
    ],
)
def test_what_is_made_of_an_answer_is_called_by_its_name(ask, learn, wrong, said):
    assert said in str(ask(learn, wrong))


def test_a_single_number_has_no_place(ask, exercise):
    @exercise.task("1.7", "mean", 2, "1. One step", hints=HINTS)
    def mean(x):
        return x.mean()

    mean.cases(lambda draw: [(torch.ones(3),)])
    assert "the result differs: got 3.0000, wanted 1.0000" in str(ask(mean, lambda x: x.sum()))


@pytest.mark.parametrize(
    ("number", "name", "sentence", "at", "section"),
    [
        (
            "01",
            "stride-beta",
            "",
            None,
            'lesson 01, section "1. One step"',
        ),  # not to a lesson that is still to come
        ("02", "variance-as-std", "", None, 'lesson 01, section "2. Why the square roots?"'),
        ("02", "variance-as-std", "a sentence of the task", None, 'lesson 02, section "1. One step"'),
        (
            "01",
            "variance-as-std",
            "a sentence of the task",
            None,
            'lesson 01, section "2. Why the square roots?"',
        ),
        (
            "02",
            "variance-as-std",
            "a sentence of the task",
            ("01", "Elsewhere"),
            'lesson 01, section "Elsewhere"',
        ),
        ("01", "variance-as-std", "", ("01", "Elsewhere"), 'lesson 01, section "Elsewhere"'),
    ],
)
def test_pointers_lead_to_what_helps(ask, number, name, sentence, at, section):
    @Exercise(number, "Made up").guess(f"{int(number)}.1", "a number", 1, "1. One step", hints=HINTS)
    def guess():
        return 2, 3

    guess.wrong(name, lambda: (5, 6), sentence=sentence, at=at)
    assert section in str(ask(guess, 5.5))


def test_an_answer_that_is_right_only_for_the_first_inputs_is_refused(ask, halve):
    said = ask(halve, lambda x, k: x / 2 if len(x) < 50 else x)
    assert said.name == "differs"


def test_another_right_answer_is_accepted_and_named_in_the_table(ask, exercise, halve, capsys):
    halve.make_numbers = lambda halve, draw: {"size": halve(draw.normal(100), 1).abs().mean()}
    assert "solved" in ask(halve, lambda x, k: -x / 2)
    exercise.progress()
    assert "solved (with a minus)" in capsys.readouterr().out


def test_a_probe_that_must_always_hold_is_asked_of_right_numbers_too(ask, halve):
    called = []
    halve.probe("missing-no-grad", always=True)(lambda halve, draw: called.append(1) or True)
    assert ask(halve, lambda x, k: x / 2).name == "missing-no-grad"
    assert called


def test_errors_equal_to_those_of_the_wrong_formula_do_not_hide_its_name(ask, halve):
    def shifted(x, k):
        return x / [3, 5][k]  # two entries, read at 1 and 2

    halve.wrong("endpoint-missed", shifted)
    assert ask(halve, lambda x, k: x / (3, 5)[k]).name == "endpoint-missed"
    assert ask(halve, lambda x, k: x / (3, 5)[str(k)]).name == "error"


def test_in_ipython_only_the_lines_of_the_message_are_shown(ask, halve):
    said = ask(halve, lambda x, k: x)
    assert said._render_traceback_() == str(said).splitlines()


def test_nothing_is_stored_but_in_memory(ask, halve, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ask(halve, lambda x, k: x / 2)
    assert not list(tmp_path.iterdir())


def settings():
    """What torch, numpy and Python have for the whole program."""
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda: None,
        lambda: torch.set_grad_enabled(False),
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.use_deterministic_algorithms(True),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
        lambda: torch.manual_seed(0),
        lambda: torch.randn(3),
        lambda: np.random.seed(0),  # noqa: NPY002
        lambda: random.random(),
    ],
)
@pytest.mark.parametrize(
    "ending", [lambda x: x / 2, lambda x: x, lambda x: x @ torch.zeros(7), lambda x: None]
)
def test_what_an_answer_sets_for_the_whole_program_is_put_back(ask, halve, change, ending):
    before = settings()
    ask(halve, lambda x, k: (change(), ending(x))[1])
    assert settings() == before


def test_the_next_call_of_an_answer_finds_what_the_first_one_found():
    def answer():
        found = torch.is_grad_enabled(), torch.ones(1).dtype, torch.are_deterministic_algorithms_enabled()
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        return [float(found == (True, torch.float32, False))]

    assert [float(calls.run(answer, ()).tensors[0]) for _ in range(2)] == [1.0, 1.0]


def test_gradients_that_were_left_off_do_not_spoil_the_next_check(ask, learn):
    def careless(mean, logvar):
        torch.set_grad_enabled(False)
        return mean * 2

    assert isinstance(ask(learn, careless), Mistaken)
    assert "solved" in ask(learn, learn.rights[""])


def test_what_is_kept_from_call_to_call_is_not_called_dice(ask, halve):
    halve.probe("draws-own-noise")(
        lambda halve, draw: bool((halve(torch.ones(2), 1) != halve(torch.ones(2), 1)).any())
    )
    calls = []
    assert ask(halve, lambda x, k: torch.randn_like(x)).name == "draws-own-noise"
    outcome = ask(halve, lambda x, k: (calls.append(1), x + len(calls) ** 0.5)[1])
    assert outcome.name == "not-repeatable"
    assert "something is kept from call to call" in str(outcome)


def test_what_fits_by_chance_is_not_named(ask, halve):
    found = []

    def by_chance(x, k):
        """A fourth for the first inputs, and a third for those that are drawn anew."""
        found.append(x)
        return x / (4 if len(found) <= 2 else 3)

    assert ask(halve, lambda x, k: x / 4).name == "variance-as-std"
    assert ask(halve, by_chance).name != "variance-as-std"


# nonce and numbers


def test_numbers_come_from_the_answer_and_the_nonce(ask, exercise, halve):
    printed = set()
    for nonce in range(50):
        exercise.begin(nonce)
        printed.add(ask(halve, lambda x, k: x / 2))
        assert ask(halve, lambda x, k: x.double() / 2 * (1 + 1e-7)) in printed
    assert len(printed) > 40


@pytest.mark.parametrize(
    ("value", "steady"),
    [
        (0.1234, True),
        (0.12345, False),
        (0.12348, False),
        (0.12352, False),
        (0.1236, True),
        (-0.12352, False),
        (float("nan"), False),
        (float("inf"), False),
        (0.0, True),
    ],
)
def test_numbers_close_to_the_edge_of_rounding_are_drawn_again(value, steady):
    assert outcomes.steady({"x": value}) == steady


def test_drawing_again_follows_the_key_and_not_the_student(ask, halve):
    halve.rights, attempts = {"": halve.rights[""]}, []

    def numbers(halve, draw):
        x = draw.uniform(0, 1, 1)
        attempts.append(float(x))
        return {"x": float(halve(x, 1)) + (0.0005 if len(set(attempts)) == 1 else 0) - float(x / 2)}

    halve.make_numbers = numbers
    assert "x 0.000" in ask(halve, lambda x, k: x / 2)
    assert len(set(attempts)) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0001, "0.000"), (0.0, "0.000"), (-1.23449, "-1.234"), (12, "12.000")]
)
def test_numbers_are_printed_with_three_decimals_and_no_minus_zero(value, text):
    assert outcomes.numbers_text({"x": float(value)}) == f"x {text}"


def test_draws_depend_on_the_whole_key():
    keys = [(0, "1.1"), (1, "1.1"), (0, "1.2"), (0, "1.1", 1), ("0", "1.1")]
    assert len({float(engine.Draw(*key).normal(1)) for key in keys}) == len(keys)
    draw = engine.Draw(0)
    assert set(draw.integers(1, 3, 200).tolist()) == {1, 2, 3}
    assert sorted(draw.shuffled(range(9)).tolist()) == list(range(9))
    assert bool(((x := draw.uniform(2, 3, 100)) >= 2).all() & (x <= 3).all())


@pytest.mark.parametrize(
    ("got", "wanted", "alike"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-5], True),
        ([1.0, 2.0], [1.0, 2.001], False),
        ([1e-5], [1.1e-5], False),
        ([0.0], [0.0], True),
        ([float("inf"), 1.0], [float("inf"), 1.0], True),
        ([float("nan")], [1.0], False),
    ],
)
def test_tolerance_is_a_share_of_the_largest_number(got, wanted, alike):
    assert outcomes.same((torch.tensor(got),), (torch.tensor(wanted),)) == alike


# guesses


@pytest.mark.parametrize("guess", [2, 2.5, torch.tensor(3.0), np.float32(2.1)])
def test_guesses_in_the_range_print_the_same(ask, exercise, guess):
    assert ask(exercise.tasks["1.2"], guess) == ask(exercise.tasks["1.2"], 2.9)


@pytest.mark.parametrize(
    ("guess", "name", "text"),
    [
        (10.5, "no-shrinking", "full strength"),
        (1, "differs", "1 is too low"),
        (4, "differs", "4 is too high"),
        ("two", "wrong-type", "'two'"),
        ([1, 2], "wrong-type", "[1, 2]"),
        ({"a": 2}, "wrong-type", "a number"),
        (float("nan"), "differs", "nan"),
        (lambda: 2, "wrong-type", "a number"),
    ],
)
def test_wrong_guesses_are_named_or_too_high_or_too_low(ask, exercise, guess, name, text):
    said = ask(exercise.tasks["1.2"], guess)
    assert said.name == name
    assert text in str(said)


def test_a_blank_guess_is_not_attempted(ask, exercise):
    assert isinstance(ask(exercise.tasks["1.2"], None), NotAttempted)
    assert isinstance(ask(exercise.tasks["1.3"], {"mean": 0.5, "variance": None}), NotAttempted)


def test_the_numbers_that_are_missing_are_named(ask, exercise):
    told = str(ask(exercise.tasks["1.3"], {"mean": 0.5, "variance": None}))
    assert 'still missing, of 2 numbers: "variance"' in told


@pytest.mark.parametrize(
    ("guess", "name", "text"),
    [
        ({"mean": 0.5, "variance": 550}, "in-percent", "variance: that is in percent"),
        ({"mean": 0.5, "variance": -5.5}, "wrong-sign", "variance: right but for the sign"),
        ({"mean": 0.5, "variance": 1 / 5.5}, "ratio-upside-down", "variance: that is 1 over"),
        ({"mean": 0.5, "variance": 5.5**2}, "variance-as-std", "variance: that is the square"),
        ({"mean": 5.5, "variance": 0.5}, "results-exchanged", "mean and variance changed places"),
        ({"mean": 0.5, "variance": 7}, "differs", "variance: 7 is too high; 1 of the 2 numbers is right"),
        ({"mean": 0.5, "variance": float("nan")}, "differs", "variance: nan is no finite number"),
    ],
)
def test_what_was_done_to_a_right_number_is_told(ask, exercise, guess, name, text):
    outcome = ask(exercise.tasks["1.3"], guess)
    assert (outcome.name, text in str(outcome)) == (name, True), outcome


def test_one_of_many_numbers_is_no_square_by_accident(ask, exercise):
    task = exercise.tasks["1.3"]
    wanted = {"mean": (0.4, 0.6), "variance": (5, 6), "spread": (3, 4)}
    task.rights = {"": lambda: wanted}
    squared = ask(task, {"mean": 0.5, "variance": 5.5, "spread": 3.5**2})
    assert squared.name == "differs"
    assert ask(task, {"mean": 0.5**2, "variance": 5.5**2, "spread": 3.5**2}).name == "variance-as-std"


def test_of_two_wrong_guesses_that_fit_both_are_told(ask, exercise):
    task = exercise.tasks["1.2"]
    task.wrong("not-iterated", lambda: (10, 11), sentence="the second")
    assert str(ask(task, 10.5)).startswith("no-shrinking: either the picture kept")
    assert "; or the second" in str(ask(task, 10.5))


def test_several_measured_numbers(ask, exercise):
    task = exercise.tasks["1.3"]
    assert ask(task, {"mean": 0.2, "variance": 5.9}) == "1.3 solved, 3 points: mean 0.500, variance 5.500\n"
    assert "variance: 7 is too high" in str(ask(task, {"mean": 0.2, "variance": 7}))
    assert ask(task, 0.2).name == "wrong-type"


def test_a_guess_can_be_prepared(ask):
    exercise = Exercise("01", "Made up")
    prepare = {"prepare": lambda numbers: {label: abs(number) for label, number in numbers.items()}}

    @exercise.guess("1.1", "a size", 1, "1. One step", hints=HINTS, **prepare)
    def size():
        return 2, 3

    size.numbers(lambda size, draw: {"size": size})
    assert ask(size, -2.2) == ask(size, 2.5) == "1.1 solved, 1 point: size 2.500\n"
    assert "4 is too high" in str(ask(size, -4))


# the line that is expected


def test_the_expected_line_is_what_right_answers_print(ask, exercise, halve):
    for nonce in (0, 7, "seven"):
        exercise.begin(nonce)
        assert ask(halve, lambda x, k: x / 2) == f"{halve.expected_line()}\n"
        assert ask(exercise.tasks["1.2"], 2.9) == f"{exercise.tasks['1.2'].expected_line()}\n"
    assert exercise.states == {"1.1": "solved", "1.2": "solved"}


# what is shown of an answer


def test_what_comes_of_an_answer_is_given_back(exercise, capsys):
    assert exercise.show(lambda: "a picture", "1.1") == "a picture"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            "lambda: my_halve(1)",
            "run the cell with your answer to 1.1 first (name 'my_halve' is not defined).",
        ),
        ("lambda: [*None]", "your answer to 1.1 is still blank, or returns nothing."),
        ("lambda: torch.stack(None)", "your answer to 1.1 is still blank, or returns nothing."),
        (
            "lambda: torch.zeros(2) @ torch.zeros(3)",
            "with your answer to 1.1 this cell ended with RuntimeError: inconsistent tensor size,"
            " expected tensor [2] and src [3] to have the same number of elements, but got 2 and 3"
            " elements respectively",
        ),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_one_line(exercise, capsys, source, line):
    exercise.states = {"1.1": "wrong: differs"}
    assert exercise.show(run_cell(f"make = {source}")["make"], "1.1") is None
    assert capsys.readouterr().out == f"Nothing to show yet: {line}\n"


def test_of_several_answers_the_one_that_is_missing_is_named(ask, exercise, halve, capsys):
    ask(halve, lambda x, k: x / 2)
    exercise.states["1.2"] = "not attempted"
    exercise.show(lambda: 1 / 0, "1.1", "1.2")
    assert capsys.readouterr().out == (
        "Nothing to show yet: your answer to 1.2 is still blank, or returns nothing.\n"
    )
    exercise.show(lambda: 1 / 0, "1.2", "1.3")
    assert "your answers to 1.2 and 1.3 are still blank, or return nothing." in capsys.readouterr().out
    exercise.states["1.2"] = "solved"
    exercise.show(lambda: 1 / 0, "1.1", "1.2")
    assert (
        "with your answers to 1.1 and 1.2 this cell ended with ZeroDivisionError" in capsys.readouterr().out
    )


def test_a_picture_can_be_stopped(exercise):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercise.show(stopped, "1.1")


# hints and progress


def test_hints_come_one_by_one(exercise, capsys):
    for number in ("1.2", 1.2, "1.2", "1.2"):
        exercise.hint(number)
    assert capsys.readouterr().out.splitlines() == [
        "1.2, hint 1 of 3: one",
        "1.2, hint 2 of 3: two",
        "1.2, hint 3 of 3: three",
        "1.2, hint 3 of 3: three",
    ]
    with pytest.raises(ValueError, match=r"1\.1, 1\.2, 1\.3, not for '9\.9'"):
        exercise.hint("9.9")


def test_progress_shows_points_states_and_what_is_next(ask, exercise, capsys):
    ask(exercise.tasks["1.1"], lambda x, k: x / 4)
    ask(exercise.tasks["1.2"], 2.5)
    exercise.progress()
    assert capsys.readouterr().out.splitlines() == [
        "01 Made up: 1 of 6 points",
        "  1.1  halve     2  wrong: variance-as-std",
        "  1.2  guess     1  solved",
        "  1.3  measure   3  not checked",
        "  1.4  why       –  for your instructor to read",
        "Next: 1.1, halve",
    ]
    exercise.begin(1)
    assert exercise.states == {}


def test_progress_at_the_end(ask, exercise, capsys):
    ask(exercise.tasks["1.1"], lambda x, k: x / 2)
    ask(exercise.tasks["1.2"], 2.5)
    ask(exercise.tasks["1.3"], {"mean": 0, "variance": 5})
    exercise.progress()
    out = capsys.readouterr().out
    assert "6 of 6 points" in out
    assert out.endswith("All solved.\n")
