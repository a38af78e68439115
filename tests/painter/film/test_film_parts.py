"""The parts of a film: motion, carrying, and who goes and who comes; each against truths from outside."""

from __future__ import annotations

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance.core.strokes import OPACITY, RADIUS, Strokes
from semantic_guidance.painter.film.carry import visible_sums
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.flow import find_motion
from semantic_guidance.painter.film.population import turned_over
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.film.rigid import STANDS
from semantic_guidance.renderer.backends.reference import ReferenceBackend, stroke_fields
from semantic_guidance.renderer.objective import Objective, Segment
from tests.painter.film.scenery import SIZE, film, none, scenery, strokes, window


def array(frame: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(frame.permute(1, 2, 0).numpy())


def moving(*shape: int) -> np.ndarray:
    return np.zeros(shape, bool)


def packed(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 13), np.float32)) * torch.tensor(
        [1.0] * 6 + [0.15] * 2 + [0.9] * 2 + [1.0] * 3, dtype=torch.float32
    ) + torch.tensor([0.0] * 6 + [0.03] * 2 + [0.1] * 2 + [0.0] * 3, dtype=torch.float32)


@pytest.mark.parametrize("masked", [False, True])
def test_sums_over_what_shows_are_those_of_the_definition(masked, monkeypatch):
    # which torch imports, with sympy, for gradients by slopes: half a second and 34 MB
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.symbolic_shapes", None)
    height, width, count = 20, 28, 6
    strokes_, rng = packed(count), np.random.default_rng(1)
    planes = rng.random((4, height, width)).astype(np.float32)
    mask = rng.random((1, height, width)).astype(np.float32)
    segments = [Segment(2), Segment(4, 0 if masked else None, 1.0)]
    picture = torch.zeros(3, height, width, dtype=torch.float32)
    task = Objective(segments, torch.from_numpy(mask), picture, picture, torch.ones_like(picture[0]))
    found = visible_sums(task, strokes_, planes, 1.0)

    parts = Strokes.unpack(strokes_[None].double())
    through, wanted = np.ones((height, width)), np.zeros((count, 4))
    for n in reversed(range(count)):
        distance, t = stroke_fields(parts.points[:, n] * width, parts.radius[:, n] * width, height, width)
        cover = (0.5 - distance[0]).clamp(0, 1).numpy() * (mask[0] if masked and n >= 2 else 1)
        first, last = strokes_[n, OPACITY].double().tolist()
        alpha = cover * (first + t[0].numpy() * (last - first))
        wanted[n] = (planes * through * alpha).sum(axis=(1, 2))
        through *= 1 - alpha
    assert np.allclose(found, wanted, rtol=1e-3, atol=2e-3)


def test_motion_by_whole_pixels_is_found_even_where_there_is_no_texture():
    flat = scenery().copy()
    flat[:, 30:60, 20:60] = 0.4
    before, now = (
        np.ascontiguousarray(flat[:, 20 : 20 + SIZE, x : x + SIZE].transpose(1, 2, 0)) for x in (10, 14)
    )
    motion = find_motion(before, now, np.abs(before - now).max(axis=-1) < 0.01)
    assert np.abs(motion.camera - [[1, 0, -4], [0, 1, 0]]).max() < 0.1
    assert np.abs(motion.forth - [-4, 0]).max(axis=-1).mean() < 0.1
    assert not motion.still.any()
    assert not motion.cut


def test_a_cut_is_found_and_none_where_the_camera_turns_fast():
    before, other = array(window(0, 0)), array(window(48, 48).flip(2))[..., ::-1].copy()
    assert find_motion(before, other, moving(SIZE, SIZE)).cut
    assert not find_motion(before, array(window(8, 6)), moving(SIZE, SIZE)).cut


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 16), (16, 16)])
def test_motion_of_tiny_frames_and_of_frames_without_texture(height, width):
    grey = np.full((height, width, 3), 0.5, np.float32)
    motion = find_motion(grey, grey, moving(height, width))
    assert np.abs(motion.forth).max() < 0.01
    assert np.array_equal(motion.camera, STANDS)


def test_radii_grow_as_the_camera_comes_closer():
    picture = scenery().transpose(1, 2, 0)

    def closer(scale: float) -> torch.Tensor:
        place = np.float32([[scale, 0, 36 - 60 * scale], [0, scale, 36 - 60 * scale]])
        seen = cv2.warpAffine(picture, place, (SIZE, SIZE), flags=cv2.INTER_CUBIC)
        return torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1)).clip(0, 1))

    own = film(hold="steady")
    before, after = (strokes(own.next(closer(scale), none())) for scale in (1.0, 1.08))
    ratio = [after[n][RADIUS] / before[n][RADIUS] for n in before.keys() & after.keys()]
    assert abs(np.median(ratio) - 1.08) < 0.03


