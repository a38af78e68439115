"""Who learns on running canvases."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from semantic_guidance.learning.apg.easels import Easels


class Pupil(Protocol):
    """A network and what it makes of paintings in progress; all of it differentiable, on one device.

    Attributes:
        network: that is trained.
        horizon: steps of a painting that a look takes.
    """

    network: nn.Module
    horizon: int

    def begun(self, easels: Easels, slots: Tensor) -> None:
        """The paintings with the numbers `slots` ``[N]`` have new pictures."""

    def look(self, easels: Easels) -> tuple[Tensor, Tensor]:
        """The next step of each painting: a scalar loss, and the canvases after it, without gradients."""
