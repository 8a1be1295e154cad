"""Taking a student's answers out of a notebook, and putting them into a pristine key.

An answer is found by the first of these that succeeds: the mark ``# ANSWER 1.2`` in a code cell; the id of
the answer cell; the same in ``metadata.id``, where Colab keeps it; the label in its metadata; a code cell that
defines the same names; the mark, the id or the label on a cell of text. Nothing is ever executed here.
"""

import ast
import copy
import functools
import re
from collections.abc import Iterable, Iterator, Set
from itertools import pairwise
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from diffusion_lab.checks import build, cells
from diffusion_lab.checks.cells import ANSWER, CHECK
from diffusion_lab.grading.keys import Key, answer_cells, explained
from diffusion_lab.grading.syntax import MAX_PARSED, parse

SPLIT = 8
"""Cells behind an answer cell that may hold the rest of an answer which was split."""
MAX_NOTES = 30
"""Notes on one notebook."""

_NBVAL = re.compile(r"NBVAL_|PYTEST_VALIDATE_")
_COMMAND = re.compile(r"^[ \t]*[%!?,;/]|\?[ \t]*$|=[ \t]*[%!]", re.M)
_PROMPT = re.compile(r"^[ \t]*(>>>|In \[\d+\]:)", re.M)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*\n?", re.M)
_DEFINITION = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*=[^=]", re.M)


class Answers(NamedTuple):
    """What a student answered, by the numbers of the tasks."""

    sources: dict[str, str]  # code; the bare text of what a human reads; no entry where nothing was answered
    how: dict[str, str]  # for every task: marker, id, metadata.id, label, names, text; or blank, missing
    notes: list[str]


class _Cell(NamedTuple):
    place: int  # counted from 1, as a human would
    kind: str
    ids: tuple[str, str | None]
    task: str | None  # whose answer it is, as its label says
    source: str


def extract(notebook: NotebookNode, key: Key) -> Answers:
    """Find the answers to the tasks of a key in a notebook that `submissions.read` gave.

    Several cells for one task are joined in their order, except such that are still blank, and noted. So are
    an answer that was split into several cells or turned into text, what an answer uses of the cells that are
    not graded, code that is no Python, notebook commands, and marks of nbval.
    """
    try:
        return _Extraction(notebook, key).answers()
    finally:
        _tree.cache_clear()
        _names.cache_clear()


def recognise(notebook: NotebookNode, keys: Iterable[Key]) -> Key | None:
    """Tell which exercise a notebook is of: the key that it shares most marks, labels and ids with, or None."""
    tasks = {mark.task for cell in notebook.cells for mark in cells.marks(cell.source)}
    tasks |= {task for cell in notebook.cells if (task := _labelled(cell))}
    ids = {name for cell in notebook.cells for name in (cell.id, cell.metadata.get("id"))}
    exercise = cells.exercise(notebook)

    def shared(key: Key) -> int:
        answers = answer_cells(key.blank)
        same_ids = ids & {cell.id for cell in answers.values()}
        return len(tasks & answers.keys()) + len(same_ids) + (exercise == key.exercise)

    best = max(keys, key=shared, default=None)
    return best if best is not None and shared(best) else None


def _labelled(cell: NotebookNode) -> str | None:
    """The task whose answer a cell holds, as its label says."""
    label = cells.label(cell)
    return label.task if label and label.role == ANSWER else None


def graft(key_notebook: NotebookNode, answers: Answers) -> NotebookNode:
    """Put answers into a copy of a key that was run: only the sources of its answer cells change.

    A task without an answer gets its blank, and so does one that a human reads. What the checks of the key
    have printed stays, as what is wanted; the rest of the outputs goes, so that nbval compares nothing but
    checks. Marks of nbval in an answer are switched off.

    Raises:
        ValueError: if a check of the key has not printed, which would pass whatever the answer does.
    """
    made = nbformat.from_dict(build.exercise(copy.deepcopy(key_notebook)))
    for cell, run in zip(made.cells, key_notebook.cells, strict=True):
        cell.source = "".join(cell.source)
        label = cells.label(cell)
        if label and label.role == CHECK:
            cell.execution_count, cell.outputs = run.execution_count, copy.deepcopy(run.outputs)
    read_by_human = explained(made)
    for number, cell in answer_cells(made).items():
        if number in answers.sources and number not in read_by_human:
            cell.source = _NBVAL.sub(lambda mark: mark[0].lower(), answers.sources[number])
    return made


