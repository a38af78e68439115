"""The page that replays a painting: what is in the file, and what Chromium makes of it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.definition import FILBERT
from tests.chromium import PROGRAM, Page, chromium

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium (apt-get install chromium)")


def data_of(path: Path) -> dict:
    return json.loads(re.search(r'type="application/json">(.*?)</script>', path.read_text(), re.S)[1])


@pytest.fixture
def page_file(painting: Painting, tmp_path: Path) -> Path:
    photo = torch.nn.functional.avg_pool2d(painting.canvas, 5, 1, 2)
    actor = Layer(painting.layers[0].strokes[:6], "foreground", 0, 0, "seed")
    start = torch.linspace(0, 1, 96).expand(3, 64, 96).mul(255).round() / 255
    kinds = zip((*painting.layers, actor), ("square", "filbert", "round", "square"), strict=True)
    layers = tuple(replace(layer, ends=ends) for layer, ends in kinds)
    painting = replace(painting, photo=photo, start=start, layers=layers)
    painting.save(tmp_path / "a.html")
    Image.fromarray(to_bytes(painting.canvas)).save(tmp_path / "a.png")
    return tmp_path / "a.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_the_file_holds_the_painting_and_nothing_from_elsewhere(painting, tmp_path):
    name = tmp_path / "<b> &amp; <!--.html"
    painting.save(name)
    text = name.read_text()
    assert not re.search(r"https?:|//[a-z]+\.|@import|fetch\(|XMLHttpRequest|WebSocket", text)
    assert "default-src 'none'" in text
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)
            assert not any(key in ("src", "href") for key, _ in attrs)

    Reader().feed(text)
    assert opened.count("script") == 2
    assert "b" not in opened  # of the file's name
    data = data_of(name)
    strokes = np.frombuffer(base64.b64decode(data["strokes"]), "<f4").reshape(-1, 13)
    assert np.array_equal(strokes, painting.strokes.pack()[0].numpy())
    assert [layer["count"] for layer in data["layers"]] == [20, 12, 5]
    assert data["photo"] is None
    assert data["objects"] == [{"mask": 0, "box": [20, 18, 60, 30]}]
    assert len(data["masks"]) == 2
    assert sum(count for count, _ in data["pace"]) == 37


def test_the_player_knows_how_far_ends_reach():
    code = (files("semantic_guidance.export.html") / "strokes.js").read_text()
    assert float(re.search(r"FILBERT = ([\d.]+)", code)[1]) == pytest.approx(FILBERT, rel=1e-15)


def shown_by(browser: Page, path: Path, *strokes: int) -> np.ndarray:
    """What a page's canvas shows, ``[H, W, 3]`` in bytes, once it has gone to these numbers of strokes."""
    browser.open(path, 900, 700)
    browser.wait("document.body.dataset.ready !== undefined")
    for count in strokes:
        browser.run(f"seek({count})")
        browser.wait(f"document.body.dataset.drawn == {count}")
    url = browser.run("document.getElementById('painting').toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"), float)


@needs_chromium
def test_the_canvas_is_ours(browser, page_file):
    shown = shown_by(browser, page_file, 43, 21, 43)  # there, back, and there again over a kept canvas
    ours = np.array(Image.open(page_file.with_suffix(".png")), float)
    assert 10 * np.log10(255**2 / ((shown - ours) ** 2).mean()) > 50


@needs_chromium
@pytest.mark.parametrize("started", [True, False])
def test_the_canvas_is_ours_under_a_cover(browser, painting, tmp_path, started):
    """No byte off by more than one; canvas and what is beyond are of one colour, or pictures."""
    cover = (torch.linspace(1, 0, 96) * 255).round().div(255).expand(1, 64, 96).contiguous()
    start = torch.linspace(0, 1, 96).expand(3, 64, 96).mul(255).round() / 255 if started else None
    beyond = (0.9, 0.5, 0.1) if start is None else start.flip(2)
    covered = replace(painting, cover=cover, start=start, beyond=beyond)
    covered.save(tmp_path / "a.html")
    shown = shown_by(browser, tmp_path / "a.html", 37, 5, 37)
    assert np.abs(shown - to_bytes(covered.canvas)).max() <= 1


