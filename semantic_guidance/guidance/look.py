"""What lies under clicks: a picture that has been looked at once answers each further question quickly.

Nothing here is locked. What is known of a picture is kept in tuples that are replaced as a whole: threads may
compute the same thing twice, and processes may be forked at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from semantic_guidance.core.guidance import Box, Guidance, Instance, Point
from semantic_guidance.core.resample import resample
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.base import Prompt
from semantic_guidance.guidance.faces import Face
from semantic_guidance.guidance.heads import with_known_faces
from semantic_guidance.guidance.instances import told_apart
from semantic_guidance.guidance.matting import sharpened
from semantic_guidance.guidance.segmenter import Sight
from semantic_guidance.guidance.selection import Selection, Thing, spot

LONGEST = 1024
"""Pixels of a picture's longer side at which it is looked at, at most."""

_ANSWERS, _PLANES = 24, 16
"""Masks of clicks, and focus maps of instances, that are kept of a picture."""


class Clicks(Protocol):
    """Finds what lies under clicks; `clicks.ClickSegmenter` is the one that ships."""

    def encode(self, image: Tensor) -> Any:
        """What is known of a picture ``[3, H, W]`` in [0, 1] before any click."""

    def __call__(
        self, features: Any, points: Sequence[Point], previous: Tensor | None = None
    ) -> tuple[Tensor, float]:
        """The mask ``[1, H, W]`` of the one thing that is clicked, and its expected overlap with it."""


class Eyes(Protocol):
    """Who looks: `guide.Guide`."""

    @property
    def clicks(self) -> Clicks:
        """Finds what lies under clicks."""

    def see(self, image: Tensor) -> Sight:
        """What the segmenter makes of a picture of at most `LONGEST` pixels a side."""

    def found(self, image: Tensor, sight: Sight, faces: Sequence[Box] = (), whole: bool = True) -> Guidance:
        """The objects in such a picture, as it was seen; its faces tell people apart.

        Without focus, unless it is to be whole.
        """

    def finished(self, image: Tensor, found: Guidance) -> Guidance:
        """What was found in such a picture, with focus."""

    def faces(self, image: Tensor, seen: Seen) -> tuple[Face, ...]:
        """The faces of a picture at its own size; what is known of it is kept."""

    def in_box(self, image: Tensor, box: Box) -> Tensor:
        """The mask ``[1, H, W]`` of what is in a box."""

    def named(self, image: Tensor, text: str, found: Guidance) -> tuple[Instance, ...]:
        """Those of the instances found that a text names."""

    def completed(self, image: Tensor, instances: tuple[Instance, ...], seen: Seen, whole: bool) -> Guidance:
        """Guidance with these objects, and, if it is to be whole, with focus."""

    def faced(
        self, image: Tensor, guidance: Guidance, seen: Seen, everywhere: bool, unwanted: Tensor | None
    ) -> Guidance:
        """Guidance of a picture with its faces, perhaps off the objects, but not in an unwanted area."""


class Seen:
    """What is kept of a picture that is looked at.

    Args:
        image: ``[3, H, W]`` in [0, 1], at most `LONGEST` pixels a side.

    Attributes:
        faces: of the picture at its own size, once they have been looked for.
    """

    def __init__(self, image: Tensor) -> None:
        self.image = image
        self._sight: tuple[Sight, ...] = ()
        self._found: tuple[Guidance, bool] | None = None  # and whether it is whole
        self._features: tuple[Any, ...] = ()
        self._answers: tuple[tuple[Any, Tensor, float], ...] = ()
        self._planes: tuple[tuple[Tensor, Tensor], ...] = ()
        self.faces: tuple[Face, ...] | None = None

    def ahead(self, eyes: Eyes, image: Tensor) -> None:
        """Do what takes long of `found`, in two threads: both halves leave the interpreter to others."""
        if self._found is None:
            with ThreadPoolExecutor(1) as other:
                faces = other.submit(eyes.faces, image, self)
                self._sight = (eyes.see(self.image),)
                faces.result()

    def found(self, eyes: Eyes, image: Tensor, whole: bool = True) -> Guidance:
        """What is found without a prompt in a picture ``[3, H, W]``, which this is, perhaps smaller.

        It has focus if it is to be whole, or was before.
        """
        if self._found is None:
            scale = self.image.shape[2] / image.shape[2]
            faces = [face.box for face in eyes.faces(image, self)]
            boxes = [(x * scale, y * scale, w * scale, h * scale) for x, y, w, h in faces]
            sight = self._sight[0] if self._sight else eyes.see(self.image)
            self._found = eyes.found(self.image, sight, boxes, whole), whole
            self._sight = ()  # it is large
        elif whole and not self._found[1]:
            self._found = eyes.finished(self.image, self._found[0]), True
        return self._found[0]

    def encoded(self, eyes: Eyes) -> Any:
        """The features for clicks."""
        if not self._features:
            self._features = (eyes.clicks.encode(self.image),)
        return self._features[0]

    def under(self, eyes: Eyes, points: tuple[Point, ...]) -> tuple[Tensor, float]:
        """The mask ``[1, H, W]`` of what these clicks say, one after the other, and its expected overlap."""
        for key, mask, overlap in self._answers:
            if key == points:
                return mask, overlap
        before = self.under(eyes, points[:-1])[0] if len(points) > 1 else None
        mask, overlap = eyes.clicks(self.encoded(eyes), points, before)
        mask = mask.clone()  # a tensor for inference alone could not be differentiated through
        self._answers = ((points, mask, float(overlap)), *self._answers)[:_ANSWERS]
        return mask, float(overlap)

    def plane(self, mask: Tensor) -> Tensor | None:
        """The focus map of the instance with this very mask, if it is known."""
        return next((plane for known, plane in self._planes if known is mask), None)

    def keep_plane(self, mask: Tensor, plane: Tensor) -> None:
        """Keep an instance's focus map."""
        self._planes = ((mask, plane), *self._planes)[:_PLANES]


