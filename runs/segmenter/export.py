"""Turns a training checkpoint (its averaged weights), or the mean of two, into the file that ships."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter


def weights(path: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's averaged weights, or those of a file that shipped."""
    if path.suffix == ".safetensors":
        return Segmenter.load(path).network.state_dict()
    averaged: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["ema"]
    return averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--blend", type=Path, help="earlier weights of the same line, to average with")
    parser.add_argument("--share", type=float, default=0.3, help="of the earlier one's weights")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    state = weights(args.checkpoint)
    if args.blend:
        earlier = weights(args.blend)
        for key, value in state.items():
            if value.is_floating_point():
                state[key] = value.lerp(earlier[key], args.share)
    network = SegmentationNetwork()
    network.load_state_dict(state)
    Segmenter(network).save(args.out)
    print(f"{args.out}, {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
