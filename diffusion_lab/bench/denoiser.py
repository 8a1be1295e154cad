"""What stands beside answers to exercise 03."""

from collections.abc import Callable


def three_translations(answer: Callable) -> Callable:
    """Take the three as a tuple or as one tensor of three."""

    def translate(v, x_t, t, schedule):
        parts = answer(v, x_t, t, schedule)
        return list(parts) if getattr(parts, "ndim", 0) == x_t.ndim + 1 else parts

    return translate
