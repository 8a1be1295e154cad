"""One place decides where all links lead: what is read, what is rewritten, what is refused, and that all agree."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from diffusion_lab import cli
from diffusion_lab.checks import build
from diffusion_lab.cli import doctor
from diffusion_lab.course import copies
from diffusion_lab.links import repository
from diffusion_lab.links.repository import Repository

ROOT = Path(__file__).parents[2]
KNOWN = repository.read(ROOT)
FOLDERS = ("notebooks", "exercises", "solutions")
NOTEBOOKS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.ipynb"))
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
ADA = Repository("ada", "noise.course", "v1.0")


@pytest.fixture
def clone(tmp_path) -> Path:
    """A clone with what holds links; lessons and solutions 01 only."""
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", "environment.yml", "docs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        shutil.copy(ROOT / folder / "01_forward_noising.ipynb", tmp_path / folder)
    return tmp_path


def everything(clone: Path) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted(clone.rglob("*"))
        if path.is_file() and path.suffix in (".md", ".yml", ".toml", ".ipynb")
    )


def test_every_link_of_this_clone_agrees():
    disagreeing = [str(path.relative_to(ROOT)) for path in repository.changes(ROOT, KNOWN)]
    assert not disagreeing, f"run: diffusion-lab set-repository  ({', '.join(disagreeing)})"


@every_notebook
def test_a_notebook_has_its_badges_and_its_setup(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    folder = "exercises" if path.parent.name == "solutions" else path.parent.name
    assert notebook.cells[0].source.startswith("# ")
    paragraphs = [part for cell in notebook.cells[:4] for part in cell.source.split("\n\n")]
    badges = [part for part in paragraphs if part.startswith("[![Open in Colab]")]
    assert badges == [KNOWN.badges(f"{folder}/{path.name}")]
    assert (ROOT / folder / path.name).is_file()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    uses = [
        k for k, cell in enumerate(code) if re.search(r"^(from|import) diffusion_lab\b", cell.source, re.M)
    ]
    setup = code[uses[0] - 1]
    assert setup.source == KNOWN.setup()
    assert sum(cell.source == KNOWN.setup() for cell in code) == 1
    assert setup.outputs == []
    assert setup.metadata == repository.FOLDED
    assert not any(re.search(r"^(from|import) torch", cell.source, re.M) for cell in code[: uses[0] - 1])


def test_the_readme_has_badges_for_every_lesson_and_exercise():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        if path.parent.name != "solutions":
            assert f"({KNOWN.colab(f'{path.parent.name}/{path.name}')})" in readme
    assert f"({KNOWN.binder('notebooks/00_start_here.ipynb')})" in readme


def test_the_page_on_setting_up_says_what_to_do_after_forking():
    assert "[Setting up](docs/setup.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
    assert "diffusion-lab set-repository" in page
    assert "`.github/workflows/repository.yml`" in page


def test_setting_it_rewrites_every_link_and_nothing_else(clone, monkeypatch, capsys):
    monkeypatch.chdir(clone / "docs")
    before = everything(clone)
    assert cli.main(["set-repository", "ada/noise.course", "--branch", "v1.0"]) == 0
    after = everything(clone)
    assert repository.read(clone) == ADA
    assert f"{KNOWN.owner}/{KNOWN.name}" not in after
    assert ADA.install in after
    assert ADA.colab("exercises/01_forward_noising.ipynb") in after
    assert f"({ADA.binder('notebooks/00_start_here.ipynb')})" in after
    assert not build.build(clone / "solutions", clone / "exercises", check=True)
    assert cli.main(["set-repository", "--check"]) == 0
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert all("ada/noise.course" in b or b == 'branch = "v1.0"' for _, b in changed)
    capsys.readouterr()
    assert cli.main(["set-repository", f"{KNOWN.owner}/{KNOWN.name}", "--branch", KNOWN.branch]) == 0
    assert everything(clone) == before, "there and back again"


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("README.md", KNOWN.colab("notebooks/"), Repository("eve", "fake").colab("notebooks/")),
        ("README.md", KNOWN.binder("x")[:50], Repository("eve", "fake").binder("x")[:50]),
        ("notebooks/01_forward_noising.ipynb", KNOWN.install, Repository("eve", "fake").install),
        ("notebooks/01_forward_noising.ipynb", "Set-up: installs", "Set-up: removes"),
        (
            "solutions/01_forward_noising.ipynb",
            KNOWN.colab("exercises"),
            KNOWN._replace(branch="dev").colab("exercises"),
        ),
        ("exercises/01_forward_noising.ipynb", KNOWN.install, Repository("eve", "fake").install),
    ],
)
def test_one_link_that_disagrees_is_found(clone, monkeypatch, capsys, file, right, wrong):
    text = (clone / file).read_text(encoding="utf-8")
    assert right in text
    (clone / file).write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.chdir(clone)
    assert cli.main(["set-repository", "--check"]) == 1
    assert f"{Path(file)}: disagrees" in capsys.readouterr().out
    assert cli.main(["set-repository"]) == 0
    assert cli.main(["set-repository", "--check"]) == 0


def test_answers_in_an_exercise_stay(clone, monkeypatch):
    path = clone / "exercises" / "01_forward_noising.ipynb"
    answered = path.read_text(encoding="utf-8").replace("my_signal_left = None", "my_signal_left = 0.39")
    assert "my_signal_left = 0.39" in answered
    path.write_text(answered, encoding="utf-8")
    monkeypatch.chdir(clone)
    assert cli.main(["set-repository", "ada/own"]) == 0
    assert path.read_text(encoding="utf-8") == repository.follow(answered, KNOWN, Repository("ada", "own"))
    assert "my_signal_left = 0.39" in path.read_text(encoding="utf-8")


def test_links_of_others_stay(clone):
    others = (
        "https://github.com/huggingface/diffusers https://github.com/OWNER-2/diffusion-lab "
        "https://github.com/OWNER/diffusion-lab-two https://colab.research.google.com"
    )
    assert repository.follow(others, Repository("OWNER", "diffusion-lab"), ADA) == others


@pytest.mark.parametrize(
    ("names", "branch"),
    [
        ("ada", "main"),
        ("ada/", "main"),
        ("/lab", "main"),
        ("a b/lab", "main"),
        ("https://gitlab.com/ada/lab", "main"),
        ("ada/lab/more", "main"),
        ("ada/lab", "feature/x"),
        ("ada/lab", ""),
        ("", "main"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_repository_is_refused_in_one_line(clone, monkeypatch, capsys, names, branch):
    monkeypatch.chdir(clone)
    before = everything(clone)
    assert cli.main(["set-repository", names, "--branch", branch]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert everything(clone) == before


@pytest.mark.parametrize("names", ["ada/lab", "https://github.com/ada/lab", "https://github.com/ada/lab.git"])
def test_a_repository_by_its_names_or_its_address(names):
    assert repository.parse(names) == Repository("ada", "lab", "main")


def test_the_copies_of_a_student_are_left_alone(clone):
    copies.copy(clone, clone / copies.FOLDER)
    before = everything(clone / copies.FOLDER)
    written = repository.change(clone, Repository("ada", "lab"))
    assert clone / "notebooks" / "01_forward_noising.ipynb" in written
    assert everything(clone / copies.FOLDER) == before
    assert copies.copy(clone, clone / copies.FOLDER).newer == {}


def test_outside_of_a_clone_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["set-repository", "ada/lab"]) == 2
    assert "is in no clone" in capsys.readouterr().err


def test_a_new_notebook_gets_its_links_and_the_counts_move_on(clone):
    path = clone / "solutions" / "01_forward_noising.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    place = next(k for k, cell in enumerate(notebook["cells"]) if cell["id"] == "ex01-install")
    bare = json.loads(json.dumps(notebook))
    del bare["cells"][place]
    del bare["cells"][0]["source"][2:4]
    assert "Colab" not in "".join(bare["cells"][0]["source"])
    for cell in bare["cells"][place:]:
        for counted in [cell, *cell.get("outputs", [])]:
            if counted.get("execution_count"):
                counted["execution_count"] -= 1
    assert repository.equipped(bare, "exercises/01_forward_noising.ipynb", KNOWN) == notebook


def test_badges_stay_where_they_are(clone):
    path = clone / "notebooks" / "01_forward_noising.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    (place,) = (k for k, source in enumerate(sources) if "Open in Colab" in source)
    assert place > 2, "below the first player"
    made = repository.equipped(notebook, "notebooks/01_forward_noising.ipynb", ADA)
    assert ADA.badges("notebooks/01_forward_noising.ipynb") in "".join(made["cells"][place]["source"])
    assert sum("Open in Colab" in "".join(cell["source"]) for cell in made["cells"]) == 1


def cloned_from(folder: Path, url: str) -> Path:
    """Make a git repository that says it is a clone of `url`."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "remote", "add", "origin", url], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://github.com/ada/lab.git", ("ada", "lab")),
        ("https://github.com/ada/noise.course", ("ada", "noise.course")),
        ("https://ada:secret@github.com/ada/lab.git", ("ada", "lab")),
        ("git@github.com:ada/lab.git", ("ada", "lab")),
        ("ssh://git@github.com/ada/lab", ("ada", "lab")),
        ("https://gitlab.com/ada/lab.git", None),
        ("/srv/git/lab.git", None),
    ],
)
def test_the_remote_of_a_clone_is_read_in_every_spelling(tmp_path, url, found):
    assert repository.find_remote(cloned_from(tmp_path / "c", url), "v1") == (
        found and Repository(*found, "v1")
    )


