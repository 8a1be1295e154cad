"""Which answers are alike: names and layout do not hide it, and what everybody writes is no likeness."""

import pytest

from diffusion_lab.grading.similarity import likeness, pairs, shape

ONE = """
def my_add_noise(x_0, t, noise, betas):
    # as in the lesson
    abar = torch.cumprod(1 - betas, dim=0)
    scale = abar[t].sqrt().view(-1, 1, 1, 1)
    return scale * x_0 + (1 - abar[t]).sqrt().view(-1, 1, 1, 1) * noise
"""
COPIED = '''
def my_add_noise(picture, time, eps, b):
    """My own work."""
    products: torch.Tensor = torch.cumprod(1 - b,
                                           dim=0)
    s = products[time].sqrt().view(-1, 1, 1, 1)

    return s * picture + (1 - products[time]).sqrt().view(-1, 1, 1, 1) * eps
'''
OTHER = """
def my_add_noise(x_0, t, noise, betas):
    result = []
    for picture, time, eps in zip(x_0, t, noise):
        bar = 1.0
        for k in range(1, int(time) + 1):
            bar = bar * (1 - betas[k])
        result.append(bar ** 0.5 * picture + (1 - bar) ** 0.5 * eps)
    return torch.stack(result)
"""


def test_names_types_comments_docstrings_and_layout_do_not_count():
    assert shape(ONE) == shape(COPIED) != {}
    assert likeness(shape(ONE), shape(COPIED)) == 1


def test_a_constant_or_a_line_more_is_still_alike_and_another_way_is_not():
    assert 0.8 < likeness(shape(ONE), shape(ONE.replace("dim=0", "dim=1"))) < 1
    assert likeness(shape(ONE), shape(ONE + "\nprint('done')\n")) > 0.8
    assert likeness(shape(ONE), shape(OTHER)) < 0.3


def test_other_functions_are_not_the_same():
    assert likeness(shape(ONE), shape(ONE.replace("cumprod", "cumsum"))) < 1


@pytest.mark.parametrize(
    "source",
    [
        "",
        "my_signal_left = 0.39",
        "def f(:",
        "\0",
        "x = " + "(" * 300 + ")" * 300,
        "x = " + "-" * 100_000 + "1",
        "'\ud800'",
    ],
)
def test_short_and_broken_answers_have_no_shape(source):
    assert shape(source) == {}


TASKS = ["1.2", "1.3", "1.4"]


def a_class(*groups: tuple[str, int]):
    number = 0
    for source, count in groups:
        for _ in range(count):
            yield f"s{number:02}", "01", dict.fromkeys(TASKS, shape(source))
            number += 1


def different(k: int) -> str:
    return OTHER + "".join(f"def own_{n}(x): return x.a{k}_{n} + x.b{k}_{n}(x.c{k}, x)\n" for n in range(20))


def test_a_rare_pair_is_found_and_what_everybody_writes_is_not():
    found = pairs(a_class((ONE, 20), (COPIED, 5), *((different(k), 1) for k in range(3)), (different(99), 2)))
    assert [(pair.students, pair.tasks, pair.same) for pair in found] == [(("s28", "s29"), TASKS, TASKS)]
    assert found[0].chance == pytest.approx(435 * (2 / 30) ** 3)


def test_two_students_alone_are_no_class():
    assert pairs(a_class((ONE, 2))) == []


def test_exercises_are_kept_apart():
    rows = [
        (student, "02" if student == "s29" else "01", shapes)
        for student, _, shapes in a_class(*((different(k), 1) for k in range(28)), (different(99), 2))
    ]
    assert pairs(rows) == []
