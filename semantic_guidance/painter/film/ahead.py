"""The next frame of a film, looked at in another thread while one is painted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painter.film.flow import Ways
from semantic_guidance.painter.film.scene import Scene

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Glance:
    """What a frame shows of itself, whatever is painted of the one before.

    Attributes:
        scene: the frame, of which no objects are known.
        ways: how it came of the one before.
    """

    scene: Scene
    ways: Ways


class Ahead:
    """Looks at one picture in another thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "semantic-guidance-ahead")
        self._looking: tuple[Any, Array, Future[Glance]] | None = None

    def look(self, picture: Any, before: Array, glance: Callable[[Any, Array], Glance]) -> None:
        """Begin with a picture, if it is one, that follows a frame ``[h, w, 3]``."""
        self._looking = None
        if picture is not None:
            self._looking = picture, before, self._thread.submit(glance, picture, before)

    def taken(self, picture: Any, before: Array) -> Glance | None:
        """What was seen of this very picture, which follows this very frame; None if it was another one.

        Raises:
            Exception: what the look at it has raised.
        """
        looking, self._looking = self._looking, None
        if looking is None or looking[0] is not picture or looking[1] is not before:
            return None
        return looking[2].result()
