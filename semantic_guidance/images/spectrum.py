"""Colours of reflected light: sRGB of spectra from 380 to 750 nm in steps of 10."""

from __future__ import annotations

import numpy as np

from semantic_guidance.images.color import Array, encoded

BANDS = 38
WAVELENGTHS = np.linspace(380, 750, BANDS)

OBSERVER = np.array(
    [
        [0.001368, 3.9e-05, 0.00645],
        [0.004243, 0.00012, 0.02005],
        [0.01431, 0.000396, 0.06785],
        [0.04351, 0.00121, 0.2074],
        [0.1344, 0.004, 0.6456],
        [0.2839, 0.0116, 1.386],
        [0.3483, 0.023, 1.747],
        [0.3362, 0.038, 1.772],
        [0.2908, 0.06, 1.669],
        [0.1954, 0.09098, 1.288],
        [0.09564, 0.139, 0.813],
        [0.03201, 0.208, 0.4652],
        [0.0049, 0.323, 0.272],
        [0.0093, 0.503, 0.1582],
        [0.06327, 0.71, 0.07825],
        [0.1655, 0.862, 0.04216],
        [0.2904, 0.954, 0.0203],
        [0.4334, 0.995, 0.00875],
        [0.5945, 0.995, 0.0039],
        [0.7621, 0.952, 0.0021],
        [0.9163, 0.87, 0.00165],
        [1.026, 0.757, 0.0011],
        [1.062, 0.631, 0.0008],
        [1.003, 0.503, 0.00034],
        [0.8544, 0.381, 0.00019],
        [0.6424, 0.265, 5e-05],
        [0.4479, 0.175, 2e-05],
        [0.2835, 0.107, 2.118e-22],
        [0.1649, 0.061, 0],
        [0.0874, 0.032, 0],
        [0.04677, 0.017, 0],
        [0.0227, 0.00821, 0],
        [0.01136, 0.004102, 0],
        [0.00579, 0.002091, 0],
        [0.002899, 0.001047, 0],
        [0.00144, 0.00052, 0],
        [0.0006901, 0.0002492, 0],
        [0.0003323, 0.00012, 0],
    ]
)
"""Colour matching functions of the CIE 1931 standard observer at `WAVELENGTHS`."""

DAYLIGHT = np.array(
    [
        49.9755,
        54.6482,
        82.7549,
        91.486,
        93.4318,
        86.6823,
        104.865,
        117.008,
        117.812,
        114.861,
        115.923,
        108.811,
        109.354,
        107.802,
        104.79,
        107.689,
        104.405,
        104.046,
        100,
        96.3342,
        95.788,
        88.6856,
        90.0062,
        89.5991,
        87.6987,
        83.2886,
        83.6992,
        80.0268,
        80.2146,
        82.2778,
        78.2842,
        69.7213,
        71.6091,
        74.349,
        61.604,
        69.8856,
        75.087,
        63.5927,
    ]
)
"""CIE standard illuminant D65 at `WAVELENGTHS`."""

TO_RGB = np.array(
    [
        [3.2406255, -1.5372080, -0.4986286],
        [-0.9689307, 1.8757561, 0.0415175],
        [0.0557101, -0.2040211, 1.0569959],
    ]
)
"""From XYZ to linear sRGB, IEC 61966-2-1."""

WHITE = np.array([0.95047, 1.0, 1.08883])
"""XYZ of a perfect white in D65: sums are scaled to it, as bands are coarse and some light is beyond."""


def to_xyz(reflectance: Array) -> Array:
    """XYZ ``[N, 3]`` in daylight of reflectance ``[N, BANDS]`` in [0, 1]; Y is 1 for white."""
    weights = OBSERVER * DAYLIGHT[:, None]
    return np.asarray(reflectance @ (weights / weights.sum(axis=0)) * WHITE)


def to_srgb(reflectance: Array) -> Array:
    """sRGB ``[N, 3]`` in daylight of reflectance ``[N, BANDS]``, clipped to what can be shown."""
    return encoded(to_xyz(reflectance) @ TO_RGB.T)
