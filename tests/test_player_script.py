"""The browser's half of the players: its own tests, run by node, and the joiner that makes one script of it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab.widgets import STATIC, NoiseScrubber, PointScrubber, ScheduleExplorer
from diffusion_lab.widgets.script import (
    guess_script,
    guess_style,
    joined,
    minified,
    minified_style,
    panel_modules,
    player_script,
    player_style,
    tokens,
)

ROOT = Path(__file__).parent.parent
JS_TESTS = sorted((ROOT / "tests" / "js").glob("*.test.js"))
FRONT_HALVES = (
    "link.js",
    "guess_link.js",
    "view.js",
)  # of widgets, which their front ends load by themselves
MODULES = sorted(path for path in STATIC.glob("*.js") if path.name not in FRONT_HALVES)
MOST_BYTES = 62_000
"""Of the script with its style: every stored player carries both, as far as it needs them; a lesson is below 1 MB."""


@pytest.fixture(scope="module")
def node():
    """Runs node 20 or later with some arguments; gives what it printed."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("no node on this machine")
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"the tests of the script need node 20 or later, this is {version}")

    def run(*arguments, text="", succeeds=True):
        done = subprocess.run(
            [program, *map(str, arguments)], input=text, capture_output=True, text=True, cwd=ROOT, timeout=120
        )
        assert (done.returncode == 0) is succeeds, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


# ---- the tests in JavaScript ----


def test_the_tests_in_javascript_pass(node):
    report = node("--test", "--test-reporter=tap", *JS_TESTS)
    counts = {name: int(n) for name, n in re.findall(r"^# (pass|fail|skipped|todo) (\d+)$", report, re.M)}
    written = sum(len(re.findall(r"^test\(", path.read_text(encoding="utf-8"), re.M)) for path in JS_TESTS)
    assert counts == {"pass": written, "fail": 0, "skipped": 0, "todo": 0}
    assert written > 25


def test_a_test_in_javascript_that_fails_is_noticed(node, tmp_path):
    (tmp_path / "wrong.test.js").write_text("require('node:test').test('no', () => { throw new Error() })")
    assert "# fail 1" in node("--test", "--test-reporter=tap", tmp_path / "wrong.test.js", succeeds=False)


# ---- what the modules compute, against Python ----

NOISED = """
import { readFileSync } from 'node:fs';
import { noisedPictures, noisedPoints } from './diffusion_lab/widgets/static/formulas.js';
import { Positions } from './diffusion_lab/widgets/static/positions.js';
import { bytes, int16 } from './diffusion_lab/widgets/static/unpack.js';

const { spec, places } = JSON.parse(readFileSync(0, 'utf8'));
const [panel] = spec.panels;
const positions = new Positions(spec.sliders);
positions.places = places;
const abar = positions.look(panel.abar);
const eps = int16(panel.eps);
const x_t = new Float32Array(eps.length);
if (panel.kind === 'noise') noisedPictures(bytes(panel.x_0), eps, panel.eps_unit, abar, x_t);
else noisedPoints(int16(panel.x_0), panel.x_0_unit, eps, panel.eps_unit, abar, x_t);
console.log(JSON.stringify([...x_t]));
"""


@pytest.fixture
def noised(node):
    """Gives x_t of a player's first panel as the browser computes it, with the sliders at `places`."""

    def run(player, *places):
        text = json.dumps({"spec": player.spec, "places": places})
        return torch.tensor(json.loads(node("--input-type=module", "--eval", NOISED, text=text)))

    return run


@pytest.mark.parametrize("t", [0, 1, 400, 1000])
def test_pictures_are_noised_as_add_noise_does_it(t, noised, digits, generator):
    schedule, x_0 = dl.DiffusionSchedule.linear(1000), digits.images[:3]
    noise = torch.randn(x_0.shape, generator=generator)
    x_t = noised(NoiseScrubber(x_0, schedule, noise=noise), t)
    assert (x_t - schedule.add_noise(x_0, t, noise).flatten()).abs().max() < 0.005
    wrong = t + 40 if t < 900 else t - 400
    assert (x_t - schedule.add_noise(x_0, wrong, noise).flatten()).abs().max() > 0.005


