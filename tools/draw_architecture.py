"""Draw who imports whom, for docs/architecture.md: ``python tools/draw_architecture.py``.

Writes the picture ``docs/architecture.svg`` and the table of the rooms in ``docs/architecture.md``. A room is a module
or a folder of ``diffusion_lab``; the floors are those of the contract in pyproject.toml, the arrows are the imports,
and what a room holds is the first sentence of its docstring.
"""

import ast
import random
import re
from collections.abc import Iterable, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import grimp
from importlinter.api import read_configuration

from diffusion_lab.files import replacing

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "diffusion_lab"
PICTURE = ROOT / "docs" / "architecture.svg"
PAGE = ROOT / "docs" / "architecture.md"
FRONT_DOOR = "import diffusion_lab"
TABLE = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- end of rooms -->)", re.S)

Arrows = dict[str, set[str]]
"""Room → the rooms that it imports."""
Node = str | tuple[str, int]
"""A room, or the place on a floor where the arrows to a lower room pass: (that room, floor)."""

BOX_HEIGHT, FLOOR_HEIGHT, GAP, MARGIN, LETTER = 34, 84, 22, 28, 8
STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2933; text-anchor: middle }
.card { fill: #fff; stroke: #d5dbe1 }
.band { fill: #f5f7f9 }
.room { fill: #fff; stroke: #52606d; stroke-width: 1.2 }
.core { fill: #dcebfa; stroke: #2f6fad }
.arrow { fill: none; stroke: #7b8794; stroke-width: 1.3 }
.head { fill: #7b8794 }
"""


def imports() -> Arrows:
    """Read from the sources which room imports which."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)

    def room(module: str) -> str:
        return module.split(".")[1] if "." in module else FRONT_DOOR

    arrows: Arrows = {room(module): set() for module in graph.modules}
    for module in graph.modules:
        imported = {room(name) for name in graph.find_modules_directly_imported_by(module)}
        arrows[room(module)] |= imported - {room(module)}
    del arrows["__main__"]  # another name of cli
    return arrows


def reached(room: str, arrows: Arrows) -> set[str]:
    """Everything that a room imports, itself or through others."""
    found, waiting = set(), [room]
    while waiting:
        new = arrows[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def shortened(arrows: Arrows) -> Arrows:
    """Leave out the arrows that a longer way implies."""
    return {
        room: {end for end in ends if not any(end in reached(other, arrows) for other in ends - {end})}
        for room, ends in arrows.items()
    }


def floors(arrows: Arrows) -> list[list[str]]:
    """Put the rooms on the floors of the contract, the highest first.

    A room that the contract does not name stands right above the highest one that it imports.
    """
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    floor = {
        room.strip(" ()"): number for number, layer in enumerate(layers) for room in re.split(r"[|:]", layer)
    }

    def place(room: str) -> int:
        if room not in floor:
            floor[room] = min((place(end) for end in arrows[room]), default=len(layers)) - 1
        return floor[room]

    for room, ends in arrows.items():
        if higher := [end for end in sorted(ends) if place(end) <= place(room)]:
            raise ValueError(
                f"{room} imports {higher[0]}, which stands no lower: the contract 'floors' in pyproject.toml must "
                "name the room that is new"
            )
    rows = [sorted(room for room in arrows if place(room) == number) for number in range(-1, len(layers))]
    return [row for row in rows if row]


def routed(rows: list[list[str]], arrows: Arrows) -> tuple[list[list[Node]], set[tuple[Node, Node]]]:
    """Lead each arrow from floor to floor: rows with the places where arrows pass, and links between neighbours.

    Arrows to the same room share their way.
    """
    floor = {room: number for number, row in enumerate(rows) for room in row}
    links: set[tuple[Node, Node]] = set()
    for room, ends in arrows.items():
        for end in ends:
            stops = [room, *((end, number) for number in range(floor[room] + 1, floor[end])), end]
            links |= set(pairwise(stops))
    passing = sorted({node for link in links for node in link if isinstance(node, tuple)})
    return [
        [*row, *(node for node in passing if node[1] == number)] for number, row in enumerate(rows)
    ], links


def neighbours(links: Iterable[tuple[Node, Node]]) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    """For each node those above it and those below it."""
    above, below = {}, {}
    for upper, lower in sorted(links, key=str):
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    return above, below


def crossings(rows: list[list[Node]], below: Mapping[Node, list[Node]]) -> int:
    """How many pairs of links cross."""
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: number for number, node in enumerate(lower)}
        ends = [sorted(place[end] for end in below.get(node, ())) for node in upper]
        flat = [(number, end) for number, row in enumerate(ends) for end in row]
        count += sum(a < b and c > d for a, c in flat for b, d in flat)
    return count


def shares(row: list[Node]) -> dict[Node, float]:
    """Where each node of a row stands: 0 at its left end, 1 at its right."""
    return {node: number / max(len(row) - 1, 1) for number, node in enumerate(row)}


def ordered(rows: list[list[Node]], links: set[tuple[Node, Node]]) -> list[list[Node]]:
    """Sort each row by the mean place of its neighbours, down and up the house, until few links cross."""
    above, below = neighbours(links)
    dice = random.Random(0)
    best, least = rows, crossings(rows, below)
    downwards = [(number - 1, number, above) for number in range(1, len(rows))]
    upwards = [(number + 1, number, below) for number in reversed(range(len(rows) - 1))]
    for _ in range(60):
        tried = [dice.sample(row, len(row)) for row in rows]
        for sweep in range(12):
            for fixed, number, near in upwards if sweep % 2 else downwards:
                place, own = shares(tried[fixed]), shares(tried[number])
                means = {
                    node: fmean([place[end] for end in near.get(node, ())] or [own[node]]) for node in own
                }
                tried[number] = sorted(tried[number], key=means.get)
            if (count := crossings(tried, below)) < least:
                best, least = [list(row) for row in tried], count
    return best


def width(node: Node) -> int:
    """How wide a room's box is, and how much an arrow that passes needs."""
    return LETTER * len(node) + 26 if isinstance(node, str) else 6


def spread(wanted: list[float], weights: list[float], apart: list[float]) -> list[float]:
    """Places as near as possible to those wanted, `apart[i]` or more between the i-th and the next.

    Least squares, by pooling neighbours that come too close.
    """
    offsets = [sum(apart[:number]) for number in range(len(wanted))]
    pools: list[list[float]] = []  # mean, weight, how many
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        pools.append([place - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m, i), (b, n, j) = pools[-2:]
            pools[-2:] = [[(a * m + b * n) / (m + n), m + n, i + j]]
    means = [mean for mean, _weight, count in pools for _ in range(int(count))]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def placed(rows: list[list[Node]], links: set[tuple[Node, Node]]) -> dict[Node, int]:
    """Give each node the middle of its box, so that links are short and the ways past a floor are straight."""
    above, below = neighbours(links)
    x = {node: 130.0 * number for row in rows for number, node in enumerate(row)}

    def pull(node: Node, end: Node) -> int:
        """How hard a link pulls: hardest where it passes floors, lest it bend there."""
        return (1, 3, 100)[isinstance(node, tuple) + isinstance(end, tuple)]

    for sweep in range(3000):
        for row in rows if sweep % 2 else rows[::-1]:
            near = {node: [*above.get(node, ()), *below.get(node, ())] for node in row}
            weights = [sum(pull(node, end) for end in near[node]) or 1 for node in row]
            wanted = [
                sum(pull(node, end) * x[end] for end in near[node]) / weight if near[node] else x[node]
                for node, weight in zip(row, weights, strict=True)
            ]
            apart = [(width(a) + width(b)) / 2 + GAP for a, b in pairwise(row)]
            x |= dict(zip(row, spread(wanted, weights, [*apart, 0.0]), strict=True))
    left = min(x[node] - width(node) / 2 for node in x) - 2 * MARGIN
    # a place at .5 goes up, whatever its last digit
    return {node: int(place - left + 0.501) for node, place in x.items()}


def label(room: str) -> str:
    """Give the name of a room; that of a folder ends in a slash."""
    return f"{room}/" if (ROOT / PACKAGE / room).is_dir() else room


def picture(arrows: Arrows) -> str:
    """Draw the house as SVG: bands for the floors, boxes for the rooms, arrows for imports that are not implied."""
    core = reached(FRONT_DOOR, arrows) | {FRONT_DOOR}
    fewer = shortened(arrows)
    rows, links = routed(floors(arrows), fewer)
    rows = ordered(rows, links)
    x = placed(rows, links)
    y = {
        node: MARGIN + FLOOR_HEIGHT * number + FLOOR_HEIGHT // 2
        for number, row in enumerate(rows)
        for node in row
    }
    wide = max(x[node] + width(node) // 2 for node in x) + 2 * MARGIN
    high = FLOOR_HEIGHT * len(rows) + 2 * MARGIN
    half = BOX_HEIGHT // 2
    description = "; ".join(
        f"{room} imports {', '.join(sorted(ends))}" for room, ends in sorted(fewer.items()) if ends
    )
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">',
        f"<title>Who imports whom in {PACKAGE}</title>",
        f"<desc>{escape(description)}.</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{wide - 1}" height="{high - 1}" rx="10"/>',
    ]
    for number in range(0, len(rows), 2):
        top = MARGIN + FLOOR_HEIGHT * number
        parts.append(
            f'<rect class="band" x="{MARGIN}" y="{top}" width="{wide - 2 * MARGIN}" height="{FLOOR_HEIGHT}" rx="8"/>'
        )
    for upper, lower in sorted(links, key=str):
        begin, end = y[upper] + half, y[lower] - half
        middle, head = (begin + end) // 2, isinstance(lower, str)
        path = f"M{x[upper]} {y[upper] - half if isinstance(upper, tuple) else begin}V{begin}"
        path += f"C{x[upper]} {middle} {x[lower]} {middle} {x[lower]} {end - 7 * head}"
        parts.append(f'<path class="arrow" d="{path}"/>')
        if head:
            parts.append(f'<path class="head" d="M{x[lower]} {end}l-4 -8h8z"/>')
    for room in sorted(arrows):
        left, top = x[room] - width(room) // 2, y[room] - half
        kind = "room core" if room in core else "room"
        parts.append(
            f'<rect class="{kind}" x="{left}" y="{top}" width="{width(room)}" height="{BOX_HEIGHT}" rx="6"/>'
            f'<text x="{x[room]}" y="{y[room] + 5}">{label(room)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def holds(room: str) -> str:
    """Tell what a room holds: the first sentence of its docstring."""
    folder = ROOT / PACKAGE if room == FRONT_DOOR else ROOT / PACKAGE / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n\n")[0].split())


def table(arrows: Arrows) -> str:
    """Make the table of the rooms, floor by floor, in Markdown."""
    lines = ["| room | what it holds |", "|---|---|"]
    for row in floors(arrows):
        for room in row:
            lines.append(
                f"| `{label(room)}` | {holds(room).replace('``', '`').replace('|', chr(92) + '|')} |"
            )
    return "\n".join(lines) + "\n"


def page(arrows: Arrows, text: str) -> str:
    """Put the table of the rooms into the text of the page, between its two marks."""
    return TABLE.sub(lambda _found: table(arrows), text)


if __name__ == "__main__":
    found = imports()
    for file, content in ((PICTURE, picture(found)), (PAGE, page(found, PAGE.read_text("utf-8")))):
        with replacing(file) as part:
            part.write_text(content, encoding="utf-8")
        print(file)
