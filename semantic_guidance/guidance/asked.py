"""What the decoder of clicks says about things in a picture, all at once and without a close look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Point
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.click_network import Clicks
from semantic_guidance.guidance.clicks import SIDES, ClickSegmenter, Features
from semantic_guidance.guidance.segmenter import Segmenter

Question = Sequence[Point]
"""Clicks on one thing, in pixels of the size that is asked for."""


class Ask(Protocol):
    """Tells what lies under clicks on a picture."""

    def __call__(
        self, questions: Sequence[Question], size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], list[float]]:
        """The masks of what each question's clicks mean, and how much it is expected to overlap with that.

        Args:
            questions: clicks, at least one each.
            size: height and width of the masks.

        Returns:
            ``[N, H, W]`` in [0, 1], and N predicted overlaps (IoU) in [0, 1].
        """


class Glances:
    """Asks a decoder of clicks about one picture, which is encoded when the first question comes.

    Args:
        clicks: whose decoder it is.
        image: ``[3, H, W]`` in [0, 1].
        salient: ``[1, H, W]`` in [0, 1], what the segmenter found in it, if that is known.
    """

    def __init__(self, clicks: ClickSegmenter, image: Tensor, salient: Tensor | None = None) -> None:
        self._clicks = clicks
        self._image, self._salient = image, salient
        self._features: Features | None = None

    @torch.inference_mode()
    def __call__(
        self, questions: Sequence[Question], size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], list[float]]:
        """See `Ask`."""
        if not questions:
            return np.zeros((0, *size), np.float32), []
        if self._features is None:
            # From furthest away, which is the quickest.
            self._features = self._clicks.encode(self._image, self._salient, SIDES[:1])
        (look,) = self._features.looks
        salient = look.salient
        rows, columns = salient.shape[-2:]
        scale = (columns / size[1], rows / size[0])
        count, most = len(questions), max(map(len, questions))
        points = torch.zeros(count, most, 3, dtype=torch.float32)
        for row, clicks in zip(points, questions, strict=True):
            for n, (x, y, positive) in enumerate(clicks):
                row[n] = torch.tensor(
                    [x * scale[0], y * scale[1], 1 if positive else -1], dtype=torch.float32
                )
        none = torch.zeros(count, 1, rows, columns, dtype=torch.float32)
        asked = Clicks(points, none, salient.expand(count, -1, -1, -1), none)
        with torch_threads(self._clicks.threads):
            view = look.view.of(torch.zeros(count, dtype=torch.int64))
            logits, quality = self._clicks.decoder(view, asked)
        masks = [
            cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
            for mask in logits.sigmoid()[:, 0].numpy()
        ]
        return np.stack(masks).astype(np.float32), quality.sigmoid().tolist()


def glances(segmenter: Segmenter, image: Tensor, salient: Tensor | None = None) -> Glances | None:
    """Asks a segmenter about a picture; None if it knows nothing of clicks. See `Glances`."""
    if segmenter.network.clicks is None:
        return None
    return Glances(ClickSegmenter.of(segmenter), image, salient)
