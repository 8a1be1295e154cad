"""The networks: shapes, what the output depends on, what training reaches, and what is refused."""

import json
import math
from functools import partial

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from diffusion_lab.unet import PlainConvNet, SimpleDiffusion, UNet, sinusoidal_embedding

SMALL = {"width": 16, "multipliers": (1, 2)}
UNETS = {
    "digits": ({}, (28, 28)),
    "rgb": ({"in_channels": 3, "num_classes": 4, "attention": (1,)}, (32, 32)),
    "latents": ({"in_channels": 4, "patch": 1}, (16, 16)),
    "latents with captions": (
        {"in_channels": 4, "patch": 1, "context_features": 6, "attention": (1,)},
        (16, 16),
    ),
    "labels and captions": ({"num_classes": 3, "context_features": 6, "attention": (1,)}, (12, 12)),
    "captions to the first level": ({"context_features": 6, "attention": (0,)}, (8, 8)),
    "oblong": ({"num_classes": 4, "attention": (1,)}, (8, 20)),
    "one level, odd sides": ({"multipliers": (1,), "attention": (), "patch": 1}, (7, 5)),
    "three levels": ({"multipliers": (1, 2, 2), "attention": (2,)}, (16, 24)),
    "shrinking widths": ({"multipliers": (2, 1), "attention": (0, 1)}, (8, 8)),
    "two blocks": ({"blocks": 2, "num_classes": 2, "attention": (1,)}, (8, 8)),
    "three blocks, three levels": ({"blocks": 3, "multipliers": (1, 1, 3), "attention": (1,)}, (8, 8)),
    "large patch": ({"patch": 4, "attention": (1,)}, (16, 16)),
    "no attention": ({"attention": (), "num_classes": 4}, (8, 8)),
}
every_unet = pytest.mark.parametrize(("config", "size"), UNETS.values(), ids=UNETS.keys())


def inputs(config, size, batch=2):
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(batch, config.get("in_channels", 1), *size, generator=generator)
    condition = {}
    if config.get("num_classes"):
        condition["labels"] = torch.arange(batch) % config["num_classes"]
    if config.get("context_features"):
        condition["context"] = torch.randn(batch, 3, config["context_features"], generator=generator)
    return x_t, torch.tensor([3, 700])[:batch], condition


