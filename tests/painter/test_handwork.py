"""A hand's refinement keeps to the hand, and to what there is no need to paint twice."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import CONTROL, END, RADIUS, START
from semantic_guidance.images.files import load_image
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.refine import refine_together
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.medium import Medium

COFFEE = "examples/coffee.jpg"
STYLE = dataclasses.replace(Style.of("alla-prima"), brush="flat", ends="round")

PLAIN = {"jitter": 0.0, "temperature": 0.0, "saturation": 1.0, "hue": 0.0}


@functools.cache
def coffee(strokes=80, **dials):
    """The photograph's painting with these dials, painted once."""
    return painted(strokes, **dials)


def painted(strokes=80, picture=None, guidance=None, **dials):
    style = dataclasses.replace(STYLE, hand=dataclasses.replace(STYLE.hand, **{"lines": 0.0, **dials}))
    painter = Painter(style=style, strokes=strokes, size=128)
    image = load_image(COFFEE) if picture is None else picture
    return painter.paint(image, Guidance.none(*image.shape[1:]) if guidance is None else guidance)


def bare(painting) -> float:
    """Share of the canvas that shows its ground."""
    black, white = (dataclasses.replace(painting, background=(shade,) * 3).canvas for shade in (0.0, 1.0))
    return float(((white - black) > 0.5).float().mean())


def error(painting, image) -> float:
    target = torch.nn.functional.interpolate(image[None], painting.canvas.shape[1:], mode="area")[0]
    return float(((painting.canvas - target) ** 2).mean())


def test_refined_strokes_are_within_the_hands_limits():
    painting = painted(curvature=0.1, taper=0.2, aspect=(1.5, 4.0))
    vectors = painting.strokes.pack()[0]
    radius = vectors[:, RADIUS]
    assert bool((radius.amin(1) >= 0.8 * radius.amax(1) - 1e-6).all())
    half = (vectors[:, END] - vectors[:, START]).norm(dim=1)
    bow = (vectors[:, CONTROL] - (vectors[:, START] + vectors[:, END]) / 2).norm(dim=1)
    assert bool((bow <= 0.1 * half * 1.001).all())
    assert bool((half <= 4.0 * 2 * radius.amax(1) * 1.001).all())
    assert bool((half >= 1.5 * 2 * radius.amax(1) * 0.999).all())
    assert bool((painting.strokes.opacity == 1).all())


def test_refinement_lowers_the_error():
    image = load_image(COFFEE)
    assert error(coffee(), image) < 0.7 * error(coffee(work=0.0), image)


def test_no_ground_is_left_bare_unless_it_may_be():
    assert bare(coffee(**PLAIN)) < 0.01
    for share in (0.15, 0.5):
        assert bare(painted(ground_shown=share)) == pytest.approx(share, abs=0.08)


def test_strokes_that_are_worth_nothing_are_left_out():
    picture = torch.full((3, 90, 120), 0.4)
    picture[:, 30:60, 40:80] = 0.9
    frugal, lavish = (painted(200, picture, economy=economy) for economy in (0.5, 0.0))
    assert len(lavish.strokes) == 200
    assert len(frugal.strokes) < 150
    assert error(frugal, picture) < 1.2 * error(lavish, picture) + 1e-4


