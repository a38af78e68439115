"""Strokes that are left out because the painting is better without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from semantic_guidance import Guidance, Painter
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painter import painter as painters
from semantic_guidance.painter.pruning import pruned
from semantic_guidance.painting.medium import Medium
from semantic_guidance.painting.painting import Layer, Painting

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def line(y, color=BLACK, start=0.1, end=0.9, radius=0.05):
    """A packed opaque stroke ``[1, 13]`` from left to right."""
    return torch.tensor([[start, y, (start + end) / 2, y, end, y, radius, radius, 1.0, 1.0, *color]])


def painting_of(*vectors, ends="round"):
    strokes = Strokes.unpack(torch.cat(vectors)[None])
    return Painting((Layer(strokes, ends=ends),), WHITE, 48, 48)


def error(painting, picture):
    """By the canvas that is shown, which is not what strokes are judged on."""
    return float(((painting.render() - picture) ** 2).double().mean())


def without(painting, number):
    """The painting without one stroke of its first layer."""
    first, *others = painting.layers
    stay = [n for n in range(len(first.strokes)) if n != number]
    left = replace(first, strokes=Strokes.unpack(first.strokes.pack()[:, stay]))
    return replace(painting, layers=(left, *others))


def test_what_does_not_help_is_left_out():
    picture = painting_of(line(0.5)).canvas
    wrong, in_the_colour_of_the_ground = line(0.2), line(0.8, WHITE)
    hidden, wanted = line(0.5, (0.5, 0.5, 0.5), 0.3, 0.7, 0.02), line(0.5)
    painting = painting_of(in_the_colour_of_the_ground, hidden, wrong, wanted)
    left = pruned(painting, picture)
    assert torch.equal(left.strokes.pack()[0], wanted)
    # Of two that are alike one is needed, and white is needed where it covers black that is wrong.
    assert len(pruned(painting_of(wanted, wanted), picture).strokes) == 1
    short = painting_of(line(0.5, end=0.5)).canvas
    assert len(pruned(painting_of(wanted, line(0.5, WHITE, 0.6, 0.95, 0.06)), short).strokes) == 2
    assert pruned(painting_of(wrong, in_the_colour_of_the_ground), torch.ones(3, 48, 48)).layers == ()


@settings(max_examples=15, deadline=None)
@example(seed=0, count=40)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 40))
def test_every_stroke_that_stays_lowers_the_error(seed, count):
    """And all that go together do not raise it."""
    rng = np.random.default_rng(seed)
    picture = (
        torch.from_numpy(rng.random((3, 6, 6), np.float32)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    )
    vectors = np.concatenate([rng.uniform(0, 1, (count, 6)), np.ones((count, 7))], axis=1)
    vectors[:, 6:8] = rng.uniform(0.02, 0.2, (count, 1))
    vectors[:, 10:] = rng.integers(0, 2, (count, 3))
    painting = painting_of(torch.from_numpy(vectors.astype(np.float32)))
    left = pruned(painting, picture)
    after = error(left, picture)
    assert after <= error(painting, picture) + 1e-7
    for number in range(len(left.strokes)):
        assert error(without(left, number), picture) > after - 1e-7


def test_masks_and_pictures_underneath_count():
    picture = torch.ones(3, 48, 48)
    picture[:, 16:32, 24:] = 0
    half = torch.zeros(1, 48, 48)
    half[..., 24:] = 1
    layer = replace(painting_of(line(0.5, radius=0.17)).layers[0], mask=0, level="foreground")
    masked = replace(painting_of(line(0.1)), layers=(layer,), masks=(half,))
    assert len(pruned(masked, picture).strokes) == 1
    assert len(pruned(replace(masked, masks=(1 - half,)), picture).strokes) == 0
    assert len(pruned(replace(masked, start=picture), picture).strokes) == 0


@pytest.fixture
def drawing():
    """A ring and a line in black on white."""
    picture = torch.ones(3, 48, 64)
    picture[:, 30:33, 8:56] = 0
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    picture[:, (((x - 32) ** 2 + (y - 14) ** 2).sqrt() - 9).abs() < 1.2] = 0
    return picture


@pytest.mark.parametrize(
    "options", [{"agent": "planner", "preset": "draft"}, {"style": "alla-prima", "preset": "draft"}]
)
def test_a_pen_leaves_out_what_the_paper_has_already(drawing, options):
    """A draft of one black pen was worse with most of its strokes than without them."""
    medium = Medium(palette=(BLACK,), brushes=(4.0,), opaque=True)
    painting = Painter(strokes=40, size=64, medium=medium, guide="none", **options).paint(drawing)
    picture = drawing
    after = error(painting, picture)
    assert 0 < len(painting.strokes) < 40
    assert after < 0.9 * float(((1 - picture) ** 2).mean())
    if len(painting.layers) == 1:
        assert all(error(without(painting, n), picture) > after for n in range(len(painting.strokes)))


def test_paintings_of_all_colours_are_not_touched(drawing, monkeypatch):
    def refused(*arguments):
        raise AssertionError

    monkeypatch.setattr(painters, "pruned", refused)
    for medium in (None, Medium(brushes=(5.0,)), Medium(widths=(2.0, 9.0))):
        painter = Painter(agent="planner", preset="draft", strokes=9, size=64, medium=medium)
        assert len(painter.paint(drawing, Guidance.none(48, 64)).strokes) == 9
