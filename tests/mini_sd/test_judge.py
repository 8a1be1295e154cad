"""The judge of scenes: what it counts as right, and that it can be trained and kept."""

import pytest
import torch

from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.mini_sd import judge, scenes, train
from diffusion_lab.mini_sd.text import ImageEncoder
from diffusion_lab.shipped import FOLDER


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
    assert verdict(PAIR, CAPTION, PAIR) == {
        "digit": (2, 2),
        "colour": (2, 2),
        "size": (2, 2),
        "position": (1, 1),
    }


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        (layout_of((3, 2, 0), (7, 0, 1), arrangement=1), (2, 2, 2, 0)),  # swapped: an error of position only
        (layout_of((7, 0, 1), (3, 2, 0), arrangement=2), (2, 2, 2, 0)),  # one above the other
        (layout_of((7, 2, 1), (3, 0, 0), arrangement=1), (2, 0, 2, 1)),  # colours exchanged
        (layout_of((1, 0, 1), (3, 2, 0), arrangement=1), (1, 2, 2, 1)),
        (layout_of((7, 0, 0), (3, 2, 1), arrangement=1), (2, 2, 0, 1)),
        (layout_of((7, 0, 1)), (1, 1, 1, 0)),  # the other digit is missing
    ],
)
def test_each_fault_counts_where_it_belongs(seen, right):
    found = verdict(PAIR, CAPTION, seen)
    assert tuple(found[name][0] for name in judge.ATTRIBUTES) == right


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        (PAIR, (1, 1, 1)),
        (layout_of((7, 0, 1), (1, 4, 1), arrangement=1), (1, 1, 1)),  # all wrong with the second
        (layout_of((3, 2, 0), (7, 0, 1), arrangement=1), (1, 1, 1)),  # it stands on the other side
        (layout_of((8, 0, 0), (3, 2, 0), arrangement=1), (0, 1, 0)),
    ],
)
def test_the_first_digit_can_be_counted_by_itself(seen, right):
    found = judge.compare(PAIR, [CAPTION], seen, first_only=True)
    assert found.asked == {"digit": 1, "colour": 1, "size": 1, "position": 0}
    assert tuple(found.right[name] for name in ("digit", "colour", "size")) == right


def test_only_what_the_caption_tells_is_asked():
    one = layout_of((4, 1, 1), place=2)
    assert verdict(one, "a green four", layout_of((4, 1, 0), place=0)) == {
        "digit": (1, 1),
        "colour": (1, 1),
        "size": (0, 0),
        "position": (0, 0),
    }
    assert verdict(one, "a big green four at the top", layout_of((4, 1, 0), place=0)) == {
        "digit": (1, 1),
        "colour": (1, 1),
        "size": (0, 1),
        "position": (0, 1),
    }
    assert "size" not in judge.compare(one, ["a green four"], one).line()


@pytest.mark.parametrize(
    ("caption", "seen", "right", "of_first"),
    [
        ("a big red seven left of a red seven", (1, 1), 1, 1),
        ("a red seven right of a big red seven", (1, 1), 1, 1),  # the second digit is told first
        ("a red seven left of a small red seven", (0, 0), 1, 0),
        ("a small red seven right of a red seven", (0, 0), 1, 0),
        ("a small red seven right of a red seven", (1, 1), 0, 0),
    ],
)
def test_only_the_size_that_is_told_counts_even_if_both_digits_are_alike(caption, seen, right, of_first):
    wanted = layout_of((7, 0, 1), (7, 0, 0), arrangement=1)
    seen = layout_of((7, 0, seen[0]), (7, 0, seen[1]), arrangement=1)
    assert verdict(wanted, caption, seen)["size"] == (right, 1)
    assert judge.compare(wanted, [caption], seen, first_only=True).asked["size"] == of_first


def test_sizes_asked_are_those_told_in_scenes_as_they_are_composed(digits):
    asked = judge.exam(300, digits, seed=2)
    told = sum(word in scenes.SIZES for text in asked.captions for word in text.split())
    assert judge.compare(asked.layout, asked.captions, asked.layout).asked["size"] == told


