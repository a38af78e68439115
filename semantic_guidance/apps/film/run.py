"""One whole film: frames and options become painted frames and their files.

What ``semantic-guidance paint clip.mp4`` does, from Python, without a command line:

    from semantic_guidance.apps.film.options import FilmOptions
    from semantic_guidance.apps.film.run import run_film
    from semantic_guidance.apps.job import Job

    run_film(Job("clip.mp4", strokes=500, preset="draft"), FilmOptions(hold="lively"))

Painting can end at any moment, however it ends: the same call again goes on from the last second of the film
that was painted, and what comes out is the same to the last bit. What was painted before is neither painted
nor, with a textured brush, drawn again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from torch import Tensor

from semantic_guidance.apps.film.abreast import one_behind, with_next
from semantic_guidance.apps.film.drawn import Drawn
from semantic_guidance.apps.film.options import FilmOptions
from semantic_guidance.apps.film.outputs import (
    TRACK,
    Pixels,
    pixels_of,
    shown_sides,
    sinks,
    write_stills,
)
from semantic_guidance.apps.film.parts import Parts, remove
from semantic_guidance.apps.film.work import Work, key, prepared, tensor_of
from semantic_guidance.apps.job import Job
from semantic_guidance.core.ending import Terminated
from semantic_guidance.core.errors import InputError
from semantic_guidance.export.encoder import Encoder
from semantic_guidance.export.sound import Sound
from semantic_guidance.export.track import Stage
from semantic_guidance.export.track_json import blank_of, header, part_text, stage_of, write_track
from semantic_guidance.export.track_reading import read_part
from semantic_guidance.images.reading import FlawError, parsed
from semantic_guidance.images.shots import Trouble
from semantic_guidance.painter.film.film import Film
from semantic_guidance.painting.drawing import Drawing


class Progress(Protocol):
    """Is told how far a film is."""

    def begin(self, total: int | None, done: int, again: int = 0) -> None:
        """Painting begins.

        Args:
            total: frames that there will be, as far as that is known.
            done: that were painted before,
            again: and that are to be drawn again first.
        """
        ...

    def tell(self) -> None:
        """Another frame is done."""
        ...


class Silence:
    """Nobody is told."""

    def begin(self, total: int | None, done: int, again: int = 0) -> None:
        """See `Progress`."""

    def tell(self) -> None:
        """See `Progress`."""


@dataclass(frozen=True, eq=False)
class FilmResult:
    """What became of a film.

    Attributes:
        job: what was asked for.
        options: how it was painted as a film.
        outputs: the file for each format.
        rate: frames per second.
        frames: number of painted frames,
        before: and of those that were painted before this run.
        strokes: that there are in all frames together.
        size: width and height of the painting.
        sound: whether there is any.
        style: in which it was painted.
        brush: name of the brush.
        seconds: that it took.
        notes: what a person should be told; mostly nothing.
    """

    job: Job
    options: FilmOptions
    outputs: dict[str, Path]
    rate: Fraction
    frames: int
    before: int
    strokes: int
    size: tuple[int, int]
    sound: bool
    style: str
    brush: str
    seconds: float
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The result as JSON values: what ``paint clip.mp4 --json`` prints."""
        return {
            "input": str(self.job.image),
            "outputs": {name: str(path) for name, path in self.outputs.items()},
            "style": self.style,
            "frames": self.frames,
            "before": self.before,
            "rate": [self.rate.numerator, self.rate.denominator],
            "width": self.size[0],
            "height": self.size[1],
            "strokes": self.strokes,
            "sound": self.sound,
            "seconds": round(self.seconds, 4),
        }


def run_film(job: Job, options: FilmOptions | None = None, progress: Progress | None = None) -> FilmResult:
    """Paint a film: its files are written whole or not at all, and only once all of it is painted.

    Args:
        job: what is asked for; its `image` is the film.
        options: how it is painted as a film.
        progress: is told how far it is.

    Raises:
        InputError: something is wrong with the job or the film.
        OSError: a file cannot be read or written.
        KeyboardInterrupt: Ctrl-C was pressed; it says how to go on.
    """
    started = time.perf_counter()
    work = prepared(job, options or FilmOptions())
    with Parts.opened(work.folder, key(work)) as parts:
        progress = progress or Silence()
        painting = _Painting(work, parts, progress)
        try:
            try:
                painting.run()
            except FlawError:  # a part is damaged: nothing can go on from it
                parts.clear()
                painting = _Painting(work, parts, progress)
                painting.run()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted{painting.kept}") from None
        except Terminated as end:
            raise Terminated(end.number, f"terminated{painting.kept}") from None
        remove(work.folder)
    if words := painting.trouble.words():
        work.notes.append(f"{work.job.image}: {words}")
    stage = painting.stage
    return FilmResult(
        job=work.job,
        options=work.options,
        outputs=work.outputs,
        rate=work.rate,
        frames=stage.count,
        before=painting.before,
        strokes=stage.strokes,
        size=(stage.blank.width, stage.blank.height),
        sound=work.clip.sound,
        style=work.painter.style.name,
        brush=work.painter.brush.style,
        seconds=time.perf_counter() - started,
        notes=tuple(work.notes),
    )


class _Mark(Enum):
    """What comes between frames."""

    SECOND = auto()  # the frames before are a second; the next one is not begun before they are handed on


