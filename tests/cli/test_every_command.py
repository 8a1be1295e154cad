"""What holds for every command: its help, its exit codes, and that a module is all it takes."""

import subprocess
import sys
from pathlib import Path

import pytest

import diffusion_lab as dl
from diffusion_lab import cli
from diffusion_lab.cli import _commands
from diffusion_lab.mini_sd import stages

COMMANDS = {
    "": [
        "build-exercises",
        "check",
        "copy-course",
        "doctor",
        "evaluate",
        "grade",
        "grade-merge",
        "progress",
        "sample",
        "set-repository",
        "train",
    ],
    "train": ["consistency", "digits", "judge", "mini-sd"],
    "train mini-sd": [*stages.STAGES, "pack"],
}
"""What has to be there. A command that is new is found, and needs no entry."""
FOUND = {command.name for command in _commands.discover(cli.__path__, cli.__name__)}
NAMES = sorted({f"{group} {name}".strip() for group, names in COMMANDS.items() for name in names} | FOUND)


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_a_screen(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command(*name.split(), "--help")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: {f'diffusion-lab {name}'.strip()} ")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "None" not in out
    assert "False" not in out
    listed = [line.split()[0] for line in lines if line.startswith("    ") and line[4] != " "]
    wanted = COMMANDS.get(name, [])
    assert [word for word in listed if word in wanted] == wanted
    assert name or set(listed) >= FOUND


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ((), "diffusion-lab"),
        (("banana",), "diffusion-lab"),
        (("sample", "--banana"), "diffusion-lab sample"),
        (("train", "banana"), "diffusion-lab train"),
        (("train", "--banana"), "diffusion-lab train digits"),
        (("train", "judge", "--objective", "v"), "diffusion-lab train judge"),
        (("train", "judge", "--steps", "3"), "diffusion-lab train judge"),
        (("train", "judge", "--resume"), "diffusion-lab train judge"),
        (("train", "digits", "--epochs", "3"), "diffusion-lab train digits"),
        (("train", "mini-sd"), "diffusion-lab train mini-sd"),
        (("train", "mini-sd", "vae", "--force"), "diffusion-lab train mini-sd vae"),
        (("train", "mini-sd", "pack", "--seed", "0"), "diffusion-lab train mini-sd pack"),
        (("doctor", "--out", "here"), "diffusion-lab doctor"),
    ],
)
def test_what_a_command_does_not_know_is_refused_in_its_own_name(command, arguments, usage):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"usage: {usage} [-h]")
    assert err.splitlines()[-1].startswith(f"{usage}: error: ")
    unknown = next((word for word in arguments if word.startswith("--")), "")
    assert unknown in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("train", "train digits"),
        ("train --steps 50 --seed 3", "train digits --steps 50 --seed 3"),
    ],
)
def test_training_is_of_digits_unless_something_else_is_named(short, whole):
    assert cli.parser().parse_args(short.split()) == cli.parser().parse_args(whole.split())


def test_the_spelling_of_older_cards_still_works(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for words in ("train-mini-sd pack", "train mini-sd pack"):
        code, out, err = command(*words.split())
        assert (code, out) == (2, "")
        assert err.startswith("diffusion-lab train mini-sd pack: there is no runs/mini-sd/vae.safetensors")


def test_version_of_the_module():
    process = subprocess.run(
        [sys.executable, "-m", "diffusion_lab", "--version"],
        cwd=Path(dl.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert process.stdout == f"diffusion-lab {dl.__version__}\n"


def test_help_loads_nothing_that_only_running_needs():
    """Drawing, grading and what they bring take seconds to load on a slow disk."""
    heavy = ["matplotlib", "ipywidgets", "nbformat", "jinja2", "torchvision", "sklearn"]
    code = f"""
import sys
from diffusion_lab import cli
try:
    cli.main(["--help"])
except SystemExit:
    print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(dl.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert process.stderr.strip() == "[]"


def test_ctrl_c_is_one_line(command, monkeypatch):
    def stop(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(dl, "load_pretrained", stop)
    assert command("sample", "--out", "never.png") == (130, "", "diffusion-lab sample: stopped\n")


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """A module in the folder of commands, or of a group of them."""

    def drop(package, name: str, source: str) -> None:
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(source)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])

    yield drop
    for name in [name for name in sys.modules if name.endswith("count_pixels")]:
        monkeypatch.delitem(sys.modules, name)


SOURCE = '''"""Count the pixels of a square.

It does so by multiplying.
"""

def add_options(parser):
    parser.add_argument("--side", type=int, default=28, help="pixels of a side")

def run(options):
    if options.side < 1:
        raise ValueError("--side must be at least 1")
    print(options.side ** 2)
    return 3
'''


@pytest.mark.parametrize(("package", "group"), [(cli, ""), (cli.train, "train ")])
def test_a_module_in_the_folder_is_a_command(command, dropped, package, group):
    dropped(package, "count_pixels", SOURCE)
    name = f"{group}count-pixels"
    overview = command(*group.split(), "--help")[1]
    assert "    count-pixels     Count the pixels of a square.\n" in overview
    text = command(*name.split(), "--help")[1]
    assert text.startswith(f"usage: diffusion-lab {name} [-h] [--side SIDE]\n")
    assert "Count the pixels of a square. It does so by multiplying.\n" in text
    assert "pixels of a side (default: 28)" in text
    assert command(*name.split(), "--side", 3) == (3, "9\n", "")
    assert command(*name.split(), "--side", 0) == (
        2,
        "",
        f"diffusion-lab {name}: --side must be at least 1\n",
    )


def test_a_module_with_an_underscore_is_none(command, dropped):
    dropped(cli, "_count_pixels", SOURCE)
    assert "count" not in command("--help")[1]


def test_a_hint_is_added_to_one_kind_of_error_only():
    with (
        pytest.raises(ValueError, match=r"^a\.txt is there: add --force$"),
        _commands.hint(FileExistsError, "add --force"),
    ):
        raise FileExistsError("a.txt is there")
    with pytest.raises(OSError, match=r"^no disk$"), _commands.hint(FileExistsError, "add --force"):
        raise OSError("no disk")
