"""One whole job: a photograph and options become a painting and its files.

What ``semantic-guidance paint`` does, from Python, without a command line:

    from semantic_guidance import Job, run

    result = run(Job("cat.jpg", strokes=500, formats=("png", "svg"), out="painted"))
    result.painting, result.outputs["svg"], result.errors.everywhere
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from semantic_guidance.agents.watching import Watch
from semantic_guidance.apps.agent import chosen_agent
from semantic_guidance.apps.brush import make_brush
from semantic_guidance.apps.files import (
    check_formats,
    check_outputs,
    check_plotter,
    check_transparent,
    plotted,
    prepare_folder,
    write_outputs,
)
from semantic_guidance.apps.given import (
    check_given,
    check_word,
    doubt_note,
    given_guidance,
    guidance_note,
    mask_note,
    stored_guidance,
)
from semantic_guidance.apps.hand import DIALS, make_style
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.medium import make_medium
from semantic_guidance.apps.options import named
from semantic_guidance.apps.outputs import (
    check_replaced,
    job_files,
    settled,
    sibling,
    source_note,
)
from semantic_guidance.apps.restyle import Restyle, named_files
from semantic_guidance.apps.result import Result, Variations
from semantic_guidance.apps.room import check_painting_room
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.options import OptionError
from semantic_guidance.export.overlay import guidance_sheet
from semantic_guidance.export.sheet import thumbnail, write_sheet
from semantic_guidance.guidance.base import load_guide
from semantic_guidance.guidance.files import Stored, write_guidance
from semantic_guidance.images.files import Picture, load_picture
from semantic_guidance.images.metrics import painting_errors, squashed
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import PRESETS
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.variations import Variation, check_count, variations

STORED = "guidance.json"
"""Stands among the formats for the file of guidance."""

StageProgress = Callable[[str, float], None]
"""Called with a stage, ``export`` or one of `Painter`'s, and its share done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class _Work:
    """Everything needed for a painting, read and checked.

    Attributes:
        image: ``[3, H, W]`` to be painted.
        original: ``[3, H, W]`` the photograph, over white.
        guidance: given by the person; None if the painter's guide is to find it.
        scale: pixels of the file for each pixel of `image`, across and down; above 1 if it was reduced.
        guidance_seconds: time taken to find what the person pointed at.
        painter: ready to paint.
        restyle: what it is painted on, and in which colours.
        outputs: the file for each format.
        notes: what a person should be told, or nothing.
        source: what pictures tell of the photograph.
        stored: what was read from a file of guidance, if there is one.
    """

    image: Tensor
    original: Tensor
    guidance: Guidance | None
    scale: tuple[float, float]
    guidance_seconds: float
    painter: Painter
    restyle: Restyle
    outputs: dict[str, Path]
    notes: tuple[str | None, ...]
    source: str
    stored: Stored | None


def run(job: Job, progress: StageProgress | None = None, watch: Watch | None = None) -> Result:
    """Do a job: files are written whole or not at all, and only once the painting is done.

    Args:
        job: what is asked for.
        progress: called with each stage and its share done.
        watch: is shown the strokes while they are made, and may end the painting early, which is kept.

    Raises:
        InputError: something is wrong with the job; nothing has been written.
        OSError: a file cannot be read or written.
    """
    started = time.perf_counter()
    job, tell = settled(job), progress or (lambda stage, share: None)
    return _made(job, _prepared(job, tell), tell, started, watch)


def check(job: Job) -> None:
    """See that a job's options are usable, as far as that does not depend on what is in the photograph.

    Raises:
        InputError: something is wrong with them.
        OSError: a file cannot be read.
    """
    _read(settled(job))
    if job.text is not None:
        check_word(job.text)


