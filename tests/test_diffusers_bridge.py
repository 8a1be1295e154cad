"""Our networks under a scheduler of diffusers, and a network of diffusers under our samplers: lesson 09, section 7."""

import pytest
import torch

import diffusion_lab as dl

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # diffusers with numpy 2


def through_their_scheduler(model, schedule, x_t, num_steps, clip, late=0, **condition):
    """Sample with DDIMScheduler on our table; `late` is an error in the time that the network is asked at."""
    theirs = diffusers.DDIMScheduler(
        schedule.timesteps,
        trained_betas=schedule.betas[1:].tolist(),
        clip_sample=clip,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
    theirs.set_timesteps(num_steps)
    for t in theirs.timesteps.tolist():
        v = model(x_t, torch.full((len(x_t),), t + 1 + late), **condition)
        x_t = theirs.step(v, t, x_t, use_clipped_model_output=clip).prev_sample
    return x_t


def worst(a, b):
    assert a.shape == b.shape
    return float((a - b).abs().max())


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def awake(model):
    """Give numbers to the layers that begin at zero; a network that says 0 agrees with everything."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    return model.eval().requires_grad_(False)


def test_our_digits_are_the_same_under_their_scheduler():
    digits, x_T, labels = dl.load_pretrained("digits"), noise(3, 1, 28, 28), torch.tensor([3, 1, 4])
    *_, last = dl.SAMPLERS["ddim"](digits.model, digits.schedule, x_T, num_steps=10, labels=labels)
    theirs = through_their_scheduler(digits.model, digits.schedule, x_T, 10, clip=True, labels=labels)
    assert worst(last.x_t, theirs) < 1e-4
    late = through_their_scheduler(digits.model, digits.schedule, x_T, 10, clip=True, labels=labels, late=-1)
    assert worst(last.x_t, late) > 1e-2, "a time that is off by one would pass"


def test_our_latents_are_the_same_under_their_scheduler_with_guidance_on_text():
    unet = awake(dl.UNet(in_channels=4, context_features=8, width=16, attention=(1,), patch=1))
    schedule, x_T = dl.DiffusionSchedule.cosine(1000), noise(2, 4, 8, 8)
    prompt, nothing = noise(2, 5, 8), torch.zeros(1, 5, 8)
    guided = dl.ClassifierFreeGuidance(unet, 3.0, null={"context": nothing})
    *_, last = dl.SAMPLERS["ddim"](guided, schedule, x_T, num_steps=10, clip_x_0=False, context=prompt)

    def as_in_their_pipeline(x_t, t):
        unconditional, conditional = (
            unet(x_t, t, context=context) for context in (nothing.expand_as(prompt), prompt)
        )
        return unconditional + 3.0 * (conditional - unconditional)

    theirs = through_their_scheduler(as_in_their_pipeline, schedule, x_T, 10, clip=False)
    assert worst(last.x_t, theirs) < 1e-4 * theirs.abs().max()
    plain = through_their_scheduler(unet, schedule, x_T, 10, clip=False, context=prompt)
    assert worst(last.x_t, plain) > 1e-2 * theirs.abs().max(), "guidance would not matter"
    clipped = through_their_scheduler(as_in_their_pipeline, schedule, x_T, 10, clip=True)
    assert worst(last.x_t, clipped) > 1e-2, "clipping would not matter"


def test_their_network_is_sampled_by_ours():
    network = awake(
        diffusers.UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            norm_num_groups=8,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
        )
    )

    def adapter(x_t, t):
        return network(x_t, t - 1).sample

    schedule, x_T = dl.DiffusionSchedule.cosine(1000), noise(2, 1, 28, 28)
    *_, last = dl.SAMPLERS["ddim"](adapter, schedule, x_T, num_steps=10)
    assert worst(last.x_t, through_their_scheduler(adapter, schedule, x_T, 10, clip=True)) < 1e-4
    whole = dl.sample(
        adapter, schedule, (2, 1, 28, 28), num_steps=10, generator=torch.Generator().manual_seed(0)
    )
    assert worst(whole, last.x_t) < 1e-6
    assert worst(last.x_t, through_their_scheduler(adapter, schedule, x_T, 10, clip=True, late=5)) > 1e-3
