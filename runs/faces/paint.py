"""What a look at faces brings and costs: paintings with and without it, same strokes, same mask.

    python runs/faces/paint.py PHOTOS [--preset NAME]

takes the photographs of a folder in which the guide finds a face that is an instance. Errors are those of the
painting against the photograph, both at the photograph's size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.guidance import Guide


def errors(painter: Painter, image, guidance: Guidance, face: tuple[int, int, int, int]) -> np.ndarray:
    """Mean squared errors of everything, of the objects and of the face's box."""
    x, y, width, height = face
    squares = (painter.paint(image, guidance).canvas - image).square().mean(dim=0)
    found = squares[y : y + height, x : x + width].mean()
    return np.array([squares.mean(), squares[guidance.mask[0] > 0.5].mean(), found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--preset", default="standard")
    args = parser.parse_args()
    ratios = []
    for path in tqdm(sorted(args.photos.glob("*.jpg"))):
        image = load_image(path)
        seen, plain = Guide()(image), Guide(faces=False)(image)
        if len(seen.instances) == len(plain.instances):
            continue
        painter = Painter(preset=args.preset, size=max(image.shape[1:]))
        box = seen.instances[len(plain.instances)].box
        without, with_face = (errors(painter, image, guidance, box) for guidance in (plain, seen))
        ratios.append(with_face / without)
        whole, objects, face = ratios[-1]
        tqdm.write(f"{path.stem:44s} everything {whole:.2f} objects {objects:.2f} face {face:.2f}")
    mean = np.exp(np.log(ratios).mean(axis=0))
    print(f"{len(ratios)} photographs, error with faces over without, geometric mean: ", end="")
    print(f"everything {mean[0]:.3f}, objects {mean[1]:.3f}, face {mean[2]:.3f}")


if __name__ == "__main__":
    main()
