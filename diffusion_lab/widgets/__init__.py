"""Sliders: pictures that follow a time, a scale or a choice, drawn by the browser.

A player is one HTML fragment with its data inside (see ``static/player.js``). It moves in JupyterLab, on a
static page and in a saved notebook with no kernel; where scripts are not allowed a still strip is shown in
its place. While a kernel runs its sliders are those of ipywidgets (see `link`): ``player.value = 300`` moves
them, and they move it.

Everything that depends on the sliders is a *table*: ``over`` names some sliders by their place in the list,
``values`` holds one entry per combination of where they stand, the last one running fastest.
"""

from diffusion_lab.widgets.board import DrawingBoard
from diffusion_lab.widgets.explorer import Explorer
from diffusion_lab.widgets.field_explorer import FieldExplorer
from diffusion_lab.widgets.guess import Answer, Guess
from diffusion_lab.widgets.model_explorers import (
    FeatureMaps,
    GuidanceExplorer,
    StepsExplorer,
    TrainingScrubber,
    TrajectoryScrubber,
)
from diffusion_lab.widgets.player import Player
from diffusion_lab.widgets.prompt import NumberBox, PromptBox
from diffusion_lab.widgets.schedule_explorer import ScheduleExplorer
from diffusion_lab.widgets.script import STATIC
from diffusion_lab.widgets.scrubbers import NoiseScrubber, PointScrubber
from diffusion_lab.widgets.training_monitor import TrainingMonitor, draw_samples, watch

__all__ = [
    "STATIC",
    "Answer",
    "DrawingBoard",
    "Explorer",
    "FeatureMaps",
    "FieldExplorer",
    "Guess",
    "GuidanceExplorer",
    "NoiseScrubber",
    "NumberBox",
    "Player",
    "PointScrubber",
    "PromptBox",
    "ScheduleExplorer",
    "StepsExplorer",
    "TrainingMonitor",
    "TrainingScrubber",
    "TrajectoryScrubber",
    "draw_samples",
    "watch",
]
