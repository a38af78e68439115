"""A real browser at a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import FLAGS, PHONE, PROGRAM, Visitor, visitor
from tests.conftest import EXAMPLES


# Not for the whole session: while Playwright is there, its loop of asyncio runs in this thread. Pytest takes
# a folder for a package, of which a fixture can be, if it has an __init__.py.
@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    if PROGRAM is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="there is no Playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small photograph of a cat's face, 160 x 106."""
    path = tmp_path_factory.mktemp("photographs") / "cat.jpg"
    with Image.open(EXAMPLES / "chelsea.jpg") as photo:
        photo.resize((160, 106), Image.Resampling.LANCZOS).save(path, quality=92)
    return path


@pytest.fixture(scope="package")
def window(browser: Any, studio_url: str) -> Iterator[Visitor]:
    """A window that all tests share, as opening one takes as long as all that is done in it."""
    person = visitor(browser, studio_url)
    yield person
    person.leave()


@pytest.fixture
def guest(window: Visitor) -> Iterator[Visitor]:
    """Somebody who has just come; nothing may have gone wrong when they leave."""
    window.come()
    window.trouble.clear()
    window.asked.clear()
    yield window
    assert window.trouble == []


@pytest.fixture(scope="module")
def painted(window: Visitor, cat: Path) -> Visitor:
    """Somebody who has painted the cat in 40 strokes; in a module, guests come before them."""
    window.come("/#strokes=40&preset=draft")
    window.open(cat)
    window.guided()
    window.paint()
    window.painted()
    return window


@pytest.fixture
def painter(painted: Visitor) -> Iterator[Visitor]:
    """The same, whose first painting is shown; nothing may have gone wrong when they leave."""
    painted.trouble.clear()
    yield painted
    assert painted.trouble == []


@pytest.fixture
def phone(browser: Any, studio_url: str) -> Iterator[Visitor]:
    """Somebody else with a small phone, in the dark, who has just come."""
    person = visitor(browser, studio_url, PHONE, color_scheme="dark")
    person.come()
    yield person
    trouble = person.trouble
    person.leave()
    assert trouble == []
