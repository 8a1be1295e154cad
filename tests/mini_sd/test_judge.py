"""The judge of scenes: what it counts as right, and that it can be trained and kept."""

import pytest
import torch

from diffusion_lab.mini_sd import judge, scenes


def layout_of(*digits, arrangement=0, place=-1) -> scenes.Layout:
    """One scene of (digit, colour, size) triples."""
    rows = torch.full((3, 3), -1)
    rows[: len(digits)] = torch.tensor(digits)
    tables = [rows[:, k][None] for k in range(3)]
    rest = torch.zeros(1, 3, 4), torch.zeros(1)
    return scenes.Layout(torch.tensor([arrangement]), torch.tensor([place]), *tables, *rest)


def verdict(wanted, caption, seen) -> dict[str, tuple[int, int]]:
    found = judge.compare(wanted, [caption], seen)
    return {name: (found.right[name], found.asked[name]) for name in judge.ATTRIBUTES}


PAIR = layout_of((7, 0, 1), (3, 2, 0), arrangement=1)
CAPTION = "a big red seven left of a small blue three"


def test_the_scene_itself_is_all_right():
    assert verdict(PAIR, CAPTION, PAIR) == {"digit": (2, 2), "colour": (2, 2), "size": (2, 2), "position": (1, 1)}


@pytest.mark.parametrize(("seen", "right"), [
    (layout_of((3, 2, 0), (7, 0, 1), arrangement=1), (2, 2, 2, 0)),  # swapped: an error of position only
    (layout_of((7, 0, 1), (3, 2, 0), arrangement=2), (2, 2, 2, 0)),  # one above the other
    (layout_of((7, 2, 1), (3, 0, 0), arrangement=1), (2, 0, 2, 1)),  # colours exchanged
    (layout_of((1, 0, 1), (3, 2, 0), arrangement=1), (1, 2, 2, 1)),
    (layout_of((7, 0, 0), (3, 2, 1), arrangement=1), (2, 2, 0, 1)),
    (layout_of((7, 0, 1)), (1, 1, 1, 0)),  # the other digit is missing
])  # fmt: skip
def test_each_fault_counts_where_it_belongs(seen, right):
    found = verdict(PAIR, CAPTION, seen)
    assert tuple(found[name][0] for name in judge.ATTRIBUTES) == right


@pytest.mark.parametrize(("seen", "right"), [
    (PAIR, (1, 1, 1)),
    (layout_of((7, 0, 1), (1, 4, 1), arrangement=1), (1, 1, 1)),  # all wrong with the second
    (layout_of((3, 2, 0), (7, 0, 1), arrangement=1), (1, 1, 1)),  # it stands on the other side
    (layout_of((8, 0, 0), (3, 2, 0), arrangement=1), (0, 1, 0)),
])  # fmt: skip
def test_the_first_digit_can_be_counted_by_itself(seen, right):
    found = judge.compare(PAIR, [CAPTION], seen, first_only=True)
    assert found.asked == {"digit": 1, "colour": 1, "size": 1, "position": 0}
    assert tuple(found.right[name] for name in ("digit", "colour", "size")) == right


def test_only_what_the_caption_tells_is_asked():
    one = layout_of((4, 1, 1), place=2)
    assert verdict(one, "a green four", layout_of((4, 1, 0), place=0)) == {
        "digit": (1, 1), "colour": (1, 1), "size": (0, 0), "position": (0, 0),
    }  # fmt: skip
    assert verdict(one, "a big green four at the top", layout_of((4, 1, 0), place=0)) == {
        "digit": (1, 1), "colour": (1, 1), "size": (0, 1), "position": (0, 1),
    }  # fmt: skip
    assert "size" not in judge.compare(one, ["a green four"], one).line()


def test_an_exam_is_real_scenes_of_its_own_prompts(digits):
    asked = judge.exam(60, digits, held_out=True, seed=3)
    assert asked.images.shape == (60, 3, 64, 64)
    assert set(asked.layout.arrangement.tolist()) == {0, 1, 2}
    pairs = {(number, list(scenes.COLOURS).index(colour)) for colour, number in scenes.HELD_OUT.items()}
    first = zip(asked.layout.digit[:, 0].tolist(), asked.layout.colour[:, 0].tolist(), strict=True)
    assert set(first) <= pairs
    again = judge.exam(60, digits, held_out=True, seed=3)
    assert again.captions == asked.captions
    assert torch.equal(again.images, asked.images)


def test_it_learns_colours_in_a_minute_and_survives_a_file(digits, tmp_path):
    torch.manual_seed(0)
    network = judge.SceneJudge(width=8)
    asked = judge.exam(100, digits, seed=1)
    before = judge.compare(asked.layout, asked.captions, network.eval().look(asked.images))
    options = {"batch_size": 32, "learning_rate": 4e-3, "generator": torch.Generator().manual_seed(0)}
    for _step in judge.train_judge(network, digits, num_steps=60, **options):
        pass
    after = judge.compare(asked.layout, asked.captions, network.eval().look(asked.images))
    assert after.share("colour") > max(0.4, before.share("colour") + 0.1)
    judge.save_scene_judge(tmp_path / "j.safetensors", network)
    again = judge.load_scene_judge(tmp_path / "j.safetensors")
    assert (again.look(asked.images).colour == network.look(asked.images).colour).double().mean() > 0.98


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        judge.load_scene_judge(tmp_path / "none.safetensors")
