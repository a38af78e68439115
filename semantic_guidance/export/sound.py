"""The sound of a video, taken from another file: copied as it is, where the container can hold it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.videos import FORMATS as FILMS

FORMATS = f"{FILMS},aac,ac3,aiff,amr,ape,au,caf,dts,eac3,flac,mp3,oma,tta,w64,wav,wv"
"""FFmpeg's names of the containers that are taken: none that refers to other files."""

HELD = {
    "mp4": frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}),
    "mov": frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be"}),
    "webm": frozenset({"opus", "vorbis"}),
    "matroska": frozenset({"aac", "mp3", "ac3", "eac3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le"}),
}
"""Codecs of sound that players expect in a container, by FFmpeg's names."""

RECODED = {"mp4": "aac", "mov": "pcm_s16le", "webm": "libopus", "matroska": "flac"}
"""The encoder of sound that a container cannot hold as it is; containers without sound are not among them."""

OPUS_RATES = (48_000, 24_000, 16_000, 12_000, 8_000)  # samples a second that Opus has
LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}  # of channels without names, as in WAV
LEAD = Fraction(1, 10)  # seconds before the start that a codec may need to settle


@dataclass(frozen=True)
class Sound:
    """The sound of a file.

    Attributes:
        path: of the file; none of its sound is missed if it has none.
        start: seconds of the file's clock at which the video begins; at its first picture if None.
        end: seconds of the file's clock from which on its sound is left out, if it is.
    """

    path: Path
    start: Fraction | None = None
    end: Fraction | None = None

    @contextmanager
    def into(self, container: Any, form: str) -> Iterator[_Copy | None]:
        """Streams in an open container for it, to be called before anything is written to that.

        Args:
            container: PyAV's, to write to.
            form: FFmpeg's name of its file format.

        Returns:
            What writes the sound; None if there is none, or the format has none.

        Raises:
            InputError: the file cannot be read.
        """
        with ExitStack() as stack:
            try:  # as `images.videos` does: what is in the file cannot make FFmpeg open another one
                file = stack.enter_context(self.path.open("rb"))
                source = stack.enter_context(av.open(file, options={"format_whitelist": FORMATS}))
            except (av.FFmpegError, OSError, ValueError) as error:
                raise InputError(f"{self.path}: its sound cannot be read ({error})") from None
            streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
            yield _Copy(self, source, streams, container, form) if streams and form in RECODED else None


class _Copy:
    """Sound on its way from an open file to another one, as far as the video is."""

    def __init__(self, sound: Sound, source: Any, streams: list[Any], container: Any, form: str) -> None:
        self.sound, self.container = sound, container
        self.tracks = {stream.index: _track(stream, container, form) for stream in streams}
        self.packets: Any = source.demux(*streams)
        self.held: Any = None  # a packet that was read too early
        self.begin = sound.start if sound.start is not None else _begin(source)
        self.ends = False

    def until(self, time: Fraction | None) -> None:
        """Write what is heard until so many seconds of the video, or all that is left if None."""
        while not self.ends:
            packet = self.held if self.held is not None else next(self.packets, None)
            self.held = None
            if packet is None:
                self.ends = True
                for track in self.tracks.values():
                    self.container.mux(track.rest())
                return
            if packet.pts is None:  # the end of a stream
                continue
            at = packet.pts * packet.time_base
            if time is not None and at - self.begin > time:
                self.held = packet
                return
            late = self.sound.end is not None and at >= self.sound.end
            early = at + (packet.duration or 0) * packet.time_base <= self.begin - LEAD
            if not (late or early):
                self.container.mux(self.tracks[packet.stream.index].moved(packet, self.begin))


def _begin(source: Any) -> Fraction:
    """Seconds of a file's clock at which its first picture is shown."""
    for stream in source.streams.video:
        if stream.start_time is not None:
            return Fraction(stream.start_time * stream.time_base)
    return Fraction(0)


def _track(stream: Any, container: Any, form: str) -> _Copied | _Recoded:
    copied = stream.codec_context.codec.canonical_name in HELD[form]
    return _Copied(stream, container) if copied else _Recoded(stream, container, RECODED[form])


class _Copied:
    """A stream whose packets are copied."""

    def __init__(self, stream: Any, container: Any) -> None:
        self.stream = container.add_stream_from_template(stream)

    def moved(self, packet: Any, begin: Fraction) -> list[Any]:
        """A packet, on the video's clock."""
        shift = round(begin / packet.time_base)
        packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        packet.stream = self.stream
        return [packet]

    def rest(self) -> list[Any]:
        """What comes at the end."""
        return []


class _Recoded:
    """A stream that is decoded and encoded anew."""

    def __init__(self, stream: Any, container: Any, codec: str) -> None:
        self.decoder = stream.codec_context
        rate, layout = self.decoder.sample_rate, self.decoder.layout.name
        layout = LAYOUTS.get(self.decoder.channels, layout) if "channels" in layout else layout
        if codec == "libopus":
            rate = next((each for each in OPUS_RATES if rate >= each), OPUS_RATES[0])
        self.stream = container.add_stream(codec, rate=rate, layout=layout)
        self.stream.codec_context.thread_count = 1

    def moved(self, packet: Any, begin: Fraction) -> list[Any]:
        """What is ready when a packet has come in, on the video's clock."""
        return [ready for frame in self.decoder.decode(packet) for ready in self._coded(frame, begin)]

    def _coded(self, frame: Any, begin: Fraction) -> list[Any]:
        if frame.pts is not None:
            frame.pts -= round(begin / frame.time_base)
        coded: list[Any] = self.stream.encode(frame)
        return coded

    def rest(self) -> list[Any]:
        """What comes at the end."""
        coded: list[Any] = self.stream.encode(None)
        return coded
