"""The repository that all links lead to: read from pyproject.toml, and written into every badge and install command.

``[project.urls] Repository`` and ``[tool.diffusion-lab] branch`` are the only places where owner, name and
branch are decided. ``diffusion-lab set-repository`` changes them and what follows from them.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.course import copies
from diffusion_lab.files import replacing

PLACEHOLDER = "OWNER"
"""The owner that stands in pyproject.toml until the repository is set."""
NOTEBOOKS = ("notebooks", "solutions")
"""Folders of the notebooks that get badges and set-up.

In ``exercises``, built from the second, only links change.
"""
_PROJECT = re.compile(r'^Repository = "https://github\.com/([^/"]+)/([^/"]+)"$', re.M)
_BRANCH = re.compile(r'^\[tool\.diffusion-lab\]\nbranch = "([^"]+)"$', re.M)
_NAMES = re.compile(r"(?:https://github\.com/)?([A-Za-z0-9][A-Za-z0-9-]*)/([\w.-]+?)(?:\.git)?/?")
_REMOTE = re.compile(
    r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[:/]([A-Za-z0-9][A-Za-z0-9-]*)/([\w.-]+?)(?:\.git)?/?"
)
_COLAB = re.compile(r"colab\.research\.google\.com/github/[^/\s]+/[^/\s]+/blob/[^/\s]+/")
_BINDER = re.compile(r"mybinder\.org/v2/gh/[^/\s]+/[^/\s]+/[^/?\s)\"]+")
_INSTALL = re.compile(r"git\+https://github\.com/[^/\s]+/[^@\s]+@[\w.-]+")
_TEXTS = {".md", ".yml", ".yaml", ".toml", ".cff", ".json", ".py", ".ipynb", ".html", ".sh"}
_PASSED_OVER = {"node_modules", "build", "dist", "runs", "benchmarks", "tests", "links"}
_BADGES = re.compile(r"^\[!\[Open in Colab\].*$", re.M)


class Repository(NamedTuple):
    """A repository on GitHub, and the links into it."""

    owner: str
    name: str
    branch: str = "main"

    @property
    def is_set(self) -> bool:
        """Whether this is a repository that somebody has, not the placeholder."""
        return self.owner != PLACEHOLDER

    def leads_to(self, other: "Repository") -> bool:
        """Whether links into this repository lead to the other one; GitHub takes no notice of capitals."""
        return self.url.lower() == other.url.lower()

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def install(self) -> str:
        """What pip installs."""
        return f"git+{self.url}@{self.branch}"

    def colab(self, path: str) -> str:
        """Open a notebook of the repository, such as ``notebooks/00_start_here.ipynb``, in Colab."""
        return f"https://colab.research.google.com/github/{self.owner}/{self.name}/blob/{self.branch}/{path}"

    def binder(self, path: str) -> str:
        """Open a copy of it in a JupyterLab on Binder, where `postBuild` has copied the course for the student."""
        place = f"{copies.FOLDER}/{path}".replace("/", "%2F")
        return (
            f"https://mybinder.org/v2/gh/{self.owner}/{self.name}/{self.branch}?urlpath=lab%2Ftree%2F{place}"
        )

    def colab_badge(self, path: str) -> str:
        """The link into Colab as a picture, in Markdown."""
        picture = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        return f"{picture}({self.colab(path)})"

    def badges(self, path: str) -> str:
        """Both links as pictures, in one line of Markdown."""
        binder = "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        return f"{self.colab_badge(path)} {binder}({self.binder(path)})"

    def setup(self) -> str:
        """The cell that installs the package where a notebook has been opened on its own."""
        return SETUP.replace("INSTALL", self.install)


SETUP = """\
# @title Set-up: installs the course where it is missing, as on Colab
import importlib.util

if not importlib.util.find_spec("diffusion_lab"):
    %pip install -q "diffusion-lab[lessons] @ INSTALL\""""
"""The first code of every notebook that needs the package: silent and instant where that is installed.

pip replaces a package only where the version that is there would not do (its "only-if-needed"), and pyproject.toml
asks for ranges that hold what Colab ships; ``make standalone`` sees to it that nothing changes there.
"""
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
"""Metadata of that cell: folded in JupyterLab and Colab, left out of the site."""


def parse(names: str, branch: str = "main") -> Repository:
    """Read ``OWNER/NAME`` or the address of a repository on GitHub; a `ValueError` says what was wanted."""
    found = _NAMES.fullmatch(names)
    if not found:
        raise ValueError(
            f"OWNER/NAME of a repository on GitHub was wanted, such as ada/diffusion-lab, got {names!r}"
        )
    if not re.fullmatch(r"\w[\w.-]*", branch):
        raise ValueError(
            f"branch: letters, digits and . _ - were wanted (Colab's links take no slash), got {branch!r}"
        )
    return Repository(found[1], found[2], branch)


def find_root(start: Path) -> Path:
    """Find the clone that holds `start`; a `FileNotFoundError` says if it is in none."""
    for folder in [start, *start.parents]:
        file = folder / "pyproject.toml"
        if file.is_file() and '\nname = "diffusion-lab"\n' in file.read_text(encoding="utf-8"):
            return folder
    raise FileNotFoundError(
        f"{start} is in no clone of diffusion-lab: there is no pyproject.toml of it there or above"
    )


