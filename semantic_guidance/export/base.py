"""What a file format must offer. A new one is a function and an `Exporter` made of it.

    from semantic_guidance.export.base import Exporter

    def write(painting, path, options, progress): ...

    points = Exporter(write, "the strokes' centres, as a table")

`painting` is a `painting.painting.Painting`, whose numbers are tensors. A format whose exporter is `plain`
gets a `painting.drawing.Drawing` in its place, the same numbers as arrays: then a file of strokes is rendered
to it without waiting for torch.

An entry point of ``semantic_guidance.exporters`` makes it known, or ``EXPORTERS.register("csv", points)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export.options import NoOptions

if TYPE_CHECKING:  # so that a command line can list plug-ins' options without waiting for torch
    from semantic_guidance.painting.drawing import Drawing
    from semantic_guidance.painting.painting import Painting

Progress = Callable[[float], None]
"""Called now and then with the fraction (0 to 1) that is done."""


@dataclass(frozen=True)
class Exporter:
    """One kind of file that a painting can be written to.

    Attributes:
        function: ``write(painting, path, options, progress)``; it leaves the file whole or untouched, see
            `core.files.replacing`, and finally calls `progress` with 1.
        summary: for people, a few words.
        still: whether it shows the finished painting as a picture, and also takes a picture alone.
        film: whether it is a video of the painting process.
        transparent: whether it supports transparency.
        options: a dataclass of what can be chosen; each field's metadata has a ``help`` for its flag.
        flat: whether the strokes of a textured brush are flat shapes in it.
        folder: whether it is a folder of files, `path` being its name.
        plain: whether the function takes a `painting.drawing.Drawing` in the painting's place.
    """

    function: Callable[[Any, Path, Any, Progress], None]
    summary: str
    still: bool = False
    film: bool = False
    transparent: bool = False
    options: type = NoOptions
    plain: bool = False
    flat: bool = False
    folder: bool = False

    def write(
        self,
        painting: Painting | Drawing,
        path: Path,
        options: Any = None,
        progress: Progress | None = None,
    ) -> None:
        """Write a painting to a file.

        Args:
            painting: what to write.
            path: of the file, which is either whole or untouched.
            options: of the type `options`; its defaults if None.
            progress: called now and then with the fraction that is done.

        Raises:
            ValueError: the painting cannot be written to this format.
            OSError: the file cannot be written.
        """
        chosen = self.options() if options is None else options
        given = _drawing(painting) if self.plain else _painting(painting)
        self.function(given, path, chosen, progress or (lambda fraction: None))


def folder_of(format: str) -> bool:
    """Whether a format, which may be a plug-in's, is a folder of files."""
    return bool(getattr(EXPORTERS.get(format), "folder", False))


def _drawing(painting: Painting | Drawing) -> Drawing:
    from semantic_guidance.painting.drawing import Drawing

    return painting if isinstance(painting, Drawing) else painting.drawing


def _painting(painting: Painting | Drawing) -> Painting:
    from semantic_guidance.painting.painting import Painting

    return painting if isinstance(painting, Painting) else Painting.of(painting)
