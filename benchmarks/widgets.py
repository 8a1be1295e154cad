"""How soon, and how often, does a picture follow the hand? Our players in JupyterLab, beside what Python draws.

One JupyterLab, one page, one kernel. Everyone shows eight grey 28 × 28 pictures, except `FieldExplorer` (350
points and 144 arrows) and `DrawingBoard` (one picture). They take turns, in each repeat another one is first,
and each has a new cell every time:

* *keys*: a key moves the slider by one, and the next is pressed a moment after the new picture. On the board,
  a piece of a stroke.
* *play*: some seconds from the press of the play button, where there is one.
* *drag*: in as many seconds the mouse drags the slider there and back, or fills the sheet with a stroke, 60
  steps a second.

The page is watched from inside: each frame hashes the pixels of the picture before they are painted. A
latency goes from the event's own time stamp to the first task after the frame that shows other pixels. Frames
per second count the frames that show other pixels than the one before. Bytes are what the outputs of the cell
add to the .ipynb, which holds no widget state.
"""

import argparse
import asyncio
import json
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import common
from benchmarks.common import Row
from diffusion_lab.shapes import check_range

NAME = "widgets"
QUESTION = "How soon, and how often, does a picture follow the hand in JupyterLab?"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
PACKAGES = ("jupyterlab", "ipywidgets", "anywidget", "ipykernel", "matplotlib", "playwright")
QUICK = {"repeats": 1, "presses": 3, "seconds": 0.3}
MOVES_PER_SECOND = 60  # of the mouse
PATIENCE = 5.0  # seconds to wait for a picture
REST = 0.3  # seconds for everything to come to rest
ROWS = 9  # of a stroke that fills the sheet
COLUMNS = {
    "contender": "",
    "drawn_by": "",
    "latency_ms": ".0f",
    "latency_p95_ms": ".0f",
    "python_ms": ".1f",
    "fps_dragging": ".0f",
    "fps_playing": ".0f",
    "bytes": ",.0f",
}
MEDIANS = (
    *list(COLUMNS)[2:],
    "unanswered",
    "moves_per_second",
    "drawn_per_second",
    "page_fps_dragging",
    "page_fps_playing",
    "late_ms",
    "watching_ms",
)

SETUP = """
import functools, io, statistics, time
import ipywidgets, matplotlib.pyplot as plt, torch
from PIL import Image
import diffusion_lab as dl
from diffusion_lab import widgets
from diffusion_lab.figures import grid

torch.set_num_threads(threads)
trained = dl.load_pretrained("digits")
model, schedule, labels = trained.model, trained.schedule, torch.arange(8)
x_0 = trained.sample(labels, num_steps=5, progress=False, seed=seed)
spent = []

def timed(work):
    @functools.wraps(work)
    def watched(*values, **named):
        begin = time.perf_counter()
        done = work(*values, **named)
        spent.append(1000 * (time.perf_counter() - begin))
        return done
    return watched
"""
NOISE = """
dice = torch.Generator().manual_seed(seed + {repeat})
noise = torch.randn(x_0.shape, generator=dice)
"""


class Contender(NamedTuple):
    """A way to move pictures, and where its parts are in the output of its cell."""

    drawn_by: str
    cell: str
    picture: str = "canvas"
    handle: str | None = "input[type=range]"
    """Gets the keys and is dragged; None for the sheet."""
    track: str = "input[type=range]"
    """What it is dragged along, or the sheet."""
    play: str | None = ".dl-play"


