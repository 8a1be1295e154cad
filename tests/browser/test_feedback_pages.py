"""The pages that grading writes, in Chromium: they fit, load and run nothing, and can be read by all."""

import pytest

from diffusion_lab.grading import report
from diffusion_lab.grading.report import Row, TaskGrade

pytestmark = pytest.mark.browser

WAYS = {
    f"{scheme}-{name}": {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme in ("light", "dark")
    for name, width in (("narrow", 390), ("wide", 1280))
}
TASKS = [
    {
        "number": f"1.{number}",
        "title": f"What became of it: {status or 'nothing'}",
        "max": 1,
        "section": "1. One step",
        "hint": "`schedule.betas[t].reshape(-1, 1, 1, 1)` has a shape that multiplies picture by picture.",
    }
    for number, status in enumerate(report.TASKS, 1)
]
RUN = {
    "keys": {"01": {"sha256": "0", "points": len(TASKS), "tasks": TASKS}},
    "isolation": {"level": "none", "reason": "kernels are NOT isolated: this is a test"},
}
LONG = "a_name_that_is_longer_than_a_telephone_is_wide_" * 2


def row(student: str, status: str = "graded", **more) -> Row:
    tasks = [
        TaskGrade(
            f"1.{number}",
            int(state == "passed"),
            1,
            state,
            "cumsum-for-cumprod" if state == "failed" else "",
        )._asdict()
        for number, state in enumerate(report.TASKS, 1)
    ]
    tasks = tasks if status == "graded" else []
    notes = [f"its answer cell is blank; `{LONG}`, which defines the same, was taken"]
    return Row(
        student, "01", status, len(TASKS), tasks, asked="01", file=f"{student}.ipynb", notes=notes, **more
    )


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory):
    out = tmp_path_factory.mktemp("gradebook")
    shapes = {task["number"]: {"a": 9, "b": 9} for task in TASKS[:3]}
    rows = [row("anna", texts={"1.7": "because"}), *(row(status, status) for status in report.STATUSES)]
    rows += [row(f"s{k}", shapes={number: {f"{k}": 9} for number in shapes}) for k in range(30)]
    report.write(out, [*rows, row(LONG, shapes=shapes), row("bob", shapes=shapes)], RUN)
    return out


@pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)
@pytest.mark.parametrize(
    "name", ["summary", "feedback/anna__01", "feedback/UNREADABLE-*", f"feedback/{LONG[:50]}*"]
)
def test_page_fits_and_can_be_read_by_all(page, gradebook, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    (path,) = gradebook.glob(f"{name}.html")
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found] == []
    assert page.problems == []


@pytest.mark.parametrize(
    "page", [WAYS["light-wide"], WAYS["dark-wide"]], ids=["light", "dark"], indirect=True
)
def test_pages_follow_the_theme(page, gradebook, request):
    page.goto((gradebook / "summary.html").as_uri())
    colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in colour.strip("rgb()").split(",")) / 3 > 128
    assert light == ("light" in request.node.name)
