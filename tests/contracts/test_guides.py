"""Whoever looks for the objects of a picture goes through the same tests."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import Tensor, nn

from semantic_guidance import Guidance, Painter, Prompt
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import GUIDES
from semantic_guidance.guidance.base import GuideLike, load_guide
from semantic_guidance.guidance.maskrcnn import MaskRCNNGuide

HEIGHT, WIDTH = 60, 84


class Detector(nn.Module):
    """Stands in for a Mask R-CNN that finds what is light."""

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        masks = (images[0][0] > 0.45).float()[None, None]
        masks = masks if bool(masks.any()) else masks[:0]
        return [{"scores": torch.full((len(masks),), 0.9), "masks": masks}]


NAMES = (*GUIDES.names(), "maskrcnn")


@functools.cache
def guide(name: str) -> GuideLike:
    return MaskRCNNGuide(Detector()) if name == "maskrcnn" else load_guide(name)


def distance(down: float, across: float) -> Tensor:
    """``[HEIGHT, WIDTH]`` from a place, in pixels."""
    rows, columns = torch.arange(HEIGHT)[:, None] + 0.5 - down, torch.arange(WIDTH)[None] + 0.5 - across
    return (rows**2 + columns**2).sqrt()


@functools.cache
def ball() -> tuple[Tensor, Tensor]:
    """A light ball before a dark wall, and its mask."""
    inside = (distance(30, 40) < 16)[None].float()
    light = (1.1 - distance(24, 34) / 60).clamp(0, 1)
    shade = torch.linspace(0.1, 0.3, WIDTH).expand(3, HEIGHT, WIDTH)
    grain = 0.02 * torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    color = torch.tensor([1.0, 0.9, 0.3])[:, None, None]
    return (inside * color * light + (1 - inside) * shade + grain).clamp(0, 1), inside


@functools.cache
def found(name: str, said: str) -> Guidance:
    """What a guide makes of the ball, or of nothing, with or without a prompt."""
    image, mask = ball()
    prompts = {"mask": Prompt(mask=mask), "box": Prompt(box=(22.0, 12.0, 36.0, 36.0)), "nothing": None}
    prompts |= {"": None, "empty": Prompt()}
    if said == "nothing":
        noise = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
        return guide(name)(0.3 + 0.01 * noise)
    before, grad = image.clone(), torch.is_grad_enabled()
    guidance = guide(name)(image, prompts[said])
    assert torch.equal(image, before)
    assert torch.is_grad_enabled() == grad
    return guidance


def looked_at(guidance: Guidance, height: int = HEIGHT, width: int = WIDTH) -> Guidance:
    """The guidance, which is as every guidance is."""
    planes = [guidance.mask, guidance.focus, *(instance.mask for instance in guidance.instances)]
    for plane in planes:
        assert plane.shape == (1, height, width)
        assert plane.dtype == torch.float32
        assert not plane.requires_grad
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
    assert not bool((guidance.focus[guidance.mask <= 0] > 0).any())
    for instance in guidance.instances:
        x, y, w, h = instance.box
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        outside = instance.mask.clone()
        outside[:, math.floor(y) : math.ceil(y + h), math.floor(x) : math.ceil(x + w)] = 0
        assert not bool((outside > 0.5).any())
        assert bool((instance.mask > 0.5).any())
        assert bool((instance.mask <= guidance.mask + 1e-6).all())
    return guidance


@pytest.mark.parametrize("name", NAMES)
def test_a_ball_is_found_by_those_who_look(name):
    guidance = looked_at(found(name, ""))
    if name == "none":
        assert not guidance.instances
        assert not bool(guidance.mask.any())
        return
    truth = ball()[1] > 0.5
    inside = guidance.mask > 0.5
    assert float((inside & truth).sum() / (inside | truth).sum()) > 0.9
    assert len(guidance.instances) == 1
    assert float(guidance.focus.max()) > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_prompt_is_none_and_answers_repeat(name):
    first, second = found(name, ""), found(name, "empty")
    assert torch.equal(first.mask, second.mask)
    assert torch.equal(first.focus, second.focus)
    assert first.boxes == second.boxes


@pytest.mark.parametrize("name", NAMES)
def test_a_given_mask_is_kept(name):
    guidance = looked_at(found(name, "mask"))
    if name != "none":
        assert torch.equal(guidance.mask, ball()[1])
        assert guidance.boxes == ((24, 14, 32, 32),)


@pytest.mark.parametrize("name", NAMES)
def test_a_given_box_has_the_object(name):
    guidance = looked_at(found(name, "box"))
    if name != "none":
        outside = guidance.mask.clone()
        outside[:, 12:48, 22:58] = 0
        assert not bool((outside > 0.5).any())
        truth = ball()[1] > 0.5
        assert float(((guidance.mask > 0.5) & truth).sum() / truth.sum()) > 0.8
        assert guidance.instances


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_is_there_is_no_instance(name):
    guidance = looked_at(found(name, "nothing"))
    assert guidance.instances == ()
    assert not bool(guidance.mask.any() | guidance.focus.any())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (30, 1)])
def test_thin_pictures(name, height, width):
    looked_at(guide(name)(torch.full((3, height, width), 0.4)), height, width)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 0, 4), (3, 4, 0), (2, 3, 4, 4), (4, 4, 4), (3, 4)])
def test_wrong_shapes_are_named(name, shape):
    wanted = r"^image (has shape|is) .*wanted (\[3, height, width\]|at least one)"
    with pytest.raises(ValueError, match=wanted):
        guide(name)(torch.zeros(shape))


LOOKING = [name for name in NAMES if name != "none"]
"""The others do not even look at the prompt."""


@pytest.mark.parametrize("name", LOOKING)
@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Prompt(mask=torch.ones(1, 3, 3)), r"mask has shape \[1, 3, 3\], wanted \[1, 60, 84\]"),
        (lambda: Prompt(mask=torch.ones(HEIGHT, WIDTH)), r"mask has shape \[60, 84\], wanted \[1, 60, 84\]"),
        (lambda: Prompt(mask=torch.zeros(1, HEIGHT, WIDTH)), "mask is empty, wanted"),
        (lambda: Prompt(box=(500.0, 0.0, 10.0, 10.0)), "box is .*500"),
        (lambda: Prompt(box=(0.0, 0.0, 0.0, 5.0)), "box is "),
        (lambda: Prompt(box=(30.0, 20.0, math.nan, 5.0)), "box is .*nan"),
        (lambda: Prompt(box=(math.nan, 20.0, 5.0, 5.0)), "box is .*nan"),
        (lambda: Prompt(box=(30.0, 20.0, math.inf, 5.0)), "box is .*inf"),
        (lambda: Prompt(box=(30.0, 20.0, -5.0, -5.0)), "box is .*-5"),
    ],
)
def test_a_wrong_prompt_is_named(name, make, complaint):
    with pytest.raises(ValueError, match=complaint):
        guide(name)(ball()[0], make())


@pytest.mark.parametrize("name", LOOKING)
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_pictures_that_are_no_numbers_are_refused(name, number):
    image = ball()[0].clone()
    image[1, 5, 5] = number
    with pytest.raises(ValueError, match="image holds NaN or infinity"):
        guide(name)(image)


def test_a_prompt_says_one_thing():
    with pytest.raises(ValueError, match="box: the object is given by a mask already"):
        Prompt(mask=torch.ones(1, 4, 4), box=(0, 0, 1, 1))


def test_a_guide_that_is_not_known():
    with pytest.raises(InputError, match=r"^guide is 'objekts', wanted .*did you mean 'objects'"):
        load_guide("objekts")


@pytest.mark.parametrize("name", NAMES)
def test_a_painter_takes_it_by_name_and_as_an_object(name):
    asked: list[Tensor] = []

    def spy(image: Tensor, prompt: Prompt | None = None) -> Guidance:
        asked.append(image)
        return found(name, "")

    if name in GUIDES:
        assert type(Painter("planner", "draft", guide=name).guide) is type(guide(name))
    painting = Painter("planner", "draft", guide=spy, strokes=6, size=32).paint(ball()[0])
    assert len(asked) == 1
    assert torch.equal(asked[0], ball()[0])
    assert (painting.foreground_strokes > 0) is (name != "none")
