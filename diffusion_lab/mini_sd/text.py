"""Words to numbers: a tokenizer, a small transformer, and the contrastive training that gives its words a meaning.

Source: Radford et al. 2021, CLIP; the transformer is Vaswani et al. 2017's encoder, from torch.
"""

import difflib
import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lab.mini_sd.scenes import COLOURS, NUMBERS, PLACES, RELATIONS, SIZES, check_scenes
from diffusion_lab.mini_sd.vae import Block
from diffusion_lab.shapes import Context, Images

START, END, PAD = "<start>", "<end>", "<pad>"
PHRASES = (*SIZES, *COLOURS, *NUMBERS, *PLACES, *RELATIONS, "a", "and", ",")
VOCABULARY = tuple(dict.fromkeys(word for phrase in PHRASES for word in phrase.split()))
"""Every word that a caption may use."""
WORDS = (PAD, START, END, *VOCABULARY)
"""The vocabulary with its three marks: a word's number is its place in here."""
MAX_TOKENS = 24


def words_of(text: str) -> list[str]:
    """Cut a caption into words of the vocabulary; digits may be written as "7".

    Raises:
        ValueError: names words that are not in the vocabulary, and lists all that are.
    """
    also = {"an": "a", **{str(digit): name for digit, name in enumerate(NUMBERS)}}
    found = [also.get(word, word) for word in re.findall(r"[a-z]+|[^a-z\s]", text.lower())]
    if unknown := sorted({word for word in found if word not in VOCABULARY}):
        raise ValueError(
            f"the caption {text!r} has words that this model never saw: {', '.join(map(_suggested, unknown))}; "
            f"it knows: {' '.join(VOCABULARY)}"
        )
    return found


def _suggested(word: str) -> str:
    """Give an unknown word, with the one in the vocabulary that is most like it, if one is."""
    same_start = [known for known in VOCABULARY if known[0] == word[0]]
    near = difflib.get_close_matches(word, same_start, n=1)
    near = near or difflib.get_close_matches(word, VOCABULARY, n=1, cutoff=0.75)
    return f"{word} (did you mean {near[0]}?)" if near else word


def check_texts(argument: str, texts: list[str]) -> None:
    """Accept a list of strings; a `ValueError` names the argument, what came and what was wanted."""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{argument} must be a list of strings, got {texts!r}")


def tokenize(captions: list[str]) -> Tensor:
    """Turn captions into word numbers between a start and an end mark, padded: (B, 24), int64.

    Raises:
        ValueError: if captions is no list of strings, a word is unknown, or a caption has more than 22 words.
    """
    check_texts("captions", captions)
    rows = [[START, *words_of(text), END] for text in captions]
    if too_long := [text for text, row in zip(captions, rows, strict=True) if len(row) > MAX_TOKENS]:
        raise ValueError(f"a caption may have {MAX_TOKENS - 2} words, got {too_long[0]!r}")
    numbers = [[WORDS.index(word) for word in row + [PAD] * (MAX_TOKENS - len(row))] for row in rows]
    return torch.tensor(numbers, dtype=torch.int64).reshape(-1, MAX_TOKENS)


class TextEncoder(nn.Module):
    """A transformer that reads a caption: one vector per word, each knowing its neighbours.

    ``TextEncoder(**encoder.config)`` makes it again.
    """

    def __init__(self, features: int = 96, layers: int = 3, heads: int = 4, vocabulary: int = len(WORDS)):
        """Build `layers` of self-attention over vectors of `features` numbers, for `vocabulary` words."""
        super().__init__()
        self.config = {"features": features, "layers": layers, "heads": heads, "vocabulary": vocabulary}
        self.word = nn.Embedding(vocabulary, features)
        self.position = nn.Parameter(nn.init.normal_(torch.empty(MAX_TOKENS, features), std=0.1))
        layer = nn.TransformerEncoderLayer(
            features, heads, 4 * features, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(features)

    def forward(self, tokens: Tensor) -> Context:
        """Read word numbers, (B, 24); returns (B, 24, features), where padding holds zeros."""
        padding = tokens == WORDS.index(PAD)
        h = self.layers(self.word(tokens) + self.position, src_key_padding_mask=padding)
        return self.norm(h) * ~padding[:, :, None]


class ImageEncoder(nn.Module):
    """A few convolutions that look at a scene, (B, 3, 64, 64), and say it in one vector.

    Needed in training only.
    """

    def __init__(self, features: int = 96, width: int = 32):
        """Give `features` numbers per picture."""
        super().__init__()
        self.config = {"features": features, "width": width}
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 3, padding=1),
            Block(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            Block(2 * width),
            Block(2 * width),
            nn.GroupNorm(8, 2 * width),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 64, features),
        )

    def forward(self, images: Images) -> Tensor:
        """Map (B, 3, 64, 64) in [-1, 1] to (B, features)."""
        check_scenes(images)
        return self.layers(images)


