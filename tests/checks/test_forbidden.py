"""Helpers that a task forbids: they raise while an answer runs, under any name, and work again behind it."""

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import optimization, oracle, schedules
from diffusion_lab import posterior as looked_up_before
from diffusion_lab.bench import calls, forbidden
from diffusion_lab.checks import registry
from diffusion_lab.checks.engine import Task

MODULES = registry.modules()
TASKS = {task.name: task for module in MODULES.values() for task in module.exercise.tasks.values()}
fold_of_torch = torch.nn.functional.pixel_unshuffle


def through_a_schedule(x_0, t, noise, betas):
    return dl.DiffusionSchedule.from_betas(betas[1:]).add_noise(x_0, t, noise)


def caught(x_t, x_0_hat, t, schedule, z):
    try:
        return looked_up_before(x_t, x_0_hat, t, schedule)[0]
    except Exception:
        return TASKS["ancestral_step"].rights[""](x_t, x_0_hat, t, schedule, z)


def with_the_average_of_the_package(average, model, decay):
    optimization.update_ema(average, model, decay)
    return average


def stepped(x_t, x_0_hat, t, schedule, z):
    mean, variance = looked_up_before(x_t, x_0_hat, t, schedule)
    return mean + variance**0.5 * z


def translated(v, x_t, t, schedule):
    return *dl.split(v, x_t, t, schedule, "v"), dl.convert(v, x_t, t, schedule, "v", "score")


FORBIDDEN = {
    "add_noise": [through_a_schedule],
    "curves": [
        lambda T, low, high: [schedules.CURVES[name](T) for name in ("linear", "quadratic", "cosine")]
    ],
    "translate": [translated],
    "mean_of_the_data": [lambda x_t, t, data, s: oracle.finite_data_denoiser(data, s)(x_t, t)],
    "fold": [
        lambda x, patch: fold_of_torch(x, patch),
        lambda x, patch: torch.nn.PixelUnshuffle(patch)(x),
        lambda x, patch: torch.pixel_unshuffle(x, patch),
    ],
    "denoiser": [dl.UNet(width=8)],
    "update_ema": [with_the_average_of_the_package],
    "ancestral_step": [stepped, caught],
}


def test_every_task_that_forbids_something_is_tried():
    assert {
        name for name, task in TASKS.items() if isinstance(task, Task) and task.without
    } == FORBIDDEN.keys()


@pytest.mark.parametrize(
    ("name", "answer"), [(name, answer) for name, answers in FORBIDDEN.items() for answer in answers]
)
def test_a_forbidden_helper_has_a_name_of_its_own(ask, name, answer):
    assert ask(TASKS[name], answer).name == "used-the-package"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_helpers_work_behind_a_check(ask, name):
    code = {function: function.__code__ for function in forbidden._resolved(tuple(TASKS[name].without))[0]}
    ask(TASKS[name], FORBIDDEN[name][0])
    ask(TASKS[name], TASKS[name].rights[""])
    assert {function: function.__code__ for function in code} == code
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert fold_of_torch(x, 2).shape == (1, 4, 2, 2)


def helper(x):
    return x + 1


class Helper:
    def __call__(self, x):
        return x + 1

    @classmethod
    def made(cls, x):
        return cls()(x)


@pytest.mark.parametrize("called", [helper, Helper(), Helper.made])
def test_what_is_forbidden_is_allowed_again_whatever_happens(called):
    places = [f"{__name__}:helper", f"{__name__}:Helper"]
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), forbidden.without(places):
            raise error
    assert calls.run(called, (1,)).tensors == (2,)
    refused = calls.run(called, (1,), places).error
    assert (refused.kind, refused.helper.lower()) == ("Used", "helper")
    assert called(1) == 2
