"""What is asked for of a film, read and checked before it is painted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.apps.files import check_outputs, prepare_folder
from semantic_guidance.apps.film.options import FilmOptions
from semantic_guidance.apps.film.outputs import USUAL, check_formats
from semantic_guidance.apps.film.parts import key_of
from semantic_guidance.apps.given import check_given, given_guidance, mask_note, stored_guidance
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import painter_of, style_of
from semantic_guidance.apps.options import OutputOptions
from semantic_guidance.apps.outputs import check_replaced, job_files, settled, source_note
from semantic_guidance.apps.restyle import Restyle, named_files
from semantic_guidance.apps.room import check_painting_room
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.options import OptionError, to_json
from semantic_guidance.core.version import __version__
from semantic_guidance.export.options import VideoOptions, check_coding
from semantic_guidance.images.clips import open_clip
from semantic_guidance.images.files import Picture
from semantic_guidance.images.film_names import is_pattern
from semantic_guidance.images.shots import Clip
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import SIZES

UNPAINTED = frozenset({"out", "output", "overwrite", "formats", "image", "export"})
"""Options that change nothing in what is painted."""

REFUSED = {
    "frame": "this is a film, of which all frames are painted, wanted --every N for fewer of them",
    "background": "it is for a picture, and this is a film, wanted a film without it",
    "palette_from": "it is for a picture, and this is a film, wanted --palette with a list of colours",
    "transparent": "films are painted on their canvas, wanted a film without it",
    "show_guidance": "it is for a picture, and this is a film, wanted it without",
    "duration": "a film is as long as it was, wanted it without",
}
"""Options that films do not have, and why."""


@dataclass(eq=False)
class Work:
    """A film that is read, checked, and ready to be painted.

    Attributes:
        job: what is asked for.
        options: how it is painted as a film.
        clip: the film.
        first: its first frame.
        painter: of its frames.
        guidance: of the first frame, if a person has given it; of all frames if there is to be none.
        outputs: the file for each format.
        source: what files tell of the film.
        folder: of the parts.
        notes: what a person should be told.
    """

    job: Job
    options: FilmOptions
    clip: Clip
    first: Tensor
    painter: Painter
    guidance: Guidance | None
    outputs: dict[str, Path]
    source: str
    folder: Path
    notes: list[str] = field(default_factory=list)

    @property
    def rate(self) -> Fraction:
        """Painted frames per second."""
        return self.clip.rate / self.options.every

    @property
    def beat(self) -> int:
        """Frames of a second, after which what is painted is kept."""
        return max(1, round(self.rate))


def prepared(job: Job, options: FilmOptions) -> Work:
    """The film and what is asked for, read and checked.

    Raises:
        InputError: something is wrong with it.
        OSError: a file cannot be read, or the folder not written to.
    """
    job = _settled(job)
    for name, complaint in REFUSED.items():
        if getattr(job, name) not in (None, False):
            raise OptionError(name, complaint)
    check_given(job)
    check_formats(job.formats)
    check_coding(job, job.formats)
    numbered = job.image.is_dir() or is_pattern(job.image)
    if job.fps is not None and not numbered:
        raise OptionError("fps", "a film keeps its own rate, wanted --every N for fewer frames a second")
    clip = open_clip(job.image, None if job.fps is None else Fraction(job.fps))
    job = replace(job, size=job.size or min(max(clip.width, clip.height, SIZES[0]), SIZES[1]))
    outputs = _files(job)
    words = (job.agent, job.brush, job.palette, job.pigments, job.style)
    named = [Path(str(word)) for word in words if word]
    given = [*clip.files, *job.masks, *named, *named_files(job), *([job.guidance] if job.guidance else [])]
    check_outputs(outputs.values(), [path for path in given if os.path.isfile(path)])
    source = source_note(clip.files[0], np.empty(0, np.float32))
    check_replaced([outputs], source, job)
    first = tensor_of(next(iter(clip.pictures())))
    style = style_of(job, first)
    size = (clip.width, clip.height)
    restyle = Restyle.of(job, Picture(first, None, size), job.image, job.baseline, job.pointed, style.marks)
    painter = painter_of(job, restyle, style)
    sides = painter.sides(clip.height, clip.width)
    check_painting_room(
        sides,
        clip.width * clip.height,
        job.strokes,
        job.formats,
        job.image,
        film_size=job.film_size or max(sides),
    )
    guidance = _guidance(job, first, size, painter)
    prepare_folder(job.out)
    folder = job.out / f".{_stem(job, outputs)}.parts"
    notes = [*clip.notes, *([note] if (note := mask_note(job, guidance)) else [])]
    return Work(job, options, clip, first, painter, guidance, outputs, source, folder, notes)


def check_apart(jobs: Iterable[Job]) -> None:
    """See that no film would be painted over another one.

    Raises:
        InputError: two become a file of the same name.
    """
    films: dict[Path, Path] = {}
    for job in jobs:
        for path in _files(_settled(job)).values():
            other = films.setdefault(path, job.image)
            if other != job.image:
                raise InputError(
                    f"{other} and {job.image} would both become {path.name}, wanted one at a time, and"
                    " another --out for each"
                )


def _settled(job: Job) -> Job:
    """A job with a folder, and formats that films usually have if none are given, see `settled`."""
    job = settled(job)
    return replace(job, formats=USUAL) if job.formats is OutputOptions.formats else job


def _files(job: Job) -> dict[str, Path]:
    """The file for each format, if options are as `_settled` returns them."""
    return job_files(job, _named_path(job.image), "_painted")


def _stem(job: Job, outputs: dict[str, Path]) -> str:
    """The files' name without its end."""
    name, path = next(iter(outputs.items()))
    return path.name.removesuffix(f".{name}").removesuffix(f"_{name}")


def _named_path(path: Path) -> Path:
    """After what the files are called: a folder gives its name to what it is made of, dots and all."""
    if is_pattern(path):
        path = path.absolute().parent
    return path.with_name(f"{path.absolute().name}.film") if path.is_dir() else path


def _guidance(job: Job, first: Tensor, size: tuple[int, int], painter: Painter) -> Guidance | None:
    """What a person says of the objects in the first frame."""
    if job.guidance is not None and not job.guidance.exists():
        raise OptionError("guidance", f"{job.guidance}: no such file, wanted one of the film's first frame")
    stored = stored_guidance(job, first)
    return given_guidance(job, first, size, painter.guide, stored)


def key(work: Work) -> str:
    """What tells this film, painted in this way, from others.

    Raises:
        OSError: a file cannot be read.
    """
    settings = {
        name: value
        for name, value in to_json(work.job).items()
        if name not in UNPAINTED and name not in {item.name for item in fields(VideoOptions)}
    }
    settings |= {"hold": work.options.hold, "every": work.options.every, "version": __version__}
    settings |= {"rate": str(work.clip.rate), "sides": [work.clip.width, work.clip.height]}
    named = {name: Path(str(value)) for name, value in settings.items() if isinstance(value, str)}
    files = {name: path for name, path in named.items() if os.path.isfile(path)}
    files |= {f"mask {n}": path for n, path in enumerate(work.job.masks)}
    return key_of(settings, files, work.clip.files)


def tensor_of(pixels: Any) -> Tensor:
    """A frame ``[H, W, 3]`` of bytes as a picture ``[3, H, W]``."""
    return torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255).contiguous()
