"""Grading one submission where a server runs us: ``python -m diffusion_lab.grading.autograder gradescope --root …``.

It reads the bundle that `bundle` has made, and what the server has laid out below the root, grades under numbers that
are drawn there and then, and always writes results in the server's form, even when grading fails. The kernel is started
cold, without the template that a whole class shares: that would cost memory, and such machines have little.
"""

import argparse
import hashlib
import json
import os
import secrets
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from diffusion_lab.files import replacing
from diffusion_lab.grading import judge, keys, submissions
from diffusion_lab.grading.box import find_box
from diffusion_lab.grading.grade import described
from diffusion_lab.grading.grader import Grader
from diffusion_lab.grading.key_check import run_key
from diffusion_lab.grading.lateness import Policy
from diffusion_lab.grading.plan import Planned
from diffusion_lab.grading.servers.host import SOLUTIONS, Host, Settings, Visit, grader_failed
from diffusion_lab.grading.servers.hosts import HOSTS
from diffusion_lab.grading.submissions import Submission

NAME = r"(?:.*/)?(?P<student>[^/]+)"
"""All files of one name are one student's here, so that of two copies the right one is taken."""
MEMORY = 1024
"""MiB that the kernel may map, of which it touches half; a class gets more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade, and write the results; what goes wrong is told on stderr, which no student sees."""
    parser = argparse.ArgumentParser(prog="diffusion_lab.grading.autograder")
    parser.add_argument("host", choices=sorted(HOSTS))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    options = parser.parse_args(arguments)
    host = HOSTS[options.host]
    settings, visit = Settings.read(options.bundle), host.visit(options.root)
    try:
        results = _results(host, options.root, options.bundle, settings, visit)
    except Exception:
        traceback.print_exc()
        results = host.refused(grader_failed(), settings, visit)
    with replacing(options.root / host.results) as part:
        part.write_text(json.dumps(results, ensure_ascii=True), encoding="utf-8")
    return 0


def _results(host: Host, root: Path, bundle: Path, settings: Settings, visit: Visit) -> dict:
    if visit.is_beyond(settings):
        sentence = f"This is attempt {visit.attempt}, and the limit is {settings.attempts}."
        return host.refused(f"{sentence} Your best score so far stays.", settings, visit)
    found = find_submission(root / host.submission, settings)
    if found is None:
        sentence = (
            f"No notebook of exercise {settings.exercise} was found. Please hand in {settings.notebook}."
        )
        return host.refused(sentence, settings, visit)
    known = keys.load_all(bundle / SOLUTIONS)
    key = known[settings.exercise]
    judge.share_memory()
    box = find_box(warm=False, memory=MEMORY)
    print(f"box: {box.level}; {box.reason}", file=sys.stderr)
    nonce = secrets.randbelow(10**9) + 1
    expected = {key.exercise: run_key(key, nonce, box, settings.timeout)}
    grader = Grader(known, expected, nonce, box, settings.timeout)
    planned = Planned(
        visit.student,
        key.exercise,
        found.name,
        hashlib.sha256(found.data).hexdigest(),
        key.exercise,
        list(found.notes),
        handed_in=visit.handed_in,
    )
    row, log = grader.grade(found, planned)
    if row.status == "GRADER-ERROR":
        print(*row.notes, log, sep="\n", file=sys.stderr)
        return host.refused(grader_failed(), settings, visit)
    if visit.due:
        row = Policy({"": visit.due}, settings.deduction).applied(row)
    return host.graded(row, {key.exercise: described(key)}, settings, visit)


def find_submission(folder: Path, settings: Settings) -> Submission | None:
    """The notebook that is graded: of the exercise, or else one that says of none which it is; None if there is none.

    Of several the newest is taken.
    """
    found = [entry for entry in submissions.find(folder, NAME) if entry.exercise in (settings.exercise, None)]
    of_notebooks = [entry for entry in found if entry.name.lower().endswith(".ipynb")]
    return max(
        of_notebooks,
        key=lambda entry: (
            entry.exercise is not None,
            entry.name.endswith(settings.notebook),
            entry.handed_in,
        ),
        default=None,
    )


if __name__ == "__main__":
    # threads of their own cost memory, and half a core does not need them
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
