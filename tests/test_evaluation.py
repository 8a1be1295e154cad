"""The judge and its distances, against closed forms, scipy and digits of known quality."""

import os

import pytest
import scipy.linalg
import torch
from torch.nn import functional as F

import diffusion_lab as dl
from diffusion_lab import evaluation
from diffusion_lab.evaluation import Gaussian, Reference, frechet_distance, judge, within_class_spread

needs_mnist = pytest.mark.skipif(
    not os.environ.get("DIFFUSION_LAB_DATA"),
    reason="needs the real MNIST: set DIFFUSION_LAB_DATA to its folder",
)


@pytest.fixture(scope="module")
def shipped():
    return dl.load_judge()


def random_gaussian(size: int, seed: int, samples: int | None = None) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(samples or 2 * size, size, generator=generator, dtype=torch.float64)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return evaluation.fit_gaussian(features @ mixing + torch.randn(size, generator=generator))


def centred(*variances: float) -> Gaussian:
    diagonal = torch.tensor(variances, dtype=torch.float64)
    return Gaussian(torch.zeros_like(diagonal), diagonal.diag())


# the Fréchet distance


@pytest.mark.parametrize("size", [2, 64])
def test_distance_to_itself_is_zero(size):
    gaussian = random_gaussian(size, seed=0)
    assert frechet_distance(gaussian, gaussian) == pytest.approx(
        0, abs=1e-9 * float(gaussian.covariance.trace())
    )


def test_distance_of_shifted_gaussians_is_the_squared_shift():
    gaussian = random_gaussian(5, seed=0)
    shift = torch.tensor([1.0, -1.0, 2.0, -2.0, 0.5])
    assert frechet_distance(gaussian, gaussian._replace(mean=gaussian.mean + shift)) == pytest.approx(
        10.25, rel=1e-9
    )


@pytest.mark.parametrize(
    ("first", "second", "distance"), [(4, 9, 1), (9, 4, 1), (0, 25, 25), (1, 1e-8, 0.9998)]
)
def test_distance_on_a_line_is_the_squared_difference_of_deviations(first, second, distance):
    assert frechet_distance(centred(first), centred(second)) == pytest.approx(distance, rel=1e-6)


def test_distance_of_commuting_covariances():
    rotation, _ = torch.linalg.qr(
        torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    )
    first, second = torch.tensor([[1, 2, 3, 4, 5, 6], [6.5, 0.25, 9, 4, 1, 0]], dtype=torch.float64)
    zero = torch.zeros(6, dtype=torch.float64)
    turned = [Gaussian(zero, rotation @ variances.diag() @ rotation.T) for variances in (first, second)]
    assert frechet_distance(*turned) == pytest.approx(
        float((first.sqrt() - second.sqrt()).square().sum()), abs=1e-6
    )


@pytest.mark.parametrize(
    ("mean", "covariance", "distance"),
    [
        ([1, -1], [[4, 0], [0, 1]], 2),
        ([0, 0], [[1, 0], [0, 4]], 2),
        ([0, 0], [[2.5, 1.5], [1.5, 2.5]], 10 - 2 * 20.5**0.5),
    ],
)
def test_differences_of_opposite_sign_do_not_cancel(mean, covariance, distance):
    """The signed differences of means and of variances add up to nothing, or all eigenvalues are equal."""
    other = Gaussian(*(torch.tensor(x, dtype=torch.float64) for x in (mean, covariance)))
    assert frechet_distance(centred(4, 1), other) == pytest.approx(distance, rel=1e-9)


@pytest.mark.parametrize("size", [2, 10, 64])
@pytest.mark.parametrize("seed", range(3))
def test_distance_agrees_with_scipy_and_is_symmetric(size, seed):
    a, b = random_gaussian(size, seed), random_gaussian(size, seed + 100)
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy())
    expected = (
        float((a.mean - b.mean).square().sum() + (a.covariance + b.covariance).trace())
        - 2 * root.trace().real
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


def test_distance_of_singular_covariances_is_finite():
    few, many = random_gaussian(20, seed=0, samples=5), random_gaussian(20, seed=1)
    assert torch.linalg.matrix_rank(few.covariance) == 4
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6 * float(few.covariance.trace()))
    assert frechet_distance(few, many) == pytest.approx(frechet_distance(many, few), rel=1e-6)


