"""The component map: every fact has its source, and what can be checked without weights is."""

import ast
import re
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torch import nn

import diffusion_lab as dl
from diffusion_lab import component_map, figures
from diffusion_lab.component_map import facts

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "component_map.md").read_text(encoding="utf-8")
CELLS = [
    (part, ask, model, cell)
    for part, asked in facts.PARTS.items()
    for ask, cells in asked.items()
    for model, cell in zip(facts.MODELS, cells, strict=True)
]


def value(part: str, ask: str, model: str) -> str:
    return facts.PARTS[part][ask][facts.MODELS.index(model)].value


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def column(scale: float = 3.0, **changes) -> dict:
    vae, text = nn.Conv2d(3, 4, 1), nn.Linear(5, 64)
    unet = dl.UNet(in_channels=4, context_features=64, width=16, attention=(1,), patch=1)
    arguments = {
        "vae": vae,
        "text_encoder": text.requires_grad_(False),
        "unet": unet,
        "schedule": dl.DiffusionSchedule.cosine(),
        "objective": "v",
        "images": torch.zeros(2, 3, 64, 48),
        "latents": torch.zeros(2, 4, 16, 12),
        "context": torch.zeros(2, 24, 64),
        "scale_factor": 1.23456,
        "sampler": "ddim",
        "num_steps": 20,
        "guidance_scale": scale,
    }
    return component_map.ours(**arguments | changes)


def test_page_is_the_one_that_the_package_writes():
    assert component_map.page(component_map.shipped_column()) == PAGE, "python tools/component_map.py"


def test_page_with_our_column():
    with_ours = component_map.page(column())
    assert "| scale factor | 1.235 | 0.18215[^v1-config] |" in with_ours
    assert "read from the shipped weights" in with_ours
    assert "1.235" not in component_map.page()


def test_every_fact_has_a_source_and_every_source_a_fact():
    assert len(CELLS) > 100
    used = set()
    for part, ask, model, cell in CELLS:
        assert cell.sources or cell.value == "not stated", (part, ask, model)
        used |= set(cell.sources.split())
    assert used == facts.SOURCES.keys()
    assert (
        {*re.findall(r"\[\^([\w-]+)\](?!:)", PAGE)} == {*re.findall(r"^\[\^([\w-]+)\]:", PAGE, re.M)} == used
    )


def test_what_follows_from_other_facts_does():
    for model in facts.MODELS:
        picture, latent = (numbers(value("VAE", ask, model)) for ask in ("picture", "latent"))
        shrinks = int(value("VAE", "each side shrinks by", model))
        assert [shrinks * side for side in latent[:2]] == picture[:2]
    schedule = dl.DiffusionSchedule.quadratic(1000, beta_start=0.00085, beta_end=0.012)
    for model in ("SD v1.5", "SDXL"):
        left = value("scheduler and guidance", "share of data in the variance at T", model)
        assert left == f"{float(schedule.alphas_cumprod[-1]):.2g}"


def transformer(d: int, inner: int, layers: int, vocabulary: int = 49408, positions: int = 77) -> int:
    """Parameters of CLIP's text encoder: tokens and positions, attention and a layer of two, with biases and norms."""
    block = 4 * (d * d + d) + (d * inner + inner) + (inner * d + d) + 4 * d
    return (vocabulary + positions) * d + layers * block + 2 * d


def test_text_encoders_have_the_counted_parameters():
    assert transformer(768, 3072, 12) == facts.CLIP_L
    assert transformer(1280, 5120, 32) + 1280**2 == facts.CLIP_G
    t5 = 24 * (4 * 4096**2 + 3 * 4096 * 10240 + 2 * 4096) + 32128 * 4096 + 32 * 64 + 4096  # gated, no biases
    assert t5 == facts.T5


VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
}
SIXTEEN = VAE | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}
NETWORKS = {
    ("VAE", 0): ("AutoencoderKL", VAE),
    ("VAE", 1): ("AutoencoderKL", VAE),
    ("VAE", 2): ("AutoencoderKL", SIXTEEN),
    ("VAE", 3): ("AutoencoderKL", SIXTEEN),
    ("denoiser", 0): ("UNet2DConditionModel", {"cross_attention_dim": 768}),
    ("denoiser", 1): (
        "UNet2DConditionModel",
        {
            "cross_attention_dim": 2048,
            "block_out_channels": [320, 640, 1280],
            "attention_head_dim": [5, 10, 20],
            "transformer_layers_per_block": [1, 2, 10],
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        },
    ),
    ("denoiser", 2): (
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    ("denoiser", 3): ("FluxTransformer2DModel", {"guidance_embeds": True}),
}


@pytest.mark.parametrize(("part", "index"), NETWORKS, ids=lambda value: str(value))
def test_networks_have_the_counted_parameters(part, index):
    diffusers = pytest.importorskip("diffusers")
    name, config = NETWORKS[part, index]
    with torch.device("meta"):  # shapes without memory
        network = getattr(diffusers, name)(**config)
    assert value(part, "class", facts.MODELS[index]) == name
    assert sum(parameter.numel() for parameter in network.parameters()) == facts.COUNTED[part][index]
    if name == "UNet2DConditionModel":
        assert network.config.block_out_channels[0] == 320
        assert network.config.in_channels == 4


def defaults(file: str, name: str, function: str = "__call__") -> dict:
    """Read the defaults of a method in the source of diffusers, whose pipelines need transformers to be imported."""
    path = Path(find_spec("diffusers").origin).parent / "pipelines" / file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kind = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    method = next(node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == function)
    named = method.args.args[-len(method.args.defaults) :]
    constants = zip(named, method.args.defaults, strict=True)
    return {
        argument.arg: default.value for argument, default in constants if isinstance(default, ast.Constant)
    }


PIPELINES = {
    "SD v1.5": ("stable_diffusion/pipeline_stable_diffusion.py", "StableDiffusionPipeline"),
    "SDXL": ("stable_diffusion_xl/pipeline_stable_diffusion_xl.py", "StableDiffusionXLPipeline"),
    "SD3 Medium": ("stable_diffusion_3/pipeline_stable_diffusion_3.py", "StableDiffusion3Pipeline"),
    "FLUX.1 [dev]": ("flux/pipeline_flux.py", "FluxPipeline"),
}


@pytest.mark.skipif(find_spec("diffusers") is None, reason="needs diffusers")
@pytest.mark.parametrize("model", PIPELINES)
def test_defaults_are_those_of_the_pipelines(model):
    ask = partial(value, "scheduler and guidance", model=model)
    found = defaults(*PIPELINES[model])
    assert ask(ask="steps") == str(found["num_inference_steps"])
    assert ask(ask="guidance scale") == str(found["guidance_scale"])
    assert (ask(ask="evaluations per step") == "1") == (found.get("true_cfg_scale") == 1)
    if "max_sequence_length" in found:
        assert numbers(value("text encoder", "tokens", model))[-1] == found["max_sequence_length"]


def test_our_column_is_read_from_the_model():
    answers = column()
    asked, answered = ({part: [*rows] for part, rows in table.items()} for table in (facts.PARTS, answers))
    assert answered == asked
    found = {
        ask: cell.value for part in ("VAE", "scheduler and guidance") for ask, cell in answers[part].items()
    }
    assert (found["picture"], found["latent"], found["each side shrinks by"]) == (
        "64 × 48 × 3",
        "16 × 12 × 4",
        "4",
    )
    assert (found["scale factor"], found["parameters"]) == ("1.235", "16")
    assert (found["path from data to noise"], found["guidance scale"]) == ("cosine", "3.0")
    assert found["evaluations per step"] == "2"
    assert answers["text encoder"]["tokens"].value == "24"
    assert answers["text encoder"]["while the denoiser learns"].value == "frozen"
    assert answers["denoiser"]["features"].value == "16 × (1, 2)"
    assert answers["denoiser"]["latent folded by"].value == "1 × 1"
    assert column(1.0)["scheduler and guidance"]["evaluations per step"].value == "1"
    assert column(text_encoder=nn.Linear(5, 64)) == answers, "a gradient that nobody takes says nothing"


class StandIn:
    """What `of_mini_sd` asks of a miniature: parts, a run, and defaults of its own."""

    vae, text, scale, objective = nn.Conv2d(3, 4, 1), nn.Linear(5, 64), 0.5, "eps"
    unet = dl.UNet(in_channels=4, context_features=64, width=16, attention=(1,))
    schedule = dl.DiffusionSchedule.linear(500)

    def sample(self, prompts, *, guidance_scale=2.5, num_steps=7, sampler="heun"):
        assert num_steps == 1
        return torch.zeros(len(prompts), 3, 64, 64)

    def encode(self, images):
        return images[:, :1, ::4, ::4].expand(-1, 4, -1, -1)

    def read(self, prompts):
        return torch.zeros(len(prompts), 24, 64)


def test_column_of_a_miniature_has_its_own_defaults():
    answers = component_map.of_mini_sd(StandIn())
    loop = answers["scheduler and guidance"]
    found = [loop[ask].value for ask in ("sampler", "steps", "guidance scale", "objective")]
    assert found == ["heun", "7", "2.5", "eps"]
    assert [answers["VAE"][ask].value for ask in ("latent", "scale factor")] == ["16 × 16 × 4", "0.5"]
    assert answers["text encoder"]["tokens"].value == "24"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": torch.zeros(3, 64, 64)}, "images must have 4 dimensions"),
        ({"context": torch.zeros(2, 24)}, "context must have 3 dimensions"),
        ({"latents": torch.zeros(2, 3, 16, 16)}, "takes 4 channels"),
        ({"context": torch.zeros(2, 24, 32)}, "tokens of 64 numbers"),
    ],
)
def test_our_column_refuses_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        column(**wrong)


