"""What routes share: the studio, answers as JSON, and the refusals that a route can give."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from semantic_guidance.apps.serve.guard import is_json
from semantic_guidance.apps.serve.schema import Problem
from semantic_guidance.apps.serve.studio import Studio
from semantic_guidance.apps.serve.uploads import Uploads

WHY = {
    400: "The request, or the file, is not usable.",
    403: "It comes from a page of another site.",
    404: "There is no such thing, or no longer.",
    408: "The body does not come.",
    409: "Not now, as it is.",
    413: "It is too large.",
    415: "It is no picture; or the body is not JSON.",
    421: "The server does not answer to this name.",
    422: "A value is not usable.",
    429: "Too much waits already.",
    500: "A fault of the server's.",
    503: "There is no room now.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for the OpenAPI document."""
    return {status: {"model": Problem, "description": WHY[status]} for status in statuses}


def binary(*types: str) -> dict[str, Any]:
    """An answer that is a file, for the OpenAPI document."""
    content = {name: {"schema": {"type": "string", "format": "binary"}} for name in types}
    return {"description": "The file.", "content": content}


class Json(Response):
    """Values as JSON, in ASCII alone: half of a surrogate pair has no other spelling."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


async def _studio(request: Request) -> Studio:
    """The studio, once it is open; its workers may be getting warm still."""
    await request.app.state.opened.wait()
    studio: Studio = request.app.state.studio
    return studio


async def _uploads(request: Request) -> Uploads:
    await request.app.state.opened.wait()
    uploads: Uploads = request.app.state.uploads
    return uploads


async def _json_only(request: Request) -> None:
    if not is_json(request.headers):
        raise HTTPException(415, "The body is not JSON; wanted the content type application/json.")


TheStudio = Annotated[Studio, Depends(_studio)]
TheUploads = Annotated[Uploads, Depends(_uploads)]
JSON_ONLY = Depends(_json_only)
