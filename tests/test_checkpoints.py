"""Training that can be stopped, killed and resumed, and checkpoints that are whole or refused."""

import collections
import copy
import itertools
import multiprocessing
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import diffusion_lab as dl
from diffusion_lab.checkpoints import TrainingState

SCHEDULE = dl.DiffusionSchedule.cosine(1000)
BATCHES = 4  # in every pass; see the fixture `batches`
forks = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and the signals of Linux")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def last(steps):
    return collections.deque(steps, maxlen=1).pop()


def make_loader(kind: str, batches, generator: torch.Generator):
    if kind == "list":
        return batches
    images, labels = (torch.cat(column) for column in zip(*batches, strict=True))
    generator = generator if kind == "shared" else seeded(generator.initial_seed() + 100)
    if kind == "torch":
        return DataLoader(TensorDataset(images, labels), batch_size=16, shuffle=True, generator=generator)
    return dl.data.loader(images, labels, batch_size=16, generator=generator)


def start(model, kind: str, batches, seed: int, **options):
    generator = seeded(seed)
    return dl.train(
        model,
        SCHEDULE,
        make_loader(kind, batches, generator),
        num_steps=3 * BATCHES,
        generator=generator,
        **options,
    )


def contents(state: TrainingState) -> list[torch.Tensor]:
    moments = [value for entry in state.optimizer.state_dict()["state"].values() for value in entry.values()]
    return [
        *state.model.state_dict().values(),
        *state.ema.state_dict().values(),
        *moments,
        state.generator.get_state(),
        torch.tensor([state.index, state.batches_done]),
    ]


@pytest.mark.parametrize("kind", ["shared", "own", "torch", "list"])
@pytest.mark.parametrize("stop", [1, BATCHES - 1, BATCHES, BATCHES + 2, 2 * BATCHES])
def test_resume_is_bit_exact(tiny, batches, tmp_path, kind, stop):
    fresh = type(tiny)(num_classes=10)
    whole = []
    for step in start(tiny, kind, batches, seed=1):
        whole.append((step.loss, step.learning_rate, step.grad_norm))
        if step.index == stop:
            step.save(tmp_path / "checkpoint.pt")
    resumed = []
    for resumed_step in start(fresh, kind, batches, seed=2, resume=tmp_path / "checkpoint.pt"):
        resumed.append((resumed_step.loss, resumed_step.learning_rate, resumed_step.grad_norm))
    assert resumed == whole[stop:]
    assert all(
        torch.equal(a, b) for a, b in zip(contents(step.state), contents(resumed_step.state), strict=True)
    )


@pytest.mark.parametrize(
    "options", [{}, {"bfloat16": True}, {"optimizer": "adamw"}], ids=lambda options: str(options)
)
def test_resume_of_a_unet_is_bit_exact(batches, tmp_path, options):
    """Most of its weights are matrices, whose momentum Muon keeps."""
    stop, whole, resumed = BATCHES + 2, dl.UNet(num_classes=10, width=16), dl.UNet(num_classes=10, width=16)
    for step in start(whole, "own", batches, seed=1, **options):
        if step.index == stop:
            step.save(tmp_path / "checkpoint.pt")
    for resumed_step in start(resumed, "own", batches, seed=2, resume=tmp_path / "checkpoint.pt", **options):
        assert resumed_step.index > stop
    assert resumed_step[:4] == step[:4]
    assert len(contents(step.state)) == len(contents(resumed_step.state))
    assert all(
        torch.equal(a, b) for a, b in zip(contents(step.state), contents(resumed_step.state), strict=True)
    )


def test_checkpoint_brings_everything_back(tiny, batches, tmp_path):
    step = next(itertools.islice(start(tiny, "own", batches, seed=1), 5, None))
    step.save(tmp_path / "checkpoint.pt")
    kept = copy.deepcopy(contents(step.state))
    other = next(start(type(tiny)(num_classes=10), "own", batches, seed=2)).state
    assert not all(torch.equal(a, b) for a, b in zip(kept, contents(other), strict=True))
    other.load(tmp_path / "checkpoint.pt")
    assert all(torch.equal(a, b) for a, b in zip(kept, contents(other), strict=True))
    assert torch.equal(other.epoch_start, step.state.epoch_start)


def test_finished_run_has_no_steps_left(tiny, batches, tmp_path):
    step = last(start(tiny, "own", batches, seed=1))
    step.save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=f"num_steps must be at least {step.index + 1}, got {step.index}"):
        next(start(tiny, "own", batches, seed=1, resume=tmp_path / "checkpoint.pt"))


