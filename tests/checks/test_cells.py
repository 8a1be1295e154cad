"""Labels and marks: written as they are read, and nothing that somebody else has written is taken for one."""

import time

import nbformat
import pytest

from diffusion_lab.checks import cells
from diffusion_lab.checks.cells import ANSWER, CHECK, STATEMENT, Label, Mark


@pytest.mark.parametrize(
    ("label", "entry"),
    [
        (Label("1.2", ANSWER), {"task": "1.2", "role": "answer"}),
        (Label("10.12", CHECK), {"task": "10.12", "role": "check"}),
        (
            Label("1.2", STATEMENT, "A title", 2, "1. One step", "Think."),
            {
                "task": "1.2",
                "role": "statement",
                "title": "A title",
                "points": 2,
                "section": "1. One step",
                "hint": "Think.",
            },
        ),
        (
            Label("1.5", STATEMENT, "Why"),
            {"task": "1.5", "role": "statement", "title": "Why", "points": 0},
        ),
    ],
)
def test_a_label_is_read_as_it_was_written(label, entry):
    old = {"tags": ["a"], "diffusion_lab": {"task": "9.9", "role": "answer"}}
    metadata = cells.labelled(old, label)
    assert metadata == {"tags": ["a"], "diffusion_lab": entry}
    assert cells.label({"metadata": metadata}) == label
    assert cells.label(nbformat.v4.new_markdown_cell(metadata=metadata)) == label
    assert cells.labelled(old, None) == {"tags": ["a"]}
    assert old["diffusion_lab"]["task"] == "9.9"


@pytest.mark.parametrize("metadata", [None, 1, [], "x", {}, {"diffusion_lab": 1}, {"diffusion_lab": {}}])
def test_what_has_no_label_has_none(metadata):
    assert cells.label({"metadata": metadata}) is None
    assert cells.exercise({"metadata": metadata}) is None
    assert cells.label({}) is None


def test_which_exercise_a_notebook_is():
    assert cells.exercise({"metadata": {"diffusion_lab": {"exercise": "01"}}}) == "01"
    assert cells.exercise({"metadata": {"diffusion_lab": {"exercise": "x1"}}}) is None


def test_marks_are_found_with_their_places():
    source = "# ANSWER 1.2\nx = 1  # ANSWER 1.3\n  ## ANSWER: 1.4 (mine)\n# ANSWERS 1.5\n# ANSWER 1.2.3\n"
    assert cells.marks(source) == [Mark("1.2", 0), Mark("1.4", source.index("  ##"))]
    assert cells.marks_anywhere(source) == ["1.2", "1.3", "1.4"]
    assert cells.marked_task(source) == "1.2"
    assert cells.marked_task("\n" + source) is None
    assert cells.without_marks("# ANSWER 1.2 mine\nx") == " mine\nx"


@pytest.mark.parametrize(
    "text",
    ["#" * 2_000_000, "# ANSWER" + " " * 2_000_000, "# " * 1_000_000, "# ANSWER" * 250_000, " " * 2_000_000],
)
def test_no_text_takes_long(text):
    begin = time.process_time()
    assert cells.marks(text) == []
    assert cells.marks_anywhere(text) == []
    assert time.process_time() - begin < 5


def test_what_a_check_prints_begins_with_the_task_and_its_worth():
    assert cells.solved("1.2", 1) == "1.2 solved, 1 point: "
    assert cells.solved("1.2", 2) == "1.2 solved, 2 points: "


def test_a_title_can_be_printed():
    assert cells.plain(r"at its own $t$, with $\eta$") == "at its own t, with eta"
