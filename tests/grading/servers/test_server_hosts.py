"""What each server gets back, in the form that its documentation describes, whatever became of a submission."""

import json
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from diffusion_lab.grading.lateness import Policy
from diffusion_lab.grading.rows import ABSENT, STATUSES, TASKS, Row, TaskGrade
from diffusion_lab.grading.servers import gradescope, host
from diffusion_lab.grading.servers.host import Settings, Visit
from diffusion_lab.grading.servers.hosts import HOSTS

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "schemas").glob("*.json")
}
KEYS = {
    "01": {
        "points": 9,
        "tasks": [
            {"number": "1.1", "title": "a guess", "max": 4, "section": "4. All steps", "hint": "multiply"},
            {"number": "1.2", "title": "one step", "max": 5, "section": "1. One step", "hint": "reshape"},
            {"number": "1.5", "title": "in a sentence", "max": 0, "section": "", "hint": ""},
        ],
    }
}
SETTINGS = Settings("01", "Forward noising", "01_forward_noising.ipynb", 9)
METADATA = {
    "id": 1,
    "created_at": "2026-11-30T23:30:00.365935+00:00",
    "assignment": {
        "due_date": "2026-11-29T23:00:00.000000+00:00",
        "late_due_date": None,
        "total_points": "9.0",
    },
    "users": [{"email": "anna@uni.edu", "id": 7, "name": "Anna Lee"}, {"email": "bo@uni.edu", "id": 8}],
    "previous_submissions": [
        {"score": "3.0", "results": {}},
        {"score": None},
        {"submission_time": "x", "score": 5},
    ],
}
every_host = pytest.mark.parametrize("name", HOSTS)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name in ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL"):
        monkeypatch.setenv(name, f"the {name}")
    monkeypatch.delenv("REVIEW_URL", raising=False)


def valid(name: str, results: dict) -> dict:
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(results)
    assert len(json.dumps(results)) < 1_000_000
    return results


def row(status: str = "graded", first: str = "passed", second: str = "failed", **more) -> Row:
    tasks = [
        TaskGrade("1.1", 4 * (first == "passed"), 4, first)._asdict(),
        TaskGrade("1.2", 5 * (second == "passed"), 5, second, "wrong-shape")._asdict(),
        TaskGrade("1.5", 0, 0, "unread")._asdict(),
    ]
    return Row("anna", "01", status, 9, tasks if status == "graded" else [], **more)


def graded(name: str, row: Row, settings: Settings = SETTINGS, visit: Visit | None = None) -> dict:
    return valid(name, HOSTS[name].graded(row, KEYS, settings, visit or Visit()))


@every_host
@pytest.mark.parametrize("status", [status for status in STATUSES if status not in ABSENT])
def test_results_are_valid_whatever_became_of_a_submission(name, status):
    results = graded(name, row(status))
    refused = valid(name, HOSTS[name].refused(host.grader_failed(), SETTINGS, Visit()))
    assert (results.get("score", 0) == 0) == (status != "graded")
    assert refused.get("score", 0) == 0
    assert "not your fault" in json.dumps(refused)


@every_host
@pytest.mark.parametrize("status", TASKS)
def test_results_are_valid_whatever_became_of_a_task(name, status):
    results = graded(name, row(second=status))
    assert json.dumps(results).count("a guess") == 1


@every_host
def test_hostile_texts_do_not_get_there(name):
    text = "\x1b[2J" + "x" * 2_000_000
    results = graded(name, row(notes=[text]))
    assert "\x1b" not in json.dumps(results, ensure_ascii=False)
    assert len(json.dumps(results)) < 20_000


def test_gradescope_shows_points_and_advice_by_task():
    results = graded("gradescope", row())
    assert (results["score"], results["stdout_visibility"]) == (4, "hidden")
    first, second, third = results["tests"]
    assert (first["number"], first["status"], first["score"], first["max_score"]) == ("1.1", "passed", 4, 4)
    assert (second["status"], second["score"]) == ("failed", 0)
    assert "wrong-shape" in second["output"]
    assert "reshape" in second["output"]
    assert "status" not in third
    assert "leaderboard" not in results
    assert {test["visibility"] for test in results["tests"]} == {"visible"}
    later = graded("gradescope", row(), Settings(*("01", "t", "n", 9), visibility="after_due_date"))
    assert {test["visibility"] for test in later["tests"]} == {later["visibility"]} == {"after_due_date"}