class _Extraction:
    """The state of one `extract`: which cells are taken, and for which task."""

    def __init__(self, notebook: NotebookNode, key: Key):
        self.key, self.notes = key, []
        self.wanted, self.explained = answer_cells(key.blank), explained(key.blank)
        self.key_cells, self.key_names = _outside(key)
        self.cells = [
            _Cell(place, cell.cell_type, (cell.id, cell.metadata.get("id")), _labelled(cell), cell.source)
            for place, cell in enumerate(notebook.cells, 1)
        ]
        self.code = [cell for cell in self.cells if cell.kind == "code"]
        self.text = [cell for cell in self.cells if cell.kind != "code"]
        self.used: set[int] = set()
        self.parts: dict[str, list[tuple[int, str]]] = {}
        self.how: dict[str, str] = {}

    def answers(self) -> Answers:
        self._by_marks(self.code, "marker")
        self._by_ids(self.code)
        self._by_labels(self.code, "label")
        self._by_names()
        self._by_marks(self.text, "text")
        self._by_ids(self.text, "text")
        self._by_labels(self.text, "text")
        sources = {}
        for number, cell in self.wanted.items():
            if source := self._source(number, cell):
                sources[number] = source
        run = {number: source for number, source in sources.items() if number not in self.explained}
        self._note_helpers(run)
        self._note_code(run)
        self._note_strangers()
        notes = self.notes[:MAX_NOTES] + [f"{len(self.notes) - MAX_NOTES} more notes"] * (
            len(self.notes) > MAX_NOTES
        )
        return Answers(sources, {number: self.how[number] for number in self.wanted}, notes)

    # finding

    def _take(self, number: str, how: str, taken: Iterable[_Cell]) -> None:
        for cell in taken:
            self.parts.setdefault(number, []).append((cell.place, cell.source))
            self.used.add(cell.place)
            self.how[number] = how

    def _free(self, candidates: Iterable[_Cell]) -> list[_Cell]:
        return [cell for cell in candidates if cell.place not in self.used]

    def _by_marks(self, candidates: list[_Cell], how: str) -> None:
        missing = self.wanted.keys() - self.parts.keys()
        for cell in self._free(candidates):
            for number, part in self._cut(cell, missing):
                self._take(
                    number, how, [cell._replace(source=_FENCE.sub("", part) if how == "text" else part)]
                )

    def _cut(self, cell: _Cell, missing: Set[str]) -> list[tuple[str, str]]:
        """The parts of a cell by the marks in it.

        One part, if it does not fall into whole statements there.
        """
        marks = [mark for mark in cells.marks(cell.source) if mark.task in missing]
        numbers = list(dict.fromkeys(mark.task for mark in marks))
        if len(numbers) < 2:
            return [(number, cell.source) for number in numbers]
        begins = [0, *(mark.start for mark in marks[1:]), len(cell.source)]
        parts = [cell.source[begin:end] for begin, end in pairwise(begins)]
        if cell.kind != "code" or all(_tree(part) for part in parts):
            self.notes.append(
                f"cell {cell.place} holds the answers {_few(numbers)}; it was cut at their marks"
            )
            return [(mark.task, part) for mark, part in zip(marks, parts, strict=True)]
        self.notes.append(
            f"cell {cell.place} bears the marks {_few(numbers)}; all of it was taken for {numbers[0]}"
        )
        return [(numbers[0], cell.source)]

    def _by_ids(self, candidates: list[_Cell], how: str = "") -> None:
        for number, wanted in self.wanted.items():
            if number not in self.parts:
                hits = [cell for cell in self._free(candidates) if wanted.id in cell.ids]
                plain = any(cell.ids[0] == wanted.id for cell in hits)
                self._take(number, how or ("id" if plain else "metadata.id"), hits)

    def _by_labels(self, candidates: list[_Cell], how: str) -> None:
        for number in self.wanted:
            if number not in self.parts:
                self._take(number, how, [cell for cell in self._free(candidates) if cell.task == number])

    def _by_names(self) -> None:
        for number, wanted in self.wanted.items():
            if number not in self.parts and (hits := self._defining(wanted)):
                self._take(number, "names", hits)

    def _defining(self, wanted: NotebookNode) -> list[_Cell]:
        names = _names(wanted.source)
        return [cell for cell in self._free(self.code) if names and names <= _names(cell.source)]

    # joining

    def _source(self, number: str, wanted: NotebookNode) -> str:
        """The answer to a task, or an empty text; what is odd about it is noted."""
        parts, is_explained = self.parts.get(number, []), number in self.explained
        written = [part for part in parts if not self._blank(part[1], number)]
        if not written and not is_explained and (elsewhere := self._defining(wanted)):
            where = "its answer cell is blank" if parts else "it has no answer cell"
            self.notes.append(
                f"{number}: {where}; cell {elsewhere[0].place}, which defines the same, was taken"
            )
            self.parts[number] = []
            self._take(number, "names", elsewhere)
            written = self.parts[number]
        places = list(dict.fromkeys(place for place, _ in written))
        if len(places) > 1:
            self.notes.append(
                f"{number}: {len(places)} cells answer it ({_few(places)}); they were joined in order"
            )
        if self.how.get(number) == "text" and written and not is_explained:
            self.notes.append(
                f"{number}: cell {written[0][0]} is a cell of text, not of code; it was taken as code"
            )
        if not written:
            self.how[number] = "blank" if parts else "missing"
            return ""
        source = "\n".join(part for _, part in written)
        if is_explained:
            return _prose(source, wanted.source)
        return self._continued(number, source, written[-1][0], wanted)

    def _blank(self, source: str, number: str) -> bool:
        """Whether a source is still the blank of a task, or holds no code at all."""
        blank = self.wanted[number].source
        if number in self.explained:
            return not _prose(source, blank)
        if source.strip() == blank.strip():
            return True
        tree = _tree(source)
        if tree is None:
            return False
        return not tree.body or (_tree(blank) is not None and _dump(source) == _dump(blank))

    def _continued(self, number: str, source: str, place: int, wanted: NotebookNode) -> str:
        """Join the cells right behind an answer that was split: it is no whole statement, or defines too little."""

        def whole(text: str) -> tuple[bool, int]:
            return _tree(text) is not None, len(names & _names(text))

        names, joined, more, torn = _names(wanted.source), source, [], False
        for cell in self.cells[place : place + SPLIT]:
            foreign = (
                cell.kind != "code" or cell.source.strip() in self.key_cells or cell.ids[0] in self.key_cells
            )
            longer = f"{joined}\n{cell.source}"
            rest = _tree(cell.source) is None and _tree(longer) is not None  # a piece of what began before
            if cell.place in self.used or foreign or (whole(joined) == (True, len(names)) and not rest):
                break
            joined, more, torn = longer, [*more, cell], torn or rest
        if not torn and whole(joined) <= whole(source):
            return source
        self.used.update(cell.place for cell in more)
        places = _few([place, *(cell.place for cell in more)])
        self.notes.append(f"{number}: the answer was split into several cells ({places}); they were joined")
        return joined

    # noting

    def _note_helpers(self, sources: dict[str, str]) -> None:
        known = self.key_names.union(*map(_names, sources.values()))
        words = {number: _words(source) for number, source in sources.items()}
        for cell in self._free(self.code):
            is_given = cell.source.strip() in self.key_cells
            defined = frozenset() if is_given else _names(cell.source) - known
            for number in sources:
                if helpers := sorted(defined & words[number]):
                    where = f"cell {cell.place}, which is not an answer cell and is not run"
                    self.notes.append(f"{number} uses {_few(helpers)} of {where}")

    def _note_code(self, sources: dict[str, str]) -> None:
        for number, source in sources.items():
            if _NBVAL.search(source):
                self.notes.append(f"{number} bears marks of nbval; they were switched off")
            if line := rewritten(source):
                self.notes.append(f"{number} holds a notebook command or prompt in line {line}; it was kept")
            elif _tree(source) is None:
                long = len(source) > MAX_PARSED
                self.notes.append(
                    f"{number} is {'too long to be looked into' if long else 'not valid Python'}"
                )

    def _note_strangers(self) -> None:
        tasks = {mark.task for cell in self.cells for mark in cells.marks(cell.source)}
        if others := sorted(tasks - self.wanted.keys()):
            exercise = f"this is exercise {self.key.exercise}"
            self.notes.append(f"marks of other tasks were passed over: {_few(others)}; {exercise}")


