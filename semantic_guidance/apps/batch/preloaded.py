"""Imported once, in the process from which workers are forked: all that they share is loaded here.

Torch must not compute on several threads in this process, for those would be missing in the workers.
"""

from __future__ import annotations

import contextlib

from semantic_guidance.core.start import quick_imports

with quick_imports(), contextlib.suppress(Exception):  # whatever is wrong, a worker tells it
    from semantic_guidance.agents.files import load_agent
    from semantic_guidance.guidance.classifier import folded_classifier
    from semantic_guidance.guidance.segmenter import default_segmenter
    from semantic_guidance.renderer.backends.cpu.native import entry

    entry()
    load_agent("planner")
    default_segmenter()
    folded_classifier()
