"""How much a painted film flickers, as the field measures it.

Frames are uint8 RGB ``[H, W, 3]``; errors are squares of grey levels, of 255.

**E_warp** (Lai et al., Learning blind video temporal consistency, ECCV 2018, section 4.3): a frame is warped along the
source's optical flow onto its neighbour, and the mean squared difference is taken where nothing is hidden:

    E(V_t, V_t+1) = sum_i M_i |V_t+1(i) - warped V_t(i)|^2 / sum_i M_i

M leaves out what is occluded, by the rule of Ruder et al. (Artistic style transfer for videos, 2016, section 5.2), as
their published code does: where flow there and back do not meet again, and where motion has an edge. Differences from
that code: Farneback's flow instead of FlowNet2's, the earlier frame is warped onto the later one and not the other way
round, and what came from outside of the picture is left out, too. The source has an E_warp itself, for flow is never
exact and light changes; so a film's is told as a multiple of that.

Where flow is wrong, E_warp of source and film are large alike, and their ratio says little. Therefore a **strict** one
stands beside it, which counts only where flow explains the source to within `EXPLAINED` grey levels. Where true motion
is known, there is an E_warp by that, too.

**tOF** (Chu et al., Learning temporal coherence via self-supervision, 2020): mean distance in pixels between the flow
of the film and that of the source. It is a weak witness: strokes that are new in every frame and a painting that is
almost like its source score well, as flow is smooth.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # [H, W, 3]
Field = NDArray[np.float32]  # [H, W, 2], x and y in pixels
Mask = NDArray[np.bool_]  # [H, W]

EXPLAINED = 12.0  # grey levels, mean over the channels
EQUAL = 100.0  # dB, which stand for an infinite PSNR


def flow(start: Frame, end: Frame) -> Field:
    """Farneback's optical flow from one frame to another."""
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (start, end)]
    found = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return np.asarray(found, np.float32)


def looked_up(values: NDArray[np.float32] | Frame, back: Field) -> NDArray[np.float32]:
    """`values` ``[H, W, ...]`` at the places to which a field leads, linearly between pixels."""
    height, width = back.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    found = cv2.remap(values.astype(np.float32), x + back[..., 0], y + back[..., 1], kind, borderMode=border)
    return np.asarray(found, np.float32)


def unoccluded(back: Field, forth: Field) -> Mask:
    """Pixels of a frame that were seen in the one before.

    Args:
        back: flow from the frame to the one before.
        forth: flow from that to the frame.
    """
    returned = looked_up(forth, back)
    lost = _square(back + returned) > 0.01 * (_square(back) + _square(returned)) + 0.5
    edge = np.zeros_like(lost, np.float32)
    edge[:, :-1] += _square(np.diff(back, axis=1))
    edge[:-1] += _square(np.diff(back, axis=0))
    return ~lost & ~(edge > 0.01 * _square(back) + 0.002) & _inside(back)


def _square(field: Field) -> NDArray[np.float32]:
    """Squared lengths ``[H, W]`` of a field's vectors."""
    return np.asarray((field**2).sum(-1), np.float32)


def _inside(back: Field) -> Mask:
    """Where a field leads to places inside the picture."""
    height, width = back.shape[:2]
    y, x = np.mgrid[:height, :width]
    column, row = x + back[..., 0], y + back[..., 1]
    return np.asarray((column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1))


def explained(before: Frame, after: Frame, back: Field) -> Mask:
    """Pixels whose colour the flow explains."""
    return np.asarray(np.abs(looked_up(before, back) - after).mean(-1) < EXPLAINED)


def warp_error(before: Frame, after: Frame, back: Field, mask: Mask) -> float:
    """Mean squared difference from the frame before, warped, where `mask` is; nan if that is nowhere."""
    if not mask.any():
        return float("nan")
    return float(((looked_up(before, back) - after) ** 2)[mask].mean())


def psnr(one: Frame, other: Frame, mask: Mask | None = None) -> float:
    """Peak signal to noise ratio in dB, of all pixels or of those of a mask; nan if there are none."""
    if mask is not None and not mask.any():
        return float("nan")
    difference = (one.astype(np.float32) - other) ** 2
    error = float((difference if mask is None else difference[mask]).mean(dtype=np.float64))
    return EQUAL if error == 0 else min(EQUAL, float(10 * np.log10(255**2 / error)))


@dataclass(frozen=True, eq=False)
class Pair:
    """What is known of a frame of the source and the one before.

    Attributes:
        number: of the later one.
        back: flow from it to the one before.
        forth: flow from that to it.
        unoccluded: pixels that count.
        explained: pixels that count strictly.
        error: the source's own E_warp.
        strict_error: the same, strictly.
    """

    number: int
    back: Field
    forth: Field
    unoccluded: Mask
    explained: Mask
    error: float
    strict_error: float

    @staticmethod
    def of(before: Frame, after: Frame, number: int) -> Pair:
        """Look at two frames."""
        back, forth = flow(after, before), flow(before, after)
        seen, clear = unoccluded(back, forth), explained(before, after, back)
        own, strict = (warp_error(before, after, back, mask) for mask in (seen, clear))
        return Pair(number, back, forth, seen, clear, own, strict)


def pairs(frames: Sequence[Frame] | NDArray[np.uint8], numbers: Iterable[int]) -> list[Pair]:
    """The pairs of a source whose later frames have these numbers, which should not be those of cuts."""
    return [Pair.of(frames[number - 1], frames[number], number) for number in numbers]


@dataclass(frozen=True)
class Flicker:
    """A film's figures, means over its pairs.

    Attributes:
        e_warp: the film's.
        source: the source's own, over the same pairs.
        strict: the film's, where flow explains the source.
        strict_source: the source's own, there.
        tof: pixels between the flow of film and source.
    """

    e_warp: float
    source: float
    strict: float
    strict_source: float
    tof: float

    @property
    def ratio(self) -> float:
        """E_warp in multiples of the source's."""
        return self.e_warp / self.source if self.source else float("nan")

    @property
    def strict_ratio(self) -> float:
        """The same, strictly."""
        return self.strict / self.strict_source if self.strict_source else float("nan")


def flicker(film: Mapping[int, Frame], known: Sequence[Pair]) -> Flicker | None:
    """A film's figures over the pairs of which it has both frames, by their numbers; None if it has none."""
    rows = []
    for pair in known:
        if pair.number - 1 not in film or pair.number not in film:
            continue
        before, after = film[pair.number - 1], film[pair.number]
        errors = [warp_error(before, after, pair.back, mask) for mask in (pair.unoccluded, pair.explained)]
        apart = np.sqrt(_square(flow(before, after) - pair.forth)).mean()
        rows.append((errors[0], pair.error, errors[1], pair.strict_error, float(apart)))
    if not rows:
        return None
    return Flicker(*(float(np.nanmean(column)) for column in zip(*rows, strict=True)))


def lives(ids: Sequence[NDArray[np.int64]]) -> tuple[float, float]:
    """Mean number of frames that strokes live, and of the first frame's the share that sees the last one.

    Strokes that see the first or the last frame would have lived longer, so that a short film's is too low.

    Args:
        ids: of the strokes of each frame.
    """
    _, counts = np.unique(np.concatenate(ids), return_counts=True)
    return float(counts.mean()), float(np.isin(ids[0], ids[-1]).mean())
