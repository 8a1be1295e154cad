"""Model cards: what a model is, and which commands trained it."""

import time
from collections.abc import Iterable

import torch


def command_line(words: str, options: dict) -> str:
    """Write a command in backticks with its options: False is left out, and True has no value."""
    spelled = ["diffusion-lab", words]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        spelled += [] if value is False else [flag] if value is True else [flag, str(value)]
    return f"`{' '.join(spelled)}`"


def card(name: str, text: str, facts: Iterable[str]) -> str:
    """Write a card: the name, the text, and a list of facts."""
    return f"# {name}\n\n{text}\n\n" + "".join(f"- {fact}\n" for fact in facts)


def training_facts(source: str, command: str, done: int) -> list[str]:
    """List the data, the command, the steps and the time of a training."""
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
