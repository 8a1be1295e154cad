"""The one engine of every training: a new objective by its loss alone, and what a loss and a caller may count on."""

import copy
import itertools
import math
import textwrap

import pytest
import torch
from torch import Tensor, nn

import diffusion_lab as dl
from diffusion_lab import fitting
from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.fitting import Step, fit
from diffusion_lab.optimization import OPTIMIZERS, learning_rate_at
from diffusion_lab.shapes import normal_like


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> nn.Module:
    """A network of convolutions, most of whose weights are matrices to Muon, for pictures of one channel."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.Tanh(), nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 1, 1)
        )


def point() -> nn.Module:
    """A network of one number, which begins at 3."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 3.0)
    return model


def square(state: TrainingState) -> Tensor:
    return state.model.weight.square().sum()


def weights(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def last(steps) -> Step:
    *_, step = steps
    return step


def everything(state: TrainingState) -> list[Tensor]:
    """All tensors that a checkpoint keeps."""
    moments = [value for entry in state.optimizer.state_dict()["state"].values() for value in entry.values()]
    networks = [*state.model.state_dict().values(), *state.ema.state_dict().values()]
    return [*networks, *moments, state.generator.get_state(), torch.tensor([state.index, state.batches_done])]


# a new objective by its loss alone


def recipe() -> str:
    """The code that the docstring of the module shows to whoever wants to train something new."""
    return textwrap.dedent(fitting.__doc__.split("::\n")[1].split("Averaged weights")[0])


def test_the_recipe_of_the_docstring_trains_a_new_objective(digits, capsys):
    """It removes noise better than before, and better than leaving the pictures as they are."""
    model = network()
    known = {"model": model, "loader": dl.data.loader(digits.images, batch_size=8, generator=seeded())}
    for name in ("TrainingState", "Tensor", "normal_like", "fit"):
        known[name] = globals()[name]
    exec(recipe(), known)
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(index) for index, _ in printed] == list(range(1, 301))
    losses = [float(loss) for _, loss in printed]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    assert sum(losses[-20:]) / 20 < 0.7, "the loss of answering with the noisy picture itself is 1"


def remove_noise(state: TrainingState, images: Tensor) -> Tensor:
    noise = normal_like(images, state.generator)
    return (state.model(images + noise) - images).square().mean()


def draw_and_remove_noise(state: TrainingState) -> Tensor:
    return remove_noise(state, torch.rand(8, 1, 6, 6, generator=state.generator))


@pytest.mark.parametrize("options", [{}, {"optimizer": "adamw"}, {"bfloat16": True}], ids=str)
@pytest.mark.parametrize("stop", [1, 5, 6, 8])
@pytest.mark.parametrize("loss", [remove_noise, draw_and_remove_noise])
def test_a_new_objective_resumes_bit_for_bit(digits, tmp_path, loss, stop, options):
    """Six batches make a pass: it stops within one, at its end, and within the next."""

    def start(seed: int, **more):
        images = dl.data.loader(digits.images[:48], batch_size=8, generator=seeded(seed + 100))
        loader = images if loss is remove_noise else None
        return fit(network(), loss, loader, num_steps=10, generator=seeded(seed), **options, **more)

    whole = []
    for step in start(seed=1):
        whole.append(step[:4])
        if step.index == stop:
            step.save(tmp_path / "checkpoint.pt")
    resumed = []
    for resumed_step in start(seed=2, resume=tmp_path / "checkpoint.pt"):
        resumed.append(resumed_step[:4])
    assert resumed == whole[stop:]
    assert all(map(torch.equal, everything(step.state), everything(resumed_step.state)))
    other = last(start(seed=2))
    assert not torch.equal(weights(other.ema), weights(resumed_step.ema)), (
        "a seed that does nothing would pass"
    )


def test_it_finds_the_answer_and_averages():
    model = nn.Linear(2, 1)
    x = torch.randn(64, 2, generator=seeded())
    y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    steps = fit(model, lambda state: (state.model(x) - y).square().mean(), num_steps=300, learning_rate=0.1)
    step = last(steps)
    assert step.index == 300
    assert torch.allclose(step.ema.weight, torch.tensor([[2.0, -1.0]]), atol=0.05)


# what a loss may count on


def test_a_loss_sees_the_state_before_its_step():
    model, generator, seen = point(), seeded(), []

    def loss(state: TrainingState) -> Tensor:
        assert state.model is model
        assert state.model.training
        assert not state.ema.training
        assert not any(p.requires_grad for p in state.ema.parameters())
        assert state.generator is generator
        assert state.device == torch.device("cpu")
        seen.append((state.index, weights(state.model), weights(state.ema)))
        return square(state)

    before = [(0, weights(model), weights(model))]
    for step in fit(model, loss, num_steps=4, learning_rate=0.1, generator=generator):
        before.append((step.index, weights(model), weights(step.ema)))
    assert seen == before[:4]
    assert seen[3][1] != seen[3][2], "the average is another network"


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (torch.ones(3), [torch.ones(3)]),
        ((torch.ones(3),), [torch.ones(3)]),
        ([torch.ones(3), torch.zeros(2)], [torch.ones(3), torch.zeros(2)]),
        ((torch.ones(3), torch.zeros(2), 5), [torch.ones(3), torch.zeros(2), 5]),
        (None, []),
    ],
)
def test_a_loss_gets_what_the_loader_gave(batch, expected):
    def loss(state: TrainingState, *found) -> Tensor:
        assert len(found) == len(expected)
        for value, wanted in zip(found, expected, strict=True):
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(wanted))
        return square(state)

    loader = None if batch is None else [batch]
    assert [step.index for step in fit(point(), loss, loader, num_steps=3)] == [1, 2, 3]


