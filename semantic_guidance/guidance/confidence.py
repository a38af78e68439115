"""How sure it is that there is an object, just there, and how much it draws the eye."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Point
from semantic_guidance.guidance.asked import Ask
from semantic_guidance.guidance.classifier import kind_evidence
from semantic_guidance.guidance.logistic import Logistic, read
from semantic_guidance.guidance.parts import View, colours, flooded, middle
from semantic_guidance.guidance.refine import Plane
from semantic_guidance.guidance.segmenter import Sight

FEATURES = (
    "presence",
    "area",
    "inside",
    "faint",
    "looks",
    "zoom",
    "edges",
    "blur",
    "border",
    "contrast",
    "others",
    "living",
    "scenery",
    "click",
    "expected",
)
"""What the confidence goes by, see `features`."""

_EVIDENCE_SIDE = 224  # pixels: of the picture that the classifier sees, by the geometric mean

Shape = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known about a picture when its instances are judged, all at the size of `view`.

    Attributes:
        view: the picture and its mask.
        presence: log odds of there being an object at all, in [-4, 4].
        looks: ``[K, H, W]`` what the segmenter saw in the whole frame.
        near: ``[H, W]`` with its closer look.
        kinds: ``[6, H, W]`` what the classifier sees, see `KindEvidence`.
    """

    view: View
    presence: float
    looks: NDArray[np.float32]
    near: Plane
    kinds: NDArray[np.float32]

    @staticmethod
    def of(image: Tensor, view: View, seen: Sight) -> Evidence:
        """From a picture ``[3, H, W]`` in [0, 1] and what a segmenter saw in it."""
        height, width = view.soft.shape
        odds = float(np.log(max(seen.presence, 1e-9) / max(1 - seen.presence, 1e-9)))
        return Evidence(
            view,
            float(np.clip(odds, -4, 4)),
            np.stack([_at(look, height, width) for look in seen.looks.numpy()]),
            _at(seen.near[0].numpy(), height, width),
            np.stack([_at(kind, height, width) for kind in _kinds(image)]),
        )


def _at(plane: Plane, height: int, width: int) -> Plane:
    shrinks = plane.shape[0] > height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (width, height), interpolation=how), np.float32)


@torch.inference_mode()
def _kinds(image: Tensor) -> NDArray[np.float32]:
    """``[6, h, w]`` what the classifier sees."""
    height, width = image.shape[-2:]
    ratio = float(np.clip(width / height, 0.25, 4))
    rows, columns = (max(1, round(_EVIDENCE_SIDE * r / 32)) * 32 for r in (ratio**-0.5, ratio**0.5))
    pixels = image.detach().float().cpu().permute(1, 2, 0).numpy()
    how = cv2.INTER_AREA if height > rows else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (columns, rows), interpolation=how)
    return np.asarray(kind_evidence()(torch.from_numpy(small).permute(2, 0, 1)[None])[0].numpy(), np.float32)


def features(known: Evidence, shapes: list[Shape], ask: Ask | None = None) -> list[dict[str, float]]:
    """What is measured of each instance ``[H, W]`` of a picture.

    - presence: log odds that the picture has an object;
    - area: log share of the frame;
    - inside: mean probability inside; faint: that of the tenth of its pixels that are least sure;
    - looks: overlap (IoU) with the least similar look at the frame; zoom: of the closer look with their mean;
    - edges: overlap before and after the edges were refined;
    - blur: undecided pixels round it over its area;
    - border: share of its outline that the frame cuts;
    - contrast: difference of its colours from those around it, in [0, 1];
    - others: log number of instances;
    - living, scenery: what the classifier sees in it, animals or people, and landscape, from -1 to 1;
    - click: overlap with what lies under a click in its middle; expected: what overlap the decoder of clicks
      expects of that; NaN where nobody is asked.

    Args:
        known: about the picture.
        shapes: of all its instances.
        ask: tells what lies under a place.
    """
    zones = _zones(shapes)
    clicks = _asked(shapes, ask)
    rows = []
    for n, shape in enumerate(shapes):
        zone = zones == n + 1
        mean = known.looks.mean(axis=0)
        inside = known.near[shape]
        rows.append(
            {
                "presence": known.presence,
                "area": float(np.log(shape.mean() + 1e-6)),
                "inside": float(inside.mean()),
                "faint": float(np.quantile(inside, 0.1)),
                "looks": min(_overlap(look > 0.5, shape, zone) for look in known.looks),
                "zoom": _overlap(mean > 0.5, known.near > 0.5, zone),
                "edges": _overlap(known.near > 0.5, shape, zone),
                "blur": float((4 * known.near * (1 - known.near))[zone].sum() / shape.sum()),
                "border": _border(shape),
                "contrast": contrast(known.view, shape),
                "others": float(np.log(len(shapes))),
                "living": float(np.maximum(known.kinds[0], known.kinds[4])[shape].max()),
                "scenery": float(known.kinds[3][shape].mean()),
                "click": clicks[n][0],
                "expected": clicks[n][1],
            }
        )
    return rows


