"""How the strokes of a painting are made, in numbers.

Strokes are arrays as in `semantic_guidance.core.strokes`: ``points`` ``[N, 3, 2]`` start, control and end,
``radius`` and ``opacity`` ``[N, 2]`` at start and end, lengths in units of the canvas's longer side. Angles
are in degrees. What is a share of no strokes, or a mean of none, is NaN.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.placing import structure
from semantic_guidance.core.bezier import weights
from semantic_guidance.core.resample import resample
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.painting import Painting

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SIDE = 512  # pixels of the picture's longer side where strokes are compared with the picture
TENSOR_SCALE = 0.01  # scale of the structure tensor, in the longer side
GLAZE = 0.5  # opacity below which a stroke is a glaze
SAME_REGION = 0.16  # distance of two colours of one region at most, Euclidean, RGB in [0, 1]
SEEN = 4.0  # pixels of which fewer are seen of a hidden stroke
BARE = 0.5  # share of the ground that shows through the strokes, above which it is bare
GROUNDS = (0.0, 0.5)  # greys of the ground, such that light does not clip them
PIECES = 64  # straight ones along a curve, for its length
SHARPEST = 0.5  # pixels of blur below which there is none


def share(flags: Flags) -> float:
    """Share of the strokes ``[N]`` for which something holds, 0 to 1."""
    return float(np.mean(flags)) if len(flags) else float("nan")


def glazes(opacity: Array) -> Flags:
    """``[N]`` strokes under half opacity, the mean of both ends ``[N, 2]``."""
    found: Flags = opacity.mean(axis=1) < GLAZE
    return found


def turns(points: Array) -> Array:
    """``[N]`` angles from 0 to 180 between a stroke's directions at its start and at its end.

    Where the control point lies on an end, the direction there is the chord's; a dot does not turn.
    """
    start, control, end = np.moveaxis(points, 1, 0)
    first, last, chord = control - start, end - control, end - start
    first = np.where(first.any(axis=1, keepdims=True), first, chord)
    last = np.where(last.any(axis=1, keepdims=True), last, chord)
    across = first[:, 0] * last[:, 1] - first[:, 1] * last[:, 0]
    return np.degrees(np.abs(np.arctan2(across, (first * last).sum(axis=1))))


def length_to_width(points: Array, radius: Array) -> Array:
    """``[N]`` length of the curve, without its round ends, by its mean width, the sum of both radii."""
    at = weights(np.linspace(0, 1, PIECES + 1)[:, None, None])
    curve = sum(weight * points[None, :, k] for k, weight in enumerate(at))  # [PIECES + 1, N, 2]
    length = np.linalg.norm(np.diff(curve, axis=0), axis=2).sum(axis=0)
    found: Array = length / np.maximum(radius.sum(axis=1), 1e-9)
    return found


def middles(points: Array) -> Array:
    """``[N, 2]`` the curves' middles, x and y at half of the parameter."""
    found: Array = sum(weight * points[:, k] for k, weight in enumerate(weights(0.5)))
    return found


def angles(points: Array, picture: Tensor) -> tuple[Array, Array]:
    """Angles between strokes and the picture's structure.

    The stroke's direction is its chord's. The picture's is that of its structure tensor at the stroke's
    middle, taken at 512 pixels with a scale of a hundredth of them.

    Args:
        points: ``[N, 3, 2]``.
        picture: ``[3, H, W]`` in [0, 1].

    Returns:
        ``[N]`` angles from 0 to 90, and ``[N]`` their weights: the tensor's coherence in [0, 1]; 0 for dots.
    """
    found = structure(_reduced(picture), TENSOR_SCALE * SIDE)
    rows, columns = _pixels(middles(points), found.coherence.shape)
    chord = points[:, 2] - points[:, 0]
    along = found.direction[rows, columns]
    across = chord[:, 0] * along[:, 1] - chord[:, 1] * along[:, 0]
    apart = np.degrees(np.arctan2(np.abs(across), np.abs((chord * along).sum(axis=1))))
    return apart, np.where(chord.any(axis=1), found.coherence[rows, columns], 0.0)


def mean_angle(points: Array, picture: Tensor) -> float:
    """Mean of `angles`, weighted by coherence; NaN where nothing has a direction."""
    apart, weight = angles(points, picture)
    return float((apart * weight).sum() / weight.sum()) if weight.sum() > 0 else float("nan")


def beyond_region(points: Array, radius: Array, picture: Tensor) -> Flags:
    """``[N]`` strokes that are longer than their region of the picture.

    That is where the picture's colour at an end is more than .16 from that at the curve's middle, with the
    picture at 512 pixels and blurred by about the stroke's mean radius.

    Args:
        points: ``[N, 3, 2]``.
        radius: ``[N, 2]``.
        picture: ``[3, H, W]`` in [0, 1].
    """
    sharp = to_array(_reduced(picture))
    sigma = np.maximum(radius.mean(axis=1) * SIDE, SHARPEST)
    level = np.round(2 * np.log2(sigma / SHARPEST)).astype(int)  # half octaves
    colors = np.zeros((3, len(points), 3))
    places = np.stack([points[:, 0], middles(points), points[:, 2]])
    for each in np.unique(level):
        blurred = _blurred(sharp, SHARPEST * 2 ** (each / 2)) if each else sharp
        chosen = level == each
        colors[:, chosen] = blurred[_pixels(places[:, chosen], sharp.shape[:2])]
    apart = np.linalg.norm(colors[[0, 2]] - colors[1], axis=2)
    found: Flags = apart.max(axis=0) > SAME_REGION
    return found


