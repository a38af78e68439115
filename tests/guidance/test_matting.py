"""Edges at the picture's own resolution, against a slow twin and synthetic edges whose alpha is known."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.guidance.matting import colour_line, sharp_edges, sharpened
from semantic_guidance.guidance.thin import thin_parts

RED, BLUE = np.array([0.75, 0.25, 0.2]), np.array([0.2, 0.35, 0.7])


def bytes_of(image, side):
    shrink = side / max(image.shape[:2])
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return (small * 255).round().astype(np.uint8)


def composed(alpha, rng, noise=0.02):
    colours = alpha[..., None] * RED + (1 - alpha[..., None]) * BLUE
    return np.clip(colours + rng.normal(0, noise, colours.shape), 0, 1).astype(np.float32)


def test_the_line_is_fishers_discriminant():
    """Windows, means, pooled covariance and the 3 x 3 system, pixel by pixel."""
    rng = np.random.default_rng(0)
    image = rng.random((9, 11, 3)).astype(np.float32)
    inside, outside = rng.random((2, 9, 11)).astype(np.float32)
    reach = 2
    slope, offset, trust = colour_line(image, inside, outside, reach)
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric").astype(float)
    sides = [np.pad(plane, reach, mode="symmetric").astype(float) for plane in (inside, outside)]
    for y in range(9):
        for x in range(11):
            window = slice(y, y + 5), slice(x, x + 5)
            colours = padded[window].reshape(-1, 3)
            means = [np.average(colours, axis=0, weights=side[window].ravel()) for side in sides]
            spreads = [np.cov(colours.T, aweights=side[window].ravel(), ddof=0) for side in sides]
            pooled = sum(spreads) / 2 + 3e-4 * np.eye(3)
            wanted = np.linalg.solve(pooled, means[0] - means[1])
            apart = wanted @ (means[0] - means[1])
            wanted = wanted / apart
            assert slope[y, x] == pytest.approx(wanted, rel=2e-2, abs=2e-2)
            assert slope[y, x] @ means[0] + offset[y, x] == pytest.approx(1, abs=5e-3)
            assert slope[y, x] @ means[1] + offset[y, x] == pytest.approx(0, abs=5e-3)
            assert trust[y, x] == pytest.approx((apart / (apart + 4)) ** 2, abs=1e-2)


def test_a_side_without_pixels_is_not_trusted():
    image = np.random.default_rng(1).random((12, 12, 3)).astype(np.float32)
    none, all_ = np.zeros((12, 12), np.float32), np.ones((12, 12), np.float32)
    assert colour_line(image, none, all_, 2)[2].max() == 0


def test_alike_colours_are_not_trusted():
    image = np.full((16, 16, 3), 0.5, np.float32) + np.random.default_rng(2).normal(0, 0.05, (16, 16, 3))
    inside = np.zeros((16, 16), np.float32)
    inside[:, :8] = 1
    assert np.median(colour_line(image.astype(np.float32), inside, 1 - inside, 4)[2]) < 0.1


def wavy(height, width, softness):
    """Alpha of an object whose edge waves with `softness` pixels from 1 to 0."""
    ys, xs = np.mgrid[:height, :width]
    away = width / 2 + 0.08 * width * np.sin(ys / height * 9) + 4 * np.sin(ys * 0.7) - xs
    return np.clip(away / softness + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize("softness", [1, 8])
def test_alpha_of_a_known_edge_is_nearer_than_bilinear(softness):
    """The network's answer: blurred, at a quarter of the size and four pixels to the side."""
    alpha = wavy(360, 480, softness)
    image = composed(alpha, np.random.default_rng(3))
    blurred = cv2.GaussianBlur(np.roll(alpha, 4, 1), (0, 0), 6)
    coarse = cv2.resize(blurred, (120, 90), interpolation=cv2.INTER_AREA)
    bilinear = cv2.resize(coarse, (480, 360), interpolation=cv2.INTER_LINEAR)
    found = sharp_edges(image, coarse, bytes_of(image, 120))
    band = cv2.dilate(((alpha > 0) & (alpha < 1)).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    before, after = (float(np.abs(each - alpha)[band].mean()) for each in (bilinear, found))
    assert after < 0.4 * before


def test_a_hard_edge_is_about_a_pixel_wide():
    alpha = wavy(360, 480, 1)
    image = composed(alpha, np.random.default_rng(4), 0.01)
    coarse = cv2.resize(cv2.GaussianBlur(alpha, (0, 0), 5), (120, 90), interpolation=cv2.INTER_AREA)
    found = sharp_edges(image, coarse, bytes_of(image, 120))
    unsure = (found > 0.1) & (found < 0.9)
    assert unsure.sum(1).mean() < 3


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.integers(0, 9))
def test_any_size(height, width, finer, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)).astype(np.float32)
    seen = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = rng.random((height * finer, width * finer, 3)).astype(np.float32)
    found = sharp_edges(image, mask, seen)
    assert found.shape == image.shape[:2]
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_edge_stays(value):
    mask = np.full((8, 9), value, np.float32)
    found = sharp_edges(np.zeros((16, 18, 3), np.float32), mask, np.zeros((8, 9, 3), np.uint8))
    assert (found == value).all()


