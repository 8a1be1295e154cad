"""General mistakes, made of the right answer: tried on every task, and told as they are."""

import math

import pytest
import torch

from diffusion_lab.checks import registry, transformations
from diffusion_lab.checks.engine import Exercise, Guess, Mistaken
from diffusion_lab.checks.mistakes import CATALOGUE

TASKS = [
    task
    for module in registry.modules().values()
    for task in module.exercise.tasks.values()
    if not isinstance(task, Guess)
]
HINTS = ("one", "two", "three")


@pytest.fixture
def noise_up(request):
    """A task with pictures, noise, a time and a table, as most are."""
    exercise = Exercise("01", "Made up")

    @exercise.task("1.1", "noise up", 2, "1. One step", hints=HINTS)
    def noise_up(x_t, t, noise, betas):
        scale = betas[t].reshape(-1, 1)
        return (1 - scale) * x_t + scale * noise

    @noise_up.cases
    def _(draw):
        for size in (3, 4):
            betas = torch.cat([torch.zeros(1), draw.uniform(0.1, 0.6, 6)])
            yield draw.normal(size, 2) + 1, draw.shuffled(range(1, size + 1)), draw.normal(size, 2), betas

    noise_up.numbers(lambda answer, draw: {"one": 1.0})
    return noise_up


def right(x_t, t, noise, betas):
    scale = betas[t].reshape(-1, 1)
    return (1 - scale) * x_t + scale * noise


@pytest.mark.parametrize(
    ("answer", "name", "words"),
    [
        (lambda x, t, z, b: right(x, t - 1, z, b), "index-shift", "`t` was taken one step too early"),
        (lambda x, t, z, b: right(x, t + 1, z, b), "index-shift", "`t` was taken one step too late"),
        (lambda x, t, z, b: right(x, (t - 1).clamp(min=1), z, b), "index-shift", "too early"),
        (lambda x, t, z, b: right(x, t, 0 * z, b), "noise-forgotten", "`noise` has no say"),
        (lambda x, t, z, b: right(x, t, -z, b), "wrong-sign", "as if `noise` were -noise"),
        (lambda x, t, z, b: right(x, t, z[:1].expand_as(z), b), "shared-noise", "share their noise"),
        (lambda x, t, z, b: right(x, t, z.flip(0), b), "noise-order", "another order"),
        (lambda x, t, z, b: right(x, t[:1].expand_as(t), z, b), "shared-t", "whole batch"),
        (lambda x, t, z, b: right(z, t, x, b), "arguments-exchanged", "`x_t` and `noise` changed places"),
        (lambda x, t, z, b: right(x, t, z, b**2), "variance-as-std", "betas were squared"),
        (lambda x, t, z, b: -right(x, t, z, b), "wrong-sign", "right numbers with the wrong sign"),
        (lambda x, t, z, b: 1 - right(x, t, z, b), "one-minus", "1 minus the right numbers"),
        (lambda x, t, z, b: 100 * right(x, t, z, b), "in-percent", "in percent"),
        (lambda x, t, z, b: 3 * right(x, t, z, b), "wrong-factor", "3 times what is wanted"),
        (lambda x, t, z, b: right(x, t, z, b).exp(), "one-step-too-many", "the exponential of them"),
        (lambda x, t, z, b: right(x, t, z, b).clamp(-1, 1), "result-clipped", "clipped to [-1, 1]"),
        (lambda x, t, z, b: right(x, t, z, b).sum(0), "wrong-axis", "sum was taken over the batch"),
        (lambda x, t, z, b: right(x, t, z, b).mean(), "wrong-axis", "one number came of all"),
        (lambda x, t, z, b: right(x, t, z, b).flip(0), "wrong-order", "reversed order"),
        (lambda x, t, z, b: x, "ignores-argument", "does not change with `t`, `noise` or `betas`"),
        (lambda x, t, z, b: x + b[t][:, None], "ignores-argument", "does not change with `noise`"),
    ],
)
def test_what_was_done_to_the_right_answer_is_named(ask, noise_up, answer, name, words):
    outcome = ask(noise_up, answer)
    assert isinstance(outcome, Mistaken)
    assert (outcome.name, words in str(outcome)) == (name, True), outcome


def test_a_formula_of_the_task_goes_first(ask, noise_up):
    noise_up.wrong("no-shrinking", lambda x, t, z, b: right(x, t, -z, b))
    assert ask(noise_up, lambda x, t, z, b: right(x, t, -z, b)).name == "no-shrinking"


def test_two_explanations_that_fit_alike_are_both_told(ask, noise_up):
    noise_up.wrong("no-shrinking", lambda x, t, z, b: x + z, sentence="the first")
    noise_up.wrong("shared-t", lambda x, t, z, b: z + x, sentence="the second")
    outcome = ask(noise_up, lambda x, t, z, b: x + z)
    assert str(outcome).startswith("no-shrinking: either the first; or the second\n")


