"""Record a training for the first screen of lesson 05: ``python -m tools.record_training runs``.

Trains the network of lesson 05 as the lesson does, has it draw the digits 0 … 9 from the same noise on the way, and
writes ``digits-training-film.safetensors`` into a folder; ``tools/ship_weights.py`` puts it into the package. Takes
about four CPU-minutes.
"""

import argparse
from pathlib import Path

import torch

import diffusion_lab as dl
from diffusion_lab.pretrained import TrainingFilm, save_training_film

NUM_STEPS = 1200
DRAWN_AFTER = (0, 10, 20, 30, 40, 50, 75, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500, 550, 600)
DRAWN_AFTER += (700, 800, 900, 1000, 1100, NUM_STEPS)
ABOUT = (
    f"dl.UNet(num_classes=10), {NUM_STEPS} steps of dl.train on batches of 64 pictures of MNIST, cosine schedule;"
    " drawn with the averaged weights in 10 steps of ddim, from one noise for each digit"
)


def record() -> TrainingFilm:
    """Train, and draw on the way."""
    digits, schedule = dl.data.mnist(), dl.DiffusionSchedule.cosine(1000)
    torch.manual_seed(0)
    network = dl.UNet(num_classes=10)

    def drawn(model: torch.nn.Module) -> torch.Tensor:
        noise = torch.Generator().manual_seed(2)
        options = {"labels": range(10), "num_steps": 10, "progress": False, "generator": noise}
        return dl.sample(model, schedule, (10, 1, 28, 28), **options)

    pictures = {0: drawn(network)}
    order, draws = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    loader = dl.data.loader(digits.images, digits.labels, batch_size=64, generator=order)
    for step in dl.train(network, schedule, loader, num_steps=NUM_STEPS, generator=draws):
        if step.index in DRAWN_AFTER:
            pictures[step.index] = drawn(step.ema)
            print(f"drawn after {step.index:,} steps", flush=True)
    return TrainingFilm(list(pictures), torch.stack(list(pictures.values())), ABOUT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    save_training_film(parser.parse_args().folder / "digits-training-film.safetensors", record())
