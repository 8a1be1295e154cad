"""The players: what they put into a notebook, and that the browser is given the right numbers."""

import base64
import io
import itertools
import json
import math
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import diffusion_lab as dl
from diffusion_lab.widgets import (
    DrawingBoard,
    Explorer,
    FeatureMaps,
    FieldExplorer,
    GuidanceExplorer,
    NoiseScrubber,
    NumberBox,
    PointScrubber,
    PromptBox,
    ScheduleExplorer,
    StepsExplorer,
    TrainingScrubber,
    TrajectoryScrubber,
    drawings,
    explorer,
    stills,
)
from diffusion_lab.widgets.packing import to_png


@pytest.fixture
def schedule():
    return dl.DiffusionSchedule.linear(1000)


def flat(value, size=2, count=1):
    """Images that are one shade all over."""
    return torch.full((count, 1, size, size), float(value))


def make(name, schedule, digits):
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randn(2, 1, 28, 28, generator=generator)
    states = [dl.State(t, x_T * t / 10, x_T * 0.1) for t in (6, 3, 0)]
    axes = {"block": ["down", "up"], "time t": [0, 5, 10]}
    return {
        "noise": lambda: NoiseScrubber(digits.images[:3], schedule, generator=generator),
        "points": lambda: PointScrubber(
            dl.data.toy("moons", 50, generator=generator), schedule, generator=generator
        ),
        "trajectory": lambda: TrajectoryScrubber(x_T, states, timesteps=10),
        "schedule": lambda: ScheduleExplorer(digits.images[:2], positions=11, generator=generator),
        "guidance": lambda: GuidanceExplorer(
            {0: x_T, 1.5: x_T / 2}, readouts={"accuracy": {0: "9 %", 1.5: 0.98765}}
        ),
        "steps": lambda: StepsExplorer(lambda n, eta: {"drawn": flat(eta)}, steps=[2, 5], etas=[0, 1]),
        "maps": lambda: FeatureMaps(lambda block, t: flat(t / 10), blocks=["in", "out"], times=[0, 10]),
        "training": lambda: TrainingScrubber({1: flat(0), 5: flat(1)}, curves={"loss": [0.5, 0.1]}),
        "field": lambda: FieldExplorer(mixture(), schedule, number=40, generator=generator),
        "live": lambda: GuidanceExplorer({0: x_T, 2: x_T / 2}, draw=lambda s: x_T / (s + 1), scales=[0.5, 1]),
        "sheet": lambda: DrawingBoard(digits.images[:1], schedule, generator=generator),
        "board": lambda: DrawingBoard(
            digits.images[:1], schedule, turned, axes={"how": ["up", "down"]}, noise=x_T[:1]
        ),
        "prompt": lambda: PromptBox(["two", "three"], spelled, axes={"scale": [1, 2]}, alt="squares"),
        "explorer": lambda: Explorer(
            axes, lambda block, t: {"maps": flat(t / 10), "block": block}, alt="greys"
        ),
    }[name]()


def mixture():
    return dl.oracle.GaussianMixture(
        [0.6, 0.4], [[1, 1], [-1, 0]], [[[0.2, 0.1], [0.1, 0.3]], [[0.1, 0], [0, 0.1]]]
    )


def turned(x_0, t, how):
    return {"turned": x_0.flip(2) if how == "down" else x_0, "ink": f"{float((x_0 > 0).sum()):g} at {t}"}


def spelled(prompt, scale):
    """As bright as the word is long; only letters are known."""
    if not prompt.isalpha():
        raise ValueError(f"only letters, got {prompt!r}")
    return {"bright": flat(len(prompt) * scale / 10), "letters": len(prompt)}


COMPLETE = [
    "noise",
    "points",
    "trajectory",
    "schedule",
    "guidance",
    "steps",
    "maps",
    "training",
    "field",
    "sheet",
]
COMPLETE += ["board", "prompt", "explorer"]
NAMES = [*COMPLETE, "live"]


