"""An engine for tests of what engines are given: it does all in this process, which has torch already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from semantic_guidance.core.engines.base import Item, Outcome, Work


class Inline:
    """Does one item after the other. See `Engine`."""

    workers = 1

    def run(self, work: Work, items: Iterable[Item]) -> Iterator[Outcome]:
        """See `Engine`."""
        do = work.begin()
        for item in items:
            yield Outcome(item, do(item))

    def close(self) -> None:
        """See `Engine`."""
