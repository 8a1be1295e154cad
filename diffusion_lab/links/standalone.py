"""What a notebook that was opened on its own says after it has installed the package.

``python -m diffusion_lab.links.standalone`` is the last step of the cell of set-up (`repository.SETUP`), which has
left the packages that were there before in ``kept.txt``.
"""

import os
import re
import sys
from importlib import metadata
from pathlib import Path

KEPT = "kept.txt"


def packages(lines: str) -> dict[str, str]:
    """Read ``name==version`` lines; names as pip compares them."""
    pairs = (line.split("==", 1) for line in lines.splitlines() if "==" in line)
    return {re.sub(r"[-_.]+", "-", name).lower(): version.strip() for name, version in pairs}


def installed() -> dict[str, str]:
    """List what is installed now, by name."""
    return packages(
        "\n".join(f"{package.metadata['Name']}=={package.version}" for package in metadata.distributions())
    )


def summary(before: dict[str, str], after: dict[str, str]) -> str:
    """Say in one line what came, and whether anything that was there has changed."""
    lab_version = after.get("diffusion-lab", "?")
    new = [
        f"{name} {version}"
        for name, version in sorted(after.items())
        if name not in before | {"diffusion-lab": 0}
    ]
    changed = [
        f"{name} {before[name]} -> {after.get(name, 'gone')}"
        for name in sorted(before)
        if after.get(name) != before[name]
    ]
    came = f", and with it {', '.join(new)}" if new else ""
    rest = f"CHANGED: {', '.join(changed)}" if changed else "nothing that was here has changed"
    return f"Installed diffusion-lab {lab_version}{came}; {rest}."


def device() -> str:
    """Say in one line whether there is a GPU, what would use it, and that none is needed."""
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        return (
            f"GPU: {name}. The lessons compute on the CPU; to train there, put the network there:"
            ' model.to("cuda").'
        )
    where = (
        " To get one: Runtime > Change runtime type > T4 GPU." if "COLAB_RELEASE_TAG" in os.environ else ""
    )
    return f"No GPU, and none is needed: all lessons and exercises are made for the CPU.{where}"


def main(folder: Path = Path()) -> int:
    """Print both lines, and remove the list of what was there."""
    kept = folder / KEPT
    print(summary(packages(kept.read_text(encoding="utf-8")), installed()))
    print(device())
    kept.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