class Clip(nn.Module):
    """A text encoder and an image encoder whose vectors are compared, with a learned temperature.

    ``Clip(**clip.config)`` makes it again. The mini Stable Diffusion uses ``clip.text`` only.
    """

    def __init__(self, features: int = 96, layers: int = 3, heads: int = 4, width: int = 32):
        """Build a text encoder (`features`, `layers`, `heads`) and an image encoder (`width`)."""
        super().__init__()
        self.config = {"features": features, "layers": layers, "heads": heads, "width": width}
        self.text, self.image = TextEncoder(features, layers, heads), ImageEncoder(features, width)
        self.project = nn.Linear(features, features, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())  # 1 / temperature

    def embed_text(self, tokens: Tensor) -> Tensor:
        """One unit vector per caption, (B, features), from what the end mark knows (Radford et al. 2021, 2.4)."""
        at_end = (tokens == WORDS.index(END)).int().argmax(dim=1)
        return F.normalize(self.project(self.text(tokens)[torch.arange(len(tokens)), at_end]), dim=1)

    def embed_images(self, images: Images) -> Tensor:
        """One unit vector per picture, (B, features)."""
        return F.normalize(self.image(images), dim=1)

    def forward(self, images: Images, tokens: Tensor) -> Tensor:
        """Compare every picture with every caption: logits, (pictures, captions)."""
        return self.log_scale.clamp(max=4.6).exp() * self.embed_images(images) @ self.embed_text(tokens).T


def contrastive_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of finding each picture's caption, and each caption's picture (Radford et al. 2021, figure 3).

    `logits` is (B, C) with C >= B: picture i belongs to caption i; captions from B on belong to no picture,
    and are only to be told apart from the right ones. Returns one number, in nats; a `ValueError` says if C <
    B.
    """
    if logits.ndim != 2 or not 0 < len(logits) <= logits.shape[1]:
        raise ValueError(f"logits must have shape (B, C) with C >= B >= 1, got {tuple(logits.shape)}")
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits[:, : len(logits)].T, right)) / 2


OPPOSITES = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
    "top": "bottom",
    "bottom": "top",
}


def near_miss(text: str, generator: torch.Generator | None = None) -> str:
    """Change a caption a little so that it says something else.

    One of these, whichever are possible: exchange the two sizes, colours or numbers of a pair; turn the
    direction round; put another size, colour or number in the place of one. Without such captions a text
    encoder need not know
    who is red and who stands left: which words occur would be enough to find the caption (Yuksekgonul et al.
    2023, When and why vision-language models behave like bags-of-words, section 4).

    `generator` decides which. A `ValueError` says if a word is unknown, or no word could be changed.
    """
    words = words_of(text)
    options: list[dict[int, str]] = []  # each: what to write at which place
    for group in (tuple(SIZES), tuple(COLOURS), NUMBERS):
        spots = [i for i, word in enumerate(words) if word in group]
        if len(spots) == 2 and words[spots[0]] != words[spots[1]]:
            options.append({spots[0]: words[spots[1]], spots[1]: words[spots[0]]})
        if spots:
            one, other = torch.rand(2, generator=generator).tolist()
            spot = spots[int(one * len(spots))]
            others = [word for word in group if word != words[spot]]
            options.append({spot: others[int(other * len(others))]})
    if turned := {i: OPPOSITES[word] for i, word in enumerate(words) if word in OPPOSITES}:
        options.append(turned)
    if not options:
        raise ValueError(f"text must have a size, a colour, a number or a direction to change, got {text!r}")
    chosen = options[int(torch.rand((), generator=generator) * len(options))]
    return " ".join(chosen.get(i, word) for i, word in enumerate(words))