def test_gradescope_knows_dates_attempts_and_names(tmp_path):
    (tmp_path / "submission_metadata.json").write_text(json.dumps(METADATA))
    visit = gradescope.visit(tmp_path)
    assert (visit.student, visit.attempt, visit.earlier) == ("Anna Lee, bo@uni.edu", 4, (3.0, 0.0, 5.0))
    late = datetime.fromisoformat(visit.handed_in) - visit.due
    assert 24 * 3600 < late.total_seconds() < 25 * 3600
    settings = Settings("01", "t", "n", 9, late="-10%/day", attempts=5, leaderboard=True)
    judged = Policy({"": visit.due}, settings.deduction).applied(row(handed_in=visit.handed_in))
    results = graded("gradescope", judged, settings, visit)
    assert results["score"] == 2.2
    assert results["extra_data"] == {
        "attempt": 4,
        "status": "graded",
        "handed_in": visit.handed_in,
        "late": "2 days",
        "penalty": 1.8,
    }
    assert "You handed it in 2 days late, which costs 1.8 points." in results["output"]
    assert "attempt 4 of 5" in results["output"]
    assert [entry["value"] for entry in results["leaderboard"]] == [2.2, 4]


def test_extension_of_a_student_counts(tmp_path):
    users = [{"name": "Anna", "assignment": {"due_date": "2026-12-24T23:00:00.000000-07:00"}}]
    (tmp_path / "submission_metadata.json").write_text(json.dumps(METADATA | {"users": users}))
    assert gradescope.visit(tmp_path).due.month == 12


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", '"x"', '{"users": 3}', '{"users": [1], "assignment": []}', '{"created_at": 5}'],
)
def test_metadata_that_are_absent_or_damaged_cost_nothing(tmp_path, text):
    if text is not None:
        (tmp_path / "submission_metadata.json").write_text(text)
    visit = gradescope.visit(tmp_path)
    assert (visit.student, visit.due, visit.attempt) == ("you", None, 1)


def test_attempt_beyond_the_last_keeps_the_best_score():
    visit = Visit(earlier=(3.0, 7.0, 5.0))
    assert visit.is_beyond(Settings("01", "t", "n", 9, attempts=3))
    assert not visit.is_beyond(Settings("01", "t", "n", 9, attempts=4))
    assert not visit.is_beyond(SETTINGS)
    assert valid("gradescope", HOSTS["gradescope"].refused("no more", SETTINGS, visit))["score"] == 7


def test_prairielearn_takes_a_share_and_no_attempt_for_what_cannot_be_read():
    results = graded("prairielearn", row())
    assert results["score"] == pytest.approx(4 / 9)
    assert results["gradable"]
    assert [(test["points"], test["max_points"]) for test in results["tests"]] == [(4, 4), (0, 5), (0, 0)]
    assert graded("prairielearn", row("UNREADABLE"))["gradable"] is False


def test_classroom50_takes_whole_numbers_and_its_own_variables():
    half = row()
    half.tasks[0]["points"] = 3.5
    results = graded("classroom50", half)
    assert (results["score"], results["max-score"]) == (3, 9)
    assert (results["classroom"], results["review"]) == ("the CLASSROOM", "the COMMIT_URL")
    assert [(test["test-name"], test["passed"]) for test in results["tests"]] == [
        ("1.1 a guess", False),
        ("1.2 one step", False),
    ]


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("gradescope", {"output": "no score"}),
        ("gradescope", {"score": 1, "visibility": "later"}),
        ("gradescope", {"tests": [{"status": "ok"}]}),
        ("prairielearn", {"score": 1.5}),
        ("prairielearn", {"gradable": True}),
        ("classroom50", {"schema": "classroom50/result/v1", "score": 1.5}),
    ],
)
def test_schemas_refuse_what_the_servers_would(name, results):
    with pytest.raises(jsonschema.ValidationError):
        valid(name, results)
