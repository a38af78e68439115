"""Masks, focus maps and boxes for a data set, laid out as the papers' code does it.

It writes beside `images/`: `segmentations_pred/CLASS/NAME.jpg` (mask, 0-255), `gbp_global/CLASS/NAME.jpg`
(focus map, 0-255, zero off the mask) and `bounding_boxes_pred.txt` (header ` x y w h`, an index from 0,
pixels). A picture without an object gets an empty mask and the whole frame as its box; one that cannot be
read gets the box `0 0 0 0` and no files.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import torch
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.core.ending import end_with_parent
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import box_of
from semantic_guidance.guidance import Guide
from semantic_guidance.images.files import load_image, load_pixels
from semantic_guidance.learning.data.cub200 import BOXES, CUB200, FOCUS, MASKS

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]


@dataclass(frozen=True)
class Job:
    """One picture and where its results go."""

    index: int
    image: Path
    mask: Path
    focus: Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, and its folder if need be, so that at no time a part of it is to be seen.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(data)


def _encode(plane: Tensor) -> bytes:
    pixels = (plane[0].clamp(0, 1) * 255).round().byte().numpy()
    return bytes(cv2.imencode(".jpg", pixels, _JPEG)[1].tobytes())


def _stored_box(mask: Path) -> tuple[int, int, int, int] | None:
    """Box of a mask on disk: of the frame where it is empty, None where there is no readable file."""
    try:
        plane = load_pixels(mask, "L")
    except (OSError, InputError):
        return None
    return box_of(torch.from_numpy(plane), 127) or (0, 0, plane.shape[1], plane.shape[0])


@lru_cache(maxsize=1)
def _guide() -> Guide:
    return Guide(faces=False)  # the papers' data know nothing of them


def _start_worker() -> None:
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def process(job: Job) -> str | None:
    """Write one picture's mask and focus map.

    Returns:
        None, or why the picture was skipped: it cannot be read.

    Raises:
        OSError: the results cannot be written.
    """
    try:
        image = load_image(job.image)
    except (ValueError, OSError) as error:
        return str(error)
    guidance = _guide()(image)
    write_whole(job.focus, _encode(guidance.focus))
    write_whole(job.mask, _encode(guidance.mask))
    return None


def _results(jobs: list[Job], workers: int) -> Iterator[tuple[Job, str | None]]:
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, process(job)
        return
    # Spawned, since a fork of a process whose threads hold locks may hang.
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _start_worker) as pool:
        futures = {pool.submit(process, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise InputError(
                "--workers: one of them was killed, perhaps for lack of memory, wanted fewer"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in {*multiprocessing.active_children()} - {*others}:
                child.terminate()
            raise


def _write_boxes(path: Path, jobs: list[Job]) -> None:
    rows = [" x y w h"]
    for job in jobs:
        box = _stored_box(job.mask) or (0, 0, 0, 0)
        rows.append(" ".join(str(value) for value in (job.index, *box)))
    write_whole(path, ("\n".join(rows) + "\n").encode())


def preprocess(data: Path, workers: int = 1, overwrite: bool = False) -> tuple[int, int]:
    """Find the object of every picture of a data set; progress and skipped pictures are told on stderr.

    Args:
        data: folder that holds ``cub200/CUB_200_2011``.
        workers: processes, at least 1.
        overwrite: whether pictures that are done already are done again.

    Returns:
        How many pictures there are, and how many were skipped.

    Raises:
        ValueError: the data set is missing or malformed, or results cannot be written.
    """
    dataset = CUB200(data)
    jobs = []
    for index, name in enumerate(dataset.names):
        target = Path(name).with_suffix(".jpg")
        jobs.append(
            Job(index, dataset.path(index), dataset.root / MASKS / target, dataset.root / FOCUS / target)
        )
    open_jobs = [job for job in jobs if overwrite or not (job.mask.is_file() and job.focus.is_file())]
    skipped = 0
    try:
        with tqdm(total=len(jobs), initial=len(jobs) - len(open_jobs), unit="image", file=sys.stderr) as bar:
            for _, problem in _results(open_jobs, workers):
                if problem is not None:
                    skipped += 1
                    bar.write(f"skipped: {problem}", file=sys.stderr)
                bar.update()
        _write_boxes(dataset.root / BOXES, jobs)
    except OSError as error:
        raise ValueError(f"{error.filename or dataset.root} cannot be written ({error.strerror})") from error
    return len(jobs), skipped
