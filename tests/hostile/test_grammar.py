"""Strokes files and lists of all shapes: what fits the grammar is read as it is, what does not is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semantic_guidance.core.names import inside
from semantic_guidance.export.strokes_json import read_drawing, strokes
from semantic_guidance.learning.data.cub200 import CUB200
from tests.hostile import folders
from tests.hostile.target import hidden

FORMAT = {"format": "semantic-guidance/strokes", "version": 2}
many = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

radius = st.floats(1 / 1024, 1, width=32)
unit = st.floats(0, 1, width=32)
place = st.floats(-2, 3, width=32)
pair = st.tuples(place, place)
stroke = st.fixed_dictionaries(
    {
        "level": st.sampled_from(["background", "foreground"]),
        "instance": st.integers(0, 9),
        "points": st.tuples(pair, pair, pair),
        "radius": st.tuples(radius, radius),
        "opacity": st.tuples(unit, unit),
        "color": st.tuples(unit, unit, unit),
    },
    optional={"locked": st.booleans(), "ends": st.sampled_from(["round", "filbert", "square"])},
)
document = st.fixed_dictionaries(
    {
        "width": st.integers(1, 100),
        "height": st.integers(1, 100),
        "background": st.tuples(unit, unit, unit),
        "strokes": st.lists(stroke, min_size=1, max_size=6),
    }
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


Found = TypeVar("Found")


def answer(read: Callable[[], Found]) -> tuple[Found | None, str]:
    """What is read; or None, and what the refusal says."""
    try:
        return read(), ""
    except ValueError as error:
        return None, str(error)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("grammar")
    return folder / "painting.json"


@many
@given(document)
def test_what_fits_is_read_with_every_number(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(FORMAT | content))
    drawing = read_drawing(path)
    assert (drawing.width, drawing.height) == (content["width"], content["height"])
    read = np.concatenate([layer.strokes for layer in drawing.layers])
    wanted = [
        [*(x for point in each["points"] for x in point), *each["radius"], *each["opacity"], *each["color"]]
        for each in content["strokes"]
    ]
    assert np.array_equal(read, np.array(wanted, np.float32))


@many
@given(document)
def test_what_is_written_is_read_again(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(FORMAT | content))
    first = read_drawing(path)
    strokes.write(first, path, None, lambda share: None)
    second = read_drawing(path)
    for before, after in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(before.strokes, after.strokes)
        assert (before.level, before.ends, before.locked) == (after.level, after.ends, after.locked)


@many
@given(document, st.data())
def test_what_does_not_fit_is_refused_in_one_line(path: Path, content: dict[str, Any], data: Any) -> None:
    """One value anywhere is replaced by anything."""
    content = json.loads(json.dumps(FORMAT | content))
    place: Any = content
    while isinstance(place, (dict, list)) and place:
        inner = place
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        place = place[key]
        if data.draw(st.booleans()):
            break
    inner[key] = data.draw(junk)
    path.write_text(json.dumps(content))
    drawing, said = answer(lambda: read_drawing(path))
    if drawing is None:
        assert said.startswith(f"{path}: ")
        assert not hidden(said)
    else:
        assert all(math.isfinite(x) for layer in drawing.layers for x in layer.strokes.flat)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
part = words | st.sampled_from(["..", ".", "", "images", "link"])
name = st.lists(part, min_size=1, max_size=4).map("/".join)


@settings(many, max_examples=200)
@given(name)
def test_a_name_stays_in_its_folder_or_is_refused(path: Path, name: str) -> None:
    folder = path.parent / "names"
    if not folder.exists():
        (folder / "images").mkdir(parents=True)
        (folder / "link").symlink_to(path.parent.parent)
    found, said = answer(lambda: inside(folder, name, "list.txt"))
    if found is None:
        assert said.startswith("list.txt: ")
        assert not hidden(said)
    else:
        assert found.resolve().is_relative_to(folder.resolve())
        assert found.resolve() != folder.resolve()


line = st.one_of(
    st.tuples(st.integers(-5, 10**20), name).map(lambda pair: f"{pair[0]} {pair[1]}"),
    words,
    st.just("2 001.Bird/b.jpg"),
    st.just(""),
)


@settings(many, max_examples=50)
@given(st.lists(line, max_size=5))
def test_a_list_of_pictures(path: Path, lines: list[str]) -> None:
    folder = path.parent / "birds"
    shutil.rmtree(folder, ignore_errors=True)
    folders.put(folder / "images" / "001.Bird" / "b.jpg", folders.photo())
    (folder / "images.txt").write_text("\n".join(lines), encoding="utf-8")
    paths, said = answer(lambda: _paths(CUB200(folder)))
    if paths is None:
        assert "images.txt" in said
        assert not hidden(said)
    else:
        assert all(each.resolve().is_relative_to(folder.resolve()) for each in paths)


def _paths(data: CUB200) -> list[Path]:
    return [data.path(index) for index in range(len(data))]
