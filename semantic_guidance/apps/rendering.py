"""A painting that is done rendered anew: at any size, with another brush, other colours, on other paper."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.options import (
    ClearOptions,
    DialOptions,
    OutputOptions,
    formats_option,
)
from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.export.options import FileOptions
from semantic_guidance.painter.presets import SIZES
from semantic_guidance.painting.brushes import BRUSHES

if TYPE_CHECKING:
    from semantic_guidance.painting.drawing import Drawing

FORMATS = ("png",)
ALTER = "what is changed"
TRACK = "films"


@dataclass(frozen=True, kw_only=True)
class AlterOptions:
    """What is changed of a painting that is done."""

    palette: str | None = option(
        None,
        "each stroke in the colour that looks most like its own: of N chosen from the strokes', of a list"
        " such as '#204060,#fff', or of those in a file: hex colours, a palette of GIMP, Lospec, JASC,"
        " paint.net or Adobe (.ase, .aco), or a picture",
        metavar="N|COLORS|FILE",
        group=ALTER,
    )
    background: str | None = option(
        None,
        "only the object's strokes, on a colour such as '#204060' or on a picture; all strokes on it, if the"
        " file has no object",
        metavar="COLOR|IMAGE",
        group=ALTER,
    )
    mask: Path | None = option(
        None,
        "strokes only where this picture is bright, elsewhere the canvas",
        metavar="FILE",
        parse=Path,
        group=ALTER,
    )
    invert_mask: bool = option(False, "strokes only where the mask is dark", group=ALTER)


@dataclass(frozen=True, kw_only=True)
class RenderOptions(FileOptions, AlterOptions, ClearOptions, DialOptions, OutputOptions):
    """How strokes are rendered."""

    formats: tuple[str, ...] = formats_option(FORMATS)
    brush: str | None = option(
        None,
        f"how the strokes look: {', '.join(BRUSHES)}, or a grey picture of your own brush, bright where it"
        " leaves paint, drawn from left to right (default: that of the painting in the file)",
        metavar="NAME|FILE",
    )
    seed: int | None = option(
        None,
        "of the brush's texture (default: that of the painting in the file)",
        metavar="N",
        min=0,
        max=MAX_SEED,
    )
    frame: int | None = option(
        None,
        "of a film's track: the picture of that frame alone, counted from 1 (default: the film)",
        metavar="N",
        min=1,
        group=TRACK,
    )
    sound: Path | None = option(
        None,
        "of a film's track: a file whose sound the film gets, such as the clip that was painted",
        metavar="FILE",
        parse=Path,
        group=TRACK,
    )
    size: int | None = option(
        None,
        "longer side of the painting (default: that of the painting in the file)",
        metavar="PIXELS",
        min=SIZES[0],
        max=SIZES[1],
    )


def rendered(
    drawing: Drawing,
    where: object,
    options: RenderOptions,
    paper: tuple[float, float] | None = None,
    margin: float | None = None,
) -> Drawing:
    """A painting that is done, as the options ask for it, ready to be written.

    Args:
        drawing: of the painting.
        where: what complaints begin with: its file.
        options: how it is rendered.
        paper: width and height in mm, if that is changed.
        margin: mm that stay free on every side of it, if that is changed.

    Raises:
        OSError: a file that the options name cannot be read.
        InputError: something is wrong with the options, memory is short, or there are so many large strokes
            that painting would take hours.
    """
    from semantic_guidance.apps.brush import make_brush
    from semantic_guidance.apps.medium import on_paper
    from semantic_guidance.apps.room import check_room
    from semantic_guidance.apps.work import MAX_WORK, work

    brush = make_brush(options.brush, options.seed, options, drawing.brush)
    drawing = dataclasses.replace(drawing, brush=brush)
    if options.size is not None:
        height, width = drawing.sides(options.size)
        drawing = dataclasses.replace(drawing, width=width, height=height)
    drawing = altered(drawing, options)
    transparent: Any = options.transparent
    drawing = on_paper(drawing, paper, margin)
    try:
        drawing = dataclasses.replace(drawing, transparent=transparent)
    except ValueError as error:
        raise InputError(f"{where}: --{error}") from None
    size = max(drawing.width, drawing.height)
    if size > SIZES[1]:
        raise InputError(f"{where}: the painting is {size} pixels long, wanted --size {SIZES[1]} or less")
    sides, clear = (drawing.height, drawing.width), transparent is not None
    covered = drawing.cover is not None
    check_room(sides, brush, options.formats, where, clear, _kept(drawing), covered, options.film_size)
    touched = work(drawing, options.formats, options)
    if touched > MAX_WORK:
        raise InputError(
            f"{where}: its strokes touch {touched:.1e} pixels at size {size}, as many as take the time of"
            f" this brush and these formats, wanted at most {MAX_WORK:.0e}: fewer, smaller ones, a smaller"
            " --size, --brush flat, or other --formats"
        )
    return drawing


def _kept(drawing: Drawing) -> int:
    """Bytes of the masks and pictures of a drawing."""
    pictures = (*drawing.masks, drawing.start, drawing.known, drawing.photo, drawing.cover)
    return sum(picture.nbytes for picture in pictures if picture is not None)


def altered(drawing: Drawing, options: AlterOptions) -> Drawing:
    """The drawing with other colours, before another background, under a mask.

    Raises:
        InputError: something is wrong with the options.
        OSError: a file cannot be read.
    """
    from semantic_guidance.apps.files import color_or_file
    from semantic_guidance.apps.medium import read_colors
    from semantic_guidance.apps.options import named
    from semantic_guidance.images.color import MAX_COLORS
    from semantic_guidance.images.files import load_array, load_mask_array
    from semantic_guidance.painting.altered import mask_sides, on_background, recolored, within

    palette = read_colors(options.palette)
    if palette is not None:
        count = palette if isinstance(palette, int) else len(palette)
        if not 1 <= count <= MAX_COLORS:
            raise OptionError("palette", f"got {count} colours, wanted 1 to {MAX_COLORS}")
        drawing = recolored(drawing, palette)
    if options.background is not None:
        found = color_or_file("background", options.background)
        drawing = on_background(drawing, load_array(found) if isinstance(found, Path) else found)
    if options.mask is not None:
        mask = load_mask_array(options.mask, *mask_sides(drawing), invert=options.invert_mask)
        drawing = named(lambda: within(drawing, mask))
    return drawing
