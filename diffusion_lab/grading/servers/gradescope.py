"""Gradescope: a zip with `setup.sh` and `run_autograder`, which writes ``/autograder/results/results.json``.

The forms are those of Gradescope's documentation for autograders. The default machine has 768 MB, half a core and ten
minutes.
"""

import json
from pathlib import Path

from diffusion_lab.grading.rows import Row
from diffusion_lab.grading.servers.host import Host, Settings, Visit, local_time, opening, script, task_texts


def visit(root: Path) -> Visit:
    """Read ``submission_metadata.json``; where it is absent or damaged, nothing is known."""
    try:
        metadata = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))
        users = [user for user in metadata.get("users", []) if isinstance(user, dict)]
        earlier = [entry for entry in metadata.get("previous_submissions", []) if isinstance(entry, dict)]
        assignment = metadata.get("assignment") or {}
        # an extension stands with the student
        extended = [(user.get("assignment") or {}).get("due_date") for user in users]
        due = max(filter(None, map(local_time, [*extended, assignment.get("due_date")])), default=None)
        created = local_time(metadata.get("created_at"))
        return Visit(
            ", ".join(str(user.get("name") or user.get("email") or "?") for user in users) or "you",
            created.isoformat(timespec="seconds") if created else "",
            due,
            tuple(_score(entry) for entry in earlier),
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return Visit()


def _score(entry: dict) -> float:
    try:
        return float(entry.get("score") or 0)
    except (TypeError, ValueError):
        return 0.0


def graded(row: Row, keys: dict, settings: Settings, visit: Visit) -> dict:
    """The results of a row."""
    tests = []
    for task in task_texts(row, keys):
        test = {
            "name": task.title,
            "number": task.number,
            "output": task.text,
            "visibility": settings.visibility,
        }
        if task.max:
            test |= {
                "score": task.points,
                "max_score": task.max,
                "status": "passed" if task.is_solved else "failed",
            }
        tests.append(test)
    results = _results(row.score or 0, opening(row, settings, visit), settings)
    results |= {"execution_time": round(row.seconds), "tests": tests}
    results["extra_data"] = {
        "attempt": visit.attempt,
        "status": row.status,
        "handed_in": row.handed_in,
        "late": row.late,
        "penalty": row.penalty,
    }
    if settings.leaderboard:
        results["leaderboard"] = [
            {"name": "Points", "value": row.score or 0},
            {"name": "Attempts", "value": visit.attempt, "order": "asc"},
        ]
    return results


def refused(sentence: str, settings: Settings, visit: Visit) -> dict:
    """The results where nothing was graded: the best score so far stays."""
    return _results(max(visit.earlier, default=0), sentence, settings)


def _results(score: int | float, output: str, settings: Settings) -> dict:
    return {
        "score": score,
        "output": output,
        "visibility": settings.visibility,
        "stdout_visibility": "hidden",
    }


HOST = Host(
    name="gradescope",
    submission="submission",
    results="results/results.json",
    visit=visit,
    graded=graded,
    refused=refused,
    files=lambda settings: {
        "setup.sh": script("gradescope_setup.sh"),
        "run_autograder": script("gradescope_run_autograder"),
    },
    inside=lambda settings: "",
    knows_dates=True,
)
