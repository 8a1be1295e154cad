"""Execute the lessons in place and keep their outputs: ``python tools/run_lessons.py [notebooks/01_….ipynb …]``.

Each notebook is run from top to bottom in its own kernel, cleaned of everything that differs from run to run, and
written whole or not at all. Prints the seconds that each took.
"""

import sys
import time
from pathlib import Path

import nbformat
from clean_notebooks import clean  # beside this file
from nbclient import NotebookClient

from diffusion_lab.files import replacing

ROOT = Path(__file__).parent.parent


def run(path: Path) -> None:
    """Execute one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    begin = time.perf_counter()
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    clean(notebook)
    with replacing(path) as part:
        nbformat.write(notebook, part)
    print(f"{path.name}: {time.perf_counter() - begin:.0f} s, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if len(sys.argv) > 1 else sorted((ROOT / "notebooks").glob("*.ipynb")):
        run(path)
