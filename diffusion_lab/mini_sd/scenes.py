"""Scenes with captions: one to three handwritten digits, coloured, sized, placed and tilted, on 64 × 64 dark pixels.

A scene is drawn from a table of numbers (`Layout`), and the caption is written from the same table, so both
always agree. The same seed gives the same scenes.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from diffusion_lab.data import Digits
from diffusion_lab.shapes import Images, check_range

SIDE = 64  # pixels
SLOTS = 3  # digits at most
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLOURS = {
    "red": (1.0, 0.15, 0.15),
    "green": (0.1, 0.8, 0.2),
    "blue": (0.25, 0.4, 1.0),
    "yellow": (1.0, 0.9, 0.1),
    "purple": (0.75, 0.2, 0.9),
    "white": (1.0, 1.0, 1.0),
}
"""Red, green and blue of each colour, in [0, 1]."""
SIZES = {"small": (23.0, 28.0), "big": (37.0, 43.0)}
"""Smallest and largest side, in pixels, of MNIST's 28 × 28 square as it lies in the scene.

The ink fills 5/7 of it.
"""
PLACES = ("on the left", "on the right", "at the top", "at the bottom", "in the middle")
RELATIONS = ("left of", "right of", "above", "below")
ARRANGEMENTS = ("one", "side by side", "one above the other", "three in a row")
"""How the digits of a scene stand.

