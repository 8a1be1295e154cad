"""A few real digits for the checks, so small that they stand here as text.

From scikit-learn's digits (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI 1998), whose import
takes longer than a whole check.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

_PIXELS = (  # 8 × 8 each, row by row, from 0, black, to g = 16, white
    "00aeb30004gd6e1004g20b7008g00a5008g00e4008g01g1004g1bf0000bgc300",
    "0000c5000002gc00001cgb0002cgga0006b5f6000001g9000002gb000003g800",
    "0005ec20007f8e4000623d100001d400001b900008gd000005egb2000006cd30",
    "009gd6000065gg000008f5000005e30000009f2000000bc00048bfc000bec800",
    "0009f100004gc00000fe2b3004g94ga009gbdg20009gge000008g6000009g200",
    "02dgggb005ga541006g7300009ggg6000384bf000001cf00004dg60002gf8000",
    "0009fc0000477e0000000d300498ad1004gfgg600000e3000009c000000b7000",
    "0077dg4000dd6c7000a4ab10008ga00003eg0000088b500004a9800001bg6000",
)
LABELS = (0, 1, 2, 3, 4, 5, 7, 8)
"""What the digits are."""


@functools.cache
def _digits() -> Tensor:
    pixels = torch.tensor([[int(pixel, 17) for pixel in row] for row in _PIXELS]).float().reshape(-1, 1, 8, 8)
    enlarged = F.interpolate(pixels / 16, size=(20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    return F.pad(enlarged, (4, 4, 4, 4)) * 2 - 1


def digits(number: int = len(LABELS)) -> Tensor:
    """Give the first digits, float32, (number, 1, 28, 28), in [-1, 1], as `data.sklearn_digits` makes them."""
    return _digits()[:number].clone()
