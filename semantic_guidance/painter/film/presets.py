"""How films are followed: how long strokes hold, and how much work goes into a frame."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hold:
    """How long strokes hold.

    Attributes:
        pull: weight of the difference from the last painting, carried along by the picture's motion, against
            1 of that from the frame, where the motion can be trusted.
        births: share of the strokes that are exchanged from frame to frame for others that do more.
        shown: the same with those that are born in places that came into view.
        gain: a newborn stroke must lower the error by so many times what the one it replaces does.
        fade: frames within which strokes appear, and others disappear.
        look_every: frames after which the guide looks for objects again; sooner where they are lost.
    """

    pull: float = 1.5
    births: float = 0.005
    shown: float = 0.12
    gain: float = 2.0
    fade: int = 5
    look_every: int = 36


HOLDS = {"steady": Hold(), "lively": Hold(pull=0.3, births=0.01)}
"""By name: strokes that hold as long as they can, or that follow the picture more closely."""


@dataclass(frozen=True)
class Effort:
    """How much work goes into a frame that follows another one.

    Attributes:
        steps: of refinement.
        more: of them at most where much came into view.
        pixels: for each stroke, on which frames are looked at, but not more than they have.
        rates: factors of the usual rates at the first and at the last step.
    """

    steps: int = 8
    more: int = 8
    pixels: float = 320.0
    rates: tuple[float, float] = (0.06, 0.02)


DRAFT = Effort(steps=3, more=2, pixels=100.0)
STANDARD = Effort()
FINE = Effort(steps=30, more=20, pixels=384.0)
