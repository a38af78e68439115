"""In a worker: a painting's files, of any format, at any size."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from semantic_guidance.apps.files import check_formats, check_plotter, check_transparent, write_outputs
from semantic_guidance.apps.rendering import RenderOptions, rendered
from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.lengths import parse_length
from semantic_guidance.core.options import from_json
from semantic_guidance.export.base import folder_of
from semantic_guidance.export.image import write_picture
from semantic_guidance.export.overlay import guidance_sheet
from semantic_guidance.export.strokes_json import read_drawing
from semantic_guidance.guidance.files import read_guidance
from semantic_guidance.images.files import load_array, load_image
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.painting import Painting
from semantic_guidance.painting.paper import parse_paper

WHERE = "the painting"


def write_file(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Write one file of a painting.

    Args:
        task: ``folder`` of the painting; the ``format``; ``path`` of the file; the ``options`` of
            `RenderOptions`, and ``paper`` and ``margin``; the ``photo`` and its ``frame``.
        desk: of the worker.

    Raises:
        InputError: the options are not usable, memory is short, or the painting was removed.
    """
    folder, path, kind = Path(task["folder"]), Path(task["path"]), task["format"]
    if not folder.is_dir():
        raise Refused("The painting has been removed.", 404)
    drawing = read_drawing(folder / "strokes.json")
    if kind == "guidance.png":
        _write_sheet(drawing, folder, path, task)
        return {}
    try:
        _write(drawing, kind, path, task)
    except InputError as error:
        raise Refused(str(error).replace(str(path), path.name), 422) from None
    return {}


def _write(drawing: Drawing, kind: str, path: Path, task: dict[str, Any]) -> None:
    given = dict(task["options"])
    paper, margin = given.pop("paper", None), given.pop("margin", None)
    options = from_json(RenderOptions, {**given, "formats": [kind]})
    check_transparent(options.transparent, options.formats)
    check_formats(options.formats, options)
    check_plotter(options.formats, len(drawing.strokes), WHERE)
    paper = parse_paper(paper) if isinstance(paper, str) else paper
    margin = parse_length(margin) if isinstance(margin, str) else margin
    drawing = rendered(drawing, WHERE, options, None if paper is None else (paper[0], paper[1]), margin)
    if kind == "html":
        drawing = replace(drawing, photo=load_array(task["photo"], task["frame"]))
    if not folder_of(kind):
        write_outputs(drawing, {kind: path}, options, lambda share: None)
        return
    folder = path.with_name(f"{path.stem}_{kind}")
    try:
        write_outputs(drawing, {kind: folder}, options, lambda share: None)
        _pack(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pack(folder: Path, path: Path) -> None:
    """Write the files of a folder as a zip; pictures are small already."""
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)


def _write_sheet(drawing: Drawing, folder: Path, path: Path, task: dict[str, Any]) -> None:
    """Write the picture of what was known of the photograph."""
    photo = load_image(task["photo"], task["frame"])
    known = read_guidance(folder / "guidance.json", (photo.shape[1], photo.shape[2])).guidance
    painting = replace(Painting.of(drawing), guidance=known)
    write_picture(guidance_sheet(photo, painting), path, drawing.source)


def write_json(values: Any, path: Path) -> None:
    """Write JSON values to a file, which is whole or not there."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(values, allow_nan=False), encoding="ascii")
