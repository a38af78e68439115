"""What several tests need."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.backends.base import Task
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.pool import POOL

# Several threads on a busy machine can be far slower than one.
POOL.usual = POOL.count = 1
torch.set_num_threads(1)
cv2.setNumThreads(1)

# Without a graphics card, its kernels run in Triton's interpreter. They ask when they are first imported.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
STUDIO = "tests/apps/serve/"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests, which are thousands and stay: to look among them for garbage would take long."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process whole files, as one of them may share what takes long to make.

    The tests of the studio go to one process, which starts one server and one browser for them.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return STUDIO if nodeid.startswith(STUDIO) else str(super()._split_scope(nodeid))

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flag of tests that are too long for every run."""
    parser.addoption("--long", action="store_true", help="also what takes longer than ten seconds a test")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> None:
    """For a test of a tool or a last resort that takes longer than ten seconds.

    It comes before fixtures of modules, which else were made for a test that is then skipped.
    """
    if not request.config.getoption("--long"):
        pytest.skip("only with --long")


def random_strokes(count: int, seed: int = 0) -> Strokes:
    """Short strokes all over the canvas."""
    vectors = torch.rand(1, count, 13, generator=torch.Generator().manual_seed(seed))
    vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + 0.3 * (vectors[..., 2:6] - 0.5)
    vectors[..., 6:8] = 0.01 + 0.08 * vectors[..., 6:8]
    return Strokes.unpack(vectors)


class CountingBackend(CpuBackend):
    """The kernels, with a record of the tasks whose gradients were asked for: one for each step."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def warm_up(self) -> None:
        """See `Backend`."""
        super().warm_up()
        self.tasks.clear()

    def objective(self, strokes: torch.Tensor, task: Task, softness: float) -> tuple[float, torch.Tensor]:
        """See `Backend`."""
        self.tasks.append(task)
        return super().objective(strokes, task, softness)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """The compiled renderer may use two threads."""
    most = POOL.most
    POOL.most = POOL.count = 2  # even on a machine with one core
    POOL.forget_threads()
    yield
    POOL.most, POOL.usual, POOL.count = most, 1, 1
    POOL.forget_threads()
    torch.set_num_threads(1)


@pytest.fixture
def painting() -> Painting:
    """A painting of 3 layers, 96 x 64 pixels, that nobody painted."""
    mask = torch.zeros(1, 32, 48)
    mask[:, 8:24, 10:40] = 1
    mask[:, 8, :] = 100 / 255
    layers = (
        Layer(random_strokes(20, 1)),
        Layer(random_strokes(12, 2), "foreground", 0, 0),
        Layer(random_strokes(5, 3), "background", 0, 1),
    )
    guidance = Guidance.from_mask(mask)
    return Painting(layers, (0.2, 0.4, 0.6), 96, 64, guidance, {"plan": 0.5}, masks=(mask, 1 - mask))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small photograph of a light disc before a colour gradient, 60 x 40."""
    y, x = np.mgrid[:40, :60]
    pixels = np.stack([x * 4, y * 6, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - 30) ** 2 + (y - 20) ** 2 < 100] = 240
    path = tmp_path / "photo.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    return path


@pytest.fixture
def photo_mask(tmp_path: Path) -> Path:
    """The mask of the photograph's disc."""
    y, x = np.mgrid[:40, :60]
    path = tmp_path / "mask.png"
    Image.fromarray((((x - 30) ** 2 + (y - 20) ** 2 < 100) * 255).astype(np.uint8)).save(path)
    return path
