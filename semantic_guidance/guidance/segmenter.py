"""Finding the salient objects of a photograph: the network at several scales, a closer look, sharp edges."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import box_of
from semantic_guidance.core.resample import resample
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.core.weights import (
    Config,
    Unfilled,
    filled,
    number,
    read_weights,
    unreadable,
    whole,
    wholes,
    write_weights,
)
from semantic_guidance.guidance.classifier import kind_evidence
from semantic_guidance.guidance.click_network import CLICK_WIDTHS
from semantic_guidance.guidance.matting import sharp_edges
from semantic_guidance.guidance.network import STRIDE, SegmentationNetwork, Widths
from semantic_guidance.guidance.refine import Plane, grabcut, grown
from semantic_guidance.guidance.thin import thin_parts

WEIGHTS = Path(__file__).parent / "weights" / "segmenter.safetensors"
FORMAT, WHAT = "semantic-guidance/segmenter", "segmenter weights"
MOST_CHANNELS, MOST_PIXELS, MOST_SCALES, MOST_THREADS = 4096, 4096, 16, 1024
"""Bounds of what a file may ask for."""

_THIN = 0.75  # probability that is given to a thin part
_MAX_RATIO = 4.0  # of the sides the network sees; longer strips are squeezed


@dataclass(frozen=True)
class SegmenterConfig:
    """How the network was built and how its answers are put together.

    Attributes:
        widths: of the decoder, see `SegmentationNetwork`.
        click_widths: of the decoder of clicks, see `ClickDecoder`; None: there is no such decoder.
        scales: geometric mean of the input's sides, in pixels, for the first look.
        zoom_scales: the same for the look at the box.
        work_side: longer side at which masks are computed, in pixels.
        zoom_below: boxes under this share of the frame's area get the closer look.
        grabcut_side: longer side at which edges are refined, in pixels.
        grabcut_weight: share of GrabCut's answer in the mask.
        threads: greatest number of torch threads, see `torch_threads`.
    """

    widths: Widths = (128, 96, 64, 48, 24)
    click_widths: Widths | None = CLICK_WIDTHS
    scales: tuple[int, ...] = (192, 256, 352)
    zoom_scales: tuple[int, ...] = (192, 288)
    work_side: int = 512
    zoom_below: float = 0.6
    grabcut_side: int = 300
    grabcut_weight: float = 0.3
    threads: int = 1


def _widths(values: Config, name: str) -> Widths:
    top, second, third, fourth, last = wholes(values, name, 5, 1, MOST_CHANNELS)
    return top, second, third, fourth, last


def _read_settings(stored: Config, clicks: bool) -> SegmenterConfig:
    """The settings in a file; those that it lacks are the usual ones.

    Args:
        stored: the settings.
        clicks: whether the file has a decoder of clicks; earlier ones have none.

    Raises:
        ValueError: one is of another kind, or out of bounds.
    """
    usual = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(SegmenterConfig()).items()
    }
    values = usual | stored
    return SegmenterConfig(
        widths=_widths(values, "widths"),
        click_widths=_widths(values, "click_widths") if clicks else None,
        scales=wholes(values, "scales", (1, MOST_SCALES), STRIDE, MOST_PIXELS),
        zoom_scales=wholes(values, "zoom_scales", (1, MOST_SCALES), STRIDE, MOST_PIXELS),
        work_side=whole(values, "work_side", STRIDE, MOST_PIXELS),
        zoom_below=number(values, "zoom_below", 0, 1),
        grabcut_side=whole(values, "grabcut_side", STRIDE, MOST_PIXELS),
        grabcut_weight=number(values, "grabcut_weight", 0, 1),
        threads=whole(values, "threads", 1, MOST_THREADS),
    )


def fit(height: int, width: int, side: int) -> tuple[int, int]:
    """Network input size: multiples of `STRIDE` near the picture's aspect ratio, mean side `side`."""
    ratio = min(max(width / height, 1 / _MAX_RATIO), _MAX_RATIO)
    rows, columns = side / ratio**0.5, side * ratio**0.5
    return max(1, round(rows / STRIDE)) * STRIDE, max(1, round(columns / STRIDE)) * STRIDE


@dataclass(frozen=True, eq=False)
class Sight:
    """A segmenter's answer, and what came before it, by which one can judge how sure it is.

    Attributes:
        mask: ``[1, H, W]`` soft mask in [0, 1], on the picture's device.
        presence: probability of there being an object.
        looks: ``[K, h, w]`` what it saw in the whole frame at each size, no larger than it works at.
        near: ``[1, h, w]`` with the closer look, before the edges were refined.
    """

    mask: Tensor
    presence: float
    looks: Tensor
    near: Tensor


