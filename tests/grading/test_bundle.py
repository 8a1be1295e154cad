"""The zip for a server: what is in it, what is not, and what its scripts leave behind when all fails."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from diffusion_lab import cli
from diffusion_lab.grading import bundle, key_check, keys
from diffusion_lab.grading.servers.classroom50 import LONGEST_BUNDLE
from diffusion_lab.grading.servers.hosts import HOSTS

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "servers" / "schemas"
KEY = keys.load("01", ROOT / "solutions")
SOLUTION = keys.found(ROOT / "solutions")["01"]
every_host = pytest.mark.parametrize("name", HOSTS)


def settings(name: str, **chosen) -> bundle.Settings:
    return bundle.settings(KEY, SOLUTION.name, image="me/image" if HOSTS[name].needs_image else "", **chosen)


def opened(name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.made(HOSTS[name], settings(name), SOLUTION)))


def unpacked(name: str, folder: Path) -> Path:
    """Unpack a bundle with its permissions."""
    archive = opened(name)
    for entry in archive.infolist():
        Path(archive.extract(entry, folder)).chmod(entry.external_attr >> 16 & 0o777)
    return folder


@every_host
def test_zip_has_what_grading_needs_and_no_more(name):
    inside = HOSTS[name].inside(settings(name))
    names = {entry.removeprefix(f"{inside}/") for entry in opened(name).namelist()}
    needed = {"settings.json", "failed.json", "requirements.txt", "solutions/01_forward_noising.ipynb"}
    needed |= {
        f"course/diffusion_lab/{part}" for part in ("grading/autograder.py", "grading/templates/base.html.j2")
    }
    assert needed <= names
    assert not [entry for entry in names if "/bank/" in entry or entry.endswith((".safetensors", ".pyc"))]
    assert [entry for entry in names if entry.startswith("solutions/")] == [
        "solutions/01_forward_noising.ipynb"
    ]
    data = bundle.made(HOSTS[name], settings(name), SOLUTION)
    assert data == bundle.made(HOSTS[name], settings(name), SOLUTION)
    assert len(data) < LONGEST_BUNDLE / 5


def test_scripts_stand_where_the_servers_look_and_can_be_run():
    modes = {entry.filename: entry.external_attr >> 16 for entry in opened("gradescope").infolist()}
    assert modes["run_autograder"] & stat.S_IXUSR
    assert modes["setup.sh"] & stat.S_IXUSR
    assert not modes["settings.json"] & stat.S_IXUSR
    assert "autograder.py" in opened("classroom50").namelist()
    archive = opened("prairielearn")
    info = json.loads(archive.read("questions/exercise_01/info.json"))
    jsonschema.validate(info, json.loads((SCHEMAS / "prairielearn_info.json").read_text()))
    options = info["externalGradingOptions"]
    assert options["image"] == "me/image"
    assert options["entrypoint"].removeprefix("/grade/") in archive.namelist()
    assert f"serverFilesCourse/{options['serverFilesCourse'][0]}Dockerfile" in archive.namelist()
    assert b'file-names="01_forward_noising.ipynb"' in archive.read("questions/exercise_01/question.html")


@pytest.mark.parametrize(
    "script", ["gradescope_setup.sh", "gradescope_run_autograder", "prairielearn_run.sh"]
)
def test_shell_scripts_parse(script):
    path = ROOT / "diffusion_lab/grading/servers/scripts" / script
    assert subprocess.run(["bash", "-n", path], capture_output=True, check=False).returncode == 0


def test_weights_that_an_exercise_loads_are_in_its_zip():
    solution = keys.found(ROOT / "solutions")["10"]
    assert bundle.loaded(solution) == {"digits.safetensors"}
    chosen = bundle.settings(keys.load("10", ROOT / "solutions"), solution.name)
    data = bundle.made(HOSTS["classroom50"], chosen, solution)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    weights = {Path(name).name for name in names if "/weights/" in name}
    assert weights == {"manifest.json", "digits.safetensors"}
    assert len(data) < LONGEST_BUNDLE


def test_requirements_are_those_of_the_package_without_cuda():
    lines = bundle.requirements()
    assert {line.split(">")[0] for line in lines} >= {
        "numpy",
        "nbval",
        "pytest",
        "ipykernel",
        "jinja2",
        "scikit-learn",
    }
    assert not [line for line in lines if line.startswith(("torch", "jupyterlab", "matplotlib"))]


VARIABLES = ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL")


@every_host
@pytest.mark.parametrize("python", ["/bin/false", "/no/such/python"])
def test_results_are_there_though_python_ends_at_once(tmp_path, name, python):
    """As if the machine had no memory left, or had lost its Python; a result of the student's own goes."""
    folder = unpacked(name, tmp_path / "zip")
    if name == "gradescope":
        root = tmp_path / "autograder"
        root.mkdir()
        shutil.copytree(folder, root / "source")
        command, place = [shutil.copy2(folder / "run_autograder", root)], root
    elif name == "prairielearn":
        place = folder
        command = [folder / "serverFilesCourse/diffusion_lab_01/run.sh"]
    else:
        place = tmp_path / "checkout"
        place.mkdir()
        command = [sys.executable, folder / "autograder.py"]
    results = place / HOSTS[name].results
    results.parent.mkdir(exist_ok=True)
    results.write_text('{"score": 9}')
    environment = os.environ | {"DIFFUSION_LAB_PYTHON": python} | {variable: "x" for variable in VARIABLES}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content = json.loads(results.read_text())
    jsonschema.validate(content, json.loads((SCHEMAS / f"{name}.json").read_text()))
    assert content.get("score", 0) == 0
    assert "not your fault" in json.dumps(content)


