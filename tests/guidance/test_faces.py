"""Faces: against eyes marked by hand in a photograph, mirrored, far away; and what painters make of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.guidance import Guide
from semantic_guidance.guidance.faces import Face, find_faces
from semantic_guidance.guidance.guide import with_faces
from semantic_guidance.images.files import load_mask
from tests.conftest import EXAMPLES

EYES = np.array([[205, 103], [247, 105]])  # the astronaut's, her right one first; marked by hand


@pytest.fixture(scope="module")
def astronaut() -> torch.Tensor:
    return load_image(EXAMPLES / "astronaut.jpg")


def test_eyes_are_where_they_are(astronaut):
    (face,) = find_faces(astronaut)
    assert np.abs(face.points[:2] - EYES).max() < 6
    assert face.score > 0.8
    x, y, width, height = face.box
    assert x < EYES[0, 0] < EYES[1, 0] < x + width
    assert y < EYES[0, 1] < face.points[2, 1] < face.points[3, 1] < y + height


def test_a_mirrored_picture_has_mirrored_faces(astronaut):
    (face,) = find_faces(astronaut.flip(-1))
    mirrored = np.array([astronaut.shape[2], 0]) + np.array([-1, 1]) * EYES[::-1]
    assert np.abs(face.points[:2] - mirrored).max() < 6


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_there_is_no_face(name):
    assert find_faces(load_image(EXAMPLES / f"{name}.jpg")) == []


def test_far_faces_are_found_in_the_box_of_their_owner(astronaut):
    scale, left, top = 0.16, 300, 150
    small = F.interpolate(astronaut[None], scale_factor=scale, mode="bilinear", antialias=True)[0]
    picture = torch.full((3, 400, 640), 0.5)
    picture[:, top : top + small.shape[1], left : left + small.shape[2]] = small
    box = (left, top, small.shape[2], small.shape[1])
    assert find_faces(picture) == []
    (face,) = find_faces(picture, [box])
    assert np.abs(face.points[:2] - (EYES * scale + (left, top))).max() < 2


def test_a_head_is_a_part_of_the_mask():
    points = np.array([[40, 40], [60, 40], [50, 52], [50, 62]], np.float32)
    face = Face(0.9, (30, 30, 40, 40), points)
    mask = torch.zeros(1, 100, 120)
    assert face.instance(mask) is None
    mask[:, :, :55] = 0.9
    head = face.instance(mask)
    assert (head.mask <= mask).all()
    assert (head.mask[0, 45, 30:50] > 0.8).all()
    x, _, width, height = head.box
    assert abs(x - (50 - 0.62 * 40)) < 3
    assert x + width == 55
    assert abs(height - 2 * 0.78 * 40) < 5
    focus = face.focus(100, 120)
    assert focus[0, 40, 60] > 0.98
    assert focus[0, 95, 110] < 0.01


def test_guidance_ends_with_the_faces(astronaut):
    guidance = Guide()(astronaut)
    assert Guide(faces=False)(astronaut).boxes == guidance.boxes[:-1]
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
