"""What followers of a painting see: the latest of each kind of event, so that slow ones skip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from semantic_guidance.apps.serve.records import Event

ORDER = ("canvas", "strokes", "state", "end")
"""In which events are told that are new to a follower."""


class Feed:
    """The latest events of a painting, for any number of followers.

    Nothing is kept for any one of them but which events it has seen, so that whoever is slow costs nothing.
    """

    def __init__(self) -> None:
        self.followers = 0
        self.ended = False
        self._latest: dict[str, tuple[int, dict[str, Any]]] = {}
        self._count = 0
        self._changed = asyncio.Event()

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Put an event in the place of the one before of its kind."""
        self._count += 1
        self._latest[name] = (self._count, data)
        if name == "canvas":
            self._latest.pop("strokes", None)  # they were those of another canvas
        self.ended |= name == "end"
        if self.ended:  # whoever comes now looks at the painting itself
            self._latest = {each: self._latest[each] for each in ("state", "end") if each in self._latest}
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self, ping: float | None = None) -> AsyncGenerator[Event, None]:
        """What is there now, then what comes, until the end.

        Args:
            ping: seconds of silence after which an event ``ping`` is told; never if None.
        """
        seen: dict[str, int] = {}
        while True:
            changed = self._changed
            fresh = [name for name in ORDER if self._latest.get(name, (0, {}))[0] > seen.get(name, 0)]
            for name in fresh:
                if name not in self._latest:  # it ended while the event before was taken
                    continue
                seen[name], data = self._latest[name]
                yield Event(name, data)
                if name == "end":
                    return
            if fresh:
                continue
            try:
                await asyncio.wait_for(changed.wait(), ping)
            except TimeoutError:
                yield Event("ping", {})
