"""The decoder of clicks: the mask of what lies under them, on an encoder's feature maps. Imports only torch.

Clicks join late: the encoder sees the picture alone, so that its maps serve every click. They come as maps of
discs and Gaussians, with the mask so far (Sofiiuk et al. 2021, arXiv 2102.06583), and as the likeness of each
place's features to those at the clicks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semantic_guidance.guidance.efficientnet import FEATURE_CHANNELS

STRIDES = (2, 4, 8, 16, 32)
"""Of the encoder's feature maps."""
CLICK_WIDTHS = (96, 96, 64, 40, 20)
"""Usual channels of the decoder at strides 32, 16, 8, 4 and 2."""

_EMBEDDED = (1, 2, 3)  # levels whose features are compared with those at the clicks: strides 4, 8 and 16
_EMBEDDING = 32  # numbers that are compared
_SPREADS = (8.0, 32.0)  # of the Gaussians round clicks, in pixels
_DISC = 2.5  # radius of a click's disc in pixels, at least .7 of a cell
_QUERY = 64  # numbers that say what was clicked
_MAPS = 2 * (1 + len(_SPREADS)) + 2 * len(_EMBEDDED) + 3  # clicks, likeness; box, mask so far, salient mask


class Clicks(NamedTuple):
    """What is known of each of T targets.

    Attributes:
        points: ``[T, P, 3]``: x and y in pixels of the network's input, from its left and top edge, and 1
            for a positive click, -1 for a negative one, 0 for none at all.
        previous: ``[T, 1, H, W]`` in [0, 1], the mask so far; zero where there is none.
        salient: ``[T, 1, H, W]`` in [0, 1], what draws the eye in the picture.
        box: ``[T, 1, H, W]``: 1 inside a given box, -1 outside, 0 everywhere if none is given.
    """

    points: Tensor
    previous: Tensor
    salient: Tensor
    box: Tensor


class View(NamedTuple):
    """What does not depend on clicks, of B pictures; each part is ``[B, C, h, w]`` or ``[B, C]``.

    Attributes:
        levels: feature maps with the decoder's channels, finest first.
        embeddings: unit vectors at each place of the compared levels.
        deep: the encoder's last two maps.
        pooled: the mean of the last one.
    """

    levels: tuple[Tensor, ...]
    embeddings: tuple[Tensor, ...]
    deep: tuple[Tensor, Tensor]
    pooled: Tensor

    def of(self, owner: Tensor) -> View:
        """The views of the pictures with the numbers `owner` ``[T]``."""
        return View(
            tuple(each[owner] for each in self.levels),
            tuple(each[owner] for each in self.embeddings),
            (self.deep[0][owner], self.deep[1][owner]),
            self.pooled[owner],
        )

    def detached(self) -> View:
        """The same numbers without their history."""
        return View(
            tuple(each.detach() for each in self.levels),
            tuple(each.detach() for each in self.embeddings),
            (self.deep[0].detach(), self.deep[1].detach()),
            self.pooled.detach(),
        )


