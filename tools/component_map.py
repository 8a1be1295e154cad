"""Write docs/component_map.md from the package's facts and weights: ``python tools/component_map.py``."""

from pathlib import Path

from diffusion_lab.component_map import page, shipped_column

PAGE = Path(__file__).resolve().parent.parent / "docs" / "component_map.md"

if __name__ == "__main__":
    PAGE.write_text(page(shipped_column()), encoding="utf-8")
    print(PAGE)
