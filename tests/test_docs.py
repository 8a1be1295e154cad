"""The pages beside the lessons: the notation held against the package and the lessons, and every link."""

import inspect
import re
from functools import reduce
from pathlib import Path

import nbformat
import pytest

import diffusion_lab as dl

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ROOMS = [path.parent for path in sorted((ROOT / "diffusion_lab").glob("*/__init__.py"))]
ROOMS.append(ROOT / "diffusion_lab" / "weights")
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *(folder / "README.md" for folder in ROOMS)]
NOTATION = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
SYMBOLS = re.findall(r"^\| \$(.+?)\$ \| (.+) \| `(.+)` \| (\d\d) \|$", NOTATION, re.M)
ROOTS = {"schedule": dl.DiffusionSchedule(10), "state": dl.State, "step": dl.training.Step, "dl": dl}


def resolve(code: str):
    """Find what a name of the notation page stands for; `f(name=)` is the argument `name` of `f`."""
    root, path, argument = re.fullmatch(r"(\w+)((?:\.\w+)+)(?:\((\w+)=\))?", code).groups()
    member = reduce(getattr, path[1:].split("."), ROOTS[root])
    return inspect.signature(member).parameters[argument] if argument else member


def bare(text: str) -> str:
    """LaTeX with its parts one space apart, and without braces and narrow spaces."""
    text = re.sub(r"\\[,;!]|\\(mid|left|right)(?![a-z])|[{}|]", " ", text)
    return re.sub(r"\s+(?=[_^])", "", " ".join(re.sub(r"\\[A-Za-z]+", r" \g<0> ", text).split()))


def formulas(path: Path) -> str:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    return " ".join(bare(formula) for cell in cells for formula in re.findall(r"\$+(.+?)\$+", cell, re.S))


def occurs(symbol: str, formula: str) -> bool:
    """Whether a symbol stands in a formula on its own, not as a part of a longer name and under no hat or bar."""
    alone = r"(?<!\\hat )(?<!\\bar )(?<![A-Za-z\\])" + re.escape(bare(symbol)) + r"(?![A-Za-z])"
    return bool(re.search(alone, formula))


def test_notation_has_its_table():
    assert len(SYMBOLS) >= 15
    assert NOTATION.count("\n| $") == len(SYMBOLS)


@pytest.mark.parametrize(("symbol", "_meaning", "code", "_lesson"), SYMBOLS, ids=[row[2] for row in SYMBOLS])
def test_names_of_the_notation_are_those_of_the_package(symbol, _meaning, code, _lesson):
    assert resolve(code) is not None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("schedule.alpha_bars", AttributeError),
        ("dl.sample(scale=)", KeyError),
        ("state.x0", AttributeError),
    ],
)
def test_reader_of_names_sees_wrong_ones(wrong, error):
    with pytest.raises(error):
        resolve(wrong)


@pytest.mark.parametrize(("symbol", "_meaning", "_code", "lesson"), SYMBOLS, ids=[row[0] for row in SYMBOLS])
def test_a_symbol_is_introduced_where_the_notation_says(symbol, _meaning, _code, lesson):
    where = [path.stem[:2] for path in LESSONS if occurs(symbol, formulas(path))]
    assert lesson in where
    if len(symbol) > 1:  # a single letter may have served for something else before
        assert where[0] == lesson


@pytest.mark.parametrize(
    ("symbol", "formula", "found"),
    [
        ("t", "x_t", True),
        ("t", r"\beta", False),
        ("s", r"\sigma", False),
        (r"\alpha_t", r"\bar\alpha_t", False),
        (r"\bar\alpha_t", r"\sqrt{\bar{\alpha}_t}", True),
        ("s", "1-s", True),
        ("w", "two", False),
        ("x_0", r"\hat x_0", False),
        ("x_0", r"\bar\alpha_t x_0", True),
        (r"\alpha_t", r"1-\alpha_t", True),
    ],
)
def test_reader_of_formulas_tells_symbols_from_letters(symbol, formula, found):
    assert occurs(symbol, bare(formula)) == found


@pytest.mark.parametrize("folder", ROOMS, ids=lambda folder: folder.name)
def test_every_folder_of_the_package_says_what_it_holds_in_a_few_lines(folder):
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert 4 <= len(lines[1:]) <= 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
