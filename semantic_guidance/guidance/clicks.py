"""Masks of what a person clicks on: the picture is encoded once; each costs a decoder and a close look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

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
from semantic_guidance.guidance.click_network import Clicks, View
from semantic_guidance.guidance.network import STRIDE
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter, default_segmenter, fit

SIDES = (224, 352)
"""Geometric means of the sides, in pixels, at which the whole picture is encoded."""
CLOSE_SIDE = 224
"""The same for a window round what was clicked."""

_LONGEST = 1536  # pixels; larger pictures are looked at in this size
_CLOSE_BELOW = 0.3  # of the frame, up to which a window is looked at closely
_FINER = 1.1  # times as many pixels a side as the whole look had are worth a close one
_CLOSE_SHARE = 0.5  # of the close look in the mask, where the first one found something, too
_MARGIN = 0.35  # round the mask's box, in parts of its sides
_LEAST_WINDOW = 48  # pixels of the picture
_AGREEING = 0.6  # IoU from which a salient object and what was found are taken for the same
_SALIENT_SHARE = 0.5  # of the salient object's mask then
_FOUND = 0.5

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A part of the picture: its left, top, width and height in pixels of `Features.pixels`."""

    x: int
    y: int
    width: int
    height: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


@dataclass(frozen=True, eq=False)
class ClickLook:
    """A window as the network sees it.

    Attributes:
        window: of the picture.
        view: what does not depend on clicks.
        salient: ``[1, 1, rows, columns]`` in [0, 1], what draws the eye, at the network's size.
    """

    window: Window
    view: View
    salient: Tensor


@dataclass(frozen=True, eq=False)
class Features:
    """What is kept of a picture between clicks.

    Attributes:
        size: height and width of the picture in pixels.
        pixels: ``[h, w, 3]`` RGB bytes, the picture, shrunk if it is very large.
        looks: at the whole of it, from several distances.
        evidence: ``[1, kinds, h, w]``, what a classifier sees where.
        salient: ``[h, w]`` in [0, 1], the salient objects.
    """

    size: tuple[int, int]
    pixels: NDArray[np.uint8]
    looks: tuple[ClickLook, ...]
    evidence: Tensor
    salient: Plane


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a person wants, in pixels of `Features.pixels`.

    Attributes:
        points: ``[P, 3]``, see `Clicks`.
        box: (x, y, width, height).
        before: ``[h, w]`` in [0, 1], the mask so far.
    """

    points: Tensor
    box: Box | None
    before: Plane | None

    def seen(self, look: ClickLook) -> Clicks:
        """The same in pixels of the network's input."""
        window, size = look.window, (look.salient.shape[-2], look.salient.shape[-1])
        sx, sy = size[1] / window.width, size[0] / window.height
        corner = torch.tensor([window.x, window.y, 0.0], dtype=torch.float32)
        points = (self.points - corner) * torch.tensor([sx, sy, 1.0], dtype=torch.float32)
        previous, inside = (torch.zeros(1, 1, *size, dtype=torch.float32) for _ in range(2))
        if self.before is not None:
            previous = torch.from_numpy(_resized(self.before[window.part], *size))[None, None]
        if self.box is not None:
            left, top = (self.box[0] - window.x) * sx, (self.box[1] - window.y) * sy
            edges = (left, top, left + self.box[2] * sx, top + self.box[3] * sy)
            inside = box_plane(edges, *size)[None, None]
        return Clicks(points[None], previous, look.salient, inside)


