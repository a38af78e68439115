"""Photographs that are sent, the page, and what strangers get, over HTTP."""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

UNKNOWN = "0123456789abcdefghijklmn"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


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
