"""From a picture to its guidance."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.core.check import check_picture, check_shape
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.memory import give_back
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.asked import glances
from semantic_guidance.guidance.base import Prompt
from semantic_guidance.guidance.clicks import default_clicks
from semantic_guidance.guidance.faces import Face, find_faces
from semantic_guidance.guidance.focus import focus_map
from semantic_guidance.guidance.heads import with_faces
from semantic_guidance.guidance.instances import found_instances, split_instances, told_apart
from semantic_guidance.guidance.look import Clicks, Look, Seen, small_of
from semantic_guidance.guidance.segmenter import Segmenter, Sight, default_segmenter
from semantic_guidance.guidance.text import with_text
from semantic_guidance.guidance.words import chosen, understood
from semantic_guidance.images.arrays import check_unit

_KEPT = 2  # pictures


def check_image(image: Tensor) -> None:
    """Raise ValueError unless `image` is ``[3, H, W]`` of numbers in [0, 1]."""
    check_picture("image", image)
    if not bool(torch.isfinite(image).all()):
        raise ValueError("image holds NaN or infinity, wanted numbers in [0, 1]")
    check_unit(image, "image")


def check_mask(mask: Tensor, image: Tensor) -> None:
    """Raise ValueError unless a mask is ``[1, H, W]`` in [0, 1], or of booleans, of the image's size."""
    check_shape("mask", mask, 1, *image.shape[1:])
    check_unit(mask, "mask")


def pixels_of(box: Box, height: int, width: int) -> tuple[int, int, int, int]:
    """The left, top, right and bottom of a box (x, y, width, height) in whole pixels of a picture.

    Raises:
        ValueError: the box holds a number that is not finite, is empty, or lies outside the picture.
    """
    if not all(math.isfinite(number) for number in box):
        raise ValueError(f"box is {box}, wanted four finite numbers x, y, width, height")
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    right, bottom = min(width, math.ceil(box[0] + box[2])), min(height, math.ceil(box[1] + box[3]))
    if right <= left or bottom <= top:
        raise ValueError(f"box is {box}, wanted a part of the {width} x {height} image")
    return left, top, right, bottom