def run_variations(job: Job, count: int, progress: StageProgress | None = None) -> Variations:
    """Do a job several times, each with another seed and in its own way; what is in the picture is seen once.

    The first is what `run` makes, but for its file's name. The options of the others' jobs say how they
    differ, so that `run` makes them again.

    Args:
        job: what is asked for.
        count: of variations, see `painter.variations.variations`.
        progress: called with each stage and its share done, variation by variation.

    Raises:
        InputError: something is wrong with the job; nothing has been written.
        OSError: a file cannot be read or written.
    """
    tell, started = progress or (lambda stage, share: None), time.perf_counter()
    job = settled(job)
    fixed = [name for name in DIALS if getattr(job, name) is not None]
    named(lambda: check_count(count, job.style))
    sheet = sibling(job, job.image, "variations")
    files = [
        _outputs(job if not n else replace(job, show_guidance=False, guidance=None), f"_{n + 1}", sheet)
        for n in range(count)
    ]
    work = _prepared(job, tell, files)
    results: list[Result] = []
    pictures = []
    chosen = named(lambda: variations(work.painter.style, count, job.seed, fixed))
    for each, outputs in zip(chosen, files, strict=True):
        varied = replace(job, **varied_options(job, each, work.painter.style))
        if results:
            painter = painter_of(varied, work.restyle, style_of(varied, work.original))
            known = results[0].painting.guidance
            work = replace(work, painter=painter, outputs=outputs, guidance=known, guidance_seconds=0.0)
            started = time.perf_counter()
        result = _made(varied, work, tell, started)
        pictures.append(thumbnail(result.painting.canvas.numpy()))
        results.append(replace(result, painting=replace(result.painting)))  # without its large canvas
    write_sheet(pictures, [f"{n}   seed {each.job.seed}" for n, each in enumerate(results, 1)], sheet)
    return Variations(tuple(results), sheet)


def varied_options(job: Job, variation: Variation, style: Style) -> dict[str, Any]:
    """The options in which a variation of a job, painted in that style, differs from it."""
    options: dict[str, Any] = {"seed": variation.seed, **variation.dials}
    if variation.dials:  # which would be others' if nobody named a style
        options["style"] = job.style or style.name
    return options


def _made(job: Job, work: _Work, tell: StageProgress, started: float, watch: Watch | None = None) -> Result:
    """The painting and its files."""
    target = squashed(work.image)  # before there is a painting: it takes as much memory as the photograph
    painting = work.restyle.finished(work.painter.paint(work.image, work.guidance, tell, watch))
    painting = replace(painting, source=work.source)
    exporting = time.perf_counter()
    shown = work.image if painting.photo is None else painting.photo
    same = shown.data_ptr() == work.image.data_ptr()
    known = guidance_sheet(shown, painting) if "guidance" in work.outputs else None
    files = {name: path for name, path in work.outputs.items() if name != STORED}
    write_outputs(painting, files, job, lambda share: tell("export", share), known, job.export)
    if STORED in work.outputs:
        write_guidance(painting.guidance, work.outputs[STORED], painting.source, painting.shares)
    finished = time.perf_counter()
    seconds = {stage: painting.seconds.get(stage, 0.0) for stage in ("guidance", "plan", "polish")}
    seconds["guidance"] += work.guidance_seconds
    seconds |= {"export": finished - exporting, "total": finished - started}
    boxes = painting.guidance.boxes
    return Result(
        job,
        painting,
        work.outputs,
        painting_errors(painting.canvas, target if same else shown, painting.guidance.mask),
        work.painter.style.name,
        tuple(n * s for n, s in zip(boxes[0], work.scale * 2, strict=True)) if boxes else None,  # type: ignore[arg-type]
        seconds,
        tuple(note for note in (*work.notes, doubt_note(job, work.stored, painting.guidance)) if note),
    )


@dataclass(frozen=True, eq=False)
class _Read:
    """What a job names, read and checked, before anything is looked for in the photograph.

    Attributes:
        picture: the photograph.
        source: what pictures tell of it.
        files: that are to be written, by format, several times if it is done several times.
        stored: what was read from a file of guidance, if there is one.
        restyle: what it is painted on, and in which colours.
        painter: ready to paint.
    """

    picture: Picture
    source: str
    files: Sequence[dict[str, Path]]
    stored: Stored | None
    restyle: Restyle
    painter: Painter


