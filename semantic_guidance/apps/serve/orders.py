"""What visitors ask for, checked before it waits: no path of theirs is followed, and nothing takes hours.

Nothing here needs torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from semantic_guidance.apps.job import Job
from semantic_guidance.apps.options import TUBES, OutputOptions
from semantic_guidance.apps.rendering import RenderOptions
from semantic_guidance.apps.serve.records import Limits, Refused
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import from_json
from semantic_guidance.core.plugins import AGENTS, EXPORTERS, STYLES, Registry
from semantic_guidance.export.options import FileOptions
from semantic_guidance.images.color import MAX_COLORS, parse_color
from semantic_guidance.painter.presets import PRESETS
from semantic_guidance.painting.brushes import BRUSHES

OWN = (
    "image",
    "out",
    "output",
    "overwrite",
    "formats",
    "export",
    "frame",
    "mask",
    "invert_mask",
    "guidance",
    "guide",
    "show_guidance",
    "device",
    "agent_colors",
)
"""Options of a job that visitors do not have: they name files, or are the studio's own."""

FILES = tuple(FileOptions.__dataclass_fields__)
"""Options of files, which are said when one is asked for."""

EXTRA = ("guidance.json", "guidance.png")
"""Files beside those of formats: of what was known of the photograph."""

OF_FILES = (
    *(
        name
        for name in RenderOptions.__dataclass_fields__
        if name not in (*OWN, *OutputOptions.__dataclass_fields__)
    ),
    "paper",
    "margin",
)
"""Options of files."""

PICTURES = ("palette_from", "background", "start_canvas")
"""Options that may be pictures."""

MAX_BYTES = 64 << 10
"""Of a job as JSON."""

MAX_TEXT, MAX_PLACES, MAX_DEPTH = 200, 64, 4
"""Letters of a text, numbers of a list, and lists in lists."""

HEX = re.compile(r"#?[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?")
ID = re.compile(r"[A-Za-z0-9_-]{16,64}")

Find = Callable[[str], Path]
"""The file of the picture of that ID; raises `Refused` if there is none."""


