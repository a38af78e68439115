"""Trains the shipped segmenter on composites. See README.md beside this file for the exact commands."""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.data.compose import surround
from semantic_guidance.data.cutouts import CutoutPack, compose
from semantic_guidance.data.photometry import camera
from semantic_guidance.guidance.classifier import kind_evidence, load_imagenet_state
from semantic_guidance.guidance.efficientnet import fold_state_dict
from semantic_guidance.guidance.network import SegmentationNetwork

SHAPES = ((0, 0), (0, 0), (0, 0), (-32, 32), (32, -32), (32, 32), (-32, -32))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="cut-out pack")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument("--init", type=Path, help="checkpoint whose weights (EMA) to start from")
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3, help="peak rate of the decoder")
    parser.add_argument("--encoder-lr", type=float, default=2e-4)
    parser.add_argument("--final-lr", type=float, default=0.02, help="last rate over peak rate")
    parser.add_argument("--frozen-blocks", type=int, default=3, help="stem and this many blocks do not train")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--split", default="train")
    parser.add_argument("--real", type=Path, help="folder `train` of real_photos.py")
    parser.add_argument("--real-share", type=float, default=0.1)
    return parser.parse_args()


def build(args: argparse.Namespace) -> SegmentationNetwork:
    network = SegmentationNetwork()
    if args.init:
        # Checkpoints from before the evidence lack its branches, which begin at zero.
        network.load_state_dict(torch.load(args.init, weights_only=True)["ema"], strict=False)
    else:
        state = fold_state_dict(load_imagenet_state())
        network.encoder.load_state_dict(
            {key: value for key, value in state.items() if not key.startswith(("head", "classifier"))}
        )
    frozen = [network.encoder.stem, *network.encoder.blocks[: args.frozen_blocks]]
    for module in frozen if args.frozen_blocks else []:
        module.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def loss_of(logits: Tensor, objectness: Tensor, mask: Tensor) -> Tensor:
    """Boundary-weighted cross entropy + soft IoU + cross entropy of the objectness."""
    edge = (F.avg_pool2d(mask, 15, 1, 7, count_include_pad=False) - mask).abs()
    weight = 1 + 4 * edge
    cross = F.binary_cross_entropy_with_logits(logits, mask, weight=weight)
    p = logits.sigmoid()
    inter = (p * mask).sum((1, 2, 3))
    union = (p + mask - p * mask).sum((1, 2, 3))
    present = (mask.sum((1, 2, 3)) > 0).float()
    # An empty frame has no overlap to reward; cross entropy alone teaches it.
    iou = (present * (1 - (inter + 1) / (union + 1))).sum() / present.sum().clamp(min=1)
    return cross + 0.7 * iou + 0.1 * F.binary_cross_entropy_with_logits(objectness, present)


