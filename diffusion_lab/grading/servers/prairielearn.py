"""PrairieLearn: a question that is graded externally, and writes ``/grade/results/results.json``.

The forms are those of PrairieLearn's documentation of external grading. A job has no network, so what it needs is in
the container's image, of which the Dockerfile is in the zip. It ends after 600 seconds, and its results have at most
1 MB.
"""

import json
import uuid
from pathlib import Path

from diffusion_lab.grading.rows import Row
from diffusion_lab.grading.servers.host import Host, Settings, Visit, opening, script, task_texts

LONGEST_JOB = 600


def folder(settings: Settings) -> str:
    """Where the bundle stands in a course's ``serverFilesCourse``."""
    return f"diffusion_lab_{settings.exercise}"


def graded(row: Row, keys: dict, settings: Settings, visit: Visit) -> dict:
    """The results of a row; what cannot be read, or was not graded, costs no attempt."""
    text = opening(row, settings, visit)
    if row.score is None:
        return refused(text, settings, visit)
    tests = [
        {
            "name": f"{task.number} {task.title}",
            "description": "",
            "points": task.points,
            "max_points": task.max,
            "message": task.text,
            "output": "",
        }
        for task in task_texts(row, keys)
    ]
    share = min(max(row.score / row.max, 0.0), 1.0) if row.max else 0.0
    return {"gradable": True, "score": share, "message": text, "output": "", "tests": tests}


def refused(sentence: str, settings: Settings, visit: Visit) -> dict:
    """The results where nothing was graded."""
    return {"gradable": False, "score": 0.0, "message": sentence, "format_errors": [sentence], "tests": []}


def files(settings: Settings) -> dict[str, str]:
    """The question, and the script that its job runs."""
    entry = f"serverFilesCourse/{folder(settings)}"
    info = {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"diffusion-lab/exercise/{settings.exercise}")),
        "title": f"Exercise {settings.exercise} · {settings.title}",
        "topic": "Diffusion models",
        "type": "v3",
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": settings.image,
            "serverFilesCourse": [f"{folder(settings)}/"],
            "entrypoint": f"/grade/{entry}/run.sh",
            "timeout": LONGEST_JOB,
        },
    }
    question = f"""<pl-question-panel>
  <p>Work on <code>{settings.notebook}</code> in Jupyter, and hand in the notebook.</p>
  <pl-file-upload file-names="{settings.notebook}"></pl-file-upload>
</pl-question-panel>
<pl-submission-panel>
  <pl-external-grader-results></pl-external-grader-results>
  <pl-file-preview></pl-file-preview>
</pl-submission-panel>
"""
    return {
        f"questions/exercise_{settings.exercise}/info.json": json.dumps(info, indent=2, ensure_ascii=False)
        + "\n",
        f"questions/exercise_{settings.exercise}/question.html": question,
        f"{entry}/run.sh": script("prairielearn_run.sh"),
        f"{entry}/Dockerfile": script("prairielearn_Dockerfile"),
    }


def _visit(root: Path) -> Visit:
    """PrairieLearn keeps attempts and dates to itself."""
    return Visit()


HOST = Host(
    name="prairielearn",
    submission="student",
    results="results/results.json",
    visit=_visit,
    graded=graded,
    refused=refused,
    files=files,
    inside=lambda settings: f"serverFilesCourse/{folder(settings)}",
    needs_image=True,
)