def unpack(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def look(spec, table, *places):
    """What the browser finds in a table when the sliders stand at `places`."""
    counts = [len(axis["values"]) if "values" in axis else axis["count"] for axis in spec["sliders"]]
    where = 0
    for axis in table["over"]:
        where = where * counts[axis] + places[axis]
    return table["values"][where]


def frame(player, panel, *places):
    """The picture that the browser draws in a panel when the sliders stand at `places`."""
    panel = player.spec["panels"][panel]
    which = look(player.spec, {"over": panel["over"], "values": panel["index"]}, *places)
    return np.array(Image.open(io.BytesIO(base64.b64decode(panel["frames"][which]))).convert("RGB")).astype(
        int
    )


@pytest.mark.parametrize("name", NAMES)
def test_bundle_is_self_contained_and_the_same_every_time(name, schedule, digits):
    first, second = (make(name, schedule, digits)._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert set(first) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert not re.search(r"https?://|src=\"(?!data:)", first["text/html"])
    assert first["text/html"].count("</script") == 2
    assert 'alt="' in first["text/html"]
    assert "0x" not in first["text/plain"]


@pytest.mark.parametrize("name", NAMES)
def test_a_still_says_that_the_player_moves(name, schedule, digits):
    player = make(name, schedule, digits)
    still = Image.open(io.BytesIO(base64.b64decode(player.still)))
    line = np.array(still.convert("L"))[-2 * stills.SIZE :]
    assert line.min() < 150, "letters"
    assert line[0].min() > 250, "and room above them"
    assert stills.has_invitation(player.still)
    without = base64.b64decode(to_png(np.array(still.convert("L"))))
    assert not stills.has_invitation(base64.b64encode(without).decode())
    assert stills.has_invitation(stills.still_png(without))


def tables(part):
    if isinstance(part, dict):
        yield from [part] if "over" in part else []
        part = list(part.values())
    for child in part if isinstance(part, list) else []:
        yield from tables(child)


@pytest.mark.parametrize("name", COMPLETE)
def test_every_table_has_one_entry_per_combination(name, schedule, digits):
    html = make(name, schedule, digits).to_html()
    spec = json.loads(re.search(r'application/json">(.*?)</script', html, re.S)[1])
    counts = [len(axis.get("values") or range(axis["count"])) for axis in spec["sliders"]]
    assert all(0 <= axis["start"] < count for axis, count in zip(spec["sliders"], counts, strict=True))
    found = list(tables(spec))
    assert len(found) >= len([readout for readout in spec["readouts"] if "fact" not in readout]) + 1
    for table in found:
        entries = table["index"] if "index" in table else table["values"]
        assert len(entries) == math.prod(counts[axis] for axis in table["over"])


@pytest.mark.parametrize("t", [0, 1, 400, 1000])
def test_what_the_browser_computes_is_add_noise(t, schedule, digits):
    x_0, noise = digits.images[:3], torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    spec = NoiseScrubber(x_0, schedule, noise=noise).spec
    x_t = computed(spec, t)
    wanted = schedule.add_noise(x_0, t, noise).flatten().numpy()
    assert np.abs(x_t - wanted).max() < 0.005
    wrong = schedule.add_noise(x_0, t + 40 if t < 900 else t - 400, noise).flatten().numpy()
    assert np.abs(x_t - wrong).max() > 0.005


def computed(spec, *places):
    """x_t as player.js computes it in the first panel."""
    panel = spec["panels"][0]
    clean, eps = unpack(panel["x_0"], np.uint8) / 127.5 - 1, unpack(panel["eps"], "<i2") * panel["eps_unit"]
    abar = look(spec, panel["abar"], *places)
    return np.sqrt(abar) * clean + np.sqrt(1 - abar) * eps


@pytest.mark.parametrize(("digit", "seed"), [("3", 0), ("7", 2), ("3", 1)])
def test_a_scrubber_has_a_choice_of_digit_and_of_seed(digit, seed, schedule, digits):
    choices = {"7": digits.images[:2], "3": digits.images[2:4]}
    noise = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(9))
    player = NoiseScrubber(choices, schedule, noise=noise, seeds=3, start={"time t": 300, "digit": "3"})
    assert {name: list(values) for name, values in player.options.items()} == {
        "time t": [*range(1001)],
        "digit": ["7", "3"],
        "seed": [0, 1, 2],
    }
    assert [axis["start"] for axis in player.spec["sliders"]] == [300, 1, 0]
    panel = player.spec["panels"][0]
    assert (panel["choice"], panel["seed"], panel["count"]) == (1, 2, 2)
    count = 2 * 28 * 28
    place = list(choices).index(digit)
    clean = unpack(panel["x_0"], np.uint8)[count * place :][:count] / 127.5 - 1
    eps = unpack(panel["eps"], "<i2")[count * seed :][:count] * panel["eps_unit"]
    drawn = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(seed)) if seed else noise
    assert np.abs(eps - drawn.flatten().numpy()).max() < 1e-3
    assert np.abs(clean - choices[digit].flatten().numpy()).max() < 0.01


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_0": {}}, "images of one shape, got none"),
        ({"x_0": {"1": flat(0), "2": flat(0, size=3)}}, r"images of one shape, got \[\(1, 1, 2, 2\)"),
        ({"seeds": 0}, "seeds"),
        ({"start": {"digit": "4"}}, "'digit', which is no axis"),
    ],
)
def test_a_scrubber_says_what_cannot_be_chosen(change, message, schedule):
    with pytest.raises(ValueError, match=message):
        NoiseScrubber(**({"x_0": flat(0), "schedule": schedule} | change))


