"""Write what docs/course.toml declares into the pages that show it: ``python tools/course.py``.

The made texts stand between two comments, ``<!-- docs/course.toml: NAME -->`` and ``<!-- end of NAME -->``; all
around them is written by hand and stays. With ``--check`` nothing is written, every page that is out of date is
named, and the exit code is 1 if there is one.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from diffusion_lab.course.declaration import DECLARATION, Course, Lesson, read
from diffusion_lab.files import replacing
from diffusion_lab.links import repository
from diffusion_lab.links.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = f"<!-- {DECLARATION}: {{}} -->", "<!-- end of {} -->"
BEGUN = re.compile(BEGIN.format(r"([\w ]+)").replace(".", r"\."))


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Lay out a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def needs(course: Course, lesson: Lesson) -> str:
    """Name what a lesson builds on; for the first, what a reader knows before."""
    return ", ".join(course.by_number[number].label for number in lesson.needs) or course.prerequisites


def readme_table(course: Course, links: Repository) -> str:
    """Make the table of the README, with a badge for every notebook."""

    def row(lesson: Lesson) -> list[str]:
        notebook, exercise = f"notebooks/{lesson.file}", f"exercises/{lesson.file}"
        cells = [f"[{lesson.heading}]({notebook})", lesson.question, str(lesson.minutes)]
        return [*cells, links.badges(notebook), links.colab_badge(exercise) if lesson.exercise else "–"]

    header = ["lesson", "its question", "minutes", "open the lesson", "its exercise"]
    return table(header, map(row, course.lessons))


def start_table(course: Course) -> str:
    """Make the table of the first lesson, which needs no link to itself."""
    first = course.lessons[0]

    def row(lesson: Lesson) -> list[str]:
        title = f"**{lesson.heading}**" if lesson == first else f"[{lesson.heading}]({lesson.file})"
        return [title, lesson.question, str(lesson.minutes)]

    return table(["lesson", "its question", "minutes to read"], map(row, course.lessons))


def question_and_outcome(lesson: Lesson) -> str:
    """Give the question of a lesson and, on a line of its own, what its reader will be able to do."""
    return f"{lesson.question}<br>*{lesson.outcome}*"


def map_table(course: Course) -> str:
    """Make the table of the course map."""

    def row(lesson: Lesson) -> list[str]:
        title = f"[{lesson.heading}](../notebooks/{lesson.file})<br>{lesson.minutes} minutes"
        return [title, needs(course, lesson), question_and_outcome(lesson)]

    header = ["lesson, and time to read", "needs", "its question, and what you will be able to do"]
    return table(header, map(row, course.lessons))


def site_table(course: Course) -> str:
    """Make the table of the site's first page: two columns, so that a telephone shows both."""

    def row(lesson: Lesson) -> list[str]:
        title = f"[{lesson.heading}](notebooks/{lesson.file})<br>{lesson.minutes} minutes"
        if lesson.exercise:
            title += f"<br>[exercise {lesson.label}](exercises/{lesson.file})"
        return [title, question_and_outcome(lesson)]

    header = ["lesson, and time to read", "its question, and what you will be able to do"]
    return table(header, map(row, course.lessons))


def drawing(course: Course) -> str:
    """Draw what builds on what: a row and a column per lesson, with a mark where the row needs the column.

    A need that follows from another one is left out.
    """
    column = {lesson.number: place for place, lesson in enumerate(course.lessons)}
    needed = [sorted(column[number] for number in course.direct_needs(lesson)) for lesson in course.lessons]
    last_row = {place: row for row, places in enumerate(needed) for place in places}

    def mark(row: int, place: int) -> str:
        crossed = bool(needed[row]) and place > needed[row][0]
        goes_on = last_row.get(place, -1) > row
        if place in needed[row]:
            return "○─"
        return {(True, True): "┼─", (True, False): "──", (False, True): "│ "}.get((crossed, goes_on), "  ")

    rows = [
        f"{''.join(mark(row, place) for place in range(row))}● {lesson.label} {lesson.title}"
        for row, lesson in enumerate(course.lessons)
    ]
    return "\n".join(["```text", *rows, "```"])


def time(lesson: Lesson) -> str:
    """Say at the top of a lesson how long it takes."""
    return f"Takes about {lesson.minutes} minutes to read. Runs in under {lesson.budget} on two CPU cores."


def directions(course: Course, lesson: Lesson) -> str:
    """Say at the end of a lesson where to go: its exercise and the lessons around it, as far as there are any."""
    before, after = course.neighbours(lesson)
    parts = []
    if lesson.exercise:
        parts.append(f"**Practise:** [exercise {lesson.label}](../exercises/{lesson.file}).")
    if after:
        parts.append(f"**Next:** [{after.heading}]({after.file}). *{after.question}*")
    if before:
        parts.append(f"**Back:** [{before.heading}]({before.file}).")
    return " ".join(parts)


