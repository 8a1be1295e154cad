"""Times, losses, averages, and the training loop."""

import collections
import copy
import itertools
import math
import os
import signal
import sys
from statistics import NormalDist

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import diffusion_lab as dl
from diffusion_lab.optimization import OPTIMIZERS, learning_rate_at
from diffusion_lab.process import OBJECTIVES
from diffusion_lab.training import TIMES, drop_labels, sample_timesteps

SCHEDULE = dl.DiffusionSchedule.cosine(1000)
BATCHES = 4  # in every pass; see the fixture `batches`
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def last(steps):
    return collections.deque(steps, maxlen=1).pop()


def share_up_to(times: str, x: float) -> float:
    """The probability of t <= x T, from the formulas of the densities."""
    if times == "uniform" or x in (0, 1):
        return x
    return 0.2 * x + 0.8 * NormalDist().cdf(math.log(x / (1 - x)))


def unet() -> dl.UNet:
    """A small network most of whose weights are matrices to Muon."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dl.UNet(num_classes=10, width=16)


# times and labels


@pytest.mark.parametrize("timesteps", [1, 7, 1000])
def test_batch_of_T_times_takes_each_of_1_to_T_once(timesteps, generator):
    t = sample_timesteps(timesteps, timesteps, generator)
    assert sorted(t.tolist()) == list(range(1, timesteps + 1))


@pytest.mark.parametrize(("batch", "timesteps"), [(10, 1000), (3, 10), (50, 7)])
def test_times_are_stratified(batch, timesteps, generator):
    for _ in range(20):
        t = sample_timesteps(batch, timesteps, generator).sort().values
        stretch = torch.arange(batch) * timesteps / batch
        assert t.dtype == torch.int64
        assert (t - 1 >= stretch.floor()).all()
        assert (t <= (stretch + timesteps / batch).ceil()).all()


def test_each_time_is_uniform_by_itself(generator):
    draws = torch.stack([sample_timesteps(4, 8, generator) for _ in range(4000)])
    for position in range(4):
        counts = draws[:, position].bincount(minlength=9)
        assert counts[0] == 0
        assert (counts[1:] - 500).abs().max() < 105, "five standard deviations"


def test_times_repeat_with_the_generator():
    first, again, other = (sample_timesteps(32, 1000, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("timesteps", [1, 7, 1000])
@pytest.mark.parametrize("times", TIMES)
def test_every_time_is_drawn_the_first_and_the_last_too(times, timesteps, generator):
    """A fifth of a logit-normal batch is even: five times as many draws hold each time at least once."""
    for _ in range(5):
        t = sample_timesteps(5 * timesteps, timesteps, generator, times)
        assert t.dtype == torch.int64
        assert t.unique().tolist() == list(range(1, timesteps + 1))


@pytest.mark.parametrize(("batch", "timesteps"), [(5, 1000), (50, 1000), (5000, 1000), (500, 10)])
@pytest.mark.parametrize("times", TIMES)
def test_each_batch_of_times_has_its_quantiles(times, batch, timesteps, generator):
    """Stratified, up to every time a batch holds its share of draws but for less than one.

    Two where two are mixed.
    """
    expected = torch.tensor([share_up_to(times, k / timesteps) * batch for k in range(timesteps + 1)])
    for _ in range(20 if batch < 5000 else 3):
        t = sample_timesteps(batch, timesteps, generator, times)
        found = t.bincount(minlength=timesteps + 1).cumsum(0)
        assert (found - expected).abs().max() < {"uniform": 1.001, "logit-normal": 2.001}[times]


def test_logit_normal_times_come_most_often_from_the_middle(generator):
    """What Esser et al. 2024 wanted: by the formula 1.48 of even at T / 2, and 0.44 in the last twentieth."""
    t = sample_timesteps(50_000, 1000, generator, "logit-normal")
    assert (t > 475).logical_and(t <= 525).double().mean() == pytest.approx(
        0.05 * (0.2 + 0.8 * 1.5946), rel=0.01
    )
    assert (t > 950).double().mean() == pytest.approx(
        0.05 * 0.2 + 0.8 * NormalDist().cdf(-math.log(19)), rel=0.01
    )


def test_each_logit_normal_time_has_the_density_by_itself(generator):
    draws = torch.stack([sample_timesteps(5, 8, generator, "logit-normal") for _ in range(4000)])
    borders = [share_up_to("logit-normal", k / 8) for k in range(9)]
    expected = torch.tensor([4000 * (b - a) for a, b in itertools.pairwise(borders)])
    for position in range(5):
        assert ((draws[:, position].bincount(minlength=9)[1:] - expected).abs() < 5 * expected.sqrt()).all()


@pytest.mark.parametrize("times", TIMES)
def test_times_of_the_ends_are_no_nan(times):
    share = TIMES[times](torch.tensor([0, 1e-300, 0.2, 0.2 + 1e-16, 1 - 1e-16, 1], dtype=torch.float64))
    assert ((share >= 0) & (share <= 1)).all()
    assert share[[0, -1]].tolist() == [0, 1]


def test_time_is_T_at_most_where_rounding_gives_all_of_it(monkeypatch, generator):
    monkeypatch.setitem(TIMES, "end", torch.ones_like)
    assert sample_timesteps(3, 10, generator, "end").tolist() == [10, 10, 10]


@pytest.mark.parametrize("choice", ["times", "optimizer"])
def test_unknown_times_and_optimizers_list_the_valid_ones(tiny, batches, choice):
    valid = {"times": "logit-normal, uniform", "optimizer": "adamw, muon"}[choice]
    named = f"{choice}='middle' is not known; choose one of: {valid}$"
    with pytest.raises(ValueError, match=named):
        next(dl.train(tiny, SCHEDULE, batches, num_steps=5, **{choice: "middle"}))
    if choice == "times":
        with pytest.raises(ValueError, match=named):
            sample_timesteps(3, 10, times="middle")


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.7, 1.0])
def test_labels_are_dropped_at_the_given_rate(probability, generator):
    labels = torch.arange(20_000) % 10
    kept = drop_labels(labels, 10, probability, generator)
    dropped = kept == 10
    assert float(dropped.double().mean()) == pytest.approx(probability, abs=0.02)
    assert torch.equal(kept[~dropped], labels[~dropped])
    assert kept.dtype == labels.dtype


def test_every_label_has_its_own_coin(generator):
    labels = torch.zeros(32, dtype=torch.int64)
    dropped = [float((drop_labels(labels, 10, 0.3, generator) == 10).sum()) for _ in range(1000)]
    assert torch.tensor(dropped).var() == pytest.approx(32 * 0.3 * 0.7, rel=0.25)


# the loss


def by_hand(objective, x_0, noise, alpha, sigma):
    v = alpha * noise - sigma * x_0
    return {"eps": noise, "x0": x_0, "v": v, "score": -noise / sigma, "flow": noise - x_0}[objective]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_loss_is_the_mean_square_of_each_element(tiny, digits, generator, objective):
    x_0, labels = digits.images[:5], digits.labels[:5]
    t, noise = torch.tensor([1, 10, 500, 999, 1000]), torch.randn(5, 1, 28, 28, generator=generator)
    abar = SCHEDULE.alphas_cumprod[t].reshape(5, 1, 1, 1)
    alpha, sigma = abar.sqrt().float(), (1 - abar).sqrt().float()
    output = tiny(alpha * x_0 + sigma * noise, t, labels)
    expected = ((output - by_hand(objective, x_0, noise, alpha, sigma)) ** 2).mean(dim=(1, 2, 3))
    loss = dl.diffusion_loss(tiny, x_0, SCHEDULE, objective, t=t, noise=noise, labels=labels)
    assert loss.shape == (5,)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_loss_of_points_in_the_plane(generator):
    x_0 = dl.data.toy("moons", 100, generator=generator)
    t, noise = torch.full((100,), 300), torch.randn(100, 2, generator=generator)
    loss = dl.diffusion_loss(lambda x_t, t: torch.zeros_like(x_t), x_0, SCHEDULE, "eps", t=t, noise=noise)
    torch.testing.assert_close(loss, noise.square().mean(dim=1))


def test_loss_draws_times_from_1_to_T_and_standard_normal_noise(generator):
    seen = {}

    def model(x_t, t):
        seen.update(x_t=x_t, t=t)
        return torch.zeros_like(x_t)

    loss = dl.diffusion_loss(model, torch.zeros(1000, 1, 4, 4), SCHEDULE, "eps", generator=generator)
    assert sorted(seen["t"].tolist()) == list(range(1, 1001))
    assert loss.mean() == pytest.approx(1, abs=0.05)
    noise = seen["x_t"] / (1 - SCHEDULE.alphas_cumprod[seen["t"]]).sqrt().float().reshape(-1, 1, 1, 1)
    torch.testing.assert_close(noise.square().mean(dim=(1, 2, 3)), loss)


def test_loss_repeats_with_the_generator(tiny, digits):
    losses = [
        dl.diffusion_loss(tiny, digits.images[:8], SCHEDULE, generator=seeded(seed)) for seed in (0, 0, 1)
    ]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


def test_unknown_objective_lists_the_valid_ones(tiny, batches):
    with pytest.raises(
        ValueError, match="objective='velocity' is not known; choose one of: eps, flow, score, v, x0"
    ):
        dl.diffusion_loss(tiny, batches[0][0], SCHEDULE, "velocity")
    with pytest.raises(ValueError, match="'velocity' is not known"):
        next(dl.train(tiny, SCHEDULE, batches, num_steps=5, objective="velocity"))


# the loop


def test_model_has_changed_when_the_first_step_is_yielded(tiny, batches):
    before = weights(tiny)
    step = next(dl.train(tiny, SCHEDULE, batches, num_steps=5, generator=seeded(0)))
    assert step.index == step.state.index == 1
    assert not torch.equal(weights(tiny), before)
    assert {int(entry["step"]) for entry in step.state.optimizer.state.values()} == {1}
    assert step.state.model is tiny


@pytest.mark.parametrize("times", TIMES)
def test_steps_equal_a_loop_written_by_hand(tiny, batches, times):
    """Also after `break`: the model is the one of exactly that many steps.

    Its tensors are thin, so Muon is AdamW.
    """
    stop, trained, reference, average = 6, copy.deepcopy(tiny), tiny, copy.deepcopy(tiny)
    generator = seeded(3)
    optimizer = torch.optim.AdamW(reference.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.1)
    expected = []
    for index, (x_0, labels) in enumerate(itertools.islice(itertools.cycle(batches), stop)):
        optimizer.param_groups[0]["lr"] = learning_rate_at(index, 10, 0.01, 200)
        labels = torch.where(torch.rand(16, generator=generator) < 0.5, 10, labels)
        t = sample_timesteps(16, 1000, generator, times)
        loss = dl.diffusion_loss(
            reference, x_0, SCHEDULE, "x0", t=t, generator=generator, labels=labels
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        length = torch.cat([p.grad.flatten() for p in reference.parameters()]).norm()
        for parameter in reference.parameters():
            parameter.grad *= min(1, 0.05 / length)
        optimizer.step()
        decay = min(0.4, (index + 1) / (index + 11))
        for slow, fast in zip(average.parameters(), reference.parameters(), strict=True):
            slow.data = decay * slow + (1 - decay) * fast
        expected.append((index + 1, loss.item(), optimizer.param_groups[0]["lr"], length.item()))

    found = []
    for step in dl.train(
        trained,
        SCHEDULE,
        batches,
        num_steps=10,
        objective="x0",
        learning_rate=0.01,
        weight_decay=0.1,
        grad_clip=0.05,
        ema_decay=0.4,
        label_dropout=0.5,
        times=times,
        generator=seeded(3),
    ):
        found.append(step[:4])
        if step.index == stop:
            break
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=0)
    torch.testing.assert_close(weights(trained), weights(reference), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights(step.ema), weights(average), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"), [({"times": name}, name) for name in TIMES] + [({}, "logit-normal")]
)
def test_training_times_have_the_density_that_was_asked_for(tiny, options, expected):
    seen = []
    tiny.register_forward_pre_hook(lambda _module, args: seen.append(args[1]))
    images = -torch.ones(500, 1, 4, 4)
    last(dl.train(tiny, SCHEDULE, [images], num_steps=3, generator=seeded(0), **options))
    shares = torch.tensor([share_up_to(expected, k / 1000) for k in range(1001)])
    assert len(seen) == 3
    for t in seen:
        assert (t.bincount(minlength=1001).cumsum(0) - 500 * shares).abs().max() < 2.001


@pytest.mark.parametrize(
    ("options", "expected"), [({"optimizer": name}, name) for name in OPTIMIZERS] + [({}, "muon")]
)
def test_optimizer_is_the_one_that_was_asked_for(batches, options, expected):
    """By hand, for a network of which Muon takes most; AdamW moves it elsewhere."""
    trained = unet()
    reference, other = copy.deepcopy(trained), copy.deepcopy(trained)
    step = last(dl.train(trained, SCHEDULE, batches, num_steps=4, generator=seeded(3), **options))
    assert type(step.state.optimizer) is OPTIMIZERS[expected]
    for model, name in ((reference, expected), (other, "adamw" if expected == "muon" else "muon")):
        generator = seeded(3)
        optimizer = OPTIMIZERS[name](model.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.01)
        for index, (x_0, labels) in enumerate(batches):
            optimizer.param_groups[0]["lr"] = learning_rate_at(index, 4, 4e-3, 200)
            labels = drop_labels(labels, 10, 0.1, generator)
            t = sample_timesteps(16, 1000, generator, "logit-normal")
            optimizer.zero_grad()
            dl.diffusion_loss(model, x_0, SCHEDULE, t=t, generator=generator, labels=labels).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    torch.testing.assert_close(weights(trained), weights(reference), rtol=1e-3, atol=1e-4)
    assert (weights(trained) - weights(other)).abs().max() > 2e-3


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_bfloat16_computes_in_16_bits_and_keeps_the_weights_in_32(batches, device):
    def run(bfloat16: bool) -> tuple[torch.Tensor, torch.Tensor]:
        model, inside = unet().to(device), set()
        model.middle.block.conv_1.register_forward_hook(lambda _module, _args, out: inside.add(out.dtype))
        losses = []
        for step in dl.train(model, SCHEDULE, batches, num_steps=12, generator=seeded(0), bfloat16=bfloat16):
            assert not torch.is_autocast_enabled(device), "while the caller has the step"
            losses.append(step.loss)
        moments = [value for entry in step.state.optimizer.state.values() for value in entry.values()]
        assert {value.dtype for value in (*model.parameters(), *step.ema.parameters(), *moments)} == {
            torch.float32
        }
        assert inside == {torch.bfloat16 if bfloat16 else torch.float32}
        return torch.tensor(losses), weights(model)

    (found, short), (expected, long) = run(True), run(False)
    assert not torch.equal(found, expected)
    assert not torch.equal(short, long)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)
    assert found[-3:].mean() < 0.9 * found[:3].mean(), "it learns"


def test_loop_leaves_the_precision_of_the_caller_alone(batches):
    """Somebody who wraps the loop in a lower precision of his own keeps it."""
    model, inside = unet(), []
    model.middle.block.conv_1.register_forward_hook(lambda _module, _args, out: inside.append(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        next(dl.train(model, SCHEDULE, batches, num_steps=1, generator=seeded(0)))
    assert inside == [torch.bfloat16]


def test_average_is_a_network_of_its_own(tiny, batches):
    step = last(dl.train(tiny, SCHEDULE, batches, num_steps=20, learning_rate=0.01, generator=seeded(0)))
    assert step.ema is not tiny
    assert not torch.equal(weights(step.ema), weights(tiny))
    assert not step.ema.training
    assert not any(p.requires_grad for p in step.ema.parameters())
    assert tiny.training


def test_loss_goes_down(tiny, digits):
    loader = dl.data.loader(digits.images, digits.labels, batch_size=64, generator=seeded(0))
    steps = dl.train(tiny, SCHEDULE, loader, num_steps=150, learning_rate=0.03, generator=seeded(1))
    losses = [step.loss for step in steps]
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_model_is_trained_in_place_on_its_device(tiny, batches, device):
    tiny.to(device)
    before = list(map(id, tiny.parameters()))
    step = last(dl.train(tiny, SCHEDULE, batches, num_steps=3, generator=seeded(0)))
    assert list(map(id, tiny.parameters())) == before
    assert {p.device.type for module in (tiny, step.ema) for p in module.parameters()} == {device}


def labels_seen(model, *arguments, **options) -> list:
    seen = []
    model.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(kwargs.get("labels")), with_kwargs=True
    )
    last(dl.train(model, *arguments, generator=seeded(0), **options))
    return seen


@pytest.mark.parametrize("dropout", [0.0, 0.5, 1.0])
def test_label_dropout_passes_the_null_label(tiny, batches, dropout):
    seen = torch.cat(labels_seen(tiny, SCHEDULE, batches, num_steps=BATCHES, label_dropout=dropout))
    true = torch.cat([labels for _, labels in batches])
    dropped = seen == tiny.null_label
    assert float(dropped.double().mean()) == pytest.approx(dropout, abs=0.25 if dropout == 0.5 else 0)
    assert torch.equal(seen[~dropped], true[~dropped])


@pytest.mark.parametrize("form", [lambda x, y: x, lambda x, y: (x,), lambda x, y: [x]])
def test_loader_without_labels_passes_none(tiny, batches, form):
    assert labels_seen(tiny, SCHEDULE, [form(*batch) for batch in batches], num_steps=2) == [None, None]


def test_network_without_classes_gets_no_labels(tiny, batches):
    tiny.null_label = None
    assert labels_seen(tiny, SCHEDULE, batches, num_steps=2) == [None, None]


def test_a_model_knows_its_objective_once_it_was_trained_and_no_sooner(tiny, batches, tmp_path):
    with pytest.raises(FileNotFoundError):
        next(dl.train(tiny, SCHEDULE, batches, num_steps=1, objective="eps", resume=tmp_path / "none.pt"))
    assert not hasattr(tiny, "trained_objective")
    step = next(dl.train(tiny, SCHEDULE, batches, num_steps=1, objective="eps"))
    assert tiny.trained_objective == step.ema.trained_objective == "eps"


@pytest.mark.parametrize(
    ("convert", "named"),
    [
        (lambda x: (x + 1) / 2, r"\[-1, 1\], got \[0, 1\]"),
        (lambda x: (x + 1) * 127.5, r"\[-1, 1\], got torch.float32 in \[0, 255\]"),
        (lambda x: ((x + 1) * 127.5).byte(), r"\[-1, 1\], got torch.uint8 in \[0, 255\]"),
    ],
)
def test_images_that_were_not_scaled_are_refused(tiny, batches, convert, named):
    before = weights(tiny)
    with pytest.raises(ValueError, match=named):
        next(dl.train(tiny, SCHEDULE, [convert(images) for images, _ in batches], num_steps=5))
    assert torch.equal(weights(tiny), before)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_steps": 5, "label_dropout": 1.5}, "label_dropout.* 1.5"),
        ({"num_steps": 5, "ema_decay": -0.1}, "ema_decay.* -0.1"),
        ({"num_steps": 5, "loader": []}, "loader is empty"),
    ],
)
def test_bad_options_are_named(tiny, batches, options, named):
    with pytest.raises(ValueError, match=named):
        next(dl.train(tiny, SCHEDULE, **{"loader": batches, **options}))


# for people who just want a model


class Interrupted:
    """A loader during whose batch number `stop` something is done, such as pressing Ctrl-C."""

    def __init__(self, batches, stop: int, act):
        self.batches, self.stop, self.act = batches, stop, act

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        for index, batch in enumerate(self.batches):
            if index == self.stop:
                self.act()
            yield batch


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def break_off() -> None:
    raise KeyboardInterrupt


def test_train_diffusion_returns_losses_and_leaves_the_average(tiny, batches):
    other = copy.deepcopy(tiny)
    losses = dl.train_diffusion(tiny, batches, SCHEDULE, epochs=3, learning_rate=0.01, generator=seeded(0))
    steps = list(
        dl.train(other, SCHEDULE, batches, num_steps=3 * BATCHES, learning_rate=0.01, generator=seeded(0))
    )
    assert losses == [step.loss for step in steps]
    assert torch.equal(weights(tiny), weights(steps[-1].ema))
    assert not torch.equal(weights(tiny), weights(other))


@pytest.mark.parametrize("num_classes", [None, 10])
def test_train_diffusion_takes_a_torch_loader_of_images_and_labels(tiny, digits, num_classes):
    """A model without classes does not see the labels; one with classes does."""
    dataset = TensorDataset(digits.images[:100], digits.labels[:100])
    loader = DataLoader(dataset, batch_size=16, shuffle=True)
    seen = []

    class Watching(type(tiny)):
        def forward(self, x_t, t, labels=None):
            seen.append((len(x_t), labels is not None, int(t.min()), int(t.max())))
            return super().forward(x_t, t, labels)

    losses = dl.train_diffusion(Watching(num_classes), loader, SCHEDULE, epochs=2, generator=seeded(0))
    assert len(losses) == 2 * 7
    assert [size for size, *_ in seen] == [16] * 6 + [4] + [16] * 6 + [4]
    assert all(labelled == (num_classes is not None) for _, labelled, *_ in seen)
    assert all(first >= 1 and last <= SCHEDULE.timesteps for *_, first, last in seen)


def test_train_diffusion_takes_a_dataset_and_serves_all_of_it_shuffled(tiny):
    images = torch.arange(100.0).reshape(100, 1, 1, 1) / 50 - 1
    seen = []

    class Watching(TensorDataset):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    losses = dl.train_diffusion(tiny, Watching(images), SCHEDULE, epochs=2, generator=seeded(0))
    assert len(losses) == 2 * 2  # 64 and 36
    first, second = seen[:100], seen[100:]
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != sorted(first)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to oneself")
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_train_diffusion_stops_after_the_step_in_which_ctrl_c_is_pressed(tiny, batches, capsys, stop):
    other, loader = copy.deepcopy(tiny), Interrupted(batches, stop, press_ctrl_c)
    losses = dl.train_diffusion(tiny, loader, SCHEDULE, epochs=2, generator=seeded(0))
    steps = dl.train(other, SCHEDULE, batches, num_steps=2 * BATCHES, generator=seeded(0))
    *_, step = itertools.islice(steps, stop + 1)
    assert len(losses) == stop + 1
    assert torch.equal(weights(tiny), weights(step.ema))
    assert f"stopped after {stop + 1} of {2 * BATCHES} steps; the network keeps" in capsys.readouterr().out
    drawn = dl.sample(tiny, SCHEDULE, (2, 1, 8, 8), num_steps=2, labels=[1, 2], generator=seeded(0))
    assert drawn.isfinite().all()


@pytest.mark.parametrize("stop", [1, 3])
def test_train_diffusion_that_is_broken_off_leaves_the_average(tiny, batches, stop):
    other, loader = copy.deepcopy(tiny), Interrupted(batches, stop, break_off)
    with pytest.raises(KeyboardInterrupt):
        dl.train_diffusion(tiny, loader, SCHEDULE, epochs=2, generator=seeded(0))
    steps = dl.train(other, SCHEDULE, batches, num_steps=2 * BATCHES, generator=seeded(0))
    *_, step = itertools.islice(steps, stop)
    assert torch.equal(weights(tiny), weights(step.ema))


def test_train_diffusion_goes_through_what_watches_it(tiny, batches):
    watched = []

    def watch(steps, *, num_steps):
        for step in steps:
            watched.append((step.index, num_steps))
            yield step

    losses = dl.train_diffusion(tiny, batches, SCHEDULE, epochs=2, watch=watch, generator=seeded(0))
    assert watched == [(index, 2 * BATCHES) for index in range(1, len(losses) + 1)]


@pytest.mark.parametrize(("batches_kept", "epochs"), [(0, 3), (BATCHES, 0)])
def test_train_diffusion_with_nothing_to_do_is_refused(tiny, batches, batches_kept, epochs):
    with pytest.raises(ValueError, match="num_steps must be at least 1"):
        dl.train_diffusion(tiny, batches[:batches_kept], SCHEDULE, epochs=epochs)
