import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.agents.problem import background_weight, foreground_weight
from semantic_guidance.agents.window.rollout import pack, whole_windows
from semantic_guidance.agents.window.view import (
    CHANNELS,
    REACH,
    SIDE,
    Window,
    object_window,
    observe,
    strokes_of,
)
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, channels), dtype=np.float32)


def test_a_window_of_its_own_size_is_a_crop() -> None:
    picture = noise(100, 120)
    assert np.array_equal(Window(30, 20, SIDE).look(picture), picture[20:84, 30:94])


def test_a_larger_window_averages_areas() -> None:
    picture = noise(2 * SIDE, 2 * SIDE)
    means = picture.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
    assert np.allclose(Window(0, 0, 2 * SIDE).look(picture), means, atol=1e-6)


def test_beyond_the_edge_lies_the_nearest_pixel_or_the_border() -> None:
    picture = noise(SIDE, SIDE)
    window = Window(-8, 0, SIDE)
    seen = window.look(picture)
    assert np.array_equal(seen[:, :8], np.repeat(picture[:, :1], 8, axis=1))
    assert np.array_equal(seen[:, 8:], picture[:, : SIDE - 8])
    assert (window.look(picture[..., :1], 0.0)[:, :8] == 0).all()


def test_strokes_of_a_window_paint_what_the_window_showed() -> None:
    """At one pixel to one, painting the window and painting the picture are the same."""
    torch.manual_seed(0)
    window = Window(24, 40, SIDE)
    picture = torch.from_numpy(noise(128, 112)).permute(2, 0, 1)[None].contiguous()
    part = picture[:, :, 40:104, 24:88].contiguous()
    strokes = strokes_of(torch.randn(1, 16, 13), part)
    near = render(strokes, part)
    far = render(window.to_picture(strokes, 128), picture)
    assert torch.allclose(near, far[:, :, 40:104, 24:88], atol=1e-4)
    packed = pack(strokes, [window], 128)
    assert torch.equal(Strokes.unpack(packed[None]).points, window.to_picture(strokes, 128).points)


def test_overlap_is_the_share_of_the_smaller_window() -> None:
    assert Window(0, 0, 10).overlap(Window(5, 5, 10)) == pytest.approx(0.25)
    assert Window(0, 0, 10).overlap(Window(2, 3, 4)) == 1
    assert Window(0, 0, 10).overlap(Window(10, 0, 10)) == 0


def test_strokes_are_anchored_at_their_cells() -> None:
    """With zero raw numbers a stroke is a dot in its cell's centre, of the target's colour there."""
    target = torch.zeros(1, 3, SIDE, SIDE)
    target[:, 0, :, SIDE // 2 :] = 1
    strokes = strokes_of(torch.zeros(1, 16, 13), target)
    centres = torch.tensor([0.125, 0.375, 0.625, 0.875])
    assert torch.allclose(strokes.points[0, 6], torch.tensor([0.625, 0.375]).expand(3, 2))
    assert torch.allclose(strokes.points[0, :4, 0, 0], centres)
    assert torch.allclose(strokes.color[0, :4, 0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    moved = strokes_of(torch.full((1, 16, 13), 50.0), target)
    assert torch.allclose(
        moved.points[0, 0].mean(dim=0), torch.tensor([0.125 + REACH] * 2) + 0.25 / 3, atol=1e-4
    )


def test_an_observation_has_the_channels_that_the_network_expects() -> None:
    planes = [torch.rand(2, n, SIDE, SIDE) for n in (3, 3, 1, 1)]
    seen = observe(*planes)
    assert seen.shape == (2, CHANNELS, SIDE, SIDE)
    assert torch.allclose(seen[:, 3:6], planes[1] - 0.5)
    assert torch.equal(seen[0, 9, 0], torch.linspace(-1, 1, SIDE))


def test_the_object_lies_in_the_middle_of_its_window() -> None:
    mask = torch.zeros(100, 80)
    mask[20:60, 30:50] = 1
    window = object_window(mask)
    assert window.side == 50  # 40 and an eighth on both sides, rounded up
    assert (window.left + 25, window.top + 25) == (40, 40)
    assert object_window(torch.zeros(10, 20)) == Window(0, 0, 20)


def test_weights_by_hand() -> None:
    mask, focus = np.array([[0, 1, 1]], np.float32), np.array([[0, 0, 0.5]], np.float32)
    assert np.allclose(background_weight(mask), [[1, 0.2, 0.2]])
    assert np.allclose(foreground_weight(mask, focus), [[0, 0.5, 1]])


@given(st.integers(1, 400), st.integers(1, 400))
def test_whole_windows_cover_the_picture(height: int, width: int) -> None:
    covered = np.zeros((height, width), bool)
    for window in whole_windows(height, width):
        top, left = max(0, window.top), max(0, window.left)
        covered[top : window.top + window.side, left : window.left + window.side] = True
    assert covered.all()
