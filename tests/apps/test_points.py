"""Points, words and files of guidance, from the command line to the painting."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance import Guidance, InputError, Job
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.given import given_points
from semantic_guidance.apps.given_options import GuidanceOptions
from semantic_guidance.apps.options import parse_place
from semantic_guidance.core.plugins import GUIDES
from semantic_guidance.guidance.files import read_guidance
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_image, load_picture
from tests.apps.cli.refusals import refusals
from tests.guidance.filling import HEIGHT, WIDTH, Seeing, middle, part, scene
from tests.images.encoding import encoded, exif_block

QUICK = [
    "--strokes=24",
    "--preset=draft",
    "--style=likeness",
    "--size=64",
    "--agent=planner",
    "--formats=png",
]


@pytest.fixture
def photo(tmp_path):
    """The scene in a file, and a guide that finds the barn and the sun in it."""
    GUIDES.register("filling", Seeing)
    GUIDES.register("older", lambda: lambda image, prompt=None: Guidance.none(*image.shape[1:]))
    Image.fromarray(to_bytes(scene())).save(tmp_path / "farm.png")
    yield tmp_path / "farm.png"
    GUIDES.unregister("filling")
    GUIDES.unregister("older")


def paint(photo: Path, *words: object) -> int:
    return main(["paint", str(photo), "--guide=filling", f"--out={photo.parent}", *QUICK, *map(str, words)])


def place(name: str) -> str:
    return ",".join(f"{int(n)}" for n in middle(name))


def test_points_reach_the_painting_and_its_files(photo, capsys):
    known = photo.parent / "farm.json"
    words = [f"--point={place('car')}", f"--point={place('sun')}", f"--guidance={known}", "--show-guidance"]
    assert paint(photo, *words) == 0
    assert capsys.readouterr().err == ""
    guidance, source = read_guidance(known)
    assert source.startswith("farm.png ")
    assert [
        bool((a.mask == b).all()) for a, b in zip(guidance.instances, (part("car"), part("sun")), strict=True)
    ]
    told = json.loads(known.read_text())["instances"]
    assert 0 < sum(each["share"] for each in told) < 1
    sheet = load_image(photo.parent / "farm_guidance.png")
    assert sheet.shape[1] > 640 * HEIGHT / WIDTH  # there is a list below
    # Edited, it is used instead of looking; points correct it.
    document = json.loads(known.read_text())
    known.write_text(json.dumps({**document, "instances": document["instances"][1:]}))
    before = known.read_bytes()
    assert paint(photo, f"--guidance={known}", "--show-guidance", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["box"] == [5, 5, 12, 12]
    assert known.read_bytes() == before
    Image.fromarray(to_bytes(scene()) // 2).save(photo)
    assert paint(photo, f"--guidance={known}", f"--not-point={place('sun')}", f"--point={place('car')}") == 0
    assert "note: " in (said := capsys.readouterr().err)
    assert "farm.json was made of another picture of that name" in said


def test_a_mask_is_corrected_by_points(photo, capsys):
    Image.fromarray(to_bytes(part("barn"))[..., 0]).save(photo.parent / "mask.png")
    known = photo.parent / "known.json"
    words = [f"--mask={photo.parent / 'mask.png'}", f"--not-point={place('door')}", f"--point={place('car')}"]
    assert paint(photo, *words, f"--guidance={known}") == 0
    assert bool((read_guidance(known).guidance.mask == part("barn", "car", without="door")).all())
    assert (
        paint(photo, "--box=3,3,16,16", f"--point={place('car')}", f"--guidance={photo.parent / 'b.json'}")
        == 0
    )
    assert len(read_guidance(photo.parent / "b.json").guidance.instances) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--point=90,10"], "--point: 90,10 lies outside the picture of 90 x 60 pixels"),
        (["--point=-1,10"], "--point: -1,10 lies outside"),
        (["--not-point=10,60"], "--not-point: 10,60 lies outside the picture of 90 x 60 pixels"),
        (["--point=5,5", "--not-point=1e9,5"], "--not-point: 1e+09,5 lies outside"),
        (["--point=nan,10"], "--point: got 'nan,10', wanted X,Y in pixels"),
        (["--point=3"], "--point: got '3', wanted X,Y in pixels"),
        (["--not-point=3,4,5"], "--not-point: got '3,4,5', wanted X,Y in pixels"),
        (["--point=5,5", "--no-guidance"], "--point: --baseline paints without guidance"),
        (["--text=dog", "--no-guidance"], "--text: --baseline paints without guidance"),
        (["--guidance=a.json", "--no-guidance"], "--guidance: --baseline paints without guidance"),
        (
            ["--point=5,5", "--guide=older"],
            "--point: the guide older takes no points, wanted --guide default",
        ),
        (["--not-point=5,5", "--guide=older"], "--not-point: the guide older takes no points"),
        (["--text=dog", "--guide=older"], "--text: the guide older takes no text, wanted --guide default"),
        (["--text=dog", "--box=1,1,20,20"], "--text: the object is given by --box already"),
        (["--mask=farm.png", "--box=1,1,20,20"], "--box: the object is given by --mask already"),
        (["--text=unicorn"], "--text is 'unicorn', which is not understood"),
        (["--text=cat"], "--text is 'cat', but what is found looks like"),
        (["--guidance=farm.png"], "--guidance: farm.png is no such file, wanted a name that ends in .json"),
        (["--guidance=no/a.json"], "--guidance: no/a.json: there is no such folder"),
        (["--guidance=there.json", "--box=1,1,9,9"], "--box: the objects are given by --guidance there.json"),
        (["--guidance=there.json"], "there.json: not JSON"),
        (["--guidance=square.json"], "square.json: it is of a picture of 9 x 9, wanted 90 x 60 or the same"),
        ([*["--point=5,5"] * 65], "--point: there are 65 places, wanted at most 64"),
    ],
)
def test_what_is_refused(photo, capsys, monkeypatch, words, complaint):
    (photo.parent / "there.json").write_text("{")
    document = {
        "format": "semantic-guidance/guidance",
        "version": 1,
        "width": 9,
        "height": 9,
        "instances": [],
    }
    (photo.parent / "square.json").write_text(json.dumps(document))
    run = refusals("paint", photo.parent, capsys, monkeypatch)
    guide = [] if any("--guide=" in word for word in words) else ["--guide=filling"]
    assert complaint in run("farm.png", *guide, *QUICK, *words)


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**6), 10**6)


@settings(max_examples=30, deadline=None)
@given(numbers, numbers)
def test_a_place_both_ways(x, y):
    word = f"{x},{y}"
    if not all(np.isfinite(float(n)) for n in (x, y)):
        with pytest.raises(ValueError, match="wanted X,Y in pixels"):
            parse_place(word)
        return
    assert parse_place(word) == (float(x), float(y))


@settings(max_examples=30, deadline=None)
@given(st.text("0123456789.,-+einfa x", max_size=8))
def test_any_word_is_a_place_or_refused(word):
    with contextlib.suppress(ValueError):
        assert np.isfinite(parse_place(word)).all()


def test_points_in_json():
    for text in ('"1,2"', "[1, 2]", '["1,2"]', "[[1, 2]]"):
        assert Job.from_json(f'{{"image": "a.jpg", "point": {text}}}').wanted_places == ((1, 2),)
    several = Job("a.jpg", point=[(1, 2), (3, 4)], not_point=(5, 6.5), text="dog", guidance="b.json")
    assert json.loads(several.to_json()) == {
        "image": "a.jpg", "point": [[1, 2], [3, 4]], "not_point": [5, 6.5], "text": "dog",
        "guidance": "b.json",
    }  # fmt: skip
    assert Job.from_json(several.to_json()) == several
    for wrong in ("3", "[1, 2, 3]", '"1"', "[[1]]", "[[1, Infinity]]"):
        with pytest.raises(InputError, match=r"^point: got .*, wanted X,Y in pixels"):
            Job.from_json(f'{{"image": "a.jpg", "point": {wrong}}}')


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_point_is_in_pixels_of_the_upright_picture(tmp_path, orientation):
    """The only green pixels are there, whatever the orientation."""
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[10:14, 50:54, 1] = 255
    stored = np.ascontiguousarray(np.rot90(upright, {1: 0, 3: 2, 6: 1}[orientation]))
    (tmp_path / "a.jpg").write_bytes(
        encoded("JPEG", stored, exif=b"Exif\0\0" + exif_block(orientation), quality=95)
    )
    picture = load_picture(tmp_path / "a.jpg")
    assert picture.size == (60, 40)
    (point,) = given_points(GuidanceOptions(point=(51, 11)), picture.image, picture.size)
    assert (point.x, point.y, point.positive) == (51.5, 11.5, True)
    assert float(picture.image[1, int(point.y), int(point.x)]) > 0.5
    (half,) = given_points(GuidanceOptions(not_point=(51, 11)), picture.image[:, ::2, ::2], picture.size)
    assert (half.x, half.y, half.positive) == (25.75, 5.75, False)


def test_objects_of_a_file_that_are_painted_as_background_are_told_of(photo, capsys):
    known = photo.parent / "farm.json"
    assert paint(photo, f"--point={place('car')}", f"--guidance={known}") == 0
    document = json.loads(known.read_text())
    for confidence, noted in ((0.4, True), (0.6, False)):
        document["instances"][0]["confidence"] = confidence
        known.write_text(json.dumps(document))
        capsys.readouterr()
        assert paint(photo, f"--guidance={known}") == 0
        assert ("is at most 40 % sure, and painted as background" in capsys.readouterr().err) == noted
