"""A worker: a process that does one task after the other for the server, and ends with it.

Both talk in JSON through a pipe. The server sends tasks, ``{"number": 1, "task": "look", ...}``, and while
one is done ``{"stop": 1}`` or ``{"watched": true}``. The worker answers ``{"ready": true}`` once it is warm,
``{"number": 1, "tell": NAME, "data": {...}}`` while it works, and in the end ``{"number": 1, "done": {...}}``
or ``{"number": 1, "error": "a sentence", "status": 422}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.core.ending import end_with_parent
from semantic_guidance.core.errors import InputError, RoomError
from semantic_guidance.core.files import discard
from semantic_guidance.core.forks import forked_without_threads
from semantic_guidance.core.memory import out_of_memory
from semantic_guidance.core.shown import printable

PRELOADED = ("semantic_guidance.apps.serve.preloaded",)
"""What is imported once, in the process from which workers are forked."""

EXPENDABLE = 500
"""What Linux adds to a worker's chance to be the one that is killed if memory is short, of 1000."""

NO_MEMORY = "Memory was short: a smaller size, or fewer strokes, would do."


class Desk:
    """Where a worker gets its tasks, and from where it tells of them.

    Args:
        pipe: to the server.

    Attributes:
        watched: whether somebody looks at what the present task tells.
        afterwards: done when the present task is, unless another one waits.
    """

    def __init__(self, pipe: Connection) -> None:
        self.watched = True
        self.afterwards: Callable[[], object] | None = None
        self._pipe = pipe
        self._tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._number = 0
        self._stopped = threading.Event()
        self._early: set[int] = set()  # tasks that were to be stopped before they began
        threading.Thread(target=self._listen, name="semantic-guidance-desk", daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next task; if there is none yet, what is to be done meanwhile."""
        later, self.afterwards = self.afterwards, None
        if later is not None and self._tasks.empty():
            with contextlib.suppress(Exception):  # nobody has asked for it
                later()
        task = self._tasks.get()
        self._number = task["number"]
        self._stopped.clear()
        if self._number in self._early:
            self._stopped.set()
        self._early.clear()
        self.watched = task.get("watched", True)
        return task

    def stopped(self) -> bool:
        """Whether the present task is to end, with what is there."""
        return self._stopped.is_set()

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Tell something of the present task."""
        self.send({"number": self._number, "tell": name, "data": data})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; if nobody is there any more, the process ends."""
        try:
            self._pipe.send_bytes(json.dumps(message, allow_nan=False).encode())
        except OSError:
            _end()

    def _listen(self) -> None:
        while True:
            try:
                message = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):
                _end()
            if "task" in message:
                self._tasks.put(message)
            elif "stop" not in message:
                self.watched = message["watched"]
            elif message["stop"] == self._number:
                self._stopped.set()
            else:
                self._early.add(message["stop"])


def _end() -> NoReturn:
    """End the process, after its drafts are removed."""
    discard()
    os._exit(0)


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
