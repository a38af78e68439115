"""The flags for other colours, another background, and canvases that are not empty or not opaque."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.images import Picture
    from semantic_guidance.palette import Color
    from semantic_guidance.types import Guidance

WHAT = ("painting", "object")  # what ``--transparent`` leaves, the usual one first
CLEAR = ("png", "webp", "svg", "exact.svg")  # formats that know transparency


def add_transparent(parser: argparse._ActionsContainer) -> None:
    """Declare ``--transparent``."""
    parser.add_argument(
        "--transparent",
        metavar="WHAT",
        nargs="?",
        const=WHAT[0],
        choices=WHAT,
        help="leave away the canvas (painting) or all but the object (object) in png, webp and svg"
        " (default if given: painting)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    group = parser.add_argument_group("style")
    add = group.add_argument
    add("--palette-from", metavar="IMAGE", type=Path, help="paint in the colours of another picture")
    add(
        "--background",
        metavar="COLOR|IMAGE",
        help="paint the object before a colour such as '#204060', or before another picture",
    )
    add("--start-canvas", metavar="COLOR|IMAGE", help="paint on a colour, or on another picture")
    add_transparent(group)


def check_transparent(args: argparse.Namespace) -> None:
    """See that transparency has a format to go to.

    Raises:
        InputError: it has none.
    """
    if args.transparent and not set(args.formats) & set(CLEAR):
        raise InputError(f"--transparent: wanted one of {', '.join(CLEAR)} in --formats")


def files(args: argparse.Namespace) -> list[Path]:
    """The files that the flags name."""
    words = (args.background, args.start_canvas)
    return [*map(Path, filter(None, words)), *([args.palette_from] if args.palette_from else [])]


@dataclass(frozen=True)
class Style:
    """What the flags ask for, read.

    Attributes:
        reference: ``[3, h, w]`` whose colours are wanted.
        background: what is to be behind the object.
        start: the canvas before the first stroke.
        transparent: what pictures are to show, see `Painting`.
        alpha: ``[1, H, W]`` of the picture, if it has any and that matters.
    """

    reference: Tensor | None
    background: Color | Tensor | None
    start: Color | Tensor | None
    transparent: Any
    alpha: Tensor | None

    @staticmethod
    def of(args: argparse.Namespace, picture: Picture) -> Style:
        """Read what the flags ask for.

        Args:
            args: the flags.
            picture: to be painted.

        Raises:
            InputError: something is wrong with them.
            OSError: a file cannot be read.
        """
        from semantic_guidance.images import load_image
        from semantic_guidance.styles import unlike

        check_transparent(args)
        if args.background is not None and args.baseline:
            raise InputError("--background: --baseline knows no object, wanted only one of the two")
        if args.transparent == "object" and args.baseline:
            raise InputError("--transparent: --baseline knows no object, wanted only one of the two")
        given = args.mask is not None or args.box is not None or args.baseline
        background = _color_or_picture("--background", args.background)
        start = _color_or_picture("--start-canvas", args.start_canvas)
        alpha = picture.alpha if args.transparent and not given else None
        if alpha is not None and not bool((alpha > 0.5).any()):
            raise InputError(
                f"--transparent: {args.image} is nowhere more than half opaque, wanted --mask or --box"
                " to show the object"
            )
        if start is None and isinstance(background, tuple):
            start = background  # it need not be painted
        elif start is None and args.transparent == "painting":
            # It will not be there in the end, so strokes have to cover it.
            start = unlike(picture.image, alpha)
        return Style(
            reference=None if args.palette_from is None else load_image(args.palette_from),
            background=background,
            start=start,
            transparent=args.transparent,
            alpha=alpha,
        )

    @property
    def alone(self) -> bool:
        """Whether nothing is to be painted but the object: what is behind it is there, or nothing is."""
        return self.alpha is not None or (isinstance(self.start, tuple) and self.start is self.background)

    def shown(self, image: Tensor) -> Tensor:
        """The picture that was painted, over white where it is transparent."""
        return image if self.alpha is None else image * self.alpha + (1 - self.alpha)

    def apply(self, image: Tensor, guidance: Guidance | None) -> tuple[Tensor, Guidance | None]:
        """The picture to paint, and what is known of it.

        Args:
            image: ``[3, H, W]`` as it is in the file.
            guidance: given by the person.

        Raises:
            InputError: there is no object, and one is needed.
        """
        from semantic_guidance.guidance import Guide
        from semantic_guidance.styles import replace_background, transfer_colors, without_white

        if self.alpha is not None:
            image = without_white(image, self.alpha)
            guidance = Guide().from_mask(image, self.alpha)
        apart = self.background is not None or self.transparent == "object"
        if guidance is None and (apart or self.reference is not None):
            guidance = Guide()(image)  # of the picture as it is, not as it will be painted
        if apart and (guidance is None or not guidance.instances):
            flag = "--background" if self.background is not None else "--transparent"
            raise InputError(f"{flag}: there is no object in the picture, wanted --mask or --box to show it")
        if self.reference is not None:
            image = transfer_colors(image, self.reference)
        if self.background is not None and guidance is not None:
            image = replace_background(image, guidance.mask, self.background)
        return image, guidance


def _color_or_picture(flag: str, word: str | None) -> Color | Tensor | None:
    from semantic_guidance.images import load_image
    from semantic_guidance.palette import parse_color

    if word is None:
        return None
    if word.startswith("#") and not Path(word).exists():
        try:
            return parse_color(word)
        except ValueError as error:
            raise InputError(f"{flag}: {error}") from None
    if not Path(word).exists():
        raise InputError(f"{flag}: {word}: no such file, wanted a picture, or a colour such as #c0ffee")
    return load_image(word)
