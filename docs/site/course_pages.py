"""What the site adds to Sphinx: MathJax of its own, badges without the network, and the exercise under each lesson."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

from diffusion_lab.course.declaration import read

MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions", "a11y/assistive-mml.js")


def download_to(file: str, page: str, *children: nodes.Node) -> download_reference:
    """Give a link on `page` that downloads `file`, whose path begins at the source folder."""
    return download_reference(
        "", "", *children, reftarget=f"/{file}", refdoc=page, refdomain="", classes=["download"]
    )


class BadgesAsText(SphinxTransform):
    """A picture that lies on another server becomes its own description, so that no page asks for it."""

    default_priority = 300

    def apply(self, **kwargs) -> None:
        """Change the pictures of one page."""
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].startswith(("http:", "https:", "//")):
                text = image.get("alt") or "picture on another server"
                image.replace_self(nodes.inline(text, text, classes=["badge-text"]))


class Downloads(SphinxTransform):
    """A link to a notebook that is no page of the site, such as an exercise, hands out the file."""

    default_priority = 300

    def apply(self, **kwargs) -> None:
        """Change the links of one page."""
        for link in list(self.document.findall(pending_xref)):
            file = f"{link['reftarget']}.ipynb"
            is_page = link["reftarget"] in self.env.found_docs
            if link["refdomain"] == "doc" and not is_page and (Path(self.env.srcdir) / file).exists():
                link.replace_self(download_to(file, self.env.docname, *link.children))


class ExerciseLinks(SphinxTransform):
    """Under a lesson: its notebook and its exercise, for download."""

    default_priority = 301

    def apply(self, **kwargs) -> None:
        """Add the line to one page, if that is a lesson."""
        lessons = {f"notebooks/{lesson.file}": lesson for lesson in read().lessons}
        lesson = lessons.get(f"{self.env.docname}.ipynb")
        if lesson is None:
            return
        files = {f"notebooks/{lesson.file}": "this lesson"}
        if lesson.exercise:
            files[f"exercises/{lesson.file}"] = f"exercise {lesson.label}"
        line = nodes.paragraph(classes=["downloads"])
        for file, text in files.items():
            link = download_to(file, self.env.docname, nodes.Text(text))
            line += [nodes.Text(" · " if len(line) else "Download "), link]
        sections = list(self.document.findall(nodes.section))
        (sections[0] if sections else self.document).append(line)


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put the part of MathJax that the pages use into `_static/mathjax`."""
    if exception or app.builder.format != "html":
        return
    package = find_spec(
        "sphinx-mathjax-offline"
    )  # found by name only: it is no name that Python could import
    if package is None:
        raise ExtensionError("sphinx-mathjax-offline is not installed: pip install -e '.[site]'")
    source = Path(package.origin).parent / "static" / "mathjax"
    for part in MATHJAX:
        target = Path(app.outdir) / "_static" / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target)


def setup(app: Sphinx) -> dict:
    """Tell Sphinx about all of this."""
    app.add_transform(BadgesAsText)
    app.add_transform(Downloads)
    app.add_transform(ExerciseLinks)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
