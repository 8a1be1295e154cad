"""Where every noisy point of the plane is best guessed to come from, computed by the browser for every t."""

from collections.abc import Sequence

import torch
from torch import Tensor

from diffusion_lab.oracle import GaussianMixture
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shapes import normal_like
from diffusion_lab.widgets.player import Player, slider
from diffusion_lab.widgets.scrubbers import abar_table, point_data, still_of_points, still_times


class FieldExplorer(Player):
    """Drag t, and see where each x_t of the plane is best guessed to come from; move one x_t by hand.

    Left, noised points, and arrows from all places a quarter of the way to E[x_0 | x_t]. Right, the clean
    points: the likelier they are to have become the marked x_t, the stronger; the cross is their mean, the
    best guess. The browser computes both, exactly and for every t.
    """

    def __init__(
        self,
        mixture: GaussianMixture,
        schedule: DiffusionSchedule,
        *,
        number: int = 350,
        marked: tuple[Sequence[float], Sequence[float]] | None = None,
        names: Sequence[str] | None = None,
        start: int | None = None,
        limit: float = 3.0,
        cells: int = 12,
        generator: torch.Generator | None = None,
    ):
        """Draw points from a mixture.

        Args:
            mixture: of Gaussians in the plane.
            schedule: how much noise at which time.
            number: of points.
            marked: x_0 and noise, two numbers each, of the point that is marked; one of the others if None.
            names: of the modes, for the read-out of their probabilities; numbers if None.
            start: time to begin at, 0 … T; the middle if None.
            limit: the plane is shown from -limit to limit.
            cells: arrows along each side.
            generator: decides points and noise.
        """
        if mixture.means.shape[1] != 2:
            raise ValueError(
                f"mixture must lie in the plane, with means of 2 numbers, got {mixture.means.shape[1]}"
            )
        x_0, noise = _drawn(mixture, number, marked, generator)
        T, modes = schedule.timesteps, len(mixture.weights)
        names = [str(k + 1) for k in range(modes)] if names is None else names
        plane = {"size": [320, 313], **point_data(x_0, noise, limit)}
        field = {
            "kind": "field",
            "caption": "noisy points x_t; arrows point to the best guess of x_0; drag the large dot",
            "help": "arrow keys move the large dot",
            "cells": cells,
            "abar": abar_table(schedule),
            "mixture": _numbers(mixture),
            **plane,
        }
        candidates = {
            "kind": "candidates",
            "caption": "clean points that may have become the large dot; the cross is their mean, the best guess",
            **{name: plane[name] for name in ("size", "limit", "x_0", "x_0_unit")},
        }
        super().__init__(
            f"FieldExplorer({len(x_0)} points, {modes} modes, {schedule!r})",
            {
                "sliders": [slider("time t", range(T + 1), T // 2 if start is None else start)],
                "readouts": [{"name": f"chances of {', '.join(names)}", "fact": "chances"}],
                "panels": [field, candidates],
            },
            still_of_points(x_0, schedule, noise, limit),
            f"Points of a mixture at t = {', '.join(map(str, still_times(T)))}: spots become one cloud.",
        )


def _drawn(
    mixture: GaussianMixture,
    number: int,
    marked: tuple[Sequence[float], Sequence[float]] | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Give points and their noise, the marked one first."""
    x_0 = mixture.draw(number, generator)[0]
    noise = normal_like(x_0, generator)
    if marked is None:
        return x_0, noise
    first_x_0, first_noise = (torch.tensor([numbers]) for numbers in marked)
    return torch.cat([first_x_0, x_0]), torch.cat([first_noise, noise])


def _numbers(mixture: GaussianMixture) -> dict[str, list]:
    """What the browser computes the best guess from."""
    names = ("weights", "means", "variances", "axes")
    return {name: getattr(mixture, name).float().tolist() for name in names}