class Segmenter:
    """Finds the soft mask and objectness of a picture.

    Args:
        network: in eval mode.
        config: see `SegmenterConfig`.
    """

    @torch_threads()
    def __init__(self, network: SegmentationNetwork, config: SegmenterConfig | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        decoder = network.clicks
        self.config = config or SegmenterConfig(click_widths=None if decoder is None else decoder.widths)

    @staticmethod
    def load(path: str | Path = WEIGHTS) -> Segmenter:
        """Read weights (safetensors, fp16, JSON config in the metadata).

        Raises:
            ValueError: the file is missing, damaged or of another kind.
        """
        stored, state = read_weights(path, FORMAT, WHAT)
        try:
            config = _read_settings(stored, any(name.startswith("clicks.") for name in state))
            with Unfilled():
                network = SegmentationNetwork(config.widths, click_widths=config.click_widths)
        except (TypeError, ValueError, RuntimeError) as error:
            raise unreadable(path, WHAT, error) from None
        return Segmenter(filled(network, state, path, WHAT), config)

    def save(self, path: str | Path) -> None:
        """Write what `load` reads."""
        write_weights(self.network, {"format": FORMAT, **asdict(self.config)}, Path(path))

    @torch.inference_mode()
    def look(self, image: NDArray[np.uint8], scales: tuple[int, ...]) -> tuple[Plane, float]:
        """The network's mean answer over several input sizes, each also mirrored.

        Args:
            image: ``[H, W, 3]`` RGB bytes.
            scales: geometric means of the input's sides, in pixels.

        Returns:
            Probability of the object per pixel ``[H, W]`` and of there being one.
        """
        height, width = image.shape[:2]
        answers = {}
        for side in sorted(scales, reverse=True):  # so that the smaller ones use memory that is free again
            rows, columns = fit(height, width, side)
            shrinking = rows * columns < height * width
            resized = cv2.resize(
                image, (columns, rows), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
            )
            x = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
            evidence = kind_evidence()(x)
            # One after the other, not as a batch: half the memory, in about the same time.
            seen, present = self.network(x, evidence)
            mirrored, again = self.network(x.flip(-1), evidence.flip(-1))
            both = torch.sigmoid(seen) + torch.sigmoid(mirrored).flip(-1)
            plane = cv2.resize(both[0, 0].numpy() / 2, (width, height), interpolation=cv2.INTER_LINEAR)
            answers[side] = plane, float(torch.sigmoid(torch.cat([present, again])).mean())
        total, presence = np.zeros((height, width), np.float32), 0.0
        for side in scales:  # sums depend on their order
            total += answers[side][0]
            presence += answers[side][1]
        return total / len(scales), presence / len(scales)

    def _closer(self, image: NDArray[np.uint8], soft: Plane) -> Plane:
        """Where the objects fill little of the frame, look again at their box alone."""
        height, width = soft.shape
        box = box_of(torch.from_numpy(soft), 0.4)
        if box is None:
            return soft
        x, y, w, h = grown(box, 0.2, height, width)
        if w * h > self.config.zoom_below * height * width:
            return soft
        near, _ = self.look(image[y : y + h, x : x + w], self.config.zoom_scales)
        # The whole frame knows what the subject is, the box where it ends.
        trust = float(np.clip(1 - w * h / (height * width), 0.5, 0.75))
        out = np.minimum(soft, 0.3)
        out[y : y + h, x : x + w] = (1 - trust) * soft[y : y + h, x : x + w] + trust * near
        return out

    def _sharpen(self, image: NDArray[np.uint8], soft: Plane) -> Plane:
        """Edges by GrabCut, computed in a window round the object."""
        height, width = soft.shape
        box = box_of(torch.from_numpy(soft), 0.2)
        if box is None or self.config.grabcut_weight == 0:
            return soft
        x, y, w, h = grown(box, 0.25, height, width)
        window = np.ascontiguousarray(image[y : y + h, x : x + w])
        part = np.ascontiguousarray(soft[y : y + h, x : x + w])
        cut = grabcut(window, part, self.config.grabcut_side)
        # GrabCut may lose an object of the background's colours: then it has no say.
        ours = part > 0.5
        overlap = float((ours & (cut > 0.5)).sum()) / max(float((ours | (cut > 0.5)).sum()), 1.0)
        weight = self.config.grabcut_weight if overlap > 0.5 else 0.0
        out = soft.copy()
        out[y : y + h, x : x + w] = (1 - weight) * part + weight * cut
        return out

    def _edged(self, image: NDArray[np.uint8], soft: Plane) -> Plane:
        """`_sharpen`, and thin parts: unsure, so that at the picture's own resolution colour has a say."""
        out = self._sharpen(image, soft).copy()
        parts = thin_parts(image, soft, out)
        out[parts] = np.maximum(out[parts], _THIN)
        return out

    def __call__(self, image: Tensor) -> tuple[Tensor, float]:
        """Segment a picture.

        Args:
            image: ``[3, H, W]`` in [0, 1], any size.

        Returns:
            Soft mask ``[1, H, W]`` in [0, 1], on the image's device, and the probability of an object.
        """
        seen = self.see(image)
        return seen.mask, seen.presence

    def see(self, image: Tensor) -> Sight:
        """Segment a picture ``[3, H, W]`` in [0, 1], any size, and tell what was seen on the way."""
        height, width = image.shape[-2:]
        shrink = min(1.0, self.config.work_side / max(height, width))
        size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        small = image.detach().float().cpu()
        if shrink < 1:
            small = resample(small, *size)
        pixels = (small.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        with torch_threads(self.config.threads):
            largest_first = sorted(self.config.scales, reverse=True)  # the smaller ones reuse its memory
            answers = {side: self.look(pixels, (side,)) for side in largest_first}
            looks = [answers[side][0] for side in self.config.scales]
            near = self._closer(pixels, np.stack(looks).sum(axis=0) / np.float32(len(looks)))
        full = image.detach().cpu().permute(1, 2, 0).float().numpy()
        mask = torch.from_numpy(sharp_edges(full, self._edged(pixels, near), pixels))[None]
        return Sight(
            mask.to(image.device),
            sum(answers[side][1] for side in self.config.scales) / len(looks),
            torch.from_numpy(np.stack(looks)),
            torch.from_numpy(near)[None],
        )


@lru_cache(maxsize=1)
def default_segmenter() -> Segmenter:
    """The segmenter that ships with the package, loaded on first use."""
    return Segmenter.load()
