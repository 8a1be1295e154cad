"""All parts together: prompts decide the picture, guidance is what lesson 07 says, files keep everything."""

from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

import diffusion_lab as dl
from diffusion_lab.mini_sd import attention, pipeline
from diffusion_lab.unet import Attention

PROMPTS = ["a big red seven", "a small blue three at the top"]


def test_pictures_have_shape_and_range_and_repeat_with_the_seed(small):
    first, again, other = (small.sample(PROMPTS, num_steps=3, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (2, 3, 64, 64)
    assert first.abs().max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_generator_takes_the_place_of_the_seed(small):
    generator = torch.Generator().manual_seed(1)
    first, second = (small.sample(PROMPTS, num_steps=1, generator=generator) for _ in range(2))
    assert torch.equal(first, small.sample(PROMPTS, num_steps=1, seed=1))
    assert not torch.equal(first, second), "the generator goes on"


def test_the_prompt_decides(small):
    a, b = (small.sample([prompt], num_steps=3) for prompt in PROMPTS)
    assert not torch.allclose(a, b, atol=1e-3)


def test_encode_and_decode_use_the_scale_both_ways(small):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = small.encode(images)
    assert torch.equal(latents, small.vae.encode(images)[0] * 1.5)
    assert torch.allclose(
        small.decode(latents), small.vae.decode(small.vae.encode(images)[0]).clamp(-1, 1), atol=1e-5
    )


def run_by_hand(small, prompts, negative, scale, steps=4):
    """The loop written out: two evaluations, the formula of guidance, one step of DDIM."""
    schedule, x = small.schedule, torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    context, nothing = small.read(prompts), small.read([negative] * len(prompts))
    times = dl.sampling.sampling_times(schedule, steps)
    for t, s in pairwise(times):
        time = torch.full((2,), t)
        plain, bare = small.unet(x, time, context=context), small.unet(x, time, context=nothing)
        v = bare + scale * (plain - bare)
        alpha, sigma = (
            (schedule.alphas_cumprod[t] ** 0.5).float(),
            ((1 - schedule.alphas_cumprod[t]) ** 0.5).float(),
        )
        x_0, eps = alpha * x - sigma * v, sigma * x + alpha * v
        x = (schedule.alphas_cumprod[s] ** 0.5).float() * x_0 + (
            (1 - schedule.alphas_cumprod[s]) ** 0.5
        ).float() * eps
    return x


@pytest.mark.parametrize(("negative", "scale"), [("", 3.0), ("a green one", 2.0), ("", 1.0), ("", 0.0)])
def test_guidance_leads_from_the_negative_prompt_to_the_prompt(small, negative, scale):
    options = {"negative": negative, "guidance_scale": scale, "num_steps": 4, "sampler": "ddim"}
    latents = small.sample_latents(
        PROMPTS, generator=torch.Generator().manual_seed(0), progress=False, **options
    )
    assert torch.allclose(latents, run_by_hand(small, PROMPTS, negative, scale), atol=2e-3)


def test_contexts_may_be_mixed(small):
    middle = (small.read(PROMPTS[:1]) + small.read(PROMPTS[1:])) / 2
    assert small.sample(middle, num_steps=2).shape == (1, 3, 64, 64)
    assert torch.equal(small.sample(small.read(PROMPTS), num_steps=2), small.sample(PROMPTS, num_steps=2))


def test_latents_are_not_clipped(small):
    seen = []
    options = {"num_steps": 3, "guidance_scale": 40.0}
    small.sample(PROMPTS, on_step=lambda state: seen.append(state.x_0_hat.abs().max()), **options)
    assert max(seen) > 1.5


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"sampler": "banana"}, "sampler='banana'"),
        ({"num_steps": 0}, "num_steps"),
        ({"negative": "pink"}, "pink"),
        ({"num_step": 5}, "unknown argument num_step=5 "),
        ({"num_step": 5, "guidance_scale": 1.0}, "num_step=5"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be a finite number"),
        ({"context": torch.zeros(2, 24, 16)}, "context is made of the prompts"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_named(small, options, named):
    with pytest.raises(ValueError, match=named):
        small.sample(PROMPTS, **options)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("prompts", "named"),
    [
        ("a red one", "prompts must be a list of strings, got 'a red one'"),
        ([7], "prompts must be a list of strings"),
        (["a one", None], "prompts must be a list of strings"),
        *(
            (torch.zeros(shape), r"prompts must be a list of strings, or of shape \(B, 24, 16\), got shape")
            for shape in ((1, 24, 5), (1, 7, 16), (24, 16), (1, 1, 24, 16))
        ),
    ],
)
def test_bad_prompts_are_named(small, prompts, named):
    with pytest.raises(ValueError, match=named):
        small.sample(prompts)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("negative", [["a red one"], None, 3])
def test_a_negative_that_is_no_string_is_named(small, negative):
    with pytest.raises(ValueError, match="negative must be a string, got"):
        small.sample(PROMPTS, negative=negative)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "images must be floating point in"),
        (
            torch.linspace(-1, 1, 12288, dtype=torch.float64).reshape(1, 3, 64, 64),
            "images must be torch.float32, as this",
        ),
        (
            torch.linspace(0, 1, 12288).reshape(1, 3, 64, 64),
            "images must be in .* multiply by 2 and subtract 1",
        ),
        (torch.linspace(0, 255, 12288).reshape(1, 3, 64, 64), "images must be floating point in"),
    ],
)
def test_pictures_of_another_dtype_or_range_are_refused(small, images, named):
    for encode in (small.encode, small.vae.encode):
        with pytest.raises(ValueError, match=named):
            encode(images)


