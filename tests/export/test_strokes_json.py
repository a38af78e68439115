"""A painting and its file of strokes are the same painting."""

from __future__ import annotations

import base64
import copy
import io
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.strokes_json import FAR, read_drawing, read_strokes, write
from semantic_guidance.painting.drawing import Drawing, DrawnLayer
from semantic_guidance.painting.painting import Layer, Painting

LOWEST = np.array([-FAR] * 6 + [0] * 7, np.float32)
HIGHEST = np.array([FAR] * 8 + [1] * 5, np.float32)
share = st.floats(0, 1, width=32)
STROKE = {
    "level": "background",
    "instance": 0,
    "points": [[0, 0], [0.5, 0.5], [1, 1]],
    "radius": [0.1, 0.1],
    "opacity": [1, 1],
    "color": [1, 0, 0],
}


@st.composite
def paintings(draw: st.DrawFn) -> Painting:
    """Any painting: nonsensical strokes, empty layers, masks of other sizes, equal masks."""
    layers = []
    masks: list[torch.Tensor] = []
    width, height = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    for _ in range(draw(st.integers(1, 2))):
        scale = draw(st.floats(0.1, 1.5))
        pixels = draw(arrays(np.uint8, (max(1, round(height * scale)), max(1, round(width * scale)))))
        masks.append(torch.from_numpy(pixels)[None].float() / 255)
    for _ in range(draw(st.integers(0, 4))):
        count = draw(st.integers(0, 4))
        unit = draw(arrays(np.float32, (1, count, 13), elements=share))
        tiny = draw(st.sampled_from([1.0, 1e-3, 1e-30]))
        vectors = np.clip(LOWEST + (HIGHEST - LOWEST) * unit * np.float32(tiny), LOWEST, HIGHEST)
        strokes = Strokes.unpack(torch.from_numpy(vectors.astype(np.float32)))
        level = draw(st.sampled_from(["background", "foreground"]))
        layers.append(
            Layer(strokes, level, draw(st.integers(0, 3)), draw(st.sampled_from([None, *range(len(masks))])))
        )
    background = (draw(share), draw(share), draw(share))
    return Painting(tuple(layers), background, width, height, masks=tuple(masks))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(painting=paintings())
def test_round_trip(painting, tmp_path):
    painting.save(tmp_path / "a.json")
    again = read_strokes(tmp_path / "a.json")
    assert torch.equal(again.strokes.pack(), painting.strokes.pack())
    assert (again.width, again.height) == (painting.width, painting.height)
    assert np.float32(again.background).tolist() == np.float32(painting.background).tolist()
    assert again.foreground_strokes == painting.foreground_strokes
    wanted = [
        (layer.level, layer.instance, layer.mask)
        for layer in painting.layers
        for _ in range(len(layer.strokes))
    ]
    got = [
        (layer.level, layer.instance, layer.mask) for layer in again.layers for _ in range(len(layer.strokes))
    ]
    assert got == wanted
    assert all(map(torch.equal, again.masks, painting.masks))


