"""Who may import whom, how long the package may be, and what it must never do, read from the sources."""

import ast
import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch

import diffusion_lab as dl

PACKAGE = Path(dl.__file__).parent
ALL = None
MAY_IMPORT = {
    "shapes": set(),
    "files": set(),
    "guidance": set(),
    "schedules": {"shapes"},
    "process": {"schedules", "shapes"},
    "oracle": {"process", "schedules", "shapes"},
    "unet": {"shapes"},
    "optimization": set(),
    "sampling": {"guidance", "process", "schedules", "shapes"},
    "checkpoints": {"files"},
    "training": {"checkpoints", "optimization", "process", "schedules", "shapes"},
    "data": {"shapes"},
    "evaluation": {"shapes"},
    "variants.__init__": {"variants.consistency", "variants.edm"},
    "variants.edm": {"schedules", "shapes"},
    "variants.consistency": {"checkpoints", "optimization", "process", "sampling", "schedules", "shapes"},
    "figures": {"files", "shapes"},
    "mini_sd.__init__": set(),
    "mini_sd.scenes": {"data", "shapes"},
    "mini_sd.vae": {"shapes"},
    "mini_sd.text": {"mini_sd.scenes", "mini_sd.vae", "shapes"},
    "mini_sd.pipeline": {
        "files",
        "guidance",
        "mini_sd.text",
        "mini_sd.vae",
        "sampling",
        "schedules",
        "shapes",
        "unet",
    },
    "mini_sd.attention": {"shapes", "unet"},
    "mini_sd.train": {
        "checkpoints",
        "data",
        "files",
        "mini_sd.scenes",
        "mini_sd.text",
        "mini_sd.vae",
        "optimization",
        "schedules",
        "shapes",
        "training",
        "unet",
    },
    "mini_sd.judge": {
        "data",
        "files",
        "mini_sd.scenes",
        "mini_sd.train",
        "mini_sd.vae",
        "pretrained",
        "shapes",
    },
    "mini_sd.stages": {
        "data",
        "files",
        "mini_sd.judge",
        "mini_sd.pipeline",
        "mini_sd.scenes",
        "mini_sd.text",
        "mini_sd.train",
        "mini_sd.vae",
        "schedules",
        "shapes",
    },
    "component_map.facts": set(),
    "component_map.tables": {"component_map.facts", "pretrained", "schedules"},
    "component_map.__init__": {"component_map.tables"},
    "pretrained": {"evaluation", "files", "mini_sd.pipeline", "sampling", "schedules", "shapes", "unet"},
    "widgets.packing": {"figures"},
    "widgets.script": set(),
    "widgets.link": {"widgets.packing", "widgets.script"},
    "widgets.player": {"figures", "widgets.link", "widgets.packing", "widgets.script"},
    "widgets.drawings": {"figures", "widgets.packing"},
    "widgets.scrubbers": {"figures", "schedules", "shapes", "widgets.packing", "widgets.player"},
    "widgets.field_explorer": {
        "oracle",
        "schedules",
        "shapes",
        "widgets.player",
        "widgets.scrubbers",
    },
    "widgets.schedule_explorer": {
        "figures",
        "schedules",
        "shapes",
        "widgets.packing",
        "widgets.player",
        "widgets.scrubbers",
    },
    "widgets.explorer": {"figures", "widgets.drawings", "widgets.packing", "widgets.player"},
    "widgets.model_explorers": {
        "sampling",
        "shapes",
        "widgets.explorer",
        "widgets.packing",
        "widgets.player",
    },
    "widgets.board": {
        "figures",
        "schedules",
        "shapes",
        "widgets.drawings",
        "widgets.packing",
        "widgets.player",
        "widgets.scrubbers",
    },
    "widgets.prompt": {"figures", "widgets.drawings", "widgets.player"},
    "widgets.__init__": {
        "widgets.board",
        "widgets.explorer",
        "widgets.field_explorer",
        "widgets.model_explorers",
        "widgets.player",
        "widgets.prompt",
        "widgets.schedule_explorer",
        "widgets.script",
        "widgets.scrubbers",
    },
    "checks.__init__": set(),
    "checks.mistakes": set(),
    "checks.outcomes": set(),
    "checks.engine": {"checks.mistakes", "checks.outcomes"},
    "checks.build": {"files"},
    "checks.forward_noising": {"checks.engine", "schedules"},
    "checks.noise_schedules": {"checks.engine", "checks.outcomes", "schedules"},
    "checks.denoiser": {"checks.engine", "checks.outcomes", "process", "schedules"},
    "checks.guidance": {"checks.engine"},
    "checks.sampling": {"checks.engine", "schedules"},
    "checks.unet": {"checks.engine"},
    "checks.training": {"checks.engine", "data", "schedules"},
    "checks.after_ddpm": {"checks.engine", "schedules"},
    "checks.latents": {"checks.engine", "checks.outcomes"},
    "checks.text": {"checks.engine", "checks.outcomes"},
    "links.__init__": set(),
    "links.repository": {"files"},
    "links.standalone": set(),
    "grading.__init__": set(),
    "grading.submissions": set(),
    "grading.keys": {"checks.build"},
    "grading.syntax": set(),
    "grading.answers": {"checks.build", "grading.keys", "grading.syntax"},
    "grading.walls": {"checks.engine"},
    "grading.box": {"grading.walls"},
    "grading.nbval_plugin": set(),
    "grading.run": {"checks.mistakes", "grading.answers", "grading.box", "grading.keys", "grading.syntax"},
    "grading.similarity": {"grading.syntax"},
    "grading.report": {"checks.mistakes", "files", "grading.similarity"},
    "grading.grade": {
        "grading.answers",
        "grading.box",
        "grading.keys",
        "grading.report",
        "grading.run",
        "grading.similarity",
        "grading.submissions",
    },
    "cli": ALL,
    "__init__": ALL,
    "__main__": {"cli"},
}
CORE = ("schedules", "process", "unet", "training", "sampling", "guidance")
# Statements, not lines: a line may be as short as reads well. Both leave room for what CONTRIBUTING's recipes add.
CORE_STATEMENTS = 560
FOUNDATION_STATEMENTS = 1_250
ONLY_FIGURES_AND_WIDGETS = {"matplotlib", "ipywidgets", "anywidget", "IPython"}
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
every_module = pytest.mark.parametrize("module", sorted(SOURCES))


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


