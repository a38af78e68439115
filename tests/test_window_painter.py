import numpy as np
import pytest
import torch

from semantic_guidance.networks.window_actor import WindowActor
from semantic_guidance.renderer import render
from semantic_guidance.types import Strokes
from semantic_guidance.window_painter import Level, WindowPainter, whole_windows
from semantic_guidance.windows import CHANNELS, object_window

SMALL = (8, 8, 8, 8)


def painter(seed: int = 0) -> WindowPainter:
    """An untrained actor: most of its strokes do not help."""
    torch.manual_seed(seed)
    return WindowPainter(WindowActor(CHANNELS, SMALL))


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red disc on a blue gradient, 48 x 64, and the disc's mask."""
    y, x = np.mgrid[:48, :64].astype(np.float32)
    disc = np.clip(12.5 - np.hypot(x - 40, y - 24), 0, 1).astype(np.float32)
    ground = np.stack([x / 200, y / 100, 0.4 + x / 120], axis=2)
    target = ground * (1 - disc[..., None]) + disc[..., None] * np.array([0.8, 0.1, 0.1], np.float32)
    return np.ascontiguousarray(target, np.float32), disc


def error(canvas: np.ndarray, level: Level) -> float:
    return float((((canvas - level.target) ** 2).mean(axis=2) * level.weight).sum() / level.weight.sum())


@pytest.mark.parametrize("count", [1, 7, 40])
def test_useless_strokes_are_not_painted(count: int) -> None:
    target, disc = scene()
    level = Level(target, None, np.ones_like(disc), count, whole_windows(48, 64))
    blank = np.full_like(target, 0.5)
    strokes, canvas = painter().paint(level, blank)
    assert 0 < len(strokes) <= count
    assert error(canvas, level) < error(blank, level)
    again = render(Strokes.unpack(strokes[None]), torch.from_numpy(blank).permute(2, 0, 1)[None].contiguous())
    assert np.allclose(again[0].permute(1, 2, 0).numpy(), canvas, atol=1e-6)


def test_a_finished_canvas_gets_no_stroke() -> None:
    target, disc = scene()
    level = Level(target, None, np.ones_like(disc), 50, whole_windows(48, 64))
    strokes, canvas = painter().paint(level, target)
    assert len(strokes) == 0
    assert np.array_equal(canvas, target)


def test_an_objects_strokes_show_on_the_object_alone() -> None:
    target, disc = scene()
    level = Level(target, disc, disc, 30, (object_window(disc),))
    blank = np.full_like(target, 0.5)
    strokes, canvas = painter().paint(level, blank)
    assert len(strokes) > 0
    assert np.array_equal(canvas[disc == 0], blank[disc == 0])
    assert error(canvas, level) < 0.7 * error(blank, level)


def test_the_same_painting_every_time() -> None:
    target, disc = scene()
    level = Level(target, None, np.ones_like(disc), 20, whole_windows(48, 64))
    first, second = (painter(3).paint(level, np.zeros_like(target))[0] for _ in range(2))
    assert torch.equal(first, second)
