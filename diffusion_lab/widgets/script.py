"""The browser's half of the players: JavaScript modules in ``static/``, joined into one script for the page.

A player must work on a page of its own, offline, so its script cannot import anything there. The modules are plain ES
modules for whoever reads, tests or lints them; `joined` makes one script of them. It knows two forms, each on lines of
its own, and refuses any other:

* ``import { a, b as c } from './other.js';``
* ``export function`` (``async function``, ``class``, ``const``) and a name.

Each module becomes a function of its own that returns what it exports, so names of one never meet those of another.
"""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)(?:\n|\Z)", re.M | re.S)
_IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([\w-]+)\.js';$", re.M)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.M)
_OTHER_FORM = re.compile(r"^(?:import|export)\b.*|\bimport\s*[(.].*", re.M)
_ENDS_THE_SCRIPT = re.compile(r"</script|<!--", re.I)


def stripped(text: str) -> str:
    """Give JavaScript or CSS without its indents, empty lines and lines of comment: every player carries it."""
    lines = (line.strip() for line in _COMMENT.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


def joined(entry: Path) -> str:
    """Join a module and all that it imports into one script, which runs at once and leaves no names behind.

    Args:
        entry: the module that is run; those that it imports stand beside it.

    Raises:
        ValueError: if a module imports or exports in another form than those above, imports what the other does not
            export or, over others, itself, or holds what must not stand inside a script of a page.
        FileNotFoundError: if an imported module is missing.
    """
    order: list[str] = []  # imported modules come first
    parts: dict[str, str] = {}
    exports: dict[str, list[str]] = {}

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in importers:
            raise ValueError(f"modules import each other: {' → '.join([*importers, name])}")
        if name in parts:
            return
        path = entry.with_name(f"{name}.js")
        code = stripped(path.read_text(encoding="utf-8"))
        _check_lines(path, code)
        for names, other in _IMPORT.findall(code):
            add(other, (*importers, name))
            wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
            if unknown := sorted(wanted.difference(exports[other])):
                raise ValueError(f"{path.name} imports {unknown[0]}, which {other}.js does not export")
        exports[name] = _EXPORT.findall(code)
        parts[name] = _EXPORT.sub("", _IMPORT.sub(_from_object, code))
        if left := _OTHER_FORM.search(parts[name]):
            raise ValueError(f"{path.name}: the joiner knows no {left[0]!r}; see widgets/script.py")
        order.append(name)

    add(entry.stem, ())
    modules = [
        f"const ${name} = (() => {{\n{parts[name]}\nreturn {{ {', '.join(exports[name])} }};\n}})();"
        for name in order
    ]
    return "\n".join(["(() => {", "'use strict';", *modules, "})();"])


def _from_object(found: re.Match) -> str:
    """What stands in the place of an import: the same names, out of what the other module returned."""
    names = ", ".join(name.strip().replace(" as ", ": ") for name in found[1].split(",") if name.strip())
    return f"const {{ {names} }} = ${found[2]};"


def _check_lines(path: Path, code: str) -> None:
    for line in code.splitlines():
        if line.count("`") % 2:
            raise ValueError(f"{path.name}: a text over several lines would lose its indents: {line!r}")
        if _ENDS_THE_SCRIPT.search(line):
            raise ValueError(f"{path.name}: this would end the script in a page: {line!r}")


@cache
def player_script() -> str:
    """The script of every player."""
    return joined(STATIC / "main.js")


@cache
def player_style() -> str:
    """The style of every player."""
    return stripped((STATIC / "player.css").read_text(encoding="utf-8"))