def test_tables_have_a_column_for_each_model_and_no_footnotes_in_a_lesson():
    shown = component_map.compare(column())._repr_markdown_()
    assert shown.count("| | ours | SD v1.5 | SDXL | SD3 Medium | FLUX.1 [dev] |") == len(facts.PARTS)
    assert "[^" not in shown
    assert "| scale factor | 1.235 | 0.18215 |" in shown
    widths = {line.count("|") for line in shown.splitlines() if line.startswith("|")}
    assert widths == {7}


@pytest.mark.parametrize(
    ("number", "text"), [(859_520_964, "860 M"), (2_567_463_684, "2.57 B"), (7, "7"), (1234, "1.23 k")]
)
def test_parameters_in_short(number, text):
    assert facts.in_short(number) == text


def test_picture_shows_every_model_under_every_box():
    lines = component_map.in_picture(column())
    assert [*lines] == ["ours", *facts.MODELS]
    image = torch.full((1, 3, 8, 8), -1.0)
    picture = figures.component_map(lines, prompt="a small blue three", image=image)
    shown = [text.get_text() for text in picture.figure.axes[0].texts]
    for model, answers in lines.items():
        assert {model, *answers.values()} <= {*shown}
    assert any("small" in text and "three" in text for text in shown)
    assert picture.figure.axes[0].child_axes[0].images[0].get_array().max() == 0
    renderer = FigureCanvasAgg(picture.figure).get_renderer()
    places = [text.get_window_extent(renderer) for text in picture.figure.axes[0].texts if text.get_text()]
    edges = picture.figure.bbox
    assert all(edges.x0 <= place.x0 and place.x1 <= edges.x1 and edges.y0 <= place.y0 for place in places)
    assert not [(a, b) for i, a in enumerate(places) for b in places[:i] if a.overlaps(b)], (
        "texts lie on one another"
    )
    assert "picture" in [text.get_text() for text in figures.component_map(lines).figure.axes[0].texts]