def build(config, awake=True) -> UNet:
    """A small UNet; `awake` replaces the zeros it starts with, as training would."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = UNet(**SMALL | config)
        for parameter in model.parameters():
            if awake and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def differs(a, b) -> bool:
    return bool((a - b).abs().max() > 1e-4)


@every_unet
@torch.no_grad()
def test_output_has_the_shape_of_the_input_and_starts_at_zero(config, size):
    x_t, t, condition = inputs(config, size)
    for batch in (2, 1):
        out = build(config)(
            x_t[:batch], t[:batch], **{name: value[:batch] for name, value in condition.items()}
        )
        assert out.shape == x_t[:batch].shape
        assert out.dtype == torch.float32
        assert torch.isfinite(out).all()
        assert out.any()
    assert not build(config, awake=False)(x_t, t, **condition).any()


@every_unet
@torch.no_grad()
def test_config_makes_the_same_network_again(config, size):
    model = build(config)
    assert json.loads(json.dumps(model.config)).keys() == model.config.keys()
    assert (SMALL | config).items() <= model.config.items()
    again = UNet(**model.config).eval()
    assert again.config == model.config
    again.load_state_dict(model.state_dict())
    x_t, t, condition = inputs(config, size)
    assert torch.equal(again(x_t, t, **condition), model(x_t, t, **condition))


@every_unet
@torch.no_grad()
def test_each_element_is_treated_alone_and_depends_on_its_own_image_and_time(config, size):
    model, (x_t, t, condition) = build(config), inputs(config, size)
    out = model(x_t, t, **condition)
    alone = [
        model(x_t[i : i + 1], t[i : i + 1], **{k: v[i : i + 1] for k, v in condition.items()}) for i in (0, 1)
    ]
    torch.testing.assert_close(out, torch.cat(alone), atol=1e-4, rtol=1e-4)
    later = model(x_t, t + torch.tensor([0, 1]), **condition)
    brighter = model(x_t + torch.tensor([0.0, 0.1]).reshape(2, 1, 1, 1), t, **condition)
    for changed in (later, brighter):
        assert not differs(changed[0], out[0])
        assert differs(changed[1], out[1])


@pytest.mark.parametrize("name", ["rgb", "labels and captions", "two blocks"])
@torch.no_grad()
def test_output_depends_on_the_labels_and_no_labels_means_the_null_label(name):
    config, size = UNETS[name]
    model, (x_t, t, condition) = build(config), inputs(config, size)
    out = model(x_t, t, **condition)
    assert differs(model(x_t, t, **condition | {"labels": condition["labels"].flip(0)})[0], out[0])
    assert model.null_label == config["num_classes"]
    null = model(x_t, t, **condition | {"labels": torch.full_like(t, model.null_label)})
    assert torch.equal(null, model(x_t, t, **condition | {"labels": None}))
    assert differs(null[0], out[0])


@pytest.mark.parametrize("name", ["digits", "rgb"])
@torch.no_grad()
def test_condition_is_the_silu_of_time_and_label_together(name):
    """Beside the same written out.

    With a SiLU on the time alone, the difference of two labels is the same at any t.
    """
    config, size = UNETS[name]
    model, (x_t, _, _) = build(config), inputs(config, size, batch=1)
    seen = []
    for block in (module.block for module in model.modules() if hasattr(module, "block")):
        block.register_forward_pre_hook(lambda _module, args: seen.append(args[1]))
    blocks = 5

    def condition(t, label) -> torch.Tensor:
        labels = {} if label is None else {"labels": torch.tensor([label])}
        seen.clear()
        model(x_t, torch.tensor([t]), **labels)
        assert len(seen) == blocks
        assert all(times is seen[0] for times in seen)
        first, second = model.time[0], model.time[2]
        hidden = first.weight @ sinusoidal_embedding(torch.tensor([t]), 16)[0] + first.bias
        total = second.weight @ (hidden * hidden.sigmoid()) + second.bias
        total = total if label is None else total + model.label.weight[label]
        torch.testing.assert_close(seen[0][0], total * total.sigmoid(), atol=1e-5, rtol=1e-5)
        return seen[0]

    if model.label is None:
        assert differs(condition(3, None), condition(700, None))
    else:
        mixed = condition(3, 0) - condition(3, 1) - condition(700, 0) + condition(700, 1)
        assert mixed.abs().max() > 0.05


@pytest.mark.parametrize(
    "name", ["latents with captions", "labels and captions", "captions to the first level"]
)
@torch.no_grad()
def test_output_depends_on_the_context_and_not_on_the_order_of_its_tokens(name):
    config, size = UNETS[name]
    model, (x_t, t, condition) = build(config), inputs(config, size)
    out = model(x_t, t, **condition)
    swapped = model(x_t, t, **condition | {"context": condition["context"].flip(0)})
    assert differs(swapped[0], out[0])
    shuffled = model(x_t, t, **condition | {"context": condition["context"].flip(1)})
    torch.testing.assert_close(shuffled, out, atol=1e-4, rtol=1e-4)
    longer = model(x_t, t, **condition | {"context": condition["context"].repeat(1, 2, 1)[:, :5]})
    assert longer.shape == out.shape


@torch.no_grad()
def test_attention_sees_the_whole_image_and_convolutions_do_not():
    def changed(attention):
        model = build({"attention": attention, "multipliers": (1,), "patch": 1})
        for module in model.modules():
            if isinstance(module, torch.nn.GroupNorm):
                module.forward = lambda h: h  # its statistics see the whole image too
        x_t, t = torch.zeros(1, 1, 32, 32), torch.tensor([5])
        touched = x_t.clone()
        touched[..., 0, 0] = 1.0
        return bool(((model(touched, t) - model(x_t, t))[..., 31, 31] != 0).any())

    assert changed((0,))
    assert not changed(())


@pytest.mark.parametrize("options", [{}, {"num_classes": 10}])
def test_default_network_stays_small(options):
    count = sum(p.numel() for p in UNet(**options).parameters())
    assert 300_000 < count < 600_000


@every_unet
def test_gradients_reach_every_parameter_once_the_zeros_have_moved(config, size):
    model, (x_t, t, condition) = build(config, awake=False), inputs(config, size)
    target = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def reached():
        optimizer.zero_grad()
        (model(x_t, t, **condition) - target).square().mean().backward()
        return {
            name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-12
        }

    assert reached() == {"unfold.2.weight", "unfold.2.bias"}
    for _ in range(4):
        optimizer.step()
        names = reached()
    assert names == {name for name, _ in model.named_parameters()}


# The two networks before the U-Net
# ------------------------------------------------------------------------------------------------------

FIRST = {
    "PlainConvNet": (partial(PlainConvNet, width=8), "in_channels"),
    "SimpleDiffusion": (SimpleDiffusion, "channels"),
}
each_first_network = pytest.mark.parametrize("name", FIRST)


def first_network(name, channels=1, **options):
    """A fresh network, always with the same weights."""
    make, channels_argument = FIRST[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(**{channels_argument: channels} | options)


@each_first_network
@pytest.mark.parametrize(("channels", "size"), [(1, (28, 28)), (3, (8, 12)), (4, (16, 16))])
@torch.no_grad()
def test_first_network_keeps_the_shape_and_depends_on_its_own_image_and_time(name, channels, size):
    model, x_t = first_network(name, channels), inputs({"in_channels": channels}, size)[0]
    out = model(x_t, torch.tensor([3, 700]))
    assert out.shape == x_t.shape
    later = model(x_t, torch.tensor([3, 900]))
    brighter = model(x_t + torch.tensor([0.0, 0.1]).reshape(2, 1, 1, 1), torch.tensor([3, 700]))
    for changed in (later, brighter):
        assert not differs(changed[0], out[0])
        assert differs(changed[1], out[1])


@each_first_network
@torch.no_grad()
def test_config_makes_the_same_first_network_again(name):
    model, x_t = first_network(name, 2, timesteps=50), inputs({"in_channels": 2}, (8, 8))[0]
    again = type(model)(**json.loads(json.dumps(model.config)))
    assert again.config == model.config
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x_t, torch.tensor([3, 40])), model(x_t, torch.tensor([3, 40])))


@each_first_network
@torch.no_grad()
def test_first_network_counts_time_in_parts_of_T(name):
    long, short = first_network(name, timesteps=1000), first_network(name, timesteps=100)
    x_t = inputs({}, (8, 8))[0]
    assert torch.equal(long(x_t, torch.tensor([500, 1000])), short(x_t, torch.tensor([50, 100])))
    assert differs(long(x_t, torch.tensor([50, 100])), short(x_t, torch.tensor([50, 100])))


@each_first_network
def test_gradients_reach_every_parameter_of_a_first_network_at_once(name):
    model = first_network(name)
    model(inputs({}, (8, 8))[0], torch.tensor([3, 700])).square().sum().backward()
    assert all(p.grad.any() for p in model.parameters())


def influencing_pixels(name, row) -> torch.Tensor:
    """Which pixels of 49 × 49 (for SimpleDiffusion 48 × 48) have an influence on the pixel (row, row)."""
    side = {"PlainConvNet": 49, "SimpleDiffusion": 48}[name]
    x_t = torch.randn(4, 1, side, side, generator=torch.Generator().manual_seed(0)).requires_grad_()
    first_network(name)(x_t, torch.full((4,), 500))[:, 0, row, row].sum().backward()
    return x_t.grad.abs().amax(dim=(0, 1)) > 0


def test_plain_network_sees_eleven_by_eleven_pixels():
    expected = torch.zeros(49, 49, dtype=torch.bool)
    expected[15:26, 15:26] = True
    assert torch.equal(influencing_pixels("PlainConvNet", 20), expected)


def test_field_of_view_of_simple_diffusion_is_what_its_layers_give_by_hand():
    for row in range(20, 28):
        field = influencing_pixels("SimpleDiffusion", row)
        first, last = field_of_simple_diffusion(row)
        expected = torch.zeros_like(field)
        expected[first : last + 1, first : last + 1] = True
        assert torch.equal(field, expected)
        assert last - first + 1 > 11, "it sees more than the plain network"


def field_of_simple_diffusion(row) -> tuple[int, int]:
    """First and last row of pixels with an influence on an output row, layer by layer from the output."""

    def convolution(ends, stride):
        return ends[0] * stride - 1, ends[1] * stride + 1  # 3 wide, padding 1

    def transposed(ends):  # output i comes from inputs j with i = 2 j - 1 + k, k = 0 … 3
        return -((2 - ends[0]) // 2), (ends[1] + 1) // 2

    last = convolution((row, row), 1)  # dec1 reads d2 and e1 there
    half = transposed(last)  # dec2 reads d3 and e2 there
    quarter = transposed(half)  # dec3 reads e3 there
    return convolution(convolution(convolution(quarter, 2), 2), 1)


class SimpleDiffusionAsPublished(torch.nn.Module):
    """The network of the text that the course implements, word for word, whose times run to 1000."""

    def __init__(self, channels=1, time_emb_dim=32):
        super().__init__()
        nn = torch.nn
        self.time_mlp = nn.Sequential(
            nn.Linear(1, time_emb_dim), nn.GELU(), nn.Linear(time_emb_dim, time_emb_dim)
        )
        self.enc1 = nn.Conv2d(channels, 64, 3, padding=1)
        self.enc2 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.enc3 = nn.Conv2d(128, 256, 3, stride=2, padding=1)
        self.dec3 = nn.ConvTranspose2d(256 + time_emb_dim, 128, 4, stride=2, padding=1)
        self.dec2 = nn.ConvTranspose2d(256, 64, 4, stride=2, padding=1)
        self.dec1 = nn.Conv2d(128, channels, 3, padding=1)

    def forward(self, x, t):
        t_emb = self.time_mlp(t.float().unsqueeze(-1) / 1000)
        e1 = torch.relu(self.enc1(x))
        e2 = torch.relu(self.enc2(e1))
        e3 = torch.relu(self.enc3(e2))
        t_emb = t_emb.view(t_emb.size(0), -1, 1, 1).expand(-1, -1, e3.size(2), e3.size(3))
        e3 = torch.cat([e3, t_emb], dim=1)
        d3 = torch.relu(self.dec3(e3))
        d2 = torch.relu(self.dec2(torch.cat([d3, e2], dim=1)))
        return self.dec1(torch.cat([d2, e1], dim=1))


@pytest.mark.parametrize(("channels", "time_emb_dim"), [(1, 32), (3, 5)])
@torch.no_grad()
def test_simple_diffusion_is_the_published_network(channels, time_emb_dim):
    ours = first_network("SimpleDiffusion", channels, time_emb_dim=time_emb_dim)
    published = SimpleDiffusionAsPublished(channels, time_emb_dim)
    published.load_state_dict(ours.state_dict())
    x_t, t, _ = inputs({"in_channels": channels}, (28, 28))
    torch.testing.assert_close(ours(x_t, t), published(x_t, t))
    assert differs(ours(x_t, t), published(x_t, t + 100)), "a network that ignores t would pass"


# The embedding of time
# ------------------------------------------------------------------------------------------------

TIMES = torch.tensor([0, 1, 2, 17, 500, 999, 1000])


@pytest.mark.parametrize("features", [2, 16, 64])
def test_embedding_of_time_equals_diffusers(features):
    ours = sinusoidal_embedding(TIMES, features)
    theirs = partial(get_timestep_embedding, embedding_dim=features, downscale_freq_shift=0)
    assert ours.shape == (7, features)
    assert (ours - theirs(TIMES, flip_sin_to_cos=True)).abs().max() < 1e-5
    assert (ours - theirs(TIMES, flip_sin_to_cos=False)).abs().max() > 0.1, "sines first would pass"
    assert (ours - theirs(TIMES - 1, flip_sin_to_cos=True)).abs().max() > 0.1, (
        "a time that is off by one would pass"
    )


def test_embedding_of_time_is_the_formula():
    ours = sinusoidal_embedding(TIMES, 8)
    for k in range(4):
        angle = TIMES.double() * 10_000 ** (-k / 4)
        assert (ours[:, k] - angle.cos()).abs().max() < 1e-4
        assert (ours[:, 4 + k] - angle.sin()).abs().max() < 1e-4
    assert ours[0].tolist() == [1.0] * 4 + [0.0] * 4
    assert sinusoidal_embedding(TIMES, 8, max_period=16.0)[1, 1].item() == pytest.approx(
        math.cos(0.5), abs=1e-6
    )


def test_neighbouring_times_have_different_embeddings():
    every = sinusoidal_embedding(torch.arange(1001), 16)
    assert torch.cdist(every, every).fill_diagonal_(1).min() > 0.05


# Bad input
# ------------------------------------------------------------------------------------------------------------

X, T, CONTEXT = torch.zeros(2, 1, 8, 8), torch.tensor([1, 2]), torch.zeros(2, 3, 6)
CAPTIONS = {"context_features": 6, "attention": (1,)}
BAD_CALLS = {
    "no batch": ({}, (X[0], T), {}, "x_t"),
    "other channels": ({}, (X.expand(2, 3, 8, 8), T), {}, "x_t"),
    "height that does not fold": ({}, (X[:, :, :6], T), {}, r"x_t.*multiples of 4"),
    "width that does not fold": ({}, (X[..., :7], T), {}, r"x_t.*multiples of 4"),
    "side that three levels do not divide": (
        {"multipliers": (1, 2, 2)},
        (X[..., :4], T),
        {},
        r"x_t.*multiples of 8",
    ),
    "one time for all": ({}, (X, T[:1]), {}, r"\bt must"),
    "time without a batch": ({}, (X, T[0]), {}, r"\bt must"),
    "labels without classes": ({}, (X, T), {"labels": T}, "labels"),
    "label past the null label": ({"num_classes": 3}, (X, T), {"labels": T + 2}, "labels"),
    "negative label": ({"num_classes": 3}, (X, T), {"labels": T - 2}, "labels"),
    "float labels": ({"num_classes": 3}, (X, T), {"labels": T.float()}, "labels"),
    "labels that would broadcast": ({"num_classes": 3}, (X, T), {"labels": T[:1]}, "labels"),
    "context without attention to it": ({}, (X, T), {"context": CONTEXT}, "context"),
    "missing context": (CAPTIONS, (X, T), {}, "context must"),
    "context that would broadcast": (CAPTIONS, (X, T), {"context": CONTEXT[:1]}, "context must"),
    "context of another length": (CAPTIONS, (X, T), {"context": CONTEXT[..., :5]}, "context must"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("config", "args", "condition", "match"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_input_is_refused_by_name(config, args, condition, match):
    model = build(config)
    with pytest.raises(ValueError, match=match):
        model(*args, **condition)


FIRST_BAD_CALLS = {
    "no batch": (X[0], T, r"x_t must have shape \(B, 1, H, W\).*got \(1, 8, 8\)"),
    "other channels": (X.expand(2, 3, 8, 8), T, r"x_t must have shape \(B, 1, H, W\).*got \(2, 3, 8, 8\)"),
    "one time for all": (X, T[:1], r"t must have shape \(2,\), one time per image, got \(1,\)"),
    "time without a batch": (X, T[0], r"t must have shape \(2,\), one time per image, got \(\)"),
}


@pytest.mark.usefixtures("unchecked")
@each_first_network
@pytest.mark.parametrize(("x_t", "t", "match"), FIRST_BAD_CALLS.values(), ids=FIRST_BAD_CALLS.keys())
def test_bad_input_of_a_first_network_is_refused_by_name(name, x_t, t, match):
    with pytest.raises(ValueError, match=match):
        first_network(name)(x_t, t)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("size", [(6, 8), (8, 10), (7, 7)])
def test_simple_diffusion_refuses_sides_that_cannot_be_halved_twice(size):
    with pytest.raises(
        ValueError, match=rf"x_t .*H and W multiples of 4, got \(2, 1, {size[0]}, {size[1]}\)"
    ):
        first_network("SimpleDiffusion")(torch.zeros(2, 1, *size), T)
    assert first_network("PlainConvNet")(torch.zeros(2, 1, *size), T).shape == (2, 1, *size)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"context_features": 6}, r"context_features=6 .* attention=\(1,\)"),
        ({"context_features": 6, "attention": []}, r"context_features=6 .* attention=\(1,\)"),
        ({"attention": (2,)}, r"attention must lie in 0 … 1, got 2"),
        ({"attention": (-1, 0)}, r"attention must lie in 0 … 1, got -1"),
    ],
)
def test_network_that_cannot_work_is_refused(config, match):
    with pytest.raises(ValueError, match=match):
        UNet(**SMALL | config)