def rewritten(source: str) -> int:
    """The line, from 1, of what a notebook would rewrite before Python sees it: ``!ls``, ``%%bash``, a prompt; or 0."""
    found = _PROMPT.search(source) or (_tree(source) is None and _COMMAND.search(source))
    return source[: found.end()].count("\n") + 1 if found else 0


def _outside(key: Key) -> tuple[set[str], set[str]]:
    """The sources and ids of a key's cells that are no answers, and the names that its code there defines."""
    outside = [
        cell for notebook in (key.solution, key.blank) for cell in notebook.cells if not _labelled(cell)
    ]
    code = [cell.source for cell in outside if cell.cell_type == "code"]
    known = {cell.source.strip() for cell in outside} | {cell.id for cell in outside}
    return known, set().union(*map(_names, code))


# reading code that nobody runs


@functools.lru_cache(maxsize=256)
def _tree(source: str) -> ast.Module | None:
    return parse(source)


def _dump(source: str) -> str:
    try:
        return ast.dump(_tree(source))
    except RecursionError:
        return source


@functools.lru_cache(maxsize=256)
def _names(source: str) -> frozenset[str]:
    """The names that code defines at its top level, also under an ``if``, ``for``, ``with`` or ``try``."""
    tree = _tree(source) or _tree(
        "\n".join("" if _COMMAND.match(line) else line for line in source.split("\n"))
    )
    if tree is None:
        return frozenset(name for pair in _DEFINITION.findall(source) for name in pair if name)
    return frozenset(_defined(tree))


def _defined(tree: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += ast.iter_child_nodes(node)


def _words(source: str) -> set[str]:
    """The names that code reads."""
    tree = _tree(source)
    if tree is None:
        return set(re.findall(r"\w+", source))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _prose(source: str, blank: str) -> str:
    """The sentence in a cell: the text assigned in it, or all of it but the mark.

    Empty if it is as in the blank.
    """
    bare, unwritten = (cells.without_marks(text).strip() for text in (source, blank))
    tree = _tree(bare)
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.Expr)] if tree else []
    texts = [
        value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)
    ]
    if bare == unwritten or tree is None or len(texts) < len(tree.body):
        return "" if bare == unwritten else bare
    comment = bare.partition("#")[2].strip()
    written = "\n".join(texts).encode("utf-8", "replace").decode("utf-8").strip()
    return written or (bare if comment not in ("", unwritten.partition("#")[2].strip()) else "")


def _few(items: list) -> str:
    """List the first five of them, and say how many more there are."""
    shown = ", ".join(str(item)[:60] for item in items[:5])
    return shown + (f" and {len(items) - 5} more" if len(items) > 5 else "")
