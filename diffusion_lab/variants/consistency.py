"""Consistency models: one answer for a whole path of the probability flow, so that one step is enough.

A consistency function f(x_t, t) gives, for every point of a path, the x_0 at which the path ends. It is known
at the end, f(x_0, 0) = x_0, and the same at two neighbouring points: that is all that `distill` teaches a
student, with a trained denoiser as the teacher who knows the path. Source: Song et al. 2023, Consistency
Models.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.fitting import Step, fit
from diffusion_lab.process import split
from diffusion_lab.sampling import State, guess, sampling_times
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import Data, Steps, check_objective, check_range, choose, normal_like


def consistency_function(
    model: Callable,
    x_t: Data,
    t: int | Steps,
    schedule: DiffusionSchedule,
    objective: str = "v",
    **condition: Tensor,
) -> Data:
    """Say where the path through x_t, (B, …), ends: f(x_t, t) = c_skip x_t + c_out model(x_t, t), of the shape of x_t.

    Read as x_0, an answer in v has c_skip = alpha and c_out = -sigma, and so f(x_0, 0) = x_0 whatever the
    network says: the boundary condition (Song et al. 2023, equations 4 and 5). For x_t / alpha these are
    their c_skip and c_out with the data's standard deviation 1 and epsilon 0. An answer in flow has the same
    property, divided by alpha + sigma. A `ValueError` says if the objective is another ("x0" has no boundary,
    and "eps" none to divide by at t = T), or not the model's, or if t is out of range or not one time, nor
    one per element.
    """
    choose("objective", objective, ("v", "flow"))
    check_objective(model, objective)
    schedule.lookup(schedule.betas, t, x_t)  # says if t does not fit
    t = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
    return split(model(x_t, t, **condition), x_t, t, schedule, objective)[0]


def teacher_step(
    teacher: Callable,
    x_t: Data,
    t: Steps,
    s: Steps,
    schedule: DiffusionSchedule,
    objective: str = "v",
    **condition: Tensor,
) -> Data:
    """Go along the teacher's path from x_t, (B, …), at times t, (B,), to earlier times s, (B,): a step of DDIM.

    For images, x_0 is kept in [-1, 1] on the way, as in `sampling.guess`. A `ValueError` says if s is not
    earlier than t everywhere, a time is out of range, or the objective is not the teacher's.
    """
    schedule.lookup(schedule.betas, t, x_t)
    check_range("s", s, 0)
    if s.shape != t.shape or bool((s >= t).any()):
        raise ValueError(f"s must be earlier than t, element by element, got s={s.tolist()}, t={t.tolist()}")
    x_0, eps = guess(teacher, x_t, t, schedule, objective, **condition)
    return schedule.add_noise(x_0, s, eps)


def pseudo_huber(difference: Tensor, softness: float = 0.00054) -> Tensor:
    """Length of each element of a batch, (B, …), rounded off near 0: sqrt(|d|² + c²) - c, shape (B,).

    c is `softness` times the root of the number of entries (Song & Dhariwal 2023, section 3.3). A few large
    errors do not outweigh the rest, as they do when they are squared. A `ValueError` says if softness is not
    more than 0, where the square root has no gradient at 0.
    """
    if not 0 < softness < torch.inf:
        raise ValueError(f"softness must be finite and more than 0, got {softness}")
    flat = difference.flatten(1)
    c = softness * flat.shape[1] ** 0.5
    return (flat.square().sum(1) + c**2).sqrt() - c


def distillation_loss(
    student: Callable,
    target: Callable,
    teacher: Callable,
    x_0: Data,
    t: Steps,
    s: Steps,
    schedule: DiffusionSchedule,
    *,
    objective: str = "v",
    noise: Data | None = None,
    generator: Generator | None = None,
    **condition: Tensor,
) -> Tensor:
    """How far the student's answer at t is from the target's answer one teacher step earlier, shape (B,).

    d(f_student(x_t, t), f_target(x_s, s)), where x_s is the teacher's and no gradient goes through the second
    (Song et al. 2023, equations 6 to 8, algorithm 2). At s = 0 the target is x_s itself.

    Args:
        student, target, teacher: denoisers ``f(x, t, **condition)``; target is an average of earlier
            students.
        x_0: clean data, (B, …).
        t, s: times 1 … T, and earlier ones 0 … t - 1, (B,).
        schedule, objective: of all three; "v" or "flow".
        noise: standard normal, shape of x_0; drawn with `generator` if None.
        **condition: passed to all three, such as ``labels``.
    """
    noise = normal_like(x_0, generator) if noise is None else noise
    x_t = schedule.add_noise(x_0, t, noise)
    with torch.no_grad():
        x_s = teacher_step(teacher, x_t, t, s, schedule, objective, **condition)
        wanted = consistency_function(target, x_s, s, schedule, objective, **condition)
    return pseudo_huber(consistency_function(student, x_t, t, schedule, objective, **condition) - wanted)


def distill(
    student: nn.Module,
    teacher: Callable,
    schedule: DiffusionSchedule,
    loader: Iterable,
    *,
    num_steps: int,
    objective: str = "v",
    levels: int = 12,
    learning_rate: float = 1e-3,
    warmup: int = 50,
    ema_decay: float = 0.95,
    **options,
) -> Iterator[Step]:
    """Teach a student to be consistent along the paths of a teacher, yielding after each optimiser step.

    The averaged student, ``step.ema``, gives the targets, and is the one to draw with.

    Args:
        student: trained in place, on its device; begin with the teacher's weights, or with those of a smaller
            denoiser.
        teacher: a trained denoiser of the same objective and schedule, on the student's device; it is not
            changed.
        schedule, objective: of both; "v" or "flow".
        loader: yields ``(images, labels)`` in every pass.
        num_steps: optimiser steps in total, more than were done before a resume.
        levels: into how many steps a path is divided, 1 … T, evenly in time; more is closer to the flow, and
            slower to learn.
        learning_rate, warmup: its peak, and steps up to it (at most a tenth of all).
        ema_decay: of the averaged student, less in the first steps.
        **options: the rest of those of `fitting.fit`: ``optimizer``, ``weight_decay``, ``grad_clip``,
            ``bfloat16``, ``generator`` (decides times and noise), and ``resume``.

    A `ValueError` says if an argument is out of range, the objective is not that of both, or the loader is
    empty.
    """
    choose("objective", objective, ("v", "flow"))
    for model in (student, teacher):
        check_objective(model, objective)
    check_range("levels", levels, 1, schedule.timesteps)
    times = torch.tensor(sampling_times(schedule, levels))

    def loss(state: TrainingState, x_0: Tensor, labels: Tensor) -> Tensor:
        n = torch.randint(levels, (len(x_0),), generator=state.generator)
        t, s = times[n].to(state.device), times[n + 1].to(state.device)
        return distillation_loss(
            state.model,
            state.ema,
            teacher,
            x_0.to(state.device),
            t,
            s,
            schedule,
            objective=objective,
            generator=state.generator,
            labels=labels.to(state.device),
        ).mean()

    steps = fit(
        student,
        loss,
        loader,
        num_steps=num_steps,
        learning_rate=learning_rate,
        warmup=warmup,
        ema_decay=ema_decay,
        **options,
    )
    for step in steps:
        student.trained_objective = step.ema.trained_objective = objective
        yield step


def multistep(
    model: Callable,
    schedule: DiffusionSchedule,
    x_T: Tensor,
    *,
    num_steps: int = 1,
    spacing: str = "trailing",
    generator: Generator | None = None,
    **options,
) -> Iterator[State]:
    """Draw with a consistency model: ask for the end of the path, and between two askings noise it anew.

    Song et al. 2023, algorithm 1, with the call form of `sampling.ddim`; one step is one evaluation.
    `sampling.ddim` is the same with the old noise in place of fresh one.

    Args:
        model, schedule, x_T: a consistency model ``f(x_t, t, **condition)``, its schedule, and noise, (B, …).
        num_steps, spacing: steps, 1 … T, and a key of `sampling.SPACINGS`.
        generator: of the fresh noise; the last step, to t = 0, adds none.
        **options: passed to `sampling.guess`: ``objective``, ``clip_x_0`` and the condition.

    Yields a `State` per step, its x_t of the shape of x_T; a `ValueError` names an argument that is out of
    range.
    """
    x_t = x_T
    for t, s in pairwise(sampling_times(schedule, num_steps, spacing)):
        x_0, _ = guess(model, x_t, t, schedule, **options)
        x_t = schedule.add_noise(x_0, s, generator=generator)
        yield State(s, x_t, x_0)
