import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch

from benchmarks import common, peers, quality_per_budget
from diffusion_lab.grading import keys
from diffusion_lab.grading.answers import extract
from diffusion_lab.mini_sd.pipeline import MiniSD
from diffusion_lab.mini_sd.text import Clip
from diffusion_lab.mini_sd.train import new_unet
from diffusion_lab.mini_sd.vae import VAE

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    p.stem for p in (ROOT / "benchmarks").glob("*.py") if p.stem not in ("__init__", "common", "peers")
)
PACKAGES = ("diffusers", "denoising_diffusion_pytorch", "smalldiffusion", "accelerate", "ema_pytorch")


@pytest.fixture
def nothing_installed(monkeypatch):
    """As in an environment without the extra "benchmarks"."""
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)


@pytest.fixture
def options(tmp_path):
    return common.parse(common.parser("A benchmark."), ["--out", str(tmp_path / "result.json")])


# --- every benchmark


@pytest.mark.parametrize("name", MODULES)
def test_help_needs_no_peer(name, nothing_installed, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    module = importlib.import_module(f"benchmarks.{name}")
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(
        option in text for option in ("--out", "--force", "--repeats", "--seeds", "--threads", "--quick")
    )


@pytest.mark.parametrize("name", [*MODULES, "peers"])
def test_no_peer_is_imported_at_the_top(name):
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text("utf-8"))
    imported = [a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names]
    imported += [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert imported
    assert not {n.split(".")[0] for n in imported} & set(PACKAGES)


def test_the_readme_has_a_command_for_every_benchmark():
    text = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert all(f"-m benchmarks.{name}" in text for name in MODULES)


# --- common


def test_parse_names_what_is_wrong(tmp_path, capsys):
    existing = tmp_path / "there.json"
    existing.write_text("{}")
    for arguments, named in (
        (["--repeats", "0"], "--repeats must be at least 1, got 0"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        (["--seeds", "1", "1"], "--seeds must differ"),
        (["--out", str(existing)], "add --force to replace it"),
    ):
        with pytest.raises(SystemExit) as stop:
            common.parse(common.parser("A benchmark."), arguments)
        assert stop.value.code == 2
        assert named in capsys.readouterr().err
    assert existing.read_text() == "{}"
    common.parse(common.parser("A benchmark."), ["--out", str(existing), "--force"])


def test_table_is_aligned_and_knows_formats():
    rows = [
        {"name": "a", "count": 12345, "share": 0.123456},
        {"name": "longer", "count": None, "share": float("nan")},
    ]
    lines = common.table(rows, {"name": "", "count": "", "share": ".1%"}).splitlines()
    assert lines == [
        "| name   |  count | share |",
        "| ------ | -----: | ----: |",
        "| a      | 12,345 | 12.3% |",
        "| longer |      – |     – |",
    ]
    assert common.table(rows, ["count"]).splitlines()[0] == "|  count |"
    assert "0.1235" in common.table(rows)
    assert common.table([]) == "(no rows)"


def test_medians_group_rows_and_leave_out_what_is_no_number():
    rows = [{"who": "a", "n": n} for n in (1.0, 5.0, 2.0, None, float("nan"))] + [{"who": "b", "n": None}]
    assert common.medians(rows, by=["who"], of=["n"]) == [
        {"who": "a", "runs": 5, "n": 2.0},
        {"who": "b", "runs": 1, "n": None},
    ]


def test_measure_warms_up_and_takes_the_median(monkeypatch):
    clock, calls = [0.0], []

    def fn():
        clock[0] += (100, 1, 9, 2)[len(calls)]  # the first call is slow, one of the others too
        calls.append(0)

    monkeypatch.setattr(common, "cpu_seconds", lambda: clock[0])
    assert common.measure(fn, repeats=3) == 2
    with pytest.raises(ValueError, match="repeats"):
        common.measure(fn, repeats=0)


def test_finish_writes_what_was_measured_on_what(options, capsys):
    rows = [{"who": "a", "seconds": torch.tensor(2.0), "distance": float("inf")}]
    common.finish(options, "name", "How fast?", rows, medians=[{"who": "a", "median": 2.0}], exponent=1.5)
    text = options.out.read_text("utf-8")
    content = json.loads(text)
    assert content["rows"] == [{"who": "a", "seconds": 2.0, "distance": None}]
    assert content["medians"] == [{"who": "a", "median": 2.0}]
    assert content["exponent"] == 1.5
    assert content["machine"]["threads"] == torch.get_num_threads()
    assert content["versions"]["torch"] == torch.__version__
    assert {"out", "force"}.isdisjoint(content["options"])
    assert str(ROOT) not in text
    printed = capsys.readouterr().out
    assert "How fast?" in printed
    assert "| a   |" in printed


def test_a_failed_write_leaves_the_old_file(options, monkeypatch):
    common.write(options, "name", "?", [{"a": 1}])
    before = options.out.read_bytes()

    def disk_full(*_args):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", disk_full)
    with pytest.raises(OSError, match="no space"):
        common.write(options, "name", "?", [{"a": 2}])
    assert options.out.read_bytes() == before
    assert list(options.out.parent.iterdir()) == [options.out]


def test_without_out_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common.finish(common.parse(common.parser("A benchmark."), []), "name", "?", [{"a": 1}])
    assert list(tmp_path.iterdir()) == []


# --- peers


def test_find_reads_a_batch_size():
    assert peers.find("classic") == (peers.Classic, None)
    assert peers.find("classic:32") == (peers.Classic, 32)
    for wrong in ("classical", "classic:", "classic:0", "classic:-1", "classic:x"):
        with pytest.raises(ValueError, match="contender"):
            peers.find(wrong)


@pytest.mark.parametrize("kind", [c for c in peers.CONTENDERS.values() if c.package])
def test_a_missing_peer_says_what_to_install(kind, nothing_installed, digits):
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e \"\.\[benchmarks\]\""):
        kind(digits)


@pytest.mark.parametrize("kind", peers.CONTENDERS.values())
def test_every_contender_says_where_it_is_from(kind):
    assert kind.name
    assert kind.source
    assert kind.recipe
    assert kind.departures
    assert kind.batch_size > 0


def test_a_contender_learns_and_draws(digits):
    contender = peers.Classic(digits, seed=1, batch_size=4)
    before = [p.clone() for p in contender.model.parameters()]
    contender.step()
    assert contender.images == 4
    assert any((a != b).any() for a, b in zip(before, contender.model.parameters(), strict=True))
    assert contender.draw(torch.tensor([3, 1]), num_steps=2).shape == (2, 1, 28, 28)
    assert contender.model.training


def know(contender, x_0):
    """Put the exact denoiser of data that is always `x_0` in the place of a contender's network."""

    def noise(x, abar):
        abar = abar[:, None, None, None]
        return (x - abar.sqrt() * x_0) / (1 - abar).sqrt(), abar

    def eps(table):
        return lambda x, t, *_: noise(x, table[t].float())[0]

    def v(x, t, *_):
        found, abar = noise(x, contender.model.alphas_cumprod[t])
        return abar.sqrt() * found - (1 - abar).sqrt() * x_0

    match contender:
        case peers.Diffusers():
            contender.model.forward = eps(contender.sampling.alphas_cumprod)
        case peers.DenoisingDiffusionPytorch():
            contender.model.model.forward = contender.ema.ema_model.model.forward = v
        case peers.Smalldiffusion():
            contender.model.forward = contender.ema.forward = lambda x, sigma, cond=None: (x - x_0) / sigma
        case peers.Classic():
            contender.model.forward = eps(contender.schedule.alphas_cumprod)


@pytest.mark.parametrize("kind", peers.PEERS)
def test_a_peer_that_knows_the_answer_has_no_loss_and_draws_it(kind, digits, monkeypatch):
    if kind.package:
        pytest.importorskip(kind.package)
    x_0, losses = digits.images[7:8], []
    contender = kind(
        peers.dl.data.Digits(x_0.repeat(8, 1, 1, 1), digits.labels[:8], "one digit"), batch_size=8
    )
    know(contender, x_0)
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: losses.append(loss.item()))
    contender.step()
    assert losses == pytest.approx([0], abs=1e-4)
    drawn = contender.draw(digits.labels[:2], num_steps=20)
    assert (drawn - x_0).abs().max() < 0.06  # smalldiffusion ends at sigma = 0.01, the others at 0


