"""Pictures that are refined together, and on a graphics card (or with its kernels in their interpreter)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance import Guidance, Painter
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.strokes import OPACITY
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painter.refine import Refiner, refine_together
from semantic_guidance.painter.views import Ladder, View
from semantic_guidance.painting.medium import Medium, Tools
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.base import load_backend
from semantic_guidance.renderer.objective import Workplace, ZoomedObjective
from tests.conftest import CountingBackend
from tests.ladders import PLACE

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TOOLS = Tools(torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.8, 0.2]]), torch.tensor([0.02, 0.06]), 0.01, 0.2, True)


class Together(CountingBackend):
    """The compiled kernels, which are not faster together, taken as if they were."""

    batches = True

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def objectives(self, strokes, tasks, softness):
        self.calls.append(len(tasks))
        return super().objectives(strokes, tasks, softness)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def refiner(
    count: int,
    steps: int,
    seed: int,
    tools: Tools | None = None,
    zoomed: bool = False,
    place: Workplace = PLACE,
) -> Refiner:
    """Of some strokes, half of them under a mask, and half of them too many."""
    strokes, half = numbers(count, 13, seed=seed), count // 2
    strokes[:, 6:8] = 0.02 + 0.1 * strokes[:, 6:8]
    mask = torch.zeros(1, 48, 40)
    mask[:, 10:25, 15:30] = numbers(1, 15, 15, seed=seed)
    guidance = Guidance.from_mask(mask)
    picture = numbers(3, 48, 40, seed=seed)

    def view(length: float) -> View:
        problem = Problem.of(picture, guidance, length, wanted, 0.5)
        return View(replace(problem, zooms=problem.zooms if zoomed else ()), place)

    wanted = max(1, count // 2)
    views = [(0.0, lambda: view(11.0)), (0.4, lambda: view(22.0))]
    ladder = Ladder(views, 24, 22 / wanted**0.5)
    parts, counts = np.repeat([-1, 0], [half, count - half]), {-1: wanted // 2, 0: wanted - wanted // 2}
    config = RefineConfig(steps=steps, surplus=2.0, breaths=1)
    return Refiner(strokes, parts, counts, ladder, config, seed, tools)


def same(one: Painting, other: Painting) -> bool:
    return torch.equal(one.strokes.pack(), other.strokes.pack()) and [
        (layer.mask, len(layer.strokes)) for layer in one.layers
    ] == [(layer.mask, len(layer.strokes)) for layer in other.layers]


def test_together_is_what_each_is_alone():
    cases = [(18, 20, 1), (18, 20, 2, None, True), (12, 13, 3), (16, 20, 4, TOOLS), (0, 20, 5), (5, 0, 6)]
    told: list[float] = []
    together = refine_together([refiner(*case) for case in cases], told.append)
    assert told == [pytest.approx((step + 1) / 20) for step in range(20)]
    for case, found in zip(cases, together, strict=True):
        assert torch.equal(found, refiner(*case).run())
    assert [len(found) for found in together] == [9, 9, 6, 8, 0, 5]  # those without steps stay
    assert refine_together([]) == []


def test_a_batch_is_its_pictures_with_one_call_for_each_step_and_size():
    images = [numbers(3, 20, 30, seed=1), numbers(3, 20, 30, seed=2), numbers(3, 18, 18, seed=3)]
    mask = torch.zeros(1, 20, 30)
    mask[:, 4:12, 5:20] = 1
    guidance = [Guidance.from_mask(mask), None, Guidance.none(18, 18)]
    config = Preset(side=32, refine=RefineConfig(steps=12, breaths=1))
    options = {"agent": "planner", "preset": config, "strokes": 14, "guide": "none"}
    backend = Together()
    stages: list[str] = []
    paintings = Painter(**options, backend=backend).paint_batch(
        images, guidance, lambda stage, share: stages.append(stage)
    )
    # The background, while its object is still missing, is looked at on its own at every other step.
    assert backend.calls == [3, 1, 2, 1] * 6
    assert set(stages) == {"compile", "guidance", "plan", "polish"}
    for image, known, painting in zip(images, guidance, paintings, strict=True):
        assert same(painting, Painter(**options).paint(image, known))
    assert all(one.seconds["polish"] >= 0 for one in paintings)
    alone = Painter(**options).paint_batch(images[:2])
    assert same(alone[1], paintings[1])


@pytest.mark.parametrize(
    "options",
    [{"preset": "draft"}, {"strokes": 1}, {"medium": Medium(palette=3, opaque=True)}, {"agent": "baseline"}],
)
def test_whatever_the_painter_does(options):
    images = [numbers(3, 24, 24, seed=1), numbers(3, 24, 24, seed=2)]
    config = Preset(side=32, refine=RefineConfig(steps=6, breaths=1))
    options = {"agent": "planner", "preset": config, "strokes": 10, **options}
    paintings = Painter(**options, backend=Together()).paint_batch(images, [Guidance.none(24, 24)] * 2)
    for image, painting in zip(images, paintings, strict=True):
        assert same(painting, Painter(**options).paint(image, Guidance.none(24, 24)))


def test_no_picture_and_too_little_guidance():
    assert Painter("planner").paint_batch([]) == []
    with pytest.raises(ValueError, match="guidance has 1 entries, wanted one for each of 2 images"):
        Painter("planner").paint_batch([numbers(3, 8, 8)] * 2, [None])


@pytest.mark.parametrize("device", ["abacus", "meta", "cuda:77", 1.5])
def test_a_device_that_is_not_there(device):
    with pytest.raises(
        ValueError, match=r"device is .*, wanted cpu, or cuda where torch finds a graphics card"
    ):
        Painter("planner", device=device)


def test_objectives_go_to_a_workplace():
    place = Workplace(torch.device("meta"), load_backend("reference", torch.device("meta"), torch.float32))
    objective = refiner(4, 1, 0).whole.objective
    zoom = ZoomedObjective(objective, torch.ones(13), torch.zeros(13), 0.4).at(place)
    for moved in (objective.at(place), zoom.objective):
        planes = (moved.masks, moved.blank, moved.target, moved.weight)
        assert all(plane.device.type == "meta" for plane in planes)
        assert moved.backend is place.backend
    assert zoom.scale.device.type == zoom.shift.device.type == "meta"


class TestOnAGraphicsCard:
    """Or in the interpreter."""

    @pytest.fixture
    def painter(self) -> Painter:
        pytest.importorskip("triton", reason="the package triton is not installed")
        sizes = ((0.0, 6), (0.5, 24))  # pixels a stroke
        config = Preset(side=32, refine=RefineConfig(steps=3, sizes=sizes, surplus=2.0, breaths=1))
        return Painter("planner", config, backend="triton", device=DEVICE, strokes=6, guide="none")

    @pytest.mark.usefixtures("long")
    def test_a_batch_is_its_pictures_bit_for_bit_and_what_the_processor_paints(self, painter):
        images = [numbers(3, 24, 32, seed=1), numbers(3, 24, 32, seed=2)]
        mask = torch.zeros(1, 24, 32)
        mask[:, 4:20, 6:20] = 1
        guidance = [Guidance.from_mask(mask), None]
        paintings = painter.paint_batch(images, guidance)
        assert same(paintings[0], painter.paint(images[0], guidance[0]))
        plain = Painter("planner", painter.preset, strokes=6, guide="none")
        for image, known, painting in zip(images, guidance, paintings, strict=True):
            strokes, other = painting.strokes.pack(), plain.paint(image, known).strokes.pack()
            assert strokes.device.type == "cpu"
            assert torch.allclose(strokes, other, atol=2e-3)
            assert bool((strokes[..., OPACITY] <= 1).all())

    def test_tools_are_there_too(self, painter):
        place = painter.workplace
        found = refiner(12, 3, 1, TOOLS, place=place).run()
        assert torch.allclose(found, refiner(12, 3, 1, TOOLS).run(), atol=2e-3)
        assert painter.backend.supports(torch.device("cpu"), torch.float32)
