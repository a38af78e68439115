"""Contact sheets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.export.sheet import FONT, GAP, INK, SIDE, thumbnail, write_sheet


@pytest.mark.parametrize(("count", "columns", "rows"), [(2, 2, 1), (4, 2, 2), (5, 3, 2), (16, 4, 4)])
def test_pictures_in_rows_with_captions(tmp_path, count, columns, rows):
    shades = [(n + 1) / 20 for n in range(count)]
    pictures = [thumbnail(np.full((3, 30, 30), shade, np.float32)) for shade in shades]
    write_sheet(pictures, [f"seed {n}" for n in range(count)], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        pixels = np.array(sheet)
    down = SIDE + FONT + 2 * GAP
    assert pixels.shape == (rows * down + GAP, columns * (SIDE + GAP) + GAP, 3)
    for number, shade in enumerate(shades):
        row, column = divmod(number, columns)
        top, left = GAP + row * down, GAP + column * (SIDE + GAP)
        assert (pixels[top : top + SIDE, left : left + SIDE] == round(shade * 255)).all()
        below = pixels[top + SIDE : top + SIDE + FONT + GAP, left : left + SIDE]
        assert (below == INK).all(axis=2).any()


def test_wide_pictures_lie_on_top_of_each_other(tmp_path):
    wide = thumbnail(np.zeros((3, 20, 80), np.float32))
    assert wide.shape == (SIDE // 4, SIDE, 3)
    write_sheet([wide] * 4, ["a"] * 4, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width == SIDE + 2 * GAP
