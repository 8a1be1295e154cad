"""Answers out of whatever a student made of the exercise, and back into a pristine key."""

import copy
import json
import random
import textwrap
import time
from pathlib import Path

import nbformat
import pytest
from fuzz import SLOW, examine, mutants
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell

from diffusion_lab.grading import answers, submissions
from diffusion_lab.grading.answers import extract, graft, recognise, rewritten
from diffusion_lab.grading.keys import Key, load

SOLUTIONS = Path(__file__).parents[2] / "solutions"
ANSWER = "# ANSWER 1.2\ndef my_forward_step(x_prev, t, schedule, noise):\n    return x_prev"
OTHER = ANSWER.replace("return x_prev", "return noise")


@pytest.fixture(scope="module")
def key() -> Key:
    return load("01", SOLUTIONS)


def renumber(notebook, number: str) -> None:
    """Make of exercise 01 another one, with other marks, labels and ids."""
    notebook.metadata.diffusion_lab.exercise = f"0{number}"
    for cell in notebook.cells:
        cell.source = cell.source.replace("ANSWER 1.", f"ANSWER {number}.")
        cell.id = cell.id.replace("1-", f"{number}-")
        if label := cell.metadata.get("diffusion_lab"):
            label.task = label.task.replace("1.", f"{number}.", 1)


class Student:
    """A notebook to write into: the blank, and cells of it by their ids."""

    def __init__(self, key: Key):
        self.key, self.notebook = key, copy.deepcopy(key.blank)

    def __getitem__(self, name: str):
        return next(cell for cell in self.notebook.cells if cell.id == name)

    def place(self, name: str) -> int:
        return self.notebook.cells.index(self[name])

    def add(self, source: str, at: str = "ex01-end", kind=new_code_cell, **more) -> None:
        self.notebook.cells.insert(self.place(at), kind(source, **more))

    def remove(self, name: str) -> None:
        self.notebook.cells.remove(self[name])

    def extracted(self) -> answers.Answers:
        return extract(submissions.read(json.dumps(self.notebook).encode()), self.key)

    def got(self, task: str = "1.2") -> tuple[str, str | None, str]:
        """How a task was found, its source, and all notes."""
        found = self.extracted()
        return found.how[task], found.sources.get(task), "; ".join(found.notes)


@pytest.fixture
def student(key) -> Student:
    return Student(key)


# finding


def test_a_solution_has_all_answers_and_a_blank_none(key):
    full = extract(submissions.read(nbformat.writes(key.solution).encode()), key)
    assert set(full.how.values()) == {"marker"}
    assert list(full.sources) == [task.number for task in key.tasks]
    assert "cumprod" in full.sources["1.3"]
    assert full.sources["1.5"].startswith("The variance of the last picture.")
    empty = extract(submissions.read(nbformat.writes(key.blank).encode()), key)
    assert set(empty.how.values()) == {"blank"}
    assert (empty.sources, empty.notes, full.notes) == ({}, [], [])


def test_the_order_of_the_rules(student):
    student["answer-1-2"].source = ANSWER
    assert student.got() == ("marker", ANSWER, "")
    bare = ANSWER.split("\n", 1)[1]
    student["answer-1-2"].source = bare
    assert student.got() == ("id", bare, "")
    student["answer-1-2"].update(id="new", metadata={"id": "answer-1-2"})
    assert student.got() == ("metadata.id", bare, "")
    student["new"].metadata = {"diffusion_lab": {"task": "1.2", "role": "answer"}}
    assert student.got() == ("label", bare, "")
    student["new"].metadata = {}
    assert student.got() == ("names", bare, "")
    student["new"].update(cell_type="markdown", id="answer-1-2")
    how, source, notes = student.got()
    assert (how, source) == ("text", bare)
    assert "is a cell of text" in notes
    student["answer-1-2"].update(id="new", metadata={"diffusion_lab": {"task": "1.2", "role": "answer"}})
    assert student.got()[:2] == ("text", bare)
    student["new"].metadata = {"diffusion_lab": {"task": "1.2", "role": "statement"}}
    assert student.got() == ("missing", None, "")
    student.remove("new")
    assert student.got() == ("missing", None, "")


