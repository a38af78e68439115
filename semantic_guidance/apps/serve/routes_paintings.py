"""Paintings: ordered, followed, stopped, and their files."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response, StreamingResponse

from semantic_guidance.apps.serve.answers import JSON_ONLY, Json, TheStudio, binary, problems
from semantic_guidance.apps.serve.records import Event, Order
from semantic_guidance.apps.serve.schema import PNG, Painting, PaintingOrder, ZipOrder
from semantic_guidance.apps.serve.studio import Studio

router = APIRouter()

RETRY = 1000
"""Milliseconds after which a browser that lost the stream asks again."""

PING = 2.0
"""Seconds of silence after which a comment tells both sides that the other one is there."""

STREAM = {
    "description": "Server-sent events `state`, `canvas`, `strokes` and `end`, see docs/serve.md.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

VISITOR = Header(
    alias="X-Visitor", max_length=64, description="any word that is the same for all orders of one page"
)


@router.post(
    "/api/paintings",
    status_code=202,
    dependencies=[JSON_ONLY],
    responses={202: {"model": Painting}, **problems(404, 408, 409, 413, 415, 422, 429, 503)},
)
async def order(
    request: Request,
    asked: PaintingOrder,
    studio: TheStudio,
    x_visitor: Annotated[str | None, VISITOR] = None,
) -> Response:
    """Have a picture painted; it waits until there is a free core."""
    address = request.client.host if request.client else ""
    painting = studio.paint(
        Order(
            picture=asked.picture,
            job=asked.job,
            guidance=asked.guidance,
            attended=asked.attended,
            variation=asked.variation.number if asked.variation else None,
            count=asked.variation.count if asked.variation else 4,
            of=asked.of,
            region=None if asked.region is None else _region(asked.region),
            erase=asked.erase,
            visitor=f"{address} {x_visitor or ''}",
        )
    )
    return Json(painting.shown(), 202, {"Location": f"/api/paintings/{painting.id}"})


def _region(text: str) -> bytes:
    """The bytes of a PNG that came as a data URL.

    Raises:
        HTTPException: it is none.
    """
    try:
        return base64.b64decode(text.removeprefix(PNG), validate=True)
    except binascii.Error:
        raise HTTPException(422, f"region is no PNG; wanted a data URL: {PNG}...") from None


@router.get("/api/paintings/{id}", responses={200: {"model": Painting}, **problems(404)})
async def painting(id: str, studio: TheStudio) -> Response:
    """A painting, as it is now."""
    return Json(studio.painting(id).shown())


@router.post("/api/paintings/{id}/stop", responses={200: {"model": Painting}, **problems(404)})
async def stop(id: str, studio: TheStudio) -> Response:
    """Stop it and keep what is there; one that waits is cancelled."""
    studio.stop(id)
    return Json(studio.painting(id).shown())


@router.delete("/api/paintings/{id}", status_code=204, responses=problems(404))
async def remove(id: str, studio: TheStudio) -> Response:
    """Forget it, and stop it first."""
    studio.remove(id)
    return Response(status_code=204)


@router.get("/api/paintings/{id}/events", responses={200: STREAM, **problems(404)})
async def events(id: str, studio: TheStudio) -> Response:
    """What happens to it: first how it is now, then each change, as server-sent events until the end."""
    studio.painting(id)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_told(studio, id), headers=headers, media_type="text/event-stream")


async def _told(studio: Studio, id: str) -> AsyncIterator[str]:
    """The stream of a painting's events."""
    yield f"retry: {RETRY}\n\n"
    happening = studio.follow(id, PING)
    try:
        async for event in happening:
            yield _spelled(event)
    finally:
        await happening.aclose()


def _spelled(event: Event) -> str:
    if event.name == "ping":
        return ": ping\n\n"
    return f"event: {event.name}\ndata: {json.dumps(event.data, separators=(',', ':'))}\n\n"


@router.get(
    "/api/paintings/{id}/view",
    responses={
        200: {"description": "What a page needs to draw it: what the HTML player reads."},
        **problems(404, 409, 429, 503),
    },
)
async def view(id: str, studio: TheStudio) -> Response:
    """Its strokes, masks and layers, to be drawn by a page."""
    return FileResponse(await studio.view(id), media_type="application/json")


@router.get(
    "/api/paintings/{id}/thumbnail",
    responses={200: binary("image/jpeg"), **problems(404, 409)},
)
async def thumbnail(id: str, studio: TheStudio) -> Response:
    """It as a small JPEG."""
    return FileResponse(await studio.thumbnail(id), media_type="image/jpeg")


@router.get(
    "/api/paintings/{id}/files/{format}",
    responses={200: binary("application/octet-stream"), **problems(404, 409, 422, 429, 503)},
)
async def file(id: str, format: str, request: Request, studio: TheStudio) -> Response:
    """It as a file of a format, at any size; the query has the file's options."""
    options: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in options:
            raise HTTPException(422, f"{name[:40]!r} is given more than once.")
        options[name] = value
    path, name = await studio.file(id, format, options)
    return _download(path, name)


@router.get(
    "/api/paintings/{id}/project",
    responses={200: binary("application/zip"), **problems(404, 409, 429, 503)},
)
async def project(id: str, studio: TheStudio) -> Response:
    """The photograph, the guidance, the settings and the strokes in one file that opens again."""
    name = Path(studio.picture(studio.painting(id).picture).name).stem
    return _download(await studio.project(id), f"{name}.painting", "application/zip")


@router.post(
    "/api/zip",
    dependencies=[JSON_ONLY],
    responses={200: binary("application/zip"), **problems(404, 408, 409, 413, 415, 422, 429, 503)},
)
async def archive(asked: ZipOrder, studio: TheStudio) -> Response:
    """Files of several paintings in one."""
    path = await studio.zip(asked.paintings, asked.formats, asked.options)
    answer = _download(path, "paintings.zip", "application/zip")
    answer.background = BackgroundTask(studio.forget, path)
    return answer


def _download(path: Path, name: str, type: str | None = None) -> Response:
    """A file to be saved, under a good name; its type by its end if None."""
    return FileResponse(path, media_type=type, filename=name, content_disposition_type="attachment")