def test_another_trajectory_is_drawn_when_it_is_chosen():
    asked = []

    def sample(digit, seed):
        asked.append((digit, seed))
        shade = digit / 10 + seed / 100
        return flat(-1), [dl.State(5, flat(0), flat(0)), dl.State(0, flat(shade), flat(shade))]

    player = TrajectoryScrubber(
        *sample(3, 1),
        timesteps=9,
        choices={"digit": range(10), "seed": [0, 1]},
        start={"digit": 3, "seed": 1},
        sample=sample,
    )
    assert asked == [(3, 1)], "what is there is not drawn again"
    assert list(player.options) == ["step", "digit", "seed"]
    assert [axis.get("kept") for axis in player.spec["sliders"]] == [[0, 1, 2], [3], [1]]
    answer = player.answer((2, 8, 0), {})
    assert asked == [(3, 1), (8, 0)]
    picture = Image.open(io.BytesIO(base64.b64decode(answer["panels"][0]["png"])))
    assert np.array(picture.convert("L"))[0, 0] == pytest.approx(1.8 * 127.5, abs=2.5)
    player.answer((1, 8, 0), {})
    assert len(asked) == 2, "one trajectory is drawn once for all its steps"
    with pytest.raises(ValueError, match="belong together"):
        TrajectoryScrubber(*sample(3, 1), choices={"seed": [0, 1]})
    with pytest.raises(ValueError, match="start has seed = 7"):
        TrajectoryScrubber(*sample(3, 1), choices={"seed": [0, 1]}, start={"seed": 7}, sample=sample)


def test_readouts_give_signal_noise_and_their_ratio(schedule, digits):
    signal, noise, snr = (r["values"] for r in NoiseScrubber(digits.images[:1], schedule).spec["readouts"])
    assert (signal[0], noise[0], snr[0]) == ("1.000", "0.000", "∞")
    assert float(signal[300]) == pytest.approx(schedule.alphas_cumprod[300].sqrt().item(), abs=1e-3)
    assert float(snr[300]) == pytest.approx(schedule.snr()[300].item(), rel=1e-2)


def test_trajectory_shows_every_state_in_order():
    states = [dl.State(t, flat(v), flat(-v)) for t, v in ((5, 0.0), (0, 1.0))]
    player = TrajectoryScrubber(flat(-1), states, timesteps=9)
    noisy, guesses = ([int(frame(player, panel, k)[0, 0, 0]) for k in range(3)] for panel in (0, 1))
    assert noisy == pytest.approx([0, 128, 255], abs=2)
    assert guesses == pytest.approx([128, 128, 0], abs=2)
    assert player.spec["readouts"][0]["values"] == ["9", "5", "0"]


# ---- ScheduleExplorer ----


@pytest.mark.parametrize("rescale", [False, True])
def test_schedule_explorer_noises_with_the_chosen_schedule(rescale, digits):
    x_0, noise = digits.images[:2], torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    spec = ScheduleExplorer(x_0, rescale=rescale, noise=noise).spec
    curves, lengths = (spec["sliders"][axis]["values"] for axis in (1, 2))
    assert lengths == ["10", "50", "200", "1000"]
    for (i, curve), (j, length), place in itertools.product(
        enumerate(curves), enumerate(lengths), (0, 13, 30, 50)
    ):
        schedule = dl.DiffusionSchedule.named(curve, int(length), rescale=rescale)
        t = round(place / 50 * int(length))
        assert (
            np.abs(computed(spec, place, i, j) - schedule.add_noise(x_0, t, noise).flatten().numpy()).max()
            < 0.005
        )
        texts = {readout["name"]: look(spec, readout, place, i, j) for readout in spec["readouts"]}
        assert texts["t"] == f"{t} of {length}"
        assert float(texts["ᾱ_t"]) == pytest.approx(schedule.alphas_cumprod[t].item(), abs=6e-5)
        meter, lines = spec["panels"][2], spec["panels"][1]
        assert look(spec, meter, place, i, j) == pytest.approx(schedule.snr()[-1].item())
        line = look(spec, lines["lines"][curve], place, i, j)
        assert (line[0], line[-1]) == pytest.approx((1, schedule.alphas_cumprod[-1].item()), abs=6e-5)
        # the dot stands on the line
        assert line[round(look(spec, lines["at"], place, i, j) * (len(line) - 1))] == pytest.approx(
            schedule.alphas_cumprod[t].item(), abs=6e-5
        )


def test_schedule_explorer_begins_at_the_longest_schedule_or_where_told(digits):
    begin = [axis["start"] for axis in ScheduleExplorer(digits.images[:1]).spec["sliders"]]
    assert begin == [0, 0, 3]
    told = ScheduleExplorer(digits.images[:1], start={"schedule": "cosine", "T": 50}).spec["sliders"]
    assert [axis["start"] for axis in told] == [0, 1, 1]


