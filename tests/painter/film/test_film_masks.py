"""Masks of objects, followed from frame to frame, against where the objects are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.painter.film.film import Film
from semantic_guidance.painter.film.flow import find_motion
from semantic_guidance.painter.film.masks import PATIENCE, Tracked
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.painter import Painter

HEIGHT, WIDTH, RADIUS = 72, 96, 14


def rough(shape: tuple[int, int], cells: int, seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).random((cells, cells, 3), np.float32)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)


GROUND = rough((HEIGHT + 20, WIDTH + 40), 16, 0) * np.float32([0.4, 0.7, 0.9])
BALL = 0.5 * rough((2 * RADIUS + 1,) * 2, 6, 1) + np.float32([0.5, 0.2, 0.0])


def scene(step: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame ``[H, W, 3]`` of a ball that moves by (3, 1) over ground that moves by (-1, 0); its mask."""
    frame = GROUND[5 : 5 + HEIGHT, step : step + WIDTH].copy()
    x, y = 14 + 3 * step, 18 + step
    rows, columns = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    disk = (rows**2 + columns**2 <= RADIUS**2).astype(np.float32)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    place = slice(y, y + 2 * RADIUS + 1), slice(x, x + 2 * RADIUS + 1)
    mask[place] = disk
    frame[place] += disk[..., None] * (BALL - frame[place])
    return frame, mask


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    a, b = one > 0.5, other > 0.5
    return float((a & b).sum() / (a | b).sum())


def guidance(*masks: np.ndarray) -> Guidance:
    planes = torch.from_numpy(np.stack(masks))[:, None]
    instances = tuple(Instance.from_mask(plane) for plane in planes)
    return Guidance(planes.amax(dim=0), torch.zeros_like(planes[0]), instances)


def test_a_ball_is_followed():
    frame, mask = scene(0)
    tracked = Tracked.of(guidance(mask), frame)
    for step in range(1, 11):
        before, (frame, mask) = frame, scene(step)
        tracked = tracked.followed(frame, find_motion(before, frame, np.zeros(mask.shape, bool)), step)
        assert alike(tracked.masks[0], mask) >= 0.95
    large = tracked.known(2 * HEIGHT, 2 * WIDTH)
    assert alike(large.instances[0].mask[0, ::2, ::2].numpy(), mask) >= 0.9


def test_objects_keep_their_numbers_when_they_are_found_again():
    frame, ball = scene(0)
    other, third = np.zeros_like(ball), np.zeros_like(ball)
    other[50:68, 60:90], third[2:14, 70:94] = 1, 1
    tracked = Tracked.of(guidance(other, ball), frame)
    again = tracked.corrected(guidance(np.roll(ball, 2, 1), other, third), frame)
    assert [alike(*pair) > 0.8 for pair in zip(again.masks, (other, ball, third), strict=True)] == [True] * 3
    assert again.since == 0
    for _ in range(PATIENCE):  # the first one has left
        again = again.corrected(guidance(ball, third), frame)
    assert [bool(mask.any()) for mask in again.masks] == [False, True, True]
    fourth = again.corrected(guidance(ball, np.roll(other, -40, 1)), frame)  # which takes the free number
    assert len(fourth.masks) == 3
    assert alike(fourth.masks[0], np.roll(other, -40, 1)) == 1


def test_a_state_goes_on_alike():
    frame, mask = scene(0)
    tracked = Tracked.of(guidance(mask), frame)
    motion = find_motion(frame, scene(1)[0], np.zeros(mask.shape, bool))
    one, two = (
        each.followed(scene(1)[0], motion, 2) for each in (tracked, Tracked.restored(tracked.state()))
    )
    assert np.array_equal(one.masks, two.masks)
    assert one.doubtful(motion, 1)
    assert not replace(one, since=0).doubtful(motion, 10)


def test_masks_of_a_film_move_with_its_objects():
    """Told of them once, the painter knows where they are in later frames, and shows their strokes there."""
    film = Film(Painter(None, "draft", strokes=30, size=WIDTH))
    for step in range(3):
        frame, mask = scene(step)
        picture = torch.from_numpy(frame.transpose(2, 0, 1).copy()).clamp(0, 1)
        painting = film.next(picture, guidance(mask) if step == 0 else None).painting
        assert alike(painting.masks[0][0].numpy(), mask) >= 0.93
    assert painting.foreground_strokes > 0
    assert {layer.mask for layer in painting.layers if layer.level == "foreground"} == {0}
    assert painting.guidance.instances[0].box[0] > 14


def test_the_guide_looks_again_now_and_then_unless_one_is_told():
    looks: list[int] = []

    def guide(picture: torch.Tensor) -> Guidance:
        looks.append(step)
        return guidance(scene(step)[1])

    for told, wanted in ((False, [0, 2, 4]), (True, [])):
        looks.clear()
        film = Film(Painter(None, "draft", strokes=10, size=WIDTH, guide=guide), Hold(look_every=2))
        for step in range(5):
            frame, mask = scene(step)
            picture = torch.from_numpy(frame.transpose(2, 0, 1).copy()).clamp(0, 1)
            film.next(picture, guidance(mask) if told and step == 0 else None)
        assert looks == wanted
