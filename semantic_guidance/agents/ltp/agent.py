"""Trained actors of the papers' kind as agents, from checkpoints of their code or from our files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.ltp.checkpoint import load_ltp_actor
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.agents.ltp.network import Actor, fused
from semantic_guidance.agents.ltp.rollout import ltp_config, paint_with_actor
from semantic_guidance.agents.ltp.windows import CANDIDATES, FIRST_LOOKS, PATIENCE, SIDES, VectorPolicy
from semantic_guidance.agents.problem import Problem
from semantic_guidance.agents.window.rollout import WindowPainter, paint_parts
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import LTP_SIZE
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.core.weights import is_own
from semantic_guidance.images.color import Color
from semantic_guidance.painting.painting import Compositing
from semantic_guidance.renderer.objective import Segment

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class LtpAgent:
    """An actor and what it expects of its canvas.

    Attributes:
        actor: the network.
        config: the episode of its training; its length follows from the number of strokes.
        size: side in pixels of the square canvas on which it sees its painting.
        compositing: the rule by which its strokes were painted in training.
        guided: whether it is told about the object.
        ground: the colour of the canvas on which it was trained; any if None.
        windows: whether it paints a picture part by part.
        antialias: whether pictures were averaged when they were shrunk for its training, see `resample`.
    """

    actor: Actor
    config: EnvConfig
    size: int
    compositing: Compositing
    guided: bool = True
    ground: Color | None = (0.0, 0.0, 0.0)
    windows: bool = False
    antialias: bool = True

    @staticmethod
    def load(path: str | Path, colors: str | None = None) -> LtpAgent:
        """The actor in a file: one of ours, or a checkpoint of the papers', whatever the name.

        Args:
            path: of the file.
            colors: in which order of colours it learned, see `load_ltp_actor`; ours have learned on RGB.

        Raises:
            ValueError: the file is missing, corrupt, or of another kind.
        """
        if is_own(path):
            saved = load_actor(path)
            ground = None if saved.any_ground else (0.0, 0.0, 0.0)
            guided = saved.env.use_bilevel or saved.env.use_gbp
            rule: Compositing = "seed" if saved.env.compositing == "seed" else "over"
            # Parts of pictures are painted over what is there, which the reference code's rule does not do.
            windows = saved.windows and rule == "over"
            return LtpAgent(saved.actor, saved.env, saved.size, rule, guided, ground=ground, windows=windows)
        actor = load_ltp_actor(path, colors)
        return LtpAgent(actor, ltp_config(actor, 1), LTP_SIZE, "seed", antialias=False)

    @cached_property
    def _painting_actor(self) -> Actor:
        """The actor as it paints part by part, made once."""
        return fused(self.actor)

    def view(self, guidance: Guidance) -> Guidance:
        """See `Agent`. All objects count as one: the papers know no more."""
        return guidance.united() if self.guided else Guidance.none(*guidance.mask.shape[1:])

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`. The strokes are in bundles, level by level, as it paints them.

        The actor sees the picture squashed to a square; its strokes are stretched back, their radii by the
        geometric mean of both sides. If it paints part by part, nothing is squashed.
        """
        if self.windows:
            return self._in_windows(problem)
        # Without an object, foreground strokes would show nowhere: those of the background are all there is.
        objects = len(problem.guidance.instances) > 0
        wanted = {"background": True, "foreground": objects}
        if self.config.use_bilevel and objects:
            wanted = {"background": problem.budgets[0] > 0, "foreground": sum(problem.budgets[1:]) > 0}
        bundles_a_step = sum(wanted[level] for level in ("background", "foreground")[: self.config.levels])
        count = sum(problem.budgets)
        steps = math.ceil(count / (max(1, bundles_a_step) * self.config.level_size))
        config = replace(self.config, max_eps_len=steps, compositing=self.compositing)
        bundles = paint_with_actor(
            self.actor,
            config,
            problem.picture,
            problem.guidance,
            self.size,
            problem.canvas,
            self.antialias,
            stopped=lambda: problem.stopped,
        )
        height, width = problem.picture.shape[-2:]
        parts, segments, left = [Strokes.empty()], [], count
        for strokes, level in bundles:
            part = strokes[: min(left, len(strokes)) if wanted[level] else 0]
            left -= len(part)
            if len(part):
                parts.append(part.unsquashed(height, width))
                segments.append(Segment(len(part), 0 if level == "foreground" else None))
        return Draft(
            problem.from_picture(Strokes.cat(parts)),
            tuple(segments),
            self.compositing,
            outside=self.config.use_bilevel,
        )

    def _in_windows(self, problem: Problem) -> Draft:
        """The strokes of the background, then of the object, each where it is still wrong."""
        objects, bilevel = problem.mask, self.config.use_bilevel
        parts = []
        for part in problem.parts():
            behind = bilevel and part.mask is None and len(problem.masks) > 0
            policy = VectorPolicy(
                actor=self._painting_actor,
                config=self.config,
                size=self.size,
                level=int(bilevel and part.mask is not None),
                mask=objects,
                focus=problem.focus,
                total=part.count,
            )
            shown = replace(part, show=1 - objects) if behind else part
            parts.append((shown, WindowPainter(policy, FIRST_LOOKS, SIDES, CANDIDATES, PATIENCE)))
        return replace(paint_parts(problem, parts), outside=bilevel)


def paper_semantic() -> LtpAgent:
    """The bundled agent with the paper's actor, two levels, aligned objects and focus maps."""
    return LtpAgent.load(WEIGHTS / "paper-semantic.safetensors")


def paper_baseline() -> LtpAgent:
    """The bundled agent with the paper's actor that is not told of objects."""
    return LtpAgent.load(WEIGHTS / "paper-baseline.safetensors")
