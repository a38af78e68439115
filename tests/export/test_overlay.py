"""What is drawn over a picture: read back as pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.export.overlay import COLORS, SHADE, color_of, guidance_overlay, guidance_sheet, told
from semantic_guidance.painting.painting import Layer, Painting


def square(x: int, y: int, side: int, height: int, width: int, kind: str = "object") -> Instance:
    mask = torch.zeros(1, height, width)
    mask[:, y : y + side, x : x + side] = 1
    return Instance.from_mask(mask, kind, 0.9)


def known(height: int, width: int, count: int) -> Guidance:
    """So many squares in a row, the last one a face."""
    step = width // (count + 1)
    kinds = ["object"] * (count - 1) + ["face"]
    instances = tuple(
        square(step * n + step // 2, height // 3, max(3, step // 2), height, width, kind)
        for n, kind in enumerate(kinds)
    )
    mask = torch.stack([each.mask for each in instances]).amax(0)
    return Guidance(mask, torch.zeros_like(mask), instances)


def near(picture: torch.Tensor, color: tuple[float, float, float]) -> int:
    """How many pixels are of a colour."""
    return int(((picture - torch.tensor(color)[:, None, None]).abs().amax(0) < 0.02).sum())


def test_what_is_no_object_is_dimmed_and_the_focus_glows() -> None:
    image = torch.full((3, 60, 80), 0.8)
    mask, focus = torch.zeros(1, 60, 80), torch.zeros(1, 60, 80)
    mask[:, 10:50, 20:60] = 1
    focus[:, 30, 40] = 1
    overlay = guidance_overlay(image, Guidance(mask, focus, (Instance.from_mask(mask),)))
    assert overlay.shape == (3, 60, 80)
    assert torch.allclose(overlay[:, 3, 3], torch.full((3,), 0.8 * SHADE))
    assert torch.allclose(overlay[:, 20, 30], torch.full((3,), 0.8))
    assert overlay[0, 30, 40] > 2 * overlay[2, 30, 40]
    assert (overlay[:, 10, 20] - 0.8).abs().max() > 0.1  # the box's corner


def test_a_large_picture_without_objects() -> None:
    overlay = guidance_overlay(torch.ones(3, 30, 3000), Guidance.none())
    assert overlay.shape == (3, 10, 1024)
    assert torch.allclose(overlay, torch.tensor(SHADE))


def test_what_matters_off_the_objects_glows_too() -> None:
    guidance = Guidance(torch.zeros(1, 60, 80), torch.zeros(1, 60, 80))
    guidance.focus[:, 30, 40] = 1
    overlay = guidance_overlay(torch.full((3, 60, 80), 0.8), guidance)
    assert overlay[0, 30, 40] > 2 * overlay[2, 30, 40]


def test_colours_differ() -> None:
    colors = [color_of(index) for index in range(20)]
    assert colors[: len(COLORS)] == list(COLORS)
    apart = [np.abs(np.subtract(a, b)).max() for n, a in enumerate(colors) for b in colors[:n]]
    assert min(apart) > 0.15


@pytest.mark.parametrize("shade", [0.0, 0.9])
def test_each_object_has_its_number_in_its_colour(shade: float) -> None:
    """Three plates, whatever the picture: none covers another, and each has dark letters on it."""
    guidance = known(300, 400, 3)
    overlay = guidance_overlay(torch.full((3, 300, 400), shade), guidance)
    plain = guidance_overlay(torch.full((3, 300, 400), shade), Guidance(guidance.mask, guidance.focus, ()))
    for index, instance in enumerate(guidance.instances):
        outline = 4 * instance.box[2]
        assert near(overlay, color_of(index)) > outline  # outline and plate
        assert near(plain, color_of(index)) == 0
        x, y = int(instance.box[0]), int(instance.box[1])
        corner = overlay[:, y : y + 16, x : x + 20]
        assert 0 < near(corner, (0.0, 0.0, 0.0)) < 150


@pytest.mark.parametrize(
    ("height", "width", "count"), [(300, 200, 1), (40, 30, 3), (300, 400, 20), (4, 900, 2)]
)
def test_a_sheet_lists_the_objects(height: int, width: int, count: int) -> None:
    guidance = known(height, width, count)
    vectors = torch.rand(1, 4, 13, generator=torch.Generator().manual_seed(0))
    layers = tuple(Layer(Strokes.unpack(vectors), "foreground", n) for n in range(count))
    painting = Painting(
        (Layer(Strokes.unpack(vectors)), *layers), (1.0, 1.0, 1.0), width, height, guidance=guidance
    )
    assert painting.shares == (1 / (count + 1),) * count
    sheet = guidance_sheet(torch.full((3, height, width), 0.4), painting)
    scale = max(1.0, 640 / max(height, width))
    below = sheet[:, round(height * scale) :]
    assert sheet.shape[2] >= round(width * scale)
    for index in range(count):
        assert near(below, color_of(index)) > 100  # a plate with its number
    ink = near(below, (40 / 255,) * 3)
    assert ink > 60 * count  # letters
    assert below.shape[1] < (28 * (count + 2) if sheet.shape[2] < 600 else 16 * (count + 4))
    nothing = guidance_sheet(torch.ones(3, height, width), Painting((), (1.0, 1.0, 1.0), width, height))
    assert nothing.shape[1] > round(height * scale)


def test_shares_are_those_of_the_strokes() -> None:
    def layer(count: int, *more: object) -> Layer:
        return Layer(Strokes.unpack(torch.zeros(1, count, 13)), *more)

    layers = (layer(5), layer(2, "foreground", 0), layer(1, "foreground", 1), layer(2, "foreground", 0))
    guidance = known(30, 40, 3)
    painting = Painting(layers, (1.0, 1.0, 1.0), 40, 30, guidance=guidance)
    assert painting.shares == (0.4, 0.1, 0.0)
    assert Painting((), (1.0, 1.0, 1.0), 40, 30).shares == ()


def test_what_is_painted_as_background_is_shown_as_that():
    """Of two squares one is doubtful: dimmed, without glow, outlined thinly, and the list says why."""
    masks = torch.zeros(2, 1, 90, 120)
    masks[0, :, 20:70, 10:50], masks[1, :, 20:70, 70:110] = 1, 1
    sure, doubtful = Instance.from_mask(masks[0]), Instance.from_mask(masks[1], confidence=0.4)
    focus = torch.zeros(1, 90, 120)
    focus[:, 40:50, 20:40] = focus[:, 40:50, 80:100] = 1
    known = Guidance(masks.amax(0), focus, (sure, doubtful))
    overlay = guidance_overlay(torch.full((3, 90, 120), 0.8), known)
    assert torch.allclose(overlay[:, 60, 30], torch.full((3,), 0.8))
    assert torch.allclose(overlay[:, 60, 90], torch.full((3,), 0.8 * SHADE))
    assert overlay[0, 45, 30] > 2 * overlay[2, 45, 30]
    assert torch.allclose(overlay[:, 45, 90], torch.full((3,), 0.8 * SHADE))
    assert near(overlay, color_of(1)) <= near(overlay, color_of(0))
    assert told(doubtful, 0.0) == "object, 40 % sure: painted as background"
    assert told(sure, 0.0) == "object, 100 % sure, 0 % of the strokes"
    assert told(doubtful, 0.25) == "object, 40 % sure, 25 % of the strokes"


def test_plates_do_not_hide_small_objects():
    """Twenty faces of 18 pixels, smaller than the plates: all can be seen."""
    faces = tuple(square(60 + 130 * (n % 5), 60 + 110 * (n // 5), 18, 500, 700, "face") for n in range(20))
    mask = torch.stack([each.mask for each in faces]).amax(0)
    overlay = guidance_overlay(torch.full((3, 500, 700), 0.6), Guidance(mask, torch.zeros_like(mask), faces))
    for face in faces:
        x, y, across, down = (round(side) for side in face.box)
        inner = overlay[:, y + 5 : y + down - 5, x + 5 : x + across - 5]
        assert torch.allclose(inner, torch.full_like(inner, 0.6), atol=0.01)
