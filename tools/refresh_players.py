"""Put the present script and style into players and guesses of stored lessons: ``python tools/refresh_players.py``.

Their data stay as they are, so a change of how players look or move needs no lesson to be run again. A still without
its line that says where it moves gets it. With ``--check`` nothing is written, and the exit code is 1 if a stored
player is out of date.
"""

import re
import sys
from base64 import b64decode
from pathlib import Path

import nbformat

from diffusion_lab.files import replacing
from diffusion_lab.widgets.guess import guess_fragment
from diffusion_lab.widgets.player import fragment
from diffusion_lab.widgets.stills import has_invitation, still_png

ROOT = Path(__file__).parent.parent
PLAYER = re.compile(
    r'<style>[^<]*</style><div class="dl-player" data-player="(?P<id>\w*)">(?P<still><img [^>]*>)'
    r'<script type="application/json">(?P<spec>.*?)</script><script>.*?</script></div>',
    re.S,
)


STILL = re.compile(r'(?<=src="data:image/png;base64,)[^"]*')
GUESS = re.compile(
    r'<style>[^<]*</style><div class="dl-(?P<kind>guess|answer)" data-guess="(?P<key>[\w.-]*)">(?P<words>.*?)'
    r'<script type="application/json">(?P<spec>.*?)</script><script>.*?</script></div>',
    re.S,
)


def refreshed_still(png: str) -> str:
    """Give a still, base64 of a PNG, that says where it moves."""
    return png if has_invitation(png) else still_png(b64decode(png))


def refreshed(html: str) -> str:
    """Give the same HTML with the present script, style and still in each player, guess and answer."""

    def fresh(found: re.Match) -> str:
        still = STILL.sub(lambda png: refreshed_still(png[0]), found["still"])
        return fragment(found["id"], still, found["spec"])

    html = PLAYER.sub(fresh, html)
    return GUESS.sub(
        lambda found: guess_fragment(found["kind"], found["key"], found["words"], found["spec"]), html
    )


def main(arguments: list[str]) -> int:
    """Refresh all lessons; returns 1 if ``--check`` found one to refresh."""
    stale = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        changed = False
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            before = output.get("data", {}).get("text/html", "")
            if (after := refreshed(before)) != before:
                output["data"]["text/html"], changed = after, True
                if PLAYER.search(after):
                    output["data"]["image/png"] = refreshed_still(output["data"]["image/png"].strip())
        if changed and "--check" not in arguments:
            with replacing(path) as part:
                nbformat.write(notebook, part)
        if changed:
            print(("stale: " if "--check" in arguments else "refreshed ") + path.name)
            stale = 1
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