class Look:
    """A picture that has been looked at, to be asked again and again; see `Guide.look`.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        seen: what is kept of it.
        eyes: who looks.
    """

    def __init__(self, image: Tensor, seen: Seen, eyes: Eyes) -> None:
        self.image = image
        self._seen = seen
        self._eyes = eyes

    @torch_threads()
    def __call__(self, prompt: Prompt | None = None, whole: bool = True) -> Guidance:
        """Guidance for what the prompt says, as `Guide` gives it.

        Args:
            prompt: what a person says.
            whole: whether it is to have focus and faces, and the picture's own size. The masks alone, at most
                `LONGEST` pixels long, to be shown while somebody clicks, take half of the time or less.

        Raises:
            ValueError: the prompt is invalid: a point or a box lies outside the picture, or a text is not
                understood or names nothing that is found.
        """
        prompt, seen, eyes = prompt or Prompt(), self._seen, self._eyes
        height, width = self.image.shape[-2:]
        small = (seen.image.shape[-2], seen.image.shape[-1])
        points = scaled_points(prompt.clicks, (height, width), small)
        start, found = self._start(prompt, whole)
        if found and not points:
            guidance = _copied(seen.found(eyes, self.image, whole))
            if not whole:
                return guidance
            if guidance.mask.shape[-2:] != (height, width):
                guidance = sharpened(_enlarged(guidance, height, width), guidance, seen.image, self.image)
            return self._faced(guidance, True, None)
        selection = Selection(lambda clicks: seen.under(eyes, clicks), start)
        selection.apply(points)
        _tell(selection.doubtful, height / small[0], width / small[1])
        things = [thing for thing in selection.things if bool((thing.mask > 0.5).any())]
        guidance = eyes.completed(seen.image, tuple(map(_instance, things)), seen, whole)
        if not whole:
            return _copied(guidance)
        guidance = _enlarged(_copied(guidance), height, width)
        if (prompt.mask is not None or prompt.instances) and small != (height, width):
            guidance = _as_given(guidance, prompt, start, things)
        unwanted = _unwanted(points, start, selection.things)
        if prompt.instances:
            faced = self._faced(guidance, False, unwanted)
            return with_known_faces(guidance, faced, prompt.instances, unwanted)
        if things and all(each.kind == "face" for each in guidance.instances):
            return guidance
        return self._faced(guidance, found, unwanted)

    @torch_threads()
    def ahead(self) -> None:
        """Look at the picture, on two cores: what is found in it is known sooner."""
        self._seen.ahead(self._eyes, self.image)

    @torch_threads()
    def ready(self) -> None:
        """Look at the picture as for clicks, so that each of them is answered quickly."""
        self._seen.encoded(self._eyes)

    def _faced(self, guidance: Guidance, everywhere: bool, unwanted: Tensor | None) -> Guidance:
        return self._eyes.faced(self.image, guidance, self._seen, everywhere, unwanted)

    def _start(self, prompt: Prompt, whole: bool) -> tuple[list[Thing], bool]:
        """What is there before any click, and whether it is all that is found, which may have to be whole."""
        seen, eyes = self._seen, self._eyes
        height, width = self.image.shape[-2:]
        rows, columns = seen.image.shape[-2:]
        if prompt.mask is not None:
            apart = told_apart(prompt.mask, prompt.objects)
            return [Thing(resample(each.mask.float(), rows, columns), origin=each) for each in apart], False
        if prompt.instances:
            objects = [each for each in prompt.instances if each.kind != "face"]
            return [Thing(resample(each.mask.float(), rows, columns), origin=each) for each in objects], False
        if prompt.boxes:
            sx, sy = columns / width, rows / height
            return [
                Thing(eyes.in_box(seen.image, (x * sx, y * sy, w * sx, h * sy)))
                for x, y, w, h in prompt.boxes
            ], False
        if prompt.text is not None:
            named = eyes.named(seen.image, prompt.text, seen.found(eyes, self.image, whole))
            return [Thing(each.mask, origin=each) for each in named], False
        if any(point.positive for point in prompt.clicks):
            return [], False
        return [Thing(each.mask, origin=each) for each in seen.found(eyes, self.image, whole).instances], True


