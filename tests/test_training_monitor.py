"""The display of a training: what it shows, what it costs, and that ■ stops it in a kernel."""

import base64
import io
import queue
import random
import re
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from PIL import Image

import diffusion_lab as dl
from diffusion_lab.fitting import Step
from diffusion_lab.monitor import Monitor
from diffusion_lab.widgets import training_monitor
from diffusion_lab.widgets.training_monitor import TrainingMonitor, draw_samples, watch

SCHEDULE = dl.DiffusionSchedule.cosine(1000)
PATIENCE = 120  # seconds, for a kernel on a busy machine
SETUP = """
import torch
import diffusion_lab as dl

torch.manual_seed(0)
digits = dl.data.sklearn_digits()
network, schedule = dl.UNet(num_classes=10, width=8), dl.DiffusionSchedule.cosine(1000)
loader = dl.data.loader(digits.images[:256], digits.labels[:256], batch_size=4)
training = dl.widgets.watch(
    dl.train(network, schedule, loader, num_steps=NUM_STEPS, generator=torch.Generator().manual_seed(0)),
    num_steps=NUM_STEPS,
    draw=dl.widgets.draw_samples(loader, schedule, number=2),
)
seen = []
"""
TRAIN = """
for step in training:
    mine = step.ema
    seen.append(step.index)
"""
LATER = """
assert seen == list(range(1, step.index + 1)) == list(training.losses)
assert training.index == step.index == step.state.index
assert mine is step.ema
assert all(torch.isfinite(weights).all() for net in (mine, network) for weights in net.parameters())
drawn = dl.sample(mine, schedule, (2, 1, 28, 28), labels=[1, 2], num_steps=1, progress=False)
assert torch.isfinite(drawn).all()
print(step.index)
"""


class Screen:
    """Stands in for IPython's `display` and for the handle it gives, and keeps what was shown."""

    def __init__(self, monkeypatch):
        self.shown: list = []
        monkeypatch.setattr(training_monitor, "display", self)

    def __call__(self, data, **_options):
        self.shown.append(data)
        return self

    def update(self, data, **_options) -> None:
        self.shown.append(data)


@pytest.fixture
def screen(monkeypatch):
    return Screen(monkeypatch)


@pytest.fixture(scope="module")
def loader():
    digits = dl.data.sklearn_digits()
    return dl.data.loader(digits.images[:64], digits.labels[:64], batch_size=4)


def training(loader, num_steps: int):
    torch.manual_seed(0)
    return dl.train(
        dl.UNet(num_classes=10, width=8),
        SCHEDULE,
        loader,
        num_steps=num_steps,
        generator=torch.Generator().manual_seed(0),
    )


def test_no_kernel_no_picture():
    assert type(watch([], num_steps=3)) is Monitor


def test_one_display_is_replaced_by_a_still_whose_text_never_changes(screen, loader):
    monitor = TrainingMonitor(training(loader, 6), num_steps=6, draw=draw_samples(loader, SCHEDULE, number=2))
    for _ in monitor:
        pass
    *live, still = screen.shown
    assert live
    bundle, metadata = still._repr_mimebundle_()
    texts = {data["text/plain"] for data in [*live, bundle]}
    assert len(texts) == 1
    assert not re.search(r"\d", texts.pop())
    assert metadata["image/png"]["alt"] == bundle["text/plain"]
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).width > 600
    shown = len(screen.shown)
    assert list(monitor) == []
    assert len(screen.shown) == shown + 1  # the still again


def test_a_watched_training_is_the_same_training(screen, loader):
    def draw(model):
        return torch.rand(2, 1, 8, 8)  # from torch's own random numbers, which the first weights come from

    plain = [step.loss for step in training(dl.data.loader(*loader.dataset.tensors, batch_size=4), 5)]
    fresh = dl.data.loader(*loader.dataset.tensors, batch_size=4)
    monitor = TrainingMonitor(training(fresh, 5), num_steps=5, draw=draw)
    state = torch.get_rng_state()
    assert [step.loss for step in monitor] == plain
    assert torch.equal(torch.get_rng_state(), state)


def test_drawing_takes_a_twentieth_of_the_time(screen, loader):
    """Before each drawing what was spent lies within its share, so that at most the last one is too much."""
    costs = {"samples": [], "figure": []}

    def draw(_model):
        begin = time.perf_counter()
        time.sleep(0.02)
        costs["samples"].append(time.perf_counter() - begin)
        return torch.zeros(2, 1, 8, 8)

    monitor = TrainingMonitor(training(loader, 60), num_steps=60, draw=draw)
    begin = time.perf_counter()
    for step in monitor:
        time.sleep(0.03)
        costs["figure"].append(monitor.seconds["figure"] - sum(costs["figure"]))
        elapsed = time.perf_counter() - begin
        for part, share in (("samples", 0.02), ("figure", 0.03)):
            assert monitor.seconds[part] <= share * elapsed + 1.5 * max(costs[part]), (part, step.index)
    assert 2 <= len(costs["samples"]) < 20


def test_a_drawing_that_fails_says_so(screen, loader):
    def draw(_model):
        raise RuntimeError("no such thing")

    with pytest.raises(RuntimeError, match="no such thing"):
        list(TrainingMonitor(training(loader, 3), num_steps=3, draw=draw))


