"""The files that a job reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import check_target, check_writable
from semantic_guidance.core.options import OptionError, from_json
from semantic_guidance.core.plugins import EXPORTERS, usable
from semantic_guidance.core.whole_folders import check_folder
from semantic_guidance.export.base import Exporter
from semantic_guidance.export.numbered import NUMBERED, is_numbered
from semantic_guidance.export.options import (
    SETS,
    FileOptions,
    NoOptions,
    PlotterOptions,
    VideoOptions,
    check_coding,
)
from semantic_guidance.images.color import Color, parse_color

if TYPE_CHECKING:  # so that a file of strokes is rendered without waiting for torch
    from torch import Tensor

    from semantic_guidance.painting.drawing import Drawing
    from semantic_guidance.painting.painting import Painting


def prepare_folder(folder: Path) -> None:
    """Create the folder for the outputs, if it is missing, and check that files can be created in it.

    Raises:
        OSError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder)
    except OSError as error:
        raise OSError(f"--out: {folder}: {error.strerror}, wanted a folder to write to") from None


def color_or_file(option: str, word: str) -> Color | Path:
    """What an option asks for that takes a colour or a picture.

    Raises:
        OptionError: it is neither a colour nor a file.
    """
    if word.startswith("#") and not Path(word).exists():
        try:
            return parse_color(word)
        except ValueError as error:
            raise OptionError(option, str(error)) from None
    if not Path(word).exists():
        raise OptionError(option, f"{word}: no such file, wanted a picture, or a colour such as #c0ffee")
    return Path(word)


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Check that none of the files to be written is a directory, a disk, or one of the files that are read.

    Of folders of numbered pictures, that nothing else is in them, and none of the files that are read.

    Raises:
        InputError: one is.
        NotADirectoryError: a file is in the place of such a folder.
    """
    inputs = list(inputs)
    for output in outputs:
        numbered = is_numbered(output.name)
        if numbered:
            check_folder(output, NUMBERED)
        elif output.is_dir():
            raise InputError(f"{output}: this is a directory, wanted a file name")
        else:
            check_target(output)
        for path in inputs:
            if output.exists() and output.samefile(path.parent if numbered else path):
                raise InputError(f"{output}: painting would overwrite its own input, wanted another --out")


def check_formats(formats: tuple[str, ...], options: FileOptions) -> None:
    """Check that the formats can be written, and that options of videos and plotters come with one of these.

    Raises:
        PluginError: the plug-in that brings a format cannot be loaded.
        OptionError: there is none among the formats, or an option needs another one.
    """
    wanted = [EXPORTERS.get(name) for name in formats]
    filmed = any(exporter.film for exporter in wanted)
    for item in fields(VideoOptions):
        if getattr(options, item.name) is not None and not filmed:
            videos = ", ".join(name for name, exporter in usable(EXPORTERS).items() if exporter.film)
            raise OptionError(item.name, f"--formats has no video, wanted one of {videos} in it")
    check_coding(options, formats)
    for item in fields(PlotterOptions):
        if getattr(options, item.name) not in (None, False) and not plotted(formats):
            raise OptionError(item.name, "--formats has no plotter's file, wanted plotter in it")
    if options.dip is not None and options.reload is None:
        raise OptionError("dip", "nothing says when to dip, wanted --reload with it, such as --reload 200mm")


def check_transparent(transparent: str | None, formats: tuple[str, ...]) -> None:
    """Check that there is a format for transparency, if it is asked for.

    Raises:
        OptionError: there is none.
    """
    if transparent and not any(EXPORTERS.get(name).transparent for name in formats):
        fitting = ", ".join(name for name, exporter in usable(EXPORTERS).items() if exporter.transparent)
        raise OptionError("transparent", f"--formats has none with transparency, wanted one of {fitting}")


def check_plotter(formats: tuple[str, ...], count: int, where: object) -> None:
    """Check that, if plotters' files are among the formats, `count` strokes are not too many for them.

    Raises:
        InputError: they are; the message names `where`.
    """
    if plotted(formats):
        from semantic_guidance.export.plotter import check_count

        check_count(count, where)


def plotted(formats: tuple[str, ...]) -> bool:
    """Whether a plotter's file is among the formats."""
    return bool(set(formats) & set(SETS["plotter"]))


def write_outputs(
    painting: Painting | Drawing,
    outputs: Mapping[str, Path],
    options: FileOptions,
    tell: Callable[[float], None],
    guidance: Tensor | None = None,
    export: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write a painting's files.

    Args:
        painting: what to write.
        outputs: the file for each format, and for ``guidance`` if there is such a picture.
        options: of videos and plotters.
        tell: called with the share that is done.
        guidance: ``[3, H, W]``, a picture of what is known about the photograph.
        export: options of formats that plug-ins bring.

    Raises:
        InputError: a format does not have such options.
        OSError: a file cannot be written.
    """
    for n, (name, path) in enumerate(outputs.items()):

        def told(fraction: float, done: int = n) -> None:
            tell((done + fraction) / len(outputs))

        told(0.0)
        if name == "guidance" and guidance is not None:
            from semantic_guidance.export.image import write_picture

            write_picture(guidance, path, painting.source)
            continue
        exporter: Exporter = EXPORTERS.get(name)
        exporter.write(painting, path, _format_options(name, exporter, options, export or {}), told)


def _format_options(
    name: str, exporter: Exporter, options: FileOptions, export: Mapping[str, Mapping[str, Any]]
) -> Any:
    """The options of one format."""
    if exporter.options is NoOptions:
        return None
    if exporter.options in (VideoOptions, PlotterOptions):
        kind: Any = exporter.options
        return kind(**{item.name: getattr(options, item.name) for item in fields(kind)})
    return from_json(exporter.options, dict(export.get(name, {})))
