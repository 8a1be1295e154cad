"""Write docs/component_map.md from the facts in the package: ``python tools/component_map.py``."""

from pathlib import Path

from diffusion_lab.component_map import page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "component_map.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
