"""The workflow that makes a fork's links right by themselves: its own commands, run in a clone with a remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from diffusion_lab.links import repository
from diffusion_lab.links.repository import Repository

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/repository.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["links"]
STEPS = {step["id"]: step for step in JOB["steps"] if "id" in step}
FORK = Repository("ada", "noise.course")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="GitHub runs it on Ubuntu")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path) -> Path:
    """A clone of a fork, with a lesson, and with the command on the path."""
    folder = tmp_path / "clone"
    for name in (
        "pyproject.toml",
        "README.md",
        "notebooks/01_forward_noising.ipynb",
        "exercises/01_forward_noising.ipynb",
        "solutions/01_forward_noising.ipynb",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "diffusion-lab"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m diffusion_lab "$@"\n')
    command.chmod(0o755)
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "first")
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(folder, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


def run(step: str, clone: Path, fork: Repository = FORK) -> str:
    """Run the commands of a step as GitHub does, and give what it wrote as its outputs."""
    outputs = clone.parent / "outputs"
    outputs.write_text("")
    variables = {
        "GITHUB_REPOSITORY": f"{fork.owner}/{fork.name}",
        "GITHUB_REF_NAME": fork.branch,
        "GITHUB_OUTPUT": str(outputs),
        "PATH": f"{clone.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
    subprocess.run(script, cwd=clone, env=os.environ | variables, capture_output=True, text=True, check=True)
    return outputs.read_text().strip()


def test_in_a_fork_all_links_are_rewritten_committed_and_pushed(clone):
    assert run("look", clone) == "elsewhere=true"
    run("commit", clone)
    assert repository.read(clone) == FORK
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "log", "-1", "--format=%an", "origin/main") == "github-actions[bot]"
    assert git(clone, "rev-list", "--count", "main") == "2"
    assert git(clone, "rev-parse", "main") == git(clone.parent / "origin.git", "rev-parse", "main")
    pushed = git(clone, "show", "origin/main:exercises/01_forward_noising.ipynb")
    assert FORK.colab("exercises/01_forward_noising.ipynb") in pushed
    assert FORK.install in pushed
    assert run("look", clone) == "elsewhere=false", "the next push finds nothing to do"


def test_where_links_are_right_nothing_is_done(clone):
    known = repository.read(ROOT)
    assert run("look", clone, known) == "elsewhere=false"
    assert run("look", clone, known._replace(name=known.name.upper())) == "elsewhere=false"


def test_it_runs_on_the_default_branch_alone_may_write_and_installs_only_when_needed():
    assert WORKFLOW[True] == {"push": None}  # YAML takes the word on for a truth value
    assert WORKFLOW["permissions"] == {"contents": "write"}
    assert JOB["if"] == "github.ref_name == github.event.repository.default_branch"
    after_look = JOB["steps"][[step.get("id") for step in JOB["steps"]].index("look") + 1 :]
    assert len(after_look) == 3
    assert {step["if"] for step in after_look} == {"steps.look.outputs.elsewhere == 'true'"}
