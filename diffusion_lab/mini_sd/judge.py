"""A judge for scenes: a network that says what stands where, and the scoring of pictures against their prompts.

It reads the arrangement of a scene, the place of a single digit, and number, colour and size of up to three
digits, in the order of `scenes.ARRANGEMENTS`. It is trained on real scenes and never sees a generated one
(`train.train_judge`).
"""

import json
import re
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from diffusion_lab.data import Digits
from diffusion_lab.files import read_tensors, write_tensors
from diffusion_lab.mini_sd.scenes import (
    ARRANGEMENTS,
    COLOURS,
    COUNTS,
    NUMBERS,
    PLACES,
    SIZES,
    SLOTS,
    Layout,
    Scenes,
    check_scenes,
    compose,
)
from diffusion_lab.mini_sd.vae import Block
from diffusion_lab.shapes import Images
from diffusion_lab.shipped import checked_file

HEADS = {
    "arrangement": (1, len(ARRANGEMENTS)),
    "place": (1, len(PLACES)),
    "digit": (SLOTS, len(NUMBERS)),
    "colour": (SLOTS, len(COLOURS)),
    "size": (SLOTS, len(SIZES)),
}
"""What is read: how many answers of how many choices each."""
ATTRIBUTES = ("digit", "colour", "size", "position")


