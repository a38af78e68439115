"""People with a browser at the studio, for its tests and pictures."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--force-color-profile=srgb")
PATIENCE = 60_000  # ms
DESKTOP, PHONE = (1000, 640), (360, 740)

TOUCH = """() => {
  const seen = (e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.closest('.quiet-live, .skip');
  const wanted = 'button, a[href], input, select, summary, [role=slider], [role=radio]';
  const all = document.querySelectorAll(wanted);
  const small = [];
  for (const element of [...all].filter(seen)) {
    // What belongs to a label is as large as its label.
    const box = element.getBoundingClientRect(), label = element.closest('label')?.getBoundingClientRect();
    const width = Math.max(box.width, label?.width ?? 0), height = Math.max(box.height, label?.height ?? 0);
    const range = element.type === 'range';
    if (box.width === 0 && box.height === 0) continue;
    if (width < 43.5 || (!range && height < 43.5) || (range && height < 27.5)) {
      small.push(`${element.tagName} ${element.id || element.className || element.getAttribute('aria-label')}`
        + ` ${width.toFixed(0)} x ${height.toFixed(0)}`);
    }
  }
  return small;
}"""
"""Names of what is too small to be touched."""

FORGET = """() => {
  sessionStorage.clear();
  Storage.prototype.setItem = () => {};
}"""
"""A page that is left remembers nothing."""

FADED = """() => {
  const { dataset } = document.getElementById('layer-painting'), finish = document.getElementById('finish');
  const whole = dataset.total > 0 && dataset.drawn === dataset.total;
  return whole && (!finish.classList.contains('on') || getComputedStyle(finish).opacity === '1');
}"""
"""Whether the painting is drawn whole, and what its brush makes of it has been faded in."""

WATCH = """() => {
  window.looks = [];
  const small = new OffscreenCanvas(48, 48), pen = small.getContext('2d', { willReadFrequently: true });
  let last = '';
  const look = () => {
    const canvas = document.getElementById('layer-painting');
    if (canvas?.width) {
      pen.clearRect(0, 0, 48, 48);
      pen.drawImage(canvas, 0, 0, 48, 48);
      const now = pen.getImageData(0, 0, 48, 48).data.join();
      const busy = document.body.hasAttribute('data-painting');
      if (now !== last) window.looks.push({ at: performance.now(), busy });
      last = now;
    }
    window.looking = requestAnimationFrame(look);
  };
  look();
}"""
"""From now on `window.looks` has an entry each time that the painting's pixels have changed."""


@dataclass
class Visitor:
    """A person with a window of a browser; what goes wrong in it is noted.

    Attributes:
        page: Playwright's.
        url: of the studio.
        trouble: errors, and what the Content-Security-Policy did not let pass.
        asked: addresses that were asked for.
        weights: bytes that came for each address.
    """

    page: Any
    url: str
    trouble: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        page = self.page
        page.set_default_timeout(PATIENCE)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("requestfinished", self._weigh)

    def _hear(self, told: Any) -> None:
        if told.type == "error":
            self.trouble.append(f"{told.text} {urlsplit(told.location.get('url', '')).path}")

    def _weigh(self, request: Any) -> None:
        if not request.url.endswith("/events"):
            self.weights[request.url] = request.sizes()["responseBodySize"]

    def come(self, to: str = "/") -> None:
        """Open the page as if for the first time, and wait until it works."""
        if self.page.url != "about:blank":
            self.page.evaluate(FORGET)
            self.page.goto("about:blank")  # or only what is behind a # would change
        self.page.goto(self.url + to)
        self.page.wait_for_selector("body[data-ready]")

    def see(self, selector: str, state: str = "visible") -> Any:
        """What is at a selector, once it is there."""
        found = self.page.locator(selector).first
        found.wait_for(state=state)
        return found

    def open(self, photo: Path) -> None:
        """Choose a photograph from the disk."""
        self.page.locator("#start input[type=file]").first.set_input_files(photo)
        self.see("#stage #photo")

    def guided(self) -> None:
        """Wait until it is known what the picture is of."""
        self.page.wait_for_selector("#panel-guide .telling:not(.busy)")

    def go(self, mode: str) -> None:
        """Choose a tab."""
        self.page.click(f"#tab-{mode}")

    def set(self, **settings: Any) -> None:
        """Set what is asked for, as a link does."""
        words = "&".join(f"{name}={value}" for name, value in settings.items())
        self.page.evaluate("words => { location.hash = words }", words)
        self.page.wait_for_function("() => location.hash === ''")

    def paint(self) -> None:
        """Press Paint."""
        self.page.click("#paint")

    def painted(self) -> None:
        """Wait until nothing is being painted, and the painting is seen whole."""
        self.page.wait_for_selector("body:not([data-painting])")
        self.see("#replay")
        self.page.wait_for_function(FADED)

    @property
    def stored(self) -> dict[str, Any]:
        """What is remembered for the next time that the page is loaded."""
        return dict(json.loads(self.page.evaluate("sessionStorage.getItem('studio')")))

    def state(self, script: str) -> Any:
        """A value of the page's state, of which `script` is an expression."""
        return self.page.evaluate(f"import('/page/store.js').then(({{ state }}) => {script})")

    def area(self) -> float:
        """Share of the picture that is covered by what was found."""
        known = self.state(
            "({ ...state.guidance, instances: state.guidance.instances.map(({ area }) => area) })"
        )
        return float(sum(known["instances"]) / known["w"] / known["h"])

    def drag(self, *places: tuple[float, float]) -> None:
        """Draw over the picture, from place to place, in shares of its sides."""
        box = self.see("#stage").bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for x, y in points[1:]:
            self.page.mouse.move(x, y, steps=6)
        self.page.mouse.up()

    def pixels(self, selector: str = "#layer-painting", size: int = 96) -> NDArray[np.float64]:
        """``[size, size, 3]`` of a canvas or a picture, 0 to 255."""
        script = """([selector, size]) => {
          const small = new OffscreenCanvas(size, size), pen = small.getContext('2d');
          pen.drawImage(document.querySelector(selector), 0, 0, size, size);
          return [...pen.getImageData(0, 0, size, size).data];
        }"""
        values = np.array(self.page.evaluate(script, [selector, size]), dtype=np.float64)
        return values.reshape(size, size, 4)[..., :3]

    def shot(self, selector: str | None = None) -> NDArray[np.float64]:
        """``[H, W, 3]`` as it is seen, 0 to 255."""
        taken = self.page.locator(selector).screenshot() if selector else self.page.screenshot()
        return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"), dtype=np.float64)

    def download(self, selector: str, folder: Path) -> Path:
        """Press what downloads a file, and wait for it."""
        with self.page.expect_download() as coming:
            self.page.click(selector)
        got = coming.value
        path = folder / got.suggested_filename
        got.save_as(path)
        return path

    def too_small(self) -> list[str]:
        """What is too small to be touched."""
        return list(self.page.evaluate(TOUCH))

    def too_wide(self) -> bool:
        """Whether one would have to scroll to the side."""
        return bool(
            self.page.evaluate(
                "document.documentElement.scrollWidth > innerWidth || document.body.scrollWidth > innerWidth"
            )
        )

    def nameless(self) -> list[str]:
        """Controls without a name for those who do not see them."""
        session = self.page.context.new_cdp_session(self.page)
        wanted = {"button", "link", "slider", "textbox", "checkbox", "radio", "combobox", "tab", "spinbutton"}
        wanted |= {"switch", "option", "listbox", "radiogroup", "tablist", "toolbar", "progressbar", "image"}
        found = []
        for node in session.send("Accessibility.getFullAXTree")["nodes"]:
            name, role = (node.get(key, {}).get("value", "") for key in ("name", "role"))
            if not node.get("ignored") and role in wanted and not name.strip():
                place = {"backendNodeId": node["backendDOMNodeId"]}
                found.append(f"{role}: {session.send('DOM.getOuterHTML', place)['outerHTML'][:100]}")
        session.detach()
        return found

    def strangers(self) -> list[str]:
        """Addresses at other hosts that were asked for."""
        own = urlsplit(self.url).netloc
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own
        ]

    def leave(self) -> None:
        """Close the window."""
        self.page.context.close()


def visitor(browser: Any, url: str, size: tuple[int, int] = DESKTOP, **context: Any) -> Visitor:
    """A person with a window of their own: nothing is shared with others.

    Args:
        browser: Playwright's.
        url: of the studio.
        size: of the window in CSS pixels; those below 600 are a phone's.
        context: what else Playwright's context is given, such as ``color_scheme="dark"``.
    """
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if size[0] < 600 else {}
    options = {
        "viewport": {"width": size[0], "height": size[1]},
        "reduced_motion": "reduce",
        **phone,
        **context,
    }
    return Visitor(browser.new_context(**options).new_page(), url)
