"""The component map as tables, as a page and as the lines of a picture, with a column for a model of this course."""

import inspect
from collections.abc import Callable

from torch import Tensor, nn

from diffusion_lab.component_map.facts import MODELS, PARTS, SOURCES, Cell, in_short
from diffusion_lab.pretrained import load_pretrained
from diffusion_lab.schedules import DiffusionSchedule
from diffusion_lab.shipped import shipped

Column = dict[str, dict[str, Cell]]
"""Part → question → answer."""


def ours(
    *,
    vae: nn.Module,
    text_encoder: nn.Module,
    unet: nn.Module,
    schedule: DiffusionSchedule,
    objective: str,
    images: Tensor,
    latents: Tensor,
    context: Tensor,
    scale_factor: float,
    sampler: str | Callable,
    num_steps: int,
    guidance_scale: float,
) -> Column:
    """Answer every question of the map for a model of this course, from its networks and from what they gave in a run.

    Args:
        vae, text_encoder, unet, schedule, objective: the model; `unet` is a `UNet` with a context.
        images, latents, context: pictures, (B, C, H, W), their codes, (B, c, h, w), and the tokens of their
            captions, (B, tokens, features).
        scale_factor: what the codes are multiplied by before diffusion.
        sampler, num_steps, guidance_scale: those that the model is used with by default.

    A `ValueError` says if a tensor has another number of dimensions, or codes and context do not fit `unet`.
    """
    wanted = {"images": (images, 4), "latents": (latents, 4), "context": (context, 3)}
    for name, (tensor, dimensions) in wanted.items():
        if tensor.ndim != dimensions:
            raise ValueError(f"{name} must have {dimensions} dimensions, got shape {tuple(tensor.shape)}")
    config = unet.config
    fits = (config["in_channels"], config["context_features"])
    if fits != (latents.shape[1], context.shape[2]):
        raise ValueError(
            f"this UNet takes {fits[0]} channels and tokens of {fits[1]} numbers, got latents "
            f"{tuple(latents.shape)} and context {tuple(context.shape)}"
        )
    return {
        "VAE": {
            "class": Cell(type(vae).__name__),
            "picture": Cell(_size(images)),
            "latent": Cell(_size(latents)),
            "each side shrinks by": Cell(f"{images.shape[2] / latents.shape[2]:g}"),
            "scale factor": Cell(f"{scale_factor:.4g}"),
            "shift, taken off before": Cell("0"),
            "parameters": Cell(_count(vae)),
        },
        "text encoder": {
            "network": Cell("transformer", "as small as a laptop needs it"),
            "parameters": Cell(_count(text_encoder)),
            "tokens": Cell(str(context.shape[1])),
            "numbers per token": Cell(str(context.shape[2])),
            "one vector beside them": Cell("none"),
            "while the denoiser learns": Cell("frozen"),
        },
        "denoiser": {
            "network": Cell("U-Net"),
            "class": Cell(type(unet).__name__),
            "parameters": Cell(_count(unet)),
            "features": Cell(f"{config['width']} × ({', '.join(map(str, config['multipliers']))})"),
            "latent folded by": Cell(f"{config['patch']} × {config['patch']}"),
            "text enters by": Cell("cross-attention"),
        },
        "scheduler and guidance": {
            "path from data to noise": Cell(schedule.config["curve"], f"T = {schedule.timesteps}"),
            "share of data in the variance at T": Cell(f"{float(schedule.alphas_cumprod[-1]):.2g}"),
            "objective": Cell(objective),
            "sampler": Cell(sampler if isinstance(sampler, str) else sampler.__name__),
            "steps": Cell(str(num_steps)),
            "guidance scale": Cell(f"{float(guidance_scale)}"),
            "evaluations per step": Cell("1" if guidance_scale == 1 else "2"),
        },
    }


def of_mini_sd(model) -> Column:
    """Give the column of a `MiniSD`: one step of a run tells the shapes, its `sample` the defaults."""
    default = {
        name: parameter.default for name, parameter in inspect.signature(model.sample).parameters.items()
    }
    images = model.sample([""], num_steps=1)
    return ours(
        vae=model.vae,
        text_encoder=model.text,
        unet=model.unet,
        schedule=model.schedule,
        objective=model.objective,
        images=images,
        latents=model.encode(images),
        context=model.read([""]),
        scale_factor=model.scale,
        **{name: default[name] for name in ("sampler", "num_steps", "guidance_scale")},
    )


def shipped_column() -> Column | None:
    """Give the column of the miniature whose weights ship with the package, None if there are none."""
    return of_mini_sd(load_pretrained("mini-sd")) if "mini-sd" in shipped() else None


def _size(tensor: Tensor) -> str:
    _, channels, height, width = tensor.shape
    return f"{height} × {width} × {channels}"


