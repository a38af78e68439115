"""Pictures: sent, seen, looked at; and projects, which hold one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from semantic_guidance.apps.serve.answers import (
    JSON_ONLY,
    Json,
    TheStudio,
    TheUploads,
    binary,
    problems,
)
from semantic_guidance.apps.serve.examples import EXAMPLES
from semantic_guidance.apps.serve.records import PictureRecord
from semantic_guidance.apps.serve.schema import DOCUMENT, Picture, Project, Question
from semantic_guidance.apps.serve.uploads import given_name

router = APIRouter()

BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The file's bytes, as they are; of a picture: JPEG, PNG, WebP, TIFF, ...",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
NAME = Header(alias="X-Name", max_length=1000, description="the file's name, percent-encoded")


def shown(picture: PictureRecord) -> dict[str, Any]:
    """A picture as it is told."""
    return {**picture.shown(), "preview": f"/api/pictures/{picture.id}/preview"}


@router.post(
    "/api/pictures",
    status_code=201,
    openapi_extra=BODY,
    responses={201: {"model": Picture}, **problems(404, 408, 413, 415, 429, 503)},
)
async def send_picture(
    request: Request,
    studio: TheStudio,
    uploads: TheUploads,
    x_name: Annotated[str | None, NAME] = None,
    example: Annotated[str | None, Query(description="the name of an example, without a body")] = None,
    frame: Annotated[int | None, Query(ge=1, description="of an animation, or page of a TIFF")] = None,
) -> Response:
    """Send a picture: the body is the file."""
    if example is not None:
        if example not in EXAMPLES:
            raise HTTPException(404, "There is no such example.")
        with uploads.copied(EXAMPLES[example].path) as path:
            picture = await studio.add_picture(path, f"{example}.jpg", None)
    else:
        async with uploads.received(request, studio.limits.upload_bytes) as path:
            picture = await studio.add_picture(path, given_name(x_name, "picture"), frame)
    return Json(shown(picture), 201, {"Location": f"/api/pictures/{picture.id}"})


@router.get("/api/pictures/{id}", responses={200: {"model": Picture}, **problems(404)})
async def picture(id: str, studio: TheStudio) -> Response:
    """A picture that was sent."""
    return Json(shown(studio.picture(id)))


@router.get("/api/pictures/{id}/preview", responses={200: binary("image/jpeg"), **problems(404)})
async def preview(id: str, studio: TheStudio) -> Response:
    """It as a JPEG, at most 1600 pixels long."""
    return FileResponse(studio.picture(id).preview, media_type="image/jpeg")


@router.post(
    "/api/pictures/{id}/look",
    dependencies=[JSON_ONLY],
    responses={
        200: {"description": DOCUMENT, "content": {"application/json": {"schema": {"type": "object"}}}},
        **problems(404, 408, 413, 415, 422, 429, 503),
    },
)
async def look(id: str, question: Question, studio: TheStudio) -> Response:
    """See what is in a picture, or at some places of it; the answer is a document of guidance."""
    return Json(await studio.look(id, question.model_dump(exclude_none=True)))


@router.post(
    "/api/projects",
    status_code=201,
    openapi_extra={"requestBody": {**BODY["requestBody"], "description": "A project's file."}},
    responses={201: {"model": Project}, **problems(408, 413, 415, 429, 503)},
)
async def open_project(request: Request, studio: TheStudio, uploads: TheUploads) -> Response:
    """Open a project again: the body is its file."""
    async with uploads.received(request, studio.limits.project_bytes) as path:
        opened = await studio.open_project(path)
    painting = None if opened.painting is None else opened.painting.shown()
    about = {"picture": shown(opened.picture), "guidance": opened.guidance, "job": opened.job}
    return Json({**about, "painting": painting}, 201)