def scaled_points(
    points: Sequence[Point], size: tuple[int, int], size_wanted: tuple[int, int]
) -> tuple[Point, ...]:
    """Points of a picture of a height and a width in pixels of it at another size.

    Raises:
        ValueError: one lies outside the picture.
    """
    height, width = size
    for number, (x, y, _) in enumerate(points):
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"points[{number}] is ({x:g}, {y:g}), wanted a place in the {width} x {height} image"
            )
    sx, sy = size_wanted[1] / width, size_wanted[0] / height
    return tuple(Point(x * sx, y * sy, positive) for x, y, positive in points)


def small_of(image: Tensor) -> Tensor:
    """A picture ``[3, H, W]``, reduced to `LONGEST` pixels a side if it is larger."""
    height, width = image.shape[-2:]
    shrink = LONGEST / max(height, width)
    if shrink >= 1:
        return image
    return resample(image, max(1, round(height * shrink)), max(1, round(width * shrink)))


def _unwanted(points: Sequence[Point], before: Sequence[Thing], after: Sequence[Thing]) -> Tensor | None:
    """``[1, H, W]`` 1 where clicks have taken something away; None if they have not."""
    away = [point for point in points if not point.positive]
    if not away or not before:
        return None
    there, left = (
        torch.stack([torch.zeros_like(before[0].mask), *(thing.mask for thing in things)]).amax(0)
        for things in (before, after)
    )
    gone = (there - left).clamp(min=0)
    return torch.stack([gone, *(spot(point, gone) for point in away)]).amax(0)


def _tell(doubtful: Sequence[Point], down: float, across: float) -> None:
    """Tell of points under which nothing can be told from what is round it."""
    if doubtful:
        places = ", ".join(f"{int(point.x * across)},{int(point.y * down)}" for point in doubtful)
        logging.getLogger(__name__).warning(
            "what lies under the point %s can hardly be told from what is round it: more points help", places
        )


def _instance(thing: Thing) -> Instance:
    """The instance that a thing has become; what a person has not touched is what it was."""
    if thing.origin is not None and thing.origin.mask is thing.mask:
        return thing.origin
    if thing.origin is not None and not thing.clicks:
        return _like(thing.origin, thing.mask)
    return Instance.from_mask(thing.mask, share=None if thing.origin is None else thing.origin.share)


def _like(instance: Instance, mask: Tensor) -> Instance:
    """An instance with another mask."""
    return Instance.from_mask(mask, instance.kind, instance.confidence, instance.salience, instance.share)


def _copied(guidance: Guidance) -> Guidance:
    """The same, which a caller may change without changing what is kept."""
    instances = tuple(replace(each, mask=each.mask.clone()) for each in guidance.instances)
    return Guidance(guidance.mask.clone(), guidance.focus.clone(), instances)


def _enlarged(guidance: Guidance, height: int, width: int) -> Guidance:
    """Guidance at the picture's size; enlarging must not spread the focus over the objects' edges."""
    if guidance.mask.shape[-2:] == (height, width):
        return guidance
    larger = guidance.resized(height, width)
    beside = guidance.focus * (guidance.mask <= 0.5)
    beside = resample(beside, height, width) if bool(beside.any()) else torch.zeros_like(larger.focus)
    return replace(larger, focus=torch.where(larger.mask > 0.5, larger.focus, beside.clamp_(0, 1)))


def _as_given(guidance: Guidance, prompt: Prompt, start: list[Thing], things: list[Thing]) -> Guidance:
    """Guidance of a large picture whose given mask is kept at its own size where no point has changed it."""
    height, width = guidance.mask.shape[-2:]
    given = {id(thing.origin): thing for thing in start}
    instances = []
    for thing, instance in zip(things, guidance.instances, strict=True):
        old = given.get(id(thing.origin)) if thing.origin is not None else None
        if old is None or thing.origin is None:
            instances.append(instance)
            continue
        change = resample(thing.mask - old.mask, height, width)
        mask = (thing.origin.mask + change).clamp(0, 1)
        instances.append(_like(instance, mask) if bool((mask > 0.5).any()) else instance)
    union = torch.zeros_like(guidance.mask)
    for each in instances:
        union = (
            (union + each.mask).clamp(max=1)
            if prompt.objects is not None or prompt.instances
            else torch.maximum(union, each.mask)
        )
    return Guidance(union, guidance.focus * (union > 0.5), tuple(instances))
