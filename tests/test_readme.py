"""What the README and the set-up files promise, held against the tree."""

import base64
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

import diffusion_lab as dl
from diffusion_lab import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_local_link_and_picture_is_there():
    for file in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / file).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{file} links to {target}"


def test_make_targets_named_in_the_readme_exist_and_expand():
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    for line in [line for line in shell_lines(README) if line.startswith("make ")]:
        dry = subprocess.run(
            [*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
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


@pytest.mark.parametrize("line", [line for line in shell_lines(README) if line.startswith("diffusion-lab ")])
def test_commands_of_the_readme_parse(line):
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
    (tree,) = re.findall(r"```\n\.\n(.*?)\n```", README, re.S)
    found = files_of_the_tree(tree)
    assert sorted(found) == sorted(wanted)


def test_python_of_the_readme_runs():
    block = next(b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "load_pretrained" in b)
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


def test_numbers_in_the_readme_are_those_of_the_model_card():
    card = dl.load_pretrained("digits").card
    section = README.split("## How good")[1].split("## Data")[0]
    block = re.search(r"```\n(\$ diffusion-lab evaluate.*?)```", section, re.S)
    assert block
    assert block[1] in card
    quoted = re.findall(r"\d+\.\d+", section.split("Two more seeds")[1])
    assert len(quoted) == 4
    assert all(number in card for number in quoted)
