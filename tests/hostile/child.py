"""The process that reads damaged files, case after case. It may die: `runner` starts another.

It is told ``TARGET<tab>SEED`` a line on standard input and answers with a line of JSON. With ``--faults`` it
knows the faults alone, which need nothing of the program. One case alone, with its traceback::

    python -m tests.hostile.child FOLDER TARGET SEED
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile.faults import FAULTS
from tests.hostile.target import Target, WrongEndError, hidden

MEGABYTE = 1 << 20
ROOM = 4096
"""Megabytes that a case may ask for until it is refused: more than any limit, less than machines have."""

PACKAGE = re.compile(r"semantic_guidance/")


def set_up(faults: bool = False) -> dict[str, Target]:
    """One thread, warnings are errors, an end to memory, a trace of crashes; returns the targets."""
    targets = FAULTS if faults else _targets()
    faulthandler.enable()
    warnings.simplefilter("error")
    most = _memory("VmSize") + ROOM * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return targets


def _targets() -> dict[str, Target]:
    """All that are attacked, each in one thread; what is shown to guides again is not looked at again."""
    import cv2
    import torch

    from semantic_guidance.renderer.backends.cpu.pool import POOL
    from tests.hostile.targets import TARGETS
    from tests.remembering import look_once

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    POOL.usual = POOL.count = 1
    look_once(setattr)
    return TARGETS


def _memory(name: str) -> int:
    """Bytes of this process: ``VmSize``, ``VmRSS``, or ``VmHWM``, the most that was in use."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(f"{name}:")[1].split()[0])


def attempt(name: str, target: Target, seed: int, folder: Path, show: bool = False) -> dict[str, Any]:
    """Make the case anew in `folder` and have it read; returns what came of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
    rng = Random(f"{name} {seed}")
    try:
        target.make(rng, folder)
    except Exception as error:  # a fault of the attack
        return {"outcome": "not made", "message": f"{type(error).__name__}: {error}", "where": _where(error),
                "seconds": 0.0, "megabytes": 0.0}  # fmt: skip
    names = {path.name for path in folder.rglob("*")}
    Path("/proc/self/clear_refs").write_text("5")  # the most memory in use is counted from here
    before, started = _memory("VmRSS"), time.process_time()
    outcome: dict[str, Any] = {"outcome": "accepted", "message": "", "where": ""}
    try:
        target.call(rng, folder)
    except (ValueError, OSError) as error:
        wrong = _flaw(str(error), folder, names)
        outcome = {"outcome": wrong or "refused", "message": str(error)[:500], "where": _where(error)}
        show = show and wrong is not None
    except BaseException as error:
        kind = "ending" if isinstance(error, WrongEndError) else "uncaught"
        outcome = {
            "outcome": kind,
            "message": f"{type(error).__name__}: {error}"[:500],
            "where": _where(error),
        }
    finally:
        seconds = time.process_time() - started
    if show and outcome["message"]:
        traceback.print_exc()
    outcome["message"] = outcome["message"].replace(str(folder.parent), "FOLDER")
    used = (_memory("VmHWM") - before) / MEGABYTE
    if outcome["outcome"] in ("accepted", "refused") and used > target.memory:
        outcome["outcome"] = "memory"
    return {**outcome, "seconds": round(seconds, 3), "megabytes": round(used, 1)}


def _flaw(message: str, folder: Path, names: set[str]) -> str | None:
    """What is wrong with a message, if anything: several lines, control characters, or no name of a file."""
    if hidden(message):
        return "control characters"
    if str(folder) not in message and not any(name in message for name in names):
        return "no name"
    return None


def _where(error: BaseException) -> str:
    """The kind of error, and the last line of the package that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if PACKAGE.search(frame.filename)]
    place = f"{PACKAGE.split(frames[-1].filename)[-1]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}"


def serve(work: Path, faults: bool) -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    targets = set_up(faults)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, seed = line.rstrip("\n").split("\t")
        answer = attempt(name, targets[name], int(seed), work / "case")
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve, or try one case."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.child", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("target", nargs="?")
    parser.add_argument("seed", nargs="?", type=int)
    parser.add_argument("--faults", action="store_true")
    args = parser.parse_args()
    work = args.work.resolve()
    if args.target is None:
        serve(work, args.faults)
        return
    targets = set_up(args.faults)
    if args.target not in targets:
        parser.error(f"got {args.target!r}, wanted one of {', '.join(targets)}")
    answer = attempt(args.target, targets[args.target], args.seed, work / "case", show=True)
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
