"""The map of the code is drawn from the imports as they are, and its picture can be read."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from tools import draw_architecture as draw

SVG = "{http://www.w3.org/2000/svg}"
ARROWS = draw.imports()
CHAIN = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"d"}}


@pytest.fixture(scope="module")
def svg() -> ET.Element:
    return ET.fromstring(draw.picture(ARROWS))


def numbers(path: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"-?\d+", path)))


def boxes(svg: ET.Element) -> dict[str, tuple[float, float, float, float]]:
    """Left, right, top and bottom of each room."""
    found = {}
    for box, text in zip(svg.findall(f"{SVG}rect[@rx='6']"), svg.findall(f"{SVG}text"), strict=True):
        left, top, width, height = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        found[text.text] = (left, left + width, top, top + height)
    return found


def test_picture_and_page_are_drawn_from_the_sources_as_they_are():
    command = "run python tools/draw_architecture.py"
    assert draw.PICTURE.read_text("utf-8") == draw.picture(ARROWS), command
    text = draw.PAGE.read_text("utf-8")
    assert text == draw.page(ARROWS, text), command
    assert len(draw.TABLE.findall(text)) == 1


def test_an_import_more_changes_the_picture():
    assert draw.picture(ARROWS | {"widgets": ARROWS["widgets"] | {"evaluation"}}) != draw.picture(ARROWS)


def test_imports_are_those_of_the_sources():
    assert ARROWS["process"] == {"schedules", "shapes"}
    assert {"checks", "files"} <= ARROWS["grading"]
    assert ARROWS["shapes"] == set()
    assert "diffusion_lab" not in ARROWS["cli"] | ARROWS.keys()


def test_arrows_that_a_longer_way_implies_are_left_out_and_no_other():
    assert draw.shortened(CHAIN) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"d"}}
    fewer = draw.shortened(ARROWS)
    assert {room: draw.reached(room, fewer) for room in ARROWS} == {
        room: draw.reached(room, ARROWS) for room in ARROWS
    }


def test_a_room_without_a_floor_stands_right_above_what_it_imports():
    arrows = ARROWS | {"flows": {"sampling", "shapes"}}
    rows = draw.floors(arrows)
    assert [{"flows", "mini_sd"} <= set(row) for row in rows].count(True) == 1
    with pytest.raises(ValueError, match="variants imports flows, which stands no lower"):
        draw.floors(arrows | {"variants": {"flows"}})


def test_every_room_has_a_box_and_no_two_boxes_touch(svg):
    found = boxes(svg)
    assert {name.rstrip("/") for name in found} == ARROWS.keys()
    assert "mini_sd/" in found
    places = sorted(found.values(), key=lambda box: (box[2], box[0]))
    for one, other in pairwise(places):
        assert one[2] < other[2] or one[1] + 10 < other[0]


def test_arrows_point_down_to_a_box_and_pass_no_other(svg):
    found = boxes(svg)
    paths = [path.attrib for path in svg.iter(f"{SVG}path")]
    heads = {numbers(path["d"])[:2] for path in paths if path["class"] == "head"}
    aims = {
        name
        for name, (left, right, top, _) in found.items()
        for x, y in heads
        if y == top and left < x < right
    }
    assert {name.rstrip("/") for name in aims} == set().union(*ARROWS.values())
    for path in paths:
        if path["class"] == "arrow":  # down past its own floor, then a curve to the next
            x, begin, middle, *_, end = numbers(path["d"])
            assert begin <= middle < end
            for left, right, top, bottom in found.values():
                assert not (left <= x <= right and begin < bottom and top < middle)


def test_a_room_holds_what_its_docstring_says():
    assert draw.holds("shapes").startswith("Names for the tensors of the course")
    assert draw.holds("mini_sd").startswith("The mini Stable Diffusion")
    assert len(draw.table(ARROWS).splitlines()) == 2 + len(ARROWS)
