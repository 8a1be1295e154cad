"""Which answers of a class are alike: a hint where to look, never a verdict.

Answers are compared as trees of syntax: names of variables, comments, types, docstrings and layout do not
count. What
counts is how rare the likeness is: an answer that half of the class has written says nothing, for there are
few ways to write a short formula.
"""

import ast
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from diffusion_lab.grading.syntax import parse

LEAST = (
    15  # expressions and statements of an answer that is compared; in a shorter one there is nothing to copy
)
DEPTH = 3  # levels of a part, which is an expression or a statement with what is below it
ALIKE = 0.8  # the share of their parts that two answers have in common to be called alike
MOST = 1000  # parts that are kept of an answer

Shape = dict[str, int]


class Pair(NamedTuple):
    """Two students whose answers to an exercise are alike."""

    exercise: str
    students: tuple[str, str]
    tasks: list[str]  # in which they are alike
    same: list[str]  # of these, in which they are the same but for names and layout
    chance: (
        float  # how many pairs so alike were to be expected, had each drawn an answer from those of the class
    )


class _Normal(ast.NodeTransformer):
    """Removes what somebody changes who copies: names, types and docstrings."""

    def __init__(self, bound: set[str]):
        self.bound, self.names = bound, {}

    def _name(self, name: str) -> str:
        return self.names.setdefault(name, f"v{len(self.names)}") if name in self.bound else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), ast.Load())

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return self.generic_visit(ast.Assign([node.target], node.value or ast.Constant(None), lineno=0))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self._name(node.name), None
        return self.generic_visit(node)


def shape(source: str) -> Shape:
    """Take an answer apart: how often each part occurs in it, names left out.

    {} if it is short or no Python.
    """
    tree = parse("\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines()))
    if tree is None:
        return {}
    try:
        nodes = list(ast.walk(tree))
        bound = {
            node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        }
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        plain = ast.walk(_Normal(bound).visit(tree))
        texts = [_part(node, DEPTH) for node in plain if isinstance(node, ast.expr | ast.stmt)]
    except RecursionError:
        return {}
    if len(texts) < LEAST:
        return {}
    digests = [
        hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:10] for text in texts[:MOST]
    ]
    return dict(sorted(Counter(digests).items()))


def _part(node: ast.AST | list | object, depth: int) -> str:
    """A node and what is below it, so many levels down, as a text."""
    if isinstance(node, list):
        return f"[{','.join(_part(child, depth) for child in node)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if depth == 0:
        return type(node).__name__
    fields = (_part(value, depth - 1) for name, value in ast.iter_fields(node) if name not in ("ctx", "kind"))
    return f"{type(node).__name__}({','.join(fields)})"


def likeness(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Share of the parts of both that they have in common: from 0 to 1 (Jaccard's index of multisets)."""
    together = sum(max(one.get(part, 0), other.get(part, 0)) for part in one.keys() | other.keys())
    return (
        sum(min(one[part], other[part]) for part in one.keys() & other.keys()) / together if together else 0.0
    )


def pairs(answers: Iterable[tuple[str, str, Mapping[str, Mapping[str, int]]]]) -> list[Pair]:
    """Find the pairs of students who are more alike than chance would have it, the most striking first.

    Args:
        answers: student, exercise, and for each task the shape of the answer.

    A pair is given if fewer than one pair as rare was to be expected in the whole class.
    """
    found, by_exercise, known = [], {}, {}

    def compared(one: Mapping[str, int], other: Mapping[str, int]) -> float:
        """The likeness, or 0 if they cannot be alike, being too different in size.

        Each pair of shapes once.
        """
        sizes = sorted([sum(one.values()), sum(other.values())])
        if sizes[0] < ALIKE * sizes[1]:
            return 0.0
        key = frozenset([tuple(sorted(one.items())), tuple(sorted(other.items()))])
        if key not in known:
            known[key] = likeness(one, other)
        return known[key]

    for student, exercise, shapes in answers:
        by_exercise.setdefault(exercise, {})[student] = shapes
    for exercise, shapes in by_exercise.items():
        students, couples = sorted(shapes), len(shapes) * (len(shapes) - 1) / 2
        alike: dict[tuple[str, str], dict[str, float]] = {}
        near: dict[tuple[str, str], int] = {}  # how many have an answer to a task like that of a student
        for one, other in itertools.combinations(students, 2):
            for task in shapes[one].keys() & shapes[other].keys():
                share = compared(shapes[one][task], shapes[other][task])
                if share >= ALIKE:
                    alike.setdefault((one, other), {})[task] = share
                    for student in (one, other):
                        near[student, task] = near.get((student, task), 1) + 1
        for couple, tasks in alike.items():
            chance = couples
            for task in tasks:
                answered = sum(task in answers_of for answers_of in shapes.values())
                chance *= max(near[student, task] for student in couple) / answered
            if chance < 1:
                same = sorted(task for task, share in tasks.items() if share == 1)
                found.append(Pair(exercise, couple, sorted(tasks), same, chance))
    return sorted(found, key=lambda pair: (pair.chance, pair.exercise, pair.students))
