"""What is known about Stable Diffusion v1.5, SDXL, SD3 Medium and FLUX.1 [dev], every fact with its source.

The only place where these facts stand: `tables` makes docs/component_map.md, the tables and the picture of
lesson 09 from it. ``tests/test_component_map.py`` builds the networks from their configurations, without
weights, counts their parameters again, and reads the defaults of the pipelines in the source of diffusers.
"""

from typing import NamedTuple


class Cell(NamedTuple):
    """One entry of a table."""

    value: str
    """Short enough for a picture."""
    note: str = ""
    """What a table adds to it."""
    sources: str = ""
    """Keys of `SOURCES`, one space apart."""


MODELS = ("SD v1.5", "SDXL", "SD3 Medium", "FLUX.1 [dev]")

CODE = "https://github.com/"
PIPELINES = CODE + "huggingface/diffusers/blob/main/src/diffusers/pipelines/"
HUB = "https://huggingface.co/"
SOURCES = {
    "ldm": (
        "Rombach et al. 2022, Latent Diffusion Models, sections 3.1 to 3.3, equation 2",
        "https://arxiv.org/abs/2112.10752",
    ),
    "v1-readme": ("CompVis/stable-diffusion, README.md", CODE + "CompVis/stable-diffusion"),
    "v1-config": (
        "CompVis/stable-diffusion, configs/stable-diffusion/v1-inference.yaml",
        CODE + "CompVis/stable-diffusion/blob/main/configs/stable-diffusion/v1-inference.yaml",
    ),
    "v1-clip": (
        "CompVis/stable-diffusion, ldm/modules/encoders/modules.py, FrozenCLIPEmbedder",
        CODE + "CompVis/stable-diffusion/blob/main/ldm/modules/encoders/modules.py",
    ),
    "v1-betas": (
        'CompVis/stable-diffusion, ldm/modules/diffusionmodules/util.py, make_beta_schedule("linear")',
        CODE + "CompVis/stable-diffusion/blob/main/ldm/modules/diffusionmodules/util.py",
    ),
    "v1-scheduler": (
        "stable-diffusion-v1-5 on the Hugging Face hub, scheduler/scheduler_config.json",
        HUB + "stable-diffusion-v1-5/stable-diffusion-v1-5/blob/main/scheduler/scheduler_config.json",
    ),
    "sdxl-paper": (
        "Podell et al. 2023, SDXL, table 1, sections 2.1 and 2.3",
        "https://arxiv.org/abs/2307.01952",
    ),
    "sdxl-config": (
        "Stability-AI/generative-models, configs/inference/sd_xl_base.yaml",
        CODE + "Stability-AI/generative-models/blob/main/configs/inference/sd_xl_base.yaml",
    ),
    "sdxl-betas": (
        (
            "Stability-AI/generative-models, sgm/modules/diffusionmodules/discretizer.py,"
            " LegacyDDPMDiscretization"
        ),
        CODE + "Stability-AI/generative-models/blob/main/sgm/modules/diffusionmodules/discretizer.py",
    ),
    "sdxl-scheduler": (
        "stable-diffusion-xl-base-1.0 on the Hugging Face hub, scheduler/scheduler_config.json",
        HUB + "stabilityai/stable-diffusion-xl-base-1.0/blob/main/scheduler/scheduler_config.json",
    ),
    "sd3-paper": (
        "Esser et al. 2024, Scaling Rectified Flow Transformers, sections 3 to 5",
        "https://arxiv.org/abs/2403.03206",
    ),
    "sd3-blog": (
        "huggingface/blog, sd3.md, the announcement of SD3 Medium in diffusers",
        CODE + "huggingface/blog/blob/main/sd3.md",
    ),
    "sd3-code": (
        "Stability-AI/sd3.5, sd3_infer.py and sd3_impls.py (SD3LatentFormat, ModelSamplingDiscreteFlow)",
        CODE + "Stability-AI/sd3.5",
    ),
    "sd3-convert": (
        "huggingface/diffusers, scripts/convert_sd3_to_diffusers.py",
        CODE + "huggingface/diffusers/blob/main/scripts/convert_sd3_to_diffusers.py",
    ),
    "flux-card": (
        "black-forest-labs/flux, model_cards/FLUX.1-dev.md",
        CODE + "black-forest-labs/flux/blob/main/model_cards/FLUX.1-dev.md",
    ),
    "flux-config": (
        "black-forest-labs/flux, src/flux/util.py, configs",
        CODE + "black-forest-labs/flux/blob/main/src/flux/util.py",
    ),
    "flux-sampling": (
        "black-forest-labs/flux, src/flux/sampling.py",
        CODE + "black-forest-labs/flux/blob/main/src/flux/sampling.py",
    ),
    "pipe-v1": (
        "huggingface/diffusers, StableDiffusionPipeline, `__call__`",
        PIPELINES + "stable_diffusion/pipeline_stable_diffusion.py",
    ),
    "pipe-sdxl": (
        "huggingface/diffusers, StableDiffusionXLPipeline, `__call__`",
        PIPELINES + "stable_diffusion_xl/pipeline_stable_diffusion_xl.py",
    ),
    "pipe-sd3": (
        "huggingface/diffusers, StableDiffusion3Pipeline, `__call__` and `encode_prompt`",
        PIPELINES + "stable_diffusion_3/pipeline_stable_diffusion_3.py",
    ),
    "pipe-flux": (
        "huggingface/diffusers, FluxPipeline, `__call__` and `encode_prompt`",
        PIPELINES + "flux/pipeline_flux.py",
    ),
    "counted": (
        "counted by this course, on the network built without weights by diffusers or transformers",
        CODE + "huggingface/diffusers",
    ),
}
"""Where a fact stands, and a link to it."""

