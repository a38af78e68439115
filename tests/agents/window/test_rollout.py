from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import Part
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.rollout import CHOSEN, DensePolicy, Rollout, Seen, WindowPainter
from semantic_guidance.agents.window.view import CHANNELS, Window
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render

SMALL = (8, 8, 8, 8)


def painter(seed: int = 0) -> WindowPainter:
    """An untrained actor: most of its strokes do not help."""
    torch.manual_seed(seed)
    return WindowPainter(DensePolicy(WindowActor(CHANNELS, SMALL)))


def scene() -> tuple[Tensor, Tensor]:
    """A red disc on a blue gradient, ``[3, 48, 64]``, and the disc's mask ``[48, 64]``."""
    y, x = np.mgrid[:48, :64].astype(np.float32)
    disc = np.clip(12.5 - np.hypot(x - 40, y - 24), 0, 1).astype(np.float32)
    ground = np.stack([x / 200, y / 100, 0.4 + x / 120], axis=2)
    target = ground * (1 - disc[..., None]) + disc[..., None] * np.array([0.8, 0.1, 0.1], np.float32)
    return torch.from_numpy(target).float().permute(2, 0, 1).contiguous(), torch.from_numpy(disc)


def error(canvas: Tensor, target: Tensor, part: Part) -> float:
    return float((((canvas - target) ** 2).mean(dim=0) * part.weight).sum() / part.weight.sum())


@pytest.mark.parametrize("count", [1, 7, 40])
def test_useless_strokes_are_not_painted(count: int) -> None:
    target, disc = scene()
    part = Part(None, None, torch.ones_like(disc), count)
    blank = torch.full_like(target, 0.5)
    strokes, canvas = painter().paint(target, part, blank)
    assert 0 < len(strokes) <= count
    assert error(canvas, target, part) < error(blank, target, part)
    again = render(Strokes.unpack(strokes[None]), blank[None])
    assert torch.allclose(again[0], canvas, atol=1e-6)


def test_a_finished_canvas_gets_no_stroke() -> None:
    target, disc = scene()
    strokes, canvas = painter().paint(target, Part(None, None, torch.ones_like(disc), 50), target)
    assert len(strokes) == 0
    assert torch.equal(canvas, target)


def test_an_objects_strokes_show_on_the_object_alone() -> None:
    target, disc = scene()
    part = Part(0, disc, disc, 30)
    blank = torch.full_like(target, 0.5)
    strokes, canvas = painter().paint(target, part, blank)
    assert len(strokes) > 0
    assert torch.equal(canvas[:, disc == 0], blank[:, disc == 0])
    assert error(canvas, target, part) < 0.7 * error(blank, target, part)


def test_the_same_painting_every_time() -> None:
    target, disc = scene()
    part = Part(None, None, torch.ones_like(disc), 20)
    first, second = (painter(3).paint(target, part, torch.zeros_like(target))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_where_nothing_helps_it_does_not_look_again() -> None:
    """An actor whose strokes are all wrong is shown other windows in each round, then no more."""
    target, disc = scene()
    shown: list[tuple[Window, ...]] = []

    class Vain:
        def strokes(self, rollout: Rollout, windows: Sequence[Window]) -> tuple[Strokes, Seen]:
            shown.append(tuple(windows))
            wrong = torch.tensor([0.5] * 6 + [0.3] * 2 + [1.0] * 2 + [0.0, 1.0, 0.0])  # bright green
            return Strokes.unpack(wrong.expand(len(windows), 2, -1)), rollout.look(windows)

    painter = WindowPainter(Vain(), first_looks=1, candidates=3, patience=4)
    strokes, _ = painter.paint(target, Part(None, None, torch.ones_like(disc), 20), target * 0.9)
    assert len(strokes) == 0
    assert len(shown) == 1 + 4
    first, last = shown[1], shown[-1]
    assert len(set(first) - set(last)) >= CHOSEN


def test_a_window_is_looked_at_again_when_something_there_has_changed() -> None:
    target, disc = scene()
    rollout = Rollout(target, Part(None, None, torch.ones_like(disc), 20), target * 0.9, "auto")
    near, far = Window(0, 0, 20), Window(40, 20, 20)
    rollout.remember([near, far], [False, False])
    assert rollout.vain == [near, far]
    rollout.remember([Window(5, 5, 20)], [True])
    assert rollout.vain == [far]
