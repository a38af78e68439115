"""Parts of a video, each a file of its own, become one without being encoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.export.kinds import Kind, Tags, new_stream
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.export.sound import Sound

REORDERED = {"libx264": 2}
"""Frames that are decoded before one that is shown before them, at most."""


def join(
    parts: Sequence[Path],
    path: Path,
    kind: Kind,
    rate: Fraction | int,
    sound: Sound | Path | None = None,
    options: VideoOptions | None = None,
) -> int:
    """Write the videos of several files, one after the other, as one file, which is whole or untouched.

    Args:
        parts: of the kind, the rate, the size and the options of the whole, as `encoder.Encoder` writes
            them; their sound is left out. At least one.
        path: of the whole.
        kind: of them all, a `Kind.steady` one.
        rate: frames per second.
        sound: what the whole gets, see `encoder.Encoder`.
        options: of the parts.

    Returns:
        Number of frames.

    Raises:
        InputError: a part cannot be read, or is not as the first one.
        OSError: the file cannot be written.
    """
    rate, sound = Fraction(rate), Sound(sound) if isinstance(sound, Path) else sound
    with ExitStack() as stack:
        draft = stack.enter_context(replacing(path))
        whole: Any = stack.enter_context(
            av.open(str(draft), "w", format=kind.container, options=kind.packed(rate))
        )
        with _opened(parts[0]) as first:
            like = first.streams.video[0]
            made = _made(like)
            if kind.container in ("mp4", "mov"):  # whose headers are another form of what the encoder says
                stream = whole.add_stream_from_template(like, opaque=True)
                stream.time_base = 1 / rate
            else:  # which write the rate down, and a copy has none
                coding = kind.coded(options or VideoOptions(), like.codec_context.pix_fmt == kind.clear)
                size = like.width, like.height
                stream = new_stream(whole, kind, rate, size, _tags(like), coding, like.codec_context.pix_fmt)
        heard = None if sound is None else stack.enter_context(sound.into(whole, kind.container))
        done = 0
        for part in parts:
            following = done
            for packet in _packets(part, made, rate, done, REORDERED.get(kind.codec, 0)):
                if heard is not None:
                    heard.until(packet.dts / rate)
                packet.stream = stream
                whole.mux(packet)
                following += 1
            done = following
        if heard is not None:
            heard.until(None)
    return done


def _packets(part: Path, made: object, rate: Fraction, done: int, ahead: int) -> Iterator[Any]:
    """The packets of a part, which begins after `done` frames of the whole, decoded `ahead` of time."""
    with _opened(part) as container:
        stream, number = container.streams.video[0], done
        if _made(stream) != made:
            raise InputError(f"{part}: this is another kind of video than the first part, wanted the same")
        for packet in container.demux(stream):
            if packet.pts is None:  # the end
                continue
            packet.pts = done + round(packet.pts * packet.time_base * rate)
            packet.dts = number - ahead  # not what short parts say: their encoder has not waited for frames
            packet.duration, packet.time_base = 1, 1 / rate
            number += 1
            yield packet


def _opened(part: Path) -> Any:
    try:
        container = av.open(str(part))
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"{part}: this part of a video cannot be read ({error})") from None
    if not container.streams.video:
        container.close()
        raise InputError(f"{part}: this part of a video cannot be read, wanted a whole one")
    return container


def _tags(stream: Any) -> Tags:
    coder = stream.codec_context
    full = coder.color_range == Tags(full=True).range
    return Tags(int(coder.colorspace), int(coder.color_primaries), int(coder.color_trc), full)


def _made(stream: Any) -> tuple[Any, ...]:
    """What must be the same in all parts."""
    coder = stream.codec_context
    return coder.name, coder.width, coder.height, coder.pix_fmt, bytes(coder.extradata or b"")
