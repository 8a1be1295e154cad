"""One submission where a server runs us: the right notebook is taken, and there are results whatever happens."""

import json
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.grading import autograder, bundle, judge, keys, run
from diffusion_lab.grading.rows import TaskGrade
from diffusion_lab.grading.servers.hosts import HOSTS
from tools import try_autograder

ROOT = Path(__file__).parents[2]
KEY = keys.load("01", ROOT / "solutions")
SOLUTION = keys.found(ROOT / "solutions")["01"]
RIGHT = {"1.1": "my_signal_left = 0.39"}
LATE = {
    "created_at": "2026-11-30T23:30:00.365935+00:00",
    "assignment": {"due_date": "2026-11-30T23:00:00.000000+00:00"},
    "users": [{"name": "Anna Lee"}],
    "previous_submissions": [{"score": 2.0}],
}


def notebook(sources: dict | None = None) -> str:
    made = nbformat.from_dict(KEY.blank)
    for number, cell in keys.answer_cells(made).items():
        if number in (sources or RIGHT):
            cell.source = f"# ANSWER {number}\n{(sources or RIGHT)[number]}"
    return nbformat.writes(made)


def archive(folder: Path, name: str, **chosen) -> Path:
    path = folder / f"{name}.zip"
    image = "me/image" if HOSTS[name].needs_image else ""
    bundle.write(path, HOSTS[name], bundle.settings(KEY, SOLUTION.name, image=image, **chosen), SOLUTION)
    return path


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Gradescope's folder, without kernels: an answer is right if there is one, unless it breaks the grader."""

    def execute(solution, box, *, timeout, hearing):
        assert not box.warm
        return solution

    def grade_notebook(key, found, nonce, expected, *, box, timeout):
        if "break the grader" in "".join(found.sources.values()):
            raise RuntimeError("a secret of the grader")
        tasks = [
            TaskGrade(task.number, task.points, task.points, "passed")
            if task.number in found.sources
            else TaskGrade(task.number, 0, task.points, "blank" if task.check_cell_id else "unread")
            for task in key.tasks
        ]
        return run.Grade("graded", tasks, 0.1, 1, [], ["a log"])

    monkeypatch.setattr(judge, "share_memory", lambda: None)  # this process goes on, and has threads
    monkeypatch.setattr(run, "Hearing", lambda *_: None)
    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(run, "grade_notebook", grade_notebook)

    def hand_in(files: dict[str, str], metadata: dict | None = None, **chosen) -> dict:
        layout = try_autograder.lay_out(
            "gradescope", archive(tmp_path, "gradescope", **chosen), tmp_path / "root", None, metadata
        )
        root = tmp_path / "root/autograder"
        for name, text in files.items():
            path = root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert autograder.main(["gradescope", "--root", str(root), "--bundle", str(root / "source")]) == 0
        return json.loads(layout.results.read_text())

    return hand_in


def test_notebook_is_graded(server):
    results = server({"01_forward_noising.ipynb": notebook()})
    assert results["score"] == 1
    assert [test["status"] for test in results["tests"][:2]] == ["passed", "failed"]


@pytest.mark.parametrize(
    "name", ["homework.ipynb", "exercises/01_forward_noising.ipynb", "Anna's 01_forward_noising (1).ipynb"]
)
def test_notebook_is_found_under_other_names(server, name):
    assert server({name: notebook(), "readme.txt": "x", "02_noise_schedules.ipynb": notebook()})["score"] == 1


def test_lesson_of_the_same_name_is_not_taken(server):
    lesson = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 01")]))
    files = {"notebooks/01_forward_noising.ipynb": lesson, "exercises/01_forward_noising.ipynb": notebook()}
    assert server(files)["score"] == 1


@pytest.mark.parametrize("files", [{}, {"essay.pdf": "%PDF"}, {"02_noise_schedules.ipynb": "{}"}])
def test_nothing_to_grade_is_said(server, files):
    results = server(files)
    assert results["score"] == 0
    assert "Please hand in 01_forward_noising.ipynb." in results["output"]


def test_notebook_that_cannot_be_read_is_said(server):
    results = server({"01_forward_noising.ipynb": "<html>"})
    assert results["score"] == 0
    assert "could not be read" in results["output"]


def test_failure_of_the_grader_keeps_the_best_score_and_its_secrets(server, capsys):
    results = server({"01_forward_noising.ipynb": notebook({"1.1": "'break the grader'"})}, LATE)
    assert results["score"] == 2
    assert "not your fault" in results["output"]
    assert "secret" not in json.dumps(results)
    assert "a secret of the grader" in capsys.readouterr().err


def test_key_that_does_not_run_costs_no_student(server, monkeypatch):
    monkeypatch.setattr(autograder, "run_key", lambda *_: 1 / 0)
    assert "not your fault" in server({"01_forward_noising.ipynb": notebook()})["output"]


def test_dates_and_attempts_of_the_server_count(server):
    results = server({"01_forward_noising.ipynb": notebook()}, LATE, late="-0.5/day", attempts=2)
    assert results["score"] == 0.5
    assert results["extra_data"]["late"] == "30 minutes"
    assert "attempt 2 of 2" in results["output"]


def test_attempt_beyond_the_last_is_not_graded(server):
    results = server({"01_forward_noising.ipynb": notebook()}, LATE, attempts=1)
    assert results["score"] == 2
    assert "This is attempt 2, and the limit is 1. Your best score so far stays." in results["output"]


@pytest.mark.notebook
@pytest.mark.parametrize("name", HOSTS)
def test_script_grades_in_a_bare_root_as_the_server_runs_it(tmp_path, name):
    """Half of the tasks solved; with kernels, without a network, and with nothing there but the bundle and Python."""
    solved = {
        number: cell.source for number, cell in keys.answer_cells(KEY.solution).items() if number <= "1.2"
    }
    handed_in = tmp_path / "01_forward_noising.ipynb"
    handed_in.write_text(notebook({number: source.partition("\n")[2] for number, source in solved.items()}))
    layout = try_autograder.lay_out(name, archive(tmp_path, name), tmp_path / "top", handed_in)
    attempt = try_autograder.run(layout)
    assert attempt.code == 0, attempt.log
    assert attempt.results is not None, attempt.log
    points = attempt.results["score"] * (11 if name == "prairielearn" else 1)
    assert points == pytest.approx(3), attempt.log
