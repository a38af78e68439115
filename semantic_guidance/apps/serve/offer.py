"""What a visitor may ask for: options of paintings and of files, styles, brushes and formats, as JSON values.

All of it comes from where it is declared for the command line. What names files of the server's is left out.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from semantic_guidance.apps.job import Job
from semantic_guidance.apps.options import CLEAR, paper_options
from semantic_guidance.apps.rendering import RenderOptions
from semantic_guidance.apps.serve.orders import FILES, OF_FILES, OWN
from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.core.config import kind_of
from semantic_guidance.core.plugins import AGENTS, EXPORTERS, STYLES, usable
from semantic_guidance.core.version import __version__
from semantic_guidance.export.base import folder_of
from semantic_guidance.painter.presets import PRESETS
from semantic_guidance.painter.variations import COUNTS
from semantic_guidance.painting.brushes import BRUSHES
from semantic_guidance.painting.brushes.light import SIDES
from semantic_guidance.painting.paper import PAPERS

Field = dataclasses.Field[Any]

PICTURES = {"palette_from": "picture", "background": "paint", "start_canvas": "paint"}
"""Options that may be the ID of a picture, and their kinds: a picture alone, or a colour as well."""

CHOICES: Mapping[str, Any] = {
    "preset": lambda: tuple(PRESETS),
    "style": STYLES.names,
    "brush": lambda: BRUSHES,
    "agent": AGENTS.names,
    "pigments": lambda: ("tubes",),
    "transparent": lambda: CLEAR,
}
"""Words that an option may be, where it may be nothing else."""

USUAL = {"light": (*SIDES, "none"), "paper": tuple(PAPERS)}
"""Words that are offered for an option that may be something else, too."""


@functools.cache
def job_options() -> tuple[Field, ...]:
    """The options of a painting that a visitor may choose."""
    return tuple(item for item in dataclasses.fields(Job) if item.name not in (*OWN, *FILES))


@functools.cache
def file_options() -> tuple[Field, ...]:
    """The options of a file that a visitor may choose."""
    fields = (*dataclasses.fields(RenderOptions), *paper_options())
    return tuple(item for item in fields if item.name in OF_FILES)


def document(limits: Limits) -> dict[str, Any]:
    """The answer to what can be asked for."""
    most, most_of_files = {"strokes": limits.strokes, "size": limits.size}, most_of_file(limits)
    return {
        "version": __version__,
        "options": [described(item, most) for item in job_options()],
        "file_options": [described(item, most_of_files) for item in file_options()],
        "styles": [{"name": name, "summary": style.summary} for name, style in usable(STYLES).items()],
        "presets": list(PRESETS),
        "brushes": list(BRUSHES),
        "variations": {"min": COUNTS[0], "max": COUNTS[1]},
        "formats": formats(),
        "limits": dataclasses.asdict(limits),
    }


def most_of_file(limits: Limits) -> dict[str, float]:
    """What options of a file may be at most, where a server allows less than there could be."""
    return {"size": limits.file_size, "film_size": limits.file_size, "duration": limits.film_seconds}


def formats() -> list[dict[str, Any]]:
    """The formats of files."""
    return [
        {
            "name": name,
            "summary": exporter.summary,
            "film": exporter.film,
            "still": exporter.still,
            "transparent": exporter.transparent,
            "suffix": f"_{name}.zip" if folder_of(name) else f".{name}",
        }
        for name, exporter in usable(EXPORTERS).items()
    ]


def described(item: Field, most: Mapping[str, float]) -> dict[str, Any]:
    """One option: its name, kind, default, range or choices, group and help.

    Args:
        item: the option.
        most: of a number, by option, where a server allows less than there could be.
    """
    about = {"name": item.name, "kind": kind(item), "default": _plain(item.default)}
    about |= bounds(item, most)
    if item.name in CHOICES:
        about["choices"] = list(CHOICES[item.name]())
    elif item.name in USUAL:  # and others
        about["choices"] = list(USUAL[item.name])
    return {**about, "group": item.metadata.get("group") or "", "help": help_of(item)}


def kind(item: Field) -> str:
    """Of values: ``bool``, ``int``, ``float``, ``choice``, ``picture``, ``paint`` (a colour such as #204060,
    or a picture), ``list`` (of numbers, or a text of them), ``str``.
    """
    if item.name in PICTURES:
        return PICTURES[item.name]
    if item.name in CHOICES:
        return "choice"
    if item.default is False:
        return "bool"
    if "Fraction" in str(item.type):
        return "float"
    if "tuple[" in str(item.type) or str(item.type).startswith(("Box", "Place")):
        return "list"
    plain = kind_of(item)
    return plain.__name__ if plain in (int, float) else "str"


def bounds(item: Field, most: Mapping[str, float]) -> dict[str, float]:
    """``min``, ``max`` and ``above`` of a number, those that there are."""
    found = {name: item.metadata[name] for name in ("min", "max", "above") if name in item.metadata}
    if item.name in most:
        found["max"] = min(found.get("max", most[item.name]), most[item.name])
    return found


def schema(item: Field, most: Mapping[str, float]) -> dict[str, Any]:
    """The JSON Schema of an option's value, as it may stand in a job; `most` as in `described`."""
    number = {"min": "minimum", "max": "maximum", "above": "exclusiveMinimum"}
    limited = {number[name]: value for name, value in bounds(item, most).items()}
    kinds: dict[str, list[dict[str, Any]]] = {
        "bool": [{"type": "boolean"}],
        "int": [{"type": "integer", **limited}],
        "float": [{"type": "number", **limited}],
        "choice": [{"type": "string", "enum": list(CHOICES.get(item.name, tuple)())}],
        "list": [{"type": "array"}, {"type": "string"}],
        "str": [{"type": "string"}],
    }
    found = list(kinds.get(kind(item), kinds["str"]))
    if "int" in str(item.type).split(" | ") and kind(item) == "str":
        found.append({"type": "integer"})
    if "Fraction" in str(item.type):
        found.append({"type": "string"})
    if item.default is None:
        found.append({"type": "null"})
    whole = found[0] if len(found) == 1 else {"anyOf": found}
    return {**whole, "description": help_of(item)}


def help_of(item: Field) -> str:
    """What an option means, for people."""
    text = item.metadata["help"]
    text = str(text() if callable(text) else text)
    return text.replace("%(default)s", str(_plain(item.default)))


def _plain(value: Any) -> Any:
    """A default as a JSON value."""
    return list(value) if isinstance(value, tuple) else value