def _read(job: Job, files: Sequence[dict[str, Path]] = ()) -> _Read:
    """What the job names; the files are these, or those it names.

    Raises:
        InputError: something is wrong with it.
        OSError: a file cannot be read.
    """
    check_given(job)
    check_formats(job.formats, job)
    check_plotter(job.formats, job.strokes, "--strokes")
    picture = load_picture(job.image, job.frame)
    files = files or [_outputs(job)]
    source = source_note(job.image, picture.image.numpy())
    check_replaced(files, source, job)
    check_transparent(job.transparent, job.formats)
    style = style_of(job, picture.image)
    stored = stored_guidance(job, picture.image)
    given = job.pointed or stored is not None
    restyle = Restyle.of(job, picture, job.image, job.baseline, given, style.marks)
    painter = painter_of(job, restyle, style)
    sides, clear = painter.sides(*picture.image.shape[1:]), job.transparent is not None
    photo = picture.image.shape[1] * picture.image.shape[2]
    start = restyle.start.shape[1] * restyle.start.shape[2] if isinstance(restyle.start, Tensor) else 0
    check_painting_room(sides, photo, job.strokes, job.formats, job.image, clear, start, job.film_size)
    return _Read(picture, source, files, stored, restyle, painter)


def _prepared(job: Job, tell: StageProgress, files: Sequence[dict[str, Path]] = ()) -> _Work:
    """What the job asks for, in the first of these files by format, or in those it names.

    Raises:
        InputError: something is wrong with it.
        OSError: a file cannot be read, or the folder not written to.
    """
    read = _read(job, files)
    picture, source, stored = read.picture, read.source, read.stored
    restyle, painter = read.restyle, read.painter
    tell("guidance", 0.0)
    looking = time.perf_counter()
    known = given_guidance(job, picture.image, picture.size, painter.guide, stored)
    image, guidance = restyle.apply(known, painter.guide)
    work = _Work(
        image=image,
        original=picture.image,
        guidance=guidance,
        guidance_seconds=time.perf_counter() - looking,
        scale=(picture.size[0] / image.shape[2], picture.size[1] / image.shape[1]),
        painter=painter,
        restyle=restyle,
        outputs=read.files[0],
        notes=(
            picture.note,
            mask_note(job, known),
            guidance_note(job, stored, source),
            restyle.note(job.image),
        ),
        source=source,
        stored=stored,
    )
    prepare_folder(job.out)
    if STORED in work.outputs and not work.outputs[STORED].parent.is_dir():
        raise OptionError(
            "guidance", f"{work.outputs[STORED]}: there is no such folder, wanted one to write to"
        )
    return work


def _outputs(job: Job, mark: str = "", *others: Path) -> dict[str, Path]:
    """The file for each format, none of which, nor any of the others, is one of the inputs."""
    outputs = job_files(job, job.image, "_painted", mark)
    if job.show_guidance:
        outputs["guidance"] = sibling(job, job.image, "guidance")
    written = job.guidance is not None and not job.guidance.exists()
    if job.guidance is not None and written:
        outputs[STORED] = job.guidance
    words = (job.agent, job.brush, job.palette, job.pigments, job.style)
    named = (Path(str(name or "")) for name in words)
    read = () if job.guidance is None or written else (job.guidance,)
    given = (job.image, *job.masks, *read, *named, *named_files(job))
    check_outputs((*outputs.values(), *others), [path for path in given if path and os.path.isfile(path)])
    return outputs


def style_of(job: Job, image: Tensor) -> Style:
    """In which the photograph ``[3, H, W]`` is painted."""
    return make_style(job, image, agent=job.agent is not None, plotter=plotted(job.formats))


def painter_of(job: Job, restyle: Restyle, style: Style) -> Painter:
    """Who paints the job in that style, on the canvas that is asked for."""
    share = 1.0 if restyle.alone and job.foreground_share is None else job.foreground_share
    medium = make_medium(job, job.formats)
    plain = job.baseline and style.hand is None
    brush = make_brush(job.brush, job.seed, job, named(lambda: style.make_brush(job.seed)))
    return named(
        lambda: Painter(
            agent=chosen_agent(job) or (PRESETS[job.preset].baseline if plain else None),
            preset=job.preset,
            guide=load_guide(job.guide),
            strokes=job.strokes,
            size=job.size,
            seed=job.seed,
            foreground_share=share,
            medium=medium,
            start=restyle.start,
            brush=brush,
            style=style,
            device=job.device,
        )
    )
