"""How painted films flicker, what that costs in likeness, and how fast they are painted.

    python benchmarks/video.py [--clips DIR] [--frames 24] [--presets standard draft] [--hold steady] [--sheets DIR]

Clips are those of `benchmarks/clips.py`: made ones, and real ones if the folder with them is given; nothing is
fetched. Each is painted as a film, and some of its frames alone by the same painter. Prints tables in Markdown, what
was missed, and writes `benchmarks/results/video.json`.

Flicker is that of `benchmarks/flicker.py`, in multiples of the source's own; "true" is the root of E_warp by the true
motion of made clips, in grey levels, where the source's own is nearly nothing. PSNR is compared on the frames that
were painted alone, and so is that of each moving object, within its true mask. Frames a second are those after the
first one, each drawn while the next is painted, as `paint` does, but not encoded: median and interquartile range of
frames. `--masks` gives painter and film the true objects of the first frame, and after cuts, as guidance.
"""  # noqa: E501

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from clips import MADE, REAL, SIDE, Clip, clip, save
from common import (
    RESULTS,
    BenchmarkError,
    Neighbours,
    Parser,
    Timing,
    finish,
    headline,
    significant,
    table,
    write_results,
)
from flicker import Frame, flicker, lives, pairs, psnr, warp_error
from numpy.typing import NDArray
from paint import positive

if TYPE_CHECKING:
    from semantic_guidance.core.guidance import Guidance
    from semantic_guidance.painter.painter import Painter
    from semantic_guidance.painting.painting import Painting

PRESETS = ("standard", "draft")
FRAMES = 24
SHEET = 6  # frames on a sheet

AIM_MADE, AIM_REAL = 0.7, {"bikes": 1.2, "street": 1.2}  # E_warp in multiples of the source's
AIM_PSNR, AIM_OBJECT = 0.5, 1.0  # dB below painting alone
AIM_RATE = {"standard": 4.0, "draft": 8.0}  # frames a second

Row = dict[str, Any]


@dataclass
class Film:
    """What was painted of a clip.

    Attributes:
        frames: by number.
        ids: of each frame's strokes.
        fresh: numbers of the frames whose strokes are all new.
        seconds: of each frame, painted, and waited for until the one before was drawn.
        drawing: seconds in which each was drawn.
    """

    frames: dict[int, Frame] = field(default_factory=dict)
    ids: list[NDArray[np.int64]] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    drawing: list[float] = field(default_factory=list)


def pixels(painting: Painting) -> Frame:
    """The painting, drawn."""
    return (painting.canvas.clamp(0, 1) * 255).round().permute(1, 2, 0).byte().numpy()


def known(shown: Clip, number: int, masks: bool) -> Guidance:
    """What the painter is told about a frame: its true objects, or that there are none."""
    import torch

    from semantic_guidance.core.guidance import Guidance, Instance

    none = Guidance.none(*shown.frames.shape[1:3])
    if not masks or shown.masks is None or not shown.masks[number].any():
        return none
    objects = [torch.from_numpy(mask[None]).float() for mask in shown.masks[number] if mask.any()]
    union = torch.stack(objects).amax(0)
    return Guidance(union, none.focus, tuple(Instance.from_mask(mask) for mask in objects))


def painter(args: argparse.Namespace, preset: str) -> Painter:
    """Who paints."""
    from semantic_guidance.painter.painter import Painter

    return Painter(preset=preset, strokes=args.strokes, size=args.side, style=args.style)


def filmed(shown: Clip, args: argparse.Namespace, preset: str) -> Film:
    """Paint a clip as a film."""
    from semantic_guidance.apps.film.abreast import one_behind, with_next
    from semantic_guidance.painter.film.film import Film as Engine
    from semantic_guidance.painter.film.frame import FilmFrame

    engine, made = Engine(painter(args, preset), args.hold), Film()

    def painted() -> Iterator[FilmFrame]:
        before = time.perf_counter()
        for number, (frame, ahead) in enumerate(with_next(shown.frames, 1)):
            begins = number == 0 or number in shown.cuts
            guidance = known(shown, number, args.masks) if begins or not args.masks else None
            yield engine.next(frame, guidance, ahead)  # and wait until the frame before is drawn
            made.seconds.append(time.perf_counter() - before)
            before = time.perf_counter()

    def drawn(frame: FilmFrame, unwanted: Event) -> Frame:
        started = time.perf_counter()
        picture = pixels(frame.painting)
        made.drawing.append(time.perf_counter() - started)
        return picture

    for frame, picture in one_behind(painted(), drawn):
        made.frames[frame.number] = picture
        made.ids.append(frame.ids)
        if frame.fresh:
            made.fresh.append(frame.number)
    return made


def alone(shown: Clip, args: argparse.Namespace, preset: str) -> dict[int, Frame]:
    """Frames painted alone, each with the one before, spread over the clip and the last ones among them."""
    count, found = len(shown.frames), {}
    artist = painter(args, preset)
    for place in range(1, args.alone + 1):
        number = max(1, round(place * (count - 1) / args.alone))
        number += number in shown.cuts and number + 1 < count
        for each in (number - 1, number):
            if each not in found:
                found[each] = pixels(artist.paint(shown.frames[each], known(shown, each, args.masks)))
    return found