def test_a_mark_goes_before_an_id_and_an_id_before_a_name(student):
    student["answer-1-3"].source = OTHER  # the cell of another task, with the mark of this one
    student["answer-1-2"].source = ANSWER.split("\n", 1)[1]
    student.add(ANSWER.split("\n", 1)[1].replace("x_prev", "t"))
    found = student.extracted()
    assert found.sources["1.2"] == OTHER
    blank = dict.fromkeys(("1.1", "1.4", "1.5", "1.6"), "blank")
    assert found.how == blank | {"1.2": "marker", "1.3": "missing"}
    student["answer-1-3"].source = "pass"
    assert student.got()[:2] == ("id", student["answer-1-2"].source)


def test_an_id_goes_before_a_label_and_a_label_before_a_name(student):
    bare = ANSWER.split("\n", 1)[1]
    other = bare.replace("return x_prev", "return noise")
    student["answer-1-2"].source = bare
    student.add(other, metadata={"diffusion_lab": {"task": "1.2", "role": "answer"}})
    assert student.got()[:2] == ("id", bare)
    student["answer-1-2"].update(id="new", metadata={})
    assert student.got()[:2] == ("label", other)


@pytest.mark.parametrize(
    "label",
    [
        None,
        [],
        "1.2",
        {},
        {"task": "1.2"},
        {"task": "1.2", "role": "check"},
        {"task": "1.2", "role": ["answer"]},
        {"task": 1.2, "role": "answer"},
        {"task": "1.2.3", "role": "answer"},
        {"task": "1.2", "role": "answer", "points": "all"},
        {"task": "1.2", "role": "answer", "points": True},
        {"task": "1.2", "role": "answer", "title": {}},
    ],
)
def test_a_label_that_we_have_not_written_is_none(student, label):
    student["answer-1-2"].update(source="x = 1", id="new", metadata={"diffusion_lab": label})
    assert student.got()[0] == "missing"


@pytest.mark.parametrize(
    "mark", ["# ANSWER 1.2", "#ANSWER 1.2", "## ANSWER: 1.2", "  # ANSWER 1.2 (mine)", "#\tANSWER 1.2"]
)
def test_marks_that_were_typed_again(student, mark):
    student["answer-1-2"].update(source=ANSWER.replace("# ANSWER 1.2", mark), id="new")
    assert student.got()[0] == "marker"


@pytest.mark.parametrize(
    "mark", ["# ANSWER 1.20", "# ANSWER 11.2", "# ANSWERS 1.2", "ANSWER 1.2", "x = 1  # ANSWER 1.2"]
)
def test_what_is_not_the_mark(student, mark):
    student["answer-1-2"].update(source=ANSWER.replace("# ANSWER 1.2", mark), id="new")
    assert student.got()[0] != "marker"


def test_reordered_cells(student):
    student["answer-1-2"].source = ANSWER
    expected = student.extracted()
    random.Random(1).shuffle(student.notebook.cells)
    assert student.extracted() == expected


def test_windows_line_ends(student, key):
    student["answer-1-2"].source = ANSWER.replace("\n", "\r\n")
    assert student.got() == ("marker", ANSWER, "")
    ends = nbformat.writes(key.blank).replace("\\n", "\\r\\n").encode()
    assert extract(submissions.read(ends), key).how["1.2"] == "blank"


# several, split, merged


def test_duplicates_are_joined_in_order_and_flagged(student):
    student["answer-1-2"].source = ANSWER
    student.add(OTHER)
    how, source, notes = student.got()
    assert (how, source) == ("marker", f"{ANSWER}\n{OTHER}")
    assert f"1.2: 2 cells answer it (8, {student.place('ex01-end')})" in notes


def test_a_copy_that_is_still_blank_does_not_undo_the_answer(student, key):
    student.add(student["answer-1-2"].source.replace("  # your code here", ""))
    student["answer-1-2"].source = ANSWER
    assert student.got() == ("marker", ANSWER, "")


def test_repeated_ids_are_joined_as_well(student):
    source = student["answer-1-2"].source = ANSWER.split("\n", 1)[1]
    student.notebook.cells.append(copy.deepcopy(student["answer-1-2"]))
    how, joined, notes = student.got()
    assert (how, joined) == ("id", f"{source}\n{source}")
    assert "2 cells answer it" in notes


def test_an_answer_written_elsewhere_while_its_cell_is_blank(student):
    bare = ANSWER.split("\n", 1)[1]
    student.add(bare)
    how, source, notes = student.got()
    assert (how, source) == ("names", bare)
    assert "1.2: its answer cell is blank; cell 25, which defines the same, was taken" in notes