SLIDER = {"handle": ".noUi-handle", "track": ".noUi-base"}  # of ipywidgets 8
FIELD = """
covariances = [[[0.09, 0], [0, 0.04]], [[0.05, 0.02], [0.02, 0.08]], [[0.1, -0.03], [-0.03, 0.05]]]
mixture = dl.oracle.GaussianMixture([0.5, 0.3, 0.2], [[1.3, 0.6], [-1.2, 0.9], [-0.3, -1.4]], covariances)
widgets.FieldExplorer(mixture, schedule, start=300, generator=dice)"""
FRAMES = """
film = {k: schedule.add_noise(x_0, round(k * schedule.timesteps / 80), noise) for k in range(81)}
widgets.Explorer({"step": list(film)}, film, columns=4, shades=16, alt="Eight digits turn into noise.")"""
LIVE = """
T = torch.full((8,), 700)
x_t = schedule.add_noise(x_0, T, noise)
with torch.inference_mode():
    without = model(x_t, T, labels=torch.full((8,), model.null_label))

@timed
def call(labels):
    return model(x_t, T, labels=labels)

def draw(scale):
    output = without + scale * (call(labels) - without)
    return dl.process.split(output, x_t, T, schedule, trained.objective)[0]

scales = [k / 50 for k in range(1001)]
with torch.inference_mode():
    ends = {scale: draw(scale) for scale in (scales[0], scales[-1])}
widgets.GuidanceExplorer(ends, draw=draw, scales=scales, columns=4)"""
INTERACT = """
@timed
def show(t):
    plt.imshow(grid(schedule.add_noise(x_0, t, noise), 4), cmap="gray")
    plt.axis("off")
    plt.show()

ipywidgets.interact(show, t=ipywidgets.IntSlider(300, 0, schedule.timesteps));"""
IMAGE = """
@timed
def png(t):
    buffer = io.BytesIO()
    Image.fromarray(grid(schedule.add_noise(x_0, t, noise), 4)).save(buffer, "PNG")
    return buffer.getvalue()

slider = ipywidgets.IntSlider(300, 0, schedule.timesteps)
play = ipywidgets.Play(value=300, max=schedule.timesteps, step=7, interval=33)
ipywidgets.jslink((play, "value"), (slider, "value"))
picture = ipywidgets.Image(value=png(slider.value), width=488)
slider.observe(lambda change, picture=picture: setattr(picture, "value", png(change.new)), "value")
ipywidgets.VBox([ipywidgets.HBox([play, slider]), picture])"""
CONTENDERS = {
    "NoiseScrubber": Contender("browser", "widgets.NoiseScrubber(x_0, schedule, noise=noise, start=300)"),
    "FieldExplorer": Contender("browser", FIELD),
    "Explorer, 81 frames": Contender("browser", FRAMES),
    "DrawingBoard": Contender(
        "browser",
        "widgets.DrawingBoard(x_0[:1], schedule, noise=noise[:1])",
        handle=None,
        track="canvas",
        play=None,
    ),
    "GuidanceExplorer, live": Contender("Python: one network call", LIVE),
    "interact + matplotlib": Contender("Python", INTERACT, picture="img", play=None, **SLIDER),
    "ipywidgets.Image": Contender("Python", IMAGE, picture="img", play=".widget-play button", **SLIDER),
}

