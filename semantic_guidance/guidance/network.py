"""The segmentation network: a U-shaped decoder on EfficientNet-Lite0's feature maps. Imports only torch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semantic_guidance.guidance.click_network import CLICK_WIDTHS, ClickDecoder
from semantic_guidance.guidance.efficientnet import FEATURE_CHANNELS, EfficientNetLite0, normalise

Widths = tuple[int, int, int, int, int]

STRIDE = 32  # sides of the network's input must be multiples of this


class Decoded(NamedTuple):
    """What the decoder of salient objects makes of B pictures.

    Attributes:
        mask: logits ``[B, 1, H, W]``.
        objectness: logits ``[B]`` of there being an object.
        maps: ``[B, C, h, w]``, its own maps at strides 16, 8, 4 and 2.
    """

    mask: Tensor
    objectness: Tensor
    maps: tuple[Tensor, ...]


class _Merge(nn.Module):
    """One level of the decoder: the coarser map enlarged, plus the encoder's map, then convolutions."""

    def __init__(self, coarse: int, lateral: int, width: int, depth: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarse, width, 1, dtype=torch.float32)
        self.lateral = nn.Conv2d(lateral, width, 1, dtype=torch.float32)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False, dtype=torch.float32) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, dtype=torch.float32) for _ in range(depth))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        up = F.interpolate(self.reduce(coarse), fine.shape[-2:], mode="bilinear", align_corners=False)
        x = F.relu(up + self.lateral(fine))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return x


def _zero_branch(cin: int, cout: int) -> nn.Sequential:
    """A small network from `cin` to `cout` channels that begins as zero."""
    last = nn.Conv2d(32, cout, 1, dtype=torch.float32)
    nn.init.zeros_(last.weight)
    if last.bias is not None:
        nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Conv2d(cin, 32, 1, dtype=torch.float32), nn.ReLU(), last)


class SegmentationNetwork(nn.Module):
    """Salient-object segmentation: EfficientNet-Lite0 (norms folded) and a U-shaped decoder.

    Args:
        widths: channels of the decoder at strides 32, 16, 8, 4 and 2.
        kinds: channels of the evidence, see `KindEvidence`.
        click_widths: channels of the decoder of clicks, see `ClickDecoder`; None: there is no such decoder.
    """

    def __init__(
        self,
        widths: Widths = (128, 96, 64, 48, 24),
        kinds: int = 6,
        click_widths: Widths | None = CLICK_WIDTHS,
    ) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0(classes=0, folded=True)
        top = FEATURE_CHANNELS[-1]
        self.top = nn.Sequential(
            nn.Conv2d(top, widths[0], 1, bias=False, dtype=torch.float32),
            nn.BatchNorm2d(widths[0], dtype=torch.float32),
            nn.ReLU(inplace=True),
            nn.Conv2d(widths[0], widths[0], 3, padding=1, bias=False, dtype=torch.float32),
            nn.BatchNorm2d(widths[0], dtype=torch.float32),
            nn.ReLU(inplace=True),
        )
        # What the whole picture holds, added to every place of the coarsest map.
        self.context = nn.Sequential(
            nn.Linear(top, widths[0], dtype=torch.float32),
            nn.ReLU(),
            nn.Linear(widths[0], widths[0], dtype=torch.float32),
        )
        self.merges = nn.ModuleList(
            _Merge(widths[i], FEATURE_CHANNELS[3 - i], widths[i + 1], depth=2 if i < 2 else 1)
            for i in range(4)
        )
        # Evidence of a frozen classifier. Zero at first: a network trained without it stays as it was.
        self.evidence = nn.ModuleList(_zero_branch(kinds, width) for width in widths[:2])
        self.mask = nn.Conv2d(widths[-1], 1, 3, padding=1, dtype=torch.float32)
        self.objectness = nn.Sequential(
            nn.Linear(top + widths[0], 64, dtype=torch.float32),
            nn.ReLU(),
            nn.Linear(64, 1, dtype=torch.float32),
        )
        self.clicks = None if click_widths is None else ClickDecoder(click_widths, kinds, widths[1:])

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps ``[B, C, h, w]`` at strides 2 to 32 of RGB images ``[B, 3, H, W]`` in [0, 1]."""
        return self.encoder.features(normalise(images))

    def _evidence(self, level: int, evidence: Tensor, like: Tensor) -> Tensor:
        resized = F.interpolate(evidence, like.shape[-2:], mode="bilinear", align_corners=False)
        out: Tensor = self.evidence[level](resized)
        return out

    def forward(self, images: Tensor, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Segment RGB images in [0, 1].

        Args:
            images: ``[B, 3, H, W]``, H and W multiples of `STRIDE`.
            evidence: ``[B, kinds, h, w]`` of any size, what a classifier sees where.

        Returns:
            Logits of the mask ``[B, 1, H, W]`` and of the presence of an object ``[B]``.
        """
        found = self.decode(self.features(images), evidence, (images.shape[-2], images.shape[-1]))
        return found.mask, found.objectness

    def decode(self, features: list[Tensor], evidence: Tensor, size: tuple[int, int]) -> Decoded:
        """The same from the encoder's maps of images of the `size` H, W; see `forward`."""
        pooled = features[-1].mean((2, 3))
        x = self.top(features[-1]) + self.context(pooled)[:, :, None, None]
        x = x + self._evidence(0, evidence, x)
        objectness = self.objectness(torch.cat([pooled, x.amax((2, 3))], dim=1))[:, 0]
        maps = []
        for level, (merge, fine) in enumerate(zip(self.merges, features[-2::-1], strict=True)):
            x = merge(x, fine)
            if level == 0:
                x = x + self._evidence(1, evidence, x)
            maps.append(x)
        mask = F.interpolate(self.mask(x), size, mode="bilinear", align_corners=False)
        return Decoded(mask, objectness, tuple(maps))