# ---- Explorer ----


def test_explorer_draws_every_combination_in_its_place():
    seen = []

    def draw(a, b):
        seen.append((a, b))
        return {"sum": flat(a + b), "product": flat(a * b), "text": f"{a} and {b}", "number": a + b / 3}

    axes = {"a": [-0.5, 0.0, 0.5], "b": [-0.25, 0.25]}
    player = Explorer(axes, draw, alt="shades of grey")
    assert seen == list(itertools.product(*axes.values()))
    for (i, a), (j, b) in itertools.product(enumerate(axes["a"]), enumerate(axes["b"])):
        assert frame(player, 0, i, j)[0, 0, 0] == pytest.approx((a + b + 1) * 127.5, abs=3)
        assert frame(player, 1, i, j)[0, 0, 0] == pytest.approx((a * b + 1) * 127.5, abs=3)
        text, number = (look(player.spec, readout, i, j) for readout in player.spec["readouts"])
        assert text == f"{a} and {b}"
        assert float(number) == pytest.approx(a + b / 3, abs=1e-3)
    assert repr(player) == "Explorer(a × b: 3 × 2)"


def test_explorer_takes_a_mapping_with_or_without_tuples():
    axes = {"a": [1, 2], "b": ["x", "y"]}
    made = Explorer(axes, {key: flat(0) for key in itertools.product(*axes.values())}, alt="grey")
    assert [axis.get("names") for axis in made.spec["sliders"]] == [False, True]
    for key in (lambda a: a, lambda a: (a,)):
        player = Explorer(
            {"a": [-1, 1]}, {key(a): flat(a) for a in (-1, 1)}, alt="black, white", caption="a shade"
        )
        assert [frame(player, 0, k)[0, 0, 0] for k in (0, 1)] == [0, 255]
        assert player.spec["panels"][0]["caption"] == "a shade"


def test_the_same_picture_is_kept_once():
    player = Explorer({"a": [1, 2, 3], "b": list(range(10))}, lambda a, b: flat(a / 3), alt="three greys")
    assert len(player.spec["panels"][0]["frames"]) == 3
    assert player.spec["panels"][0]["index"] == [0] * 10 + [1] * 10 + [2] * 10


def test_images_stand_in_rows_with_no_space_between_them():
    images = torch.cat([flat(k / 2 - 1, size=3) for k in range(5)])
    player = Explorer({"a": [0]}, {0: images}, columns=2, shades=256, alt="five greys")
    pixels = frame(player, 0, 0)
    assert pixels.shape == (9, 6, 3)
    tops = pixels[::3, ::3, 0].flatten().tolist()
    assert tops[:5] == dl.figures.to_uint8(images)[:, 0, 0].tolist()
    panel = player.spec["panels"][0]
    assert (panel["cell"], panel["columns"], panel["counts"]) == ([3, 3], 2, (5,))
    zoom = panel["size"][0] / (2 * 3 + 2)
    assert zoom == int(zoom) > 1


def test_a_panel_may_hold_pictures_of_different_sizes_and_numbers():
    maps = {"input": flat(0, 28), "middle": flat(0.2, 7, count=16), "out": flat(0.4, 14, count=8)}
    player = Explorer({"block": list(maps)}, maps, columns=4, alt="feature maps")
    panel = player.spec["panels"][0]
    assert (panel["count"], panel["counts"], panel["cell"]) == (16, (1, 16, 8), [28, 28])
    assert [frame(player, 0, k).shape[:2] for k in range(3)] == [(28, 28), (28, 28), (28, 56)]


def test_colour_images_keep_their_colours():
    red = torch.tensor([1.0, -1, -1])[None, :, None, None].expand(2, 3, 4, 4)
    assert frame(Explorer({"a": [0]}, {0: red}, alt="red"), 0, 0)[0, 0].tolist() == [255, 0, 0]


