"""Forked processes, in which only the thread that forked is there. Imports nothing large."""

from __future__ import annotations

import os
import sys

_forked = False
_computed = False  # by this package, in this process or in one that forked it


def threads_here(count: int) -> int:
    """How many of `count` threads torch may use in this process: one, if it was forked.

    GNU's OpenMP waits for ever for the threads of the process that forked.
    """
    return 1 if _forked else count


def forked_without_threads() -> None:
    """Tell that this process was forked by one in which torch has started no thread, as it has loaded only.

    Then torch may use threads here.
    """
    global _forked
    _forked = False


def mark_computed() -> None:
    """Tell that torch has computed here for this package, and may have started threads.

    In processes that are forked from now on torch uses one thread, as in its own loaders'. Who has only
    imported the package has torch's number of threads there as ever.
    """
    global _computed
    _computed = True


def _in_forked_child() -> None:
    global _forked
    _forked = True
    settle = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if _computed and settle is not None:
        settle(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
