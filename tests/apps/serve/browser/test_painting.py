"""Painting on the page: strokes as they come, to two at once; Stop, a page loaded again, regions."""

from __future__ import annotations

import json
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import WATCH, Visitor
from tests.conftest import EXAMPLES

FIRST_VIEW = 200_000  # bytes
IDLE = 5.0  # seconds; a test's bound on a busy machine: what is promised is one


def health(guest: Visitor) -> dict[str, Any]:
    with urllib.request.urlopen(f"{guest.url}/api/health") as answer:
        return dict(json.load(answer))


def test_two_paint_at_once_one_of_them_with_a_phone(
    guest: Visitor, phone: Visitor, cat: Path, tmp_path: Path
) -> None:
    # What somebody sees who has never been here is small, and all of this house.
    phone.page.wait_for_load_state("networkidle")
    assert sum(phone.weights.values()) < FIRST_VIEW
    assert phone.strangers() == []
    assert phone.page.context.cookies() == []
    assert guest.shot().mean() > phone.shot().mean() + 80
    found = {"start": checked(phone)}
    rocket = tmp_path / "rocket.jpg"
    with Image.open(EXAMPLES / "rocket.jpg") as photo:
        photo.resize((160, 107)).save(rocket)
    guest.page.emulate_media(reduced_motion="no-preference")
    for person, photograph, preset in ((guest, cat, "standard"), (phone, rocket, "draft")):
        person.set(strokes=60, size=256, preset=preset)
        person.open(photograph)
        person.guided()
    found["guide"] = checked(phone)
    guest.go("paint")
    guest.page.evaluate(WATCH)
    guest.paint()
    assert guest.see("[role=progressbar]").get_attribute("aria-label")
    phone.go("paint")
    phone.page.tap("#paint")
    for person in (guest, phone):
        person.painted()
        photo = person.pixels("#photo")
        # It looks like its photograph, more than a canvas of one colour does.
        plain = np.abs(photo.mean(axis=(0, 1)) - photo).mean()
        assert np.abs(person.pixels() - photo).mean() < 0.8 * plain
        assert person.page.locator("#strip .thumb").count() == 1
    assert sum(look["busy"] for look in guest.page.evaluate("window.looks")) >= 3
    ids = [{person.stored["picture"], *person.stored["paintings"]} for person in (guest, phone)]
    assert not ids[0] & ids[1]
    assert not any(name in url for url in phone.asked for name in ids[0])
    for mode in ("paint", "keep"):
        phone.go(mode)
        phone.page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
        found[mode] = checked(phone)
    assert found == {mode: (False, [], []) for mode in found}
    guest.page.emulate_media(reduced_motion="reduce")


def checked(person: Visitor) -> tuple[bool, list[str], list[str]]:
    """What is amiss on a phone: whether it is too wide, what is too small, and what has no name."""
    return person.too_wide(), person.too_small(), person.nameless()


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
    guest.page.reload()
    guest.page.wait_for_selector("body[data-ready]")
    guest.page.wait_for_selector("body[data-painting]")
    guest.page.wait_for_function("() => document.querySelector('#layer-painting').dataset.drawn > 0")
    assert guest.stored["running"] == [running]
    assert guest.page.locator(".found").count() == found
    assert guest.area() == pytest.approx(area, abs=0.002)
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


@pytest.mark.usefixtures("long")
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