def test_finished_pictures_of_every_kind():
    figure, (axes,) = dl.figures.new_figure(width=2.0, height=1.0)
    axes.plot([0, 1], [0, 1])
    picture = dl.figures.Picture(figure, "a line")
    pixels = np.array(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    kinds = {"Picture": picture, "bytes": picture.png, "PIL": Image.fromarray(pixels), "array": pixels}
    kinds["grey"] = pixels[..., 0]
    for name, content in kinds.items():
        player = Explorer({"kind": [name]}, {name: content}, alt="a line")
        wanted = pixels if name != "grey" else np.repeat(pixels[..., :1], 3, axis=2)
        assert np.abs(frame(player, 0, 0) - wanted).max() <= 9
        assert player.spec["panels"][0]["smooth"] == (name not in ("array", "grey"))


def test_a_figure_keeps_its_size_and_images_take_the_room_beside_it():
    figure = Image.new("RGB", (440, 300))
    player = Explorer({"t": [0]}, {0: {"field": figure, "mean": flat(0, 28)}}, alt="two panels")
    field, mean = (panel["size"] for panel in player.spec["panels"])
    assert field == [440, 300]
    assert mean[0] % 28 == 0
    assert 200 <= mean[0] <= drawings.WIDTH - 440


def test_forty_grids_of_sixteen_digits_stay_small(digits):
    batches = iter(digits.images[: 16 * 40].split(16))
    axes = {"steps": list(range(8)), "eta": list(range(5))}
    player = Explorer(axes, lambda *_: next(batches), columns=4, alt="digits")
    assert len(player.spec["panels"][0]["frames"]) == 40
    assert (
        len(player.still) + len(player._json()) < 221_000
    )  # the script is measured in test_player_script.py


def test_still_picture_shows_some_of_the_first_axis_or_what_is_asked_for(monkeypatch):
    shown = []
    original = explorer.labelled_grid
    spy = lambda *args, **kw: shown.append((args, kw)) or original(*args, **kw)  # noqa: E731
    monkeypatch.setattr(explorer, "labelled_grid", spy)
    axes = {"steps": list(range(1, 10)), "eta": [0.0, 0.5], "solver": ["a", "b"]}
    Explorer(axes, lambda *_: flat(0), alt="grey", start={"eta": 0.5})
    assert shown[0][0][1] == [f"steps = {k}" for k in (1, 3, 5, 7, 9)]
    assert shown[0][1]["title"] == "eta = 0.5, a"
    Explorer(axes, lambda *_: flat(0), alt="grey", still=[(1, 0.0, "a"), (1, 0.5, "b")])
    assert shown[1][0][1] == ["eta = 0\na", "eta = 0.5\nb"]
    assert shown[1][1]["title"] == "steps = 1"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": {}}, "at least one slider"),
        ({"axes": {"a": []}}, "at least one value"),
        ({"start": {"b": 1}}, "'b', which is no axis; the axes are: a"),
        ({"start": {"a": 3}}, "a = 3; choose one of: 1, 2"),
        ({"still": [7]}, r"\(7,\), which is no combination of a: 2"),
        ({"shades": 1}, "shades must lie in 2 … 256"),
        ({"draw": {1: flat(0)}}, "draw has no entry for {'a': 2}"),
        ({"draw": lambda a: None}, "draw must return images .* got NoneType"),
        ({"draw": lambda a: {"text": "only"}}, "at least one picture"),
        ({"draw": lambda a: {f"panel {a}": flat(0)}}, "same names for every combination"),
        ({"draw": lambda a: torch.zeros(28, 28)}, r"must have shape \(B, 1, H, W\)"),
    ],
)
def test_explorer_says_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        Explorer(**({"axes": {"a": [1, 2]}, "draw": lambda a: flat(a / 2), "alt": "grey"} | change))


def test_explorer_stops_early_where_the_notebook_would_get_too_large(generator):
    drawn = []

    def draw(a):
        drawn.append(a)
        return torch.randn(64, 1, 28, 28, generator=generator)

    with pytest.raises(
        ValueError, match=r"kB into the notebook, and 700 kB is the most: 500 combinations \(a: 500\)"
    ):
        Explorer({"a": list(range(500))}, draw, alt="noise")
    assert len(drawn) < 30


# ---- GuidanceExplorer ----


def test_guidance_explorer_shows_each_scale_with_its_readouts():
    player = GuidanceExplorer(
        {s: flat(s / 8, count=10) for s in (0, 1.5, 8)},
        readouts={
            "read as ordered": {0: "9 %", 1.5: "98 %", 8: "99 %"},
            "diversity": {0: 1.1, 1.5: 0.98765, 8: 0.5},
        },
        start=1.5,
    )
    assert [axis["start"] for axis in player.spec["sliders"]] == [1]
    assert player.spec["sliders"][0]["values"] == ["0", "1.5", "8"]
    assert frame(player, 0, 2)[0, 0, 0] == 255
    texts = {readout["name"]: readout["values"][1] for readout in player.spec["readouts"]}
    assert texts == {"read as ordered": "98 %", "diversity": "0.988"}
    assert repr(player) == "GuidanceExplorer(guidance scale: 3)"


