"""A real browser at a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.apps.serve.browser.visitors import FLAGS, PROGRAM, Visitor, visitor
from tests.conftest import EXAMPLES


# Not for the whole session: while Playwright is there, its loop of asyncio runs in this thread.
@pytest.fixture(scope="module")
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


@pytest.fixture
def guest(browser: Any, studio_url: str) -> Iterator[Visitor]:
    """Somebody who has just come; nothing may have gone wrong when they leave."""
    person = visitor(browser, studio_url)
    person.come()
    yield person
    trouble = person.trouble
    person.leave()
    assert trouble == []


@pytest.fixture(scope="module")
def painter(browser: Any, studio_url: str, cat: Path) -> Iterator[Visitor]:
    """Somebody who has painted the cat in 40 strokes."""
    person = visitor(browser, studio_url)
    person.come("/#strokes=40&preset=draft")
    person.open(cat)
    person.guided()
    person.paint()
    person.painted()
    yield person
    trouble = person.trouble
    person.leave()
    assert trouble == []
