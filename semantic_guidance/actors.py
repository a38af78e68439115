"""Painters made of a trained actor in a file: of the papers' code (pickle) or ours (safetensors)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from semantic_guidance.agent_file import is_ours, load_actor
from semantic_guidance.compat import SEED_SIZE, load_seed_actor
from semantic_guidance.envs import EnvConfig
from semantic_guidance.networks.actor import Actor
from semantic_guidance.painting import Compositing
from semantic_guidance.renderer import render
from semantic_guidance.renderer.seed_rule import seed_composite
from semantic_guidance.seed_agent import Level, paint_with_actor, seed_config
from semantic_guidance.types import Guidance, Strokes


@dataclass(frozen=True)
class ActorPainter:
    """An actor and what it expects of its canvas.

    Attributes:
        actor: the network.
        config: the episode that it knows; its length is replaced by what the strokes ask for.
        size: side in pixels of the square canvas on which it sees its painting.
        compositing: the rule by which it learned that its strokes are painted.
    """

    actor: Actor
    config: EnvConfig
    size: int
    compositing: Compositing

    @staticmethod
    def load(path: str | Path) -> ActorPainter:
        """The actor in a file: ``.safetensors`` is one of ours, anything else a checkpoint of the seed.

        Raises:
            ValueError: the file is missing, corrupt, or something else.
        """
        if is_ours(path):
            actor, config, size = load_actor(path)
            return ActorPainter(actor, config, size, "over")
        actor = load_seed_actor(path)
        return ActorPainter(actor, seed_config(actor, 1), SEED_SIZE, "seed")

    def strokes(self, image: Tensor, guidance: Guidance, count: int) -> list[tuple[Strokes, Level]]:
        """`count` strokes for a picture ``[3, H, W]``, in bundles, in units of its longer side.

        The actor sees the picture squashed to a square; its strokes are stretched back, their radii by the
        geometric mean of both sides.
        """
        # Without an object, foreground strokes would show nowhere: those of the background are all there is.
        objects = len(guidance.instances) > 0
        bundle = self.config.action_size // 13 if objects else self.config.level_size
        config = replace(self.config, max_eps_len=math.ceil(count / bundle))
        composite = render if self.compositing == "over" else seed_composite
        bundles = paint_with_actor(self.actor, config, image, guidance, self.size, composite)
        height, width = image.shape[-2:]
        longer = max(height, width)
        sides = torch.tensor([width / longer, height / longer])
        stretched, left = [], count
        for strokes, level in bundles:
            if level == "foreground" and not objects:
                continue
            part = strokes[: min(left, len(strokes))]
            left -= len(part)
            if len(part):
                radius = part.radius * sides.prod().sqrt()
                stretched.append((replace(part, points=part.points * sides, radius=radius), level))
        return stretched
