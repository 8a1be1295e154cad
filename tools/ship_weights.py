"""Put a trained file into the package: ``python tools/ship_weights.py runs/digits.safetensors``.

A model gets a card with what ``diffusion-lab evaluate`` measures, in the file and again as markdown beside
it, so ship a judge before the models that it measures. The sha256 of every shipped file goes into the
manifest. Another model than ``digits`` says its name, and how to measure it: ``--name digits-flow --measure
"--sampler ddim --num-steps 4"``.
"""

import argparse
import hashlib
import json
import re
import shlex
import shutil
from pathlib import Path

from diffusion_lab import cli, pretrained
from diffusion_lab.cli.evaluate import evaluate
from diffusion_lab.files import replacing
from diffusion_lab.shipped import FOLDER

USUAL = {
    "digits": ("--num-steps 10 --seed 0", "--sampler ddim --num-steps 20 --seed 0"),
    "scenes": ("--num-samples 500", "--num-samples 500 --held-out"),
}
"""Flags of the evaluations in a card, by what the model draws; for digits beside those of every seed."""


def main() -> None:
    """Ship one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--seeds", type=int, default=3, help="evaluations of digits in the card, one per seed"
    )
    parser.add_argument("--name", help="in the package; that of the file if there is none")
    parser.add_argument(
        "--measure", action="append", help="flags of an evaluation, in place of the usual; repeatable"
    )
    parser.add_argument("--note", action="append", default=[], help="a further line of the card; repeatable")
    options = parser.parse_args()
    name = options.name or options.file.stem
    target = FOLDER / f"{name}.safetensors"
    if target.stem.endswith(pretrained.OTHER_FILES):
        with replacing(target) as part:
            shutil.copyfile(options.file, part)
    else:
        trained = pretrained.load_model(options.file)
        usual = list(USUAL[trained.pictures])
        if trained.pictures == "digits":
            usual = [f"--seed {seed}" for seed in range(options.seeds)] + usual * bool(options.seeds)
        measured = "\n".join(measure(options.file, name, flags) for flags in options.measure or usual)
        about = re.sub(r"\A# .*", f"# {name}", trained.card.split("## Measured")[0].rstrip())
        about += "".join(f"\n- {note}" for note in options.note)
        card = f"{about}\n\n## Measured\n\n```\n{measured}```\n"
        trained._replace(card=card).save(target)
        with replacing(target.with_suffix(".md")) as part:
            part.write_text(card, encoding="utf-8")
    manifest_file = FOLDER / "manifest.json"
    manifest = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}
    manifest[target.stem] = {"file": target.name, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    with replacing(manifest_file) as part:
        part.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def measure(file: Path, name: str, flags: str) -> str:
    """Evaluate a model file with flags of ``diffusion-lab evaluate``; the command as for `name`, and its report."""
    flags = flags if "--num-samples" in flags else f"--num-samples 2000 {flags}"
    evaluation = evaluate(cli.parser().parse_args(["evaluate", str(file), *shlex.split(flags)]))
    return f"$ diffusion-lab evaluate {name} {flags}\n{name}: {evaluation}\n"


if __name__ == "__main__":
    main()