class SceneJudge(nn.Module):
    """Convolutions down to 8 × 8 places, and a linear choice for every question.

    ``SceneJudge(**judge.config)``.
    """

    def __init__(self, width: int = 32):
        """Use `width` feature maps at half resolution, four times as many at an eighth."""
        super().__init__()
        self.config = {"width": width}
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, width, 3, padding=1), Block(width)]
        for size in (width, 2 * width):
            layers += [nn.Conv2d(size, 2 * size, 3, stride=2, padding=1), Block(2 * size)]
        size = 4 * width
        layers += [Block(size), nn.GroupNorm(8, size), nn.SiLU(), nn.Conv2d(size, size // 2, 1), nn.Flatten()]
        self.trunk = nn.Sequential(*layers, nn.Linear(size // 2 * 64, 512), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(512, many * of) for name, (many, of) in HEADS.items()})

    def forward(self, images: Images) -> dict[str, Tensor]:
        """Look at scenes, (B, 3, 64, 64) in [-1, 1]; returns logits by question, (B, answers, choices)."""
        check_scenes(images)
        h = self.trunk(images)
        return {name: self.heads[name](h).unflatten(1, HEADS[name]) for name in HEADS}

    @torch.no_grad()
    def look(self, images: Images) -> Layout:
        """Say what is there, as a `Layout` without geometry and background (both are zeros)."""
        outputs = [self(part) for part in images.split(250)]
        best = {name: torch.cat([out[name].argmax(dim=2) for out in outputs]) for name in HEADS}
        arrangement = best["arrangement"][:, 0]
        is_shown = torch.arange(SLOTS) < COUNTS[arrangement][:, None]
        slots = [best[name].where(is_shown, -1) for name in ("digit", "colour", "size")]
        place = best["place"][:, 0].where(arrangement == 0, -1)
        return Layout(
            arrangement, place, *slots, torch.zeros(len(images), SLOTS, 4), torch.zeros(len(images))
        )


def judge_loss(outputs: dict[str, Tensor], layout: Layout) -> Tensor:
    """Cross-entropy of every question that a scene has an answer to, the mean of each, summed.

    A question that no scene of the batch has an answer to, all -1, counts nothing.
    """
    total = torch.zeros(())
    for name, logits in outputs.items():
        truth = getattr(layout, name).reshape(len(logits), -1).to(logits.device)
        error = F.cross_entropy(logits.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="sum")
        total = total.to(logits) + error / (truth >= 0).sum().clamp(min=1)
    return total


class Verdict(NamedTuple):
    """Per attribute, how many were asked for and how many of them were right."""

    asked: dict[str, int]
    right: dict[str, int]

    def share(self, attribute: str) -> float:
        """Accuracy in [0, 1]; nan if nothing was asked for."""
        return self.right[attribute] / self.asked[attribute] if self.asked[attribute] else float("nan")

    def line(self) -> str:
        """All four in one line."""
        parts = (
            f"{name} {self.share(name):.1%} of {self.asked[name]}" for name in ATTRIBUTES if self.asked[name]
        )
        return ", ".join(parts)


def compare(wanted: Layout, captions: list[str], seen: Layout, *, first_only: bool = False) -> Verdict:
    """Count what is right of all that captions say, or with `first_only` of what they say of the first digit itself.

    Digits of the picture are paired with phrases of the caption so that as many numbers and colours as
    possible agree: only then is a swap an error of position, not of number. Position counts if the caption
    tells it: the place of a single digit, or the arrangement and the order of several. (The first digit is
    the one of `HELD_OUT` in scenes that have one.)

    A `ValueError` shows a caption that does not name as many digits as its scene has.
    """
    asked, right = dict.fromkeys(ATTRIBUTES, 0), dict.fromkeys(ATTRIBUTES, 0)
    for i, text in enumerate(captions):
        slots = [k for k in range(SLOTS) if int(wanted.digit[i, k]) >= 0]
        counted = slots[:1] if first_only else slots

        def agree(order: tuple, name: str, i: int = i, slots: list = slots) -> list[bool]:
            want, see = getattr(wanted, name)[i].tolist(), getattr(seen, name)[i].tolist()
            return [want[k] == see[j] for k, j in zip(slots, order, strict=True)]

        orders = list(
            permutations(range(SLOTS), len(slots))
        )  # the one as wanted comes first, and wins a draw
        best = max(orders, key=lambda order: sum(agree(order, "digit") + agree(order, "colour")))
        sizes = _sizes_told(text)
        if len(sizes) != len(slots):
            raise ValueError(
                f"captions must name the digits of their scenes, {len(slots)} here, got {text!r}"
            )
        sizes = sizes[: len(counted)]
        for name in ("digit", "colour"):
            asked[name] += len(counted)
            right[name] += sum(agree(best, name)[: len(counted)])
        asked["size"] += sum(sizes)
        right["size"] += sum(
            ok for ok, say in zip(agree(best, "size")[: len(counted)], sizes, strict=True) if say
        )
        if not first_only and (len(slots) > 1 or text.endswith(PLACES)):
            asked["position"] += 1
            same = int(wanted.arrangement[i]) == int(seen.arrangement[i]) and best == tuple(slots)
            right["position"] += same and int(wanted.place[i]) == int(seen.place[i])
    return Verdict(asked, right)


PHRASE = re.compile(f"({'|'.join(SIZES)})? ?({'|'.join(COLOURS)}) ({'|'.join(NUMBERS)})")


def _sizes_told(caption: str) -> list[bool]:
    """Whether the caption tells the size of each digit, in the order of the layout (see `scenes.caption`)."""
    told = [bool(size) for size, _colour, _number in PHRASE.findall(caption)]
    return told[::-1] if " right of " in caption or " below " in caption else told


def exam(number: int, digits: Digits, *, held_out: bool = False, seed: int = 0) -> Scenes:
    """Write `number` prompts for one or two digits, and paint a real scene for each.

    Arguments as for `compose`.
    """
    generator = Generator().manual_seed(seed)
    return compose(number, digits, generator=generator, held_out=held_out, shares=(1 / 3, 2 / 3, 0.0))


class SceneReport(NamedTuple):
    """The verdict on generated scenes, beside real scenes of the same prompts."""

    source: str
    """Whose handwriting the real scenes are in."""
    generated: Verdict
    real: Verdict
    generated_pair: Verdict | None = None
    """Where the prompts have pairs that were held out, the verdict on the digit that is such a pair."""
    real_pair: Verdict | None = None

    def __str__(self) -> str:
        """One line each, or two."""
        lines = []
        for name, all_digits, pair in (
            ("generated", self.generated, self.generated_pair),
            (f"real ({self.source})", self.real, self.real_pair),
        ):
            lines.append(f"{name}: {all_digits.line()}")
            if pair is not None:
                lines.append(f"  of the digit that is such a pair: {pair.line()}")
        return "\n".join(lines)


def judge_scenes(
    judge: SceneJudge, asked: Scenes, images: Images, *, source: str, held_out: bool = False
) -> SceneReport:
    """Compare generated pictures, (N, 3, 64, 64), and the real ones of `asked` with what its N captions say.

    With `held_out`, also the digit of each that `exam` made of a pair that training never showed. `source` says
    whose handwriting the real ones are in.
    """
    verdicts = {}
    for name, pictures in {"generated": images, "real": asked.images}.items():
        seen = judge.look(pictures)
        verdicts[name] = compare(asked.layout, asked.captions, seen)
        if held_out:
            verdicts[f"{name}_pair"] = compare(asked.layout, asked.captions, seen, first_only=True)
    return SceneReport(source, **verdicts)


def save_scene_judge(path: str | Path, judge: SceneJudge) -> None:
    """Write a judge as float16."""
    write_tensors(path, judge.state_dict(), {"config": json.dumps(judge.config)})


def load_scene_judge(path: str | Path | None = None) -> SceneJudge:
    """Load the judge of scenes that ships with the course, or what `save_scene_judge` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or something else.
    """
    path = checked_file("mini-sd-judge") if path is None else path
    tensors, metadata = read_tensors(path)
    try:
        judge = SceneJudge(**json.loads(metadata["config"]))
        judge.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a judge of scenes: {error}") from error
    return judge.eval().requires_grad_(False)
