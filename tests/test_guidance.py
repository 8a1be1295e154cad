"""Classifier-free guidance: how often and with what it asks the model, and what it makes of the answers."""

import math

import pytest
import torch

from diffusion_lab.guidance import ClassifierFreeGuidance
from diffusion_lab.process import convert
from diffusion_lab.schedules import DiffusionSchedule

NULL = 10
SCHEDULE = DiffusionSchedule.from_betas([0.1, 0.2, 0.3, 0.4, 0.5])
X_T = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
T = torch.tensor([1, 3, 5])
LABELS = torch.tensor([7, 0, 10])
CONTEXT = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def stub(x_t, t, labels=None, context=None):
    """A denoiser that depends on everything it is given, one element of the batch at a time."""
    shift = t / 10 if labels is None else t / 10 + labels
    shift = shift if context is None else shift + context.flatten(1).norm(dim=1)
    return torch.sin(x_t + shift[:, None, None, None])


class Counter:
    """Remembers the batch of every call."""

    def __init__(self):
        self.batches = []

    def __call__(self, x_t, t, **condition):
        assert {len(value) for value in condition.values()} <= {len(x_t)} == {len(t)}
        self.batches.append(len(x_t))
        return stub(x_t, t, **condition)


def worst(a, b) -> float:
    return float((a - b).abs().max())


def nulls(labels=LABELS):
    return torch.full_like(labels, NULL)


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.5, -1.0])
def test_guided_output_extrapolates_from_null_in_one_doubled_call(scale):
    model = Counter()
    guided = ClassifierFreeGuidance(model, scale, null={"labels": NULL})(X_T, T, labels=LABELS)
    null, plain = stub(X_T, T, nulls()), stub(X_T, T, LABELS)
    assert worst(guided, null + scale * (plain - null)) < 1e-12
    assert worst(guided, plain + scale * (plain - null)) > 0.1, "the paper's w in place of s would pass"
    assert model.batches == [6]


def test_scale_one_is_the_model_itself_in_one_plain_call():
    model = Counter()
    guided = ClassifierFreeGuidance(model, 1.0, null={"labels": NULL})(X_T, T, labels=LABELS)
    assert torch.equal(guided, stub(X_T, T, LABELS))
    assert model.batches == [3]


def test_scale_one_needs_no_condition():
    plain = ClassifierFreeGuidance(stub, 1.0, null={"labels": NULL})(X_T, T)
    assert torch.equal(plain, stub(X_T, T))


def test_scale_zero_is_the_null_condition():
    guided = ClassifierFreeGuidance(stub, 0.0, null={"labels": NULL})(X_T, T, labels=LABELS)
    assert torch.equal(guided, stub(X_T, T, nulls()))
    assert worst(guided, stub(X_T, T, LABELS)) > 0.1


@pytest.mark.parametrize("w", [-1.0, 0.0, 0.5, 3.0])
def test_scale_is_the_papers_w_plus_one(w):
    guided = ClassifierFreeGuidance(stub, w + 1, null={"labels": NULL})(X_T, T, labels=LABELS)
    paper = (1 + w) * stub(X_T, T, LABELS) - w * stub(X_T, T, nulls())
    assert worst(guided, paper) < 1e-12


def test_an_element_whose_label_is_null_is_not_guided():
    guided = ClassifierFreeGuidance(stub, 5.0, null={"labels": NULL})(X_T, T, labels=LABELS)
    change = (guided - stub(X_T, T, LABELS)).flatten(1).abs().amax(1)
    assert (change > 0.1).tolist() == [True, True, False]
    assert change[2] < 1e-12


@pytest.mark.parametrize("shape", [(3, 2, 4), (1, 2, 4), (2, 4), (4,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_null_tensor_is_broadcast_over_the_batch_and_takes_the_dtype_of_the_condition(shape, dtype):
    nothing = torch.linspace(0, 1, math.prod(shape), dtype=torch.float64).reshape(shape)
    x_t, context = X_T.to(dtype), CONTEXT.to(dtype)
    guided = ClassifierFreeGuidance(stub, 2.0, null={"context": nothing})(x_t, T, context=context)
    null, plain = stub(x_t, T, context=nothing.to(dtype).expand(3, 2, 4)), stub(x_t, T, context=context)
    assert guided.dtype == dtype
    assert worst(guided, 2 * plain - null) < 1e-6
    assert worst(guided, plain) > 0.1


@pytest.mark.parametrize("guided_names", [{"labels"}, {"context"}, {"labels", "context"}])
def test_conditions_without_a_null_reach_both_halves_unchanged(guided_names):
    model, given = Counter(), {"labels": LABELS, "context": CONTEXT}
    nothing = {"labels": nulls(), "context": torch.zeros_like(CONTEXT)}
    null = {name: {"labels": NULL, "context": torch.zeros(1)}[name] for name in guided_names}
    guided = ClassifierFreeGuidance(model, 2.0, null=null)(X_T, T, **given)
    halves = given | {name: nothing[name] for name in guided_names}
    assert worst(guided, 2 * stub(X_T, T, **given) - stub(X_T, T, **halves)) < 1e-12
    assert model.batches == [6]


@pytest.mark.parametrize("scale", [0.0, 2.0, 7.5])
@pytest.mark.parametrize("objective", ["x0", "v", "score", "flow"])
def test_guidance_is_the_same_in_every_space(objective, scale):
    def model(x_t, t, labels):
        return convert(stub(x_t, t, labels), x_t, t, SCHEDULE, "eps", objective)

    in_eps = ClassifierFreeGuidance(stub, scale, null={"labels": NULL})(X_T, T, labels=LABELS)
    elsewhere = ClassifierFreeGuidance(model, scale, null={"labels": NULL})(X_T, T, labels=LABELS)
    assert worst(convert(elsewhere, X_T, T, SCHEDULE, objective, "eps"), in_eps) < 1e-10
    assert worst(elsewhere, in_eps) > 0.1


def test_the_wrapped_model_can_be_wrapped_again():
    inner = ClassifierFreeGuidance(stub, 2.0, null={"labels": NULL})
    outer = ClassifierFreeGuidance(inner, 3.0, null={"context": torch.zeros(1)})
    null = inner(X_T, T, labels=LABELS, context=torch.zeros_like(CONTEXT))
    plain = inner(X_T, T, labels=LABELS, context=CONTEXT)
    assert worst(outer(X_T, T, labels=LABELS, context=CONTEXT), 3 * plain - 2 * null) < 1e-12


@pytest.mark.parametrize("scale", [math.nan, math.inf, -math.inf])
def test_a_scale_that_is_not_finite_is_refused(scale):
    with pytest.raises(ValueError, match=f"guidance_scale must be a finite number, got {scale}"):
        ClassifierFreeGuidance(stub, scale, null={"labels": NULL})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("condition", [{}, {"labels": None}, {"context": CONTEXT}])
@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_a_missing_condition_is_refused_by_name(condition, scale):
    with pytest.raises(ValueError, match=f"guidance_scale={scale}.*labels"):
        ClassifierFreeGuidance(stub, scale, null={"labels": NULL})(X_T, T, **condition)
