"""Takes pictures of the studio in all its states, and films a session (python docs/make_studio_pictures.py).

Needs the extras ``web`` and ``dev``, and Chromium. States are ``NAME-WINDOW-SCHEME.png`` in a folder, to be
looked at; `--film` writes ``session.mp4`` and ``session.gif`` there, too. `--readme` makes the pictures of
the README of those that are there.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = Path(__file__).parent / "pictures"
PHONE, GAP = (390, 844), 20
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--force-color-profile=srgb"]
WINDOWS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}, "device_scale_factor": 1},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
SCHEMES = ("light", "dark")
FILM = {"width": 1280, "height": 800}
RATE, GIF_RATE, GIF_WIDTH = 15, 3, 560

POINTER = """() => {
  const ring = document.createElement('div');
  ring.id = 'film-pointer';
  ring.setAttribute('aria-hidden', 'true');
  Object.assign(ring.style, {
    position: 'fixed', left: '0', top: '0', width: '1.5rem', height: '1.5rem', margin: '-.75rem', zIndex: 999,
    borderRadius: '50%', border: '3px solid #fff', background: 'rgb(156 74 37 / .75)', pointerEvents: 'none',
    boxShadow: '0 1px 6px rgb(0 0 0 / .6)',
  });
  document.body.append(ring);
  addEventListener('pointermove', ({ clientX, clientY }) => {
    ring.style.transform = `translate(${clientX}px, ${clientY}px)`;
  }, true);
}"""
"""Shows where the pointer is, which a browser without a window does not."""


@contextlib.contextmanager
def studio() -> Iterator[str]:
    """The address of a studio, while the block runs."""
    command = [sys.executable, "-m", "semantic_guidance", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()


def opened(page: Any, url: str) -> None:
    """The page with a photograph whose guidance is known."""
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.locator("#start input[type=file]").first.set_input_files(EXAMPLES / "astronaut.jpg")
    page.wait_for_selector("#panel-guide .found")
    page.wait_for_selector("#panel-guide .telling:not(.busy)")


def painted(page: Any) -> None:
    """Waits until the painting is done and seen whole."""
    page.wait_for_selector("body:not([data-painting])", timeout=180_000)
    page.wait_for_selector("#replay:not([hidden])")
    page.wait_for_timeout(1500)


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture, in shares of its sides, is in the window."""
    box = page.locator("#stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Any, *places: tuple[float, float], steps: int = 12) -> None:
    """Draws over the picture."""
    first, *rest = (place(page, *each) for each in places)
    page.mouse.move(*first, steps=steps)
    page.mouse.down()
    for each in rest:
        page.mouse.move(*each, steps=steps)
    page.mouse.up()


def states(page: Any, url: str) -> Iterator[str]:
    """Brings the page from state to state, and tells their names."""
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_load_state("networkidle")
    yield "start"
    bad = {"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"This is no picture."}
    page.locator("#start input[type=file]").first.set_input_files(bad)
    page.wait_for_selector(".toast.problem")
    yield "refused"
    opened(page, url)
    page.wait_for_timeout(1200)
    yield "guide"
    page.keyboard.press("b")
    drag(page, (0.3, 0.4), (0.4, 0.5))
    page.wait_for_timeout(600)
    yield "guide-brush"
    page.click("#tab-paint")
    page.wait_for_timeout(300)
    yield "paint"
    page.click("#paint")
    page.wait_for_function("() => document.querySelector('#layer-painting').dataset.drawn > 60")
    yield "painting"
    painted(page)
    yield "painted"
    page.click("#compare-toggle")
    page.wait_for_timeout(300)
    yield "compare"
    page.click("#compare-toggle")
    page.click("button[aria-keyshortcuts=R]")
    drag(page, (0.3, 0.2), (0.5, 0.15), (0.6, 0.3))
    page.wait_for_timeout(300)
    yield "region"
    page.keyboard.press("Escape")
    page.click("button:has-text('Four variations')")
    page.wait_for_selector(".variation.done >> nth=3", timeout=300_000)
    page.wait_for_timeout(1200)
    yield "variations"
    page.locator(".variation").nth(1).click()
    page.click("#tab-keep")
    page.wait_for_timeout(1500)
    yield "keep"
    page.locator("#scrub").focus()
    page.keyboard.press("Home")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowRight")
    page.evaluate("document.querySelectorAll('#panel-keep details').forEach((part) => (part.open = true))")
    page.locator("#panel-keep").evaluate("(panel) => { panel.scrollTop = 330; }")
    page.wait_for_timeout(400)
    yield "keep-open"
    page.click("#new")
    page.wait_for_timeout(500)
    yield "start-again"
    names = ("chelsea", "coffee", "rocket")
    chooser = page.locator(".several input[type=file]").first
    page.get_by_text("Several pictures").first.click()
    chooser.set_input_files([EXAMPLES / f"{name}.jpg" for name in names])
    page.wait_for_timeout(4000)
    yield "several"


def shoot(browser: Any, url: str, folder: Path, schemes: tuple[str, ...]) -> None:
    """Takes a picture of every state, in windows of both kinds."""
    for window, options in WINDOWS.items():
        for scheme in schemes:
            context = browser.new_context(color_scheme=scheme, **options)
            page = context.new_page()
            page.set_default_timeout(60_000)
            for number, name in enumerate(states(page, url)):
                page.screenshot(path=folder / f"{window}-{scheme}-{number:02}-{name}.png")
                print(f"{window} {scheme} {name}", flush=True)
            context.close()


def for_readme(folder: Path) -> None:
    """Makes the README's two pictures of those in a folder."""
    with Image.open(folder / "desktop-light-02-guide.png") as page:
        page.convert("RGB").save(PICTURES / "studio.jpg", quality=86)
    names = ("light-02-guide", "light-05-painting", "dark-06-painted", "dark-10-keep")
    phones = [Image.open(folder / f"phone-{name}.png").convert("RGB").resize(PHONE) for name in names]
    row = Image.new("RGB", (len(phones) * (PHONE[0] + GAP) - GAP, PHONE[1]), "white")
    for n, phone in enumerate(phones):
        row.paste(phone, (n * (PHONE[0] + GAP), 0))
    row.save(PICTURES / "studio_phone.jpg", quality=84)


def session(page: Any, url: str) -> None:
    """What the film shows."""
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.evaluate(POINTER)
    page.mouse.move(700, 700)
    page.wait_for_timeout(3000)
    point(page, page.locator("#start .card").nth(2))
    page.wait_for_selector("#panel-guide .telling:not(.busy)")
    page.wait_for_selector("#panel-guide .found")
    page.wait_for_timeout(1400)
    page.keyboard.press("e")
    drag(page, (0.8, 0.5), (0.86, 0.8), steps=25)
    page.wait_for_timeout(700)
    page.keyboard.press("Control+z")
    page.wait_for_timeout(700)
    point(page, page.locator("#tab-paint"))
    page.wait_for_timeout(600)
    point(page, page.locator("#panel-paint .choice").nth(2))
    page.wait_for_timeout(600)
    point(page, page.locator("#paint"))
    painted(page)
    page.keyboard.press("v")
    page.wait_for_timeout(500)
    drag(page, (0.5, 0.6), (0.2, 0.6), (0.75, 0.6), steps=25)
    page.wait_for_timeout(500)
    page.keyboard.press("v")
    point(page, page.locator("#tab-keep"))
    page.wait_for_timeout(1200)


def point(page: Any, target: Any) -> None:
    """Goes to something and clicks it."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=22)
    page.wait_for_timeout(250)
    target.click()


def film(browser: Any, url: str, folder: Path) -> None:
    """Films a session."""
    context = browser.new_context(viewport=FILM, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(60_000)
    taken: list[tuple[float, bytes]] = []
    camera = context.new_cdp_session(page)

    def keep(event: dict[str, Any]) -> None:
        taken.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        camera.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    camera.on("Page.screencastFrame", keep)
    camera.send("Page.startScreencast", {"format": "jpeg", "quality": 92, "everyNthFrame": 1})
    session(page, url)
    camera.send("Page.stopScreencast")
    context.close()
    pictures = [
        Image.open(io.BytesIO(frame)).convert("RGB").resize((FILM["width"], FILM["height"]))
        for frame in paced(taken, RATE)
    ]
    write_mp4(pictures, folder / "session.mp4")
    small = (GIF_WIDTH, round(GIF_WIDTH * FILM["height"] / FILM["width"]))
    frames = [each.resize(small, Image.Resampling.LANCZOS) for each in pictures[:: RATE // GIF_RATE]]
    palettes = [each.quantize(96, dither=Image.Dither.NONE) for each in frames]
    palettes[0].save(
        folder / "session.gif", save_all=True, append_images=palettes[1:], duration=1000 // GIF_RATE, loop=0
    )


def paced(taken: list[tuple[float, bytes]], rate: int) -> list[bytes]:
    """Frames at a steady rate: a browser only tells of those that differ from the one before."""
    start, end = taken[0][0], taken[-1][0] + 0.5
    frames, at = [], 0
    for n in range(int((end - start) * rate)):
        while at + 1 < len(taken) and taken[at + 1][0] <= start + n / rate:
            at += 1
        frames.append(taken[at][1])
    return frames


def write_mp4(pictures: list[Image.Image], path: Path) -> None:
    """Writes a film."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "27", "preset": "slow"})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def main() -> None:
    """Read the command line, and take what is asked for."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("studio-pictures"))
    parser.add_argument("--scheme", choices=SCHEMES, help="only in this one")
    parser.add_argument("--film", action="store_true", help="film a session")
    parser.add_argument("--only-film", action="store_true", help="film a session, and nothing else")
    parser.add_argument("--readme", action="store_true", help="take none: make the README pictures")
    args = parser.parse_args()
    if args.readme:
        return for_readme(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        if not args.only_film:
            shoot(browser, url, args.out, (args.scheme,) if args.scheme else SCHEMES)
        if args.film or args.only_film:
            film(browser, url, args.out)
        browser.close()
    print(f"{args.out}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
