"""What a run takes is told before the work: all that it keeps, together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from semantic_guidance.core import memory
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.config import make_config
from semantic_guidance.learning.memory import START
from semantic_guidance.learning.room import check_training_room, training_parts
from semantic_guidance.learning.run.ready import painting_network
from semantic_guidance.learning.segmenter.config import SegmenterTrainingConfig
from semantic_guidance.learning.segmenter.train import train_segmenter
from semantic_guidance.learning.window.config import WindowTrainingConfig
from semantic_guidance.learning.window.train import train_window_agent, window_parts

GIGABYTE = 10**9

PEAK = """
import re, sys
from pathlib import Path
from semantic_guidance.apps.cli.main import main
status = main(sys.argv[1:])
print(status, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""

SIZES = {"width": 48, "canvas_size": 64, "max_eps_len": 4, "bundle_size": 2, "batch_size": 16}
SHORT = {
    "ddpg": {"nenv": 8, "rmsize": 600, "warmup": 0, "train_timesteps": 4, "train_steps_per_eps": 1},
    "apg": {"updates": 1, "measured": 0},
}


def parts(**values: object) -> dict[str, int]:
    config = make_config(**values)
    return training_parts(config, 1000, lambda: painting_network(config))


def test_parts_are_what_is_kept():
    """By hand: bytes of canvases and planes, and numbers of a linear layer."""
    config = make_config(rmsize=800, max_eps_len=50, canvas_size=128, batch_size=96, nenv=2)
    found = training_parts(config, 1000, lambda: nn.Linear(9, 10))
    assert found["replay memory"] == 800 * 51 * 3 * 128 * 128
    assert found["pictures"] == 1000 * 5 * 128 * 128
    assert parts(accumulate=4)["updates"] < parts(nenv=2)["updates"]
    assert "replay memory" not in parts(method="apg")
    narrow, wide = (parts(width=width, nenv=2)["networks"] for width in (32, 64))
    assert 3.8 < wide / narrow < 4.2  # channels of either side


def test_all_parts_count_together(monkeypatch: pytest.MonkeyPatch):
    """Two gigabytes of canvases, half a gigabyte of networks: each alone would fit."""
    config = make_config(canvas_size=128, rmsize=800)
    monkeypatch.setattr(memory, "resident", lambda: START)
    monkeypatch.setattr(memory, "free_memory", lambda: 3 * GIGABYTE)
    wanted = (
        r"^--rmsize, --nenv, --batch-size, --width, --canvas-size: training takes about \d\.\d GB of memory "
        r"\(pictures 1\.6 GB, networks 0\.5 GB, updates \d\.\d GB, replay memory 2\.0 GB\), "
        r"wanted less than the 3\.0 GB that are free: smaller ones$"
    )
    with pytest.raises(InputError, match=wanted):
        check_training_room(config, 20_000, lambda: painting_network(config))
    monkeypatch.setattr(memory, "free_memory", lambda: 7 * GIGABYTE)
    check_training_room(config, 20_000, lambda: painting_network(config))
    monkeypatch.setattr(memory, "free_memory", lambda: 4 * GIGABYTE)
    check_training_room(config, 20_000, lambda: painting_network(config), on_card=True)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    check_training_room(config, 10**9, lambda: painting_network(config))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("method", SHORT)
def test_the_estimate_is_what_training_takes(method: str, tmp_path: Path):
    """The most memory that a process of its own has used, but for a memory that is not yet full."""
    for n in range(2):
        Image.fromarray(np.full((20, 30, 3), 90 * n, np.uint8)).save(tmp_path / f"{n}.png")
    values = {"method": method, "dataset": "folder", "data": str(tmp_path), **SIZES, **SHORT[method]}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
    command = [sys.executable, "-c", PEAK, "train", *words, f"--output={tmp_path / 'model'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90)
    status, peak = done.stdout.splitlines()[-1].split()
    assert status == "0"
    config = make_config(**values)
    kept = training_parts(config, 2, lambda: painting_network(config))
    kept.pop("replay memory", None)
    assert int(peak) * 1024 == pytest.approx(START + sum(kept.values()), rel=0.3)


def test_window_agents_count_pictures_and_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Composed pictures have six bytes a pixel; what is too large is told before any is composed."""
    config = WindowTrainingConfig(scenes=1000, scene_side=100, out=tmp_path / "out")
    found = window_parts(config, nn.Linear(9, 10))
    assert found["pictures"] == 6 * 1000 * 100 * 100
    monkeypatch.setattr(memory, "resident", lambda: 0)
    monkeypatch.setattr(memory, "free_memory", lambda: GIGABYTE // 2)
    wanted = r"^--scenes, --scene-side, --batch-size, --widths: training takes about \d\.\d GB of memory"
    with pytest.raises(InputError, match=wanted):
        train_window_agent(config)
    with pytest.raises(InputError, match=r"^--batch-size, --size: training takes about"):
        train_segmenter(SegmenterTrainingConfig(out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