def sampled(maps: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """The values of maps ``[T, C, h, w]`` at points ``[T, P, 3]`` of a picture of `size`: ``[T, P, C]``."""
    height, width = size
    scale = torch.tensor([2 / width, 2 / height], dtype=maps.dtype, device=maps.device)
    grid = (points[..., :2] * scale - 1)[:, :, None]
    values = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values[..., 0].transpose(1, 2)


def likeness(embedding: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """The greatest cosine of each place's features with those at the positive, and the negative, clicks.

    Args:
        embedding: ``[T, C, h, w]`` unit vectors.
        points: ``[T, P, 3]``, see `Clicks`.
        size: height and width of the picture in pixels.

    Returns:
        ``[T, 2, h, w]`` in [-1, 1]; -1 where there is no click of the kind.
    """
    wanted = F.normalize(sampled(embedding, points, size), dim=2)
    cosine = torch.einsum("tpc,tchw->tphw", wanted, embedding)
    sign = points[..., 2, None, None]
    both = [cosine.masked_fill(sign * side <= 0, -1.0).amax(1) for side in (1, -1)]
    return torch.stack(both, 1)


def click_maps(points: Tensor, rows: int, columns: int, stride: float) -> Tensor:
    """Discs and Gaussians round the clicks.

    Args:
        points: ``[T, P, 3]``, see `Clicks`.
        rows: of the map.
        columns: of the map.
        stride: pixels from one of its cells to the next.

    Returns:
        ``[T, 6, rows, columns]`` in [0, 1]: a disc and two Gaussians, each for positive and negative clicks.
    """
    x = (torch.arange(columns, dtype=points.dtype, device=points.device) + 0.5) * stride
    y = (torch.arange(rows, dtype=points.dtype, device=points.device) + 0.5) * stride
    squares = (x - points[..., :1])[:, :, None] ** 2 + (y - points[..., 1:2])[..., None] ** 2
    sign = points[..., 2, None, None]
    far = 1e6
    near = torch.stack([squares.masked_fill(sign * side <= 0, far).amin(1) for side in (1, -1)], 1)
    radius = max(_DISC, 0.7 * stride)
    disc = (radius + 0.5 * stride - near.sqrt()).div(stride).clamp(0, 1)
    return torch.cat([disc, *((near / (-2 * spread**2)).exp() for spread in _SPREADS)], 1)


class _Level(nn.Module):
    """One level of the decoder: the coarser map enlarged, with picture and clicks, then convolutions."""

    def __init__(self, coarse: int, width: int, depth: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarse, width, 1, dtype=torch.float32) if coarse else None
        self.guide = nn.Conv2d(_MAPS, width, 1, dtype=torch.float32)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False, dtype=torch.float32) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, dtype=torch.float32) for _ in range(depth))

    def forward(self, coarse: Tensor, fine: Tensor, guide: Tensor) -> Tensor:
        x = fine + self.guide(guide)
        if self.reduce is not None:
            coarse = self.reduce(coarse)
            x = x + F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
        else:
            x = x + coarse
        x = F.relu(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return x


def _zero_conv(cin: int, cout: int) -> nn.Conv2d:
    """A linear map of channels that begins as zero."""
    conv = nn.Conv2d(cin, cout, 1, bias=False, dtype=torch.float32)
    nn.init.zeros_(conv.weight)
    return conv


class ClickDecoder(nn.Module):
    """From feature maps and clicks to the mask of what was clicked, and how good it is.

    Args:
        widths: channels at strides 32, 16, 8, 4 and 2.
        kinds: channels of the evidence, see `KindEvidence`.
        salient: channels of the maps of the decoder of salient objects, at strides 16, 8, 4 and 2.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int, int] = CLICK_WIDTHS,
        kinds: int = 6,
        salient: tuple[int, ...] = (96, 64, 48, 24),
    ) -> None:
        super().__init__()
        self.widths = widths
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, width, 1, dtype=torch.float32)
            for channels, width in zip(FEATURE_CHANNELS, widths[::-1], strict=True)
        )
        self.salient = nn.ModuleList(
            _zero_conv(channels, width) for channels, width in zip(salient[::-1], widths[:0:-1], strict=True)
        )
        self.evidence = nn.Conv2d(kinds, widths[0], 1, bias=False, dtype=torch.float32)
        self.embeddings = nn.ModuleList(
            nn.Conv2d(FEATURE_CHANNELS[level], _EMBEDDING, 1, dtype=torch.float32) for level in _EMBEDDED
        )
        deep = FEATURE_CHANNELS[-2] + FEATURE_CHANNELS[-1]
        self.query = nn.Sequential(
            nn.Linear(2 * deep + FEATURE_CHANNELS[-1], _QUERY, dtype=torch.float32), nn.ReLU()
        )
        self.shift = nn.Linear(_QUERY, widths[0], dtype=torch.float32)
        self.gain = nn.Linear(_QUERY, widths[1], dtype=torch.float32)
        self.levels = nn.ModuleList(
            _Level(0 if i == 0 else widths[i - 1], widths[i], 1 if i in (0, 3, 4) else 2) for i in range(5)
        )
        self.mask = nn.Conv2d(widths[-1], 1, 3, padding=1, dtype=torch.float32)
        self.quality = nn.Sequential(
            nn.Linear(2 * widths[2], 32, dtype=torch.float32),
            nn.ReLU(),
            nn.Linear(32, 1, dtype=torch.float32),
        )

    def view(self, features: list[Tensor], evidence: Tensor, maps: Sequence[Tensor]) -> View:
        """What does not depend on clicks.

        Args:
            features: the encoder's maps ``[B, C, h, w]`` at strides 2 to 32.
            evidence: ``[B, kinds, h, w]`` of any size, what a classifier sees where.
            maps: ``[B, C, h, w]`` of the decoder of salient objects at strides 16, 8, 4 and 2.
        """
        levels = [lateral(each) for lateral, each in zip(self.laterals, features, strict=True)]
        for level, (salient, each) in enumerate(zip(self.salient, maps[::-1], strict=True)):
            levels[level] = levels[level] + salient(each)
        size = levels[-1].shape[-2:]
        seen = F.interpolate(evidence, size, mode="bilinear", align_corners=False)
        levels[-1] = levels[-1] + self.evidence(seen)
        embeddings = tuple(
            F.normalize(embed(features[level]), dim=1)
            for embed, level in zip(self.embeddings, _EMBEDDED, strict=True)
        )
        deep = (features[-2], features[-1])
        return View(tuple(levels), embeddings, deep, features[-1].mean((2, 3)))

    def _query(self, view: View, points: Tensor, size: tuple[int, int]) -> Tensor:
        """What was clicked: features at the clicks of each sign, and of the picture: ``[T, QUERY]``."""
        found = torch.cat([sampled(each, points, size) for each in view.deep], 2)
        parts = []
        for side in (1, -1):
            chosen = (points[..., 2:] * side > 0).to(found.dtype)
            parts.append((found * chosen).sum(1) / chosen.sum(1).clamp(min=1))
        out: Tensor = self.query(torch.cat([*parts, view.pooled], 1))
        return out

    def forward(self, view: View, clicks: Clicks) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            view: of the T targets' pictures, see `view` and `View.of`.
            clicks: on them.

        Returns:
            Logits of the masks ``[T, 1, H, W]`` and of their IoU with what was meant ``[T]``.
        """
        size = (clicks.previous.shape[-2], clicks.previous.shape[-1])
        alike = [likeness(each, clicks.points, size) for each in view.embeddings]
        planes = torch.cat([clicks.box, clicks.previous, clicks.salient], 1)
        query = self._query(view, clicks.points, size)
        x = self.shift(query)[:, :, None, None]
        quality = planes
        for level, block in enumerate(self.levels):
            fine = view.levels[4 - level]
            stride = STRIDES[4 - level]
            rows, columns = fine.shape[-2:]
            guide = [click_maps(clicks.points, rows, columns, stride)]
            guide.append(F.adaptive_avg_pool2d(planes, (rows, columns)))
            guide += [
                F.interpolate(each, (rows, columns), mode="bilinear", align_corners=False) for each in alike
            ]
            x = block(x, fine, torch.cat(guide, 1))
            if level == 1:
                x = x * (1 + self.gain(query)[:, :, None, None])
            if level == 2:
                quality = x
        logits = self.mask(x)
        chance = self._quality(quality, logits)
        return F.interpolate(logits, size, mode="bilinear", align_corners=False), chance

    def _quality(self, x: Tensor, logits: Tensor) -> Tensor:
        """The IoU's logit from the features ``[T, C, h, w]`` inside the mask, and at its edge."""
        inside = F.adaptive_avg_pool2d(logits.detach().sigmoid(), (x.shape[-2], x.shape[-1]))
        edge = 4 * inside * (1 - inside)
        means = [(x * w).sum((2, 3)) / (w.sum((2, 3)) + 0.1) for w in (inside, edge)]
        out: Tensor = self.quality(torch.cat(means, 1))[:, 0]
        return out
