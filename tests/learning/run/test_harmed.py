"""Checkpoints in which one value is another are gone on with, or refused in one line."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.run.start import read_networks
from tests.learning.harm import harmed
from tests.learning.toys import small_trainer

FILES = 2
SETTINGS = {"train_timesteps": 2, "warmup": 0, "val_interval": 0, "use_bilevel": False, "use_gbp": False}


def resume(folder: Path) -> None:
    small_trainer(folder, resume=True, **SETTINGS)


READERS = {"networks.pt": (read_networks, resume), "process0.pt": (resume,)}


def test_harmed_checkpoints(tmp_path: Path) -> None:
    small_trainer(tmp_path, **SETTINGS).run()
    folder, rng, complaints = next((tmp_path / "checkpoints").glob("0*")), random.Random(5), []
    whole = {name: (folder / name).read_bytes() for name in READERS}
    for name in [*whole] * FILES:
        for each, data in whole.items():
            (folder / each).write_bytes(data)
        torch.save(harmed(torch.load(folder / name, weights_only=True), rng), folder / name)
        for read in READERS[name]:
            try:
                read(tmp_path)
            except InputError as error:
                complaints.append(str(error))
    assert len(complaints) > FILES / 2
    assert all(str(tmp_path) in complaint and complaint.isprintable() for complaint in complaints)
