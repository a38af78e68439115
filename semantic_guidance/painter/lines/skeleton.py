"""The middle lines of shapes, as long paths that go straight on where they cross. Lengths are in pixels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import sample

Array = NDArray[np.float32]
Mask = NDArray[np.uint8]
End = tuple[int, int]  # number of a branch; 0 for its start, -1 for its end

STRAIGHT = math.cos(math.radians(38))
"""Least cosine between two branches that are one line."""

SPUR = 1.3
"""Free branches shorter than this, in half-widths of what they leave, are only its corners."""

MELT = 3.2
"""Nodes that are no farther apart than this, in half-widths there, are one crossing at a sharp angle."""

AROUND = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
"""Neighbours (row, column) of a pixel, clockwise from the top."""


def paths(shapes: Mask) -> list[Array]:
    """The middle lines of shapes.

    Args:
        shapes: ``[H, W]``, 1 within them, else 0.

    Returns:
        ``[N, 2]`` places (x, y) of each path; the centre of the first pixel is at (.5, .5). A path that is
        closed ends where it starts; one that ends on another ends on its middle. A disc is one place.
    """
    depth = cv2.distanceTransform(np.pad(shapes, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    thin = thinned(shapes)
    net = _Net.of(thin, np.asarray(depth, np.float32))
    net.prune()
    return [path for path in net.joined() if len(path)]


def thinned(shapes: Mask) -> Mask:
    """Shapes ``[H, W]`` thinned to lines of one pixel, by T. Y. Zhang and C. Y. Suen (1984)."""
    thin = np.pad(shapes, 1).astype(np.uint8)
    kernel = np.zeros((3, 3), np.float32)
    for bit, (row, column) in enumerate(AROUND):
        kernel[1 + row, 1 + column] = 1 << bit
    tables = [_table(side) for side in (0, 1)]
    while True:
        before = int(thin.sum())
        for table in tables:
            codes = cv2.filter2D(thin, -1, kernel, borderType=cv2.BORDER_CONSTANT)
            thin &= np.asarray(1 - cv2.LUT(codes, table), np.uint8)
        if int(thin.sum()) == before:
            return _with_dots(_without_stairs(thin)[1:-1, 1:-1], shapes)


def _with_dots(thin: Mask, shapes: Mask) -> Mask:
    """Lines ``[H, W]`` and a pixel in each shape that lost its last ones: squares of four go at once."""
    count, label = cv2.connectedComponents(shapes, connectivity=8)
    lost = np.setdiff1d(np.arange(1, count), label[thin > 0])
    for shape in lost.tolist():
        inside = np.argwhere(label == shape)
        row, column = inside[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        thin[row, column] = 1
    return thin


def _neighbours(code: int) -> list[int]:
    return [code >> bit & 1 for bit in range(8)]


def _crossings(code: int) -> int:
    """Times that the neighbours go from 0 to 1, once round."""
    ring = _neighbours(code)
    return sum(1 for n in range(8) if not ring[n] and ring[(n + 1) % 8])


def _table(side: int) -> Mask:
    """Which pixels one half of a step takes away, by the code of their neighbours."""
    table = np.zeros(256, np.uint8)
    for code in range(256):
        ring = _neighbours(code)
        top, right, bottom, left = ring[0], ring[2], ring[4], ring[6]
        open_sides = (
            (top * right * bottom, right * bottom * left)
            if side == 0
            else (top * right * left, top * bottom * left)
        )
        table[code] = 2 <= sum(ring) <= 6 and _crossings(code) == 1 and not any(open_sides)
    return table


def _without_stairs(thin: Mask) -> Mask:
    """Lines ``[H, W]`` without pixels that they need not to hang together."""
    bits = thin.tolist()
    for row, column in np.argwhere(thin).tolist():
        ring = [bits[row + down][column + right] for down, right in AROUND]
        if sum(ring) < 2:
            continue
        sides = ring[0::2]
        # pieces of the ring, where two sides next to each other hang together through nothing else
        pieces = sum(1 for n in range(0, 8, 2) if not ring[n] and (ring[(n + 1) % 8] or ring[(n + 2) % 8]))
        if sum(sides) >= 2 and pieces == 1:
            bits[row][column] = 0
    return np.array(bits, np.uint8)


@dataclass(eq=False)
class _Net:
    """Branches and the nodes where they meet.

    Attributes:
        branches: ``[N, 2]`` places (x, y) of each.
        ends: the nodes of each, -1 where it ends freely.
        nodes: place of each node.
        rooms: half-width of the shape at each node.
    """

    branches: list[Array]
    ends: list[list[int]]
    nodes: list[Array]
    rooms: list[float]

    @staticmethod
    def of(thin: Mask, depth: Array) -> _Net:
        """The net of lines one pixel wide ``[H, W]``."""
        padded = np.pad(thin, 1)
        around = (
            cv2.filter2D(padded, -1, np.ones((3, 3), np.float32), borderType=cv2.BORDER_CONSTANT) - padded
        )
        knots = ((padded == 1) & (around > 2)).astype(np.uint8)
        _, knot_of, _, centres = cv2.connectedComponentsWithStats(knots, connectivity=8)
        count, branch_of = cv2.connectedComponents(padded & (1 - knots), connectivity=8)
        rows, columns = np.nonzero(branch_of)
        order = np.argsort(branch_of[rows, columns], kind="stable")
        bounds = np.searchsorted(branch_of[rows, columns][order], np.arange(1, count + 1))
        nodes = [np.array(each, np.float32) - 0.5 for each in centres[1:]]
        net = _Net([], [], nodes, [float(sample(depth, node[None])[0]) for node in nodes])
        labels = knot_of.tolist()
        for first, last in itertools.pairwise(bounds):
            pixels = list(
                zip(rows[order[first:last]].tolist(), columns[order[first:last]].tolist(), strict=True)
            )
            net._add(_ordered(pixels), labels)
        return net

    def _add(self, pixels: list[tuple[int, int]], knot_of: list[list[int]]) -> None:
        def met(pixel: tuple[int, int], other: int) -> int:
            near = {knot_of[pixel[0] + down][pixel[1] + right] - 1 for down, right in AROUND} - {-1}
            rest = near - {other}
            return min(rest or near) if near and (rest or len(pixels) > 1) else -1

        start = met(pixels[0], -1)
        end = met(pixels[-1], start if len(pixels) < 3 else -1)
        points = np.array([(column - 0.5, row - 0.5) for row, column in pixels], np.float32)
        touching = max(abs(pixels[0][0] - pixels[-1][0]), abs(pixels[0][1] - pixels[-1][1])) <= 1
        if start < 0 and end < 0 and touching and len(pixels) > 4:
            points = np.concatenate([points, points[:1]])
        self.branches.append(points)
        self.ends.append([start, end])

    def prune(self) -> None:
        """Take away spurs that are only the corners of thick shapes, and melt nodes that are one crossing."""
        rooms = self.rooms
        into = list(range(len(self.nodes)))
        for n in sorted(range(len(self.branches)), key=lambda n: len(self.branches[n])):
            start, end = self.ends[n]
            free, tied = min(start, end) < 0, max(start, end) >= 0
            if free and tied:
                if len(self.branches[n]) < SPUR * rooms[max(start, end)] + 1:
                    self._drop(n)
            elif tied and start != end and len(self.branches[n]) < MELT * max(rooms[start], rooms[end]):
                self._drop(n)
                into = [min(into[start], into[end]) if i in (into[start], into[end]) else i for i in into]
        places = {
            i: np.mean([self.nodes[n] for n, to in enumerate(into) if to == i], axis=0) for i in set(into)
        }
        self.nodes = [places[i] for i in into]
        self.ends = [[into[end] if end >= 0 else -1 for end in ends] for ends in self.ends]

    def _drop(self, n: int) -> None:
        self.branches[n], self.ends[n] = self.branches[n][:0], [-1, -1]

    def joined(self) -> list[Array]:
        """Paths through the nodes, straight on where they can."""
        partner = self._partners()
        done: set[int] = set()
        found = []
        for n in sorted(range(len(self.branches)), key=lambda n: (n, 0) in partner and (n, -1) in partner):
            if n in done or not len(self.branches[n]):
                continue
            first: End = (n, 0) if (n, 0) not in partner else (n, -1)
            found.append(self._walked(first, partner, done))
        return found

    def _walked(self, first: End, partner: dict[End, End], done: set[int]) -> Array:
        """The path that starts with an end of a branch."""
        parts, end = list[Array](), first
        if first not in partner:
            parts.append(self._node(first))
        while True:
            n, way = end
            done.add(n)
            branch = self._trimmed(n)
            parts.append(branch if way == 0 else branch[::-1])
            leaving: End = (n, -1 if way == 0 else 0)
            following = partner.get(leaving)
            if following is None:
                parts.append(self._node(leaving))
                break
            if following[0] in done:
                if following == first:
                    parts.append(parts[0][:1])
                break
            end = following
        return np.concatenate(parts).astype(np.float32)

    def _node(self, end: End) -> Array:
        """``[1, 2]`` where a branch that goes straight on meets its node; ``[0, 2]`` if it ends freely."""
        node = self.ends[end[0]][end[1]]
        if node < 0:
            return np.zeros((0, 2), np.float32)
        branch, outward = self._trimmed(end[0]), self._outward(end, self.rooms[node])
        last = branch[end[1]]
        return (last + (outward * (self.nodes[node] - last)).sum() * outward)[None]

    def _trimmed(self, n: int) -> Array:
        """A branch without its ends near nodes, where middles of shapes that overlap are bent."""
        branch, rooms = self.branches[n], [self.rooms[node] if node >= 0 else 0.0 for node in self.ends[n]]
        first, last = (min(round(room), (len(branch) - 1) // 2) for room in rooms)
        return branch[first : len(branch) - last]

    def _partners(self) -> dict[End, End]:
        """Which end of a branch goes on as which other one."""
        at: dict[int, list[End]] = {}
        for n, ends in enumerate(self.ends):
            for way, node in zip((0, -1), ends, strict=True):
                if node >= 0 and len(self.branches[n]):
                    at.setdefault(node, []).append((n, way))
        partner: dict[End, End] = {}
        for node, ends_here in at.items():
            ahead = {end: self._outward(end, self.rooms[node]) for end in ends_here}
            pairs = sorted(
                ((float((ahead[a] * ahead[b]).sum()), a, b) for a, b in itertools.combinations(ends_here, 2)),
                key=lambda pair: pair[0],
            )
            for cosine, a, b in pairs:
                if -cosine > STRAIGHT and a not in partner and b not in partner:
                    partner[a], partner[b] = b, a
        return partner

    def _outward(self, end: End, room: float) -> Array:
        """Unit vector by which a branch leaves its node, measured beyond the place where shapes overlap."""
        points = self.branches[end[0]] if end[1] == 0 else self.branches[end[0]][::-1]
        near = min(round(room), (len(points) - 1) // 2)
        far = min(near + max(6, round(3 * room)), len(points) - 1)
        away = (
            points[far] - points[near] if far > near else points[-1] - self.nodes[self.ends[end[0]][end[1]]]
        )
        return np.asarray(away / (np.sqrt((away**2).sum()) + 1e-9), np.float32)


def _ordered(pixels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pixels of a branch from one end to the other; side by side before across corners."""
    left = set(pixels)
    steps = sorted(AROUND, key=lambda step: abs(step[0]) + abs(step[1]))

    def near(pixel: tuple[int, int]) -> list[tuple[int, int]]:
        places = ((pixel[0] + down, pixel[1] + right) for down, right in steps)
        return [place for place in places if place in left]

    here = next((pixel for pixel in pixels if len(near(pixel)) < 2), pixels[0])
    path = [here]
    left.discard(here)
    while following := near(here):
        here = following[0]
        left.discard(here)
        path.append(here)
    return path