def made_texts(course: Course, links: Repository) -> dict[str, dict[str, str]]:
    """Make all texts: by the file that they stand in, and by their names there."""
    made = {
        "README.md": {"lessons": readme_table(course, links)},
        "docs/course_map.md": {"map": drawing(course), "lessons": map_table(course)},
        "docs/site/index.md": {"lessons": site_table(course)},
    }
    for lesson in course.lessons:
        made[f"notebooks/{lesson.file}"] = {"time": time(lesson), "next": directions(course, lesson)}
    made[f"notebooks/{course.lessons[0].file}"]["lessons"] = start_table(course)
    return made


def between_markers(name: str, text: str) -> str:
    """Put a text between its two comments; the blank lines keep every reader of Markdown from joining them."""
    return f"{BEGIN.format(name)}\n\n{text}\n\n{END.format(name)}"


def filled(page: str, made: dict[str, str]) -> str:
    """Put made texts into their places in a page.

    Raises:
        ValueError: if the places of the page are not exactly those of the texts, once each, begun and ended.
    """
    names = BEGUN.findall(page)
    if sorted(names) != sorted(made):
        raise ValueError(f"places for {sorted(made)} were wanted here, found {sorted(names)}")
    for name, text in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        inside, ended, after = rest.partition(end)
        if not ended or BEGUN.search(inside):
            raise ValueError(f"{begin} has no {end} behind it")
        page = before + between_markers(name, text) + after
    return page


def filled_notebook(page: str, made: dict[str, str]) -> str:
    """Put made texts into the text cells of a notebook, which is given and returned as JSON.

    Where there is no place for `time`, it gets one at the end of the first cell; for `next`, at the end of the
    last one. Outputs stay as they are.

    Raises:
        ValueError: as `filled`; or if there is no text cell where a place would have to be made.
    """
    notebook = json.loads(page)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    sources = ["".join(cell["source"]) for cell in cells]
    found = {name: place for place, source in enumerate(sources) for name in BEGUN.findall(source)}
    for name, place in (("time", 0), ("next", -1)):
        if name not in found:
            if not cells or notebook["cells"][place] is not cells[place]:
                raise ValueError(
                    f"its {'last' if place else 'first'} cell is no text, so {name} has no place"
                )
            sources[place] = f"{sources[place].rstrip()}\n\n{between_markers(name, '')}"
            found[name] = place % len(cells)
    for name in made.keys() - found:
        raise ValueError(f"no text cell has a place for {name}: {between_markers(name, '…')!r}")
    for place, cell in enumerate(cells):
        here = {name: text for name, text in made.items() if found[name] == place}
        cell["source"] = filled(sources[place], here).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def first_line(path: Path) -> str:
    """Read the first line of a notebook; a `ValueError` names the file if it is none."""
    try:
        return "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).partition("\n")[0]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path}: no notebook with a first cell ({error!r})") from error


def disagreements(course: Course, root: Path) -> list[str]:
    """List where the notebooks in `root` are not those of the course: files that lack, extra ones, headings."""
    wanted = {f"notebooks/{lesson.file}": lesson.heading for lesson in course.lessons}
    wanted |= {
        f"exercises/{lesson.file}": f"Exercise {lesson.heading}"
        for lesson in course.lessons
        if lesson.exercise
    }
    present = {
        path.relative_to(root).as_posix()
        for folder in ("notebooks", "exercises")
        for path in (root / folder).glob("*.ipynb")
    }
    lines = [f"{name}: {DECLARATION} has no entry for it" for name in sorted(present - wanted.keys())]
    lines += [
        f"{name}: {DECLARATION} names it, but it is not there" for name in sorted(wanted.keys() - present)
    ]
    for name in sorted(present & wanted.keys()):
        heading = first_line(root / name)
        if heading != f"# {wanted[name]}":
            lines.append(f"{name}: its heading is {heading!r}, {DECLARATION} wants '# {wanted[name]}'")
    return lines


def stale(course: Course, root: Path) -> dict[Path, str]:
    """Give the pages in `root` that are out of date, each with its new text.

    Raises:
        ValueError: if a page has not the places that it should have; the message names the page.
    """
    new = {}
    for name, made in made_texts(course, repository.read(root)).items():
        path = root / name
        page = path.read_text(encoding="utf-8")
        try:
            text = filled_notebook(page, made) if path.suffix == ".ipynb" else filled(page, made)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if text != page:
            new[path] = text
    return new


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check all pages; returns 1 if something is wrong or, with ``--check``, out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what is out of date")
    check = parser.parse_args(arguments).check
    try:
        course = read(root / DECLARATION)
        if lines := disagreements(course, root):
            print(*lines, sep="\n")
            return 1
        pages = stale(course, root)
    except (OSError, ValueError) as error:
        print(error)
        return 1
    for path, text in pages.items():
        if not check:
            with replacing(path) as part:
                part.write_text(text, encoding="utf-8", newline="\n")
        print(f"{'stale' if check else 'written'}: {path.relative_to(root)}")
    return int(check and bool(pages))


if __name__ == "__main__":
    sys.exit(main())
