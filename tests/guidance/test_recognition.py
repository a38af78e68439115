"""What a classifier makes of a painting: worked out by hand, and with the classifier that ships."""

from __future__ import annotations

import math

import pytest
import torch
from PIL import Image, ImageFilter

from semantic_guidance.guidance.classifier import imagenet_labels
from semantic_guidance.guidance.recognition import WHOLE, object_view, perceptual_distance, recognition
from semantic_guidance.images.files import load_image, to_image
from tests.conftest import EXAMPLES


def colours(images: torch.Tensor) -> list[torch.Tensor]:
    """Features that are the colours themselves, in [0, 1]."""
    return [(images * 128 + 127) / 255]


def plain(red: float, green: float, blue: float, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.tensor([red, green, blue])[:, None, None].expand(3, height, width).contiguous()


def test_window_of_an_object_by_hand():
    """A box of 20 x 10 pixels from (30, 50) in 200 x 100: a square of side 20 * 1.2 about (40, 55)."""
    mask = torch.zeros(1, 100, 200)
    mask[:, 50:60, 30:50] = 1
    assert object_view(mask) == pytest.approx((28 / 200, 43 / 100, 24 / 200, 24 / 100))


def test_window_stays_in_the_picture():
    mask = torch.zeros(1, 100, 200)
    mask[:, 90:100, 190:200] = 1  # in the corner: moved inside
    assert object_view(mask) == pytest.approx((188 / 200, 88 / 100, 12 / 200, 12 / 100))
    mask[:, :, :] = 1  # larger than the picture: cut off
    assert object_view(mask) == pytest.approx(WHOLE)
    assert object_view(torch.full((1, 100, 200), 0.5)) is None


def test_perceptual_distance_by_hand():
    """Colours as features: the cosine of grey and red is 1 / sqrt(3), that of red and green 0."""
    red, green, grey = plain(0.8, 0, 0), plain(0, 0.3, 0), plain(0.5, 0.5, 0.5)
    assert perceptual_distance(red, red, features=colours) == pytest.approx(0, abs=1e-6)
    assert perceptual_distance(0.25 * red, red, features=colours) == pytest.approx(0, abs=1e-6)
    assert perceptual_distance(red, green, features=colours) == pytest.approx(1, abs=1e-6)
    assert perceptual_distance(red, grey, features=colours) == pytest.approx(1 - 1 / math.sqrt(3), abs=1e-6)


def test_perceptual_distance_is_the_mean_over_places_and_scales():
    """Red against green in the right quarter, the same elsewhere; the second scale sees one mixed cell."""
    target = plain(1, 0, 0, 224, 224)
    painted = target.clone()
    painted[:, :, 168:] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]

    def features(images: torch.Tensor) -> list[torch.Tensor]:
        (fine,) = colours(images)
        return [fine, fine.mean((2, 3), keepdim=True)]

    mixed = 1 - 0.75 / math.hypot(0.75, 0.25)
    assert perceptual_distance(painted, target, features=features) == pytest.approx(
        (0.25 + mixed) / 2, abs=1e-5
    )


def test_perceptual_distance_of_the_object_leaves_the_background_out():
    """The object is the left half and painted well; the other half is of another colour."""
    target = plain(1, 0, 0, 224, 224)
    painted = target.clone()
    painted[:, :, 112:] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    mask = torch.zeros(1, 224, 224)
    mask[:, :, :112] = 1
    assert perceptual_distance(painted, target, features=colours) == pytest.approx(0.5, abs=1e-5)
    assert perceptual_distance(painted, target, mask, features=colours) == pytest.approx(0, abs=1e-5)
    assert perceptual_distance(painted, target, 1 - mask, features=colours) == pytest.approx(1, abs=1e-5)


def test_perceptual_distance_grows_with_blur():
    """With the classifier that ships: nothing for the picture itself, more the more it is blurred."""
    picture = Image.open(EXAMPLES / "chelsea.jpg")
    target = to_image(picture)
    blurred = [to_image(picture.filter(ImageFilter.GaussianBlur(radius))) for radius in (1, 3, 9)]
    distances = [perceptual_distance(image, target) for image in (target, *blurred)]
    assert distances[0] == pytest.approx(0, abs=1e-5)
    assert distances == sorted(distances)
    assert 0.3 < distances[-1] < 1


def test_recognition_by_hand():
    """Logits that are the mean colour times 4 and five classes that nothing speaks for."""

    def classifier(images: torch.Tensor) -> torch.Tensor:
        (colour,) = colours(images)
        return torch.cat([torch.full((len(images), 5), 0.1), 4 * colour.mean((2, 3))], dim=1)

    photo, painted = plain(0, 1, 0.5), plain(1, 0.5, 0)
    found = recognition(painted, photo, classifier=classifier)
    assert (found.label, found.painted_label) == (6, 5)
    below = 5 * math.exp(0.1) + math.exp(4) + math.exp(2) + 1
    assert found.probability == pytest.approx(math.exp(4) / below, rel=1e-5)
    assert found.painted_probability == pytest.approx(math.exp(2) / below, rel=1e-5)
    assert (found.top1, found.top5) == (False, True)
    found = recognition(plain(1, 0, 0), photo, classifier=classifier)  # green's class comes last of eight
    assert (found.top1, found.top5) == (False, False)
    found = recognition(photo, photo, classifier=classifier)
    assert (found.top1, found.top5) == (True, True)


def test_recognition_looks_at_the_window():
    """A cat in a corner of a large wall is found where one looks at it."""
    cat = load_image(EXAMPLES / "chelsea.jpg")
    height, width = cat.shape[1:]
    wall = torch.full((3, 3 * height, 3 * width), 0.5)
    wall[:, :height, :width] = cat
    found = recognition(wall, cat, (0, 0, 1, 1))
    assert imagenet_labels()[found.label] == "Egyptian cat"
    window = (0.0, 0.0, 1 / 3, 1 / 3)
    inside = recognition(wall, wall, window)
    assert inside.label == found.label
    assert inside.top1
    assert inside.painted_probability == pytest.approx(found.probability, abs=1e-3)


def test_labels_are_those_of_imagenet():
    labels = imagenet_labels()
    assert len(labels) == len(set(labels)) == 1000
    assert (labels[0], labels[285], labels[999]) == ("tench", "Egyptian cat", "toilet tissue")


def test_complaints():
    with pytest.raises(ValueError, match=r"wanted \[3, height, width\]"):
        perceptual_distance(torch.zeros(1, 8, 8), torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"wanted \[3, height, width\]"):
        recognition(torch.zeros(3, 8, 8), torch.zeros(8, 8))
    with pytest.raises(ValueError, match="mask is empty"):
        perceptual_distance(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), torch.zeros(1, 8, 8))