def test_same_canvas_bit_for_bit(painting, tmp_path):
    painting.save(tmp_path / "a.json")
    again = read_strokes(tmp_path / "a.json")
    assert torch.equal(again.canvas, painting.canvas)
    assert torch.equal(again.render(500), painting.render(500))
    for got, wanted in zip(again.replay(), painting.replay(), strict=True):
        assert torch.equal(got, wanted)
    again.save(tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_paper_is_kept(painting, tmp_path):
    replace(painting, paper=(420.0, 297.0)).save(tmp_path / "a.json")
    assert read_strokes(tmp_path / "a.json").paper == (420, 297)
    assert read_strokes(tmp_path / "a.json").margin is None
    replace(painting, paper=(420.0, 297.0), margin=12.7).save(tmp_path / "a.json")
    assert read_strokes(tmp_path / "a.json").margin == 12.7


def test_the_file_is_as_documented(painting, tmp_path):
    painting.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["format"] == "semantic-guidance/strokes"
    assert document["version"] == 2
    assert (document["width"], document["height"]) == (96, 64)
    assert document["background"] == pytest.approx([0.2, 0.4, 0.6])
    assert len(document["strokes"]) == 37
    assert len(document["masks"]) == 2
    first, clipped = document["strokes"][0], document["strokes"][25]
    assert sorted(first) == ["color", "instance", "level", "opacity", "points", "radius"]
    assert first["level"] == "background"
    assert np.array_equal(np.float32(first["points"]), painting.strokes.points[0, 0].numpy())
    assert clipped["level"] == "foreground"
    with Image.open(io.BytesIO(base64.b64decode(document["masks"][clipped["mask"]]))) as mask:
        assert np.array_equal(np.array(mask), (painting.masks[0][0] * 255).round().numpy())


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the document with one value replaced, or removed if `value` is `...`."""
    document = copy.deepcopy(document)
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


FLAWS = [
    (("format",), "svg", "not a file of strokes"),
    (("format",), ..., "not a file of strokes"),
    (("version",), 3, "version is 3, wanted 1 or 2"),
    (("version",), "x" * 999, r"version is 'x{36}\.\.\., wanted 1 or 2"),
    (("version",), ..., "version is missing"),
    (("strokes", 0, "ends"), "flat", "ends of stroke 0 is 'flat', wanted one of round, square, filbert"),
    (("strokes", 0, "load"), 1.5, "load of stroke 0 holds 1.5, wanted numbers from 0 to 1"),
    (("strokes", 0, "locked"), 1, "locked of stroke 0 is 1, wanted true or false"),
    (("hand",), [], r"hand is \[\], wanted an object"),
    (("hand",), {"style": "ink"}, "dials is missing in the hand"),
    (("hand",), {"style": "", "dials": {}}, "style of the hand is '', wanted a text of 1 to 64 letters"),
    (("hand",), {"style": "x" * 65, "dials": {}}, "style of the hand is 'xxx"),
    (("hand",), {"style": "ink", "dials": []}, r"dials of the hand is \[\], wanted an object"),
    (("hand",), {"style": "ink", "dials": {"x": "1"}}, "x of the hand is '1', wanted a number from"),
    (("hand",), {"style": "ink", "dials": {"x": None}}, "x of the hand is None, wanted a number from"),
    (("hand",), {"style": "ink", "dials": {"x": [1, True]}}, r"x of the hand is \[1, True\], wanted"),
    (("hand",), {"style": "ink", "dials": {"x": [0] * 65}}, "x of the hand is .*, wanted"),
    (("hand",), {"style": "ink", "dials": {"x": 1e9}}, "x of the hand is 1000000000.0, wanted"),
    (("hand",), {"style": "ink", "dials": {"x" * 65: 1}}, "is no dial of a hand, wanted at most 64"),
    (("hand",), {"style": "ink", "dials": {str(n): 1 for n in range(65)}}, "wanted an object of at most"),
    (("width",), ..., "width is missing"),
    (("width",), 0, "width of the file is 0"),
    (("height",), True, "height of the file is True"),
    (("height",), 3.5, r"height of the file is 3\.5"),
    (("width",), 10**9, "width of the file is 1000000000"),
    (("background",), [0, 0], "background of the file has another shape"),
    (("background",), [0, 0, 2], "background of the file holds 2"),
    (("masks",), {}, "masks is {}"),
    (("masks", 0), 7, "mask 0 is not a grey PNG"),
    (("masks", 1), "iVBORw0KGgo=", "mask 1 is not a grey PNG"),
    (("masks", 0), "!", "mask 0 is not a grey PNG"),
    (("width",), 50, "mask 0 is 48 x 32, wanted the canvas's 50 x 64"),
    (("start",), "x", "start is not a colour PNG"),
    (("paper",), [210], "paper of the file has another shape"),
    (("margin",), -1, "margin of the file holds -1, wanted numbers from 0"),
    (("margin",), 200, "margin is 200 mm, wanted 0 to"),
    (("paper",), [1, 300], "paper of the file holds 1, wanted numbers from 20"),
    (("strokes",), None, "strokes is None, wanted a list"),
    (("strokes", 3), [], r"stroke 3 is \[\], wanted an object"),
    (("strokes", 3, "points"), ..., "points is missing in stroke 3"),
    (("strokes", 3, "points"), [[0, 0], [1, 1]], "points of stroke 3 has another shape"),
    (("strokes", 3, "points", 1), [0, math.nan], "NaN is not a number"),
    (("strokes", 3, "points", 1), [0, "x"], "points of stroke 3 holds 'x'"),
    (("strokes", 3, "points", 1), [0, 1e39], r"points of stroke 3 holds 1e\+39"),
    (("strokes", 3, "points", 1), [0, 10**400], "points of stroke 3 holds 1000"),
    (("strokes", 3, "radius", 0), -0.1, r"radius of stroke 3 holds -0\.1, wanted numbers from 0"),
    (("strokes", 3, "opacity", 0), 1.1, r"opacity of stroke 3 holds 1\.1"),
    (("strokes", 3, "color", 0), True, "color of stroke 3 holds True"),
    (("strokes", 3, "level"), "middle", "level of stroke 3 is 'middle'"),
    (("strokes", 3, "level"), [], r"level of stroke 3 is \[\]"),
    (("strokes", 3, "instance"), -1, "instance of stroke 3 is -1"),
    (("strokes", 25, "mask"), 2, "mask of stroke 25 is 2"),
]


@pytest.mark.parametrize(("place", "value", "complaint"), FLAWS)
def test_flaws_are_named(painting, tmp_path, place, value, complaint):
    painting.save(tmp_path / "good.json")
    document = changed(json.loads((tmp_path / "good.json").read_text()), place, value)
    (tmp_path / "bad.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"bad\.json: .*{complaint}") as caught:
        read_strokes(tmp_path / "bad.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff\xfe\x00", b"[" * 100_000, b"null", b'{"format": Infinity}']
)
def test_what_is_no_file_of_strokes(tmp_path, data):
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.json: "):
        read_strokes(tmp_path / "bad.json")


def test_limits(painting, tmp_path, monkeypatch):
    painting.save(tmp_path / "a.json")
    read_strokes(tmp_path / "a.json")
    limits = [
        ("MAX_PIXELS", 96 * 64 - 1, "the canvas is 96 x 64, wanted at most 6143 pixels"),
        ("MAX_COMMAS", 500, "there are more than 37 strokes"),
        ("MAX_STROKES", 36, "there are more than 36 strokes"),
        ("MAX_BYTES", 100, "the file is larger than 100 bytes"),
    ]
    for name, limit, complaint in limits:
        with monkeypatch.context() as patch:
            patch.setattr("semantic_guidance.export.strokes_json.MAX_STROKES", 37)
            patch.setattr(f"semantic_guidance.export.strokes_json.{name}", limit)
            with pytest.raises(InputError, match=rf"a\.json: {complaint}"):
                read_strokes(tmp_path / "a.json")


def test_masks_are_measured_before_they_are_decoded(painting, tmp_path):
    painting.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    bomb = io.BytesIO()
    Image.new("L", (9600, 6400)).save(bomb, "PNG")
    document["masks"] = [base64.b64encode(bomb.getvalue()).decode()] * 2
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="mask 1 and those before have more than 100000000 pixels"):
        read_strokes(tmp_path / "a.json")


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_damaged_mask_is_refused(painting, tmp_path):
    """One that ends early, and one in which a bit has flipped."""
    painting.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    noise = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "PNG")
    spoilt = bytearray(whole.getvalue())
    spoilt[2000] ^= 1
    for data in (whole.getvalue()[:900], bytes(spoilt)):
        document["masks"] = [base64.b64encode(data).decode()] * len(document["masks"])
        (tmp_path / "b.json").write_text(json.dumps(document))
        with pytest.raises(InputError, match=r"b\.json: mask 0 is not a grey PNG picture in base64"):
            read_strokes(tmp_path / "b.json")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values in a document."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, inner in steps for found in places(inner, (*path, step)))]


def read_or_refused(path: Path) -> None:
    """A file is read as a painting that can be painted, or refused by one line with its name."""
    complaint = ""
    try:
        painting = read_strokes(path)
    except InputError as error:
        complaint = str(error)
    if complaint:
        assert complaint.startswith(f"{path}: ")
        assert "\n" not in complaint
    else:
        assert len(painting.strokes) <= 4
        canvas = painting.render(8)
        assert bool(((canvas >= 0) & (canvas <= 1.0001)).all())


SMALL = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@SMALL
@given(data=st.data())
def test_any_value_anywhere(data, painting, tmp_path):
    layers = tuple(replace(layer, strokes=layer.strokes[:2]) for layer in painting.layers[:2])
    hand = {"style": "ink", "dials": {"length": 1.5, "load": [0, 1], "pale_first": True}}
    replace(painting, layers=layers, hand=hand).save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    place = data.draw(st.sampled_from(places(document)[1:]))
    document = changed(document, place, data.draw(junk | st.just(...)))
    (tmp_path / "a.json").write_text(json.dumps(document))
    read_or_refused(tmp_path / "a.json")


@SMALL
@given(noise=st.binary(max_size=6), data=st.data())
def test_any_bytes_anywhere(noise, data, painting, tmp_path):
    replace(painting, layers=(replace(painting.layers[1], strokes=painting.strokes[:2]),)).save(
        tmp_path / "a.json"
    )
    text = (tmp_path / "a.json").read_bytes()
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 9)))
    (tmp_path / "a.json").write_bytes(text[:at] + noise + text[end:])
    read_or_refused(tmp_path / "a.json")


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.json: no such file, wanted a file of strokes"):
        read_strokes(tmp_path / "a.json")
    with pytest.raises(IsADirectoryError, match="this is a directory"):
        read_strokes(tmp_path)
    with pytest.raises(OSError, match=r"mem: cannot be read \(.*\), wanted a file of strokes"):
        read_strokes("/proc/self/mem")  # a file that even root may open, but not read from its start
    assert not os.listdir(tmp_path)


def test_ends_and_loads_come_back(tmp_path):
    strokes = np.random.default_rng(0).random((3, 13)).astype(np.float32)
    load = np.float32([0.25, 0, 1])
    layers = (DrawnLayer(strokes, ends="square", load=load), DrawnLayer(strokes, ends="filbert"))
    path = tmp_path / "strokes.json"
    write(Drawing(layers, (1, 1, 1), 20, 30), path, NoOptions(), lambda share: None)
    square, filbert = read_drawing(path).layers
    assert (square.ends, filbert.ends, filbert.load) == ("square", "filbert", None)
    np.testing.assert_array_equal(square.load, load)
    np.testing.assert_array_equal(square.strokes, strokes)


def test_locks_and_hands_come_back(painting, tmp_path):
    hand = {"style": "mine", "dials": {"length": 0.1, "radii": [0.2, 1 / 3], "tones": 4, "pale_first": True}}
    locked = replace(painting.layers[1], locked=True)
    layers = (painting.layers[0], locked, painting.layers[2])
    replace(painting, layers=layers, hand=hand).save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["hand"] == hand
    flags = [stroke.get("locked") for stroke in document["strokes"]]
    assert flags == [None] * 20 + [True] * 12 + [None] * 5
    again = read_strokes(tmp_path / "a.json")
    assert again.hand == hand
    assert [layer.locked for layer in again.layers] == [False, True, False]
    again.save(tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    assert read_drawing(tmp_path / "a.json").hand == hand


def test_version_1_is_read(tmp_path):
    document = {"format": "semantic-guidance/strokes", "version": 1, "width": 4, "height": 3}
    document |= {"background": [1, 0.5, 0], "strokes": [STROKE]}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    (layer,) = read_drawing(path).layers
    assert (layer.ends, layer.load) == ("round", None)
    assert layer.strokes[0, :6].tolist() == [0, 0, 0.5, 0.5, 1, 1]
