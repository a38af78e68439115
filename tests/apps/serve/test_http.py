"""From a photograph to its files, over HTTP."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import time
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.core.plugins import EXPORTERS
from tests.apps.serve.serving import Served

UNKNOWN = "0123456789abcdefghijklmn"
SMALL = {"strokes": 12, "size": 64, "preset": "draft", "opaque": True, "pigments": "tubes", "paper": "a6"}
LONG = {"strokes": 2000, "size": 256, "preset": "fine", "style": "likeness"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def picture(studio: Served) -> dict:
    """A photograph that was sent: a light disc before a gradient, 96 x 64, with a name of its own."""
    y, x = np.mgrid[:64, :96]
    pixels = np.stack([x * 2, y * 3, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - 48) ** 2 + (y - 32) ** 2 < 300] = 240
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "JPEG", quality=95)
    answer = studio.send(packed.getvalue(), "Fr%C3%BChling%20im%20%22Park%22.jpg")
    assert answer.status == 201
    assert answer.headers["location"] == f"/api/pictures/{answer.json['id']}"
    return answer.json


@pytest.fixture(scope="module")
def painting(studio: Served, picture: dict) -> dict:
    """A small painting of it that is done, of which every kind of file can be had."""
    order = studio.post("/api/paintings", {"picture": picture["id"], "job": SMALL})
    assert order.status == 202
    assert order.headers["location"] == f"/api/paintings/{order.json['id']}"
    record = studio.ended(order.json["id"])
    assert record["state"] == "done", record
    return record


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG file that says it has that size."""
    chunks = b""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunks


def gif(width: int, height: int) -> bytes:
    """A GIF file that says it has that size."""
    return (
        b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
        b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02\x02\x44\x01\0;"
    )