def confidence(rows: list[dict[str, float]], model: Logistic | None = None) -> list[float]:
    """The probability that a person would say that there is an object just there, by its `features`.

    It is never above that of there being one at all.
    """
    model = model or read()["object"]
    return [min(model.of(row), float(1 / (1 + np.exp(-row["presence"])))) for row in rows]


def contrast(view: View, shape: Shape) -> float:
    """How unlike its surroundings a shape's colours are (Hellinger distance), in [0, 1]."""
    reach = max(3, round(0.5 * float(shape.sum()) ** 0.5))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    ring = (cv2.dilate(shape.astype(np.uint8), kernel) > 0) & (view.soft < 0.3)
    if ring.sum() < 20:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - float(colours(view.lab[shape]) @ colours(view.lab[ring])))))


def salience(known: Evidence, shapes: list[Shape]) -> list[float]:
    """How much each instance draws the eye against the others of the picture: 1 for the one that does most.

    The product of what is usual in models of visual attention (Liu et al. 2011): contrast with the
    surroundings, nearness to the centre, size, and how sure the segmenter is.
    """
    scores = []
    for shape in shapes:
        height, width = shape.shape
        rows, columns = np.nonzero(shape)
        away = np.hypot((rows.mean() + 0.5) / height - 0.5, (columns.mean() + 0.5) / width - 0.5)
        scores.append(
            float(shape.mean()) ** 0.4
            * float(np.exp(-((away / 0.4) ** 2) / 2))
            * (0.4 + 0.6 * contrast(known.view, shape))
            * float(known.near[shape].mean())
        )
    top = max(scores, default=1.0)
    return [score / max(top, 1e-9) for score in scores]


def _asked(shapes: list[Shape], ask: Ask | None) -> list[tuple[float, float]]:
    """The overlap of each instance with what lies under a click in its middle, and the expected one."""
    if ask is None:
        return [(float("nan"), float("nan"))] * len(shapes)
    places = []
    for shape in shapes:
        row, column = middle(shape, cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, 5))
        places.append([Point(column + 0.5, row + 0.5)])
    height, width = shapes[0].shape
    masks, expected = ask(places, (height, width))
    return [
        (_overlap(mask > 0.5, shape, np.ones_like(shape)), each)
        for mask, shape, each in zip(masks, shapes, expected, strict=True)
    ]


def _zones(shapes: list[Shape]) -> NDArray[np.int32]:
    """Each pixel's nearest instance, from 1 on; 0 far from all."""
    labels = np.zeros(shapes[0].shape, np.int32)
    zones = np.zeros(shapes[0].shape, bool)
    for n, shape in enumerate(shapes):
        labels[shape] = n + 1
        reach = max(4, round(0.25 * float(shape.sum()) ** 0.5))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        zones |= cv2.dilate(shape.astype(np.uint8), kernel) > 0
    return flooded(labels, zones)


def _overlap(one: Shape, other: Shape, zone: Shape) -> float:
    """Intersection over union inside a zone."""
    union = float(((one | other) & zone).sum())
    return float((one & other & zone).sum()) / union if union else 1.0


def _border(shape: Shape) -> float:
    """The share of a shape's outline that is the picture's frame."""
    frame = float(shape[0].sum() + shape[-1].sum() + shape[:, 0].sum() + shape[:, -1].sum())
    inner = shape & ~(cv2.erode(shape.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    return frame / max(frame + float(inner.sum()), 1.0)
