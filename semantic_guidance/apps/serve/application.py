"""The studio as an ASGI application: its routes, refusals in one shape, and the document that tells of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from semantic_guidance.apps.serve import routes, routes_paintings, routes_pictures
from semantic_guidance.apps.serve.answers import WHY, Json, problems
from semantic_guidance.apps.serve.guard import FAULT, SAFE, Guard, Names
from semantic_guidance.apps.serve.pages import page_files
from semantic_guidance.apps.serve.records import Limits, Refused
from semantic_guidance.apps.serve.schema import JOB, file_parameters, job_schema, sentence
from semantic_guidance.apps.serve.studio import Studio
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.version import __version__

DESCRIPTION = "Turns photographs into paintings, stroke by stroke. docs/serve.md tells more."
QUIET: dict[str, Any] = {"telemetry": dict.fromkeys(("tracing", "metrics", "logs", "auto_configure"), False)}
"""FastAPI tells nobody of requests, whatever the environment says."""

LATER = (429, 503)
"""Statuses with which something may be had later."""

FILES = "/api/paintings/{id}/files/{format}"


def application(studio: Studio) -> FastAPI:
    """The application without its guard; whoever opens the studio sets ``opened`` and ``uploads``."""
    app = FastAPI(
        title="Semantic Guidance: the studio",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,  # it is a route of ours
        docs_url=None,  # which would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        **QUIET,
        responses=problems(400, 421, 422),
    )
    app.state.studio = studio
    app.state.page, app.state.offer = page_files(), None
    app.state.opened, app.state.started = asyncio.Event(), asyncio.Event()
    for each in (routes, routes_pictures, routes_paintings):
        app.include_router(each.router)
    app.add_exception_handler(HTTPException, _refused_by_http)
    app.add_exception_handler(RequestValidationError, _not_as_told)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(Exception, _failed)
    app.openapi = lambda: _document(app, studio.limits)  # type: ignore[method-assign]
    return app


def guarded(app: FastAPI, names: Names, limits: Limits) -> Guard:
    """The application behind its guard."""
    return Guard(app, names, max(limits.upload_bytes, limits.project_bytes))


async def _refused_by_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == 404 and detail == "Not Found":
        detail = "There is nothing at this address."
    if error.status_code == 405:
        headers["Allow"] = _allowed(request) or headers.get("Allow", "")
        detail = f"{request.method} is not for this address; wanted {headers['Allow']}."
    return _problem(error.status_code, detail, headers)


def _allowed(request: Request) -> str:
    """All methods for an address: of those with the same one, routes know their own alone."""
    for path, methods in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path):
            return ", ".join(method.upper() for method in methods)
    return ""


async def _not_as_told(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _problem(422, sentence(list(error.errors())))


async def _refused(request: Request, error: Exception) -> Response:
    """An error of the studio's, or of what checks options."""
    return _problem(error.status if isinstance(error, Refused) else 422, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    return _problem(500, FAULT)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The one shape of a refusal: a sentence."""
    later = {"Retry-After": "5"} if status in LATER else {}
    sentence = detail if detail.endswith((".", "!", "?")) else f"{detail}."
    return Json({"detail": sentence}, status, {**later, **(headers or {})})


def _document(app: FastAPI, limits: Limits) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = found["components"]["schemas"]
        schemas[JOB] = job_schema(limits)
        schemas["PaintingOrder"]["properties"]["job"] = {"$ref": f"#/components/schemas/{JOB}"}
        found["paths"][FILES]["get"]["parameters"] += file_parameters(limits)
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path in found["paths"].values():
            for method in path.keys() - {name.lower() for name in SAFE}:
                path[method]["responses"]["403"] = {"description": WHY[403], "content": content}
        app.openapi_schema = found
    return app.openapi_schema
