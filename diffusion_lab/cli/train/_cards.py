"""The cards of trained models: what they are, and by which commands they came to be."""

import time
from collections.abc import Iterable

import torch


def command_line(words: str, options: dict) -> str:
    """Spell a command in backticks, with its options: False is not spelled, and True has no value."""
    spelled = ["diffusion-lab", words]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        spelled += [] if value is False else [flag] if value is True else [flag, str(value)]
    return f"`{' '.join(spelled)}`"


def card(name: str, text: str, facts: Iterable[str]) -> str:
    """Join a model's name, sentences about it, and facts, into a card."""
    return f"# {name}\n\n{text}\n\n" + "".join(f"- {fact}\n" for fact in facts)


def training_facts(source: str, command: str, done: int) -> list[str]:
    """Say on whose digits and by which command a model was trained, and what that took."""
    digits = (
        "the 60,000 training images of MNIST" if source == "mnist" else "scikit-learn's 8×8 digits, enlarged"
    )
    hours = f"{time.process_time() / 3600:.2f} hours (torch {torch.__version__})"
    return [
        f"data: {digits}",
        f"trained by: {command}",
        f"optimiser steps done: {done:,}",
        f"CPU time of the run that finished it: {hours}",
    ]