@pytest.mark.parametrize("t", [0, 1, 400, 1000])
def test_points_are_noised_as_add_noise_does_it(t, noised, generator):
    schedule, x_0 = dl.DiffusionSchedule.cosine(1000), dl.data.toy("moons", 50, generator=generator)
    noise = torch.randn(x_0.shape, generator=generator)
    x_t = noised(PointScrubber(x_0, schedule, noise=noise), t)
    assert (x_t - schedule.add_noise(x_0, t, noise).flatten()).abs().max() < 1e-3


def test_the_browser_finds_the_schedule_that_was_chosen(noised, digits, generator):
    x_0 = digits.images[:1]
    noise = torch.randn(x_0.shape, generator=generator)
    player = ScheduleExplorer(x_0, noise=noise)
    for place, curve, length in ((30, 1, 0), (13, 3, 3), (50, 0, 2)):
        names = player.options
        T = names["T"][length]
        schedule = dl.DiffusionSchedule.named(names["schedule"][curve], T, rescale=False)
        wanted = schedule.add_noise(x_0, round(place / 50 * T), noise).flatten()
        assert (noised(player, place, curve, length) - wanted).abs().max() < 0.005


# ---- the joiner ----


@pytest.fixture
def write(tmp_path):
    """Writes modules into a folder; gives the path of ``main.js``."""

    def write(**modules):
        for name, code in modules.items():
            (tmp_path / f"{name}.js").write_text(code, encoding="utf-8")
        return tmp_path / "main.js"

    return write


MAIN = """
// says what it found
const secret = 'of its own';
import { helper as imported, shout } from './words.js';
import {
  helper,
} from './numbers.js';
console.log(shout(imported()), helper(), secret);

"""
WORDS = """
import { helper as count } from './numbers.js';
/** A name that two modules have. */
const secret = 'word';
export const helper = () => `${secret}s`;
export async function later() {}
export function shout(text) {
  return text.toUpperCase() + count();
}
"""
NUMBERS = """
/*
 * counts how often it is run
 */
let secret = 40; /* behind code */
export function helper() {
  return ++secret;
}
"""


def test_joined_modules_do_what_the_modules_do(node, write):
    main = write(main=MAIN, words=WORDS, numbers=NUMBERS)
    script = joined(main)
    assert not re.search(r"\b(import|export)\b", script)
    assert "says what" not in script
    assert "how often" not in script
    main.with_name("joined.cjs").write_text(f"{script}\nconsole.log(typeof $words);", encoding="utf-8")
    main.with_name("package.json").write_text('{"type": "module"}')
    assert node(main) == "WORDS41 42 of its own\n"
    assert node(main.with_name("joined.cjs")) == "WORDS41 42 of its own\nundefined\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import { none } from './words.js';", "main.js imports none, which words.js does not export"),
        ("import words from './words.js';", 'main.js: the joiner knows no "import words from'),
        ("import * as words from './words.js';", "knows no"),
        ("import './words.js';", "knows no"),
        ("const words = await import('./words.js');", "knows no"),
        ("const here = import.meta.url;", "knows no"),
        ("export default 1;", "knows no"),
        ("const a = 1;\nexport { a };", "knows no"),
        ("export let a = 1;", "knows no"),
        ("const a = '</script>';", "would end the script in a page"),
        ("const a = '<!--';", "<!-- would end the script in a page"),
        ("const a = `one ${b ? `two` : ''}`;", "main.js: a template with braces or another template in it"),
        ("import { helper } from './main.js';", "import each other: main → main"),
        ("import { a } from './circle.js';", "import each other: main → circle → main"),
    ],
)
def test_the_joiner_refuses_what_it_does_not_know(code, message, write):
    main = write(main=code, words=WORDS, numbers=NUMBERS, circle="import { b } from './main.js';")
    with pytest.raises(ValueError, match=re.escape(message)):
        joined(main)


