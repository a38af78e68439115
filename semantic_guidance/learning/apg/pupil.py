"""Who learns on running canvases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.config import TrainConfig


class Pupil(Protocol):
    """A network and what it makes of paintings in progress; all of it differentiable, on one device.

    Attributes:
        network: that is trained.
        horizon: steps of a painting that a look takes.
    """

    horizon: int

    @property
    def network(self) -> nn.Module:
        """See above."""

    def begun(self, easels: Easels, slots: Tensor) -> None:
        """The paintings with the numbers `slots` ``[N]`` have new pictures."""

    def look(self, easels: Easels) -> tuple[Tensor, Tensor]:
        """The next step of each painting: a scalar loss, and the canvases after it, without gradients."""


@dataclass(frozen=True)
class Head:
    """A kind of network that can be trained.

    Attributes:
        check: raises InputError if it cannot learn with these settings.
        network: a new one.
        pupil: who learns with it; if the last argument is True, it paints as it is to be measured.
        read: the network in an agent's file; raises ValueError if it is of another kind.
        write: the network as an agent that paints; raises OSError.
        outer: beginnings of the names of parameters that see or answer, see `Muon`.
        widest: convolutions with more outputs than so many times `LearnConfig.width` are left to Adam.
    """

    check: Callable[[TrainConfig], None]
    network: Callable[[TrainConfig], nn.Module]
    pupil: Callable[[TrainConfig, nn.Module, bool], Pupil]
    read: Callable[[Path], nn.Module]
    write: Callable[[TrainConfig, nn.Module, Path], None]
    outer: tuple[str, ...]
    widest: int


def check_horizon(config: TrainConfig) -> None:
    """See that paintings end when looks do.

    Raises:
        InputError: the horizon does not divide the steps of a painting.
    """
    horizon, steps = config.apg.horizon, config.env.max_eps_len
    if steps % horizon:
        raise InputError(f"--horizon is {horizon}, wanted a divisor of --max-eps-len, {steps}")