@pytest.mark.parametrize("cut", [1, 2])
def test_a_split_answer_is_joined(student, cut):
    lines = [*ANSWER.replace("return", "y =").split("\n"), "    return y"]
    student["answer-1-2"].source = "\n".join(lines[: cut + 1])
    student.add("\n".join(lines[cut + 1 :]), at="check-1-2")
    how, source, notes = student.got()
    assert (how, source) == ("marker", "\n".join(lines))
    assert "split into several cells (8, 9)" in notes


def test_a_helper_cut_off_from_its_function_is_joined_but_a_check_never(student):
    student["answer-1-2"].source = "# ANSWER 1.2\ndef helper():\n    return 1"
    assert student.got()[1] == student["answer-1-2"].source
    student.add(ANSWER.split("\n", 1)[1], at="ex01-1-3")  # behind the check
    assert student.got()[1] == student["answer-1-2"].source
    student.add("import math", at="check-1-2")
    student.add(ANSWER.split("\n", 1)[1], at="check-1-2")
    source = student.got()[1]
    assert source.startswith("# ANSWER 1.2\ndef helper():\n    return 1\nimport math\ndef my_forward_step")
    assert "check." not in source


def test_answers_merged_into_one_cell_are_cut_at_the_marks(student):
    third = "# ANSWER 1.3\ndef my_add_noise(x_0, t, noise, betas):\n    return x_0"
    student["answer-1-2"].source = f"import math\n{ANSWER}\n{third}"
    student.remove("answer-1-3")
    found = student.extracted()
    assert found.sources == {"1.2": f"import math\n{ANSWER}\n", "1.3": third}
    assert "cell 8 holds the answers 1.2, 1.3" in found.notes[0]


def test_a_mark_inside_a_text_cuts_nothing(student):
    source = f'{ANSWER}\nx = """\n# ANSWER 1.3\n"""'
    student["answer-1-2"].source = source
    student.remove("answer-1-3")
    found = student.extracted()
    assert found.sources == {"1.2": source}
    assert "all of it was taken for 1.2" in found.notes[0]


def test_markdown_with_fences(student):
    student["answer-1-2"].update(cell_type="markdown", source=f"```python\n{ANSWER}\n```")
    assert student.got()[:2] == ("text", ANSWER + "\n")


# what a human reads


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('# ANSWER 1.5\nmy_reason = """It is beta\n× 2."""', "It is beta\n× 2."),
        ("# ANSWER 1.5\nThe variance, isn't it", "The variance, isn't it"),
        ('# ANSWER 1.5\n"just so"', "just so"),
        ("# ANSWER 1.5\nmy_reason = 1 + 1", "my_reason = 1 + 1"),
        ('# ANSWER 1.5\nmy_reason = "  "', None),
        ('# ANSWER 1.5\nmy_reason = """ """  # the variance', 'my_reason = """ """  # the variance'),
    ],
)
def test_a_sentence_is_kept_as_text_and_never_run(student, key, source, text):
    student["answer-1-5"].source = source
    found = student.extracted()
    assert found.sources.get("1.5") == text
    grafted = graft(key.solution, found)
    answers = [
        next(cell.source for cell in notebook.cells if cell.id == "answer-1-5")
        for notebook in (grafted, key.blank)
    ]
    assert answers[0] == answers[1]
    assert found.notes == []


# notes


def test_helpers_outside_are_named_and_not_run(student, key):
    student.add("def helper(x):\n    return x\nimport numpy as np\nunused = 1", at="ex01-1-1")
    student["ex01-setup"].source += "\nimport math"
    student["answer-1-2"].source = ANSWER.replace(
        "return x_prev", "return helper(np.sqrt(math.pi) * torch.ones(1))"
    )
    _, _, notes = student.got()
    assert "1.2 uses helper, np of cell 4, which is not an answer cell and is not run" in notes
    assert "1.2 uses math of cell 3" in notes
    assert "unused" not in notes
    assert "torch" not in notes
    grafted = str(graft(key.solution, student.extracted()))
    assert "def helper" not in grafted
    assert "import math" not in grafted


def test_a_notebook_of_another_exercise_is_said(student):
    renumber(student.notebook, "3")
    for cell in student.notebook.cells:
        cell.source = cell.source.replace("my_", "mine_")
    found = student.extracted()
    assert set(found.how.values()) == {"missing"}
    passed_over = "marks of other tasks were passed over: 3.1, 3.2, 3.3, 3.4, 3.5 and 1 more"
    assert f"{passed_over}; this is exercise 01" in found.notes


