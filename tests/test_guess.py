"""A guess in Python: what can be guessed, what is noted, and how it stands beside the answer."""

import json
import re

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab import progress
from diffusion_lab.widgets import Explorer, Guess, NoiseScrubber, guess_link
from tools.refresh_players import refreshed


@pytest.fixture
def player():
    schedule = dl.DiffusionSchedule.linear(1000)
    return NoiseScrubber(torch.zeros(1, 1, 28, 28), schedule, plots=False, noise=torch.zeros(1, 1, 28, 28))


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """Progress is noted into a file of its own; gives a function that reads it."""
    monkeypatch.setenv(progress.SWITCH, str(tmp_path / "progress.json"))
    return lambda: progress.read().lessons


def spec_of(part):
    found = re.findall(r'<script type="application/json">(.*?)</script>', part.to_html(), re.S)
    return json.loads(found[-1])


def made(kind, player):
    return {
        "time": lambda: Guess("01", "When?", player=player, words="t = {}"),
        "number": lambda: Guess("02", "How many?", low=0, high=1000),
        "scale": lambda: Guess("07", "Which scale?", low=0, high=8, step=0.5, start=2),
        "choice": lambda: Guess("06", "Which sampler?", options=["ddpm", "ddim"]),
    }[kind]()


@pytest.mark.parametrize("kind", ["time", "number", "scale", "choice"])
def test_it_is_self_contained_and_the_same_every_time(kind, player):
    first, second = (made(kind, player)._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert set(first) == {"text/html", "text/plain"} | ({"image/png"} if kind == "time" else set())
    assert not re.search(r"https?://|src=\"(?!data:)", first["text/html"])
    assert "0x" not in first["text/plain"]
    assert refreshed(first["text/html"]) == first["text/html"]


def test_a_part_with_an_old_script_is_refreshed(player):
    guess = made("time", player)
    for html in (guess.to_html(), guess.answer(675, "a < b").to_html()):
        old = re.sub(r"<style>.*?</style>", "<style>.old{}</style>", html)
        old = re.sub(r"<script>.*?</script>", "<script>old()</script>", old, flags=re.S)
        assert old != html
        assert refreshed(old) == html


@pytest.mark.parametrize(
    ("kind", "control"),
    [
        ("time", {"kind": "player", "slider": 0, "count": 1001}),
        ("number", {"kind": "number", "low": 0, "high": 1000, "step": 1, "start": 500}),
        ("scale", {"kind": "number", "low": 0, "high": 8, "step": 0.5, "start": 2}),
        ("choice", {"kind": "choice", "options": ["ddpm", "ddim"]}),
    ],
)
def test_the_page_is_told_what_can_be_guessed(kind, control, player):
    guess = made(kind, player)
    spec = spec_of(guess)
    assert spec["control"] == control
    assert (spec["key"], spec["question"], spec["words"]) == (guess.key, guess.question, guess.words)


def test_it_can_follow_another_slider_and_its_values():
    axes = {"time t": [0, 10], "scale": [0.5, 1.0, 2.0]}
    player = Explorer(axes, lambda t, scale: {"": torch.zeros(1, 1, 2, 2)}, alt="grey")
    guess = Guess("07", "Which?", player=player, follows="scale")
    assert spec_of(guess)["control"] == {"kind": "player", "slider": 1, "values": [0.5, 1.0, 2.0]}
    guess.value = 1.0
    with pytest.raises(ValueError, match=r"one of: 0.5, 1.0, 2.0 was wanted, got 0.7"):
        guess.value = 0.7


def test_the_player_stands_in_the_same_block(player):
    html = made("time", player).to_html()
    assert html.startswith('<div class="dl-first"><style>')
    assert player.to_html() in html
    assert html.index("dl-player") < html.index('<div class="dl-guess"')


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("time", 0, 0),
        ("time", 1000, 1000),
        ("number", 12.0, 12),
        ("scale", 1.25, 1.25),
        ("choice", "ddim", "ddim"),
    ],
)
def test_a_guess_is_a_plain_value_and_is_noted(kind, value, kept, player, notes):
    guess = made(kind, player)
    assert guess.value is None
    assert notes() == {}
    guess.value = value
    assert guess.value == kept
    assert type(guess.value) is type(kept)
    assert notes()[guess.lesson].guess == kept


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("time", 1001, "0 … 1000 was wanted, got 1001"),
        ("time", "many", "0 … 1000"),
        ("number", -1, "a whole number from 0 to 1000 was wanted, got -1"),
        ("number", 0.5, "a whole number"),
        ("number", True, "a whole number"),
        ("number", float("nan"), "a whole number"),
        ("number", "12", "got '12'"),
        ("scale", 8.1, "a number from 0 to 8"),
        ("choice", "heun", "one of: ddpm, ddim was wanted, got 'heun'"),
    ],
)
def test_what_cannot_be_guessed_is_refused_and_the_guess_stays(kind, value, wanted, player, notes):
    guess = made(kind, player)
    with pytest.raises(ValueError, match=re.escape(wanted)):
        guess.value = value
    assert guess.value is None
    assert notes() == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of low with high"),
        ({"low": 0, "high": 1, "options": ["a", "b"]}, "one of low with high"),
        ({"low": 0}, "low and high: two numbers"),
        ({"low": 1, "high": 1}, "low and high: two numbers"),
        ({"low": 0, "high": 1, "step": 2}, "step: "),
        ({"low": 0, "high": 1, "start": 2}, "start: a number from 0 to 1"),
        ({"options": ["a"]}, "options: a list of two"),
        ({"options": "ab"}, "options: a list of two"),
        ({"options": ["a", "a"]}, "options: a list of two"),
        ({"follows": "time t"}, "there is no player"),
        ({"low": 0, "high": 1, "words": "t"}, "words: a text with one {}"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Guess("01", "When?", **arguments)


def test_a_slider_that_the_player_lacks_is_named(player):
    with pytest.raises(ValueError, match=re.escape("(time t), got 'scale'")):
        Guess("01", "When?", player=player, follows="scale")
    with pytest.raises(ValueError, match="lesson: the number of a lesson"):
        Guess("one", "When?", player=player)


def test_the_answer_is_said_in_words_with_and_without_a_guess(player, notes):
    guess = made("time", player)
    before = guess.answer(675, "It is lost.")
    assert repr(before) == (
        "Your guess: none yet: it can be noted at the top of the page. The answer: t = 675. It is lost."
    )
    assert spec_of(before) == {"key": "01", "words": "t = {}", "value": None}
    guess.value = 430
    after = guess.answer(675, "It is <lost>.")
    assert repr(after) == "Your guess: t = 430. The answer: t = 675. It is <lost>."
    assert "It is &lt;lost&gt;." in after.to_html()
    assert spec_of(after)["value"] == 430


def test_a_second_guess_of_a_lesson_is_kept_apart(player, notes):
    first, second = made("time", player), Guess("01", "And now?", options=["yes", "no"], name="later")
    first.value, second.value = 430, "no"
    assert (first.key, second.key) == ("01", "01.later")
    assert notes()["01"].guess == 430


@pytest.mark.parametrize("value", [430, None, 5000])
def test_the_page_sets_the_value_and_what_it_kept_of_another_question_does_not_count(value, player, notes):
    pytest.importorskip("anywidget")
    guess = made("time", player)
    link = guess_link.GuessLink(guess)
    link.value = value
    assert guess.value == (430 if value == 430 else None)