def bare_ground(drawing: Drawing, size: int | None = None) -> float:
    """Pixels in which more than half of the empty canvas shows through all strokes, in per mille of all.

    The drawing's brush, ends, masks and opacities count. How much shows is how far apart the paintings on two
    grounds are, by how far apart the grounds are. It is exact for the flat brush; the light on the relief of
    others makes it a little more or less where paint is half covering.

    Args:
        drawing: the painting as numbers.
        size: pixels of its longer side; those of the painting if None.
    """
    drawing = replace(drawing, start=None, transparent=None)
    painted, empty = _apart(drawing, size), _apart(replace(drawing, layers=()), size)
    return 1000 * float((painted > BARE * empty.mean()).mean())


def _apart(drawing: Drawing, size: int | None) -> NDArray[np.float32]:
    """``[H, W]`` difference of the drawing on a lighter and on a darker ground."""
    dark, light = (
        replace(drawing, background=(ground, ground, ground)).render(size)[0] for ground in GROUNDS
    )
    return light - dark


def seen_pixels(painting: Painting, size: int | None = None) -> Array:
    """``[N]`` how much is seen of each stroke in the finished painting, in pixels.

    That is the sum over pixels of its alpha times the product of (1 - alpha) of all later strokes. The canvas
    is linear in colours, and these are the factors: the derivative of its sum by each stroke's colour.

    Args:
        painting: whose strokes are rendered flat, under their masks, and with round ends, which cover as much
            as others and have compiled gradients.
        size: pixels of its longer side; those of the painting if None.
    """
    canvas = torch.zeros_like(painting.blank(size))
    height, width = canvas.shape[1:]
    masks = [resample(mask, height, width) for mask in painting.masks]
    colors = []
    for layer in painting.layers:
        color = torch.zeros_like(layer.strokes.color, requires_grad=True)
        colors.append(color)
        grey = replace(layer, ends="round", strokes=replace(layer.strokes, color=color))
        canvas = grey.paint(canvas, None if layer.mask is None else masks[layer.mask])
    if not colors:
        return np.zeros(0)
    return (
        torch.cat([found[0, :, 0] for found in torch.autograd.grad(canvas[0].sum(), colors)]).double().numpy()
    )


def hidden(seen: Array) -> Flags:
    """``[N]`` strokes of which fewer than four pixels are seen."""
    found: Flags = seen < SEEN
    return found


def errors(painted: Tensor, picture: Tensor, mask: Tensor, focus: Tensor) -> dict[str, float | None]:
    """Mean squared errors over RGB in [0, 1] at the painting's size.

    Args:
        painted: ``[3, h, w]`` in [0, 1].
        picture: ``[3, H, W]`` in [0, 1]; it and what follows are resized.
        mask: ``[1, H, W]`` in [0, 1], the objects' above one half.
        focus: ``[1, H, W]``, at least 0, the weights of the last.

    Returns:
        ``whole``, ``object`` and ``focus``; None where there is no object, or no focus.
    """
    target, mask, focus = (resample(each, *painted.shape[1:]) for each in (picture, mask, focus))
    squared = ((painted - target) ** 2).mean(dim=0).double()
    inside, weight = mask[0] > 0.5, focus[0].double().clamp(min=0)
    return {
        "whole": float(squared.mean()),
        "object": float(squared[inside].mean()) if bool(inside.any()) else None,
        "focus": float((squared * weight).sum() / weight.sum()) if float(weight.sum()) > 0 else None,
    }


def marks(painting: Painting, picture: Tensor) -> dict[str, float]:
    """All that is measured of a painting's strokes, at its size: shares from 0 to 1, or as their names say.

    Args:
        painting: what was painted.
        picture: ``[3, H, W]`` in [0, 1], of which it is.
    """
    flat = replace(painting.drawing, brush=Brush())
    bare = bare_ground(flat)
    points, radius, opacity = (
        getattr(painting.strokes, name)[0].double().numpy() for name in ("points", "radius", "opacity")
    )
    return {
        "glazes": share(glazes(opacity)),
        "angle_deg": mean_angle(points, picture),
        "length_to_width": float(np.median(length_to_width(points, radius))) if len(points) else float("nan"),
        "turn_deg": float(turns(points).mean()) if len(points) else float("nan"),
        "beyond_region": share(beyond_region(points, radius, picture)),
        "bare_per_mille": bare,
        "bare_brush_per_mille": bare if painting.brush.style == "flat" else bare_ground(painting.drawing),
        "hidden": share(hidden(seen_pixels(painting))),
    }


def _reduced(picture: Tensor) -> Tensor:
    """A picture ``[3, H, W]`` with `SIDE` pixels on its longer side."""
    height, width = picture.shape[1:]
    scale = SIDE / max(height, width)
    return resample(picture, max(1, round(height * scale)), max(1, round(width * scale)))


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    found: NDArray[np.float32] = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return found


def _pixels(places: Array, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of places ``[..., 2]`` in a reduced picture, the nearest ones of those outside."""
    at = np.floor(places * SIDE).astype(np.intp)
    return at[..., 1].clip(0, shape[0] - 1), at[..., 0].clip(0, shape[1] - 1)
