"""Faces: against eyes marked by hand, moved, turned, made small; and what painters make of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.guidance import Guide
from semantic_guidance.guidance.faces import Face, find_faces
from semantic_guidance.guidance.heads import MAX_HEADS, head_of, with_faces
from semantic_guidance.guidance.yunet import Found
from semantic_guidance.images.arrays import to_array
from semantic_guidance.images.files import load_mask
from tests.conftest import EXAMPLES

EYES = np.array([[205, 103], [247, 105]])  # the astronaut's, her right one first; marked by hand
CORNER, SIDE = (120, 20), 200  # left, top and side of a square round her head


@pytest.fixture(scope="module")
def astronaut() -> torch.Tensor:
    return load_image(EXAMPLES / "astronaut.jpg")


@pytest.fixture(scope="module")
def head(astronaut) -> torch.Tensor:
    """Her head ``[3, 200, 200]``; her face is 90 pixels wide."""
    left, top = CORNER
    return astronaut[:, top : top + SIDE, left : left + SIDE]


def shrunk(picture: torch.Tensor, scale: float) -> torch.Tensor:
    return F.interpolate(picture[None], scale_factor=scale, mode="bilinear", antialias=True)[0]


def blind(image: torch.Tensor) -> tuple[torch.Tensor, float]:
    """A segmenter that sees nothing."""
    return torch.zeros_like(image[:1]), 0.0


def test_eyes_are_where_they_are(astronaut):
    (face,) = find_faces(astronaut)
    assert np.abs(face.points[:2] - EYES).max() < 6
    assert face.confidence > 0.9
    x, y, width, height = face.box
    assert x < EYES[0, 0] < EYES[1, 0] < x + width
    assert y < EYES[0, 1] < face.points[2, 1] < face.points[3, 1] < y + height


@pytest.mark.parametrize(
    ("angle", "scale", "mirrored"), [(0, 1, True), (0, 2.2, False), (-50, 1, False), (35, 0.4, True)]
)
def test_faces_move_with_the_picture(head, angle, scale, mirrored):
    side = round(SIDE * 1.5 * scale)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, scale)
    matrix[:, 2] += side / 2 - SIDE / 2
    if mirrored:
        matrix[0] = -matrix[0]
        matrix[0, 2] += side
    blur = cv2.GaussianBlur(to_array(head), (0, 0), 0.5 / min(scale, 1) - 0.4)
    moved = cv2.warpAffine(blur, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    (face,) = find_faces(torch.from_numpy(moved).permute(2, 0, 1))
    eyes = (EYES - CORNER) @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        eyes = eyes[::-1]
    assert np.abs(face.points[:2] - eyes).max() < 6 * max(scale, 0.5)
    expected = np.arctan2(*(eyes[1] - eyes[0])[::-1])
    assert np.arctan2(*face.tilt[::-1]) == pytest.approx(expected, abs=0.15)


def test_a_crowd_is_counted(head):
    """Faces of 14 pixels and more, at known places."""
    picture = torch.linspace(0.3, 0.7, 240).expand(3, 180, 240).clone()
    places = [(x, y) for y in (8, 62, 120) for x in (6, 62, 118, 180)]
    for number, (x, y) in enumerate(places):
        small = shrunk(head, (14 + number) / 90)
        picture[:, y : y + small.shape[1], x : x + small.shape[2]] = small
    found = find_faces(picture)
    assert len(found) == len(places)
    for number, (x, y) in enumerate(places):
        eyes = (EYES - CORNER) * (14 + number) / 90 + (x, y)
        assert min(np.abs(face.points[:2] - eyes).max() for face in found) < 2


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_there_is_no_face(name):
    assert find_faces(shrunk(load_image(EXAMPLES / f"{name}.jpg"), 0.6)) == []


def test_wheels_and_clocks_are_no_faces():
    picture = np.full((240, 320, 3), 220, np.uint8)
    for x, spokes in ((70, 8), (240, 12)):
        cv2.circle(picture, (x, 80), 55, (30, 30, 30), 6)
        cv2.circle(picture, (x, 80), 9, (60, 60, 60), -1)
        for angle in np.arange(spokes) * 2 * np.pi / spokes:
            end = (round(x + 55 * np.cos(angle)), round(80 + 55 * np.sin(angle)))
            cv2.line(picture, (x, 80), end, (90, 90, 90), 2)
    cv2.circle(picture, (160, 185), 45, (250, 250, 250), -1)
    cv2.circle(picture, (160, 185), 45, (0, 0, 0), 3)
    cv2.putText(picture, "12", (150, 160), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    cv2.line(picture, (160, 185), (180, 165), (0, 0, 0), 3)
    cv2.line(picture, (160, 185), (130, 180), (0, 0, 0), 3)
    assert find_faces(torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)) == []


def test_moving_there_and_back_changes_nothing():
    generator = np.random.default_rng(0)
    found = Found(
        generator.uniform(5, 50, (3, 4)).astype(np.float32),
        generator.uniform(5, 50, (3, 5, 2)).astype(np.float32),
        np.array([0.5, 0.7, 0.9], np.float32),
    )
    there = np.array([[-1.2, 0.7, 3], [0.7, 1.2, -5]], np.float32)  # mirrored, turned and enlarged
    back = found.moved(there).moved(cv2.invertAffineTransform(there))
    np.testing.assert_allclose(back.boxes, found.boxes, atol=1e-3)
    np.testing.assert_allclose(back.points, found.points, atol=1e-3)


def test_a_head_is_an_ellipse_round_the_face():
    points = np.array([[40, 40], [60, 40], [50, 52], [50, 62]], np.float32)
    face = Face(0.9, (30, 30, 40, 40), points)
    (rows, columns), part = head_of(face, 100, 120)
    head = torch.zeros(1, 100, 120)
    head[:, rows, columns] = part
    inside = head[0] > 0.5
    assert float(inside.sum()) == pytest.approx(np.pi * 0.62 * 0.78 * 40 * 40, rel=0.03)
    assert inside[45, 30:70].all()
    assert not inside[:, : 50 - 27].any()
    focus = face.focus(100, 120)
    assert focus[0, 40, 60] > 0.98
    assert focus[0, 95, 110] < 0.01


def test_a_face_needs_no_object(head):
    picture = torch.full((3, 220, 300), 0.5)
    picture[:, 60:120, 200:260] = shrunk(head, 0.3)
    guidance = Guide(segmenter=blind)(picture)
    (only,) = guidance.instances
    assert only.kind == "face"
    assert only.confidence > 0.5
    assert torch.equal(guidance.mask, only.mask)
    x, y, width, height = only.box
    eyes = (EYES - CORNER) * 0.3 + (200, 60)
    assert x < eyes[0, 0] < eyes[1, 0] < x + width
    assert y < eyes[0, 1] < y + height
    assert (guidance.focus[0, eyes[:, 1].astype(int), eyes[:, 0].astype(int)] > 0.8).all()


def test_what_a_person_leaves_out_stays_out(astronaut):
    suit = torch.zeros_like(astronaut[:1])
    suit[:, 260:500, 40:330] = 1
    guidance = Guide(focus=False).from_mask(astronaut, suit)
    assert len(guidance.instances) == 1
    assert float(guidance.focus.max()) == 0


def test_small_faces_are_focused_on_and_large_ones_are_instances(head):
    picture = torch.full((3, 500, 800), 0.5)
    places = [(x, y, 0.4) for y in (0, 85) for x in range(0, 500, 85)] + [(700, 400, 0.17)]
    for x, y, scale in places:
        small = shrunk(head, scale)
        picture[:, y : y + small.shape[1], x : x + small.shape[2]] = small
    guidance = with_faces(picture, Guidance.none(500, 800))
    assert len(guidance.instances) == MAX_HEADS
    for x, y, scale in places:
        column, row = ((EYES[0] - CORNER) * scale + (x, y)).astype(int)
        assert guidance.focus[0, row, column] > 0.8
    saliences = [each.salience for each in guidance.instances]
    assert saliences == sorted(saliences, reverse=True)
    assert saliences[0] == 1


def test_guidance_ends_with_the_faces(astronaut):
    guidance = Guide()(astronaut)
    assert Guide(faces=False)(astronaut).boxes == guidance.boxes[:-1]
    assert guidance.instances[-1].kind == "face"
    face = guidance.instances[-1].mask[0]
    rows, columns = EYES[:, 1], EYES[:, 0]
    assert (face[rows, columns] > 0.8).all()
    assert (guidance.focus[0, rows, columns] > 0.8).all()
    assert face.mean() < 0.3 * guidance.mask.mean()


@pytest.mark.parametrize("agent", ["semantic", "planner"])
def test_faces_are_painted_better(astronaut, agent):
    """At the same number of strokes, and the rest hardly worse."""
    plain = Guidance.from_mask(load_mask(EXAMPLES / "astronaut_mask.png", *astronaut.shape[1:]))
    errors = []
    for guidance in (plain, with_faces(astronaut, plain)):
        painter = Painter(agent, preset="draft", size=512)
        squares = (painter.paint(astronaut, guidance).canvas - astronaut).square().mean(dim=0)
        errors.append((float(squares[70:175, 175:280].mean()), float(squares.mean())))
    (before, whole_before), (after, whole_after) = errors
    assert after < 0.8 * before
    assert whole_after < 1.15 * whole_before


def test_a_portrait_needs_no_second_instance(astronaut):
    close = F.interpolate(astronaut[None, :, 30:190, 140:300], (320, 320), mode="bilinear")[0]
    guidance = Guide()(close)
    assert len(guidance.instances) == 1
    assert (guidance.focus[0, (EYES[:, 1] - 30) * 2, (EYES[:, 0] - 140) * 2] > 0.8).all()