WATCH = """
() => {
  const scratch = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const after = new MessageChannel();
  let seen = {}, event = null, answered = () => {};
  function hash(node, width, height) { // of large pictures, every other pixel or fewer
    const step = Math.ceil(width / 200), w = Math.floor(width / step), h = Math.floor(height / step);
    Object.assign(scratch.canvas, { width: w, height: h }); // clears it, too
    scratch.imageSmoothingEnabled = false;
    scratch.drawImage(node, 0, 0, w, h);
    let sum = w;
    const pixels = new Int32Array(scratch.getImageData(0, 0, w, h).data.buffer);
    for (const pixel of pixels) sum = Math.imul(sum ^ pixel, 16777619);
    return sum;
  }
  const watch = (window.watch = {
    find: () => null,
    begin: () => Object.assign(watch, { since: performance.now(), frames: 0, paints: [], spent: [] }),
    end: () => ({ ...watch, now: performance.now(), seconds: (performance.now() - watch.since) / 1000 }),
    arm: () => (event = watch.latency = null),
    async answer(patience, rest) {
      const latency = watch.latency ?? (await new Promise((done) => setTimeout((answered = done), patience, null)));
      watch.arm();
      await new Promise((done) => setTimeout(done, rest));
      return latency;
    },
  });
  for (const kind of ['keydown', 'pointermove']) addEventListener(kind, (one) => (event ??= one.timeStamp), true);
  after.port1.onmessage = ({ data: from }) => {
    const now = performance.now();
    watch.paints.push(now);
    if (from !== null && watch.latency === null) answered((watch.latency = now - from));
  };
  watch.begin();
  watch.arm();
  requestAnimationFrame(function frame() {
    requestAnimationFrame(frame);
    watch.frames++;
    const node = watch.find(), begin = performance.now();
    if (!node || node.complete === false) return;
    if (node.src && node === seen.node && node.src === seen.src) return; // an image that is still the same
    const sum = hash(node, node.naturalWidth ?? node.width, node.naturalHeight ?? node.height);
    if (seen.sum !== sum) after.port2.postMessage(event);
    seen = { node, src: node.src, sum };
    watch.spent.push(performance.now() - begin);
  });
}"""
RUN_CELL = """async (n) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = n;
  content.deselectAll();
  await window.jupyterapp.commands.execute('notebook:run-cell'); }"""
