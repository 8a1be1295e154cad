"""Put a trained file into the package: ``python tools/ship_weights.py runs/digits.safetensors``.

Copies the file and its card into ``diffusion_lab/weights``, writes the sha256 into the manifest, and adds to the card
of a digits model what ``diffusion-lab evaluate`` measures.
"""

import argparse
import contextlib
import hashlib
import io
import json
import shutil
from pathlib import Path

from diffusion_lab import cli, pretrained
from diffusion_lab.files import replacing


def main() -> None:
    """Ship one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="evaluations in the card, one per seed")
    options = parser.parse_args()
    target = pretrained.FOLDER / options.file.name
    with replacing(target) as part:
        shutil.copyfile(options.file, part)
    manifest_file = pretrained.FOLDER / "manifest.json"
    manifest = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}
    manifest[target.stem] = {"file": target.name, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    with replacing(manifest_file) as part:
        part.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    card = options.file.with_suffix(".md")
    if card.exists():
        runs = [(seed, flags) for flags in ("", "--num-steps 50") for seed in range(options.seeds)]
        measured = "\n".join(_evaluate(seed, flags) for seed, flags in runs)
        with replacing(target.with_suffix(".md")) as part:
            part.write_text(f"{card.read_text().rstrip()}\n\n## Measured\n\n```\n{measured}```\n")


def _evaluate(seed: int, flags: str) -> str:
    command = f"evaluate digits --num-samples 2000 --seed {seed} {flags}".split()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        cli.main(command)
    return f"$ diffusion-lab {' '.join(command)}\n{printed.getvalue()}"


if __name__ == "__main__":
    main()
