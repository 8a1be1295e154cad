"""The built site: complete, light, and in need of no other server; every link on it leads somewhere."""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from diffusion_lab.course.declaration import read

ROOT = Path(__file__).parent.parent

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
OTHER_PAGES = (
    "index",
    "README",
    "CONTRIBUTING",
    "search",
    "docs/setup",
    "docs/package",
    "docs/quality",
    "docs/course_map",
    "docs/notation",
    "docs/instructors",
    "docs/where_it_runs",
    "docs/component_map",
    "docs/architecture",
    "diffusion_lab/weights/README",
)
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "input": "src",
}
LIMIT = 3_000_000  # bytes, a page with all pictures on it


class Reader(HTMLParser):
    """Reads from a page what it loads, where it links to, and the ids that can be linked to."""

    def __init__(self, text: str):
        super().__init__()
        self.loads, self.links, self.ids, self.style = [], [], set(), False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.style = tag == "style"
        self.ids |= {attrs["id"]} if attrs.get("id") else set()
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "link" and not {"search", "next", "prev"} & set(attrs.get("rel", "").split()):
            self.loads.append(attrs["href"])
        self.loads += [attrs[LOADS[tag]]] if attrs.get(LOADS.get(tag)) else []
        self.loads += [part.split()[0] for part in attrs.get("srcset", "").split(",") if part.strip()]
        self.loads += loaded_by_css(attrs.get("style") or "")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.style = False

    def handle_data(self, data):
        if self.style:
            self.loads += loaded_by_css(data)


def loaded_by_css(css: str) -> list[str]:
    found = re.findall(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)\s]*))|@import\s+["']([^"']*)""", css)
    return ["".join(one) for one in found]


def is_elsewhere(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https", "ftp", "ws", "wss")


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Reader]:
    webpack = "webpack-macros.html"  # the theme's template, no page
    files = [path for path in sorted(site.rglob("*.html")) if not path.name.endswith(webpack)]
    return {path: Reader(path.read_text(encoding="utf-8")) for path in files}


def lesson_page(site: Path, lesson: Path) -> str:
    return (site / "notebooks" / f"{lesson.stem}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ('<script src="https://cdn.org/x.js"></script>', "https://cdn.org/x.js"),
        ('<link rel="stylesheet" href="//cdn.org/x.css">', "//cdn.org/x.css"),
        ('<link rel="preconnect" href="https://fonts.org"/>', "https://fonts.org"),
        ('<p style="background: url(http://a.b/c.png)">', "http://a.b/c.png"),
        ("<style>@import 'https://a.b/c.css';</style>", "https://a.b/c.css"),
        ('<img srcset="x.png 1x, https://a.b/y.png 2x">', "https://a.b/y.png"),
    ],
)
def test_reader_sees_what_comes_from_elsewhere(html, address):
    assert [one for one in Reader(html).loads if is_elsewhere(one)] == [address]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://arxiv.org">',
        '<img src="data:image/png;base64,AA==">',
        '<script>"https://a.b"</script>',
        '<link rel="next" href="https://a.b">',
        '<p style="color: red">',
    ],
)
def test_reader_lets_links_and_what_is_there_pass(html):
    assert not [one for one in Reader(html).loads if is_elsewhere(one)]


def test_nothing_on_a_page_comes_from_another_server(site, pages):
    wanted = {
        str(path.relative_to(site)): list(filter(is_elsewhere, page.loads)) for path, page in pages.items()
    }
    for path in site.rglob("*.css"):
        css = path.read_text(encoding="utf-8")
        wanted[str(path.relative_to(site))] = list(filter(is_elsewhere, loaded_by_css(css)))
    assert {name: found for name, found in wanted.items() if found} == {}


def test_what_the_pages_load_is_there(site, pages):
    for path, page in pages.items():
        for address in page.loads:
            if not address.startswith("data:"):
                assert (path.parent / unquote(urlsplit(address).path)).is_file(), (
                    f"{path.name} loads {address}"
                )


def test_every_link_leads_somewhere_with_its_anchor(site, pages):
    count = 0
    for path, page in pages.items():
        for link in page.links:
            where = urlsplit(link)
            if where.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(where.path)).resolve() if where.path else path
            assert target.is_file(), f"{path.relative_to(site)} links to {link}"
            if where.fragment:
                assert unquote(where.fragment) in pages[target].ids, (
                    f"{path.relative_to(site)} links to {link}"
                )
            count += 1
    assert count > 500


