"""How near a painting of mixed paints comes to one of any colours.

    python benchmarks/pigments.py examples/*.jpg --strokes 300

paints each photograph without and with the tubes that ship, opaque and not, and prints the median and the
90th percentile of CIEDE2000 between the two, each painting's error, and how many mixtures were needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from semantic_guidance import Guidance, Medium, Painter, load_image
from semantic_guidance.painting.painting import Painting
from semantic_guidance.painting.pigments import read_tubes


def lab(picture: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(rgb2lab(picture.clamp(0, 1).permute(1, 2, 0).numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--strokes", type=int, default=300)
    args = parser.parse_args()
    print("photograph, opaque: median and 90 % of CIEDE2000 to the free one, errors free and mixed, mixtures")
    for path in args.photographs:
        picture = load_image(path)
        known = Painter().guide(picture)
        for opaque in (True, False):

            def paint(
                medium: Medium, picture: torch.Tensor = picture, known: Guidance = known
            ) -> tuple[Painting, torch.Tensor]:
                painting = Painter(strokes=args.strokes, medium=medium).paint(picture, known)
                return painting, painting.render(512)

            _, free_canvas = paint(Medium(opaque=opaque))
            mixed, mixed_canvas = paint(Medium(opaque=opaque, tubes=read_tubes()))
            apart = deltaE_ciede2000(lab(free_canvas), lab(mixed_canvas))
            target = torch.nn.functional.interpolate(picture[None], free_canvas.shape[1:], mode="area")[0]
            errors = [float(((each - target) ** 2).mean()) for each in (free_canvas, mixed_canvas)]
            colors = len(mixed.strokes.color[0].unique(dim=0))
            print(
                f"{path.stem}, {opaque}: {np.median(apart):.2f} {np.percentile(apart, 90):.2f},"
                f" {errors[0]:.5f} {errors[1]:.5f}, {colors}"
            )


if __name__ == "__main__":
    main()
