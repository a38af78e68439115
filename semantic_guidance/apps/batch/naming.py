"""What the files of many paintings are called, so that no two share a name, on no system.

A picture's name does not depend on the order of the pictures. By itself it is that of a single painting,
``cat_painted``. Where two would be the same, as of ``same.jpg`` and ``same.png``, both get a longer one:
``same_jpg_painted`` and ``same_png_painted``. A person's pattern is followed to the letter, or refused.
"""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.batch.inputs import Source
from semantic_guidance.core.names import plain_name
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import EXPORTERS

if TYPE_CHECKING:  # it needs NumPy, for which help does not wait
    from semantic_guidance.apps.job import Job

FIELDS = ("stem", "name", "parent", "index", "seed", "style", "strokes", "preset", "hash", "ext")
"""What patterns may hold."""

END = ".{ext}"

NUMBERS = ("index", "seed", "strokes")

MARK = "painted"


@dataclass(frozen=True, slots=True)
class Name:
    """Where the files of a painting go.

    Attributes:
        folder: below that for all of them; ``.`` if it is that one.
        stem: of the files, without their formats' ends.
        usual: whether it is that of a single picture's painting.
    """

    folder: str
    stem: str
    usual: bool = False

    @property
    def path(self) -> str:
        """Both, as one."""
        return self.stem if self.folder == "." else f"{self.folder}/{self.stem}"


@dataclass(frozen=True)
class Pattern:
    """How a person wants files to be named, as `str.format` does it.

    Attributes:
        word: as it was given, such as ``{stem}_{seed}.{ext}``; with a slash it is a path from the folder for
            all files, else the name in the folder of the same name as the picture's.
    """

    word: str

    def __post_init__(self) -> None:
        try:
            parsed = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise OptionError(
                "output", f"{self.word!r}: {error}, wanted one such as {{stem}}_{{seed}}"
            ) from None
        for _, field, form, conversion in parsed:
            if field is None:
                continue
            if field not in FIELDS:
                known = ", ".join(f"{{{name}}}" for name in FIELDS)
                raise OptionError("output", f"{{{field}}} is unknown, wanted one of {known}")
            if field == "ext":
                raise OptionError(
                    "output", f"{self.word!r} has {{ext}} elsewhere, wanted it last, as in {END}"
                )
            if re.search(r"\d{4}", form or ""):  # it would take as much memory
                raise OptionError("output", f"{self.word!r} is too long, wanted fields such as {{index:04}}")
            if conversion or "{" in (form or ""):
                raise OptionError(
                    "output", f"{self.word!r} is too involved, wanted fields such as {{index:04}}"
                )
        self._checked(self._made({**dict.fromkeys(FIELDS, "a"), **dict.fromkeys(NUMBERS, 1)}))

    @property
    def text(self) -> str:
        """Without the formats' ends."""
        return self.word.removesuffix(END)

    def name(self, source: Source, values: Mapping[str, Any]) -> Name:
        """The name of a picture's painting.

        Raises:
            OptionError: it is none of a file in a folder.
        """
        path = PurePosixPath(self._checked(self._made(values)))
        if "/" not in self.text:
            path = source.relative.parent / path
        return Name(str(path.parent), path.name)

    def _made(self, values: Mapping[str, Any]) -> str:
        try:
            return self.text.format_map(values)
        except (ValueError, TypeError) as error:
            raise OptionError(
                "output", f"{self.word!r}: {error}, wanted fields such as {{index:04}}"
            ) from None

    def _checked(self, path: str) -> str:
        try:
            return plain_name(path, "--output")
        except ValueError as error:
            raise OptionError("output", str(error).partition(": ")[2]) from None