def test_ours_takes_the_package_s_defaults(digits):
    contender = peers.Ours(digits)
    assert contender.model.config == peers.dl.UNet(num_classes=10).config
    assert contender.batch_size == peers.dl.data.loader(digits.images).sampler.batch_size
    assert contender.settings()["train"]["objective"] in peers.dl.process.OBJECTIVES


# --- quality_per_budget


@pytest.mark.parametrize(
    ("budget", "rate", "batch", "steps"), [(60, 200, 128, 93), (1, 1, 128, 1), (600, 64, 64, 600)]
)
def test_planned_steps(budget, rate, batch, steps):
    assert quality_per_budget.planned_steps(budget, rate, batch) == steps
    assert steps == 1 or steps * batch / rate <= budget


class FakeContender:
    """A contender whose every step takes `cost` seconds of a clock."""

    def __init__(self, log, clock, name, cost, num_steps=10**9):
        self.log, self.clock, self.name, self.cost, self.num_steps, self.images = (
            log,
            clock,
            name,
            cost,
            num_steps,
            0,
        )

    def step(self):
        self.clock[0] += self.cost
        self.images += 10
        self.log.append(self.name)


def fake_runs(monkeypatch, **costs):
    log, clock = [], [0.0]
    monkeypatch.setattr(common, "cpu_seconds", lambda: clock[0])
    made = {name: FakeContender(log, clock, name, *cost) for name, cost in costs.items()}
    return log, [quality_per_budget.Run(name, contender, [4.0, 8.0]) for name, contender in made.items()]


