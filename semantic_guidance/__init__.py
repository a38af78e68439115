"""Object-aware painting: a photograph becomes strokes, and the strokes a painting.

>>> from semantic_guidance import Painter, load_image
>>> painter = Painter("planner", "draft", strokes=20, size=64)
>>> painting = painter.paint(load_image("examples/coffee.jpg"))
>>> len(painting.strokes), tuple(painting.canvas.shape)
(20, (3, 43, 64))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from semantic_guidance.core import moved
from semantic_guidance.core.lazy import lazy
from semantic_guidance.core.start import wait_asleep
from semantic_guidance.core.version import __version__

if TYPE_CHECKING:
    from semantic_guidance.apps.job import Job
    from semantic_guidance.apps.jobs import run, run_variations
    from semantic_guidance.apps.result import Result, Variations
    from semantic_guidance.core.errors import InputError, NotFiniteError
    from semantic_guidance.core.guidance import Guidance, Instance
    from semantic_guidance.core.plugins import PluginError
    from semantic_guidance.core.strokes import Strokes
    from semantic_guidance.export import save
    from semantic_guidance.export.overlay import guidance_overlay
    from semantic_guidance.export.strokes_json import read_strokes
    from semantic_guidance.guidance.base import Prompt
    from semantic_guidance.guidance.guide import Guide
    from semantic_guidance.images.files import load_image, load_mask
    from semantic_guidance.images.metrics import painting_errors
    from semantic_guidance.learning.run.loop import train
    from semantic_guidance.painter.hand import Hand
    from semantic_guidance.painter.painter import Painter
    from semantic_guidance.painter.presets import Preset
    from semantic_guidance.painter.repaint import repaint
    from semantic_guidance.painter.styles import Style
    from semantic_guidance.painting.brushes.brush import Brush
    from semantic_guidance.painting.medium import Medium
    from semantic_guidance.painting.painting import Layer, Painting
    from semantic_guidance.renderer import render

_HOMES = {
    "Brush": "painting.brushes",
    "Guidance": "core.guidance",
    "Guide": "guidance.guide",
    "Hand": "painter.hand",
    "InputError": "core.errors",
    "Instance": "core.guidance",
    "Job": "apps.job",
    "Layer": "painting.painting",
    "Medium": "painting.medium",
    "NotFiniteError": "core.errors",
    "Painter": "painter.painter",
    "Painting": "painting.painting",
    "PluginError": "core.plugins",
    "Preset": "painter.presets",
    "Prompt": "guidance.base",
    "Result": "apps.result",
    "Strokes": "core.strokes",
    "Style": "painter.styles",
    "Variations": "apps.result",
    "guidance_overlay": "export.overlay",
    "load_image": "images.files",
    "load_mask": "images.files",
    "painting_errors": "images.metrics",
    "read_strokes": "export.strokes_json",
    "render": "renderer",
    "repaint": "painter.repaint",
    "run": "apps.jobs",
    "run_variations": "apps.jobs",
    "save": "export",
    "train": "learning.run.loop",
}

__all__ = [
    "Brush",
    "Guidance",
    "Guide",
    "Hand",
    "InputError",
    "Instance",
    "Job",
    "Layer",
    "Medium",
    "NotFiniteError",
    "Painter",
    "Painting",
    "PluginError",
    "Preset",
    "Prompt",
    "Result",
    "Strokes",
    "Style",
    "Variations",
    "__version__",
    "guidance_overlay",
    "load_image",
    "load_mask",
    "painting_errors",
    "read_strokes",
    "render",
    "repaint",
    "run",
    "run_variations",
    "save",
    "train",
]

wait_asleep()  # here, as torch is not yet imported
moved.install()


# So the command line's help need not wait for torch.
__getattr__, __dir__ = lazy(__name__, _HOMES)
