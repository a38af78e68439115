"""The canvas that is painted in place, and its bytes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.cpu import native
from semantic_guidance.renderer.backends.cpu.easel import Easel
from tests.conftest import random_strokes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("softness", [1.0, 2.5])
def test_it_paints_what_render_does(masked, softness):
    strokes, start = random_strokes(30), RNG.random((3, 41, 60), np.float32)
    mask = RNG.random((41, 60), np.float32) if masked else None
    easel = Easel(start)
    before = start.copy()
    packed = strokes.pack()[0].numpy()
    for part in (packed[:1], packed[1:17], packed[17:17], packed[17:]):
        easel.paint(part, mask, softness)
    under = None if mask is None else torch.from_numpy(mask)[None, None]
    wanted = render(strokes, torch.from_numpy(start)[None], under, softness)[0]
    assert torch.equal(torch.from_numpy(easel.picture()), wanted)
    assert np.array_equal(start, before)
    easel.picture()[:] = 0
    assert easel.picture().any()


def planes(height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """Luma and two of colour, in which nothing has been written."""
    sides = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    return tuple(np.full(side, 77, np.uint8) for side in sides)


@pytest.mark.parametrize(
    ("color", "wanted"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((-0.5, 0.5, 1.5), (110, 197, 67)),  # beyond the range: as (0, 0.5, 1)
        ((1, 0, 0), (63, 102, 240)),
        ((0, 1, 0), (173, 42, 26)),
        ((0, 0, 1), (32, 240, 118)),
    ],
)
def test_colors_of_a_video(color, wanted):
    """As ITU-R BT.709 has them, in 8 bits."""
    easel = Easel(np.broadcast_to(np.array(color, np.float32)[:, None, None], (3, 4, 6)))
    got = planes(4, 6)
    easel.yuv420(got, 0, 4, 0, 6)
    for plane, value in zip(got, wanted, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 1


def test_the_color_of_four_pixels_is_their_mean():
    canvas = RNG.random((3, 6, 8), np.float32)
    means = canvas.reshape(3, 3, 2, 4, 2).mean(axis=(2, 4))
    got, wanted = planes(6, 8), planes(6, 8)
    Easel(canvas).yuv420(got, 0, 6, 0, 8)
    Easel(np.repeat(np.repeat(means, 2, axis=1), 2, axis=2)).yuv420(wanted, 0, 6, 0, 8)
    for plane, other in zip(got[1:], wanted[1:], strict=True):
        assert np.abs(plane.astype(int) - other).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(24, 40), (23, 40), (24, 39), (1, 1), (2, 31)])
def test_a_rectangle_is_part_of_the_whole(height, width):
    """And what lies beyond the canvas repeats its edge."""
    easel = Easel(RNG.random((3, height, width), np.float32))
    tall, wide = max(16, height + height % 2), max(16, width + width % 2)
    whole, pixels = planes(tall, wide), np.zeros((tall, wide, 3), np.uint8)
    easel.yuv420(whole, 0, tall, 0, wide)
    easel.rgb(pixels, 0, tall, 0, wide)
    beyond = (0, tall - height), (0, wide - width), (0, 0)
    assert np.array_equal(pixels, np.pad(to_bytes(easel.picture()), beyond, mode="edge"))
    for _ in range(20):
        top, left = 2 * RNG.integers((height + 1) // 2), 2 * RNG.integers((width + 1) // 2)
        bottom, right = (
            2 * RNG.integers(top // 2 + 1, tall // 2 + 1),
            2 * RNG.integers(left // 2 + 1, wide // 2 + 1),
        )
        rows, columns = slice(top, bottom), slice(left, right)
        half = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
        part, bgra = planes(tall, wide), np.full((tall, wide, 4), 77, np.uint8)
        easel.yuv420(part, top, bottom, left, right)
        easel.rgb(bgra[..., 2::-1], top, bottom, left, right)
        for got, wanted, place in zip(part, whole, ((rows, columns), half, half), strict=True):
            assert np.array_equal(got[place], wanted[place])
            got[place] = 77
            assert (got == 77).all()
        assert np.array_equal(bgra[rows, columns, 2::-1], pixels[rows, columns])
        bgra[rows, columns, :3] = 77
        assert (bgra == 77).all()


def test_without_kernels_it_does_the_same_slowly(monkeypatch):
    strokes, start = random_strokes(5).pack()[0].numpy(), RNG.random((3, 21, 34), np.float32)
    mask = RNG.random((21, 34), np.float32)
    fast, slow = Easel(start), Easel(start)
    frames = planes(22, 34), planes(22, 34)
    for easel, frame in zip((fast, slow), frames, strict=True):
        if easel is slow:
            monkeypatch.setattr(native, "_loaded", [(None, None)])
        easel.paint(strokes[:3])
        easel.paint(strokes[3:], mask)
        easel.yuv420(frame, 2, 22, 0, 34)
    assert np.abs(fast.picture() - slow.picture()).max() < 1e-5
    for plane, other in zip(*frames, strict=True):
        assert np.abs(plane.astype(int) - other).max() <= 1
        assert (plane != other).mean() < 0.01


def test_it_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from semantic_guidance.renderer.backends.cpu.easel import Easel\n"
        "Easel(np.zeros((3, 8, 8), np.float32)).paint(np.full((1, 13), 0.5, np.float32))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_kernels_it_is_slow_but_the_same(monkeypatch):
    strokes, start = random_strokes(5).pack()[0].numpy(), RNG.random((3, 23, 31), np.float32)
    mask = RNG.random((23, 31), np.float32)
    seen = []
    for _ in range(2):
        easel, got, pixels = Easel(start), planes(24, 32), np.zeros((24, 32, 3), np.uint8)
        easel.paint(strokes)
        easel.paint(strokes[:2], mask)
        easel.yuv420(got, 2, 24, 4, 32)
        easel.rgb(pixels, 2, 24, 4, 32)
        seen.append((easel.picture() * 255, *got, pixels))
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.easel.entry", lambda: None)
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.backend.entry", lambda: None)
    for one, other in zip(*seen, strict=True):
        assert np.abs(one.astype(float) - other).max() <= 1
