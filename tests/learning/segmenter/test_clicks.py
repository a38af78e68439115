"""Simulated clicks, what they are simulated on, and what they cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance.guidance.click_network import Clicks
from semantic_guidance.learning.data.cutouts.compose import Composite
from semantic_guidance.learning.data.cutouts.groups import compose_group, flutter
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.segmenter.clicks import ROUNDS, centre, corrected, first_clicks, next_click
from semantic_guidance.learning.segmenter.loss import click_loss
from semantic_guidance.learning.segmenter.samples import targets_of
from tests.learning.packs import write_pack


def rectangle(top: int, bottom: int, left: int, right: int, size=(24, 32)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def plane(mask: np.ndarray) -> Tensor:
    return torch.from_numpy(mask.astype(np.float32))[None, None]


def test_the_centre_is_deepest_inside_and_the_next_click_in_the_deepest_error():
    meant = rectangle(2, 11, 3, 16) | rectangle(14, 17, 3, 6)
    assert centre(meant)[1] == 6.5  # the middle row of nine
    assert 7 <= centre(meant)[0] <= 12
    # The frame's edge is an edge, too.
    assert centre(rectangle(0, 24, 0, 9))[0] == 4.5
    assert next_click(meant, meant) is None
    found = rectangle(2, 11, 3, 16) | rectangle(18, 23, 20, 25)
    assert next_click(found, meant) == (22.5, 20.5, -1.0)
    assert next_click(rectangle(2, 11, 3, 16), meant) == (4.5, 15.5, 1.0)
    with pytest.raises(ValueError, match="mask is empty"):
        centre(rectangle(0, 0, 0, 0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 20), st.integers(0, 28), st.integers(2, 20), st.integers(2, 20))
def test_first_clicks_lie_in_their_targets_or_in_boxes(seed, top, left, height, width):
    mask = rectangle(top, top + height, left, left + width)
    target = plane(mask)
    clicks = first_clicks(np.random.default_rng(seed), target, target, 3)
    x, y, sign = clicks.points[0, 0].tolist()
    assert clicks.points.shape == (1, 3, 3)
    assert not clicks.points[0, 1:].any()
    assert not clicks.previous.any()
    if sign:
        assert sign == 1
        assert mask[math.floor(y), math.floor(x)]
    else:
        assert clicks.box.any()
    if clicks.box.any():
        assert set(clicks.box.unique().tolist()) <= {-1.0, 1.0}
        inside = clicks.box[0, 0].numpy() > 0
        assert (inside & mask).sum() >= 0.5 * mask.sum()


def test_errors_are_corrected_where_they_are():
    meant = rectangle(4, 20, 4, 28)
    wrong = rectangle(4, 20, 4, 14)
    target = torch.cat([plane(meant), plane(meant)])
    logits = torch.cat([plane(meant), plane(wrong)]) * 20 - 10  # the first is right
    seen: list[Clicks] = []

    def decode(clicks: Clicks) -> tuple[Tensor, Tensor]:
        seen.append(clicks)
        return logits, torch.zeros(2)

    rng = np.random.default_rng(5)
    clicks = first_clicks(rng, target, target, 4)
    after = corrected(rng, clicks, target, decode, 3)
    assert len(seen) == 3
    assert torch.equal(seen[0].points, clicks.points)
    assert torch.equal(seen[1].previous, logits.sigmoid())
    assert not after.points[0, 1:].any()
    added = [point for point in after.points[1, 1:].tolist() if point[2]]
    assert added
    assert all(sign == 1 and 14 <= x <= 28 and 4 <= y <= 20 for x, y, sign in added)
    assert corrected(rng, clicks, target, decode, 0) is clicks
    assert sum(ROUNDS) == pytest.approx(1)


def test_click_loss_tells_how_good_the_mask_is():
    target = torch.tensor([[[[1.0, 0.0]]]])
    right = torch.tensor([[[[50.0, -50.0]]]])
    assert float(click_loss(right, torch.tensor([50.0]), target)) < 1e-4
    # Both pixels taken: IoU 1/2, of which a quality of 1/2 costs ln 2 at a weight of .1.
    both = torch.full_like(target, 50.0)
    sure, unsure = (float(click_loss(both, torch.tensor([logit]), target)) for logit in (4.0, 0.0))
    assert sure - unsure == pytest.approx(0.1 * (2 + math.log1p(math.exp(-4.0)) - math.log(2)), abs=1e-5)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> CutoutPack:
    return CutoutPack.load(write_pack(tmp_path_factory.mktemp("pack")))


def test_groups_are_of_one_kind_and_no_pixel_has_two_objects(pack):
    touching = 0
    for seed in range(8):
        made = compose_group(np.random.default_rng(seed), pack, 64, 96)
        again = compose_group(np.random.default_rng(seed), pack, 64, 96)
        assert np.array_equal(made.image, again.image)
        assert made.image.shape == (64, 96, 3)
        total = np.sum([*made.masks, *made.others], axis=0)
        assert total.max() <= 1 + 1e-4
        grown = [np.pad(mask > 0.5, 2) for mask in made.masks]
        near = [
            np.any([np.roll(one, (y, x), (0, 1)) for y in (-2, 0, 2) for x in (-2, 0, 2)], 0) for one in grown
        ]
        touching += any((a & b).any() for n, a in enumerate(near) for b in near[n + 1 :])
    assert touching >= 4


def test_what_moves_stays_within_itself(pack):
    made = compose_group(np.random.default_rng(3), pack, 96, 96)
    moved = flutter(np.random.default_rng(1), made.image, made.mask)
    changed = np.abs(moved - made.image).max(2)
    assert changed.max() > 0.05
    far = made.mask < 0.01
    for _ in range(24):  # blurred by some pixels
        far &= np.roll(far, 1, 0) & np.roll(far, -1, 0) & np.roll(far, 1, 1) & np.roll(far, -1, 1)
    assert changed[far].max(initial=0) < 1e-3


def test_targets_are_single_things():
    one, other = (rectangle(2, 10, left, left + 10).astype(np.float32) for left in (2, 20))
    image = np.zeros((24, 32, 3), np.float32)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        # A photograph's mask of two things apart: mostly one of them.
        chosen = targets_of(rng, Composite(image, (one + other,)))
        assert len(chosen) == 2
        for each in chosen:
            assert any(np.array_equal(each, wanted) for wanted in (one, other, one + other))
    both = targets_of(np.random.default_rng(0), Composite(image, (one,), (other,)))
    assert {each.tobytes() for each in both} == {one.tobytes(), other.tobytes()}
    twice = targets_of(np.random.default_rng(0), Composite(image, (one,)))
    assert [each.tobytes() for each in twice] == [one.tobytes()] * 2
    assert targets_of(np.random.default_rng(0), Composite(image, ())) == []
