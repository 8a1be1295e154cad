"""What the README, the pages that say how to use the course, and the set-up files promise, held against the tree."""

import base64
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from PIL import Image

import diffusion_lab as dl
from diffusion_lab import cli
from diffusion_lab.links import repository

ROOT = Path(__file__).parent.parent
README, SETUP, PACKAGE, QUALITY, ARCHITECTURE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "docs/setup.md",
        "docs/package.md",
        "docs/quality.md",
        "docs/architecture.md",
    )
)
MOST_WORDS, MOST_BYTES = 450, 600_000
"""Of the README, which is read in a minute or two: its prose, and its moving picture."""


def shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_local_link_and_picture_is_there():
    for file in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / file).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{file} links to {target}"


def prose(text: str) -> str:
    """A page with no pictures, no made tables, no commands, and of links only what is read."""
    for left_out in (r"<!--.*?-->.*<!--.*?-->", r"```.*?```", r"!\[.*?\]\(.*?\)"):
        text = re.sub(left_out, "", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)", "]", text)


def test_the_readme_is_short_and_says_first_how_to_start():
    assert len(prose(README).split()) <= MOST_WORDS
    commands = shell_lines(README)
    url = repository.read(ROOT).url
    assert commands == [f"git clone {url}", "cd diffusion-lab", "make lab", "make test"]
    assert README.index("git clone") < README.index("## The course")


def test_reader_of_prose_leaves_out_what_is_not_read():
    assert prose("a [b](c.md) ![d](e.gif)\n```bash\nf\n```\n<!-- g -->\nh\n<!-- i --> j").split() == [
        "a",
        "[b]",
        "j",
    ]


def test_the_first_picture_is_small_and_moves():
    name = re.search(r"!\[[^\]]{40,}\]\(([^)]+)\)", README)[1]
    assert name == "docs/slider.gif"
    assert (ROOT / name).stat().st_size < MOST_BYTES
    with Image.open(ROOT / name) as picture:
        assert picture.n_frames >= 20
        assert picture.info["loop"] == 0
        looks = set()
        for frame in range(picture.n_frames):
            picture.seek(frame)
            looks.add(picture.convert("RGB").tobytes())
    assert len(looks) >= 20


def test_make_targets_named_in_the_readme_exist_and_expand():
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    lines = [line for line in shell_lines(README + SETUP) if line.startswith("make ")]
    assert len(lines) >= 5
    for line in lines:
        dry = subprocess.run(
            [*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert dry.returncode == 0, dry.stderr
    lab = subprocess.run(
        ["make", "lab", "LAB_ARGS=--port 1", "--dry-run"], cwd=ROOT, capture_output=True, text=True
    )
    assert "--port 1" in lab.stdout
    assert "diffusion-lab copy-course\n" in lab.stdout
    assert "=/lab/tree/my-course/notebooks/00_start_here.ipynb" in lab.stdout
    clean = subprocess.run(["make", "clean", "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert "my-course" not in clean.stdout


@pytest.mark.parametrize(
    "line", [line for line in shell_lines(SETUP + PACKAGE) if line.startswith("diffusion-lab ")]
)
def test_commands_of_the_pages_parse(line):
    options = cli.parser().parse_args(shlex.split(line)[1:])
    assert options.command.split()[0] == line.split()[1]


def test_scenes_of_the_readme_are_those_of_the_lesson():
    cells = nbformat.read(ROOT / "notebooks" / "09_text.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if cell.cell_type == "code" and "def show_with_words(" in cell.source]
    (picture,) = [output.data["image/png"] for output in cell.outputs if "data" in output]
    assert (ROOT / "docs" / "scenes.png").read_bytes() == base64.b64decode(picture)


def files_of_the_tree(tree: str) -> list[str]:
    """The paths in a drawing of a tree, folders with a slash; a `ValueError` says which line is none of its kind."""
    found, folders = [], []
    for line in tree.splitlines():
        drawn = re.fullmatch(r"((?:│   )*)[├└]── (\S+) +# \S.*", line)
        if drawn is None:
            raise ValueError(f"not a line of the tree: {line!r}")
        depth = len(drawn[1]) // 4
        folders[depth:] = [drawn[2]]
        found.append("".join(folders))
    return found


def test_reader_of_the_tree_gives_paths():
    tree = "├── a/  # one\n│   ├── b/  # two\n│   └── c.py # three\n└── .d/ # four"
    assert files_of_the_tree(tree) == ["a/", "a/b/", "a/c.py", ".d/"]
    for line in ("├── a/", "├── a/  #", "│   a/ # one", "some words"):
        with pytest.raises(ValueError, match="not a line"):
            files_of_the_tree(line)


def test_the_tree_has_every_folder_and_module_and_no_other():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not in a clone, so nobody knows which files belong to the repository")
    files = [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    folders = {parent.as_posix() + "/" for file in files for parent in file.parents if parent != Path()}
    wanted = {folder for folder in folders if folder.count("/") <= 2}
    wanted |= {file.as_posix() for file in files if file.match("diffusion_lab/*.py") and len(file.parts) == 2}
    (tree,) = re.findall(r"```\n\.\n(.*?)\n```", ARCHITECTURE, re.S)
    found = files_of_the_tree(tree)
    assert sorted(found) == sorted(wanted)


def test_python_of_the_page_on_the_package_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PACKAGE, re.S)
    digits = dl.data.sklearn_digits()
    x_0, labels = digits.images[:16], digits.labels[:16]
    names = {"x_0": x_0, "labels": labels, "t": 500, "noise": x_0 * 0}
    names["loader"] = dl.data.loader(x_0, labels, batch_size=8)
    small = block.replace("num_steps=2000", "num_steps=2").replace("num_steps=50", "num_steps=2")
    exec(small.replace("UNet(num_classes=10)", "UNet(num_classes=10, width=8)"), names)
    assert names["images"].shape == (16, 1, 28, 28)


def test_dependencies_are_declared_once():
    environment = (ROOT / "environment.yml").read_text()
    assert ".[course]" in environment
    for package in ("torchvision", "matplotlib", "jupyterlab", "ipywidgets", "safetensors"):
        assert package not in environment


def test_ci_calls_the_test_command_of_the_readme():
    assert "make test" in shell_lines(README)
    assert re.search(r"^make test", (ROOT / ".ci" / "run").read_text(), re.M)


def test_numbers_on_quality_are_those_of_the_model_card():
    card = dl.load_pretrained("digits").card
    section = QUALITY.split("## How good")[1].split("## What it cannot")[0]
    block = re.search(r"```\n(\$ diffusion-lab evaluate.*?)```", section, re.S)
    assert block
    assert block[1] in card
    quoted = re.findall(r"\d+\.\d+", section.split("Two more seeds")[1])
    assert len(quoted) == 4
    assert all(number in card for number in quoted)