def _count(module: nn.Module) -> str:
    return in_short(sum(parameter.numel() for parameter in module.parameters()))


def columns(column: Column | None = None) -> dict[str, Column]:
    """Give every model's column by name, ours first if there is one."""
    published = {
        model: {part: {ask: cells[i] for ask, cells in asked.items()} for part, asked in PARTS.items()}
        for i, model in enumerate(MODELS)
    }
    return ({"ours": column} if column else {}) | published


class Tables:
    """One table per part, as markdown where it is the last line of a cell."""

    def __init__(self, column: Column | None = None, *, sources: bool = False):
        """Compare `column`, which `ours` makes, with the others.

        `sources` adds footnotes, whose texts `page` has.
        """
        self.columns, self.sources = columns(column), sources

    def part(self, name: str) -> str:
        """Write the table of one part, a key of `facts.PARTS`."""
        lines = ["| | " + " | ".join(self.columns) + " |", "|---" * (len(self.columns) + 1) + "|"]
        for ask in PARTS[name]:
            cells = [self._cell(column[name][ask], code=ask == "class") for column in self.columns.values()]
            lines.append(f"| {ask} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _cell(self, cell: Cell, code: bool) -> str:
        value = f"`{cell.value}`" if code else cell.value
        text = f"{value} ({cell.note})" if cell.note else value
        return text + "".join(f"[^{key}]" for key in cell.sources.split() if self.sources)

    def _repr_markdown_(self) -> str:
        return "\n\n".join(f"**{name[0].upper()}{name[1:]}**\n\n{self.part(name)}" for name in PARTS)

    def __repr__(self) -> str:
        """The same, for places that show no markdown."""
        return self._repr_markdown_()


def compare(column: Column | None = None) -> Tables:
    """Set a column of `ours` beside the others, as tables without sources (docs/component_map.md has them)."""
    return Tables(column)


def in_picture(column: Column | None = None) -> dict[str, dict[str, str]]:
    """Give the lines of the picture, `figures.component_map`: model → box → two lines."""
    lines = {}
    for model, answers in columns(column).items():
        vae, text, net, path = ({ask: cell.value for ask, cell in answers[part].items()} for part in PARTS)
        tokens = f"({text['tokens']})" if "+" in text["tokens"] else text["tokens"]
        shift = "" if vae["shift, taken off before"] == "0" else f" + {vae['shift, taken off before']}"
        lines[model] = {
            "text encoder": f"{text['network']}\n{tokens} × {text['numbers per token']}",
            "denoiser": f"{net['network']}, {net['parameters']}\n{net['text enters by']}",
            "scheduler, guidance": (
                f"{path['path from data to noise']}, {path['objective']}\n"
                f"{path['steps']} steps, scale {path['guidance scale']}"
            ),
            "VAE decoder": f"{vae['latent']}, ÷ {vae['scale factor']}{shift}\n{vae['picture']}",
        }
    return lines


PAGE = """# The component map

Our miniature and the models that people use are the same machine: a text encoder, a denoiser that runs in a loop under
a scheduler, and the decoder of a VAE. The names differ, and the numbers. This page puts them side by side, each fact
with its source. {ours}

{tables}

**How to read it.** A latent that goes into the denoiser is (code − shift) × scale factor; before the decoder the same
is undone. "Quadratic" is this course's name for `scaled_linear`: the roots of the betas are evenly spaced. In
diffusers the times of such a path count from 0 to 999, ours are one more. A guidance scale means the same everywhere
but in FLUX.1 [dev]: null + scale × (conditional − null), for two evaluations per step. Parameters are the numbers that
training sets; tables that are computed, such as those of positions, do not count. Steps and scales are the defaults of
diffusers' pipelines; the authors' own scripts use others here and there.

Some words of the tables: *T5* is the encoder of a language model. *Times shifted by 3* means that 3τ / (1 + 2τ) stands
in the place of τ, so that more of the steps are spent where there is much noise. In *joint attention* text and pixels
are one sequence; each has weights of its own and they meet in attention only, but in the later blocks of FLUX they
share all weights. A network *distilled* to obey guidance was trained to say in one evaluation what guidance needs two
for.

{sources}
"""


def page(column: Column | None = None) -> str:
    """Write docs/component_map.md, with `column` if there is one.

    ``python tools/component_map.py`` puts it there.
    """
    tables = Tables(column, sources=True)
    parts = "\n\n".join(f"## {name[0].upper()}{name[1:]}\n\n{tables.part(name)}" for name in PARTS)
    notes = "\n".join(f"[^{key}]: [{text}]({link})." for key, (text, link) in SOURCES.items())
    where = (
        "Our column is read from the shipped weights."
        if column
        else "Lesson 09 adds a column for our miniature."
    )
    return PAGE.format(ours=where, tables=parts, sources=notes)