def test_a_module_that_is_missing_is_named(write):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.js"):
        joined(write(main="import { a } from './nowhere.js';"))


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("/* one */ a();\n  b(); // two\n\n// three\n/* four */\nc();", "a();b();c();"),
        ("const a = 'b // c'; // d", "const a='b // c';"),
        ('f("it\'s  /* no comment */");', 'f("it\'s  /* no comment */");'),
        ("f(`${a + b}  // ${c}`);", "f(`${a + b}  // ${c}`);"),
        ("const x = a / b / c; // d", "const x=a/b/c;"),
        ("text.replace(/[/ ]+ '/g, ' ') / 2", "text.replace(/[/ ]+ '/g,' ')/2"),
        ("return /\\/ x/.test(y)", "return/\\/ x/.test(y)"),
        ("a + +b - -c", "a+ +b- -c"),
        ("for (const [a, b] of c) typeof d in e", "for(const[a,b]of c)typeof d in e"),
        ("get #size() {\n  return this.#n ?? 1;\n}", "get #size(){return this.#n??1;}"),
        ("const raised = '⁰¹²';\nconst größe = 1;", "const raised='⁰¹²';const größe=1;"),
    ],
)
def test_what_is_not_needed_goes_and_the_rest_stays(code, short):
    assert minified(code) == short


def test_no_word_of_the_modules_is_lost_or_joined_with_another():
    for path in MODULES:
        code = path.read_text(encoding="utf-8")
        short = list(tokens(minified(code)))
        assert [token for token in short if token != " "] == [token for token in tokens(code) if token != " "]
        assert len("".join(short)) < 0.9 * len(code)


def test_a_style_loses_its_comments_and_keeps_its_selectors():
    code = "/* of\n * several lines */\n.a :focus,\n.b > i {\n  color: red;\n  margin: 0 auto;\n}\n"
    assert minified_style(code) == ".a :focus,.b > i{color: red;margin: 0 auto;}"


# ---- the script of the players ----


def test_every_module_is_part_of_a_script():
    scripts = player_script() + guess_script()
    assert [path.stem for path in MODULES if f"const ${path.stem}=(" not in scripts] == []
    assert not re.search(r"https?://", scripts)


@pytest.mark.parametrize("kind", [kind for kinds in panel_modules().values() for kind in sorted(kinds)])
def test_a_player_carries_the_panels_that_it_shows_and_no_others(kind, node, tmp_path):
    script = player_script(frozenset({kind}))
    for module, kinds in panel_modules().items():
        assert (f"const ${module}=(" in script) == (kind in kinds)
        assert (f"const ${module}={{}};" in script) == (kind not in kinds)
    assert f"function {kind}(" in script
    assert len(script) < 0.9 * len(player_script())
    (tmp_path / "script.cjs").write_text(script, encoding="utf-8")
    node("--check", tmp_path / "script.cjs")


def test_every_panel_has_a_module_that_can_be_left_out():
    panels = (STATIC / "panels.js").read_text(encoding="utf-8")
    named = re.search(r"^const KINDS = \{([^}]*)\}", panels, re.M)[1]
    assert sorted(re.findall(r"\w+", named)) == sorted(k for kinds in panel_modules().values() for k in kinds)


def test_what_is_left_out_is_undefined_for_the_others(node, write):
    main = write(
        main="import { helper } from './words.js';\nconsole.log(typeof helper);\n",
        words="export const helper = 1;\n",
    )
    for without, told in (((), "number"), (("words",), "undefined")):
        main.with_name("joined.cjs").write_text(joined(main, without), encoding="utf-8")
        assert node(main.with_name("joined.cjs")) == f"{told}\n"


@pytest.mark.parametrize(
    "kinds",
    [
        {"frames"},
        {"frames", "curves"},
        {"noise"},
        {"noise", "histogram", "curves"},
        {"noise", "curves", "meter"},
        {"points", "histogram", "curves"},
        {"field", "candidates"},
        {"sheet", "noise", "frames"},
    ],
    ids=lambda kinds: " ".join(sorted(kinds)),
)
def test_what_every_kind_of_player_carries_is_small(kinds):
    assert len(player_script(frozenset(kinds))) + len(player_style()) < MOST_BYTES


def test_the_scripts_and_styles_of_guesses_are_small():
    assert len(guess_script()) + len(guess_style()) < MOST_BYTES / 3


@pytest.mark.parametrize("script", [player_script, guess_script])
def test_the_joined_script_is_javascript(script, node, tmp_path):
    (tmp_path / "script.cjs").write_text(script(), encoding="utf-8")
    node("--check", tmp_path / "script.cjs")