class Guide:
    """Finds a picture's objects and what makes them recognisable.

    What it has seen of the last pictures is kept, so that it answers quickly when it is asked about one of
    them again, with other points perhaps.

    Args:
        segmenter: by default the one that ships, loaded on first use.
        classifier: whose attention makes the focus map, see `focus_map`; by default ImageNet's.
        focus: whether to compute a focus map of objects and text (else it is zero).
        faces: whether faces are instances, too, after the objects, and focused on; see `with_faces`. They
            tell the people of a group apart.
        clicks: finds what lies under points; by default the one that ships, loaded on first use.
    """

    takes = ("mask", "boxes", "points", "text", "instances")

    def __init__(
        self,
        segmenter: Segmenter | None = None,
        classifier: nn.Module | None = None,
        focus: bool = True,
        faces: bool = True,
        clicks: Clicks | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._classifier = classifier
        self._focus = focus
        self._faces = faces
        self._clicks = clicks
        self._kept: tuple[tuple[Any, Seen], ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: nothing of the pictures that were seen."""
        return {**self.__dict__, "_kept": ()}

    @torch_threads()
    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance for a picture ``[3, H, W]`` in [0, 1]; without instances if it has no object and no
        face.

        With a mask alone it is `from_mask`, with one box alone `from_box`; see `Prompt` for all that can be
        said.

        Raises:
            ValueError: the image has another shape or holds NaN, or the prompt is invalid.
        """
        kinds = () if prompt is None else prompt.kinds
        if prompt is not None and prompt.mask is not None and kinds == ("mask",):
            return self.from_mask(image, prompt.mask, prompt.objects)
        if prompt is not None and prompt.box is not None and kinds == ("boxes",):
            return self.from_box(image, prompt.box)
        check_image(image)
        image = image.float()
        return Look(image, self._seen(image), self)(self._checked(image, prompt))

    @torch_threads()
    def look(self, image: Tensor) -> Look:
        """Look at a picture ``[3, H, W]`` in [0, 1], to be asked about it again and again.

        It is looked at as for clicks, so that each of them is answered quickly.

        Raises:
            ValueError: the image has another shape or holds NaN.
        """
        check_image(image)
        image = image.float()
        seen = self._seen(image)
        seen.encoded(self)
        return Look(image, seen, self)

    @torch_threads()
    def from_mask(self, image: Tensor, mask: Tensor, objects: Tensor | None = None) -> Guidance:
        """Guidance with the objects given: ``[3, H, W]`` and ``[1, H, W]``, both in [0, 1].

        They are the mask's separate parts, or the `objects` ``[N, H, W]`` whose union it is, at most eight;
        the last one is all that the others leave.

        Raises:
            ValueError: shapes differ, numbers are not in [0, 1], or no pixel of the mask is above one half.
        """
        check_image(image)
        check_mask(mask, image)
        union = mask if objects is not None else None
        return self._given(image.float(), told_apart(mask, objects), union)

    @torch_threads()
    def from_box(self, image: Tensor, box: Box) -> Guidance:
        """Guidance with the object's box given, (x, y, width, height) in pixels.

        The mask is found inside the box; where nothing is found, it is the box.

        Raises:
            ValueError: the box is not finite, is empty or lies outside the image.
        """
        check_image(image)
        image = image.float()
        mask = self.in_box(image, box)
        return self._given(image, split_instances(mask) or (Instance.from_mask(mask),))

    def in_box(self, image: Tensor, box: Box) -> Tensor:
        """The mask ``[1, H, W]`` of what is in a box, or the box itself where nothing is found.

        Raises:
            ValueError: the box is not finite, is empty or lies outside the image.
        """
        left, top, right, bottom = pixels_of(box, *image.shape[-2:])
        # Some surroundings, so that the network sees what is not the object.
        pad = round(0.15 * max(right - left, bottom - top)) + 2
        y0, x0 = max(0, top - pad), max(0, left - pad)
        window = image[:, y0 : bottom + pad, x0 : right + pad]
        found, _ = (self._segmenter or default_segmenter())(window)
        mask = torch.zeros_like(image[:1])
        mask[:, y0 : bottom + pad, x0 : right + pad] = found
        inside = torch.zeros_like(mask)
        inside[:, top:bottom, left:right] = 1
        mask = mask * inside
        return mask if float((mask > 0.5).sum()) >= 0.1 * float(inside.sum()) else inside

    @property
    def clicks(self) -> Clicks:
        """Finds what lies under points.

        Raises:
            ValueError: the weights cannot be read.
        """
        return default_clicks() if self._clicks is None else self._clicks

    def see(self, image: Tensor) -> Sight:
        """What the segmenter makes of a picture of at most `LONGEST` pixels a side."""
        return (self._segmenter or default_segmenter()).see(image)

    def found(self, image: Tensor, sight: Sight, faces: Sequence[Box] = (), whole: bool = True) -> Guidance:
        """The objects in such a picture, as it was seen; faces tell people apart.

        Without focus, unless it is to be whole.
        """
        ask = glances(self._segmenter or default_segmenter(), image, sight.mask)
        return self._finish(image, found_instances(image, sight, ask, faces), whole=whole)

    def finished(self, image: Tensor, found: Guidance) -> Guidance:
        """What was found in such a picture, with focus."""
        return self._finish(image, found.instances)

    def faces(self, image: Tensor, seen: Seen) -> tuple[Face, ...]:
        """The faces of a picture at its own size, if they are looked for; they are kept in what is seen."""
        if not self._faces:
            return ()
        if seen.faces is None:
            seen.faces = tuple(find_faces(image))
        return seen.faces

    def named(self, image: Tensor, text: str, found: Guidance) -> tuple[Instance, ...]:
        """Those of the instances found that a text names, see `words.chosen`."""
        return chosen(text, image, with_faces(image, found).instances)

    def completed(self, image: Tensor, instances: tuple[Instance, ...], seen: Seen, whole: bool) -> Guidance:
        """Guidance with these objects, without faces; what was computed for the same picture is kept."""
        return self._finish(image, instances, seen=seen, whole=whole)

    def faced(
        self, image: Tensor, guidance: Guidance, seen: Seen, everywhere: bool, unwanted: Tensor | None
    ) -> Guidance:
        """Guidance of a picture with its faces, but for those in an unwanted area ``[1, h, w]``."""
        if not self._faces:
            return guidance
        scale = 1.0 if unwanted is None else unwanted.shape[2] / image.shape[2]
        faces = [
            face
            for face in self.faces(image, seen)
            if unwanted is None or not _mostly_in(face.box, unwanted, scale)
        ]
        return with_faces(image, guidance, everywhere, faces)

    def _seen(self, image: Tensor) -> Seen:
        """What is known of a picture, which is recognised by its content."""
        pixels = image.detach().cpu().contiguous()
        content = zlib.crc32(pixels.reshape(-1).view(torch.uint8).numpy().data)
        key = (content, tuple(image.shape), image.dtype, image.device)
        kept = self._kept
        seen = next((each for known, each in kept if known == key), None) or Seen(
            small_of(image).detach().clone()
        )
        others = tuple(pair for pair in kept if pair[1] is not seen)
        self._kept = ((key, seen), *others)[:_KEPT]
        return seen

    def _checked(self, image: Tensor, prompt: Prompt | None) -> Prompt | None:
        if prompt is not None and prompt.mask is not None:
            check_mask(prompt.mask, image)
        for box in () if prompt is None else prompt.boxes:
            pixels_of(box, *image.shape[-2:])
        for each in () if prompt is None else prompt.instances:
            check_mask(each.mask, image)
        if prompt is not None and prompt.text is not None:
            understood(prompt.text)  # before anything is looked at
        return prompt

    def _given(self, image: Tensor, instances: tuple[Instance, ...], union: Tensor | None = None) -> Guidance:
        """Guidance with objects that a person has chosen, of which alone the faces count."""
        guidance = self._finish(image, instances, union)
        return with_faces(image, guidance, everywhere=False) if self._faces else guidance

    def _finish(
        self,
        image: Tensor,
        instances: tuple[Instance, ...],
        union: Tensor | None = None,
        seen: Seen | None = None,
        whole: bool = True,
    ) -> Guidance:
        mask = torch.zeros_like(image[:1]) if union is None else union.to(image)
        for instance in instances:
            mask = torch.maximum(mask, instance.mask)
        focus = torch.zeros_like(mask)
        if self._focus and instances and whole:
            focus = self._focused(image, instances, seen)
        guidance = Guidance(mask, focus, instances)
        if self._focus and whole:
            guidance = with_text(image, guidance)
        if seen is None:
            give_back()
        return guidance

    def _focused(self, image: Tensor, instances: tuple[Instance, ...], seen: Seen | None) -> Tensor:
        """The focus map ``[1, H, W]``; of a picture that has been seen, computed for new instances alone."""
        if seen is None:
            return focus_map(image, instances, self._classifier)
        for each in instances:
            if seen.plane(each.mask) is None:
                seen.keep_plane(each.mask, focus_map(image, (each,), self._classifier, among=len(instances)))
        planes = [seen.plane(each.mask) for each in instances]
        return torch.stack([plane for plane in planes if plane is not None]).amax(0)


def _mostly_in(box: Box, area: Tensor, scale: float) -> bool:
    """Whether half of a box, whose sides are multiplied by a scale, lies in an area ``[1, H, W]``."""
    x, y, width, height = (number * scale for number in box)
    rows = slice(max(0, int(y)), max(1, math.ceil(y + height)))
    columns = slice(max(0, int(x)), max(1, math.ceil(x + width)))
    part = area[:, rows, columns]
    return part.numel() > 0 and float(part.mean()) >= 0.5


def objects() -> Guide:
    """The guide that ships, without faces."""
    return Guide(faces=False)
