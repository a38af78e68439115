"""From a picture to its guidance."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from semantic_guidance.core.check import check_picture, check_shape
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.memory import give_back
from semantic_guidance.core.resample import resample
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.base import Prompt
from semantic_guidance.guidance.faces import find_faces
from semantic_guidance.guidance.focus import focus_map
from semantic_guidance.guidance.matting import enlarged
from semantic_guidance.guidance.refine import components
from semantic_guidance.guidance.segmenter import Segmenter, default_segmenter
from semantic_guidance.images.arrays import check_unit

_MAX_INSTANCES = 8
MAX_FACE = 0.4  # of the objects' area, up to which a face is a separate instance
_LONGEST = 1024  # pixels; larger pictures are analysed at this size
_MIN_OBJECTNESS = 0.3


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


def split_instances(mask: Tensor, most: int = _MAX_INSTANCES) -> tuple[Instance, ...]:
    """The separate objects of a mask ``[1, H, W]`` in [0, 1], largest first, small ones dropped."""
    parts = components(mask[0].detach().float().cpu().numpy())
    planes = (torch.from_numpy(part)[None].to(mask.device) for part in parts[:most])
    return tuple(Instance.from_mask(plane) for plane in planes)


def with_faces(image: Tensor, guidance: Guidance) -> Guidance:
    """`guidance` of a picture ``[3, H, W]`` with its faces, in the focus and as the last instances.

    A face that is most of the object is seen closely with it, and is not a separate instance.
    """
    focus, heads = guidance.focus, []
    for face in find_faces(image, guidance.boxes):
        head = face.instance(guidance.mask)
        if head is None:
            continue
        focus = torch.maximum(focus, face.focus(*image.shape[-2:]).to(focus) * (guidance.mask > 0.5))
        if float(head.mask.sum()) < MAX_FACE * float(guidance.mask.sum()):
            heads.append(head)
    return replace(guidance, focus=focus, instances=(*guidance.instances, *heads))


def given_instances(mask: Tensor) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]`` that a person gave; small and surplus parts belong to the last one.

    Raises:
        ValueError: no pixel of the mask is above one half.
    """
    first = split_instances(mask)[:-1]
    rest = mask.float()
    for instance in first:
        rest = (rest - instance.mask).clamp(min=0)
    return (*first, Instance.from_mask(rest))


def told_apart(mask: Tensor, objects: Tensor | None) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]``, or those ``[N, H, W]`` that a person tells apart.

    Of those there are at most eight, largest first; the last one is all that the others leave. Several that
    are the same are one.

    Raises:
        ValueError: the shapes differ, or no pixel of the mask, or of any of the objects, is above one half.
    """
    if objects is None:
        return given_instances(mask)
    check_shape("objects", objects, len(objects), *mask.shape[1:])
    areas = objects.flatten(1).sum(dim=1)
    ordered = [objects[n][None] for n in torch.sort(areas, descending=True, stable=True).indices.tolist()]
    ordered = [plane for plane in ordered if bool((plane > 0.5).any())]
    ordered = [each for n, each in enumerate(ordered) if n == 0 or not torch.equal(each, ordered[n - 1])]
    most = _MAX_INSTANCES
    if len(ordered) > most:
        ordered = [*ordered[: most - 1], torch.cat(ordered[most - 1 :]).sum(dim=0, keepdim=True).clamp(0, 1)]
    if not ordered:
        raise ValueError("mask is empty, wanted at least one pixel above 0.5")
    return tuple(Instance.from_mask(plane) for plane in ordered)


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

    Args:
        segmenter: by default the one that ships, loaded on first use.
        classifier: whose attention makes the focus map, see `focus_map`; by default ImageNet's.
        focus: whether to compute a focus map (else it is zero).
        faces: whether the faces of people are instances, too, after the objects, and focused on.
    """

    def __init__(
        self,
        segmenter: Segmenter | None = None,
        classifier: nn.Module | None = None,
        focus: bool = True,
        faces: bool = True,
    ) -> None:
        self._segmenter = segmenter
        self._classifier = classifier
        self._focus = focus
        self._faces = faces

    @torch_threads()
    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance for a picture ``[3, H, W]`` in [0, 1]; without instances if it has no object.

        With a prompt it is `from_mask` or `from_box`.

        Raises:
            ValueError: the image has another shape or holds NaN, or the prompt is invalid.
        """
        if prompt is not None and prompt.mask is not None:
            return self.from_mask(image, prompt.mask, prompt.objects)
        if prompt is not None and prompt.box is not None:
            return self.from_box(image, prompt.box)
        check_image(image)
        height, width = image.shape[-2:]
        shrink = _LONGEST / max(height, width)
        if shrink < 1:
            size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
            small = resample(image, *size)
            return enlarged(self(small), small, image)
        mask, objectness = (self._segmenter or default_segmenter())(image)
        if objectness < _MIN_OBJECTNESS:
            return self._finish(image, ())
        return self._finish(image, split_instances(mask))

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
        return self._finish(image, told_apart(mask, objects), mask if objects is not None else None)

    @torch_threads()
    def from_box(self, image: Tensor, box: Box) -> Guidance:
        """Guidance with the object's box given, (x, y, width, height) in pixels.

        The mask is found inside the box; where nothing is found, it is the box.

        Raises:
            ValueError: the box is not finite, is empty or lies outside the image.
        """
        check_image(image)
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
        if float((mask > 0.5).sum()) < 0.1 * float(inside.sum()):
            mask = inside
        return self._finish(image, split_instances(mask) or (Instance.from_mask(mask),))

    def _finish(
        self, image: Tensor, instances: tuple[Instance, ...], union: Tensor | None = None
    ) -> Guidance:
        mask = torch.zeros_like(image[:1]) if union is None else union.to(image)
        for instance in instances:
            mask = torch.maximum(mask, instance.mask)
        focus = torch.zeros_like(mask)
        if self._focus and instances:
            focus = focus_map(image, instances, self._classifier)
        guidance = Guidance(mask, focus, instances)
        if self._faces and instances:
            guidance = with_faces(image, guidance)
        give_back()
        return guidance


def objects() -> Guide:
    """The guide that ships, without faces."""
    return Guide(faces=False)
