"""Turns a training checkpoint (its averaged weights) into the file that ships."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    saved = torch.load(args.checkpoint, weights_only=True)
    network = SegmentationNetwork()
    network.load_state_dict(saved["ema"])
    Segmenter(network).save(args.out)
    print(f"step {saved['step']}: {args.out}, {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