def test_where_there_is_no_remote_and_no_git_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert repository.find_remote(tmp_path) is None
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert repository.find_remote(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert repository.find_remote(tmp_path) is None


@pytest.mark.parametrize(
    ("owner", "remote", "expected"),
    [
        (
            "OWNER",
            None,
            "links lead nowhere yet, fine unless you publish a copy:  diffusion-lab set-repository",
        ),
        ("ada", None, "links lead to https://github.com/ada/lab, branch main"),
        ("ada", Repository("Ada", "Lab"), "links lead to https://github.com/ada/lab, branch main"),
        (
            "OWNER",
            Repository("eve", "fork"),
            "links lead nowhere yet, but this clone is of https://github.com/eve/fork; to make them "
            "https://colab.research.google.com/github/eve/fork/blob/main/notebooks/00_start_here.ipynb:  "
            "diffusion-lab set-repository eve/fork",
        ),
        ("ada", Repository("eve", "fork"), "links lead to https://github.com/ada/lab, but this clone is of"),
    ],
)
def test_doctor_says_where_links_lead_and_where_the_clone_is_from(monkeypatch, owner, remote, expected):
    monkeypatch.setattr(repository, "read", lambda _root: Repository(owner, "lab"))
    monkeypatch.setattr(repository, "find_remote", lambda _root, _branch: remote)
    good, text = doctor.check_repository()
    assert good
    assert text.startswith(expected)
    assert "\n" not in text


def test_make_lab_says_it():
    lab = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlab:")[1].split("\n\n")[0]
    assert "diffusion-lab doctor" in lab


def test_git_knows_every_file_that_is_rewritten():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git clone")
    holds = [
        name
        for name in tracked.stdout.splitlines()
        if Path(name).suffix in repository._TEXTS
        and (ROOT / name).is_file()
        and "colab.research.google.com/github/" in (ROOT / name).read_text(encoding="utf-8")
        and not name.startswith("tests/")
    ]
    reached = {path.relative_to(ROOT).as_posix() for path in repository._texts(ROOT)}
    generated_or_quoted = ("exercises/", "diffusion_lab/links/")
    assert not {name for name in holds if name not in reached and not name.startswith(generated_or_quoted)}
