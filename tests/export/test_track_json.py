"""Files of tracks: what is written is read, whatever the strokes do, and nothing wrong is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.core.errors import InputError
from semantic_guidance.export.track import Stage
from semantic_guidance.export.track_json import blank_of, header, part_text, read_track, write_track
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import DrawnLayer

RATE = Fraction(24000, 1001)


def random_film(seed: int, frames: int = 7) -> list[tuple[Drawing, np.ndarray]]:
    """Strokes that are born, move, change places and layers, and die; masks that change."""
    rng = np.random.default_rng(seed)
    ids, following = list(range(6)), 6
    values = {n: rng.random(13).astype(np.float32) for n in ids}
    film = []
    keyed = bool(rng.random() < 0.5)
    for _ in range(frames):
        for stroke in list(ids):
            if rng.random() < 0.15:
                ids.remove(stroke)
            elif rng.random() < 0.4:
                values[stroke] = rng.random(13).astype(np.float32)
        for _ in range(rng.integers(0, 3)):
            values[following] = rng.random(13).astype(np.float32)
            ids.insert(int(rng.integers(0, len(ids) + 1)), following)
            following += 1
        if rng.random() < 0.3:
            rng.shuffle(ids)
        cut = int(rng.integers(0, len(ids) + 1))
        mask = (rng.random((1, 5, 8)) * 255).round().astype(np.float32) / np.float32(255)
        layers = []
        for part, level, under in ((ids[:cut], "background", None), (ids[cut:], "foreground", 0)):
            numbers = np.array([values[n] for n in part], np.float32).reshape(-1, 13)
            load = None if rng.random() < 0.5 else rng.random(len(part)).astype(np.float32)
            keys = np.array(part, np.int64) * (2 if seed % 2 else 1) if keyed else None
            layers.append(DrawnLayer(numbers, level, 0, under, load=load, keys=keys))
        masks = film[-1][0].masks if film and rng.random() < 0.5 else (mask,)
        ground = (0.25, 0.5, 0.125) if rng.random() < 0.5 else (0.1, 0.2, 0.3)
        drawing = Drawing(tuple(layers), ground, 40, 25, masks=masks, brush=Brush("oil", 3), source="a b")
        film.append((drawing, np.array(ids, np.int64)))
    return film


def written(film, path, split: int = 3):
    """The file of a film, and what the writer says is drawn."""
    head = header(blank_of(film[0][0]), RATE)
    stage, told, parts = Stage(blank_of(film[0][0])), [], []
    for number, (drawing, ids) in enumerate(film):
        told.append(stage.tell(drawing, ids, number == 0))
        if (number + 1) % split == 0:
            parts.append(part_text(stage.part()))
    if len(film) % split:
        parts.append(part_text(stage.part()))
    write_track(path, head, parts, stage)
    return told


def same(one: Drawing, two: Drawing) -> bool:
    """Whether two drawings hold the same numbers."""
    plain = [
        (each.level, each.instance, each.mask, each.ends, each.strokes.tolist(),
         None if each.load is None else each.load.tolist(), None if each.keys is None else each.keys.tolist())
        for drawing in (one, two)
        for each in drawing.layers
    ]  # fmt: skip
    half = len(one.layers)
    masks = len(one.masks) == len(two.masks) and all(map(np.array_equal, one.masks, two.masks))
    return plain[:half] == plain[half:] and masks and one.background == two.background


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_written_is_read(tmp_path_factory, seed):
    film, path = random_film(seed), tmp_path_factory.mktemp("track") / "a.track.json"
    told = written(film, path)
    track = read_track(path)
    assert (track.rate, track.count, track.blank.source) == (RATE, len(film), "a b")
    assert (track.blank.brush.style, track.blank.brush.seed) == ("oil", 3)
    read = list(track.frames())
    last = read[0]
    for (drawing, _), told_of, found in zip(film, told, read, strict=True):
        last = found or last
        assert same(told_of, last)
        wanted = [layer.strokes for layer in drawing.layers if len(layer.strokes)]
        close = np.concatenate([np.empty((0, 13)), *wanted])
        assert np.abs(close - last.strokes).max(initial=0) < 6e-4
    json.loads(path.read_text())  # the file is JSON as a whole


def test_strokes_that_stand_still_take_no_room(tmp_path):
    drawing, ids = random_film(1)[0]
    stage = Stage(blank_of(drawing))
    stage.tell(drawing, ids, True)
    first = stage.part()
    stage.tell(drawing, ids)
    stage.tell_same()
    assert stage.part() == {"frame": 1, "frames": 2, "strokes": []}
    assert len(first["strokes"]) == len(ids)
    assert all(record["birth"] == 0 and len(record["keys"]) == 1 for record in first["strokes"])


def test_few_strokes_are_told_of_when_some_change_places():
    drawing, ids = random_film(4)[0]
    stage = Stage(blank_of(drawing))
    stage.tell(drawing, ids)
    stage.part()
    layer = DrawnLayer(drawing.strokes)
    stage.tell(replace(drawing, layers=(layer,)), ids)
    stage.part()
    order = [len(ids) - 1, *range(len(ids) - 1)]  # the top one goes to the bottom
    moved = replace(drawing, layers=(DrawnLayer(np.ascontiguousarray(layer.strokes[order])),))
    stage.tell(moved, ids[order])
    assert [record["id"] for record in stage.part()["strokes"]] == [ids[-1]]


def mutated(text: str, rng: np.random.Generator) -> str:
    """The text with some of its JSON changed: numbers, names, structure, or bytes."""
    place = int(rng.integers(0, len(text)))
    kind = rng.integers(0, 5)
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + text[place + int(rng.integers(1, 9)) :]
    words = ["null", "-1", "1e999", "true", '"x"', "[]", "{}", "99999999999999999999", "NaN", "0.5", "7"]
    begin = place
    while begin < len(text) and text[begin] not in "0123456789":
        begin += 1
    end = begin
    while end < len(text) and text[end] in "0123456789.":
        end += 1
    return text[:begin] + words[int(rng.integers(0, len(words)))] + text[end:]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_damaged_files_are_refused_in_one_line(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("track") / "a.track.json"
    written(random_film(seed % 5), path)
    path.write_text(mutated(path.read_text(), rng))
    complaint = ""
    try:
        drawn = [drawing for drawing in read_track(path).frames() if drawing is not None]
        drawn[-1].render(12)
    except InputError as error:
        complaint = str(error)
    assert "\n" not in complaint
    assert complaint.startswith(f"{path}: ") or not complaint


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"version": 1', '"version": 2', "version is 2, wanted 1"),
        ('"rate": [24000, 1001]', '"rate": [24000, 0]', "rate of the file is 0"),
        ('"birth": 0', '"birth": 90', "90 is no frame of it"),
        ('"frames": 7, "strokes"', '"frames": 8, "strokes"', "there are 7 frames"),
        ('"id": 0', '"id": 1', "comes twice, wanted each once"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, complaint):
    path = tmp_path / "a.track.json"
    written(random_film(2), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=complaint):
        list(read_track(path).frames())