def test_dials_of_colour():
    plain = coffee(**PLAIN).strokes.color
    grey = coffee(**{**PLAIN, "saturation": 0.0}).strokes.color
    loud = coffee(**{**PLAIN, "saturation": 2.0}).strokes.color
    few = coffee(**PLAIN, colors=4).strokes.color
    chroma = [float(color.std(dim=-1).mean()) for color in (grey, plain, loud)]
    assert chroma[0] == pytest.approx(0, abs=1e-3)
    assert chroma[1] < chroma[2]
    luma = torch.tensor([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey @ luma, plain @ luma, atol=1e-3)
    assert len(torch.unique((few[0] * 255).round(), dim=0)) <= 4


def test_jitter_is_of_the_size_that_is_asked_for():
    still, lively = (coffee(**{**PLAIN, "jitter": jitter}).strokes.color[0] for jitter in (0.0, 0.2))
    shift = (lively - still).mean(dim=1)
    assert 0.01 < float(shift.std()) < 0.2 * 0.22


def test_a_seed_gives_the_same_painting_and_another_one_another():
    first, again = coffee(), painted()
    np.testing.assert_array_equal(first.strokes.pack(), again.strokes.pack())


def test_objects_strokes_are_told_apart():
    image = load_image(COFFEE)
    mask = torch.zeros(1, *image.shape[1:])
    mask[:, :, : image.shape[2] // 2] = 1
    painting = painted(guidance=Guidance.from_mask(mask))
    for layer in painting.layers:
        middle = layer.strokes.points[0].mean(dim=1)
        inside = (middle[:, 0] < 0.5).float().mean()
        assert (inside > 0.8) == (layer.level == "foreground")


def test_palettes_and_brushes_are_kept_to():
    image = load_image(COFFEE)
    medium = Medium(palette=((0.1, 0.1, 0.1), (0.9, 0.8, 0.7), (0.5, 0.3, 0.2)), brushes=(6.0, 12.0))
    painting = Painter(style=STYLE, strokes=60, size=128, medium=medium).paint(image, Guidance.none())
    colors = {tuple(np.round(color, 3)) for color in painting.strokes.color[0].tolist()}
    assert colors <= {(0.1, 0.1, 0.1), (0.9, 0.8, 0.7), (0.5, 0.3, 0.2)}
    assert len(torch.unique(painting.strokes.radius)) <= 2


def test_a_picture_to_paint_on_is_not_painted_over():
    image = load_image(COFFEE)
    target = image.clone()
    target[:, :150, :150] = 1 - target[:, :150, :150]
    painting = Painter(style=STYLE, strokes=30, size=160, start=image).paint(target, Guidance.none())
    middle = painting.strokes.points[0].mean(dim=1) * max(image.shape[1:])
    assert float((middle < 170).all(dim=1).float().mean()) > 0.8


def test_the_styles_brush_is_the_paintings_unless_another_is_named():
    assert Painter(style="alla-prima").brush.style == "oil"
    assert Painter(style="alla-prima", brush="pencil").brush.style == "pencil"
    assert Painter(style="alla-prima", brush=Brush("watercolor")).brush.style == "watercolor"
    assert Painter().brush.style == "flat"


def test_a_hand_and_an_agent_are_too_much():
    with pytest.raises(ValueError, match="agent is 'planner', but the style 'alla-prima' makes its own"):
        Painter("planner", style="alla-prima")


def test_all_of_the_ground_may_show():
    assert bare(painted(10, ground_shown=1.0)) > 0.9


def test_what_is_there_already_costs_no_more_than_a_canvas_does():
    """Where nothing is to be painted over, strokes are not thousands of times as fine."""
    picture = torch.full((3, 40, 60), 0.5)
    painting = Painter(style=STYLE, strokes=20, size=60, start=picture).paint(picture, Guidance.none())
    assert len(painting.strokes) <= 20
    assert error(painting, picture) < 0.01


def test_dials_of_width():
    calm = {"economy": 0.0, "looseness": 0.0, "work": 0.0}
    narrow, wide = (painted(60, spread=spread, **calm) for spread in ((0.9, 1.0), (1.5, 1.6)))
    ratio = wide.strokes.radius.amax(dim=-1).mean() / narrow.strokes.radius.amax(dim=-1).mean()
    assert 1.4 < float(ratio) < 1.8


def test_hue_turns_colours_and_keeps_their_lightness():
    still, turned = (coffee(**{**PLAIN, "hue": hue}).strokes.color[0] for hue in (0.0, 0.3))
    luma = torch.tensor([0.299, 0.587, 0.114])
    assert float((turned - still).abs().mean()) > 0.01
    inside = ((turned > 0) & (turned < 1)).all(dim=1)
    np.testing.assert_allclose((turned @ luma)[inside], (still @ luma)[inside], atol=1e-3)


def test_pictures_that_are_refined_together_are_what_they_are_alone():
    painter = Painter(style=STYLE, strokes=30, size=96)
    image = load_image(COFFEE)[:, 100:180, 150:270]
    pictures = [image, image.flip(-1)]
    alone = [painter.paint(picture, Guidance.none()) for picture in pictures]
    begun = [painter._begun(picture, Guidance.none(), None) for picture in pictures]
    refine_together([each.work.refiner for each in begun])
    for each, wanted in zip(begun, alone, strict=True):
        layers, _ = each.work.finish()
        strokes = torch.cat([layer.strokes.pack() for layer in layers], dim=1)
        np.testing.assert_array_equal(strokes, wanted.strokes.pack())


def test_the_paper_is_the_white_of_a_watercolour():
    picture = torch.full((3, 90, 120), 0.97)
    picture[:, :, 60:] = torch.tensor([0.2, 0.3, 0.6])[:, None, None]
    style = dataclasses.replace(Style.of("watercolor"), brush="flat")
    painting = Painter(style=style, strokes=60, size=120).paint(picture, Guidance.none())
    paper = torch.tensor(painting.background)[:, None, None]
    assert float((painting.canvas - paper).abs()[:, :, :45].mean()) < 0.01
    assert float((painting.canvas - picture).abs()[:, :, 75:].mean()) < 0.15
    assert bool((painting.strokes.color.mean(dim=-1) < 0.95).all())


def test_a_share_that_is_asked_for_is_kept_when_strokes_are_laid_anew():
    """Of two halves with the same detail, the object's counts twelve times as much, and has a quarter."""
    mask = torch.zeros(1, 64, 96)
    mask[:, :, 48:] = 1
    noise = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(3))
    picture = noise.repeat_interleave(8, 1).repeat_interleave(8, 2)
    painter = Painter(style=STYLE, strokes=80, size=96, foreground_share=0.25)
    painting = painter.paint(picture, Guidance.from_mask(mask))
    assert painting.shares[0] == pytest.approx(0.25, abs=0.05)
