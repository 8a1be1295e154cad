"""How long the package may be, and what it must never do, read from the sources.

Who may import whom stands in the contracts of pyproject.toml, see tests/test_contracts.py.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch

import diffusion_lab as dl
from tools.draw_architecture import FRONT_DOOR, imports, reached

PACKAGE = Path(dl.__file__).parent
CORE = ("schedules", "process", "unet", "training", "sampling", "guidance")
# Statements, not lines: a line may be as short as reads well. Both leave room for what CONTRIBUTING's recipes add.
CORE_STATEMENTS = 560
FOUNDATION_STATEMENTS = 1_330
GLOBAL_SEEDS = {
    "torch.manual_seed",
    "torch.random.manual_seed",
    "torch.seed",
    "torch.cuda.manual_seed",
    "torch.mps.manual_seed",
    "torch.cuda.manual_seed_all",
    "np.random.seed",
    "numpy.random.seed",
    "random.seed",
}
SOURCES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
# the banks hold answers as students write them, mistakes and all: data, not code of ours
every_module = pytest.mark.parametrize(
    "module", sorted(name for name in SOURCES if not name.startswith("checks.bank."))
)
SCRIPTS = sorted(
    path for folder in ("benchmarks", "tools") for path in (PACKAGE.parent / folder).glob("*.py")
)


def imported(source: str) -> set[str]:
    """Dotted names of everything a file imports, at any depth; `from a import b` counts as a.b."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = ("diffusion_lab." if node.level else "") + (node.module or "")
            names |= {f"{base.rstrip('.')}.{alias.name}" for alias in node.names}
    return names


def calls(source: str) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


def special_cases_of_time_zero(source: str) -> list[str]:
    """Comparisons of t or s with 0 or 1, such as `if t > 0`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            times = any(isinstance(side, ast.Name) and side.id in ("t", "s") for side in sides)
            ends = any(isinstance(side, ast.Constant) and side.value in (0, 1) for side in sides)
            found += [ast.unparse(node)] * (times and ends)
        if (
            isinstance(node, ast.If | ast.IfExp)
            and isinstance(node.test, ast.Name)
            and node.test.id in ("t", "s")
        ):
            found.append(f"if {node.test.id}")
    return found


@every_module
def test_nothing_is_imported_by_a_computed_name(module):
    hidden = {"importlib.import_module", "__import__", "exec", "eval"} & calls(SOURCES[module].read_text())
    assert not hidden or module.split(".")[0] in ("__init__", "cli") or module == "checks.registry"


def names_of_tests(source: str) -> list[str]:
    """Texts of a source that name a module or a folder of the tests, such as "tests.grading" or "tests/grading"."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and re.match(r"tests([./]|$)", text)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('sys.path.append(str(ROOT / "tests" / "checks"))', True),
        ('importlib.import_module(f"tests.checks.{name}")', True),
        ('sys.path.append("tests/grading")', True),
        ('"""Run in tests, too."""\nprint("testsuite")', False),
    ],
)
def test_reader_of_texts_sees_the_tests(source, found):
    assert bool(names_of_tests(source)) == found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_scripts_reach_for_the_tests_in_no_other_way(script):
    """lint-imports sees an import of the tests, but no folder of theirs on the path and no name put together."""
    assert names_of_tests(script.read_text(encoding="utf-8")) == []


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["matplotlib", "ipywidgets", "torchvision", "sklearn", "diffusers"]
    code = (
        f"import sys, diffusion_lab; print([m for m in {heavy} if m in sys.modules], 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert result.stdout.strip() == "[] True", result.stderr


def statements(source: str) -> int:
    """How many statements a source has; docstrings are for the reader, and do not count."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    texts = [n for n in nodes if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return len(nodes) - len(texts)


def test_counter_of_statements_counts_what_runs_not_how_it_is_laid_out():
    dense = 'def f(a, b):\n    """Say what."""\n    x = a; return x + b'
    airy = 'def f(\n    a,\n    b,\n):\n    """Say what.\n\n    At length.\n    """\n    x = a\n\n'
    airy += "    return (\n        x + b\n    )"
    assert statements(dense) == statements(airy) == 3


def test_core_can_be_read_in_one_evening():
    core = sum(statements(SOURCES[module].read_text()) for module in CORE)
    # what `import diffusion_lab` loads; the folders are rooms apart
    loaded = reached(FRONT_DOOR, imports()) & SOURCES.keys()
    foundation = sum(statements(SOURCES[module].read_text()) for module in ("__init__", *loaded))
    assert 0 < core <= CORE_STATEMENTS
    assert core < foundation <= FOUNDATION_STATEMENTS


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if t > 0: pass", True),
        ("x = a if s == 0 else b", True),
        ("x = y * (t != 1)", True),
        ("if t: pass", True),
        ("if eta > 0: pass", False),
        ("if s >= t: pass", False),
        ("if x_t.ndim == 4: pass", False),
    ],
)
def test_reader_of_special_cases_sees_them(source, found):
    assert bool(special_cases_of_time_zero(source)) == found


@pytest.mark.parametrize("module", ["sampling", "process"])
def test_the_last_step_is_an_ordinary_step(module):
    assert special_cases_of_time_zero(SOURCES[module].read_text()) == []


@every_module
def test_package_never_seeds_globally(module):
    source = SOURCES[module].read_text()
    seeds = calls(source) & GLOBAL_SEEDS | {name for name in imported(source) if name in GLOBAL_SEEDS}
    # walls: kernels of one template must differ
    assert not seeds or module.split(".")[0] == "cli" or module == "grading.walls"


def test_reader_of_seeds_tells_a_generator_from_the_global_state():
    assert calls("torch.manual_seed(0)\nnp.random.seed(1)") <= GLOBAL_SEEDS
    assert not calls("torch.Generator().manual_seed(0)") & GLOBAL_SEEDS
    assert imported("from torch import manual_seed") <= GLOBAL_SEEDS


@every_module
def test_every_random_draw_takes_a_generator(module):
    draws = {
        "torch.rand",
        "torch.randn",
        "torch.randint",
        "torch.randperm",
        "torch.multinomial",
        "torch.bernoulli",
    }
    for node in ast.walk(ast.parse(SOURCES[module].read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in draws:
            assert "generator" in {keyword.arg for keyword in node.keywords}, ast.unparse(node)


SCHEDULE = dl.DiffusionSchedule(10)
WRONG_TYPES = [
    ("x_0", ("no tensor", 1)),
    ("t", (torch.zeros(2, 3), "late")),
    ("noise", (torch.zeros(2, 3), 1, 0.5)),
]


@pytest.mark.parametrize(("argument", "args"), WRONG_TYPES)
def test_types_are_checked_in_the_tests(argument, args):
    with pytest.raises(jaxtyping.TypeCheckError, match=argument):
        SCHEDULE.add_noise(*args)


def test_shapes_are_checked_across_arguments():
    with pytest.raises(jaxtyping.TypeCheckError, match="noise"):
        SCHEDULE.add_noise(torch.zeros(2, 3), 1, torch.zeros(2, 4))


@pytest.mark.usefixtures("unchecked")
def test_checks_are_off_where_the_fixture_says_so():
    with pytest.raises(ValueError, match="noise must have the shape"):
        SCHEDULE.add_noise(torch.zeros(2, 3), 1, torch.zeros(2, 4))
