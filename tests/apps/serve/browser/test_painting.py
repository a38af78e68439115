"""Painting on the page: strokes as they come, Stop, a page loaded again, regions, variations, others."""

from __future__ import annotations

import json
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import WATCH, Visitor, visitor
from tests.conftest import EXAMPLES

IDLE = 5.0  # seconds; a test's bound on a busy machine: what is promised is one


def health(guest: Visitor) -> dict[str, Any]:
    with urllib.request.urlopen(f"{guest.url}/api/health") as answer:
        return dict(json.load(answer))


@pytest.fixture
def other(browser: Any, studio_url: str) -> Iterator[Visitor]:
    """Somebody else, who has just come."""
    person = visitor(browser, studio_url)
    person.come()
    yield person
    trouble = person.trouble
    person.leave()
    assert trouble == []


def test_strokes_are_seen_while_it_is_painted(guest: Visitor, cat: Path) -> None:
    guest.set(strokes=120, size=256)
    guest.open(cat)
    guest.guided()
    guest.go("paint")
    guest.page.evaluate(WATCH)
    guest.paint()
    bar = guest.see("[role=progressbar]")
    assert bar.get_attribute("aria-label")
    guest.painted()
    looks = guest.page.evaluate("window.looks")
    assert sum(look["busy"] for look in looks) >= 3
    # The finished painting looks like the photograph, more than a canvas of one colour does.
    photo, painted = guest.pixels("#photo"), guest.pixels()
    assert np.abs(painted - photo).mean() < 0.6 * np.abs(photo.mean(axis=(0, 1)) - photo).mean()


def test_a_page_loaded_again_finds_its_painting_which_stop_ends(guest: Visitor, cat: Path) -> None:
    guest.set(strokes=1500, seed=7)
    guest.open(cat)
    guest.guided()
    found = guest.page.locator(".found").count()
    guest.page.keyboard.press("e")
    guest.drag((0.4, 0.4), (0.5, 0.6))
    area = guest.area()
    guest.page.wait_for_timeout(600)  # until it is remembered
    guest.paint()
    guest.page.wait_for_function("() => document.querySelector('#layer-painting').dataset.drawn > 0")
    (running,) = guest.stored["running"]
    guest.asked.clear()
    guest.page.reload()
    guest.page.wait_for_selector("body[data-ready]")
    guest.page.wait_for_selector("body[data-painting]")
    guest.page.wait_for_function("() => document.querySelector('#layer-painting').dataset.drawn > 0")
    assert guest.stored["running"] == [running]
    assert guest.page.locator(".found").count() == found
    assert guest.area() == pytest.approx(area, abs=0.002)
    assert not [url for url in guest.asked if url.endswith("/look")]
    assert guest.page.locator("input.exact").input_value() == "1500"
    began = time.monotonic()
    guest.page.click("#paint")
    guest.page.wait_for_selector("body:not([data-painting])")
    while health(guest)["running"]:
        time.sleep(0.02)
    assert time.monotonic() - began < IDLE
    guest.see("#replay")
    assert guest.stored["current"] == running
    done = int(guest.page.locator("#scrub").get_attribute("max") or 0)
    assert 0 < done <= 1500


def png(guest: Visitor, painting: str, folder: Path) -> np.ndarray:
    path = folder / f"{painting}.png"
    with urllib.request.urlopen(f"{guest.url}/api/paintings/{painting}/files/png") as answer:
        path.write_bytes(answer.read())
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)


def test_more_strokes_in_a_region(painter: Visitor, tmp_path: Path) -> None:
    painter.go("paint")
    before = painter.stored["current"]
    painter.page.click("button[aria-keyshortcuts=R]")
    painter.see("#region-form")
    painter.drag((0.2, 0.25), (0.3, 0.35))
    painter.page.locator("#region-form input[type=range]").last.press("Home")
    painter.page.click("#paint")
    painter.page.wait_for_function("was => JSON.parse(sessionStorage.studio).current !== was", arg=before)
    painter.painted()
    after = painter.stored["current"]
    assert len(painter.stored["paintings"]) == 2
    old, new = (png(painter, each, tmp_path) for each in (before, after))
    change = np.abs(new - old).max(axis=2)
    height, width = change.shape
    inside = change[int(0.2 * height) : int(0.4 * height), int(0.15 * width) : int(0.35 * width)]
    assert (inside > 8).mean() > 0.005
    assert change[:, width // 2 :].max() <= 1
    assert change[height // 2 :].max() <= 1


def test_four_variations_of_which_one_is_chosen(painter: Visitor, tmp_path: Path) -> None:
    painter.go("paint")
    count = len(painter.stored["paintings"])
    painter.page.click("button:has-text('Four variations')")
    painter.page.wait_for_selector(".variation.done >> nth=3")
    assert painter.page.locator(".variation").count() == 4
    looks = [painter.page.locator(".variation canvas").nth(n).screenshot() for n in range(4)]
    assert len(set(looks)) == 4
    painter.page.locator(".variation").nth(2).click()
    painter.see("#replay")
    assert painter.page.locator(".variation").count() == 0
    assert len(painter.stored["paintings"]) == count + 4
    assert painter.stored["settings"] != {"strokes": 40, "preset": "draft"}
    painter.go("keep")
    with zipfile.ZipFile(painter.download("#save-versions", tmp_path)) as versions:
        assert len(versions.namelist()) == count + 4
        for name in versions.namelist():
            with versions.open(name) as file, Image.open(file) as picture:
                assert picture.format == "PNG"


def test_visitors_do_not_see_each_other(guest: Visitor, other: Visitor, cat: Path, tmp_path: Path) -> None:
    rocket = tmp_path / "rocket.jpg"
    with Image.open(EXAMPLES / "rocket.jpg") as photo:
        photo.resize((160, 107)).save(rocket)
    for person, photograph in ((guest, cat), (other, rocket)):
        person.set(strokes=60, size=256, preset="draft")
        person.open(photograph)
        person.guided()
    guest.paint()
    other.paint()
    for person in (guest, other):
        person.painted()
        assert len(person.stored["paintings"]) == 1
        photo = person.pixels("#photo")
        assert np.abs(person.pixels() - photo).mean() < np.abs(photo.mean(axis=(0, 1)) - photo).mean()
    ids = [{person.stored["picture"], *person.stored["paintings"]} for person in (guest, other)]
    assert not ids[0] & ids[1]
    assert not any(name in url for url in other.asked for name in ids[0])
    assert other.page.locator("#strip .thumb").count() == 1
