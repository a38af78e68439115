"""The page's own files: a fixed list, read once, each with its checksum and packed for the way."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
TEXTS = (".html", ".css", ".js", ".svg")

STROKES = "strokes.js"
"""How a browser draws strokes: the player's own file, as a module."""

EXPORTED = "\nexport { Picture };\n"


@dataclass(frozen=True)
class Resource:
    """One file, or anything else that is the same for everyone.

    Attributes:
        body: its bytes.
        packed: the same by gzip; None if that is not worth it.
        type: of its content.
        tag: a checksum.
    """

    body: bytes
    packed: bytes | None
    type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, type: str, text: bool = True) -> Resource:
        """One with these bytes; `text`: whether they become fewer by gzip."""
        packed = gzip.compress(body, 9, mtime=0) if text else None
        return cls(body, packed, type, hashlib.sha256(body).hexdigest()[:24])

    def answer(self, request: Request, **headers: str) -> Response:
        """To a request; nothing but that it is the same if the browser has it."""
        coded = self.packed is not None and _takes_gzip(request)
        tag = f'"{self.tag}{"-gz" if coded else ""}"'
        about = {"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": "no-cache", **headers}
        if tag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=about)
        if coded:
            about["Content-Encoding"] = "gzip"
        return Response(self.packed if coded else self.body, headers=about, media_type=self.type)


def _takes_gzip(request: Request) -> bool:
    """Whether the browser unpacks gzip."""
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def page_files() -> dict[str, Resource]:
    """The files of the page by name."""
    found = {}
    page = files("semantic_guidance.apps.serve") / "page"
    for place in page.iterdir() if page.is_dir() else ():
        suffix = f".{place.name.rpartition('.')[2]}"
        if suffix in TYPES and place.is_file():
            found[place.name] = Resource.of(place.read_bytes(), TYPES[suffix], suffix in TEXTS)
    strokes = (files("semantic_guidance.export.html") / STROKES).read_text(encoding="utf-8") + EXPORTED
    found[STROKES] = Resource.of(strokes.encode(), TYPES[".js"])
    return found