def test_what_only_looks_like_a_factor_is_none(ask, noise_up):
    outcome = ask(noise_up, lambda x, t, z, b: 2 * right(x, t, z, b) + 0.01 * z)
    assert outcome.name == "differs"
    assert transformations.factor([torch.ones(2)], [torch.ones(2)], 1e-4) is None


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda x: 2 * x, "wrong-factor", "a half is missing"),
        (lambda x: x / math.log(2), "wrong-factor", "are these bits?"),
        (lambda x: x + 0.5, "wrong-constant", "0.5 too large"),
        (lambda x: x.clamp(max=0.8), "result-clipped", "none comes out above 0.8"),
        (lambda x: x[[1, 2, 0]], "wrong-order", "another order"),
        (lambda x: x * torch.tensor([1.0, 2.0, 3.0])[:, None], "wrong-factor", "another one in each"),
        (lambda x: x.half().double(), "nearly-right", "half precision"),
        (lambda x: x**3, None, ""),
        (lambda x: x.sum(), None, ""),
    ],
)
def test_what_was_done_to_the_right_numbers_is_found_out(change, name, words):
    wanted = [
        torch.randn(3, 9, generator=torch.Generator().manual_seed(k), dtype=torch.float64) for k in (0, 1)
    ]
    found = transformations.made_of_the_right_numbers([change(x) for x in wanted], wanted, 1e-4)
    assert (found[0] if found else None) == name
    assert not found or words in found[1]


def test_shares_of_a_sum_are_read_off():
    a, b = torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = transformations.shares(2 * a - 3 * b, {"a": a, "b": b}, 1e-4)
    assert torch.allclose(found["a"], torch.full((3,), 2.0).double())
    assert torch.allclose(found["b"], torch.full((3,), -3.0).double())
    assert transformations.shares(a * b, {"a": a, "b": b}, 1e-4) is None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.number)
def test_every_task_has_general_mistakes_that_are_in_the_catalogue(task):
    made = list(task.transformations())
    assert bool(made) == task.inputs_are_shown
    assert all(found.name in CATALOGUE for found in made)
    assert all(found.sentence or CATALOGUE[found.name].sentence for found in made)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.number)
def test_every_argument_is_changed_in_general_ways_or_declared_to_have_none(task):
    if not task.inputs_are_shown:
        pytest.skip("a `prepare` makes other arguments of those of the cases")
    cases = list(task.make_cases(task._draw()))
    changed = transformations.changed_arguments(task.arguments, cases[0])
    left = {name for name, number in changed.items() if not number}
    assert left == set(changed) & transformations.LEFT_AS_THEY_ARE.keys()


def test_what_is_left_as_it_is_says_why_and_is_an_argument():
    arguments = {name for task in TASKS for name in task.arguments}
    assert transformations.LEFT_AS_THEY_ARE.keys() <= arguments
    assert all(len(why) >= 8 for why in transformations.LEFT_AS_THEY_ARE.values())


@pytest.mark.parametrize(
    ("number", "argument", "change", "name"),
    [
        ("9.1", "captions", lambda x: x.flip(0), "wrong-labels"),
        ("9.2", "keys", lambda x: x[:1].expand_as(x), "pictures-mixed"),
        ("9.3", "prompt", lambda x: x.roll(1, 0), "wrong-order"),
        ("9.3", "negative", lambda x: x if x is None else x.clamp(-1, 1), "result-clipped"),
        ("7.4", "high", lambda high: high + 1, "endpoint-missed"),
        ("7.2", "null_label", lambda label: label - 1, "null-is-class-0"),
        ("9.3", "null", lambda x: -x, "wrong-sign"),
        ("9.3", "s", lambda s: s**2, "variance-as-std"),
        ("9.2", "queries", lambda x: x[-1:].expand_as(x), "shared-row"),
        ("8.3", "latents", lambda x: x.clamp(-1, 1), "result-clipped"),
        ("4.3", "weight", lambda x: x.clamp(-1, 1), "result-clipped"),
    ],
)
def test_arguments_of_every_kind_are_changed(ask, number, argument, change, name):
    task = next(task for task in TASKS if task.number == number)
    task.exercise.begin(0)
    plain = getattr(task.rights[""], "plain", task.rights[""])
    place = task.arguments.index(argument)
    wrong = lambda *args: plain(*args[:place], change(args[place]), *args[place + 1 :])  # noqa: E731
    print(ask(task, wrong))
    assert ask(task, wrong).name == name


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.number)
def test_a_general_mistake_has_a_name_wherever_it_is_made(ask, task):
    """Its own, or that of a formula of the task which is the same there; some are right, or fail as they should."""
    task.exercise.begin(0)
    made = list(task.transformations())
    for found in made[:: max(7, len(made) // 16)]:
        outcome = ask(task, found.function)
        assert isinstance(outcome, str) or outcome.name != "differs", (
            found.name,
            found.sentence,
            str(outcome),
        )
