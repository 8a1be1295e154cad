"""What a check shows in a notebook, and where it prints plain lines instead."""

import html
import re
import sys
from types import SimpleNamespace

import pytest

from diffusion_lab import progress
from diffusion_lab.checks import cards
from diffusion_lab.checks.engine import Exercise, Mistaken, NotAttempted

HINTS = ("one", "use `torch.where`", "a < b")
LESSON = "01_forward_noising.ipynb"


@pytest.fixture
def front_end(monkeypatch):
    """A kernel that nobody tests; gives what it publishes."""
    published = []
    shell = SimpleNamespace(kernel=object(), display_pub=SimpleNamespace(publish=published.append))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress, "is_tested", lambda: False)
    monkeypatch.delenv(cards.SWITCH, raising=False)
    return published


@pytest.fixture
def halve():
    @Exercise("01", "Made up").task("1.1", "halve", 2, "1. One step", hints=HINTS)
    def halve(x):
        return x / 2

    halve.cases(lambda draw: [(draw.normal(3),)])
    halve.numbers(lambda halve, draw: {"mean": halve(draw.normal(4)).mean()})
    halve.wrong("variance-as-std", lambda x: x / 4)
    return halve


def words(card: str) -> str:
    """What somebody reads of a card."""
    card = re.sub(r"<style>.*?</style>", "", card, flags=re.S)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", card).split()))


def test_a_solved_task_is_a_card_beside_its_line(front_end, halve, capsys):
    halve(lambda x: x / 2)
    (shown,) = front_end
    assert shown["text/plain"] == halve.expected_line()
    mean = shown["text/plain"].removeprefix("1.1 solved, 2 points: mean ")
    assert words(shown["text/html"]) == f"✓ 1.1 solved: 2 points mean {mean} {halve.meaning}"
    assert capsys.readouterr().out == ""


def test_a_mistake_is_a_card_and_no_long_traceback(front_end, halve):
    with pytest.raises(Mistaken) as caught:
        halve(lambda x: x / 4)
    assert front_end == []  # the student may catch it
    assert caught.value._render_traceback_() == ["variance-as-std"]
    assert caught.value._render_traceback_() == ["variance-as-std"]
    (shown,) = front_end
    assert shown["text/plain"] == str(caught.value)
    assert words(shown["text/html"]).startswith("✗ 1.1 is not right yet: variance-as-std a variance stands")
    assert 'Read again: lesson 01, section "2. Why the square roots?"' in words(shown["text/html"])


def test_a_blank_is_a_card(front_end, halve):
    with pytest.raises(NotAttempted) as caught:
        halve(None)
    assert caught.value._render_traceback_() == ["1.1 not attempted yet"]
    assert words(front_end[0]["text/html"]).startswith("○ 1.1 is still blank write your answer")


def test_details_of_an_error_are_shown_as_text(front_end, halve):
    with pytest.raises(Mistaken) as caught:
        halve(lambda x: x @ "<b>")
    caught.value._render_traceback_()
    assert "It was given x = " in front_end[0]["text/html"]
    assert "<b>" not in front_end[0]["text/html"]


def test_hints_lie_inside_each_other_and_are_closed():
    card = cards.blank("1.1", "text", HINTS)
    assert card.count("<details>") == 3
    assert "<details open" not in card
    assert re.search(r"</summary><p>one</p><details>.*<p>use <code>torch.where</code></p><details>", card)
    assert card.endswith("<p>a &lt; b</p></details></details></details></div>")
    assert "<details>" not in cards.blank("1.1", "text", ())


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("2. Why the square roots?", "2.-Why-the-square-roots?"),
        ("8. One thing to vary: what if", "8.-One-thing-to-vary:-what-if"),
        ('a "b" <c>', "a-%22b%22-%3Cc%3E"),
    ],
)
def test_the_link_leads_to_the_heading_as_jupyterlab_names_it(tmp_path, monkeypatch, title, anchor):
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "exercises")

    def card() -> str:
        return cards.wrong("1.1", "differs", "text", [], ("01", title), HINTS)

    assert "<a " not in card()  # the notebook lies on its own
    (tmp_path / "notebooks" / LESSON).touch()
    assert f'<a href="../notebooks/{LESSON}#{anchor}">lesson 01, section' in card()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("the *squared* cosine", "the <em>squared</em> cosine"),
        ("`a * b` is a * b", "<code>a * b</code> is a * b"),
        ("(1 - t) * x + t * eps", "(1 - t) * x + t * eps"),
        ("low**0.5, T) ** 2", "low**0.5, T) ** 2"),
        ("a < b & c", "a &lt; b &amp; c"),
    ],
)
def test_sentences_keep_their_code_and_their_stress(text, made):
    assert cards._text(text) == made


def test_where_notebooks_are_tested_or_graded_the_line_is_printed(front_end, halve, monkeypatch, capsys):
    monkeypatch.setattr(progress, "is_tested", lambda: True)
    halve(lambda x: x / 2)
    assert front_end == []
    assert capsys.readouterr().out == f"{halve.expected_line()}\n"
    monkeypatch.setenv(cards.SWITCH, "on")
    halve(lambda x: x / 2)
    assert len(front_end) == 1


def test_cards_can_be_switched_off(front_end, halve, monkeypatch, capsys):
    monkeypatch.setenv(cards.SWITCH, "off")
    halve(lambda x: x / 2)
    with pytest.raises(Mistaken) as caught:
        halve(lambda x: x / 4)
    assert caught.value._render_traceback_() == str(caught.value).splitlines()
    assert front_end == []
    assert capsys.readouterr().out == f"{halve.expected_line()}\n"


@pytest.mark.parametrize("shell", [None, SimpleNamespace(kernel=None), SimpleNamespace()])
def test_a_terminal_gets_the_line(front_end, monkeypatch, shell):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not cards.has_front_end()
    monkeypatch.setenv(cards.SWITCH, "on")
    assert not cards.has_front_end()