def test_file_keeps_everything(small, tmp_path):
    path = tmp_path / "mini-sd.safetensors"
    small.save(path)
    loaded = dl.load_model(path)
    assert isinstance(loaded, pipeline.MiniSD)
    assert (loaded.scale, loaded.objective, loaded.card) == (1.5, "v", "# small")
    assert torch.equal(loaded.schedule.alphas_cumprod, small.schedule.alphas_cumprod)
    assert torch.allclose(loaded.sample(PROMPTS, num_steps=3), small.sample(PROMPTS, num_steps=3), atol=0.02)
    assert path.stat().st_size < 2.5 * sum(p.numel() for m in small[:3] for p in m.parameters()) + 40_000


def test_other_and_broken_files_are_refused(small, tmp_path, monkeypatch):
    path = tmp_path / "mini-sd.safetensors"
    pipeline.save_mini_sd(path, small)
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="truncated"):
        pipeline.load_mini_sd(tmp_path / "cut.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="not a mini-sd file"):
        pipeline.load_mini_sd(tmp_path / "other.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        pipeline.load_mini_sd(tmp_path / "none.safetensors")
    monkeypatch.setattr(pipeline, "WORDS", ("other", "words"))
    with pytest.raises(ValueError, match="knows other words"):
        pipeline.load_mini_sd(path)


# where words are read


def test_weights_are_those_with_which_the_layer_mixes():
    """Mixing the values by the weights gives what the layer adds, by torch's own attention."""
    torch.manual_seed(0)
    layer = Attention(16, context_features=6)
    torch.nn.init.normal_(layer.out.weight)
    h, context = torch.randn(2, 16, 3, 5), torch.randn(2, 7, 6)
    found = attention.weights(layer, h, context)
    assert found.shape == (2, 4, 7, 3, 5)
    assert torch.allclose(found.sum(2), torch.ones(2, 4, 3, 5))
    value = layer.key_value(context).chunk(2, dim=-1)[1].unflatten(-1, (4, 4)).transpose(1, 2)
    mixed = (found.flatten(3).transpose(2, 3) @ value).transpose(1, 2).flatten(2)
    added = layer.out(mixed).transpose(1, 2).reshape(h.shape)
    assert torch.allclose(layer(h, context), h + added, atol=1e-5)


def test_watching_gives_one_map_per_evaluation_and_leaves_no_hooks(small):
    with attention.watching(small.unet) as maps:
        small.sample(PROMPTS, num_steps=3, guidance_scale=1.0, sampler="ddim")
    assert [m.shape for m in maps] == [(2, 24, 16, 16)] * 3
    assert torch.allclose(maps[0].sum(1), torch.ones(2, 16, 16), atol=1e-5)
    small.sample(PROMPTS, num_steps=2)
    assert len(maps) == 3


def test_a_map_is_the_mean_over_all_layers_that_read_words(small):
    seen = []

    def look(layer, inputs):
        if len(inputs) == 2:
            seen.append(attention.weights(layer, *inputs).mean(dim=1))

    hooks = [m.register_forward_pre_hook(look) for m in small.unet.modules() if isinstance(m, Attention)]
    x, t = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([50, 50])
    with attention.watching(small.unet) as maps:
        small.unet(x, t, context=small.read(PROMPTS))
    for hook in hooks:
        hook.remove()
    bigger = [F.interpolate(layer, size=(16, 16), mode="bilinear", align_corners=False) for layer in seen]
    assert len(bigger) > 1
    assert torch.allclose(maps[0], sum(bigger) / len(bigger), atol=1e-6)
    assert min((maps[0] - layer).abs().max() for layer in bigger) > 1e-4


def test_under_guidance_a_map_has_the_rows_of_the_empty_prompt_first(small):
    with attention.watching(small.unet) as maps:
        small.sample(["", PROMPTS[0]], num_steps=1)
        small.sample(PROMPTS[:1], num_steps=1, guidance_scale=0.0)
    assert [m.shape for m in maps] == [(4, 24, 16, 16), (2, 24, 16, 16)]
    assert torch.allclose(maps[0][2], maps[0][0], atol=1e-5), "the first prompt is the empty one"
    assert not torch.allclose(maps[0][3], maps[0][1], atol=1e-3)
