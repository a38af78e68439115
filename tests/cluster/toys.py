"""Work of little worth, to see how it is spread."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def factory(settings: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What squares numbers.

    Args:
        settings: ``marks``, a folder in which is marked what is begun; ``refuse`` or ``dies``, whether work
            cannot be begun; ``broken``, numbers that cannot be squared; ``deadly``, how many workers die over
            a number; ``seconds`` that each takes.
    """
    if settings.get("refuse"):
        raise ValueError("this cannot be begun, wanted something else")
    marks = Path(settings["marks"])
    (marks / f"began-{os.getpid()}").touch()
    if settings.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)

    def do(item: Mapping[str, Any]) -> dict[str, Any]:
        number = item["number"]
        if number in settings.get("broken", ()):
            raise ValueError(f"{number} is broken")
        if str(number) in settings.get("deadly", {}):
            (marks / f"{number}-{os.getpid()}").touch()
            if len(list(marks.glob(f"{number}-*"))) <= settings["deadly"][str(number)]:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(settings.get("seconds", 0.01))
        about = {"process": os.getpid(), "folder": os.getcwd()}
        threads = [settings["threads"], os.environ.get("OMP_NUM_THREADS")]
        return {"square": number**2, "threads": threads, **about}

    return do
