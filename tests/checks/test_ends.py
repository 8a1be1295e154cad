"""The ends of what the statements allow: declared by every task, and found in its cases."""

import pytest
import torch

from diffusion_lab import data
from diffusion_lab.checks import ends, pictures, registry
from diffusion_lab.checks.engine import Guess, Mistaken
from diffusion_lab.schedules import DiffusionSchedule

TASKS = [
    task
    for module in registry.modules().values()
    for task in module.exercise.tasks.values()
    if not isinstance(task, Guess)
]


@pytest.fixture(autouse=True)
def fresh():
    yield
    for module in registry.modules().values():
        module.begin(0)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.number)
def test_every_task_declares_ends_and_its_cases_have_them(task):
    assert task.ends, f"{task.number}: which ends does its statement allow?"
    for nonce in (0, 1, "a word"):
        task.exercise.begin(nonce)
        found = {end.name for args in task.make_cases(task._draw()) for end in task.ends_of(args)}
        assert found == {end.name for end in task.ends}
        assert len(found) == len(task.ends)


def named(end, **given):
    return end.is_in(given)


def test_ends_are_told_from_what_is_ordinary():
    schedule, x = DiffusionSchedule(5), torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([2, 3, 4])
    assert not named(ends.T_IS_ONE, t=t)
    assert named(ends.T_IS_ONE, t=1)
    assert not named(ends.T_IS_LAST, t=t, schedule=schedule)
    assert named(ends.T_IS_LAST, t=t, betas=torch.zeros(5))
    assert named(ends.T_IS_LAST, t=torch.tensor([1, 5]), schedule=schedule)
    assert not named(ends.BATCH_OF_ONE, x_t=x, data=x[:1])
    assert named(ends.BATCH_OF_ONE, x_t=x[:1], data=x)
    assert not named(ends.NOT_SQUARE, x_t=x)
    assert named(ends.NOT_SQUARE, x_t=x[..., :3])
    assert not named(ends.REAL_PICTURES, x_t=torch.randn(2, 1, 28, 28, generator=torch.Generator()))
    assert named(ends.REAL_PICTURES, x_t=pictures.digits(2))
    assert not named(ends.VERY_LARGE, x_t=x, t=torch.tensor(500))
    assert named(ends.VERY_LARGE, x_t=100 * x)
    assert not named(ends.VERY_SMALL, x_t=x, y=torch.zeros(3))
    assert named(ends.VERY_SMALL, x_t=x, variance=0.01)
    assert named(ends.FLOAT64, betas=schedule.betas)
    assert not named(ends.FLOAT64, x_t=x)


def test_an_answer_that_is_wrong_at_an_end_only_is_told_at_which(ask):
    task = next(task for task in TASKS if task.number == "1.2")

    def answer(x_prev, t, schedule, noise):
        return task.rights[""](x_prev, t, schedule, noise) + (x_prev.abs() > 30)

    outcome = ask(task, answer)
    assert isinstance(outcome, Mistaken)
    assert "Right elsewhere, and wrong with very large numbers" in str(outcome)
    assert "Right elsewhere" not in str(ask(task, lambda x_prev, t, schedule, noise: x_prev))


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ([True, False, False, True], ["a"]),
        ([False, True, False, False], ["b"]),
        ([True, True, False, True], ["a", "b"]),  # all that have one of the two
        ([True, True, True, True], []),
        ([False, False, True, False], []),  # nothing is true of it alone
        ([True, False, False, False], []),  # one that has `a` is right
    ],
)
def test_what_explains_is_true_of_all_wrong_cases_and_of_no_right_one(wrong, names):
    properties = {"a": [True, False, False, True], "b": [False, True, False, False], "c": [False] * 4}
    assert ends.explaining(properties, wrong) == names


def test_rows_are_asked_before_cases(ask):
    task = next(task for task in TASKS if task.number == "1.2")

    def answer(x_prev, t, schedule, noise):
        x = task.rights[""](x_prev, t, schedule, noise)
        return torch.where((t == schedule.timesteps).reshape(-1, 1, 1, 1), x + x_prev**2, x)

    assert "Right elsewhere, and wrong at t = T\n" in str(ask(task, answer))


def test_a_batch_of_one_keeps_its_axis(ask):
    task = next(task for task in TASKS if task.number == "2.1")
    outcome = ask(task, lambda t, betas: task.rights[""](t, betas).squeeze())
    assert "shape (1,) was wanted, got ()" in str(outcome)
    assert "wrong in a batch of one" in str(outcome)


def test_numpys_reading_of_one_index_as_a_number_costs_nothing(ask):
    task = next(task for task in TASKS if task.number == "2.1")

    def answer(t, betas):
        bar = (1 - betas.numpy()).cumprod()[t]
        return bar / (1 - bar)

    assert "solved" in ask(task, answer)


def test_the_small_digits_are_those_of_the_package():
    digits = data.sklearn_digits().images
    for picture in pictures.digits():
        assert float((digits - picture).abs().flatten(1).amax(1).min()) < 1e-6
    pictures.digits()[:] = 0
    assert pictures.digits(3).shape == (3, 1, 28, 28)
    assert pictures.digits(3).any()
