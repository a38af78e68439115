"""One painting measured against its picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semantic_guidance.apps.evaluate.subjects import Subject
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.guidance import Guide, Prompt
from semantic_guidance.guidance.classifier import imagenet_labels
from semantic_guidance.guidance.recognition import WHOLE, object_view, perceptual_distance, recognition
from semantic_guidance.images.files import load_image, load_objects
from semantic_guidance.images.metrics import painting_errors, squashed, ssim, weighted_error
from semantic_guidance.painting.painting import Painting

DIGITS = 6  # of the figures that are kept


@dataclass(frozen=True, eq=False)
class Known:
    """A picture and what is known about it.

    Attributes:
        image: ``[3, H, W]``.
        guidance: from its mask if it has one.
        seconds: that the guidance took.
        given: whether its mask was given.
    """

    image: Tensor
    guidance: Guidance
    seconds: float
    given: bool

    @staticmethod
    def of(subject: Subject) -> Known:
        """Read a picture and find its objects.

        Raises:
            InputError: its file or that of its mask is not usable.
            OSError: one of them cannot be read.
        """
        image = load_image(subject.image)
        given = None if subject.mask is None else load_objects(subject.mask, *image.shape[1:])
        start = time.perf_counter()
        guidance = Guide()(image, None if given is None else Prompt.of_objects(given))
        return Known(image, guidance, time.perf_counter() - start, given is not None)

    def facts(self) -> dict[str, Any]:
        """Facts about the picture, for result files."""
        found = "found" if self.guidance.instances else "none"
        return {
            "width": self.image.shape[2],
            "height": self.image.shape[1],
            "mask": "given" if self.given else found,
            "foreground_share": _rounded(float((self.guidance.mask > 0.5).float().mean())),
        }


def measure(painting: Painting, known: Known, guided: bool) -> dict[str, Any]:
    """The figures of a painting, those of `COLUMNS` and some more, for result files.

    All methods are measured with the same mask, even those that do not know it.

    Args:
        painting: of the picture.
        known: the picture.
        guided: whether the painter was told what is known.
    """
    canvas, image, mask = painting.canvas, known.image, known.guidance.mask
    errors = painting_errors(canvas, image, mask)
    window = object_view(mask)
    seen = recognition(canvas, image, window or WHOLE)
    names = imagenet_labels()
    return {
        "strokes": len(painting.strokes),
        "foreground_strokes": painting.foreground_strokes,
        "mse": _rounded(errors.everywhere),
        "mse_foreground": _rounded(errors.foreground),
        "mse_background": _rounded(errors.background),
        "mse_focus": _rounded(weighted_error(canvas, image, known.guidance.focus)),
        "ssim": _rounded(ssim(squashed(canvas), squashed(image))),
        "perceptual": _rounded(perceptual_distance(canvas, image)),
        "perceptual_object": None if window is None else _rounded(perceptual_distance(canvas, image, mask)),
        "top1": seen.top1,
        "top5": seen.top5,
        "label_probability": _rounded(seen.painted_probability),
        "painted_label": names[seen.painted_label],
        "photo_label": names[seen.label],
        "photo_probability": _rounded(seen.probability),
        "seconds": _rounded(painting.seconds["plan"] + painting.seconds["polish"]),
        "seconds_plan": _rounded(painting.seconds["plan"]),
        "seconds_polish": _rounded(painting.seconds["polish"]),
        "seconds_guidance": _rounded(known.seconds) if guided else 0.0,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