def test_ahead_draws_some_now_and_the_others_when_they_are_asked_for():
    asked = []

    def draw(steps, eta):
        asked.append((steps, eta))
        return {"drawn": flat(eta), "steps": steps}

    player = Explorer(
        {"steps": [2, 5, 10], "eta": [0.0, 0.5, 1.0]}, draw, alt="greys", ahead={"eta": [1.0, 0.0]}
    )
    assert asked == [(n, eta) for n in (2, 5, 10) for eta in (0.0, 1.0)]
    assert [axis["kept"] for axis in player.spec["sliders"]] == [[0, 1, 2], [0, 2]]
    assert sorted(player.spec["panels"][0]["index"]) == [0, 2, 3, 5, 6, 8]
    assert "Run the cell" in player.spec["asks"]
    assert player.answer((1, 2), {}) is None
    answer = player.answer((1, 1), {})
    assert asked[-1] == (5, 0.5)
    assert answer["place"] == 4
    assert answer["readouts"] == {0: "5"}
    picture = Image.open(io.BytesIO(base64.b64decode(answer["panels"][0]["png"])))
    assert np.array(picture.convert("L"))[0, 0] == pytest.approx(191, abs=2)


@pytest.mark.parametrize(
    ("ahead", "message"),
    [
        ({"eta": [0.3]}, "ahead has eta = 0.3"),
        ({"t": [0]}, "ahead has t = 0"),
        ({"eta": []}, "ahead has eta = nothing"),
    ],
)
def test_ahead_must_name_values_of_the_axes(ahead, message):
    with pytest.raises(ValueError, match=message):
        Explorer({"eta": [0.0, 0.5]}, lambda eta: flat(eta), alt="greys", ahead=ahead)


def test_ahead_needs_a_function_and_a_start_that_is_drawn():
    axes = {"eta": [0.0, 0.5]}
    with pytest.raises(ValueError, match="needs a function"):
        Explorer(axes, {0.0: flat(0)}, alt="greys", ahead={"eta": [0.0]})
    with pytest.raises(ValueError, match="which is not drawn ahead"):
        Explorer(axes, flat, alt="greys", ahead={"eta": [0.0]}, start={"eta": 0.5})


@pytest.mark.parametrize(
    "later",
    [
        {"other": flat(0)},
        {"drawn": flat(0, size=3)},
        {"drawn": flat(0, count=2)},
        {"drawn": flat(0), "more": "text"},
    ],
)
def test_what_is_drawn_later_must_look_like_what_was_drawn_before(later):
    draw = lambda eta: {"drawn": flat(0)} if eta == 0 else later  # noqa: E731
    player = Explorer({"eta": [0.0, 0.5]}, draw, alt="greys", ahead={"eta": [0.0]})
    with pytest.raises(ValueError, match="draw returned"):
        player.answer((1,), {})


def test_a_drawing_reaches_the_answer_as_an_image(digits, schedule):
    heard = []

    def answer(x_0, t):
        heard.append((x_0, t))
        return {"back": x_0, "t": t}

    board = DrawingBoard(digits.images[:1], schedule, answer, times=[0, 500])
    assert [t for _, t in heard] == [0, 500]
    assert board.answer((1,), {"version": 0, "pixels": ""}) is None
    pixels = np.zeros((28, 28), np.uint8)
    pixels[3, 5] = 255
    sketch = {"version": 7, "pixels": base64.b64encode(pixels.tobytes()).decode()}
    message = board.answer((1,), sketch)
    x_0, t = heard[-1]
    assert (x_0.shape, x_0.dtype, t) == ((1, 1, 28, 28), torch.float32, 500)
    assert (x_0[0, 0, 3, 5], x_0.sum()) == (1, 1 - 783)
    assert message["place"] == 1
    assert list(message["panels"]) == [2]
    assert message["readouts"] == {0: "500"}
    with pytest.raises(ValueError, match="x_0 must be one grey picture"):
        DrawingBoard(digits.images[:2], schedule)


def test_a_typed_prompt_reaches_draw_with_the_values_of_the_sliders():
    box = PromptBox(["two", "three"], spelled, axes={"scale": [1, 2]}, alt="squares")
    assert [frame(box, 0, *places).max() for places in itertools.product((0, 1), (0, 1))] == pytest.approx(
        [(length * scale / 10 + 1) * 127.5 for length in (3, 5) for scale in (1, 2)], abs=2.5
    )

    later = PromptBox(["two", "three"], spelled, axes={"scale": [1, 2]}, start={"scale": 2}, alt="squares")
    assert [axis["start"] for axis in later.spec["sliders"]] == [0, 1]
    assert later.still != box.still

    def typed(text):
        return {"version": 7, "pixels": base64.b64encode(f"{text}\n".encode()).decode()}

    assert box.answer((1, 1), {"version": 0, "pixels": ""}) is None
    message = box.answer((1, 1), typed("  größer "))
    assert (message["place"], message["readouts"]) == (3, {0: "6"})
    assert list(message["panels"]) == [0]
    for wrong in ("two 2", ""):
        with pytest.raises(ValueError, match=f"only letters, got '{wrong}'"):
            box.answer((0, 0), typed(wrong))


