"""Drawings in films: lines are carried along, go where the frame has none, and come where it has some.

Nothing is refined. Now and then the frame is drawn anew, and of that drawing only such lines are taken as are
not there yet: contours beside which there is none, hatching where there is less of it than the tone wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from semantic_guidance.agents.flow import blur, sample
from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.core.bezier import weights
from semantic_guidance.core.packed import COLOR, CONTROL, END, OPACITY, POINTS, RADIUS, START
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.painter.film.following import AnyStrokes, Limits, columns
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.lines.art import as_lines
from semantic_guidance.painter.lines.contours import CLEAR, edges
from semantic_guidance.painter.lines.drawing import FAINTEST, drawn, tone
from semantic_guidance.painter.lines.sheet import Sheet
from semantic_guidance.painter.linework import LineWork
from semantic_guidance.painter.refine import BEYOND, Refiner
from semantic_guidance.painting.layers import Ends
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Painting

Array = NDArray[np.float32]

WEAK, CHAINED, LENGTH = 0, 1, 2
"""Columns of a line's traits: frames for which nothing in the picture has asked for it, whether the next one
goes on where it ends, and how long it was when it was drawn."""

PLACES, MIDDLE = 7, 3
"""Places along a line at which it is compared with the frame, and the one in the middle."""

PATIENCE = 2
"""Frames after which a line goes that nothing asks for."""

SUPPORT = 0.6 * CLEAR
"""Mean contrast along a contour below which nothing asks for it."""

FAINTER = 0.6
"""Share of the tone at which hatching is drawn, below which nothing asks for it."""

GOING = 0.5
"""Factor of the fading of lines that go, which would be carried to where they are not."""

EVERY, SOONEST, HASTY = 6, 3, 0.05
"""Frames after which a frame is drawn anew; and sooner, if so many of the lines have gone."""

THINNED = 0.2
"""Share of the hatching that lies too densely that goes in a frame."""

HIDDEN = 0.15
"""Share of a line up to which it may be seen of what it depicts, and still be hidden."""

BENT = 1.5
"""A line that was pulled, or squeezed, by so much shows something else now, such as what hides it."""

OUTLINES = 0.4
"""Share of the lines that come that contours may get, if there is hatching for the others."""

NEAR, NEAREST = 3.5, 2.5
"""Half-widths of a contour within which there is no place for another one, and pixels, at least."""

COVERED = 0.5
"""Share of a line at whose places there is one already, from which on it is not drawn."""

THIN, DENSE = 0.6, 2.5
"""Ink against the tone that is wanted, below which hatching comes, and above which some of it goes."""

SPREAD = 4.0
"""Scale of the ink's density, in widths of a line."""

APART = 0.02
"""Ends of curves of one line that are farther from each other are no more joined."""

PLAIN = 0.25
"""Share of a line's difference from the ground that a picture of lines has where there is the line."""


