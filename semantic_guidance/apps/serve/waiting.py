"""Who is next: first come, first served, but each visitor in turn."""

from __future__ import annotations

from collections import OrderedDict, deque


class Waiting:
    """Paintings that wait, by ID: among visitors the one who was served the longest ago is next."""

    def __init__(self) -> None:
        self._of: dict[str, deque[str]] = {}  # by visitor
        self._served: OrderedDict[str, None] = OrderedDict()  # visitors, the last one last
        self._kept = 1000  # visitors that are remembered

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def add(self, visitor: str, painting: str) -> None:
        """Let a visitor's painting wait."""
        self._of.setdefault(visitor, deque()).append(painting)

    def remove(self, painting: str) -> bool:
        """Let it wait no longer; returns whether it did."""
        for visitor, own in self._of.items():
            if painting in own:
                own.remove(painting)
                if not own:
                    del self._of[visitor]
                return True
        return False

    def take(self) -> str | None:
        """The next one, which no longer waits; None if there is none."""
        order = self.order()
        if not order:
            return None
        visitor = next(name for name, own in self._of.items() if order[0] in own)
        self.remove(order[0])
        self._served.pop(visitor, None)
        self._served[visitor] = None
        while len(self._served) > self._kept:
            self._served.popitem(last=False)
        return order[0]

    def order(self) -> list[str]:
        """All that wait, in the order in which they will be served if nobody comes or goes."""
        since = {visitor: number for number, visitor in enumerate(self._served)}
        visitors = sorted(self._of, key=lambda visitor: since.get(visitor, -1))  # stable: else as they came
        rest = [deque(self._of[visitor]) for visitor in visitors]
        found = []
        while rest:
            found += [own.popleft() for own in rest]
            rest = [own for own in rest if own]
        return found
