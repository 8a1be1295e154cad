"""What stands beside answers to exercise 02."""

from collections.abc import Callable


def three_curves(answer: Callable) -> Callable:
    """Take the three tables as a tuple or as one tensor with three rows."""

    def curves(T, low, high):
        tables = answer(T, low, high)
        return list(tables) if getattr(tables, "ndim", 0) == 2 else tables

    return curves