REWRITTEN = [
    "!ls",
    "%time x = 1",
    "%%bash\nls",
    "x = !ls",
    "x = %pwd",
    "len?",
    "?len",
    ">>> x = 1",
    "In [1]: x = 1",
    "    !ls",
    "/len x",
    ",f a",
    ";f a",
    "x = 1\n!ls",
    "for k in x:\n    !echo $k",
    '"""doc\n>>> x\n"""',
]
KEPT = [
    "x = 1",
    "y = 7 % 3",
    "x = a != b",
    "def f():\n    '''%%bash'''",
    "x = '!ls'",
    "x = [1, ...]",
    "# !ls",
    "a = b % c",
]


@pytest.mark.parametrize("source", REWRITTEN + KEPT)
def test_what_a_notebook_would_rewrite_is_seen_as_ipython_sees_it(source):
    ipython = TransformerManager().transform_cell(source).strip() != source.strip()
    assert (
        ipython == (source in REWRITTEN) or '"""doc' in source
    )  # newer versions leave a prompt in a text alone
    assert bool(rewritten(source)) == (source in REWRITTEN)


def test_commands_are_kept_and_noted_with_their_line(student, key):
    student["answer-1-2"].source = source = f"{ANSWER}\n!curl example.org"
    _, got, notes = student.got()
    assert got == source
    assert "1.2 holds a notebook command or prompt in line 4" in notes
    assert source in [cell.source for cell in graft(key.solution, student.extracted()).cells]


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("# ANSWER 1.2\ndef f(:", "1.2 is not valid Python"),
        (f"# ANSWER 1.2\n{'x = 1;' * 10_000}", "1.2 is too long"),
        (f"# ANSWER 1.2\nx = {'(' * 5000}", "not valid Python"),
        (f"# ANSWER 1.2\nx = a{'.b' * 14_000}", "not valid Python"),
        ("# ANSWER 1.2\nx = '\0'", "not valid Python"),
    ],
)
def test_code_that_cannot_be_parsed_is_kept_and_noted(student, source, note):
    student["answer-1-2"].source = source
    _, got, notes = student.got()
    assert got == source
    assert note in notes


def test_there_are_not_too_many_notes(student):
    for k in range(100):
        student.add(f"def helper{k}(): pass")
    student["answer-1-2"].source = ANSWER + "".join(f"\nhelper{k}()" for k in range(100))
    notes = student.extracted().notes
    assert len(notes) == answers.MAX_NOTES + 1
    assert notes[-1] == "70 more notes"


# grafting


def test_only_answers_change_and_only_checks_keep_outputs(student, key):
    student["answer-1-2"].source = ANSWER
    student["check-1-3"].source = "print('1.3 solved, 3 points: mean 0.893, variance 0.411')"
    student["answer-1-2"].metadata = {"tags": ["raises-exception"]}
    before = copy.deepcopy(key.solution)
    grafted = graft(key.solution, student.extracted())
    assert key.solution == before
    nbformat.validate(grafted)
    printed = {cell.id: cell for cell in key.solution.cells if cell.id.startswith("check-")}
    for cell, old in zip(grafted.cells, key.blank.cells, strict=True):
        if cell.id in printed:
            run = printed[cell.id]
            assert cell == old | {"execution_count": run.execution_count, "outputs": run.outputs}
        else:
            assert cell == (old | {"source": ANSWER} if cell.id == "answer-1-2" else old)
    assert [cell.id for cell in grafted.cells if cell.get("outputs")] == [
        task.check_cell_id for task in key.tasks if task.check_cell_id
    ]
    assert "raises-exception" not in str(grafted)


def test_the_outputs_that_the_key_printed_are_what_is_wanted(key):
    run = copy.deepcopy(key.solution)
    for cell in run.cells:
        if cell.id == "check-1-2":
            cell.outputs[0].text = "1.2 solved, 2 points: under another nonce"
    grafted = graft(run, answers.Answers({}, {}, []))
    assert "under another nonce" in str(grafted)
    for cell in run.cells:
        if cell.id == "check-1-2":
            cell.outputs = []
    with pytest.raises(ValueError, match="check-1-2: a check must have printed"):
        graft(run, answers.Answers({}, {}, []))


