"""Other colours, another background, canvases that are not empty: what a job asks for, read and applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.apps.files import color_or_file
from semantic_guidance.apps.options import RestyleOptions
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance.base import GuideLike, Prompt
from semantic_guidance.images.color import Color
from semantic_guidance.images.files import Picture, load_image
from semantic_guidance.images.restyle import (
    LEAST_SEEN,
    faint,
    laid_over,
    replace_background,
    support,
    transfer_colors,
    unlike,
    without_white,
)
from semantic_guidance.images.restyle import cover as fill_frame
from semantic_guidance.painter.likeness import stored
from semantic_guidance.painting.painting import Painting

DRAWN = ("ink", "pencil", "colored-pencil")
"""Marks of drawings by lines, which show the paper that they are made for; alpha is none of it."""

WHITE: Color = (1.0, 1.0, 1.0)

LIGHT = 0.75
"""Mean of the colours of lines from which on they are seen on black."""

LONGEST_COVER = 2048
"""Pixels of a cover's longer side at most."""


def named_files(wishes: RestyleOptions) -> list[Path]:
    """The files that the options name."""
    words = (wishes.background, wishes.start_canvas)
    return [*map(Path, filter(None, words)), *([wishes.palette_from] if wishes.palette_from else [])]


@dataclass(frozen=True, eq=False)
class Restyle:
    """What the options ask for, read.

    Attributes:
        image: ``[3, H, W]`` the picture: over what is behind it where it is transparent, or, under a cover,
            in its own colours everywhere.
        reference: ``[3, h, w]`` whose colours are wanted.
        background: what is to be behind the object.
        start: the canvas before the first stroke.
        covered: whether that is to be covered, and is no part of the painting.
        transparent: what pictures are to show, see `Painting`.
        alpha: ``[1, H, W]`` of the picture, if it has any.
        own: whether that shows the object.
        cover: whether it covers the painting, see `Painting`.
        beyond: what is beyond the cover.
    """

    image: Tensor
    reference: Tensor | None
    background: Color | Tensor | None
    start: Color | Tensor | None
    covered: bool
    transparent: Any
    alpha: Tensor | None
    own: bool
    cover: bool
    beyond: Color | Tensor = WHITE

    @staticmethod
    def of(
        wishes: RestyleOptions, picture: Picture, name: Path, baseline: bool, given: bool, marks: str
    ) -> Restyle:
        """Read what the options ask for.

        Args:
            wishes: the options.
            picture: to be painted.
            name: of the picture, for messages.
            baseline: whether objects are to stay unknown.
            given: whether a person points at the object.
            marks: of the style, see `Style`: drawings by lines show the paper that they are made for.

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
        if start is None and isinstance(background, tuple):
            start = background  # it need not be painted
        alpha, clear = picture.alpha, wishes.transparent
        if clear and alpha is not None and not bool((alpha >= LEAST_SEEN).any()):
            wanted = "wanted a picture that shows something"
            raise OptionError("transparent", f"{name} is wholly transparent, {wanted}")
        apart = clear is not None or start is not None  # which is so for a background of one colour
        own = alpha is not None and (apart or background is not None) and not (given or baseline)
        alone = clear is not None or (own and not isinstance(background, Tensor))
        read = Restyle(
            image=picture.image,
            reference=None if wishes.palette_from is None else load_image(wishes.palette_from),
            background=background,
            start=start,
            covered=False,
            transparent=clear,
            alpha=alpha,
            own=own,
            cover=alpha is not None and alone and (clear == "object" or marks not in DRAWN),
        )
        return read._on_canvas(marks)

    def _on_canvas(self, marks: str) -> Restyle:
        """The picture over what is behind it, and the canvas on which it is painted."""
        behind = self.background if self.start is None else self.start
        if self.alpha is not None and self.cover:
            own = _own_colors(self.image, self.alpha, marks)
            return replace(self, image=own, start=None, beyond=WHITE if behind is None else behind)
        if self.alpha is not None and behind is not None:
            return replace(self, image=laid_over(self.image, self.alpha, behind))
        if self.transparent == "painting" and self.start is None and marks == "strokes":
            # The canvas will not be there in the end, so strokes must cover it.
            return replace(self, start=unlike(self.target), covered=True)
        return self

    @property
    def alone(self) -> bool:
        """Whether only the object is to be painted: what is behind it is there already, or transparent."""
        clear = self.transparent is not None or self.cover
        return (self.own and clear) or (isinstance(self.start, tuple) and self.start is self.background)

    @cached_property
    def target(self) -> Tensor:
        """The picture in the colours that are wanted."""
        return self.image if self.reference is None else transfer_colors(self.image, self.reference)

    def apply(self, guidance: Guidance | None, guide: GuideLike) -> tuple[Tensor, Guidance | None]:
        """The picture to paint, and what is known about it.

        Args:
            guidance: of what a person has pointed at.
            guide: finds the object, if it must be known.

        Raises:
            OptionError: there is no object, and one is needed.
        """
        if self.own and self.alpha is not None:
            guidance = guide(self.image, Prompt(mask=support(self.alpha)))
        apart = self.background is not None or self.transparent == "object"
        if guidance is None and (apart or self.reference is not None):
            guidance = guide(self.image)  # of the picture as it is, not as it will be painted
        if apart and (guidance is None or not guidance.instances):
            option = "background" if self.background is not None else "transparent"
            wanted = "wanted --mask, --box or --point to show it"
            raise OptionError(option, f"there is no object in the picture, {wanted}")
        if self.background is None or guidance is None or self.cover:
            return self.target, guidance
        return replace_background(self.target, guidance.mask, self.background), guidance

    def finished(self, painting: Painting) -> Painting:
        """A painting of the picture under its cover, on the canvas that is shown, with what is seen of it."""
        painting = replace(painting, transparent=self.transparent)
        if self.covered:
            painting = replace(painting, background=WHITE)
        if self.own and self.alpha is not None:
            painting = replace(painting, guidance=_seen(painting.guidance, self.alpha))
        if self.cover and self.alpha is not None and painting.photo is not None:
            beyond = self.beyond
            if isinstance(beyond, Tensor):
                beyond = stored(fill_frame(beyond, *self.alpha.shape[1:]))
            photo = replace_background(painting.photo, self.alpha, beyond)
            cover = stored(self.alpha, LONGEST_COVER)
            painting = replace(painting, cover=cover, beyond=beyond, photo=photo)
        return painting

    def note(self, name: Path) -> str | None:
        """What a person should know of the picture of that name, if it is transparent and so hardly seen."""
        if self.alpha is None or self.transparent is not None:
            return None
        if not bool((self.alpha >= LEAST_SEEN).any()):
            return f"{name} is wholly transparent: there is nothing to be painted in it"
        laid = self.background if self.start is None else self.start
        behind = self.beyond if self.cover else WHITE if laid is None else laid
        if not faint(self.image, self.alpha, behind):
            return None
        ground = "white" if behind is WHITE else "canvas"
        return (
            f"{name} is transparent, and can hardly be told from the {ground} it is laid over: --transparent"
            " keeps it transparent, --background or --start-canvas '#204060' lay it over another colour"
        )


def _own_colors(picture: Tensor, alpha: Tensor, marks: str) -> Tensor:
    """A picture ``[3, H, W]`` that was laid over white in its own colours; on paper, if it is of lines."""
    own = without_white(picture, alpha)
    if marks != "lines":
        return own
    seen = alpha >= LEAST_SEEN
    dark = float(own[seen.expand_as(own)].mean()) < LIGHT
    return torch.where(seen, own, float(dark))


def _seen(guidance: Guidance, alpha: Tensor) -> Guidance:
    """What is known, of what is seen."""
    seen = (alpha >= LEAST_SEEN).float()
    instances = tuple(
        Instance.from_mask(mask, each.kind, each.confidence, each.salience, each.share)
        for each in guidance.instances
        if bool(((mask := each.mask * seen) > 0.5).any())
    )
    return Guidance(guidance.mask * seen, guidance.focus * seen, instances)


def _color_or_picture(option: str, word: str | None) -> Color | Tensor | None:
    if word is None:
        return None
    found = color_or_file(option, word)
    return load_image(found) if isinstance(found, Path) else found
