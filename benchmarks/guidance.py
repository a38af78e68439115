"""What guidance buys: paintings with and without it, of the same number of strokes, no mask given.

    python benchmarks/guidance.py [FOLDER]

paints the examples, and those pictures of FOLDER (its form: see paint.py) that have a mask. The masks are for
measuring only. Prints a Markdown table and writes `benchmarks/results/guidance.json`. Errors: see paint.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from common import RESULTS, ROOT, Neighbours, Parser, finish, headline, significant, table, write_results

from semantic_guidance.apps.evaluate.published import Published, read_published

EXAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


def examples() -> list[Published]:
    """The photographs that come with the project, with their masks."""
    folder = ROOT / "examples"
    return [Published(name, folder / f"{name}.jpg", folder / f"{name}_mask.png") for name in EXAMPLES]


def compare(subject: Published, strokes: int, preset: str) -> dict[str, float]:
    """Errors on the object and everywhere, with guidance and without, and seconds of looking."""
    from semantic_guidance import Guidance, Painter, load_image
    from semantic_guidance.images.files import load_mask
    from semantic_guidance.images.metrics import painting_errors

    image = load_image(subject.target)
    mask = load_mask(subject.mask, *image.shape[1:])
    guided = Painter(preset=preset, strokes=strokes).paint(image)
    plain = Painter("baseline", preset, strokes=strokes).paint(image, Guidance.none(*image.shape[1:]))
    seen, unseen = (painting_errors(painting.canvas, image, mask) for painting in (guided, plain))
    numbers = {
        "object": seen.foreground,
        "object_without": unseen.foreground,
        "all": seen.everywhere,
        "all_without": unseen.everywhere,
        "guidance_s": guided.seconds["guidance"],
    }
    return {name: significant(float(value)) for name, value in numbers.items()}


def mean_ratio(rows: list[dict[str, float]], part: str) -> float:
    """Geometric mean of the errors with guidance over those without."""
    return significant(float(np.exp(np.mean([np.log(row[part] / row[f"{part}_without"]) for row in rows]))))


def run(folder: Path | None, strokes: int, preset: str, results: Path) -> None:
    """Paint, print and write.

    Raises:
        ValueError: the folder does not have the wanted form.
    """
    subjects = examples() + [each for each in (read_published(folder) if folder else []) if each.mask]
    neighbours = Neighbours()
    compare(subjects[0], 20, preset)  # compiles and loads what is needed
    rows = {subject.name: compare(subject, strokes, preset) for subject in subjects}
    ratios = {part: mean_ratio(list(rows.values()), part) for part in ("object", "all")}
    print(headline(neighbours))
    heads = ("picture", "object", "without", "ratio", "all", "without", "seconds of guidance")
    lines = [
        (
            name,
            f"{row['object']:.5f}",
            f"{row['object_without']:.5f}",
            f"{row['object'] / row['object_without']:.2f}",
            f"{row['all']:.5f}",
            f"{row['all_without']:.5f}",
            f"{row['guidance_s']:.2f}",
        )
        for name, row in rows.items()
    ]
    print(table(heads, lines))
    print(f"geometric mean of the ratios: object {ratios['object']:.2f}, all {ratios['all']:.2f}")
    record = {"strokes": strokes, "preset": preset, "ratios": ratios, "pictures": rows}
    write_results(results, "guidance", neighbours, record)


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--strokes", type=int, default=300)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--out", type=Path, default=RESULTS / "guidance.json")
    args = parser.parse_args()
    return finish("guidance.py", lambda: run(args.folder, args.strokes, args.preset, args.out))


if __name__ == "__main__":
    sys.exit(main())