def test_without_a_generator_torchs_seed_decides_and_its_random_numbers_are_left_alone():
    def run(seed: int) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            step = last(fit(network(), draw_and_remove_noise, num_steps=3))
            assert torch.equal(torch.get_rng_state(), before)
            return weights(step.ema)

    assert torch.equal(run(5), run(5))
    assert not torch.equal(run(5), run(6))


# what a caller may count on


def test_steps_equal_a_loop_written_by_hand():
    """Also after `break`: the model is the one of exactly that many steps."""
    model, by_hand = network(), network()
    average, generator, expected = copy.deepcopy(by_hand), seeded(3), []
    optimizer = OPTIMIZERS["muon"](by_hand.parameters(), 1.0, betas=(0.9, 0.99), weight_decay=0.3)
    images = torch.rand(8, 1, 6, 6, generator=seeded())
    for index in range(6):
        rate = optimizer.param_groups[0]["lr"] = learning_rate_at(index, 50, 0.01, 4)
        loss = (by_hand(images + torch.randn(images.shape, generator=generator)) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        length = torch.cat([p.grad.flatten() for p in by_hand.parameters()]).norm()
        assert length > 0.1, "nothing would be clipped"
        for parameter in by_hand.parameters():
            parameter.grad *= 0.1 / length
        optimizer.step()
        decay = min(0.2, (index + 1) / (index + 11))
        for slow, fast in zip(average.parameters(), by_hand.parameters(), strict=True):
            slow.data = decay * slow + (1 - decay) * fast
        expected.append((index + 1, loss.item(), rate, length.item()))

    found = []
    options = {"learning_rate": 0.01, "warmup": 4, "weight_decay": 0.3, "grad_clip": 0.1, "ema_decay": 0.2}
    for step in fit(model, remove_noise, [images], num_steps=50, generator=seeded(3), **options):
        found.append(step[:4])
        if step.index == 6:
            break
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=0)
    torch.testing.assert_close(weights(model), weights(by_hand), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights(step.ema), weights(average), rtol=1e-4, atol=1e-5)


def test_without_a_limit_the_gradient_stays_as_it_is():
    """AdamW cannot tell a gradient from a shorter one, so this is seen with plain gradient descent."""
    for grad_clip, expected in ((math.inf, 3 - 0.1 * 6), (1.0, 3 - 0.1)):
        model = point()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step = next(fit(model, square, num_steps=1, optimizer=optimizer, grad_clip=grad_clip))
        assert step.grad_norm == pytest.approx(6)
        assert model.weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_by_name_gets_its_options(name):
    steps = fit(network(), draw_and_remove_noise, num_steps=1, optimizer=name, weight_decay=0.7, eps=1e-5)
    optimizer = next(steps).state.optimizer
    assert type(optimizer) is OPTIMIZERS[name]
    group = optimizer.param_groups[0]
    assert [group[key] for key in ("betas", "weight_decay", "eps")] == [(0.9, 0.99), 0.7, 1e-5]


def test_an_optimizer_of_the_callers_own_keeps_its_settings_and_follows_its_own_schedule():
    """Beside the same optimiser and scheduler of torch without the engine, bit for bit."""

    def prepare(model: nn.Module):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)

    model, by_hand = point(), point()
    optimizer, schedule = prepare(by_hand)
    expected = []
    for _ in range(5):
        rate = optimizer.param_groups[0]["lr"]
        loss = by_hand.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        expected.append((loss.item(), rate))

    optimizer, schedule = prepare(model)
    found = []
    for step in fit(model, square, num_steps=5, optimizer=optimizer, grad_clip=math.inf, learning_rate=99.0):
        schedule.step()
        found.append((step.loss, step.learning_rate))
    assert step.state.optimizer is optimizer
    assert found == expected
    assert torch.equal(model.weight, by_hand.weight)


@pytest.mark.parametrize("options", [{}, {"memory_format": torch.contiguous_format}])
def test_weights_lie_in_memory_as_asked(options):
    model = network()
    step = next(fit(model, draw_and_remove_noise, num_steps=1, **options))
    wanted = options.get("memory_format", torch.channels_last)
    other = torch.channels_last if options else torch.contiguous_format
    for module in (model, step.ema):
        assert module[2].weight.is_contiguous(memory_format=wanted)
        assert not module[2].weight.is_contiguous(memory_format=other)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"ema_decay": 1.1}, r"ema_decay must lie in \[0, 1\], got 1.1"),
        ({"loader": []}, "loader is empty: it gave no batch"),
        ({"optimizer": "sgd"}, "optimizer='sgd' is not known; choose one of: adamw, muon$"),
    ],
)
def test_bad_options_are_named(options, named):
    model = network()
    before = weights(model)
    with pytest.raises(ValueError, match=named):
        next(fit(model, remove_noise, **{"loader": [torch.zeros(2, 1, 4, 4)], "num_steps": 5, **options}))
    assert torch.equal(weights(model), before)


def test_an_option_that_no_optimizer_has_is_refused():
    with pytest.raises(TypeError, match="momentums"):
        next(fit(point(), square, num_steps=1, momentums=0.9))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    next(fit(point(), square, num_steps=2)).save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="not a whole checkpoint of this training"):
        next(fit(network(), draw_and_remove_noise, num_steps=2, resume=tmp_path / "checkpoint.pt"))
    with pytest.raises(ValueError, match="num_steps must be at least 2, got 1"):
        next(fit(point(), square, num_steps=1, resume=tmp_path / "checkpoint.pt"))


def test_the_caller_may_stop_and_go_on_with_the_same_steps():
    steps = fit(point(), square, num_steps=5)
    assert [step.index for step in itertools.islice(steps, 2)] == [1, 2]
    assert [step.index for step in steps] == [3, 4, 5]
