"""Every command that writes files, on small inputs: what is killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.export import strokes_json
from semantic_guidance.learning.data.cub200 import BOXES, FOCUS, MASKS
from tests.conftest import ROOT
from tests.hostile import corpus
from tests.hostile.folders import put
from tests.learning.packs import write_pack

ROOT_OF_BIRDS = Path("cub200") / "CUB_200_2011"


@dataclass(frozen=True)
class Command:
    """A command line in a folder that `write_inputs` made.

    Attributes:
        words: of the command line, all paths relative.
        resume: added to them for a run that goes on, if the same words are refused then.
        usual: seconds that it takes, about.
        outputs: where it writes.
        quick: whether a short run of the tests kills it.
    """

    words: str
    resume: str | None = None
    usual: float = 4.0
    outputs: tuple[str, ...] = ("out",)
    quick: bool = False


TINY = (
    "--canvas_size 16 --width 16 --batch_size 2 --max_eps_len 2 --threads 1 --device cpu"
    " --exp_suffix mine --output out --dataset folder --data pictures"
)
DDPG = (
    "--bundle_size 5 --nenv 2 --rmsize 9 --val_num_eps 1 --warmup 2 --train_timesteps 8 --val_interval 2"
    " --train_steps_per_eps 1 --save_interval 1"
)
DRAFT = "--preset draft --no-guidance --out out"
MADE = tuple(str(ROOT_OF_BIRDS / name) for name in (MASKS, FOCUS, BOXES))

COMMANDS: dict[str, Command] = {
    "paint": Command(f"paint photo.png {DRAFT} --strokes 20 --size 64 --formats png,mp4,json,svg,html,gif"),
    "render": Command(
        "render painting.json --size 512 --formats png,gif,html,webm --out out", usual=1.5, quick=True
    ),
    "repaint": Command(f"repaint painting.json photo.png --mask mask.png --strokes 4 {DRAFT}"),
    "preprocess": Command("preprocess --dataset cub200 --data . --workers 2", usual=6, outputs=MADE),
    "evaluate": Command("evaluate pictures --strokes 5 --methods planner+draft --out out", usual=6),
    "train ddpg": Command(f"train {TINY} {DDPG}", "--resume", 6),
    "train apg": Command(
        f"train --method apg {TINY} --bundle_size 2 --view_size 16 --updates 6 --measured 2", "--resume", 6
    ),
    "train-agent": Command(
        "train-agent --pack pack --out out --scenes 2 --scene-side 32 --widths 8,8,16,16 --batch 2 --steps 4"
        " --save-interval 1"
    ),
    "train-segmenter": Command(
        "train-segmenter --pack pack --out out --samples 8 --batch 2 --size 64 --held-out 0 --workers 1"
        " --save-interval 1",
        usual=6,
    ),
    "train-renderer": Command(
        "train-renderer --steps 3 --batch_size 2 --save_interval 1 --output out --device cpu"
    ),
    "export-agent": Command("export-agent agent.safetensors --to int8 --out out", usual=2.5),
    "export-agent seed": Command("export-agent wide.safetensors --to seed --out out", usual=2.5),
}


def write_inputs(folder: Path) -> None:
    """Write what the commands read, and a photograph that none of them may touch."""
    photo = corpus.packed(Image.fromarray(corpus.gradient(48, 64)), "PNG")
    put(folder / "photo.png", photo)
    put(folder / "mask.png", corpus.packed(Image.fromarray(corpus.disc(48, 64)), "PNG"))
    put(folder / "holiday.jpg", (ROOT / "examples" / "chelsea.jpg").read_bytes())
    strokes_json.strokes.write(corpus.drawing(), folder / "painting.json", None, lambda share: None)
    put(folder / "agent.safetensors", corpus.agents()["ltp"])
    plain = EnvConfig(bundle_size=5)
    save_actor(Actor(plain.channels, plain.action_size), plain, 128, folder / "wide.safetensors")
    rng = np.random.default_rng(0)
    names = []
    for n in range(6):
        noisy = corpus.gradient(40, 50) // 2 + rng.integers(0, 100, (40, 50, 3), dtype=np.uint8)
        names.append(f"001.Bird/bird_{n}.jpg")
        picture = corpus.packed(Image.fromarray(noisy), "JPEG")
        put(folder / ROOT_OF_BIRDS / "images" / names[-1], picture)
        if n < 3:
            put(folder / "pictures" / f"{n}.jpg", picture)
    put(folder / ROOT_OF_BIRDS / "images.txt", "".join(f"{n} {name}\n" for n, name in enumerate(names, 1)))
    write_pack(folder / "pack")


def moment(rng: Random, seconds: float) -> tuple[int, float]:
    """When to kill: after how many changes of the outputs, and how many seconds later.

    Half of the time it is any time of the run, else soon after something was written.
    """
    if rng.random() < 0.4:
        return 0, rng.uniform(0, seconds)
    return rng.choice((1, 1, 2, 3, 5, 8)), rng.choice((0.0, 0.0, rng.uniform(0, 0.02), rng.uniform(0, 0.3)))
