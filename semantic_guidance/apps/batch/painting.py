"""What a worker of a batch does: it paints one picture after the other, and writes down what became of it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from semantic_guidance.apps.batch.manifest import JOURNAL, Journal, Record, hash_of, look_at
from semantic_guidance.apps.batch.places import fetched, is_url, joined, put
from semantic_guidance.apps.batch.remote import RemoteJournal
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import StageProgress, check, run
from semantic_guidance.core.engines.base import Do, Item
from semantic_guidance.core.engines.local import told
from semantic_guidance.core.memory import give_back, keep_little
from semantic_guidance.core.version import __version__
from semantic_guidance.renderer.backends.cpu.threads import set_threads

WRONG = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says that takes no more: no other picture could be written either."""


def painting(settings: Mapping[str, Any]) -> Do:
    """What paints one picture after the other.

    Args:
        settings: ``job``, options as `Job.from_json` takes them, but for the photograph and the files' names;
            ``settings``, their hash; ``out``, the folder for the files, or its address; ``journal``, that of
            the records, from there; ``threads`` that may be used.

    Raises:
        InputError: the options are not usable, whatever the picture.
    """
    keep_little()
    use_threads(settings.get("threads", 1))
    job = Job.from_json(json.dumps({**settings["job"], "image": "-", "out": settings["out"]}))
    with _grey() as picture:
        check(replace(job, image=picture, out=picture.parent))
    return _Worker(job, settings["out"], settings["settings"], settings.get("journal", JOURNAL))


def use_threads(count: int) -> None:
    """Use so many threads, here, in torch and in OpenCV."""
    set_threads(count)
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


class _Worker:
    """Paints pictures, as `apps.jobs.run` does."""

    def __init__(self, job: Job, out: str, settings: str, journal: str) -> None:
        self.job, self.out, self.settings = job, out, settings
        self.journal: Journal = (
            RemoteJournal(joined(out, journal)) if is_url(out) else Journal(Path(out) / journal)
        )

    def __call__(self, item: Item) -> dict[str, Any]:
        """The `Record` of a picture, as JSON values; or ``{"stop": why}`` if no other could be done either.

        Args:
            item: ``key``, ``input``, and where the files go: ``folder`` and ``stem``, which is None if it is
                that of a single picture's painting.
        """
        known = self.journal.record(item["key"])
        if known is not None:  # by one who was ended before it could say so
            return json.loads(known.to_json())
        began = time.perf_counter()
        path = item["input"]
        about = {"key": item["key"], "input": path, "settings": self.settings, "version": __version__}
        try:
            with _at_hand(path) as picture:
                about |= {"look": look_at(path), "hash": hash_of(str(picture))}
                made = self._painted(picture, item["folder"], item["stem"])
        except Exception as error:
            if isinstance(error, OSError) and error.errno in WRONG:
                return {"stop": told(error)}
            made = {"error": told(error)}
        give_back()
        seconds = round(time.perf_counter() - began, 3)
        record = Record(**{**about, **made, "seconds": seconds, "finished": time.time()})
        self.journal.write(record)
        return json.loads(record.to_json())

    def _painted(self, picture: Path, folder: str, stem: str | None) -> dict[str, Any]:
        with _noting() as notes, _room(self.out) as out:
            job = replace(self.job, image=picture, out=out / folder, output=stem)
            result = run(job, _between_stages(give_back))
            outputs = {name: file.relative_to(out).as_posix() for name, file in result.outputs.items()}
            if is_url(self.out):
                for file in outputs.values():
                    _send(out / file, joined(self.out, file))
        usual = f"{picture.stem}_painted" if stem is None else stem
        return {
            "name": (Path(folder) / usual).as_posix(),
            "outputs": outputs,
            "notes": (*notes, *result.notes),
            "strokes": len(result.painting.strokes),
            "mse": result.errors.everywhere,
        }


def _between_stages(do: Callable[[], None]) -> StageProgress:
    """Calls something whenever another stage begins."""
    now = ""

    def tell(stage: str, share: float) -> None:
        nonlocal now
        if stage != now:
            now = stage
            do()

    return tell


@contextlib.contextmanager
def _at_hand(path: str) -> Iterator[Path]:
    """A picture as a file of this machine, fetched if it is at an address."""
    if not is_url(path):
        yield Path(path)
        return
    with fetched(path) as picture:
        yield picture


def _send(path: Path, url: str) -> None:
    """Copy a file, or a folder of frames, to an address."""
    if path.is_dir():
        for each in sorted(path.iterdir()):
            _send(each, joined(url, each.name))
    else:
        put(path, url)


@contextlib.contextmanager
def _room(out: str) -> Iterator[Path]:
    """The folder for the files, or one of this machine whose files then go to an address."""
    if not is_url(out):
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="semantic-guidance-") as folder:
        yield Path(folder)


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
