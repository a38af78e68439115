"""Crops of the examples' paintings by an older commit and of now, pixel by pixel.

    python benchmarks/closer.py f733fcb

Writes `docs/pictures/closer.jpg`: photograph, the older commit's 300 strokes, and ours, at full size.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import ROOT, Parser, checkout, finish
from PIL import Image
from start import Code
from tqdm import tqdm

CROPS = {"astronaut": (150, 40), "chelsea": (130, 80), "coffee": (330, 70), "rocket": (180, 130)}
"""Left and top of what is shown of each example."""

WIDE, HIGH, GAP = 250, 220, 6
STROKES = 300


def painted(code: Code, name: str) -> Image.Image:
    """An example as a code paints it.

    Raises:
        BenchmarkError: it fails.
    """
    photo = ROOT / "examples" / f"{name}.jpg"
    code.run(["paint", photo, "--strokes", STROKES, "--formats", "png", "--out", code.home])
    return Image.open(code.home / f"{name}_painted.png").convert("RGB")


def sheet(codes: list[Code]) -> Image.Image:
    """A row for each example: the photograph, then each code's painting."""
    across = 1 + len(codes)
    picture = Image.new(
        "RGB", (across * (WIDE + GAP) - GAP, len(CROPS) * (HIGH + GAP) - GAP), (255, 255, 255)
    )
    for row, (name, (left, top)) in enumerate(tqdm(CROPS.items(), file=sys.stderr)):
        photo = Image.open(ROOT / "examples" / f"{name}.jpg").convert("RGB")
        views = [painted(code, name) for code in codes]
        for column, view in enumerate([photo.resize(views[0].size, Image.Resampling.LANCZOS), *views]):
            crop = view.crop((left, top, left + WIDE, top + HIGH))
            picture.paste(crop, (column * (WIDE + GAP), row * (HIGH + GAP)))
    return picture


def run(commit: str) -> None:
    """Write the sheet."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with checkout(commit, folder / "code"):
            codes = [Code("old", folder / "code", folder / "old"), Code("new", ROOT, folder / "new")]
            for code in codes:
                code.home.mkdir()
            sheet(codes).save(ROOT / "docs" / "pictures" / "closer.jpg", quality=90)


def main() -> int:
    parser = Parser(prog="closer.py", description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="the older commit")
    args = parser.parse_args()
    return finish("closer.py", lambda: run(args.commit))


if __name__ == "__main__":
    sys.exit(main())
