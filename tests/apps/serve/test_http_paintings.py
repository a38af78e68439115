"""From a photograph to a painting and its files, over HTTP."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.core.plugins import EXPORTERS

UNKNOWN = "0123456789abcdefghijklmn"
SMALL = {"strokes": 12, "size": 64, "preset": "draft", "opaque": True, "pigments": "tubes", "paper": "a6"}
LONG = {"strokes": 2000, "size": 256, "preset": "fine", "style": "likeness"}


class TestPaintings:
    def test_the_record(self, studio, picture, painting):
        found = studio.get(f"/api/paintings/{painting['id']}").json
        assert found == painting
        assert (found["picture"], found["job"]) == (picture["id"], SMALL)
        assert 6 <= found["strokes"] <= 12  # opaque ones need not all be worth it
        assert found["position"] is None

    def test_the_stream(self, studio, picture):
        job = {"strokes": 20, "size": 64, "preset": "draft", "style": "likeness"}
        painting = studio.post("/api/paintings", {"picture": picture["id"], "job": job}).json["id"]
        with studio.following(painting) as happening:
            told = list(happening)
        names = [name for name, _ in told]
        assert names[0] == "state"
        assert names[-1] == "end"
        assert names.index("canvas") < names.index("strokes")
        data = dict(told)
        assert data["end"] == studio.get(f"/api/paintings/{painting}").json
        assert (data["canvas"]["width"], data["canvas"]["height"]) == (64, 43)
        view = base64.b64decode(studio.get(f"/api/paintings/{painting}/view").json["strokes"])
        kept = np.frombuffer(view, "<f4").reshape(-1, 13)
        for name, each in told:
            if name == "strokes":
                strokes = np.frombuffer(base64.b64decode(each["data"]), "<u2").reshape(-1, 13) / 65535 * 3 - 1
                assert len(strokes) == each["count"] == sum(layer["count"] for layer in each["layers"])
        if len(strokes) == len(kept):  # else the last ones came with the end
            assert np.abs(np.sort(strokes, axis=0) - np.sort(kept, axis=0)).max() < 1e-4

    def test_the_head_of_a_stream(self, studio, painting):
        answer = studio.get(f"/api/paintings/{painting['id']}/events", Accept_Encoding="gzip")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        assert answer.body.startswith(b"retry: 1000\n\n")

    def test_the_view(self, studio, painting):
        view = studio.get(f"/api/paintings/{painting['id']}/view").json
        assert len(base64.b64decode(view["strokes"])) == painting["strokes"] * 13 * 4
        assert sum(layer["count"] for layer in view["layers"]) == painting["strokes"]

    def test_a_stop_keeps_what_is_there_and_whoever_comes_back_finds_it(self, studio, picture):
        order = {"picture": picture["id"], "job": LONG, "attended": True}
        painting = studio.post("/api/paintings", order).json["id"]
        with studio.following(painting) as happening:
            first = next(data["count"] for name, data in happening if name == "strokes")
        with studio.following(painting) as happening:  # as after a reload
            assert [name for name, _ in (next(happening), next(happening), next(happening))].count(
                "strokes"
            ) == 1
            assert studio.get(f"/api/paintings/{painting}").json["state"] == "running"
            began = time.monotonic()
            assert studio.ask("POST", f"/api/paintings/{painting}/stop").status == 200
            *_, (name, record) = happening
        assert (name, record["state"]) == ("end", "stopped")
        assert time.monotonic() - began < 3
        assert first > 0
        assert 0 < record["strokes"] <= 4000
        still = Image.open(io.BytesIO(studio.get(f"/api/paintings/{painting}/files/png?size=64").body))
        assert max(still.size) == 64
        assert studio.ask("DELETE", f"/api/paintings/{painting}").status == 204
        assert studio.get(f"/api/paintings/{painting}").status == 404

    def test_a_closed_page_frees_its_place(self, studio, picture):
        order = {"picture": picture["id"], "job": LONG, "attended": True}
        first, second = (studio.post("/api/paintings", order).json for _ in range(2))
        assert (second["state"], second["position"]) == ("queued", 1)
        with studio.following(second["id"]) as waiting:
            with studio.following(first["id"]) as happening:
                next(happening)
            began = time.monotonic()
            assert any(name == "state" and data["state"] == "running" for name, data in waiting)
            assert time.monotonic() - began < 4 + 4
        assert studio.get(f"/api/paintings/{first['id']}").json["state"] in ("stopped", "cancelled")
        studio.ask("DELETE", f"/api/paintings/{second['id']}")

    def test_a_region(self, studio, painting):
        packed = io.BytesIO()
        Image.fromarray(np.pad(np.full((32, 32), 255, np.uint8), 16)).resize((96, 64)).save(packed, "PNG")
        region = "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()
        job = {"strokes": 5, "preset": "draft"}
        order = {"picture": painting["picture"], "of": painting["id"], "region": region, "job": job}
        answer = studio.post("/api/paintings", order)
        assert answer.status == 202, answer.body
        record = studio.ended(answer.json["id"])
        assert (record["state"], record["of"], record["strokes"]) == (
            "done",
            painting["id"],
            painting["strokes"] + 5,
        )
        assert studio.post("/api/paintings", {**order, "region": "data:image/png;base64,!"}).status == 422
        assert studio.post("/api/paintings", {**order, "region": region[:60]}).status in (202, 422)

    @pytest.mark.parametrize(
        ("job", "about"),
        [
            ({"image": "/etc/passwd"}, "image"),
            ({"out": "/tmp"}, "out"),
            ({"guidance": "/etc/passwd"}, "guidance"),
            ({"mask": "/etc/passwd"}, "mask"),
            ({"style": "/etc/passwd"}, "style"),
            ({"style": "mine.toml"}, "style"),
            ({"brush": "/etc/passwd"}, "brush"),
            ({"palette": "/etc/passwd"}, "palette"),
            ({"pigments": "/etc/passwd"}, "pigments"),
            ({"palette_from": "/etc/passwd"}, "palette_from"),
            ({"background": "../../x.png"}, "background"),
            ({"start_canvas": "/etc/passwd"}, "start_canvas"),
            ({"agent": "/etc/passwd"}, "agent"),
            ({"device": "cuda"}, "device"),
            ({"formats": ["png"]}, "formats"),
            ({"colour": 1}, "colour"),
        ],
        ids=lambda value: str(value) if isinstance(value, str) else "",
    )
    def test_no_file_of_the_server_can_be_named(self, studio, picture, job, about):
        answer = studio.post("/api/paintings", {"picture": picture["id"], "job": job})
        assert (answer.status, about in answer.detail) == (422, True)
        assert "root:" not in answer.detail

    @pytest.mark.parametrize(
        ("order", "status", "about"),
        [
            ({}, 422, "picture is missing"),
            ({"picture": 7}, 422, "picture"),
            ({"picture": UNKNOWN}, 404, "picture"),
            ({"picture": UNKNOWN, "and": 1}, 422, "and"),
            ({"picture": UNKNOWN, "variation": {"number": 99}}, 422, "variation.number"),
            ([], 422, ""),
        ],
    )
    def test_an_order_that_is_none(self, studio, order, status, about):
        answer = studio.post("/api/paintings", order)
        assert (answer.status, about in answer.detail) == (status, True)

    @pytest.mark.parametrize(
        "text", ["{", "[" * 100_000, '{"picture": NaN}', '{"a": ' + "9" * 5000 + "}", "\xff"]
    )
    def test_what_is_no_json(self, studio, text):
        body = text.encode("latin-1")
        answer = studio.ask("POST", "/api/paintings", body, {"Content-Type": "application/json"})
        assert answer.status in (400, 422)
        assert answer.detail.endswith(".")


def opened(name: str, body: bytes) -> None:
    """Read a file with something that did not write it."""
    kind = name.rpartition(".")[2]
    if kind == "frames":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            assert archive.namelist() == [f"{number:06d}.png" for number in range(1, 7)]
            assert max(Image.open(archive.open("000006.png")).size) == 48
    elif kind in ("mp4", "webm", "mov", "mkv"):
        with av.open(io.BytesIO(body)) as film:
            assert sum(1 for _ in film.decode(video=0)) > 5
    elif kind in ("svg",):
        assert ElementTree.fromstring(body).tag.endswith("svg")
    elif kind == "json":
        assert json.loads(body)
    elif kind == "html":
        assert b"class Picture" in body
    else:
        seen = Image.open(io.BytesIO(body))
        seen.load()
        assert max(seen.size) == 48
        film = kind in ("gif", "apng") or name == "anim.webp"
        assert (getattr(seen, "n_frames", 1) > 1) == film


class TestFiles:
    @pytest.mark.parametrize("name", [name for name in EXPORTERS.shipped if name != "jpeg"])
    def test_every_format(self, studio, painting, name):
        film = "&duration=0.5&fps=12&film_size=48" if EXPORTERS.get(name).film else ""
        answer = studio.get(f"/api/paintings/{painting['id']}/files/{name}?size=48{film}")
        assert answer.status == 200, answer.body
        opened(name, answer.body)
        about = answer.headers["content-disposition"]
        assert about.startswith("attachment; filename")
        assert "Fr%C3%BChling" in about
        assert about.endswith("_frames.zip" if name == "frames" else f".{name}")

    @pytest.mark.parametrize(
        ("format", "query", "status"),
        [
            ("exe", "", 422),
            ("png", "size=99999", 422),
            ("png", "size=big", 422),
            ("png", "nothing=1", 422),
            ("png", "size=32&size=48", 422),
            ("png", "out=/tmp/x", 422),
            ("png", "mask=/etc/passwd", 422),
            ("png", "background=/etc/passwd", 422),
            ("png", "fps=12", 422),
        ],
    )
    def test_what_cannot_be_had(self, studio, painting, format, query, status):
        answer = studio.get(f"/api/paintings/{painting['id']}/files/{format}?{query}")
        assert (answer.status, bool(answer.detail)) == (status, True)

    def test_zip(self, studio, painting, temporary):
        answer = studio.post("/api/zip", {"paintings": [painting["id"]], "formats": ["png", "svg"]})
        assert answer.headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            assert archive.testzip() is None
            assert sorted(name.rpartition(".")[2] for name in archive.namelist()) == ["png", "svg"]
        deadline = time.monotonic() + 5  # and once it is sent it is gone
        while list(temporary.glob("semantic-guidance-*/*/paintings.zip")):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def test_a_project_opens_again(self, studio, painting):
        packed = studio.get(f"/api/paintings/{painting['id']}/project")
        assert "Park" in packed.headers["content-disposition"]
        assert packed.headers["content-disposition"].endswith(".painting")
        answer = studio.ask("POST", "/api/projects", packed.body)
        assert answer.status == 201, answer.body
        found = answer.json
        assert found["picture"]["id"] != painting["picture"]
        assert found["painting"]["id"] != painting["id"]
        assert found["job"]["strokes"] == 12
        first, second = (
            studio.get(f"/api/paintings/{id}/files/png").body
            for id in (painting["id"], found["painting"]["id"])
        )
        assert (np.asarray(Image.open(io.BytesIO(first))) == np.asarray(Image.open(io.BytesIO(second)))).all()
        assert studio.ask("POST", "/api/projects", b"nothing of the kind").status in (400, 415, 422)
        assert studio.ask("POST", "/api/projects", b"").status == 400
