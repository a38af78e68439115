"""A film, painted frame after frame with strokes that keep their identity.

The first frame, and the first one after a cut, is a painting of its own. In all others strokes are carried to
where what they show has moved, some are exchanged for others that do more, and all are refined a little,
towards the frame and towards the painting before as it moved, so that they hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.color import Color
from semantic_guidance.images.files import to_image
from semantic_guidance.painter.film.ahead import Ahead, Glance
from semantic_guidance.painter.film.carry import carried, shown
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.flow import Motion, find_ways
from semantic_guidance.painter.film.frame import FilmFrame
from semantic_guidance.painter.film.masks import Tracked, sharp
from semantic_guidance.painter.film.presets import DRAFT, FINE, HOLDS, STANDARD, Effort, Hold
from semantic_guidance.painter.film.refining import refined
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.film.styles import following
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import Preset
from semantic_guidance.painting.painting import Painting

Array = NDArray[np.float32]

UNREFINED = 300.0
"""Pixels for each stroke, at least, on which frames are looked at where nothing is refined."""

UNCHANGED = 2.5 / 255
"""Difference of a channel up to which a pixel has not changed since its strokes were found."""

MANY_STEPS = 1000
"""Steps of refinement of a preset from which on it is a fine one."""


FAMILIAR = 8
"""Frames after which what came into view is familiar: until then it holds less, and is given strokes."""

FOLLOWING = "following."
"""Prefix of names in a film's state."""


@dataclass(frozen=True, eq=False)
class _Last:
    """What is remembered of the frame before.

    Attributes:
        target: ``[h, w, 3]`` that frame.
        settled: ``[h, w, 3]`` each of its pixels as it was when it changed last.
        canvas: ``[h, w, 3]`` its painting.
        error: ``[h, w]`` of that.
        familiar: ``[h, w]`` in [0, 1], how long the frame's places have been in view.
    """

    target: Array
    settled: Array
    canvas: Array
    error: Array
    familiar: Array


