"""What files keep of a textured brush: strokes, heights, shapes and pages."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.export.height import HIGHEST
from semantic_guidance.export.strokes_json import read_drawing, read_strokes
from semantic_guidance.painting.brushes import BRUSHES
from semantic_guidance.painting.brushes.brush import Brush

share = st.floats(0, 1)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    style=st.sampled_from(BRUSHES[1:]),
    seed=st.integers(0, 2**32 - 1),
    dials=st.tuples(share, share, share),
    light=st.none() | st.tuples(st.floats(0, 359), st.floats(5, 90)),
)
def test_a_brush_comes_back(painting, tmp_path, style, seed, dials, light):
    brush = Brush(style, seed, None, *dials, light)
    replace(painting, brush=brush).save(tmp_path / "a.json")
    back = read_drawing(tmp_path / "a.json").brush
    assert (back.style, back.seed, back.light) == (style, seed, light)
    assert (back.relief, back.bristle, back.dry) == dials


def test_a_person_s_brush_comes_back_bit_for_bit(painting, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 90), np.uint8)  # higher than a brush may be
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    mine = replace(painting, brush=Brush.of(tmp_path / "mine.png", 3))
    mine.save(tmp_path / "a.json")
    assert torch.equal(read_strokes(tmp_path / "a.json").canvas, mine.canvas)


def test_flat_brushes_are_not_written_and_version_1_has_none(painting, tmp_path):
    painting.save(tmp_path / "a.json")
    assert "brush" not in json.loads((tmp_path / "a.json").read_text())
    replace(painting, brush=Brush("oil")).save(tmp_path / "b.json")
    document = json.loads((tmp_path / "b.json").read_text())
    (tmp_path / "b.json").write_text(json.dumps({**document, "version": 1}))
    for name in ("a.json", "b.json"):
        assert torch.equal(read_strokes(tmp_path / name).canvas, painting.canvas)


FLAWS: list[tuple[Any, Any, str]] = [
    (None, 3, "brush is 3, wanted an object"),
    ("style", "crayon", "style of the brush is 'crayon', wanted one of flat, oil"),
    ("style", ["oil"], r"style of the brush is \['oil'\], wanted one of flat, oil"),
    ("style", "picture", "picture is missing in the brush"),
    ("seed", -1, "seed of the brush is -1, wanted a whole number from 0"),
    ("seed", 1.5, "seed of the brush is 1.5, wanted a whole number"),
    ("relief", 1.1, "relief of the brush holds 1.1, wanted numbers from 0 to 1"),
    ("dry", True, "dry of the brush holds True, wanted numbers from 0 to 1"),
    ("bristle", [0.5], r"bristle of the brush holds \[0.5\], wanted numbers"),
    ("light", "left", r"light of the brush has another shape, wanted \[2\]"),
    ("light", [10, 4], "light of the brush is 4 degrees high, wanted 5 to 90"),
    ("light", [-1, 40], "light of the brush holds -1, wanted numbers from 0 to 360"),
]


@pytest.mark.parametrize(("field", "value", "complaint"), FLAWS)
def test_flaws_of_a_brush_are_named(painting, tmp_path, field, value, complaint):
    path = tmp_path / "a.json"
    replace(painting, brush=Brush("oil")).save(path)
    document = json.loads(path.read_text())
    if field is None:
        document["brush"] = value
    else:
        document["brush"][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"a\.json: {complaint}"):
        read_drawing(path)


def test_heights_are_16_bits_deep(painting, tmp_path):
    oil = replace(painting, brush=Brush("oil", relief=1.0))
    oil.save(tmp_path / "a.height.png")
    pixels = cv2.imread(str(tmp_path / "a.height.png"), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    assert pixels.shape == (64, 96)
    wanted = oil.height_map().numpy() / HIGHEST
    assert wanted.max() < 1
    assert np.abs(pixels / 65535 - wanted).max() < 0.51 / 65535
    assert len(np.unique(pixels)) > 1000
    painting.save(tmp_path / "b.height.png")
    assert cv2.imread(str(tmp_path / "b.height.png"), cv2.IMREAD_UNCHANGED).max() == 0


@pytest.mark.parametrize("suffix", ["svg", "exact.svg"])
def test_shapes_say_that_they_are_flat(painting, tmp_path, suffix):
    texts = []
    for style in ("flat", "knife"):
        replace(painting, brush=Brush(style)).save(tmp_path / f"a.{suffix}")
        root = ElementTree.parse(tmp_path / f"a.{suffix}").getroot()
        texts.append([each.text for each in root.iter("{http://www.w3.org/2000/svg}desc")])
    assert texts == [[], ["Flat shapes, without the texture of the knife brush."]]
