"""Build the static site: ``python tools/build_site.py`` writes ``build/site/html``; open ``index.html`` there.

The pages lie all over the repository, so they are gathered first, in ``build/site/source``, in the same
folders, so that the links between them hold. Nothing is executed. Every warning of Sphinx, such as a link
that leads nowhere, is an error. ``--linkcheck`` asks instead whether the links to other servers still lead
somewhere.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from diffusion_lab.course.declaration import read

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "benchmarks/*.md", "diffusion_lab/weights/*.md")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def notebooks() -> set[Path]:
    """Give the lessons, which become pages, and the exercises, which can be downloaded."""
    lessons = read().lessons
    pages = {ROOT / "notebooks" / lesson.file for lesson in lessons}
    return pages | {ROOT / "exercises" / lesson.file for lesson in lessons if lesson.exercise}


def linked_from(page: Path, folder: Path) -> set[Path]:
    """Give the files of the repository that a page, which stands in `folder`, shows or links to."""
    found = {(folder / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))}
    return {path for path in found if path.is_file() and path.is_relative_to(ROOT)}


def gather(source: Path) -> None:
    """Put all pages, and the files that they show or link to, into a fresh folder."""
    shutil.rmtree(source, ignore_errors=True)
    pages = {path for pattern in PAGES for path in ROOT.glob(pattern)} | notebooks()
    first = ROOT / "docs" / "site" / "index.md"
    linked = {path for page in pages if page.suffix == ".md" for path in linked_from(page, page.parent)}
    for path in sorted(pages | linked | linked_from(first, ROOT)):
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    shutil.copytree(
        ROOT / "docs" / "site", source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )


def build(source: Path, out: Path, builder: str = "html", strict: bool = True) -> int:
    """Run Sphinx on gathered pages; returns its exit code. If `strict`, a warning is an error.

    Sphinx finds this clone on its path: `docs/site/course_pages.py` asks `diffusion_lab` about the course.
    """
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-d", out.parent / "doctrees", "-E", "-q"]
    command += ["-W", "--keep-going"] if strict else []
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run([*command, source, out], env=environment, check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    """Build; returns Sphinx's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "site", help="folder for source/ and html/"
    )
    parser.add_argument(
        "--linkcheck", action="store_true", help="check the links to other servers, build nothing"
    )
    options = parser.parse_args(arguments)
    if find_spec("sphinx") is None:
        parser.error("Sphinx is not installed: pip install -e '.[site]'")
    source = options.out / "source"
    gather(source)
    if options.linkcheck:
        return build(source, options.out / "linkcheck", "linkcheck", strict=False)
    if code := build(source, options.out / "html"):
        return code
    print(f"open {options.out / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
