"""What the studio says of its pictures and paintings, and what it refuses. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from semantic_guidance.core.errors import InputError

State = Literal["queued", "running", "done", "stopped", "failed", "cancelled"]

ENDED = ("done", "stopped", "failed", "cancelled")
"""States in which nothing more happens."""

VALUES = 200_000
"""Values in JSON of a visitor's at most: each takes far more memory than its letters."""

KEPT = ("done", "stopped")
"""States in which there is a painting to be looked at."""


def values_in(text: bytes) -> int:
    """How many values JSON may have, before it is read; base64, which fills most of it, counts as one."""
    return sum(text.count(mark) for mark in (b",", b"[", b"{"))


class Refused(InputError):  # noqa: N818
    """Something that was asked for is not done; the message is for people.

    Args:
        message: one sentence.
        status: of HTTP: 400 bad, 404 unknown, 409 not now, 413 too large, 415 no picture, 422 options that
            are not usable, 429 too many wait, 503 no room.
    """

    def __init__(self, message: object, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """How much visitors may ask for.

    Attributes:
        upload_bytes: of a picture's file.
        project_bytes: of a project's file.
        pixels: of a picture.
        queue: paintings that wait.
        tasks: other tasks that wait, of each kind of worker.
        strokes: of a painting.
        size: pixels of a painting's longer side.
        file_size: pixels of a file's longer side.
        film_seconds: length of a film.
        document_bytes: of guidance, as JSON.
        region_bytes: of a picture of a region.
        keep_seconds: after which what nobody has touched is removed.
        disk_bytes: of all files.
        records: pictures, and as many paintings, that are known at a time.
        grace: seconds until an attended painting that nobody follows is stopped.
        patience: seconds in which a worker must have answered to a stop.
        idle: seconds after which a worker that has nothing to do is ended, but for one.
        look_seconds: that looking at a picture may take.
        file_seconds: that writing a file may take.
    """

    upload_bytes: int = 64 << 20
    project_bytes: int = 256 << 20
    pixels: int = 100_000_000
    queue: int = 64
    tasks: int = 64
    strokes: int = 20_000
    size: int = 4096
    file_size: int = 8192
    film_seconds: int = 60
    document_bytes: int = 16 << 20
    region_bytes: int = 4 << 20
    keep_seconds: float = 3600.0
    disk_bytes: int = 4 << 30
    records: int = 4000
    grace: float = 6.0
    patience: float = 2.0
    idle: float = 300.0
    look_seconds: float = 60.0
    file_seconds: float = 300.0


@dataclass(frozen=True)
class PictureRecord:
    """A picture that somebody has sent.

    Attributes:
        id: cannot be guessed.
        name: of the visitor's file, to be shown.
        width: in pixels, of the upright picture in the file.
        height: the same.
        note: what a person should be told of it; mostly nothing.
        path: of the file as it was sent.
        preview: a JPEG, upright, at most `decoding.PREVIEW` pixels long.
        frame: which of several pictures in the file, counted from 1.
    """

    id: str
    name: str
    width: int
    height: int
    note: str
    path: Path
    preview: Path
    frame: int | None = None

    def shown(self) -> dict[str, Any]:
        """As JSON values, without paths."""
        names = ("id", "name", "width", "height", "note")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Order:
    """What is to be painted.

    Attributes:
        picture: ID of the photograph.
        job: options of `apps.job.Job` as JSON values, without those that name files; `palette_from`,
            `background` and `start_canvas` may be IDs of pictures.
        guidance: what is known of the picture, as a file of guidance says it; the painter looks itself if
            None.
        attended: whether it is stopped once nobody follows it.
        variation: which of `count` variations of the job, counted from 0; the job itself if None.
        count: of variations.
        of: ID of the painting of which a region is painted over.
        region: of it, a PNG picture that is bright where to paint.
        erase: whether strokes in the region are taken away first.
        visitor: a word that tells the orders of one visitor from those of others.
    """

    picture: str
    job: Mapping[str, Any] = field(default_factory=dict)
    guidance: Mapping[str, Any] | None = None
    attended: bool = False
    variation: int | None = None
    count: int = 4
    of: str | None = None
    region: bytes | None = None
    erase: bool = False
    visitor: str = ""


@dataclass(frozen=True)
class PaintingRecord:
    """A painting, as it is now.

    Attributes:
        id: cannot be guessed.
        picture: ID of the photograph.
        state: how far it is.
        position: in the queue, 1 is next; None if it does not wait.
        stage: what is done: ``compile``, ``guidance``, ``plan``, ``polish``, ``export``; or nothing.
        share: of the stage that is done, 0 to 1.
        message: what a person should be told; mostly nothing.
        strokes: how many it has, once it is there.
        job: the options it is painted with, which paint it again.
        of: ID of the painting of which a region was painted over.
        seconds: that it has taken, or takes as yet.
        errors: mean squared errors at 128 x 128: ``everywhere``, and ``foreground`` and ``background``.
        shares: of the strokes, of each object.
        style: in which it is painted, once it is known.
        width: in pixels; 0 as long as it is not known.
        height: the same.
    """

    id: str
    picture: str
    state: State
    position: int | None = None
    stage: str = ""
    share: float = 0.0
    message: str = ""
    strokes: int = 0
    job: Mapping[str, Any] = field(default_factory=dict)
    of: str | None = None
    seconds: float = 0.0
    errors: Mapping[str, float | None] | None = None
    shares: tuple[float, ...] | None = None
    style: str = ""
    width: int = 0
    height: int = 0

    def shown(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Event:
    """What happens to a painting.

    Attributes:
        name: ``state``, ``canvas``, ``strokes``, ``end``, or ``ping``.
        data: JSON values.
    """

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A project that was opened again.

    Attributes:
        picture: its photograph.
        guidance: what was known of that.
        job: its settings.
        painting: if it had one.
    """

    picture: PictureRecord
    guidance: dict[str, Any] | None
    job: dict[str, Any]
    painting: PaintingRecord | None