def read(root: Path) -> Repository:
    """Read the repository out of the pyproject.toml in `root`.

    A `ValueError` says which line is not there.
    """
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project, branch = _PROJECT.search(text), _BRANCH.search(text)
    if not project or not branch:
        missing = (
            '[tool.diffusion-lab] with branch = "…"'
            if project
            else '[project.urls] Repository = "https://github…"'
        )
        raise ValueError(f"{root / 'pyproject.toml'} has no line {missing}")
    return Repository(project[1], project[2], branch[1])


def find_remote(root: Path, branch: str = "main") -> Repository | None:
    """Find the repository on GitHub that a clone came from, which git calls origin; None if there is none."""
    try:
        found = subprocess.run(
            ["git", "remote", "get-url", "origin"], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    names = _REMOTE.fullmatch(found.stdout.strip())
    return Repository(names[1], names[2], branch) if names else None


def follow(text: str, old: Repository, new: Repository) -> str:
    """Make every link in a text that leads into the course lead to `new`.

    Badges and install commands are known by their form, wherever they led; plain addresses only if they led
    to `old`.
    """
    start = f"{new.owner}/{new.name}"
    text = _COLAB.sub(f"colab.research.google.com/github/{start}/blob/{new.branch}/", text)
    text = _BINDER.sub(f"mybinder.org/v2/gh/{start}/{new.branch}", text)
    text = _INSTALL.sub(new.install, text)
    before = rf"{re.escape(old.owner)}/{re.escape(old.name)}"
    into = rf"github\.com/{before}/(blob|tree|raw|edit)/{re.escape(old.branch)}/"
    text = re.sub(into, rf"github.com/{start}/\1/{new.branch}/", text)
    text = re.sub(rf"(github\.com|codecov\.io/gh)/{before}(?![\w-])", rf"\1/{start}", text)
    return re.sub(
        rf"{re.escape(old.owner)}\.github\.io/{re.escape(old.name)}(?![\w-])",
        f"{new.owner}.github.io/{new.name}",
        text,
    )


def equipped(notebook: dict, path: str, repository: Repository) -> dict:
    """Give a notebook, as read from JSON, its badges and its cell of set-up, where they are not as they should be.

    The badges lead to `path`. They stay in the cell that has them, such as the text below the first player; where
    none has, they come under the title. The set-up stands before the first code that imports the package; where it
    is put in, the counts of execution behind it grow by one, as if it had been there in the run.
    """
    cells = [dict(cell) for cell in notebook["cells"]]
    badges = repository.badges(path)
    holder = next((cell for cell in cells if _BADGES.search("".join(cell["source"]))), None)
    if holder:
        text = _BADGES.sub(lambda _: badges, "".join(holder["source"]))
    else:
        holder = cells[0]
        title, _, rest = "".join(holder["source"]).partition("\n\n")
        text = f"{title}\n\n{badges}\n\n{rest}"
    holder["source"] = text.splitlines(keepends=True)
    source = repository.setup().splitlines(keepends=True)
    installs = [cell for cell in cells if cell["id"].endswith("-install")]
    if installs:
        installs[0]["source"], installs[0]["metadata"] = source, FOLDED
    else:
        place = next(
            k
            for k, cell in enumerate(cells)
            if cell["cell_type"] == "code"
            and re.search(r"^(from|import) diffusion_lab\b", "".join(cell["source"]), re.M)
        )
        number = sum(cell["cell_type"] == "code" for cell in cells[:place]) + 1
        for cell in cells[place:]:
            for counted in [cell, *cell.get("outputs", [])]:
                if counted.get("execution_count"):
                    counted["execution_count"] += 1
        cells.insert(
            place,
            {
                "cell_type": "code",
                "execution_count": number,
                "id": f"{cells[place]['id'].split('-')[0]}-install",
                "metadata": FOLDED,
                "outputs": [],
                "source": source,
            },
        )
    return notebook | {"cells": cells}


def _texts(root: Path) -> list[Path]:
    """All files of a clone that may hold links, except what is generated or only quotes such links."""

    def walk(folder: Path):
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                hidden = path.name.startswith(".") and path.name not in (
                    ".github",
                    ".devcontainer",
                    ".binder",
                )
                students = (path / copies.MANIFEST).is_file()
                if not (hidden or students or path.name in _PASSED_OVER or path.is_symlink()):
                    yield from walk(path)
            elif path.suffix in _TEXTS and path.name != "pyproject.toml":
                yield path

    return list(walk(root))


def changes(root: Path, new: Repository) -> dict[Path, str]:
    """What would have to be written to make all of a clone lead to `new`: texts, by their files.

    Of an exercise only links change, as somebody may have answered it. pyproject.toml comes last, so that
    what was interrupted can be done again.
    """
    old, texts = read(root), {}
    for path in _texts(root):
        before = path.read_text(encoding="utf-8")
        after = before
        if path.suffix == ".ipynb" and path.parent.name in NOTEBOOKS and path.parent.parent == root:
            folder = "exercises" if path.parent.name == "solutions" else path.parent.name
            made = equipped(json.loads(before), f"{folder}/{path.name}", new)
            after = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        after = follow(after, old, new)
        if after != before:
            texts[path] = after
    project = root / "pyproject.toml"
    before = project.read_text(encoding="utf-8")
    after = _PROJECT.sub(f'Repository = "{new.url}"', follow(before, old, new))
    after = _BRANCH.sub(f'[tool.diffusion-lab]\nbranch = "{new.branch}"', after)
    return texts | ({project: after} if after != before else {})


def change(root: Path, new: Repository) -> list[Path]:
    """Make every link of a clone lead to `new`; returns the files that were written."""
    texts = changes(root, new)
    for path, text in texts.items():
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)
