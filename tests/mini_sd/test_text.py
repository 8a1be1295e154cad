"""Words, the text encoder, and the contrastive loss beside what it should be."""

from collections import Counter

import pytest
import torch
from torch.nn import functional as F

from diffusion_lab.mini_sd import scenes, text

CAPTIONS = [
    "a big red seven left of a small blue three",
    "a white one",
    "a small red one, a small red two and a small red six",
]


@pytest.fixture(scope="module")
def clip() -> text.Clip:
    torch.manual_seed(0)
    return text.Clip(features=16, layers=1, heads=2, width=8).eval()


def test_tokens_are_words_between_marks():
    rows = text.tokenize(CAPTIONS)
    assert rows.shape == (3, 24)
    for row, caption in zip(rows.tolist(), CAPTIONS, strict=True):
        words = [text.WORDS[number] for number in row]
        end = words.index("<end>")
        assert words[0] == "<start>"
        assert words[1:end] == caption.replace(",", " ,").split()
        assert set(words[end + 1 :]) <= {"<pad>"}


def test_spelling_that_means_the_same_reads_the_same():
    same = text.tokenize(
        ["a big red seven, a green one", "A  BIG red 7 , a green 1", "an big red seven,a green one"]
    )
    assert (same == same[0]).all()
    assert text.tokenize([]).shape == (0, 24)
    assert text.words_of("") == []
    assert text.words_of("a red 77") == ["a", "red", "seven", "seven"]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("a pink elephant", "elephant, pink"),
        ("a red ⑦", "⑦"),
        ("<pad>", "<, >, pad"),
        ("a rad sevn", r"rad \(did you mean red\?\), sevn \(did you mean seven\?\)"),
        ("a geen four", r"geen \(did you mean green\?\)"),
        ("bthree", r"bthree \(did you mean three\?\)"),
    ],
)
def test_unknown_words_are_named_and_the_known_ones_listed(bad, named):
    with pytest.raises(ValueError, match=f"never saw: {named}; it knows: small big red"):
        text.tokenize([bad])


@pytest.mark.usefixtures("unchecked")
def test_too_long_and_not_a_list():
    with pytest.raises(ValueError, match="22 words"):
        text.tokenize(["a red one and " * 6])
    with pytest.raises(ValueError, match="list of strings"):
        text.tokenize("a red one")


def test_padding_changes_nothing_and_order_does(clip):
    encoder = clip.text
    rows = text.tokenize(["a red one left of a blue two", "a blue two left of a red one"])
    out = encoder(rows)
    assert out.shape == (2, 24, 16)
    assert not out[rows == 0].any()
    layers = encoder.layers
    cut = rows[:, :10]
    bare = encoder.norm(layers(encoder.word(cut) + encoder.position[:10]))
    assert torch.allclose(out[:, :10], bare, atol=1e-5)
    assert not torch.allclose(clip.embed_text(rows)[0], clip.embed_text(rows)[1], atol=1e-3)


def test_embeddings_have_length_one_and_logits_are_their_cosines(clip):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tokens = text.tokenize(CAPTIONS)
    a, b = clip.embed_images(images), clip.embed_text(tokens)
    assert torch.allclose(a.norm(dim=1), torch.ones(2))
    assert torch.allclose(b.norm(dim=1), torch.ones(3))
    cosines = F.cosine_similarity(a[:, None], b[None], dim=2)
    assert torch.allclose(clip(images, tokens), 10 * cosines, atol=1e-4)


def test_the_scale_of_the_logits_has_a_limit(clip):
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tokens, before = text.tokenize(CAPTIONS), clip.log_scale.detach().clone()
    cosines = clip(images, tokens) / 10
    clip.log_scale.data.fill_(50.0)
    assert torch.allclose(clip(images, tokens), cosines * torch.tensor(4.6).exp(), rtol=1e-3)
    clip.log_scale.data.copy_(before)


@pytest.mark.parametrize("shape", [(3, 2), (0, 0), (2,), (1, 2, 2)])
def test_logits_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"logits must have shape \(B, C\) with C >= B >= 1, got"):
        text.contrastive_loss(torch.zeros(shape))


def test_contrastive_loss_of_known_logits():
    assert text.contrastive_loss(torch.zeros(4, 4)).item() == pytest.approx(torch.tensor(4.0).log().item())
    assert text.contrastive_loss(100 * torch.eye(4)).item() < 1e-6
    assert text.contrastive_loss(100 * torch.eye(4).roll(1, 0)).item() > 50
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 2.0, 3.0]])  # a third caption that is nobody's
    by_image = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[1, 1]) / 2
    by_text = -(logits[:, :2].log_softmax(0)[0, 0] + logits[:, :2].log_softmax(0)[1, 1]) / 2
    assert text.contrastive_loss(logits).item() == pytest.approx(((by_image + by_text) / 2).item())


def test_near_misses_differ_in_meaning_and_stay_captions():
    generator = torch.Generator().manual_seed(0)
    swapped = 0
    for _ in range(200):
        for caption in CAPTIONS:
            other = text.near_miss(caption, generator)
            before, after = text.words_of(caption), text.words_of(other)
            changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
            assert len(changed) in (1, 2)
            if len(changed) == 2:
                assert [before[i] for i in changed] == [after[i] for i in reversed(changed)]
                swapped += 1
    assert swapped > 20


def test_every_kind_of_near_miss_occurs():
    """By hand: what stands at each place, and what may have come there."""
    groups = {
        "size": set(scenes.SIZES),
        "colour": set(scenes.COLOURS),
        "number": set(scenes.NUMBERS),
        "direction": set(text.OPPOSITES),
    }
    caption, found = "a big red seven left of a small blue three", Counter()
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        before, after = caption.split(), text.near_miss(caption, generator).split()
        changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        (kind,) = (name for name, group in groups.items() if {before[i] for i in changed} <= group)
        assert {after[i] for i in changed} <= groups[kind]
        found[kind, len(changed)] += 1
    kinds = {(name, number) for name in ("size", "colour", "number") for number in (1, 2)} | {
        ("direction", 1)
    }
    assert found.keys() == kinds
    assert min(found.values()) > 20
    turned = {
        text.near_miss(f"a red one {place}", generator).removeprefix("a red one ")
        for place in ("at the top", "on the left")
        for _ in range(30)
    }
    assert {"at the bottom", "on the right"} <= turned


@pytest.mark.parametrize("caption", ["", "a and a", "in the middle"])
def test_a_caption_with_nothing_to_change_has_no_near_miss(caption):
    with pytest.raises(ValueError, match=f"text must have a size, .* to change, got '{caption}'"):
        text.near_miss(caption)
