"""What is each ingredient of the recipe worth? The recipe beside itself with one thing changed, on the same budget."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks import peers, quality_per_budget

NAME = "ablation"
QUESTION = "What is each ingredient of the recipe worth?"


def parser() -> argparse.ArgumentParser:
    """Make the parser of this benchmark: that of `quality_per_budget` with other defaults."""
    made = quality_per_budget.parser()
    made.description = __doc__
    made.set_defaults(
        contenders=["ours", *(v.name for v in peers.VARIATIONS)], budgets=[150.0], num_samples=1000
    )
    made.set_defaults(num_steps=20)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    return quality_per_budget.main(arguments, parser(), NAME, QUESTION)


if __name__ == "__main__":
    sys.exit(main())
