"""Painting in forked processes and in threads, after the process itself has painted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import multiprocessing, threading
import torch
from torch.utils.data import DataLoader, Dataset
from semantic_guidance import Painter, Strokes, render

torch.set_num_threads(2)
picture = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))

def paint(number):
    torch.ones(2000, 2000).exp()  # would wait for them for ever
    return Painter("planner", "draft", strokes=10 + number, size=64, seed=1).paint(picture).canvas.numpy()

class Rendered(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        vectors = torch.rand(1, 300, 13, generator=torch.Generator().manual_seed(number))
        return render(Strokes.unpack(vectors), torch.ones(1, 3, 300, 300))[0]

torch.rand(2000, 2000).exp().sum()  # OpenMP's threads are there from now on
wanted, pictures = [paint(0), paint(1)], [Rendered()[n] for n in range(4)]
context = multiprocessing.get_context("fork")
with context.Pool(2) as pool:
    for found, expected in zip(pool.map(paint, range(2)), wanted, strict=True):
        assert (found == expected).all()
loader = DataLoader(Rendered(), batch_size=None, num_workers=2, multiprocessing_context=context)
for found, expected in zip(loader, pictures, strict=True):
    assert torch.equal(found, expected)

together = [None] * 4
def work(number):
    together[number] = Rendered()[number]
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(map(torch.equal, together, pictures))
print("done", torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
def test_forks_and_threads_paint_what_the_process_paints():
    settings = {"PYTHONPATH": str(ROOT), "NUMBA_THREADING_LAYER": "workqueue"}
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=environment | settings,
        timeout=120,
    )
    assert done.stdout == "done 2\n", done.stderr
