"""Films in video files, decoded by FFmpeg: nothing in them can make it open another file or an address.

The file is opened here and FFmpeg reads through it, so it has no protocols; playlists and scripts are among
the formats that are not taken; and the size of frames is limited before they are decoded.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.images.hdr import HDR, is_wide, on_screen
from semantic_guidance.images.rates import evened, named
from semantic_guidance.images.shots import MAX_FRAME, MAX_RATE, Clip, Pixels, Shot, Trouble

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,yuv4mpegpipe,h264,hevc,"
    "m4v,nut,ivf,obu,av1"
)
"""FFmpeg's names of the containers that are taken: none that refers to other files."""

VARIES = Fraction(1, 200)
"""Share by which the mean rate differs from that of the closest frames, if frames come at varying times."""

LONGEST = 600
"""Seconds that a frame may stay, where the file does not tell how long it is."""

SQUARE = Fraction(1, 8), Fraction(8)
"""Bounds of a pixel's width by its height."""

BT709, BT601, FULL = 1, 5, 2  # FFmpeg's numbers of matrices and of the range
UNKNOWN = 2
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""FFmpeg's number of a matrix for its scaler, by that of H.273."""

HIGH = 720
"""Rows from which on a film that does not tell is taken to be in the colours of HD."""


@dataclass(frozen=True)
class Look:
    """How frames are made upright.

    Attributes:
        width: of the frame with square pixels, before it is turned.
        height: the same.
        turned: whether rows become columns, first of all.
        across: whether left and right are exchanged after that.
        down: whether top and bottom are.
    """

    width: int
    height: int
    turned: bool = False
    across: bool = False
    down: bool = False

    @staticmethod
    def of(frame: Any, square: Fraction) -> Look:
        """That of a frame whose pixels are `square` times as wide as high."""
        width, height = frame.width, frame.height
        if square > 1:
            width = round(width * square)
        elif square < 1:
            height = round(height / square)
        held = frame.side_data.get("DISPLAYMATRIX")
        if held is None:
            return Look(width, height)
        a, b, _, c, d, *_ = np.frombuffer(bytes(held), np.int32).astype(float)
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Look(width, height, False, a < 0, d < 0)
        return Look(width, height, True, c < 0, b < 0)

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of the upright frame."""
        return (self.height, self.width) if self.turned else (self.width, self.height)

    def upright(self, pixels: Pixels) -> Pixels:
        """Pixels ``[height, width, 3]`` as they are seen."""
        if self.turned:
            pixels = pixels.transpose(1, 0, 2)
        pixels = pixels[:: -1 if self.down else 1, :: -1 if self.across else 1]
        return np.ascontiguousarray(pixels)


def video(path: Path) -> Clip:
    """The film in a video file, its first frame decoded.

    Raises:
        OSError: it cannot be read.
        InputError: it is no video, none that can be decoded, or too large.
    """
    with _opened(path) as (container, stream):
        first = next(_frames(stream, container, Trouble()), None)
        if first is None:
            raise InputError(f"{path}: no frame of the film can be decoded, wanted an intact one")
        square = stream.sample_aspect_ratio or Fraction(1)
        look = Look.of(first, square if SQUARE[0] <= square <= SQUARE[1] else Fraction(1))
        _check_size(path, *look.sides)
        rate, varies = _rate(stream)
        start = Fraction(0) if first.pts is None else first.pts * first.time_base
        length = _length(container, stream)
        told = stream.frames if stream.frames and not varies else None
        count = told if told or length is None else round(length * rate)
        width, height = look.sides
        return Clip(
            path,
            rate,
            width,
            height,
            partial(_shots, path, rate, look),
            (path,),
            count=count,
            start=start,
            sound=bool(container.streams.audio),
            notes=tuple(_notes(path, first, rate, varies)),
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container, and its stream of frames; errors name the file."""
    options = {"format_whitelist": FORMATS, "max_pixels": str(MAX_FRAME)}
    try:
        file = path.open("rb")
    except OSError as error:
        raise OSError(f"{printable(path)}: cannot be read ({error.strerror}), wanted a film") from None
    with file:
        try:
            container: Any = av.open(file, options=options)
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            reason = str(error.strerror or error)
            raise InputError(
                f"{path}: not a film that can be read ({reason}), wanted MP4, MOV, WebM, MKV or AVI"
            ) from None
        with container:
            pictures = av.stream.Disposition.attached_pic
            streams = [each for each in container.streams.video if not each.disposition & pictures]
            if not streams:
                raise InputError(f"{path}: there are no moving pictures in it, wanted a film")
            stream = streams[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: its pictures are of a kind that cannot be decoded, wanted H.264")
            _check_size(path, stream.width, stream.height)
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME)}
            stream.codec_context.thread_count = 1  # each thread holds frames; painting takes far longer
            yield container, stream


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_FRAME:
        most = f"at most {MAX_FRAME // 1_000_000} million"
        raise InputError(f"{path}: a frame of the film has {width} x {height} pixels, wanted {most}")