def test_digits_of_a_number_that_was_typed_appear_from_noise_and_the_rest_stays_empty():
    asked = []

    def sample(labels, *, num_steps, seed, on_step, **options):
        """Stands for a model: after each step the picture of a digit is nearer to its own shade."""
        asked.append((labels, options))
        for step in range(1, num_steps + 1):
            shades = torch.tensor(labels).view(-1, 1, 1, 1) / 9 * step / num_steps
            on_step(dl.State(num_steps - step, shades.expand(-1, 1, 4, 4), shades))

    box = NumberBox(["0123456789", "31"], sample, num_steps=3, guidance_scale=2.0)
    assert repr(box) == "NumberBox(2 numbers, step)"
    assert list(box.options) == ["step", "number"]  # so that ▶ plays the steps
    assert [axis.get("examples", False) for axis in box.spec["sliders"]] == [False, True]
    prompts = PromptBox(["two", "three"], spelled, axes={"scale": [1, 2]}, alt="squares")
    assert [axis.get("examples", False) for axis in prompts.spec["sliders"]] == [True, False]
    noise = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    shown = frame(box, 0, 0, 1) / 127.5 - 1
    assert shown[:4, :4, 0] == pytest.approx(noise[0, 0].numpy(), abs=0.1)
    assert (shown[4:] == -1).all()  # below the two digits

    def typed(text):
        return {"version": 3, "pixels": base64.b64encode(f"{text}\n".encode()).decode()}

    first, last = (box.answer((step, 0), typed(" 90 ")) for step in (0, 3))
    assert (first["place"], last["place"], last["panels"][0]["count"]) == (0, 6, 10)
    assert first["panels"] != last["panels"]
    assert asked[2:] == [([9, 0], {"progress": False, "guidance_scale": 2.0})]  # once for all its steps
    for wrong in ("", "seven", "-1", "12345678901", "²"):
        with pytest.raises(ValueError, match="a number of up to 10 digits was wanted, such as 2026, got"):
            box.answer((0, 0), typed(wrong))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "match"),
    [
        *(
            ({"prompts": wrong}, "prompts must be a list of two different texts or more, got")
            for wrong in (["one"], ["one", "one"], "ab", [1, 2], ["one", "two", None])
        ),
        ({"axes": {"prompt": ["three"]}}, 'another name than "prompt", got'),
        ({"axes": {"scale": []}}, "axes must each have a value"),
        ({"columns": 0}, "columns must be at least 1, got 0"),
        ({"start": {"sale": 1}}, "start has 'sale', which is no axis"),
    ],
)
def test_a_prompt_box_names_what_does_not_fit(options, match):
    with pytest.raises(ValueError, match=match):
        PromptBox(
            **{"prompts": ["one", "two"], "axes": {"scale": [1]}, **options}, draw=spelled, alt="squares"
        )


def test_sliders_are_ipywidgets_and_value_is_the_first(schedule, digits):
    ipywidgets = pytest.importorskip("ipywidgets")
    pytest.importorskip("anywidget")
    player = make("schedule", schedule, digits)
    position, curve, length = player.sliders.values()
    assert [type(control) for control in (position, curve, length)] == [
        ipywidgets.SelectionSlider,
        ipywidgets.ToggleButtons,
        ipywidgets.SelectionSlider,
    ]
    assert (player.value, curve.value, length.value) == ("0.00", "linear", 1000)
    noise = make("noise", schedule, digits)
    (slider,) = noise.sliders.values()
    assert (type(slider), slider.min, slider.max, slider.description) == (
        ipywidgets.IntSlider,
        0,
        1000,
        "time t",
    )
    heard = []
    slider.observe(lambda change: heard.append(change.new), "value")
    noise.value = 300
    assert (noise.value, slider.value, heard) == (300, 300, [300])
    for wrong in (1001, -1, 0.5, "300"):
        with pytest.raises(ValueError, match=r"time t must be one of its 1001 values 0 … 1000"):
            noise.value = wrong
    assert noise.value == 300