def test_what_does_not_move_keeps_its_strokes_while_something_passes_by():
    own = film()
    frames = []
    for x in (6, 12, 18):
        frame = window(20, 20)
        frame[:, 8:24, x : x + 16] = torch.tensor([0.9, 0.1, 0.1], dtype=torch.float32)[:, None, None]
        frames.append(own.next(frame, none()))
    first, last = strokes(frames[0]), strokes(frames[-1])
    below = [n for n, stroke in first.items() if stroke[1:6:2].min() - stroke[RADIUS].max() > 30 / SIZE]
    assert len(below) > 5
    assert all(n in last for n in below)
    moved = [
        n for n in below if not np.array_equal(np.delete(first[n], OPACITY), np.delete(last[n], OPACITY))
    ]
    assert not moved
    faded = [n for n in below if not np.array_equal(first[n], last[n])]
    assert len(faded) <= 1  # one that is worth next to nothing goes for one that is needed elsewhere


def test_numbers_are_used_once_and_in_painting_order_of_their_strokes():
    own, seen = film(), set()
    before: set[int] = set()
    for step in range(4):
        frame = own.next(window(20 + 5 * step, 20), none())
        ids = frame.ids.tolist()
        assert len(set(ids)) == len(ids) == len(frame.painting.strokes)
        gone = seen - before
        assert not gone & set(ids)
        before, seen = set(ids), seen | set(ids)
    assert len(seen) > 40  # some were born


def test_the_painting_before_holds_strokes_back():
    """A frame that is a little lighter everywhere is followed the less, the more strokes hold."""
    rise = []
    for pull in (0.0, 20.0):
        own = film(hold=Hold(pull=pull, births=0, shown=0))
        one, two = (own.next(window(20, 20) * 0.9 + light, none()).painting.canvas for light in (0, 0.03))
        rise.append(float((two - one).mean()))
    assert rise[0] > 0.01
    assert rise[1] < 0.4 * rise[0]


def test_light_that_changes_too_slowly_to_be_seen_is_followed():
    own = film("lively")
    first, *_, last = (
        own.next(window(20, 20) * 0.9 + 0.006 * step, none()).painting.canvas for step in range(9)
    )
    assert float((last - first).mean()) > 0.01


def test_strokes_fade_in_and_out_and_then_are_gone():
    vectors = packed(3).numpy()
    fade, dying = np.array([1, 1, 0.25], np.float32), np.array([False, True, False])
    cast = replace(Cast.of(vectors, np.zeros(3, np.intp)), fade=fade, dying=dying)
    for fades in ([1, 0.75, 0.5], [1, 0.5, 0.75], [1, 0.25, 1]):
        cast = cast.aged(4)
        np.testing.assert_allclose(cast.shown[:, OPACITY], vectors[:, OPACITY] * np.array(fades)[:, None])
    assert len(cast.aged(4)) == 2


def test_a_cut_begins_anew():
    own = film()
    first = own.next(window(0, 0), none())
    other = window(48, 48).flip(2).flip(0).contiguous()
    second = own.next(other, none())
    assert second.fresh
    assert not set(first.ids.tolist()) & set(second.ids.tolist())


def test_threads_change_nothing():
    outcomes = []
    for count in (1, 2):
        cv2.setNumThreads(count)
        own = film()
        own.painter.workplace.backend.settle(count)
        own.next(window(20, 20), none())
        outcomes.append(own.next(window(22, 21), none()).painting.strokes.pack())
    assert torch.equal(*outcomes)


def test_strokes_that_go_are_those_that_are_worth_least():
    own = film()
    own.next(window(20, 20), none())
    scene, following = own._scene(window(20, 20), none()), own._following
    cast = own._cast[np.arange(8)]
    task = scene.task(cast.parts)
    there, _ = ReferenceBackend().removal_costs(scene.seen(cast.shown), task, scene.softness)
    hold = Hold(births=0.25, shown=0.25, gain=0.0, fade=5)
    motion = find_motion(scene.target, scene.target, moving(*scene.target.shape[:2]))
    before, rng = np.zeros(scene.target.shape[:2], np.float32), np.random.default_rng(0)
    after = turned_over(cast, scene, motion, before, following.painted, following.born, hold, 8, rng)
    going = set(cast.ids.tolist()) - set(after.ids[~after.dying].tolist())
    order = cast.ids[np.argsort(there.numpy())].tolist()
    assert going == set(order[:2])