def test_all_pages_are_there(site, pages):
    names = {path.relative_to(site).with_suffix("").as_posix() for path in pages}
    assert names >= {*OTHER_PAGES, *(f"notebooks/{lesson.stem}" for lesson in LESSONS)}
    assert not [name for name in names if name.startswith(("exercises", "solutions"))]


def test_a_page_with_its_pictures_is_light(site, pages):
    for path, page in pages.items():
        pictures = {path.parent / one for one in page.loads if "_images/" in one}
        size = path.stat().st_size + sum(picture.stat().st_size for picture in pictures)
        assert size < LIMIT, f"{path.relative_to(site)} has {size / 1e6:.1f} MB"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem[:2])
def test_a_lesson_shows_its_stored_outputs(site, lesson):
    page = lesson_page(site, lesson)
    pictures = {hashlib.sha256(path.read_bytes()).digest() for path in (site / "_images").iterdir()}
    cells = [cell for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.outputs]
    players = [data["text/html"] for data in outputs if "dl-player" in data.get("text/html", "")]
    stills = [data["image/png"] for data in outputs if "image/png" in data and "text/html" not in data]
    assert players
    assert stills
    for player in players:
        assert player in page, "the player, script and all"
    for still in stills:
        assert hashlib.sha256(base64.b64decode(still)).digest() in pictures
    assert page.count('class="cell docutils container"') <= len(cells)
    assert "Traceback" not in page


def test_downloads_are_the_files_of_the_repository(site, pages):
    found = {}
    for path, page in pages.items():
        for link in page.links:
            if "_downloads/" in link and link.endswith(".ipynb"):
                file = (path.parent / unquote(link)).resolve()
                found.setdefault(path.relative_to(site).as_posix(), set()).add(file.read_bytes())
    for lesson in LESSONS:
        wanted = [lesson, *(exercise for exercise in EXERCISES if exercise.name == lesson.name)]
        assert found[f"notebooks/{lesson.stem}.html"] >= {path.read_bytes() for path in wanted}
    assert found["index.html"] == {path.read_bytes() for path in EXERCISES}


def test_first_page_has_every_lesson_with_its_question(site):
    first = (site / "index.html").read_text(encoding="utf-8")
    table = first[first.index("<table") : first.index("</table>")]
    assert table.count("<tr") == len(LESSONS) + 1
    rows = table.split("<tr")[2:]
    for row, path, lesson in zip(rows, LESSONS, read().lessons, strict=True):
        assert f'href="notebooks/{path.stem}.html"' in row
        assert lesson.question in unescape(row)
        assert lesson.outcome in unescape(row)


def test_a_link_into_nowhere_fails_and_a_badge_asks_no_server(site, tmp_path):
    for name in ("conf.py", "course_pages.py"):
        shutil.copy(ROOT / "docs" / "site" / name, tmp_path)
    shutil.copytree(ROOT / "docs" / "site" / "static", tmp_path / "static")
    badge = (
        "[![Open in Colab](https://colab.research.google.com/badge.svg)](https://colab.research.google.com/x)"
    )
    (tmp_path / "index.md").write_text(f"# Title\n\n{badge}\n\n[gone](nowhere.md)\n")
    code = "import sys; sys.path.insert(0, 'tools'); import build_site; from pathlib import Path\n"
    code += "sys.exit(build_site.build(Path(sys.argv[1]), Path(sys.argv[1]) / 'out' / 'html'))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
    assert done.stderr.count("WARNING") == 1, done.stderr
    page = Reader((tmp_path / "out" / "html" / "index.html").read_text(encoding="utf-8"))
    assert "https://colab.research.google.com/x" in page.links
    assert not list(filter(is_elsewhere, page.loads))


def test_workflow_publishes_what_make_site_builds():
    workflow = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    assert "run: make site " in workflow
    assert "path: build/site/html" in workflow
    assert "run: make linkcheck " in (ROOT / ".github" / "workflows" / "links.yml").read_text(
        encoding="utf-8"
    )
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    dry = subprocess.run([make, "site", "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tools/build_site.py" in dry.stdout
