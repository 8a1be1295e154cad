"""Where in the picture each word is read: the weights of cross-attention, caught while the U-Net works.

Source: the weights are those of Vaswani et al. 2017, equation 1; their use as maps, Tang et al. 2022, DAAM,
section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lab.shapes import check_range
from diffusion_lab.unet import Attention


@torch.no_grad()
def weights(layer: Attention, h: Tensor, context: Tensor) -> Tensor:
    """How much every place of h reads of every token of a context: (B, heads, tokens, H, W), with sum 1 over tokens.

    softmax(query key^T / sqrt(features of a head))   (Vaswani et al. 2017, equation 1)

    h, (B, C, H, W), and context, (B, tokens, context_features), are what `layer`, a cross-attention, was
    built for.
    """
    pixels = layer.norm(h).flatten(2).transpose(1, 2)
    query, key = layer.query(pixels), layer.key_value(context).chunk(2, dim=-1)[0]
    query, key = (x.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for x in (query, key))
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1).transpose(-1, -2).unflatten(-1, h.shape[2:])


@contextmanager
def watching(unet: nn.Module, side: int = 16) -> Iterator[list[Tensor]]:
    """Collect, while the block runs, one map per evaluation of the network: (B, tokens, side, side).

    Each is the mean over heads and over all layers of cross-attention, brought to `side` places. Under
    guidance the
    network sees a doubled batch, and a map has 2B rows: those of the empty (or negative) prompt first, then
    those of the prompts. A `ValueError` says if side is less than 1.
    """
    check_range("side", side, 1)
    layers = [m for m in unet.modules() if isinstance(m, Attention)]
    maps: list[Tensor] = []
    pending: list[Tensor] = []

    def look(layer: Attention, inputs: tuple) -> None:
        h, context = (*inputs, None)[:2]
        if context is not None:
            mean = weights(layer, h, context).mean(dim=1)
            pending.append(F.interpolate(mean, size=(side, side), mode="bilinear", align_corners=False))

    def gather(*_args) -> None:
        if pending:
            maps.append(torch.stack(pending).mean(dim=0))
            pending.clear()

    hooks = [layer.register_forward_pre_hook(look) for layer in layers] + [unet.register_forward_hook(gather)]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