def test_fit_gaussian():
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 6.0]], dtype=torch.float64)
    mean, covariance = evaluation.fit_gaussian(features)
    assert mean.tolist() == [2, 2]
    torch.testing.assert_close(covariance, torch.tensor([[4.0, 6.0], [6.0, 12.0]], dtype=torch.float64))


def test_covariance_of_one_feature_is_a_matrix():
    mean, covariance = evaluation.fit_gaussian(torch.tensor([[1.0], [3.0]], dtype=torch.float64))
    assert mean.tolist() == [2]
    assert covariance.tolist() == [[2]]


# the reference


def reference(**changes) -> Reference:
    made = Reference(centred(1), torch.arange(10) * 100, 1.0, {100: 10.0, 200: 6.0, 400: 5.0})
    return made._replace(**changes)


@pytest.mark.parametrize("number", [1, 9, 250, 4500, 9000])
def test_reference_labels_have_the_proportions_of_the_test_set(number):
    labels = reference().labels(number)
    assert labels.shape == (number,)
    assert (labels.diff() >= 0).all()
    wanted = torch.arange(10) * 100 * number / 4500
    assert (labels.bincount(minlength=10) - wanted).abs().max() <= (0 if number % 4500 == 0 else 1)


@pytest.mark.parametrize(
    ("number", "floor"),
    [(50, 10), (100, 10), (150, 10 / 3 + 12 / 3), (200, 6), (300, 5 + 1 / 3), (400, 5), (9999, 5)],
)
def test_floor_is_interpolated_in_one_over_the_number(number, floor):
    assert reference().floor(number) == pytest.approx(floor)


@pytest.mark.parametrize("number", [2, 300])
def test_floor_of_a_single_measurement(number):
    assert reference(floors={200: 6.0}).floor(number) == 6


def test_within_class_spread_ignores_where_a_class_lies():
    features = torch.tensor([[0.0, 1.0], [2.0, 1.0], [100.0, 0.0], [100.0, 0.0]])
    labels = torch.tensor([3, 3, 7, 7])
    assert within_class_spread(features, labels) == pytest.approx(0.5)
    assert within_class_spread(features[:, :1], torch.tensor([3, 3, 3, 3])) == pytest.approx(2451, rel=1e-3)


# the judge


@pytest.fixture(scope="module")
def held_out():
    return dl.data.sklearn_digits(train=False)


@pytest.fixture(scope="module")
def report(shipped, held_out):
    return judge(*shipped, held_out.images, held_out.labels)


def test_real_digits_are_read(report):
    assert report.class_accuracy > 0.95
    assert report.num_samples == 297


def test_noise_is_far_from_digits(shipped, held_out, report, generator):
    noise = torch.randn(297, 1, 28, 28, generator=generator).clamp(-1, 1)
    seen = judge(*shipped, noise, held_out.labels)
    assert seen.frechet_distance > 50 * seen.floor
    assert seen.frechet_distance > 5 * report.frechet_distance
    assert seen.class_accuracy < 0.3


def test_swapped_labels_lower_the_class_accuracy_only(shipped, held_out, report):
    swapped = torch.where(held_out.labels == 3, 5, held_out.labels)
    seen = judge(*shipped, held_out.images, swapped)
    share_of_threes = float((held_out.labels == 3).double().mean())
    assert seen.class_accuracy == pytest.approx(report.class_accuracy - share_of_threes, abs=0.02)
    assert seen.frechet_distance == report.frechet_distance


def test_collapsed_samples_have_little_diversity(shipped, held_out, report):
    first = torch.stack([(held_out.labels == label).nonzero()[0, 0] for label in range(10)])
    seen = judge(*shipped, held_out.images[first[held_out.labels]], held_out.labels)
    assert seen.diversity == pytest.approx(0, abs=1e-6)
    assert report.diversity > 0.4


@pytest.mark.parametrize("number", [1, 199])
def test_too_few_samples_are_refused(shipped, held_out, number):
    with pytest.raises(ValueError, match=f"number of samples must be at least 200, got {number}"):
        judge(*shipped, held_out.images[:number], held_out.labels[:number])


@pytest.mark.parametrize("shape", [(200, 1, 20, 20), (200, 3, 28, 28), (200, 28, 28), (200, 784)])
def test_pictures_of_another_shape_are_refused(shipped, unchecked, shape):
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, 28, 28\)"):
        judge(*shipped, torch.zeros(shape), torch.zeros(200, dtype=torch.int64))


