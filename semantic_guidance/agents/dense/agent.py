"""A trained dense actor as an agent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.dense.files import load_dense_actor
from semantic_guidance.agents.dense.rollout import DensePainter, Scene
from semantic_guidance.agents.dense.view import SIDE
from semantic_guidance.agents.ltp.episode import guidance_tensors
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import resize
from semantic_guidance.images.color import Color
from semantic_guidance.renderer.backends.base import load_backend, one_thread
from semantic_guidance.renderer.objective import Segment

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class DenseAgent:
    """Paints the picture, squashed to a square, on the paper's two levels, or on one.

    Attributes:
        painter: of the square.
        guided: whether it is told about the object.
        ground: None, as it paints on any.
    """

    painter: DensePainter
    guided: bool
    ground: Color | None = None

    @staticmethod
    def load(path: str | Path) -> DenseAgent:
        """The agent in a file.

        Raises:
            ValueError: the file is missing, corrupt, or of another kind.
        """
        actor = load_dense_actor(path)
        return DenseAgent(DensePainter(actor), actor.guided)

    def view(self, guidance: Guidance) -> Guidance:
        """See `Agent`. All objects count as one, as in the paper."""
        return guidance.united() if self.guided else Guidance.none(*guidance.mask.shape[1:])

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`. It makes fewer strokes than the budget if more would not help.

        In training, levels take turns; here all of the background comes first, so that the object's strokes
        lie on top of it whatever becomes of them. As they show where those of the background do not, the
        painting is the same up to the object's soft edge.
        """
        backend = load_backend(problem.backend, problem.target.device, problem.target.dtype)
        # Many short computations: on a busy machine each would wait for its slowest thread.
        with one_thread(backend):
            mask, focus, box = guidance_tensors(problem.guidance, SIDE, SIDE)
            levels = self.painter.paint(
                Scene(resize(problem.picture, SIDE, SIDE).clamp(0, 1), mask, focus, box),
                resize(problem.canvas, SIDE, SIDE).clamp(0, 1),
                (problem.budgets[0], sum(problem.budgets[1:]))[: 1 + len(problem.guidance.instances)],
                backend,
                lambda: problem.stopped,
            )
        strokes = Strokes.unpack(torch.cat(levels)[None]).unsquashed(*problem.picture.shape[-2:])
        segments = (Segment(len(each), n - 1 if n else None) for n, each in enumerate(levels))
        return Draft(problem.from_picture(strokes), tuple(segments), outside=self.guided)


def paper_dense() -> DenseAgent:
    """The bundled agent."""
    return DenseAgent.load(WEIGHTS / "paper-dense.safetensors")
