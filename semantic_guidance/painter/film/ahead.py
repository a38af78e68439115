"""The next frame of a film, looked at in another thread while one is painted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from semantic_guidance.painter.film.flow import Ways
from semantic_guidance.painter.film.scene import Scene


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
        self._looking: tuple[Any, Future[Glance]] | None = None

    def look(self, picture: Any, glance: Callable[[Any], Glance]) -> None:
        """Begin with a picture, if it is one."""
        self._looking = None if picture is None else (picture, self._thread.submit(glance, picture))

    def taken(self, picture: Any) -> Glance | None:
        """What was seen of this very picture; None if it was another one.

        Raises:
            Exception: what the look at it has raised.
        """
        looking, self._looking = self._looking, None
        return looking[1].result() if looking is not None and looking[0] is picture else None
