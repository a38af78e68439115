"""The cache of figures knows what it depends on."""

from __future__ import annotations

import pytest

from semantic_guidance.apps.evaluate import store


@pytest.mark.parametrize("file", ["weights/segmenter.safetensors", "weights/faces.onnx", "guidance.py"])
def test_figures_are_of_the_files_that_paint(tmp_path, monkeypatch, file):
    """Code, networks and the face detector's: another file, another figure."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"one")
    monkeypatch.setattr(store, "PACKAGE", tmp_path)
    before = store.software.__wrapped__()
    assert store.software.__wrapped__() == before
    path.write_bytes(b"other")
    assert store.software.__wrapped__()["code"] != before["code"]
