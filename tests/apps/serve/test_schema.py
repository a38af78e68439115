"""The document that tells programs of the interface, and that it tells the truth."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from semantic_guidance.apps.job import Job
from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.apps.serve.settings import ServeOptions
from tests.apps.serve.serving import Served

ROOT = Path(__file__).parents[3]
PROGRAMS = os.pathsep.join([str(ROOT / ".long" / "bin"), os.environ.get("PATH", "")])
SCHEMATHESIS = shutil.which("st", path=PROGRAMS)

ROUTES = {
    "/api/health": {"get"},
    "/api/options": {"get"},
    "/api/examples": {"get"},
    "/api/examples/{name}": {"get"},
    "/api/examples/{name}/thumbnail": {"get"},
    "/api/pictures": {"post"},
    "/api/pictures/{id}": {"get"},
    "/api/pictures/{id}/preview": {"get"},
    "/api/pictures/{id}/look": {"post"},
    "/api/paintings": {"post"},
    "/api/paintings/{id}": {"get", "delete"},
    "/api/paintings/{id}/stop": {"post"},
    "/api/paintings/{id}/events": {"get"},
    "/api/paintings/{id}/view": {"get"},
    "/api/paintings/{id}/thumbnail": {"get"},
    "/api/paintings/{id}/files/{format}": {"get"},
    "/api/paintings/{id}/project": {"get"},
    "/api/projects": {"post"},
    "/api/zip": {"post"},
}


@pytest.fixture(scope="module")
def document(studio: Served) -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = studio.get("/api/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and what is told of it."""
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            yield path, method, about


def test_every_route_is_told_of(document):
    assert document["openapi"].startswith("3.1")
    assert {path: {*methods} for path, methods in document["paths"].items()} == ROUTES


def test_every_refusal_is_told_of_in_one_shape(document):
    for path, method, about in operations(document):
        wanted = {"400", "421", "422"} | ({"403"} if method != "get" else set())
        wanted |= {"404"} if "{" in path else set()
        content = about.get("requestBody", {}).get("content", {})
        wanted |= {"413", "415"} if content else set()
        assert wanted <= about["responses"].keys(), (path, method)
        for status, answer in about["responses"].items():
            if status >= "400":
                (kind,) = answer["content"].values()
                assert kind["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_reference_leads_somewhere(document):
    names = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', repr(document).replace("'", '"')))
    assert names
    assert names <= document["components"]["schemas"].keys()


def test_a_jobs_schema_is_that_of_its_options(document):
    fields = Job.__dataclass_fields__
    schema = document["components"]["schemas"]["JobOptions"]
    known = schema["properties"]
    assert schema["additionalProperties"] is False
    assert known.keys() <= fields.keys()
    assert {"strokes", "preset", "style", "seed", "size", "palette", "brush", "looseness"} <= known.keys()
    assert not {"image", "out", "mask", "guidance", "device", "export", "fps"} & known.keys()
    assert (known["strokes"]["minimum"], known["strokes"]["maximum"]) == (1, Limits().strokes)
    for name, about in known.items():
        numbers = [each for each in about.get("anyOf", [about]) if each.get("type") in ("number", "integer")]
        for each in numbers:
            if "min" in fields[name].metadata:
                assert each["minimum"] == fields[name].metadata["min"]


def bounds(about: dict[str, Any]) -> Iterator[float]:
    """Numbers next to those that an option's schema allows."""
    for each in about.get("anyOf", [about]):
        step = {"integer": 1, "number": 0.01}.get(each.get("type", ""), 0)
        if step and "minimum" in each:
            yield each["minimum"] - step
        if step and "maximum" in each:
            yield each["maximum"] + step


def test_what_the_schema_forbids_is_refused(studio, document):
    picture = studio.ask("POST", "/api/pictures?example=rocket").json["id"]
    tried = 0
    for name, about in document["components"]["schemas"]["JobOptions"]["properties"].items():
        values: list[Any] = [*bounds(about), {"an": "object"}]
        if not any(kind in str(about) for kind in ("boolean", "array")):
            values.append(False)
        for value in values:
            answer = studio.post("/api/paintings", {"picture": picture, "job": {name: value}})
            assert (answer.status, name in answer.detail) == (422, True), (name, value, answer.body)
            tried += 1
    assert tried > 80


def test_the_offer_is_what_the_schema_says(studio, document):
    offer = studio.get("/api/options").json
    known = document["components"]["schemas"]["JobOptions"]["properties"]
    assert [option["name"] for option in offer["options"]] == [*known]
    for option in offer["options"]:
        assert option["kind"] in ("bool", "int", "float", "choice", "picture", "paint", "list", "str")
        assert option["help"]
    parameters = document["paths"]["/api/paintings/{id}/files/{format}"]["get"]["parameters"]
    queried = [each["name"] for each in parameters if each["in"] == "query"]
    assert [option["name"] for option in offer["file_options"]] == queried
    assert {"alla-prima", "likeness"} <= {style["name"] for style in offer["styles"] if style["summary"]}
    assert {"png", "mp4", "svg"} <= {each["name"] for each in offer["formats"]}
    assert offer["limits"]["upload_bytes"] == 8 << 20


def test_settings_become_limits():
    chosen = ServeOptions(queue=3, keep=2, max_upload=5, grace=9, allow_host="a")
    limits = chosen.limits
    assert (limits.queue, limits.keep_seconds, limits.upload_bytes, limits.grace) == (3, 120, 5 << 20, 9)
    assert (ServeOptions().limits, ServeOptions().names, chosen.names) == (Limits(), (), ("a",))


@pytest.mark.usefixtures("long")
def test_schemathesis_finds_nothing(studio, tmp_path):
    if SCHEMATHESIS is None:
        pytest.skip("needs schemathesis: make test-long")
    picture = studio.ask("POST", "/api/pictures?example=rocket").json["id"]
    job = {"strokes": 8, "size": 32, "preset": "draft"}
    painting = studio.post("/api/paintings", {"picture": picture, "job": job}).json["id"]
    assert studio.ended(painting)["state"] == "done"
    hooks = tmp_path / "hooks.py"
    hooks.write_text(HOOKS.format(picture=picture, painting=painting))
    command = [SCHEMATHESIS, "run", f"{studio.url}/api/openapi.json", "--url", studio.url]
    command += ["--max-examples", "25", "--seed", "1", "--no-color", "--request-timeout", "60"]
    # Of pictures and projects it knows only that they are bytes, of masks that they are texts.
    command += ["--exclude-path-regex", "/events$", "--exclude-checks", "positive_data_acceptance"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


HOOKS = '''"""Half of all requests are for things that are there."""

import schemathesis

KNOWN = {{"pictures": "{picture}", "paintings": "{painting}"}}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "id" in path_parameters and context.operation.method.upper() != "DELETE":
        kind = context.operation.path.split("/")[2]
        if hash(str(path_parameters["id"])) % 2 and kind in KNOWN:
            path_parameters["id"] = KNOWN[kind]
    return path_parameters
'''
