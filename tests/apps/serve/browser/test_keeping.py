"""Keeping a painting: the compare slider, the replay, files, projects and links."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import Visitor

SVG = "{http://www.w3.org/2000/svg}"


def test_the_photograph_lies_over_the_left_part(painter: Visitor) -> None:
    painter.go("paint")
    painter.page.locator("#tab-paint").press("v")
    handle = painter.see("[role=slider].split")
    assert handle.get_attribute("aria-valuenow") == "50"
    half = painter.shot("#stage")
    handle.press("Home")
    painting = painter.shot("#stage")
    handle.press("End")
    photograph = painter.shot("#stage")
    middle, edge = half.shape[1] // 2, 60
    rows = slice(120, 300)  # between the button and the words in the corners
    assert np.abs(half[rows, : middle - edge] - photograph[rows, : middle - edge]).mean() < 1
    assert np.abs(half[rows, middle + edge : -edge] - painting[rows, middle + edge : -edge]).mean() < 1
    assert np.abs(photograph - painting).mean() > 5
    handle.press("ArrowLeft")
    assert handle.get_attribute("aria-valuenow") == "98"
    box = painter.see("#stage").bounding_box()
    painter.page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + 0.5 * box["height"])
    painter.page.mouse.down()
    painter.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    painter.page.mouse.up()
    assert handle.get_attribute("aria-valuenow") == "25"
    painter.page.click("#compare-toggle")
    assert painter.page.locator("#compare").is_hidden()


def drawn(painter: Visitor, count: int) -> np.ndarray:
    painter.page.wait_for_function(
        "n => document.querySelector('#layer-painting').dataset.drawn == n", arg=count
    )
    painter.page.wait_for_timeout(120)
    return painter.pixels()


def test_the_replay(painter: Visitor, tmp_path: Path) -> None:
    painter.go("keep")
    scrub, count = painter.see("#scrub"), painter.page.locator("#replay output")
    scrub.press("Home")
    assert count.text_content() == "0 / 40"
    blank = drawn(painter, 0)
    assert blank.std(axis=(0, 1)).max() < 1
    for _ in range(3):
        scrub.press("ArrowRight")
    scrub.press("Shift+ArrowRight")
    assert count.text_content() == "13 / 40"
    assert scrub.get_attribute("aria-valuetext") == "13 of 40 strokes"
    part = drawn(painter, 13)
    assert np.abs(part - blank).mean() > 3
    painter.page.click("#play")
    painter.page.wait_for_function("() => document.querySelector('#scrub').value > 15")
    painter.page.click("#play")
    scrub.press("End")
    whole = drawn(painter, 40)
    assert np.abs(whole - part).mean() > 1
    # What the browser draws is what the renderer draws: the brush lays its texture over that.
    flat = painter.page.evaluate(
        "id => fetch(`/api/paintings/${id}/files/png?brush=flat`).then((a) => a.arrayBuffer())"
        ".then((b) => [...new Uint8Array(b)])",
        painter.stored["current"],
    )
    (tmp_path / "flat.png").write_bytes(bytes(flat))
    with Image.open(tmp_path / "flat.png") as picture:
        rendered = np.asarray(picture.convert("RGB").resize((96, 96), Image.Resampling.BOX), dtype=np.float64)
    assert np.abs(whole - rendered).mean() < 3


def is_png(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (512, 339)


def is_svg(path: Path) -> None:
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    assert len(list(root.iter(f"{SVG}path"))) >= 40


def is_film(path: Path) -> None:
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)]
    assert len(frames) in (20, 21)
    assert np.abs(frames[0] - frames[-1]).mean() > 5


def is_strokes(path: Path) -> None:
    assert len(json.loads(path.read_text())["strokes"]) == 40


def is_project(path: Path) -> None:
    with zipfile.ZipFile(path) as project:
        names = project.namelist()
    assert {"guidance.json", "job.json", "strokes.json"} <= set(names)


def is_page(path: Path) -> None:
    assert "<canvas" in path.read_text()


@pytest.mark.parametrize(
    ("press", "name", "check"),
    [
        ("#download", "cat_painted.png", is_png),
        ("[data-format=svg]", "cat_painted.svg", is_svg),
        ("[data-format=mp4]", "cat_painted.mp4", is_film),
        ("[data-format=json]", "cat_painted.json", is_strokes),
        ("[data-format=html]", "cat_painted.html", is_page),
        ("#save-project", "cat.painting", is_project),
    ],
)
def test_files(
    painter: Visitor, tmp_path: Path, press: str, name: str, check: Callable[[Path], None]
) -> None:
    painter.go("keep")
    page = painter.page
    page.evaluate("document.querySelectorAll('#panel-keep details').forEach((part) => (part.open = true))")
    page.get_by_label("Length, in seconds").fill("1")
    page.get_by_label("Pictures per second").fill("20")
    path = painter.download(press, tmp_path)
    assert path.name == name
    check(path)


SHARED = """() => {
  navigator.canShare = () => true;
  navigator.share = async ({ files: [file] }) => {
    if (!navigator.userActivation.isActive) throw new DOMException("", "NotAllowedError");
    window.shared = [file.name, file.type, [...new Uint8Array(await file.arrayBuffer())].slice(1, 4)];
  };
}"""
"""A browser without a window shares nothing by itself."""


@pytest.mark.usefixtures("long")
def test_sharing(painter: Visitor) -> None:
    painter.page.add_init_script(f"({SHARED})()")
    painter.page.reload()
    painter.painted()
    painter.go("keep")
    painter.page.click("#share")
    painter.page.wait_for_function("() => window.shared")
    assert painter.page.evaluate("window.shared") == ["cat_painted.png", "image/png", list(b"PNG")]


@pytest.mark.usefixtures("long")
def test_every_format(painter: Visitor, tmp_path: Path) -> None:
    painter.go("keep")
    page = painter.page
    page.evaluate("document.querySelectorAll('#panel-keep details').forEach((part) => (part.open = true))")
    page.get_by_label("Length, in seconds").fill("1")
    found = page.locator(".format").evaluate_all("(rows) => rows.map((row) => row.dataset.format)")
    told = page.evaluate("fetch('/api/options').then((answer) => answer.json())")
    known = {each["name"] for each in told["formats"]}
    assert {*found, "png", "jpg", "jpeg", "webp"} == known
    for name in found:
        path = painter.download(f"[data-format='{name}']", tmp_path)
        assert path.name == ("cat_painted_frames.zip" if name == "frames" else f"cat_painted.{name}")
        assert path.stat().st_size > 500


def test_another_size_without_the_canvas(painter: Visitor, tmp_path: Path) -> None:
    painter.go("keep")
    page = painter.page
    page.check(".kinds [value=webp]")
    page.locator("#panel-keep select").first.select_option("own")
    page.get_by_label("Longer side, in pixels").first.fill("1")
    page.click("#download")
    assert "can be" in str(painter.see(".toast.problem p").text_content())
    page.click(".toast.problem button")
    page.get_by_label("Longer side, in pixels").first.fill("300")
    page.get_by_label("What is in it").select_option("painting")
    path = painter.download("#download", tmp_path)
    with Image.open(path) as picture:
        assert picture.format == "WEBP"
        assert max(picture.size) == 300
        assert picture.mode == "RGBA"
    page.locator("#panel-keep select").first.select_option("")
    page.get_by_label("What is in it").select_option("")
    page.check(".kinds [value=png]")


@pytest.mark.usefixtures("long")
def test_a_project_is_opened_again(painter: Visitor, tmp_path: Path) -> None:
    painter.go("keep")
    project = painter.download("#save-project", tmp_path)
    area, title, photo = painter.area(), painter.page.text_content("#title"), painter.pixels("#photo")
    first, painting = painter.stored["current"], painter.pixels()
    painter.come()
    painter.page.locator("#start input[accept*=painting]").set_input_files(project)
    painter.painted()
    assert painter.stored["current"] != first
    assert painter.page.locator("#replay output").text_content() == "40 / 40"
    assert painter.area() == pytest.approx(area, abs=0.01)
    assert painter.stored["settings"] == {"strokes": 40, "preset": "draft"}
    assert painter.page.text_content("#title") == title
    assert np.abs(painter.pixels("#photo") - photo).mean() < 2
    assert np.abs(painter.pixels() - painting).mean() < 1


def test_a_link_of_settings(painter: Visitor) -> None:
    painter.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    painter.go("keep")
    painter.page.click("#copy-link")
    painter.see(".toast:has-text('copied')")
    link = painter.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{painter.url}/#strokes=40&preset=draft"
    painter.set(strokes="90", style="pencil", seed="-3", agent="/etc/passwd", nonsense="1")
    assert painter.stored["settings"] == {"strokes": 90, "style": "pencil"}
    painter.see(".toast:has-text('seed, agent, nonsense')")
    painter.set(strokes=40, preset="draft")