OUTPUTS = "(n) => window.jupyterapp.shell.currentWidget.context.model.toJSON().cells[n].outputs"
TELL = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const reply = await kernel.requestExecute({ code: '', user_expressions: { told: code }, store_history: false }).done;
  const { told } = reply.content.user_expressions;
  return told.status === 'ok' ? told.data['text/plain'] : `${told.ename}: ${told.evalue}`; }"""


class Lab:
    """The notebook in JupyterLab: a cell that sets up, then one for each repeat and contender."""

    def __init__(self, page: Any, options: argparse.Namespace):
        """Take a page of Playwright with the notebook in it."""
        self.page, self.options, self.errors = page, options, []
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))

    async def set_up(self) -> None:
        """Run the first cell, and begin to watch."""
        await self.page.evaluate(RUN_CELL, 0)
        await self.page.evaluate(WATCH)

    async def visit(self, contender: Contender, n: int) -> Row:
        """Run the n-th cell for the first time, and measure what it shows."""
        await self.page.evaluate("() => (watch.find = () => null)")
        await self.page.evaluate(RUN_CELL, n)
        out = self.page.locator(".jp-NotebookPanel .jp-Cell").nth(n).locator(".jp-Cell-outputWrapper")
        await out.locator(contender.picture).first.wait_for()
        if contender.picture == "canvas":
            await out.locator(".dl-player[data-live=yes]").wait_for()
        await out.locator(contender.track).first.scroll_into_view_if_needed()
        await out.evaluate(
            "(out, picture) => (watch.find = () => out.querySelector(picture))", contender.picture
        )
        await asyncio.sleep(REST)
        row = await self.keys(contender, out)
        return (
            row
            | await self.play(contender, out)
            | await self.drag(contender, out)
            | {"bytes": await self.size(n)}
        )

    async def tell(self, code: str) -> Any:
        """Give what an expression is in the kernel: a number or None."""
        return json.loads((await self.page.evaluate(TELL, code)).replace("None", "null"))

    async def keys(self, contender: Contender, out: Any) -> Row:
        """Press a key, wait for the picture, rest, and so on."""
        presses, stroke, found = self.options.presses, None, []
        if contender.handle:
            await out.locator(contender.handle).first.focus()
        else:
            stroke = await self.stroke(out)
        await self.tell("spent.clear()")
        await self.page.evaluate("() => watch.arm()")
        for n in range(presses):
            await (stroke((n + 1) / presses) if stroke else self.page.keyboard.press("ArrowRight"))
            then = [1000 * PATIENCE, random.uniform(40, 60)]  # the next comes at any moment of a frame
            found.append(await self.page.evaluate("([patience, rest]) => watch.answer(patience, rest)", then))
        await self.page.mouse.up()
        answered = sorted(one for one in found if one is not None)
        return {
            "latency_ms": statistics.median(answered) if answered else None,
            "latency_p95_ms": answered[math.ceil(0.95 * len(answered)) - 1] if answered else None,
            "unanswered": len(found) - len(answered),
            "latencies_ms": [one and round(one, 1) for one in found],
            "python_ms": await self.tell("statistics.median(spent) if spent else None"),
        }

    async def play(self, contender: Contender, out: Any) -> Row:
        """Press play, and count the pictures."""
        if contender.play is None:
            return {"fps_playing": None}
        button = out.locator(contender.play).first
        await self.page.evaluate("() => watch.begin()")
        await button.click()
        await asyncio.sleep(self.options.seconds)
        seen = await self.page.evaluate("() => watch.end()")
        await button.click()
        await asyncio.sleep(REST)
        counts = {"fps_playing": len(seen["paints"]), "page_fps_playing": seen["frames"]}
        return {key: count / seen["seconds"] for key, count in counts.items()}

    async def drag(self, contender: Contender, out: Any) -> Row:
        """Move the mouse for some seconds, and count the pictures.

        Let go, and see when the last one comes.
        """
        move = await (self.grip(contender, out) if contender.handle else self.stroke(out))
        await self.tell("spent.clear()")
        await self.page.evaluate("() => watch.begin()")
        begin, steps = time.perf_counter(), round(self.options.seconds * MOVES_PER_SECOND)
        moves = []
        for n in range(1, steps + 1):  # like a hand, it does not wait for the page
            moves.append(asyncio.create_task(move(n / steps)))
            await asyncio.sleep(max(0, begin + n / MOVES_PER_SECOND - time.perf_counter()))
        seen = await self.page.evaluate("() => watch.end()")
        await asyncio.gather(*moves)
        await self.page.mouse.up()
        drawn = await self.tell("len(spent)")
        await asyncio.sleep(2 * REST)
        later = await self.page.evaluate("() => watch.end().paints")
        return {
            "fps_dragging": len(seen["paints"]) / seen["seconds"],
            "page_fps_dragging": seen["frames"] / seen["seconds"],
            "moves_per_second": steps / seen["seconds"],
            "drawn_per_second": drawn / seen["seconds"] if contender.drawn_by != "browser" else None,
            "late_ms": max(0, max(later, default=0) - seen["now"]),
            "watching_ms": statistics.median(seen["spent"]) if seen["spent"] else None,
        }

    async def grip(self, contender: Contender, out: Any) -> Callable[[float], Awaitable]:
        """Take the handle of a slider.

        Gives a function that drags it there and back, over shares 0 … 1 of the way.
        """
        track, held = [
            await out.locator(part).first.bounding_box() for part in (contender.track, contender.handle)
        ]
        mouse, middle = self.page.mouse, track["y"] + track["height"] / 2

        def move(share: float) -> Awaitable:
            return mouse.move(track["x"] + track["width"] * (0.03 + 0.94 * (1 - abs(2 * share - 1))), middle)

        # the handle of the browser's own slider comes to the mouse
        await (move(0) if track == held else mouse.move(held["x"] + held["width"] / 2, middle))
        await mouse.down()
        await move(0)
        await asyncio.sleep(REST)
        return move

    async def stroke(self, out: Any) -> Callable[[float], Awaitable]:
        """Put the pen on an empty sheet; gives a function that goes on, row by row, to a share of the way."""
        await out.get_by_role("button", name="clear").click()
        box, mouse = await out.locator("canvas").first.bounding_box(), self.page.mouse

        def move(share: float) -> Awaitable:
            row, along = divmod(min(share, 0.999) * ROWS, 1)
            x, y = (1 - along if row % 2 else along), row / (ROWS - 1)
            return mouse.move(
                box["x"] + box["width"] * (0.08 + 0.84 * x), box["y"] + box["height"] * (0.08 + 0.84 * y)
            )

        await move(0)
        await mouse.down()
        await asyncio.sleep(REST)
        return move

    async def size(self, n: int) -> int:
        """Bytes that the outputs of the n-th cell add to the file."""
        import nbformat

        cell, lengths = nbformat.v4.new_code_cell(id="one"), []
        for outputs in ([], await self.page.evaluate(OUTPUTS, n)):
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            lengths.append(len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()))
        return lengths[1] - lengths[0]


async def measured(
    options: argparse.Namespace, chromium: str, turns: Sequence[tuple[int, str]]
) -> tuple[list[Row], dict[str, Any]]:
    """Open the notebook in JupyterLab and visit its cells.

    Gives a row for each and what there is to say of all.
    """
    import nbformat
    from playwright.async_api import async_playwright

    from tools.in_jupyterlab import KERNEL_IS_IDLE, NOTEBOOK, jupyterlab

    cells = [f"seed, threads = {options.seeds[0]}, {options.threads}{SETUP}"]
    cells += [NOISE.format(repeat=repeat) + CONTENDERS[name].cell for repeat, name in turns]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # the kernel's, too
    rows, before = [], os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as home,
        jupyterlab(Path(home), {"widgets.ipynb": notebook}) as address,
    ):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = await browser.new_page(viewport={"width": 1280, "height": 1400})
            await page.goto(
                f"{address}/lab/workspaces/w/tree/widgets.ipynb?token=test", wait_until="domcontentloaded"
            )
            await page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for(timeout=60_000)
            await page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
            lab = Lab(page, options)
            await lab.set_up()
            for n, (repeat, name) in enumerate(turns, start=1):
                about = {"contender": name, "drawn_by": CONTENDERS[name].drawn_by, "repeat": repeat}
                load = {"load_average": os.getloadavg()[0]}
                rows.append(about | await lab.visit(CONTENDERS[name], n) | load)
            version = browser.version
            await browser.close()
    return rows, {
        "chromium": version,
        "load_average": [before, os.getloadavg()[0]],
        "page_errors": lab.errors,
    }


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark."""
    made = common.parser(f"{QUESTION} Latency, frames per second and bytes in the notebook.")
    made.set_defaults(repeats=3)
    made.add_argument("--presses", type=int, default=30, help="of a key, for each contender in each repeat")
    made.add_argument("--seconds", type=float, default=2.0, help="of each drag, and of each play")
    made.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS, help="who takes part"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    made = parser()
    options = common.parse(made, arguments)
    if options.quick:
        vars(options).update(QUICK)
    try:
        check_range("--presses", options.presses, 1, 35)
        if not 0.1 <= options.seconds <= 2:
            raise ValueError(
                f"--seconds must lie in 0.1 … 2, before the last frame is there, got {options.seconds}"
            )
    except ValueError as error:
        made.error(str(error))
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    missing = [name for name in PACKAGES if not find_spec(name)] + ["Chromium"] * (chromium is None)
    if missing:
        made.error(
            f"{', '.join(missing)} not found: pip install -e '.[dev]', and on Debian apt install chromium"
        )

    names, turns = options.contenders, []
    for repeat in range(options.repeats):
        first = repeat * len(names) // options.repeats
        turns += [(repeat, name) for name in (*names[first:], *names[:first])]
    rows, said = asyncio.run(measured(options, chromium, turns))
    versions = common.versions() | {name: metadata.version(name) for name in PACKAGES}
    versions["chromium"] = said.pop("chromium")
    summary = common.medians(rows, by=["contender", "drawn_by"], of=MEDIANS)
    common.finish(options, NAME, QUESTION, rows, medians=summary, columns=COLUMNS, versions=versions, **said)
    print(f"\nLoad average {said['load_average'][0]:.1f} before, {said['load_average'][1]:.1f} after.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
