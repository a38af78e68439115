"""What is known about a picture, drawn over it: objects by number, faces and focus; and a list of them."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.images.arrays import resize_array, to_bytes
from semantic_guidance.painting.painting import Painting

LONGEST = 1024  # pixels of the overlay's longer side at most
SHORTEST = 640  # of a sheet's longer side: smaller pictures are enlarged
NUMBERED = 200  # pixels of the longer side from which on numbers can be read
SHADE = 0.35  # brightness of what is not an object
COLORS = ((1.0, 0.85, 0.1), (0.2, 0.85, 1.0), (1.0, 0.4, 0.8), (0.5, 1.0, 0.3))  # of the first objects
GLOW = (1.0, 0.15, 0.05)
PAPER, INK, FAINT = (250, 249, 246), (40, 40, 40), (120, 118, 112)
HIDDEN = 0.1  # share of an object's box that its own plate may hide
ROW = 1.6  # height of a line of the list, in heights of its letters

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def guidance_overlay(image: Tensor, guidance: Guidance, longest: int = LONGEST) -> Tensor:
    """The picture with its background dimmed, objects outlined and numbered, and the focus glowing red.

    Doubtful objects, which are painted as background, are dimmed, too, with thin outlines and no boxes.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        guidance: of the picture, at any size of the same aspect.
        longest: pixels of the longer side at most.

    Returns:
        ``[3, h, w]`` in [0, 1].
    """
    scale = min(1.0, longest / max(image.shape[1:]))
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    guidance = guidance.resized(height, width)
    photo = resize_array(image.permute(1, 2, 0).contiguous().numpy(), height, width)
    picture = torch.from_numpy(photo).reshape(height, width, 3).permute(2, 0, 1)
    heeded = guidance.trusted()
    glow = 0.65 * heeded.focus
    picture = picture * (SHADE + (1 - SHADE) * heeded.mask) * (1 - glow)
    picture = picture + picture.new_tensor(GLOW).view(3, 1, 1) * glow
    canvas = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    thick = max(1, round(max(height, width) / 300))
    for index, instance in enumerate(guidance.instances):
        _outline(canvas, instance, color_of(index), thick)
    shown = torch.from_numpy(canvas).permute(2, 0, 1).clamp(0, 1)
    if max(height, width) < NUMBERED or not guidance.instances:
        return shown
    return torch.from_numpy(_numbered(to_bytes(shown), guidance.instances)).permute(2, 0, 1).float() / 255


def guidance_sheet(image: Tensor, painting: Painting) -> Tensor:
    """`guidance_overlay` of a painted picture, with a list of the objects below it.

    Each line has an object's number in its colour, what it is, how sure that is, and its share of strokes.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        painting: of it.

    Returns:
        ``[3, h, w]`` in [0, 1].
    """
    height, width = image.shape[1:]
    if max(height, width) < SHORTEST:
        scale = SHORTEST / max(height, width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        larger = resize_array(image.permute(1, 2, 0).contiguous().numpy(), *size)
        image = torch.from_numpy(larger).permute(2, 0, 1)
    picture = to_bytes(guidance_overlay(image, painting.guidance))
    below = _list(painting, picture.shape[1])
    page = np.full((len(picture) + len(below), below.shape[1], 3), PAPER, np.uint8)
    left = (page.shape[1] - picture.shape[1]) // 2
    page[: len(picture), left : left + picture.shape[1]] = picture
    page[len(picture) :] = below
    return torch.from_numpy(page).permute(2, 0, 1).float() / 255


def color_of(index: int) -> tuple[float, float, float]:
    """The colour of an object: light, and of another hue than those before it."""
    if index < len(COLORS):
        return COLORS[index]
    hue = (0.3 + index * (math.sqrt(5) - 1) / 2) % 1  # golden angles; so the first twenty differ most
    return colorsys.hls_to_rgb(hue, (0.6, 0.8, 0.5)[index % 3], 0.95)


def _outline(
    canvas: NDArray[np.float32], instance: Instance, color: tuple[float, float, float], thick: int
) -> None:
    """Draw an object's outline and its box; a face has no box, nor has what is painted as background."""
    thick = max(1, thick // 3) if instance.doubtful else thick
    inside = np.ascontiguousarray((instance.mask[0] > 0.5).numpy().astype(np.uint8))
    outline, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outline, -1, (0.0, 0.0, 0.0), 2 * thick + 1, cv2.LINE_AA)
    cv2.drawContours(canvas, outline, -1, color, thick, cv2.LINE_AA)
    if instance.kind != "face" and not instance.doubtful:
        x, y, across, down = instance.box
        corners = (round(x), round(y)), (round(x + across) - 1, round(y + down) - 1)
        cv2.rectangle(canvas, *corners, color, max(1, thick // 2))


def _numbered(pixels: NDArray[np.uint8], instances: Sequence[Instance]) -> NDArray[np.uint8]:
    """A picture ``[h, w, 3]`` with each object's number on a plate, at its edge where no other plate is."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    size = max(12, round(max(picture.size) / 42))
    font = ImageFont.load_default(size)
    taken: list[Rectangle] = []
    for index, instance in enumerate(instances):
        word = str(index + 1)
        plate = draw.textlength(word, font) + 0.7 * size, 1.25 * size
        place = _free(instance, plate, picture.size, taken)
        taken.append(place)
        draw.rounded_rectangle(place, 0.25 * size, _bytes(color_of(index)), (0, 0, 0))
        middle = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
        draw.text(middle, word, _ink(color_of(index)), font, anchor="mm")
    return np.array(picture)


def _free(
    instance: Instance, plate: tuple[float, float], size: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle:
    """Where a plate covers least of other plates and, if it is small, of the object, by the object's box."""
    x, y, across, down = instance.box
    wide, high = plate
    columns = (x, x + across - wide, x + (across - wide) / 2, x - wide, x + across)
    rows = (y, y - high, y + down - high, y + (down - high) / 2, y + down)
    best: tuple[float, Rectangle] | None = None
    for n, top in enumerate(rows):
        for m, left in enumerate(columns):
            left = min(max(0.0, left), max(0.0, size[0] - wide - 1))
            place_top = min(max(0.0, top), max(0.0, size[1] - high - 1))
            place = (left, place_top, left + wide, place_top + high)
            cost = sum(_shared(place, other) for other in taken) / (wide * high) + 0.01 * (n + m)
            hidden = _shared(place, (x, y, x + across, y + down)) / (across * down)
            cost += max(0.0, hidden - HIDDEN)
            if best is None or cost < best[0]:
                best = cost, place
    assert best is not None  # there are candidates
    return best[1]


def _shared(one: Rectangle, other: Rectangle) -> float:
    """Area that two rectangles share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _list(painting: Painting, width: int) -> NDArray[np.uint8]:
    """The lines about the objects, in as many columns as fit into a width, or one: ``[h, w, 3]``."""
    size = 15
    font = ImageFont.load_default(size)
    instances, shares = painting.guidance.instances, painting.shares
    lines = [
        (f"{number}", told(each, share))
        for number, (each, share) in enumerate(zip(instances, shares, strict=True), 1)
    ]
    rest = _percent(max(0.0, 1 - sum(shares)))
    last = f"background, {rest} of the strokes" if instances else "no object"
    if bool((painting.guidance.focus > 0).any()):
        last += "; red: the focus"
    longest = max((font.getlength(words) for _, words in lines), default=0.0)
    badge = font.getlength("00") + 0.8 * size
    column = longest + badge + 1.8 * size
    width = max(width, math.ceil(max(column, font.getlength(last) + 1.5 * size)))
    columns = max(1, int(width // column))
    rows = math.ceil(len(lines) / columns)
    step = ROW * size
    sheet = Image.new("RGB", (width, math.ceil((rows + 1) * step + size)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((0.7 * size, size / 2 + (rows + 0.5) * step), last, FAINT, font, anchor="lm")
    for index, (number, words) in enumerate(lines):
        left = 0.7 * size + (index // rows) * (width / columns)
        middle = size / 2 + (index % rows + 0.5) * step
        box = (left, middle - 0.65 * size, left + badge, middle + 0.65 * size)
        draw.rounded_rectangle(box, 0.25 * size, _bytes(color_of(index)), (0, 0, 0))
        draw.text((left + badge / 2, middle), number, _ink(color_of(index)), font, anchor="mm")
        draw.text((left + badge + 0.6 * size, middle), words, INK, font, anchor="lm")
    return np.array(sheet)


def told(instance: Instance, share: float) -> str:
    """What the list says of an instance that has a share of the strokes, in [0, 1]."""
    sure = f"{instance.kind}, {_percent(instance.confidence)} sure"
    if instance.doubtful and not share:
        return f"{sure}: painted as background"
    return f"{sure}, {_percent(share)} of the strokes"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _ink(color: tuple[float, float, float]) -> tuple[int, int, int]:
    """Black, or white where that is easier to read on a colour."""
    red, green, blue = color
    return (0, 0, 0) if 0.3 * red + 0.59 * green + 0.11 * blue > 0.4 else (255, 255, 255)


def _bytes(color: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * channel) for channel in color)
    return red, green, blue
