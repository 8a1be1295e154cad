"""The browser's half of players and guesses: JavaScript modules in ``static/``, joined into one script for the page.

A player must work on a page of its own, offline, so its script cannot import anything there. The modules are plain ES
modules for whoever reads, tests or lints them; `joined` makes one script of them. It knows two forms, each at the
beginning of a line, and refuses any other:

* ``import { a, b as c } from './other.js';``
* ``export function`` (``async function``, ``class``, ``const``) and a name.

Each module becomes a function of its own that returns what it exports, so names of one never meet those of another.
Comments and spaces go, as every stored player carries the script: that is safe because Biome (``npm run format``)
puts a semicolon at the end of every statement.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([\w-]+)\.js';$", re.M)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.M)
_OTHER_FORM = re.compile(r"^(?:import|export)\b.*|\bimport\s*[(.].*", re.M)
_ENDS_THE_SCRIPT = re.compile(r"</script|<!--", re.I)
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)
    |(?P<word>[\w$\#]+)
    |(?P<sign>.)""",
    re.S | re.X,
)
_REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*")
_BEFORE_A_REGEX = set("(,=:?!&|{};[+") | {"return"}
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_CSS_SPACE = re.compile(r"\s*([{};,])\s*|\s+")


def tokens(code: str) -> Iterator[str]:
    """Give the words, signs and texts of JavaScript, with a single blank for any space or comment between them.

    Raises:
        ValueError: for a template inside a template, which it would take for two.
    """
    at, before = 0, ";"
    while at < len(code):
        found = code[at] == "/" and before in _BEFORE_A_REGEX and _REGEX.match(code, at)
        is_comment = code.startswith(("//", "/*"), at)
        found = found if found and not is_comment else _TOKEN.match(code, at)
        at, token = found.end(), found[0]
        if found.re is _TOKEN and found.lastgroup in ("space", "comment"):
            yield " "
            continue
        if token[0] == "`" and token.count("${") != len(re.findall(r"\$\{[^{}]*\}", token)):
            raise ValueError(f"a template with braces or another template in it: {token}")
        before = token
        yield token


def minified(code: str) -> str:
    """Give JavaScript without its comments and without the spaces that it does not need."""
    out: list[str] = []
    blank = False
    for token in tokens(code):
        if token == " ":
            blank = True
            continue
        if out and blank and _would_merge(out[-1][-1], token[0]):
            out.append(" ")
        out.append(token)
        blank = False
    return "".join(out)


def _would_merge(end: str, start: str) -> bool:
    """Whether two tokens would read as another one with nothing between them."""
    words = (end.isalnum() or end in "_$") and (start.isalnum() or start in "_$#")
    return words or (end == start and end in "+-/&|<>=")


def minified_style(code: str) -> str:
    """Give CSS without its comments and without the spaces that it does not need."""
    return _CSS_SPACE.sub(lambda found: found[1] or " ", _CSS_COMMENT.sub("", code)).strip()


def joined(entry: Path, without: Collection[str] = ()) -> str:
    """Join a module and all that it imports into one script, which runs at once and leaves no names behind.

    Args:
        entry: the module that is run; those that it imports stand beside it.
        without: names of modules that are left out; what others import from them is undefined there.

    Raises:
        ValueError: if a module imports or exports in another form than those above, imports what the other does not
            export or, over others, itself, or holds what must not stand inside a script of a page.
        FileNotFoundError: if an imported module is missing.
    """
    order: list[str] = []  # imported modules come first
    parts: dict[str, str] = {}
    exports: dict[str, list[str]] = {}
    left_out: set[str] = set()

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in importers:
            raise ValueError(f"modules import each other: {' → '.join([*importers, name])}")
        if name in parts:
            return
        path = entry.with_name(f"{name}.js")
        code = path.read_text(encoding="utf-8")
        for names, other in _IMPORT.findall(code):
            if other in without:
                left_out.add(other)
                continue
            add(other, (*importers, name))
            wanted = {part.split(" as ")[0].strip() for part in names.split(",") if part.strip()}
            if unknown := sorted(wanted.difference(exports[other])):
                raise ValueError(f"{path.name} imports {unknown[0]}, which {other}.js does not export")
        exports[name] = _EXPORT.findall(code)
        body = _EXPORT.sub("", _IMPORT.sub(_from_object, code))
        if left := _OTHER_FORM.search(body):
            raise ValueError(f"{path.name}: the joiner knows no {left[0]!r}; see widgets/script.py")
        try:
            parts[name] = minified(body)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        if end := _ENDS_THE_SCRIPT.search(parts[name]):
            raise ValueError(f"{path.name}: {end[0]} would end the script in a page")
        order.append(name)

    add(entry.stem, ())
    modules = [
        f"const ${name}=(()=>{{{parts[name]}return{{{','.join(exports[name])}}}}})();" for name in order
    ]
    empty = [f"const ${name}={{}};" for name in sorted(left_out)]
    return "\n".join(["(()=>{'use strict';", *empty, *modules, "})();"])


def _from_object(found: re.Match) -> str:
    """What stands in the place of an import: the same names, out of what the other module returned."""
    names = ", ".join(part.strip().replace(" as ", ": ") for part in found[1].split(",") if part.strip())
    return f"const {{ {names} }} = ${found[2]};"


@cache
def panel_modules() -> dict[str, frozenset[str]]:
    """The modules that hold the panels of players, and the kinds in each, by their names in ``panels.js``."""
    imports = _IMPORT.findall((STATIC / "panels.js").read_text(encoding="utf-8"))
    kinds = {module: names for names, module in imports if module.startswith("panel_")}
    return {module: frozenset(re.findall(r"\w+", names)) for module, names in kinds.items()}


@cache
def player_script(kinds: frozenset[str] | None = None) -> str:
    """The script of a player with panels of these kinds, and nothing that others need; of every player if None."""
    modules = panel_modules().items()
    unused = () if kinds is None else [name for name, has in modules if not has & kinds]
    return joined(STATIC / "main.js", without=unused)


@cache
def player_style() -> str:
    """The style of every player."""
    return _style("player")


@cache
def guess_script() -> str:
    """The script of every guess and of its answer."""
    return joined(STATIC / "guess_main.js")


@cache
def guess_style() -> str:
    """The style of every guess and of its answer."""
    return _style("guess")


def _style(name: str) -> str:
    """What players and guesses have in common, and what is said of one of them alone."""
    parts = (STATIC / "controls.css", STATIC / f"{name}.css")
    return "".join(minified_style(part.read_text(encoding="utf-8")) for part in parts)
