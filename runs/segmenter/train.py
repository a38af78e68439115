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
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from semantic_guidance.guidance.classifier import kind_evidence, load_imagenet_state
from semantic_guidance.guidance.efficientnet import fold_state_dict
from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import Segmenter
from semantic_guidance.learning.data.cutouts.compose import surround
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose
from semantic_guidance.learning.data.cutouts.pack import photo_cutout
from semantic_guidance.learning.data.cutouts.photometry import camera

SHAPES = ((0, 0), (0, 0), (0, 0), (-32, 32), (32, -32), (32, 32), (-32, -32))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="cut-out pack")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument(
        "--init", type=Path, help="weights to start from: a checkpoint's (EMA), or a file that ships"
    )
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
    parser.add_argument("--workers", type=int, default=1, help="processes that compose pictures")
    parser.add_argument("--split", default="train")
    parser.add_argument("--real", type=Path, help="folder `train` of real_photos.py")
    parser.add_argument("--real-share", type=float, default=0.1)
    return parser.parse_args()


def build(args: argparse.Namespace) -> SegmentationNetwork:
    network = SegmentationNetwork()
    if args.init:
        if args.init.suffix == ".safetensors":
            network.load_state_dict(Segmenter.load(args.init).network.state_dict())
        else:
            network.load_state_dict(torch.load(args.init, weights_only=True)["ema"])
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
    """Photographs with masks (see `real_photos.py`), cropped and varied, some with plants put round them.

    Args:
        folder: `train` of what `real_photos.py` writes.
        pack: of cut-outs; becomes `self.pack`, with the photographs' scenes and objects added.
    """

    def __init__(self, folder: Path, pack: CutoutPack) -> None:
        with Path(__file__).with_name("real_photos.csv").open(newline="", encoding="utf-8") as file:
            kinds = {row["name"]: row["kind"] for row in csv.DictReader(file)}
        self.photos, scenes, objects, categories = [], [], [], []
        for path in sorted(folder.glob("*.jpg")):
            image, kind = cv2.imread(str(path))[..., ::-1], kinds[path.stem]
            if kind == "scene":
                scenes.append(image)
                continue
            mask = cv2.imread(str(path.with_name(f"{path.stem}_mask.png")), cv2.IMREAD_GRAYSCALE)
            self.photos.append((image, mask, kind))
            cutout = photo_cutout(image, mask)
            if cutout is not None:
                objects.append(cutout)
                categories.append("mammals" if kind == "animal" else "photo")
        self.pack = CutoutPack(
            (*pack.cutouts, *objects),
            (*pack.categories, *categories),
            (*pack.scenes, *scenes),
            pack.others,
        )

    def sample(self, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """A crop [height, width, 3] and its mask [height, width], both in [0, 1]."""
        image, mask, kind = self.photos[rng.integers(len(self.photos))]
        rows, columns = mask.shape
        whole = rng.random() < 0.3  # the photograph as it is, but for its sides' ratio
        for _ in range(20):
            if whole:
                ch, cw = rows, columns
            else:
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
        if rng.random() < 0.3:  # turned a little
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 12), rng.uniform(1, 1.25))
            crop = cv2.warpAffine(crop, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
            part = cv2.warpAffine(part, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        if kind == "animal" and rng.random() < 0.35:
            crop, part = surround(rng, self.pack, crop, part)
        return camera(rng, crop), part


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """The batch of each step, decided by the seed and the step alone."""

    def __init__(self, args: argparse.Namespace, pack: CutoutPack, real: Real | None, start: int, steps: int):
        self.args, self.pack, self.real, self.start, self.steps = args, pack, real, start, steps

    def __len__(self) -> int:
        return self.steps - self.start

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        args = self.args
        cv2.setNumThreads(1)
        rng = np.random.default_rng([args.seed, self.start + index])
        dy, dx = SHAPES[rng.integers(len(SHAPES))]
        images, masks = [], []
        for _ in range(args.batch):
            if self.real is not None and rng.random() < args.real_share:
                image, mask = self.real.sample(rng, args.size + dy, args.size + dx)
            else:
                made = compose(rng, self.pack, args.size + dy, args.size + dx)
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
    if real is not None:
        pack = real.pack
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
    batches = DataLoader(
        Batches(args, pack, real, start, steps), batch_size=None, num_workers=args.workers, prefetch_factor=8
    )
    bar = tqdm(batches, initial=start, total=steps, mininterval=10)
    for step, (x, mask) in enumerate(bar, start):
        network.train()
        progress = step / steps
        scale = min(1.0, (step + 1) / 200)
        scale *= args.final_lr + (1 - args.final_lr) * (1 + math.cos(math.pi * progress)) / 2
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * scale
        x = x.contiguous(memory_format=torch.channels_last)
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
