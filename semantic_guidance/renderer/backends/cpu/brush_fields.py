"""Where a pixel lies on a stroke, and noise, for the compiled brush kernels."""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.compile import jit
from semantic_guidance.renderer.backends.cpu.geometry import FAR, HALF, ONE, TINY, TWO, ZERO

MASK = np.uint64(0xFFFFFFFF)
THREE = np.float32(3)
UNIT = np.float32(2.0**-32)


@jit()
def hashed(x, y, seed):
    """A pseudo-random number in [0, 1) that depends on three whole numbers."""
    h = (np.uint64(x) * np.uint64(0x9E3779B1) + np.uint64(y) * np.uint64(0x85EBCA77)) & MASK
    h = (h + np.uint64(seed) * np.uint64(0xC2B2AE3D)) & MASK
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(0x2C1B3C6D)) & MASK
    h = ((h ^ (h >> np.uint64(12))) * np.uint64(0x297A2D39)) & MASK
    return np.float32(h ^ (h >> np.uint64(15))) * UNIT


@jit()
def noise(x, y, seed):
    """Smooth noise in [0, 1] at a place; it varies over a length of 1."""
    fx, fy = np.floor(x), np.floor(y)
    u, v = np.float32(x - fx), np.float32(y - fy)
    i, j = int(fx), int(fy)
    u, v = u * u * (THREE - TWO * u), v * v * (THREE - TWO * v)
    top = hashed(i, j, seed) * (ONE - u) + hashed(i + 1, j, seed) * u
    bottom = hashed(i, j + 1, seed) * (ONE - u) + hashed(i + 1, j + 1, seed) * u
    return top * (ONE - v) + bottom * v


@jit()
def smooth_step(low, high, value):
    """0 up to `low`, 1 from `high` on, smooth between."""
    t = min(max((value - low) / (high - low), ZERO), ONE)
    return t * t * (THREE - TWO * t)


@jit()
def lengths_along(vx, vy, count, along):
    """Write the polyline's length up to each vertex to `along`; returns the whole length."""
    along[0] = ZERO
    for j in range(count):
        dx, dy = vx[j + 1] - vx[j], vy[j + 1] - vy[j]
        along[j + 1] = along[j] + np.sqrt(dx * dx + dy * dy)
    return along[count]


@jit()
def measure_row(vx, vy, vr, count, along, y, first, end, low, high, row):
    """Coordinates of a row's pixels on a stroke, in pixels.

    Writes to the planes of `row`: signed distance to the round cone's edge, length along the curve (negative
    before its start, beyond its length after its end), signed offset across it, radius there; `FAR` and zeros
    where no segment is near.
    """
    for i in range(first, end):
        row[0, i], row[1, i], row[2, i], row[3, i] = FAR, ZERO, ZERO, ZERO
    for s in range(count):
        dx, dy, growth = vx[s + 1] - vx[s], vy[s + 1] - vy[s], vr[s + 1] - vr[s]
        length = np.sqrt(dx * dx + dy * dy)
        inverse = ONE / max(length, TINY)
        ux, uy = (dx * inverse, dy * inverse) if length > ZERO else (ONE, ZERO)
        py = y - vy[s]
        for i in range(low[s], high[s]):
            px = np.float32(i) + HALF - vx[s]
            x, across = px * ux + py * uy, py * ux - px * uy
            t = min(max(x * inverse, ZERO), ONE) if length > ZERO else ZERO
            rest = x - t * length
            radius = vr[s] + t * growth
            d = np.sqrt(rest * rest + across * across) - radius
            if d < row[0, i]:
                beyond = (s == 0 and rest < ZERO) or (s == count - 1 and rest > ZERO)
                row[0, i] = d
                row[1, i] = along[s] + t * length + (rest if beyond else ZERO)
                row[2, i] = across
                row[3, i] = radius