def test_evaluate_draws_in_the_proportions_of_the_test_set(shipped, held_out, report):
    asked = []

    def draw(labels):
        asked.append(labels)
        places = [(held_out.labels == label).nonzero().flatten() for label in range(10)]
        return held_out.images[
            torch.stack([places[k][i % len(places[k])] for i, k in enumerate(labels.tolist())])
        ]

    seen = evaluation.evaluate(draw, *shipped, num_samples=230, batch_size=100)
    assert [len(labels) for labels in asked] == [100, 100, 30]
    assert torch.equal(torch.cat(asked), shipped.reference.labels(230))
    assert seen.class_accuracy > 0.93
    assert seen.floor == shipped.reference.floor(230)


def test_report_prints_four_lines():
    lines = str(evaluation.Report(2000, 0.98765, 2.5, 1.25, 0.5)).splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["class accuracy", "Fréchet distance"]
    assert "98.77%" in lines[0]
    assert "2.500   (2.00 × floor)" in lines[1]
    assert "1.250" in lines[2]
    assert "2,000 samples" in lines[2]
    assert " 0.50 " in lines[3]


def test_describe_does_not_depend_on_batches_or_training_mode(shipped, held_out):
    classifier = shipped.classifier.train()
    whole, parts = (evaluation.describe(classifier, held_out.images[:40], size) for size in (40, 7))
    assert not classifier.training
    assert whole[0].dtype == torch.float64
    assert whole[0].shape == (40, 64)
    torch.testing.assert_close(whole[0], parts[0], rtol=1e-4, atol=1e-4)
    assert torch.equal(whole[1], classifier(held_out.images[:40]).argmax(dim=1))


def test_train_classifier_learns_digits(digits, held_out, generator):
    torch.manual_seed(0)
    classifier = evaluation.DigitClassifier()
    steps = evaluation.train_classifier(
        classifier, digits.images, digits.labels, epochs=3, generator=generator
    )
    losses = [step.loss for step in steps]
    _, predicted = evaluation.describe(classifier, held_out.images)
    assert len(losses) == 3 * (1500 // 128)
    assert losses[-1] < 0.5 * losses[0]
    assert (predicted == held_out.labels).double().mean() > 0.8
    assert not classifier.training


def test_train_classifier_is_a_loop_with_one_cycle_of_the_learning_rate(digits):
    """Beside the loop written out, bit for bit, over the end of a pass through the data."""
    torch.manual_seed(0)
    images, labels = digits.images[:600], digits.labels[:600]
    model, by_hand = evaluation.DigitClassifier(), evaluation.DigitClassifier()
    by_hand.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(by_hand.parameters(), weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=8)
    generator, expected = torch.Generator().manual_seed(3), []
    for _ in range(2):
        order = torch.randperm(600, generator=generator)
        for k in range(4):
            chosen = order[128 * k : 128 * (k + 1)]
            down, right = torch.randint(-2, 3, (2,), generator=generator).tolist()
            moved = images[chosen].roll(down, 2).roll(right, 3)
            loss = F.cross_entropy(by_hand(moved), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            expected.append((loss.item(), optimizer.param_groups[0]["lr"]))
            cycle.step()

    generator = torch.Generator().manual_seed(3)
    steps = list(evaluation.train_classifier(model, images, labels, epochs=2, generator=generator))
    assert [(step.loss, step.learning_rate) for step in steps] == expected
    for name, weight in by_hand.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


@needs_mnist
def test_shipped_judge_reads_mnist(shipped):
    test = dl.data.mnist(train=False)
    features, predicted = evaluation.describe(shipped.classifier, test.images)
    known = shipped.reference
    assert (predicted == test.labels).double().mean() >= 0.99
    assert torch.equal(known.class_counts, test.labels.bincount())
    assert frechet_distance(evaluation.fit_gaussian(features), known.gaussian) == pytest.approx(0, abs=1e-3)
    assert within_class_spread(features, test.labels) == pytest.approx(known.spread, rel=1e-3)


@needs_mnist
def test_training_images_are_as_near_as_the_floor_says(shipped):
    train, wanted = dl.data.mnist(), shipped.reference.labels(1500)
    order = torch.randperm(len(train.images), generator=torch.Generator().manual_seed(3))
    of_class = [iter(order[train.labels[order] == k].tolist()) for k in range(10)]
    seen = judge(*shipped, train.images[[next(of_class[k]) for k in wanted.tolist()]], wanted)
    assert 0.7 < seen.frechet_distance / seen.floor < 1.5
    assert 0.9 < seen.diversity < 1.1
    assert seen.class_accuracy > 0.98