def checked_job(
    values: Mapping[str, Any], limits: Limits, find: Find
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a job, as they are told to people, and with the files of pictures in place of IDs.

    Args:
        values: what a visitor asks for.
        limits: of that.
        find: pictures.

    Raises:
        Refused: something of it is not usable.
    """
    given = _plain(values)
    for name in given:
        if name in OWN:
            raise Refused(f"{name} cannot be chosen here, wanted only how it is painted", 422)
        if name in FILES:
            raise Refused(f"{name} is of files, wanted it where a file is asked for", 422)
    given = {name: value for name, value in given.items() if value is not None}
    _check_words(given)
    told, paths = dict(given), dict(given)
    for name in PICTURES:
        if name in given:
            paths[name] = picture_or_color(name, given[name], find, name != "palette_from")
    try:
        job = Job.from_json(json.dumps({"image": "picture", **given}))
    except InputError as error:
        raise Refused(error, 422) from None
    _check_most("strokes", job.strokes, limits.strokes)
    _check_most("size", job.size or 0, limits.size)
    return told, paths


def checked_options(format: str, values: Mapping[str, Any], limits: Limits, find: Find) -> dict[str, Any]:
    """The options of a file, with the files of pictures in place of IDs.

    Args:
        format: of the file.
        values: what a visitor asks for; texts will do for numbers.
        limits: of that.
        find: pictures.

    Raises:
        Refused: something of it is not usable.
    """
    if format not in EXTRA and format not in EXPORTERS:
        raise Refused(
            f"format is {format[:40]!r}, wanted one of {', '.join((*EXPORTERS.names(), *EXTRA))}", 422
        )
    given = {name: value for name, value in _plain(values).items() if value is not None}
    for name, value in given.items():
        if name not in OF_FILES:
            raise Refused(f"{name} is no option of a file, wanted one of {', '.join(OF_FILES)}", 422)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            given[name] = value.lower() == "true"
    if given and format in EXTRA:
        raise Refused(f"{format} has no options", 422)
    _check_words(given)
    if "background" in given:
        given["background"] = picture_or_color("background", given["background"], find, True)
    try:
        options = from_json(
            RenderOptions, {name: value for name, value in given.items() if name not in ("paper", "margin")}
        )
    except InputError as error:
        raise Refused(error, 422) from None
    _check_most("size", options.size or 0, limits.file_size)
    _check_most("film_size", options.film_size or 0, limits.file_size)
    _check_most("duration", options.duration or 0, limits.film_seconds)
    return given


def _check_most(name: str, value: float, most: int) -> None:
    if value > most:
        raise Refused(f"{name} is {value}, wanted at most {most} here", 422)


def _plain(values: Any) -> dict[str, Any]:
    """Options that are not too large.

    Raises:
        Refused: they are, or no options.
    """
    if not isinstance(values, Mapping):
        raise Refused("The job is no object of options and values.", 422)
    try:
        text = json.dumps(dict(values), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Refused("The job is not JSON of finite numbers and texts.", 422) from None
    if len(text) > MAX_BYTES:
        raise Refused(f"The job is {len(text)} bytes long, wanted at most {MAX_BYTES}.", 422)
    for name, value in values.items():
        _check_size(str(name), value)
    return dict(values)


def _check_size(name: str, value: Any, depth: int = 0) -> None:
    if isinstance(value, str) and len(value) > (64 * 8 if name == "palette" else MAX_TEXT):
        raise Refused(f"{name} has {len(value)} letters, wanted fewer", 422)
    if isinstance(value, dict):
        raise Refused(f"{name} is an object, wanted a value", 422)
    if isinstance(value, list | tuple):
        if len(value) > (MAX_COLORS if name == "palette" else MAX_PLACES) or depth >= MAX_DEPTH:
            raise Refused(f"{name} has too many parts, wanted at most {MAX_PLACES}", 422)
        for part in value:
            _check_size(name, part, depth + 1)


def _check_words(given: Mapping[str, Any]) -> None:
    kinds: dict[str, Collection[str]] = {
        "style": _names(STYLES),
        "agent": _names(AGENTS),
        "brush": BRUSHES,
        "preset": tuple(PRESETS),
        "pigments": (TUBES,),
    }
    for name, known in kinds.items():
        value = given.get(name)
        if value is not None and value is not True and value not in known:
            raise Refused(f"{name} is {value!r}, wanted one of {', '.join(known)}", 422)
        if value is True and name != "pigments":
            raise Refused(f"{name} is true, wanted one of {', '.join(known)}", 422)
    if "palette" in given:
        _check_palette(given["palette"])


def _names(registry: Registry[Any]) -> tuple[str, ...]:
    return tuple(registry.names())


def _check_palette(value: Any) -> None:
    """Check that a palette is a number of colours, or colours.

    Raises:
        Refused: it may be a file.
    """
    count = isinstance(value, int) and not isinstance(value, bool)
    if value is None or count or (isinstance(value, str) and value.isascii() and value.isdigit()):
        if value is not None and not 1 <= int(value) <= MAX_COLORS:
            raise Refused(f"palette is {value}, wanted 1 to {MAX_COLORS} colours", 422)
        return
    words = value.split(",") if isinstance(value, str) else value
    usable = isinstance(words, list | tuple) and bool(words) and all(isinstance(each, str) for each in words)
    # A single word without # may be the name of a file.
    if not usable or not all(HEX.fullmatch(each.strip()) for each in words) or not words[0].startswith("#"):
        raise Refused(
            f"palette is {str(value)[:40]!r}, wanted a number of colours, or colours such as #204060,#fff",
            422,
        )


def picture_or_color(name: str, value: Any, find: Find, color: bool) -> str:
    """A colour, or the file of the picture of that ID.

    Raises:
        Refused: it is neither.
    """
    if not isinstance(value, str):
        raise Refused(f"{name} is {value!r}, wanted the ID of a picture", 422)
    if color and value.startswith("#"):
        try:
            parse_color(value)
        except ValueError as error:
            raise Refused(f"{name}: {error}", 422) from None
        return value
    if not ID.fullmatch(value):
        wanted = "a colour such as #204060, or the ID of a picture" if color else "the ID of a picture"
        raise Refused(f"{name} is {value!r}, wanted {wanted}", 422)
    return str(find(value))


def checked_document(given: Any, most: int) -> dict[str, Any]:
    """A document of guidance, which is wholly read by a worker; it names no files.

    Raises:
        Refused: it is none, is too large, or names files.
    """
    if not isinstance(given, Mapping):
        raise Refused("The guidance is no object, wanted one as looking at the picture gives it.", 422)
    planes = [given.get("focus"), given.get("focus_elsewhere")]
    instances = given.get("instances")
    if not isinstance(instances, list) or not all(isinstance(each, Mapping) for each in instances):
        raise Refused("The guidance has no list of instances.", 422)
    planes += [each.get("mask") for each in instances]
    for plane in planes:
        if plane is not None and (not isinstance(plane, str) or "." in plane or "\\" in plane):
            raise Refused("A mask in the guidance is no PNG picture in base64.", 422)
    if sum(len(plane or "") for plane in planes) > most:
        raise Refused("The guidance is too large.", 413)
    return dict(given)
