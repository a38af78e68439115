"""What is to be painted, how, and into which files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semantic_guidance.apps.given_options import GuidanceOptions, PictureOptions
from semantic_guidance.apps.hand_options import HandOptions
from semantic_guidance.apps.options import (
    MediumOptions,
    OutputOptions,
    PainterOptions,
    RestyleOptions,
    check_name,
)
from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import combined, from_json, to_json
from semantic_guidance.export.options import FileOptions, check_dip, keep_exactly


@dataclass(frozen=True, kw_only=True)
class Job(
    PictureOptions,
    FileOptions,
    RestyleOptions,
    MediumOptions,
    HandOptions,
    PainterOptions,
    GuidanceOptions,
    OutputOptions,
):
    """What is to be painted, how, and into which files; everything but the photograph has a default.

    Attributes:
        image: the photograph.
        export: options of formats that plug-ins bring, by format and name.

    Raises:
        ValueError: a number is out of its range.
    """

    image: Path = field(kw_only=False)
    export: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image", "out", "mask", "palette_from", "guidance"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, Path(value))
        many: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("mask", self.masks),
            ("box", self.boxes),
            ("point", self.wanted_places),
            ("not_point", self.unwanted_places),
        )
        for name, values in many:
            object.__setattr__(self, name, combined(values) if values else None)
        check_ranges(self)
        keep_exactly(self)
        check_dip(self.dip)
        check_name(self.output)

    def to_json(self) -> str:
        """As text, without defaults.

        >>> Job("cat.jpg", strokes=500, box=(10, 20, 300, 200)).to_json()
        '{"image": "cat.jpg", "box": [10, 20, 300, 200], "strokes": 500}'
        """
        return json.dumps({"image": str(self.image), **to_json(self)})

    @staticmethod
    def from_json(text: str) -> Job:
        """From `to_json`'s text, or a person's: values may be as on the command line.

        >>> Job.from_json('{"image": "cat.jpg", "box": "10,20,300,200"}').box
        (10.0, 20.0, 300.0, 200.0)

        Raises:
            InputError: it is not JSON, or has an unknown option or a value that is not usable.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f"the job is not JSON ({error})") from None
        return from_json(Job, values)
