"""Masks, focus maps and boxes for a data set, laid out as the papers' code does it.

It writes below the data set's root, for CUB-200-2011 beside `images/`: `segmentations_pred/CLASS/NAME.jpg`
(mask, 0-255), `gbp_global/CLASS/NAME.jpg` (focus map, 0-255, zero off the mask) and `bounding_boxes_pred.txt`
(header ` x y w h`, an index from 0, pixels), see `made`. A picture without an object gets an empty mask and
the whole frame as its box; one that cannot be read gets the box `0 0 0 0` and no files.

Masks are found in the whole picture, for Cars-196 inside the data set's boxes; those of Virtual KITTI are its
own, if they are there.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.core.engines.base import Do, Engine, Item, Work
from semantic_guidance.core.engines.local import LocalEngine
from semantic_guidance.core.errors import InputError, RoomError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import Box, box_of
from semantic_guidance.core.memory import free_memory
from semantic_guidance.core.shown import printable
from semantic_guidance.images.files import load_image, load_pixels
from semantic_guidance.images.jpeg import Head, read_head, with_comment
from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.cub200 import CUB200
from semantic_guidance.learning.data.folder import (
    PictureDataset,
    PictureFolder,
    Segmentation,
    need_pictures,
)
from semantic_guidance.learning.data.made import BOXES, FOCUS, MASKS
from semantic_guidance.learning.data.seen import look
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI

MARK = b"semantic-guidance preprocess"
"""A comment in all masks and focus maps, by which they are known: only they are replaced."""

_FULL = 0.995
"""Share of its box from which on a mask is a rectangle."""

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]


@dataclass(frozen=True)
class Job:
    """One picture and where its results go.

    Attributes:
        index: of the picture, from 0.
        image: its file.
        mask: the file of its mask.
        focus: the file of its focus map.
        problem: why it is skipped, if that is known before it is read.
        box: where the data set says that the object is.
        masks: what reads the data set's own masks.
    """

    index: int
    image: Path
    mask: Path
    focus: Path
    problem: str | None = None
    box: Box | None = None
    masks: Segmentation | None = None


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
    return with_comment(cv2.imencode(".jpg", pixels, _JPEG)[1].tobytes(), MARK)


def _stored_box(mask: Path) -> tuple[tuple[int, int, int, int], float] | None:
    """Box of a mask on disk, that of the frame where it is empty, and how much of the box it fills.

    None where there is no readable file.
    """
    try:
        plane = load_pixels(mask, "L")
    except (OSError, InputError):
        return None
    box = box_of(torch.from_numpy(plane), 127)
    if box is None:
        return (0, 0, plane.shape[1], plane.shape[0]), 0.0
    return box, float((plane > 127).sum()) / (box[2] * box[3])


def process(job: Job) -> str | None:
    """Write one picture's mask and focus map.

    Returns:
        None, or why the picture was skipped: it lies elsewhere, cannot be read, or there are other files
        where its results would be.

    Raises:
        OSError: the results cannot be written.
    """
    if job.problem is not None:
        return job.problem
    try:
        image = load_image(job.image)
        for path in (job.focus, job.mask):
            _check_replaceable(path, *image.shape[1:])
        guidance = look(image, job.masks, job.box, job.image)
    except (ValueError, OSError) as error:
        return str(error)
    write_whole(job.focus, _encode(guidance.focus))
    write_whole(job.mask, _encode(guidance.mask))
    return None


def looking(settings: Mapping[str, Any]) -> Do:
    """What a worker does: it finds the object of one picture after the other.

    Args:
        settings: ``data``, ``dataset`` and ``variation`` as for `preprocess`, and ``threads``.

    Raises:
        ValueError: the data set is missing or malformed.
    """
    torch.set_num_threads(settings["threads"])
    cv2.setNumThreads(settings["threads"])
    return _looking_at(_opened(Path(settings["data"]), settings["dataset"], settings["variation"]))


def _looking_at(pictures: PictureDataset) -> Do:
    """What takes the ``index`` of a picture, and returns the ``problem`` for which it was skipped, if any, or
    why results cannot be written, for which all has to ``stop``.
    """

    def do(item: Item) -> dict[str, Any]:
        try:
            return {"problem": process(_job(pictures, item["index"]))}
        except OSError as error:
            place = error.filename or pictures.root
            return {"stop": f"{place} cannot be written ({error.strerror})"}

    return do


def _problems(
    jobs: Sequence[Job], pictures: PictureDataset, work: Work, engine: Engine | None
) -> Iterator[str | None]:
    """Do all jobs; for each, in any order, why it was skipped, if it was.

    Raises:
        InputError: results cannot be written.
    """
    items = ({"index": job.index} for job in jobs)
    if engine is None or len(jobs) < 2:
        results = map(_looking_at(pictures), items)
        yield from map(_told, results)
        return
    with contextlib.closing(engine), contextlib.closing(engine.run(work, items)) as outcomes:  # type: ignore[type-var]
        for outcome in outcomes:
            if outcome.result is None:
                yield f"{pictures.names[outcome.item['index']]}: {outcome.error}"
            else:
                yield _told(outcome.result)


def _told(result: Mapping[str, Any]) -> str | None:
    """The problem that a result tells.

    Raises:
        InputError: it tells of one for which all has to stop.
    """
    if "stop" in result:
        raise InputError(result["stop"])
    problem: str | None = result["problem"]
    return problem


def _write_boxes(path: Path, jobs: list[Job]) -> int:
    """Write the list of boxes; returns how many masks are rectangles where a box was all that was known."""
    rows, rectangles = [" x y w h"], 0
    for job in jobs:
        box, share = (_stored_box(job.mask) if job.problem is None else None) or ((0, 0, 0, 0), 0.0)
        rectangles += job.box is not None and share > _FULL
        rows.append(" ".join(str(value) for value in (job.index, *box)))
    write_whole(path, ("\n".join(rows) + "\n").encode())
    return rectangles


def _jobs(dataset: PictureDataset) -> list[Job]:
    """One for each picture.

    Raises:
        InputError: results would lie elsewhere, or in the place of something else.
    """
    jobs: list[Job] = []
    pictures: dict[str, str] = {}
    for index, name in enumerate(dataset.names):
        target = dataset.made_name(index)
        if target in pictures:
            there = f"{pictures[target]!r} and {name!r}"
            raise InputError(f"{dataset.root}: {there} have one mask, wanted different names")
        pictures[target] = name
        jobs.append(_job(dataset, index))
    if not any(job.problem or job.image.exists() for job in jobs):
        need_pictures(dataset)
    return jobs


def _job(dataset: PictureDataset, index: int) -> Job:
    """The one for a picture.

    Raises:
        InputError: results would lie elsewhere, or in the place of something else.
    """
    target, root = dataset.made_name(index), os.path.realpath(dataset.root)
    mask, focus = (_result_path(dataset.root, f"{folder}/{target}") for folder in (MASKS, FOCUS))
    try:
        image, problem, masks = dataset.path(index), None, dataset.segmentation(index)
    except InputError as error:
        image, problem, masks = dataset.root / dataset.names[index], str(error), None
    made = tuple(os.path.join(root, folder, "") for folder in (MASKS, FOCUS))
    if problem is None and os.path.realpath(image).startswith(made):
        raise InputError(f"{image} is among the results of the preprocessing, wanted a photograph")
    return Job(index, image, mask, focus, problem, dataset.hint(index), masks)


def _result_path(root: Path, name: str) -> Path:
    """Where a file of the preprocessing goes, which is where its name says: no part of that is a link.

    Raises:
        InputError: one is.
    """
    path = root / name
    if os.path.realpath(path) != os.path.join(os.path.realpath(root), name):
        raise InputError(
            f"{path} is behind a link, wanted a folder of its own in {root}; remove the link, or move or "
            "link the whole data set"
        )
    return path


def _check_boxes(path: Path) -> None:
    """See that there is no file, or one of the preprocessing.

    Raises:
        InputError: it is another.
    """
    if path.exists() and not (path.is_file() and _begins(path, b" x y w h")):
        raise InputError(f"{path} is no list of boxes of the preprocessing, wanted another name for it")


def _begins(path: Path, beginning: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning


def _check_replaceable(path: Path, height: int, width: int) -> None:
    """See that there is no file, or a mask or focus map of the preprocessing.

    Those of earlier versions have no mark: they are grey JPEGs of the photograph's size in which nothing is
    noted down.

    Raises:
        InputError: it is something else.
        OSError: it cannot be read.
    """
    if not os.path.lexists(path):
        return
    head = read_head(path) if path.is_file() else None
    if head is not None and (MARK in head.comments or head == Head(height, width, 1, (), noted=False)):
        return
    raise InputError(f"{path} is there and none of the preprocessing: it stays, wanted another name for it")


WORKER = 300_000_000
"""Bytes that a process takes beside what it has when it begins."""


def _opened(data: Path, dataset: str, variation: str) -> PictureDataset:
    """All pictures of a data set.

    Raises:
        ValueError: it is none that can be preprocessed, or missing or malformed.
    """
    if variation != "clone" and dataset != "vkitti":
        raise InputError(f"--variation: {dataset} has no variations, wanted none")
    match dataset:
        case "cub200":
            return CUB200(data)
        case "cars196":
            return Cars196(data, "all")
        case "vkitti":
            return VirtualKITTI(data, variation, guidance="none")
        case "folder":
            return PictureFolder(data)
    raise ValueError(f"dataset is {dataset!r}, wanted 'cub200', 'cars196', 'vkitti' or 'folder'")


def preprocess(
    data: Path,
    workers: int = 1,
    overwrite: bool = False,
    dataset: str = "cub200",
    variation: str = "clone",
    engine: Engine | None = None,
) -> tuple[int, int]:
    """Find the object of every picture of a data set; progress and skipped pictures are told on stderr.

    Args:
        data: folder of the data set, as for ``semantic-guidance train``.
        workers: processes, at least 1.
        overwrite: whether pictures that are done already are done again.
        dataset: ``cub200``, ``cars196``, ``vkitti`` or ``folder``.
        variation: of Virtual KITTI.
        engine: who does it, in place of these processes.

    Returns:
        How many pictures there are, and how many were skipped.

    Raises:
        ValueError: the data set is missing or malformed, or results cannot be written, or would replace files
            that are none of the preprocessing.
    """
    pictures = _opened(data, dataset, variation)
    jobs = _jobs(pictures)
    boxes = _result_path(pictures.root, BOXES)
    _check_boxes(boxes)
    open_jobs = [
        job for job in jobs if overwrite or job.problem or not (job.mask.is_file() and job.focus.is_file())
    ]
    skipped, free = 0, free_memory()
    if free is not None and free < WORKER:  # without it, processes wait for threads that cannot begin
        raise RoomError(
            f"finding objects takes about {WORKER / 1e9:.1f} GB of memory for each of the --workers, wanted"
            f" less than the {free / 1e9:.1f} GB that are free"
        )
    if engine is None and workers > 1:
        engine = LocalEngine(min(workers, max(1, len(open_jobs))), threads=1, preload=[__name__])
    work = Work(f"{__name__}:looking", {"data": str(data), "dataset": dataset, "variation": variation})
    try:
        with tqdm(total=len(jobs), initial=len(jobs) - len(open_jobs), unit="image", file=sys.stderr) as bar:
            for problem in _problems(open_jobs, pictures, work, engine):
                if problem is not None:
                    skipped += 1
                    bar.write(f"skipped: {printable(problem)}", file=sys.stderr)
                bar.update()
        rectangles = _write_boxes(boxes, jobs)
    except OSError as error:
        raise InputError(f"{error.filename or pictures.root} cannot be written ({error.strerror})") from error
    if rectangles:
        print(f"{rectangles} masks are rectangles: nothing else was found in their boxes", file=sys.stderr)
    return len(jobs), skipped