@pytest.mark.parametrize(
    "mark",
    [
        "# NBVAL_SKIP",
        "  #  NBVAL_IGNORE_OUTPUT",
        "#PYTEST_VALIDATE_IGNORE_OUTPUT",
        "\x0c# NBVAL_RAISES_EXCEPTION",
        "\u2028#NBVAL_CHECK_OUTPUT",
    ],
)
def test_marks_of_nbval_are_switched_off(student, key, mark):
    from nbval.plugin import find_comment_markers

    student["answer-1-2"].source = f"{ANSWER}\n{mark}\nNBVAL_x = 1"
    assert list(find_comment_markers(student["answer-1-2"].source))
    found = student.extracted()
    assert "1.2 bears marks of nbval; they were switched off" in found.notes
    source = next(cell.source for cell in graft(key.solution, found).cells if cell.id == "answer-1-2")
    assert not list(find_comment_markers(source))
    compile(source.replace("\x0c", "").replace("\u2028", ""), "answer", "exec")


# which exercise


def without(notebook, *lost: str):
    """A copy of a notebook that has lost its marks, labels or ids."""
    made = copy.deepcopy(notebook)
    for number, cell in enumerate(made.cells):
        if "marks" in lost:
            cell.source = cell.source.replace("# ANSWER", "# answer")
        if "labels" in lost:
            cell.metadata.pop("diffusion_lab", None)
        if "ids" in lost:
            cell.id = f"cell-{number}"
    return made


@pytest.mark.parametrize(
    "lost", [(), ("labels", "ids"), ("marks", "ids"), ("marks", "labels"), ("marks", "labels", "ids")]
)
def test_an_exercise_is_recognised_by_marks_labels_ids_or_what_the_notebook_says(key, lost):
    other = copy.deepcopy(key.blank)
    renumber(other, "2")
    second = key._replace(exercise="02", blank=other)
    for notebook, expected in ((key.blank, key), (other, second)):
        assert recognise(without(notebook, *lost), [second, key]) is expected
        assert recognise(without(notebook, *lost), [key, second]) is expected


def test_what_stands_in_the_cells_outweighs_what_the_notebook_says(key):
    other = copy.deepcopy(key.blank)
    renumber(other, "2")
    second = key._replace(exercise="02", blank=copy.deepcopy(other))
    other.metadata.diffusion_lab.exercise = "01"
    assert recognise(other, [key, second]) is second


def test_an_exercise_is_not_recognised_where_nothing_tells(student, key):
    other = copy.deepcopy(key.blank)
    renumber(other, "2")
    second = key._replace(exercise="02", blank=other)
    student.notebook.cells, student.notebook.metadata = [new_markdown_cell("nothing")], {}
    assert recognise(student.notebook, [key, second]) is None
    assert recognise(student.notebook, []) is None


# mutated notebooks


def test_two_hundred_mutated_notebooks_give_one_result_each(key):
    results = [examine(name, data, key) for name, data in mutants(key, seed=7, count=200)]
    assert len(results) == 200
    assert {result.outcome for result in results} >= {"unreadable", "some", "all"}
    assert max(result.seconds for result in results) < SLOW


@pytest.mark.parametrize("harm", ["raise", "check", "mark"])
def test_the_fuzz_sees_what_must_not_be(key, harm, monkeypatch):
    def harmful(notebook, found):
        made = graft(notebook, found)
        if not found.sources:
            return made
        if harm == "raise":
            raise KeyError("x")
        cell = next(
            cell for cell in made.cells if cell.id == ("check-1-2" if harm == "check" else "answer-1-2")
        )
        cell.source = "print()" if harm == "check" else "# NBVAL_SKIP"
        return made

    monkeypatch.setattr("fuzz.graft", harmful)
    with pytest.raises((KeyError, AssertionError)):
        examine("solved", nbformat.writes(key.solution).encode(), key)


def test_a_large_notebook_is_extracted_in_time(student):
    body = textwrap.indent("y = x_prev + 1\n" * 1000, "    ")
    for k in range(10):
        student.add(f"{ANSWER}\n{body}    return y + helper{k}()")
    student.notebook.cells += [new_code_cell(f"def helper{k}(): pass") for k in range(3000)]
    begin = time.process_time()
    assert student.got()[0] == "marker"
    assert time.process_time() - begin < 5
