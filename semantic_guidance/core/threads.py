"""How many threads torch may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from semantic_guidance.core.forks import threads_here


@contextmanager
def torch_threads(most: int = 1) -> Iterator[None]:
    """At most `most` torch threads within the context, or the function; the caller's number afterwards.

    One is the default: these networks are small, and beside other programs, threads that wait for each
    other took up to 50 times as long as one alone.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads_here(max(1, min(before, most))))
    try:
        yield
    finally:
        torch.set_num_threads(before)
