"""Writes a training checkpoint's averaged weights as an agent that paints: fp16 safetensors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("agent", type=Path, help="file to write")
    parser.add_argument("--unguided", action="store_true", help="the agent is not told of objects")
    parser.add_argument("--training", type=json.loads, default={}, help="facts about the training, JSON")
    args = parser.parse_args()
    saved = torch.load(args.checkpoint, weights_only=True, map_location="cpu")
    widths = [saved["ema"]["stem.weight"].shape[0]]
    stages = (key for key in saved["ema"] if key.endswith("shortcut.weight"))
    widths += [saved["ema"][key].shape[0] for key in stages]
    actor = WindowActor(saved["ema"]["stem.weight"].shape[1], tuple(widths))
    actor.load_state_dict(saved["ema"])
    facts = {"steps": saved["step"], "seconds": round(saved["seconds"]), **args.training}
    save_window_actor(actor, not args.unguided, facts, args.agent)


if __name__ == "__main__":
    main()
