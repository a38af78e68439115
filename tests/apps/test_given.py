"""What people say about the objects reaches the painter: several masks and boxes, frames, orientations."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance import Guidance, InputError, Prompt
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.given import given_guidance
from semantic_guidance.apps.given_options import GuidanceOptions
from semantic_guidance.apps.jobs import Job
from semantic_guidance.guidance import Guide
from semantic_guidance.guidance.maskrcnn import MaskRCNNGuide
from semantic_guidance.images.files import MAX_SIDE, load_picture
from tests.images.encoding import UNDO, encoded, exif_block, tiff

LEFT, RIGHT, LOW = (
    (4, 6, 12, 16),
    (30, 4, 20, 20),
    (10, 30, 8, 6),
)  # x, y, width, height in a picture of 60 x 40
PLAIN = Guide(focus=False, faces=False)
FLAT = torch.full((3, 40, 60), 0.5)


def plane(*boxes: tuple[int, int, int, int], values: tuple[int, ...] = (255, 255, 255)) -> np.ndarray:
    out = np.zeros((40, 60), np.uint8)
    for (x, y, w, h), value in zip(boxes, values, strict=False):
        out[y : y + h, x : x + w] = value
    return out


def said(tmp_path, *planes: np.ndarray, **more: object) -> GuidanceOptions:
    names = []
    for n, each in enumerate(planes):
        names.append(tmp_path / f"{n}.png")
        Image.fromarray(each).save(names[-1])
    return GuidanceOptions(mask=tuple(names) or None, **more)


def boxes(options: GuidanceOptions, guide: object = PLAIN) -> list[tuple[float, ...]]:
    guidance = given_guidance(options, FLAT, (60, 40), guide)
    assert all(bool((each.mask <= guidance.mask).all()) for each in guidance.instances)
    return [tuple(map(round, box)) for box in guidance.boxes]


def test_each_mask_and_each_label_is_an_object_largest_first(tmp_path):
    assert boxes(said(tmp_path, plane(LOW), plane(RIGHT), plane(LEFT))) == [RIGHT, LEFT, LOW]
    assert boxes(said(tmp_path, plane(LOW, RIGHT, LEFT, values=(1, 2, 3)))) == [RIGHT, LEFT, LOW]
    both = said(tmp_path, plane(LOW, RIGHT, values=(4, 9)), plane(LEFT))
    assert boxes(both) == [RIGHT, LEFT, LOW]
    detector = MaskRCNNGuide(torch.nn.Identity(), focus=False)
    assert boxes(both, detector) == [RIGHT, LEFT, LOW]
    # A label in two parts is one object; so is a file of several.
    assert boxes(said(tmp_path, plane(LEFT, RIGHT, LOW, values=(1, 1, 2)))) == [(4, 4, 46, 20), LOW]
    assert boxes(said(tmp_path, 255 - plane(LEFT), invert_mask=True)) == [LEFT]
    assert boxes(said(tmp_path, plane(LEFT), plane(RIGHT), plane(LEFT))) == [RIGHT, LEFT]


def test_more_objects_than_eight_keep_the_largest(tmp_path):
    masks = [plane((6 * n, 2, 5, 30 - n)) for n in range(10)]
    found = boxes(said(tmp_path, *masks))
    assert found == [*[(6 * n, 2, 5, 30 - n) for n in range(7)], (42, 2, 17, 23)]


def test_a_guide_that_knows_one_mask_gets_their_union(tmp_path):
    asked: list[Prompt] = []

    def guide(image: torch.Tensor, prompt: Prompt | None = None) -> Guidance:
        asked.append(prompt)
        x, y, w, h = map(int, prompt.box or (0, 0, 0, 0))
        mask = torch.zeros(1, 40, 60)
        mask[:, y : y + h, x : x + w] = 1
        return Guidance.from_mask(mask if prompt.mask is None else prompt.mask)

    given_guidance(said(tmp_path, plane(LEFT), plane(RIGHT)), FLAT, (60, 40), guide)
    assert np.array_equal(asked[-1].mask[0] * 255, plane(LEFT, RIGHT))
    assert asked[-1].objects.shape == (2, 40, 60)
    given_guidance(said(tmp_path, plane(LEFT)), FLAT, (60, 40), guide)
    assert asked[-1].objects is None
    asked.clear()
    given_guidance(GuidanceOptions(box=(LEFT, RIGHT)), FLAT, (60, 40), guide)
    assert [prompt.box for prompt in asked[:2]] == [LEFT, RIGHT]
    assert np.array_equal(asked[-1].objects * 255, [plane(LEFT), plane(RIGHT)])
    with pytest.raises(ValueError, match="objects are given without a mask"):
        Prompt(objects=torch.ones(2, 4, 4))
    with pytest.raises(ValueError, match=r"^objects has shape \[2, 4, 4\], wanted"):
        PLAIN(FLAT, Prompt(mask=torch.ones(1, 40, 60), objects=torch.ones(2, 4, 4)))


def test_one_and_several_in_json_and_on_the_command_line(tmp_path, monkeypatch):
    old = Job.from_json('{"image": "a.jpg", "mask": "m.png"}')
    assert old == Job("a.jpg", mask="m.png") == Job("a.jpg", mask=("m.png",))
    assert [str(path) for path in old.masks] == ["m.png"]
    for box in ('"1,2,3,4"', "[1, 2, 3, 4]", '["1,2,3,4"]', "[[1, 2, 3, 4]]"):
        assert Job.from_json(f'{{"image": "a.jpg", "box": {box}}}').boxes == ((1, 2, 3, 4),)
    several = Job("a.jpg", box=[(1, 2, 3, 4), (5, 6, 7, 8)])
    assert json.loads(several.to_json())["box"] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert Job.from_json(several.to_json()) == several
    masks = Job("a.jpg", mask=["m.png", "n.png"], invert_mask=True, frame=3)
    assert Job.from_json(masks.to_json()) == masks
    for wrong in ('"box": ["1,2"]', '"box": [[1, 2]]', '"box": [1, 2, 3]', '"frame": 0'):
        with pytest.raises(InputError, match=r"^(box: got|frame is 0)"):
            Job.from_json(f'{{"image": "a.jpg", {wrong}}}')
    jobs = []
    monkeypatch.setattr("semantic_guidance.apps.jobs.run", lambda job, tell: jobs.append(job) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["paint", "a.gif", "--mask", "m.png", "--mask=n.png", "--invert-mask", "--frame", "3"])
    assert jobs == [dataclasses.replace(masks, image=jobs[0].image)]
    assert str(jobs[0].image) == "a.gif"


@pytest.mark.usefixtures("looks_once")
def test_a_painting_has_an_object_for_each_label(tmp_path, capsys):
    photo = np.full((40, 60, 3), 200, np.uint8)
    for (x, y, w, h), color in zip((LEFT, RIGHT), ((200, 20, 20), (20, 20, 200)), strict=True):
        photo[y : y + h, x : x + w] = color
    frames = io.BytesIO()
    white = Image.new("RGB", (60, 40), "white")
    white.save(frames, "WEBP", save_all=True, append_images=[Image.fromarray(photo)], lossless=True)
    (tmp_path / "a.webp").write_bytes(frames.getvalue())
    Image.fromarray(plane(LEFT, RIGHT, values=(1, 2))).save(tmp_path / "m.png")
    quick = ["--strokes=24", "--preset=draft", "--style=likeness", "--size=64", "--agent=planner"]
    argv = ["paint", str(tmp_path / "a.webp"), f"--out={tmp_path}", *quick, "--formats=png,json"]
    assert main([*argv, "--frame=2", f"--mask={tmp_path / 'm.png'}"]) == 0
    assert capsys.readouterr().err == ""
    layers = json.loads((tmp_path / "a_painted.json").read_text())["strokes"]
    assert {stroke["instance"] for stroke in layers if stroke["level"] == "foreground"} == {0, 1}
    inverse = 255 - plane(LEFT)
    Image.fromarray(inverse).save(tmp_path / "m.png")
    assert main([*argv, f"--mask={tmp_path / 'm.png'}"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("a.webp: the first of 2 frames is of a single colour; --frame 2 is not")
    assert second.startswith("semantic-guidance: note: the mask is bright all round its edge; --invert-mask")
    assert main([*argv, "--frame=3"]) != 0
    assert "a.webp: the picture has 2 frames, wanted --frame 1 to 2, got 3" in capsys.readouterr().err
    assert main([*argv, "--invert-mask"]) != 0
    assert "--invert-mask: there is no mask" in capsys.readouterr().err


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_box_is_in_pixels_of_the_upright_picture(tmp_path, format, large):
    """The only green thing is in it, whatever the orientation, and however much the picture is reduced."""
    height, width = (8, MAX_SIDE + 904) if large else (40, 60)
    x, y, w, h = (1000, 2, 2000, 4) if large else RIGHT
    for orientation in (6,) if large else UNDO:
        shape = UNDO[orientation](np.zeros((height, width))).shape
        box = (x, y, w, h) if shape == (height, width) else (y, x, h, w)
        upright = np.zeros((*shape, 3), np.uint8)
        upright[box[1] : box[1] + box[3], box[0] : box[0] + box[2], 1] = 255
        back = {6: 8, 8: 6}.get(orientation, orientation)
        stored = np.ascontiguousarray(UNDO[back](upright))
        exact = {"quality": 95} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
        made = tiff(stored, orientation) if format == "TIFF" else None
        data = made or encoded(format, stored, exif=b"Exif\0\0" + exif_block(orientation), **exact)
        (tmp_path / "a").write_bytes(data)
        picture = load_picture(tmp_path / "a")
        seen: list[tuple[float, ...]] = []

        def guide(image: torch.Tensor, prompt: Prompt | None = None, seen: list = seen) -> Guidance:
            seen.append(prompt.box)
            return Guidance.none(*image.shape[1:])

        given_guidance(GuidanceOptions(box=box), picture.image, picture.size, guide)
        left, top, right, bottom = np.round(np.add(seen[0], (0, 0, *seen[0][:2]))).astype(int)
        green = picture.image[1].numpy() > 0.5
        rows, columns = np.nonzero(green)
        found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert np.abs(np.subtract(found, (left, top, right, bottom))).max() <= 1, orientation
