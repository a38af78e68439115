"""What is done side by side: a film is read ahead of who paints it, and drawn behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def with_next(pictures: Iterable[Item | None], most: int) -> Iterator[tuple[Item | None, Item | None]]:
    """Each picture, None for one that is as the one before, and the next other one, if it is known.

    Args:
        pictures: are read so far ahead that the next other one is known,
        most: but no more than this many.

    >>> list(with_next(["a", None, "b", "c"], 9))
    [('a', 'b'), (None, None), ('b', 'c'), ('c', None)]
    """
    read: list[Item | None] = []
    for picture in pictures:
        if read and (picture is not None or len(read) == most):
            yield read[0], picture
            yield from ((each, None) for each in read[1:])
            read.clear()
        read.append(picture)
    yield from ((each, None) for each in read)


def one_behind(items: Iterable[Item], make: Callable[[Item, Event], Made]) -> Iterator[tuple[Item, Made]]:
    """Items, and what is made of each in another thread, while the item after it comes.

    Args:
        items: come one after the other; before one is asked for, all but the last are handed on.
        make: is told by an event that what it makes is not wanted any more, and may end in any way then.

    >>> list(one_behind([1, 2, 3], lambda item, unwanted: str(item)))
    [(1, '1'), (2, '2'), (3, '3')]
    """
    unwanted = Event()
    with ThreadPoolExecutor(1, "semantic-guidance-behind") as thread:
        before: tuple[Item, Future[Made]] | None = None
        try:
            for item in items:
                if before is not None:
                    yield before[0], before[1].result()
                before = item, thread.submit(make, item, unwanted)
            if before is not None:
                yield before[0], before[1].result()
        finally:
            unwanted.set()