def test_colour_pictures_and_losses_that_are_no_numbers(screen):
    losses = [-2.0, float("nan"), float("inf")]
    steps = [Step(index, loss, 0.1, 1.0, torch.nn.Identity(), None) for index, loss in enumerate(losses, 1)]
    monitor = TrainingMonitor(steps, num_steps=3, draw=lambda _model: torch.zeros(3, 3, 4, 4))
    assert [step.index for step in monitor] == [1, 2, 3]
    assert screen.shown
    assert set(monitor.smoothed.values()) == {-2.0}  # of those that are numbers


@pytest.mark.parametrize(
    "batches", [5, iter(()), {"a": 1}, torch.utils.data.TensorDataset(torch.zeros(3, 2)), [torch.zeros(4, 2)]]
)
def test_nothing_is_drawn_of_what_shows_no_pictures(batches):
    assert draw_samples(batches, SCHEDULE) is None


def test_samples_are_drawn_from_the_same_noise(loader):
    model = dl.UNet(num_classes=10, width=8)
    draw = draw_samples(loader, SCHEDULE, number=3)
    assert draw(model).shape == (3, 1, *loader.dataset.tensors[0].shape[-2:])
    assert torch.equal(draw(model), draw(model))


class Kernel:
    """A kernel to which cells are sent, and which is interrupted."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def send(self, code: str) -> str:
        return self.client.execute(code)

    def output(self, sent: str, until: str) -> dict[str, list]:
        """What a cell puts out until a message of that kind has come, which is included, by kind."""
        collected: dict[str, list] = {}
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                break
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != sent:
                continue
            collected.setdefault(kind, []).append(content)
            if kind == until and (kind != "status" or content["execution_state"] == "idle"):
                return collected
        pytest.fail(f"no {until} within {PATIENCE} seconds: {collected}")

    def run(self, code: str) -> str:
        """Run a cell that must not fail; returns what it printed."""
        output = self.output(self.send(code), "status")
        assert "error" not in output, output["error"]
        return "".join(part["text"] for part in output.get("stream", []))

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


@pytest.fixture
def kernel():
    kernel = Kernel()
    try:
        yield kernel
    finally:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


def test_stopped_at_twenty_random_moments_every_later_cell_runs(kernel):
    moments, done = random.Random(0), 0
    kernel.run(SETUP.replace("NUM_STEPS", "1_000_000"))
    for _ in range(20):
        sent = kernel.send(TRAIN)
        kernel.output(sent, "display_data")  # the first step is done
        time.sleep(moments.uniform(0, 0.3))
        kernel.interrupt()
        output = kernel.output(sent, "status")
        assert "error" not in output, output["error"]
        text = "".join(part["text"] for part in output["stream"])
        found = re.fullmatch(
            r"stopped after ([\d,]+) of 1,000,000 steps; the network keeps what it has learned\n", text
        )
        assert found, text
        now = int(found[1].replace(",", ""))
        assert int(kernel.run(LATER)) == now > done  # it went on from there
        done = now


def test_a_second_interrupt_is_an_interrupt(kernel):
    kernel.run(SETUP.replace("NUM_STEPS", "1_000_000"))
    sent = kernel.send(TRAIN + "    print('in the body')\n    __import__('time').sleep(300)")
    kernel.output(sent, "stream")
    kernel.interrupt()
    kernel.output(sent, "update_display_data")  # "stopping after the step in progress"
    kernel.interrupt()
    (error,) = kernel.output(sent, "status")["error"]
    assert error["ename"] == "KeyboardInterrupt"
    assert kernel.run(LATER) == "1\n"


def test_what_a_notebook_keeps_is_a_picture_with_words():
    simple = "dl.train_diffusion(dl.UNet(num_classes=10, width=8), [digits[:2]] * 2, schedule, epochs=1)"
    digits = "digits = (digits.images[:4], digits.labels[:4])"
    cells = [SETUP.replace("NUM_STEPS", "3"), TRAIN, TRAIN, f"{digits}\nlen({simple})"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute()
    _, first, again, diffusion = (cell.outputs for cell in notebook.cells)
    for outputs in (first, again[:1], diffusion[:1]):
        (output,) = outputs
        assert output.output_type == "display_data"
        assert set(output.data) == {"image/png", "text/plain"}
    assert first[0].data["text/plain"] == again[0].data["text/plain"]
    assert again[1].text == "there is no step left: 3 of 3 steps are done\n"
    assert diffusion[1].data["text/plain"] == "2"
    assert not notebook.metadata.get("widgets")


@pytest.mark.notebook
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to oneself")
@pytest.mark.parametrize("stop", [1, 3, 7])
def test_every_later_cell_of_the_lesson_runs_wherever_its_training_is_stopped(stop, monkeypatch):
    monkeypatch.setenv("DIFFUSION_LAB_QUICK", "1")
    path = Path(__file__).parents[1] / "notebooks" / "05_training.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (loop,) = (cell for cell in notebook.cells if cell.source.startswith("for step in training:"))
    press = f"    if step.index == {stop}:\n        __import__('os').kill(__import__('os').getpid(), 2)\n"
    first, rest = loop.source.split("\n", 1)
    loop.source = f"{first}\n{press}{rest}"
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=4 * PATIENCE, kernel_name="python3", resources=where).execute()
    text = "".join(output.get("text", "") for output in loop.outputs)
    assert text == f"stopped after {stop} of 8 steps; the network keeps what it has learned\n"