COUNTED = {
    "VAE": (83_653_863, 83_653_863, 83_819_683, 83_819_683),
    "denoiser": (859_520_964, 2_567_463_684, 2_028_328_000, 11_901_408_320),
}
"""Trainable numbers of each network, in the order of `MODELS`."""
CLIP_L, CLIP_G, T5 = 123_060_480, 694_659_840, 4_762_310_656
"""The same of the text encoders: OpenAI's CLIP ViT-L/14, OpenCLIP ViT-bigG/14 with its projection, T5-v1.1-XXL."""


def in_short(number: int) -> str:
    """Write a number of parameters with three digits, such as "860 M" or "2.57 B"."""
    size, unit = next(
        (size, unit) for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1, "")) if number >= size
    )
    return f"{number / size:.3g} {unit}".strip()


def _counts(numbers: tuple[int, ...], published: tuple[tuple[str, str], ...]) -> list[Cell]:
    """Parameters as counted, and beside them what the authors say and where."""
    return [
        Cell(in_short(number), note, f"{source} counted".strip())
        for number, (note, source) in zip(numbers, published, strict=True)
    ]


PARTS: dict[str, dict[str, list[Cell]]] = {
    "VAE": {
        "class": [Cell("AutoencoderKL", "", f"pipe-{name}") for name in ("v1", "sdxl", "sd3", "flux")],
        "picture": [
            Cell("512 × 512 × 3", "", "v1-readme v1-config"),
            Cell("1024 × 1024 × 3", "", "sdxl-paper"),
            Cell("1024 × 1024 × 3", "by default", "pipe-sd3"),
            Cell("1024 × 1024 × 3", "by default", "pipe-flux"),
        ],
        "latent": [
            Cell("64 × 64 × 4", "", "v1-config"),
            Cell("128 × 128 × 4", "", "sdxl-config"),
            Cell("128 × 128 × 16", "", "sd3-code sd3-paper"),
            Cell("128 × 128 × 16", "", "flux-config flux-sampling"),
        ],
        "each side shrinks by": [
            Cell("8", "", "v1-readme"),
            Cell("8", "", "sdxl-config"),
            Cell("8", "", "sd3-code"),
            Cell("8", "", "flux-sampling"),
        ],
        "scale factor": [
            Cell("0.18215", "", "v1-config"),
            Cell("0.13025", "", "sdxl-config"),
            Cell("1.5305", "", "sd3-code sd3-convert"),
            Cell("0.3611", "", "flux-config"),
        ],
        "shift, taken off before": [
            Cell("0", "", "pipe-v1"),
            Cell("0", "", "pipe-sdxl"),
            Cell("0.0609", "", "sd3-code sd3-convert"),
            Cell("0.1159", "", "flux-config"),
        ],
        "parameters": _counts(COUNTED["VAE"], (("", ""),) * 4),
    },
    "text encoder": {
        "network": [
            Cell("CLIP-L", "OpenAI's ViT-L/14", "v1-readme v1-clip"),
            Cell("CLIP-L, CLIP-G", "OpenAI's ViT-L/14 and OpenCLIP's ViT-bigG/14", "sdxl-paper sdxl-config"),
            Cell("CLIP-L, CLIP-G, T5", "the same two and T5-v1.1-XXL", "sd3-blog sd3-code"),
            Cell(
                "T5, CLIP-L", "T5-v1.1-XXL for the tokens, CLIP for one vector", "flux-config flux-sampling"
            ),
        ],
        "parameters": [
            Cell(in_short(CLIP_L), "", "v1-readme counted"),
            Cell(in_short(CLIP_L + CLIP_G), "817 M in the paper", "sdxl-paper counted"),
            Cell(in_short(CLIP_L + CLIP_G + T5), f"{in_short(T5)} of them T5's", "sd3-code counted"),
            Cell(in_short(CLIP_L + T5), f"{in_short(T5)} of them T5's", "flux-config counted"),
        ],
        "tokens": [
            Cell("77", "", "v1-clip"),
            Cell("77", "", "pipe-sdxl"),
            Cell("77 + 256", "CLIP's, then T5's; 77 + 77 in the paper", "pipe-sd3 sd3-paper"),
            Cell("512", "", "flux-config pipe-flux"),
        ],
        "numbers per token": [
            Cell("768", "", "v1-config"),
            Cell("2048", "768 and 1280 side by side", "sdxl-paper sdxl-config"),
            Cell("4096", "CLIP's 2048, filled up with zeros", "sd3-code"),
            Cell("4096", "", "flux-config"),
        ],
        "one vector beside them": [
            Cell("none", "", "v1-config"),
            Cell("2816", "1280 of CLIP-G, 1536 for sizes and crop", "sdxl-config"),
            Cell("2048", "768 and 1280", "sd3-code sd3-blog"),
            Cell("768", "", "flux-config"),
        ],
        "while the denoiser learns": [
            Cell("frozen", "", "v1-config"),
            Cell("frozen", "", "sdxl-config"),
            Cell("frozen", "", "sd3-paper"),
            Cell("not stated"),
        ],
    },
    "denoiser": {
        "network": [
            Cell("U-Net", "", "v1-readme"),
            Cell("U-Net", "", "sdxl-paper"),
            Cell("transformer", "MM-DiT", "sd3-paper sd3-blog"),
            Cell("transformer", "19 blocks with two streams, 38 with one", "flux-card flux-config"),
        ],
        "class": [
            Cell("UNet2DConditionModel", "", "pipe-v1"),
            Cell("UNet2DConditionModel", "", "pipe-sdxl"),
            Cell("SD3Transformer2DModel", "", "pipe-sd3"),
            Cell("FluxTransformer2DModel", "", "pipe-flux"),
        ],
        "parameters": _counts(
            COUNTED["denoiser"],
            (
                ("", "v1-readme"),
                ("2.6 B in the paper", "sdxl-paper"),
                ("2 B by its authors", "sd3-blog"),
                ("12 B by its authors", "flux-card"),
            ),
        ),
        "features": [
            Cell("320 × (1, 2, 4, 4)", "", "v1-config"),
            Cell("320 × (1, 2, 4)", "", "sdxl-paper sdxl-config"),
            Cell("1536", "in 24 blocks", "sd3-paper sd3-convert"),
            Cell("3072", "in 57 blocks", "flux-config"),
        ],
        "latent folded by": [
            Cell("1 × 1", "", "v1-config"),
            Cell("1 × 1", "", "sdxl-config"),
            Cell("2 × 2", "", "sd3-blog sd3-convert"),
            Cell("2 × 2", "", "flux-sampling"),
        ],
        "text enters by": [
            Cell("cross-attention", "", "ldm v1-config"),
            Cell("cross-attention", "", "sdxl-paper"),
            Cell("joint attention", "tokens and pixels in one sequence", "sd3-paper sd3-blog"),
            Cell("joint attention", "tokens and pixels in one sequence", "flux-sampling flux-config"),
        ],
    },
    "scheduler and guidance": {
        "path from data to noise": [
            Cell(
                "quadratic",
                "β from 0.00085 to 0.012, T = 1000; `scaled_linear` in diffusers",
                "v1-config v1-betas",
            ),
            Cell("quadratic", "the same", "sdxl-betas sdxl-scheduler"),
            Cell(
                "straight", "times shifted by 3; not so in its authors' script", "sd3-paper sd3-blog sd3-code"
            ),
            Cell("straight", "times shifted more for larger pictures", "flux-sampling pipe-flux"),
        ],
        "share of data in the variance at T": [
            Cell("0.0047", "not quite noise", "v1-config v1-betas"),
            Cell("0.0047", "not quite noise", "sdxl-betas"),
            Cell("0", "", "sd3-code"),
            Cell("0", "", "flux-sampling"),
        ],
        "objective": [
            Cell("eps", "", "ldm v1-scheduler"),
            Cell("eps", "", "sdxl-config sdxl-scheduler"),
            Cell("flow", "noise − data", "sd3-paper sd3-blog"),
            Cell("flow", "noise − data", "flux-card flux-sampling"),
        ],
        "sampler": [
            Cell("PNDM", "`PNDMScheduler`", "v1-scheduler"),
            Cell("Euler", "`EulerDiscreteScheduler`", "sdxl-scheduler"),
            Cell("Euler", "`FlowMatchEulerDiscreteScheduler`", "sd3-blog"),
            Cell("Euler", "`FlowMatchEulerDiscreteScheduler`", "pipe-flux flux-sampling"),
        ],
        "steps": [
            Cell("50", "", "pipe-v1 v1-readme"),
            Cell("50", "", "pipe-sdxl"),
            Cell("28", "", "pipe-sd3"),
            Cell("28", "", "pipe-flux"),
        ],
        "guidance scale": [
            Cell("7.5", "", "pipe-v1 v1-readme"),
            Cell("5.0", "", "pipe-sdxl"),
            Cell("7.0", "", "pipe-sd3"),
            Cell("3.5", "an input of the network, which was distilled to obey it", "pipe-flux flux-card"),
        ],
        "evaluations per step": [
            Cell("2", "", "pipe-v1"),
            Cell("2", "", "pipe-sdxl"),
            Cell("2", "", "pipe-sd3"),
            Cell("1", "", "pipe-flux flux-card"),
        ],
    },
}
"""For each part and each question about it, what is so in each of `MODELS`."""
