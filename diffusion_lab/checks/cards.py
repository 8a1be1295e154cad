"""What a check shows in a notebook: a card in place of the plain lines that a terminal shows.

A card is HTML with no script. It takes the colours of the page around it, light or dark. Hints are ``details``,
which open with a click or with the keyboard, one after the other.

Cards are shown by a kernel with a front end. Where notebooks are tested or graded, and in a terminal, the plain lines
are printed instead: nbval compares all that a cell shows, and only the lines are meant to be compared. The environment
variable ``DIFFUSION_LAB_CARDS`` overrides this: ``off`` for plain lines in every kernel, ``on`` for cards in all.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from diffusion_lab import progress
from diffusion_lab.checks import cells
from diffusion_lab.course import declaration

SWITCH = "DIFFUSION_LAB_CARDS"
STYLE = """
.dl-card {
  --dl-tone: #6e7781; max-width: 720px; margin: 0.3em 0; padding: 0.6em 1em; border-radius: 4px;
  border-left: 5px solid var(--dl-tone); background: color-mix(in srgb, var(--dl-tone) 10%, transparent);
  font: 14px / 1.5 system-ui, sans-serif;
}
.dl-card.dl-solved { --dl-tone: #2da44e; }
.dl-card.dl-wrong { --dl-tone: #d55e00; }
.dl-card p { margin: 0.25em 0; }
.dl-card .dl-head { font-weight: 600; }
.dl-card .dl-details { margin: 0.4em 0; font: 13px / 1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
.dl-card ul { margin: 0.4em 0; padding: 0; list-style: none; }
.dl-card ul b { font-variant-numeric: tabular-nums; }
.dl-card .dl-note { font-size: 13px; }
.dl-card a { text-decoration: underline; color: inherit; }
.dl-card details { margin: 0.4em 0; }
.dl-card summary {
  display: inline-block; padding: 0.15em 0.8em; border: 1px solid currentColor; border-radius: 4px;
  cursor: pointer; list-style: none;
}
.dl-card summary::-webkit-details-marker { display: none; }
.dl-card summary:hover, .dl-card details[open] > summary {
  background: color-mix(in srgb, currentColor 12%, transparent);
}
.dl-card summary:focus-visible, .dl-card a:focus-visible { outline: 2px solid #d55e00; outline-offset: 2px; }
"""


def has_front_end() -> bool:
    """Whether a card would be seen here: in the kernel of a notebook that is neither tested nor graded."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return False
    switch = os.environ.get(SWITCH, "").lower()
    return switch not in progress.OFF if switch else not progress.is_tested()


def show(card: str, text: str) -> None:
    """Show a card; where it would not be seen, print the text that it stands for."""
    if has_front_end():
        shell = sys.modules["IPython"].get_ipython()
        shell.display_pub.publish({"text/html": card, "text/plain": text})
    else:
        print(text)


def solved(task: str, points: int, numbers: Mapping[str, str], meaning: str) -> str:
    """Make the card of a task that is solved.

    Args:
        task: its number, such as "1.2".
        points: what it is worth.
        numbers: as they are printed, by what they are.
        meaning: a sentence on where they come from.
    """
    rows = [f"<li>{_text(name)} <b>{value}</b></li>" for name, value in numbers.items()]
    return _card(
        "solved",
        f"✓ {task} solved: {cells.worth(points)}",
        f"<ul>{''.join(rows)}</ul>",
        f'<p class="dl-note">{meaning}</p>',
    )


def blank(task: str, text: str, hints: Sequence[str]) -> str:
    """Make the card of a task with no answer yet; `text` says what is to be done."""
    return _card("blank", f"○ {task} is still blank", _paragraph(text), _hints(task, hints))


def wrong(
    task: str,
    mistake: str,
    text: str,
    details: Sequence[str],
    section: tuple[str, str],
    hints: Sequence[str],
) -> str:
    """Make the card of an answer that is wrong.

    Args:
        task: its number, such as "1.2".
        mistake: its name in the catalogue, or what else the check calls it.
        text: the sentence on it.
        details: further lines, such as the inputs and numbers that differ.
        section: where to read about it: the number of a lesson, and the title of a section of it.
        hints: all that there are.
    """
    return _card(
        "wrong",
        f"✗ {task} is not right yet: {mistake}",
        _paragraph(text),
        "".join(f'<p class="dl-details">{escape(line)}</p>' for line in details),
        f"<p>Read again: {_link_to(*section)}</p>",
        _hints(task, hints),
    )


def _card(kind: str, heading: str, *parts: str) -> str:
    heading = escape(heading)
    return (
        f'<div class="dl-card dl-{kind}" role="group" aria-label="{heading}"><style>{STYLE}</style>'
        f'<p class="dl-head">{heading}</p>{"".join(parts)}</div>'
    )


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def _text(text: str) -> str:
    """A sentence of the catalogue as HTML: `code` and *stress* are marked as in Markdown."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"(?<![\w*])\*(\w[^*<]*)\*(?![\w*])", r"<em>\1</em>", text)


def _hints(task: str, hints: Sequence[str]) -> str:
    """All hints, each inside the one before it, so that they come one by one."""
    made = ""
    for number, hint in reversed(list(enumerate(hints, 1))):
        made = (
            # JupyterLab takes keys away from an element unless the element itself says that it wants them
            f'<details><summary data-lm-suppress-shortcuts="true">Hint {number} of {len(hints)}</summary>'
            f"{_paragraph(hint)}{made}</details>"
        )
    return made


def _link_to(lesson: str, title: str) -> str:
    """Lead to a section of a lesson, as JupyterLab names it; plain text where the lesson is not there."""
    text = escape(f'lesson {lesson}, section "{title}"')
    files = {declared.label: declared.file for declared in declaration.read().lessons}
    path = Path("..", "notebooks", files.get(lesson, ""))  # a kernel works in the folder of its notebook
    if not path.is_file():
        return text
    anchor = quote(title.replace(" ", "-"), safe="?,:;()'!")
    return f'<a href="{escape(path.as_posix())}#{anchor}">{text}</a>'