def _rate(stream: Any) -> tuple[Fraction, bool]:
    """Frames per second, and whether frames come at varying times."""
    usable = [
        Fraction(rate)
        for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate)
        if rate and 0 < rate <= MAX_RATE
    ]
    if not usable:
        return Fraction(25), True
    base = stream.base_rate or usable[0]
    mean = usable[0]
    if abs(base - mean) > VARIES * mean:
        return evened(mean), True
    return named(mean), False


def _length(container: Any, stream: Any) -> Fraction | None:
    """Seconds that the file says it lasts."""
    if stream.duration:
        return Fraction(stream.duration * stream.time_base)
    return Fraction(container.duration, av.time_base) if container.duration else None


def _notes(path: Path, frame: Any, rate: Fraction, varies: bool) -> Iterator[str]:
    if varies:
        yield f"{path}: frames come at varying times, and are painted at {float(rate):.5g} a second"
    if (light := HDR.get(frame.color_trc)) is not None:
        yield (
            f"{path} is HDR ({light}): it is painted in the colours of usual screens, and lights that are"
            " brighter than white paper become white"
        )
    if frame.interlaced_frame:
        yield f"{path} is interlaced, and painted with both fields in a frame"
    if _has_alpha(frame):
        yield f"{path} is transparent, and painted over white"


def _has_alpha(frame: Any) -> bool:
    return any(part.is_alpha for part in frame.format.components)


def _frames(stream: Any, container: Any, trouble: Trouble) -> Iterator[Any]:
    """The frames that can be decoded."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            trouble.cut = str(error.strerror or error)
            packet = None
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            trouble.broken += 1
            frames = []
        yield from frames
        if packet is None:
            return


def _shots(path: Path, rate: Fraction, look: Look, trouble: Trouble) -> Iterator[Shot]:
    """Frames on the beat of the rate, by their times."""
    with _opened(path) as (container, stream):
        length = _length(container, stream)
        most = LONGEST * rate if length is None else (length + 1) * rate
        held: Any = None
        number, shift = 0, 0  # of the frame that is held; what is added to numbers after a leap
        begin: Fraction | None = None
        for frame in _frames(stream, container, trouble):
            begin = _time(frame) if begin is None else begin
            time = _time(frame)
            found = number + 1 if time is None or begin is None else _beat((time - begin) * rate) + shift
            if held is not None:
                if found < number or found > max(most, number + rate):  # times that cannot be
                    trouble.jumps += 1
                    shift += number + 1 - found
                    found = number + 1
                if found > number:
                    yield Shot(found - number, partial(_pixels, held, look))
                    number = found
            held = frame
        if held is not None:
            lasts = _beat((held.duration or 0) * held.time_base * rate) if held.time_base else 1
            yield Shot(max(1, min(lasts, int(LONGEST * rate))), partial(_pixels, held, look))
        if length is not None and not trouble.cut and number + rate < length * rate * Fraction(98, 100):
            got = float((number + 1) / rate)
            trouble.cut = f"{got:.1f} of {float(length):.1f} s are there"


def _time(frame: Any) -> Fraction | None:
    return None if frame.pts is None else Fraction(frame.pts * frame.time_base)


def _beat(time: Fraction) -> int:
    return math.floor(time + Fraction(1, 2))


def _pixels(frame: Any, look: Look) -> Pixels:
    """The frame, upright, in RGB over white."""
    matrix = MATRICES.get(frame.colorspace, BT709 if frame.height >= HIGH else BT601)
    clear = _has_alpha(frame)
    wide = is_wide(frame.color_trc, frame.color_primaries) and not clear
    form = "rgb48le" if wide else "rgba" if clear else "rgb24"
    reformed = frame.reformat(
        width=look.width,
        height=look.height,
        format=form,
        src_colorspace=matrix,
        src_color_range=FULL if frame.color_range == FULL else 1,
        dst_color_range=FULL,
        interpolation="BICUBIC",
        threads=1,  # with more, some of FFmpeg's write into rows of others
    )
    pixels: Any = reformed.to_ndarray()
    if wide:
        pixels = on_screen(pixels, frame.color_trc, frame.color_primaries)
    if clear:
        alpha = pixels[..., 3:].astype(np.uint16)
        color = pixels[..., :3]
        pixels = ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return look.upright(pixels)