def test_a_caption_of_another_scene_is_refused():
    with pytest.raises(
        ValueError, match="captions must name the digits of their scenes, 2 here, got 'a red 7'"
    ):
        judge.compare(PAIR, ["a red 7"], PAIR)


def test_loss_is_that_of_the_answers_there_are():
    torch.manual_seed(0)
    outputs = {name: torch.randn(2, *shape, requires_grad=True) for name, shape in judge.HEADS.items()}
    pairs = scenes.Layout(
        *(torch.cat([table, table]) for table in PAIR)
    )  # no place: that question has no answer
    loss = judge.judge_loss(outputs, pairs)
    loss.backward()
    wanted = 0
    for name, truth in {"arrangement": [1], "digit": [7, 3], "colour": [0, 2], "size": [1, 0]}.items():
        logs = outputs[name].detach().log_softmax(2)
        wanted -= sum(logs[i, k, answer] for i in range(2) for k, answer in enumerate(truth)) / (
            2 * len(truth)
        )
    assert loss.item() == pytest.approx(float(wanted), rel=1e-5)
    assert not outputs["place"].grad.any()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(1, 3, 128, 64), (1, 3, 64, 192), (1, 1, 64, 64), (3, 64, 64)])
def test_only_pictures_of_64_pixels_are_looked_at(shape):
    for network in (judge.SceneJudge(width=8), ImageEncoder(features=8, width=8)):
        with pytest.raises(ValueError, match=r"images must have shape \(B, 3, 64, 64\), got \("):
            network(torch.zeros(shape))


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


def test_a_fifth_of_its_batches_shows_pairs_that_are_held_out(digits, monkeypatch):
    held, compose = [], train.compose

    def spy(*arguments, held_out, **options):
        held.append(held_out)
        return compose(*arguments, held_out=held_out, **options)

    monkeypatch.setattr(train, "compose", spy)
    monkeypatch.setattr(train, "fit", lambda _judge, loss, **_options: iter([loss]))
    network, generator = judge.SceneJudge(width=8).eval(), torch.Generator().manual_seed(0)
    (loss,) = train.train_judge(network, digits, batch_size=1)
    state = TrainingState(network, network, torch.optim.AdamW(network.parameters()), generator)
    for _ in range(100):
        loss(state)
    assert 10 < sum(held) < 30


def test_it_learns_what_pictures_show_and_survives_a_file(digits, tmp_path):
    """Without a look at the pictures the loss is about ln 4 + ln 5 + ln 10 + ln 6 + ln 2 = 7.8."""
    torch.manual_seed(0)
    network = judge.SceneJudge(width=8)
    options = {"batch_size": 32, "learning_rate": 8e-3, "generator": torch.Generator().manual_seed(0)}
    for _step in train.train_judge(network, digits, num_steps=16, **options):
        pass
    asked = judge.exam(60, digits, seed=1)
    losses, positions = [], []
    for images in (asked.images, asked.images.roll(1, 0)):  # its own pictures, and those of other scenes
        with torch.no_grad():
            losses.append(judge.judge_loss(network.eval()(images), asked.layout).item())
        positions.append(judge.compare(asked.layout, asked.captions, network.look(images)).share("position"))
    assert losses[0] < 6.5
    assert losses[1] > 7.5
    assert positions[0] > positions[1] + 0.2
    judge.save_scene_judge(tmp_path / "j.safetensors", network)
    again = judge.load_scene_judge(tmp_path / "j.safetensors")
    assert (again.look(asked.images).colour == network.look(asked.images).colour).double().mean() > 0.98


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        judge.load_scene_judge(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match=r"digits\.safetensors is not a judge of scenes"):
        judge.load_scene_judge(FOLDER / "digits.safetensors")
    path = tmp_path / "cut.safetensors"
    path.write_bytes((FOLDER / "mini-sd-judge.safetensors").read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"cut\.safetensors is truncated"):
        judge.load_scene_judge(path)
