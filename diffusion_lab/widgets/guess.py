"""A guess at the question of a lesson: noted on its first screen, compared with the answer at its end.

On the page it is plain HTML, and the browser keeps what was noted, so it works with no kernel. While a kernel runs,
the guess is also a plain variable, `Guess.value`, and is noted in the student's progress.
"""

import html
import json
import math
from collections.abc import Sequence
from typing import Any

from diffusion_lab import progress
from diffusion_lab.widgets.player import Player, has_kernel, has_widgets
from diffusion_lab.widgets.script import guess_script, guess_style


def guess_fragment(kind: str, key: str, words: str, spec: str) -> str:
    """Put the HTML of a guess or an answer together.

    Args:
        kind: "guess" or "answer".
        key: that of the guess.
        words: HTML that stands there where scripts are not allowed as well.
        spec: what its script needs, JSON.
    """
    return (
        f'<style>{guess_style()}</style><div class="dl-{kind}" data-guess="{key}">{words}'
        f'<script type="application/json">{spec}</script><script>{guess_script()}</script></div>'
    )


class Guess:
    """A question with a control and a button that notes the guess; show it by making it the last line of a cell.

    The control is a number on a slider with a field (`low`, `high`), one of a few texts (`options`), or a slider
    of the player beside it (`follows`).
    """

    def __init__(
        self,
        lesson: str,
        question: str,
        *,
        low: int | float | None = None,
        high: int | float | None = None,
        step: int | float = 1,
        start: int | float | None = None,
        options: Sequence[str] | None = None,
        follows: str | None = None,
        player: Player | None = None,
        button: str = "Note my guess",
        words: str = "{}",
        name: str = "",
    ):
        """Ask a question.

        Args:
            lesson: the number of the lesson, such as "01".
            question: what is asked, in a sentence.
            low: the least number that can be guessed, with `high`.
            high: the greatest.
            step: of the slider. Where it is whole, so is the guess; a number in the field may lie between two
                steps.
            start: where the slider begins; in the middle if None.
            options: the texts to choose from, at least two.
            follows: the label of a slider of `player`: the guess is where that stands. The first one, if there is
                nothing else that says what can be guessed.
            player: shown above, with the guess beside its picture or below it.
            button: what stands on the button.
            words: how a guess is said; ``{}`` stands for the value, as in ``"t = {}"``.
            name: tells the second guess of a lesson from its first.

        Raises:
            ValueError: if more than one, or none, of `low` with `high`, `options` and `player` or `follows` says
                what can be guessed, if numbers are out of order, `options` are not different texts, `player` has
                no slider of that label, `words` has no ``{}``, or `lesson` is no number of a lesson.
        """
        kinds = [low is not None or high is not None, options is not None, follows is not None]
        if sum(kinds) > 1 or (sum(kinds) == 0 and player is None):
            raise ValueError(
                "one of low with high, options, or player was wanted, to say what can be guessed"
            )
        if words.count("{}") != 1:
            raise ValueError(f"words: a text with one {{}} for the value was wanted, got {words!r}")
        self.lesson, self.key = lesson, progress.label_of(lesson) + (f".{name}" if name else "")
        self.question, self.player, self.words = question, player, words
        self._button, self._value = button, None
        if options is not None:
            self._control = _choosing(options)
        elif low is not None or high is not None:
            self._control = _counting(low, high, step, start)
        else:
            self._control = _following(player, follows)

    @property
    def value(self) -> Any:
        """What was noted, a number or one of the texts; None before.

        Setting it notes it, here and on the page. A `ValueError` says what can be guessed if that is something
        else.
        """
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = self._checked(value)
        if "." not in self.key:
            progress.note_guess(self.lesson, self._value)
        if has_kernel() and has_widgets():
            from diffusion_lab.widgets.guess_link import tell

            tell(self)

    def _checked(self, value: Any) -> Any:
        control = self._control
        if control["kind"] != "number":
            options = control.get("options") or control.get("values") or range(control["count"])
            if value in options:
                return value
            wanted = (
                f"one of: {', '.join(map(str, options))}" if len(options) < 20 else f"0 … {len(options) - 1}"
            )
            raise ValueError(f"value: {wanted} was wanted, got {value!r}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        is_whole = float(control["step"]).is_integer()
        if (
            is_number
            and control["low"] <= value <= control["high"]
            and not (is_whole and value != int(value))
        ):
            return int(value) if is_whole else value
        wanted = f"a {'whole ' if is_whole else ''}number from {control['low']:g} to {control['high']:g}"
        raise ValueError(f"value: {wanted} was wanted, got {value!r}")

    def __repr__(self) -> str:
        """One line, the same every time."""
        return f"Guess({self.key!r}, {self.question!r})"

    def to_html(self) -> str:
        """Give the self-contained fragment, with the player above it; it needs no kernel and no network."""
        spec = {
            "key": self.key,
            "question": self.question,
            "button": self._button,
            "words": self.words,
            "control": self._control,
        }
        question = f'<p class="dl-question">{html.escape(self.question)}</p>'
        guess = guess_fragment("guess", self.key, question, _json(spec))
        return f'<div class="dl-first">{self.player.to_html()}{guess}</div>' if self.player else guess

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        if has_kernel():
            progress.note_opened(self.lesson)
            if has_widgets():
                from diffusion_lab.widgets import guess_link, link

                if self.player:
                    link.show(self.player)
                guess_link.show(self)
        still = {"image/png": self.player.still} if self.player else {}
        return {"text/html": self.to_html(), **still, "text/plain": repr(self)}

    def answer(self, answer: Any, text: str = "") -> "Answer":
        """Put the guess beside the answer; show it by making it the last line of a cell.

        Args:
            answer: a number or a text, said as the guess is.
            text: what the two have to do with each other, or what the answer means, in sentences.
        """
        return Answer(self, answer, text)


class Answer:
    """A guess beside the answer. The page knows a guess that was noted there, even with no kernel."""

    def __init__(self, guess: Guess, answer: Any, text: str):
        """Compare `guess`, as it is now, with `answer`; `text` says more."""
        self.key, self.words, self.value, self.text = guess.key, guess.words, guess.value, text
        self.answer = guess.words.replace("{}", str(answer))

    @property
    def guessed(self) -> str:
        """The guess in words, also when none was noted."""
        if self.value is None:
            return "none yet: it can be noted at the top of the page"
        return self.words.replace("{}", str(self.value))

    def __repr__(self) -> str:
        """One line: guess, answer and what they mean."""
        return f"Your guess: {self.guessed}. The answer: {self.answer}. {self.text}".strip()

    def to_html(self) -> str:
        """Give the self-contained fragment; it needs no kernel and no network."""
        none = "" if self.value is not None else " dl-none"
        compared = (
            f'<div><dt>your guess</dt><dd class="dl-yours{none}">{html.escape(self.guessed)}</dd></div>'
            f"<div><dt>the answer</dt><dd>{html.escape(self.answer)}</dd></div>"
        )
        words = f'<dl class="dl-compared">{compared}</dl><p>{html.escape(self.text)}</p>'
        spec = {"key": self.key, "words": self.words, "value": self.value}
        return guess_fragment("answer", self.key, words, _json(spec))

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": repr(self)}


def _json(spec: dict) -> str:
    return json.dumps(spec, separators=(",", ":")).replace("</", "<\\/")


def _counting(
    low: int | float | None, high: int | float | None, step: int | float, start: int | float | None
) -> dict:
    """A number on a slider, with a field."""
    if low is None or high is None or not low < high:
        raise ValueError(f"low and high: two numbers were wanted, the lower one first, got {low} and {high}")
    if not 0 < step <= high - low:
        raise ValueError(f"step: a number above 0 and up to high - low was wanted, got {step}")
    if start is None:
        start = low + round((high - low) / 2 / step) * step
    if not low <= start <= high:
        raise ValueError(f"start: a number from {low} to {high} was wanted, got {start}")
    return {"kind": "number", "low": low, "high": high, "step": step, "start": start}


def _choosing(options: Sequence[str]) -> dict:
    """One of a few texts."""
    texts = [] if isinstance(options, str) else [option for option in options if isinstance(option, str)]
    if len(texts) < max(2, len(options)) or len(set(texts)) < len(texts):
        raise ValueError(f"options: a list of two different texts or more was wanted, got {options!r}")
    return {"kind": "choice", "options": texts}


def _following(player: Player | None, label: str | None) -> dict:
    """Where a slider of the player stands, the first if none is named."""
    if player is not None and label is None:
        label = next(iter(player.options))
    if player is None or label not in player.options:
        labels = ", ".join(player.options) if player else "there is no player"
        raise ValueError(f"follows: the label of a slider of the player was wanted ({labels}), got {label!r}")
    values, place = player.options[label], list(player.options).index(label)
    counted = values == list(range(len(values)))
    return {"kind": "player", "slider": place, **({"count": len(values)} if counted else {"values": values})}