def test_memory_beyond_the_answer_is_bounded():
    """A long picture is worked on in strips: a view of 3 MP, 12 MB of mask, and the same again at most."""
    image = np.broadcast_to(np.array([0.5, 0.2, 0.7], np.float32), (3000, 1000, 3))
    mask = np.zeros((150, 50), np.float32)
    mask[20:60, 10:40] = 1
    seen = np.full((150, 50, 3), 90, np.uint8)
    tracemalloc.start()
    sharp_edges(image, mask, seen)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * 3000 * 1000 * 4 + 12e6


def picture_of(*lines, radius=50, contrast=(60, 150)):
    """A disc and lines (x, y, x, y), 200 x 240; belief, faint in the lines; the disc's mask; the lines."""
    rng = np.random.default_rng(5)
    shade, ground = contrast
    seen = np.full((200, 240), ground, np.uint8)
    disc, drawn = np.zeros((200, 240), np.uint8), np.zeros((200, 240), np.uint8)
    cv2.circle(disc, (120, 80), radius, 1, -1)
    for x0, y0, x1, y1 in lines:
        cv2.line(drawn, (x0, y0), (x1, y1), 1, 3)
    seen[(disc | drawn) > 0] = shade
    seen = np.clip(seen[..., None] + rng.normal(0, 3, (200, 240, 3)), 0, 255).astype(np.uint8)
    mask = disc.astype(np.float32)
    return seen, np.maximum(mask, 0.2 * drawn), mask, (drawn > 0) & (disc == 0)


def test_legs_belong_to_a_disc():
    seen, belief, mask, legs = picture_of((105, 120, 95, 180), (135, 120, 145, 180))
    found = thin_parts(seen, belief, mask)
    for columns in (slice(0, 120), slice(120, 240)):
        rows = legs[:, columns].any(1)
        assert (found & legs)[rows, columns].any(1).mean() > 0.95
    assert (found & ~legs & (mask == 0)).sum() < 0.1 * legs.sum()


@pytest.mark.parametrize(
    "bar", [(0, 80, 239, 80), (20, 80, 220, 80), (50, 10, 190, 150), (120, 80, 120, 199)]
)
def test_a_bar_that_crosses_a_disc_or_leaves_the_frame_does_not_belong_to_it(bar):
    seen, belief, mask, _ = picture_of(bar)
    assert not thin_parts(seen, belief, mask).any()


def test_a_line_that_goes_on_where_belief_ends_does_not_belong():
    seen, belief, mask, _ = picture_of((120, 120, 120, 185))
    belief[150:][mask[150:] == 0] = 0
    assert not thin_parts(seen, belief, mask).any()


def test_a_line_apart_from_the_disc_or_one_that_nobody_believes_in_does_not_belong():
    seen, belief, mask, _ = picture_of((120, 145, 120, 190))
    assert not thin_parts(seen, belief, mask).any()
    seen, belief, mask, _ = picture_of((105, 120, 95, 180))
    assert not thin_parts(seen, mask, mask).any()


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_thin_parts_of_any_size(height, width, seed):
    rng = np.random.default_rng(seed)
    belief = rng.random((height, width)).astype(np.float32)
    seen = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = thin_parts(seen, belief, (belief > 0.7).astype(np.float32))
    assert found.shape == (height, width)
    assert found.dtype == bool


def test_guidance_of_a_small_picture_has_the_large_ones_edges():
    """Four times finer: nearer to the true edge than bilinear; the face and the focus are resized only."""
    alpha = wavy(360, 480, 1)
    image = composed(alpha, np.random.default_rng(6), 0.01)
    large = torch.from_numpy(image).permute(2, 0, 1)
    small = torch.from_numpy(bytes_of(image, 120)).permute(2, 0, 1).float() / 255
    coarse = torch.from_numpy(cv2.resize(cv2.GaussianBlur(alpha, (0, 0), 4), (120, 90), interpolation=3))[
        None
    ]
    face = torch.zeros_like(coarse)
    face[:, 20:40, 10:30] = 1
    both = (Instance.from_mask(coarse), Instance.from_mask(face, "face"))
    guidance = Guidance(coarse, torch.ones_like(coarse), both)
    plain = guidance.resized(360, 480)
    found = sharpened(plain, guidance, small, large)
    off, before = ((each.mask[0].numpy() > 0.5) != (alpha > 0.5) for each in (found, plain))
    assert off.sum() < 0.4 * before.sum()
    assert torch.equal(found.instances[1].mask, plain.instances[1].mask)
    assert float(found.focus[(found.mask <= 0.5) & (plain.mask > 0.5)].abs().max()) == 0
    assert found.instances[0].box == Instance.from_mask(found.instances[0].mask).box
