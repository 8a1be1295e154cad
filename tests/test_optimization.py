"""The optimisers beside the same steps written out, the learning rate, and the average of the weights."""

import io
import itertools
import math

import pytest
import torch
from torch.optim import AdamW

from diffusion_lab.optimization import OPTIMIZERS, Muon, learning_rate_at, orthogonalize, update_ema

OPTIONS = {"betas": (0.9, 0.99), "weight_decay": 0.2}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_singular_values(values: torch.Tensor, m: int, n: int, seed: int = 0):
    """A random matrix (m, n) that has these singular values, and its U and V."""
    u, _, vh = torch.linalg.svd(
        torch.randn(m, n, dtype=values.dtype, generator=seeded(seed)), full_matrices=False
    )
    return u * values @ vh, u, vh.T


def by_singular_values(matrix: torch.Tensor) -> torch.Tensor:
    """The polynomial of Muon, applied five times to each singular value alone."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    s = s / s.square().sum().sqrt()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return u * s @ vh


# making a matrix orthogonal

SHAPES = pytest.mark.parametrize(("m", "n"), [(16, 16), (64, 64), (32, 288), (288, 32), (17, 16)])


@SHAPES
@pytest.mark.parametrize("condition", [1, 10, 100])
def test_singular_values_come_near_one_and_singular_vectors_stay(m, n, condition):
    values = torch.logspace(0, -math.log10(condition), min(m, n))
    matrix, u, v = with_singular_values(values, m, n)
    result = orthogonalize(matrix)
    assert result.shape == matrix.shape
    found = u.T @ result @ v
    assert found.diag().min() > 0.68, "also says that no direction is turned round"
    assert found.diag().max() < 1.21
    assert (found - found.diag().diag()).abs().max() < 1e-5
    torch.testing.assert_close(result, (u * found.diag()) @ v.T, atol=1e-4, rtol=0)
    assert torch.linalg.svdvals(matrix).max() / torch.linalg.svdvals(matrix).min() == pytest.approx(
        condition, rel=1e-3
    )


@SHAPES
def test_orthogonalize_is_a_polynomial_of_each_singular_value(m, n):
    values = torch.logspace(0, -6, min(m, n), dtype=torch.float64)
    matrix, *_ = with_singular_values(values, m, n)
    torch.testing.assert_close(orthogonalize(matrix), by_singular_values(matrix), atol=1e-5, rtol=0)


def test_what_is_tiny_in_a_matrix_grows_485_times():
    values = torch.tensor([1.0, *[1e-6] * 15], dtype=torch.float64)
    grown = torch.linalg.svdvals(orthogonalize(with_singular_values(values, 16, 20)[0]))
    assert grown[1:] == pytest.approx(485e-6, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1e5])
def test_orthogonalize_does_not_see_the_scale(scale):
    matrix = torch.randn(20, 30, generator=seeded(0))
    kept = matrix.clone()
    torch.testing.assert_close(orthogonalize(scale * matrix), orthogonalize(matrix), atol=2e-3, rtol=0)
    torch.testing.assert_close(orthogonalize(-matrix), -orthogonalize(matrix))
    assert torch.equal(matrix, kept)


def test_zeros_stay_zeros():
    assert not orthogonalize(torch.zeros(16, 20)).any()


def test_more_steps_are_as_near():
    values = torch.linalg.svdvals(orthogonalize(torch.randn(20, 30, generator=seeded(0)), steps=9))
    assert values.min() > 0.68
    assert values.max() < 1.21
    once = torch.linalg.svdvals(orthogonalize(torch.randn(20, 30, generator=seeded(0)), steps=1))
    assert once.max() / once.min() > 2


# Muon

MATRICES = {
    "smallest": (16, 16),
    "wide": (20, 50),
    "tall": (48, 16),
    "kernel": (32, 16, 3, 3),
    "first kernel": (32, 2, 3, 3),
    "pixel": (24, 16, 1, 1),
}
THIN = {
    "vector": (64,),
    "number": (),
    "norm": (16,),
    "row": (15, 100),
    "column": (100, 15),
    "kernel": (15, 16, 3, 3),
    "first kernel": (32, 1, 3, 3),
    "pixel": (24, 15, 1, 1),
}


def parameter(shape, seed: int = 0) -> torch.nn.Parameter:
    values = torch.randn(shape, generator=seeded(seed), dtype=torch.float64)
    layout = {"memory_format": torch.channels_last} if len(shape) == 4 else {}
    return torch.nn.Parameter(values.to(**layout))


def gradient(shape, index: int) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(1000 + index), dtype=torch.float64)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("shape", MATRICES.values(), ids=MATRICES.keys())
def test_matrices_move_along_their_orthogonal_momentum(shape, fused):
    """By hand, with the singular value decomposition in place of matrix products, and no `lerp`."""
    weight = parameter(shape)
    optimizer = Muon([weight], lr=0.1, fused=fused, **OPTIONS)
    expected, mean = weight.detach().reshape(len(weight), -1).clone(), 0
    for index, rate in enumerate([0.1, 0.03, 0.2]):
        grad = gradient(shape, index)
        mean = 0.95 * mean + 0.05 * grad.flatten(1)
        ahead = 0.95 * mean + 0.05 * grad.flatten(1)
        longest = max(shape[0], math.prod(shape[1:]))
        expected = expected - rate * 0.2 * expected - rate * 0.2 * longest**0.5 * by_singular_values(ahead)
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = grad.clone()
        optimizer.step()
        torch.testing.assert_close(weight.detach().reshape(len(weight), -1), expected, rtol=1e-6, atol=1e-6)
    assert weight.grad is None


def test_a_step_has_the_size_of_one_of_adamw():
    """Liu et al. 2025, section 2.2: the factor gives every entry 0.2 of the learning rate, in the root mean square."""
    for shape in MATRICES.values():
        moved = parameter(shape)
        before = moved.detach().clone()
        moved.grad = gradient(shape, 0)
        Muon([moved], lr=0.1, weight_decay=0.0).step()
        assert 0.68 * 0.02 < (moved.detach() - before).square().mean().sqrt().item() < 1.21 * 0.02


@pytest.mark.parametrize("momentum", [0.5, 0.95])
@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has its own Muon from 2.9 on")
@pytest.mark.parametrize("shape", [(16, 16), (20, 50), (48, 16)])
def test_matrices_move_as_with_torchs_own_muon(shape, momentum):
    """Theirs computes in bfloat16, so the steps agree to a few percent."""
    weight, expected = (torch.nn.Parameter(parameter(shape).detach().float()) for _ in range(2))
    options = {"lr": 0.05, "momentum": momentum, "weight_decay": 0.3}
    first = Muon([weight], **options)
    second = torch.optim.Muon(
        [expected], nesterov=True, ns_steps=5, adjust_lr_fn="match_rms_adamw", **options
    )
    for index in range(4):
        before = weight.detach().clone()
        expected.data.copy_(weight.data)
        weight.grad, expected.grad = (gradient(shape, index).float() for _ in range(2))
        first.step()
        second.step()
        assert (weight - expected).norm() < 0.03 * (expected - before).norm()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("shape", THIN.values(), ids=THIN.keys())
def test_thin_tensors_move_as_with_adamw(shape, fused):
    weight, expected, neighbour = parameter(shape), parameter(shape), parameter((16, 16))
    pair = (
        Muon([neighbour, weight], lr=0.1, fused=fused, **OPTIONS),
        AdamW([expected], lr=0.1, fused=fused, **OPTIONS),
    )
    for index, rate in enumerate([0.1, 0.03, 0.2]):
        weight.grad, expected.grad = (gradient(shape, index) for _ in range(2))
        neighbour.grad = gradient((16, 16), index)
        for optimizer in pair:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
        assert torch.equal(weight, expected)


@pytest.mark.parametrize("thin", [8, 15, 16, 17])
def test_thin_is_the_smallest_side_of_a_matrix(thin):
    weight, expected = parameter((40, 16)), parameter((40, 16))
    pair = Muon([weight], lr=0.1, thin=thin), AdamW([expected], lr=0.1)
    weight.grad, expected.grad = (gradient((40, 16), 0) for _ in range(2))
    for optimizer in pair:
        optimizer.step()
    assert torch.equal(weight, expected) == (thin == 17)


def test_parameters_without_a_gradient_stay():
    still = [parameter((20, 30)), parameter((20,))]
    moving = [parameter((20, 30), seed=1), parameter((20,), seed=1)]
    kept, before = ([p.detach().clone() for p in group] for group in (still, moving))
    optimizer = Muon([*still, *moving], lr=0.1)
    for p in moving:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert all(map(torch.equal, still, kept))
    assert not any(map(torch.equal, moving, before))
    assert optimizer.state.keys() == set(moving)
    optimizer.zero_grad()
    assert all(p.grad is None for p in moving)


def small_network() -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(4, 16, 3), torch.nn.Conv2d(16, 20, 3), torch.nn.Conv2d(20, 3, 1)
        )


def go(model, optimizer, steps) -> list[torch.Tensor]:
    for index in steps:
        optimizer.zero_grad()
        model(torch.randn(2, 4, 9, 9, generator=seeded(index))).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_dict_goes_on_bit_for_bit(name, fused):
    make = OPTIMIZERS[name]
    whole = small_network()
    optimizer = make(whole.parameters(), lr=0.01, fused=fused, **OPTIONS)
    middle = go(whole, optimizer, range(3))
    file = io.BytesIO()
    torch.save({"model": whole.state_dict(), "optimizer": optimizer.state_dict()}, file)
    end = go(whole, optimizer, range(3, 6))

    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    resumed = small_network()
    resumed.load_state_dict(saved["model"])
    fresh = make(resumed.parameters(), lr=0.5, fused=fused)
    fresh.load_state_dict(saved["optimizer"])
    assert all(map(torch.equal, resumed.parameters(), middle))
    assert all(map(torch.equal, go(resumed, fresh, range(3, 6)), end))

    forgetful = small_network()
    forgetful.load_state_dict(saved["model"])
    other = go(forgetful, make(forgetful.parameters(), lr=0.01, fused=fused, **OPTIONS), range(3, 6))
    assert not any(map(torch.equal, other, end)), "a state that is lost would pass"


def test_every_parameter_counts_its_steps():
    model = small_network()
    optimizer = Muon(model.parameters(), lr=0.01)
    go(model, optimizer, range(3))
    assert {int(entry["step"]) for entry in optimizer.state.values()} == {3}


def test_closure_gives_the_gradients_and_its_loss_comes_back():
    model, by_hand = small_network(), small_network()
    expected = go(by_hand, Muon(by_hand.parameters(), lr=0.01), range(1))
    optimizer = Muon(model.parameters(), lr=0.01)

    def closure():
        loss = model(torch.randn(2, 4, 9, 9, generator=seeded(0))).square().mean()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() > 0
    assert all(map(torch.equal, model.parameters(), expected))


def test_options_are_those_of_adamw():
    optimizer = Muon([parameter((20, 30))], lr=0.1, betas=(0.8, 0.9), weight_decay=0.3, eps=1e-5)
    group = optimizer.param_groups[0]
    assert [group[name] for name in ("lr", "betas", "weight_decay", "eps")] == [0.1, (0.8, 0.9), 0.3, 1e-5]
    with pytest.raises(TypeError, match="nesterov"):
        Muon([parameter((20, 30))], lr=0.1, nesterov=True)


@pytest.mark.parametrize("seed", range(3))
def test_muon_goes_further_in_a_long_narrow_valley(seed):
    """A quadratic whose directions differ 10,000 times in steepness and lie across the axes."""
    axes = torch.linalg.qr(torch.randn(32, 32, generator=seeded(seed)))[0]
    steepness = axes * torch.logspace(0, -4, 32) @ axes.T
    goal = torch.randn(32, 48, generator=seeded(10 + seed))

    def descend(make) -> tuple[float, float]:
        point = torch.nn.Parameter(torch.zeros(32, 48))
        optimizer = make([point], lr=0.2, betas=(0.9, 0.99), weight_decay=0.0)
        for index in range(200):
            optimizer.param_groups[0]["lr"] = 0.2 * (1 - index / 200)
            optimizer.zero_grad()
            loss = 0.5 * ((point - goal) * (steepness @ (point - goal))).sum()
            loss.backward()
            optimizer.step()
        return loss.item(), (point - goal).norm().item()

    (loss, distance), (loss_of_adamw, distance_of_adamw) = descend(Muon), descend(AdamW)
    assert loss < 0.05 * loss_of_adamw
    assert distance < 0.3 * distance_of_adamw


# learning rate


@pytest.mark.parametrize(
    ("index", "num_steps", "warmup", "rate"),
    [
        (0, 1000, 99, 0.01),
        (49, 1000, 99, 0.5),
        (100, 1100, 100, 1.0),
        (600, 1100, 100, 0.5),
        (0, 50, 200, 1 / 6),
        (5, 50, 200, 1.0),
        (0, 1, 200, 1.0),
        (99, 100, 0, 0.5 * (1 - math.cos(math.pi / 100))),
    ],
)
def test_learning_rate(index, num_steps, warmup, rate):
    assert learning_rate_at(index, num_steps, 3e-3, warmup) == pytest.approx(3e-3 * rate, rel=1e-5)


def test_learning_rate_rises_once_and_falls_once():
    rates = [learning_rate_at(index, 500, 1.0, 40) for index in range(500)]
    assert all(a < b for a, b in itertools.pairwise(rates[:41]))
    assert all(a > b for a, b in itertools.pairwise(rates[40:]))
    assert min(rates) > 0


# average of the weights


def test_update_ema_moves_parameters_and_copies_buffers():
    model, ema = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([1.0, 2.0, -3.0]))
        ema.weight.copy_(torch.tensor([0.0, 4.0, 5.0]))
        model.running_mean.fill_(7)
    update_ema(ema, model, 0.75)
    torch.testing.assert_close(ema.weight, torch.tensor([0.25, 3.5, 3.0]))
    assert ema.running_mean.tolist() == [7, 7, 7]
    assert model.weight.tolist() == [1, 2, -3]
