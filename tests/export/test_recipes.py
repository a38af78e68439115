"""Recipes: the sheet and the numbers say what was painted."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.export.recipes import POTS, Recipes
from semantic_guidance.export.svg import hex_color
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.painting.pigments import read_tubes

TUBES = read_tubes()
NAMES = [tube.name for tube in TUBES.tubes]
SVG = "{http://www.w3.org/2000/svg}"


def painted(colors: np.ndarray) -> Painting:
    """A row of straight strokes, .4 long and .1 wide, on paper whose painting is 90 mm wide."""
    vectors = torch.zeros(len(colors), 13)
    vectors[:, 0:6] = torch.tensor([0.1, 0.2, 0.3, 0.2, 0.5, 0.2])
    vectors[:, 6:8], vectors[:, 8:10] = 0.05, 1
    vectors[:, 10:] = torch.from_numpy(np.asarray(colors, np.float32))
    layer = Layer(Strokes.unpack(vectors[None]))
    return Painting((layer,), (1.0, 1.0, 1.0), 100, 100, paper=(100.0, 100.0), tubes=TUBES)


def numbers(painting: Painting, folder: Path) -> Any:
    painting.save(folder / "a.recipes.json")
    return json.loads((folder / "a.recipes.json").read_text())


def test_parts_strokes_and_areas(tmp_path):
    """Three strokes of one mixture and one of another: by hand, 9 x 9 cm, each .4 x .1 and a disc of .1."""
    counts = np.zeros((2, len(NAMES)), int)
    counts[0, [NAMES.index("Titanium White"), NAMES.index("Bone Black")]] = 4, 1
    counts[1, NAMES.index("Yellow Ochre")] = 1
    one, other = TUBES.colors(counts)
    document = numbers(painted(np.stack([one, other, one, one])), tmp_path)
    first, second = document["pots"]
    assert first["parts"] == {"Titanium White": 4, "Bone Black": 1}
    assert second["parts"] == {"Yellow Ochre": 1}
    assert (first["color"], second["color"]) == (hex_color(one), hex_color(other))
    assert document["strokes"] == [0, 1, 0, 0]
    area = 81 * (0.4 * 0.1 + math.pi * 0.05**2)
    assert (first["strokes"], first["area"]) == (3, pytest.approx(3 * area, abs=0.01))
    assert (first["share"], second["share"]) == (0.75, 0.25)
    shares = {tube["name"]: tube["share"] for tube in document["tubes"]}
    assert shares == {"Titanium White": 0.6, "Yellow Ochre": 0.25, "Bone Black": 0.15}


def test_many_mixtures_share_pots(tmp_path):
    colors = TUBES.mixtures.colors[::40]
    document = numbers(painted(colors), tmp_path)
    assert len(colors) > 3 * POTS
    assert 0.7 * POTS <= len(document["pots"]) <= POTS
    assert sorted(set(document["strokes"])) == list(range(len(document["pots"])))
    assert sum(pot["share"] for pot in document["pots"]) == pytest.approx(1, abs=0.01)
    for pot in document["pots"]:
        counts = np.array([[pot["parts"].get(name, 0) for name in NAMES]])
        assert hex_color(TUBES.colors(counts)[0]) == pot["color"]
    found = np.array(
        [[int(pot["color"][n : n + 2], 16) / 255 for n in (1, 3, 5)] for pot in document["pots"]]
    )
    assert np.abs(found[document["strokes"]] - colors).mean() < 0.08


def test_the_sheet(tmp_path):
    painting = painted(TUBES.mixtures.colors[::40])
    painting.save(tmp_path / "a.recipes.svg")
    root = ET.parse(tmp_path / "a.recipes.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("210mm", "297mm")
    pots = Recipes(painting.drawing).pots()
    paper, *swatches = root.iter(f"{SVG}rect")
    assert paper.get("fill") == "#fff"
    assert [swatch.get("fill") for swatch in swatches] == [pot.color for pot in pots]
    places = [(float(swatch.get("x", 0)), float(swatch.get("y", 0))) for swatch in swatches]
    assert len(set(places)) == len(places)
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert words[0] == f"{len(pots)} mixtures for {len(painting.strokes)} strokes"
    for pot in pots:
        assert set(pot.parts) <= set(words)
    for text in root.iter(f"{SVG}text"):
        assert 10 < float(text.get("y", 0)) < 290


def test_names_of_tubes_are_text_that_xml_can_hold(tmp_path):
    """XML 1.0 has no characters below a space, however they are spelled."""
    tubes = replace(
        TUBES, tubes=tuple(replace(tube, name=f"<\x1b&\u202e{tube.name}") for tube in TUBES.tubes)
    )
    painting = replace(painted(TUBES.mixtures.colors[::200]), tubes=tubes)
    painting.save(tmp_path / "a.recipes.svg")
    words = [text.text or "" for text in ET.parse(tmp_path / "a.recipes.svg").iter(f"{SVG}text")]
    assert any(f"<\\x1b&\\u202e{name}" in words for name in NAMES)


def test_a_painting_of_any_colours_gets_those_most_like_them(tmp_path):
    document = numbers(painted(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])), tmp_path)
    assert {"Titanium White": 1} in [pot["parts"] for pot in document["pots"]]
