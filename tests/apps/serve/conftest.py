"""The studio as it is served."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.apps.serve.serving import Served, served

SMALL = {"strokes": 12, "size": 64, "preset": "draft", "opaque": True, "pigments": "tubes", "paper": "a6"}


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for that server's temporary files."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="session")
def studio(temporary: Path) -> Iterator[Served]:
    """A server for all tests of a session, which they leave as it is."""
    flags = ("--workers", "1", "--max-upload", "8", "--grace", "4")
    with served(*flags, TMPDIR=str(temporary)) as server:
        yield server


@pytest.fixture(scope="session")
def studio_url(studio: Served) -> str:
    """The address of that server's page."""
    return studio.url


@pytest.fixture(scope="module")
def picture(studio: Served) -> dict:
    """A photograph that was sent: a light disc before a gradient, 96 x 64, with a name of its own."""
    y, x = np.mgrid[:64, :96]
    pixels = np.stack([x * 2, y * 3, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - 48) ** 2 + (y - 32) ** 2 < 300] = 240
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "JPEG", quality=95)
    answer = studio.send(packed.getvalue(), "Fr%C3%BChling%20im%20%22Park%22.jpg")
    assert answer.status == 201
    assert answer.headers["location"] == f"/api/pictures/{answer.json['id']}"
    return answer.json


@pytest.fixture(scope="module")
def painting(studio: Served, picture: dict) -> dict:
    """A small painting of it that is done, of which every kind of file can be had."""
    order = studio.post("/api/paintings", {"picture": picture["id"], "job": SMALL})
    assert order.status == 202
    assert order.headers["location"] == f"/api/paintings/{order.json['id']}"
    record = studio.ended(order.json["id"])
    assert record["state"] == "done", record
    return record