@pytest.fixture
def checkpoint(tiny, batches, tmp_path) -> Path:
    next(start(tiny, "own", batches, seed=1)).save(tmp_path / "checkpoint.pt")
    return tmp_path / "checkpoint.pt"


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_truncated_checkpoint_is_refused(tiny, batches, checkpoint, share):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=re.escape(str(checkpoint))):
        next(start(tiny, "own", batches, seed=1, resume=checkpoint))


@pytest.mark.parametrize(
    "piece", ["model", "ema", "optimizer", "generator", "index", "batches_done", "epoch_start", "kind"]
)
def test_checkpoint_that_lacks_a_piece_is_refused(tiny, batches, checkpoint, piece):
    saved = torch.load(checkpoint, weights_only=True)
    del saved[piece]
    torch.save(saved, checkpoint)
    with pytest.raises(ValueError, match=re.escape(str(checkpoint))):
        next(start(tiny, "own", batches, seed=1, resume=checkpoint))


def test_checkpoint_of_another_network_is_refused(tiny, batches, checkpoint):
    for other in (type(tiny)(num_classes=5), dl.PlainConvNet(width=4)):
        with pytest.raises(ValueError, match="not a whole checkpoint of this training"):
            next(start(other, "own", batches, seed=1, resume=checkpoint))


def test_missing_checkpoint_is_not_found(tiny, batches, tmp_path):
    with pytest.raises(FileNotFoundError):
        next(start(tiny, "own", batches, seed=1, resume=tmp_path / "none.pt"))


def test_checkpoint_cannot_run_code(tiny, batches, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.mkdir, (tmp_path / "trapped",)

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match=r"trap\.pt"):
        next(start(tiny, "own", batches, seed=1, resume=tmp_path / "trap.pt"))
    assert not (tmp_path / "trapped").exists()


def big_state() -> TrainingState:
    """Four megabytes, so that most of the time of a save is spent in writing."""
    model, ema = (torch.nn.Linear(1000, 500) for _ in range(2))
    return TrainingState(model, ema, torch.optim.AdamW(model.parameters()), torch.Generator())


def fill(state: TrainingState, index: int) -> TrainingState:
    state.index = index
    for module in (state.model, state.ema):
        torch.nn.init.constant_(module.weight, index)
    return state


def save_again_and_again(state: TrainingState, path: Path) -> None:
    for index in range(2, 2000):
        fill(state, index).save(path)


@forks
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.03, 0.07])
def test_kill_during_a_save_leaves_a_whole_checkpoint(tmp_path, delay):
    path = tmp_path / "checkpoint.pt"
    state = fill(big_state(), 1)
    state.save(path)
    begin, first = time.monotonic(), path.stat()
    process = multiprocessing.get_context("fork").Process(
        target=save_again_and_again, args=(state, path), daemon=True
    )
    process.start()
    try:
        while path.stat().st_mtime_ns == first.st_mtime_ns and time.monotonic() < begin + 20:
            time.sleep(0.001)
        time.sleep(delay)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    survivor = big_state()
    survivor.load(path)
    assert survivor.index > 1
    for module in (survivor.model, survivor.ema):
        assert (module.weight == survivor.index).all()
    assert [file for file in tmp_path.iterdir() if file != path and not file.match(".*.part.pt")] == []


def save_with_room_for(size: int, state: TrainingState, path: Path) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    with pytest.raises((OSError, RuntimeError)):
        state.save(path)


@forks
@pytest.mark.parametrize("size", [0, 100_000, 3_900_000])
def test_full_disk_keeps_the_old_checkpoint(tmp_path, size):
    path = tmp_path / "checkpoint.pt"
    state = big_state()
    state.index = 1
    state.save(path)
    old = path.read_bytes()
    state.index = 2
    process = multiprocessing.get_context("fork").Process(target=save_with_room_for, args=(size, state, path))
    process.start()
    process.join()
    assert process.exitcode == 0, "no error, or a crash"
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("first", "then"), [("muon", "adamw"), ("adamw", "muon")])
def test_a_checkpoint_of_another_optimizer_is_refused(tiny, batches, tmp_path, first, then):
    path = tmp_path / "checkpoint.pt"
    next(start(tiny, "list", batches, 0, optimizer=first)).save(path)
    names = {"muon": "Muon", "adamw": "AdamW"}
    with pytest.raises(ValueError, match=f"trained by {names[first]}, not by {names[then]}"):
        next(start(tiny, "list", batches, 0, optimizer=then, resume=path))
