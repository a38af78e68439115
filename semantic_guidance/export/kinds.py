"""Kinds of videos: which container, which encoder, and with what options."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.machine import has_avx512
from semantic_guidance.export.options import CRF, QUALITY, VideoOptions

SHORTEST = 16  # pixels of any side: smaller videos do not play
BT709, LIMITED, FULL = 1, 1, 2  # the numbers of the colours and of the ranges in H.264 and FFmpeg
RGB = 0  # the number of the matrix of what is not converted
FOLDER = "folder"  # in place of a container
TICKS = 1000  # of an animation's clock in a second


@dataclass(frozen=True)
class Kind:
    """One kind of video.

    Attributes:
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        pixels: format of the encoder's frames.
        longest: pixels of the longer side at most, unless another size is asked for.
        rate: frames per second, by default.
        coding: options of the encoder.
        packing: options of the container.
        steady: whether every frame is written; else only those that differ from the previous one.
        clear: format of the encoder's frames with alpha; empty if it has none.
        clear_coding: options of the encoder for these.
    """

    container: str
    codec: str
    pixels: str
    longest: int
    rate: int
    coding: dict[str, str] = field(default_factory=dict)
    packing: dict[str, str] = field(default_factory=dict)
    steady: bool = False
    clear: str = ""
    clear_coding: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> bool:
        """Whether it is a folder of numbered pictures."""
        return self.container == FOLDER

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a video of such pictures: even, where the colours of four pixels are one."""
        if self.folder:
            return width, height
        across, down = (2 if word in self.pixels else 1 for word in ("42", "420"))
        return max(SHORTEST, width + width % across), max(SHORTEST, height + height % down)

    def packed(self, rate: Fraction) -> dict[str, str]:
        """Options of the container of a video of so many frames per second."""
        packing = dict(self.packing)
        if self.container == "apng":  # else its last frame, which ends the hold, would last as long again
            packing["final_delay"] = f"{rate.denominator}/{rate.numerator}"
        if (
            self.container in ("mp4", "mov") and rate.denominator != 1
        ):  # in milliseconds, its length is not exact
            packing["movie_timescale"] = str(rate.numerator)
        return packing

    def coded(self, options: VideoOptions, clear: bool = False) -> dict[str, str]:
        """Options of the encoder.

        Args:
            options: what is wished; what the kind does not have is passed over.
            clear: whether frames have alpha.

        Raises:
            ValueError: a wish is beyond what the encoder has.
        """
        coding = self.coding | (self.clear_coding if clear else {})
        name = next((name for name, kind in KINDS.items() if kind == self), "")
        if options.crf is not None and name in CRF:
            if options.crf > CRF[name]:
                raise ValueError(f"crf is {options.crf}, wanted at most {CRF[name]} for {name}")
            coding["crf"] = str(options.crf)
        if options.quality is not None and name in QUALITY:
            coding["quality"] = str(options.quality)
        if self.codec == "libx264" and has_avx512():
            coding["x264-params"] = "asm=AVX2"  # its code for AVX-512 gives other bytes now and then
        return coding

    def check(self, path: object) -> None:
        """See that there is an encoder for it.

        Raises:
            InputError: there is none; the message names `path`.
        """
        if (
            self.codec not in av.codecs_available and not self.folder
        ):  # x264 is under the GPL: some builds leave it out
            others = ", ".join(name for name, other in KINDS.items() if other.codec in av.codecs_available)
            raise InputError(
                f"{path}: PyAV's FFmpeg has no {self.codec} to write it with, wanted one of {others}"
            )


VP9 = {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "7"}
# Of one quantizer, a sixth of the time of looking for those that fill the profile's rate, and 3 dB finer.
PRORES = {"profile": "hq", "vendor": "apl0", "flags": "+qscale", "global_quality": str(2 * 118)}
FFV1 = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"}  # each frame by itself, with checksums
UNNUMBERED = {"fflags": "+bitexact"}  # else a container's numbers of its parts are random ones
KINDS = {
    "mp4": Kind(
        "mp4",
        "libx264",
        "yuv420p",
        720,
        30,
        {"crf": "18", "preset": "veryfast"},
        {"movflags": "+faststart"},
        steady=True,
    ),
    "webm": Kind(
        "webm",
        "libvpx-vp9",
        "yuv420p",
        720,
        30,
        VP9,
        UNNUMBERED,
        steady=True,
        clear="yuva420p",
        clear_coding={"auto-alt-ref": "0"},
    ),
    "gif": Kind("gif", "gif", "pal8", 480, 15, packing={"loop": "0"}, clear="pal8"),
    "anim.webp": Kind(
        "webp", "libwebp_anim", "bgra", 640, 20, {"quality": "80"}, {"loop": "0"}, clear="bgra"
    ),
    "apng": Kind("apng", "apng", "rgb24", 480, 15, {"pred": "mixed"}, {"plays": "0"}, clear="rgba"),
    "mov": Kind(
        "mov",
        "prores_ks",
        "yuv422p10le",
        720,
        30,
        PRORES,
        {"movflags": "+faststart"},
        steady=True,
        clear="yuva444p10le",
        clear_coding={"profile": "4444", "alpha_bits": "16"},
    ),
    "mkv": Kind("matroska", "ffv1", "bgr0", 720, 30, FFV1, UNNUMBERED, steady=True, clear="bgra"),
    "frames": Kind(FOLDER, "png", "rgb24", 720, 30, steady=True, clear="rgba"),
}


@dataclass(frozen=True)
class Tags:
    """What the numbers of a video's colours mean, by their numbers in ITU-T H.273 (and FFmpeg).

    Attributes:
        matrix: from RGB to luma and chroma: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020.
        primaries: what red, green and blue are.
        transfer: how light becomes a number.
        full: whether the numbers use all of their range, as in JPEG.
    """

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709
    full: bool = False

    @property
    def range(self) -> int:
        """FFmpeg's number of the range."""
        return FULL if self.full else LIMITED


def new_stream(
    container: Any,
    kind: Kind,
    rate: Fraction,
    size: tuple[int, int],
    tags: Tags,
    coding: dict[str, str],
    pixels: str,
) -> Any:
    """A stream of an open container that encodes frames of a kind.

    Args:
        container: PyAV's, to write to.
        kind: of the video.
        rate: frames per second.
        size: width and height.
        tags: of its colours.
        coding: options of the encoder, see `Kind.coded`.
        pixels: format of the encoder's frames.
    """
    stream = container.add_stream(kind.codec, rate=rate, options=coding)
    (stream.width, stream.height), stream.pix_fmt = size, pixels
    coder = stream.codec_context
    coder.thread_count = 1  # with more, x264's bytes depend on the number of cores
    if not kind.steady:
        coder.time_base = stream.time_base = Fraction(1, TICKS)
    elif kind.codec == "ffv1":
        coder.colorspace, coder.color_range = RGB, FULL
        coder.color_primaries, coder.color_trc = tags.primaries, tags.transfer
    else:
        # Players guess the colours of untagged videos from their size, each in its own way.
        coder.colorspace, coder.color_range = tags.matrix, tags.range
        coder.color_primaries, coder.color_trc = tags.primaries, tags.transfer
    return stream
