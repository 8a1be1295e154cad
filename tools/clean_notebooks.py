"""Take out of notebooks what differs from run to run: ``python tools/clean_notebooks.py FILE …``.

Removes widgets and their state, execution times, stderr (progress bars) and the editor's metadata; keeps
outputs, execution counts, cell ids and tags, and folds the cells tagged "hide-input". Exits with 1 if a file
was changed, as pre-commit expects.
"""

import sys
from pathlib import Path

import nbformat

KEPT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOLDED = "hide-input"
"""Tag of a cell whose code is folded away, on the site and in JupyterLab: one that only draws."""


def is_widget(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a view of a widget, which is dead without its kernel ("model not found")."""
    return any(kind.startswith("application/vnd.jupyter.widget") for kind in output.get("data", {}))


def clean(notebook: nbformat.NotebookNode) -> None:
    """Clean a notebook in place."""
    notebook.metadata = nbformat.from_dict(KEPT)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        folded = {"jupyter": {"source_hidden": True}} if FOLDED in tags else {}  # as JupyterLab says it
        cell.metadata = nbformat.from_dict(({"tags": tags} if tags else {}) | folded)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr" and not is_widget(o)]
            for output in cell.outputs:
                alt = output.get("metadata", {}).get("image/png", {}).get("alt")
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({"image/png": {"alt": alt}} if alt else {})


def main(files: list[str]) -> int:
    """Clean files; returns 1 if any was changed."""
    changed = 0
    for file in map(Path, files):
        before = file.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        clean(notebook)
        after = nbformat.writes(notebook) + "\n"
        if after != before:
            part = file.with_suffix(".ipynb.part")
            part.write_text(after, encoding="utf-8")
            part.replace(file)
            print(f"cleaned {file}")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
