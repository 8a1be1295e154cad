"""How good are generated digits? A classifier judges, and its features give a distance between distributions.

The judge is a small convolutional network trained on MNIST. Four numbers come out of it: class accuracy (is a
"3" a 3?), Fréchet distance (do the features of many pictures have the mean and covariance of real ones?), the
same distance between real and real as the floor, and diversity within a class.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from diffusion_lab.checkpoints import TrainingState
from diffusion_lab.fitting import Step, fit
from diffusion_lab.shapes import Images, Labels, check_range


class DigitClassifier(nn.Module):
    """A convolutional network for 28 × 28 digits, whose last hidden layer serves as a space to measure in."""

    FEATURES = 64

    def __init__(self):
        """Make an untrained classifier."""
        super().__init__()

        def stage(before: int, after: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

        self.convolutions = nn.Sequential(
            *stage(1, 32),
            nn.MaxPool2d(2),
            *stage(32, 64),
            *stage(64, 64),
            nn.MaxPool2d(2),
            *stage(64, 128),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(128 * 3 * 3, self.FEATURES)
        self.out = nn.Linear(self.FEATURES, 10)

    def features(self, images: Images) -> Tensor:
        """Describe pictures in [-1, 1], (B, 1, 28, 28), by 64 numbers each, (B, 64)."""
        if images.shape[1:] != (1, 28, 28):
            raise ValueError(f"images must have shape (B, 1, 28, 28), got {tuple(images.shape)}")
        return self.hidden(self.convolutions(images))

    def forward(self, images: Images) -> Tensor:
        """Give class logits, (B, 10)."""
        return self.out(F.relu(self.features(images)))


CLASSIFIER_BATCH_SIZE = 128
"""Pictures per step of `train_classifier`."""


def steps_per_epoch(images: Images) -> int:
    """Count the steps that `train_classifier` takes in one pass through the pictures."""
    return len(images) // CLASSIFIER_BATCH_SIZE


def train_classifier(
    model: DigitClassifier, images: Images, labels: Labels, *, epochs: int = 8, generator: torch.Generator
) -> Iterator[Step]:
    """Train the judge, with pictures shifted by up to two pixels, yielding after each optimiser step.

    The learning rate goes up and down once (Smith & Topin 2018, super-convergence).
    """
    per_epoch = steps_per_epoch(images)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=epochs * per_epoch)

    def shuffled() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=generator)
            for chosen in order.split(CLASSIFIER_BATCH_SIZE)[:per_epoch]:
                yield images[chosen], labels[chosen]

    def loss(state: TrainingState, batch: Tensor, classes: Tensor) -> Tensor:
        rows, columns = torch.randint(-2, 3, (2,), generator=state.generator).tolist()
        return F.cross_entropy(
            state.model(batch.roll((rows, columns), dims=(2, 3))), classes, label_smoothing=0.05
        )

    steps = fit(
        model,
        loss,
        shuffled(),
        num_steps=epochs * per_epoch,
        optimizer=optimizer,
        grad_clip=torch.inf,
        memory_format=torch.contiguous_format,
        generator=generator,
    )
    for step in steps:
        schedule.step()
        yield step
    model.eval()


class Gaussian(NamedTuple):
    """Mean, (D,), and covariance, (D, D), of features; float64."""

    mean: Tensor
    covariance: Tensor


@torch.no_grad()
def describe(classifier: DigitClassifier, images: Images, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Run the judge over pictures in [-1, 1]: features, (N, 64), float64, and predicted classes, (N,)."""
    classifier.eval()
    features = torch.cat([classifier.features(batch) for batch in images.split(batch_size)])
    return features.double(), classifier.out(F.relu(features)).argmax(dim=1)


def fit_gaussian(features: Tensor) -> Gaussian:
    """Mean and covariance of features, (N, D)."""
    return Gaussian(features.mean(dim=0), features.T.cov().reshape(features.shape[1], features.shape[1]))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Wasserstein distance between two Gaussians: |mean difference|² + tr(A + B - 2 (A B)^(1/2)).

    Source: Dowson & Landau 1982; for images Heusel et al. 2017, equation 6. Here the features are those of
    `DigitClassifier`, not of Inception, so the numbers compare within this course only.
    """
    root_a = _matrix_root(a.covariance)
    cross = _matrix_root(root_a @ b.covariance @ root_a)  # same trace as (A B)^(1/2), but symmetric
    return float((a.mean - b.mean).square().sum() + (a.covariance + b.covariance - 2 * cross).trace())


def _matrix_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def within_class_spread(features: Tensor, labels: Labels) -> float:
    """Mean squared distance of features, (N, D), to the mean of their own class: how varied one kind of digit is."""
    centred = [features[labels == k] - features[labels == k].mean(dim=0) for k in labels.unique()]
    return float(torch.cat(centred).square().sum(dim=1).mean())


def proportional_labels(class_counts: Tensor, number: int) -> Labels:
    """Make `number` labels, (number,), in order, in the proportions of `class_counts`, (10,)."""
    edges = (class_counts.double().cumsum(0) / class_counts.sum() * number).round().long()
    return torch.bucketize(torch.arange(number), edges, right=True)


class Reference(NamedTuple):
    """What real digits look like to the judge: MNIST's test set."""

    gaussian: Gaussian
    class_counts: Tensor
    """How often each digit occurs, (10,)."""
    spread: float
    """`within_class_spread` of the test set."""
    floors: dict[int, float]
    """Fréchet distance of that many training images to the test set: what a perfect model of the training set gets."""

    def labels(self, number: int) -> Labels:
        """Make `number` labels in the proportions of the test set, in order, (number,)."""
        return proportional_labels(self.class_counts, number)

    def floor(self, number: int) -> float:
        """Floor for `number` samples, interpolated in 1 / number.

        That for the most measured, if it is more.
        """
        sizes = sorted(self.floors)
        size = min(max(number, sizes[0]), sizes[-1])
        above = next(s for s in sizes if s >= size)
        below = max(s for s in sizes if s <= size)
        if above == below:
            return self.floors[size]
        weight = (1 / size - 1 / above) / (1 / below - 1 / above)
        return weight * self.floors[below] + (1 - weight) * self.floors[above]


