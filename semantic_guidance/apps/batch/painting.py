"""What a worker of a batch does: it paints one picture after the other, and writes down what became of it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from semantic_guidance.apps.batch.manifest import JOURNAL, Record, hash_of, look_at, write_down, written_down
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import check, run
from semantic_guidance.core.engines.base import Do, Item
from semantic_guidance.core.engines.local import told
from semantic_guidance.core.memory import give_back
from semantic_guidance.core.version import __version__
from semantic_guidance.renderer.backends.cpu.threads import set_threads

WRONG = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says that takes no more: no other picture could be written either."""


def painting(settings: Mapping[str, Any]) -> Do:
    """What paints one picture after the other.

    Args:
        settings: ``job``, options as `Job.from_json` takes them, but for the photograph and the files' names;
            ``settings``, their hash; ``out``, the folder for the files; ``journal``, that of the records,
            from there; ``threads`` that may be used.

    Raises:
        InputError: the options are not usable, whatever the picture.
    """
    use_threads(settings.get("threads", 1))
    job = Job.from_json(json.dumps({**settings["job"], "image": "-", "out": settings["out"]}))
    with _grey() as picture:
        check(replace(job, image=picture, out=picture.parent))
    return _Worker(job, Path(settings["out"]), settings["settings"], settings.get("journal", JOURNAL))


def use_threads(count: int) -> None:
    """Use so many threads, here, in torch and in OpenCV."""
    set_threads(count)
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


class _Worker:
    """Paints pictures, as `apps.jobs.run` does."""

    def __init__(self, job: Job, out: Path, settings: str, journal: str) -> None:
        self.job, self.out, self.settings, self.journal = job, out, settings, out / journal

    def __call__(self, item: Item) -> dict[str, Any]:
        """The `Record` of a picture, as JSON values; or ``{"stop": why}`` if no other could be done either.

        Args:
            item: ``key``, ``input``, and where the files go: ``folder`` and ``stem``, which is None if it is
                that of a single picture's painting.
        """
        known = written_down(self.journal, item["key"])
        if known is not None:  # by one who was ended before it could say so
            return json.loads(known.to_json())
        began = time.perf_counter()
        path = item["input"]
        about = {
            "key": item["key"],
            "input": path,
            "look": look_at(path),
            "hash": hash_of(path),
            "settings": self.settings,
            "version": __version__,
        }
        try:
            made = self._painted(path, item["folder"], item["stem"])
        except Exception as error:
            if isinstance(error, OSError) and error.errno in WRONG:
                return {"stop": told(error)}
            made = {"error": told(error)}
        give_back()
        seconds = round(time.perf_counter() - began, 3)
        record = Record(**{**about, **made, "seconds": seconds, "finished": time.time()})
        write_down(self.journal, record)
        return json.loads(record.to_json())

    def _painted(self, path: str, folder: str, stem: str | None) -> dict[str, Any]:
        with _noting() as notes:
            result = run(replace(self.job, image=Path(path), out=self.out / folder, output=stem))
        usual = f"{Path(path).stem}_painted" if stem is None else stem
        return {
            "name": (Path(folder) / usual).as_posix(),
            "outputs": {name: file.relative_to(self.out).as_posix() for name, file in result.outputs.items()},
            "notes": (*notes, *result.notes),
            "strokes": len(result.painting.strokes),
            "mse": result.errors.everywhere,
        }


@contextlib.contextmanager
def _noting() -> Iterator[list[str]]:
    """While the block runs, what the package logs is noted, and not printed."""
    notes: list[str] = []
    log, handler = logging.getLogger("semantic_guidance"), logging.Handler()
    handler.emit = lambda record: notes.append(record.getMessage())  # type: ignore[method-assign]
    before, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield notes
    finally:
        log.removeHandler(handler)
        log.propagate = before


@contextlib.contextmanager
def _grey() -> Iterator[Path]:
    """A small picture of nothing much, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="semantic-guidance-") as folder:
        path = Path(folder) / "grey.png"
        pixels = np.full((24, 32, 3), 128, dtype=np.uint8)
        pixels[6:18, 8:24] = 230
        Image.fromarray(pixels).save(path)
        yield path
