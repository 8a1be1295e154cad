"""Scenes: the picture shows what the caption says, the same seed gives the same, and held-out pairs stay out."""

import pytest
import torch

from diffusion_lab import data
from diffusion_lab.mini_sd import scenes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return data.sklearn_digits()


@pytest.fixture(scope="module")
def many(digits) -> scenes.Scenes:
    return scenes.compose(600, digits, generator=seeded())


def parse(caption: str) -> list[tuple[str | None, str, str]]:
    """Size or None, colour and number of every phrase, in the order of the words."""
    words = caption.replace(",", "").split()
    found = []
    for i, word in enumerate(words):
        if word in scenes.NUMBERS:
            found.append((words[i - 2] if words[i - 2] in scenes.SIZES else None, words[i - 1], word))
    return found


def test_scenes_are_pictures_in_range(many):
    assert many.images.shape == (600, 3, 64, 64)
    assert many.images.dtype == torch.float32
    assert -1 <= many.images.min() < -0.9
    assert 0.9 < many.images.max() <= 1


def test_same_seed_same_scenes_and_another_seed_others(digits, many):
    again, other = (scenes.compose(600, digits, generator=seeded(seed)) for seed in (0, 1))
    assert again.captions == many.captions
    assert torch.equal(again.images, many.images)
    assert other.captions != many.captions


def test_captions_name_what_the_layout_holds_in_the_order_they_tell(many):
    for i, text in enumerate(many.captions):
        layout = many.layout.rows(slice(i, i + 1))
        phrases = parse(text)
        slots = [k for k in range(3) if layout.digit[0, k] >= 0]
        if " right of " in text or " below " in text:
            slots.reverse()
        assert len(phrases) == len(slots)
        for (size, colour, number), k in zip(phrases, slots, strict=True):
            assert number == scenes.NUMBERS[layout.digit[0, k]]
            assert colour == list(scenes.COLOURS)[layout.colour[0, k]]
            assert size in (None, list(scenes.SIZES)[layout.size[0, k]])


def test_places_and_relations_agree_with_the_geometry(many):
    x, y = many.layout.geometry[..., 0], many.layout.geometry[..., 1]
    for i, text in enumerate(many.captions):
        if " left of " in text or " right of " in text:
            assert x[i, 0] < x[i, 1] - 20
        if " above " in text or " below " in text:
            assert y[i, 0] < y[i, 1] - 20
        if " and " in text:
            assert x[i, 0] < x[i, 1] < x[i, 2]
        for place, ok in (
            ("on the left", x[i, 0] < 21),
            ("on the right", x[i, 0] > 43),
            ("at the top", y[i, 0] < 21),
            ("at the bottom", y[i, 0] > 43),
            ("in the middle", 21 < x[i, 0] < 43),
        ):
            assert ok or not text.endswith(place)
    for wording in (*scenes.PLACES, *scenes.RELATIONS, " and "):
        assert any(wording in text for text in many.captions), wording


def test_a_fifth_of_the_pairs_is_told_the_other_way_round(many):
    straight = sum(" left of " in text or " above " in text for text in many.captions)
    turned = sum(" right of " in text or " below " in text for text in many.captions)
    assert straight + turned > 300
    assert 0.1 < turned / (straight + turned) < 0.3


def test_colours_are_those_of_the_ink(many):
    """The brightest pixels of a single digit have its colour; an independent look at the picture."""
    checked = 0
    for i in (many.layout.arrangement == 0).nonzero().flatten().tolist():
        colour = torch.tensor(list(scenes.COLOURS.values())[many.layout.colour[i, 0]]) * 2 - 1
        pixels = many.images[i].flatten(1)
        most = pixels[
            :, (pixels - pixels.median(dim=1, keepdim=True).values).abs().sum(0).topk(5).indices
        ].mean(1)
        assert torch.allclose(most, colour, atol=0.2)
        checked += 1
    assert checked > 100


def test_ink_stands_where_the_layout_says(many):
    """Centre of mass of single digits, in pixels; a digit's ink is not quite centred in its square."""
    rows = torch.arange(64) + 0.5
    for i in (many.layout.arrangement == 0).nonzero().flatten().tolist():
        ink = (many.images[i] - many.images[i, :, :1, :1]).abs().sum(0)
        x, y = (ink.sum(0) * rows).sum() / ink.sum(), (ink.sum(1) * rows).sum() / ink.sum()
        assert (x - many.layout.geometry[i, 0, 0]).abs() < 4
        assert (y - many.layout.geometry[i, 0, 1]).abs() < 4


def test_big_is_bigger_than_small_and_hardly_anything_is_cut_off(many):
    alone = many.layout.arrangement == 0
    ink = (many.images - (2 * many.layout.background - 1)[:, None, None, None]).abs().sum(1) > 0.6
    ring = torch.ones(64, 64, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    assert ink[:, ring].sum() < 0.01 * ink.sum()
    height = ink.any(2).sum(1).float()
    big, small = (height[alone & (many.layout.size[:, 0] == size)] for size in (1, 0))
    assert small.median() + 8 < big.median()


def test_held_out_pairs_are_never_in_training_scenes_and_always_in_the_others(digits):
    held = {(number, list(scenes.COLOURS).index(colour)) for colour, number in scenes.HELD_OUT.items()}

    def shown(held_out: bool) -> list[set]:
        layout = scenes.arrange(3000, generator=seeded(), held_out=held_out)
        return [
            set(zip(d, c, strict=True))
            for d, c in zip(layout.digit.tolist(), layout.colour.tolist(), strict=True)
        ]

    assert not any(pairs & held for pairs in shown(False))
    assert all(pairs & held for pairs in shown(True))
    every = set().union(*shown(False)) - {(-1, -1)}
    assert len(every) == 54
    assert {d for d, _ in every} == set(range(10))


def test_shares_decide_how_many_digits():
    layout = scenes.arrange(4000, generator=seeded(), shares=(0.5, 0.0, 0.5))
    counts = (layout.digit >= 0).sum(1)
    assert set(counts.tolist()) == {1, 3}
    assert 0.45 < (counts == 1).double().mean() < 0.55


def test_shares_are_a_matter_of_proportion():
    halves, parts = (
        scenes.arrange(50, generator=seeded(), shares=shares) for shares in ((0.25, 0.0, 0.75), (1, 0, 3))
    )
    assert all(torch.equal(a, b) for a, b in zip(halves, parts, strict=True))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "shares",
    [
        (0.5, 0.5),
        (1, 1, 1, 1),
        (0.5, -0.1, 0.6),
        (0, 0, 0),
        (float("nan"), 1, 1),
        (float("inf"), 1, 1),
        1.0,
    ],
)
def test_shares_are_three_numbers_with_a_sum(digits, shares):
    for call in (scenes.arrange, lambda number, **options: scenes.compose(number, digits, **options)):
        with pytest.raises(
            ValueError, match="shares must be three numbers, none negative, with a positive sum, got"
        ):
            call(3, generator=seeded(), shares=shares)


def test_all_ten_digits_are_needed(digits):
    keep = (digits.labels != 3) & (digits.labels != 8)
    some = data.Digits(digits.images[keep], digits.labels[keep], "some")
    with pytest.raises(ValueError, match="digits must have all ten, got none of 3, 8"):
        scenes.compose(2, some, generator=seeded())


@pytest.mark.parametrize("number", [0, -1])
def test_number_must_be_whole_and_positive(digits, number):
    with pytest.raises(ValueError, match="number must"):
        scenes.compose(number, digits, generator=seeded())
