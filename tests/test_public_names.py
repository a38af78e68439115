"""The names that people import from the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import semantic_guidance


@pytest.mark.parametrize("name", semantic_guidance.__all__)
def test_name_is_there(name):
    assert getattr(semantic_guidance, name) is not None
    assert name in dir(semantic_guidance)


def test_contract():
    wanted = {"Strokes", "Guidance", "Painting", "Painter", "render", "load_image", "save", "__version__"}
    assert wanted <= set(semantic_guidance.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = semantic_guidance.nonsense


def test_import_is_light():
    code = "import sys, semantic_guidance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
