"""Writing a gradebook: every table and page into one folder, each file whole or not at all."""

import dataclasses
import json
from pathlib import Path

from diffusion_lab.files import replacing
from diffusion_lab.grading import similarity
from diffusion_lab.grading.report import pages, tables
from diffusion_lab.grading.rows import ABSENT, Row


def write(out: Path, rows: list[Row], run: dict) -> None:
    """Write the gradebook, the feedback and the summary into a folder.

    Args:
        out: the folder.
        rows: one per submission, and per student who handed in nothing.
        run: what is known of the run; ``run["keys"]`` has for each exercise its points, and its tasks with
            their number, title, max, section and hint.

    Raises:
        OSError: if the folder cannot be written to.
    """
    keys = run["keys"]
    rows = sorted(rows, key=lambda row: (row.student.casefold(), row.student, row.exercise, row.asked))
    pairs = similarity.pairs((row.student, row.exercise, row.shapes) for row in rows if row.shapes)
    files = {
        "grades.csv": tables.grades(rows, keys),
        "grades.json": _json({"rows": [_stored(row) for row in rows]}),
        "run.json": _json(run),
        "to_read.csv": tables.to_read(rows, keys),
        "alike.csv": tables.alike(pairs),
        **{
            f"feedback/{row.page}.html": pages.feedback(row, keys) for row in rows if row.status not in ABSENT
        },
        "summary.html": pages.summary(rows, run, pairs),
    }
    for name, text in files.items():
        with replacing(out / name) as part:
            part.write_text(text, encoding="utf-8", newline="")


def _stored(row: Row) -> dict:
    """A row as `grades.json` has it: with its score, and without what only `similarity` can read."""
    content = dataclasses.asdict(row) | {"score": row.score}
    del content["shapes"]
    return content


def _json(content: dict) -> str:
    return json.dumps(content, indent=1, ensure_ascii=True) + "\n"
