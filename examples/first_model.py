"""A first diffusion model: train `SimpleDiffusion` on MNIST, draw sixteen digits, and keep both.

``python examples/first_model.py`` takes about an hour on one CPU core; ``--epochs 2`` gives digits too, less well
drawn. Ctrl-C stops the training and draws with what has been learned.
"""

import argparse
from pathlib import Path

from torch.utils.data import DataLoader, TensorDataset

import diffusion_lab as dl

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--epochs", type=int, default=10, help="passes over the data (default: %(default)s)")
parser.add_argument(
    "--out",
    type=Path,
    default=Path("first_model.png"),
    help="picture to write; the network goes beside it, as .safetensors (default: %(default)s)",
)
options = parser.parse_args()
weights = options.out.with_suffix(".safetensors")
if existing := [str(path) for path in (options.out, weights) if path.exists()]:
    parser.error(f"{' and '.join(existing)} would be overwritten: move it, or choose another --out")

digits = dl.data.mnist()
dataloader = DataLoader(TensorDataset(digits.images, digits.labels), batch_size=64, shuffle=True)

schedule = dl.DiffusionSchedule(timesteps=1000, beta_start=1e-4, beta_end=0.02)
model = dl.SimpleDiffusion(channels=1, time_emb_dim=32)
losses = dl.train_diffusion(model, dataloader, schedule, epochs=options.epochs)
images = dl.sample(model, schedule, (16, 1, 28, 28))

dl.save_model(weights, model, schedule, model.trained_objective)
dl.figures.save_picture(options.out, [dl.figures.grid(images)])
last = losses[-100:]
print(f"mean loss of the last {len(last)} steps {sum(last) / len(last):.4f}; see {options.out} and {weights}")