@dataclass(frozen=True)
class Naming:
    """Names for the paintings of one batch.

    Attributes:
        job: whose options the names tell.
        settings: that tell this job's options from others'.
        style: in which it is painted, in a word.
        pattern: of a person, if there is one.
    """

    job: Job
    settings: str
    style: str
    pattern: Pattern | None = None

    def names(self, sources: Sequence[Source], taken: Mapping[str, str] | None = None) -> list[Name]:
        """A name for each picture.

        Args:
            sources: the pictures.
            taken: files that are there already, see `alike`, and from which pictures they were made.

        Raises:
            OptionError: the pattern gives two of them the same, or one that another picture's painting has.
        """
        choose = self._by_pattern if self.pattern else self._usual
        levels, taken = [0] * len(sources), taken or {}
        while True:
            names = [
                choose(source, n, level)
                for n, (source, level) in enumerate(zip(sources, levels, strict=True))
            ]
            clashing = self._clashing(sources, names, taken)
            if not clashing:
                return names
            if self.pattern or not any(levels[n] < len(LONGER) for n in clashing):
                self._refuse(sources, names, clashing)
            for n in clashing:
                levels[n] += 1

    def files(self, name: Name, source: Source) -> list[str]:
        """The files of a painting, from the folder for all."""
        beside = PurePosixPath(name.folder) / (source.relative.stem if name.usual else name.stem)
        sheet = [f"{beside}_guidance.png"] if self.job.show_guidance else []
        return [f"{name.path}.{end}" for end in self.job.formats] + sheet

    def _clashing(
        self, sources: Sequence[Source], names: Sequence[Name], taken: Mapping[str, str]
    ) -> set[int]:
        """The numbers of the pictures that share a file."""
        first: dict[str, int] = {}
        clashing = set()
        for n, (source, name) in enumerate(zip(sources, names, strict=True)):
            for file in map(alike, self.files(name, source)):
                other = first.setdefault(file, n)
                if other != n:
                    clashing |= {other, n}
                elif taken.get(file, source.path) != source.path:
                    clashing.add(n)
        return clashing

    def _refuse(self, sources: Sequence[Source], names: Sequence[Name], clashing: Iterable[int]) -> None:
        """Tell of the first that share a name."""
        n = min(clashing)
        same = [m for m in clashing if m != n and alike(names[m].path) == alike(names[n].path)]
        other = sources[min(same)].relative if same else "a painting that is there"
        raise OptionError(
            "output",
            f"{sources[n].relative} and {other} would both be named {names[n].path}, wanted a pattern that"
            " tells them apart, such as {name}_{seed} or {index}",
        )

    def _usual(self, source: Source, number: int, level: int) -> Name:
        longer = [part(source, self.settings) for part in LONGER[:level]]
        stem = "_".join([source.relative.stem, *filter(None, longer), MARK])
        return Name(str(source.relative.parent), stem, usual=level == 0)

    def _by_pattern(self, source: Source, number: int, level: int) -> Name:
        assert self.pattern is not None
        values = {
            "stem": source.relative.stem,
            "name": source.relative.name,
            "parent": str(source.relative.parent),
            "index": number + 1,
            "seed": self.job.seed,
            "style": self.style,
            "strokes": self.job.strokes,
            "preset": self.job.preset,
            "hash": short_hash(source, self.settings),
        }
        return self.pattern.name(source, values)


def short_hash(source: Source, settings: str) -> str:
    """Eight letters and digits that no other picture, nor others of its settings, have."""
    text = f"{source.path}\0{settings}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


LONGER: tuple[Callable[[Source, str], str], ...] = (
    lambda source, settings: source.relative.suffix.removeprefix("."),
    short_hash,
)
"""What is added to a name that is not enough."""


def alike(file: str) -> str:
    """What is the same of names that some system takes for the same: capitals and small letters, accents.

    >>> alike("Caf\u00e9.png") == alike("cafe\u0301.PNG")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", file).casefold())


def ends_with_format(word: str) -> bool:
    """Whether a pattern, or a name, ends with that of a format which can be written."""
    return any(word.lower().endswith(f".{name}") for name in EXPORTERS.names())
