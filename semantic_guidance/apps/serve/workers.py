"""A worker: a process that does one task after the other for the server, and ends with it.

Both talk in JSON through a pipe. The server sends tasks, ``{"number": 1, "task": "look", ...}``, and while
one is done ``{"stop": 1}`` or ``{"watched": true}``. The worker answers ``{"ready": true}`` once it is warm,
``{"number": 1, "tell": NAME, "data": {...}}`` while it works, and in the end ``{"number": 1, "done": {...}}``
or ``{"number": 1, "error": "a sentence", "status": 422}``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.core.ending import end_with_parent
from semantic_guidance.core.errors import InputError, RoomError
from semantic_guidance.core.forks import forked_without_threads
from semantic_guidance.core.memory import out_of_memory
from semantic_guidance.core.shown import printable

PRELOADED = ("semantic_guidance.apps.serve.preloaded",)
"""What is imported once, in the process from which workers are forked."""

EXPENDABLE = 500
"""What Linux adds to a worker's chance to be the one that is killed if memory is short, of 1000."""

NO_MEMORY = "Memory was short: a smaller size, or fewer strokes, would do."


def work(pipe: Connection, lane: str, nice: int) -> None:
    """What a worker's process does, until the server is gone.

    Args:
        pipe: to the server.
        lane: ``paint``, ``look`` or ``keep``: what it is to be warm for.
        nice: by how much others go before it.
    """
    end_with_parent()
    forked_without_threads()
    _settle(nice)
    desk = Desk(pipe)
    from semantic_guidance.apps.serve import tasks

    tasks.warm_up(lane)
    desk.send({"ready": True, "process": os.getpid()})
    while True:
        task = desk.next()
        answer = _done(tasks.TASKS[task["task"]], task, desk)
        desk.send({"number": task["number"], **answer})


def _settle(nice: int) -> None:
    """See to it that others go before this process."""
    if nice and hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(nice)
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(EXPENDABLE))


def _without_paths(error: Exception, task: dict[str, Any]) -> str:
    """What an error says, without the server's folders."""
    text = str(error)
    words = [*task.values(), *task.get("job", {}).values(), *task.get("options", {}).values()]
    paths = {word for word in words if isinstance(word, str) and os.path.isabs(word)}
    for folder in sorted({*paths, *map(os.path.dirname, paths)}, key=len, reverse=True):
        text = text.replace(f"{printable(folder)}{os.sep}", "")
    return text


def _done(do: Any, task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """What became of a task."""
    began = time.perf_counter()
    try:
        done = do(task, desk)
    except RoomError as error:
        return {"error": _without_paths(error, task), "status": 503}
    except Refused as error:
        return {"error": _without_paths(error, task), "status": error.status}
    except (InputError, ValueError) as error:
        return {"error": _without_paths(error, task), "status": 422}
    except Exception as error:
        if out_of_memory(error) is not None:
            return {"error": NO_MEMORY, "status": 503}
        traceback.print_exc()
        return {"error": f"Something went wrong here ({type(error).__name__}).", "status": 500}
    return {"done": done, "seconds": time.perf_counter() - began}
