"""The catalogue of mistakes, and the pointers of the tasks, held against the lessons."""

import re
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.checks import registry
from diffusion_lab.checks.mistakes import CATALOGUE, HELP, HELP_AT, ONLY_IN_A_STATEMENT

ROOT = Path(__file__).parents[2]
MODULES = registry.modules()
USUAL = {
    "variance-as-std",
    "uniform-noise",
    "alpha-for-alphabar",
    "cumsum-for-cumprod",
    "index-shift",
    "misbroadcast-t",
    "shared-t",
    "endpoint-missed",
    "wrong-target",
    "unscaled-input",
    "ignores-t",
    "ignores-label",
    "noise-at-end",
    "no-noise-midway",
    "noise-reused",
    "wrong-sigma",
    "stride-beta",
    "null-is-class-0",
    "batch-dropout",
    "dropout-at-sampling",
    "w-for-s",
    "swapped-guidance",
    "missing-eval",
    "missing-no-grad",
    "stale-gradients",
    "detached-loss",
}


def sections(number: str) -> set[str]:
    [path] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    return set(re.findall(r"^##+ (.+)$", "\n".join(cells), re.M))


def test_the_usual_mistakes_are_in_the_catalogue():
    assert CATALOGUE.keys() >= USUAL


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_mistake_has_a_name_a_sentence_and_a_section(name):
    mistake = CATALOGUE[name]
    assert mistake.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
    assert 20 < len(mistake.sentence) < 120
    assert "\n" not in mistake.sentence
    assert not mistake.sentence.endswith(".")
    assert not mistake.lesson or mistake.section in sections(mistake.lesson)


@pytest.mark.parametrize("name", MODULES)
def test_tasks_point_to_sections_of_their_lesson(name):
    exercise = MODULES[name].exercise
    assert (ROOT / "notebooks" / f"{exercise.number}_{name}.ipynb").is_file()
    for task in exercise.tasks.values():
        assert task.section in sections(exercise.number), task.name
        assert re.fullmatch(rf"{int(exercise.number)}\.\d+", task.number)
        for sentence, (lesson, section) in task.places.items():
            assert section in sections(lesson), sentence
            assert lesson <= exercise.number, sentence


def text_of(number: str, section: str) -> str:
    """All cells of a section, as they stand in the lesson."""
    [path] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return source.partition(f"## {section}\n")[2].partition("\n## ")[0]


def test_the_table_of_what_mends_a_mistake_knows_only_mistakes_with_a_section():
    with_section = {name for name, mistake in CATALOGUE.items() if mistake.lesson}
    assert HELP.keys() | ONLY_IN_A_STATEMENT <= with_section
    assert not ONLY_IN_A_STATEMENT & HELP.keys()
    assert len(HELP) >= 246


@pytest.mark.parametrize("name", sorted(HELP))
def test_the_section_to_read_again_says_what_mends_the_mistake(name):
    section = CATALOGUE[name].lesson, CATALOGUE[name].section
    assert len(HELP[name]) >= 12
    assert HELP[name] in text_of(*section), f"{section} does not say {HELP[name]!r}"


@pytest.mark.parametrize("section", sorted(HELP_AT), ids=" ".join)
def test_a_section_that_a_task_names_says_what_mends_the_mistake(section):
    assert len(HELP_AT[section]) >= 12
    assert HELP_AT[section] in text_of(*section), f"{section} does not say {HELP_AT[section]!r}"


def test_the_sections_that_tasks_name_are_all_in_the_table():
    tasks = [task for module in MODULES.values() for task in module.exercise.tasks.values()]
    assert HELP_AT.keys() == {place for task in tasks for place in task.places.values()}
