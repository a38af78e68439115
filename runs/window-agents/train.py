"""Trains the window agents that ship. See README.md beside this file for the exact commands."""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.guidance import Guide
from semantic_guidance.learning.algorithms.apg import AnalyticTrainer, APGConfig
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose
from semantic_guidance.learning.window.env import View, error, window_environment
from semantic_guidance.learning.window.scenes import Easels, SceneBank


class Mixed(torch.nn.Module):
    """A network in bfloat16 where that loses little (torch's autocast), its answer in float32."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The network's answer to `x`."""
        with torch.autocast(x.device.type, torch.bfloat16):
            out = self.network(x)
        return out.float()


def make_bank(pack: CutoutPack, count: int, side: int, seed: int) -> SceneBank:
    """Composites, every tenth one a part of a plain photograph, and their focus maps."""
    guide = Guide()
    images = np.zeros((count, side, side, 3), np.uint8)
    masks = np.zeros((count, side, side, 2), np.uint8)
    focus = np.zeros((count, side, side), np.uint8)
    for index in tqdm(range(count), desc="pictures"):
        rng = np.random.default_rng([seed, index])
        made = compose(rng, pack, side, side)
        images[index] = (made.image * 255).round().clip(0, 255)
        if not made.masks:
            continue
        union, largest = made.mask, max(made.masks, key=lambda mask: float(mask.sum()))
        masks[index] = (np.stack([union, largest], 2) * 255).round()
        image, mask = torch.from_numpy(made.image).permute(2, 0, 1), torch.from_numpy(largest)[None]
        if bool((mask > 0.5).any()):
            focus[index] = (guide.from_mask(image, mask).focus[0].numpy() * 255).round()
    return SceneBank(images, masks, focus)


def load_bank(path: Path, args: argparse.Namespace) -> SceneBank:
    if path.exists():
        with np.load(path) as file:
            return SceneBank(file["images"], file["masks"], file["focus"])
    bank = make_bank(CutoutPack.load(args.pack, "train"), args.scenes, args.scene_side, args.seed)
    np.savez(path, images=bank.images, masks=bank.masks, focus=bank.focus)
    return bank


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="cut-out pack")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument("--init", type=Path, help="checkpoint whose averaged weights to start from")
    parser.add_argument(
        "--bank", type=Path, required=True, help="file for the composed pictures, made if missing"
    )
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--scene-side", type=int, default=160)
    parser.add_argument("--guided", type=float, default=0.6, help="share of paintings with guidance")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, help="end the schedule after this time instead")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--bf16", action="store_true", help="train in bfloat16 where that loses little")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def average(mean: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(mean.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def main() -> None:
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(args.threads)
    torch.manual_seed(args.seed)
    bank = load_bank(args.bank, args)
    device = torch.device(args.device)
    actor = WindowActor(CHANNELS, tuple(args.widths)).to(device, memory_format=torch.channels_last)
    if args.init:
        actor.load_state_dict(torch.load(args.init, weights_only=True)["ema"])
    policy = Mixed(actor) if args.bf16 else actor
    trainer = AnalyticTrainer(policy, window_environment(), APGConfig(args.horizon, args.lr))
    mean = copy.deepcopy(actor).requires_grad_(False)
    easels = Easels(bank, args.batch, args.guided, np.random.default_rng([args.seed, 7]))
    torch.set_num_threads(args.threads)  # last: the renderer's start sets it, too
    start, spent, last = 0, 0.0, args.out / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=True)
        actor.load_state_dict(saved["actor"])
        mean.load_state_dict(saved["ema"])
        trainer.optimizer.load_state_dict(saved["optimizer"])
        start, spent = saved["step"], saved["seconds"]
    began, running = time.monotonic() - spent, {"before": 0.0, "after": 0.0}
    step = start
    bar = tqdm(range(start, 10**9 if args.minutes else args.steps), mininterval=10)
    for step in bar:
        seconds = time.monotonic() - began
        done = seconds / (60 * args.minutes) if args.minutes else step / args.steps
        if done >= 1:
            break
        rate = args.lr * min(1.0, (step + 1) / 100) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * done)))
        for group in trainer.optimizer.param_groups:
            group["lr"] = rate
        windows, views = easels.windows()
        view = View.of(views, device)
        losses, after = trainer.update(view)
        assert after.strokes is not None
        easels.paint(windows, after.strokes.map(lambda values: values.detach().cpu().float()))
        average(mean, actor, min(args.ema, (1 + step) / (10 + step)))
        for name, value in (("before", error(view)), ("after", error(after))):
            value = float(value.detach().square().mean())
            running[name] = value if step == start else running[name] * 0.99 + value * 0.01
        if (step + 1) % 100 == 0:
            row = {"step": step + 1, "seconds": round(seconds, 1), "rate": rate, **running, **losses}
            with (args.out / "log.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
        if (step + 1) % 500 == 0:
            save(last, actor, mean, trainer, step + 1, seconds)
        bar.set_postfix(running, refresh=False)
    save(last, actor, mean, trainer, step, time.monotonic() - began)


def save(path: Path, actor, mean, trainer, step: int, seconds: float) -> None:
    state = {
        "actor": actor.state_dict(),
        "ema": mean.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
    }
    torch.save({**state, "step": step, "seconds": seconds}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    main()