class ClickSegmenter:
    """Finds what lies under clicks, or in a box.

    Args:
        segmenter: whose network has a decoder of clicks.

    Raises:
        ValueError: it has none.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        decoder = segmenter.network.clicks
        if decoder is None:
            raise ValueError(
                "the segmenter knows nothing of clicks, wanted weights that were trained with them"
            )
        self.segmenter, self.decoder = segmenter, decoder

    @staticmethod
    def load(path: str | Path = WEIGHTS) -> ClickSegmenter:
        """Read weights, as `Segmenter.load` does.

        Raises:
            ValueError: the file is missing, damaged or of another kind, or knows nothing of clicks.
        """
        return ClickSegmenter(Segmenter.load(path))

    @staticmethod
    def of(segmenter: Segmenter) -> ClickSegmenter:
        """The one that shares a segmenter's weights; see the class."""
        return ClickSegmenter(segmenter)

    @property
    def threads(self) -> int:
        """Greatest number of torch threads, see `torch_threads`."""
        return self.segmenter.config.threads

    @torch.inference_mode()
    def encode(self, image: Tensor, salient: Tensor | None = None, sides: Sequence[int] = SIDES) -> Features:
        """The first look at a picture ``[3, H, W]`` in [0, 1]: all that clicks on it have in common.

        Args:
            image: the picture.
            salient: ``[1, H, W]`` in [0, 1], what the segmenter found in it, if that is known already.
            sides: see `SIDES`: a look at the whole for each.

        Raises:
            ValueError: the picture, or the salient mask, has another shape.
        """
        check_picture("image", image)
        height, width = image.shape[-2:]
        if salient is None:
            salient = self.segmenter(image)[0]
        check_shape("salient", salient, 1, height, width)
        shrink = min(1.0, _LONGEST / max(height, width))
        small = image.detach().float().cpu()
        if shrink < 1:
            small = resample(small, max(1, round(height * shrink)), max(1, round(width * shrink)))
        pixels = (small.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        rows, columns = pixels.shape[:2]
        objects = _resized(salient[0].detach().float().cpu().numpy(), rows, columns)
        with torch_threads(self.threads):
            inputs = [_input(pixels, side) for side in sides]
            evidence = [kind_evidence()(x) for x in inputs]
            whole = Window(0, 0, columns, rows)
            looks = tuple(self._look(whole, x, each) for x, each in zip(inputs, evidence, strict=True))
        return Features((height, width), pixels, looks, evidence[-1], objects)

    def _look(self, window: Window, x: Tensor, evidence: Tensor) -> ClickLook:
        """A look at a window whose pixels are ``[1, 3, H, W]``."""
        network = self.segmenter.network
        features = network.features(x)
        found = network.decode(features, evidence, (x.shape[-2], x.shape[-1]))
        return ClickLook(window, self.decoder.view(features, evidence, found.maps), found.mask.sigmoid())

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
        sx, sy = columns / features.size[1], rows / features.size[0]
        clicks = clicks * torch.tensor([sx, sy, 1.0], dtype=torch.float32)
        frame = None if box is None else (box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy)
        asked = _Asked(clicks, frame, before)
        with torch_threads(self.threads):
            soft, quality = self._found(features, asked)
        soft = with_salient(soft, features.salient, clicks)
        mask = torch.from_numpy(_resized(soft, *features.size))[None]
        return mask.clamp(0, 1), quality

    def _found(self, features: Features, asked: _Asked) -> tuple[Plane, float]:
        """The mask ``[h, w]`` at the size of `Features.pixels`, from all of it, then closely, and its IoU."""
        decoded = [self._decode(look, asked) for look in features.looks]
        soft: Plane = np.asarray(sum(plane for plane, _ in decoded) / np.float32(len(decoded)), np.float32)
        quality = float(np.mean([chance for _, chance in decoded]))
        window = _closer(soft, asked)
        if window is None:
            return soft, quality
        x = _input(features.pixels[window.part], CLOSE_SIDE)
        cells = (max(1, x.shape[-2] // STRIDE), max(1, x.shape[-1] // STRIDE))
        evidence = _cropped(features.evidence, window, features.pixels.shape, cells)
        near, chance = self._decode(self._look(window, x, evidence), replace(asked, before=soft))
        out = np.minimum(soft, 0.3)
        out[window.part] = (1 - _CLOSE_SHARE) * soft[window.part] + _CLOSE_SHARE * near
        return out, (quality + chance) / 2

    def _decode(self, look: ClickLook, asked: _Asked) -> tuple[Plane, float]:
        """The mask inside a look's window and its predicted IoU."""
        logits, quality = self.decoder(look.view, asked.seen(look))
        soft = logits.sigmoid()[0, 0].numpy()
        return _resized(soft, look.window.height, look.window.width), float(quality.sigmoid())


def with_salient(soft: Plane, salient: Plane, points: Tensor) -> Plane:
    """A mask ``[h, w]``, with a salient object's if that is the same object, but for what clicks tell of it.

    The salient object was seen from more distances, and its edges are refined.

    Args:
        soft: ``[h, w]`` in [0, 1], what was found by clicks.
        salient: ``[h, w]`` in [0, 1], the salient objects.
        points: ``[P, 3]``, see `Clicks`.
    """
    solid = (salient > _FOUND).astype(np.uint8)
    labels = cv2.connectedComponents(solid, connectivity=8)[1]
    found, clicks = soft > _FOUND, [(int(x), int(y), sign) for x, y, sign in points.tolist()]
    rows, columns = labels.shape
    places = [(min(y, rows - 1), min(x, columns - 1)) for x, y, _ in clicks]
    signs = [sign for *_, sign in clicks]
    wanted = {int(labels[place]) for place, sign in zip(places, signs, strict=True) if sign > 0}
    if not any(sign > 0 for sign in signs):
        wanted = set(np.unique(labels[found]).tolist())
    chosen = np.isin(labels, list(wanted - {0}))
    if (chosen & found).sum() < _AGREEING * max((chosen | found).sum(), 1):
        return soft
    share = _SALIENT_SHARE * np.ones_like(soft)
    apart = cv2.connectedComponents((chosen != found).astype(np.uint8), connectivity=4)[1]
    for place, sign in zip(places, signs, strict=True):
        if sign and chosen[place] != (sign > 0):  # it has no say in the part that the click is about
            if not apart[place]:
                return soft
            share[cv2.dilate((apart == apart[place]).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    near = cv2.dilate(chosen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.asarray((1 - share) * soft + share * salient * near, np.float32)


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


def _closer(soft: Plane, asked: _Asked) -> Window | None:
    """A window round what was found ``[h, w]``, or None if a closer look would show no more."""
    rows, columns = soft.shape
    found = box_of(torch.from_numpy(soft), _FOUND)
    boxes = [each for each in (found, asked.box) if each is not None]
    edges = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    edges += [(x, y, x, y) for x, y, sign in asked.points.tolist() if sign > 0]
    left, top = min(e[0] for e in edges), min(e[1] for e in edges)
    right, bottom = max(e[2] for e in edges), max(e[3] for e in edges)
    # A square, as far as the picture goes, so that surroundings are seen on all sides.
    side = max(_LEAST_WINDOW, (right - left) * (1 + 2 * _MARGIN), (bottom - top) * (1 + 2 * _MARGIN))
    x0, y0 = (left + right - side) / 2, (top + bottom - side) / 2
    x1, y1 = min(columns, round(x0 + side)), min(rows, round(y0 + side))
    x0, y0 = max(0, round(x0)), max(0, round(y0))
    area, whole = (x1 - x0) * (y1 - y0), rows * columns
    finer = (CLOSE_SIDE**2 / max(area, 1)) ** 0.5 / max(max(SIDES) / whole**0.5, 1e-6)
    if area > _CLOSE_BELOW * whole or finer < _FINER or area < 4:
        return None
    return Window(x0, y0, x1 - x0, y1 - y0)


def _input(pixels: NDArray[np.uint8], side: int) -> Tensor:
    """A picture ``[h, w, 3]`` of bytes as the network takes it, ``[1, 3, H, W]`` of about that mean side."""
    height, width = pixels.shape[:2]
    rows, columns = fit(height, width, side)
    way = cv2.INTER_AREA if rows * columns < height * width else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (columns, rows), interpolation=way)
    return torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255


def _resized(plane: Plane, rows: int, columns: int) -> Plane:
    """A plane ``[h, w]`` in another size."""
    if plane.shape == (rows, columns):
        return plane.copy()
    way = cv2.INTER_AREA if rows * columns < plane.size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=way), np.float32)


def _cropped(maps: Tensor, window: Window, shape: tuple[int, ...], size: tuple[int, int]) -> Tensor:
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
    return ClickSegmenter(default_segmenter())
