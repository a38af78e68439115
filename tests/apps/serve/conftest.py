"""The studio as it is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.serve.serving import Served, served


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