class Lines(AnyStrokes):
    """A `Following` of the lines of a drawing: contours, which are opaque, and hatching.

    Args:
        work: how pictures are drawn; None for line by line, as they are.
        count: greatest number of lines.
        ends: of the lines.
    """

    refines = False

    def __init__(self, work: LineWork | None, count: int, ends: Ends) -> None:
        super().__init__(count, ends)
        self.work = work
        self.since = 0  # frames since a frame was drawn anew,
        self.most = count  # and of how many lines

    def begin(
        self, painting: Painting, scene: Scene, parts: Parts, tools: Tools | None, refiner: Refiner | None
    ) -> Cast:
        """See `Following`."""
        cast = _chained(super().begin(painting, scene, parts, tools, refiner))
        self.since, self.most = 0, len(cast)
        return cast

    def limits(self, cast: Cast, scene: Scene) -> Limits:
        """See `Following`: they are not refined."""
        return Limits(columns(0, 0, 0, 0), columns(-BEYOND, 0, 0, 0), columns(1 + BEYOND, 1, 1, 1))

    def within(self, vectors: Array, cast: Cast) -> Array:
        """See `Following`: curves of one line meet, and a pen keeps its width."""
        found, apart = vectors.copy(), vectors[:-1, END] - vectors[1:, START]
        meets = (cast.traits[:-1, CHAINED] > 0) & (np.sqrt((apart**2).sum(axis=1)) < APART)
        found[:, RADIUS] = cast.vectors[:, RADIUS]
        first = np.flatnonzero(meets)
        middle = (vectors[first, END] + vectors[first + 1, START]) / 2
        found[first, END] = found[first + 1, START] = middle
        return found

    def exchanged(
        self, cast: Cast, scene: Scene, motion: Motion, before: Array, hold: Hold, rng: np.random.Generator
    ) -> Cast:
        """See `Following`: by what the frame asks for."""
        cast = self._let_go(cast, scene, motion, rng)
        self.since += 1
        missing = self.most - int((~cast.dying).sum())
        if self.since < (EVERY if missing < HASTY * self.most else SOONEST):
            return cast
        self.since = 0
        fresh = self._missing(cast, scene, rng)
        missing = max(0, self.most - int((~cast.dying).sum()))
        shaded = _hatched(fresh.vectors)
        outlines, shades = np.flatnonzero(~shaded), np.flatnonzero(shaded)
        most = missing - min(len(shades), round((1 - OUTLINES) * missing))  # so that shades are not left out
        fresh = fresh[np.concatenate([outlines[:most], shades])[:missing]]
        fade = np.full(len(fresh), 1 / max(1, hold.fade), np.float32)
        both = cast.beside(replace(fresh, fade=fade))
        return both[np.argsort(_hatched(both.vectors), kind="stable")] if self.work is not None else both

    def _let_go(self, cast: Cast, scene: Scene, motion: Motion, rng: np.random.Generator) -> Cast:
        """The lines with those dying for which nothing asks, without those that are out of the picture."""
        if not len(cast):
            return cast
        lines = _in_pixels(cast.vectors, scene)
        places = _along(lines)
        height, width = scene.target.shape[:2]
        x, y = places[..., 0], places[..., 1]
        inside = (x > -1) & (x < width + 1) & (y > -1) & (y < height + 1)
        fits = self._wanted(cast.vectors, scene, places) & ~_bent(cast)
        fits &= _share_of(scene.problem.owner, places, cast.parts) > HIDDEN
        weak = ~fits & ~sample(motion.still, places[:, MIDDLE])
        traits = cast.traits.copy()
        traits[:, WEAK] = np.where(weak, traits[:, WEAK] + 1, 0)
        dying = cast.dying | (traits[:, WEAK] >= PATIENCE)
        fade = np.where(cast.dying, GOING * cast.fade, cast.fade).astype(np.float32)
        if self.work is not None:
            crowded = self._crowded(cast, scene, lines) & (rng.random(len(cast)) < THINNED)
            dying = dying | crowded
        return replace(cast, traits=traits, dying=dying, fade=fade)[np.flatnonzero(inside.any(axis=1))]

    def _sheet(self, work: LineWork, problem: Problem) -> Sheet:
        """What is drawn of a problem."""
        return Sheet.of(
            to_array(problem.target),
            problem.weight.numpy(),
            problem.masks.numpy(),
            problem.focus.numpy(),
            work.dials(problem.ground),
            self.count,
        )

    def _wanted(self, vectors: Array, scene: Scene, places: Array) -> NDArray[np.bool_]:
        """``[N]`` whether the frame asks for lines along places (x, y) ``[N, P, 2]`` in its pixels."""
        if self.work is None:
            ground = np.array(scene.problem.ground, np.float32)
            there = _mean(np.asarray(np.abs(scene.target - ground).sum(-1)), places)
            return np.asarray(there > PLAIN * np.abs(vectors[:, COLOR] - ground).sum(-1))
        sheet = self._sheet(self.work, scene.problem)
        strength, _ = edges(sheet, max(0.8, 0.75 * sheet.radius))
        near = np.asarray(
            cv2.dilate(strength, np.ones((3, 3), np.uint8)), np.float32
        )  # a pixel aside is there, too
        dark = _mean(tone(sheet, 1.0), places)
        hatched = _hatched(vectors)
        return np.asarray(np.where(hatched, dark > FAINTER * FAINTEST, _mean(near, places) > SUPPORT))

    def _crowded(self, cast: Cast, scene: Scene, lines: Array) -> NDArray[np.bool_]:
        """``[N]`` hatching where there is more of it than the tone of the frame wants."""
        assert self.work is not None
        hatched = _hatched(cast.vectors)
        wanted = tone(self._sheet(self.work, scene.problem), 1.0)
        ink = _ink(lines[hatched & ~cast.dying], wanted.shape)
        middle = _along(lines)[:, MIDDLE]
        most = DENSE * _typical(ink, wanted) * np.maximum(sample(wanted, middle), FAINTEST)
        return np.asarray(hatched & (sample(ink, middle) > most))

    def _missing(self, cast: Cast, scene: Scene, rng: np.random.Generator) -> Cast:
        """Lines of the frame, drawn anew, that are not there yet, the most telling first."""
        problem, work = scene.problem, self.work
        if work is None:
            vectors = as_lines(to_array(problem.picture), self.count).strokes
        else:
            seen = Problem.of(problem.picture, problem.guidance, work.length, self.count, None)
            seen = replace(seen, ground=problem.ground)
            masks, focus = seen.masks.numpy(), seen.focus.numpy()
            target, weight, dials = to_array(seen.target), seen.weight.numpy(), work.dials(seen.ground)
            strokes = drawn(target, weight, masks, focus, self.count, dials, rng).strokes
            vectors = seen.to_picture(torch.from_numpy(strokes)).pack()[0].numpy()
        self.most = len(vectors)
        if not len(vectors):
            return Cast.of(vectors, np.zeros(0, np.intp), traits=np.zeros((0, 3), np.float32))
        lines, there = _in_pixels(vectors, scene), _in_pixels(cast[~cast.dying].vectors, scene)
        parts = sample(problem.owner, _along(lines)[:, MIDDLE])
        return _chained(Cast.of(vectors, parts))[self._free(lines, there, scene)]

    def _free(self, lines: Array, there: Array, scene: Scene) -> NDArray[np.bool_]:
        """``[N]`` lines for which there is a place beside those that are there, ``[M, 13]`` in pixels."""
        hatched, others, shape = _hatched(lines), _hatched(there), scene.target.shape[:2]
        if self.work is None:
            hatched, others = hatched & False, others & False
        free = _mean(_drawn(there[~others], shape, NEAR, NEAREST), _along(lines)) < COVERED
        if self.work is None:
            return np.asarray(free)
        wanted, ink = tone(self._sheet(self.work, scene.problem), 1.0), _ink(there[others], shape)
        middle = _along(lines)[:, MIDDLE]
        bare = sample(ink, middle) < THIN * _typical(ink, wanted) * sample(wanted, middle)
        return np.asarray(np.where(hatched, bare, free))

    def state(self) -> dict[str, Any]:
        """See `Following`."""
        return {**super().state(), "since": self.since, "most": self.most}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Following`."""
        super().restore(state)
        self.since, self.most = int(state["since"]), int(state["most"])


def _hatched(vectors: Array) -> NDArray[np.bool_]:
    """``[N]`` which lines are hatching: contours are opaque."""
    return np.asarray(vectors[:, OPACITY].min(axis=1) < 1)


def _lengths(vectors: Array) -> Array:
    """``[N]`` of the polygons of their control points."""
    first, second = vectors[:, CONTROL] - vectors[:, START], vectors[:, END] - vectors[:, CONTROL]
    return np.asarray(np.sqrt((first**2).sum(axis=1)) + np.sqrt((second**2).sum(axis=1)))


def _bent(cast: Cast) -> NDArray[np.bool_]:
    """``[N]`` which lines are no longer about as long as they were."""
    change = np.maximum(_lengths(cast.vectors), 1e-6) / np.maximum(cast.traits[:, LENGTH], 1e-6)
    return np.asarray(np.abs(np.log(change)) > np.log(BENT))


def _chained(cast: Cast) -> Cast:
    """Strokes with traits that say which go on in the next one."""
    traits = np.zeros((len(cast), 3), np.float32)
    traits[:, LENGTH] = _lengths(cast.vectors)
    if len(cast) > 1:
        apart = cast.vectors[:-1, END] - cast.vectors[1:, START]
        traits[:-1, CHAINED] = (apart**2).sum(axis=1) < 1e-8
    return replace(cast, traits=traits)


def _in_pixels(vectors: Array, scene: Scene) -> Array:
    """Strokes ``[N, 13]`` of the picture with places and radii in pixels of the scene."""
    lines = scene.seen(vectors).cpu().numpy()
    lines[:, : OPACITY.start] *= scene.size
    return lines


def _along(lines: Array) -> Array:
    """Places (x, y) ``[N, P, 2]`` along strokes."""
    curves = lines[:, POINTS].reshape(-1, 3, 2)
    t = np.linspace(0, 1, PLACES, dtype=np.float32)
    return np.asarray(np.stack(weights(t), -1) @ curves, np.float32)


def _mean(values: Array, places: Array) -> Array:
    """``[N]`` mean of values ``[h, w]`` over places ``[N, P, 2]``."""
    return np.asarray(sample(values, places.reshape(-1, 2)).reshape(places.shape[:2]).mean(axis=1))


def _share_of(owner: Parts, places: Array, parts: Parts) -> Array:
    """``[N]`` share of the places ``[N, P, 2]`` of each line at which what it depicts is on top."""
    there = sample(owner, places.reshape(-1, 2)).reshape(places.shape[:2])
    return np.asarray((there == parts[:, None]).mean(axis=1), np.float32)


def _drawn(lines: Array, shape: tuple[int, ...], wider: float = 1.0, least: float = 0.5) -> Array:
    """``[h, w]`` 1 where lines are, so many times as wide, and so many pixels to each side at least."""
    found = np.zeros(shape, np.uint8)
    for places, line in zip(_along(lines), lines, strict=True):
        width = round(2 * max(least, wider * float(line[RADIUS].mean())))
        pixels = np.rint((places - 0.5) * 8).astype(np.int32)  # in eighths
        cv2.polylines(found, [pixels[:, None]], False, 1, width, cv2.LINE_8, 3)
    return found.astype(np.float32)


def _ink(lines: Array, shape: tuple[int, ...]) -> Array:
    """``[h, w]`` how densely lines lie."""
    width = 2 * float(lines[:, RADIUS].mean()) if len(lines) else 1.0
    return blur(_drawn(lines, shape), max(3.0, SPREAD * width))


def _typical(ink: Array, wanted: Array) -> float:
    """Ink against the tone that is wanted, in all."""
    shaded = wanted > FAINTEST
    return float(ink[shaded].sum() / max(float(wanted[shaded].sum()), 1e-6))