def test_a_race_takes_turns_and_stops_at_every_budget(monkeypatch):
    log, runs = fake_runs(monkeypatch, a=(1.0,), b=(0.5,))
    reached = [(run.name, budget, run.cpu_seconds) for run, budget in quality_per_budget.race(runs, 2.0)]
    assert "".join(log) == "aabbbb" * 4
    assert reached == [("a", 4, 4), ("b", 4, 4), ("a", 8, 8), ("b", 8, 8)]


def test_a_race_counts_the_step_that_crosses_a_budget_and_ends_with_the_planned_steps(monkeypatch):
    log, runs = fake_runs(monkeypatch, slow=(3.0,), short=(1.0, 5))
    reached = [(run.name, budget, run.cpu_seconds) for run, budget in quality_per_budget.race(runs, 100.0)]
    assert reached == [("slow", 4, 6), ("slow", 8, 9), ("short", 4, 4), ("short", 8, 5)]
    assert log.count("short") == 5


def test_looking_does_not_count(monkeypatch):
    _, runs = fake_runs(monkeypatch, a=(1.0,))
    for run, _ in quality_per_budget.race(runs, 2.0):
        run.contender.clock[0] += 1000  # sampling and judging
    assert run.cpu_seconds == 8


def test_the_rate_leaves_out_the_first_step(monkeypatch):
    _, (run,) = fake_runs(monkeypatch, a=(2.0,))
    assert quality_per_budget.training_rate(run, 4.0) == 5.0
    assert run.steps == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--num-samples 100", "--num-samples must be at least 200"),
        ("--budgets 60 0", "--budgets must be above 0"),
        ("--budgets nan", "--budgets must be above 0"),
        ("--slice -1", "--slice must be above 0"),
        ("--num-steps 0", "--num-steps must lie in 1 … 1000"),
        ("--contenders theirs", "is not known; choose one of: classic"),
        ("--resume", "--resume needs --out"),
    ],
)
def test_quality_per_budget_names_the_option(arguments, named, capsys):
    with pytest.raises(SystemExit) as stop:
        quality_per_budget.main(arguments.split())
    assert stop.value.code == 2
    assert named in capsys.readouterr().err