class Film:
    """Paints a film; frames are given one after the other.

    Args:
        painter: of its first frame, and of those after cuts; all other frames are in its manner.
        hold: how long strokes hold: a name in `HOLDS`, or a `Hold`.

    Raises:
        ValueError: the name is unknown.
    """

    def __init__(self, painter: Painter, hold: Hold | str = "steady") -> None:
        if isinstance(hold, str) and hold not in HOLDS:
            raise ValueError(f"hold is {hold!r}, wanted one of {', '.join(HOLDS)}")
        self.painter = painter
        self.hold = HOLDS[hold] if isinstance(hold, str) else hold
        self.effort = _effort(painter.preset)
        self.number = 0
        self._next_id = 0
        self._rng = np.random.default_rng(painter.seed)
        self._sides: tuple[int, int] | None = None
        self._ground: Color = (0.0, 0.0, 0.0)
        self._known = Guidance.none()
        self._tracked: Tracked | None = None
        self._told = False  # of the objects, so that nobody looks for them
        self._following = following(painter)
        self._cast: Cast | None = None
        self._last: _Last | None = None
        self._ahead = Ahead()
        self._steady = painter.workplace.backend.steady()

    def next(self, picture: Any, guidance: Guidance | None = None, ahead: Any = None) -> FilmFrame:
        """Paint the next frame.

        Args:
            picture: as `Painter.paint` takes it, of the size of all frames before.
            guidance: its objects; if None, they are found in the first frame and after cuts, and followed.
            ahead: the picture of the frame after this one, if it is known already: it is looked at in another
                thread meanwhile, which saves time and changes nothing.

        Returns:
            Its painting.

        Raises:
            ValueError: the frame has another size.
        """
        image = to_image(picture)
        sides = (image.shape[1], image.shape[2])
        if self._sides is not None and sides != self._sides:
            wanted = f"{self._sides[1]} x {self._sides[0]}"
            raise ValueError(
                f"frame {self.number} is {sides[1]} x {sides[0]}, wanted {wanted} as those before"
            )
        self._sides = sides
        frame = None
        if self._last is not None:
            before = self._last.target
            glance = self._ahead.taken(picture, before) or self._glance(image, before)
            frame = self._followed(image, guidance, glance, ahead)
        frame = frame or self._begun(image, guidance, ahead)
        self.number += 1
        return frame

    def _glance(self, picture: Any, before: Array) -> Glance:
        """A look at a picture that follows another one, which is `before` ``[h, w, 3]``."""
        image = to_image(picture)
        scene = self._scene(image, Guidance.none(*image.shape[1:]))
        return Glance(scene, find_ways(before, scene.target).worked_out())

    def _begun(self, image: Tensor, guidance: Guidance | None, ahead: Any) -> FilmFrame:
        """A frame with strokes of its own; `ahead` is looked at then."""
        painter = self.painter
        found = painter.found(image, guidance)
        painting, refiner = painter.painted(image, found)
        self._known = painter.known(found)
        self._ground = painting.background
        _, tools = painter.problem(image, self._known)
        self._following = following(painter)
        bare = self._scene(image, self._known)
        self._tracked, self._told = Tracked.of(self._known, sharp(image, bare)), guidance is not None
        parts, scene = self._parts(painting, found), self._as_seen(bare)
        self._cast = self._numbered(self._following.begin(painting, scene, parts, tools, refiner))
        self._remember(scene, bare.target, bare.target, np.ones(bare.target.shape[:2], np.float32))
        self._ahead.look(ahead, bare.target, self._glance)
        ids = self._cast.ids.copy()
        return FilmFrame(self.number, self._keyed(painting, ids), ids, True)

    def _as_seen(self, scene: Scene) -> Scene:
        """A frame as it is to be painted."""
        return replace(scene, problem=self._following.seen(scene.problem))

    def _keyed(self, painting: Painting, ids: NDArray[np.int64]) -> Painting:
        """A painting whose textures, if it has any, are those of its strokes' numbers `ids` ``[N]``."""
        if self.painter.brush.style == "flat":
            return painting
        ends = np.cumsum([len(layer.strokes) for layer in painting.layers])
        keys = [torch.from_numpy(part) for part in np.split(ids, ends[:-1])] if len(ends) else []
        layers = (replace(layer, keys=own) for layer, own in zip(painting.layers, keys, strict=True))
        return replace(painting, layers=tuple(layers))

    def _parts(self, painting: Painting, found: Guidance) -> NDArray[np.intp]:
        """``[N]`` what the strokes of a painting depict, of the objects that are known."""
        numbers = {
            n: k
            for k, known in enumerate(self._known.instances)
            for n, each in enumerate(found.instances)
            if each is known
        }
        parts = [
            np.full(
                len(layer.strokes),
                -1 if layer.level == "background" else numbers.get(layer.instance, layer.instance),
                np.intp,
            )
            for layer in painting.layers
        ]
        return np.concatenate([np.empty(0, np.intp), *parts])

    @property
    def _pixels(self) -> float:
        """For each stroke, on which frames are looked at: refinement is what takes time, if there is any."""
        return self.effort.pixels if self._following.refines else max(self.effort.pixels, UNREFINED)

    def _scene(self, image: Tensor, known: Guidance) -> Scene:
        """A frame as its strokes are found."""
        painter, (height, width) = self.painter, image.shape[1:]
        length = min(math.sqrt(self._pixels * painter.strokes), math.sqrt(height * width))
        problem = replace(painter.seen(image, known, length), ground=self._ground, zooms=())
        masked = bool(painter.manner.masks(problem))
        return Scene(problem, painter.workplace, masked, max(painter.sides(height, width)))

    def _followed(
        self, image: Tensor, guidance: Guidance | None, glance: Glance, ahead: Any
    ) -> FilmFrame | None:
        """A frame that follows another one, while `ahead` is looked at; None after a cut."""
        last, bare = self._last, glance.scene
        assert last is not None
        still = _still(bare.target, last.settled) & (last.familiar >= 1)  # what is new has not settled
        motion = glance.ways.motion(still)
        if motion.cut:
            return None
        self._ahead.look(ahead, bare.target, self._glance)
        self._known = self._objects(image, sharp(image, bare), motion, guidance)
        scene = self._as_seen(self._scene(image, self._known) if self._known.instances else bare)
        familiar = (motion.trust * motion.carried(last.familiar)).astype(np.float32)
        self._move(scene, replace(motion, familiar=familiar))
        settled = np.where(motion.still[..., None], last.settled, bare.target)
        self._remember(scene, bare.target, settled, np.minimum(1, familiar + np.float32(1 / FAMILIAR)))
        cast = self._cast
        assert cast is not None
        layers, masks = self._following.layers(cast, scene)
        painting = replace(
            self.painter.empty(image, self._ground), layers=layers, masks=masks, guidance=self._known
        )
        return FilmFrame(self.number, self._keyed(painting, cast.ids), cast.ids.copy(), False)

    def _objects(self, image: Tensor, frame: Array, motion: Motion, given: Guidance | None) -> Guidance:
        """What is known of a frame ``[h, w, 3]`` that follows another one: given, followed, or looked for."""
        painter, tracked = self.painter, self._tracked
        assert tracked is not None
        if given is not None:
            self._told = True
            known = painter.known(painter.found(image, given))
            self._tracked = Tracked.of(known, frame)
            return known
        tracked = tracked.followed(frame, motion, self.number)
        if painter.guided and not self._told and tracked.doubtful(motion, self.hold.look_every):
            tracked = tracked.corrected(painter.known(painter.found(image, None)), frame)
        self._tracked = tracked
        return tracked.known(*painter.sides(*image.shape[1:]))

    def _move(self, scene: Scene, motion: Motion) -> None:
        """Carry the strokes to a scene, exchange some of them, and refine them."""
        cast, last, following = self._cast, self._last, self._following
        assert cast is not None
        assert last is not None
        moved = cast.aged(self.hold.fade)
        if motion.still.all():
            self._cast = moved
            return
        seen = shown(scene.task(cast.parts), scene.seen(following.painted(cast)), motion, scene.softness)
        vectors = carried(cast.vectors, seen, motion)
        limits = following.limits(cast, scene)
        vectors = np.where(
            seen.still[:, None], vectors, following.within(vectors.clip(limits.low, limits.high), cast)
        ).astype(np.float32)
        cast = replace(cast, vectors=vectors, resting=seen.still).aged(self.hold.fade)
        cast = self._numbered(following.exchanged(cast, scene, motion, last.error, self.hold, self._rng))
        if not following.refines:
            self._cast = cast
            return
        pull = self.hold.pull * motion.familiar
        target = (scene.target + pull[..., None] * motion.carried(last.canvas)) / (1 + pull[..., None])
        weight = scene.problem.weight.numpy() * (1 + pull)
        task = scene.task(cast.parts, target.astype(np.float32), weight.astype(np.float32))
        self._cast = refined(cast, scene, task, following, self.effort, self._steady)

    def _numbered(self, cast: Cast) -> Cast:
        """The same with numbers for strokes that have none yet."""
        fresh = np.flatnonzero(cast.ids < 0)
        ids = cast.ids.copy()
        ids[fresh] = np.arange(self._next_id, self._next_id + len(fresh))
        self._next_id += len(fresh)
        return replace(cast, ids=ids)

    def _remember(self, scene: Scene, frame: Array, settled: Array, familiar: Array) -> None:
        """What the next frame needs to know of this one, which is `frame` ``[h, w, 3]``."""
        cast = self._cast
        assert cast is not None
        task = scene.task(cast.parts)
        canvas, error = scene.painted(task, self._following.painted(cast))
        self._last = _Last(frame, settled, canvas, error, familiar)

    def state(self) -> dict[str, Any]:
        """All that the next frame depends on, as arrays and JSON values by name; see `restore`."""
        if self._cast is None or self._last is None:
            return {"number": self.number}
        found: dict[str, Any] = {
            "number": self.number,
            "next_id": self._next_id,
            "random": self._rng.bit_generator.state,
            "sides": self._sides,
            "ground": self._ground,
        }
        for name, thing in (("cast", self._cast), ("last", self._last)):
            found |= {f"{name}.{each.name}": getattr(thing, each.name) for each in fields(thing)}
        own = {FOLLOWING + name: each for name, each in self._following.state().items()}
        if self._tracked is not None:
            found |= {"told": self._told, **self._tracked.state()}
        return found | own

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where a film by the same painter was when it gave this `state`, with the same bits."""
        self.number = int(state["number"])
        self._cast = self._last = None
        if "next_id" not in state:
            return
        self._next_id = int(state["next_id"])
        self._rng.bit_generator.state = state["random"]
        height, width = state["sides"]
        red, green, blue = state["ground"]
        self._sides, self._ground = (int(height), int(width)), (float(red), float(green), float(blue))
        self._cast = Cast(*(np.asarray(state[f"cast.{each.name}"]) for each in fields(Cast)))
        self._last = _Last(*(np.asarray(state[f"last.{each.name}"]) for each in fields(_Last)))
        self._tracked, self._told = Tracked.restored(state), bool(state["told"])
        self._known = self._tracked.known(*self.painter.sides(*self._sides))
        self._following = following(self.painter)
        self._following.restore(
            {name.removeprefix(FOLLOWING): each for name, each in state.items() if name.startswith(FOLLOWING)}
        )


def _effort(preset: Preset) -> Effort:
    """How much work goes into a frame, by that which goes into a painting."""
    if preset.refine is None:
        return DRAFT
    return FINE if preset.refine.steps >= MANY_STEPS else STANDARD


def _still(now: Array, settled: Array) -> NDArray[np.bool_]:
    """``[h, w]`` where a frame is what it was when its strokes were found; not beside what has changed."""
    red, green, blue = np.moveaxis(np.abs(now - settled), -1, 0)
    changed = np.maximum(np.maximum(red, green), blue) > UNCHANGED
    return cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
