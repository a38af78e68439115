"""How near an SVG file comes to the painting, when another program (resvg) draws it.

``python benchmarks/svg.py`` paints the examples with 300 strokes, default preset, and prints a table.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from semantic_guidance import Guidance, Painter, Painting, load_image
from semantic_guidance.images.files import load_mask

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE = 512  # pixels of the longer side


def measure(painting: Painting, path: Path) -> str:
    """Table cells: PSNR in dB, kilobytes, seconds to write."""
    start = time.perf_counter()
    painting.save(path)
    seconds = time.perf_counter() - start
    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_path=str(path))))) as image:
        theirs = np.asarray(image.convert("RGB")) / 255
    ours = painting.canvas.clamp(0, 1).permute(1, 2, 0).numpy()
    psnr = -10 * np.log10(((theirs - ours) ** 2).mean())
    return f"{psnr:.1f} | {path.stat().st_size // 1000} | {seconds:.1f}"


def main() -> None:
    """Print the table."""
    print("| example | guidance | `svg`: dB | KB | s | `exact.svg`: dB | KB | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photo = load_image(EXAMPLES / f"{name}.jpg")
        given = Guidance.from_mask(load_mask(EXAMPLES / f"{name}_mask.png", *photo.shape[1:]))
        for what, guidance in (("found", None), ("its mask", given)):
            painting = Painter(size=SIZE).paint(photo, guidance)
            with tempfile.TemporaryDirectory() as folder:
                cells = [measure(painting, Path(folder) / file) for file in ("a.svg", "a.exact.svg")]
            print(f"| {name} | {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
