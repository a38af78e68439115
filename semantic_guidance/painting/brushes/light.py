"""Where the light comes from that shows a painting's relief."""

from __future__ import annotations

import math

Light = tuple[float, float]
"""Degrees: azimuth, clockwise from the picture's top edge, and elevation above the canvas."""

UPPER_LEFT: Light = (323.1, 41.3)
"""The usual one."""

SIDES = {"top": 0.0, "right": 90.0, "bottom": 180.0, "left": 270.0}
"""Azimuth of light from each side."""

LOWEST = 5.0  # degrees of elevation; light from lower would leave nothing but shade


def light_of(word: str) -> Light | None:
    """The light of that name: a side, ``none``, or AZIMUTH,ELEVATION in degrees.

    >>> light_of("right"), light_of("45,30"), light_of("none")
    ((90.0, 41.3), (45.0, 30.0), None)

    Raises:
        ValueError: it is none of these.
    """
    name = word.strip().lower()
    if name == "none":
        return None
    if name in SIDES:
        return SIDES[name], UPPER_LEFT[1]
    try:
        azimuth, elevation = (float(part) for part in name.split(","))
    except ValueError:
        azimuth = elevation = math.nan
    if not (-360 <= azimuth <= 360 and LOWEST <= elevation <= 90):
        raise ValueError(
            f"got {word!r}, wanted {', '.join(SIDES)}, none, or AZIMUTH,ELEVATION in degrees, clockwise from"
            f" the top and {LOWEST:g} to 90"
        )
    return azimuth % 360, elevation


def towards(light: Light) -> tuple[float, float, float]:
    """The unit vector towards a light: right, down, out of the picture."""
    azimuth, elevation = (math.radians(angle) for angle in light)
    return (
        math.sin(azimuth) * math.cos(elevation),
        -math.cos(azimuth) * math.cos(elevation),
        math.sin(elevation),
    )