def test_quality_per_budget_from_end_to_end_and_on(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DIFFUSION_LAB_DATA", raising=False)
    monkeypatch.setattr(peers.dl.data, "cache_folder", lambda: tmp_path)
    out = tmp_path / "result.json"
    smallest = {"budgets": [0.1], "slice": 0.1, "num_samples": 200, "peer_samples": 200, "num_steps": 1}
    monkeypatch.setattr(quality_per_budget, "QUICK", smallest | {"rate_for": 0.05})
    command = ["--quick", "--contenders", "ours", "--seeds", "0", "--out", str(out)]
    assert quality_per_budget.main(command) == 0
    content = json.loads(out.read_text("utf-8"))
    (row,) = content["rows"]
    assert (row["contender"], row["seed"], row["budget"], row["samples"]) == ("ours", 0, 0.1, 200)
    assert row["frechet_distance"] > row["floor"] > 0
    assert row["steps"] == row["planned_steps"] >= 1 or row["cpu_seconds"] >= 0.1
    assert row["images"] == row["steps"] * content["contenders"]["ours"]["settings"]["batch_size"]
    assert "a quick run" in capsys.readouterr().err

    def no_run(*_args):
        raise AssertionError("this row was there already")

    monkeypatch.setattr(quality_per_budget.Run, "train", no_run)
    assert quality_per_budget.main([*command, "--resume"]) == 0
    assert json.loads(out.read_text("utf-8"))["rows"] == content["rows"]

    content["contenders"]["ours"]["settings"]["batch_size"] = 3
    out.write_text(json.dumps(content))
    with pytest.raises(SystemExit):
        quality_per_budget.main([*command, "--resume"])
    assert "the rows of ours in --out were measured with" in capsys.readouterr().err


def test_rows_without_classes_have_no_class_accuracy(digits):
    run = SimpleNamespace(
        name="classic",
        contender=SimpleNamespace(conditional=False, draw=lambda y, _: torch.randn(len(y), 1, 28, 28)),
    )
    options = SimpleNamespace(num_samples=200, peer_samples=200, num_steps=1)
    row = quality_per_budget.verdict(options, run, 0, peers.dl.load_judge())
    assert row["class_accuracy"] is None
    assert row["frechet_distance"] > 100


# --- latent_vs_pixel


@pytest.fixture
def latent_vs_pixel(monkeypatch):
    """The benchmark with small untrained networks in the place of those that ship."""
    module = importlib.import_module("benchmarks.latent_vs_pixel")
    schedule, clip = peers.dl.DiffusionSchedule.cosine(20), Clip(features=16, layers=1, width=8)
    parts = (
        VAE(width=8),
        clip,
        peers.dl.UNet(in_channels=4, context_features=16, width=8, attention=(0,), patch=1),
    )
    mini = MiniSD(*(part.eval().requires_grad_(False) for part in parts), schedule, "v", 2.0)
    monkeypatch.setattr(module.dl, "load_pretrained", lambda _name: mini)
    monkeypatch.setattr(
        module.scene_judge, "load_scene_judge", lambda: module.scene_judge.SceneJudge(8).eval()
    )
    monkeypatch.setattr(module.dl.data, "mnist", lambda train=True: peers.dl.data.sklearn_digits(train))
    return module


@pytest.mark.parametrize(
    "text", ["latents:3", "latent", "latent:", "latent:0", "latent:-1", "latent:x", "latent:1:2"]
)
def test_a_run_is_a_contender_and_seconds(latent_vs_pixel, text, capsys):
    assert latent_vs_pixel.read_run("pixels-2:1.5") == ("pixels-2", 1.5)
    with pytest.raises(SystemExit):
        latent_vs_pixel.main(["--runs", text])
    assert "--runs" in capsys.readouterr().err


def test_the_latent_contender_is_built_like_the_network_that_ships(latent_vs_pixel):
    shipped = new_unet(Clip(features=16, layers=1, width=8).text).config
    latent = latent_vs_pixel.NETWORKS["latent"]
    assert {key: shipped[key] for key in latent} == latent
    for name, more in (("pixels-4", 0), ("pixels-2", 1), ("pixels-1", 2)):
        other = latent_vs_pixel.NETWORKS[name]
        assert other["multipliers"] == (1,) * more + latent["multipliers"]
        assert other["attention"] == tuple(level + more for level in latent["attention"])
        assert 64 // other["patch"] // 2**more == 16


def test_latent_vs_pixel_needs_mnist(latent_vs_pixel, capsys):
    with pytest.raises(SystemExit):
        latent_vs_pixel.main([])
    assert "needs MNIST" in capsys.readouterr().err


def test_latent_and_pixels_are_trained_on_the_same_scenes(latent_vs_pixel, digits):
    mini = latent_vs_pixel.dl.load_pretrained("mini-sd")
    data = latent_vs_pixel.draw_scenes(mini, digits, 6, seed=1)
    assert (data.pixels.shape, data.codes.shape, data.tokens.shape) == (
        (6, 3, 64, 64),
        (6, 4, 16, 16),
        (6, 24),
    )
    pixels, numbers = next(iter(latent_vs_pixel.Batches(data.pixels, 4, seed=2)))
    codes, same = next(iter(latent_vs_pixel.Batches(data.codes, 4, seed=2)))
    assert numbers.tolist() == same.tolist()
    assert torch.equal(codes, data.codes[numbers])
    assert torch.allclose(mini.encode(pixels), codes, atol=0.1)  # up to the rounding of pixels to bytes


@pytest.mark.parametrize("name", ["latent", "pixels-4", "pixels-2", "pixels-1"])
def test_a_network_that_knows_the_answer_draws_it(latent_vs_pixel, digits, name, monkeypatch):
    mini = latent_vs_pixel.dl.load_pretrained("mini-sd")
    data = latent_vs_pixel.draw_scenes(mini, digits, 4, seed=1)
    options = SimpleNamespace(batch_size=4, width=8, guidance_scale=2.0, num_steps=4)
    contender = latent_vs_pixel.Contender(name, mini, data, options, seed=0, num_steps=2)
    before = [p.clone() for p in contender.unet.parameters()]
    contender.step()
    assert contender.images == 4
    assert any((a != b).any() for a, b in zip(before, contender.unet.parameters(), strict=True))
    known = data.codes[:1] if name == "latent" else data.pixels[:1].float() / 127.5 - 1

    def exact(x, t, context):
        alpha, sigma = mini.schedule.alpha_sigma(int(t[0]), x)
        return alpha * (x - alpha * known) / sigma - sigma * known  # v of data that is always `known`

    monkeypatch.setattr(contender.ema, "forward", exact)
    drawn = contender.draw(["a red seven", "a blue one"], options, seed=0)
    wanted = mini.decode(known) if name == "latent" else known
    assert drawn.shape == (2, 3, 64, 64)
    assert (drawn - wanted).abs().max() < 1e-2


def test_latent_vs_pixel_from_end_to_end(latent_vs_pixel, tmp_path, capsys):
    out = tmp_path / "result.json"
    assert latent_vs_pixel.main(["--quick", "--out", str(out)]) == 0
    content = json.loads(out.read_text("utf-8"))
    assert [row["contender"] for row in content["rows"]] == ["latent", "pixels-4"]
    for row in content["rows"]:
        assert row["frechet_distance"] > 0 < row["floor"]
        assert row["images"] == row["steps"] * content["options"]["batch_size"]
        assert row["training_ms"] > 0 < row["drawing_ms"]
        assert 0 <= row["digit"] <= 1
    assert content["coding"]["decoding_ms"] > 0
    assert "a quick run" in capsys.readouterr().err


def test_it_runs_as_the_readme_says():
    environment = os.environ | {"DIFFUSION_LAB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.quality_per_budget", "--budgets", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("--budgets must be above 0, got [0.0]")


def test_a_class_is_made_of_right_and_wrong_answers_and_the_same_from_a_seed(tmp_path):
    grading, key = importlib.import_module("benchmarks.grading"), keys.load("01", ROOT / "solutions")
    texts = []
    for folder in ("one", "two"):
        grading.make_class(tmp_path / folder, 12, "01", seed=3)
        texts.append([path.read_text("utf-8") for path in sorted((tmp_path / folder).rglob("*.ipynb"))])
    assert texts[0] == texts[1]
    assert len(texts[0]) == len(set(texts[0])) == 12
    sources = [extract(nbformat.reads(text, 4), key).sources.get("1.2", "") for text in texts[0]]
    drawn = grading.answers_of("01")["1.2"]
    assert any(source.endswith(answer.strip()) for source in sources for answer in drawn if answer)
    own = keys.answer_cells(key.solution)["1.2"].source
    assert 0 < sum(source.strip() == own.strip() for source in sources) < 12


# --- nonces


@pytest.fixture
def nonces():
    return importlib.import_module("benchmarks.nonces")


class TestTrial:
    """The right answers to one task under one nonce after the other."""

    def trial(self, nonces, *answers, number="1.2"):
        task = nonces.registry.modules()["forward_noising"].exercise.tasks[number]
        told = []
        given = [nonces.Answer(f"answer {k}", answer) for k, answer in enumerate(answers)]
        return nonces.Trial(task, given, told.append), told

    def test_right_answers_are_accepted(self, nonces):
        trial, told = self.trial(nonces)
        trial.answers = [nonces.Answer("the key", trial.task.rights[""])]
        row = trial.run([1, 2, 3, 4], minutes=1)
        assert (row["checks"], row["rejected"], told) == (4, 0, [])

    def test_what_is_rejected_under_some_nonces_only_is_told_with_the_nonce(self, nonces):
        trial, told = self.trial(nonces)
        right, seen = trial.task.rights[""], set()

        def answer(x_prev, t, schedule, noise):
            seen.add(trial.task.exercise.nonce)
            return right(x_prev, t, schedule, noise) + (len(seen) == 2)

        trial.answers = [nonces.Answer("bank, row 7", answer)]
        row = trial.run([11, 12, 13], minutes=1)
        assert (row["nonces"], row["rejected"]) == (3, 1)
        assert told[0].startswith("1.2, bank, row 7, nonce 12: 'refused: ")

    def test_a_number_is_checked_against_the_middle_of_what_is_right(self, nonces):
        trial, told = self.trial(nonces, number="1.1")
        trial.answers = [nonces.Answer("middle", trial.task.middle(trial.task.rights[""]))]
        trial.answers += [nonces.Answer("wrong", -5.0)]
        assert trial.run([0, 1], minutes=1)["rejected"] == len(told) == 2

    def test_a_slow_check_takes_fewer_nonces(self, nonces, monkeypatch):
        clock = iter(range(0, 10_000, 50))
        monkeypatch.setattr(nonces.common, "cpu_seconds", lambda: next(clock))
        trial, _ = self.trial(nonces)
        row = trial.run(range(100), minutes=5)
        assert nonces.LEAST < row["nonces"] < 10
        assert row["cpu_minutes"] > 5


def test_nonces_from_end_to_end_and_on(nonces, tmp_path, monkeypatch, capsys):
    out = tmp_path / "result.json"
    arguments = ["--nonces", "2", "--exercises", "08", "--out", str(out)]
    assert nonces.main(arguments) == 0
    content = json.loads(out.read_text("utf-8"))
    assert [row["task"] for row in content["rows"]] == ["8.1", "8.2", "8.3"]
    bank = nonces.bank.load("latents").RIGHT["price"]
    assert content["rows"][0]["right_answers"] == 1 + len(bank)
    assert all(row["nonces"] == 2 and not row["rejected"] for row in content["rows"])
    content["rows"].pop()
    out.write_text(json.dumps(content), "utf-8")
    tried = []
    run = nonces.Trial.run
    monkeypatch.setattr(nonces.Trial, "run", lambda self, *a: tried.append(self.task.number) or run(self, *a))
    assert nonces.main([*arguments, "--resume"]) == 0
    assert tried == ["8.3"]
    with pytest.raises(SystemExit):
        nonces.main([*arguments[2:], "--nonces", "5", "--resume"])
    assert "has --nonces 2, not 5" in capsys.readouterr().err


def test_a_rejected_answer_is_an_exit_code(nonces, monkeypatch, capsys):
    monkeypatch.setattr(
        nonces, "right_answers", lambda name, module: [(module.exercise.tasks["8.1"], [("x", 1)])]
    )
    assert nonces.main(["--nonces", "1", "--exercises", "08"]) == 1
    assert "8.1, x, nonce" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nonces", "0"], "--nonces"),
        (["--minutes", "0"], "--minutes"),
        (["--exercises", "77"], "--exercises"),
        (["--resume"], "--resume needs --out"),
    ],
)
def test_nonces_names_the_option(nonces, arguments, named, capsys):
    with pytest.raises(SystemExit) as stop:
        nonces.main(arguments)
    assert stop.value.code == 2
    assert named in capsys.readouterr().err


def test_the_extras():
    lists = (ROOT / "pyproject.toml").read_text("utf-8").split("[project.optional-dependencies]")[1]
    extras = dict(re.findall(r"^(\w+) = \[\n(.*?)^\]", lists, re.M | re.S))
    for package in common.PEERS:
        assert f'"{package}>=' in extras["benchmarks"]
    assert "smalldiffusion" not in extras["dev"]
    assert "denoising" not in extras["dev"]
