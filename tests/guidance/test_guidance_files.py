"""Files of guidance: read back, read by another program, edited by hand, and refused."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance import Guidance, InputError, Instance
from semantic_guidance.guidance import files
from semantic_guidance.guidance.files import read_guidance, write_guidance

HEIGHT, WIDTH = 12, 16


def rectangle(x: int, y: int, w: int, h: int) -> torch.Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, y : y + h, x : x + w] = 1
    return mask


def known() -> Guidance:
    """Two objects, one of them soft, a face, a focus, and something that matters off the objects."""
    first, second, face = rectangle(1, 1, 6, 8), rectangle(10, 4, 4, 4), rectangle(2, 2, 3, 3)
    first[:, 9, 1:7] = 0.2
    focus = 0.5 * face
    focus[:, 0, 12] = 0.8
    instances = (
        Instance.from_mask(first, confidence=0.75, salience=0.9),
        Instance.from_mask(second, confidence=0.5, salience=0.25),
        Instance.from_mask(face, "face", 0.625, 0.5),
    )
    return Guidance(torch.maximum(first, second), focus, instances)


def written(tmp_path, **changes: object) -> dict:
    """The document of a file that was written, which is changed so."""
    path = tmp_path / "a.json"
    write_guidance(known(), path, "cat.jpg 1a2b3c4d", (0.5, 0.125, 0.0))
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(document))
    return document


def test_what_is_written_is_read_back(tmp_path):
    written(tmp_path)
    guidance, source = read_guidance(tmp_path / "a.json")
    assert source == "cat.jpg 1a2b3c4d"
    wanted = known()
    assert float((guidance.mask - wanted.mask).abs().max()) <= 0.51 / 255
    assert float((guidance.focus - wanted.focus).abs().max()) <= 0.51 / 255
    for got, had in zip(guidance.instances, wanted.instances, strict=True):
        assert (got.kind, got.confidence, got.salience, got.box) == (
            had.kind,
            had.confidence,
            had.salience,
            had.box,
        )
        assert float((got.mask - had.mask).abs().max()) <= 0.51 / 255
    larger = read_guidance(tmp_path / "a.json", (2 * HEIGHT, 2 * WIDTH)).guidance
    assert larger.boxes[1] == (20, 8, 8, 8)
    assert larger.focus.shape == (1, 2 * HEIGHT, 2 * WIDTH)


def test_another_program_reads_it(tmp_path):
    """With nothing but JSON and a reader of pictures."""
    document = written(tmp_path)
    assert (document["format"], document["version"]) == ("semantic-guidance/guidance", 1)
    assert (document["width"], document["height"]) == (WIDTH, HEIGHT)
    first = document["instances"][0]
    assert {name: first[name] for name in ("number", "kind", "confidence", "salience", "box", "share")} == {
        "number": 1,
        "kind": "object",
        "confidence": 0.75,
        "salience": 0.9,
        "box": [1, 1, 6, 8],
        "share": 0.5,
    }
    head, data = first["mask"].split(",")
    assert head == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (picture.mode, picture.size) == ("L", (WIDTH, HEIGHT))
    assert np.array_equal(np.asarray(picture), np.rint(known().instances[0].mask[0].numpy() * 255))


def test_it_is_edited_by_hand(tmp_path):
    document = written(tmp_path)
    _, second, face = document["instances"]
    Image.fromarray((rectangle(3, 3, 5, 5)[0].numpy() * 255).astype(np.uint8)).save(tmp_path / "mine.png")
    drawn = {"mask": "mine.png"}
    bare = {"kind": "object", "mask": second["mask"].partition(",")[2]}
    edited = {**document, "instances": [face, drawn, bare]}
    (tmp_path / "a.json").write_text(json.dumps(edited))
    guidance = read_guidance(tmp_path / "a.json").guidance
    assert [each.kind for each in guidance.instances] == ["object", "object", "face"]  # faces are last
    assert guidance.boxes[:2] == ((3, 3, 5, 5), (10, 4, 4, 4))
    assert guidance.instances[0].confidence == 1
    wanted = torch.maximum(
        torch.maximum(rectangle(3, 3, 5, 5), rectangle(10, 4, 4, 4)), rectangle(2, 2, 3, 3)
    )
    assert torch.equal(guidance.mask, wanted)
    # The focus of an object that is gone is gone, too; what matters elsewhere stays.
    (tmp_path / "a.json").write_text(json.dumps({**document, "instances": [second]}))
    alone = read_guidance(tmp_path / "a.json").guidance
    assert float(alone.focus[:, 2:5, 2:5].max()) == 0
    assert float(alone.focus[0, 0, 12]) == pytest.approx(0.8, abs=0.002)
    (tmp_path / "a.json").write_text(json.dumps({**document, "instances": []}))
    assert not bool(read_guidance(tmp_path / "a.json").guidance.mask.any())


def mask_of(image: Image.Image) -> str:
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return files.HEAD + base64.b64encode(packed.getvalue()).decode()


def one(**fields: object) -> dict:
    return {"instances": [fields]}


GREY = mask_of(Image.new("L", (WIDTH, HEIGHT), 255))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": "other"}, "not a file of guidance, wanted an object whose format is"),
        ({"version": 2}, "version is 2, wanted 1"),
        ({"version": True}, "version is True, wanted 1"),
        ({"width": 0}, "width of the file is 0, wanted a whole number from 1 to 32768"),
        ({"height": "12"}, "height of the file is '12', wanted a whole number"),
        ({"width": 32768, "height": 32768}, "the picture is 32768 x 32768, wanted at most"),
        ({"source": 3}, "source is 3, wanted at most 4000 letters"),
        ({"instances": {}}, r"instances is \{\}, wanted a list"),
        ({"instances": [3]}, "instance 1 is 3, wanted an object"),
        (one(kind="dog", mask=GREY), "kind of instance 1 is 'dog', wanted one of object, face"),
        (one(kind=[], mask=GREY), r"kind of instance 1 is \[\], wanted one of"),
        (one(confidence=2, mask=GREY), "confidence of instance 1 holds 2, wanted numbers from"),
        (one(salience="x", mask=GREY), "salience of instance 1 holds 'x'"),
        (one(wanted_share=1.5, mask=GREY), "wanted_share of instance 1 holds 1.5, wanted numbers"),
        (one(wanted_share="x", mask=GREY), "wanted_share of instance 1 holds 'x'"),
        ({"instances": [{"mask": GREY, "wanted_share": 0.7}] * 2}, "wanted shares add up to 1.4, wanted at"),
        ({"instances": [{"mask": GREY}, {}]}, "mask is missing in instance 2"),
        (one(mask=3), "mask of instance 1 is not a grey PNG picture in base64"),
        (one(mask="data:image/png;base64,xyz"), "mask of instance 1 is not a grey PNG"),
        (one(mask=mask_of(Image.new("RGB", (16, 12)))), "mask of instance 1 is not a grey PNG"),
        (one(mask=mask_of(Image.new("L", (16, 12)))), "mask of instance 1 is empty, wanted some"),
        (one(mask=mask_of(Image.new("L", (12, 16), 255))), "mask of instance 1 is 12 x 16, wanted"),
        (one(mask="none.png"), "mask of instance 1: .*none.png: no such file"),
        (one(mask="../a.png"), "mask of instance 1 is '../a.png', wanted the name of a picture"),
        (one(mask="mine.jpg"), r"mask of instance 1 is 'mine.jpg', wanted the name of a PNG picture"),
        (one(mask="/etc/a.png"), "wanted the name of a picture beside the file"),
        (one(mask="...png"), "mask of instance 1: "),
        ({"instances": [{"mask": GREY}] * 65}, "there are more than 64 instances"),
        ({"focus": 3}, "focus is not a grey PNG picture in base64"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, changes, complaint):
    written(tmp_path, **changes)
    with pytest.raises(InputError, match=rf"a\.json: .*{complaint}"):
        read_guidance(tmp_path / "a.json")


def test_other_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    with pytest.raises(FileNotFoundError, match="no such file, wanted a file of guidance"):
        read_guidance(path)
    with pytest.raises(IsADirectoryError, match="this is a directory, wanted a file of guidance"):
        read_guidance(tmp_path)
    for text, complaint in (("{", "not JSON"), ("[" * 10**5, "not JSON"), ("3", "not a file of guidance"),
                            ('{"format": NaN}', "NaN is not a number"), ("{}" * 100, "more than 64"),
                            ('"' + "," * 10**5 + '"', "more than 64")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=complaint):
            read_guidance(path)
    written(tmp_path)
    with pytest.raises(InputError, match=r"a\.json: it is of a picture of 16 x 12, wanted 16 x 16"):
        read_guidance(path, (16, 16))
    monkeypatch.setattr(files, "MOST_READ", 500)
    with pytest.raises(InputError, match="3 instances of 16 x 12 pixels are too many"):
        read_guidance(path)
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="the file is larger than 100 bytes"):
        read_guidance(path)
    with pytest.raises(ValueError, match="instances are 65, wanted at most 64"):
        write_guidance(Guidance(known().mask, known().focus, known().instances[:1] * 65), path)


def test_what_is_written_is_never_too_large_to_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_PIXELS", 400)
    write_guidance(known(), tmp_path / "a.json")
    guidance = read_guidance(tmp_path / "a.json", (HEIGHT, WIDTH)).guidance
    assert [each.kind for each in guidance.instances] == ["object", "object", "face"]
    wrong = (guidance.mask > 0.5) ^ (known().mask > 0.5)
    assert float(wrong.float().mean()) < 0.15


sides = st.integers(1, 24)


@settings(max_examples=15, deadline=None)
@given(sides, sides, st.integers(0, 5), st.integers(0, 2**31))
def test_any_guidance_both_ways(tmp_path_factory, height, width, count, seed):
    rng = np.random.default_rng(seed)
    instances = []
    for n in range(count):
        plane = rng.integers(0, 256, (1, height, width)).astype(np.float32) / 255
        plane[0, rng.integers(height), rng.integers(width)] = 1
        mask = torch.from_numpy(plane)
        share = rng.random() / count if rng.random() < 0.5 else None
        instances.append(Instance.from_mask(mask, "object" if n < 3 else "face", n / 8, 1 - n / 8, share))
    mask = torch.zeros(1, height, width)
    for each in instances:
        mask = (mask + each.mask).clamp(max=1) if each.kind == "object" else torch.maximum(mask, each.mask)
    focus = torch.from_numpy(rng.integers(0, 256, (1, height, width)).astype(np.float32) / 255)
    path = tmp_path_factory.mktemp("any") / "a.json"
    write_guidance(Guidance(mask, focus, tuple(instances)), path)
    read = read_guidance(path).guidance
    assert torch.allclose(read.mask, mask, atol=1e-6)
    assert torch.allclose(read.focus, focus, atol=1e-6)
    for got, had in zip(read.instances, instances, strict=True):
        assert torch.allclose(got.mask, had.mask, atol=1e-6)
        assert (got.box, got.kind, got.confidence, got.salience, got.share) == (
            had.box,
            had.kind,
            had.confidence,
            had.salience,
            had.share,
        )


def test_a_name_that_is_refused_is_placed_once(tmp_path):
    written(tmp_path, **one(mask="a\0.png"))
    with pytest.raises(InputError) as caught:
        read_guidance(tmp_path / "a.json")
    assert str(caught.value).count("mask of instance 1: the name 'a\\x00.png' holds") == 1
    assert str(caught.value).count("mask of") == 1
