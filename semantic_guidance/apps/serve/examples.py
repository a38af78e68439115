"""Photographs that come with the studio, for who has none at hand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Example:
    """A photograph.

    Attributes:
        name: of its file, without its end.
        title: for people.
        credit: whose it is, and under what licence.
    """

    name: str
    title: str
    credit: str

    @property
    def path(self) -> Path:
        """Of the file."""
        return _file(f"{self.name}.jpg")

    @property
    def thumbnail(self) -> Path:
        """Of a small one, which the page shows first."""
        return _file(f"{self.name}_small.jpg")


def _file(name: str) -> Path:
    return Path(str(files("semantic_guidance.apps.serve") / "examples" / name))


EXAMPLES = {
    example.name: example
    for example in (
        Example("chelsea", "Chelsea the cat", "Stefan van der Walt, CC0 1.0"),
        Example("coffee", "A cup of coffee", "Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0 1.0"),
        Example("astronaut", "Eileen Collins, astronaut", "NASA, public domain"),
        Example("rocket", "A rocket at dusk", "SpaceX, public domain"),
    )
}
"""By name. As those in `examples/` of the sources, but smaller."""
