"""Small films for tests, written by FFmpeg."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

NTSC = Fraction(24000, 1001)


def moving(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Frames ``[H, W, 3]`` of a light disc that moves to the right over a colour gradient."""
    y, x = np.mgrid[:height, :width]
    frames = []
    for number in range(count):
        pixels = np.stack([x * 3, y * 4, np.full_like(x, 90)], axis=-1).clip(0, 255).astype(np.uint8)
        pixels[(x - 14 - 2 * number) ** 2 + (y - height // 2) ** 2 < 90] = 235
        frames.append(pixels)
    return frames


def write_film(
    path: Path,
    frames: list[np.ndarray],
    rate: Fraction = NTSC,
    *,
    codec: str = "libx264",
    times: list[int] | None = None,
    sound: str | None = None,
    turned: float | None = None,
    square: Fraction | None = None,
    matrix: int = 1,
    pixels: str = "yuv420p",
    transfer: int | None = None,
) -> None:
    """Write a film.

    Args:
        path: of its file.
        frames: ``[H, W, 3]`` each.
        rate: frames per second.
        codec: FFmpeg's name of the encoder.
        times: of the frames, in units of 1 / rate; one after the other if None.
        sound: the encoder of a tone of 440 Hz, as long as the film.
        turned: degrees, anticlockwise, by which players turn it.
        square: width of a pixel by its height.
        matrix: of its colours, by FFmpeg's number.
        pixels: format of the encoder's frames.
        transfer: how light becomes a number, by H.273.
    """
    height, width, _ = frames[0].shape
    with av.open(str(path), "w") as container:
        options = {"crf": "8"} if codec == "libx264" else {}
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        coder = stream.codec_context
        coder.colorspace = matrix
        if transfer is not None:
            coder.color_trc = transfer
        if square is not None:
            coder.sample_aspect_ratio = square
        if turned is not None:
            stream.set_display_rotation(turned)
        heard: Any = None if sound is None else container.add_stream(sound, rate=48000, layout="mono")
        for number, each in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(each), format="rgb24")
            coded: Any = frame.reformat(format=pixels, dst_colorspace=matrix)
            coded.pts = number if times is None else times[number]
            container.mux(stream.encode(coded))
        if heard is not None:
            samples = round(48000 * len(frames) / rate)
            tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(samples) / 48000)
            for begin in range(0, samples, 960):
                values = tone[None, begin : begin + 960].astype(np.float32)
                part: Any = av.AudioFrame.from_ndarray(values, format="fltp", layout="mono")
                part.sample_rate, part.pts = 48000, begin
                container.mux(heard.encode(part))
            container.mux(heard.encode(None))
        container.mux(stream.encode(None))


def read_film(path: Path) -> list[np.ndarray]:
    """The frames of a film as FFmpeg sees them."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
