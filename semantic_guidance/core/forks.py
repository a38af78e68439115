"""Forked processes, in which only the thread that forked is there. Imports nothing large."""

from __future__ import annotations

import os
import sys

_forked = False


def threads_here(count: int) -> int:
    """How many of `count` threads torch may use in this process: one, if it was forked.

    GNU's OpenMP waits for ever for the threads of the process that forked.
    """
    return 1 if _forked else count


def install() -> None:
    """From now on, torch computes in one thread in processes that are forked, as in its own loaders'."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after)


def _after() -> None:
    global _forked
    _forked = True
    settle = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if settle is not None:
        settle(1)
