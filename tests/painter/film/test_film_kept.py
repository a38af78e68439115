"""What a film keeps of its strokes, its places and its objects from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.painter.film.cast import GROWN, Cast
from semantic_guidance.painter.film.film import FAMILIAR
from semantic_guidance.painter.film.presets import Effort
from semantic_guidance.painter.film.refining import SPRING, refined
from semantic_guidance.painter.refine import MEAN_DECAY, SQUARE_DECAY
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import random_strokes
from tests.painter.film.scenery import SIZE, film, none, window

MASK = torch.zeros(1, SIZE, SIZE)
MASK[:, 10:40, 20:60] = 1


def known(*masks: torch.Tensor, confidence: float = 1.0) -> Guidance:
    """Guidance with these objects, of which the first one is as sure as that."""
    instances = [replace(Instance.from_mask(mask), confidence=1.0) for mask in masks]
    instances[0] = replace(instances[0], confidence=confidence)
    return Guidance(torch.stack(masks).amax(0), torch.zeros_like(masks[0]), tuple(instances))


def test_a_step_is_one_of_adams_with_the_squares_that_were_kept():
    own = film()
    own.next(window(20, 20), none())
    scene, cast = own._scene(window(22, 20), none()), own._cast
    assert cast.square.max(axis=0).min() > 0  # of the first painting
    task, start = scene.task(cast.parts), cast.vectors
    gradient = task.gradient(scene.seen(start), scene.softness)[1].numpy()
    square = np.full_like(start, 0.3 * np.square(gradient).max())
    cast = replace(cast, square=square, steps=np.full((len(cast), 1), 30, np.float32))
    effort = Effort(steps=1, more=0, rates=(0.5, 0.5))
    found = refined(cast, scene, task, own._following, effort, lambda step: step())

    rates = own._following.limits(cast, scene).rates
    twin = torch.from_numpy(start / rates.clip(1e-9)).requires_grad_()
    twin.grad = torch.from_numpy(gradient)
    # Its mean gradient begins anew, so that its own correction is that of a first step.
    rate = 0.5 * (1 - MEAN_DECAY**31) / (1 - MEAN_DECAY)
    adam = torch.optim.Adam([twin], rate, (MEAN_DECAY, SQUARE_DECAY), eps=1e-12)
    adam.state[twin] = {
        "step": torch.tensor(30.0),
        "exp_avg": torch.zeros_like(twin),
        "exp_avg_sq": torch.from_numpy(square.copy()),
    }
    adam.step()
    limits = own._following.limits(cast, scene)
    wanted = start + (1 - SPRING) * (twin.detach().numpy() * rates - start)
    inner = (wanted > limits.low) & (wanted < limits.high)
    assert inner.mean() > 0.6
    assert np.abs(found.vectors - start)[inner].max() > 1e-3
    np.testing.assert_allclose(found.vectors[inner], wanted[inner], atol=2e-5)
    np.testing.assert_allclose(found.square, adam.state[twin]["exp_avg_sq"].numpy(), rtol=1e-4)


def test_adams_squares_live_as_long_as_their_strokes():
    own = film()
    own.next(window(20, 20), none())
    before = dict(zip(own._cast.ids.tolist(), own._cast.steps[:, 0].tolist(), strict=True))
    own.next(window(22, 21), none())
    steps = own.effort.steps
    after = dict(zip(own._cast.ids.tolist(), own._cast.steps[:, 0].tolist(), strict=True))
    both = before.keys() & after.keys()
    assert len(both) > 20
    assert all(steps <= after[n] - before[n] <= steps + own.effort.more for n in both)
    assert all(after[n] <= steps + own.effort.more for n in after.keys() - before.keys())


def test_a_place_is_as_familiar_as_it_has_been_in_view():
    own = film()
    own.next(window(20, 20), none())
    for frame in range(1, 4):
        own.next(window(20 + 6 * frame, 20), none())  # six new columns at the right
    sides = own._last.familiar
    scale = sides.shape[1] / SIZE
    for frame, columns in ((1, (66, 70)), (2, (60, 64)), (3, (54, 58))):
        seen = sides[:, round(columns[0] * scale) : round(columns[1] * scale)]
        assert np.median(seen) < frame / FAMILIAR + 0.02
    assert np.median(sides[:, : round(40 * scale)]) > 0.9


def test_parts_are_numbered_as_the_objects_that_are_used():
    own = film()
    doubtful, sure = torch.zeros_like(MASK), MASK
    doubtful[:, 50:70, 5:30] = 1
    found = known(doubtful, sure, confidence=0.01)
    own._known = own.painter.known(found)
    assert len(own._known.instances) == 1
    layers = (
        Layer(random_strokes(2)),
        Layer(random_strokes(3, 1), "foreground", 1),
        Layer(random_strokes(1, 2), "background"),
    )
    parts = own._parts(Painting(layers, (0.5, 0.5, 0.5), SIZE, SIZE, found, {}), found)
    assert parts.tolist() == [-1, -1, 0, 0, 0, -1]


def test_strokes_of_an_object_show_under_its_mask_alone():
    own = film(style="likeness")
    own.next(window(20, 20), known(MASK))
    scene = own._scene(window(20, 20), own._known)
    assert scene.masked
    wide = np.zeros((1, 13), np.float32)
    wide[:, POINTS], wide[:, RADIUS], wide[:, OPACITY], wide[:, COLOR] = 0.5, 2, 1, (1, 0, 0)
    cast = Cast.of(wide, np.zeros(1, np.intp), age=GROWN)
    canvas, _ = scene.painted(scene.task(cast.parts), cast.vectors)
    rows, columns = (np.arange(side) + 0.5 for side in canvas.shape[:2])
    inside = MASK[0].numpy()[(rows * SIZE / len(rows)).astype(int)][
        :, (columns * SIZE / len(columns)).astype(int)
    ]
    red = canvas - np.float32(own._ground)
    assert np.abs(red[inside == 0]).max() < np.abs(red[inside == 1]).max()
    far = np.ones_like(inside, bool)
    edge = round(4 * len(rows) / SIZE)
    for n in range(-edge, edge + 1):
        far &= (np.roll(inside, n, 0) == inside) & (np.roll(inside, n, 1) == inside)
    assert np.allclose(canvas[far & (inside == 0)], own._ground, atol=1e-3)
    assert np.allclose(canvas[far & (inside == 1)], (1, 0, 0), atol=1e-3)