def measure_reference(
    classifier: DigitClassifier,
    test: Images,
    test_labels: Labels,
    train: Images,
    train_labels: Labels,
    *,
    generator: torch.Generator,
) -> Reference:
    """Describe MNIST's test set, and measure the floor: 40 draws of training images for each number of samples.

    The draws have the class proportions of the test set, as generated samples have, or the floor would be too
    high.
    """
    features, _ = describe(classifier, test)
    gaussian, counts = fit_gaussian(features), test_labels.bincount(minlength=10)
    train_features, _ = describe(classifier, train)

    def draw(number: int) -> Tensor:
        order = torch.randperm(len(train), generator=generator)
        wanted = proportional_labels(counts, number).bincount(minlength=10).tolist()
        chosen = torch.cat([order[train_labels[order] == k][:n] for k, n in enumerate(wanted)])
        return train_features[chosen]

    floors = {
        number: sum(frechet_distance(fit_gaussian(draw(number)), gaussian) for _ in range(40)) / 40
        for number in (200, 500, 1000, 2000, 5000, 10_000)
    }
    return Reference(gaussian, counts, within_class_spread(features, test_labels), floors)


class Report(NamedTuple):
    """The verdict on generated digits."""

    num_samples: int
    class_accuracy: float
    """Share of pictures that the judge reads as the digit that was asked for."""
    frechet_distance: float
    floor: float
    """What as many real training images get."""
    diversity: float
    """Spread within a class, as a share of that of real digits; below 1 the digits are too alike."""

    def __str__(self) -> str:
        """Four lines to print."""
        return "\n".join(
            [
                f"class accuracy     {self.class_accuracy:7.2%}",
                (
                    f"Fréchet distance   {self.frechet_distance:7.3f}  "
                    f" ({self.frechet_distance / self.floor:.2f} × floor)"
                ),
                f"  real against real{self.floor:7.3f}   (the floor, for {self.num_samples:,} samples)",
                f"diversity          {self.diversity:7.2f}   (1 = as varied within a class as real digits)",
            ]
        )


class Evaluation(NamedTuple):
    """The verdict on what a model draws, and how it drew; printed, one line of settings above the report."""

    how: str
    """How many pictures, and by which settings of the sampler."""
    seconds: float
    """CPU time."""
    report: Any
    """A `Report`, or that of another judge: numbers as attributes, and lines to print as a string."""

    def __str__(self) -> str:
        """The line, and the report."""
        return f"{self.how}, {self.seconds:.0f} CPU-seconds\n{self.report}"


def describe_sampler(sampler: str, options: dict) -> str:
    """Name a sampler and, of its options, those that were chosen: "dpmpp_2m, spacing logsnr, eta 1.0"."""
    return ", ".join(
        [sampler, *(f"{name} {options[name]}" for name in ("spacing", "eta") if name in options)]
    )


def judge(classifier: DigitClassifier, reference: Reference, images: Images, labels: Labels) -> Report:
    """Compare pictures in [-1, 1], (N, 1, 28, 28), that should show `labels`, (N,), with real digits.

    Raises:
        ValueError: if there are fewer than 200 pictures; a covariance of 64 features needs more.
    """
    check_range("number of samples", len(images), 200)
    features, predicted = describe(classifier, images)
    return Report(
        num_samples=len(images),
        class_accuracy=float((predicted == labels).double().mean()),
        frechet_distance=frechet_distance(fit_gaussian(features), reference.gaussian),
        floor=reference.floor(len(images)),
        diversity=within_class_spread(features, labels) / reference.spread,
    )


def evaluate(
    draw: Callable[[Labels], Images],
    classifier: DigitClassifier,
    reference: Reference,
    *,
    num_samples: int = 2000,
    batch_size: int = 250,
) -> Report:
    """Draw digits in the class proportions of MNIST's test set and judge them.

    Args:
        draw: gives pictures for labels, such as ``lambda labels: dl.sample(..., labels=labels)``.
        classifier: the judge.
        reference: what real digits look like to it.
        num_samples: how many to draw.
        batch_size: how many at a time.
    """
    check_range("num_samples", num_samples, 200)
    labels = reference.labels(num_samples)
    bar = tqdm(labels.split(batch_size), unit="batch", delay=2, leave=False, desc="drawing")
    return judge(classifier, reference, torch.cat([draw(batch).cpu() for batch in bar]), labels)