def by_true_motion(frames: dict[int, Frame], shown: Clip) -> float | None:
    """Root of E_warp by true motion, in grey levels; None where motion is unknown."""
    errors = [
        warp_error(frames[number - 1], frames[number], motion.back, motion.seen)
        for number, motion in enumerate(shown.motions)
        if motion is not None and number in frames and number - 1 in frames
    ]
    return significant(math.sqrt(float(np.nanmean(errors)))) if errors else None


def likeness(frames: dict[int, Frame], shown: Clip, numbers: Sequence[int]) -> dict[str, Any]:
    """PSNR of the whole and of each object, means over frames."""
    objects = 0 if shown.masks is None else shown.masks.shape[1]
    found: list[float] = []
    for k in range(objects):
        assert shown.masks is not None
        each = [psnr(frames[n], shown.frames[n], shown.masks[n, k]) for n in numbers]
        found.append(round(float(np.nanmean(each)), 3))
    whole = [psnr(frames[n], shown.frames[n]) for n in numbers]
    return {"psnr": round(float(np.mean(whole)), 3), "least": round(min(whole), 3), "objects": found}


def figures(frames: dict[int, Frame], shown: Clip, known_pairs: list[Any]) -> Row:
    """The figures of flicker of a film, or of frames that were painted alone."""
    found = flicker(frames, known_pairs)
    if found is None:
        raise BenchmarkError(f"{shown.name}: too few frames, wanted two without a cut between them")
    row = {name: significant(value) for name, value in asdict(found).items()}
    row |= {"ratio": significant(found.ratio), "strict_ratio": significant(found.strict_ratio)}
    return row | {"true": by_true_motion(frames, shown)}


def judged(shown: Clip, args: argparse.Namespace, preset: str) -> tuple[Row, Film, dict[int, Frame]]:
    """Paint a clip and measure it."""
    made, single = filmed(shown, args, preset), alone(shown, args, preset)
    numbers = sorted(single)
    seen = pairs(shown.frames, [n for n in range(1, len(shown.frames)) if n not in shown.cuts])
    later = [n for n in range(1, len(shown.frames)) if n not in made.fresh]
    life, kept = lives(made.ids)
    whole = likeness(made.frames, shown, range(len(shown.frames)))
    beside, own = likeness(made.frames, shown, numbers), likeness(single, shown, numbers)
    row: Row = {
        "clip": shown.name,
        "preset": preset,
        "frames": len(shown.frames),
        "size": [shown.frames.shape[2], shown.frames.shape[1]],
        "film": figures(made.frames, shown, seen) | whole,
        "alone": figures(single, shown, seen) | own | {"frames": numbers},
        "source_true": by_true_motion(dict(enumerate(shown.frames)), shown),
        "psnr_below_alone": round(own["psnr"] - beside["psnr"], 3),
        "objects_below_alone": [
            round(a - b, 3) for a, b in zip(own["objects"], beside["objects"], strict=True)
        ],
        "first_s": significant(made.seconds[0]),
        "frame": Timing.of([made.seconds[n] for n in later]).record() if later else None,
        "drawing_s": significant(float(np.median(made.drawing))),
        "life": significant(life, 3),
        "kept": significant(kept, 3),
        "strokes": len(made.ids[-1]),
        "cuts": {
            "found": sorted(set(made.fresh) & set(shown.cuts)),
            "missed": sorted(set(shown.cuts) - set(made.fresh)),
            "false": sorted(set(made.fresh) - set(shown.cuts) - {0}),
        },
    }
    return row, made, single


def rate(row: Row) -> float:
    """Frames a second after the first."""
    return 1 / row["frame"]["median_s"] if row["frame"] else math.nan


def missed(row: Row) -> list[str]:
    """Which aims a row misses, and by what."""
    name, film = row["clip"], row["film"]
    aim = AIM_MADE if name in MADE else AIM_REAL.get(name, math.inf)
    found = []
    for word, value in (("E_warp", film["ratio"]), ("strict E_warp", film["strict_ratio"])):
        if value > aim:
            found.append(f"{word} {value:.2f} times the source's, wanted {aim}")
    if row["psnr_below_alone"] > AIM_PSNR:
        found.append(f"{row['psnr_below_alone']:.2f} dB below painting alone, wanted {AIM_PSNR}")
    for number, below in enumerate(row["objects_below_alone"]):
        if below > AIM_OBJECT:
            found.append(f"object {number} {below:.2f} dB below painting alone, wanted {AIM_OBJECT}")
    if rate(row) < AIM_RATE.get(row["preset"], 0):
        found.append(f"{rate(row):.1f} frames a second, wanted {AIM_RATE[row['preset']]:g}")
    if row["cuts"]["missed"] or row["cuts"]["false"]:
        found.append(f"cuts missed {row['cuts']['missed']}, false {row['cuts']['false']}")
    return [f"{name}, {row['preset']}: {each}" for each in found]