def arrows(source: str) -> set[str]:
    """Modules of the package that a file imports, subpackages with a dot.

    The package as a whole counts as __init__.
    """
    known = SOURCES.keys() | MAY_IMPORT.keys()
    found = set()
    for name in imported(source):
        if name.split(".")[0] == "diffusion_lab":
            parts = name.split(".")[1:]
            candidates = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
            candidates += [f"{'.'.join(parts[:end])}.__init__" for end in range(len(parts), 0, -1)]
            found.add(next((each for each in candidates if each in known), "__init__"))
    return found


def outsiders(source: str) -> set[str]:
    return {name.split(".")[0] for name in imported(source)}


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


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from diffusion_lab.training import train", {"training"}),
        ("def f():\n    from diffusion_lab.training import train", {"training"}),
        ("import diffusion_lab.figures as f, os", {"figures"}),
        ("import diffusion_lab as dl", {"__init__"}),
        ("from diffusion_lab import data, sample", {"data", "__init__"}),
        ("from . import cli", {"cli"}),
        ("from .cli import main", {"cli"}),
        ("from diffusion_lab.widgets.player import Player", {"widgets.player"}),
        (
            "from diffusion_lab.checks import engine, forward_noising",
            {"checks.engine", "checks.forward_noising"},
        ),
        ("from diffusion_lab.checks.engine import Exercise", {"checks.engine"}),
        ("import diffusion_lab.checks", {"checks.__init__"}),
        ("import torch\nfrom pathlib import Path", set()),
    ],
)
def test_reader_of_arrows_sees_every_way_to_import(source, expected):
    assert arrows(source) == expected


@every_module
def test_no_arrow_that_is_not_in_the_table(module):
    assert module in MAY_IMPORT, (
        f"{module} is new: enter it into the table of this test and of DESIGN, section 3"
    )
    if MAY_IMPORT[module] is not ALL:
        assert arrows(SOURCES[module].read_text()) <= MAY_IMPORT[module]


def test_table_of_arrows_has_no_circle():
    layers, placed = {k: v for k, v in MAY_IMPORT.items() if v is not ALL and k != "__main__"}, set()
    while free := {module for module, needs in layers.items() if needs <= placed} - placed:
        placed |= free
    assert placed == layers.keys()


@every_module
def test_nothing_is_imported_by_a_computed_name(module):
    hidden = {"importlib.import_module", "__import__", "exec", "eval"} & calls(SOURCES[module].read_text())
    assert not hidden or module in ("__init__", "cli")


@every_module
def test_only_figures_and_widgets_draw(module):
    drawing = outsiders(SOURCES[module].read_text()) & ONLY_FIGURES_AND_WIDGETS
    assert not drawing or module.split(".")[0] in ("figures", "widgets")


def test_reader_of_outsiders_sees_imports_inside_functions():
    assert outsiders("def f():\n    from matplotlib import pyplot\n    import ipywidgets.widgets") == {
        "matplotlib",
        "ipywidgets",
    }


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
    top_level = {module for module in SOURCES if "." not in module} - {"cli", "figures", "widgets"}
    foundation = sum(statements(SOURCES[module].read_text()) for module in top_level)
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
    assert not seeds or module in ("cli", "grading.walls")  # the latter: kernels of one template must differ


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
