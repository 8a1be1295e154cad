"""Training of the parts: it learns, and what it learns from is what it should be."""

import pytest
import torch

from diffusion_lab.mini_sd import scenes, text, train
from diffusion_lab.mini_sd.vae import VAE, measure_scale
from diffusion_lab.optimization import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("small_stages")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_code_goes_with_its_own_caption(small, monkeypatch):
    monkeypatch.setattr(train.training, "train", lambda _model, _schedule, batches, **_options: iter(batches))
    codes = torch.randn(130, 4, 16, 16, generator=seeded())
    latents = train.Latents(codes, text.tokenize(["a red one"] * 130), 1.0)
    seen = []
    for batch, labels in train.train_unet(
        small.unet, small.text, latents, small.schedule, generator=seeded()
    ):
        assert torch.equal(batch, codes[labels])
        seen += labels.tolist()
    assert len(set(seen)) == 128


def test_vae_learns(digits):
    torch.manual_seed(0)
    losses = [step.loss for step in train.train_vae(VAE(width=8), digits, num_steps=60, generator=seeded())]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize(("options", "expected"), [({}, "muon"), ({"optimizer": "adamw"}, "adamw")])
def test_the_optimizer_is_the_one_that_was_asked_for(digits, options, expected):
    step = next(train.train_vae(VAE(width=8), digits, batch_size=2, num_steps=1, **options))
    assert type(step.state.optimizer) is OPTIMIZERS[expected]


def test_codes_are_scaled_means_with_their_captions(digits, small):
    latents = train.encode_scenes(small.vae, digits, 40, seeded())
    assert latents.codes.shape == (40, 4, 16, 16)
    assert abs(float(latents.codes.std()) - 1) < 0.05
    again = scenes.compose(40, digits, generator=seeded())
    assert torch.equal(latents.tokens, text.tokenize(again.captions))
    assert torch.allclose(latents.codes, small.vae.encode(again.images)[0] * latents.scale, atol=1e-5)


def test_the_scale_is_that_of_the_first_500_scenes_and_the_same_for_all(digits, small):
    latents = train.encode_scenes(small.vae, digits, 503, seeded())
    generator = seeded()
    many, few = (scenes.compose(number, digits, generator=generator).images for number in (500, 3))
    assert latents.scale == measure_scale(small.vae, many) != measure_scale(small.vae, few)
    assert torch.allclose(latents.codes[:3], small.vae.encode(many[:3])[0] * latents.scale, atol=1e-5)
    assert torch.allclose(latents.codes[500:], small.vae.encode(few)[0] * latents.scale, atol=1e-5)


def test_labels_stand_for_captions_and_the_null_label_for_the_empty_one(small):
    tokens = text.tokenize(["a red one", "a blue two"])
    model = train.Captioned(small.unet, small.text, tokens)
    assert model.null_label == 2
    x, t = torch.randn(3, 4, 16, 16, generator=seeded()), torch.tensor([5, 50, 90])
    wanted = small.unet(x, t, context=small.read(["a blue two", "", "a red one"]))
    assert torch.allclose(model(x, t, torch.tensor([1, 2, 0])), wanted, atol=1e-6)
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        "unet"
    }  # the text encoder stays frozen


def test_coding_scenes_shows_a_bar(small, digits, monkeypatch):
    shown = []
    monkeypatch.setattr(
        train, "tqdm", lambda steps, *args, **_options: shown.append((list(steps), args)) or steps
    )
    train.encode_scenes(small.vae, digits, 3, seeded())
    assert shown == [([0], ("coding scenes",))]
