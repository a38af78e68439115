"""Textures that belong to strokes wherever they lie, as films need them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.strokes_json import read_drawing, write
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import DrawnLayer

SIDE = 64
ONE = np.array([[0.2, 0.25, 0.4, 0.35, 0.6, 0.3, 0.07, 0.06, 1, 1, 0.8, 0.2, 0.1]], np.float32)
FAR = ONE * np.array([1, 0, 1, 0, 1, 0] + [1] * 7, np.float32)  # beyond the rows of the others
FAR[:, [1, 3, 5]] = 0.85
MOVED = ONE + np.array([0.125, 0.1875] * 3 + [0] * 7, np.float32)  # whole pixels
BEFORE = {
    "oil": 10.763673,
    "knife": 12.576175,
    "gouache": 9.784382,
    "watercolor": 12.093718,
    "ink": 33.714643,
    "pencil": 63.259467,
}
"""Sums over the strokes of `some` painted by each brush, each pixel times a random weight, before there were
keys."""


def painted(style: str, strokes: np.ndarray, keys: list[int] | None) -> np.ndarray:
    layer = DrawnLayer(strokes, keys=None if keys is None else np.array(keys))
    brush = Brush(style, 4, light=None)  # whose shade and paper stay with the canvas
    return Drawing((layer,), (0.1, 0.3, 0.9), SIDE, SIDE, brush=brush).render()


def some(count: int = 12) -> np.ndarray:
    rng = np.random.default_rng(3)
    unit = rng.random((count, 13), np.float32)
    unit[:, 6:8] *= 0.1
    return unit


@pytest.mark.parametrize("style", BEFORE)
def test_without_keys_paintings_are_as_they_were(style):
    weight = np.random.default_rng(0).standard_normal((3, SIDE, SIDE))
    assert (painted(style, some(), None) * weight).sum() == pytest.approx(BEFORE[style], abs=2e-3)


@pytest.mark.parametrize("style", BEFORE)
def test_a_key_is_a_texture(style):
    """It is the same at another index and in another place, and another one with another key."""
    alone, last = painted(style, ONE, [7]), painted(style, np.concatenate([FAR, ONE]), [3, 7])
    top = SIDE // 2 + 6
    np.testing.assert_array_equal(last[:, :top], alone[:, :top])
    assert np.abs(painted(style, ONE, [8]) - alone).max() > 0.02
    if style in ("oil", "knife", "gouache"):  # on others the paper's grain shows, which does not move
        moved = painted(style, MOVED, [7])
        np.testing.assert_allclose(moved[:, 12:, 8:], alone[:, :-12, :-8], atol=1e-3)
        free = painted(style, MOVED, None)
        assert np.abs(free[:, 12:, 8:] - painted(style, ONE, None)[:, :-12, :-8]).max() > 0.02


def test_files_of_strokes_keep_keys(tmp_path):
    layers = (DrawnLayer(ONE, keys=np.array([2**40])), DrawnLayer(FAR))
    drawing = Drawing(layers, (1.0, 1.0, 1.0), SIDE, SIDE, brush=Brush("oil"))
    write(drawing, tmp_path / "a.json", NoOptions(), lambda share: None)
    again = read_drawing(tmp_path / "a.json")
    assert [None if each.keys is None else each.keys.tolist() for each in again.layers] == [[2**40], None]
    assert again.render().tobytes() == drawing.render().tobytes()
    write(replace(drawing, layers=layers[1:]), tmp_path / "b.json", NoOptions(), lambda share: None)
    assert "key" not in json.loads((tmp_path / "b.json").read_text())["strokes"][0]
