"""The page and its files, how the server is, what can be asked for, examples."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from semantic_guidance.apps.serve import offer
from semantic_guidance.apps.serve.answers import Json, binary, problems
from semantic_guidance.apps.serve.examples import EXAMPLES
from semantic_guidance.apps.serve.examples import Example as Photograph
from semantic_guidance.apps.serve.pages import Resource
from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.apps.serve.schema import Example, Health, Offer
from semantic_guidance.apps.serve.studio import Studio
from semantic_guidance.core.version import __version__

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def index(request: Request) -> Response:
    """The page."""
    return _file(request, "index.html")


@router.api_route("/page/{name}", methods=["GET", "HEAD"], include_in_schema=False)
async def page(request: Request, name: str) -> Response:
    """A file of the page."""
    return _file(request, name)


@router.api_route("/favicon.svg", methods=["GET", "HEAD"], include_in_schema=False)
async def favicon(request: Request) -> Response:
    """The page's small picture."""
    return _file(request, "favicon.svg")


def _file(request: Request, name: str) -> Response:
    resource: Resource | None = request.app.state.page.get(name)
    if resource is None:
        raise HTTPException(404, "There is no such page.")
    return resource.answer(request)


@router.get("/api/health", responses={200: {"model": Health}})
async def health(request: Request) -> Response:
    """How the server is."""
    studio: Studio = request.app.state.studio
    opened, warm = request.app.state.opened.is_set(), request.app.state.started.is_set()
    running, waiting = (studio.running, studio.waiting) if opened else (0, 0)
    about = {"status": "ok" if warm else "starting", "version": __version__, "workers": studio.workers}
    return Json({**about, "running": running, "waiting": waiting})


@router.get("/api/options", responses={200: {"model": Offer}})
async def options(request: Request) -> Response:
    """What can be asked for."""
    state = request.app.state
    if state.offer is None:
        state.offer = await asyncio.to_thread(_offer, state.studio.limits)
    found: Resource = state.offer
    return found.answer(request, **{"Cache-Control": "no-store"})


def _offer(limits: Limits) -> Resource:
    return Resource.of(json.dumps(offer.document(limits)).encode(), "application/json")


@router.get("/api/examples", responses={200: {"model": list[Example]}})
async def examples() -> Response:
    """Photographs that come with the studio."""
    found: list[dict[str, Any]] = []
    for each in EXAMPLES.values():
        url = f"/api/examples/{each.name}"
        small = {"url": url, "thumbnail": f"{url}/thumbnail"}
        found.append({"name": each.name, "title": each.title, "credit": each.credit, **small})
    return Json(found)


@router.get("/api/examples/{name}", responses={200: binary("image/jpeg"), **problems(404)})
async def example(name: str) -> Response:
    """One of them."""
    return _shown(_example(name).path)


@router.get("/api/examples/{name}/thumbnail", responses={200: binary("image/jpeg"), **problems(404)})
async def example_thumbnail(name: str) -> Response:
    """The same, small."""
    return _shown(_example(name).thumbnail)


def _example(name: str) -> Photograph:
    if name not in EXAMPLES:
        raise HTTPException(404, "There is no such example.")
    return EXAMPLES[name]


def _shown(path: Path) -> Response:
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


@router.get("/api/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """This interface, for programs."""
    return Json(request.app.openapi())