def test_a_link_answers_once_says_what_went_wrong_and_tries_again(monkeypatch):
    pytest.importorskip("anywidget")
    from diffusion_lab.widgets.link import Link

    calls, sent, working = [], [], []

    def draw(s):
        calls.append(s)
        assert s == 0 or not torch.is_grad_enabled()
        if len(calls) < 4 and s == 1:
            raise RuntimeError("no")
        return flat(s / 2)

    player = Explorer({"s": [0, 0.5, 1]}, draw, alt="greys", ahead={"s": [0]})

    def send(self, message):
        (working if "working" in message else sent).append(message)

    monkeypatch.setattr(Link, "send", send)
    link = Link(player)
    assert (calls, sent) == ([0], [])
    for s in (0.5, 0, 0.5):
        player.value = s
    assert calls == [0, 0.5]
    assert [message["place"] for message in sent] == [1, 1]
    player.value = 1
    assert sent[-1] == {"place": 2, "version": 0, "error": "RuntimeError: no"}
    for s in (0, 1):
        player.value = s
    assert list(sent[-1]["panels"]) == [0]
    assert link.places() == (2,)
    assert working == [{"working": True}, {"working": False}] * 4  # for 0, 0.5, and 1 twice


def test_a_link_says_what_a_value_error_says():
    pytest.importorskip("anywidget")
    from diffusion_lab.widgets.link import told

    assert told(ValueError("only letters")) == "only letters"
    assert told(KeyError("a")) == "KeyError: 'a'"


def test_without_anywidget_it_is_an_html_player(monkeypatch, schedule, digits):
    player = make("noise", schedule, digits)
    monkeypatch.setattr("diffusion_lab.widgets.player.find_spec", lambda name: None)
    monkeypatch.setattr("diffusion_lab.widgets.player.has_kernel", lambda: True)
    monkeypatch.setitem(sys.modules, "diffusion_lab.widgets.link", None)  # an import would fail
    assert set(player._repr_mimebundle_()) == {"text/html", "image/png", "text/plain"}


def test_the_id_of_a_player_is_that_of_its_contents(schedule, digits):
    first, same, other = (make(name, schedule, digits) for name in ("noise", "noise", "points"))
    assert first.id == same.id != other.id
    assert f'data-player="{first.id}"' in first.to_html()


def test_curves_of_a_training_need_a_number_per_checkpoint():
    with pytest.raises(
        ValueError, match=r"curves\['loss'\] must have a number for each of 2 checkpoints, got 1"
    ):
        TrainingScrubber({1: flat(0), 5: flat(1)}, curves={"loss": [0.5]})
    scrubber = TrainingScrubber({1: flat(0), 5: flat(1)}, curves={"loss": [0.5, 0.1]})
    assert scrubber.spec["panels"][-1]["lines"]["loss"]["values"] == [[1.0, 0.0]]


def test_scripts_keep_their_code_and_lose_their_comments():
    html = Explorer({"t": [0, 1]}, flat, alt="greys").to_html()
    assert "function startPlayer(root){" in html
    assert "// " not in html
    assert "/*" not in html


def test_a_field_lies_in_the_plane(schedule):
    line = dl.oracle.GaussianMixture([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="mixture must lie in the plane"):
        FieldExplorer(line, schedule)


# ---- players among other widgets ----


@pytest.mark.parametrize("box", ["VBox", "HBox", "Tab", "Accordion"])
@pytest.mark.parametrize("how", ["widget()", "as it is"])
def test_a_player_stands_in_a_box(box, how, schedule, digits):
    ipywidgets = pytest.importorskip("ipywidgets")
    pytest.importorskip("anywidget")
    player = make("noise", schedule, digits)
    child = player.widget() if how == "widget()" else player
    shown = getattr(ipywidgets, box)([player.sliders["time t"], child])
    assert shown.get_state()["children"][1] == f"IPY_MODEL_{player.widget().model_id}"
    assert player.widget() is player.widget()
    assert player.widget().html == player.to_html()
    assert repr(shown).count(repr(player)) == 1
    assert len(repr(shown)) < 300


def test_a_player_stays_what_it_is(schedule, digits):
    pytest.importorskip("ipywidgets")
    player = make("noise", schedule, digits)
    assert isinstance(player, NoiseScrubber)
    assert type(player) is NoiseScrubber
    assert {"sliders", "value", "widget"} <= set(dir(player))
    assert "sliders" not in vars(player), "to ask what it is makes no widget"


def test_linked_sliders_are_tied_in_the_browser(schedule, digits):
    ipywidgets = pytest.importorskip("ipywidgets")
    first, second = make("noise", schedule, digits), make("points", schedule, digits)
    link = ipywidgets.jslink((first.sliders["time t"], "value"), (second.sliders["time t"], "value"))
    names = [f"IPY_MODEL_{player.sliders['time t'].model_id}" for player in (first, second)]
    state = link.get_state()
    assert [state["source"][0], state["target"][0]] == names


def test_a_scrubber_without_plots_is_one_picture(schedule, digits):
    large = NoiseScrubber(digits.images[:1], schedule, plots=False, noise=torch.zeros(1, 1, 28, 28))
    (panel,) = large.spec["panels"]
    assert panel["kind"] == "noise"
    assert min(panel["size"]) >= 220
    assert large.spec["readouts"] == []