@pytest.fixture
def checked(monkeypatch) -> list:
    """Every key that was tried; it takes no time here."""
    tried = []
    monkeypatch.setattr(key_check, "check_key", lambda key, *_: tried.append(key.exercise))
    return tried


def call(*arguments) -> int:
    return cli.main(["autograder", *map(str, arguments), "--source", str(ROOT / "solutions")])


def test_command_tries_the_key_and_writes_the_zip(checked, tmp_path, capsys):
    out = tmp_path / "x.zip"
    chosen = ("--attempts", 5, "--late", "-10%/day,max 3", "--visibility", "after_due_date", "--leaderboard")
    assert call("gradescope", "--exercise", "1", "--out", out, *chosen) == 0
    assert capsys.readouterr().out.startswith(f"{out}: exercise 01 for gradescope, 11 points, 0.")
    assert checked == ["01"]
    made = json.loads(zipfile.ZipFile(out).read("settings.json"))
    assert made == {
        "exercise": "01",
        "title": "Forward noising",
        "notebook": "01_forward_noising.ipynb",
        "points": 11,
        "timeout": 240.0,
        "attempts": 5,
        "late": "-10%/day,max 3",
        "visibility": "after_due_date",
        "leaderboard": True,
        "image": "",
    }
    assert call("gradescope", "--exercise", "1", "--out", out) == 2
    assert f"--out: {out} is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("gradescope", "--late", "-10 percent"), "late: a deduction such as -10%/day"),
        (("gradescope", "--attempts", -1), "--attempts"),
        (("gradescope", "--timeout", 0), "--timeout must be more than 0 and at most 500"),
        (("gradescope", "--image", "x"), "--image: gradescope starts none of ours"),
        (
            ("prairielearn",),
            "--image: the name of an image, such as you/diffusion-lab, was wanted for prairielearn",
        ),
        (
            ("classroom50", "--late", "-10%/day"),
            "--late is for gradescope only; classroom50 has settings of its own",
        ),
        (("gradescope", "--exercise", "77"), "exercise: one of 01"),
    ],
)
def test_what_a_server_cannot_do_is_one_line(checked, tmp_path, capsys, arguments, error):
    exercise = () if "--exercise" in arguments else ("--exercise", "01")
    assert call(*arguments, *exercise, "--out", tmp_path / "x.zip") == 2
    line = capsys.readouterr().err
    assert error in line
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == checked == []
