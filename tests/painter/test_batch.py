"""Pictures that are refined together, and on a graphics card (or with its kernels in their interpreter)."""

import pytest
import torch
from torch import Tensor

from semantic_guidance import Guidance, Painter
from semantic_guidance.core.strokes import OPACITY
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painter.refine import Refiner, refine_together
from semantic_guidance.painting.medium import Medium, Tools
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.base import load_backend
from semantic_guidance.renderer.objective import Objective, Segment, Workplace, ZoomedObjective
from tests.conftest import CountingBackend

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


def refiner(count: int, steps: int, seed: int, tools: Tools | None = None, zoomed: bool = False) -> Refiner:
    """Of some strokes, half of them under a mask."""
    strokes, half = numbers(count, 13, seed=seed), count // 2
    strokes[:, 6:8] = 0.02 + 0.1 * strokes[:, 6:8]
    planes = [numbers(*shape, seed=seed) for shape in ((1, 24, 20), (3, 24, 20), (3, 24, 20), (24, 20))]
    objective = Objective((Segment(half, None, 0.1), Segment(count - half, 0, 1.0)), *planes)
    zooms = [ZoomedObjective(objective, torch.full((13,), 1.1), torch.full((13,), -0.02), 0.4)]
    config = RefineConfig(steps=steps, relocate_at=(0.5,))
    return Refiner(strokes, objective, config, seed, zooms if zoomed else (), tools)


def same(one: Painting, other: Painting) -> bool:
    return torch.equal(one.strokes.pack(), other.strokes.pack()) and [
        (layer.mask, len(layer.strokes)) for layer in one.layers
    ] == [(layer.mask, len(layer.strokes)) for layer in other.layers]


def test_together_is_what_each_is_alone():
    cases = [(9, 20, 1), (9, 20, 2, None, True), (6, 13, 3), (8, 20, 4, TOOLS), (0, 20, 5), (5, 0, 6)]
    told: list[float] = []
    together = refine_together([refiner(*case) for case in cases], told.append)
    assert told == [pytest.approx((step + 1) / 20) for step in range(20)]
    for case, found in zip(cases, together, strict=True):
        assert torch.equal(found, refiner(*case).run())
    assert refine_together([]) == []


def test_a_batch_is_its_pictures_with_one_call_for_each_step():
    images = [numbers(3, 20, 30, seed=1), numbers(3, 20, 30, seed=2), numbers(3, 18, 18, seed=3)]
    mask = torch.zeros(1, 20, 30)
    mask[:, 4:12, 5:20] = 1
    guidance = [Guidance.from_mask(mask), None, Guidance.none(18, 18)]
    config = Preset(side=32, refine=RefineConfig(steps=12, relocate_at=(0.3,)))
    options = {"agent": "planner", "preset": config, "strokes": 14, "guide": "none"}
    backend = Together()
    stages: list[str] = []
    paintings = Painter(**options, backend=backend).paint_batch(
        images, guidance, lambda stage, share: stages.append(stage)
    )
    assert backend.calls == [backend.calls[0]] * 12
    assert backend.calls[0] >= 3
    assert set(stages) == {"compile", "guidance", "plan", "polish"}
    for image, known, painting in zip(images, guidance, paintings, strict=True):
        assert same(painting, Painter(**options).paint(image, known))
    assert all(one.seconds["polish"] >= 0 for one in paintings)
    alone = Painter(**options).paint_batch(images[:2])
    assert same(alone[1], paintings[1])


@pytest.mark.parametrize(
    "options",
    [{"preset": "draft"}, {"detail": 2}, {"medium": Medium(palette=3, opaque=True)}, {"agent": "baseline"}],
)
def test_whatever_the_painter_does(options):
    images = [numbers(3, 24, 24, seed=1), numbers(3, 24, 24, seed=2)]
    config = Preset(side=32, refine=RefineConfig(steps=6, relocate_at=(0.3,)))
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
    objective = refiner(4, 1, 0).objective
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
        config = Preset(side=96, refine=RefineConfig(steps=3, relocate_at=(0.4,)))
        return Painter("planner", config, backend="triton", device=DEVICE, strokes=6, guide="none")

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
        alone = refiner(6, 3, 1, TOOLS)
        there = Refiner(alone.vectors, alone.objective.at(place), alone.config, 1, (), TOOLS)
        found = there.run()
        assert torch.allclose(found, alone.run(), atol=2e-3)
        assert painter.backend.supports(torch.device("cpu"), torch.float32)
