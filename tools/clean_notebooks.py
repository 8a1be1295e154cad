"""Take out of notebooks what differs from run to run: ``python tools/clean_notebooks.py FILE …``.

Removes widgets and their state, execution times, stderr (progress bars) and the editor's metadata; keeps
outputs, execution counts, cell ids, tags, what folds a cell away in JupyterLab or Colab, and what
`build-exercises` has written. A cell that is folded in JupyterLab is folded on the site, and the other way
round. Exits with 1 if a file was changed, as pre-commit expects. ``--check`` changes nothing: it names the
files that are not clean, and exits with 1 if there are any.
"""

import argparse
import sys
from pathlib import Path

import nbformat

KEPT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LABEL = "diffusion_lab"
"""The key of `diffusion_lab.checks.cells`, which pre-commit cannot import: it has nbformat only, and no torch."""
KEPT_OF_A_CELL = ("tags", "cellView", LABEL)
FOLDED = "hide-input"
"""The site's tag of a cell whose code is folded away."""
REMOVED = "remove-cell"
"""The site's tag of a cell that is not on the page at all."""


def is_widget(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a view of a widget, which is dead without its kernel ("model not found")."""
    return any(kind.startswith("application/vnd.jupyter.widget") for kind in output.get("data", {}))


def kept(metadata: nbformat.NotebookNode) -> dict:
    """What stays of the metadata of a cell."""
    made = {name: metadata[name] for name in KEPT_OF_A_CELL if name in metadata}
    tags = metadata.get("tags", [])
    if metadata.get("jupyter", {}).get("source_hidden") or FOLDED in tags:
        made["jupyter"] = {"source_hidden": True}
        if not {FOLDED, REMOVED} & set(tags):
            made["tags"] = [*tags, FOLDED]
    return made


def clean(notebook: nbformat.NotebookNode) -> None:
    """Clean a notebook in place."""
    label = {LABEL: notebook.metadata[LABEL]} if LABEL in notebook.metadata else {}
    notebook.metadata = nbformat.from_dict(KEPT | label)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(kept(cell.metadata))
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr" and not is_widget(o)]
            for output in cell.outputs:
                alt = output.get("metadata", {}).get("image/png", {}).get("alt")
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({"image/png": {"alt": alt}} if alt else {})


def main(arguments: list[str] | None = None) -> int:
    """Clean files, or check them; returns 1 if any was not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="change nothing, name what is not clean")
    options = parser.parse_args(arguments)
    code = 0
    for file in options.files:
        before = file.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        clean(notebook)
        after = nbformat.writes(notebook) + "\n"
        if after == before:
            continue
        code = 1
        if options.check:
            print(f"{file} is not clean: python tools/clean_notebooks.py {file}")
        else:
            part = file.with_suffix(".ipynb.part")
            part.write_text(after, encoding="utf-8")
            part.replace(file)
            print(f"cleaned {file}")
    return code


if __name__ == "__main__":
    sys.exit(main())
