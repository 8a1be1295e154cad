"""An answer in numbers, as plain data that can be sent and kept."""

from typing import Any, NamedTuple

MOST = 100  # numbers of one answer that are kept
LONGEST = 500  # characters of how it is shown


class Given(NamedTuple):
    """A number, under the label "", or a dict of numbers, as the student gave them."""

    numbers: dict[str, float | str | None]  # None where it is blank, and a text where it is no number
    shown: str  # as Python shows it


def given(answer: Any) -> Given:
    """Read an answer."""
    entries = answer if isinstance(answer, dict) else {"": answer}
    numbers = {_label(label): _number(value) for label, value in list(entries.items())[:MOST]}
    return Given(numbers, repr(answer)[:LONGEST])


def _label(label: Any) -> str:
    return label if isinstance(label, str) else f"{label!r} (no text)"


def _number(value: Any) -> float | str | None:
    if value is None or value is ...:
        return None
    if isinstance(value, str | bytes):
        return "a text"
    try:
        return float(value)
    except (TypeError, ValueError):
        return "no number"