class _Painting:
    """A film on its way.

    Args:
        work: what is to be painted.
        parts: what is painted, and is kept.
        progress: is told how far it is.
    """

    def __init__(self, work: Work, parts: Parts, progress: Progress) -> None:
        self.work, self.parts, self.progress = work, parts, progress
        self.trouble = Trouble()
        self.before = 0  # frames that were painted before
        self.size = work.painter.sides(work.clip.height, work.clip.width)
        self.shown = shown_sides(self.size, work.job.film_size)
        self._stage: Stage | None = None
        self._first: Drawing | None = None
        self._pixels: Pixels | None = None  # of the last frame

    @property
    def stage(self) -> Stage:
        """Where the film is.

        Raises:
            InputError: nowhere, as there is no frame in it.
        """
        if self._stage is None:
            image = self.work.job.image
            raise InputError(f"{image}: no frame of the film can be decoded, wanted an intact one")
        return self._stage

    @property
    def kept(self) -> str:
        """What is kept of it, in words."""
        if not self.parts.count:
            return ""
        frames = self.parts.count * self.work.beat
        return f": the first {frames} frames are kept, and the same command goes on from there"

    def run(self) -> None:
        """Paint what is not painted yet; all frames go into their files."""
        work = self.work
        height, width = self.shown
        total = work.clip.told(work.options.every)
        clip = work.clip
        sound = Sound(clip.path, clip.start) if clip.sound else None
        with (
            sinks(work.outputs, work.rate, (width, height), work.job, sound) as into,
            Drawn(self.parts.folder, (width, height), work.painter.brush.style != "flat") as drawn,
        ):
            if self.parts.count:
                self.progress.begin(total, 0, again=self.parts.count * work.beat)
                for drawing, pixels in self._again(drawn):
                    self._show(drawing, pixels, into)
                self.before = self.stage.count
            self.progress.begin(total, self.before)
            for item, pixels in one_behind(self._painted(drawn), self._pixels_of):
                if not isinstance(item, _Mark):
                    self._show(item, pixels, into, drawn)
            stage = self.stage
        if TRACK in work.outputs:
            write_track(work.outputs[TRACK], self.parts.head, self.parts.texts(), stage)
        if self._first is not None:
            write_stills(self._first, work.outputs, work.job.export)

    def _show(
        self, drawing: Drawing | None, pixels: Pixels | None, into: list[Encoder], drawn: Drawn | None = None
    ) -> None:
        """Hand a frame on.

        Args:
            drawing: of it; None if it is as the one before.
            pixels: as which it was drawn.
            into: what takes the frames.
            drawn: what keeps them.
        """
        if pixels is not None:
            self._pixels = pixels
            self._first = self._first or drawing
            if drawn is not None:
                drawn.add(self.parts.count, pixels)
        assert self._pixels is not None  # since the first frame
        for sink in into:
            sink.add(self._pixels)
        self.progress.tell()

    def _again(self, drawn: Drawn) -> Iterator[tuple[Drawing | None, Pixels | None]]:
        """The frames that were painted before, None for one that is as before; and what was drawn of each."""
        self._stage, _ = stage_of(self.parts.head)
        for number, text in enumerate(self.parts.texts()):
            frames = drawn.frames(number)
            for drawing, _ in read_part(self._stage, parsed(text.encode(), "a part of a track")):
                known = None if drawing is None else next(frames, None)
                yield drawing, self._pixels_of(drawing) if known is None else known

    def _pixels_of(self, item: Drawing | _Mark | None, unwanted: Event | None = None) -> Pixels | None:
        """A frame as it is drawn, see `pixels_of`; nothing of what is none."""
        return pixels_of(item, max(self.shown), unwanted) if isinstance(item, Drawing) else None

    def _painted(self, drawn: Drawn) -> Iterator[Drawing | _Mark | None]:
        """The frames that are painted now, None for one that is as before; each second is kept."""
        work, done = self.work, self.before
        film = Film(work.painter, work.options.hold)
        if done:
            film.restore(self.parts.memory())
        kept = True
        pictures = work.clip.pictures(work.options.every, done, self.trouble)
        seen = (None if pixels is None else tensor_of(pixels) for pixels in pictures)
        for picture, ahead in with_next(seen, work.beat):
            yield self._next(film, picture, ahead)
            kept = self.stage.count % work.beat == 0
            if kept:
                yield _Mark.SECOND
                self._keep(film, drawn)
        if not kept:
            yield _Mark.SECOND
            self._keep(film, drawn)

    def _keep(self, film: Film, drawn: Drawn) -> None:
        """Keep another second."""
        drawn.end()  # first: what is known of a part is complete
        self.parts.add(part_text(self.stage.part()), film.state())

    def _next(self, film: Film, picture: Tensor | None, ahead: Tensor | None) -> Drawing | None:
        """Paint the next frame, while another one is looked at; None for one that is as the one before."""
        work, stage = self.work, self._stage
        if picture is None:
            self.stage.tell_same()
            return None
        guidance = work.guidance if stage is None or work.job.baseline else None
        frame = film.next(picture, guidance, ahead)
        found = replace(frame.painting.drawing, source=work.source)
        if stage is None:
            self._stage = stage = Stage(blank_of(found))
            self.parts.begin(header(stage.blank, work.rate))
        return stage.tell(found, frame.ids, frame.fresh)
