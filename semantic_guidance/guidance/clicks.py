"""Masks of what a person clicks on: the picture is encoded once; each costs a decoder and a close look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.check import check_picture, check_shape
from semantic_guidance.core.guidance import Box, Point, box_of
from semantic_guidance.core.resample import resample
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.classifier import kind_evidence
from semantic_guidance.guidance.click_network import ClickDecoder, Clicks, View
from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import Segmenter, default_segmenter, fit

SIDE = 320
"""Geometric mean of the sides, in pixels, at which the whole picture is encoded."""
CLOSE_SIDE = 256
"""The same for a window round what was clicked."""

_LONGEST = 1536  # pixels; larger pictures are looked at in this size
_CLOSE_BELOW = 0.5  # of the frame, up to which a window is looked at closely
_MARGIN = 0.35  # round the mask's box, in parts of its sides
_LEAST_WINDOW = 48  # pixels of the picture
_SMALL = 0.12  # of a window's area: what fills less of it is looked at again, still more closely
_MOST_LOOKS = 2
_FOUND = 0.5


@dataclass(frozen=True, eq=False)
class Features:
    """What is kept of a picture between clicks.

    Attributes:
        size: height and width of the picture in pixels.
        pixels: ``[h, w, 3]`` RGB bytes, the picture, shrunk if it is very large.
        view: of the whole picture.
        salient: ``[1, 1, rows, columns]`` in [0, 1], what draws the eye, at the network's size.
        evidence: ``[1, kinds, h, w]``, what a classifier sees where.
    """

    size: tuple[int, int]
    pixels: NDArray[np.uint8]
    view: View
    salient: Tensor
    evidence: Tensor


@dataclass(frozen=True)
class _Window:
    """A part of the picture: its left, top, width and height in pixels of `Features.pixels`."""

    x: int
    y: int
    width: int
    height: int


class ClickSegmenter:
    """Finds what lies under clicks, or in a box.

    Args:
        network: with a decoder of clicks, in eval mode.
        threads: greatest number of torch threads, see `torch_threads`.

    Raises:
        ValueError: the network has no decoder of clicks.
    """

    def __init__(self, network: SegmentationNetwork, threads: int = 1) -> None:
        if network.clicks is None:
            raise ValueError(
                "the segmenter knows nothing of clicks, wanted weights that were trained with them"
            )
        self.network, self.threads = network, threads
        self.decoder: ClickDecoder = network.clicks

    @staticmethod
    def of(segmenter: Segmenter) -> ClickSegmenter:
        """The one that shares a segmenter's weights.

        Raises:
            ValueError: they hold no decoder of clicks.
        """
        return ClickSegmenter(segmenter.network, segmenter.config.threads)

    @torch.inference_mode()
    def encode(self, image: Tensor) -> Features:
        """The first look at a picture ``[3, H, W]`` in [0, 1]: all that clicks on it have in common.

        Raises:
            ValueError: the picture has another shape.
        """
        check_picture("image", image)
        height, width = image.shape[-2:]
        shrink = min(1.0, _LONGEST / max(height, width))
        small = image.detach().float().cpu()
        if shrink < 1:
            small = resample(small, max(1, round(height * shrink)), max(1, round(width * shrink)))
        pixels = (small.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        with torch_threads(self.threads):
            x = _input(pixels, SIDE)
            evidence = kind_evidence()(x)
            view, salient = self._view(x, evidence)
        return Features((height, width), pixels, view, salient, evidence)

    def _view(self, x: Tensor, evidence: Tensor) -> tuple[View, Tensor]:
        """What does not depend on clicks, of ``[1, 3, H, W]``, and what draws the eye ``[1, 1, H, W]``."""
        features = self.network.features(x)
        found = self.network.decode(features, evidence, (x.shape[-2], x.shape[-1]))
        return self.decoder.view(features, evidence, found.maps), found.mask.sigmoid()

    @torch.inference_mode()
    def __call__(
        self,
        features: Features,
        points: Sequence[Point] = (),
        previous: Tensor | None = None,
        box: Box | None = None,
    ) -> tuple[Tensor, float]:
        """The mask of what was clicked.

        Args:
            features: of the picture, from `encode`.
            points: all clicks so far, in pixels of the picture.
            previous: ``[1, H, W]`` in [0, 1], the mask that the clicks before the last one gave, if they did.
            box: round the object, (x, y, width, height) in pixels of the picture.

        Returns:
            Soft mask ``[1, H, W]`` in [0, 1] and its predicted IoU with what was meant, in [0, 1].

        Raises:
            ValueError: there is neither a box nor a positive click, a click or the box lies outside the
                picture, or `previous` has another shape.
        """
        clicks = _checked(features.size, points, box)
        if previous is not None:
            check_shape("previous", previous, 1, *features.size)
        rows, columns = features.pixels.shape[:2]
        before = None
        if previous is not None:
            before = _resized(previous[0].detach().float().cpu().numpy(), rows, columns)
        scale = (columns / features.size[1], rows / features.size[0])
        clicks = clicks * torch.tensor([*scale, 1.0], dtype=torch.float32)
        frame = None if box is None else tuple(n * scale[i % 2] for i, n in enumerate(box))
        with torch_threads(self.threads):
            soft, quality = self._look(features, clicks, before, frame)
        mask = torch.from_numpy(_resized(soft, *features.size))[None]
        return mask.clamp(0, 1), quality

    def _look(
        self, features: Features, points: Tensor, before: NDArray[np.float32] | None, box: Box | None
    ) -> tuple[NDArray[np.float32], float]:
        """The mask ``[h, w]`` at the size of `Features.pixels`, first of all of it, then closely."""
        rows, columns = features.pixels.shape[:2]
        whole = _Window(0, 0, columns, rows)
        soft, quality = self._decode(features, features.view, whole, points, before, box)
        window = whole
        for _ in range(_MOST_LOOKS):
            closer = _closer(soft, points, box, window)
            if closer is None:
                break
            window = closer
            near, quality = self._decode(features, None, window, points, soft, box)
            soft = np.minimum(soft, 0.3)
            soft[window.y : window.y + window.height, window.x : window.x + window.width] = near
        return soft, quality

    def _decode(
        self,
        features: Features,
        view: View | None,
        window: _Window,
        points: Tensor,
        before: NDArray[np.float32] | None,
        box: Box | None,
    ) -> tuple[NDArray[np.float32], float]:
        """The mask ``[height, width]`` inside a window and its quality; a view not given is looked up."""
        part = slice(window.y, window.y + window.height), slice(window.x, window.x + window.width)
        if view is None:
            x = _input(features.pixels[part], CLOSE_SIDE)
            size = (x.shape[-2], x.shape[-1])
            cells = (max(1, size[0] // 32), max(1, size[1] // 32))
            evidence = _cropped(features.evidence, window, features.pixels.shape, cells)
            view, salient = self._view(x, evidence)
        else:
            salient = features.salient
            size = (salient.shape[-2], salient.shape[-1])
        scale = torch.tensor([size[1] / window.width, size[0] / window.height, 1.0], dtype=torch.float32)
        placed = (points - torch.tensor([window.x, window.y, 0.0], dtype=torch.float32)) * scale
        previous = torch.zeros(1, 1, *size, dtype=torch.float32)
        if before is not None:
            previous = torch.from_numpy(_resized(before[part], *size))[None, None]
        inside = torch.zeros(1, 1, *size, dtype=torch.float32)
        if box is not None:
            left, top = (box[0] - window.x) * float(scale[0]), (box[1] - window.y) * float(scale[1])
            right, bottom = left + box[2] * float(scale[0]), top + box[3] * float(scale[1])
            inside = box_plane((left, top, right, bottom), *size)[None, None]
        logits, quality = self.decoder(view, Clicks(placed[None], previous, salient, inside))
        soft = logits.sigmoid()[0, 0].numpy()
        return _resized(soft, window.height, window.width), float(quality.sigmoid())


def box_plane(edges: tuple[float, float, float, float], rows: int, columns: int) -> Tensor:
    """1 inside a box, -1 outside: ``[rows, columns]``.

    Args:
        edges: left, top, right and bottom in pixels.
        rows: of the plane.
        columns: of the plane.
    """
    left, top, right, bottom = edges
    x = torch.arange(columns, dtype=torch.float32) + 0.5
    y = torch.arange(rows, dtype=torch.float32) + 0.5
    inside = ((x >= left) & (x <= right))[None] & ((y >= top) & (y <= bottom))[:, None]
    return inside.float() * 2 - 1


def _checked(size: tuple[int, int], points: Sequence[Point], box: Box | None) -> Tensor:
    """The clicks as ``[P, 3]``, see `Clicks`; one of no sign if there is none."""
    height, width = size
    for point in points:
        if not (0 <= point.x <= width and 0 <= point.y <= height):
            raise ValueError(
                f"point is {point.x:g}, {point.y:g}, wanted a place in the {width} x {height} image"
            )
    if box is None and not any(point.positive for point in points):
        raise ValueError("points hold no positive one, wanted at least one, or a box")
    if box is not None:
        x, y, w, h = box
        if not (w > 0 and h > 0 and x < width and y < height and x + w > 0 and y + h > 0):
            raise ValueError(f"box is {box}, wanted a part of the {width} x {height} image")
    rows = [[point.x, point.y, 1.0 if point.positive else -1.0] for point in points] or [[0.0, 0.0, 0.0]]
    return torch.tensor(rows, dtype=torch.float32)


def _closer(soft: NDArray[np.float32], points: Tensor, box: Box | None, window: _Window) -> _Window | None:
    """A window round what was found in the last one, or None if that one is close enough."""
    rows, columns = soft.shape
    wanted = points[points[:, 2] > 0]
    found = box_of(torch.from_numpy(soft), _FOUND)
    edges: list[tuple[float, float, float, float]] = []
    if found is not None:
        edges.append((found[0], found[1], found[0] + found[2], found[1] + found[3]))
    edges += [(float(x), float(y), float(x), float(y)) for x, y, _ in wanted.tolist()]
    if box is not None:
        edges.append((box[0], box[1], box[0] + box[2], box[1] + box[3]))
    if not edges:
        return None
    left, top = min(e[0] for e in edges), min(e[1] for e in edges)
    right, bottom = max(e[2] for e in edges), max(e[3] for e in edges)
    side = max(_LEAST_WINDOW, (right - left) * (1 + 2 * _MARGIN), (bottom - top) * (1 + 2 * _MARGIN))
    # A square, as far as the picture goes, so that surroundings are seen on all sides.
    x0, y0 = (left + right - side) / 2, (top + bottom - side) / 2
    x1, y1 = min(columns, round(x0 + side)), min(rows, round(y0 + side))
    x0, y0 = max(0, round(x0)), max(0, round(y0))
    first = window.width == columns and window.height == rows
    limit = _CLOSE_BELOW if first else _SMALL / 0.3
    if (x1 - x0) * (y1 - y0) > limit * window.width * window.height:
        return None
    return _Window(x0, y0, x1 - x0, y1 - y0)


def _input(pixels: NDArray[np.uint8], side: int) -> Tensor:
    """A picture ``[h, w, 3]`` of bytes as the network takes it, ``[1, 3, H, W]`` of about that mean side."""
    height, width = pixels.shape[:2]
    rows, columns = fit(height, width, side)
    way = cv2.INTER_AREA if rows * columns < height * width else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (columns, rows), interpolation=way)
    return torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255


def _resized(plane: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """A plane ``[h, w]`` in another size."""
    if plane.shape == (rows, columns):
        return plane.copy()
    way = cv2.INTER_AREA if rows * columns < plane.size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=way), np.float32)


def _cropped(maps: Tensor, window: _Window, shape: tuple[int, ...], size: tuple[int, int]) -> Tensor:
    """A window's part of maps ``[1, C, h, w]`` of all of a picture of the `shape`, at the size given."""
    rows, columns = shape[:2]
    x = (torch.arange(size[1], dtype=torch.float32) + 0.5) / size[1] * window.width + window.x
    y = (torch.arange(size[0], dtype=torch.float32) + 0.5) / size[0] * window.height + window.y
    grid = torch.stack(torch.meshgrid(y / rows * 2 - 1, x / columns * 2 - 1, indexing="ij")[::-1], -1)
    return F.grid_sample(maps, grid[None], mode="bilinear", padding_mode="border", align_corners=False)


@lru_cache(maxsize=1)
def default_clicks() -> ClickSegmenter:
    """The one that ships with the package; it shares the weights of `default_segmenter`.

    Raises:
        ValueError: the weights hold no decoder of clicks.
    """
    return ClickSegmenter.of(default_segmenter())
