"""The example in `examples/` and in `docs/serve.md`: ten lines that have a picture painted."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "paint_over_http.py"


@pytest.mark.usefixtures("long")
def test_it_paints(studio, photo, tmp_path):
    command = [sys.executable, str(EXAMPLE), studio.url, str(photo)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.split()[0] in ("queued", "running")
    assert last.split()[0] == "done"
    with Image.open(tmp_path / "painted.png") as painted:
        assert max(painted.size) == 1024


def test_it_is_short_and_in_the_page_of_documentation():
    text = EXAMPLE.read_text()
    body = [node for node in ast.parse(text).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert sum(node.end_lineno - node.lineno + 1 for node in body[1:]) <= 10
    assert text in (ROOT / "docs" / "serve.md").read_text()
