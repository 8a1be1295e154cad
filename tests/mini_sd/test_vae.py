"""The VAE beside torch.distributions, and as a thing that can be trained."""

import pytest
import torch
from torch import distributions

from diffusion_lab.mini_sd.vae import VAE, draw_code, kl_from_standard, measure_scale, psnr, vae_loss


@pytest.fixture
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE(width=8)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_shapes_and_that_the_config_makes_it_again(vae, images):
    mean, logvar = vae.encode(images)
    assert mean.shape == logvar.shape == (3, 4, 4, 6)
    assert vae.decode(mean).shape == images.shape
    again = VAE(**vae.config)
    again.load_state_dict(vae.state_dict())
    assert torch.equal(again.encode(images)[0], mean)


def test_kl_is_that_of_torch():
    generator = torch.Generator().manual_seed(1)
    mean, logvar = (torch.randn(5, 4, 3, 2, generator=generator) for _ in range(2))
    normal = distributions.Normal(mean, (logvar / 2).exp())
    truth = distributions.kl_divergence(normal, distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    assert torch.allclose(kl_from_standard(mean, logvar), truth, rtol=1e-5)
    assert torch.equal(kl_from_standard(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2))


def test_codes_have_the_mean_and_variance_they_should_and_pass_gradients():
    mean, logvar = (
        torch.full((40_000, 1), 2.0, requires_grad=True),
        torch.full((40_000, 1), -1.5, requires_grad=True),
    )
    z = draw_code(mean, logvar, torch.Generator().manual_seed(0))
    assert abs(float(z.detach().mean()) - 2) < 0.01
    assert abs(float(z.detach().var()) - float(torch.tensor(-1.5).exp())) < 0.005
    z.square().sum().backward()
    assert torch.allclose(mean.grad, 2 * z)
    assert torch.allclose(logvar.grad, z * (z - mean), atol=1e-5)  # dz/dlogvar = (z - mean) / 2


def test_loss_is_the_bound_up_to_factor_and_constant(vae, images):
    """-log N(x; decoded, s²) + KL, per number, times 2 s²."""
    s = 0.3
    error, price = vae_loss(vae, images, 2 * s**2, torch.Generator().manual_seed(3))
    mean, logvar = vae.encode(images)
    decoded = vae.decode(draw_code(mean, logvar, torch.Generator().manual_seed(3)))
    log_p = distributions.Normal(decoded, s).log_prob(images).flatten(1).sum(1)
    constant = -distributions.Normal(0.0, s).log_prob(torch.zeros(())) * images[0].numel()
    bound = -log_p - constant + kl_from_standard(mean, logvar)
    assert torch.allclose(error + price, bound * 2 * s**2 / images[0].numel(), rtol=1e-4)


def test_training_makes_the_loss_smaller(vae, images):
    optimizer = torch.optim.Adam(vae.parameters(), 1e-2)
    losses = []
    for step in range(30):
        loss = sum(vae_loss(vae, images, 1e-3, torch.Generator().manual_seed(step))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_scale_brings_codes_to_unit_deviation(vae, images):
    codes = vae.encode(images)[0] * measure_scale(vae, images)
    assert abs(float(codes.detach().std()) - 1) < 1e-4


def test_psnr_of_known_errors():
    x = torch.zeros(1, 3, 4, 4)
    assert psnr(x + 0.2, x) == pytest.approx(20, abs=1e-4)  # 10 log10(4 / 0.04)
    assert psnr(x + 5.0, x) == pytest.approx(10 * torch.tensor(4.0).log10().item())  # clipped to 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (1, 3, 18, 16), (3, 16, 16)])
def test_pictures_of_another_shape_are_refused(vae, shape):
    with pytest.raises(
        ValueError, match=r"images must have shape \(B, 3, H, W\) with H and W multiples of 4"
    ):
        vae.encode(torch.zeros(shape))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("function", [draw_code, kl_from_standard, psnr])
def test_shapes_that_differ_are_refused_though_they_would_broadcast(function):
    with pytest.raises(ValueError, match=r"must have the shape of \w+, \(2"):
        function(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"width": 5}, "width must be a multiple of 8, got 5"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"latent_channels": 0}, "latent_channels must be at least 1"),
        ({"in_channels": -1}, "in_channels must be at"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        VAE(**options)


def test_a_log_variance_stays_where_its_exponential_is_a_number(vae, images):
    for extreme, kept in ((1e4, 10.0), (-1e4, -20.0)):
        torch.nn.init.constant_(vae.encoder[-1].bias, extreme)
        assert vae.encode(images)[1].unique().tolist() == [kept]


@pytest.mark.usefixtures("unchecked")
def test_codes_of_another_shape_are_refused(vae):
    with pytest.raises(ValueError, match="z must have shape"):
        vae.decode(torch.zeros(1, 3, 4, 4))
