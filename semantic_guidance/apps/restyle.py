"""Other colours, another background, canvases that are not empty: what a job asks for, read and applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from semantic_guidance.apps.files import color_or_file
from semantic_guidance.apps.options import RestyleOptions
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance.base import GuideLike, Prompt
from semantic_guidance.images.color import Color
from semantic_guidance.images.files import Picture, load_image
from semantic_guidance.images.restyle import replace_background, transfer_colors, unlike, without_white


def named_files(wishes: RestyleOptions) -> list[Path]:
    """The files that the options name."""
    words = (wishes.background, wishes.start_canvas)
    return [*map(Path, filter(None, words)), *([wishes.palette_from] if wishes.palette_from else [])]


@dataclass(frozen=True, eq=False)
class Restyle:
    """What the options ask for, read.

    Attributes:
        reference: ``[3, h, w]`` whose colours are wanted.
        background: what is to be behind the object.
        start: the canvas before the first stroke.
        transparent: what pictures are to show, see `Painting`.
        alpha: ``[1, H, W]`` of the picture, if it has any and it is used.
    """

    reference: Tensor | None
    background: Color | Tensor | None
    start: Color | Tensor | None
    transparent: Any
    alpha: Tensor | None

    @staticmethod
    def of(wishes: RestyleOptions, picture: Picture, name: Path, baseline: bool, given: bool) -> Restyle:
        """Read what the options ask for.

        Args:
            wishes: the options.
            picture: to be painted.
            name: of the picture, for messages.
            baseline: whether objects are to stay unknown.
            given: whether a person points at the object.

        Raises:
            OptionError: something is wrong with them.
            OSError: a file cannot be read.
        """
        for option in ("background", "transparent"):
            asked = getattr(wishes, option)
            if baseline and asked is not None and asked != "painting":
                raise OptionError(option, "--baseline knows no object, wanted only one of the two")
        background = _color_or_picture("background", wishes.background)
        start = _color_or_picture("start_canvas", wishes.start_canvas)
        alpha = picture.alpha if wishes.transparent and not (given or baseline) else None
        if alpha is not None and not bool((alpha > 0.5).any()):
            raise OptionError(
                "transparent",
                f"{name} is nowhere more than half opaque, wanted --mask or --box to show the object",
            )
        if start is None and isinstance(background, tuple):
            start = background  # it need not be painted
        elif start is None and wishes.transparent == "painting":
            # It will not be there in the end, so strokes must cover it.
            start = unlike(picture.image, alpha)
        return Restyle(
            reference=None if wishes.palette_from is None else load_image(wishes.palette_from),
            background=background,
            start=start,
            transparent=wishes.transparent,
            alpha=alpha,
        )

    @property
    def alone(self) -> bool:
        """Whether only the object is to be painted: what is behind it is there already, or transparent."""
        return self.alpha is not None or (isinstance(self.start, tuple) and self.start is self.background)

    def shown(self, image: Tensor) -> Tensor:
        """The picture that was painted, over white where it is transparent."""
        return image if self.alpha is None else image * self.alpha + (1 - self.alpha)

    def apply(
        self, image: Tensor, guidance: Guidance | None, guide: GuideLike
    ) -> tuple[Tensor, Guidance | None]:
        """The picture to paint, and what is known about it.

        Args:
            image: ``[3, H, W]`` as it is in the file.
            guidance: of what a person has pointed at.
            guide: finds the object, if it must be known.

        Raises:
            OptionError: there is no object, and one is needed.
        """
        if self.alpha is not None:
            image = without_white(image, self.alpha)
            guidance = guide(image, Prompt(mask=self.alpha))
        apart = self.background is not None or self.transparent == "object"
        if guidance is None and (apart or self.reference is not None):
            guidance = guide(image)  # of the picture as it is, not as it will be painted
        if apart and (guidance is None or not guidance.instances):
            option = "background" if self.background is not None else "transparent"
            raise OptionError(option, "there is no object in the picture, wanted --mask or --box to show it")
        if self.reference is not None:
            image = transfer_colors(image, self.reference)
        if self.background is not None and guidance is not None:
            image = replace_background(image, guidance.mask, self.background)
        return image, guidance


def _color_or_picture(option: str, word: str | None) -> Color | Tensor | None:
    if word is None:
        return None
    found = color_or_file(option, word)
    return load_image(found) if isinstance(found, Path) else found
