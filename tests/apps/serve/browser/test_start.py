"""Ways into the page, and correcting what was found in a picture; all of a session with keys alone."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import Visitor

GIVEN = """([kind, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), given = new DataTransfer();
  given.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const made = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true });
  document.body.dispatchEvent(made);
}"""


def give(guest: Visitor, kind: str, photo: Path) -> None:
    data = base64.b64encode(photo.read_bytes()).decode()
    guest.page.evaluate(GIVEN, [kind, photo.name, data])


@pytest.mark.usefixtures("long")
def test_ways_in(guest: Visitor, cat: Path) -> None:
    for way, shown in (("drop", "cat.jpg"), ("paste", "Pasted picture")):
        give(guest, way, cat)
        guest.page.wait_for_function(
            "shown => document.getElementById('title').textContent === shown", arg=shown
        )
        guest.see("#stage #photo")
        guest.guided()
        assert guest.page.locator("#panel-guide .found").count() >= 1
        guest.page.click("#new")
    guest.page.locator(".shelf .card", has_text="rocket").click()
    guest.see("#stage #photo")
    assert "rocket" in str(guest.page.text_content("#title"))
    guest.guided()


def test_what_is_no_picture_gets_a_sentence_and_what_is_found_in_one_can_be_corrected(
    guest: Visitor, cat: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(b"This is no picture.")
    give(guest, "drop", bad)
    told = str(guest.see(".toast.problem p").text_content())
    assert "holiday.jpg" in told
    assert told.endswith(".")
    assert "Error" not in told
    assert guest.page.locator("#work").is_hidden()
    assert [line.rpartition(" ")[2] for line in guest.trouble] == ["/api/pictures"]
    guest.trouble.clear()
    give(guest, "drop", cat)
    guest.see("#stage #photo")
    guest.guided()
    found = guest.page.locator("#panel-guide .found")
    count = found.count()
    assert count >= 1
    area = guest.area()
    assert area > 0.2
    assert np.abs(guest.pixels("#layer-veil") - guest.pixels("#photo")).mean() > 3
    # A click on the cat takes it away, and undoing brings it back.
    box = guest.see("#stage").bounding_box()
    guest.page.mouse.click(box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"])
    guest.page.wait_for_function(
        "n => document.querySelectorAll('#panel-guide .found').length < n", arg=count
    )
    assert guest.area() < area
    guest.page.keyboard.press("Control+z")
    guest.page.wait_for_function(
        "n => document.querySelectorAll('#panel-guide .found').length === n", arg=count
    )
    assert guest.area() == area
    # The brush takes a corner away, and puts it back.
    for key, sign in (("e", -1), ("b", 1)):
        before = guest.area()
        guest.page.keyboard.press(key)
        guest.drag((0.4, 0.4), (0.5, 0.6))
        guest.page.wait_for_timeout(50)
        assert sign * (guest.area() - before) > 0.005
    guest.page.click("#undo")
    guest.page.click("#undo")
    assert guest.area() == area


def tabbed(guest: Visitor, selector: str) -> None:
    """Press Tab until something is focused that a person can see is."""
    for _ in range(60):
        guest.page.keyboard.press("Tab")
        if guest.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            ring = guest.page.evaluate(
                "() => { const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);"
                " return outlineStyle !== 'none' && parseFloat(outlineWidth) > 1; }"
            )
            assert ring, selector
            return
    raise AssertionError(f"Tab does not come to {selector}")


@pytest.mark.usefixtures("long")
def test_with_keys_alone(guest: Visitor, tmp_path: Path) -> None:
    guest.set(preset="draft", size=256)
    keyboard = guest.page.keyboard
    tabbed(guest, ".shelf .card")
    keyboard.press("Enter")
    guest.see("#stage #photo")
    guest.guided()
    tabbed(guest, "#tab-guide")
    keyboard.press("ArrowRight")
    assert guest.stored["mode"] == "paint"
    tabbed(guest, "input.exact")
    keyboard.press("Control+a")
    keyboard.type("30")
    tabbed(guest, "#paint")
    keyboard.press("Enter")
    guest.painted()
    for _ in range(80):
        keyboard.press("Shift+Tab")
        if guest.page.evaluate("document.activeElement.id") == "tab-paint":
            break
    keyboard.press("ArrowRight")
    assert guest.stored["mode"] == "keep"
    tabbed(guest, "#download")
    with guest.page.expect_download() as coming:
        keyboard.press("Enter")
    coming.value.save_as(tmp_path / "painted.png")
    with Image.open(tmp_path / "painted.png") as picture:
        assert picture.format == "PNG"
