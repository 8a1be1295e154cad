"""Classroom 50, where GitHub Classroom's users went: an `autograder.py` that writes ``result.json`` into the checkout.

The forms are those of Classroom 50's page "Advanced Autograding": the schema ``classroom50/result/v1``, whole numbers,
and an exit code of 0 whatever came of it. Dates, attempts and lateness it keeps itself.
"""

import os
from datetime import datetime, timezone
from pathlib import Path

from diffusion_lab.grading.rows import Row
from diffusion_lab.grading.servers.host import Host, Settings, Visit, opening, script, task_texts

SCHEMA = "classroom50/result/v1"
LONGEST_BUNDLE = 10 * 2**20
"""Bytes of a bundle that the runner fetches."""
VARIABLES = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}


def graded(row: Row, keys: dict, settings: Settings, visit: Visit) -> dict:
    """The results of a row. Points that are no whole numbers are rounded down."""
    tests = [
        {
            "test-name": f"{task.number} {task.title}",
            "passed": task.is_solved,
            "score": int(task.points),
            "max-score": int(task.max),
            "output": task.text,
        }
        for task in task_texts(row, keys)
        if task.max
    ]
    return _result(tests, int(row.max), opening(row, settings, visit))


def refused(sentence: str, settings: Settings, visit: Visit) -> dict:
    """The results where nothing was graded."""
    return _result([], int(settings.points), sentence)


def _result(tests: list[dict], worth: int, message: str) -> dict:
    named = {field: os.environ.get(variable, "") for field, variable in VARIABLES.items()}
    named["review"] = named["review"] or named["commit"]
    return {
        "schema": SCHEMA,
        **named,
        "datetime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": worth,
        "tests": tests,
        "message": message,
    }


def _visit(root: Path) -> Visit:
    return Visit(os.environ.get("USERNAME") or "you")


HOST = Host(
    name="classroom50",
    submission="",
    results="result.json",
    visit=_visit,
    graded=graded,
    refused=refused,
    files=lambda settings: {"autograder.py": script("classroom50_autograder.py")},
    inside=lambda settings: "",
)
