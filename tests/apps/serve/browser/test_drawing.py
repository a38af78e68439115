"""How paintings are drawn on the page, what can be asked of them, and their versions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.serve.browser.visitors import Visitor

pytestmark = pytest.mark.usefixtures("long")

DRAWN_TWICE = """async ([ends, masked]) => {
  const { Drawer } = await import('/page/canvas-worker.js');
  const disc = new OffscreenCanvas(60, 40), pen = disc.getContext('2d');
  pen.fillRect(0, 0, 60, 40);
  pen.fillStyle = '#fff';
  pen.arc(30, 20, 17, 0, 7);
  pen.fill();
  const bytes = new Uint8Array(await (await disc.convertToBlob()).arrayBuffer());
  const mask = 'data:image/png;base64,' + btoa(String.fromCharCode(...bytes));
  const part = (n, k) => ((n * (7 * k + 3) + 11 * k) % 53) / 53;
  const strokes = [];
  for (let n = 0; n < 120; n++) {
    const places = [0, 1, 2, 3, 4, 5].map((k) => part(n, k) * (k % 2 ? 0.66 : 1));
    const width = [0.01 + 0.04 * part(n, 6), 0.005 + 0.03 * part(n, 7)];
    strokes.push(...places, ...width, 0.9, 0.9, part(n, 8), part(n, 9), part(n, 10));
  }
  const data = btoa(String.fromCharCode(...new Uint8Array(Float32Array.from(strokes).buffer)));
  const under = masked ? 0 : null, compositing = 'over';
  const layers = [null, under, null].map((mask) => ({ count: 40, mask, ends, compositing }));
  const canvas = document.createElement('canvas'), seen = {};
  const drawer = new Drawer(canvas, ({ sharp, count }) => {
    if (count < 120) return;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    seen[sharp ? 'sharp' : 'rough'] = data;
  });
  drawer.receive({ kind: 'size', longest: 480 });
  const view = { width: 60, height: 40, background: [0.8, 0.7, 0.6], masks: [mask], layers, strokes: data };
  drawer.receive({ kind: 'view', data: view });
  while (!seen.sharp) await new Promise((done) => setTimeout(done, 20));
  let sum = 0;
  seen.sharp.forEach((value, k) => (sum += Math.abs(value - seen.rough[k])));
  return [sum / seen.sharp.length, canvas.width, canvas.height];
}"""
"""The mean difference of bytes between a painting drawn roughly and one drawn by the player, and its size."""


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("ends", ["round", "square", "filbert"])
def test_what_is_seen_while_it_is_painted_is_as_the_player_draws_it(
    painter: Visitor, ends: str, masked: bool
) -> None:
    difference, width, height = painter.page.evaluate(DRAWN_TWICE, [ends, masked])
    assert difference < 2.0
    assert (width, height) == (480, 320)


def job(person: Visitor) -> dict[str, Any]:
    return dict(person.page.evaluate("import('/page/controls.js').then(({ job }) => job())"))


def test_controls_offer_what_changes_something_in_a_style(painter: Visitor) -> None:
    painter.go("paint")
    page = painter.page
    page.locator("#panel-paint summary", has_text="Colours").press("Enter")
    page.get_by_label("Warmth", exact=True).press("ArrowRight")
    assert job(painter)["warmth"] == pytest.approx(0.05)
    page.locator(".cards input[value=alla-prima]").press("ArrowRight")
    assert job(painter)["style"] == "impressionist"
    page.locator(".cards input[value=pencil]").check(force=True)
    assert page.get_by_label("Warmth", exact=True).is_hidden()
    assert "warmth" not in job(painter)
    for _ in range(3):
        page.click("#undo")
    assert job(painter) == {"strokes": 40, "preset": "draft"}


def test_a_version_that_is_removed_can_be_taken_back(painter: Visitor) -> None:
    painter.go("paint")
    painter.page.locator(".thumb").last.focus()
    there = painter.stored["paintings"]
    painter.page.keyboard.press("Delete")
    assert painter.page.locator(".thumb").count() == len(there) - 1
    painter.page.click("button:has-text('Take back')")
    assert painter.page.locator(".thumb").count() == len(there)
    assert painter.stored["current"] == there[-1]
    painter.painted()