class Real:
    """Photographs with masks (see `real_photos.py`), cropped and varied, some with plants put round them."""

    def __init__(self, folder: Path, pack: CutoutPack) -> None:
        self.pack = pack
        with Path(__file__).with_name("real_photos.csv").open(newline="", encoding="utf-8") as file:
            kinds = {row["name"]: row["kind"] for row in csv.DictReader(file)}
        self.photos = []
        for path in sorted(folder.glob("*_mask.png")):
            name = path.name.removesuffix("_mask.png")
            image = cv2.imread(str(folder / f"{name}.jpg"))[..., ::-1]
            self.photos.append((image, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), kinds[name]))

    def sample(self, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """A crop [height, width, 3] and its mask [height, width], both in [0, 1]."""
        image, mask, kind = self.photos[rng.integers(len(self.photos))]
        rows, columns = mask.shape
        for _ in range(20):
            fit = min(rows / height, columns / width) * rng.uniform(0.4, 1)
            ch, cw = int(height * fit), int(width * fit)
            y, x = int(rng.integers(0, rows - ch + 1)), int(rng.integers(0, columns - cw + 1))
            part = mask[y : y + ch, x : x + cw]
            if part.sum() > 0.5 * mask.sum():
                break
        flip = slice(None, None, int(rng.choice([-1, 1])))
        crop = np.ascontiguousarray(image[y : y + ch, x : x + cw][:, flip])
        part = np.ascontiguousarray(part[:, flip])
        crop = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        if kind == "animal" and rng.random() < 0.5:
            crop, part = surround(rng, self.pack, crop, part)
        return camera(rng, crop), part


def batch_of(args, pack: CutoutPack, real: Real | None, step: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([args.seed, step])
    dy, dx = SHAPES[rng.integers(len(SHAPES))]
    images, masks = [], []
    for _ in range(args.batch):
        if real is not None and rng.random() < args.real_share:
            image, mask = real.sample(rng, args.size + dy, args.size + dx)
        else:
            made = compose(rng, pack, args.size + dy, args.size + dx)
            image, mask = made.image, made.mask
        images.append(image)
        masks.append(mask)
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # channels last already
    return x, torch.from_numpy(np.stack(masks))[:, None]


@torch.no_grad()
def held_out_iou(network: SegmentationNetwork, pack: CutoutPack, size: int, count: int = 96) -> float:
    """Mean IoU of the plain network at one scale on composites of pictures never trained on."""
    network.eval()
    scores = []
    for index in range(count):
        made = compose(np.random.default_rng([10_000_019, index]), pack, size, size)
        if not made.masks:
            continue
        x = torch.from_numpy(made.image).permute(2, 0, 1)[None]
        p = network(x, kind_evidence()(x))[0][0, 0].numpy() > 0
        truth = made.mask > 0.5
        scores.append((p & truth).sum() / max((p | truth).sum(), 1))
    return float(np.mean(scores))


def main() -> None:
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    torch.manual_seed(args.seed)
    pack = CutoutPack.load(args.pack, args.split)
    held_out = CutoutPack.load(args.pack, "held_out")
    real = Real(args.real, pack) if args.real else None
    network = build(args)
    ema = copy.deepcopy(network).requires_grad_(False)
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for n, p in trained if n.startswith("encoder.")], "peak": args.encoder_lr},
            {"params": [p for n, p in trained if not n.startswith("encoder.")], "peak": args.lr},
        ],
        weight_decay=1e-4,
        betas=(0.9, 0.99),
    )
    steps, start, spent = args.samples // args.batch, 0, 0.0
    last = args.out / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=True)
        network.load_state_dict(saved["network"])
        ema.load_state_dict(saved["ema"])
        optimiser.load_state_dict(saved["optimiser"])
        start, spent = saved["step"], saved["seconds"]
    (args.out / "pid").write_text(str(os.getpid()))
    began, running = time.monotonic() - spent, 0.0
    bar = tqdm(range(start, steps), initial=start, total=steps, mininterval=10)
    for step in bar:
        network.train()
        progress = step / steps
        scale = min(1.0, (step + 1) / 200)
        scale *= args.final_lr + (1 - args.final_lr) * (1 + math.cos(math.pi * progress)) / 2
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * scale
        x, mask = batch_of(args, pack, real, step)
        loss = loss_of(*network(x, kind_evidence()(x)), mask)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in trained], 1.0)
        optimiser.step()
        decay = min(args.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for mine, theirs in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - decay)
                else:
                    mine.copy_(theirs)
        running = loss.item() if step == start else running * 0.98 + loss.item() * 0.02
        bar.set_postfix(loss=f"{running:.4f}", refresh=False)
        if (step + 1) % 200 == 0 or step + 1 == steps:
            row = {"step": step + 1, "loss": running, "seconds": time.monotonic() - began}
            if (step + 1) % 400 == 0 or step + 1 == steps:
                row["held_out_iou"] = held_out_iou(ema, held_out, args.size)
            with (args.out / "log.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            state = {"network": network.state_dict(), "ema": ema.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "step": step + 1, "seconds": row["seconds"]}
            torch.save(state, last.with_suffix(".tmp"))
            last.with_suffix(".tmp").replace(last)


if __name__ == "__main__":
    main()
