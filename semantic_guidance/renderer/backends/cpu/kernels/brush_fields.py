"""Where a pixel lies on a stroke, and noise, for the compiled brush kernels."""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.ends import INVERSE_SQUARED, SQUARE_FRONT
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    FAR,
    HALF,
    HIGH,
    INNER_LOW,
    LOW,
    ONE,
    TINY,
    TWO,
    ZERO,
    F,
    R,
    U,
    X,
    Y,
)
from semantic_guidance.renderer.backends.cpu.layout import FILBERT, SQUARE, STRIDE

ALONG = INNER_LOW  # the field is free: brushes have no surely covered columns
MASK = np.uint64(0xFFFFFFFF)
THREE = F(3)
UNIT = F(2.0**-32)


@part
def hashed(x, y, seed):
    """A pseudo-random number in [0, 1) that depends on three whole numbers."""
    h = (np.uint64(x) * np.uint64(0x9E3779B1) + np.uint64(y) * np.uint64(0x85EBCA77)) & MASK
    h = (h + np.uint64(seed) * np.uint64(0xC2B2AE3D)) & MASK
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(0x2C1B3C6D)) & MASK
    h = ((h ^ (h >> np.uint64(12))) * np.uint64(0x297A2D39)) & MASK
    return np.float32(h ^ (h >> np.uint64(15))) * UNIT


@part
def noise(x, y, seed):
    """Smooth noise in [0, 1] at a place; it varies over a length of 1."""
    fx, fy = np.floor(x), np.floor(y)
    u, v = np.float32(x - fx), np.float32(y - fy)
    i, j = int(fx), int(fy)
    u, v = u * u * (THREE - TWO * u), v * v * (THREE - TWO * v)
    top = hashed(i, j, seed) * (ONE - u) + hashed(i + 1, j, seed) * u
    bottom = hashed(i, j + 1, seed) * (ONE - u) + hashed(i + 1, j + 1, seed) * u
    return top * (ONE - v) + bottom * v


@part
def smooth_step(low, high, value):
    """0 up to `low`, 1 from `high` on, smooth between."""
    t = min(max((value - low) / (high - low), ZERO), ONE)
    return t * t * (THREE - TWO * t)


@part
def lengths_along(count, seg):
    """Write the polyline's length up to each vertex to the field `ALONG`; returns the whole length."""
    seg[U(ALONG * STRIDE)] = ZERO
    for j in range(count):
        dx = seg[U(X * STRIDE + j + 1)] - seg[U(X * STRIDE + j)]
        dy = seg[U(Y * STRIDE + j + 1)] - seg[U(Y * STRIDE + j)]
        seg[U(ALONG * STRIDE + j + 1)] = seg[U(ALONG * STRIDE + j)] + np.sqrt(dx * dx + dy * dy)
    return seg[U(ALONG * STRIDE + count)]


@part
def beyond_end(ends, front, across):
    """`reference.end_norm` of a place in front of an end point."""
    if ends == SQUARE:
        return max(abs(across), abs(front) / SQUARE_FRONT)
    squared, turned = across * across, front * front
    if ends == FILBERT:
        turned *= INVERSE_SQUARED
        return np.sqrt(np.sqrt(squared * squared + turned * turned))
    return np.sqrt(squared + turned)


@part
def measure_row(count, ends, seg, spans, y, first, end, distance, course, across, radius):
    """Coordinates of a row's pixels on a stroke, in pixels.

    Writes signed distance to the round cone's edge, length along the curve (negative before its start, beyond
    its length after its end), signed offset across it, radius there; `FAR` and zeros where there is no
    segment.
    """
    for i in range(first, end):
        distance[i], course[i], across[i], radius[i] = FAR, ZERO, ZERO, ZERO
    for s in range(count):
        ax, ay, r = seg[U(X * STRIDE + s)], seg[U(Y * STRIDE + s)], seg[U(R * STRIDE + s)]
        dx, dy = seg[U(X * STRIDE + s + 1)] - ax, seg[U(Y * STRIDE + s + 1)] - ay
        growth = seg[U(R * STRIDE + s + 1)] - r
        length = np.sqrt(dx * dx + dy * dy)
        inverse = ONE / max(length, TINY)
        ux, uy = (dx * inverse, dy * inverse) if length > ZERO else (ONE, ZERO)
        py = y - ay
        for i in range(int(spans[U(LOW * STRIDE + s)]), int(spans[U(HIGH * STRIDE + s)])):
            px = F(i) + HALF - ax
            x, off = px * ux + py * uy, py * ux - px * uy
            t = min(max(x * inverse, ZERO), ONE) if length > ZERO else ZERO
            rest = x - t * length
            own = r + t * growth
            beyond = (s == 0 and rest < ZERO) or (s == count - 1 and rest > ZERO)
            d = (beyond_end(ends, rest, off) if beyond else np.sqrt(rest * rest + off * off)) - own
            if d < distance[i]:
                distance[i] = d
                course[i] = seg[U(ALONG * STRIDE + s)] + t * length + (rest if beyond else ZERO)
                across[i] = off
                radius[i] = own