def show(rows: list[Row]) -> None:
    """Print the tables and what was missed."""
    heads = (
        *("clip", "preset", "E_warp / source", "strict", "true", "tOF", "dB", "below alone", "objects below"),
        *("frames/s", "IQR ms", "first s", "life", "kept", "cuts found / missed / false"),
    )
    cells = []
    for row in rows:
        film, single, cuts = row["film"], row["alone"], row["cuts"]
        true = "" if film["true"] is None else f"{film['true']:.1f} ({single['true']:.1f})"
        iqr = 1000 * row["frame"]["iqr_s"] if row["frame"] else math.nan
        cells.append(
            [
                row["clip"],
                row["preset"],
                f"{film['ratio']:.2f} ({single['ratio']:.1f})",
                f"{film['strict_ratio']:.2f} ({single['strict_ratio']:.1f})",
                true,
                f"{film['tof']:.2f} ({single['tof']:.2f})",
                f"{film['psnr']:.2f}",
                f"{row['psnr_below_alone']:.2f}",
                ", ".join(f"{each:.2f}" for each in row["objects_below_alone"]),
                f"{rate(row):.1f}",
                f"{iqr:.0f}",
                f"{row['first_s']:.1f}",
                f"{row['life']:.1f}",
                f"{row['kept']:.2f}",
                " / ".join(str(len(cuts[word])) for word in ("found", "missed", "false")),
            ]
        )
    print(table(heads, cells))
    print("\nIn brackets: frames painted alone by the same painter.\n")
    losses = [line for row in rows for line in missed(row)]
    print("\n".join(["Missed:", *losses]) if losses else "Nothing was missed.")


def sheet(shown: Clip, made: Film, single: dict[int, Frame], path: Path) -> None:
    """Write a picture of some frames: the source, the film, and those painted alone."""
    import cv2

    numbers = sorted({round(n) for n in np.linspace(0, len(shown.frames) - 1, SHEET - 1)} | set(single))
    blank = np.full_like(shown.frames[0], 128)
    rows = [
        np.hstack([shown.frames[n] for n in numbers]),
        np.hstack([made.frames[n] for n in numbers]),
        np.hstack([single.get(n, blank) for n in numbers]),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    save(Clip(shown.name, np.stack(list(made.frames.values())), shown.rate), path.with_suffix(".mp4"))


def measured(args: argparse.Namespace) -> list[Row]:
    """All clips that there are, with each preset."""
    rows = []
    for name in args.names:
        shown = clip(name, args.clips, args.side, args.frames)
        if shown is None:
            print(f"{name}: skipped, --clips has no {REAL[name].file}", file=sys.stderr)
            continue
        for preset in args.presets:
            started = time.perf_counter()
            row, made, single = judged(shown, args, preset)
            rows.append(row)
            seconds = time.perf_counter() - started
            film = row["film"]
            said = f"E {film['ratio']:.2f}, strict {film['strict_ratio']:.2f}, {film['psnr']:.2f} dB"
            print(f"{name}, {preset}: {said}, {rate(row):.1f} frames/s ({seconds:.0f} s)", file=sys.stderr)
            if args.sheets:
                sheet(shown, made, single, args.sheets / f"{name}_{preset}.png")
    return rows


def warm_up(args: argparse.Namespace) -> None:
    """Paint a tiny film, which does not count."""
    few = argparse.Namespace(**vars(args) | {"side": 64, "strokes": 10, "masks": False})
    filmed(MADE["pan"](64, 3), few, args.presets[-1])


def parse() -> argparse.Namespace:
    parser = Parser(prog="video.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=Path, metavar="DIR", help="where real clips are, see clips.py")
    parser.add_argument("--names", nargs="+", choices=[*MADE, *REAL], default=[*MADE, *REAL], metavar="CLIP")
    parser.add_argument("--frames", type=positive, default=FRAMES)
    parser.add_argument("--side", type=positive, default=SIDE)
    parser.add_argument("--strokes", type=positive, default=500)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--hold", default="steady")
    parser.add_argument("--style", default="likeness")
    parser.add_argument("--alone", type=positive, default=2, help="pairs of frames that are painted alone")
    parser.add_argument("--masks", action="store_true", help="tell the painter of true objects")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="write pictures and films to look at")
    parser.add_argument("--quick", action="store_true", help="a few small frames of two clips")
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "video.json")
    args = parser.parse_args()
    if args.quick:
        small = {"names": ["object", "cut"], "frames": 6, "side": 96, "strokes": 40, "presets": ["draft"]}
        vars(args).update(small | {"alone": 1})
    if args.frames < 4:
        parser.error(f"--frames is {args.frames}, wanted at least 4")
    return args


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: a clip cannot be read.
        ValueError: the painter refuses something.
    """
    warm_up(args)
    neighbours = Neighbours()
    rows = measured(args)
    names = ("side", "frames", "strokes", "hold", "style", "masks", "alone")
    settings = {name: getattr(args, name) for name in names}
    write_results(args.out, "video", neighbours, {"settings": settings, "results": rows})
    print(headline(neighbours) + "\n")
    show(rows)


def main() -> int:
    args = parse()
    return finish("video.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
