"""A region is painted over, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semantic_guidance import InputError, Layer, Painter, Painting, Strokes, load_image, load_mask, repaint
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.export.strokes_json import read_strokes
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.presets import Preset
from semantic_guidance.painter.repaint import erased
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.brushes.brush import Brush
from tests.conftest import random_strokes

STYLE = Style("mine", hand=Hand(), ground="toned")
QUICK = {"preset": Preset(hand_steps=10), "guide": "none"}


@pytest.fixture
def picture(photo) -> torch.Tensor:
    return load_image(photo)


@pytest.fixture
def disc(photo_mask) -> torch.Tensor:
    return load_mask(photo_mask, 40, 60)


@pytest.fixture
def painted(picture) -> Painting:
    """The photograph of a disc in few strokes."""
    painter = Painter(preset="draft", style=STYLE, strokes=12, size=60)
    return painter.paint(picture, Guidance.none(40, 60))


def stroke(start: tuple[float, float], end: tuple[float, float], radius: float) -> Strokes:
    """One opaque straight stroke, in pixels of a canvas 60 pixels long."""
    middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
    numbers = [n / 60 for n in (*start, *middle, *end, radius, radius)]
    return Strokes.unpack(torch.tensor([[[*numbers, 1, 1, 0.9, 0.1, 0.2]]]))


@pytest.mark.parametrize("style", [None, Style.of("likeness")])
@pytest.mark.parametrize("erase", [False, True])
def test_the_rest_is_the_same_to_the_bit(painted, picture, disc, style, erase, tmp_path):
    soft = disc * torch.linspace(0.6, 1.5, 60).clamp(max=1)
    preset = replace(QUICK["preset"], refine=None)
    again = repaint(painted, picture, soft, 20, style=style, erase=erase, **{**QUICK, "preset": preset})
    outside = (soft == 0)[0]
    assert torch.equal(again.canvas[:, outside], painted.canvas[:, outside])
    inside = (soft > 0.8)[0]
    before, after = (((each.canvas - picture)[:, inside] ** 2).mean().item() for each in (painted, again))
    assert after < 0.8 * before
    assert again.hand == painted.hand
    again.save(tmp_path / "a.json")
    assert torch.equal(read_strokes(tmp_path / "a.json").canvas, again.canvas)


def test_all_strokes_are_new_and_in_the_region(painted, picture):
    corner = torch.zeros(1, 40, 60)
    corner[:, 25:, 40:] = 1
    again = repaint(painted, picture, corner, 15, lock=True, **QUICK)
    assert again.layers[: len(painted.layers)] == painted.layers
    fresh = again.layers[len(painted.layers) :]
    assert 10 <= sum(len(layer.strokes) for layer in fresh) <= 15
    assert all(layer.locked for layer in fresh)
    for layer in fresh:
        middle = layer.strokes.points[0].mean(dim=1) * 60
        assert (middle > torch.tensor([35.0, 20.0])).all()
        assert (middle < torch.tensor([63.0, 43.0])).all()
        assert (layer.strokes.radius * 60 < 7).all()


def test_textured_brushes_change_light_near_by_alone(painted, picture, disc):
    oil = replace(painted, brush=Brush.of("oil"))
    again = repaint(oil, picture, disc, 10, **QUICK)
    y, x = np.mgrid[:40, :60]
    far = torch.from_numpy((x - 30) ** 2 + (y - 20) ** 2 > 16**2)
    assert torch.equal(again.canvas[:, far], oil.canvas[:, far])
    assert not torch.equal(again.canvas, oil.canvas)


def test_the_hand_of_the_file_goes_on(painted, picture, disc):
    def width(dial: float) -> float:
        record = replace(STYLE, hand=Hand(width=dial, economy=0)).record()
        again = repaint(replace(painted, hand=record), picture, disc, 10, **QUICK)
        return float(again.strokes[len(painted.strokes) :].radius.mean())

    assert width(2) > 1.8 * width(0.8)


def test_style_of_a_record():
    record = replace(STYLE, hand=Hand(length=2)).record()
    assert Style.of_record(record, "a.json").hand == Hand(length=2)
    known = Style.of_record({"style": "alla-prima", "dials": {"flow": 0.1}}, "a.json")
    assert (known.name, known.hand) == ("alla-prima", Hand(flow=0.1))
    assert Style.of_record(None, "a.json").hand is None
    with pytest.raises(InputError, match=r"a\.json: weight is not a dial of a hand"):
        Style.of_record({"style": "x", "dials": {"weight": 1}}, "a.json")


def test_strokes_within_are_erased_but_no_locked_ones():
    inside, crossing, outside = (
        stroke((20, 20), (40, 20), 3),
        stroke((20, 20), (56, 20), 3),
        stroke((2, 2), (9, 9), 3),
    )
    layers = (Layer(Strokes.cat([outside, inside, crossing]), load=torch.tensor([0.1, 0.2, 0.3])),)
    layers += (Layer(inside, locked=True), Layer(inside))
    region = torch.zeros(1, 40, 60)
    region[:, 10:30, 10:50] = 1
    (first, second) = erased(Painting(layers, (1, 1, 1), 60, 40), region).layers
    assert torch.equal(first.strokes.pack(), Strokes.cat([outside, crossing]).pack())
    assert first.load is not None
    assert first.load.tolist() == pytest.approx([0.1, 0.3])
    assert second.locked


@given(
    seed=st.integers(0, 999),
    middle=st.tuples(st.floats(0, 60), st.floats(0, 40)),
    radius=st.floats(4, 60),
    ends=st.sampled_from(["round", "square", "filbert"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_erasing_changes_nothing_outside(seed, middle, radius, ends):
    y, x = np.mgrid[:40, :60]
    region = torch.from_numpy((x - middle[0]) ** 2 + (y - middle[1]) ** 2 < radius**2)[None].float()
    painting = Painting((Layer(random_strokes(30, seed), ends=ends),), (0.2, 0.4, 0.6), 60, 40)
    outside = (region == 0)[0]
    assert torch.equal(erased(painting, region).canvas[:, outside], painting.canvas[:, outside])


def test_locked_strokes_are_not_painted_over(painted, picture, disc):
    lock = Layer(stroke((24, 20), (36, 20), 3), locked=True)
    held = replace(painted, layers=(*painted.layers, lock))
    again = repaint(held, picture, disc, 20, erase=True, **QUICK)
    assert torch.equal(again.canvas[:, 18:22, 24:36], held.canvas[:, 18:22, 24:36])
    assert not torch.equal(again.canvas, held.canvas)
    everywhere = replace(
        painted, layers=(*painted.layers, Layer(stroke((20, 20), (40, 20), 15), locked=True))
    )
    with pytest.raises(ValueError, match="region is empty, wanted bright pixels"):
        repaint(everywhere, picture, disc, 20, **QUICK)


def test_objects_keep_their_numbers(painted, picture, disc):
    def guide(image: torch.Tensor, prompt: object = None) -> Guidance:
        left, right = torch.zeros(1, 40, 60), torch.zeros(1, 40, 60)
        left[:, :, :10], right[:, :, 30:] = 1, 1
        both = Guidance.from_mask(left).instances + Guidance.from_mask(right).instances
        return Guidance(left + right, torch.zeros(1, 40, 60), both)

    again = repaint(painted, picture, disc, 20, **{**QUICK, "guide": guide})
    fresh = again.layers[len(painted.layers) :]
    assert {(layer.level, layer.instance) for layer in fresh} == {("background", 0), ("foreground", 1)}
    behind, front = (
        torch.cat([layer.strokes.points[0, :, 1, 0] for layer in fresh if layer.level == level]).mean() * 60
        for level in ("background", "foreground")
    )
    assert behind < 30 < front


def test_another_picture(painted, disc):
    with pytest.raises(
        ValueError, match="image is 50 x 40, wanted the painting's 60 x 40 or the same aspect"
    ):
        repaint(painted, torch.zeros(3, 40, 50), disc)