With two, the first is the left or the upper one, with three the leftmost.
"""
TURNED = 0.2
"""Share of pairs told the other way round, "right of" and "below". With a half, neither the order of the words nor the
relation alone would say anything about who stands where, and a network that starts by learning simple things
would find nothing to start with."""
COUNTS = torch.tensor([1, 2, 2, 3])
"""How many digits each of `ARRANGEMENTS` has."""
HELD_OUT = {"red": 4, "green": 1, "blue": 9, "yellow": 6, "purple": 3, "white": 8}
"""Pairs of colour and digit that no training scene shows, though it shows both, each with others."""


class Layout(NamedTuple):
    """What stands where in N scenes; slots that are empty have digit -1."""

    arrangement: Tensor
    """Index into `ARRANGEMENTS`, (N,)."""
    place: Tensor
    """Index into `PLACES` for a scene with one digit, (N,); -1 for the others."""
    digit: Tensor
    """0 … 9, (N, 3)."""
    colour: Tensor
    """Index into `COLOURS`, (N, 3)."""
    size: Tensor
    """0 small, 1 big, (N, 3)."""
    geometry: Tensor
    """Centre x and y and side in pixels, tilt in radians, (N, 3, 4), float32."""
    background: Tensor
    """Grey level behind the digits, (N,), 0 black … 1 white."""

    def rows(self, index: slice | Tensor) -> "Layout":
        """Only the scenes that `index` selects."""
        return Layout(*(table[index] for table in self))


class Scenes(NamedTuple):
    """Pictures and what is to be seen in them."""

    images: Images
    """(N, 3, 64, 64) in [-1, 1]."""
    captions: list[str]
    layout: Layout


def check_scenes(images: Images) -> None:
    """Accept pictures of 64 × 64 pixels in three colours; a `ValueError` says what came."""
    if images.shape[1:] != (3, SIDE, SIDE):
        raise ValueError(f"images must have shape (B, 3, {SIDE}, {SIDE}), got {tuple(images.shape)}")


def pairs(held_out: bool) -> Tensor:
    """All (digit, colour) pairs that training may show, or those of `HELD_OUT`: (54 or 6, 2)."""
    every = [(digit, colour) for digit in range(10) for colour in range(len(COLOURS))]
    names = list(COLOURS)
    return torch.tensor([(d, c) for d, c in every if (HELD_OUT[names[c]] == d) == held_out])


def compose(
    number: int,
    digits: Digits,
    *,
    generator: Generator | None = None,
    held_out: bool = False,
    shares: tuple[float, float, float] = (0.3, 0.6, 0.1),
) -> Scenes:
    """Draw `number` scenes and write their captions.

    Args:
        number: how many.
        digits: the handwriting, from `data.mnist` (or its offline stand-in).
        generator: decides everything, layout, handwriting and wording.
        held_out: the first digit of each scene is one of `HELD_OUT`; otherwise no digit is.
        shares: of scenes with one, two and three digits, in any unit.

    A `ValueError` says if the number is less than 1, one of the ten digits is lacking, or shares are not
    three numbers, none negative, with a positive sum.
    """
    layout = arrange(number, generator=generator, held_out=held_out, shares=shares)
    captions = [caption(layout.rows(slice(i, i + 1)), generator) for i in range(number)]
    return Scenes(render(layout, digits, generator), captions, layout)


def arrange(
    number: int, *, generator: Generator | None = None, held_out: bool = False, shares=(0.3, 0.6, 0.1)
) -> Layout:
    """Draw the layouts of `number` scenes; arguments and errors as for `compose`."""
    check_range("number", number, 1)
    weights = torch.as_tensor(shares, dtype=torch.float32)
    if weights.shape != (3,) or not bool((weights >= 0).all()) or not 0 < float(weights.sum()) < torch.inf:
        raise ValueError(f"shares must be three numbers, none negative, with a positive sum, got {shares}")

    def uniform(low, high, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(number, *shape, generator=generator)

    count = torch.multinomial(weights, number, replacement=True, generator=generator)
    upright = (uniform(0, 1) < 0.5).long()
    arrangement = torch.where(count == 1, 1 + upright, torch.where(count == 0, 0, 3))
    allowed = pairs(False)[torch.randint(54, (number, SLOTS), generator=generator)]
    if held_out:
        allowed[:, 0] = pairs(True)[torch.randint(6, (number,), generator=generator)]
    size = (
        (uniform(0, 1, SLOTS) < 0.5).long().where(arrangement[:, None] < 3, 0)
    )  # three fit only if they are small
    lows, highs = torch.tensor(list(SIZES.values())).T
    side = uniform(lows[size], highs[size], SLOTS)
    place = torch.randint(len(PLACES), (number,), generator=generator)
    left, right, middle = uniform(15, 20), uniform(44, 49), uniform(26, 38)
    other = uniform(26, 38)
    alone = torch.stack(
        [
            torch.stack([left, other], 1),
            torch.stack([right, other], 1),
            torch.stack([other, left], 1),
            torch.stack([other, right], 1),
            torch.stack([middle, other], 1),
        ],
        1,
    )
    centre = torch.full((number, SLOTS, 2), SIDE / 2)
    centre[:, 0] = alone[torch.arange(number), place]
    across = uniform(24, 40, 2)  # of both digits of a pair, each on its own
    along = torch.stack([uniform(15, 19), uniform(45, 49)], 1)
    beside, stacked = torch.stack([along, across], 2), torch.stack([across, along], 2)
    row = torch.stack([torch.tensor([11.0, 32.0, 53.0]) + uniform(-1, 1, SLOTS), uniform(26, 38, SLOTS)], 2)
    for kind, where in ((1, beside), (2, stacked), (3, row)):
        chosen = arrangement == kind
        centre[chosen, : where.shape[1]] = where[chosen]
    geometry = torch.cat([centre, side[:, :, None], uniform(-0.25, 0.25, SLOTS, 1)], dim=2)
    is_shown = torch.arange(SLOTS) < COUNTS[arrangement][:, None]
    digit, colour, size = (table.where(is_shown, -1) for table in (allowed[:, :, 0], allowed[:, :, 1], size))
    return Layout(
        arrangement, place.where(arrangement == 0, -1), digit, colour, size, geometry, uniform(0, 0.15)
    )


def render(layout: Layout, digits: Digits, generator: Generator | None = None) -> Images:
    """Paint layouts with handwriting chosen by `generator`, (N, 3, 64, 64) in [-1, 1].

    Later slots lie on top.
    """
    number = len(layout.digit)
    order, counts = digits.labels.argsort(stable=True), digits.labels.bincount(minlength=10)
    if missing := (counts == 0).nonzero().flatten().tolist():
        raise ValueError(f"digits must have all ten, got none of {', '.join(map(str, missing))}")
    starts = counts.cumsum(0) - counts
    chance = torch.rand(number, SLOTS, generator=generator)
    canvas = layout.background[:, None, None, None].expand(-1, 3, SIDE, SIDE)
    palette = torch.tensor(list(COLOURS.values()))
    for slot in range(SLOTS):
        kind = layout.digit[:, slot].clamp(min=0)
        image = digits.images[order[starts[kind] + (chance[:, slot] * counts[kind]).long()]]
        x, y, side, tilt = layout.geometry[:, slot].unbind(1)
        zoom, cos, sin = SIDE / side, tilt.cos(), tilt.sin()
        x, y = 1 - 2 * x / SIDE, 1 - 2 * y / SIDE
        turn = torch.stack([cos, -sin, cos * x - sin * y, sin, cos, sin * x + cos * y], 1).reshape(-1, 2, 3)
        grid = F.affine_grid(turn * zoom[:, None, None], [number, 1, SIDE, SIDE], align_corners=False)
        ink = F.grid_sample((image + 1) / 2, grid, align_corners=False).clamp(0, 1)
        ink = ink * (layout.digit[:, slot] >= 0)[:, None, None, None]
        canvas = canvas * (1 - ink) + palette[layout.colour[:, slot].clamp(min=0)][:, :, None, None] * ink
    return canvas * 2 - 1


def caption(layout: Layout, generator: Generator | None = None) -> str:
    """Say what one scene shows, such as "a big red seven left of a small blue three".

    The wording varies: a size is told four times out of five, the place of a single digit as well, and of a
    pair one time out of five the right or lower one is named first (`TURNED`).
    """
    coins = torch.rand(SLOTS + 2, generator=generator).tolist()
    names = [
        phrase(layout, slot, coins[slot] < 0.8) for slot in range(SLOTS) if int(layout.digit[0, slot]) >= 0
    ]
    kind = int(layout.arrangement[0])
    if kind == 0:
        return f"{names[0]} {PLACES[int(layout.place[0])]}" if coins[-1] < 0.8 else names[0]
    if kind == 3:
        return f"{names[0]}, {names[1]} and {names[2]}"
    turned = coins[-1] < TURNED
    relation = RELATIONS[2 * (kind - 1) + turned]
    return f" {relation} ".join(reversed(names) if turned else names)


def phrase(layout: Layout, slot: int, with_size: bool = True) -> str:
    """Name the digit in a slot of the first scene: "a big red seven", or "a red seven"."""
    size = f"{list(SIZES)[int(layout.size[0, slot])]} " if with_size else ""
    return f"a {size}{list(COLOURS)[int(layout.colour[0, slot])]} {NUMBERS[int(layout.digit[0, slot])]}"
