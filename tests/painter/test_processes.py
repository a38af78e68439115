"""Painting in forked processes and in threads, after the process itself has painted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import multiprocessing, os, threading
import torch
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(2)

def threads_in_fork():
    child = os.fork()
    if child == 0:
        os._exit(torch.get_num_threads())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

from semantic_guidance import Guidance, Painter, Strokes, render
assert threads_in_fork() == 2  # who only imports it is not disturbed

picture = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0))

def paint(number):
    torch.ones(300, 300).exp()  # would wait for them for ever
    painter = Painter("planner", "draft", strokes=4 + number, size=32, seed=1)
    return painter.paint(picture, Guidance.none(24, 32)).canvas.numpy()

class Rendered(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, number):
        vectors = torch.rand(1, 100, 13, generator=torch.Generator().manual_seed(number))
        return render(Strokes.unpack(vectors), torch.ones(1, 3, 300, 300))[0]

torch.rand(300, 300).exp().sum()  # OpenMP's threads are there from now on
pictures = [Rendered()[n] for n in range(2)]
assert threads_in_fork() == 1
wanted = [paint(0), paint(1)]
context = multiprocessing.get_context("fork")
with context.Pool(2) as pool:
    for found, expected in zip(pool.map(paint, range(2)), wanted, strict=True):
        assert (found == expected).all()
loader = DataLoader(Rendered(), batch_size=None, num_workers=1, multiprocessing_context=context)
for found, expected in zip(loader, pictures, strict=True):
    assert torch.equal(found, expected)

together = [None] * 4
def work(number):
    together[number] = Rendered()[number % 2]
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(map(torch.equal, together, pictures * 2))
print("done", torch.get_num_threads(), flush=True)
os._exit(0)  # the interpreter's end takes a while
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