class TestPictures:
    def test_what_is_told(self, studio, picture):
        assert (picture["name"], picture["width"], picture["height"]) == ('Frühling im "Park".jpg', 96, 64)
        assert len(picture["id"]) >= 24
        assert studio.get(f"/api/pictures/{picture['id']}").json == picture
        seen = studio.get(picture["preview"])
        assert seen.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(seen.body)).size == (96, 64)

    def test_examples(self, studio):
        found = studio.get("/api/examples").json
        assert len(found) >= 3
        for each in found:
            answer = studio.get(each["url"])
            assert len(answer.body) <= 60_000
            assert max(Image.open(io.BytesIO(answer.body)).size) <= 640
            assert each["credit"]
        sent = studio.ask("POST", f"/api/pictures?example={found[0]['name']}")
        assert (sent.status, sent.json["name"]) == (201, f"{found[0]['name']}.jpg")
        assert studio.ask("POST", "/api/pictures?example=..%2fguard").status == 404

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"just a text", 415),
            (b"<!doctype html><script>alert(1)</script>", 415),
            (SVG, 415),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415),
            (b"PK\x03\x04" + bytes(60), 415),
            (png(60_000, 60_000, zlib.compress(bytes(1000))), 413),
            (png(40, 40, zlib.compress(bytes(100))), 415),
            (gif(60_000, 60_000), 413),
        ],
        ids=["nothing", "text", "html", "svg", "eps", "zip", "png-bomb", "png-cut", "gif-bomb"],
    )
    def test_bad_ones_are_refused_in_a_sentence(self, studio, body, status):
        answer = studio.send(body, "holiday.jpg")
        assert answer.status in (status, 415 if status == 413 else status), answer.body
        assert answer.detail[0].isupper() or answer.detail.startswith("holiday.jpg")
        assert answer.detail.endswith(".")
        assert len(answer.detail) < 200
        assert not any(word in answer.detail for word in ("Traceback", "/tmp", "Error"))

    def test_half_a_jpeg(self, studio, picture):
        whole = studio.get("/api/examples/chelsea").body
        assert studio.send(whole[: len(whole) // 2]).status == 415

    def test_a_form_is_told_what_is_wanted(self, studio):
        answer = studio.ask(
            "POST", "/api/pictures", b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert (answer.status, "bytes" in answer.detail) == (415, True)

    def test_looking(self, studio, picture):
        path = f"/api/pictures/{picture['id']}/look"
        found = studio.post(path, {"whole": True}).json
        assert (found["format"], found["width"], found["height"]) == ("semantic-guidance/guidance", 96, 64)
        assert found["focus"].startswith("data:image/png;base64,")
        y, x = np.mgrid[:64, :96]
        true = (x - 48) ** 2 + (y - 32) ** 2 < 300
        for question, least in (({"points": [[48, 32, True]]}, 0.8), ({"rough": True}, 0.5)):
            (disc,) = (answer := studio.post(path, question).json)["instances"]
            assert "focus" not in answer
            mask = Image.open(io.BytesIO(base64.b64decode(disc["mask"].partition(",")[2])))
            covered = np.asarray(mask.resize((96, 64))) > 127
            assert (covered & true).sum() / (covered | true).sum() > least

    @pytest.mark.parametrize(
        ("question", "about"),
        [
            ({"points": [[1, 2]]}, "points.0"),
            ({"points": [[1, 2, 1]]}, "points.0"),
            ({"points": [[10**400, 2, True]]}, "points.0"),
            ({"boxes": [[1, 2, 10**400, 4]]}, "boxes.0"),
            ({"boxes": [[1, 2, 0, 4]]}, "boxes.0"),
            ({"where": "here"}, "where"),
            ({"text": 7}, "text"),
            ({"whole": "yes"}, "whole"),
            ({"guidance": {"instances": [{"mask": "../../etc/passwd.png"}]}}, "mask"),
        ],
    )
    def test_a_question_that_is_none(self, studio, picture, question, about):
        answer = studio.post(f"/api/pictures/{picture['id']}/look", question)
        assert (answer.status, about in answer.detail) == (422, True)


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


class TestStrangers:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/pictures/{}"),
            ("GET", "/api/pictures/{}/preview"),
            ("GET", "/api/paintings/{}"),
            ("GET", "/api/paintings/{}/events"),
            ("GET", "/api/paintings/{}/view"),
            ("GET", "/api/paintings/{}/thumbnail"),
            ("GET", "/api/paintings/{}/project"),
            ("GET", "/api/paintings/{}/files/png"),
            ("POST", "/api/paintings/{}/stop"),
            ("DELETE", "/api/paintings/{}"),
        ],
    )
    @pytest.mark.parametrize("id", [UNKNOWN, "x", "%00", "a" * 3000])
    def test_what_one_cannot_guess_is_not_there(self, studio, method, path, id):
        answer = studio.ask(method, path.format(id))
        assert (answer.status, bool(answer.detail)) == (404, True)

    def test_nothing_is_listed(self, studio, picture, painting):
        for path in ("/api/pictures", "/api/paintings", "/api/pictures/", "/api/paintings/"):
            assert studio.get(path).status in (404, 405)
        assert studio.post("/api/zip", {"paintings": [UNKNOWN]}).status == 404
        said = studio.get("/api/health").body + studio.get("/api/options").body
        assert picture["id"].encode() not in said
        assert painting["id"].encode() not in said


def opened(name: str, body: bytes) -> None:
    """Read a file with something that did not write it."""
    kind = name.rpartition(".")[2]
    if kind in ("mp4", "webm"):
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
        film = "&duration=0.5&fps=12" if EXPORTERS.get(name).film else ""
        answer = studio.get(f"/api/paintings/{painting['id']}/files/{name}?size=48{film}")
        assert answer.status == 200, answer.body
        opened(name, answer.body)
        about = answer.headers["content-disposition"]
        assert about.startswith("attachment; filename")
        assert "Fr%C3%BChling" in about
        assert about.endswith(f".{name}")

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


class TestPage:
    def test_its_files_are_packed_and_known_again(self, studio):
        plain = studio.get("/page/strokes.js")
        assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
        assert plain.body.endswith(b"export { Picture };\n")
        packed = studio.get("/page/strokes.js", Accept_Encoding="br, gzip;q=0.8")
        assert packed.headers["content-encoding"] == "gzip"
        assert zlib.decompress(packed.body, 31) == plain.body
        for answer in (plain, packed):
            coding = {"Accept_Encoding": "gzip"} if answer is packed else {}
            again = studio.get("/page/strokes.js", If_None_Match=answer.headers["etag"], **coding)
            assert (again.status, again.body) == (304, b"")
        refused = studio.get("/page/strokes.js", Accept_Encoding="gzip;q=0")
        assert "content-encoding" not in refused.headers

    def test_the_player_draws_as_the_page_does(self, studio):
        source = Path(__file__).parents[3] / "semantic_guidance" / "export" / "html" / "strokes.js"
        assert studio.get("/page/strokes.js").body.startswith(source.read_bytes())

    def test_all_that_it_names_is_there(self, studio):
        page = studio.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        named = re.findall(r'(?:src|href)="(/[^"]+)"', page.body.decode())
        assert len(named) >= 3
        types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        for path in named:
            answer = studio.get(path)
            assert answer.status == 200, path
            assert answer.headers["content-type"].startswith(types[path.rpartition(".")[2]])

    def test_it_has_no_code_that_the_policy_would_stop(self, studio):
        page = studio.get("/").body.decode()
        assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
        assert "//" not in page.replace("<!doctype html>", "")