@needs_chromium
def test_a_person_at_the_keyboard(browser, page_file):
    browser.open(page_file, 900, 700)
    browser.wait("document.body.dataset.ready !== undefined")
    browser.key("Home")
    browser.wait("document.body.dataset.drawn == 0 && !playing")
    browser.key("ArrowRight")
    browser.key("ArrowRight", shift=True)
    browser.wait("document.getElementById('count').textContent == '11 / 43'")
    browser.key(" ")
    browser.wait("playing && drawn > 12")
    browser.key(" ")
    assert not browser.run("playing")
    browser.key("End")
    browser.wait("document.body.dataset.drawn == 43")
    labels = []
    for _ in range(13):
        browser.key("Tab")
        labels.append(browser.run("document.activeElement.ariaLabel || document.activeElement.textContent"))
    speeds = ["½×", "1×", "2×", "4×"]
    layers = ["Background", "Object", "Brush", "Mask", "Box", "Photograph"]
    assert labels[:12] == ["Play again", "Strokes on the canvas", *speeds, *layers]
    assert not any(event.get("method") == "Runtime.exceptionThrown" for event in browser.events)


@needs_chromium
def test_layers(browser, page_file):
    browser.open(page_file, 900, 700)
    browser.wait("document.body.dataset.ready !== undefined")
    browser.run("seek(total)")
    pixel = "[...document.getElementById({!r}).getContext('2d').getImageData({}, {}, 1, 1).data]"
    for layer in ("background", "foreground"):
        browser.run(f"document.querySelector('[data-layer={layer}]').click()")
    browser.wait("document.body.dataset.drawn == 43")
    assert browser.run(pixel.format("painting", 50, 30)) == [134, 134, 134, 255]  # the empty canvas
    for layer in ("masks", "boxes"):
        browser.run(f"document.querySelector('[data-layer={layer}]').click()")
    browser.wait("shown.boxes && brushAt === 0")
    assert browser.run(pixel.format("overlay", 50, 30))[3] == 0  # the object shows
    assert browser.run(pixel.format("overlay", 5, 60))[3] > 150  # the rest is veiled
    assert browser.run(pixel.format("overlay", 50, 18))[:3] == [255, 217, 26]


@needs_chromium
def test_a_textured_painting_appears_at_the_end(browser, painting, tmp_path):
    replace(painting, brush=Brush("oil")).save(tmp_path / "a.html")
    browser.open(tmp_path / "a.html", 900, 700)
    browser.wait("document.body.dataset.ready !== undefined")
    browser.run("seek(20)")
    said = browser.run("document.getElementById('summary').textContent")
    assert said.endswith("They are drawn flat; the oil brush's texture appears with the last one.")
    seen = "getComputedStyle(document.getElementById('finish')).opacity"
    browser.wait(f"{seen} == 0")
    browser.run("seek(total)")
    browser.wait(f"{seen} == 1")
    browser.run("document.querySelector('[data-layer=finish]').click()")
    browser.wait(f"{seen} == 0")


@needs_chromium
def test_on_a_phone(browser, page_file):
    browser.open(page_file, 390, 844, scale=2, touch=True)
    browser.wait("document.body.dataset.ready !== undefined")
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("[...document.querySelectorAll('button')].every(b => b.offsetHeight >= 44)")
    place = (
        "(() => {{ const b = document.querySelector({!r}).getBoundingClientRect();"
        "return [b.x + b.width * {}, b.y + b.height / 2]; }})()"
    )
    browser.tap(*browser.run(place.format("#play", 0.5)))
    browser.wait("!playing")
    browser.tap(*browser.run(place.format("#scrub", 0.5)))
    browser.wait("Math.abs(target - total / 2) < 4")
    browser.tap(*browser.run(place.format("[data-layer=photo]", 0.5)))
    browser.wait("!document.getElementById('split').hidden")
    x, y = browser.run(place.format("#split", 0.5))
    for kind, to in (("touchStart", x), ("touchMove", x + 60), ("touchMove", x + 97.5), ("touchEnd", None)):
        points = [] if to is None else [{"x": to, "y": y}]
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    assert abs(int(browser.run("document.getElementById('split').ariaValueNow")) - 77) < 3


@needs_chromium
def test_nothing_is_fetched(browser, page_file):
    browser.events.clear()
    browser.open(page_file, 900, 700)
    browser.wait("document.body.dataset.ready !== undefined")
    asked = [
        e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
